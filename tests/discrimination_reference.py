"""R's standard errors and tests (discrimination.R), and its simulated patients."""

import json
from pathlib import Path
from typing import Any

import numpy as np

R: dict[str, Any] = json.loads(
    (Path(__file__).parent / "reference" / "discrimination.json").read_text()
)
TIME = np.array(R["data"]["time"], dtype=float)
STATUS = np.array(R["data"]["status"])
EVENT, COMPETING = STATUS == 1, STATUS == 2
SCORE, OTHER_SCORE = np.array(R["data"]["a"]), np.array(R["data"]["b"])
HORIZONS: list[float] = R["data"]["horizons"]
RISK, OTHER_RISK = np.array(R["data"]["risk_a"]), np.array(R["data"]["risk_b"])  # by horizon


def row(table: list[dict[str, Any]], **wanted: object) -> dict[str, Any]:
    """Give the one row of a data frame that has these values."""
    (found,) = [one for one in table if all(one[key] == value for key, value in wanted.items())]
    return found
