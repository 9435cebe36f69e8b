"""Images and masks as a scanner, a viewer or a planning system writes them; nothing real."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

sitk = pytest.importorskip("SimpleITK", reason="images need the extra: nomomics[extract]")
pydicom = pytest.importorskip("pydicom", reason="images need the extra: nomomics[extract]")

SPACING = (0.8, 1.2, 3.0)
ORIGIN = (-12.5, 30.25, -7.0)
UPRIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def oblique() -> tuple[float, ...]:
    """Return direction cosines turned about two axes, columns as SimpleITK has them."""
    a, b = 0.4, -0.25
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return tuple((about_z @ about_x).ravel().tolist())


def volume(
    values: NDArray[Any],
    *,
    spacing: Sequence[float] = SPACING,
    origin: Sequence[float] = ORIGIN,
    direction: Sequence[float] = UPRIGHT,
) -> Any:
    """Return an image of `values`, (n_slices, n_rows, n_columns)."""
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    image.SetDirection(direction)
    return image


def noise(shape: tuple[int, int, int] = (8, 12, 14), *, seed: int = 0) -> NDArray[np.int16]:
    return np.random.default_rng(seed).integers(-50, 900, shape).astype(np.int16)


def _dataset(sop_class: str) -> Any:
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    uid = pydicom.uid.generate_uid()
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
    for name in ("PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"):
        setattr(dataset, name, "")
    for name in ("StudyID", "AccessionNumber", "ReferringPhysicianName"):
        setattr(dataset, name, "")
    dataset.PatientID = "P-001"
    dataset.StudyInstanceUID = "1.2.3.4"
    return dataset


def write_series(folder: Path, image: Any, **changed: Any) -> list[Any]:
    """Write each slice of an image of whole numbers as an MR file; return the datasets.

    Files are named against the order of the slices. `changed` overwrites attributes of all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values = sitk.GetArrayFromImage(image).astype(np.int16)
    direction = np.array(image.GetDirection()).reshape(3, 3)
    slices = []
    for k, pixels in enumerate(values):
        dataset = _dataset("1.2.840.10008.5.1.4.1.1.4")
        dataset.Modality = "MR"
        dataset.SeriesInstanceUID = "1.2.3.4.5"
        dataset.SeriesDescription = "T1"
        dataset.SeriesNumber = 1
        dataset.InstanceNumber = k + 1
        dataset.FrameOfReferenceUID = "1.2.3.9"
        dataset.PositionReferenceIndicator = ""
        dataset.ImageOrientationPatient = [f"{v:.12f}" for v in direction[:, :2].T.ravel()]
        place = image.TransformIndexToPhysicalPoint((0, 0, k))
        dataset.ImagePositionPatient = [f"{v:.8f}" for v in place]
        dataset.PixelSpacing = [image.GetSpacing()[1], image.GetSpacing()[0]]
        dataset.SliceThickness = image.GetSpacing()[2]
        dataset.Rows, dataset.Columns = pixels.shape
        dataset.SamplesPerPixel = 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit = 15
        dataset.PixelRepresentation = 1
        dataset.PixelData = pixels.tobytes()
        for name, value in changed.items():
            setattr(dataset, name, value)
        dataset.save_as(folder / f"{len(values) - k:03d}.dcm", enforce_file_format=True)
        slices.append(dataset)
    return slices


def write_enhanced(path: Path, image: Any, *, slopes: Sequence[float] = (), **changed: Any) -> Any:
    """Write an image of whole numbers as one enhanced MR file; return the dataset.

    Frames stand in an order of their own, each with its slope (and -3) if there are `slopes`, by
    slice. `changed` overwrites attributes of the file.
    """
    dataset = _dataset("1.2.840.10008.5.1.4.1.1.4.1")
    dataset.Modality, dataset.SeriesInstanceUID = "MR", "1.2.3.4.5"
    dataset.SeriesDescription, dataset.SeriesNumber, dataset.InstanceNumber = "T1", 1, 1
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = "1.2.3.9", ""
    values = sitk.GetArrayFromImage(image).astype(np.int16)
    order = np.random.default_rng(3).permutation(len(values))
    direction = np.array(image.GetDirection()).reshape(3, 3)
    shared = pydicom.Dataset()
    shared.PlaneOrientationSequence = [pydicom.Dataset()]
    plane = shared.PlaneOrientationSequence[0]
    plane.ImageOrientationPatient = [f"{v:.12f}" for v in direction[:, :2].T.ravel()]
    shared.PixelMeasuresSequence = [pydicom.Dataset()]
    measures = shared.PixelMeasuresSequence[0]
    measures.PixelSpacing = [image.GetSpacing()[1], image.GetSpacing()[0]]
    measures.SliceThickness = image.GetSpacing()[2]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = [
        _frame(image, int(k), slopes[k] if len(slopes) else None) for k in order
    ]
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = values.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.PixelData = values[order].tobytes()
    for name, value in changed.items():
        setattr(dataset, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return dataset


def _frame(image: Any, k: int, slope: float | None) -> Any:
    frame, position, content = (pydicom.Dataset() for _ in range(3))
    place = image.TransformIndexToPhysicalPoint((0, 0, k))
    position.ImagePositionPatient = [f"{v:.8f}" for v in place]
    frame.PlanePositionSequence = [position]
    content.StackID, content.InStackPositionNumber = "1", k + 1
    content.DimensionIndexValues = [1, k + 1]
    frame.FrameContentSequence = [content]
    if slope is not None:
        rescale = pydicom.Dataset()
        rescale.RescaleSlope, rescale.RescaleIntercept = f"{slope:.6f}", "-3"
        frame.PixelValueTransformationSequence = [rescale]
    return frame


def write_structures(
    path: Path,
    contours: Mapping[str, Sequence[NDArray[np.float64]]],
    *,
    kind: str = "CLOSED_PLANAR",
    **changed: Any,
) -> None:
    """Write a structure set: closed polygons in mm, by name, numbered from 1."""
    dataset = _dataset("1.2.840.10008.5.1.4.1.1.481.3")
    dataset.Modality = "RTSTRUCT"
    dataset.SeriesInstanceUID = pydicom.uid.generate_uid()
    declared, drawn = [], []
    for number, (name, polygons) in enumerate(contours.items(), start=1):
        structure = pydicom.Dataset()
        structure.ROINumber, structure.ROIName = number, name
        structure.ReferencedFrameOfReferenceUID = changed.get("FrameOfReferenceUID", "1.2.3.9")
        declared.append(structure)
        region = pydicom.Dataset()
        region.ReferencedROINumber = number
        region.ContourSequence = []
        for polygon in polygons:
            contour = pydicom.Dataset()
            contour.ContourGeometricType = kind
            contour.NumberOfContourPoints = len(polygon)
            contour.ContourData = [f"{value:.9f}" for value in np.ravel(polygon)]
            region.ContourSequence.append(contour)
        drawn.append(region)
    dataset.StructureSetROISequence, dataset.ROIContourSequence = declared, drawn
    for name, value in changed.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)


def in_mm(image: Any, polygon: NDArray[np.float64], k: float) -> NDArray[np.float64]:
    """Turn a polygon in voxels (x, y) of slice `k` into places of the patient."""
    points = [(float(x), float(y), float(k)) for x, y in polygon]
    return np.array([image.TransformContinuousIndexToPhysicalPoint(point) for point in points])
