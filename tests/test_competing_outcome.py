"""A competing event, from the study file to the page: described, and censoring to every model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.competing_description import competing_description
from models.competing_risks import cumulative_incidence, incidence_estimates
from models.cox import CoxModel
from models.gray import gray_test
from models.pipeline import risk_pipeline
from models.validation import Plan, Validation, validate
from omics.cohort import DEVELOPMENT, Cohort
from omics.errors import StudyError
from omics.outcome import SurvivalSpec
from omics.outcome_columns import outcome_cause, outcome_findings, read_outcome
from omics.tables import View
from reports.blocks import Block, FigureGrid, Table, Text
from reports.competing_section import cause_names, competing_group_blocks
from reports.html import render
from reports.methods import methods_text
from reports.report import write_report
from reports.results import Results
from reports.sections import page_of
from reports.study import compute, load_cohort
from reports.study_file import read_study
from reports.tables import TableRows, format_estimate, format_p_value
from tests.made_cohorts import made_cohort
from tests.made_views import ids, made_view
from tests.small_study import small_study

# ---- the outcome --------------------------------------------------------------------------------


def spec(**changes: object) -> SurvivalSpec:
    declared = {
        "time": "followup:months",
        "event": "followup:status",
        "event_value": "relapse",
        "competing_value": "death",
        "unit": "months",
        "horizons": [12],
    }
    return SurvivalSpec.model_validate(declared | changes)


def view(status: list[object]) -> View:
    months = list(range(1, len(status) + 1))
    reserved = {"months": months, "status": status}
    return made_view("followup", ids(len(status)), features={}, reserved=reserved)


def test_a_competing_event_is_neither_event_nor_lost() -> None:
    status: list[object] = ["relapse", "death", "alive", None, "death"]
    known = read_outcome(spec(), [view(status)])
    assert known["event"].tolist() == [True, False, False, False, False]
    assert known["competing"].tolist() == [False, True, False, False, True]
    assert known["reason"].tolist() == ["", "", "", "event unknown", ""]
    cause = outcome_cause(spec(), known[known["reason"] == ""])
    assert cause is not None
    assert cause.tolist() == [1, 2, 0, 2]
    assert spec().describe().competing_label == "death"


def test_codes_and_several_values() -> None:
    codes: list[object] = [0, 1, 2, 3, "9"]
    declared = spec(event_value=1, censored_value=0, competing_value=[2, 3])
    known = read_outcome(declared, [view(codes)])
    assert known["competing"].tolist() == [False, False, True, True, False]
    assert known["reason"].tolist()[4] == "event is '9', not declared"
    assert declared.describe().competing_label == "2 or 3"


def test_in_another_hospital_nobody_need_have_had_it() -> None:
    known = read_outcome(spec(), [view(["relapse", "alive"])], external=True)
    assert known["event"].tolist() == [True, False]
    assert not known["competing"].any()
    with pytest.raises(StudyError, match="censored_value must be stated where"):  # a misspelt one
        read_outcome(spec(), [view(["relapse", "alive", "Tod"])], external=True)
    with pytest.raises(StudyError, match="event_value must occur"):
        read_outcome(spec(), [view(["alive", "alive"])], external=True)


def test_none_declared_is_as_before() -> None:
    declared = spec(competing_value=None)
    known = read_outcome(declared, [view(["relapse", "alive", "alive"])])
    assert not known["competing"].any()
    assert outcome_cause(declared, known) is None
    assert outcome_findings(declared, known, []) == []


@pytest.mark.parametrize(
    ("status", "changes", "message"),
    [
        (["relapse", "alive"], {}, "competing_value must occur in column 'status'.*'death' does"),
        (
            ["relapse", "alive", "death"],
            {"competing_value": ["relapse", "death"]},
            "event_value and competing_value must differ, but share values of column 'status'",
        ),
        (
            ["relapse", "alive", "death"],
            {"censored_value": ["alive", "death"]},
            "censored_value and competing_value must differ",
        ),
        (["relapse", "alive", "death", "lost"], {}, "censored_value must be stated where"),
    ],
)
def test_wrong_declarations_are_named(
    status: list[object], changes: dict[str, object], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        read_outcome(spec(**changes), [view(status)])


def test_a_finding_says_what_models_make_of_it() -> None:
    status: list[object] = ["relapse", "death", "alive", None, "death"]
    known = read_outcome(spec(), [view(status)])
    (finding,) = outcome_findings(spec(), known, [])
    assert (finding.code, finding.severity) == ("competing_event", "caution")
    assert finding.message.startswith("2 of 4 patients had another event first (death). Models")


# ---- the description ----------------------------------------------------------------------------


def with_cause(cohort: Cohort) -> Cohort:
    """Every third of the censored died of something else."""
    cause = cohort.y["event"].astype(int)
    censored = np.flatnonzero(cause == 0)
    cause[censored[::3]] = 2
    outcome = replace(cohort.outcome, competing_label="other")
    return replace(cohort, cause=pd.Series(cause, cohort.X.index, name="cause"), outcome=outcome)


@pytest.fixture(scope="module")
def validated() -> tuple[Validation, Cohort]:
    cohort = with_cause(made_cohort(160, external=50))
    pipelines = {"Cox": risk_pipeline(["clinical:Age", "mri:f0"], CoxModel())}
    plan = Plan(folds=3, repeats=1, bootstrap=0, draws=20, quantiles=(1 / 3, 2 / 3), level=0.9)
    return validate(pipelines, cohort, plan=plan), cohort


def test_the_cause_goes_with_its_patients() -> None:
    cohort = with_cause(made_cohort(40, external=10))
    assert cohort.cause is not None
    taken = cohort.take([3, 3, 0])
    assert taken.cause is not None
    assert taken.cause.tolist() == cohort.cause.iloc[[3, 3, 0]].tolist()
    with pytest.raises(ValueError, match="one row per patient"):
        Cohort(
            X=cohort.X,
            y=cohort.y,
            outcome=cohort.outcome,
            group=cohort.group,
            cause=cohort.cause.head(3),
        )


def test_cohorts_from_files_bring_their_causes() -> None:
    status: list[object] = ["relapse", "death", "alive", "relapse"]
    here, there = (
        Cohort.join(
            [
                made_view(
                    "followup",
                    [f"{place}{i}" for i in range(4)],
                    features={"age": [40.0, 50, 60, 70]},
                    reserved={"months": [1, 2, 13, 14], "status": status},
                )
            ],
            outcome=spec(),
        )
        for place in ("A", "B")
    )
    joined = here.with_external("there", there)
    assert joined.cause is not None
    assert joined.cause.tolist() == 2 * [1, 2, 0, 1]
    assert joined.y["event"].tolist() == 2 * [True, False, False, True]
    assert joined.outcome.competing_label == "death"
    assert replace(here, cause=None).with_external("there", there).cause is None


def test_models_do_not_know_of_it(validated: tuple[Validation, Cohort]) -> None:
    validation, _ = validated
    plain = validate(
        {"Cox": risk_pipeline(["clinical:Age", "mri:f0"], CoxModel())},
        made_cohort(160, external=50),
        plan=validation.plan,
    )
    ours, theirs = (v.fitted["Cox"].pipeline.model.coef_ for v in (validation, plain))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("where", [DEVELOPMENT, "elsewhere"])
def test_everything_is_of_its_own_function(
    validated: tuple[Validation, Cohort], where: str
) -> None:
    validation, cohort = validated
    found = competing_description(validation, cohort)
    assert found is not None
    assert cohort.cause is not None
    here = (cohort.group == where).to_numpy()
    time, cause = cohort.y["time"][here], cohort.cause.to_numpy()[here]
    alone = cumulative_incidence(time, cause, level=0.9)
    for table, expected in (
        (found.cohorts.table, alone.table),
        (found.cohort_estimates, incidence_estimates(alone, [6, 12])),
    ):
        own = table[table["group"] == where].drop(columns="group").reset_index(drop=True)
        pd.testing.assert_frame_equal(own, expected.drop(columns="group"))
    if where == DEVELOPMENT:
        group = validation.out_of_fold["Cox"].group[0]
    else:
        predicted = validation.external[where]["Cox"].linear_predictor
        group = np.searchsorted(validation.fitted["Cox"].cut_points, predicted, side="right")
    expected = incidence_estimates(
        cumulative_incidence(time, cause, group=group, level=0.9), [6, 12]
    )
    own = found.estimates[found.estimates["cohort"] == where]
    pd.testing.assert_frame_equal(own[expected.columns].reset_index(drop=True), expected)
    for of in (1, 2):
        row = found.tests[(found.tests["cohort"] == where) & (found.tests["cause"] == of)].iloc[0]
        test = gray_test(time, cause, group, of=of)
        assert (row["chi2"], row["df"], row["p_value"]) == (test.chi2, test.df, test.p_value)


def test_without_a_competing_event_there_is_no_description(
    validated: tuple[Validation, Cohort],
) -> None:
    assert competing_description(validated[0], made_cohort(160, external=50)) is None


# ---- a study ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    study = small_study(tmp_path_factory.mktemp("competing"))
    clinical = study.tables["clinical"]
    clinical["Centre"] = np.where(np.arange(len(clinical)) % 3 == 0, "B", "A")
    study.content["cohorts"] = {"column": "clinical:Centre", "development": "A", "external": "B"}
    status = study.tables["followup"]["Status"].astype(object).copy()
    alive = np.flatnonzero((status == "alive").to_numpy())
    status.iloc[alive[::2]] = "other"
    study.tables["followup"]["Status"] = status
    study.content["outcome"]["competing_value"] = "other"
    read = read_study(study.write())
    return compute(read, load_cohort(read), n_jobs=1)


def blocks(results: Results, kind: type[Block]) -> list[Any]:
    survival = next(part for part in page_of(results).sections if part.id == "survival")
    return [block for block in survival.blocks if isinstance(block, kind)]


def test_the_page_tells_and_the_files_hold_it(results: Results, tmp_path: Path) -> None:
    assert "competing_event" in [finding.code for finding in results.findings]
    assert any("Another event may come first (other)" in b.text for b in blocks(results, Text))
    write_report(results, tmp_path / "out")
    written = pd.read_csv(tmp_path / "out/tables/incidence.csv")
    (table,) = [b for b in blocks(results, Table) if b.title == "Cumulative incidence."]
    rows = table.table
    assert isinstance(rows, TableRows)
    assert [rows.rows[place][0] for place in rows.groups] == ["dead", "other"]
    first = written.query("cause == 2 and group == 'B'").iloc[-1]
    numbers = [100 * first[name] for name in ("estimate", "lower", "upper")]
    assert rows.rows[-1] == ("  B", rows.rows[-1][1], format_estimate(*numbers, digits=1))
    (grid,) = [b for b in blocks(results, FigureGrid) if b.title.startswith("Cumulative")]
    assert {trace.name for trace in grid.panels[0].figure.data} == {
        *("dead", "other", "development, at risk")
    }
    tables = {path.name for path in (tmp_path / "out/tables").iterdir()}
    assert {"gray_tests.csv", "risk_group_incidence.csv", "incidence_curves.csv"} <= tables
    assert "Gray's test. Models took the competing event as censoring" in methods_text(results)
    assert render(page_of(results))


def test_risk_groups_have_incidence_and_gray_s_p(results: Results) -> None:
    assert results.competing is not None
    grid, table = competing_group_blocks(results.competing, "Clinical")
    assert isinstance(grid, FigureGrid)
    assert isinstance(table, Table)
    assert isinstance(table.table, TableRows)
    tests = results.competing.tests.set_index(["cohort", "cause"])["p_value"]
    headings = [table.table.rows[place][0] for place in table.table.groups]
    assert headings[0] == f"Development: dead, Gray's p {format_p_value(tests['development', 1])}"
    assert headings[3] == f"B: other, Gray's p {format_p_value(tests['B', 2])}"
    assert list(competing_group_blocks(results.competing, "none")) == []


def test_a_code_is_no_name(results: Results) -> None:
    assert results.competing is not None
    assert cause_names(results.competing) == {1: "dead", 2: "other"}
    coded = replace(results.competing, names={1: "1", 2: "2"})
    assert cause_names(coded) == {1: "Event (1)", 2: "Competing event (2)"}
