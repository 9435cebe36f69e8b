"""Cumulative incidence as a journal prints it: by cohort, and by the risk groups of a model."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from models.competing_description import EVENT, CompetingDescription, round_times
from models.competing_risks import read_at_risk
from reports.blocks import Block, Figure, FigureGrid, Table, Text
from reports.curve_sections import risk_group_names
from reports.figures.cumulative_incidence import draw_cumulative_incidence
from reports.survival_section import cohort_name
from reports.tables import TableRows, format_estimate, format_p_value

OPEN_END = "A dash: follow-up does not tell."


def cause_names(found: CompetingDescription) -> dict[int, str]:
    """Name the causes; a code is no name, and gets one."""
    said = {}
    for cause, label in found.names.items():
        role = "Event" if cause == EVENT else "Competing event"
        is_code = label.replace(".", "", 1).isdigit() or label in ("True", "False")
        said[cause] = f"{role} ({label})" if is_code else label
    return said


def competing_blocks(found: CompetingDescription) -> list[Block]:
    """Describe both kinds of event in every cohort."""
    names, cohorts = cause_names(found), found.cohorts
    percent = f"{100 * cohorts.level:g}%"
    horizons = found.cohort_estimates["time"].unique().tolist()
    panels = []
    for cohort, rows in cohorts.table.groupby("group", sort=False, observed=True):
        at_risk = read_at_risk(rows[rows["cause"] == EVENT], round_times(rows))
        figure = draw_cumulative_incidence(
            rows.astype({"group": object}),
            at_risk.astype({"group": object}),
            unit=found.unit,
            causes=names,
            horizons=horizons,
            top=_top(cohorts.table),
        )
        panels.append(Figure(figure=figure, title=cohort_name(str(cohort))))
    caption = (
        f"Aalen-Johansen with pointwise {percent} intervals (log scale); dotted: the study's "
        "horizons."
    )
    cohort_names = {name: cohort_name(str(name)) for name in found.cohort_estimates["group"]}
    return [
        Text(
            text=f"Another event may come first ({names[2]}). The survival above, and the risks of "
            "the models, take it as censoring: they ask what would happen without it. The "
            "cumulative incidence is the share of patients whom each event reaches."
        ),
        Table(
            table=incidence_rows(
                found.cohort_estimates,
                causes=names,
                groups=cohort_names,
                unit=found.unit,
                heading="Cohort",
            ),
            title="Cumulative incidence.",
            caption=f"Per cent, with {percent} intervals. {OPEN_END}",
        ),
        _together(panels, "Cumulative incidence by cohort.", caption),
    ]


def competing_group_blocks(found: CompetingDescription, model: str) -> Iterable[Block]:
    """Incidence of both kinds of event in the risk groups of one model, with Gray's tests."""
    mine = found.curves[found.curves["model"] == model]
    if not len(mine):
        return
    names = cause_names(found)
    groups = dict(enumerate(risk_group_names(int(found.curves["group"].max()) + 1)))
    estimates = found.estimates[found.estimates["model"] == model]
    panels, headings = [], []
    rows: list[tuple[str, ...]] = []
    ready = TableRows(header=(), rows=(), numeric=())
    for cohort in dict.fromkeys(mine["cohort"]):
        tests = found.tests[(found.tests["model"] == model) & (found.tests["cohort"] == cohort)]
        p_values = dict(zip(tests["cause"], tests["p_value"], strict=True))
        panels.append(_panel(mine, str(cohort), names, groups, p_values.get(EVENT), found.unit))
        said = {
            cause: f"{cohort_name(str(cohort))}: {name}"
            + (f", Gray's p {format_p_value(p_values[cause])}" if cause in p_values else "")
            for cause, name in names.items()
        }
        ready = incidence_rows(
            estimates[estimates["cohort"] == cohort],
            causes=said,
            groups=groups,
            unit=found.unit,
            heading="Risk group",
        )
        headings += [len(rows) + place for place in ready.groups]
        rows += ready.rows
    percent = f"{100 * found.cohorts.level:g}%"
    yield _together(
        panels,
        f"Cumulative incidence by risk group, {names[EVENT]}.",
        f"Aalen-Johansen with pointwise {percent} intervals; groups as in the figures above, which "
        "Gray's p takes as given.",
    )
    yield Table(
        table=TableRows(
            header=ready.header, rows=tuple(rows), numeric=ready.numeric, groups=tuple(headings)
        ),
        title="Cumulative incidence in the risk groups.",
        caption=f"Per cent, with {percent} intervals. {OPEN_END}",
    )


def _panel(
    every: pd.DataFrame,
    cohort: str,
    causes: Mapping[int, str],
    groups: Mapping[int, str],
    p_value: float | None,
    unit: str,
) -> Figure:
    every = every[every["cause"] == EVENT]
    own = every[every["cohort"] == cohort]
    at_risk = read_at_risk(own, round_times(own))
    figure = draw_cumulative_incidence(
        own.assign(group=own["group"].map(groups)),
        at_risk.assign(group=at_risk["group"].map(groups)),
        unit=unit,
        causes=causes,
        p_value=None if p_value is None or np.isnan(p_value) else p_value,
        top=_top(every),
    )
    return Figure(figure=figure, title=cohort_name(cohort))


def _top(curves: pd.DataFrame) -> float:
    """Say what the axis of panels side by side must reach."""
    return float(np.nanmax(curves[["incidence", "upper"]].to_numpy(dtype=np.float64)))


def _together(panels: Sequence[Figure], title: str, caption: str) -> Block:
    if len(panels) == 1:
        return Figure(figure=panels[0].figure, title=title, caption=caption)
    return FigureGrid(panels=list(panels), title=title, caption=caption)


def incidence_rows(
    read: pd.DataFrame,
    *,
    causes: Mapping[int, str],
    groups: Mapping[Any, str],
    unit: str | None,
    heading: str,
) -> TableRows:
    """Lay incidences out in per cent: a heading per cause, a row per group, a column per time.

    Parameters
    ----------
    read : DataFrame
        As `incidence_estimates`.
    causes : mapping of cause to heading
    groups : mapping of group to what stands in its row
    unit : str or None
        Unit of time, where it is known.
    heading : str
        What the groups are.

    Returns
    -------
    TableRows
    """
    times = list(dict.fromkeys(read["time"]))
    rows: list[tuple[str, ...]] = []
    headings = []
    for cause, part in read.groupby("cause", sort=False):
        headings.append(len(rows))
        rows.append((causes[int(str(cause))], *("" for _ in times)))
        for group, own in part.groupby("group", sort=False, observed=True):
            numbers = 100 * own[["estimate", "lower", "upper"]].to_numpy(dtype=np.float64)
            cells = (format_estimate(*row, digits=1) for row in numbers.tolist())
            label: Any = group
            rows.append((f"  {groups[label]}", *cells))
    return TableRows(
        header=(heading, *(f"By {time:g}{f' {unit}' if unit else ''}" for time in times)),
        rows=tuple(rows),
        numeric=(False, *(True for _ in times)),
        groups=tuple(headings),
    )
