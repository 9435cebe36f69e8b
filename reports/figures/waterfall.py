"""Every patient's score, from the lowest to the highest, and who had the event."""

import pandas as pd
import plotly.graph_objects as go

from reports.style import BLUE, VERMILLION, check_columns, new_figure, plain

GROUPS = ((False, BLUE), (True, VERMILLION))


def draw_waterfall(table: pd.DataFrame, *, title: str, labels: tuple[str, str]) -> go.Figure:
    """Draw one bar per patient.

    Parameters
    ----------
    table : DataFrame, one row per patient
        Columns `rank`, `deviation` (from the median score) and `event`.
    title : str
        Name of the score.
    labels : pair of str
        What patients without and with the event are called.

    Returns
    -------
    Figure
    """
    check_columns(table, ["rank", "deviation", "event"], "table")
    figure = new_figure(height=340)
    for (observed, shade), name in zip(GROUPS, labels, strict=True):
        bars = table[table["event"] == observed]
        figure.add_trace(
            go.Bar(
                x=bars["rank"].tolist(),
                y=bars["deviation"].tolist(),
                marker={"color": shade, "line": {"width": 0}},
                name=plain(name),
                hovertemplate="%{y:.3f}<extra>%{fullData.name}</extra>",
            )
        )
    figure.update_layout(
        hovermode="closest",
        barmode="overlay",
        bargap=0.0 if len(table) > 150 else 0.15,
        margin={"t": 30},
        xaxis={
            "title": {"text": "Patients, by score"},
            "range": [0.4, len(table) + 0.6],
            "showticklabels": False,
            "ticks": "",
        },
        yaxis={"title": {"text": f"{plain(title)}, from the median"}, "zeroline": True},
    )
    return figure
