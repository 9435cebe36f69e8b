"""Where in the tumour is a feature high? A chosen feature around every voxel, as an image.

The feature is computed in the neighbourhood of each voxel of the region, a cube of `2 radius + 1`
voxels, with the grey levels that the whole region has: pyradiomics' voxel-based extraction. A map
is for the eye, and for habitats; its mean is not the region's own value of the feature.

References
----------
van Griethuysen JJM, et al. Computational radiomics system to decode the radiographic phenotype.
Cancer Research 2017;77:e104-e107. doi:10.1158/0008-5472.CAN-17-0339
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from omics.checks import check_whole
from omics.errors import CaseError, StudyError
from omics.extraction_settings import ExtractionSettings
from omics.extras import needed
from omics.geometry import grid_text, same_grid
from omics.image_checks import check_image, region_of
from omics.messages import nearest, number_of

if TYPE_CHECKING:
    import SimpleITK as sitk

SUFFIXES = (".nii", ".nii.gz")
LONGEST_NOTE = 79  # characters that the header of a NIfTI file has room for


def feature_map(
    image: "sitk.Image",
    mask: "sitk.Image",
    settings: ExtractionSettings,
    *,
    feature: str,
    radius: int = 1,
    beyond: bool = False,
) -> "sitk.Image":
    """Compute one feature around every voxel of a region.

    Parameters
    ----------
    image : SimpleITK.Image
        Of three dimensions and finite, after the steps of `settings.steps`
        (`omics.image_steps.prepare`).
    mask : SimpleITK.Image
        1 in the region and 0 elsewhere, on the grid of `image`.
    settings : ExtractionSettings
        Its resampling, filters and grey levels are those of the region's features.
    feature : str
        As a table calls it, such as ``original_glcm_JointEntropy``; of no shape class.
    radius : int
        The neighbourhood reaches so many voxels in each direction, 1 or more.
    beyond : bool
        Whether voxels outside the region belong to neighbourhoods; grey levels then are those of
        the part of the image around the region.

    Returns
    -------
    SimpleITK.Image
        float64, NaN outside the region. On the grid of `image`; where the settings resample, the
        region's part of the resampled grid.

    Raises
    ------
    StudyError
        If the settings compute no such feature, or it has no neighbourhood (shape).
    ValueError
        If `radius` is no whole number of 1 or more.
    TypeError
        If an image or the settings are something else.
    CaseError
        If mask and image lie on different grids, or the region cannot be used.
    """
    needed("radiomics")
    from omics.pyradiomics_engine import expected_features, map_region

    check_image(image, "image")
    check_image(mask, "mask")
    if not isinstance(settings, ExtractionSettings):
        raise TypeError(
            f"settings must be ExtractionSettings, but {settings!r} came. Read them: "
            'read_settings("mri").'
        )
    _check_feature(feature, expected_features(settings))
    check_whole(radius, "radius", least=1)
    if not same_grid(image, mask):
        raise CaseError(
            f"mask must lie on the grid of the image, but the image has {grid_text(image)}, the "
            f"mask {grid_text(mask)}. Resample the mask."
        )
    values = needed("SimpleITK").GetArrayViewFromImage(image)[region_of(mask)]
    if not np.isfinite(values).all():
        raise CaseError(
            f"image must be finite inside the region, but {int((~np.isfinite(values)).sum())} of "
            f"{number_of(values.size, 'voxel')} are not. Correct the image."
        )
    found = map_region(image, mask, settings, feature=feature, radius=radius, masked=not beyond)
    drawn = found if "resampledPixelSpacing" in settings.setting else _laid_on(image, found)
    drawn.SetMetaData("ITK_FileNotes", _note(feature, radius, settings))
    return drawn


def write_feature_map(drawn: "sitk.Image", path: str | Path) -> None:
    """Write a map as a NIfTI file, whole or not at all.

    Voxels outside the region are NaN in the file. Programs built on ITK, such as 3D Slicer, read
    NaN of a NIfTI file as 0.

    Parameters
    ----------
    drawn : SimpleITK.Image
        From `feature_map`; the file's description says the feature, radius and settings.
    path : str or Path
        Ends in `.nii` or `.nii.gz`.

    Raises
    ------
    StudyError
        If the ending is another one, or the file cannot be written.
    """
    check_image(drawn, "drawn")
    if not isinstance(path, str | Path):
        raise TypeError(f"path must be a path, but is {path!r}.")
    target = Path(path)
    ending = next((end for end in reversed(SUFFIXES) if target.name.endswith(end)), None)
    if ending is None:
        raise StudyError(
            f"the map's file must end in {' or '.join(SUFFIXES)}, but is {target.name!r}."
        )
    part = target.with_name(f".{target.name.removesuffix(ending)}.part{ending}")
    try:
        needed("SimpleITK").WriteImage(drawn, str(part))
        os.replace(part, target)
    except (RuntimeError, OSError) as error:
        part.unlink(missing_ok=True)
        reason = str(error).strip().rpartition("\n")[2]
        raise StudyError(f"the map {target} cannot be written: {reason}") from error


def _check_feature(feature: str, known: list[str]) -> None:
    if feature not in known:
        raise StudyError(
            f"feature must be one that the settings compute, but {feature!r} is not. "
            f"{nearest(str(feature), known)}"
        )
    if feature.rsplit("_", 2)[1].startswith("shape"):
        raise StudyError(
            f"feature must have a value around every voxel, but {feature!r} is one of the whole "
            "region's shape. Choose a feature of grey values or texture."
        )


def _laid_on(image: "sitk.Image", found: "sitk.Image") -> "sitk.Image":
    """Lay the region's box on the grid of the image it was cut from."""
    import SimpleITK as sitk

    values = np.full(image.GetSize()[::-1], np.nan)
    x, y, z = image.TransformPhysicalPointToIndex(found.GetOrigin())
    width, height, depth = found.GetSize()
    values[z : z + depth, y : y + height, x : x + width] = sitk.GetArrayViewFromImage(found)
    whole = sitk.GetImageFromArray(values)
    whole.CopyInformation(image)
    return whole


def _note(feature: str, radius: int, settings: ExtractionSettings) -> str:
    rest = f" r{radius} {settings.digest}"
    return feature[: LONGEST_NOTE - len(rest)] + rest
