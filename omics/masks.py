"""Which voxels belong to each region: masks read, and laid on the grid of their image.

A mask is an image file of whole numbers (0 is background), a DICOM segmentation or a structure set.
A region is a label or a union of labels; of an image file a union takes those of its labels that
are there, for a label map cannot say that a tumour has no enhancing part (`1+2+4`), while a segment
or structure must be declared.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omics.dicom_masks import check_patient, dicom_mask, read_dicom_regions
from omics.dicom_series import PATIENT_ID
from omics.errors import CaseError
from omics.extras import needed
from omics.geometry import same_grid
from omics.images import SUFFIXES, check_readable, read_volume
from omics.messages import some_of
from omics.one_grid import on_grid, refuse_outside

if TYPE_CHECKING:
    import SimpleITK as sitk

_UNION = re.compile(r"\d+(\+\d+)*")
_MANY = 10  # labels: more than a reader draws


def read_masks(
    path: Path, labels: Sequence[str], *, image: "sitk.Image", resample: bool = False
) -> "dict[str, sitk.Image]":
    """Read the regions of a mask.

    Parameters
    ----------
    path : Path
        A NIfTI, NRRD or MetaImage file, the folder of a DICOM series of labels, a DICOM
        segmentation or structure set, or a folder with one of these two.
    labels : sequence of str
        Each a label (`1`), a union (`1+2+4`), or the number or name of a segment or structure.
        Empty means the only label there is.
    image : SimpleITK.Image
        As read by `read_image`: with what a DICOM series says of its patient.
    resample : bool
        Lay a mask of another geometry on the image's grid (nearest neighbour). Structure sets are
        always drawn on the image's grid.

    Returns
    -------
    dict of str to SimpleITK.Image
        By label as asked, or the label found; 0 and 1, on the grid of the image. Grids are one
        when they agree to a thousandth of a voxel (`omics.geometry.same_grid`).

    Raises
    ------
    CaseError
        If the mask cannot be read, holds other than whole numbers, lies on another grid, is of
        another patient or frame of reference, lacks a label, looks like a scan, or a region is
        empty.
    """
    found = _regions(path, labels, image=image, resample=resample)
    return {label: _as_image(region, image, name=label) for label, region in found.items()}


def read_brain_mask(path: Path, *, image: "sitk.Image", resample: bool = False) -> "sitk.Image":
    """Read a mask whose every label means brain.

    Parameters
    ----------
    path : Path
        An image file or the folder of a DICOM series.
    image : SimpleITK.Image
    resample : bool
        As of `read_masks`.

    Returns
    -------
    SimpleITK.Image
        0 and 1, on the grid of the image.

    Raises
    ------
    CaseError
        As of `read_masks`; messages call it `brain_mask`, as its column.
    """
    what = "brain_mask"
    mask = _label_file(path, image, what=what)
    laid = on_grid(mask, image, resample=resample, what=what)
    values = needed("SimpleITK").GetArrayFromImage(laid)
    if not values.any():
        raise CaseError(
            "brain_mask must hold the brain, but is empty on the grid of its image. Draw it anew, "
            "or compare the columns image and brain_mask of the manifest."
        )
    return _as_image(values != 0, image, name="brain")


def check_region(mask: "sitk.Image", *, name: str, flat: bool = False) -> None:
    """Raise unless features can be computed of a region.

    Parameters
    ----------
    mask : SimpleITK.Image
        0 and 1.
    name : str
        How messages name the region.
    flat : bool
        Whether one slice is enough (settings that compute features slice by slice).

    Raises
    ------
    CaseError
        If it is empty, one voxel, or, unless `flat`, lies in one slice along any axis.
    """
    inside = needed("SimpleITK").GetArrayViewFromImage(mask) > 0
    n_voxels = int(inside.sum())
    if n_voxels < 2:
        raise CaseError(
            f"region {name!r} must have several voxels, but has "
            f"{'one' if n_voxels else 'none'}. Draw it anew, or leave the row out."
        )
    thick = [
        int(np.ptp(np.flatnonzero(inside.any(axis=others)))) + 1
        for others in ((0, 1), (0, 2), (1, 2))  # x, y, z
    ]
    if min(thick) == 1 and not flat:
        raise CaseError(
            f"region {name!r} must extend over several slices, but is {thick[0]} x {thick[1]} x "
            f"{thick[2]} voxels: shape and texture in space have no meaning in one slice. Draw "
            "more slices, or state force2D in the settings."
        )


def _regions(
    path: Path, labels: Sequence[str], *, image: "sitk.Image", resample: bool
) -> dict[str, NDArray[np.bool_]]:
    check_readable(path, what="mask")
    if not path.exists():
        raise CaseError("mask must be a file or folder, but there is none of that name.")
    if not path.name.casefold().endswith(SUFFIXES):
        file = dicom_mask(path)
        if file is not None:
            return read_dicom_regions(file, labels, image=image, resample=resample)
    mask = _label_file(path, image, what="mask")
    values = _integers(
        needed("SimpleITK").GetArrayFromImage(on_grid(mask, image, resample=resample, what="mask"))
    )
    counts = _counts(values)
    if not labels:
        labels = [_only(counts)]
    wanted = {label: _wanted(label, counts) for label in labels}
    if not same_grid(image, mask):
        drawn = needed("SimpleITK").GetArrayViewFromImage(mask)
        for parts in wanted.values():
            refuse_outside(np.isin(drawn, parts), mask, image)
    return {label: _is_any(values, parts) for label, parts in wanted.items()}


def _is_any(values: NDArray[np.integer], parts: Sequence[int]) -> NDArray[np.bool_]:
    """Tell the voxels of any of the labels; several times faster than `numpy.isin` for few."""
    found: NDArray[np.bool_] = values == parts[0]
    for part in parts[1:]:
        found |= values == part
    return found


def _label_file(path: Path, image: "sitk.Image", *, what: str) -> "sitk.Image":
    mask = read_volume(path, what=what)
    _check_whole(mask, what=what)
    _check_patches(mask, what=what)
    if mask.HasMetaDataKey(PATIENT_ID):
        check_patient(mask.GetMetaData(PATIENT_ID), image, what=what)
    return mask


def _integers(values: NDArray[Any]) -> NDArray[np.integer]:
    return values if np.issubdtype(values.dtype, np.integer) else values.astype(np.int64)


def _check_whole(mask: "sitk.Image", *, what: str) -> None:
    """Refuse values between labels: an interpolated mask, a probability, or a scan."""
    values = needed("SimpleITK").GetArrayViewFromImage(mask)
    if np.issubdtype(values.dtype, np.integer):
        return
    wrong = ~(np.isfinite(values) & (values == np.round(values)))
    if wrong.any():
        raise CaseError(
            f"{what} must hold whole numbers, but {wrong.sum()} of {wrong.size} voxels do not "
            f"(first: {values[wrong][0]:g}): it is an interpolated mask, a map of probabilities, "
            "or a scan. Resample masks by nearest neighbour; compare the columns image and "
            f"{what}."
        )


def _check_patches(mask: "sitk.Image", *, what: str) -> None:
    """Refuse a scan of whole numbers: its neighbours differ, where labels form patches.

    Considered and rejected: a limit to the number of labels, because an atlas may have hundreds and
    a scan of 8 bits has no more.
    """
    values = _integers(needed("SimpleITK").GetArrayViewFromImage(mask))
    counts = _counts(values)
    if len(counts) <= _MANY:
        return
    drawn = (values != 0) & (values != max(counts, key=counts.__getitem__))
    pairs = drawn[..., 1:] & drawn[..., :-1]
    alike = pairs & (values[..., 1:] == values[..., :-1])
    if 2 * np.count_nonzero(alike) < np.count_nonzero(pairs):
        raise CaseError(
            f"{what} must hold patches of labels, but has {len(counts)} different values, and of "
            f"{np.count_nonzero(pairs)} pairs of neighbours beside the background only "
            f"{np.count_nonzero(alike)} are alike: it looks like a scan. Compare the columns image "
            f"and {what} of the manifest."
        )


def _counts(values: NDArray[np.integer]) -> dict[int, int]:
    """Count the voxels of each label but 0."""
    drawn = values[values != 0]  # few of all voxels, and several times faster to count
    if drawn.size and int(drawn.min()) >= 0 and int(drawn.max()) < 1 << 16:
        every = np.bincount(drawn)
        labels = np.flatnonzero(every)
        counts = every[labels]
    else:
        labels, counts = np.unique_counts(drawn)
    return dict(zip(labels.tolist(), counts.tolist(), strict=True))


def _listed(counts: dict[int, int]) -> str:
    if not counts:
        return "the mask is empty"
    each = some_of((f"{label} ({n} voxels)" for label, n in counts.items()), limit=_MANY)
    return f"there are {each}."


def _only(counts: dict[int, int]) -> str:
    if not counts:
        raise CaseError("mask must hold a region, but every voxel is 0. Draw it anew.")
    if len(counts) > 1:
        raise CaseError(
            f"label must say which region to take, but is blank, and {_listed(counts)} Fill the "
            "column label of the manifest."
        )
    return str(next(iter(counts)))


def _wanted(label: str, counts: dict[int, int]) -> list[int]:
    if not _UNION.fullmatch(label):
        raise CaseError(
            f"label must be a whole number or a union such as 1+2 in a mask that is an image, but "
            f"is {label!r}; {_listed(counts)}"
        )
    wanted = [int(part) for part in label.split("+")]
    if 0 in wanted:
        raise CaseError("label must be above 0, for 0 is the background. Correct the manifest.")
    if not set(wanted) & set(counts):
        raise CaseError(f"label must stand in the mask, but {label!r} does not; {_listed(counts)}")
    return wanted


def _as_image(region: NDArray[np.bool_], image: "sitk.Image", *, name: str) -> "sitk.Image":
    if not region.any():
        raise CaseError(
            f"region {name!r} must hold a voxel of the image, but is empty on its grid. Compare "
            "the columns image and mask of the manifest."
        )
    mask = needed("SimpleITK").GetImageFromArray(region.astype(np.uint8))
    mask.CopyInformation(image)
    return mask
