"""The grammar of radiomics names, against names of pyradiomics and of other programs."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omics.radiomics import (
    FEATURE_CLASSES,
    feature_table,
    is_provenance,
    is_volume,
    parse_feature_name,
)
from tests.realdata import DATA, needs_data

IMAGE_TYPES = [
    "original",
    "wavelet-LLH",
    "wavelet-HH",
    "wavelet2-LLL",
    "log-sigma-3-0-mm-3D",
    "log-sigma-0-5-mm-2D",
    "log-sigma-5-mm-3D",
    "square",
    "squareroot",
    "logarithm",
    "exponential",
    "gradient",
    "lbp-2D",
    "lbp-3D-m1",
    "lbp-3D-k",
]


@given(
    image_type=st.sampled_from(IMAGE_TYPES),
    feature_class=st.sampled_from(FEATURE_CLASSES),
    feature=st.sampled_from(["Mean", "10Percentile", "Imc1", "JointEntropy", "MeshVolume"]),
    prefix=st.sampled_from([None, "T1gd", "T1_tumor_core", "radiomics:FLAIR"]),
)
def test_name_is_the_sum_of_its_parts(
    image_type: str, feature_class: str, feature: str, prefix: str | None
) -> None:
    name = "_".join([*([prefix] if prefix else []), image_type, feature_class, feature])
    parsed = parse_feature_name(name)
    assert (parsed.prefix, parsed.image_type) == (prefix, image_type)
    assert (parsed.feature_class, parsed.feature) == (feature_class, feature)


@pytest.mark.parametrize(
    "name",
    [
        "T1_tumor_core_Intensity_Kurtosis",
        "FLAIR_tumor_core_GLRLM_Bins-16_Radius-3_ShortRunEmphasis",
        "Original_Shape_MeshVolume",  # upper and lower case are pyradiomics'
        "original_shape_",
        "original_texture_Mean",
        "Age",
    ],
)
def test_other_names_have_no_class(name: str) -> None:
    parsed = parse_feature_name(name)
    assert parsed.feature_class is None
    assert parsed.image_type is None
    assert parsed.feature == name
    assert not is_volume(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("original_shape_MeshVolume", True),
        ("original_shape_VoxelVolume", True),
        ("original_shape_Volume", True),
        ("T1gd_original_shape_VoxelVolume", True),
        ("radiomics:original_shape_MeshVolume", True),
        ("original_shape_SurfaceVolumeRatio", False),
        ("original_shape_SurfaceArea", False),
        ("original_shape2D_MeshSurface", False),
        ("original_glszm_MeshVolume", False),
    ],
)
def test_volume(name: str, expected: bool) -> None:
    assert is_volume(name) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("diagnostics_Versions_PyRadiomics", True),
        ("T1_diagnostics_Image-original_Hash", True),
        ("general_info_BoundingBox", True),
        ("Image", True),
        ("Mask", True),
        ("ImageQuality", False),
        ("original_firstorder_Mean", False),
    ],
)
def test_provenance(name: str, expected: bool) -> None:
    assert is_provenance(name) is expected


@needs_data("ucsf_pdgm")
def test_every_ucsf_column_is_understood() -> None:
    path = DATA / "ucsf_pdgm" / "radiomic_features_T1gad_bias.csv"
    names = pd.read_csv(path, nrows=0).columns[1:]
    aside = [name for name in names if is_provenance(name)]
    table = feature_table(name for name in names if name not in aside)
    assert (len(aside), len(table)) == (24, 100)
    assert table["feature_class"].value_counts().to_dict() == {
        "glcm": 22,
        "firstorder": 18,
        "glrlm": 16,
        "glszm": 16,
        "shape": 14,
        "gldm": 14,
    }
    assert [name for name in table["name"] if is_volume(name)] == [
        "original_shape_MeshVolume",
        "original_shape_VoxelVolume",
    ]


@needs_data("images")
@pytest.mark.parametrize("feature_class", FEATURE_CLASSES)
def test_every_baseline_name_of_pyradiomics_is_understood(feature_class: str) -> None:
    path = DATA / "images" / "baseline" / f"baseline_{feature_class}.csv"
    names = pd.read_csv(path, index_col=0).index
    parsed = {parse_feature_name(name).feature_class for name in names if not is_provenance(name)}
    assert parsed == {feature_class}


@needs_data("plgg")
def test_captk_names_are_kept_without_a_class() -> None:
    names = pd.read_csv(DATA / "plgg" / "radiomics.csv", nrows=0).columns
    assert feature_table(names)["feature_class"].isna().all()
