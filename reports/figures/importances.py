"""Which predictors a boosted model leans on."""

import pandas as pd
import plotly.graph_objects as go

from reports.style import (
    INK,
    add_narrow,
    check_columns,
    colours,
    new_figure,
    plain,
    shorten,
    shown_names,
)

ROW = 23


def draw_importances(
    table: pd.DataFrame, *, column: str = "share", n_features: int = 20, title: str | None = None
) -> go.Figure:
    """Draw the largest importances as bars.

    Parameters
    ----------
    table : DataFrame, one row per predictor
        Columns `term` and the importance; `lower` and `upper` where known.
    column : str
        The importance shown; higher is more important.
    n_features : int
        How many, the largest first.
    title : str, optional
        Title of the axis, where the column's name does not do.

    Returns
    -------
    Figure
    """
    check_columns(table, ["term", column], "table")
    top = table.sort_values(column, ascending=False, kind="stable").head(n_features)
    rows = list(range(len(top)))
    figure = new_figure(height=ROW * len(top) + 92)
    terms = top["term"].astype(str)
    view = terms.str.partition(":")[0].where(terms.str.contains(":"), "other")
    colour = colours(view)
    for name, shade in colour.items():
        figure.add_trace(_bars(top.assign(row=rows)[view == name], column, name, shade))
    known = shown_names(terms)
    names = [known[term] for term in terms]
    share = {"tickformat": ".0%"} if column == "share" else {}
    default = "Share of gain" if column == "share" else column.replace("_", " ").capitalize()
    figure.update_layout(
        showlegend=len(colour) > 1,
        barmode="overlay",
        bargap=0.3,
        margin={"t": 30, "r": 20},
        xaxis={"title": {"text": plain(title or default)}, "showgrid": True, "nticks": 6, **share},
        yaxis={
            "tickvals": rows,
            "ticktext": [plain(shorten(name, 46)) for name in names],
            "range": [len(top) - 0.4, -0.6],
            "showgrid": False,
            "showline": False,
            "ticks": "",
        },
    )
    add_narrow(figure, {"yaxis.ticktext": [plain(shorten(name, 26)) for name in names]})
    return figure


def _bars(rows: pd.DataFrame, column: str, name: str, colour: str) -> go.Bar:
    bars = go.Bar(
        x=rows[column].tolist(),
        y=rows["row"].tolist(),
        orientation="h",
        marker={"color": colour},
        hovertext=[plain(term) for term in rows["term"]],
        hovertemplate="%{hovertext}<br>%{x:.3g}<extra></extra>",
        name=plain(name),
    )
    if {"lower", "upper"} <= set(rows.columns):
        bars.error_x = {
            "type": "data",
            "symmetric": False,
            "array": (rows["upper"] - rows[column]).tolist(),
            "arrayminus": (rows[column] - rows["lower"]).tolist(),
            "color": INK,
            "thickness": 1.2,
        }
    return bars
