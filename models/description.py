"""Who the patients are: the description of each cohort that opens a report."""

import numpy as np
import pandas as pd

from omics.cohort import DEVELOPMENT, Cohort


def table_one(cohort: Cohort, columns: list[str]) -> pd.DataFrame:
    """Describe each column in the development and in every external cohort.

    Parameters
    ----------
    cohort : Cohort
    columns : list of str
        Columns of the wide table, such as `clinical:Age`.

    Returns
    -------
    DataFrame, one row per column, level and cohort
        `column`, `level` (NaN for a number), `cohort`, `n_known`, `n_missing`, then for numbers
        `mean`, `sd`, `median`, `q1`, `q3`, `minimum`, `maximum`, and for levels `count` and `share`
        (of the known, in [0, 1]).
    """
    rows = []
    for column in columns:
        for label in (DEVELOPMENT, *cohort.external):
            values = cohort.X.loc[cohort.group == label, column]
            common = {
                "column": column,
                "cohort": label,
                "n_known": int(values.notna().sum()),
                "n_missing": int(values.isna().sum()),
            }
            summary = _levels(values) if values.dtype == "category" else [_number(values)]
            rows += [common | part for part in summary]
    return pd.DataFrame(rows, columns=_TABLE_ONE)


_TABLE_ONE = [
    *("column", "level", "cohort", "n_known", "n_missing"),
    *("mean", "sd", "median", "q1", "q3", "minimum", "maximum", "count", "share"),
]


def _number(values: pd.Series) -> dict[str, float]:
    known = values.dropna().to_numpy(dtype=np.float64)
    if not len(known):
        return {}
    q1, median, q3 = np.quantile(known, [0.25, 0.5, 0.75])
    return {
        "mean": float(known.mean()),
        "sd": float(known.std(ddof=1)) if len(known) > 1 else np.nan,
        "median": float(median),
        "q1": float(q1),
        "q3": float(q3),
        "minimum": float(known.min()),
        "maximum": float(known.max()),
    }


def _levels(values: pd.Series) -> list[dict[str, float | str]]:
    known = int(values.notna().sum())
    counts = values.value_counts(sort=False)
    return [
        {
            "level": str(level),
            "count": int(counts[level]),
            "share": counts[level] / known if known else np.nan,
        }
        for level in values.cat.categories
    ]
