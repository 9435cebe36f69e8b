"""Segmentations and structure sets: regions by name and number, on the grid of the image."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omics.errors import CaseError
from omics.images import read_image
from omics.masks import read_masks
from tests.made_images import (
    UPRIGHT,
    in_mm,
    noise,
    oblique,
    sitk,
    volume,
    write_series,
    write_structures,
)

seg = pytest.importorskip("highdicom.seg", reason="images need the extra: nomomics[extract]")
SHAPE = (8, 12, 14)
SQUARE = np.array([[2.5, 3.5], [6.5, 3.5], [6.5, 8.5], [2.5, 8.5]])  # 4 x 5 centres


def parts() -> np.ndarray:
    """Return core, edema and a blank part, of shape (8, 12, 14, 3); core has no middle slice."""
    values = np.zeros((*SHAPE, 3), np.uint8)
    values[[2, 3, 6], 3:5, 4:7, 0] = 1
    values[3:5, 7:9, 1:9, 1] = 1
    return values


def write_segments(
    path: Path, series: list[Any], values: np.ndarray, *, kind: str = "BINARY", **options: Any
) -> None:
    from pydicom.sr.codedict import codes

    described = [
        seg.SegmentDescription(
            segment_number=number,
            segment_label=name,
            segmented_property_category=codes.SCT.Tissue,
            segmented_property_type=codes.SCT.Tissue,
            algorithm_type=seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number, name in enumerate(("core", "edema", "1+2"), start=1)
    ]
    changed = options.pop("changed", {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = seg.Segmentation(
            source_images=series,
            pixel_array=values,
            segmentation_type=kind,
            segment_descriptions=described,
            series_instance_uid="1.2.3.4.77",
            series_number=7,
            sop_instance_uid="1.2.3.4.78",
            instance_number=1,
            manufacturer="none",
            manufacturer_model_name="none",
            software_versions="1",
            device_serial_number="1",
            **options,
        )
    for name, value in changed.items():
        setattr(made, name, value)
    made.save_as(path)


def array(mask: Any) -> np.ndarray:
    return np.asarray(sitk.GetArrayFromImage(mask))


@pytest.mark.parametrize("direction", [UPRIGHT, oblique()])
@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
def test_segments_come_back(tmp_path: Path, direction: tuple[float, ...], kind: str) -> None:
    written = volume(noise(), direction=direction)
    series = write_series(tmp_path / "scan", written)
    write_segments(tmp_path / "seg.dcm", series, parts(), kind=kind)
    image = read_image(tmp_path / "scan")
    masks = read_masks(tmp_path / "seg.dcm", ("core", "2", "core+edema"), image=image)
    np.testing.assert_array_equal(array(masks["core"]), parts()[..., 0])
    np.testing.assert_array_equal(array(masks["2"]), parts()[..., 1])
    np.testing.assert_array_equal(array(masks["core+edema"]), parts()[..., :2].max(axis=-1))
    assert masks["2"].GetOrigin() == image.GetOrigin()


def test_segments_fit_the_same_scan_as_nifti_turned_about(tmp_path: Path) -> None:
    written = volume(noise(), direction=oblique())
    write_segments(tmp_path / "seg.dcm", write_series(tmp_path / "scan", written), parts())
    turned = sitk.PermuteAxes(sitk.Flip(written, (True, False, True)), (2, 0, 1))
    sitk.WriteImage(turned, str(tmp_path / "scan.nii"))
    image = read_image(tmp_path / "scan.nii")
    masks = read_masks(tmp_path / "seg.dcm", ("core", "edema"), image=image)
    for number, name in enumerate(("core", "edema")):
        back = sitk.Flip(sitk.PermuteAxes(masks[name], (1, 2, 0)), (True, False, True))
        np.testing.assert_array_equal(array(back), parts()[..., number])


def test_a_folder_with_a_segmentation_is_its_file(tmp_path: Path) -> None:
    series = write_series(tmp_path / "scan", volume(noise()))
    (tmp_path / "seg").mkdir()
    write_segments(tmp_path / "seg" / "1.dcm", series, parts())
    image = read_image(tmp_path / "scan")
    assert array(read_masks(tmp_path / "seg", ("edema",), image=image)["edema"]).sum() == 32
    write_structures(tmp_path / "seg" / "2.dcm", {"GTV": [in_mm(image, SQUARE, 2)]})
    with pytest.raises(CaseError, match="one file, but the folder holds 2 segmentations"):
        read_masks(tmp_path / "seg", ("edema",), image=image)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ((), r"which segment to take, but is blank and there are 3: 1 'core', 2 'edema', 3 '1\+2'"),
        (("oedema",), r"no 'oedema' among 3 segments: 1 'core', .* Did you mean 'edema'\?"),
        (("core+4",), "no '4' among 3 segments"),
        (("1+2",), r"region '1\+2' must hold a voxel"),  # a name first: the third, blank
    ],
)
def test_segments_that_are_not_there(tmp_path: Path, asked: tuple[str, ...], message: str) -> None:
    series = write_series(tmp_path / "scan", volume(noise()))
    write_segments(tmp_path / "seg.dcm", series, parts())
    with pytest.raises(CaseError, match=message):
        read_masks(tmp_path / "seg.dcm", asked, image=read_image(tmp_path / "scan"))


def test_a_fractional_segmentation_is_refused(tmp_path: Path) -> None:
    series = write_series(tmp_path / "scan", volume(noise()))
    write_segments(tmp_path / "seg.dcm", series, parts() * np.float32(0.5), kind="FRACTIONAL")
    with pytest.raises(CaseError, match=r"segment 1 is fractional: 18 of .*first: 0\.502"):
        read_masks(tmp_path / "seg.dcm", ("core",), image=read_image(tmp_path / "scan"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"PatientID": "P-002"}, "the two DICOM files are of different patients"),
        ({"FrameOfReferenceUID": "1.2.99"}, "segmentation was drawn in another one"),
    ],
)
def test_segments_of_another_patient_or_frame(
    tmp_path: Path, changed: dict[str, str], message: str
) -> None:
    series = write_series(tmp_path / "scan", volume(noise()))
    write_segments(tmp_path / "seg.dcm", series, parts(), changed=changed)
    with pytest.raises(CaseError, match=message) as caught:
        read_masks(tmp_path / "seg.dcm", ("core",), image=read_image(tmp_path / "scan"))
    assert "P-00" not in str(caught.value)


def test_segments_of_another_grid(tmp_path: Path) -> None:
    series = write_series(tmp_path / "scan", volume(noise()))
    write_segments(tmp_path / "seg.dcm", series, parts())
    aside = volume(noise(), origin=(-12.1, 30.25, -7.0))
    with pytest.raises(CaseError, match="must lie on the grid of its image"):
        read_masks(tmp_path / "seg.dcm", ("core",), image=aside)
    # half a voxel aside at most: the nearest are as many
    mask = read_masks(tmp_path / "seg.dcm", ("core",), image=aside, resample=True)["core"]
    assert array(mask).sum() == parts()[..., 0].sum()
    above = volume(noise(), origin=(-12.5, 30.25, -7.0 + 3 * 3.0))
    with pytest.raises(CaseError, match="6 of its 18 voxels lie outside"):
        read_masks(tmp_path / "seg.dcm", ("core",), image=above)


@pytest.mark.parametrize("direction", [UPRIGHT, oblique()])
def test_structures_are_drawn(tmp_path: Path, direction: tuple[float, ...]) -> None:
    write_series(tmp_path / "scan", volume(noise(), direction=direction))
    image = read_image(tmp_path / "scan")
    hole = np.array([[3.5, 4.5], [4.5, 4.5], [4.5, 5.5], [3.5, 5.5]])
    write_structures(
        tmp_path / "rt.dcm",
        {
            "GTV": [in_mm(image, SQUARE, k) for k in (2, 3)],
            "rim": [in_mm(image, SQUARE, 5), in_mm(image, hole, 5)],
        },
    )
    masks = read_masks(tmp_path / "rt.dcm", ("GTV", "2", "1+rim"), image=image)
    expected = np.zeros(SHAPE, np.uint8)
    expected[2:4, 4:9, 3:7] = 1
    np.testing.assert_array_equal(array(masks["GTV"]), expected)
    assert array(masks["2"]).sum() == 19
    assert array(masks["2"])[5, 5, 4] == 0
    assert array(masks["1+rim"]).sum() == 40 + 19


def test_the_only_structure_is_found(tmp_path: Path) -> None:
    image = volume(noise())
    write_structures(tmp_path / "rt.dcm", {"GTV": [in_mm(image, SQUARE, 2)]})
    assert list(read_masks(tmp_path / "rt.dcm", (), image=image)) == ["GTV"]


@pytest.mark.parametrize(
    ("asked", "kind", "changed", "message"),
    [
        (("GTV1",), "CLOSED_PLANAR", {}, r"no 'GTV1' among 2 structures: 1 'GTV', 2 'brain'\. Did"),
        ((), "CLOSED_PLANAR", {}, r"blank and there are 2: 1 'GTV', 2 'brain'"),
        (("brain",), "CLOSED_PLANAR", {}, "structure 2 'brain' has none"),
        (("GTV",), "POINT", {}, "structure 1 'GTV' has none"),
        (("GTV",), "CLOSED_PLANAR", {"PatientID": "P-002"}, "of different patients"),
        (
            ("GTV",),
            "CLOSED_PLANAR",
            {"FrameOfReferenceUID": "1.2.99"},
            "structure set was drawn in another one",
        ),
        (("GTV",), "CLOSED_PLANAR", {"StructureSetROISequence": []}, "structure set holds none"),
        (
            ("GTV",),
            "CLOSED_PLANAR",
            {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"},
            r"one file of another kind \(MR Image Storage\)",
        ),
    ],
)
def test_structures_that_cannot_be_taken(
    tmp_path: Path, asked: tuple[str, ...], kind: str, changed: dict[str, Any], message: str
) -> None:
    write_series(tmp_path / "scan", volume(noise()))
    image = read_image(tmp_path / "scan")
    contours = {"GTV": [in_mm(image, SQUARE, 2)], "brain": []}
    write_structures(tmp_path / "rt.dcm", contours, kind=kind, **changed)
    with pytest.raises(CaseError, match=message) as caught:
        read_masks(tmp_path / "rt.dcm", asked, image=image)
    assert "P-00" not in str(caught.value)


def test_two_structures_of_one_name(tmp_path: Path) -> None:
    image = volume(noise())
    write_structures(
        tmp_path / "rt.dcm",
        {"GTV": [in_mm(image, SQUARE, 2)], "GTV ": [in_mm(image, SQUARE + 1, 3)]},
    )
    with pytest.raises(CaseError, match=r"2 are called 'GTV' \(numbers 1, 2\)"):
        read_masks(tmp_path / "rt.dcm", ("GTV",), image=image)
    assert array(read_masks(tmp_path / "rt.dcm", ("2",), image=image)["2"])[3].sum() == 20


def test_a_structure_set_cut_short_anywhere(tmp_path: Path) -> None:
    image = volume(noise())
    contours = [in_mm(image, SQUARE, k) for k in (2, 3)]
    write_structures(tmp_path / "rt.dcm", {"GTV": contours, "rest": [contours[0]]})
    whole = (tmp_path / "rt.dcm").read_bytes()
    taken = []
    for n_bytes in range(0, len(whole), 23):
        (tmp_path / "cut.dcm").write_bytes(whole[:n_bytes])
        try:
            mask = read_masks(tmp_path / "cut.dcm", ("GTV",), image=image)["GTV"]
        except CaseError as error:
            assert "mask must" in str(error) or "label must" in str(error)  # noqa: PT017
        else:
            taken.append(int(array(mask).sum()))
    assert set(taken) <= {40}  # the whole region, where the other one was cut


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9, 0.99])
def test_a_segmentation_cut_short(tmp_path: Path, share: float) -> None:
    image = volume(noise())
    write_segments(tmp_path / "seg.dcm", write_series(tmp_path / "scan", image), parts())
    whole = (tmp_path / "seg.dcm").read_bytes()
    (tmp_path / "seg.dcm").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CaseError, match="mask must be"):
        read_masks(tmp_path / "seg.dcm", ("core",), image=image)


def test_other_files_are_no_masks(tmp_path: Path) -> None:
    (tmp_path / "mask.dcm").write_text("no DICOM")
    with pytest.raises(CaseError, match="InvalidDicomError in reading"):
        read_masks(tmp_path / "mask.dcm", ("1",), image=volume(noise()))
    with pytest.raises(CaseError, match="there is none of that name"):
        read_masks(tmp_path / "gone.dcm", ("1",), image=volume(noise()))
