"""Whether an update brings the risks of a model to what was observed in another cohort."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from reports.style import (
    LINE,
    add_narrow,
    check_columns,
    colours,
    model_line,
    new_figure,
    plain,
)


def draw_updating(
    curves: Mapping[str, pd.DataFrame], *, horizon: float | None = None, unit: str | None = None
) -> go.Figure:
    """Draw observed against predicted risk, before and after each update.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        Method -> `predicted` and `observed`, in [0, 1].
    horizon, unit : float and str, optional
        Time at which the risk is asked, and its unit; absent for a binary outcome.

    Returns
    -------
    Figure
    """
    if not curves:
        raise ValueError("curves must hold at least one method, but is empty.")
    for name, curve in curves.items():
        check_columns(curve, ["predicted", "observed"], f"the curve of {name!r}")
    largest = max(float(c[["predicted", "observed"]].max().max()) for c in curves.values())
    top = min(1.0, 1.05 * largest)
    figure = new_figure(height=480, max_width=580)
    ideal: dict[str, Any] = {"color": LINE, "width": 1.2, "dash": "dash"}
    figure.add_trace(
        go.Scatter(
            x=[0, top], y=[0, top], mode="lines", line=ideal, name="Ideal", legendrank=2000,
            hoverinfo="skip",
        )
    )  # fmt: skip
    colour_of = colours(curves)
    for position, (name, table) in enumerate(curves.items()):
        curve = table.sort_values("predicted", kind="stable")
        figure.add_trace(
            go.Scatter(
                x=curve["predicted"].tolist(),
                y=curve["observed"].tolist(),
                mode="lines",
                line=model_line(colour_of[name], position),
                name=plain(name),
                hovertemplate="predicted %{x:.1%}, observed %{y:.1%}"
                "<extra>%{fullData.name}</extra>",
            )
        )
    by = "" if horizon is None else f" by {horizon:g} {plain(unit or '')}".rstrip()
    axis: dict[str, Any] = {"range": [0, top], "tickformat": ".0%", "nticks": 7, "showgrid": True}
    figure.update_layout(
        hovermode="closest",
        margin={"t": 28},
        xaxis={**axis, "title": {"text": f"Predicted risk{by}"}},
        yaxis={**axis, "title": {"text": f"Observed risk{by}"}},
    )
    narrow = {"xaxis.title.text": "Predicted risk", "yaxis.title.text": "Observed risk"}
    add_narrow(figure, {"xaxis.nticks": 5, "yaxis.nticks": 6, **narrow})
    return figure
