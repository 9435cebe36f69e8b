"""Whether patients with the event have higher scores than those without."""

import pandas as pd
import plotly.graph_objects as go

from reports.figures.waterfall import GROUPS
from reports.style import check_columns, faded, new_figure, plain


def draw_score_by_outcome(
    table: pd.DataFrame, *, title: str, labels: tuple[str, str], unit: str | None = None
) -> go.Figure:
    """Draw a box per group, and per horizon of a survival outcome.

    Parameters
    ----------
    table : DataFrame, one row per horizon and group
        Columns `horizon` (NaN for a binary outcome), `event`, `n_patients`, `minimum`, `q1`,
        `median`, `q3` and `maximum`; the box goes from quartile to quartile, whiskers to the ends.
    title : str
        Name of the score.
    labels : pair of str
        What patients without and with the event are called.
    unit : str, optional
        Of the horizons.

    Returns
    -------
    Figure
    """
    quartiles = ["minimum", "q1", "median", "q3", "maximum"]
    check_columns(table, ["horizon", "event", "n_patients", *quartiles], "table")
    has_horizons = bool(table["horizon"].notna().all())
    figure = new_figure(height=360, max_width=760 if has_horizons else 480)
    for (observed, shade), name in zip(GROUPS, labels, strict=True):
        boxes = table[table["event"] == observed]
        places = [f"{h:g} {unit or ''}".strip() for h in boxes["horizon"]]
        figure.add_trace(
            go.Box(
                x=[plain(place) for place in places] if has_horizons else [plain(name)],
                lowerfence=boxes["minimum"].tolist(),
                q1=boxes["q1"].tolist(),
                median=boxes["median"].tolist(),
                q3=boxes["q3"].tolist(),
                upperfence=boxes["maximum"].tolist(),
                hovertext=[f"{n} patients" for n in boxes["n_patients"]],
                marker={"color": shade},
                line={"color": shade, "width": 1.6},
                fillcolor=faded(shade, 0.18),
                whiskerwidth=0.4,
                name=plain(name),
            )
        )
    figure.update_layout(
        showlegend=has_horizons,
        boxmode="group" if has_horizons else "overlay",
        boxgap=0.45,
        margin={"t": 30},
        xaxis={
            "title": {"text": "Event by" if has_horizons else ""},
            "ticks": "",
        },
        yaxis={"title": {"text": plain(title)}, "showgrid": True},
    )
    return figure
