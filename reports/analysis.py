"""From pipelines and a cohort to everything a report shows: fit, validate, describe. Draws nothing.

The study file and a notebook meet here: `nomomics run` calls `analyse` as a reader would by hand.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version

import numpy as np
import pandas as pd

from models.assumptions import Assumptions, assumption_findings, assumptions
from models.boosting import BoostedModel
from models.classified import ClassifiedModels, classified_models
from models.comparison import check_reference
from models.competing_description import CompetingDescription, competing_description
from models.decision import Quantity, Setting
from models.description import TableOne, TableOneAsked, description_groups, table_one
from models.design import select_columns
from models.external_tests import ExternalFigures, external_figures
from models.factor_findings import factor_cohort_findings
from models.findings import factor_findings, model_findings, ordered
from models.gaps import predictor_gaps
from models.grouped_calibration import GroupedCalibration, grouped_calibration
from models.harmonisation import Harmonisation, harmonisation_findings, study_harmonisation
from models.hosmer_lemeshow import HosmerLemeshowTests, hosmer_lemeshow_tests
from models.moment import check_moment, moment_findings
from models.nomogram import Nomogram, nomogram
from models.performance import Performance, performance
from models.pipeline import RiskPipeline
from models.reclassification import check_categories
from models.regression_tables import RegressionTable, regression_table
from models.repeatability import Repeatability, repeatability_findings, study_repeatability
from models.resampling import Progress, Store, collected_warnings
from models.roc_curves import RocCurves, roc_curves
from models.signature_summary import SignatureSummary, signature_summaries
from models.subgroups import Splits, Subgroups, check_models, subgroup_levels, subgroups
from models.survival_description import StudySurvival, study_survival
from models.ticks import AxisTicks
from models.updating import Updating, updating
from models.validation import Plan, Validation, validate
from models.volume import volume_feature, volume_findings
from models.volume_surrogates import VolumeSurrogates, cohort_surrogates, surrogate_findings
from omics.centres import check_harmonised
from omics.checks import check_probability
from omics.cohort import Cohort
from omics.errors import Finding, FitError, StudyError
from omics.gene_sets import GeneSetResult
from omics.messages import nearest
from omics.mofa import FactorModel
from omics.moment import Moment
from omics.outcome_in_views import outcome_in_views
from omics.quality import findings as quality_findings
from omics.quality import missing_table
from reports.added_value import AddedValue, AddedValueResults, added_value, tenths, with_volume
from reports.factor_meaning import (
    FactorScatter,
    GeneSetTest,
    columns_to_test,
    factor_associations,
    factor_scatter,
    gene_set_results,
)
from reports.factor_quality import FactorChecks, FactorQuality, factor_quality

PACKAGES = (
    *("nomomics", "numpy", "scipy", "pandas", "scikit-learn", "lifelines", "xgboost", "mofapy2"),
    *("statsmodels", "plotly", "joblib"),
)
DESCRIBED = ("clinical", "pathology")


@dataclass(frozen=True, kw_only=True)
class Updates:
    """Which models are updated in which external cohort.

    Attributes
    ----------
    cohort : str
    models : sequence of str
    """

    cohort: str
    models: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class About:
    """What a report says of a study beside its numbers, and which of them it shows.

    Attributes
    ----------
    title, description : str
    synthetic : bool
        True marks every page as made-up data.
    thresholds : pair of float
        From and to, of the decision curves.
    setting : Setting
        Prevalence and harm, where the decision curves are to know them.
    classify_at : sequence of float
        Frozen thresholds of risk at which patients are classified.
    quantities : sequence of str
        What decision curves show beside net benefit: `standardised_net_benefit`,
        `interventions_avoided`.
    nomograms : sequence of str, optional
        Models to draw a nomogram of; by default every regression.
    nomogram_ticks : mapping of model to AxisTicks
        Ticks of a nomogram that its author chooses.
    table_one : TableOneAsked
        Columns of table one, by default the clinical and pathology ones; its groups, and what is
        said of their differences.
    added_value : AddedValue, optional
        Given, every model is compared with one of them, and tumour volume alone is validated too
        where a radiomics table has a volume feature.
    subgroups : mapping of column to "levels" or rising cuts
        Every figure is given for each of them, and for each centre.
    subgroup_models : sequence of str, optional
        Models for which it is; by default all.
    moment : {"baseline", "surgery", "pathology", "follow_up"}, optional
        When predictions are made; a model that reads what is known later is refused.
    factor_checks : FactorChecks
        What to find out about the factors: stability, number, optimism of transductive ones.
    factor_columns : sequence of str
        Columns that factors are tested against, beside the clinical and pathology ones and the
        outcome; such as chosen mutations.
    ordered_columns : sequence of str
        Those of them whose declared levels rise from the first to the last.
    gene_sets : GeneSetTest, optional
        Gene sets to look for among the top genes of the factors.
    updates : Updates, optional
        Models to update in an external cohort.
    assumptions : bool
        Whether to examine the assumptions of Cox and logistic models.
    calibration_groups : int
        Groups of patients drawn as points beside calibration curves; 0 for none.
    hosmer_lemeshow : bool
        Whether to give the test, with its warning.
    """

    title: str
    description: str = ""
    synthetic: bool = False
    thresholds: tuple[float, float] = (0.05, 0.6)
    setting: Setting = field(default_factory=Setting)
    classify_at: Sequence[float] = ()
    quantities: Sequence[Quantity] = ()
    nomograms: Sequence[str] | None = None
    nomogram_ticks: Mapping[str, AxisTicks] = field(default_factory=dict)
    table_one: TableOneAsked = field(default_factory=TableOneAsked)
    added_value: AddedValue | None = None
    subgroups: Splits = field(default_factory=dict)
    subgroup_models: Sequence[str] | None = None
    moment: Moment | None = None
    factor_checks: FactorChecks = field(default_factory=FactorChecks)
    factor_columns: Sequence[str] = ()
    ordered_columns: Sequence[str] = ()
    gene_sets: GeneSetTest | None = None
    updates: Updates | None = None
    assumptions: bool = True
    calibration_groups: int = 5
    hosmer_lemeshow: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class FactorResults:
    """The factors of a study.

    Attributes
    ----------
    model : FactorModel
        Fitted on all development patients.
    scores, information : DataFrame of shape (n_patients, n_factors)
        Of every patient, external ones too, by projection.
    associations : DataFrame
        With clinical and pathology columns, those named, and the outcome, development patients; see
        `models.associations`.
    scatter : FactorScatter or None
        None without two active factors or anything to colour them by.
    gene_sets : GeneSetResult or None
    """

    model: FactorModel
    scores: pd.DataFrame
    information: pd.DataFrame
    associations: pd.DataFrame
    scatter: FactorScatter | None = None
    gene_sets: GeneSetResult | None = None

    def __repr__(self) -> str:
        return f"FactorResults({self.scores.shape[0]} patients, {self.scores.shape[1]} factors)"


@dataclass(frozen=True, eq=False, kw_only=True)
class Results:
    """Everything a report shows.

    Attributes
    ----------
    about : About
    cohort : Cohort
    validation : Validation
    performance : Performance
    coefficients : dict of model to DataFrame
        Coefficients of a regression, importances of boosted trees.
    nomograms : dict of model to Nomogram
    factors : FactorResults or None
    factor_quality : FactorQuality or None
        None without factors.
    signatures : dict of name to SignatureSummary
    table_one : TableOne
    missing : DataFrame
    added_value : AddedValueResults or None
    classified : ClassifiedModels or None
        None without thresholds to classify at.
    external : ExternalFigures or None
        Figures with standard errors in external cohorts; None without one.
    roc : RocCurves or None
        Of external cohorts, and apparent.
    updating : dict of model to Updating
        Of the models asked for; a model that cannot be updated stands in the findings.
    subgroups : Subgroups or None
        None without a centre and without a declared subgroup.
    survival : StudySurvival or None
        None for a binary outcome.
    predictor_gaps : DataFrame
        Predictors that are missing, by model and cohort; see `models.gaps`.
    assumptions : dict of model to Assumptions
        Of Cox and logistic models with a coefficient; empty if not asked for.
    findings : list of Finding
        The serious first.
    versions : dict of package to version
    competing : CompetingDescription, optional
        Of a study that declares a competing event.
    regressions : dict of model to RegressionTable
        Each predictor of a regression alone and beside the others.
    grouped_calibration : GroupedCalibration or None
        None where no groups are asked for.
    hosmer_lemeshow : HosmerLemeshowTests or None
        None where it is not asked for.
    harmonisation : dict of table to Harmonisation
        Empty where no model harmonises.
    repeatability : dict of table to Repeatability
        Of the tables whose features a filter judges by their repeats.
    volume_surrogates : VolumeSurrogates or None
        None where no radiomics table has a volume.
    study : dict
        The study file as understood; empty where the analysis was called by hand.
    inputs : DataFrame
        `table`, `cohort`, `file` (its name), `sha256`; empty likewise.
    """

    about: About
    cohort: Cohort
    validation: Validation
    performance: Performance
    coefficients: dict[str, pd.DataFrame]
    nomograms: dict[str, Nomogram]
    factors: FactorResults | None
    signatures: dict[str, SignatureSummary]
    table_one: TableOne
    missing: pd.DataFrame
    predictor_gaps: pd.DataFrame
    findings: list[Finding]
    versions: dict[str, str]
    added_value: AddedValueResults | None = None
    classified: ClassifiedModels | None = None
    external: ExternalFigures | None = None
    roc: RocCurves | None = None
    updating: dict[str, Updating] = field(default_factory=dict)
    subgroups: Subgroups | None = None
    survival: StudySurvival | None = None
    competing: CompetingDescription | None = None
    factor_quality: FactorQuality | None = None
    assumptions: dict[str, Assumptions] = field(default_factory=dict)
    regressions: dict[str, RegressionTable] = field(default_factory=dict)
    grouped_calibration: GroupedCalibration | None = None
    hosmer_lemeshow: HosmerLemeshowTests | None = None
    repeatability: dict[str, Repeatability] = field(default_factory=dict)
    harmonisation: dict[str, Harmonisation] = field(default_factory=dict)
    volume_surrogates: VolumeSurrogates | None = None
    study: dict[str, object] = field(default_factory=dict)
    inputs: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __repr__(self) -> str:
        return f"Results({self.about.title!r}, {self.cohort!r}, {len(self.findings)} findings)"


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
    wanted = _models_with_nomogram(pipelines, about.nomograms)
    volume = None if about.added_value is None else volume_feature(cohort)
    pipelines = with_volume(pipelines, cohort, volume)
    _check_about(about, pipelines, cohort)
    _check_signatures(pipelines)
    for step in (step for pipeline in pipelines.values() for step in pipeline.harmonised):
        check_harmonised(cohort, step)
    if about.moment is not None:
        check_moment(pipelines, cohort, about.moment)
    try:
        validation = validate(pipelines, cohort, plan=plan, store=store, progress=progress)
    except (FitError, ValueError) as error:
        raise StudyError(str(error)) from error
    levels = thresholds(*about.thresholds)
    try:
        figures = performance(
            validation, thresholds=levels, setting=about.setting, progress=progress
        )
    except FitError as error:
        raise StudyError(str(error)) from error
    added = _added_value(about, validation, cohort, volume, progress)
    groups = _subgroups(about, validation, cohort, progress)
    updated, not_updated = _updating(about, validation, cohort)
    complaints: list[str] = []
    with collected_warnings(complaints):
        nomograms, without = _nomograms(wanted, validation, cohort, about.nomogram_ticks)
        examined = _assumptions(validation, cohort) if about.assumptions else {}
        seen = _cleaned(cohort, validation)
        factors, untested = _factor_results(seen, validation, about)
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
    repeats = study_repeatability(pipelines, cohort, plan=plan)
    found = [*cohort.findings, *quality_findings(cohort), *without, *untested, *not_updated]
    found += repeatability_findings(repeats)
    harmonised = study_harmonisation(validation, cohort)
    found += harmonisation_findings(harmonised, cohort, validation)
    found += model_findings(validation, figures, cohort)
    surrogates = cohort_surrogates(cohort, level=plan.level)
    found += surrogate_findings(surrogates)
    for name, one in examined.items():
        found += assumption_findings(name, one)
    if about.moment is not None:
        found += moment_findings(pipelines, cohort, about.moment)
    if factors is not None:
        found += _findings_of(factors.model, seen)
    found += () if quality is None else quality.findings
    if added is not None and volume is not None:
        found += volume_findings(added.correlations, volume)
    found += [
        Finding(code="warning", severity="caution", where="report", message=text)
        for text in complaints
    ]
    return Results(
        about=about,
        cohort=cohort,
        validation=validation,
        performance=figures,
        coefficients={
            name: _coefficients(fitted.pipeline) for name, fitted in validation.fitted.items()
        },
        nomograms=nomograms,
        regressions=_regressions(validation, cohort),
        grouped_calibration=grouped_calibration(validation, groups=about.calibration_groups)
        if about.calibration_groups
        else None,
        hosmer_lemeshow=hosmer_lemeshow_tests(validation) if about.hosmer_lemeshow else None,
        factors=factors,
        signatures=signature_summaries(validation, cohort),
        table_one=described,
        missing=missing_table(cohort),
        predictor_gaps=predictor_gaps(pipelines, cohort),
        findings=ordered(found),
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
        repeatability=repeats,
        harmonisation=harmonised,
        volume_surrogates=surrogates,
    )


def _classified(
    about: About, validation: Validation, progress: Progress | None
) -> ClassifiedModels | None:
    if not about.classify_at:
        return None
    return classified_models(validation, thresholds=about.classify_at, progress=progress)


def _assumptions(validation: Validation, cohort: Cohort) -> dict[str, Assumptions]:
    """Examine every regression that can be."""
    found = {name: assumptions(one.pipeline, cohort) for name, one in validation.fitted.items()}
    return {name: one for name, one in found.items() if one is not None}


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


def _updating(
    about: About, validation: Validation, cohort: Cohort
) -> tuple[dict[str, Updating], list[Finding]]:
    """Update the models asked for; say which the cohort cannot tell of."""
    found: dict[str, Updating] = {}
    findings: list[Finding] = []
    if about.updates is None:
        return found, findings
    there = cohort.external[about.updates.cohort]
    for name in about.updates.models:
        try:
            found[name] = updating(
                validation.fitted[name].pipeline,
                there.X,
                there.y,
                horizons=cohort.outcome.horizons,
                thresholds=tenths(*about.thresholds),
                plan=validation.plan,
                harm=about.setting.harm_of(name),
                prevalence=about.setting.prevalence,
            )
        except (FitError, ValueError) as error:
            findings.append(
                Finding(code="not_updated", severity="caution", where=name, message=str(error))
            )
    findings += [
        Finding(
            code="few_events_to_update",
            severity="caution",
            where=name,
            message=f"Updating by {text}.",
        )
        for name, one in found.items()
        for text in one.warnings
    ]
    return found, findings


def _findings_of(model: FactorModel, cohort: Cohort) -> list[Finding]:
    """Tell what a reader must know of the factors, their views and who is placed on them."""
    development, learnt = cohort.development, list(model.features_)
    return [
        *factor_findings(model, development.X, cohort.kinds),
        *factor_cohort_findings(model, cohort),
        *outcome_in_views(development.X[learnt], development.y, label=cohort.outcome.label),
    ]


def _check_about(about: About, pipelines: Mapping[str, RiskPipeline], cohort: Cohort) -> None:
    """Refuse names of no model, splits of no column and no probabilities, before any fit."""
    declared_subgroups(cohort, about.subgroups)
    if about.calibration_groups < 0 or about.calibration_groups == 1:
        raise StudyError(
            f"calibration_groups must be 0 or at least 2, but {about.calibration_groups} came."
        )
    columns = factor_columns(cohort, about.factor_columns)
    columns_to_test(cohort, columns, ordered=about.ordered_columns)
    if about.gene_sets is not None:
        about.gene_sets.check(cohort)
    try:
        check_probability(about.classify_at, "classify_at")
        check_models(pipelines, about.subgroup_models)
        if about.added_value is not None:
            check_reference(pipelines, about.added_value.reference)
            check_categories(about.added_value.categories)
        if about.updates is not None:
            check_models(pipelines, about.updates.models)
    except ValueError as error:
        raise StudyError(str(error)) from error
    if about.updates is not None:
        check_updated_cohort(cohort, about.updates.cohort)


def check_updated_cohort(cohort: Cohort, name: str) -> None:
    """Refuse to update models in what is no external cohort."""
    if name in cohort.external:
        return
    cure = (
        nearest(name, list(cohort.external))
        if cohort.external
        else "Declare one by [cohorts] external = [...] or [external.<name>]."
    )
    raise StudyError(
        f"[updating] cohort must be an external cohort, but {name!r} is none of "
        f"{len(cohort.external)}. {cure}"
    )


def declared_subgroups(cohort: Cohort, splits: Splits) -> dict[str, pd.Series]:
    """Say to which level of each subgroup, the centre first, every patient belongs."""
    try:
        return subgroup_levels(cohort, splits)
    except ValueError as error:
        raise StudyError(f"[report] subgroups: {error}") from error


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


def check_table_one(cohort: Cohort, asked: TableOneAsked) -> None:
    """Refuse a table one of columns or groups that do not exist."""
    described_columns(cohort, asked.columns)
    try:
        description_groups(cohort, asked.by)
    except ValueError as error:
        raise StudyError(f"[report] table_one: {error}") from error


def described_columns(cohort: Cohort, named: Sequence[str] | None) -> list[str]:
    """Columns of table one: those that are named, or all clinical and pathology ones."""
    if named is not None:
        try:
            return select_columns(cohort.X.columns, named)
        except ValueError as error:
            raise StudyError(f"[report] table_one: {error}") from error
    views = [view for view, kind in cohort.kinds.items() if kind in DESCRIBED]
    return [column for column in cohort.X.columns if column.partition(":")[0] in views]


def factor_columns(cohort: Cohort, named: Sequence[str]) -> list[str]:
    """Name the columns that factors are tested against: clinical, pathology, then those named."""
    try:
        chosen = select_columns(cohort.X.columns, named) if named else []
    except ValueError as error:
        raise StudyError(f"[factors] associations: {error}") from error
    return list(dict.fromkeys([*described_columns(cohort, None), *chosen]))


def _models_with_nomogram(
    pipelines: Mapping[str, RiskPipeline], named: Sequence[str] | None
) -> list[str]:
    regressions = [name for name, p in pipelines.items() if not isinstance(p.model, BoostedModel)]
    wrong = [name for name in named or () if name not in regressions]
    if wrong:
        raise StudyError(
            f"nomograms must name regressions of the study, but {wrong[0]!r} is none of "
            f"{regressions}."
        )
    return regressions if named is None else list(named)


def _check_signatures(pipelines: Mapping[str, RiskPipeline]) -> None:
    """Refuse two different signatures of one name: a report could not tell them apart."""
    known: dict[str, dict[str, object]] = {}
    for name, pipeline in pipelines.items():
        for signature in pipeline.signatures:
            settings = signature.get_params()
            if known.setdefault(signature.name, settings) != settings:
                raise StudyError(
                    f"signatures of one name must be the same in every model, but "
                    f"{signature.name!r} of model {name!r} has other settings than before. "
                    "Give it another name."
                )


def _nomograms(
    names: Sequence[str],
    validation: Validation,
    cohort: Cohort,
    ticks: Mapping[str, AxisTicks],
) -> tuple[dict[str, Nomogram], list[Finding]]:
    """Draw up nomograms; a model without any effect has none, and says so."""
    made, findings = {}, []
    X = cohort.development.X
    for name in names:
        pipeline = validation.fitted[name].pipeline
        if isinstance(pipeline.model, BoostedModel):
            continue
        reach = pipeline.linear_predictor(X)
        try:
            chart = nomogram(
                pipeline.design,
                pipeline.model,
                horizons=cohort.outcome.horizons,
                unit=cohort.outcome.unit,
                span=(float(np.nanmin(reach)), float(np.nanmax(reach))),
                ticks=ticks.get(name),
            )
            known = pipeline.design_matrix(X).loc[pipeline.complete(X)]
            made[name] = chart.with_rounding(known)
        except FitError as error:
            findings.append(
                Finding(code="no_nomogram", severity="serious", where=name, message=str(error))
            )
    return made, findings


def _regressions(validation: Validation, cohort: Cohort) -> dict[str, RegressionTable]:
    X, level = cohort.development.X, validation.plan.level
    return {
        name: regression_table(fitted.pipeline, X, validation.y, level=level)
        for name, fitted in validation.fitted.items()
        if not isinstance(fitted.pipeline.model, BoostedModel)
    }


def _coefficients(pipeline: RiskPipeline) -> pd.DataFrame:
    model = pipeline.model
    return model.importances if isinstance(model, BoostedModel) else model.coefficients


def _cleaned(cohort: Cohort, validation: Validation) -> Cohort:
    """Give the cohort as the first factor model sees it; columns that a filter took stay as is."""
    fitted = [one.pipeline for one in validation.fitted.values()]
    first = next((one for one in fitted if one.factor_model is not None), None)
    if first is None or not first.cleaning:
        return cohort
    table = first.cleaned(cohort.X)
    X = pd.concat([table, cohort.X.drop(columns=table.columns)], axis=1)[cohort.X.columns]
    return replace(cohort, X=X)


def _factor_results(
    cohort: Cohort, validation: Validation, about: About
) -> tuple[FactorResults | None, list[Finding]]:
    """Describe the factors of the first model that takes some; say what could not be tested."""
    fitted = [one.pipeline.factor_model for one in validation.fitted.values()]
    model = next((one for one in fitted if one is not None), None)
    if model is None:
        return None, []
    columns = factor_columns(cohort, about.factor_columns)
    scores = model.transform(cohort.X)
    tested = factor_associations(cohort, model, scores, columns, ordered=about.ordered_columns)
    gene_sets, findings = gene_set_results(about.gene_sets, model)
    described = FactorResults(
        model=model,
        scores=scores,
        information=model.information(cohort.X),
        associations=tested,
        scatter=factor_scatter(cohort, model, scores, tested),
        gene_sets=gene_sets,
    )
    return described, findings
