"""How much better each bootstrap refit looks in its own patients than in the original ones.

The optimism bootstrap for pipelines: every step is learned anew from a resample, and each figure is
taken there (train) and in the original patients (test). Beside the figures of `models.scores` stand
the indexes of rms's validate (`models.validation_indexes`) and the calibration curve on a fixed
grid, corrected point by point (`models.corrected_calibration`). For a regression with a design
matrix fixed in advance, `models.optimism` gives the same figures from arrays.

References
----------
Harrell FE. Regression Modeling Strategies, 2nd ed. Springer 2015, section 5.3.5.
doi:10.1007/978-3-319-19425-7
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit

from models.boosting import BoostedModel
from models.corrected_calibration import N_POINTS, CorrectedCalibration, corrected_curve
from models.cox import CoxModel
from models.many_logistic import bernoulli_log_likelihood
from models.one_resample import Pipelines, fit_each, predictions_of, why_incomparable
from models.pipeline import RiskPipeline
from models.pooled import PooledCox, PooledLogistic
from models.resampling import Resample, collected_warnings
from models.scores import (
    Interval,
    Key,
    Predictions,
    Scores,
    calibration_scores,
    optimism_interval,
    ranking_scores,
)
from models.stratified_indexes import stratified_cox_indexes
from models.validation_indexes import cox_indexes, emax, frozen_cox, logistic_indexes
from omics.errors import FitError
from omics.outcome import is_survival
from omics.parallel import Arrays

Floats = NDArray[np.float64]
Grids = Sequence[Floats]

OPTIMISM = [
    *("model", "metric", "horizon", "apparent", "training", "test", "optimism", "corrected"),
    *("lower", "upper", "level", "n_resamples", "n_failed"),
]
COX_INDEXES = ("dxy", "r_squared", "d", "u", "q", "g")
LOGISTIC_INDEXES = ("dxy", "r_squared", "intercept", "d", "u", "q", "g", "gp")
"""Indexes of rms that `models.scores` has not: slope and Brier score stand there."""
EMAX_OF_LINE = "emax_of_line"  # rms's: of the recalibration line, not of the smooth curve
INDEXES = {*COX_INDEXES, *LOGISTIC_INDEXES, EMAX_OF_LINE}


@dataclass(frozen=True, eq=False, kw_only=True)
class OptimismDraws:
    """Figures of one model in every bootstrap sample it could be fitted to.

    Attributes
    ----------
    train, test : list of Scores
        In the resample, and in the original patients.
    train_curves, test_curves : ndarray of shape (n_fitted, n_horizons, n_points)
        Observed risk on `grids`.
    grids : tuple of ndarray
        Predicted risks, one grid per horizon (one for a binary outcome).
    apparent : Scores
        In the patients of the fit, by the fit to all of them.
    apparent_curves : ndarray of shape (n_horizons, n_points)
    n_resamples : int
        Drawn, failed ones too.
    """

    train: list[Scores]
    test: list[Scores]
    train_curves: Floats
    test_curves: Floats
    grids: tuple[Floats, ...]
    apparent: Scores
    apparent_curves: Floats
    n_resamples: int

    def __repr__(self) -> str:
        return f"OptimismDraws({len(self.train)} of {self.n_resamples} resamples)"


def index_scores(p: Predictions, *, of_the_fit: bool) -> Scores:
    """Give the indexes of rms's validate that `models.scores` has not.

    Parameters
    ----------
    p : Predictions
        Without gaps.
    of_the_fit : bool
        True where these patients' likelihood was maximised without penalty by this very linear
        predictor: its refit is then itself, and U is -2 / N as rms has it.

    Returns
    -------
    Scores
        Keys `dxy`, `r_squared`, `d`, `u`, `q`, `g`; of a binary outcome also `intercept` (beside
        the slope) and `gp`. NaN where there is no finite refit.
    """
    if p.stratum is not None:
        ranked, time, event = p.ranking(), p.y["time"], p.y["event"]
        within = stratified_cox_indexes(
            p.linear_predictor, ranked, time, event, strata=p.stratum, of_the_fit=of_the_fit
        )
        return {Key(name, np.nan): within[name] for name in COX_INDEXES}
    score, everybody = p.linear_predictor[np.newaxis], np.ones((1, len(p.y)))
    own = _own_likelihoods(p) if of_the_fit else None
    if is_survival(p.y):
        found = cox_indexes(score, p.y["time"], p.y["event"], everybody, log_likelihood=own)
        return {Key(name, np.nan): float(found[name][0]) for name in COX_INDEXES}
    found = logistic_indexes(score, p.y, everybody, log_likelihood=own)
    return {Key(name, np.nan): float(found[name][0]) for name in LOGISTIC_INDEXES}


def curve_grids(p: Predictions) -> tuple[Floats, ...]:
    """Give fifty risks per horizon, between the fifth smallest and the fifth largest prediction.

    Empty where fewer than ten patients have a risk.
    """
    grids = []
    for risk in p.risk.T:
        known = np.sort(risk[~np.isnan(risk)])
        enough = len(known) > 9
        grids.append(np.linspace(known[4], known[-5], N_POINTS) if enough else np.empty(0))
    return tuple(grids)


def optimism_task(
    pipelines: Pipelines,
    X: pd.DataFrame,
    y: NDArray[Any],
    horizons: tuple[float, ...],
    apparent: Mapping[str, Predictions],
    part: Resample,
) -> Arrays:
    """Fit on a bootstrap sample; score it there and on the original patients.

    `apparent` are the predictions of the fits to all patients: a sample whose fit cannot predict
    whom they predict has failed.
    """
    failed: list[str] = []
    complaints: list[str] = []
    arrays: Arrays = {}
    with collected_warnings(complaints):
        fits = fit_each(pipelines, X, y, part, failed)
        for position, (name, pipeline) in enumerate(zip(pipelines, fits, strict=True)):
            if pipeline is None:
                continue
            original = predictions_of(pipeline, X, y, horizons)
            failed[position] = why_incomparable(original, apparent[name])
            if failed[position]:
                continue
            grids = curve_grids(apparent[name])
            own = original.take(part.train).known()
            for side, p, at_maximum in (
                ("train", own, is_at_maximum(pipeline)),
                ("test", original.known(), False),
            ):
                scores, curves = _look(p, grids, of_the_fit=at_maximum)
                arrays[f"{position}.{side}"] = np.array(list(scores.values()))
                arrays[f"{position}.{side}.curves"] = curves
    arrays["failed"] = np.array(failed, dtype=np.str_)
    arrays["warnings"] = np.array(complaints, dtype=np.str_)
    return arrays


def optimism_draws(
    position: int,
    pipeline: RiskPipeline,
    apparent: Predictions,
    results: Sequence[Arrays],
) -> OptimismDraws:
    """Put the resamples of one model together, the model at `position` of the task's."""
    grids = curve_grids(apparent)
    scores, curves = _look(apparent.known(), grids, of_the_fit=is_at_maximum(pipeline))
    fitted = [arrays for arrays in results if f"{position}.train" in arrays]

    def named(side: str) -> list[Scores]:
        return [dict(zip(scores, one[f"{position}.{side}"], strict=True)) for one in fitted]

    def stacked(side: str) -> Floats:
        found = [one[f"{position}.{side}.curves"] for one in fitted]
        return np.array(found) if found else np.empty((0, *curves.shape))

    return OptimismDraws(
        train=named("train"),
        test=named("test"),
        train_curves=stacked("train"),
        test_curves=stacked("test"),
        grids=grids,
        apparent=scores,
        apparent_curves=curves,
        n_resamples=len(results),
    )


def is_at_maximum(pipeline: RiskPipeline) -> bool:
    """Tell whether the fit maximises the likelihood of its patients: no penalty, not pooled.

    The likelihood is that of Efron's ties.
    """
    model = pipeline.model
    if isinstance(model, CoxModel) and model.ties != "efron":
        return False
    return not isinstance(model, BoostedModel | PooledCox | PooledLogistic) and not model.ridge_


def corrected_scores(draws: OptimismDraws, *, level: float) -> dict[Key, Interval]:
    """Correct every figure for optimism; the interval is that of rms::validate (dual SD).

    It ends where the metric ends. A figure without a value in two resamples is NaN. `emax_of_line`,
    of a binary outcome, follows from the corrected intercept and slope and has no interval.
    """
    found = {
        key: optimism_interval(*_sides(draws, key), value, level=level).within(key.metric)
        for key, value in draws.apparent.items()
    }
    intercept = found.get(Key("intercept", np.nan))
    if intercept is not None:
        slope = found[Key("calibration_slope", np.nan)].estimate
        found[Key(EMAX_OF_LINE, np.nan)] = Interval(emax(intercept.estimate, slope), np.nan, np.nan)
    return found


def optimism_table(model: str, draws: OptimismDraws, *, level: float) -> pd.DataFrame:
    """Set out every figure as rms's validate prints it; columns as in `OPTIMISM`.

    Parameters
    ----------
    model : str
    draws : OptimismDraws
    level : float in (0, 1)

    Returns
    -------
    DataFrame, one row per metric and horizon
        `training` and `test` are means over the resamples in which both are known, counted by
        `n_resamples`; the others of those drawn are `n_failed`.
    """
    rows = []
    for key, interval in corrected_scores(draws, level=level).items():
        if key.metric == EMAX_OF_LINE:
            own, train, test = 0.0, np.zeros(0), np.zeros(0)
            counted = len(draws.train)
        else:
            own, (train, test) = draws.apparent[key], _sides(draws, key)
            known = ~np.isnan(train + test)
            counted, train, test = int(known.sum()), train[known], test[known]
        means = [float(side.mean()) if len(side) else np.nan for side in (train, test)]
        rows.append(
            (
                *(model, *key, own, *means, own - interval.estimate, *interval, level),
                *(counted, draws.n_resamples - counted),
            )
        )
    return pd.DataFrame(rows, columns=OPTIMISM)


def corrected_curves(
    draws: OptimismDraws, apparent: Predictions, *, level: float
) -> dict[float, CorrectedCalibration]:
    """Correct the calibration curve at each horizon; left out where two resamples have none.

    Parameters
    ----------
    draws : OptimismDraws
    apparent : Predictions
        Of the fit to all patients.
    level : float in (0, 1)

    Returns
    -------
    dict of horizon (NaN for a binary outcome) to CorrectedCalibration
    """
    p, found = apparent.known(), {}
    for j, horizon in enumerate(p.horizons or (np.nan,)):
        if not len(draws.grids[j]):
            continue
        events = p.y["event"] & (p.y["time"] <= horizon) if is_survival(p.y) else p.y
        sides = draws.apparent_curves[j], draws.train_curves[:, j], draws.test_curves[:, j]
        try:
            found[horizon] = corrected_curve(
                draws.grids[j],
                sides,
                p.risk[:, j],
                n_events=int(events.sum()),
                horizon=None if np.isnan(horizon) else horizon,
                level=level,
            )
        except FitError:
            continue
    return found


def _sides(draws: OptimismDraws, key: Key) -> tuple[Floats, Floats]:
    return (
        np.array([scores[key] for scores in draws.train], dtype=np.float64),
        np.array([scores[key] for scores in draws.test], dtype=np.float64),
    )


def _look(p: Predictions, grids: Grids, *, of_the_fit: bool) -> tuple[Scores, Floats]:
    """Give every figure of one set of predictions, and its curves on the grids."""
    calibration, curves = calibration_scores(p, grids=grids)
    scores = ranking_scores(p) | calibration | index_scores(p, of_the_fit=of_the_fit)
    observed = np.full((len(curves), N_POINTS), np.nan)
    for row, curve in zip(observed, curves, strict=True):
        row[: len(curve)] = curve  # empty beyond follow-up
    return scores, observed


def _own_likelihoods(p: Predictions) -> Floats:
    """Give the log (partial) likelihood without predictors, and of the linear predictor, (1, 2)."""
    score, everybody = p.linear_predictor[np.newaxis], np.ones((1, len(p.y)))
    if is_survival(p.y):
        time, event = p.y["time"], p.y["event"]
        each = [frozen_cox(eta, time, event, everybody) for eta in (np.zeros_like(score), score)]
    else:
        null = np.full_like(score, logit(p.y.mean()))
        each = [bernoulli_log_likelihood(eta, p.y, everybody) for eta in (null, score)]
    return np.column_stack(each)
