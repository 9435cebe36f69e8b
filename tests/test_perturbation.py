"""Perturbed masks: what each change does by hand, seeds, properties, edges; images' noise."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_erosion, center_of_mass

from omics.errors import CaseError
from omics.mask_agreement import mask_agreement
from omics.perturbation import PerturbationSettings, noise_of, perturbations, perturbed_masks
from omics.reliability import icc


def ball(radius: float = 8, n: int = 41) -> NDArray[np.bool_]:
    axis = np.arange(n) - n // 2
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    return np.asarray(z**2 + y**2 + x**2 <= radius**2)


def perturbed(mask: NDArray[np.bool_], n: int = 1, seed: int = 0, **how: Any) -> Any:
    spacing = how.pop("spacing", (1.0,) * mask.ndim)
    return perturbed_masks(
        mask, spacing=spacing, n=n, seed=seed, settings=PerturbationSettings(**how)
    )


def test_nothing_asked_for_changes_nothing() -> None:
    for copy in perturbed(ball(), n=3):
        np.testing.assert_array_equal(copy, ball())


def test_shift_moves_the_mask_as_far_as_asked_in_every_direction() -> None:
    spacing = (2.0, 1.0, 1.0)
    copies = perturbed(ball(10), n=40, shift=3.0, spacing=spacing)
    centre = np.array(center_of_mass(ball(10)))
    moves = np.array([(np.array(center_of_mass(copy)) - centre) * spacing for copy in copies])
    lengths = np.linalg.norm(moves, axis=1)
    np.testing.assert_allclose(lengths, 3.0, atol=1.0)  # half of the largest voxel
    assert lengths.mean() == pytest.approx(3.0, abs=0.1)
    assert np.linalg.norm(moves.mean(axis=0)) < 1.0
    sizes = [copy.sum() / ball(10).sum() for copy in copies]
    np.testing.assert_allclose(sizes, 1.0, atol=0.03)


@pytest.mark.parametrize("step", [-2.0, 2.0])
def test_growing_is_dilation_and_shrinking_erosion_by_a_ball(step: float) -> None:
    (copy,) = perturbed(ball(), grow=(step, step))
    change = binary_dilation if step > 0 else binary_erosion
    np.testing.assert_array_equal(copy, change(ball(), ball(2, 5)))


def test_growth_is_in_mm() -> None:
    rod = np.zeros((1, 3, 30), dtype=bool)
    rod[0, 1, 10:20] = True
    (copy,) = perturbed(rod, grow=(3.0, 3.0), spacing=(9.0, 9.0, 1.5))
    assert np.flatnonzero(copy[0, 1]).tolist() == list(range(8, 22))
    assert copy.sum() == 14
    (less,) = perturbed(ball(8), grow=(-3.0, -3.0))
    assert np.cbrt(less.sum() / ball(8).sum()) * 8 == pytest.approx(5, abs=0.5)


def test_contour_noise_moves_the_surface_both_ways() -> None:
    copies = perturbed(ball(12), n=20, contour=2.0)
    volumes = np.array([copy.sum() for copy in copies]) / ball(12).sum()
    assert volumes.std() > 0.02
    assert abs(volumes.mean() - 1) < 0.15
    apart = [mask_agreement(copy, ball(12), spacing=(1, 1, 1)) for copy in copies[:5]]
    assert all(0.5 < one.mean_surface_distance < 3 for one in apart)
    gained = [(copy & ~ball(12)).any() and (ball(12) & ~copy).any() for copy in copies]
    assert all(gained)


def test_more_noise_means_less_agreement() -> None:
    dice = [
        np.mean(
            [
                mask_agreement(copy, ball(), spacing=(1, 1, 1)).dice
                for copy in perturbed(ball(), n=8, contour=amount)
            ]
        )
        for amount in (1.2, 2.0, 3.0)
    ]
    assert dice[0] > dice[1] > dice[2]


def test_copies_follow_from_seed_and_number_alone() -> None:
    how = {"shift": 1.0, "contour": 1.5, "grow": (-1.0, 2.0)}
    ten, three = perturbed(ball(), n=10, seed=4, **how), perturbed(ball(), n=3, seed=4, **how)
    np.testing.assert_array_equal(ten[:3], three)
    other = perturbed(ball(), n=3, seed=5, **how)
    assert (np.array(other) != np.array(three)).any()
    assert len({copy.tobytes() for copy in ten}) == 10
    mask = ball()
    perturbed(mask, **how)
    np.testing.assert_array_equal(mask, ball())


def test_place_in_the_image_changes_nothing() -> None:
    mask = ball(6, 31)
    moved = np.pad(mask, ((4, 0), (0, 6), (1, 1)))
    one = perturbed(mask, n=2, contour=1.5, shift=1.0)
    two = perturbed(moved, n=2, contour=1.5, shift=1.0)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(np.pad(a, ((4, 0), (0, 6), (1, 1))), b)


def test_mask_at_the_border_of_the_image_shrinks_there_too() -> None:
    (copy,) = perturbed(np.ones((7, 7), dtype=bool), grow=(-2.0, -2.0))
    assert np.flatnonzero(copy.any(axis=0)).tolist() == [2, 3, 4]


def test_perturbations_are_readings_of_a_reliability() -> None:
    """Volume of lesions of many sizes comes back; a feature that is all chance does not."""
    rng = np.random.default_rng(0)
    readings = []
    for radius in np.linspace(4, 12, 12):
        copies = perturbed(ball(float(radius)), n=4, contour=1.2, seed=int(radius * 10))
        readings.append([[copy.sum(), rng.normal()] for copy in copies])
    found = icc(readings, form="ICC(1)", names=["volume", "chance"]).table
    assert found["lower"][0] > 0.9 > found["upper"][1]


def test_noise_of_an_image_is_found() -> None:
    rng = np.random.default_rng(1)
    slope = np.add.outer(np.arange(40.0), np.arange(40.0))
    image = slope + rng.normal(scale=3.0, size=(6, 40, 40))
    mask = np.zeros(image.shape, dtype=bool)
    mask[:, 5:35, 5:35] = True
    assert noise_of(image, mask) == pytest.approx(3.0, rel=0.03)
    assert noise_of(np.broadcast_to(slope, (6, 40, 40)), mask) == pytest.approx(0, abs=1e-10)
    edge = np.zeros((5, 5), dtype=bool)
    edge[0, 0] = True
    assert noise_of(np.ones((5, 5)), edge) == 0


def test_images_keep_their_place_and_gain_noise() -> None:
    sitk = pytest.importorskip("SimpleITK", reason="the extra `extract` is not installed")
    grey = np.random.default_rng(2).normal(100, 5, size=(15, 21, 21))
    image = sitk.GetImageFromArray(grey)
    mask = sitk.GetImageFromArray(ball(5, 21)[3:18].astype(np.uint8))
    for one in (image, mask):
        one.SetSpacing((1.0, 1.0, 2.0))
        one.SetOrigin((5.0, 6.0, 7.0))
    settings = PerturbationSettings(shift=1.0, noise=1.0)
    pairs = perturbations(mask, image, n=3, seed=0, settings=settings)
    for new_mask, new_image in pairs:
        assert new_mask.GetOrigin() == mask.GetOrigin()
        assert new_image.GetSpacing() == image.GetSpacing()
        assert new_mask.GetPixelID() == sitk.sitkUInt8
        added = sitk.GetArrayFromImage(new_image) - grey
        assert added.std() == pytest.approx(5, rel=0.05)
    quiet = perturbations(mask, image, n=2, seed=0, settings=PerturbationSettings(shift=1.0))
    assert all(same is image for _, same in quiet)
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(quiet[0][0]), sitk.GetArrayFromImage(pairs[0][0])
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: perturbed(ball(), n=0), "n must be a whole number of 1 or more, but is 0"),
        (
            lambda: PerturbationSettings(shift=-1),
            "shift must be a number of mm, 0 or more, but is -1",
        ),
        (lambda: PerturbationSettings(noise=np.nan), "noise must be a number of times"),
        (lambda: PerturbationSettings(grow=(2.0, 1.0)), "grow must rise"),
        (lambda: PerturbationSettings(smoothness=0), "smoothness must be above 0"),
    ],
)
def test_wrong_input_is_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_copy_may_shrink_to_nothing_and_an_empty_mask_is_named() -> None:
    assert not any(one.any() for one in perturbed(ball(0, 9), grow=(-1.0, -1.0)))
    with pytest.raises(CaseError, match="mask is empty"):
        perturbed(np.zeros((3, 3), dtype=bool))
