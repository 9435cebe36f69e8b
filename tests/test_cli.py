"""The command: what it prints, how it ends, and what a signal in the middle leaves behind."""

import os
import re
import signal
from contextlib import AbstractContextManager
from io import StringIO
from pathlib import Path
from subprocess import Popen

import numpy as np
import pytest
from rich.console import Console

import models.validation
from omics.cohort import Cohort
from omics.errors import Finding, StudyError
from omics.synthetic import synthetic_cohort
from reports.cli import hidden_packages
from reports.console import print_check
from reports.output import replace_demo_data
from reports.study import load_cohort
from reports.study_file import read_study
from tests.small_study import SmallStudy, command, small_study
from tests.started_command import in_the_middle

LONG = " ".join(f"word{number}" for number in range(60))


# ---- what it prints -----------------------------------------------------------------------------


def test_run_says_where_the_report_is(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    result = study.run()
    assert result.exit_code == 0
    lines = result.stderr.splitlines()
    assert lines[0].startswith("tables ")
    assert lines[1].startswith("Cohort(60 patients, ")
    assert lines[-1] == f"Report: {study.out / 'report.html'}"
    bars = [line for line in lines if re.search(r"\d+/\d+", line)]
    assert [line.split()[0] for line in bars] == [
        "tables",
        "models",
        "cross-validation",
        "intervals",
        "report",
    ]
    for line in bars:  # each was brought to its end
        done, total = re.search(r"(\d+)/(\d+)", line).groups()
        assert done == total, line


def test_check_prints_flow_and_findings_and_fits_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study(tmp_path)
    study.tables["clinical"]["Protocol"] = 7.0
    study.tables["followup"]["Months"] = study.tables["followup"]["Months"].astype(object)
    study.tables["followup"].loc[3, "Months"] = ""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("check must fit nothing")

    for name in (
        "cox.CoxModel",
        "logistic.LogisticModel",
        "boosting.BoostedModel",
        "design.Design",
    ):
        monkeypatch.setattr(f"models.{name}.fit", never)
    monkeypatch.setattr("omics.mofa.FactorModel.fit", never)
    before = set(tmp_path.iterdir())
    result = study.check()
    assert result.exit_code == 0
    assert re.search(r"│ followup +│ clinical +│ 60 .*│ 1 +│ 0 +│ 1 time unknown +│", result.stderr)
    assert re.search(r"│ cohort +│ +│ 60 +│ 60 +│ 59 +│ 1 ", result.stderr)
    assert "caution: clinical: Features of clinical that hold one value only" in result.stderr
    assert {path.name for path in set(tmp_path.iterdir()) - before} == {
        *("study.toml", "clinical.csv", "radiomics.csv", "followup.csv")
    }


def test_check_tells_the_serious_first(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    study.content["outcome"]["horizons"] = [12, 600]
    lines = study.check().stderr.splitlines()
    severities = [line.split(":")[0] for line in lines if re.match("(serious|caution|note):", line)]
    assert severities[0] == "serious"
    assert severities == sorted(severities, key=["serious", "caution", "note"].index)


def _cohort(tmp_path: Path) -> Cohort:
    return load_cohort(read_study(small_study(tmp_path).write()))


def _printed(cohort: Cohort, findings: list[Finding], *, width: int, terminal: bool) -> str:
    file = StringIO()
    console = Console(
        file=file, width=width, force_terminal=terminal, color_system=None, soft_wrap=True
    )
    print_check(cohort, findings, console)
    return file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_nothing_is_cut_however_narrow_the_console(tmp_path: Path, terminal: bool) -> None:
    cohort = _cohort(tmp_path)
    finding = Finding(code="x", severity="note", where="clinical:[red]", message=f"{LONG}.")
    shown = _printed(cohort, [finding], width=60, terminal=terminal)
    assert f"note: clinical:[red]: {LONG}." in shown.splitlines()
    assert "…" not in shown
    assert "..." not in shown


def test_the_flow_is_as_wide_as_it_must_be_in_a_log(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    label = "the hospital of a rather long name in W"
    study.tables["followup"]["Site"] = ["here"] * 50 + [label] * 10
    study.content["cohorts"] = {"column": "followup:Site", "development": "here"}
    shown = study.check().stderr
    assert f"10 cohort is '{label}', not declared" in shown
    assert len({len(line) for line in shown.splitlines() if line.startswith("│")}) == 1


def test_a_long_mistake_is_one_line_and_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = small_study(tmp_path).write()

    def refuse(_: object, **__: object) -> None:
        raise StudyError(f"[bold]table[/] :brain: {LONG}.")

    monkeypatch.setattr("reports.study.load_cohort", refuse)
    result = command("run", path, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr == f"nomomics: [bold]table[/] :brain: {LONG}.\n"
    assert result.stdout == ""


# ---- how it ends --------------------------------------------------------------------------------


def test_the_commands_are_listed() -> None:
    result = command("--help")
    assert result.exit_code == 0
    assert all(name in result.output for name in ("demo", "extract", "run", "check", "score"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["walk"],
        ["run", "study.toml", "--jobs", "many"],
        ["check", "--out"],
        ["extract", "manifest.csv"],
        ["extract", "manifest.csv", "--out", "a.csv", "--perturb", "-1"],
    ],
)
def test_wrong_arguments_end_with_status_2(arguments: list[str]) -> None:
    assert command(*arguments).exit_code == 2


def test_no_processes_at_all_are_refused(tmp_path: Path) -> None:
    path = small_study(tmp_path).write()
    result = command("run", path, "--out", tmp_path / "out", "--jobs", "0")
    assert result.exit_code == 2
    assert "--jobs must be -1 or at least 1" in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()


def test_our_packages_are_ours() -> None:
    assert hidden_packages() == []


def test_an_error_of_ours_is_no_mistake_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = small_study(tmp_path).write()

    def broken(_: object, **__: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr("reports.study.load_cohort", broken)
    with pytest.raises(KeyError, match="ours"):
        command("run", path, "--out", tmp_path / "out")


# ---- the data of the demo -----------------------------------------------------------------------


def test_demo_data_are_written_whole_and_replaced(tmp_path: Path) -> None:
    cohort = synthetic_cohort(seed=7)
    study = replace_demo_data(cohort, tmp_path)
    assert study == tmp_path / "data/study.toml"
    (tmp_path / "data/clinical.xlsx").unlink()
    assert replace_demo_data(cohort, tmp_path) == study
    assert (tmp_path / "data/clinical.xlsx").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_interrupted_demo_data_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = synthetic_cohort(seed=7)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("omics.synthetic_study.write_table", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replace_demo_data(cohort, tmp_path)
    assert list(tmp_path.iterdir()) == []


# ---- signals ------------------------------------------------------------------------------------


def _in_the_middle(study: SmallStudy, *, jobs: int) -> AbstractContextManager[Popen[str]]:
    """Start a real run, and go on once some folds of its cross-validation are kept."""
    arguments = ["run", study.write(), "--out", study.out, "--jobs", jobs]
    return in_the_middle(arguments, folder=study.folder, work=study.out / ".work")


def _long_study(folder: Path, *, repeats: int) -> SmallStudy:
    study = small_study(folder)
    study.content["validation"]["cross_validation"]["repeats"] = repeats
    return study


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_ends_with_130_and_leaves_no_report(tmp_path: Path, jobs: int) -> None:
    study = _long_study(tmp_path, repeats=2000)
    with _in_the_middle(study, jobs=jobs) as process:
        os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to the whole group
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert stderr.rstrip().endswith("nomomics: stopped. Call it again to go on where it was.")
    assert "Traceback" not in stderr
    assert [path.name for path in study.out.iterdir()] == [".work"]


def test_after_a_kill_the_next_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = _long_study(tmp_path, repeats=40)
    with _in_the_middle(study, jobs=1) as process:
        process.kill()
        process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert [path.name for path in study.out.iterdir()] == [".work"]
    kept = list(study.out.glob(".work/*.npz"))
    for path in kept:  # none is half written
        with np.load(path, allow_pickle=False) as arrays:
            assert arrays["0.risk"].shape == (20, 2)  # a third of 60 patients, two horizons
    task, calls = models.validation.cross_validation_task, []

    def counted(*args: object) -> object:
        calls.append(1)
        return task(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(models.validation, "cross_validation_task", counted)
    result = study.run()
    assert result.exit_code == 0, result.stderr
    assert len(calls) == 3 * 40 - len(kept)
    assert (study.out / "report.html").exists()
    assert not (study.out / ".work").exists()
