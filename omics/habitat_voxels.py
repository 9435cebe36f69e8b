"""The voxels of a region in several sequences, and an equal number of them from every patient."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from omics.errors import CaseError
from omics.geometry import grid_text, same_grid
from omics.image_checks import check_image, region_of
from omics.messages import number_of, quoted

if TYPE_CHECKING:
    import SimpleITK as sitk

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Scan:
    """What is seen of one patient: several sequences on one grid, and the region.

    Attributes
    ----------
    images : mapping of sequence to SimpleITK.Image
        Of comparable intensities: z-scored MRI, Hounsfield units, maps with a unit.
    mask : SimpleITK.Image
        Nonzero inside the region.
    """

    images: "Mapping[str, sitk.Image]"
    mask: "sitk.Image"

    def __post_init__(self) -> None:
        if not isinstance(self.images, Mapping):
            raise TypeError(
                "images must map names of sequences to images, such as {'T1c': image}, but are "
                f"of type {type(self.images).__name__}."
            )
        check_image(self.mask, "mask")

    def __repr__(self) -> str:
        return f"Scan({', '.join(map(str, self.images))})"


Scans: TypeAlias = Mapping[str, Scan] | Iterable[tuple[str, Scan]]


def scan_pairs(scans: Scans) -> Iterator[tuple[str, Scan]]:
    """Give each patient with their scan, one at a time.

    Raises
    ------
    TypeError
        If there is something else among them.
    """
    pairs = scans.items() if isinstance(scans, Mapping) else scans
    if isinstance(pairs, str) or not isinstance(pairs, Iterable):
        raise TypeError(
            "scans must map patients to Scans, or give pairs of patient and Scan, but are "
            f"of type {type(scans).__name__}."
        )
    for number, pair in enumerate(pairs, start=1):
        whole = isinstance(pair, tuple) and len(pair) == 2
        if not whole or not isinstance(pair[0], str) or not isinstance(pair[1], Scan):
            came = [type(part).__name__ for part in pair] if whole else type(pair).__name__
            raise TypeError(
                f"scans must give pairs of patient (a text) and Scan, but item {number} is "
                f"{came if isinstance(came, str) else f'({came[0]}, {came[1]})'}. Give a dict of "
                "patients, such as {'P1': Scan(images=..., mask=...)}."
            )
        yield pair


def voxels_of(scan: Scan, sequences: Sequence[str]) -> Matrix:
    """Return the values of a region's voxels.

    Parameters
    ----------
    scan : Scan
    sequences : sequence of str
        In the order of the columns; the scan may have them in any order, and no others.

    Returns
    -------
    ndarray of shape (n_voxels, n_sequences)

    Raises
    ------
    CaseError
        If sequences are absent or strange, lie on another grid than the mask, or hold a value that
        is not finite; or if the region is empty.
    """
    import SimpleITK as sitk

    lacking = [name for name in sequences if name not in scan.images]
    strange = [name for name in scan.images if name not in sequences]
    if lacking or strange:
        raise CaseError(
            f"every scan must have the sequences {quoted(sequences)}, but this one lacks "
            f"{quoted(lacking) or 'none'} and has {quoted(strange) or 'none'} beside. Give the "
            "same sequences of every patient."
        )
    inside = region_of(scan.mask)
    if not inside.any():
        raise CaseError("mask must hold the region, but no voxel of it is set. Correct the mask.")
    columns = []
    for name in sequences:
        image = scan.images[name]
        check_image(image, f"sequence {name!r}")
        if not same_grid(scan.mask, image):
            raise CaseError(
                f"sequence {name!r} must lie on the grid of the mask, but the mask has "
                f"{grid_text(scan.mask)}, the sequence {grid_text(image)}. Register and resample "
                "the sequences to one grid."
            )
        values = sitk.GetArrayViewFromImage(image)[inside].astype(np.float64)
        wrong = int((~np.isfinite(values)).sum())
        if wrong:
            raise CaseError(
                f"sequence {name!r} must be finite inside the region, but "
                f"{wrong} of {number_of(len(values), 'voxel')} are not. Correct the image."
            )
        columns.append(values)
    return np.column_stack(columns)


def pooled_voxels(
    scans: Scans, *, sequences: Sequence[str], per_patient: int, seed: int
) -> tuple[Matrix, NDArray[np.intp]]:
    """Take an equal number of voxels from every patient.

    Parameters
    ----------
    scans : mapping of patient to Scan, or iterable of (patient, Scan)
        Read one at a time, so that a generator need not hold all images at once.
    sequences : sequence of str
    per_patient : int
        A larger region gives a random sample without repetition; a smaller one gives each voxel
        equally often, and a random sample makes up the rest.
    seed : int

    Returns
    -------
    voxels : ndarray of shape (n_patients * per_patient, n_sequences)
    patient : ndarray of int, of shape (n_patients * per_patient,)
        Number of the patient, in the order of the ids, so that the order of `scans` is nothing.

    Raises
    ------
    ValueError
        If a patient comes twice, or none comes.
    CaseError
        As `voxels_of`, with the patient's id.
    """
    parts: dict[str, Matrix] = {}
    for patient, scan in scan_pairs(scans):
        if patient in parts:
            raise ValueError(several_scans(patient))
        try:
            values = voxels_of(scan, sequences)
        except CaseError as error:
            raise CaseError(f"patient {patient!r}: {error}") from error
        # the same stream for each patient: nobody's sample depends on who else is there
        parts[patient] = values[_sample(len(values), per_patient, np.random.default_rng(seed))]
    if not parts:
        raise ValueError("scans must hold a patient, but there are none.")
    stacked = np.concatenate([parts[patient] for patient in sorted(parts)])
    return stacked, np.repeat(np.arange(len(parts)), per_patient)


def several_scans(patient: str) -> str:
    """Say that a patient comes twice."""
    return (
        f"scans must hold one scan per patient, but {patient!r} comes twice. Join the masks of one "
        "patient, or choose a timepoint."
    )


def pooled_scans(
    scans: Scans, *, per_patient: int, seed: int
) -> tuple[tuple[str, ...], Matrix, NDArray[np.intp]]:
    """Pool voxels of the sequences that the first scan has."""
    stream = scan_pairs(scans)
    first = next(stream, None)
    if first is None:
        raise ValueError("scans must hold a patient, but there are none.")
    sequences = tuple(first[1].images)
    if not sequences:
        raise ValueError("scans must hold a sequence, but the first has none.")

    def whole() -> Iterable[tuple[str, Scan]]:
        yield first
        yield from stream

    voxels, patient = pooled_voxels(
        whole(), sequences=sequences, per_patient=per_patient, seed=seed
    )
    return sequences, voxels, patient


def _sample(n_voxels: int, wanted: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Choose `wanted` of `n_voxels` positions, each as often as any other, give or take one."""
    times, rest = divmod(wanted, n_voxels)
    drawn = rng.choice(n_voxels, size=rest, replace=False)
    return np.concatenate([np.tile(np.arange(n_voxels), times), np.sort(drawn)])
