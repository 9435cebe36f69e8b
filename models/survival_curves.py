r"""How many patients are still free of the event, when, and who is still followed.

Kaplan-Meier curves with quantiles and numbers at risk:

.. math::

    \hat S(t) = \prod_{t_k \le t} \left(1 - \frac{d_k}{n_k}\right), \qquad
    \hat{\mathrm{se}}(\hat S(t))^2 = \hat S(t)^2 \sum_{t_k \le t} \frac{d_k}{n_k (n_k - d_k)}

Conventions: at tied times events leave before censorings. Intervals are on the log scale unless
asked otherwise, as R's `survfit` (lifelines uses log-log). Beyond the last follow-up a curve is
NaN, unless it has already reached 0.

References
----------
Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. Journal of the American
Statistical Association 1958;53:457-481. doi:10.1080/01621459.1958.10501452
Brookmeyer R, Crowley J. A confidence interval for the median survival time. Biometrics
1982;38:29-41. doi:10.2307/2530286
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from models.censoring import product_limit, read_curve
from models.checks import Floats, check_followup, check_level
from models.curve_limits import Interval, check_interval, curve_limits
from models.event_counts import (
    EventCounts,
    Groups,
    count_events,
    group_codes,
    read_steps,
    stacked,
)
from omics.checks import check_numbers, check_probability

TIED = np.sqrt(np.finfo(np.float64).eps)  # R's tolerance for a curve that lies flat on a quantile


@dataclass(frozen=True, eq=False, kw_only=True)
class KaplanMeier:
    """Survival curves of one or several groups.

    Attributes
    ----------
    table : DataFrame, one row per group and time
        Columns `group`, `time`, `n_at_risk` (just before `time`), `n_events`, `n_censored` (at
        `time`), `survival`, `lower`, `upper`. Each group starts with a row at time 0. The interval
        is NaN where the curve is 0 and, on the scale log-log, before the first event.
    medians : DataFrame, one row per group
        Columns `group`, `n_patients`, `n_events`, `median`, `lower`, `upper`; NaN where
        not reached.
    level : float
        Level of the intervals, pointwise.
    interval : {"log", "log-log", "plain"}
        Scale of the intervals.
    n_patients, n_events : int
    """

    table: pd.DataFrame
    medians: pd.DataFrame
    level: float
    interval: Interval
    n_patients: int
    n_events: int

    def __repr__(self) -> str:
        size = f"{self.n_patients} patients, {self.n_events} events"
        if len(self.medians) > 1:
            return f"KaplanMeier({len(self.medians)} groups, {size})"
        row = self.medians.iloc[0]
        return (
            f"KaplanMeier({size}, median {row['median']:g}, "
            f"{self.level:.0%} interval {row['lower']:g}-{row['upper']:g})"
        )


def kaplan_meier(
    time: ArrayLike,
    event: ArrayLike,
    *,
    group: Groups | None = None,
    level: float = 0.95,
    interval: Interval = "log",
) -> KaplanMeier:
    """Estimate survival curves with pointwise intervals and medians.

    Parameters
    ----------
    time : array-like of shape (n_patients,)
        Follow-up, above zero, in one unit.
    event : array-like of shape (n_patients,)
        True where the event was observed, False where follow-up was censored.
    group : array-like or Categorical of shape (n_patients,), optional
        Group of each patient. A Categorical keeps its order of categories; other labels are sorted.
    level : float in (0, 1)
    interval : {"log", "log-log", "plain"}
        Scale of the intervals, of the medians, too. In small groups log-log holds its level best.

    Returns
    -------
    KaplanMeier
        The median is the first time at which the curve is at or below one half; where it lies flat
        on one half, the middle of that stretch, as R prints it. Its interval comes from the curves
        `lower` and `upper` in the same way.

    Raises
    ------
    ValueError
        If a time is not above zero, an event is not True/False, a group is missing, or lengths
        differ.

    Examples
    --------
    >>> curve = kaplan_meier([1, 2, 2, 3], [True, True, False, False])
    >>> curve.table[["time", "n_at_risk", "n_events", "survival"]].values.tolist()
    [[0.0, 4.0, 0.0, 1.0], [1.0, 4.0, 1.0, 0.75], [2.0, 3.0, 1.0, 0.5], [3.0, 1.0, 0.0, 0.5]]
    >>> curve.medians["median"].tolist()
    [2.0]
    """
    times, events = check_followup(time, event)
    check_level(level)
    check_interval(interval)
    codes, labels = group_codes(group, len(times))
    curves = [
        _curve(count_events(times[codes == k], events[codes == k]), level, interval)
        for k in range(len(labels))
    ]
    medians = [
        {"group": label, **_median(curve)} for label, curve in zip(labels, curves, strict=True)
    ]
    return KaplanMeier(
        table=stacked(labels, curves),
        medians=pd.DataFrame(medians),
        level=level,
        interval=interval,
        n_patients=len(times),
        n_events=int(events.sum()),
    )


def _curve(counts: EventCounts, level: float, interval: Interval) -> dict[str, NDArray[Any]]:
    """One group's curve, from time 0."""
    at_risk, died = counts.at_risk, counts.events
    survival = np.cumprod(1 - died / at_risk, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):  # inf, then NaN, once survival is 0
        error: Floats = survival * np.sqrt(np.cumsum(died / (at_risk * (at_risk - died))))
    lower, upper = curve_limits(survival, error, level=level, interval=interval)
    return {
        "time": np.append(0.0, counts.time),
        "n_at_risk": np.append(at_risk[0], at_risk),
        "n_events": np.append(0, died),
        "n_censored": np.append(0, counts.left[0]),
        "survival": np.append(1.0, survival),
        "lower": np.append(1.0, lower),
        "upper": np.append(1.0, upper),
    }


def _median(curve: dict[str, NDArray[Any]]) -> dict[str, float]:
    """Size, median and interval of one group's curve."""
    columns = {"median": "survival", "lower": "lower", "upper": "upper"}
    return {
        "n_patients": int(curve["n_at_risk"][0]),
        "n_events": int(curve["n_events"].sum()),
        **{name: falls_to(0.5, curve["time"], curve[own]) for name, own in columns.items()},
    }


def falls_to(share: float, time: Floats, curve: Floats) -> float:
    """Time at which a falling curve reaches `share` (middle of a stretch that lies on it)."""
    below = curve < share + TIED  # False where the curve is NaN
    if not below.any():
        return float("nan")
    times, values = time[below], curve[below]
    lower = values < values[0]
    if abs(values[0] - share) < TIED and lower.any():
        return float(times[0] + times[lower.argmax()]) / 2
    return float(times[0])


def event_time_quantiles(curve: KaplanMeier, probabilities: ArrayLike) -> pd.DataFrame:
    """Read the times by which given shares of the patients have had the event.

    Parameters
    ----------
    curve : KaplanMeier
    probabilities : array-like of shape (n_probabilities,)
        Probability of the event, in (0, 1); 0.5 gives the median.

    Returns
    -------
    DataFrame, one row per group and probability
        Columns `group`, `probability`, `estimate`, `lower`, `upper`; NaN where not reached. The
        rule is that of the median, as R prints it. R's `quantile.survfit` differs in one case:
        where a curve ends flat on the quantile it gives the middle up to the last censoring, a time
        that later follow-up would move; here it is the time at which the share is reached.

    Examples
    --------
    >>> curve = kaplan_meier([1, 2, 3, 4], [True, True, True, False])
    >>> event_time_quantiles(curve, [0.25, 0.6])["estimate"].tolist()
    [1.5, 3.0]
    """
    asked = check_probability(probabilities, "probabilities")
    if ((asked == 0) | (asked == 1)).any():
        raise ValueError(
            "probabilities must lie between 0 and 1, but 0 or 1 came. Use 0.5 for the median."
        )
    rows = []
    for label, own in curve.table.groupby("group", sort=False, observed=True):
        time = own["time"].to_numpy()
        values = [own[name].to_numpy() for name in ("survival", "lower", "upper")]
        for p in asked:
            found = [falls_to(1 - p, time, column) for column in values]
            rows.append((label, p, *found))
    return pd.DataFrame(rows, columns=["group", "probability", "estimate", "lower", "upper"])


def survival_estimates(curve: KaplanMeier, at: ArrayLike) -> pd.DataFrame:
    """Read survival with its interval at given times.

    Parameters
    ----------
    curve : KaplanMeier
    at : array-like of shape (n_times,)
        Times, 0 or above.

    Returns
    -------
    DataFrame, one row per group and time
        Columns `group`, `time`, `n_at_risk` (followed to `time` or longer), `estimate`, `lower`,
        `upper`. NaN beyond the last follow-up, unless the curve has reached 0.

    Examples
    --------
    >>> curve = kaplan_meier([1, 2, 2, 3], [True, True, False, False])
    >>> survival_estimates(curve, [0.5, 2, 4])[["n_at_risk", "estimate"]].values.tolist()
    [[4.0, 1.0], [3.0, 0.5], [0.0, nan]]
    """
    asked = check_numbers(at, "at")
    groups, parts = [], []
    for label, own in curve.table.groupby("group", sort=False, observed=True):
        ended = bool(own["survival"].iloc[-1] == 0)
        groups.append(label)
        parts.append(read_steps(own, asked, value="survival", ended=ended))
    return stacked(groups, parts)


def survival_at(time: ArrayLike, event: ArrayLike, at: ArrayLike) -> Floats:
    """Probability of no event by the times `at`: the Kaplan-Meier curve there.

    Parameters
    ----------
    time, event : array-like of shape (n_patients,)
    at : array-like of any shape
        Times at which to read the curve.

    Returns
    -------
    ndarray of the shape of `at`
        NaN beyond the last follow-up, unless the curve has reached 0.

    Examples
    --------
    >>> survival_at([1, 2, 2, 3], [True, True, False, False], [0.5, 2, 4]).tolist()
    [1.0, 0.5, nan]
    """
    times, events = check_followup(time, event)
    ordered, curve = product_limit(times, events, leaving=events)
    return read_curve(ordered, curve, np.asarray(at, dtype=np.float64))


def survival_error_at(time: ArrayLike, event: ArrayLike, at: ArrayLike) -> Floats:
    r"""Greenwood's standard error of `survival_at`.

    Patients leave one by one, events first at ties: a tie of d events among n telescopes,
    :math:`\sum_{r=n-d+1}^{n} \frac{1}{r(r-1)} = \frac{d}{n(n-d)}`.

    Parameters
    ----------
    time, event : array-like of shape (n_patients,)
    at : array-like of any shape
        Times at which to read the curve.

    Returns
    -------
    ndarray of the shape of `at`
        NaN beyond the last follow-up, and where the curve has reached 0.

    Examples
    --------
    >>> survival_error_at([1, 2, 2, 3], [True, True, False, False], [0.5, 2]).round(4).tolist()
    [0.0, 0.25]
    """
    times, events = check_followup(time, event)
    ordered, curve = product_limit(times, events, leaving=events)
    r = np.arange(len(times), 0, -1.0)
    with np.errstate(divide="ignore"):  # the last patient's event takes the curve to 0
        steps = np.where(events[np.lexsort((~events, times))], 1 / (r * (r - 1)), 0.0)
    error = np.append(0.0, np.sqrt(np.cumsum(steps)))
    with np.errstate(invalid="ignore"):
        return read_curve(ordered, curve * error, np.asarray(at, dtype=np.float64))


def numbers_at_risk(
    time: ArrayLike, event: ArrayLike, *, at: ArrayLike, group: Groups | None = None
) -> pd.DataFrame:
    """Count who is still under observation just before each tick of a survival figure.

    Parameters
    ----------
    time, event : array-like of shape (n_patients,)
    at : array-like of shape (n_ticks,)
        Times, 0 or above.
    group : array-like or Categorical of shape (n_patients,), optional

    Returns
    -------
    DataFrame, one row per group and tick
        Columns `group`, `time`, `n_at_risk`, `n_events`, `n_censored`. A patient is at risk at t if
        followed to t or longer; the other two count who left before t, so that the three add up to
        the group.

    Examples
    --------
    >>> numbers_at_risk([1, 2, 2, 3], [1, 1, 0, 0], at=[0, 2, 3])[
    ...     ["n_at_risk", "n_events", "n_censored"]].values.tolist()
    [[4, 0, 0], [3, 1, 0], [1, 2, 1]]
    """
    times, events = check_followup(time, event)
    ticks = check_numbers(at, "at")
    codes, labels = group_codes(group, len(times))
    rows = []
    for k, label in enumerate(labels):
        own = codes == k
        staying = _at_risk(times[own], ticks)
        died = (own & events).sum() - _at_risk(times[own & events], ticks)
        rows.append(
            pd.DataFrame(
                {
                    "group": label,
                    "time": ticks,
                    "n_at_risk": staying,
                    "n_events": died,
                    "n_censored": own.sum() - staying - died,
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def _at_risk(time: Floats, at: Floats) -> NDArray[np.intp]:
    """Patients still under observation just before the times `at`."""
    return len(time) - np.searchsorted(np.sort(time), at, side="left")
