"""What stands in a file before anything is decided: its cells as written, and where each stands."""

import csv
import gzip
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.errors import Finding, StudyError
from omics.messages import MAY_NOT_BE_READ, nearest, quoted
from omics.mudata import read_mudata
from omics.table_spec import SUFFIXES, TEXT_SUFFIXES, TableSpec, suffix
from omics.values import is_blank


@dataclass(frozen=True, eq=False, kw_only=True)
class RawTable:
    """The cells of a file, one row per row that is not blank.

    Attributes
    ----------
    cells : DataFrame of shape (n_rows, n_columns)
        Text, numbers or None as the file has them; the index says where a row stands (`row 7`).
    ids : ndarray of object, of shape (n_rows,)
        The id cell of each row.
    id_name : str
        The name of the id column.
    dropped : tuple of str
        Columns of the file left out here, where patients are columns.
    findings : tuple of Finding
        What a reader of the report must know of how the cells came together.
    """

    cells: pd.DataFrame
    ids: np.ndarray[tuple[int], np.dtype[np.object_]]
    id_name: str
    dropped: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Cures:
    """What to do about a file that is written in an unforeseen way: by default, in study.toml.

    Attributes
    ----------
    separator : str
        Of a file with one column whose name holds a sign, filled in at `{sign}`.
    wide : str
        Of rows that are wider than the header.
    comment : str
        Of lines above the header that begin with `#`.
    sheet : str
        Of a workbook with several sheets, the first filled in at `{first}`.
    """

    separator: str = "state separator = {sign!r}."
    wide: str = (
        "Quote cells that hold the separator, or state separator or decimal; in R, write tables "
        "with col.names = NA."
    )
    comment: str = 'If they are comments, as in cBioPortal, state comment = "#".'
    sheet: str = 'Name one: sheet = "{first}".'


_STUDY = Cures()


def read_raw(spec: TableSpec, *, name: str, title: str, cures: Cures = _STUDY) -> RawTable:
    """Read the cells of a table as they are written.

    Parameters
    ----------
    spec : TableSpec
    name, title : str
        The table's name in the study, and how messages name it.
    cures : Cures
        What messages advise where the file must be told how it is written.

    Returns
    -------
    RawTable

    Raises
    ------
    StudyError
        If the file or sheet is missing or unreadable, empty, has two columns of one name, or lacks
        the id column.
    """
    check_file(spec.path, title=title)
    ending = suffix(spec.path)
    if ending == ".xlsx":
        grid = _read_workbook(spec, title=title, cures=cures)
    elif ending == ".parquet":
        grid = _read_parquet(spec, title=title)
    elif ending == ".h5mu":
        grid = read_mudata(spec, title=title)
    else:
        grid = _read_text(spec, title=title, cures=cures)
    return _split(_tidy(grid, title=title), spec, name=name, title=title)


def check_file(path: Path, *, title: str) -> None:
    """Raise unless the file is there, of a kind that is read, and may be read."""
    if suffix(path) not in SUFFIXES:
        raise StudyError(f"{title}: path must end in one of {', '.join(SUFFIXES)}, but is {path}.")
    try:
        if path.is_file():
            path.open("rb").close()
            return
    except PermissionError as error:
        raise StudyError(f"{title}: {path} {MAY_NOT_BE_READ}") from error
    if not path.parent.is_dir():
        raise StudyError(f"{title}: the folder {path.parent} does not exist.")
    if path.is_dir():
        raise StudyError(f"{title}: {path} is a folder, not a file.")
    files = sorted(item.name for item in path.parent.iterdir() if suffix(item) in SUFFIXES)
    raise StudyError(
        f"{title}: there is no file {path.name!r} in {path.parent}. {nearest(path.name, files)}"
    )


def _read_text(spec: TableSpec, *, title: str, cures: Cures) -> pd.DataFrame:
    """Read every cell as text: floats are parsed later, so that an offender keeps its row."""
    separator = spec.separator or TEXT_SUFFIXES[suffix(spec.path)]
    with open_text(spec.path, title=title) as file:
        rows = list(csv.reader(file, delimiter=separator, strict=True))
    above = _count_comments(rows, spec, title=title, cures=cures)
    rows[:above] = [[]] * above
    first = next((number for number, row in enumerate(rows) if any(row)), None)
    if first is None:
        raise StudyError(f"{title}: the file is empty.")
    if len(rows[first]) == 1 and spec.separator is None:
        _suspect_separator(rows[first][0], title=title, cures=cures)
    _square(rows, width=len(rows[first]), title=title, cures=cures)
    kept = [number for number, row in enumerate(rows) if any(row)]
    cells = np.array([rows[number] for number in kept], dtype=object)
    return pd.DataFrame(cells, index=kept)


def _count_comments(rows: list[list[str]], spec: TableSpec, *, title: str, cures: Cures) -> int:
    """Count the lines above the header; unless declared, they are no header either."""
    sign = spec.comment or "#"
    marked = [bool(row) and row[0].startswith(sign) for row in rows]
    above = next((number for number, one in enumerate(marked) if not one), len(rows))
    if above > 1 and spec.comment is None:
        raise StudyError(
            f"{title}: the first row must hold the names of the columns, but the first {above} "
            f"begin with '#'. {cures.comment}"
        )
    return above if spec.comment is not None else 0


@contextmanager
def open_text(path: Path, *, title: str) -> Iterator[TextIO]:
    """Open a text file, compressed or not; what cannot be read ends as a StudyError."""
    opener = gzip.open if path.name.casefold().endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield file
    except UnicodeDecodeError as error:
        raise StudyError(
            f"{title}: the file is not UTF-8 text ({error.reason}, byte {error.start}). Save it "
            'again as "CSV UTF-8".'
        ) from error
    except (csv.Error, OSError, EOFError) as error:
        raise StudyError(f"{title}: the file cannot be read as a table ({error}).") from error


def _square(rows: list[list[str]], *, width: int, title: str, cures: Cures) -> None:
    """Make every row as wide as the header; only empty cells may be missing or too many."""
    for number, row in enumerate(rows):
        if len(row) < width:
            row.extend([""] * (width - len(row)))
        elif len(row) > width and any(row[width:]):
            raise StudyError(
                f"{title}: no row may have more cells than the header ({width}), but row "
                f"{number + 1} has {len(row)}. {cures.wide}"
            )
        del row[width:]


def _read_workbook(spec: TableSpec, *, title: str, cures: Cures) -> pd.DataFrame:
    with warnings.catch_warnings():
        # openpyxl warns of cell styles and validation rules that it does not read
        warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")
        try:
            workbook = pd.ExcelFile(spec.path, engine="openpyxl")
        except (zipfile.BadZipFile, KeyError, OSError) as error:
            raise StudyError(
                f"{title}: the file is not an Excel workbook ({error}). Save it again as .xlsx."
            ) from error
        with workbook:
            sheets = [str(sheet) for sheet in workbook.sheet_names]
            if spec.sheet is None and len(sheets) > 1:
                raise StudyError(
                    f"{title}: the workbook has {len(sheets)} sheets ({quoted(sheets)}). "
                    + cures.sheet.format(first=sheets[0])
                )
            if spec.sheet is not None and spec.sheet not in sheets:
                raise StudyError(
                    f"{title}: the workbook has no sheet {spec.sheet!r}. "
                    f"Its sheets are: {quoted(sheets, limit=20)}."
                )
            grid = workbook.parse(
                spec.sheet or sheets[0], header=None, dtype=object, na_filter=False
            )
    blank = is_blank(grid.to_numpy(dtype=object))
    return grid.loc[np.flatnonzero(~blank.all(axis=1))]


def _read_parquet(spec: TableSpec, *, title: str) -> pd.DataFrame:
    """Read a parquet file as a grid whose first row is the header; a named index comes first."""
    try:
        frame = pd.read_parquet(spec.path)
    except (OSError, ValueError) as error:
        raise StudyError(f"{title}: the file is not a parquet table ({error}).") from error
    if not isinstance(frame.index, pd.RangeIndex) or frame.index.name is not None:
        frame = frame.reset_index(allow_duplicates=True)
    header = np.array([[str(column) for column in frame.columns]], dtype=object)
    columns = [frame.iloc[:, position].to_numpy(dtype=object) for position in range(frame.shape[1])]
    body = np.column_stack(columns) if columns else np.empty((0, 0), dtype=object)
    # the header has no row of its own in a parquet file: its first record is row 1
    return pd.DataFrame(np.vstack([header, body]), index=range(-1, len(body)), dtype=object)


def _tidy(grid: pd.DataFrame, *, title: str) -> pd.DataFrame:
    """Make the first row the header; leave out blank columns without a name."""
    if grid.empty:
        raise StudyError(f"{title}: the table is empty.")
    header = [str(name).strip() if not _is_missing(name) else "" for name in grid.iloc[0]]
    cells = grid.iloc[1:]
    cells = cells.set_axis([f"row {number + 1}" for number in cells.index], axis=0)
    cells = cells.set_axis(header, axis=1)
    nameless = [position for position, name in enumerate(header) if not name]
    blank = is_blank(cells.iloc[:, nameless].to_numpy(dtype=object)).all(axis=0)
    kept = np.ones(len(header), dtype=np.bool_)
    kept[nameless] = ~blank
    cells = cells.loc[:, kept]
    if cells.empty:
        raise StudyError(f"{title}: the table has a header, but no row of values.")
    return cells


def _split(cells: pd.DataFrame, spec: TableSpec, *, name: str, title: str) -> RawTable:
    """Take the id column out, and turn the table where patients are columns."""
    names = [str(name) for name in cells.columns]
    _check_unique(names, title=title, what="column")
    id_name = spec.id if spec.id is not None else names[0]
    if id_name not in names:
        raise StudyError(
            f"{title}: there is no id column {id_name!r} among {len(names)} columns. "
            f"{nearest(id_name, names)}"
        )
    first = cells[id_name].to_numpy(dtype=object)
    rest = cells.drop(columns=id_name)
    if spec.patients == "rows":
        return RawTable(cells=rest, ids=first, id_name=id_name)

    dropped = tuple(name for name in spec.drop if name in rest.columns)
    rest = rest.drop(columns=list(dropped))
    features = ["" if _is_missing(feature) else str(feature).strip() for feature in first]
    findings: tuple[Finding, ...] = ()
    if spec.repeated is not None:
        kept = _once(features, spec.repeated)
        findings = _repeat_findings(len(features), int(kept.sum()), spec.repeated, name=name)
        rest = rest.loc[kept]
        features = [feature for feature, keep in zip(features, kept, strict=True) if keep]
    _check_unique(features, title=title, what="feature")
    turned = rest.T.set_axis(features, axis=1)
    ids = np.array([str(name) for name in rest.columns], dtype=object)
    turned = turned.set_axis([f"the column of {identifier!r}" for identifier in ids], axis=0)
    if turned.empty:
        raise StudyError(
            f"{title}: patients are columns, but there is no column beside {id_name!r}."
        )
    return RawTable(cells=turned, ids=ids, id_name=id_name, dropped=dropped, findings=findings)


def _once(features: list[str], repeated: str) -> NDArray[np.bool_]:
    """Tell which rows of features are taken: those with a name, once."""
    names = pd.Series(features, dtype=object)
    again = names.duplicated(keep="first" if repeated == "first" else False)
    return ~(again | names.isin(["", "NA"])).to_numpy(dtype=np.bool_)


def _repeat_findings(n_rows: int, n_kept: int, repeated: str, *, name: str) -> tuple[Finding, ...]:
    if n_rows == n_kept:
        return ()
    which = "all but the first" if repeated == "first" else "all rows"
    return (
        Finding(
            code="features_left_out",
            severity="note",
            where=name,
            message=f"{n_rows - n_kept} of {n_rows} rows of table {name!r} were left out: rows "
            f"without a feature's name, and of features with several rows {which}.",
        ),
    )


def _check_unique(names: list[str], *, title: str, what: str) -> None:
    repeated = pd.Index(names)[pd.Index(names).duplicated()].unique()
    if len(repeated):
        raise StudyError(
            f"{title}: every {what} must have a name of its own, but {len(repeated)} "
            f"name{'s stand' if len(repeated) > 1 else ' stands'} over several "
            f"({quoted(repeated)}). "
            + (
                'State repeated = "first" or "drop".'
                if what == "feature"
                else "Rename or remove them in the file."
            )
        )


def _suspect_separator(name: str, *, title: str, cures: Cures) -> None:
    found = [sign for sign in (";", "\t", ",", "|") if sign in name]
    if found:
        raise StudyError(
            f"{title}: the file has one column only, named {name[:60]!r}. Its cells seem to be "
            f"separated by {found[0]!r}: {cures.separator.format(sign=found[0])}"
        )


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))
