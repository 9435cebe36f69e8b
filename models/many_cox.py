r"""What a Cox regression would have been in each of many resamples: all of them fitted together.

A resample is a count: how often each patient was drawn. With :math:`c_{bi}` the count of patient i
in resample b, :math:`w_{bi} = c_{bi} e^{\eta_{bi}}`, :math:`d_{bk} = \sum_{i \in D_k} c_{bi}`,
:math:`S_{bk} = \sum_{i \in R_k} w_{bi}` and :math:`D_{bk} = \sum_{i \in D_k} w_{bi}`,

.. math::

    l_b(\beta) = \sum_k \Big[\sum_{i \in D_k} c_{bi}\eta_{bi} - \sum_{r=0}^{d_{bk}-1}
      \log\Big(S_{bk} - \frac{r}{d_{bk}} D_{bk}\Big)\Big]

which is Efron's likelihood of the drawn rows: copies of an event are ties. (Case weights in R's
`coxph` mean something else: the tie is then counted once, with the mean weight.) Patients are
sorted once for all resamples (`models.risk_sets`), and the information comes from matrix products.

References
----------
Efron B. The efficiency of Cox's likelihood function for censored data. JASA 1977;72:557-565.
doi:10.1080/01621459.1977.10480613
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.many_newton import BLOCK, check_resamples, newton_steps
from models.newton import FAR, MOVING, SPENT
from models.partial_likelihood import Ties
from models.risk_sets import Columns, OwnColumns, RiskSets, SharedColumns
from omics.checks import check_event, check_same_length, check_time

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class ManyDerivatives(NamedTuple):
    """Log likelihoods (B,), gradients (B, p) and informations (B, p, p) of B resamples."""

    log_likelihood: Floats
    gradient: Floats
    information: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class ManyCox:
    """Cox regressions of many resamples.

    Attributes
    ----------
    coef : ndarray of shape (n_resamples, p)
        Log hazard ratios; NaN where there is no finite fit.
    log_likelihood : ndarray of shape (n_resamples, 2)
        Log partial likelihood at 0 and at `coef`.
    converged : ndarray of bool, shape (n_resamples,)
        False without a finite fit: no event, columns that determine each other, separation.
    n_iterations : int
        Newton steps of the slowest resample.
    """

    coef: Floats
    log_likelihood: Floats
    converged: Flags
    n_iterations: int

    def __repr__(self) -> str:
        lost = int((~self.converged).sum())
        return f"ManyCox({len(self.coef)} resamples, {lost} without a fit)"


class ManyLikelihood:
    """The log partial likelihoods of many resamples, as a function of their coefficients.

    Parameters
    ----------
    time : ndarray of shape (n_patients,)
    event : ndarray of bool, shape (n_patients,)
        At least one True.
    ties : {"efron", "breslow"}
    """

    def __init__(self, time: Floats, event: Flags, *, ties: Ties = "efron") -> None:
        self.sets = RiskSets(time, event)
        self.order = self.sets.order
        self.ties = ties

    def columns(self, x: Floats) -> Columns:
        """Lay out a design of shape (n_patients, p), or one for each resample, in `order`."""
        return SharedColumns(self.sets, x) if x.ndim == 2 else OwnColumns(self.sets, x)

    def drawn(self, counts: Floats) -> "Drawn":
        """Lay out the events of each resample; `counts` (B, n_patients) in the order of `order`."""
        of_deaths = counts[:, self.sets.deaths]
        n_deaths = self.sets.at_event_times(of_deaths)
        flat, ties = n_deaths.ravel(), []
        if self.ties == "efron":
            at = np.flatnonzero(flat > 1)
            for r in range(1, int(flat.max(initial=0))):
                at = at[flat[at] > r]
                ties.append((at, r / flat[at]))
        return Drawn(counts, of_deaths, n_deaths, ties)

    def evaluate(self, x: Columns, drawn: "Drawn", coef: Floats) -> ManyDerivatives:
        """Evaluate at `coef`.

        Parameters
        ----------
        x : Columns
            Of the same resamples as `drawn` and `coef`.
        drawn : Drawn
        coef : ndarray of shape (B, p)
        """
        steps = self._steps(x.linear_predictors(coef), drawn)
        exposure = steps.weight * self._hazard_met(steps)
        pull = -exposure
        pull[:, self.sets.deaths] += drawn.of_deaths
        information = x.squares(exposure) - _spread_of_means(x, steps)
        return ManyDerivatives(steps.log_likelihood, x.sums(pull), information)

    def log_likelihood(self, eta: Floats, drawn: "Drawn") -> Floats:
        """Give the log partial likelihoods (B,) of linear predictors (B, n_patients), ordered."""
        return self._steps(eta, drawn).log_likelihood

    def baseline_hazard(self, eta: Floats, drawn: "Drawn", *, horizon: float) -> Floats:
        """Give the cumulative hazard (B,) by `horizon` of a patient whose eta is 0."""
        steps = self._steps(eta, drawn)
        hazard = steps.hazard[:, self.sets.event_times <= horizon].sum(axis=1)
        return np.asarray(hazard * np.exp(-eta.max(axis=1)))  # `_steps` takes the largest eta off

    def _steps(self, eta: Floats, drawn: "Drawn") -> "_Steps":
        """Sum over the events of each time, one after the other as Efron does."""
        eta = eta - eta.max(axis=1, keepdims=True)
        weight = drawn.counts * np.exp(eta)
        happened = drawn.n_deaths > 0
        size = np.cumsum(weight, axis=1).take(self.sets.last, axis=1)
        size[~happened] = 1.0
        first = happened if self.ties == "efron" else drawn.n_deaths
        logs, hazard = first * np.log(size), first / size
        squares = hazard / size
        tied, cross, tied_squares = np.zeros((3, *size.shape))
        if drawn.ties:
            leaving = self.sets.at_event_times(weight[:, self.sets.deaths]).ravel()
        for at, share in drawn.ties:
            left = size.ravel()[at] - share * leaving[at]
            turned = 1 / left
            logs.ravel()[at] += np.log(left)
            hazard.ravel()[at] += turned
            squares.ravel()[at] += turned * turned
            turned_share = share * turned
            tied.ravel()[at] += turned_share
            cross.ravel()[at] += turned_share * turned
            tied_squares.ravel()[at] += turned_share * turned_share
        value = np.einsum("bi,bi->b", drawn.of_deaths, eta[:, self.sets.deaths]) - logs.sum(axis=1)
        return _Steps(weight, value, hazard, tied, squares, cross, tied_squares)

    def _hazard_met(self, steps: "_Steps") -> Floats:
        """Sum the hazard that each patient was exposed to, per unit of weight; (B, n)."""
        padded = np.zeros((len(steps.hazard), steps.hazard.shape[1] + 1))
        np.cumsum(steps.hazard[:, ::-1], axis=1, out=padded[:, -2::-1])
        met = padded.take(self.sets.first_group, axis=1)
        if steps.tied.any():
            met[:, self.sets.deaths] -= steps.tied[:, self.sets.group]
        return met


class Drawn(NamedTuple):
    """What was drawn: counts of patients (B, n), of events (B, n_events), of both at each time.

    `ties` holds, for each further step r of Efron's, the positions in (B, n_times) laid flat at
    which it is made, and the shares r / d.
    """

    counts: Floats
    of_deaths: Floats
    n_deaths: Floats
    ties: list[tuple[NDArray[np.intp], Floats]]


class _Steps(NamedTuple):
    """Sums over Efron's steps r at each event time, shares f = r / d, sizes s = S - f D."""

    weight: Floats  # count times hazard ratio, (B, n)
    log_likelihood: Floats  # (B,)
    hazard: Floats  # sum of 1 / s, (B, n_times), as all that follow
    tied: Floats  # of f / s
    squares: Floats  # of 1 / s²
    cross: Floats  # of f / s²
    tied_squares: Floats  # of f² / s²


def _spread_of_means(x: Columns, steps: _Steps) -> Floats:
    """Sum the products of the risk sets' means with themselves over all steps; (B, p, p).

    With S and D the sums of w x, the sum over steps of (S - f D)(S - f D)' / s² is
    a (S - (b/a) D)(S - (b/a) D)' + (c - b²/a) D D' for a, b, c the sums of 1, f, f² over s².
    """
    means = x.of_risk_sets(steps.weight)
    if not steps.tied.any():
        means *= np.sqrt(steps.squares)[:, np.newaxis]
        return np.asarray(np.matmul(means, means.swapaxes(1, 2)))
    leaving = x.of_deaths(steps.weight)
    ratio = np.divide(
        steps.cross, steps.squares, out=np.zeros_like(steps.cross), where=steps.squares > 0
    )
    rest = np.maximum(steps.tied_squares - ratio * steps.cross, 0.0)
    means -= ratio[:, np.newaxis] * leaving
    means *= np.sqrt(steps.squares)[:, np.newaxis]
    leaving *= np.sqrt(rest)[:, np.newaxis]
    both = np.concatenate([means, leaving], axis=2)
    return np.asarray(np.matmul(both, both.swapaxes(1, 2)))


def fit_many_cox(
    x: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    counts: ArrayLike,
    *,
    ties: Ties = "efron",
    start: ArrayLike | None = None,
    tolerance: float = 1e-9,
    relative_tolerance: float | None = None,
    max_iterations: int = 50,
) -> ManyCox:
    """Fit a Cox regression to every resample.

    Parameters
    ----------
    x : array-like of shape (n_patients, p) or (n_resamples, n_patients, p)
        Columns, the same for all resamples or, such as a linear predictor, each with its own.
    time : array-like of shape (n_patients,)
        Follow-up, above zero.
    event : array-like of shape (n_patients,)
        True where the event was observed.
    counts : array-like of int, shape (n_resamples, n_patients)
        How often each patient was drawn; the fit is that of the drawn rows.
    ties : {"efron", "breslow"}, default "efron"
    start : array-like of shape (p,) or (n_resamples, p), optional
        Where to begin, such as the fit of all patients; 0 if left out. The result does not depend
        on it, unless `relative_tolerance` is given.
    tolerance : float, default 1e-9
        Gain in log likelihood below which a step is the last.
    relative_tolerance : float, optional
        Stop instead as R's `coxph` does, at this relative change of the log likelihood: rms refits
        with 1e-4 (and `max_iterations=10`), which leaves coefficients up to .03 standard errors
        off.
    max_iterations : int, default 50

    Returns
    -------
    ManyCox
        A resample without a finite fit is NaN and not `converged`; nothing is raised for it.

    Raises
    ------
    ValueError
        If an argument has the wrong shape or range.

    Examples
    --------
    The second resample draws the first patient twice and the last one never.

    >>> x, time, event = [[1.0], [0.0], [1.0], [0.0]], [1, 2, 3, 4], [1, 1, 1, 1]
    >>> many = fit_many_cox(x, time, event, [[1, 1, 1, 1], [2, 1, 1, 0]])
    >>> many
    ManyCox(2 resamples, 0 without a fit)
    >>> from models.cox_fit import cox_fit
    >>> alone = cox_fit([[1.0], [1.0], [0.0], [1.0]], [1, 1, 2, 3], [1, 1, 1, 1])
    >>> bool(abs(many.coef[1, 0] - alone.coef[0]) < 1e-9)
    True
    """
    times, events = check_time(time, "time"), check_event(event, "event")
    check_same_length(time=times, event=events)
    columns, drawn = check_resamples(x, counts, len(times))
    p, n_resamples = columns.shape[-1], len(drawn)
    begin = np.broadcast_to(0.0 if start is None else np.asarray(start), (n_resamples, p))
    coef = np.full((n_resamples, p), np.nan)
    log_likelihood = np.full((n_resamples, 2), np.nan)
    converged = np.zeros(n_resamples, dtype=np.bool_)
    n_iterations = 0
    if events.any():
        likelihood = ManyLikelihood(times, events, ties=ties)
        search = _Search(likelihood, tolerance, relative_tolerance, max_iterations)
        scale = _scale(columns)
        size = max(1, BLOCK // (len(times) * max(2, p // 4)))
        ordered = ((columns - columns.mean(axis=-2, keepdims=True)) / scale)[
            ..., likelihood.order, :
        ]
        design = likelihood.columns(ordered)
        for first in range(0, n_resamples, size):
            rows = slice(first, first + size)
            part = drawn[rows][:, likelihood.order]
            found = search.run(design.rows(rows), part, begin[rows] * scale)
            coef[rows] = found.coef / scale
            log_likelihood[rows] = found.log_likelihood
            converged[rows] = found.converged
            n_iterations = max(n_iterations, found.n_iterations)
    coef[~converged] = np.nan
    log_likelihood[~converged, 1] = np.nan
    return ManyCox(
        coef=coef, log_likelihood=log_likelihood, converged=converged, n_iterations=n_iterations
    )


def _scale(columns: Floats) -> Floats:
    """Give the standard deviation of each column over everything; 1 for a constant."""
    spread = columns.std(axis=tuple(range(columns.ndim - 1)))
    return np.where(spread > 0, spread, 1.0)


class _Found(NamedTuple):
    coef: Floats
    log_likelihood: Floats
    converged: Flags
    n_iterations: int


@dataclass(frozen=True, eq=False)
class _Search:
    """Newton's method with step halving, of many resamples side by side."""

    likelihood: ManyLikelihood
    tolerance: float
    relative_tolerance: float | None
    max_iterations: int

    def run(self, columns: Columns, counts: Floats, start: Floats) -> _Found:
        """Climb from `start` (B, p)."""
        likelihood = self.likelihood
        drawn = likelihood.drawn(counts)
        null = likelihood.log_likelihood(np.zeros(counts.shape), drawn)
        active = np.flatnonzero(drawn.n_deaths.any(axis=1))
        # climbing to the top, a start worse than 0 is halved towards it; R begins where it is told
        to_top = self.relative_tolerance is None
        coef, value = np.zeros_like(start) if to_top else start.copy(), null.copy()
        converged = np.zeros(len(counts), dtype=np.bool_)
        if start.shape[1] == 0:
            converged[active] = True
            return _Found(coef, np.column_stack([null, null]), converged, 0)
        spread = columns.spread
        tried, floor = start.copy(), null.copy() if to_top else np.full(len(counts), -np.inf)
        iteration = 0
        while len(active) and iteration <= self.max_iterations:
            if len(active) < len(drawn.counts):
                drawn = likelihood.drawn(counts[active])
            own = columns.rows(active)
            with np.errstate(all="ignore"):  # a step too far: it will be halved
                here = likelihood.evaluate(own, drawn, tried[active])
            fine = np.isfinite(here.log_likelihood) & np.isfinite(here.gradient).all(axis=1)
            fell = ~(fine & (here.log_likelihood >= floor[active] - _slack(floor[active])))
            back = active[fell]
            tried[back] = (tried[back] + coef[back]) / 2
            up, there = active[~fell], ManyDerivatives(*(part[~fell] for part in here))
            before = floor[up]
            coef[up], floor[up], value[up] = tried[up], there.log_likelihood, there.log_likelihood
            step, gain, sound = newton_steps(there.information, there.gradient)
            lost = ~sound
            if self.relative_tolerance is None:
                done, runaway = self._arrived(
                    columns.rows(up), np.abs(coef[up]) @ spread, step, gain
                )
                lost |= runaway
                coef[up[done]] += step[done]
                value[up[done]] += gain[done]
            else:
                change = np.abs(1 - before / there.log_likelihood)
                done = np.isfinite(before) & (change <= self.relative_tolerance)
            done &= ~lost
            converged[up[done]] = True
            tried[up] = coef[up] + np.where((done | lost)[:, np.newaxis], 0.0, step)
            active = np.sort(np.concatenate([back, up[~(done | lost)]]))
            iteration += 1
        return _Found(coef, np.column_stack([null, value]), converged, iteration)

    def _arrived(
        self, x: Columns, reach: Floats, step: Floats, gain: Floats
    ) -> tuple[Flags, Flags]:
        """Tell which climbs end with this step, and which run away to infinity."""
        near = np.flatnonzero(gain < self.tolerance)
        done, runaway = np.zeros((2, len(gain)), dtype=np.bool_)
        moves = np.ptp(x.rows(near).linear_predictors(step[near]), axis=1) > MOVING
        done[near] = ~moves
        runaway[near] = moves & (gain[near] < SPENT)
        return done, runaway | (reach > FAR * step.shape[1])


def _slack(floor: Floats) -> Floats:
    """Give what rounding may take from a log likelihood."""
    return np.where(np.isfinite(floor), 1e-10 * (1 + np.abs(floor)), 0.0)
