"""At which penalty a signature predicts patients best whom its fit had not seen."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from reports.style import BLUE, DASHES, INK, MUTED, add_narrow, check_columns, new_figure, plain

TICKS = (1, 2, 5)


def draw_signature_deviance(table: pd.DataFrame, *, penalties: Mapping[str, float]) -> go.Figure:
    """Draw the deviance of held-out patients over the penalty, with its standard error.

    Parameters
    ----------
    table : DataFrame, one row per penalty
        Columns `lambda` (above 0), `mean`, `standard_error` and `n_selected`.
    penalties : mapping of str to float
        Rule -> penalty, each marked by a line; the one that is taken first.

    Returns
    -------
    Figure
    """
    check_columns(table, ["lambda", "mean", "standard_error", "n_selected"], "table")
    figure = new_figure(height=380)
    figure.add_trace(
        go.Scatter(
            x=table["lambda"].tolist(),
            y=table["mean"].tolist(),
            customdata=table["n_selected"].tolist(),
            mode="markers",
            marker={"size": 6, "color": BLUE},
            error_y={
                "type": "data",
                "array": table["standard_error"].tolist(),
                "color": MUTED,
                "thickness": 1,
                "width": 0,
            },
            name="Deviance",
            showlegend=False,
            hovertemplate="penalty %{x:.3g}, %{customdata} features: %{y:.4g}<extra></extra>",
        )
    )
    low = float((table["mean"] - table["standard_error"]).min())
    high = float((table["mean"] + table["standard_error"]).max())
    margin = 0.05 * max(high - low, 1e-6)
    for position, (rule, penalty) in enumerate(penalties.items()):
        figure.add_trace(penalty_mark(rule, penalty, low - margin, high, position))
    figure.update_layout(
        hovermode="closest",
        margin={"t": 30},
        xaxis=penalty_axis(table["lambda"]),
        yaxis={
            "title": {"text": "Deviance of held-out patients"},
            "range": [low - margin, high + 2 * margin],
        },
        annotations=_counts(table, most=8),
    )
    add_narrow(figure, {"annotations": _counts(table, most=5)})
    return figure


def penalty_axis(penalties: "pd.Series[float]") -> dict[str, Any]:
    """Return the axis of the penalty: logarithmic, falling to the right."""
    low, high = float(penalties.min()), float(penalties.max())
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in TICKS]
    ticks = [tick for tick in ticks if low <= tick <= high]
    reach = 0.03 * max(np.log10(high / low), 0.1)
    return {
        "type": "log",
        "range": [np.log10(high) + reach, np.log10(low) - reach],
        "tickvals": ticks,
        "ticktext": [f"{tick:g}" for tick in ticks],
        "title": {"text": "Penalty λ (log scale)"},
    }


def penalty_mark(rule: str, penalty: float, low: float, high: float, position: int) -> go.Scatter:
    """Return the upright line that marks the penalty of one rule."""
    return go.Scatter(
        x=[penalty, penalty],
        y=[low, high],
        mode="lines",
        line={"color": INK, "width": 1.4, "dash": DASHES[position % len(DASHES)]},
        name=plain(rule),
        hoverinfo="skip",
        legendrank=position + 1,
    )


def _counts(table: pd.DataFrame, *, most: int) -> list[dict[str, Any]]:
    """Return how many features are selected, along the top."""
    every = -(-len(table) // most)
    return [
        {
            "x": float(np.log10(penalty)),
            "y": 1,
            "yref": "paper",
            "yanchor": "top",
            "text": f"{n}",
            "showarrow": False,
            "font": {"size": 11, "color": MUTED},
        }
        for penalty, n in zip(table["lambda"][::every], table["n_selected"][::every], strict=True)
    ]
