"""The grammar of radiomics names, against names of pyradiomics and of other programs."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omics.radiomics import feature_table, is_provenance, is_volume, parse_feature_name
from omics.radiomics_names import FEATURE_CLASSES
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
        "Original_Shape_MeshVolume",  # upper and lower case are pyradiomics'
        "T1_tumor_core_GLRLM_ShortRunEmphasis",  # CaPTk names bins and radius
        "Intensity_Kurtosis",  # CaPTk names sequence and region
        "tumour_length_cm",
        "cm_length",
        "stat_mean_of_something",
        "shape_Volume(mL)",  # upper and lower case are LIFEx's
        "T1c|core|MyFeature",
        "original_shape_",
        "original_texture_Mean",
        "Age",
    ],
)
def test_other_names_have_no_class(name: str) -> None:
    parsed = parse_feature_name(name)
    assert parsed.feature_class is None
    assert (parsed.program, parsed.image_type, parsed.prefix) == (None, None, None)
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
        ("T1c|core|original_shape_MeshVolume", True),
        ("morph_volume", True),
        ("T1c|core|morph_vol_approx", True),
        ("morph_vol_dens_aabb", False),
        ("T1_ED_Volumetric_Volume", True),
        ("T1_ED_Volumetric_Pixels", True),
        ("T1_ED_Morphologic_Roundness", False),
        ("SHAPE_Volume(mL)", True),
        ("SHAPE_Volume(vx)", True),
        ("T1c|core|MORPHOLOGICAL_Volume(IBSI:RNU0)[mm3]", True),
        ("MORPHOLOGICAL_voxelsCounting(IBSI:No)[#vx]", True),
        ("INTENSITY-BASED-RIM_RIM-ApproximateVolume(IBSI:No)[mL]", False),
        ("SHAPE_Sphericity[onlyFor3DROI]", False),
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
        ("T1c|core|diagnostics_Versions_PyRadiomics", True),
        ("T1c|core|Mask", True),
        ("sample_name", True),
        ("image_voxel_size_x", True),
        ("image_mask_label", True),
        ("diag_n_voxel", True),
        ("INFO_NameOfRoi", True),
        ("PARAMS_DistanceOfNeighbours", True),
        ("image_quality", False),
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


OTHER_PROGRAMS = {
    # name: program, prefix, class, feature, settings
    "stat_mean": ("MIRP", None, "firstorder", "mean", None),
    "morph_pca_maj_axis": ("MIRP", None, "shape", "pca_maj_axis", None),
    "ivh_diff_v10_v90": ("MIRP", None, "ivh", "diff_v10_v90", None),
    "ih_max_grad_g_fbs_w25.0": ("MIRP", None, "histogram", "max_grad_g", "fbs_w25.0"),
    "cm_joint_max_d1_2d_s_avg_fbn_n16": ("MIRP", None, "glcm", "joint_max", "d1_2d_s_avg_fbn_n16"),
    "cm_inv_diff_mom_norm_d1_3d_v_mrg_fbn_n32": (
        "MIRP", None, "glcm", "inv_diff_mom_norm", "d1_3d_v_mrg_fbn_n32",
    ),
    "ngl_dc_perc_d1_a0.0_3d_fbn_n32": ("MIRP", None, "gldm", "dc_perc", "d1_a0.0_3d_fbn_n32"),
    "FLAIR|edema|dzm_zd_var_3d_fbn_n32": (
        "MIRP", "FLAIR|edema", "gldzm", "zd_var", "3d_fbn_n32",
    ),
    "T1_ED_GLCM_Bins-20_Radius-1_Homogeneity": (
        "CaPTk", "T1_ED", "glcm", "Homogeneity", "Bins-20_Radius-1",
    ),
    "T1_tumor_core_Histogram_Bins-10_Bins-10_Bin-0_Frequency": (
        "CaPTk", "T1_tumor_core", "histogram", "Frequency", "Bins-10_Bins-10_Bin-0",
    ),
    "T1_tumor_core_Morphologic_EllipseDiameter_Axis-2": (
        "CaPTk", "T1_tumor_core", "shape", "EllipseDiameter_Axis-2", None,
    ),
    "CONVENTIONAL_HUmean": ("LIFEx", None, "firstorder", "HUmean", None),
    "DISCRETIZED_HISTO_Entropy_log10": ("LIFEx", None, "histogram", "Entropy_log10", None),
    "GLCM_Homogeneity[=InverseDifference]": (
        "LIFEx", None, "glcm", "Homogeneity", "[=InverseDifference]",
    ),
    "NGLDM_Busyness": ("LIFEx", None, "ngtdm", "Busyness", None),
    "GLZLM_SZE": ("LIFEx", None, "glszm", "SZE", None),
    "SHAPE_Sphericity (only for 3D ROI (nz>1))": (
        "LIFEx", None, "shape", "Sphericity", "(only for 3D ROI (nz>1))",
    ),
    "PET_GLCM_JointMaximum(IBSI:GYBY)": ("LIFEx", "PET", "glcm", "JointMaximum", "(IBSI:GYBY)"),
    "LOCAL_INTENSITY_BASED_GlobalIntensityPeak(IBSI:0F91)[Intensity]": (
        "LIFEx", None, "local", "GlobalIntensityPeak", "(IBSI:0F91)[Intensity]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_PROGRAMS)
def test_names_of_other_programs(name: str) -> None:
    parsed = parse_feature_name(name)
    found = (parsed.program, parsed.prefix, parsed.feature_class, parsed.feature, parsed.settings)
    assert found == OTHER_PROGRAMS[name]
    assert parsed.name == name


@needs_data("ibsi_digital")
def test_every_feature_of_ibsi_has_its_name_in_mirp() -> None:
    tags = pd.read_csv(DATA / "ibsi_digital" / "ibsi_1_dig_phantom.csv", sep=";")["tag"]
    table = feature_table(tags)
    assert len(table) == 487
    assert table["program"].eq("MIRP").all()
    assert [name for name in tags if is_volume(name)] == ["morph_volume", "morph_vol_approx"]


@needs_data("plgg")
def test_every_captk_name_of_plgg_is_understood() -> None:
    names = pd.read_csv(DATA / "plgg" / "radiomics.csv", nrows=0).columns
    table = feature_table(name for name in names if name not in ("SubjectID", "Cohort"))
    assert table["program"].eq("CaPTk").all()
    assert table["prefix"].value_counts().to_dict() == {
        f"{sequence}_tumor_core": table["name"].str.startswith(f"{sequence}_").sum()
        for sequence in ("T1", "T1gd", "T2", "FLAIR")
    }
    written = names[names.str.contains("_(?:GLCM|GLRLM|GLSZM|NGTDM|LBP|Collage)_")]
    assert table.set_index("name").loc[written, "feature_class"].value_counts().to_dict() == {
        "collage": 154,
        "glszm": 43,
        "glcm": 28,
        "glrlm": 23,
        "ngtdm": 10,
        "lbp": 4,
    }
