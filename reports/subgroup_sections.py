"""Whether each model holds in every centre and subgroup: a figure and a table for each."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from models.subgroups import CENTRE, LEAST_EVENTS, Subgroups
from reports.blocks import Block, Figure, FigureGrid, Section, Table, Text
from reports.figures.subgroups import draw_subgroups
from reports.style import shown_names
from reports.tables import DASH, TableRows, digits_of, format_estimate, label
from reports.unseen import UNSEEN


def subgroups_section(subgroups: Subgroups) -> Section:
    """Show every model by centre and subgroup, at one horizon; the rest stands in the file."""
    table, unit = _named(subgroups.table), subgroups.outcome.unit
    horizon = _shown_horizon(table)
    text = (
        "Development patients out of fold, external ones by the frozen pipeline. Intervals are of "
        "one subgroup each, not adjusted for their number: of many subgroups one may look bad by "
        f"chance. With fewer than {LEAST_EVENTS} events the counts stand alone."
    )
    return Section(
        id="subgroups",
        title="Centres and subgroups",
        blocks=[Text(text=text)],
        sections=[
            Section(
                id=f"subgroups-{number}",
                title=str(model),
                blocks=list(_model_blocks(part, horizon, unit)),
            )
            for number, (model, part) in enumerate(table.groupby("model", sort=False), start=1)
        ],
    )


def _named(table: pd.DataFrame) -> pd.DataFrame:
    """Name subgroups as a reader does."""
    names = {**shown_names(table["subgroup"]), CENTRE: "Centre"}
    return table.assign(subgroup=[names[str(name)] for name in table["subgroup"]])


def _shown_horizon(table: pd.DataFrame) -> float:
    """Choose the middle horizon of those with a figure; NaN for a class."""
    known = table.loc[table["estimate"].notna(), "horizon"].dropna().unique()
    horizons = np.sort(known if len(known) else table["horizon"].dropna().unique())
    return float(horizons[len(horizons) // 2]) if len(horizons) else float("nan")


def _metrics(table: pd.DataFrame, horizon: float) -> list[tuple[str, float]]:
    """Name the figures that are shown, each with its horizon."""
    ranking = "c_index" if "c_index" in set(table["metric"]) else "auc"
    return [
        (ranking, float("nan")),
        ("brier", horizon),
        ("calibration_slope", float("nan")),
        ("observed_expected", horizon),
    ]


def _rows_of(table: pd.DataFrame, metric: str, horizon: float) -> pd.DataFrame:
    same = table["horizon"].isna() if np.isnan(horizon) else table["horizon"] == horizon
    return table[(table["metric"] == metric) & same]


def _model_blocks(table: pd.DataFrame, horizon: float, unit: str | None) -> Iterable[Block]:
    metrics = _metrics(table, horizon)
    panels = []
    for metric, when in (metrics[0], metrics[-1]):
        rows = _rows_of(table, metric, when)
        if rows["estimate"].notna().any():
            figure = draw_subgroups(rows, at=_at(when, unit))
            panels.append(Figure(figure=figure, title=f"{label(metric)}{_at(when, unit)}"))
    if panels:
        yield FigureGrid(
            panels=panels,
            title="By centre and subgroup.",
            caption="With intervals; the small numbers are events/patients of each cohort, in the "
            "order of the legend.",
        )
    yield Table(
        table=_rows(table, metrics, unit),
        title="Figures by centre and subgroup.",
        caption=f"Estimate ({100 * float(table['level'].iloc[0]):g}% interval). Every figure and "
        "horizon stands in tables/subgroups.csv.",
        note=" ".join(f"{text[:1].upper()}{text[1:]}." for text in dict.fromkeys(table["method"])),
    )


def _at(horizon: float, unit: str | None) -> str:
    return "" if np.isnan(horizon) else f" at {horizon:g} {unit or ''}".rstrip()


def _rows(table: pd.DataFrame, metrics: list[tuple[str, float]], unit: str | None) -> TableRows:
    """Lay out a row per level, below its cohort and subgroup."""
    rows: list[tuple[str, ...]] = []
    groups = []
    empty = [""] * (len(metrics) + 2)
    for (validation, cohort, subgroup), part in table.groupby(
        ["validation", "cohort", "subgroup"], sort=False
    ):
        groups.append(len(rows))
        rows.append((f"{subgroup}, {cohort} ({UNSEEN[str(validation)]})", *empty))
        for level, figures in part.groupby("subgroup_level", sort=False):
            counts = [str(figures[name].iloc[0]) for name in ("n_patients", "n_events")]
            cells = [_cell(_rows_of(figures, metric, when)) for metric, when in metrics]
            rows.append((f"  {level}", *counts, *cells))
    return TableRows(
        header=(
            *("Level", "Patients", "Events"),
            *(f"{label(metric)}{_at(when, unit)}" for metric, when in metrics),
        ),
        rows=tuple(rows),
        numeric=(False, *[True] * (len(metrics) + 2)),
        groups=tuple(groups),
    )


def _cell(rows: pd.DataFrame) -> str:
    if len(rows) != 1:
        return DASH
    row = rows.iloc[0]
    digits = digits_of(row["metric"])
    return format_estimate(row["estimate"], row["lower"], row["upper"], digits=digits)
