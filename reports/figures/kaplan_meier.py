"""How long each group stays free of the event, and how many are still followed."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from reports.style import (
    DASHES,
    INK,
    LINE,
    MUTED,
    SMALL,
    check_columns,
    colours,
    faded,
    new_figure,
    plain,
    wrapped,
)
from reports.tables import format_p_value

CURVES = 300  # pixels of the panel of curves
GAP = 58  # pixels for tick labels and the title of the time axis


def draw_kaplan_meier(
    table: pd.DataFrame,
    at_risk: pd.DataFrame,
    *,
    unit: str,
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
    unit : str
        Unit of time.
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
    names = [wrapped(group, 16, max_lines=2) for group in groups]
    row = 34 if any("<br>" in name for name in names) else 22
    below = row * len(groups) + 24
    height = CURVES + GAP + below
    colour = colours([str(group) for group in groups])
    figure = new_figure(height=height + 56)
    for position, group in enumerate(groups):
        curve = table[table["group"] == group]
        dash = DASHES[position % len(DASHES)]
        figure.add_traces(_curve(curve, str(group), colour[str(group)], dash))
    figure.add_traces(_counts(at_risk, groups, colour))
    ticks = sorted(set(at_risk["time"]))
    end = max(float(table["time"].max()), float(ticks[-1]))
    figure.update_layout(
        showlegend=len(groups) > 1,
        hovermode="closest",
        margin={"t": 28, "b": 8, "l": 60, "r": 20},
        xaxis={
            "range": [-0.025 * end, 1.025 * end],
            "tickvals": ticks,
            "ticktext": [f"{tick:g}" for tick in ticks],
            "title": {"text": f"Time ({plain(unit)})", "standoff": 4},
            "anchor": "y",
        },
        yaxis={
            "range": [0, 1.02],
            "domain": [(below + GAP) / height, 1],
            "title": {"text": plain(title)},
            "tickformat": ".0%",
        },
        yaxis2=_risk_axis(names, [colour[str(group)] for group in groups], below / height),
        annotations=[_heading(), *_log_rank(p_value)],
        shapes=[_horizon(time) for time in horizons],
    )
    return figure


def _curve(curve: pd.DataFrame, name: str, colour: str, dash: str) -> list[go.Scatter]:
    """Return band, step curve and censoring marks of one group; every curve starts at (0, 1)."""
    start = {"time": 0.0, "survival": 1.0, "lower": 1.0, "upper": 1.0, "n_censored": 0}
    curve = curve.sort_values("time", kind="stable")
    if curve["time"].iloc[0] > 0:
        columns = list(start)
        curve = pd.concat([pd.DataFrame([start]), curve[columns]], ignore_index=True)
    band = curve[["time", "lower", "upper"]].dropna()
    edge: dict[str, Any] = {
        "x": band["time"].tolist(),
        "mode": "lines",
        "line": {"width": 0, "shape": "hv", "color": colour},
        "hoverinfo": "skip",
        "showlegend": False,
        "legendgroup": name,
        "name": plain(name),
    }
    censored = curve[curve["n_censored"] > 0]
    return [
        go.Scatter(y=band["lower"].tolist(), **edge),
        go.Scatter(y=band["upper"].tolist(), fill="tonexty", fillcolor=faded(colour, 0.16), **edge),
        go.Scatter(
            x=curve["time"].tolist(),
            y=curve["survival"].tolist(),
            mode="lines",
            line={"shape": "hv", "color": colour, "width": 2.2, "dash": dash},
            name=plain(name),
            legendgroup=name,
            hovertemplate="%{x:.4g}: %{y:.1%}<extra>%{fullData.name}</extra>",
        ),
        go.Scatter(
            x=censored["time"].tolist(),
            y=censored["survival"].tolist(),
            mode="markers",
            marker={"symbol": "line-ns", "size": 7, "line": {"width": 1.1, "color": colour}},
            name=f"{plain(name)}, censored",
            legendgroup=name,
            showlegend=False,
            hoverinfo="skip",
        ),
    ]


def _counts(at_risk: pd.DataFrame, groups: list[Any], colour: dict[str, str]) -> list[go.Scatter]:
    rows = []
    for position, group in enumerate(groups):
        chosen = at_risk[at_risk["group"] == group]
        rows.append(
            go.Scatter(
                x=chosen["time"].tolist(),
                y=[-position] * len(chosen),
                text=[f"{count:.0f}" for count in chosen["n_at_risk"]],
                mode="text",
                textfont={"size": SMALL, "color": INK},
                yaxis="y2",
                hoverinfo="skip",
                showlegend=False,
                cliponaxis=False,
                name=f"{plain(group)}, at risk",
            )
        )
    return rows


def _risk_axis(names: list[str], colour: list[str], top: float) -> dict[str, Any]:
    return {
        "domain": [0, top],
        "range": [0.6 - len(names), 1.2],
        "tickvals": [-position for position in range(len(names))],
        "ticktext": [
            f'<span style="color:{shade}">■</span> {name}'
            for name, shade in zip(names, colour, strict=True)
        ],
        "showgrid": False,
        "showline": False,
        "ticks": "outside",
        "ticklen": 10,  # room between names and numbers
        "tickcolor": "rgba(0,0,0,0)",
        "anchor": "x",
        "tickfont": {"size": SMALL},
    }


def _heading() -> dict[str, Any]:
    return {
        "text": "<b>Number at risk</b>",
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": 0.95,
        "yref": "y2",
        "font": {"size": SMALL, "color": MUTED},
    }


def _log_rank(p_value: float | None) -> list[dict[str, Any]]:
    if p_value is None:
        return []
    text = format_p_value(p_value)
    text = f"{text[0]} {text[1:]}" if text[0] in "<>" else f"= {text}"
    note = {
        "text": f"Log-rank p {plain(text)}",
        "x": 0.02,
        "xref": "x domain",
        "xanchor": "left",
        "y": 0.04,
        "yref": "y domain",
        "yanchor": "bottom",
    }
    return [note]


def _horizon(time: float) -> dict[str, Any]:
    return {
        "type": "line",
        "layer": "below",
        "x0": time,
        "x1": time,
        "y0": 0,
        "y1": 1,
        "yref": "y domain",
        "line": {"color": LINE, "width": 1, "dash": "dot"},
    }
