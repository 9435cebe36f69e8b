"""What an extraction leaves behind: a table, what its columns mean, its settings, its failures.

Beside `radiomics.parquet` stand `radiomics_columns.csv`, `radiomics_settings.yaml`,
`radiomics.html` and, if a case failed, `failed.csv`, the list of all tables of the folder; tables
of changed copies of the masks are called `radiomics_perturbed_1.parquet` and so on. They appear
together or not at all; finished cases lie in `.radiomics.work` until nothing fails any more.
"""

import shutil
from collections.abc import Iterable
from glob import escape
from pathlib import Path

import pandas as pd

from omics.case import Case
from omics.errors import StudyError
from omics.extraction import Extraction
from omics.extraction_settings import settings_yaml
from reports.extraction_page import write_extraction_page
from reports.files import write_text
from reports.perturb_flags import perturbing_flags
from reports.tables import write_csv

ENDINGS = (".parquet", ".csv")
MARK = "# Settings of nomomics extract"  # the first line of what only we write
FAILED = "failed.csv"
FAILED_HEADER = "table,row,patient,timepoint,reader,sequence,image,mask,region,reason"


def input_files(cases: Iterable[Case]) -> list[Path]:
    """List every image and mask."""
    return [path for case in cases for path in case.files.values()]


def work_folder(out: Path) -> Path:
    """Return the folder that keeps finished cases while an extraction goes on.

    Examples
    --------
    >>> work_folder(Path("tables/radiomics.parquet")).as_posix()
    'tables/.radiomics.work'
    """
    return out.with_name(f".{out.stem}.work")


def _places(out: Path) -> dict[str, Path]:
    """Say what is written where, the table last."""
    return {
        "settings": out.with_name(f"{out.stem}_settings.yaml"),
        "columns": out.with_name(f"{out.stem}_columns.csv"),
        "page": out.with_name(f"{out.stem}.html"),
        out.name: out,
    }


def copies_of(out: Path) -> list[Path]:
    """List the tables of changed copies that lie beside the table."""
    return sorted(out.parent.glob(f"{escape(out.stem)}_perturbed_*{out.suffix}"))


def check_place(out: Path, *, inputs: Iterable[Path]) -> None:
    """Make the folder of the output and try whether it can be written to, before hours of work.

    Parameters
    ----------
    out : Path
        The table to write.
    inputs : iterable of Path
        Manifest, images and masks, which must not be replaced.

    Raises
    ------
    StudyError
        If its ending is no table's, the folder cannot be made or written to, or a file would be
        replaced that no extraction wrote.
    """
    if out.suffix not in ENDINGS:
        raise StudyError(f"--out must end in {' or '.join(ENDINGS)}, but is {out}.")
    if out.stem == Path(FAILED).stem:
        raise StudyError(f"--out must not be called {out.name}: {FAILED} lists what failed.")
    try:
        _refuse_neighbour(out)
        _refuse_foreign(out, inputs)
        work = work_folder(out)
        work.mkdir(parents=True, exist_ok=True)
        (work / "probe").write_text("")
        (work / "probe").unlink()
    except OSError as error:
        raise _not_writable(out, error) from error


def _not_writable(out: Path, error: OSError) -> StudyError:
    return StudyError(
        f"--out {out} cannot be written to: {error.strerror}. Choose another folder, make room, or "
        "ask for the right to write there; finished cases are kept."
    )


def _refuse_neighbour(out: Path) -> None:
    """Refuse a place beside the same table with the other ending."""
    (other,) = (out.with_suffix(ending) for ending in ENDINGS if ending != out.suffix)
    if other.exists():
        raise StudyError(
            f"--out {out} would share its settings with {other.name}, which lies there. Choose "
            "another name or folder, or remove the older table."
        )


def _refuse_foreign(out: Path, inputs: Iterable[Path]) -> None:
    """Refuse to replace what is not ours."""
    replaced = [*_places(out).values(), *copies_of(out), out.with_name(FAILED)]
    named = {path.resolve() for path in inputs}
    ours = _begins_with(_places(out)["settings"], MARK)
    for path in replaced:
        known = _begins_with(path, FAILED_HEADER) if path.name == FAILED else ours
        if path.resolve() in named or (path.exists() and not known):
            raise StudyError(
                f"--out {out} would replace {path}, which no extraction wrote. Choose another "
                "name or folder."
            )


def _begins_with(path: Path, line: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(line)) == line.encode()


def write_extraction(extraction: Extraction, out: Path) -> list[Path]:
    """Write an extraction; without a single region only the list of failures.

    An older table goes first and the new one comes last, so that no table stands beside the
    settings of another.

    Parameters
    ----------
    extraction : Extraction
    out : Path
        As `check_place` has found it.

    Returns
    -------
    list of Path
        What was written, the table first.

    Raises
    ------
    StudyError
        If the folder cannot be written to any more.
    """
    work = work_folder(out)
    staging = work / "output"
    try:
        written = _write_files(extraction, out, staging)
        if out.name in written:
            out.unlink(missing_ok=True)
        for name, place in written.items():
            (staging / name).replace(place)
        if FAILED not in written:  # nobody failed, of this table or of its neighbours
            out.with_name(FAILED).unlink(missing_ok=True)
        if out.name in written:  # copies stay beside the table they are of
            for older in set(copies_of(out)) - set(written.values()):
                older.unlink()
    except OSError as error:
        raise _not_writable(out, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    if not extraction.n_failed:
        shutil.rmtree(work, ignore_errors=True)
    return list(reversed(written.values()))  # the table first, failures last


def _write_files(extraction: Extraction, out: Path, staging: Path) -> dict[str, Path]:
    """Write everything into a folder of its own; say where each file belongs."""
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    written: dict[str, Path] = {}
    failed = _every_failure(extraction, out)
    if len(failed):
        write_csv(failed, staging / FAILED)
        written[FAILED] = out.with_name(FAILED)
    if extraction.table.empty:
        return written
    settings = extraction.settings
    first = f"{MARK} ({settings.name}), digest {settings.digest}\n"
    if extraction.perturbing is not None:
        first += f"# Changed copies of the masks: {perturbing_flags(extraction.perturbing)}\n"
    write_text(first + settings_yaml(settings), staging / "settings")
    write_csv(extraction.columns, staging / "columns")
    write_extraction_page(extraction, staging / "page")
    for number, copy in enumerate(extraction.perturbed, start=1):
        name = f"{out.stem}_perturbed_{number}{out.suffix}"
        _write_table(copy, staging / name)
        written[name] = out.with_name(name)
    _write_table(extraction.table, staging / out.name)
    return written | _places(out)


def _every_failure(extraction: Extraction, out: Path) -> pd.DataFrame:
    """List what failed of this table, and of the others that lie in its folder."""
    own = extraction.failed.astype(str)
    own.insert(0, "table", out.stem)
    place = out.with_name(FAILED)
    if not place.exists():
        return own
    listed = pd.read_csv(place, dtype=str, keep_default_na=False)
    return pd.concat([listed[listed["table"] != out.stem], own], ignore_index=True)


def _write_table(table: pd.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        write_csv(table, path)
    else:
        table.to_parquet(path, index=False)
