"""Variance inflation: rms, the formula of Fox and Monette, closed forms, what must not matter."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.collinearity import variance_inflation
from models.cox import CoxModel
from tests.assumptions_reference import COX, LOGISTIC, REFERENCE, TERMS, X, Y

R = REFERENCE["inflation"]
NAMES = list(X)
SINGLE = {name: [name] for name in NAMES}


@pytest.mark.parametrize("kind", ["cox", "logistic"])
def test_matches_rms_and_car(kind: str) -> None:
    covariance = COX.covariance_ if kind == "cox" else LOGISTIC.covariance_[1:, 1:]
    single = variance_inflation(covariance, NAMES, terms=SINGLE).table
    np.testing.assert_allclose(single["inflation"], R[f"rms_{kind}"], rtol=1e-8)
    whole = variance_inflation(covariance, NAMES, terms=TERMS).table
    np.testing.assert_allclose(whole["inflation"], R[f"gvif_{kind}"], rtol=1e-8)
    assert whole["df"].tolist() == [1, 1, 1, 2]
    np.testing.assert_allclose(whole["scaled"], whole["inflation"] ** (0.5 / whole["df"]))


def test_uncorrelated_coefficients_are_not_inflated() -> None:
    table = variance_inflation(np.diag([4.0, 9, 1]), list("abc"), terms={"a": "a", "b": "bc"}).table
    np.testing.assert_allclose(table["inflation"], 1, atol=1e-12)


def test_one_term_is_not_inflated_whatever_its_columns() -> None:
    table = variance_inflation([[2, 1.9], [1.9, 2]], ["x", "x'"], terms={"x": ["x", "x'"]}).table
    assert table["inflation"].item() == pytest.approx(1, abs=1e-12)


def test_near_copies_are_high_and_only_they() -> None:
    rng = np.random.default_rng(1)
    twin = X.assign(copy=X["age"] + rng.normal(scale=2.0, size=len(X)))
    model = CoxModel().fit(twin, Y)
    result = variance_inflation(model.covariance_, list(twin), terms={**SINGLE, "copy": ["copy"]})
    assert result.high["term"].tolist() == ["age", "copy"]
    assert repr(result).startswith("VarianceInflation(6 terms, most in")


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20)
def test_coding_of_a_term_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(9, 4))
    covariance = half.T @ half
    terms = {"a": ["w"], "b": ["x", "y"], "c": ["z"]}
    first = variance_inflation(covariance, list("wxyz"), terms=terms).table
    mix = np.eye(4)
    mix[1:3, 1:3] = rng.normal(size=(2, 2)) + 3 * np.eye(2)
    mix[0, 0] = -100.0  # another unit, the other way round
    again = variance_inflation(mix @ covariance @ mix.T, list("wxyz"), terms=terms).table
    np.testing.assert_allclose(again["inflation"], first["inflation"], rtol=1e-6)
    assert (first["inflation"] >= 1 - 1e-9).all()


@pytest.mark.parametrize(
    ("covariance", "names", "terms", "message"),
    [
        (np.eye(3), ["a", "b"], {"a": "a", "b": "b"}, r"per name \(2, 1 or more\), but shape"),
        (np.eye(0), [], {}, r"per name \(0, 1 or more\)"),
        (np.eye(2), ["a", "b"], {"a": ["a"]}, r"1 are absent, unknown or come twice \(first: 'b'"),
        (np.eye(2), ["a", "b"], {"a": "ab", "b": "b"}, r"come twice \(first: 'b'"),
        ([[1, 1], [1, 1]], ["a", "b"], {"a": "a", "b": "b"}, "must be positive definite"),
    ],
)
def test_wrong_input_is_named(covariance: Any, names: Any, terms: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        variance_inflation(covariance, names, terms=terms)
