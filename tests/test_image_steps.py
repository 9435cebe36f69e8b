"""Bias correction and z-scores do what they say, on a head whose truth is known."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omics.errors import CaseError
from omics.image_steps import ImageSteps, prepare
from tests.made_images import noise, oblique, sitk, volume


def head() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the truth (two tissues), what a coil makes of it, and the brain."""
    shape = (20, 28, 28)
    z, y, x = np.indices(shape)
    apart = np.sqrt(((x - 14) / 12) ** 2 + ((y - 14) / 12.5) ** 2 + ((z - 10) / 8.5) ** 2)
    truth = np.where(apart < 0.6, 140.0, 100.0) * (apart < 1)
    field = np.exp(0.35 * np.sin(x / 18) + 0.4 * (y / 28 - 0.5) + 0.2 * z / 20)
    grain = np.random.default_rng(0).normal(0, 1, shape)
    return truth, np.clip(truth * field + grain, 0, None), apart < 0.95


@pytest.mark.parametrize("masked", [True, False])
def test_bias_is_taken_away(masked: bool) -> None:
    truth, seen, brain = head()
    image = volume(seen.astype(np.float32), spacing=(5.0, 5.0, 6.0), direction=oblique())
    mask = volume(brain.astype(np.uint8), spacing=(5.0, 5.0, 6.0), direction=oblique())
    corrected = prepare(image, brain_mask=mask if masked else None, steps=ImageSteps(n4=True))
    values = sitk.GetArrayFromImage(corrected)
    before = np.corrcoef(seen[brain], truth[brain])[0, 1]
    after = np.corrcoef(values[brain], truth[brain])[0, 1]
    assert before < 0.9
    assert after > 0.99
    for tissue in (100.0, 140.0):
        inside = brain & (truth == tissue)
        # the field is smooth, so a corner of it remains: a third of the spread at most
        assert np.std(values[inside]) / values[inside].mean() < (
            np.std(seen[inside]) / seen[inside].mean() / 3
        )
    assert corrected.GetOrigin() == image.GetOrigin()
    assert corrected.GetDirection() == image.GetDirection()


def test_bias_correction_gives_the_same_again() -> None:
    _, seen, _ = head()
    image = volume(seen[::2, ::2, ::2].astype(np.float32), spacing=(10.0, 10.0, 12.0))
    once, again = (
        sitk.GetArrayFromImage(prepare(image, brain_mask=None, steps=ImageSteps(n4=True)))
        for _ in range(2)
    )
    np.testing.assert_array_equal(once, again)


def test_z_scores_inside_the_brain() -> None:
    _, seen, brain = head()
    mask = volume(brain.astype(np.uint8))
    scored = prepare(volume(seen), brain_mask=mask, steps=ImageSteps(z_score="brain"))
    values = sitk.GetArrayFromImage(scored)
    assert values[brain].mean() == pytest.approx(0, abs=1e-12)
    assert values[brain].std() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(values, (seen - seen[brain].mean()) / seen[brain].std(), rtol=1e-12)


def test_z_scores_of_the_whole_image() -> None:
    _, seen, brain = head()
    mask = volume(brain.astype(np.uint8))  # has no say
    scored = prepare(volume(seen), brain_mask=mask, steps=ImageSteps(z_score="image"))
    values = sitk.GetArrayFromImage(scored)
    np.testing.assert_allclose(values, (seen - seen.mean()) / seen.std(), rtol=1e-12)


def test_whole_numbers_are_scored_as_numbers() -> None:
    # by hand: 2 and 4 in equal parts have mean 3 and standard deviation 1
    values = np.repeat([2, 4], 32).reshape(4, 4, 4).astype(np.uint8)
    scored = prepare(volume(values), brain_mask=None, steps=ImageSteps(z_score="image"))
    assert set(np.unique(sitk.GetArrayFromImage(scored))) == {-1.0, 1.0}


@given(factor=st.floats(0.01, 100), shift=st.floats(-1000, 1000))
def test_the_unit_of_the_scanner_has_no_say_in_z_scores(factor: float, shift: float) -> None:
    plain = noise().astype(np.float64)
    steps = ImageSteps(z_score="image")
    one, other = (
        sitk.GetArrayFromImage(prepare(volume(values), brain_mask=None, steps=steps))
        for values in (plain, plain * factor + shift)
    )
    np.testing.assert_allclose(one, other, atol=1e-8)


def test_no_step_leaves_the_image_as_it_is() -> None:
    image = volume(noise())
    assert prepare(image, brain_mask=None, steps=ImageSteps()) is image


def test_arguments_stay_as_they_were() -> None:
    _, seen, brain = head()
    image, mask = volume(seen.astype(np.float32)), volume(brain.astype(np.uint8))
    prepare(image, brain_mask=mask, steps=ImageSteps(z_score="brain"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), seen.astype(np.float32))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), brain)


@pytest.mark.parametrize(
    ("values", "mask", "steps", "message"),
    [
        (noise(), None, ImageSteps(z_score="brain"), "brain_mask must be stated"),
        (noise(), np.zeros((8, 12, 14)), ImageSteps(z_score="brain"), "but is empty"),
        (noise(), np.ones((8, 12, 13)), ImageSteps(n4=True), r"14 x 12 x 8 .* 13 x 12 x 8 voxels"),
        (
            np.full((8, 12, 14), 3),
            np.ones((8, 12, 14)),
            ImageSteps(z_score="brain"),
            "all 1344 voxels of the brain mask are 3",
        ),
        (noise() - 2000, np.ones((8, 12, 14)), ImageSteps(n4=True), "above 0 .* holds none"),
    ],
)
def test_steps_that_cannot_be_taken(
    values: np.ndarray, mask: Any, steps: ImageSteps, message: str
) -> None:
    brain = None if mask is None else volume(mask.astype(np.uint8))
    with pytest.raises(CaseError, match=message):
        prepare(volume(values.astype(np.int16)), brain_mask=brain, steps=steps)


@pytest.mark.parametrize(("side", "held"), [(3, 0), (8, 8), (15, 27)])
def test_a_bias_is_not_learnt_from_few_voxels(side: int, held: int) -> None:
    # thinned to every fourth voxel: the centres of a cube of 3 voxels are missed altogether
    values = volume(noise((40, 40, 40)) + 2000, spacing=(1.0, 1.0, 1.0))
    brain = np.zeros((40, 40, 40), np.uint8)
    brain[3 : 3 + side, 3 : 3 + side, 3 : 3 + side] = 1
    mask = volume(brain, spacing=(1.0, 1.0, 1.0))
    with pytest.raises(CaseError, match=rf"^brain_mask .* 64 voxels .* holds {held}: too few"):
        prepare(values, brain_mask=mask, steps=ImageSteps(n4=True))
    scored = prepare(values, brain_mask=mask, steps=ImageSteps(z_score="brain"))
    assert scored.GetSize() == (40, 40, 40)  # z-scores need no more


def test_a_bias_is_not_learnt_from_a_small_foreground() -> None:
    values = np.zeros((40, 40, 40), np.float32)
    values[3:6, 3:6, 3:6] = 100
    with pytest.raises(CaseError, match=r"^Otsu's foreground must hold at least 64 voxels"):
        prepare(volume(values, spacing=(1.0, 1.0, 1.0)), brain_mask=None, steps=ImageSteps(n4=True))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_bias_is_not_learnt_from_one_slice(axis: int) -> None:
    values = np.take(noise() + 2000, [0], axis=axis).astype(np.float32)
    brain = volume(np.ones(values.shape, np.uint8))
    for mask in (None, brain):
        with pytest.raises(CaseError, match=r"axis for N4, but has .*\b1\b"):
            prepare(volume(values), brain_mask=mask, steps=ImageSteps(n4=True))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"z_score": "tumour"}, "one of none, brain, image, but is 'tumour'"),
        ({"rings": ((0.0, 5.0), (5.0, 5.0))}, r"1 of 2 do not \(first: \(5\.0, 5\.0\)\)"),
        ({"rings": ((-1.0, 5.0),)}, "outwards from 0 mm"),
        (
            {"rings": ((0.0, np.inf),)},
            r"finite distance, but 1 of 1 do not \(first: \(0\.0, inf\)\)",
        ),
        ({"rings": ((np.nan, 5.0),)}, "finite distance"),
    ],
)
def test_steps_that_are_none(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageSteps(**wrong)


def test_what_changes_a_number_is_recorded() -> None:
    plain = ImageSteps().recorded
    assert plain == {"n4": False, "z_score": "none", "resample_mask": False, "rings": []}
    changed = ImageSteps(n4=True, z_score="image", resample_mask=True, rings=((0, 5),)).recorded
    assert all(changed[name] != plain[name] for name in plain)
    assert changed["n4"] == {"grid_mm": 4.0, "iterations": [50] * 4, "convergence": 0.001}
    assert changed["rings"] == [[0.0, 5.0]]
