"""Peritumoral rings: volumes of balls, Maurer's distance, and what has no ring."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omics.errors import CaseError
from omics.rings import check_ring, ring, ring_name, ring_of

sitk = pytest.importorskip("SimpleITK", reason="images need the extra: nomomics[extract]")


def image_of(array, spacing=(1.0, 1.0, 1.0), direction=None):
    image = sitk.GetImageFromArray(np.asarray(array, dtype=np.uint8))
    image.SetSpacing(spacing)
    image.SetOrigin((-7.0, 3.0, 11.0))
    if direction is not None:
        image.SetDirection(direction)
    return image


def voxels(image):
    return sitk.GetArrayFromImage(image).astype(bool)


def ball(radius, shape, spacing):
    """Return a ball in mm about the middle of the grid; spacing and shape as array axes."""
    axes = [(np.arange(n) - n // 2) * step for n, step in zip(shape, spacing, strict=True)]
    squared = sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij"))
    return squared <= radius**2


def test_ring_of_one_voxel_is_a_ball_of_voxel_centres() -> None:
    # 6 neighbours at 1 mm, 12 at sqrt(2): counted by hand
    point = np.zeros((7, 7, 7))
    point[3, 3, 3] = 1
    assert voxels(ring(image_of(point), inner=0, outer=1)).sum() == 6
    assert voxels(ring(image_of(point), inner=0, outer=1.5)).sum() == 18
    assert voxels(ring(image_of(point), inner=1, outer=1.5)).sum() == 12


def test_thick_slices_count_in_mm() -> None:
    point = np.zeros((5, 9, 9))
    point[2, 4, 4] = 1
    found = voxels(ring(image_of(point, (1.0, 1.0, 3.0)), inner=0, outer=3))
    assert found[:, 4, 4].tolist() == [False, True, False, True, False]  # 3 mm up and down
    assert found[2, 4].sum() == 6  # 1, 2, 3 mm to each side
    assert found[1].sum() == 1


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 0.8, 2.0)])
def test_ring_of_a_ball_is_a_shell(spacing) -> None:
    shape = tuple(int(2 * 21 / step) + 5 for step in spacing[::-1])
    region = ball(10, shape, spacing[::-1])
    found = voxels(ring(image_of(region, spacing), inner=0, outer=10))
    assert not (found & ~ball(20, shape, spacing[::-1])).any()
    half_diagonal = np.linalg.norm(spacing) / 2  # so near is a centre to every point of the ball
    assert found[ball(20 - half_diagonal, shape, spacing[::-1]) & ~region].all()
    # the ball of centres lies inside the ball: the shell loses a quarter of a voxel on its outside
    ideal = 4 / 3 * np.pi * (20**3 - 10**3)
    assert found.sum() * np.prod(spacing) == pytest.approx(ideal, rel=0.05)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 1.1, 2.5)])
def test_distances_are_those_of_maurer(spacing) -> None:
    rng = np.random.default_rng(5)
    region = rng.random((14, 22, 24)) > 0.995
    image = image_of(region, spacing, direction=(0, 1, 0, -1, 0, 0, 0, 0, 1))
    to_set = sitk.SignedMaurerDistanceMap(
        image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    # Maurer's map is 0 on the border voxels of the region, as ours is in all of it
    distance = sitk.GetArrayFromImage(to_set)
    wanted = (distance > 2 + 1e-4) & (distance <= 6 + 1e-4)
    found = ring(image, inner=2, outer=6)
    np.testing.assert_array_equal(voxels(found), wanted)
    assert found.GetDirection() == image.GetDirection()
    assert found.GetOrigin() == image.GetOrigin()
    assert found.GetPixelID() == sitk.sitkUInt8


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    cut=st.floats(0.5, 4.0),
    outer=st.floats(4.5, 9.0),
    step=st.floats(0.5, 3.0),
)
def test_rings_part_the_surroundings(seed: int, cut: float, outer: float, step: float) -> None:
    region = np.random.default_rng(seed).random((6, 9, 8)) > 0.9
    region[3, 4, 4] = True
    spacing = (step, 1.0, 0.9)
    near = ring_of(region, spacing=spacing, inner=0, outer=cut)
    far = ring_of(region, spacing=spacing, inner=cut, outer=outer)
    whole = ring_of(region, spacing=spacing, inner=0, outer=outer)
    assert not (near & far).any()
    assert not (whole & region).any()
    np.testing.assert_array_equal(near | far, whole)


def test_single_precision_spacing_moves_no_voxel() -> None:
    point = np.zeros((3, 3, 21))
    point[1, 1, 10] = 1
    rounded = float(np.float32(0.1) * np.float32(10.000001))
    exact = voxels(ring(image_of(point, (1.0, 1.0, 1.0)), inner=0, outer=5))
    close = voxels(ring(image_of(point, (rounded, 1.0, 1.0)), inner=0, outer=5))
    np.testing.assert_array_equal(close, exact)


def test_ring_stays_in_the_brain_and_in_the_image() -> None:
    region = np.zeros((9, 9, 9))
    region[4, 4, 0] = 1  # at the border of the image
    brain = np.ones((9, 9, 9))
    brain[:4] = 0
    found = voxels(ring(image_of(region), inner=0, outer=2, brain_mask=image_of(brain * 7)))
    free = voxels(ring(image_of(region), inner=0, outer=2))
    np.testing.assert_array_equal(found, free & (brain > 0))
    half = ball(2, (9, 9, 17), (1, 1, 1))[:, :, 8:]
    half[4, 4, 0] = False
    np.testing.assert_array_equal(free, half)


def test_ring_leaves_the_mask_as_it_was() -> None:
    region = ball(2, (9, 9, 9), (1, 1, 1))
    image = image_of(region)
    ring(image, inner=0, outer=2)
    np.testing.assert_array_equal(voxels(image), region)


def test_name() -> None:
    assert ring_name("1+2+4", 0, 5) == "1+2+4 ring 0-5 mm"


@pytest.mark.parametrize(
    ("inner", "outer"), [(5, 5), (5, 2), (-1, 3), (0, float("inf")), (float("nan"), 2)]
)
def test_distances_out_of_order_are_refused(inner: float, outer: float) -> None:
    with pytest.raises(ValueError, match=r"0 <= inner < outer in mm, but it goes from .* in order"):
        check_ring(inner, outer)


def test_cases_without_a_ring_say_why() -> None:
    empty, full = np.zeros((4, 4, 4)), np.ones((4, 4, 4))
    with pytest.raises(CaseError, match=r"no voxel of it is set\. Correct the mask"):
        ring(image_of(empty), inner=0, outer=5)
    with pytest.raises(CaseError, match=r"from 0 to 5 mm.*none at that distance\. Take a wider"):
        ring(image_of(full), inner=0, outer=5)
    point = empty.copy()
    point[1, 1, 1] = 1
    with pytest.raises(CaseError, match="voxels of 1 x 1 x 3 mm has none at that distance"):
        ring(image_of(point, (1, 1, 3)), inner=0.1, outer=0.5)
    with pytest.raises(CaseError, match=r"all 6 of it lie outside the brain mask"):
        ring(image_of(point), inner=0, outer=1, brain_mask=image_of(point))
    with pytest.raises(
        CaseError,
        match=r"4 x 4 x 4 voxels of 1 x 1 x 1 mm.*brain mask 4 x 4 x 4 voxels of 1 x 1 x 2",
    ):
        ring(image_of(point), inner=0, outer=1, brain_mask=image_of(full, (1, 1, 2)))
