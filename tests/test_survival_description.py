"""Follow-up and survival of cohorts: each figure is that of the function it comes from."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from models.cox import CoxModel
from models.follow_up import follow_up
from models.logistic import LogisticModel
from models.partial_likelihood import PartialLikelihood
from models.pipeline import risk_pipeline
from models.restricted_mean import restricted_mean
from models.survival_curves import kaplan_meier, survival_at
from models.survival_description import COLUMNS, StudySurvival, study_survival, survival_summary
from models.validation import Plan, Validation, validate
from omics.cohort import DEVELOPMENT, Cohort
from reports.survival_section import risk_group_blocks
from reports.tables import TableRows, format_p_value
from tests.description_reference import EVENT, GROUP, LABELS, TIME
from tests.made_cohorts import made_cohort

FOUND = survival_summary(TIME, EVENT, horizons=[24, 12], group=GROUP)


def of(measure: str) -> np.ndarray:
    return FOUND.table.query("measure == @measure")[["estimate", "lower", "upper"]].to_numpy()


def test_every_figure_is_that_of_its_function() -> None:
    names = ["median", "lower", "upper"]
    followed = follow_up(TIME, EVENT, group=GROUP).table
    np.testing.assert_array_equal(of("follow_up"), followed[names])
    np.testing.assert_array_equal(of("person_time")[:, 0], followed["person_time"])
    medians = kaplan_meier(TIME, EVENT, group=GROUP).medians
    np.testing.assert_array_equal(of("median"), medians[names])
    mean = restricted_mean(TIME, EVENT, horizon=24, group=GROUP).table
    np.testing.assert_array_equal(of("restricted_mean"), mean[["estimate", "lower", "upper"]])
    expected = [survival_at(TIME[k == GROUP], EVENT[k == GROUP], [12, 24]) for k in LABELS]
    np.testing.assert_allclose(of("survival")[:, 0], np.concatenate(expected), atol=1e-12)


def test_rows_stand_group_by_group_with_the_whole_groups_counts() -> None:
    assert list(FOUND.table.columns) == COLUMNS
    assert FOUND.table["group"].tolist() == [label for label in LABELS for _ in range(6)]
    sizes = FOUND.table.groupby("group")[["n_patients", "n_events"]].agg(["min", "max"])
    assert sizes["n_patients", "min"].tolist() == [(k == GROUP).sum() for k in LABELS]
    assert sizes["n_events", "max"].tolist() == [EVENT[k == GROUP].sum() for k in LABELS]
    assert repr(FOUND) == f"SurvivalSummary(3 groups, 110 patients, {EVENT.sum()} events)"


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="horizons must hold a time above zero, but none came"):
        survival_summary([1, 2], [1, 0], horizons=[])
    with pytest.raises(ValueError, match="horizons must be a time above zero, but -1 came"):
        survival_summary([1, 2], [1, 0], horizons=[-1])


# ---- of a study ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def validated() -> tuple[Validation, Cohort]:
    cohort = made_cohort(160, external=50)
    pipeline = risk_pipeline(["clinical:Age", "mri:f0"], CoxModel())
    plan = Plan(folds=3, repeats=1, bootstrap=0, draws=20, quantiles=(1 / 3, 2 / 3), level=0.9)
    return validate({"Cox": pipeline}, cohort, plan=plan), cohort


@pytest.fixture(scope="module")
def described(validated: tuple[Validation, Cohort]) -> StudySurvival:
    found = study_survival(*validated)
    assert found is not None
    return found


def groups_of(validated: tuple[Validation, Cohort], cohort: str) -> tuple[np.ndarray, np.ndarray]:
    """Give the outcome and the risk group of each patient, as the validation itself has them."""
    validation, everyone = validated
    if cohort == DEVELOPMENT:
        return everyone.development.y, validation.out_of_fold["Cox"].group[0]
    cuts = validation.fitted["Cox"].cut_points
    predicted = validation.external[cohort]["Cox"].linear_predictor
    return everyone.external[cohort].y, np.searchsorted(cuts, predicted, side="right")


def test_cohorts_of_a_study_are_groups_of_one_summary(
    validated: tuple[Validation, Cohort], described: StudySurvival
) -> None:
    cohort = validated[1]
    names = pd.Categorical(cohort.group, categories=[DEVELOPMENT, "elsewhere"])
    expected = survival_summary(
        cohort.y["time"], cohort.y["event"], horizons=[6, 12], group=names, level=0.9
    )
    pd.testing.assert_frame_equal(described.cohorts.table, expected.table)
    assert described.unit == "months"
    assert repr(described) == (
        f"StudySurvival(SurvivalSummary(2 groups, 160 patients, {cohort.n_events} events), "
        "1 models)"
    )


@pytest.mark.parametrize("where", [DEVELOPMENT, "elsewhere"])
def test_risk_groups_of_a_study_are_those_that_others_cut(
    validated: tuple[Validation, Cohort], described: StudySurvival, where: str
) -> None:
    y, group = groups_of(validated, where)
    assert set(group) == {0, 1, 2}
    expected = survival_summary(y["time"], y["event"], horizons=[6, 12], group=group, level=0.9)
    found = described.risk_groups.query("cohort == @where")
    assert set(found["validation"]) == {"cross_validated" if where == DEVELOPMENT else "external"}
    pd.testing.assert_frame_equal(found[COLUMNS].reset_index(drop=True), expected.table)
    mean = restricted_mean(y["time"], y["event"], horizon=12, group=group, level=0.9)
    contrasts = described.contrasts.query("cohort == @where")
    columns = list(mean.contrasts.columns)
    pd.testing.assert_frame_equal(contrasts[columns].reset_index(drop=True), mean.contrasts)


@pytest.mark.parametrize("where", [DEVELOPMENT, "elsewhere"])
def test_the_trend_is_that_of_the_score_test_of_the_group_number(
    validated: tuple[Validation, Cohort], described: StudySurvival, where: str
) -> None:
    y, group = groups_of(validated, where)
    row = described.trends.query("cohort == @where").iloc[0]
    # Tarone's trend is the score test of a Cox model of the number, but for tied times: here none.
    assert len(np.unique(y["time"][y["event"]])) == y["event"].sum()
    column = group[:, np.newaxis].astype(float)
    at_zero = PartialLikelihood.of(column, y["time"], y["event"])(np.zeros(1))
    score = at_zero.gradient.item() ** 2 / at_zero.information.item()
    assert row["chi2"] == pytest.approx(score, rel=1e-9)
    assert row["p_value"] == pytest.approx(float(chi2.sf(score, 1)), rel=1e-9)


def test_two_risk_groups_have_no_trend_and_a_class_no_survival() -> None:
    cohort = made_cohort(60)
    pipelines = {"Cox": risk_pipeline(["clinical:Age"], CoxModel())}
    plan = Plan(folds=2, repeats=1, bootstrap=0, draws=20)
    found = study_survival(validate(pipelines, cohort, plan=plan), cohort)
    assert found is not None
    assert list(found.trends.columns) == ["model", "cohort", "validation", "chi2", "p_value"]
    assert found.trends.empty
    binary = made_cohort(60, kind="binary")
    classes = {"Logistic": risk_pipeline(["clinical:Age"], LogisticModel())}
    assert study_survival(validate(classes, binary, plan=plan), binary) is None


def test_the_trend_is_printed_beside_its_cohort(described: StudySurvival) -> None:
    (table,) = risk_group_blocks(described, "Cox")
    assert isinstance(table.table, TableRows)
    headings = [table.table.rows[position][0] for position in table.table.groups]
    p_values = [format_p_value(p) for p in described.trends["p_value"]]
    assert headings == [
        f"Development, log-rank trend p {p_values[0]}",
        f"elsewhere, log-rank trend p {p_values[1]}",
    ]
    assert [row[-1] for row in table.table.rows].count("reference") == 2
