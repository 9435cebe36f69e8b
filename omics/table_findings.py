"""What a reader of the report must know of how a table was read; no patient id stands in it."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from omics.errors import Finding
from omics.messages import quoted
from omics.pathology import Percentages
from omics.radiomics import parse_feature_name


def recode_findings(
    texts: pd.Series, unused: list[str], *, catches_all: bool, table: str
) -> list[Finding]:
    """Say which old values of a recode no row holds: they may be misspelt."""
    if not unused:
        return []
    message = (
        f"The recode of {texts.name!r} names {quoted(unused)}, which no row holds; the values are "
        f"{quoted(sorted(set(texts.dropna())))}."
    )
    if catches_all:
        message += ' Since "*" maps any other value, a misspelt one goes wrong unseen.'
    return [
        Finding(
            code="recode_unused",
            severity="serious" if catches_all else "note",
            where=f"{table}:{texts.name}",
            message=message,
        )
    ]


def level_findings(categories: pd.Series, *, table: str) -> list[Finding]:
    """Say which declared levels no row holds."""
    counts = categories.value_counts()
    empty = [str(level) for level in categories.cat.categories if counts[level] == 0]
    if not empty:
        return []
    return [
        Finding(
            code="level_without_patients",
            severity="note",
            where=f"{table}:{categories.name}",
            message=f"No row of column {categories.name!r} holds the declared level "
            f"{quoted(empty)}.",
        )
    ]


def percent_findings(
    result: Percentages, *, unit: str | None, column: str, table: str
) -> list[Finding]:
    """Say how many percentages were read by convention, and whether they look like fractions."""
    findings = []
    if result.n_ranges or result.n_bounds:
        findings.append(
            Finding(
                code="percent_convention",
                severity="note",
                where=f"{table}:{column}",
                message=f"In column {column!r} {result.n_ranges} values were written as ranges and "
                f"read as their midpoint, {result.n_bounds} as bounds (<x read as x/2, >x as the "
                "midpoint of x and 100).",
            )
        )
    known = result.values[np.isfinite(result.values)]
    if unit == "percent" and result.n_bare and (known <= 1).all():
        findings.append(
            Finding(
                code="percent_or_fraction",
                severity="serious",
                where=f"{table}:{column}",
                message=f"Column {column!r} is declared as per cent, but no value is above 1 %: "
                "are they fractions?",
            )
        )
    return findings


def clipped_findings(n_clipped: int, n_values: int, *, table: str) -> list[Finding]:
    """Say how many beta values were at the ends of their scale."""
    if not n_clipped:
        return []
    return [
        Finding(
            code="beta_clipped",
            severity="note",
            where=table,
            message=f"{n_clipped} of {n_values} beta values of table {table!r} were clipped to "
            "[0.001, 0.999] before they became M values.",
        )
    ]


def radiomics_findings(features: Iterable[str], *, table: str) -> list[Finding]:
    """Say how many feature names are written as none of the known programs writes them."""
    classes = [parse_feature_name(feature).feature_class for feature in features]
    strange = classes.count(None)
    if not strange:
        return []
    return [
        Finding(
            code="radiomics_names",
            severity="note",
            where=table,
            message=f"{strange} of {len(classes)} feature names of table {table!r} are not written "
            "as pyradiomics, MIRP, CaPTk or LIFEx write them: they are kept without a feature "
            "class, and tumour volume cannot be recognised among them.",
        )
    ]


def row_findings(*, n_rows: int, n_without_id: int, n_merged: int, table: str) -> list[Finding]:
    """Say how many rows had no id, and how many were merged into another row."""
    findings = []
    if n_without_id:
        findings.append(
            Finding(
                code="rows_without_id",
                severity="caution",
                where=table,
                message=f"{n_without_id} of {n_rows} rows of table {table!r} have no patient id "
                "and were left out.",
            )
        )
    if n_merged:
        findings.append(
            Finding(
                code="rows_reduced",
                severity="note",
                where=table,
                message=f"{n_merged} of {n_rows} rows of table {table!r} belong to patients with "
                "several rows, and were reduced to one row per patient as declared.",
            )
        )
    return findings
