"""How well each model predicts, in patients it has not seen.

`validate` fits every pipeline on all development patients, and estimates its performance
(METHODS in the report): repeated k-fold cross-validation for every pipeline; the optimism bootstrap
for prespecified Cox and logistic models with few columns only, because on a pipeline that selects,
learns factors or can memorise the bootstrap's optimism is far too small; .632+, for every pipeline,
if it is asked for; and each external cohort through the frozen pipelines.

References
----------
Harrell FE, Lee KL, Mark DB. Multivariable prognostic models. Statistics in Medicine
1996;15:361-387. doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from models.bootstrap_refits import OptimismDraws, optimism_draws, optimism_task
from models.gaps import COMPLETE_CASES, complete_case_pipelines
from models.left_out import LeftOut, left_out_scores, left_out_task, left_out_weights
from models.one_resample import (
    FAILURE_COLUMNS,
    Pipelines,
    cross_validation_task,
    cut_points,
    failure_rows,
    predictions_of,
    selection_table,
)
from models.pipeline import RiskPipeline
from models.resampling import (
    Resample,
    StepMemory,
    bootstrap,
    collected_warnings,
    left_out_bootstrap,
    repeated_k_fold,
    run_resamples,
)
from models.scores import Predictions
from omics.cohort import Cohort
from omics.errors import FitError
from omics.outcome import Outcome, is_survival
from omics.parallel import Arrays, Progress, Store


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to validate.

    Attributes
    ----------
    folds, repeats : int
        Of the cross-validation.
    bootstrap : int
        Resamples of the optimism bootstrap; 0 leaves it out.
    bootstrap_632 : int
        Resamples of .632+, for every pipeline; 0 leaves it out.
    draws : int
        Bootstrap draws of the evaluated patients, for intervals.
    quantiles : tuple of float
        Of the development linear predictor (risk by the last horizon of a stratified model), at
        which risk groups are cut; (0.5,) is the median.
    level : float
        Of the intervals.
    seed : int
    n_jobs : int
        Processes; -1 takes every core.
    """

    folds: int = 5
    repeats: int = 20
    bootstrap: int = 200
    bootstrap_632: int = 0
    draws: int = 200
    quantiles: tuple[float, ...] = (0.5,)
    level: float = 0.95
    seed: int = 0
    n_jobs: int = 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Fitted:
    """A pipeline fitted on all development patients, and where it cuts risk groups.

    Attributes
    ----------
    pipeline : RiskPipeline
    cut_points : ndarray
        Of the linear predictor, or of a stratified model of the risk by the last horizon; a
        patient at or below the first is in group 0, the lowest risk.
    """

    pipeline: RiskPipeline
    cut_points: NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class OutOfFold:
    """Predictions for patients whom the fit had not seen, of one model.

    Attributes
    ----------
    linear_predictor : ndarray of shape (n_repeats, n_patients)
        NaN where the fit failed, or a predictor that the model needs is missing.
    risk : ndarray of shape (n_repeats, n_patients, n_horizons)
    group, fold : ndarray of int, shape (n_repeats, n_patients)
        Risk group by the training patients' cut points (-1 without a prediction), and fold from 0.
    """

    linear_predictor: NDArray[np.float64]
    risk: NDArray[np.float64]
    group: NDArray[np.intp]
    fold: NDArray[np.intp]

    def take(self, positions: NDArray[np.intp]) -> "OutOfFold":
        """Give the same for the patients at `positions`."""
        return OutOfFold(
            linear_predictor=self.linear_predictor[:, positions],
            risk=self.risk[:, positions],
            group=self.group[:, positions],
            fold=self.fold[:, positions],
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Validation:
    """Everything learned about how well each model predicts.

    Attributes
    ----------
    fitted : mapping of model to Fitted
        On all development patients.
    out_of_fold : mapping of model to OutOfFold
    apparent : mapping of model to Predictions
        For the patients it was fitted on.
    external : mapping of cohort to mapping of model to Predictions
    optimism : mapping of model to OptimismDraws
        Of the prespecified models; empty where the bootstrap was left out.
    left_out : mapping of model to LeftOut
        For .632+; empty where it was not asked for.
    selection : DataFrame
        How often each feature of a signature was selected: `model`, `signature`, `feature`,
        `selected` (resamples), `resamples` (of the cross-validation, those that could be fitted),
        `share` of them, and `empty`, those in which the signature selected nothing; the most
        frequent first. Features never selected are left out.
    failures : DataFrame
        Columns `model`, `validation`, `failed`, `resamples`, `reason` (the first).
    warnings : tuple of str
        What fits complained of, once each.
    plan : Plan
    n_patients, n_events : int
        Development patients and events.
    outcome : Outcome
    y : ndarray of shape (n_patients,)
        Of the development patients.
    complete_case : Validation or None
        The same models on complete cases, of those that fill gaps and met some (without bootstrap);
        a model that could not be fitted stands in its `failures` alone.
    """

    fitted: Mapping[str, Fitted]
    out_of_fold: Mapping[str, OutOfFold]
    apparent: Mapping[str, Predictions]
    external: Mapping[str, Mapping[str, Predictions]]
    optimism: Mapping[str, OptimismDraws]
    selection: pd.DataFrame
    failures: pd.DataFrame
    warnings: tuple[str, ...]
    plan: Plan
    n_patients: int
    n_events: int
    outcome: Outcome
    y: NDArray[Any] = field(repr=False)
    left_out: Mapping[str, LeftOut] = field(default_factory=dict)
    complete_case: "Validation | None" = None

    def __repr__(self) -> str:
        return (
            f"Validation({len(self.fitted)} models, {self.n_patients} patients, {self.n_events} "
            f"events, {self.plan.repeats} x {self.plan.folds}-fold, "
            f"{len(self.external)} external cohorts)"
        )


def validate(
    pipelines: Pipelines,
    cohort: Cohort,
    *,
    plan: Plan,
    store: Store | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Fit each pipeline on the development patients and predict for patients it has not seen.

    Everything a pipeline learns, it learns again in every resample.

    Parameters
    ----------
    pipelines : mapping of name to RiskPipeline
        Not fitted, and left as they are.
    cohort : Cohort
        Its development patients train; its external cohorts, if any, are scored once at the end.
    plan : Plan
    store : Store, optional
        Keeps finished resamples, so that an interrupted call goes on where it stopped.
    progress : callable(what, done, total), optional

    Returns
    -------
    Validation

    Raises
    ------
    FitError
        If a pipeline cannot be fitted on all development patients.
    ValueError
        If a fold would be left without events.
    """
    development = cohort.development
    X, y, horizons = development.X, development.y, cohort.outcome.horizons
    event = y["event"] if is_survival(y) else y
    complaints: list[str] = []
    memory = StepMemory()
    if progress is not None:
        progress("models", 0, 1)
    fit = partial(_fit_on_all, X=X, y=y, horizons=horizons, plan=plan, memory=memory)
    with collected_warnings(complaints):
        fitted = {name: fit(name, pipeline) for name, pipeline in pipelines.items()}
        apparent = {name: predictions_of(f.pipeline, X, y, horizons) for name, f in fitted.items()}
        external = _external(fitted, cohort)
    beside, unfitted = _fit_beside(complete_case_pipelines(pipelines, cohort), fit)
    if progress is not None:
        progress("models", 1, 1)

    parts = repeated_k_fold(event, folds=plan.folds, repeats=plan.repeats, seed=plan.seed)
    together = _with_beside(pipelines, beside)
    names = list(together)
    task = partial(cross_validation_task, together, X, y, horizons, plan.quantiles)
    run = partial(run_resamples, n_jobs=plan.n_jobs, store=store, progress=progress)
    held_out = run(task, parts, what="cross-validation")
    failed = failure_rows("cross_validated", names, held_out)
    assembled = list(_assemble(names, parts, held_out, len(y), max(len(horizons), 1)).values())

    by_bootstrap = _Bootstraps(X=X, y=y, horizons=horizons, plan=plan, run=run)
    optimism, of_optimism = by_bootstrap.optimism(pipelines, fitted, apparent)
    left_out, of_left_out = by_bootstrap.left_out(pipelines, apparent)
    failures = failed[: len(pipelines)]
    failures += failure_rows("optimism_corrected", list(optimism), of_optimism)
    failures += failure_rows("bootstrap_632_plus", list(left_out), of_left_out)
    for arrays in (*held_out, *of_optimism, *of_left_out):
        complaints += [str(text) for text in arrays["warnings"] if str(text) not in complaints]
    whole = Validation(
        fitted=fitted,
        out_of_fold=dict(zip(pipelines, assembled, strict=False)),
        apparent=apparent,
        external=external,
        optimism=optimism,
        left_out=left_out,
        selection=selection_table(pipelines, held_out),
        failures=pd.DataFrame(failures, columns=FAILURE_COLUMNS),
        warnings=tuple(complaints),
        plan=plan,
        n_patients=len(y),
        n_events=int(event.sum()),
        outcome=cohort.outcome,
        y=y,
    )
    if not (beside or unfitted):
        return whole
    lost = [(name, *row[1:]) for name, row in zip(beside, failed[len(pipelines) :], strict=True)]
    lost += [(name, "fit", 1, 1, reason) for name, reason in unfitted.items()]
    held_out_beside = dict(zip(beside, assembled[len(pipelines) :], strict=True))
    return replace(
        whole, complete_case=_complete_case(whole, cohort, beside, held_out_beside, lost)
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Bootstraps:
    """Runs the two bootstraps on the development patients; each gives its figures and arrays."""

    X: pd.DataFrame
    y: NDArray[Any]
    horizons: tuple[float, ...]
    plan: Plan
    run: Callable[..., list[Arrays]]

    def optimism(
        self,
        pipelines: Pipelines,
        fitted: Mapping[str, Fitted],
        apparent: Mapping[str, Predictions],
    ) -> tuple[dict[str, OptimismDraws], list[Arrays]]:
        """Of the models for which it may be trusted."""
        chosen = {
            name: p
            for name, p in pipelines.items()
            if fitted[name].pipeline.bootstrap_is_valid(apparent[name].known().y)
        }
        if not (self.plan.bootstrap and chosen):
            return {}, []
        own = {name: apparent[name] for name in chosen}
        task = partial(optimism_task, chosen, self.X, self.y, self.horizons, own)
        parts = bootstrap(len(self.y), resamples=self.plan.bootstrap, seed=self.plan.seed + 1)
        found = self.run(task, parts, what="optimism bootstrap")
        draws = {
            name: optimism_draws(k, fitted[name].pipeline, own[name], found)
            for k, name in enumerate(chosen)
        }
        return draws, found

    def left_out(
        self, pipelines: Pipelines, apparent: Mapping[str, Predictions]
    ) -> tuple[dict[str, LeftOut], list[Arrays]]:
        """Of every model."""
        resamples = self.plan.bootstrap_632
        if not resamples:
            return {}, []
        parts = left_out_bootstrap(len(self.y), resamples=resamples, seed=self.plan.seed + 2)
        weights = left_out_weights(parts, len(self.y))
        task = partial(left_out_task, pipelines, self.X, self.y, self.horizons, apparent)
        found = self.run(task, parts, what=".632+ bootstrap")
        scores = {
            name: left_out_scores(k, apparent[name], weights, found)
            for k, name in enumerate(pipelines)
        }
        return scores, found


def _complete_case(
    whole: Validation,
    cohort: Cohort,
    fitted: Mapping[str, Fitted],
    held_out: Mapping[str, OutOfFold],
    failures: list[tuple[str, str, int, int, str]],
) -> Validation:
    """Put together the validation of the models on complete cases."""
    seen = {k: one for k, one in held_out.items() if not np.isnan(one.linear_predictor).all()}
    kept = {name: fitted[name] for name in seen}
    X, horizons = cohort.development.X, cohort.outcome.horizons
    return replace(
        whole,
        fitted=kept,
        out_of_fold=seen,
        apparent={
            name: predictions_of(f.pipeline, X, whole.y, horizons) for name, f in kept.items()
        },
        external=_external(kept, cohort),
        optimism={},
        left_out={},
        failures=pd.DataFrame(failures, columns=FAILURE_COLUMNS),
        warnings=(),
    )


def _external(fitted: Mapping[str, Fitted], cohort: Cohort) -> dict[str, dict[str, Predictions]]:
    """Predict for the external cohorts, by the frozen pipelines."""
    return {
        label: {
            name: predictions_of(f.pipeline, other.X, other.y, cohort.outcome.horizons)
            for name, f in fitted.items()
        }
        for label, other in cohort.external.items()
    }


def _fit_beside(
    pipelines: Pipelines, fit: Callable[[str, RiskPipeline], Fitted]
) -> tuple[dict[str, Fitted], dict[str, str]]:
    """Fit the models of complete cases; give those that could be, and why others could not."""
    fitted: dict[str, Fitted] = {}
    unfitted: dict[str, str] = {}
    for name, pipeline in pipelines.items():
        try:
            with collected_warnings([]):
                fitted[name] = fit(name, pipeline)
        except FitError as error:
            unfitted[name] = str(error)
    return fitted, unfitted


def _with_beside(pipelines: Pipelines, beside: Mapping[str, Fitted]) -> Pipelines:
    """Add the models of complete cases, not fitted, under names that no model bears."""
    names = [_unlike(f"{name}, {COMPLETE_CASES}", pipelines) for name in beside]
    added = (clone(one.pipeline) for one in beside.values())
    return {**pipelines, **dict(zip(names, added, strict=True))}


def _unlike(name: str, taken: Iterable[str]) -> str:
    """Give a name that no model bears."""
    used = set(taken)
    while name in used:
        name += "*"
    return name


def _fit_on_all(
    name: str,
    pipeline: RiskPipeline,
    X: pd.DataFrame,
    y: NDArray[Any],
    horizons: tuple[float, ...],
    plan: Plan,
    memory: StepMemory,
) -> Fitted:
    try:
        fitted = clone(pipeline).set_params(memory=memory).fit(X, y).set_params(memory=None)
    except ValueError as error:  # a FitError, or a column that the design refuses
        raise FitError(
            f"model {name!r} cannot be fitted on the development patients: {error}"
        ) from error
    return Fitted(pipeline=fitted, cut_points=cut_points(fitted, X, plan.quantiles, horizons))


def _assemble(
    names: list[str], parts: list[Resample], results: list[Arrays], n_patients: int, n_horizons: int
) -> dict[str, OutOfFold]:
    """Put the held-out pieces back in the order of patients."""
    repeats = 1 + max(part.repeat for part in parts)
    assembled = {}
    for position, name in enumerate(names):
        made = OutOfFold(
            linear_predictor=np.full((repeats, n_patients), np.nan),
            risk=np.full((repeats, n_patients, n_horizons), np.nan),
            group=np.full((repeats, n_patients), -1, dtype=np.intp),
            fold=np.full((repeats, n_patients), -1, dtype=np.intp),
        )
        for part, arrays in zip(parts, results, strict=True):
            made.fold[part.repeat, part.held_out] = part.fold
            if f"{position}.risk" in arrays:
                where = (part.repeat, part.held_out)
                made.linear_predictor[where] = arrays[f"{position}.linear_predictor"]
                made.risk[where] = arrays[f"{position}.risk"]
                made.group[where] = arrays[f"{position}.group"]
        assembled[name] = made
    return assembled
