"""What a reviewer of the statistics asked, and what the answer has to stay."""

from dataclasses import replace

import numpy as np
import pytest

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.findings import model_findings
from models.logistic import LogisticModel
from models.performance import performance
from models.pipeline import RiskPipeline, risk_pipeline
from models.regression import RIDGE_GRID
from models.validation import Plan, validate
from omics.cohort import Cohort
from omics.errors import Finding
from omics.outcome import rarer_class, survival_outcome
from tests.made_cohorts import made_cohort

PLAN = Plan(folds=3, repeats=1, bootstrap=0, draws=10)


# the optimism bootstrap -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["survival", "binary"])
def test_no_optimism_figure_where_columns_are_many_for_the_events(kind: str) -> None:
    # On noise (150 patients, 52 events, 300 columns, ridge by AIC) the optimism-corrected C was .83
    # and the AUC .86, where cross-validation gave .48 and .46.
    cohort = made_cohort(80, kind=kind, effect=0.0)
    model = CoxModel if kind == "survival" else LogisticModel
    found = validate(
        {
            "few": risk_pipeline(["clinical:*"], model(ridge="aic")),
            "many": risk_pipeline(["mri:*", "rna:*"], model(ridge=10.0)),
        },
        cohort,
        plan=replace(PLAN, bootstrap=3),
    )
    assert list(found.optimism) == ["few"]
    table = performance(found, thresholds=[0.5]).table
    corrected = table[table["validation"] == "optimism_corrected"]
    assert corrected["model"].unique().tolist() == ["few"]
    assert set(found.failures.query("validation == 'optimism_corrected'")["model"]) == {"few"}


def test_optimism_needs_five_events_per_column() -> None:
    cohort = made_cohort(60)
    events = cohort.y["event"].copy()
    fitted = risk_pipeline(["clinical:*"], CoxModel()).fit(cohort.X, cohort.y)  # three columns
    for n_events, expected in ((15, True), (14, False)):
        y = cohort.y.copy()
        y["event"] = False
        y["event"][np.flatnonzero(events)[:n_events]] = True
        assert fitted.bootstrap_is_valid(y) == expected
    rare = np.arange(60) >= 14  # the rarer class counts, be it the positive or the other
    assert not fitted.bootstrap_is_valid(rare)
    assert not fitted.bootstrap_is_valid(~rare)
    assert not risk_pipeline(["mri:*"], BoostedModel()).bootstrap_is_valid(cohort.y)


# findings -------------------------------------------------------------------------------------


def findings_of(pipeline: RiskPipeline, cohort: Cohort) -> dict[str, Finding]:
    validation = validate({"model": pipeline}, cohort, plan=PLAN)
    figures = performance(validation, thresholds=[0.5])
    return {item.code: item for item in model_findings(validation, figures, cohort)}


def cut_at(cohort: Cohort, *, last: float, where: str) -> Cohort:
    """End the follow-up of a part of the cohort at `last`."""
    y, rows = cohort.y.copy(), cohort.group.to_numpy() == where
    late = rows & (y["time"] >= last)
    y["event"][late] = False
    y["time"][late] = last
    return replace(cohort, y=y)


AGE = ["clinical:Age"]


def test_few_external_events_are_named() -> None:
    cohort = made_cohort(150, external=50, effect=1.5)
    found = findings_of(risk_pipeline(AGE, CoxModel()), cohort)["few_external_events"]
    events = cohort.external["elsewhere"].n_events
    assert found.where == "elsewhere"
    assert f"{events} events among 50 patients" in found.message
    assert "100" in found.message


def test_the_rarer_class_of_an_external_cohort_counts() -> None:
    cohort = made_cohort(400, external=250, kind="binary", effect=1.0)
    y = cohort.y.copy()
    y[cohort.group.to_numpy() != "development"] = np.arange(250) >= 20
    found = findings_of(risk_pipeline(AGE, LogisticModel()), replace(cohort, y=y))
    assert "20 patients in the rarer class among 250" in found["few_external_events"].message


def test_enough_external_events_give_no_finding() -> None:
    cohort = made_cohort(400, external=250, effect=1.5)
    assert cohort.external["elsewhere"].n_events >= 100
    assert "few_external_events" not in findings_of(risk_pipeline(AGE, CoxModel()), cohort)


@pytest.mark.parametrize("where", ["development", "elsewhere"])
def test_follow_up_that_ends_at_the_horizon_is_named(where: str) -> None:
    cohort = cut_at(made_cohort(150, external=50), last=12.0, where=where)
    found = findings_of(risk_pipeline(AGE, CoxModel()), cohort)["few_at_risk"]
    assert f"0 of {(cohort.group == where).sum()} patients of {where}" in found.message
    assert "12 months" in found.message


def test_trees_that_tell_nothing_are_named() -> None:
    cohort = made_cohort(120, effect=0.0, seed=2)
    pipeline = risk_pipeline(["mri:*"], BoostedModel(n_rounds=20))
    assert pipeline.fit(cohort.X, cohort.y).model.slope_ == 0
    found = findings_of(pipeline, cohort)["trees_tell_nothing"]
    assert found.severity == "serious"
    assert "every patient gets the same risk" in found.message


def test_a_negative_slope_is_not_called_too_extreme() -> None:
    cohort = cut_at(made_cohort(100, external=40), last=12.0, where="development")
    found = findings_of(risk_pipeline(["clinical:*"], CoxModel()), cohort)["overfit"]
    assert "-0." in found.message
    assert "wrong way" in found.message


@pytest.mark.parametrize("n_patients", [3, 12])
def test_a_tiny_external_cohort_breaks_nothing(n_patients: int) -> None:
    cohort = made_cohort(90 + n_patients, external=n_patients)
    found = findings_of(risk_pipeline(AGE, CoxModel()), cohort)
    assert found["few_external_events"].severity == "serious"


# the ridge chosen by AIC ----------------------------------------------------------------------


def noise(kind: str, n_columns: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    X, time = rng.normal(size=(120, n_columns)), rng.exponential(10, 120)
    event = rng.random(120) < 0.4
    return X, survival_outcome(time, event) if kind == "survival" else event


@pytest.mark.parametrize("kind", ["survival", "binary"])
@pytest.mark.parametrize("n_columns", [40, 250])
def test_aic_leaves_three_events_for_each_effective_parameter(kind: str, n_columns: int) -> None:
    # With 300 columns and 70 events AIC alone took 107 effective parameters: the likelihood of a
    # saturated model is 1, which no penalty on parameters makes up for. New-patient slope: .01
    # (with the bound 1.6); with 60 columns .33 (1.2).
    X, y = noise(kind, n_columns)
    model = (CoxModel if kind == "survival" else LogisticModel)(ridge="aic").fit(X, y)
    assert 0 < 3 * model.effective_parameters_ <= rarer_class(y)


def test_aic_takes_the_largest_penalty_where_none_leaves_enough_events() -> None:
    X, y = noise("survival", 250)
    y["event"][np.flatnonzero(y["event"])[4:]] = False
    model = CoxModel(ridge="aic").fit(X, y)
    assert model.ridge_ == pytest.approx(4 * RIDGE_GRID[-1])
