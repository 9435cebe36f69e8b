"""A table of a study with several scans of each patient becomes one of changes between two.

The rows of the two declared timepoints are spread to columns (`omics.long_tables`) and read as any
others; then the first is taken from the second. Who has no change, and why, is counted.

Where several rows of a patient and timepoint are lesions, each timepoint is reduced to one row
first (`omics.lesions`): the change is of what is there at either, since lesions are not followed. A
patient without any row at one timepoint has no change: whether every lesion vanished or the image
is missing, the table does not say. One row of volume 0 at that timepoint, its other features empty,
says that nothing is left: the total volume changes, the others have no change.

Considered and rejected: counting no row as no lesion and a volume of 0, because a missing image
would then be the best response of all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from omics.delta import (
    NO_DAYS,
    NO_END,
    NO_PAIR,
    NO_START,
    DeltaFeatures,
    delta_features,
)
from omics.errors import Finding, StudyError
from omics.image_days import day_numbers, days_between
from omics.long_tables import BAR, shared_values
from omics.messages import nearest, number_of, quoted
from omics.moment import Moment
from omics.patients import read_ids
from omics.radiomics import DELTA
from omics.reading import RawTable
from omics.row_specs import DeltaSpec
from omics.table_spec import TableSpec
from omics.values import Unknown, read_numbers, read_texts, recode_texts, written


@dataclass(frozen=True, eq=False, kw_only=True)
class Timepoints:
    """What is known of the two timepoints before features are read.

    Attributes
    ----------
    spec : DeltaSpec
        With the timepoints as they are compared.
    days : Series of float or None
        Days from the first to the second, by patient.
    n_rows, n_other : int
        Rows of the file, and those among them of other timepoints.
    n_neither : int
        Patients with rows of other timepoints only.
    when : Series of str or None
        The timepoint of each row that is kept, where rows are to be reduced first.
    """

    spec: DeltaSpec
    days: "pd.Series[float] | None"
    n_rows: int
    n_other: int
    n_neither: int
    when: "pd.Series[str] | None" = None


def take_timepoints(
    raw: RawTable, spec: TableSpec, delta: DeltaSpec, *, title: str
) -> tuple[RawTable, TableSpec, Timepoints]:
    """Keep the rows of the two timepoints, to be spread to columns or reduced.

    Parameters
    ----------
    raw : RawTable
    spec : TableSpec
    delta : DeltaSpec
        That of `spec`.
    title : str
        How messages name the table.

    Returns
    -------
    raw : RawTable
        Without the rows of other timepoints and the column of days; that of timepoints goes, too,
        where rows are reduced.
    spec : TableSpec
        Which spreads the timepoints first, where rows are not reduced.
    timepoints : Timepoints

    Raises
    ------
    StudyError
        If a column or a timepoint is not there, a row does not say its timepoint, or days are
        neither numbers nor dates, differ among rows of one patient and timepoint, or do not rise.
    """
    columns = [str(column) for column in raw.cells.columns]
    for column in filter(None, (delta.column, delta.days)):
        if column not in columns:
            raise StudyError(
                f"{title}: delta names column {column!r}, but the table has none of that name "
                f"among its {len(columns)} columns. {nearest(column, columns)}"
            )
    when = _read_timepoints(raw.cells, spec, delta.column, title=title)
    ends = (written(delta.start), written(delta.end))
    for end in ends:
        if end not in set(when):
            raise StudyError(
                f"{title}: delta compares {ends[0]!r} with {ends[1]!r} in column "
                f"{delta.column!r}, but no row is of {end!r}. {nearest(end, dict.fromkeys(when))}"
            )
    wanted = when.isin(ends).to_numpy()
    ids = read_ids(raw.ids, spec.id_rules, title=title)
    days = None
    if delta.days is not None:
        rows = pd.DataFrame({"patient": ids[wanted], "when": when[wanted]})
        numbers = _read_days(raw.cells[wanted], spec, delta.days, title=title)
        days = days_between(numbers, rows, ends=ends, column=delta.days, title=title)
    known = {identifier for identifier in ids if identifier is not None}
    timepoints = Timepoints(
        spec=delta.model_copy(update={"start": ends[0], "end": ends[1]}),
        days=days,
        n_rows=len(ids),
        n_other=int((~wanted).sum()),
        n_neither=len(known - set(ids[wanted])),
        when=when[wanted] if spec.reduce is not None else None,
    )
    reduced = [delta.column] if spec.reduce is not None else []
    read = [*reduced, *([delta.days] if delta.days is not None else [])]
    cells = raw.cells[wanted].drop(columns=read)
    kept = RawTable(
        cells=cells,
        ids=raw.ids[wanted],
        id_name=raw.id_name,
        dropped=raw.dropped,
        findings=raw.findings,
    )
    update = {
        "spread": [] if reduced else [delta.column, *spec.spread],
        "delta": None,
        "drop": [column for column in spec.drop if column not in read],
        "recode": {c: new for c, new in spec.recode.items() if c not in reduced},
    }
    return kept, spec.model_copy(update=update), timepoints


def scan_names(patients: "pd.Series[str]", when: "pd.Series[str]") -> "pd.Series[str]":
    """Name the scan that each row belongs to, whatever the names of patients and timepoints.

    Examples
    --------
    >>> scan_names(pd.Series(["P1", "P1"]), pd.Series(["pre", "post"])).tolist()
    ["'P1' at 'pre'", "'P1' at 'post'"]
    """
    names = [f"{patient!r} at {time!r}" for patient, time in zip(patients, when, strict=True)]
    return pd.Series(names, index=patients.index, dtype=object)


def spread_scans(
    frames: Sequence[pd.DataFrame],
    rows: pd.DataFrame,
    spec: DeltaSpec,
    *,
    title: str,
) -> list[pd.DataFrame]:
    """Lay the reduced rows of each patient's two scans side by side.

    Parameters
    ----------
    frames : sequence of DataFrame
        Features, reserved columns and provenance, one row per scan, in the order of first rows.
    rows : DataFrame, one row per row of the table before it was reduced
        Columns `patient` and `when`.
    spec : DeltaSpec
    title : str
        How messages name the table.

    Returns
    -------
    list of DataFrame
        One row per patient; features and provenance in columns `timepoint|name`, and reserved
        columns under their own names.

    Raises
    ------
    StudyError
        If both scans of a patient do not agree in a reserved column.
    """
    rows = rows.drop_duplicates()
    everyone = pd.Index(rows["patient"].unique(), dtype=object, name="patient")
    features, reserved, provenance = frames

    def wide(frame: pd.DataFrame) -> pd.DataFrame:
        sides = []
        for end in (spec.start, spec.end):
            of_end = (rows["when"] == end).to_numpy()
            side = frame[of_end].set_axis(pd.Index(rows["patient"][of_end]), axis=0)
            sides.append(side.reindex(everyone).add_prefix(f"{end}{BAR}"))
        return pd.concat(sides, axis=1)

    codes = pd.factorize(rows["patient"])[0]
    shared = {
        str(column): shared_values(reserved[column], codes, title=title) for column in reserved
    }
    made = wide(provenance)
    known = made.to_numpy(dtype=object, copy=True)
    known[pd.isna(known)] = None
    return [
        wide(features),
        pd.DataFrame(shared, index=everyone, dtype=object),
        pd.DataFrame(known, index=everyone, columns=made.columns),
    ]


def lesion_findings(rows: pd.DataFrame, spec: DeltaSpec, *, name: str) -> tuple[Finding, ...]:
    """Count the patients who have more, or fewer, rows at the second timepoint."""
    counts = rows.groupby(["patient", "when"]).size().unstack(fill_value=0)
    start, end = counts[spec.start], counts[spec.end]
    both = (start > 0) & (end > 0)
    fewer, more = int((both & (end < start)).sum()), int((both & (end > start)).sum())
    if not fewer + more:
        return ()
    return (
        Finding(
            code="delta_lesions",
            severity="caution",
            where=name,
            message=f"Rows of table {name!r} were reduced at each timepoint by itself, and "
            f"{fewer + more} of {number_of(int(both.sum()), 'patient')} have another number of "
            f"them at {spec.end!r} (fewer: {fewer}, more: {more}): a change is of what "
            "is there at either, and no lesion is followed.",
        ),
    )


def changes(
    table: pd.DataFrame,
    timepoints: Timepoints,
    *,
    known: Mapping[str, Moment],
    name: str,
    title: str,
) -> tuple[pd.DataFrame, dict[str, Moment], tuple[Finding, ...]]:
    """Take the first timepoint from the second.

    Parameters
    ----------
    table : DataFrame of shape (n_patients, n_columns)
        Columns `timepoint|feature`, as read.
    timepoints : Timepoints
    known : mapping of column to moment
        When columns of `table` are known: a change is known when the second value is.
    name, title : str
        The table's name in the study, and how messages name it.

    Returns
    -------
    table : DataFrame of shape (n_patients, n_features)
        Columns `delta|feature`; without patients who have no change.
    known : dict
        By column of this table.
    findings : tuple of Finding

    Raises
    ------
    StudyError
        If no feature has a value at both timepoints.
    """
    spec = timepoints.spec
    start, end = (_side(table, when) for when in (spec.start, spec.end))
    common = start.columns.intersection(end.columns, sort=False)
    if common.empty:
        raise StudyError(
            f"{title}: delta needs features at both timepoints, but {spec.start!r} has "
            f"{start.shape[1]} and {spec.end!r} {end.shape[1]}, none of them in common. Check "
            "columns and spread."
        )
    delta = delta_features(start[common], end[common], kind=spec.kind, days=timepoints.days)
    lone = start.columns.symmetric_difference(end.columns, sort=False)
    moments = {
        f"{DELTA}|{feature}": known[f"{spec.end}|{feature}"]
        for feature in common
        if f"{spec.end}|{feature}" in known
    }
    return delta.table, moments, _findings(delta, timepoints, list(lone), name=name)


def _read_timepoints(
    cells: pd.DataFrame, spec: TableSpec, column: str, *, title: str
) -> "pd.Series[str]":
    texts, _ = read_texts(cells[column], unknown=Unknown.of(spec.unknown))
    if column in spec.recode:
        texts, _ = recode_texts(texts, spec.recode[column], title=title)
    absent = texts.isna()
    if absent.any():
        raise StudyError(
            f"{title}: every row must say its {column!r}, the column of delta, but "
            f"{absent.sum()} of {len(texts)} do not (first: {texts.index[int(absent.argmax())]}). "
            "Fill it in, or remove the rows."
        )
    return texts


def _read_days(
    cells: pd.DataFrame, spec: TableSpec, days: str, *, title: str
) -> "pd.Series[float]":
    texts, _ = read_texts(cells[days], unknown=Unknown.of(spec.unknown))
    dates = day_numbers(texts, column=days, title=title)
    if dates is not None:
        return dates
    numbers, _ = read_numbers(
        cells[[days]],
        title=title,
        decimal=spec.decimal,
        unknown=Unknown.of(spec.unknown),
        cure=lambda column: (
            f"delta counts days in {column!r}: write all of them as numbers of days, "
            "or all as dates YYYY-MM-DD."
        ),
    )
    return numbers[days]


def _side(table: pd.DataFrame, when: str) -> pd.DataFrame:
    """Return the features of one timepoint, under their own names."""
    prefix = f"{when}|"
    chosen = [column for column in table.columns if column.startswith(prefix)]
    return table[chosen].set_axis([column.removeprefix(prefix) for column in chosen], axis=1)


def _findings(
    delta: DeltaFeatures, timepoints: Timepoints, lone: list[str], *, name: str
) -> tuple[Finding, ...]:
    spec = timepoints.spec
    found = [
        Finding(
            code="delta_features",
            severity="note",
            where=name,
            message=f"Features of table {name!r} are {_WORDS[spec.kind]} from {spec.start!r} to "
            f"{spec.end!r}, of {number_of(delta.n_patients, 'patient')}; {timepoints.n_other} of "
            f"{number_of(timepoints.n_rows, 'row')} are of other timepoints and were not used.",
        )
    ]
    lost = [*_lost(delta, timepoints)]
    if lost:
        found.append(
            Finding(
                code="delta_incomplete",
                severity="caution",
                where=name,
                message=f"Patients of table {name!r} without a change from {spec.start!r} to "
                f"{spec.end!r}, who count as not in it: {'; '.join(lost)}.",
            )
        )
    if len(delta.zero_start):
        found.append(
            Finding(
                code="delta_from_zero",
                severity="caution",
                where=name,
                message=f"{int(delta.zero_start['n_patients'].sum())} relative changes of table "
                f"{name!r} are missing, since the first value is 0 (features: "
                f'{quoted(delta.zero_start["feature"], limit=3)}): kind = "absolute" has them.',
            )
        )
    if lone:
        found.append(
            Finding(
                code="delta_one_sided",
                severity="caution",
                where=name,
                message=f"{number_of(len(lone), 'feature')} of table {name!r} exist at one of "
                f"{spec.start!r} and {spec.end!r} only, and were left out "
                f"({quoted(lone, limit=3)}).",
            )
        )
    return tuple(found)


_WORDS = {
    "absolute": "changes",
    "relative": "changes relative to the first value",
    "per_day": "changes per day",
}


def _lost(delta: DeltaFeatures, timepoints: Timepoints) -> list[str]:
    """Count why patients have no change."""
    spec = timepoints.spec
    words = {
        NO_START: f"no values at {spec.start!r}",
        NO_END: f"no values at {spec.end!r}",
        NO_DAYS: "days between the two unknown",
        NO_PAIR: "no feature at both",
    }
    counts = delta.left_out["reason"].value_counts()
    lost = [f"{text} ({counts[reason]})" for reason, text in words.items() if reason in counts]
    if timepoints.n_neither:
        lost.append(f"other timepoints only ({timepoints.n_neither})")
    return lost
