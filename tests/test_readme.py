"""What the README says is true: its example runs, its map names every module."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from reports.study_file import parse_study
from tests.realdata import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(language: str, containing: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)
    return next(text for text in blocks if containing in text)


def test_the_study_is_understood() -> None:
    study = parse_study(tomllib.loads(block("toml", "[study]")), folder=Path(), source="README")
    assert [model.name for model in study.models] == ["Clinical", "Clinical + factors"]


def test_the_map_names_every_module_and_no_other() -> None:
    map_of = README.partition("## Architecture")[2].partition("## Benchmarks")[0]
    for package in ("omics", "models", "reports"):
        section = rf"^{package}/ .*?(?=^\w+/ |^```|\Z)"
        part = re.search(section, map_of, flags=re.DOTALL | re.MULTILINE)
        assert part is not None
        named = set(re.findall(r"[a-z_]+", part.group()))
        modules = {p.stem for p in (ROOT / package).glob("*.py")} - {"__init__"}
        assert modules <= named, f"the README's map lacks {sorted(modules - named)}"


@pytest.mark.parametrize("command", ["demo", "test"])
def test_the_two_commands_are_there(command: str) -> None:
    assert f"bash .ci/{command}" in README
    assert (ROOT / ".ci" / command).is_file()


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(name for extra in extras for name in extra)]
    table = README.partition("## Dependencies")[2]
    for requirement in wanted:
        name = re.match(r"[A-Za-z0-9_-]+", requirement)
        assert name is not None
        assert name.group() in table


@pytest.mark.slow
def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = block("python", "%load_ext reports").replace("%load_ext reports\n", "")
    assert len(code.strip().splitlines()) <= 15
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(compile(code, "README", "exec"), found)
    assert (tmp_path / "results" / "report.html").is_file()
    assert set(found["results"].coefficients) == {"Clinical", "Factors", "XGBoost"}
