r"""How sure is a figure, and the difference between two figures of the same patients.

A figure is measured with what each patient adds to its error: terms :math:`d_i` of sum zero whose
squares add up to its variance. So one rule compares any two figures of the same patients:

.. math::

    \mathrm{SE}^2 = \sum_i d_i^2, \qquad
    \mathrm{SE}^2_{A - B} = \sum_i (d_{Ai} - d_{Bi})^2, \qquad
    z = \frac{A - B}{\mathrm{SE}_{A - B}}

The intervals are Wald's. They hold for a model that was fixed before these patients were seen: an
external validation. Out of fold they do not: the fits of two folds share most of their patients,
so predictions are not independent of each other, and a p value would be too small.

References
----------
van der Vaart AW. Asymptotic Statistics. 1998, chapter 20. doi:10.1017/CBO9780511802256
Bengio Y, Grandvalet Y. No unbiased estimator of the variance of K-fold cross-validation. Journal of
Machine Learning Research 2004;5:1089-1105.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from models.checks import Floats, check_level


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    """A figure with its standard error.

    Attributes
    ----------
    metric : str
    estimate : float
        NaN where the data cannot give it.
    contributions : ndarray of shape (n_patients,)
        What each patient adds to its error, in the patients' order; NaN with the estimate.
    lowest, highest : float
        Where the metric ends: so do intervals.
    n_patients : int
    n_events : int
        Those that count: by the horizon, if there is one.
    horizon : float
        NaN where the metric has none.
    level : float
        Of the interval.
    """

    metric: str
    estimate: float
    contributions: Floats
    n_patients: int
    n_events: int
    level: float
    horizon: float = float("nan")
    lowest: float = 0.0
    highest: float = 1.0

    @property
    def standard_error(self) -> float:
        """Root of the summed squares of the contributions."""
        return float(np.sqrt((self.contributions**2).sum()))

    @property
    def lower(self) -> float:
        """Lower end of the interval."""
        return float(np.maximum(self._end(-1), self.lowest))

    @property
    def upper(self) -> float:
        """Upper end of the interval."""
        return float(np.minimum(self._end(1), self.highest))

    @property
    def table(self) -> pd.DataFrame:
        """One row: `metric`, `horizon`, `estimate`, `standard_error`, `lower`, `upper`, `level`."""
        columns = ("metric", "horizon", "estimate", "standard_error", "lower", "upper", "level")
        return pd.DataFrame([{name: getattr(self, name) for name in columns}])

    def _end(self, side: int) -> float:
        return self.estimate + side * _quantile(self.level) * self.standard_error

    def __repr__(self) -> str:
        at = "" if np.isnan(self.horizon) else f" at {self.horizon:g}"
        return (
            f"Measured({self.metric}{at} {self.estimate:.3f} [{self.lower:.3f}, {self.upper:.3f}], "
            f"{self.n_patients} patients, {self.n_events} events)"
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class PairedDifference:
    """A figure less another of the same patients.

    Attributes
    ----------
    metric : str
    horizon : float
    difference : float
    standard_error : float
    lower, upper : float
        Wald's interval.
    z : float
        NaN where the standard error is 0: the two figures cannot be told apart.
    p_value : float
        Two-sided; NaN with `z`.
    level : float
    n_patients : int
    n_events : int
    """

    metric: str
    horizon: float
    difference: float
    standard_error: float
    lower: float
    upper: float
    z: float
    p_value: float
    level: float
    n_patients: int
    n_events: int

    @property
    def table(self) -> pd.DataFrame:
        """One row: its attributes."""
        return pd.DataFrame([vars(self)])

    def __repr__(self) -> str:
        return (
            f"PairedDifference({self.metric} {self.difference:+.3f} "
            f"[{self.lower:+.3f}, {self.upper:+.3f}], p = {self.p_value:.3g})"
        )


def paired_difference(measured: Measured, reference: Measured) -> PairedDifference:
    """Subtract the reference's figure, measured in the same patients, in the same order.

    Parameters
    ----------
    measured, reference : Measured
        Of one metric at one horizon.

    Returns
    -------
    PairedDifference

    Raises
    ------
    ValueError
        If metric, horizon, level or number of patients differ.

    Examples
    --------
    >>> a, b = (
    ...     Measured(metric="brier", estimate=e, contributions=np.array(d), n_patients=2,
    ...              n_events=1, level=0.95)
    ...     for e, d in ((0.3, [0.03, -0.03]), (0.2, [0.0, 0.01]))
    ... )
    >>> round(paired_difference(a, b).standard_error, 10)  # sqrt(0.03² + 0.04²)
    0.05
    >>> paired_difference(a, b)
    PairedDifference(brier +0.100 [+0.002, +0.198], p = 0.0455)
    """
    _check_alike(measured, reference)
    difference = measured.estimate - reference.estimate
    error = float(np.sqrt(((measured.contributions - reference.contributions) ** 2).sum()))
    half = _quantile(measured.level) * error
    z = difference / error if error > 0 else float("nan")
    return PairedDifference(
        metric=measured.metric,
        horizon=measured.horizon,
        difference=difference,
        standard_error=error,
        lower=difference - half,
        upper=difference + half,
        z=z,
        p_value=float(2 * norm.sf(abs(z))),
        level=measured.level,
        n_patients=measured.n_patients,
        n_events=measured.n_events,
    )


def from_influence(influence: Floats) -> Floats:
    """Turn influence values, of which a figure's error is the mean, into contributions.

    The variance of the mean is estimated with n - 1, as R's ``sd(influence) / sqrt(n)``.
    """
    n = len(influence)
    if n < 2:
        return np.full(n, np.nan)
    found: Floats = (influence - influence.mean()) / np.sqrt(n * (n - 1))
    return found


def _check_alike(measured: Measured, reference: Measured) -> None:
    for name in ("metric", "horizon", "level", "n_patients"):
        ours, theirs = getattr(measured, name), getattr(reference, name)
        if ours != theirs and not (pd.isna(ours) and pd.isna(theirs)):
            raise ValueError(
                f"reference must have the {name} of the figure it is compared with, but {theirs} "
                f"came, not {ours}. Measure both in the same patients, in the same way."
            )


def _quantile(level: float) -> float:
    return float(norm.ppf((1 + check_level(level)) / 2))
