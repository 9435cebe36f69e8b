"""Which factors go with which clinical columns, the many looks accounted for."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from reports.figures.layouts import factor_axis
from reports.style import (
    DIVERGING,
    TINY,
    add_narrow,
    cell_labels,
    check_columns,
    feature_name,
    new_figure,
    plain,
    shorten,
    shown_names,
)
from reports.tables import format_number, format_p_value

ROW = 34


def draw_associations(table: pd.DataFrame) -> go.Figure:
    """Draw a heat map of factors and clinical columns; a star marks an adjusted p below .05.

    Parameters
    ----------
    table : DataFrame, one row per factor and clinical column
        Columns `factor`, `column`, `effect` (in [-1, 1]; unsigned measures are positive) and
        `p_adjusted`; `test` (shown to the reader who points at a cell) where known.

    Returns
    -------
    Figure
    """
    check_columns(table, ["factor", "column", "effect", "p_adjusted"], "table")
    factors = list(dict.fromkeys(table["factor"]))
    columns = list(dict.fromkeys(table["column"]))
    names = shown_names(columns)
    test = table["test"] if "test" in table.columns else "effect"
    cells = table.assign(
        text=[_cell(*pair) for pair in zip(table["effect"], table["p_adjusted"], strict=True)],
        hover=_hover(table.assign(test=test)),
    ).set_index(["column", "factor"])
    effect, text, hover = (
        cells[name].unstack().loc[columns, factors].to_numpy().tolist()
        for name in ("effect", "text", "hover")
    )
    figure = new_figure(height=ROW * len(columns) + 84)
    figure.add_trace(
        go.Heatmap(
            z=effect,
            x=list(range(len(factors))),
            y=list(range(len(columns))),
            hovertext=hover,
            hoverinfo="text",
            colorscale=DIVERGING,
            zmin=-1,
            zmax=1,
            showscale=False,
            xgap=2,
            ygap=2,
            name="Association",
        )
    )
    strength = np.nan_to_num(np.abs(np.array(effect, dtype=np.float64)))
    figure.update_layout(
        annotations=cell_labels(text, strength, size=TINY),
        margin={"t": 12, "r": 12},
        xaxis=factor_axis(factors),
        yaxis={
            "tickvals": list(range(len(columns))),
            "ticktext": [plain(shorten(names[str(column)], 32)) for column in columns],
            "autorange": "reversed",
            "showgrid": False,
            "showline": False,
            "ticks": "",
        },
    )
    add_narrow(
        figure,
        {
            "yaxis.ticktext": [plain(shorten(names[str(column)], 14)) for column in columns],
            "annotations": cell_labels(text, strength, size=9),
        },
    )
    return figure


def _hover(table: pd.DataFrame) -> list[str]:
    return [
        f"{plain(feature_name(column))}, {plain(feature_name(factor))}<br>{plain(test)} "
        f"{format_number(effect, digits=2)}, adjusted p {plain(format_p_value(p_value))}"
        for column, factor, test, effect, p_value in table[
            ["column", "factor", "test", "effect", "p_adjusted"]
        ].itertuples(index=False)
    ]


def _cell(effect: float, p_value: float) -> str:
    """Return the effect without its leading zero, starred where the adjusted p is below .05."""
    if pd.isna(effect):
        return ""
    text = format_number(effect, digits=2).replace("0.", ".", 1)
    return f"<b>{text}*</b>" if p_value < 0.05 else text
