"""From the sections `[repeatability.<table>]` to filters, and what is wrong with them in words."""

from collections.abc import Mapping, Sequence

import pandas as pd
from sklearn.base import clone

from models.named_columns import NamedColumns
from models.pipeline import RiskPipeline
from omics.cohort import Cohort, reserved_columns
from omics.errors import FitError, StudyError
from omics.harmonise import ComBat
from omics.messages import quoted
from omics.radiomics_names import PERTURBATION
from omics.radiomics_settings import compare_settings
from omics.reliability import ReliabilityFilter
from omics.table_spec import TableSpec
from omics.tables import View, read_table
from reports.model_specs import ModelSpec
from reports.repeatability_spec import ReaderSpec
from reports.study_file import Study


def read_repeats(study: Study) -> dict[str, list[View]]:
    """Read the further readers of each table of a study that has some.

    Raises
    ------
    StudyError
        If a file cannot be read as the table's section says.
    """
    reserved = reserved_columns(outcome=study.outcome, cohorts=study.cohorts, centre=study.centre)
    views = {}
    for table, spec in study.repeatability.items():
        own = study.tables[table]
        declared = [_as_declared(own, one) for one in spec.readers]
        try:
            _refuse_itself(own, declared)
            views[table] = [
                read_table(one, name=table, reserve=reserved.get(table, ())) for one in declared
            ]
        except StudyError as error:
            raise StudyError(f"[repeatability.{table}] {error}") from error
    return views


def filters_from(study: Study, views: Mapping[str, list[View]]) -> dict[str, ReliabilityFilter]:
    """Make the filter of each table with repeats, not fitted."""
    return {
        table: ReliabilityFilter(
            [view.table.add_prefix(f"{table}:") for view in views[table]],
            copies=all(map(_of_copies, views[table])),
            **spec.model_dump(exclude={"readers"}),
        )
        for table, spec in study.repeatability.items()
    }


def _of_copies(view: View) -> bool:
    """Tell whether a table says of itself that it was measured on changed copies of masks."""
    return any(PERTURBATION in str(name) for name in view.provenance)


def check_settings(study: Study, cohort: Cohort, views: Mapping[str, list[View]]) -> None:
    """Refuse repeats that were extracted with other settings than their table.

    Raises
    ------
    StudyError
        With the difference, unless the table states `different_settings`.
    """
    for table, repeats in views.items():
        parts = {"the study": cohort.provenance.get(table, pd.DataFrame())} | {
            f"reader {number}": view.provenance for number, view in enumerate(repeats, start=2)
        }
        stated = pd.concat(parts)
        whose = pd.Series(stated.index.get_level_values(0), index=stated.index, dtype=object)
        declared = [table] if study.tables[table].different_settings else []
        try:
            compare_settings({table: stated}, cohort=whose, may_differ=declared)
        except StudyError as error:
            raise StudyError(f"[repeatability.{table}] {error}") from error


def _as_declared(own: TableSpec, reader: ReaderSpec) -> TableSpec:
    """Describe the reader's rows as the table's own, in another place."""
    given = {"path": reader.path, "only": reader.only}
    return own.model_copy(update={key: value for key, value in given.items() if value is not None})


def _refuse_itself(own: TableSpec, declared: Sequence[TableSpec]) -> None:
    """Refuse a reader whose rows are the table's own: every feature would repeat perfectly."""
    for number, one in enumerate(declared, start=2):
        if (one.path, one.only) == (own.path, own.only):
            raise StudyError(
                f"reader {number} must be another reading of the patients, but {one.path.name!r} "
                "with these rows holds the rows of the table itself. Name the second reader's "
                "file, or its rows by only."
            )


def filters_of(
    model: ModelSpec, study: Study, filters: Mapping[str, ReliabilityFilter]
) -> list[ReliabilityFilter]:
    """Give the filters of the tables that a model reads, itself or by what it learns."""
    return [one for table, one in filters.items() if study.reads(model, table)]


def check_filters(pipelines: Mapping[str, RiskPipeline], cohort: Cohort, *, folds: int) -> None:
    """Try filters, then harmonisation, on all development patients, before hours of computing.

    Raises
    ------
    StudyError
        If repeats do not fit the table, are of too few patients, a model names a column that is
        dropped, or what is kept cannot be harmonised.
    """
    for name, pipeline in pipelines.items():
        table = cohort.development.X
        for step in (step for _, step in pipeline.steps):
            try:
                if isinstance(step, ReliabilityFilter):
                    _refuse_own_patients(step, cohort)
                    fitted = clone(step).fit(table)
                    _refuse_small_folds(fitted, folds)
                    table = fitted.transform(table)
                elif isinstance(step, NamedColumns):
                    step.fit(table)
                elif isinstance(step, ComBat):
                    clone(step).fit(table)
            except (FitError, ValueError) as error:
                section = "harmonise" if isinstance(step, ComBat) else "repeatability"
                raise StudyError(f"[{section}] model {name!r}: {error}") from error


def _refuse_small_folds(fitted: ReliabilityFilter, folds: int) -> None:
    """Refuse repeats that are enough for all patients, but not for the training part of a fold."""
    n, least = fitted.reliability_.n_patients, fitted.least_patients
    if fitted.independent or n * (folds - 1) >= least * folds:
        return
    raise StudyError(
        f"least_patients must be reached in the folds, but {n} patients have repeats: a training "
        f"part of {folds} folds holds about {n * (folds - 1) // folds}, and least_patients is "
        f"{least}. Have more patients measured twice, or state a smaller least_patients (the "
        "intervals will be wide)."
    )


def _refuse_own_patients(step: ReliabilityFilter, cohort: Cohort) -> None:
    """Refuse independent repeats of patients who are in the study: a fold would see those."""
    if not step.independent:
        return
    repeated = step.repeats[0].index
    for table in step.repeats[1:]:
        repeated = repeated.union(table.index)
    both = repeated.intersection(cohort.X.index)
    if len(both):
        raise StudyError(
            f"independent repeats must be of other patients, but {len(both)} of "
            f"{len(repeated)} are in the study (first: {quoted(list(both), limit=3)}). Take "
            "independent away, or leave these patients out of the files."
        )
