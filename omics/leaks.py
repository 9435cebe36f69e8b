"""Does a predictor already hold the answer? The outcome among the features flatters any model.

A feature is the outcome when it bears its name, or when it equals the time (in whatever unit), the
event or the class (in whatever coding) of every patient who has it.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.columns import numbers_and_codes
from omics.errors import StudyError
from omics.messages import also
from omics.outcome import is_survival

LEAST_PATIENTS = 10
# Five of ten patients agree by chance once in 252 two-valued features; fewer would accuse innocents
LEAST_PER_CLASS = 5
SAME_RATIO = 1e-9  # relative; days over 30.4375 keep more digits than this


def refuse_hidden_outcome(X: pd.DataFrame, y: NDArray[Any], *, columns: Sequence[str]) -> None:
    """Refuse features that are the outcome under another roof.

    Parameters
    ----------
    X : DataFrame of shape (n_patients, n_features)
        Columns `view:feature`.
    y : ndarray of shape (n_patients,)
        Structured (`time`, `event`), or bool.
    columns : sequence of str
        Names of the columns that the outcome was read from.

    Raises
    ------
    StudyError
        Naming the feature and the cure.
    """
    _refuse_names(X, columns)
    event = y["event"] if is_survival(y) else y
    timed: list[str] = []
    coded: list[str] = []
    views = [str(name).partition(":")[0] for name in X.columns]
    for _, members in groupby(range(len(views)), key=views.__getitem__):
        positions = list(members)  # view by view: copying one wide table whole is slow
        names = np.array(X.columns[positions], dtype=object)
        values = numbers_and_codes(X.iloc[:, positions[0] : positions[-1] + 1])
        if is_survival(y):
            timed += names[same_but_for_unit(values, y["time"])].tolist()
        coded += names[same_but_for_coding(values, event)].tolist()
    _refuse(timed, "the time")
    _refuse(coded, "the event" if is_survival(y) else "the class")


def _refuse_names(X: pd.DataFrame, columns: Sequence[str]) -> None:
    wanted = {column.strip().casefold() for column in columns}
    named = [
        str(name) for name in X.columns if str(name).partition(":")[2].strip().casefold() in wanted
    ]
    if named:
        raise StudyError(
            f"no feature may be the outcome, but {named[0]!r} bears the name of an outcome column."
            f"{also(named[1:])} {_cure(named[0])}"
        )


def _refuse(named: list[str], what: str) -> None:
    if named:
        raise StudyError(
            f"no feature may be the outcome, but {named[0]!r} equals {what} of every patient who "
            f"has it.{also(named[1:])} {_cure(named[0])}"
        )


def _cure(name: str) -> str:
    view, _, feature = name.partition(":")
    return f"Leave it out: drop = [{feature!r}] in table {view!r}."


def same_but_for_unit(values: NDArray[np.float64], time: NDArray[np.float64]) -> NDArray[np.intp]:
    """Find the columns that equal `time`, or a constant positive multiple of it.

    Parameters
    ----------
    values : ndarray of shape (n_patients, n_features)
        NaN where missing; a column with fewer than 10 values is passed over.
    time : ndarray of shape (n_patients,)
        Above zero.

    Returns
    -------
    ndarray of int

    Examples
    --------
    >>> time = np.arange(1.0, 13.0)
    >>> same_but_for_unit(np.column_stack([time / 12, np.sqrt(time)]), time).tolist()
    [0]
    """
    ratio = values / time[:, np.newaxis]
    known = np.isfinite(ratio)
    low = np.min(ratio, axis=0, where=known, initial=np.inf)
    high = np.max(ratio, axis=0, where=known, initial=-np.inf)
    spread = np.ptp(time) > 0
    same = spread & (known.sum(axis=0) >= LEAST_PATIENTS) & (low > 0)
    return np.flatnonzero(same & (high - low <= SAME_RATIO * np.abs(high)))


def same_but_for_coding(values: NDArray[np.float64], event: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Find the columns with one value where `event` is True and another where it is False.

    Parameters
    ----------
    values : ndarray of shape (n_patients, n_features)
        NaN where missing; a column is passed over unless it has 5 patients of each class.
    event : ndarray of bool, of shape (n_patients,)

    Returns
    -------
    ndarray of int

    Examples
    --------
    >>> event = np.repeat([True, False], 6)
    >>> same_but_for_coding(np.column_stack([event + 1.0, np.arange(12.0)]), event).tolist()
    [0]
    """
    constant = []
    level = []
    for part in (values[event], values[~event]):
        known = ~np.isnan(part)
        low = np.min(part, axis=0, where=known, initial=np.inf)
        high = np.max(part, axis=0, where=known, initial=-np.inf)
        constant.append((known.sum(axis=0) >= LEAST_PER_CLASS) & (low == high))
        level.append(low)
    return np.flatnonzero(constant[0] & constant[1] & (level[0] != level[1]))
