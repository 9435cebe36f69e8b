r"""How many patients are still free of the event, how groups differ, and who is still followed.

Kaplan-Meier curves with medians, the log-rank test and numbers at risk:

.. math::

    \hat S(t) = \prod_{t_k \le t} \left(1 - \frac{d_k}{n_k}\right), \qquad
    \hat{\mathrm{se}}(\log \hat S(t))^2 = \sum_{t_k \le t} \frac{d_k}{n_k (n_k - d_k)}

Conventions: at tied times events leave before censorings. Intervals are on the log scale, R's
`survfit` default (lifelines uses log-log). Beyond the last follow-up a curve is NaN, unless it has
already reached 0.

References
----------
Kaplan EL, Meier P. Nonparametric estimation from incomplete observations. Journal of the American
Statistical Association 1958;53:457-481. doi:10.1080/01621459.1958.10501452
Mantel N. Evaluation of survival data and two new rank order statistics arising in its
consideration. Cancer Chemotherapy Reports 1966;50:163-170.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from models.censoring import product_limit, read_curve
from models.checks import Flags, Floats, check_followup, check_level
from omics.checks import check_numbers, check_same_length

Groups = ArrayLike | pd.Categorical | pd.Series
TIED = np.sqrt(np.finfo(np.float64).eps)  # R's tolerance for a curve that lies flat on one half


@dataclass(frozen=True, eq=False, kw_only=True)
class KaplanMeier:
    """Survival curves of one or several groups.

    Attributes
    ----------
    table : DataFrame, one row per group and time
        Columns `group`, `time`, `n_at_risk` (just before `time`), `n_events`, `n_censored` (at
        `time`), `survival`, `lower`, `upper`. Each group starts with a row at time 0. The interval
        is NaN where the curve is 0.
    medians : DataFrame, one row per group
        Columns `group`, `n_patients`, `n_events`, `median`, `lower`, `upper`; NaN where
        not reached.
    level : float
        Level of the intervals, pointwise and on the log scale.
    n_patients, n_events : int
    """

    table: pd.DataFrame
    medians: pd.DataFrame
    level: float
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


@dataclass(frozen=True, eq=False, kw_only=True)
class LogRank:
    """Log-rank test of equal survival.

    Attributes
    ----------
    table : DataFrame, one row per group
        Columns `group`, `n_patients`, `observed` and `expected` events.
    chi2 : float
    df : int
    p_value : float
        NaN, like `chi2`, where fewer than two groups are ever at risk at an event.
    """

    table: pd.DataFrame
    chi2: float
    df: int
    p_value: float

    def __repr__(self) -> str:
        return f"LogRank(chi2 {self.chi2:.2f}, df {self.df}, p {self.p_value:.2g})"


def kaplan_meier(
    time: ArrayLike, event: ArrayLike, *, group: Groups | None = None, level: float = 0.95
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
    codes, labels = _group_codes(group, len(times))
    z = float(stats.norm.ppf((1 + level) / 2))
    curves = [_curve(times[codes == k], events[codes == k], z) for k in range(len(labels))]
    medians = pd.DataFrame([_median(curve) for curve in curves])
    medians.insert(0, "group", labels)
    for label, curve in zip(labels, curves, strict=True):
        curve.insert(0, "group", label)
    return KaplanMeier(
        table=pd.concat(curves, ignore_index=True),
        medians=medians,
        level=level,
        n_patients=len(times),
        n_events=int(events.sum()),
    )


def _curve(time: Floats, event: Flags, z: float) -> pd.DataFrame:
    """One group's curve, from time 0."""
    ticks, place = np.unique(time, return_inverse=True)
    died = np.bincount(place, weights=event, minlength=len(ticks)).astype(np.int64)
    left = np.bincount(place, minlength=len(ticks))
    at_risk = len(time) - np.cumsum(left) + left
    survival = np.cumprod(1 - died / at_risk)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        spread = z * np.sqrt(np.cumsum(died / (at_risk * (at_risk - died))))  # inf once survival 0
        lower = survival * np.exp(-spread)
        upper = np.minimum(survival * np.exp(spread), 1)
    gone = survival == 0
    return pd.DataFrame(
        {
            "time": np.append(0.0, ticks),
            "n_at_risk": np.append(len(time), at_risk),
            "n_events": np.append(0, died),
            "n_censored": np.append(0, left - died),
            "survival": np.append(1.0, survival),
            "lower": np.append(1.0, np.where(gone, np.nan, lower)),
            "upper": np.append(1.0, np.where(gone, np.nan, upper)),
        }
    )


def _median(curve: pd.DataFrame) -> dict[str, float]:
    """Size, median and interval of one group's curve."""
    return {
        "n_patients": curve["n_at_risk"].iloc[0],
        "n_events": curve["n_events"].sum(),
        "median": _half_time(curve["time"], curve["survival"]),
        "lower": _half_time(curve["time"], curve["lower"]),
        "upper": _half_time(curve["time"], curve["upper"]),
    }


def _half_time(time: "pd.Series[float]", curve: "pd.Series[float]") -> float:
    """Time at which a falling curve reaches one half (middle of a stretch that lies on it)."""
    below = curve.notna() & (curve < 0.5 + TIED)
    if not below.any():
        return float("nan")
    times, values = time[below].to_numpy(), curve[below].to_numpy()
    lower = values < values[0]
    if abs(values[0] - 0.5) < TIED and lower.any():
        return float(times[0] + times[lower.argmax()]) / 2
    return float(times[0])


def _group_codes(group: Groups | None, n_patients: int) -> tuple[NDArray[np.intp], list[Any]]:
    """Position of each patient's group, and the labels of the groups that hold a patient."""
    if group is None:
        return np.zeros(n_patients, dtype=np.intp), ["all"]
    named = pd.Categorical(group).remove_unused_categories()  # type: ignore[arg-type]
    codes = np.asarray(named.codes, dtype=np.intp)
    check_same_length(time=np.empty(n_patients), group=codes)
    missing = codes < 0
    if missing.any():
        raise ValueError(
            f"group must be known for every patient, but {missing.sum()} of {n_patients} are "
            f"missing (first at position {missing.argmax()}). Leave these patients out."
        )
    return codes, list(named.categories)


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


def log_rank(time: ArrayLike, event: ArrayLike, group: Groups) -> LogRank:
    """Test whether the groups share one survival curve.

    Parameters
    ----------
    time, event : array-like of shape (n_patients,)
    group : array-like or Categorical of shape (n_patients,)

    Returns
    -------
    LogRank
        The unweighted (Mantel) test of R's `survdiff`. Groups never at risk at an event do not
        count in `df`; with fewer than two that do, `chi2` and `p_value` are NaN.

    Examples
    --------
    >>> log_rank([1, 2, 3, 4], [True, True, True, True], ["a", "a", "b", "b"])
    LogRank(chi2 2.88, df 1, p 0.09)
    """
    times, events = check_followup(time, event)
    codes, labels = _group_codes(group, len(times))
    ticks = np.unique(times[events])
    members = [times[codes == k] for k in range(len(labels))]
    at_risk = np.array([_at_risk(own, ticks) for own in members], dtype=np.float64)
    died = np.array([_events_at(times, events & (codes == k), ticks) for k in range(len(labels))])
    total, deaths = at_risk.sum(axis=0), died.sum(axis=0)
    share = at_risk / total  # (n_groups, n_times)
    expected = (share * deaths).sum(axis=1)
    spread = deaths * (total - deaths) / np.maximum(total - 1, 1)
    covariance = np.diag((share * spread).sum(axis=1)) - (share * spread) @ share.T
    counts = np.flatnonzero(expected > 0)
    table = pd.DataFrame(
        {
            "group": labels,
            "n_patients": [len(own) for own in members],
            "observed": died.sum(axis=1),
            "expected": expected,
        }
    )
    df = max(len(counts) - 1, 0)
    chi2 = _quadratic_form((died.sum(axis=1) - expected)[counts[:-1]], covariance, counts[:-1])
    return LogRank(table=table, chi2=chi2, df=df, p_value=float(stats.chi2.sf(chi2, max(df, 1))))


def _quadratic_form(excess: Floats, covariance: Floats, rows: NDArray[np.intp]) -> float:
    block = covariance[np.ix_(rows, rows)]
    if len(rows) == 0 or np.linalg.matrix_rank(block) < len(rows):
        return float("nan")
    return float(excess @ np.linalg.solve(block, excess))


def _at_risk(time: Floats, at: Floats) -> NDArray[np.intp]:
    """Patients still under observation just before the times `at`."""
    return len(time) - np.searchsorted(np.sort(time), at, side="left")


def _events_at(time: Floats, event: Flags, ticks: Floats) -> NDArray[np.intp]:
    return np.bincount(np.searchsorted(ticks, time[event]), minlength=len(ticks))


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
    codes, labels = _group_codes(group, len(times))
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
