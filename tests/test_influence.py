"""What one patient does to the coefficients: R's digits, exact refits, what must not matter."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cox import CoxModel
from models.influence import influence
from models.logistic import LogisticModel
from omics.outcome import survival_outcome
from tests.assumptions_reference import COX, ILL, LOGISTIC, REFERENCE, X, Y

R = REFERENCE["influence"]


def test_cox_matches_r() -> None:
    result = influence(COX, X, Y)
    np.testing.assert_allclose(result.dfbeta, R["cox"], atol=1e-10)
    np.testing.assert_allclose(result.dfbetas, R["cox_scaled"], atol=1e-10)
    assert list(result.dfbeta) == list(X)
    assert result.limit == pytest.approx(2 / np.sqrt(120))
    large = np.abs(R["cox_scaled"]) > 2 / np.sqrt(120)
    assert result.table["n_large"].tolist() == large.sum(axis=0).tolist()
    assert result.table["patient"].tolist() == np.abs(R["cox_scaled"]).argmax(axis=0).tolist()
    assert repr(result).startswith("Influence(120 patients, 5 columns, largest |dfbetas| 0.34")


def test_logistic_matches_pregibon_and_rms() -> None:
    result = influence(LOGISTIC, X, ILL)
    np.testing.assert_allclose(result.dfbeta, R["logistic"], atol=1e-10)
    np.testing.assert_allclose(result.dfbetas, R["logistic_scaled"], atol=1e-10)
    np.testing.assert_allclose(result.dfbetas, R["logistic_rms"], atol=1e-8)
    assert list(result.dfbeta) == ["Intercept", *X]


@pytest.mark.parametrize("kind", ["cox", "logistic"])
def test_refits_match_r_and_the_first_order_foretells_them(kind: str) -> None:
    result = influence(COX, X, Y) if kind == "cox" else influence(LOGISTIC, X, ILL)
    lead = 0 if kind == "cox" else 1
    expected = np.array(R[f"{kind}_refits"])[:, lead:]
    refits = result.refits
    np.testing.assert_allclose(refits["without"].to_numpy().reshape(3, 5), expected, atol=1e-7)
    assert (refits["patient"].unique() + 1).tolist() == R[f"{kind}_worst"]
    foretold = np.concatenate(
        [result.dfbetas.loc[patient, list(X)] for patient in refits["patient"].unique()]
    )
    # of the most influential patients the first order tells direction and rough size
    assert np.corrcoef(foretold, refits["change"].astype(float))[0, 1] > 0.98


def test_two_pairs_by_hand() -> None:
    # Deaths at 1 of x = 1, 2 of x = 0, then one censored of each: with u = exp(beta) the score is
    # 1 - 2u/(2+2u) - u/(1+2u); its root is u = 1/sqrt(2). Patient 0 leaves 1 - 2u/(2+2u) less his
    # own exposure u (1 - u/(1+u)) / (2+2u).
    x, y = np.array([[1.0], [0], [1], [0]]), survival_outcome([1, 2, 3, 4], [1, 1, 0, 0])
    model = CoxModel().fit(x, y)
    u = np.exp(model.coef_[0])
    mean_one, mean_two = 2 * u / (2 + 2 * u), u / (2 + u)
    assert 1 - mean_one - mean_two == pytest.approx(0, abs=1e-6)
    variance = 1 / (mean_one * (1 - mean_one) + mean_two * (1 - mean_two))
    first = (1 - mean_one) * (1 - u / (2 + 2 * u))
    second = -mean_two - (0 - mean_one) / (2 + 2 * u) - (0 - mean_two) / (2 + u)
    dfbeta = influence(model, x, y).dfbeta["x0"]
    np.testing.assert_allclose(dfbeta[:2], [first * variance, second * variance], atol=1e-7)


def test_a_ridge_is_kept_in_the_refits() -> None:
    model = CoxModel(ridge=8.0).fit(X, Y)
    result = influence(model, X, Y, n_refits=1)
    patient = result.refits["patient"][0]
    others = np.arange(len(X)) != patient
    again = CoxModel(ridge=8.0).fit(X[others], Y[others])
    np.testing.assert_allclose(result.refits["without"].astype(float), again.coef_, atol=1e-12)
    change = result.dfbeta.loc[patient].to_numpy()
    np.testing.assert_allclose(change, model.coef_ - again.coef_, atol=0.02)


def test_a_patient_without_whom_nothing_can_be_fitted_leaves_gaps() -> None:
    x = pd.DataFrame({"rare": [1.0, 0, 0, 0, 0, 0], "age": [3.0, 1, 4, 1, 5, 2]})
    y = survival_outcome([3, 1, 5, 2, 4, 6], [1, 1, 0, 1, 1, 1])
    result = influence(CoxModel().fit(x, y), x, y, n_refits=6)
    gone = result.refits[result.refits["patient"] == 0]
    assert gone["without"].isna().all()
    assert gone["change"].isna().all()


def test_no_refit_asked_gives_an_empty_table() -> None:
    refits = influence(COX, X, Y, n_refits=0).refits
    assert list(refits) == ["patient", "column", "coefficient", "without", "change"]
    assert len(refits) == 0


@given(seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_dfbeta_adds_up_and_order_and_units_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = pd.DataFrame(rng.normal(size=(60, 2)), columns=["a", "b"])
    time, event = np.ceil(8 * rng.exponential(size=60)), rng.random(60) < 0.6
    y = survival_outcome(time, event)
    first = influence(CoxModel().fit(x, y), x, y, n_refits=0).dfbetas
    np.testing.assert_allclose(first.sum(), 0, atol=1e-3)  # the score is 0 at the maximum
    order = rng.permutation(60)
    other = pd.DataFrame({"a": 30 * x["a"] - 2, "b": -x["b"]}).iloc[order].reset_index(drop=True)
    y = survival_outcome(time[order] * 30.4375, event[order])
    again = influence(CoxModel().fit(other, y), other, y, n_refits=0).dfbetas
    np.testing.assert_allclose(again["a"], first["a"].to_numpy()[order], atol=1e-4)
    np.testing.assert_allclose(again["b"], -first["b"].to_numpy()[order], atol=1e-4)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="must be those the model was fitted to"):
        influence(COX, X.iloc[:80], Y[:80])
    with pytest.raises(ValueError, match="must be those the model was fitted to"):
        influence(LOGISTIC, X, ~ILL)
    empty = np.empty((120, 0))
    model = LogisticModel().fit(empty, ILL)
    with pytest.raises(ValueError, match="no coefficient to move"):
        influence(model, empty, ILL)
