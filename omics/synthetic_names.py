"""What the synthetic cohort's columns are called: pyradiomics features, gene symbols, alterations.

Names are those of the field, so that every reader of names meets what it will meet in a real study;
the values under them are simulated.
"""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _features(prefix: str, words: str) -> tuple[str, ...]:
    """Put `prefix` before each word; a word's leading minus, meaning "falls", goes in front."""
    return tuple(
        f"-{prefix}_{word[1:]}" if word.startswith("-") else f"{prefix}_{word}"
        for word in words.split()
    )


# Typical value of a 45 cm3 tumour (mm, mm2, mm3 or a count), and the power of volume it goes with.
VOLUME_FEATURES: dict[str, tuple[float, float]] = {
    "original_shape_MeshVolume": (45_000, 1.0),
    "original_shape_VoxelVolume": (45_200, 1.0),
    "original_shape_SurfaceArea": (8_600, 2 / 3),
    "original_shape_SurfaceVolumeRatio": (0.19, -1 / 3),
    "original_shape_MajorAxisLength": (58, 1 / 3),
    "original_shape_MinorAxisLength": (44, 1 / 3),
    "original_shape_LeastAxisLength": (35, 1 / 3),
    "original_shape_Maximum3DDiameter": (68, 1 / 3),
    "original_shape_Maximum2DDiameterSlice": (60, 1 / 3),
    "original_firstorder_Energy": (4.1e9, 1.0),
    "original_firstorder_TotalEnergy": (4.2e9, 1.0),
    "original_glrlm_RunLengthNonUniformity": (26_000, 1.0),
    "original_glrlm_GrayLevelNonUniformity": (1_900, 1.0),
    "original_glszm_SizeZoneNonUniformity": (2_400, 1.0),
    "original_glszm_GrayLevelNonUniformity": (310, 1.0),
    "original_gldm_DependenceNonUniformity": (4_300, 1.0),
    "original_gldm_GrayLevelNonUniformity": (2_700, 1.0),
    "original_ngtdm_Busyness": (9.5, 1.0),
    "original_ngtdm_Coarseness": (0.0009, -1.0),
}

# A leading minus: the feature falls as the factor rises. Blocks are those of the factors.
RADIOMICS_BLOCKS: dict[str, tuple[str, ...]] = {
    "aggressiveness": (
        *_features(
            "original_firstorder",
            "Entropy -Uniformity Variance Range InterquartileRange MeanAbsoluteDeviation "
            "RobustMeanAbsoluteDeviation",
        ),
        *_features(
            "original_glcm",
            "Contrast DifferenceAverage DifferenceEntropy DifferenceVariance -JointEnergy "
            "JointEntropy SumEntropy SumSquares ClusterTendency ClusterProminence -Id -Idm "
            "-MaximumProbability -InverseVariance",
        ),
        *_features("original_gldm", "DependenceEntropy -LargeDependenceEmphasis GrayLevelVariance"),
        *_features("original_ngtdm", "Complexity Contrast"),
        *_features("original_shape", "-Sphericity"),
    ),
    "proliferation": (
        *_features(
            "original_firstorder", "Mean Median RootMeanSquared 10Percentile 90Percentile Maximum"
        ),
        *_features("original_glcm", "JointAverage SumAverage Autocorrelation"),
        *_features("original_glrlm", "HighGrayLevelRunEmphasis -LowGrayLevelRunEmphasis"),
        *_features("original_glszm", "HighGrayLevelZoneEmphasis -LowGrayLevelZoneEmphasis"),
        *_features("original_gldm", "HighGrayLevelEmphasis -LowGrayLevelEmphasis"),
        *_features("wavelet-LLL_firstorder", "Mean Median 90Percentile"),
    ),
    "texture": (
        *_features(
            "original_glrlm", "ShortRunEmphasis -LongRunEmphasis RunPercentage -RunVariance"
        ),
        *_features("original_glszm", "SmallAreaEmphasis ZonePercentage"),
        *_features("original_gldm", "SmallDependenceEmphasis"),
        *_features("wavelet-LLH_firstorder", "Entropy Variance"),
        *_features("wavelet-LLH_glcm", "Contrast JointEntropy -Idm"),
        *_features("wavelet-LHL_firstorder", "Entropy Variance"),
        *_features("wavelet-LHL_glcm", "Contrast JointEntropy -Idm"),
        *_features("wavelet-HHH_firstorder", "Entropy Variance"),
        *_features("wavelet-HHH_glcm", "Contrast JointEntropy -Idm"),
    ),
    "none": (
        *_features("original_shape", "Elongation Flatness"),
        *_features("original_firstorder", "Skewness Kurtosis Minimum"),
        *_features("original_glcm", "Correlation Imc1 Imc2 ClusterShade"),
        *_features("wavelet-HHL_firstorder", "Skewness Kurtosis"),
        *_features("wavelet-HLH_firstorder", "Skewness Kurtosis"),
    ),
}

RATIO_FEATURES = _words(  # between 0 and 1
    "Uniformity JointEnergy Id Idm MaximumProbability InverseVariance Sphericity ShortRunEmphasis "
    "RunPercentage SmallAreaEmphasis ZonePercentage SmallDependenceEmphasis Elongation Flatness "
    "LowGrayLevelRunEmphasis LowGrayLevelZoneEmphasis LowGrayLevelEmphasis Correlation Imc2"
)
SIGNED_FEATURES = _words("Mean Median 10Percentile 90Percentile Minimum Skewness ClusterShade Imc1")

GENE_BLOCKS: dict[str, tuple[str, ...]] = {
    "aggressiveness": _words(
        "EGFR CHI3L1 VIM CD44 TIMP1 SERPINE1 LGALS3 ANXA1 ANXA2 S100A11 EMP3 PDPN IGFBP2 "
        "CHI3L2 MET FN1 COL1A1 COL4A1 COL6A2 TGFBI LOX PLAUR RELB THBS1 SPP1 -DLL3 -OLIG1 "
        "-OLIG2 -SOX10 -ASCL1 -NCAM1 -MAP2 -BCAN -NCAN -PDGFRA"
    ),
    "proliferation": _words(
        "MKI67 TOP2A CCNB1 CCNB2 CDK1 BUB1 AURKA AURKB BIRC5 PCNA MCM2 MCM6 RRM2 TYMS FOXM1 "
        "PLK1 CENPF TPX2 KIF20A CDC20 UBE2C NUSAP1 EZH2 E2F1 VEGFA CA9 ADM NDRG1 SLC2A1 LDHA"
    ),
    "immunity": _words(
        "CD3D CD3E CD4 CD8A CD8B GZMA GZMB PRF1 CXCL9 CXCL10 CCL5 CD68 CD163 AIF1 ITGAM MRC1 "
        "CSF1R HLA-DRA HLA-DRB1 HLA-DPA1 STAT1 IRF1 CD274 PDCD1 CTLA4 LAG3 TIGIT C1QA C1QB "
        "TYROBP"
    ),
    "none": _words(
        "GFAP S100B ALDH1A1 AQP4 SLC1A2 SLC1A3 GLUL NES SOX2 PROM1 NOTCH1 HES1 PTEN RB1 "
        "CDKN2A CDK4 CDK6 MDM2 MDM4 NF1 PIK3CA PIK3R1 AKT1 MTOR BRAF FGFR1 FGFR3 MYC MYCN "
        "MGMT MLH1 MSH2 MSH6 PMS2 BRCA1 BRCA2 RAD51 PARP1 ATM CHEK1 CHEK2 GAPDH ACTB TBP "
        "HPRT1 SYP SNAP25 RBFOX3 GABRA1 MBP PLP1 MOG CNP TERT ATRX"
    ),
}

# P(altered) by class: IDH-wildtype, IDH-mutant without and with 1p/19q codeletion; and the loading
# on aggressiveness (log odds per unit) within the class.
ALTERATIONS: dict[str, tuple[float, float, float, float]] = {
    "TERT": (0.75, 0.05, 0.97, 0.0),
    "ATRX": (0.06, 0.75, 0.02, 0.0),
    "TP53": (0.28, 0.88, 0.05, 0.0),
    "CIC": (0.01, 0.02, 0.60, 0.0),
    "FUBP1": (0.01, 0.02, 0.28, 0.0),
    "EGFR": (0.40, 0.01, 0.01, 0.8),
    "PTEN": (0.33, 0.03, 0.02, 0.8),
    "CDKN2A/B": (0.50, 0.08, 0.05, 0.8),
    "NF1": (0.14, 0.03, 0.02, 0.4),
    "PIK3CA": (0.08, 0.06, 0.14, 0.0),
    "PIK3R1": (0.09, 0.03, 0.06, 0.0),
    "RB1": (0.10, 0.02, 0.01, 0.4),
}
