"""Logistic regression: closed forms, R's numbers, then what must hold for any data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from statsmodels.discrete.discrete_model import Logit

from models.logistic import LogisticModel, logistic_fit
from models.regression import RIDGE_GRID
from omics.errors import ConvergenceWarning, FitError
from tests.manners import check_manners

REFERENCE = json.loads((Path(__file__).parent / "reference" / "logistic.json").read_text())
TABLE = pd.DataFrame(REFERENCE["data"])
COLUMNS = ["age", "volume", "mutant"]
X = TABLE[COLUMNS].astype(float)
Y = TABLE["event"].to_numpy() == 1
Floats = NDArray[np.float64]


def all_coefficients(model: LogisticModel) -> Floats:
    return np.concatenate([[model.intercept_], model.coef_])


def simulated(seed: int, n: int = 60, p: int = 3) -> tuple[Floats, NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    return x, rng.random(n) < expit(0.5 + 0.7 * x[:, 0])


# ---- closed forms


def test_two_by_two_table_by_hand() -> None:
    # exposed 12 of 20, others 5 of 20: odds ratio (12/8)/(5/15), variance 1/12+1/8+1/5+1/15
    x = np.repeat([1.0, 0.0], 20)[:, np.newaxis]
    event = np.r_[np.ones(12), np.zeros(8), np.ones(5), np.zeros(15)]
    fit = logistic_fit(x, event)
    assert fit.coef[0] == pytest.approx(np.log(4.5), abs=1e-10)
    assert fit.intercept == pytest.approx(np.log(5 / 15), abs=1e-10)
    assert fit.covariance[1, 1] == pytest.approx(1 / 12 + 1 / 8 + 1 / 5 + 1 / 15, rel=1e-8)
    assert fit.covariance[0, 0] == pytest.approx(1 / 5 + 1 / 15, rel=1e-8)
    alone = 17 * np.log(17 / 40) + 23 * np.log(23 / 40)
    both = 12 * np.log(0.6) + 8 * np.log(0.4) + 5 * np.log(0.25) + 15 * np.log(0.75)
    np.testing.assert_allclose(fit.log_likelihood, [alone, both], atol=1e-10)


def test_without_columns_the_intercept_is_the_log_odds() -> None:
    model = LogisticModel(ridge="aic").fit(np.empty((5, 0)), [1, 0, 0, 0, 1])
    assert model.intercept_ == pytest.approx(logit(0.4), abs=1e-12)
    np.testing.assert_allclose(model.risk(np.empty((2, 0))), 0.4)
    assert model.log_likelihood_[0] == pytest.approx(model.log_likelihood_[1], abs=1e-12)
    assert model.coefficients["term"].tolist() == ["Intercept"]


def test_offset_alone_moves_the_intercept() -> None:
    event = [1, 0, 0, 0, 1]
    fit = logistic_fit(np.empty((5, 0)), event, offset=np.full(5, 2.0))
    assert fit.intercept == pytest.approx(logit(0.4) - 2, abs=1e-10)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_mean_risk_is_the_observed_share_and_residuals_are_orthogonal(seed: int) -> None:
    x, y = simulated(seed)
    residual = y - LogisticModel().fit(x, y).risk(x)
    assert residual.sum() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(residual @ x, 0, atol=1e-6)


# ---- reference software


def test_matches_r_glm() -> None:
    frozen = REFERENCE["plain"]
    model = LogisticModel().fit(X, Y)
    np.testing.assert_allclose(all_coefficients(model), frozen["coef"], atol=1e-10)
    np.testing.assert_allclose(model.covariance_, frozen["covariance"], atol=1e-9)
    np.testing.assert_allclose(model.log_likelihood_, frozen["log_likelihood"], atol=1e-10)
    np.testing.assert_allclose(model.risk(X), frozen["risk"], atol=1e-10)
    table = model.coefficients
    np.testing.assert_allclose(table["z"], frozen["z"], rtol=1e-8)
    np.testing.assert_allclose(table["p_value"], frozen["p_value"], rtol=1e-8)
    assert table["term"].tolist() == ["Intercept", *COLUMNS]
    half = 1.959963984540054 * np.sqrt(np.diag(frozen["covariance"]))[1:]
    odds = np.exp(np.array(frozen["coef"][1:])[:, np.newaxis] + np.outer(half, [0, -1, 1]))
    np.testing.assert_allclose(table.loc[1:, ["odds_ratio", "lower", "upper"]], odds, rtol=1e-8)
    assert table.loc[0, ["odds_ratio", "lower", "upper"]].isna().all()


def test_offset_matches_r_glm() -> None:
    frozen = REFERENCE["offset"]
    fit = logistic_fit(X[["age"]], Y, offset=TABLE["offset"])
    np.testing.assert_allclose([fit.intercept, *fit.coef], frozen["coef"], atol=1e-10)
    np.testing.assert_allclose(fit.covariance, frozen["covariance"], atol=1e-9)
    np.testing.assert_allclose(fit.log_likelihood, frozen["log_likelihood"], atol=1e-10)


def test_ridge_matches_rms_lrm() -> None:
    frozen = REFERENCE["ridge"]
    model = LogisticModel(ridge=frozen["lambda"]).fit(X, Y)
    np.testing.assert_allclose(all_coefficients(model), frozen["coef"], atol=1e-9)
    np.testing.assert_allclose(model.covariance_, frozen["covariance"], atol=1e-9)
    null, fitted = model.log_likelihood_
    assert 2 * (fitted - null) == pytest.approx(frozen["likelihood_ratio"], abs=1e-8)
    assert model.effective_parameters_ == pytest.approx(frozen["df"], abs=1e-8)


def test_ridge_by_aic_matches_rms_lrm() -> None:
    frozen = REFERENCE["aic"]
    np.testing.assert_allclose(RIDGE_GRID * len(Y) * Y.mean() * (1 - Y.mean()), frozen["ridge"])
    model = LogisticModel(ridge="aic").fit(X, Y)
    best = np.argmax(frozen["aic"])
    assert 0 < best < len(RIDGE_GRID) - 1
    assert model.ridge_ == pytest.approx(frozen["ridge"][best])
    null, fitted = model.log_likelihood_
    aic = 2 * (fitted - null) - 2 * model.effective_parameters_
    assert aic == pytest.approx(frozen["aic"][best], abs=1e-6)


def test_matches_statsmodels() -> None:
    design = np.column_stack([np.ones(len(X)), X])
    fit = Logit(Y.astype(float), design).fit(disp=0, method="newton", tol=1e-12)
    np.testing.assert_allclose(all_coefficients(LogisticModel().fit(X, Y)), fit.params, atol=1e-8)


# ---- properties


@given(seed=st.integers(0, 10**6), ridge=st.sampled_from([0.0, 3.0, "aic"]))
@settings(max_examples=20, deadline=None)
def test_order_unit_and_sign_do_not_matter(seed: int, ridge: Any) -> None:
    x, y = simulated(seed)
    scale, shift = np.array([1e-3, -1.0, 1e4]), np.array([5.0, 0.0, -3e5])
    order = np.random.default_rng(seed).permutation(len(x))
    first = LogisticModel(ridge=ridge).fit(x, y)
    again = LogisticModel(ridge=ridge).fit((x * scale + shift)[order], y[order])
    np.testing.assert_allclose(again.coef_ * scale, first.coef_, atol=1e-7)
    np.testing.assert_allclose(again.risk(x * scale + shift), first.risk(x), atol=1e-7)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_the_other_class_mirrors_everything(seed: int) -> None:
    x, y = simulated(seed)
    first, mirrored = LogisticModel().fit(x, y), LogisticModel().fit(x, ~y)
    np.testing.assert_allclose(all_coefficients(mirrored), -all_coefficients(first), atol=1e-7)
    np.testing.assert_allclose(mirrored.risk(x), 1 - first.risk(x), atol=1e-7)


def test_larger_ridge_shrinks_towards_the_observed_share() -> None:
    fits = [LogisticModel(ridge=ridge).fit(X, Y) for ridge in (0, 1, 10, 1e7)]
    freedom = [fit.effective_parameters_ for fit in fits]
    assert freedom == sorted(freedom, reverse=True)
    assert freedom[0] == 3
    np.testing.assert_allclose(fits[-1].risk(X), Y.mean(), atol=1e-4)


def test_ridge_satisfies_its_own_score_equation() -> None:
    model = LogisticModel(ridge=4.0).fit(X, Y)
    score = (Y - model.risk(X)) @ X.to_numpy()
    np.testing.assert_allclose(score, 4.0 * X.var().to_numpy() * model.coef_, atol=1e-6)
    assert (Y - model.risk(X)).sum() == pytest.approx(0, abs=1e-8)  # the intercept is free


# ---- what a user can get wrong


def test_separation_names_the_columns() -> None:
    table = X.assign(marker=np.where(Y, 1.0, 0.0))
    with pytest.raises(FitError, match=r"run away to infinity: .*'marker'"):
        LogisticModel().fit(table, Y)
    rare = X.assign(rare=np.where(np.flatnonzero(~Y)[0] == np.arange(70), 1.0, 0.0))
    with pytest.raises(FitError, match=r"1 of 4 run away to infinity: 'rare'\. .*a ridge above 0"):
        LogisticModel().fit(rare, Y)
    # the ridge's own condition: the score of the separating column equals its penalty's slope
    held = LogisticModel(ridge=1.0).fit(table, Y)
    score = table["marker"] @ (Y - held.risk(table))
    assert score == pytest.approx(table["marker"].var() * held.coef_[-1], rel=1e-6)
    assert LogisticModel(ridge="aic").fit(table, Y).ridge_ > 0


def test_separation_by_two_columns_together_names_both() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 3))
    event = x[:, 0] + x[:, 1] > 0
    with pytest.raises(FitError, match=r"run away to infinity: 'x0', 'x1'"):
        logistic_fit(x, event)


def test_collinear_and_constant_columns_are_named() -> None:
    with pytest.raises(FitError, match=r"'double' is determined by 1 of them \('age'\)"):
        LogisticModel().fit(X.assign(double=2 * X["age"] + 1), Y)
    with pytest.raises(FitError, match=r"1 of 4 are: 'centre'"):
        LogisticModel().fit(X.assign(centre=1.0), Y)


@pytest.mark.parametrize(("y", "n_events"), [(np.ones(70), 70), (np.zeros(70), 0)])
def test_one_class_is_refused(y: Floats, n_events: int) -> None:
    with pytest.raises(FitError, match=f"{n_events} of 70 patients had the event"):
        LogisticModel().fit(X, y)


def test_five_patients() -> None:
    model = LogisticModel().fit(np.array([[1.0], [2], [3], [4], [5]]), [0, 1, 0, 1, 1])
    # two equations, solved: sum of residuals and residuals times x are 0
    residual = np.array([0, 1, 0, 1, 1]) - model.risk(np.array([[1.0], [2], [3], [4], [5]]))
    np.testing.assert_allclose([residual.sum(), residual @ [1, 2, 3, 4, 5]], 0, atol=1e-8)
    with pytest.raises(FitError, match="run away"):
        LogisticModel().fit(np.array([[1.0], [2], [3], [4], [5]]), [0, 0, 0, 1, 1])


def test_iterations_that_run_out_are_told() -> None:
    with pytest.warns(ConvergenceWarning, match="did not converge in 1 iterations"):
        LogisticModel(max_iterations=1).fit(X, Y)


def test_a_horizon_is_refused() -> None:
    model = LogisticModel().fit(X, Y)
    assert model.risk(X, horizon=None).shape == (70,)
    with pytest.raises(ValueError, match="left out for a binary outcome, but 12 came"):
        model.risk(X, horizon=12)


@pytest.mark.parametrize(
    ("table", "y", "message"),
    [
        (X, np.arange(70), "y must hold only True/False or 1/0"),
        (X.iloc[:4], Y, "X has 4 and y 70"),
        (X.assign(age=np.where(X["age"] > 60, np.nan, X["age"])), Y, "of 70 values of 'age'"),
    ],
)
def test_wrong_data_is_named(table: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LogisticModel().fit(table, y)


def test_other_columns_than_the_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"absent: \['mutant'\], not known: \['Mutant'\]"):
        LogisticModel().fit(X, Y).risk(X.rename(columns={"mutant": "Mutant"}))


# ---- scikit-learn's manners


def test_estimator_manners() -> None:
    # Checks that call fit draw a y that is not True/False: they are left out.
    check_manners(LogisticModel())
    model = LogisticModel(ridge=2.0)
    with pytest.raises(NotFittedError):
        model.risk(X)
    table, y = X.copy(), Y.copy()
    assert model.fit(table, y) is model
    pd.testing.assert_frame_equal(table, X)
    np.testing.assert_array_equal(y, Y)
    assert not [name for name in vars(clone(model)) if name.endswith("_")]
