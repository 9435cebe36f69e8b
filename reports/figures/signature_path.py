"""Which features enter a signature as its penalty falls, and how strongly."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from reports.figures.signature_deviance import penalty_axis, penalty_mark
from reports.style import LINE, MUTED, check_columns, colours, new_figure, plain, shown_names


def draw_signature_path(table: pd.DataFrame, *, penalties: Mapping[str, float]) -> go.Figure:
    """Draw standardised coefficients over the penalty.

    Parameters
    ----------
    table : DataFrame, one row per penalty and feature
        Columns `lambda` (above 0), `feature` and `standardised`.
    penalties : mapping of str to float
        Rule -> penalty, each marked by a line; the one that is taken first. The features it keeps
        are drawn in colour, the others grey.

    Returns
    -------
    Figure
    """
    check_columns(table, ["lambda", "feature", "standardised"], "table")
    taken = next(iter(penalties.values()))
    at_taken = table[table["lambda"] == taken].set_index("feature")["standardised"]
    kept = at_taken[at_taken != 0].abs().sort_values(ascending=False).index
    colour = colours(kept)
    names = shown_names(table["feature"].unique())
    figure = new_figure(height=380)
    for feature, line in table.groupby("feature", sort=False):
        shade = colour.get(str(feature))
        figure.add_trace(
            go.Scatter(
                x=line["lambda"].tolist(),
                y=line["standardised"].tolist(),
                mode="lines",
                line={"color": shade or LINE, "width": 2.0 if shade else 1.0},
                name=plain(names[str(feature)]),
                showlegend=False,
                hovertemplate="penalty %{x:.3g}: %{y:.3f}<extra>%{fullData.name}</extra>",
            )
        )
    low, high = float(table["standardised"].min()), float(table["standardised"].max())
    margin = 0.05 * max(high - low, 1e-6)
    for position, (rule, penalty) in enumerate(penalties.items()):
        figure.add_trace(penalty_mark(rule, penalty, low - margin, high + margin, position))
    figure.update_layout(
        hovermode="closest",
        margin={"t": 30},
        xaxis=penalty_axis(table["lambda"]),
        yaxis={
            "title": {"text": "Coefficient per standard deviation"},
            "range": [low - margin, high + margin],
            "zeroline": True,
            "zerolinecolor": MUTED,
        },
    )
    return figure
