"""Which factors come back when MOFA is fitted again."""

import pandas as pd
import plotly.graph_objects as go

from reports.figures.ranges import draw_ranges
from reports.style import check_columns

KINDS = {"bootstrap": "Bootstrap of patients", "start": "Disturbed start"}


def draw_stability(table: pd.DataFrame, refits: pd.DataFrame, *, limit: float) -> go.Figure:
    """Draw how like itself each factor is in the refits: one row per factor.

    Parameters
    ----------
    table : DataFrame, one row per factor and kind of refit
        `factor`, `kind`, `lower_quartile`, `median`, `upper_quartile` (of |r|) and `refits`.
    refits : DataFrame, one row per refit and factor
        `factor`, `kind`, `r`; rows of factors that `table` lacks are not drawn.
    limit : float
        |r| from which on a factor counts as found again.

    Returns
    -------
    Figure
    """
    check_columns(table, ["factor", "kind", "median", "refits"], "table")
    check_columns(refits, ["factor", "kind", "r"], "refits")
    chosen = refits[refits["factor"].isin(table["factor"])]
    return draw_ranges(
        table.assign(row=table["factor"], group=table["kind"].map(KINDS), n=table["refits"]),
        points=chosen.assign(
            row=chosen["factor"], group=chosen["kind"].map(KINDS), value=chosen["r"].abs()
        ),
        title="|r| with the factor of the refit",
        limit=limit,
    )
