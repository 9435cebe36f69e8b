"""Files and folders without the right to read them, as root may see them too."""

import errno
from pathlib import Path
from typing import Any

import pytest


def forbid(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Make a file, or whatever lies in a folder, unreadable as the system would."""
    really = {name: getattr(Path, name) for name in ("open", "stat", "iterdir")}

    def refusing(name: str) -> Any:
        def call(self: Path, *arguments: Any, **options: Any) -> Any:
            inside = path in self.parents or (path == self and name != "stat")
            if inside and not (name == "stat" and path.is_file()):
                raise PermissionError(errno.EACCES, "Permission denied", str(self))
            return really[name](self, *arguments, **options)

        return call

    for name in really:
        monkeypatch.setattr(Path, name, refusing(name))
