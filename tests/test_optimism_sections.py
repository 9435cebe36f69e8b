"""The bootstrap in a report: its indexes and curves, why it is withheld, .632+, files, words."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.optimism import cox_optimism
from models.resample_counts import bootstrap_counts
from omics.errors import StudyError
from reports.blocks import Figure, FigureGrid, Section, Table, Text
from reports.curve_sections import calibration_blocks
from reports.html import render
from reports.jupyter import drawn
from reports.methods import methods_text
from reports.optimism_sections import HEADER, optimism_blocks
from reports.report import write_report
from reports.results import Results
from reports.sections import page_of
from reports.study import compute, load_cohort
from reports.study_file import read_study
from reports.tables import TableRows, format_number
from tests.small_study import SmallStudy, binary_study, small_study

TREES = {"name": "Trees", "kind": "xgboost", "predictors": ["clinical:Age"], "rounds": 5}


def with_bootstraps(study: SmallStudy) -> Results:
    study.content["models"] = [study.content["models"][0], TREES]
    study.content["validation"] = {
        "cross_validation": {"folds": 3, "repeats": 1},
        "bootstrap": 6,
        "bootstrap_632": 50,
        "draws": 20,
    }
    found = read_study(study.write())
    return compute(found, load_cohort(found), n_jobs=1)


@pytest.fixture(scope="module")
def survival(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return with_bootstraps(small_study(tmp_path_factory.mktemp("survival")))


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return with_bootstraps(binary_study(tmp_path_factory.mktemp("binary")))


def model_of(results: Results) -> str:
    return next(iter(results.coefficients))


def test_every_index_stands_in_the_table_with_its_numbers(
    survival: Results, binary: Results
) -> None:
    for results in (survival, binary):
        name = model_of(results)
        (block,) = optimism_blocks(results.performance, results.validation, name)
        assert isinstance(block, Table)
        assert isinstance(block.table, TableRows)
        assert block.table.header == HEADER
        table = results.performance.optimism
        assert len(block.table.rows) == len(table) + len(block.table.groups)
        shown = {row[0].strip(): row for row in block.table.rows}
        dxy = table.set_index("metric").loc["dxy"]
        assert shown["Dxy (Somers)"][1] == format_number(dxy["apparent"])
        assert shown["Dxy (Somers)"][4] == format_number(dxy["optimism"])
        assert shown["Dxy (Somers)"][5].startswith(format_number(dxy["corrected"]))
        assert "6 resamples, none failed" in str(block.caption)
    first = [row[0] for row in block.table.rows]
    assert {"Intercept, beside the slope", "gp (the same of the risk)"} <= set(first)
    assert first.count("Emax of intercept and slope") == first.count("Emax") == 1


def test_where_it_is_withheld_the_reason_stands_and_what_is_in_its_place(
    survival: Results,
) -> None:
    (block,) = optimism_blocks(survival.performance, survival.validation, "Trees")
    assert isinstance(block, Text)
    assert "withheld: boosted trees memorise their patients" in str(block.text)
    assert "the cross-validated figures and .632+" in str(block.text)
    page = render(page_of(survival))
    assert "withheld: boosted trees memorise" in page
    assert ".632+ from 50 bootstrap samples" in methods_text(survival)


def test_632_plus_stands_beside_the_other_validations(survival: Results) -> None:
    table = survival.performance.table.query("validation == 'bootstrap_632_plus'")
    assert set(table["model"]) == set(survival.coefficients)
    assert set(table["metric"]) == {"c_index", "c_index_uno", "auc", "brier", "ipa"}
    assert table["estimate"].notna().all()
    assert table["lower"].isna().all()
    assert table["method"].str.contains("no interval").all()
    page = render(page_of(survival))
    assert page.count(">.632+<") >= 2


def test_corrected_curve_is_dashed_and_its_error_stands_below(survival: Results) -> None:
    name = model_of(survival)
    for model, there in ((name, True), ("Trees", False)):
        (block,) = calibration_blocks(survival, model)
        assert isinstance(block, Figure | FigureGrid)
        panels = block.panels if isinstance(block, FigureGrid) else [block]
        lines = {trace.name: trace for trace in panels[0].figure.data}
        assert ("Corrected for optimism" in lines) == there
        assert ("Dashed: corrected" in str(block.caption)) == there
    curve = next(iter(survival.performance.corrected_calibration[name].values()))
    (block,) = calibration_blocks(survival, name)
    panels = block.panels if isinstance(block, FigureGrid) else [block]
    (line,) = [t for t in panels[0].figure.data if t.name == "Corrected for optimism"]
    np.testing.assert_allclose(line.y, curve.table["observed"])
    assert f"mean {format_number(curve.mean_error)}" in str(block.caption)


def test_files_hold_every_digit(survival: Results, tmp_path: Path) -> None:
    write_report(survival, tmp_path)
    table = pd.read_csv(tmp_path / "tables" / "optimism.csv")
    np.testing.assert_allclose(table["corrected"], survival.performance.optimism["corrected"])
    calibration = pd.read_csv(tmp_path / "tables" / "calibration.csv")
    assert "optimism_corrected" in set(calibration["validation"])


def test_a_notebook_draws_both(survival: Results) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(100, 2))
    time = rng.exponential(size=100) * np.exp(-x[:, 0])
    counts = bootstrap_counts(100, resamples=20, seed=2)
    section = drawn(cox_optimism(x, time, np.ones(100), counts))
    assert isinstance(section, Section)
    (table,) = section.blocks
    assert isinstance(table, Table)
    assert "20 resamples, 0 failed" in str(table.caption)
    curve = next(iter(survival.performance.corrected_calibration[model_of(survival)].values()))
    section = drawn(curve)
    (figure,) = section.blocks
    assert isinstance(figure, Figure)
    assert "Apparent" in {trace.name for trace in figure.figure.data}


def test_too_few_resamples_are_refused(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    study.content["validation"] = {"bootstrap_632": 20}
    with pytest.raises(StudyError, match="bootstrap_632 must be 0 or at least 50, but 20 came"):
        read_study(study.write())
