"""Patients in the plane in which their features vary most, coloured by centre."""

import pandas as pd
import plotly.graph_objects as go

from reports.style import check_columns, colours, new_figure, plain

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")


def draw_centre_components(components: pd.DataFrame, *, stage: str) -> go.Figure:
    """Draw each patient of one stage; both stages have the same axes.

    Parameters
    ----------
    components : DataFrame
        Of `models.harmonisation.Harmonisation`.
    stage : {"before", "after"}
    """
    check_columns(components, ["stage", "centre", "first", "second"], "components")
    figure = new_figure(height=360)
    palette = colours(dict.fromkeys(components["centre"]))
    mine = components[components["stage"] == stage]
    for number, centre in enumerate(palette):
        rows = mine[mine["centre"] == centre]
        figure.add_trace(
            go.Scatter(
                x=rows["first"].tolist(),
                y=rows["second"].tolist(),
                mode="markers",
                marker={
                    "color": palette[centre],
                    "symbol": SYMBOLS[number % len(SYMBOLS)],
                    "size": 6,
                    "opacity": 0.75,
                },
                name=plain(centre),
                hoverinfo="name",
            )
        )
    figure.update_layout(
        showlegend=True,
        hovermode="closest",
        xaxis={"title": {"text": "First component"}, "range": _reach(components["first"])},
        yaxis={"title": {"text": "Second component"}, "range": _reach(components["second"])},
    )
    return figure


def _reach(values: pd.Series) -> list[float]:
    room = 0.05 * (values.max() - values.min())
    return [float(values.min() - room), float(values.max() + room)]
