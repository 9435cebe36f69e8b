"""R's figures of survival_description.R, and its simulated patients."""

import json
from pathlib import Path
from typing import Any

import numpy as np

R: dict[str, Any] = json.loads(
    (Path(__file__).parent / "reference" / "survival_description.json").read_text()
)
TIME = np.array(R["data"]["time"], dtype=float)
EVENT = np.array(R["data"]["event"], dtype=bool)
GROUP = np.array(R["data"]["group"])
CENTRE = np.array(R["data"]["centre"])
UNTIED = np.array(R["data"]["untied"])
LABELS = ["a low", "b middle", "c high"]


def numbers(values: Any) -> np.ndarray:
    """Read numbers in which R's NA came as null."""
    return np.array(values, dtype=float)
