"""The slice shown of a case: the right one, the right way up, with true sides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omics.preview import preview

sitk = pytest.importorskip("SimpleITK", reason="the extra extract is not installed")

RIGHT_SIDE_UP = (1, 0, 0, 0, 1, 0, 0, 0, 1)  # columns to the left, rows to posterior, slices up


def image_of(voxels: np.ndarray, *, spacing=(1, 1, 1), direction=RIGHT_SIDE_UP):
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(spacing)
    image.SetDirection(direction)
    return image


def test_the_slice_with_most_of_the_union_is_shown() -> None:
    core, oedema = np.zeros((2, 4, 6, 6), dtype=np.uint8)
    core[1, 2:4, 2:4] = 1  # the core is largest in slice 2, the union in slice 3
    core[2, 2, 2] = 1
    oedema[2, 1:5, 1:5] = 1
    seen = preview(image_of(core), {"core": image_of(core), "oedema": image_of(oedema)})
    assert seen.slice == 3
    assert seen.regions == ("core", "oedema")
    assert (seen.mask == 1).sum() == 1  # drawn over the larger region, not hidden by it
    assert (seen.mask == 2).sum() == 15
    assert repr(seen) == "Preview(slice 3, 6 x 6 pixels, 2 regions)"


def test_of_slices_with_the_same_union_the_one_with_the_core_is_shown() -> None:
    core, whole = np.zeros((2, 5, 6, 6), dtype=np.uint8)
    whole[1:4, 1:5, 1:5] = 1
    core[2, 2:4, 2:4] = 1
    assert preview(image_of(core), {"1+2": image_of(whole), "1": image_of(core)}).slice == 3


@pytest.mark.parametrize(
    ("direction", "row", "column"),
    [
        (RIGHT_SIDE_UP, 0, 0),
        ((-1, 0, 0, 0, -1, 0, 0, 0, 1), -1, -1),  # as NIfTI files are often stored: turned round
        ((-1, 0, 0, 0, 1, 0, 0, 0, 1), 0, -1),
        ((1, 0, 0, 0, 0, -1, 0, 1, 0), 0 - 1, 0),  # coronal: rows run up, towards superior
        ((1, 0, 0, 0, 0, 1, 0, -1, 0), 0, 0),  # coronal: rows run down
    ],
)
def test_anterior_or_superior_is_up_and_left_at_the_right(
    direction: tuple[int, ...], row: int, column: int
) -> None:
    voxels = np.zeros((2, 5, 7), dtype=np.uint8)
    voxels[1, 0, 0] = 1
    image = image_of(voxels, direction=direction)
    seen = preview(image, {"1": image})
    assert seen.mask[row, column] == 1
    assert seen.mask.sum() == 1
    assert seen.grey[row, column] == 255


def test_sides_are_true_and_at_most_192_pixels_wide() -> None:
    voxels = np.zeros((1, 100, 400), dtype=np.float32)
    voxels[0, 25:75, 100:300] = 1
    mask = image_of((voxels > 0).astype(np.uint8), spacing=(0.5, 1.0, 5.0))
    seen = preview(image_of(voxels, spacing=(0.5, 1.0, 5.0)), {"1": mask})
    assert seen.grey.shape == seen.mask.shape == (96, 192)  # 100 mm x 200 mm
    assert seen.grey.dtype == seen.mask.dtype == np.uint8
    np.testing.assert_array_equal(seen.mask[24:72, 48:144], 1)
    assert seen.mask.sum() == 48 * 96
    np.testing.assert_array_equal(seen.grey[24:72, 48:144], 255)


def test_one_bright_voxel_does_not_darken_the_rest() -> None:
    voxels = np.tile(np.linspace(0, 100, 40), (1, 40, 1))
    voxels[0, 0, 0] = 1e6
    mask = image_of(np.ones(voxels.shape, dtype=np.uint8))
    grey = preview(image_of(voxels), {"1": mask}).grey
    assert grey[20, -1] == 255
    assert abs(int(grey[20, 20]) - 128) < 6


@given(value=st.sampled_from([0.0, -1024.0, 7.5]))
def test_an_image_of_one_value_is_black(value: float) -> None:
    voxels = np.full((2, 3, 3), value)
    mask = image_of(np.ones(voxels.shape, dtype=np.uint8))
    assert not preview(image_of(voxels), {"1": mask}).grey.any()


@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 300))
def test_the_mean_grey_survives_the_shrinking(seed: int, height: int, width: int) -> None:
    voxels = np.random.default_rng(seed).uniform(size=(1, height, width))
    image, mask = image_of(voxels), image_of(np.ones(voxels.shape, dtype=np.uint8))
    grey = preview(image, {"1": mask}).grey
    lower, upper = np.percentile(voxels, (1, 99))
    expected = np.clip((voxels - lower) / max(upper - lower, 1e-12), 0, 1).mean() * 255
    if upper > lower:
        assert grey.mean() == pytest.approx(expected, abs=1)  # rounded to whole greys
    assert grey.shape[1] == min(width, 192)
