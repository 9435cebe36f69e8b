"""Table one as a journal prints it: a row per number or level, a column per cohort."""

from collections.abc import Mapping

import pandas as pd

from omics.cohort import DEVELOPMENT
from omics.moment import in_words
from reports.style import shown_names
from reports.tables import DASH, TableRows, format_number, format_percent


def table_one_rows(table: pd.DataFrame, *, known: Mapping[str, str] | None = None) -> TableRows:
    """Lay out what `models.description.table_one` computed.

    Parameters
    ----------
    table : DataFrame
        Columns `column`, `level`, `cohort`, `n_known`, `n_missing`, `median`, `q1`, `q3`, `count`,
        `share`.
    known : mapping of column to moment, optional
        When a column is known: a column of the table, if any is stated.

    Returns
    -------
    TableRows
        A first cell that starts with two spaces is a level of the category above it.
    """
    cohorts = list(dict.fromkeys(table["cohort"]))
    rows: list[tuple[str, ...]] = []
    groups: list[int] = []
    names = shown_names(table["column"])
    said = known or {}
    for column, part in table.groupby("column", sort=False):
        by_cohort = {cohort: part[part["cohort"] == cohort] for cohort in cohorts}
        name = names[str(column)]
        levels = list(dict.fromkeys(part["level"].dropna()))
        if levels:
            groups.append(len(rows))
            rows.append((name, *("" for _ in cohorts)))
            for level in levels:
                cells = (_count(by_cohort[c][by_cohort[c]["level"] == level]) for c in cohorts)
                rows.append((f"  {level}", *cells))
        else:
            rows.append((f"{name}, median (quartiles)", *(_number(by_cohort[c]) for c in cohorts)))
        if said:
            first = len(rows) - len(levels) - 1
            when = [in_words(said.get(str(column), "")) or DASH, *("" for _ in levels[1:])]
            when = ["", *when] if levels else when  # the heading above levels has one cell only
            rows[first:] = [(r[0], w, *r[1:]) for r, w in zip(rows[first:], when, strict=True)]
        missing = [int(by_cohort[c]["n_missing"].iloc[0]) for c in cohorts]
        if any(missing):
            rows.append(("  missing", *([""] if said else []), *(str(count) for count in missing)))
    return TableRows(
        header=(
            "Characteristic",
            *(["Known"] if said else []),
            *(_head(table[table["cohort"] == c]) for c in cohorts),
        ),
        rows=tuple(rows),
        numeric=(False, *([False] if said else []), *(True for _ in cohorts)),
        groups=tuple(groups),
    )


def _head(rows: pd.DataFrame) -> str:
    """Name a cohort with its size."""
    cohort, first = str(rows["cohort"].iloc[0]), rows.iloc[0]
    name = "Development" if cohort == DEVELOPMENT else cohort
    return f"{name} (n = {int(first['n_known'] + first['n_missing'])})"


def _count(row: pd.DataFrame) -> str:
    return f"{int(row['count'].iloc[0])} ({format_percent(row['share'].iloc[0])})"


def _number(row: pd.DataFrame) -> str:
    median, q1, q3 = row[["median", "q1", "q3"]].iloc[0].astype(float)
    if pd.isna(median):
        return DASH
    size = max(abs(q1), abs(q3))
    digits = 0 if size >= 100 else 1 if size >= 10 else 2
    text = [format_number(value, digits=digits) for value in (median, q1, q3)]
    return f"{text[0]} ({text[1]} to {text[2]})"
