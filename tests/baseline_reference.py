"""R's figures of baseline.R, and its simulated patients."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

R: dict[str, Any] = json.loads((Path(__file__).parent / "reference" / "baseline.json").read_text())
CATEGORIES = ["sex", "grade", "site", "rare"]
PATIENTS = pd.DataFrame(R["patients"]).astype(dict.fromkeys(["group", *CATEGORIES], "category"))
PATIENTS = PATIENTS.astype({"age": float, "ki67": float})
