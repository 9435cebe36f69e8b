"""Who is at risk, and who leaves and why, at each time: the counts behind every survival curve.

A patient is at risk at t if followed to t or longer, so that at tied times events are counted
before censorings leave.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from models.checks import Floats
from omics.checks import check_same_length

Groups = ArrayLike | pd.Categorical | pd.Series


@dataclass(frozen=True, eq=False, kw_only=True)
class EventCounts:
    """Counts at the distinct times of follow-up.

    Attributes
    ----------
    time : ndarray of shape (n_times,)
        Distinct times, rising.
    at_risk : ndarray of shape (n_times,)
        Patients followed to this time or longer.
    left : ndarray of shape (n_causes + 1, n_times)
        Patients who leave at this time: row 0 censored, row k from cause k.
    """

    time: Floats
    at_risk: NDArray[np.int64]
    left: NDArray[np.int64]

    def __repr__(self) -> str:
        return f"EventCounts({self.left.sum()} patients, {len(self.time)} times)"

    @property
    def events(self) -> NDArray[np.int64]:
        """Events of any cause at each time, shape (n_times,)."""
        return np.asarray(self.left[1:].sum(axis=0))


def count_events(time: Floats, cause: NDArray[Any], *, n_causes: int = 1) -> EventCounts:
    """Count patients at their distinct times.

    Parameters
    ----------
    time : ndarray of shape (n_patients,)
    cause : ndarray of shape (n_patients,)
        0 (or False) censored, else 1 (or True) to `n_causes`.
    n_causes : int

    Returns
    -------
    EventCounts

    Examples
    --------
    >>> counts = count_events(np.array([1.0, 2, 2, 3]), np.array([1, 1, 0, 0]))
    >>> counts.at_risk.tolist(), counts.events.tolist()
    ([4, 3, 1], [1, 1, 0])
    """
    ticks, place = np.unique(time, return_inverse=True)
    n_ways = n_causes + 1
    left = np.bincount(place * n_ways + cause, minlength=len(ticks) * n_ways)
    left = left.reshape(len(ticks), n_ways).T
    leaving = left.sum(axis=0)
    return EventCounts(time=ticks, at_risk=len(time) - np.cumsum(leaving) + leaving, left=left)


def group_codes(
    group: Groups | None, n_patients: int, *, name: str = "group"
) -> tuple[NDArray[np.intp], list[Any]]:
    """Give the position of each patient's group, and the labels of the groups that hold a patient.

    A Categorical keeps its order of categories; other labels are sorted. Without groups all
    patients are in one, "all".

    Raises
    ------
    ValueError
        If a group is missing, or there is not one for each patient.

    Examples
    --------
    >>> codes, labels = group_codes(["b", "a", "b"], 3)
    >>> codes.tolist(), labels
    ([1, 0, 1], ['a', 'b'])
    """
    if group is None:
        return np.zeros(n_patients, dtype=np.intp), ["all"]
    named = pd.Categorical(group).remove_unused_categories()  # type: ignore[arg-type]
    codes = np.asarray(named.codes, dtype=np.intp)
    check_same_length(**{"time": np.empty(n_patients), name: codes})
    missing = codes < 0
    if missing.any():
        raise ValueError(
            f"{name} must be known for every patient, but {missing.sum()} of {n_patients} are "
            f"missing (first at position {missing.argmax()}). Leave these patients out."
        )
    return codes, list(named.categories)


def stratum_rows(strata: Groups | None, n_patients: int) -> Iterator[NDArray[np.intp] | slice]:
    """Give the rows of each stratum; all of them where there are no strata.

    Raises
    ------
    ValueError
        If a stratum is missing, or there is not one for each patient.
    """
    if strata is None:
        yield slice(None)
        return
    codes, labels = group_codes(strata, n_patients, name="strata")
    order = np.argsort(codes, kind="stable")
    yield from np.split(order, np.searchsorted(codes[order], np.arange(1, len(labels))))


def read_steps(
    own: pd.DataFrame, at: Floats, *, value: str, ended: bool
) -> dict[str, NDArray[np.float64]]:
    """Read one curve, its interval and the patients at risk at given times.

    Parameters
    ----------
    own : DataFrame, one row per time
        Columns `time` (rising), `n_at_risk`, the curve's `value`, `lower`, `upper`.
    at : ndarray of shape (n_times,)
    value : str
    ended : bool
        True where nobody was left without an event: the curve goes on for ever.

    Returns
    -------
    dict
        `time`, `n_at_risk` (followed to `time` or longer), `estimate`, `lower`, `upper`; NaN beyond
        the last follow-up, unless it has ended.
    """
    time = own["time"].to_numpy()
    place = np.maximum(np.searchsorted(time, at, side="right") - 1, 0)
    values = own[[value, "lower", "upper"]].to_numpy()[place]
    known = (at <= time[-1]) | ended
    estimate, lower, upper = np.where(known[:, np.newaxis], values, np.nan).T
    staying = np.append(own["n_at_risk"].to_numpy(), 0)
    return {
        "time": at,
        "n_at_risk": staying[np.searchsorted(time, at, side="left")],
        "estimate": estimate,
        "lower": lower,
        "upper": upper,
    }


def stacked(labels: Sequence[Any], parts: Sequence[Mapping[str, NDArray[Any]]]) -> pd.DataFrame:
    """Set the columns of all groups under one another, with the column `group` before them.

    Considered and rejected: a DataFrame per group, concatenated; it takes longer than the curves.
    """
    names = list(parts[0])
    sizes = [len(part[names[0]]) for part in parts]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in names}
    return pd.DataFrame({"group": pd.Index(labels).repeat(sizes), **columns})
