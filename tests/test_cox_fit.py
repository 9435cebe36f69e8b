"""Weights, ties, strata, clusters and residuals of a Cox regression: by hand, and R's survival."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter
from numpy.typing import NDArray

from models.baseline import breslow_baseline
from models.cox import CoxModel
from models.cox_fit import cox_fit
from models.residuals import cox_residuals
from omics.errors import FitError
from omics.outcome import survival_outcome

REFERENCE = json.loads((Path(__file__).parent / "reference" / "cox_core.json").read_text())
TABLE = pd.DataFrame(REFERENCE["data"])
X = TABLE[["age", "mutant"]].astype(float)
TIME, EVENT = TABLE["time"].to_numpy(dtype=float), TABLE["event"].to_numpy(dtype=bool)
Y = survival_outcome(TIME, EVENT)
GIVEN: dict[str, dict[str, Any]] = {
    "plain": {},
    "weights": {"weights": TABLE["weight"]},
    "strata": {"strata": TABLE["centre"]},
    "robust": {"robust": True},
    "cluster": {"cluster": TABLE["cluster"]},
    "all": {
        "weights": TABLE["weight"],
        "strata": TABLE["centre"],
        "offset": TABLE["offset"],
        "cluster": TABLE["cluster"],
    },
}
SHAPED = ("strata", "offset", "weights")  # what residuals take, too


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("kind", list(GIVEN))
def test_fit_equals_coxph(kind: str, ties: str) -> None:
    expected = REFERENCE["fits"][f"{ties}.{kind}"]
    fit = cox_fit(X, TIME, EVENT, ties=ties, **GIVEN[kind])
    np.testing.assert_allclose(fit.coef, expected["coef"], rtol=1e-8)
    np.testing.assert_allclose(fit.covariance, expected["var"], rtol=1e-6)
    np.testing.assert_allclose(fit.log_likelihood, expected["loglik"], rtol=1e-10)
    if expected["robust"]:
        np.testing.assert_allclose(fit.robust_covariance, expected["robust"], rtol=1e-6)
    else:
        assert fit.robust_covariance is None


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("kind", list(GIVEN))
def test_residuals_equal_survival(kind: str, ties: str) -> None:
    expected = REFERENCE["fits"][f"{ties}.{kind}"]
    given = {name: values for name, values in GIVEN[kind].items() if name in SHAPED}
    fit = cox_fit(X, TIME, EVENT, ties=ties, **given)
    found = cox_residuals(X, TIME, EVENT, fit.coef, ties=ties, **given)
    np.testing.assert_allclose(found.martingale, expected["martingale"], atol=1e-8)
    np.testing.assert_allclose(found.score, expected["score"], atol=1e-6)
    # R multiplies dfbeta by the case weights, score residuals not
    weights = np.asarray(given.get("weights", np.ones(len(X))))[:, np.newaxis]
    moves = weights * found.score @ fit.covariance
    np.testing.assert_allclose(moves, expected["dfbeta"], atol=1e-7)
    # R gives those of one stratum after the other, and tied ones in an order of its own
    ours = sorted(map(tuple, found.schoenfeld.round(6)))
    np.testing.assert_allclose(
        ours, sorted(map(tuple, np.round(expected["schoenfeld"], 6))), atol=2e-6
    )


def test_martingale_and_score_by_hand() -> None:
    # Two events at time 1 among three, coefficient 0: Efron's hazards 1/3 and 1/2
    x, time, event = [[0.0], [1.0], [2.0]], [1, 1, 2], [1, 1, 0]
    found = cox_residuals(x, time, event, [0.0])
    first, second = 1 / 3, 1 / (3 - 1)
    tied = 1 - first - second / 2
    np.testing.assert_allclose(found.martingale, [tied, tied, -first - second], atol=1e-12)
    means = np.array([1.0, (3 - 0.5) / 2])  # of x: all three; half of each of the two tied gone
    np.testing.assert_allclose(
        found.schoenfeld[:, 0], np.array([0.0, 1.0]) - means.mean(), atol=1e-12
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), ties=st.sampled_from(["efron", "breslow"]))
def test_residuals_add_up(seed: int, ties: Any) -> None:
    rng = np.random.default_rng(seed)
    n = 40
    x, time = rng.normal(size=(n, 2)), np.ceil(8 * rng.exponential(size=n))
    event, weights = rng.random(n) < 0.7, rng.integers(0, 3, n).astype(float)
    fit = cox_fit(x, time, event, weights=weights, ties=ties)
    found = cox_residuals(x, time, event, fit.coef, weights=weights, ties=ties)
    # the score is 0 at the maximum, and its weighted sum is the Schoenfeld residuals'
    np.testing.assert_allclose(weights @ found.score, 0, atol=1e-6)
    assert (found.martingale <= 1 + 1e-12).all()
    if ties == "breslow":
        assert weights @ found.martingale == pytest.approx(0, abs=1e-8)
    assert (found.score[weights == 0] == 0).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), unit=st.sampled_from([30.4375, 1 / 12]))
def test_weights_of_zero_order_and_unit(seed: int, unit: float) -> None:
    rng = np.random.default_rng(seed)
    n = 50
    x, time = rng.normal(size=(n, 2)), np.ceil(8 * rng.exponential(size=n))
    event, weights = rng.random(n) < 0.7, rng.integers(0, 3, n).astype(float)
    strata = rng.integers(0, 2, n)
    whole = cox_fit(x, time, event, weights=weights, strata=strata, robust=True)
    kept = rng.permutation(np.flatnonzero(weights))
    part = cox_fit(
        x[kept],
        time[kept] * unit,
        event[kept],
        weights=weights[kept],
        strata=strata[kept],
        robust=True,
    )
    np.testing.assert_allclose(part.coef, whole.coef, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(part.robust_covariance, whole.robust_covariance, rtol=1e-6)
    assert whole.n_patients == len(kept)


def test_breslow_weights_are_copies() -> None:
    # ... as long as Breslow's ties are used: Efron's copies are ties, his weights are not
    weights = np.tile([1.0, 2, 3], 30)
    rows = np.repeat(np.arange(90), weights.astype(int))
    table = X.to_numpy()
    weighted = cox_fit(table, TIME, EVENT, weights=weights, ties="breslow")
    copied = cox_fit(table[rows], TIME[rows], EVENT[rows], ties="breslow")
    np.testing.assert_allclose(weighted.coef, copied.coef, rtol=1e-8)
    np.testing.assert_allclose(weighted.covariance, copied.covariance, rtol=1e-8)
    times, hazard = breslow_baseline(table @ weighted.coef, TIME, EVENT, weights=weights)
    copies, again = breslow_baseline(table[rows] @ copied.coef, TIME[rows], EVENT[rows])
    np.testing.assert_array_equal(times, copies)
    np.testing.assert_allclose(hazard, again, rtol=1e-8)


def test_sandwich_equals_lifelines() -> None:
    table = X.assign(time=TIME, event=EVENT)
    other = CoxPHFitter().fit(table, "time", "event", robust=True)
    fit = cox_fit(X, TIME, EVENT, robust=True)
    # lifelines' score residuals at tied times are Breslow's
    assert fit.robust_covariance is not None
    errors = np.sqrt(np.diag(fit.robust_covariance))
    np.testing.assert_allclose(errors, other.standard_errors_, rtol=0.05)


# ---- the model


def test_strata_have_a_baseline_each() -> None:
    model = CoxModel(strata="centre").fit(X.assign(centre=TABLE["centre"]), Y)
    expected = REFERENCE["fits"]["efron.strata"]
    np.testing.assert_allclose(model.coef_, expected["coef"], rtol=1e-8)
    new = pd.DataFrame(REFERENCE["new"]).astype(float).assign(centre=["A", "B", "C"])
    for row, curve in enumerate(REFERENCE["by_stratum"]):
        patient = new.iloc[[row]]
        last = curve["time"][-1]
        for time, survival in zip(curve["time"], curve["surv"], strict=True):
            risk = model.risk(patient, horizon=time)[0]
            assert risk == pytest.approx(1 - survival, abs=1e-9)
        assert np.isnan(model.risk(patient, horizon=last + 1)[0])
        times, hazard = model.baseline(patient["centre"].iloc[0])
        below = np.flatnonzero(np.exp(-hazard * np.exp(model.linear_predictor(patient))) <= 0.5)
        median = times[below[0]] if len(below) else np.nan
        np.testing.assert_equal(model.median(patient)[0], median)


def test_one_stratum_is_none() -> None:
    plain, one = CoxModel().fit(X, Y), CoxModel(strata="s").fit(X.assign(s="all"), Y)
    np.testing.assert_allclose(one.coef_, plain.coef_, rtol=1e-10)
    np.testing.assert_allclose(
        one.risk(X.assign(s="all"), horizon=24), plain.risk(X, horizon=24), rtol=1e-10
    )


def test_model_takes_weights_ties_and_clusters() -> None:
    model = CoxModel(ties="breslow", robust=True)
    model.fit(X, Y, sample_weight=TABLE["weight"], cluster=TABLE["cluster"])
    fit = cox_fit(X, TIME, EVENT, ties="breslow", weights=TABLE["weight"], cluster=TABLE["cluster"])
    np.testing.assert_allclose(model.coef_, fit.coef, rtol=1e-10)
    np.testing.assert_allclose(model.covariance_, fit.robust_covariance, rtol=1e-10)


def separated(n: int = 20) -> NDArray[np.float64]:
    return np.column_stack([(np.arange(n) < n // 2).astype(float), np.sin(np.arange(n))])


@pytest.mark.parametrize(
    "given", [{}, {"strata": np.arange(20) % 2}, {"weights": np.full(20, 2.0)}]
)
def test_separation_is_named_under_strata_and_weights(given: dict[str, Any]) -> None:
    event = np.arange(20) < 10  # every exposed patient has the event, first; nobody else has
    with pytest.raises(FitError, match="run away to infinity: 'x0'"):
        cox_fit(separated(), np.arange(1, 21), event, **given)


def test_collinear_among_those_that_count() -> None:
    x = np.column_stack([X["age"], X["mutant"], np.where(TABLE["weight"] > 1, X["age"], 0)])
    with pytest.raises(FitError, match="'x2' is determined by 1 of them"):
        cox_fit(x, TIME, EVENT, weights=np.where(TABLE["weight"] > 1, 1.0, 0.0))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weights": np.where(np.arange(90) == 4, -1.0, 1.0)}, "1 of 90 are.*-1 at position 4"),
        ({"weights": np.zeros(90)}, "not all 0.*0 above 0"),
        ({"ties": "exact"}, "ties must be 'efron' or 'breslow', but 'exact' came"),
        ({"strata": ["a"]}, "one value per patient"),
    ],
)
def test_wrong_arguments_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cox_fit(X, TIME, EVENT, **given)


def test_weights_may_leave_no_event() -> None:
    with pytest.raises(FitError, match="needs events, but none of"):
        cox_fit(X, TIME, EVENT, weights=np.where(EVENT, 0.0, 1.0))


def test_wrong_use_of_the_model_is_named() -> None:
    with pytest.raises(ValueError, match="robust must be False with a ridge"):
        CoxModel(ridge=1.0, robust=True).fit(X, Y)
    with pytest.raises(ValueError, match="cluster must come with robust=True"):
        CoxModel().fit(X, Y, cluster=TABLE["cluster"])
    with pytest.raises(ValueError, match="the column of strata 'centre'"):
        CoxModel(strata="centre").fit(X, Y)
    holes = X.assign(centre=TABLE["centre"].where(TABLE.index != 7))
    with pytest.raises(ValueError, match=r"stratum must be known, but 1 of 90.*first at row 7"):
        CoxModel(strata="centre").fit(holes, Y)
    model = CoxModel(strata="centre").fit(X.assign(centre=TABLE["centre"]), Y)
    with pytest.raises(
        ValueError, match=r"1 of 3 patients are of another.*'D'.*Strata of the fit: A"
    ):
        model.risk(X.iloc[:3].assign(centre=["A", "D", "B"]), horizon=12)
