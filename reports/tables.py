"""How a number is written, for the eye and in a file: every format of the report stands here.

Journals print few digits and the interval beside the estimate; files keep every digit. Text that a
spreadsheet would run as a formula is made neutral on its way into a file.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from reports.files import write_text

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
DIGITS = {
    "hazard_ratio": 2,
    "odds_ratio": 2,
    "observed_expected": 2,
    "calibration_slope": 2,
    "calibration_intercept": 2,
    "points": 0,
    "chi2": 2,
    "z": 2,
}
"""Digits after the point by metric or column; three for all others."""

LABELS = {
    "auc": "AUC",
    "bootstrap_632_plus": ".632+",
    "brier": "Brier score",
    "c_index": "C-index (Harrell)",
    "c_index_uno": "C-index (Uno)",
    "calibration_intercept": "Calibration intercept",
    "calibration_slope": "Calibration slope",
    "cross_validated": "Cross-validated",
    "e50": "E50",
    "n_factors": "Factors",
    "e90": "E90",
    "emax": "Emax",
    "fmi": "Missing information",
    "hazard_ratio": "Hazard ratio",
    "ici": "ICI",
    "ipa": "IPA",
    "n_events": "Events",
    "n_patients": "Patients",
    "npv": "NPV",
    "observed_expected": "Observed / expected",
    "odds_ratio": "Odds ratio",
    "optimism_corrected": "Optimism-corrected",
    "ppv": "PPV",
    "p_value": "p",
    "p_adjusted": "p (adjusted)",
    "r2": "Variance explained",
}
"""Columns, metrics and validations as a reader sees them; others are read from the name."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_NUMBER = re.compile(rf"{DASH}|[{MINUS}<>]?[∞\d.,e+]+%?( \([^()]*\))?")
_P_VALUES = ("p_value", "p_adjusted", "p")


def label(name: object) -> str:
    """Return the name of a column, metric or validation as a reader sees it.

    Examples
    --------
    >>> label("c_index_uno"), label("standard_error"), label("clinical:Age")
    ('C-index (Uno)', 'Standard error', 'clinical:Age')
    """
    text = str(name)
    if text in LABELS:
        return LABELS[text]
    spaced = text.replace("_", " ")
    return spaced[:1].upper() + spaced[1:] if text.islower() and ":" not in text else text


def digits_of(metric: object) -> int:
    """Return the digits after the point with which a metric is printed."""
    return DIGITS.get(str(metric), 3)


def format_number(value: float, *, digits: int = 3) -> str:
    """Return a number with a fixed count of digits; a missing one is a dash.

    Examples
    --------
    >>> format_number(0.7654), format_number(-0.0004), format_number(float("nan"))
    ('0.765', '0.000', '–')
    >>> format_number(-1.5, digits=1), format_number(float("inf")), format_number(2.5e9)
    ('−1.5', '∞', '2.5e+09')
    """
    if np.isnan(value):
        return DASH
    if np.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:.{digits}f}" if abs(value) < 1e6 else f"{value:.3g}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS) if text.startswith("-") else text


def format_estimate(estimate: float, lower: float, upper: float, *, digits: int = 3) -> str:
    """Return `estimate (lower–upper)`; the estimate alone where there is no interval.

    Bounds below zero are joined by "to", since a dash would read as a second minus.

    Examples
    --------
    >>> format_estimate(0.761, 0.65, 0.8712, digits=2)
    '0.76 (0.65–0.87)'
    >>> format_estimate(-0.1, -0.3, 0.1, digits=1)
    '−0.1 (−0.3 to 0.1)'
    >>> format_estimate(0.5, float("nan"), float("nan"))
    '0.500'
    """
    if np.isnan(estimate):
        return DASH
    middle = format_number(estimate, digits=digits)
    if np.isnan(lower) and np.isnan(upper):
        return middle
    low, high = format_number(lower, digits=digits), format_number(upper, digits=digits)
    join = " to " if MINUS in low + high else DASH
    return f"{middle} ({low}{join}{high})"


def format_p_value(p_value: float) -> str:
    """Return a p value as journals print it: two digits from .01 on, three below, then `<0.001`.

    Examples
    --------
    >>> [format_p_value(p) for p in (0.2345, 0.0123, 0.0012, 0.0004, 0.9999)]
    ['0.23', '0.01', '0.001', '<0.001', '>0.99']
    """
    if np.isnan(p_value):
        return DASH
    if p_value < 0.001:
        return "<0.001"
    if p_value > 0.99:
        return ">0.99"
    if 0.045 <= p_value < 0.055 or p_value < 0.01:  # never round a p value onto .05
        return f"{p_value:.3f}"
    return f"{p_value:.2f}"


def format_percent(share: float, *, digits: int = 0) -> str:
    """Return a share in [0, 1] as a percentage.

    Examples
    --------
    >>> format_percent(0.456), format_percent(0.0049, digits=1)
    ('46%', '0.5%')
    """
    return DASH if np.isnan(share) else f"{format_number(100 * share, digits=digits)}%"


@dataclass(frozen=True, kw_only=True)
class TableRows:
    """A table ready to print.

    Attributes
    ----------
    header : tuple of str
    rows : tuple of tuple of str
    numeric : tuple of bool
        True for each column whose every cell is a number, with or without interval.
    groups : tuple of int
        Positions of the rows whose first cell is a heading of those below; it spans the row where
        the others are empty.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    groups: tuple[int, ...] = ()


def table_rows(
    table: pd.DataFrame,
    *,
    labels: Mapping[str, str] | None = None,
    digits: Mapping[str, int] | None = None,
) -> TableRows:
    """Write every cell of a table for the eye; the index is not shown.

    `lower` and `upper` join the column before them. Columns named `p_value` or `p_adjusted` are
    p values. In a table with a column `metric` the digits of a row's estimate are the metric's.

    Parameters
    ----------
    table : DataFrame
    labels : mapping of str to str, optional
        Column -> what stands above it, where `label(column)` does not do.
    digits : mapping of str to int, optional
        Column -> digits after the point, where `digits_of(column)` does not do.

    Returns
    -------
    TableRows

    Examples
    --------
    >>> table = pd.DataFrame({"term": ["Age"], "hazard_ratio": [1.034], "lower": [1.021],
    ...                       "upper": [1.047], "p_value": [1e-9]})
    >>> ready = table_rows(table)
    >>> ready.header
    ('Term', 'Hazard ratio (95% CI)', 'p')
    >>> ready.rows
    (('Age', '1.03 (1.02–1.05)', '<0.001'),)
    """
    wanted = dict(labels or {})
    places = dict(digits or {})
    with_interval = _column_with_interval(table)
    columns = [name for name in table.columns if not (with_interval and name in ("lower", "upper"))]
    if with_interval and _levels(table) is not None:
        columns = [name for name in columns if name != "level"]
    header, cells = [], []
    for column in columns:
        title = wanted.get(str(column), label(column))
        if column == with_interval:
            header.append(title + _level_suffix(table))
            cells.append(_estimates(table, str(column), places))
        else:
            header.append(title)
            cells.append(_cells(table[column], str(column), places))
    numeric = tuple(all(_NUMBER.fullmatch(cell) for cell in column) for column in cells)
    rows = tuple(zip(*cells, strict=True)) if cells else ()
    return TableRows(header=tuple(header), rows=rows, numeric=numeric)


def performance_rows(performance: pd.DataFrame) -> pd.DataFrame:
    """Lay a performance table out for comparison: one row per metric, one column per model.

    Parameters
    ----------
    performance : DataFrame
        Columns `model`, `metric`, `horizon`, `estimate`, `lower`, `upper`; one row per model,
        metric and horizon (choose the cohort and the validation first).

    Returns
    -------
    DataFrame
        Columns `metric`, `horizon` (if any row has one) and one per model, cells as text.

    Raises
    ------
    ValueError
        If a model has two rows for one metric and horizon.

    Examples
    --------
    >>> performance_rows(pd.DataFrame({"model": ["A", "B"], "metric": "c_index",
    ...     "horizon": np.nan, "estimate": [0.7, 0.75], "lower": [0.6, 0.7], "upper": 0.8}))
                  metric                   A                   B
    0  C-index (Harrell)  0.700 (0.600–0.800)  0.750 (0.700–0.800)
    """
    keys = ["metric", "horizon", "model"]
    twice = performance.duplicated(keys)
    if twice.any():
        first = performance.loc[twice, keys].iloc[0].tolist()
        raise ValueError(
            f"performance must hold one row per model, metric and horizon, but {twice.sum()} rows "
            f"come twice (first: {first}). Choose one cohort and one validation first."
        )
    text = performance[["model", "metric", "horizon"]].assign(
        cell=_estimates(performance, "estimate", {})
    )
    order = text.drop_duplicates(["metric", "horizon"])[["metric", "horizon"]]
    for model in dict.fromkeys(text["model"]):
        cells = text.loc[text["model"] == model, ["metric", "horizon", "cell"]]
        order = order.merge(cells.rename(columns={"cell": model}), "left", ["metric", "horizon"])
    order = order.assign(metric=[label(metric) for metric in order["metric"]]).fillna(
        dict.fromkeys(order.columns[2:], DASH)
    )
    return order.drop(columns="horizon") if order["horizon"].isna().all() else order


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as csv with every digit; the file appears only when it is complete.

    A cell or a column name that is text, no number, and starts with what a spreadsheet takes for
    a formula (`= + - @`, tab, line end) gets an apostrophe in front. A carriage return becomes a
    line feed: pandas would leave it unquoted, and what follows it could start a row of its own.
    The index is not written.

    Parameters
    ----------
    table : DataFrame
    path : Path
        In a folder that exists; an older file of this name is replaced.
    """
    safe = table.apply(_neutral_column) if len(table) else table
    safe = safe.set_axis([_neutral(name) for name in table.columns], axis="columns")
    write_text(safe.to_csv(index=False, lineterminator="\n"), path)


def _neutral(cell: object) -> object:
    """Return the cell, text that reads as a formula behind an apostrophe."""
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r\n", "\n").replace("\r", "\n")
    if not cell.startswith(_FORMULA):
        return text
    try:
        float(cell)
    except ValueError:
        return f"'{text}"
    return cell.strip()


def _neutral_column(values: pd.Series) -> pd.Series:
    if _is_number(values) or pd.api.types.is_bool_dtype(values):
        return values
    return pd.Series([_neutral(cell) for cell in values], values.index, dtype=object)


def _is_number(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _column_with_interval(table: pd.DataFrame) -> str | None:
    """Return the column whose interval `lower` and `upper` hold: the estimate before them."""
    names = [str(name) for name in table.columns]
    if "lower" not in names or "upper" not in names:
        return None
    for name in ("estimate", "hazard_ratio", "odds_ratio"):
        if name in names:
            return name
    before = names.index("lower") - 1
    return names[before] if before >= 0 and _is_number(table.iloc[:, before]) else None


def _levels(table: pd.DataFrame) -> float | None:
    """Return the one confidence level of the table: .95 unless a column `level` says otherwise."""
    if "level" not in table.columns:
        return 0.95
    found = table["level"].dropna().unique()
    return float(found[0]) if len(found) == 1 else None


def _level_suffix(table: pd.DataFrame) -> str:
    level = _levels(table)
    return " (interval)" if level is None else f" ({100 * level:g}% CI)"


def _estimates(table: pd.DataFrame, column: str, places: Mapping[str, int]) -> list[str]:
    metrics = table["metric"] if "metric" in table.columns else [column] * len(table)
    numbers = zip(metrics, table[column], table["lower"], table["upper"], strict=True)
    return [
        format_estimate(estimate, lower, upper, digits=places.get(column, digits_of(metric)))
        for metric, estimate, lower, upper in numbers
    ]


def _cells(values: pd.Series, column: str, places: Mapping[str, int]) -> list[str]:
    if column in _P_VALUES and _is_number(values):
        return [format_p_value(float(value)) for value in values]
    if pd.api.types.is_integer_dtype(values):
        return [DASH if pd.isna(value) else f"{value:,}" for value in values]
    if _is_number(values):
        return _numbers(values, column, places)
    if column in ("metric", "validation"):
        return [label(value) for value in values]
    return [_text(value) for value in values]


def _numbers(values: pd.Series, column: str, places: Mapping[str, int]) -> list[str]:
    """Write floats: whole numbers (times, counts with gaps) as such, others with their digits."""
    floats = values.to_numpy(dtype=np.float64, na_value=np.nan)
    finite = floats[np.isfinite(floats)]
    whole = column not in places and bool((finite == np.round(finite)).all())
    digits = 0 if whole else places.get(column, digits_of(column))
    return [format_number(value, digits=digits) for value in floats]


def _text(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return DASH if pd.isna(value) else str(value)  # type: ignore[call-overload]
