"""By how much each model does better than one of them, and how sure that is."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from reports.figures.comparison import draw_models
from reports.style import check_columns
from reports.tables import digits_of


def draw_differences(table: pd.DataFrame, *, models: Sequence[str], title: str) -> go.Figure:
    """Draw paired differences of one figure, by validation and cohort, with intervals.

    Parameters
    ----------
    table : DataFrame
        Columns `model`, `cohort`, `validation`, `metric`, `difference`, `lower`, `upper`; one row
        per model, cohort and validation.
    models : sequence of str
        From top to bottom; the one that the others are compared with has no point.
    title : str
        Of the axis, ready for plotly.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        If a column is absent, a model comes twice, or there is no row.
    """
    columns = ["model", "cohort", "validation", "metric", "difference", "lower", "upper"]
    check_columns(table, columns, "table")
    twice = table.duplicated(["model", "cohort", "validation"])
    if twice.any():
        raise ValueError(
            f"table must hold one row per model, cohort and validation, but {twice.sum()} come "
            "again. Choose one metric, horizon and threshold first."
        )
    return draw_models(
        table.rename(columns={"difference": "estimate"}),
        models=models,
        title=title,
        digits=digits_of(table["metric"].iloc[0]),
        neutral=0.0,
    )
