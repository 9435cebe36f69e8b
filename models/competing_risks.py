r"""How many patients have had the event by then, where another event can come first.

The Aalen-Johansen estimate. One minus Kaplan-Meier with the other causes censored asks how many
would have it if nobody could die of anything else, and is too high:

.. math::

    \hat F_1(t) = \sum_{t_k \le t} \hat S(t_k-) \frac{d_{1k}}{n_k}, \qquad
    \hat S(t) = \prod_{t_k \le t} \Big(1 - \frac{d_k}{n_k}\Big)

with :math:`n_k` at risk, :math:`d_{1k}` events of the cause and :math:`d_k` of any cause at
:math:`t_k`. The causes' incidences and S add up to 1. By the delta method, which is also the
infinitesimal jackknife of R's `survfit` and equals Greenwood's formula where there is one cause,

.. math::

    \widehat{\mathrm{var}}\, \hat F_1(t) = \sum_{t_k \le t}
      \hat S(t_k-)^2 \frac{d_{1k} (n_k - d_{1k})}{n_k^3}
      - 2\, g_k\, \hat S(t_k-) \frac{d_{1k}}{n_k^2}
      + g_k^2\, \frac{d_k}{n_k (n_k - d_k)}, \qquad g_k = \hat F_1(t) - \hat F_1(t_k)

Conventions: at tied times all events leave before censorings, whatever their cause. Beyond the last
follow-up an incidence is NaN, unless everybody has had an event. Considered and rejected: the
variance of `cmprsk::cuminc`, whose estimates are the same, because it is larger where times are
tied or groups are small and does not become Greenwood's.

References
----------
Aalen OO, Johansen S. An empirical transition matrix for non-homogeneous Markov chains based on
censored observations. Scandinavian Journal of Statistics 1978;5:141-150.
Marubini E, Valsecchi MG. Analysing survival data from clinical trials and observational studies.
Wiley 1995, chapter 10.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from models.checks import Floats, check_causes, check_level
from models.curve_limits import Interval, check_interval, curve_limits
from models.event_counts import (
    EventCounts,
    Groups,
    count_events,
    group_codes,
    read_steps,
    stacked,
)
from omics.checks import check_numbers


@dataclass(frozen=True, eq=False, kw_only=True)
class CumulativeIncidence:
    """Cumulative incidence of each cause in one or several groups.

    Attributes
    ----------
    table : DataFrame, one row per cause, group and time
        Columns `cause`, `group`, `time`, `n_at_risk` (just before `time`), `n_events` (of the
        cause, at `time`), `incidence`, `std_error`, `lower`, `upper`. Each curve starts with a row
        at time 0. On the scale log the interval is NaN where the incidence is 0.
    level : float
        Level of the intervals, pointwise.
    interval : {"log", "log-log", "plain"}
        Scale of the intervals.
    n_patients : int
    n_events : dict of int to int
        Events of each cause.
    """

    table: pd.DataFrame
    level: float
    interval: Interval
    n_patients: int
    n_events: dict[int, int]

    def __repr__(self) -> str:
        events = ", ".join(f"{count} of cause {cause}" for cause, count in self.n_events.items())
        n_groups = self.table["group"].nunique()
        groups = f"{n_groups} groups, " if n_groups > 1 else ""
        return f"CumulativeIncidence({groups}{self.n_patients} patients, events: {events})"


def cumulative_incidence(
    time: ArrayLike,
    cause: ArrayLike,
    *,
    group: Groups | None = None,
    level: float = 0.95,
    interval: Interval = "log",
) -> CumulativeIncidence:
    """Estimate the cumulative incidence of every cause, with pointwise intervals.

    Parameters
    ----------
    time : array-like of shape (n_patients,)
        Follow-up, above zero, in one unit.
    cause : array-like of int, shape (n_patients,)
        0 where follow-up was censored, else the cause of the event: 1, 2, ...
    group : array-like or Categorical of shape (n_patients,), optional
        Group of each patient. A Categorical keeps its order of categories; other labels are sorted.
    level : float in (0, 1)
    interval : {"log", "log-log", "plain"}
        Scale of the intervals; "log" is R's `survfit`.

    Returns
    -------
    CumulativeIncidence
        Of cause 1, and of every other that came in any group.

    Raises
    ------
    ValueError
        If a time is not above zero, a cause is no whole number, 0 or above, a group is missing, or
        lengths differ.

    Examples
    --------
    >>> found = cumulative_incidence([1, 2, 3, 4], [1, 2, 1, 0])
    >>> found
    CumulativeIncidence(4 patients, events: 2 of cause 1, 1 of cause 2)
    >>> found.table.query("cause == 1")["incidence"].tolist()
    [0.0, 0.25, 0.25, 0.5, 0.5]
    """
    times, causes = check_causes(time, cause)
    check_level(level)
    check_interval(interval)
    codes, labels = group_codes(group, len(times))
    kinds = sorted({1, *np.unique(causes[causes > 0]).tolist()})
    code = np.searchsorted([0, *kinds], causes)
    counts = [
        count_events(times[codes == k], code[codes == k], n_causes=len(kinds))
        for k in range(len(labels))
    ]
    tables = [
        stacked(labels, [_curve(own, position, level, interval) for own in counts])
        for position in range(1, len(kinds) + 1)
    ]
    for kind, table in zip(kinds, tables, strict=True):
        table.insert(0, "cause", kind)
    return CumulativeIncidence(
        table=pd.concat(tables, ignore_index=True),
        level=level,
        interval=interval,
        n_patients=len(times),
        n_events={kind: int((causes == kind).sum()) for kind in kinds},
    )


def _curve(
    counts: EventCounts, position: int, level: float, interval: Interval
) -> dict[str, NDArray[Any]]:
    """Give the curve of one cause in one group, from time 0."""
    died = counts.left[position]
    incidence, error = _incidence(counts, died)
    lower, upper = curve_limits(incidence, error, level=level, interval=interval)
    return {
        "time": np.append(0.0, counts.time),
        "n_at_risk": np.append(counts.at_risk[0], counts.at_risk),
        "n_events": np.append(0, died),
        "incidence": np.append(0.0, incidence),
        "std_error": np.append(0.0, error),
        "lower": np.append(0.0, lower),
        "upper": np.append(0.0, upper),
    }


def _incidence(counts: EventCounts, died: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Give the incidence of a cause and its standard error at every time.

    The sum over past times of a square in F(t) - F(t_k) is opened, so that three cumulative sums
    serve every t.
    """
    n, events = counts.at_risk, counts.events
    before = np.append(1.0, np.cumprod(1 - events / n)[:-1])
    incidence = np.cumsum(before * died / n)
    staying = np.maximum(n - events, 1)  # where nobody stays nothing is added to F, and g is 0
    own = before**2 * died * (n - died) / n**3.0
    shared = before * died / n**2.0
    any_cause = np.where(n > events, events / (n * staying), 0.0)
    constant = np.cumsum(own + 2 * shared * incidence + any_cause * incidence**2)
    linear = np.cumsum(shared + any_cause * incidence)
    variance = constant - 2 * incidence * linear + incidence**2 * np.cumsum(any_cause)
    return incidence, np.sqrt(np.maximum(variance, 0))


def incidence_estimates(found: CumulativeIncidence, at: ArrayLike) -> pd.DataFrame:
    """Read every incidence with its interval at given times.

    Parameters
    ----------
    found : CumulativeIncidence
    at : array-like of shape (n_times,)
        Times, 0 or above.

    Returns
    -------
    DataFrame, one row per cause, group and time
        Columns `cause`, `group`, `time`, `n_at_risk` (followed to `time` or longer, free of any
        event), `estimate`, `lower`, `upper`. NaN beyond the last follow-up, unless everybody has
        had an event.

    Examples
    --------
    >>> found = cumulative_incidence([1, 2, 3, 4], [1, 2, 1, 0])
    >>> incidence_estimates(found, [3, 5])[["cause", "n_at_risk", "estimate"]].values.tolist()
    [[1.0, 2.0, 0.5], [1.0, 0.0, nan], [2.0, 2.0, 0.25], [2.0, 0.0, nan]]
    """
    asked = check_numbers(at, "at")
    last = found.table.groupby(["cause", "group"], sort=False, observed=True).tail(1)
    events = last.groupby("group", observed=True)["n_events"].sum()
    ended = events == last.groupby("group", observed=True)["n_at_risk"].first()
    tables = []
    for cause, rows in found.table.groupby("cause", sort=False):
        groups = dict(iter(rows.groupby("group", sort=False, observed=True)))
        parts = [
            read_steps(own, asked, value="incidence", ended=bool(ended[label]))
            for label, own in groups.items()
        ]
        table = stacked(list(groups), parts)
        table.insert(0, "cause", cause)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def read_at_risk(curves: pd.DataFrame, at: ArrayLike) -> pd.DataFrame:
    """Read who is still at risk from curves of one cause, at ticks up to each group's last time.

    Parameters
    ----------
    curves : DataFrame
        As `CumulativeIncidence.table`, of one cause.
    at : array-like of shape (n_ticks,)

    Returns
    -------
    DataFrame, one row per group and tick
        Columns `group`, `time`, `n_at_risk` (followed to `time` or longer, free of any event).

    Examples
    --------
    >>> found = cumulative_incidence([1, 2, 3, 4], [1, 2, 1, 0]).table
    >>> read_at_risk(found[found["cause"] == 1], [0, 2, 5])["n_at_risk"].tolist()
    [4, 3]
    """
    ticks = check_numbers(at, "at")
    groups = dict(iter(curves.groupby("group", sort=False, observed=True)))
    parts = []
    for own in groups.values():
        time = own["time"].to_numpy()
        asked = ticks[ticks <= time[-1]]
        staying = own["n_at_risk"].to_numpy()[np.searchsorted(time, asked, side="left")]
        parts.append({"time": asked, "n_at_risk": staying})
    return stacked(list(groups), parts)


def incidence_at(time: ArrayLike, cause: ArrayLike, at: ArrayLike, *, of: int = 1) -> Floats:
    """Probability of an event of one cause by the times `at`: the Aalen-Johansen curve there.

    Parameters
    ----------
    time : array-like of shape (n_patients,)
    cause : array-like of int, shape (n_patients,)
        0 where follow-up was censored, else the cause of the event.
    at : array-like of any shape
        Times at which to read the curve.
    of : int
        The cause asked for. The incidence of one that never came is 0.

    Returns
    -------
    ndarray of the shape of `at`
        NaN beyond the last follow-up, unless everybody followed so far has had an event.

    Examples
    --------
    >>> incidence_at([1, 2, 3, 4], [1, 2, 1, 0], [0.5, 1, 3, 5]).tolist()
    [0.0, 0.25, 0.5, nan]
    >>> incidence_at([1, 2, 3, 4], [1, 2, 1, 0], 2, of=2).item()
    0.25
    """
    times, causes = check_causes(time, cause)
    events = causes > 0
    # Patients leave one by one, events first at ties: survival before over number at risk is the
    # same for all events of a tie, so that no grouping is needed (see models.censoring).
    order = np.lexsort((~events, times))
    at_risk = np.arange(len(times), 0, -1)
    survival = np.append(1.0, np.cumprod(1 - events[order] / at_risk))
    steps = np.where(causes[order] == check_of(of), survival[:-1] / at_risk, 0.0)
    asked = np.asarray(at, dtype=np.float64)
    curve = np.append(0.0, np.cumsum(steps))
    ordered = times[order]
    unknown = np.isnan(asked) | ((asked > ordered[-1]) & (survival[-1] > 0))
    return np.where(unknown, np.nan, curve[np.searchsorted(ordered, asked, side="right")])


def check_of(value: int) -> int:
    """Return the cause asked for, a whole number above zero."""
    if isinstance(value, bool) or value != int(value) or value < 1:
        raise ValueError(
            f"of must be a cause, 1 or above, but {value!r} came. 0 stands for censored patients."
        )
    return int(value)
