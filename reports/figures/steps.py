"""What figures of survival and of incidence share: steps with a band, and who is still followed."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from reports.style import INK, LINE, MUTED, SMALL, faded, new_figure, plain, wrapped
from reports.tables import format_p_value

CURVES = 300  # pixels of the panel of curves
GAP = 58  # pixels for tick labels and the title of the time axis
LEFT = 60  # pixels for the labels of the axis


def steps_figure(
    traces: Sequence[go.Scatter],
    at_risk: pd.DataFrame,
    *,
    colour: Mapping[str, str],
    end: float,
    unit: str | None,
    yaxis: dict[str, Any],
) -> go.Figure:
    """Set curves over the numbers at risk of their groups.

    Parameters
    ----------
    traces : sequence of Scatter
    at_risk : DataFrame, one row per group and tick
        Columns `group`, `time` and `n_at_risk`; its times become the ticks of the time axis.
    colour : mapping of group to colour
        In the order of the rows.
    end : float
        Last time of a curve.
    unit : str, optional
        Unit of time.
    yaxis : dict
        Of the curves: title, range and format.

    Returns
    -------
    Figure
    """
    names = [wrapped(group, 16, max_lines=2) for group in colour]
    row = 34 if any("<br>" in name for name in names) else 22
    below = row * len(names) + 24
    height = CURVES + GAP + below
    figure = new_figure(height=height + 56)
    figure.add_traces([*traces, *_counts(at_risk, list(colour))])
    ticks = sorted(set(at_risk["time"]))
    end = max(end, float(ticks[-1]))
    figure.update_layout(
        hovermode="closest",
        margin={"t": 28, "b": 8, "l": LEFT, "r": 20},
        xaxis={
            "range": [-0.025 * end, 1.025 * end],
            "tickvals": ticks,
            "ticktext": [f"{tick:g}" for tick in ticks],
            "title": {"text": f"Time ({plain(unit)})" if unit else "Time", "standoff": 4},
            "anchor": "y",
        },
        yaxis={"domain": [(below + GAP) / height, 1], "tickformat": ".0%", **yaxis},
        yaxis2=_risk_axis(names, list(colour.values()), below / height),
        annotations=[_heading()],
    )
    return figure


def steps(
    curve: pd.DataFrame, value: str, *, name: str, colour: str, dash: str
) -> list[go.Scatter]:
    """Draw the band, where there is one, and the steps of one curve, sorted by time."""
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
    return [
        go.Scatter(y=band["lower"].tolist(), **edge),
        go.Scatter(y=band["upper"].tolist(), fill="tonexty", fillcolor=faded(colour, 0.16), **edge),
        go.Scatter(
            x=curve["time"].tolist(),
            y=curve[value].tolist(),
            mode="lines",
            line={"shape": "hv", "color": colour, "width": 2.2, "dash": dash},
            name=plain(name),
            legendgroup=name,
            hovertemplate="%{x:.4g}: %{y:.1%}<extra>%{fullData.name}</extra>",
        ),
    ]


def horizon_lines(horizons: Sequence[float]) -> list[dict[str, Any]]:
    """Mark times by dotted lines."""
    return [
        {
            "type": "line",
            "layer": "below",
            "x0": time,
            "x1": time,
            "y0": 0,
            "y1": 1,
            "yref": "y domain",
            "line": {"color": LINE, "width": 1, "dash": "dot"},
        }
        for time in horizons
    ]


def p_value_note(test: str, p_value: float, *, top: bool = False) -> dict[str, Any]:
    """Name a test and its p value in the left corner of the curves, at the bottom or the top."""
    text = format_p_value(p_value)
    text = f"{text[0]} {text[1:]}" if text[0] in "<>" else f"= {text}"
    return {
        "text": f"{test} p {plain(text)}",
        "x": 0.02,
        "xref": "x domain",
        "xanchor": "left",
        "y": 0.96 if top else 0.04,
        "yref": "y domain",
        "yanchor": "top" if top else "bottom",
    }


def _counts(at_risk: pd.DataFrame, groups: list[str]) -> list[go.Scatter]:
    rows = []
    for position, group in enumerate(groups):
        chosen = at_risk[at_risk["group"].astype(str) == group]
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
