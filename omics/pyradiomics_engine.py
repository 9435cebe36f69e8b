"""The features of one region by pyradiomics: the one module that imports it.

pyradiomics' own steps are called one by one, in its own order, so that each filter is given no more
of the image than it needs (`omics.cropping`, `omics.laplacian`); the values are those of its
`featureextractor`, with one exception: after resegmentation, shape features of the region as it was
drawn are computed from the whole region, where pyradiomics cuts it to the resegmented region's box.

Its log, its warnings and SimpleITK's number of threads stay inside: cases run side by side, one
thread each.

References
----------
van Griethuysen JJM, et al. Computational radiomics system to decode the radiographic phenotype.
Cancer Research 2017;77:e104-e107. doi:10.1158/0008-5472.CAN-17-0339
"""

import importlib.metadata
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import SimpleITK as sitk

from omics.cropping import Box, filter_reach, resampling_reach, widened
from omics.errors import CaseError, StudyError
from omics.extraction_settings import ExtractionSettings
from omics.feature_names import expected_features, image_names, laplacian_name
from omics.laplacian import laplacian_of_gaussian
from omics.region_checks import check_grey_levels, checked_box

_DISTRIBUTIONS = ("pyradiomics-cuda", "pyradiomics")  # the same import name, never both
_ROUNDING = 1e-6  # the root of the rounding of an eigenvalue
_MAP_MATRICES = 1_000_000  # entries of the matrices of one direction, of a batch of voxels of a map
__all__ = ["engine_versions", "expected_features", "extract_region", "map_region"]
_Filtered = Iterator[tuple[sitk.Image, str]]


def engine_versions() -> dict[str, str]:
    """Name the distributions that decide the numbers, with their versions.

    Raises
    ------
    StudyError
        If pyradiomics is not installed.
    """
    versions = {}
    for distribution in (*_DISTRIBUTIONS, "SimpleITK", "PyWavelets", "numpy"):
        try:
            versions[distribution] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue  # one of the two names of pyradiomics, or all that the extra brings
    if not any(distribution in versions for distribution in _DISTRIBUTIONS):
        raise StudyError(
            "features need pyradiomics, which is not installed. "
            'Install it: pip install "nomomics[extract]".'
        )
    return versions


def extract_region(
    image: sitk.Image, mask: sitk.Image, settings: ExtractionSettings
) -> dict[str, float]:
    """Compute the features of one region.

    Parameters
    ----------
    image : SimpleITK image of three dimensions
        Finite, after the steps of `settings.steps`.
    mask : SimpleITK image
        1 in the region and 0 elsewhere, of the image's geometry.
    settings : ExtractionSettings

    Returns
    -------
    dict of float
        Exactly `expected_features(settings)`, in that order. NaN where there is no value, such as
        co-occurrences of voxels that do not touch.

    Raises
    ------
    CaseError
        If the region is empty, too small or too flat for the settings, or a feature fails.
    """
    names = expected_features(settings)
    if image.GetSize() != mask.GetSize():
        raise CaseError(
            f"mask must have the image's size {image.GetSize()}, but has {mask.GetSize()}."
        )
    with _contained() as failures:
        try:
            found = _features(image, mask, settings)
        except CaseError:
            raise
        except (
            *(ValueError, TypeError, RuntimeError, LookupError),
            *(ArithmeticError, AssertionError),
        ) as error:
            raise CaseError(f"pyradiomics cannot compute the features: {error}") from error
    if failures:
        raise CaseError(f"pyradiomics failed in {len(failures)} features (first: {failures[0]}).")
    missing = [name for name in names if name not in found]
    if missing or len(found) != len(names):
        raise CaseError(
            f"pyradiomics must compute {len(names)} features, but left out {len(missing)} "
            f"(first: {missing[:1]}) and added {len(set(found) - set(names))}."
        )
    return {name: _real(found[name], name) for name in names}


def _real(value: Any, name: str) -> float:
    """Return a number whose imaginary part is nothing but rounding, as of eigenvalues near 0."""
    number = complex(value)
    if abs(number.imag) > _ROUNDING * max(1.0, abs(number.real)):
        raise CaseError(
            f"{name} must be a real number, but pyradiomics gives {number:.4g}: the matrix it is "
            "computed from is not well enough determined. Look at the region, or leave the feature "
            "out of the settings."
        )
    return number.real


@contextmanager
def _contained() -> Iterator[list[str]]:
    """Keep pyradiomics' log and warnings here, and SimpleITK to one thread; give what failed."""
    import radiomics

    logger, threads = radiomics.logger, sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    handlers, passes_on, level = logger.handlers[:], logger.propagate, logger.level
    failures = _Failures()
    logger.handlers, logger.propagate = [failures], False
    logger.setLevel(logging.ERROR)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            # 0 / 0 is how pyradiomics arrives at the NaN of a flat region
            warnings.simplefilter("ignore", RuntimeWarning)
            yield failures.found
    finally:
        logger.handlers, logger.propagate = handlers, passes_on
        logger.setLevel(level)
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)


class _Failures(logging.Handler):
    """Collects the last line of every error that pyradiomics logs instead of raising it."""

    def __init__(self) -> None:
        super().__init__(level=logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the last line: of a traceback, the error itself."""
        self.found.append(record.getMessage().strip().rpartition("\n")[2])


def _features(image: sitk.Image, mask: sitk.Image, settings: ExtractionSettings) -> dict[str, Any]:
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    setting = {**settings.setting, "label": 1}
    checked_box(mask, setting, where="")
    image, mask = _placed(image, mask, setting)
    box = checked_box(mask, setting, where=" on the resampled grid")
    grey = sitk.GetArrayFromImage(box.cut(image))
    if not np.isfinite(grey).all():
        raise CaseError("image must vary to be normalised, but all its voxels are equal.")
    extractor = RadiomicsFeatureExtractor()
    extractor.enabledFeatures = {
        name: list(features) for name, features in settings.feature_classes.items()
    }
    drawn = mask
    if "resegmentRange" in setting:
        mask = _resegmented(image, mask, box, setting)
        if setting["resegmentShape"]:
            drawn = mask
    found = dict(_shapes(extractor, image, drawn, setting))
    box = checked_box(mask, setting, where=" within resegmentRange")
    inner = sitk.Cast(box.cut(mask), sitk.sitkUInt32)
    for image_type, own in settings.image_types.items():
        of_type = {**setting, **own}
        for filtered, name in _filtered(image, box, image_type, of_type):
            check_grey_levels(filtered, inner, name, of_type)
            found |= extractor.computeFeatures(filtered, inner, name, **of_type)
    return found


def _placed(
    image: sitk.Image, mask: sitk.Image, setting: Mapping[str, Any]
) -> tuple[sitk.Image, sitk.Image]:
    """Normalise by the whole image, then resample or cut as the settings say."""
    from radiomics import imageoperations

    if setting["normalize"]:
        image = imageoperations.normalizeImage(image, **setting)
    box = checked_box(mask, setting, where="")
    if "resampledPixelSpacing" in setting:
        reach = resampling_reach(image.GetSpacing(), setting)
        if reach is not None:
            image = widened(box, reach, image.GetSize()).cut(image)
        # the new grid is laid by the mask's origin: the whole mask keeps it where it was
        return tuple(
            imageoperations.resampleImage(image, sitk.Cast(mask, sitk.sitkUInt32), **setting)
        )
    if setting["preCrop"]:
        rim = setting["padDistance"]
        kept = Box(
            lower=np.maximum(box.lower - rim, 0),
            upper=np.minimum(box.upper + rim, image.GetSize()),
        )
        return kept.cut(image), kept.cut(mask)
    return image, mask


def _resegmented(
    image: sitk.Image, mask: sitk.Image, box: Box, setting: Mapping[str, Any]
) -> sitk.Image:
    """Leave out the voxels beyond the range; the mask keeps its size."""
    from radiomics import imageoperations

    inner = imageoperations.resegmentMask(box.cut(image), box.cut(mask), **setting)
    whole = sitk.Image(mask.GetSize(), sitk.sitkUInt32)
    whole.CopyInformation(mask)
    return sitk.Paste(
        whole,
        sitk.Cast(inner, sitk.sitkUInt32),
        inner.GetSize(),
        destinationIndex=box.lower.tolist(),
    )


def _shapes(
    extractor: Any, image: sitk.Image, mask: sitk.Image, setting: Mapping[str, Any]
) -> Mapping[str, Any]:
    box = checked_box(mask, setting, where="")
    thick = (box.upper - box.lower)[2 - setting["force2Ddimension"]]  # arrays are z, y, x
    if "shape2D" in extractor.enabledFeatures and thick > 1:
        raise CaseError(
            f"shape2D needs a region of one slice, but the region has {thick}. Leave shape2D out, "
            "or draw one slice."
        )
    bounds = np.column_stack([box.lower, box.upper - 1]).ravel() - np.repeat(box.lower, 2)
    result: Mapping[str, Any] = extractor.computeShape(
        box.cut(image), sitk.Cast(box.cut(mask), sitk.sitkUInt32), bounds, **setting
    )
    return result


def _filtered(image: sitk.Image, box: Box, image_type: str, own: Mapping[str, Any]) -> _Filtered:
    """Give each image of a type within the region's box, with its name."""
    from radiomics import imageoperations

    if image_type == "LoG":
        yield from _laplacians(image, box, own["sigma"])
        return
    reach = filter_reach(image_type, own)
    size = image.GetSize()
    near = widened(box, np.full(3, max(size) if reach is None else reach), size)
    steps = getattr(imageoperations, f"get{image_type}Image")(near.cut(image), None, **own)
    for filtered, name, _ in steps:
        yield box.within(near).cut(filtered), name


def _laplacians(image: sitk.Image, box: Box, sigmas: list[float]) -> _Filtered:
    size, spacing = np.array(image.GetSize()), np.array(image.GetSpacing())
    for sigma in sigmas:
        needed = np.maximum(np.ceil(sigma / spacing) + 1, 4)
        if (size < needed).any():
            raise CaseError(
                f"LoG with sigma {sigma:g} mm needs an image of {needed.astype(int).tolist()} "
                f"voxels or more around the region, but there are {size.tolist()}. Take a smaller "
                "sigma, or a larger padDistance."
            )
        yield laplacian_of_gaussian(image, box, sigma=sigma), laplacian_name(sigma)


def map_region(
    image: sitk.Image,
    mask: sitk.Image,
    settings: ExtractionSettings,
    *,
    feature: str,
    radius: int,
    masked: bool,
) -> sitk.Image:
    """Compute one feature around every voxel of a region; see `omics.feature_maps.feature_map`.

    Parameters
    ----------
    image, mask, settings
        As of `extract_region`.
    feature : str
        One of `expected_features(settings)`, of no shape class.
    radius : int
        The neighbourhood reaches so many voxels in each direction.
    masked : bool
        Whether it holds the region's voxels alone.

    Returns
    -------
    SimpleITK image of float64
        The region's box, on the resampled grid; NaN outside the region.

    Raises
    ------
    CaseError
        If the region cannot be used, or pyradiomics fails.
    """
    with _contained() as failures:
        try:
            found = _mapped(image, mask, settings, feature, (radius, masked))
        except CaseError:
            raise
        except (
            *(ValueError, TypeError, RuntimeError, LookupError),
            *(ArithmeticError, AssertionError),
        ) as error:
            raise CaseError(f"pyradiomics cannot compute the map: {error}") from error
    if failures:
        raise CaseError(f"pyradiomics failed in the map of {feature} ({failures[0]}).")
    return found


def _mapped(
    image: sitk.Image,
    mask: sitk.Image,
    settings: ExtractionSettings,
    feature: str,
    kernel: tuple[int, bool],
) -> sitk.Image:
    setting = {**settings.setting, "label": 1}
    image, mask = _placed(image, mask, setting)
    box = checked_box(mask, setting, where=" on the resampled grid")
    if "resegmentRange" in setting:
        mask = _resegmented(image, mask, box, setting)
        box = checked_box(mask, setting, where=" within resegmentRange")
    near = Box(
        lower=np.maximum(box.lower - kernel[0], 0),
        upper=np.minimum(box.upper + kernel[0], image.GetSize()),
    )
    inner = sitk.Cast(near.cut(mask), sitk.sitkUInt32)
    wanted, family, name = feature.rsplit("_", 2)
    for image_type, own in settings.image_types.items():
        of_type = {**setting, **own}
        if wanted in image_names(image_type, of_type):
            filtered = {name: part for part, name in _filtered(image, near, image_type, of_type)}
            check_grey_levels(filtered[wanted], inner, wanted, of_type)
            found = _voxelwise(filtered[wanted], inner, (family, name), of_type, kernel)
            return box.within(near).cut(found)
    raise CaseError(f"pyradiomics gave no image {wanted!r}.")


def _voxelwise(
    filtered: sitk.Image,
    mask: sitk.Image,
    feature: tuple[str, str],
    own: Mapping[str, Any],
    kernel: tuple[int, bool],
) -> sitk.Image:
    """Run pyradiomics voxel by voxel, in batches whose matrices fit into memory."""
    from radiomics import getFeatureClasses

    grey = sitk.GetArrayViewFromImage(filtered)
    levels = own.get("binCount") or (float(grey.max()) - float(grey.min())) / own["binWidth"] + 2
    batch = int(np.clip(_MAP_MATRICES / levels**2, 1, 5000))
    kept = {**own, "voxelBased": True, "kernelRadius": kernel[0], "maskedKernel": kernel[1]}
    calculator = getFeatureClasses()[feature[0]](
        filtered, mask, **kept, initValue=np.nan, voxelBatch=batch
    )
    calculator.enableFeatureByName(feature[1])
    # the fork's own silent reporter does not take total=, with which the fork calls it
    calculator.progressReporter = lambda **_: nullcontext(_Silent())
    return calculator.execute()[feature[1]]


class _Silent:
    """A progress bar that nobody sees."""

    def update(self, n: int) -> None:
        """Take note of `n` more batches."""
