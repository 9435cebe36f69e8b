"""The slices of one DICOM series as a volume, none missing, doubled or tilted.

Slices are sorted by their position along the normal of their plane, never by file name or instance
number. The grid is computed from the positions; SimpleITK (GDCM) decodes the voxels and rescales
them.

Considered and rejected: SimpleITK's own grouping and sorting, because it takes uneven slices for
even ones, with a warning on the terminal alone.
"""

import struct
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omics.errors import CaseError
from omics.extras import needed
from omics.messages import number_of, some_of
from omics.native import native_errors

if TYPE_CHECKING:
    import SimpleITK as sitk

PATIENT_ID = "0010|0020"
FRAME_OF_REFERENCE = "0020|0052"
_TAGS = [
    "SOPClassUID",
    "PatientID",
    "SeriesInstanceUID",
    "SeriesDescription",
    "FrameOfReferenceUID",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "RescaleSlope",
    "RescaleIntercept",
]
_SUFFIXES = (".dcm", ".dicom", ".ima")
_EVEN = 0.01  # of the distance between slices: positions are written with few decimals
_TILT = 0.1  # of a pixel, over the whole stack
_TURN = 1e-4  # of a direction cosine


def read_series(folder: Path, *, what: str) -> "sitk.Image":
    """Read a folder with the slices of one DICOM series.

    Parameters
    ----------
    folder : Path
        Other files in it, and DICOM files that are no images (a structure set), are passed over;
        folders in it are not looked into.
    what : str
        How messages name it: `image` or `mask`.

    Returns
    -------
    SimpleITK.Image
        Slices in the order of their positions along the normal of their plane.

    Raises
    ------
    CaseError
        If there is no series or several, slices of different size, spacing or direction, a gap,
        a position taken twice, one slice alone, or a file that cannot be decoded.
    """
    slices = [(path, header) for path, header in headers(folder) if "Rows" in header]
    _check_one_series(slices, folder, what=what)
    place = _positions(slices, what=what)
    order = np.argsort(place, kind="stable")
    slices = [slices[i] for i in order]
    step = _check_even(place[order], what=what)
    _check_straight([header for _, header in slices], what=what)
    image = _decode(slices, what=what)
    first = slices[0][1]
    row, column = _axes(first)
    image.SetOrigin([float(value) for value in first.ImagePositionPatient])
    image.SetSpacing([float(first.PixelSpacing[1]), float(first.PixelSpacing[0]), step])
    image.SetDirection(np.column_stack([row, column, np.cross(row, column)]).ravel().tolist())
    for key, name in ((PATIENT_ID, "PatientID"), (FRAME_OF_REFERENCE, "FrameOfReferenceUID")):
        image.SetMetaData(key, str(first.get(name, "") or ""))
    return image


def headers(folder: Path) -> list[tuple[Path, Any]]:
    """Return the DICOM files of a folder with what their headers say; other files are left out.

    Raises
    ------
    CaseError
        If a file named as DICOM files are cannot be read as one.
    """
    pydicom = needed("pydicom")
    found, broken = [], 0
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.name == "DICOMDIR":
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of values that break a rule of DICOM
            try:
                header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
                kind = pydicom.uid.UID(header.SOPClassUID)
            except (pydicom.errors.InvalidDicomError, AttributeError, OSError, struct.error):
                broken += path.suffix.casefold() in _SUFFIXES
                continue
        # an unknown kind is one that was cut short, too
        broken += kind.name.endswith(("Image Storage", str(kind))) and "Rows" not in header
        found.append((path, header))
    if broken:
        raise CaseError(
            f"DICOM files must be whole, but {broken} in the folder cannot be read. Copy "
            "or export them again."
        )
    return found


def _check_one_series(slices: Sequence[tuple[Path, Any]], folder: Path, *, what: str) -> None:
    if not slices:
        inside = " It holds folders: name the one with the slices." * any(
            path.is_dir() for path in folder.iterdir()
        )
        raise CaseError(f"{what} must be a folder of DICOM slices, but holds none.{inside}")
    told: dict[str, str] = {}
    counts: dict[str, int] = {}
    for _, header in slices:
        uid = str(header.SeriesInstanceUID)
        told.setdefault(uid, str(header.get("SeriesDescription", "") or "no description"))
        counts[uid] = counts.get(uid, 0) + 1
    if len(told) > 1:
        listed = some_of(
            f"{told[uid]!r} with {number_of(counts[uid], 'slice')}, {uid}" for uid in told
        )
        raise CaseError(
            f"{what} must be a folder of one DICOM series, but holds {len(told)} ({listed}). Move "
            "each series to a folder of its own."
        )
    if any(int(header.get("NumberOfFrames", 1) or 1) > 1 for _, header in slices):
        raise CaseError(
            f"{what} must be one file per slice, but is an enhanced (multi-frame) DICOM file. "
            "Convert it to NIfTI, for example by dcm2niix."
        )
    if len({str(header.get("PatientID", "")) for _, header in slices}) > 1:
        raise CaseError(f"{what} must be of one patient, but its slices are of different patients.")


def _positions(slices: Sequence[tuple[Path, Any]], *, what: str) -> NDArray[np.float64]:
    """Return where each slice lies along the normal; sizes, spacings and planes must agree."""
    first = slices[0][1]
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        lacking = sum(not header.get(name) for _, header in slices)
        if lacking:
            raise CaseError(
                f"{what} must say {name} in every slice, but {lacking} of {len(slices)} do not."
            )
    for names, tolerance in (
        (("Rows", "Columns", "SamplesPerPixel"), 0.0),
        (("PixelSpacing",), _TURN),
        (("ImageOrientationPatient",), _TURN),
    ):
        values = [np.hstack([header.get(name, 1) for name in names]) for _, header in slices]
        other = [not np.allclose(value, values[0], rtol=0, atol=tolerance) for value in values]
        if any(other):
            raise CaseError(
                f"{what} must have slices alike in {', '.join(names)}, but {sum(other)} of "
                f"{len(slices)} differ from the first. Take localisers out of the folder."
            )
    if int(first.get("SamplesPerPixel", 1)) > 1:
        raise CaseError(f"{what} must hold one number per voxel, but holds colours.")
    row, column = _axes(first)
    corners = np.array([header.ImagePositionPatient for _, header in slices], dtype=np.float64)
    return np.asarray(corners @ np.cross(row, column))


def _check_even(place: NDArray[np.float64], *, what: str) -> float:
    """Return the distance between slices, from sorted positions."""
    if len(place) < 2:
        raise CaseError(f"{what} must have several slices, but the series has one.")
    steps = np.diff(place)
    step = float(np.sort(steps)[(len(steps) - 1) // 2])  # of a half that is even, despite gaps
    if (steps <= _EVEN * steps.max()).any():
        doubled = int((steps <= _EVEN * steps.max()).sum())
        raise CaseError(
            f"{what} must have one slice per position, but {doubled} of {len(place)} slices stand "
            "where another does: several echoes, times or b-values. Keep one of them."
        )
    wrong = np.abs(steps - step) > _EVEN * step
    if wrong.any():
        at = int(wrong.argmax())
        raise CaseError(
            f"{what} must have evenly spaced slices, but {number_of(int(wrong.sum()), 'gap')} "
            f"among {len(place)} slices differ from {step:.6g} mm (first: {steps[at]:.6g} mm "
            f"between slices {at + 1} and {at + 2}, at {place[at]:.6g} and {place[at + 1]:.6g} mm "
            "along the normal). Find the missing slices."
        )
    return float((place[-1] - place[0]) / (len(place) - 1))


def _check_straight(headers: Sequence[Any], *, what: str) -> None:
    """Refuse a stack that leans, as of a CT with tilted gantry."""
    apart = np.subtract(headers[-1].ImagePositionPatient, headers[0].ImagePositionPatient)
    aside = float(np.abs([apart @ axis for axis in _axes(headers[0])]).max())
    if aside > _TILT * float(min(headers[0].PixelSpacing)):
        raise CaseError(
            f"{what} must be a straight stack, but its last slice lies {aside:.4g} mm aside of its "
            "first (tilted gantry). Resample it to a straight grid, for example by dcm2niix."
        )


def _axes(header: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the unit vectors along a row and down a column."""
    cosines = np.array(header.ImageOrientationPatient, dtype=np.float64)
    row = cosines[:3] / np.linalg.norm(cosines[:3])
    column = cosines[3:] - (cosines[3:] @ row) * row
    return row, column / np.linalg.norm(column)


def _decode(slices: Sequence[tuple[Path, Any]], *, what: str) -> "sitk.Image":
    """Read the voxels; where slices are rescaled by fractions or differently, as 64-bit floats."""
    sitk = needed("SimpleITK")
    scales = {
        (float(header.get("RescaleSlope", 1) or 1), float(header.get("RescaleIntercept", 0) or 0))
        for _, header in slices
    }
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(path) for path, _ in slices])
    if len(scales) > 1 or not all(value.is_integer() for scale in scales for value in scale):
        reader.SetOutputPixelType(sitk.sitkFloat64)
    with native_errors(slices[0][0].parent, what=what):
        return reader.Execute()
