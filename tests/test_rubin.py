"""Rubin's rules: worked by hand, against R's arithmetic, and what must hold for any estimates."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rubin import pooled_wald, rubin
from tests.realdata import ROOT

R: dict[str, Any] = json.loads((ROOT / "tests/reference/rubin.json").read_text(encoding="utf-8"))


def test_as_in_r() -> None:
    pooled = rubin(R["estimates"], R["covariances"], complete_df=R["complete_df"])
    table = pooled.table(["Intercept", "x", "z"])
    for column in ("estimate", "standard_error", "lower", "upper", "df", "p_value", "fmi"):
        np.testing.assert_allclose(table[column], R[column], rtol=1e-10)
    test = pooled_wald(pooled, [1, 2])
    assert (test.f, test.residual_df) == pytest.approx((R["d1"], R["residual_df"]), rel=1e-10)
    assert test.p_value == pytest.approx(R["d1_p_value"], rel=1e-10)


def test_by_hand_with_finite_degrees_of_freedom() -> None:
    # Three estimates 1, 2, 3 with variance 1: B = 1, T = 7/3, lambda = 4/7, r = 4/3. With 10 df:
    # observed 11/13 * 10 * 3/7, old 2 / (4/7)^2.
    pooled = rubin([[1.0], [2.0], [3.0]], np.ones((3, 1, 1)), complete_df=10)
    df = 1 / (1 / (2 / (4 / 7) ** 2) + 1 / (11 / 13 * 10 * 3 / 7))
    row = pooled.table(["x"]).iloc[0]
    assert row["df"] == pytest.approx(df, rel=1e-12)
    assert row["fmi"] == pytest.approx((4 / 3 + 2 / (df + 3)) / (7 / 3), rel=1e-12)
    assert row["relative_efficiency"] == pytest.approx(1 / (1 + row["fmi"] / 3), rel=1e-12)
    assert row["t"] == pytest.approx(2 / np.sqrt(7 / 3), rel=1e-12)


def test_equal_estimates_are_the_complete_data() -> None:
    covariance = np.array([[2.0, 0.5], [0.5, 1.0]])
    pooled = rubin(np.tile([1.0, -1.0], (5, 1)), np.tile(covariance, (5, 1, 1)))
    np.testing.assert_array_equal(pooled.total, covariance)
    table = pooled.table(["a", "b"])
    assert table["fmi"].tolist() == [0, 0]
    assert np.isinf(table["df"]).all()
    expected = np.array([1, -1]) @ np.linalg.solve(covariance, [1, -1])
    assert 2 * pooled_wald(pooled, [0, 1]).f == pytest.approx(expected, rel=1e-12)
    assert rubin([[1.0]], [[[1.0]]]).table(["a"])["fmi"].item() == 0  # one: nothing was missing


@given(scale=st.floats(0.01, 100), shift=st.permutations(range(8)))
def test_units_and_order_change_nothing(scale: float, shift: list[int]) -> None:
    estimates, covariances = np.array(R["estimates"]), np.array(R["covariances"])
    one = rubin(estimates, covariances, complete_df=57)
    other = rubin(scale * estimates[shift], scale**2 * covariances[shift], complete_df=57)
    np.testing.assert_allclose(other.estimate, scale * one.estimate, rtol=1e-9)
    np.testing.assert_allclose(other.df, one.df, rtol=1e-9)
    np.testing.assert_allclose(other.fmi, one.fmi, rtol=1e-9)
    assert pooled_wald(other, [1, 2]).f == pytest.approx(pooled_wald(one, [1, 2]).f, rel=1e-9)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"covariances must hold one square matrix per imputation"):
        rubin([[1.0, 2.0]], [[[1.0]]])
    with pytest.raises(ValueError, match=r"estimates must be finite, but 1 of 2 imputations"):
        rubin([[1.0], [np.nan]], np.ones((2, 1, 1)))
    with pytest.raises(ValueError, match=r"complete_df must be above zero, but -2 came"):
        rubin([[1.0]], [[[1.0]]], complete_df=-2)
    with pytest.raises(ValueError, match=r"chosen must hold a coefficient"):
        pooled_wald(rubin([[1.0]], [[[1.0]]]), [])
