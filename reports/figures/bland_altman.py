"""Differences of two readings over their mean, with bias and limits of agreement."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from omics.bland_altman import BlandAltman
from omics.messages import nearest
from reports.style import (
    BLUE,
    INK,
    MUTED,
    SMALL,
    VERMILLION,
    faded,
    feature_name,
    new_figure,
    plain,
    shorten,
)
from reports.tables import MINUS

_STYLES = {"bias": (INK, "solid"), "lower limit": (VERMILLION, "dash")}
_STYLES["upper limit"] = _STYLES["lower limit"]


def draw_bland_altman(found: BlandAltman, feature: str) -> go.Figure:
    """Draw a point per patient, bias and limits as lines, their intervals as bands.

    Parameters
    ----------
    found : BlandAltman
    feature : str
        One of its table. No point bears an id.

    Returns
    -------
    Figure
    """
    names = list(dict.fromkeys(found.table["feature"]))
    if feature not in names:
        raise ValueError(
            f"feature must be one of {len(names)}, but {feature!r} came. {nearest(feature, names)}"
        )
    place = names.index(feature)
    mean, difference = found.means[:, place], found.differences[:, place]
    known = np.isfinite(difference)
    mine = found.table[found.table["feature"] == feature]
    rows: list[dict[str, Any]] = [dict(row) for _, row in mine.iterrows()]
    figure = new_figure(height=380, max_width=680)
    figure.add_trace(
        go.Scatter(
            x=mean[known].tolist(),
            y=difference[known].tolist(),
            mode="markers",
            marker={"size": 8, "color": BLUE, "opacity": 0.75},
            hovertemplate="mean %{x:.4g}, difference %{y:.4g}<extra></extra>",
        )
    )
    name = plain(shorten(feature_name(feature), 36))
    figure.update_layout(
        showlegend=False,
        hovermode="closest",
        margin={"t": 30, "r": 90},
        xaxis={"title": {"text": f"Mean of {name}"}},
        yaxis={"title": {"text": "Second minus first"}},
        shapes=[*map(_band, rows), *map(_line, rows)],
        annotations=[_label(row) for row in rows],
    )
    return figure


def _band(row: dict[str, Any]) -> dict[str, Any]:
    colour, _ = _STYLES[row["what"]]
    return _across(row, "lower", "upper") | {
        "type": "rect",
        "fillcolor": faded(colour, 0.1),
        "line": {"width": 0},
    }


def _line(row: dict[str, Any]) -> dict[str, Any]:
    colour, dash = _STYLES[row["what"]]
    line = {"color": colour, "width": 1.4, "dash": dash}
    return _across(row, "estimate", "estimate") | {"type": "line", "line": line}


def _across(row: dict[str, Any], low: str, high: str) -> dict[str, Any]:
    ends = {"y0": row[low], "y1": row[high]}
    return {"layer": "below", "xref": "paper", "x0": 0, "x1": 1, **ends}


def _label(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "text": f"{row['what'].capitalize()}<br>{row['estimate']:.3g}".replace("-", MINUS),
        "xref": "paper",
        "x": 1.01,
        "xanchor": "left",
        "y": row["estimate"],
        "align": "left",
        "showarrow": False,
        "font": {"size": SMALL, "color": MUTED},
    }
