"""What a measurement does along its range: a curve, and the straight line the model draws."""

import pandas as pd
import plotly.graph_objects as go

from reports.style import BLUE, INK, check_columns, faded, new_figure


def draw_linearity(curve: pd.DataFrame, *, title: str, name: str) -> go.Figure:
    """Draw a spline's log ratio against the median beside the straight line.

    Parameters
    ----------
    curve : DataFrame, one row per value
        Columns `value`, `estimate`, `lower`, `upper` and `line`.
    title : str
        Of the vertical axis, ready for plotly.
    name : str
        Of the measurement, ready for plotly.

    Returns
    -------
    Figure
    """
    check_columns(curve, ["value", "estimate", "lower", "upper", "line"], "curve")
    values = curve["value"].tolist()
    edge = {
        "x": values,
        "mode": "lines",
        "line": {"width": 0, "color": BLUE},
        "hoverinfo": "skip",
        "showlegend": False,
        "name": "Interval",
    }
    figure = new_figure(height=250)
    figure.add_trace(go.Scatter(y=curve["lower"].tolist(), **edge))
    figure.add_trace(
        go.Scatter(y=curve["upper"].tolist(), fill="tonexty", fillcolor=faded(BLUE, 0.16), **edge)
    )
    for column, label, line in (
        ("estimate", "Spline (95% band)", {"color": BLUE, "width": 2.4}),
        ("line", "Straight line", {"color": INK, "width": 1.2, "dash": "dash"}),
    ):
        figure.add_trace(
            go.Scatter(
                x=values,
                y=curve[column].tolist(),
                mode="lines",
                line=line,
                name=label,
                hovertemplate="%{x:.4g}: %{y:.3g}<extra>%{fullData.name}</extra>",
            )
        )
    return figure.update_layout(
        hovermode="closest",
        xaxis={"title": {"text": name}, "nticks": 6},
        yaxis={"title": {"text": title}, "nticks": 6},
    )
