"""New patients from the tables of a study, each as it was written, joined by their ids.

One table may be wide, with columns of any of the study's tables; every other is one of these, and
long where the study's own was (`omics.table_layout`). Patients are those of any table, as in a
study: who has no row in one of them has missing values there, and that is told.

Considered and rejected: to guess the layout from the columns of a new file, because `region` may be
a feature, and only the study says which sequences and timepoints make its columns.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from omics.centres import META, study_column
from omics.errors import Finding, StudyError
from omics.harmonise import CENTRE
from omics.laid_rows import read_laid_out
from omics.messages import nearest, quoted
from omics.new_patients import NewPatients, places_in, read_new_patients, refuse_nameless
from omics.patients import read_ids
from omics.table_layout import GivenTable, apart, is_long
from omics.table_spec import TableSpec


def read_new_tables(
    given: Sequence[GivenTable],
    rules: Mapping[str, TableSpec],
    columns: Sequence[str],
    *,
    optional: Collection[str] = (),
) -> NewPatients:
    """Read the wanted columns of new patients.

    Parameters
    ----------
    given : sequence of GivenTable
        At most one of them without a name.
    rules : mapping of table to TableSpec
        How cells are read, from `omics.new_patients.reading_rules`.
    columns : sequence of str
        Wanted, each `table:feature`.
    optional : collection of str
        Columns whose table may be absent as a whole.

    Returns
    -------
    NewPatients
        In the order in which they first come.

    Raises
    ------
    StudyError
        If a table is none that the models read, its rows cannot be laid out as the study's were, a
        row has no id, or an id stands twice.
    """
    _check_names(given, rules)
    named = {table.name for table in given}
    of_centre = _centre_table(given, rules)
    parts = []
    for table in given:
        mine = [
            column
            for column in columns
            if (table is of_centre if column == CENTRE else _holds(table, column, named))
        ]
        tables = {column.partition(":")[0] for column in mine}
        own = {name: spec for name, spec in rules.items() if name in tables}
        parts.append(_read(table, own, mine, optional=optional))
    asked = {column for part in parts for column in part.X.columns}
    found = parts[0] if len(parts) == 1 else _joined(given, parts)
    found = _with_absent(found, [c for c in columns if c not in asked], optional)
    return replace(found, X=found.X.reindex(columns=list(columns)))


def _check_names(given: Sequence[GivenTable], rules: Mapping[str, TableSpec]) -> None:
    owner = study_column(rules).partition(":")[0]  # of the centre: models may read nothing else
    known = [name for name in dict.fromkeys([*rules, owner]) if name != META]
    names = [table.name for table in given]
    for name in filter(None, names):
        if name not in known:
            raise StudyError(
                f"a table of new patients must be one that the models read, but {name!r} is none. "
                f"{nearest(name, known)}"
            )
        if names.count(name) > 1:
            raise StudyError(
                f"every table must be given once, but {name!r} came {names.count(name)} times. "
                "Join the files first."
            )


def _holds(table: GivenTable, column: str, named: Collection[str]) -> bool:
    owner = column.partition(":")[0]
    return owner == table.name if table.name else owner not in named


def _centre_table(given: Sequence[GivenTable], rules: Mapping[str, TableSpec]) -> GivenTable | None:
    """Find the table that says the centre: the one that says it in the study, or the first."""
    if META not in rules:
        return None
    owner = study_column(rules).partition(":")[0]
    first = sorted(given, key=lambda table: (table.name != owner, table.name != ""))
    return next((one for one in first if places_in(one.columns, [CENTRE], rules)), first[0])


def _read(
    table: GivenTable,
    rules: Mapping[str, TableSpec],
    columns: Sequence[str],
    *,
    optional: Collection[str],
) -> NewPatients:
    layout = table.layout
    features = [column for column in columns if column != CENTRE]
    if layout is not None:
        ids = read_ids(table.raw.ids, layout.id_rules, title=table.title)
        refuse_nameless(ids, table.raw, title=table.title)
        if is_long(table, rules, features):
            patients = replace(table, raw=replace(table.raw, ids=ids))
            return read_laid_out(patients, layout, rules, columns)
        _refuse_neither(table, layout, rules, features)
        table = replace(table, raw=replace(table.raw, ids=ids))
    elif table.name and not places_in(table.columns, features, rules):
        raise StudyError(
            f"{table.title}: the passport does not say how rows of table {table.name!r} become "
            "patients (it was written by an earlier version, or the table is read with further "
            "files), and the table has no column that the models read. Give one row per patient, "
            "or run the study again."
        )
    return read_new_patients(table.raw, rules, columns, optional=optional, title=table.title)


def _refuse_neither(
    table: GivenTable, layout: TableSpec, rules: Mapping[str, TableSpec], columns: Sequence[str]
) -> None:
    """Refuse a table without the columns that tell rows apart, and without what they make."""
    if apart(layout) and columns and not places_in(table.columns, columns, rules):
        raise StudyError(
            f"{table.title}: the table must have the columns {quoted(apart(layout))}, which tell "
            "the rows of one patient apart, or one row per patient and columns such as "
            f"{columns[0].partition(':')[2]!r}, but has neither among its {len(table.columns)} "
            "columns. Fill these columns in the manifest of the extraction, or in the file."
        )


def _joined(given: Sequence[GivenTable], parts: Sequence[NewPatients]) -> NewPatients:
    """Lay the tables beside each other, patient by patient."""
    places: dict[str, str] = {}
    for table, part in zip(given, parts, strict=True):
        for identifier, place in zip(part.ids, part.X.index, strict=True):
            places.setdefault(identifier, f"{place} of {table.title}")
    ids = pd.Index(list(places), dtype=object)

    def laid(frame: pd.DataFrame, part: NewPatients) -> pd.DataFrame:
        own = frame.set_axis(pd.Index(part.ids, dtype=object), axis=0)
        return own.reindex(ids).set_axis(list(places.values()), axis=0)

    told = [
        laid(part.provenance.add_prefix(f"{table.name}|"), part)
        for table, part in zip(given, parts, strict=True)
    ]
    return NewPatients(
        X=pd.concat([laid(part.X, part) for part in parts], axis=1),
        ids=tuple(places),
        missing=tuple(column for part in parts for column in part.missing),
        absent=tuple(table for part in parts for table in part.absent),
        extra=tuple(column for part in parts for column in part.extra),
        wrong={column: text for part in parts for column, text in part.wrong.items()},
        unknown={column: count for part in parts for column, count in part.unknown.items()},
        provenance=pd.concat(told, axis=1),
        lacking={start: text for part in parts for start, text in part.lacking.items()},
        findings=(
            *(finding for part in parts for finding in part.findings),
            *(
                _without_row(table, places, part)
                for table, part in zip(given, parts, strict=True)
                if len(part.ids) < len(ids)
            ),
        ),
    )


def _without_row(table: GivenTable, places: Mapping[str, str], part: NewPatients) -> Finding:
    own = {*part.ids}
    lost = [place for identifier, place in places.items() if identifier not in own]
    return Finding(
        code="no_row",
        severity="caution",
        where=table.name,
        message=f"{len(lost)} of {len(places)} patients have no row in {table.title} (first: "
        f"{lost[0]}): all of its columns are missing of them",
    )


def _with_absent(found: NewPatients, rest: Sequence[str], optional: Collection[str]) -> NewPatients:
    """Say which tables were not given, and whether models can do without."""
    absent, lacking = list(found.absent), dict(found.lacking)
    for table in dict.fromkeys(column.partition(":")[0] for column in rest):
        if {c for c in rest if c.startswith(f"{table}:")} <= {*optional}:
            absent.append(table)
        else:
            lacking[f"{table}:"] = "the table was not given"
    missing = [column for column in rest if column.partition(":")[0] not in absent]
    return replace(found, absent=tuple(absent), missing=(*found.missing, *missing), lacking=lacking)
