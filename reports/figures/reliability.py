"""How well features repeat, class by class: estimates, and the lower bounds that decide."""

import pandas as pd
import plotly.graph_objects as go

from reports.figures.ranges import draw_ranges
from reports.style import check_columns, plain

NAMES = {"estimate": "Estimate", "lower bound": "Lower bound"}
_COLUMNS = ["feature_class", "what", "lowest", "lower_quartile", "median", "upper_quartile"]


def draw_reliability(spread: pd.DataFrame, *, form: str, least: float | None = None) -> go.Figure:
    """Draw, for each class of features, how estimates and lower bounds spread.

    Parameters
    ----------
    spread : DataFrame, one row per class and end
        As in `omics.reliability.Reliability.spread`.
    form : str
        Of the intraclass correlation, for the axis.
    least : float, optional
        Lower bound from which a feature is kept: drawn as a line.

    Returns
    -------
    Figure
    """
    check_columns(spread, _COLUMNS, "spread")
    rows = spread.assign(row=spread["feature_class"], group=spread["what"].map(NAMES))
    lowest = float(spread["lowest"].min()) if len(spread) else 0.0
    return draw_ranges(rows, title=plain(form), limit=least, span=(max(min(lowest, 0.0), -1.0), 1))
