r"""How far predicted risks lie from what happened to each patient.

For a horizon t, with :math:`p_i` the predicted risk and :math:`\hat G` the Kaplan-Meier estimate of
the censoring distribution in the *evaluation* sample (events before censorings at ties):

.. math::

    \mathrm{BS}(t) = \frac1n \sum_i \Big[
        \frac{1(T_i \le t, \delta_i = 1)\,(1 - p_i)^2}{\hat G(T_i-)}
        + \frac{1(T_i > t)\, p_i^2}{\hat G(t)} \Big], \qquad
    \mathrm{IPA}(t) = 1 - \frac{\mathrm{BS}(t)}{\mathrm{BS}_0(t)}

BS0 is the score of the Kaplan-Meier risk given to everybody. A figure is NaN where the data cannot
give it (said at each function) and where a prediction is NaN.

References
----------
Graf E, et al. Assessment and comparison of prognostic classification schemes for survival data.
Statistics in Medicine 1999;18:2529-2545.
doi:10.1002/(SICI)1097-0258(19990915/30)18:17/18<2529::AID-SIM274>3.0.CO;2-5
Kattan MW, Gerds TA. The index of prediction accuracy. Diagnostic and Prognostic Research 2018;2:7.
doi:10.1186/s41512-018-0029-2
"""

from numpy.typing import ArrayLike

from models.censoring import censoring_weights
from models.checks import check_binary_risks, check_horizon, check_survival_risks
from models.survival_curves import survival_at


def brier(event: ArrayLike, risk: ArrayLike) -> float:
    """Mean squared distance of the risk from the outcome; lower is better.

    Parameters
    ----------
    event : array-like of shape (n_patients,)
        True for the positive class.
    risk : array-like of shape (n_patients,)
        Predicted probability of the event, in [0, 1]; higher is worse.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If an event is not True/False, a risk is not a probability, or lengths differ.

    Examples
    --------
    >>> brier([True, False], [0.8, 0.4])  # (0.2² + 0.4²) / 2
    0.1
    """
    events, p = check_binary_risks(event, risk)
    return float(((events - p) ** 2).mean())


def ipa(event: ArrayLike, risk: ArrayLike) -> float:
    """Index of prediction accuracy: share of the prevalence's Brier score that the risk saves.

    Parameters
    ----------
    event, risk : array-like of shape (n_patients,)
        As for `brier`.

    Returns
    -------
    float
        At most 1; 0 for a useless model, below 0 for a harmful one. NaN if only one class was
        observed.

    Examples
    --------
    >>> round(ipa([True, False], [0.8, 0.4]), 10)  # 1 - 0.1 / 0.25
    0.6
    """
    events, p = check_binary_risks(event, risk)
    prevalence = float(events.mean())
    return _relative(brier(events, p), prevalence * (1 - prevalence))


def brier_at(time: ArrayLike, event: ArrayLike, risk: ArrayLike, *, horizon: float) -> float:
    """Brier score at `horizon`, with inverse probability of censoring weights; lower is better.

    Parameters
    ----------
    time : array-like of shape (n_patients,)
        Follow-up, above zero.
    event : array-like of shape (n_patients,)
        True where the event was observed, False where follow-up was censored.
    risk : array-like of shape (n_patients,)
        Predicted probability of the event by `horizon`, in [0, 1]; higher is worse.
    horizon : float
        In the unit of `time`.

    Returns
    -------
    float
        NaN unless a patient was followed beyond `horizon`: so also where everybody's follow-up was
        cut exactly there, since those still free of the event cannot be told from the censored.

    Raises
    ------
    ValueError
        If a time is not above zero, an event is not True/False, a risk is not a probability, or
        lengths differ.

    Examples
    --------
    >>> score = brier_at([1, 2, 3, 4], [1, 0, 1, 0], [0.5, 0.5, 1, 0], horizon=2.5)
    >>> round(score, 10)  # (.25 + 1.5 + 0) / 4
    0.4375
    """
    times, events, p = check_survival_risks(time, event, risk)
    if times.max() <= check_horizon(horizon):
        return float("nan")
    weights = censoring_weights(times, events, horizon=horizon)
    return float((weights * ((times <= horizon) - p) ** 2).mean())


def ipa_at(time: ArrayLike, event: ArrayLike, risk: ArrayLike, *, horizon: float) -> float:
    """Index of prediction accuracy at `horizon`, against the Kaplan-Meier risk of this sample.

    Parameters
    ----------
    time, event, risk : array-like of shape (n_patients,)
        As for `brier_at`.
    horizon : float

    Returns
    -------
    float
        At most 1; 0 for a useless model. NaN where `brier_at` is, and without an
        event by `horizon`.

    Examples
    --------
    >>> ipa_at([1, 2, 3, 4], [1, 0, 1, 0], [1, 0, 0, 0], horizon=2.5)
    1.0
    """
    times, events, p = check_survival_risks(time, event, risk)
    survival = float(survival_at(times, events, check_horizon(horizon)))
    # The weighted Brier score of the Kaplan-Meier risk is exactly S (1 - S).
    return _relative(brier_at(times, events, p, horizon=horizon), survival * (1 - survival))


def _relative(score: float, reference: float) -> float:
    return 1 - score / reference if reference > 0 else float("nan")
