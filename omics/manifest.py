"""Which images and masks belong together: the manifest, a table with one row per case.

Columns `patient`, `image` and `mask` are needed; `timepoint`, `reader`, `sequence`, `centre`,
`label`, `region` and `brain_mask` may be there. A label cell parts regions by `;` and joins labels
by `+`: `1;2;1+2+4`; a region cell names them in this order: `core;oedema;whole`. Paths are relative
to the folder of the manifest.

What a slip of the spreadsheet does is looked for: the same case twice, files that are not there,
and an image of one patient beside the mask of another (`omics.path_owners`).
"""

import os
import re
import unicodedata
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pandas as pd

from omics.case import PLACE, Case
from omics.errors import StudyError
from omics.messages import nearest, number_of, quoted, some_of
from omics.path_owners import suspect_rows
from omics.patients import read_ids
from omics.reading import Cures, check_file, open_text, read_raw
from omics.table_spec import TEXT_SUFFIXES, IdRules, TableSpec, suffix
from omics.values import Unknown, is_blank, read_texts

NEEDED = ("patient", "image", "mask")
ENDINGS = (*TEXT_SUFFIXES, ".xlsx", ".parquet")
OPTIONAL = ("timepoint", "reader", "sequence", "centre", "label", "region", "brain_mask")
_SHOWN = 3
_SIGNS = (",", ";", "\t", "|")
_CURES = Cures(
    separator="part them by commas.",
    wide='Quote cells that hold the separator, such as "1;2" in the column label.',
    comment="Delete these lines.",
    sheet="Keep the sheet of cases alone, or save it as a csv file.",
)
_BACKSLASHES = ", and parted by / here, not by \\ as on Windows"
_JOINED = re.compile(r"\d+(\s*\+\s*\d+)*")


def read_manifest(path: str | Path, *, trust_paths: bool = False) -> list[Case]:
    """Read a manifest.

    Parameters
    ----------
    path : str or Path
        A csv file with commas or semicolons, or another text table, workbook or parquet file.
    trust_paths : bool
        Take the files of every row as they stand, whatever patients their paths seem to name.

    Returns
    -------
    list of Case
        In the order of the file.

    Raises
    ------
    StudyError
        If it cannot be read, has an unknown column or lacks a needed one, a cell that must be
        filled is blank, a value is written in two ways (`T1c`, `T1C`), a case stands there twice, a
        file is missing or shared by two patients, or image and mask belong to different patients.
    """
    path = Path(path)
    title = f"manifest {path.name}"
    cells = _read_cells(path, title=title)
    _check_filled(cells, title=title)
    cases = [
        _case(
            dict(zip(cells.columns, row, strict=True)),
            number,
            place,
            path.parent.absolute(),
            title=title,
        )
        for number, (place, row) in enumerate(
            zip(cells.index, cells.to_numpy(dtype=object), strict=True), start=1
        )
    ]
    places = [str(place) for place in cells.index]
    for check in (_check_spelling, _check_once, _check_there, _check_own_files):
        check(cases, places, title)
    if not trust_paths:
        _check_owners(cases, places, title)
    return cases


def _read_cells(path: Path, *, title: str) -> pd.DataFrame:
    """Return the cells as text, None where blank; the index says where each row stands."""
    if suffix(path) not in ENDINGS:
        raise StudyError(f"{title}: path must end in one of {', '.join(ENDINGS)}, but is {path}.")
    check_file(path, title=title)
    spec = TableSpec(path=path, kind="features", separator=_separator(path, title))
    raw = read_raw(spec, name="manifest", title=title, cures=_CURES)
    cells = raw.cells.assign(**{raw.id_name: raw.ids})
    _check_columns([str(name) for name in cells], title=title)
    _check_named(cells["patient"], title=title)
    texts = cells[[name for name in (*NEEDED, *OPTIONAL) if name in cells]].apply(
        lambda column: read_texts(column, unknown=Unknown.of(()))[0]
    )
    ids = read_ids(cells["patient"].to_numpy(dtype=object), IdRules(strip=True), title=title)
    return texts.assign(patient=ids)


def _separator(path: Path, title: str) -> str | None:
    """Return the sign that parts the header into names of columns, whatever the file's ending."""
    if suffix(path) not in TEXT_SUFFIXES:
        return None
    with open_text(path, title=title) as file:
        header = file.readline()
    if header.casefold().startswith("sep="):
        raise StudyError(
            f"{title}: the first row must hold the names of the columns, but is "
            f"{header.strip()!r}, which only Excel reads. Delete this line."
        )

    def parts(sign: str) -> tuple[int, int]:
        names = [name.strip(' "\r\n') for name in header.split(sign)]
        return sum(name in (*NEEDED, *OPTIONAL) for name in names), len(names)

    return max(_SIGNS, key=parts)


def _check_named(patients: pd.Series, *, title: str) -> None:
    """Refuse rows without a patient, and say that NA is none."""
    cells = patients.to_numpy(dtype=object)
    blank = is_blank(cells)
    if blank.any():
        na = " (NA counts as blank)" if any(str(cell).strip() for cell in cells[blank]) else ""
        raise StudyError(
            f"{title}: column 'patient' must name the patient of every row, but {blank.sum()} of "
            f"{len(cells)} are blank{na} ({some_of(patients.index[blank], limit=_SHOWN)}). Fill "
            "them in, or remove the rows."
        )


def _check_columns(columns: Sequence[str], *, title: str) -> None:
    known = (*NEEDED, *OPTIONAL)
    unknown = [column for column in columns if column not in known]
    if unknown:
        raise StudyError(
            f"{title}: the columns must be among {', '.join(known)}, but {len(unknown)} of "
            f"{len(columns)} are not: {quoted(unknown)}. {nearest(unknown[0], known)}"
        )
    lacking = [column for column in NEEDED if column not in columns]
    if lacking:
        raise StudyError(
            f"{title}: the columns {', '.join(NEEDED)} are needed, but {quoted(lacking)} "
            f"{'is' if len(lacking) == 1 else 'are'} not among {quoted(columns, limit=10)}."
        )


def _check_filled(cells: pd.DataFrame, *, title: str) -> None:
    """Refuse blanks in needed columns, and in columns that tell cases apart."""
    for column in cells:
        blank = cells[column].isna().to_numpy()
        if column in ("label", "region", "brain_mask") or not blank.any():
            continue
        optional = "" if column in NEEDED else ", or take the column out"
        raise StudyError(
            f"{title}: column {column!r} must be filled in every row, but {blank.sum()} of "
            f"{len(cells)} are blank ({some_of(cells.index[blank], limit=_SHOWN)}). Fill them in, "
            f"or remove the rows{optional}."
        )


def _case(
    cells: dict[str, str | None], number: int, place: str, folder: Path, *, title: str
) -> Case:
    def file(name: str) -> Path:
        return Path(os.path.normpath(folder / os.path.expanduser(str(cells[name]))))

    labels = _labels(cells.get("label"), place, title=title)
    return Case(
        **{name: cells.get(name) or "" for name in PLACE},
        image=file("image"),
        mask=file("mask"),
        brain_mask=file("brain_mask") if cells.get("brain_mask") else None,
        labels=labels,
        names=_names(cells.get("region"), labels, place, title=title),
        row=number,
    )


def _labels(cell: str | None, place: str, *, title: str) -> tuple[str, ...]:
    if cell is None:
        return ()
    labels = [part.strip() for part in cell.split(";")]
    labels = [_union(one) if _JOINED.fullmatch(one) else one for one in labels]
    if "" in labels or len(set(labels)) < len(labels):
        raise StudyError(
            f"{title}: a label must name each region once, parted by ';', but {place} has {cell!r}."
        )
    return tuple(labels)


def _union(label: str) -> str:
    """Write a union in one way: `2 + 01` is `1+2`, so that a region has one name in all rows."""
    return "+".join(str(part) for part in sorted({int(part) for part in label.split("+")}))


def _names(cell: str | None, labels: tuple[str, ...], place: str, *, title: str) -> tuple[str, ...]:
    if cell is None:
        return ()
    names = [part.strip() for part in cell.split(";")]
    if "" in names or len(set(names)) < len(names) or len(names) != max(len(labels), 1):
        n_labels = number_of(max(len(labels), 1), "label")
        raise StudyError(
            f"{title}: region must name each label once, in the order of the column label and "
            f"parted by ';', but {place} has {cell!r} for {n_labels}."
        )
    return tuple(names)


def _refuse(
    wrong: Sequence[str], cases: Sequence[Case], *, title: str, must: str, cure: str
) -> None:
    if wrong:
        raise StudyError(
            f"{title}: {must}, but {len(wrong)} of {len(cases)} rows do not "
            f"({'; '.join(wrong[:_SHOWN])}{_rest(wrong)}). {cure}"
        )


def _rest(wrong: Sequence[str]) -> str:
    return f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""


def _check_spelling(cases: Sequence[Case], places: Sequence[str], title: str) -> None:
    """Refuse values that differ in capitals or in how an umlaut is coded: two columns of a table.

    Labels are those of the masks, whose authors spell as they like.
    """
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    for case, place in zip(cases, places, strict=True):
        values = [(column, getattr(case, column)) for column in PLACE]
        for column, value in [*values, *(("region", name) for name in case.names)]:
            alike = unicodedata.normalize("NFKC", value).casefold()
            first, where = seen.setdefault((column, alike), (value, place))
            if first != value:
                raise StudyError(
                    f"{title}: column {column!r} must write each value in one way, but has "
                    f"{first!r} in {where} and {value!r} in {place}. Correct the spelling."
                )


def _check_once(cases: Sequence[Case], places: Sequence[str], title: str) -> None:
    """Refuse a case that stands there twice; rows of one place may ask for different regions."""
    alike: dict[tuple[str, ...], list[int]] = {}
    for at, case in enumerate(cases):
        place = (case.patient, case.timepoint, case.reader, case.sequence)
        alike.setdefault(place, []).append(at)
    twice = [
        f"{places[one]} and {places[other]}: {', '.join(word for word in place if word)}"
        for place, rows in alike.items()
        for one, other in combinations(rows, 2)
        if _overlap(cases[one].regions, cases[other].regions)
    ]
    if twice:
        raise StudyError(
            f"{title}: every case must stand in one row, but {number_of(len(twice), 'pair')} of "
            f"rows have the same patient, timepoint, reader, sequence and region "
            f"({'; '.join(twice[:_SHOWN])}{_rest(twice)}). Remove the repeated rows, or add the "
            "column that tells them apart."
        )


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return not one or not other or not set(one).isdisjoint(other)


def _check_there(cases: Sequence[Case], places: Sequence[str], title: str) -> None:
    lacking: dict[str, Path] = {}
    closed = []
    for case, place in zip(cases, places, strict=True):
        for name, path in case.files.items():
            try:
                lacking |= {} if path.exists() else {f"{place}, {name}: {path}": path}
            except PermissionError:
                closed.append(f"{place}, {name}: {path}")
    _refuse_lacking(lacking, len(cases), title=title)
    if closed:
        raise StudyError(
            f"{title}: every file must be in a folder that may be opened, but "
            f"{number_of(len(closed), 'path')} of {number_of(len(cases), 'row')} "
            f"{'is' if len(closed) == 1 else 'are'} not ({'; '.join(closed[:_SHOWN])}"
            f"{_rest(closed)}). Ask for the right to open them."
        )


def _refuse_lacking(lacking: dict[str, Path], n_rows: int, *, title: str) -> None:
    told = list(lacking)
    if told:
        windows = os.sep == "/" and any("\\" in path for path in told)
        raise StudyError(
            f"{title}: every file must be there, but {number_of(len(told), 'path')} of "
            f"{number_of(n_rows, 'row')} {'leads' if len(told) == 1 else 'lead'} nowhere "
            f"({'; '.join(told[:_SHOWN])}{_rest(told)}).{_beside(lacking[told[0]])} Paths are "
            f"relative to the folder of the manifest{_BACKSLASHES if windows else ''}."
        )


def _beside(path: Path) -> str:
    """Name the file that was probably meant: `.nii` for `.nii.gz`, a slip of a letter."""
    try:
        names = [other.name for other in path.parent.iterdir()]
    except OSError:
        return ""
    close = nearest(path.name, names)
    return f" {close}" if close.startswith("Did you mean") else ""


def _check_own_files(cases: Sequence[Case], places: Sequence[str], title: str) -> None:
    """Refuse a file of two patients, and an image that is its own mask."""
    itself = [
        place
        for case, place in zip(cases, places, strict=True)
        if len(set(case.files.values())) < len(case.files)
    ]
    _refuse(
        itself,
        cases,
        title=title,
        must="image, mask and brain mask must be different files",
        cure="Correct the paths.",
    )
    first: dict[Path, tuple[str, str]] = {}
    shared = []
    for case, place in zip(cases, places, strict=True):
        for name, path in case.files.items():
            owner, where = first.setdefault(path, (case.patient, place))
            if owner != case.patient:
                shared.append(f"{place}, {name}: {path.name} is that of {owner!r} in {where}")
                break
    _refuse(
        shared,
        cases,
        title=title,
        must="every file must be of one patient",
        cure="Correct the paths.",
    )


def _check_owners(cases: Sequence[Case], places: Sequence[str], title: str) -> None:
    """Refuse rows whose paths speak of another patient."""
    _refuse(
        suspect_rows(cases, places),
        cases,
        title=title,
        must="image and mask must belong to the patient of their row, as their paths name them",
        cure="Correct the rows: often a column was sorted alone. If every row is right, because "
        "the paths number something else, say --trust-paths.",
    )
