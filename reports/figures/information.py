"""How much is known of each patient's factors, cohort by cohort."""

import pandas as pd
import plotly.graph_objects as go

from reports.figures.ranges import draw_ranges
from reports.style import check_columns


def draw_information(table: pd.DataFrame, *, limit: float | None = None) -> go.Figure:
    """Draw the spread of the information on each factor: one row per factor.

    Parameters
    ----------
    table : DataFrame, one row per cohort and factor
        `cohort`, `factor`, `n_patients`, `lowest`, `lower_quartile`, `median`, `upper_quartile`,
        `highest`, in [0, 1].
    limit : float, optional
        Below it a patient counts as one with little information.

    Returns
    -------
    Figure
    """
    check_columns(table, ["cohort", "factor", "n_patients", "lowest", "highest"], "table")
    groups = [name[:1].upper() + name[1:] for name in map(str, table["cohort"])]
    return draw_ranges(
        table.assign(row=table["factor"], group=groups, n=table["n_patients"]),
        title="Information (share of the prior variance removed)",
        limit=limit,
    )
