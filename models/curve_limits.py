r"""How far a probability read from a curve may be off: its pointwise limits on three scales.

With the estimate p, its standard error s and the normal quantile z,

.. math::

    \text{log}: p\,e^{\pm z s / p}, \qquad
    \text{log-log}: p^{\exp(\pm z s / (p \log p))}, \qquad
    \text{plain}: p \pm z s

Log is R's `survfit` default. Log-log never leaves [0, 1] and holds its level best in small groups;
the other two are cut off there.

References
----------
Borgan Ø, Liestøl K. A note on confidence intervals and bands for the survival function based on
transformations. Scandinavian Journal of Statistics 1990;17:35-41.
"""

from typing import Literal, get_args

import numpy as np
from scipy.special import ndtri

from models.checks import Floats

Interval = Literal["log", "log-log", "plain"]


def check_interval(value: Interval) -> Interval:
    """Return the name of a scale, refusing others."""
    if value not in get_args(Interval):
        raise ValueError(
            f"interval must be 'log', 'log-log' or 'plain', but {value!r} came. "
            "R's survfit uses 'log'."
        )
    return value


def curve_limits(
    estimate: Floats, std_error: Floats, *, level: float, interval: Interval
) -> tuple[Floats, Floats]:
    """Give the lower and upper limits of probabilities.

    Parameters
    ----------
    estimate : ndarray of shape (n,)
        In [0, 1].
    std_error : ndarray of shape (n,)
        Of the estimate itself, on its own scale.
    level : float in (0, 1)
    interval : {"log", "log-log", "plain"}

    Returns
    -------
    lower, upper : ndarray of shape (n,)
        NaN where the scale has no value: at 0, for log-log also at 1, and where `std_error` is NaN.

    Examples
    --------
    >>> lower, upper = curve_limits(np.array([0.5]), np.array([0.1]), level=0.95, interval="plain")
    >>> round(float(lower[0]), 3), round(float(upper[0]), 3)
    (0.304, 0.696)
    """
    z = float(ndtri((1 + level) / 2))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if interval == "plain":
            return np.maximum(estimate - z * std_error, 0), np.minimum(estimate + z * std_error, 1)
        if interval == "log":
            spread = np.exp(z * std_error / estimate)
            return estimate / spread, np.minimum(estimate * spread, 1)
        power = np.exp(z * std_error / (estimate * np.log(estimate)))  # log(estimate) < 0
        inside = (estimate > 0) & (estimate < 1)
        return (
            np.where(inside, estimate ** (1 / power), np.nan),
            np.where(inside, estimate**power, np.nan),
        )
