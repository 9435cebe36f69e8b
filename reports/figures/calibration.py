"""Whether 30 of 100 patients given a risk of 30 % have the event."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from reports.style import (
    BLUE,
    GREEN,
    LINE,
    MUTED,
    add_narrow,
    check_columns,
    faded,
    new_figure,
    plain,
)

BINS = 50


def draw_calibration(
    table: pd.DataFrame,
    *,
    label: str,
    apparent: pd.DataFrame | None = None,
    corrected: pd.DataFrame | None = None,
    predictions: ArrayLike | None = None,
    horizon: float | None = None,
    unit: str | None = None,
) -> go.Figure:
    """Draw observed against predicted risk.

    Parameters
    ----------
    table : DataFrame, one row per point of the curve
        Columns `predicted` and `observed`, in [0, 1]; `lower` and `upper` where known. This is the
        honest curve: out of fold, corrected or external.
    label : str
        What the curve is, such as `out of fold`.
    apparent : DataFrame, optional
        The curve of the patients the model was fitted to, same columns; drawn thin.
    corrected : DataFrame, optional
        The apparent curve corrected for optimism, columns `predicted` and `observed`; dashed.
    predictions : array-like of shape (n_patients,), optional
        Predicted risks, in [0, 1]; drawn as spikes under the curve, in 50 bins.
    horizon, unit : float and str, optional
        Time at which the risk is asked, and its unit; absent for a binary outcome.

    Returns
    -------
    Figure
    """
    check_columns(table, ["predicted", "observed"], "table")
    curves = [table, *(one for one in (apparent, corrected) if one is not None)]
    top = _top(curves, predictions)
    figure = empty_calibration(
        top, horizon=horizon, unit=unit, low=0.0 if predictions is None else 0.14
    )
    figure.add_traces(_band(table))
    if apparent is not None:
        thin = _line(apparent, "Apparent", {"color": MUTED, "width": 1.2})
        figure.add_trace(thin.update(legendrank=1500))
    if corrected is not None:
        dashed = {"color": GREEN, "width": 2, "dash": "dash"}
        figure.add_trace(_line(corrected, "Corrected for optimism", dashed))
    figure.add_trace(_line(table, plain(label), {"color": BLUE, "width": 2.8}))
    if predictions is not None:
        figure.add_trace(_spikes(predictions))
    return figure


def empty_calibration(
    top: float, *, horizon: float | None, unit: str | None, low: float = 0.0
) -> go.Figure:
    """Return the diagonal and axes of a calibration figure; below `low`, a share, is space."""
    figure = new_figure(height=500, max_width=580)
    figure.add_trace(
        go.Scatter(
            x=[0, top],
            y=[0, top],
            mode="lines",
            line={"color": LINE, "width": 1.2, "dash": "dash"},
            name="Ideal",
            legendrank=2000,
            hoverinfo="skip",
        )
    )
    by = "" if horizon is None else f" by {horizon:g} {plain(unit or '')}".rstrip()
    axis: dict[str, Any] = {"range": [0, top], "tickformat": ".0%", "nticks": 7, "showgrid": True}
    figure.update_layout(
        hovermode="closest",
        margin={"t": 28},
        xaxis={**axis, "title": {"text": f"Predicted risk{by}"}, "anchor": "y2" if low else "y"},
        yaxis={**axis, "title": {"text": f"Observed risk{by}"}, "domain": [low, 1]},
        yaxis2={"domain": [0, max(low - 0.02, 0.01)], "visible": False},
        bargap=0.4,
    )
    add_narrow(
        figure,
        {
            "xaxis.nticks": 5,
            "yaxis.nticks": 6,
            "xaxis.title.text": "Predicted risk",
            "yaxis.title.text": "Observed risk",
        },
    )
    return figure


def _top(curves: list[pd.DataFrame], predictions: ArrayLike | None) -> float:
    """Return the upper end of both axes: the largest risk shown, rounded up to a twentieth."""
    shown = [
        curve[column].max()
        for curve in curves
        for column in ("predicted", "observed", "upper")
        if column in curve.columns
    ]
    if predictions is not None:
        shown.append(np.max(np.asarray(predictions, dtype=np.float64)))
    return float(min(1.0, np.ceil(20 * np.nanmax(shown)) / 20))


def _line(curve: pd.DataFrame, name: str, line: dict[str, Any]) -> go.Scatter:
    curve = curve.sort_values("predicted", kind="stable")
    return go.Scatter(
        x=curve["predicted"].tolist(),
        y=curve["observed"].tolist(),
        mode="lines",
        line=line,
        name=name,
        hovertemplate="predicted %{x:.1%}, observed %{y:.1%}<extra>%{fullData.name}</extra>",
    )


def _band(curve: pd.DataFrame) -> list[go.Scatter]:
    if not {"lower", "upper"} <= set(curve.columns):
        return []
    band = curve[["predicted", "lower", "upper"]].dropna().sort_values("predicted", kind="stable")
    if band.empty:
        return []
    edge: dict[str, Any] = {
        "x": band["predicted"].tolist(),
        "mode": "lines",
        "line": {"width": 0, "color": BLUE},
        "hoverinfo": "skip",
        "showlegend": False,
        "name": "Interval",
    }
    return [
        go.Scatter(y=band["lower"].tolist(), **edge),
        go.Scatter(y=band["upper"].tolist(), fill="tonexty", fillcolor=faded(BLUE, 0.16), **edge),
    ]


def _spikes(predictions: ArrayLike) -> go.Bar:
    counts, edges = np.histogram(np.asarray(predictions, dtype=np.float64), BINS, (0, 1))
    return go.Bar(
        x=((edges[:-1] + edges[1:]) / 2).tolist(),
        y=counts.tolist(),
        yaxis="y2",
        marker={"color": MUTED, "line": {"width": 0}},
        name="Patients",
        showlegend=False,
        hovertemplate="%{y} patients at %{x:.0%}<extra></extra>",
    )
