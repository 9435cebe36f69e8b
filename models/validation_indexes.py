r"""How well a linear predictor sorts and fits some patients: the indexes of rms's validate.

With :math:`L = -2 \log` (partial) likelihood, :math:`L_0` that of no predictor, :math:`L_1` that of
the linear predictor as it stands (slope 1; logistic: intercept 0) and :math:`L_2` that of its refit
to the patients at hand, :math:`LR = L_0 - L_2`, n their number and N = n for a logistic model,
:math:`N = L_0` for a Cox model:

.. math::

    D_{xy} = 2C - 1, \quad R^2 = \frac{1 - e^{-LR/n}}{1 - e^{-L_0/n}}, \quad
    D = \frac{LR - 1}{N}, \quad U = \frac{L_1 - L_2 - k}{N}, \quad Q = D - U

where k is 0 for a Cox and 2 for a logistic model (as rms has it), and :math:`U = -2 / N` in the
patients of the fit itself. `slope` (and `intercept`) are those of the refit: 1 (and 0) in the
patients of the fit. `g` is Gini's mean difference of the linear predictor times that slope: how far
two patients lie apart on average; `gp` the same of the recalibrated risk. `brier` is the Brier
score (B of rms). Higher is better but for `u`, `brier` and the slope's distance from 1.

All resamples are computed together; a resample is a count of how often each patient was drawn.

References
----------
Harrell FE. Regression Modeling Strategies, 2nd ed. Springer 2015, sections 5.3, 10.9, 20.10.
doi:10.1007/978-3-319-19425-7
Nagelkerke NJD. A note on a general definition of the coefficient of determination. Biometrika
1991;78:691-692. doi:10.1093/biomet/78.3.691
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from models.checks import check_followup
from models.concordance import concordance_many
from models.many_cox import ManyLikelihood, fit_many_cox
from models.many_logistic import bernoulli_log_likelihood, fit_many_logistic
from omics.checks import check_event

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indexes = dict[str, Floats]

COX_INDEXES = ("dxy", "r_squared", "slope", "d", "u", "q", "g")
LOGISTIC_INDEXES = ("dxy", "r_squared", "intercept", "slope", "d", "u", "q", "brier", "g", "gp")
NO_INFORMATION = {"dxy": 0.0, "r_squared": 0.0, "slope": 0.0, "d": 0.0, "g": 0.0, "gp": 0.0}
"""What an index is expected to be where outcome and predictors have nothing in common; D's is that
of LR = 1, its mean by chance. That of `brier` depends on the risks; `u`, `q` and `intercept` have
none."""
REFIT_TOLERANCE = 1e-7
"""Gain in log likelihood below which a refit's step is the last. That step is taken: it leaves
coefficients some 1e-8 of their standard error off, and indexes 1e-9."""
BLOCK = 2**18  # numbers worked on at a time


class Stopping(NamedTuple):
    """When a refit stops: at its maximum, or as `coxph` does at a relative change."""

    relative_tolerance: float | None
    max_iterations: int


CONVERGED = Stopping(None, 50)
RMS = Stopping(1e-4, 10)


def cox_indexes(
    linear_predictor: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    counts: ArrayLike,
    *,
    log_likelihood: ArrayLike | None = None,
    stopping: Stopping = CONVERGED,
) -> Indexes:
    """Compute the indexes of linear predictors of a Cox model, one row for each resample.

    Parameters
    ----------
    linear_predictor : array-like of shape (n_resamples, n_patients)
        Log relative hazard; higher is worse.
    time : array-like of shape (n_patients,)
        Follow-up, above zero.
    event : array-like of shape (n_patients,)
        True where the event was observed.
    counts : array-like of int, shape (n_resamples, n_patients)
        How often each patient is among those evaluated.
    log_likelihood : array-like of shape (n_resamples, 2), optional
        Log partial likelihoods of the fit, at 0 and at its coefficients, where the patients
        evaluated are those of the fit: the linear predictor is then its own refit.
    stopping : Stopping
        `CONVERGED`, or `RMS`, which stops refits where rms does.

    Returns
    -------
    dict of name to ndarray of shape (n_resamples,)
        In the order of `COX_INDEXES`; NaN where there is no finite refit.

    Examples
    --------
    >>> found = cox_indexes([[2, 0, 2, 0]], [1, 2, 3, 4], [1, 1, 1, 0], [[1, 1, 1, 1]])
    >>> {name: round(float(value[0]), 4) for name, value in found.items() if name in ("dxy", "g")}
    {'dxy': 0.3333, 'g': 0.6271}
    >>> bool(abs(found["slope"][0] - np.log((1 + np.sqrt(17)) / 2) / 2) < 1e-9)
    True
    """
    times, events = check_followup(time, event)
    scores, drawn = _check_rows(linear_predictor, counts, len(times))
    if log_likelihood is not None:
        own = _inside(log_likelihood)
    else:
        own = _refitted(scores, times, events, drawn, stopping)
    ranking = _rankings(scores, times, events, drawn[np.newaxis])[0]
    return _cox_table(own, ranking, drawn)


def cox_indexes_in_and_out(
    linear_predictor: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    counts: tuple[ArrayLike, ArrayLike],
    *,
    log_likelihood: ArrayLike,
    stopping: Stopping = CONVERGED,
) -> tuple[Indexes, Indexes]:
    """Compute the indexes of fits in their own patients and in those they are tested on.

    As two calls of `cox_indexes` give them, but the linear predictors are put in order once.

    Parameters
    ----------
    linear_predictor, time, event, stopping
        As for `cox_indexes`.
    counts : tuple of two array-like of shape (n_resamples, n_patients)
        How often each patient is among those of the fit, and among those tested on.
    log_likelihood : array-like of shape (n_resamples, 2)
        Of the fits, at 0 and at their coefficients.

    Examples
    --------
    >>> score, time, event = [[0.9, 0.0, 0.9, 0.0]], [1, 2, 3, 4], [1, 1, 1, 0]
    >>> inside, outside = cox_indexes_in_and_out(score, time, event, ([[1, 1, 0, 2]], [[1] * 4]),
    ...                                          log_likelihood=[[-2.1, -1.8]])
    >>> inside["slope"].tolist(), outside["dxy"].round(4).tolist()
    ([1.0], [0.3333])
    """
    times, events = check_followup(time, event)
    scores, drawn = _check_rows(linear_predictor, counts[0], len(times))
    _, tested = _check_rows(scores, counts[1], len(times))
    ranking = _rankings(scores, times, events, np.stack([drawn, tested]))
    refitted = _refitted(scores, times, events, tested, stopping)
    return (
        _cox_table(_inside(log_likelihood), ranking[0], drawn),
        _cox_table(refitted, ranking[1], tested),
    )


def logistic_indexes(
    linear_predictor: ArrayLike,
    event: ArrayLike,
    counts: ArrayLike,
    *,
    log_likelihood: ArrayLike | None = None,
) -> Indexes:
    """Compute the indexes of linear predictors of a logistic model, one row for each resample.

    Parameters
    ----------
    linear_predictor : array-like of shape (n_resamples, n_patients)
        Log odds; higher is worse.
    event : array-like of shape (n_patients,)
        True where the event was observed.
    counts : array-like of int, shape (n_resamples, n_patients)
    log_likelihood : array-like of shape (n_resamples, 2), optional
        Of the fit, with the intercept alone and with its coefficients, where the patients evaluated
        are those of the fit.

    Returns
    -------
    dict of name to ndarray of shape (n_resamples,)
        In the order of `LOGISTIC_INDEXES`; NaN where there is no finite refit.

    Examples
    --------
    Log odds of 1 : 3 and 3 : 1 where twice as extreme ones were predicted:

    >>> event = [True, False, False, False, True, True, True, False]
    >>> found = logistic_indexes([[-np.log(9)] * 4 + [np.log(9)] * 4], event, [[1] * 8])
    >>> [round(float(found[name][0]), 4) for name in ("dxy", "slope", "brier")]
    [0.5, 0.5, 0.21]
    """
    events = check_event(event, "event")
    scores, drawn = _check_rows(linear_predictor, counts, len(events))
    n = drawn.sum(axis=1)
    if log_likelihood is not None:
        null, full = np.asarray(log_likelihood, dtype=np.float64).T
        intercept, slope = np.zeros(len(scores)), np.ones(len(scores))
        misfit = np.full(len(scores), -2.0)
    else:
        known = np.where(np.isnan(scores), 0.0, scores)
        refit = fit_many_logistic(known[:, :, np.newaxis], events, drawn)
        (intercept, slope), (null, full) = refit.coef.T, refit.log_likelihood.T
        misfit = -2 * (bernoulli_log_likelihood(scores, events, drawn) - full) - 2
    risk = expit(scores)
    recalibrated = expit(intercept[:, np.newaxis] + slope[:, np.newaxis] * scores)
    # An event at time 1, none until time 2: concordance is then the area under the ROC curve.
    concordance = concordance_many(np.where(events, 1.0, 2.0), events, scores, drawn)
    with np.errstate(divide="ignore", invalid="ignore"):
        d = (2 * (full - null) - 1) / n
        u = misfit / n
        found = {
            "dxy": 2 * concordance - 1,
            "r_squared": _nagelkerke(null, full, n),
            "intercept": intercept,
            "slope": slope,
            "d": d,
            "u": u,
            "q": d - u,
            "brier": (drawn * (events - risk) ** 2).sum(axis=1) / n,
            "g": np.abs(slope) * gini_mean_difference(scores, drawn),
            "gp": gini_mean_difference(recalibrated, drawn),
        }
    return _unknown_together(found)


def gini_mean_difference(values: ArrayLike, counts: ArrayLike) -> Floats:
    r"""Give the mean of :math:`|x_i - x_j|` over pairs of drawn patients, of each resample.

    Parameters
    ----------
    values : array-like of shape (n_resamples, n_patients)
    counts : array-like of shape (n_resamples, n_patients) or (n_tables, n_resamples, n_patients)

    Returns
    -------
    ndarray of shape (n_resamples,), or (n_tables, n_resamples)
        NaN with fewer than two patients, and where a value is.

    Examples
    --------
    >>> gini_mean_difference([[0, 1, 3], [0, 1, 3]], [[1, 1, 1], [2, 0, 1]]).tolist()
    [2.0, 2.0]
    """
    x, drawn = np.asarray(values, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    found = np.empty(drawn.shape[:-1])
    step = max(1, BLOCK // max(x.shape[1], 1))
    for first in range(0, len(x), step):
        rows = slice(first, first + step)
        order = np.argsort(x[rows], axis=1)
        ordered = np.take_along_axis(x[rows], order, axis=1)
        for table in np.ndindex(drawn.shape[:-2]):
            count = np.take_along_axis(drawn[table][rows], order, axis=1)
            found[*table, rows] = _gini_ordered(ordered, count)
    return found


def _gini_ordered(ordered: Floats, count: Floats) -> Floats:
    until = np.cumsum(count, axis=1)
    n = until[:, -1]
    # copies ranked C+1 ... C+c weigh c(2C + c - n) in all; C + (C + c) = 2 until - c
    weight = count * (2 * until - count - n[:, np.newaxis])
    total = 2 * np.einsum("bi,bi->b", weight, ordered)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(n > 1, total / (n * (n - 1)), np.nan)


def no_information_brier(risk: ArrayLike, event: ArrayLike) -> float:
    """Give the Brier score expected of these risks if they had nothing to do with the outcome.

    The mean of (outcome of one patient - risk of another)² over all pairs (Efron and Tibshirani's
    no-information rate).

    Examples
    --------
    >>> round(no_information_brier([0.2, 0.6], [False, True]), 10)
    0.3
    """
    p, y = np.asarray(risk, dtype=np.float64), np.asarray(event, dtype=np.float64)
    return float(y.mean() - 2 * y.mean() * p.mean() + (p**2).mean())


def emax(intercept: float, slope: float) -> float:
    """Give the largest distance of a recalibrated from the predicted risk, over risks 0 to 1.

    On rms's grid of steps of .0005.

    Examples
    --------
    >>> round(emax(0.0, 1.0), 12)
    0.0
    >>> round(emax(1.0, 1.0), 4)  # expit(.5) - expit(-.5)
    0.2449
    """
    p = np.arange(1, 2000) / 2000  # at 0 and 1 the distance is 0
    return float(np.abs(p - expit(intercept + slope * np.log(p / (1 - p)))).max())


class _Fit(NamedTuple):
    """Slope, log likelihoods without a predictor and of the refit, and N U (`misfit`); all (B,)."""

    slope: Floats
    null: Floats
    full: Floats
    misfit: Floats


class _Ranking(NamedTuple):
    """What follows from the order of the linear predictors; both (B,)."""

    concordance: Floats
    spread: Floats


def _inside(log_likelihood: ArrayLike) -> _Fit:
    """Take a fit as the refit of its linear predictor to its own patients."""
    null, full = np.asarray(log_likelihood, dtype=np.float64).T
    return _Fit(np.ones_like(null), null, full, np.full_like(null, -2.0))


def _refitted(
    scores: Floats, time: Floats, event: Flags, counts: Floats, stopping: Stopping
) -> _Fit:
    """Refit a linear predictor to the patients counted, and compare it as it stands."""
    refit = fit_many_cox(
        np.where(np.isnan(scores), 0.0, scores)[:, :, np.newaxis],
        time,
        event,
        counts,
        start=[1.0] if stopping.relative_tolerance is None else None,
        tolerance=REFIT_TOLERANCE,
        relative_tolerance=stopping.relative_tolerance,
        max_iterations=stopping.max_iterations,
    )
    null, full = refit.log_likelihood.T
    misfit = -2 * (frozen_cox(scores, time, event, counts) - full)
    return _Fit(refit.coef[:, 0], null, full, misfit)


def _rankings(scores: Floats, time: Floats, event: Flags, tables: Floats) -> list[_Ranking]:
    """Rank the patients of each table of counts (n_tables, B, n)."""
    concordance = concordance_many(time, event, scores, tables)
    spread = gini_mean_difference(scores, tables)
    return [_Ranking(*both) for both in zip(concordance, spread, strict=True)]


def _cox_table(fit: _Fit, ranking: _Ranking, counts: Floats) -> Indexes:
    with np.errstate(divide="ignore", invalid="ignore"):  # no event: NaN
        d = (2 * (fit.full - fit.null) - 1) / (-2 * fit.null)
        u = fit.misfit / (-2 * fit.null)
        r2 = _nagelkerke(fit.null, fit.full, counts.sum(axis=1))
    found = {
        "dxy": 2 * ranking.concordance - 1,
        "r_squared": r2,
        "slope": fit.slope,
        "d": d,
        "u": u,
        "q": d - u,
        "g": np.abs(fit.slope) * ranking.spread,
    }
    return _unknown_together(found)


def frozen_cox(scores: Floats, time: Floats, event: Flags, counts: Floats) -> Floats:
    """Give the log partial likelihoods (B,) of linear predictors as they stand.

    Parameters
    ----------
    scores : ndarray of shape (n_resamples, n_patients)
    time, event : ndarray of shape (n_patients,)
    counts : ndarray of shape (n_resamples, n_patients)
        How often each patient counts.

    Examples
    --------
    >>> everybody, event = np.ones((1, 2)), np.array([True, True])
    >>> frozen_cox(np.zeros((1, 2)), np.array([1.0, 2.0]), event, everybody)  # log(1/2)
    array([-0.69314718])
    """
    likelihood = ManyLikelihood(time, event)
    found = np.empty(len(scores))
    step = max(1, BLOCK // len(time))
    for first in range(0, len(scores), step):
        rows = slice(first, first + step)
        drawn = likelihood.drawn(counts[rows][:, likelihood.order])
        found[rows] = likelihood.log_likelihood(scores[rows][:, likelihood.order], drawn)
    return found


def _nagelkerke(null: Floats, full: Floats, n: Floats) -> Floats:
    return np.asarray(np.expm1(2 * (null - full) / n) / np.expm1(2 * null / n))


def _unknown_together(found: Mapping[str, Floats]) -> Indexes:
    """Leave a resample out of all indexes if one of them is unknown."""
    lost = np.isnan(list(found.values())).any(axis=0)
    return {name: np.where(lost, np.nan, values) for name, values in found.items()}


def _check_rows(
    linear_predictor: ArrayLike, counts: ArrayLike, n_patients: int
) -> tuple[Floats, Floats]:
    """Return scores and counts, one row to a resample and one column to a patient."""
    scores = np.asarray(linear_predictor, dtype=np.float64)
    drawn = np.asarray(counts, dtype=np.float64)
    for name, array in (("linear_predictor", scores), ("counts", drawn)):
        if array.ndim != 2 or array.shape != (len(scores), n_patients):
            raise ValueError(
                f"{name} must have one row for each resample and one column for each of "
                f"{n_patients} patients, but shape {array.shape} came. Give one resample as "
                "values[np.newaxis]."
            )
    return scores, drawn
