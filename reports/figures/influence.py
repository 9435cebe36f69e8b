"""Which coefficients hang on single patients."""

import pandas as pd
import plotly.graph_objects as go

from reports.figures.comparison import neutral_line
from reports.style import BLUE, LINE, check_columns, new_figure, plain, shorten, shown_names

MOST_COLUMNS = 20


def draw_influence(dfbetas: pd.DataFrame, *, limit: float) -> go.Figure:
    """Draw how far each patient moves each coefficient, in its standard errors.

    Parameters
    ----------
    dfbetas : DataFrame of shape (n_patients, n_columns)
        Patients within half the limit are not drawn, nor columns beyond the 20 most moved.
    limit : float
        Beyond which a patient is drawn in colour.

    Returns
    -------
    Figure
        One row per coefficient; a point has no name.
    """
    check_columns(dfbetas, [], "dfbetas")
    farthest = dfbetas.abs().max().sort_values(ascending=False, kind="stable")
    columns = [column for column in dfbetas if column in set(farthest.index[:MOST_COLUMNS])]
    long = dfbetas[columns].melt(var_name="column", value_name="value")
    long = long[long["value"].abs() > limit / 2]
    figure = new_figure(height=110 + 26 * len(columns))
    for beyond, name, colour in ((False, "Within the limit", LINE), (True, "Beyond", BLUE)):
        part = long[(long["value"].abs() > limit) == beyond]
        figure.add_trace(
            go.Scatter(
                x=part["value"].round(4).tolist(),
                y=[columns.index(column) for column in part["column"]],
                mode="markers",
                marker={"size": 6, "color": colour, "opacity": 0.7},
                name=name,
                hovertemplate="%{x:.2f} standard errors<extra></extra>",
            )
        )
    names = shown_names(columns)
    figure.update_layout(
        hovermode="closest",
        xaxis={
            "title": {"text": "Shift of the coefficient by one patient, standard errors"},
            "showgrid": True,
            "nticks": 9,
        },
        yaxis={
            "tickvals": list(range(len(columns))),
            "ticktext": [plain(shorten(names[str(c)], 34)) for c in columns],
            "range": [len(columns) - 0.5, -0.5],
            "showgrid": False,
            "ticks": "",
        },
        shapes=[neutral_line(at) for at in (-limit, 0.0, limit)],
    )
    return figure
