"""Whether acting on the model is better than treating everybody or nobody.

References
----------
Vickers AJ, Elkin EB. Medical Decision Making 2006;26:565-574. doi:10.1177/0272989X06295361
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from reports.style import (
    DASHES,
    INK,
    LINE,
    add_narrow,
    check_columns,
    colours,
    faded,
    new_figure,
    plain,
)

REFERENCES = {"treat_all": ("Treat all", LINE), "treat_none": ("Treat none", INK)}


def draw_decision_curve(
    curves: Mapping[str, pd.DataFrame], *, horizon: float | None = None, unit: str | None = None
) -> go.Figure:
    """Draw net benefit against the threshold probability, for one or several models.

    One model is drawn with its interval, several without: their bands would hide each other.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        Model -> one row per threshold: `threshold`, `net_benefit`, `treat_all`, `treat_none`, and
        `lower`, `upper` where known. The models were evaluated on the same patients, so the
        references of the first stand for all.
    horizon, unit : float and str, optional
        Time at which the risk is asked, and its unit; absent for a binary outcome.

    Returns
    -------
    Figure
    """
    if not curves:
        raise ValueError("curves must hold at least one model, but is empty.")
    for name, curve in curves.items():
        columns = ["threshold", "net_benefit", "treat_all", "treat_none"]
        check_columns(curve, columns, f"the decision curve of {name!r}")
    first = next(iter(curves.values()))
    figure = new_figure(height=420)
    for column, (name, colour) in REFERENCES.items():
        line = {"color": colour, "width": 1.4}
        figure.add_trace(_line(first, column, name, line).update(legendrank=2000))
    colour_of = colours(curves)
    for position, (name, curve) in enumerate(curves.items()):
        if len(curves) == 1:
            figure.add_traces(_band(curve, plain(name), colour_of[name]))
        dash = DASHES[position % len(DASHES)]
        line = {"color": colour_of[name], "width": 2.4, "dash": dash}
        figure.add_trace(_line(curve, "net_benefit", plain(name), line))
    best = max(float(curve[["net_benefit", "treat_all"]].max().max()) for curve in curves.values())
    top = max(best, 0.01) * 1.1
    by = "" if horizon is None else f", event by {horizon:g} {plain(unit or '')}".rstrip()
    figure.update_layout(
        hovermode="x unified" if len(curves) == 1 else "closest",
        margin={"t": 28},
        xaxis={
            "title": {"text": f"Threshold probability{by}"},
            "tickformat": ".0%",
            "range": [float(first["threshold"].min()), float(first["threshold"].max())],
            "nticks": 8,
        },
        yaxis={"title": {"text": "Net benefit"}, "range": [-0.25 * top, top], "nticks": 7},
    )
    add_narrow(figure, {"xaxis.nticks": 5, "xaxis.title.text": "Threshold probability"})
    return figure


def _line(curve: pd.DataFrame, column: str, name: str, line: dict[str, Any]) -> go.Scatter:
    curve = curve.sort_values("threshold", kind="stable")
    return go.Scatter(
        x=curve["threshold"].tolist(),
        y=curve[column].tolist(),
        mode="lines",
        line=line,
        name=name,
        hovertemplate="at %{x:.0%}: %{y:.3f}<extra>%{fullData.name}</extra>",
    )


def _band(curve: pd.DataFrame, name: str, colour: str) -> list[go.Scatter]:
    if not {"lower", "upper"} <= set(curve.columns):
        return []
    band = curve[["threshold", "lower", "upper"]].dropna().sort_values("threshold", kind="stable")
    edge: dict[str, Any] = {
        "x": band["threshold"].tolist(),
        "mode": "lines",
        "line": {"width": 0, "color": colour},
        "hoverinfo": "skip",
        "showlegend": False,
        "name": f"{name}, interval",
    }
    return [
        go.Scatter(y=band["lower"].tolist(), **edge),
        go.Scatter(y=band["upper"].tolist(), fill="tonexty", fillcolor=faded(colour, 0.13), **edge),
    ]
