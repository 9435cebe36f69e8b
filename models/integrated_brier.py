r"""How far predicted curves lie from what happened, on average over all times to a horizon.

.. math::

    \mathrm{IBS}(\tau) = \frac1\tau \int_0^\tau \mathrm{BS}(t)\, dt

with the Brier score of `models.accuracy`. Predicted curves are steps, as a Cox model's are; so are
the weights and who is at risk. The integral is therefore exact, as pec's ``crps`` on all times at
which anything steps, and not a sum over a grid that somebody chose: riskRegression's is a left sum
that starts at the first time asked. With :math:`H(t) = \int_0^t \hat G^{-1}`, patient i adds

.. math::

    \frac{\delta_i}{\hat G(T_i-)} \int_{T_i}^\tau (1 - F_i)^2\, dt
    + \int_0^{\min(T_i, \tau)} F_i^2\, dH.

The standard error integrates the influence of `models.standard_errors`, the part through the
estimated weights included; neither R package gives one. With m steps it is O(n m + n log n).

References
----------
Graf E, et al. Assessment and comparison of prognostic classification schemes for survival data.
Statistics in Medicine 1999;18:2529-2545.
doi:10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5
Gerds TA, Schumacher M. Consistent estimation of the expected Brier score in general survival models
with right-censored event times. Biometrical Journal 2006;48:1029-1040. doi:10.1002/bimj.200610301
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.censoring import censoring_survival, censoring_weights
from models.checks import Flags, Floats, check_followup, check_horizon, check_level, check_risk
from models.measured import Measured, from_influence
from models.standard_errors import censoring_influence
from omics.checks import check_time


def integrated_brier(
    time: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    *,
    times: ArrayLike,
    horizon: float,
    level: float = 0.95,
) -> Measured:
    """Brier score, averaged over all times from 0 to `horizon`; lower is better.

    Parameters
    ----------
    time : array-like of shape (n_patients,)
        Follow-up, above zero.
    event : array-like of shape (n_patients,)
        True where the event was observed, False where follow-up was censored.
    risk : array-like of shape (n_patients, n_times)
        Predicted probability of the event by each of `times`, in [0, 1]; it holds until the next
        time. Before the first time it is 0.
    times : array-like of shape (n_times,)
        Rising, above zero: where the curves step. Those of a smooth curve must lie close together.
    horizon : float
        In the unit of `time`.
    level : float
        Of the interval.

    Returns
    -------
    Measured
        NaN where no follow-up reaches `horizon`, and where a risk by it is NaN.

    Raises
    ------
    ValueError
        If a time is not above zero, `times` do not rise, an event is not True/False, a risk is not
        a probability, shapes do not fit, or the level does not lie between 0 and 1.

    Examples
    --------
    Patient 1 has the event at 1, where the risk steps from 0 to .5; nobody is lost.

    >>> found = integrated_brier([1, 3], [1, 0], [[0.5], [0.5]], times=[1], horizon=2)
    >>> found.estimate  # (0 · 1 + .25 · 1) / 2
    0.125
    """
    seen, events = check_followup(time, event)
    tau = check_horizon(horizon)
    steps, risks = _curves(risk, times, len(seen), tau)
    influence, estimate = np.full(len(seen), np.nan), float("nan")
    if seen.max() >= tau and not np.isnan(risks).any():
        cases, controls = _terms(seen, events, risks, steps, tau)
        estimate = float((cases + controls).mean()) / tau
        through = censoring_influence(seen, ~events, cases, horizon=seen.max())
        through += _through_controls(seen, events, risks, steps, tau)
        influence = (cases + controls + through) / tau - estimate
    return Measured(
        metric="integrated_brier",
        estimate=estimate,
        contributions=from_influence(influence),
        n_patients=len(seen),
        n_events=int((events & (seen <= tau)).sum()),
        horizon=tau,
        level=check_level(level),
    )


def _curves(risk: ArrayLike, times: ArrayLike, n: int, tau: float) -> tuple[Floats, Floats]:
    """Give the starts of the steps before `tau`, the first at 0, and the risks on them."""
    at = check_time(times, "times")
    if (np.diff(at) <= 0).any():
        first = int((np.diff(at) <= 0).argmax()) + 1
        raise ValueError(
            f"times must rise, but {at[first]:g} at position {first} follows {at[first - 1]:g}. "
            "Sort them, and the columns of risk with them."
        )
    table = np.asarray(risk, dtype=np.float64)
    if table.shape != (n, len(at)):
        raise ValueError(
            f"risk must have a row for each of {n} patients and a column for each of {len(at)} "
            f"times, but its shape is {table.shape}. Put one patient's curve into a row."
        )
    check_risk(table.ravel())
    before = at < tau
    steps = np.append(0.0, at[before])
    return steps, np.column_stack([np.zeros(n), table[:, before]])


def _terms(
    time: Floats, event: Flags, risk: Floats, steps: Floats, tau: float
) -> tuple[Floats, Floats]:
    """Integrate each patient's terms of the Brier score, once a case and while a control."""
    rows, until = np.arange(len(time)), np.minimum(time, tau)
    last = np.searchsorted(steps, until, side="right") - 1  # the step that holds it
    ends = np.append(steps, tau)
    weighted = _time_over_g(time, event, ends)
    alarms = risk**2
    controls = _before(alarms * np.diff(weighted), rows, last)
    controls += alarms[rows, last] * (_time_over_g(time, event, until) - weighted[last])
    misses = (1 - risk) ** 2
    missed = misses @ np.diff(ends) - _before(misses * np.diff(ends), rows, last)
    missed -= misses[rows, last] * (until - steps[last])
    weights = censoring_weights(time, event, horizon=tau)
    return np.where(event & (time <= tau), weights * missed, 0.0), controls


def _before(parts: Floats, rows: NDArray[np.intp], last: NDArray[np.intp]) -> Floats:
    """Sum the parts of each row before the position `last`."""
    sums = np.cumsum(parts, axis=1)
    found: Floats = sums[rows, last] - parts[rows, last]
    return found


def _time_over_g(time: Floats, event: Flags, at: Floats) -> Floats:
    """Integrate one over the censoring curve from 0 to each of `at`, up to the last follow-up."""
    knots = np.append(0.0, np.unique(time))
    curve = np.append(1.0, censoring_survival(time, event, knots[1:-1]))
    passed = np.append(0.0, np.cumsum(np.diff(knots) / curve))
    found: Floats = np.interp(at, knots, passed)
    return found


def _through_controls(
    time: Floats, event: Flags, risk: Floats, steps: Floats, tau: float
) -> Floats:
    """Integrate each patient's influence through the weights of the controls."""
    n, order = len(time), np.argsort(time, kind="stable")
    ends = np.unique(np.concatenate([steps, np.minimum(time, tau), [tau]]))
    knots = ends[:-1]  # between two of them nothing steps
    gone = np.searchsorted(time[order], knots, side="right")
    later = np.cumsum(risk[order][::-1] ** 2, axis=0)[::-1]
    step = np.searchsorted(steps, knots, side="right") - 1
    mean = later[gone, step] / n
    area = np.append(0.0, np.cumsum(mean * np.diff(_time_over_g(time, event, ends))))
    times, group, leaving = np.unique(time, return_inverse=True, return_counts=True)
    at_risk = n - np.cumsum(leaving) + leaving
    lost = np.bincount(group, weights=~event)
    hazard = np.append(0.0, np.cumsum(n * lost / at_risk**2))
    before = hazard[np.searchsorted(times, knots, side="right")]
    hazardous = np.append(0.0, np.cumsum(before * np.diff(area)))
    place = np.searchsorted(ends, np.minimum(time, tau))
    own = np.where(event, 0.0, n / at_risk[group]) - hazard[group + 1]
    found: Floats = own * (area[-1] - area[place]) - hazardous[place]
    return found
