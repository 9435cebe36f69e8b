"""ROC curves: hand-worked points, pROC's and riskRegression's figures, edges."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.discrimination import auc_at, roc_auc
from models.measured import paired_difference
from models.roc import measured_brier, measured_roc_auc, roc_curve, roc_curve_at
from tests.discrimination_reference import COMPETING, EVENT, RISK, TIME, R, row
from tests.metrics_reference import Sample, samples

BINARY: dict[str, Any] = R["binary"]
Y, P, Q = (np.array(BINARY[name]) for name in ("y", "p", "q"))


def area(table: Any) -> float:
    fall = 1 - table["specificity"].to_numpy()
    return float(np.trapezoid(table["sensitivity"].to_numpy(), fall))


# ---- R


def test_p_roc_delong() -> None:
    first, second = measured_roc_auc(Y, P), measured_roc_auc(Y, Q)
    assert first.estimate == pytest.approx(BINARY["auc"], abs=1e-12)
    assert first.standard_error**2 == pytest.approx(BINARY["var"], abs=1e-14)
    assert [first.lower, first.estimate, first.upper] == pytest.approx(BINARY["ci"], abs=1e-12)
    covariance = first.contributions @ second.contributions
    assert covariance == pytest.approx(BINARY["covariance"], abs=1e-14)
    test = paired_difference(first, second)
    assert test.z == pytest.approx(BINARY["z"], abs=1e-10)
    assert test.p_value == pytest.approx(BINARY["p_value"], abs=1e-12)
    assert [test.lower, test.upper] == pytest.approx(BINARY["difference_ci"], abs=1e-12)


def test_p_roc_points() -> None:
    table, points = roc_curve(Y, P).table, BINARY["points"]
    found = sorted(zip(table["sensitivity"], table["specificity"], strict=True))
    expected = sorted(zip(points["sensitivity"], points["specificity"], strict=True))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_risk_regression_brier() -> None:
    ours, other = measured_brier(Y, P), measured_brier(Y, Q)
    expected = row(BINARY["brier"], model="a")
    assert ours.estimate == pytest.approx(expected["Brier"], abs=1e-12)
    assert ours.standard_error == pytest.approx(expected["se"], abs=1e-12)
    test = row(BINARY["brier_difference"], model="b")
    assert paired_difference(other, ours).p_value == pytest.approx(test["p"], abs=1e-12)


# ---- by hand


def test_delong_by_hand() -> None:
    # Placements: .35 beats .1 alone, .8 beats both; .1 loses to both, .4 to .8 alone. Each kind has
    # 1/2 and 1: variance 1/8, over 2 patients, twice.
    found = measured_roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    assert found.standard_error == pytest.approx(np.sqrt(1 / 8), abs=1e-15)


def test_points_by_hand() -> None:
    table = roc_curve([0, 1, 1, 0], [1, 1, 2, 0]).table
    assert table.to_numpy().tolist() == [[np.inf, 0, 1], [2, 0.5, 1], [1, 1, 0.5], [0, 1, 0]]


# ---- properties


@given(samples(min_size=3))
def test_the_area_lies_under_the_curve(s: Sample) -> None:
    curve = roc_curve(s.event, s.score)
    if not s.event.all():
        assert area(curve.table) == pytest.approx(roc_auc(s.event, s.score), abs=1e-12)
    followed = roc_curve_at(*s, horizon=4)
    expected = auc_at(*s, horizon=4)
    assert followed.auc.estimate == pytest.approx(expected, abs=1e-12, nan_ok=True)
    if np.isnan(expected):
        assert followed.table.empty
    else:
        assert area(followed.table) == pytest.approx(expected, abs=1e-12)


@given(samples(min_size=5), st.integers(0, 99))
def test_order_and_direction(s: Sample, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(len(s.time))
    one = measured_roc_auc(s.event, s.score)
    again = measured_roc_auc(s.event[shuffled], -s.score[shuffled])
    np.testing.assert_allclose(again.contributions, -one.contributions[shuffled], atol=1e-12)


def test_competing_events_are_controls() -> None:
    found = roc_curve_at(TIME, EVENT, RISK[1], horizon=12, competing=COMPETING)
    assert area(found.table) == pytest.approx(found.auc.estimate, abs=1e-12)


# ---- edges


def test_one_class_a_missing_score_and_one_of_a_class() -> None:
    one_class = roc_curve([1, 1], [0.2, 0.3])
    assert one_class.table.empty
    assert np.isnan(one_class.auc.estimate)
    assert np.isnan(roc_curve([0, 1], [0.2, np.nan]).auc.standard_error)
    alone = measured_roc_auc([0, 0, 1], [0.1, 0.5, 0.3])
    assert alone.estimate == 0.5
    assert np.isnan(alone.standard_error)


def test_tied_scores_say_nothing() -> None:
    found = measured_roc_auc([0, 0, 1, 1, 1], np.ones(5))
    assert (found.estimate, found.standard_error) == (0.5, 0)


def test_text_and_wrong_input() -> None:
    assert repr(roc_curve(Y, P)).startswith("RocCurve(")
    with pytest.raises(ValueError, match="one value per patient"):
        roc_curve([0, 1], [0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="level must lie between"):
        measured_brier([0, 1], [0.1, 0.2], level=0)
