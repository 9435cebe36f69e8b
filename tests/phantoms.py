"""Small images with known values: the IBSI's digital phantom, and a textured ball."""

from typing import Any

import numpy as np
import pytest

# Zwanenburg et al., arXiv:1612.07003, section 5.1: four slices of four rows, 2 mm voxels
DIGITAL_PHANTOM = [
    ["14411", "14611", "41641", "44641"],
    ["14411", "11611", "11311", "44611"],
    ["14411", "11111", "11911", "11611"],
    ["14411", "11111", "11111", "11611"],
]
DIGITAL_REGION = [
    ["11111", "11111", "11111", "11111"],
    ["11111", "11111", "01111", "11111"],
    ["11100", "11111", "11011", "11111"],
    ["11100", "11111", "11111", "11111"],
]


def simple_itk() -> Any:
    """Import SimpleITK, or skip saying so."""
    return pytest.importorskip("SimpleITK", reason="the extra 'extract' is not installed")


def digits(rows: list[list[str]]) -> np.ndarray:
    return np.array([[[int(digit) for digit in row] for row in part] for part in rows])


def as_image(array: np.ndarray, spacing: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Any:
    """Lay an array (z, y, x) on a grid."""
    image = simple_itk().GetImageFromArray(array)
    image.SetSpacing(spacing)
    return image


def digital_phantom() -> tuple[Any, Any]:
    """Return the IBSI's image and region."""
    grey, region = digits(DIGITAL_PHANTOM), digits(DIGITAL_REGION)
    spacing = (2.0, 2.0, 2.0)
    return as_image(grey.astype(np.float64), spacing), as_image(region.astype(np.uint8), spacing)


def textured_ball(
    shape: tuple[int, int, int] = (26, 61, 64),
    centre: tuple[int, int, int] = (12, 30, 33),
    *,
    spacing: tuple[float, ...] = (1.0, 1.0, 2.0),
    seed: int = 0,
) -> tuple[Any, Any]:
    """Return smooth noise of int16 and a ball of radius 8 mm in it."""
    rng = np.random.default_rng(seed)
    grey = rng.normal(500, 150, shape)
    for axis in range(3):
        grey = (grey + np.roll(grey, 1, axis) + np.roll(grey, -1, axis)) / 3
    places = np.indices(shape)
    apart = [(places[k] - centre[k]) * spacing[2 - k] for k in range(3)]
    ball = sum(step**2 for step in apart) < 8**2
    return as_image(grey.round().astype(np.int16), spacing), as_image(
        ball.astype(np.uint8), spacing
    )
