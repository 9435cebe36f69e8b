"""Calibration by groups: points on curves or alone, and a test. Computes no statistic."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from models.calibration_groups import CalibrationGroups
from models.grouped_calibration import GroupedCalibration
from models.hosmer_lemeshow import HosmerLemeshow, HosmerLemeshowTests
from reports.blocks import Block, Figure, FigureGrid, Table, Text
from reports.figures.calibration_points import draw_calibration_points
from reports.tables import DASH, format_number, format_p_value, label, table_rows

NAME_OF_TEST = {"binary": "Hosmer-Lemeshow", "survival": "Greenwood-Nam-D'Agostino"}


def with_points(
    figure: go.Figure,
    found: GroupedCalibration | None,
    *,
    model: str,
    cohort: str,
    validation: str,
    horizon: float,
) -> go.Figure:
    """Draw the points of one model in one cohort onto its curve, where there are some."""
    if found is None:
        return figure
    table = found.table
    same = table["horizon"].isna() if np.isnan(horizon) else table["horizon"] == horizon
    own = (table["model"] == model) & (table["cohort"] == cohort)
    points = table[own & (table["validation"] == validation) & same]
    return draw_calibration_points(points, curve=figure) if len(points) else figure


def points_words(found: GroupedCalibration | None) -> str:
    """Say what the points of a calibration figure are; nothing where there are none."""
    if found is None or not len(found.table):
        return ""
    return (
        f" Points: up to {found.groups} groups, cut at quantiles of the development patients' "
        f"out-of-fold risks, with {100 * found.level:g}% intervals; out of fold, means over "
        "repeats. A group hides what happens within it: the curve does not."
    )


def grouped_blocks(found: GroupedCalibration) -> Iterable[Block]:
    """Show the points of every model alone, for a notebook."""
    unit = found.outcome.unit
    panels = []
    keys = ["model", "cohort", "horizon"]
    for _, points in found.table.groupby(keys, sort=False, dropna=False):
        model, cohort, horizon = points[keys].iloc[0]
        at = None if np.isnan(horizon) else float(horizon)
        by = "" if at is None else f", by {at:g} {unit}"
        figure = draw_calibration_points(points, horizon=at, unit=unit)
        panels.append(Figure(figure=figure, title=f"{model}, {cohort}{by}"))
    yield FigureGrid(panels=panels, title="Calibration by groups.", caption=points_words(found))
    yield Table(table=_rows(found.table), title="Calibration by groups.")


def group_blocks(found: CalibrationGroups) -> Iterable[Block]:
    """Show the points of one set of predictions, for a notebook."""
    figure = draw_calibration_points(found.table, horizon=found.horizon)
    yield Figure(figure=figure, title="Calibration by groups.")
    yield Table(table=_rows(found.table), title="Groups.")


def hosmer_lemeshow_blocks(
    found: HosmerLemeshowTests, models: Sequence[str] | None = None
) -> Iterable[Block]:
    """Show the test of some models, by default of all, with the warning beside the number."""
    table = found.table
    if models is not None:
        table = table[table["model"].isin(models)].drop(columns="model")
    if found.outcome.kind == "binary":
        table = table.drop(columns="horizon")
    counts = {
        name: [DASH if pd.isna(value) else f"{value:.0f}" for value in table[name]]
        for name in ("df", "n_groups", "n_patients", "n_events")
    }
    shown = table.drop(columns="reason").assign(
        validation=[label(kind) for kind in table["validation"]], **counts
    )
    reasons = list(dict.fromkeys(reason for reason in table["reason"] if reason))
    yield Table(
        table=table_rows(shown, labels={"chi2": "χ²", "n_groups": "Groups"}),
        title=f"{NAME_OF_TEST[found.outcome.kind]} test.",
        caption=found.warning,
        note=f"Not given: {'; '.join(reasons)}." if reasons else "",
    )


def own_test_blocks(found: HosmerLemeshow) -> Iterable[Block]:
    """Show the test of one set of predictions, for a notebook."""
    name = NAME_OF_TEST["binary" if found.horizon is None else "survival"]
    yield Text(
        text=f"{name} test: χ² {format_number(found.chi2, digits=2)}, df {found.df}, p "
        f"{format_p_value(found.p_value)}. {found.warning}"
    )
    yield Table(table=found.table, title="Groups.")


def _rows(table: pd.DataFrame) -> pd.DataFrame:
    """Round means of counts; a file keeps them as they are."""
    counts = {name: table[name].round().astype(int) for name in ("n_patients", "n_events")}
    return table.assign(**counts)
