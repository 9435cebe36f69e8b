"""Which features make up a factor."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from reports.style import (
    LINE,
    add_narrow,
    check_columns,
    colours,
    new_figure,
    plain,
    shorten,
)

ROW = 23  # pixels of a bar


def draw_loadings(
    table: pd.DataFrame, *, factor: str, n_features: int = 15, views: Sequence[str] | None = None
) -> go.Figure:
    """Draw the largest loadings of one factor as bars, coloured by view.

    Parameters
    ----------
    table : DataFrame, one row per feature and factor
        Columns `view`, `feature`, `factor` and `loading`.
    factor : str
    n_features : int
        How many, by absolute loading.
    views : sequence of str, optional
        All views of the study, so that a view keeps its colour from figure to figure.

    Returns
    -------
    Figure
    """
    check_columns(table, ["view", "feature", "factor", "loading"], "table")
    chosen = table[table["factor"] == factor]
    if chosen.empty:
        known = list(dict.fromkeys(table["factor"]))
        raise ValueError(f"factor must be one of {known}, but is {factor!r}.")
    order = chosen["loading"].abs().sort_values(ascending=False, kind="stable").index
    top = chosen.loc[order[:n_features]].assign(row=range(min(n_features, len(chosen))))
    colour = colours(views if views is not None else chosen["view"])
    figure = new_figure(height=ROW * len(top) + 92)
    for view, shade in colour.items():
        bars = top[top["view"] == view]
        if bars.empty:
            continue
        figure.add_trace(
            go.Bar(
                x=bars["loading"].tolist(),
                y=bars["row"].tolist(),
                orientation="h",
                width=0.7,
                marker={"color": shade},
                name=plain(view),
                hovertext=[plain(name) for name in bars["feature"]],
                hovertemplate="%{hovertext}<br>%{x:.3f}<extra>%{fullData.name}</extra>",
            )
        )
    figure.update_layout(
        showlegend=True,
        barmode="overlay",
        margin={"t": 30, "r": 16},
        xaxis={
            "title": {"text": f"Loading on {plain(factor)}"},
            "showgrid": True,
            "zeroline": True,
            "zerolinecolor": LINE,
        },
        yaxis={
            "tickvals": top["row"].tolist(),
            "ticktext": [plain(shorten(name, 46)) for name in top["feature"]],
            "range": [len(top) - 0.4, -0.6],
            "showgrid": False,
            "showline": False,
            "ticks": "",
        },
    )
    add_narrow(figure, {"yaxis.ticktext": [plain(shorten(name, 32)) for name in top["feature"]]})
    return figure
