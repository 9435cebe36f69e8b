"""One cohort from many tables: views, outcome, centre and cohort labels of the same patients.

A patient is in the cohort when the outcome is known, the cohort label is declared, and at least one
table with features has a row of theirs. A missing view is a block of NaN, and the patient stays.
Patients stand in the order of their ids, so that the order of rows in a file changes no result.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from omics.canonical import canonical_values
from omics.cohort_flow import Flow, count_flow, count_reasons, patients_of, reading_findings
from omics.cohort_labels import DEVELOPMENT, CohortsSpec, groups_of, read_groups
from omics.errors import Finding, StudyError
from omics.identifiers import compare_ids
from omics.leaks import refuse_hidden_outcome
from omics.messages import quoted
from omics.moment import Moment
from omics.outcome import (
    BinarySpec,
    Outcome,
    SurvivalSpec,
    column_name,
    is_survival,
    table_name,
)
from omics.outcome_columns import (
    find_column,
    outcome_arrays,
    outcome_cause,
    outcome_findings,
    read_outcome,
)
from omics.radiomics_settings import CODES, compare_settings
from omics.tables import View

__all__ = ["DEVELOPMENT", "Cohort", "CohortsSpec", "reserved_columns"]


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
    cause : Series of shape (n_patients,), or None
        What ended follow-up, where the study declares a competing event: 0 censored, 1 the event,
        2 another one before it, in `y` censored too.
    kinds : dict
        Kind of each view with features, by name.
    known : dict
        When each column of `X` is known, where the study states that.
    provenance : dict
        What each view set aside as no feature (versions, settings, file names), by name.
    flow : Flow
    different_settings : frozenset of str
        Views whose radiomics features may have been extracted with different settings.
    findings : tuple of Finding
        What reading and joining found; `omics.quality.findings` adds what the values show.
    """

    X: pd.DataFrame
    y: NDArray[Any]
    outcome: Outcome
    group: pd.Series
    centre: pd.Series | None = None
    cause: "pd.Series[int] | None" = None
    kinds: dict[str, str] = field(default_factory=dict)
    known: dict[str, Moment] = field(default_factory=dict)
    provenance: dict[str, pd.DataFrame] = field(default_factory=dict)
    flow: Flow = field(default_factory=Flow)
    different_settings: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        parts = {"X": len(self.X), "y": len(self.y), "group": len(self.group)}
        if self.centre is not None:
            parts["centre"] = len(self.centre)
        if self.cause is not None:
            parts["cause"] = len(self.cause)
        if len(set(parts.values())) > 1:
            raise ValueError(f"one row per patient is needed in each of {parts}")

    def __repr__(self) -> str:
        views = len(self.kinds)
        external = [f"{name} {cohort.n_patients}" for name, cohort in self.external.items()]
        also = f" (external: {', '.join(external)})" if external else ""
        return (
            f"Cohort({self.n_patients} patients{also}, {self.n_events} "
            f"{'events' if is_survival(self.y) else 'positive'}, "
            f"{self.n_features} features in {views} view{'' if views == 1 else 's'})"
        )

    @property
    def n_patients(self) -> int:
        """Number of patients."""
        return len(self.X)

    @property
    def n_features(self) -> int:
        """Number of columns that stand in a view; the column of the centre is none."""
        return sum(str(name).partition(":")[0] in self.kinds for name in self.X.columns)

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
            cause=None if self.cause is None else self.cause.iloc[rows],
            provenance={
                name: table.loc[table.index.intersection(index, sort=False)]
                for name, table in self.provenance.items()
            },
        )

    def with_external(self, name: str, other: "Cohort") -> "Cohort":
        """Return this cohort with the patients of another one as external validation cohort.

        Parameters
        ----------
        name : str
            Of the external cohort.
        other : Cohort
            Joined from tables of the same columns and outcome; whatever its own labels are, all of
            its patients become the external cohort `name`.

        Returns
        -------
        Cohort
            `other`'s tables follow in the flow, as `table (name)`.

        Raises
        ------
        StudyError
            If the name is taken, a patient is in both, columns or levels differ, or radiomics
            features were extracted with different settings.
        """
        if name == DEVELOPMENT or name in set(self.group):
            raise StudyError(f"the external cohort {name!r} needs a name that is not taken yet.")
        both = self.X.index.intersection(other.X.index)
        if len(both):
            raise StudyError(
                f"an external cohort must hold other patients, but {len(both)} of "
                f"{other.n_patients} ids of {name!r} are in the study already (first: "
                f"{quoted(list(both[:3]))}). Take them out of one of the two."
            )
        _check_same_columns(self.X, other.X, name)
        centre = None
        if self.centre is not None and other.centre is not None:
            centre = pd.concat([self.centre, other.centre])
        cause = None
        if self.cause is not None and other.cause is not None:
            cause = pd.concat([self.cause, other.cause])
        theirs = pd.Series(name, index=other.X.index, name="group", dtype=object)
        group = pd.concat([self.group, theirs])
        provenance = {
            view: pd.concat([p[view] for p in (self.provenance, other.provenance) if view in p])
            for view in {**self.provenance, **other.provenance}
        }
        different = self.different_settings | other.different_settings
        found = compare_settings(provenance, cohort=group, may_differ=different)
        findings = [
            *self.findings,
            *(replace(item, where=f"{item.where} ({name})") for item in other.findings),
        ]
        return replace(
            self,
            X=pd.concat([self.X, other.X[self.X.columns]]),
            y=np.concatenate([self.y, other.y]),
            group=group,
            centre=centre,
            cause=cause,
            provenance=provenance,
            flow=self.flow.followed_by(name, other.flow),
            different_settings=different,
            findings=(*(item for item in findings if item.code not in CODES), *found),
        )

    @classmethod
    def join(
        cls,
        views: Sequence[View],
        *,
        outcome: SurvivalSpec | BinarySpec,
        cohorts: CohortsSpec | None = None,
        centre: str | None = None,
        external: bool = False,
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
        external : bool
            True for tables of a second cohort, to be added by `with_external`: nobody there need
            have had a competing event.

        Returns
        -------
        Cohort

        Raises
        ------
        StudyError
            If two tables share no patient, the outcome cannot be read as declared, a feature holds
            the outcome, radiomics features were extracted with different settings, or no patient
            is left.
        """
        views = tuple(views)
        _check_views(views)
        anchor = table_name(outcome.columns[0])
        known = read_outcome(outcome, views, external=external)
        groups = None if cohorts is None else read_groups(cohorts, views)
        centres = None if centre is None else find_column(views, centre, role="centre")
        findings = [*_compare_all(views, anchor), *outcome_findings(outcome, known, views)]

        reason = _reasons(views, known, groups, outcome=outcome, cohorts=cohorts)
        patients = pd.Index(sorted(reason.index[reason == ""]), name="patient", dtype=object)
        if patients.empty:
            raise StudyError(
                f"no patient is left: of {len(reason)} patients in {len(views)} tables, "
                f"{count_reasons(reason)}. Check the outcome, the cohort labels and the id columns."
            )
        group = groups_of(patients, groups)
        y = outcome_arrays(outcome, known.loc[patients], group=group)
        X = _wide_table(views, patients)
        refuse_hidden_outcome(X, y, columns=[column_name(name) for name in outcome.columns])
        provenance = _provenance(views, patients)
        different = frozenset(view.name for view in views if view.different_settings)
        findings += compare_settings(provenance, cohort=group, may_differ=different)
        return cls(
            X=X,
            y=y,
            outcome=outcome.describe(),
            group=group,
            centre=None
            if centres is None
            else canonical_values(centres).reindex(patients).rename(centre),
            cause=outcome_cause(outcome, known.loc[patients]),
            kinds={view.name: view.kind for view in views if view.table.shape[1]},
            known={
                f"{view.name}:{feature}": moment
                for view in views
                for feature, moment in view.known.items()
            },
            provenance=provenance,
            flow=count_flow(views, reason),
            different_settings=different,
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


def _check_same_columns(ours: pd.DataFrame, theirs: pd.DataFrame, name: str) -> None:
    """Refuse another cohort whose columns or levels are not those of the study."""
    lacking = [column for column in ours.columns if column not in theirs.columns]
    if lacking:
        raise StudyError(
            f"the external cohort {name!r} must have the study's columns, but {len(lacking)} of "
            f"{ours.shape[1]} are absent (first: {quoted(lacking[:3])}). Add them, empty where "
            "they were not measured, or drop them in the study."
        )
    for column in ours.columns:
        if ours[column].dtype != theirs[column].dtype:
            raise StudyError(
                f"column {column!r} must be read alike in the study and in the external cohort "
                f"{name!r}, but its levels or its type differ. State all levels in categories."
            )


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
