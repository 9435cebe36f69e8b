"""Agreement of masks: cubes and balls by hand, SimpleITK's filters, properties, edges."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from omics.mask_agreement import agreement_of_images, mask_agreement
from reports.blocks import Table
from reports.jupyter import drawn as shown
from reports.tables import TableRows


def cube(shape: tuple[int, ...], low: tuple[int, ...], size: tuple[int, ...]) -> NDArray[np.bool_]:
    array = np.zeros(shape, dtype=bool)
    array[tuple(slice(a, a + s) for a, s in zip(low, size, strict=True))] = True
    return array


def ball(n: int, radius: float, spacing: tuple[float, ...]) -> NDArray[np.bool_]:
    axes = [(np.arange(n) - (n - 1) / 2) * size for size in spacing]
    squares = sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij"))
    return np.asarray(squares <= radius**2)


def test_shifted_cube_by_hand() -> None:
    one = cube((20, 20, 20), (4, 4, 4), (6, 6, 6))
    other = cube((20, 20, 20), (6, 4, 4), (6, 6, 6))
    found = mask_agreement(one, other, spacing=(1.5, 1, 1))
    assert found.dice == pytest.approx(2 * 4 / 12)
    assert found.hausdorff == pytest.approx(3.0)  # two slices of 1.5 mm
    assert found.volumes == pytest.approx((324, 324))
    # Of 152 surface voxels of either, those of the side faces that the other covers are at 0. In
    # slice 0 and 1 (of 6) of `one` all are outside `other`.
    assert found.hausdorff_95 == pytest.approx(3.0)


def test_concentric_balls_are_the_difference_of_radii_apart() -> None:
    spacing = (1.0, 1.0, 1.0)
    found = mask_agreement(ball(71, 20, spacing), ball(71, 30, spacing), spacing=spacing)
    assert found.mean_surface_distance == pytest.approx(10, abs=0.5)  # a voxel's own size
    assert found.hausdorff == pytest.approx(10, abs=1)
    assert found.dice == pytest.approx(2 * 20**3 / (20**3 + 30**3), abs=0.01)


def test_a_finer_grid_changes_little() -> None:
    coarse, fine = (2.0, 1.0, 1.0), (1.0, 1.0, 1.0)
    by = [
        mask_agreement(ball(n, 12, s), ball(n, 16, s), spacing=s)
        for n, s in ((41, coarse), (41, fine))
    ]
    assert by[0].mean_surface_distance == pytest.approx(by[1].mean_surface_distance, abs=0.5)


def test_simpleitk_agrees() -> None:
    sitk = pytest.importorskip("SimpleITK", reason="the extra `extract` is not installed")
    rng = np.random.default_rng(0)
    spacing = (2.5, 0.9, 1.1)
    fields = gaussian_filter(rng.normal(size=(2, 14, 24, 24)), (0, 2, 3, 3))
    base = ball(24, 9, (1, 1, 1))[5:19]
    base[[0, -1]] = False  # SimpleITK's contour takes what lies beyond the image for the mask
    one, other = (base & (field > -0.03) for field in fields)
    images = []
    for mask in (one, other):
        image = sitk.GetImageFromArray(mask.astype(np.uint8))
        image.SetSpacing(spacing[::-1])
        images.append(image)
    found = mask_agreement(one, other, spacing=spacing)
    np.testing.assert_array_equal(agreement_of_images(*images).table["value"], found.table["value"])
    moved = sitk.Image(images[1])
    moved.SetOrigin((1.0, 0.0, 0.0))
    with pytest.raises(ValueError, match=r"same grid, but are .*from \(0, 0, 0\) and .*\(1, 0, 0"):
        agreement_of_images(images[0], moved)
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(*images)
    assert found.dice == pytest.approx(overlap.GetDiceCoefficient(), abs=1e-12)
    # SimpleITK's own Hausdorff filter is of whole masks; on their contours it is of surfaces.
    contours = [sitk.LabelContour(image, fullyConnected=False) for image in images]
    surface = sitk.HausdorffDistanceImageFilter()
    surface.Execute(*contours)
    assert found.hausdorff == pytest.approx(surface.GetHausdorffDistance(), rel=1e-6)
    away = []
    for here, there in (contours, contours[::-1]):
        distance = sitk.SignedMaurerDistanceMap(there, squaredDistance=False, useImageSpacing=True)
        values = np.maximum(sitk.GetArrayFromImage(distance), 0)
        away.append(values[sitk.GetArrayFromImage(here) > 0])
    assert found.mean_surface_distance == pytest.approx(np.concatenate(away).mean(), rel=1e-6)
    ninety_five = max(np.quantile(part, 0.95) for part in away)
    assert found.hausdorff_95 == pytest.approx(ninety_five, rel=1e-6)


@settings(max_examples=25)
@given(seed=st.integers(0, 100), scale=st.floats(0.2, 5))
def test_order_units_and_place(seed: int, scale: float) -> None:
    one, other = np.random.default_rng(seed).random((2, 4, 5, 6)) < 0.4
    spacing = np.array([3.0, 1.0, 0.7])
    found = mask_agreement(one, other, spacing=spacing).table["value"].to_numpy()
    turned = mask_agreement(other, one, spacing=spacing).table["value"].to_numpy()
    np.testing.assert_allclose(turned, found[[0, 1, 2, 3, 5, 4]], rtol=1e-12)
    larger = mask_agreement(one, other, spacing=scale * spacing).table["value"].to_numpy()
    powers = np.array([0, 1, 1, 1, 3, 3])
    np.testing.assert_allclose(larger, found * scale**powers, rtol=1e-9)
    moved = [np.pad(mask, ((2, 1), (0, 3), (4, 0))) for mask in (one, other)]
    there = mask_agreement(moved[0], moved[1], spacing=spacing).table["value"].to_numpy()
    np.testing.assert_allclose(there, found, rtol=1e-12)
    assert found[1] <= found[3]
    assert found[2] <= found[3]


def test_the_same_mask_and_a_worse_one() -> None:
    mask = cube((10, 10), (2, 2), (5, 5))
    same = mask_agreement(mask, mask, spacing=(1, 1))
    assert (same.dice, same.mean_surface_distance, same.hausdorff) == (1, 0, 0)
    near, far = (
        mask_agreement(mask, np.roll(mask, step, axis=0), spacing=(1, 1)) for step in (1, 2)
    )
    assert 1 > near.dice > far.dice
    assert 0 < near.mean_surface_distance < far.mean_surface_distance


def test_empty_masks() -> None:
    mask, empty = cube((5, 5), (1, 1), (2, 2)), np.zeros((5, 5))
    found = mask_agreement(mask, empty, spacing=(1, 1))
    assert found.dice == 0
    assert np.isnan([found.mean_surface_distance, found.hausdorff, found.hausdorff_95]).all()
    assert np.isnan(mask_agreement(empty, empty, spacing=(1, 1)).dice)


def test_one_voxel_each() -> None:
    one, other = cube((3, 9), (1, 1), (1, 1)), cube((3, 9), (1, 5), (1, 1))
    found = mask_agreement(one, other, spacing=(1, 0.5))
    assert found.table["value"].tolist() == [0, 2, 2, 2, 0.5, 0.5]


@pytest.mark.parametrize(
    ("one", "other", "spacing", "message"),
    [
        (np.zeros((2, 2)), np.zeros((2, 3)), (1, 1), r"same grid.*\(2, 2\) and \(2, 3\)"),
        (np.full((2, 2), 2), np.zeros((2, 2)), (1, 1), "one must hold 0 and 1 only, but 4 of 4"),
        (np.zeros((2, 2)), np.full((2, 2), 0.5), (1, 1), "other must hold 0 and 1"),
        (np.zeros(2), np.zeros(2), (1,), "two or three dimensions"),
        (np.zeros((2, 2)), np.zeros((2, 2)), (1, 1, 1), "each of 2 axes"),
        (np.zeros((2, 2)), np.zeros((2, 2)), (1, 0), "a size above zero"),
    ],
)
def test_wrong_input_is_named(one: Any, other: Any, spacing: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mask_agreement(one, other, spacing=spacing)


def test_notebook_shows_every_measure() -> None:
    mask = cube((4, 4), (1, 1), (2, 2))
    section = shown(mask_agreement(mask, mask, spacing=(1, 1)))
    (table,) = section.blocks  # type: ignore[union-attr]
    assert isinstance(table, Table)
    assert isinstance(table.table, TableRows)
    assert table.table.rows[0][:2] == ("Dice", "1")
    assert len(table.table.rows) == 6
