r"""Slope and level that turn margins of unseen patients into risks.

Margins come from models fitted without the patients' own fold. The slope compares patients of one
fold only, since margins of differently fitted models share no common zero (pooling them turns the
difference in level between folds into a slope); the level is that of all patients together.

The slope is kept in [0, 20]: at 0 the margins tell nothing and every patient gets the same risk; 20
is reached only where they part the outcomes completely and no finite slope is best.

References
----------
Platt JC. Probabilistic outputs for support vector machines. Advances in Large Margin Classifiers
1999:61-74.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

from models.partial_likelihood import PartialLikelihood

Floats = NDArray[np.float64]
Events = NDArray[np.bool_]
Folds = NDArray[np.intp]

STEEPEST_SLOPE = 20.0
ROUNDING = 1e-6  # margins that differ by less within every fold are one margin, in single precision
LARGEST_EXPONENT = 500.0  # of slope times margin: exp() stays a number


def cox_slope(margin: Floats, time: Floats, event: Events, fold: Folds) -> float:
    """Estimate the slope on `margin` by Cox's partial likelihood, stratified by fold.

    Parameters
    ----------
    margin : ndarray of shape (n_patients,)
        Log relative hazard from a model that has not seen the patient; higher is worse.
    time, event : ndarray of shape (n_patients,)
    fold : ndarray of int, shape (n_patients,)
        From 0.

    Returns
    -------
    float
        In [0, 20]. Ties: Efron.
    """
    deviation = _in_folds(margin, fold)
    likelihood = PartialLikelihood.of(deviation[:, np.newaxis], time, event, strata=fold)
    return _slope(lambda b: float(likelihood(np.array([b])).gradient[0]), deviation)


def logistic_slope(margin: Floats, event: Events, fold: Folds) -> float:
    """Estimate the slope on `margin` by logistic regression with one intercept per fold.

    Parameters
    ----------
    margin : ndarray of shape (n_patients,)
        Log odds from a model that has not seen the patient; higher is worse.
    event : ndarray of bool, shape (n_patients,)
        Both classes in every fold.
    fold : ndarray of int, shape (n_patients,)

    Returns
    -------
    float
        In [0, 20].
    """
    deviation = _in_folds(margin, fold)
    parts = [fold == k for k in np.unique(fold)]
    return _slope(
        lambda b: sum(_logistic_score(b, deviation[p], event[p]) for p in parts), deviation
    )


def logistic_intercept(offset: Floats, event: Events) -> float:
    """Return the log odds to add to `offset` so that the mean risk equals the share of events.

    Examples
    --------
    >>> round(logistic_intercept(np.zeros(4), np.array([True, False, False, False])), 6)
    -1.098612
    """
    level = float(logit(event.mean()))
    low, high = level - float(offset.max()) - 1, level - float(offset.min()) + 1
    return float(brentq(lambda a: expit(a + offset).mean() - event.mean(), low, high, xtol=1e-12))


def _logistic_score(slope: float, margin: Floats, event: Events) -> float:
    """Return the derivative of the log likelihood in the slope, at the best intercept."""
    offset = slope * margin
    risk = expit(logistic_intercept(offset, event) + offset)
    return float(((event - risk) * margin).sum())


def _in_folds(margin: Floats, fold: Folds) -> Floats:
    """Return how far each margin lies from its fold's mean."""
    mean = np.bincount(fold, margin) / np.maximum(np.bincount(fold), 1)
    return np.asarray(margin - mean[fold], dtype=np.float64)


def _slope(score: Callable[[float], float], deviation: Floats) -> float:
    """Return the root of a falling `score`, kept in [0, STEEPEST_SLOPE]."""
    spread = float(np.ptp(deviation))
    if spread < ROUNDING or score(0.0) <= 0:
        return 0.0
    steepest = min(STEEPEST_SLOPE, LARGEST_EXPONENT / spread)
    if score(steepest) >= 0:
        return steepest
    return float(brentq(score, 0.0, steepest, xtol=1e-12))
