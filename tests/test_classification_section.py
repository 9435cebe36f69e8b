"""Classification at frozen thresholds in a report: the study's words, tables, files, methods."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.classification import METRICS, classification, classification_at
from omics.errors import StudyError
from reports.blocks import Section, Table
from reports.classification_section import classification_block, classified_blocks
from reports.jupyter import drawn
from reports.methods import methods_text
from reports.report import write_report
from reports.results import Results
from reports.sections import page_of
from reports.study import compute, load_cohort
from reports.study_file import read_study
from reports.tables import TableRows, format_estimate
from tests.small_study import SmallStudy, binary_study, small_study


def with_centres(study: SmallStudy, **report: Any) -> SmallStudy:
    """Predict a second centre; cross-validate briefly."""
    clinical = study.tables["clinical"]
    clinical["Centre"] = np.where(np.arange(len(clinical)) % 3 == 0, "B", "A")
    study.content["cohorts"] = {
        "column": "clinical:Centre",
        "development": "A",
        "external": ["B"],
    }
    study.content["validation"] = {
        "cross_validation": {"folds": 3, "repeats": 2},
        "bootstrap": 0,
        "draws": 20,
    }
    study.content["report"] = {"classify_at": [0.2, 0.5], **report}
    return study


def computed(study: SmallStudy) -> Results:
    found = read_study(study.write())
    return compute(found, load_cohort(found), n_jobs=1)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return computed(with_centres(small_study(tmp_path_factory.mktemp("classified"))))


def rows_of(table: Table) -> TableRows:
    assert isinstance(table.table, TableRows)
    return table.table


def test_a_table_per_model_shows_every_cohort(results: Results) -> None:
    assert results.classified is not None
    (name,) = results.coefficients
    (table,) = classification_block(results.classified, name)
    rows = rows_of(table)
    assert rows.header == (
        *("Threshold", "Sensitivity", "Specificity", "PPV", "NPV", "Share above"),
    )
    assert [rows.rows[group][0] for group in rows.groups] == [
        "Development (out of fold)",
        "B (external)",
    ]
    assert [row[0] for row in rows.rows[1:3]] == ["  20%", "  50%"]
    horizons = results.cohort.outcome.horizons
    horizon = horizons[len(horizons) // 2]
    there = results.classified.table.query(
        "cohort == 'B' and threshold == 0.5 and horizon == @horizon"
    ).set_index("metric")[["estimate", "lower", "upper"]]
    expected = [format_estimate(*there.loc[metric], digits=2) for metric in METRICS]
    assert list(rows.rows[-1][1:]) == expected
    assert table.title == f"Classification at frozen thresholds by {horizon:g} months."
    assert "the patients evaluated here did not choose them" in table.caption
    assert "external: frozen predictions, weighted for censoring" in table.note


def test_the_report_holds_table_and_file(results: Results, tmp_path: Path) -> None:
    write_report(results, tmp_path)
    written = pd.read_csv(tmp_path / "tables" / "classification.csv")
    assert results.classified is not None
    assert len(written) == len(results.classified.table)
    assert {"estimate", "lower", "upper", "n_events", "method"} <= set(written)
    assert "Classification at frozen thresholds" in (tmp_path / "report.html").read_text()
    (models,) = (part for part in page_of(results).sections if part.id == "models")
    titles = [block.title for block in models.sections[0].blocks if isinstance(block, Table)]
    assert any(title.startswith("Classification at frozen") for title in titles)


def test_methods_say_how(results: Results) -> None:
    text = methods_text(results)
    assert "Classification. At risks of 20%, 50%, stated in advance, sensitivity" in text
    assert "cumulative/dynamic, with inverse probability of censoring weights" in text
    assert "in external cohorts Wilson's for the effective number of patients" in text


def test_a_notebook_draws_them(results: Results) -> None:
    assert results.classified is not None
    section = drawn(results.classified)
    assert isinstance(section, Section)
    (table,) = section.blocks
    (same,) = classified_blocks(results.classified)
    assert isinstance(table, Table)
    assert table.title == same.title
    for one, title in (
        (classification([1, 0], [0.9, 0.1], thresholds=[0.5]), "Classification."),
        (
            classification_at([1, 2], [1, 0], [0.9, 0.1], horizon=1.5, thresholds=[0.5]),
            "Classification by 1.5.",
        ),
    ):
        section = drawn(one)
        assert isinstance(section, Section)
        (table,) = section.blocks
        assert isinstance(table, Table)
        assert table.title == title
        assert rows_of(table).rows[0][:2] == ("50%", "1.00 (0.21–1.00)")


def test_a_binary_outcome(tmp_path: Path) -> None:
    results = computed(with_centres(binary_study(tmp_path)))
    assert results.classified is not None
    (table,) = classification_block(results.classified, next(iter(results.coefficients)))
    assert table.title == "Classification at frozen thresholds."
    assert "All horizons" not in table.caption
    text = methods_text(results)
    assert "at or above them were estimated. Intervals: out of fold Wilson's" in text
    assert "in external cohorts Wilson's." in text


def test_without_thresholds_there_is_none(tmp_path: Path) -> None:
    results = computed(with_centres(small_study(tmp_path), classify_at=[]))
    assert results.classified is None
    assert "Classification." not in methods_text(results)
    write_report(results, tmp_path / "out")
    assert not (tmp_path / "out" / "tables" / "classification.csv").exists()


@pytest.mark.parametrize("wrong", [[0.5, 0.2], [0.2, 0.2], [0], [20], [0.5, 1]])
def test_thresholds_that_do_not_rise_are_refused(tmp_path: Path, wrong: list[float]) -> None:
    study = with_centres(small_study(tmp_path), classify_at=wrong)
    with pytest.raises(StudyError, match="classify_at must be rising risks between 0 and 1, but"):
        read_study(study.write())
