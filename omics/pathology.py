"""Ki-67 and other markers as people write them: as one number, or as the range that is meant.

Conventions of `read_percentages`: a range `5-10%` is its midpoint 7.5; a bound `<1%` is half of it,
0.5; a bound `>50%` is the midpoint to 100, 75; `~30%` is 30. `read_ranges` applies none but the
last: `5-10%` is 5 to 10, `<1%` is 0 to below 1, `>50%` is above 50 to 100. A bare number is per
cent or a fraction as declared for its column, and is refused without a declaration; a cell with a
per cent sign is per cent whatever is declared. (A spreadsheet stores a cell that it shows as 30% as
0.3: a fraction.)
"""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.errors import StudyError
from omics.values import is_blank

DIGITS = 10  # 0.29 of 1 is 29 %, not 28.999999999999996: a cut must find it there
_AMOUNT = r"(?:\d+(?:[.,]\d+)?|[.,]\d+)(?:[eE][+-]?\d+)?"
_CELL = re.compile(
    rf"(?P<bound><=?|>=?|≤|≥|~|≈|ca\.)?\s*(?P<low>{_AMOUNT})\s*(?P<sign>%)?"
    rf"(?:\s*(?:-|–|—|to)\s*(?P<high>{_AMOUNT})\s*(?P<high_sign>%)?)?",
    re.IGNORECASE,
)
_BELOW, _ABOVE = ("<", "<=", "≤"), (">", ">=", "≥")


@dataclass(frozen=True, eq=False, kw_only=True)
class Percentages:
    """A column of percentages, and how many were read by a convention.

    Attributes
    ----------
    values : ndarray of shape (n_rows,)
        Per cent, in [0, 100]; NaN where missing.
    n_ranges : int
        Cells written as a range.
    n_bounds : int
        Cells written as a bound.
    n_bare : int
        Cells without a per cent sign.
    """

    values: NDArray[np.float64]
    n_ranges: int
    n_bounds: int
    n_bare: int

    def __repr__(self) -> str:
        known = int(np.isfinite(self.values).sum())
        return (
            f"Percentages({known} of {len(self.values)} known, {self.n_ranges} ranges, "
            f"{self.n_bounds} bounds)"
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranges:
    """What each cell leaves open.

    Attributes
    ----------
    low, high : ndarray of shape (n_rows,)
        Ends of the range, equal where a number was written; NaN where missing.
    low_open, high_open : ndarray of bool, of shape (n_rows,)
        True where the end itself is not in the range, as the 1 of `<1%`.
    """

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    low_open: NDArray[np.bool_]
    high_open: NDArray[np.bool_]

    def __repr__(self) -> str:
        known = np.isfinite(self.low)
        wide = int((self.low < self.high).sum())
        return f"Ranges({int(known.sum())} of {len(known)} known, {wide} wider than a number)"


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """One cell: its ends, and what kind of writing it was; or why it was refused."""

    low: float = np.nan
    high: float = np.nan
    low_open: bool = False
    high_open: bool = False
    is_range: bool = False
    is_bound: bool = False
    is_bare: bool = False
    refusal: str | None = None

    @property
    def value(self) -> float:
        """The one number the conventions make of it: the middle of its range."""
        return (self.low + self.high) / 2


def read_percentages(
    cells: pd.Series,
    *,
    unit: Literal["percent", "fraction"] | None,
    decimal: str = ".",
    title: str = "pathology",
) -> Percentages:
    """Read a column of percentages as pathologists write them.

    Parameters
    ----------
    cells : Series of shape (n_rows,)
        Text, numbers or None; the index says where each row stands, the name is the column's.
    unit : {"percent", "fraction"} or None
        What a bare number means; None refuses bare numbers.
    decimal : {".", ","}
    title : str
        How messages name the table.

    Returns
    -------
    Percentages

    Raises
    ------
    StudyError
        If a cell cannot be read, is a bare number without a unit, or lies outside 0-100 %. The
        first three are shown.

    Examples
    --------
    >>> written = pd.Series(["<1%", "5-10%", "30 %", "0.3", None], name="Ki-67")
    >>> read_percentages(written, unit="fraction").values.tolist()
    [0.5, 7.5, 30.0, 30.0, nan]
    """
    readings = _read_cells(cells, unit=unit, decimal=decimal)
    _refuse(cells, readings, title=title, cure=_COLUMN_CURE, examples=_PERCENT)
    return Percentages(
        values=np.array([reading.value for reading in readings], dtype=np.float64),
        n_ranges=sum(reading.is_range for reading in readings),
        n_bounds=sum(reading.is_bound for reading in readings),
        n_bare=sum(reading.is_bare for reading in readings),
    )


def read_ranges(
    cells: pd.Series,
    *,
    unit: Literal["percent", "fraction", "number"] | None,
    decimal: str = ".",
    title: str = "outcome",
) -> Ranges:
    """Read a column of percentages or counts as the ranges that pathologists write.

    Parameters
    ----------
    cells : Series of shape (n_rows,)
        Text, numbers or None; the index says where each row stands, the name is the column's.
    unit : {"percent", "fraction", "number"} or None
        What a bare number means; None refuses bare numbers. A "number" is 0 or more without an
        upper end, and a per cent sign is refused.
    decimal : {".", ","}
    title : str
        How messages name the place.

    Returns
    -------
    Ranges
        Per cent in [0, 100], or numbers.

    Raises
    ------
    StudyError
        If a cell cannot be read, is a bare number without a unit, or lies outside. The first three
        are shown.

    Examples
    --------
    >>> ranges = read_ranges(pd.Series(["<1%", "5-10%", ">50%"]), unit=None)
    >>> ranges.low.tolist(), ranges.high.tolist()
    ([0.0, 5.0, 50.0], [1.0, 10.0, 100.0])
    >>> ranges.low_open.tolist(), ranges.high_open.tolist()
    ([False, False, True], [True, False, False])
    """
    readings = _read_cells(cells, unit=unit, decimal=decimal)
    examples = _NUMBER if unit == "number" else _PERCENT
    _refuse(cells, readings, title=title, cure=_OUTCOME_CURE, examples=examples)
    return Ranges(
        low=np.array([reading.low for reading in readings], dtype=np.float64),
        high=np.array([reading.high for reading in readings], dtype=np.float64),
        low_open=np.array([reading.low_open for reading in readings], dtype=np.bool_),
        high_open=np.array([reading.high_open for reading in readings], dtype=np.bool_),
    )


def _read_cells(cells: pd.Series, *, unit: str | None, decimal: str) -> list[_Reading]:
    blank = is_blank(cells.to_numpy(dtype=object))
    return [
        _Reading() if missing else _read_cell(cell, unit=unit, decimal=decimal)
        for cell, missing in zip(cells, blank, strict=True)
    ]


def _read_cell(cell: object, *, unit: str | None, decimal: str) -> _Reading:
    match = _CELL.fullmatch(str(cell).strip())
    foreign = "," if decimal == "." else "."
    if match is None or (
        isinstance(cell, str) and foreign in (match["low"] + (match["high"] or ""))
    ):
        return _Reading(refusal="unreadable")
    bound, upper = (match["bound"] or "").casefold(), match["high"]
    is_bare = not (match["sign"] or match["high_sign"])
    if (upper is not None and bound in _BELOW + _ABOVE) or (unit == "number" and not is_bare):
        return _Reading(refusal="unreadable")
    if is_bare and unit is None:
        return _Reading(refusal="bare")
    scale = 100.0 if is_bare and unit == "fraction" else 1.0
    low = round(float(match["low"].replace(",", ".")) * scale, DIGITS)
    high = low if upper is None else round(float(upper.replace(",", ".")) * scale, DIGITS)
    top = np.inf if unit == "number" else 100.0
    if not low <= high <= top:
        return _Reading(refusal="outside")
    return _Reading(
        low=0.0 if bound in _BELOW else low,
        high=top if bound in _ABOVE else high,
        low_open=bound == ">" and low < top,
        high_open=bound == "<" and high > 0,
        is_range=upper is not None,
        is_bound=bound in _BELOW + _ABOVE,
        is_bare=is_bare,
    )


_PERCENT, _NUMBER = "30 %, <1%, >50% or 5-10%", "4, <5, >=10 or 5-10"
_COLUMN_CURE = 'unit = {{ "{column}" = "percent" }}'
_OUTCOME_CURE = 'unit = "percent" in [outcome]'
_MESSAGES = {
    "unreadable": "must be written like {examples}, but {count} of {total} values "
    "are not (first: {shown}). Correct them, list their text under unknown, or state decimal.",
    "bare": "must have a declared unit, since {count} of {total} values are bare numbers (first: "
    '{shown}). State it: {cure}, or "fraction" (0.3 is 30 %), or '
    '"number" for counts and scores that are no percentages.',
    "outside": "must lie {limits}, ranges from low to high, but {count} of {total} "
    "values do not (first: {shown}). Correct them, or the unit of the column.",
}


def _refuse(
    cells: pd.Series, readings: list[_Reading], *, title: str, cure: str, examples: str
) -> None:
    column = str(cells.name)
    for refusal, message in _MESSAGES.items():
        wrong = [row for row, reading in enumerate(readings) if reading.refusal == refusal]
        if not wrong:
            continue
        shown = ", ".join(f"{str(cells.iloc[row])!r} in {cells.index[row]}" for row in wrong[:3])
        text = message.format(
            count=len(wrong), total=len(cells), shown=shown, examples=examples,
            cure=cure.format(column=column),
            limits="between 0 and 100 %" if examples == _PERCENT else "at 0 or above",
        )  # fmt: skip
        raise StudyError(f"{title}: column {column!r} {text}")
