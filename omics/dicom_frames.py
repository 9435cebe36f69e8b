"""The voxels of enhanced (multi-frame) DICOM files, each frame rescaled by its own slope.

Considered and rejected: SimpleITK (GDCM), because it rescales all frames as it does the first; and
highdicom's volumes, because they take real-world values where a file has them, and classic series
of the same scan do not.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omics.dicom_headers import Slice
from omics.errors import CaseError
from omics.extras import needed
from omics.native import damaged

if TYPE_CHECKING:
    import SimpleITK as sitk

_CURE = (
    "Write it without compression, for example by gdcmconv --raw or dcmdjpeg, or convert it to "
    "NIfTI by dcm2niix."
)


def decode_frames(slices: Sequence[Slice], *, what: str) -> "sitk.Image":
    """Read the voxels of frames, as 64-bit floats where any is rescaled.

    Parameters
    ----------
    slices : sequence of Slice
        In the order in which they are stacked, of one file or several.
    what : str
        How messages name the scan.

    Returns
    -------
    SimpleITK.Image
        Without its place in space.

    Raises
    ------
    CaseError
        If a file is damaged, or compressed in a way that no decoder is there for.
    """
    stored = {path: _stored(path, what=what) for path in {one.path for one in slices}}
    scaled = any(one.scale != (1.0, 0.0) for one in slices)
    stack = []
    for one in slices:
        slope, intercept = one.scale
        values = stored[one.path][one.number or 0]
        stack.append(values.astype(np.float64) * slope + intercept if scaled else values)
    return needed("SimpleITK").GetImageFromArray(np.stack(stack))


def _stored(path: Path, *, what: str) -> NDArray[Any]:
    """Return the numbers of a file as they are stored, of shape (n_frames, n_rows, n_columns)."""
    with damaged(what):
        dataset = needed("pydicom").dcmread(path)
        _check_codec(dataset.file_meta.TransferSyntaxUID, what=what)
        values: NDArray[Any] = np.asarray(dataset.pixel_array)
    return values.reshape(-1, *values.shape[-2:])


def _check_codec(syntax: Any, *, what: str) -> None:
    """Refuse a compression that nothing here can undo, which is no damage of the file."""
    if not syntax.is_compressed or syntax.is_deflated:
        return
    try:
        there = needed("pydicom.pixels").get_decoder(syntax).is_available
    except NotImplementedError:
        there = False
    if not there:
        raise CaseError(
            f"{what} must be compressed in a way that can be undone here, but is in "
            f"{syntax.name}. {_CURE}"
        )


def with_compression(error: CaseError, path: Path, *, what: str) -> CaseError:
    """Say of a slice that cannot be decoded how it is compressed, if it is.

    Parameters
    ----------
    error : CaseError
        What was said of it.
    path : Path
        Of the slice.
    what : str
        How messages name the scan.
    """
    syntax = needed("pydicom").dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
    if not syntax.is_compressed or syntax.is_deflated:
        return error
    return CaseError(
        f"{what} must be whole and compressed in a way that can be undone here, but its slices, in "
        f"{syntax.name}, cannot be decoded. {_CURE}"
    )
