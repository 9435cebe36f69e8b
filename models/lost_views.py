"""How many patients each model meets without one of the tables it was built on.

A patient lacks a table where every feature of it that the model uses is missing. What then happens
to the patient is the model's policy: a value filled in, no information on the factors, or no
prediction at all. None of that shows in a C-index.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from models.pipeline import RiskPipeline
from models.predictors import select_columns
from models.scores import Predictions
from models.validation import Validation
from omics.cohort import DEVELOPMENT, Cohort
from omics.harmonise import CENTRE
from omics.mofa import FactorModel

LOST = [
    *("model", "cohort", "view", "n_features", "n_patients", "n_without", "n_predicted"),
    "handling",
]
ANY = "any of them"
_POLICIES = {
    "refuse": "refused",
    "median": "set to the median or the most frequent level",
    "keep": "taken as missing by the trees",
    "complete_case": "left out",
    "chained": "filled in by chained equations",
    "multiple": "drawn several times by chained equations",
    "indicator": "set to the median, with an indicator of missing",
}
_FACTORS = "no information from it on the factors"
_SIGNATURE = "by the rule of the signature"


def lost_views(validation: Validation, cohort: Cohort) -> pd.DataFrame:
    """Count the patients who lack a table that a model uses.

    Parameters
    ----------
    validation : Validation
    cohort : Cohort
        The one that was validated on.

    Returns
    -------
    DataFrame, one row per model, cohort and view
        `view` is a table, or `any of them` where the model uses several; `n_features` of it that
        the model uses; `n_without` of the `n_patients` lack every one of these; `n_predicted` have
        a prediction all the same; `handling` says what is put in their place.
    """
    rows = []
    for model, fitted in validation.fitted.items():
        used = _used(fitted.pipeline, fitted.pipeline.cleaned(cohort.X))
        predictions = {
            DEVELOPMENT: validation.apparent[model],
            **{label: models[model] for label, models in validation.external.items()},
        }
        for label, part in {DEVELOPMENT: cohort.development, **cohort.external}.items():
            rows += list(_rows(model, label, part.X, used, predictions[label]))
    return pd.DataFrame(rows, columns=LOST)


_Used = dict[str, tuple[list[str], str]]  # view -> columns that the model uses, handling


def _used(pipeline: RiskPipeline, X: pd.DataFrame) -> _Used:
    """Find the columns behind a pipeline's predictors, by view."""
    views = list(dict.fromkeys(_view_of(str(name)) for name in X.columns if name != CENTRE))
    own = [] if pipeline.strata is None else [pipeline.strata]
    plain = [name for name in (*pipeline.design.predictors, *own) if _view_of(name) in views]
    policy = _POLICIES[pipeline.design.missing]
    used: _Used = {}
    for column in select_columns(X.columns, plain) if plain else []:
        used.setdefault(_view_of(column), ([], policy))[0].append(column)
    for step in _learned(pipeline):
        if isinstance(step, FactorModel):
            patterns = [f"{view}:*" for view in step.views or views]
            found, handling = select_columns(X.columns, patterns), _FACTORS
        else:
            found, handling = select_columns(X.columns, step.predictors), _SIGNATURE
        for view, theirs in groupby(found, key=_view_of):
            columns, words = used.get(view, ([], ""))
            every = list(dict.fromkeys([*columns, *theirs]))
            used[view] = (every, handling if words in ("", handling) else f"{words}; {handling}")
    return used


def _learned(pipeline: RiskPipeline) -> list[Any]:
    """Give the steps that add columns of their own: factors, and scores of named predictors."""
    return [step for _, step in pipeline.learned_steps]


def _view_of(column: str) -> str:
    return column.partition(":")[0]


def _rows(
    model: str, cohort: str, X: pd.DataFrame, used: _Used, p: Predictions
) -> Iterator[dict[str, object]]:
    sizes = {"model": model, "cohort": cohort, "n_patients": len(X)}
    sizes["n_predicted"] = int((~np.isnan(p.linear_predictor)).sum())
    absent = {view: X[columns].isna().all(axis=1) for view, (columns, _) in used.items()}
    for view, (columns, handling) in used.items():
        n_without = int(absent[view].sum())
        cells = {"view": view, "n_features": len(columns), "n_without": n_without}
        yield sizes | cells | {"handling": handling}
    if len(used) > 1:
        n_without = int(pd.DataFrame(absent).any(axis=1).sum())
        total = sum(len(columns) for columns, _ in used.values())
        yield sizes | {"view": ANY, "n_features": total, "n_without": n_without, "handling": ""}
