"""Scaled Schoenfeld residuals and their curves: R's digits, then what must hold for any data."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cox import CoxModel
from models.own_patients import own_patients
from models.schoenfeld import schoenfeld_curves
from omics.outcome import survival_outcome
from tests.assumptions_reference import COX, REFERENCE, TERMS, X, Y

R = REFERENCE["schoenfeld"]


@pytest.mark.parametrize("transform", ["km", "identity", "rank", "log"])
def test_matches_r(transform: Any) -> None:
    result = schoenfeld_curves(COX, X, Y, terms=TERMS, transform=transform)
    expected = R[transform]
    for j, (_, part) in enumerate(result.residuals.groupby("term", sort=False)):
        ours = sorted(zip(part["time"], part["residual"], strict=True))
        theirs = sorted(zip(expected["time"], np.array(expected["residuals"])[:, j], strict=True))
        # sorted within tied times, whose order is nobody's
        np.testing.assert_allclose(ours, theirs, atol=1e-8)
        np.testing.assert_allclose(np.sort(part["transformed"]), np.sort(expected["x"]), atol=1e-10)
    for (_, curve), there in zip(
        result.curves.groupby("term", sort=False), expected["curves"], strict=True
    ):
        np.testing.assert_allclose(curve["transformed"], there["at"], atol=1e-10)
        np.testing.assert_allclose(curve["estimate"], there["estimate"], atol=1e-8)
        np.testing.assert_allclose(curve["standard_error"], there["standard_error"], atol=1e-8)
        half = 1.959963984540054 * curve["standard_error"]
        np.testing.assert_allclose(curve["upper"] - curve["estimate"], half)
        np.testing.assert_allclose(curve["estimate"] - curve["lower"], half)
    assert repr(result) == f"SchoenfeldCurves(4 terms, 99 events, {transform} time)"


def test_plain_residuals_match_r_and_add_up_to_nothing() -> None:
    found = own_patients(COX, X, Y).residuals
    times, plain = Y["time"][found.event_rows], found.schoenfeld
    expected = np.array(REFERENCE["schoenfeld_plain"])
    np.testing.assert_allclose(np.sort(plain, axis=0), np.sort(expected, axis=0), atol=1e-8)
    np.testing.assert_allclose(plain.sum(axis=0), 0, atol=1e-6)
    assert (np.diff(times) >= 0).all()


def test_three_deaths_by_hand() -> None:
    # Deaths at 1, 2, 3 of x = 1, 0, 1; u = exp(beta) = 1/sqrt(2) (see test_proportional_hazards).
    x, y = np.array([[1.0], [0], [1]]), survival_outcome([1, 2, 3], [1, 1, 1])
    model = CoxModel().fit(x, y)
    u = 1 / np.sqrt(2)
    a, b = 2 * u / (2 * u + 1), u / (1 + u)
    variance = 1 / (a * (1 - a) + b * (1 - b))
    expected = np.log(u) + 3 * variance * np.array([1 - a, -b, 0])
    result = schoenfeld_curves(model, x, y, terms={"x": ["x0"]})
    np.testing.assert_allclose(result.residuals["residual"], expected, atol=1e-6)
    assert result.fitted == {"x": pytest.approx(np.log(u), abs=1e-6)}
    assert len(result.curves) == 0  # three event times carry no curve of 4 degrees of freedom


def test_the_curve_follows_an_effect_that_fades() -> None:
    rng = np.random.default_rng(7)
    treated = rng.integers(0, 2, 2000).astype(float)
    early, late = np.where(treated == 1, 4.0, 1.0), np.where(treated == 1, 0.5, 1.0)
    need = rng.exponential(size=2000)
    time = np.where(need < early, need / early, 1 + (need - early) / late)
    x, y = pd.DataFrame({"treated": treated}), survival_outcome(time, np.ones(2000))
    result = schoenfeld_curves(CoxModel().fit(x, y), x, y, terms={"treated": ["treated"]})
    curve = result.curves
    # log hazard ratio 1.39 before time 1 and -0.69 after it
    assert curve["upper"].iloc[-1] < 0.2 < result.fitted["treated"] < curve["lower"].iloc[0]
    assert np.corrcoef(curve["estimate"], curve["transformed"])[0, 1] < -0.7
    assert result.fitted["treated"] == pytest.approx(result.residuals["residual"].mean(), abs=1e-6)


def test_a_term_of_several_columns_is_a_multiple_of_its_effect() -> None:
    result = schoenfeld_curves(COX, X, Y, terms=TERMS)
    assert result.fitted["grade"] == 1.0
    grade = result.residuals[result.residuals["term"] == "grade"]
    assert grade["residual"].mean() == pytest.approx(1, abs=1e-6)


@given(seed=st.integers(0, 10**6), transform=st.sampled_from(["km", "identity", "rank", "log"]))
@settings(max_examples=10, deadline=None)
def test_order_and_unit_of_time_do_not_matter(seed: int, transform: Any) -> None:
    rng = np.random.default_rng(seed)
    x, time = rng.normal(size=(60, 2)), np.ceil(10 * rng.exponential(size=60))
    event, order = rng.random(60) < 0.8, rng.permutation(60)
    terms = {"a": ["x0"], "b": ["x1"]}
    y = survival_outcome(time, event)
    first = schoenfeld_curves(CoxModel().fit(x, y), x, y, terms=terms, transform=transform)
    y = survival_outcome(time[order] / 30.4375, event[order])
    again = schoenfeld_curves(
        CoxModel().fit(x[order], y), x[order], y, terms=terms, transform=transform
    )
    for name in ("estimate", "standard_error"):
        np.testing.assert_allclose(again.curves[name], first.curves[name], rtol=1e-5, atol=1e-5)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"4 are absent \(first: \['volume'\]\)"):
        schoenfeld_curves(COX, X, Y, terms={"age": ["age"]})
    with pytest.raises(ValueError, match="'km', 'identity', 'rank' or 'log', but 'sqrt' came"):
        schoenfeld_curves(COX, X, Y, terms=TERMS, transform="sqrt")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one row per patient"):
        schoenfeld_curves(COX, X.iloc[:9], Y, terms=TERMS)
