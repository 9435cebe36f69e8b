"""Cells as written become numbers or categories; what cannot be read is named, with its row.

A cell is missing when it is empty, `NA` or `NaN`, or a declared code for "unknown". Text compares
without blanks at its ends, and whole numbers without a decimal part: `4`, `4.0` and the number 4
are one level.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.errors import StudyError
from omics.messages import also, counted, first_offender, nearest, quoted
from omics.table_spec import Scalar

_BLANK = frozenset({"", "NA", "na", "NaN", "nan", "NAN"})
_WHOLE = re.compile(r"([+-]?\d+)\.0+")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
_DECIMAL_POINT = re.compile(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?")


def is_blank(cells: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Tell which cells are empty, NA or NaN."""
    flat = pd.Series(cells.ravel(), dtype=object)
    missing = flat.isin(_BLANK) | flat.isna()
    return missing.to_numpy(dtype=np.bool_).reshape(cells.shape)


def written(value: object) -> str:
    """Write a cell, a level or a code in the one form in which they are compared.

    Examples
    --------
    >>> written(4.0), written(" 4.0 "), written("0.50"), written(True)
    ('4', '4', '0.50', 'True')
    """
    if (
        isinstance(value, float | np.floating)
        and float(value).is_integer()
        and abs(float(value)) < 1e15
    ):
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").removesuffix(" 00:00:00")
    return whole(str(value).strip())


def whole(text: str) -> str:
    """Take the decimal part off a whole number: `12.0`, as programs write ids, is `12`."""
    match = _WHOLE.fullmatch(text)
    return match.group(1) if match else text


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """The declared codes for "unknown", as text and as numbers."""

    texts: frozenset[str]
    numbers: tuple[float, ...]

    @classmethod
    def of(cls, codes: Iterable[Scalar]) -> "Unknown":
        """Read the codes of a study file."""
        texts = frozenset(written(code) for code in codes)
        numbers = tuple(
            sorted({float(text) for text in texts if _number(text, decimal=".") is not None})
        )
        return cls(texts=texts, numbers=numbers)


def read_texts(cells: pd.Series, *, unknown: Unknown) -> tuple[pd.Series, int]:
    """Return text in its compared form, None where missing, and how many codes were met."""
    values: list[str | None] = []
    met = 0
    for value, blank in zip(cells, is_blank(cells.to_numpy(dtype=object)), strict=True):
        text = None if blank else written(value)
        if text in unknown.texts:
            met += 1
        values.append(None if text in unknown.texts or text in _BLANK else text)
    return pd.Series(values, index=cells.index, dtype=object, name=cells.name), met


def read_numbers(
    cells: pd.DataFrame, *, title: str, decimal: str, unknown: Unknown, cure: Callable[[str], str]
) -> tuple[pd.DataFrame, "pd.Series[int]"]:
    """Read cells as numbers.

    Parameters
    ----------
    cells : DataFrame of shape (n_rows, n_columns)
        As written; the index says where each row stands.
    title : str
        How messages name the table.
    decimal : {".", ","}
    unknown : Unknown
    cure : callable
        Says, for a column's name, what its author can do about text in it.

    Returns
    -------
    numbers : DataFrame of float64, of the same shape
        NaN where missing.
    met : Series of int, by column
        Codes for "unknown" that were read as missing.

    Raises
    ------
    StudyError
        On the first column with text or infinite values.
    """
    raw = cells.to_numpy(dtype=object)
    coded = np.zeros(raw.shape, dtype=np.bool_)
    if unknown.texts:
        met_codes = pd.Series(raw.ravel(), dtype=object).isin(unknown.texts)
        coded = met_codes.to_numpy(dtype=np.bool_).reshape(raw.shape)
    plain = np.where(coded, "nan", raw) if coded.any() else raw
    values = _parse_quickly(plain) if decimal == "." else None
    if values is None:
        values, coded = _parse_each(cells, decimal=decimal, unknown=unknown, title=title, cure=cure)
    by_value = np.isin(values, unknown.numbers) if unknown.numbers else np.zeros_like(coded)
    values[by_value] = np.nan
    if np.isinf(values).any():
        column, count, _, place, others = first_offender(cells, np.isinf(values))
        raise StudyError(
            f"{title}: column {column!r} must hold finite numbers, but {count} of {len(cells)} "
            f"values {'is' if count == 1 else 'are'} infinite (first: {place}).{also(others)} "
            "Correct the file, or list the text under unknown."
        )
    met = pd.Series((coded | by_value).sum(axis=0), index=cells.columns)
    return pd.DataFrame(values, index=cells.index, columns=cells.columns), met


def _parse_quickly(raw: NDArray[np.object_]) -> NDArray[np.float64] | None:
    """Parse a whole block at once, correctly rounded; None if any cell is no plain number."""
    for cells in (lambda: raw, lambda: np.where(is_blank(raw), "nan", raw)):
        try:
            values = cells().astype(np.float64)
        except (TypeError, ValueError):
            continue
        # Python reads 12_3 as 123
        return None if any(_has_underscore(row) for row in raw) else values
    return None


def _has_underscore(row: NDArray[np.object_]) -> bool:
    try:
        return "_" in "".join(row)
    except TypeError:  # numbers among the cells
        return any(isinstance(cell, str) and "_" in cell for cell in row)


def _number(value: object, *, decimal: str) -> float | None:
    """Read one cell; None if it is no number."""
    if not isinstance(value, str):
        try:
            return float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return None
    text = value.strip()
    if decimal == ",":
        if "." in text:
            return None
        text = text.replace(",", ".")
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _parse_each(
    cells: pd.DataFrame, *, decimal: str, unknown: Unknown, title: str, cure: Callable[[str], str]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Parse cell by cell, and name the first column that is not numbers."""
    raw = cells.to_numpy(dtype=object)
    values = np.full(raw.shape, np.nan)
    coded = np.zeros(raw.shape, dtype=np.bool_)
    wrong = np.zeros(raw.shape, dtype=np.bool_)
    for row, column in np.argwhere(~is_blank(raw)):
        cell = raw[row, column]
        number = _number(cell, decimal=decimal)
        if number is not None:
            values[row, column] = number
        elif (text := written(cell)) in unknown.texts:
            coded[row, column] = True
        elif text not in _BLANK:
            wrong[row, column] = True
    if wrong.any():
        raise StudyError(_text_message(cells, wrong, title=title, cure=cure))
    return values, coded


def _text_message(
    cells: pd.DataFrame, wrong: NDArray[np.bool_], *, title: str, cure: Callable[[str], str]
) -> str:
    column, count, value, place, others = first_offender(cells, wrong)
    offenders = cells[column].to_numpy(dtype=object)[wrong[:, list(cells.columns).index(column)]]
    present = int((~is_blank(cells[column].to_numpy(dtype=object))).sum())
    message = (
        f"{title}: column {column!r} must hold numbers, but {count} of its {present} values "
        f"{'is' if count == 1 else 'are'} text (first: {str(value)!r} in {place}).{also(others)} "
    )
    if all(_DECIMAL_COMMA.fullmatch(str(offender).strip()) for offender in offenders):
        return message + 'They look like decimal commas: state decimal = ",".'
    return message + cure(column)


def with_points(cells: pd.Series, *, title: str) -> pd.Series:
    """Write numbers that have a decimal comma with a point; other cells stay as they are.

    Parameters
    ----------
    cells : Series of object
        The index says where each row stands.
    title : str
        How messages name the table.

    Raises
    ------
    StudyError
        If numbers with a point stand beside those with a comma: one of the two would be misread.

    Examples
    --------
    >>> with_points(pd.Series(["5,5", "12", "alive", None]), title="tables.followup").tolist()
    ['5.5', '12', 'alive', None]
    """
    comma = np.array([_is_like(cell, _DECIMAL_COMMA) for cell in cells], dtype=np.bool_)
    point = np.array([_is_like(cell, _DECIMAL_POINT) for cell in cells], dtype=np.bool_)
    if comma.any() and point.any():
        first = int(point.argmax())
        raise StudyError(
            f"{title}: column {cells.name!r} must hold numbers with a decimal comma, as declared, "
            f"but {point.sum()} of its {cells.notna().sum()} values "
            f"{'has' if point.sum() == 1 else 'have'} a point (first: {cells.iloc[first]!r} in "
            f"{cells.index[first]}). Write them alike in the file."
        )
    return cells.where(~comma, cells.astype(str).str.replace(",", ".", regex=False))


def _is_like(cell: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(cell, str) and pattern.fullmatch(cell) is not None


def recode_texts(
    texts: pd.Series, mapping: Mapping[Scalar, Scalar], *, title: str
) -> tuple[pd.Series, list[str]]:
    """Give the values of a column new ones.

    Parameters
    ----------
    texts : Series of str or None
        The column, from `read_texts`.
    mapping : dict
        New value by old value; `"*"` is any other value, `""` a missing one. A new value `""`
        means unknown.
    title : str
        How messages name the table.

    Returns
    -------
    recoded : Series of str or None
    unused : list of str
        Old values of the mapping that no row holds.

    Raises
    ------
    StudyError
        If a value has no new one; the values are listed with their counts.
    """
    new = {written(old): written(value) or None for old, value in mapping.items()}
    other, missing = new.pop("*", None), new.pop("", None)
    catch_all = "*" in {written(old) for old in mapping}
    unmapped = [text for text in texts if text is not None and text not in new]
    if unmapped and not catch_all:
        raise StudyError(
            f"{title}: recode of {texts.name!r} must map every value, but {len(unmapped)} of "
            f"{texts.notna().sum()} values are not mapped: {counted(unmapped)}. Map them, or map "
            'all others by "*".'
        )
    found = set(texts.dropna())
    values = [missing if text is None else new.get(text, other) for text in texts]
    recoded = pd.Series(values, index=texts.index, dtype=object, name=texts.name)
    return recoded, [old for old in new if old not in found]


def recoded_levels(mapping: Mapping[Scalar, Scalar]) -> list[str]:
    """List the new values in the order of the mapping; the first is the reference level."""
    return list(dict.fromkeys(text for value in mapping.values() if (text := written(value))))


def all_numbers(levels: Iterable[str]) -> bool:
    """Tell whether every new value is a number, so that the column stays one of numbers."""
    return all(_number(level, decimal=".") is not None for level in levels)


def read_categories(
    texts: pd.Series, levels: str | Iterable[Scalar], *, title: str
) -> "pd.Series[pd.CategoricalDtype]":
    """Make a column categories whose first one is the reference level.

    Parameters
    ----------
    texts : Series of str or None
    levels : list, or str
        All levels, reference first; or the reference level alone, the others follow sorted.
    title : str
        How messages name the table.

    Returns
    -------
    Series of categories

    Raises
    ------
    StudyError
        If a value is no declared level, or no row holds the reference level given alone.

    Examples
    --------
    >>> grades = pd.Series(["4", "2", None], name="Grade")
    >>> read_categories(grades, [2, 3, 4], title="tables.clinical").cat.categories.tolist()
    ['2', '3', '4']
    """
    found = sorted(set(texts.dropna()))
    if isinstance(levels, str):
        reference = written(levels)
        if found and reference not in found:
            raise StudyError(
                f"{title}: the reference level of {texts.name!r} must be one of its values, but no "
                f"row holds {reference!r}. {nearest(reference, found)}"
            )
        levels = [reference, *(level for level in found if level != reference)]
    declared = [written(level) for level in levels]
    if len(set(declared)) < len(declared):
        raise StudyError(
            f"{title}: the levels of {texts.name!r} must differ, but are {quoted(declared)}."
        )
    strange = texts.notna() & ~texts.isin(declared)
    if strange.any():
        raise StudyError(
            f"{title}: column {texts.name!r} must hold its declared levels ({quoted(declared)}), "
            f"but {strange.sum()} of {texts.notna().sum()} values do not: "
            f"{counted(texts[strange])} (first in {texts.index[int(strange.argmax())]}). "
            "Declare them as levels, recode them, or list them under unknown."
        )
    values = pd.Categorical(texts, categories=declared)
    return pd.Series(values, index=texts.index, name=texts.name)
