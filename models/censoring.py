r"""How likely a patient is still followed, so that those whose state is known can stand for all.

The Kaplan-Meier estimate G of the censoring distribution, in the patients that are *evaluated*:
taken from the development patients instead, the Brier score of a published validation came out as
.137 and not .225. At tied times events leave before censorings, in both distributions, as in R's
prodlim:

.. math::

    \hat S(t) = \prod_{t_k \le t} \frac{n_k - d_k}{n_k}, \qquad
    \hat G(t) = \prod_{t_k \le t} \frac{n_k - d_k - c_k}{n_k - d_k}

with :math:`n_k` at risk, :math:`d_k` events and :math:`c_k` censorings at :math:`t_k`. Hence
:math:`\hat S(t)\,\hat G(t)` is the share of patients followed beyond t.

References
----------
Graf E, et al. Assessment and comparison of prognostic classification schemes for survival data.
Statistics in Medicine 1999;18:2529-2545.
doi:10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5
"""

import numpy as np
from numpy.typing import ArrayLike

from models.checks import Flags, Floats, check_followup, check_horizon


def censoring_survival(time: ArrayLike, event: ArrayLike, at: ArrayLike) -> Floats:
    """Probability of not being censored by the times `at`, G(t).

    Kaplan-Meier with the censorings as events; at tied times the events leave first.

    Parameters
    ----------
    time, event : array-like of shape (n_patients,)
    at : array-like of any shape

    Returns
    -------
    ndarray of the shape of `at`
        NaN beyond the last follow-up, unless the curve has reached 0.

    Examples
    --------
    >>> censoring_survival([1, 2, 2, 3], [True, True, False, True], [1, 2, 3]).tolist()
    [1.0, 0.5, 0.5]
    """
    times, events = check_followup(time, event)
    ordered, curve = product_limit(times, events, leaving=~events)
    return read_curve(ordered, curve, np.asarray(at, dtype=np.float64))


def censoring_survival_before(time: ArrayLike, event: ArrayLike, at: ArrayLike) -> Floats:
    """Probability of not being censored before the times `at`, G(t-).

    The weight of a patient with the event at `t` is ``1 / G(t-)``; it is never infinite.

    Parameters
    ----------
    time, event : array-like of shape (n_patients,)
    at : array-like of any shape

    Returns
    -------
    ndarray of the shape of `at`
        Beyond the last follow-up, the curve's last value.

    Examples
    --------
    >>> censoring_survival_before([1, 2, 2, 3], [True, True, False, True], [1, 2, 3]).tolist()
    [1.0, 1.0, 0.5]
    """
    times, events = check_followup(time, event)
    ordered, curve = product_limit(times, events, leaving=~events)
    before: Floats = curve[np.searchsorted(ordered, np.asarray(at, dtype=np.float64), side="left")]
    return before


def censoring_weights(time: ArrayLike, event: ArrayLike, *, horizon: float) -> Floats:
    """Weigh patients so that those whose state at `horizon` is known stand for all of them.

    Parameters
    ----------
    time, event : array-like of shape (n_patients,)
    horizon : float

    Returns
    -------
    ndarray of shape (n_patients,)
        ``1 / G(T-)`` with the event at or before `horizon`, ``1 / G(horizon)`` if followed beyond
        it, 0 if censored by then. As long as someone is followed beyond it they add up to the
        number of patients, and those beyond it to that number times the Kaplan-Meier estimate.

    Examples
    --------
    >>> censoring_weights([1, 2, 2, 3], [True, True, False, True], horizon=2).tolist()
    [1.0, 1.0, 0.0, 2.0]
    """
    times, events = check_followup(time, event)
    ordered, curve = product_limit(times, events, leaving=~events)
    until = np.minimum(times, check_horizon(horizon))
    place = np.where(
        times <= horizon,
        np.searchsorted(ordered, until, side="left"),
        np.searchsorted(ordered, until, side="right"),
    )
    known = events | (times > horizon)
    return np.where(known, 1 / curve[np.where(known, place, 0)], 0.0)


def product_limit(time: Floats, event: Flags, *, leaving: Flags) -> tuple[Floats, Floats]:
    """Give the sorted times, and the curve before the first patient and after each one.

    Patients leave one by one, events first at ties: within a tie the factors telescope,
    (r-1)/r · (r-2)/(r-1) · … = (r-d)/r, so no grouping is needed.
    """
    order = np.lexsort((~event, time))
    at_risk = np.arange(len(time), 0, -1)
    curve = np.ones(len(time) + 1)
    np.cumprod(1 - leaving[order] / at_risk, out=curve[1:])
    return time[order], curve


def read_curve(ordered: Floats, curve: Floats, at: Floats) -> Floats:
    """Read a right-continuous curve at the times `at`; NaN where nobody was followed so far."""
    values: Floats = curve[np.searchsorted(ordered, at, side="right")]
    unknown = np.isnan(at) | ((at > ordered[-1]) & (curve[-1] > 0))
    return np.where(unknown, np.nan, values)
