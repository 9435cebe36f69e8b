"""Enhanced (multi-frame) DICOM files: the same scan as a file of slices or a NIfTI."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydicom.uid import ExplicitVRLittleEndian, JPEGLosslessSV1, RLELossless

from omics.errors import CaseError
from omics.extraction import extract
from omics.extraction_settings import read_settings
from omics.images import read_image
from omics.manifest import read_manifest
from omics.masks import read_masks
from tests.made_images import (
    UPRIGHT,
    noise,
    oblique,
    sitk,
    volume,
    write_enhanced,
    write_series,
)
from tests.test_dicom_extraction import SETTINGS
from tests.test_dicom_masks import write_segments

SLOPES = 0.5 + np.arange(8) / 16


def same(read: Any, written: Any, values: np.ndarray) -> None:
    np.testing.assert_allclose(read.GetOrigin(), written.GetOrigin(), atol=1e-7)
    np.testing.assert_allclose(read.GetSpacing(), written.GetSpacing(), rtol=1e-7)
    np.testing.assert_allclose(read.GetDirection(), written.GetDirection(), atol=1e-7)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read), values)


@pytest.mark.parametrize("direction", [UPRIGHT, oblique()])
@pytest.mark.parametrize("name", ["scan.dcm", "IM0001", "folder/scan.dcm"])
def test_frames_are_stacked_by_position(
    tmp_path: Path, name: str, direction: tuple[float, ...]
) -> None:
    written = volume(noise(), direction=direction)
    write_enhanced(tmp_path / name, written)
    path = tmp_path / name
    read = read_image(path.parent if name.startswith("folder") else path)
    same(read, written, noise())
    assert sitk.GetArrayFromImage(read).dtype == np.int16
    assert read.GetMetaData("0010|0020") == "P-001"
    assert read.GetMetaData("0020|0052") == "1.2.3.9"


def test_every_frame_has_its_own_slope(tmp_path: Path) -> None:
    written = volume(noise(), direction=oblique())
    write_enhanced(tmp_path / "scan.dcm", written, slopes=SLOPES)
    same(read_image(tmp_path), written, noise() * SLOPES[:, None, None] - 3)


def test_frames_in_files_of_their_own(tmp_path: Path) -> None:
    """Some scanners write enhanced files of one frame each, or cut one into several."""
    written = volume(noise(), direction=oblique())
    write_enhanced(tmp_path / "0.dcm", written[:, :, :3])
    write_enhanced(tmp_path / "1.dcm", written[:, :, 3:7])
    write_enhanced(tmp_path / "2.dcm", written[:, :, 7:])
    same(read_image(tmp_path), written, noise())


def test_the_road_has_no_say(tmp_path: Path) -> None:
    """The features of a NIfTI, a classic series and an enhanced file, by a mask or a DICOM-SEG."""
    scan = volume(noise(), direction=oblique())
    box = np.zeros((8, 12, 14, 3), np.uint8)
    box[2:6, 4:9, 3:7, 0] = 1
    sitk.WriteImage(scan, str(tmp_path / "scan.nii.gz"))
    sitk.WriteImage(volume(box[..., 0], direction=oblique()), str(tmp_path / "mask.nii.gz"))
    write_series(tmp_path / "classic", scan)
    enhanced = write_enhanced(tmp_path / "enhanced.dcm", scan)
    order = [
        f.FrameContentSequence[0].InStackPositionNumber - 1
        for f in enhanced.PerFrameFunctionalGroupsSequence
    ]
    write_segments(tmp_path / "seg.dcm", [enhanced], box[order])
    masks = read_masks(tmp_path / "seg.dcm", ["core"], image=read_image(tmp_path / "enhanced.dcm"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(masks["core"]), box[..., 0])
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    (tmp_path / "manifest.csv").write_text(
        "patient,reader,image,mask,label\n"
        "7,A,scan.nii.gz,mask.nii.gz,1\n"
        "7,B,classic,mask.nii.gz,1\n"
        "7,C,enhanced.dcm,mask.nii.gz,1\n"
        "7,D,enhanced.dcm,seg.dcm,core\n"
    )
    found = extract(
        read_manifest(tmp_path / "manifest.csv"), read_settings(tmp_path / "settings.yaml")
    )
    assert found.failed.empty
    values = found.table[found.columns["name"].tolist()].astype(np.float64)
    expected = values.iloc[[0, 0, 0]].set_axis([1, 2, 3])
    # text of DICOM keeps eight decimals of a place
    pd.testing.assert_frame_equal(values.iloc[1:], expected, rtol=1e-6)


def frames(dataset: Any) -> Any:
    return dataset.PerFrameFunctionalGroupsSequence


def several_times(dataset: Any) -> None:
    """Two volumes at the same places, as of two times."""
    dataset.PerFrameFunctionalGroupsSequence = [*frames(dataset), *frames(dataset)]
    dataset.NumberOfFrames = 16
    dataset.PixelData = dataset.PixelData * 2


def two_stacks(dataset: Any) -> None:
    for frame in frames(dataset)[:3]:
        frame.FrameContentSequence[0].StackID = "2"


def without_places(dataset: Any) -> None:
    for frame in frames(dataset)[:3]:
        del frame.PlanePositionSequence


def a_gap(dataset: Any) -> None:
    at = [f.FrameContentSequence[0].InStackPositionNumber for f in frames(dataset)].index(4)
    size = len(dataset.PixelData) // 8
    dataset.PixelData = dataset.PixelData[: at * size] + dataset.PixelData[(at + 1) * size :]
    del dataset.PerFrameFunctionalGroupsSequence[at]
    dataset.NumberOfFrames = 7


def turned(dataset: Any) -> None:
    plane = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    frames(dataset)[2].PlaneOrientationSequence = [type(dataset)()]
    own = frames(dataset)[2].PlaneOrientationSequence[0]
    own.ImageOrientationPatient = [*plane[0].ImageOrientationPatient[3:], 0, 0, 1]


def without_groups(dataset: Any) -> None:
    del dataset.PerFrameFunctionalGroupsSequence


def in_colours(dataset: Any) -> None:
    dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "RGB", 3


def a_palette(dataset: Any) -> None:
    dataset.PhotometricInterpretation = "PALETTE COLOR"


def inverted(dataset: Any) -> None:
    dataset.PhotometricInterpretation = "MONOCHROME1"


def cut_short(dataset: Any) -> None:
    dataset.PixelData = dataset.PixelData[:-100]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (several_times, "8 of 16 slices stand where another does: several echoes, times or b"),
        (two_stacks, "holds 2 stacks .*with 3 frames.*Export one"),
        (without_places, "ImagePositionPatient in every slice, but 3 of 8 do not"),
        (a_gap, "1 gap among 7 slices differ from 3 mm"),
        (turned, "alike in ImageOrientationPatient, but"),
        (without_groups, "where each of its 8 frames lies.*of 0.*dcm2niix"),
        (in_colours, "holds colours"),
        (a_palette, "holds colours"),
        (inverted, "rise with brightness .*but 8 of 8 slices are MONOCHROME1"),
        (cut_short, "must be a whole file"),
    ],
)
def test_odd_frames_are_told(tmp_path: Path, spoil: Any, message: str) -> None:
    dataset = write_enhanced(tmp_path / "scan.dcm", volume(noise()))
    spoil(dataset)
    dataset.save_as(tmp_path / "scan.dcm", enforce_file_format=True)
    with pytest.raises(CaseError, match=message) as caught:
        read_image(tmp_path / "scan.dcm")
    assert "P-00" not in str(caught.value)
    assert "scan.dcm" not in str(caught.value)


def test_one_slice_is_no_volume(tmp_path: Path) -> None:
    write_series(tmp_path, volume(noise()))
    with pytest.raises(CaseError, match=r"holds one slice\. Name the folder of its series"):
        read_image(tmp_path / "003.dcm")
    for n_bytes in (0, 100, 900):
        short = tmp_path / "short.dcm"
        shutil.copy(tmp_path / "003.dcm", short)
        short.write_bytes(short.read_bytes()[:n_bytes])
        with pytest.raises(CaseError, match="must be a whole"):
            read_image(short)


def test_a_compression_without_a_decoder_is_no_damage(tmp_path: Path) -> None:
    dataset = write_enhanced(tmp_path / "scan.dcm", volume(noise()))
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    dataset.PixelData = b"".join(
        [b"\xfe\xff\x00\xe0\x00\x00\x00\x00", b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"]
    )
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(tmp_path / "scan.dcm", enforce_file_format=True)
    with pytest.raises(CaseError, match=r"but is in JPEG Lossless.*gdcmconv --raw"):
        read_image(tmp_path / "scan.dcm")


def test_a_compression_with_a_decoder(tmp_path: Path) -> None:
    dataset = write_enhanced(tmp_path / "scan.dcm", volume(noise()))
    assert dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    dataset.compress(RLELossless)
    dataset.save_as(tmp_path / "scan.dcm", enforce_file_format=True)
    same(read_image(tmp_path / "scan.dcm"), volume(noise()), noise())
