"""How far the features of each class go with tumour volume: every feature a point."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from reports.figures.comparison import neutral_line
from reports.style import (
    BLUE,
    INK,
    VERMILLION,
    add_narrow,
    check_columns,
    new_figure,
    plain,
    shorten,
    shown_names,
)
from reports.tables import format_estimate

ROW = 46
MOST_POINTS = 2000
"""With more features only medians and quartiles are drawn: points would hide each other."""

_GOLDEN = (np.sqrt(5) - 1) / 2


def draw_volume_surrogates(
    table: pd.DataFrame, by_class: pd.DataFrame, *, threshold: float
) -> go.Figure:
    """Draw the absolute rank correlation of every feature with volume, class by class.

    Parameters
    ----------
    table : DataFrame, one row per feature
        Columns `feature`, `feature_class`, `correlation`, `lower`, `upper`, `surrogate`; rows
        without a correlation are not drawn.
    by_class : DataFrame, one row per class
        Columns `feature_class`, `n_features`, `n_surrogates`, and of |correlation|
        `lower_quartile`, `median`, `upper_quartile`.
    threshold : float
        Where a feature counts as volume; drawn as a line.

    Returns
    -------
    Figure
    """
    check_columns(table, ["feature", "feature_class", "correlation", "surrogate"], "table")
    quartiles = ["lower_quartile", "median", "upper_quartile"]
    check_columns(by_class, ["feature_class", "n_features", "n_surrogates", *quartiles], "by_class")
    classes = by_class["feature_class"].tolist()
    figure = new_figure(height=ROW * len(classes) + 110)
    known = table.dropna(subset="correlation")
    if len(known) <= MOST_POINTS:
        for surrogate, name, colour, symbol in (
            (False, "Below", BLUE, "circle-open"),
            (True, "Goes with volume", VERMILLION, "circle"),
        ):
            part = known[known["surrogate"] == surrogate]
            if len(part):
                figure.add_trace(_features(part, classes, name, colour, symbol))
    figure.add_trace(_quartiles(by_class))
    figure.add_trace(_medians(by_class))
    figure.update_layout(
        showlegend=True,
        hovermode="closest",
        margin={"t": 30, "r": 20},
        xaxis={
            "title": {"text": "|ρ| with the volume of the region"},
            "range": [-0.02, 1.02],
            "showgrid": True,
            "nticks": 7,
        },
        yaxis={
            "tickvals": list(range(len(classes))),
            "ticktext": [
                f"{plain(row.feature_class)}<br>{row.n_surrogates} of {row.n_features}"
                for row in by_class.itertuples()
            ],
            "range": [len(classes) - 0.5, -0.5],
            "showgrid": False,
            "showline": False,
            "ticks": "",
        },
        shapes=[neutral_line(threshold)],
    )
    add_narrow(figure, {"margin.r": 8})
    return figure


def _features(
    part: pd.DataFrame, classes: list[str], name: str, colour: str, symbol: str
) -> go.Scatter:
    names = shown_names(part["feature"])
    hover = [
        f"{plain(shorten(names[str(row['feature'])], 60))}<br>ρ "
        f"{format_estimate(row['correlation'], row['lower'], row['upper'], digits=2)}"
        for row in part.to_dict("records")
    ]
    heights = np.array([classes.index(one) for one in part["feature_class"]])
    return go.Scatter(
        x=part["correlation"].abs().tolist(),
        y=(heights + _spread(len(part))).tolist(),
        mode="markers",
        marker={
            "size": 6,
            "symbol": symbol,
            "color": colour,
            "opacity": 0.7,
            "line": {"width": 1.2, "color": colour},
        },
        hovertext=hover,
        hoverinfo="text",
        name=name,
    )


def _spread(n: int) -> NDArray[np.float64]:
    """Move points of one row apart, the same way in every run."""
    offsets: NDArray[np.float64] = 0.5 * ((np.arange(n) * _GOLDEN) % 1.0 - 0.5)
    return offsets


def _quartiles(by_class: pd.DataFrame) -> go.Scatter:
    x: list[float | None] = []
    y: list[float | None] = []
    ends = by_class[["lower_quartile", "upper_quartile"]].to_numpy(dtype=np.float64)
    for height, (low, high) in enumerate(ends):
        x += [low, high, None]
        y += [height, height, None]
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        line={"color": INK, "width": 3},
        hoverinfo="skip",
        showlegend=False,
    )


def _medians(by_class: pd.DataFrame) -> go.Scatter:
    return go.Scatter(
        x=by_class["median"].tolist(),
        y=list(range(len(by_class))),
        mode="markers",
        marker={"symbol": "line-ns", "size": 16, "line": {"width": 3, "color": INK}},
        hovertext=[
            f"{plain(row['feature_class'])}<br>median |ρ| {row['median']:.2f} (quartiles "
            f"{row['lower_quartile']:.2f}–{row['upper_quartile']:.2f})"
            for row in by_class.to_dict("records")
        ],
        hoverinfo="text",
        name="Median and quartiles of the class",
    )
