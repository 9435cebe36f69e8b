"""Feature maps: neighbourhoods by hand, pyradiomics' own maps, and the file."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omics.errors import CaseError, StudyError
from omics.extraction_settings import settings_from_text

sitk = pytest.importorskip("SimpleITK", reason="images need the extra: nomomics[extract]")
radiomics = pytest.importorskip("radiomics", reason="maps need the extra: nomomics[extract]")

from omics.feature_maps import feature_map, write_feature_map  # noqa: E402
from omics.pyradiomics_engine import extract_region  # noqa: E402

WIDTH = 20.0
SETTINGS = settings_from_text(
    "{imageType: {Original: {}, LoG: {sigma: [2]}, Wavelet: {}}, featureClass: {shape: [Flatness],"
    " firstorder: [Mean, Range, Entropy], glcm: [JointEntropy, Contrast], ngtdm: [Busyness]},"
    f" setting: {{binWidth: {WIDTH}}}}}",
    name="test",
)
MEAN, ENTROPY = "original_firstorder_Mean", "original_glcm_JointEntropy"


def phantom() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    grey = rng.normal(100, 30, (10, 14, 15))
    region = np.zeros(grey.shape, dtype=np.uint8)
    region[3:8, 4:10, 5:12] = 1
    region[3, 4, 5] = region[5, 6, 8] = 0  # a corner and a hole
    return grey, region


def image_of(array: np.ndarray, spacing: tuple[float, ...] = (1.0, 1.5, 2.0)) -> Any:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin((3.0, -4.0, 5.0))
    image.SetDirection((0, 1, 0, -1, 0, 0, 0, 0, 1))
    return image


def pair() -> tuple[Any, Any]:
    grey, region = phantom()
    return image_of(grey), image_of(region)


def array(image: Any) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


def neighbourhood(place: tuple[int, int, int], radius: int) -> np.ndarray:
    _, region = phantom()
    near = np.zeros(region.shape, dtype=bool)
    near[tuple(slice(max(p - radius, 0), p + radius + 1) for p in place)] = True
    return near & (region == 1)


def joint_entropy(levels: np.ndarray, inside: np.ndarray) -> float:
    """Return the entropy of co-occurrences, of each of 13 directions, and their mean."""
    directions = [d for d in product((-1, 0, 1), repeat=3) if d > (0, 0, 0)]
    found = []
    for direction in directions:
        counts: dict[tuple[int, int], int] = {}
        for place in np.argwhere(inside):
            other = tuple(place + direction)
            if all(0 <= o < n for o, n in zip(other, inside.shape, strict=True)) and inside[other]:
                one, two = int(levels[tuple(place)]), int(levels[other])
                for key in ((one, two), (two, one)):
                    counts[key] = counts.get(key, 0) + 1
        if counts:
            p = np.array(list(counts.values())) / sum(counts.values())
            found.append(-(p * np.log2(p)).sum())
    return float(np.mean(found))


@pytest.mark.parametrize("radius", [1, 2])
@pytest.mark.parametrize("place", [(5, 7, 9), (3, 5, 5), (7, 9, 11), (5, 6, 9)])
def test_a_value_is_that_of_the_neighbourhood(place: tuple[int, int, int], radius: int) -> None:
    grey, region = phantom()
    image, mask = pair()
    inside = neighbourhood(place, radius)
    mean = array(feature_map(image, mask, SETTINGS, feature=MEAN, radius=radius))
    assert mean[place] == pytest.approx(grey[inside].mean(), rel=1e-12)
    spread = feature_map(image, mask, SETTINGS, feature="original_firstorder_Range", radius=radius)
    assert array(spread)[place] == pytest.approx(np.ptp(grey[inside]), rel=1e-12)
    levels = np.floor(grey / WIDTH) - np.floor(grey[region == 1].min() / WIDTH) + 1
    entropy = array(feature_map(image, mask, SETTINGS, feature=ENTROPY, radius=radius))
    assert entropy[place] == pytest.approx(joint_entropy(levels, inside), rel=1e-10)


def test_a_neighbourhood_as_wide_as_the_region_is_the_region() -> None:
    image, mask = pair()
    values = extract_region(image, mask, SETTINGS)
    for feature in (MEAN, "original_firstorder_Entropy"):
        drawn = array(feature_map(image, mask, SETTINGS, feature=feature, radius=7))
        inside = phantom()[1] == 1
        np.testing.assert_allclose(drawn[inside], values[feature], rtol=1e-12)


@pytest.mark.parametrize(
    "feature",
    [
        MEAN,
        ENTROPY,
        "original_ngtdm_Busyness",
        "log-sigma-2-0-mm-3D_glcm_Contrast",
        "wavelet-LLH_firstorder_Mean",
    ],
)
def test_maps_are_those_of_pyradiomics(feature: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        def __init__(self, **_: Any) -> None: ...
        def __enter__(self) -> "Silent":
            return self

        def __exit__(self, *_: object) -> None: ...
        def update(self, n: int) -> None: ...

    image, mask = pair()
    extractor = radiomics.featureextractor.RadiomicsFeatureExtractor(
        binWidth=WIDTH, additionalInfo=False
    )
    extractor.disableAllImageTypes()
    for image_type, own in SETTINGS.image_types.items():
        extractor.enableImageTypeByName(image_type, customArgs=dict(own))
    _, family, name = feature.rsplit("_", 2)
    extractor.disableAllFeatures()
    extractor.enableFeaturesByName(**{family: [name]})
    # pyradiomics-cuda's voxel by voxel run needs a reporter, and a verbosity that shows it
    monkeypatch.setattr(radiomics, "progressReporter", Silent)
    monkeypatch.setattr(radiomics.handler, "level", 20)
    monkeypatch.setattr(radiomics.logger, "handlers", [])
    theirs = extractor.execute(image, mask, voxelBased=True)[feature]
    place = image.TransformPhysicalPointToIndex(theirs.GetOrigin())[::-1]
    ours = array(feature_map(image, mask, SETTINGS, feature=feature))
    part = ours[tuple(slice(p, p + n) for p, n in zip(place, theirs.GetSize()[::-1], strict=True))]
    inside = ~np.isnan(part)
    assert inside.sum() == (phantom()[1] == 1).sum()
    np.testing.assert_allclose(part[inside], array(theirs)[inside], rtol=1e-9, atol=1e-12)


def test_map_lies_on_the_image() -> None:
    image, mask = pair()
    drawn = feature_map(image, mask, SETTINGS, feature=MEAN)
    assert drawn.GetSize() == image.GetSize()
    assert drawn.GetOrigin() == image.GetOrigin()
    assert drawn.GetDirection() == image.GetDirection()
    np.testing.assert_array_equal(np.isfinite(array(drawn)), phantom()[1] == 1)


def test_neighbourhoods_may_reach_beyond_the_region() -> None:
    grey, _ = phantom()
    image, mask = pair()
    drawn = array(feature_map(image, mask, SETTINGS, feature=MEAN, beyond=True))
    assert drawn[3, 5, 5] == pytest.approx(grey[2:5, 4:7, 4:7].mean(), rel=1e-12)


def test_resampled_maps_keep_their_own_grid() -> None:
    settings = settings_from_text(
        "{featureClass: {firstorder: [Mean]}, setting: {binWidth: 20, "
        "resampledPixelSpacing: [2, 2, 2]}}",
        name="coarse",
    )
    image, mask = pair()
    drawn = feature_map(image, mask, settings, feature=MEAN)
    assert drawn.GetSpacing() == (2.0, 2.0, 2.0)
    values = array(drawn)
    assert np.nanmean(values) == pytest.approx(100, abs=10)
    centre = image.TransformContinuousIndexToPhysicalPoint((8, 6.5, 5.5))
    assert np.isfinite(values[drawn.TransformPhysicalPointToIndex(centre)[::-1]])


def test_region_at_the_border_of_the_image() -> None:
    grey, region = phantom()
    region[:] = 0
    region[:3, :4, :4] = 1
    drawn = feature_map(image_of(grey), image_of(region), SETTINGS, feature=MEAN)
    assert array(drawn)[0, 0, 0] == pytest.approx(grey[:2, :2, :2].mean(), rel=1e-12)


def test_written_whole_and_read_again(tmp_path: Path) -> None:
    drawn = feature_map(*pair(), SETTINGS, feature=MEAN)
    for name in ("map.nii.gz", "map.nii"):
        write_feature_map(drawn, tmp_path / name)
        again = sitk.ReadImage(str(tmp_path / name))
        # ITK's reader of NIfTI takes NaN for 0; the file holds NaN
        np.testing.assert_array_equal(array(again), np.nan_to_num(array(drawn)))
        assert again.GetMetaData("descrip") == f"{MEAN} r1 {SETTINGS.digest}"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.nii", "map.nii.gz"]
    voxels = np.frombuffer((tmp_path / "map.nii").read_bytes()[352:], dtype=np.float64)
    np.testing.assert_array_equal(voxels, array(drawn).ravel())


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    drawn = feature_map(*pair(), SETTINGS, feature=MEAN)
    with pytest.raises(StudyError, match=r"must end in \.nii or \.nii\.gz, but is 'map\.png'"):
        write_feature_map(drawn, tmp_path / "map.png")
    with pytest.raises(StudyError, match="cannot be written"):
        write_feature_map(drawn, tmp_path / "no" / "map.nii")
    (tmp_path / "map.nii").mkdir()
    with pytest.raises(StudyError, match="cannot be written"):
        write_feature_map(drawn, tmp_path / "map.nii")
    assert [path.name for path in tmp_path.iterdir()] == ["map.nii"]


def test_wrong_input_is_named() -> None:
    image, mask = pair()
    with pytest.raises(StudyError, match=r"'original_firstorder_Meen' is not\. Did you mean"):
        feature_map(image, mask, SETTINGS, feature="original_firstorder_Meen")
    with pytest.raises(StudyError, match="'original_shape_Flatness' is one of the whole region's"):
        feature_map(image, mask, SETTINGS, feature="original_shape_Flatness")
    with pytest.raises(ValueError, match="radius must be a whole number of 1 or more, but is 0"):
        feature_map(image, mask, SETTINGS, feature=MEAN, radius=0)
    with pytest.raises(CaseError, match=r"image has .* 1 x 1\.5 x 2 mm.*mask .* 1 x 1 x 1 mm"):
        feature_map(image, image_of(phantom()[1], (1.0, 1.0, 1.0)), SETTINGS, feature=MEAN)
    with pytest.raises(CaseError, match="the region must have voxels, but has none"):
        feature_map(image, mask * 0, SETTINGS, feature=MEAN)
