"""The folder a run leaves behind: it appears whole, or not at all.

Everything is written into `DIR/.incomplete` first, and moved to its place when all of it is there;
the report comes last. Patient ids stand in `DIR/private/` only.
"""

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from models.passport import NAME as PASSPORT
from models.passport import Passport, make_passport, write_passport
from omics.centres import META, centre_rules
from omics.errors import StudyError
from omics.synthetic_study import SyntheticStudy
from omics.table_spec import TableSpec
from reports.output_tables import influence_table, predictions_table, tables_of
from reports.results import Results
from reports.tables import write_csv

INCOMPLETE = ".incomplete"
WORK = ".work"
WRITTEN = ("tables", "private", PASSPORT, "study.json", "report.html")


def check_folder(folder: Path, *, inputs: Iterable[Path] = ()) -> None:
    """Make the output folder and try whether it can be written to, before hours of computing.

    Parameters
    ----------
    folder : Path
    inputs : iterable of Path
        The study's own tables, which a run must not replace.

    Raises
    ------
    StudyError
        If it is a file, cannot be made or written to, or holds folders that a run would replace but
        that no run wrote.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise StudyError(f"--out {folder} must be a folder, but a file of that name is there.")
        _refuse_foreign(folder, inputs)
        probe = folder / INCOMPLETE
        probe.mkdir(parents=True, exist_ok=True)
        (probe / "probe").write_text("")
        shutil.rmtree(probe)
    except OSError as error:
        raise StudyError(_not_writable(folder, error)) from error


def _not_writable(folder: Path, error: OSError) -> str:
    return (
        f"--out {folder} cannot be written to: {error.strerror}. Choose another folder, or ask for "
        "the right to write there."
    )


def _refuse_foreign(folder: Path, inputs: Iterable[Path]) -> None:
    """Refuse to replace what is not ours."""
    replaced = [folder / name for name in ("tables", "private")]
    there = [place for place in replaced if place.exists()]
    if there and not (folder / "study.json").is_file():
        raise StudyError(
            f"--out {folder} holds {there[0].name!r}, which no run of nomomics wrote and a run "
            "would replace. Choose another folder."
        )
    ours = {place.resolve() for place in there}
    for path in inputs:
        if ours & set(path.resolve().parents):
            raise StudyError(
                f"--out {folder} would replace {path}, a table of the study. Choose another folder."
            )


def replace_demo_data(cohort: SyntheticStudy, folder: Path) -> Path:
    """Write the synthetic cohort into `folder / "data"`, whole or not at all.

    Returns
    -------
    Path
        Of its study file.

    Raises
    ------
    StudyError
        If the folder `data` holds anything but an older demo.
    """
    place, staging = folder / "data", folder / INCOMPLETE / "data"
    study = place / "study.toml"
    made = cohort.study_toml
    if place.exists() and not (
        study.is_file() and study.read_bytes().startswith(made.partition("\n")[0].encode())
    ):
        raise StudyError(
            f"--out {folder} holds 'data', which no demo wrote and the demo would replace. Choose "
            "another folder."
        )
    try:
        cohort.write(staging)
        _replace(staging, place)
    except OSError as error:
        raise StudyError(_not_writable(folder, error)) from error
    finally:
        shutil.rmtree(folder / INCOMPLETE, ignore_errors=True)
    return study


def write_output(results: Results, folder: Path, *, render: Callable[[Results], str]) -> list[Path]:
    """Write report, tables, passport and private files into `folder`.

    An older report stays until the new one is there in full; then it goes first and the new one
    comes last, so that a report never stands beside the tables of another run.

    Parameters
    ----------
    results : Results
    folder : Path
    render : callable
        Makes the HTML page of the results.

    Returns
    -------
    list of Path
        What was written, the report first.

    Raises
    ------
    StudyError
        If the folder cannot be written to any more.
    """
    page = render(results)
    staging = folder / INCOMPLETE
    try:
        _write_files(results, staging)
        (staging / "report.html").write_text(page, encoding="utf-8")
        (folder / "report.html").unlink(missing_ok=True)
        for name in WRITTEN:
            _replace(staging / name, folder / name)
    except OSError as error:
        raise StudyError(_not_writable(folder, error)) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    shutil.rmtree(folder / WORK, ignore_errors=True)
    return [folder / name for name in reversed(WRITTEN)]


def _write_files(results: Results, staging: Path) -> None:
    """Write all but the report into a folder of its own."""
    shutil.rmtree(staging, ignore_errors=True)
    (staging / "tables").mkdir(parents=True)
    (staging / "private").mkdir()
    for name, table in tables_of(results):
        write_csv(table, staging / "tables" / f"{name}.csv")
    write_csv(predictions_table(results), staging / "private" / "predictions.csv")
    write_csv(results.cohort.flow.lost, staging / "private" / "lost.csv")
    if results.assumptions:
        write_csv(influence_table(results), staging / "private" / "influence.csv")
    write_passport(passport_of(results), staging / PASSPORT)
    document = json.dumps(study_document(results), indent=2, ensure_ascii=False)
    (staging / "study.json").write_text(document + "\n", encoding="utf-8")


def _replace(new: Path, place: Path) -> None:
    """Move a file or folder to its place; an older one of ours goes."""
    if place.is_dir():
        old = new.with_name(new.name + ".old")
        place.rename(old)
        new.rename(place)
    else:
        new.replace(place)


def passport_of(results: Results) -> Passport:
    """Collect what new patients need to be scored by the models of a run."""
    declared: Any = results.study.get("tables", {})
    tables = {name: TableSpec.model_validate(spec) for name, spec in declared.items()}
    centre = results.study.get("centre")
    if centre is not None:
        tables[META] = centre_rules(str(centre))
    return make_passport(
        results.cohort,
        results.validation,
        title=results.about.title,
        description=results.about.description,
        synthetic=results.about.synthetic,
        nomograms=results.nomograms,
        figures=results.performance.table,
        tables=tables,
        versions=results.versions,
    )


def study_document(results: Results) -> dict[str, object]:
    """Write out the study as understood, with seeds, versions and what every input file was."""
    return {
        "format": "nomomics study 1",
        "study": results.study,
        "seed": results.validation.plan.seed,
        "patients": {
            "development": results.cohort.development.n_patients,
            **{name: part.n_patients for name, part in results.cohort.external.items()},
        },
        "versions": results.versions,
        "inputs": results.inputs.to_dict("records"),
    }
