"""Where each patient was examined, as a column that only harmonisation reads.

A cohort keeps the centre beside its wide table, since it predicts nothing. Harmonisation is learned
inside every resample, where a pipeline sees the wide table alone: for it the centre joins the table
as `meta:centre`, a category. No table may be called `meta`, no pattern of predictors names it, and
what describes a cohort goes by its tables, so that nothing else meets the column. New patients
bring it under this name, or under that of the study's own column.

Considered and rejected: the centre beside X through scikit-learn's metadata routing, because every
call of `fit`, `transform`, `risk` and of each metric would have to carry it.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd
from sklearn.base import clone

from omics.cohort import Cohort
from omics.errors import FitError, StudyError
from omics.harmonise import CENTRE, ComBat
from omics.messages import nearest, quoted
from omics.table_spec import TableSpec

META = CENTRE.partition(":")[0]


def with_centre(cohort: Cohort) -> Cohort:
    """Let the centre stand in the wide table, as `meta:centre`.

    Raises
    ------
    StudyError
        If the cohort has no centre.
    """
    if cohort.centre is None:
        raise StudyError(
            "harmonisation needs the centre of each patient, but the cohort has none. Declare "
            "centre = 'table:column' in the study."
        )
    names = sorted({str(name) for name in cohort.centre.dropna()})
    column = pd.Categorical([None if pd.isna(c) else str(c) for c in cohort.centre], names)
    return replace(cohort, X=cohort.X.assign(**{CENTRE: column}))


def centre_rules(address: str) -> TableSpec:
    """Say how new patients name their centre: `meta:centre`, or as the study's column.

    Examples
    --------
    >>> sorted(centre_rules("clinical:Site").rename)
    ['Site', 'clinical:Site']
    """
    short = address.partition(":")[2]
    names = {address: "centre"} | ({} if short == "centre" else {short: "centre"})
    return TableSpec(path=Path("new.csv"), kind="clinical", rename=names)


def study_column(rules: Mapping[str, TableSpec]) -> str:
    """Name the column of the centre as the study does, where it says so.

    Parameters
    ----------
    rules : mapping of table to TableSpec
        How new patients are read; that of `meta` as `centre_rules` gives it.

    Examples
    --------
    >>> study_column({"meta": centre_rules("clinical:Site")}), study_column({})
    ('clinical:Site', 'meta:centre')
    """
    named = rules[META].rename if META in rules else {}
    return next((name for name in named if ":" in name), CENTRE)


def in_words_of(cohort: Cohort, text: str) -> str:
    """Write a message about the centre with the column's name in the study."""
    name = None if cohort.centre is None else cohort.centre.name
    return text if name is None else text.replace(repr(CENTRE), repr(str(name)))


def check_harmonised(cohort: Cohort, combat: ComBat) -> None:
    """Refuse what cannot be harmonised as declared, before anything is learned.

    Parameters
    ----------
    cohort : Cohort
        With its centre in the wide table.
    combat : ComBat
        Not fitted.

    Raises
    ------
    StudyError
        If a table, covariate or reference is not there, a table holds mutations, the centre or a
        covariate is unknown of a patient with values, there is one centre only, one with a single
        patient (unless shifts alone are taken out), or a covariate follows from the centre; or if
        the policy for new centres refuses patients of an external cohort.
    """
    _check_columns(cohort, combat)
    try:
        fitted = clone(combat).set_params(mean_only=True).fit(cohort.development.X)
    except (FitError, ValueError) as error:
        raise StudyError(f"[harmonise] {in_words_of(cohort, str(error))}") from error
    single = [name for name, n in fitted.n_patients_.items() if n == 1]
    if single and not combat.mean_only:
        raise StudyError(
            "[harmonise] every centre must have two patients or more for its scale, but "
            f"{len(single)} of {len(fitted.n_patients_)} have one ({quoted(single)}). Join "
            "centres, leave them out, or state mean_only = true."
        )
    for name, other in cohort.external.items():
        if fitted.refused(other.X).any():
            raise StudyError(f"[harmonise] external cohort {name!r}: {fitted.why_refused(other.X)}")


def _check_columns(cohort: Cohort, combat: ComBat) -> None:
    """Refuse tables without features or of mutations, and columns that are not there."""
    for table in combat.tables:
        if table not in cohort.kinds:
            raise StudyError(
                f"[harmonise] tables: {table!r} holds no features. {nearest(table, cohort.kinds)}"
            )
        if cohort.kinds[table] == "mutations":
            raise StudyError(
                f"[harmonise] tables: {table!r} holds mutations, which are there or not and must "
                "not be shifted. Take it out of tables."
            )
    for name in combat.covariates:
        if name not in cohort.X:
            raise StudyError(
                f"[harmonise] covariates: no column is named {name!r}. "
                f"{nearest(name, map(str, cohort.X.columns))}"
            )
    if combat.centre == CENTRE and CENTRE not in cohort.X:
        raise StudyError(
            f"[harmonise] the wide table must hold the centre as {CENTRE!r}, but lacks it. Add it: "
            "omics.centres.with_centre(cohort)."
        )
