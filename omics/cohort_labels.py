"""Which patients develop the model and which validate it, as the labels of one column say."""

from collections.abc import Sequence
from typing import Annotated, Self

import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from omics.canonical import canonical, canonical_values, count_values, shorten
from omics.errors import StudyError
from omics.messages import nearest, quoted
from omics.outcome import ColumnAddress, Value, column_name, table_name
from omics.outcome_columns import find_column
from omics.tables import View

DEVELOPMENT = "development"


def _as_labels(value: object) -> object:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


Labels = Annotated[tuple[Value, ...], BeforeValidator(_as_labels)]


class CohortsSpec(BaseModel):
    """Which patients develop the model, and which validate it.

    Attributes
    ----------
    column : str
        Column of the label, `table:column`.
    development : value or list of values
        Labels of the development patients.
    external : list of values
        Labels of the external validation cohorts, one cohort each. A patient with any other label
        is lost, and counted.

    Examples
    --------
    >>> CohortsSpec(column="followup:Cohort", development="Discovery", external=["Replicate"])
    CohortsSpec(column='followup:Cohort', development=('Discovery',), external=('Replicate',))
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: ColumnAddress
    development: Annotated[Labels, Field(min_length=1)]
    external: Labels = ()

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        labels = [canonical(label) for label in (*self.development, *self.external)]
        repeated = {str(label) for label in labels if labels.count(label) > 1}
        if repeated:
            raise ValueError(f"each label belongs to one cohort, but {quoted(repeated)} to several")
        if DEVELOPMENT in {canonical(label) for label in self.external}:
            raise ValueError("an external cohort cannot be labelled 'development': recode it")
        return self


def read_groups(cohorts: CohortsSpec, views: Sequence[View]) -> pd.DataFrame:
    """Return the `group` of every patient of the label's table, and the `reason` of having none."""
    labels = find_column(views, cohorts.column, role="the cohort label")
    written = canonical_values(labels)
    names = {canonical(label): DEVELOPMENT for label in cohorts.development}
    names |= {canonical(label): str(label) for label in cohorts.external}
    for label in (*cohorts.development, *cohorts.external):
        if canonical(label) not in set(written):
            present = [str(value) for value in written.dropna().unique()]
            raise StudyError(
                f"every declared cohort must occur in column {column_name(cohorts.column)!r} of "
                f"table {table_name(cohorts.column)!r}, but {label!r} does not: it holds "
                f"{count_values(labels)}. {nearest(str(label), present)}"
            )
    group = written.map(names)
    reason = pd.Series("", index=labels.index, dtype=object)
    undeclared = group.isna() & written.notna()
    named = [f"cohort is {shorten(label)}, not declared" for label in written]
    reason = reason.mask(undeclared, pd.Series(named, index=labels.index))
    reason[written.isna()] = "cohort unknown"
    return pd.DataFrame({"group": group, "reason": reason})


def groups_of(patients: pd.Index, groups: pd.DataFrame | None) -> pd.Series:
    """Return the group of each patient of the cohort; everyone develops where none is declared."""
    if groups is None:
        return pd.Series(DEVELOPMENT, index=patients, name="group", dtype=object)
    group = groups["group"].reindex(patients).astype(object).rename("group")
    if not (group == DEVELOPMENT).any():
        raise StudyError(
            f"at least one development patient is needed, but all {len(patients)} patients with a "
            "known outcome are in external cohorts. Check the labels of the development cohort."
        )
    return group
