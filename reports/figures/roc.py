"""How much sensitivity each loss of specificity buys."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from reports.style import (
    LINE,
    check_columns,
    colours,
    model_line,
    new_figure,
    plain,
    shorten,
)
from reports.tables import format_estimate


def draw_roc(
    curves: Mapping[str, pd.DataFrame],
    *,
    areas: Mapping[str, tuple[float, float, float]] | None = None,
) -> go.Figure:
    """Draw receiver operating characteristics.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        Model -> one row per cut point: `specificity` and `sensitivity`, in [0, 1].
    areas : mapping of str to tuple of three floats, optional
        Model -> the area under its curve and the ends of its interval, for the legend.

    Returns
    -------
    Figure
    """
    figure = new_figure(height=480, max_width=560)
    diagonal = {"color": LINE, "width": 1.2, "dash": "dash"}
    figure.add_trace(
        go.Scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            line=diagonal,
            name="Chance",
            hoverinfo="skip",
            legendrank=2000,
        )
    )
    colour = colours(curves)
    for position, (name, curve) in enumerate(curves.items()):
        check_columns(curve, ["specificity", "sensitivity"], f"the curve of {name!r}")
        curve = curve.sort_values(["specificity", "sensitivity"], ascending=[False, True])
        figure.add_trace(
            go.Scatter(
                x=(1 - curve["specificity"]).tolist(),
                y=curve["sensitivity"].tolist(),
                mode="lines",
                line=model_line(colour[name], position) | {"shape": "linear"},
                name=_legend(name, areas),
                hovertemplate="sensitivity %{y:.0%}, 1 − specificity %{x:.0%}<extra></extra>",
            )
        )
    axis = {"range": [0, 1], "tickformat": ".0%", "showgrid": True}
    figure.update_layout(
        margin={"t": 28},
        hovermode="closest",
        xaxis={**axis, "title": {"text": "1 − specificity"}},
        yaxis={**axis, "title": {"text": "Sensitivity"}},
    )
    return figure


def _legend(name: str, areas: Mapping[str, tuple[float, float, float]] | None) -> str:
    if areas is None or name not in areas:
        return plain(name)
    return f"{plain(shorten(name, 30))}, AUC {format_estimate(*areas[name], digits=2)}"
