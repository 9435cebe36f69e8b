"""Results drawn and written: figures, tables, one HTML page."""

from typing import Any


def load_ipython_extension(shell: Any) -> None:
    """Teach Jupyter to draw results: `%load_ext reports`."""
    from reports.jupyter import register

    register(shell)
