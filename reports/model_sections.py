"""What a reader sees of the models: one section each, then side by side. Computes no statistic."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.boosting import BoostedModel
from models.nomogram import Nomogram
from models.performance import Performance
from omics.cohort import DEVELOPMENT
from reports.analysis import Results
from reports.figures.calibration import draw_calibration
from reports.figures.comparison import draw_comparison
from reports.figures.decision_curve import draw_decision_curve
from reports.figures.forest import draw_forest
from reports.figures.importances import draw_importances
from reports.figures.kaplan_meier import draw_kaplan_meier
from reports.figures.nomogram import draw_nomogram
from reports.html import Block, Figure, Section, Table, Text
from reports.tables import format_number, performance_rows

MOST_TERMS = 40
HEADLINE = {"cross_validated": "out of fold", "external": "external"}


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
    if name in results.nomograms:
        yield from nomogram_blocks(results.nomograms[name])
    yield from _discrimination_blocks(results.performance, name)
    unit = results.cohort.outcome.unit
    yield from _calibration_blocks(results, name, unit)
    yield from _decision_blocks(results.performance, [name], unit)
    yield from _risk_group_blocks(results.performance, name, unit, results.cohort.outcome.horizons)


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
    penalty = (
        f"Ridge penalty {model.ridge_:.4g}, {model.effective_parameters_:.1f} effective "
        "parameters. "
        if model.ridge_
        else ""
    )
    ratio = "hazard_ratio" if "hazard_ratio" in table else "odds_ratio"
    if len(table) <= MOST_TERMS:
        shown = table[table["term"] != "Intercept"]
        yield Figure(
            figure=draw_forest(shown, ratio=ratio),
            title="Ratios with their intervals.",
            caption=f"{penalty}Per unit of each column of the design matrix; a spline's columns "
            "are read together, in the nomogram.",
        )
    yield Table(
        table=table.head(MOST_TERMS),
        title="Coefficients.",
        caption=penalty
        + (f"The first {MOST_TERMS} of {len(table)}." if len(table) > MOST_TERMS else ""),
    )


def nomogram_blocks(nomogram: Nomogram) -> list[Block]:
    """Draw a nomogram, with what its points mean."""
    extrapolated = bool(nomogram.table["extrapolated"].any())
    return [
        Figure(
            figure=draw_nomogram(nomogram.table),
            title="Nomogram.",
            caption="Read the points of each value on the top axis, add them up, and go down from "
            f"the total to the risk. {nomogram.points_per_unit:.4g} points are one unit of linear "
            f"predictor; no points mean a linear predictor of "
            f"{format_number(nomogram.intercept)}."
            + (" Ticks beyond the development patients' range are marked." if extrapolated else ""),
        )
    ]


def _discrimination_blocks(performance: Performance, name: str) -> Iterable[Block]:
    table = performance.table[performance.table["model"] == name]
    order = {"apparent": 0, "optimism_corrected": 1, "cross_validated": 2, "external": 3}
    pairs = table[["validation", "cohort"]].drop_duplicates()
    kinds = sorted(
        zip(pairs["validation"], pairs["cohort"], strict=True), key=lambda kind: order[kind[0]]
    )
    wide: pd.DataFrame | None = None
    for validation, cohort in kinds:
        part = table[(table["validation"] == validation) & (table["cohort"] == cohort)]
        column = validation if cohort == DEVELOPMENT else f"{validation}: {cohort}"
        rows = performance_rows(part).rename(columns={name: _words(column)})
        keys = [key for key in ("metric", "horizon") if key in rows]
        wide = rows if wide is None else wide.merge(rows, on=keys, how="left")
    if wide is not None:
        methods = {
            str(kind): " and ".join(dict.fromkeys(part["method"]))
            for kind, part in table.groupby("validation", sort=False)
        }
        yield Table(
            table=wide,
            title="Performance.",
            caption="Estimate with its interval. "
            + " ".join(f"{_words(kind)}: {text}." for kind, text in methods.items()),
        )


def _words(name: str) -> str:
    text = name.replace("_", "-", 1) if name.startswith(("cross", "optimism")) else name
    return text[:1].upper() + text[1:]


def _calibration_blocks(results: Results, name: str, unit: str | None) -> Iterable[Block]:
    table = results.performance.calibration
    table = table[table["model"] == name]
    horizons = [float(horizon) for horizon in table["horizon"].unique()]
    for validation, label in HEADLINE.items():
        for cohort in dict.fromkeys(table.loc[table["validation"] == validation, "cohort"]):
            for position, horizon in enumerate(horizons):
                curve = _at(table, validation, cohort, horizon)
                if not len(curve) or curve["observed"].isna().all():
                    continue
                apparent = _at(table, "apparent", DEVELOPMENT, horizon)
                yield Figure(
                    figure=draw_calibration(
                        curve,
                        label=label,
                        apparent=apparent if validation == "cross_validated" else None,
                        predictions=_predicted(results, name, validation, cohort, position),
                        horizon=None if np.isnan(horizon) else horizon,
                        unit=unit,
                    ),
                    title=f"Calibration, {cohort}{_by(horizon, unit)}.",
                    caption="Observed against predicted risk; band: 95 % bootstrap interval. The "
                    "spikes count predictions.",
                )


def _at(table: pd.DataFrame, validation: str, cohort: str, horizon: float) -> pd.DataFrame:
    same = table["horizon"].isna() if np.isnan(horizon) else table["horizon"] == horizon
    return table[(table["validation"] == validation) & (table["cohort"] == cohort) & same]


def _predicted(
    results: Results, name: str, validation: str, cohort: str, position: int
) -> NDArray[np.float64]:
    found = results.validation
    risk: NDArray[np.float64]
    if validation == "cross_validated":
        risk = found.out_of_fold[name].risk[0, :, position]
    else:
        risk = found.external[cohort][name].risk[:, position]
    return risk[~np.isnan(risk)]


def _by(horizon: float, unit: str | None) -> str:
    return "" if np.isnan(horizon) else f", risk by {horizon:g} {unit}"


def _decision_blocks(
    performance: Performance, names: list[str], unit: str | None
) -> Iterable[Block]:
    table = performance.decision[performance.decision["model"].isin(names)]
    for validation in HEADLINE:
        for cohort in dict.fromkeys(table.loc[table["validation"] == validation, "cohort"]):
            for horizon in table["horizon"].unique():
                part = _at(table, validation, cohort, horizon)
                if part["net_benefit"].isna().all():
                    continue
                yield Figure(
                    figure=draw_decision_curve(
                        {name: part[part["model"] == name] for name in names},
                        horizon=None if np.isnan(horizon) else horizon,
                        unit=unit,
                    ),
                    title=f"Decision curve, {cohort}{_by(horizon, unit)}.",
                    caption="Net benefit of treating where the predicted risk reaches the "
                    "threshold, against treating all and none.",
                )


def risk_group_names(n_groups: int) -> list[str]:
    """Name risk groups, the lowest first.

    Examples
    --------
    >>> risk_group_names(2), risk_group_names(4)[0]
    (['Low risk', 'High risk'], 'Group 1 (lowest risk)')
    """
    if n_groups == 2:
        return ["Low risk", "High risk"]
    if n_groups == 3:
        return ["Low risk", "Intermediate risk", "High risk"]
    names = [f"Group {number}" for number in range(1, n_groups + 1)]
    names[0] += " (lowest risk)"
    names[-1] += " (highest risk)" if n_groups > 1 else ""
    return names


def _risk_group_blocks(
    performance: Performance, name: str, unit: str | None, horizons: tuple[float, ...]
) -> Iterable[Block]:
    curves = performance.survival_curves
    if not len(curves):
        return
    names = dict(enumerate(risk_group_names(int(curves["group"].max()) + 1)))
    mine = curves[curves["model"] == name]
    for cohort in dict.fromkeys(mine["cohort"]):
        test = performance.log_rank
        found = test[(test["model"] == name) & (test["cohort"] == cohort)]["p_value"]
        at_risk = performance.at_risk
        at_risk = at_risk[(at_risk["model"] == name) & (at_risk["cohort"] == cohort)]
        part = mine[mine["cohort"] == cohort]
        yield Figure(
            figure=draw_kaplan_meier(
                part.assign(group=part["group"].map(names)),
                at_risk.assign(group=at_risk["group"].map(names)),
                unit=str(unit),
                p_value=float(found.iloc[0]) if len(found) else None,
                horizons=horizons,
            ),
            title=f"Survival by risk group, {cohort}.",
            caption="Kaplan-Meier with 95 % intervals. "
            + (
                "Each patient's group was cut by the training patients of the fold that held the "
                "patient out (first repeat). The log-rank p treats these groups as given."
                if cohort == DEVELOPMENT
                else "The groups were cut in the development patients."
            ),
        )


def comparison_section(performance: Performance) -> Section:
    """Models side by side."""
    table, unit = performance.table, performance.outcome.unit
    ranking = "c_index" if performance.outcome.kind == "survival" else "auc"
    blocks: list[Block] = [
        Figure(
            figure=draw_comparison(table[table["metric"] == metric], metric=metric),
            title="Models side by side.",
            caption="Every kind of validation, with intervals; the apparent figure flatters.",
        )
        for metric in (ranking, "calibration_slope")
    ]
    for validation, words in HEADLINE.items():
        for name in dict.fromkeys(table.loc[table["validation"] == validation, "cohort"]):
            part = table[(table["validation"] == validation) & (table["cohort"] == name)]
            blocks.append(
                Table(
                    table=performance_rows(part),
                    title=f"Performance, {name} ({words}).",
                    caption=f"{part['n_patients'].iloc[0]} patients, "
                    f"{part['n_events'].iloc[0]} events.",
                )
            )
    names = list(dict.fromkeys(table["model"]))
    if len(names) > 1:
        blocks += list(_decision_blocks(performance, names, unit))
    return Section(id="comparison", title="Models side by side", blocks=blocks)
