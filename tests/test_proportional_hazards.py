"""The score test of proportional hazards: R's digits, a second derivation, then its properties."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2

from models.cox import CoxModel
from models.proportional_hazards import ProportionalHazardsTest, proportional_hazards_test
from omics.outcome import survival_outcome
from tests.realdata import needs_data
from tests.rotterdam import rotterdam

REFERENCE = json.loads((Path(__file__).parent / "reference" / "cox.json").read_text())
TABLE = pd.DataFrame(REFERENCE["data"])
X = TABLE[["age", "volume", "mutant", "g3", "g4"]].astype(float)
Y = survival_outcome(TABLE["time"], TABLE["event"])
TERMS = {"age": ["age"], "volume": ["volume"], "mutant": ["mutant"], "grade": ["g3", "g4"]}
Floats = NDArray[np.float64]


def test_two_patients_at_risk_by_hand() -> None:
    # Deaths at 1, 2, 3 of x = 1, 0, 1: u = 1/sqrt(2) maximises (see test_cox). Risk sets hold
    # {1, 0, 1}, {0, 1}, {1}: means a = 2u/(2u+1), b = u/(1+u), 1; variances a(1-a), b(1-b), 0.
    x, y = np.array([[1.0], [0], [1]]), survival_outcome([1, 2, 3], [1, 1, 1])
    u = 1 / np.sqrt(2)
    a, b = 2 * u / (2 * u + 1), u / (1 + u)
    g, v = np.array([-1.0, 0, 1]), np.array([a * (1 - a), b * (1 - b), 0])
    score = g @ [1 - a, -b, 0]
    left = g**2 @ v - (g @ v) ** 2 / v.sum()
    table = run(CoxModel().fit(x, y), x, y, {"x": ["x0"]}, "identity").table
    np.testing.assert_allclose(table["chi2"], score**2 / left, atol=1e-8)
    assert table["term"].tolist() == ["x", "GLOBAL"]


def run(
    model: CoxModel, x: Any, y: Any, terms: Any = TERMS, transform: Any = "km"
) -> ProportionalHazardsTest:
    return proportional_hazards_test(model, x, y, terms=terms, transform=transform)


@pytest.mark.parametrize("transform", ["km", "identity", "rank", "log"])
def test_matches_r_cox_zph(transform: Any) -> None:
    table = run(CoxModel().fit(X, Y), X, Y, transform=transform).table
    np.testing.assert_allclose(table[["chi2", "df"]], REFERENCE["zph"][transform], atol=1e-8)
    np.testing.assert_allclose(table["p_value"], chi2.sf(table["chi2"], table["df"]))
    assert table["term"].tolist() == [*TERMS, "GLOBAL"]


def test_km_is_the_default() -> None:
    model = CoxModel().fit(X, Y)
    result = proportional_hazards_test(model, X, Y, terms=TERMS)
    pd.testing.assert_frame_equal(result.table, run(model, X, Y, transform="km").table)
    assert repr(result).startswith(
        "ProportionalHazardsTest(4 terms, 61 events, km time, global chi2 4.30 on 5 df, p 0.51"
    )


@needs_data("survival")
def test_rotterdam_reproduces_the_published_test() -> None:
    design, y = rotterdam()
    terms = {
        "csize": ["size=20-50", "size=>50"],
        "nodes": ["nodes", "nodes'"],
        "grade": ["grade=3"],
    }
    table = run(CoxModel().fit(design, y), design, y, terms, "identity").table.set_index("term")
    assert table["df"].tolist() == [2, 2, 1, 5]
    assert table.loc["csize", "chi2"] == pytest.approx(19.42, abs=5e-3)
    assert table.loc["nodes", "chi2"] == pytest.approx(22.39, abs=5e-3)
    assert table.loc["grade", "chi2"] == pytest.approx(4.144, abs=5e-4)
    assert table.loc["GLOBAL", "chi2"] == pytest.approx(32.811, abs=5e-4)


def drifting(theta: Floats, coef: Floats, x: Floats, y: NDArray[Any], g: Floats) -> float:
    """Efron's log likelihood with coefficient coef + theta * g(t), as its definition reads."""
    time, event, value = y["time"], y["event"], 0.0
    for t in np.unique(time[event]):
        dying = event & (time == t)
        eta = x @ (coef + theta * g[dying][0])
        value += eta[dying].sum()
        for r in range(dying.sum()):
            share = r / dying.sum()
            value -= np.log(np.exp(eta[time >= t]).sum() - share * np.exp(eta[dying]).sum())
    return float(value)


@pytest.mark.parametrize("ridge", [0.0, 5.0])
def test_follows_from_the_likelihood_of_a_drift(ridge: float) -> None:
    # Score and information of (coef, theta) by differences of the likelihood itself.
    x = X[["age", "mutant"]].to_numpy() / X[["age", "mutant"]].std().to_numpy()
    model = CoxModel(ridge=ridge).fit(x, Y)
    g = np.log(Y["time"])
    g = g - g[Y["event"]].mean()

    def penalised(at: Floats) -> float:
        prior = ridge / 2 * np.sum((model.coef_ + at[:2]) ** 2)
        return drifting(at[2:], model.coef_ + at[:2], x, Y, g) - prior

    h = 1e-3 * np.eye(4)
    score = np.array([penalised(a) - penalised(-a) for a in h]) / 2e-3
    curvature = np.array(
        [
            [penalised(a + b) - penalised(a - b) - penalised(b - a) + penalised(-a - b) for b in h]
            for a in h
        ]
    )
    information = -curvature / 4e-6
    both = score @ np.linalg.solve(information, score)
    first = score[:3] @ np.linalg.solve(information[:3, :3], score[:3])
    table = run(model, x, Y, {"a": ["x0"], "b": ["x1"]}, "log").table
    np.testing.assert_allclose(table["chi2"].iloc[[0, 2]], [first, both], rtol=1e-4)


def test_finds_a_hazard_ratio_that_fades_and_leaves_one_that_holds() -> None:
    rng = np.random.default_rng(5)
    treated, age = rng.integers(0, 2, 600).astype(float), rng.normal(size=600)
    # hazard ratio 4 before time 1 and 1/2 after it, for the treated
    early, late = np.where(treated == 1, 4.0, 1.0), np.where(treated == 1, 0.5, 1.0)
    need = rng.exponential(size=600) / np.exp(0.5 * age)
    time = np.where(need < early, need / early, 1 + (need - early) / late)
    y = survival_outcome(time, np.ones(600))
    x = pd.DataFrame({"treated": treated, "age": age})
    model = CoxModel().fit(x, y)
    p_values = run(model, x, y, {"t": ["treated"], "a": ["age"]}).table["p_value"]
    assert p_values[0] < 1e-8
    assert p_values[1] > 0.01


@given(seed=st.integers(0, 10**6), transform=st.sampled_from(["km", "identity", "rank", "log"]))
@settings(max_examples=15, deadline=None)
def test_order_units_and_coding_do_not_matter(seed: int, transform: Any) -> None:
    rng = np.random.default_rng(seed)
    x, time = rng.normal(size=(50, 3)), np.ceil(10 * rng.exponential(size=50))
    event, order = rng.random(50) < 0.8, rng.permutation(50)
    terms = {"a": ["x0"], "b": ["x1", "x2"]}
    y = survival_outcome(time, event)
    first = run(CoxModel().fit(x, y), x, y, terms, transform).table
    # the two columns of b mixed, as another reference level would
    mixed = np.column_stack([-100 * x[:, 0] + 3, x[:, 1] + x[:, 2], x[:, 2]])[order]
    y = survival_outcome(time[order] / 30.4375, event[order])
    again = run(CoxModel().fit(mixed, y), mixed, y, terms, transform).table
    np.testing.assert_allclose(again["chi2"], first["chi2"], rtol=1e-6, atol=1e-8)


def test_a_small_ridge_changes_little_and_the_unit_of_time_nothing() -> None:
    plain = run(CoxModel().fit(X, Y), X, Y, transform="identity").table["chi2"]
    small = run(CoxModel(ridge=1e-6).fit(X, Y), X, Y, transform="identity").table["chi2"]
    np.testing.assert_allclose(small, plain, rtol=1e-5)
    ridge = CoxModel(ridge=5.0)
    years = survival_outcome(Y["time"] / 12, Y["event"])
    np.testing.assert_allclose(
        run(ridge.fit(X, Y), X, Y, transform="identity").table["chi2"],
        run(ridge.fit(X, years), X, years, transform="identity").table["chi2"],
        rtol=1e-8,
    )


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"age": ["age"]}, r"4 are absent \(first: \['volume'\]\)"),
        ({**TERMS, "more": ["Ki67"]}, r"1 are unknown or come twice \(first: \['Ki67'\]\)"),
        ({**TERMS, "more": ["age"]}, r"2 are unknown or come twice \(first: \['age'\]\)"),
        ({"GLOBAL": list(X.columns)}, "not be called GLOBAL"),
    ],
)
def test_wrong_terms_are_named(terms: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(CoxModel().fit(X, Y), X, Y, terms)


def test_wrong_calls_are_refused() -> None:
    model = CoxModel().fit(X, Y)
    with pytest.raises(ValueError, match="'km', 'identity', 'rank' or 'log', but 'sqrt' came"):
        run(model, X, Y, transform="sqrt")
    with pytest.raises(ValueError, match="must be those the model was fitted to"):
        run(model, X.iloc[:60], Y[:60])
    empty = np.empty((80, 0))
    with pytest.raises(ValueError, match="no hazard ratio to test"):
        run(CoxModel().fit(empty, Y), empty, Y, {})


def test_one_event_tells_nothing_of_a_drift() -> None:
    x, y = (
        pd.DataFrame({"a": [1.0, 3, 2, 5, 4]}),
        survival_outcome([2, 3, 4, 5, 6], [0, 1, 0, 0, 0]),
    )
    table = run(CoxModel(ridge=1.0).fit(x, y), x, y, {"a": ["a"]}).table
    assert table[["chi2", "p_value"]].isna().all().all()
