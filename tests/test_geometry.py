"""One grid or two: what formats round is forgiven, what moves a voxel is not."""

import numpy as np
import pytest

from omics.geometry import grid_text, same_grid

sitk = pytest.importorskip("SimpleITK", reason="images need the extra: nomomics[extract]")


def grid(size=(4, 5, 6), spacing=(1.0, 1.0, 3.0), origin=(-10.0, 0.0, 2.5), turn=0.0):
    image = sitk.Image(size, sitk.sitkUInt8)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    c, s = np.cos(turn), np.sin(turn)
    image.SetDirection((c, -s, 0, s, c, 0, 0, 0, 1))
    return image


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({}, True),
        ({"spacing": (float(np.float32(1.0 + 1e-7)), 1.0, 3.0)}, True),
        ({"origin": (-10.0000005, 0.0, 2.5)}, True),
        ({"turn": 1e-7}, True),
        ({"size": (4, 5, 7)}, False),
        ({"spacing": (1.001, 1.0, 3.0)}, False),
        ({"origin": (-10.0, 0.0, 2.6)}, False),
        ({"turn": 0.01}, False),
    ],
)
def test_same_grid(changed, same: bool) -> None:
    assert same_grid(grid(), grid(**changed)) is same
    assert same_grid(grid(**changed), grid()) is same


def test_grid_in_words() -> None:
    assert grid_text(grid()) == "4 x 5 x 6 voxels of 1 x 1 x 3 mm from (-10, 0, 2.5)"
    assert grid_text(grid(turn=np.pi / 2)).endswith(
        "direction (6.123e-17, -1, 0, 1, 6.123e-17, 0, 0, 0, 1)"
    )
