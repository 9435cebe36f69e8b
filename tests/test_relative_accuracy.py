"""IPA with its standard error: by hand, R's delta method, the jackknife, edges."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.accuracy import ipa, ipa_at
from models.relative_accuracy import measured_ipa, measured_ipa_at
from tests.discrimination_reference import COMPETING, EVENT, HORIZONS, RISK, TIME, R
from tests.metrics_reference import Sample, samples

REFERENCE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "reference" / "relative_accuracy.json").read_text()
)
Y, P = np.array(R["binary"]["y"]), np.array(R["binary"]["p"])


def as_risk(s: Sample) -> Any:
    return (s.score + 3) / 6


def test_two_patients_by_hand() -> None:
    # Terms .04 and .16 of the model, .25 and .25 of the prevalence: influence (.1 - q) / .25.
    found = measured_ipa([True, False], [0.8, 0.4])
    assert found.estimate == pytest.approx(0.6, abs=1e-15)
    assert found.standard_error == pytest.approx(np.sqrt(2 * 0.24**2 / 2), abs=1e-15)


@pytest.mark.parametrize("j", range(3))
@pytest.mark.parametrize("kind", ["survival", "competing"])
def test_risk_regression(kind: str, j: int) -> None:
    found = measured_ipa_at(
        TIME, EVENT, RISK[j], horizon=HORIZONS[j],
        competing=COMPETING if kind == "competing" else None,
    )  # fmt: skip
    assert found.estimate == pytest.approx(REFERENCE[kind][j]["ipa"], abs=1e-12)
    assert found.standard_error == pytest.approx(REFERENCE[kind][j]["se"], abs=1e-12)


def test_risk_regression_binary() -> None:
    (expected,) = REFERENCE["binary"]
    found = measured_ipa(Y, P)
    assert found.estimate == pytest.approx(expected["ipa"], abs=1e-12)
    # R's prevalence comes from an iterative fit
    assert found.standard_error == pytest.approx(expected["se"], abs=1e-8)


@pytest.mark.parametrize("j", range(3))
def test_leaving_each_patient_out_spreads_as_much(j: int) -> None:
    rows = np.arange(len(TIME))
    left_out = np.array(
        [
            ipa_at(TIME[rows != i], EVENT[rows != i], RISK[j][rows != i], horizon=HORIZONS[j])
            for i in rows
        ]
    )
    jackknife = np.sqrt((len(rows) - 1) * left_out.var())
    found = measured_ipa_at(TIME, EVENT, RISK[j], horizon=HORIZONS[j])
    assert found.standard_error == pytest.approx(jackknife, rel=0.03)


def test_leaving_each_patient_out_of_a_binary_outcome() -> None:
    rows = np.arange(len(Y))
    left_out = np.array([ipa(Y[rows != i], P[rows != i]) for i in rows])
    jackknife = np.sqrt((len(rows) - 1) * left_out.var())
    assert measured_ipa(Y, P).standard_error == pytest.approx(jackknife, rel=0.03)


@given(samples(min_size=3))
def test_estimates_are_those_without_error(s: Sample) -> None:
    for measured, plain in (
        (measured_ipa_at(*s[:2], as_risk(s), horizon=4), ipa_at(*s[:2], as_risk(s), horizon=4)),
        (measured_ipa(s.event, as_risk(s)), ipa(s.event, as_risk(s))),
    ):
        assert measured.estimate == pytest.approx(plain, abs=1e-10, nan_ok=True)
        assert np.isnan(plain) or abs(measured.contributions.sum()) < 1e-8


@given(s=samples(min_size=3), seed=st.integers(0, 99), unit=st.sampled_from([30.4375, 1 / 12]))
def test_order_and_unit_do_not_matter(s: Sample, seed: int, unit: float) -> None:
    rows = np.random.default_rng(seed).permutation(len(s.time))
    plain = measured_ipa_at(s.time, s.event, as_risk(s), horizon=4)
    again = measured_ipa_at(unit * s.time[rows], s.event[rows], as_risk(s)[rows], horizon=4 * unit)
    np.testing.assert_allclose(again.contributions, plain.contributions[rows], atol=1e-8)


def test_without_censoring_a_horizon_is_a_binary_outcome() -> None:
    rng = np.random.default_rng(3)
    time, risk = rng.exponential(5, 40), rng.uniform(size=40)
    by_time = measured_ipa_at(time, np.ones(40), risk, horizon=4)
    plain = measured_ipa(time <= 4, risk)
    np.testing.assert_allclose(by_time.contributions, plain.contributions, atol=1e-14)


def test_reversed_risk_is_worse() -> None:
    right = measured_ipa_at(TIME, EVENT, RISK[1], horizon=12)
    assert measured_ipa_at(TIME, EVENT, 1 - RISK[1], horizon=12).estimate < right.estimate


def test_it_has_no_lower_end_but_one_above() -> None:
    bad = measured_ipa([1, 0, 1, 0], [0.0, 1.0, 0.1, 0.9])
    assert bad.lower < bad.estimate < -2
    assert measured_ipa([1, 0, 1, 0], [0.9, 0.0, 0.9, 0.3]).upper == 1


@pytest.mark.parametrize(
    ("time", "event", "risk"),
    [
        ([1, 2, 5, 6, 7], [0] * 5, [0.1, 0.2, 0.3, 0.4, 0.5]),  # all censored: nothing to save
        ([1, 2, 3, 3, 4], [1, 0, 1, 0, 0], [0.1, 0.2, 0.3, 0.4, 0.5]),  # nobody beyond
        ([1, 2, 5, 6, 7], [1, 0, 0, 0, 0], [0.1, np.nan, 0.3, 0.4, 0.5]),
    ],
)
def test_nan_where_the_data_cannot_tell(
    time: list[float], event: list[int], risk: list[float]
) -> None:
    found = measured_ipa_at(time, event, risk, horizon=4)
    assert np.isnan([found.estimate, found.standard_error]).all()


def test_one_class_and_one_event_with_tied_risks() -> None:
    assert np.isnan(measured_ipa([1, 1], [0.2, 0.3]).estimate)
    found = measured_ipa_at([3, 3, 5, 5, 5], [1, 0, 0, 0, 0], np.full(5, 0.2), horizon=4)
    assert found.estimate == pytest.approx(0, abs=1e-12)
    assert found.standard_error == pytest.approx(0, abs=1e-12)
    assert found.n_events == 1


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="risk must be a probability"):
        measured_ipa([1, 0], [2, 0.5])
    with pytest.raises(ValueError, match="level must lie between"):
        measured_ipa([1, 0], [0.2, 0.5], level=95)
    with pytest.raises(ValueError, match="horizon must be a time above zero"):
        measured_ipa_at([1, 2], [1, 0], [0.2, 0.5], horizon=0)
    with pytest.raises(ValueError, match="competing must be False where event is True"):
        measured_ipa_at([1, 2], [1, 0], [0.2, 0.5], horizon=1, competing=[1, 0])
