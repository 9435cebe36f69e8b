r""".632+: what the patients that bootstrap samples leave out say of any pipeline.

Every step of a pipeline is learned anew from each bootstrap sample, and the patients it left out
are predicted. A sample holds 63 % of the patients, so that the figure in those left out is too low,
the apparent one too high; .632+ weighs the two by how far the pipeline overfits
(`models.optimism.point_632_plus`). It stands where the optimism bootstrap must not be used: copies
of a patient would be in the fit and in the original patients alike, but never among those left out,
and inside the fit they share an inner fold (`models.inner_folds`).

Figures without information: 1/2 of C and AUC; of the Brier score its mean over all pairs of one
patient's outcome and another's risk, weighted for censoring as the score itself. IPA follows from
the Brier score. Calibration has none and is not given. There is no interval: the variance that
Efron and Tibshirani derive is that of a mean of losses, which C and AUC are not.

References
----------
Efron B, Tibshirani R. Improvements on cross-validation: the .632+ bootstrap method. JASA
1997;92:548-560. doi:10.1080/01621459.1997.10474007
Gerds TA, Schumacher M. Efron-type measures of prediction error for survival analysis. Biometrics
2007;63:1283-1287. doi:10.1111/j.1541-0420.2007.00832.x
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.censoring import censoring_weights
from models.one_resample import Pipelines, fit_each, predictions_of, why_incomparable
from models.optimism import point_632_plus
from models.resample_counts import check_counts, resample_weights
from models.resampling import Resample, collected_warnings
from models.scores import Key, Predictions, Scores, ranking_scores
from models.validation_indexes import no_information_brier
from omics.outcome import is_survival
from omics.parallel import Arrays


@dataclass(frozen=True, eq=False, kw_only=True)
class LeftOut:
    """Figures of one model in the patients that each bootstrap sample left out.

    Attributes
    ----------
    scores : list of Scores
        Ranking and accuracy; of the samples the model could be fitted to.
    weights : ndarray of shape (n_fitted,)
        Of each sample, so that every patient weighs alike.
    n_resamples : int
        Drawn, failed ones too.
    """

    scores: list[Scores]
    weights: NDArray[np.float64]
    n_resamples: int

    def __repr__(self) -> str:
        return f"LeftOut({len(self.scores)} of {self.n_resamples} resamples)"

    def mean(self, key: Key) -> float:
        """Give the weighted mean of a figure over samples where it is known; NaN without one."""
        values = np.array([scores[key] for scores in self.scores], dtype=np.float64)
        known = ~np.isnan(values)
        weights = self.weights[known]
        return float(weights @ values[known] / weights.sum()) if known.any() else float("nan")


def left_out_task(
    pipelines: Pipelines,
    X: pd.DataFrame,
    y: NDArray[Any],
    horizons: tuple[float, ...],
    apparent: Mapping[str, Predictions],
    part: Resample,
) -> Arrays:
    """Fit on a bootstrap sample; score the patients it left out.

    `apparent` are the predictions of the fits to all patients: a sample whose fit cannot predict
    whom they predict, or that leaves out none of these, has failed.
    """
    failed: list[str] = []
    complaints: list[str] = []
    arrays: Arrays = {}
    with collected_warnings(complaints):
        fits, out = fit_each(pipelines, X, y, part, failed), part.held_out
        for position, (name, pipeline) in enumerate(zip(pipelines, fits, strict=True)):
            if pipeline is None:
                continue
            p = predictions_of(pipeline, X.iloc[out], y[out], horizons)
            failed[position] = why_incomparable(p, apparent[name].take(out))
            if np.isnan(p.linear_predictor).all():
                failed[position] = failed[position] or "Nobody left out has a prediction."
            if failed[position]:
                continue
            p = p.known()
            arrays[f"{position}.out"] = np.array(list(ranking_scores(p).values()))
    arrays["failed"] = np.array(failed, dtype=np.str_)
    arrays["warnings"] = np.array(complaints, dtype=np.str_)
    return arrays


def left_out_weights(parts: Sequence[Resample], n_patients: int) -> NDArray[np.float64]:
    """Weigh samples so that every patient left out weighs alike, shape (n_resamples,).

    Raises
    ------
    ValueError
        If a patient was left out of no sample.
    """
    counts = np.array([np.bincount(part.train, minlength=n_patients) for part in parts])
    return resample_weights(check_counts(counts, ".632+", n_patients), ".632+")


def left_out_scores(
    position: int,
    apparent: Predictions,
    weights: NDArray[np.float64],
    results: Sequence[Arrays],
) -> LeftOut:
    """Put the samples of one model together, the model at `position` of the task's."""
    keys = list(ranking_scores(apparent.known()))
    fitted = [f"{position}.out" in arrays for arrays in results]
    kept = [arrays for arrays, ok in zip(results, fitted, strict=True) if ok]
    return LeftOut(
        scores=[dict(zip(keys, arrays[f"{position}.out"], strict=True)) for arrays in kept],
        weights=weights[fitted],
        n_resamples=len(results),
    )


def point_632_plus_scores(apparent: Predictions, left_out: LeftOut) -> Scores:
    """Give .632+ of every ranking and accuracy figure; NaN where it is unknown in one of the two.

    Parameters
    ----------
    apparent : Predictions
        Of the fit to all patients.
    left_out : LeftOut
    """
    p = apparent.known()
    own, chance = ranking_scores(p), no_information(p)
    found = {
        key: point_632_plus(value, left_out.mean(key), chance[key])
        for key, value in own.items()
        if key.metric != "ipa"
    }
    for horizon in p.horizons or (np.nan,):
        brier, ipa = Key("brier", horizon), Key("ipa", horizon)
        # 1 - IPA is the Brier score over that of a model that knows nothing
        with np.errstate(divide="ignore", invalid="ignore"):
            found[ipa] = float(1 - np.float64(found[brier]) * (1 - own[ipa]) / own[brier])
    return {key: found[key] for key in own}


def no_information(p: Predictions) -> Scores:
    """Give each figure's value if predictions and outcomes had nothing in common.

    Examples
    --------
    >>> y = np.array([False, True])
    >>> p = Predictions(y=y, linear_predictor=np.zeros(2), risk=np.array([[0.2], [0.6]]),
    ...                 horizons=())
    >>> {key.metric: round(value, 10) for key, value in no_information(p).items()}
    {'auc': 0.5, 'brier': 0.3}
    """
    if not is_survival(p.y):
        rate = no_information_brier(p.risk[:, 0], p.y)
        return {Key("auc", np.nan): 0.5, Key("brier", np.nan): rate}
    time, event = p.y["time"], p.y["event"]
    chance: Scores = {Key("c_index", np.nan): 0.5}
    for j, horizon in enumerate(p.horizons):
        risk = p.risk[:, j]
        rate = np.nan
        if time.max() > horizon and not np.isnan(risk).any():
            weights = censoring_weights(time, event, horizon=horizon)
            had = weights * (time <= horizon)
            rate = had.mean() * (1 - 2 * risk.mean()) + weights.mean() * (risk**2).mean()
        chance |= {
            Key("c_index_uno", horizon): 0.5,
            Key("auc", horizon): 0.5,
            Key("brier", horizon): float(rate),
        }
    return chance
