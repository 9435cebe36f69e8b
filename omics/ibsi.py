"""How a feature of pyradiomics stands to the standard: its IBSI code, and where it deviates.

Code and deviation are those of the feature's definition: a feature of a filtered image has the
code of the same feature of the original image. Two deviations are of settings, not of features:
bins of a fixed width begin at a multiple of the width instead of at the region's minimum, and a
`voxelArrayShift` above 0 is added to every grey value before Energy and RootMeanSquared.

References
----------
Zwanenburg A, Vallieres M, et al. The Image Biomarker Standardization Initiative: standardized
quantitative radiomics for high-throughput image-based phenotyping. Radiology 2020;295:328-338.
doi:10.1148/radiol.2020191145
"""

from types import MappingProxyType
from typing import NamedTuple

from omics.ibsi_codes import CODES

_POPULATION = (
    "pyradiomics divides the covariance of the n voxels' places by n, IBSI's reference by n - 1: "
    "times sqrt(n / (n - 1)) it is IBSI's"
)
KNOWN_DEVIATIONS = MappingProxyType(
    {
        "firstorder_Kurtosis": (
            "pyradiomics does not subtract 3: IBSI's is the excess kurtosis, lower by exactly 3"
        ),
        "shape_MajorAxisLength": _POPULATION,
        "shape_MinorAxisLength": _POPULATION,
        "shape_LeastAxisLength": _POPULATION,
    }
)


class FeatureParts(NamedTuple):
    """What the name of a feature says: `image_type`, `feature_class` and `feature`."""

    image_type: str
    feature_class: str
    feature: str


def feature_parts(name: str) -> FeatureParts | None:
    """Take a feature's name apart, or return None where it is no feature of pyradiomics.

    Parameters
    ----------
    name : str
        Such as `wavelet-LLH_glcm_Idm`.

    Examples
    --------
    >>> feature_parts("log-sigma-3-0-mm-3D_glszm_ZoneEntropy")
    FeatureParts(image_type='log-sigma-3-0-mm-3D', feature_class='glszm', feature='ZoneEntropy')
    >>> feature_parts("diagnostics_Region_Voxels") is None
    True
    """
    parts = name.rsplit("_", 2)
    if len(parts) != 3 or parts[2] not in CODES.get(parts[1], {}):
        return None
    return FeatureParts(*parts)


def ibsi_code(name: str) -> str | None:
    """Return the IBSI code of a feature of any image type; None where the manual has none.

    Parameters
    ----------
    name : str
        A feature's name in pyradiomics.

    Examples
    --------
    >>> ibsi_code("original_shape_MeshVolume"), ibsi_code("wavelet-LLH_gldm_DependenceEntropy")
    ('RNU0', 'FCBV')
    >>> ibsi_code("original_glcm_MCC") is None
    True
    """
    parts = feature_parts(name)
    return None if parts is None else CODES[parts.feature_class][parts.feature]


def known_deviation(name: str) -> str | None:
    """Return why a feature of any image type differs from IBSI's, or None where it agrees.

    Examples
    --------
    >>> known_deviation("original_firstorder_Kurtosis").startswith("pyradiomics does not subtract")
    True
    """
    parts = feature_parts(name)
    return None if parts is None else KNOWN_DEVIATIONS.get(f"{parts[1]}_{parts[2]}")
