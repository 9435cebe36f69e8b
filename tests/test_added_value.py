"""From `[added_value]` and `subgroups` in the study file to sections, files and messages."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from omics.errors import StudyError
from reports.added_value_sections import added_value_section
from reports.blocks import Figure, FigureGrid, Table, Text
from reports.figures.differences import draw_differences
from reports.figures.subgroups import draw_subgroups
from reports.html import render
from reports.jupyter import drawn
from reports.methods import methods_text
from reports.results import Results
from reports.sections import page_of
from reports.study import build_pipelines, compute, load_cohort
from reports.study_file import Study, read_study
from reports.subgroup_sections import subgroups_section
from reports.tables import TableRows
from tests.small_study import SmallStudy, binary_study, small_study

ADDED: dict[str, Any] = {
    "clinical": ["clinical:Age", "clinical:Sex"],
    "radiomics": ["radiomics:original_*"],
    "ridge": {"Radiomics": "aic", "Combined": "aic"},
    "thresholds": [0.2, 0.4],
}
SUBGROUPS: dict[str, Any] = {"clinical:Sex": "levels", "clinical:Age": [50]}


def with_added_value(folder: Path, **changes: Any) -> SmallStudy:
    study = small_study(folder)
    study.content["models"][0]["name"] = "Age"
    study.content["models"][0]["predictors"] = ["clinical:Age"]
    study.content["added_value"] = {**ADDED, **changes}
    study.content["report"] = {"subgroups": SUBGROUPS, "subgroup_models": ["Clinical"]}
    return study


def loaded(study: SmallStudy) -> Study:
    found = read_study(study.write())
    load_cohort(found)
    return found


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("study")
    study = read_study(with_added_value(folder).write())
    told: list[str] = []
    found = compute(
        study, load_cohort(study), n_jobs=1, progress=lambda what, *_: told.append(what)
    )
    assert {"paired differences", "subgroups"} <= set(told)
    return found


# the study file -------------------------------------------------------------------------------


def test_the_section_adds_a_model_per_kind_of_table_and_one_of_all(tmp_path: Path) -> None:
    study = loaded(with_added_value(tmp_path, splines={"clinical:Age": 3}, nomograms=["Clinical"]))
    pipelines = build_pipelines(study)
    assert list(pipelines) == ["Clinical", "Radiomics", "Combined", "Age"]
    assert pipelines["Combined"].design.predictors == [*ADDED["clinical"], *ADDED["radiomics"]]
    assert [p.model.ridge for p in pipelines.values()] == [0.0, "aic", "aic", 0.0]  # type: ignore[union-attr]
    assert pipelines["Radiomics"].design.splines is None
    assert pipelines["Clinical"].design.splines == {"clinical:Age": 3}
    assert [model.name for model in study.every_model if model.nomogram] == ["Clinical", "Age"]


def test_a_study_needs_no_other_model(tmp_path: Path) -> None:
    study = with_added_value(tmp_path)
    del study.content["models"]
    assert list(build_pipelines(loaded(study))) == ["Clinical", "Radiomics", "Combined"]
    del study.content["added_value"]
    with pytest.raises(StudyError, match=r"no model is declared: write a section \[\[models\]\]"):
        loaded(study)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": "clinical"}, r"'clinical' is none of 4. Did you mean 'Clinical'"),
        ({"thresholds": [0.4, 0.2]}, "thresholds must rise between 0 and 1"),
        ({"thresholds": []}, "thresholds must rise between 0 and 1"),
        ({"categories": [0.2]}, "reclassification = true is not"),
        ({"reclassification": True, "categories": [0.4, 0.2]}, "categories must rise"),
        ({"nomograms": ["Molecular"]}, "nomograms must name models that this section adds"),
        ({"ridge": {"Age": 1.0}}, "ridge must name models that this section adds, but 'Age'"),
        ({"ridge": -1.0}, "ridge must not be negative"),
        (
            {"clinical": ["clinical:Aeg"]},
            r"\[added_value\] Clinical: .*Did you mean 'clinical:Age'",
        ),
        ({"splines": {"clinical:Grade": 3}}, "none of the section's predictors"),
        ({"molecular": ["rna:*"]}, r"no section \[tables.rna\]"),
        ({"molecular": ["factors:*"]}, "takes factors, but the study has no section"),
        ({"genes": ["clinical:Age"]}, "unknown key 'genes'"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        loaded(with_added_value(tmp_path, **changes))


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    study = with_added_value(tmp_path)
    study.content["models"][0]["name"] = "Combined"
    with pytest.raises(
        StudyError, match=r"adds a model 'Combined', but .*declares one of that name"
    ):
        loaded(study)


@pytest.mark.parametrize(
    ("subgroups", "message"),
    [
        ({"clinical:Gender": "levels"}, r"subgroups must name columns .*'clinical:Gender' is none"),
        ({"clinical:age": [50]}, "Did you mean 'clinical:Age'"),
        ({"clinical:Age": [60, 50]}, "must be rising numbers"),
        ({"clinical:Age": "levels"}, "Give cuts, such as"),
        ({"clinical:Age": "half"}, r"\[report\] subgroups clinical:Age: must be 'levels'"),
        ({"Age": [50]}, "a column is named with its table"),
    ],
)
def test_subgroups_that_cannot_be_made_are_named(
    tmp_path: Path, subgroups: dict[str, Any], message: str
) -> None:
    study = with_added_value(tmp_path)
    study.content["report"]["subgroups"] = subgroups
    with pytest.raises(StudyError, match=message):
        loaded(study)


def test_a_subgroup_named_twice_is_no_toml(tmp_path: Path) -> None:
    path = with_added_value(tmp_path).write()
    text = path.read_text(encoding="utf-8")
    twice = text.replace('{ "clinical:Sex"', '{ "clinical:Age" = [40], "clinical:Sex"')
    assert twice != text
    path.write_text(twice, encoding="utf-8")
    with pytest.raises(StudyError, match="cannot be read as TOML"):
        read_study(path)


def test_an_unknown_model_of_the_subgroups_is_named(tmp_path: Path) -> None:
    study = with_added_value(tmp_path)
    study.content["report"]["subgroup_models"] = ["clinical"]
    found = read_study(study.write())
    with pytest.raises(StudyError, match=r"'clinical' is none of 5. Did you mean 'Clinical'"):
        compute(found, load_cohort(found), n_jobs=1)


# results --------------------------------------------------------------------------------------


def test_tumour_volume_is_validated_with_the_others(results: Results) -> None:
    added = results.added_value
    assert added is not None
    assert added.volume == "radiomics:original_shape_VoxelVolume"
    assert list(results.coefficients) == [
        "Clinical",
        "Radiomics",
        "Combined",
        "Age",
        "Tumour volume",
    ]
    assert set(added.comparison.table["model"]) == set(results.coefficients) - {"Clinical"}
    assert added.comparison.reference == "Clinical"
    assert set(added.correlations["name"]) == {"Clinical", "Radiomics", "Combined", "Age"}
    tests = added.comparison.likelihood_ratio.set_index("model")
    assert tests.loc["Age", "larger"] == "Clinical"
    assert np.isfinite(tests.loc["Age", "chi2"])
    assert tests.loc["Combined", "reason"] == "Combined has a ridge penalty"
    assert set(added.lost["model"]) == set(results.coefficients)
    assert results.subgroups is not None
    assert set(results.subgroups.table["model"]) == {"Clinical"}


def cells(rows: Table) -> list[list[str]]:
    assert isinstance(rows.table, TableRows)
    return [list(row) for row in rows.table.rows]


def test_the_section_shows_figures_beside_differences(results: Results) -> None:
    assert results.added_value is not None
    section = added_value_section(results.added_value, results.performance)
    text, grid, table, curve, lost = section.blocks
    assert isinstance(text, Text)
    assert isinstance(grid, FigureGrid)
    assert isinstance(table, Table)
    assert isinstance(curve, Figure)
    assert curve.title == "Differences of decision curves."
    assert isinstance(lost, Table)
    titles = [panel.title for panel in grid.panels]
    assert titles[::2] == ["C-index", "Brier score at 24 months", "Net benefit at 20%, 24 months"]
    assert titles[1::2] == ["Less that of Clinical"] * 3
    assert "original_shape_VoxelVolume alone" in text.text
    head, clinical, radiomics = cells(table)[:3]
    assert head[0] == "Development (out of fold)"
    assert clinical[0] == "  Clinical"
    assert clinical[2:6] == ["–"] * 4  # the reference differs from itself by nothing
    row = results.added_value.comparison.table.query("model == 'Radiomics' and metric == 'c_index'")
    assert radiomics[2].startswith(f"{row['difference'].item():.3f}".replace("-", "\N{MINUS SIGN}"))
    assert "Not given: Radiomics has a ridge penalty; Combined has a ridge penalty" in table.note
    assert ["Combined", "any of them", "10", "0 of 60", "60 of 60", "–"] in cells(lost)


def test_the_subgroup_section_counts_every_level(results: Results) -> None:
    assert results.subgroups is not None
    part = subgroups_section(results.subgroups).sections[0]
    grid, table = part.blocks
    assert isinstance(grid, FigureGrid)
    assert isinstance(table, Table)
    counts: dict[str, int] = {}
    group = ""
    for level, patients, *_ in cells(table):
        group = group if level.startswith("  ") else level
        counts[group] = counts.get(group, 0) + int(patients or 0)
    assert counts == {"Sex, development (out of fold)": 60, "Age, development (out of fold)": 60}


def test_page_methods_and_notebook_hold_both(results: Results) -> None:
    page = page_of(results)
    assert [s.id for s in page.sections if s.id in ("added-value", "subgroups")] == [
        *("added-value", "subgroups")
    ]
    assert 'id="added-value"' in render(page)
    text = methods_text(results)
    assert "net benefit at thresholds of 20%, 40%" in text
    assert "likelihood-ratio test" in text
    assert "computed by Sex, Age" in text
    assert results.added_value is not None
    assert drawn(results.added_value.comparison).id == "added-value"
    assert drawn(results.subgroups).title == "Centres and subgroups"


def test_the_files_hold_every_number(tmp_path: Path) -> None:
    study = with_added_value(tmp_path)
    assert study.run().exit_code == 0
    folder = study.out / "tables"
    added = pd.read_csv(folder / "added_value.csv")
    assert set(added["threshold"].dropna()) == {0.2, 0.4}
    for name in ("added_value_likelihood", "added_value_lost", "added_value_volume", "subgroups"):
        assert len(pd.read_csv(folder / f"{name}.csv"))


def test_a_binary_outcome_has_no_horizons(tmp_path: Path) -> None:
    study = binary_study(tmp_path)
    study.content["models"][0]["name"] = "Age"
    study.content["added_value"] = ADDED
    study.content["report"] = {"subgroups": {"clinical:Sex": "levels"}, "subgroup_models": ["Age"]}
    found = read_study(study.write())
    results = compute(found, load_cohort(found), n_jobs=1)
    assert results.added_value is not None
    grid, table = added_value_section(results.added_value, results.performance).blocks[1:3]
    assert isinstance(grid, FigureGrid)
    assert isinstance(table, Table)
    assert [panel.title for panel in grid.panels][::2] == [
        *("AUC", "Brier score", "Net benefit at 20%")
    ]
    assert cells(table)[1][1] != "–"
    assert results.subgroups is not None
    assert len(subgroups_section(results.subgroups).sections) == 1


# figures --------------------------------------------------------------------------------------


def test_differences_keep_the_order_of_models_and_leave_the_reference_empty() -> None:
    table = pd.DataFrame(
        {
            "model": ["B <i>", "C"], "cohort": "development", "validation": "cross_validated",
            "metric": "c_index", "difference": [0.1, -0.1], "lower": [0.0, -0.2],
            "upper": [0.2, 0.0],
        }
    )  # fmt: skip
    figure = draw_differences(table, models=["A", "B <i>", "C"], title="Difference")
    assert list(figure.layout.yaxis.ticktext) == ["A", "B &lt;i&gt;", "C"]
    assert list(figure.data[0].y) == [1, 2]
    assert figure.layout.shapes[0].x0 == 0
    with pytest.raises(ValueError, match="1 come again"):
        draw_differences(pd.concat([table, table.head(1)]), models=["A"], title="Difference")


def subgroup_rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "subgroup": ["Sex", "Sex", "Age <b>"], "subgroup_level": ["f", "m", "old"],
            "cohort": "development", "validation": "cross_validated", "metric": "c_index",
            "estimate": [0.7, np.nan, 0.6], "lower": [0.6, np.nan, 0.5],
            "upper": [0.8, np.nan, 0.7], "n_patients": [30, 9, 39], "n_events": [20, 4, 24],
        }
    )  # fmt: skip


def test_subgroups_show_their_counts_where_a_figure_is_not_given() -> None:
    figure = draw_subgroups(subgroup_rows())
    assert isinstance(figure, go.Figure)
    words = dict(zip(figure.layout.yaxis.tickvals, figure.layout.yaxis.ticktext, strict=True))
    assert words[0] == "<b>Sex</b>"
    assert words[3] == "<b>Age &lt;b&gt;</b>"
    assert words[2].startswith("m  <span")
    assert "4/9" in words[2]
    assert list(figure.data[0].y) == [1, 2, 4]
    with pytest.raises(ValueError, match="3 come again"):
        draw_subgroups(pd.concat([subgroup_rows()] * 2))
