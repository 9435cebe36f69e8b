"""A mask is laid on the grid of its image: as it stands, or resampled where that was asked for."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omics.errors import CaseError
from omics.extras import needed
from omics.geometry import grid_text, same_grid

if TYPE_CHECKING:
    import SimpleITK as sitk

_BORDER = 0.5 + 1e-3  # voxels from the centre of the outermost
_ALIGNED = 0.01  # of a voxel, at the far end: DICOM writes places as decimal text


def on_grid(mask: "sitk.Image", image: "sitk.Image", *, resample: bool, what: str) -> "sitk.Image":
    """Return the mask on exactly the grid of the image.

    Parameters
    ----------
    mask : SimpleITK.Image
        Labels.
    image : SimpleITK.Image
    resample : bool
        Take the nearest label for each voxel of the image, where the grids differ.
    what : str
        How messages name it: `mask` or `brain_mask`.

    Returns
    -------
    SimpleITK.Image
        Grids that agree to the tolerance of `omics.geometry.same_grid` count as one, whatever
        tolerance SimpleITK is set to: the mask takes over the image's.

    Raises
    ------
    CaseError
        If the grids differ and `resample` is False, or no label lies in the image.
    """
    if same_grid(image, mask):
        laid = needed("SimpleITK").Image(mask)  # the caller's mask keeps its own grid
        laid.CopyInformation(image)
        return laid
    if not resample:
        raise CaseError(
            f"{what} must lie on the grid of its image, but the image has {grid_text(image)}, and "
            f"the mask {grid_text(mask)}. Correct the manifest, or ask for masks to be resampled "
            "(resample_mask)."
        )
    laid = _nearest(mask, image)
    if _n_labelled(mask) and not _n_labelled(laid):
        raise CaseError(
            f"{what} must overlap its image, but none of its {_n_labelled(mask)} voxels lies in "
            "it. Correct the manifest."
        )
    return laid


def within(mask: "sitk.Image", image: "sitk.Image", *, resample: bool) -> "sitk.Image":
    """Return on the image's grid a mask that covers a part of it, turned or mirrored or not.

    Parameters
    ----------
    mask : SimpleITK.Image
        0 or 1; as a DICOM segmentation keeps it, only slices that hold something.
    image : SimpleITK.Image
    resample : bool
        Take the nearest voxel where voxels of the mask are no voxels of the image.

    Raises
    ------
    CaseError
        If, with `resample` False, the voxels of the mask are no voxels of the image, or some lie
        outside it.
    """
    if not resample and not _shares_voxels(mask, image):
        return on_grid(mask, image, resample=False, what="mask")
    refuse_outside(needed("SimpleITK").GetArrayViewFromImage(mask) != 0, mask, image)
    return _nearest(mask, image)


def refuse_outside(region: NDArray[np.bool_], mask: "sitk.Image", image: "sitk.Image") -> None:
    """Raise if voxels of a region lie outside the image: they would be cut off in silence.

    Parameters
    ----------
    region : ndarray of bool
        On the grid of the mask.
    mask : SimpleITK.Image
    image : SimpleITK.Image

    Raises
    ------
    CaseError
    """
    of_mask, mask_origin = indices(mask)
    of_image, image_origin = indices(image)
    steps = np.linalg.solve(of_image, of_mask)
    start = np.linalg.solve(of_image, mask_origin - image_origin)
    places = np.argwhere(region)[:, ::-1] @ steps.T + start
    beyond = (places < -_BORDER) | (places > np.array(image.GetSize()) - 1 + _BORDER)
    lost = int(beyond.any(axis=1).sum())
    if lost:
        raise lies_outside(lost, len(places))


def lies_outside(lost: int, total: int) -> CaseError:
    """Say that a part of a region lies outside the image."""
    return CaseError(
        f"mask must lie inside its image, but {lost} of its {total} voxels lie outside. It was "
        "drawn on another image: correct the manifest."
    )


def indices(image: "sitk.Image") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the matrix and origin that make a place in mm of a voxel: `matrix @ index + origin`.

    Parameters
    ----------
    image : SimpleITK.Image

    Returns
    -------
    matrix : ndarray of shape (3, 3)
    origin : ndarray of shape (3,)
    """
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return direction * np.array(image.GetSpacing()), np.array(image.GetOrigin())


def _shares_voxels(mask: "sitk.Image", image: "sitk.Image") -> bool:
    """Tell whether every centre of the mask is a centre of the image's grid, extended."""
    of_mask, mask_origin = indices(mask)
    of_image, image_origin = indices(image)
    steps = np.linalg.solve(of_image, of_mask)
    start = np.linalg.solve(of_image, mask_origin - image_origin)
    whole = np.round(steps)
    one_to_one = (np.abs(whole).sum(axis=0) == 1).all() and (np.abs(whole).sum(axis=1) == 1).all()
    drift = np.abs(steps - whole) @ np.array(mask.GetSize()) + np.abs(start - np.round(start))
    return bool(one_to_one and (drift <= _ALIGNED).all())


def _n_labelled(mask: "sitk.Image") -> int:
    return int(np.count_nonzero(needed("SimpleITK").GetArrayViewFromImage(mask)))


def _nearest(mask: "sitk.Image", image: "sitk.Image") -> "sitk.Image":
    sitk = needed("SimpleITK")
    return sitk.Resample(
        mask, image, sitk.Transform(), sitk.sitkNearestNeighbor, 0, mask.GetPixelID()
    )
