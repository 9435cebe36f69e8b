"""Each finding comes in the case made for it, and stays away where nothing is amiss."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.factor_findings import factor_findings
from models.findings import model_findings, ordered
from models.logistic import LogisticModel
from models.performance import Performance, performance
from models.pipeline import RiskPipeline, risk_pipeline
from models.validation import Plan, Validation, validate
from omics.cohort import Cohort
from omics.errors import Finding
from omics.mofa import FactorModel
from omics.outcome import survival_outcome
from tests.made_cohorts import made_cohort, with_outcome, with_table

PLAN = Plan(folds=3, repeats=1, bootstrap=0, draws=20)
AGE = ["clinical:Age"]
SOUND = ["clinical:Age", "mri:f0", "rna:f1"]


def validated(
    pipeline: RiskPipeline, cohort: Cohort, *, plan: Plan = PLAN
) -> tuple[Validation, Performance]:
    found = validate({"model": pipeline}, cohort, plan=plan)
    return found, performance(found, thresholds=[0.5])


def findings_of(pipeline: RiskPipeline, cohort: Cohort, *, plan: Plan = PLAN) -> dict[str, Finding]:
    """Findings by code; of each code one."""
    found = model_findings(*validated(pipeline, cohort, plan=plan), cohort)
    assert len({(f.code, f.message) for f in found}) == len(found)
    return {finding.code: finding for finding in found}


def test_a_sound_model_has_no_finding() -> None:
    cohort = made_cohort(400, effect=1.5, seed=2)
    assert findings_of(risk_pipeline(SOUND, CoxModel()), cohort) == {}
    binary = made_cohort(400, effect=1.5, seed=2, kind="binary")
    assert findings_of(risk_pipeline(SOUND, LogisticModel()), binary) == {}


# few events -----------------------------------------------------------------------------------


def cohort_of_events(n_events: int) -> Cohort:
    """A hundred patients, `n_events` of them with the event; age decides who."""
    cohort = made_cohort(100, effect=0)
    order = np.argsort(np.argsort(-cohort.X["clinical:Age"].to_numpy(), kind="stable"))
    event = np.zeros(100, dtype=bool)
    event[np.argsort(order + np.random.default_rng(0).uniform(0, 90, 100))[:n_events]] = True
    time = 5 + order / 10 + np.random.default_rng(1).uniform(0, 5, 100)
    return with_outcome(cohort, survival_outcome(time, event))


@pytest.mark.parametrize(
    ("n_events", "severity", "each"),
    [(40, None, ""), (39, "caution", "9.8"), (20, "caution", "5.0"), (19, "serious", "4.8")],
)
def test_few_events_for_four_parameters(n_events: int, severity: str | None, each: str) -> None:
    pipeline = risk_pipeline(["clinical:Age", "mri:f0", "mri:f1", "mri:f2"], CoxModel())
    found = findings_of(pipeline, cohort_of_events(n_events)).get("few_events")
    assert (found and found.severity) == severity
    if found:
        assert f"{n_events} events for 4 parameters, {each} each" in found.message
        assert found.where == "model"


def test_a_ridge_counts_effective_parameters() -> None:
    cohort = cohort_of_events(39)
    predictors = ["clinical:Age", "mri:f0", "mri:f1", "mri:f2"]
    assert "few_events" not in findings_of(risk_pipeline(predictors, CoxModel(ridge=20.0)), cohort)
    found = findings_of(risk_pipeline(["mri:*"], CoxModel(ridge=5.0)), cohort)["few_events"]
    assert "effective parameters" in found.message


def test_few_patients_of_the_rarer_class() -> None:
    cohort = made_cohort(100, kind="binary", effect=0)
    y = np.arange(100) % 4 > 0  # 25 negative: they are the fewer
    model = LogisticModel()
    few = risk_pipeline(["clinical:Age", "mri:f0", "mri:f1"], model)
    assert "25 patients in the rarer class for 3 parameters" in (
        findings_of(few, with_outcome(cohort, y))["few_events"].message
    )
    assert "few_events" not in findings_of(risk_pipeline(AGE, model), with_outcome(cohort, y))


def test_trees_have_no_parameters_to_count() -> None:
    trees = risk_pipeline(["mri:*"], BoostedModel(n_rounds=5, inner_folds=2), missing="keep")
    assert "few_events" not in findings_of(trees, cohort_of_events(19))


# proportional hazards -------------------------------------------------------------------------


def crossing_cohort(crossing: bool, n_columns: int = 1) -> Cohort:
    """Age doubles the hazard, or (crossing) does so before month 6 and halves it thereafter."""
    cohort = made_cohort(400, effect=0, seed=4)
    rng = np.random.default_rng(7)
    X = cohort.X.copy()
    for j in range(n_columns):
        X[f"clinical:x{j}"] = rng.normal(size=400)
    eta = 0.7 * X[[f"clinical:x{j}" for j in range(n_columns)]].sum(axis=1).to_numpy()
    need = rng.exponential(size=400) * 10  # hazard exp(eta) / 10 early, exp(-eta) / 10 late
    early = need * np.exp(-eta)
    late = 6 + (need - 6 * np.exp(eta)) * np.exp(eta)
    time = np.where(early < 6, early, late) if crossing else early
    return with_table(cohort, X, survival_outcome(np.clip(time, 0.01, 40), time < 40))


def test_crossing_hazards_are_found_and_named() -> None:
    pipeline = risk_pipeline(["clinical:x0", "mri:f0"], CoxModel())
    found = findings_of(pipeline, crossing_cohort(crossing=True))["proportional_hazards"]
    assert found.severity == "caution"
    assert "clinical:x0 (P = " in found.message
    assert "mri:f0" not in found.message
    assert "proportional_hazards" not in findings_of(pipeline, crossing_cohort(crossing=False))


def test_many_drifting_terms_are_counted_not_listed() -> None:
    cohort = crossing_cohort(crossing=True, n_columns=7)
    found = findings_of(risk_pipeline(["clinical:x*"], CoxModel()), cohort)
    message = found["proportional_hazards"].message
    assert message.count("(P = ") == 5
    assert "and 2 more" in message


# patients outside what the model has seen -----------------------------------------------------


def test_extrapolation_counts_patients_outside_the_range() -> None:
    cohort = made_cohort(150, external=30, effect=1.5)
    X = cohort.X.copy()
    age = X["clinical:Age"].to_numpy().copy()
    age[120:] = np.median(age[:120])
    X["clinical:Age"] = age
    pipeline = risk_pipeline(["clinical:*"], CoxModel())
    assert "extrapolation" not in findings_of(pipeline, with_table(cohort, X))
    age[[125, 130]] = [0.0, 200.0]
    X["clinical:Age"] = age
    found = findings_of(pipeline, with_table(cohort, X))["extrapolation"]
    assert found.severity == "note"
    assert "In elsewhere (30 patients)" in found.message
    assert "clinical:Age (2)" in found.message
    assert "Grade" not in found.message  # a category has no range


def test_horizon_beyond_follow_up_is_serious_in_development() -> None:
    cohort = made_cohort(120, external=30, horizons=(6.0, 30.0))
    y = cohort.y.copy()
    y["event"][90:] &= y["time"][90:] <= 20
    y["time"][90:] = np.minimum(y["time"][90:], 20)  # only the external follow-up is short
    pipeline = risk_pipeline(AGE, CoxModel())
    found = findings_of(pipeline, with_outcome(cohort, y))["horizon_beyond_follow_up"]
    assert found.severity == "caution"
    assert "Horizon 30 months lies beyond the last follow-up in elsewhere (20 months)" in (
        found.message
    )
    late = made_cohort(90, horizons=(6.0, 500.0))
    found = findings_of(pipeline, late)["horizon_beyond_follow_up"]
    assert found.severity == "serious"
    assert "Horizon 500 months" in found.message
    assert "development" in found.message
    assert "horizon_beyond_follow_up" not in findings_of(pipeline, made_cohort(90))


def test_patients_without_views_carry_little_information() -> None:
    cohort = made_cohort(100, external=20)
    model = FactorModel(views=["mri", "rna"], n_factors=2)
    pipeline = risk_pipeline(["factors:*"], CoxModel(), factors=model)
    assert "low_information" not in findings_of(pipeline, cohort)
    X = cohort.X.copy()
    views = [c for c in X.columns if not c.startswith("clinical")]
    X.loc[X.index[[85, 90, 91]], views] = np.nan
    found = findings_of(pipeline, with_table(cohort, X))["low_information"]
    assert "In elsewhere, 3 of 20 patients carry little information" in found.message


# figures of the validation --------------------------------------------------------------------


def test_noise_is_no_better_than_chance_memorised_and_overfit() -> None:
    noise = made_cohort(150, effect=0)
    trees = risk_pipeline(["mri:*"], BoostedModel(), missing="keep")
    assert {"no_better_than_chance", "memorised"} <= set(findings_of(trees, noise))
    wide = risk_pipeline(["mri:*", "rna:*"], CoxModel())
    found = findings_of(wide, noise)
    assert {"no_better_than_chance", "memorised", "overfit"} <= set(found)
    assert found["no_better_than_chance"].severity == "serious"
    assert "does not exclude chance" in found["no_better_than_chance"].message


def table_of(**figures: tuple[str, float, float]) -> pd.DataFrame:
    """Figures of one model, `validation_metric = (metric, estimate, lower)`."""
    return pd.DataFrame(
        [
            {
                "model": "model",
                "cohort": "development",
                "validation": name.rpartition("__")[0],
                "metric": metric,
                "horizon": np.nan,
                "estimate": estimate,
                "lower": lower,
                "upper": estimate + 0.1,
            }
            for name, (metric, estimate, lower) in figures.items()
        ]
    )


@pytest.mark.parametrize(
    ("apparent", "validated_c", "lower", "slope", "expected"),
    [
        (0.75, 0.70, 0.51, 0.80, set()),
        (0.75, 0.70, 0.50, 0.80, {"no_better_than_chance"}),
        (0.81, 0.70, 0.51, 0.80, {"memorised"}),
        (0.75, 0.70, 0.51, 0.79, {"overfit"}),
    ],
)
def test_thresholds_of_the_figures(
    apparent: float, validated_c: float, lower: float, slope: float, expected: set[str]
) -> None:
    cohort = made_cohort(400, effect=1.5, seed=2)
    found, figures = validated(risk_pipeline(SOUND, CoxModel()), cohort)
    table = table_of(
        cross_validated__c=("c_index", validated_c, lower),
        apparent__c=("c_index", apparent, 0.6),
        cross_validated__s=("calibration_slope", slope, 0.1),
    )
    findings = model_findings(found, replace(figures, table=table), cohort)
    assert {finding.code for finding in findings} == expected


@pytest.mark.parametrize(("repeats", "failed", "severity"), [(1, 1, "serious"), (1, 0, None)])
def test_failed_resamples_are_told(repeats: int, failed: int, severity: str | None) -> None:
    cohort = made_cohort(100, effect=1.5)
    X = cohort.X.copy()
    rare = np.arange(100) < (1 if failed else 40)
    X["clinical:Grade"] = pd.Categorical(np.where(rare, "b", "a"), categories=["a", "b"])
    plan = Plan(folds=3, repeats=repeats, bootstrap=0, draws=20)
    pipeline = risk_pipeline(["clinical:*"], CoxModel(ridge=1.0))
    found = findings_of(pipeline, with_table(cohort, X), plan=plan).get("failed_resamples")
    assert (found and found.severity) == severity
    if found:
        assert "1 of 3 resamples of the cross-validation could not be fitted" in found.message
        assert "'b'" in found.message


def test_few_failures_are_a_caution() -> None:
    cohort = made_cohort(100, effect=1.5)
    found, figures = validated(risk_pipeline(AGE, CoxModel()), cohort)
    failures = found.failures.assign(failed=1, resamples=11, reason="for a reason")
    (told,) = [
        f
        for f in model_findings(replace(found, failures=failures), figures, cohort)
        if f.code == "failed_resamples"
    ]
    assert told.severity == "caution"
    assert told.message.endswith("The first reason: for a reason")


def test_warnings_become_findings() -> None:
    impatient = risk_pipeline(["clinical:*"], CoxModel(max_iterations=1))
    found = findings_of(impatient, made_cohort(100, effect=1.5))["warning"]
    assert found.message.startswith("ConvergenceWarning")
    patient = risk_pipeline(["clinical:*"], CoxModel())
    assert "warning" not in findings_of(patient, made_cohort(100, effect=1.5))


# factors --------------------------------------------------------------------------------------

KINDS = {"mri": "radiomics", "rna": "expression", "noise": "proteomics"}


def views(volume_loading: float) -> pd.DataFrame:
    """A view that moves with the first volume feature or not, a shared factor, a noise view."""
    rng = np.random.default_rng(5)
    volume, shared = rng.normal(size=(2, 200))
    columns: dict[str, Any] = {
        "mri:original_shape_VoxelVolume": np.exp(volume + 0.05 * rng.normal(size=200))
    }
    for j in range(8):
        noise = np.sqrt(1 - volume_loading**2) * rng.normal(size=200)
        columns[f"mri:original_glcm_F{j}"] = volume_loading * volume + noise
    for j in range(8):
        columns[f"mri:original_glrlm_F{j}"] = shared + 0.5 * rng.normal(size=200)
        columns[f"rna:G{j}"] = shared + 0.5 * rng.normal(size=200)
        columns[f"noise:P{j}"] = rng.normal(size=200)
    return pd.DataFrame(columns)


def test_volume_and_noise_are_named() -> None:
    X = views(volume_loading=0.97)
    model = FactorModel(n_factors=2).fit(X)
    found = {finding.code: finding for finding in factor_findings(model, X, KINDS)}
    assert set(found) == {"volume_features", "volume_factor", "view_adds_nothing"}
    assert "9 of 17 features of mri are tumour volume" in found["volume_features"].message
    factors = model.transform(X)
    r = factors.corrwith(X["mri:original_shape_VoxelVolume"], method="spearman")
    assert found["volume_factor"].where == r.abs().idxmax()
    assert f"{r[r.abs().idxmax()]:.2f}" in found["volume_factor"].message
    assert found["view_adds_nothing"].where == "noise"


def test_the_volume_of_every_region_is_looked_at() -> None:
    X = views(volume_loading=0.97)
    rng = np.random.default_rng(6)
    volume = X.pop("mri:original_shape_VoxelVolume")
    X["mri:T1c|edema|original_shape_VoxelVolume"] = rng.normal(size=200)
    X["mri:T1c|core|original_shape_VoxelVolume"] = volume
    X["mri:T2|core|original_shape_VoxelVolume"] = volume  # the same mask on another sequence
    model = FactorModel(n_factors=2).fit(X)
    found = [f for f in factor_findings(model, X, KINDS) if f.code == "volume_factor"]
    assert len(found) == 1
    assert "mri:T1c|core|original_shape_VoxelVolume" in found[0].message


def test_a_factor_that_is_no_volume_and_views_that_add_are_not_named() -> None:
    X = views(volume_loading=0.0).filter(regex="^mri|^rna")
    model = FactorModel(n_factors=1).fit(X)
    assert factor_findings(model, X, KINDS) == ()
    # volume is looked for in radiomics alone
    volume = views(volume_loading=0.97)
    as_features = {**KINDS, "mri": "features"}
    found = factor_findings(FactorModel(n_factors=2).fit(volume), volume, as_features)
    assert {finding.code for finding in found} == {"view_adds_nothing"}


def test_findings_are_ordered_and_stand_once() -> None:
    def finding(severity: Any, message: str) -> Finding:
        return Finding(code="c", severity=severity, where="w", message=message)

    given = [
        finding("note", "1"),
        finding("serious", "2"),
        finding("caution", "3"),
        finding("note", "1"),
        finding("serious", "4"),
    ]
    assert [f.message for f in ordered(given)] == ["2", "4", "3", "1"]
