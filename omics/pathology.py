"""Ki-67 and other markers as people write them, read as per cent of cells.

Conventions: a range `5-10%` is its midpoint 7.5; a bound `<1%` is half of it, 0.5; a bound `>50%`
is the midpoint to 100, 75; `~30%` is 30. A bare number is per cent or a fraction as declared for
its column, and is refused without a declaration; a cell with a per cent sign is per cent whatever
is declared. (A spreadsheet stores a cell that it shows as 30% as 0.3: a fraction.)
"""

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.errors import StudyError
from omics.values import is_blank

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


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """One cell: its percentage, and what kind of writing it was; or why it was refused."""

    value: float = np.nan
    is_range: bool = False
    is_bound: bool = False
    is_bare: bool = False
    refusal: str | None = None


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
    blank = is_blank(cells.to_numpy(dtype=object))
    readings = [
        _Reading() if missing else _read_cell(cell, unit=unit, decimal=decimal)
        for cell, missing in zip(cells, blank, strict=True)
    ]
    _refuse(cells, readings, title=title)
    return Percentages(
        values=np.array([reading.value for reading in readings], dtype=np.float64),
        n_ranges=sum(reading.is_range for reading in readings),
        n_bounds=sum(reading.is_bound for reading in readings),
        n_bare=sum(reading.is_bare for reading in readings),
    )


def _read_cell(cell: object, *, unit: str | None, decimal: str) -> _Reading:
    match = _CELL.fullmatch(str(cell).strip())
    foreign = "," if decimal == "." else "."
    if match is None or (
        isinstance(cell, str) and foreign in (match["low"] + (match["high"] or ""))
    ):
        return _Reading(refusal="unreadable")
    bound, upper = (match["bound"] or "").casefold(), match["high"]
    if upper is not None and bound in _BELOW + _ABOVE:
        return _Reading(refusal="unreadable")
    is_bare = not (match["sign"] or match["high_sign"])
    if is_bare and unit is None:
        return _Reading(refusal="bare")
    scale = 100.0 if is_bare and unit == "fraction" else 1.0
    low = float(match["low"].replace(",", ".")) * scale
    high = low if upper is None else float(upper.replace(",", ".")) * scale
    if not low <= high <= 100:
        return _Reading(refusal="outside")
    return _Reading(
        value=_resolve(bound, low, high),
        is_range=upper is not None,
        is_bound=bound in _BELOW + _ABOVE,
        is_bare=is_bare,
    )


def _resolve(bound: str, low: float, high: float) -> float:
    """Apply the stated conventions, in per cent."""
    if bound in _BELOW:
        return low / 2
    if bound in _ABOVE:
        return (low + 100) / 2
    return (low + high) / 2


_MESSAGES = {
    "unreadable": "must be written like 30 %, <1%, >50% or 5-10%, but {count} of {total} values "
    "are not (first: {shown}). Correct them, list their text under unknown, or state decimal.",
    "bare": "must have a declared unit, since {count} of {total} values are bare numbers (first: "
    '{shown}). State it: unit = {{ "{column}" = "percent" }}, or "fraction" (0.3 is 30 %), or '
    '"number" for counts and scores that are no percentages.',
    "outside": "must lie between 0 and 100 %, ranges from low to high, but {count} of {total} "
    "values do not (first: {shown}). Correct them, or the unit of the column.",
}


def _refuse(cells: pd.Series, readings: list[_Reading], *, title: str) -> None:
    for refusal, message in _MESSAGES.items():
        wrong = [row for row, reading in enumerate(readings) if reading.refusal == refusal]
        if not wrong:
            continue
        shown = ", ".join(f"{str(cells.iloc[row])!r} in {cells.index[row]}" for row in wrong[:3])
        text = message.format(
            count=len(wrong), total=len(cells), shown=shown, column=str(cells.name)
        )
        raise StudyError(f"{title}: column {str(cells.name)!r} {text}")
