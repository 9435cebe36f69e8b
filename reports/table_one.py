"""Table one as a journal prints it: a row per number or level, a column per group of patients."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from models.description import BY_CENTRE, BY_COHORT, TableOne
from omics.cohort import DEVELOPMENT
from omics.moment import in_words
from reports.blocks import Block, Table, Text
from reports.style import feature_name, shown_names
from reports.tables import DASH, TableRows, format_number, format_p_value, format_percent

UNCORRECTED = (
    "p of {names} tests, not adjusted for the number of rows. They describe no patient and answer "
    "no question of this study: differences between cohorts grow significant with their size, "
    "those between randomised groups are chance by design."
)


def table_one_blocks(found: TableOne, *, known: Mapping[str, str] | None = None) -> list[Block]:
    """Table one with its caption, or word that there is nothing to describe."""
    if not len(found.table):
        return [Text(text="The study has no clinical or pathology column.")]
    return [
        Table(
            table=table_one_rows(found, known=known),
            title="Characteristics of the patients.",
            caption=_caption(found),
        )
    ]


def _caption(found: TableOne) -> str:
    parts = ["Median (quartiles) for numbers, count (share of the known) for categories."]
    if found.by != BY_COHORT:
        by = "centre" if found.by == BY_CENTRE else feature_name(found.by)
        left_out = f"; {found.n_unknown} whose {by} is unknown are left out"
        parts.append(f"Development patients by {by}{left_out if found.n_unknown else ''}.")
    if found.balance is not None:
        several = found.table["group"].nunique() > 2
        parts.append(
            "SMD: standardised mean difference, of categories by Mahalanobis' distance"
            + (", mean and largest of all pairs of groups." if several else ".")
        )
    if found.tests is not None:
        names = list(dict.fromkeys(found.tests["test"]))
        parts.append(UNCORRECTED.format(names=", ".join(names)))
    return " ".join(parts)


def table_one_rows(found: TableOne, *, known: Mapping[str, str] | None = None) -> TableRows:
    """Lay out what `models.description.table_one` computed.

    Parameters
    ----------
    found : TableOne
    known : mapping of column to moment, optional
        When a column is known: a column of the table, if any is stated.

    Returns
    -------
    TableRows
        A first cell that starts with two spaces is a level of the category above it. The
        differences stand beside the name of a column.
    """
    table = found.table
    names = list(dict.fromkeys(table["group"]))
    rows: list[tuple[str, ...]] = []
    headings: list[int] = []
    shown = shown_names(table["column"])
    extra = _beside(found)
    said = known or {}
    for column, part in table.groupby("column", sort=False):
        by_group = {name: part[part["group"] == name] for name in names}
        levels = list(dict.fromkeys(part["level"].dropna()))
        beside = tuple(cells.get(str(column), DASH) for cells in extra.values())
        when = [in_words(said.get(str(column), "")) or DASH] if said else []
        blank = [""] if said else []
        if levels:
            headings.append(len(rows))
            rows.append((shown[str(column)], *blank, *("" for _ in names), *beside))
            for position, level in enumerate(levels):
                cells = (_count(by_group[name][by_group[name]["level"] == level]) for name in names)
                first = when if position == 0 else blank
                rows.append((f"  {level}", *first, *cells, *("" for _ in extra)))
        else:
            cells = (_number(by_group[name]) for name in names)
            rows.append((f"{shown[str(column)]}, median (quartiles)", *when, *cells, *beside))
        missing = [int(by_group[name]["n_missing"].iloc[0]) for name in names]
        if any(missing):
            counts = (str(count) for count in missing)
            rows.append(("  missing", *blank, *counts, *("" for _ in extra)))
    return TableRows(
        header=(
            "Characteristic",
            *(["Known"] if said else []),
            *(_head(table[table["group"] == name], found.by) for name in names),
            *extra,
        ),
        rows=tuple(rows),
        numeric=(False, *([False] if said else []), *(True for _ in [*names, *extra])),
        groups=tuple(headings),
    )


def _beside(found: TableOne) -> dict[str, dict[str, str]]:
    """Differences and p values: heading -> column -> cell."""
    extra = {}
    if found.balance is not None:
        several = found.table["group"].nunique() > 2
        extra["SMD, mean (largest)" if several else "SMD"] = {
            str(row["column"]): _difference(row["mean"], row["largest"], several)
            for row in found.balance.summary.to_dict("records")
        }
    if found.tests is not None:
        p_values = zip(found.tests["column"], found.tests["p_value"], strict=True)
        extra["p"] = {str(column): format_p_value(p) for column, p in p_values}
    return extra


def _difference(mean: float, largest: float, several: bool) -> str:
    text = format_number(mean, digits=2)
    if not several or np.isnan(largest):
        return text
    return f"{text} ({format_number(largest, digits=2)})"


def _head(rows: pd.DataFrame, by: str) -> str:
    """Name a group with its size."""
    group, first = str(rows["group"].iloc[0]), rows.iloc[0]
    name = "Development" if by == BY_COHORT and group == DEVELOPMENT else group
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
