"""Which model does best, and how sure that is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from reports.style import (
    BLUE,
    GREEN,
    LINE,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    add_narrow,
    check_columns,
    new_figure,
    plain,
    shorten,
    wrapped,
)
from reports.tables import digits_of, format_estimate, label

LOOKS = {
    "apparent": (MUTED, "circle-open"),
    "optimism_corrected": (GREEN, "diamond"),
    "bootstrap_632_plus": (PURPLE, "triangle-up"),
    "cross_validated": (BLUE, "circle"),
    "external": (VERMILLION, "square"),
}
FURTHER = (VERMILLION, PURPLE, ORANGE, SKY)  # second and later external cohorts
NEUTRAL = {
    "c_index": 0.5,
    "c_index_uno": 0.5,
    "auc": 0.5,
    "calibration_slope": 1.0,
    "observed_expected": 1.0,
    "calibration_intercept": 0.0,
    "ipa": 0.0,
}
"""Value of a model that knows nothing, or of perfect calibration; drawn as a line."""


def draw_comparison(
    performance: pd.DataFrame, *, metric: str, horizon: float | None = None, unit: str | None = None
) -> go.Figure:
    """Draw one metric of every model, by validation and cohort, with intervals.

    Parameters
    ----------
    performance : DataFrame
        Columns `model`, `cohort`, `validation`, `metric`, `horizon`, `estimate`, `lower`, `upper`.
    metric : str
    horizon : float, optional
        For metrics that have one.
    unit : str, optional
        Unit of the horizon.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If no row has this metric at this horizon.
    """
    columns = ["model", "cohort", "validation", "metric", "horizon", "estimate", "lower", "upper"]
    check_columns(performance, columns, "performance")
    chosen = performance[performance["metric"] == metric]
    chosen = chosen[chosen["horizon"].isna() if horizon is None else chosen["horizon"] == horizon]
    if chosen.empty:
        known = sorted(set(performance["metric"]))
        raise ValueError(
            f"performance must hold {metric!r} at horizon {horizon}, but has no such row "
            f"(metrics: {known})."
        )
    at = "" if horizon is None else f" at {horizon:g} {plain(unit or '')}".rstrip()
    return draw_models(
        chosen,
        models=list(dict.fromkeys(chosen["model"])),
        title=f"{label(metric)}{at}",
        digits=digits_of(metric),
        neutral=NEUTRAL.get(metric),
    )


def draw_models(
    chosen: pd.DataFrame,
    *,
    models: Sequence[str],
    title: str,
    digits: int,
    neutral: float | None,
) -> go.Figure:
    """Draw one number of every model, by validation and cohort, with intervals.

    Parameters
    ----------
    chosen : DataFrame
        Columns `model`, `cohort`, `validation`, `estimate`, `lower`, `upper`; one row per model,
        cohort and validation.
    models : sequence of str
        From top to bottom; one without a row leaves its place empty.
    title : str
        Of the axis, ready for plotly.
    digits : int
        After the point, where the number is written.
    neutral : float or None
        Where to draw a line.

    Returns
    -------
    Figure
    """
    models = list(models)
    series = list(chosen.groupby(["validation", "cohort"], sort=False))
    row = max(34, 18 * len(series) + 10)
    figure = new_figure(height=row * len(models) + 110)
    external = [str(cohort) for (validation, cohort), _ in series if validation == "external"]
    for position, ((validation, cohort), rows) in enumerate(series):
        offset = (position - (len(series) - 1) / 2) * 0.7 / len(series)
        y = [models.index(model) + offset for model in rows["model"]]
        colour, symbol = look_of(str(validation), external, str(cohort))
        name = label(validation) + (f" ({cohort})" if validation == "external" else "")
        figure.add_trace(points(rows, y, name, colour, symbol, digits))
    figure.update_layout(
        showlegend=True,
        hovermode="closest",
        margin={"t": 30, "r": 20},
        xaxis={"title": {"text": title}, "showgrid": True, "nticks": 7},
        yaxis={
            "tickvals": list(range(len(models))),
            "ticktext": [wrapped(shorten(model, 52), 26) for model in models],
            "range": [len(models) - 0.5, -0.5],
            "showgrid": False,
            "showline": False,
            "ticks": "",
        },
        shapes=[] if neutral is None else [neutral_line(neutral)],
    )
    names = [wrapped(shorten(model, 45), 15) for model in models]
    add_narrow(figure, {"yaxis.ticktext": names})
    return figure


def look_of(validation: str, external: list[str], cohort: str) -> tuple[str, str]:
    """Return colour and symbol of a series; each further external cohort has its own colour."""
    colour, symbol = LOOKS.get(validation, (PURPLE, "cross"))
    if validation == "external":
        colour = FURTHER[external.index(cohort) % len(FURTHER)]
    return colour, symbol


def points(
    rows: pd.DataFrame, y: list[float], name: str, colour: str, symbol: str, digits: int
) -> go.Scatter:
    """Return the points of one series with their intervals, at the heights `y`."""
    numbers = rows[["estimate", "lower", "upper"]].astype(np.float64)
    hover = [
        f"{plain(model)}<br>{format_estimate(*values, digits=digits)}"
        for model, values in zip(rows["model"], numbers.itertuples(index=False), strict=True)
    ]
    above = (numbers["upper"] - numbers["estimate"]).fillna(0)
    below = (numbers["estimate"] - numbers["lower"]).fillna(0)
    return go.Scatter(
        x=numbers["estimate"].tolist(),
        y=y,
        mode="markers",
        marker={
            "symbol": symbol,
            "size": 9,
            "color": colour,
            "line": {"width": 1.5, "color": colour},
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": above.tolist(),
            "arrayminus": below.tolist(),
            "color": colour,
            "thickness": 1.6,
            "width": 0,
        },
        hovertext=hover,
        hoverinfo="text",
        name=plain(name),
    )


def neutral_line(value: float) -> dict[str, Any]:
    """Return the line at the value that says nothing."""
    return {
        "type": "line",
        "layer": "below",
        "x0": value,
        "x1": value,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": {"color": LINE, "width": 1.2, "dash": "dash"},
    }
