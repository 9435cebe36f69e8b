r"""Cox's partial likelihood with tied events: its value and derivatives, on arrays.

With case weights :math:`c_j` (1 if there are none), :math:`w_j = c_j e^{\eta_j}`, risk sets
:math:`R_k = \{j: T_j \ge t_k\}`, :math:`D_k` the :math:`d_k` patients whose event falls at
:math:`t_k` and :math:`\bar c_k` their mean weight,

.. math::

    l(\beta) = \sum_k \Big[ \sum_{i \in D_k} c_i \eta_i - \bar c_k \sum_{r=0}^{d_k-1}
      \log\Big(\sum_{j \in R_k} w_j - f_{kr} \sum_{j \in D_k} w_j\Big)\Big]

with :math:`f_{kr} = r / d_k` (Efron) or 0 (Breslow); the weights are those of R's `coxph`, and a
patient of weight 0 is left out. Rows are sorted by falling time, so that a risk set is everything
down to a row and its sums are cumulative sums. Strata have risk sets of their own. Patients who
leave before their stratum's first event are in no risk set and are left out.

References
----------
Efron B. The efficiency of Cox's likelihood function for censored data. JASA 1977;72:557-565.
doi:10.1080/01621459.1977.10480613
Breslow N. Covariance analysis of censored survival data. Biometrics 1974;30:89-99.
doi:10.2307/2529620
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.newton import Derivatives

Floats = NDArray[np.float64]
Ties = Literal["efron", "breslow"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Stratum:
    """The patients of one stratum who are in a risk set, sorted by falling time.

    Attributes
    ----------
    x : ndarray of shape (n, p)
        Column after column in memory: sums run down the columns.
    event : ndarray of shape (n,)
    offset : ndarray of shape (n,)
    case : ndarray of shape (n,)
        Case weights, above 0.
    rows : ndarray of shape (n,)
        Positions of the patients in the table they came from.
    event_times : ndarray of shape (n_times,)
        Distinct event times, falling.
    last : ndarray of shape (n_times,)
        Row that completes the risk set of each event time.
    first_group : ndarray of shape (n,)
        Latest event time a row is at risk for.
    group : ndarray of shape (n_events,)
        Event time of each event.
    share : ndarray of shape (n_events,)
        What part of the tied events has already left: Efron's r / d, Breslow's 0.
    step : ndarray of shape (n_events,)
        Mean case weight of the events at its time: what each counts in the likelihood.
    starts : ndarray of shape (n_times,)
        First event of each event time.
    """

    x: Floats
    event: NDArray[np.bool_]
    offset: Floats
    case: Floats
    rows: NDArray[np.intp]
    event_times: Floats
    last: NDArray[np.intp]
    first_group: NDArray[np.intp]
    group: NDArray[np.intp]
    share: Floats
    step: Floats
    starts: NDArray[np.intp]

    def __repr__(self) -> str:
        return f"Stratum({len(self.event)} patients at risk, {len(self.group)} events)"

    @classmethod
    def of(
        cls,
        x: Floats,
        time: Floats,
        event: NDArray[np.bool_],
        *,
        rows: NDArray[np.intp],
        offset: Floats,
        case: Floats,
        ties: Ties,
    ) -> "Stratum":
        """Sort the patients at `rows`, one of them with an event, and lay out their risk sets."""
        first = time[rows][event[rows]].min()
        at_risk = rows[time[rows] >= first]
        order = at_risk[np.argsort(-time[at_risk], kind="stable")]
        time, event = time[order], event[order]
        rising, counts = np.unique(time[event], return_counts=True)
        event_times, tied = rising[::-1], counts[::-1]
        starts = np.concatenate([[0], np.cumsum(tied)[:-1]]).astype(np.intp)
        group = np.repeat(np.arange(len(tied)), tied)
        rank = np.arange(len(group)) - starts[group]
        weight = np.add.reduceat(case[order][event], starts) / tied
        return cls(
            x=np.take(x.T, order, axis=1).T,
            event=event,
            offset=offset[order],
            case=case[order],
            rows=order,
            event_times=event_times,
            last=np.searchsorted(-time, -event_times, side="right") - 1,
            first_group=np.searchsorted(-event_times, -time, side="left"),
            group=group,
            share=rank / tied[group] if ties == "efron" else np.zeros(len(group)),
            step=weight[group],
            starts=starts,
        )

    def weights(self, coef: Floats) -> tuple[Floats, Floats]:
        """Give eta, shifted so that its largest is 0, and w = c exp(eta), both shape (n,)."""
        eta = self.x @ coef + self.offset
        eta = eta - eta.max()
        return eta, self.case * np.exp(eta)

    @cached_property
    def died(self) -> Floats:
        """Case-weighted sum of x over the events, shape (p,)."""
        return np.asarray(self.case[self.event] @ self.x[self.event])

    def at_risk(self, values: Floats) -> Floats:
        """Sum `values` (..., n) over the risk set of each event, less Efron's share of the tied."""
        sums = np.cumsum(values, axis=-1).take(self.last[self.group], axis=-1)
        if self.share.any():
            tied = values.compress(self.event, axis=-1)
            leaving = np.add.reduceat(tied, self.starts, axis=-1)
            sums -= self.share * leaving.take(self.group, axis=-1)
        return np.asarray(sums)

    def sizes(self, w: Floats) -> Floats:
        """Give the denominator of each event, shape (n_events,)."""
        return self.at_risk(w)

    def means(self, w: Floats, sizes: Floats) -> Floats:
        """Give the weighted mean of x in the risk set of each event, shape (n_events, p)."""
        return np.asarray((self.at_risk(w * self.x.T) / sizes).T)

    def exposure(self, w: Floats, sizes: Floats, weight: Floats) -> Floats:
        """Sum w_j / size over the events row j is at risk for, each times its weight; (n,)."""
        n_times = len(self.event_times)
        hazard = np.bincount(self.group, weight / sizes, n_times)
        tied = np.bincount(self.group, weight * self.share / sizes, n_times)
        so_far = np.cumsum(hazard[::-1])[::-1]
        return np.asarray(w * (so_far[self.first_group] - self.event * tied[self.first_group]))


@dataclass(frozen=True, eq=False)
class PartialLikelihood:
    """The log partial likelihood of a Cox model, as a function of its coefficients.

    Attributes
    ----------
    strata : tuple of Stratum
        Those with at least one event.
    """

    strata: tuple[Stratum, ...]

    def __repr__(self) -> str:
        n_events = sum(len(stratum.group) for stratum in self.strata)
        return f"PartialLikelihood({len(self.strata)} strata, {n_events} events)"

    @classmethod
    def of(
        cls,
        x: Floats,
        time: Floats,
        event: NDArray[np.bool_],
        *,
        strata: NDArray[np.generic] | None = None,
        offset: Floats | None = None,
        weights: Floats | None = None,
        ties: Ties = "efron",
    ) -> "PartialLikelihood":
        """Lay out the risk sets; arguments as in `models.cox.cox_fit`."""
        offset = np.zeros(len(time)) if offset is None else offset
        case = np.ones(len(time)) if weights is None else weights
        counted = np.flatnonzero(case > 0)
        blocks = [rows for rows in _blocks(counted, strata) if event[rows].any()]
        return cls(
            tuple(
                Stratum.of(x, time, event, rows=rows, offset=offset, case=case, ties=ties)
                for rows in blocks
            )
        )

    @cached_property
    def rows(self) -> Floats:
        """Design rows of the patients in a risk set, centred within strata, shape (n, p)."""
        return np.concatenate([block.x - block.x.mean(axis=0) for block in self.strata])

    def __call__(self, coef: Floats) -> Derivatives:
        """Evaluate the log partial likelihood and its derivatives at `coef`, shape (p,)."""
        value, gradient, information = 0.0, np.zeros(len(coef)), np.zeros((len(coef),) * 2)
        with np.errstate(
            divide="ignore", over="ignore", invalid="ignore"
        ):  # a step too far: it will be halved
            for block in self.strata:
                eta, w = block.weights(coef)
                sizes = block.sizes(w)
                exposure = block.exposure(w, sizes, block.step)
                means = block.means(w, sizes)
                died = block.case[block.event]
                value += float(died @ eta[block.event] - block.step @ np.log(sizes))
                gradient += block.died - exposure @ block.x
                information += _square(block.x, exposure) - _square(means, block.step)
        return Derivatives(value, gradient, information)

    def value(self, coef: Floats) -> float:
        """Evaluate the log partial likelihood alone."""
        total = 0.0
        for block in self.strata:
            eta, w = block.weights(coef)
            died = block.case[block.event]
            total += float(died @ eta[block.event] - block.step @ np.log(block.sizes(w)))
        return total

    def weighted(self, coef: Floats, weight: Floats) -> tuple[Floats, Floats]:
        """Sum score (p,) and information (p, p) over the events, each times its `weight` more.

        `weight` has one value per event, in the order of `event_times`, the same at tied events.
        """
        score, information = np.zeros(len(coef)), np.zeros((len(coef),) * 2)
        parts = np.split(weight, np.cumsum([len(block.group) for block in self.strata])[:-1])
        for block, part in zip(self.strata, parts, strict=True):
            _, w = block.weights(coef)
            sizes = block.sizes(w)
            means = block.means(w, sizes)
            counted = part * block.step
            exposure = block.exposure(w, sizes, counted)
            died = part * block.case[block.event]
            score += died @ block.x[block.event] - counted @ means
            information += (block.x.T * exposure) @ block.x - (means.T * counted) @ means
        return score, information

    @property
    def event_times(self) -> Floats:
        """Time of each event, shape (n_events,)."""
        return np.concatenate([block.event_times[block.group] for block in self.strata])


def _square(x: Floats, weight: Floats) -> Floats:
    """Sum the outer products of the rows of x (n, p), each times its weight of 0 or above."""
    root = x.T * np.sqrt(weight)
    return np.asarray(root @ root.T)  # BLAS knows a matrix times its own transpose: half the work


def _blocks(
    rows: NDArray[np.intp], strata: NDArray[np.generic] | None
) -> Iterator[NDArray[np.intp]]:
    """Give those of `rows` that are in each stratum."""
    if strata is None:
        yield rows
        return
    _, code = np.unique(strata[rows], return_inverse=True)
    order = np.argsort(code, kind="stable")
    yield from np.split(rows[order], np.flatnonzero(np.diff(code[order])) + 1)
