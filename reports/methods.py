"""The methods paragraph of a paper, with the study's real settings."""

from models.external_tests import ExternalTests
from models.subgroups import LEAST_EVENTS
from omics.moment import in_words
from reports.added_value import AddedValueResults
from reports.calibration_sections import NAME_OF_TEST
from reports.factor_methods import factors_text, meaning_text, quality_text
from reports.harmonisation_sections import harmonisation_text
from reports.model_methods import model_text, signature_text
from reports.repeatability_sections import repeatability_text
from reports.results import Results
from reports.style import feature_name, shown_names


def methods_text(results: Results) -> str:
    """Write what was done, in the words and the order of a methods section.

    Returns
    -------
    str
        Paragraphs with an empty line between them.
    """
    parts = [_patients(results), _description(results), _volume_surrogates(results)]
    parts += [repeatability_text(results.repeatability), harmonisation_text(results.harmonisation)]
    factors = results.factors
    if factors is not None:
        parts += [
            factors_text(factors),
            meaning_text(factors),
            quality_text(results),
        ]
    parts += [signature_text(summary.signature) for summary in results.signatures.values()]
    parts += [model_text(name, fitted) for name, fitted in results.validation.fitted.items()]
    parts += [_validation(results), _metrics(results), _calibration_groups(results)]
    parts += [_hosmer_lemeshow(results), _decision(results), _classification(results)]
    parts += [_added_value(results), _updating(results)]
    parts += [_subgroups(results), _software(results)]
    return "\n\n".join(part for part in parts if part)


def _patients(results: Results) -> str:
    cohort = results.cohort
    development, flow = cohort.development, cohort.flow.table.iloc[:-1]
    tables = ", ".join(
        f"{name} ({kind})" for name, kind in zip(flow["table"], flow["kind"], strict=True)
    )
    outcome = cohort.outcome
    if outcome.kind == "survival":
        what = (
            f"The outcome was {outcome.label}, in {outcome.unit}, with event = "
            f"{outcome.event_label}; risks were predicted by "
            f"{', '.join(f'{h:g}' for h in outcome.horizons)} {outcome.unit}."
        )
    else:
        what = f"The outcome was {outcome.statement}."
    if results.about.moment is not None:
        what += (
            f" Predictions are made at {in_words(results.about.moment)}, from predictors known by "
            "then."
        )
    external = "".join(
        f" External validation: {name}, {part.n_patients} patients, {part.n_events} events."
        for name, part in cohort.external.items()
    )
    return (
        f"Patients. Tables were joined by patient id: {tables}. {what} Development: "
        f"{development.n_patients} patients, {development.n_events} events.{external} Patients "
        "with a missing view stayed in the analysis."
    )


def _description(results: Results) -> str:
    """Say how patients and their survival are described, and what is compared."""
    described, survival = results.table_one, results.survival
    parts = []
    if described.balance is not None:
        parts.append(
            "Groups of patients were compared by standardised mean differences (of categories by "
            "Mahalanobis' distance)"
            + (
                ", and by tests whose p values are not adjusted."
                if described.tests is not None
                else "."
            )
        )
    if survival is not None:
        level, horizon = survival.cohorts.level, max(results.cohort.outcome.horizons)
        parts.append(
            f"Survival: Kaplan-Meier with {100 * level:g}% intervals on the log scale, of medians "
            "by inverting them; follow-up: reverse Kaplan-Meier; mean time free of the event up "
            f"to {horizon:g} {survival.unit} (restricted mean, normal interval). Risk groups were "
            "compared by the log-rank test"
            + (", for trend too," if len(survival.trends) else "")
            + " and by differences of restricted means from the lowest group."
        )
    if results.competing is not None:
        parts.append(
            "Another event may come first: its share and that of the event are cumulative "
            "incidences (Aalen-Johansen), compared between risk groups by Gray's test. Models took "
            "the competing event as censoring (cause-specific)."
        )
    return f"Description. {' '.join(parts)}" if parts else ""


def _validation(results: Results) -> str:
    plan = results.validation.plan
    repeated = f", repeated {plan.repeats} times" if plan.repeats > 1 else ""
    text = (
        "Validation. Every step (filters, scaling, imputation, factors, penalty, model) was "
        f"learned anew in each resample. All models: {plan.folds}-fold cross-validation{repeated}, "
        "stratified by event; ranking and accuracy figures were averaged over the held-out "
        "folds, calibration was assessed on the out-of-fold predictions of each repeat."
    )
    if results.validation.optimism:
        names = ", ".join(results.validation.optimism)
        text += (
            f" Prespecified models ({names}): optimism bootstrap with {plan.bootstrap} resamples. "
            "It is not given for the others, since it underestimates optimism wherever features "
            "are selected, factors learned or patients memorised, and where a regression has fewer "
            "than five events per column. Their calibration curves were corrected at fixed risks, "
            "gap by gap, as rms::calibrate does."
        )
    if results.validation.left_out:
        text += (
            f" All models: .632+ from {plan.bootstrap_632} bootstrap samples and the patients that "
            "each left out (samples without a fit are counted in the session table), of "
            "discrimination and accuracy, without interval."
        )
    if results.validation.external:
        text += " External cohorts were scored once, by the frozen pipelines."
    groups = ", ".join(f"{q:g}" for q in plan.quantiles)
    if results.cohort.outcome.kind == "survival":
        text += (
            f" Risk groups were cut at quantile {groups} of the training patients' linear "
            "predictor."
        )
    stratified = [name for name, one in results.validation.fitted.items() if one.pipeline.strata]
    if stratified:
        text += (
            f" Linear predictors of different strata are not comparable: {', '.join(stratified)} "
            "ranked patients by the risk at the horizon (Harrell's C, risk groups: the last), "
            "and the calibration slope is that within strata."
        )
    return text


def _metrics(results: Results) -> str:
    plan = results.validation.plan
    if results.cohort.outcome.kind == "survival":
        figures = (
            "Harrell's C; at each horizon Uno's C, cumulative/dynamic AUC, Brier score and IPA "
            "with inverse probability of censoring weights from the evaluated patients; "
            "calibration slope, intercept (pseudo-observations, complementary log-log link), "
            "observed/expected ratio (Kaplan-Meier), ICI, E50, E90 and Emax "
            "(Cox regression on a restricted cubic spline of the complementary log-log risk); net "
            "benefit with the Kaplan-Meier risk among those treated."
        )
    else:
        figures = (
            "ROC AUC, Brier score and IPA; calibration slope, intercept, observed/expected ratio, "
            "ICI, E50, E90 and Emax (lowess); net benefit."
        )
    return (
        f"Performance. {figures} Intervals are {100 * plan.level:g}%: percentile bootstrap of "
        f"the evaluated patients ({plan.draws} draws), the corrected resampled t interval for "
        "figures averaged over folds, and that of rms::validate for optimism-corrected figures. "
        "The interval of a net benefit is too narrow at thresholds where fewer than about ten "
        "patients would be treated (in simulations it held the truth in 89% with eight, in 55% "
        "with three of them)."
    )


def _calibration_groups(results: Results) -> str:
    found = results.grouped_calibration
    if found is None:
        return ""
    survival = results.cohort.outcome.kind == "survival"
    observed = (
        "Kaplan-Meier's estimate (interval on the log scale)"
        if survival
        else "the share with the event (Wilson's interval)"
    )
    return (
        f"Calibration by groups. Beside the curve, patients were grouped at {found.groups - 1} "
        "quantiles of the development patients' out-of-fold risks, the same in every cohort. "
        f"Observed in a group is {observed}, predicted the mean risk; out of fold both, and the "
        "ends of the interval, were averaged over repeats."
    )


def _hosmer_lemeshow(results: Results) -> str:
    found = results.hosmer_lemeshow
    if found is None:
        return ""
    survival = results.cohort.outcome.kind == "survival"
    name, lost = NAME_OF_TEST[results.cohort.outcome.kind], 1 if survival else 2
    joined = ", those with fewer than five events joined" if survival else ""
    return (
        f"{name} test, on request, on tenths of the patients by predicted risk{joined}: degrees of "
        f"freedom are the groups less {lost} in the patients of the fit (regressions without "
        f"penalty only), and the groups in external cohorts. {found.warning}"
    )


def _decision(results: Results) -> str:
    """Say what the decision curves were told, where they were told anything."""
    setting = results.performance.setting
    harms = {name: setting.harm_of(name) for name in results.coefficients}
    costly = ", ".join(f"{name} {harm:g}" for name, harm in harms.items() if harm)
    told = []
    if setting.prevalence is not None:
        told.append(
            f"for a prevalence of {100 * setting.prevalence:g}%, treated cases and controls "
            "weighted by their own shares"
        )
    if costly:
        told.append(f"less the harm of obtaining the prediction ({costly})")
    return f"Decision curves. Net benefit is given {' and '.join(told)}." if told else ""


def _classification(results: Results) -> str:
    found = results.classified
    if found is None:
        return ""
    at = ", ".join(f"{100 * threshold:g}%" for threshold in found.thresholds)
    weighed, effective = "", ""
    if results.cohort.outcome.kind == "survival":
        weighed = (
            " by each horizon, cumulative/dynamic, with inverse probability of censoring weights "
            "from the evaluated patients"
        )
        effective = " for the effective number of patients, from influence functions"
    external = f"; in external cohorts Wilson's{effective}" if results.validation.external else ""
    return (
        f"Classification. At risks of {at}, stated in advance, sensitivity, specificity, PPV and "
        f"NPV of a risk at or above them were estimated{weighed}. Intervals: out of fold Wilson's "
        f"for the effective number of patients, from {results.validation.plan.draws} bootstrap "
        f"draws{external}."
    )


def _updating(results: Results) -> str:
    updates = results.about.updates
    if updates is None or not results.updating:
        return ""
    resamples = results.validation.plan.bootstrap
    corrected = (
        f", corrected for optimism by {resamples} bootstrap samples of these patients in which the "
        "update was repeated"
        if resamples
        else ", apparent"
    )
    were = "was" if len(results.updating) == 1 else "were"
    survival = results.cohort.outcome.kind == "survival"
    level = "the baseline hazard" if survival else "the intercept"
    return (
        f"Updating. {', '.join(results.updating)} {were} updated in {updates.cohort}: {level} "
        f"alone beside the frozen linear predictor as offset, {level} and one slope, or every "
        "coefficient of the same columns where the model has coefficients. Closed testing at 5% "
        f"chose among them. Figures of updates are those in {updates.cohort}{corrected}."
    )


def _added_value(results: Results) -> str:
    added = results.added_value
    if added is None:
        return ""
    plan = results.validation.plan
    levels = ", ".join(f"{100 * level:g}%" for level in added.thresholds)
    tested = added.comparison.likelihood_ratio["p_value"].notna().any()
    return (
        f"Added value. Every model was compared with {added.comparison.reference} by paired "
        "differences, in the patients that both predict: discrimination and accuracy within each "
        "held-out fold (corrected resampled t interval), net benefit at thresholds of "
        f"{levels} and all external figures within each of {plan.draws} bootstrap draws."
        + _paired_tests(results, added.tests)
        + (
            " Nested regressions without penalty were also compared by the likelihood-ratio test "
            "on the development patients."
            if tested
            else ""
        )
        + (
            f" Spearman's correlation with tumour volume ({feature_name(added.volume)}) is given "
            "for every model, out of fold, and for signatures and factors."
            if added.volume is not None
            else ""
        )
        + _reclassification(added)
    )


def _reclassification(added: AddedValueResults) -> str:
    found = added.reclassification
    if found is None:
        return ""
    survival = found.outcome.kind == "survival"
    how = (
        " (NRI by Kaplan-Meier within those moved, IDI weighted by the inverse probability of "
        "censoring)"
        if survival
        else ""
    )
    return (
        f" NRI and IDI were given on request{how}, with paired percentile bootstrap intervals. "
        f"{found.warning}"
    )


def _paired_tests(results: Results, found: ExternalTests) -> str:
    if not len(found.table):
        return ""
    if results.cohort.outcome.kind == "binary":
        how = "DeLong's test for the AUC, influence functions for the Brier score"
    else:
        how = (
            "infinitesimal jackknife for C, influence functions that count the estimated censoring "
            "weights for AUC and Brier score"
        )
    return f" Frozen models were also compared in external cohorts by paired z tests ({how})."


def _subgroups(results: Results) -> str:
    found = results.subgroups
    if found is None or not len(found.table):
        return ""
    columns = list(dict.fromkeys(found.table["subgroup"]))
    names = shown_names(columns)
    shown = ", ".join(names[column] for column in columns)
    return (
        f"Subgroups. Every figure was also computed by {shown}, with the predictions, folds and "
        "bootstrap of the whole. Patients whose value is unknown are a group of their own; groups "
        f"with fewer than {LEAST_EVENTS} events (patients of the rarer class) have no figures. "
        "Intervals are not adjusted for the number of groups."
    )


def _volume_surrogates(results: Results) -> str:
    found = results.volume_surrogates
    if found is None:
        return ""
    return (
        "Volume. Each radiomics feature was compared with the volume of its region by Spearman's "
        "rank correlation in the development patients (intervals by Fisher's z with the variance "
        "of Bonett and Wright); a feature was called a surrogate of volume where the absolute "
        f"correlation was {found.threshold:g} or more."
    )


def _software(results: Results) -> str:
    shown = ("nomomics", "mofapy2", "xgboost", "scikit-learn", "numpy")
    versions = ", ".join(f"{name} {results.versions[name]}" for name in shown)
    return f"Software. {versions}."
