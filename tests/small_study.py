"""A tiny study in a folder: 60 made-up patients, three tables, one Cox model; a run takes 1 s."""

import json
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from typer.testing import CliRunner, Result

from reports.cli import app

N_PATIENTS = 60
FEATURES = (
    "original_shape_VoxelVolume",
    "original_shape_Sphericity",
    "original_firstorder_Mean",
    "original_firstorder_Entropy",
    "original_glcm_Contrast",
    "original_glcm_Idmn",
    "original_glrlm_RunEntropy",
    "original_glszm_ZoneEntropy",
    "wavelet-HHL_firstorder_Median",
    "wavelet-LLH_glcm_Contrast",
)


@dataclass
class SmallStudy:
    """Tables and study file that a test may spoil before it writes them.

    `content` is what the study file says, as nested dicts; `tables` what its files hold.
    """

    folder: Path
    tables: dict[str, pd.DataFrame]
    content: dict[str, Any]

    def write(self) -> Path:
        """Write tables and study file; return the study file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, table in self.tables.items():
            table.to_csv(self.folder / f"{name}.csv", index=False)
        path = self.folder / "study.toml"
        path.write_text(toml(self.content), encoding="utf-8")
        return path

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def run(self, *options: str) -> Result:
        """Write the study and `nomomics run` it into `out`, in this process."""
        return command("run", self.write(), "--out", self.out, "--jobs", "1", *options)

    def check(self) -> Result:
        return command("check", self.write())


def command(*arguments: object) -> Result:
    """Call the command in this process; an unexpected exception is raised, not hidden."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def small_study(folder: Path, *, prefix: str = "PAT-QX-", seed: int = 5) -> SmallStudy:
    """Make the study whose files lie in `folder` once `write` is called."""
    return SmallStudy(
        folder=folder,
        tables={name: frame.copy() for name, frame in _tables(prefix, seed).items()},
        content=deepcopy(_CONTENT),
    )


def binary_study(folder: Path) -> SmallStudy:
    """Make the study with the event, in its own table, as a binary outcome; a logistic model."""
    study = small_study(folder)
    study.content["outcome"] = {"kind": "binary", "column": "followup:Status", "positive": "dead"}
    study.content["models"][0]["kind"] = "logistic"
    study.tables["followup"] = study.tables["followup"].drop(columns="Months")
    return study


@cache
def _tables(prefix: str, seed: int) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    patients = [f"{prefix}{number:03d}" for number in range(1, N_PATIENTS + 1)]
    age = rng.normal(55, 12, N_PATIENTS).round(1)
    texture = rng.normal(size=(N_PATIENTS, len(FEATURES))).round(4)
    risk = 0.04 * (age - 55) + 0.7 * texture[:, 0]
    death = rng.exponential(24 * np.exp(-risk))
    censored = rng.uniform(12, 60, N_PATIENTS)
    time = np.maximum(np.minimum(death, censored), 0.3).round(2)
    tables = {
        "clinical": pd.DataFrame(
            {
                "ID": patients,
                "Age": age,
                "Sex": rng.choice(["female", "male"], N_PATIENTS),
                "Grade": rng.choice([2, 3, 4], N_PATIENTS),
            }
        ),
        "radiomics": pd.DataFrame(texture, columns=list(FEATURES)),
        "followup": pd.DataFrame(
            {
                "ID": patients,
                "Months": time,
                "Status": np.where(death <= censored, "dead", "alive"),
            }
        ),
    }
    tables["radiomics"].insert(0, "ID", patients)
    return tables


def toml(content: dict[str, Any]) -> str:
    """Write nested dicts as TOML; tables below the second level are written inline.

    >>> toml({"a": {"b": {"c": [1, "x"]}}}).splitlines()
    ['[a]', '"b" = { "c" = [1, "x"] }']
    """
    plain = {key: value for key, value in content.items() if not _is_section(value)}
    lines = _assignments(plain)
    for key, value in content.items():
        if key in plain:
            continue
        for part in value if isinstance(value, list) else [value]:
            lines += _section(key, part, many=isinstance(value, list))
    return "\n".join(lines) + "\n"


def _is_section(value: object) -> bool:
    many = isinstance(value, list) and value and isinstance(value[0], dict)
    return isinstance(value, dict) or bool(many)


def _section(key: str, content: dict[str, Any], *, many: bool) -> list[str]:
    if key in ("tables", "external") and not many:
        return [
            line
            for name, table in content.items()
            for line in [f"[{key}.{json.dumps(name)}]", *_assignments(table)]
        ]
    return [f"[[{key}]]" if many else f"[{key}]", *_assignments(content)]


def _assignments(content: dict[str, Any]) -> list[str]:
    return [f"{json.dumps(key)} = {_value(value)}" for key, value in content.items()]


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(_assignments(value)) + " }" if value else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


_CONTENT: dict[str, Any] = {
    "study": {"title": "A small made-up study", "seed": 3, "synthetic": True},
    "tables": {
        "clinical": {
            "path": "clinical.csv",
            "kind": "clinical",
            "id": "ID",
            "categories": {"Sex": ["female", "male"], "Grade": [2, 3, 4]},
        },
        "radiomics": {"path": "radiomics.csv", "kind": "radiomics", "id": "ID"},
        "followup": {"path": "followup.csv", "kind": "clinical", "id": "ID"},
    },
    "outcome": {
        "kind": "survival",
        "time": "followup:Months",
        "unit": "months",
        "event": "followup:Status",
        "event_value": "dead",
        "horizons": [12, 24],
    },
    "models": [
        {
            "name": "Clinical",
            "kind": "cox",
            "predictors": ["clinical:Age", "clinical:Sex"],
            "nomogram": True,
        }
    ],
    "validation": {"cross_validation": {"folds": 3, "repeats": 1}, "bootstrap": 0, "draws": 20},
}
