"""Were two tables extracted in the same way? Settings as one canonical text, and its digest.

Whatever changes a table stands in the text, defaults written out and keys in order, so that two
files that mean the same have the same digest; where they differ, the settings that do are named.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omics.errors import StudyError
from omics.extraction_presets import PRESETS
from omics.extras import needed
from omics.image_steps import ImageSteps
from omics.messages import MAY_NOT_BE_READ, nearest, number_of
from omics.settings_reader import Parts, read_parts


@dataclass(frozen=True, kw_only=True)
class ExtractionSettings:
    """How features are extracted.

    Attributes
    ----------
    name : str
        The preset's or the file's; it changes nothing.
    steps : ImageSteps
        What is done to an image before pyradiomics sees it.
    image_types : mapping of image type to mapping
        What differs from `setting` in each, and its filter's own settings.
    feature_classes : mapping of feature class to sequence of str
        The features of each class, by name.
    setting : mapping
        pyradiomics' own settings, defaults included.
    """

    name: str
    steps: ImageSteps
    image_types: Mapping[str, Mapping[str, Any]]
    feature_classes: Mapping[str, Sequence[str]]
    setting: Mapping[str, Any]

    @property
    def text(self) -> str:
        """Canonical JSON of everything that decides a table's columns, rows and numbers."""
        return json.dumps(
            {
                "preprocess": self.steps.recorded,
                "imageType": {name: dict(own) for name, own in self.image_types.items()},
                "featureClass": {
                    name: sorted(features) for name, features in self.feature_classes.items()
                },
                "setting": dict(self.setting),
            },
            sort_keys=True,
        )

    @property
    def digest(self) -> str:
        """The first twelve hexadecimal digits of the sha256 of `text`."""
        return settings_digest(self.text)

    def __repr__(self) -> str:
        n_features = sum(len(features) for features in self.feature_classes.values())
        return (
            f"ExtractionSettings({self.name}, {', '.join(self.image_types)}, "
            f"{number_of(n_features, 'feature')}, {self.digest})"
        )


def read_settings(source: str | Path) -> ExtractionSettings:
    """Read a preset or a YAML file.

    Parameters
    ----------
    source : str or Path
        `mri`, `ct`, or the path of a pyradiomics parameter file.

    Raises
    ------
    StudyError
        If there is no such file, a key is unknown (the nearest is named), a value has the wrong
        type, or something is asked for that cannot be computed here.

    Examples
    --------
    >>> settings = read_settings("ct")
    >>> list(settings.image_types), settings.setting["binWidth"]
    (['Original', 'LoG', 'Wavelet'], 25.0)
    """
    if str(source) in PRESETS:
        return settings_from_text(PRESETS[str(source)], name=str(source))
    path = Path(source)
    must = f"settings must be a preset ({', '.join(PRESETS)}) or a YAML file"
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StudyError(
            f"{must}, but there is no file {str(path)!r}. {nearest(str(source), PRESETS)}"
        ) from error
    except IsADirectoryError as error:
        raise StudyError(f"{must}, but {str(path)!r} is a folder. Name a file in it.") from error
    except PermissionError as error:
        raise StudyError(f"settings file {path} {MAY_NOT_BE_READ}") from error
    except UnicodeDecodeError as error:
        raise StudyError(
            f"{must}, but {str(path)!r} is no UTF-8 text. Save it again as UTF-8."
        ) from error
    except OSError as error:
        raise StudyError(f"settings file {path} cannot be read: {error}.") from error
    return settings_from_text(text, name=path.name)


def settings_from_text(text: str, *, name: str) -> ExtractionSettings:
    """Read the text of a settings file.

    Parameters
    ----------
    text : str
        YAML.
    name : str
        Named in messages.

    Raises
    ------
    StudyError
        As of `read_settings`.

    Examples
    --------
    >>> settings_from_text("setting: {binWidht: 25}", name="mine.yaml")
    Traceback (most recent call last):
    omics.errors.StudyError: mine.yaml, setting must hold known keys, but has 'binWidht'. Did you
    mean 'binWidth'?
    """
    parts: Parts = read_parts(text, name=name)
    return ExtractionSettings(
        name=name,
        steps=parts.steps,
        image_types=parts.image_types,
        feature_classes=parts.feature_classes,
        setting=parts.setting,
    )


def settings_yaml(settings: ExtractionSettings) -> str:
    """Write settings as a file that `read_settings` reads back to the same digest.

    Examples
    --------
    >>> text = settings_yaml(read_settings("mri"))
    >>> settings_from_text(text, name="mine").digest == read_settings("mri").digest
    True
    """
    tree = json.loads(settings.text)
    tree["preprocess"]["n4"] = settings.steps.n4  # how it is done is recorded, not chosen
    return str(needed("yaml").safe_dump(tree, sort_keys=False, default_flow_style=None))


def settings_digest(text: str) -> str:
    """Return the digest of a canonical text.

    Examples
    --------
    >>> settings_digest(read_settings("mri").text) == read_settings("mri").digest
    True
    """
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def settings_difference(one: str, other: str) -> list[str]:
    """Name every setting in which two `text`s differ.

    Parameters
    ----------
    one, other : str
        Canonical texts: "here" and "there" in the phrases.

    Returns
    -------
    list of str
        Empty where they are the same.

    Examples
    --------
    >>> one = settings_from_text("setting: {binWidth: 25}", name="one").text
    >>> other = settings_from_text("setting: {binWidth: 5}", name="other").text
    >>> settings_difference(one, other)
    ['binWidth: 25 here, 5 there']
    """
    here, there = (dict(_flattened(json.loads(text))) for text in (one, other))
    keys = dict.fromkeys([*here, *there])
    return [
        f"{key}: {here.get(key, 'none')} here, {there.get(key, 'none')} there"
        for key in keys
        if here.get(key) != there.get(key)
    ]


def _flattened(tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give each setting a short name and its value in words."""
    for part, values in tree.items():
        for key, value in values.items():
            if part == "imageType":
                yield key, "computed"
                yield from ((f"{key}.{inner}", _worded(own)) for inner, own in value.items())
            elif part == "featureClass":
                yield from ((f"{key} {feature}", "computed") for feature in value)
            else:
                yield key, _worded(value)


def _worded(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {_worded(item)}" for key, item in value.items()) + ")"
    if isinstance(value, list):
        return "[" + ", ".join(_worded(item) for item in value) + "]"
    return str(value)
