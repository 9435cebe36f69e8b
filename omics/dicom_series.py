"""The slices of one DICOM series as a volume, none missing, doubled or tilted.

Slices are sorted by their position along the normal of their plane, never by file name or instance
number. The grid is computed from the positions; SimpleITK (GDCM) decodes the voxels and rescales
them. The frames of an enhanced (multi-frame) file are slices like others (`omics.dicom_frames`).

Considered and rejected: SimpleITK's own grouping and sorting, because it takes uneven slices for
even ones, with a warning on the terminal alone.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omics.dicom_frames import decode_frames, with_compression
from omics.dicom_headers import Slice, slices_of
from omics.errors import CaseError
from omics.extras import needed
from omics.messages import number_of, some_of
from omics.native import native_errors

if TYPE_CHECKING:
    import SimpleITK as sitk

PATIENT_ID = "0010|0020"
FRAME_OF_REFERENCE = "0020|0052"
_EVEN = 0.01  # of the distance between slices: positions are written with few decimals
_TILT = 0.1  # of a pixel, over the whole stack
_SQUARE = 0.01  # of directions of one length at right angles
_ALIKE = 1e-4  # mm, or of a direction cosine


def read_series(path: Path, *, what: str) -> "sitk.Image":
    """Read one DICOM series: a folder with its slices, or an enhanced file that holds all.

    Parameters
    ----------
    path : Path
        Other files in a folder, and DICOM files that are no images (a structure set), are passed
        over; folders in it are not looked into.
    what : str
        How messages name it: `image` or `mask`.

    Returns
    -------
    SimpleITK.Image
        Slices in the order of their positions along the normal of their plane; patient id and
        frame of reference are metadata.

    Raises
    ------
    CaseError
        If there is no series or several, slices of different size, spacing or direction, a gap,
        a position taken twice, one slice alone, several stacks, or a file that cannot be decoded.
    """
    slices = slices_of(path, what=what)
    _check_one_series(slices, path, what=what)
    _check_alike(slices, what=what)
    row, column = slices[0].axes
    place = np.array([one.position for one in slices]) @ np.cross(row, column)
    order = np.argsort(place, kind="stable")
    slices = [slices[at] for at in order]
    step = _check_even(place[order], what=what)
    _check_straight(slices, what=what)
    if any(one.number is not None for one in slices):
        image = decode_frames(slices, what=what)
    else:
        image = _decode(slices, path, what=what)
    first = slices[0]
    image.SetOrigin(first.position.tolist())
    image.SetSpacing([float(first.spacing[1]), float(first.spacing[0]), step])
    image.SetDirection(np.column_stack([row, column, np.cross(row, column)]).ravel().tolist())
    image.SetMetaData(PATIENT_ID, first.patient)
    image.SetMetaData(FRAME_OF_REFERENCE, first.frame)
    return image


def _check_one_series(slices: Sequence[Slice], path: Path, *, what: str) -> None:
    if not path.is_dir() and (len(slices) < 2):
        raise CaseError(
            f"{what} must be a whole volume, but the DICOM file holds "
            f"{'one slice' if slices else 'no image'}. Name the folder of its series."
        )
    if not slices:
        inside = any(part.is_dir() for part in path.iterdir())
        raise CaseError(
            f"{what} must be a folder of DICOM slices, but holds none."
            + (" It holds folders: name the one with the slices." if inside else "")
        )
    told = {one.series: one.description or "no description" for one in reversed(slices)}
    if len(told) > 1:
        counts = Counter(one.series for one in slices)
        listed = some_of(
            f"{told[series]!r} with {number_of(n, 'slice')}, {series}"
            for series, n in counts.items()
        )
        raise CaseError(
            f"{what} must be a folder of one DICOM series, but holds {len(told)} ({listed}). Move "
            "each series to a folder of its own."
        )
    stacks = Counter(one.stack for one in slices)
    if len(stacks) > 1:
        listed = some_of(f"{stack!r} with {number_of(n, 'frame')}" for stack, n in stacks.items())
        raise CaseError(
            f"{what} must be one volume, but the multi-frame DICOM file holds {len(stacks)} stacks "
            f"({listed}). Export one of them."
        )
    if len({one.patient for one in slices}) > 1:
        raise CaseError(f"{what} must be of one patient, but its slices are of different patients.")


def _check_alike(slices: Sequence[Slice], *, what: str) -> None:
    """Refuse slices that do not say where they lie, or differ in size, spacing or plane."""
    stated = {
        "ImagePositionPatient": [one.position for one in slices],
        "ImageOrientationPatient": [one.cosines for one in slices],
        "PixelSpacing": [one.spacing for one in slices],
    }
    for name, values in stated.items():
        lacking = sum(value.size == 0 or not np.isfinite(value).all() for value in values)
        if lacking:
            raise CaseError(
                f"{what} must say {name} in every slice, but {lacking} of {len(slices)} do not."
            )
    shapes = {"Rows, Columns": [np.array(one.shape, dtype=np.float64) for one in slices]}
    del stated["ImagePositionPatient"]
    for name, values in (shapes | stated).items():
        other = sum(np.abs(value - values[0]).max() > _ALIKE for value in values)
        if other:
            raise CaseError(
                f"{what} must have slices alike in {name}, but {other} of {len(slices)} differ "
                "from the first. Take localisers out of the folder."
            )
    _check_grey(slices, what=what)
    pair = slices[0].cosines.reshape(2, 3)
    if min(slices[0].spacing) <= 0 or np.abs(pair @ pair.T - np.eye(2)).max() > _SQUARE:
        raise CaseError(
            f"{what} must have pixels of some size in a plane, but PixelSpacing is "
            f"{slices[0].spacing} and ImageOrientationPatient {slices[0].cosines}."
        )


def _check_grey(slices: Sequence[Slice], *, what: str) -> None:
    """Refuse colours, and values that fall with brightness, which GDCM would turn round."""
    if slices[0].shape[2] > 1 or any(one.photometric.startswith("PALETTE") for one in slices):
        raise CaseError(f"{what} must hold one number per voxel, but holds colours.")
    inverted = sum(one.photometric == "MONOCHROME1" for one in slices)
    if inverted:
        raise CaseError(
            f"{what} must hold values that rise with brightness (MONOCHROME2), but {inverted} of "
            f"{len(slices)} slices are MONOCHROME1, as radiographs are. Convert it to NIfTI."
        )


def _check_even(place: NDArray[np.float64], *, what: str) -> float:
    """Return the distance between slices, from sorted positions."""
    if len(place) < 2:
        raise CaseError(f"{what} must have several slices, but the series has one.")
    steps = np.diff(place)
    doubled = int((steps <= _EVEN * steps.max()).sum())
    if doubled:
        raise CaseError(
            f"{what} must have one slice per position, but {doubled} of {len(place)} slices stand "
            "where another does: several echoes, times or b-values. Keep one of them."
        )
    step = float(np.sort(steps)[(len(steps) - 1) // 2])  # of the even half, despite gaps
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


def _check_straight(slices: Sequence[Slice], *, what: str) -> None:
    """Refuse a stack that leans, as of a CT with tilted gantry."""
    apart = slices[-1].position - slices[0].position
    aside = max(abs(float(apart @ axis)) for axis in slices[0].axes)
    if aside > _TILT * min(slices[0].spacing):
        raise CaseError(
            f"{what} must be a straight stack, but its last slice lies {aside:.4g} mm aside of its "
            "first (tilted gantry). Resample it to a straight grid, for example by dcm2niix."
        )


def _decode(slices: Sequence[Slice], path: Path, *, what: str) -> "sitk.Image":
    """Read the voxels; 64-bit floats where slices are rescaled by fractions, or are not alike.

    SimpleITK would give all slices the type of the first, and cut off what does not fit into it.
    """
    sitk = needed("SimpleITK")
    scales = {one.scale for one in slices}
    kinds = {one.stored for one in slices}
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(one.path) for one in slices])
    whole = all(value.is_integer() for scale in scales for value in scale)
    if len(scales) > 1 or len(kinds) > 1 or not whole:
        reader.SetOutputPixelType(sitk.sitkFloat64)
    try:
        with native_errors(path, what=what):
            return reader.Execute()
    except CaseError as error:
        raise with_compression(error, slices[0].path, what=what) from error
