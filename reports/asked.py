"""Whether models and cohort have what a report is asked to show: told before anything is fitted."""

from collections.abc import Mapping, Sequence

import pandas as pd

from models.boosting import BoostedModel
from models.comparison import check_reference
from models.description import TableOneAsked, description_groups
from models.moment import check_moment
from models.pipeline import RiskPipeline
from models.predictors import select_columns
from models.reclassification import check_categories
from models.subgroups import Splits, check_models, subgroup_levels
from omics.centres import check_harmonised
from omics.checks import check_probability
from omics.cohort import Cohort
from omics.errors import StudyError
from omics.messages import nearest
from reports.about import About
from reports.factor_meaning import columns_to_test

DESCRIBED = ("clinical", "pathology")


def check_asked(about: About, pipelines: Mapping[str, RiskPipeline], cohort: Cohort) -> None:
    """Refuse what models and cohort do not have, names of no model or column among it."""
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
    _check_signatures(pipelines)
    for step in (step for pipeline in pipelines.values() for step in pipeline.harmonised):
        check_harmonised(cohort, step)
    if about.moment is not None:
        check_moment(pipelines, cohort, about.moment)


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


def models_with_nomogram(
    pipelines: Mapping[str, RiskPipeline], named: Sequence[str] | None
) -> list[str]:
    """Name the regressions a nomogram is drawn of: those named, or all."""
    regressions = [name for name, p in pipelines.items() if not isinstance(p.model, BoostedModel)]
    wrong = [name for name in named or () if name not in regressions]
    if wrong:
        raise StudyError(
            f"nomograms must name regressions of the study, but {wrong[0]!r} is none of "
            f"{regressions}."
        )
    return regressions if named is None else list(named)
