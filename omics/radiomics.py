"""What a radiomics feature measures, read from its name: image type, class and feature.

pyradiomics writes `<image type>_<class>_<feature>`, such as `wavelet-LLH_glcm_JointEntropy` or
`log-sigma-3-0-mm-3D_firstorder_Mean`; a sequence or region may stand before it. Names of other
programs (CaPTk, MIRP) stay features without a class.

References
----------
van Griethuysen JJM, et al. Computational radiomics system to decode the radiographic phenotype.
Cancer Research 2017;77:e104-e107. doi:10.1158/0008-5472.CAN-17-0339
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

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
VOLUME_FEATURES = frozenset({"MeshVolume", "VoxelVolume", "Volume"})  # Volume: before 2.1

_IMAGE_TYPE = (
    r"original|wavelet\d*-[LH]{2,3}|log-sigma-\d+(?:-\d+)?-mm-[23]D|"
    r"squareroot|square|logarithm|exponential|gradient|lbp-2D|lbp-3D-(?:m\d+|k)"
)
_NAME = re.compile(
    rf"(?:(?P<prefix>.+)[_:])?(?P<image_type>{_IMAGE_TYPE})"
    rf"_(?P<feature_class>{'|'.join(sorted(FEATURE_CLASSES, reverse=True))})_(?P<feature>\w+)"
)
_PROVENANCE = re.compile(r"Image|Mask|(?:.+_)?diagnostics_.+|general_info_.+")


@dataclass(frozen=True, kw_only=True)
class FeatureName:
    """A radiomics feature name, taken apart.

    Attributes
    ----------
    name : str
        As it is written in the table.
    prefix : str or None
        What stands before the image type, such as a sequence.
    image_type : str or None
        Such as `original` or `wavelet-LLH`; None if the name is not pyradiomics'.
    feature_class : str or None
        One of `FEATURE_CLASSES`; None if the name is not pyradiomics'.
    feature : str
        Such as `JointEntropy`; the whole name if it is not pyradiomics'.
    """

    name: str
    prefix: str | None
    image_type: str | None
    feature_class: str | None
    feature: str


def parse_feature_name(name: str) -> FeatureName:
    """Take a feature name apart.

    Parameters
    ----------
    name : str
        A column of a radiomics table, upper and lower case as pyradiomics writes it.

    Returns
    -------
    FeatureName

    Examples
    --------
    >>> parse_feature_name("wavelet-LLH_glcm_JointEntropy").image_type
    'wavelet-LLH'
    >>> parse_feature_name("T1gd_original_shape_MeshVolume").prefix
    'T1gd'
    >>> parse_feature_name("T1_tumor_core_Intensity_Kurtosis").feature_class is None
    True
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return FeatureName(
            name=name, prefix=None, image_type=None, feature_class=None, feature=name
        )
    return FeatureName(name=name, **match.groupdict())


def feature_table(names: Iterable[str]) -> pd.DataFrame:
    """Take many feature names apart.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    DataFrame, one row per name
        Columns `name`, `prefix`, `image_type`, `feature_class`, `feature`; None where unknown.

    Examples
    --------
    >>> feature_table(["original_firstorder_Mean"])["feature_class"].tolist()
    ['firstorder']
    """
    parsed = [parse_feature_name(name) for name in names]
    columns = list(FeatureName.__dataclass_fields__)
    rows = [[getattr(item, column) for column in columns] for item in parsed]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def is_volume(name: str) -> bool:
    """Tell whether a feature is nothing but the volume of the tumour.

    Examples
    --------
    >>> is_volume("original_shape_MeshVolume"), is_volume("original_shape_Sphericity")
    (True, False)
    """
    parsed = parse_feature_name(name)
    return parsed.feature_class == "shape" and parsed.feature in VOLUME_FEATURES


def is_provenance(name: str) -> bool:
    """Tell whether a column says how the features were made, and is no feature.

    Examples
    --------
    >>> is_provenance("diagnostics_Mask-original_VoxelNum"), is_provenance("Mask")
    (True, True)
    """
    return _PROVENANCE.fullmatch(name) is not None
