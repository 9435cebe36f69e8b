"""What libraries raise and write over a damaged file becomes a reason in words."""

import os
import re
import struct
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from omics.errors import CaseError
from omics.extras import needed

_STDERR = 2
_TURN = Lock()
_SHEARED = ("orthonormal direction cosines", "unexpected scales in sform")
_UNKNOWN = "Unable to determine ImageIO reader"


@contextmanager
def native_errors(path: Path, *, what: str) -> Iterator[None]:
    """Turn the failure of a library to read `path` into a CaseError that names no file.

    What the library writes to the terminal meanwhile is kept from it, and stands in the message.
    Threads take turns, for all write to one terminal.
    """
    with _TURN, tempfile.TemporaryFile() as said:
        kept = os.dup(_STDERR)
        os.dup2(said.fileno(), _STDERR)
        try:
            yield
        except RuntimeError as error:
            said.seek(0)
            told = said.read().decode(errors="replace") or str(error)
            if any(words in told for words in _SHEARED):
                raise sheared(what, "the sform of NIfTI") from error
            raise unreadable(what, in_words(told, path)) from error
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)


@contextmanager
def damaged(what: str) -> Iterator[None]:
    """Tell that a DICOM file is damaged, where libraries stumble over what it holds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that break a rule of DICOM
        try:
            yield
        except CaseError:
            raise
        except (
            *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError),
            *(EOFError, OSError, RuntimeError, struct.error),
            needed("pydicom").errors.BytesLengthException,
            needed("pydicom").errors.InvalidDicomError,
        ) as error:
            raise unreadable(what, f"{type(error).__name__} in reading its content") from error


def sheared(what: str, where: str) -> CaseError:
    """Say that voxels are no boxes, and where the header says so."""
    return CaseError(
        f"{what} must have axes at right angles and one spacing, but its header says otherwise "
        f"({where}). Resample it, or correct the header."
    )


def unreadable(what: str, reason: str) -> CaseError:
    """Say that a file is damaged, and how that was seen."""
    return CaseError(
        f"{what} must be a whole file, but it is damaged, cut short or not what its name says "
        f"({reason}). Copy or export it again."
    )


def in_words(told: str, path: Path | None = None) -> str:
    r"""Take the last thing a library said, without places in its source and the file's name.

    Parameters
    ----------
    told : str
    path : Path, optional
        Of the file that is not to be named.

    Examples
    --------
    >>> in_words("sitk::ERROR: Unable to determine ImageIO reader for x", Path("x"))
    'no image format is recognised in it'
    >>> in_words("itk::ERROR: Error reading /a/b.nrrd:\n got 68 of 210", Path("/a/b.nrrd"))
    'got 68 of 210'
    """
    if _UNKNOWN in told:
        return "no image format is recognised in it"
    lines = [line.strip() for line in told.splitlines() if line.strip()] or ["no reason is given"]
    last = re.sub(r"^(\[\w+\]|\w+::\w+:|ITK ERROR:|\w+( \(0x\w+\))?:)\s*", "", lines[-1])
    if path is not None:
        last = last.replace(str(path), "the file").replace(path.name, "the file")
    return last.rstrip(".")
