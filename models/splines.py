r"""Restricted cubic splines: how a measurement may act without a straight line being assumed.

With knots :math:`t_1 < \dots < t_k` the columns are :math:`X_1 = x` and, for
:math:`j = 1 \dots k-2`,

.. math::

    X_{j+1} = \frac{(x-t_j)^3_+ - (x-t_{k-1})^3_+ \frac{t_k-t_j}{t_k-t_{k-1}}
                    + (x-t_k)^3_+ \frac{t_{k-1}-t_j}{t_k-t_{k-1}}}{(t_k-t_1)^2}

so that the curve is straight below the first knot and above the last.

References
----------
Harrell FE. Regression Modeling Strategies, 2nd ed. Springer 2015, section 2.4.
doi:10.1007/978-3-319-19425-7
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omics.checks import check_numbers
from omics.errors import FitError

FEWEST_KNOTS, MOST_KNOTS = 3, 7
_HEAVY_END = 0.05  # share of patients at the very smallest (largest) value that gives it a knot
_CURE = "Give fewer knots, give the knots themselves, or let it be linear."


def restricted_cubic_spline(x: ArrayLike, knots: ArrayLike) -> NDArray[np.float64]:
    """Expand one measurement into the columns of a restricted cubic spline.

    Parameters
    ----------
    x : array-like of shape (n_patients,)
        The measurement, in its own unit; NaN gives a row of NaN.
    knots : array-like of shape (n_knots,)
        At least 3, increasing, in the unit of `x`.

    Returns
    -------
    ndarray of shape (n_patients, n_knots - 1)
        The first column is `x` itself; all are in the unit of `x`.

    Raises
    ------
    ValueError
        If the knots are fewer than 3, not finite or not increasing.

    Examples
    --------
    >>> restricted_cubic_spline([0, 1, 2, 4], [0, 1, 2]).tolist()
    [[0.0, 0.0], [1.0, 0.25], [2.0, 1.5], [4.0, 4.5]]
    """
    t = check_knots(knots)
    values = np.asarray(x, dtype=np.float64)
    cubes = np.maximum(values[:, np.newaxis] - t, 0.0) ** 3  # (n_patients, n_knots)
    inner, before_last, last = t[:-2], t[-2], t[-1]
    curved = (
        cubes[:, :-2]
        - cubes[:, -2:-1] * (last - inner) / (last - before_last)
        + cubes[:, -1:] * (before_last - inner) / (last - before_last)
    ) / (last - t[0]) ** 2
    columns = np.column_stack([values, curved])
    columns[np.isnan(values)] = np.nan
    return columns


def check_knots(knots: ArrayLike, *, name: str = "knots") -> NDArray[np.float64]:
    """Return `knots` as a float array of at least 3 finite, increasing values."""
    t = check_numbers(knots, name)
    if len(t) < FEWEST_KNOTS or (np.diff(t) <= 0).any():
        raise ValueError(
            f"{name} must be at least {FEWEST_KNOTS} increasing values, but {t.tolist()} came. "
            "Sort them, or give a number of knots (3 to 7)."
        )
    return t


def default_knots(x: ArrayLike, n_knots: int, *, name: str = "x") -> NDArray[np.float64]:
    """Place knots at Harrell's quantiles, as Hmisc's `rcspline.eval` does.

    The outer knots stand at the .10 and .90 quantile (3 knots), .05 and .95 (4 to 6) or .025 and
    .975 (7), the others equally spaced in probability (R's quantile type 7). With fewer than 100
    patients the outer knots are the 5th smallest and 5th largest value. Where 5 % or more of the
    patients share the smallest (largest) value, and no value in between is so frequent, the outer
    knot is the next value, and the others are placed among the patients beyond it.

    Parameters
    ----------
    x : array-like of shape (n_patients,)
        The measurement; missing values (NaN) are left out.
    n_knots : int
        3 to 7.
    name : str
        What the message calls `x`.

    Returns
    -------
    ndarray of shape (n_knots,)
        Increasing.

    Raises
    ------
    ValueError
        If `n_knots` is not 3 to 7.
    FitError
        If `x` has too few distinct values, or so many ties that knots coincide (Hmisc would go on
        with fewer knots, and so another model than the one asked for).

    Examples
    --------
    >>> default_knots(range(101), 3).tolist()
    [10.0, 50.0, 90.0]
    """
    if n_knots not in range(FEWEST_KNOTS, MOST_KNOTS + 1):
        raise ValueError(
            f"n_knots of {name} must be {FEWEST_KNOTS} to {MOST_KNOTS}, but {n_knots} came."
        )
    values = np.sort(np.asarray(x, dtype=np.float64))
    values = values[~np.isnan(values)]
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= n_knots + 2:
        raise FitError(
            f"{name} must have more than {n_knots + 2} distinct values for {n_knots} knots, but it "
            f"has {len(distinct)}. {_CURE}"
        )
    knots = np.unique(_quantile_knots(values, distinct, counts, n_knots))
    if len(knots) < n_knots:
        raise FitError(
            f"{name} must allow {n_knots} different knots, but its quantiles give {len(knots)} "
            f"({', '.join(f'{knot:g}' for knot in knots)}): many patients share a value. {_CURE}"
        )
    return knots


def _quantile_knots(
    values: NDArray[np.float64],
    distinct: NDArray[np.float64],
    counts: NDArray[np.intp],
    n_knots: int,
) -> NDArray[np.float64]:
    """Give the knots, possibly tied, from sorted values."""
    share = counts / len(values)
    light_inside = share[1:-1].max() < _HEAVY_END
    heavy_first = bool(light_inside and share[0] >= _HEAVY_END)
    heavy_last = bool(light_inside and share[-1] >= _HEAVY_END)
    first, last = distinct[1], distinct[-2]
    if heavy_first:
        values = values[values > first]
    if heavy_last:
        values = values[values < last]
    n_free = n_knots - heavy_first - heavy_last
    knots = np.quantile(values, _probabilities(n_free, n_knots))
    if len(values) < 100 and n_free > 1:
        if not heavy_first:
            knots[0] = values[min(4, len(values) - 1)]
        if not heavy_last:
            knots[-1] = values[max(len(values) - 5, 0)]
    return np.concatenate([[first] * heavy_first, knots, [last] * heavy_last])


def _probabilities(n_free: int, n_knots: int) -> NDArray[np.float64]:
    """Give the quantiles of the knots that are not tied to an end."""
    outer = 0.1 if n_knots == 3 else 0.05 if n_knots <= 6 else 0.025
    if n_free == 1:
        return np.array([0.5])
    return np.linspace(0.5 if n_free == 2 else outer, 1 - outer, n_free)
