"""What each key of a settings file may hold: one rule a key, checked before anything runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from omics.errors import StudyError
from omics.extras import needed
from omics.messages import nearest


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One key: what it needs, in words, and how a value is read (ValueError where it is wrong)."""

    needs: str
    read: Callable[[Any], Any]


def _whole(least: int, most: int | None = None) -> Rule:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError
        if value < least or (most is not None and value > most):
            raise ValueError
        return value

    reach = f"of {least} or more" if most is None else f"from {least} to {most}"
    return Rule(needs=f"a whole number {reach}", read=read)


def _number(needs: str, allowed: Callable[[float], bool]) -> Rule:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        if not allowed(float(value)):
            raise ValueError
        return float(value)  # 25 and 25.0 are one setting, and one name of a filtered image

    return Rule(needs=needs, read=read)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _one_of(*words: str) -> Rule:
    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError
        return value

    return Rule(needs="one of " + ", ".join(words), read=read)


def _list_of(rule: Rule, least: int, most: int | None = None) -> Rule:
    def read(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple) or len(value) < least:
            raise ValueError
        if most is not None and len(value) > most:
            raise ValueError
        return [rule.read(item) for item in value]

    length = f"{least} or more" if most is None else str(least) if least == most else f"1 or {most}"
    return Rule(needs=f"a list of {length}, each {rule.needs}", read=read)


def _wavelet(value: Any) -> str:
    if value not in needed("pywt").wavelist(kind="discrete"):
        raise ValueError
    return str(value)


_FINITE = _number("a finite number", lambda value: abs(value) < float("inf"))
_POSITIVE = _number("a number above 0", lambda value: 0 < value < float("inf"))
_FLAG = Rule(needs="true or false", read=_flag)

# before any image type: resampling, normalisation, the region
REGION_RULES = MappingProxyType(
    {
        "minimumROIDimensions": _whole(1, 3),
        "minimumROISize": _whole(1),
        "normalize": _FLAG,
        "normalizeScale": _POSITIVE,
        "removeOutliers": _POSITIVE,
        "resampledPixelSpacing": _list_of(
            _number("a number of mm, 0 for the image's own", lambda value: 0 <= value < 1e3), 3, 3
        ),
        "interpolator": _one_of(
            "sitkNearestNeighbor",
            "sitkLinear",
            "sitkBSpline",
            "sitkGaussian",
            "sitkLabelGaussian",
            "sitkHammingWindowedSinc",
            "sitkCosineWindowedSinc",
            "sitkWelchWindowedSinc",
            "sitkLanczosWindowedSinc",
            "sitkBlackmanWindowedSinc",
        ),
        "padDistance": _whole(0),
        "preCrop": _FLAG,
        "resegmentRange": _list_of(_FINITE, 1, 2),
        "resegmentMode": _one_of("absolute", "relative", "sigma"),
        "resegmentShape": _FLAG,
    }
)
# of every image type; a type may state its own
TEXTURE_RULES = MappingProxyType(
    {
        "binWidth": _POSITIVE,
        "binCount": _whole(1),
        "voxelArrayShift": _whole(-(10**9)),
        "distances": _list_of(_whole(1), 1),
        "force2D": _FLAG,
        "force2Ddimension": _whole(0, 2),
        "symmetricalGLCM": _FLAG,
        "weightingNorm": _one_of("euclidean", "manhattan", "infinity", "no_weighting"),
        "gldm_a": _whole(0),
    }
)
# of the image type that uses them
FILTER_RULES: Mapping[str, Mapping[str, Rule]] = MappingProxyType(
    {
        "Original": {},
        "LoG": {"sigma": _list_of(_POSITIVE, 1)},
        "Wavelet": {
            "wavelet": Rule(needs="a discrete wavelet of PyWavelets, such as coif1", read=_wavelet),
            "level": _whole(1),
            "start_level": _whole(0),
        },
        "Square": {},
        "SquareRoot": {},
        "Logarithm": {},
        "Exponential": {},
        "Gradient": {"gradientUseSpacing": _FLAG},
        "LBP2D": {
            "lbp2DRadius": _POSITIVE,
            "lbp2DSamples": _whole(1),
            "lbp2DMethod": _one_of("default", "ror", "uniform", "var"),
        },
    }
)
# what pyradiomics takes where nothing is stated
REGION_DEFAULTS = MappingProxyType(
    {"minimumROIDimensions": 2, "normalize": False, "preCrop": False}
)
TEXTURE_DEFAULTS = MappingProxyType(
    {
        "voxelArrayShift": 0,
        "distances": [1],
        "force2D": False,
        "force2Ddimension": 0,
        "symmetricalGLCM": True,
        "gldm_a": 0,
    }
)
FILTER_DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "Wavelet": {"wavelet": "coif1", "level": 1, "start_level": 0},
        "Gradient": {"gradientUseSpacing": True},
        "LBP2D": {"lbp2DRadius": 1.0, "lbp2DSamples": 8, "lbp2DMethod": "uniform"},
    }
)
# keys that pyradiomics knows and that have no place here, each with the cure
ELSEWHERE = MappingProxyType(
    {
        "label": "State the label of each case in the manifest's column 'label'.",
        "label_channel": "State the label of each case in the manifest's column 'label'.",
        "geometryTolerance": (
            "Delete it: a mask of another geometry is refused, or, with resample_mask: true under "
            "preprocess, laid on the image's grid."
        ),
    }
)


def read_values(
    stated: Mapping[str, Any], rules: Mapping[str, Rule], *, where: str
) -> dict[str, Any]:
    """Read every value by its rule.

    Parameters
    ----------
    stated : mapping of key to value
        None (an empty or `null` value) stands for the default and is left out.
    rules : mapping of key to Rule
    where : str
        Begins a message, such as `mine.yaml, setting`.

    Raises
    ------
    StudyError
        Names the key or the value that is wrong.

    Examples
    --------
    >>> read_values({"binWidth": 25, "minimumROISize": None}, {**REGION_RULES, **TEXTURE_RULES},
    ...             where="setting")
    {'binWidth': 25.0}
    """
    values = {}
    for key, value in stated.items():
        if key not in rules:
            cure = ELSEWHERE.get(str(key)) or nearest(str(key), rules)
            raise StudyError(f"{where} must hold known keys, but has {str(key)!r}. {cure}")
        if value is None:
            continue
        try:
            values[str(key)] = rules[key].read(value)
        except ValueError:
            raise StudyError(
                f"{where}: {key} must be {rules[key].needs}, but is {value!r}."
            ) from None
    return values
