"""What a radiomics feature measures, read from its name: image type, class and feature.

The names of pyradiomics, MIRP, CaPTk and LIFEx are understood (see `omics.radiomics_names`); a
sequence or region may stand before them, with a bar where a long table was spread:
`T1c|core|original_glcm_JointEntropy`. Any other name stays whole, a feature without a class.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pandas as pd

from omics.radiomics_names import (
    CAPTK,
    CAPTK_CLASSES,
    LIFEX,
    LIFEX_CLASSES,
    MIRP,
    MIRP_CLASSES,
    PROVENANCE,
    PYRADIOMICS,
    VOLUMES,
)

DELTA = "delta"
"""What stands, with a bar, before the name of a feature's change between two timepoints."""


@dataclass(frozen=True, kw_only=True)
class FeatureName:
    """A radiomics feature name, taken apart.

    Attributes
    ----------
    name : str
        As it is written in the table.
    program : str or None
        `pyradiomics`, `MIRP`, `CaPTk` or `LIFEx`; None if the name is written as none of them does.
    prefix : str or None
        What stands before the program's own name, such as a sequence and a region.
    image_type : str or None
        Such as `original` or `wavelet-LLH`; None if the program does not name it so.
    feature_class : str or None
        One of `FEATURE_CLASSES`, or `histogram`, `ivh`, `local`, `gldzm`, `lbp`, `collage`; None if
        the name is not understood.
    feature : str
        Such as `JointEntropy`; the whole name if it is not understood.
    settings : str or None
        What else the name says of how the feature was computed: `Bins-16_Radius-3`,
        `d1_3d_v_mrg_fbn_n32`, `(IBSI:RNU0)[mm3]`.
    """

    name: str
    program: str | None = None
    prefix: str | None = None
    image_type: str | None = None
    feature_class: str | None = None
    feature: str
    settings: str | None = None


def parse_feature_name(name: str) -> FeatureName:
    """Take a feature name apart.

    Parameters
    ----------
    name : str
        A column of a radiomics table, upper and lower case as the program writes it.

    Returns
    -------
    FeatureName

    Examples
    --------
    >>> parse_feature_name("wavelet-LLH_glcm_JointEntropy").image_type
    'wavelet-LLH'
    >>> parse_feature_name("T1c|core|original_shape_MeshVolume").prefix
    'T1c|core'
    >>> entropy = parse_feature_name("cm_joint_entr_d1_3d_v_mrg_fbn_n32")
    >>> entropy.program, entropy.feature_class, entropy.feature
    ('MIRP', 'glcm', 'joint_entr')
    >>> parse_feature_name("T1_tumor_core_Intensity_Kurtosis").program
    'CaPTk'
    >>> parse_feature_name("MORPHOLOGICAL_Volume(IBSI:RNU0)[mm3]").feature
    'Volume'
    >>> parse_feature_name("Age").program is None
    True
    """
    spread, bar, own = name.rpartition("|")
    parts = _pyradiomics(own) or _mirp(own) or _captk(own) or _lifex(own)
    if parts is None:
        return FeatureName(name=name, feature=name)
    prefix = f"{spread}{bar}{parts['prefix'] or ''}".removesuffix("|")
    return FeatureName(**{**parts, "name": name, "prefix": prefix or None})


_Parts: TypeAlias = dict[str, Any]


def _pyradiomics(name: str) -> _Parts | None:
    match = PYRADIOMICS.fullmatch(name)
    if match is None:
        return None
    parts = match.groupdict()
    return parts | {"program": "pyradiomics", "feature_class": parts.pop("family")}


def _mirp(name: str) -> _Parts | None:
    match = MIRP.fullmatch(name)
    if match is None:
        return None
    family, _, feature = match["whole"].partition("_")
    return {
        "program": "MIRP",
        "prefix": match["prefix"],
        "feature_class": MIRP_CLASSES[family],
        "feature": feature,
        "settings": match["settings"],
    }


def _captk(name: str) -> _Parts | None:
    match = CAPTK.fullmatch(name)
    if match is None:
        return None
    settings = (match["settings"] or match["bins"] or "").removeprefix("_")
    return {
        "program": "CaPTk",
        "prefix": match["prefix"],
        "feature_class": CAPTK_CLASSES[match["family"] or match["texture"]],
        "feature": match["feature"],
        "settings": settings or None,
    }


def _lifex(name: str) -> _Parts | None:
    match = LIFEX.fullmatch(name)
    if match is None:
        return None
    whole = match["whole"] or match["tagged"]
    # the longest family that fits: DISCRETIZED_HISTO before DISCRETIZED
    family = max((f for f in LIFEX_CLASSES if whole.startswith(f"{f}_")), key=len)
    settings = (match["settings"] or match["tag"] or "").strip()
    return {
        "program": "LIFEx",
        "prefix": match["prefix"],
        "feature_class": LIFEX_CLASSES[family],
        "feature": whole.removeprefix(f"{family}_"),
        "settings": settings or None,
    }


def feature_table(names: Iterable[str]) -> pd.DataFrame:
    """Take many feature names apart.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    DataFrame, one row per name
        Columns `name`, `program`, `prefix`, `image_type`, `feature_class`, `feature`, `settings`;
        None where unknown.

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
    """Tell whether a feature is nothing but the volume of the tumour or of a part of it.

    A change in volume (`delta|...`) is none.

    Examples
    --------
    >>> is_volume("original_shape_MeshVolume"), is_volume("original_shape_Sphericity")
    (True, False)
    >>> is_volume("T1c|core|morph_volume"), is_volume("SHAPE_Volume(mL)")
    (True, True)
    """
    parsed = parse_feature_name(name)
    if parsed.program is None or parsed.feature_class != "shape" or name.startswith(f"{DELTA}|"):
        return False
    return parsed.feature in VOLUMES[parsed.program]


def is_provenance(name: str) -> bool:
    """Tell whether a column says how the features were made, and is no feature.

    Examples
    --------
    >>> is_provenance("diagnostics_Mask-original_VoxelNum"), is_provenance("Mask")
    (True, True)
    """
    return PROVENANCE.fullmatch(name.rpartition("|")[2]) is not None


def total_name(name: str) -> str:
    """Name the sum of a feature over the lesions of a patient.

    Examples
    --------
    >>> total_name("original_shape_MeshVolume"), is_volume(total_name("original_shape_MeshVolume"))
    ('total|original_shape_MeshVolume', True)
    """
    return f"total|{name}"
