r"""Who was still at risk when somebody died: sums over risk sets, for many resamples at once.

With a weight :math:`w_{bi}` of patient i in resample b and columns :math:`x_i`, at event time k

.. math::

    S_{bk} = \sum_{i \in R_k} w_{bi} x_i, \qquad D_{bk} = \sum_{i \in D_k} w_{bi} x_i

Patients come from the longest to the shortest follow-up, so that a risk set is a beginning of them.
Of columns that all resamples share, the sums are taken in blocks of event times: within a block one
matrix product with the columns, zero beyond each risk set; then what the blocks before add up to.
Considered and rejected: a cumulative sum of every weighted column (five times as slow, as numpy
adds up one number at a time), and one product with all risk sets (n² instead of n).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.many_newton import linear_predictors, weighted_squares, weighted_sums

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]

TOGETHER = 16  # event times to a matrix product


class RiskSets:
    """Patients in order of falling follow-up, and who of them is at risk and dies at each time.

    Parameters
    ----------
    time : ndarray of shape (n_patients,)
    event : ndarray of bool, shape (n_patients,)

    Attributes
    ----------
    order : ndarray of shape (n_patients,)
        The patients; all else speaks of places in it.
    deaths, group : ndarray of shape (n_deaths,)
        Who dies, and at which of the event times.
    event_times, starts, last : ndarray of shape (n_times,)
        Falling; where in `deaths` each begins, and who is the last at risk.
    first_group : ndarray of shape (n_patients,)
        The latest event time at which each is at risk; n_times where there is none.
    """

    def __init__(self, time: Floats, event: Flags) -> None:
        self.order = np.argsort(-time, kind="stable")
        time, event = time[self.order], event[self.order]
        self.deaths = np.flatnonzero(event)
        falling, self.group = np.unique(-time[event], return_inverse=True)
        self.event_times = -falling
        self.starts = np.searchsorted(self.group, np.arange(len(falling)))
        self.last = np.searchsorted(-time, falling, side="right") - 1
        self.first_group = np.searchsorted(falling, -time, side="left")
        self._further = _further_members(self.starts, len(self.deaths))

    def at_event_times(self, of_deaths: Floats) -> Floats:
        """Sum values of those who die, (..., n_deaths), at each time they do, (..., n_times).

        Examples
        --------
        >>> sets = RiskSets(np.array([1.0, 2, 2, 3]), np.array([True, True, True, False]))
        >>> sets.event_times.tolist(), sets.at_event_times(np.array([5.0, 7, 9])).tolist()
        ([2.0, 1.0], [12.0, 9.0])
        """
        found: Floats = of_deaths.take(self.starts, axis=-1)
        for groups, members in self._further:
            found[..., groups] += of_deaths[..., members]
        return found


def _further_members(starts: Places, n_deaths: int) -> list[tuple[Places, Places]]:
    """List the groups with a second member, a third one and so on, beside these members."""
    size = np.diff(np.append(starts, n_deaths))
    by_rank = [np.flatnonzero(size > r) for r in range(1, int(size.max(initial=0)))]
    return [(groups, starts[groups] + r) for r, groups in enumerate(by_rank, start=1)]


class Columns(Protocol):
    """What a likelihood asks of the columns of some resamples; p of them."""

    @property
    def spread(self) -> Floats:
        """Distance of the largest from the smallest value of each column, (p,)."""

    def rows(self, resamples: slice | Places) -> "Columns":
        """Give those of these resamples."""

    def linear_predictors(self, coef: Floats) -> Floats:
        """Give x @ coef, (B, n_patients), for coef (B, p)."""

    def of_risk_sets(self, weight: Floats) -> Floats:
        """Give S, (B, p, n_times), for weight (B, n_patients)."""

    def of_deaths(self, weight: Floats) -> Floats:
        """Give D, (B, p, n_times)."""

    def sums(self, weight: Floats) -> Floats:
        """Give the weighted sums over all patients, (B, p)."""

    def squares(self, weight: Floats) -> Floats:
        """Give the weighted sums of x x', (B, p, p)."""


@dataclass(frozen=True, eq=False)
class OwnColumns:
    """Columns (B, n_patients, p) of each resample, such as its linear predictor; ordered."""

    sets: RiskSets
    x: Floats

    @property
    def spread(self) -> Floats:
        """Over all resamples."""
        return np.asarray(np.ptp(self.x, axis=(0, 1)))

    def rows(self, resamples: slice | Places) -> "OwnColumns":
        """Choose resamples."""
        return OwnColumns(self.sets, self.x[resamples])

    def linear_predictors(self, coef: Floats) -> Floats:
        """Give x @ coef."""
        return linear_predictors(self.x, coef)

    def of_risk_sets(self, weight: Floats) -> Floats:
        """Give S."""
        weighted = weight[:, np.newaxis] * self.x.swapaxes(1, 2)
        return np.cumsum(weighted, axis=-1).take(self.sets.last, axis=-1)

    def of_deaths(self, weight: Floats) -> Floats:
        """Give D."""
        dying = self.sets.deaths
        of_each = weight[:, np.newaxis, dying] * self.x[:, dying].swapaxes(1, 2)
        return self.sets.at_event_times(of_each)

    def sums(self, weight: Floats) -> Floats:
        """Give the weighted sums."""
        return weighted_sums(self.x, weight)

    def squares(self, weight: Floats) -> Floats:
        """Give the weighted sums of x x'."""
        return weighted_squares(self.x, weight)


class SharedColumns:
    """Columns (n_patients, p) that all resamples share; ordered."""

    def __init__(self, sets: RiskSets, x: Floats) -> None:
        self.sets, self.x = sets, x
        self.spread = np.ptp(x, axis=0)
        self._of_dying = np.ascontiguousarray(x[sets.deaths].T)
        self._blocks = [
            self._block(slice(first, first + TOGETHER))
            for first in range(0, len(sets.last), TOGETHER)
        ]

    def rows(self, resamples: slice | Places) -> "SharedColumns":
        """Give itself: they are the same in all."""
        return self

    def _block(self, times: slice) -> tuple[slice, slice, Floats]:
        """Give a block's patients, its event times, and the columns, zero beyond each risk set."""
        last = self.sets.last
        first = 0 if times.start == 0 else int(last[times.start - 1]) + 1
        patients = slice(first, int(last[times][-1]) + 1)
        inside = np.arange(patients.start, patients.stop)[:, np.newaxis] <= last[times]
        folded = self.x[patients, :, np.newaxis] * inside[:, np.newaxis]
        return patients, times, folded.reshape(len(folded), -1)

    def linear_predictors(self, coef: Floats) -> Floats:
        """Give x @ coef."""
        return linear_predictors(self.x, coef)

    def of_risk_sets(self, weight: Floats) -> Floats:
        """Give S."""
        n_resamples, p = len(weight), self.x.shape[1]
        found = np.empty((n_resamples, p, len(self.sets.last)))
        before = np.zeros((n_resamples, p, 1))
        for patients, times, folded in self._blocks:
            here = (weight[:, patients] @ folded).reshape(n_resamples, p, -1)
            np.add(here, before, out=found[:, :, times])
            before = found[:, :, times][:, :, -1:]
        return found

    def of_deaths(self, weight: Floats) -> Floats:
        """Give D."""
        of_each = weight[:, np.newaxis, self.sets.deaths] * self._of_dying
        return self.sets.at_event_times(of_each)

    def sums(self, weight: Floats) -> Floats:
        """Give the weighted sums."""
        return weighted_sums(self.x, weight)

    def squares(self, weight: Floats) -> Floats:
        """Give the weighted sums of x x'."""
        return weighted_squares(self.x, weight)
