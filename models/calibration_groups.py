r"""What share of patients had the event in groups of like predicted risk: points on a calibration.

Patients are grouped by cut points of the predicted risk that were fixed beforehand (`cut_by_size`
in the development patients), each group from one cut point up to below the next, the last including
its end, as Hmisc's `cut2`. Observed is Kaplan-Meier's risk by the horizon with its interval on the
log scale of survival (R's default), or the share with the event and Wilson's interval; so is the
interval of a group without events by the horizon (of those followed so far), where Greenwood's
error is 0. Predicted is the mean. Grouping loses the order within a group and depends on the cut
points: it stands beside the smooth curve (`models.calibration_curves`), never in its place.

References
----------
Harrell FE. Regression Modeling Strategies, 2nd ed. Springer 2015, section 20.11 (groupkm).
doi:10.1007/978-3-319-19425-7
Wilson EB. Probable inference, the law of succession, and statistical inference. JASA
1927;22:209-212. doi:10.1080/01621459.1927.10502953
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from models.checks import (
    Flags,
    Floats,
    check_binary_risks,
    check_horizon,
    check_level,
    check_survival_risks,
)
from models.curve_limits import curve_limits
from models.survival_curves import survival_and_error_at

COLUMNS = ["lowest", "highest", "predicted", "observed", "lower", "upper", "n_patients", "n_events"]
FEWEST = 2  # patients of a group with a figure (rms)


@dataclass(frozen=True, eq=False, kw_only=True)
class CalibrationGroups:
    """Observed against predicted risk by group.

    Attributes
    ----------
    table : DataFrame, one row per group
        Columns `lowest` and `highest` (cut points around it), `predicted` (mean risk), `observed`,
        `lower`, `upper`, `n_patients` and `n_events` (by the horizon, if there is one). A group of
        fewer than 2 patients, or whose follow-up ends before the horizon, has NaN.
    cut_points : ndarray
    n_patients, n_events : int
    horizon : float or None
    level : float
    """

    table: pd.DataFrame
    cut_points: NDArray[np.float64]
    n_patients: int
    n_events: int
    horizon: float | None
    level: float

    def __repr__(self) -> str:
        by = "" if self.horizon is None else f" by {self.horizon:g}"
        return (
            f"CalibrationGroups({len(self.table)} groups, {self.n_patients} patients, "
            f"{self.n_events} events{by})"
        )


def cut_by_size(risk: ArrayLike, *, groups: int) -> Floats:
    """Cut risks into groups of as equal size as ties allow.

    Parameters
    ----------
    risk : array-like of shape (n_patients,)
        Predicted risks of the development patients; NaN is left out.
    groups : int
        At least 2.

    Returns
    -------
    ndarray of shape (n_groups + 1,)
        From 0 to 1, so that every patient has a group; fewer groups where ties are many. The inner
        cut points are those of rms's calibrate, quantiles of the risks with 0 and 1 added.

    Examples
    --------
    >>> cut_by_size([0.1, 0.2, 0.3, 0.4], groups=2).round(3).tolist()
    [0.0, 0.25, 1.0]
    """
    if groups < 2:
        raise ValueError(f"groups must be at least 2, but {groups} came. Ask for 5 to 10.")
    known = np.asarray(risk, dtype=np.float64)
    known = known[~np.isnan(known)]
    cuts: Floats = np.unique(
        np.quantile(np.append([0.0, 1.0], known), np.linspace(0, 1, groups + 1))
    )
    return cuts


def calibration_groups(
    event: ArrayLike, risk: ArrayLike, *, cut_points: ArrayLike, level: float = 0.95
) -> CalibrationGroups:
    """Compare the share of patients with the event to the mean risk, by group.

    Parameters
    ----------
    event, risk : array-like of shape (n_patients,)
        As for `models.accuracy.brier`; a patient whose risk is NaN is in no group.
    cut_points : array-like of shape (n_groups + 1,)
        Rising, from 0 to 1.
    level : float in (0, 1)

    Returns
    -------
    CalibrationGroups

    Raises
    ------
    ValueError
        If an argument has the wrong shape or range.

    Examples
    --------
    >>> found = calibration_groups([0, 1, 1, 1], [0.2, 0.4, 0.5, 0.7], cut_points=[0, 0.5, 1])
    >>> found.table[["predicted", "observed"]].round(2).values.tolist()
    [[0.3, 0.5], [0.6, 1.0]]
    """
    events, p = check_binary_risks(event, risk)
    cuts = _check_cuts(cut_points)
    z = float(stats.norm.ppf((1 + check_level(level)) / 2))
    rows = []
    for own in _members(p, cuts):
        n = int(own.sum())
        ends = _wilson(int(events[own].sum()), n, z) if n >= FEWEST else (np.nan,) * 3
        rows.append((_mean(p[own]), *ends, n, int(events[own].sum())))
    return _groups(rows, cuts, len(p), int(events.sum()), None, level)


def calibration_groups_at(
    time: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    *,
    horizon: float,
    cut_points: ArrayLike,
    level: float = 0.95,
) -> CalibrationGroups:
    """Compare Kaplan-Meier's risk by `horizon` to the mean predicted risk, by group.

    Parameters
    ----------
    time, event, risk : array-like of shape (n_patients,)
        As for `models.accuracy.brier_at`; a patient whose risk is NaN is in no group.
    horizon : float
    cut_points : array-like of shape (n_groups + 1,)
        Rising, from 0 to 1.
    level : float in (0, 1)

    Returns
    -------
    CalibrationGroups

    Raises
    ------
    ValueError
        If an argument has the wrong shape or range.

    Examples
    --------
    >>> found = calibration_groups_at([1, 2, 3, 4], [1, 0, 1, 0], [0.6, 0.7, 0.1, 0.3], horizon=3,
    ...                               cut_points=[0, 0.5, 1])
    >>> found.table[["predicted", "observed", "n_events"]].round(2).values.tolist()
    [[0.2, 0.5, 1.0], [0.65, nan, 1.0]]
    """
    times, events, p = check_survival_risks(time, event, risk)
    by, cuts = check_horizon(horizon), _check_cuts(cut_points)
    check_level(level)
    rows = []
    for own in _members(p, cuts):
        ends = _kaplan_meier_risk(times[own], events[own], by, level)
        rows.append(
            (_mean(p[own]), *ends, int(own.sum()), int((events[own] & (times[own] <= by)).sum()))
        )
    n_events = int((events & (times <= by)).sum())
    return _groups(rows, cuts, len(p), n_events, by, level)


def _kaplan_meier_risk(
    time: Floats, event: Flags, horizon: float, level: float
) -> tuple[float, float, float]:
    if len(time) < FEWEST:
        return (np.nan,) * 3
    survival, error = survival_and_error_at(time, event, [horizon])
    if survival[0] == 1:  # Greenwood's error is 0: none of those followed so far
        z = float(stats.norm.ppf((1 + level) / 2))
        return _wilson(0, int((time >= horizon).sum()), z)
    low, high = curve_limits(survival, error, level=level, interval="log")
    return 1 - float(survival[0]), 1 - float(high[0]), 1 - float(low[0])


def _wilson(events: int, n: int, z: float) -> tuple[float, float, float]:
    share = events / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return share, float(max(centre - half, 0)), float(min(centre + half, 1))


def _members(p: Floats, cuts: Floats) -> list[Flags]:
    """Tell who is in each group; those at the last cut point are in the last one."""
    group = np.minimum(np.searchsorted(cuts, p, side="right") - 1, len(cuts) - 2)
    return [(group == k) & ~np.isnan(p) for k in range(len(cuts) - 1)]


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _groups(
    rows: Sequence[tuple[float, ...]],
    cuts: Floats,
    n_patients: int,
    n_events: int,
    horizon: float | None,
    level: float,
) -> CalibrationGroups:
    table = pd.DataFrame(
        [(*ends, *row) for ends, row in zip(pairwise(cuts), rows, strict=True)], columns=COLUMNS
    )
    return CalibrationGroups(
        table=table,
        cut_points=cuts,
        n_patients=n_patients,
        n_events=n_events,
        horizon=horizon,
        level=level,
    )


def _check_cuts(cut_points: ArrayLike) -> Floats:
    """Return cut points that leave nobody out."""
    cuts = np.asarray(cut_points, dtype=np.float64)
    if cuts.ndim != 1 or len(cuts) < 2 or not (np.diff(cuts) > 0).all():
        raise ValueError(
            f"cut_points must be at least 2 rising values, but {cuts.tolist()} came. "
            "Make them with cut_by_size in the development patients."
        )
    if cuts[0] > 0 or cuts[-1] < 1:
        raise ValueError(
            f"cut_points must reach from 0 to 1, but they run from {cuts[0]:g} to {cuts[-1]:g}: a "
            "patient beyond would be in no group. Add 0 and 1."
        )
    return cuts
