"""One cohort from many tables: views, outcome, centre and cohort labels of the same patients.

A patient is in the cohort when the outcome is known, the cohort label is declared, and at least one
table with features has a row of theirs. A missing view is a block of NaN, and the patient stays.
Patients stand in the order of their ids, so that the order of rows in a file changes no result.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from omics.cohort_flow import Flow, count_flow, count_reasons, patients_of, reading_findings
from omics.errors import Finding, StudyError
from omics.identifiers import compare_ids
from omics.leaks import refuse_hidden_outcome
from omics.messages import nearest, quoted
from omics.outcome import (
    BinarySpec,
    ColumnAddress,
    Outcome,
    SurvivalSpec,
    Value,
    column_name,
    is_survival,
    table_name,
)
from omics.outcome_columns import (
    canonical,
    canonical_values,
    count_values,
    find_column,
    outcome_arrays,
    read_outcome,
    shorten,
)
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


@dataclass(frozen=True, eq=False, kw_only=True)
class Cohort:
    """Patients of a study, aligned: what every model is fitted and validated on.

    Attributes
    ----------
    X : DataFrame of shape (n_patients, n_features)
        Columns `view:feature`, float64 (NaN where missing) or categorical; index: patient.
    y : ndarray of shape (n_patients,)
        Structured (`time`, `event`), or bool for a binary outcome.
    outcome : Outcome
    group : Series of shape (n_patients,)
        "development", or the name of the patient's external cohort.
    centre : Series of shape (n_patients,), or None
        NaN where unknown.
    kinds : dict
        Kind of each view with features, by name.
    provenance : dict
        What each view set aside as no feature (versions, settings, file names), by name.
    flow : Flow
    findings : tuple of Finding
        What reading and joining found; `omics.quality.findings` adds what the values show.
    """

    X: pd.DataFrame
    y: NDArray[Any]
    outcome: Outcome
    group: pd.Series
    centre: pd.Series | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, pd.DataFrame] = field(default_factory=dict)
    flow: Flow = field(default_factory=Flow)
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        parts = {"X": len(self.X), "y": len(self.y), "group": len(self.group)}
        if self.centre is not None:
            parts["centre"] = len(self.centre)
        if len(set(parts.values())) > 1:
            raise ValueError(f"one row per patient is needed in each of {parts}")

    def __repr__(self) -> str:
        views = len(self.kinds)
        external = [f"{name} {cohort.n_patients}" for name, cohort in self.external.items()]
        also = f" (external: {', '.join(external)})" if external else ""
        return (
            f"Cohort({self.n_patients} patients{also}, {self.n_events} "
            f"{'events' if is_survival(self.y) else 'positive'}, "
            f"{self.X.shape[1]} features in {views} view{'' if views == 1 else 's'})"
        )

    @property
    def n_patients(self) -> int:
        """Number of patients."""
        return len(self.X)

    @property
    def n_events(self) -> int:
        """Number of observed events, or of patients in the positive class."""
        return int((self.y["event"] if is_survival(self.y) else self.y).sum())

    @property
    def development(self) -> "Cohort":
        """The patients on whom models are developed."""
        return self.take(np.flatnonzero(self.group.to_numpy() == DEVELOPMENT))

    @property
    def external(self) -> "dict[str, Cohort]":
        """The external validation cohorts, by name, in the order of their names."""
        labels = self.group.to_numpy()
        names = sorted({str(label) for label in labels} - {DEVELOPMENT})
        return {name: self.take(np.flatnonzero(labels == name)) for name in names}

    def take(self, positions: ArrayLike) -> "Cohort":
        """Return the cohort of the patients at `positions`.

        Parameters
        ----------
        positions : array-like of int, of shape (n_taken,), or of bool, of shape (n_patients,)
            A position may come several times, as in a bootstrap sample: the copies of a patient
            share their id.

        Returns
        -------
        Cohort
            With the flow and the findings of the whole.
        """
        rows = np.asarray(positions)
        if rows.dtype == np.bool_:
            rows = np.flatnonzero(rows)
        index = self.X.index[rows]
        return replace(
            self,
            X=self.X.iloc[rows],
            y=self.y[rows],
            group=self.group.iloc[rows],
            centre=None if self.centre is None else self.centre.iloc[rows],
            provenance={
                name: table.loc[table.index.intersection(index, sort=False)]
                for name, table in self.provenance.items()
            },
        )

    @classmethod
    def join(
        cls,
        views: Sequence[View],
        *,
        outcome: SurvivalSpec | BinarySpec,
        cohorts: CohortsSpec | None = None,
        centre: str | None = None,
    ) -> "Cohort":
        """Join the views of a study by patient.

        Parameters
        ----------
        views : sequence of View
            One per table, as `read_table` gives them, each with the columns of the outcome, the
            cohort label and the centre that stand in it reserved (`reserved_columns`).
        outcome : SurvivalSpec or BinarySpec
        cohorts : CohortsSpec, optional
            By default all patients are development patients.
        centre : str, optional
            Column of the centre, `table:column`. A patient without one stays.

        Returns
        -------
        Cohort

        Raises
        ------
        StudyError
            If two tables share no patient, the outcome cannot be read as declared, a feature holds
            the outcome, or no patient is left.
        """
        views = tuple(views)
        _check_views(views)
        anchor = table_name(outcome.columns[0])
        known = read_outcome(outcome, views)
        groups = None if cohorts is None else _read_groups(cohorts, views)
        centres = None if centre is None else find_column(views, centre, role="centre")
        findings = _compare_all(views, anchor)

        reason = _reasons(views, known, groups, outcome=outcome, cohorts=cohorts)
        patients = pd.Index(sorted(reason.index[reason == ""]), name="patient", dtype=object)
        if patients.empty:
            raise StudyError(
                f"no patient is left: of {len(reason)} patients in {len(views)} tables, "
                f"{count_reasons(reason)}. Check the outcome, the cohort labels and the id columns."
            )
        group = _groups_of(patients, groups)
        y = outcome_arrays(outcome, known.loc[patients], group=group)
        X = _wide_table(views, patients)
        refuse_hidden_outcome(X, y, columns=[column_name(name) for name in outcome.columns])
        return cls(
            X=X,
            y=y,
            outcome=outcome.describe(),
            group=group,
            centre=None if centres is None else canonical_values(centres).reindex(patients),
            kinds={view.name: view.kind for view in views if view.table.shape[1]},
            provenance=_provenance(views, patients),
            flow=count_flow(views, reason),
            findings=(*reading_findings(views), *findings),
        )


def reserved_columns(
    *,
    outcome: SurvivalSpec | BinarySpec,
    cohorts: CohortsSpec | None = None,
    centre: str | None = None,
) -> dict[str, tuple[str, ...]]:
    """Say which columns each table must reserve: they are no features.

    Returns
    -------
    dict
        Columns by table, for `read_table(..., reserve=...)`.

    Examples
    --------
    >>> reserved_columns(outcome=BinarySpec(column="clinical:IDH", positive=1), centre="scans:Site")
    {'clinical': ('IDH',), 'scans': ('Site',)}
    """
    addresses = [*outcome.columns]
    addresses += [cohorts.column] if cohorts is not None else []
    addresses += [centre] if centre is not None else []
    columns: dict[str, tuple[str, ...]] = {}
    for address in dict.fromkeys(addresses):
        table = table_name(address)
        columns[table] = (*columns.get(table, ()), column_name(address))
    return columns


def _check_views(views: Sequence[View]) -> None:
    names = [view.name for view in views]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise StudyError(f"every table needs a name of its own, but {quoted(repeated)} repeats.")
    wrong = [name for name in names if ":" in name or not name]
    if wrong:
        raise StudyError(
            f"a table's name must hold no colon, but {wrong[0]!r} does: columns are named "
            "'table:column'. Rename the table."
        )
    if not any(view.table.shape[1] for view in views):
        raise StudyError(
            f"at least one table must hold features, but none of {quoted(names)} does. "
            "Declare a table with predictors."
        )


def _read_groups(cohorts: CohortsSpec, views: Sequence[View]) -> pd.DataFrame:
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


def _reasons(
    views: Sequence[View],
    known: pd.DataFrame,
    groups: pd.DataFrame | None,
    *,
    outcome: SurvivalSpec | BinarySpec,
    cohorts: CohortsSpec | None,
) -> pd.Series:
    """Say why a patient of any table is not in the cohort; empty for those who are."""
    everyone = pd.Index([], dtype=object)
    featured = pd.Index([], dtype=object)
    for view in views:
        everyone = everyone.union(patients_of(view), sort=False)
        if view.table.shape[1]:
            featured = featured.union(view.table.index, sort=False)
    reason = known["reason"].reindex(everyone)
    reason[reason.isna()] = f"no row in {table_name(outcome.columns[0])}"
    if groups is not None and cohorts is not None:
        label = groups["reason"].reindex(everyone)
        label[label.isna()] = f"no row in {table_name(cohorts.column)}"
        reason = reason.where(reason != "", label)
    no_view = ~reason.index.isin(featured)
    return reason.where((reason != "") | ~no_view, "in no table with features")


def _groups_of(patients: pd.Index, groups: pd.DataFrame | None) -> pd.Series:
    if groups is None:
        return pd.Series(DEVELOPMENT, index=patients, name="group", dtype=object)
    group = groups["group"].reindex(patients).astype(object).rename("group")
    if not (group == DEVELOPMENT).any():
        raise StudyError(
            f"at least one development patient is needed, but all {len(patients)} patients with a "
            "known outcome are in external cohorts. Check the labels of the development cohort."
        )
    return group


def _wide_table(views: Sequence[View], patients: pd.Index) -> pd.DataFrame:
    blocks = [
        view.table.reindex(patients).set_axis(
            [f"{view.name}:{feature}" for feature in view.table.columns], axis=1
        )
        for view in views
        if view.table.shape[1]
    ]
    X = pd.concat(blocks, axis=1)
    X.index.name = "patient"
    return X


def _provenance(views: Sequence[View], patients: pd.Index) -> dict[str, pd.DataFrame]:
    return {
        view.name: view.provenance.loc[view.provenance.index.intersection(patients)]
        for view in views
        if view.provenance.shape[1]
    }


def _compare_all(views: Sequence[View], anchor: str) -> list[Finding]:
    """Compare the ids of every table with those of the outcome's table."""
    ids = {view.name: patients_of(view) for view in views}
    left = (anchor, ids[anchor])
    found = [compare_ids(left, (name, ids[name])) for name in ids if name != anchor]
    return [finding for finding in found if finding]
