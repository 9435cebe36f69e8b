r"""Calibration by a horizon in each of many resamples, all of them together.

Each row holds the predicted risks of all patients by one resample's fit, and how often each patient
counts. The smooth curve is that of `models.calibration_curves.calibration_curve_at`: a Cox
regression on a spline of :math:`\log(-\log(1 - p))` with knots at the .1, .5 and .9 quantiles of
the risks that count, read at the horizon with Efron's baseline. The groups are those of
`models.calibration_groups`: Kaplan-Meier by the horizon between fixed cut points.
"""

import numpy as np
from numpy.typing import NDArray

from models.calibration_curves import EDGE, KNOTS
from models.many_cox import ManyLikelihood, fit_many_cox
from models.refits import log_hazard

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

BLOCK = 2**19  # numbers worked on at a time


def many_cox_risks(
    score: Floats, time: Floats, event: Flags, counts: Floats, *, horizon: float
) -> Floats:
    """Give every patient's risk by `horizon` from each resample's linear predictors.

    Parameters
    ----------
    score : ndarray of shape (n_resamples, n_patients)
        Linear predictors of all patients; NaN where there was no fit.
    time, event : ndarray of shape (n_patients,)
    counts : ndarray of shape (n_resamples, n_patients)
        How often each patient was in the fit: the baseline is estimated in these.
    horizon : float

    Returns
    -------
    ndarray of shape (n_resamples, n_patients)

    Examples
    --------
    With nobody's predictor different, it is the risk of the Nelson-Aalen hazard, 1/3 here:

    >>> time, event = np.array([1.0, 2, 3]), np.array([True, False, True])
    >>> risk = many_cox_risks(np.zeros((1, 3)), time, event, np.ones((1, 3)), horizon=2)
    >>> np.round(-np.log(1 - risk), 6).tolist()
    [[0.333333, 0.333333, 0.333333]]
    """
    likelihood = ManyLikelihood(time, event)
    risk = np.empty(score.shape)
    for rows in _blocks(*score.shape):
        drawn = likelihood.drawn(counts[rows][:, likelihood.order])
        ordered = score[rows][:, likelihood.order]
        hazard = likelihood.baseline_hazard(ordered, drawn, horizon=horizon)
        with np.errstate(over="ignore"):
            risk[rows] = -np.expm1(-hazard[:, np.newaxis] * np.exp(score[rows]))
    return risk


def many_smooth_curves(
    risk: Floats, time: Floats, event: Flags, counts: Floats, *, horizon: float, grid: Floats
) -> Floats:
    """Give the smooth calibration curve of each resample on a grid of risks.

    Parameters
    ----------
    risk : ndarray of shape (n_resamples, n_patients)
    time, event : ndarray of shape (n_patients,)
    counts : ndarray of shape (n_resamples, n_patients)
        How often each patient is among those evaluated.
    horizon : float
    grid : ndarray of shape (n_points,)

    Returns
    -------
    ndarray of shape (n_resamples, n_points)
        Observed risk; NaN where no finite curve exists.
    """
    likelihood = ManyLikelihood(time, event)
    curves = np.full((len(risk), len(grid)), np.nan)
    at = log_hazard(grid, edge=EDGE)
    for rows in _blocks(*risk.shape):
        known = np.arange(len(risk))[rows]
        known = known[~np.isnan(risk[known]).any(axis=1)]
        x, own = log_hazard(risk[known], edge=EDGE), counts[known]
        knots = drawn_quantiles(x, own, KNOTS)
        curved = np.diff(knots, axis=1).min(axis=1, initial=np.inf) > 1e-8
        for some in (curved, ~curved):  # a straight line where ties make knots coincide
            if some.any():
                columns, points = x[some][..., np.newaxis], at[:, np.newaxis]
                if some is curved:
                    columns, points = _spline(x[some], knots[some]), _spline(at, knots[some])
                curves[known[some]] = _read(
                    likelihood, (columns, points), (time, event, own[some]), horizon
                )
    return curves


def many_group_risks(
    risk: Floats, time: Floats, event: Flags, counts: Floats, *, horizon: float, cuts: Floats
) -> tuple[Floats, Floats]:
    """Give mean predicted and Kaplan-Meier risk of each group of each resample.

    Parameters
    ----------
    risk, counts : ndarray of shape (n_resamples, n_patients)
    time, event : ndarray of shape (n_patients,)
    horizon : float
    cuts : ndarray of shape (n_groups + 1,)
        A group reaches from one up to below the next, the last to its end.

    Returns
    -------
    predicted, observed : ndarray of shape (n_resamples, n_groups)
        NaN for a group of fewer than two patients; observed, too, where its follow-up ends before
        the horizon.

    Examples
    --------
    >>> predicted, observed = many_group_risks(
    ...     np.array([[0.6, 0.7, 0.1, 0.3]]), np.array([1.0, 2, 3, 4]),
    ...     np.array([True, False, True, False]), np.array([[1.0, 2, 1, 1]]), horizon=2,
    ...     cuts=np.array([0, 0.5, 1]))
    >>> predicted.round(4).tolist(), observed.round(4).tolist()
    ([[0.2, 0.6667]], [[0.0, 0.3333]])
    """
    n_groups = len(cuts) - 1
    group = np.minimum(np.searchsorted(cuts, risk, side="right") - 1, n_groups - 1)
    predicted, observed = np.full((2, len(risk), n_groups), np.nan)
    for k in range(n_groups):
        own = np.where((group == k) & ~np.isnan(risk), counts, 0.0)
        size = own.sum(axis=1)
        enough = size >= 2
        total = (own * np.where(own > 0, risk, 0.0)).sum(axis=1)
        predicted[enough, k] = total[enough] / size[enough]
        observed[enough, k] = 1 - _kaplan_meier(time, event, own[enough], horizon)
    return predicted, observed


def drawn_quantiles(values: Floats, counts: Floats, shares: tuple[float, ...]) -> Floats:
    """Give quantiles (R's type 7) of the drawn values of each row, (n_resamples, n_shares).

    Examples
    --------
    >>> drawn_quantiles(np.array([[1.0, 5, 3]]), np.array([[2.0, 1, 1]]), (0.5,)).tolist()
    [[2.0]]
    """
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    until = np.cumsum(np.take_along_axis(counts, order, axis=1), axis=1)
    found = np.empty((len(values), len(shares)))
    for j, share in enumerate(shares):
        place = (until[:, -1] - 1) * share
        low = np.floor(place)
        ends = []
        for rank in (low, np.minimum(low + 1, until[:, -1] - 1)):
            at = (until <= rank[:, np.newaxis]).sum(axis=1)  # copies before it
            ends.append(np.take_along_axis(ordered, at[:, np.newaxis], axis=1)[:, 0])
        found[:, j] = ends[0] + (place - low) * (ends[1] - ends[0])
    return found


def _spline(x: Floats, knots: Floats) -> Floats:
    """Give the two columns of a restricted cubic spline, three knots of its own for each row."""
    first, middle, last = (knots[:, j, np.newaxis] for j in range(3))
    values = np.broadcast_to(x, (len(knots), x.shape[-1]))
    cubes = [np.maximum(values - knot, 0.0) ** 3 for knot in (first, middle, last)]
    curved = (
        cubes[0]
        - cubes[1] * (last - first) / (last - middle)
        + cubes[2] * (middle - first) / (last - middle)
    ) / (last - first) ** 2
    return np.stack([values, curved], axis=-1)


def _read(
    likelihood: ManyLikelihood,
    design: tuple[Floats, Floats],
    outcome: tuple[Floats, Flags, Floats],
    horizon: float,
) -> Floats:
    """Fit each resample's calibration model; give its risks at the points of the grid."""
    (columns, points), (time, event, counts) = design, outcome
    centre = columns.mean(axis=1, keepdims=True)
    columns, points = columns - centre, points - centre
    many = fit_many_cox(columns, time, event, counts)
    eta = np.matmul(columns, many.coef[:, :, np.newaxis])[..., 0]
    drawn = likelihood.drawn(counts[:, likelihood.order])
    hazard = likelihood.baseline_hazard(eta[:, likelihood.order], drawn, horizon=horizon)
    followed = np.where(counts > 0, time, 0.0).max(axis=1) >= horizon
    hazard = np.where(followed & (hazard > 0), hazard, np.nan)
    there = np.matmul(points, many.coef[:, :, np.newaxis])[..., 0]
    with np.errstate(over="ignore"):
        return np.asarray(-np.expm1(-hazard[:, np.newaxis] * np.exp(there)))


def _kaplan_meier(time: Floats, event: Flags, counts: Floats, horizon: float) -> Floats:
    """Give survival at `horizon` of the counted patients of each row, (n_resamples,)."""
    order = np.argsort(time, kind="stable")
    t, e, count = time[order], event[order], counts[:, order]
    times, first = np.unique(t, return_index=True)
    deaths = np.add.reduceat(count * e, first, axis=1)
    at_risk = np.cumsum(np.add.reduceat(count, first, axis=1)[:, ::-1], axis=1)[:, ::-1]
    by = times <= horizon
    left = 1 - deaths[:, by] / np.maximum(at_risk[:, by], 1)
    survival = left.prod(axis=1)
    followed = (count * (t >= horizon)).any(axis=1) | (survival == 0)
    return np.where(followed, survival, np.nan)


def _blocks(n_resamples: int, n_patients: int) -> list[slice]:
    step = max(1, BLOCK // n_patients)
    return [slice(first, first + step) for first in range(0, n_resamples, step)]
