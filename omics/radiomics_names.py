"""How four programs write the names of radiomics features: one pattern per program.

pyradiomics writes `<image type>_<class>_<feature>`, MIRP `<family>_<feature>_<settings>`, CaPTk
`<sequence>_<region>_<family>_<settings>_<feature>`, LIFEx `<FAMILY>_<Feature>(<unit or IBSI>)`.
A sequence or region may stand before any of them. A name that no pattern takes whole is no name of
that program.

References
----------
van Griethuysen JJM, et al. Computational radiomics system to decode the radiographic phenotype.
Cancer Research 2017;77:e104-e107. doi:10.1158/0008-5472.CAN-17-0339
Zwanenburg A, Löck S. MIRP: a Python package for standardised radiomics. Journal of Open Source
Software 2024;9(99):6413. doi:10.21105/joss.06413
Davatzikos C, et al. Cancer imaging phenomics toolkit. Journal of Medical Imaging
2018;5(1):011018. doi:10.1117/1.JMI.5.1.011018
Nioche C, et al. LIFEx: a freeware for radiomic feature calculation in multimodality imaging.
Cancer Research 2018;78:4786-4789. doi:10.1158/0008-5472.CAN-18-0125
"""

import re

FEATURE_CLASSES = (
    "shape",
    "shape2D",
    "firstorder",
    "glcm",
    "glrlm",
    "glszm",
    "gldm",
    "ngtdm",
)
"""The classes of pyradiomics; other programs' are called so where they are the same."""

MIRP_CLASSES = {
    "morph": "shape",
    "loc": "local",
    "stat": "firstorder",
    "ivh": "ivh",
    "ih": "histogram",
    "cm": "glcm",
    "rlm": "glrlm",
    "szm": "glszm",
    "dzm": "gldzm",
    "ngt": "ngtdm",
    "ngl": "gldm",
}
CAPTK_CLASSES = {
    "Intensity": "firstorder",
    "Histogram": "histogram",
    "Volumetric": "shape",
    "Morphologic": "shape",
    "GLCM": "glcm",
    "GLRLM": "glrlm",
    "GLSZM": "glszm",
    "NGTDM": "ngtdm",
    "LBP": "lbp",
    "Collage": "collage",
}
LIFEX_CLASSES = {
    "CONVENTIONAL": "firstorder",
    "DISCRETIZED": "histogram",
    "DISCRETIZED_HISTO": "histogram",
    "HISTO": "histogram",
    "SHAPE": "shape",
    "GLCM": "glcm",
    "GLRLM": "glrlm",
    "GLSZM": "glszm",
    "GLZLM": "glszm",  # zone lengths: the same matrix under its older name
    "NGLDM": "ngtdm",  # before version 7 LIFEx called the grey-tone difference matrix so
    "NGTDM": "ngtdm",
    "MORPHOLOGICAL": "shape",
    "INTENSITY-BASED": "firstorder",
    "INTENSITY-BASED-RIM": "firstorder",
    "INTENSITY-HISTOGRAM": "histogram",
    "INTENSITY-HISTOGRAM-RIM": "histogram",
    "LOCAL_INTENSITY_BASED": "local",
    "LOCAL_INTENSITY_HISTOGRAM": "local",
}

VOLUMES = {
    "pyradiomics": frozenset({"MeshVolume", "VoxelVolume", "Volume"}),  # Volume: before 2.1
    "MIRP": frozenset({"volume", "vol_approx"}),
    "CaPTk": frozenset({"Volume", "Pixels"}),
    "LIFEx": frozenset({"Volume", "ApproximateVolume", "voxelsCounting"}),
}
"""Shape features that are nothing but the volume of the region, by program."""

_IMAGE_TYPE = (
    r"original|wavelet\d*-[LH]{2,3}|log-sigma-\d+(?:-\d+)?-mm-[23]D|"
    r"squareroot|square|logarithm|exponential|gradient|lbp-2D|lbp-3D-(?:m\d+|k)"
)
_PREFIX = r"(?:(?P<prefix>.+)[_:])?"

PYRADIOMICS = re.compile(
    rf"{_PREFIX}(?P<image_type>{_IMAGE_TYPE})"
    rf"_(?P<family>{'|'.join(sorted(FEATURE_CLASSES, reverse=True))})_(?P<feature>\w+)"
)

_STATISTICS = "mean var skew kurt median min p10 p90 max iqr range mad rmad medad cov qcod"
_MATRIX = "glnu glnu_norm gl_var"
MIRP_FEATURES = {
    "morph": "volume vol_approx area_mesh av comp_1 comp_2 sph_dispr sphericity asphericity com "
    "integ_int diam vol_dens_conv_hull area_dens_conv_hull vol_dens_aabb area_dens_aabb "
    "vol_dens_ombb area_dens_ombb vol_dens_mvee area_dens_mvee pca_maj_axis pca_min_axis "
    "pca_least_axis pca_elongation pca_flatness vol_dens_aee area_dens_aee moran_i geary_c",
    "loc": "peak_loc peak_glob",
    "stat": f"{_STATISTICS} energy rms",
    "ivh": r"v\d+ i\d+ diff_v\d+_v\d+ diff_i\d+_i\d+ auc",
    "ih": f"{_STATISTICS} mode entropy uniformity max_grad max_grad_g min_grad min_grad_g",
    "cm": "joint_max joint_avg joint_var joint_entr diff_avg diff_var diff_entr sum_avg sum_var "
    "sum_entr energy contrast dissimilarity inv_diff inv_diff_norm inv_diff_mom inv_diff_mom_norm "
    "inv_var corr auto_corr clust_tend clust_shade clust_prom info_corr1 info_corr2",
    "rlm": f"{_MATRIX} sre lre lgre hgre srlge srhge lrlge lrhge rlnu rlnu_norm r_perc rl_var "
    "rl_entr",
    "szm": f"{_MATRIX} sze lze lgze hgze szlge szhge lzlge lzhge zsnu zsnu_norm z_perc zs_var "
    "zs_entr",
    "dzm": f"{_MATRIX} sde lde lgze hgze sdlge sdhge ldlge ldhge zdnu zdnu_norm z_perc zd_var "
    "zd_entr",
    "ngt": "coarseness contrast busyness complexity strength",
    "ngl": f"{_MATRIX} lde hde lgce hgce ldlge ldhge hdlge hdhge dcnu dcnu_norm dc_perc dc_var "
    "dc_entr dc_energy",
}
"""Every feature of MIRP by family; the ends name distance, aggregation and discretisation."""

_SETTING = (  # d1 distance, a0.0 coarseness, 3d_v_mrg aggregation, fbs_w25.0 or fbn_n32 grey levels
    r"d\d+(?:\.\d+)?|a\d+(?:\.\d+)?|(?:2|2_5|2\.5|3)[dD]|[sdv]|avg|mrg|comb|min|max|range|std|var|"
    r"fb[sn]|w\d+(?:\.\d+)?|n\d+"
)
_MIRP_NAMES = "|".join(
    rf"{family}_(?:{'|'.join(names.split())})" for family, names in MIRP_FEATURES.items()
)
MIRP = re.compile(
    rf"{_PREFIX}(?P<whole>{_MIRP_NAMES})(?:_(?P<settings>(?:{_SETTING})(?:_(?:{_SETTING}))*))?"
)

CAPTK = re.compile(
    r"(?P<prefix>.+)_(?:"
    r"(?P<family>Intensity|Histogram|Volumetric|Morphologic|NGTDM|LBP|Collage)"
    r"(?P<settings>(?:_[A-Z][A-Za-z]*-\d+(?:\.\d+)?)*)"
    r"|(?P<texture>GLCM|GLRLM|GLSZM)"  # always with the bins and the radius
    r"(?P<bins>(?:_[A-Z][A-Za-z]*-\d+(?:\.\d+)?)+)"
    r")_(?P<feature>[A-Za-z0-9]+(?:_Axis-\d+)?)"
)

_OLD_LIFEX = {
    "GLCM": "Homogeneity Energy Contrast Correlation Entropy_log10 Entropy_log2 Dissimilarity",
    "GLRLM": "SRE LRE LGRE HGRE SRLGE SRHGE LRLGE LRHGE GLNU RLNU RP",
    "NGLDM": "Coarseness Contrast Busyness",
    "GLZLM": "SZE LZE LGZE HGZE SZLGE SZHGE LZLGE LZHGE GLNU ZLNU ZP",
}
_OLD_TEXTURES = "|".join(
    rf"{family}_(?:{'|'.join(names.split())})" for family, names in _OLD_LIFEX.items()
)
LIFEX = re.compile(
    r"(?:(?P<prefix>.+?)[_:])??(?:(?P<whole>(?:"  # lazy: DISCRETIZED_HISTO has no prefix
    r"(?:CONVENTIONAL|DISCRETIZED(?:_HISTO)?|HISTO|SHAPE|MORPHOLOGICAL"
    r"|INTENSITY-(?:BASED|HISTOGRAM)(?:-RIM)?|LOCAL_INTENSITY_(?:BASED|HISTOGRAM))_[\w-]+"
    rf"|{_OLD_TEXTURES}))"
    r"(?P<settings>(?:\([^()]*\)|\[[^\[\]]*\]|\(only for 3D ROI \(nz>1\)\)| )*)"
    r"|(?P<tagged>(?:GLCM|GLRLM|GLSZM|NGTDM)_\w+)(?P<tag>\(IBSI:\w+\)(?:\[[^\[\]]*\])?))"
)

PROVENANCE = re.compile(
    r"Image|Mask|(?:.+_)?diagnostics_.+|general_info_.+"  # pyradiomics
    r"|sample_name|diag_.+|image_(?:file_name|directory|study_date|study_description"  # MIRP
    r"|series_description|series_instance_uid|modality|pet_suv_type|settings_id|mask_.+"
    r"|voxel_size_[xyz]|noise_(?:level|iteration_id)|rotation_angle|translation_[xyz])"
    r"|(?:INFO|PARAMS)_.+"  # LIFEx
)
"""Columns that say how features were made."""

PERTURBATION = "diagnostics_Perturbation"
"""How the changed copy of a mask was made on which `omics.extraction` measured a row (JSON)."""

REGION_VOLUME = "diagnostics_Region_Volume"
"""The volume of a region as drawn, mm3, beside the features that `omics.extraction` measures."""
