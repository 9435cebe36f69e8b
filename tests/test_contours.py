"""Contours become voxels: areas that are known, holes, and a slower program as witness."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omics.contours import filled
from omics.errors import CaseError
from tests.made_images import SPACING, in_mm, noise, oblique, volume

SHAPE = (6, 40, 50)
IMAGE = volume(np.zeros(SHAPE, np.uint8), direction=oblique())


def square(low: float, high: float) -> np.ndarray:
    return np.array([[low, low], [high, low], [high, high], [low, high]])


def circle(x: float, y: float, radius: float, n: int = 400) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.column_stack([x + radius * np.cos(turn), y + radius * np.sin(turn)])


def test_a_square_holds_its_centres() -> None:
    region = filled([in_mm(IMAGE, square(9.5, 19.5), 2)], IMAGE)
    expected = np.zeros(SHAPE, bool)
    expected[2, 10:20, 10:20] = True
    np.testing.assert_array_equal(region, expected)


def test_a_hole_stays_empty() -> None:
    contours = [in_mm(IMAGE, square(4.5, 24.5), 1), in_mm(IMAGE, square(9.5, 14.5), 1)]
    region = filled(contours, IMAGE)
    assert region.sum() == 20**2 - 5**2
    assert not region[1, 10:15, 10:15].any()
    np.testing.assert_array_equal(region, filled(contours[::-1], IMAGE))


def test_a_hole_joined_by_a_keyhole() -> None:
    outer, inner = square(4.5, 24.5), square(9.5, 14.5)
    keyhole = np.vstack([outer, outer[:1], inner[[0, 3, 2, 1]], inner[:1]])
    assert filled([in_mm(IMAGE, keyhole, 1)], IMAGE).sum() == 20**2 - 5**2


def test_a_circle_has_its_area() -> None:
    # the error of counting centres is bounded by the perimeter
    region = filled([in_mm(IMAGE, circle(24.3, 19.1, 15), 0)], IMAGE)
    assert region.sum() == pytest.approx(np.pi * 15**2, rel=0.01)
    x, y = np.meshgrid(np.arange(50), np.arange(40))
    apart = np.hypot(x - 24.3, y - 19.1)
    assert region[0][apart < 14.99].all()
    assert not region[0][apart > 15].any()


@given(
    corners=st.lists(
        st.tuples(st.floats(-0.4, 49.3), st.floats(-0.4, 39.3)),
        min_size=3,
        max_size=12,
        unique=True,
    )
)
def test_any_polygon_agrees_with_a_slower_program(corners: list[tuple[float, float]]) -> None:
    measure = pytest.importorskip("skimage.measure", reason="scikit-image is in nomomics[extract]")
    # off the lattice: a centre on an edge is a convention, and theirs another
    polygon = np.round(np.array(corners), 1) + np.array([0.0317, 0.0471])
    upright = volume(np.zeros(SHAPE, np.uint8), spacing=(1.0, 1.0, 3.0), origin=(0.0, 0.0, 0.0))
    region = filled([in_mm(upright, polygon, 3)], upright)[3]
    centres = np.array([(x, y) for y in range(40) for x in range(50)], dtype=float)
    theirs = measure.points_in_poly(centres, polygon).reshape(40, 50)
    near = _near_an_edge(centres, polygon).reshape(40, 50)
    np.testing.assert_array_equal(region[~near], theirs[~near])


def _near_an_edge(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    start, end = polygon[:, None], np.roll(polygon, -1, axis=0)[:, None]
    along = end - start
    length = np.maximum((along**2).sum(axis=-1), 1e-300)
    share = np.clip(((points - start) * along).sum(axis=-1) / length, 0, 1)
    apart = np.linalg.norm(points - start - share[..., None] * along, axis=-1)
    return np.asarray((apart < 1e-4).any(axis=0))


@given(cut=st.floats(5, 15))
def test_contours_that_touch_share_no_voxel(cut: float) -> None:
    left = np.array([[2.0, 3], [cut, 3], [cut, 17], [2, 17]])
    right = np.array([[cut, 3.0], [20, 3], [20, 17], [cut, 17]])
    whole = np.array([[2.0, 3], [20, 3], [20, 17], [2, 17]])
    parts = [filled([in_mm(IMAGE, one, 2)], IMAGE) for one in (left, right)]
    assert not (parts[0] & parts[1]).any()
    np.testing.assert_array_equal(parts[0] | parts[1], filled([in_mm(IMAGE, whole, 2)], IMAGE))


@given(start=st.integers(0, 11), backwards=st.booleans())
def test_where_a_contour_begins_has_no_say(start: int, backwards: bool) -> None:
    polygon = circle(20.3, 18.2, 9.7, n=12)
    turned = np.roll(polygon, start, axis=0)[:: -1 if backwards else 1]
    np.testing.assert_array_equal(
        filled([in_mm(IMAGE, turned, 2)], IMAGE), filled([in_mm(IMAGE, polygon, 2)], IMAGE)
    )


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (-3.5, 4.5, "39 of its 64 voxels lie outside"),  # 8 x 8 voxels, of which 5 x 5 inside
        (35.5, 45.5, "60 of its 100 voxels lie outside"),  # 40 rows, 50 columns
        (-100, 100, "further beyond it than it is wide"),
    ],
)
def test_what_lies_beside_the_image_is_told(low: float, high: float, message: str) -> None:
    with pytest.raises(CaseError, match=message):
        filled([in_mm(IMAGE, square(low, high), 2)], IMAGE)


def test_a_contour_between_the_last_centres_and_the_border() -> None:
    region = filled([in_mm(IMAGE, square(-0.4, 39.4), 2)], IMAGE)
    assert region.sum() == region[2, :, :40].sum() == 40 * 40


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        ([1, 1.3], r"1 of 2 lie up to 0\.3 slices beside"),
        ([5, 6], "1 of 2 lie above or below its 6 slices"),
        ([0, 2, 4], "nearest two are 2 slices apart"),
    ],
)
def test_contours_of_another_series(slices: list[float], message: str) -> None:
    with pytest.raises(CaseError, match=message):
        filled([in_mm(IMAGE, square(5, 9), k) for k in slices], IMAGE)


def test_contours_across_slices_are_refused() -> None:
    polygon = in_mm(IMAGE, square(5, 15), 2)
    polygon[2:] += np.array(IMAGE.GetDirection()).reshape(3, 3)[:, 2] * SPACING[2] * 2
    with pytest.raises(CaseError, match="beside or across them"):
        filled([polygon], IMAGE)


def test_the_image_is_not_looked_at() -> None:
    other = volume(noise(SHAPE), direction=oblique())
    contours = [in_mm(IMAGE, circle(20, 20, 8), 3)]
    np.testing.assert_array_equal(filled(contours, IMAGE), filled(contours, other))
