r"""Tell which features differ between centres, in level or in spread.

Level by Kruskal and Wallis's test, spread by Brown and Forsythe's (an analysis of variance of the
distances from each centre's median); P values are adjusted over features after Benjamini and
Hochberg.

References
----------
Kruskal WH, Wallis WA. Use of ranks in one-criterion variance analysis. Journal of the American
Statistical Association 1952;47:583-621. doi:10.1080/01621459.1952.10483441

Brown MB, Forsythe AB. Robust tests for the equality of variances. Journal of the American
Statistical Association 1974;69:364-367. doi:10.1080/01621459.1974.10482955
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, f, false_discovery_control, rankdata

from omics.checks import check_same_length

SIGNIFICANT = 0.05  # of adjusted P values

Floats = NDArray[np.float64]


def centre_differences(table: pd.DataFrame, centre: ArrayLike) -> pd.DataFrame:
    """Test each feature for differences between centres.

    Parameters
    ----------
    table : DataFrame of shape (n_patients, n_features)
        Numbers; NaN where missing, which is left out.
    centre : array-like of shape (n_patients,)

    Returns
    -------
    DataFrame, one row per feature
        `feature`; `level_p`, `spread_p`; `level_q`, `spread_q`, the same adjusted over the features
        that could be tested. NaN where a feature has one value, or is known at one centre only.

    Examples
    --------
    >>> table = pd.DataFrame({"a": [1.0, 2, 3, 7, 8, 9], "b": [1.0, 9, 5, 6, 4, 5]})
    >>> centre_differences(table, ["A"] * 3 + ["B"] * 3).round(3)[["feature", "level_p"]]
      feature  level_p
    0       a     0.05
    1       b     1.00
    """
    values = table.to_numpy(dtype=np.float64)
    codes = pd.factorize(np.asarray(centre, dtype=object))[0]
    check_same_length(table=values, centre=codes)
    level, spread = _kruskal_wallis(values, codes), _brown_forsythe(values, codes)
    return pd.DataFrame(
        {
            "feature": [str(name) for name in table.columns],
            "level_p": level,
            "spread_p": spread,
            "level_q": _adjusted(level),
            "spread_q": _adjusted(spread),
        }
    )


def _sums(values: Floats, codes: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Count and add up the known values of each centre: two of (n_centres, n_features)."""
    centres, known = np.eye(codes.max() + 1)[codes].T, ~np.isnan(values)
    return centres @ known, centres @ np.where(known, values, 0.0)


def _kruskal_wallis(values: Floats, codes: NDArray[np.intp]) -> Floats:
    ranks = np.asarray(rankdata(values, axis=0, nan_policy="omit"), dtype=np.float64)
    n, total = _sums(ranks, codes)
    whole = n.sum(axis=0)
    centred = ranks - (whole + 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        between = np.nansum(n * (total / n - (whole + 1) / 2) ** 2, axis=0)
        # of ranks that are tied the variance is smaller: this is the correction for ties
        statistic = (whole - 1) * between / np.nansum(centred**2, axis=0)
    freedom = (n > 0).sum(axis=0) - 1
    tested = np.isfinite(statistic) & (freedom > 0)
    p = chi2.sf(statistic, np.maximum(freedom, 1))
    return np.where(tested, p, np.nan)


def _brown_forsythe(values: Floats, codes: NDArray[np.intp]) -> Floats:
    distance = np.full_like(values, np.nan)
    for code in range(codes.max() + 1):
        here = values[codes == code]
        some = ~np.isnan(here).all(axis=0)
        median = np.full(values.shape[1], np.nan)
        median[some] = np.nanmedian(here[:, some], axis=0)
        distance[codes == code] = np.abs(here - median)
    n, total = _sums(distance, codes)
    whole, centres = n.sum(axis=0), (n > 0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / n
        between = np.nansum(n * (mean - total.sum(axis=0) / whole) ** 2, axis=0) / (centres - 1)
        within = np.nansum((distance - mean[codes]) ** 2, axis=0) / (whole - centres)
        ratio = between / within
    tested = np.isfinite(ratio) & (centres > 1) & (whole > centres)
    p = f.sf(ratio, np.maximum(centres - 1, 1), np.maximum(whole - centres, 1))
    return np.where(tested, p, np.nan)


def _adjusted(p: Floats) -> Floats:
    adjusted, tested = np.full_like(p, np.nan), ~np.isnan(p)
    if tested.any():
        adjusted[tested] = false_discovery_control(p[tested])
    return adjusted
