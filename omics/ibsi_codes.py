"""The features pyradiomics computes, by class, each with its code in the IBSI reference manual.

None where the manual has no such feature: the two-dimensional shapes, `TotalEnergy` and others.
`NO_LONGER_COMPUTED` are names that pyradiomics still knows, but passes over in silence.

References
----------
Zwanenburg A, Vallieres M, et al. The Image Biomarker Standardization Initiative: standardized
quantitative radiomics for high-throughput image-based phenotyping. Radiology 2020;295:328-338.
doi:10.1148/radiol.2020191145; the codes are those of the manual, arXiv:1612.07003.
"""

from collections.abc import Mapping
from types import MappingProxyType

_SHAPE = {
    "Elongation": "Q3CK",
    "Flatness": "N17B",
    "LeastAxisLength": "7J51",
    "MajorAxisLength": "TDIC",
    "Maximum2DDiameterColumn": None,
    "Maximum2DDiameterRow": None,
    "Maximum2DDiameterSlice": None,
    "Maximum3DDiameter": "L0JK",
    "MeshVolume": "RNU0",
    "MinorAxisLength": "P9VJ",
    "Sphericity": "QCFX",
    "SurfaceArea": "C0JK",
    "SurfaceVolumeRatio": "2PR5",
    "VoxelVolume": "YEKZ",
    "Compactness1": "SKGS",
    "Compactness2": "BQWJ",
    "SphericalDisproportion": "KRCK",
}
_SHAPE_2D = {
    "Elongation": None,
    "MajorAxisLength": None,
    "MaximumDiameter": None,
    "MeshSurface": None,
    "MinorAxisLength": None,
    "Perimeter": None,
    "PerimeterSurfaceRatio": None,
    "PixelSurface": None,
    "Sphericity": None,
    "SphericalDisproportion": None,
}
_FIRST_ORDER = {
    "10Percentile": "QG58",
    "90Percentile": "8DWT",
    "Energy": "N8CA",
    "Entropy": "TLU2",
    "InterquartileRange": "SALO",
    "Kurtosis": "IPH6",
    "Maximum": "84IY",
    "Mean": "Q4LE",
    "MeanAbsoluteDeviation": "4FUA",
    "Median": "Y12H",
    "Minimum": "1GSF",
    "Range": "2OJQ",
    "RobustMeanAbsoluteDeviation": "1128",
    "RootMeanSquared": "5ZWQ",
    "Skewness": "KE2A",
    "TotalEnergy": None,
    "Uniformity": "BJ5W",
    "Variance": "ECT3",
    "StandardDeviation": None,
}
_GLCM = {
    "Autocorrelation": "QWB0",
    "ClusterProminence": "AE86",
    "ClusterShade": "7NFM",
    "ClusterTendency": "DG8W",
    "Contrast": "ACUI",
    "Correlation": "NI2N",
    "DifferenceAverage": "TF7R",
    "DifferenceEntropy": "NTRS",
    "DifferenceVariance": "D3YU",
    "Id": "IB1Z",
    "Idm": "WF0Z",
    "Idmn": "1QCO",
    "Idn": "NDRX",
    "Imc1": "R8DG",
    "Imc2": "JN9H",
    "InverseVariance": "E8JP",
    "JointAverage": "60VM",
    "JointEnergy": "8ZQL",
    "JointEntropy": "TU9B",
    "MCC": None,
    "MaximumProbability": "GYBY",
    "SumAverage": "ZGXS",
    "SumEntropy": "P6QZ",
    "SumSquares": "UR99",
}
_GLRLM = {
    "GrayLevelNonUniformity": "R5YN",
    "GrayLevelNonUniformityNormalized": "OVBL",
    "GrayLevelVariance": "8CE5",
    "HighGrayLevelRunEmphasis": "G3QZ",
    "LongRunEmphasis": "W4KF",
    "LongRunHighGrayLevelEmphasis": "3KUM",
    "LongRunLowGrayLevelEmphasis": "IVPO",
    "LowGrayLevelRunEmphasis": "V3SW",
    "RunEntropy": "HJ9O",
    "RunLengthNonUniformity": "W92Y",
    "RunLengthNonUniformityNormalized": "IC23",
    "RunPercentage": "9ZK5",
    "RunVariance": "SXLW",
    "ShortRunEmphasis": "22OV",
    "ShortRunHighGrayLevelEmphasis": "GD3A",
    "ShortRunLowGrayLevelEmphasis": "HTZT",
}
_GLSZM = {
    "GrayLevelNonUniformity": "JNSA",
    "GrayLevelNonUniformityNormalized": "Y1RO",
    "GrayLevelVariance": "BYLV",
    "HighGrayLevelZoneEmphasis": "5GN9",
    "LargeAreaEmphasis": "48P8",
    "LargeAreaHighGrayLevelEmphasis": "J17V",
    "LargeAreaLowGrayLevelEmphasis": "YH51",
    "LowGrayLevelZoneEmphasis": "XMSY",
    "SizeZoneNonUniformity": "4JP3",
    "SizeZoneNonUniformityNormalized": "VB3A",
    "SmallAreaEmphasis": "5QRC",
    "SmallAreaHighGrayLevelEmphasis": "HW1V",
    "SmallAreaLowGrayLevelEmphasis": "5RAI",
    "ZoneEntropy": "GU8N",
    "ZonePercentage": "P30P",
    "ZoneVariance": "3NSA",
}
_GLDM = {  # the manual's neighbouring grey level dependence matrix
    "DependenceEntropy": "FCBV",
    "DependenceNonUniformity": "Z87G",
    "DependenceNonUniformityNormalized": "OKJI",
    "DependenceVariance": "DNX2",
    "GrayLevelNonUniformity": "FP8K",
    "GrayLevelVariance": "1PFV",
    "HighGrayLevelEmphasis": "OAE7",
    "LargeDependenceEmphasis": "IMOQ",
    "LargeDependenceHighGrayLevelEmphasis": "9QMG",
    "LargeDependenceLowGrayLevelEmphasis": "NBZI",
    "LowGrayLevelEmphasis": "TL9H",
    "SmallDependenceEmphasis": "SODN",
    "SmallDependenceHighGrayLevelEmphasis": "JA6D",
    "SmallDependenceLowGrayLevelEmphasis": "EQ3F",
}
_NGTDM = {
    "Busyness": "NQ30",
    "Coarseness": "QCDE",
    "Complexity": "HDEZ",
    "Contrast": "65HE",
    "Strength": "1X9X",
}

CODES: Mapping[str, Mapping[str, str | None]] = MappingProxyType(
    {
        "shape": _SHAPE,
        "shape2D": _SHAPE_2D,
        "firstorder": _FIRST_ORDER,
        "glcm": _GLCM,
        "glrlm": _GLRLM,
        "glszm": _GLSZM,
        "gldm": _GLDM,
        "ngtdm": _NGTDM,
    }
)

# computed when named, and left out of "all": each is a function of another feature
DEPRECATED = MappingProxyType(
    {
        "shape": ("Compactness1", "Compactness2", "SphericalDisproportion"),
        "shape2D": ("SphericalDisproportion",),
        "firstorder": ("StandardDeviation",),
    }
)

NO_LONGER_COMPUTED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "glcm": {
            "Dissimilarity": "DifferenceAverage",
            "Homogeneity1": "Id",
            "Homogeneity2": "Idm",
            "SumVariance": "ClusterTendency",
        },
        "gldm": {
            "DependencePercentage": "nothing (it is always 1)",
            "GrayLevelNonUniformityNormalized": "firstorder Uniformity",
        },
    }
)
