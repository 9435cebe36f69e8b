r"""How much time free of the event patients have up to a horizon, and how much more in one group.

The restricted mean survival time is the area under the Kaplan-Meier curve, in the unit of time; it
needs no proportional hazards. With :math:`A(t) = \int_t^\tau \hat S(u)\,du`,

.. math::

    \hat\mu(\tau) = A(0), \qquad
    \widehat{\mathrm{var}}\,\hat\mu(\tau) = \sum_{t_k \le \tau} A(t_k)^2 \frac{d_k}{n_k (n_k - d_k)}

Differences have normal intervals, ratios normal intervals of their logarithm.

Conventions: a mean is NaN where follow-up ends before the horizon, unless the curve has reached 0,
and so is every contrast with it: the area beyond is not known. Considered and rejected: R's
`print(survfit, rmean=)`, which goes on with the last value of the curve.

References
----------
Royston P, Parmar MKB. Restricted mean survival time: an alternative to the hazard ratio for the
design and analysis of randomized trials with a time-to-event outcome. BMC Medical Research
Methodology 2013;13:152. doi:10.1186/1471-2288-13-152
Uno H, et al. Moving beyond the hazard ratio in quantifying the between-group difference in survival
analysis. Journal of Clinical Oncology 2014;32:2380-2385. doi:10.1200/JCO.2014.55.2208
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from models.checks import Flags, Floats, check_followup, check_horizon, check_level
from models.event_counts import Groups, count_events, group_codes

CONTRASTS = ["group", "reference", "measure", "estimate", "lower", "upper", "p_value"]


@dataclass(frozen=True, eq=False, kw_only=True)
class RestrictedMean:
    """Restricted mean survival time of one or several groups.

    Attributes
    ----------
    table : DataFrame, one row per group
        Columns `group`, `n_patients`, `n_events` (by the horizon), `estimate`, `std_error`,
        `lower`, `upper`, in the unit of time.
    contrasts : DataFrame, two rows per group but the first
        Columns `group`, `reference` (the first group), `measure` (`difference`: the group minus the
        reference; `ratio`: the group over the reference), `estimate`, `lower`, `upper`, `p_value`
        (of no difference, and of a ratio of 1).
    horizon : float
    level : float
    n_patients, n_events : int
        Events by the horizon.
    """

    table: pd.DataFrame
    contrasts: pd.DataFrame
    horizon: float
    level: float
    n_patients: int
    n_events: int

    def __repr__(self) -> str:
        means = ", ".join(f"{mean:.4g}" for mean in self.table["estimate"])
        return (
            f"RestrictedMean({len(self.table)} groups, {self.n_patients} patients, "
            f"{self.n_events} events, to {self.horizon:g}: {means})"
        )


def restricted_mean(
    time: ArrayLike,
    event: ArrayLike,
    *,
    horizon: float,
    group: Groups | None = None,
    level: float = 0.95,
) -> RestrictedMean:
    """Estimate the mean time free of the event up to a horizon, and compare groups by it.

    Parameters
    ----------
    time : array-like of shape (n_patients,)
        Follow-up, above zero, in one unit.
    event : array-like of shape (n_patients,)
        True where the event was observed.
    horizon : float
        Time up to which the mean is taken, in the same unit.
    group : array-like or Categorical of shape (n_patients,), optional
        The first group, in the order of a Categorical's categories or sorted, is the reference.
    level : float in (0, 1)

    Returns
    -------
    RestrictedMean
        NaN where a group's follow-up ends before the horizon and its curve has not reached 0.

    Raises
    ------
    ValueError
        If follow-up, horizon, level or group are wrong or missing.

    Examples
    --------
    Two of three are free of the event from 1 to 2, one from 2 to 3: 1 + 2/3 + 1/3.

    >>> found = restricted_mean([1, 2, 3], [True, True, True], horizon=3)
    >>> found
    RestrictedMean(1 groups, 3 patients, 3 events, to 3: 2)
    """
    times, events = check_followup(time, event)
    horizon, z = check_horizon(horizon), float(stats.norm.ppf((1 + check_level(level)) / 2))
    codes, labels = group_codes(group, len(times))
    early = events & (times <= horizon)
    rows = []
    for k, label in enumerate(labels):
        own = codes == k
        mean, error = _mean(times[own], events[own], horizon)
        size = (int(own.sum()), int(early[own].sum()))
        rows.append((label, *size, mean, error, mean - z * error, mean + z * error))
    names = ["group", "n_patients", "n_events", "estimate", "std_error", "lower", "upper"]
    table = pd.DataFrame(rows, columns=names)
    return RestrictedMean(
        table=table,
        contrasts=_contrasts(table, z),
        horizon=horizon,
        level=level,
        n_patients=len(times),
        n_events=int(early.sum()),
    )


def _mean(time: Floats, event: Flags, horizon: float) -> tuple[float, float]:
    """Give the area under one group's curve up to the horizon, and its standard error."""
    counts = count_events(time, event)
    n, died = counts.at_risk, counts.events
    survival = np.cumprod(1 - died / n)
    if horizon > counts.time[-1] and survival[-1] > 0:
        return float("nan"), float("nan")
    inside = counts.time <= horizon
    edges = np.concatenate([[0.0], counts.time[inside], [horizon]])
    areas = np.diff(edges) * np.append(1.0, survival[inside])
    beyond = np.cumsum(areas[:0:-1])[::-1]  # A(t) at each time
    n, died = n[inside], died[inside]
    # Where all who are left have the event the curve is 0, and so is A: nothing is added.
    step = np.where(n > died, died / (n * np.maximum(n - died, 1)), 0.0)
    return float(areas.sum()), float(np.sqrt((beyond**2 * step).sum()))


def _contrasts(table: pd.DataFrame, z: float) -> pd.DataFrame:
    """Compare every group with the first."""
    labels = table["group"].tolist()
    means: Floats = table["estimate"].to_numpy(np.float64)
    errors: Floats = table["std_error"].to_numpy(np.float64)
    logs, relative = np.log(means), errors / means
    rows: list[tuple[Any, ...]] = []
    for k in range(1, len(labels)):
        pair = (labels[k], labels[0])
        difference, error = means[k] - means[0], np.hypot(errors[k], errors[0])
        ends = difference + z * error * np.array([0, -1, 1])
        rows.append((*pair, "difference", *ends, _p_value(difference, error)))
        difference, error = logs[k] - logs[0], np.hypot(relative[k], relative[0])
        ends = np.exp(difference + z * error * np.array([0, -1, 1]))
        rows.append((*pair, "ratio", *ends, _p_value(difference, error)))
    return pd.DataFrame(rows, columns=CONTRASTS).astype(dict.fromkeys(CONTRASTS[3:], np.float64))


def _p_value(estimate: float, error: float) -> float:
    """Two-sided normal p value; NaN where nothing varies."""
    return float(2 * stats.norm.sf(abs(estimate) / error)) if error > 0 else float("nan")
