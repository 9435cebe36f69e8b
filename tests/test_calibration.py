"""Calibration: hand-worked ratios and slopes, R's figures, then what must hold for any data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from models.calibration import (
    calibration_intercept,
    calibration_intercept_at,
    calibration_slope,
    calibration_slope_survival,
    observed_expected,
    observed_expected_at,
    observed_expected_interval_at,
)
from models.cox_fit import cox_fit
from models.survival_curves import survival_at
from tests.metrics_reference import (
    EVENT,
    HORIZONS,
    POSITIVE,
    PROBABILITY,
    REFERENCE,
    RISK,
    SCORE,
    TIME,
    R,
    Sample,
    rotterdam_to_gbsg,
    samples,
)
from tests.realdata import needs_data

FOLD = np.array(R["data"]["fold"])


# ---- hand-worked


def test_observed_expected_by_hand() -> None:
    assert observed_expected([1, 0, 0, 1], [0.4, 0.1, 0.2, 0.3]) == pytest.approx(2)
    assert observed_expected_at([1, 2, 3, 4], [1, 0, 1, 0], [0.5] * 4, horizon=2.5) == 0.5


def test_interval_of_observed_expected_by_hand() -> None:
    data = [1, 2, 3, 4], [1, 1, 1, 1], [0.25, 0.75, 0.5, 0.5]  # O/E = (3/4) / (1/2), 3 events
    lower, upper = observed_expected_interval_at(*data, horizon=3)
    assert upper == pytest.approx(1.5 * np.exp(1.959963984540054 / np.sqrt(3)))
    assert lower * upper == pytest.approx(1.5**2)


def test_slope_of_odds_predicted_twice_as_extreme_is_one_half() -> None:
    event = [True, False, False, False, True, True, True, False]
    score = np.repeat([-np.log(9), np.log(9)], 4)
    assert calibration_slope(event, score) == pytest.approx(0.5, abs=1e-9)


def test_survival_slope_by_hand() -> None:
    # With u = exp(2b): L = u/(2u + 2) * 1/(u + 2) * u/(u + 1), largest where u² - u - 4 = 0.
    slope = calibration_slope_survival([1, 2, 3, 4], [1, 1, 1, 0], [2, 0, 2, 0])
    assert slope == pytest.approx(np.log((1 + np.sqrt(17)) / 2) / 2, abs=1e-8)


def test_intercept_of_one_risk_for_all_by_hand() -> None:
    event = [True, False, False, False]
    assert calibration_intercept(event, [0.5] * 4) == pytest.approx(logit(0.25), abs=1e-9)
    # Survival: log of the ratio of cumulative hazards, observed over predicted.
    data = [1, 2, 3, 4], [1, 0, 1, 0], [0.1] * 4
    expected = np.log(np.log(0.75) / np.log(0.9))
    assert calibration_intercept_at(*data, horizon=2.5) == pytest.approx(expected, abs=1e-8)


# ---- R


@pytest.mark.parametrize("j", range(3))
def test_r_at_each_horizon(j: int) -> None:
    expected, data = R["at"][j], (TIME, EVENT, RISK[j])
    found = observed_expected_at(*data, horizon=HORIZONS[j])
    assert found == pytest.approx(expected["observed_expected"], abs=1e-12)
    found = calibration_intercept_at(*data, horizon=HORIZONS[j])
    assert found == pytest.approx(expected["intercept"], abs=1e-8)


def test_r_slopes() -> None:
    assert calibration_slope_survival(TIME, EVENT, SCORE) == pytest.approx(R["slope"], abs=1e-7)
    stratified = calibration_slope_survival(TIME, EVENT, SCORE, strata=FOLD)
    assert stratified == pytest.approx(R["slope_stratified"], abs=1e-7)
    margin = logit(PROBABILITY)
    expected = R["binary"]
    assert calibration_slope(POSITIVE, margin) == pytest.approx(expected["slope"], abs=1e-7)
    stratified = calibration_slope(POSITIVE, margin, strata=FOLD)
    assert stratified == pytest.approx(expected["slope_stratified"], abs=1e-7)


def test_r_intercept() -> None:
    found = calibration_intercept(POSITIVE, PROBABILITY)
    assert found == pytest.approx(R["binary"]["intercept"], abs=1e-7)


def test_our_cox_regression_gives_the_slope() -> None:
    fit = cox_fit(SCORE[:, np.newaxis], TIME, EVENT, strata=FOLD)
    found = calibration_slope_survival(TIME, EVENT, SCORE, strata=FOLD)
    assert found == pytest.approx(fit.coef[0], abs=1e-8)


# ---- properties and direction


@given(factor=st.floats(0.2, 5), shift=st.floats(-3, 3))
def test_slopes_undo_a_stretch(factor: float, shift: float) -> None:
    stretched = factor * SCORE + shift
    slope = calibration_slope_survival(TIME, EVENT, SCORE)
    assert factor * calibration_slope_survival(TIME, EVENT, stretched) == pytest.approx(
        slope, rel=1e-6
    )
    slope = calibration_slope(POSITIVE, SCORE)
    assert factor * calibration_slope(POSITIVE, stretched) == pytest.approx(slope, rel=1e-6)


@given(shift=st.floats(-1.5, 1.5))
def test_intercepts_undo_a_shift(shift: float) -> None:
    shifted = expit(logit(PROBABILITY) + shift)
    expected = calibration_intercept(POSITIVE, PROBABILITY) - shift
    assert calibration_intercept(POSITIVE, shifted) == pytest.approx(expected, abs=1e-6)
    hazard = -np.log1p(-RISK[1])
    shifted = -np.expm1(-hazard * np.exp(shift))
    expected = calibration_intercept_at(TIME, EVENT, RISK[1], horizon=24) - shift
    found = calibration_intercept_at(TIME, EVENT, shifted, horizon=24)
    assert found == pytest.approx(expected, abs=1e-6)


@given(s=samples(), seed=st.integers(0, 99), unit=st.sampled_from([12.0, 365.25]))
def test_order_and_unit_do_not_matter(s: Sample, seed: int, unit: float) -> None:
    risk = (s.score + 4) / 8
    shuffled = np.random.default_rng(seed).permutation(len(risk))
    other = unit * s.time[shuffled], s.event[shuffled], risk[shuffled]
    for figure in (observed_expected_at, calibration_intercept_at):
        expected = figure(s.time, s.event, risk, horizon=4)
        assert figure(*other, horizon=4 * unit) == pytest.approx(expected, abs=1e-6, nan_ok=True)


@given(samples())
def test_kaplan_meier_risk_is_calibrated_in_the_large(s: Sample) -> None:
    horizon = s.time[s.event].max()
    risk = 1 - float(survival_at(s.time, s.event, horizon))
    everybody = np.full(len(s.time), risk)
    assert observed_expected_at(s.time, s.event, everybody, horizon=horizon) == pytest.approx(1)
    if 1e-6 < risk < 1 - 1e-6:
        found = calibration_intercept_at(s.time, s.event, everybody, horizon=horizon)
        assert found == pytest.approx(0, abs=1e-6)


def test_a_fold_of_one_class_and_the_level_of_folds_do_not_matter() -> None:
    margin, fold = logit(PROBABILITY), FOLD.astype(float)
    expected = calibration_slope(POSITIVE, margin, strata=FOLD)
    levelled = calibration_slope(POSITIVE, margin + 5 * fold, strata=fold)
    assert levelled == pytest.approx(expected, abs=1e-6)
    more = np.append(POSITIVE, [True, True]), np.append(margin, [-9, 9])
    with_one_class = calibration_slope(*more, strata=np.append(FOLD, [7, 7]))
    assert with_one_class == pytest.approx(expected, abs=1e-9)


def test_survival_passed_as_risk_turns_the_slope() -> None:
    assert calibration_slope(POSITIVE, logit(1 - PROBABILITY)) < 0
    assert calibration_slope_survival(TIME, EVENT, -SCORE) < 0


def test_risks_too_low_show() -> None:
    assert observed_expected(POSITIVE, PROBABILITY / 2) > 1
    assert calibration_intercept(POSITIVE, PROBABILITY / 2) > 0
    assert calibration_intercept_at(TIME, EVENT, RISK[1] / 2, horizon=24) > 0


# ---- where there is no answer


@pytest.mark.parametrize(
    ("event", "score"),
    [
        ([0, 1, 0, 1], [2, 2, 2, 2]),  # constant
        ([0, 0, 1, 1], [1, 2, 3, 4]),  # parts the classes
        ([1, 1, 1, 1], [1, 2, 3, 4]),  # one class
        ([0, 1, 0, 1], [1, np.nan, 2, 3]),
    ],
)
def test_no_logistic_slope(event: list[int], score: list[float]) -> None:
    assert np.isnan(calibration_slope(event, score))


@pytest.mark.parametrize(
    ("event", "score"),
    [
        ([1, 1, 1, 1], [2, 2, 2, 2]),  # constant
        ([1, 1, 1, 1], [4, 3, 2, 1]),  # orders all events
        ([0, 0, 0, 0], [1, 2, 3, 4]),  # no event
        ([0, 0, 0, 1], [1, 2, 3, 4]),  # nobody else at risk
        ([1, 1, 1, 1], [1, np.nan, 2, 3]),
    ],
)
def test_no_survival_slope(event: list[int], score: list[float]) -> None:
    assert np.isnan(calibration_slope_survival([1, 2, 3, 4], event, score))


def test_nan_where_there_is_no_answer() -> None:
    data = [1, 2, 3], [True, True, False], [0.5, 0.5, 0.5]
    assert np.isnan(observed_expected_at(*data, horizon=4))
    assert np.isnan(calibration_intercept_at(*data, horizon=4))
    assert np.isnan(calibration_intercept_at(*data, horizon=0.5))  # no event yet
    assert np.isnan(observed_expected_interval_at(*data, horizon=0.5)).all()
    assert np.isnan(calibration_intercept_at([1, 2], [1, 1], [0.5, 0.6], horizon=2))  # all died
    assert np.isnan(observed_expected([1, 0], [0, 0]))
    assert np.isnan(calibration_intercept([1, 1], [0.5, 0.6]))
    assert np.isnan(calibration_intercept([1, 0], [0.5, np.nan]))


def test_risks_of_exactly_zero_and_one_leave_the_intercept_finite() -> None:
    assert abs(calibration_intercept([0, 1, 0, 1], [0, 1, 0.5, 0.5])) < 1e-3
    # The two who are certain agree with their risk; the other two have risk and outcome one half.
    data = [5, 1, 5, 1], [0, 1, 0, 1], [0, 1, 0.5, 0.5]
    assert abs(calibration_intercept_at(*data, horizon=2)) < 1e-3


@pytest.mark.parametrize(
    ("score", "strata", "message"),
    [
        ([1, 2, np.inf], [1, 1, 2], "linear_predictor must be finite, but 1 of 3"),
        ([1, 2], [1, 1], "one value per patient"),
        ([1, 2, 3], [1, 1], "one value per patient"),
    ],
)
def test_wrong_input_is_named(score: list[float], strata: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        calibration_slope([1, 0, 1], score, strata=strata)
    with pytest.raises(ValueError, match=message):
        calibration_slope_survival([1, 2, 3], [1, 0, 1], score, strata=strata)


def test_linear_predictor_passed_as_risk_is_refused() -> None:
    with pytest.raises(ValueError, match=r"risk must be a probability.*use model\.risk"):
        calibration_intercept(POSITIVE, SCORE)
    with pytest.raises(ValueError, match=r"risk must be a probability.*use model\.risk"):
        observed_expected_at(TIME, EVENT, SCORE, horizon=12)


@needs_data("survival")
def test_rotterdam_model_in_gbsg() -> None:
    published, v = REFERENCE["real"]["gbsg"], rotterdam_to_gbsg(horizon=4.99)
    data = v.time, v.event, v.risk
    ratio = observed_expected_at(*data, horizon=4.99)
    assert ratio == pytest.approx(1.017, abs=5e-4)
    assert ratio == pytest.approx(published["observed_expected"], abs=1e-7)
    interval = observed_expected_interval_at(*data, horizon=4.99)
    assert interval == pytest.approx((0.906, 1.143), abs=5e-4)
    slope = calibration_slope_survival(v.time, v.event, v.linear_predictor)
    assert slope == pytest.approx(1.056, abs=5e-4)
    assert slope == pytest.approx(published["slope"], abs=1e-6)
    intercept = calibration_intercept_at(*data, horizon=4.99)
    assert intercept == pytest.approx(published["intercept"], abs=1e-6)
