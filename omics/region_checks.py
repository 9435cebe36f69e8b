"""Can features be computed of this region? Too small, empty, or cut into too many grey levels."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import SimpleITK as sitk

from omics.cropping import Box, region_box
from omics.errors import CaseError

_MOST_GREY_LEVELS = 1500  # co-occurrences of 13 directions then fill 0.25 GB


def checked_box(mask: sitk.Image, setting: Mapping[str, Any], *, where: str) -> Box:
    """Find the box around a region; refuse a region that is too small.

    Parameters
    ----------
    mask : SimpleITK image
        Not 0 in the region.
    setting : mapping
        With `minimumROIDimensions`, and `minimumROISize` where there is one.
    where : str
        Ends the message, such as ` on the resampled grid`.

    Raises
    ------
    CaseError
        If the region is empty, one voxel, or smaller than the settings allow.
    """
    box = region_box(mask)
    if box is None:
        raise CaseError(f"the region must have voxels, but has none{where}.")
    n_voxels = int(np.count_nonzero(sitk.GetArrayFromImage(box.cut(mask))))
    n_dimensions = int(((box.upper - box.lower) > 1).sum())
    needed = setting["minimumROIDimensions"]
    if n_voxels == 1:
        raise CaseError(f"the region must have several voxels, but has one{where}.")
    if n_dimensions < needed:
        raise CaseError(
            f"the region must extend in {needed} dimensions, but extends in "
            f"{n_dimensions}{where}. Draw more slices, or lower minimumROIDimensions."
        )
    if n_voxels <= setting.get("minimumROISize", 0):
        raise CaseError(
            f"the region must have more than {setting['minimumROISize']} voxels "
            f"(minimumROISize), but has {n_voxels}{where}."
        )
    return box


def check_grey_levels(
    filtered: sitk.Image, mask: sitk.Image, name: str, own: Mapping[str, Any]
) -> None:
    """Refuse bins so narrow that the matrices of textures would not fit into memory.

    Parameters
    ----------
    filtered, mask : SimpleITK image
        Of one size.
    name : str
        Of the filtered image.
    own : mapping
        With `binWidth` or `binCount`.

    Raises
    ------
    CaseError
        If there would be more than 1,500 grey levels.
    """
    if "binCount" in own:
        return
    grey = sitk.GetArrayViewFromImage(filtered)[sitk.GetArrayViewFromImage(mask) != 0]
    levels = (float(grey.max()) - float(grey.min())) / own["binWidth"]
    if levels > _MOST_GREY_LEVELS:
        raise CaseError(
            f"binWidth {own['binWidth']:g} divides the grey values of {name} "
            f"({grey.min():g} to {grey.max():g}) into {levels:,.0f} bins, more than "
            f"{_MOST_GREY_LEVELS:,}. Take a larger binWidth, a binCount, or normalise the image."
        )
