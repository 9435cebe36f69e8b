"""Discrimination: hand-worked pairs, R's figures, then what must hold for any data."""

from collections.abc import Callable
from functools import partial
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sksurv.metrics import concordance_index_censored

from models.censoring import censoring_survival_before
from models.discrimination import auc_at, c_index, c_index_uno, roc_auc
from tests.metrics_reference import (
    EVENT,
    HORIZONS,
    POSITIVE,
    PROBABILITY,
    REFERENCE,
    RISK,
    SCORE,
    TIME,
    R,
    Sample,
    rotterdam_to_gbsg,
    samples,
)
from tests.realdata import needs_data

TAU = R["data"]["tau"]


def definition(s: Sample, weights: np.ndarray) -> float:
    """The double sum as the module writes it."""
    right = total = 0.0
    for i, j in permutations(range(len(s.time)), 2):
        later = s.time[i] < s.time[j] or (s.time[i] == s.time[j] and not s.event[j])
        if s.event[i] and later:
            total += weights[i]
            right += weights[i] * ((s.score[i] > s.score[j]) + 0.5 * (s.score[i] == s.score[j]))
    return right / total if total else np.nan


# ---- hand-worked


def test_c_index_by_hand() -> None:
    # Comparable: 1-2, 1-3, 1-4 and 3-4 (2 is censored). Right: 1-2 and 1-4; 1-3 tied; 3-4 right.
    assert c_index([1, 2, 3, 4], [1, 0, 1, 0], [3, 2, 3, 1]) == pytest.approx(3.5 / 4)


def test_event_and_censoring_at_one_time_are_comparable_but_two_events_are_not() -> None:
    assert c_index([2, 2], [True, False], [1, 0]) == 1
    assert np.isnan(c_index([2, 2], [True, True], [1, 0]))


def test_uno_weights_by_hand() -> None:
    # G falls to 2/3 at the censoring at 2. Case 1 (weight 1): right against 2, 3, 4.
    # Case 3 (weight 9/4): wrong against 4.
    assert c_index_uno([1, 2, 3, 4], [1, 0, 1, 1], [4, 3, 1, 2], tau=3.5) == pytest.approx(4 / 7)


def test_auc_by_hand() -> None:
    # Cases 1 (weight 1) and 3 (weight 1 / G(3-) = 3/2); control 4. Right, then wrong.
    found = auc_at([1, 2, 3, 4], [1, 0, 1, 0], [0.9, 0.2, 0.6, 0.7], horizon=3)
    assert found == pytest.approx(1 / 2.5)


def test_roc_auc_by_hand() -> None:
    assert roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == 0.75
    assert roc_auc([0, 1], [0.3, 0.3]) == 0.5


def test_case_at_the_horizon_counts() -> None:
    # riskRegression counts T <= t; timeROC T < t.
    assert auc_at([1, 2, 3], [1, 1, 0], [1, 3, 2], horizon=2) == 0.5


# ---- R and the definition


def test_r_survival_concordance() -> None:
    assert c_index(TIME, EVENT, SCORE) == pytest.approx(R["c_index"], abs=1e-12)
    assert c_index_uno(TIME, EVENT, SCORE, tau=TAU) == pytest.approx(R["c_index_uno"], abs=1e-12)


@pytest.mark.parametrize("j", range(3))
def test_risk_regression_auc(j: int) -> None:
    found = auc_at(TIME, EVENT, RISK[j], horizon=HORIZONS[j])
    assert found == pytest.approx(R["at"][j]["auc"], abs=1e-12)


def test_p_roc() -> None:
    assert roc_auc(POSITIVE, PROBABILITY) == pytest.approx(R["binary"]["auc"], abs=1e-12)


def test_scikit_survival_agrees_without_tied_times() -> None:
    rng = np.random.default_rng(1)
    time, event, score = rng.random(2000) + 0.1, rng.random(2000) < 0.4, rng.normal(size=2000)
    expected = concordance_index_censored(event, time, score)[0]
    assert c_index(time, event, score) == pytest.approx(expected, abs=1e-12)


@given(samples())
def test_c_index_is_its_definition(s: Sample) -> None:
    expected = definition(s, np.ones(len(s.time)))
    assert c_index(*s) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(samples())
def test_uno_is_its_definition(s: Sample) -> None:
    tau = s.time.max()
    weights = (s.time < tau) / censoring_survival_before(s.time, s.event, s.time) ** 2
    expected = definition(s, weights)
    assert c_index_uno(*s, tau=tau) == pytest.approx(expected, abs=1e-12, nan_ok=True)


# ---- properties

FIGURES: dict[str, Callable[..., float]] = {
    "c_index": c_index,
    "c_index_uno": partial(c_index_uno, tau=4),
    "auc_at": partial(auc_at, horizon=4),
}


@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)
@given(s=samples())
def test_reversing_the_score_reverses_the_figure(figure: Callable[..., float], s: Sample) -> None:
    # A survival probability passed as a risk must be visible in the result.
    reversed_figure = figure(s.time, s.event, -s.score)
    assert reversed_figure == pytest.approx(1 - figure(*s), nan_ok=True)
    if not s.event.all():
        forward, backward = roc_auc(s.event, s.score), roc_auc(s.event, -s.score)
        assert backward == pytest.approx(1 - forward)


@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)
@given(s=samples(), seed=st.integers(0, 99))
def test_order_of_patients_and_scale_of_score_do_not_matter(
    figure: Callable[..., float], s: Sample, seed: int
) -> None:
    shuffled = np.random.default_rng(seed).permutation(len(s.time))
    other = figure(s.time[shuffled], s.event[shuffled], np.exp(s.score[shuffled]))
    assert other == pytest.approx(figure(*s), nan_ok=True)


@given(s=samples(), unit=st.sampled_from([12.0, 365.25, 1 / 7]))
def test_unit_of_time_does_not_matter(s: Sample, unit: float) -> None:
    time, event, score = s
    assert c_index(unit * time, event, score) == pytest.approx(c_index(*s), nan_ok=True)
    assert auc_at(unit * time, event, score, horizon=unit * 4) == pytest.approx(
        auc_at(*s, horizon=4), nan_ok=True
    )


@given(samples())
def test_without_censoring_uno_is_harrell_and_auc_is_the_binary_one(s: Sample) -> None:
    everybody = np.ones(len(s.time), dtype=bool)
    tau = s.time.max()
    kept = s.time < tau
    assert c_index_uno(s.time, everybody, s.score, tau=tau) == pytest.approx(
        c_index(s.time, kept, s.score), nan_ok=True
    )
    assert auc_at(s.time, everybody, s.score, horizon=4) == pytest.approx(
        roc_auc(s.time <= 4, s.score), nan_ok=True
    )


def test_perfect_order_scores_one_and_no_information_one_half() -> None:
    time, event = np.arange(1.0, 21), np.arange(20) % 3 > 0
    for figure in FIGURES.values():
        assert figure(time, event, -time) == pytest.approx(1)
        assert figure(time, event, np.zeros(20)) == pytest.approx(0.5)


def test_fifty_thousand_patients() -> None:
    rng = np.random.default_rng(2)
    n = 50_000
    score = rng.normal(size=n)
    time = np.ceil(100 * rng.exponential(size=n) * np.exp(-score))
    # Exponential times: P(T_i < T_j) = expit(score difference) gives C = E expit(|N(0, 2)|).
    expected = (1 / (1 + np.exp(-np.abs(rng.normal(scale=np.sqrt(2), size=10**6))))).mean()
    # Two standard errors of the sample, and times rounded up to whole units.
    assert c_index(time, np.ones(n), score) == pytest.approx(expected, abs=0.005)


# ---- where there is no answer


def test_nan_where_no_pair_can_be_compared() -> None:
    assert np.isnan(c_index([1, 2], [False, False], [1, 2]))
    assert np.isnan(c_index([1], [True], [1]))
    assert np.isnan(c_index_uno([1, 2, 3], [0, 1, 1], [1, 2, 3], tau=2))
    assert np.isnan(roc_auc([True, True], [1, 2]))


def test_nan_beyond_follow_up() -> None:
    assert np.isnan(auc_at([1, 2, 3], [1, 1, 0], [3, 2, 1], horizon=3))  # nobody is followed on
    assert np.isnan(auc_at([1, 2, 3], [0, 1, 0], [3, 2, 1], horizon=1))  # no case
    assert np.isnan(c_index_uno([1, 2, 3], [1, 1, 0], [3, 2, 1], tau=3.1))


def test_a_missing_score_gives_nan() -> None:
    score = [np.nan, 2, 1]
    assert np.isnan(c_index([1, 2, 3], [1, 1, 0], score))
    assert np.isnan(c_index_uno([1, 2, 3], [1, 1, 0], score, tau=2.5))
    assert np.isnan(auc_at([1, 2, 3], [1, 1, 0], score, horizon=2))
    assert np.isnan(roc_auc([1, 1, 0], score))


@pytest.mark.parametrize(
    ("time", "event", "score", "message"),
    [
        ([0, 1], [1, 0], [1, 2], "time must be above zero, but 1 of 2"),
        ([1, 2], [1, 2], [1, 2], "event must hold only True/False"),
        ([1, 2], [1, 0], [1, np.inf], "linear_predictor must be finite, but 1 of 2.*position 1"),
        ([1, 2], [1, 0], [np.nan, np.inf], "linear_predictor must be finite, but 1 of 2"),
        ([1, 2], [1, 0], [1, 2, 3], "one value per patient"),
        ([], [], [], "time must hold at least one patient"),
    ],
)
def test_wrong_input_is_named(
    time: list[float], event: list[int], score: list[float], message: str
) -> None:
    for figure in FIGURES.values():
        with pytest.raises(ValueError, match=message):
            figure(time, event, score)


@pytest.mark.parametrize("horizon", [0, -1, np.nan, np.inf])
def test_wrong_horizon_is_named(horizon: float) -> None:
    with pytest.raises(ValueError, match="horizon must be a time above zero"):
        auc_at([1, 2], [1, 0], [1, 2], horizon=horizon)
    with pytest.raises(ValueError, match="tau must be a time above zero"):
        c_index_uno([1, 2], [1, 0], [1, 2], tau=horizon)


# ---- a published validation


@needs_data("survival")
def test_rotterdam_model_in_gbsg() -> None:
    published, v = REFERENCE["real"]["gbsg"], rotterdam_to_gbsg(horizon=4.99)
    np.testing.assert_allclose(v.coef, published["coefficients"], atol=1e-6)
    np.testing.assert_allclose(v.coef, [0.3418, 0.5736, 0.3040, -0.8111, 0.3617], atol=1e-4)
    assert len(v.development.time) == 2982
    assert v.development.event.sum() == 1275
    assert c_index(*v.development) == pytest.approx(0.682, abs=5e-4)  # printed to 3 digits
    data = v.time, v.event, v.linear_predictor
    assert c_index(*data) == pytest.approx(0.6524, abs=5e-5)
    assert c_index(*data) == pytest.approx(published["c_index"], abs=1e-8)
    # Printed as .6353: cut, not rounded.
    assert c_index_uno(*data, tau=4.99) == pytest.approx(0.6353, abs=1e-4)
    assert c_index_uno(*data, tau=4.99) == pytest.approx(published["c_index_uno"], abs=1e-8)
    assert auc_at(*data, horizon=4.99) == pytest.approx(published["auc"], abs=1e-8)
