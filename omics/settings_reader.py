"""What does a settings file ask for? Sections, keys and values read one by one, or refused.

It is a pyradiomics parameter file (`imageType`, `featureClass`, `setting`) that may have our own
section `preprocess`. What pyradiomics would pass over in silence is refused: unknown keys, an image
type without what it needs, a setting that another one undoes. What is switched off in words may
leave its companions behind, as in pyradiomics' own examples (`interpolator` below a blank
`resampledPixelSpacing`).
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omics.errors import StudyError
from omics.extras import needed
from omics.ibsi_codes import CODES, DEPRECATED, NO_LONGER_COMPUTED
from omics.image_steps import ImageSteps
from omics.messages import nearest
from omics.setting_rules import (
    FILTER_DEFAULTS,
    FILTER_RULES,
    REGION_DEFAULTS,
    REGION_RULES,
    TEXTURE_DEFAULTS,
    TEXTURE_RULES,
    Rule,
    read_values,
)

_SECTIONS = ("imageType", "featureClass", "setting", "preprocess")
_STEPS = ("n4", "z_score", "resample_mask", "rings")
_FOLLOWS = {  # settings that do nothing unless another is stated
    "normalizeScale": ("normalize",),
    "removeOutliers": ("normalize",),
    "interpolator": ("resampledPixelSpacing",),
    "padDistance": ("resampledPixelSpacing", "preCrop"),
    "resegmentMode": ("resegmentRange",),
    "resegmentShape": ("resegmentRange",),
}


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts of a settings file, defaults included."""

    steps: ImageSteps
    image_types: dict[str, dict[str, Any]]
    feature_classes: dict[str, list[str]]
    setting: dict[str, Any]


def read_parts(text: str, *, name: str) -> Parts:
    """Read and check the text of a settings file.

    Parameters
    ----------
    text : str
        YAML.
    name : str
        Named in messages.

    Raises
    ------
    StudyError
        Names the key or the value that is wrong, and the cure.
    """
    tree = _tree(text, name)
    stated, corrected = _without_provenance(_section(tree, "setting", name), name)
    steps = _read_steps(_section(tree, "preprocess", name), name, corrected=corrected)
    types = _section(tree, "imageType", name) or {"Original": None}
    filters = {key: rule for rules in FILTER_RULES.values() for key, rule in rules.items()}
    setting = read_values(
        stated, {**REGION_RULES, **TEXTURE_RULES, **filters}, where=f"{name}, setting"
    )
    for_filters = {key: setting.pop(key) for key in filters if key in setting}
    setting = _without_idle(setting, stated, name)
    _check_setting(setting, steps, name)
    image_types = _read_types(types, setting, for_filters, name)
    return Parts(
        steps=steps,
        image_types=image_types,
        feature_classes=_read_classes(
            _section(tree, "featureClass", name), name, flat=bool(setting.get("force2D"))
        ),
        setting=_with_defaults(setting),
    )


def _tree(text: str, name: str) -> dict[str, Any]:
    yaml = needed("yaml")
    try:
        _check_keys(yaml.compose(text, Loader=yaml.SafeLoader), name)
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise StudyError(f"{name} must be YAML, but is not: {_fault(error)}.") from error
    if not isinstance(tree, dict):
        raise StudyError(f"{name} must hold some of {', '.join(_SECTIONS)}, but holds none.")
    if "voxelSetting" in tree:
        raise StudyError(
            f"{name} must not hold voxelSetting: it belongs to feature maps, not to a table of "
            "regions. Delete it."
        )
    if "inputImage" in tree:
        raise StudyError(
            f"{name} must call its image types imageType, but has 'inputImage', pyradiomics' older "
            "word. Rename it; each type begins with a capital (Wavelet)."
        )
    for key in tree:
        if key not in _SECTIONS:
            raise StudyError(
                f"{name} must hold known sections, but has {str(key)!r}. "
                f"{nearest(str(key), _SECTIONS)}"
            )
    return tree


def _fault(error: Exception) -> str:
    """Say in one line what a parser of YAML stumbled over, and where."""
    problem, mark = getattr(error, "problem", None), getattr(error, "problem_mark", None)
    if problem is None or mark is None:
        return " ".join(str(error).split())
    tab = " YAML indents by blanks" if "'\\t'" in problem else ""
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1}).{tab}".rstrip(".")


def _check_keys(node: Any, name: str) -> None:
    """Refuse a key that stands twice, unless it says the same: YAML would take the last."""
    if node is None or node.id == "scalar":
        return
    if node.id == "sequence":
        for item in node.value:
            _check_keys(item, name)
        return
    seen: dict[str, str] = {}
    for key, value in node.value:
        text = needed("yaml").serialize(value)
        if seen.get(str(key.value), text) != text:
            raise StudyError(
                f"{name} must state each key once, but has {str(key.value)!r} again in line "
                f"{key.start_mark.line + 1}. Delete one."
            )
        seen[str(key.value)] = text
        _check_keys(value, name)


def _section(tree: Mapping[str, Any], key: str, name: str) -> dict[str, Any]:
    section = tree.get(key)
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise StudyError(f"{name}: {key} must hold keys and values, but is {section!r}.")
    return section


def _without_provenance(stated: dict[str, Any], name: str) -> tuple[dict[str, Any], bool | None]:
    """Take out what says nothing about numbers here, and whether masks are to be resampled."""
    rest = {key: value for key, value in stated.items() if key != "additionalInfo"}
    if rest.get("label") == 1:
        del rest["label"]
    corrected = rest.pop("correctMask", None)
    if corrected not in (None, True, False):
        raise StudyError(
            f"{name}, setting: correctMask must be true or false, but is {corrected!r}."
        )
    return rest, corrected


def _read_steps(section: Mapping[str, Any], name: str, *, corrected: bool | None) -> ImageSteps:
    stated = {
        key: value for key, value in section.items() if value is not None or key not in _STEPS
    }
    for key, value in stated.items():
        if key not in _STEPS:
            raise StudyError(
                f"{name}, preprocess must hold known keys, but has {str(key)!r}. "
                f"{nearest(str(key), _STEPS)}"
            )
        if key in ("n4", "resample_mask") and not isinstance(value, bool):
            raise StudyError(f"{name}, preprocess: {key} must be true or false, but is {value!r}.")
    resampled = stated.get("resample_mask", bool(corrected))
    if corrected is not None and resampled != corrected:
        raise StudyError(
            f"{name} must say in one way whether masks of another geometry are resampled, but has "
            f"correctMask: {_yaml(corrected)} under setting and resample_mask: {_yaml(resampled)} "
            "under preprocess. Delete one."
        )
    rings = _read_rings(stated.get("rings") or [], name)
    try:
        return ImageSteps(
            n4=stated.get("n4", False),
            z_score=stated.get("z_score") or "none",
            resample_mask=resampled,
            rings=rings,
        )
    except ValueError as error:
        raise StudyError(f"{name}, preprocess: {error}") from error


def _read_rings(stated: Any, name: str) -> tuple[tuple[float, float], ...]:
    try:
        return tuple((float(inner), float(outer)) for inner, outer in stated)
    except (TypeError, ValueError):
        raise StudyError(
            f"{name}, preprocess: rings must be pairs of mm from the region's border, such as "
            f"[[0, 5], [5, 10]], but is {stated!r}."
        ) from None


def _yaml(flag: bool) -> str:
    return "true" if flag else "false"


def _without_idle(setting: dict[str, Any], stated: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Leave out what belongs to a setting that is switched off; refuse it where that one lacks."""
    idle = set()
    for key, first in _FOLLOWS.items():
        if key not in setting or any(setting.get(other) for other in first):
            continue
        if not any(other in stated for other in first):
            raise StudyError(
                f"{name}, setting: {key} does nothing without {' or '.join(first)}. State "
                f"{first[0]}, or delete {key}."
            )
        idle.add(key)
    return {key: value for key, value in setting.items() if key not in idle}


def _check_setting(setting: Mapping[str, Any], steps: ImageSteps, name: str) -> None:
    if "binWidth" in setting and "binCount" in setting:
        raise StudyError(
            f"{name}, setting must state binWidth or binCount, but states both: pyradiomics would "
            "pass over binWidth. Delete one."
        )
    if setting.get("normalize") and steps.z_score != "none":
        raise StudyError(
            f"{name} must normalise once, but has z_score: {steps.z_score} under preprocess and "
            "normalize: true under setting, which would undo it. Delete one."
        )


def _read_types(
    stated: Mapping[str, Any],
    setting: Mapping[str, Any],
    for_filters: Mapping[str, Any],
    name: str,
) -> dict[str, dict[str, Any]]:
    types = {}
    for image_type, own in stated.items():
        where = f"{name}, imageType {image_type}"
        _check_type(image_type, own, where)
        rules: dict[str, Rule] = {**TEXTURE_RULES, **FILTER_RULES[image_type]}
        values = read_values(own or {}, rules, where=where)
        if "binWidth" in values and "binCount" in {**setting, **values}:
            raise StudyError(
                f"{where} must state binWidth or binCount, but both hold there: pyradiomics would "
                "pass over binWidth. State binCount in the image types that need it."
            )
        shared = {key: for_filters[key] for key in FILTER_RULES[image_type] if key in for_filters}
        types[image_type] = {**FILTER_DEFAULTS.get(image_type, {}), **shared, **values}
    _check_filters(types, for_filters, name)
    return types


def _check_type(image_type: object, own: object, where: str) -> None:
    if image_type == "LBP3D":
        raise StudyError(
            f"{where} cannot be computed: pyradiomics' LBP3D calls functions that SciPy has "
            "removed, and then leaves the features out in silence. Delete it; LBP2D works."
        )
    if image_type not in FILTER_RULES:
        raise StudyError(f"{where} is not known. {nearest(str(image_type), FILTER_RULES)}")
    if own is not None and not isinstance(own, dict):
        raise StudyError(f"{where} must hold keys and values, or {{}}, but is {own!r}.")
    if image_type == "LBP2D" and importlib.util.find_spec("skimage") is None:
        raise StudyError(
            f"{where} cannot be computed without scikit-image. "
            'Install it: pip install "nomomics[extract]".'
        )


def _check_filters(
    types: Mapping[str, Mapping[str, Any]], for_filters: Mapping[str, Any], name: str
) -> None:
    for key in for_filters:
        owner = next(image_type for image_type, rules in FILTER_RULES.items() if key in rules)
        if owner not in types:
            raise StudyError(
                f"{name}, setting: {key} belongs to the image type {owner}, which is not asked "
                f"for. Add {owner} under imageType, or delete {key}."
            )
    sigmas = types.get("LoG", {}).get("sigma", [])
    if len(set(sigmas)) < len(sigmas):
        raise StudyError(f"{name}, imageType LoG must state each sigma once, but has {sigmas}.")
    if "LoG" in types and not sigmas:
        raise StudyError(
            f"{name}, imageType LoG must state sigma, the widths in mm, such as "
            "sigma: [1.0, 3.0, 5.0]; pyradiomics would leave LoG out in silence."
        )


def _read_classes(stated: Mapping[str, Any], name: str, *, flat: bool) -> dict[str, list[str]]:
    if not stated:
        return {key: _all_features(key) for key in CODES if key != "shape2D"}
    classes = {}
    for key, features in stated.items():
        if key not in CODES:
            raise StudyError(
                f"{name}, featureClass must hold known classes, but has {str(key)!r}. "
                f"{nearest(str(key), CODES)}"
            )
        if key == "shape2D" and not flat:
            raise StudyError(
                f"{name}, featureClass shape2D needs force2D: true under setting; pyradiomics "
                "would leave it out in silence."
            )
        classes[key] = _named(key, features, name) if features else _all_features(key)
    return classes


def _all_features(feature_class: str) -> list[str]:
    left_out = DEPRECATED.get(feature_class, ())
    return [feature for feature in CODES[feature_class] if feature not in left_out]


def _named(feature_class: str, features: Any, name: str) -> list[str]:
    where = f"{name}, featureClass {feature_class}"
    if not isinstance(features, list):
        raise StudyError(f"{where} must be a list of features, or [] for all, but is {features!r}.")
    for feature in features:
        if not isinstance(feature, str):
            raise StudyError(
                f"{where} must list names of features, but has {feature!r}. State each name alone, "
                "such as [Mean, Energy]."
            )
        known = CODES[feature_class]
        if feature in NO_LONGER_COMPUTED.get(feature_class, {}):
            same = NO_LONGER_COMPUTED[feature_class][feature]
            raise StudyError(
                f"{where}: {feature} is no longer computed by pyradiomics. It equals {same}."
            )
        if feature not in known:
            raise StudyError(f"{where}: {feature!r} is not known. {nearest(str(feature), known)}")
    return [feature for feature in CODES[feature_class] if feature in features]


def _with_defaults(setting: Mapping[str, Any]) -> dict[str, Any]:
    full = {**REGION_DEFAULTS, **TEXTURE_DEFAULTS, **setting}
    if "binCount" not in full:
        full.setdefault("binWidth", 25.0)
    if full["normalize"]:
        full.setdefault("normalizeScale", 1.0)
    if "resampledPixelSpacing" in full:
        full.setdefault("interpolator", "sitkBSpline")
    if "resampledPixelSpacing" in full or full["preCrop"]:
        full.setdefault("padDistance", 5)
    if "resegmentRange" in full:
        full.setdefault("resegmentMode", "absolute")
        full.setdefault("resegmentShape", False)
    return full
