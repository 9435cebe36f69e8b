"""NRI and IDI of every model, never without their warning. Computes no statistic."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from models.reclassification import PARTS, Reclassification, Reclassifications
from reports.blocks import Block, Table
from reports.tables import TableRows, format_estimate, format_percent, table_rows
from reports.unseen import by_cohort

NAMES = {"nri": "NRI, categories", "nri_category_free": "NRI, category-free", "idi": "IDI"}


def reclassification_blocks(found: Reclassifications) -> Iterable[Block]:
    """Show the figures of every model at the middle horizon, the warning in the caption."""
    table = found.table
    if not len(table):
        return
    horizons = np.sort(table["horizon"].unique())
    horizon = float(horizons[len(horizons) // 2])
    shown = table if np.isnan(horizon) else table[table["horizon"] == horizon]
    at = "" if np.isnan(horizon) else f", by {horizon:g} {found.outcome.unit}"
    level = 100 * float(table["level"].iloc[0])
    methods = " ".join(f"{m[:1].upper()}{m[1:]}." for m in dict.fromkeys(shown["method"]))
    yield Table(
        table=_by_cohort(shown),
        title=f"Reclassification against {found.reference}{at}.",
        caption=f"{found.warning} Estimate ({level:g}% interval), above 0 where risks moved the "
        f"right way.{_category_words(found)} All horizons stand in tables/reclassification.csv.",
        note=methods,
    )


def own_reclassification_blocks(found: Reclassification) -> Iterable[Block]:
    """Show the figures of one pair of predictions, for a notebook."""
    names = [NAMES[metric] for metric in found.table["metric"]]
    yield Table(
        table=table_rows(found.table.assign(metric=names)),
        title="Reclassification.",
        caption=found.warning,
    )


def _category_words(found: Reclassifications) -> str:
    if not len(found.categories):
        return ""
    levels = ", ".join(format_percent(float(level), digits=1) for level in found.categories)
    return f" Categories part at {levels}."


def _by_cohort(table: pd.DataFrame) -> TableRows:
    """Lay the figures out: a row per model and metric below its cohort, a column per part."""
    rows: list[tuple[str, ...]] = []
    groups = []
    for heading, own in by_cohort(table):
        groups.append(len(rows))
        rows.append((heading, *[""] * (1 + len(PARTS))))
        for _, part in own.groupby(["model", "metric"], sort=False):
            cells = part.set_index("part").loc[list(PARTS), ["estimate", "lower", "upper"]]
            model, metric = part[["model", "metric"]].iloc[0]
            estimates = (format_estimate(*row) for row in cells.to_numpy())
            rows.append((f"  {model}", NAMES[str(metric)], *estimates))
    return TableRows(
        header=("Model", "Figure", "Events", "Non-events", "Sum"),
        rows=tuple(rows),
        numeric=(False, False, True, True, True),
        groups=tuple(groups),
    )
