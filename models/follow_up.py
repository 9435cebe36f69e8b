"""How long patients have been followed: the reverse Kaplan-Meier median.

A patient with the event would have been followed for longer without it. So the event censors
follow-up, and the censoring ends it: Kaplan-Meier with the two exchanged. The plain median of all
times is too short where many have the event.

Conventions: as in R's `survfit` with the status reversed, a patient with the event at t is still
counted as followed at t when censorings at the same t are. Considered and rejected: prodlim's
`reverse = TRUE`, where these patients have left before; it is the weight that scores of predictions
need (`models.censoring`), and not what Schemper and Smith describe.

References
----------
Schemper M, Smith TL. A note on quantifying follow-up in studies of failure time. Controlled
Clinical Trials 1996;17:343-346. doi:10.1016/0197-2456(96)00075-X
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from models.checks import check_followup
from models.curve_limits import Interval
from models.event_counts import Groups, group_codes
from models.survival_curves import kaplan_meier


@dataclass(frozen=True, eq=False, kw_only=True)
class FollowUp:
    """How long one or several groups have been followed.

    Attributes
    ----------
    table : DataFrame, one row per group
        Columns `group`, `n_patients`, `n_events`, `person_time` (sum of all times), `median`,
        `lower`, `upper` (reverse Kaplan-Meier; NaN where not reached), `longest` (the last time at
        which anyone was under observation).
    level : float
    interval : {"log", "log-log", "plain"}
        Scale of the interval.
    n_patients, n_events : int
    """

    table: pd.DataFrame
    level: float
    interval: Interval
    n_patients: int
    n_events: int

    def __repr__(self) -> str:
        size = f"{self.n_patients} patients, {self.n_events} events"
        if len(self.table) > 1:
            return f"FollowUp({len(self.table)} groups, {size})"
        row = self.table.iloc[0]
        return (
            f"FollowUp({size}, median {row['median']:g}, "
            f"{self.level:.0%} interval {row['lower']:g}-{row['upper']:g})"
        )


def follow_up(
    time: ArrayLike,
    event: ArrayLike,
    *,
    group: Groups | None = None,
    level: float = 0.95,
    interval: Interval = "log",
) -> FollowUp:
    """Give the median follow-up with its interval, and the person-time.

    Parameters
    ----------
    time : array-like of shape (n_patients,)
        Follow-up, above zero, in one unit.
    event : array-like of shape (n_patients,)
        True where the event was observed, False where follow-up was censored.
    group : array-like or Categorical of shape (n_patients,), optional
    level : float in (0, 1)
    interval : {"log", "log-log", "plain"}

    Returns
    -------
    FollowUp

    Raises
    ------
    ValueError
        If follow-up, group, level or interval are wrong or missing.

    Examples
    --------
    The event at 1 says little of follow-up; of three censored patients the second left at 3.

    >>> follow_up([1, 2, 3, 4], [True, False, False, False]).table["median"].item()
    3.0
    """
    times, events = check_followup(time, event)
    reverse = kaplan_meier(times, ~events, group=group, level=level, interval=interval)
    codes, _ = group_codes(group, len(times))
    n_groups = len(reverse.medians)
    longest = np.zeros(n_groups)
    np.maximum.at(longest, codes, times)
    table = pd.DataFrame(
        {
            "group": reverse.medians["group"],
            "n_patients": reverse.medians["n_patients"],
            "n_events": np.bincount(codes[events], minlength=n_groups),
            "person_time": np.bincount(codes, weights=times, minlength=n_groups),
            "median": reverse.medians["median"],
            "lower": reverse.medians["lower"],
            "upper": reverse.medians["upper"],
            "longest": longest,
        }
    )
    return FollowUp(
        table=table,
        level=level,
        interval=interval,
        n_patients=len(times),
        n_events=int(events.sum()),
    )
