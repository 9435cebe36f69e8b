"""Drawn heads: the same for the same seed, whole, and with the tumour that was asked for."""

from pathlib import Path

import numpy as np
import pytest

from omics.phantoms import CORE, OEDEMA, RIM, SHAPE, SPACING, phantom, write_phantoms


def test_a_seed_draws_one_head() -> None:
    one, again, other = phantom(seed=4), phantom(seed=4), phantom(seed=5)
    np.testing.assert_array_equal(one.images["FLAIR"], again.images["FLAIR"])
    np.testing.assert_array_equal(one.labels, again.labels)
    assert (one.labels != other.labels).any()


@pytest.mark.parametrize("radius", [10, 16, 26])
def test_the_tumour_is_as_large_as_asked_and_lies_in_the_brain(radius: float) -> None:
    for seed in range(3):
        head = phantom(seed=seed, radius=radius)
        assert head.brain[head.labels > 0].all()
        ml = np.count_nonzero(head.labels) * np.prod(SPACING) / 1000
        assert ml == pytest.approx(4 / 3 * np.pi * (radius / 10) ** 3, rel=0.4)
        assert set(np.unique(head.labels)) == {0, CORE, OEDEMA, RIM}


def test_the_brain_is_whole_in_the_image() -> None:
    head = phantom(seed=1)
    assert head.labels.shape == SHAPE
    for axis in range(3):
        edges = np.take(head.brain, [0, -1], axis=axis)
        assert not edges.any()
    for image in head.images.values():
        assert (image[head.brain] >= 1).all()
        assert (image[~head.brain] == 0).all()


def test_tissues_look_as_they_do_on_their_sequences() -> None:
    head = phantom(seed=2, radius=24)
    mean = {
        name: {label: image[head.labels == label].mean() for label in (CORE, OEDEMA, RIM)}
        for name, image in head.images.items()
    }
    assert mean["T1c"][RIM] > 1.5 * mean["T1c"][OEDEMA] > 1.5 * mean["T1c"][CORE]
    assert mean["FLAIR"][OEDEMA] > mean["FLAIR"][RIM] > mean["FLAIR"][CORE]


@pytest.mark.parametrize("radius", [7.9, 36])
def test_a_radius_that_does_not_fit_is_refused(radius: float) -> None:
    with pytest.raises(ValueError, match=f"radius must be 8 to 35 mm, but {radius} came"):
        phantom(seed=1, radius=radius)


def test_files_are_read_as_they_were_drawn(tmp_path: Path) -> None:
    pytest.importorskip("SimpleITK", reason="the extra for images is not installed")
    from omics.images import read_image
    from omics.manifest import read_manifest
    from omics.masks import read_masks

    cases = read_manifest(write_phantoms(tmp_path / "images", n_patients=2, seed=3))
    assert [(case.patient, case.sequence) for case in cases] == [
        *(("phantom-01", "T1c"), ("phantom-01", "FLAIR")),
        *(("phantom-02", "T1c"), ("phantom-02", "FLAIR")),
    ]
    image = read_image(cases[0].image)
    assert image.GetSpacing() == pytest.approx(SPACING)
    assert image.GetSize() == SHAPE[::-1]
    whole = read_masks(cases[0].mask, ["1+2+4"], image=image)["1+2+4"]
    radius = np.random.default_rng(3).uniform(12, 26, 2)[0]
    drawn = phantom(seed=4, radius=float(radius))
    import SimpleITK as sitk

    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(whole) == 1, drawn.labels > 0)
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(image), drawn.images["T1c"])
