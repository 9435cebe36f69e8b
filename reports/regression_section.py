"""Each predictor alone and beside the others, as a paper prints it. Computes no statistic."""

import pandas as pd

from models.regression_tables import RegressionTable
from reports.blocks import Table
from reports.style import feature_name, shown_names
from reports.tables import DASH, TableRows, format_estimate, format_p_value

MOST_ROWS = 60
SIDES = ("univariable", "multivariable")


def regression_block(found: RegressionTable) -> Table:
    """Lay out a regression table: a row per predictor, level or test, two analyses side by side."""
    short = "HR" if found.ratio == "hazard_ratio" else "OR"
    names = shown_names(found.table["term"])
    sides = [found.table[found.table["analysis"] == side] for side in SIDES]
    alone, together = ({_key(row): row for _, row in side.iterrows()} for side in sides)
    rows = []
    for key, row in together.items():
        name = names[str(row["term"])]
        shown = {"level": f"{name} = {row['level']}", "whole": f"{name} (all its columns)"}
        shown["reference"] = f"{name} = {row['level']} (reference)"
        cells = [shown.get(str(row["kind"]), name)]
        # an interaction has no analysis of its own: only beside its two predictors
        cells += [*(_cells(alone[key]) if key in alone else [DASH] * 3), *_cells(row)]
        rows.append(tuple(cells))
    interacting = len(together) > len(alone)
    head = [text for side in SIDES for text in ("n (events)", f"{short}, {side}", "p")]
    return Table(
        table=TableRows(
            header=("Predictor", *head),
            rows=tuple(rows[:MOST_ROWS]),
            numeric=(False, *(True for _ in head)),
        ),
        title="Each predictor alone and beside the others.",
        caption=f"{short} with {100 * found.level:g}% interval. Alone: a plain regression on the "
        "patients for whom the predictor is known. Beside the others: the model as fitted. "
        + _strata_words(found)
        + "Columns of one predictor are tested together by Wald's test. Do not choose predictors "
        "by the univariable p."
        + (
            " Beside the others, the ratio of a predictor that interacts holds where the other one "
            "is 0 or at its reference level: read the two in the nomogram."
            if interacting
            else ""
        )
        + (f" The first {MOST_ROWS} of {len(rows)} rows." if len(rows) > MOST_ROWS else ""),
    )


def _strata_words(found: RegressionTable) -> str:
    if found.strata is None:
        return ""
    return f"Both within the strata of {feature_name(found.strata)}, which has no ratio. "


def _key(row: pd.Series) -> tuple[str, str, str]:
    return str(row["term"]), str(row["level"]), str(row["kind"])


def _cells(row: pd.Series) -> list[str]:
    return [f"{row['n_patients']} ({row['n_events']})", _ratio(row), _p_value(row)]


def _ratio(row: pd.Series) -> str:
    if row["kind"] == "reference":
        return "1"
    if pd.isna(row["estimate"]):
        return DASH
    return format_estimate(row["estimate"], row["lower"], row["upper"], digits=2)


def _p_value(row: pd.Series) -> str:
    return DASH if pd.isna(row["p_value"]) else format_p_value(row["p_value"])
