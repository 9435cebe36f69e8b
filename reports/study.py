"""A study from its file to its results: read the tables, join them, build the models, analyse."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.decision import Quantity, Setting
from models.design import IMPUTATIONS
from models.logistic import LogisticModel
from models.moment import check_moment
from models.pipeline import RiskPipeline, risk_pipeline
from models.pipeline_parts import Model
from models.signature import Signature
from models.validation import Plan
from omics.centres import check_harmonised, with_centre
from omics.cohort import Cohort, reserved_columns
from omics.errors import StudyError
from omics.gene_sets import read_gmt
from omics.harmonise import ComBat
from omics.mofa import FactorModel
from omics.parallel import FolderStore, Progress
from omics.tables import read_table
from reports.about import About, Updates
from reports.added_value import AddedValue
from reports.analysis import analyse
from reports.asked import check_table_one, check_updated_cohort, declared_subgroups, factor_columns
from reports.factor_meaning import GeneSetTest, columns_to_test
from reports.factor_quality import FactorChecks
from reports.model_specs import ModelSpec
from reports.predictor_checks import check_predictors
from reports.repeats import check_filters, check_settings, filters_from, filters_of, read_repeats
from reports.results import Results
from reports.study_file import Study
from reports.study_inputs import fingerprint, input_hashes, understood


def load_cohort(study: Study, *, progress: Progress | None = None) -> Cohort:
    """Read the tables of a study and join them.

    Parameters
    ----------
    study : Study
    progress : callable(what, done, total), optional

    Raises
    ------
    StudyError
        If a table, a column, an id or the outcome is not as the study says.
    """
    n_tables = len(study.tables) + sum(len(other.tables) for other in study.external.values())
    count = _Counter("tables", n_tables, progress)
    cohort = _join(study, {}, count)
    for name, other in study.external.items():
        try:
            cohort = cohort.with_external(name, _join(study, other.tables, count))
        except StudyError as error:
            raise StudyError(f"[external.{name}] {error}") from error
    cohort = _with_centre(study, cohort)
    check_predictors(study, cohort)
    _check_repeats(study, cohort)
    if study.prediction is not None:
        check_moment(build_pipelines(study), cohort, study.prediction.moment)
    check_table_one(cohort, study.report.table_one.asked)  # refuses what names no column
    declared_subgroups(cohort, study.report.subgroups)  # likewise, and cuts that do not rise
    if study.updating is not None:
        check_updated_cohort(cohort, study.updating.cohort)
    if study.factors is not None:
        columns = factor_columns(cohort, study.factors.associations)
        columns_to_test(cohort, columns, ordered=study.factors.ordered)
    gene_sets = _gene_sets(study)  # refuses a file that is no GMT
    if gene_sets is not None:
        gene_sets.check(cohort)
    return cohort


def _with_centre(study: Study, cohort: Cohort) -> Cohort:
    """Let harmonisation find the centre; refuse what it cannot do, before anything is fitted."""
    if study.harmonise is None:
        return cohort
    cohort = with_centre(cohort)
    for table in study.harmonise.tables:
        check_harmonised(cohort, study.harmonise.combat_of(table))
    return cohort


def _check_repeats(study: Study, cohort: Cohort) -> None:
    if study.repeatability:
        check_settings(study, cohort, read_repeats(study))
        folds = study.validation.cross_validation.folds
        check_filters(build_pipelines(study), cohort, folds=folds)


class _Counter:
    """Tells how many tables have been read."""

    def __init__(self, what: str, total: int, progress: Progress | None) -> None:
        self._what, self._total, self._progress, self._done = what, total, progress, -1
        self()

    def __call__(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._what, self._done, self._total)


def _join(study: Study, paths: dict[str, Path], count: _Counter) -> Cohort:
    """Join the tables, at `paths` where another cohort's lie elsewhere."""
    reserved = reserved_columns(outcome=study.outcome, cohorts=study.cohorts, centre=study.centre)
    views = []
    for name, spec in study.tables.items():
        if not paths or name in paths:
            there = spec.model_copy(update={"path": paths.get(name, spec.path)})
            views.append(read_table(there, name=name, reserve=reserved.get(name, ())))
            count()
    cohorts = None if paths else study.cohorts
    return Cohort.join(
        views,
        outcome=study.outcome,
        cohorts=cohorts,
        centre=study.centre,
        external=bool(paths),
    )


def factor_model(study: Study) -> FactorModel | None:
    """Build the factor model a study declares, not fitted."""
    spec = study.factors
    if spec is None:
        return None
    return FactorModel(
        **{name: getattr(spec, name) for name in FactorModel().get_params() if name in dict(spec)},
        seed=study.study.seed,
    )


def build_pipelines(study: Study) -> dict[str, RiskPipeline]:
    """Build every model of a study as one pipeline each, not fitted."""
    factors = factor_model(study)
    signatures = [
        Signature(
            spec.predictors,
            name=spec.name,
            mix=spec.mix,
            rule=spec.rule,
            folds=spec.folds,
            seed=study.study.seed,
        )
        for spec in study.signatures
    ]
    filters = filters_from(study, read_repeats(study))
    imputations = IMPUTATIONS if study.missing is None else study.missing.imputations
    return {
        spec.name: risk_pipeline(
            spec.predictors,
            _model(spec, study.study.seed),
            cleaning=[*filters_of(spec, study, filters), *_harmonised(spec, study)],
            factors=factors if spec.uses_factors else None,
            signatures=[one for one in signatures if spec.uses_signature(one.name)],
            splines=spec.splines or None,
            interactions=spec.interactions or None,
            missing=study.policy_of(spec),
            strata=spec.strata,
        ).set_params(design__imputations=imputations, design__seed=study.study.seed)
        for spec in study.every_model
    }


def _harmonised(model: ModelSpec, study: Study) -> list[ComBat]:
    """Harmonise each table apart, for a model that reads it."""
    spec = study.harmonise
    tables = [] if spec is None else dict.fromkeys(spec.tables)
    return [spec.combat_of(table) for table in tables if spec and study.reads(model, table)]


def _model(spec: ModelSpec, seed: int) -> Model:
    if spec.kind == "xgboost":
        return BoostedModel(
            n_rounds=spec.rounds,
            learning_rate=spec.learning_rate,
            max_depth=spec.max_depth,
            seed=seed,
        )
    default: float | Literal["aic"] = "aic" if spec.uses_factors else 0.0
    ridge: float | Literal["aic"] = default if spec.ridge is None else spec.ridge
    if spec.kind == "cox":
        return CoxModel(ridge=ridge, ties=spec.ties, robust=spec.robust)
    return LogisticModel(ridge=ridge)


def plan_of(study: Study, *, n_jobs: int) -> Plan:
    """Say how a study is validated."""
    spec = study.validation
    return Plan(
        folds=spec.cross_validation.folds,
        repeats=spec.cross_validation.repeats,
        bootstrap=spec.bootstrap,
        bootstrap_632=spec.bootstrap_632,
        draws=spec.draws,
        quantiles=tuple(study.report.risk_groups),
        level=spec.level,
        seed=study.study.seed,
        n_jobs=n_jobs,
    )


def about_of(study: Study) -> About:
    """Say what the report of a study says and shows."""
    return About(
        title=study.study.title,
        description=study.study.description,
        synthetic=study.study.synthetic,
        thresholds=study.report.thresholds,
        setting=Setting(prevalence=study.report.prevalence, harm=study.report.harm),
        classify_at=study.report.classify_at,
        quantities=_quantities(study),
        nomograms=[spec.name for spec in study.every_model if spec.nomogram],
        nomogram_ticks={spec.name: spec.nomogram_ticks for spec in study.every_model},
        table_one=study.report.table_one.asked,
        added_value=_added_value(study),
        subgroups=study.report.subgroups,
        subgroup_models=study.report.subgroup_models,
        moment=None if study.prediction is None else study.prediction.moment,
        factor_checks=_factor_checks(study),
        factor_columns=[] if study.factors is None else study.factors.associations,
        ordered_columns=[] if study.factors is None else study.factors.ordered,
        gene_sets=_gene_sets(study),
        assumptions=study.report.assumptions,
        calibration_groups=study.report.calibration_groups,
        hosmer_lemeshow=study.report.hosmer_lemeshow,
        updates=None if study.updating is None else Updates(**study.updating.model_dump()),
    )


def _quantities(study: Study) -> list[Quantity]:
    """Say what is drawn beside net benefit."""
    asked: dict[Quantity, bool] = {
        "standardised_net_benefit": study.report.standardised_net_benefit,
        "interventions_avoided": study.report.interventions_avoided,
    }
    return [quantity for quantity, wanted in asked.items() if wanted]


def _factor_checks(study: Study) -> FactorChecks:
    """Say what to find out about the factors of a study."""
    spec = study.factors
    if spec is None:
        return FactorChecks()
    refits = {} if spec.stability is None else spec.stability.model_dump()
    numbers = {} if spec.choose is None else spec.choose.model_dump()
    return FactorChecks(
        **refits,
        **numbers | {"grid": tuple(numbers.get("grid", ()))},
        transductive=spec.transductive,
    )


def _gene_sets(study: Study) -> GeneSetTest | None:
    spec = study.factors
    if spec is None or spec.gene_sets is None or spec.gene_sets_view is None:
        return None
    return GeneSetTest(
        sets=read_gmt(spec.gene_sets),
        view=spec.gene_sets_view,
        n_top=spec.gene_sets_top,
        sizes=spec.gene_sets_sizes,
    )


def _added_value(study: Study) -> AddedValue | None:
    spec = study.added_value
    if spec is None:
        return None
    first = "Clinical" if spec.clinical else study.every_model[0].name
    return AddedValue(
        reference=spec.reference or first,
        thresholds=spec.thresholds,
        reclassification=spec.reclassification,
        categories=spec.categories,
    )


def compute(
    study: Study,
    cohort: Cohort,
    *,
    n_jobs: int = -1,
    work: Path | None = None,
    progress: Progress | None = None,
) -> Results:
    """Analyse a study.

    Parameters
    ----------
    study : Study
    cohort : Cohort
        As `load_cohort` gives it.
    n_jobs : int
        Processes; -1 takes every core. The numbers do not depend on it.
    work : Path, optional
        Folder that keeps finished resamples, for a run that is interrupted and called again.
    progress : callable(what, done, total), optional

    Returns
    -------
    Results

    Raises
    ------
    StudyError
        If a model cannot be fitted as the study asks.
    """
    inputs = input_hashes(study)
    results = analyse(
        build_pipelines(study),
        cohort,
        plan=plan_of(study, n_jobs=n_jobs),
        about=about_of(study),
        store=None if work is None else FolderStore(work, fingerprint(study, inputs)),
        progress=progress,
    )
    return replace(results, study=understood(study), inputs=inputs)
