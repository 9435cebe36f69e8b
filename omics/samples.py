"""Whose a sample is, and which samples were profiled: the lists that come beside a table."""

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from omics.errors import Finding, StudyError
from omics.messages import nearest, quoted
from omics.reading import RawTable, check_file, open_text
from omics.table_spec import SampleMap, TableSpec
from omics.values import is_blank, written


def map_samples(raw: RawTable, spec: TableSpec, *, name: str, title: str) -> RawTable:
    """Put the patient's id in place of each sample's.

    Parameters
    ----------
    raw : RawTable
        One row per sample.
    spec : TableSpec
        With `sample_map`.
    name, title : str
        The table's name in the study, and how messages name it.

    Returns
    -------
    RawTable
        Without the samples that `sample_map.only` leaves out.

    Raises
    ------
    StudyError
        If the map cannot be read, gives a sample two patients, or lacks one.
    """
    if spec.sample_map is None:
        return raw
    patients = _read_map(spec.sample_map, spec.path.parent, title=title)
    blank = is_blank(raw.ids)
    samples = [None if absent else written(i) for i, absent in zip(raw.ids, blank, strict=True)]
    lost = [sample for sample in samples if sample is not None and sample not in patients]
    if lost:
        raise StudyError(
            f"{title}: every sample must stand in sample_map {spec.sample_map.path.name!r}, but "
            f"{len(lost)} of {len(samples)} do not ({quoted(lost, limit=3)}). "
            f"{nearest(str(lost[0]), patients)}"
        )
    ids = np.array([None if s is None else patients[s] for s in samples], dtype=object)
    kept = np.array([s is None or patients[s] is not None for s in samples], dtype=np.bool_)
    if not kept.any():
        raise StudyError(f"{title}: sample_map.only leaves out every sample. Correct it.")
    return replace(
        raw,
        cells=raw.cells.loc[kept],
        ids=ids[kept],
        findings=(*raw.findings, *_left_out(int((~kept).sum()), len(kept), name=name)),
    )


def _left_out(n_left: int, n_samples: int, *, name: str) -> tuple[Finding, ...]:
    if not n_left:
        return ()
    return (
        Finding(
            code="samples_left_out",
            severity="note",
            where=name,
            message=f"{n_left} of {n_samples} samples of table {name!r} were left out, as "
            "sample_map.only declares.",
        ),
    )


def _read_map(declared: SampleMap, folder: Path, *, title: str) -> dict[str, str | None]:
    """Return the patient of each sample; None where `only` leaves the sample out."""
    title = f"{title}, sample_map {declared.path.name}"
    path = folder / declared.path
    check_file(path, title=title)
    with open_text(path, title=title) as file:
        rows = [row for row in csv.reader(file, delimiter="\t") if any(row)]
    above = next((n for n, row in enumerate(rows) if not row[0].startswith("#")), len(rows))
    if above == len(rows):
        raise StudyError(f"{title}: the file has no row of values.")
    header = [cell.strip() for cell in rows[above]]
    wanted = [declared.sample, declared.patient, *declared.only]
    for column in wanted:
        if column not in header:
            raise StudyError(
                f"{title}: there is no column {column!r} among {len(header)} columns. "
                f"{nearest(column, header)}"
            )
    places = [header.index(column) for column in wanted]
    patients: dict[str, str | None] = {}
    for row in rows[above + 1 :]:
        cells = [written(row[place]) if place < len(row) else "" for place in places]
        sample, values = cells[0], cells[2:]
        chosen = all(v in declared.only[c] for c, v in zip(wanted[2:], values, strict=True))
        patient = cells[1] if chosen else None
        if patients.setdefault(sample, patient) != patient:
            raise StudyError(
                f"{title}: every sample must be of one patient, but {sample!r} is of two. "
                "Correct the file."
            )
    return patients


def read_profiled(spec: TableSpec, header: list[str] | None, *, title: str) -> list[str] | None:
    """List the samples that a MAF covers, as the study declares them; None if it does not.

    Parameters
    ----------
    spec : TableSpec
    header : list of str, optional
        The samples of the line `#sequenced_samples` of the MAF.
    title : str
        How messages name the table.

    Raises
    ------
    StudyError
        If the declared list is not there, is empty or names a sample twice.
    """
    declared = spec.profiled
    if declared is None:
        return None
    if declared == "header":
        if header is None:
            raise StudyError(
                f'{title}: profiled = "header", but the MAF has no line #sequenced_samples. Name a '
                "file that lists the samples."
            )
        samples = header
    elif isinstance(declared, list):
        samples = declared
    else:
        samples = _read_list(spec.path.parent / declared, title=f"{title}, profiled {declared}")
    twice = [sample for sample, count in Counter(samples).items() if count > 1]
    if not samples or twice:
        what = f"names {len(twice)} twice ({quoted(twice, limit=3)})" if samples else "is empty"
        raise StudyError(f"{title}: profiled must list each sample once, but {what}. Correct it.")
    return [written(sample) for sample in samples]


def _read_list(path: Path, *, title: str) -> list[str]:
    """Read a case list of cBioPortal, or one id a line."""
    check_file(path, title=title)
    with open_text(path, title=title) as file:
        lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    listed = [line for line in lines if line.startswith("case_list_ids:")]
    if listed:
        return listed[0].partition(":")[2].split()
    wrong = next((line for line in lines if "\t" in line), None)
    if wrong is not None:
        raise StudyError(
            f"{title}: the file must be a cBioPortal case list, with a line case_list_ids, or hold "
            f"one id a line, but holds {wrong[:40]!r}. Correct the file."
        )
    return lines
