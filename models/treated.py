r"""How many of those treated have the event by the horizon, at every threshold at once.

Those treated at a threshold are the patients with the risks above it, so whom one threshold treats,
every lower one treats too. Each patient is counted once, by the highest threshold that treats the
patient and the last event that finds the patient at risk; sums from above give all risk sets of all
thresholds.

Patients leave one by one, events first at ties: within a tie the factors telescope, so that no ties
need grouping. With :math:`n_i` at risk when the i-th event comes, the Aalen-Johansen estimate and
its variance by the delta method are

.. math::

    \hat F = \sum_{i \in 1} \frac{S_{i-1}}{n_i}, \qquad
    S_i = \prod_{j \le i} \Big(1 - \frac{1}{n_j}\Big), \qquad
    \widehat{\mathrm{var}}\, \hat F = \sum_i \frac{g_i^2}{n_i (n_i - 1)}
      + \sum_{i \in 1} \frac{S_{i-1}}{n_i^2} \Big(S_{i-1} \frac{n_i - 1}{n_i} - 2 g_i\Big)

over all events by the horizon and over those of cause 1, :math:`g_i` being what is still to come,
:math:`\hat F` less its value after the i-th event. With one cause they are one minus Kaplan-Meier
and Greenwood's variance.

References
----------
Aalen OO, Johansen S. An empirical transition matrix for non-homogeneous Markov chains based on
censored observations. Scandinavian Journal of Statistics 1978;5:141-150.
Marubini E, Valsecchi MG. Analysing survival data from clinical trials and observational studies.
Wiley 1995, chapter 10.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from models.checks import Flags, Floats

Counts = NDArray[np.intp]

CELLS = 2**14  # thresholds times events held at once: they stay in the processor's cache


@dataclass(frozen=True, eq=False, kw_only=True)
class Treated:
    """Those treated at each threshold.

    Attributes
    ----------
    n_patients : ndarray of int, shape (n_thresholds,)
    incidence : ndarray of shape (n_thresholds,)
        Share of them who have the event (by the horizon); 0 where nobody is treated, NaN where
        nobody treated was followed to the horizon.
    variance : ndarray of shape (n_thresholds,)
        Of the incidence, given who is treated.
    """

    n_patients: Counts
    incidence: Floats
    variance: Floats

    def __repr__(self) -> str:
        most = self.n_patients.max(initial=0)
        return f"Treated({len(self.n_patients)} thresholds, up to {most} patients)"


def treated(risk: Floats, event: Flags, *, thresholds: Floats) -> Treated:
    """Count those treated, and the events among them, for a binary outcome.

    Parameters
    ----------
    risk : ndarray of shape (n_patients,)
        Higher is worse; treated at thresholds up to it, at none if NaN.
    event : ndarray of bool, shape (n_patients,)
    thresholds : ndarray of shape (n_thresholds,)
        In any order.

    Examples
    --------
    >>> found = treated(np.array([.1, .4, .8]), np.array([False, True, True]),
    ...                 thresholds=np.array([0, .4, .9]))
    >>> found.n_patients.tolist(), found.incidence.round(3).tolist()
    ([3, 2, 0], [0.667, 1.0, 0.0])
    """
    order, highest = _highest(risk, thresholds)
    n = _from_above(highest, len(thresholds))
    share = _from_above(highest[event], len(thresholds)) / np.maximum(n, 1)
    back = np.argsort(order)
    variance = share * (1 - share) / np.maximum(n, 1)
    return Treated(n_patients=n[back], incidence=share[back], variance=variance[back])


def treated_by(
    risk: Floats, time: Floats, cause: NDArray[np.integer], *, horizon: float, thresholds: Floats
) -> Treated:
    """Estimate the incidence of cause 1 by `horizon` among those treated.

    Parameters
    ----------
    risk : ndarray of shape (n_patients,)
        Higher is worse; treated at thresholds up to it, at none if NaN.
    time : ndarray of shape (n_patients,)
    cause : ndarray of int, shape (n_patients,)
        0 where censored, 1 for the event asked for, 2 or more for others that come first.
    horizon : float
    thresholds : ndarray of shape (n_thresholds,)
        In any order.

    Examples
    --------
    >>> found = treated_by(np.array([.1, .4, .8]), np.array([5.0, 1, 2]), np.array([0, 1, 2]),
    ...                    horizon=2, thresholds=np.array([0, .4]))
    >>> found.n_patients.tolist(), found.incidence.round(3).tolist()
    ([3, 2], [0.333, 0.5])
    """
    order, highest = _highest(risk, thresholds)
    n = _from_above(highest, len(thresholds))
    followed = _from_above(highest[time >= horizon], len(thresholds)) > 0
    levels, group = np.unique(highest, return_inverse=True)
    incidence, variance = _incidences(group, time, cause, horizon, n_groups=len(levels))
    # A threshold between two groups treats as the next one above; the last may treat nobody.
    at = np.searchsorted(levels, np.arange(len(thresholds)), side="right")
    known = followed | (n == 0)
    incidence = np.where(known, np.append(incidence, 0.0)[at], np.nan)
    variance = np.where(known, np.append(variance, 0.0)[at], np.nan)
    back = np.argsort(order)
    return Treated(n_patients=n[back], incidence=incidence[back], variance=variance[back])


def _highest(risk: Floats, thresholds: Floats) -> tuple[Counts, Counts]:
    """Give the order of rising thresholds, and how many of them treat each patient."""
    order = np.argsort(thresholds, kind="stable")
    count = np.searchsorted(thresholds[order], risk, side="right")
    return order, np.where(np.isnan(risk), 0, count)


def _from_above(highest: Counts, n_thresholds: int) -> Counts:
    """Count the patients that each threshold, in rising order, treats."""
    counts = np.bincount(highest, minlength=n_thresholds + 1)
    return np.asarray(np.cumsum(counts[:0:-1])[::-1])


def _incidences(
    group: Counts, time: Floats, cause: NDArray[np.integer], horizon: float, *, n_groups: int
) -> tuple[Floats, Floats]:
    """Incidence and its variance among patients of group g or above, for each g."""
    order = np.lexsort((cause == 0, time))
    group, cause = group[order], cause[order]
    event = (cause > 0) & (time[order] <= horizon)
    last: Counts = np.cumsum(event)  # events that find the patient at risk, the own among them
    event_group: Counts = group[event]
    own: Flags = cause[event] == 1
    n_events = len(own)
    by_group = np.argsort(group, kind="stable")
    group, last = group[by_group], last[by_group]
    incidence, variance = np.zeros(n_groups), np.zeros(n_groups)
    at_risk: Floats = np.zeros(n_events)
    step = max(CELLS // max(n_events, 1), 1)
    for stop in range(n_groups, 0, -step):
        start = max(stop - step, 0)
        rows = slice(*np.searchsorted(group, [start, stop]))
        risk_sets = _risk_sets(group[rows] - start, last[rows], at_risk, stop - start)
        at_risk = risk_sets[0]
        n = np.maximum(risk_sets, 1.0)
        leaves = (np.arange(start, stop)[:, np.newaxis] <= event_group) / n
        estimate = _kaplan_meier if own.all() else partial(_aalen_johansen, own=own)
        incidence[start:stop], variance[start:stop] = estimate(leaves, n)
    return incidence, variance


def _risk_sets(group: Counts, last: Counts, above: Floats, n_groups: int) -> Floats:
    """Count who is at risk at each event, of each group and those above; (n_groups, n_events)."""
    columns = len(above) + 1
    counts = np.bincount(group * columns + last, minlength=n_groups * columns)
    gone = counts.reshape(n_groups, columns).cumsum(axis=1)
    table: Floats = (gone[:, -1:] - gone[:, :-1]).astype(np.float64)
    table[-1] += above
    for row in range(n_groups - 2, -1, -1):  # quicker than cumsum along this axis
        table[row] += table[row + 1]
    return table


def _kaplan_meier(leaves: Floats, n: Floats) -> tuple[Floats, Floats]:
    """Give the incidence and its variance; `leaves` is 1 / n at the events of each row, else 0."""
    survival = (1 - leaves).prod(axis=1)
    spread = np.einsum("ij,ij->i", leaves, 1 / np.maximum(n - 1, 1))
    incidence: Floats = 1 - survival
    variance: Floats = survival**2 * spread
    return incidence, variance


def _aalen_johansen(leaves: Floats, n: Floats, *, own: Flags) -> tuple[Floats, Floats]:
    """Give the same where other causes can come first; `own` tells the events of cause 1."""
    survival = np.cumprod(1 - leaves, axis=1)
    before = np.concatenate([np.ones((len(n), 1)), survival[:, :-1]], axis=1)
    steps = np.where(own, before * leaves, 0.0)
    curve = np.cumsum(steps, axis=1)
    to_come = curve[:, -1:] - curve
    of_own = steps / n * (before * (n - 1) / n - 2 * to_come)
    of_all = to_come**2 * leaves / np.maximum(n - 1, 1)
    incidence: Floats = curve[:, -1]
    variance: Floats = np.maximum((of_own + of_all).sum(axis=1), 0.0)
    return incidence, variance
