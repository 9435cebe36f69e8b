"""Decision curves in figures a reader can quote, and where one model is worth more than another."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from models.decision_differences import DecisionDifferences
from models.performance import Performance
from reports.blocks import Block, Figure, FigureGrid, Table
from reports.figures.decision_difference import draw_decision_difference
from reports.tables import TableRows, format_estimate, format_number
from reports.unseen import UNSEEN, by_cohort

TENTHS = np.arange(1, 10) / 10


def avoided_block(performance: Performance, name: str) -> Iterable[Table]:
    """Tell net benefit and net interventions avoided of one model, at each tenth.

    Of several horizons the middle one is shown; all stand in `tables/decision.csv`.
    """
    table = performance.decision
    table = table[(table["model"] == name) & table["validation"].isin(UNSEEN)]
    horizon = _middle(table["horizon"])
    table = table[_at(table, horizon) & _shown(table["threshold"])]
    if not len(table):
        return
    rows: list[tuple[str, ...]] = []
    groups = []
    for title, part in by_cohort(table):
        groups.append(len(rows))
        rows.append((title, "", "", ""))
        rows += [_row(row) for _, row in part.sort_values("threshold").iterrows()]
    by = "" if np.isnan(horizon) else f" by {horizon:g} {performance.outcome.unit}"
    yield Table(
        table=TableRows(
            header=("Threshold", "Net benefit", "Of treating all", "Avoided per 100"),
            rows=tuple(rows),
            numeric=(False, True, True, True),
            groups=tuple(groups),
        ),
        title=f"Net benefit and net interventions avoided{by}.",
        caption="Estimate (bootstrap interval). Avoided: how many fewer of 100 patients would be "
        "treated than under treating all, at no loss of events; below 0, more. All thresholds and "
        "horizons stand in tables/decision.csv.",
    )


def _row(row: "pd.Series[Any]") -> tuple[str, ...]:
    benefit = row[["net_benefit", "lower", "upper"]].astype(float)
    avoided = row[["interventions_avoided", "avoided_lower", "avoided_upper"]].astype(float)
    return (
        f"  {100 * row['threshold']:g}%",
        format_estimate(*benefit),
        format_number(float(row["treat_all"])),
        format_estimate(*avoided, digits=1),
    )


def difference_blocks(found: DecisionDifferences) -> Iterable[Block]:
    """Draw what each model is worth less the reference, over the thresholds, in every cohort."""
    if not len(found.table):
        return
    horizon = _middle(found.table["horizon"])
    unit = found.outcome.unit
    table = found.table[_at(found.table, horizon)]
    panels = []
    for title, part in by_cohort(table):
        if part["difference"].isna().all():
            continue
        figure = draw_decision_difference(
            {str(name): rows for name, rows in part.groupby("model", sort=False)},
            reference=found.reference,
            horizon=None if np.isnan(horizon) else horizon,
            unit=unit,
        )
        panels.append(Figure(figure=figure, title=title))
    if not panels:
        return
    percent = f"{100 * found.level:g}%"
    band = (
        f"; band: pointwise {percent} paired bootstrap interval, {found.n_draws} draws"
        if found.table["model"].nunique() == 1
        else f"; pointwise {percent} intervals stand in tables/decision_differences.csv"
    )
    caption = (
        f"Above 0 the model is worth more than {found.reference}, in the same patients and draws"
        f"{band}."
    )
    title = "Differences of decision curves."
    if len(panels) == 1:
        yield Figure(figure=panels[0].figure, title=title, caption=caption)
        return
    yield FigureGrid(panels=panels, title=title, caption=caption, columns=2)


def _middle(horizons: "pd.Series[float]") -> float:
    """Give the middle horizon; NaN where there is none."""
    known = np.unique(horizons.dropna().astype(float))
    return float(known[len(known) // 2]) if len(known) else float("nan")


def _at(table: pd.DataFrame, horizon: float) -> "pd.Series[bool]":
    return table["horizon"].isna() if np.isnan(horizon) else table["horizon"] == horizon


def _shown(thresholds: "pd.Series[float]") -> "pd.Series[bool]":
    """Tell the tenths; the ends and the middle of the thresholds where there is none."""
    tenth = np.isclose(thresholds.to_numpy()[:, np.newaxis], TENTHS).any(axis=1)
    if tenth.any():
        return pd.Series(tenth, thresholds.index)
    levels = np.unique(thresholds)
    return thresholds.isin(levels[[0, len(levels) // 2, -1]] if len(levels) else [])
