r"""Is a marker at or above its cut? Ki-67 and the like as a binary outcome, from cells as written.

A cell is the set of values it leaves open (`<5%` is 0 to below 5). The patient is positive where
all of them meet the cut, negative where none does, and unknown where some do: no midpoint decides
on which side of a cut a patient stands.
"""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.errors import Finding
from omics.messages import counted
from omics.pathology import DIGITS, Ranges, read_ranges
from omics.table_spec import Unit

_CUT = re.compile(r"(?P<sign>>=|<=|>|<|≥|≤)\s*(?P<value>\d+(?:\.\d+)?|\.\d+)\s*(?P<percent>%)?")
_SIGNS = {"≥": ">=", "≤": "<="}


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Where a marker counts as positive.

    Attributes
    ----------
    sign : {">=", ">", "<=", "<"}
    value : float
        In per cent, or as a number where `unit` is "number".
    unit : {"percent", "fraction", "number"} or None
        What a bare number means, in the cut and in the cells.

    Examples
    --------
    >>> Cut.read(">=3%", unit=None), Cut.read("< 0.1", unit="fraction")
    (Cut(>= 3 %), Cut(< 10 %))
    """

    sign: str
    value: float
    unit: Unit | None

    @classmethod
    def read(cls, text: str, *, unit: Unit | None) -> "Cut":
        """Read a cut such as `>= 3 %`.

        Raises
        ------
        ValueError
            If it is written otherwise, its unit is not stated, or no value could lie on one side.
        """
        match = _CUT.fullmatch(text.strip())
        if match is None:
            raise ValueError(
                "cut must be a sign and a number, such as '>= 3 %', '> 10 %' or '>= 4', but "
                f"{text!r} came"
            )
        if match["percent"] and unit == "number":
            raise ValueError(f"unit = 'number' has no per cent, but the cut is {text!r}")
        if not match["percent"] and unit is None:
            raise ValueError(
                f"cut {text!r} must have a unit: write '{text.strip()} %', or state unit = "
                "'percent', 'fraction' (0.03 is 3 %) or 'number' (counts and scores)"
            )
        scale = 100.0 if unit == "fraction" and not match["percent"] else 1.0
        value = round(float(match["value"]) * scale, DIGITS)
        sign = _SIGNS.get(match["sign"], match["sign"])
        if not cls._divides(sign, value, np.inf if unit == "number" else 100.0):
            raise ValueError(f"cut {text!r} must leave values on both sides, but it does not")
        return cls(sign=sign, value=value, unit=unit)

    @staticmethod
    def _divides(sign: str, value: float, top: float) -> bool:
        return 0 < value <= top if sign in (">=", "<") else 0 <= value < top

    def __str__(self) -> str:
        return f"{self.sign} {self.value:g}{'' if self.unit == 'number' else ' %'}"

    def __repr__(self) -> str:
        return f"Cut({self})"

    def classes(self, ranges: Ranges) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tell whose values all meet the cut, and for whom that is not known.

        Parameters
        ----------
        ranges : Ranges
            Of n_patients cells.

        Returns
        -------
        positive, straddles : ndarray of bool, of shape (n_patients,)
            False and False where the cell is missing, or where no value meets the cut.

        Examples
        --------
        >>> ranges = read_ranges(pd.Series(["<3%", "3%", "1-5%", ">5%"]), unit=None)
        >>> positive, straddles = Cut.read(">= 3 %", unit=None).classes(ranges)
        >>> positive.tolist(), straddles.tolist()
        ([False, True, False, True], [False, False, True, False])
        """
        # what lies at or above, and what lies wholly below, the point that parts the two sides
        if self.sign in (">=", "<"):
            above = ranges.low >= self.value
            below = (ranges.high < self.value) | ((ranges.high == self.value) & ranges.high_open)
        else:
            above = (ranges.low > self.value) | ((ranges.low == self.value) & ranges.low_open)
            below = ranges.high <= self.value
        positive = above if self.sign.startswith(">") else below
        return positive, np.isfinite(ranges.low) & ~above & ~below


def read_cut(
    values: pd.Series, cut: Cut, *, decimal: str, table: str
) -> tuple[NDArray[np.bool_], pd.Series]:
    """Read who is positive by a cut, and why that is unknown.

    Parameters
    ----------
    values : Series of shape (n_patients,)
        As written, None where missing; its name is the column's.
    cut : Cut
    decimal : {".", ","}
        Of the table; a plain number has a point by now.
    table : str
        For messages.

    Returns
    -------
    positive : ndarray of bool, of shape (n_patients,)
    reason : Series of str, indexed as `values`
        Empty where the class is known.

    Raises
    ------
    StudyError
        If a cell cannot be read; the first three are shown.
    """
    cells = values.set_axis([f"patient row {row}" for row in range(1, len(values) + 1)])
    if decimal == ",":
        cells = cells.map(_with_comma)
    ranges = read_ranges(cells, unit=cut.unit, decimal=decimal, title=f"outcome in table {table!r}")
    positive, straddles = cut.classes(ranges)
    reason = pd.Series("", index=values.index, dtype=object)
    reason[np.isnan(ranges.low)] = "class unknown"
    reason[straddles] = straddling(str(values.name), cut)
    return positive, reason


def _with_comma(cell: object) -> object:
    """Give a plain number its decimal comma back: the reader of the table wrote it with a point."""
    is_plain = isinstance(cell, str) and re.fullmatch(r"\s*\d*\.\d+\s*", cell)
    return str(cell).replace(".", ",") if is_plain else cell


def straddling(column: str, cut: Cut) -> str:
    """Say why a patient is lost whose range lies on both sides of the cut."""
    return f"{column} straddles the cut {cut}"


def straddling_findings(
    values: pd.Series, reason: pd.Series, cut: Cut, *, where: str
) -> list[Finding]:
    """Count the ranges that lie on both sides of the cut, with the commonest.

    Parameters
    ----------
    values : Series of shape (n_patients,)
        As written.
    reason : Series of shape (n_patients,)
        As from `read_cut`.
    cut : Cut
    where : str
        `table:column`.
    """
    lost = values[(reason == straddling(str(values.name), cut)).to_numpy()]
    if lost.empty:
        return []
    known = int(values.notna().sum())
    return [
        Finding(
            code="straddles_cut",
            severity="caution",
            where=where,
            message=f"{len(lost)} of {known} values of {values.name!r} are ranges on both sides of "
            f"the cut {cut}: {counted(lost)}. They count as unknown, and their patients are lost: "
            "the known classes may not stand for all.",
        )
    ]
