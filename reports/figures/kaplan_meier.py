"""How long each group stays free of the event, and how many are still followed."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from reports.figures.steps import horizon_lines, p_value_note, steps, steps_figure
from reports.style import DASHES, check_columns, colours, plain


def draw_kaplan_meier(
    table: pd.DataFrame,
    at_risk: pd.DataFrame,
    *,
    unit: str | None,
    p_value: float | None = None,
    horizons: Sequence[float] = (),
    title: str = "Survival",
) -> go.Figure:
    """Draw survival curves with their intervals and, under the ticks, the numbers at risk.

    Parameters
    ----------
    table : DataFrame, one row per group and observed time
        Columns `group`, `time`, `n_censored`, `survival`, `lower` and `upper`.
    at_risk : DataFrame, one row per group and tick
        Columns `group`, `time` and `n_at_risk`; its times become the ticks of the time axis.
    unit : str or None
        Unit of time, where it is known.
    p_value : float, optional
        Of the log-rank test between the groups.
    horizons : sequence of float
        Times marked by a dotted line.
    title : str
        Title of the survival axis.

    Returns
    -------
    Figure
    """
    check_columns(table, ["group", "time", "n_censored", "survival", "lower", "upper"], "table")
    check_columns(at_risk, ["group", "time", "n_at_risk"], "at_risk")
    groups = list(dict.fromkeys(table["group"]))
    colour = colours([str(group) for group in groups])
    traces = []
    for position, group in enumerate(groups):
        curve = table[table["group"] == group]
        dash = DASHES[position % len(DASHES)]
        traces += _curve(curve, str(group), colour[str(group)], dash)
    figure = steps_figure(
        traces,
        at_risk,
        colour=colour,
        end=float(table["time"].max()),
        unit=unit,
        yaxis={"range": [0, 1.02], "title": {"text": plain(title)}},
    )
    figure.update_layout(showlegend=len(groups) > 1, shapes=horizon_lines(horizons))
    if p_value is not None:
        figure.add_annotation(p_value_note("Log-rank", p_value))
    return figure


def _curve(curve: pd.DataFrame, name: str, colour: str, dash: str) -> list[go.Scatter]:
    """Return band, step curve and censoring marks of one group; every curve starts at (0, 1)."""
    start = {"time": 0.0, "survival": 1.0, "lower": 1.0, "upper": 1.0, "n_censored": 0}
    curve = curve.sort_values("time", kind="stable")
    if curve["time"].iloc[0] > 0:
        columns = list(start)
        curve = pd.concat([pd.DataFrame([start]), curve[columns]], ignore_index=True)
    censored = curve[curve["n_censored"] > 0]
    marks = go.Scatter(
        x=censored["time"].tolist(),
        y=censored["survival"].tolist(),
        mode="markers",
        marker={"symbol": "line-ns", "size": 7, "line": {"width": 1.1, "color": colour}},
        name=f"{plain(name)}, censored",
        legendgroup=name,
        showlegend=False,
        hoverinfo="skip",
    )
    return [*steps(curve, "survival", name=name, colour=colour, dash=dash), marks]
