"""Censoring weights: hand-worked curves, prodlim's figures, and the identities they rest on."""

import numpy as np
import pytest
from hypothesis import given

from models.censoring import censoring_survival, censoring_survival_before, censoring_weights
from models.survival_curves import survival_at
from tests.metrics_reference import EVENT, TIME, R, Sample, samples


def test_events_leave_before_censorings_at_one_time() -> None:
    # At 2 one event and one censoring: two of three are left when the censoring is counted.
    time, event = [1, 2, 2, 3], [True, True, False, True]
    np.testing.assert_allclose(censoring_survival(time, event, [1, 2, 3]), [1, 1 / 2, 1 / 2])
    np.testing.assert_allclose(censoring_survival_before(time, event, [2, 3]), [1, 1 / 2])


def test_prodlim() -> None:
    at = R["data"]["ticks"]
    np.testing.assert_allclose(
        censoring_survival(TIME, EVENT, at), R["censoring"]["at"], atol=1e-12
    )
    np.testing.assert_allclose(
        censoring_survival_before(TIME, EVENT, at), R["censoring"]["before"], atol=1e-12
    )


def test_nobody_is_followed_so_far() -> None:
    assert np.isnan(censoring_survival([1, 2], [False, True], [3])).all()
    assert censoring_survival([1, 2], [True, False], [2, 3]).tolist() == [0, 0]
    assert censoring_survival_before([1, 2], [True, False], [3]).tolist() == [0]


@given(samples())
def test_survival_times_censoring_is_the_share_followed_on(s: Sample) -> None:
    at = np.arange(0.5, s.time.max(), 0.5)
    product = survival_at(s.time, s.event, at) * censoring_survival(s.time, s.event, at)
    followed = (s.time > at[:, np.newaxis]).mean(axis=1)
    np.testing.assert_allclose(product, followed, atol=1e-12)


@given(samples())
def test_weights_stand_for_everybody(s: Sample) -> None:
    horizon = s.time.max() - 0.5  # someone is followed on
    weights = censoring_weights(s.time, s.event, horizon=horizon)
    assert weights.sum() == pytest.approx(len(s.time))
    beyond = weights[s.time > horizon].sum() / len(s.time)
    assert beyond == pytest.approx(float(survival_at(s.time, s.event, horizon)))
    assert (weights[~s.event & (s.time <= horizon)] == 0).all()
    assert weights[weights > 0].min() >= 1
