r"""Concordance, AUC and Brier score with standard errors that count the censoring.

Concordance has its infinitesimal jackknife (`models.concordance`). AUC and Brier score at a horizon
t are means over patients weighted by :math:`1 / \hat G`, and :math:`\hat G` was estimated, too. Be
:math:`r_i` the influence of patient i with G known: of the Brier score its term, of the AUC

.. math::

    r_i = \frac{n\,w_i}{W_1 W_0} \left(S_i - \mathrm{AUC}\, W\right)

with :math:`S_i` the weight of the patients of the other kind that a case outscores (a control is
outscored by), ties one half, :math:`W_1, W_0` the weights of all cases and controls, and W that of
the other kind. With :math:`Y_k` at risk and :math:`c_k` censored at time :math:`t_k`, the
cumulative hazard of censoring has the influence

.. math::

    f_i(s) = \frac{n\,1(T_i \le s, \text{censored})}{Y(T_i)}
             - n \sum_{t_k \le \min(s, T_i)} \frac{c_k}{Y_k^2}
    \qquad\text{and}\qquad
    \mathrm{IF}_i = r_i - \bar r + \frac1n \sum_j r_j f_i(\min(T_j-, t)).

This is riskRegression's ``Score(cens.model = "km", conservative = FALSE)``, to rounding. All of it
is sorting and cumulative sums, O(n log n).

With competing events a patient who had one by t is a control of weight ``1 / G(T-)``.

References
----------
Blanche P, Dartigues JF, Jacqmin-Gadda H. Estimating and comparing time-dependent areas under
receiver operating characteristic curves for censored event times with competing risks. Statistics
in Medicine 2013;32:5381-5397. doi:10.1002/sim.5958
Blanche P, et al. Quantifying and comparing dynamic predictive accuracy of joint models. Biometrics
2015;71:102-113. doi:10.1111/biom.12232
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from models.censoring import censoring_survival_before, censoring_weights
from models.checks import (
    Flags,
    Floats,
    check_followup,
    check_horizon,
    check_level,
    check_risk,
    check_score,
)
from models.concordance import count_pairs
from models.measured import Measured, from_influence
from omics.checks import check_event, check_same_length


class State(NamedTuple):
    """Who is what at a horizon.

    Attributes
    ----------
    case, control : ndarray of bool, shape (n_patients,)
        Neither: censored by the horizon.
    weight : ndarray of shape (n_patients,)
        One over the probability that this was known.
    beyond : bool
        Somebody was followed beyond the horizon.
    """

    case: Flags
    control: Flags
    weight: Floats
    beyond: bool


def measured_c_index(
    time: ArrayLike, event: ArrayLike, linear_predictor: ArrayLike, *, level: float = 0.95
) -> Measured:
    """Harrell's concordance index with its standard error.

    Parameters
    ----------
    time : array-like of shape (n_patients,)
        Follow-up, above zero.
    event : array-like of shape (n_patients,)
        True where the event was observed, False where follow-up was censored.
    linear_predictor : array-like of shape (n_patients,)
        Any score that ranks; higher is worse. Where one is NaN, so is the figure.
    level : float
        Of the interval.

    Returns
    -------
    Measured
        NaN if no pair can be compared.

    Raises
    ------
    ValueError
        As `models.discrimination.c_index`, or if the level does not lie between 0 and 1.

    Examples
    --------
    >>> measured_c_index([1, 2, 3, 4], [1, 1, 0, 1], [0.9, 0.1, 0.4, 0.2])
    Measured(c_index 0.600 [0.024, 1.000], 4 patients, 3 events)
    """
    return _concordance(_follow(time, event, linear_predictor), np.inf, level)


def measured_c_index_uno(
    time: ArrayLike,
    event: ArrayLike,
    linear_predictor: ArrayLike,
    *,
    tau: float,
    level: float = 0.95,
) -> Measured:
    """Uno's concordance index with its standard error, censoring weights taken as known.

    That is R's ``concordance(timewt = "n/G2")``.

    Parameters
    ----------
    time, event, linear_predictor : array-like of shape (n_patients,)
        As for `measured_c_index`.
    tau : float
        Pairs count whose earlier event lies before this time (``T < tau``).
    level : float

    Returns
    -------
    Measured
        NaN if no pair can be compared, and if `tau` lies beyond the last follow-up.

    Examples
    --------
    >>> measured_c_index_uno([1, 2, 3, 4], [1, 0, 1, 1], [4, 3, 1, 2], tau=4).estimate
    0.571...
    """
    followed = _follow(time, event, linear_predictor)
    return _concordance(followed, check_horizon(tau, "tau"), level)


def measured_auc_at(
    time: ArrayLike,
    event: ArrayLike,
    linear_predictor: ArrayLike,
    *,
    horizon: float,
    competing: ArrayLike | None = None,
    level: float = 0.95,
) -> Measured:
    """Cumulative/dynamic AUC at `horizon` with its standard error.

    Parameters
    ----------
    time, event, linear_predictor : array-like of shape (n_patients,)
        As for `measured_c_index`.
    horizon : float
    competing : array-like of shape (n_patients,), optional
        True where a competing event was observed; such patients are no cases, and not censored.
    level : float

    Returns
    -------
    Measured
        NaN without a case or a control, and where nobody is followed beyond `horizon`.

    Raises
    ------
    ValueError
        As `measured_c_index`, or if a patient has both an event and a competing one.

    Examples
    --------
    >>> measured_auc_at([1, 2, 3, 4], [True, False, True, False], [0.9, 0.2, 0.6, 0.7], horizon=3)
    Measured(auc at 3 0.400 [0.000, 1.000], 4 patients, 2 events)
    """
    followed = _follow(time, event, linear_predictor, competing)
    state = _at(followed, check_horizon(horizon))
    score = followed.score
    influence, estimate = np.full(len(score), np.nan), float("nan")
    if not np.isnan(score).any() and state.beyond and state.case.any() and state.control.any():
        r, estimate = _auc_terms(state, score)
        influence = r + censoring_influence(followed.time, followed.censored, r, horizon=horizon)
    return _measured("auc", estimate, from_influence(influence), followed, horizon, level)


def measured_brier_at(
    time: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    *,
    horizon: float,
    competing: ArrayLike | None = None,
    level: float = 0.95,
) -> Measured:
    """Brier score at `horizon` with its standard error.

    Parameters
    ----------
    time, event : array-like of shape (n_patients,)
        As for `measured_c_index`.
    risk : array-like of shape (n_patients,)
        Predicted probability of the event by `horizon`, in [0, 1]; higher is worse.
    horizon : float
    competing : array-like of shape (n_patients,), optional
        As for `measured_auc_at`.
    level : float

    Returns
    -------
    Measured
        NaN where nobody is followed beyond `horizon`, and where a risk is NaN.

    Examples
    --------
    >>> measured_brier_at([1, 2, 3, 4], [1, 0, 1, 0], [0.5, 0.5, 1, 0], horizon=2.5)
    Measured(brier at 2.5 0.437 [0.000, 1.000], 4 patients, 1 events)
    """
    followed = _follow(time, event, check_risk(risk), competing)
    state = _at(followed, check_horizon(horizon))
    r = state.weight * (state.case - followed.score) ** 2
    influence, estimate = np.full(len(r), np.nan), float("nan")
    if state.beyond and not np.isnan(r).any():
        estimate = float(r.mean())
        influence = (
            r - estimate + censoring_influence(followed.time, followed.censored, r, horizon=horizon)
        )
    return _measured("brier", estimate, from_influence(influence), followed, horizon, level)


def states_at(
    time: ArrayLike, event: ArrayLike, *, horizon: float, competing: ArrayLike | None = None
) -> State:
    """Tell cases and controls at `horizon` apart, with the censoring weight of each.

    Parameters
    ----------
    time, event, horizon, competing
        As for `measured_auc_at`.

    Returns
    -------
    State

    Examples
    --------
    >>> states_at([1, 2, 3, 4], [1, 0, 1, 0], horizon=3).weight.round(3).tolist()
    [1.0, 0.0, 1.5, 1.5]
    """
    nobody = np.zeros(len(np.asarray(time)))
    return _at(_follow(time, event, nobody, competing), check_horizon(horizon))


def censoring_influence(time: Floats, censored: Flags, r: Floats, *, horizon: float) -> Floats:
    """Give each patient's influence on a weighted mean through the estimated weights.

    Parameters
    ----------
    time : ndarray of shape (n_patients,)
    censored : ndarray of bool, shape (n_patients,)
    r : ndarray of shape (n_patients,)
        Influence with the weights known; 0 for who was censored by `horizon`.
    horizon : float

    Returns
    -------
    ndarray of shape (n_patients,)
        To be added to `r`.

    Examples
    --------
    >>> r = np.array([0.5, 0.0, 1.0])
    >>> censoring_influence(np.array([1.0, 2, 3]), np.array([0, 1, 0]) == 1, r, horizon=2.5)
    array([ 0.  ,  0.25, -0.25])
    """
    n = len(r)
    times, group = np.unique(time, return_inverse=True)
    leaving = np.bincount(group)
    at_risk = n - np.cumsum(leaving) + leaving
    lost = np.bincount(group, weights=censored)
    hazard = np.append(0.0, np.cumsum(n * lost / at_risk**2))  # before each time, and after all
    early = time <= horizon
    known = np.bincount(group, weights=np.where(early, r, 0.0))
    passed = np.cumsum(known * hazard[:-1])
    later = known.sum() - np.cumsum(known) + r[~early].sum()
    last = int(np.searchsorted(times, horizon, side="right"))
    if last == 0:  # nobody has left: G is still 1
        return np.zeros(n)
    place = np.minimum(group, last - 1)
    own = np.where(early & censored, n / at_risk[group], 0.0)
    found: Floats = (-passed[place] + (own - hazard[place + 1]) * later[place]) / n
    return found


class _Followed(NamedTuple):
    time: Floats
    event: Flags
    censored: Flags
    score: Floats


def _follow(
    time: ArrayLike, event: ArrayLike, score: ArrayLike, competing: ArrayLike | None = None
) -> _Followed:
    times, events = check_followup(time, event)
    scores = check_score(score)
    check_same_length(time=times, event=events, linear_predictor=scores)
    if competing is None:
        return _Followed(times, events, ~events, scores)
    others = check_event(competing, "competing")
    check_same_length(time=times, competing=others)
    if (others & events).any():
        raise ValueError(
            f"competing must be False where event is True, but {(others & events).sum()} of "
            f"{len(events)} patients have both. Say which came first."
        )
    return _Followed(times, events, ~(events | others), scores)


def _at(f: _Followed, horizon: float) -> State:
    early = f.time <= horizon
    weight = censoring_weights(f.time, ~f.censored, horizon=horizon)
    return State(
        case=f.event & early,
        control=~early | ~(f.event | f.censored),
        weight=weight,
        beyond=not bool(early.all()),
    )


def _concordance(f: _Followed, tau: float, level: float) -> Measured:
    uno = bool(np.isfinite(tau))
    weights = np.ones(len(f.time))
    if uno:
        before = censoring_survival_before(f.time, f.event, f.time)
        weights = np.where(f.time < tau, before**-2, 0)
    estimate, influence = float("nan"), np.full(len(f.time), np.nan)
    if not np.isnan(f.score).any() and not (uno and tau > f.time.max()):
        pairs = count_pairs(f.time, f.event, f.score, weights=weights)
        estimate, influence = pairs.estimate, pairs.influence
    name = "c_index_uno" if uno else "c_index"
    return _measured(name, estimate, influence, f, tau if uno else np.nan, level)


def _auc_terms(state: State, score: Floats) -> tuple[Floats, float]:
    """Influence of each patient on the AUC with G known, and the AUC."""
    case, control = (np.where(kind, state.weight, 0.0) for kind in (state.case, state.control))
    order = np.argsort(score, kind="stable")
    ranked = score[order]
    first = np.searchsorted(ranked, score, side="left")
    last = np.searchsorted(ranked, score, side="right")
    below = np.append(0.0, np.cumsum(control[order]))
    outscored = (below[first] + below[last]) / 2  # weight of controls, for a case
    above = np.append(0.0, np.cumsum(case[order]))
    outscoring = above[-1] - (above[first] + above[last]) / 2
    cases, controls = above[-1], below[-1]
    auc = float(case @ outscored / (cases * controls))
    terms = case * (outscored - auc * controls) + control * (outscoring - auc * cases)
    return len(score) * terms / (cases * controls), auc


def _measured(
    metric: str, estimate: float, contributions: Floats, f: _Followed, horizon: float, level: float
) -> Measured:
    counted = f.event if np.isnan(horizon) else f.event & (f.time <= horizon)
    return Measured(
        metric=metric,
        estimate=estimate,
        contributions=contributions,
        n_patients=len(f.time),
        n_events=int(counted.sum()),
        horizon=horizon,
        level=check_level(level),
    )
