"""Regions drawn in a viewer or by radiotherapy: DICOM segmentations and structure sets.

A segmentation (SEG) is read by highdicom, a structure set (RTSTRUCT) by pydicom. Both name their
regions; a region is asked for by name or number. They are refused when they say that they belong to
another patient or another frame of reference than the image.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omics.contours import filled
from omics.dicom_headers import files_of
from omics.dicom_series import FRAME_OF_REFERENCE, PATIENT_ID
from omics.errors import CaseError
from omics.extras import needed
from omics.messages import nearest, number_of, some_of
from omics.native import damaged
from omics.one_grid import within

if TYPE_CHECKING:
    import SimpleITK as sitk

SEGMENTATION = (
    "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.66.7",  # label map segmentation
)
STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"


@dataclass(frozen=True, eq=False, kw_only=True)
class _Regions:
    """The regions that a DICOM file declares, and how one is drawn on the image."""

    kind: str
    names: dict[int, str]
    draw: Callable[[int], NDArray[np.bool_]]

    @property
    def listed(self) -> str:
        return some_of((f"{n} {name!r}" for n, name in self.names.items()), limit=20)


def dicom_mask(path: Path) -> Path | None:
    """Return the DICOM file with regions: the path itself, or the one file of its kind in a folder.

    Returns
    -------
    Path or None
        None if the folder holds no segmentation or structure set: it may be a series.

    Raises
    ------
    CaseError
        If the folder holds several.
    """
    if not path.is_dir():
        return path
    kinds = (*SEGMENTATION, STRUCTURE_SET)
    found = [file for file, header in files_of(path) if header.get("SOPClassUID") in kinds]
    if len(found) > 1:
        raise CaseError(
            f"mask must be one file, but the folder holds {len(found)} segmentations and structure "
            "sets. Name one of them in the manifest."
        )
    return found[0] if found else None


def read_dicom_regions(
    path: Path, labels: Sequence[str], *, image: "sitk.Image", resample: bool
) -> dict[str, NDArray[np.bool_]]:
    """Read regions of a DICOM segmentation or structure set on the grid of an image.

    Parameters
    ----------
    path : Path
    labels : sequence of str
        Names or numbers of segments or structures, or unions of them (`core+oedema`); empty for
        the only one there is. A name that holds a plus sign is taken as a name first.
    image : SimpleITK.Image
    resample : bool
        Let a segmentation on another grid be resampled (nearest neighbour).

    Returns
    -------
    dict of str to ndarray of bool, of shape (n_slices, n_rows, n_columns)

    Raises
    ------
    CaseError
        If the file is damaged or of another kind, of another patient or frame of reference than
        the image, lacks a region (those there are stand in the message), or does not fit the grid.
    """
    dataset = _open(path)
    check_patient(dataset.get("PatientID"), image, what="mask")
    with damaged("mask"):
        return _read_regions(dataset, labels, image=image, resample=resample)


def _read_regions(
    dataset: Any, labels: Sequence[str], *, image: "sitk.Image", resample: bool
) -> dict[str, NDArray[np.bool_]]:
    kind = dataset.get("SOPClassUID")
    if kind in SEGMENTATION:
        regions = _segments(dataset, image, resample=resample)
    elif kind == STRUCTURE_SET:
        regions = _structures(dataset, image)
    else:
        name = getattr(kind, "name", None) or "DICOM file"
        raise CaseError(
            f"mask must be a segmentation (SEG), a structure set (RTSTRUCT) or the folder of a "
            f"series, but is one file of another kind ({name}). Correct the manifest."
        )
    if not labels:
        labels = [_only(regions)]
    drawn = {}
    for label in labels:
        numbers = _numbers(label, regions)
        drawn[label] = np.logical_or.reduce([regions.draw(number) for number in numbers])
    return drawn


def _open(path: Path) -> Any:
    pydicom = needed("pydicom")
    with damaged("mask"):
        return pydicom.dcmread(path)


def check_patient(patient: object, image: "sitk.Image", *, what: str) -> None:
    """Raise if a DICOM mask and a DICOM image name different patients.

    Parameters
    ----------
    patient : object
        The id that the mask names, if any.
    image : SimpleITK.Image
        As read by `omics.images.read_image`; images of other formats name nobody.
    what : str
        How messages name the mask: `mask` or `brain_mask`.

    Raises
    ------
    CaseError
        Without the ids.
    """
    mine = str(patient or "").strip()
    if _said(image, PATIENT_ID) and mine and mine != _said(image, PATIENT_ID):
        raise CaseError(
            f"{what} must be of the patient of its image, but the two DICOM files are of different "
            "patients. Correct the manifest."
        )


def _check_frame(frame: object, image: "sitk.Image", *, kind: str) -> None:
    mine = str(frame or "").strip()
    if _said(image, FRAME_OF_REFERENCE) and mine and mine != _said(image, FRAME_OF_REFERENCE):
        raise CaseError(
            f"mask must share the frame of reference of its image, but the {kind} was drawn in "
            "another one. Correct the manifest, or register the two and export the mask anew."
        )


def _said(image: "sitk.Image", key: str) -> str:
    return image.GetMetaData(key).strip() if image.HasMetaDataKey(key) else ""


def _only(regions: _Regions) -> str:
    if len(regions.names) == 1:
        [(number, name)] = regions.names.items()
        return name or str(number)
    raise CaseError(
        f"label must say which {regions.kind} to take, but is blank and there are "
        f"{len(regions.names)}: {regions.listed}. Fill the column label of the manifest."
    )


def _numbers(label: str, regions: _Regions) -> list[int]:
    """Find what a label means: a name, a number, or a union of them."""
    named = _named(label, regions)
    if named:
        return named
    parts = [part.strip() for part in label.split("+")]
    found = [_named(part, regions) for part in parts]
    absent = [part for part, numbers in zip(parts, found, strict=True) if not numbers]
    if absent:
        hint = nearest(absent[0], regions.names.values())
        raise CaseError(
            f"label must name a {regions.kind} of the mask, but there is no {absent[0]!r} among "
            f"{number_of(len(regions.names), regions.kind)}: {regions.listed}."
            + (f" {hint}" if hint.startswith("Did") else "")
            + " Correct the column label of the manifest."
        )
    return [number for numbers in found for number in numbers]


def _named(label: str, regions: _Regions) -> list[int]:
    same = [number for number, name in regions.names.items() if name == label]
    if len(same) > 1:
        raise CaseError(
            f"label must name one {regions.kind}, but {len(same)} are called {label!r} (numbers "
            f"{', '.join(map(str, same))}). State the number."
        )
    if not same and label.isdecimal() and int(label) in regions.names:
        return [int(label)]
    return same


def _segments(dataset: Any, image: "sitk.Image", *, resample: bool) -> _Regions:
    seg = needed("highdicom.seg")
    _check_frame(dataset.get("FrameOfReferenceUID"), image, kind="segmentation")
    segmentation = seg.Segmentation.from_dataset(dataset, copy=False)

    def draw(number: int) -> NDArray[np.bool_]:
        volume = segmentation.get_volume(segment_numbers=[number])
        share = (volume.array > 0) & (volume.array < 1)
        if share.any():
            raise CaseError(
                f"mask must hold whole labels, but segment {number} is fractional: "
                f"{share.sum()} of {share.size} voxels lie between 0 and 1 (first: "
                f"{volume.array[share][0]:.3g}). Export a binary segmentation."
            )
        mask = volume.squeeze_channel().astype(np.uint8).to_simpleitk()
        laid = within(mask, image, resample=resample)
        return np.asarray(needed("SimpleITK").GetArrayViewFromImage(laid) > 0)

    names = {
        int(number): str(segmentation.get_segment_description(number).segment_label or "").strip()
        for number in segmentation.segment_numbers
    }
    return _Regions(kind="segment", names=names, draw=draw)


def _structures(dataset: Any, image: "sitk.Image") -> _Regions:
    """Read a structure set.

    A structure that was cut short is never taken for a smaller one: its number, by which it is
    found, stands behind its contours.
    """
    declared = {int(item.ROINumber): item for item in dataset.get("StructureSetROISequence", [])}
    if not declared:
        raise CaseError("mask must declare structures, but the structure set holds none.")
    drawn = {
        int(item.ReferencedROINumber): item.get("ContourSequence") or []
        for item in dataset.get("ROIContourSequence", [])
    }

    def draw(number: int) -> NDArray[np.bool_]:
        frame = declared[number].get("ReferencedFrameOfReferenceUID")
        _check_frame(frame, image, kind="structure set")
        contours = [
            np.array(contour.ContourData, dtype=np.float64).reshape(-1, 3)
            for contour in drawn.get(number, [])
            if str(contour.ContourGeometricType).startswith("CLOSED")
        ]
        contours = [points for points in contours if len(points) > 2]
        if not contours:
            raise CaseError(
                f"mask must hold closed contours, but structure {number} "
                f"{str(declared[number].get('ROIName', ''))!r} has none."
            )
        return filled(contours, image)

    names = {number: str(item.get("ROIName", "")).strip() for number, item in declared.items()}
    return _Regions(kind="structure", names=names, draw=draw)
