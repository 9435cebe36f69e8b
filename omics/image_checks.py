"""Is it an image, is it a mask? What functions on images ask of their arguments."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from omics.errors import CaseError
from omics.extras import needed


def check_image(image: object, name: str) -> None:
    """Refuse what is no SimpleITK image of one value per voxel.

    Raises
    ------
    TypeError
        If it is something else, such as an array or a path.
    ValueError
        If a voxel holds several values.

    Examples
    --------
    >>> check_image(np.zeros((2, 2, 2)), "mask")
    Traceback (most recent call last):
    TypeError: mask must be a SimpleITK image, but is of type ndarray. Read it with
    omics.images.read_image or omics.masks.read_masks: they know where voxels lie.
    """
    if not isinstance(image, needed("SimpleITK").Image):
        raise TypeError(
            f"{name} must be a SimpleITK image, but is of type {type(image).__name__}. Read it "
            "with omics.images.read_image or omics.masks.read_masks: they know where voxels lie."
        )
    n_values = image.GetNumberOfComponentsPerPixel()
    if n_values > 1:
        raise ValueError(
            f"{name} must hold one value per voxel, but holds {n_values}. Choose one of them."
        )


def region_of(mask: Any, name: str = "mask") -> NDArray[np.bool_]:
    """Return where a mask is not 0, as an array of z, y, x.

    Raises
    ------
    TypeError, ValueError
        As `check_image`.
    CaseError
        If a voxel is not finite.
    """
    check_image(mask, name)
    array = needed("SimpleITK").GetArrayViewFromImage(mask)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise CaseError(
            f"{name} must be 0 outside the region and another number inside, but "
            f"{int((~np.isfinite(array)).sum())} of {array.size} voxels are not finite. Correct it."
        )
    region: NDArray[np.bool_] = array != 0
    return region
