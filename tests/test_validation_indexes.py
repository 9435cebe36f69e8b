"""The indexes of rms's validate: by hand, resample by resample as R, and for any data."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cox_fit import cox_fit
from models.many_cox import fit_many_cox
from models.many_logistic import fit_many_logistic
from models.validation_indexes import (
    COX_INDEXES,
    LOGISTIC_INDEXES,
    cox_indexes,
    cox_indexes_in_and_out,
    emax,
    gini_mean_difference,
    logistic_indexes,
    no_information_brier,
)
from tests.validation_reference import CLASS, COUNTS, EVENT, NAMES, TIME, R, X

ROWS = np.column_stack([np.ones(len(X)), X])
TIGHT = 1e-6


def held(counts: np.ndarray) -> np.ndarray:
    return (counts == 0).astype(float)


@pytest.mark.parametrize("part", ["train", "test", "out"])
def test_cox_indexes_are_rs_resample_by_resample(part: str) -> None:
    many = fit_many_cox(X, TIME, EVENT, COUNTS)
    score = many.coef @ X.T
    counts = {"train": COUNTS, "test": np.ones_like(COUNTS), "out": held(COUNTS)}[part]
    inside = many.log_likelihood if part == "train" else None
    found = cox_indexes(score, TIME, EVENT, counts, log_likelihood=inside)
    assert tuple(found) == COX_INDEXES
    for theirs, values in R["exact"]["cox"][part].items():
        np.testing.assert_allclose(found[NAMES[theirs]], values, rtol=TIGHT, atol=TIGHT)


@pytest.mark.parametrize("part", ["train", "test", "out"])
def test_logistic_indexes_are_rs_resample_by_resample(part: str) -> None:
    many = fit_many_logistic(X, CLASS, COUNTS)
    score = many.coef @ ROWS.T
    counts = {"train": COUNTS, "test": np.ones_like(COUNTS), "out": held(COUNTS)}[part]
    inside = many.log_likelihood if part == "train" else None
    found = logistic_indexes(score, CLASS, counts, log_likelihood=inside)
    assert tuple(found) == LOGISTIC_INDEXES
    for theirs, values in R["exact"]["logistic"][part].items():
        np.testing.assert_allclose(found[NAMES[theirs]], values, rtol=TIGHT, atol=TIGHT)


def test_in_and_out_are_each_alone() -> None:
    many = fit_many_cox(X, TIME, EVENT, COUNTS)
    score, inside = many.coef @ X.T, many.log_likelihood
    both = cox_indexes_in_and_out(score, TIME, EVENT, (COUNTS, held(COUNTS)), log_likelihood=inside)
    alone = (
        cox_indexes(score, TIME, EVENT, COUNTS, log_likelihood=inside),
        cox_indexes(score, TIME, EVENT, held(COUNTS)),
    )
    for found, expected in zip(both, alone, strict=True):
        assert list(found) == list(expected)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, atol=1e-12)


def test_perfectly_fitted_patients_have_slope_one_and_no_misfit() -> None:
    coef = cox_fit(X, TIME, EVENT).coef
    found = cox_indexes([X @ coef], TIME, EVENT, np.ones((1, len(TIME))))
    assert found["slope"][0] == pytest.approx(1, abs=1e-8)
    assert found["u"][0] == pytest.approx(0, abs=1e-10)
    assert found["q"][0] == pytest.approx(found["d"][0], abs=1e-10)


def test_reversed_score_is_worse() -> None:
    score = X @ cox_fit(X, TIME, EVENT).coef
    found = cox_indexes([score, -score], TIME, EVENT, np.ones((2, len(TIME))))
    assert found["dxy"][1] == pytest.approx(-found["dxy"][0])
    assert found["slope"][1] == pytest.approx(-1)
    assert found["u"][1] > found["u"][0] + 0.01  # the slope alone puts the reversal right
    assert found["q"][1] < 0 < found["q"][0]
    odds = [ROWS @ fit_many_logistic(X, CLASS, np.ones((1, len(X)))).coef[0]]
    odds.append(-odds[0])
    found = logistic_indexes(odds, CLASS, np.ones((2, len(TIME))))
    assert found["brier"][1] > found["brier"][0]
    assert found["dxy"][1] == pytest.approx(-found["dxy"][0])


@given(data=st.data())
@settings(max_examples=40)
def test_gini_mean_difference_is_the_mean_over_pairs(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 12))
    values = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n)), float)
    counts = np.array(data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    drawn = np.repeat(values, counts)
    found = gini_mean_difference([values], [counts])[0]
    if len(drawn) < 2:
        assert np.isnan(found)
        return
    pairs = np.abs(drawn[:, np.newaxis] - drawn).sum() / (len(drawn) * (len(drawn) - 1))
    assert found == pytest.approx(pairs, abs=1e-12)


@given(st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_order_and_unit_of_time_change_nothing(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(TIME))
    score, counts = [X @ [0.02, 0.3, 0.1, 0.4]], COUNTS[:1]
    one = cox_indexes(score, TIME, EVENT, counts)
    other = cox_indexes(
        np.array(score)[:, order], TIME[order] * 30.4375, EVENT[order], counts[:, order]
    )
    for name, value in one.items():
        np.testing.assert_allclose(other[name], value, atol=1e-9)


def test_counts_are_the_drawn_rows() -> None:
    score = X @ [0.02, 0.3, 0.1, 0.4]
    rows = np.repeat(np.arange(len(TIME)), COUNTS[0])
    one = np.ones((1, len(rows)))
    drawn = cox_indexes([score[rows]], TIME[rows], EVENT[rows], one)
    counted = cox_indexes([score], TIME, EVENT, COUNTS[:1])
    for name, value in drawn.items():
        np.testing.assert_allclose(counted[name], value, atol=1e-8)
    drawn = logistic_indexes([score[rows] - 2], CLASS[rows], one)
    counted = logistic_indexes([score - 2], CLASS, COUNTS[:1])
    for name, value in drawn.items():
        np.testing.assert_allclose(counted[name], value, atol=1e-8)


def test_no_information_brier_is_the_mean_over_all_pairs() -> None:
    risk, event = np.array([0.1, 0.5, 0.9]), np.array([True, False, True])
    pairs = ((event[:, np.newaxis] - risk) ** 2).mean()
    assert no_information_brier(risk, event) == pytest.approx(pairs, abs=1e-15)


def test_emax_finds_the_largest_distance() -> None:
    p = np.linspace(1e-4, 1 - 1e-4, 200_001)
    moved = 1 / (1 + np.exp(-(0.3 + 0.8 * np.log(p / (1 - p)))))
    assert emax(0.3, 0.8) == pytest.approx(np.abs(p - moved).max(), abs=1e-7)


def test_patients_without_an_event_or_a_prediction_give_nan() -> None:
    nobody = cox_indexes([TIME], TIME, np.zeros(len(TIME)), np.ones((1, len(TIME))))
    assert all(np.isnan(value).all() for value in nobody.values())
    unknown = cox_indexes([np.where(TIME > 50, np.nan, TIME)], TIME, EVENT, np.ones((1, len(TIME))))
    assert all(np.isnan(value).all() for value in unknown.values())
    one_class = logistic_indexes([TIME], np.ones(len(TIME)), np.ones((1, len(TIME))))
    assert all(np.isnan(value).all() for value in one_class.values())


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r"linear_predictor must have one row.*shape \(150,\)"):
        cox_indexes(TIME, TIME, EVENT, np.ones((1, len(TIME))))
    with pytest.raises(ValueError, match=r"counts must have one row.*shape \(2, 150\)"):
        logistic_indexes([TIME], CLASS, np.ones((2, len(TIME))))
