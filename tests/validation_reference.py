"""The simulated patients of R's validate and calibrate, its draws, and what it gives."""

import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "reference"
OLD = json.loads((FOLDER / "validation.json").read_text())
R = json.loads((FOLDER / "validate_rms.json").read_text())
AGE, MARKER = (np.array(OLD["data"][name], dtype=float) for name in ("age", "marker"))
GRADE = np.array(OLD["data"]["grade"])
X = np.column_stack([AGE, MARKER, GRADE == "3", GRADE == "4"]).astype(float)
TIME, EVENT = np.array(OLD["data"]["time"], float), np.array(OLD["data"]["event"], bool)
CLASS = np.array(OLD["data"]["class"], bool)
COUNTS = np.array([np.bincount(rows, minlength=len(TIME)) for rows in OLD["rows"]])
NAMES = {
    "Dxy": "dxy", "R2": "r_squared", "Intercept": "intercept", "Slope": "slope", "Emax": "emax",
    "D": "d", "U": "u", "Q": "q", "B": "brier", "g": "g", "gp": "gp",
}  # fmt: skip
