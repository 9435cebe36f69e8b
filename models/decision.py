r"""Decision curve analysis: what acting on a predicted risk is worth.

A patient is treated when the predicted risk is at least the threshold probability p. With F the
risk of those treated (for a horizon t: one minus the Kaplan-Meier estimate at t *among them*),

.. math::

    \mathrm{NB}(p) = P(\text{treated}) \left[\hat F - (1 - \hat F) \frac{p}{1 - p}\right]

which without censoring is :math:`TP/n - FP/n \cdot p / (1 - p)`. Treating nobody is worth 0.

References
----------
Vickers AJ, Elkin EB. Decision curve analysis: a novel method for evaluating prediction models.
Medical Decision Making 2006;26:565-574. doi:10.1177/0272989X06295361
Vickers AJ, Cronin AM, Elkin EB, Gonen M. Extensions to decision curve analysis. BMC Medical
Informatics and Decision Making 2008;8:53. doi:10.1186/1472-6947-8-53
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from models.checks import (
    Flags,
    Floats,
    check_binary_risks,
    check_horizon,
    check_survival_risks,
)
from omics.checks import check_probability

BLOCK = 2**20  # patients times thresholds held at once


@dataclass(frozen=True, eq=False, kw_only=True)
class DecisionCurve:
    """Net benefit over threshold probabilities, in true positives per patient.

    Attributes
    ----------
    table : DataFrame, one row per threshold
        Columns `threshold`; `n_treated` (risk at or above it); `net_benefit` of treating those;
        `treat_all`; `treat_none` (0); `interventions_avoided` per 100 patients against treating
        all, at no loss of events (NaN at threshold 0); `note`, which says why a net benefit is NaN
        and is empty otherwise.
    n_patients : int
    n_events : int
        By the horizon, if there is one.
    horizon : float or None
    """

    table: pd.DataFrame
    n_patients: int
    n_events: int
    horizon: float | None

    def __repr__(self) -> str:
        span = self.table["threshold"]
        by = "" if self.horizon is None else f" by {self.horizon:g}"
        reach = f"thresholds {span.min():g}-{span.max():g}" if len(span) else "no threshold"
        return f"DecisionCurve({self.n_patients} patients, {self.n_events} events{by}, {reach})"


def decision_curve(risk: ArrayLike, event: ArrayLike, *, thresholds: ArrayLike) -> DecisionCurve:
    """Compute the net benefit of treating by `risk`, for a binary outcome.

    Parameters
    ----------
    risk : array-like of shape (n_patients,)
        Predicted probability of the event, in [0, 1]; higher is worse. Where one is NaN, so is the
        net benefit.
    event : array-like of shape (n_patients,)
        True for the positive class.
    thresholds : array-like of shape (n_thresholds,)
        Threshold probabilities, in [0, 1).

    Returns
    -------
    DecisionCurve

    Raises
    ------
    ValueError
        If a risk is not a probability, an event is not True/False, a threshold is not in [0, 1), or
        lengths differ.

    Examples
    --------
    >>> curve = decision_curve([0.1, 0.4, 0.8, 0.9], [0, 0, 1, 1], thresholds=[0.2, 0.5])
    >>> curve
    DecisionCurve(4 patients, 2 events, thresholds 0.2-0.5)
    >>> curve.table["net_benefit"].round(10).tolist()  # 2/4 - 1/4 · 0.2/0.8, then 2/4 - 0
    [0.4375, 0.5]
    """
    events, p = check_binary_risks(event, risk)
    levels = _check_thresholds(thresholds)
    order = np.argsort(p, kind="stable")
    place = np.searchsorted(p[order], levels, side="left")  # first patient treated
    events_from = np.append(np.cumsum(events[order][::-1])[::-1], 0)
    n_treated = len(p) - place
    table = _table(
        levels,
        n_treated=n_treated,
        risk=_share(events_from[place], n_treated),
        overall=float(events.mean()),
        n_patients=len(p),
        unknown=bool(np.isnan(p).any()),
    )
    return DecisionCurve(table=table, n_patients=len(p), n_events=int(events.sum()), horizon=None)


def decision_curve_at(
    risk: ArrayLike, time: ArrayLike, event: ArrayLike, *, horizon: float, thresholds: ArrayLike
) -> DecisionCurve:
    """Compute the net benefit of treating by the risk of an event by `horizon`.

    Parameters
    ----------
    risk : array-like of shape (n_patients,)
        Predicted probability of the event by `horizon`, in [0, 1]; higher is worse. Where one is
        NaN, so is the net benefit.
    time : array-like of shape (n_patients,)
        Follow-up, above zero.
    event : array-like of shape (n_patients,)
        True where the event was observed, False where follow-up was censored.
    horizon : float
        In the unit of `time`.
    thresholds : array-like of shape (n_thresholds,)
        Threshold probabilities, in [0, 1).

    Returns
    -------
    DecisionCurve
        NaN, with a note, where nobody among the treated was followed to `horizon`; as in R's
        dcurves also if all of them had the event, which tells of a handful of patients.

    Raises
    ------
    ValueError
        As `decision_curve`, or if a time or the horizon is not above zero.

    Examples
    --------
    >>> curve = decision_curve_at([.1, .4, .8, .9], [5, 5, 1, 3], [0, 0, 1, 1], horizon=3,
    ...                           thresholds=[0.2, 0.5])
    >>> curve.table["net_benefit"].round(10).tolist()
    [0.4375, 0.5]
    """
    times, events, p = check_survival_risks(time, event, risk)
    horizon = check_horizon(horizon)
    levels = _check_thresholds(thresholds)
    order = np.lexsort((~events, times))
    p, times, events = p[order], times[order], events[order]
    treated = p >= levels[:, np.newaxis]  # (n_thresholds, n_patients)
    step = max(BLOCK // len(p), 1)
    blocks = [treated[k : k + step] for k in range(0, len(levels), step)]
    risks = [_risk_among(rows, times, events, horizon) for rows in blocks]
    everybody = np.ones((1, len(p)), dtype=np.bool_)
    table = _table(
        levels,
        n_treated=treated.sum(axis=1),
        risk=np.concatenate([np.empty(0), *risks]),
        overall=float(_risk_among(everybody, times, events, horizon)[0]),
        n_patients=len(p),
        unknown=bool(np.isnan(p).any()),
    )
    return DecisionCurve(
        table=table,
        n_patients=len(p),
        n_events=int((events & (times <= horizon)).sum()),
        horizon=horizon,
    )


def _check_thresholds(thresholds: ArrayLike) -> Floats:
    levels = check_probability(thresholds, "thresholds")
    certain = levels == 1
    if certain.any():
        raise ValueError(
            f"thresholds must be below 1, but {certain.sum()} of {len(levels)} are not (first at "
            f"position {certain.argmax()}): at 1 the harm of a false positive is infinite. "
            "Leave it out."
        )
    return levels


def _share(count: NDArray[np.intp], total: NDArray[np.intp]) -> Floats:
    """Give count / total, 0 of 0 being 0."""
    return np.asarray(count / np.maximum(total, 1), dtype=np.float64)


def _risk_among(treated: Flags, time: Floats, event: Flags, horizon: float) -> Floats:
    """Kaplan-Meier risk by `horizon` among the treated of each row; 0 where there are none.

    Patients are sorted by time, events first at ties, and leave one by one: within a tie the
    factors telescope, (r-1)/r · (r-2)/(r-1) · … = (r-d)/r.
    """
    by_then = int(np.searchsorted(time, horizon, side="right"))
    early, after = treated[:, :by_then], treated[:, by_then:].sum(axis=1)
    at_risk = early[:, ::-1].cumsum(axis=1)[:, ::-1] + after[:, np.newaxis]
    factors = 1 - (early & event[:by_then]) / np.maximum(at_risk, 1)
    survival = factors.prod(axis=1)
    followed = treated[:, int(np.searchsorted(time, horizon, side="left")) :].any(axis=1)
    known = followed | ~treated.any(axis=1)
    return np.where(known, 1 - survival, np.nan)


def _table(
    levels: Floats,
    *,
    n_treated: NDArray[np.intp],
    risk: Floats,
    overall: float,
    n_patients: int,
    unknown: bool,
) -> pd.DataFrame:
    odds = levels / (1 - levels)
    benefit = n_treated / n_patients * (risk - (1 - risk) * odds)
    treat_all = overall - (1 - overall) * odds
    note = np.where(np.isnan(benefit), "follow-up of the treated ends before the horizon", "")
    if unknown:
        benefit, note = np.full(len(levels), np.nan), np.full(len(levels), "a risk is missing")
    with np.errstate(divide="ignore", invalid="ignore"):
        avoided = np.where(odds > 0, 100 * (benefit - treat_all) / odds, np.nan)
    return pd.DataFrame(
        {
            "threshold": levels,
            "n_treated": n_treated,
            "net_benefit": benefit,
            "treat_all": treat_all,
            "treat_none": 0.0,
            "interventions_avoided": avoided,
            "note": note,
        }
    )
