"""Where the patients lie on two factors, coloured by what they are."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from reports.style import (
    BLUE,
    GREEN,
    LINE,
    PALETTE,
    YELLOW,
    check_columns,
    feature_name,
    new_figure,
    plain,
)

RISING = [[0.0, YELLOW], [0.5, GREEN], [1.0, BLUE]]  # no end of it is the colour of paper
SYMBOLS = ("circle", "diamond", "square", "triangle-up")  # a further one each time colours run out
SIZE = 8
MISSING = "Missing"


def draw_factor_scatter(
    scores: pd.DataFrame, *, x: str, y: str, values: pd.Series, name: str
) -> go.Figure:
    """Draw a point per patient; who lacks the value is grey and counted. No point bears an id.

    Parameters
    ----------
    scores : DataFrame of shape (n_patients, n_factors)
    x, y : str
        Factors of the two axes, columns of `scores`.
    values : Series of shape (n_patients,)
        Colours the same patients, in the same order: numbers by a scale, levels (Categorical) by
        the palette.
    name : str
        What the values are called.

    Returns
    -------
    Figure
        One trace per level, or one of numbers; then the missing ones, if there are any.
    """
    check_columns(scores, [x, y], "scores")
    if not scores.index.equals(values.index):
        raise ValueError(
            f"values must be of the {len(scores)} patients of scores, in the same order, but are "
            f"of {len(values)} others. Reindex them."
        )
    category = isinstance(values.dtype, pd.CategoricalDtype)
    figure = new_figure(height=420, max_width=620)
    unknown = values.isna()
    if unknown.any():  # below the others
        label = f"{MISSING} ({int(unknown.sum())})"
        figure.add_trace(_points(scores[unknown], x, y, label, {"color": LINE, "symbol": "x-thin"}))
        figure.data[-1].marker.line = {"color": LINE, "width": 1.2}
    if category:
        levels = [level for level in values.cat.categories if (values == level).any()]
        for position, level in enumerate(levels):
            rows = values == level
            label = f"{plain(level)} ({int(rows.sum())})"
            figure.add_trace(_points(scores[rows], x, y, label, _mark(position)))
    elif not unknown.all():
        figure.add_trace(_numbers(scores[~unknown], x, y, values[~unknown], name))
    figure.update_layout(
        hovermode="closest",
        showlegend=category or bool(unknown.any()),
        legend={"title": {"text": f"{plain(name)}:" if category else ""}},
        margin={"t": 30},
        xaxis={"title": {"text": plain(feature_name(x))}, "zeroline": True, "zerolinecolor": LINE},
        yaxis={"title": {"text": plain(feature_name(y))}, "zeroline": True, "zerolinecolor": LINE},
    )
    return figure


def _mark(position: int) -> dict[str, str]:
    """Return a colour, and a symbol that tells it from an earlier level of the same colour."""
    turn, place = divmod(position, len(PALETTE))
    return {"color": PALETTE[place], "symbol": SYMBOLS[turn % len(SYMBOLS)]}


def _points(
    scores: pd.DataFrame, x: str, y: str, label: str, marker: Mapping[str, object]
) -> go.Scatter:
    return go.Scatter(
        x=scores[x].tolist(),
        y=scores[y].tolist(),
        mode="markers",
        marker={"size": SIZE, "opacity": 0.85, **marker},
        name=label,
        hovertemplate="%{x:.2f}, %{y:.2f}<extra>%{fullData.name}</extra>",
    )


def _numbers(scores: pd.DataFrame, x: str, y: str, values: pd.Series, name: str) -> go.Scatter:
    points = _points(scores, x, y, plain(name), {})
    points.showlegend = False
    points.marker = {
        "size": SIZE,
        "opacity": 0.85,
        "color": values.astype(float).tolist(),
        "colorscale": RISING,
        "showscale": True,
        "colorbar": {"title": {"text": plain(name), "side": "right"}, "thickness": 12},
    }
    points.hovertemplate = "%{x:.2f}, %{y:.2f}: %{marker.color:.4g}<extra>%{fullData.name}</extra>"
    return points
