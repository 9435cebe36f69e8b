"""By how much each term of a model raises or lowers the hazard or the odds."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from reports.style import (
    BLUE,
    LINE,
    SMALL,
    add_narrow,
    check_columns,
    new_figure,
    plain,
    shorten,
    shown_names,
)
from reports.tables import format_estimate, label

ROW = 30
LIMITS = (1 / 50, 50)  # intervals reach no further; an arrow says that they go on
DECADES = (0.1, 1, 10)
TICKS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)


def draw_forest(table: pd.DataFrame, *, ratio: str = "hazard_ratio") -> go.Figure:
    """Draw ratios with their intervals on a logarithmic axis.

    Parameters
    ----------
    table : DataFrame, one row per term
        Columns `term`, the ratio, and `lower` and `upper` of the ratio, all above 0; a term
        without a ratio (the intercept) is left out.
    ratio : str
        `hazard_ratio` or `odds_ratio`.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If a ratio lies outside its interval (an interval of the coefficient, most likely).
    """
    check_columns(table, ["term", ratio, "lower", "upper"], "table")
    table = table[table[ratio].notna()]
    wrong = (table["lower"] > table[ratio]) | (table["upper"] < table[ratio])
    if wrong.any():
        raise ValueError(
            f"{ratio} must lie between lower and upper, but {wrong.sum()} of {len(table)} do not "
            f"(first: {table.loc[wrong, 'term'].iloc[0]}). The interval must be that of the ratio: "
            "exp of the coefficient's."
        )
    rows = list(range(len(table)))
    text = [
        format_estimate(*values, digits=2)
        for values in table[[ratio, "lower", "upper"]].itertuples(index=False)
    ]
    shown = table[[ratio, "lower", "upper"]].clip(*LIMITS)
    figure = new_figure(height=ROW * len(rows) + 76)
    figure.add_traces([*_beyond(table, shown), _points(table, shown, ratio, text)])
    low = float(np.nanmin([shown["lower"].min(), shown[ratio].min(), 0.8])) / 1.15
    high = float(np.nanmax([shown["upper"].max(), shown[ratio].max(), 1.25])) * 1.15
    ticks = [tick for tick in TICKS if low <= tick <= high]
    few = ticks if len(ticks) < 7 else [tick for tick in ticks if tick in DECADES]
    known = shown_names(table["term"])
    names = [plain(shorten(known[str(term)], 36)) for term in table["term"]]
    figure.update_layout(
        showlegend=False,
        hovermode="closest",
        margin={"t": 10, "r": 150},
        xaxis={
            "type": "log",
            "range": [np.log10(low), np.log10(high)],
            "tickvals": ticks,
            "ticktext": [f"{tick:g}" for tick in ticks],
            "title": {"text": f"{label(ratio)} (log scale)"},
        },
        yaxis={
            "tickvals": rows,
            "ticktext": names,
            "range": [len(rows) - 0.4, -0.6],
            "showline": False,
            "ticks": "",
            "gridcolor": "rgba(0,0,0,0)",
        },
        shapes=[_no_effect()],
        annotations=[_estimate_right(row, words) for row, words in zip(rows, text, strict=True)],
    )
    add_narrow(
        figure,
        {
            "margin.r": 14,
            "xaxis.tickvals": few,
            "xaxis.ticktext": [f"{tick:g}" for tick in few],
            "annotations": [],
            "height": 40 * len(rows) + 76,
            "yaxis.ticktext": [
                f"{plain(shorten(known[str(term)], 20))}<br>{words}"
                for term, words in zip(table["term"], text, strict=True)
            ],
        },
    )
    return figure


def _points(table: pd.DataFrame, shown: pd.DataFrame, ratio: str, text: list[str]) -> go.Scatter:
    return go.Scatter(
        x=shown[ratio].tolist(),
        y=list(range(len(table))),
        mode="markers",
        marker={"symbol": "square", "size": 8, "color": BLUE},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": (shown["upper"] - shown[ratio]).tolist(),
            "arrayminus": (shown[ratio] - shown["lower"]).tolist(),
            "color": BLUE,
            "thickness": 1.6,
            "width": 0,
        },
        hovertext=[
            f"{plain(term)}<br>{words}" for term, words in zip(table["term"], text, strict=True)
        ],
        hoverinfo="text",
        name=label(ratio),
    )


def _beyond(table: pd.DataFrame, shown: pd.DataFrame) -> list[go.Scatter]:
    """Return arrow heads where an interval goes on beyond the axis."""
    ends = (("upper", "triangle-right"), ("lower", "triangle-left"))
    arrows = []
    for column, symbol in ends:
        cut = np.flatnonzero((table[column] != shown[column]) & table[column].notna())
        if len(cut):
            arrows.append(
                go.Scatter(
                    x=shown[column].iloc[cut].tolist(),
                    y=cut.tolist(),
                    mode="markers",
                    marker={"symbol": symbol, "size": 9, "color": BLUE},
                    hoverinfo="skip",
                    name="goes on",
                )
            )
    return arrows


def _no_effect() -> dict[str, Any]:
    return {
        "type": "line",
        "layer": "below",
        "x0": 1,
        "x1": 1,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": {"color": LINE, "width": 1.2, "dash": "dash"},
    }


def _estimate_right(row: int, words: str) -> dict[str, Any]:
    return {
        "text": words,
        "x": 1,
        "xref": "paper",
        "xanchor": "left",
        "xshift": 10,
        "y": row,
        "font": {"size": SMALL},
        "align": "left",
    }
