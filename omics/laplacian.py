r"""The Laplacian of a Gaussian around one region, to the last bit that of the whole image.

.. math::

    \sigma^2 \nabla^2 (G_\sigma * I) = \sigma^2 \sum_d \partial_d^2 (G_\sigma * I)

ITK computes each term by recursive filters along one axis after the other. Each filter works line
by line, so that after the filter along an axis only the region's own part of that axis is needed:
the first filter of a term sees the image, the second and third ever less. Nine passes over the
image become three; and the image is cut where the filter's tail has fallen below the last digit.

References
----------
Deriche R. Recursively implementing the Gaussian and its derivatives. INRIA RR-1893, 1993.
"""

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from omics.cropping import Box, widened

_TAIL = 24  # sigmas: the slowest pole, about exp(-1.24 / sigma) a voxel, has fallen to 1e-13
_FEWEST = 4  # voxels along an axis that the recursion begins with


def laplacian_of_gaussian(image: sitk.Image, box: Box, *, sigma: float) -> sitk.Image:
    """Filter the part of an image within `box`.

    Parameters
    ----------
    image : SimpleITK image of three dimensions
    box : Box
        The part that is wanted.
    sigma : float
        Width of the Gaussian in mm, above 0.

    Returns
    -------
    SimpleITK image of float32
        In the place of the box; normalised across scale, as pyradiomics has it.
    """
    spacing = np.array(image.GetSpacing())
    tail = np.ceil(_TAIL * sigma / spacing).astype(np.int64)
    near = widened(box, np.maximum(tail, _FEWEST), image.GetSize())
    part, inner = near.cut(image), box.within(near)
    total = np.zeros((inner.upper - inner.lower)[::-1], dtype=np.float32)
    for axis in range(3):
        term = _term(part, inner, axis, sigma)
        # as ITK: each weighted term in double precision, their sum in single
        weight = 1.0 / (spacing[axis] * spacing[axis])
        total = (total + term.astype(np.float64) * weight).astype(np.float32)
    result = sitk.GetImageFromArray(total)
    result.CopyInformation(box.cut(image))
    return result


def _term(part: sitk.Image, inner: Box, axis: int, sigma: float) -> NDArray[np.float32]:
    """Differentiate twice along one axis, then smooth along the others in order."""
    for direction in (axis, *(other for other in range(3) if other != axis)):
        order = sitk.RecursiveGaussianImageFilter.SecondOrder if direction == axis else 0
        part = sitk.RecursiveGaussian(part, sigma, True, order, direction)
        part = sitk.Cast(part, sitk.sitkFloat32)  # ITK keeps each pass in single precision
        keep = [slice(None)] * 3
        keep[direction] = slice(int(inner.lower[direction]), int(inner.upper[direction]))
        part = part[tuple(keep)]
    array: NDArray[np.float32] = sitk.GetArrayFromImage(part)
    return array
