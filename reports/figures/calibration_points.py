"""Observed against predicted risk of a few groups of patients, on a calibration curve or alone."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from reports.figures.calibration import empty_calibration
from reports.style import INK, check_columns

NAME = "Groups"
_COLUMNS = [
    *("lowest", "highest", "predicted", "observed", "lower", "upper", "n_patients", "n_events")
]


def draw_calibration_points(
    points: pd.DataFrame,
    *,
    curve: go.Figure | None = None,
    horizon: float | None = None,
    unit: str | None = None,
) -> go.Figure:
    """Draw groups as points with the intervals of the observed risk.

    Parameters
    ----------
    points : DataFrame, one row per group
        Columns `lowest`, `highest`, `predicted`, `observed`, `lower`, `upper`, in [0, 1],
        `n_patients` and `n_events`. A group without an observed risk is not drawn.
    curve : Figure, optional
        Of `draw_calibration`; a copy gets the points, its axes made longer where they need it.
    horizon, unit : float and str, optional
        Time at which the risk is asked, and its unit, where no `curve` says so.

    Returns
    -------
    Figure
    """
    check_columns(points, _COLUMNS, "points")
    figure = (
        empty_calibration(0.05, horizon=horizon, unit=unit) if curve is None else go.Figure(curve)
    )
    known = points[points["predicted"].notna() & points["observed"].notna()]
    if known.empty:
        return figure
    _lengthen(figure, float(np.nanmax(known[["predicted", "observed", "upper"]].to_numpy())))
    hover = known[["lower", "upper", "lowest", "highest", "n_patients", "n_events"]].to_numpy()
    observed = known["observed"].to_numpy()
    arms = {
        "array": (known["upper"] - observed).tolist(),
        "arrayminus": (observed - known["lower"]).tolist(),
    }
    figure.add_trace(
        go.Scatter(
            x=known["predicted"].tolist(),
            y=observed.tolist(),
            error_y={"type": "data", "symmetric": False, "color": INK, "thickness": 1.3, **arms},
            mode="markers",
            marker={"color": INK, "size": 7},
            name=NAME,
            customdata=hover.tolist(),
            hovertemplate="predicted %{x:.1%}, observed %{y:.1%} (%{customdata[0]:.1%} to "
            "%{customdata[1]:.1%})<br>risks from %{customdata[2]:.1%} to %{customdata[3]:.1%}<br>"
            "%{customdata[4]:.0f} patients, %{customdata[5]:.0f} events<extra>Groups</extra>",
        )
    )
    return figure


def _lengthen(figure: go.Figure, largest: float) -> None:
    """Make both axes, and the diagonal, reach the largest value, rounded up to a twentieth."""
    top = max(figure.layout.xaxis.range[1], min(1.0, float(np.ceil(20 * largest) / 20)))
    figure.update_layout(xaxis_range=[0, top], yaxis_range=[0, top])
    figure.update_traces(x=[0, top], y=[0, top], selector={"name": "Ideal"})
