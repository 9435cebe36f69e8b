"""The factors of a study: where its patients stand on them, and what goes with them."""

from dataclasses import dataclass, replace

import pandas as pd

from models.factor_findings import factor_cohort_findings, factor_findings
from models.validation import Validation
from omics.cohort import Cohort
from omics.errors import Finding
from omics.gene_sets import GeneSetResult
from omics.mofa import FactorModel
from omics.outcome_in_views import outcome_in_views
from reports.about import About
from reports.asked import factor_columns
from reports.factor_meaning import (
    FactorScatter,
    factor_associations,
    factor_scatter,
    gene_set_results,
)


@dataclass(frozen=True, eq=False, kw_only=True)
class FactorResults:
    """The factors of a study.

    Attributes
    ----------
    model : FactorModel
        Fitted on all development patients.
    scores, information : DataFrame of shape (n_patients, n_factors)
        Of every patient, external ones too, by projection.
    associations : DataFrame
        With clinical and pathology columns, those named, and the outcome, development patients; see
        `models.associations`.
    scatter : FactorScatter or None
        None without two active factors or anything to colour them by.
    gene_sets : GeneSetResult or None
    """

    model: FactorModel
    scores: pd.DataFrame
    information: pd.DataFrame
    associations: pd.DataFrame
    scatter: FactorScatter | None = None
    gene_sets: GeneSetResult | None = None

    def __repr__(self) -> str:
        return f"FactorResults({self.scores.shape[0]} patients, {self.scores.shape[1]} factors)"


def factor_results(
    cohort: Cohort, validation: Validation, about: About
) -> tuple[FactorResults | None, list[Finding]]:
    """Describe the factors of the first model that takes some; say what could not be tested."""
    fitted = [one.pipeline.factor_model for one in validation.fitted.values()]
    model = next((one for one in fitted if one is not None), None)
    if model is None:
        return None, []
    columns = factor_columns(cohort, about.factor_columns)
    scores = model.transform(cohort.X)
    tested = factor_associations(cohort, model, scores, columns, ordered=about.ordered_columns)
    gene_sets, findings = gene_set_results(about.gene_sets, model)
    described = FactorResults(
        model=model,
        scores=scores,
        information=model.information(cohort.X),
        associations=tested,
        scatter=factor_scatter(cohort, model, scores, tested),
        gene_sets=gene_sets,
    )
    return described, findings


def as_factors_see(cohort: Cohort, validation: Validation) -> Cohort:
    """Give the cohort as the first factor model sees it; columns that a filter took stay as is."""
    fitted = [one.pipeline for one in validation.fitted.values()]
    first = next((one for one in fitted if one.factor_model is not None), None)
    if first is None or not first.cleaning:
        return cohort
    table = first.cleaned(cohort.X)
    X = pd.concat([table, cohort.X.drop(columns=table.columns)], axis=1)[cohort.X.columns]
    return replace(cohort, X=X)


def factor_model_findings(model: FactorModel, cohort: Cohort) -> list[Finding]:
    """Tell what a reader must know of the factors, their views and who is placed on them."""
    development, learnt = cohort.development, list(model.features_)
    return [
        *factor_findings(model, development.X, cohort.kinds),
        *factor_cohort_findings(model, cohort),
        *outcome_in_views(development.X[learnt], development.y, label=cohort.outcome.label),
    ]
