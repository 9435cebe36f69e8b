"""From pipelines and a cohort to everything a report shows: fit, validate, describe. Draws nothing.

The study file and a notebook meet here: `nomomics run` calls `analyse` as a reader would by hand.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version

from models.assumptions import assumption_findings
from models.classified import ClassifiedModels, classified_models
from models.competing_description import competing_description
from models.description import TableOne, TableOneAsked, table_one
from models.external_tests import external_figures
from models.findings import model_findings, ordered
from models.gaps import predictor_gaps
from models.grouped_calibration import grouped_calibration
from models.harmonisation import harmonisation_findings, study_harmonisation
from models.hosmer_lemeshow import hosmer_lemeshow_tests
from models.moment import moment_findings
from models.performance import Performance, performance
from models.pipeline import RiskPipeline
from models.repeatability import repeatability_findings, study_repeatability
from models.resampling import collected_warnings
from models.roc_curves import roc_curves
from models.signature_summary import signature_summaries
from models.subgroups import Subgroups, subgroups
from models.survival_description import study_survival
from models.validation import Plan, Validation, validate
from models.volume import volume_feature, volume_findings
from models.volume_surrogates import cohort_surrogates, surrogate_findings
from omics.cohort import Cohort
from omics.errors import Finding, FitError, StudyError
from omics.parallel import Progress, Store
from omics.quality import findings as quality_findings
from omics.quality import missing_table
from reports.about import About
from reports.added_value import AddedValueResults, added_value, with_volume
from reports.asked import check_asked, check_table_one, described_columns, models_with_nomogram
from reports.factor_quality import factor_quality
from reports.factor_results import as_factors_see, factor_model_findings, factor_results
from reports.model_results import (
    coefficients_of,
    examined_assumptions,
    nomograms_of,
    regressions_of,
    updates,
)
from reports.results import Results

PACKAGES = (
    *("nomomics", "numpy", "scipy", "pandas", "scikit-learn", "lifelines", "xgboost", "mofapy2"),
    *("statsmodels", "plotly", "joblib"),
)


def analyse(
    pipelines: Mapping[str, RiskPipeline],
    cohort: Cohort,
    *,
    plan: Plan,
    about: About,
    store: Store | None = None,
    progress: Progress | None = None,
) -> Results:
    """Fit, validate and describe.

    Parameters
    ----------
    pipelines : mapping of name to RiskPipeline
        Not fitted, and left as they are.
    cohort : Cohort
    plan : Plan
        The numbers do not depend on its `n_jobs`.
    about : About
    store : Store, optional
        Keeps finished resamples, for a run that is interrupted and called again.
    progress : callable(what, done, total), optional

    Returns
    -------
    Results

    Raises
    ------
    StudyError
        If a model cannot be fitted or reads what is known too late, or a column or model named in
        `about` does not exist.
    """
    described = _table_one(cohort, about.table_one)
    charted = models_with_nomogram(pipelines, about.nomograms)
    volume = None if about.added_value is None else volume_feature(cohort)
    pipelines = with_volume(pipelines, cohort, volume)
    check_asked(about, pipelines, cohort)
    validation, figures = _validated(
        pipelines, cohort, plan=plan, about=about, store=store, progress=progress
    )
    added = _added_value(about, validation, cohort, volume, progress)
    groups = _subgroups(about, validation, cohort, progress)
    updated, not_updated = updates(about, validation, cohort)
    complaints: list[str] = []
    with collected_warnings(complaints):
        nomograms, without = nomograms_of(charted, validation, cohort, about.nomogram_ticks)
        examined = examined_assumptions(validation, cohort) if about.assumptions else {}
        seen = as_factors_see(cohort, validation)
        factors, untested = factor_results(seen, validation, about)
        quality = None
        if factors is not None:
            quality = factor_quality(
                about.factor_checks,
                factors.model,
                pipelines,
                validation,
                cohort,
                store=store,
                progress=progress,
            )
    results = Results(
        about=about,
        cohort=cohort,
        validation=validation,
        performance=figures,
        coefficients=coefficients_of(validation),
        nomograms=nomograms,
        regressions=regressions_of(validation, cohort),
        grouped_calibration=grouped_calibration(validation, groups=about.calibration_groups)
        if about.calibration_groups
        else None,
        hosmer_lemeshow=hosmer_lemeshow_tests(validation) if about.hosmer_lemeshow else None,
        factors=factors,
        signatures=signature_summaries(validation, cohort),
        table_one=described,
        missing=missing_table(cohort),
        predictor_gaps=predictor_gaps(pipelines, cohort),
        findings=[*cohort.findings, *quality_findings(cohort), *without, *untested, *not_updated],
        versions={package: version(package) for package in PACKAGES},
        added_value=added,
        classified=_classified(about, validation, progress),
        external=external_figures(validation) if validation.external else None,
        roc=roc_curves(validation),
        updating=updated,
        subgroups=groups,
        survival=study_survival(validation, cohort),
        competing=competing_description(validation, cohort),
        factor_quality=quality,
        assumptions=examined,
        repeatability=study_repeatability(pipelines, cohort, plan=plan),
        harmonisation=study_harmonisation(validation, cohort),
        volume_surrogates=cohort_surrogates(cohort, level=plan.level),
    )
    found = [*results.findings, *_findings(results, pipelines, seen)]
    found += [
        Finding(code="warning", severity="caution", where="report", message=text)
        for text in complaints
    ]
    return replace(results, findings=ordered(found))


def _validated(
    pipelines: Mapping[str, RiskPipeline],
    cohort: Cohort,
    *,
    plan: Plan,
    about: About,
    store: Store | None,
    progress: Progress | None,
) -> tuple[Validation, Performance]:
    """Refit every model in every resample; a model that cannot be fitted is the study's mistake."""
    try:
        validation = validate(pipelines, cohort, plan=plan, store=store, progress=progress)
    except (FitError, ValueError) as error:
        raise StudyError(str(error)) from error
    try:
        return validation, performance(
            validation,
            thresholds=thresholds(*about.thresholds),
            setting=about.setting,
            progress=progress,
        )
    except FitError as error:
        raise StudyError(str(error)) from error


def _findings(
    results: Results, pipelines: Mapping[str, RiskPipeline], seen: Cohort
) -> Iterator[Finding]:
    """Say what a reader must know of the results; `seen` is the cohort as factors see it."""
    validation, cohort, moment = results.validation, results.cohort, results.about.moment
    yield from repeatability_findings(results.repeatability)
    yield from harmonisation_findings(results.harmonisation, cohort, validation)
    yield from model_findings(validation, results.performance, cohort)
    yield from surrogate_findings(results.volume_surrogates)
    for name, one in results.assumptions.items():
        yield from assumption_findings(name, one)
    if moment is not None:
        yield from moment_findings(pipelines, cohort, moment)
    if results.factors is not None:
        yield from factor_model_findings(results.factors.model, seen)
    if results.factor_quality is not None:
        yield from results.factor_quality.findings
    added = results.added_value
    if added is not None and added.volume is not None:
        yield from volume_findings(added.correlations, added.volume)


def _classified(
    about: About, validation: Validation, progress: Progress | None
) -> ClassifiedModels | None:
    if not about.classify_at:
        return None
    return classified_models(validation, thresholds=about.classify_at, progress=progress)


def _added_value(
    about: About,
    validation: Validation,
    cohort: Cohort,
    volume: str | None,
    progress: Progress | None,
) -> AddedValueResults | None:
    if about.added_value is None:
        return None
    return added_value(
        validation,
        cohort,
        asked=about.added_value,
        curve=thresholds(*about.thresholds),
        setting=about.setting,
        volume=volume,
        progress=progress,
    )


def _subgroups(
    about: About, validation: Validation, cohort: Cohort, progress: Progress | None
) -> Subgroups | None:
    if cohort.centre is None and not about.subgroups:
        return None
    return subgroups(
        validation,
        cohort,
        splits=about.subgroups,
        models=about.subgroup_models,
        progress=progress,
    )


def thresholds(low: float, high: float) -> list[float]:
    """Threshold probabilities from `low` to `high`, a hundredth apart.

    Examples
    --------
    >>> thresholds(0.05, 0.08)
    [0.05, 0.06, 0.07, 0.08]
    """
    steps = round((high - low) * 100)
    return [round(low + (high - low) * i / max(steps, 1), 10) for i in range(steps + 1)]


def _table_one(cohort: Cohort, asked: TableOneAsked) -> TableOne:
    check_table_one(cohort, asked)
    return table_one(
        cohort,
        described_columns(cohort, asked.columns),
        by=asked.by,
        differences=asked.differences,
        tests=asked.tests,
    )
