"""What is missing, what each model did about it, and the complete cases beside. No statistic."""

from collections.abc import Iterable

import pandas as pd

from models.gaps import ANY
from omics.cohort import DEVELOPMENT
from reports.blocks import Block, Section, Table, Text
from reports.results import Results
from reports.style import shown_names
from reports.tables import digits_of, format_estimate, format_percent, label, table_rows

MOST_PREDICTORS = 20
POLICIES = {
    "refuse": "every predictor must be known (none is missing)",
    "complete_case": "the model learns from patients whose predictors are all known; a patient "
    "with a gap has no prediction",
    "median": "missing predictors are set to the median or the most frequent level of the "
    "training patients, learned within each resample",
    "chained": "missing predictors are filled by chained equations among the predictors, learned "
    "within each resample from the training patients, without the outcome",
    "multiple": "missing predictors are imputed several times by chained equations, within each "
    "resample and with the outcome of the training patients; the models are pooled by Rubin's "
    "rules, and a new patient's gaps are drawn without the outcome and the risks averaged",
    "indicator": "missing predictors are set to the median of the training patients and marked "
    "by a column of their own, categories by a level `missing`, learned within each resample",
    "keep": "missing values are taken as they are",
}
SHORT = {
    "complete_case": "Complete cases",
    "median": "Median",
    "chained": "Chained equations",
    "multiple": "Multiple imputation",
    "indicator": "Indicator",
    "keep": "Left to the trees",
    "refuse": "Refused",
}


def missing_section(results: Results) -> Section:
    """Say what is missing, and what was done about it."""
    policies = [
        f"- {name}: {POLICIES[fitted.pipeline.design.missing]}"
        + (
            "; missing views and values simply carry no information on the factors"
            if fitted.pipeline.factor_model is not None
            else ""
        )
        + (
            "; a signature takes the median of the training patients, and their mean where a "
            "patient has nothing of a view"
            if fitted.pipeline.signatures
            else ""
        )
        for name, fitted in results.validation.fitted.items()
    ]
    whole = (results.missing["n_missing"] == 0).all()
    blocks: list[Block] = [
        Text(text="No value is missing.") if whole else missing_block(results.missing),
        Text(text="\n".join(policies), heading="How each model takes them"),
        *_predictor_blocks(results.predictor_gaps),
        *_complete_case_blocks(results),
    ]
    return Section(id="missing", title="Missing data", blocks=blocks)


def missing_block(missing: pd.DataFrame) -> Table:
    """Show what is missing; columns and views that are whole are left out."""
    shown = missing[missing["n_missing"] > 0]
    names = shown_names(missing["view"] + ":" + missing["feature"])
    wide = shown["n_features"] > 1
    rows = pd.DataFrame(
        {
            "column": [
                f"{view}: {feature}" if is_wide else names[f"{view}:{feature}"]
                for view, feature, is_wide in zip(
                    shown["view"], shown["feature"], wide, strict=True
                )
            ],
            "n_features": shown["n_features"],
            "n_missing": shown["n_missing"],
            "development": [format_percent(share, digits=1) for share in shown["development"]],
            "external": [format_percent(share, digits=1) for share in shown["external"]],
        }
    )
    if shown["external"].isna().all():
        rows = rows.drop(columns="external")
    labels = {
        "column": "Column or view",
        "n_features": "Features",
        "n_missing": "Patients concerned",
        "development": "Of development",
        "external": "Of external",
    }
    n_whole = int(missing.loc[missing["n_missing"] == 0, "n_features"].sum())
    return Table(
        table=table_rows(rows, labels=labels),
        title="Missing values.",
        caption="Patients without a value, and their share of the cohort."
        + (" Columns without a gap are not listed." if n_whole else ""),
    )


def _predictor_blocks(gaps: pd.DataFrame) -> Iterable[Block]:
    """Show which predictors of which model are missing, in how many patients."""
    if gaps.empty:
        return
    names = shown_names(gaps["predictor"][gaps["predictor"] != ANY])
    cohorts = list(dict.fromkeys(gaps["cohort"]))
    rows, left_out = [], 0
    for model, part in gaps.groupby("model", sort=False):
        predictors = list(dict.fromkeys(part["predictor"]))
        most = part.groupby("predictor", sort=False)["n_missing"].sum().drop(ANY)
        kept = set(most.nlargest(MOST_PREDICTORS).index) | {ANY}
        left_out += len(predictors) - len(kept)
        for predictor in (one for one in predictors if one in kept):
            counts = part[part["predictor"] == predictor].set_index("cohort")
            rows.append(
                {
                    "model": model,
                    "predictor": names.get(predictor, predictor),
                    "done": SHORT[str(part["policy"].iloc[0])],
                    **{
                        label: f"{counts.loc[label, 'n_missing']} of "
                        f"{counts.loc[label, 'n_patients']}"
                        for label in cohorts
                    },
                }
            )
    labels = {"model": "Model", "predictor": "Missing predictor", "done": "What was done"}
    labels |= {label: "Development" if label == DEVELOPMENT else label for label in cohorts}
    yield Table(
        table=table_rows(pd.DataFrame(rows), labels=labels),
        title="Missing predictors of each model.",
        caption="Patients without the predictor."
        + (f" {left_out} more stand in tables/missing_predictors.csv." if left_out else ""),
    )


def _complete_case_blocks(results: Results) -> Iterable[Block]:
    """Put the complete-case result beside that of each model that fills gaps."""
    beside, found = results.validation.complete_case, results.performance
    if beside is None or not beside.fitted:
        return
    ranking = "c_index" if found.outcome.kind == "survival" else "auc"
    shown = (ranking, "calibration_slope")
    rows = []
    for name in beside.fitted:
        policy = SHORT[results.validation.fitted[name].pipeline.design.missing]
        for validation in ("cross_validated", "external"):
            for words, table in ((policy, found.table), ("Complete cases", found.complete_case)):
                of_model = (table["model"] == name) & (table["validation"] == validation)
                for cohort, part in table[of_model].groupby("cohort", sort=False):
                    rows.append(_beside_row(name, words, str(cohort), part, shown))
    labels = {"model": "Model", "cohort": "Cohort", "done": "Missing predictors"}
    labels |= {"patients": "Patients (events)"} | {metric: label(metric) for metric in shown}
    yield Table(
        table=table_rows(pd.DataFrame(rows), labels=labels),
        title="Complete cases beside.",
        caption="The same model fitted and evaluated on the patients whose predictors are all "
        "known; development patients are cross-validated. The two are evaluated on different "
        "patients: a difference may come from either. Brier score and IPA stand in "
        "tables/complete_case.csv.",
    )


def _beside_row(
    model: str, words: str, cohort: str, figures: pd.DataFrame, metrics: tuple[str, ...]
) -> dict[str, str]:
    row = {"model": model, "cohort": "Development" if cohort == DEVELOPMENT else cohort}
    patients, events = figures[["n_patients", "n_events"]].iloc[0]
    row |= {"done": words, "patients": f"{patients} ({events})"}
    for metric in metrics:
        one = figures[figures["metric"] == metric].iloc[0]
        row[metric] = format_estimate(
            one["estimate"], one["lower"], one["upper"], digits=digits_of(metric)
        )
    return row
