"""At which thresholds a model is worth more than another."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from reports.figures.decision_curve import interval_band
from reports.figures.layouts import threshold_axis
from reports.style import (
    INK,
    add_narrow,
    check_columns,
    colours,
    model_line,
    new_figure,
    plain,
)


def draw_decision_difference(
    curves: Mapping[str, pd.DataFrame],
    *,
    reference: str,
    horizon: float | None = None,
    unit: str | None = None,
) -> go.Figure:
    """Draw net benefit less that of a reference against the threshold probability.

    One model is drawn with its interval, several without: their bands would hide each other.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        Model -> one row per threshold: `threshold`, `difference`, `lower`, `upper`.
    reference : str
        The model that was subtracted; the line at 0.
    horizon, unit : float and str, optional
        Time at which the risk is asked, and its unit; absent for a binary outcome.

    Returns
    -------
    Figure
    """
    if not curves:
        raise ValueError("curves must hold at least one model, but is empty.")
    for name, curve in curves.items():
        columns = ["threshold", "difference", "lower", "upper"]
        check_columns(curve, columns, f"the differences of {name!r}")
    figure = new_figure(height=380)
    first = next(iter(curves.values()))
    span = [float(first["threshold"].min()), float(first["threshold"].max())]
    zero: dict[str, Any] = {"mode": "lines", "line": {"color": INK, "width": 1.4}}
    figure.add_trace(
        go.Scatter(
            x=span, y=[0.0, 0.0], name=plain(reference), hoverinfo="skip", legendrank=2000, **zero
        )
    )
    colour_of = colours([reference, *curves])
    for position, (name, table) in enumerate(curves.items()):
        curve = table.sort_values("threshold", kind="stable")
        if len(curves) == 1:
            figure.add_traces(
                interval_band(curve, plain(name), colour_of[name], ("lower", "upper"))
            )
        figure.add_trace(
            go.Scatter(
                x=curve["threshold"].tolist(),
                y=curve["difference"].tolist(),
                mode="lines",
                line=model_line(colour_of[name], position),
                name=plain(name),
                hovertemplate="at %{x:.0%}: %{y:.3f}<extra>%{fullData.name}</extra>",
            )
        )
    figure.update_layout(
        hovermode="x unified" if len(curves) == 1 else "closest",
        margin={"t": 28},
        xaxis=threshold_axis(span, horizon=horizon, unit=unit),
        yaxis={"title": {"text": f"Net benefit less that of {plain(reference)}"}, "nticks": 7},
    )
    add_narrow(
        figure,
        {
            "xaxis.nticks": 5,
            "xaxis.title.text": "Threshold probability",
            "yaxis.title.text": "Difference in net benefit",
        },
    )
    return figure
