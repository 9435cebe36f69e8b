r"""How the hazard of the event runs over time for a patient of linear predictor 0: the baseline.

.. math::

    \hat H_0(t) = \sum_{t_k \le t} \frac{\sum_{i \in D_k} c_i}{\sum_{j \in R_k} c_j e^{\eta_j}}

with case weights :math:`c` (1 if there are none); any learner's linear predictor will do.

References
----------
Breslow N. Covariance analysis of censored survival data. Biometrics 1974;30:89-99.
doi:10.2307/2529620
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omics.checks import check_event, check_numbers, check_same_length, check_time

Floats = NDArray[np.float64]


def breslow_baseline(
    linear_predictor: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    *,
    weights: ArrayLike | None = None,
) -> tuple[Floats, Floats]:
    """Estimate the cumulative baseline hazard at linear predictor 0.

    Parameters
    ----------
    linear_predictor : array-like of shape (n_patients,)
        Higher is worse; an offset of the fit is part of it.
    time : array-like of shape (n_patients,)
    event : array-like of shape (n_patients,)
    weights : array-like of shape (n_patients,), optional
        Case weights, 0 or above.

    Returns
    -------
    times : ndarray of shape (n_times,)
        Distinct event times, rising.
    hazard : ndarray of shape (n_times,)
        Cumulative hazard just after each of them.

    Examples
    --------
    >>> times, hazard = breslow_baseline([0, 0, 0], [1, 2, 3], [1, 0, 1])
    >>> times.tolist(), hazard.round(4).tolist()
    ([1.0, 3.0], [0.3333, 1.3333])
    """
    eta = check_numbers(linear_predictor, "linear_predictor")
    time, event = check_time(time, "time"), check_event(event, "event")
    case = np.ones(len(time)) if weights is None else check_weights(weights)
    check_same_length(linear_predictor=eta, time=time, event=event, weights=case)
    counted = event & (case > 0)
    times, position = np.unique(time[counted], return_inverse=True)
    deaths = np.bincount(position, case[counted], len(times))
    order = np.argsort(time, kind="stable")
    top = eta.max(initial=0.0)
    remaining = np.cumsum((case * np.exp(eta - top))[order][::-1])[::-1]
    at_risk = remaining[np.searchsorted(time[order], times, side="left")]
    return times, np.cumsum(deaths / at_risk) * np.exp(-top)


def check_weights(weights: ArrayLike) -> Floats:
    """Return case weights as finite numbers of 0 or above, one of them above 0."""
    case = check_numbers(weights, "weights")
    wrong = case < 0
    if wrong.any() or not case.any():
        first = f" (first: {case[wrong][0]:g} at position {wrong.argmax()})" if wrong.any() else ""
        raise ValueError(
            f"weights must be 0 or above and not all 0, but {wrong.sum()} of {len(case)} are "
            f"negative{first} and {(case > 0).sum()} above 0."
        )
    return case
