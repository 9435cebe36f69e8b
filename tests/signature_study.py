"""A made-up study with signatures: 120 patients, two views, of which a few features tell."""

from pathlib import Path

import numpy as np
import pandas as pd

from tests.small_study import SmallStudy, small_study

N_PATIENTS = 120
RADSCORE = {"name": "Radscore", "predictors": ["radiomics:*", "rna:*"], "folds": 5, "rule": "min"}


def signature_study(folder: Path, *, kind: str = "survival", effect: float = 1.0) -> SmallStudy:
    """Make the study; with `effect` 0 nothing in the views tells of the outcome."""
    study = small_study(folder)
    rng = np.random.default_rng(11)
    patients = [f"PAT-QX-{number:03d}" for number in range(1, N_PATIENTS + 1)]
    shared = rng.normal(size=(N_PATIENTS, 3))
    views = {
        "radiomics": (12, "original_glcm_Feature"),
        "rna": (8, "GENE"),
    }
    for name, (p, stem) in views.items():
        values = shared @ rng.normal(size=(3, p)) + rng.normal(size=(N_PATIENTS, p))
        table = pd.DataFrame(values.round(3), columns=[f"{stem}{j}" for j in range(p)])
        study.tables[name] = table.assign(ID=patients)
    study.tables["radiomics"].loc[3, "original_glcm_Feature2"] = np.nan
    study.tables["rna"].drop(index=[5, 9], inplace=True)
    age = rng.normal(55, 10, N_PATIENTS).round(1)
    risk = 0.04 * (age - 55) + effect * shared[:, 0]
    death, censored = rng.exponential(24 * np.exp(-risk)), rng.uniform(6, 60, N_PATIENTS)
    followup = pd.DataFrame(
        {
            "ID": patients,
            "Months": np.maximum(np.minimum(death, censored), 0.3).round(1),
            "Status": np.where(death <= censored, "dead", "alive"),
        }
    )
    study.tables["followup"] = followup
    study.tables["clinical"] = pd.DataFrame({"ID": patients, "Age": age})
    study.content["tables"]["clinical"] = {"path": "clinical.csv", "kind": "clinical", "id": "ID"}
    study.content["tables"]["rna"] = {"path": "rna.csv", "kind": "expression", "id": "ID"}
    study.content["signatures"] = [RADSCORE]
    study.content["models"] = [
        {"name": "Clinical", "kind": "cox", "predictors": ["clinical:Age"]},
        {
            "name": "Combined",
            "kind": "cox",
            "predictors": ["signature:Radscore", "clinical:Age"],
            "nomogram": True,
        },
    ]
    if kind == "binary":
        study.content["outcome"] = {
            "kind": "binary",
            "column": "followup:Status",
            "positive": "dead",
        }
        study.tables["followup"] = followup.drop(columns="Months")
        for model in study.content["models"]:
            model["kind"] = "logistic"
    return study
