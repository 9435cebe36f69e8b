"""Lowess: a line is kept, and R's and statsmodels' figures come out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.nonparametric.smoothers_lowess import lowess as statsmodels_lowess

from models.lowess import lowess
from tests.metrics_reference import POSITIVE, PROBABILITY, R


@given(
    x=st.lists(st.integers(-20, 20), min_size=2, max_size=30),
    slope=st.integers(-3, 3),
)
def test_a_straight_line_is_kept(x: list[int], slope: int) -> None:
    values = np.array(x, dtype=float)
    smooth = lowess(values, 1 + slope * values, at=values)
    # Too few neighbours on one side leave R's flat stretch; a line through distinct points stays.
    if len(set(x)) == len(x) > 5 or slope == 0:
        np.testing.assert_allclose(smooth, 1 + slope * values, atol=1e-8)
    assert np.isnan(lowess(values, values, at=np.array([21.0]))).all()


@pytest.mark.parametrize("n", [2, 3, 7, 60, 700])
def test_statsmodels_agrees_on_distinct_values(n: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.random(n)
    y = (rng.random(n) < x).astype(float)
    expected = statsmodels_lowess(y, x, frac=2 / 3, it=0, delta=0.01 * np.ptp(x))
    # Not tighter: its last few values differ from R's, and ours do not (next test).
    np.testing.assert_allclose(lowess(x, y, at=expected[:, 0]), expected[:, 1], atol=1e-5)


def test_r_on_700_distinct_values() -> None:
    i = np.arange(1, 701)
    x = (i * 0.6180339887498949) % 1
    y = (x > (i * 0.7548776662466927) % 1).astype(float)
    ranks = np.array([1, 2, 100, 350, 600, *range(695, 701)])
    found = lowess(x, y, at=np.sort(x)[ranks - 1])
    np.testing.assert_allclose(found, R["lowess_many"], atol=1e-12)


def test_r_with_tied_predictions() -> None:
    found = lowess(PROBABILITY, POSITIVE.astype(float), at=np.array(R["data"]["grid"]))
    np.testing.assert_allclose(found, R["binary"]["observed"], atol=1e-9)


def test_r_where_a_whole_neighbourhood_shares_one_prediction() -> None:
    x = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.4, 0.4, 0.9])
    y = np.array([0, 0, 1, 0, 0, 1, 0, 1, 1.0])
    found = lowess(x, y, at=np.array([0.1, 0.4, 0.9]))
    np.testing.assert_allclose(found, R["lowess_tied"], atol=1e-9)


def test_one_patient_has_no_curve() -> None:
    assert np.isnan(lowess(np.array([0.5]), np.array([1.0]), at=np.array([0.5]))).all()
