"""What acting on a risk at or above a threshold finds and misses, in tables."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from models.classification import METRICS, Classification
from models.classified import ClassifiedModels
from reports.blocks import Table
from reports.style import plain
from reports.tables import TableRows, format_estimate, label
from reports.unseen import UNSEEN, by_cohort

FROZEN = (
    "A risk at or above the threshold counts as positive. The thresholds were stated in the study; "
    "the patients evaluated here did not choose them."
)
TRADED = (
    "PPV and NPV hold for the frequency of the event in each cohort; sensitivity and specificity "
    "move against each other with the threshold."
)


def classification_block(found: ClassifiedModels, name: str) -> Iterable[Table]:
    """Show one model at each threshold, in every cohort.

    Of several horizons the middle one is shown; all stand in `tables/classification.csv`.
    """
    mine = found.table[found.table["model"] == name]
    known = np.unique(mine["horizon"].dropna())
    table, by = mine, ""
    if len(known):
        horizon = float(known[len(known) // 2])
        table = mine[mine["horizon"] == horizon]
        by = f" by {horizon:g} {plain(found.outcome.unit or '')}".rstrip()
    rows: list[tuple[str, ...]] = []
    groups = []
    for title, part in by_cohort(table):
        groups.append(len(rows))
        rows.append((title, *[""] * len(METRICS)))
        rows += _rows(part, indent="  ")
    if not rows:
        return
    others = " All horizons stand in tables/classification.csv." if len(known) > 1 else ""
    methods = "; ".join(
        f"{UNSEEN[str(kind)]}: {part['method'].iloc[0]}"
        for kind, part in table.groupby("validation", sort=False)
    )
    yield Table(
        table=_table_rows(rows, tuple(groups)),
        title=f"Classification at frozen thresholds{by}.",
        caption=f"{FROZEN} Estimate ({_level(table)} interval).{others}",
        note=f"{TRADED} Intervals, {methods}.",
    )


def classified_blocks(found: ClassifiedModels) -> Iterable[Table]:
    """Show every model, for a notebook."""
    for name in dict.fromkeys(found.table["model"]):
        for table in classification_block(found, str(name)):
            yield Table(
                table=table.table,
                title=f"{name}. {table.title}",
                caption=table.caption,
                note=table.note,
            )


def one_classification(found: Classification) -> Iterable[Table]:
    """Show the figures of one set of predictions, for a notebook."""
    by = "" if np.isnan(found.horizon) else f" by {found.horizon:g}"
    yield Table(
        table=_table_rows(_rows(found.table), ()),
        title=f"Classification{by}.",
        caption=f"A risk at or above the threshold counts as positive. {found.n_patients} "
        f"patients, {found.n_events} events. Estimate ({100 * found.level:g}% interval).",
    )


def _rows(table: pd.DataFrame, indent: str = "") -> list[tuple[str, ...]]:
    rows = []
    for threshold, part in table.groupby("threshold"):
        ends = part.set_index("metric")[["estimate", "lower", "upper"]].astype(np.float64)
        cells = [format_estimate(*ends.loc[metric], digits=2) for metric in METRICS]
        rows.append((f"{indent}{100 * float(str(threshold)):g}%", *cells))
    return rows


def _table_rows(rows: list[tuple[str, ...]], groups: tuple[int, ...]) -> TableRows:
    return TableRows(
        header=("Threshold", *map(label, METRICS)),
        rows=tuple(rows),
        numeric=(False, *[True] * len(METRICS)),
        groups=groups,
    )


def _level(table: pd.DataFrame) -> str:
    return f"{100 * float(table['level'].iloc[0]):g}%"
