"""Regions on the grid of their image: labels, unions, other grids, and what is no region."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omics.errors import CaseError
from omics.images import read_image
from omics.masks import check_region, read_brain_mask, read_masks
from tests.forbidden import forbid
from tests.made_images import ORIGIN, SPACING, noise, oblique, sitk, volume, write_series
from tests.realdata import DATA, needs_data

SHAPE = (8, 12, 14)


def labels() -> np.ndarray:
    """Return labels 1, 2 and 4: 2 x 2 x 2, 1 x 2 x 3 and 1 x 1 x 4 voxels."""
    values = np.zeros(SHAPE, np.uint8)
    values[2:4, 3:5, 4:6] = 1
    values[5, 3:5, 4:7] = 2
    values[6, 8, 1:5] = 4
    return values


@pytest.fixture
def image() -> Any:
    return volume(noise(), direction=oblique())


def kept(folder: Path, values: np.ndarray, name: str = "mask.nii", **place: Any) -> Path:
    sitk.WriteImage(volume(values, **({"direction": oblique()} | place)), str(folder / name))
    return folder / name


def array(mask: Any) -> np.ndarray:
    return np.asarray(sitk.GetArrayFromImage(mask))


@pytest.mark.parametrize("name", ["mask.nii.gz", "mask.nrrd", "mask.mha"])
@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.float32])
def test_labels_and_unions(tmp_path: Path, image: Any, name: str, kind: type) -> None:
    path = kept(tmp_path, labels().astype(kind), name)
    masks = read_masks(path, ("1", "4", "1+2+4"), image=image)
    assert list(masks) == ["1", "4", "1+2+4"]
    for label, wanted in (("1", [1]), ("4", [4]), ("1+2+4", [1, 2, 4])):
        np.testing.assert_array_equal(array(masks[label]), np.isin(labels(), wanted))
        assert masks[label].GetPixelID() == sitk.sitkUInt8
        assert masks[label].GetOrigin() == image.GetOrigin()  # exactly, though NIfTI rounds
        assert masks[label].GetDirection() == image.GetDirection()


def test_the_only_label_is_found(tmp_path: Path, image: Any) -> None:
    masks = read_masks(kept(tmp_path, (labels() > 0) * np.uint8(7)), (), image=image)
    assert list(masks) == ["7"]
    assert array(masks["7"]).sum() == 8 + 6 + 4


def test_a_union_takes_the_labels_that_are_there(tmp_path: Path, image: Any) -> None:
    masks = read_masks(kept(tmp_path, labels()), ("1+3",), image=image)
    np.testing.assert_array_equal(array(masks["1+3"]), labels() == 1)


def test_a_series_of_labels(tmp_path: Path, image: Any) -> None:
    write_series(tmp_path, volume(labels(), direction=oblique()))
    np.testing.assert_array_equal(
        array(read_masks(tmp_path, ("2",), image=image)["2"]), labels() == 2
    )


def test_a_series_of_labels_of_another_patient(tmp_path: Path) -> None:
    write_series(tmp_path / "scan", volume(noise()))
    write_series(tmp_path / "mask", volume(labels()), PatientID="P-002")
    with pytest.raises(CaseError, match="different patients"):
        read_masks(tmp_path / "mask", ("2",), image=read_image(tmp_path / "scan"))


def test_negative_and_huge_labels_are_listed(tmp_path: Path, image: Any) -> None:
    values = labels().astype(np.int32)
    values[values == 2] = -3
    values[values == 4] = 1_000_000
    path = kept(tmp_path, values, "mask.nrrd")
    with pytest.raises(CaseError, match=r"-3 \(6 voxels\), 1 \(8 voxels\), 1000000 \(4 voxels\)"):
        read_masks(path, (), image=image)
    assert array(read_masks(path, ("1000000",), image=image)["1000000"]).sum() == 4


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ((), r"blank, and there are 1 \(8 voxels\), 2 \(6 voxels\), 4 \(4 voxels\)"),
        (("3",), r"'3' does not; there are 1 \(8 voxels\)"),
        (("1", "3+5"), r"'3\+5' does not; there are"),
        (("core",), r"whole number or a union.*is 'core'; there are"),
        (("0",), "0 is the background"),
    ],
)
def test_labels_that_are_not_there(
    tmp_path: Path, image: Any, asked: tuple[str, ...], message: str
) -> None:
    with pytest.raises(CaseError, match=message):
        read_masks(kept(tmp_path, labels()), asked, image=image)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(SHAPE, np.uint8), "every voxel is 0"),
        (labels() * np.float32(0.25), r"whole numbers, but 14 of 1344 voxels.*first: 0\.25"),
        (noise(), "looks like a scan"),
    ],
)
def test_what_is_no_mask(tmp_path: Path, image: Any, values: np.ndarray, message: str) -> None:
    with pytest.raises(CaseError, match=message):
        read_masks(kept(tmp_path, values, "mask.nrrd"), (), image=image)


def test_nan_beside_labels_is_refused_in_every_format(tmp_path: Path, image: Any) -> None:
    values = labels().astype(np.float32)
    values[0] = np.nan
    for name in ("mask.nii", "mask.nrrd"):
        with pytest.raises(CaseError, match="168 of 1344 voxels do not"):
            read_masks(kept(tmp_path, values, name), ("1",), image=image)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ({"spacing": (0.8, 1.2, 2.0)}, r"0\.8 x 1\.2 x 3 mm .* 0\.8 x 1\.2 x 2 mm"),
        ({"origin": (-12.5, 30.25, -6.9)}, r"\(-12\.5, 30\.25, -7\).*\(-12\.5, 30\.25, -6\.9\)"),
        ({"direction": (1, 0, 0, 0, 1, 0, 0, 0, 1)}, "direction"),
    ],
)
def test_another_grid_is_told_and_resampled_on_request(
    tmp_path: Path, image: Any, place: dict[str, Any], told: str
) -> None:
    path = kept(tmp_path, labels(), **place)
    with pytest.raises(CaseError, match=told):
        read_masks(path, ("1",), image=image)
    mask = read_masks(path, ("1",), image=image, resample=True)["1"]
    assert mask.GetSize() == image.GetSize()


def test_another_size_is_told(tmp_path: Path, image: Any) -> None:
    with pytest.raises(CaseError, match=r"14 x 12 x 8 voxels.*14 x 12 x 6 voxels"):
        read_masks(kept(tmp_path, labels()[1:-1]), ("1",), image=image)


def test_resampling_takes_the_nearest_voxel(tmp_path: Path) -> None:
    # a mask twice as fine, its voxels within those of the image: the image's centres lie midway,
    # so it is laid a quarter of a voxel aside, where one voxel is nearest
    image = volume(noise())
    fine = np.repeat(np.repeat(np.repeat(labels(), 2, 0), 2, 1), 2, 2)
    spacing = np.array(SPACING) / 2
    origin = np.array(ORIGIN) - spacing / 2 + 0.05 * spacing
    path = kept(
        tmp_path,
        fine,
        spacing=tuple(spacing),
        origin=tuple(origin),
        direction=image.GetDirection(),
    )
    masks = read_masks(path, ("1", "2"), image=image, resample=True)
    np.testing.assert_array_equal(array(masks["1"]), labels() == 1)
    np.testing.assert_array_equal(array(masks["2"]), labels() == 2)


def test_a_region_outside_the_image_is_told(tmp_path: Path, image: Any) -> None:
    path = kept(tmp_path, labels(), origin=(500.0, 0.0, 0.0))
    with pytest.raises(CaseError, match="overlap its image, but none of its 18 voxels lies in it"):
        read_masks(path, ("1",), image=image, resample=True)


def test_a_region_partly_outside_the_image_is_told(tmp_path: Path) -> None:
    image = volume(noise())
    z = ORIGIN[2] - 4 * SPACING[2]  # label 1 lies in slices 2 and 3 of its own, 2 in slice 5
    origin = (ORIGIN[0], ORIGIN[1], z + SPACING[2])
    path = kept(tmp_path, labels(), origin=origin, direction=image.GetDirection())
    with pytest.raises(CaseError, match="4 of its 8 voxels lie outside"):
        read_masks(path, ("1",), image=image, resample=True)
    with pytest.raises(CaseError, match="4 of its 14 voxels lie outside"):
        read_masks(path, ("1+2",), image=image, resample=True)
    assert array(read_masks(path, ("2",), image=image, resample=True)["2"]).sum() == 6
    assert array(read_brain_mask(path, image=image, resample=True)).sum() == 14


def test_the_global_tolerance_of_itk_has_no_say(tmp_path: Path) -> None:
    image = volume(noise())
    path = kept(tmp_path, labels(), origin=(-12.5001, 30.25, -7.0), direction=image.GetDirection())
    before = sitk.ProcessObject.GetGlobalDefaultCoordinateTolerance()
    try:
        for tolerance in (1e-9, 1.0):
            sitk.ProcessObject.SetGlobalDefaultCoordinateTolerance(tolerance)
            read_masks(path, ("1",), image=image)
            with pytest.raises(CaseError, match="must lie on the grid"):
                read_masks(
                    kept(tmp_path, labels(), "far.nii", origin=(-12.4, 30.25, -7.0)),
                    ("1",),
                    image=image,
                )
    finally:
        sitk.ProcessObject.SetGlobalDefaultCoordinateTolerance(before)


def test_the_brain_is_every_label(tmp_path: Path, image: Any) -> None:
    brain = read_brain_mask(kept(tmp_path, labels()), image=image)
    np.testing.assert_array_equal(array(brain), labels() > 0)


@pytest.mark.parametrize(
    ("values", "place", "message"),
    [
        (labels() * 0, {}, "must hold the brain, but is empty .* columns image and brain_mask of"),
        (labels() * np.float32(0.25), {}, "must hold whole numbers.*columns image and brain_mask"),
        (noise(), {}, "must hold patches .* columns image and brain_mask of the manifest"),
        (labels(), {"spacing": (1.0, 1.0, 1.0)}, "must lie on the grid of its image"),
        (labels()[np.newaxis].repeat(2, axis=0), {}, "must be one volume"),
        (None, {}, "must be a file or folder"),
    ],
)
def test_faults_of_the_brain_mask_name_its_column(
    tmp_path: Path, image: Any, values: Any, place: dict[str, Any], message: str
) -> None:
    path = tmp_path / "mask.nii"
    if values is not None and values.ndim == 4:
        sitk.WriteImage(sitk.GetImageFromArray(values, isVector=False), str(path))
    elif values is not None:
        path = kept(tmp_path, values, **place)
    with pytest.raises(CaseError, match=f"^brain_mask {message}"):
        read_brain_mask(path, image=image)


def test_a_brain_mask_beside_its_image_is_named(tmp_path: Path, image: Any) -> None:
    path = kept(tmp_path, labels(), origin=(500.0, 0.0, 0.0))
    with pytest.raises(CaseError, match=r"^brain_mask must overlap its image"):
        read_brain_mask(path, image=image, resample=True)


def test_a_mask_that_may_not_be_read(
    tmp_path: Path, image: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = kept(tmp_path, labels())
    contours = tmp_path / "contours.dcm"
    contours.touch()
    for one in (path, contours):
        with monkeypatch.context() as patched:
            forbid(patched, one)
            with pytest.raises(CaseError, match=r"^mask may not be read: the right .*Ask for it"):
                read_masks(one, ("1",), image=image)
            with pytest.raises(CaseError, match=r"^brain_mask may not be read"):
                read_brain_mask(one, image=image)


def test_a_scan_and_its_mask_exchanged(tmp_path: Path) -> None:
    for name, values in (("scan.nii", noise().astype(np.float32) + 0.5), ("mask.nii", labels())):
        kept(tmp_path, values, name)
    with pytest.raises(CaseError, match=r"holds 0, 1, 2 and 4 only: it looks like a mask"):
        read_image(tmp_path / "mask.nii")
    image = sitk.ReadImage(str(tmp_path / "mask.nii"))
    with pytest.raises(CaseError, match="mask must hold whole numbers"):
        read_masks(tmp_path / "scan.nii", ("1",), image=image)


@pytest.mark.parametrize("bits", [4, 8, 12])
def test_a_scan_of_whole_numbers_is_no_mask(tmp_path: Path, image: Any, bits: int) -> None:
    rng = np.random.default_rng(1)
    scan = rng.integers(0, 1 << bits, SHAPE).astype(np.uint16)
    scan[:4] = 0  # background
    scan[4, 0, 0] = 1
    with pytest.raises(CaseError, match="looks like a scan"):
        read_masks(kept(tmp_path, scan), ("1",), image=image)
    with pytest.raises(CaseError, match="looks like a scan"):
        read_brain_mask(kept(tmp_path, scan - 1000 * (scan > 0)), image=image)


def test_an_atlas_is_a_mask(tmp_path: Path, image: Any) -> None:
    z, y, x = np.indices(SHAPE)
    atlas = 1 + x // 3 + 5 * (y // 3) + 20 * (z // 2)  # 80 patches, none of background
    mask = read_masks(kept(tmp_path, atlas.astype(np.int16)), ("1",), image=image)["1"]
    assert array(mask).sum() == 2 * 3 * 3


def test_many_small_lesions_are_a_mask(tmp_path: Path, image: Any) -> None:
    lesions = np.zeros(SHAPE, np.uint8)
    lesions[::2, ::3, ::2] = np.arange(1, 4 * 4 * 7 + 1).reshape(4, 4, 7)
    assert array(read_masks(kept(tmp_path, lesions), ("7",), image=image)["7"]).sum() == 1


@pytest.mark.parametrize(
    ("voxels", "flat", "message"),
    [
        ([], False, "several voxels, but has none"),
        ([(2, 3, 4)], True, "several voxels, but has one"),
        ([(2, 3, 4), (2, 3, 5), (2, 4, 4)], False, "is 2 x 2 x 1 voxels.*force2D"),
        ([(2, 3, 4), (3, 3, 5), (4, 3, 5)], False, "is 2 x 1 x 3 voxels"),
    ],
)
def test_regions_too_small(voxels: list[tuple[int, int, int]], flat: bool, message: str) -> None:
    values = np.zeros(SHAPE, np.uint8)
    for voxel in voxels:
        values[voxel] = 1
    with pytest.raises(CaseError, match=f"region 'rim' must .*{message}"):
        check_region(volume(values), name="rim", flat=flat)


@needs_data("images")
@pytest.mark.parametrize(
    ("name", "size", "n_voxels"),
    # as pyradiomics' baselines have them: diagnostics_Mask-original_VoxelNum
    [("brain1", (256, 256, 25), 4137), ("brain2", (256, 256, 23), 453)],
)
def test_real_scans_and_their_masks(name: str, size: tuple[int, ...], n_voxels: int) -> None:
    image = read_image(DATA / "images" / f"{name}_image.nrrd")
    masks = read_masks(DATA / "images" / f"{name}_label.nrrd", (), image=image)
    assert image.GetSize() == size
    assert {label: int(array(mask).sum()) for label, mask in masks.items()} == {"1": n_voxels}


@needs_data("ibsi_digital")
def test_the_digital_phantom() -> None:
    image = read_image(DATA / "ibsi_digital" / "phantom.nii.gz")
    masks = read_masks(DATA / "ibsi_digital" / "mask.nii.gz", (), image=image)
    assert int(array(masks["1"]).sum()) == 74  # voxels of the region, by its definition
    check_region(masks["1"], name="1")


def test_regions_large_enough() -> None:
    check_region(volume((labels() == 1).astype(np.uint8)), name="1")
    check_region(volume((labels() == 2).astype(np.uint8)), name="2", flat=True)
