"""Many cases to one table: what every row says, what fails alone, what is kept between runs."""

import errno
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

import omics.case_features
from omics.case import Case
from omics.errors import CaseError, StudyError
from omics.extraction import case_store, extract
from omics.extraction_settings import read_settings, settings_from_text
from omics.extraction_summary import extraction_summary, label_findings
from omics.image_steps import ImageSteps
from omics.manifest import read_manifest
from omics.perturbation import PerturbationSettings
from omics.perturbing import Perturbing
from tests.small_extraction import (
    FEATURES,
    SETTINGS,
    SmallExtraction,
    small_extraction,
    write_image,
)

sitk = pytest.importorskip("SimpleITK", reason="the extra extract is not installed")

CHOSEN = settings_from_text(SETTINGS, name="small")
PROVENANCE = [
    "diagnostics_Configuration_Hash",
    "diagnostics_Configuration_Settings",
    "diagnostics_Versions",
    "diagnostics_Image_Spacing",
    "diagnostics_Region_Voxels",
    "diagnostics_Region_Volume",
]


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> SmallExtraction:
    return small_extraction(tmp_path_factory.mktemp("phantoms"), sequences=("T1c", "FLAIR"))


@pytest.fixture(scope="module")
def cases(phantoms: SmallExtraction) -> list[Case]:
    return read_manifest(phantoms.write())


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that are read."""
    names: list[str] = []
    really = omics.case_features.read_image

    def noted(path: Path) -> object:
        names.append(path.name)
        return really(path)

    monkeypatch.setattr(omics.case_features, "read_image", noted)
    return names


# ---- the table ----------------------------------------------------------------------------------


def test_the_table_says_what_every_row_and_column_is(cases: list[Case]) -> None:
    found = extract(cases, CHOSEN)
    table = found.table
    assert list(table) == ["patient", "sequence", "region", *PROVENANCE, *FEATURES]
    assert table["patient"].tolist() == ["P1"] * 4 + ["P2"] * 4 + ["P3"] * 4
    assert table["region"].tolist() == ["1", "1+2"] * 6
    assert set(table["diagnostics_Configuration_Hash"]) == {CHOSEN.digest}
    assert set(table["diagnostics_Configuration_Settings"]) == {CHOSEN.text}
    assert "SimpleITK" in json.loads(table["diagnostics_Versions"].iloc[0])
    assert set(table["diagnostics_Image_Spacing"]) == {"1 x 1 x 3 mm"}
    assert table["diagnostics_Region_Voxels"].tolist()[:2] == [3 * 4 * 4, 6 * 8 * 7]
    np.testing.assert_allclose(
        table["diagnostics_Region_Volume"], 3 * table["diagnostics_Region_Voxels"]
    )
    np.testing.assert_allclose(
        table["original_shape_VoxelVolume"], table["diagnostics_Region_Volume"]
    )
    assert found.columns.loc[4].tolist() == [
        "original_firstorder_Mean",
        "original",
        "firstorder",
        "Mean",
        "Q4LE",
    ]
    assert found.columns["name"].tolist() == list(FEATURES)
    assert found.failed.empty
    assert (found.n_cases, found.n_failed) == (6, 0)
    assert repr(found) == (
        f"Extraction(6 cases, 12 regions, 6 features, settings small {CHOSEN.digest})"
    )


def test_regions_are_called_as_the_manifest_names_them(cases: list[Case]) -> None:
    settings = replace(CHOSEN, steps=ImageSteps(rings=((0, 3),)))
    named = [replace(cases[0], labels=("1", "1+2", "7"), names=("core", "whole", "rim"))]
    found, plain = extract(named, settings), extract(cases[:1], settings)
    assert found.table["region"].tolist() == [
        *("core", "whole", "core ring 0-3 mm", "whole ring 0-3 mm")
    ]
    assert found.failed["region"].tolist() == ["rim"]
    assert found.previews[1].regions == ("core", "whole", "core ring 0-3 mm", "whole ring 0-3 mm")
    pd.testing.assert_frame_equal(
        found.table.drop(columns="region"), plain.table.drop(columns="region")
    )


def test_another_label_under_the_same_name_is_extracted_anew(
    cases: list[Case], tmp_path: Path, read: list[str]
) -> None:
    store = case_store(tmp_path / "work", CHOSEN)
    for label in ("1", "2", "2"):
        extract([replace(cases[0], labels=(label,), names=("core",))], CHOSEN, store=store)
    assert len(read) == 2


def test_the_values_are_those_of_the_voxels(cases: list[Case]) -> None:
    table = extract(cases[:1], CHOSEN).table.set_index("region")
    grey = sitk.GetArrayFromImage(sitk.ReadImage(str(cases[0].image))).astype(np.float64)
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(cases[0].mask)))
    for region, inside in {"1": labels == 1, "1+2": labels > 0}.items():
        assert table.loc[region, "original_firstorder_Mean"] == pytest.approx(grey[inside].mean())
        assert table.loc[region, "original_firstorder_Energy"] == pytest.approx(
            (grey[inside] ** 2).sum()
        )


def test_every_case_is_shown(cases: list[Case]) -> None:
    found = extract(cases, CHOSEN)
    assert list(found.previews) == [1, 2, 3, 4, 5, 6]
    seen = found.previews[3]
    assert seen.regions == ("1", "1+2")
    assert seen.grey.shape == (14, 12)
    assert 3 <= seen.slice <= 8  # slices of the union, counted from 1


def test_columns_of_place_are_those_that_a_case_has(cases: list[Case]) -> None:
    there = [replace(case, sequence="", timepoint=f"t{case.row}", centre="A") for case in cases]
    table = extract(there[:2], CHOSEN).table
    assert list(table)[:4] == ["patient", "timepoint", "centre", "region"]


def test_rings_are_regions_too(cases: list[Case], tmp_path: Path) -> None:
    settings = replace(CHOSEN, steps=ImageSteps(rings=((0, 3), (60, 70))))
    found = extract(cases[:1], settings)
    assert found.table["region"].tolist() == ["1", "1+2", "1 ring 0-3 mm", "1+2 ring 0-3 mm"]
    assert found.failed["region"].tolist() == ["1 ring 60-70 mm", "1+2 ring 60-70 mm"]
    assert found.n_failed == 1
    brain = np.zeros((10, 14, 12), dtype=np.uint8)
    brain[:, :7] = 1
    write_image(brain, tmp_path / "brain.nii.gz")
    inside = extract([replace(cases[0], brain_mask=tmp_path / "brain.nii.gz")], settings)
    voxels = "diagnostics_Region_Voxels"
    assert inside.table[voxels].iloc[2] < found.table[voxels].iloc[2]
    np.testing.assert_array_equal(inside.table[voxels].iloc[:2], found.table[voxels].iloc[:2])


def test_the_number_of_processes_changes_no_digit(cases: list[Case]) -> None:
    one, two = extract(cases, CHOSEN), extract(cases, CHOSEN, n_jobs=2)
    pd.testing.assert_frame_equal(one.table, two.table, check_exact=True)


@pytest.mark.slow
def test_cases_run_on_a_dask_cluster_of_two_processes(cases: list[Case]) -> None:
    distributed = pytest.importorskip("distributed", reason="dask is not installed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
        joblib.parallel_config(backend="dask"),
    ):
        found = extract(cases, CHOSEN)
        ran = client.run(lambda: os.getpid())
        there = client.run(lambda: "omics.case_features" in __import__("sys").modules)
    assert len(set(ran.values()) - {os.getpid()}) == 2
    assert any(there.values())  # it ran there, and not here
    pd.testing.assert_frame_equal(found.table, extract(cases, CHOSEN).table, check_exact=True)


# ---- what cannot be used ------------------------------------------------------------------------


def test_a_bad_case_is_listed_and_the_others_go_on(cases: list[Case], tmp_path: Path) -> None:
    (tmp_path / "cut.nii.gz").write_bytes(cases[1].image.read_bytes()[:500])
    bad = [cases[0], replace(cases[1], image=tmp_path / "cut.nii.gz"), cases[2]]
    found = extract(bad, CHOSEN)
    expected = extract([cases[0], cases[2]], CHOSEN).table
    pd.testing.assert_frame_equal(found.table, expected, check_exact=True)
    (failure,) = found.failed.to_dict("records")
    assert failure.pop("reason").startswith("image must be a whole file")
    assert failure == {
        "row": 2,
        "patient": "P1",
        "timepoint": "",
        "reader": "",
        "sequence": "FLAIR",
        "image": str(tmp_path / "cut.nii.gz"),
        "mask": str(cases[1].mask),
        "region": "",
    }
    assert "3 cases, 1 with failures, 4 regions" in repr(found)
    assert list(found.previews) == [1, 3]


def test_an_absent_label_costs_that_region_alone(cases: list[Case]) -> None:
    found = extract([replace(cases[0], labels=("1", "4", "1+2"))], CHOSEN)
    assert found.table["region"].tolist() == ["1", "1+2"]
    assert found.failed["region"].tolist() == ["4"]
    assert "there are 1 (48 voxels), 2 (288 voxels)" in found.failed["reason"].iloc[0]


def test_labels_of_unions_are_counted_where_they_lack(cases: list[Case], tmp_path: Path) -> None:
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(cases[0].mask)))
    write_image(np.where(mask == 1, 2, mask), tmp_path / "no_core.nii.gz")
    asked = [replace(case, labels=("2", "1+2+4")) for case in cases[:2]]
    found = extract(
        [*asked, replace(asked[0], row=3, mask=tmp_path / "no_core.nii.gz", reader="B")], CHOSEN
    )
    assert found.failed.empty
    assert found.unions.to_dict("records") == [
        {"label": "1", "cases": 3, "absent": 1},
        {"label": "2", "cases": 3, "absent": 0},
        {"label": "4", "cases": 3, "absent": 3},
    ]
    never, some = label_findings(found)
    assert (never.code, never.severity) == ("label_in_no_mask", "serious")
    assert never.message.startswith("Label 4, part of a union, is in none of 3 masks")
    assert some.message.endswith("absent are 1 in 1 of 3.")
    assert never.code in [one.code for one in extraction_summary(found).findings]
    assert list(label_findings(extract(cases[:1], CHOSEN))) == []


def test_blank_labels_that_lead_to_several_labels_are_a_serious_finding(
    cases: list[Case], tmp_path: Path
) -> None:
    asked = []
    for row, value in enumerate((1, 255, 1), start=1):
        mask = sitk.GetArrayFromImage(sitk.ReadImage(str(cases[row].mask)))
        write_image((mask > 0) * np.uint8(value), tmp_path / f"{row}.nii.gz")
        one = replace(cases[row], mask=tmp_path / f"{row}.nii.gz", labels=(), row=row)
        asked.append(one)
    found = extract(asked, CHOSEN)
    assert found.unlabelled.to_dict("records") == [
        {"label": "1", "cases": 2},
        {"label": "255", "cases": 1},
    ]
    (told,) = label_findings(found)
    assert (told.code, told.severity) == ("labels_differ", "serious")
    assert "have different labels (1 in 2, 255 in 1): each became a region" in told.message
    assert told.code in [one.code for one in extraction_summary(found).findings]
    for same in ({"names": ("tumour",)}, {"labels": ("1+255",)}):
        again = extract([replace(case, **same) for case in asked], CHOSEN)
        assert again.unlabelled.empty
        assert again.table["region"].nunique() == 1


def test_what_is_wrong_with_the_mask_is_told_once(cases: list[Case], tmp_path: Path) -> None:
    write_image(np.ones((3, 4, 5), dtype=np.uint8), tmp_path / "small.nii.gz")
    found = extract([replace(cases[0], mask=tmp_path / "small.nii.gz")], CHOSEN)
    assert found.failed["region"].tolist() == [""]
    assert "5 x 4 x 3" in found.failed["reason"].iloc[0]


def test_labels_that_are_absent_for_two_reasons_are_told_in_one_row(cases: list[Case]) -> None:
    found = extract([replace(cases[0], labels=("7", "core"))], CHOSEN)
    assert found.failed["region"].tolist() == [""]
    assert "7: label must stand in the mask" in found.failed["reason"].iloc[0]
    assert "core: label must be a whole number" in found.failed["reason"].iloc[0]


def test_a_region_too_small_for_features_costs_that_region_alone(
    cases: list[Case], tmp_path: Path
) -> None:
    mask = sitk.GetArrayFromImage(sitk.ReadImage(str(cases[0].mask)))
    mask[9, 13, 11] = 3
    write_image(mask, tmp_path / "dot.nii.gz")
    found = extract([replace(cases[0], mask=tmp_path / "dot.nii.gz", labels=("1", "3"))], CHOSEN)
    assert found.table["region"].tolist() == ["1"]
    assert "must have several voxels, but has one" in found.failed["reason"].iloc[0]


def test_without_a_single_region_the_table_has_its_columns(cases: list[Case]) -> None:
    found = extract([replace(cases[0], image=cases[0].image.parent / "none.nii")], CHOSEN)
    assert found.table.shape == (0, 3 + len(PROVENANCE) + len(FEATURES))
    assert len(found.failed) == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "there is not enough memory for this image"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (CaseError("image must be\n  whole."), "image must be whole."),
    ],
)
def test_what_a_file_does_to_its_reader_is_the_files_fault(
    cases: list[Case], monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    def refuse(_: Path) -> None:
        raise error

    monkeypatch.setattr(omics.case_features, "read_image", refuse)
    found = extract(cases[:2], CHOSEN)
    assert found.failed["reason"].str.contains(reason, regex=False).tolist() == [True, True]


def test_an_error_of_ours_is_not_swallowed(
    cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Path) -> None:
        raise KeyError("ours")

    monkeypatch.setattr(omics.case_features, "read_image", broken)
    with pytest.raises(KeyError, match="ours"):
        extract(cases[:2], CHOSEN)


def test_no_case_and_a_case_twice_are_refused(cases: list[Case]) -> None:
    with pytest.raises(StudyError, match="at least one case"):
        extract([], CHOSEN)
    with pytest.raises(TypeError, match=r"but is 'mri'\. Read them: read_settings\(\"mri\"\)"):
        extract(cases, "mri")
    with pytest.raises(StudyError, match="1 of 3 are there already"):
        extract([*cases[:2], cases[0]], CHOSEN)


def test_a_process_ended_from_outside_is_told_in_words(
    cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731 - travels by value
    monkeypatch.setattr("omics.extraction.case_features", killed)
    with pytest.raises(StudyError, match=r"most likely because memory ran out\. Use fewer"):
        extract(cases, CHOSEN, n_jobs=2)


# ---- what is kept -------------------------------------------------------------------------------


def test_finished_cases_are_not_extracted_again(
    cases: list[Case], tmp_path: Path, read: list[str]
) -> None:
    store = case_store(tmp_path / "work", CHOSEN)
    extract(cases[:4], CHOSEN, store=store)
    assert len(read) == 4
    again = extract(cases, CHOSEN, store=store)
    assert read[4:] == ["P3_T1c.nii.gz", "P3_FLAIR.nii.gz"]
    whole = extract(cases, CHOSEN)
    pd.testing.assert_frame_equal(again.table, whole.table, check_exact=True)
    for row, seen in whole.previews.items():
        np.testing.assert_array_equal(again.previews[row].grey, seen.grey)
        np.testing.assert_array_equal(again.previews[row].mask, seen.mask)
        assert again.previews[row].slice == seen.slice
        assert again.previews[row].regions == seen.regions


def test_the_place_in_the_manifest_matters_not(
    cases: list[Case], tmp_path: Path, read: list[str]
) -> None:
    store = case_store(tmp_path / "work", CHOSEN)
    extract(cases[:2], CHOSEN, store=store)
    turned = [replace(cases[1], row=1), replace(cases[0], row=2)]
    found = extract(turned, CHOSEN, store=store)
    assert len(read) == 2
    assert found.table["sequence"].tolist() == ["FLAIR", "FLAIR", "T1c", "T1c"]


def test_a_changed_file_is_extracted_again(tmp_path: Path, read: list[str]) -> None:
    phantoms = small_extraction(tmp_path, patients=2)
    cases = read_manifest(phantoms.write())
    store = case_store(tmp_path / "work", CHOSEN)
    before = extract(cases, CHOSEN, store=store).table
    times = os.stat(cases[0].image)
    image = sitk.ReadImage(str(cases[0].image))
    sitk.WriteImage(image + 1, str(cases[0].image))
    os.utime(cases[0].image, ns=(times.st_atime_ns, times.st_mtime_ns))  # as copies may keep it
    after = extract(cases, CHOSEN, store=store).table
    assert read == ["P1_T1c.nii.gz", "P2_T1c.nii.gz", "P1_T1c.nii.gz"]
    moved = after["original_firstorder_Mean"] - before["original_firstorder_Mean"]
    np.testing.assert_allclose(moved, [1, 1, 0, 0], atol=1e-4)  # images of float32


@pytest.mark.parametrize("kind", ["mhd", "nhdr"])
def test_voxels_beside_their_header_are_known(cases: list[Case], tmp_path: Path, kind: str) -> None:
    path, store = tmp_path / f"a.{kind}", case_store(tmp_path / "work", CHOSEN)
    image = sitk.ReadImage(str(cases[0].image))
    means = []
    for shift in (0.0, 100.0):
        sitk.WriteImage(image + shift, str(path))
        table = extract([replace(cases[0], image=path)], CHOSEN, store=store).table
        means.append(table["original_firstorder_Mean"].to_numpy())
    np.testing.assert_allclose(means[1] - means[0], 100, rtol=1e-5)  # single precision


def test_other_settings_and_other_labels_are_extracted_anew(
    cases: list[Case], tmp_path: Path, read: list[str]
) -> None:
    other = settings_from_text(SETTINGS.replace("25", "10"), name="small")
    extract(cases[:1], CHOSEN, store=case_store(tmp_path, CHOSEN))
    extract(cases[:1], other, store=case_store(tmp_path, other))
    extract([replace(cases[0], labels=("1",))], CHOSEN, store=case_store(tmp_path, CHOSEN))
    assert len(read) == 3
    named = replace(CHOSEN, name="another name of the same")
    extract(cases[:1], named, store=case_store(tmp_path, named))
    assert len(read) == 3


def test_what_simpleitk_cannot_work_on_fails_alone(
    cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    really = omics.case_features.preview

    def stumbling(image: object, regions: dict[str, object]) -> object:
        monkeypatch.setattr(omics.case_features, "preview", really)
        return sitk.Shrink(sitk.Image(1, 1, 1, sitk.sitkUInt8), [0, 1, 1])

    monkeypatch.setattr(omics.case_features, "preview", stumbling)
    found = extract(cases[:2], CHOSEN)
    assert found.failed["row"].tolist() == [1]
    assert found.failed["reason"][0].startswith("the image or mask cannot be worked on (")
    assert len(found.table) == 2


def test_a_spacing_beyond_reason_fails_alone(cases: list[Case], tmp_path: Path) -> None:
    paths = []
    for path in (cases[0].image, cases[0].mask):
        image = sitk.ReadImage(str(path))
        image.SetSpacing((1e30, 1e30, 1e30))
        paths.append(tmp_path / f"{path.name.split('.')[0]}.nrrd")
        sitk.WriteImage(image, str(paths[-1]))
    settings = settings_from_text(
        "setting: {resampledPixelSpacing: [1, 1, 1]}\nfeatureClass: {firstorder: [Mean]}", name="s"
    )
    far = replace(cases[0], image=paths[0], mask=paths[1])
    found = extract([far, cases[1]], settings)
    assert set(found.failed["row"]) == {1}
    assert len(found.table) == 2


def test_a_failed_case_is_tried_again(cases: list[Case], tmp_path: Path, read: list[str]) -> None:
    store = case_store(tmp_path, CHOSEN)
    partly = [replace(cases[0], labels=("1", "4")), cases[1]]
    extract(partly, CHOSEN, store=store)
    found = extract(partly, CHOSEN, store=store)
    assert read == ["P1_T1c.nii.gz", "P1_FLAIR.nii.gz", "P1_T1c.nii.gz"]
    assert found.failed["region"].tolist() == ["4"]


def test_a_kept_file_cut_short_is_extracted_again(
    cases: list[Case], tmp_path: Path, read: list[str]
) -> None:
    store = case_store(tmp_path, CHOSEN)
    extract(cases[:2], CHOSEN, store=store)
    first, second = sorted(tmp_path.glob("*.npz"))
    first.write_bytes(b"")
    second.write_bytes(second.read_bytes()[:300])
    found = extract(cases[:2], CHOSEN, store=store)
    assert len(read) == 4
    pd.testing.assert_frame_equal(found.table, extract(cases[:2], CHOSEN).table, check_exact=True)


def test_a_folder_of_images_is_known_by_the_bytes_of_its_files(tmp_path: Path) -> None:
    from omics.extraction import _digest

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.dcm").write_bytes(b"one")
        (tmp_path / name / "2.dcm").write_bytes(b"two")
    assert _digest(tmp_path / "a") == _digest(tmp_path / "b")
    (tmp_path / "b" / "2.dcm").write_bytes(b"owt")
    assert _digest(tmp_path / "a") != _digest(tmp_path / "b")
    assert _digest(tmp_path / "none") == "unreadable"


def test_a_full_disk_is_told_with_the_cure(
    cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store = case_store(tmp_path, CHOSEN)
    monkeypatch.setattr(store, "put", full)
    with pytest.raises(StudyError, match=r"cannot be kept: No space left on device\. Make room"):
        extract(cases, CHOSEN, store=store)


def test_the_preset_for_mri_does_not_know_the_unit_of_the_scanner(
    cases: list[Case], tmp_path: Path
) -> None:
    whole = sitk.Cast(sitk.ReadImage(str(cases[0].image)), sitk.sitkInt16)
    there = []
    for row, (factor, shift) in enumerate([(1, 0), (3, 100)], start=1):
        path = tmp_path / f"{row}.nii.gz"
        sitk.WriteImage(whole * factor + shift, str(path))
        there.append(replace(cases[0], image=path, sequence=str(row), row=row))
    found = extract(there, replace(read_settings("mri"), image_types={"Original": {}}))
    assert found.failed.empty, found.failed["reason"].tolist()
    plain, other = (part[found.columns["name"]] for _, part in found.table.groupby("sequence"))
    assert plain.shape == (2, 107)
    np.testing.assert_allclose(other.to_numpy(), plain.to_numpy(), rtol=1e-9)
    assert (plain.iloc[0] != plain.iloc[1]).mean() > 0.9  # of two regions: they do measure


# ---- changed copies where there is no second reader ---------------------------------------------


def test_copies_are_tables_like_the_first(cases: list[Case]) -> None:
    still = Perturbing(n=2, settings=PerturbationSettings(shift=0.1))  # less than half a voxel
    found = extract(cases[:2], CHOSEN, perturbing=still)
    assert len(found.perturbed) == 2
    for copy in found.perturbed:
        assert set(copy.pop("diagnostics_Perturbation")) == {still.text}
        pd.testing.assert_frame_equal(copy, found.table, check_exact=True)


def test_copies_differ_from_one_another_and_agree_between_sequences(cases: list[Case]) -> None:
    grown = Perturbing(n=3, settings=PerturbationSettings(grow=(1.0, 2.5)))
    found = extract(cases[:4], CHOSEN, perturbing=grown)
    again = extract(cases[:4], CHOSEN, perturbing=grown)
    sizes = []
    for copy, same in zip(found.perturbed, again.perturbed, strict=True):
        pd.testing.assert_frame_equal(copy, same, check_exact=True)
        voxels = copy["diagnostics_Region_Voxels"].to_numpy()
        assert (voxels > found.table["diagnostics_Region_Voxels"]).all()
        first, second = voxels.reshape(2, 2, 2).transpose(1, 0, 2)  # patient, sequence, region
        np.testing.assert_array_equal(first, second)  # one mask, drawn once
        sizes.append(voxels)
        assert (copy["original_firstorder_Mean"] != found.table["original_firstorder_Mean"]).all()
    assert not np.array_equal(sizes[0], sizes[1])
    other = extract(cases[:4], CHOSEN, perturbing=replace(grown, seed=1)).perturbed
    assert not np.array_equal(sizes, [copy["diagnostics_Region_Voxels"] for copy in other])


def test_a_copy_of_which_nothing_is_left_is_told_apart_from_failed_cases(
    cases: list[Case], tmp_path: Path
) -> None:
    shrunk = Perturbing(n=2, settings=PerturbationSettings(grow=(-2.4, -2.4)))
    found = extract(
        [cases[0], replace(cases[1], image=tmp_path / "none")], CHOSEN, perturbing=shrunk
    )
    assert found.table["region"].tolist() == ["1", "1+2"]
    assert [copy["region"].tolist() for copy in found.perturbed] == [["1+2"], ["1+2"]]
    assert found.failed["region"].tolist() == [""]  # that of the second case
    assert found.lost_copies["region"].tolist() == ["1, copy 1", "1, copy 2"]
    assert set(found.lost_copies["row"]) == {1}
    assert "must have several voxels, but has none" in found.lost_copies["reason"].iloc[0]


def test_a_region_that_failed_as_drawn_has_no_lost_copies(
    cases: list[Case], tmp_path: Path
) -> None:
    mask = sitk.ReadImage(str(cases[0].mask))
    labels = sitk.GetArrayFromImage(mask)
    core = np.argwhere(labels == 1)
    labels[labels == 1] = 2
    labels[tuple(core[0])] = 1
    small = sitk.GetImageFromArray(labels)
    small.CopyInformation(mask)
    sitk.WriteImage(small, str(tmp_path / "mask.nrrd"))
    shrunk = Perturbing(n=2, settings=PerturbationSettings(grow=(-2.4, -2.4)))
    found = extract([replace(cases[0], mask=tmp_path / "mask.nrrd")], CHOSEN, perturbing=shrunk)
    assert found.failed["region"].tolist() == ["1"]
    assert found.table["region"].tolist() == ["1+2"]
    assert found.lost_copies.empty


def test_rings_go_around_the_changed_mask(cases: list[Case]) -> None:
    settings = replace(CHOSEN, steps=ImageSteps(rings=((0, 3),)))
    grown = Perturbing(n=1, settings=PerturbationSettings(grow=(1.0, 1.0)))
    found = extract(cases[:1], settings, perturbing=grown)
    (copy,) = found.perturbed
    assert sorted(copy["region"]) == sorted(found.table["region"])
    sizes = [
        table.set_index("region")["diagnostics_Region_Voxels"] for table in (copy, found.table)
    ]
    assert sizes[0]["1 ring 0-3 mm"] > sizes[1]["1 ring 0-3 mm"]


def test_kept_cases_know_their_copies(cases: list[Case], tmp_path: Path, read: list[str]) -> None:
    store, two = case_store(tmp_path, CHOSEN), Perturbing(n=2)
    first = extract(cases[:1], CHOSEN, perturbing=two, store=store)
    again = extract(cases[:1], CHOSEN, perturbing=two, store=store)
    pd.testing.assert_frame_equal(again.perturbed[1], first.perturbed[1], check_exact=True)
    assert len(read) == 1
    extract(cases[:1], CHOSEN, store=store)
    assert len(read) == 2
    with pytest.raises(ValueError, match="must be a whole number of 1 or more"):
        Perturbing(n=0)
