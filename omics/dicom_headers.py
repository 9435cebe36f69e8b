"""What the headers of the DICOM files of a folder say, before any voxel is read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omics.errors import CaseError
from omics.extras import needed
from omics.native import damaged

_STORED = ("BitsAllocated", "BitsStored", "PixelRepresentation")
_TAGS = [
    "SOPClassUID",
    "PatientID",
    "SeriesInstanceUID",
    "SeriesDescription",
    "FrameOfReferenceUID",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "PixelSpacing",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "RescaleSlope",
    "RescaleIntercept",
    *_STORED,
]
_SHARED, _PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_GROUPS = {  # of an enhanced file, where a frame says what the header of a slice does
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PixelMeasuresSequence": ("PixelSpacing",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
    "FrameContentSequence": ("StackID",),
}
_SUFFIXES = (".dcm", ".dicom", ".ima")


@dataclass(frozen=True, eq=False, kw_only=True)
class Slice:
    """What is said of one slice: by the header of its file, or in an enhanced file of its frame.

    Attributes
    ----------
    path : Path
    patient, series, description, frame : str
        Patient id, series, its description, frame of reference; empty where not stated.
    number : int or None
        Of the frame in an enhanced (multi-frame) file, from 0; None in a file of one slice.
    stack : str
        Which of several stacks of frames it is of; empty where not stated.
    photometric : str
        What its numbers mean: `MONOCHROME2` for grey values; empty where not stated.
    stored : tuple of int
        Bits taken and used by a number, and 1 where it has a sign.
    shape : tuple of int
        Rows, columns, and numbers per voxel.
    scale : tuple of float
        Slope and intercept.
    position : ndarray of shape (3,)
        Of the first voxel, in mm; empty where not stated, as are the two below.
    cosines : ndarray of shape (6,)
        Directions along a row and down a column.
    spacing : ndarray of shape (2,)
        Between rows, and between columns, in mm.
    """

    path: Path
    patient: str
    series: str
    description: str
    frame: str
    number: int | None
    stack: str
    photometric: str
    stored: tuple[int, ...]
    shape: tuple[int, int, int]
    scale: tuple[float, float]
    position: NDArray[np.float64]
    cosines: NDArray[np.float64]
    spacing: NDArray[np.float64]

    @property
    def axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Unit vectors along a row and down a column, at right angles."""
        row = self.cosines[:3] / np.linalg.norm(self.cosines[:3])
        column = self.cosines[3:] - (self.cosines[3:] @ row) * row
        return row, column / np.linalg.norm(column)


def files_of(folder: Path) -> list[tuple[Path, Any]]:
    """Return the DICOM files of a folder with their headers.

    Parameters
    ----------
    folder : Path
        Other files are left out, and folders in it not looked into.

    Returns
    -------
    list of (Path, pydicom.Dataset)

    Raises
    ------
    CaseError
        If a DICOM file, or an empty one, cannot be read: passed over, it would be a slice that is
        missing.
    """
    found, broken = [], 0
    for path in sorted(folder.iterdir()):
        if not path.is_file() or path.name == "DICOMDIR":
            continue
        try:
            header = _header(path)
        except CaseError:
            broken += 1
        else:
            found += [(path, header)] if header is not None else []
    if broken:
        raise CaseError(
            f"DICOM files must be whole, but {broken} in the folder cannot be read. Copy or export "
            "them again."
        )
    return found


def slices_of(path: Path, *, what: str) -> list[Slice]:
    """Return the slices among the files of a folder, or of one file.

    Raises
    ------
    CaseError
        As of `files_of`, if a value in a header cannot be read, or frames do not say where they
        lie.
    """
    with damaged(what):
        files = files_of(path) if path.is_dir() else [(path, _header(path))]
        return [
            one
            for file, header in files
            if header is not None and "Rows" in header
            for one in _slices(file, header, what=what)
        ]


def is_dicom(path: Path) -> bool:
    """Tell a DICOM file by its name, or by the sign that stands behind its preamble."""
    if path.suffix.casefold() in _SUFFIXES:
        return True
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _header(path: Path) -> Any:
    """Read a header, None if it is none of DICOM.

    A slice must say its size and series, and a kind nobody knows is one that was cut short.
    """
    pydicom = needed("pydicom")
    with damaged("DICOM file"):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_TAGS)
        except pydicom.errors.InvalidDicomError:
            if path.suffix.casefold() in _SUFFIXES or path.stat().st_size == 0:
                raise
            return None
        kind = pydicom.uid.UID(header.SOPClassUID)
        if kind.name.endswith(("Image Storage", str(kind))):
            header.Rows, header.SeriesInstanceUID  # noqa: B018 - stumbles where they lack
        return header


def _slices(path: Path, header: Any, *, what: str) -> list[Slice]:
    """Return the one slice of a file, or the frames of an enhanced one."""
    n_frames = int(header.get("NumberOfFrames") or 1)
    if n_frames == 1 and header.get("ImagePositionPatient"):
        return [_slice(path, header, number=None)]
    pydicom = needed("pydicom")
    groups = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=[_SHARED, _PER_FRAME])
    frames = groups.get(_PER_FRAME) or []
    if n_frames == 1 and not frames:
        return [_slice(path, header, number=None)]
    if len(frames) != n_frames:
        raise CaseError(
            f"{what} must say where each of its {n_frames} frames lies, but is a multi-frame DICOM "
            f"file that says it of {len(frames)}. Convert it to NIfTI, for example by dcm2niix."
        )
    shared = (groups.get(_SHARED) or [pydicom.Dataset()])[0]
    return [
        _slice(path, _own_header(header, frame, shared), number=number)
        for number, frame in enumerate(frames)
    ]


def _own_header(header: Any, frame: Any, shared: Any) -> Any:
    """Lay out what a frame says, or all frames share, as the header of one slice does."""
    own = needed("pydicom").Dataset()
    own.update(header)
    for group, names in _GROUPS.items():
        items = frame.get(group) or shared.get(group) or []
        for name in names if items else ():
            if name in items[0]:
                own[name] = items[0][name]
    return own


def _slice(path: Path, header: Any, *, number: int | None) -> Slice:
    def numbers(name: str, n: int) -> NDArray[np.float64]:
        values = header.get(name)
        return np.array([float(value) for value in values or ()]).reshape(n if values else 0)

    def text(name: str) -> str:
        return str(header.get(name) or "").strip()

    return Slice(
        path=path,
        patient=text("PatientID"),
        series=text("SeriesInstanceUID"),
        description=text("SeriesDescription"),
        frame=text("FrameOfReferenceUID"),
        number=number,
        stack=text("StackID"),
        photometric=text("PhotometricInterpretation"),
        stored=tuple(int(header.get(name) or 0) for name in _STORED),
        shape=(int(header.Rows), int(header.Columns), int(header.get("SamplesPerPixel") or 1)),
        scale=(float(header.get("RescaleSlope") or 1), float(header.get("RescaleIntercept") or 0)),
        position=numbers("ImagePositionPatient", 3),
        cosines=numbers("ImageOrientationPatient", 6),
        spacing=numbers("PixelSpacing", 2),
    )
