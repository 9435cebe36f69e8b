r"""Do the predictors say the same thing twice: the variance inflation of each term.

With the correlation matrix R of the coefficients (the intercept left out), term J and the rest K,

.. math::

    \mathrm{GVIF}_J = \frac{\det R_{JJ}\, \det R_{KK}}{\det R}

For one column this is the usual variance inflation factor, the diagonal of :math:`R^{-1}`; for a
spline or a category it does not depend on how its columns are coded. Its root of order twice the
degrees of freedom says by how much a standard error grows, and compares terms of different size.

References
----------
Fox J, Monette G. Generalized collinearity diagnostics. JASA 1992;87:178-183.
doi:10.1080/01621459.1992.10475190
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

HIGH_INFLATION = 10.0


@dataclass(frozen=True, eq=False, kw_only=True)
class VarianceInflation:
    """By how much each term's variance grows because others are in the model.

    Attributes
    ----------
    table : DataFrame, one row per term
        `term`, `inflation` (generalised variance inflation factor, 1 or more), `df` and `scaled`
        (the factor of a standard error, to the power 1 / (2 df)).
    """

    table: pd.DataFrame

    def __repr__(self) -> str:
        worst = self.table.loc[self.table["scaled"].idxmax()]
        return (
            f"VarianceInflation({len(self.table)} terms, most in {worst['term']}: "
            f"{worst['inflation']:.3g} on {worst['df']} df)"
        )

    @property
    def high(self) -> pd.DataFrame:
        """Rows of terms inflated above 10 per degree of freedom: a standard error times 3.2."""
        return self.table[self.table["scaled"] ** 2 > HIGH_INFLATION]


def variance_inflation(
    covariance: ArrayLike, names: Sequence[str], *, terms: Mapping[str, Sequence[str]]
) -> VarianceInflation:
    """Compute the variance inflation of each term from the covariance of the coefficients.

    Parameters
    ----------
    covariance : array-like of shape (p, p)
        Of the coefficients without the intercept. Of a ridge model it is that of the penalised
        fit, which a ridge keeps from inflating.
    names : sequence of str of length p
        Columns, in its order.
    terms : mapping of term to its columns
        Each column stands in one term.

    Returns
    -------
    VarianceInflation

    Raises
    ------
    ValueError
        If the shapes do not agree, `terms` do not hold each column once, or the covariance is not
        positive definite.

    Examples
    --------
    Two predictors whose coefficients correlate by -.6: 1 / (1 - .36).

    >>> result = variance_inflation([[4, -1.2], [-1.2, 1]], ["a", "b"], terms={"a": "a", "b": "b"})
    >>> result.table["inflation"].round(4).tolist()
    [1.5625, 1.5625]
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.shape != (len(names), len(names)) or not len(names):
        raise ValueError(
            f"covariance must have one row and column per name ({len(names)}, 1 or more), but "
            f"shape {matrix.shape} came. Leave the intercept out."
        )
    given = [column for columns in terms.values() for column in columns]
    if sorted(given) != sorted(names):
        wrong = sorted(set(given) ^ set(names)) or [c for c in given if given.count(c) > 1]
        raise ValueError(
            f"terms must hold each of the {len(names)} columns once, but {len(wrong)} are absent, "
            f"unknown or come twice (first: {wrong[0]!r}). Take them from Design.terms_."
        )
    spread = np.sqrt(np.diag(matrix))
    correlation = matrix / np.outer(spread, spread)
    if np.linalg.eigvalsh(correlation)[0] <= len(names) * np.finfo(np.float64).eps:
        raise ValueError(
            "covariance must be positive definite, but it is not. Columns that follow from others "
            "have no coefficients of their own: leave one out."
        )
    inverse = np.linalg.inv(correlation)
    position = {name: j for j, name in enumerate(names)}
    rows = []
    for term, columns in terms.items():
        own = np.ix_(*2 * [[position[column] for column in columns]])
        # det R_KK / det R is the minor of the inverse that belongs to J (Jacobi)
        log_inflation = _log_determinant(correlation[own]) + _log_determinant(inverse[own])
        df = len(columns)
        rows.append((term, np.exp(log_inflation), df, np.exp(log_inflation / (2 * df))))
    return VarianceInflation(
        table=pd.DataFrame(rows, columns=["term", "inflation", "df", "scaled"])
    )


def _log_determinant(matrix: NDArray[np.float64]) -> float:
    return float(np.linalg.slogdet(matrix)[1])
