"""Whether the larger of two nested regressions fits better: the likelihood ratio test.

Twice the difference of the maximised log likelihoods is chi-squared with as many degrees of freedom
as the larger has columns more, if both were fitted to the same patients without a penalty.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2 as chi_squared

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.pipeline import RiskPipeline
from models.pipeline_parts import Model
from models.pooled import PooledCox, PooledLogistic
from models.validation import Validation
from omics.cohort import Cohort

LIKELIHOOD_RATIO = ["model", "reference", "larger", "chi2", "df", "p_value", "n_patients", "reason"]
NOT_NESTED = 1e-8  # of a standardised column: what the larger model's columns may leave of it


def likelihood_ratio(
    validation: Validation, cohort: Cohort, model: str, reference: str
) -> dict[str, object]:
    """Test whether the larger of two nested regressions fits better, or say why not."""
    row: dict[str, object] = {"model": model, "reference": reference, "reason": ""}
    pipelines = {name: validation.fitted[name].pipeline for name in (model, reference)}
    reason = next(filter(None, (no_likelihood(name, p) for name, p in pipelines.items())), "")
    reason = reason or _other_likelihood(*(p.model for p in pipelines.values()))
    if reason:
        return row | {"reason": reason}
    X = cohort.development.X
    designs = {
        name: p.design_matrix(X)[list(p.model.feature_names_in_)].to_numpy(np.float64)
        for name, p in pipelines.items()
    }
    known = {name: ~np.isnan(design).any(axis=1) for name, design in designs.items()}
    if (known[model] != known[reference]).any():
        return row | {"reason": "the two were fitted on different patients"}
    small, large = sorted(pipelines, key=lambda name: designs[name].shape[1])
    columns = {name: design[known[name]] for name, design in designs.items()}
    df = columns[large].shape[1] - columns[small].shape[1]
    if not _holds(columns[large], columns[small]):
        return row | {"reason": "neither model holds the other's columns"}
    if df == 0:
        return row | {"reason": "the two have the same columns"}
    likelihoods = {name: p.model.log_likelihood_[1] for name, p in pipelines.items()}
    statistic = 2 * (likelihoods[large] - likelihoods[small])
    return row | {
        "larger": large,
        "chi2": statistic,
        "df": df,
        "p_value": float(chi_squared.sf(statistic, df)),
        "n_patients": int(known[model].sum()),
    }


def no_likelihood(name: str, pipeline: RiskPipeline) -> str:
    """Say why a pipeline maximised no likelihood that could be tested; nothing where it did."""
    model = pipeline.model
    if isinstance(model, BoostedModel):
        return f"{name} is boosted trees, which maximise no likelihood"
    if isinstance(model, PooledCox | PooledLogistic) and model.pooled_.n_imputations > 1:
        return f"{name} is pooled over imputations, which maximise no common likelihood"
    if pipeline.factor_model is not None:
        return f"{name} takes factors learned from the same patients"
    if any(column.startswith("signature:") for column in model.feature_names_in_):
        return f"{name} takes a signature, which was learned from the outcome"
    if model.ridge != 0:
        return f"{name} has a ridge penalty"
    if model.n_iterations_ >= model.max_iterations:
        return f"the fit of {name} did not converge"
    return ""


def _other_likelihood(one: Model, other: Model) -> str:
    """Say why two Cox models' partial likelihoods are of different risk sets, if they are."""
    if not (isinstance(one, CoxModel) and isinstance(other, CoxModel)):
        return ""
    if one.strata != other.strata:
        return "the two have different strata, and so different risk sets"
    return "" if one.ties == other.ties else "the two count ties in different ways"


def _holds(large: NDArray[np.float64], small: NDArray[np.float64]) -> bool:
    """Tell whether every column of `small` is a sum of columns of `large` and a constant."""
    centred = [block - block.mean(axis=0) for block in (large, small)]
    unit, wanted = (block / np.linalg.norm(block, axis=0) for block in centred)
    if not wanted.shape[1]:
        return True
    left = wanted - unit @ np.linalg.lstsq(unit, wanted)[0]
    return bool(np.abs(left).max() < NOT_NESTED)
