"""How well the centre is told from the features, before and after they are harmonised."""

import pandas as pd
import plotly.graph_objects as go

from reports.figures.comparison import neutral_line, points
from reports.style import BLUE, VERMILLION, check_columns, new_figure
from reports.tables import label

LOOKS = {"before": (VERMILLION, "circle-open"), "after": (BLUE, "circle")}
COLUMNS = ("stage", "metric", "estimate", "lower", "upper", "chance")


def draw_centre_prediction(table: pd.DataFrame, *, metric: str) -> go.Figure:
    """Draw one figure of merit before and after, with intervals, beside that of chance.

    Parameters
    ----------
    table : DataFrame
        Of `models.centre_prediction.CentrePrediction`.
    metric : {"auc", "balanced_accuracy"}
    """
    check_columns(table, COLUMNS, "table")
    chosen = table[table["metric"] == metric]
    figure = new_figure(height=190)
    for height, (stage, (colour, symbol)) in enumerate(LOOKS.items()):
        rows = chosen[chosen["stage"] == stage].assign(model=stage.capitalize())
        figure.add_trace(points(rows, [height], stage.capitalize(), colour, symbol, 2))
    figure.update_layout(
        showlegend=False,
        hovermode="closest",
        margin={"t": 20, "r": 20},
        xaxis={"title": {"text": label(metric)}, "range": [0, 1.02], "showgrid": True},
        yaxis={
            "tickvals": list(range(len(LOOKS))),
            "ticktext": [stage.capitalize() for stage in LOOKS],
            "range": [len(LOOKS) - 0.5, -0.5],
            "showgrid": False,
            "showline": False,
            "ticks": "",
        },
        shapes=[neutral_line(float(chosen["chance"].iloc[0]))],
    )
    return figure
