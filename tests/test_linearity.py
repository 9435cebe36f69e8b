"""A spline against a straight line: R's likelihood ratios, then what must and must not matter."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from models.cox import CoxModel
from models.cox_fit import cox_fit
from models.design import Design
from models.linearity import linearity_test
from models.logistic import LogisticModel
from models.splines import default_knots, restricted_cubic_spline
from omics.outcome import survival_outcome
from tests.assumptions_reference import COX, ILL, LOGISTIC, REFERENCE, X, Y, learnt

R = REFERENCE["linearity"]


@pytest.mark.parametrize("n_knots", [3, 4, 5])
@pytest.mark.parametrize("kind", ["cox", "logistic"])
def test_matches_r(kind: str, n_knots: int) -> None:
    model, y = (COX, Y) if kind == "cox" else (LOGISTIC, ILL)
    table = linearity_test(model, X, y, terms=learnt(X), n_knots=n_knots).table
    expected = [row for row, at in zip(R[kind], R["table"], strict=True) if at["knots"] == n_knots]
    np.testing.assert_allclose(table[["chi2", "df"]].astype(float), expected, atol=1e-8)
    np.testing.assert_allclose(table["p_value"], chi2.sf(table["chi2"], table["df"].astype(float)))
    # zeros and ones have nothing to bend
    assert table["term"].tolist() == ["age", "volume"]
    assert table["reason"].tolist() == ["", ""]


def test_the_curve_matches_r() -> None:
    result = linearity_test(COX, X, Y, terms=learnt(X))
    curve = result.curves[result.curves["term"] == "age"]
    expected = REFERENCE["age_curve"]
    np.testing.assert_allclose(curve["value"], expected["at"], rtol=1e-12)
    np.testing.assert_allclose(curve["estimate"], expected["estimate"], atol=1e-7)
    half = 1.959963984540054 * np.array(expected["standard_error"])
    np.testing.assert_allclose(curve["upper"] - curve["estimate"], half, atol=1e-7)
    np.testing.assert_allclose(curve["estimate"] - curve["lower"], half, atol=1e-7)
    middle = np.median(X["age"])
    np.testing.assert_allclose(curve["line"], COX.coef_[0] * (curve["value"] - middle), atol=1e-7)
    assert repr(result).startswith("Linearity(2 of 2 measurements tested, 120 patients")


def test_two_fits_by_hand() -> None:
    knots = default_knots(X["age"], 4)
    spline = restricted_cubic_spline(X["age"], knots)
    others = X.drop(columns="age").to_numpy()
    bent = cox_fit(np.column_stack([spline, others]), Y["time"], Y["event"])
    statistic = 2 * (bent.log_likelihood[1] - COX.log_likelihood_[1])
    table = linearity_test(COX, X, Y, terms=learnt(X)).table
    assert table["chi2"][0] == pytest.approx(statistic, abs=1e-7)


def test_a_spline_of_the_model_is_tested_with_its_own_knots() -> None:
    design = Design(["age", "mutant"], splines={"age": [40, 50, 60]}).fit(X)
    matrix = design.transform(X)
    model = CoxModel().fit(matrix, Y)
    straight = CoxModel().fit(X[["age", "mutant"]], Y)
    table = linearity_test(model, matrix, Y, terms=design.terms_, n_knots=5).table
    assert table[["term", "n_knots", "df"]].to_numpy().tolist() == [["age", 3, 1]]
    difference = model.log_likelihood_[1] - straight.log_likelihood_[1]
    assert table["chi2"].item() == pytest.approx(2 * difference, abs=1e-7)


def test_a_small_ridge_changes_little_and_a_large_one_is_counted() -> None:
    plain = linearity_test(COX, X, Y, terms=learnt(X)).table["chi2"]
    small = linearity_test(CoxModel(ridge=1e-6).fit(X, Y), X, Y, terms=learnt(X)).table["chi2"]
    np.testing.assert_allclose(small, plain, rtol=1e-4)
    heavy = CoxModel(ridge=1e8).fit(X, Y)  # every other effect is held at zero
    alone = CoxModel().fit(X[["age"]], Y)
    knots = default_knots(X["age"], 4)
    curved = restricted_cubic_spline(X["age"], knots)[:, 1:]
    only = cox_fit(curved, Y["time"], Y["event"])
    table = linearity_test(heavy, X, Y, terms=learnt(X)).table
    assert table["chi2"][0] == pytest.approx(only.likelihood_ratio, abs=1e-4)
    assert alone.n_events_ == only.n_events


def test_finds_a_bend_and_leaves_a_line() -> None:
    rng = np.random.default_rng(3)
    x = pd.DataFrame({"bent": rng.normal(size=800), "straight": rng.normal(size=800)})
    time = rng.exponential(np.exp(-(x["bent"] ** 2) - 0.7 * x["straight"]))
    y = survival_outcome(time, np.ones(800))
    table = linearity_test(CoxModel().fit(x, y), x, y, terms=learnt(x)).table
    assert table["p_value"][0] < 1e-12
    assert table["p_value"][1] > 0.01


def test_few_distinct_values_get_fewer_knots_or_a_reason() -> None:
    rng = np.random.default_rng(4)
    # 6 values allow 3 knots; 4 values none; 2 are no measurement
    x = pd.DataFrame({"six": rng.integers(0, 6, 200), "four": rng.integers(0, 4, 200)}).astype(
        float
    )
    event = rng.random(200) < 0.5
    result = linearity_test(LogisticModel().fit(x, event), x, event, terms=learnt(x))
    assert result.table["n_knots"].tolist() == [3, 0]
    assert result.table["chi2"].isna().tolist() == [False, True]
    assert result.table["reason"].tolist() == ["", "too few distinct values for a spline (4)"]
    assert set(result.curves["term"]) == {"six"}


@pytest.mark.filterwarnings("ignore::omics.errors.ConvergenceWarning")
def test_a_curve_that_runs_to_infinity_has_a_reason() -> None:
    x = pd.DataFrame({"x": np.concatenate([np.arange(20.0), [30.0, 31, 32]])})
    event = np.concatenate([np.tile([True, False], 10), [True, True, True]])
    event[10:20] = [False, True] * 5
    event[:6] = False
    event[6:14] = True
    event[14:20] = False
    model = LogisticModel().fit(x, event)
    result = linearity_test(model, x, event, terms=learnt(x), n_knots=5)
    assert result.table["chi2"].isna().all()
    assert result.table["reason"][0].startswith("its spline runs to infinity")
    assert len(result.curves) == 0


def test_five_patients_say_why_not() -> None:
    x = pd.DataFrame({"x": [1.0, 2, 3, 4, 5]})
    y = survival_outcome([3, 1, 5, 2, 4], [1, 1, 0, 1, 1])
    result = linearity_test(CoxModel().fit(x, y), x, y, terms=learnt(x))
    assert result.table["reason"].item() == "too few distinct values for a spline (5)"


@given(seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_order_and_units_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = pd.DataFrame(rng.normal(size=(80, 2)), columns=["a", "b"])
    time, event = np.ceil(10 * rng.exponential(size=80)), rng.random(80) < 0.7
    order = rng.permutation(80)
    y = survival_outcome(time, event)
    first = linearity_test(CoxModel().fit(x, y), x, y, terms=learnt(x)).table
    other = pd.DataFrame({"a": 5 - 1000 * x["a"], "b": x["b"]}).iloc[order].reset_index(drop=True)
    y = survival_outcome(time[order] / 30.4375, event[order])
    again = linearity_test(CoxModel().fit(other, y), other, y, terms=learnt(other)).table
    np.testing.assert_allclose(again["chi2"], first["chi2"], atol=1e-5)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="n_knots must be 3, 4 or 5, but 6 came"):
        linearity_test(COX, X, Y, terms=learnt(X), n_knots=6)
    with pytest.raises(ValueError, match="one row per patient"):
        linearity_test(COX, X.iloc[:9], Y, terms=learnt(X))
