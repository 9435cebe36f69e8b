"""R's figures of a model's assumptions (assumptions.R), and its simulated patients."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models.cox import CoxModel
from models.logistic import LogisticModel
from models.terms import Term, learn_number
from omics.outcome import survival_outcome

REFERENCE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "reference" / "assumptions.json").read_text()
)
TABLE = pd.DataFrame(REFERENCE["data"])
X = TABLE[["age", "volume", "mutant", "g3", "g4"]].astype(float)
Y = survival_outcome(TABLE["time"], TABLE["event"])
ILL = TABLE["ill"].to_numpy() == 1
TERMS = {"age": ["age"], "volume": ["volume"], "mutant": ["mutant"], "grade": ["g3", "g4"]}
COX = CoxModel().fit(X, Y)
LOGISTIC = LogisticModel().fit(X, ILL)


def learnt(X: pd.DataFrame) -> list[Term]:
    """Learn each column as a number."""
    terms = [learn_number(str(name), np.sort(X[name].to_numpy())) for name in X]
    return [term for term in terms if isinstance(term, Term)]
