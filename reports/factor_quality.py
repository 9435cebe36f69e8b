"""How far the factors of a study can be trusted: what to compute, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from models.factor_findings import LEAST_INFORMATION
from models.factor_quality import (
    n_factors_findings,
    stability_findings,
    transductive_findings,
    users_of,
)
from models.information import information_by_cohort, information_by_views
from models.pipeline import RiskPipeline
from models.transductive import TransductiveOptimism, transductive_optimism
from models.validation import Validation
from omics.cohort import Cohort
from omics.errors import Finding, FitError, StudyError
from omics.mofa import FactorModel
from omics.n_factors import HeldOutError, held_out_error
from omics.parallel import Progress, Store
from omics.stability import LEAST_SHARE, LIMIT, FactorStability, factor_stability


@dataclass(frozen=True, kw_only=True)
class FactorChecks:
    """What to find out about the factors, beyond what every report tells.

    Attributes
    ----------
    bootstraps, starts : int
        Refits that tell which factors are stable; both 0 leaves it out.
    limit, least_share : float
        A stable factor comes back with |r| >= `limit` in at least `least_share` of the refits.
    grid : tuple of int
        Numbers of factors to compare by hidden values; empty leaves it out. The study's own number
        stays, whatever comes out.
    folds : int
        Of the hidden values.
    transductive : bool
        True validates every model with factors again, its factors learnt from everybody.
    """

    bootstraps: int = 0
    starts: int = 0
    limit: float = LIMIT
    least_share: float = LEAST_SHARE
    grid: tuple[int, ...] = ()
    folds: int = 5
    transductive: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class FactorQuality:
    """What was found out about the factors.

    Attributes
    ----------
    information : DataFrame
        By cohort and factor; see `models.information.information_by_cohort`.
    information_by_views : DataFrame
        By cohort, the views that patients have, and factor.
    least_information : float
        Below it a patient counts as one with little information: the factor model's own threshold,
        or that of `models.factor_findings`.
    stability : FactorStability or None
    users : mapping of factor to the models that use it
    held_out_error : HeldOutError or None
    transductive : TransductiveOptimism or None
    findings : tuple of Finding
    """

    information: pd.DataFrame
    information_by_views: pd.DataFrame
    least_information: float
    stability: FactorStability | None
    users: Mapping[str, list[str]]
    held_out_error: HeldOutError | None
    transductive: TransductiveOptimism | None
    findings: tuple[Finding, ...]

    def __repr__(self) -> str:
        parts = [self.stability, self.held_out_error, self.transductive]
        return f"FactorQuality({', '.join(repr(one) for one in parts if one is not None)})"


def factor_quality(
    checks: FactorChecks,
    model: FactorModel,
    pipelines: Mapping[str, RiskPipeline],
    validation: Validation,
    cohort: Cohort,
    *,
    store: Store | None = None,
    progress: Progress | None = None,
) -> FactorQuality:
    """Find out what was asked about the factors.

    Parameters
    ----------
    checks : FactorChecks
    model : FactorModel
        Fitted on all development patients.
    pipelines : mapping of name to RiskPipeline
        Not fitted.
    validation : Validation
    cohort : Cohort
    store : Store, optional
        Keeps finished refits and resamples.
    progress : callable(what, done, total), optional

    Returns
    -------
    FactorQuality

    Raises
    ------
    StudyError
        If no refit that a check needs can be fitted.
    """
    fitted = {name: one.pipeline for name, one in validation.fitted.items()}
    users = users_of(fitted, model)
    learnt_by = next(one for one in fitted.values() if one.factor_model is model)
    information = model.information(learnt_by.cleaned(cohort.X))
    seen = learnt_by.cleaned(cohort.development.X)
    declared = model.least_information
    least = LEAST_INFORMATION if declared is None else declared
    try:
        stability = _stability(checks, model, validation, seen, store, progress)
        error = _held_out_error(checks, model, validation, seen, store, progress)
        optimism = None
        if checks.transductive:
            optimism = transductive_optimism(
                pipelines, validation, cohort, store=store, progress=progress
            )
    except FitError as failure:
        raise StudyError(f"[factors] {failure}") from failure
    found: list[Finding] = []
    if stability is not None:
        found += stability_findings(stability, users)
    if error is not None:
        found += n_factors_findings(error, declared=model.n_factors)
    if optimism is not None:
        found += transductive_findings(optimism)
    return FactorQuality(
        information=information_by_cohort(information, cohort, least=least),
        information_by_views=information_by_views(information, cohort, model),
        least_information=least,
        stability=stability,
        users=users,
        held_out_error=error,
        transductive=optimism,
        findings=tuple(found),
    )


def _stability(
    checks: FactorChecks,
    model: FactorModel,
    validation: Validation,
    X: pd.DataFrame,
    store: Store | None,
    progress: Progress | None,
) -> FactorStability | None:
    if not checks.bootstraps + checks.starts:
        return None
    return factor_stability(
        model,
        X,
        bootstraps=checks.bootstraps,
        starts=checks.starts,
        seed=validation.plan.seed,
        limit=checks.limit,
        least_share=checks.least_share,
        n_jobs=validation.plan.n_jobs,
        store=store,
        progress=progress,
    )


def _held_out_error(
    checks: FactorChecks,
    model: FactorModel,
    validation: Validation,
    X: pd.DataFrame,
    store: Store | None,
    progress: Progress | None,
) -> HeldOutError | None:
    if not checks.grid:
        return None
    return held_out_error(
        model,
        X,
        grid=checks.grid,
        folds=checks.folds,
        seed=validation.plan.seed,
        n_jobs=validation.plan.n_jobs,
        store=store,
        progress=progress,
    )
