"""Performance as a journal prints it: two tables, the horizon as heading of its rows."""

import numpy as np
import pandas as pd

from reports.tables import DASH, TableRows, label, performance_rows

DISCRIMINATION = ("c_index", "c_index_uno", "auc", "brier", "ipa")
CALIBRATION = (
    *("calibration_slope", "calibration_intercept", "observed_expected"),
    *("ici", "e50", "e90", "emax"),
)
HEADLINE_METRICS = (*DISCRIMINATION, "calibration_slope", "observed_expected", "ici")


def metric_rows(
    performance: pd.DataFrame, *, metrics: tuple[str, ...], column: str, unit: str | None
) -> TableRows:
    """Lay out some metrics: a row per metric, below the horizon it has, and one column per series.

    Parameters
    ----------
    performance : DataFrame
        Columns `metric`, `horizon`, `estimate`, `lower`, `upper` and `column`; one row per
        series, metric and horizon.
    metrics : tuple of str
        Which, in the order of the rows; one that is absent is left out.
    column : str
        Column of `performance` that tells the series apart, such as `model`.
    unit : str or None
        Unit of the horizons.

    Returns
    -------
    TableRows

    Examples
    --------
    >>> performance = pd.DataFrame({"model": "A", "metric": ["c_index", "auc"],
    ...     "horizon": [float("nan"), 12.0], "estimate": [0.7, 0.8], "lower": 0.6, "upper": 0.9})
    >>> ready = metric_rows(performance, metrics=DISCRIMINATION, column="model", unit="months")
    >>> ready.rows[:2]
    (('C-index (Harrell)', '0.700 (0.600–0.900)'), ('By 12 months', ''))
    >>> ready.rows[2], ready.groups
    (('  AUC', '0.800 (0.600–0.900)'), (1,))
    """
    series = list(dict.fromkeys(performance[column]))
    chosen = performance[performance["metric"].isin(metrics)]
    numbered = chosen.assign(model=chosen[column].map(series.index))  # a name may be any text
    wide = performance_rows(numbered)
    columns = [number for number in range(len(series)) if number in wide.columns]
    order = {label(metric): position for position, metric in enumerate(metrics)}
    at = wide["horizon"] if "horizon" in wide.columns else pd.Series(np.nan, wide.index)
    place = wide["metric"].map(order)
    rows: list[tuple[str, ...]] = []
    groups = []
    for horizon in sorted(at.unique(), key=lambda one: (not np.isnan(one), one)):
        has_horizon = not np.isnan(horizon)
        if has_horizon:
            groups.append(len(rows))
            rows.append((f"By {horizon:g} {unit or ''}".rstrip(), *("" for _ in columns)))
        part = wide[at == horizon] if has_horizon else wide[at.isna()]
        indent = "  " if has_horizon else ""
        rows += [
            (f"{indent}{words}", *(str(cell) for cell in cells))
            for words, *cells in part.loc[place.loc[part.index].sort_values().index]
            .loc[:, ["metric", *columns]]
            .fillna(DASH)
            .itertuples(index=False)
        ]
    return TableRows(
        header=("Metric", *(str(series[number]) for number in columns)),
        rows=tuple(rows),
        numeric=(False, *(True for _ in columns)),
        groups=tuple(groups),
    )
