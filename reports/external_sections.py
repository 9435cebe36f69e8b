"""Frozen models in other cohorts: standard errors of their figures, tests of their differences."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from models.external_tests import ExternalFigures, ExternalTests
from omics.outcome import Outcome
from reports.blocks import Table
from reports.style import plain
from reports.tables import (
    DASH,
    TableRows,
    digits_of,
    format_estimate,
    format_number,
    format_p_value,
    label,
)

SHORT = {"c_index": "C-index", "auc": "AUC", "brier": "Brier score"}
WHY_EXTERNAL = (
    "They take the models as fixed, so they are given for external cohorts alone: out of fold, "
    "models of different folds are fitted to overlapping patients, which no such formula counts."
)


def standard_error_block(found: ExternalFigures, name: str) -> Iterable[Table]:
    """Show the figures of one model in every external cohort, with their standard errors."""
    mine = found.table[found.table["model"] == name]
    if not len(mine):
        return
    rows: list[tuple[str, ...]] = []
    groups = []
    for cohort, part in mine.groupby("cohort", sort=False):
        groups.append(len(rows))
        rows.append((str(cohort), "", "", ""))
        for one in part.to_dict("records"):
            digits = digits_of(one["metric"])
            ends = format_estimate(one["estimate"], one["lower"], one["upper"], digits=digits)
            error = format_number(one["standard_error"], digits=digits + 1)
            words = f"  {label(one['metric'])}{_by(one['horizon'], found.outcome)}"
            rows.append((words, ends, error, f"{one['n_events']}"))
    yield Table(
        table=TableRows(
            header=("Metric", "Estimate", "Standard error", "Events"),
            rows=tuple(rows),
            numeric=(False, True, True, True),
            groups=tuple(groups),
        ),
        title="Standard errors in external cohorts.",
        caption=f"Estimate ({_level(mine)} Wald interval). {WHY_EXTERNAL}",
        note=_how(found.outcome),
    )


def paired_test_block(found: ExternalTests) -> Iterable[Table]:
    """Show the tests of every model against the reference in every external cohort."""
    table = found.table
    if not len(table):
        return
    known = np.unique(table["horizon"].dropna())
    horizon = float(known[len(known) // 2]) if len(known) else float("nan")
    at = table[table["horizon"].isna() | (table["horizon"] == horizon)]
    metrics = [metric for metric in SHORT if metric in set(at["metric"])]
    rows: list[tuple[str, ...]] = []
    groups = []
    for cohort, part in at.groupby("cohort", sort=False):
        groups.append(len(rows))
        counts = f"{part['n_patients'].min()} patients"
        if part["n_patients"].nunique() > 1:
            counts = f"{part['n_patients'].min()} to {part['n_patients'].max()} patients"
        rows.append((f"{cohort} ({counts})", *[""] * (2 * len(metrics))))
        for model, its in part.groupby("model", sort=False):
            by_metric = its.set_index("metric")
            cells = [cell for metric in metrics for cell in _test_cells(by_metric, metric)]
            rows.append((f"  {model}", *cells))
    others = " All horizons and metrics stand in tables/added_value_tests.csv."
    by = "" if np.isnan(horizon) else f" AUC and Brier score{_by(horizon, found.outcome)}."
    yield Table(
        table=TableRows(
            header=("Model", *(c for m in metrics for c in (f"Δ {SHORT[m]}", "p"))),
            rows=tuple(rows),
            numeric=(False, *[True] * (2 * len(metrics))),
            groups=tuple(groups),
        ),
        title=f"Paired tests against {found.reference}, external cohorts.",
        caption=f"Difference ({_level(table)} Wald interval), in the patients that both predict."
        f"{by}{others}",
        note=f"{_how(found.outcome)} Two-sided z tests, not adjusted for their number. "
        f"{WHY_EXTERNAL}",
    )


def _test_cells(by_metric: pd.DataFrame, metric: str) -> tuple[str, str]:
    if metric not in by_metric.index:
        return DASH, DASH
    test = by_metric.loc[metric]
    ends = test[["difference", "lower", "upper"]].astype(np.float64)
    return format_estimate(*ends), format_p_value(float(test["p_value"]))


def _how(outcome: Outcome) -> str:
    """Say where the standard errors come from."""
    if outcome.kind == "binary":
        return "AUC: DeLong. Brier score and IPA: influence functions."
    return (
        "Harrell's and Uno's C: infinitesimal jackknife, Uno's weights taken as known. AUC, Brier "
        "score and IPA: influence functions that count the estimated censoring weights."
    )


def _by(horizon: float, outcome: Outcome) -> str:
    if np.isnan(horizon):
        return ""
    return f" by {horizon:g} {plain(outcome.unit or '')}".rstrip()


def _level(table: pd.DataFrame) -> str:
    return f"{100 * float(table['level'].iloc[0]):g}%"
