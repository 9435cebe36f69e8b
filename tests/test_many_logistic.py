"""Logistic regressions of many resamples: each the fit of the drawn rows alone."""

import numpy as np
import pytest

from models.logistic import logistic_fit
from models.many_logistic import fit_many_logistic
from tests.validation_reference import CLASS, COUNTS, X


def test_each_resample_is_the_fit_of_its_drawn_rows() -> None:
    many = fit_many_logistic(X, CLASS, COUNTS)
    assert many.converged.all()
    for b in range(0, len(COUNTS), 7):
        rows = np.repeat(np.arange(len(X)), COUNTS[b])
        alone = logistic_fit(X[rows], CLASS[rows])
        np.testing.assert_allclose(many.coef[b], [alone.intercept, *alone.coef], atol=1e-7)
        np.testing.assert_allclose(many.log_likelihood[b], alone.log_likelihood, atol=1e-8)


def test_own_designs_are_fitted_each() -> None:
    designs = np.stack([X, X * 2, X - 5])
    many = fit_many_logistic(designs, CLASS, COUNTS[:3] * 0 + 1)
    np.testing.assert_allclose(many.coef[1, 1:], many.coef[0, 1:] / 2, atol=1e-8)
    np.testing.assert_allclose(many.coef[2, 1:], many.coef[0, 1:], atol=1e-8)
    assert many.coef[2, 0] == pytest.approx(many.coef[0, 0] + 5 * many.coef[0, 1:].sum())


def test_resamples_without_a_finite_fit_are_nan() -> None:
    x, event = np.array([[0.0], [1], [2], [3], [4], [5]]), np.array([0, 0, 1, 0, 1, 1], bool)
    counts = np.array(
        [[1, 1, 1, 1, 1, 1], [2, 1, 0, 1, 0, 0], [2, 2, 0, 1, 1, 1], [0, 0, 3, 0, 0, 0]]
    )
    many = fit_many_logistic(x, event, counts)
    assert many.converged.tolist() == [True, False, False, False]  # one class; separated; constant
    assert np.isnan(many.coef[1:]).all()
    assert repr(many) == "ManyLogistic(4 resamples, 3 without a fit)"


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"x must have one row for each of 150 patients"):
        fit_many_logistic(X[1:], CLASS, COUNTS)
    with pytest.raises(ValueError, match=r"x must be finite, but 150 of 600"):
        fit_many_logistic(np.where(X[:, :1] == X, np.nan, X)[:, [0, 1, 2, 3]], CLASS, COUNTS)
    with pytest.raises(ValueError, match=r"counts must have one column for each of 150"):
        fit_many_logistic(X, CLASS, COUNTS[:, 1:])
    with pytest.raises(ValueError, match=r"x must have one design for each of 40 resamples"):
        fit_many_logistic(np.stack([X, X]), CLASS, COUNTS)
    with pytest.raises(ValueError, match=r"counts must be whole numbers of 0 or above"):
        fit_many_logistic(X, CLASS, COUNTS / 2)
