"""Whether acting on the model is better than treating everybody or nobody.

References
----------
Vickers AJ, Elkin EB. Medical Decision Making 2006;26:565-574. doi:10.1177/0272989X06295361
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from models.decision import Quantity
from reports.figures.layouts import threshold_axis
from reports.style import (
    INK,
    LINE,
    add_narrow,
    check_columns,
    colours,
    faded,
    model_line,
    new_figure,
    plain,
)

ALL, NONE = ("Treat all", LINE), ("Treat none", INK)


@dataclass(frozen=True)
class _Drawn:
    """How a quantity is drawn: its axis, ends of its interval, references, and hover."""

    title: str
    interval: tuple[str, str]
    references: dict[str, tuple[str, str]]
    hover: str
    least_top: float


QUANTITIES: dict[str, _Drawn] = {
    "net_benefit": _Drawn(
        "Net benefit", ("lower", "upper"), {"treat_all": ALL, "treat_none": NONE}, ".3f", 0.01
    ),
    "standardised_net_benefit": _Drawn(
        "Standardised net benefit",
        ("standardised_lower", "standardised_upper"),
        {"standardised_treat_all": ALL, "treat_none": NONE},
        ".2f",
        0.05,
    ),
    "interventions_avoided": _Drawn(
        "Net interventions avoided per 100",
        ("avoided_lower", "avoided_upper"),
        {"treat_none": ALL},  # treating all avoids none
        ".1f",
        5.0,
    ),
}


def draw_decision_curve(
    curves: Mapping[str, pd.DataFrame],
    *,
    quantity: Quantity = "net_benefit",
    horizon: float | None = None,
    unit: str | None = None,
) -> go.Figure:
    """Draw net benefit against the threshold probability, for one or several models.

    One model is drawn with its interval, several without: their bands would hide each other.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        Model -> one row per threshold: `threshold`, the quantity, `treat_all`, `treat_none`, and
        `lower`, `upper` where known (of other quantities see `models.performance`). The models were
        evaluated on the same patients, so the references of the first stand for all.
    quantity : {"net_benefit", "standardised_net_benefit", "interventions_avoided"}
        What is drawn; interventions avoided are against treating all, which avoids none.
    horizon, unit : float and str, optional
        Time at which the risk is asked, and its unit; absent for a binary outcome.

    Returns
    -------
    Figure
    """
    drawn = QUANTITIES[quantity]
    if not curves:
        raise ValueError("curves must hold at least one model, but is empty.")
    for name, curve in curves.items():
        columns = ["threshold", quantity, *drawn.references]
        check_columns(curve, columns, f"the decision curve of {name!r}")
    first = next(iter(curves.values()))
    figure = new_figure(height=420)
    for column, (name, colour) in drawn.references.items():
        line = {"color": colour, "width": 1.4}
        figure.add_trace(_line(first, column, name, line, drawn).update(legendrank=2000))
    colour_of = colours(curves)
    for position, (name, curve) in enumerate(curves.items()):
        if len(curves) == 1:
            figure.add_traces(interval_band(curve, plain(name), colour_of[name], drawn.interval))
        line = model_line(colour_of[name], position)
        figure.add_trace(_line(curve, quantity, plain(name), line, drawn))
    span = [float(first["threshold"].min()), float(first["threshold"].max())]
    shown = [quantity, *drawn.references]
    best = max(float(curve[shown].max().max()) for curve in curves.values())
    top = max(best, drawn.least_top) * 1.1
    figure.update_layout(
        hovermode="x unified" if len(curves) == 1 else "closest",
        margin={"t": 28},
        xaxis=threshold_axis(span, horizon=horizon, unit=unit),
        yaxis={"title": {"text": drawn.title}, "range": [-0.25 * top, top], "nticks": 7},
    )
    add_narrow(figure, {"xaxis.nticks": 5, "xaxis.title.text": "Threshold probability"})
    return figure


def _line(
    curve: pd.DataFrame, column: str, name: str, line: dict[str, Any], drawn: _Drawn
) -> go.Scatter:
    curve = curve.sort_values("threshold", kind="stable")
    return go.Scatter(
        x=curve["threshold"].tolist(),
        y=curve[column].tolist(),
        mode="lines",
        line=line,
        name=name,
        hovertemplate=f"at %{{x:.0%}}: %{{y:{drawn.hover}}}<extra>%{{fullData.name}}</extra>",
    )


def interval_band(
    curve: pd.DataFrame, name: str, colour: str, interval: tuple[str, str]
) -> list[go.Scatter]:
    """Shade between two columns over the threshold; nothing where they are absent."""
    lower, upper = interval
    if not {lower, upper} <= set(curve.columns):
        return []
    band = curve[["threshold", lower, upper]].dropna().sort_values("threshold", kind="stable")
    edge: dict[str, Any] = {
        "x": band["threshold"].tolist(),
        "mode": "lines",
        "line": {"width": 0, "color": colour},
        "hoverinfo": "skip",
        "showlegend": False,
        "name": f"{name}, interval",
    }
    return [
        go.Scatter(y=band[lower].tolist(), **edge),
        go.Scatter(y=band[upper].tolist(), fill="tonexty", fillcolor=faded(colour, 0.13), **edge),
    ]
