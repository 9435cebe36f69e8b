"""A study with a signature, from its file to its report; mistakes in [[signatures]] are named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from omics.errors import StudyError
from reports.blocks import Figure, FigureGrid, Section, Table, Text
from reports.figures.score_by_outcome import draw_score_by_outcome
from reports.figures.signature_deviance import draw_signature_deviance
from reports.figures.signature_path import draw_signature_path
from reports.figures.waterfall import draw_waterfall
from reports.html import render
from reports.jupyter import drawn
from reports.methods import methods_text
from reports.report import write_report
from reports.results import Results
from reports.sections import page_of
from reports.study import compute, load_cohort
from reports.study_file import Study, parse_study, read_study
from reports.tables import TableRows
from tests.browser import needs_browser, visit
from tests.made_up_tables import (
    PENALTIES,
    score_by_outcome_table,
    signature_deviance_table,
    signature_path_table,
    waterfall_table,
)
from tests.signature_study import N_PATIENTS, RADSCORE, signature_study
from tests.small_study import SmallStudy


def computed(study: SmallStudy) -> Results:
    read = read_study(study.write())
    return compute(read, load_cohort(read), n_jobs=1)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return computed(signature_study(tmp_path_factory.mktemp("survival")))


@pytest.fixture(scope="module")
def folder(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report") / "out"
    write_report(results, place)
    return place


def section(results: Results) -> Section:
    found = next(part for part in page_of(results).sections if part.id == "signatures")
    return found.sections[0]


def titles(part: Section) -> list[str]:
    return [b.title for b in part.blocks if isinstance(b, Figure | FigureGrid | Table)]


# the study file -------------------------------------------------------------------------------


def parsed(change: Callable[[dict[str, Any]], object]) -> Study:
    content = signature_study(Path()).content
    change(content)
    return parse_study(content, folder=Path(), source="study.toml")


def test_defaults_are_those_of_the_field() -> None:
    study = parsed(lambda c: c.update(signatures=[{"name": "Radscore", "predictors": ["rna:*"]}]))
    (spec,) = study.signatures
    assert (spec.mix, spec.rule, spec.folds) == (1.0, "1se", 10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c["models"][1].update(predictors=["signature:Radscor"]),
            "takes 'signature:Radscor', which no .*declares. Did you mean 'signature:Radscore'",
        ),
        (
            lambda c: c["models"][1].update(predictors=["clinical:Age"]),
            r"\[\[signatures\]\] 'Radscore' is declared, but no model takes it",
        ),
        (lambda c: c.pop("signatures"), "'signature:Radscore', which no"),
        (lambda c: c.update(signatures=[RADSCORE, RADSCORE]), "'Radscore' comes twice"),
        (
            lambda c: c.update(signatures=[RADSCORE | {"rul": "min"}]),
            r"\[\[signatures\]\] Radscore: unknown key 'rul'. Did you mean 'rule'",
        ),
        (
            lambda c: c.update(signatures=[RADSCORE | {"rule": "mini"}]),
            r"\[\[signatures\]\] Radscore rule: must be '1se' or 'min', but 'mini' came. Did you",
        ),
        (lambda c: c.update(signatures=[RADSCORE | {"mix": 0}]), "Radscore mix: .*greater than 0"),
        (
            lambda c: c.update(signatures=[RADSCORE | {"predictors": ["factors:F1"]}]),
            "must be columns of the tables, but 'factors:F1'",
        ),
        (
            lambda c: c.update(signatures=[RADSCORE | {"predictors": ["radiomcs:*"]}]),
            r"no section \[tables.radiomcs\]. Did you mean 'radiomics'",
        ),
        (lambda c: c.update(signatures=RADSCORE), r"write \[\[signatures\]\], with two brackets"),
        (
            lambda c: c["tables"].update(signature=c["tables"].pop("rna")),
            r"\[tables.signature\] must have another name",
        ),
    ],
)
def test_a_mistake_is_named(change: Callable[[dict[str, Any]], object], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        parsed(change)


def test_features_that_do_not_exist_are_refused_before_anything_is_fitted(tmp_path: Path) -> None:
    study = signature_study(tmp_path)
    wrong = RADSCORE | {"predictors": ["radiomics:original_glcm_Featur0"]}
    study.content["signatures"] = [wrong]
    read = read_study(study.write())
    with pytest.raises(StudyError, match=r"\[\[signatures\]\] Radscore: .*Feature0"):
        load_cohort(read)
    study.content["signatures"] = [RADSCORE | {"predictors": ["followup:Months"]}]
    read = read_study(study.write())
    with pytest.raises(StudyError, match=r"\[\[signatures\]\] Radscore: .*followup:Months"):
        load_cohort(read)


# the report -----------------------------------------------------------------------------------


def test_section_shows_the_signature(results: Results) -> None:
    part = section(results)
    assert part.title == "Radscore"
    assert titles(part) == [
        *("How the penalty was chosen.", "Coefficients.", "Selection frequency."),
        *("Waterfall.", "Score by outcome."),
    ]
    signature = results.signatures["Radscore"].signature
    formula = next(b for b in part.blocks if isinstance(b, Text) and b.heading == "Formula")
    assert formula.text == signature.formula
    table = next(b.table for b in part.blocks if isinstance(b, Table))
    assert isinstance(table, TableRows)
    assert table.header == (
        *("Feature", "Coefficient (per unit)", "Per standard deviation", "Selected in resamples"),
    )
    assert len(table.rows) == len(signature.coef_)
    share = results.validation.selection.set_index(["model", "feature"])["share"]
    first = signature.coef_["feature"].iloc[0]
    assert table.rows[0][3] == f"{100 * share['Combined', first]:.0f}%"


def test_methods_tell_the_settings(results: Results) -> None:
    signature = results.signatures["Radscore"].signature
    text = next(p for p in methods_text(results).split("\n\n") if p.startswith("Radscore."))
    for words in (
        *("LASSO Cox regression (Breslow's ties)", "least deviance in 5-fold", "seed 3"),
        *(f"λ = {signature.lambda_:.3g}, {len(signature.coef_)} feature", "cross-fitted scores"),
    ):
        assert words in text


def test_files_hold_the_numbers_and_no_ids(results: Results, folder: Path) -> None:
    signature = results.signatures["Radscore"].signature
    read = {
        name: pd.read_csv(folder / "tables" / f"signature_{name}.csv")
        for name in (
            *("Radscore", "path_Radscore", "deviance_Radscore", "scores_Radscore"),
            *("by_outcome_Radscore", "selection"),
        )
    }
    pd.testing.assert_frame_equal(read["Radscore"], signature.coef_, check_dtype=False)
    pd.testing.assert_frame_equal(read["path_Radscore"], signature.path_, check_dtype=False)
    assert len(read["scores_Radscore"]) == N_PATIENTS
    assert read["selection"]["resamples"].unique().tolist() == [3]
    private = pd.read_csv(folder / "private" / "predictions.csv").set_index("patient")
    combined = private[private["model"] == "Combined"]["signature:Radscore"]
    expected = signature.cross_fitted_.iloc[:, 0]
    np.testing.assert_allclose(combined.loc[expected.index], expected)
    for path in folder.rglob("*"):
        if path.is_file() and path.parent.name != "private" and path.name != "passport.zip":
            assert "PAT-QX-" not in path.read_text(encoding="utf-8")


def test_the_nomogram_has_an_axis_of_the_signature(results: Results) -> None:
    axes = results.nomograms["Combined"].table["axis"].unique()
    assert "signature:Radscore" in axes


@needs_browser
def test_a_browser_draws_every_figure(folder: Path) -> None:
    seen = visit(folder / "report.html")
    assert seen.console == []
    assert seen.requests == []
    assert 'id="signatures"' in seen.dom


def test_a_notebook_draws_a_signature_alone(results: Results) -> None:
    part = drawn(results.signatures["Radscore"].signature)
    assert isinstance(part, Section)
    assert titles(part) == ["How the penalty was chosen.", "Coefficients."]


def test_a_binary_study_goes_the_same_way(tmp_path: Path) -> None:
    results = computed(signature_study(tmp_path, kind="binary"))
    assert results.signatures["Radscore"].signature.kind_ == "binary"
    assert titles(section(results))[-2:] == ["Waterfall.", "Score by outcome."]
    assert "LASSO logistic regression" in methods_text(results)


def test_a_signature_of_nothing_is_told_in_the_report(tmp_path: Path) -> None:
    study = signature_study(tmp_path, effect=0.0)
    study.content["signatures"] = [RADSCORE | {"rule": "1se", "predictors": ["rna:*"]}]
    results = computed(study)
    codes = {finding.code: finding for finding in results.findings}
    assert codes["nothing_selected"].severity == "serious"
    assert not [f for f in results.findings if "NothingSelectedWarning" in f.message]
    part = section(results)
    formula = next(b for b in part.blocks if isinstance(b, Text))
    assert "selected no feature" in formula.text
    assert "Waterfall." not in titles(part)
    terms = results.coefficients["Combined"]["term"].tolist()
    assert terms == ["clinical:Age"]


def test_a_model_of_a_signature_of_nothing_gives_everyone_one_risk(tmp_path: Path) -> None:
    study = signature_study(tmp_path, effect=0.0)
    study.content["signatures"] = [RADSCORE | {"rule": "1se", "predictors": ["rna:*"]}]
    study.content["models"] = [study.content["models"][0] | {"predictors": ["signature:Radscore"]}]
    results = computed(study)
    (name,) = results.coefficients
    assert results.coefficients[name].empty
    assert np.ptp(results.validation.apparent[name].risk, axis=0).max() == 0
    page = render(page_of(results))
    assert "No predictor is left" in page


# the figures ----------------------------------------------------------------------------------


def traces(figure: go.Figure, name: str) -> list[Any]:
    return [trace for trace in figure.data if trace.name == name]


def test_path_colours_what_is_kept_and_marks_both_rules() -> None:
    figure = draw_signature_path(signature_path_table(), penalties=PENALTIES)
    kept, other = figure.data[:2]
    assert kept.name == "a"
    assert kept.y == (0.0, 0.3, 0.5)
    assert kept.line.color != other.line.color
    assert "<script>" not in other.name
    for rule, penalty in PENALTIES.items():
        (mark,) = traces(figure, rule)
        assert mark.x == (penalty, penalty)
    low, high = figure.layout.xaxis.range
    assert low > np.log10(0.4) > np.log10(0.1) > high  # the penalty falls to the right


def test_deviance_has_its_standard_error_and_counts() -> None:
    figure = draw_signature_deviance(signature_deviance_table(), penalties=PENALTIES)
    points = figure.data[0]
    assert points.y == (1.3, 1.1, 1.0)
    assert points.error_y.array == (0.1, 0.1, 0.15)
    assert [note.text for note in figure.layout.annotations] == ["0", "1", "2"]
    assert [trace.name for trace in figure.data[1:]] == list(PENALTIES)


def test_waterfall_has_a_bar_per_patient() -> None:
    figure = draw_waterfall(waterfall_table(), title="Rad <b>", labels=("Censored", "Event"))
    assert traces(figure, "Censored")[0].x == (1,)
    assert traces(figure, "Event")[0].y == (0.0, 2.0)
    assert figure.layout.yaxis.title.text == "Rad &lt;b&gt;, from the median"


def test_boxes_go_from_quartile_to_quartile() -> None:
    table = score_by_outcome_table()
    figure = draw_score_by_outcome(table, title="S", labels=("Free", "Event"), unit="months")
    free, event = figure.data
    assert (free.name, event.name) == ("Free", "Event")
    assert free.x == ("12 months", "24 months")
    assert (free.q1, free.upperfence) == ((1.0, 1.0), (9.0, 9.0))
    binary = draw_score_by_outcome(
        table[:2].assign(horizon=np.nan), title="S", labels=("wt", "mutant")
    )
    assert [box.x for box in binary.data] == [("wt",), ("mutant",)]
    with pytest.raises(ValueError, match="must have the columns"):
        draw_score_by_outcome(table.drop(columns="q1"), title="S", labels=("a", "b"))
