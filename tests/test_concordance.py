"""Counting pairs: the double sum itself, R's figures, then what must hold for any data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import concordance
from models.concordance import Pairs, concordance_many, count_pairs
from models.discrimination import c_index
from tests.metrics_reference import Floats, Sample, samples


def pairs_of(s: Sample, weights: Floats | None = None) -> Pairs:
    return count_pairs(*s, weights=np.ones(len(s.time)) if weights is None else weights)


def definition(s: Sample, weights: Floats) -> tuple[Floats, ...]:
    """Every pair written down; then summed over either side."""
    tied_time = s.time[:, np.newaxis] == s.time
    later = (s.time[:, np.newaxis] < s.time) | (tied_time & ~s.event)
    comparable = s.event[:, np.newaxis] * later * weights[:, np.newaxis]
    higher, same = s.score[:, np.newaxis] > s.score, s.score[:, np.newaxis] == s.score
    kinds = comparable * higher, comparable * same, comparable
    return tuple(kind.sum(axis=0) + kind.sum(axis=1) for kind in kinds)


@given(s=samples(max_size=40))
def test_pairs_are_their_definition(s: Sample) -> None:
    for weights in (np.ones(len(s.time)), 1 / s.time):
        for found, expected in zip(pairs_of(s, weights), definition(s, weights), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-12)


@given(s=samples(max_size=40), seed=st.integers(0, 99))
def test_order_and_unit_do_not_matter(s: Sample, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(len(s.time))
    again = pairs_of(Sample(30.4375 * s.time[shuffled], s.event[shuffled], s.score[shuffled]))
    for found, expected in zip(again, pairs_of(s), strict=True):
        np.testing.assert_array_equal(found, expected[shuffled])


@given(s=samples(max_size=40))
def test_reversing_the_score_swaps_right_and_wrong(s: Sample) -> None:
    forward, backward = pairs_of(s), pairs_of(s._replace(score=-s.score))
    np.testing.assert_array_equal(backward.right, forward.comparable - forward.right - forward.tied)
    np.testing.assert_allclose(backward.influence, -forward.influence, atol=1e-12)


@given(s=samples(max_size=40))
def test_influence_is_the_slope_in_each_patients_weight(s: Sample) -> None:
    found = pairs_of(s).influence
    if np.isnan(found).any():
        return
    assert found.sum() == pytest.approx(0, abs=1e-12)
    step = 1e-6
    for k in range(len(s.time)):
        up, down = np.ones((2, 1, len(s.time)))
        up[0, k], down[0, k] = 1 + step, 1 - step
        more, less = (concordance_many(*s[:2], s.score[np.newaxis], c)[0] for c in (up, down))
        # a difference quotient: exact to the step squared and to rounding over the step
        assert found[k] == pytest.approx((more - less) / (2 * step), abs=1e-8)


@given(s=samples(max_size=40), seed=st.integers(0, 99))
def test_many_scores_are_each_one_and_counts_are_copies(s: Sample, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = len(s.time)
    scores = np.stack([s.score, rng.permutation(s.score), rng.normal(size=n)])
    counts = rng.integers(0, 3, scores.shape)
    counts[:, 0] = 1
    each = [c_index(s.time, s.event, row) for row in scores]
    np.testing.assert_allclose(concordance_many(s.time, s.event, scores), each, atol=1e-12)
    drawn = [np.repeat(np.arange(n), row) for row in counts]
    resampled = [
        c_index(s.time[i], s.event[i], row[i]) for row, i in zip(scores, drawn, strict=True)
    ]
    found = concordance_many(s.time, s.event, scores, counts)
    np.testing.assert_allclose(found, resampled, atol=1e-12)
    both = concordance_many(s.time, s.event, scores, np.stack([counts, np.ones_like(counts)]))
    np.testing.assert_allclose(both, [resampled, each], atol=1e-12)


@given(s=samples(max_size=40), seed=st.integers(0, 99))
def test_few_pairs_are_those_of_the_sorted_lists(s: Sample, seed: int) -> None:
    weights = np.random.default_rng(seed).random(int(s.time.max()) + 1)[s.time.astype(int)]
    few = count_pairs(s.time, s.event, s.score, weights=weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(concordance, "FEW", -1)
        many = count_pairs(s.time, s.event, s.score, weights=weights)
    for one, other in zip(few, many, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_many_more_rows_than_fit_one_block() -> None:
    rng = np.random.default_rng(3)
    time, event = rng.exponential(size=300), rng.random(300) < 0.5
    scores = rng.normal(size=(200, 300))
    found = concordance_many(time, event, scores)
    assert found[[0, 63, 64, 199]].tolist() == pytest.approx(
        [c_index(time, event, scores[k]) for k in (0, 63, 64, 199)]
    )


def test_no_pair_and_a_missing_score_give_nan() -> None:
    assert np.isnan(concordance_many([1, 2], [0, 0], [[1, 2]])).all()
    assert np.isnan(pairs_of(Sample(np.ones(1), np.ones(1, bool), np.ones(1))).estimate)
    assert np.isnan(concordance_many([1, 2], [1, 0], [[2, 1]], [[1, 0]])).all()
    found = concordance_many([1, 2], [1, 0], [[2, 1], [np.nan, 1]])
    np.testing.assert_array_equal(found, [1, np.nan])


@pytest.mark.parametrize(
    ("scores", "counts", "message"),
    [
        ([1, 2], None, r"scores must have one row per score.*2 patients.*shape is \(2,\)"),
        ([[1, 2]], [[1, 2, 3]], r"counts must have one row per score.*shape is \(1, 3\)"),
        ([[1, 2]], [[1, -1]], "counts must be zero or above, but 1 of 2"),
        ([[1, 2]], [[1, 1], [1, 1]], "one value per patient"),
    ],
)
def test_wrong_input_is_named(scores: object, counts: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        concordance_many([1, 2], [1, 0], scores, counts)  # type: ignore[arg-type]
