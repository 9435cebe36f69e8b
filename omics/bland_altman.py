r"""By how much two readings of the same patient differ: Bland and Altman's limits of agreement.

With mean :math:`\bar d` and standard deviation :math:`s` of the differences (second minus first)
of :math:`n` patients, 95 % of differences are expected within :math:`\bar d \pm z s`. The interval
of the bias is Student's; that of each limit, taken by itself, is exact for normal differences
(Carkeet): :math:`\bar d + s\, t_{\nu,\, \pm z\sqrt n}(q) / \sqrt n` with the quantile of the
noncentral t distribution. Bland and Altman's own, :math:`\pm t\, s \sqrt{3/n}`, is an approximation
for large samples and too narrow on its outer side in small ones.

References
----------
Bland JM, Altman DG. Measuring agreement in method comparison studies. Statistical Methods in
Medical Research 1999;8:135-160. doi:10.1177/096228029900800204
Carkeet A. Exact parametric confidence intervals for Bland-Altman limits of agreement. Optometry and
Vision Science 2015;92:e71-e80. doi:10.1097/OPX.0000000000000513
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import nct, norm, t

from omics.checks import as_floats, check_share, feature_labels

Floats = NDArray[np.float64]
WHAT = ("bias", "lower limit", "upper limit")


@dataclass(frozen=True, eq=False, kw_only=True)
class BlandAltman:
    """How two readings of each feature differ.

    Attributes
    ----------
    table : DataFrame, three rows per feature
        `feature`, `what` (`bias`, `lower limit`, `upper limit`), `estimate`, `lower`, `upper` (in
        the feature's own unit), `n_patients` (whom both measured), and `standard_deviation` and
        `repeatability_coefficient` of the feature: two readings of one patient differ by less in 95
        % (the share `coverage`), bias included.
    means, differences : ndarray of shape (n_patients, n_features)
        Of the two readings (second minus first), for the figure; NaN where one is missing.
    coverage : float
        Share of differences that the limits are to hold.
    level : float
        Of the intervals.
    n_patients : int
    """

    table: pd.DataFrame
    coverage: float
    level: float
    n_patients: int
    means: Floats = field(repr=False)
    differences: Floats = field(repr=False)

    def __repr__(self) -> str:
        n = len(self.table) // len(WHAT)
        return (
            f"BlandAltman({n} features, {self.n_patients} patients, limits of "
            f"{100 * self.coverage:g} %)"
        )


def bland_altman(
    first: ArrayLike,
    second: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    coverage: float = 0.95,
    level: float = 0.95,
) -> BlandAltman:
    """Compute bias and limits of agreement of every feature, with their intervals.

    Parameters
    ----------
    first, second : array-like of shape (n_patients, n_features) or (n_patients,)
        Readings of the same patients in the same order; NaN where not measured. Only patients with
        both count, feature by feature.
    names : sequence of str, optional
        Of the features; by default x0, x1, ...
    coverage, level : float
        Of the limits and of the intervals, in (0, 1).

    Returns
    -------
    BlandAltman
        NaN for a feature that fewer than two patients have.

    Raises
    ------
    ValueError
        If the shapes differ, a value is infinite or a share is not between 0 and 1.

    Examples
    --------
    >>> found = bland_altman([10.0, 20.0, 30.0, 40.0], [11.0, 19.0, 32.0, 42.0])
    >>> found.table[["what", "estimate"]].round(3).values.tolist()
    [['bias', 1.0], ['lower limit', -1.772], ['upper limit', 3.772]]
    """
    one, other = _checked(first, "first"), _checked(second, "second")
    if one.shape != other.shape:
        raise ValueError(
            "first and second must hold the same patients and features, but their shapes are "
            f"{one.shape} and {other.shape}."
        )
    check_share(coverage, "coverage")
    check_share(level, "level")
    labels = feature_labels(names, one.shape[1])
    differences = other - one
    return BlandAltman(
        table=_table(differences, labels, coverage, level),
        coverage=coverage,
        level=level,
        n_patients=int(np.isfinite(differences).any(axis=1).sum()),
        means=(one + other) / 2,
        differences=differences,
    )


def _table(differences: Floats, labels: list[str], coverage: float, level: float) -> pd.DataFrame:
    known = np.isfinite(differences)
    n = known.sum(axis=0)
    some = np.where(n >= 2, n, np.nan)
    values = np.where(known, differences, 0.0)
    bias = values.sum(axis=0) / some
    squares = (np.where(known, differences - bias, 0.0) ** 2).sum(axis=0)
    deviation = np.sqrt(squares / (some - 1))
    z = norm.ppf((1 + coverage) / 2)
    factors = _factors(n, z, level)  # of the standard deviation: (n_features, 3, 3)
    ends = bias[:, np.newaxis, np.newaxis] + deviation[:, np.newaxis, np.newaxis] * factors
    table = pd.DataFrame(ends.reshape(-1, 3), columns=["estimate", "lower", "upper"])
    table.insert(0, "what", np.tile(WHAT, len(labels)))
    table.insert(0, "feature", np.repeat(labels, len(WHAT)))
    table["n_patients"] = np.repeat(n, len(WHAT))
    table["standard_deviation"] = np.repeat(deviation, len(WHAT))
    root = np.sqrt((values**2).sum(axis=0) / some)
    table["repeatability_coefficient"] = np.repeat(z * root, len(WHAT))
    return table


def _factors(n: NDArray[np.intp], z: float, level: float) -> Floats:
    """Estimate, lower and upper of bias and limits, in standard deviations from the bias."""
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    result = np.full((len(n), 3, 3), np.nan)
    for size in np.unique(n[n >= 2]):  # most features share one
        root = np.sqrt(size)
        rows = [[0.0, *(t.ppf(tails, size - 1) / root)]]
        upper = nct.ppf(tails, size - 1, z * root) / root
        rows += [[-z, *(-upper[::-1])], [z, *upper]]
        result[n == size] = rows
    return result


def _checked(values: ArrayLike, name: str) -> Floats:
    array = as_floats(values, name)
    array = array[:, np.newaxis] if array.ndim == 1 else array
    if array.ndim != 2 or np.isinf(array).any():
        raise ValueError(
            f"{name} must be finite or NaN, of shape (n_patients, n_features), but shape "
            f"{array.shape} with {np.isinf(array).sum()} infinite values came."
        )
    return array
