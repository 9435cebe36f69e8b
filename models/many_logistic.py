r"""What a logistic regression would have been in each of many resamples: all fitted together.

A resample is a count: how often each patient was drawn. With :math:`c_{bi}` the count of patient i
in resample b and :math:`p_{bi}` the risk, Newton's step solves

.. math::

    \Big(\sum_i c_{bi}\, p_{bi} (1 - p_{bi})\, x_i x_i^\top\Big) \delta_b
      = \sum_i c_{bi} (y_i - p_{bi})\, x_i

where the sums of all resamples are two matrix products. The likelihood is that of the drawn rows,
to convergence (R's `glm`; rms's `lrm` stops once -2 log likelihood changes by less than .025).

References
----------
McCullagh P, Nelder JA. Generalized Linear Models, 2nd ed. Chapman and Hall 1989.
doi:10.1201/9780203753736
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from models.many_newton import (
    BLOCK,
    check_resamples,
    linear_predictors,
    newton_steps,
    weighted_squares,
    weighted_sums,
)
from models.newton import FAR, MOVING
from omics.checks import check_event

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class ManyLogistic:
    """Logistic regressions of many resamples.

    Attributes
    ----------
    coef : ndarray of shape (n_resamples, 1 + p)
        Intercept, then log odds ratios; NaN where there is no finite fit.
    log_likelihood : ndarray of shape (n_resamples, 2)
        With the intercept alone, and at `coef`.
    converged : ndarray of bool, shape (n_resamples,)
        False without a finite fit: one class, columns that determine each other, separation.
    """

    coef: Floats
    log_likelihood: Floats
    converged: Flags

    def __repr__(self) -> str:
        lost = int((~self.converged).sum())
        return f"ManyLogistic({len(self.coef)} resamples, {lost} without a fit)"


def fit_many_logistic(
    x: ArrayLike,
    event: ArrayLike,
    counts: ArrayLike,
    *,
    tolerance: float = 1e-9,
    max_iterations: int = 50,
) -> ManyLogistic:
    """Fit a logistic regression with an intercept to every resample.

    Parameters
    ----------
    x : array-like of shape (n_patients, p) or (n_resamples, n_patients, p)
        Columns, the same for all resamples or, such as a linear predictor, each with its own.
    event : array-like of shape (n_patients,)
        True where the event was observed.
    counts : array-like of int, shape (n_resamples, n_patients)
        How often each patient was drawn; the fit is that of the drawn rows.
    tolerance : float, default 1e-9
        Gain in log likelihood below which a step is the last.
    max_iterations : int, default 50

    Returns
    -------
    ManyLogistic
        A resample without a finite fit is NaN and not `converged`; nothing is raised for it.

    Raises
    ------
    ValueError
        If an argument has the wrong shape or range.

    Examples
    --------
    Of four exposed three fell ill, of four others one: the odds ratio is 9. The second resample
    draws the first, ill patient once more and the fourth, the healthy one, twice more: 4 of 7 ill.

    >>> x, event = [[1.0]] * 4 + [[0.0]] * 4, [1, 1, 1, 0, 1, 0, 0, 0]
    >>> many = fit_many_logistic(x, event, [[1] * 8, [2, 1, 1, 3, 1, 1, 1, 1]])
    >>> np.exp(many.coef[:, 1]).round(6).tolist()
    [9.0, 4.0]
    """
    events = check_event(event, "event")
    columns, drawn = check_resamples(x, counts, len(events))
    n_resamples, p = len(drawn), columns.shape[-1] + 1
    centre, scale = columns.mean(axis=-2, keepdims=True), columns.std(axis=-2, keepdims=True)
    scale = np.where(scale > 0, scale, 1.0)
    rows = np.concatenate([np.ones((*columns.shape[:-1], 1)), (columns - centre) / scale], axis=-1)
    coef = np.full((n_resamples, p), np.nan)
    log_likelihood = np.full((n_resamples, 2), np.nan)
    converged = np.zeros(n_resamples, dtype=np.bool_)
    size = max(1, BLOCK // (len(events) * p))
    for first in range(0, n_resamples, size):
        block = slice(first, first + size)
        own = rows if rows.ndim == 2 else rows[block]
        search = _Search(events, tolerance, max_iterations)
        coef[block], log_likelihood[block], converged[block] = search.run(own, drawn[block])
    slopes = coef[:, 1:] / scale[..., 0, :]
    intercept = coef[:, 0] - (slopes * centre[..., 0, :]).sum(axis=-1)
    found = np.column_stack([intercept, slopes])
    found[~converged] = np.nan
    log_likelihood[~converged, 1] = np.nan
    return ManyLogistic(coef=found, log_likelihood=log_likelihood, converged=converged)


def bernoulli_log_likelihood(eta: Floats, event: Flags, counts: Floats) -> Floats:
    """Give the log likelihood (B,) of log odds `eta` (B, n_patients) in each resample."""
    return np.asarray((counts * (np.where(event, eta, 0.0) - np.logaddexp(0, eta))).sum(axis=1))


@dataclass(frozen=True, eq=False)
class _Search:
    """Newton's method with step halving, of many resamples side by side."""

    event: Flags
    tolerance: float
    max_iterations: int

    def run(self, rows: Floats, counts: Floats) -> tuple[Floats, Floats, Flags]:
        """Climb from the intercept alone; give coefficients, log likelihoods and who arrived."""
        n, n_events = counts.sum(axis=1), counts @ self.event
        both = (n_events > 0) & (n_events < n)
        coef = np.zeros((len(counts), rows.shape[-1]))
        coef[both, 0] = np.log(n_events[both] / (n - n_events)[both])
        null = self._value(rows, counts, coef)
        value, converged = null.copy(), np.zeros(len(counts), dtype=np.bool_)
        active = np.flatnonzero(both)
        for _ in range(self.max_iterations):
            if not len(active):
                break
            own = rows if rows.ndim == 2 else rows[active]
            step, gain, sound = self._step(own, counts[active], coef[active])
            there = self._climb(own, counts[active], coef[active], step, value[active])
            coef[active], value[active] = there
            moves = np.ptp(linear_predictors(own, step), axis=1) > MOVING
            done = sound & (gain < self.tolerance) & ~moves
            far = np.ptp(linear_predictors(own, coef[active]), axis=1) > FAR
            converged[active[done]] = True
            active = active[sound & ~done & ~far]
        return coef, np.column_stack([null, value]), converged

    def _value(self, rows: Floats, counts: Floats, coef: Floats) -> Floats:
        return bernoulli_log_likelihood(linear_predictors(rows, coef), self.event, counts)

    def _climb(
        self, rows: Floats, counts: Floats, coef: Floats, step: Floats, value: Floats
    ) -> tuple[Floats, Floats]:
        """Take each step, halved until the log likelihood does not fall."""
        tried, floor = coef + step, value - 1e-10 * (1 + np.abs(value))  # rounding is no fall
        there = self._value(rows, counts, tried)
        for _ in range(30):
            fell = np.flatnonzero(~(there >= floor))
            if not len(fell):
                break
            tried[fell] = (tried[fell] + coef[fell]) / 2
            own = rows if rows.ndim == 2 else rows[fell]
            there[fell] = self._value(own, counts[fell], tried[fell])
        return tried, there

    def _step(self, rows: Floats, counts: Floats, coef: Floats) -> tuple[Floats, Floats, Flags]:
        """Give Newton's steps (B, 1 + p), what they promise, and where there is one."""
        risk = expit(linear_predictors(rows, coef))
        information = weighted_squares(rows, counts * risk * (1 - risk))
        return newton_steps(information, weighted_sums(rows, counts * (self.event - risk)))
