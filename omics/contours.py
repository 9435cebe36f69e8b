r"""Closed contours in mm become voxels: those whose centre an odd number of contours encloses.

A centre :math:`(x, y)` of a slice lies inside when the ray from it towards smaller :math:`x`
crosses the edges of all contours of the slice an odd number of times, so that a contour within
another is a hole. An edge from :math:`(x_0, y_0)` to :math:`(x_1, y_1)` is crossed at every row
with :math:`\min(y_0, y_1) \le y < \max(y_0, y_1)`: contours that touch share no voxel and leave
none out. A centre on a contour belongs to what lies on the side of larger x and y.

Considered and rejected: filling slice by slice by scikit-image, because it treats centres on edges
unlike; here all contours of all slices are counted at once.

References
----------
DICOM PS3.3, section C.8.8.6 (ROI Contour Module).
Foley JD, et al. Computer Graphics: Principles and Practice. Addison-Wesley 1996, section 3.5.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omics.errors import CaseError
from omics.messages import number_of
from omics.one_grid import indices, lies_outside

if TYPE_CHECKING:
    import SimpleITK as sitk

_OFF_SLICE = 0.1  # of the distance between slices: places are written with few decimals
_DECIMALS = 6  # of a voxel: takes away the noise of turning mm into voxels


def filled(contours: Sequence[NDArray[np.float64]], image: "sitk.Image") -> NDArray[np.bool_]:
    """Return the voxels that contours enclose.

    Parameters
    ----------
    contours : sequence of ndarray of shape (n_points, 3)
        Closed polygons in mm (x, y, z of the patient), each in the plane of one slice.
    image : SimpleITK.Image
        Whose grid is filled.

    Returns
    -------
    ndarray of bool, of shape (n_slices, n_rows, n_columns)

    Raises
    ------
    CaseError
        If a contour lies in no slice of the image, only every second or further slice has one, or
        a voxel that is enclosed would lie beside the image.
    """
    matrix, origin = indices(image)
    points = [
        np.asarray(np.linalg.solve(matrix, (places - origin).T).T, dtype=np.float64)
        for places in contours
    ]
    slices = _slices(points, n_slices=image.GetSize()[2])
    n_columns, n_rows, n_slices = image.GetSize()
    size = np.array((n_columns, n_rows))
    corners = np.concatenate(points)[:, :2]
    before = np.ceil(np.maximum(0, -corners.min(axis=0)))
    after = np.ceil(np.maximum(0, corners.max(axis=0) - (size - 1)))
    if (np.maximum(before, after) > size).any():
        raise CaseError(
            "contours must lie inside the image, but reach further beyond it than it is wide. They "
            "were drawn on another image: correct the manifest."
        )
    left, top = before.astype(int).tolist()
    columns, rows = (before + size + after).astype(int).tolist()
    shifted = [polygon[:, :2] + before for polygon in points]
    wide = _filled(shifted, slices, shape=(n_slices, rows, columns))
    region = wide[:, top : top + n_rows, left : left + n_columns]
    total, kept = int(np.count_nonzero(wide)), int(np.count_nonzero(region))
    if kept < total:
        raise lies_outside(total - kept, total)
    return region


def _filled(
    polygons: Sequence[NDArray[np.float64]], slices: Sequence[int], *, shape: tuple[int, int, int]
) -> NDArray[np.bool_]:
    n_slices, n_rows, n_columns = shape
    crossed = np.zeros((n_slices, n_rows, n_columns + 1), dtype=np.uint8)
    for polygon, at in zip(polygons, slices, strict=True):
        rows, places = _crossings(np.round(polygon, _DECIMALS), n_rows=n_rows)
        first_inside = np.clip(np.ceil(places), 0, n_columns).astype(np.intp)
        np.bitwise_xor.at(crossed[at], (rows, first_inside), 1)
    return np.bitwise_xor.accumulate(crossed[:, :, :-1], axis=2).astype(np.bool_)


def _crossings(
    polygon: NDArray[np.float64], *, n_rows: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the row and place of every crossing of a row of centres with an edge."""
    start, end = polygon, np.roll(polygon, -1, axis=0)
    upwards = start[:, 1] > end[:, 1]
    low, high = np.where(upwards[:, None], end, start), np.where(upwards[:, None], start, end)
    first = np.clip(np.ceil(low[:, 1]), 0, n_rows).astype(np.intp)
    beyond = np.clip(np.ceil(high[:, 1]), 0, n_rows).astype(np.intp)
    counts = beyond - first
    edge = np.repeat(np.arange(len(polygon)), counts)
    rows = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    slope = (high[edge, 0] - low[edge, 0]) / (high[edge, 1] - low[edge, 1])
    return rows, low[edge, 0] + (rows - low[edge, 1]) * slope


def _slices(points: Sequence[NDArray[np.float64]], *, n_slices: int) -> list[int]:
    """Return the slice of each contour, in its own plane and in the image."""
    slices = [int(np.round(polygon[:, 2].mean())) for polygon in points]
    off = [
        float(np.abs(polygon[:, 2] - at).max()) for polygon, at in zip(points, slices, strict=True)
    ]
    wrong = sum(distance > _OFF_SLICE for distance in off)
    if wrong:
        raise CaseError(
            f"contours must lie in slices of the image, but {wrong} of {len(points)} lie up to "
            f"{max(off):.3g} slices beside or across them. They were drawn on another series: "
            "correct the manifest, or export the region as a mask on this image."
        )
    outside = sum(not 0 <= at < n_slices for at in slices)
    if outside:
        raise CaseError(
            f"contours must lie in slices of the image, but {outside} of {len(points)} lie above "
            f"or below its {number_of(n_slices, 'slice')}. Correct the manifest."
        )
    apart = np.diff(np.unique(slices))
    if len(apart) and apart.min() > 1:
        raise CaseError(
            f"contours must stand on neighbouring slices, but the nearest two are "
            f"{apart.min()} slices apart. Let the program that drew them fill the slices between."
        )
    return slices
