"""What `nomomics check` and `score` print: the flow of patients, findings, differences."""

from collections.abc import Iterable

import pandas as pd
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from models.findings import ordered
from omics.cohort import Cohort
from omics.errors import Finding

COLOURS = {"serious": "red", "caution": "yellow", "note": "cyan"}


def print_check(cohort: Cohort, findings: Iterable[Finding], console: Console) -> None:
    """Print what a study's tables hold; names in them are shown as they are, never as markup."""
    console.print(repr(cohort), markup=False, highlight=False)
    flow = Table(title="Flow of patients")
    for column in cohort.flow.table.columns:
        flow.add_column(Text(str(column)), overflow="fold")
    for row in cohort.flow.table.astype(str).itertuples(index=False):
        flow.add_row(*(Text(cell) for cell in row))
    _print_table(flow, console)
    for finding in ordered(findings):
        console.print(
            f"{finding.severity}: {finding.where}: {finding.message}",
            style=COLOURS[finding.severity],
            markup=False,
            highlight=False,
        )


def print_differences(differences: pd.DataFrame, console: Console) -> None:
    """Print how new patients differ from what the models know; names are never read as markup."""
    if differences.empty:
        console.print("The table agrees with what the models know.")
        return
    shown = Table(title="Differences from what the models know")
    for column in differences.columns:
        shown.add_column(Text(str(column)), overflow="fold")
    for row in differences.astype(str).itertuples(index=False):
        shown.add_row(*(Text(cell) for cell in row), style=_STYLES.get(row[0], ""))
    _print_table(shown, console)


_STYLES = {"refused": "red", "caution": "yellow"}


def _print_table(table: Table, console: Console) -> None:
    """Fit the table to the terminal; in a file or pipe it is as wide as its widest row."""
    if not console.is_terminal:
        unbounded = console.options.update(width=10_000)
        width = Measurement.get(console, unbounded, table).maximum
        console = Console(file=console.file, width=width, color_system=None)
    console.print(table, soft_wrap=False)
