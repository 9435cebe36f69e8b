"""Which factors explain which views."""

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from reports.style import (
    INK,
    PAPER,
    SEQUENTIAL,
    TINY,
    add_narrow,
    cell_labels,
    check_columns,
    feature_name,
    new_figure,
    plain,
    shorten,
)

ALL = "all"
CELL = 40  # pixels of a row


def draw_variance_explained(table: pd.DataFrame) -> go.Figure:
    """Draw the variance explained as a heat map of views and factors, with each view's total.

    Parameters
    ----------
    table : DataFrame, one row per view and factor
        Columns `view`, `factor` (`all` for a view's total) and `r2`, in [0, 1].

    Returns
    -------
    Figure
    """
    check_columns(table, ["view", "factor", "r2"], "table")
    views = list(dict.fromkeys(table["view"]))
    factors = [factor for factor in dict.fromkeys(table["factor"]) if factor != ALL]
    share = table.pivot(index="view", columns="factor", values="r2").loc[views]
    single = 100 * share[factors]
    figure = new_figure(height=CELL * len(views) + 96)
    top = max(float(single.max().max()), 1.0)
    figure.add_trace(_heat_map(single, views, factors, top))
    has_totals = ALL in share.columns
    parts = [(single, top, "x")]
    if has_totals:
        totals = 100 * share[[ALL]]
        figure.add_trace(_heat_map(totals, views, ["All"], 100.0, axis="x2"))
        parts.append((totals, 100.0, "x2"))
    figure.update_layout(annotations=_labels(parts, TINY))
    add_narrow(figure, {"annotations": _labels(parts, 9)})
    rows = list(range(len(views)))
    figure.update_layout(
        margin={"t": 12, "r": 12},
        xaxis={
            "domain": [0, 0.88 if has_totals else 1],
            "tickvals": list(range(len(factors))),
            "ticktext": [plain(feature_name(factor)) for factor in factors],
            "title": {"text": "Factor"},
            "showline": False,
            "ticks": "",
        },
        xaxis2={
            "domain": [0.91, 1],
            "tickvals": [0],
            "ticktext": ["All"],
            "showline": False,
            "ticks": "",
            "showgrid": False,
        },
        yaxis={
            "tickvals": rows,
            "ticktext": [plain(shorten(view, 18)) for view in views],
            "autorange": "reversed",
            "showgrid": False,
            "showline": False,
            "ticks": "",
        },
    )
    return figure


def _heat_map(
    percent: pd.DataFrame, views: list[str], factors: list[str], top: float, axis: str = "x"
) -> go.Heatmap:
    values = percent.to_numpy()
    hover = [
        [
            f"{plain(view)}, {plain(factor)}: {value:.1f}%"
            for factor, value in zip(factors, row, strict=True)
        ]
        for view, row in zip(views, values, strict=True)
    ]
    return go.Heatmap(
        z=values.tolist(),
        x=list(range(len(factors))),
        y=list(range(len(views))),
        hovertext=hover,
        hoverinfo="text",
        zmin=0,
        zmax=top,
        showscale=False,
        xaxis=axis,
        name="Variance explained (%)" if axis == "x" else "Total (%)",
        colorscale=SEQUENTIAL if axis == "x" else [[0, PAPER], [1, INK]],
        xgap=2,
        ygap=2,
    )


def _labels(parts: list[tuple[pd.DataFrame, float, str]], size: int) -> list[dict[str, Any]]:
    return [
        label
        for percent, top, axis in parts
        for label in cell_labels(
            [[_percent(value) for value in row] for row in percent.to_numpy()],
            percent.to_numpy() / top,
            size=size,
            xaxis=axis,
        )
    ]


def _percent(value: float) -> str:
    """Return one digit below ten, none above: a cell is narrow on a phone."""
    if pd.isna(value):
        return ""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"
