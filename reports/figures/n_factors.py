"""How well hidden values are predicted, by the number of factors."""

import pandas as pd
import plotly.graph_objects as go

from reports.figures.comparison import neutral_line
from reports.style import (
    DASHES,
    INK,
    LINE,
    PALETTE,
    check_columns,
    new_figure,
    plain,
    shorten,
)

ALL = "all"


def draw_n_factors(table: pd.DataFrame, *, chosen: int, declared: int | None = None) -> go.Figure:
    """Draw the error of hidden values against the number of factors, all views and each.

    Parameters
    ----------
    table : DataFrame, one row per number of factors and view
        `n_factors` (0 is the mean alone), `view` (``all`` is the mean over views), `error` (a share
        of the mean's), `standard_error`.
    chosen : int
        By the one-standard-error rule; a line stands at it.
    declared : int, optional
        Of the study; likewise.

    Returns
    -------
    Figure
    """
    check_columns(table, ["n_factors", "view", "error", "standard_error"], "table")
    figure = new_figure(height=360)
    views = [view for view in dict.fromkeys(table["view"]) if view != ALL]
    for position, view in enumerate([*views, ALL]):
        part = table[table["view"] == view].sort_values("n_factors")
        colour = INK if view == ALL else PALETTE[position % len(PALETTE)]
        figure.add_trace(_curve(part, str(view), colour, DASHES[position % len(DASHES)]))
    numbers = sorted(set(table["n_factors"]))
    marked = {chosen} if declared is None else {chosen, declared}
    lines = [neutral_line(float(number)) for number in sorted(marked)]
    baseline = {
        **{"type": "line", "layer": "below", "xref": "paper", "x0": 0, "x1": 1},
        **{"y0": 1, "y1": 1, "line": {"color": LINE, "width": 1.2}},
    }
    figure.update_layout(
        showlegend=True,
        hovermode="closest",
        margin={"t": 30, "r": 20},
        xaxis={"title": {"text": "Factors"}, "tickvals": numbers},
        yaxis={"title": {"text": "Error (share of the mean's)"}, "rangemode": "tozero"},
        shapes=[*lines, baseline],
    )
    return figure


def _curve(part: pd.DataFrame, view: str, colour: str, dash: str) -> go.Scatter:
    whole = view == ALL
    name = "All views" if whole else shorten(view, 24)
    hover = [
        f"{plain(name)}, {row['n_factors']} factors<br>{row['error']:.3f} "
        f"(SE {row['standard_error']:.3f})"
        for row in part.to_dict("records")
    ]
    return go.Scatter(
        x=part["n_factors"].tolist(),
        y=part["error"].tolist(),
        mode="lines+markers",
        line={"color": colour, "width": 2.6 if whole else 1.4, "dash": "solid" if whole else dash},
        marker={"size": 8 if whole else 5, "color": colour},
        error_y={
            "type": "data",
            "array": part["standard_error"].tolist(),
            "color": colour,
            "thickness": 1.4 if whole else 0.8,
            "width": 3,
        },
        hovertext=hover,
        hoverinfo="text",
        name=plain(name),
    )
