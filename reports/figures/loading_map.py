"""Which features make up which factors, all factors side by side."""

import pandas as pd
import plotly.graph_objects as go

from reports.figures.layouts import factor_axis
from reports.style import (
    DIVERGING,
    INK,
    add_narrow,
    check_columns,
    new_figure,
    plain,
    shorten,
)

ROW = 17  # pixels of a feature
VIEW = 24  # of the name of a view


def draw_loading_map(table: pd.DataFrame) -> go.Figure:
    """Draw a heat map of features and factors, view below view.

    Parameters
    ----------
    table : DataFrame, one row per feature and factor
        Columns `view`, `feature`, `factor`, `loading` and `scaled` (in [-1, 1]; the colour), in the
        order they are drawn, as `omics.factor_tables.loading_map` arranges them.

    Returns
    -------
    Figure
        One trace per view; its features stand under the view's name.
    """
    check_columns(table, ["view", "feature", "factor", "loading", "scaled"], "table")
    factors = list(dict.fromkeys(table["factor"]))
    figure = new_figure(height=400)  # until the rows are counted
    ticks: list[float] = []
    names: list[str] = []
    notes = []
    place = 0.0
    for view, part in table.groupby("view", sort=False):
        features = list(dict.fromkeys(part["feature"]))
        notes.append(_view_name(str(view), place + 0.2))
        rows = [place + VIEW / ROW + i for i in range(len(features))]
        figure.add_trace(_heat_map(part, factors, features, rows, str(view)))
        ticks += rows
        names += features
        place = rows[-1] + 1
    figure.update_layout(
        height=round(ROW * place + 84),
        annotations=notes,
        margin={"t": 12, "r": 12},
        xaxis=factor_axis(factors),
        yaxis={
            "tickvals": ticks,
            "ticktext": [plain(shorten(name, 40)) for name in names],
            "tickfont": {"size": 11},
            "range": [place, -0.2],
            "showgrid": False,
            "showline": False,
            "ticks": "",
        },
    )
    add_narrow(figure, {"yaxis.ticktext": [plain(shorten(name, 20)) for name in names]})
    return figure


def _view_name(view: str, y: float) -> dict[str, object]:
    return {
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": y,
        "text": f"<b>{plain(view)}</b>",
        "showarrow": False,
        "font": {"size": 12, "color": INK},
    }


def _heat_map(
    part: pd.DataFrame, factors: list[str], features: list[str], rows: list[float], view: str
) -> go.Heatmap:
    wide, scaled = (
        part.pivot(index="feature", columns="factor", values=name).loc[features, factors]
        for name in ("loading", "scaled")
    )
    hover = [
        [
            f"{plain(feature)}, {plain(factor)}: {wide.loc[feature, factor]:.3f}"
            for factor in factors
        ]
        for feature in features
    ]
    return go.Heatmap(
        z=scaled.to_numpy().tolist(),
        x=list(range(len(factors))),
        y=rows,
        hovertext=hover,
        hoverinfo="text",
        colorscale=DIVERGING,
        zmin=-1,
        zmax=1,
        showscale=False,
        xgap=2,
        ygap=1,
        name=plain(view),
    )
