"""Which predictors are missing, in how many patients, and what each model does about it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.base import clone

from models.design import IMPUTING
from models.pipeline import RiskPipeline
from models.predictors import matching
from omics.cohort import DEVELOPMENT, Cohort

ANY = "any predictor"
COMPLETE_CASES = "complete cases"


def plain_predictors(pipeline: RiskPipeline, columns: pd.Index) -> list[str]:
    """List the predictors, strata included, that stand in the wide table; factors have no gaps.

    Examples
    --------
    >>> from models.cox import CoxModel
    >>> from models.pipeline import risk_pipeline
    >>> pipeline = risk_pipeline(["clinical:*"], CoxModel())
    >>> plain_predictors(pipeline, pd.Index(["clinical:Age", "mri:Volume"]))
    ['clinical:Age']
    """
    found: dict[str, None] = {}
    for predictor in pipeline.design.predictors:
        found |= dict.fromkeys(matching(predictor, columns))
    if pipeline.strata is not None:
        found |= dict.fromkeys(matching(pipeline.strata, columns))
    return list(found)


def predictor_gaps(pipelines: Mapping[str, RiskPipeline], cohort: Cohort) -> pd.DataFrame:
    """Count the patients without a predictor, for every model, predictor and cohort.

    Parameters
    ----------
    pipelines : mapping of name to RiskPipeline
    cohort : Cohort

    Returns
    -------
    DataFrame, one row per model, predictor with a gap in any cohort, and cohort
        `model`, `policy`, `predictor` (of the last rows of a model "any predictor"), `cohort`,
        `n_missing`, `n_patients`.
    """
    parts = {DEVELOPMENT: cohort.development, **cohort.external}
    rows: list[dict[str, object]] = []
    for name, pipeline in pipelines.items():
        columns = plain_predictors(pipeline, cohort.X.columns)
        gaps = {label: part.X[columns].isna() for label, part in parts.items()}
        concerned = [c for c in columns if any(gap[c].any() for gap in gaps.values())]
        for column in [*concerned, *([ANY] if concerned else [])]:
            for label, gap in gaps.items():
                who = gap.any(axis=1) if column == ANY else gap[column]
                rows.append(
                    {
                        "model": name,
                        "policy": pipeline.design.missing,
                        "predictor": column,
                        "cohort": label,
                        "n_missing": int(np.count_nonzero(who)),
                        "n_patients": len(gap),
                    }
                )
    columns = ["model", "policy", "predictor", "cohort", "n_missing", "n_patients"]
    return pd.DataFrame(rows, columns=columns)


def complete_case_pipelines(
    pipelines: Mapping[str, RiskPipeline], cohort: Cohort
) -> dict[str, RiskPipeline]:
    """Give, for every model that fills gaps and meets some, the same model on complete cases.

    Parameters
    ----------
    pipelines : mapping of name to RiskPipeline
    cohort : Cohort

    Returns
    -------
    dict of model to RiskPipeline, not fitted
    """
    found = {}
    for name, pipeline in pipelines.items():
        columns = plain_predictors(pipeline, cohort.X.columns)
        if pipeline.design.missing in IMPUTING and cohort.X[columns].isna().to_numpy().any():
            found[name] = clone(pipeline).set_params(design__missing="complete_case")
    return found
