r"""Whether of the patients given a risk of 30 %, 30 % have the event.

For a horizon t, with :math:`p_i` the predicted risk, :math:`\bar p` its mean and :math:`\hat S` the
Kaplan-Meier estimate in the evaluated patients:

.. math::

    \frac{O}{E} = \frac{1 - \hat S(t)}{\bar p}

Slope 1, intercept 0 and O/E 1 are ideal; a slope below 1 says that risks are too extreme, O/E above
1 and an intercept above 0 that they are too low. The curve, with ICI and its kin, stands in
`models.calibration_curves`, the Brier score in `models.accuracy`.

A figure is NaN where the data cannot give it (said at each function) and where a prediction is NaN.

References
----------
Royston P. Tools for checking calibration of a Cox model in external validation. Stata Journal
2014;14:738-755 (pseudo-observations with a complementary log-log link).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.special import logit

from models.checks import (
    check_binary_risks,
    check_followup,
    check_horizon,
    check_level,
    check_score,
    check_survival_risks,
)
from models.refits import (
    cloglog_intercept,
    cox_slope,
    log_hazard,
    logistic_refit,
    logistic_slope,
    pseudo_observations,
)
from models.survival_curves import survival_at
from omics.checks import check_event, check_same_length

FINITE = 1e-8  # risks of exactly 0 or 1 are held this far off them, where a link would be infinite


def observed_expected(event: ArrayLike, risk: ArrayLike) -> float:
    """Observed over expected events; above 1 the risks are too low.

    Parameters
    ----------
    event, risk : array-like of shape (n_patients,)
        As for `brier`.

    Returns
    -------
    float
        NaN if all risks are 0.

    Examples
    --------
    >>> observed_expected([True, False, False, True], [0.4, 0.1, 0.2, 0.3])
    2.0
    """
    events, p = check_binary_risks(event, risk)
    return _ratio(float(events.mean()), float(p.mean()))


def observed_expected_at(
    time: ArrayLike, event: ArrayLike, risk: ArrayLike, *, horizon: float
) -> float:
    """Kaplan-Meier risk by `horizon` over the mean predicted risk; above 1 the risks are too low.

    Parameters
    ----------
    time, event, risk : array-like of shape (n_patients,)
        As for `brier_at`.
    horizon : float

    Returns
    -------
    float
        NaN beyond the last follow-up, or if all risks are 0.

    Examples
    --------
    >>> observed_expected_at([1, 2, 3, 4], [1, 0, 1, 0], [0.25] * 4, horizon=2.5)
    1.0
    """
    times, events, p = check_survival_risks(time, event, risk)
    observed = 1 - float(survival_at(times, events, check_horizon(horizon)))
    return _ratio(observed, float(p.mean()))


def observed_expected_interval_at(
    time: ArrayLike, event: ArrayLike, risk: ArrayLike, *, horizon: float, level: float = 0.95
) -> tuple[float, float]:
    r"""Give the interval of `observed_expected_at`: :math:`O/E \cdot e^{\pm z / \sqrt{d}}`.

    Parameters
    ----------
    time, event, risk : array-like of shape (n_patients,)
        As for `brier_at`.
    horizon : float
    level : float in (0, 1)

    Returns
    -------
    lower, upper : float
        d counts the events by `horizon`; NaN if there are none. The formula takes events for rare:
        where a third of the patients have one, the 95 % interval holds the truth in 99 %.

    Examples
    --------
    >>> observed_expected_interval_at([1, 2, 3, 4], [1, 0, 1, 0], [0.25] * 4, horizon=2.5)
    (0.140..., 7.099...)
    """
    times, events, p = check_survival_risks(time, event, risk)
    ratio = observed_expected_at(times, events, p, horizon=horizon)
    n_events = int((events & (times <= horizon)).sum())
    z = float(stats.norm.ppf((1 + check_level(level)) / 2))
    if n_events == 0:
        return float("nan"), float("nan")
    factor = float(np.exp(z / np.sqrt(n_events)))
    return ratio / factor, ratio * factor


def calibration_slope(
    event: ArrayLike, linear_predictor: ArrayLike, *, strata: ArrayLike | None = None
) -> float:
    """Logistic coefficient of the linear predictor; below 1 the risks are too extreme.

    Parameters
    ----------
    event : array-like of shape (n_patients,)
        True for the positive class.
    linear_predictor : array-like of shape (n_patients,)
        Log odds of the predicted risk; higher is worse.
    strata : array-like of shape (n_patients,), optional
        Groups with an intercept of their own, such as the folds of models fitted apart.

    Returns
    -------
    float
        NaN if the linear predictor is constant, parts the classes completely, or no stratum holds
        both classes.

    Examples
    --------
    Log odds of 1 : 3 and 3 : 1 where twice as extreme ones, 1 : 9 and 9 : 1, were predicted:

    >>> event = [True, False, False, False, True, True, True, False]
    >>> round(calibration_slope(event, [-np.log(9)] * 4 + [np.log(9)] * 4), 10)
    0.5
    """
    events, score = check_event(event, "event"), check_score(linear_predictor)
    check_same_length(event=events, linear_predictor=score)
    groups = np.zeros(len(events)) if strata is None else np.asarray(strata)
    check_same_length(event=events, strata=groups)
    if np.isnan(score).any():
        return float("nan")
    return logistic_slope(score, events, groups)


def calibration_slope_survival(
    time: ArrayLike,
    event: ArrayLike,
    linear_predictor: ArrayLike,
    *,
    strata: ArrayLike | None = None,
) -> float:
    """Cox coefficient of the linear predictor; below 1 the risks are too extreme.

    Parameters
    ----------
    time, event : array-like of shape (n_patients,)
        As for `brier_at`.
    linear_predictor : array-like of shape (n_patients,)
        Log relative hazard; higher is worse.
    strata : array-like of shape (n_patients,), optional
        Groups with a baseline hazard of their own, such as the folds of models fitted apart.

    Returns
    -------
    float
        Efron's ties; over the whole follow-up, no horizon. NaN if the linear predictor is constant
        among those at risk, orders all events perfectly, or no event was observed.

    Examples
    --------
    With u = exp(2 b), the best b has u² - u - 4 = 0, so b = log((1 + √17) / 2) / 2:

    >>> calibration_slope_survival([1, 2, 3, 4], [1, 1, 1, 0], [2, 0, 2, 0])
    0.470306...
    """
    times, events = check_followup(time, event)
    score = check_score(linear_predictor)
    groups = np.zeros(len(times)) if strata is None else np.asarray(strata)
    check_same_length(time=times, linear_predictor=score, strata=groups)
    if np.isnan(score).any():
        return float("nan")
    return cox_slope(score, times, events, groups)


def calibration_intercept(event: ArrayLike, risk: ArrayLike) -> float:
    """Calibration in the large: what to add to the log odds of all risks; above 0 they are too low.

    Parameters
    ----------
    event, risk : array-like of shape (n_patients,)
        As for `brier`.

    Returns
    -------
    float
        Intercept of a logistic regression with the log odds as offset (slope 1). NaN if only one
        class was observed.

    Examples
    --------
    >>> calibration_intercept([True, False, False, False], [0.5] * 4)  # log(1/3)
    -1.0986...
    """
    events, p = check_binary_risks(event, risk)
    if events.all() or not events.any() or np.isnan(p).any():
        return float("nan")
    offset = logit(np.clip(p, FINITE, 1 - FINITE))
    return float(logistic_refit(np.ones((len(p), 1)), events, offset=offset)[0])


def calibration_intercept_at(
    time: ArrayLike, event: ArrayLike, risk: ArrayLike, *, horizon: float
) -> float:
    r"""Calibration in the large at `horizon`; above 0 the risks are too low.

    What to add to :math:`\log(-\log(1 - p_i))`, the log cumulative hazard of the risk, so that it
    fits the pseudo-observations of the outcome (independence estimating equation, complementary
    log-log link, offset). Its exponential is a ratio of cumulative hazards, observed over
    predicted. Crowson's Poisson intercept answers the same over the whole follow-up, and would need
    each patient's predicted cumulative hazard at his own last day.

    Parameters
    ----------
    time, event, risk : array-like of shape (n_patients,)
        As for `brier_at`.
    horizon : float

    Returns
    -------
    float
        NaN beyond the last follow-up, or if nobody or everybody has the event by `horizon`.

    Examples
    --------
    >>> calibration_intercept_at([1, 2, 3, 4], [1, 0, 1, 0], [0.1] * 4, horizon=2.5)
    1.0044...
    >>> np.log(np.log(1 - 0.25) / np.log(1 - 0.1))  # Kaplan-Meier risk 0.25
    np.float64(1.0044...)
    """
    times, events, p = check_survival_risks(time, event, risk)
    survival = float(survival_at(times, events, check_horizon(horizon)))
    if np.isnan(p).any() or not 0 < survival < 1:
        return float("nan")
    outcome = pseudo_observations(times, events, horizon=horizon)
    return cloglog_intercept(outcome, log_hazard(p, edge=FINITE))


def _ratio(observed: float, expected: float) -> float:
    return observed / expected if expected > 0 else float("nan")
