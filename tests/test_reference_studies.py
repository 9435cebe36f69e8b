"""The external validation of a real study, figure by figure, beside R's.

Two clinical Cox models of the pLGG study are fitted on Discovery (160 patients, 47 events) and
scored on Replicate (41, 14) along the whole walk: study file, join, `validate`, `performance`. R's
figures are frozen by tests/reference/plgg_external.R (survival, Hmisc, riskRegression, pec).
"""

import json
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.calibration import observed_expected_interval_at
from models.nomogram import nomogram
from models.performance import Performance, performance
from models.pipeline import RiskPipeline
from models.survival_curves import kaplan_meier
from models.validation import Plan, Validation, validate
from omics.cohort import Cohort
from reports.study import build_pipelines, load_cohort
from reports.study_file import read_study
from tests.realdata import ROOT, needs_data

REFERENCE = json.loads((ROOT / "tests" / "reference" / "plgg_external.json").read_text())
NAMES = {"baseline": "Clinical at baseline", "all": "Clinical, all columns"}
EXTERNAL = "Replicate"
HORIZONS = [12.0, 24.0, 60.0]

pytestmark = [needs_data("plgg"), pytest.mark.parametrize("model", ["baseline", "all"])]


@dataclass(frozen=True, eq=False, kw_only=True)
class Walk:
    """The study, walked once."""

    cohort: Cohort
    validation: Validation
    figures: Performance


@cache
def walk() -> Walk:
    study = read_study(ROOT / "tests" / "studies" / "plgg.toml")
    cohort, pipelines = load_cohort(study), build_pipelines(study)
    validation = validate(
        {name: pipelines[name] for name in NAMES.values()},
        cohort,
        plan=Plan(folds=2, repeats=1, bootstrap=0, draws=2),
    )
    figures = performance(validation, thresholds=REFERENCE["thresholds"])
    return Walk(cohort=cohort, validation=validation, figures=figures)


def estimate(model: str, metric: str, horizon: float = np.nan) -> float:
    return (
        walk()
        .figures.estimate(
            NAMES[model], metric, validation="external", cohort=EXTERNAL, horizon=horizon
        )
        .estimate
    )


def of(table: pd.DataFrame, model: str) -> pd.DataFrame:
    chosen = (table["model"] == NAMES[model]) & (table["validation"] == "external")
    return table[chosen].reset_index(drop=True)


def pipeline(model: str) -> RiskPipeline:
    return walk().validation.fitted[NAMES[model]].pipeline


def test_patients_and_events(model: str) -> None:
    cohort = walk().cohort
    parts = [cohort.development, cohort.external[EXTERNAL]]
    assert [part.n_patients for part in parts] == REFERENCE["n_patients"]
    assert [part.n_events for part in parts] == REFERENCE["n_events"]


def test_coefficients(model: str) -> None:
    expected = REFERENCE["models"][model]
    fitted = pipeline(model).model
    terms = [f"clinical:{name}" for name in expected["coefficients"]]
    found = fitted.coefficients.set_index("term").loc[terms, "coefficient"]
    np.testing.assert_allclose(found, list(expected["coefficients"].values()), rtol=1e-6)
    np.testing.assert_allclose(fitted.log_likelihood_, expected["log_likelihood"], rtol=1e-10)


@pytest.mark.parametrize("metric", ["c_index", "calibration_slope"])
def test_figures_without_a_horizon(model: str, metric: str) -> None:
    assert estimate(model, metric) == pytest.approx(REFERENCE["models"][model][metric], rel=1e-6)


@pytest.mark.parametrize("metric", ["auc", "brier", "ipa"])
def test_accuracy_is_that_of_riskregression(model: str, metric: str) -> None:
    found = [estimate(model, metric, horizon) for horizon in HORIZONS]
    np.testing.assert_allclose(found, REFERENCE["models"][model][metric], rtol=1e-6, atol=1e-8)


def test_brier_is_that_of_pec(model: str) -> None:
    found = [estimate(model, "brier", horizon) for horizon in HORIZONS]
    np.testing.assert_allclose(found, REFERENCE["models"][model]["brier_pec"], rtol=1e-6)


@pytest.mark.parametrize(
    "metric",
    ["c_index_uno", "observed_expected", "calibration_intercept", "ici", "e50", "e90", "emax"],
)
@pytest.mark.parametrize("horizon", HORIZONS)
def test_figures_at_a_horizon(model: str, metric: str, horizon: float) -> None:
    expected = REFERENCE["models"][model]["horizons"][f"{horizon:g}"][metric]
    assert estimate(model, metric, horizon) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("horizon", HORIZONS)
def test_interval_of_observed_over_expected(model: str, horizon: float) -> None:
    predictions = walk().validation.external[EXTERNAL][NAMES[model]]
    found = observed_expected_interval_at(
        predictions.y["time"],
        predictions.y["event"],
        predictions.risk[:, HORIZONS.index(horizon)],
        horizon=horizon,
    )
    expected = REFERENCE["models"][model]["horizons"][f"{horizon:g}"]
    np.testing.assert_allclose(found, expected["observed_expected_interval"], rtol=1e-6)


@pytest.mark.parametrize("horizon", HORIZONS)
def test_decision_curve(model: str, horizon: float) -> None:
    curve = of(walk().figures.decision, model)
    curve = curve[curve["horizon"] == horizon]
    expected = REFERENCE["models"][model]["horizons"][f"{horizon:g}"]
    benefit = np.array(expected["net_benefit"], dtype=np.float64)  # null: nobody treated followed
    np.testing.assert_allclose(curve["net_benefit"], benefit, atol=1e-9)
    np.testing.assert_allclose(curve["treat_all"], expected["treat_all"], atol=1e-9)
    assert not curve["treat_none"].any()


def test_risk_groups(model: str) -> None:
    expected = REFERENCE["models"][model]["groups"]
    fitted = walk().validation.fitted[NAMES[model]]
    np.testing.assert_allclose(fitted.cut_points, [expected["cut_point"]], rtol=1e-6)
    predictions = walk().validation.external[EXTERNAL][NAMES[model]]
    group = np.searchsorted(fitted.cut_points, predictions.linear_predictor)
    medians = kaplan_meier(predictions.y["time"], predictions.y["event"], group=group).medians
    assert medians["n_patients"].tolist() == expected["n"]
    assert medians["n_events"].tolist() == expected["events"]
    for ours, theirs in (("median", "median"), ("lower", "median_lower")):
        np.testing.assert_allclose(medians[ours], np.array(expected[theirs], float), rtol=1e-10)


def test_kaplan_meier_curves(model: str) -> None:
    curves = of(walk().figures.survival_curves, model)
    expected = REFERENCE["models"][model]["groups"]
    for position, (_, curve) in enumerate(curves.groupby("group")):
        row = np.searchsorted(curve["time"], expected["at"], side="right") - 1
        for name in ("survival", "lower", "upper"):
            np.testing.assert_allclose(
                curve[name].to_numpy()[row], expected[name][position], rtol=1e-9
            )
        at_risk = [int((_followed(model, position) >= time).sum()) for time in expected["at"]]
        assert at_risk == expected["n_at_risk"][position]


def _followed(model: str, group: int) -> Any:
    fitted = walk().validation.fitted[NAMES[model]]
    predictions = walk().validation.external[EXTERNAL][NAMES[model]]
    mine = np.searchsorted(fitted.cut_points, predictions.linear_predictor) == group
    return predictions.y["time"][mine]


def test_log_rank(model: str) -> None:
    found = of(walk().figures.log_rank, model).iloc[0]
    expected = REFERENCE["models"][model]["groups"]
    assert found["df"] == expected["df"]
    assert found["chi2"] == pytest.approx(expected["chi2"], rel=1e-9)
    assert found["p_value"] == pytest.approx(expected["p_value"], rel=1e-9)


def test_the_nomogram_gives_the_risk_of_the_model(model: str) -> None:
    fitted = pipeline(model)
    other = walk().cohort.external[EXTERNAL]
    drawn = nomogram(fitted.design, fitted.model, horizons=HORIZONS, unit="months")
    points = drawn.points(fitted.design_matrix(other.X))
    for horizon in HORIZONS:
        np.testing.assert_allclose(
            drawn.total_to_risk(points, horizon=horizon),
            fitted.risk(other.X, horizon=horizon),
            rtol=1e-10,
        )


def test_the_unit_of_time_changes_no_figure(model: str) -> None:
    cohort = walk().cohort
    y = cohort.y.copy()
    y["time"] = y["time"] * 30.4375
    horizons = tuple(horizon * 30.4375 for horizon in HORIZONS)
    days = replace(cohort, y=y, outcome=replace(cohort.outcome, unit="days", horizons=horizons))
    found = validate(
        {NAMES[model]: walk().validation.fitted[NAMES[model]].pipeline},
        days,
        plan=walk().validation.plan,
    )
    figures = performance(found, thresholds=REFERENCE["thresholds"])
    ours = walk().figures.table
    ours = ours[ours["model"] == NAMES[model]]
    numbers = ["estimate", "lower", "upper"]
    np.testing.assert_allclose(
        figures.table[numbers].to_numpy(), ours[numbers].to_numpy(), rtol=1e-6, atol=1e-9
    )
