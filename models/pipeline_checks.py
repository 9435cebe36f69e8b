"""Whether the parts of a pipeline go together: told before anything is fitted."""

from collections.abc import Sequence

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.design import Missing
from models.logistic import LogisticModel
from models.pipeline_parts import Model
from models.predictors import matching
from models.signature import PREFIX, Signature
from omics.messages import nearest
from omics.mofa import FactorModel


def check_factors(predictors: Sequence[str], factors: FactorModel | None) -> None:
    """Refuse factors that are asked for but not given, or given but not used."""
    asked = [name for name in predictors if name.startswith("factors:")]
    if asked and factors is None:
        raise ValueError(
            "predictors must not name factors without a factor model, but they name "
            f"{asked}. Pass factors=FactorModel(...), or declare [factors] in the study."
        )
    if factors is not None and not asked:
        raise ValueError(
            "factors must be used by a predictor, but none starts with 'factors:'. "
            "Add 'factors:*' to predictors, or leave the factor model out."
        )


def check_policy(model: Model, missing: Missing) -> None:
    """Refuse a policy for gaps that the kind of model cannot take."""
    if missing == "keep" and not isinstance(model, BoostedModel):
        raise ValueError(
            "missing must not be 'keep' for a regression, but it is. State 'complete_case', "
            "'median', 'chained', 'multiple' or 'indicator', or 'refuse' where nothing is missing. "
            "Only boosted trees take missing values as they are."
        )
    if missing == "multiple" and isinstance(model, BoostedModel):
        raise ValueError(
            "missing must not be 'multiple' for boosted trees, but it is: they have no "
            "coefficients to pool. State 'keep', 'median', 'chained' or 'indicator'."
        )


def check_model(model: Model, interactions: Sequence[Sequence[str]] | None) -> None:
    """Refuse a model that reports and passports do not know, and interactions of trees."""
    if not isinstance(model, CoxModel | LogisticModel | BoostedModel):
        raise ValueError(
            "model must be a CoxModel, LogisticModel or BoostedModel, but a "
            f"{type(model).__name__} came: reports and passports know no other. Fit it to a design "
            "matrix by itself."
        )
    if interactions and isinstance(model, BoostedModel):
        raise ValueError(
            f"interactions must be left out for boosted trees, but {list(interactions)} came. "
            "Trees find interactions themselves."
        )


def check_signatures(predictors: Sequence[str], signatures: Sequence[Signature]) -> None:
    """Refuse signatures that are asked for but not given, given but not used, or of one name."""
    columns = [one.column for one in signatures]
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise ValueError(
            f"signatures must have different names, but {twice[0]!r} comes twice. Rename one."
        )
    named = [name for name in predictors if name.startswith(PREFIX)]
    for name in named:
        if not matching(name, columns):
            raise ValueError(
                f"predictors must name signatures that are given, but {name!r} is none of "
                f"{len(columns)}. {nearest(name, columns)} Pass signatures=[Signature(...)], or "
                "declare [[signatures]] in the study."
            )
    for one in signatures:
        if not any(matching(name, [one.column]) for name in named):
            raise ValueError(
                f"signatures must be used by a predictor, but none names {one.column!r}. Add it to "
                "predictors, or leave the signature out."
            )
        inner = [name for name in one.predictors if name.startswith((PREFIX, "factors:"))]
        if inner:
            raise ValueError(
                f"predictors of a signature must be columns of the tables, but {one.name!r} names "
                f"{inner[0]!r}. Signatures are not built on factors or on other signatures."
            )


def with_strata(
    model: Model, strata: str | None, predictors: Sequence[str], missing: Missing
) -> Model:
    """Give the model its strata, refusing what cannot have any."""
    own = model.strata if isinstance(model, CoxModel) else None
    if own not in (None, strata):
        raise ValueError(
            f"strata must be those of the model, but {strata!r} came and the model has {own!r}. "
            "State them in risk_pipeline(strata=...) alone."
        )
    if strata is None:
        return model
    if not isinstance(model, CoxModel):
        raise ValueError(
            f"strata must be left out for a {type(model).__name__}, but {strata!r} came: only a "
            "Cox model has a baseline hazard for each. Make the column a predictor."
        )
    if any(matching(name, [strata]) for name in predictors):
        raise ValueError(
            f"strata must be no predictor, but {strata!r} is one. Take it out of predictors (and "
            "out of what a pattern names): a stratum has a baseline hazard in place of a "
            "coefficient."
        )
    if missing == "multiple":
        raise ValueError(
            f"missing must not be 'multiple' with strata, but it is ({strata!r}): the draws of a "
            "patient do not know the stratum. State 'chained', 'median' or 'complete_case'."
        )
    return CoxModel(**(model.get_params() | {"strata": strata}))
