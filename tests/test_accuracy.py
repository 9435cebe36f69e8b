"""Brier score and IPA: hand-worked sums, riskRegression's figures, then what must hold always."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.accuracy import brier, brier_at, ipa, ipa_at
from models.survival_curves import survival_at
from tests.metrics_reference import (
    EVENT,
    HORIZONS,
    POSITIVE,
    PROBABILITY,
    REFERENCE,
    RISK,
    TIME,
    R,
    Sample,
    rotterdam_to_gbsg,
    samples,
)
from tests.realdata import needs_data


def test_brier_by_hand() -> None:
    assert brier([True, False], [0.8, 0.4]) == pytest.approx((0.04 + 0.16) / 2)
    assert ipa([True, False], [0.8, 0.4]) == pytest.approx(1 - 0.1 / 0.25)


def test_brier_at_by_hand() -> None:
    # Weights at 2.5: event at 1 has 1; censored at 2 none; G(2.5) = 2/3, so 3/2 for the rest.
    found = brier_at([1, 2, 3, 4], [1, 0, 1, 0], [0.5, 0.5, 1, 0], horizon=2.5)
    assert found == pytest.approx((0.5**2 + 1.5 * 1 + 0) / 4)


def test_brier_at_counts_an_event_at_the_horizon_as_event() -> None:
    assert brier_at([2, 3], [True, False], [1, 0], horizon=2) == 0


@pytest.mark.parametrize("j", range(3))
def test_risk_regression(j: int) -> None:
    expected = R["at"][j]
    found = brier_at(TIME, EVENT, RISK[j], horizon=HORIZONS[j])
    assert found == pytest.approx(expected["brier"], abs=1e-12)
    found = ipa_at(TIME, EVENT, RISK[j], horizon=HORIZONS[j])
    assert found == pytest.approx(expected["ipa"], abs=1e-12)


def test_r_binary() -> None:
    assert brier(POSITIVE, PROBABILITY) == pytest.approx(R["binary"]["brier"], abs=1e-12)
    assert ipa(POSITIVE, PROBABILITY) == pytest.approx(R["binary"]["ipa"], abs=1e-12)


@given(samples(min_size=3))
def test_kaplan_meier_risk_has_no_accuracy(s: Sample) -> None:
    horizon = s.time.max() - 0.5
    survival = float(survival_at(s.time, s.event, horizon))
    everybody = np.full(len(s.time), 1 - survival)
    score = brier_at(s.time, s.event, everybody, horizon=horizon)
    assert score == pytest.approx(survival * (1 - survival), abs=1e-12)
    if 0 < survival < 1:
        assert ipa_at(s.time, s.event, everybody, horizon=horizon) == pytest.approx(0, abs=1e-12)


@given(s=samples(), shift=st.floats(0, 0.4))
def test_without_censoring_it_is_the_binary_score(s: Sample, shift: float) -> None:
    horizon = s.time.max() - 0.5
    risk = (s.score + 3) / 10 + shift
    everybody = np.ones(len(s.time), dtype=bool)
    found = brier_at(s.time, everybody, risk, horizon=horizon)
    assert found == pytest.approx(brier(s.time <= horizon, risk))


@given(s=samples(), unit=st.sampled_from([12.0, 365.25]), seed=st.integers(0, 99))
def test_order_and_unit_do_not_matter(s: Sample, unit: float, seed: int) -> None:
    risk = (s.score + 3) / 6
    shuffled = np.random.default_rng(seed).permutation(len(risk))
    found = brier_at(unit * s.time[shuffled], s.event[shuffled], risk[shuffled], horizon=unit * 4.5)
    expected = brier_at(s.time, s.event, risk, horizon=4.5)
    assert found == pytest.approx(expected, nan_ok=True)


def test_survival_passed_as_risk_is_worse() -> None:
    for j, horizon in enumerate(HORIZONS):
        right = brier_at(TIME, EVENT, RISK[j], horizon=horizon)
        assert brier_at(TIME, EVENT, 1 - RISK[j], horizon=horizon) > right
    assert ipa(POSITIVE, 1 - PROBABILITY) < ipa(POSITIVE, PROBABILITY)


def test_nan_where_there_is_no_answer() -> None:
    data = [1, 2, 2], [True, False, False], [0.5, 0.5, 0.5]
    assert np.isnan(brier_at(*data, horizon=2))  # nobody is followed beyond 2
    assert np.isnan(ipa_at(*data, horizon=2))
    assert np.isnan(ipa_at(*data, horizon=0.5))  # no event yet
    assert np.isnan(ipa([True, True], [0.5, 0.5]))
    assert np.isnan(brier([True, False], [np.nan, 0.5]))
    assert np.isnan(brier_at([1, 2, 3], [1, 1, 0], [np.nan, 0.5, 0.5], horizon=1))


@pytest.mark.parametrize(
    ("risk", "message"),
    [
        ([0.1, 1.2, 0.3], r"risk must be a probability.*1\.2 at position 1.*Cox linear predictor"),
        ([np.nan, 1.2, 0.3], r"risk must be a probability.*1\.2 at position 1"),
        ([0.1, 0.2], "one value per patient"),
    ],
)
def test_wrong_input_is_named(risk: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        brier([1, 0, 1], risk)
    with pytest.raises(ValueError, match=message):
        ipa_at([1, 2, 3], [1, 0, 1], risk, horizon=2)


@needs_data("survival")
def test_rotterdam_model_in_gbsg() -> None:
    published, v = REFERENCE["real"]["gbsg"], rotterdam_to_gbsg(horizon=4.99)
    data = v.time, v.event, v.risk
    # Published .2249: rms stops its fit early.
    assert brier_at(*data, horizon=4.99) == pytest.approx(0.2249, abs=2e-4)
    assert ipa_at(*data, horizon=4.99) == pytest.approx(0.101, abs=5e-4)
    assert brier_at(*data, horizon=4.99) == pytest.approx(published["brier"], abs=1e-7)
    assert ipa_at(*data, horizon=4.99) == pytest.approx(published["ipa"], abs=1e-7)
