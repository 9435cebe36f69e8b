"""Integrated Brier score: pec's crps, the Brier score at every step, the jackknife, edges."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.accuracy import brier_at
from models.integrated_brier import integrated_brier
from models.standard_errors import measured_brier_at
from tests.discrimination_reference import EVENT, TIME
from tests.metrics_reference import Sample, samples

REFERENCE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "reference" / "integrated_brier.json").read_text()
)
STEPS, RISK = np.array(REFERENCE["steps"]), np.array(REFERENCE["risk"])
AT = [1.5, 3.0, 4.25]


def curves(s: Sample) -> NDArray[np.float64]:
    """Rising risks by each of `AT`."""
    return (s.score + 3)[:, None] / 6 * np.array([0.3, 0.6, 1.0])


def risks_at(risk: NDArray[np.float64], times: Any, t: float) -> NDArray[np.float64]:
    """Read the curves at a time."""
    return np.column_stack([np.zeros(len(risk)), risk])[:, np.searchsorted(times, t, side="right")]


def test_by_hand() -> None:
    # Patient 1 (event at 2): risk .2 until then, missed by .6 on [3, 4); patient 2 is lost at 3,
    # so patient 3 weighs 2 from there on.
    found = integrated_brier(
        [2, 3, 5], [1, 0, 0], [[0.2, 0.4], [0.1, 0.1], [0.5, 0.6]], times=[1, 3], horizon=4
    )
    one = 0.2**2 * 1 + 0.8**2 * 1 + 0.6**2 * 1
    two, three = 0.1**2 * 2, 0.5**2 * 2 + 0.6**2 * 2
    assert found.estimate == pytest.approx((one + two + three) / 3 / 4, abs=1e-15)
    assert found.n_events == 1


@pytest.mark.parametrize("j", range(4))
def test_pec_crps(j: int) -> None:
    horizon = REFERENCE["horizons"][j]
    found = integrated_brier(TIME, EVENT, RISK, times=STEPS, horizon=horizon)
    assert found.estimate == pytest.approx(REFERENCE["ibs"][j], abs=1e-12)


@given(s=samples(min_size=3), horizon=st.sampled_from([1.0, 2.5, 4.0]))
def test_it_is_the_mean_of_brier_scores_and_of_their_influence(s: Sample, horizon: float) -> None:
    found = integrated_brier(s.time, s.event, curves(s), times=AT, horizon=horizon)
    if s.time.max() < horizon:
        assert np.isnan([found.estimate, found.standard_error]).all()
        return
    ends = np.unique([0.0, horizon, *(t for t in [*AT, *s.time] if t < horizon)])
    middle = (ends[1:] + ends[:-1]) / 2  # nothing steps in between
    parts = [
        measured_brier_at(s.time, s.event, risks_at(curves(s), AT, t), horizon=t) for t in middle
    ]
    shares = np.diff(ends) / horizon
    assert found.estimate == pytest.approx(shares @ [one.estimate for one in parts], abs=1e-12)
    expected = shares @ np.array([one.contributions for one in parts])
    np.testing.assert_allclose(found.contributions, expected, atol=1e-12)


def test_leaving_each_patient_out_spreads_as_much() -> None:
    rows = np.arange(len(TIME))
    left_out = np.array(
        [
            integrated_brier(
                TIME[rows != i], EVENT[rows != i], RISK[rows != i], times=STEPS, horizon=12.5
            ).estimate
            for i in rows
        ]
    )
    jackknife = np.sqrt((len(rows) - 1) * left_out.var())
    found = integrated_brier(TIME, EVENT, RISK, times=STEPS, horizon=12.5)
    assert found.standard_error == pytest.approx(jackknife, rel=0.02)


@given(s=samples(min_size=3), seed=st.integers(0, 99), unit=st.sampled_from([30.4375, 1 / 12]))
def test_order_and_unit_do_not_matter(s: Sample, seed: int, unit: float) -> None:
    rows = np.random.default_rng(seed).permutation(len(s.time))
    plain = integrated_brier(s.time, s.event, curves(s), times=AT, horizon=4)
    again = integrated_brier(
        unit * s.time[rows], s.event[rows], curves(s)[rows], times=unit * np.array(AT),
        horizon=4 * unit,
    )  # fmt: skip
    assert again.estimate == pytest.approx(plain.estimate, abs=1e-12, nan_ok=True)
    np.testing.assert_allclose(again.contributions, plain.contributions[rows], atol=1e-12)


@given(s=samples(min_size=3))
def test_a_step_of_no_height_changes_nothing(s: Sample) -> None:
    plain = integrated_brier(s.time, s.event, curves(s), times=AT, horizon=4)
    risk = np.column_stack([curves(s)[:, :2], curves(s)[:, 1:]])
    again = integrated_brier(s.time, s.event, risk, times=[1.5, 3.0, 3.7, 4.25], horizon=4)
    np.testing.assert_allclose(again.contributions, plain.contributions, atol=1e-12)


def test_what_lies_beyond_the_horizon_does_not_count() -> None:
    plain = integrated_brier(TIME, EVENT, RISK, times=STEPS, horizon=12)
    other = np.where(STEPS >= 12, np.nan, RISK)
    again = integrated_brier(TIME, EVENT, other, times=STEPS, horizon=12)
    np.testing.assert_array_equal(again.contributions, plain.contributions)


def test_reversed_risk_is_worse() -> None:
    right = integrated_brier(TIME, EVENT, RISK, times=STEPS, horizon=12)
    wrong = integrated_brier(TIME, EVENT, 1 - RISK, times=STEPS, horizon=12)
    assert wrong.estimate > right.estimate


def test_nobody_lost_and_a_perfect_curve() -> None:
    time = np.array([1.0, 2.0, 3.0])
    perfect = (time[:, None] <= time[None, :]).astype(float)
    found = integrated_brier(time, np.ones(3), perfect, times=time, horizon=3)
    assert (found.estimate, found.standard_error) == (0, 0)


def test_all_censored_one_event_and_five_patients() -> None:
    lost = integrated_brier(
        [1, 2, 5, 6, 7], np.zeros(5), np.full((5, 1), 0.4), times=[2], horizon=4
    )
    # risk 0 until 2, then .4 for those left, who weigh for all
    assert lost.estimate == pytest.approx(0.16 * 2 / 4)
    once = integrated_brier(
        [3, 3, 5, 5, 5], [1, 0, 0, 0, 0], np.full((5, 1), 0.4), times=[1], horizon=4
    )
    at = [brier_at([3, 3, 5, 5, 5], [1, 0, 0, 0, 0], np.full(5, 0.4), horizon=t) for t in (2, 3)]
    assert once.estimate == pytest.approx((2 * at[0] + at[1]) / 4)


def test_follow_up_to_the_horizon_is_enough_and_a_missing_risk_is_not() -> None:
    assert not np.isnan(
        integrated_brier([1, 4], [1, 0], [[0.5]] * 2, times=[1], horizon=4).estimate
    )
    assert np.isnan(integrated_brier([1, 4], [1, 0], [[0.5]] * 2, times=[1], horizon=4.1).estimate)
    missing = integrated_brier([1, 4], [1, 0], [[0.5], [np.nan]], times=[1], horizon=3)
    assert np.isnan([missing.estimate, missing.standard_error]).all()


def test_text() -> None:
    found = integrated_brier(TIME, EVENT, RISK, times=STEPS, horizon=12.5)
    assert repr(found).startswith("Measured(integrated_brier at 12.5 0.166 [0.138, 0.194], 140 ")


@pytest.mark.parametrize(
    ("risk", "times", "message"),
    [
        ([[0.1, 0.2]] * 2, [2, 1], r"times must rise, but 1 at position 1 follows 2"),
        ([[0.1, 0.2]] * 2, [1], r"a row for each of 2 patients and a column for each of 1 times"),
        ([[0.1], [1.2]], [1], r"risk must be a probability"),
        ([[0.1], [0.2]], [0], r"times must be"),
    ],
)
def test_wrong_input_is_named(risk: Any, times: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        integrated_brier([1, 2], [1, 0], risk, times=times, horizon=1)
