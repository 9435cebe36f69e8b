"""What `nomomics check` prints: the flow of patients, and the findings."""

from collections.abc import Iterable

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


def _print_table(table: Table, console: Console) -> None:
    """Fit the table to the terminal; in a file or pipe it is as wide as its widest row."""
    if not console.is_terminal:
        unbounded = console.options.update(width=10_000)
        width = Measurement.get(console, unbounded, table).maximum
        console = Console(file=console.file, width=width, color_system=None)
    console.print(table, soft_wrap=False)
