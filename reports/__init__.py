"""Results drawn and written: `About`, `analyse`, `load_cohort`, `read_study`, `write_report`.

The names are looked up when asked for, so that the command can first make sure that `omics` and
`models` are ours and not a user's file of that name.
"""

from importlib import import_module
from typing import Any

_WHERE = {
    "About": "reports.about",
    "analyse": "reports.analysis",
    "load_cohort": "reports.study",
    "read_study": "reports.study_file",
    "write_report": "reports.report",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'reports' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def load_ipython_extension(shell: Any) -> None:
    """Teach Jupyter to draw results: `%load_ext reports`."""
    from reports.jupyter import register

    register(shell)
