"""The tables a run leaves behind, each by the name of its file; ids stand in private ones alone."""

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.assumptions import Assumptions
from models.description import TableOne
from models.one_resample import risk_groups
from reports.added_value import AddedValueResults
from reports.factor_quality import FactorQuality
from reports.factor_results import FactorResults
from reports.harmonisation_sections import harmonisation_tables
from reports.repeatability_sections import bland_altman_table, repeatability_table
from reports.results import Results
from reports.updating_sections import updating_table


def tables_of(results: Results) -> Iterable[tuple[str, pd.DataFrame]]:
    """Give every table that holds no patient, by name."""
    figures = results.performance
    yield "flow", results.cohort.flow.table
    yield from _table_one_tables(results.table_one)
    yield "missing", results.missing
    yield "missing_predictors", results.predictor_gaps
    if results.volume_surrogates is not None:
        yield "volume_surrogates", results.volume_surrogates.table
    yield "findings", findings_table(results)
    yield from _figure_tables(results)
    yield "failed_resamples", results.validation.failures
    if results.added_value is not None:
        yield from _added_value_tables(results.added_value)
    if results.updating:
        yield "updating", updating_table(results.updating)
    if results.subgroups is not None:
        yield "subgroups", results.subgroups.table
    if len(figures.survival_curves):
        yield "survival", figures.survival_curves
        yield "log_rank", figures.log_rank
    yield from _survival_tables(results)
    yield from _cleaning_tables(results)
    if results.factors is not None:
        yield from _factor_tables(results.factors)
    if results.factor_quality is not None:
        yield from _factor_quality_tables(results.factor_quality)
    yield from _signature_tables(results)
    yield from _model_tables(results)


def findings_table(results: Results) -> pd.DataFrame:
    """List the findings, one row each."""
    return pd.DataFrame(
        [(f.severity, f.code, f.where, f.message) for f in results.findings],
        columns=["severity", "code", "where", "message"],
    )


def predictions_table(results: Results) -> pd.DataFrame:
    """Predictions of every patient by every model: holds ids.

    Development patients are predicted by the fit of the first repeat that had not seen them
    (`fold`, from 1), external ones by the frozen pipeline. Factors are the frozen factor model's;
    scores of signatures are cross-fitted for development patients, frozen for external ones.

    Returns
    -------
    DataFrame
        `patient`, `cohort`, `model`, `fold`, `linear_predictor`, `risk` or one `risk_<horizon>` per
        horizon, `group` (risk group from 1, the lowest risk; empty without a prediction), the
        factors and their information.
    """
    validation, cohort = results.validation, results.cohort
    horizons = cohort.outcome.horizons
    risks = [f"risk_{horizon:g}" for horizon in horizons] or ["risk"]
    parts = []
    for model, fitted in validation.fitted.items():
        held_out, development = validation.out_of_fold[model], cohort.development
        part = pd.DataFrame(held_out.risk[0], columns=risks, index=development.X.index)
        part.insert(0, "linear_predictor", held_out.linear_predictor[0])
        part.insert(0, "fold", pd.Series(held_out.fold[0] + 1, part.index, "Int64"))
        part["group"] = _group_numbers(held_out.group[0])
        parts.append(part.assign(model=model, cohort="development"))
        for label, models in validation.external.items():
            p = models[model]
            part = pd.DataFrame(p.risk, columns=risks, index=cohort.external[label].X.index)
            part.insert(0, "linear_predictor", p.linear_predictor)
            part.insert(0, "fold", pd.Series(pd.NA, part.index, "Int64"))
            part["group"] = _group_numbers(risk_groups(p.ranking(), fitted.cut_points))
            parts.append(part.assign(model=model, cohort=label))
    table = pd.concat(parts)
    if results.factors is not None:
        scores = results.factors.scores
        plain = {name: name.partition(":")[2] for name in scores.columns}
        information = results.factors.information.rename(
            columns={name: f"{short}_information" for name, short in plain.items()}
        )
        table = table.join(scores.rename(columns=plain)).join(information)
    for name, summary in results.signatures.items():
        table[f"signature:{name}"] = summary.scores.reindex(table.index)
    first = ["patient", "cohort", "model", "fold", "linear_predictor"]
    table = table.rename_axis("patient").reset_index()
    return table[[*first, *[column for column in table.columns if column not in first]]]


def influence_table(results: Results) -> pd.DataFrame:
    """List who moves which coefficient by more than 2 / sqrt(n) standard errors: holds ids.

    Returns
    -------
    DataFrame
        `patient`, `model`, `column`, `dfbeta` and `dfbetas`, the largest of each model first.
    """
    ids, parts = results.cohort.development.X.index, []
    for model, found in results.assumptions.items():
        moved = found.influence
        row, column = np.nonzero(moved.dfbetas.abs().to_numpy() > moved.limit)
        part = pd.DataFrame(
            {
                "patient": ids[moved.dfbetas.index[row]],
                "model": model,
                "column": moved.dfbetas.columns[column],
                "dfbeta": moved.dfbeta.to_numpy()[row, column],
                "dfbetas": moved.dfbetas.to_numpy()[row, column],
            }
        )
        parts.append(part.sort_values("dfbetas", key=abs, ascending=False, kind="stable"))
    return pd.concat(parts, ignore_index=True)


def file_name(model: str, taken: Iterable[str] = ()) -> str:
    """Make a model's name fit for a file; a number tells apart two that would be the same.

    Examples
    --------
    >>> file_name("Clinical + factors"), file_name("A/B", taken=["A_B"])
    ('Clinical_factors', 'A_B_2')
    """
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", model).strip("_.") or "model"
    name, number = plain, 1
    used = {other.casefold() for other in taken}  # some file systems read `a` and `A` as one
    while name.casefold() in used:
        number += 1
        name = f"{plain}_{number}"
    return name


def _figure_tables(results: Results) -> Iterable[tuple[str, pd.DataFrame]]:
    figures = results.performance
    yield "performance", figures.table
    if len(figures.complete_case):
        yield "complete_case", figures.complete_case
    if len(figures.optimism):
        yield "optimism", figures.optimism
    if results.external is not None:
        yield "external_standard_errors", results.external.table
    yield "calibration", figures.calibration
    yield from _calibration_tables(results)
    yield "decision", figures.decision
    if results.classified is not None:
        yield "classification", results.classified.table


def _table_one_tables(found: TableOne) -> Iterable[tuple[str, pd.DataFrame]]:
    yield "table_one", found.table
    if found.balance is not None:
        yield "table_one_differences", found.balance.table
    if found.tests is not None:
        yield "table_one_tests", found.tests


def _calibration_tables(results: Results) -> Iterable[tuple[str, pd.DataFrame]]:
    if results.grouped_calibration is not None:
        yield "calibration_groups", results.grouped_calibration.table
    if results.hosmer_lemeshow is not None:
        yield "hosmer_lemeshow", results.hosmer_lemeshow.table


def _added_value_tables(found: AddedValueResults) -> Iterable[tuple[str, pd.DataFrame]]:
    yield "added_value", found.comparison.table
    if len(found.tests.table):
        yield "added_value_tests", found.tests.table
    yield "decision_differences", found.decision.table
    yield "added_value_likelihood", found.comparison.likelihood_ratio
    yield "added_value_lost", found.lost
    if found.reclassification is not None:
        yield "reclassification", found.reclassification.table
    if found.volume is not None:
        yield "added_value_volume", found.correlations


def _survival_tables(results: Results) -> Iterable[tuple[str, pd.DataFrame]]:
    if results.survival is not None:
        yield "survival_summary", results.survival.cohorts.table
        yield "risk_group_survival", results.survival.risk_groups
        yield "risk_group_contrasts", results.survival.contrasts
        yield "risk_group_trends", results.survival.trends
    if results.competing is not None:
        yield "incidence", results.competing.cohort_estimates
        yield "incidence_curves", results.competing.cohorts.table
        yield "risk_group_incidence", results.competing.estimates
        yield "risk_group_incidence_curves", results.competing.curves
        yield "gray_tests", results.competing.tests


def _cleaning_tables(results: Results) -> Iterable[tuple[str, pd.DataFrame]]:
    if results.repeatability:
        yield "repeatability", repeatability_table(results.repeatability)
        yield "bland_altman", bland_altman_table(results.repeatability)
    if results.harmonisation:
        yield from harmonisation_tables(results.harmonisation).items()


def _factor_tables(factors: FactorResults) -> Iterable[tuple[str, pd.DataFrame]]:
    yield "variance_explained", factors.model.variance_explained_
    if factors.model.groups_:
        yield "variance_explained_by_group", factors.model.group_variance_explained_
    yield "loadings", factors.model.loadings_
    yield "features_dropped", factors.model.dropped_
    yield "associations", factors.associations
    if factors.gene_sets is not None:
        yield "gene_sets", factors.gene_sets.table


def _factor_quality_tables(found: FactorQuality) -> Iterable[tuple[str, pd.DataFrame]]:
    yield "factor_information", found.information
    yield "factor_information_by_views", found.information_by_views
    if found.stability is not None:
        yield "factor_stability", found.stability.table
        yield "factor_stability_refits", found.stability.refits
    if found.held_out_error is not None:
        yield "n_factors", found.held_out_error.table
    if found.transductive is not None:
        yield "transductive", found.transductive.table


def _signature_tables(results: Results) -> Iterable[tuple[str, pd.DataFrame]]:
    if results.signatures:
        yield "signature_selection", results.validation.selection
    taken: list[str] = []
    for name, summary in results.signatures.items():
        for prefix, table in (
            ("", summary.signature.coef_),
            ("path_", summary.signature.path_),
            ("deviance_", summary.signature.deviance_),
            ("scores_", summary.waterfall),
            ("by_outcome_", summary.by_outcome),
        ):
            taken.append(file_name(f"signature_{prefix}{name}", ["signature_selection", *taken]))
            yield taken[-1], table


def _model_tables(results: Results) -> Iterable[tuple[str, pd.DataFrame]]:
    names: dict[str, str] = {}
    for model, table in results.coefficients.items():
        names[model] = file_name(model, names.values())
        yield f"coefficients_{names[model]}", table
        if model in results.regressions:
            yield f"regression_{names[model]}", results.regressions[model].table
        if model in results.nomograms:
            yield f"nomogram_{names[model]}", results.nomograms[model].table
        if model in results.assumptions:
            yield from _assumption_tables(results.assumptions[model], names[model])


def _assumption_tables(found: Assumptions, model: str) -> Iterable[tuple[str, pd.DataFrame]]:
    """Patients stand in `private/influence.csv` alone, not even their rows stand here."""
    yield f"assumptions_{model}", found.by_term
    yield f"influence_{model}", found.influence.table.drop(columns="patient")
    yield f"sample_size_{model}", found.sample_size
    if found.linearity is not None:
        yield f"linearity_{model}", found.linearity.curves
    if found.drift is not None:
        yield f"drift_{model}", found.drift.curves


def _group_numbers(group: NDArray[np.intp]) -> pd.arrays.IntegerArray:
    """Count risk groups from 1; missing without a prediction."""
    return pd.arrays.IntegerArray(group.astype(np.int64) + 1, mask=group < 0)
