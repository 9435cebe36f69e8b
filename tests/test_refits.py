"""Pseudo-observations and second fits: the definition, and R's estimating equation."""

import numpy as np
import pytest
from hypothesis import given

from models.refits import cloglog_intercept, cox_risk, pseudo_observations
from models.survival_curves import survival_at
from tests.metrics_reference import EVENT, TIME, Sample, samples


@given(samples())
def test_pseudo_observations_are_their_definition(s: Sample) -> None:
    n, horizon = len(s.time), s.time.max() - 0.5
    risk = 1 - float(survival_at(s.time, s.event, horizon))
    expected = []
    for i in range(n):
        others = np.arange(n) != i
        # Without its longest-followed patient the rest may end before: their curve goes on level.
        at = min(horizon, s.time[others].max())
        left_out = 1 - float(survival_at(s.time[others], s.event[others], at))
        expected.append(n * risk - (n - 1) * left_out)
    found = pseudo_observations(s.time, s.event, horizon=horizon)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@given(samples())
def test_without_censoring_they_are_the_outcomes(s: Sample) -> None:
    found = pseudo_observations(s.time, np.ones(len(s.time), dtype=bool), horizon=4)
    np.testing.assert_allclose(found, s.time <= 4, atol=1e-9)


def test_cloglog_intercept_solves_its_equation() -> None:
    outcome = pseudo_observations(TIME, EVENT, horizon=24)
    offset = np.linspace(-2, 1, len(outcome))
    level = cloglog_intercept(outcome, offset)
    hazard = np.exp(level + offset)
    assert hazard * np.exp(-hazard) @ (outcome - 1 + np.exp(-hazard)) == pytest.approx(0, abs=1e-8)


def test_cloglog_intercept_without_a_finite_answer() -> None:
    assert np.isnan(cloglog_intercept(np.zeros(4), np.zeros(4)))


def test_cox_risk_of_one_binary_column_by_hand() -> None:
    # Two tied deaths, one per group: Efron's denominators 4 and 4 - (u + 1) / 2, at u = 1.
    x = np.array([[0.0], [1.0], [0.0], [1.0]])
    time, event = np.array([1.0, 1, 2, 2]), np.array([True, True, False, False])
    found = cox_risk(x, time, event, horizon=1.0, at=np.array([[0.0]]))
    assert found[0] == pytest.approx(1 - np.exp(-(1 / 4 + 1 / 3)), abs=1e-9)


def test_cox_risk_of_collinear_columns_is_unknown() -> None:
    x = np.column_stack([TIME, 2 * TIME])
    assert np.isnan(cox_risk(x, TIME, EVENT, horizon=24, at=x)).all()
