r"""How often, of two patients, the one with the earlier event had the higher score; how surely.

With :math:`I_{ij}` 1 where patient i is known to have had the event before j
(``T_i < T_j``, or ``T_i = T_j`` where only i had it), and a weight :math:`w_i` of i's event,

.. math::

    C = \frac{\sum_{ij} w_i I_{ij} \left[1(\eta_i > \eta_j) + \tfrac12 1(\eta_i = \eta_j)\right]}
             {\sum_{ij} w_i I_{ij}} = \frac{K}{P}, \qquad
    d_k = \frac{K_k - C\,P_k}{P}, \qquad \mathrm{SE}^2 = \sum_k d_k^2

where :math:`K_k` and :math:`P_k` are the parts of both sums that hold patient k, on either side:
the infinitesimal jackknife of R's ``survival::concordance``. Two scores of the same patients have
covariance :math:`\sum_k d_k d'_k`.

All pairs are counted in O(n log n). The patients' places in order of time are listed in order of
score; then the list is split into the earlier and the later half of the places, each half again,
down to single patients. At each split the list says how many of the later half score below each of
the earlier. Considered and rejected: the n x n comparison (out of memory at 50,000 patients), R's
balanced tree (a Python loop), and a wavelet matrix asked from either side (five times the work).

References
----------
Therneau T, Atkinson E. Concordance. Vignette of the R package survival.
Harrell FE, Lee KL, Mark DB. Multivariable prognostic models. Statistics in Medicine
1996;15:361-387. doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.checks import Flags, Floats, check_followup
from omics.checks import check_same_length

Places = NDArray[np.intp]

FEW = 2**15
BLOCK = 2**15  # places listed at once: what a processor's cache holds


class Pairs(NamedTuple):
    """Weighted pairs of patients, by patient: each pair stands with both of its patients.

    Attributes
    ----------
    right, tied, comparable : ndarray of shape (n_patients,)
        Pairs ranked rightly, of equal score, and of any score.
    """

    right: Floats
    tied: Floats
    comparable: Floats

    @property
    def estimate(self) -> float:
        """Share ranked rightly, ties one half; NaN where no pair can be compared."""
        total = self.comparable.sum()
        return float((self.right.sum() + self.tied.sum() / 2) / total) if total else float("nan")

    @property
    def influence(self) -> Floats:
        """What each patient adds to the estimate; the sum of the squares is its variance."""
        total = self.comparable.sum() / 2  # each pair stands twice
        if not total:
            return np.full(len(self.comparable), np.nan)
        found: Floats = (self.right + self.tied / 2 - self.estimate * self.comparable) / total
        return found


def count_pairs(time: Floats, event: Flags, score: Floats, *, weights: Floats) -> Pairs:
    """Count the pairs of each patient.

    Parameters
    ----------
    time, event, score : ndarray of shape (n_patients,)
        Checked, without NaN.
    weights : ndarray of shape (n_patients,)
        Of the pairs in which a patient's event comes first; the same at one time.

    Returns
    -------
    Pairs
    """
    if event.sum() * len(time) <= FEW:
        return _look_at_each(time, event, score, weights)
    line = _line_up(time, event)
    weight = np.where(event, weights, 0.0)[line.order]
    listed = _list_by_score(score[line.order][np.newaxis], line.group)
    below = _pairs_by_place(listed.places, weight)
    not_above = below if listed.ties is None else _pairs_by_place(listed.ties, weight)
    before = np.append(0.0, np.cumsum(weight))[line.start]
    patient = line.order[listed.at_place[0]]
    right, tied, comparable = np.empty((3, len(time)))
    right[patient] = below[: len(time)]
    tied[patient] = (not_above - below)[: len(time)]
    comparable[line.order] = weight * (len(time) - line.end) + before
    return Pairs(right, tied, comparable)


def _look_at_each(time: Floats, event: Flags, score: Floats, weights: Floats) -> Pairs:
    """Compare every patient who had the event with all others."""
    weight, t, s = weights[event], time[event, np.newaxis], score[event, np.newaxis]
    later = (t < time) | ((t == time) & ~event)
    of_pairs = [later & (s > score), later & (s == score), later]
    parts = []
    for pairs in of_pairs:
        counted = pairs.astype(np.float64)
        part = weight @ counted
        part[event] += weight * counted.sum(axis=1)
        parts.append(part)
    return Pairs(*parts)


def concordance_many(
    time: ArrayLike, event: ArrayLike, scores: ArrayLike, counts: ArrayLike | None = None
) -> Floats:
    """Harrell's concordance index of many scores of the same patients.

    Parameters
    ----------
    time : array-like of shape (n_patients,)
        Follow-up, above zero.
    event : array-like of shape (n_patients,)
        True where the event was observed.
    scores : array-like of shape (n_scores, n_patients)
        Higher is worse.
    counts : array-like of shape (n_scores, n_patients), optional
        How often each patient was drawn into each score's resample; without it, once. Several
        tables of them, (n_tables, n_scores, n_patients), such as those a model is fitted to and
        those it is tested on, cost less together than one by one: the scores are listed once.

    Returns
    -------
    ndarray of shape (n_scores,), or (n_tables, n_scores)
        In [0, 1]; higher is better. NaN where no pair can be compared, and where a score is NaN.

    Raises
    ------
    ValueError
        If a time is not above zero, an event is not True/False, a count is negative, or shapes
        differ.

    Examples
    --------
    >>> scores = [[0.9, 0.1, 0.4], [3, 2, 1]]
    >>> concordance_many([1, 2, 3], [True, True, False], scores).round(3).tolist()
    [0.667, 1.0]
    >>> concordance_many([1, 2, 3], [True, True, False], scores, [[2, 1, 0], [0, 1, 3]]).tolist()
    [1.0, 1.0]
    """
    times, events = check_followup(time, event)
    table = _check_rows(scores, "scores", len(times))
    drawn = np.ones_like(table) if counts is None else _check_counts(counts, table)
    line = _line_up(times, events)
    weight = np.asarray(events[line.order], dtype=np.float64)
    step = max(BLOCK // _width(len(times)), 1)
    found = np.full(drawn.shape[:-1], np.nan)
    known = np.flatnonzero(~np.isnan(table).any(axis=1))
    for k in range(0, len(known), step):
        rows = known[k : k + step]
        some = drawn[..., rows, :].reshape(-1, len(rows), len(times))[..., line.order]
        here = _concordance_rows(line, weight, table[rows][:, line.order], some)
        found[..., rows] = here.reshape(found[..., rows].shape)
    return found


class _Line(NamedTuple):
    """Patients in order of time, events first; a group is those who cannot be compared."""

    order: Places
    group: Places
    start: Places  # where each one's group starts
    end: Places


class _List(NamedTuple):
    """Places in order of score, a row for each score, filled up to a power of two.

    `ties` lists those of equal score the other way round, but keeps a group in its order; it is
    None where no two scores are equal. `at_place` gives who stands at each place.
    """

    places: Places
    ties: Places | None
    at_place: Places


def _line_up(time: Floats, event: Flags) -> _Line:
    order = np.lexsort((~event, time))
    t, e = time[order], event[order]
    new = np.append(True, (t[1:] != t[:-1]) | (e[1:] != e[:-1]))
    group = np.cumsum(new) - 1
    bounds = np.append(np.flatnonzero(new), len(time))
    return _Line(order, group, bounds[group], bounds[group + 1])


def _list_by_score(scores: Floats, group: Places) -> _List:
    """List the places of each row's patients, who come in order of time, by score.

    Within a group places follow the score, so that none of its pairs counts as ranked rightly.
    """
    n = scores.shape[1]
    by_score = np.argsort(scores, axis=1, kind="stable")
    places, at_place = by_score, np.broadcast_to(np.arange(n), scores.shape)
    if group[-1] < n - 1:
        # 16 bits are sorted digit by digit, which is several times faster
        small = group.astype(np.uint16) if n < 2**16 else group
        by_group = np.argsort(small[by_score], axis=1, kind="stable")
        at_place = np.take_along_axis(by_score, by_group, axis=1)
        places = np.empty_like(by_score)
        np.put_along_axis(places, by_group, np.broadcast_to(np.arange(n), scores.shape), axis=1)
    ordered = np.take_along_axis(scores, by_score, axis=1)
    equal = ordered[:, 1:] == ordered[:, :-1]
    ties = None
    if equal.any():
        ties = _fill_up(_turn_ties(places, equal, group[by_score]))
    return _List(_fill_up(places), ties, at_place)


def _turn_ties(places: Places, equal: Flags, group: Places) -> Places:
    """List the groups among equal scores from the latest to the earliest."""
    new = np.column_stack([np.ones(len(places), dtype=np.bool_), ~equal]).ravel()
    flat = group.ravel()
    new_group = new | np.append(True, flat[1:] != flat[:-1])
    here = np.arange(len(flat))
    start, end = _bounds(new)
    first, last = _bounds(new_group)
    turned = np.empty(len(flat), dtype=np.intp)
    turned[start + end - last + here - first] = places.ravel()
    return turned.reshape(places.shape)


def _bounds(new: Flags) -> tuple[Places, Places]:
    """Give, for each position, where its run starts and where it ends."""
    bounds = np.append(np.flatnonzero(new), len(new))
    run = np.cumsum(new) - 1
    return bounds[run], bounds[run + 1]


def _width(n: int) -> int:
    return 1 << (n - 1).bit_length()


def _fill_up(places: Places) -> Places:
    """Count the places on through all rows, each row ending with places that nobody has."""
    n_rows, n = places.shape
    width = _width(n)
    filled = np.empty((n_rows, width), dtype=np.intp)
    filled[:, :n] = places
    filled[:, n:] = np.arange(n, width)
    filled += width * np.arange(n_rows)[:, np.newaxis]
    return filled


class _Split(NamedTuple):
    """One splitting of all lists at once; a half is what lies on one side, list after list."""

    early: Places  # places of the earlier halves, in order of score
    late: Places
    late_before: Places  # for each early one: how many late ones stand before it, in all lists
    early_before: Places
    start: Places  # for both: where its list's half starts
    size: int


def _splits(places: Places) -> Iterator[_Split]:
    """Split the lists into earlier and later halves, down to single places."""
    listed = places.ravel()
    half = np.arange(len(listed) // 2)
    size = places.shape[1] // 2
    while size:
        is_late = (listed & size).astype(np.bool_)
        at_early, at_late = np.flatnonzero(~is_late), np.flatnonzero(is_late)
        early, late = listed[at_early], listed[at_late]
        yield _Split(early, late, at_early - half, at_late - half, half & -size, size)
        listed = np.stack([early.reshape(-1, size), late.reshape(-1, size)], axis=1).ravel()
        size //= 2


def _pairs_by_place(places: Places, weight: Floats) -> Floats:
    """Weighted pairs ranked rightly, in order of place, each with both of its patients."""
    weights = np.zeros(places.shape[1])
    weights[: len(weight)] = weight
    found = np.zeros(places.shape[1])
    for split in _splits(places):
        early = weights[split.early]
        found[split.early] += early * (split.late_before - split.start)
        passed = np.append(0.0, np.cumsum(early))
        found[split.late] += passed[split.start + split.size] - passed[split.early_before]
    return found


def _concordance_rows(line: _Line, weight: Floats, scores: Floats, tables: Floats) -> Floats:
    """Concordance of some rows, for each table of their counts; patients in order of time."""
    n_rows, n = scores.shape
    listed = _list_by_score(scores, line.group)
    total, drawn = np.empty((len(tables), n_rows)), []
    for k, counts in enumerate(tables):
        until = np.zeros((n_rows, n + 1))
        np.cumsum(counts, axis=1, out=until[:, 1:])
        total[k] = np.einsum("ij,ij->i", counts * weight, until[:, -1:] - until[:, line.end])
        there = np.zeros((n_rows, _width(n)))
        there[:, :n] = np.take_along_axis(counts, listed.at_place, axis=1)
        ahead = there.copy()
        ahead[:, :n] *= weight
        once = bool((counts == 1).all())
        drawn.append(_Drawn(ahead.ravel(), None if once else there.ravel()))
    right = _pairs_by_row(listed.places, drawn)
    if listed.ties is not None:
        right = (right + _pairs_by_row(listed.ties, drawn)) / 2
    found: Floats = np.divide(right, total, out=np.full_like(total, np.nan), where=total > 0)
    return found


class _Drawn(NamedTuple):
    """Counts at the places of all rows: of events, and of anybody (None: everybody once)."""

    ahead: Floats
    there: Floats | None


def _pairs_by_row(places: Places, tables: Sequence[_Drawn]) -> Floats:
    """Weighted pairs ranked rightly, of each table's rows."""
    found = np.zeros((len(tables), len(places)))
    for split in _splits(places):
        for k, drawn in enumerate(tables):
            if drawn.there is None:
                lower = (split.late_before - split.start).astype(np.float64)
            else:
                passed = np.append(0.0, np.cumsum(drawn.there[split.late]))
                lower = passed[split.late_before] - passed[split.start]
            early = drawn.ahead[split.early].reshape(len(places), -1)
            found[k] += np.einsum("ij,ij->i", early, lower.reshape(len(places), -1))
    return found


def _check_counts(counts: ArrayLike, scores: Floats) -> Floats:
    drawn = np.asarray(counts, dtype=np.float64)
    several = drawn.ndim == 3
    for one in drawn if several else [drawn]:
        check_same_length(scores=scores, counts=_check_rows(one, "counts", scores.shape[1]))
    if not (drawn >= 0).all():
        raise ValueError(
            f"counts must be zero or above, but {(~(drawn >= 0)).sum()} of {drawn.size} are "
            "not. Count how often each patient was drawn."
        )
    return drawn


def _check_rows(values: ArrayLike, name: str, n_patients: int) -> Floats:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != n_patients:
        raise ValueError(
            f"{name} must have one row per score and a column for each of {n_patients} patients, "
            f"but its shape is {table.shape}. Put one score into a row."
        )
    return table
