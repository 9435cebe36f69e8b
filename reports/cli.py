"""The command `nomomics`: demo, extract, run, check, score."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from omics.extraction import Extraction
    from omics.perturbing import Perturbing

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Radiomics, genomics, pathology and clinical tables to nomograms, validation and a "
    "report.",
)
ROOT = Path(__file__).parents[1]
# nothing of ours is imported before `hidden_packages` has looked, hence the imports in functions
OURS = ("omics", "models", "reports")


def _processes(jobs: int) -> int:
    """Refuse a number of processes that means nothing."""
    if jobs == 0 or jobs < -1:
        raise typer.BadParameter(f"--jobs must be -1 or at least 1, but {jobs} came")
    return jobs


StudyFile = Annotated[Path, typer.Argument(help="the study file, such as study.toml")]
Out = Annotated[Path, typer.Option("--out", help="folder for the report and its tables")]
Jobs = Annotated[
    int, typer.Option("--jobs", callback=_processes, help="processes; -1 takes every core")
]
COPIES = "Changed copies, with --perturb"


def _amount(flag: str, what: str, *, least: float | None = None) -> Any:
    return typer.Option(f"--perturb-{flag}", min=least, help=what, rich_help_panel=COPIES)


@app.command()
def demo(out: Out = Path("results/demo"), jobs: Jobs = -1) -> None:
    """Run the whole walk on the embedded synthetic cohort."""
    with _mistakes_told():
        from omics.synthetic import synthetic_cohort
        from reports.output import check_folder, replace_demo_data

        check_folder(out)
        _run(replace_demo_data(synthetic_cohort(seed=7), out), out, jobs)


@app.command()
def run(study: StudyFile, out: Out = Path("results"), jobs: Jobs = -1) -> None:
    """Fit, validate and report a study."""
    with _mistakes_told():
        _run(study, out, jobs)


@app.command()
def check(study: StudyFile) -> None:
    """Read and join the tables, print the flow of patients and the findings; fit nothing."""
    with _mistakes_told():
        from omics.quality import findings
        from reports.console import print_check
        from reports.study import load_cohort
        from reports.study_file import read_study

        with _progress(_console()) as bars:
            cohort = load_cohort(read_study(study), progress=bars)
        print_check(cohort, [*cohort.findings, *findings(cohort)], _console())


@app.command()
def score(
    passport: Annotated[Path, typer.Argument(help="folder of a run, or its passport.zip")],
    out: Annotated[Path, typer.Option("--out", help="the .csv file to write")],
    patients: Annotated[
        Path | None, typer.Argument(help="table of new patients, one row each")
    ] = None,
    table: Annotated[
        list[str] | None,
        typer.Option("--table", help="name=file: a table of the study, as the study's own was"),
    ] = None,
    id: Annotated[
        str | None,
        typer.Option("--id", help="column of patient ids; by default the first, or the study's"),
    ] = None,
    separator: Annotated[
        str | None, typer.Option("--separator", help="between cells; by default , in .csv")
    ] = None,
    sheet: Annotated[str | None, typer.Option("--sheet", help="sheet of an .xlsx file")] = None,
) -> None:
    """Score new patients by the frozen models of a run."""
    with _mistakes_told():
        from reports.scoring import NewFiles, named_paths, score_files

        files = NewFiles(
            path=patients,
            tables=named_paths(table or []),
            id=id,
            separator=separator,
            sheet=sheet,
        )
        scores = score_files(passport, files, out, console=_console())
        _console().print(f"Scores: {out} ({scores})")


@app.command()
def extract(
    manifest: Annotated[Path, typer.Argument(help="csv of cases: patient, image, mask, ...")],
    out: Annotated[Path, typer.Option("--out", help="the .parquet or .csv file to write")],
    settings: Annotated[
        str, typer.Option("--settings", help="mri, ct, or a pyradiomics .yaml file")
    ] = "mri",
    perturb: Annotated[
        int,
        typer.Option("--perturb", min=0, help="changed copies of each mask to measure as well"),
    ] = 0,
    shift: Annotated[float | None, _amount("shift", "mm the mask is moved [1]", least=0)] = None,
    grow: Annotated[
        tuple[float, float] | None,
        _amount("grow", "mm, from and to, it grows or (below 0) shrinks [-1 1]"),
    ] = None,
    contour: Annotated[
        float | None, _amount("contour", "mm its contour is moved at random [1]", least=0)
    ] = None,
    smoothness: Annotated[
        float | None, _amount("smoothness", "mm over which that is alike [5]", least=0)
    ] = None,
    noise: Annotated[
        float | None, _amount("noise", "noise added, times the image's own [0]", least=0)
    ] = None,
    seed: Annotated[int | None, _amount("seed", "other copies of the same kind [0]")] = None,
    trust_paths: Annotated[
        bool,
        typer.Option("--trust-paths", help="do not look for other patients' ids in the paths"),
    ] = False,
    jobs: Jobs = -1,
) -> None:
    """Extract radiomics features of images and masks into one table."""
    with _mistakes_told():
        from reports.perturb_flags import asked_perturbing

        amounts = {
            **{"shift": shift, "grow": grow, "contour": contour, "smoothness": smoothness},
            **{"noise": noise, "seed": seed},
        }
        perturbing = asked_perturbing(perturb, amounts)
        _extract(
            manifest,
            out,
            settings,
            perturbing=perturbing,
            trust_paths=trust_paths,
            jobs=jobs,
        )


def _extract(
    manifest: Path,
    out: Path,
    settings: str,
    *,
    perturbing: "Perturbing | None",
    trust_paths: bool,
    jobs: int,
) -> None:
    from omics.extraction import case_store
    from omics.extraction import extract as extract_cases
    from omics.extraction_settings import read_settings
    from omics.manifest import read_manifest
    from reports.extraction_output import (
        check_place,
        copies_of,
        input_files,
        work_folder,
        write_extraction,
    )

    cases = read_manifest(manifest, trust_paths=trust_paths)
    chosen, console = read_settings(settings), _console()
    check_place(out, inputs=[manifest, *input_files(cases)])
    with _progress(console, time_left=True) as bars:
        found = extract_cases(
            cases,
            chosen,
            perturbing=perturbing,
            n_jobs=jobs,
            store=case_store(work_folder(out), chosen),
            progress=bars,
        )
    older = copies_of(out)
    written = write_extraction(found, out)
    console.print(f"{found!r}: {written[0] if len(found.table) else _no_table(out)}")
    _tell_notes(found, [path.name for path in older if not path.exists()], console)
    if found.n_failed:
        _tell_failures(found, written[-1], console)


def _tell_notes(found: "Extraction", removed: list[str], console: Console) -> None:
    """Say what is to be known of an extraction beside its table."""
    from omics.extraction_summary import label_findings
    from reports.extraction_section import lost_copies_text

    if len(found.lost_copies):
        console.print(f"note: {lost_copies_text(found)}")
    if removed:
        console.print(
            f"note: {len(removed)} tables of changed copies of an earlier extraction were "
            f"removed ({', '.join(removed)})."
        )
    for finding in label_findings(found):
        console.print(f"{finding.severity}: {finding.message}")


def _no_table(out: Path) -> str:
    older = f"; {out} of an earlier extraction stays as it was" if out.exists() else ""
    return f"no table{older}"


def _tell_failures(found: "Extraction", reasons: Path, console: Console) -> None:
    """Say how many cases failed and the commonest reason, and end with status 3."""
    from omics.extraction_summary import failure_reasons
    from omics.messages import number_of

    first = failure_reasons(found.failed).to_dict("records")[0]
    console.print(f"{number_of(first['n_cases'], 'case')}: {first['reason']}")
    console.print(
        f"nomomics: {found.n_failed} of {found.n_cases} cases could not be used, wholly or in "
        f"part. The reasons stand in {reasons}. Correct them and call it again: the others are "
        "kept.",
        style="red",
    )
    raise typer.Exit(3)


def _run(study_path: Path, out: Path, jobs: int) -> None:
    from reports.output import WORK, check_folder
    from reports.report import write_report
    from reports.study import compute, load_cohort
    from reports.study_file import read_study
    from reports.study_inputs import input_files

    console = _console()
    study = read_study(study_path)
    with _progress(console) as bars:
        cohort = load_cohort(study, progress=bars)
    console.print(repr(cohort))
    check_folder(out, inputs=[path for _, _, path in input_files(study)])
    with _progress(console) as bars:
        results = compute(study, cohort, n_jobs=jobs, work=out / WORK, progress=bars)
        bars("report", 0, 1)
        write_report(results, out)
        bars("report", 1, 1)
    console.print(f"Report: {out / 'report.html'}")


class _Bars:
    """One progress bar per kind of work."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        self._progress.start()  # only now: bars of nothing would leave an empty line
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done, total=total)


@contextmanager
def _progress(console: Console, *, time_left: bool = False) -> Iterator[_Bars]:
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    ]
    if time_left:
        columns += [TextColumn("left"), TimeRemainingColumn()]
    # by default the time left is judged by the last 30 s, in which no case may have ended
    progress = Progress(*columns, console=console, speed_estimate_period=3600)
    try:
        yield _Bars(progress)
    finally:
        if progress.live.is_started:
            progress.stop()


def _console() -> Console:
    """Give a console that shows text as it is: no line is cut, no name is read as markup."""
    return Console(stderr=True, soft_wrap=True, markup=False, emoji=False, highlight=False)


@contextmanager
def _mistakes_told() -> Iterator[None]:
    """Tell a mistake in the study in words, with exit status 2."""
    from omics.errors import StudyError

    try:
        yield
    except StudyError as error:
        _console().print(f"nomomics: {error}", style="red")
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        _console().print("nomomics: stopped. Call it again to go on where it was.")
        raise typer.Exit(130) from None


def hidden_packages() -> list[str]:
    """Say which of our packages another file of that name hides, with that file."""
    found = []
    for name in OURS:
        spec = importlib.util.find_spec(name)
        origin = None if spec is None else spec.origin
        if origin != str(ROOT / name / "__init__.py"):
            found.append(f"{name!r} is hidden by {origin}")
    return found


def main() -> None:
    """Start the command, once our packages are known to be ours."""
    hidden = hidden_packages()
    if hidden:
        sys.stderr.write(
            f"nomomics: {'; '.join(hidden)}. Rename that file, or start nomomics from another "
            "folder.\n"
        )
        raise SystemExit(2)
    app()


if __name__ == "__main__":
    main()
