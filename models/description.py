"""Who the patients are, and what the factors go with: every descriptive statistic a report prints.

References
----------
Benjamini Y, Hochberg Y. Controlling the false discovery rate. JRSS B 1995;57:289-300.
doi:10.1111/j.2517-6161.1995.tb02031.x
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

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


def associations(factors: pd.DataFrame, columns: pd.DataFrame) -> pd.DataFrame:
    """Test each factor against each column, corrected for the number of tests.

    Numbers: Spearman's rank correlation. Categories: Kruskal-Wallis over the levels, with the share
    of rank variance they explain (eta squared).

    Parameters
    ----------
    factors : DataFrame of shape (n_patients, n_factors)
    columns : DataFrame of shape (n_patients, n_columns)
        Same patients, in the same order; numbers or Categorical.

    Returns
    -------
    DataFrame, one row per factor and column
        `factor`, `column`, `test`, `effect` (Spearman's rho in [-1, 1], or eta squared in
        [0, 1]),
        `n_patients`, `p_value`, `p_adjusted` (Benjamini-Hochberg over all rows).

    Examples
    --------
    >>> factor = pd.DataFrame({"factors:F1": [1.0, 2.0, 3.0, 4.0]})
    >>> age = pd.DataFrame({"clinical:Age": [30.0, 41.0, 52.0, 63.0]})
    >>> associations(factor, age)[["test", "effect"]].values.tolist()
    [['Spearman', 1.0]]
    """
    if not factors.index.equals(columns.index):
        raise ValueError("factors and columns must hold the same patients in the same order")
    rows = [
        {"factor": factor, "column": column, **_association(factors[factor], columns[column])}
        for factor in factors
        for column in columns
    ]
    table = pd.DataFrame(
        rows, columns=["factor", "column", "test", "effect", "n_patients", "p_value"]
    )
    table["p_adjusted"] = np.nan
    tested = table["p_value"].notna()
    if tested.any():
        table.loc[tested, "p_adjusted"] = stats.false_discovery_control(
            table.loc[tested, "p_value"].to_numpy()
        )
    return table


def _association(factor: pd.Series, values: pd.Series) -> dict[str, float | str]:
    known = values.notna() & factor.notna()
    x = factor[known].to_numpy(dtype=np.float64)
    if values.dtype == "category":
        return _kruskal(x, values[known].cat.codes.to_numpy())
    other = values[known].to_numpy(dtype=np.float64)
    found: dict[str, float | str] = {"test": "Spearman", "n_patients": len(x)}
    if len(x) < 4 or np.ptp(x) == 0 or np.ptp(other) == 0:
        return found | {"effect": np.nan, "p_value": np.nan}
    result = stats.spearmanr(x, other)
    return found | {"effect": float(result.statistic), "p_value": float(result.pvalue)}


def _kruskal(x: NDArray[np.float64], codes: NDArray[np.integer[Any]]) -> dict[str, float | str]:
    groups = [x[codes == code] for code in np.unique(codes)]
    found: dict[str, float | str] = {"test": "Kruskal-Wallis", "n_patients": len(x)}
    if len(groups) < 2 or len(x) <= len(groups) or np.ptp(x) == 0:
        return found | {"effect": np.nan, "p_value": np.nan}
    result = stats.kruskal(*groups)
    return found | {
        "effect": float(result.statistic) / (len(x) - 1),
        "p_value": float(result.pvalue),
    }
