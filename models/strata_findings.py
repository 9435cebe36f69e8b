"""What a reader must know of a stratified model: thin strata, and patients it cannot predict."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.cox import CoxModel
from models.pipeline import RiskPipeline
from models.scores import Predictions
from models.validation import OutOfFold, Validation
from omics.cohort import DEVELOPMENT, Cohort
from omics.errors import Finding
from omics.messages import some_of

EVENTS_PER_STRATUM = 10


def strata_findings(name: str, validation: Validation, cohort: Cohort) -> Iterator[Finding]:
    """Say where the strata of one model leave it without a baseline hazard, or with a thin one.

    Parameters
    ----------
    name : str
        Of the model.
    validation : Validation
    cohort : Cohort
        The one that was validated on.

    Yields
    ------
    Finding
        `few_events_in_stratum` (fewer than `EVENTS_PER_STRATUM`), `stratum_not_predicted` (patients
        of a cohort whose stratum the fit lacks, or did not follow to the last horizon) and
        `stratum_not_in_training` (likewise in the cross-validation). Nothing without strata.
    """
    pipeline = validation.fitted[name].pipeline
    if pipeline.strata is None:
        return
    yield from _few_events(name, pipeline, cohort.development)
    yield from _no_prediction(
        name, pipeline, DEVELOPMENT, cohort.development, validation.apparent[name]
    )
    for label, models in validation.external.items():
        yield from _no_prediction(name, pipeline, label, cohort.external[label], models[name])
    yield from _not_in_training(name, validation.apparent[name], validation.out_of_fold[name])


def _few_events(name: str, pipeline: RiskPipeline, development: Cohort) -> Iterator[Finding]:
    known = pipeline.complete(development.X)
    labels = pipeline.design.labels(development.X)[known]
    counts = pd.Series(development.y["event"][known]).groupby(labels.to_numpy()).sum()
    few = counts[counts < EVENTS_PER_STRATUM]
    if len(few):
        shown = some_of(f"{label} ({count:.0f})" for label, count in few.items())
        yield Finding(
            code="few_events_in_stratum",
            severity="caution" if few.min() else "serious",
            where=name,
            message=f"{len(few)} of {len(counts)} strata by {pipeline.strata} have fewer than "
            f"{EVENTS_PER_STRATUM} events: {shown}. A stratum's baseline hazard rests on its own "
            "events, and every risk in it on that; without any, the risk is 0. Join strata, or "
            "make the column a predictor.",
        )


def _no_prediction(
    name: str, pipeline: RiskPipeline, label: str, part: Cohort, p: Predictions
) -> Iterator[Finding]:
    has_predictors = pipeline.design.complete(pipeline.before_design(part.X))
    lost = has_predictors & np.isnan(p.linear_predictor)
    if not lost.any() or not isinstance(pipeline.model, CoxModel):
        return
    of = pipeline.design.labels(part.X)[lost]
    unseen = sorted(set(of) - set(pipeline.model.strata_))
    short = sorted(set(of) & set(pipeline.model.strata_))
    reasons = [
        *([f"{some_of(unseen)}, which the development patients lack"] if unseen else []),
        *([f"{some_of(short)}, not followed as long as other strata"] if short else []),
    ]
    lacking = part.take(lost)
    yield Finding(
        code="stratum_not_predicted",
        severity="serious" if 2 * lacking.n_patients > part.n_patients else "caution",
        where=name,
        message=f"In {label}, {lacking.n_patients} of {part.n_patients} patients "
        f"({lacking.n_events} of {part.n_events} events) have no prediction by every horizon, for "
        f"their stratum by {pipeline.strata}: {'; '.join(reasons)}. Every figure is of the others.",
    )


def _not_in_training(name: str, apparent: Predictions, held_out: OutOfFold) -> Iterator[Finding]:
    """Count held-out predictions that are absent though the fit of their fold is there."""
    possible = ~np.isnan(apparent.linear_predictor)
    lost = total = 0
    for predicted, fold in zip(~np.isnan(held_out.linear_predictor), held_out.fold, strict=True):
        asked = possible & _fitted(predicted, fold)
        lost, total = lost + int((asked & ~predicted).sum()), total + int(asked.sum())
    if lost:
        yield Finding(
            code="stratum_not_in_training",
            severity="caution",
            where=name,
            message=f"In the cross-validation {lost} of {total} predictions "
            f"({100 * lost / total:.2g} %) could not be made: the training patients lacked the "
            "patient's stratum, or did not follow it as long as others. Its figures are of the "
            "other predictions.",
        )


def _fitted(predicted: NDArray[np.bool_], fold: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell whose fold has a fit: one that predicts somebody."""
    return np.isin(fold, np.unique(fold[predicted]))
