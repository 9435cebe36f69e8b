"""Where the real data lies, and the mark of a test that needs it."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"


def needs_data(folder: str) -> pytest.MarkDecorator:
    """Skip, saying why, where `../shared/data/<folder>` is absent."""
    return pytest.mark.skipif(
        not (DATA / folder).is_dir(), reason=f"real data is absent: ../shared/data/{folder}"
    )
