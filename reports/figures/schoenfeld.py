"""How an effect moves over follow-up, beside the one number the model has for it."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from reports.style import BLUE, INK, LINE, check_columns, faded, new_figure, plain

TICKS = 5


def draw_schoenfeld(
    residuals: pd.DataFrame,
    curve: pd.DataFrame,
    *,
    fitted: float,
    title: str,
    unit: str | None = None,
) -> go.Figure:
    """Draw one term's scaled Schoenfeld residuals, their smooth curve and the model's value.

    Parameters
    ----------
    residuals : DataFrame, one row per event
        Columns `time`, `transformed` and `residual`, by rising time.
    curve : DataFrame, one row per point
        Columns `transformed`, `time`, `estimate`, `lower` and `upper`; may be empty.
    fitted : float
        What the model takes for the whole of follow-up.
    title : str
        Of the vertical axis, ready for plotly.
    unit : str, optional
        Of the time.

    Returns
    -------
    Figure
        The horizontal axis runs in transformed time and is labelled with time itself.
    """
    check_columns(residuals, ["time", "transformed", "residual"], "residuals")
    at = residuals["transformed"]
    figure = new_figure(height=250)
    figure.add_trace(
        go.Scatter(
            x=at.tolist(),
            y=residuals["residual"].round(4).tolist(),
            customdata=residuals["time"].tolist(),
            mode="markers",
            marker={"size": 4, "color": LINE, "opacity": 0.55},
            name="Scaled residual of an event",
            hovertemplate="time %{customdata:.4g}: %{y:.3g}<extra></extra>",
        )
    )
    figure.add_traces(_band(curve))
    figure.add_trace(
        go.Scatter(
            x=[float(at.min()), float(at.max())],
            y=[fitted, fitted],
            mode="lines",
            line={"color": INK, "width": 1.2, "dash": "dash"},
            name="Model",
            hovertemplate="model %{y:.3g}<extra></extra>",
        )
    )
    times = _round_times(residuals)
    figure.update_layout(
        showlegend=False,
        hovermode="closest",
        xaxis={
            "title": {"text": f"Time ({plain(unit)})" if unit else "Time"},
            "tickvals": np.interp(times, residuals["time"], at).tolist(),
            "ticktext": [f"{time:g}" for time in times],
        },
        yaxis={"title": {"text": title}, "nticks": 6, "range": _reach(residuals, curve, fitted)},
    )
    return figure.update_layout(showlegend=None)


def _band(curve: pd.DataFrame) -> list[go.Scatter]:
    if curve.empty:
        return []
    edge = {
        "x": curve["transformed"].tolist(),
        "mode": "lines",
        "line": {"width": 0, "color": BLUE},
        "hoverinfo": "skip",
        "showlegend": False,
        "name": "Interval",
    }
    middle = go.Scatter(
        x=curve["transformed"].tolist(),
        y=curve["estimate"].tolist(),
        customdata=curve["time"].tolist(),
        mode="lines",
        line={"color": BLUE, "width": 2.4},
        name="Over time (95% band)",
        hovertemplate="time %{customdata:.4g}: %{y:.3g}<extra></extra>",
    )
    return [
        go.Scatter(y=curve["lower"].tolist(), **edge),
        go.Scatter(y=curve["upper"].tolist(), fill="tonexty", fillcolor=faded(BLUE, 0.16), **edge),
        middle,
    ]


def _round_times(residuals: pd.DataFrame) -> list[float]:
    """Give a few times of two digits, evenly spread on the transformed axis."""
    at, times = residuals["transformed"].to_numpy(), residuals["time"].to_numpy()
    spread = np.interp(np.linspace(at.min(), at.max(), TICKS), at, times)
    rounded = [float(f"{time:.2g}") for time in spread]
    inside = [time for time in rounded if times.min() <= time <= times.max()]
    return list(dict.fromkeys(inside)) or [float(times[0])]


def _reach(residuals: pd.DataFrame, curve: pd.DataFrame, fitted: float) -> list[float]:
    """Show the curve, its band and nine tenths of the residuals: outliers would flatten it."""
    shown = [fitted, *residuals["residual"].quantile([0.05, 0.95])]
    shown += [] if curve.empty else [curve["lower"].min(), curve["upper"].max()]
    margin = 0.06 * (max(shown) - min(shown) or 1.0)
    return [float(min(shown) - margin), float(max(shown) + margin)]
