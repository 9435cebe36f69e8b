"""Standard errors and paired tests of frozen models in a report: tables, files, methods."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from models.external_tests import external_tests
from reports.added_value_sections import added_value_section
from reports.blocks import Section, Table
from reports.external_sections import paired_test_block, standard_error_block
from reports.jupyter import drawn
from reports.methods import methods_text
from reports.report import write_report
from reports.results import Results
from reports.tables import TableRows, format_estimate, format_number, format_p_value
from tests.small_study import SmallStudy, binary_study, small_study
from tests.test_classification_section import computed, rows_of, with_centres


def compared(study: SmallStudy) -> SmallStudy:
    kind = study.content["models"][0]["kind"]
    study = with_centres(study, classify_at=[])
    study.content["models"] = [
        {"name": "Age", "kind": kind, "predictors": ["clinical:Age"]},
        {
            "name": "Image",
            "kind": kind,
            "predictors": ["radiomics:original_shape_VoxelVolume"],
        },
    ]
    study.content["added_value"] = {"reference": "Age"}
    return study


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return computed(compared(small_study(tmp_path_factory.mktemp("external"))))


def test_tests_stand_beside_the_bootstrap_in_added_value(results: Results) -> None:
    assert results.added_value is not None
    section = added_value_section(results.added_value, results.performance)
    titles = [block.title for block in section.blocks if isinstance(block, Table)]
    where = titles.index("Paired tests against Age, external cohorts.")
    assert titles[where - 1] == "Paired differences from Age."
    (table,) = paired_test_block(results.added_value.tests)
    rows = rows_of(table)
    assert rows.header == ("Model", "Δ C-index", "p", "Δ AUC", "p", "Δ Brier score", "p")
    assert rows.rows[0][0] == "B (20 patients)"
    horizons = results.cohort.outcome.horizons
    horizon = horizons[len(horizons) // 2]
    tests = results.added_value.tests.table.query("model == 'Image'")
    auc = tests[(tests["metric"] == "auc") & (tests["horizon"] == horizon)].iloc[0]
    image = next(row for row in rows.rows if row[0] == "  Image")
    assert image[3] == format_estimate(*auc[["difference", "lower", "upper"]].astype(float))
    assert image[4] == format_p_value(auc["p_value"])
    assert "external cohorts alone" in table.note


def test_each_model_shows_its_standard_errors(results: Results) -> None:
    assert results.external is not None
    (table,) = standard_error_block(results.external, "Image")
    rows = rows_of(table)
    found = results.external.table.query("model == 'Image'")
    assert len(rows.rows) == 1 + len(found)
    first = found.iloc[0]
    assert rows.rows[1][0] == "  C-index (Harrell)"
    assert rows.rows[1][2] == format_number(first["standard_error"], digits=4)
    assert list(standard_error_block(results.external, "none of them")) == []


def test_files_and_methods(results: Results, tmp_path: Path) -> None:
    write_report(results, tmp_path)
    tests = pd.read_csv(tmp_path / "tables" / "added_value_tests.csv")
    assert {"difference", "standard_error", "z", "p_value", "n_left_out"} <= set(tests)
    figures = pd.read_csv(tmp_path / "tables" / "external_standard_errors.csv")
    assert {"estimate", "standard_error", "lower", "upper"} <= set(figures)
    page = (tmp_path / "report.html").read_text()
    assert "Paired tests against Age, external cohorts" in page
    assert "Standard errors in external cohorts" in page
    assert "ROC curves." in page
    text = methods_text(results)
    assert "compared in external cohorts by paired z tests (infinitesimal jackknife for C" in text


def test_without_an_external_cohort_nothing_is_shown(results: Results) -> None:
    nowhere = replace(results.validation, external={})
    tests = external_tests(nowhere, reference="Age")
    assert list(paired_test_block(tests)) == []
    assert results.added_value is not None
    without = replace(results, added_value=replace(results.added_value, tests=tests))
    assert "z tests" not in methods_text(without)


def test_a_notebook_and_a_binary_outcome(tmp_path: Path) -> None:
    results = computed(compared(binary_study(tmp_path)))
    assert results.added_value is not None
    section = drawn(results.added_value.tests)
    assert isinstance(section, Section)
    (table,) = section.blocks
    assert isinstance(table, Table)
    assert isinstance(table.table, TableRows)
    assert table.table.header == ("Model", "Δ AUC", "p", "Δ Brier score", "p")
    assert table.note.startswith("AUC: DeLong.")
    assert "DeLong's test for the AUC" in methods_text(results)
