"""The three packages are ours: the names are generic and other distributions use them too."""

from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["omics", "models", "reports"])
def test_package_is_ours(name: str) -> None:
    found = Path(str(import_module(name).__file__)).parents[1]
    assert found == ROOT, f"another package named {name} hides ours: {found}"
    assert len(set(packages_distributions().get(name, []))) <= 1
