"""The optimism bootstrap of pipelines: rms's indexes and calibration, and those from arrays."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import models.validation
from models.bootstrap_refits import (
    COX_INDEXES,
    LOGISTIC_INDEXES,
    OPTIMISM,
    curve_grids,
    index_scores,
    is_at_maximum,
    optimism_table,
)
from models.calibration_curves import calibration_curve_at
from models.corrected_calibration import cox_calibration, logistic_calibration
from models.cox import CoxModel
from models.logistic import LogisticModel
from models.optimism import cox_optimism, logistic_optimism
from models.performance import performance
from models.pipeline import risk_pipeline
from models.scores import Predictions
from models.validation import Plan, Validation, validate
from omics.outcome import survival_outcome
from tests.made_cohorts import made_cohort
from tests.test_validation import LOOSE, cohort_with_a_lonely_level, r_resamples, reference_cohort
from tests.validation_reference import CLASS, COUNTS, EVENT, NAMES, OLD, TIME, R, X

OURS = {"slope": "calibration_slope", "brier": "brier", "emax": "emax_of_line"}
BY_R = Plan(folds=3, repeats=1, bootstrap=len(COUNTS), draws=20)


@pytest.fixture(scope="module")
def as_r_drew() -> dict[str, Validation]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(models.validation, "bootstrap", r_resamples)
        return {
            kind: validate(
                {"model": risk_pipeline(["clinical:*"], model)},
                reference_cohort(kind),
                plan=BY_R,
            )
            for kind, model in (("survival", CoxModel()), ("binary", LogisticModel()))
        }


def by_index(found: Validation) -> pd.DataFrame:
    table = performance(found, thresholds=[0.5]).optimism
    return table[table["horizon"].isna()].set_index("metric")


@pytest.mark.parametrize(("kind", "theirs"), [("survival", "cox"), ("binary", "logistic")])
def test_indexes_are_those_of_rms_validate(
    as_r_drew: dict[str, Validation], kind: str, theirs: str
) -> None:
    table = by_index(as_r_drew[kind])
    for name, row in R["rms"][theirs]["boot"].items():
        ours = table.loc[OURS.get(NAMES[name], NAMES[name])]
        assert ours["apparent"] == pytest.approx(row["index.orig"], abs=1e-6)
        assert ours["corrected"] == pytest.approx(row["index.corrected"], abs=LOOSE)
        assert ours["n_resamples"] == row["n"]
        if name == "Emax":  # rms prints its optimism with the other sign
            continue
        assert ours["training"] == pytest.approx(row["training"], abs=LOOSE)
        assert ours["test"] == pytest.approx(row["test"], abs=LOOSE)


def test_refitted_pipelines_give_what_the_arrays_give(as_r_drew: dict[str, Validation]) -> None:
    arrays = {
        "survival": cox_optimism(X, TIME, EVENT, COUNTS).table,
        "binary": logistic_optimism(X, CLASS, COUNTS).table,
    }
    columns = ["apparent", "training", "test", "corrected", "lower", "upper"]
    for kind, theirs in arrays.items():
        table = by_index(as_r_drew[kind])
        for row in theirs.to_dict("records"):
            if row["index"] == "emax":
                continue
            ours = table.loc[OURS.get(row["index"], row["index"]), columns].astype(float)
            np.testing.assert_allclose(ours, [row[c] for c in columns], atol=2e-6)


def test_corrected_curves_are_those_of_refits_by_hand(as_r_drew: dict[str, Validation]) -> None:
    found = performance(as_r_drew["survival"], thresholds=[0.5])
    (horizon, curve), *_ = found.corrected_calibration["model"].items()
    grid = curve.table["predicted"].to_numpy()

    def observed(rows: np.ndarray, on: np.ndarray) -> np.ndarray:
        table = pd.DataFrame(X, columns=list("abcd"))
        fit = CoxModel().fit(table.iloc[rows], survival_outcome(TIME[rows], EVENT[rows]))
        risk = fit.risk(table.iloc[on], horizon=horizon)
        at = calibration_curve_at(TIME[on], EVENT[on], risk, horizon=horizon, grid=grid)
        return at.table["observed"].to_numpy()

    everybody = np.arange(len(TIME))
    optimism = [observed(rows, rows) - observed(rows, everybody) for rows in OLD["rows"]]
    expected = observed(everybody, everybody) - np.mean(optimism, axis=0)
    np.testing.assert_allclose(curve.table["observed"], np.clip(expected, 0, 1), atol=1e-6)
    # Efron's baseline, which the arrays take as rms does, moves tied times a little
    theirs = cox_calibration(X, TIME, EVENT, COUNTS, horizon=horizon, grid=grid)
    np.testing.assert_allclose(curve.table["observed"], theirs.table["observed"], atol=0.01)
    assert (curve.n_events, curve.n_resamples) == (theirs.n_events, theirs.n_resamples)
    shown = found.calibration.query("validation == 'optimism_corrected'")
    assert len(shown) == 50 * len(found.corrected_calibration["model"])

    binary = performance(as_r_drew["binary"], thresholds=[0.5])
    (curve,) = binary.corrected_calibration["model"].values()
    theirs = logistic_calibration(X, CLASS, COUNTS, grid=curve.table["predicted"])
    np.testing.assert_allclose(curve.table, theirs.table, atol=1e-5)
    assert curve.horizon is None


def test_a_penalised_fit_is_not_at_its_maximum_and_its_slope_says_so() -> None:
    cohort = made_cohort(80)
    plain = risk_pipeline(["clinical:*"], CoxModel()).fit(cohort.X, cohort.y)
    ridge = risk_pipeline(["clinical:*"], CoxModel(ridge=20.0)).fit(cohort.X, cohort.y)
    assert is_at_maximum(plain)
    assert not is_at_maximum(ridge)
    plan = Plan(folds=2, repeats=1, bootstrap=4, draws=20)
    found = validate({"ridge": ridge}, cohort, plan=plan)
    table = by_index(found)
    assert table.loc["calibration_slope", "apparent"] > 1.01  # shrunk
    assert table.loc["u", "apparent"] > 0  # the refit fits these patients better


def test_indexes_of_the_fit_by_closed_form() -> None:
    y = np.array([True, True, False, False, True, False])
    p = Predictions(y=y, linear_predictor=np.zeros(6), risk=np.full((6, 1), 0.5), horizons=())
    found = {key.metric: value for key, value in index_scores(p, of_the_fit=True).items()}
    assert tuple(found) == LOGISTIC_INDEXES
    # no predictor, no gain: D = (0 - 1) / 6, U = -2 / 6, Q = D - U
    assert found["d"] == pytest.approx(-1 / 6)
    assert found["u"] == pytest.approx(-2 / 6)
    assert found["q"] == pytest.approx(1 / 6)
    assert (found["dxy"], found["r_squared"], found["g"], found["gp"]) == (0, 0, 0, 0)


def test_reversed_predictions_are_worse() -> None:
    cohort = made_cohort(90)
    pipeline = risk_pipeline(["clinical:*"], CoxModel()).fit(cohort.X, cohort.y)
    lp = pipeline.linear_predictor(cohort.X)
    right = Predictions(y=cohort.y, linear_predictor=lp, risk=np.empty((90, 0)), horizons=())
    wrong = replace(right, linear_predictor=-lp)
    a, b = (index_scores(p, of_the_fit=False) for p in (right, wrong))
    for key in a:
        if key.metric in ("dxy", "q"):
            assert a[key] > b[key]
        if key.metric == "u":
            assert a[key] < b[key]
    assert tuple(key.metric for key in a) == COX_INDEXES


def test_failed_resamples_are_counted_and_left_out() -> None:
    cohort = cohort_with_a_lonely_level()
    pipelines = {"grade": risk_pipeline(["clinical:*"], CoxModel(ridge=1.0))}
    found = validate(pipelines, cohort, plan=Plan(folds=4, repeats=1, bootstrap=30, seed=6))
    draws = found.optimism["grade"]
    lost = found.failures.query("validation == 'optimism_corrected'")["failed"].item()
    assert 0 < lost < 30
    assert repr(draws) == f"OptimismDraws({30 - lost} of 30 resamples)"
    table = optimism_table("grade", draws, level=0.95)
    assert list(table.columns) == OPTIMISM
    assert (table["n_resamples"] + table["n_failed"]).eq(30).all()
    assert table.set_index("metric").loc["dxy", "n_failed"] == lost


def test_horizon_beyond_follow_up_has_no_curve_but_others_have() -> None:
    cohort = made_cohort(80, horizons=(6.0, 500.0))
    plan = Plan(folds=2, repeats=1, bootstrap=4, draws=20)
    found = validate({"m": risk_pipeline(["clinical:*"], CoxModel())}, cohort, plan=plan)
    curves = performance(found, thresholds=[0.5]).corrected_calibration["m"]
    assert list(curves) == [6.0]


def test_fewer_than_ten_patients_have_no_grid() -> None:
    risk = np.column_stack([np.linspace(0.1, 0.9, 9), np.full(9, np.nan)])
    p = Predictions(y=np.ones(9, bool), linear_predictor=risk[:, 0], risk=risk, horizons=())
    assert [len(grid) for grid in curve_grids(p)] == [0, 0]
