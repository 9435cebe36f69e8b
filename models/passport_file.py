"""The file of a passport: a zip of text for a person, JSON for words and npz for numbers.

Reading looks at three members by name, bounds what they may unpack to, and compares fingerprints,
so that a file that was changed by hand, cut off or made by another program is named as such.
"""

import hashlib
import json
import math
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from omics.errors import StudyError

FORMAT = "nomomics passport"
VERSION = 4
NAME = "passport.zip"
README, DOCUMENT, ARRAYS = "README.txt", "passport.json", "arrays.npz"
LARGEST = 1 << 29  # bytes that a member may unpack to
AGAIN = "Write it again with `nomomics run`, or ask for the file as it was written."


def pack(
    document: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], *, readme: str
) -> bytes:
    """Make the bytes of a passport; the same content gives the same bytes.

    Parameters
    ----------
    document : mapping
        JSON values.
    arrays : mapping of str to ndarray
    readme : str
        What a person reads.
    """
    buffer = BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(arrays))
    numbers, text = buffer.getvalue(), readme.encode()
    full = {"format": FORMAT, "version": VERSION, **document}
    full["sha256"] = {
        README: hashlib.sha256(text).hexdigest(),
        ARRAYS: hashlib.sha256(numbers).hexdigest(),
        DOCUMENT: _fingerprint(full),
    }
    words = json.dumps(full, indent=1, ensure_ascii=False, allow_nan=False).encode()
    packed = BytesIO()
    with ZipFile(packed, "w") as file:
        for name, content in ((README, text), (DOCUMENT, words), (ARRAYS, numbers)):
            member = ZipInfo(name)  # of 1980: no clock
            member.external_attr = 0o644 << 16
            file.writestr(member, content, compress_type=ZIP_DEFLATED)
    return packed.getvalue()


def _fingerprint(document: Mapping[str, Any]) -> str:
    """Hash what the document says, not how it is laid out; its own fingerprints aside."""
    said = {key: value for key, value in document.items() if key != "sha256"}
    text = json.dumps(said, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def unpack(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]], str]:
    """Read and check a passport; no code in it is run.

    Returns
    -------
    document : dict
    arrays : dict of ndarray
    readme : str

    Raises
    ------
    StudyError
        If it is no passport, of another version, damaged, or was changed after it was written.
    """
    try:
        with ZipFile(path) as file:
            parts = {name: _member(file, name, path) for name in (README, DOCUMENT, ARRAYS)}
    except FileNotFoundError as error:
        raise StudyError(f"passport {path} was not found. Give the folder of a run.") from error
    except OSError as error:
        raise StudyError(f"passport {path} cannot be opened: {error.strerror}.") from error
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise StudyError(
            f"passport {path.name} must be a whole zip file, but cannot be read ({error}). It was "
            f"cut off or damaged. {AGAIN}"
        ) from error
    document = _document(parts[DOCUMENT], path)
    _check_fingerprints(document, parts, path)
    return document, _arrays(parts[ARRAYS], path), parts[README].decode()


def _member(file: ZipFile, name: str, path: Path) -> bytes:
    found = [info for info in file.infolist() if info.filename == name]
    if len(found) != 1:
        raise StudyError(
            f"{path.name} must hold {name} once, but holds it {len(found)} times: it is no "
            f"passport of nomomics. {AGAIN}"
        )
    if found[0].file_size > LARGEST:
        raise StudyError(
            f"{path.name}: {name} must unpack to at most {LARGEST >> 20} MB, but says "
            f"{found[0].file_size >> 20} MB. {AGAIN}"
        )
    return file.read(found[0])


def _document(content: bytes, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StudyError(f"{path.name}: {DOCUMENT} must be JSON, but is not: {error}.") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise StudyError(f"{path.name}: {DOCUMENT} must be a {FORMAT}, but says it is not.")
    if document.get("version") != VERSION:
        raise StudyError(
            f"{path.name} must be a passport of version {VERSION}, but is of version "
            f"{document.get('version')!r}. Run the study again with this program, or score "
            "with the program that wrote the passport (its versions stand in README.txt)."
        )
    return document


def _check_fingerprints(document: dict[str, Any], parts: dict[str, bytes], path: Path) -> None:
    stored = document.get("sha256")
    try:
        said = _fingerprint(document)
    except ValueError:  # NaN, which we never write
        said = ""
    actual = {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}
    actual[DOCUMENT] = said
    changed = [n for n in actual if not isinstance(stored, dict) or stored.get(n) != actual[n]]
    if changed:
        raise StudyError(
            f"{path.name} must be as it was written, but {' and '.join(changed)} "
            f"{'was' if len(changed) == 1 else 'were'} changed afterwards (edited by hand?): its "
            f"sha256 differs. {AGAIN}"
        )


def _arrays(content: bytes, path: Path) -> dict[str, NDArray[Any]]:
    try:
        with ZipFile(BytesIO(content)) as inner:
            for info in inner.infolist():
                with inner.open(info) as member:
                    _check_size(member, info.file_size)
        with np.load(BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (BadZipFile, ValueError, EOFError, zlib.error) as error:
        raise StudyError(f"{path.name}: {ARRAYS} cannot be read: {error}. {AGAIN}") from error


def _check_size(member: Any, size: int) -> None:
    """Refuse an array that claims more numbers than its member holds, before room is made."""
    version = npy.read_magic(member)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(member)
    if size > LARGEST or dtype.hasobject or math.prod(shape) * dtype.itemsize > size:
        raise ValueError("an array is larger than the file says")
