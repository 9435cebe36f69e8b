"""A factor model as plain files: JSON for words, npz for numbers; reading them runs no code."""

import hashlib
import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

FORMAT = "nomomics factor model"
VERSION = 2
DOCUMENT, ARRAYS = "factors.json", "factors.npz"

_KEYS = {
    "parameters",
    "features",
    "likelihoods",
    "positions",
    "n_features_in",
    "feature_names_in",
    "variance_explained",
    "group_variance_explained",
    "information",
    "groups",
    "active",
    "n_without_values",
    "dropped",
    "n_iterations",
    "converged",
    "elbo",
    "n_patients",
    "software",
    "sha256",
}
_PER_FEATURE = {"lowest", "highest", "spread", "bernoulli", "poisson", "importance"}
_PER_PROFILE_AND_FEATURE = {"noise_precision", "centre", "scale"}
_PER_FEATURE_AND_FACTOR = {"weight", "weight_square"}
_PER_PROFILE_AND_FACTOR = {"prior_precision"}


def write_model(
    folder: Path, document: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]]
) -> None:
    """Write both files into `folder`, each complete or not at all, the JSON last."""
    folder.mkdir(parents=True, exist_ok=True)
    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(arrays))
    content = buffer.getvalue()
    full = {
        "format": FORMAT,
        "version": VERSION,
        **document,
        "software": {name: version(name) for name in ("mofapy2", "numpy")},
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    text = json.dumps(full, indent=1, ensure_ascii=False, allow_nan=False, default=_plain)
    _write_whole(folder / ARRAYS, content)
    _write_whole(folder / DOCUMENT, text.encode())


def _plain(value: object) -> object:
    """NumPy's numbers and any mapping, as JSON knows them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a parameter of the model is no plain data: {type(value).__name__}")


def _write_whole(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    os.replace(part, path)


def read_model(folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read and check both files.

    Returns
    -------
    document : dict
    arrays : dict of ndarray

    Raises
    ------
    ValueError
        If a file is absent or damaged, of another version, lacks a key, or the two do not belong
        together.
    """
    document = _read_document(folder / DOCUMENT)
    content = _bytes(folder / ARRAYS)
    if hashlib.sha256(content).hexdigest() != document["sha256"]:
        raise ValueError(
            f"{ARRAYS} must be the file written with {DOCUMENT}, but its sha256 differs. "
            "Copy both from the same folder."
        )
    try:
        with np.load(BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except BadZipFile as error:
        raise ValueError(f"{ARRAYS} cannot be read: {error}.") from error
    _check_arrays(arrays, len(document["features"]))
    return document, arrays


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError(f"the folder must hold {path.name}, but {path.parent} does not.")
    return path.read_bytes()


def _read_document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(_bytes(path))
    except ValueError as error:
        if not isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            raise
        raise ValueError(f"{path.name} must be JSON, but cannot be read: {error}.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"{path.name} must be a {FORMAT}, but says it is something else.")
    if document.get("version") != VERSION:
        raise ValueError(
            f"{path.name} must be of version {VERSION}, but is of version "
            f"{document.get('version')!r}. Fit the model again, or read it with the program that "
            "wrote it."
        )
    missing = sorted(_KEYS - set(document))
    if missing:
        raise ValueError(
            f"{path.name} must hold every key, but {len(missing)} are missing "
            f"({', '.join(missing)}). The file is incomplete: save the model again."
        )
    return document


def _check_arrays(arrays: Mapping[str, NDArray[Any]], n_features: int) -> None:
    needed = (
        _PER_FEATURE | _PER_PROFILE_AND_FEATURE | _PER_FEATURE_AND_FACTOR | _PER_PROFILE_AND_FACTOR
    )
    missing = sorted(needed - set(arrays))
    if missing:
        raise ValueError(
            f"{ARRAYS} must hold every array, but {len(missing)} are missing "
            f"({', '.join(missing)}). The file is incomplete: save the model again."
        )
    prior = arrays["prior_precision"]
    n_profiles, n_factors = prior.shape if prior.ndim == 2 else (0, 0)
    shapes = {
        **dict.fromkeys(_PER_FEATURE, (n_features,)),
        **dict.fromkeys(_PER_PROFILE_AND_FEATURE, (n_profiles, n_features)),
        **dict.fromkeys(_PER_FEATURE_AND_FACTOR, (n_features, n_factors)),
        **dict.fromkeys(_PER_PROFILE_AND_FACTOR, (n_profiles, n_factors)),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise ValueError(
                f"{ARRAYS} must hold {name} of shape {shape}, but it is {arrays[name].shape}."
            )
