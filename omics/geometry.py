"""Do two volumes lie on the same grid of voxels? Size, spacing, origin and direction compared.

Spacing and origin may differ by a thousandth of a voxel, direction cosines by 1e-5: what formats
that keep single precision (NIfTI) do to a grid, and far less than moves a voxel.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import SimpleITK as sitk

VOXEL_TOLERANCE = 1e-3  # of a voxel
DIRECTION_TOLERANCE = 1e-5


def same_grid(one: "sitk.Image", other: "sitk.Image") -> bool:
    """Tell whether two images share one grid of voxels.

    Parameters
    ----------
    one, other : SimpleITK.Image

    Returns
    -------
    bool
        True if size agrees exactly, spacing and origin to a thousandth of a voxel of `one` and
        direction to 1e-5.
    """
    if one.GetSize() != other.GetSize():
        return False
    spacing = np.asarray(one.GetSpacing())
    size = np.asarray(one.GetSize())
    apart = np.abs(np.asarray(other.GetSpacing()) - spacing) * size  # at the far end of the grid
    moved = np.abs(np.subtract(other.GetOrigin(), one.GetOrigin()))
    turned = np.abs(np.subtract(other.GetDirection(), one.GetDirection()))
    near = VOXEL_TOLERANCE * spacing
    return bool(
        (apart <= near).all()
        and (moved <= near.min()).all()
        and (turned <= DIRECTION_TOLERANCE).all()
    )


def grid_text(image: "sitk.Image") -> str:
    """Say where the voxels of an image lie.

    Parameters
    ----------
    image : SimpleITK.Image

    Returns
    -------
    str
        Such as ``240 x 240 x 155 voxels of 1 x 1 x 1 mm from (0, -239, 0)``, and the direction
        cosines where they are not those of the axes.
    """
    size = " x ".join(map(str, image.GetSize()))
    spacing = " x ".join(f"{value:.6g}" for value in image.GetSpacing())
    origin = ", ".join(f"{value:.6g}" for value in image.GetOrigin())
    text = f"{size} voxels of {spacing} mm from ({origin})"
    direction = np.asarray(image.GetDirection())
    axes = np.eye(image.GetDimension()).ravel()
    if np.allclose(direction, axes, rtol=0, atol=DIRECTION_TOLERANCE):
        return text
    return f"{text}, direction ({', '.join(f'{value:.4g}' for value in direction)})"


def checked_spacing(spacing: Sequence[float], n_axes: int) -> NDArray[np.float64]:
    """Return the size of a voxel along each axis of an array, in mm.

    Raises
    ------
    ValueError
        Unless there is a size above zero for each axis.

    Examples
    --------
    >>> checked_spacing((3, 1, 1), 3).tolist()
    [3.0, 1.0, 1.0]
    """
    try:
        sizes = np.asarray(spacing, dtype=np.float64)
    except (TypeError, ValueError):
        sizes = np.empty(0)
    if sizes.shape != (n_axes,) or not (np.isfinite(sizes) & (sizes > 0)).all():
        raise ValueError(
            f"spacing must give a size above zero for each of {n_axes} axes, but {spacing} "
            "came. Give mm in the order of the array's axes."
        )
    return sizes
