"""What a report shows of each fitted model beside its performance."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from models.assumptions import Assumptions, assumptions
from models.boosting import BoostedModel
from models.nomogram import Nomogram, nomogram
from models.regression_tables import RegressionTable, regression_table
from models.ticks import AxisTicks
from models.updating import Updating, updating
from models.validation import Validation
from omics.cohort import Cohort
from omics.errors import Finding, FitError
from reports.about import About
from reports.added_value import tenths


def coefficients_of(validation: Validation) -> dict[str, pd.DataFrame]:
    """Give the coefficients of each regression, and the importances of boosted trees."""
    models = {name: fitted.pipeline.model for name, fitted in validation.fitted.items()}
    return {
        name: model.importances if isinstance(model, BoostedModel) else model.coefficients
        for name, model in models.items()
    }


def regressions_of(validation: Validation, cohort: Cohort) -> dict[str, RegressionTable]:
    """Give each predictor of a regression alone and beside the others."""
    X, level = cohort.development.X, validation.plan.level
    return {
        name: regression_table(fitted.pipeline, X, validation.y, level=level)
        for name, fitted in validation.fitted.items()
        if not isinstance(fitted.pipeline.model, BoostedModel)
    }


def nomograms_of(
    names: Sequence[str],
    validation: Validation,
    cohort: Cohort,
    ticks: Mapping[str, AxisTicks],
) -> tuple[dict[str, Nomogram], list[Finding]]:
    """Draw up nomograms; a model without any effect has none, and says so."""
    made, findings = {}, []
    X = cohort.development.X
    for name in names:
        pipeline = validation.fitted[name].pipeline
        if isinstance(pipeline.model, BoostedModel):
            continue
        reach = pipeline.linear_predictor(X)
        try:
            chart = nomogram(
                pipeline.design,
                pipeline.model,
                horizons=cohort.outcome.horizons,
                unit=cohort.outcome.unit,
                span=(float(np.nanmin(reach)), float(np.nanmax(reach))),
                ticks=ticks.get(name),
            )
            known = pipeline.design_matrix(X).loc[pipeline.complete(X)]
            made[name] = chart.with_rounding(known)
        except FitError as error:
            findings.append(
                Finding(code="no_nomogram", severity="serious", where=name, message=str(error))
            )
    return made, findings


def examined_assumptions(validation: Validation, cohort: Cohort) -> dict[str, Assumptions]:
    """Examine every regression that can be."""
    found = {name: assumptions(one.pipeline, cohort) for name, one in validation.fitted.items()}
    return {name: one for name, one in found.items() if one is not None}


def updates(
    about: About, validation: Validation, cohort: Cohort
) -> tuple[dict[str, Updating], list[Finding]]:
    """Update the models asked for; say which the cohort cannot tell of."""
    found: dict[str, Updating] = {}
    findings: list[Finding] = []
    if about.updates is None:
        return found, findings
    there = cohort.external[about.updates.cohort]
    for name in about.updates.models:
        try:
            found[name] = updating(
                validation.fitted[name].pipeline,
                there.X,
                there.y,
                horizons=cohort.outcome.horizons,
                thresholds=tenths(*about.thresholds),
                plan=validation.plan,
                harm=about.setting.harm_of(name),
                prevalence=about.setting.prevalence,
            )
        except (FitError, ValueError) as error:
            findings.append(
                Finding(code="not_updated", severity="caution", where=name, message=str(error))
            )
    findings += [
        Finding(
            code="few_events_to_update",
            severity="caution",
            where=name,
            message=f"Updating by {text}.",
        )
        for name, one in found.items()
        for text in one.warnings
    ]
    return found, findings
