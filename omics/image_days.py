"""How many days lie between two images of a patient: read from dates or numbers, row by row.

The index of what is read says where each row stands (`row 7`), and messages name rows, no patients.
"""

import re
from datetime import date

import numpy as np
import pandas as pd

from omics.errors import StudyError
from omics.messages import number_of

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def day_numbers(texts: "pd.Series[str]", *, column: str, title: str) -> "pd.Series[float] | None":
    """Count the days of dates.

    Parameters
    ----------
    texts : Series of str
        None where missing.
    column, title : str
        How messages name the column and the table.

    Returns
    -------
    Series of float, or None
        Days from one day, NaN where missing; None where nothing has the form YYYY-MM-DD.

    Raises
    ------
    StudyError
        If some are dates and others are none, or a day does not exist.

    Examples
    --------
    >>> dates = pd.Series(["2024-02-28", None, "2024-03-01"])
    >>> day_numbers(dates, column="day", title="table").diff(2).tolist()
    [nan, nan, 2.0]
    >>> day_numbers(pd.Series(["28.2.2024"]), column="day", title="table") is None
    True
    """
    known = texts.dropna()
    if not any(_DATE.fullmatch(text) for text in known):
        return None
    numbers = known.map(_day).astype(np.float64)
    wrong = numbers.isna()
    if wrong.any():
        first = int(wrong.argmax())
        raise StudyError(
            f"{title}: column {column!r} must hold dates YYYY-MM-DD in every row, as it does "
            f"in others, but {int(wrong.sum())} of {len(texts)} are none (first: "
            f"{known.iloc[first]!r} in {known.index[first]}). Correct them, or leave them empty."
        )
    return numbers.reindex(texts.index)


def _day(text: str) -> float:
    try:
        return float(date.fromisoformat(text).toordinal()) if _DATE.fullmatch(text) else np.nan
    except ValueError:  # such as 30 February
        return np.nan


def days_between(
    days: "pd.Series[float]",
    rows: pd.DataFrame,
    *,
    ends: tuple[str, str],
    column: str,
    title: str,
) -> "pd.Series[float]":
    """Count the days from one timepoint to the other.

    Parameters
    ----------
    days : Series of float, of shape (n_rows,)
        Of each image, counted from any day that is the same for all images of a patient; NaN where
        unknown.
    rows : DataFrame, one row per image
        Columns `patient` and `when`, one of `ends`.
    ends : tuple of str
        The first and the second timepoint.
    column, title : str
        How messages name the days and the table.

    Returns
    -------
    Series of float, by patient
        NaN where a day is unknown.

    Raises
    ------
    StudyError
        If days differ within a patient and timepoint, are infinite, or do not rise from the first
        to the second.

    Examples
    --------
    >>> rows = pd.DataFrame({"patient": ["P1", "P1"], "when": ["post", "pre"]})
    >>> days = pd.Series([90.0, 0.0])
    >>> days_between(days, rows, ends=("pre", "post"), column="day", title="table").tolist()
    [90.0]
    """
    endless = np.isinf(days)
    if endless.any():
        raise StudyError(
            f"{title}: column {column!r} must hold finite days, but {int(endless.sum())} of "
            f"{len(days)} are infinite (first: {days.index[int(endless.argmax())]}). Correct them."
        )
    keys = [rows["patient"].to_numpy(), rows["when"].to_numpy()]
    grouped = days.groupby(keys)
    differ = grouped.nunique() > 1
    if differ.any():
        known = _known(days, rows, *differ.index[differ][0])
        other = known.index[int((known != known.iloc[0]).to_numpy().argmax())]
        patients = differ.index[differ].get_level_values(0).nunique()
        raise StudyError(
            f"{title}: rows of one patient and timepoint must agree on {column!r}, but those of "
            f"{number_of(patients, 'patient')} do not (first: {known.index[0]} and {other}). "
            "Correct them."
        )
    wide = grouped.first().unstack().reindex(columns=list(ends))
    between: pd.Series[float] = wide[ends[1]] - wide[ends[0]]
    wrong = between <= 0
    if wrong.any():
        patient = between.index[wrong.to_numpy()][0]
        places = [_known(days, rows, patient, end).index[0] for end in ends]
        raise StudyError(
            f"{title}: days must be above 0, from {ends[0]!r} to {ends[1]!r} by {column!r}, but "
            f"those of {int(wrong.sum())} of {number_of(len(between), 'patient')} are not (first: "
            f"{between[patient]:g}, from {places[0]} to {places[1]}). Exchange the timepoints, or "
            "correct the days."
        )
    return between


def _known(
    days: "pd.Series[float]", rows: pd.DataFrame, patient: object, when: object
) -> "pd.Series[float]":
    """Return the known days of one patient's images at one timepoint."""
    same = (rows["patient"] == patient) & (rows["when"] == when)
    return days[same.to_numpy()].dropna()
