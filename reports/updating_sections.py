"""How a frozen model is to be changed for another cohort: methods side by side."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from models.updating import Updating
from omics.outcome import Outcome
from reports.blocks import Block, Figure, FigureGrid, Section, Table, Text
from reports.figures.updating import draw_updating
from reports.performance_tables import metric_rows
from reports.style import shown_names
from reports.tables import TableRows, format_number, table_rows

NAMES = {
    "original": "Original",
    "baseline": "New baseline",
    "recalibration": "New baseline and slope",
    "refit": "Refit",
}
METRICS = ("c_index", "auc", "calibration_slope", "observed_expected", "brier", "ipa")


def updating_section(updates: Mapping[str, Updating], cohort: str, outcome: Outcome) -> Section:
    """Show what each update of each model gives in one external cohort."""
    parts = [
        Section(
            id=f"updating-{number}",
            title=name,
            blocks=list(updating_blocks(found, outcome)),
        )
        for number, (name, found) in enumerate(updates.items(), start=1)
    ]
    text = (
        f"What {cohort} itself asks to change in a model from the development patients, least "
        "first. An update has learnt from the patients it is shown for: its figures are corrected "
        "for optimism, its curves are not. New patients of the place will tell."
    )
    return Section(
        id="updating", title=f"Updating for {cohort}", blocks=[Text(text=text)], sections=parts
    )


def updating_blocks(found: Updating, outcome: Outcome | None = None) -> Iterable[Block]:
    """Show one model and its updates: suggestion, figures, tests, curves, coefficients."""
    unit = None if outcome is None else outcome.unit
    yield Text(text=_summary(found))
    yield _figures(found, unit)
    yield _tests(found)
    yield from _curves(found, unit)
    yield _coefficients(found, unit)


def _summary(found: Updating) -> str:
    left_out = f" {found.n_left_out} without a prediction are left out." if found.n_left_out else ""
    refused = "".join(
        f" {NAMES[method]} is not given: {reason.rstrip('.')}."
        for method, reason in found.refused.items()
    )
    few = "".join(
        f" Few events: {text.replace(text.split()[0], NAMES[text.split()[0]], 1)}."
        for text in found.warnings
    )
    return (
        f"{found.n_patients} patients, {found.n_events} events.{left_out} Closed testing suggests: "
        f"{NAMES[found.suggested].lower()}.{refused}{few}"
    )


def _figures(found: Updating, unit: str | None) -> Table:
    table = found.table.assign(
        metric=[
            f"Net benefit at {100 * threshold:g}%" if metric == "net_benefit" else metric
            for metric, threshold in zip(
                found.table["metric"], found.table["threshold"].astype(float), strict=True
            )
        ],
        method=found.table["method"].map(NAMES),
    )
    benefits = [str(m) for m in dict.fromkeys(table["metric"]) if str(m).startswith("Net benefit")]
    middle = benefits[(len(benefits) - 1) // 2 :][:1]  # all of them stand in the file
    rows = metric_rows(table, metrics=(*METRICS, *middle), column="method", unit=unit)
    percent = f"{100 * found.level:g}%"
    how = (
        "Original: percentile bootstrap. Updates: corrected for optimism, the update repeated in "
        f"{found.n_resamples} bootstrap samples of the cohort{_failures(found)}; interval of "
        "rms::validate (dual SD). Apparent figures, and other thresholds, stand in "
        "tables/updating.csv."
        if found.n_resamples
        else "Without bootstrap: the figures of the updates are apparent, and flatter."
    )
    return Table(
        table=rows,
        title="Original and updated models.",
        caption=f"Estimate ({percent} interval).",
        note=how,
    )


def _failures(found: Updating) -> str:
    """Say which updates could not be learnt in how many bootstrap samples."""
    lost = [f"{NAMES[method].lower()} in {n}" for method, n in found.n_failed.items() if n]
    return f" (not learnt, and left out: {', '.join(lost)})" if lost else ""


def _tests(found: Updating) -> Table:
    shown = found.tests.assign(
        method=found.tests["method"].map(NAMES), against=found.tests["against"].map(NAMES)
    )
    return Table(
        table=table_rows(shown, labels={"chi2": "χ²", "df": "df"}, digits={"df": 0}),
        title="Closed testing.",
        caption="Likelihood ratio of each method against the largest; the first that is not "
        "rejected at 5% is suggested.",
    )


def _curves(found: Updating, unit: str | None) -> Iterable[Figure | FigureGrid]:
    panels = []
    for horizon in found.curves["horizon"].unique():
        curves = found.curves
        curves = curves[
            curves["horizon"].isna() if np.isnan(horizon) else curves["horizon"] == horizon
        ]
        by_method = {
            NAMES[str(method)]: part
            for method, part in curves.groupby("method", sort=False)
            if part["observed"].notna().any()
        }
        if not by_method:
            continue
        at = None if np.isnan(horizon) else float(horizon)
        figure = draw_updating(by_method, horizon=at, unit=unit)
        title = "" if at is None else f"By {at:g} {unit or ''}".rstrip()
        panels.append(Figure(figure=figure, title=title))
    caption = "In the patients of the update: all but the original flatter."
    if len(panels) == 1:
        yield Figure(
            figure=panels[0].figure, title="Calibration before and after.", caption=caption
        )
    elif panels:
        yield FigureGrid(
            panels=panels, title="Calibration before and after.", caption=caption,
            columns=min(len(panels), 3),
        )  # fmt: skip


def _coefficients(found: Updating, unit: str | None) -> Table:
    table = found.coefficients
    names = shown_names([term for term in table["term"] if ":" in str(term)])
    risks = table["term"].str.startswith("Risk by ")
    methods = [name for name in table.columns if name != "term"]
    rows = []
    for (_, row), is_risk in zip(table.iterrows(), risks, strict=True):
        term = str(row["term"])
        words = f"{term} {unit or ''}".rstrip() if is_risk else names.get(term, term)
        rows.append((words, *(format_number(float(row[method])) for method in methods)))
    return Table(
        table=TableRows(
            header=("Term", *(NAMES[method] for method in methods)),
            rows=tuple(rows),
            numeric=(False, *[True] * len(methods)),
        ),
        title="Coefficients.",
        caption="Slope: what the linear predictor of the original is multiplied by."
        + (" Risk: of the mean development patient." if risks.any() else ""),
    )


def updating_table(updates: Mapping[str, Updating]) -> pd.DataFrame:
    """Put the figures of all models into one table, for a file."""
    tables = [found.table.assign(model=name) for name, found in updates.items()]
    table = pd.concat(tables, ignore_index=True)
    return table[["model", *(column for column in table.columns if column != "model")]]
