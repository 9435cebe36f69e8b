"""The voxels of one scan, whole and finite, or the reason why they cannot be used.

NIfTI, NRRD and MetaImage files and folders with one DICOM series are read by SimpleITK. What it
lets pass is refused here: of NIfTI it fills files that were cut short with zeros, puts zeros in the
place of voxels that are no finite numbers, takes one of two spacings, and says nothing.

Messages name no file and no patient: they may stand in a report.
"""

import gzip
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omics.dicom_series import read_series
from omics.errors import CaseError
from omics.extras import needed
from omics.messages import MAY_NOT_BE_READ
from omics.native import native_errors, sheared, unreadable

if TYPE_CHECKING:
    import SimpleITK as sitk

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
_FEW = 8  # different values: a mask's
_EVERY = 101  # voxels: one is looked at
_HEADERS = (".nhdr", ".mhd")  # the voxels lie in other files
_COUNTER = re.compile(r"%\d*d")
_LONGEST = 255  # characters of a file's name
_SAME_LENGTH = 1e-3  # relative: NIfTI keeps single precision, programs round
_RIGHT_ANGLES = 1e-4  # the determinant of axes of length 1
_FLOATS = {"16": "f4", "64": "f8"}  # by the datatype of NIfTI


def read_image(path: Path) -> "sitk.Image":
    """Read a scan.

    Parameters
    ----------
    path : Path
        A NIfTI, NRRD or MetaImage file, or a folder with one DICOM series.

    Returns
    -------
    SimpleITK.Image
        Three-dimensional, one finite number per voxel, of the type that the file has. A DICOM
        series carries its patient id and frame of reference as metadata (`0010|0020`,
        `0020|0052`), for masks to be compared with.

    Raises
    ------
    CaseError
        If the file is missing, of another kind, damaged or cut short; if it holds several volumes
        or colours, voxels that are no finite number, one value only, or a mask; if a series lacks
        slices.
    """
    image = read_volume(path, what="image")
    values = needed("SimpleITK").GetArrayViewFromImage(image)
    if np.issubdtype(values.dtype, np.floating):
        _refuse_non_finite(values, what="image")
    least, most = values.min(), values.max()
    if least == most:
        raise CaseError(
            f"image must hold different values, but every voxel is {least:g}. Export it again."
        )
    _refuse_labels(values)
    return image


def _refuse_labels(values: NDArray[Any]) -> None:
    """Refuse a mask: background, and a few whole numbers above it."""
    sample = values.ravel()[::_EVERY]
    if values.min() != 0 or len(np.unique(sample)) > _FEW:  # tells of most scans, and fast
        return
    present = np.unique(values)
    if len(present) <= _FEW and (present == np.round(present)).all():
        listed = ", ".join(f"{value:g}" for value in present[:-1])
        raise CaseError(
            f"image must be a scan, but it holds {listed} and {present[-1]:g} only: it looks like "
            "a mask. Correct the columns image and mask of the manifest."
        )


def read_volume(path: Path, *, what: str) -> "sitk.Image":
    """Read a file or a DICOM series as one volume of one number per voxel.

    Parameters
    ----------
    path : Path
    what : str
        How messages name it: `image` or `mask`.

    Returns
    -------
    SimpleITK.Image
        Three-dimensional; the numbers are not looked at.

    Raises
    ------
    CaseError
        As of `read_image`, its voxels aside.
    """
    check_readable(path, what=what)
    if path.is_dir():
        return read_series(path, what=what)
    if not path.is_file():
        raise CaseError(f"{what} must be a file or folder, but there is none of that name.")
    if not path.name.casefold().endswith(SUFFIXES):
        raise CaseError(
            f"{what} must end in one of {', '.join(SUFFIXES)} or be the folder of a DICOM series, "
            f"but ends in {path.suffix!r}. Correct the manifest, or convert the file."
        )
    with native_errors(path, what=what):
        reader = needed("SimpleITK").ImageFileReader()
        reader.SetFileName(str(path))
        reader.ReadImageInformation()
        _check_header(reader, what=what)
        if path.name.casefold().endswith((".nii", ".nii.gz")):
            _check_spacing(reader, what=what)
            _check_bytes(path, reader, what=what)
        image = reader.Execute()
        _check_angles(image, what=what)
    return _without_single_axes(image)


def check_readable(path: Path, *, what: str) -> None:
    """Raise if a file may not be read, or one that is read with it: it would pass for damaged.

    Parameters
    ----------
    path : Path
        A file, or a folder.
    what : str
        How messages name it.

    Raises
    ------
    CaseError
    """
    try:
        for part in files_of(path):
            part.open("rb").close()
    except PermissionError as error:
        raise CaseError(f"{what} {MAY_NOT_BE_READ}") from error
    except OSError:
        return  # told by whoever reads it


def files_of(path: Path) -> list[Path]:
    """List every file whose bytes are read with this one, or of a folder.

    Headers of MetaImage (`.mhd`) and NRRD (`.nhdr`) name the files that hold the voxels: one, a
    list, or a pattern such as `slice%03d.raw`. Whatever shares the header's stem counts as well.

    Parameters
    ----------
    path : Path
        A file, or a folder.

    Returns
    -------
    list of Path
        In a fixed order, the file itself first.
    """
    if path.is_dir():
        return sorted(part for part in path.iterdir() if part.is_file())
    if path.suffix.casefold() not in _HEADERS:
        return [path]
    named = {part for part in path.parent.iterdir() if part.stem == path.stem}
    for line in path.read_bytes().decode("latin-1").splitlines():
        named |= _named_in(line, path.parent)
    return [path, *sorted(part for part in named - {path} if part.is_file())]


def _named_in(line: str, folder: Path) -> set[Path]:
    """Return the files that a line of a header may name."""
    value = re.split(r"[=:]", line, maxsplit=1)[-1].strip()
    first = value.split(" ", maxsplit=1)[0]
    if _COUNTER.search(first):
        directory, _, pattern = first.rpartition("/")
        return set((folder / directory).glob(_COUNTER.sub("*", pattern)))
    if not value or len(value) > _LONGEST:
        return set()
    return {folder / line.strip(), folder / value}


def _check_header(reader: "sitk.ImageFileReader", *, what: str) -> None:
    """Refuse several volumes, colours and complex numbers before the voxels are read."""
    size = reader.GetSize()
    if len(size) < 3:
        raise CaseError(f"{what} must have three dimensions, but has {len(size)}.")
    if any(extent > 1 for extent in size[3:]):
        raise CaseError(
            f"{what} must be one volume, but holds {np.prod(size[3:])} of them (size "
            f"{' x '.join(map(str, size))}). Take one out of the series of volumes."
        )
    if reader.GetNumberOfComponents() > 1:
        kind = needed("SimpleITK").GetPixelIDValueAsString(reader.GetPixelID())
        raise CaseError(
            f"{what} must hold one number per voxel, but holds {reader.GetNumberOfComponents()} "
            f"({kind}): colours, vectors or complex numbers. Export the grey values."
        )


def _check_angles(image: "sitk.Image", *, what: str) -> None:
    """Refuse axes that are not at right angles, which ITK lets pass in NRRD and MetaImage."""
    n = image.GetDimension()
    axes = np.array(image.GetDirection()).reshape(n, n)
    if not abs(abs(np.linalg.det(axes)) - 1) <= _RIGHT_ANGLES:  # NaN is wrong as well
        raise sheared(what, "its axes")


def _check_spacing(reader: "sitk.ImageFileReader", *, what: str) -> None:
    """Refuse a NIfTI header whose sform says other lengths than its spacing, which ITK takes."""
    if reader.GetMetaData("sform_code") == "0":
        return
    rows = [reader.GetMetaData(f"srow_{axis}").split()[:3] for axis in "xyz"]
    lengths = np.linalg.norm(np.array(rows, dtype=np.float64), axis=0)
    spacing = np.array(reader.GetSpacing()[:3])
    if not np.allclose(lengths, spacing, rtol=_SAME_LENGTH):
        raise CaseError(
            f"{what} must have one spacing, but its header says {_millimetres(spacing)} and, by "
            f"its sform, {_millimetres(lengths)}. Correct the header."
        )


def _millimetres(lengths: NDArray[np.float64]) -> str:
    return " x ".join(f"{length:.6g}" for length in lengths) + " mm"


def _check_bytes(path: Path, reader: "sitk.ImageFileReader", *, what: str) -> None:
    """Refuse a NIfTI file with fewer bytes than its header announces, or non-finite floats."""
    content = _unpacked(path, what=what)
    start = int(float(reader.GetMetaData("vox_offset")))
    n_voxels = int(np.prod(reader.GetSize()))
    wanted = start + n_voxels * int(reader.GetMetaData("bitpix")) // 8
    if len(content) < wanted:
        raise unreadable(what, f"{len(content)} of {wanted} bytes are there")
    kind = _FLOATS.get(reader.GetMetaData("datatype"))
    if kind is not None:
        order = "<" if int.from_bytes(content[:4], "little") < 1 << 16 else ">"
        voxels = np.frombuffer(content, dtype=order + kind, offset=start, count=n_voxels)
        _refuse_non_finite(voxels.reshape(reader.GetSize()[2::-1]), what=what)


def _unpacked(path: Path, *, what: str) -> bytes:
    if not path.name.casefold().endswith(".gz"):
        return path.read_bytes()
    try:
        return gzip.decompress(path.read_bytes())
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise unreadable(what, str(error).rstrip(".")) from error


def _without_single_axes(image: "sitk.Image") -> "sitk.Image":
    """Drop the fourth and further dimensions, of extent 1."""
    while image.GetDimension() > 3:
        image = image[(slice(None),) * (image.GetDimension() - 1) + (0,)]
    return image


def _refuse_non_finite(values: NDArray[np.floating], *, what: str) -> None:
    wrong = ~np.isfinite(values)
    if wrong.any():
        z, y, x = np.unravel_index(int(wrong.argmax()), wrong.shape)
        raise CaseError(
            f"{what} must hold finite numbers, but {wrong.sum()} of {wrong.size} voxels do not "
            f"(first: {values[z, y, x]} at voxel ({x}, {y}, {z})). Correct the step that made it, "
            "such as a division by zero outside the brain."
        )
