"""Decision curves and updates in a report: the study file's words, figures, tables, files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omics.errors import StudyError
from reports.blocks import Block, Figure, FigureGrid, Page, Section, Table, Text
from reports.curve_sections import decision_blocks
from reports.decision_sections import avoided_block, difference_blocks
from reports.figures.decision_difference import draw_decision_difference
from reports.figures.updating import draw_updating
from reports.html import render
from reports.methods import methods_text
from reports.report import write_report
from reports.results import Results
from reports.sections import page_of
from reports.study import compute, load_cohort
from reports.study_file import Study, read_study
from reports.tables import TableRows, format_estimate, format_number
from reports.updating_sections import updating_section
from tests.small_study import SmallStudy, binary_study, small_study


def with_updating(folder: Path) -> SmallStudy:
    """Two Cox models compared, one of them costly, both updated in a second centre."""
    study = small_study(folder)
    clinical = study.tables["clinical"]
    clinical["Centre"] = np.where(np.arange(len(clinical)) % 3 == 0, "B", "A")
    study.content["cohorts"] = {
        "column": "clinical:Centre",
        "development": "A",
        "external": ["B"],
    }
    study.content["models"] = [
        {"name": "Age", "kind": "cox", "predictors": ["clinical:Age"]},
        {
            "name": "Image",
            "kind": "cox",
            "predictors": ["radiomics:original_shape_VoxelVolume"],
            "splines": {},
        },
    ]
    study.content["added_value"] = {"reference": "Age"}
    study.content["validation"] = {
        "cross_validation": {"folds": 3, "repeats": 1},
        "bootstrap": 4,
        "draws": 20,
    }
    study.content["updating"] = {"cohort": "B", "models": ["Age", "Image"]}
    study.content["report"] = {
        "harm": {"Image": 0.01},
        "standardised_net_benefit": True,
        "interventions_avoided": True,
        "thresholds": [0.1, 0.4],
    }
    return study


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    study = read_study(with_updating(tmp_path_factory.mktemp("updating")).write())
    return compute(study, load_cohort(study), n_jobs=1)


@pytest.fixture(scope="module")
def page(results: Results) -> Page:
    return page_of(results)


def section(page: Page, name: str) -> Section:
    sections = [part for one in page.sections for part in (one, *one.sections)]
    return next(part for part in sections if part.id == name)


def titles(blocks: list[Block] | tuple[Block, ...]) -> list[str]:
    return [block.title for block in blocks if isinstance(block, Figure | FigureGrid | Table)]


def rows_of(blocks: Any, title: str) -> TableRows:
    found = [b for b in blocks if isinstance(b, Table) and b.title.startswith(title)]
    assert isinstance(found[0].table, TableRows)
    return found[0].table


def test_each_quantity_is_drawn_as_asked(results: Results, page: Page) -> None:
    for name in ("model-1", "comparison"):
        words = " ".join(titles(section(page, name).blocks))
        for title in ("Decision curves", "Standardised decision curves", "Net interventions"):
            assert title in words
    (grid,) = decision_blocks(
        results.performance, ["Image"], "months", quantity="interventions_avoided"
    )
    assert isinstance(grid, FigureGrid)
    assert "Harm of obtaining the prediction, taken off per patient: Image 0.01." in grid.caption
    figure = grid.panels[0].figure
    assert figure.layout.yaxis.title.text == "Net interventions avoided per 100"
    table = results.performance.decision.query(
        "model == 'Image' and validation == 'cross_validated' and horizon == 12"
    )
    line = next(trace for trace in figure.data if trace.name == "Image")
    np.testing.assert_allclose(
        np.array(line.y, dtype=float), table["interventions_avoided"], equal_nan=True
    )
    (zero,) = [trace for trace in figure.data if trace.name == "Treat all"]
    assert set(zero.y) == {0.0}
    assert {trace.name for trace in figure.data} == {"Image", "Image, interval", "Treat all"}


def test_by_default_only_net_benefit_is_drawn(tmp_path: Path) -> None:
    study = read_study(small_study(tmp_path).write())
    assert study.report.harm == 0
    one = compute(study, load_cohort(study), n_jobs=1)
    whole = page_of(one)
    words = titles(section(whole, "model-1").blocks)
    assert sum("ecision curve" in title for title in words) == 1
    assert any(title.startswith("Net benefit and net interventions avoided") for title in words)
    assert one.updating == {}
    assert "updating" not in [part.id for part in whole.sections]


def test_the_table_of_avoided_interventions_is_that_of_the_file(results: Results) -> None:
    (block,) = avoided_block(results.performance, "Age")
    assert block.title == "Net benefit and net interventions avoided by 24 months."
    assert isinstance(block.table, TableRows)
    rows = block.table.rows
    assert [row[0] for row in rows] == [
        *("Development (out of fold)", "  10%", "  20%", "  30%", "  40%"),
        *("B (external)", "  10%", "  20%", "  30%", "  40%"),
    ]
    table = results.performance.decision
    at = table[np.isclose(table["threshold"], 0.2) & (table["horizon"] == 24)]
    row = at.query("model == 'Age' and validation == 'external'").iloc[0]
    assert rows[7] == (
        "  20%",
        format_estimate(row["net_benefit"], row["lower"], row["upper"]),
        format_number(row["treat_all"]),
        format_estimate(
            row["interventions_avoided"], row["avoided_lower"], row["avoided_upper"], digits=1
        ),
    )


def test_the_difference_of_two_models_has_its_band(results: Results) -> None:
    assert results.added_value is not None
    all_models = results.added_value.decision
    only = all_models.table[all_models.table["model"] == "Image"]
    (grid,) = difference_blocks(replace(all_models, table=only))
    assert isinstance(grid, FigureGrid)
    assert [panel.title for panel in grid.panels] == ["Development (out of fold)", "B (external)"]
    table = only.query("validation == 'external' and horizon == 24")
    figure = grid.panels[1].figure
    lines = {trace.name: trace for trace in figure.data}
    np.testing.assert_allclose(np.array(lines["Image"].y, float), table["difference"])
    assert list(lines["Age"].y) == [0, 0]
    assert figure.layout.yaxis.title.text == "Net benefit less that of Age"
    assert "pointwise 95% paired bootstrap interval, 20 draws" in grid.caption


def test_updates_side_by_side(results: Results, page: Page) -> None:
    part = section(page, "updating")
    assert part.title == "Updating for B"
    assert [one.title for one in part.sections] == ["Age", "Image"]
    blocks = part.sections[0].blocks
    found = results.updating["Age"]
    summary = blocks[0]
    assert isinstance(summary, Text)
    assert f"{found.n_patients} patients, {found.n_events} events." in summary.text
    assert "Closed testing suggests: " in summary.text
    rows = rows_of(blocks, "Original and updated models")
    assert rows.header == ("Metric", "Original", "New baseline", "New baseline and slope", "Refit")
    c_index = next(row for row in rows.rows if row[0] == "C-index (Harrell)")
    table = found.table[found.table["metric"] == "c_index"].set_index("method")
    expected = [
        format_estimate(*table.loc[method, ["estimate", "lower", "upper"]].astype(float))
        for method in ("original", "baseline", "recalibration", "refit")
    ]
    assert list(c_index[1:]) == expected
    coefficients = rows_of(blocks, "Coefficients")
    assert [row[0] for row in coefficients.rows][-2:] == ["Risk by 12 months", "Risk by 24 months"]
    assert 'id="updating"' in render(page)


def test_methods_say_harm_and_updating(results: Results) -> None:
    text = methods_text(results)
    assert "Net benefit is given less the harm of obtaining the prediction (Image 0.01)." in text
    assert "Age, Image were updated in B: the baseline hazard alone" in text
    assert "corrected for optimism by 4 bootstrap samples" in text


def test_calibration_before_and_after_is_drawn(results: Results) -> None:
    found = results.updating["Age"]
    blocks = updating_section({"Age": found}, "B", results.cohort.outcome).sections[0].blocks
    (grid,) = [b for b in blocks if isinstance(b, FigureGrid)]
    assert [panel.title for panel in grid.panels] == ["By 12 months", "By 24 months"]
    lines = {trace.name: trace for trace in grid.panels[0].figure.data}
    assert set(lines) == {"Ideal", "Original", "New baseline", "New baseline and slope", "Refit"}
    curve = found.curves.query("method == 'original' and horizon == 12")
    np.testing.assert_allclose(lines["Original"].y, curve["observed"])


def test_files_hold_updates_and_differences(results: Results, tmp_path: Path) -> None:
    write_report(results, tmp_path / "out")
    written = pd.read_csv(tmp_path / "out/tables/updating.csv")
    assert set(written["model"]) == {"Age", "Image"}
    assert len(written) == sum(len(one.table) for one in results.updating.values())
    assert len(pd.read_csv(tmp_path / "out/tables/decision_differences.csv"))


def test_few_events_are_a_finding(results: Results) -> None:
    found = [one for one in results.findings if one.code == "few_events_to_update"]
    assert found
    assert found[0].message.startswith("Updating by ")


def test_a_model_that_cannot_be_updated_is_a_finding(tmp_path: Path) -> None:
    study = with_updating(tmp_path)
    followup = study.tables["followup"]
    followup.loc[study.tables["clinical"]["Centre"] == "B", "Status"] = "alive"
    read = read_study(study.write())
    found = compute(read, load_cohort(read), n_jobs=1)
    assert found.updating == {}
    (one, _) = [finding for finding in found.findings if finding.code == "not_updated"]
    assert "needs events" in one.message


# ---- words of the study file


def spoilt(folder: Path, section: str, **changes: Any) -> Study:
    study = with_updating(folder)
    study.content[section] = study.content[section] | changes
    return read_study(study.write())


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("report", {"harm": -0.1}, "harm must be a net benefit, from 0 to 1, but -0.1 came"),
        ("report", {"harm": {"Imago": 0.1}}, r"\[report\] harm must name models.*'Image'"),
        ("report", {"prevalence": 0.2}, "prevalence is for a binary outcome"),
        ("updating", {"models": ["Ages"]}, r"\[updating\] models must name models.*'Age'"),
        ("updating", {"models": []}, "models"),
    ],
)
def test_wrong_words_are_named(
    tmp_path: Path, name: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        spoilt(tmp_path, name, **changes)


def test_an_unknown_cohort_is_refused_before_anything_is_fitted(tmp_path: Path) -> None:
    study = spoilt(tmp_path, "updating", cohort="C")
    with pytest.raises(StudyError, match=r"\[updating\] cohort must be an external cohort.*'C'"):
        compute(study, load_cohort(study), n_jobs=1)


def test_prevalence_of_a_binary_outcome_is_said(tmp_path: Path) -> None:
    study = binary_study(tmp_path)
    study.content["report"] = {"prevalence": 0.125}
    read = read_study(study.write())
    found = compute(read, load_cohort(read), n_jobs=1)
    (figure,) = decision_blocks(found.performance, [*found.coefficients][:1], None)
    assert "For a prevalence of 12.5%; cases and controls were sampled apart." in figure.caption
    assert "given for a prevalence of 12.5%" in methods_text(found)
    rows = found.performance.decision
    odds = rows["threshold"] / (1 - rows["threshold"])
    np.testing.assert_allclose(rows["treat_all"], 0.125 - 0.875 * odds, atol=1e-12)


# ---- figures by themselves


def test_figures_refuse_nothing_and_absent_columns() -> None:
    with pytest.raises(ValueError, match="curves must hold at least one model"):
        draw_decision_difference({}, reference="A")
    with pytest.raises(ValueError, match="curves must hold at least one method"):
        draw_updating({})
    with pytest.raises(ValueError, match="difference"):
        draw_decision_difference({"B": pd.DataFrame({"threshold": [0.1]})}, reference="A")
    with pytest.raises(ValueError, match="observed"):
        draw_updating({"Original": pd.DataFrame({"predicted": [0.1]})})


def test_several_differences_have_no_bands() -> None:
    table = pd.DataFrame(
        {"threshold": [0.1, 0.2], "difference": [0.0, 0.1], "lower": -0.1, "upper": 0.2}
    )
    figure = draw_decision_difference({"B": table, "C": table}, reference="A")
    assert [trace.name for trace in figure.data] == ["A", "B", "C"]
    assert len({trace.line.dash for trace in figure.data[1:]}) == 2
    assert figure.layout.xaxis.title.text == "Threshold probability"


@pytest.mark.parametrize(
    ("cohorts", "words"),
    [
        (True, r"'A' is none of 1\."),
        (False, r"'B' is none of 0\. Declare one by \[cohorts\] external"),
    ],
)
def test_updating_where_nobody_is_is_refused_before_anything_is_fitted(
    tmp_path: Path, cohorts: bool, words: str
) -> None:
    study = with_updating(tmp_path)
    if cohorts:
        study.content["updating"]["cohort"] = "A"
    else:
        del study.content["cohorts"]
        del study.tables["clinical"]["Centre"]
    with pytest.raises(StudyError, match=words):
        load_cohort(read_study(study.write()))


@pytest.mark.parametrize("make", [small_study, binary_study])
def test_the_original_model_has_the_same_net_benefit_where_it_is_updated(
    make: Any, tmp_path: Path
) -> None:
    study = make(tmp_path)
    clinical = study.tables["clinical"]
    clinical["Centre"] = np.where(np.arange(len(clinical)) % 3 == 0, "B", "A")
    study.content["cohorts"] = {"column": "clinical:Centre", "development": "A", "external": ["B"]}
    name = study.content["models"][0]["name"]
    study.content["updating"] = {"cohort": "B", "models": [name]}
    study.content["validation"] = {
        "cross_validation": {"folds": 2, "repeats": 1}, "bootstrap": 0, "draws": 20,
    }  # fmt: skip
    study.content["report"] = {"harm": 0.01, "thresholds": [0.2, 0.4], "assumptions": False}
    if make is binary_study:
        study.content["report"]["prevalence"] = 0.2
    found = read_study(study.write())
    results = compute(found, load_cohort(found), n_jobs=1)
    decision = results.performance.decision.query("validation == 'external'")
    table = results.updating[name].table
    original = table[(table["method"] == "original") & (table["metric"] == "net_benefit")]
    assert len(original)
    for row in original.itertuples():
        same = np.isclose(decision["threshold"], row.threshold)
        if not np.isnan(row.horizon):
            same &= decision["horizon"] == row.horizon
        assert row.estimate == pytest.approx(decision.loc[same, "net_benefit"].item())
    assert f"{name} was updated in B" in methods_text(results)


def test_a_stratified_model_is_not_updated(tmp_path: Path) -> None:
    study = with_updating(tmp_path)
    study.content["models"][0]["strata"] = "clinical:Sex"
    with pytest.raises(StudyError, match=r"one baseline hazard, but 'Age' has one for each level"):
        read_study(study.write())
