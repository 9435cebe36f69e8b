"""A study from its file to its results: read the tables, join them, build the models, analyse."""

import hashlib
import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import pandas as pd

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.decision import Quantity, Setting
from models.design import IMPUTATIONS, matching, select_columns
from models.logistic import LogisticModel
from models.moment import check_moment
from models.pipeline import Model, RiskPipeline, risk_pipeline
from models.resampling import FolderStore, Progress
from models.signature import Signature
from models.terms import is_category
from models.validation import Plan
from omics.centres import check_harmonised, with_centre
from omics.cohort import Cohort, reserved_columns
from omics.errors import StudyError
from omics.gene_sets import read_gmt
from omics.harmonise import ComBat
from omics.messages import nearest
from omics.mofa import FactorModel
from omics.tables import read_table
from reports.about import About, Updates
from reports.added_value import AddedValue
from reports.analysis import PACKAGES, analyse
from reports.asked import check_table_one, check_updated_cohort, declared_subgroups, factor_columns
from reports.factor_meaning import GeneSetTest, columns_to_test
from reports.factor_quality import FactorChecks
from reports.model_specs import ModelSpec
from reports.repeats import check_filters, check_settings, filters_from, filters_of, read_repeats
from reports.results import Results
from reports.study_file import Study


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
    for signature in study.signatures:
        try:
            select_columns(cohort.X.columns, signature.predictors)
        except ValueError as error:
            raise StudyError(f"[[signatures]] {signature.name}: {error}") from error
    for model in study.every_model:
        _check_predictors(model, study, cohort)
    _check_unused_splines(study)
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


def _check_predictors(model: ModelSpec, study: Study, cohort: Cohort) -> None:
    """Refuse a predictor that names no column, before anything is fitted."""
    added = study.added_value is not None and model.name in study.added_value.blocks
    where = f"[added_value] {model.name}" if added else f"[[models]] {model.name}"
    try:
        plain = model.plain_predictors
        chosen = select_columns(cohort.X.columns, plain) if plain else []
    except ValueError as error:
        raise StudyError(f"{where}: {error}") from error
    chosen += [
        f"signature:{one.name}" for one in study.signatures if model.uses_signature(one.name)
    ]
    unknown = [column for column in model.splines if column not in chosen]
    if unknown:
        raise StudyError(
            f"{where}: splines name {unknown[0]!r}, which is none of the model's "
            "predictors. Add it to predictors, or take the spline away."
        )
    _check_interactions(where, model, chosen)
    _check_strata(where, model, study, cohort)
    _check_ticks(where, model, chosen, cohort)
    absent = [
        view for view in (study.factors.views if study.factors else []) if view not in cohort.kinds
    ]
    if absent:
        raise StudyError(f"[factors] views: table {absent[0]!r} holds no features.")
    groups = study.factors.groups if study.factors else None
    if groups is not None and groups not in cohort.X:
        raise StudyError(
            f"[factors] groups: no column is named {groups!r}. "
            f"{nearest(groups, map(str, cohort.X.columns))}"
        )


def _check_interactions(where: str, model: ModelSpec, chosen: list[str]) -> None:
    """Refuse an interaction with what no column, signature or factor is."""
    for name in (name for pair in model.interactions for name in pair):
        if name not in chosen and not name.startswith("factors:"):
            raise StudyError(
                f"{where}: interactions name {name!r}, which is none of the model's predictors. "
                f"{nearest(name, chosen)} Add it to predictors, or take the interaction away."
            )


def _check_strata(where: str, model: ModelSpec, study: Study, cohort: Cohort) -> None:
    """Refuse strata by what is no category of the tables, before anything is fitted."""
    name = model.strata
    if name is None:
        return
    if name == study.centre:
        raise StudyError(
            f"{where}: strata name {name!r}, which the study declares as its centre and no model "
            "reads. Take `centre` away; [report] subgroups gives the figures by its levels."
        )
    if name not in cohort.X:
        raise StudyError(
            f"{where}: strata name {name!r}, which is no column. "
            f"{nearest(name, map(str, cohort.X.columns))}"
        )
    if not is_category(cohort.X[name]):
        raise StudyError(
            f"{where}: strata name {name!r}, which is a number. Declare it a category in its "
            "table, or give it to predictors."
        )
    unknown = cohort.development.X[name].isna().sum()
    if unknown and study.policy_of(model) != "complete_case":
        raise StudyError(
            f"{where}: strata must be known, but {name!r} is missing in {unknown} of "
            f"{cohort.development.n_patients} development patients. Nothing fills in a stratum: "
            "state missing = 'complete_case', or leave these patients out."
        )


def _check_ticks(where: str, model: ModelSpec, chosen: list[str], cohort: Cohort) -> None:
    """Refuse ticks of a nomogram for what is no number."""
    for name in model.nomogram_ticks.settings or {}:
        learned = name.startswith("factors:") or (name in chosen and name not in cohort.X)
        if not learned and (name not in chosen or is_category(cohort.X[name])):
            raise StudyError(
                f"{where}: nomogram names {name!r}, which is no number among the model's "
                "predictors. Name a number, or leave it out: a category shows all its levels."
            )


def _check_unused_splines(study: Study) -> None:
    """Refuse a spline of `[added_value]` that none of its models takes."""
    spec = study.added_value
    every = [name for names in spec.blocks.values() for name in names] if spec is not None else []
    for column in spec.splines if spec is not None else ():
        if not any(matching(name, [column]) for name in every):
            raise StudyError(
                f"[added_value] splines name {column!r}, which is none of the section's "
                "predictors. Add it to them, or take the spline away."
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
        store=None if work is None else FolderStore(work, _fingerprint(study, inputs)),
        progress=progress,
    )
    return replace(results, study=understood(study), inputs=inputs)


def input_files(study: Study) -> list[tuple[str, str, Path]]:
    """List the cohort, the table and the path of every input file."""
    tables = [("development", name, spec) for name, spec in study.tables.items()]
    tables += [
        (cohort, name, study.tables[name].model_copy(update={"path": path}))
        for cohort, other in study.external.items()
        for name, path in other.tables.items()
    ]
    files = [
        (cohort, name, path)
        for cohort, name, spec in tables
        for path in (spec.path, *spec.companions)
    ]
    files += [
        ("development", f"{name}, repeats", reader.path)
        for name, repeated in study.repeatability.items()
        for reader in repeated.readers
        if reader.path is not None
    ]
    if study.factors is not None and study.factors.gene_sets is not None:
        files.append(("development", "gene sets", study.factors.gene_sets))
    return files


def input_hashes(study: Study) -> pd.DataFrame:
    """Fingerprint every input file; file names stand without their folders."""
    return pd.DataFrame(
        [
            {
                "table": name,
                "cohort": cohort,
                "file": path.name,
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
            for cohort, name, path in input_files(study)
        ]
    )


def understood(study: Study) -> dict[str, object]:
    """Write out the study as understood, every default written out, folders left out."""
    content = study.model_dump(mode="json")
    for spec in content["tables"].values():
        spec["path"] = Path(spec["path"]).name
        if spec["sample_map"] is not None:
            spec["sample_map"]["path"] = Path(spec["sample_map"]["path"]).name
        if isinstance(spec["profiled"], str):
            spec["profiled"] = Path(spec["profiled"]).name
    if study.factors is not None and study.factors.gene_sets is not None:
        content["factors"]["gene_sets"] = study.factors.gene_sets.name
    for spec in content["repeatability"].values():
        for reader in spec["readers"]:
            reader["path"] = None if reader["path"] is None else Path(reader["path"]).name
    for other in content["external"].values():
        other["tables"] = {name: Path(path).name for name, path in other["tables"].items()}
    return content


def _fingerprint(study: Study, inputs: pd.DataFrame) -> str:
    versions = {package: version(package) for package in PACKAGES}
    parts = [understood(study), inputs.to_dict("records"), versions]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
