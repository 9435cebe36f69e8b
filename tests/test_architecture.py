"""The one-way street: omics -> models -> reports, and nothing draws below reports."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "omics": {"omics"},
    "models": {"omics", "models"},
    "reports": {"omics", "models", "reports"},
}
DRAWING = {"matplotlib", "plotly", "jinja2", "IPython"}
UNSAFE = {"pickle", "cloudpickle", "dill", "shelve", "marshal"}
COPYLEFT = {"sksurv", "pingouin"}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", list(MAY_IMPORT))
def test_imports_flow_one_way(package: str) -> None:
    forbidden = set(MAY_IMPORT) - MAY_IMPORT[package] | UNSAFE | COPYLEFT
    if package != "reports":
        forbidden |= DRAWING
    paths = sorted((ROOT / package).rglob("*.py"))
    assert paths, f"{package} holds no module"
    for path in paths:
        wrong = imported(path) & forbidden
        assert not wrong, f"{path.relative_to(ROOT)} must not import {sorted(wrong)}"


def test_top_level_is_as_agreed() -> None:
    agreed = {"omics", "models", "reports", "notebooks", "tests", "benchmarks"}
    made = {"build", "dist", "results"}  # ignored by git
    found = {
        path.name
        for path in ROOT.iterdir()
        if path.is_dir() and not path.name.startswith((".", "__")) and path.suffix != ".egg-info"
    }
    assert found - made <= agreed
