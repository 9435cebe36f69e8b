"""How a file appears, whole or not at all: written beside its place, then moved there."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile


def write_text(text: str, path: Path) -> None:
    """Write `text` as UTF-8; `path` holds the old file or the whole new one, never a part.

    Parameters
    ----------
    text : str
    path : Path
        In a folder that exists.
    """
    with NamedTemporaryFile(
        "w", encoding="utf-8", newline="", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as part:
        try:
            part.write(text)
            part.flush()
            os.fsync(part.fileno())
            Path(part.name).chmod(0o644)
            Path(part.name).replace(path)
        finally:  # after an interruption the unfinished part is still there
            Path(part.name).unlink(missing_ok=True)
