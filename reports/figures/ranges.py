"""How a number spreads within groups: median, quartiles and, where given, single values or ends."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from reports.figures.comparison import neutral_line
from reports.style import PALETTE, check_columns, new_figure, plain, shorten, wrapped

SYMBOLS = ("circle", "square", "diamond", "cross", "triangle-up")
_COLUMNS = ["row", "group", "lower_quartile", "median", "upper_quartile", "n"]


def draw_ranges(
    table: pd.DataFrame,
    *,
    title: str,
    points: pd.DataFrame | None = None,
    limit: float | None = None,
    span: tuple[float, float] = (0.0, 1.0),
) -> go.Figure:
    """Draw, row by row and group by group, a median on the line between the quartiles.

    Parameters
    ----------
    table : DataFrame, one row per row and group of the figure
        `row`, `group`, `lower_quartile`, `median`, `upper_quartile`, `n` (of how many values), and
        perhaps `lowest` and `highest`, between which a thin line runs.
    title : str
        Of the axis, ready for plotly.
    points : DataFrame, optional
        `row`, `group`, `value`: single values, drawn pale.
    limit : float, optional
        Where to draw a line.
    span : pair of float
        Of the axis.

    Returns
    -------
    Figure
    """
    check_columns(table, _COLUMNS, "table")
    rows = list(dict.fromkeys(map(str, table["row"])))
    groups = list(dict.fromkeys(map(str, table["group"])))
    height = max(34, 20 * len(groups) + 10)
    figure = new_figure(height=height * len(rows) + 110)
    for position, group in enumerate(groups):
        offset = (position - (len(groups) - 1) / 2) * 0.7 / len(groups)
        colour, symbol = PALETTE[position % len(PALETTE)], SYMBOLS[position % len(SYMBOLS)]
        part = table[table["group"].astype(str) == group]
        heights = [rows.index(str(row)) + offset for row in part["row"]]
        if points is not None:
            values = points[points["group"].astype(str) == group]
            at = [rows.index(str(row)) + offset for row in values["row"]]
            figure.add_trace(_single(values["value"].tolist(), at, colour))
        if "lowest" in part:
            figure.add_trace(_lines(part, ("lowest", "highest"), heights, colour, 1.2))
        figure.add_trace(_lines(part, ("lower_quartile", "upper_quartile"), heights, colour, 4))
        figure.add_trace(_medians(part, heights, group, colour, symbol))
    low, high = span
    margin = 0.02 * (high - low)
    figure.update_layout(
        showlegend=len(groups) > 1,
        hovermode="closest",
        margin={"t": 30, "r": 20},
        xaxis={
            "title": {"text": title},
            "range": [low - margin, high + margin],
            "showgrid": True,
            "nticks": 7,
        },
        yaxis={
            "tickvals": list(range(len(rows))),
            "ticktext": [wrapped(shorten(row, 40), 20) for row in rows],
            "range": [len(rows) - 0.5, -0.5],
            "showgrid": False,
            "showline": False,
            "ticks": "",
        },
        shapes=[] if limit is None else [neutral_line(limit)],
    )
    return figure


def _single(values: list[float], heights: list[float], colour: str) -> go.Scatter:
    return go.Scatter(
        x=values,
        y=heights,
        mode="markers",
        marker={"size": 6, "color": colour, "opacity": 0.3},
        hoverinfo="skip",
        showlegend=False,
    )


def _lines(
    part: pd.DataFrame, ends: Sequence[str], heights: list[float], colour: str, width: float
) -> go.Scatter:
    """One line per row, with a gap after each."""
    x: list[float | None] = []
    y: list[float | None] = []
    for values, height in zip(part[list(ends)].itertuples(index=False), heights, strict=True):
        x += [float(values[0]), float(values[1]), None]
        y += [height, height, None]
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": colour, "width": width},
        hoverinfo="skip",
        showlegend=False,
    )


def _medians(
    part: pd.DataFrame, heights: list[float], group: str, colour: str, symbol: str
) -> go.Scatter:
    hover = [
        f"{plain(row['row'])}, {plain(group)}<br>median {row['median']:.2f} "
        f"(quartiles {row['lower_quartile']:.2f}–{row['upper_quartile']:.2f}), n = {row['n']}"
        for row in part.to_dict("records")
    ]
    return go.Scatter(
        x=part["median"].tolist(),
        y=heights,
        mode="markers",
        marker={"size": 10, "symbol": symbol, "color": colour},
        hovertext=hover,
        hoverinfo="text",
        name=plain(shorten(group, 40)),
    )
