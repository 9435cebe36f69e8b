"""How little of an image is needed: the part around a region that gives the same numbers.

A filter sees a neighbourhood. Where the image is cut further from the region than the filter
reaches, the region's values cannot change; the reach is counted here, in voxels on each side. Where
the reach goes beyond the image, that axis is left whole: its border then does to the filter what it
does in the whole image.

Not cropped: Square, SquareRoot, Logarithm and Exponential, which scale by the largest value of
the whole image; LBP2D, whose interpolated neighbours, compared for ties with the centre, depend in
their last digit on the voxel's index.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

_WHOLE = frozenset({"Square", "SquareRoot", "Logarithm", "Exponential", "LBP2D"})
# B-spline coefficients are recursive: their pole, 0.268, to the 32nd power is below the last digit
_B_SPLINE_REACH = 34


@dataclass(frozen=True, eq=False, kw_only=True)
class Box:
    """A part of an image: voxels `lower` to below `upper` along x, y and z.

    Attributes
    ----------
    lower, upper : ndarray of int of shape (3,)
    """

    lower: NDArray[np.int64]
    upper: NDArray[np.int64]

    def cut(self, image: sitk.Image) -> sitk.Image:
        """Return this part of an image, in its place in space."""
        parts = zip(self.lower.tolist(), self.upper.tolist(), strict=True)
        return image[tuple(slice(lower, upper) for lower, upper in parts)]

    def within(self, other: "Box") -> "Box":
        """Return this box as it lies in what `other` cuts out."""
        return Box(lower=self.lower - other.lower, upper=self.upper - other.lower)


def region_box(mask: sitk.Image) -> Box | None:
    """Find the smallest box around the voxels of a mask that are not 0; None of an empty mask."""
    voxels = sitk.GetArrayViewFromImage(mask) != 0
    lower, upper = [], []
    for axis in (2, 1, 0):  # arrays are z, y, x
        others = tuple(other for other in (0, 1, 2) if other != axis)
        filled = np.flatnonzero(voxels.any(axis=others))
        if not filled.size:
            return None
        lower.append(filled[0])
        upper.append(filled[-1] + 1)
    return Box(lower=np.array(lower), upper=np.array(upper))


def widened(box: Box, reach: NDArray[np.int64], size: tuple[int, ...]) -> Box:
    """Widen a box by a reach on each side; an axis that the reach leaves becomes whole.

    Parameters
    ----------
    box : Box
    reach : ndarray of int of shape (3,)
        Voxels along x, y and z.
    size : tuple of int
        Of the image.

    Examples
    --------
    >>> import numpy as np
    >>> box = Box(lower=np.array([10, 10, 4]), upper=np.array([20, 20, 8]))
    >>> wide = widened(box, np.array([5, 5, 5]), (40, 24, 10))
    >>> wide.lower.tolist(), wide.upper.tolist()
    ([5, 0, 0], [25, 24, 10])
    """
    whole = np.array(size)
    inside = (box.lower - reach >= 0) & (box.upper + reach <= whole)
    return Box(
        lower=np.where(inside, box.lower - reach, 0),
        upper=np.where(inside, box.upper + reach, whole),
    )


def filter_reach(image_type: str, own: Mapping[str, Any]) -> int | None:
    """Count the voxels on each side of a region that a filter reads; None if it reads them all.

    Parameters
    ----------
    image_type : str
        One of pyradiomics' image types but LoG, whose own module crops it.
    own : mapping
        The filter's settings.

    Examples
    --------
    >>> filter_reach("Gradient", {}), filter_reach("Square", {}) is None
    (2, True)
    """
    if image_type in _WHOLE:
        return None
    if image_type == "Wavelet":
        from pywt import Wavelet

        levels: int = own.get("start_level", 0) + own.get("level", 1)
        # one more: an odd size is filled up by a voxel from the other side
        length: int = Wavelet(own.get("wavelet", "coif1")).dec_len
        return length * levels + 1
    return 2 if image_type == "Gradient" else 0


def resampling_reach(
    spacing: tuple[float, ...], setting: Mapping[str, Any]
) -> NDArray[np.int64] | None:
    """Count the voxels on each side of a region from which pyradiomics resamples.

    Only B-splines are worth it: their coefficients are computed of every voxel there is. The other
    interpolators read what they need; and cutting would shift their coordinates by a last digit,
    which, where a whole-numbered image is interpolated half-way between two voxels, rounds the
    other way.

    Parameters
    ----------
    spacing : tuple of float
        Of the image, in mm.
    setting : mapping
        With `resampledPixelSpacing`, `padDistance` and `interpolator`.

    Returns
    -------
    ndarray of int of shape (3,), or None where the whole image is to be given

    Examples
    --------
    >>> resampling_reach((1.0, 1.0, 4.0), {"resampledPixelSpacing": [2, 2, 2], "padDistance": 5,
    ...                                    "interpolator": "sitkBSpline"}).tolist()
    [46, 46, 37]
    """
    if setting["interpolator"] != "sitkBSpline":
        return None
    # pyradiomics rounds the padded box outwards by up to one new voxel
    pad = setting["padDistance"] + 1
    ratios = [
        (wanted or own) / own
        for wanted, own in zip(setting["resampledPixelSpacing"], spacing, strict=True)
    ]
    return np.array([ceil(pad * ratio) + _B_SPLINE_REACH for ratio in ratios])
