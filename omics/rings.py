r"""What surrounds the tumour: rings of tissue at stated distances from its border.

The distance of a voxel is that from its centre to the nearest centre of a voxel of the region,

.. math::

    d(x) = \min_{r \in R} \lVert x - r \rVert

in mm, whatever the spacing, so that it is 0 inside the region. The ring holds the voxels with
`inner < d <= outer`: never a voxel of the region itself, and rings that follow one another
(0-5, 5-10) share no voxel and leave none out. A ring exists only where the image does, and only
inside the brain mask, if there is one. A millimetre from the border therefore begins half a voxel
outside the drawn contour. Other labels of a mask are surroundings like any: the ring around a whole
tumour is that around the union of its labels.

Considered and rejected: dilation by a ball of voxels, because it rounds the radius to whole voxels
and takes thick slices for thin ones; distances from the surface mesh, because they differ by less
than half a voxel and depend on how the mesh was made.

References
----------
Maurer CR, et al. A linear time algorithm for computing exact Euclidean distance transforms of
binary images in arbitrary dimensions. IEEE TPAMI 2003;25:265-270. doi:10.1109/TPAMI.2003.1177156
Beig N, et al. Perinodular and intranodular radiomic features on lung CT images distinguish
adenocarcinomas from granulomas. Radiology 2019;290:783-792. doi:10.1148/radiol.2018180910
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, find_objects

from omics.checks import is_number
from omics.errors import CaseError
from omics.geometry import checked_spacing, grid_text, same_grid
from omics.image_checks import check_image, region_of

if TYPE_CHECKING:
    import SimpleITK as sitk

Mask = NDArray[np.bool_]

ROUNDING = 1e-4  # mm; single-precision spacings must not push a voxel over the end of a ring


def ring_name(region: str, inner: float, outer: float) -> str:
    """Name the ring around a region.

    Parameters
    ----------
    region : str
        As the label of the mask is called.
    inner, outer : float
        Distances from its border, in mm.

    Returns
    -------
    str

    Examples
    --------
    >>> ring_name("1+2+4", 0, 5)
    '1+2+4 ring 0-5 mm'
    >>> ring_name("core", 2.5, 7.5)
    'core ring 2.5-7.5 mm'
    """
    return f"{region} ring {inner:g}-{outer:g} mm"


def ring(
    mask: "sitk.Image",
    *,
    inner: float,
    outer: float,
    brain_mask: "sitk.Image | None" = None,
) -> "sitk.Image":
    """Return the ring between two distances from a region's border.

    Parameters
    ----------
    mask : SimpleITK.Image
        Nonzero inside the region.
    inner, outer : float
        In mm, ``0 <= inner < outer``: the ring holds the voxels with ``inner < distance <= outer``.
    brain_mask : SimpleITK.Image, optional
        On the grid of `mask`; nonzero where the ring may be.

    Returns
    -------
    SimpleITK.Image
        uint8, 1 inside the ring, on the grid of `mask`.

    Raises
    ------
    ValueError
        If the distances are not finite, negative, or not in order.
    CaseError
        If the region is empty, the brain mask lies on another grid, or no voxel is left.
    """
    import SimpleITK as sitk

    check_ring(inner, outer)
    region = region_of(mask)
    if not region.any():
        raise CaseError(
            "mask must hold the region a ring is put around, but no voxel of it is set. Correct "
            "the mask."
        )
    allowed = _allowed(mask, brain_mask)
    found = ring_of(region, spacing=mask.GetSpacing()[::-1], inner=inner, outer=outer)
    reached = int(found.sum())
    if allowed is not None:
        found &= allowed
    if not found.any():
        raise CaseError(_empty(inner, outer, reached=reached, mask=mask))
    image = sitk.GetImageFromArray(found.astype(np.uint8))
    image.CopyInformation(mask)
    return image


def check_ring(inner: float, outer: float) -> None:
    """Raise unless both distances are finite and ``0 <= inner < outer``."""
    if not (is_number(inner) and is_number(outer) and 0 <= inner < outer < np.inf):
        raise ValueError(
            f"a ring must go from one distance to a larger one, 0 <= inner < outer in mm, but it "
            f"goes from {inner!r} to {outer!r}. Give them in order, such as (0, 5)."
        )


def ring_of(region: Mask, *, spacing: tuple[float, ...], inner: float, outer: float) -> Mask:
    """Return the ring on arrays.

    Parameters
    ----------
    region : bool ndarray of any dimension
        True somewhere.
    spacing : tuple of float
        Of each axis of the array, in mm.
    inner, outer : float
        In mm.

    Returns
    -------
    bool ndarray of the shape of `region`

    Examples
    --------
    >>> row = np.array([0, 0, 0, 1, 0, 0, 0], dtype=bool)
    >>> ring_of(row, spacing=(2.0,), inner=0, outer=4).astype(int).tolist()
    [0, 1, 1, 0, 1, 1, 0]
    """
    region = np.asarray(region)
    if region.dtype != np.bool_ or not region.any():
        raise ValueError(
            f"region must be an array of bool that is True somewhere, but is of {region.dtype} "
            f"and {'not ' if region.any() else ''}empty."
        )
    check_ring(inner, outer)
    checked_spacing(spacing, region.ndim)
    box = _reach(region, spacing=spacing, outer=outer)
    distance = distance_transform_edt(~region[box], sampling=spacing)
    found = np.zeros_like(region)
    found[box] = (distance > inner + ROUNDING) & (distance <= outer + ROUNDING)
    return found


def _reach(region: Mask, *, spacing: tuple[float, ...], outer: float) -> tuple[slice, ...]:
    """Return the part of the grid that the ring can reach: the rest needs no distances."""
    (inside,) = find_objects(region.astype(np.uint8))
    return tuple(
        slice(max(part.start - margin, 0), part.stop + margin)
        for part, margin in zip(
            inside, (int(outer / step + ROUNDING) + 1 for step in spacing), strict=True
        )
    )


def _allowed(mask: "sitk.Image", brain_mask: "sitk.Image | None") -> Mask | None:
    if brain_mask is None:
        return None
    check_image(brain_mask, "the brain mask")
    if not same_grid(mask, brain_mask):
        raise CaseError(
            "the brain mask must lie on the grid of the mask, but the mask has "
            f"{grid_text(mask)}, the brain mask {grid_text(brain_mask)}. Resample the brain mask."
        )
    return region_of(brain_mask, "the brain mask")


def _empty(inner: float, outer: float, *, reached: int, mask: "sitk.Image") -> str:
    if reached:
        return (
            f"the ring from {inner:g} to {outer:g} mm must hold a voxel, but all {reached} of it "
            "lie outside the brain mask. Check the brain mask, or leave this ring out."
        )
    spacing = " x ".join(f"{value:.4g}" for value in mask.GetSpacing())
    return (
        f"the ring from {inner:g} to {outer:g} mm must hold a voxel, but the image of voxels of "
        f"{spacing} mm has none at that distance. Take a wider ring, or an image that reaches "
        "further."
    )
