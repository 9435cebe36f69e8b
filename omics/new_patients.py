"""New patients in one wide table, read cell by cell as the tables of the study were.

The file of a new cohort has one row per patient and columns `table:feature`, or `feature` alone
where no other table has one of that name. Codes for "unknown", recodes, levels, units, transforms
and the decimal sign are those the study declared. What does not agree is collected, column by
column, so that all of it can be shown at once; whether it is refused is for the models to say.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from omics.canonical import canonical_values
from omics.errors import StudyError
from omics.features import Features, read_features
from omics.harmonise import CENTRE
from omics.messages import counted, quoted
from omics.patients import read_ids
from omics.radiomics_settings import states_settings
from omics.reading import RawTable
from omics.table_plan import plan_table
from omics.table_spec import IdRules, Kind, TableSpec
from omics.values import Unknown, read_numbers, read_texts, written

PLACE = Path("new.csv")  # rules are kept without the study's own files


@dataclass(frozen=True, eq=False, kw_only=True)
class NewPatients:
    """Patients to be scored, as read.

    Attributes
    ----------
    X : DataFrame of shape (n_patients, n_columns)
        The wanted columns `table:feature` in the order asked; NaN where missing. Its index says
        where each row stands (`row 7`).
    ids : tuple of str
    missing : tuple of str
        Wanted columns that the file lacks, those of absent tables aside.
    absent : tuple of str
        Tables of which the file holds no column, and need not.
    extra : tuple of str
        Columns of the file that are not looked at.
    wrong : dict of column to str
        Columns with cells that cannot be read as the study declares, and why.
    unknown : dict of column to int
        Values that a declared code made missing.
    provenance : DataFrame
        What the file says of how its radiomics features were made, one row per patient.
    """

    X: pd.DataFrame
    ids: tuple[str, ...]
    missing: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    wrong: Mapping[str, str]
    unknown: Mapping[str, int]
    provenance: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __repr__(self) -> str:
        return f"NewPatients({len(self.ids)} patients, {self.X.shape[1]} columns)"

    def take(self, positions: Sequence[int]) -> "NewPatients":
        """Return the patients at `positions`."""
        rows = list(positions)
        return replace(
            self,
            X=self.X.iloc[rows],
            ids=tuple(self.ids[row] for row in rows),
            provenance=self.provenance.iloc[rows],
        )


def reading_rules(spec: TableSpec, table: pd.DataFrame) -> TableSpec:
    """Keep, of a table's description, how the cells of some features are read.

    Parameters
    ----------
    spec : TableSpec
        As the study declares it.
    table : DataFrame of shape (n_patients, n_features)
        The features, as read; the levels of a category are those it has here.

    Returns
    -------
    TableSpec
        Under final names, levels written out, without the file it was read from.

    Examples
    --------
    >>> spec = TableSpec(path="a.csv", kind="clinical", unknown=[-99], columns=["Sex", "KPS"],
    ...                  categories={"Sex": "male"})
    >>> sex = pd.Categorical(["male", "female"], categories=["male", "female"])
    >>> rules = reading_rules(spec, pd.DataFrame({"Sex": sex}))
    >>> rules.categories, rules.unknown, rules.columns
    ({'Sex': ['male', 'female']}, [-99], None)
    """
    final = spec.rename
    recode = {final.get(name, name): mapping for name, mapping in spec.recode.items()}
    transform = {final.get(name, name): value for name, value in spec.transform.items()}
    unit = {final.get(name, name): value for name, value in spec.unit.items()}
    return TableSpec(
        path=PLACE,
        kind=spec.kind,
        decimal=spec.decimal,
        unknown=[] if spec.delta is not None else spec.unknown,  # a change may be -99 in earnest
        rename={old: new for old, new in final.items() if new in table.columns},
        recode={name: recode[name] for name in table.columns if name in recode},
        categories=_levels(table),
        transform={
            name: t for name, t in transform.items() if name in table.columns or name == "*"
        },
        unit={name: unit[name] for name in table.columns if name in unit},
    )


def plain_rules(table: pd.DataFrame) -> TableSpec:
    """Say how features are read that no study file describes: numbers, and levels as they are."""
    levels = _levels(table)
    kind: Kind = "clinical" if levels else "features"
    return TableSpec(path=PLACE, kind=kind, categories=levels)


def _levels(table: pd.DataFrame) -> dict[str, str | list[bool | int | float | str]]:
    return {
        str(name): [str(level) for level in column.cat.categories]
        for name, column in table.items()
        if isinstance(column.dtype, pd.CategoricalDtype)
    }


def raw_table(table: pd.DataFrame, *, id: str | None = None) -> RawTable:
    """Take a table in memory for a file: row 1 is its first row.

    Parameters
    ----------
    table : DataFrame of shape (n_patients, n_columns)
    id : str, optional
        The column of ids; by default the index.
    """
    names = [str(name) for name in table.columns]
    cells = table.set_axis(names, axis=1).astype(object)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise StudyError(
            f"table must name each column once, but {twice!r} comes twice. Rename one."
        )
    if id is not None and id not in names:
        raise StudyError(f"table must hold the id column {id!r}, but has {quoted(names)}.")
    ids = np.asarray(cells.index if id is None else cells.pop(id), dtype=object)
    places = [f"row {number}" for number in range(1, len(cells) + 1)]
    return RawTable(cells=cells.set_axis(places, axis=0), ids=ids, id_name=id or "index")


def read_new_patients(
    raw: RawTable,
    rules: Mapping[str, TableSpec],
    columns: Sequence[str],
    *,
    optional: Collection[str] = (),
    title: str,
) -> NewPatients:
    """Read the wanted columns of new patients.

    Parameters
    ----------
    raw : RawTable
        Cells as written.
    rules : mapping of table to TableSpec
        From `reading_rules`.
    columns : sequence of str
        Wanted, each `table:feature`.
    optional : collection of str
        Columns whose table may be absent as a whole.
    title : str
        How messages name the file.

    Returns
    -------
    NewPatients

    Raises
    ------
    StudyError
        If a row has no id, or an id stands twice.
    """
    names = [str(name) for name in raw.cells.columns]
    places = _places(names, columns, rules)
    parts: list[pd.DataFrame] = []
    wrong: dict[str, str] = {}
    unknown: dict[str, int] = {}
    missing: list[str] = []
    absent: list[str] = []
    for table, spec in rules.items():
        wanted = [name for name in columns if name.partition(":")[0] == table]
        there = [name for name in wanted if name in places]
        if wanted and not there and set(wanted) <= set(optional) and places:
            absent.append(table)
        else:
            missing += [name for name in wanted if name not in places]
        if there == [CENTRE]:  # read as the study's: a new one is no mistake of the file
            centres = canonical_values(raw.cells[places[CENTRE]])
            parts.append(centres.to_frame(CENTRE))
        elif there:
            features = [name.partition(":")[2] for name in there]
            cells = raw.cells[[places[name] for name in there]].set_axis(features, axis=1)
            parts.append(_read_table(cells, spec, table, wrong, unknown, title=title))
    X = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=raw.cells.index)
    provenance = [name for name in names if states_settings(name)]
    return NewPatients(
        X=X.reindex(columns=list(columns)),
        ids=_ids(raw, title=title),
        missing=tuple(missing),
        absent=tuple(absent),
        extra=tuple(name for name in names if name not in {*places.values(), *provenance}),
        wrong=wrong,
        unknown=unknown,
        provenance=raw.cells[provenance],
    )


def _places(
    names: Iterable[str], columns: Sequence[str], rules: Mapping[str, TableSpec]
) -> dict[str, str]:
    """Find the column of the file that holds each wanted one, by its full or its short name."""
    there = set(names)
    short: dict[str, list[str]] = {}
    for column in columns:
        short.setdefault(column.partition(":")[2], []).append(column)
    places: dict[str, str] = {}
    for column in columns:
        table, _, feature = column.partition(":")
        old = [name for name, new in rules[table].rename.items() if new == feature]
        ways = [column, *(f"{table}:{name}" for name in old)]
        if len(short[feature]) == 1:
            ways += [feature, *(name for name in old if name not in short)]
        found = next((way for way in ways if way in there), None)
        if found is not None:
            places[column] = found
    return places


def _ids(raw: RawTable, *, title: str) -> tuple[str, ...]:
    """Return every row's id; rows are named by their place, not by an id."""
    ids = read_ids(raw.ids, IdRules(), title=title)
    series = pd.Series(ids, index=raw.cells.index, dtype=object)
    nameless = series.index[series.isna()]
    if len(nameless):
        raise StudyError(
            f"{title}: every row must have an id in column {raw.id_name!r}, but {len(nameless)} of "
            f"{len(series)} have none (first: {nameless[0]}). Fill it in, or name another column "
            "of ids."
        )
    twice = series.index[series.duplicated(keep=False)]
    if len(twice):
        raise StudyError(
            f"{title}: every patient must have one row, but {len(twice)} rows share an id in "
            f"column {raw.id_name!r} (first: {twice[0]}). Correct the file, or name another column "
            "of ids."
        )
    return tuple(str(identifier) for identifier in ids)


def _read_table(
    cells: pd.DataFrame,
    spec: TableSpec,
    name: str,
    wrong: dict[str, str],
    unknown: dict[str, int],
    *,
    title: str,
) -> pd.DataFrame:
    """Read the features of one table; what is wrong is noted and left missing."""
    strange = _unseen_levels(cells, spec)
    blocks = [cells.drop(columns=list(strange))]
    problems = dict(strange)
    try:
        read = [_read_block(block, spec, name, title=title) for block in blocks if block.shape[1]]
    except StudyError:  # column by column, to name every one that is wrong
        read = []
        for column in blocks[0].columns:
            try:
                read.append(_read_block(cells[[column]], spec, name, title=title))
            except StudyError as error:
                problems[str(column)] = str(error).removeprefix(f"{title}: ")
    wrong |= {f"{name}:{column}": message for column, message in problems.items()}
    for features in read:
        unknown |= {f"{name}:{c}": count for c, count in features.unknown.items() if count}
    tables = [features.table for features in read]
    table = pd.concat(tables, axis=1) if tables else pd.DataFrame(index=cells.index)
    table = table.reindex(columns=cells.columns)
    return table.set_axis([f"{name}:{column}" for column in table.columns], axis=1)


def _unseen_levels(cells: pd.DataFrame, spec: TableSpec) -> dict[str, str]:
    """Count values, by column, that are no level of the study nor recoded to one."""
    found: dict[str, str] = {}
    codes = Unknown.of(spec.unknown)
    for column in [name for name in cells.columns if name in {*spec.categories, *spec.recode}]:
        texts, _ = read_texts(cells[column], unknown=codes)
        known = {
            written(value) for value in spec.recode.get(column, spec.categories.get(column, ()))
        }
        strange = texts.notna() & ~texts.isin(known - {""})
        if "*" not in known and strange.any():
            found[str(column)] = (
                f"{strange.sum()} of {len(texts)} patients have a value that no development "
                f"patient had: {counted(texts[strange])} (first in "
                f"{texts.index[int(strange.argmax())]}). Known are {quoted(sorted(known - {''}))}"
            )
    return found


def _read_block(cells: pd.DataFrame, spec: TableSpec, name: str, *, title: str) -> Features:
    special = {*spec.categories, *spec.recode, *spec.unit}
    plain = [column for column in cells.columns if column not in special]
    if plain and spec.kind not in ("pathology",):  # first, for a cure that fits a new file
        read_numbers(
            cells[plain],
            title=title,
            decimal=spec.decimal,
            unknown=Unknown.of(spec.unknown),
            cure=lambda column: "Correct the file.",
        )
    here = spec.model_copy(update={"rename": {}, **_of_columns(spec, cells.columns)})
    ids = np.arange(len(cells)).astype(object)
    raw = RawTable(cells=cells, ids=ids, id_name="")
    plan = plan_table(raw, here, reserve=(), title=title)
    return read_features(cells, plan, here, name=name, title=title)


def _of_columns(spec: TableSpec, columns: pd.Index) -> dict[str, object]:
    """Keep the options of some columns."""
    return {
        option: {name: v for name, v in getattr(spec, option).items() if name in {*columns, "*"}}
        for option in ("recode", "categories", "transform", "unit")
    }
