r"""How well two segmentations of one lesion agree: Dice, and how far their surfaces lie apart.

.. math::

    \mathrm{Dice} = \frac{2 |A \cap B|}{|A| + |B|}

A surface is the voxels of a mask with a neighbour outside it (across a face; beyond the image is
outside), taken at their centres, so that distances are exact to about a voxel. The mean distance
counts every surface voxel of both alike; Hausdorff's distance is the largest one, its 95 % form the
larger of the 95th percentiles of the two directions.

References
----------
Dice LR. Measures of the amount of ecologic association between species. Ecology 1945;26:297-302.
doi:10.2307/1932409
Maier-Hein L, Reinke A, Godau P, et al. Metrics reloaded: recommendations for image analysis
validation. Nature Methods 2024;21:195-212. doi:10.1038/s41592-023-02151-z
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt

from omics.checks import as_floats
from omics.extras import needed
from omics.geometry import checked_spacing, grid_text, same_grid
from omics.image_checks import check_image

if TYPE_CHECKING:
    import SimpleITK as sitk

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class MaskAgreement:
    """How well two masks agree.

    Attributes
    ----------
    dice : float
        In [0, 1], higher is better; NaN if both are empty.
    mean_surface_distance, hausdorff_95, hausdorff : float
        In mm, lower is better; NaN if one is empty.
    volumes : pair of float
        In mm³.
    """

    dice: float
    mean_surface_distance: float
    hausdorff_95: float
    hausdorff: float
    volumes: tuple[float, float]

    @property
    def table(self) -> pd.DataFrame:
        """One row per measure: `measure`, `value` and `unit`."""
        rows = [
            ("dice", self.dice, ""),
            ("mean_surface_distance", self.mean_surface_distance, "mm"),
            ("hausdorff_95", self.hausdorff_95, "mm"),
            ("hausdorff", self.hausdorff, "mm"),
            ("volume_one", self.volumes[0], "mm3"),
            ("volume_other", self.volumes[1], "mm3"),
        ]
        return pd.DataFrame(rows, columns=["measure", "value", "unit"])

    def __repr__(self) -> str:
        return (
            f"MaskAgreement(Dice {self.dice:.3f}, mean surface distance "
            f"{self.mean_surface_distance:.2f} mm, Hausdorff {self.hausdorff:.2f} mm)"
        )


def mask_agreement(one: ArrayLike, other: ArrayLike, *, spacing: Sequence[float]) -> MaskAgreement:
    """Compare two masks on the same grid.

    Parameters
    ----------
    one, other : array-like of bool, of the same shape
        Of two or three dimensions; of a SimpleITK image `sitk.GetArrayFromImage(mask) > 0`.
    spacing : sequence of float
        Size of a voxel along each axis, in mm; of that array `mask.GetSpacing()[::-1]`.

    Returns
    -------
    MaskAgreement

    Raises
    ------
    ValueError
        If shapes differ, a value is neither 0 nor 1, or the spacing does not fit.

    Examples
    --------
    Two rods of four voxels, one shifted by one voxel of 2 mm:

    >>> mask_agreement([[0, 1, 1, 1, 1, 0]], [[0, 0, 1, 1, 1, 1]], spacing=(1, 2))
    MaskAgreement(Dice 0.750, mean surface distance 0.50 mm, Hausdorff 2.00 mm)
    """
    first, second = _checked(one, "one"), _checked(other, "other")
    if first.shape != second.shape:
        raise ValueError(
            f"one and other must lie on the same grid, but their shapes are {first.shape} and "
            f"{second.shape}. Resample one of them."
        )
    sizes = checked_spacing(spacing, first.ndim)
    counts = int(first.sum()), int(second.sum())
    voxel = float(sizes.prod())
    distances = _between_surfaces(first, second, sizes) if min(counts) else None
    total = sum(counts)
    return MaskAgreement(
        dice=2 * int((first & second).sum()) / total if total else float("nan"),
        mean_surface_distance=_mean(distances),
        hausdorff_95=_largest(distances, 0.95),
        hausdorff=_largest(distances, 1.0),
        volumes=(counts[0] * voxel, counts[1] * voxel),
    )


def agreement_of_images(one: "sitk.Image", other: "sitk.Image") -> MaskAgreement:
    """Compare two masks that are SimpleITK images of 0 and 1, as `omics.masks.read_masks` gives.

    Raises
    ------
    ValueError
        If they do not lie on the same grid of voxels, or hold other values.
    TypeError
        If one is no image.
    """
    check_image(one, "one")
    check_image(other, "other")
    if not same_grid(one, other):
        raise ValueError(
            f"one and other must lie on the same grid, but are {grid_text(one)} and "
            f"{grid_text(other)}. Read both onto the grid of their image."
        )
    sitk = needed("SimpleITK")
    arrays = [sitk.GetArrayFromImage(mask) for mask in (one, other)]
    return mask_agreement(arrays[0], arrays[1], spacing=one.GetSpacing()[::-1])


_Distances = tuple[NDArray[np.float64], NDArray[np.float64]]


def _between_surfaces(one: Mask, other: Mask, sizes: NDArray[np.float64]) -> _Distances:
    """Distance of each surface voxel of either to the other's surface, in the box around both."""
    box = _box(one | other)
    surfaces = [_surface(mask[box]) for mask in (one, other)]
    away = [distance_transform_edt(~surface, sampling=sizes) for surface in surfaces]
    return away[1][surfaces[0]], away[0][surfaces[1]]


def _box(mask: Mask) -> tuple[slice, ...]:
    places = np.nonzero(mask)
    return tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in places)


def _surface(mask: Mask) -> Mask:
    """Voxels with a neighbour outside; what lies beyond the box is outside."""
    inside: Mask = mask & ~binary_erosion(mask)
    return inside


def _mean(distances: _Distances | None) -> float:
    return float("nan") if distances is None else float(np.concatenate(distances).mean())


def _largest(distances: _Distances | None, quantile: float) -> float:
    if distances is None:
        return float("nan")
    return max(float(np.quantile(part, quantile)) for part in distances)


def _checked(mask: ArrayLike, name: str) -> Mask:
    array = as_floats(mask, name)
    if array.ndim not in (2, 3):
        raise ValueError(f"{name} must have two or three dimensions, but has shape {array.shape}.")
    wrong = ~np.isin(array, (0, 1))
    if wrong.any():
        raise ValueError(
            f"{name} must hold 0 and 1 only, but {wrong.sum()} of {array.size} voxels are other "
            f"(first: {array[wrong][0]}). Choose a label: array == 2."
        )
    return array.astype(np.bool_)
