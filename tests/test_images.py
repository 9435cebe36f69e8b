"""Scans come in as they were written, or with the reason why they do not."""

import gzip
import locale
import os
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omics.errors import CaseError
from omics.images import files_of, read_image
from tests.forbidden import forbid
from tests.made_images import (
    ORIGIN,
    SPACING,
    UPRIGHT,
    noise,
    oblique,
    pydicom,
    sitk,
    volume,
    write_series,
)

FORMATS = ("a.nii", "a.nii.gz", "a.nrrd", "a.nhdr", "a.mha", "a.mhd")


def save(slice_: Any, path: Path) -> None:
    slice_.save_as(path, enforce_file_format=True)


def same_place(one: Any, other: Any) -> None:
    np.testing.assert_allclose(one.GetSpacing(), other.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(one.GetOrigin(), other.GetOrigin(), rtol=1e-5)
    np.testing.assert_allclose(one.GetDirection(), other.GetDirection(), atol=1e-6)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(one), sitk.GetArrayFromImage(other))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_what_was_written(tmp_path: Path, name: str) -> None:
    written = volume(noise(), direction=oblique())
    sitk.WriteImage(written, str(tmp_path / name))
    read = read_image(tmp_path / name)
    same_place(read, written)
    assert read.GetPixelID() == sitk.sitkInt16


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("a.mhd", ["ElementDataFile = LIST", "s 1.raw", "voxels/s2.raw"]),
        ("a.nhdr", ["NRRD0004", "data file: LIST", "s 1.raw", "voxels/s2.raw"]),
        ("a.mhd", ["ElementDataFile = voxels/s%03d.raw 1 2 1"]),
        ("a.mhd", ["ElementDataFile=a.zraw"]),
    ],
)
def test_a_header_names_its_files(tmp_path: Path, name: str, lines: list[str]) -> None:
    (tmp_path / "voxels").mkdir()
    parts = ["s 1.raw", "voxels/s2.raw", "voxels/s001.raw", "voxels/s002.raw", "a.zraw", "b.raw"]
    for part in parts:
        (tmp_path / part).touch()
    (tmp_path / name).write_text("\n".join(lines))
    found = [str(path.relative_to(tmp_path)) for path in files_of(tmp_path / name)]
    if "LIST" in "".join(lines):
        assert found == [name, "a.zraw", "s 1.raw", "voxels/s2.raw"]
    elif "%" in "".join(lines):
        # every file the pattern can mean
        assert found == [name, "a.zraw", "voxels/s001.raw", "voxels/s002.raw", "voxels/s2.raw"]
    else:
        assert found == [name, "a.zraw"]


@pytest.mark.parametrize("name", ["a.nii", "a.mhd", "a.raw", "series/003.dcm", "series", "."])
def test_a_file_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    image = volume(noise())
    for kind in ("nii", "mhd"):
        sitk.WriteImage(image, str(tmp_path / f"a.{kind}"))
    write_series(tmp_path / "series", image)
    forbid(monkeypatch, tmp_path / name)
    asked = {"a.raw": "a.mhd", "series/003.dcm": "series", ".": "a.nii"}.get(name, name)
    with pytest.raises(CaseError, match=r"^image may not be read: the right to read it, or to op"):
        read_image(tmp_path / asked)


def test_a_fourth_dimension_of_one_is_dropped(tmp_path: Path) -> None:
    written = volume(noise())
    sitk.WriteImage(sitk.JoinSeries([written]), str(tmp_path / "a.nii"))
    same_place(read_image(tmp_path / "a.nii"), written)


@pytest.mark.parametrize("direction", [UPRIGHT, oblique()])
def test_a_series_is_stacked_by_position(tmp_path: Path, direction: tuple[float, ...]) -> None:
    written = volume(noise(), direction=direction)
    write_series(tmp_path, written)  # files are named backwards
    (tmp_path / "notes.txt").write_text("no DICOM")
    (tmp_path / "LICENSE").write_text("no DICOM")
    read = read_image(tmp_path)
    same_place(read, written)
    assert read.GetMetaData("0010|0020") == "P-001"
    assert read.GetMetaData("0020|0052") == "1.2.3.9"


def test_slices_rescaled_each_by_its_own_slope(tmp_path: Path) -> None:
    written = volume(noise())
    slopes = 0.5 + np.arange(8) / 16
    for slice_, slope in zip(write_series(tmp_path, written), slopes, strict=True):
        slice_.RescaleSlope, slice_.RescaleIntercept = str(slope), "-3"
        save(slice_, tmp_path / f"{9 - slice_.InstanceNumber:03d}.dcm")
    read = sitk.GetArrayFromImage(read_image(tmp_path))
    np.testing.assert_allclose(read, noise() * slopes[:, None, None] - 3, rtol=1e-12)


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        (
            ["004.dcm"],
            r"1 gap among 7 slices differ from 3 mm \(first: 6 mm between slices 4 and 5, "
            r"at 2 and 8 mm",
        ),
        (["002.dcm", "003.dcm", "005.dcm"], r"2 gaps among 5 slices"),
        ([f"00{n}.dcm" for n in range(2, 9)], "several slices, but the series has one"),
    ],
)
def test_missing_slices_are_told(tmp_path: Path, gone: list[str], message: str) -> None:
    write_series(tmp_path, volume(noise()))
    for name in gone:
        (tmp_path / name).unlink()
    with pytest.raises(CaseError, match=message):
        read_image(tmp_path)


def test_several_series_are_listed(tmp_path: Path) -> None:
    write_series(tmp_path / "one", volume(noise()))
    write_series(
        tmp_path / "two", volume(noise()), SeriesInstanceUID="1.2.9", SeriesDescription="FLAIR"
    )
    for path in (tmp_path / "two").iterdir():
        path.rename(tmp_path / "one" / f"b{path.name}")
    message = r"holds 2 \('T1' with 8 slices, 1\.2\.3\.4\.5, 'FLAIR' with 8 slices, 1\.2\.9\)"
    with pytest.raises(CaseError, match=message):
        read_image(tmp_path / "one")


def test_a_folder_without_slices(tmp_path: Path) -> None:
    write_series(tmp_path / "inner", volume(noise()))
    with pytest.raises(CaseError, match=r"holds none\. It holds folders"):
        read_image(tmp_path)


@pytest.mark.parametrize(
    ("number", "changed", "message"),
    [
        (3, {"PatientID": "P-002"}, "slices are of different patients"),
        (3, {"ImagePositionPatient": None}, r"ImagePositionPatient in every slice, but 1 of 8"),
        (3, {"PixelSpacing": [1.2, 0.9]}, r"alike in PixelSpacing, but 1 of 8 differ"),
        (3, {"ImageOrientationPatient": [1, 0, 0, 0, 0, 1]}, r"Orientation.*localisers"),
        (3, {"PhotometricInterpretation": "MONOCHROME1"}, r"1 of 8 slices are MONOCHROME1"),
        (3, {"PhotometricInterpretation": "PALETTE COLOR"}, "holds colours"),
        (1, {"NumberOfFrames": "8"}, r"says it of 0\. Convert.*dcm2niix"),
    ],
)
def test_odd_slices_are_told(
    tmp_path: Path, number: int, changed: dict[str, Any], message: str
) -> None:
    slice_ = write_series(tmp_path, volume(noise()))[8 - number]
    for name, value in changed.items():
        setattr(slice_, name, value)
    save(slice_, tmp_path / f"{number:03d}.dcm")
    with pytest.raises(CaseError, match=message) as caught:
        read_image(tmp_path)
    assert "P-00" not in str(caught.value)


@pytest.mark.parametrize("at", [0, 3, 7])
def test_slices_stored_in_different_types_keep_their_values(tmp_path: Path, at: int) -> None:
    values = noise()
    values[at] = np.abs(values[at]) % 256
    slice_ = write_series(tmp_path, volume(values))[at]
    slice_.BitsAllocated = slice_.BitsStored = 8
    slice_.HighBit, slice_.PixelRepresentation = 7, 0
    slice_.PixelData = values[at].astype(np.uint8).tobytes()
    save(slice_, tmp_path / f"{8 - at:03d}.dcm")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_image(tmp_path)), values)


def test_slices_with_and_without_a_sign_keep_their_values(tmp_path: Path) -> None:
    values = noise()
    values[0] = np.abs(values[0])
    slice_ = write_series(tmp_path, volume(values))[0]
    slice_.PixelRepresentation = 0
    save(slice_, tmp_path / "008.dcm")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_image(tmp_path)), values)


@pytest.fixture
def kept_locale() -> Iterator[None]:
    """Put back what the writer of JPEG 2000 changes for the whole process, encodings too."""
    kept = locale.setlocale(locale.LC_ALL)
    yield
    locale.setlocale(locale.LC_ALL, kept)


@pytest.mark.usefixtures("kept_locale")
def test_compressed_slices(tmp_path: Path) -> None:
    write_series(tmp_path, volume(noise()))
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG2000")
    for path in tmp_path.iterdir():
        plain = sitk.ReadImage(str(path))
        writer.SetFileName(str(path))
        writer.Execute(plain)
    header = pydicom.dcmread(tmp_path / "003.dcm", stop_before_pixels=True)
    assert header.file_meta.TransferSyntaxUID == pydicom.uid.JPEG2000Lossless
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_image(tmp_path)), noise())


def test_a_compression_without_a_decoder_is_told(tmp_path: Path) -> None:
    for slice_ in write_series(tmp_path, volume(noise())):
        slice_.file_meta.TransferSyntaxUID = pydicom.uid.HTJ2KLossless
        slice_.PixelData = pydicom.encaps.encapsulate([slice_.PixelData])
        slice_["PixelData"].is_undefined_length = True
        save(slice_, tmp_path / f"{9 - slice_.InstanceNumber:03d}.dcm")
    message = "in High-Throughput JPEG 2000 .*cannot be decoded.*gdcmconv --raw"
    with pytest.raises(CaseError, match=message):
        read_image(tmp_path)


def test_a_broken_slice_is_not_passed_over(tmp_path: Path) -> None:
    write_series(tmp_path, volume(noise()))
    first = tmp_path / "008.dcm"  # of the stack: no gap would show
    whole = first.read_bytes()
    for n_bytes in range(0, len(whole), 37):
        first.write_bytes(whole[:n_bytes])
        with pytest.raises(CaseError, match=r"must be whole|must be a whole|must say"):
            read_image(tmp_path)


def test_a_slice_with_a_wrong_byte(tmp_path: Path) -> None:
    write_series(tmp_path, volume(noise()))
    content = (tmp_path / "003.dcm").read_bytes()
    (tmp_path / "003.dcm").write_bytes(content.replace(b"-12.5", b"-1?.5"))
    with pytest.raises(CaseError, match="ValueError in reading its content"):
        read_image(tmp_path)


@pytest.mark.parametrize(
    "changed",
    [{"PixelSpacing": [0, 0.8]}, {"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}],
)
def test_slices_without_extent_or_plane(tmp_path: Path, changed: dict[str, Any]) -> None:
    write_series(tmp_path, volume(noise()), **changed)
    with pytest.raises(CaseError, match="pixels of some size in a plane"):
        read_image(tmp_path)


def test_several_volumes_of_one_series_are_told(tmp_path: Path) -> None:
    write_series(tmp_path, volume(noise()))
    for path in list(tmp_path.iterdir()):
        (tmp_path / f"again{path.name}").write_bytes(path.read_bytes())
    with pytest.raises(CaseError, match="one slice per position, but 8 of 16 slices"):
        read_image(tmp_path)


def test_a_tilted_gantry_is_told(tmp_path: Path) -> None:
    for k, slice_ in enumerate(write_series(tmp_path, volume(noise()))):
        slice_.ImagePositionPatient = [ORIGIN[0], ORIGIN[1] + 0.5 * k, ORIGIN[2] + 3 * k]
        save(slice_, tmp_path / f"{8 - k:03d}.dcm")
    with pytest.raises(CaseError, match=r"straight stack, but its last slice lies 3\.5 mm aside"):
        read_image(tmp_path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.6, 0.98])
def test_files_cut_short(
    tmp_path: Path, name: str, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    sitk.WriteImage(volume(noise()), str(tmp_path / name))
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CaseError, match="image must be a whole file, but it is damaged") as caught:
        read_image(tmp_path / name)
    assert "sitk::" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert name not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_compressed_file_with_too_little_inside(tmp_path: Path) -> None:
    sitk.WriteImage(volume(noise()), str(tmp_path / "a.nii"))
    short = (tmp_path / "a.nii").read_bytes()[:2000]
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(short))
    with pytest.raises(CaseError, match=r"2000 of 3040 bytes are there"):
        read_image(tmp_path / "a.nii.gz")


def test_a_slice_cut_short(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_series(tmp_path, volume(noise()))
    whole = (tmp_path / "003.dcm").read_bytes()
    (tmp_path / "003.dcm").write_bytes(whole[:-100])
    with pytest.raises(CaseError, match="image must be a whole file") as caught:
        read_image(tmp_path)
    assert "003.dcm" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd"])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_voxels_that_are_no_numbers_are_counted(tmp_path: Path, name: str, kind: type) -> None:
    values = noise().astype(kind)
    values[2, 3, 4] = np.nan
    values[5, 6, 7] = np.inf
    sitk.WriteImage(volume(values), str(tmp_path / name))
    with pytest.raises(CaseError, match=r"2 of 1344 voxels do not \(first: nan at voxel \(4, 3, 2"):
        read_image(tmp_path / name)


def test_floats_of_the_other_byte_order(tmp_path: Path) -> None:
    values = noise().astype(np.float32)
    sitk.WriteImage(volume(values), str(tmp_path / "a.nii"))
    content = (tmp_path / "a.nii").read_bytes()
    header = _swapped_header(content[:352])
    (tmp_path / "b.nii").write_bytes(header + values.astype(">f4").tobytes())
    same_place(read_image(tmp_path / "b.nii"), read_image(tmp_path / "a.nii"))
    values[2, 3, 4] = np.nan
    (tmp_path / "b.nii").write_bytes(header + values.astype(">f4").tobytes())
    with pytest.raises(CaseError, match=r"1 of 1344 voxels do not \(first: nan at voxel \(4, 3, 2"):
        read_image(tmp_path / "b.nii")


@pytest.mark.parametrize("row", [(0.8, 0.4, 0.0), (0.72, 0.35, 0.0), (0.7, 0.0, 0.0)])
def test_sheared_axes_are_no_damage(tmp_path: Path, row: tuple[float, ...]) -> None:
    sitk.WriteImage(volume(noise()), str(tmp_path / "a.nii"))
    content = bytearray((tmp_path / "a.nii").read_bytes())
    struct.pack_into("<2h", content, 252, 0, 1)  # qform no, sform yes
    struct.pack_into("<3f", content, 280, *row)
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(CaseError, match="one spacing, but its header says"):
        read_image(tmp_path / "a.nii")


def _swapped_header(header: bytes) -> bytes:
    """Swap the bytes of a NIfTI-1 header, field by field."""
    fields = "i 10s 18s i h s s 8h 3f 4h 8f 3f h s s 4f 2i 80s 24s 2h 6f 12f 16s 4s 4s"
    plain = struct.unpack("<" + fields.replace(" ", ""), header)
    return struct.pack(">" + fields.replace(" ", ""), *plain)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((3, 4, 5), 7, np.int16), "every voxel is 7"),
        ((noise() > 400).astype(np.uint8), "looks like a mask"),
        ((noise() > 400).astype(np.float32), "looks like a mask"),
        ((noise() // 200).clip(0).astype(np.uint8), "holds 0, 1, 2, 3 and 4 only: it looks like"),
        ((noise() > 898).astype(np.uint8) * 4, "holds 0 and 4 only"),
        (noise()[0], "three dimensions, but has 2"),
    ],
)
def test_what_is_no_scan(tmp_path: Path, values: Any, message: str) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(values), str(tmp_path / "a.nrrd"))
    with pytest.raises(CaseError, match=message):
        read_image(tmp_path / "a.nrrd")


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_axes_must_stand_at_right_angles(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    for lean, refused in ((1e-3, False), (0.5, True)):
        length = np.hypot(1, lean)
        direction = (1 / length, 0, 0, lean / length, 1, 0, 0, 0, 1)
        image = volume(noise())
        image.SetDirection(direction)
        sitk.WriteImage(image, str(path))
        if refused:
            with pytest.raises(CaseError, match=r"axes at right angles .* \(its axes\)"):
                read_image(path)
        else:
            same_place(read_image(path), image)


def test_several_volumes_and_colours(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.JoinSeries([volume(noise())] * 3), str(tmp_path / "a.nii"))
    with pytest.raises(CaseError, match=r"one volume, but holds 3 of them \(size 14 x 12 x 8 x 3"):
        read_image(tmp_path / "a.nii")
    sitk.WriteImage(sitk.Compose([volume(noise())] * 3), str(tmp_path / "a.nrrd"))
    with pytest.raises(CaseError, match="one number per voxel, but holds 3"):
        read_image(tmp_path / "a.nrrd")


def test_what_is_not_there_or_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="there is none of that name"):
        read_image(tmp_path / "a.nii")
    (tmp_path / "a.png").touch()
    with pytest.raises(CaseError, match=r"must end in one of \.nii.*but ends in '\.png'"):
        read_image(tmp_path / "a.png")


def test_threads_take_turns(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    # each lends the terminal and gives it back: out of turn one would keep the other's
    for n in range(6):
        sitk.WriteImage(volume(noise()), str(tmp_path / f"{n}.mha"))
        whole = (tmp_path / f"{n}.mha").read_bytes()
        (tmp_path / f"{n}.mha").write_bytes(whole[: len(whole) // (1 + n % 2)])

    def read(n: int) -> bool:
        try:
            return read_image(tmp_path / f"{n}.mha").GetDimension() == 3
        except CaseError:
            return False

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(read, range(6))) == [True, False] * 3
    os.write(2, b"still there")
    assert capfd.readouterr().err == "still there"


def test_spacing_has_no_say_in_the_order_of_axes(tmp_path: Path) -> None:
    # PixelSpacing of DICOM is row spacing first: x and y would be exchanged unseen if alike
    write_series(tmp_path, volume(noise()))
    assert read_image(tmp_path).GetSpacing() == pytest.approx(SPACING)
    assert pydicom.dcmread(tmp_path / "001.dcm").PixelSpacing == [1.2, 0.8]
