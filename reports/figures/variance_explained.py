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
GAP = 0.8  # rows above a group, for its name


def draw_variance_explained(table: pd.DataFrame) -> go.Figure:
    """Draw the variance explained as a heat map of views and factors, with each view's total.

    Parameters
    ----------
    table : DataFrame, one row per view and factor
        Columns `view`, `factor` (`all` for a view's total) and `r2`, in [0, 1]. Where a column
        `group` tells groups of patients apart, each has a panel under its name.

    Returns
    -------
    Figure
        Per group a trace of the factors, and of the totals where there are any.
    """
    check_columns(table, ["view", "factor", "r2"], "table")
    views = list(dict.fromkeys(table["view"]))
    factors = [factor for factor in dict.fromkeys(table["factor"]) if factor != ALL]
    panels = _panels(table, views)
    has_totals = (table["factor"] == ALL).any()
    gap = GAP if len(panels) > 1 else 0
    n_rows = len(panels) * (len(views) + gap)
    figure = new_figure(height=round(CELL * n_rows) + 96)
    top = max(max(100 * float(share[factors].max().max()) for share in panels.values()), 1.0)
    labels: dict[int, list[dict[str, Any]]] = {TINY: [], 9: []}
    rows: list[float] = []
    for number, (group, share) in enumerate(panels.items()):
        first = number * (len(views) + gap) + gap
        rows += [first + i for i in range(len(views))]
        parts = [(100 * share[factors], top, "x")]
        figure.add_trace(_heat_map(parts[0][0], views, factors, top, first=first))
        if has_totals:
            parts.append((100 * share[[ALL]], 100.0, "x2"))
            figure.add_trace(_heat_map(parts[1][0], views, ["All"], 100.0, axis="x2", first=first))
        for size in labels:
            labels[size] += _labels(parts, size, first)
            labels[size] += [_group_name(group, first - 0.72)] if gap else []
    figure.update_layout(annotations=labels[TINY])
    add_narrow(figure, {"annotations": labels[9]})
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
            "ticktext": [plain(shorten(view, 18)) for view in views] * len(panels),
            "autorange": "reversed",
            "showgrid": False,
            "showline": False,
            "ticks": "",
        },
    )
    return figure


def _panels(table: pd.DataFrame, views: list[str]) -> dict[str, pd.DataFrame]:
    """Spread each group's shares out: a row per view, a column per factor."""
    named = "group" in table.columns
    groups = {str(name): part for name, part in table.groupby("group", sort=False)} if named else {}
    return {
        name: part.pivot(index="view", columns="factor", values="r2").reindex(views)
        for name, part in (groups or {"": table}).items()
    }


def _group_name(group: str, y: float) -> dict[str, Any]:
    return {
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": y,
        "text": f"<b>{plain(group)}</b>",
        "showarrow": False,
        "font": {"size": TINY, "color": INK},
    }


def _heat_map(
    percent: pd.DataFrame,
    views: list[str],
    factors: list[str],
    top: float,
    *,
    first: float,
    axis: str = "x",
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
        y=[first + i for i in range(len(views))],
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


def _labels(
    parts: list[tuple[pd.DataFrame, float, str]], size: int, first: float
) -> list[dict[str, Any]]:
    return [
        {**label, "y": label["y"] + first}
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
