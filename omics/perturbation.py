"""How far features would move had the lesion been drawn, or the image taken, a little differently.

Where there is no second reader, masks are perturbed at random: shifted, grown or shrunk, their
contour moved by a smooth random field; and noise of the image's own size is added to it. Features
of `n` such copies are extracted and treated as readings, by ICC(1): each patient has copies of its
own (`omics.reliability`). It tells of small changes only, not of readers who disagree on what the
lesion is.

References
----------
Zwanenburg A, Leger S, Agolli L, et al. Assessing robustness of radiomic features by image
perturbation. Scientific Reports 2019;9:614. doi:10.1038/s41598-018-36938-4
Immerkaer J. Fast noise variance estimation. Computer Vision and Image Understanding
1996;64:300-302. doi:10.1006/cviu.1996.0060
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve, distance_transform_edt, gaussian_filter, shift

from omics.checks import as_floats, check_amount, check_whole, is_number
from omics.errors import CaseError
from omics.extras import needed
from omics.geometry import checked_spacing, grid_text, same_grid
from omics.image_checks import check_image, region_of

if TYPE_CHECKING:
    import SimpleITK as sitk

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]
_LAPLACIAN = np.outer([1.0, -2.0, 1.0], [1.0, -2.0, 1.0])  # blind to planes and edges along axes


@dataclass(frozen=True, kw_only=True)
class PerturbationSettings:
    """How much is changed; 0 leaves a change out.

    Attributes
    ----------
    shift : float
        mm by which the mask is moved, in a random direction, to the nearest voxels.
    grow : pair of float
        mm, drawn evenly between the two, by which the mask grows (above 0) or shrinks (below 0).
        Less than a voxel's size changes nothing.
    contour : float
        Standard deviation, in mm, of the random field that moves the contour; likewise.
    smoothness : float
        mm over which that field is alike (standard deviation of the Gaussian that smooths it).
    noise : float
        Standard deviation of the noise added to the image, in units of the noise it has.
    """

    shift: float = 0.0
    grow: tuple[float, float] = (0.0, 0.0)
    contour: float = 0.0
    smoothness: float = 5.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        for name in ("shift", "contour", "smoothness"):
            check_amount(getattr(self, name), name, "mm")
        check_amount(self.noise, "noise", "times the image's own noise")
        if not self.smoothness:
            raise ValueError(f"smoothness must be above 0 mm, but is {self.smoothness}.")
        pair = isinstance(self.grow, tuple) and len(self.grow) == 2
        if not pair or not all(map(is_number, self.grow)):
            raise ValueError(f"grow must be two numbers of mm, such as (-1, 1), not {self.grow!r}.")
        low, high = self.grow
        if not -np.inf < low <= high < np.inf:
            raise ValueError(f"grow must rise from one to the other, but {self.grow} came.")


def perturbations(
    mask: "sitk.Image",
    image: "sitk.Image",
    *,
    n: int,
    seed: int,
    settings: PerturbationSettings,
) -> "list[tuple[sitk.Image, sitk.Image]]":
    """Give `n` perturbed copies of a mask and its image.

    Parameters
    ----------
    mask : SimpleITK image of 0 and 1
    image : SimpleITK image on the same grid
    n : int
    seed : int
        The copies depend on it and on their number only: the first ten of twenty are those of ten.
    settings : PerturbationSettings

    Returns
    -------
    list of (mask, image)
        On the grid of the originals; the image itself where no noise is asked for. A mask is empty
        where a copy shrinks to nothing, as small lesions may.

    Raises
    ------
    CaseError
        If the mask is empty, the image lies on another grid, or is not finite and noise is asked
        for.
    TypeError, ValueError
        If an argument is of another kind.
    """
    sitk = needed("SimpleITK")
    array = region_of(mask)
    check_image(image, "image")
    if not same_grid(mask, image):
        raise CaseError(
            f"image must lie on the grid of the mask, but the mask has {grid_text(mask)}, the "
            f"image {grid_text(image)}. Resample one of them."
        )
    spacing = mask.GetSpacing()[::-1]
    masks = perturbed_masks(array, spacing=spacing, n=n, seed=seed, settings=settings)
    images = [image] * n
    if settings.noise:
        grey = sitk.GetArrayFromImage(image).astype(np.float64)
        if not np.isfinite(grey).all():
            raise CaseError(
                f"image must be finite to be given noise, but {int((~np.isfinite(grey)).sum())} of "
                f"{grey.size} voxels are not. Correct the image."
            )
        sd = settings.noise * noise_of(grey, array)
        images = [
            _like(image, grey + sd * _rng(seed, i, 1).normal(size=grey.shape)) for i in range(n)
        ]
    return [
        (_like(mask, one.astype(np.uint8)), grey) for one, grey in zip(masks, images, strict=True)
    ]


def _like(original: "sitk.Image", array: NDArray[Any]) -> "sitk.Image":
    made: sitk.Image = needed("SimpleITK").GetImageFromArray(array)
    made.CopyInformation(original)
    return made


def _rng(seed: int, number: int, what: int) -> np.random.Generator:
    return np.random.default_rng([seed, number, what])


def perturbed_masks(
    mask: Mask, *, spacing: Sequence[float], n: int, seed: int, settings: PerturbationSettings
) -> list[Mask]:
    """Give `n` perturbed copies of a mask.

    Parameters
    ----------
    mask : ndarray of bool
    spacing : sequence of float
        Size of a voxel along each axis, in mm.
    n, seed, settings
        As for `perturbations`.

    Returns
    -------
    list of ndarray of bool, each of the shape of `mask`
        Empty where a copy shrinks to nothing, as small lesions may.

    Raises
    ------
    CaseError
        If the mask is empty.

    Examples
    --------
    >>> rod = np.zeros((1, 9), dtype=bool)
    >>> rod[0, 3:6] = True
    >>> grown = PerturbationSettings(grow=(1.0, 1.0))
    >>> perturbed_masks(rod, spacing=(5, 1), n=1, seed=0, settings=grown)[0].astype(int)
    array([[0, 0, 1, 1, 1, 1, 1, 0, 0]])
    """
    if not isinstance(settings, PerturbationSettings):
        raise TypeError(f"settings must be PerturbationSettings, but {settings!r} came.")
    check_whole(n, "n", least=1)
    check_whole(seed, "seed")
    mask = np.asarray(mask)
    if mask.dtype != np.bool_:
        raise TypeError(f"mask must be an array of bool, but is of {mask.dtype}. Write mask != 0.")
    if not mask.any():
        raise CaseError("the mask is empty: there is nothing to perturb.")
    sizes = checked_spacing(spacing, mask.ndim)
    near, box = _surroundings(mask, sizes, settings)
    result = []
    for number in range(n):
        changed = _perturbed(near, sizes, settings, _rng(seed, number, 0))
        copy = np.zeros_like(mask)
        copy[box[0]] = changed[box[1]]
        result.append(copy)
    return result


def noise_of(image: Floats, mask: Mask) -> float:
    """Estimate the standard deviation of an image's noise, in its box around the mask.

    Immerkaer's estimate over the slices (the last two axes), to which texture adds; 0 for a mask
    on the border of the image alone.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(100, 7, size=(8, 40, 40))
    >>> round(noise_of(noise, np.ones(noise.shape, dtype=bool)), 1)
    7.0
    """
    image, mask = as_floats(image, "image"), np.asarray(mask, dtype=np.bool_)
    kernel = _LAPLACIAN if image.ndim == 2 else _LAPLACIAN[np.newaxis]
    if image.shape != mask.shape:
        raise ValueError(
            f"image and mask must lie on one grid, but their shapes are {image.shape} and "
            f"{mask.shape}."
        )
    second = np.abs(convolve(image, kernel))
    inner = (..., slice(1, -1), slice(1, -1))  # at the border the kernel lacks neighbours
    places = np.nonzero(mask[inner])
    if not len(places[0]):
        return 0.0
    box = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in places)
    return float(np.sqrt(np.pi / 2) * second[inner][box].mean() / 6)


def _surroundings(
    mask: Mask, sizes: Floats, settings: PerturbationSettings
) -> tuple[Mask, tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Cut out all that a perturbed mask can reach, beyond the image too, and where it lies there.

    Five standard deviations of the field are hardly ever met.
    """
    reach = settings.shift + max(settings.grow[1], 0.0) + 5 * settings.contour
    margins = np.ceil(reach / sizes).astype(int) + 1
    places = np.nonzero(mask)
    tight = [(int(axis.min()), int(axis.max()) + 1) for axis in places]
    near = np.pad(mask[tuple(slice(*ends) for ends in tight)], [(int(m), int(m)) for m in margins])
    there, here = [], []
    for (low, _), margin, size, length in zip(tight, margins, near.shape, mask.shape, strict=True):
        start = low - int(margin)
        first, last = max(start, 0), min(start + size, length)
        there.append(slice(first, last))
        here.append(slice(first - start, last - start))
    return near, (tuple(there), tuple(here))


def _perturbed(
    mask: Mask, sizes: Floats, settings: PerturbationSettings, rng: np.random.Generator
) -> Mask:
    direction = rng.normal(size=mask.ndim)
    move = rng.uniform(*settings.grow)
    field = rng.normal(size=mask.shape) if settings.contour else np.zeros(mask.shape)
    if settings.shift:
        step = settings.shift * direction / np.linalg.norm(direction) / sizes
        mask = shift(mask.astype(np.float64), step, order=1) >= 0.5
    if settings.contour:
        field = gaussian_filter(field, settings.smoothness / sizes, mode="wrap")
        field = settings.contour * (field - field.mean()) / field.std()
    if not mask.any() or not (settings.contour or move):
        return mask
    outwards = field + move
    outside = distance_transform_edt(~mask, sampling=sizes)
    inside = distance_transform_edt(mask, sampling=sizes)  # beyond the image is outside, too
    grown: Mask = np.where(mask, inside > -outwards, outside <= outwards)
    return grown
