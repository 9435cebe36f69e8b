"""Heads with a tumour, drawn by a computer: images whose regions are known, for tries and tests.

A brain is an ellipsoid of two tissues; the tumour has a necrotic core (label 1), oedema (2) and an
enhancing rim (4), as the labels of the BraTS challenges. On T1c the rim is bright and the core
dark, on FLAIR the oedema is bright; a smooth bias of the coil and noise lie over both. No voxel is
of a patient, and no feature of them says anything about real tumours.

References
----------
Menze BH, et al. The multimodal brain tumor image segmentation benchmark (BRATS). IEEE Transactions
on Medical Imaging 2015;34:1993-2024. doi:10.1109/TMI.2014.2377694
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from omics.extras import needed

Floats = NDArray[np.float64]

SHAPE = (40, 112, 96)  # slices, rows, columns
SPACING = (1.6, 1.6, 3.5)  # mm: columns, rows, slices
CORE, OEDEMA, RIM = 1, 2, 4
_HALF_AXES = (62.0, 82.0, 68.0)  # mm: slices, rows and columns of the brain, whole in the image
_GREY = {  # white matter, grey matter, core, oedema, rim
    "T1c": (420.0, 340.0, 230.0, 330.0, 690.0),
    "FLAIR": (300.0, 370.0, 330.0, 620.0, 480.0),
}
_NOISE = 18.0
_BIAS = 0.12


@dataclass(frozen=True, eq=False, kw_only=True)
class Phantom:
    """One head.

    Attributes
    ----------
    images : dict of sequence to ndarray of float32, of shape (slices, rows, columns)
        0 outside the head.
    labels : ndarray of uint8, of the same shape
        0 outside the tumour, else `CORE`, `OEDEMA` or `RIM`.
    brain : ndarray of bool, of the same shape
    """

    images: dict[str, NDArray[np.float32]]
    labels: NDArray[np.uint8]
    brain: NDArray[np.bool_]

    def __repr__(self) -> str:
        ml = np.count_nonzero(self.labels) * np.prod(SPACING) / 1000
        return f"Phantom({', '.join(self.images)}, tumour of {ml:.1f} ml)"


def phantom(*, seed: int, radius: float = 20.0) -> Phantom:
    """Draw a head with a tumour.

    Parameters
    ----------
    seed : int
        The same seed draws the same head.
    radius : float
        About that of the tumour with its oedema, in mm, 8 to 35.

    Returns
    -------
    Phantom

    Raises
    ------
    ValueError
        If the radius is out of range.

    Examples
    --------
    >>> head = phantom(seed=1, radius=15)
    >>> head.labels.shape, sorted(set(head.labels.ravel().tolist()))
    ((40, 112, 96), [0, 1, 2, 4])
    """
    if not 8 <= radius <= 35:
        raise ValueError(
            f"radius must be 8 to 35 mm, but {radius} came: a larger tumour would leave the brain, "
            "a smaller one have no core."
        )
    rng = np.random.default_rng(seed)
    places = _places()
    away = [(axis / half) ** 2 for axis, half in zip(places, _HALF_AXES, strict=True)]
    brain = np.sum(away, axis=0) < 1
    labels = np.where(brain, _tumour(places, radius, rng), 0).astype(np.uint8)
    tissue = _smooth(rng, 6.0) > 0.2  # folds of grey matter between white
    images = {}
    for sequence, (white, grey, core, oedema, rim) in _GREY.items():
        means = np.where(tissue, grey, white)
        for label, mean in ((CORE, core), (OEDEMA, oedema), (RIM, rim)):
            means[labels == label] = mean
        means *= 1 + 0.08 * _smooth(rng, 3.0)  # no tissue is even
        signal = gaussian_filter(np.where(brain, means, 0.0), 0.6)
        slopes = rng.uniform(-_BIAS, _BIAS, 3)  # of the coil, across half the brain
        drift = zip(slopes, places, _HALF_AXES, strict=True)
        bias = 1 + np.sum([slope * axis / half for slope, axis, half in drift], axis=0)
        noisy = signal * bias + _NOISE * rng.normal(size=SHAPE)
        images[sequence] = np.where(brain, np.maximum(noisy, 1.0), 0.0).astype(np.float32)
    return Phantom(images=images, labels=labels, brain=brain)


def write_phantoms(folder: Path, *, n_patients: int, seed: int) -> Path:
    """Write heads as NIfTI files with a manifest of one case per patient and sequence.

    Parameters
    ----------
    folder : Path
        Made if it is absent.
    n_patients : int
        Their tumours have radii of 12 to 26 mm.
    seed : int

    Returns
    -------
    Path
        The manifest: `patient`, `sequence`, `image`, `mask`, `label` (`1+2+4`: the whole tumour)
        and `brain_mask`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    radii = np.random.default_rng(seed).uniform(12, 26, n_patients)
    rows = []
    for number, radius in enumerate(radii, start=1):
        patient = f"phantom-{number:02d}"
        head = phantom(seed=seed + number, radius=float(radius))
        files = {name: f"{patient}_{name}.nii.gz" for name in (*head.images, "seg", "brain")}
        for sequence, image in head.images.items():
            _write(image, folder / files[sequence])
        _write(head.labels, folder / files["seg"])
        _write(head.brain.astype(np.uint8), folder / files["brain"])
        rows += [
            [patient, sequence, files[sequence], files["seg"], "1+2+4", files["brain"]]
            for sequence in head.images
        ]
    manifest = folder / "manifest.csv"
    with manifest.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["patient", "sequence", "image", "mask", "label", "brain_mask"])
        writer.writerows(rows)
    return manifest


def _places() -> tuple[Floats, Floats, Floats]:
    """Return where each voxel lies from the middle, in mm: along slices, rows and columns."""
    axes = [
        (np.arange(n) - (n - 1) / 2) * step for n, step in zip(SHAPE, SPACING[::-1], strict=True)
    ]
    along, down, across = np.meshgrid(*axes, indexing="ij")
    return along, down, across


def _tumour(
    places: tuple[Floats, Floats, Floats], radius: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Draw shells around a place in one half of the brain; their borders are uneven."""
    side = rng.choice([-1, 1])
    centre = (rng.uniform(-12, 12), rng.uniform(-18, 18), side * rng.uniform(22, 30))
    away = [(axis - at) ** 2 for axis, at in zip(places, centre, strict=True)]
    distance = np.sqrt(np.sum(away, axis=0))
    distance *= 1 + 0.16 * _smooth(rng, 9.0)
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[distance < radius] = OEDEMA
    labels[distance < 0.62 * radius] = RIM
    labels[distance < 0.42 * radius] = CORE
    return labels


def _smooth(rng: np.random.Generator, width: float) -> Floats:
    """Draw a smooth field of mean 0 and standard deviation 1; `width` in mm."""
    sigma = [width / step for step in SPACING[::-1]]
    field = gaussian_filter(rng.normal(size=SHAPE), sigma, truncate=3)
    scaled: Floats = (field - field.mean()) / field.std()
    return scaled


def _write(array: NDArray[Any], path: Path) -> None:
    sitk = needed("SimpleITK")
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(SPACING)
    sitk.WriteImage(image, str(path), True)  # compressed
