"""What a reader sees of the models: one section each, then side by side. Computes no statistic."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.decision import Quantity
from models.nomogram import Nomogram
from models.performance import Performance
from models.pooled import PooledCox, PooledLogistic, PooledModel
from models.roc_curves import RocCurves
from omics.cohort import DEVELOPMENT
from reports.blocks import Block, Figure, FigureGrid, Section, Table, Text
from reports.calibration_sections import hosmer_lemeshow_blocks
from reports.classification_section import classification_block
from reports.competing_section import competing_group_blocks
from reports.curve_sections import calibration_blocks, decision_blocks, survival_blocks
from reports.decision_sections import avoided_block
from reports.external_sections import standard_error_block
from reports.figures.comparison import draw_comparison
from reports.figures.forest import draw_forest
from reports.figures.importances import draw_importances
from reports.figures.nomogram import draw_nomogram
from reports.optimism_sections import optimism_blocks
from reports.performance_tables import (
    CALIBRATION,
    DISCRIMINATION,
    HEADLINE_METRICS,
    metric_rows,
)
from reports.regression_section import regression_block
from reports.results import Results
from reports.roc_section import roc_blocks
from reports.style import feature_name, shown_names
from reports.survival_section import risk_group_blocks
from reports.tables import format_number, label, table_rows
from reports.unseen import UNSEEN

VALIDATIONS = (
    *("apparent", "optimism_corrected", "bootstrap_632_plus", "cross_validated", "external"),
)
MOST_TERMS = 40


def models_section(results: Results) -> Section:
    """One part per model."""
    parts = [
        Section(id=f"model-{number}", title=name, blocks=list(_model_blocks(results, name)))
        for number, name in enumerate(results.coefficients, start=1)
    ]
    text = (
        "Figures of the development cohort use predictions for patients whom the fit had not seen; "
        "the apparent curve, drawn thin, flatters."
    )
    return Section(id="models", title="Models", blocks=[Text(text=text)], sections=parts)


def _model_blocks(results: Results, name: str) -> Iterable[Block]:
    yield from _coefficient_blocks(results, name)
    if name in results.regressions and len(results.regressions[name].table):
        yield regression_block(results.regressions[name])
    if name in results.nomograms:
        yield from nomogram_blocks(results.nomograms[name])
    yield from _performance_blocks(results.performance, name)
    if results.external is not None:
        yield from standard_error_block(results.external, name)
    yield from optimism_blocks(results.performance, results.validation, name)
    if results.hosmer_lemeshow is not None:
        yield from hosmer_lemeshow_blocks(results.hosmer_lemeshow, [name])
    unit = results.cohort.outcome.unit
    yield from calibration_blocks(results, name)
    yield from decision_blocks(results.performance, [name], unit)
    for quantity in results.about.quantities:
        yield from decision_blocks(results.performance, [name], unit, quantity=quantity)
    yield from avoided_block(results.performance, name)
    if results.classified is not None:
        yield from classification_block(results.classified, name)
    yield from survival_blocks(results.performance, name, unit)
    if results.survival is not None:
        yield from risk_group_blocks(results.survival, name)
    if results.competing is not None:
        yield from competing_group_blocks(results.competing, name)


def _coefficient_blocks(results: Results, name: str) -> Iterable[Block]:
    table, model = results.coefficients[name], results.validation.fitted[name].pipeline.model
    if isinstance(model, BoostedModel):
        yield Figure(
            figure=draw_importances(table),
            title="Importances.",
            caption="Share of the total gain of the trees; a correlated feature may stand for "
            "another.",
        )
        return
    effects = table[table["term"] != "Intercept"]
    if effects.empty:
        yield Text(
            text="No predictor is left: every one is constant in the development patients, such as "
            "a factor that MOFA switched off or a signature that selected nothing. Every patient "
            "gets the same risk."
        )
        return
    penalty = (
        f"Ridge penalty {model.ridge_:.4g}, {model.effective_parameters_:.1f} effective "
        "parameters. "
        if model.ridge_
        else ""
    )
    if isinstance(model, CoxModel) and model.strata is not None:
        penalty += f"Within the strata of {feature_name(model.strata)}, which has no ratio. "
    names = shown_names(table["term"])
    shown = table.assign(term=[names[str(term)] for term in table["term"]])
    ratio = "hazard_ratio" if "hazard_ratio" in table else "odds_ratio"
    if len(table) <= MOST_TERMS:
        yield Figure(
            figure=draw_forest(effects, ratio=ratio),
            title="Ratios with their intervals.",
            caption=f"{penalty}Per unit of each column of the design matrix; a spline's columns "
            "are read together, in the nomogram.",
        )
    yield Table(
        table=shown.head(MOST_TERMS),
        title="Coefficients.",
        caption=penalty
        + (f"The first {MOST_TERMS} of {len(table)}." if len(table) > MOST_TERMS else ""),
    )

    if isinstance(model, PooledCox | PooledLogistic):
        yield _pooled_tests(results, name, model)


def _pooled_tests(results: Results, name: str, model: PooledModel) -> Table:
    """Show the pooled Wald tests of a model, term by term and together."""
    tests = model.wald_tests(results.validation.fitted[name].pipeline.design.columns_of_terms())
    names = shown_names(tests["term"][tests["term"] != "ALL"])
    shown = tests.assign(term=[names.get(str(t), "All together") for t in tests["term"]])
    return Table(
        table=table_rows(shown, labels={"f": "D1", "residual_df": "Residual df"}),
        title="Pooled Wald tests.",
        caption=f"Coefficients pooled over {model.pooled_.n_imputations} imputations by Rubin's "
        "rules (D1 of Li, Raghunathan and Rubin). The likelihood-ratio test is withheld: the fits "
        "to imputed copies maximise no common likelihood.",
    )


def nomogram_blocks(nomogram: Nomogram) -> list[Block]:
    """Draw a nomogram, with what its points mean and what reading them by eye costs."""
    extrapolated = bool(nomogram.table["extrapolated"].any())
    several = bool((nomogram.table.loc[nomogram.table["kind"] == "predictor", "where"] != "").any())
    words = _rounding_words(nomogram)
    return [
        Figure(
            figure=draw_nomogram(nomogram.table),
            title="Nomogram.",
            caption="Read the points of each value on the top axis, add them up, and go down from "
            f"the total to the risk. {nomogram.points_per_unit:.4g} points are one unit of linear "
            f"predictor; no points mean a linear predictor of "
            f"{format_number(nomogram.intercept)}."
            + (
                " Predictors that interact have one axis per combination of their values: read the "
                "one that fits the patient, and no other of these; between two, interpolate."
                if several
                else ""
            )
            + (
                f" Each {feature_name(nomogram.stratified_by)} has its own axes below the total: "
                "read the patient's."
                if nomogram.stratified_by is not None
                else ""
            )
            + (
                " Grey ticks on a dotted ruler lie beyond the range of the development patients."
                if extrapolated
                else ""
            ),
        ),
        *([Text(text=words)] if words else []),
    ]


def _rounding_words(nomogram: Nomogram) -> str:
    """Say how far the printed version is from the model."""
    found = nomogram.rounding
    if found is None or not found.n_patients:
        return ""
    unit = f" {nomogram.unit}" if nomogram.unit else ""
    parts = []
    for row in found.table.to_dict("records"):
        at = "" if np.isnan(row["horizon"]) else f" by {row['horizon']:g}{unit}"
        parts.append(
            f"the risk{at} differs from the model's by {_at_most(row['largest'])} "
            f"percentage points (in 95% of patients by {_at_most(row['percentile_95'])}, on "
            f"average by {_hundredths(row['mean'])})"
        )
    points = "whole numbers" if found.step == 1 else f"multiples of {found.step:g}"
    return (
        f"Read with each predictor's points rounded to {points}, {'; '.join(parts)}: "
        f"{found.n_patients} development patients."
        if parts
        else ""
    )


def _hundredths(share: float) -> str:
    return f"{100 * share:.1f}" if share >= 0.0005 else "less than 0.1"


def _at_most(share: float) -> str:
    words = _hundredths(share)
    return words if words.startswith("less") else f"at most {words}"


def _performance_blocks(performance: Performance, name: str) -> Iterable[Block]:
    """Every metric of one model, by validation: what it ranks, then what it promises."""
    table = performance.table[performance.table["model"] == name]
    order = list(VALIDATIONS)
    table = table.assign(
        series=[
            label(validation) + ("" if cohort == DEVELOPMENT else f": {cohort}")
            for validation, cohort in zip(table["validation"], table["cohort"], strict=True)
        ]
    ).sort_values("validation", key=lambda column: column.map(order.index), kind="stable")
    methods = {
        str(kind): " and ".join(dict.fromkeys(part["method"]))
        for kind, part in table.groupby("validation", sort=False)
    }
    note = " ".join(f"{label(kind)}: {text}." for kind, text in methods.items())
    for title, metrics in (
        ("Discrimination and accuracy", DISCRIMINATION),
        ("Calibration in figures", CALIBRATION),
    ):
        rows = metric_rows(table, metrics=metrics, column="series", unit=performance.outcome.unit)
        if rows.rows:
            yield Table(
                table=rows,
                title=f"{title}.",
                caption=f"Estimate ({_level(table)} interval).",
                note=note if metrics == CALIBRATION else "",
            )


def _level(table: pd.DataFrame) -> str:
    levels = table["level"].dropna().unique()
    return f"{100 * float(levels[0]):g}%" if len(levels) == 1 else "with its"


def _sizes(table: pd.DataFrame) -> str:
    """Say how many patients were evaluated; of each model, where they differ."""
    sizes = table.groupby("model", sort=False)[["n_patients", "n_events"]].max()
    texts = [f"{n} patients, {events} events" for n, events in sizes.to_numpy()]
    if len(set(texts)) == 1:
        return texts[0]
    return "; ".join(f"{name}: {text}" for name, text in zip(sizes.index, texts, strict=True))


def comparison_section(
    performance: Performance, quantities: Sequence[Quantity] = (), roc: RocCurves | None = None
) -> Section:
    """Models side by side; `quantities` are drawn beside net benefit."""
    table, unit = performance.table, performance.outcome.unit
    names = list(dict.fromkeys(table["model"]))
    ranking = "c_index" if performance.outcome.kind == "survival" else "auc"
    blocks: list[Block] = [
        FigureGrid(
            panels=[
                Figure(
                    figure=draw_comparison(table[table["metric"] == metric], metric=metric),
                    title=label(metric),
                )
                for metric in (ranking, "calibration_slope")
            ],
            title="Models side by side.",
            caption="Every kind of validation, with intervals; the apparent figure flatters.",
        )
    ]
    for validation, words in UNSEEN.items():
        for name in dict.fromkeys(table.loc[table["validation"] == validation, "cohort"]):
            part = table[(table["validation"] == validation) & (table["cohort"] == name)]
            blocks.append(
                Table(
                    table=metric_rows(part, metrics=HEADLINE_METRICS, column="model", unit=unit),
                    title=f"Performance, {name} ({words}).",
                    caption=f"{_sizes(part)}. Estimate ({_level(part)} interval).",
                )
            )
    blocks += list(roc_blocks(roc)) if roc is not None else []
    if len(names) > 1:
        drawn: list[Quantity] = ["net_benefit", *quantities]
        for quantity in drawn:
            blocks += list(decision_blocks(performance, names, unit, quantity=quantity))
    return Section(id="comparison", title="Models side by side", blocks=blocks)
