"""Whether the models of a study name columns that are there, told before anything is fitted."""

from models.predictors import matching, select_columns
from models.terms import is_category
from omics.cohort import Cohort
from omics.errors import StudyError
from omics.messages import nearest
from reports.model_specs import ModelSpec
from reports.study_file import Study


def check_predictors(study: Study, cohort: Cohort) -> None:
    """Refuse a predictor, spline, interaction, stratum or tick that names no such column."""
    for signature in study.signatures:
        try:
            select_columns(cohort.X.columns, signature.predictors)
        except ValueError as error:
            raise StudyError(f"[[signatures]] {signature.name}: {error}") from error
    for model in study.every_model:
        _check_model(model, study, cohort)
    _check_factors(study, cohort)
    _check_unused_splines(study)


def _check_model(model: ModelSpec, study: Study, cohort: Cohort) -> None:
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


def _check_factors(study: Study, cohort: Cohort) -> None:
    """Refuse factors of a view without features, and groups by what is no column."""
    spec = study.factors
    if spec is None:
        return
    absent = [view for view in spec.views if view not in cohort.kinds]
    if absent:
        raise StudyError(f"[factors] views: table {absent[0]!r} holds no features.")
    if spec.groups is not None and spec.groups not in cohort.X:
        raise StudyError(
            f"[factors] groups: no column is named {spec.groups!r}. "
            f"{nearest(spec.groups, map(str, cohort.X.columns))}"
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
