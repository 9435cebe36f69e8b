"""What a reader sees of the bootstrap: every index corrected for optimism, or why there is none."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from models.bootstrap_refits import EMAX_OF_LINE
from models.corrected_calibration import CorrectedCalibration
from models.optimism import Optimism
from models.performance import Performance
from models.validation import Validation
from reports.blocks import Block, Figure, Table, Text
from reports.figures.calibration import draw_calibration
from reports.performance_tables import CALIBRATION, DISCRIMINATION
from reports.tables import TableRows, digits_of, format_estimate, format_number, label

INDEXES = {
    "dxy": "Dxy (Somers)",
    "r_squared": "R² (Nagelkerke)",
    "intercept": "Intercept, beside the slope",
    "slope": "Slope",
    EMAX_OF_LINE: "Emax of intercept and slope",
    "d": "D (discrimination)",
    "u": "U (unreliability)",
    "q": "Q = D − U (quality)",
    "brier": "Brier score",
    "g": "g (Gini's mean difference of the linear predictor)",
    "gp": "gp (the same of the risk)",
}
"""Indexes of rms, as a reader knows them."""
HEADER = ("Index", "Apparent", "Training", "Test", "Optimism", "Corrected")


def optimism_blocks(
    performance: Performance, validation: Validation, name: str
) -> Iterable[Table | Text]:
    """Set out the bootstrap of one model; where it must not be trusted, say so and what stands."""
    table = performance.optimism[performance.optimism["model"] == name]
    unit = performance.outcome.unit
    if len(table):
        yield Table(
            table=_rows(table, unit),
            title="Optimism.",
            caption=f"Each figure in the patients of the fit (apparent); over bootstrap samples "
            f"the mean in the sample (training) and in the original patients (test); corrected = "
            f"apparent − (training − test), with its {100 * validation.plan.level:g}% interval "
            f"(rms::validate's).{_failed(table)}",
            note="R², D, U, Q and g are those of rms::validate. Of a model that predicts nothing "
            "the bootstrap leaves about half of the slope: read the cross-validated figures "
            "beside these.",
        )
    elif validation.plan.bootstrap:
        fitted = validation.fitted[name].pipeline
        reason = fitted.why_no_bootstrap(validation.apparent[name].known().y)
        stands = "the cross-validated figures"
        if validation.left_out:
            stands += " and .632+"
        yield Text(
            text=f"Figures corrected for optimism are withheld: {reason}, and the bootstrap, whose "
            "samples share their patients with the original ones, would see too little optimism. "
            f"In their place stand {stands}."
            + (
                ""
                if validation.left_out
                else " .632+ is given too where [validation] asks for it by bootstrap_632."
            )
        )


def _failed(table: pd.DataFrame) -> str:
    """Say how many resamples count, and how many figures have fewer."""
    drawn = int(table["n_resamples"].iloc[0] + table["n_failed"].iloc[0])
    counted = table["n_resamples"]
    if (counted == drawn).all():
        return f" {drawn} resamples, none failed."
    return (
        f" Of {drawn} resamples {int(counted.min())} to {int(counted.max())} count, by figure: a "
        "resample without a finite fit or figure is left out."
    )


def _rows(table: pd.DataFrame, unit: str | None) -> TableRows:
    """Lay the figures out, those with a horizon below it."""
    rows: list[tuple[str, ...]] = []
    groups = []
    for horizon, part in _by_horizon(table):
        if not np.isnan(horizon):
            groups.append(len(rows))
            rows.append((f"By {horizon:g} {unit or ''}".rstrip(), *("",) * 5))
        indent = "" if np.isnan(horizon) else "  "
        rows += [_row(row, indent) for row in part.to_dict("records")]
    return TableRows(
        header=HEADER,
        rows=tuple(rows),
        numeric=(False, *(True,) * 5),
        groups=tuple(groups),
    )


def _by_horizon(table: pd.DataFrame) -> Iterable[tuple[float, pd.DataFrame]]:
    shared = (*DISCRIMINATION, *CALIBRATION)
    order = [*(name for name in INDEXES if name not in shared), *shared]
    ranked = table.assign(place=[order.index(metric) for metric in table["metric"]])
    ranked = ranked.sort_values("place", kind="stable")
    yield float("nan"), ranked[ranked["horizon"].isna()]
    for horizon in np.sort(ranked["horizon"].dropna().unique()):
        yield float(horizon), ranked[ranked["horizon"] == horizon]


def _row(row: Mapping[Hashable, Any], indent: str = "") -> tuple[str, ...]:
    metric = str(row["metric"])
    digits = digits_of(metric)
    means = ("apparent", "training", "test", "optimism")
    return (
        indent + INDEXES.get(metric, label(metric)),
        *(format_number(row[column], digits=digits) for column in means),
        format_estimate(row["corrected"], row["lower"], row["upper"], digits=digits),
    )


def corrected_words(curve: CorrectedCalibration) -> str:
    """Say how far the corrected curve lies from the diagonal, as rms::calibrate prints it."""
    return (
        f"mean {format_number(curve.mean_error)}, .9 quantile {format_number(curve.e90)}, largest "
        f"{format_number(curve.max_error)}"
    )


def corrected_calibration_blocks(curve: CorrectedCalibration) -> Iterable[Block]:
    """Draw one corrected curve, with its band, beside the apparent one."""
    apparent = curve.table[["predicted", "apparent"]].rename(columns={"apparent": "observed"})
    yield Figure(
        figure=draw_calibration(
            curve.table, label="Corrected for optimism", apparent=apparent, horizon=curve.horizon
        ),
        title="Calibration.",
        caption=f"{curve.method}; {curve.n_resamples} resamples, {curve.n_failed} failed. Absolute "
        f"error over patients: {corrected_words(curve)}.",
    )


def array_optimism_blocks(found: Optimism) -> Iterable[Block]:
    """Set out the indexes of a regression on a design matrix, as rms::validate prints them."""
    named = found.table.assign(metric=found.table["index"].replace("emax", EMAX_OF_LINE))
    rows = named.to_dict("records")
    yield Table(
        table=TableRows(
            header=HEADER,
            rows=tuple(_row(row) for row in rows),
            numeric=(False, *(True,) * 5),
        ),
        title="Optimism.",
        caption=f"{found.method}, {found.n_resamples} resamples, {found.n_failed} failed; "
        f"{found.n_patients} patients, {found.n_events} events.",
    )
