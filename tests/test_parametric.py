"""Accelerated failure time models: the exponential case by hand, R's survreg, what must hold."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from models.discrimination import c_index
from models.parametric import ParametricModel
from omics.errors import FitError
from omics.outcome import survival_outcome
from tests.manners import check_manners

REFERENCE = json.loads((Path(__file__).parent / "reference" / "parametric.json").read_text())
TABLE = pd.DataFrame(REFERENCE["data"])
COLUMNS = ["age", "mutant"]
X = TABLE[COLUMNS].astype(float)
Y = survival_outcome(TABLE["time"], TABLE["event"])
NEW = pd.DataFrame(REFERENCE["new"]).astype(float)
LAWS = ("weibull", "lognormal", "loglogistic")


@pytest.mark.parametrize("law", LAWS)
def test_equals_survreg(law: str) -> None:
    expected = REFERENCE["laws"][law]
    model = ParametricModel(distribution=law).fit(X, Y)
    errors = np.array(expected["se"][1:])
    # lifelines' optimiser is quasi-Newton: within 1e-4 standard errors
    np.testing.assert_allclose(model.coef_, expected["coef"][1:], atol=1e-4 * errors.min())
    np.testing.assert_allclose(np.sqrt(np.diag(model.covariance_)), errors, rtol=1e-3)
    at_zero = model.intercept_ - model.means_ @ model.coef_
    assert at_zero == pytest.approx(expected["coef"][0], abs=1e-3)
    assert model.scale_ == pytest.approx(expected["scale"], rel=1e-4)
    assert model.log_likelihood_ == pytest.approx(expected["loglik"], abs=1e-6)
    for j, horizon in enumerate((12, 24)):
        risk = np.array(expected["risk"])[:, j]
        np.testing.assert_allclose(model.risk(NEW, horizon=horizon), risk, atol=1e-4)
    np.testing.assert_allclose(model.median(NEW), expected["median"], rtol=1e-4)


def test_weibull_risk_is_its_closed_form() -> None:
    model = ParametricModel(distribution="weibull").fit(X, Y)
    shape = 1 / model.scale_
    location = model.intercept_ + (NEW.to_numpy() - model.means_) @ model.coef_
    by_hand = 1 - np.exp(-((24 / np.exp(location)) ** shape))
    np.testing.assert_allclose(model.risk(NEW, horizon=24), by_hand, rtol=1e-10)


@pytest.mark.parametrize("law", LAWS)
def test_half_of_such_patients_have_had_the_event_by_the_median(law: str) -> None:
    model = ParametricModel(distribution=law).fit(X, Y)
    for row in range(3):
        patient = NEW.iloc[[row]]
        median = float(model.median(patient)[0])
        if median <= model.max_time_:
            assert model.risk(patient, horizon=median)[0] == pytest.approx(0.5, abs=1e-10)


@pytest.mark.parametrize("law", LAWS)
def test_higher_linear_predictor_is_worse(law: str) -> None:
    model = ParametricModel(distribution=law).fit(X, Y)
    eta = model.linear_predictor(X)
    assert c_index(Y["time"], Y["event"], eta) > 0.5 > c_index(Y["time"], Y["event"], -eta)
    order = np.argsort(eta)
    assert (np.diff(model.risk(X, horizon=24)[order]) >= 0).all()


@settings(max_examples=2, deadline=None)
@given(factor=st.sampled_from([1 / 365.25, 12.0, 30.4]), seed=st.integers(0, 99))
def test_order_of_patients_and_unit_of_time_change_nothing(factor: float, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(X))
    y = survival_outcome(Y["time"][order] * factor, Y["event"][order])
    one, other = ParametricModel().fit(X, Y), ParametricModel().fit(X.iloc[order], y)
    np.testing.assert_allclose(other.coef_, one.coef_, rtol=1e-6)
    np.testing.assert_allclose(
        other.risk(NEW, horizon=24 * factor), one.risk(NEW, horizon=24), atol=1e-8
    )


def test_table_gives_the_time_ratio() -> None:
    table = ParametricModel(distribution="loglogistic").fit(X, Y).coefficients.set_index("term")
    assert list(table.index) == COLUMNS
    assert table.loc["mutant", "time_ratio"] > 1  # the mutant live longer
    assert table.loc["age", "upper"] < 1


def test_risk_beyond_the_last_follow_up_is_unknown() -> None:
    model = ParametricModel().fit(X, Y)
    assert np.isnan(model.risk(NEW, horizon=model.max_time_ + 0.1)).all()


def test_without_columns_everybody_is_alike() -> None:
    model = ParametricModel().fit(X[[]], Y)
    assert np.ptp(model.risk(NEW[[]], horizon=24)) == 0
    assert model.log_likelihood_[0] == model.log_likelihood_[1]


SEPARATED = survival_outcome([5, 8, 9, 12, 15, 20, 3, 7], [1, 1, 1, 1, 1, 0, 0, 0])


@pytest.mark.parametrize(
    ("columns", "y", "message"),
    [
        ({"g": [0.0] * 6 + [1.0] * 2}, SEPARATED, "finite fit.*'g'.*merge levels"),
        ({"a": [1.0, 2, 3, 4, 5, 6, 7, 9], "b": [1.0] * 8}, SEPARATED, "constant.*'b'"),
        (
            {"a": [1.0, 2, 3, 4, 5, 6, 7, 9], "b": [2.0, 4, 6, 8, 10, 12, 14, 18]},
            SEPARATED,
            "'b' is determined",
        ),
        (
            {"a": [1.0, 2, 3, 4, 5, 6, 7, 9]},
            survival_outcome(range(1, 9), [0] * 8),
            "needs events, but none of 8",
        ),
    ],
    ids=["separated", "constant", "collinear", "all censored"],
)
def test_fits_that_do_not_exist_are_named(
    columns: dict[str, list[float]], y: np.ndarray, message: str
) -> None:
    with pytest.raises(FitError, match=message):
        ParametricModel().fit(pd.DataFrame(columns), y)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"distribution must be one of .*'gamma' came"):
        ParametricModel(distribution="gamma").fit(X, Y)  # type: ignore[arg-type]
    model = ParametricModel().fit(X, Y)
    with pytest.raises(ValueError, match="horizon must be stated"):
        model.risk(X, horizon=None)
    with pytest.raises(ValueError, match="horizon must be a time above zero"):
        model.risk(X, horizon=0)
    with pytest.raises(ValueError, match="must have the 2 columns of the fit"):
        model.linear_predictor(X[["age"]])
    with pytest.raises(NotFittedError):
        ParametricModel().linear_predictor(X)


def test_scikit_learn_conventions() -> None:
    check_manners(ParametricModel())
