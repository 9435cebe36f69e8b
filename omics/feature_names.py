"""The name of every feature that settings ask for, as pyradiomics makes them: known beforehand.

What pyradiomics leaves out, it leaves out in silence: what came is compared with these names.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any

from omics.extraction_settings import ExtractionSettings


def expected_features(settings: ExtractionSettings) -> list[str]:
    """Name every feature that `extract_region` returns, in its order.

    Parameters
    ----------
    settings : ExtractionSettings

    Examples
    --------
    >>> from omics.extraction_settings import settings_from_text
    >>> text = "{imageType: {Original: {}, LoG: {sigma: [2]}}, featureClass: {shape: [Flatness],"
    >>> text += " ngtdm: [Busyness]}}"
    >>> expected_features(settings_from_text(text, name="mine"))
    ['original_shape_Flatness', 'original_ngtdm_Busyness', 'log-sigma-2-0-mm-3D_ngtdm_Busyness']
    """
    shapes = [
        f"original_{name}_{feature}"
        for name, features in settings.feature_classes.items()
        if name.startswith("shape")
        for feature in features
    ]
    others = [
        (name, feature)
        for name, features in settings.feature_classes.items()
        if not name.startswith("shape")
        for feature in features
    ]
    images = [
        image
        for image_type, own in settings.image_types.items()
        for image in image_names(image_type, {**settings.setting, **own})
    ]
    return shapes + [f"{image}_{name}_{feature}" for image in images for name, feature in others]


def image_names(image_type: str, own: Mapping[str, Any]) -> list[str]:
    """Name the images that an image type makes, in pyradiomics' words.

    Parameters
    ----------
    image_type : str
    own : mapping
        Its settings, with `force2D` among them.

    Examples
    --------
    >>> image_names("Wavelet", {"level": 1, "force2D": True})
    ['wavelet-LH', 'wavelet-HL', 'wavelet-HH', 'wavelet-LL']
    """
    if image_type == "LoG":
        return [laplacian_name(sigma) for sigma in own["sigma"]]
    if image_type == "LBP2D":
        return ["lbp-2D"]
    if image_type != "Wavelet":
        return [image_type.lower()]
    levels = own["level"]
    bands = ["".join(band) for band in product("LH", repeat=2 if own["force2D"] else 3)]
    prefixes = ["wavelet", *(f"wavelet{level}" for level in range(2, levels + 1))]
    details = [f"{prefix}-{band}" for prefix in prefixes for band in bands[1:]]
    return [*details, f"{prefixes[-1]}-{bands[0]}"]


def laplacian_name(sigma: float) -> str:
    """Name the image of a Laplacian of a Gaussian of `sigma` mm."""
    return f"log-sigma-{str(sigma).replace('.', '-')}-mm-3D"
