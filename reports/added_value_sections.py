"""What each kind of table adds: models side by side, their paired differences, tumour volume."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from models.comparison import Comparison
from models.performance import Performance
from models.volume import VOLUME_MODEL
from reports.added_value import AddedValueResults
from reports.blocks import Block, Figure, FigureGrid, Section, Table, Text
from reports.decision_sections import difference_blocks
from reports.external_sections import paired_test_block
from reports.figures.comparison import draw_comparison
from reports.figures.differences import draw_differences
from reports.reclassification_sections import reclassification_blocks
from reports.style import plain, shown_names
from reports.tables import (
    DASH,
    TableRows,
    digits_of,
    format_estimate,
    format_number,
    format_p_value,
    table_rows,
)
from reports.unseen import UNSEEN, by_cohort

SHORT = {"c_index": "C-index", "auc": "AUC", "brier": "Brier score"}


def added_value_section(added: AddedValueResults, performance: Performance) -> Section:
    """Show what each model adds to the reference."""
    blocks: list[Block] = [Text(text=_introduction(added))]
    if len(added.comparison.table):
        blocks += [_figure(added, performance), _table(added, performance)]
        blocks += list(paired_test_block(added.tests))
        blocks += list(difference_blocks(added.decision))
    if added.reclassification is not None:
        blocks += list(reclassification_blocks(added.reclassification))
    blocks += list(_volume_blocks(added))
    blocks.append(_lost_block(added.lost))
    return Section(id="added-value", title="Added value", blocks=blocks)


def comparison_blocks(comparison: Comparison) -> list[Block]:
    """Show the differences alone, for a notebook."""
    models = [comparison.reference, *comparison.likelihood_ratio["model"]]
    table, unit = comparison.table, comparison.outcome.unit
    if not len(table):
        return [Text(text=f"There is no model to compare {comparison.reference} with.")]
    horizon, threshold = _shown(table)
    panels = [
        Figure(figure=draw_differences(rows, models=models, title=words), title=words)
        for words, rows in _difference_rows(table, horizon, threshold, unit)
    ]
    tests = comparison.likelihood_ratio
    return [
        FigureGrid(
            panels=panels,
            title="Paired differences.",
            caption=f"Each model less {comparison.reference}, in the same patients.",
        ),
        Table(table=table_rows(tests), title="Likelihood-ratio tests."),
    ]


def _introduction(added: AddedValueResults) -> str:
    volume = (
        f" {VOLUME_MODEL} is a model of {added.volume} alone: what only repeats it adds nothing."
        if added.volume is not None
        else " No radiomics table has a volume feature: there is no baseline of tumour volume."
    )
    return (
        f"Each model less {added.comparison.reference}, in the same patients, the same folds and "
        "the same bootstrap draws. Above zero is better for discrimination and net benefit, below "
        f"zero for the Brier score.{volume}"
    )


def _shown(table: pd.DataFrame) -> tuple[float, float]:
    """Choose the horizon and the threshold of figure and table: the middle ones with figures."""
    benefit = table[(table["metric"] == "net_benefit") & table["difference"].notna()]
    benefit = benefit if len(benefit) else table[table["metric"] == "net_benefit"]
    horizons = np.sort(benefit["horizon"].unique())
    horizon = float(horizons[len(horizons) // 2])
    levels = np.sort(benefit.loc[_at(benefit, horizon), "threshold"].unique())
    return horizon, float(levels[(len(levels) - 1) // 2])


def _at(table: pd.DataFrame, horizon: float) -> "pd.Series[bool]":
    return table["horizon"].isna() if np.isnan(horizon) else table["horizon"] == horizon


def _difference_rows(
    table: pd.DataFrame, horizon: float, threshold: float, unit: str | None
) -> list[tuple[str, pd.DataFrame]]:
    """Give the rows of each difference that is shown, and what it is called."""
    ranking = "c_index" if "c_index" in set(table["metric"]) else "auc"
    brier = table[(table["metric"] == "brier") & _at(table, horizon)]
    benefit = table[(table["metric"] == "net_benefit") & _at(table, horizon)]
    benefit = benefit[np.isclose(benefit["threshold"], threshold)]
    of_ranking = table[(table["metric"] == ranking)]
    at = "" if np.isnan(horizon) else f" at {horizon:g} {plain(unit or '')}".rstrip()
    return [
        (f"Difference in {SHORT[ranking]}", of_ranking),
        (f"Difference in Brier score{at}", brier),
        (f"Difference in net benefit at {100 * threshold:g}%{at and ',' + at[3:]}", benefit),
    ]


def _figure(added: AddedValueResults, performance: Performance) -> FigureGrid:
    """Draw each figure beside its differences, the models in one order."""
    table, unit = added.comparison.table, performance.outcome.unit
    horizon, threshold = _shown(table)
    honest = performance.table[performance.table["validation"].isin(UNSEEN)]
    models = list(dict.fromkeys(honest["model"]))
    ranking = "c_index" if performance.outcome.kind == "survival" else "auc"
    at = None if np.isnan(horizon) else horizon
    curve = performance.decision
    curve = curve[np.isclose(curve["threshold"], threshold) & curve["validation"].isin(UNSEEN)]
    benefit = curve.rename(columns={"net_benefit": "estimate"}).assign(metric="net_benefit")
    metrics = (
        (ranking, None, honest),
        ("brier", at, honest),
        ("net_benefit", at, benefit),
    )
    differences = _difference_rows(table, horizon, threshold, unit)
    panels = []
    for (metric, when, rows), (words, difference) in zip(metrics, differences, strict=True):
        if len(rows):  # a threshold beyond the decision curves has no net benefit of its own
            figure = draw_comparison(rows, metric=metric, horizon=when, unit=unit)
            title = words.removeprefix("Difference in ")
            panels.append(Figure(figure=figure, title=f"{title[:1].upper()}{title[1:]}"))
        figure = draw_differences(difference, models=models, title=words)
        panels.append(Figure(figure=figure, title=f"Less that of {added.comparison.reference}"))
    return FigureGrid(
        panels=panels,
        title="Added value.",
        caption="Left: each model, development patients out of fold, external ones by the frozen "
        f"pipeline. Right: its paired difference from {added.comparison.reference}. With "
        "intervals; those out of fold are approximate.",
    )


def _table(added: AddedValueResults, performance: Performance) -> Table:
    """Lay the differences out: a row per model below its cohort."""
    table, tests = added.comparison.table, added.comparison.likelihood_ratio
    unit = performance.outcome.unit
    horizon, threshold = _shown(table)
    shown = _difference_rows(table, horizon, threshold, unit)
    ranking = "c_index" if performance.outcome.kind == "survival" else "auc"
    models = list(performance.table["model"].unique())
    rows: list[tuple[str, ...]] = []
    groups = []
    for heading, own in by_cohort(table):
        groups.append(len(rows))
        rows.append((heading, *[""] * (len(shown) + 3)))
        cohort, validation = own[["cohort", "validation"]].iloc[0]
        for model in models:
            there = {"model": model, "cohort": cohort, "validation": validation}
            cells = [_estimate(performance.table, {**there, "metric": ranking}, "estimate")]
            cells += [_estimate(part, there, "difference") for _, part in shown]
            cells.append(_test(tests, model, validation))
            cells.append(_estimate(added.correlations, {**there, "name": model}, "correlation"))
            rows.append((f"  {model}", *cells))
    header = (
        "Model",
        SHORT[ranking],
        *(f"Δ {name}" for name in (SHORT[ranking], "Brier score", "net benefit")),
        "LR test p",
        "Volume ρ",
    )
    reasons = [
        reason if str(reason).startswith(str(model)) else f"{model}: {reason}"
        for model, reason in zip(tests["model"], tests["reason"], strict=True)
        if reason
    ]
    methods = " ".join(f"{t[:1].upper()}{t[1:]}." for t in dict.fromkeys(table["method"]))
    which = "; ".join(words.removeprefix("Difference in ") for words, _ in shown[1:])
    return Table(
        table=TableRows(
            header=header, rows=tuple(rows), numeric=(False, *[True] * (len(header) - 1)),
            groups=tuple(groups),
        ),
        title=f"Paired differences from {added.comparison.reference}.",
        caption=f"Estimate ({100 * float(table['level'].iloc[0]):g}% interval). "
        f"{which}; all horizons and thresholds stand in tables/added_value.csv. {_counts(table)}",
        note=f"{methods} LR test: likelihood-ratio test of the fit to the development patients; "
        "volume ρ: Spearman's correlation with tumour volume."
        + (f" Not given: {'; '.join(reasons)}." if reasons else ""),
    )  # fmt: skip


def _estimate(table: pd.DataFrame, where: dict[str, str], column: str) -> str:
    found = table
    for name, value in where.items():
        found = found[found[name] == value]
    if len(found) != 1:
        return DASH
    estimate, lower, upper = (float(found[name].iloc[0]) for name in (column, "lower", "upper"))
    metric = found["metric"].iloc[0] if "metric" in found else column
    if column == "correlation":
        return format_number(estimate, digits=2)
    return format_estimate(estimate, lower, upper, digits=digits_of(metric))


def _test(tests: pd.DataFrame, model: str, validation: str) -> str:
    """Write the p value, in the development patients, who were fitted."""
    found = tests.loc[tests["model"] == model, "p_value"]
    if validation != "cross_validated" or not len(found):
        return DASH
    return format_p_value(float(found.iloc[0]))


def _counts(table: pd.DataFrame) -> str:
    """Say on how many patients the comparisons rest."""
    parts = []
    for cohort in dict.fromkeys(table["cohort"]):
        part = table[table["cohort"] == cohort]
        fewest, most = int(part["n_patients"].min()), int(part["n_patients"].max())
        many = f"{most}" if fewest == most else f"{fewest} to {most}"
        left_out = int(part["n_left_out"].max())
        also = f" (up to {left_out} left out, not predicted by both)" if left_out else ""
        parts.append(f"{cohort}: {many} patients{also}.")
    return " ".join(parts)


def _volume_blocks(added: AddedValueResults) -> Iterable[Block]:
    """Show what signatures and factors share with tumour volume."""
    table = added.correlations
    learned = table[table["name"] != table["model"]]
    if not len(learned):
        return
    names = shown_names(learned["name"])
    shown = learned.assign(name=[names[str(name)] for name in learned["name"]])
    columns = ["name", "model", "cohort", "correlation", "lower", "upper", "n_patients"]
    yield Table(
        table=table_rows(shown[columns], digits={"correlation": 2}),
        title="Signatures, factors and tumour volume.",
        caption=f"Spearman's correlation with {added.volume}; the frozen signature or factor of "
        "the model named. A factor's sign is arbitrary.",
    )


def _lost_block(lost: pd.DataFrame) -> Table:
    rows = _by_cohort(lost)
    return Table(
        table=rows,
        title="Patients lost for want of a table.",
        caption="Patients in whom every feature of the table that the model uses is missing, and "
        "what is put in their place.",
    )


def _by_cohort(lost: pd.DataFrame) -> TableRows:
    """Lay out who lacks what: a row per model and table, a column per cohort."""
    cohorts: Sequence[str] = list(dict.fromkeys(lost["cohort"]))
    rows = []
    for _, part in lost.groupby(["model", "view"], sort=False):
        model, view = part[["model", "view"]].iloc[0]
        counts = part.set_index("cohort")
        cells = [f"{counts.loc[c, 'n_without']} of {counts.loc[c, 'n_patients']}" for c in cohorts]
        predicted = [
            f"{counts.loc[c, 'n_predicted']} of {counts.loc[c, 'n_patients']}" for c in cohorts
        ]
        handling = part["handling"].iloc[0] or DASH
        features = str(part["n_features"].iloc[0])
        rows.append((str(model), str(view), features, *cells, "; ".join(predicted), handling))
    return TableRows(
        header=(
            *("Model", "Table", "Features"),
            *(f"Without it, {cohort}" for cohort in cohorts),
            *("Predicted", "In its place"),
        ),
        rows=tuple(rows),
        numeric=(False, False, True, *[False] * (len(cohorts) + 2)),
    )
