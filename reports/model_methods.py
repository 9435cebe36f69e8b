"""What a methods section says of each signature and model."""

from collections.abc import Iterable, Sequence

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.design import Design
from models.signature import CROSS_FITTING_FOLDS, Signature
from models.validation import Fitted
from reports.style import feature_name, shown_names
from reports.tables import MINUS

_MISSING = {
    "refuse": " No predictor was missing.",
    "complete_case": " The model was fitted on patients whose predictors were all known; the "
    "others had no prediction.",
    "median": " Missing predictors were set to the median, or the most frequent level, of the "
    "training patients.",
    "chained": " Missing predictors were filled by chained equations among the predictors "
    "(Bayesian ridge regressions learned on the training patients, mean fills, the likeliest level "
    "of a category; the outcome was not used).",
    "multiple": " Missing predictors were imputed {imputations} times by chained equations that "
    "know the outcome (event and Nelson-Aalen hazard, or the class): predictive mean matching for "
    "numbers, multinomial logistic regression for categories. A model was fitted to each copy; "
    "coefficients were pooled by Rubin's rules, predictions on the linear scale. New patients' "
    "gaps were drawn without the outcome, and their risks averaged.",
    "indicator": " Missing predictors were set to the median of the training patients and marked "
    "by an indicator column, or a level of its own where categories were missing.",
    "keep": " Missing values were left to the trees.",
}


def signature_text(signature: Signature) -> str:
    """Say how a signature was learned."""
    kind = (
        "Cox regression (Breslow's ties)"
        if signature.kind_ == "survival"
        else "logistic regression"
    )
    penalty = "LASSO" if signature.mix == 1 else f"elastic-net (mix {signature.mix:g})"
    rule = (
        "the largest penalty within one standard error of the least deviance"
        if signature.rule == "1se"
        else "the penalty of least deviance"
    )
    kept = len(signature.coef_)
    return (
        f"{signature.name}. A {penalty} {kind} on {_predictor_words(signature.predictors)}, "
        f"standardised, scikit-learn's coordinate descent, took {rule} in {signature.folds}-fold "
        f"cross-validation by patient (seed {signature.seed}): λ = {signature.lambda_:.3g}, {kept} "
        f"feature{'' if kept == 1 else 's'}. Missing values took the median of the training "
        "patients; a view of which a patient had no value, their mean. The models were fitted to "
        f"cross-fitted scores: {CROSS_FITTING_FOLDS} folds, the penalty chosen anew without the "
        "patients scored. New patients were scored by the signature of all development patients."
    )


def model_text(name: str, fitted: Fitted) -> str:
    """Say how a model was fitted, and to which predictors."""
    model, design = fitted.pipeline.model, fitted.pipeline.design
    predictors = _predictor_words(design.predictors)
    if isinstance(model, BoostedModel):
        return (
            f"{name}. Gradient-boosted trees (XGBoost, {model.n_rounds} rounds fixed in advance, "
            f"learning rate {model.learning_rate:g}, depth {model.max_depth}) on {predictors}. "
            f"Probabilities come from out-of-fold margins of {model.inner_folds} inner folds: a "
            "calibration slope and a baseline estimated on them. Risk groups are cut on these "
            f"margins too.{_missing(design)}"
        )
    kind = _cox_words(model) if isinstance(model, CoxModel) else "Logistic regression"
    penalty = (
        f", ridge penalty {model.ridge_:.4g}"
        + (
            " chosen by AIC with effective degrees of freedom, at least three events for each"
            if model.ridge == "aic"
            else ""
        )
        if model.ridge_ or model.ridge == "aic"
        else ", without penalty"
    )
    pairs = list(design.interactions or ())
    names = shown_names([*(design.splines or {}), *(name for pair in pairs for name in pair)])
    splines = "".join(
        f" {names[column]} entered as a restricted cubic spline with "
        + (f"{knots} knots." if isinstance(knots, int) else f"knots at {_numbers(knots)}.")
        for column, knots in (design.splines or {}).items()
    )
    products = "; ".join(f"{names[one]} and {names[other]}" for one, other in pairs)
    interact = f" Interactions (full products of columns): {products}." if pairs else ""
    return f"{name}. {kind}{penalty}, on {predictors}.{splines}{interact}{_missing(design)}"


def _cox_words(model: CoxModel) -> str:
    """Name a Cox regression with its ties, its strata and its variance."""
    words = f"Cox regression ({model.ties.capitalize()}'s ties, Breslow's baseline"
    words += ", sandwich variance)" if model.robust else ")"
    if model.strata is None:
        return words
    name = feature_name(model.strata)
    return (
        f"{words}, stratified by {name}: each of its {len(model.strata_)} levels has a baseline "
        "hazard of its own"
    )


def _predictor_words(predictors: Sequence[str]) -> str:
    """Name the predictors as a reader does; a pattern by what it takes in.

    Examples
    --------
    >>> _predictor_words(["signature:*", "signature:Radscore"])
    'all signatures, Radscore'
    >>> _predictor_words(["clinical:Age", "factors:*", "radiomics:*", "radiomics:original_*"])
    'Age, all factors, all columns of radiomics, all columns of radiomics named original_*'
    """
    names = shown_names(name for name in predictors if "*" not in name)
    words = []
    for predictor in predictors:
        view, _, pattern = predictor.partition(":")
        if predictor == "factors:*":
            words.append("all factors")
        elif predictor == "signature:*":
            words.append("all signatures")
        elif pattern == "*":
            words.append(f"all columns of {view}")
        elif "*" in predictor:
            words.append(f"all columns of {view} named {pattern}")
        else:
            words.append(names[predictor])
    return ", ".join(words)


def _missing(design: Design) -> str:
    return _MISSING[design.missing].format(imputations=design.imputations)


def _numbers(values: Iterable[float]) -> str:
    return ", ".join(f"{value:g}".replace("-", MINUS) for value in values)
