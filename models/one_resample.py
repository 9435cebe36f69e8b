"""One resample of a validation: what is fitted on it, what it predicts, and what adds up after.

A task gives plain arrays, so that it can run in a process of its own and be kept between runs.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from models.cox import CoxModel
from models.pipeline import RiskPipeline
from models.resampling import Resample, StepMemory, collected_warnings
from models.scores import Predictions
from omics.errors import FitError
from omics.parallel import Arrays

Pipelines = Mapping[str, RiskPipeline]


def risk_groups(ranked: NDArray[np.float64], cut_points: NDArray[np.float64]) -> NDArray[np.intp]:
    """Give each patient's risk group, from 0, the lowest risk; -1 without a prediction.

    `ranked` is the linear predictor, or of a stratified model the risk: `Predictions.ranking`.

    Examples
    --------
    >>> risk_groups(np.array([-1.0, 0.5, np.nan]), np.array([0.0])).tolist()
    [0, 1, -1]
    """
    group = np.searchsorted(cut_points, ranked)
    return np.where(np.isnan(ranked), -1, group)


def cut_points(
    pipeline: RiskPipeline,
    X: pd.DataFrame,
    quantiles: tuple[float, ...],
    horizons: tuple[float, ...] = (),
) -> NDArray[np.float64]:
    """Quantiles of the training patients' linear predictor: where risk groups are cut.

    Of a stratified model they are quantiles of the risk by the last horizon. Trees and signatures
    memorise their own patients, so theirs are predicted unseen.
    """
    ranked = pipeline.unseen_ranking(X, horizons=horizons)
    if np.isnan(ranked).all():  # of strata not followed to any horizon
        return np.full(len(quantiles), np.nan)
    return np.asarray(np.nanquantile(ranked, quantiles))


def predictions_of(
    pipeline: RiskPipeline, X: pd.DataFrame, y: NDArray[Any], horizons: tuple[float, ...]
) -> Predictions:
    """Predict for patients whose outcome is known.

    Of a stratified model a patient whose own stratum was not followed to a horizon that another
    stratum was followed to has no prediction at all, so that every figure is of the same patients.
    """
    linear_predictor, risk = pipeline.predict_all(X, horizons=horizons or (None,))
    stratum = None
    if isinstance(pipeline.model, CoxModel) and pipeline.strata is not None:
        followed = np.array(horizons) <= pipeline.model.max_time_
        lacking = np.isnan(risk[:, followed]).any(axis=1)
        linear_predictor[lacking], risk[lacking] = np.nan, np.nan
        stratum = pd.factorize(pipeline.design.labels(X))[0]
    return Predictions(
        y=y, linear_predictor=linear_predictor, risk=risk, horizons=horizons, stratum=stratum
    )


def why_incomparable(p: Predictions, apparent: Predictions) -> str:
    """Say who has no prediction by a resample's fit, of those the fit to all predicts; "" if none.

    A resample may lack a stratum, or those of it who were followed to a horizon: its figures would
    be of other patients than the apparent ones.
    """
    lost = np.isnan(p.linear_predictor) & ~np.isnan(apparent.linear_predictor)
    if not lost.any():
        return ""
    return (
        f"{lost.sum()} of {len(lost)} patients have no prediction, since nobody of their stratum "
        "is in the sample, or followed in it to the horizon, or nobody of their centre, or of "
        "their level of a covariate of harmonisation."
    )


def fit_each(
    pipelines: Pipelines, X: pd.DataFrame, y: NDArray[Any], part: Resample, failed: list[str]
) -> list[RiskPipeline | None]:
    """Fit every pipeline on the training rows of one resample, steps they share only once."""
    X_train, y_train, memory = X.iloc[part.train], y[part.train], StepMemory()
    fits: list[RiskPipeline | None] = []
    for pipeline in pipelines.values():
        try:
            fits.append(clone(pipeline).set_params(memory=memory).fit(X_train, y_train))
            failed.append("")
        except FitError as error:
            fits.append(None)
            failed.append(str(error))
    return fits


def cross_validation_task(
    pipelines: Pipelines,
    X: pd.DataFrame,
    y: NDArray[Any],
    horizons: tuple[float, ...],
    quantiles: tuple[float, ...],
    part: Resample,
) -> Arrays:
    """Fit on the training folds, predict for the held-out one."""
    failed: list[str] = []
    complaints: list[str] = []
    arrays: Arrays = {}
    X_train, X_held_out = X.iloc[part.train], X.iloc[part.held_out]
    with collected_warnings(complaints):
        for position, pipeline in enumerate(fit_each(pipelines, X, y, part, failed)):
            if pipeline is None:
                continue
            p = predictions_of(pipeline, X_held_out, y[part.held_out], horizons)
            cuts = cut_points(pipeline, X_train, quantiles, horizons)
            arrays[f"{position}.linear_predictor"] = p.linear_predictor
            arrays[f"{position}.risk"] = p.risk
            arrays[f"{position}.group"] = risk_groups(p.ranking(), cuts)
            for number, signature in enumerate(pipeline.signatures):
                selected = signature.coef_["feature"].to_numpy(dtype=np.str_)
                arrays[f"{position}.selected.{number}"] = selected
    arrays["failed"] = np.array(failed, dtype=np.str_)
    arrays["warnings"] = np.array(complaints, dtype=np.str_)
    return arrays


SELECTION_COLUMNS = ["model", "signature", "feature", "selected", "resamples", "share", "empty"]


def selection_table(pipelines: Pipelines, results: list[Arrays]) -> pd.DataFrame:
    """Count in how many resamples each feature of each signature was selected."""
    rows: list[tuple[str, str, str, int, int, float, int]] = []
    for position, (model, pipeline) in enumerate(pipelines.items()):
        for number, signature in enumerate(pipeline.signatures):
            key = f"{position}.selected.{number}"
            found = [arrays[key] for arrays in results if key in arrays]
            n, empty = len(found), sum(len(features) == 0 for features in found)
            counts = Counter(str(feature) for features in found for feature in features)
            rows += [
                (model, signature.name, feature, count, n, count / n, empty)
                for feature, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
            ]
    return pd.DataFrame(rows, columns=SELECTION_COLUMNS)


FAILURE_COLUMNS = ["model", "validation", "failed", "resamples", "reason"]


def failure_rows(
    validation: str, names: list[str], results: list[Arrays]
) -> list[tuple[str, str, int, int, str]]:
    """Count the resamples on which a model could not be fitted."""
    rows = []
    for position, name in enumerate(names):
        reasons = [str(arrays["failed"][position]) for arrays in results]
        lost = [reason for reason in reasons if reason]
        rows.append((name, validation, len(lost), len(results), lost[0] if lost else ""))
    return rows
