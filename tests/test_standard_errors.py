"""Standard errors: R's to rounding, spread over simulated samples, edges."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.accuracy import brier_at
from models.discrimination import auc_at, c_index, c_index_uno
from models.measured import Measured, from_influence, paired_difference
from models.standard_errors import (
    measured_auc_at,
    measured_brier_at,
    measured_c_index,
    measured_c_index_uno,
)
from tests.discrimination_reference import (
    COMPETING,
    EVENT,
    HORIZONS,
    OTHER_RISK,
    OTHER_SCORE,
    RISK,
    SCORE,
    TIME,
    R,
    row,
)
from tests.metrics_reference import Sample, samples

MEASURES: dict[str, Callable[..., Measured]] = {
    "c_index": measured_c_index,
    "c_index_uno": partial(measured_c_index_uno, tau=4),
    "auc": partial(measured_auc_at, horizon=4),
    "brier": partial(measured_brier_at, horizon=4),
}


def as_risk(score: Any) -> Any:
    return (np.asarray(score) + 3) / 6


# ---- R


@pytest.mark.parametrize(
    ("kind", "measure"),
    [("n", measured_c_index), ("uno", partial(measured_c_index_uno, tau=19.5))],
)
def test_r_survival_concordance(kind: str, measure: Callable[..., Measured]) -> None:
    expected = R["concordance"][kind]  # of reversed direction: R's higher scores live longer
    ours, other = measure(TIME, EVENT, SCORE), measure(TIME, EVENT, OTHER_SCORE)
    assert ours.estimate == pytest.approx(1 - expected["a"]["c"], abs=1e-12)
    assert ours.standard_error**2 == pytest.approx(expected["a"]["var"], abs=1e-14)
    np.testing.assert_allclose(-ours.contributions, expected["a"]["dfbeta"], atol=1e-14)
    covariance = ours.contributions @ other.contributions
    assert covariance == pytest.approx(expected["covariance"], abs=1e-14)
    difference = paired_difference(ours, other)
    assert difference.standard_error == pytest.approx(expected["se_difference"], abs=1e-13)


@pytest.mark.parametrize("j", range(3))
@pytest.mark.parametrize("metric", ["auc", "brier"])
@pytest.mark.parametrize("kind", ["survival", "competing"])
def test_risk_regression_score(kind: str, metric: str, j: int) -> None:
    horizon = HORIZONS[j]
    measure = partial(
        {"auc": measured_auc_at, "brier": measured_brier_at}[metric],
        TIME, EVENT, horizon=horizon, competing=COMPETING if kind == "competing" else None,
    )  # fmt: skip
    ours, other = measure(RISK[j]), measure(OTHER_RISK[j])
    name = {"auc": "AUC", "brier": "Brier"}[metric]
    expected = row(R[kind][metric], model="a", times=horizon)
    assert ours.estimate == pytest.approx(expected[name], abs=1e-12)
    assert ours.standard_error == pytest.approx(expected["se"], abs=1e-12)
    assert [ours.lower, ours.upper] == pytest.approx(
        [expected["lower"], expected["upper"]], abs=1e-12
    )
    difference = paired_difference(other, ours)
    test = row(R[kind][f"{metric}_difference"], model="b", reference="a", times=horizon)
    assert difference.difference == pytest.approx(test[f"delta.{name}"], abs=1e-12)
    assert difference.standard_error == pytest.approx(test["se"], abs=1e-12)
    assert difference.lower == pytest.approx(test["lower"], abs=1e-12)
    assert difference.p_value == pytest.approx(test["p"], abs=1e-12)


# ---- closed forms


def test_brier_without_censoring_is_a_plain_mean() -> None:
    squares = (np.array([1, 1, 0, 0]) - np.array([0.9, 0.5, 0.2, 0.4])) ** 2
    found = measured_brier_at([1, 2, 3, 4], np.ones(4), [0.9, 0.5, 0.2, 0.4], horizon=2)
    assert found.standard_error == pytest.approx(squares.std(ddof=1) / 2, abs=1e-15)


def test_auc_without_censoring_by_hand() -> None:
    # Cases .9 and .3 against controls .5, .1: placements 1, 1/2 and 1, 1/2 around .75. With case
    # share 1/2 the influence is ±.25 / .5; its spread with n - 1: sqrt(4 · .5² / 3 / 4).
    found = measured_auc_at([1, 2, 3, 4], np.ones(4), [0.9, 0.3, 0.5, 0.1], horizon=2)
    assert found.estimate == 0.75
    assert found.standard_error == pytest.approx(np.sqrt(4 * 0.25 / 12), abs=1e-12)


def test_spread_over_samples_is_the_standard_error() -> None:
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in MEASURES}
    for seed in range(300):
        rng = np.random.default_rng(seed)
        score = rng.normal(size=200)
        death, lost = rng.exponential(5 * np.exp(-score)), rng.uniform(1, 9, 200)
        data = np.minimum(death, lost), death <= lost
        for name, measure in MEASURES.items():
            values = 1 / (1 + np.exp(-score)) if name == "brier" else score
            one = measure(*data, values)
            found[name].append((one.estimate, one.standard_error))
    for values in found.values():
        estimates, errors = np.array(values).T
        # 300 samples know a standard deviation to 4 %: three times that
        assert errors.mean() == pytest.approx(estimates.std(ddof=1), rel=0.12)


# ---- properties


@given(samples(min_size=3))
def test_estimates_are_those_without_error(s: Sample) -> None:
    risk = as_risk(s.score)
    pairs = [
        (measured_c_index(*s), c_index(*s)),
        (measured_c_index_uno(*s, tau=4), c_index_uno(*s, tau=4)),
        (measured_auc_at(*s, horizon=4), auc_at(*s, horizon=4)),
        (measured_brier_at(*s[:2], risk, horizon=4), brier_at(*s[:2], risk, horizon=4)),
    ]
    for measured, plain in pairs:
        assert measured.estimate == pytest.approx(plain, abs=1e-12, nan_ok=True)
        assert np.isnan(measured.standard_error) == np.isnan(plain)
        assert np.isnan(plain) or abs(measured.contributions.sum()) < 1e-10


@pytest.mark.parametrize("name", MEASURES)
@given(s=samples(min_size=3), seed=st.integers(0, 99), unit=st.sampled_from([30.4375, 1 / 12]))
def test_order_and_unit_do_not_matter(name: str, s: Sample, seed: int, unit: float) -> None:
    shuffled = np.random.default_rng(seed).permutation(len(s.time))
    measure, score = MEASURES[name], as_risk(s.score)
    at = {} if name == "c_index" else {"tau" if name == "c_index_uno" else "horizon": 4 * unit}
    again = measure(unit * s.time[shuffled], s.event[shuffled], score[shuffled], **at)
    expected = measure(s.time, s.event, score).contributions[shuffled]
    np.testing.assert_allclose(again.contributions, expected, atol=1e-12)


@given(s=samples(min_size=3))
def test_reversing_the_score_reverses_the_contributions(s: Sample) -> None:
    for name in ("c_index", "c_index_uno", "auc"):
        forward = MEASURES[name](s.time, s.event, s.score)
        backward = MEASURES[name](s.time, s.event, -s.score)
        np.testing.assert_allclose(backward.contributions, -forward.contributions, atol=1e-12)


@given(s=samples(min_size=3))
def test_nobody_competing_is_no_competing_event(s: Sample) -> None:
    nobody = np.zeros(len(s.time), dtype=bool)
    for measure in (measured_auc_at, measured_brier_at):
        plain, asked = (
            measure(*s[:2], as_risk(s.score), horizon=4, competing=c) for c in (None, nobody)
        )
        np.testing.assert_array_equal(plain.contributions, asked.contributions)


def test_a_figure_less_itself_is_nothing_and_says_no_p_value() -> None:
    one = measured_c_index(TIME, EVENT, SCORE)
    found = paired_difference(one, one)
    assert (found.difference, found.standard_error) == (0, 0)
    assert np.isnan(found.p_value)


def test_swapping_the_two_turns_the_sign_and_keeps_the_p_value() -> None:
    a, b = (measured_c_index(TIME, EVENT, score) for score in (SCORE, OTHER_SCORE))
    forward, backward = paired_difference(a, b), paired_difference(b, a)
    assert backward.difference == -forward.difference
    assert (backward.lower, backward.upper) == (-forward.upper, -forward.lower)
    assert backward.p_value == forward.p_value


def test_tables_and_text() -> None:
    one = measured_auc_at(TIME, EVENT, RISK[0], horizon=6)
    (shown,) = one.table.to_dict("records")
    assert shown["lower"] < shown["estimate"] < shown["upper"]
    assert repr(one).startswith("Measured(auc at 6 0.730 [0.635, 0.825], 140 patients, ")
    other = measured_auc_at(TIME, EVENT, OTHER_RISK[0], horizon=6)
    assert repr(paired_difference(other, one)).startswith("PairedDifference(auc -0.050 [-0.142, ")
    assert paired_difference(other, one).table["p_value"].item() == pytest.approx(0.28436786)


# ---- edges


@pytest.mark.parametrize("name", MEASURES)
def test_all_censored(name: str) -> None:
    found = MEASURES[name]([1, 2, 5, 6, 7], np.zeros(5), [0.1, 0.2, 0.3, 0.4, 0.5])
    assert np.isnan(found.estimate) == (name != "brier")
    assert np.isnan(found.standard_error) == np.isnan(found.estimate)


@pytest.mark.parametrize("name", MEASURES)
def test_five_patients_one_event_tied_predictions(name: str) -> None:
    found = MEASURES[name]([3, 3, 5, 5, 5], [1, 0, 0, 0, 0], np.full(5, 0.5))
    assert found.estimate == pytest.approx(0.25 * 4 / 5 * 5 / 4 if name == "brier" else 0.5)
    assert found.n_events == 1
    assert name == "brier" or found.standard_error == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", MEASURES)
def test_a_missing_score_and_a_missing_follow_up_give_nan(name: str) -> None:
    measure = MEASURES[name]
    assert np.isnan(measure([1, 3, 5], [1, 1, 0], [0.5, np.nan, 0.1]).standard_error)
    if name != "c_index":
        assert np.isnan(measure([1, 2, 3], [1, 1, 0], [0.5, 0.4, 0.1]).estimate)


def test_a_horizon_before_anybody_leaves() -> None:
    found = measured_brier_at([5, 6, 7], [1, 0, 1], [0.1, 0.2, 0.3], horizon=4)
    squares = np.array([0.01, 0.04, 0.09])
    assert found.estimate == pytest.approx(squares.mean())
    assert found.standard_error == pytest.approx(squares.std(ddof=1) / np.sqrt(3))


def test_one_patient_has_no_standard_error() -> None:
    assert np.isnan(measured_brier_at([5], [0], [0.1], horizon=4).standard_error)
    assert np.isnan(from_influence(np.ones(1))).all()


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="competing must be False where event is True, but 1 of 2"):
        measured_auc_at([1, 2], [1, 0], [1, 2], horizon=1, competing=[1, 0])
    with pytest.raises(ValueError, match="one value per patient"):
        measured_auc_at([1, 2], [1, 0], [1, 2], horizon=1, competing=[0, 0, 1])
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        measured_c_index([1, 2], [1, 0], [2, 1], level=95)
    with pytest.raises(ValueError, match="horizon must be a time above zero"):
        measured_brier_at([1, 2], [1, 0], [0, 1], horizon=0)
    with pytest.raises(ValueError, match="risk must be a probability"):
        measured_brier_at([1, 2], [1, 0], [0, 2], horizon=1)
    one = measured_c_index(TIME, EVENT, SCORE)
    with pytest.raises(ValueError, match="reference must have the n_patients"):
        paired_difference(one, measured_c_index(TIME[1:], EVENT[1:], SCORE[1:]))
    with pytest.raises(ValueError, match="reference must have the metric"):
        paired_difference(one, measured_auc_at(TIME, EVENT, SCORE, horizon=6))
