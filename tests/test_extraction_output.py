"""The command `nomomics extract`: what it writes, refuses and leaves when it is stopped."""

import errno
import os
import re
import signal
import subprocess
import sys
from html import unescape
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import omics.case_features
from omics.extraction_settings import read_settings
from omics.perturbation import PerturbationSettings
from omics.perturbing import Perturbing
from reports.cli import _progress
from tests.forbidden import forbid
from tests.small_extraction import SHAPE, SmallExtraction, small_extraction, write_image
from tests.started_command import in_the_middle

ROOT = Path(__file__).parents[1]
WRITTEN = {
    "radiomics.parquet",
    "radiomics_columns.csv",
    "radiomics_settings.yaml",
    "radiomics.html",
}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# ---- what it writes -----------------------------------------------------------------------------


def test_a_table_and_what_belongs_to_it(tmp_path: Path) -> None:
    phantoms = small_extraction(tmp_path)
    result = phantoms.run()
    assert result.exit_code == 0, result.stderr
    assert names(phantoms.out.parent) == WRITTEN
    table = phantoms.table()
    assert table["patient"].tolist() == ["P1", "P1", "P2", "P2", "P3", "P3"]
    columns = pd.read_csv(phantoms.out.with_name("radiomics_columns.csv"))
    assert columns["name"].tolist() == list(table)[9:]
    assert columns.set_index("name").loc["original_glcm_Contrast", "ibsi"] == "ACUI"
    settings = read_settings(phantoms.out.with_name("radiomics_settings.yaml"))
    assert {settings.digest} == set(table["diagnostics_Configuration_Hash"])
    files, cases, last = result.stderr.strip().splitlines()
    assert re.match(r"files .* 6/6 ", files)
    assert re.match(r"cases .* 3/3 .*left", cases)
    assert last.startswith("Extraction(3 cases, 6 regions, 6 features, settings settings.yaml")
    assert last.endswith(f": {phantoms.out}")


def test_csv_holds_the_same_numbers(tmp_path: Path) -> None:
    phantoms = small_extraction(tmp_path, patients=1)
    phantoms.run()
    csv = tmp_path / "beside" / "radiomics.csv"
    assert phantoms.run("--out", csv).exit_code == 0
    written = pd.read_csv(csv, dtype={"region": str}, float_precision="round_trip")
    pd.testing.assert_frame_equal(written, phantoms.table(), check_exact=True)


def test_the_settings_written_give_the_same_table_again(tmp_path: Path) -> None:
    phantoms = small_extraction(tmp_path, patients=1)
    phantoms.run()
    first = phantoms.table()
    assert (
        phantoms.run("--settings", phantoms.out.with_name("radiomics_settings.yaml")).exit_code == 0
    )
    pd.testing.assert_frame_equal(phantoms.table(), first, check_exact=True)


def test_failures_are_listed_with_status_3(tmp_path: Path) -> None:
    phantoms = small_extraction(tmp_path)
    phantoms.manifest.loc[1, "label"] = "9"
    result = phantoms.run()
    assert result.exit_code == 3
    out = phantoms.out.parent
    assert names(out) == {*WRITTEN, "failed.csv", ".radiomics.work"}
    assert "\n1 case: label must stand in the mask, but '9' does not" in result.stderr
    assert result.stderr.strip().splitlines()[-1] == (
        f"nomomics: 1 of 3 cases could not be used, wholly or in part. The reasons stand in "
        f"{out / 'failed.csv'}. Correct them and call it again: the others are kept."
    )
    failed = pd.read_csv(out / "failed.csv", dtype=str, keep_default_na=False)
    assert list(failed) == [
        *("table", "row", "patient", "timepoint", "reader", "sequence", "image", "mask"),
        *("region", "reason"),
    ]
    assert failed["table"].tolist() == ["radiomics"]
    assert failed["row"].tolist() == ["2"]
    assert phantoms.table()["patient"].tolist() == ["P1", "P1", "P3", "P3"]


def test_a_label_that_no_mask_has_is_told_on_the_console_and_the_page(tmp_path: Path) -> None:
    phantoms = small_extraction(tmp_path)
    phantoms.manifest["label"] = "1;1+2+4"
    result = phantoms.run()
    assert result.exit_code == 0
    told = "Label 4, part of a union, is in none of 3 masks"
    assert f"\nserious: {told}" in result.stderr
    assert told in phantoms.out.with_suffix(".html").read_text()


def test_blank_labels_that_lead_to_several_are_told_on_the_console_and_the_page(
    tmp_path: Path,
) -> None:
    phantoms = small_extraction(tmp_path, patients=2)
    for number, value in ((1, 1), (2, 255)):
        inside = np.zeros(SHAPE, dtype=np.uint8)
        inside[2:8, 3:11, 3:10] = value
        write_image(inside, tmp_path / f"P{number}_mask.nii.gz")
    phantoms.manifest["label"] = ""
    result = phantoms.run()
    assert result.exit_code == 0
    told = "Where label is blank, the masks have different labels (1 in 1, 255 in 1)"
    assert f"\nserious: {told}" in result.stderr
    assert told in phantoms.out.with_suffix(".html").read_text()


def test_paths_may_be_trusted(tmp_path: Path) -> None:
    phantoms = small_extraction(tmp_path, patients=["pat1", "pat2"])
    phantoms.manifest["mask"] = phantoms.manifest["mask"].to_numpy()[::-1]
    result = phantoms.run()
    assert result.exit_code == 2
    assert "mask of 'pat1' names 'pat2'" in result.stderr
    assert "say --trust-paths." in result.stderr
    assert phantoms.run("--trust-paths").exit_code == 0


def test_once_nothing_fails_the_list_and_the_kept_cases_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phantoms = small_extraction(tmp_path)
    phantoms.manifest.loc[1, "label"] = "9"
    phantoms.run()
    phantoms.manifest.loc[1, "label"] = "1"
    really, read = omics.case_features.read_image, []

    def noted(path: Path) -> object:
        read.append(path.name)
        return really(path)

    monkeypatch.setattr(omics.case_features, "read_image", noted)
    assert phantoms.run().exit_code == 0
    assert read == ["P2_T1c.nii.gz"]
    assert names(phantoms.out.parent) == WRITTEN
    assert phantoms.table()["patient"].tolist() == ["P1", "P1", "P2", "P3", "P3"]


def test_two_tables_of_a_folder_share_the_list_of_failures(tmp_path: Path) -> None:
    first, second = (small_extraction(tmp_path) for _ in range(2))
    second.out = first.out.with_name("second.parquet")

    def listed() -> list[tuple[str, str]]:
        failed = pd.read_csv(first.out.with_name("failed.csv"), dtype=str)
        return list(zip(failed["table"], failed["patient"], strict=True))

    first.manifest.loc[1, "label"] = "9"
    second.manifest.loc[2, "label"] = "9"
    assert (first.run().exit_code, second.run().exit_code) == (3, 3)
    assert listed() == [("radiomics", "P2"), ("second", "P3")]
    second.manifest.loc[2, "label"] = "1"
    assert second.run().exit_code == 0
    assert listed() == [("radiomics", "P2")]
    first.manifest.loc[1, "label"] = "1"
    assert first.run().exit_code == 0
    assert not first.out.with_name("failed.csv").exists()


def test_when_every_case_fails_an_older_table_stays_and_that_is_told(tmp_path: Path) -> None:
    phantoms = small_extraction(tmp_path)
    phantoms.run()
    phantoms.manifest["label"] = "9"
    result = phantoms.run()
    assert result.exit_code == 3
    assert f"no table; {phantoms.out} of an earlier extraction stays" in result.stderr
    assert len(phantoms.table()) == 6


def test_when_every_case_fails_no_table_is_written(tmp_path: Path) -> None:
    phantoms = small_extraction(tmp_path)
    phantoms.manifest["label"] = "9"
    result = phantoms.run()
    assert result.exit_code == 3
    assert names(phantoms.out.parent) == {"failed.csv", ".radiomics.work"}
    assert "3 cases, 3 with failures, 0 regions" in result.stderr
    assert ": no table" in result.stderr
    phantoms.manifest["label"] = "1"
    assert phantoms.run().exit_code == 0  # its own list of failures is no stranger
    assert names(phantoms.out.parent) == WRITTEN


def test_changed_copies_are_files_that_a_study_reads_as_readers(tmp_path: Path) -> None:
    phantoms = small_extraction(tmp_path)
    assert phantoms.run("--perturb", 2).exit_code == 0
    copies = {f"radiomics_perturbed_{number}.parquet" for number in (1, 2)}
    assert names(phantoms.out.parent) == WRITTEN | copies
    copy = pd.read_parquet(phantoms.out.with_name("radiomics_perturbed_2.parquet"))
    assert copy["patient"].tolist() == phantoms.table()["patient"].tolist()
    assert set(copy) - set(phantoms.table()) == {"diagnostics_Perturbation"}
    assert phantoms.run("--perturb", 1).exit_code == 0
    assert names(phantoms.out.parent) == WRITTEN | {"radiomics_perturbed_1.parquet"}
    phantoms.manifest["label"] = "7"  # a table that stays keeps its copies
    result = phantoms.run()
    assert result.exit_code == 3
    assert "of an earlier extraction stays as it was" in " ".join(result.stderr.split())
    assert WRITTEN | {"radiomics_perturbed_1.parquet"} <= names(phantoms.out.parent)
    assert "were removed" not in result.stderr
    phantoms.manifest["label"] = "1"
    result = phantoms.run()
    assert result.exit_code == 0
    assert "were removed (radiomics_perturbed_1.parquet)" in result.stderr
    assert names(phantoms.out.parent) == WRITTEN


def test_amounts_of_change_are_flags_and_recorded(tmp_path: Path) -> None:
    phantoms = small_extraction(tmp_path)
    flags = ["--perturb-shift", 0, "--perturb-grow", 1, 2.5, "--perturb-contour", 0]
    result = phantoms.run("--perturb", 2, *flags, "--perturb-noise", 1.5, "--perturb-seed", 3)
    assert result.exit_code == 0, result.stderr
    wanted = Perturbing(
        n=2, seed=3, settings=PerturbationSettings(grow=(1.0, 2.5), contour=0.0, noise=1.5)
    )
    copies = [
        pd.read_parquet(phantoms.out.with_name(f"radiomics_perturbed_{number}.parquet"))
        for number in (1, 2)
    ]
    for copy in copies:
        assert set(copy["diagnostics_Perturbation"]) == {wanted.text}
        drawn = phantoms.table()["diagnostics_Region_Voxels"]
        assert (copy["diagnostics_Region_Voxels"] > drawn).all()
    page = phantoms.out.with_suffix(".html").read_text()
    assert (
        "(masks grown by 1 to 2.5 mm, noise added of 1.5 times the image's own; seed 3)"
        in unescape(page)
    )
    again = phantoms.out.with_name("radiomics_settings.yaml").read_text().splitlines()[1]
    asked = again.removeprefix("# Changed copies of the masks: ").split()
    assert phantoms.run(*asked).exit_code == 0
    for number, copy in enumerate(copies, start=1):
        same = pd.read_parquet(phantoms.out.with_name(f"radiomics_perturbed_{number}.parquet"))
        pd.testing.assert_frame_equal(same, copy, check_exact=True)


# ---- what it refuses ----------------------------------------------------------------------------


def refused(phantoms: SmallExtraction, *options: object) -> str:
    result = phantoms.run(*options)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
    return result.stderr


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--perturb-shift", 2], "--perturb must say how many changed copies are measured, but"),
        (["--perturb", 2, "--perturb-grow", 2, 1], "--perturb: grow must rise from one to the"),
        (["--perturb", 2, "--perturb-noise", "inf"], "--perturb: noise must be a number of times"),
        (["--perturb", 2, "--perturb-smoothness", 0], "--perturb: smoothness must be above 0"),
        (
            ["--perturb", 2, "--perturb-shift", 0, "--perturb-grow", 0, 0, "--perturb-contour", 0],
            "--perturb: shift, grow, contour or noise must be above 0, but all are 0",
        ),
    ],
)
def test_amounts_that_mean_nothing_are_refused(
    tmp_path: Path, flags: list[object], told: str
) -> None:
    assert told in refused(small_extraction(tmp_path), *flags)


def test_other_endings_are_refused(tmp_path: Path) -> None:
    message = refused(small_extraction(tmp_path), "--out", tmp_path / "radiomics.xlsx")
    assert "--out must end in .parquet or .csv, but is " in message


def test_a_table_called_as_the_list_of_failures_is_refused(tmp_path: Path) -> None:
    message = refused(small_extraction(tmp_path), "--out", tmp_path / "failed.csv")
    assert "must not be called failed.csv: failed.csv lists what failed" in message


def test_a_table_of_the_other_ending_keeps_its_settings(tmp_path: Path) -> None:
    phantoms = small_extraction(tmp_path, patients=1)
    phantoms.run()
    message = refused(phantoms, "--out", phantoms.out.with_suffix(".csv"))
    assert "would share its settings with radiomics.parquet, which lies there" in message


@pytest.mark.parametrize(
    "name",
    [
        "radiomics.parquet",
        "radiomics_columns.csv",
        "radiomics_settings.yaml",
        "radiomics.html",
        "failed.csv",
        "radiomics_perturbed_1.parquet",
    ],
)
def test_what_no_extraction_wrote_is_not_replaced(tmp_path: Path, name: str) -> None:
    phantoms = small_extraction(tmp_path)
    phantoms.out.parent.mkdir()
    precious = phantoms.out.with_name(name)
    precious.write_text("row,patient\n1,precious\n")
    assert f"would replace {precious}, which no extraction wrote" in refused(phantoms)
    assert precious.read_text() == "row,patient\n1,precious\n"


def test_the_manifest_is_not_replaced(tmp_path: Path) -> None:
    phantoms = small_extraction(tmp_path)
    phantoms.run("--out", tmp_path / "manifest_of.csv")
    message = refused(phantoms, "--out", tmp_path / "manifest.csv")
    assert f"would replace {tmp_path / 'manifest.csv'}" in message
    assert pd.read_csv(tmp_path / "manifest.csv")["patient"].tolist() == ["P1", "P2", "P3"]


def test_a_place_that_cannot_be_written_to_is_told_before_hours_of_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phantoms = small_extraction(tmp_path)
    (tmp_path / "file").write_text("")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("nothing must be extracted")

    monkeypatch.setattr("omics.extraction.extract", never)
    message = refused(phantoms, "--out", tmp_path / "file" / "radiomics.parquet")
    assert "cannot be written to: " in message
    assert "Choose another folder" in message
    (tmp_path / "closed").mkdir()
    forbid(monkeypatch, tmp_path / "closed")
    message = refused(phantoms, "--out", tmp_path / "closed" / "radiomics.parquet")
    assert "cannot be written to: Permission denied. Choose another folder" in message


@pytest.mark.parametrize("place", ["write_csv", "write_extraction_page", "write_text"])
def test_a_disk_that_is_full_at_the_end_leaves_the_older_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    phantoms = small_extraction(tmp_path, patients=2)
    phantoms.run()
    before = {path: path.read_bytes() for path in phantoms.out.parent.iterdir()}
    phantoms.manifest = phantoms.manifest.iloc[:1]

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(f"reports.extraction_output.{place}", full)
        message = refused(phantoms)
    assert "cannot be written to: No space left on device." in message
    assert "finished cases are kept" in message
    assert {path: path.read_bytes() for path in before} == before
    assert names(phantoms.out.parent) == {*WRITTEN, ".radiomics.work"}
    assert [path.suffix for path in phantoms.work.iterdir()] == [".npz"]
    assert phantoms.run().exit_code == 0
    assert len(phantoms.table()) == 2


def test_a_disk_that_is_full_in_the_middle_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    phantoms = small_extraction(tmp_path)
    assert "cannot be kept: No space left on device. Make room" in refused(phantoms)
    assert names(phantoms.out.parent) == {".radiomics.work"}
    assert list(phantoms.work.iterdir()) == []


def test_mistakes_of_the_manifest_and_the_settings_end_with_status_2(tmp_path: Path) -> None:
    phantoms = small_extraction(tmp_path)
    assert "'brian'" in refused(phantoms, "--settings", "brian")
    phantoms.manifest.loc[1] = phantoms.manifest.loc[0]
    assert "twice" in refused(phantoms) or "same" in refused(phantoms)


# ---- the time left ------------------------------------------------------------------------------


def test_the_time_left_is_told_however_long_a_case_takes() -> None:
    now = 0.0
    with _progress(Console(file=StringIO()), time_left=True) as bars:
        bars._progress.get_time = lambda: now
        bars("cases", 10, 20)  # ten were kept: they say nothing of the speed
        for done in (11, 12, 13):
            now += 100
            bars("cases", done, 20)
        (task,) = bars._progress.tasks
        assert task.time_remaining == 700


# ---- signals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stop", "jobs"), [(signal.SIGKILL, 1), (signal.SIGINT, 2)])
def test_stopped_in_the_middle_it_goes_on_to_the_same_table(
    tmp_path: Path, stop: signal.Signals, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    phantoms = small_extraction(tmp_path, patients=20)
    arguments = phantoms.arguments("--jobs", jobs)
    with in_the_middle(arguments, folder=tmp_path, work=phantoms.work) as process:
        os.killpg(process.pid, stop)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == (130 if stop == signal.SIGINT else -signal.SIGKILL), stderr
    assert "Traceback" not in stderr
    if stop == signal.SIGINT:
        assert "nomomics: stopped. Call it again to go on where it was." in stderr
    assert names(phantoms.out.parent) == {".radiomics.work"}
    kept = len(list(phantoms.work.glob("*.npz")))
    assert 3 <= kept < 20
    really, read = omics.case_features.read_image, []

    def noted(path: Path) -> object:
        read.append(path.name)
        return really(path)

    monkeypatch.setattr(omics.case_features, "read_image", noted)
    assert phantoms.run().exit_code == 0
    assert len(read) == 20 - kept
    assert names(phantoms.out.parent) == WRITTEN
    went_on = phantoms.out.read_bytes()
    phantoms.out = tmp_path / "whole" / "radiomics.parquet"
    assert phantoms.run().exit_code == 0
    assert went_on == phantoms.out.read_bytes()


# ---- without the extra --------------------------------------------------------------------------


def test_without_the_extra_the_cure_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phantoms = small_extraction(tmp_path)
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    assert 'Install it: pip install "nomomics[extract]".' in refused(phantoms)


def test_the_command_loads_no_image_library_before_it_must() -> None:
    code = (
        "import sys, omics.extraction, reports.cli, reports.extraction_output\n"
        "print(sorted({'SimpleITK', 'radiomics', 'pydicom', 'skimage'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "[]"
