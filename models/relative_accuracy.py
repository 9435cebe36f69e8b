r"""How sure it is that a model saves part of the Brier score: IPA with its standard error.

With :math:`q_i = w_i (Y_i - p_i)^2` a patient's term of the Brier score, :math:`q_{0i}` the same
for the risk of the whole sample given to everybody, and BS, BS0 their means,

.. math::

    \mathrm{IPA} = 1 - \frac{\mathrm{BS}}{\mathrm{BS}_0}, \qquad
    r_i = -\frac{1}{\mathrm{BS}_0}\left(q_i - \frac{\mathrm{BS}}{\mathrm{BS}_0}\, q_{0i}\right)

is the influence of patient i with the weights known (delta method). That the risk of the whole
sample was estimated adds nothing: it is the constant of least Brier score, so the score's slope
there is 0. At a horizon the part through the estimated weights is added (`models.standard_errors`).
riskRegression gives IPA without a standard error.

References
----------
Kattan MW, Gerds TA. The index of prediction accuracy. Diagnostic and Prognostic Research 2018;2:7.
doi:10.1186/s41512-018-0029-2
van der Vaart AW. Asymptotic Statistics. 1998, chapter 3. doi:10.1017/CBO9780511802256
"""

import numpy as np
from numpy.typing import ArrayLike

from models.checks import Floats, check_binary_risks, check_level, check_survival_risks
from models.measured import Measured, from_influence
from models.standard_errors import censoring_influence, states_at
from omics.checks import check_event


def measured_ipa(event: ArrayLike, risk: ArrayLike, *, level: float = 0.95) -> Measured:
    """Index of prediction accuracy of a binary outcome, with its standard error.

    Parameters
    ----------
    event : array-like of shape (n_patients,)
        True for the positive class.
    risk : array-like of shape (n_patients,)
        Predicted probability of the event, in [0, 1]; higher is worse.
    level : float
        Of the interval.

    Returns
    -------
    Measured
        At most 1, without a lower end. NaN if only one class was observed or a risk is NaN.

    Raises
    ------
    ValueError
        As `models.accuracy.ipa`, or if the level does not lie between 0 and 1.

    Examples
    --------
    >>> measured_ipa([True, False], [0.8, 0.4])  # 1 - 0.1 / 0.25; influence ±.24
    Measured(ipa 0.600 [0.130, 1.000], 2 patients, 1 events)
    """
    events, p = check_binary_risks(event, risk)
    influence, estimate = _relative((events - p) ** 2, (events - events.mean()) ** 2)
    return _measured(estimate, influence, int(events.sum()), np.nan, level)


def measured_ipa_at(
    time: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    *,
    horizon: float,
    competing: ArrayLike | None = None,
    level: float = 0.95,
) -> Measured:
    """Index of prediction accuracy at `horizon`, with its standard error.

    Parameters
    ----------
    time, event, risk, horizon, competing, level
        As for `models.standard_errors.measured_brier_at`.

    Returns
    -------
    Measured
        NaN where nobody is followed beyond `horizon`, without an event by it, and where a risk is
        NaN.

    Examples
    --------
    >>> measured_ipa_at([1, 2, 3, 4], [1, 0, 1, 0], [1, 0, 0, 0], horizon=2.5)
    Measured(ipa at 2.5 1.000 [1.000, 1.000], 4 patients, 1 events)
    """
    times, events, p = check_survival_risks(time, event, risk)
    state = states_at(times, events, horizon=horizon, competing=competing)
    influence, estimate = np.full(len(p), np.nan), float("nan")
    if state.beyond:
        weight, case = state.weight, state.case
        everybody = float(weight @ case) / len(p)  # weights add up to the number of patients
        r, estimate = _relative(weight * (case - p) ** 2, weight * (case - everybody) ** 2)
        others = False if competing is None else check_event(competing, "competing")
        influence = r + censoring_influence(times, ~(events | others), r, horizon=horizon)
    return _measured(estimate, influence, int(state.case.sum()), horizon, level)


def _relative(terms: Floats, reference: Floats) -> tuple[Floats, float]:
    """Give the influence on one minus the ratio of two means, and that number."""
    below = float(reference.mean())
    if not below > 0:
        return np.full(len(terms), np.nan), float("nan")
    ratio = float(terms.mean()) / below
    return (ratio * reference - terms) / below, 1 - ratio


def _measured(
    estimate: float, influence: Floats, n_events: int, horizon: float, level: float
) -> Measured:
    return Measured(
        metric="ipa",
        estimate=estimate,
        contributions=from_influence(influence),
        n_patients=len(influence),
        n_events=n_events,
        horizon=horizon,
        level=check_level(level),
        lowest=-np.inf,
    )
