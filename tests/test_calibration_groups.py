"""Calibration by groups: by hand, R's groupkm and Wilson intervals, edges."""

import numpy as np
import pytest
from scipy import stats

from models.calibration_groups import calibration_groups, calibration_groups_at, cut_by_size
from models.survival_curves import kaplan_meier, survival_estimates
from tests.validation_reference import EVENT, TIME, R

HORIZON = float(R["horizon"])
RISK = 1 - np.array(R["groups"]["predicted"])
CUTS = 1 - np.array(R["groups"]["cuts"])[::-1]


def test_groups_are_those_of_rms() -> None:
    found = calibration_groups_at(TIME, EVENT, RISK, horizon=HORIZON, cut_points=CUTS).table
    rms = R["groups"]["rms"]
    np.testing.assert_allclose(found["predicted"], 1 - np.array(rms["mean.predicted"])[::-1])
    np.testing.assert_allclose(found["observed"], 1 - np.array(rms["KM"])[::-1])
    own = CUTS[1] > RISK
    curve = survival_estimates(kaplan_meier(TIME[own], EVENT[own]), [HORIZON]).iloc[0]
    row = found.iloc[0]
    assert (row["lower"], row["upper"]) == pytest.approx((1 - curve["upper"], 1 - curve["lower"]))
    # rms gives the standard error of log survival
    half = stats.norm.ppf(0.975) * rms["std.err"][-1]
    survival = rms["KM"][-1]
    assert row["lower"] == pytest.approx(1 - min(survival * np.exp(half), 1))
    assert row["upper"] == pytest.approx(1 - survival * np.exp(-half))
    assert found["n_patients"].sum() == len(TIME)
    assert found["n_events"].sum() == (EVENT & (TIME <= HORIZON)).sum()


def test_cut_points_are_those_of_rms() -> None:
    found = cut_by_size(RISK, groups=len(CUTS) - 1)
    np.testing.assert_allclose(found, CUTS, atol=1e-12)


def test_wilson_interval_by_r() -> None:
    # R: prop.test(3, 10, correct = FALSE)$conf.int and prop.test(0, 10, correct = FALSE)
    event = np.array([1] * 3 + [0] * 7 + [0] * 10)
    risk = np.array([0.3] * 10 + [0.8] * 10)
    found = calibration_groups(event, risk, cut_points=[0, 0.5, 1]).table
    np.testing.assert_allclose(found[["lower", "upper"]].iloc[0], [0.1077913, 0.6032219], atol=1e-7)
    np.testing.assert_allclose(found[["lower", "upper"]].iloc[1], [0, 0.2775328], atol=1e-7)


def test_everybody_has_one_group_and_edges_belong_to_the_upper_one() -> None:
    event, risk = np.array([0, 1, 0, 1, 1]), np.array([0.0, 0.5, 0.5, 1.0, 0.4])
    found = calibration_groups(event, risk, cut_points=[0, 0.5, 1]).table
    assert found["n_patients"].tolist() == [2, 3]
    assert found["n_events"].tolist() == [1, 2]


def test_small_and_short_groups_have_no_figure() -> None:
    found = calibration_groups([0, 1, 1], [0.1, 0.8, 0.9], cut_points=[0, 0.5, 1]).table
    assert np.isnan(found["observed"].iloc[0])
    assert found["n_patients"].tolist() == [1, 2]
    short = calibration_groups_at(
        [1, 2, 5, 6], [1, 0, 1, 0], [0.1, 0.2, 0.8, 0.9], horizon=4, cut_points=[0, 0.5, 1]
    ).table
    assert np.isnan(short["observed"].iloc[0])
    assert short["observed"].iloc[1] == 0
    unknown = calibration_groups([0, 1, 1, 0], [0.1, np.nan, 0.2, 0.3], cut_points=[0, 1]).table
    assert unknown["n_patients"].tolist() == [3]


def test_reversed_risk_reverses_the_order_of_groups() -> None:
    found = calibration_groups_at(TIME, EVENT, RISK, horizon=HORIZON, cut_points=CUTS).table
    other = calibration_groups_at(
        TIME, EVENT, 1 - RISK, horizon=HORIZON, cut_points=np.unique(1 - CUTS)
    ).table
    assert found["observed"].is_monotonic_increasing
    assert other["observed"].is_monotonic_decreasing


def test_ties_make_fewer_groups() -> None:
    assert cut_by_size([0.2] * 50 + [0.7] * 5, groups=5).tolist() == [0, 0.2, 1]


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="groups must be at least 2, but 1 came"):
        cut_by_size(RISK, groups=1)
    with pytest.raises(ValueError, match="cut_points must be at least 2 rising values"):
        calibration_groups([0, 1], [0.1, 0.2], cut_points=[0, 0.5, 0.5, 1])
    with pytest.raises(ValueError, match=r"cut_points must reach from 0 to 1.*from 0.1 to 1"):
        calibration_groups([0, 1], [0.1, 0.2], cut_points=[0.1, 1])


def test_a_group_without_events_has_an_interval_of_some_length() -> None:
    time, risk = np.r_[np.full(20, 6.0), np.full(10, 3.0)], np.full(30, 0.1)
    found = calibration_groups_at(
        time, np.zeros(30), risk, horizon=5, cut_points=[0, 1]
    ).table.iloc[0]
    z = 1.959963984540054
    assert (found["observed"], found["lower"]) == (0, 0)
    assert found["upper"] == pytest.approx(z**2 / (20 + z**2))  # Wilson's of 0 of 20
