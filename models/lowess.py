r"""A smooth curve through 0/1 outcomes: how often the event came at each predicted risk.

Cleveland's locally weighted straight line with tricube weights, without robustness iterations, as
R's `lowess(x, y, f, iter = 0, delta)`: at anchor values at least `delta` apart a line is fitted to
the nearest share `span` of the patients, and the curve runs straight between anchors.

Considered and rejected: statsmodels' lowess. Its last few values stray from R's by about 1e-6;
where a whole neighbourhood shares one prediction (a model of a few categories) it divides by zero
and returns NaN or 0; and importing it takes longer than all the metrics of a model.

References
----------
Cleveland WS. Robust locally weighted regression and smoothing scatterplots. Journal of the American
Statistical Association 1979;74:829-836. doi:10.1080/01621459.1979.10481038
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SPAN, DELTA = 2 / 3, 0.01  # R's defaults: share of patients, share of the range
BLOCK = 2**20  # weights held at once


def lowess(x: Floats, y: Floats, *, at: Floats) -> Floats:
    """Smooth `y` over `x` and read the curve at `at`.

    Parameters
    ----------
    x : ndarray of shape (n_patients,)
        Finite.
    y : ndarray of shape (n_patients,)
        Finite.
    at : ndarray of shape (n_points,)

    Returns
    -------
    ndarray of shape (n_points,)
        NaN outside the range of `x`, and everywhere if there are fewer than two patients.

    Examples
    --------
    >>> lowess(np.array([0.0, 1, 2, 3]), np.array([1.0, 3, 5, 7]), at=np.array([0.5, 4])).round(6)
    array([ 2., nan])
    """
    if len(x) < 2:
        return np.full(len(at), np.nan)
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    anchors = _anchors(x, delta=DELTA * (x[-1] - x[0]))
    size = min(max(int(SPAN * len(x) + 1e-7), 2), len(x))
    step = max(BLOCK // len(x), 1)
    fitted = [_lines(x, y, anchors[k : k + step], size) for k in range(0, len(anchors), step)]
    return np.interp(at, anchors, np.concatenate(fitted), left=np.nan, right=np.nan)


def _anchors(x: Floats, *, delta: float) -> Floats:
    """Values at which a line is fitted: after each, the last value within `delta`, or the next."""
    values = np.unique(x)
    places, last = [0], len(values) - 1
    reach = np.searchsorted(values, values + delta, side="right") - 1
    while places[-1] < last:
        places.append(max(int(reach[places[-1]]), places[-1] + 1))
    return values[places]


def _lines(x: Floats, y: Floats, anchors: Floats, size: int) -> Floats:
    """Height at each anchor of the line fitted to its `size` nearest patients."""
    # Windows slide right while the patient ahead is nearer than the one behind.
    first = np.searchsorted(x[: len(x) - size] + x[size:], 2 * anchors, side="left")
    width = np.maximum(anchors - x[first], x[first + size - 1] - anchors)[:, np.newaxis]
    gap = x - anchors[:, np.newaxis]  # (n_anchors, n_patients)
    distance = np.abs(gap)
    inside = (distance <= 0.999 * width) & (np.arange(len(x)) >= first[:, np.newaxis])
    scaled = distance / np.where(width > 0, width, 1)
    tricube = 1 - scaled * scaled * scaled
    weight = np.where(distance <= 0.001 * width, 1.0, tricube * tricube * tricube) * inside
    weight /= weight.sum(axis=1, keepdims=True)
    centre = (weight * gap).sum(axis=1, keepdims=True)
    away = gap - centre
    spread = (weight * away * away).sum(axis=1, keepdims=True)
    steep = np.sqrt(spread) > 0.001 * (x[-1] - x[0])  # else a flat line: nearly one point
    tilt = np.where(steep, -centre / np.where(steep, spread, 1), 0)
    height: Floats = (weight * (1 + tilt * away)) @ y
    return height
