"""From the sections `[repeatability.<table>]` to filters, and what is wrong with them in words."""

from collections.abc import Mapping

import pandas as pd
from sklearn.base import clone

from models.named_columns import NamedColumns
from models.pipeline import RiskPipeline
from omics.cohort import Cohort, reserved_columns
from omics.errors import FitError, StudyError
from omics.messages import quoted
from omics.radiomics_settings import compare_settings
from omics.reliability import ReliabilityFilter
from omics.tables import View, read_table
from reports.study_file import ModelSpec, Study


def read_filters(study: Study) -> dict[str, ReliabilityFilter]:
    """Read the repeats of each table of a study and make its filter, not fitted.

    Raises
    ------
    StudyError
        If a file cannot be read as the table's section says.
    """
    filters = {}
    for table, spec in study.repeatability.items():
        repeats = [view.table.add_prefix(f"{table}:") for view in _read_repeats(study, table)]
        settings = spec.model_dump(exclude={"readers"})
        filters[table] = ReliabilityFilter(repeats, **settings)
    return filters


def _read_repeats(study: Study, table: str) -> list[View]:
    reserved = reserved_columns(outcome=study.outcome, cohorts=study.cohorts, centre=study.centre)
    views = []
    for path in study.repeatability[table].readers:
        there = study.tables[table].model_copy(update={"path": path})
        try:
            views.append(read_table(there, name=table, reserve=reserved.get(table, ())))
        except StudyError as error:
            raise StudyError(f"[repeatability.{table}] {error}") from error
    return views


def check_settings_of_repeats(study: Study, cohort: Cohort) -> None:
    """Refuse repeats that were extracted with other settings than the study's own table.

    Raises
    ------
    StudyError
        With the difference, unless the table states `different_settings`.
    """
    for table, spec in study.repeatability.items():
        own = cohort.provenance.get(table, pd.DataFrame())
        names = [path.name for path in spec.readers]
        views = _read_repeats(study, table)
        parts = {"the study": own} | {
            f"reader {number}, {name}": view.provenance
            for number, (name, view) in enumerate(zip(names, views, strict=True), start=2)
        }
        stated = pd.concat(parts)
        whose = pd.Series(stated.index.get_level_values(0), index=stated.index, dtype=object)
        declared = [table] if study.tables[table].different_settings else []
        try:
            compare_settings({table: stated}, cohort=whose, may_differ=declared)
        except StudyError as error:
            raise StudyError(f"[repeatability.{table}] {error}") from error


def filters_of(
    model: ModelSpec, study: Study, filters: Mapping[str, ReliabilityFilter]
) -> list[ReliabilityFilter]:
    """Give the filters of the tables that a model reads, itself or by what it learns."""
    return [one for table, one in filters.items() if study.reads(model, table)]


def check_filters(pipelines: Mapping[str, RiskPipeline], cohort: Cohort) -> None:
    """Try the filters on all development patients, before hours of computing.

    Raises
    ------
    StudyError
        If repeats do not fit the table, are of too few patients, or a model names a column that
        is dropped.
    """
    for name, pipeline in pipelines.items():
        table = cohort.development.X
        for step in (step for _, step in pipeline.steps):
            try:
                if isinstance(step, ReliabilityFilter):
                    _refuse_own_patients(step, cohort)
                    table = clone(step).fit(table).transform(table)
                elif isinstance(step, NamedColumns):
                    step.fit(table)
            except (FitError, ValueError) as error:
                raise StudyError(f"[repeatability] model {name!r}: {error}") from error


def _refuse_own_patients(step: ReliabilityFilter, cohort: Cohort) -> None:
    """Refuse independent repeats of patients who are in the study: a fold would see those."""
    if not step.independent:
        return
    both = step.repeats[0].index.intersection(cohort.X.index)
    if len(both):
        raise StudyError(
            f"independent repeats must be of other patients, but {len(both)} of "
            f"{len(step.repeats[0])} are in the study (first: {quoted(list(both), limit=3)}). Take "
            "independent away, or leave these patients out of the files."
        )
