r"""Whether patients with a worse outcome have a higher predicted risk.

Harrell's concordance counts pairs of patients of whom one is known to have had the event first;
Uno's weights them by the chance of still being followed, up to a time tau:

.. math::

    C = \frac{\sum_{i,j} w_i \left[1(\eta_i > \eta_j) + \tfrac12 1(\eta_i = \eta_j)\right]}
             {\sum_{i,j} w_i}, \qquad
    w_i = \delta_i \text{ (Harrell)}, \quad
    w_i = \delta_i\, 1(T_i < \tau)\, \hat G(T_i-)^{-2} \text{ (Uno)}

over pairs with ``T_i < T_j``, or ``T_i = T_j`` where only i had the event. The cumulative/dynamic
AUC at a horizon t compares patients with the event by t (weight ``1 / G(T-)``) with those still
free of it after t. G is the Kaplan-Meier estimate of the censoring distribution in the *evaluation*
sample; at tied times events leave before censorings.

Every figure is 0.5 for a score that says nothing and 1 for a perfect one. It is NaN where no pair
can be compared, and where a score is NaN. Scores rank only: a linear predictor and a risk give the
same figure; higher is worse.

References
----------
Harrell FE, Lee KL, Mark DB. Multivariable prognostic models. Statistics in Medicine
1996;15:361-387. doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4
Uno H, et al. On the C-statistics for evaluating overall adequacy of risk prediction procedures with
censored survival data. Statistics in Medicine 2011;30:1105-1117. doi:10.1002/sim.4154
Blanche P, Dartigues JF, Jacqmin-Gadda H. Estimating and comparing time-dependent areas under
receiver operating characteristic curves. Statistics in Medicine 2013;32:5381-5397.
doi:10.1002/sim.5958
"""

import numpy as np
from numpy.typing import ArrayLike

from models.censoring import censoring_survival_before, censoring_weights
from models.checks import (
    Flags,
    Floats,
    check_followup,
    check_horizon,
    check_score,
    check_some_patients,
)
from models.concordance import count_pairs
from omics.checks import check_event, check_same_length


def c_index(time: ArrayLike, event: ArrayLike, linear_predictor: ArrayLike) -> float:
    """Harrell's concordance index.

    Parameters
    ----------
    time : array-like of shape (n_patients,)
        Follow-up, above zero.
    event : array-like of shape (n_patients,)
        True where the event was observed, False where follow-up was censored.
    linear_predictor : array-like of shape (n_patients,)
        Any score that ranks; higher is worse.

    Returns
    -------
    float
        In [0, 1]; higher is better. NaN if no pair can be compared.

    Raises
    ------
    ValueError
        If a time is not above zero, an event is not True/False, a score is infinite, or lengths
        differ.

    Examples
    --------
    >>> c_index([1, 2, 3], [True, True, False], [0.9, 0.1, 0.4])  # 1-2, 1-3 right, 2-3 wrong
    0.666...
    """
    times, events, score = _check(time, event, linear_predictor)
    return _concordance(times, events, score, weights=np.ones(len(times)))


def c_index_uno(
    time: ArrayLike, event: ArrayLike, linear_predictor: ArrayLike, *, tau: float
) -> float:
    """Uno's concordance index, free of the censoring distribution up to `tau`.

    Parameters
    ----------
    time, event, linear_predictor : array-like of shape (n_patients,)
        As for `c_index`.
    tau : float
        Pairs count whose earlier event lies before this time (``T < tau``).

    Returns
    -------
    float
        In [0, 1]; higher is better. NaN if no pair can be compared, and if `tau` lies beyond the
        last follow-up.

    Examples
    --------
    >>> c_index_uno([1, 2, 3, 4], [1, 0, 1, 1], [4, 3, 1, 2], tau=5)
    nan
    >>> c_index_uno([1, 2, 3, 4], [1, 0, 1, 1], [4, 3, 1, 2], tau=4)  # (3 + 0) / (3 + 1.5²)
    0.571...
    """
    times, events, score = _check(time, event, linear_predictor)
    tau = check_horizon(tau, "tau")
    if tau > times.max():
        return float("nan")
    weights = np.where(times < tau, censoring_survival_before(times, events, times) ** -2, 0)
    return _concordance(times, events, score, weights=weights)


def auc_at(
    time: ArrayLike, event: ArrayLike, linear_predictor: ArrayLike, *, horizon: float
) -> float:
    """Area under the cumulative/dynamic ROC curve at `horizon`.

    Parameters
    ----------
    time, event, linear_predictor : array-like of shape (n_patients,)
        As for `c_index`.
    horizon : float
        Time at which cases (event at or before it, as riskRegression; timeROC takes those strictly
        before) and controls (followed beyond it) are told apart.

    Returns
    -------
    float
        In [0, 1]; higher is better. NaN without a case or without a control: so also where
        everybody's follow-up was cut at `horizon`.

    Examples
    --------
    >>> auc_at([1, 2, 3, 4], [True, False, True, False], [0.9, 0.2, 0.6, 0.7], horizon=3)
    0.4
    """
    times, events, score = _check(time, event, linear_predictor)
    horizon = check_horizon(horizon)
    case, control = events & (times <= horizon), times > horizon
    if np.isnan(score).any() or not control.any():
        return float("nan")
    weights = censoring_weights(times, events, horizon=horizon)
    return _rank_area(score[case], score[control], weights[case])


def roc_auc(event: ArrayLike, linear_predictor: ArrayLike) -> float:
    """Area under the ROC curve of a binary outcome.

    Parameters
    ----------
    event : array-like of shape (n_patients,)
        True for the positive class.
    linear_predictor : array-like of shape (n_patients,)
        Any score that ranks; higher speaks for the positive class.

    Returns
    -------
    float
        In [0, 1]; higher is better. NaN if only one class was observed.

    Examples
    --------
    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    events = check_event(event, "event")
    score = check_score(linear_predictor)
    check_same_length(event=events, linear_predictor=score)
    check_some_patients(events, "event")
    if np.isnan(score).any():
        return float("nan")
    return _rank_area(score[events], score[~events], np.ones(int(events.sum())))


def _check(
    time: ArrayLike, event: ArrayLike, linear_predictor: ArrayLike
) -> tuple[Floats, Flags, Floats]:
    times, events = check_followup(time, event)
    score = check_score(linear_predictor)
    check_same_length(time=times, event=events, linear_predictor=score)
    return times, events, score


def _rank_area(case: Floats, control: Floats, weights: Floats) -> float:
    """Weighted share of case-control pairs in which the case scores higher, ties one half."""
    if not len(case) or not len(control):
        return float("nan")
    ordered = np.sort(control)
    below = np.searchsorted(ordered, case, side="left")
    not_above = np.searchsorted(ordered, case, side="right")
    return float(weights @ (below + not_above) / (2 * len(control) * weights.sum()))


def _concordance(time: Floats, event: Flags, score: Floats, *, weights: Floats) -> float:
    if np.isnan(score).any():
        return float("nan")
    return count_pairs(time, event, score, weights=weights).estimate
