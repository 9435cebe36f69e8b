"""A long table of new patients, laid out by the functions that laid out the study's own.

Rows are chosen (`omics.chosen_rows`), timepoints compared (`omics.delta_tables`), rows spread
(`omics.long_tables`) or reduced (`omics.lesions`), in the order of `omics.tables.read_table`; cells
are read by `omics.new_patients`, so that all that does not agree is collected and named at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pandas as pd

from omics.chosen_rows import choose_rows
from omics.delta_tables import Timepoints, changes, take_timepoints
from omics.errors import Finding, StudyError
from omics.harmonise import CENTRE
from omics.lesions import reduce_lesions
from omics.long_tables import BAR, places_of, spread_rows
from omics.messages import counted, nearest, quoted
from omics.new_patients import PLACE, NewPatients, places_in, read_new_patients
from omics.patients import first_rows
from omics.radiomics import DELTA, total_name
from omics.radiomics_settings import compare_settings
from omics.reading import RawTable
from omics.row_specs import ReduceSpec
from omics.table_layout import GivenTable, added_columns, final_names
from omics.table_spec import IdRules, TableSpec
from omics.values import Unknown, read_numbers, read_texts, recode_texts, written

T = TypeVar("T")


@dataclass(frozen=True, eq=False, kw_only=True)
class _Laid:
    """Rows that are patients, or lesions to be reduced.

    `layout` is under their columns' names; `prefixes` are the sequences and regions that there are.
    """

    name: str
    title: str
    raw: RawTable
    layout: TableSpec
    prefixes: tuple[str, ...] = ()


def read_laid_out(
    table: GivenTable, layout: TableSpec, rules: Mapping[str, TableSpec], columns: Sequence[str]
) -> NewPatients:
    """Read the wanted columns of new patients from a long table.

    Parameters
    ----------
    table : GivenTable
        Its ids are those of patients.
    layout : TableSpec
        That of the table.
    rules : mapping of table to TableSpec
        From `omics.new_patients.reading_rules`.
    columns : sequence of str
        Wanted, each `table:feature`; `meta:centre` as well, if this table says it.

    Returns
    -------
    NewPatients

    Raises
    ------
    StudyError
        If a column of the layout is not there, no row is of a reader or timepoint that it names,
        a patient has several rows of one combination, or rows cannot be reduced.
    """
    raw = _chosen(table, layout)
    if CENTRE in columns:
        raw = _with_centre(raw, layout, rules, title=table.title)
    # ids are comparable already: a second run of their rules could change them
    layout = layout.model_copy(update={"id_rules": IdRules()})
    timepoints = None
    if layout.delta is not None:
        raw, layout, timepoints = take_timepoints(raw, layout, layout.delta, title=table.title)
    laid = _spread(raw, layout, table)
    if timepoints is not None:
        return _changes(laid, timepoints, rules, columns)
    if layout.reduce is not None:
        return _reduced(laid, layout.reduce, rules, columns)
    found = read_new_patients(laid.raw, rules, columns, title=laid.title)
    missing = {column: column.partition(":")[2] for column in found.missing}
    return replace(found, lacking=_lacking(laid, missing), findings=laid.raw.findings)


def _chosen(table: GivenTable, layout: TableSpec) -> RawTable:
    """Keep the rows that the study took: of one reader, where the file tells readers apart."""
    raw = table.raw
    held: dict[str, list[bool | int | float | str]] = {}
    for column in [name for name in layout.only if name in raw.cells]:
        values = raw.cells[column].map(written)
        held[column] = [v for v in layout.only[column] if written(v) in {*values}]
        if not held[column]:
            raise StudyError(
                f"{table.title}: the study took rows alone whose column {column!r} holds "
                f"{quoted(layout.only[column])}, but no row does: it holds {counted(values)}. Keep "
                "the rows to be scored and write there what the study has, or take the column out."
            )
    absent = [name for name in layout.only if name not in held]
    if absent:
        message = f"all rows were taken: the table has no column {quoted(absent)}, by which the "
        finding = Finding(
            code="rows_not_chosen",
            severity="note",
            where=table.name,
            message=f"{message}study took some of its rows alone",
        )
        raw = replace(raw, findings=(*raw.findings, finding))
    if not held:
        return raw
    spec = layout.model_copy(update={"only": held})
    return choose_rows(raw, spec, name=table.name, title=table.title)


def _with_centre(
    raw: RawTable, layout: TableSpec, rules: Mapping[str, TableSpec], *, title: str
) -> RawTable:
    """Name the column of the centre as models do, recoded as the study declares."""
    column = places_in(map(str, raw.cells.columns), [CENTRE], rules).get(CENTRE)
    if column is None:
        return raw
    cells = raw.cells.rename(columns={column: CENTRE})
    if column in layout.recode:
        texts, _ = read_texts(cells[CENTRE], unknown=Unknown.of(layout.unknown))
        cells[CENTRE], _ = recode_texts(texts, layout.recode[column], title=title)
    return replace(raw, cells=cells)


def _spread(raw: RawTable, layout: TableSpec, table: GivenTable) -> _Laid:
    if not layout.spread:
        return _Laid(name=table.name, title=table.title, raw=raw, layout=layout)
    first = next((c for c in raw.cells.columns if c not in {*layout.spread, CENTRE}), "")
    wide, layout = spread_rows(raw, layout, reserve=[CENTRE], name=table.name, title=table.title)
    names = [str(name) for name in wide.cells.columns]
    return _Laid(
        name=table.name,
        title=table.title,
        raw=wide,
        layout=layout,
        prefixes=tuple(n.removesuffix(first) for n in names if n.endswith(f"{BAR}{first}")),
    )


def _lacking(
    laid: _Laid, missing: Mapping[str, str], *, before: Sequence[str] = ("",)
) -> dict[str, str]:
    """Name the sequences and regions of which no row is, though the models need them."""
    there = quoted((prefix.removesuffix(BAR) for prefix in laid.prefixes), limit=20)
    found: dict[str, str] = {}
    for column, feature in missing.items():
        own = feature.rpartition(BAR)[2]
        for start in before if laid.prefixes else ():
            if not f"{start}{feature}".startswith(laid.prefixes):
                rows = f"{start}{feature.removesuffix(own)}".removesuffix(BAR)
                found[column.removesuffix(own)] = (
                    f"no row of the table is of {rows!r}; there are rows of {there}"
                )
    return found


def _changes(
    laid: _Laid, timepoints: Timepoints, rules: Mapping[str, TableSpec], columns: Sequence[str]
) -> NewPatients:
    """Read both timepoints of each feature, and take the first from the second."""
    ends = [f"{when}{BAR}" for when in (timepoints.spec.start, timepoints.spec.end)]
    wanted = {
        column: column.partition(":")[2].removeprefix(f"{DELTA}{BAR}")
        for column in columns
        if column != CENTRE
    }
    sides = {c: [f"{laid.name}:{end}{feature}" for end in ends] for c, feature in wanted.items()}
    aside = [column for column in columns if column == CENTRE]
    read = read_new_patients(
        laid.raw,
        {**rules, laid.name: _rules_of_sides(laid.layout)},
        [*(side for pair in sides.values() for side in pair), *aside],
        title=laid.title,
    )
    missing = [column for column, pair in sides.items() if {*pair} & {*read.missing}]
    there = [side for column, pair in sides.items() if column not in missing for side in pair]
    changed, findings = _differences(laid, timepoints, read, there)
    return replace(
        read,
        X=changed.join(read.X[aside]).reindex(columns=list(columns)),
        missing=(*missing, *(column for column in aside if column in read.missing)),
        wrong=_by_change(sides, read.wrong),
        unknown=_by_change(sides, read.unknown),
        lacking=_lacking(laid, {c: wanted[c] for c in missing}, before=ends),
        findings=(*laid.raw.findings, *findings),
    )


def _differences(
    laid: _Laid, timepoints: Timepoints, read: NewPatients, sides: Sequence[str]
) -> tuple[pd.DataFrame, tuple[Finding, ...]]:
    """Return the changes, a row for each patient read; NaN of who has none."""
    if not sides:
        return pd.DataFrame(index=read.X.index), ()
    names = [side.partition(":")[2] for side in sides]
    table = read.X[list(sides)].set_axis(names, axis=1)
    table = table.set_axis(pd.Index(read.ids, dtype=object, name="patient"), axis=0)
    changed, _, findings = changes(table, timepoints, known={}, name=laid.name, title=laid.title)
    whole = changed.reindex(list(read.ids)).set_axis(read.X.index, axis=0)
    return whole.add_prefix(f"{laid.name}:"), findings


def _rules_of_sides(layout: TableSpec) -> TableSpec:
    """Say how the cells of a timepoint are read: under final names, by codes for unknown, too."""
    recode = {layout.rename.get(name, name): mapping for name, mapping in layout.recode.items()}
    return TableSpec(
        path=PLACE,
        kind=layout.kind,
        decimal=layout.decimal,
        unknown=layout.unknown,
        rename=layout.rename,
        recode=recode,
    )


def _by_change(sides: Mapping[str, Sequence[str]], told: Mapping[str, T]) -> dict[str, T]:
    """Say of a change what is said of its first or else of its second value."""
    return {
        column: next(told[side] for side in pair if side in told)
        for column, pair in sides.items()
        if any(side in told for side in pair)
    }


def _reduced(
    laid: _Laid, spec: ReduceSpec, rules: Mapping[str, TableSpec], columns: Sequence[str]
) -> NewPatients:
    """Read the rows of all lesions, and make one row per patient of them."""
    raw, prefix = laid.raw, f"{laid.name}:"
    added = {f"{prefix}{name}" for name in added_columns(laid.layout)}
    of_total = {total_name(x): f"{prefix}{x}" for x in final_names(laid.layout, spec.total)}
    own = rules.get(laid.name, TableSpec(path=PLACE, kind=laid.layout.kind))
    own = own.model_copy(update={"rename": own.rename | laid.layout.rename})
    asked = list(dict.fromkeys([*(c for c in columns if c not in added), *of_total.values()]))
    rows = replace(raw, ids=np.arange(len(raw.ids)).astype(object))
    read = read_new_patients(rows, {**rules, laid.name: own}, asked, title=laid.title)
    compare_settings(
        {laid.name: read.provenance},
        may_differ=[laid.name] if laid.layout.different_settings else [],
    )
    patients = pd.Series(raw.ids, index=raw.cells.index, dtype=object)
    there = read.X.drop(columns=list(read.missing))
    table = reduce_lesions(
        there.rename(columns=lambda name: str(name).removeprefix(prefix)),
        patients,
        by=spec.way,
        size=_size(laid, spec),
        total=[name.removeprefix(prefix) for name in of_total.values() if name in there],
        count=spec.count,
        title=laid.title,
    )
    final = {column.removeprefix(prefix): column for column in columns}
    gone = {*read.missing, *(f"{prefix}{t}" for t, x in of_total.items() if x in read.missing)}
    wrong = {f"{prefix}{t}": read.wrong[x] for t, x in of_total.items() if x in read.wrong}
    return replace(
        read,
        X=table.rename(columns=final)
        .set_axis(places_of(raw.cells.index, pd.factorize(patients)[0]), axis=0)
        .reindex(columns=list(columns)),
        ids=tuple(map(str, table.index)),
        missing=tuple(column for column in columns if column in gone),
        wrong={**read.wrong, **wrong},
        provenance=read.provenance.iloc[first_rows(patients)],
        findings=raw.findings,
    )


def _size(laid: _Laid, spec: ReduceSpec) -> "pd.Series[float] | None":
    """Read the column that picks or weights the rows of a patient."""
    if spec.size is None:
        return None
    layout, names = laid.layout, [str(name) for name in laid.raw.cells.columns]
    same = [spec.size, *(old for old, new in layout.rename.items() if new == spec.size)]
    column = next((name for name in same if name in names), None)
    if column is None:
        raise StudyError(
            f"{laid.title}: reduce needs column {spec.size!r} to make one row of the several that "
            f"a patient has, but the table has none of that name. {nearest(spec.size, names)}"
        )
    table, _ = read_numbers(
        laid.raw.cells[[column]],
        title=laid.title,
        decimal=layout.decimal,
        unknown=Unknown.of(layout.unknown),
        cure=lambda name: f"reduce needs numbers in {name!r}: correct the file.",
    )
    return table[column]
