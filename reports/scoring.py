"""New patients from their files to `scored.csv`: what `nomomics score` does."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from pydantic import ValidationError
from rich.console import Console

from models.passport import Passport, read_passport
from models.scoring import Scores, refusal, score_patients
from omics.errors import StudyError
from omics.new_patients import NewPatients
from omics.reading import RawTable, read_raw
from omics.table_layout import layout_at
from omics.table_spec import TEXT_SUFFIXES, TableSpec, suffix
from reports.console import print_differences
from reports.tables import write_csv

FEW = 6  # differences of one kind that are listed; of more, the first and their number


@dataclass(frozen=True, kw_only=True)
class NewFiles:
    """The files of new patients, and how their cells are found.

    Attributes
    ----------
    path : Path or None
        .csv, .tsv, .txt, .xlsx or .parquet; one row per patient, columns of any table.
    tables : dict of table to Path
        Tables of the study, long where the study's own were.
    id : str or None
        Column of ids; by default the study's in `tables`, and the first in `path`.
    separator, sheet : str or None
        As in a study's table; by default the study's in `tables`.
    """

    path: Path | None = None
    tables: dict[str, Path] = field(default_factory=dict)
    id: str | None = None
    separator: str | None = None
    sheet: str | None = None

    @property
    def paths(self) -> list[Path]:
        """All files."""
        return [*([self.path] if self.path is not None else []), *self.tables.values()]

    @property
    def title(self) -> str:
        """How messages name them together."""
        return " and ".join(path.name for path in self.paths)


def named_paths(texts: Sequence[str]) -> dict[str, Path]:
    """Take apart what `--table` says.

    Examples
    --------
    >>> named_paths(["radiomics=new.parquet"])["radiomics"].name
    'new.parquet'
    """
    found: dict[str, Path] = {}
    for text in texts:
        name, sign, path = text.partition("=")
        if not (name and sign and path):
            raise StudyError(
                f"--table must be name=file, as radiomics=new.parquet, but {text!r} came."
            )
        if name in found:
            raise StudyError(f"--table must name a table once, but {name!r} came twice.")
        found[name] = Path(path)
    return found


def score_files(passport: Path, new: NewFiles, out: Path, *, console: Console) -> Scores:
    """Score new patients from files; differences are printed, scores written whole or not at all.

    Parameters
    ----------
    passport : Path
        A passport, or the folder of a run.
    new : NewFiles
    out : Path
        The .csv file to write; an older one is replaced.
    console : Console

    Returns
    -------
    Scores

    Raises
    ------
    StudyError
        If the passport, a file or its columns are not as they must be.
    """
    if not new.paths:
        raise StudyError("give a table of new patients, or --table radiomics=new.parquet.")
    _check_out(out, [*new.paths, passport])
    frozen = read_passport(passport)
    patients = read_patients(frozen, new)
    found = frozen.differences(patients)
    print_differences(shortened(found), console)
    why = refusal(shortened(found), title=new.title)
    if why:
        raise StudyError(why)
    scores = score_patients(
        frozen.models,
        frozen.columns,
        patients,
        outcome=frozen.outcome,
        level=frozen.level,
        differences=found,
    )
    for line in remarks(scores):
        console.print(line)
    try:
        write_csv(scores.table, out)
    except OSError as error:
        raise StudyError(f"--out {out} cannot be written: {error.strerror}.") from error
    return scores


def _check_out(out: Path, inputs: Sequence[Path]) -> None:
    if suffix(out) != ".csv" or out.is_dir():
        raise StudyError(f"--out must be a .csv file, but {out} came. Write --out scored.csv.")
    if not out.parent.is_dir():
        raise StudyError(f"--out {out}: the folder {out.parent} does not exist. Make it first.")
    if out.resolve() in [path.resolve() for path in inputs]:
        raise StudyError(f"--out {out} would replace what is read. Choose another file.")


def read_patients(frozen: Passport, new: NewFiles) -> NewPatients:
    """Read the files of new patients as the study's tables were read.

    A single file that is long, as a table of the study is, need not be named.
    """
    tables = dict(new.tables)
    table = None if new.path is None else _read(None, new.path, new)
    if new.path is not None and table is not None:
        long = frozen.long_tables(table)
        if long and not tables and frozen.table_names == long:
            tables, table = {long[0]: new.path}, None
        elif long and not {*long} & {*tables}:
            raise StudyError(
                f"{new.path.name} has several rows of a patient, as table {long[0]!r} of the "
                f"study had: give it as --table {long[0]}={new.path}, and the columns of other "
                "tables in files of their own."
            )
    return frozen.read(
        table,
        tables={name: _read(frozen.layouts.get(name), path, new) for name, path in tables.items()},
        title="" if new.path is None else new.path.name,
    )


def _read(layout: TableSpec | None, path: Path, new: NewFiles) -> RawTable:
    stated = {"id": new.id, "separator": new.separator, "sheet": new.sheet}
    spec = TableSpec(path=path, kind="features") if layout is None else layout_at(layout, path)
    given = {option: value for option, value in stated.items() if value is not None}
    try:
        spec = TableSpec.model_validate(spec.model_dump(exclude_defaults=True) | given)
    except ValidationError as error:
        raise StudyError(
            f"--separator must be one sign of a text file ({', '.join(TEXT_SUFFIXES)}) and --sheet "
            f"a sheet of an .xlsx file, but {path.name} is read."
        ) from error
    return read_raw(spec, name=path.name, title=path.name)


def shortened(differences: pd.DataFrame) -> pd.DataFrame:
    """Keep the first differences of each kind, and count the others in one row of their own.

    All that is refused is kept.

    Examples
    --------
    >>> many = pd.DataFrame({"severity": "caution", "difference": "outside the range",
    ...     "column": [f"a:{i}" for i in range(30)], "count": 1, "detail": ""})
    >>> shortened(many)["column"].tolist()[-2:]
    ['a:5', '24 more columns']
    """
    parts = []
    for (severity, kind), rows in differences.groupby(["severity", "difference"], sort=False):
        shown = len(rows) if severity == "refused" else FEW
        parts.append(rows.head(shown))
        rest = rows.iloc[shown:]
        if len(rest):
            text = f"{len(rest)} more columns"
            row = [severity, kind, text, int(rest["count"].sum()), "as above"]
            parts.append(pd.DataFrame([row], columns=differences.columns))
    return pd.concat(parts, ignore_index=True) if parts else differences


def remarks(scores: Scores) -> list[str]:
    """Say what a reader of the scores must know beside the numbers."""
    table = scores.table
    lines = []
    for model, rows in table.groupby("model", sort=False):
        none = rows["interval"].str.startswith("none").any()
        low, filled = int(rows["low_information"].sum()), int((rows["filled"] != "").sum())
        if none:
            lines.append(f"note: {model}: {rows['interval'].iloc[0].removeprefix('none: ')}.")
        if low:
            lines.append(
                f"caution: {model}: {low} of {len(rows)} patients carry little information on the "
                "factors: these are drawn to zero."
            )
        if filled:
            lines.append(
                f"caution: {model}: {filled} of {len(rows)} patients had missing predictors filled "
                "in; the interval takes these as known."
            )
    return lines
