r"""How unlike are the groups of a study before anything is predicted? Standardised differences.

Between two groups, of a number and of a category with shares `p` of its levels but one:

.. math::

    d = \frac{|\bar x_1 - \bar x_2|}{\sqrt{(s_1^2 + s_2^2) / 2}}, \qquad
    d = \sqrt{(p_1 - p_2)^T \left[\tfrac12 (S_1 + S_2)\right]^{-1} (p_1 - p_2)},
    \quad S_k = \mathrm{diag}(p_k) - p_k p_k^T

With two levels the second is `|p_1 - p_2|` over the root of the mean of `p (1 - p)`. Which level is
left out makes no difference. Unlike a p value, neither grows with the number of patients. Both are
those of R's tableone, which says nothing, or 0, where no patient varies and the groups differ: the
difference is infinite there.

References
----------
Yang D, Dalton JE. A unified approach to measuring the effect size between two groups using SAS.
SAS Global Forum 2012; paper 335.
Austin PC. Balance diagnostics for comparing the distribution of baseline covariates between
treatment groups in propensity-score matched samples. Statistics in Medicine 2009;28:3083-3107.
doi:10.1002/sim.3697
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.checks import Floats

COLUMNS = ["column", "group", "reference", "n_patients", "difference"]
_NULL = 1e-10  # of a matrix of shares, below which an eigenvalue is rounding


@dataclass(frozen=True, eq=False, kw_only=True)
class Balance:
    """Standardised differences between groups, pair by pair.

    Attributes
    ----------
    table : DataFrame, one row per column and pair of groups
        `column`, `group`, `reference` (the earlier of the two), `n_patients` (known in both),
        `difference` (never below 0; infinite where no patient of a group differs from another of
        it, but the groups do; NaN where one has no known value, or a single number).
    n_patients : int
        In any group.
    """

    table: pd.DataFrame
    n_patients: int

    def __repr__(self) -> str:
        size, largest = self.table["column"].nunique(), self.table["difference"].max()
        return f"Balance({size} columns, {self.n_patients} patients, largest {largest:.3f})"

    @property
    def summary(self) -> pd.DataFrame:
        """One row per column: `column`, `n_pairs` that have a figure, `mean` and `largest`."""
        found = self.table.groupby("column", sort=False)["difference"]
        return found.agg(n_pairs="count", mean="mean", largest="max").reset_index()


def standardised_differences(X: pd.DataFrame, group: pd.Categorical | pd.Series) -> Balance:
    """Compare every column between every two groups.

    Parameters
    ----------
    X : DataFrame of shape (n_patients, n_columns)
        Numbers or categories. A number stays one where it has two values only. Missing values are
        left out, column by column.
    group : Categorical of shape (n_patients,)
        Patients without a group are left out.

    Returns
    -------
    Balance

    Raises
    ------
    ValueError
        If `group` is no category, or not of these patients.

    Examples
    --------
    >>> X = pd.DataFrame({"age": [40.0, 50, 60, 50, 60, 70]})
    >>> group = pd.Categorical(["a", "a", "a", "b", "b", "b"])
    >>> standardised_differences(X, group).table[["group", "reference", "difference"]].values
    array([['b', 'a', 1.0]], dtype=object)
    """
    group = check_groups(group, len(X))
    rows = []
    for column in X.columns:
        values, n_levels, known = column_values(X[column])
        parts = [values[known & (group.codes == code)] for code in range(len(group.categories))]
        for i, j in combinations(range(len(parts)), 2):
            rows.append(
                {
                    "column": str(column),
                    "group": str(group.categories[j]),
                    "reference": str(group.categories[i]),
                    "n_patients": len(parts[i]) + len(parts[j]),
                    "difference": _difference(parts[i], parts[j], n_levels),
                }
            )
    table = pd.DataFrame(rows, columns=COLUMNS)
    return Balance(table=table, n_patients=int((group.codes >= 0).sum()))


def check_groups(group: pd.Categorical | pd.Series, n_patients: int) -> pd.Categorical:
    """Return the groups as a Categorical of those that have patients, or say what is wrong."""
    values = group.array if isinstance(group, pd.Series) else group
    if not isinstance(values, pd.Categorical):
        raise ValueError(
            f"group must be a category, but {type(group).__name__} of another kind came. "
            "Write pd.Categorical(group)."
        )
    if len(values) != n_patients:
        raise ValueError(
            f"group must have one value for each of {n_patients} patients, but has {len(values)}."
        )
    return values.remove_unused_categories()


def column_values(column: pd.Series) -> tuple[Floats, int, NDArray[np.bool_]]:
    """Return numbers, or the codes of a category with the count of its levels; and what is known.

    Numbers have 0 levels.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        return codes.astype(np.float64), len(column.cat.categories), codes >= 0
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return values, 0, ~np.isnan(values)


def _difference(x: Floats, y: Floats, n_levels: int) -> float:
    if n_levels:
        return _of_shares(_shares(x, n_levels), _shares(y, n_levels)) if len(x) * len(y) else np.nan
    if min(len(x), len(y)) < 2:
        return np.nan
    if np.ptp(x) == 0 and np.ptp(y) == 0:  # asked of the values: a variance would be rounding
        return 0.0 if x[0] == y[0] else np.inf
    return float(abs(x.mean() - y.mean()) / np.sqrt((x.var(ddof=1) + y.var(ddof=1)) / 2))


def _shares(codes: Floats, n_levels: int) -> Floats:
    counts = np.bincount(codes.astype(np.intp), minlength=n_levels)
    return np.asarray(counts / len(codes), dtype=np.float64)


def _of_shares(p: Floats, q: Floats) -> float:
    """Mahalanobis' distance of two sets of shares, over all levels by the inverse of Moore-Penrose.

    Leaving a level out and inverting what remains is the same, and fails where a level is empty.
    """
    spread = (np.diag(p + q) - np.outer(p, p) - np.outer(q, q)) / 2
    values, vectors = np.linalg.eigh(spread)
    along = vectors.T @ (p - q)
    null = values <= _NULL
    if (np.abs(along[null]) > _NULL).any():  # apart where nobody varies
        return np.inf
    return float(np.sqrt(np.sum(along[~null] ** 2 / values[~null])))
