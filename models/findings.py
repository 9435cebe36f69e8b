"""What a reviewer would ask about the models: few events, assumptions, extrapolation, noise.

Each rule states its threshold in the finding. Nothing here changes a number.

References
----------
Peduzzi P, et al. Importance of events per independent variable in proportional hazards regression
analysis. J Clin Epidemiol 1995;48:1503-1510. doi:10.1016/0895-4356(95)00048-8
Collins GS, Ogundimu EO, Altman DG. Sample size considerations for the external validation of a
multivariable prognostic model. Statistics in Medicine 2016;35:214-226. doi:10.1002/sim.6787
"""

from collections.abc import Iterable, Iterator

import numpy as np

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.factor_findings import LEAST_INFORMATION, active_factors
from models.performance import Performance
from models.pooled import unpooled
from models.proportional_hazards import proportional_hazards_test
from models.signature_summary import signature_findings
from models.strata_findings import strata_findings
from models.validation import Fitted, Validation
from omics.cohort import DEVELOPMENT, Cohort
from omics.errors import Finding, NothingSelectedWarning
from omics.messages import some_of
from omics.outcome import is_survival, rarer_class

EVENTS_PER_PARAMETER = 10
EXTERNAL_EVENTS = 100  # Collins 2016
LEAST_AT_RISK = 10
SMALL_P_VALUE = 0.05
_KINDS = {
    "cross_validated": "cross-validation",
    "optimism_corrected": "optimism bootstrap",
    "bootstrap_632_plus": ".632+ bootstrap",
}
SLOPE_OF_OVERFIT = 0.8


def model_findings(
    validation: Validation, performance: Performance, cohort: Cohort
) -> tuple[Finding, ...]:
    """Gather what a reader must know about the fitted models."""
    development = cohort.development
    found = [*_few_external_events(cohort), *_few_at_risk(cohort)]
    for name, fitted in validation.fitted.items():
        found += _few_events(name, fitted, development)
        found += _useless_trees(name, fitted)
        found += _proportional_hazards(name, fitted, development)
        found += _extrapolation(name, fitted, cohort)
        found += _beyond_follow_up(name, fitted, cohort)
        found += _performance_findings(name, performance, development)
        found += _information(name, fitted, cohort)
        found += _held_values(name, fitted, cohort)
        found += _not_predicted(name, fitted, cohort)
        found += strata_findings(name, validation, cohort)
    found += signature_findings(validation)
    found += [
        Finding(
            code="failed_resamples",
            severity="caution" if row["failed"] * 10 < row["resamples"] else "serious",
            where=str(row["model"]),
            message=f"{row['failed']} of {row['resamples']} resamples of the "
            f"{_KINDS[row['validation']]} could "
            f"not be fitted and are left out. The first reason: {row['reason']}",
        )
        for row in validation.failures.to_dict("records")
        if row["failed"]
    ]
    found += _no_complete_case(validation)
    found += [
        Finding(code="warning", severity="caution", where="fits", message=text)
        for text in validation.warnings
        if not text.startswith(NothingSelectedWarning.__name__)  # counted above
    ]
    return tuple(found)


def _few_events(name: str, fitted: Fitted, development: Cohort) -> Iterator[Finding]:
    model = fitted.pipeline.model
    if isinstance(model, BoostedModel):
        return
    y = development.y[fitted.pipeline.complete(development.X)]
    events = rarer_class(y)
    parameters = float(model.effective_parameters_)
    if parameters and events / parameters < EVENTS_PER_PARAMETER:
        kind = "effective parameters" if model.ridge_ else "parameters"
        what = "events" if is_survival(y) else "patients in the rarer class"
        yield Finding(
            code="few_events",
            severity="serious" if events / parameters < EVENTS_PER_PARAMETER / 2 else "caution",
            where=name,
            message=f"{events} {what} for {parameters:.3g} {kind}, "
            f"{events / parameters:.1f} each (fewer than {EVENTS_PER_PARAMETER}): coefficients are "
            "unstable. Use fewer predictors or a ridge penalty.",
        )


def _few_external_events(cohort: Cohort) -> Iterator[Finding]:
    for label, part in cohort.external.items():
        events = rarer_class(part.y)
        if events < EXTERNAL_EVENTS:
            what = "events" if is_survival(part.y) else "patients in the rarer class"
            yield Finding(
                code="few_external_events",
                severity="serious" if events < EXTERNAL_EVENTS / 10 else "caution",
                where=label,
                message=f"{label} has {events} {what} among {part.n_patients} patients; an "
                f"external validation needs {EXTERNAL_EVENTS} or more. Its figures are imprecise: "
                "read them with their intervals, calibration above all.",
            )


def _few_at_risk(cohort: Cohort) -> Iterator[Finding]:
    for label, part in {DEVELOPMENT: cohort.development, **cohort.external}.items():
        if not is_survival(part.y):
            return
        time, unit = part.y["time"], part.outcome.unit
        for horizon in part.outcome.horizons:
            beyond = int((time > horizon).sum())
            if beyond < LEAST_AT_RISK and horizon <= time.max():
                yield Finding(
                    code="few_at_risk",
                    severity="caution" if beyond else "serious",
                    where=label,
                    message=f"{beyond} of {part.n_patients} patients of {label} are followed "
                    f"beyond {horizon:g} {unit} (fewer than {LEAST_AT_RISK}): "
                    + (
                        "figures at this horizon hang on a handful of patients."
                        if beyond
                        else "AUC, Brier score and IPA at this horizon are left empty. Ask for an "
                        "earlier horizon, or leave later follow-up uncut."
                    ),
                )


def _useless_trees(name: str, fitted: Fitted) -> Iterator[Finding]:
    model = fitted.pipeline.model
    if isinstance(model, BoostedModel) and model.slope_ == 0:
        yield Finding(
            code="trees_tell_nothing",
            severity="serious",
            where=name,
            message="On patients they had not seen, the trees did not rank outcomes better than "
            "chance (slope 0): every patient gets the same risk. Do not use this model.",
        )


def _proportional_hazards(name: str, fitted: Fitted, development: Cohort) -> Iterator[Finding]:
    pipeline = fitted.pipeline
    model = pipeline.model
    if not isinstance(model, CoxModel) or not len(model.coef_):
        return
    if model.n_iterations_ >= model.max_iterations:  # not at the maximum: a warning says so
        return
    known = pipeline.complete(development.X)
    matrix, y = pipeline.unseen_design_matrix(development.X).loc[known], development.y[known]
    test = proportional_hazards_test(
        unpooled(model, matrix, y),
        matrix,
        y,
        terms=pipeline.design.columns_of_terms(),
    )
    whole = test.table.loc[test.table["term"] == "GLOBAL", "p_value"].item()
    terms = test.table[test.table["term"] != "GLOBAL"]
    least = float(terms["p_value"].min()) * len(terms)  # Bonferroni: one test a predictor
    if min(whole, least) < SMALL_P_VALUE:
        most = terms[terms["p_value"] < SMALL_P_VALUE].sort_values("p_value")
        named = some_of(f"{row.term} (P = {row.p_value:.2g})" for row in most.itertuples())
        yield Finding(
            code="proportional_hazards",
            severity="caution",
            where=name,
            message=f"The effect of {named or 'the predictors together'} changes over time (score "
            f"test of proportional hazards, Kaplan-Meier time; GLOBAL P = {whole:.2g}): its hazard "
            "ratio is an average over follow-up.",
        )


def _extrapolation(name: str, fitted: Fitted, cohort: Cohort) -> Iterator[Finding]:
    pipeline = fitted.pipeline
    for label, other in cohort.external.items():
        table = pipeline.before_design(other.X)
        outside = {}
        for term in pipeline.design.terms_:
            if term.kind not in ("linear", "spline"):
                continue
            values = table[term.name].to_numpy(dtype=np.float64)
            count = int(((values < term.minimum) | (values > term.maximum)).sum())
            if count:
                outside[term.name] = count
        if outside:
            most = sorted(outside, key=lambda column: -outside[column])
            shown = ", ".join(f"{column} ({outside[column]})" for column in most[:5])
            more = f" and {len(most) - 5} more" if len(most) > 5 else ""
            yield Finding(
                code="extrapolation",
                severity="note",
                where=name,
                message=f"In {label} ({other.n_patients} patients) these predictors leave the "
                f"range of the development patients: {shown}{more}. The model extrapolates there.",
            )


def _beyond_follow_up(name: str, fitted: Fitted, cohort: Cohort) -> Iterator[Finding]:
    parts = {DEVELOPMENT: cohort.development, **cohort.external}
    for label, part in parts.items():
        if not is_survival(part.y):
            return
        last = float(part.y["time"].max())
        late = [horizon for horizon in part.outcome.horizons if horizon > last]
        if late:
            shown = ", ".join(f"{horizon:g}" for horizon in late)
            yield Finding(
                code="horizon_beyond_follow_up",
                severity="serious" if label == DEVELOPMENT else "caution",
                where=name,
                message=f"Horizon {shown} {part.outcome.unit} lies beyond the last follow-up in "
                f"{label} ({last:g} {part.outcome.unit}): figures there are left empty.",
            )


def _performance_findings(
    name: str, performance: Performance, development: Cohort
) -> Iterator[Finding]:
    metric = "c_index" if is_survival(development.y) else "auc"
    label = {"c_index": "C-index", "auc": "AUC"}[metric]
    validated = performance.estimate(name, metric, validation="cross_validated")
    apparent = performance.estimate(name, metric, validation="apparent")
    slope = performance.estimate(name, "calibration_slope", validation="cross_validated")
    if validated.lower <= 0.5:
        yield Finding(
            code="no_better_than_chance",
            severity="serious",
            where=name,
            message=f"The cross-validated {label} of {validated.estimate:.2f} "
            f"({validated.lower:.2f} to {validated.upper:.2f}) does not exclude chance.",
        )
    if apparent.estimate - validated.estimate > 0.1:
        yield Finding(
            code="memorised",
            severity="note",
            where=name,
            message=f"The apparent {label} of {apparent.estimate:.2f} falls to "
            f"{validated.estimate:.2f} in held-out patients: only the latter may be reported.",
        )
    if slope.estimate < SLOPE_OF_OVERFIT:
        yield Finding(
            code="overfit",
            severity="caution",
            where=name,
            message=f"The cross-validated calibration slope is {slope.estimate:.2f} "
            f"(below {SLOPE_OF_OVERFIT}): predictions "
            + ("are too extreme." if slope.estimate > 0 else "point the wrong way."),
        )


def _information(name: str, fitted: Fitted, cohort: Cohort) -> Iterator[Finding]:
    factor_model = fitted.pipeline.factor_model
    if factor_model is None:
        return
    active = active_factors(factor_model)
    for label, part in {DEVELOPMENT: cohort.development, **cohort.external}.items():
        information = factor_model.information(fitted.pipeline.cleaned(part.X))[active]
        low = int((information.mean(axis=1) < LEAST_INFORMATION).sum()) if active else 0
        if low:
            yield Finding(
                code="low_information",
                severity="caution",
                where=name,
                message=f"In {label}, {low} of {part.n_patients} patients carry little information "
                f"on the factors (on average below {LEAST_INFORMATION}), for want of views: their "
                "factors are drawn to zero.",
            )


def _held_values(name: str, fitted: Fitted, cohort: Cohort) -> Iterator[Finding]:
    factor_model = fitted.pipeline.factor_model
    if factor_model is None:
        return
    for label, part in cohort.external.items():
        held = factor_model.beyond(fitted.pipeline.cleaned(part.X))
        if len(held):
            most = held.sort_values("n_values", ascending=False, kind="stable")["feature"].iloc[0]
            yield Finding(
                code="values_held",
                severity="caution",
                where=name,
                message=f"In {label}, {held['n_values'].sum()} values of {len(held)} features "
                f"(most in {most}) lie far outside the range of the development patients and were "
                "held at its widened ends before factors were computed. Check units and scanners.",
            )


def _no_complete_case(validation: Validation) -> Iterator[Finding]:
    beside = validation.complete_case
    if beside is None:
        return
    for row in beside.failures.to_dict("records"):
        if row["failed"]:
            yield Finding(
                code="no_complete_case",
                severity="note",
                where=str(row["model"]),
                message="The complete-case result beside this model "
                + (
                    f"lacks {row['failed']} of {row['resamples']} resamples"
                    if row["model"] in beside.fitted
                    else "cannot be given"
                )
                + f". The reason: {row['reason']}",
            )


def _not_predicted(name: str, fitted: Fitted, cohort: Cohort) -> Iterator[Finding]:
    for label, part in {DEVELOPMENT: cohort.development, **cohort.external}.items():
        design = fitted.pipeline.design
        if design.missing != "complete_case":
            return
        lost = part.take(~design.complete(fitted.pipeline.before_design(part.X)))
        if lost.n_patients:
            yield Finding(
                code="not_predicted",
                severity="serious" if 2 * lost.n_patients > part.n_patients else "caution",
                where=name,
                message=f"In {label}, {lost.n_patients} of {part.n_patients} patients "
                f"({lost.n_events} of {part.n_events} events) lack a predictor and have no "
                "prediction, as complete cases are declared: every figure is of the others, who "
                "may differ.",
            )


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings, the serious first; equal ones stand once."""
    rank = {"serious": 0, "caution": 1, "note": 2}
    return sorted(dict.fromkeys(findings), key=lambda finding: rank[finding.severity])
