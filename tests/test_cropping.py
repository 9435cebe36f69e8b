"""Cropping changes nothing: filters of the part around a region equal those of the whole image."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.phantoms import as_image, simple_itk, textured_ball

sitk = simple_itk()
pytest.importorskip("radiomics", reason="the extra 'extract' is not installed")

from omics.cropping import (  # noqa: E402
    Box,
    filter_reach,
    region_box,
    resampling_reach,
    widened,
)
from omics.laplacian import laplacian_of_gaussian  # noqa: E402

NOISE = np.random.default_rng(1).normal(500, 100, (31, 80, 77))


def box_of(*parts: tuple[int, int]) -> Box:
    return Box(
        lower=np.array([lower for lower, _ in parts]), upper=np.array([upper for _, upper in parts])
    )


def whole_laplacian(image: Any, sigma: float) -> Any:
    whole = sitk.LaplacianRecursiveGaussianImageFilter()
    whole.SetNormalizeAcrossScale(True)
    whole.SetSigma(sigma)
    return whole.Execute(image)


def test_box_is_the_smallest_around_the_region() -> None:
    voxels = np.zeros((5, 6, 7), dtype=np.uint8)
    voxels[1:3, 4, 2:6] = 1
    box = region_box(as_image(voxels))
    assert box is not None
    assert (box.lower.tolist(), box.upper.tolist()) == ([2, 4, 1], [6, 5, 3])
    assert region_box(as_image(voxels * 0)) is None


def test_a_box_within_another_cuts_the_same_voxels() -> None:
    image = as_image(NOISE)
    box = box_of((30, 40), (20, 25), (3, 9))
    near = widened(box, np.array([5, 5, 2]), image.GetSize())
    direct, by_way = box.cut(image), box.within(near).cut(near.cut(image))
    assert (sitk.GetArrayFromImage(direct) == sitk.GetArrayFromImage(by_way)).all()
    assert direct.GetOrigin() == pytest.approx(by_way.GetOrigin())


@pytest.mark.parametrize("kind", [np.int16, np.float32, np.float64])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7812499999999999, 0.9, 6.5)])
@pytest.mark.parametrize("sigma", [0.8, 2.5])
@pytest.mark.parametrize(
    "box", [box_of((35, 45), (30, 44), (12, 19)), box_of((0, 9), (70, 80), (29, 31))]
)
def test_laplacian_is_that_of_the_whole_image_to_the_last_bit(
    kind: type, spacing: tuple[float, ...], sigma: float, box: Box
) -> None:
    image = as_image(NOISE.astype(kind), spacing)
    ours = laplacian_of_gaussian(image, box, sigma=sigma)
    theirs = box.cut(whole_laplacian(image, sigma))
    assert (sitk.GetArrayFromImage(ours) == sitk.GetArrayFromImage(theirs)).all()
    assert ours.GetOrigin() == theirs.GetOrigin()


def test_laplacian_of_a_parabola_is_its_curvature() -> None:
    # d2/dx2 of 3 x^2 is 6, at any width; times sigma squared
    x = np.arange(120.0) - 60
    image = as_image(np.broadcast_to(3 * x**2, (40, 40, 120)).copy())
    found = laplacian_of_gaussian(image, box_of((58, 62), (19, 21), (19, 21)), sigma=2.0)
    # Deriche's recursion is an approximation of the Gaussian to about 1e-3
    assert sitk.GetArrayFromImage(found) == pytest.approx(6 * 2.0**2, rel=1e-2)


@settings(max_examples=6, deadline=None)
@given(
    corner=st.tuples(st.integers(0, 66), st.integers(0, 69), st.integers(0, 20)),
    wavelet=st.sampled_from(["coif1", "db4", "haar", "bior2.2"]),
    level=st.integers(1, 2),
)
def test_wavelets_and_gradients_of_the_part_are_those_of_the_whole(
    corner: tuple[int, int, int], wavelet: str, level: int
) -> None:
    from radiomics import imageoperations

    image = as_image(NOISE)
    box = box_of(*((start, start + 11) for start in corner))
    for image_type, own in (
        ("Wavelet", {"wavelet": wavelet, "level": level, "start_level": 0}),
        ("Gradient", {}),
        ("Original", {}),
    ):
        reach = filter_reach(image_type, own)
        assert reach is not None
        near = widened(box, np.full(3, reach), image.GetSize())
        steps = getattr(imageoperations, f"get{image_type}Image")
        whole = {name: part for part, name, _ in steps(image, None, **own)}
        for part, name, _ in steps(near.cut(image), None, **own):
            ours = sitk.GetArrayFromImage(box.within(near).cut(part))
            theirs = sitk.GetArrayFromImage(box.cut(whole[name]))
            # same sums in the same order: the last bit, but for the compiler's vectors at the edge
            np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-10)


@pytest.mark.parametrize("kind", ["sitkInt16", "sitkFloat64"])
def test_splines_through_the_part_are_those_through_the_whole(kind: str) -> None:
    from radiomics import imageoperations

    image, mask = textured_ball((60, 110, 110), (31, 52, 57))
    image, mask = sitk.Cast(image, getattr(sitk, kind)), sitk.Cast(mask, sitk.sitkUInt32)
    setting = {
        "resampledPixelSpacing": [1.3, 0, 1.5],
        "padDistance": 4,
        "interpolator": "sitkBSpline",
    }
    reach = resampling_reach(image.GetSpacing(), setting)
    box = region_box(mask)
    assert reach is not None
    assert box is not None
    part = widened(box, reach, image.GetSize()).cut(image)
    assert part.GetNumberOfPixels() < image.GetNumberOfPixels()
    ours, our_mask = imageoperations.resampleImage(part, mask, **setting)
    theirs, their_mask = imageoperations.resampleImage(image, mask, **setting)
    np.testing.assert_allclose(
        sitk.GetArrayFromImage(ours), sitk.GetArrayFromImage(theirs), rtol=1e-10
    )
    assert (sitk.GetArrayFromImage(our_mask) == sitk.GetArrayFromImage(their_mask)).all()


def test_other_interpolators_are_given_the_whole_image() -> None:
    setting = {"resampledPixelSpacing": [1, 1, 1], "padDistance": 5, "interpolator": "sitkLinear"}
    assert resampling_reach((1.0, 1.0, 1.0), setting) is None


@pytest.mark.parametrize(
    "image_type", ["Square", "SquareRoot", "Logarithm", "Exponential", "LBP2D"]
)
def test_types_that_need_the_whole_image_are_not_cropped(image_type: str) -> None:
    assert filter_reach(image_type, {}) is None
