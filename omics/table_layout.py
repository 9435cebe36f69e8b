"""How the rows of a study's table become patients, kept for tables of new patients.

`nomomics extract` writes one row per region, sequence and timepoint, of which a study makes one
row per patient by `only`, `spread`, `delta` and `reduce`. These options, the *layout* of a table,
travel with the models, so that a new file can be given as it was written. A file that has one row
per patient already is told by its columns, and taken as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from omics.new_patients import places_in
from omics.patients import read_ids
from omics.radiomics import total_name
from omics.reading import RawTable
from omics.table_spec import TEXT_SUFFIXES, TableSpec, suffix

_CARRIED = {
    *("kind", "decimal", "unknown", "patients", "id", "id_rules", "repeated", "comment"),
    *("separator", "sheet", "modality", "obs", "only", "spread", "delta", "reduce"),
    *("rename", "recode", "different_settings"),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class GivenTable:
    """A table of new patients, before anything is made of it.

    Attributes
    ----------
    raw : RawTable
        Cells as written.
    title : str
        How messages name it.
    name : str
        That of the study's table; empty for a wide table with columns of any.
    layout : TableSpec or None
        From `layout_of`; None where it is not known: one row per patient is needed then.
    """

    raw: RawTable
    title: str
    name: str = ""
    layout: TableSpec | None = None

    @property
    def columns(self) -> list[str]:
        """The names in the file, that of the ids aside."""
        return [str(name) for name in self.raw.cells.columns]


def layout_of(spec: TableSpec) -> TableSpec | None:
    """Keep, of a table's description, how a file of it becomes one row per patient.

    Parameters
    ----------
    spec : TableSpec
        As the study declares it.

    Returns
    -------
    TableSpec or None
        Without its path, and without what says which columns are features. None for a MAF and for
        a table of samples, which are read with further files.

    Examples
    --------
    >>> spec = TableSpec(path="ours/a.parquet", kind="radiomics", id="patient", drop=["note"],
    ...                  spread=["sequence", "region"])
    >>> layout = layout_of(spec)
    >>> layout.path.name, layout.id, layout.spread, layout.drop
    ('new.parquet', 'patient', ['sequence', 'region'], [])
    """
    if spec.layout == "maf" or spec.sample_map is not None:
        return None
    kept = spec.model_dump(include=_CARRIED, exclude_defaults=True)
    return TableSpec(**kept | {"kind": spec.kind, "path": Path(f"new{suffix(spec.path)}")})


def layout_at(layout: TableSpec, path: Path) -> TableSpec:
    """Let a layout stand for a file; options of other kinds of files are left out.

    Examples
    --------
    >>> layout = TableSpec(path="new.csv", kind="radiomics", separator=";", spread=["region"])
    >>> at = layout_at(layout, Path("theirs.parquet"))
    >>> at.separator, at.spread
    (None, ['region'])
    """
    ending = suffix(path)
    unfit = {
        *(("separator",) if ending != suffix(layout.path) else ()),
        *(("comment",) if ending not in TEXT_SUFFIXES else ()),
        *(("sheet",) if ending != ".xlsx" else ()),
        *(("modality", "obs") if ending != ".h5mu" else ()),
    }
    kept = layout.model_dump(exclude=unfit, exclude_defaults=True)
    return TableSpec(**kept | {"path": path})


def apart(layout: TableSpec) -> list[str]:
    """Name the columns that tell the rows of one patient apart."""
    return [*([layout.delta.column] if layout.delta is not None else []), *layout.spread]


def final_names(layout: TableSpec, names: Sequence[str]) -> list[str]:
    """Name columns of the file as features are called."""
    return [layout.rename.get(name, name) for name in names]


def is_long(table: GivenTable, rules: Mapping[str, TableSpec], columns: Sequence[str]) -> bool:
    """Tell whether the rows of a table must be laid out, and are no patients yet.

    Parameters
    ----------
    table : GivenTable
        With a layout.
    rules, columns
        As `omics.new_patients.read_new_patients` takes them, of this table.
    """
    layout, there = table.layout, {*table.columns}
    if layout is None:
        return False
    if apart(layout):
        wide = places_in(there, columns, rules)
        return not wide and any(column in there for column in apart(layout))
    if any(column in there for column in layout.only):
        return True
    if layout.reduce is None:
        return False
    return _has_several(table, layout) or not added_columns(layout) <= there


def has_several_rows(
    table: GivenTable, rules: Mapping[str, TableSpec], columns: Sequence[str]
) -> bool:
    """Tell whether a table that was given as a wide one is long, as that of a layout.

    Parameters
    ----------
    table : GivenTable
        With the layout; its ids may have been taken from another column.
    rules, columns
        As `is_long` takes them.
    """
    layout, there = table.layout, {*table.columns, table.raw.id_name}
    if layout is None or (layout.id is not None and layout.id not in there):
        return False
    if apart(layout):
        return {*apart(layout)} <= there and not places_in(there, columns, rules)
    same = layout.id is None or layout.id == table.raw.id_name
    return layout.reduce is not None and same and _has_several(table, layout)


def _has_several(table: GivenTable, layout: TableSpec) -> bool:
    ids = pd.Series(read_ids(table.raw.ids, layout.id_rules, title=table.title), dtype=object)
    return bool(ids.dropna().duplicated().any())


def added_columns(layout: TableSpec) -> set[str]:
    """Name the columns that `reduce` adds to those of the file."""
    if layout.reduce is None:
        return set()
    totals = [total_name(name) for name in final_names(layout, layout.reduce.total)]
    return {*totals, *([layout.reduce.count] if layout.reduce.count is not None else [])}
