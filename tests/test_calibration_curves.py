"""Calibration curves and ICI: hand-worked groups, R's figures, then what must hold for any data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calibration_curves import Calibration, calibration_curve, calibration_curve_at
from models.refits import log_hazard
from tests.metrics_reference import (
    EVENT,
    HORIZONS,
    POSITIVE,
    PROBABILITY,
    REFERENCE,
    RISK,
    TIME,
    R,
    rotterdam_to_gbsg,
)
from tests.realdata import needs_data

GRID = R["data"]["grid"]
SUMMARIES = ["ici", "e50", "e90", "emax"]


def test_two_predicted_risks_by_hand() -> None:
    # u² - u - 4 = 0 as in the slope; hazard at 2: 1 / (2u + 2) + 1 / (u + 2), u times that if 0.8.
    curve = calibration_curve_at(
        [1, 2, 3, 4], [1, 1, 1, 0], [0.8, 0.3, 0.8, 0.3], horizon=2, grid=[0.3, 0.8]
    )
    u = (1 + np.sqrt(17)) / 2
    hazard = (1 / (2 * u + 2) + 1 / (u + 2)) * np.array([1, u])
    expected = 1 - np.exp(-hazard)
    np.testing.assert_allclose(curve.table["observed"], expected, atol=1e-8)
    gaps = np.abs(expected - [0.3, 0.8])
    assert curve.ici == pytest.approx(gaps.mean(), abs=1e-8)
    assert curve.emax == pytest.approx(gaps.max(), abs=1e-8)
    assert curve.n_events == 2
    assert curve.method == "Cox regression, linear in cloglog risk"


def test_binary_groups_by_hand() -> None:
    # Groups far apart and larger than the span: the curve passes through their shares.
    event = [1, 0, 0, 0] * 5 + [1, 1, 1, 0] * 5
    curve = calibration_curve(event, [0.2] * 20 + [0.9] * 20, grid=[0.2, 0.9])
    np.testing.assert_allclose(curve.table["observed"], [0.25, 0.75], atol=1e-9)
    assert curve.ici == pytest.approx((0.05 + 0.15) / 2)
    assert curve.emax == pytest.approx(0.15)
    assert repr(curve) == "Calibration(40 patients, 20 events, ICI 0.1000)"


@pytest.mark.parametrize("j", range(3))
def test_r_cox_on_a_spline(j: int) -> None:
    expected = R["at"][j]["calibration"]
    curve = calibration_curve_at(TIME, EVENT, RISK[j], horizon=HORIZONS[j], grid=GRID)
    np.testing.assert_allclose(curve.table["observed"], expected["observed"], atol=1e-7)
    for name in SUMMARIES:
        assert getattr(curve, name) == pytest.approx(expected[name], abs=1e-7)


def test_r_lowess() -> None:
    expected = R["binary"]
    curve = calibration_curve(POSITIVE, PROBABILITY, grid=GRID)
    np.testing.assert_allclose(curve.table["observed"], expected["observed"], atol=1e-9)
    for name in SUMMARIES:
        assert getattr(curve, name) == pytest.approx(expected[name], abs=1e-9)


def test_the_grid_changes_no_summary_and_copies_change_nothing() -> None:
    own = calibration_curve_at(TIME, EVENT, RISK[0], horizon=12)
    other = calibration_curve_at(TIME, EVENT, RISK[0], horizon=12, grid=[0.3])
    assert own.ici == other.ici
    assert own.table["predicted"].iloc[[0, -1]].tolist() == pytest.approx(
        np.quantile(RISK[0], [0.01, 0.99])
    )
    assert len(own.table) == 100
    assert other.table["predicted"].tolist() == [0.3]
    assert own.table[["lower", "upper"]].isna().all(axis=None)


@given(seed=st.integers(0, 99), unit=st.sampled_from([12.0, 365.25]))
def test_order_and_unit_do_not_matter(seed: int, unit: float) -> None:
    rows = np.random.default_rng(seed).permutation(len(TIME))
    curve = calibration_curve_at(TIME, EVENT, RISK[1], horizon=24)
    other = calibration_curve_at(unit * TIME[rows], EVENT[rows], RISK[1][rows], horizon=24 * unit)
    assert other.ici == pytest.approx(curve.ici, abs=1e-8)
    curve, other = (
        calibration_curve(POSITIVE, PROBABILITY),
        calibration_curve(POSITIVE[rows], PROBABILITY[rows]),
    )
    assert other.ici == pytest.approx(curve.ici, abs=1e-9)


@given(factor=st.floats(0.3, 3), j=st.integers(0, 2))
def test_the_survival_curve_sees_only_the_order_of_stretched_hazards(factor: float, j: int) -> None:
    # A risk with a multiple of the cumulative hazard has the same spline, moved: same observed.
    stretched = -np.expm1(-factor * np.exp(log_hazard(RISK[j], edge=0.0)))
    curve = calibration_curve_at(TIME, EVENT, RISK[j], horizon=HORIZONS[j], grid=RISK[j])
    other = calibration_curve_at(TIME, EVENT, stretched, horizon=HORIZONS[j], grid=stretched)
    inside = (stretched > 1e-4) & (stretched < 1 - 1e-4)
    if inside.all():
        np.testing.assert_allclose(other.table["observed"], curve.table["observed"], atol=1e-6)


def test_survival_passed_as_risk_is_worse() -> None:
    for j, horizon in enumerate(HORIZONS):
        right = calibration_curve_at(TIME, EVENT, RISK[j], horizon=horizon)
        wrong = calibration_curve_at(TIME, EVENT, 1 - RISK[j], horizon=horizon)
        assert wrong.ici > right.ici
    assert calibration_curve(POSITIVE, 1 - PROBABILITY).ici > (
        calibration_curve(POSITIVE, PROBABILITY).ici
    )


def test_true_risks_are_close_to_the_diagonal() -> None:
    rng = np.random.default_rng(3)
    rate = np.exp(rng.normal(size=4000))
    latent, follow = rng.exponential(size=4000) / rate, rng.uniform(0.2, 3, size=4000)
    time, event = np.minimum(latent, follow), latent <= follow
    right = calibration_curve_at(time, event, -np.expm1(-rate), horizon=1)
    assert right.ici < 0.02  # about 0.008 over seeds
    extreme = calibration_curve_at(time, event, -np.expm1(-(rate**2)), horizon=1)
    assert extreme.ici > 0.05
    assert extreme.emax >= extreme.e90 >= extreme.e50


def nothing(curve: Calibration) -> bool:
    return bool(
        np.isnan([getattr(curve, name) for name in SUMMARIES]).all()
        and curve.table["observed"].isna().all()
    )


def test_nan_where_there_is_no_answer() -> None:
    risk = [0.1, 0.3, 0.2, 0.6]
    data = [1, 2, 3, 4], [1, 0, 1, 0]
    grid = [0.2, 0.4]
    assert nothing(calibration_curve_at(*data, [0.3] * 4, horizon=2, grid=grid))
    assert nothing(calibration_curve_at(*data, risk, horizon=5, grid=grid))
    assert nothing(calibration_curve_at(*data, risk, horizon=0.5, grid=grid))
    assert nothing(calibration_curve_at(*data, [np.nan] * 4, horizon=2, grid=grid))
    assert nothing(calibration_curve_at([1, 2, 3], [1, 1, 1], [0.9, 0.5, 0.1], horizon=2))
    assert nothing(calibration_curve([1, 0], [0.5, 0.5], grid=[0.5]))
    assert nothing(calibration_curve([1, 0], [0.5, np.nan], grid=[0.5]))
    outside = calibration_curve(POSITIVE, PROBABILITY, grid=[0.0, 0.5, 1.0]).table["observed"]
    assert outside.isna().tolist() == [True, False, True]


def test_a_few_predicted_values_leave_a_line() -> None:
    three = np.digitize(RISK[1], np.quantile(RISK[1], [0.05, 0.95])) / 4 + 0.25
    curve = calibration_curve_at(TIME, EVENT, three, horizon=24)
    assert curve.method == "Cox regression, linear in cloglog risk"
    assert 0 < curve.ici < 1


def test_risks_of_exactly_zero_and_one_are_taken() -> None:
    risk = np.where(RISK[1] > 0.8, 1.0, np.where(RISK[1] < 0.2, 0.0, RISK[1]))
    assert 0 < calibration_curve_at(TIME, EVENT, risk, horizon=24).ici < 1


@pytest.mark.parametrize("grid", [[0.2, 1.2], [[0.2]]])
def test_wrong_grid_is_named(grid: list[float]) -> None:
    with pytest.raises(ValueError, match="grid must"):
        calibration_curve(POSITIVE, PROBABILITY, grid=grid)
    with pytest.raises(ValueError, match="grid must"):
        calibration_curve_at(TIME, EVENT, RISK[0], horizon=12, grid=grid)


@needs_data("survival")
def test_rotterdam_model_in_gbsg() -> None:
    published, v = REFERENCE["real"]["gbsg"], rotterdam_to_gbsg(horizon=4.99)
    curve = calibration_curve_at(v.time, v.event, v.risk, horizon=4.99, grid=[0.3, 0.5, 0.7])
    assert curve.ici == pytest.approx(0.0301, abs=5e-5)
    assert curve.e50 == pytest.approx(0.0262, abs=5e-5)
    assert curve.e90 == pytest.approx(0.0746, abs=5e-5)
    for name in SUMMARIES:
        assert getattr(curve, name) == pytest.approx(published[name], abs=1e-6)
    np.testing.assert_allclose(curve.table["observed"], published["observed"], atol=1e-6)
