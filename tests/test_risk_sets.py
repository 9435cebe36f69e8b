"""Sums over risk sets are those of their definition, and shared columns give what own ones do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.risk_sets import OwnColumns, RiskSets, SharedColumns

Floats = NDArray[np.float64]


def test_by_hand() -> None:
    sets = RiskSets(np.array([4.0, 1, 2, 2, 3]), np.array([False, True, True, True, False]))
    assert sets.event_times.tolist() == [2.0, 1.0]
    assert sets.order.tolist() == [0, 4, 2, 3, 1]
    columns = SharedColumns(sets, np.array([[1.0], [2], [3], [4], [5]]))
    weight = np.array([[1.0, 1, 1, 1, 1], [2, 0, 1, 0, 3]])
    assert columns.of_risk_sets(weight)[:, 0].tolist() == [[10.0, 15.0], [5.0, 20.0]]
    assert columns.of_deaths(weight)[:, 0].tolist() == [[7.0, 5.0], [3.0, 15.0]]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 90), months=st.sampled_from([3, 20, 1000]))
def test_sums_are_those_of_the_definition(seed: int, n: int, months: int) -> None:
    rng = np.random.default_rng(seed)
    time = rng.integers(1, months + 1, n).astype(float)
    event = rng.random(n) < 0.6
    event[rng.integers(n)] = True
    x, weight = rng.normal(size=(n, 2)), rng.poisson(1, (3, n)) * rng.random((3, n))
    sets = RiskSets(time, event)
    ordered, of = x[sets.order], weight[:, sets.order]
    at_risk = time >= sets.event_times[:, np.newaxis]
    dying = event & (time == sets.event_times[:, np.newaxis])
    for columns in (
        SharedColumns(sets, ordered),
        OwnColumns(sets, np.repeat(ordered[np.newaxis], 3, axis=0)),
    ):
        for found, who in ((columns.of_risk_sets(of), at_risk), (columns.of_deaths(of), dying)):
            expected = np.einsum("bi,ki,ij->bjk", weight, who, x)
            np.testing.assert_allclose(found, expected, atol=1e-12)
        np.testing.assert_allclose(columns.sums(of), weight @ x, atol=1e-12)
        squares = np.einsum("bi,ij,ik->bjk", weight, x, x)
        np.testing.assert_allclose(columns.squares(of), squares, atol=1e-12)
        assert columns.spread == pytest.approx(x.max(axis=0) - x.min(axis=0))


def test_chosen_resamples_keep_their_own_columns() -> None:
    sets = RiskSets(np.array([1.0, 2.0]), np.array([True, True]))
    x = np.arange(6.0).reshape(3, 2, 1)
    chosen = OwnColumns(sets, x).rows(np.array([2]))
    assert chosen.linear_predictors(np.array([[1.0]])).tolist() == [[4.0, 5.0]]


def test_nobody_dies() -> None:
    sets = RiskSets(np.array([1.0, 2.0]), np.array([False, False]))
    columns = SharedColumns(sets, np.ones((2, 3)))
    assert columns.of_risk_sets(np.ones((4, 2))).shape == (4, 3, 0)
    assert columns.of_deaths(np.ones((4, 2))).shape == (4, 3, 0)
