"""The figures by which a model and its updates are compared: rank, level, accuracy, benefit."""

from typing import NamedTuple

import numpy as np

from models.accuracy import brier, brier_at, ipa, ipa_at
from models.calibration import observed_expected, observed_expected_at
from models.checks import Floats
from models.decision import Columns, decision_curve, decision_curve_at
from models.discrimination import c_index, roc_auc
from models.scores import Predictions, slope_scores
from omics.outcome import is_survival


class FigureKey(NamedTuple):
    """Name of a figure; horizon and threshold are NaN where it has none."""

    metric: str
    horizon: float
    threshold: float


Figures = dict[FigureKey, float]


def figures_with_benefit(
    p: Predictions, *, thresholds: Floats, harm: float = 0.0, prevalence: float | None = None
) -> Figures:
    """Give C-index or AUC, calibration slope, O/E, Brier score, IPA and net benefit.

    Parameters
    ----------
    p : Predictions
        All known.
    thresholds : ndarray of shape (n_thresholds,)
        In [0, 1), of net benefit.
    harm, prevalence : float
        As for `models.decision.decision_curve`; a prevalence is of a binary outcome.

    Examples
    --------
    >>> p = Predictions(y=np.array([False, True]), linear_predictor=np.array([-1.0, 1.0]),
    ...                 risk=np.array([[0.25], [0.75]]), horizons=())
    >>> found = figures_with_benefit(p, thresholds=np.array([0.5]))
    >>> [round(value, 4) for key, value in found.items() if key.metric in ("brier", "net_benefit")]
    [0.0625, 0.5]
    """
    slope = next(iter(slope_scores(p).values()))
    if is_survival(p.y):
        figures = _survival(p, thresholds, harm)
    else:
        figures = _binary(p, thresholds, harm, prevalence)
    return figures | {FigureKey("calibration_slope", np.nan, np.nan): slope}


def _survival(p: Predictions, thresholds: Floats, harm: float) -> Figures:
    time, event = p.y["time"], p.y["event"]
    figures = {FigureKey("c_index", np.nan, np.nan): c_index(time, event, p.linear_predictor)}
    for j, h in enumerate(p.horizons):
        risk = p.risk[:, j]
        for metric, value in (
            ("observed_expected", observed_expected_at(time, event, risk, horizon=h)),
            ("brier", brier_at(time, event, risk, horizon=h)),
            ("ipa", ipa_at(time, event, risk, horizon=h)),
        ):
            figures[FigureKey(metric, h, np.nan)] = value
        curve = decision_curve_at(risk, time, event, horizon=h, thresholds=thresholds, harm=harm)
        figures |= _benefits(curve.columns, h)
    return figures


def _binary(p: Predictions, thresholds: Floats, harm: float, prevalence: float | None) -> Figures:
    risk = p.risk[:, 0]
    figures = {
        FigureKey("auc", np.nan, np.nan): roc_auc(p.y, p.linear_predictor),
        FigureKey("observed_expected", np.nan, np.nan): observed_expected(p.y, risk),
        FigureKey("brier", np.nan, np.nan): brier(p.y, risk),
        FigureKey("ipa", np.nan, np.nan): ipa(p.y, risk),
    }
    curve = decision_curve(risk, p.y, thresholds=thresholds, prevalence=prevalence, harm=harm)
    return figures | _benefits(curve.columns, np.nan)


def _benefits(curve: Columns, horizon: float) -> Figures:
    return {
        FigureKey("net_benefit", horizon, float(level)): float(value)
        for level, value in zip(curve["threshold"], curve["net_benefit"], strict=True)
    }
