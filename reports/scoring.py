"""New patients from their file to `scored.csv`: what `nomomics score` does."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pydantic import ValidationError
from rich.console import Console

from models.passport import Passport, read_passport
from models.scoring import Scores, refusal, score_patients
from omics.errors import StudyError
from omics.new_patients import NewPatients
from omics.reading import read_raw
from omics.table_spec import TEXT_SUFFIXES, TableSpec, suffix
from reports.console import print_differences
from reports.tables import write_csv

FEW = 6  # differences of one kind that are listed; of more, the first and their number


@dataclass(frozen=True, kw_only=True)
class NewTable:
    """The file of new patients, and how its cells are found.

    Attributes
    ----------
    path : Path
        .csv, .tsv, .txt, .xlsx or .parquet; one row per patient.
    id : str or None
        Column of ids; by default the first.
    separator, sheet : str or None
        As in a study's table.
    """

    path: Path
    id: str | None = None
    separator: str | None = None
    sheet: str | None = None


def score_table(passport: Path, new: NewTable, out: Path, *, console: Console) -> Scores:
    """Score the patients of a file; differences are printed, scores written whole or not at all.

    Parameters
    ----------
    passport : Path
        A passport, or the folder of a run.
    new : NewTable
    out : Path
        The .csv file to write; an older one is replaced.
    console : Console

    Returns
    -------
    Scores

    Raises
    ------
    StudyError
        If the passport, the file or its columns are not as they must be.
    """
    _check_out(out, new.path, passport)
    frozen = read_passport(passport)
    patients = read_patients(frozen, new)
    found = frozen.differences(patients)
    print_differences(shortened(found), console)
    why = refusal(shortened(found), title=new.path.name)
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


def _check_out(out: Path, table: Path, passport: Path) -> None:
    if suffix(out) != ".csv" or out.is_dir():
        raise StudyError(f"--out must be a .csv file, but {out} came. Write --out scored.csv.")
    if not out.parent.is_dir():
        raise StudyError(f"--out {out}: the folder {out.parent} does not exist. Make it first.")
    if out.resolve() in (table.resolve(), passport.resolve()):
        raise StudyError(f"--out {out} would replace what is read. Choose another file.")


def read_patients(frozen: Passport, new: NewTable) -> NewPatients:
    """Read the file of new patients as the study's tables were read."""
    try:
        spec = TableSpec(
            path=new.path, kind="features", id=new.id, separator=new.separator, sheet=new.sheet
        )
    except ValidationError as error:
        raise StudyError(
            f"--separator must be one sign of a text file ({', '.join(TEXT_SUFFIXES)}) and --sheet "
            f"a sheet of an .xlsx file, but {new.path.name} is read."
        ) from error
    return frozen.read(read_raw(spec, name=new.path.name, title=new.path.name), title=new.path.name)


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
