r"""What share of patients had the event at each predicted risk, as a smooth curve.

ICI, E50, E90 and Emax are mean, median, 90th percentile and maximum over patients of
:math:`|\text{observed} - p_i|`, observed read off the curve at each patient's own risk
:math:`p_i`. They are 0 for perfect calibration, and a bit above in any sample. For a survival
outcome the curve is a Cox regression, in the evaluated patients, on a spline of

.. math:: \log(-\log(1 - p_i))

read at the horizon; for a binary outcome it is a lowess. A curve is NaN where the data cannot give
it (said at each function) and where a prediction is NaN.

References
----------
Austin PC, Harrell FE, van Klaveren D. Graphical calibration curves and the integrated calibration
index (ICI) for survival models. Statistics in Medicine 2020;39:2714-2742. doi:10.1002/sim.8570
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from models.checks import (
    Floats,
    check_binary_risks,
    check_horizon,
    check_risk,
    check_survival_risks,
)
from models.lowess import lowess
from models.refits import cox_risk, log_hazard
from models.splines import restricted_cubic_spline

EDGE = 1e-4  # risks nearer to 0 or 1 than this steer the spline as if they were here (rms)
KNOTS = (0.1, 0.5, 0.9)
GRID = 100


@dataclass(frozen=True, eq=False, kw_only=True)
class Calibration:
    """A smooth calibration curve and its distance from the diagonal.

    Attributes
    ----------
    table : DataFrame, one row per predicted risk
        Columns `predicted`, `observed` (share of patients with the event where that risk is
        predicted), `lower` and `upper` (NaN: a caller that resamples fills them).
    ici, e50, e90, emax : float
        Mean, median, 90th percentile and maximum over patients of `|observed - predicted|`.
    n_patients : int
    n_events : int
        By the horizon, if there is one.
    horizon : float or None
    method : str
        The smoother.
    """

    table: pd.DataFrame
    ici: float
    e50: float
    e90: float
    emax: float
    n_patients: int
    n_events: int
    horizon: float | None
    method: str

    def __repr__(self) -> str:
        by = "" if self.horizon is None else f" by {self.horizon:g}"
        size = f"{self.n_patients} patients, {self.n_events} events{by}"
        return f"Calibration({size}, ICI {self.ici:.4f})"


def calibration_curve(
    event: ArrayLike, risk: ArrayLike, *, grid: ArrayLike | None = None
) -> Calibration:
    """Smooth the outcome over the predicted risk.

    Parameters
    ----------
    event, risk : array-like of shape (n_patients,)
        As for `brier`.
    grid : array-like of shape (n_points,), optional
        Predicted risks at which to give the curve; 100 between the 1st and 99th percentile if left
        out.

    Returns
    -------
    Calibration
        Lowess without robustness iterations, R's defaults; NaN on the grid outside the predicted
        risks, and everywhere if all risks are alike.

    Examples
    --------
    >>> curve = calibration_curve([0, 1, 0, 1], [0.2, 0.2, 0.6, 0.6], grid=[0.2, 0.6])
    >>> curve.table["observed"].tolist()
    [0.5, 0.5]
    >>> curve
    Calibration(4 patients, 2 events, ICI 0.2000)
    """
    events, p = check_binary_risks(event, risk)
    points = _grid(p, grid)
    if np.isnan(p).any() or np.ptp(p) == 0:
        observed, on_grid = np.full(len(p), np.nan), np.full(len(points), np.nan)
    else:
        smooth = lowess(p, events.astype(np.float64), at=np.append(p, points))
        observed, on_grid = smooth[: len(p)], smooth[len(p) :]
    return _calibration(
        p, observed, points, on_grid, n_events=int(events.sum()), horizon=None, method="lowess"
    )


def calibration_curve_at(
    time: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    *,
    horizon: float,
    grid: ArrayLike | None = None,
) -> Calibration:
    """Model the outcome on the predicted risk by Cox regression and read it at `horizon`.

    Parameters
    ----------
    time, event, risk : array-like of shape (n_patients,)
        As for `brier_at`.
    horizon : float
    grid : array-like of shape (n_points,), optional
        Predicted risks at which to give the curve; 100 between the 1st and 99th percentile if left
        out.

    Returns
    -------
    Calibration
        A restricted cubic spline of log(-log(1 - risk)) with knots at its .1, .5 and .9 quantiles;
        a straight line where ties make knots coincide. NaN if all risks are alike, without an event
        by `horizon`, beyond the last follow-up, or where no finite fit exists.

    Examples
    --------
    >>> curve = calibration_curve_at([1, 2, 3, 4], [1, 1, 1, 0], [.8, .3, .8, .3], horizon=2)
    >>> curve
    Calibration(4 patients, 2 events by 2, ICI 0.1001)
    >>> curve.method
    'Cox regression, linear in cloglog risk'
    """
    times, events, p = check_survival_risks(time, event, risk)
    horizon = check_horizon(horizon)
    points = _grid(p, grid)
    x, method = _cloglog_columns(p, np.append(p, points))
    if np.isnan(p).any() or horizon > times.max() or np.ptp(x) == 0:
        smooth = np.full(len(x), np.nan)
    else:
        smooth = cox_risk(x[: len(p)], times, events, horizon=horizon, at=x)
    n_events = int((events & (times <= horizon)).sum())
    observed, on_grid = smooth[: len(p)], smooth[len(p) :]
    return _calibration(
        p, observed, points, on_grid, n_events=n_events, horizon=horizon, method=method
    )


def _calibration(
    p: Floats,
    observed: Floats,
    points: Floats,
    on_grid: Floats,
    *,
    n_events: int,
    horizon: float | None,
    method: str,
) -> Calibration:
    gap = np.abs(observed - p)
    e50, e90 = np.quantile(gap, [0.5, 0.9])
    table = pd.DataFrame(
        {"predicted": points, "observed": on_grid, "lower": np.nan, "upper": np.nan}
    )
    return Calibration(
        table=table,
        ici=float(gap.mean()),
        e50=float(e50),
        e90=float(e90),
        emax=float(gap.max()),
        n_patients=len(p),
        n_events=n_events,
        horizon=horizon,
        method=method,
    )


def _grid(p: Floats, grid: ArrayLike | None) -> Floats:
    if grid is not None:
        return check_risk(grid, "grid")
    first, last = np.quantile(p, [0.01, 0.99])
    return np.linspace(float(first), float(last), GRID)


def _cloglog_columns(p: Floats, at: Floats) -> tuple[Floats, str]:
    """Columns of the calibration model at the risks `at`, spline knots placed by the risks `p`."""
    x, own = log_hazard(at, edge=EDGE), log_hazard(p, edge=EDGE)
    knots = np.quantile(own, KNOTS)
    if np.diff(knots).min() > 1e-8 and len(np.unique(own)) > 2:  # NaN is not above
        return restricted_cubic_spline(x, knots), "Cox regression, spline of cloglog risk, 3 knots"
    return x[:, np.newaxis], "Cox regression, linear in cloglog risk"
