"""What the values of each column show, many columns at once: copies, outliers, one-sided values.

References
----------
Tukey JW. Exploratory Data Analysis. Addison-Wesley 1977 ("far out": beyond three interquartile
ranges from the quartiles).
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LEAST_PER_CLASS = 5  # a near-perfect AUC among fewer patients arises by chance
FAR_OUT = 3.0  # interquartile ranges beyond the quartiles


def numbers_and_codes(table: pd.DataFrame) -> NDArray[np.float64]:
    """Return numbers as they are and categories as codes, NaN where missing.

    Parameters
    ----------
    table : DataFrame of shape (n_patients, n_features)
        Numbers and categories.

    Returns
    -------
    ndarray of shape (n_patients, n_features)

    Examples
    --------
    >>> grade = pd.Categorical([4, 2, None], categories=[2, 3, 4])
    >>> numbers_and_codes(pd.DataFrame({"age": [61.0, 40.0, 52.0], "grade": grade})).tolist()
    [[61.0, 2.0], [40.0, 0.0], [52.0, nan]]
    """
    categories = table.select_dtypes("category").columns
    if len(categories):
        codes = {name: table[name].cat.codes.where(table[name].notna()) for name in categories}
        table = table.assign(**codes)
    return table.to_numpy(dtype=np.float64)


def share_of_commonest(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, by column, the share of the commonest among the values that are there.

    Examples
    --------
    >>> share_of_commonest(np.array([[1.0, 0.0], [1.0, 2.0], [3.0, np.nan], [1.0, np.nan]]))
    array([0.75, 0.5 ])
    """
    ordered = np.sort(values, axis=0)  # NaN last
    n_rows, n_columns = ordered.shape
    longest = np.ones(n_columns, dtype=np.int64)
    run = np.ones(n_columns, dtype=np.int64)
    for row in range(1, n_rows):
        run = np.where(ordered[row] == ordered[row - 1], run + 1, 1)
        longest = np.maximum(longest, run)
    known = np.maximum((~np.isnan(values)).sum(axis=0), 1)
    return np.asarray(longest / known, dtype=np.float64)


def repeated_columns(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Find the columns that equal an earlier one exactly, missing values included.

    Parameters
    ----------
    values : ndarray of shape (n_patients, n_features)

    Returns
    -------
    ndarray of bool, of shape (n_features,)

    Examples
    --------
    >>> repeated_columns(np.array([[1.0, 2.0, 1.0], [np.nan, 3.0, np.nan]])).tolist()
    [False, False, True]
    """
    same_zero = np.where(np.isnan(values), np.nan, values) + 0.0  # one NaN, and -0 is 0
    rows = np.ascontiguousarray(same_zero.T)
    seen: set[bytes] = set()
    repeated = np.zeros(len(rows), dtype=np.bool_)
    for position, row in enumerate(rows):
        key = row.tobytes()
        repeated[position] = key in seen
        seen.add(key)
    return repeated


def far_out(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Find the values that Tukey calls far out: beyond three interquartile ranges of the quartiles.

    Parameters
    ----------
    values : ndarray of shape (n_patients, n_features)
        NaN where missing; no column without a value. A column whose quartiles are equal has no
        spread to judge by, and none far out.

    Returns
    -------
    ndarray of bool, of the shape of `values`

    Examples
    --------
    >>> far_out(np.array([[1.0], [2.0], [3.0], [4.0], [11.0]])).ravel().tolist()
    [False, False, False, False, True]
    """
    lower, upper = _quartiles(values)
    reach = FAR_OUT * (upper - lower)
    outside = (values < lower - reach) | (values > upper + reach)
    return np.asarray(outside & (reach > 0), dtype=np.bool_)


def _quartiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quartiles of each column, (2, n_features), missing values aside."""
    gaps = np.isnan(values).any(axis=0)
    quartiles = np.empty((2, values.shape[1]))
    # nanquantile goes column by column in Python: thirty times slower, so only where it must
    for columns, quantile in ((~gaps, np.quantile), (gaps, np.nanquantile)):
        if columns.any():
            quartiles[:, columns] = quantile(values[:, columns], [0.25, 0.75], axis=0)
    return quartiles


def column_auc(values: NDArray[np.float64], event: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute the area under the ROC curve of each column on its own, whichever its direction.

    Parameters
    ----------
    values : ndarray of shape (n_patients, n_features)
        Missing values (NaN) are left out, column by column; ties count one half.
    event : ndarray of bool, of shape (n_patients,)

    Returns
    -------
    ndarray of shape (n_features,)
        In [0.5, 1]; NaN where fewer than 5 patients of a class have a value.

    Examples
    --------
    >>> event = np.repeat([False, True], 5)
    >>> column_auc(np.arange(10.0).reshape(-1, 1), event).tolist()
    [1.0]
    """
    ranks = pd.DataFrame(values).rank().to_numpy()
    known = ~np.isnan(values)
    positive = known[event].sum(axis=0).astype(np.float64)
    negative = known[~event].sum(axis=0).astype(np.float64)
    few = (positive < LEAST_PER_CLASS) | (negative < LEAST_PER_CLASS)
    positive[few] = negative[few] = np.nan
    pairs_won = np.nansum(ranks[event], axis=0) - positive * (positive + 1) / 2
    auc = pairs_won / (positive * negative)
    return np.asarray(np.maximum(auc, 1 - auc), dtype=np.float64)
