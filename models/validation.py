"""How well each model predicts, in patients it has not seen.

`validate` fits every pipeline on all development patients, and estimates its performance
(METHODS in the report): repeated k-fold cross-validation for every pipeline; the optimism bootstrap
for prespecified Cox and logistic models with few columns only, because on a pipeline that selects,
learns factors or can memorise the bootstrap's optimism is far too small; and each external cohort
through the frozen pipelines.

References
----------
Harrell FE, Lee KL, Mark DB. Multivariable prognostic models. Statistics in Medicine
1996;15:361-387. doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from models.gaps import COMPLETE_CASES, complete_case_pipelines
from models.pipeline import RiskPipeline
from models.resampling import (
    Arrays,
    Progress,
    Resample,
    StepMemory,
    Store,
    bootstrap,
    collected_warnings,
    repeated_k_fold,
    run_resamples,
)
from models.scores import Predictions, all_scores
from omics.cohort import Cohort
from omics.errors import FitError
from omics.outcome import Outcome, is_survival

Pipelines = Mapping[str, RiskPipeline]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How to validate.

    Attributes
    ----------
    folds, repeats : int
        Of the cross-validation.
    bootstrap : int
        Resamples of the optimism bootstrap; 0 leaves it out.
    draws : int
        Bootstrap draws of the evaluated patients, for intervals.
    quantiles : tuple of float
        Of the development linear predictor, at which risk groups are cut; (0.5,) is the median.
    level : float
        Of the intervals.
    seed : int
    n_jobs : int
        Processes; -1 takes every core.
    """

    folds: int = 5
    repeats: int = 20
    bootstrap: int = 200
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
        Of the linear predictor; a patient at or below the first is in group 0, the lowest risk.
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
    optimism : mapping of model to a pair (train, test) of lists of Scores
        Of the prespecified models; empty where the bootstrap was left out.
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
    optimism: Mapping[str, tuple[list[Any], list[Any]]]
    selection: pd.DataFrame
    failures: pd.DataFrame
    warnings: tuple[str, ...]
    plan: Plan
    n_patients: int
    n_events: int
    outcome: Outcome
    y: NDArray[Any] = field(repr=False)
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
    fit = partial(_fit_on_all, X=X, y=y, plan=plan, memory=memory)
    with collected_warnings(complaints):
        fitted = {name: fit(name, pipeline) for name, pipeline in pipelines.items()}
        apparent = {name: _predictions(f.pipeline, X, y, horizons) for name, f in fitted.items()}
        external = _external(fitted, cohort)
    beside, unfitted = _fit_beside(complete_case_pipelines(pipelines, cohort), fit)
    if progress is not None:
        progress("models", 1, 1)

    parts = repeated_k_fold(event, folds=plan.folds, repeats=plan.repeats, seed=plan.seed)
    names = [*pipelines, *(_unlike(f"{name}, {COMPLETE_CASES}", pipelines) for name in beside)]
    asked = [*pipelines.values(), *(clone(f.pipeline) for f in beside.values())]
    together = dict(zip(names, asked, strict=True))
    task = partial(_cross_validation_task, together, X, y, horizons, plan.quantiles)
    run = partial(run_resamples, n_jobs=plan.n_jobs, store=store, progress=progress)
    held_out = run(task, parts, what="cross-validation")
    all_failures = _failures("cross_validated", names, held_out)
    failures = all_failures[: len(pipelines)]
    assembled = list(_assemble(names, parts, held_out, len(y), max(len(horizons), 1)).values())
    out_of_fold = dict(zip(pipelines, assembled, strict=False))

    prespecified = {
        name: p
        for name, p in pipelines.items()
        if fitted[name].pipeline.bootstrap_is_valid(apparent[name].known().y)
    }
    optimism: dict[str, tuple[list[Any], list[Any]]] = {}
    scored: list[Arrays] = []
    if plan.bootstrap and prespecified:
        draws = bootstrap(len(y), resamples=plan.bootstrap, seed=plan.seed + 1)
        task = partial(_optimism_task, prespecified, X, y, horizons)
        scored = run(task, draws, what="optimism bootstrap")
        failures += _failures("optimism_corrected", list(prespecified), scored)
        optimism = {
            name: _optimism_scores(position, apparent[name], scored)
            for position, name in enumerate(prespecified)
        }
    for arrays in (*held_out, *scored):
        complaints += [str(text) for text in arrays["warnings"] if str(text) not in complaints]
    whole = Validation(
        fitted=fitted,
        out_of_fold=out_of_fold,
        apparent=apparent,
        external=external,
        optimism=optimism,
        selection=_selection(pipelines, held_out),
        failures=pd.DataFrame(failures, columns=_FAILURE_COLUMNS),
        warnings=tuple(complaints),
        plan=plan,
        n_patients=len(y),
        n_events=int(event.sum()),
        outcome=cohort.outcome,
        y=y,
    )
    if not (beside or unfitted):
        return whole
    seen = {
        name: found
        for name, found in zip(beside, assembled[len(pipelines) :], strict=True)
        if not np.isnan(found.linear_predictor).all()
    }
    kept = {name: beside[name] for name in seen}
    rows = [
        (name, *row[1:]) for name, row in zip(beside, all_failures[len(pipelines) :], strict=True)
    ]
    rows += [(name, "fit", 1, 1, reason) for name, reason in unfitted.items()]
    return replace(
        whole,
        complete_case=replace(
            whole,
            fitted=kept,
            out_of_fold=seen,
            apparent={name: _predictions(f.pipeline, X, y, horizons) for name, f in kept.items()},
            external=_external(kept, cohort),
            optimism={},
            failures=pd.DataFrame(rows, columns=_FAILURE_COLUMNS),
            warnings=(),
        ),
    )


def _external(fitted: Mapping[str, Fitted], cohort: Cohort) -> dict[str, dict[str, Predictions]]:
    """Predict for the external cohorts, by the frozen pipelines."""
    return {
        label: {
            name: _predictions(f.pipeline, other.X, other.y, cohort.outcome.horizons)
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
    plan: Plan,
    memory: StepMemory,
) -> Fitted:
    try:
        fitted = clone(pipeline).set_params(memory=memory).fit(X, y).set_params(memory=None)
    except ValueError as error:  # a FitError, or a column that the design refuses
        raise FitError(
            f"model {name!r} cannot be fitted on the development patients: {error}"
        ) from error
    return Fitted(pipeline=fitted, cut_points=_cut_points(fitted, X, plan.quantiles))


def _cut_points(
    pipeline: RiskPipeline, X: pd.DataFrame, quantiles: tuple[float, ...]
) -> NDArray[np.float64]:
    """Quantiles of the training patients' linear predictor: where risk groups are cut.

    Trees and signatures memorise their own patients, so theirs are predicted unseen.
    """
    return np.nanquantile(pipeline.unseen_linear_predictor(X), quantiles)


def risk_groups(
    linear_predictor: NDArray[np.float64], cut_points: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Give each patient's risk group, from 0, the lowest risk; -1 without a prediction.

    Examples
    --------
    >>> risk_groups(np.array([-1.0, 0.5, np.nan]), np.array([0.0])).tolist()
    [0, 1, -1]
    """
    group = np.searchsorted(cut_points, linear_predictor)
    return np.where(np.isnan(linear_predictor), -1, group)


def _predictions(
    pipeline: RiskPipeline, X: pd.DataFrame, y: NDArray[Any], horizons: tuple[float, ...]
) -> Predictions:
    linear_predictor, risk = pipeline.predict_all(X, horizons=horizons or (None,))
    return Predictions(y=y, linear_predictor=linear_predictor, risk=risk, horizons=horizons)


def _fit_each(
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


def _cross_validation_task(
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
        for position, pipeline in enumerate(_fit_each(pipelines, X, y, part, failed)):
            if pipeline is None:
                continue
            linear_predictor, risk = pipeline.predict_all(X_held_out, horizons=horizons or (None,))
            cuts = _cut_points(pipeline, X_train, quantiles)
            arrays[f"{position}.linear_predictor"] = linear_predictor
            arrays[f"{position}.risk"] = risk
            arrays[f"{position}.group"] = risk_groups(linear_predictor, cuts)
            for number, signature in enumerate(pipeline.signatures):
                selected = signature.coef_["feature"].to_numpy(dtype=np.str_)
                arrays[f"{position}.selected.{number}"] = selected
    arrays["failed"] = np.array(failed, dtype=np.str_)
    arrays["warnings"] = np.array(complaints, dtype=np.str_)
    return arrays


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


def _optimism_task(
    pipelines: Pipelines,
    X: pd.DataFrame,
    y: NDArray[Any],
    horizons: tuple[float, ...],
    part: Resample,
) -> Arrays:
    """Fit on a bootstrap sample; score it there and on the original patients."""
    failed: list[str] = []
    complaints: list[str] = []
    arrays: Arrays = {}
    with collected_warnings(complaints):
        for position, pipeline in enumerate(_fit_each(pipelines, X, y, part, failed)):
            if pipeline is None:
                continue
            original = _predictions(pipeline, X, y, horizons)
            resampled = original.take(part.train)
            arrays[f"{position}.train"] = np.array(list(all_scores(resampled.known()).values()))
            arrays[f"{position}.test"] = np.array(list(all_scores(original.known()).values()))
    arrays["failed"] = np.array(failed, dtype=np.str_)
    arrays["warnings"] = np.array(complaints, dtype=np.str_)
    return arrays


def _optimism_scores(
    position: int, apparent: Predictions, results: list[Arrays]
) -> tuple[list[Any], list[Any]]:
    keys = list(all_scores(apparent.known()))
    fitted = [arrays for arrays in results if f"{position}.train" in arrays]
    train = [dict(zip(keys, arrays[f"{position}.train"], strict=True)) for arrays in fitted]
    test = [dict(zip(keys, arrays[f"{position}.test"], strict=True)) for arrays in fitted]
    return train, test


_SELECTION_COLUMNS = ["model", "signature", "feature", "selected", "resamples", "share", "empty"]


def _selection(pipelines: Pipelines, results: list[Arrays]) -> pd.DataFrame:
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
    return pd.DataFrame(rows, columns=_SELECTION_COLUMNS)


_FAILURE_COLUMNS = ["model", "validation", "failed", "resamples", "reason"]


def _failures(
    validation: str, names: list[str], results: list[Arrays]
) -> list[tuple[str, str, int, int, str]]:
    """Count the resamples on which a model could not be fitted."""
    rows = []
    for position, name in enumerate(names):
        reasons = [str(arrays["failed"][position]) for arrays in results]
        lost = [reason for reason in reasons if reason]
        rows.append((name, validation, len(lost), len(results), lost[0] if lost else ""))
    return rows
