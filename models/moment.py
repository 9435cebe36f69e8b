"""Is every predictor of a model known when it predicts? One that is not is refused."""

from collections.abc import Mapping

import pandas as pd

from models.gaps import plain_predictors
from models.pipeline import RiskPipeline
from models.predictors import select_columns
from omics.cohort import Cohort
from omics.errors import Finding, StudyError
from omics.moment import Moment, in_words, late_columns, not_stated_findings


def columns_read(pipeline: RiskPipeline, columns: pd.Index) -> list[str]:
    """List the columns of the wide table that a model reads, itself or through what it learns."""
    read = dict.fromkeys(plain_predictors(pipeline, columns))
    if pipeline.factor_model is not None:
        views = set(pipeline.factor_model.views or ())
        read |= dict.fromkeys(name for name in columns if str(name).partition(":")[0] in views)
    for signature in pipeline.signatures:
        read |= dict.fromkeys(select_columns(columns, signature.predictors))
    for step in pipeline.harmonised:
        read |= dict.fromkeys(step.covariates)  # the centre is known when images are
    return list(read)


def check_moment(pipelines: Mapping[str, RiskPipeline], cohort: Cohort, moment: Moment) -> None:
    """Refuse a model that reads what is known after the moment of prediction.

    Parameters
    ----------
    pipelines : mapping of name to RiskPipeline
    cohort : Cohort
        Its `known` says when columns are known.
    moment : {"baseline", "surgery", "pathology", "follow_up"}
        When predictions are made.

    Raises
    ------
    StudyError
        Naming the model, every such column with when it is known, and the cure.
    """
    for name, pipeline in pipelines.items():
        late = late_columns(columns_read(pipeline, cohort.X.columns), cohort.known, moment)
        if late:
            shown = ", ".join(f"{column!r} ({in_words(when)})" for column, when in late.items())
            raise StudyError(
                f"model {name!r} must predict at {in_words(moment)} from what is known by then, "
                f"but {len(late)} of its columns "
                f"{'is' if len(late) == 1 else 'are'} known later: {shown}. Leave them out of "
                "predictors (where factors or a signature take a whole view: drop them in their "
                "table) and of covariates of [harmonise], or state a later moment in [prediction]."
            )


def moment_findings(
    pipelines: Mapping[str, RiskPipeline], cohort: Cohort, moment: Moment
) -> list[Finding]:
    """Say of which predictors it is not stated when they are known."""
    read: dict[str, None] = {}
    for pipeline in pipelines.values():
        read |= dict.fromkeys(columns_read(pipeline, cohort.X.columns))
    return not_stated_findings(read, cohort.known, moment)
