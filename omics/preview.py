"""Was the region drawn where the tumour is? One slice of a case, small enough to look through many.

The slice is the one that holds most of the regions together, in the plane in which the image was
acquired, turned so that anterior (or superior) is up and the patient's left is at the right, with
the true ratio of its sides. Grey runs from the slice's 1st to its 99th percentile.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omics.extras import needed
from omics.messages import number_of

WIDEST = 192  # pixels
WINDOW = (1, 99)  # percentiles of the slice: a single bright vessel does not darken the rest


@dataclass(frozen=True, eq=False, kw_only=True)
class Preview:
    """A slice of an image, and the regions on it.

    Attributes
    ----------
    grey : ndarray of uint8, of shape (height, width)
        At most 192 pixels wide.
    mask : ndarray of uint8, of shape (height, width)
        0 outside, else the number of a region, from 1; where regions overlap the smallest one.
    regions : tuple of str
        The names of regions 1, 2, ...
    slice : int
        Which slice of the image as stored, counted from 1.
    """

    grey: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    regions: tuple[str, ...]
    slice: int

    def __repr__(self) -> str:
        height, width = self.grey.shape
        regions = number_of(len(self.regions), "region")
        return f"Preview(slice {self.slice}, {width} x {height} pixels, {regions})"


def preview(image: Any, masks: Mapping[str, Any]) -> Preview:
    """Show the slice of an image that holds most of its regions.

    Parameters
    ----------
    image : SimpleITK.Image
        Three-dimensional, of numbers.
    masks : mapping of region to SimpleITK.Image
        0 and 1, in the geometry of `image`; at least one, none of them empty.

    Returns
    -------
    Preview

    Examples
    --------
    >>> import SimpleITK as sitk
    >>> voxels = np.zeros((3, 4, 4), dtype=np.uint8)
    >>> voxels[2, 1:3, 1:3] = 1
    >>> mask = sitk.GetImageFromArray(voxels)
    >>> seen = preview(mask, {"1": mask})
    >>> seen
    Preview(slice 3, 4 x 4 pixels, 1 region)
    >>> seen.mask.sum(), seen.grey.max()
    (np.uint64(4), np.uint8(255))
    """
    sitk = needed("SimpleITK")
    arrays = {name: sitk.GetArrayViewFromImage(mask) for name, mask in masks.items()}
    place = _fullest_slice(list(arrays.values()))
    grey = _window(sitk.GetArrayViewFromImage(image)[place].astype(np.float64))
    numbers = _numbered([array[place] for array in arrays.values()], _sizes(arrays))
    flips = _flips(np.reshape(image.GetDirection(), (3, 3)))
    height, width = _pixels(grey.shape, image.GetSpacing())
    shrunk = _area_weights(grey.shape[0], height) @ grey @ _area_weights(grey.shape[1], width).T
    nearest = np.ix_(_nearest(grey.shape[0], height), _nearest(grey.shape[1], width))
    return Preview(
        grey=np.ascontiguousarray(np.rint(shrunk).astype(np.uint8)[flips]),
        mask=np.ascontiguousarray(numbers[nearest][flips]),
        regions=tuple(masks),
        slice=place + 1,
    )


def _fullest_slice(arrays: list[NDArray[Any]]) -> int:
    """Find the slice with most of the union; of several the one with most of every region."""
    union = np.logical_or.reduce([array > 0 for array in arrays]).sum(axis=(1, 2))
    each = np.sum([np.count_nonzero(array, axis=(1, 2)) for array in arrays], axis=0)
    return int(np.lexsort((each, union))[-1])


def _window(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stretch grey levels over 0 to 255."""
    lower, upper = np.percentile(grey, WINDOW)
    if upper == lower:  # hardly anything but background
        lower, upper = grey.min(), max(grey.max(), grey.min() + 1)
    return np.asarray(np.clip((grey - lower) / (upper - lower), 0, 1) * 255, dtype=np.float64)


def _sizes(arrays: Mapping[str, NDArray[Any]]) -> list[int]:
    return [int(np.count_nonzero(array)) for array in arrays.values()]


def _numbered(slices: list[NDArray[Any]], sizes: list[int]) -> NDArray[np.uint8]:
    """Paint the regions by their numbers, the largest first, so that none hides a smaller one."""
    numbers = np.zeros(slices[0].shape, dtype=np.uint8)
    for region in np.argsort(sizes, kind="stable")[::-1]:
        numbers[slices[region] > 0] = region + 1
    return numbers


def _flips(direction: NDArray[np.float64]) -> tuple[slice, slice]:
    """Say how rows and columns run to be shown: left to the right, posterior or inferior down."""
    turned = []
    for axis in (1, 0):  # rows run along y, columns along x
        towards = int(np.abs(direction[:, axis]).argmax())  # 0 left, 1 posterior, 2 superior
        forward = direction[towards, axis] > 0
        turned.append(slice(None, None, 1 if forward == (towards < 2) else -1))
    return turned[0], turned[1]


def _pixels(shape: tuple[int, ...], spacing: tuple[float, float, float]) -> tuple[int, int]:
    """Give the height and width at which a pixel is as high as it is wide."""
    height, width = shape[0] * spacing[1], shape[1] * spacing[0]  # mm
    pixel = max(min(spacing[:2]), width / WIDEST)
    return max(round(height / pixel), 1), max(round(width / pixel), 1)


def _area_weights(old: int, new: int) -> NDArray[np.float64]:
    """Return the share of each old pixel in each new one, of shape (new, old)."""
    ratio = old / new
    start = ratio * np.arange(new)[:, np.newaxis]
    first = np.arange(old)
    overlap = np.minimum(start + ratio, first + 1) - np.maximum(start, first)
    return np.asarray(np.clip(overlap, 0, None) / ratio, dtype=np.float64)


def _nearest(old: int, new: int) -> NDArray[np.intp]:
    return ((np.arange(new) + 0.5) * old / new).astype(np.intp)
