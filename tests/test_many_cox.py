"""Many resamples at once: one at a time gives the same, R gives the same, failures are told."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.cox_fit import cox_fit
from models.many_cox import fit_many_cox

REFERENCE = json.loads((Path(__file__).parent / "reference" / "many_cox.json").read_text())
TABLE = pd.DataFrame(REFERENCE["data"])
X = TABLE[["age", "mutant", "marker"]].to_numpy(dtype=float)
TIME, EVENT = TABLE["time"].to_numpy(dtype=float), TABLE["event"].to_numpy(dtype=bool)
DRAWS = np.array(REFERENCE["draws"])
COUNTS = np.array([np.bincount(rows, minlength=len(TIME)) for rows in DRAWS])
Floats = NDArray[np.float64]


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_equals_coxph_on_the_drawn_rows(ties: str) -> None:
    many = fit_many_cox(X, TIME, EVENT, COUNTS, ties=ties)
    expected = REFERENCE[ties]
    assert many.converged.all()
    np.testing.assert_allclose(many.coef, [one["coef"] for one in expected], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(many.log_likelihood, [one["loglik"] for one in expected], rtol=1e-10)


def test_stops_where_rms_stops() -> None:
    many = fit_many_cox(X, TIME, EVENT, COUNTS, relative_tolerance=1e-4, max_iterations=10)
    expected = np.array([one["coef"] for one in REFERENCE["loose"]])
    np.testing.assert_allclose(many.coef, expected, rtol=1e-9)
    # and that is not the maximum
    assert np.abs(expected - [one["coef"] for one in REFERENCE["efron"]]).max() > 1e-6


def test_equals_one_at_a_time() -> None:
    start = cox_fit(X, TIME, EVENT).coef
    many = fit_many_cox(X, TIME, EVENT, COUNTS, start=start)
    for b, rows in enumerate(DRAWS):
        alone = cox_fit(X[rows], TIME[rows], EVENT[rows])
        np.testing.assert_allclose(many.coef[b], alone.coef, rtol=1e-7, atol=1e-10)
        assert many.log_likelihood[b] == pytest.approx(alone.log_likelihood, rel=1e-11)


def test_by_hand() -> None:
    # x = 1, 0, 1 die in turn: L = u/(2u+1) * 1/(1+u), largest at u = 1/sqrt(2)
    many = fit_many_cox([[1.0], [0.0], [1.0]], [1, 2, 3], [1, 1, 1], [[1, 1, 1]])
    assert np.exp(many.coef[0, 0]) == pytest.approx(1 / np.sqrt(2), abs=1e-10)
    assert many.log_likelihood[0, 0] == pytest.approx(-np.log(6), abs=1e-12)


def test_a_design_for_each_resample() -> None:
    # the slope of a linear predictor in the patients it was fitted to is 1
    coef = fit_many_cox(X, TIME, EVENT, COUNTS).coef
    designs = (coef @ X.T)[:, :, np.newaxis]
    slopes = fit_many_cox(designs, TIME, EVENT, COUNTS)
    np.testing.assert_allclose(slopes.coef, 1.0, atol=1e-7)
    for b, rows in enumerate(DRAWS):
        fresh = cox_fit(designs[b], TIME, EVENT)
        whole = fit_many_cox(designs[[b]], TIME, EVENT, np.ones((1, len(TIME))))
        assert whole.coef[0] == pytest.approx(fresh.coef, rel=1e-7), rows[:3]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), unit=st.sampled_from([1.0, 30.4375, 1 / 12]))
def test_order_unit_and_scale_change_nothing(seed: int, unit: float) -> None:
    rng = np.random.default_rng(seed)
    n = 40
    x = rng.normal(size=(n, 2))
    time, event = np.ceil(8 * rng.exponential(size=n)), rng.random(n) < 0.7
    counts = rng.multinomial(n, np.full(n, 1 / n), size=3)
    one = fit_many_cox(x, time, event, counts)
    order = rng.permutation(n)
    other = fit_many_cox(x[order] * 1000 + 5, time[order] * unit, event[order], counts[:, order])
    np.testing.assert_array_equal(one.converged, other.converged)
    np.testing.assert_allclose(other.coef * 1000, one.coef, rtol=1e-6, atol=1e-8)


def test_copies_of_everybody_are_ties() -> None:
    twice = np.repeat(np.arange(len(TIME)), 2)
    alone = cox_fit(X[twice], TIME[twice], EVENT[twice])
    many = fit_many_cox(X, TIME, EVENT, np.full((1, len(TIME)), 2))
    np.testing.assert_allclose(many.coef[0], alone.coef, rtol=1e-7)


def test_failures_are_told_and_the_others_stand() -> None:
    no_event = EVENT == 0
    same = X[:, 1] == 0  # the second column is constant among these
    separated = ~(EVENT & (X[:, 1] == 1))  # no mutant with an event
    counts = np.array([np.ones(len(TIME)), no_event, same, separated, np.ones(len(TIME))])
    many = fit_many_cox(X, TIME, EVENT, counts)
    assert many.converged.tolist() == [True, False, False, False, True]
    assert np.isnan(many.coef[1:4]).all()
    np.testing.assert_allclose(many.coef[0], cox_fit(X, TIME, EVENT).coef, rtol=1e-7)
    np.testing.assert_allclose(many.coef[4], many.coef[0], rtol=1e-10)
    assert repr(many) == "ManyCox(5 resamples, 3 without a fit)"


def test_collinear_columns_fail_in_every_resample() -> None:
    many = fit_many_cox(np.column_stack([X, X[:, 0] + X[:, 1]]), TIME, EVENT, COUNTS)
    assert not many.converged.any()


def test_without_columns_and_without_events() -> None:
    null = fit_many_cox(X[:, :0], TIME, EVENT, COUNTS)
    np.testing.assert_allclose(null.log_likelihood[:, 0], null.log_likelihood[:, 1])
    assert null.converged.all()
    assert not fit_many_cox(X, TIME, np.zeros_like(EVENT), COUNTS).converged.any()


def test_five_patients_one_event() -> None:
    x, time = np.array([[0.3], [1.0], [-0.2], [0.8], [0.1]]), np.arange(1.0, 6)
    event = np.array([0, 0, 1, 0, 0], dtype=bool)
    many = fit_many_cox(x, time, event, np.ones((1, 5)))
    assert not many.converged[0]  # the lowest of those at risk had the event: minus infinity


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"counts must be whole numbers.*1 of 60 are not"):
        fit_many_cox(X, TIME, EVENT, np.where(np.arange(len(TIME)) == 3, 0.5, 1)[np.newaxis])
    with pytest.raises(ValueError, match=r"counts must have.*60 patients, but shape \(2, 59\)"):
        fit_many_cox(X, TIME, EVENT, np.ones((2, 59)))
    with pytest.raises(ValueError, match=r"x must be finite.*1 values"):
        fit_many_cox([[np.nan]], [1.0], [True], [[1]])
    with pytest.raises(ValueError, match=r"one design for each of 6 resamples, but 2 came"):
        fit_many_cox(np.zeros((2, 60, 1)), TIME, EVENT, COUNTS)
