r"""How much sensitivity each loss of specificity buys, and how surely: the ROC curve.

With m cases and n controls, and ties counting one half, the AUC is the mean of the placements

.. math::

    V_i = \frac1n \sum_j 1(\eta_i > \eta_j), \qquad V_j = \frac1m \sum_i 1(\eta_i > \eta_j), \qquad
    \mathrm{SE}^2 = \frac{s^2(V_{\text{cases}})}{m} + \frac{s^2(V_{\text{controls}})}{n}

of cases among controls (DeLong), read from ranks in O(n log n). Two scores of the same patients
are compared with the covariance of their placements: `models.measured.paired_difference` is then
DeLong's paired test. At a horizon t patients are weighted by ``1 / G``, as in
`models.standard_errors`.

References
----------
DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated receiver
operating characteristic curves. Biometrics 1988;44:837-845. doi:10.2307/2531595
Sun X, Xu W. Fast implementation of DeLong's algorithm. IEEE Signal Processing Letters
2014;21:1389-1393. doi:10.1109/LSP.2014.2337313
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from models.checks import (
    Flags,
    Floats,
    check_binary_risks,
    check_level,
    check_score,
    check_some_patients,
)
from models.measured import Measured, from_influence
from models.standard_errors import measured_auc_at, states_at
from omics.checks import check_event, check_same_length


@dataclass(frozen=True, eq=False, kw_only=True)
class RocCurve:
    """Sensitivity and specificity at every cut point.

    Attributes
    ----------
    table : DataFrame, one row per cut point, from the strictest to the laxest
        Columns `cut_point` (a score at or above it is positive; infinite in the first row, where
        nobody is), `sensitivity` and `specificity`.
    auc : Measured
        Area under it.
    """

    table: pd.DataFrame
    auc: Measured

    def __repr__(self) -> str:
        return f"RocCurve({len(self.table)} cut points, {self.auc!r})"


def roc_curve(event: ArrayLike, linear_predictor: ArrayLike, *, level: float = 0.95) -> RocCurve:
    """Trace the ROC curve of a binary outcome.

    Parameters
    ----------
    event : array-like of shape (n_patients,)
        True for the positive class.
    linear_predictor : array-like of shape (n_patients,)
        Any score that ranks; higher speaks for the positive class.
    level : float
        Of the interval of the area.

    Returns
    -------
    RocCurve
        Without rows where a score is NaN or only one class was observed.

    Raises
    ------
    ValueError
        As `models.discrimination.roc_auc`, or if the level does not lie between 0 and 1.

    Examples
    --------
    >>> curve = roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    >>> curve.table["sensitivity"].tolist(), curve.table["specificity"].tolist()
    ([0.0, 0.5, 0.5, 1.0, 1.0], [1.0, 1.0, 0.5, 0.5, 0.0])
    """
    auc = measured_roc_auc(event, linear_predictor, level=level)
    events, score = check_event(event, "event"), check_score(linear_predictor)
    return RocCurve(
        table=_trace(events.astype(np.float64), (~events).astype(np.float64), score), auc=auc
    )


def roc_curve_at(
    time: ArrayLike,
    event: ArrayLike,
    linear_predictor: ArrayLike,
    *,
    horizon: float,
    competing: ArrayLike | None = None,
    level: float = 0.95,
) -> RocCurve:
    """Trace the cumulative/dynamic ROC curve at `horizon`.

    Parameters
    ----------
    time, event, linear_predictor, horizon, competing, level
        As for `models.standard_errors.measured_auc_at`.

    Returns
    -------
    RocCurve
        Without rows where its area is NaN.

    Examples
    --------
    >>> curve = roc_curve_at([1, 2, 3, 4], [1, 0, 1, 0], [0.9, 0.2, 0.6, 0.7], horizon=3)
    >>> curve.table["sensitivity"].round(3).tolist()  # case 3 stands for 1.5 patients of 2.5
    [0.0, 0.4, 0.4, 1.0, 1.0]
    """
    auc = measured_auc_at(
        time, event, linear_predictor, horizon=horizon, competing=competing, level=level
    )
    if np.isnan(auc.estimate):
        return RocCurve(table=_trace(np.zeros(1), np.zeros(1), np.zeros(1)), auc=auc)
    state = states_at(time, event, horizon=horizon, competing=competing)
    case, control = state.case * state.weight, state.control * state.weight
    return RocCurve(table=_trace(case, control, check_score(linear_predictor)), auc=auc)


def measured_roc_auc(
    event: ArrayLike, linear_predictor: ArrayLike, *, level: float = 0.95
) -> Measured:
    """Area under the ROC curve of a binary outcome, with DeLong's standard error.

    Parameters
    ----------
    event, linear_predictor, level
        As for `roc_curve`.

    Returns
    -------
    Measured
        NaN if only one class was observed or a score is NaN; the standard error is NaN where a
        class has one patient.

    Examples
    --------
    >>> measured_roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    Measured(auc 0.750 [0.057, 1.000], 4 patients, 2 events)
    """
    events, score = check_event(event, "event"), check_score(linear_predictor)
    check_same_length(event=events, linear_predictor=score)
    check_some_patients(events, "event")
    auc, contributions = float("nan"), np.full(len(score), np.nan)
    if events.any() and not events.all() and not np.isnan(score).any():
        auc, contributions = _delong(events, score)
    return _measured("auc", auc, contributions, events, level)


def measured_brier(event: ArrayLike, risk: ArrayLike, *, level: float = 0.95) -> Measured:
    """Mean squared distance of the risk from the outcome, with its standard error.

    Parameters
    ----------
    event : array-like of shape (n_patients,)
        True for the positive class.
    risk : array-like of shape (n_patients,)
        Predicted probability of the event, in [0, 1]; higher is worse.
    level : float

    Returns
    -------
    Measured
        NaN where a risk is NaN.

    Examples
    --------
    >>> measured_brier([True, False], [0.8, 0.4])  # .04 and .16
    Measured(brier 0.100 [0.000, 0.218], 2 patients, 1 events)
    """
    events, p = check_binary_risks(event, risk)
    squares = (events - p) ** 2
    return _measured("brier", float(squares.mean()), from_influence(squares), events, level)


def _delong(event: Flags, score: Floats) -> tuple[float, Floats]:
    ranks = rankdata(score)
    n_cases, n_controls = int(event.sum()), int((~event).sum())
    placement = np.empty(len(score))
    placement[event] = (ranks[event] - rankdata(score[event])) / n_controls
    placement[~event] = 1 - (ranks[~event] - rankdata(score[~event])) / n_cases
    auc = float(placement[event].mean())
    size = np.where(event, n_cases, n_controls)
    if min(n_cases, n_controls) < 2:
        return auc, np.full(len(score), np.nan)
    return auc, (placement - auc) / np.sqrt(size * (size - 1))


def _trace(case: Floats, control: Floats, score: Floats) -> pd.DataFrame:
    """Sensitivity and specificity of weighted cases and controls at every distinct score."""
    if np.isnan(score).any() or not case.any() or not control.any():
        return pd.DataFrame(columns=["cut_point", "sensitivity", "specificity"], dtype=np.float64)
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    last = np.append(ranked[1:] != ranked[:-1], True)  # of those with one score
    positive = [np.append(0.0, np.cumsum(kind[order])[last]) for kind in (case, control)]
    return pd.DataFrame(
        {
            "cut_point": np.append(np.inf, ranked[last]),
            "sensitivity": positive[0] / positive[0][-1],
            "specificity": 1 - positive[1] / positive[1][-1],
        }
    )


def _measured(
    metric: str, estimate: float, contributions: Floats, event: Flags, level: float
) -> Measured:
    return Measured(
        metric=metric,
        estimate=estimate,
        contributions=contributions,
        n_patients=len(event),
        n_events=int(event.sum()),
        level=check_level(level),
    )
