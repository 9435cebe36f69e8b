"""Any table of a study becomes a View: one row per patient, features as numbers or categories.

What is read is only what the study declares; what cannot be read is named with its column, count,
first offender, row and cure. Nothing is dropped in silence: `View.notes` counts it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from omics.chosen_rows import choose_rows
from omics.delta_tables import (
    Timepoints,
    changes,
    lesion_findings,
    scan_names,
    spread_scans,
    take_timepoints,
)
from omics.errors import Finding, StudyError
from omics.features import read_features
from omics.lesions import reduce_lesions
from omics.long_tables import BAR, spread_rows
from omics.maf import read_maf
from omics.moment import Moment
from omics.patients import first_rows, largest_rows, mean_rows, read_ids, refuse_duplicates
from omics.radiomics_settings import compare_settings
from omics.reading import RawTable, read_raw
from omics.samples import map_samples
from omics.table_findings import row_findings
from omics.table_plan import TablePlan, plan_table
from omics.table_spec import Kind, TableSpec
from omics.values import (
    Unknown,
    read_categories,
    read_numbers,
    read_texts,
    recode_texts,
    with_points,
)


@dataclass(frozen=True, eq=False, kw_only=True)
class ViewNotes:
    """What reading a table counted.

    Attributes
    ----------
    n_rows : int
        Rows of the file, blank ones aside; columns, where patients are columns; samples of a MAF;
        patients, where rows are spread.
    n_without_id : int
        Rows without an id; they are left out.
    n_merged : int
        Rows that `reduce` merged into another row of their patient.
    unknown : DataFrame, one row per column that holds a declared code
        Columns `column` and `count`: values that a code for "unknown" made missing.
    """

    n_rows: int
    n_without_id: int
    n_merged: int
    unknown: pd.DataFrame


@dataclass(frozen=True, eq=False, kw_only=True)
class View:
    """One table of a study, one row per patient.

    Attributes
    ----------
    name : str
        The table's name in the study.
    kind : str
        Such as `radiomics` or `clinical`.
    table : DataFrame of shape (n_patients, n_features)
        Indexed by patient id (text, unique, named `patient`). Columns are float64, NaN where
        missing, or categories whose first one is the reference level.
    reserved : DataFrame of shape (n_patients, n_reserved)
        Outcome, cohort and centre columns as written (recoded where declared), None where missing.
    provenance : DataFrame of shape (n_patients, n_provenance)
        What says how radiomics features were made (`diagnostics_*`, `Image`, `Mask`).
    notes : ViewNotes
    findings : tuple of Finding
    decimal : {".", ","}
        Decimal sign of what `reserved` holds beside plain numbers, such as `<0,5%`.
    known : dict of feature to moment
        When it is known, where the study states that.
    different_settings : bool
        Whether radiomics features may have been extracted with different settings.
    """

    name: str
    kind: Kind
    table: pd.DataFrame
    reserved: pd.DataFrame
    provenance: pd.DataFrame
    notes: ViewNotes
    findings: tuple[Finding, ...]
    decimal: str = "."
    known: dict[str, Moment] = field(default_factory=dict)
    different_settings: bool = False

    def __repr__(self) -> str:
        n_patients, n_features = self.table.shape
        return f"View({self.name}: {self.kind}, {n_patients} patients, {n_features} features)"


def read_table(spec: TableSpec, *, name: str, reserve: Iterable[str] = ()) -> View:
    r"""Read one table of a study.

    Parameters
    ----------
    spec : TableSpec
        Where it lies and how it is read.
    name : str
        The table's name in the study, without a colon.
    reserve : iterable of str
        Columns the study uses as outcome, cohort or centre: kept beside the features, never among
        them, whether or not `spec.columns` lists them.

    Returns
    -------
    View

    Raises
    ------
    StudyError
        If the file, its ids, its columns or its values are not as the study declares.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "clinical.csv"
    ...     _ = path.write_text("ID,Age,Grade\nP1,61,4\nP2,unknown,2\n")
    ...     spec = TableSpec(path=path, kind="clinical", unknown=["unknown"],
    ...                      categories={"Grade": [2, 3, 4]})
    ...     view = read_table(spec, name="clinical")
    >>> view
    View(clinical: clinical, 2 patients, 2 features)
    >>> view.table["Age"].tolist(), view.table["Grade"].cat.categories[0]
    ([61.0, nan], '2')
    """
    title = f"tables.{name} ({spec.path.name})"
    if ":" in name:
        raise StudyError(f"{title}: a table's name must not hold a colon. Rename the table.")
    reserve = tuple(reserve)
    raw, spec, timepoints = _read_rows(spec, reserve=reserve, name=name, title=title)
    plan = plan_table(raw, spec, reserve=reserve, title=title)

    ids = read_ids(raw.ids, spec.id_rules, title=title)
    known = np.array([identifier is not None for identifier in ids], dtype=np.bool_)
    cells = raw.cells.set_axis(plan.names, axis=1).loc[known]
    patients = pd.Series(ids[known], index=cells.index, dtype=object)
    if spec.reduce is None:
        refuse_duplicates(patients, title=title, id_name=raw.id_name)

    # before rows of one patient become one: what differs within a patient would be gone
    compare_settings(
        {name: cells[plan.provenance]}, may_differ=[name] if spec.different_settings else []
    )
    features = read_features(cells, plan, spec, name=name, title=title)
    when = None if timepoints is None or timepoints.when is None else timepoints.when[known]
    reserved, unknown_reserved = _read_reserved(cells, plan, spec, title=title)
    frames = _reduce(
        (features.table, reserved, cells[plan.provenance]),
        patients if when is None else scan_names(patients, when),
        size=_read_size(cells, plan, spec, title=title),
        plan=plan,
        spec=spec,
        title=title,
    )
    n_merged = len(patients) - len(frames[0])
    table, moments = frames[0], plan.known
    found: tuple[Finding, ...] = ()
    if timepoints is not None:
        if when is not None:
            rows = pd.DataFrame({"patient": patients, "when": when})
            frames = spread_scans(frames, rows, timepoints.spec, title=title)
            moments = {f"{timepoints.spec.end}{BAR}{key}": at for key, at in moments.items()}
            found = lesion_findings(rows, timepoints.spec, name=name)
        table, moments, more = changes(frames[0], timepoints, known=moments, name=name, title=title)
        found = (*found, *more)
    notes = ViewNotes(
        n_rows=len(ids),
        n_without_id=int((~known).sum()),
        n_merged=n_merged,
        unknown=_counts({**features.unknown, **unknown_reserved}),
    )
    return View(
        name=name,
        kind=spec.kind,
        table=table,
        reserved=frames[1],
        provenance=frames[2],
        notes=notes,
        findings=(*raw.findings, *features.findings, *_row_findings(notes, name=name), *found),
        decimal=spec.decimal,
        known=moments,
        different_settings=spec.different_settings,
    )


def _read_rows(
    spec: TableSpec, *, reserve: tuple[str, ...], name: str, title: str
) -> tuple[RawTable, TableSpec, Timepoints | None]:
    """Read the rows that are chosen, spread where that is declared; the spec is what is left."""
    if spec.layout == "maf":
        raw = read_maf(spec, reserve=reserve, name=name, title=title)
    else:
        raw = read_raw(spec, name=name, title=title)
    if spec.sample_map is not None:
        raw = map_samples(raw, spec, name=name, title=title)
    if spec.only:
        raw = choose_rows(raw, spec, name=name, title=title)
    timepoints = None
    if spec.delta is not None:
        raw, spec, timepoints = take_timepoints(raw, spec, spec.delta, title=title)
    if spec.spread:
        raw, spec = spread_rows(raw, spec, reserve=reserve, name=name, title=title)
    return raw, spec, timepoints


def _counts(unknown: dict[str, int]) -> pd.DataFrame:
    """List the columns in which a code for "unknown" was met."""
    return pd.DataFrame(
        [(column, count) for column, count in unknown.items() if count],
        columns=["column", "count"],
    )


def _read_reserved(
    cells: pd.DataFrame, plan: TablePlan, spec: TableSpec, *, title: str
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Keep outcome, cohort and centre columns as written; recode them where that is declared."""
    unknown = Unknown.of(spec.unknown)
    columns: dict[str, pd.Series] = {}
    met: dict[str, int] = {}
    for column in plan.reserved:
        texts, met[column] = read_texts(cells[column], unknown=unknown)
        if column in plan.recode:
            texts, _ = recode_texts(texts, plan.recode[column], title=title)
            columns[column] = texts
        else:
            columns[column] = _as_written(
                cells[column], missing=texts.isna(), decimal=spec.decimal, title=title
            )
        if column in plan.categories:
            read_categories(texts, plan.categories[column], title=title)
    return pd.DataFrame(columns, index=cells.index, dtype=object), met


def _as_written(
    cells: pd.Series, *, missing: "pd.Series[bool]", decimal: str, title: str
) -> pd.Series:
    """Return the cells as they are, None where missing; declared decimal commas become points."""
    values = [
        None if absent else cell.strip() if isinstance(cell, str) else cell
        for cell, absent in zip(cells, missing, strict=True)
    ]
    kept = pd.Series(values, index=cells.index, dtype=object, name=cells.name)
    return with_points(kept, title=title) if decimal == "," else kept


def _read_size(
    cells: pd.DataFrame, plan: TablePlan, spec: TableSpec, *, title: str
) -> "pd.Series[float] | None":
    """Read the column that picks or weights the rows of a patient."""
    if plan.size is None:
        return None
    table, _ = read_numbers(
        cells[[plan.size]],
        title=title,
        decimal=spec.decimal,
        unknown=Unknown.of(spec.unknown),
        cure=lambda column: f"reduce needs numbers in {column!r}: name another column.",
    )
    return table[plan.size]


def _reduce(
    frames: tuple[pd.DataFrame, ...],
    patients: "pd.Series[str]",
    *,
    size: "pd.Series[float] | None",
    plan: TablePlan,
    spec: TableSpec,
    title: str,
) -> list[pd.DataFrame]:
    """Leave one row per patient in each frame, and index it by patient."""
    features, reserved, provenance = frames
    index = pd.Index(patients.unique(), dtype=object, name="patient")
    if spec.reduce is None:
        return [frame.set_axis(index, axis=0) for frame in frames]
    way, count = spec.reduce.way, spec.reduce.count
    if count is not None and count in features:
        raise StudyError(
            f"{title}: reduce counts rows in a new column, but {count!r} is one already. Give "
            "count another name."
        )
    reduced = reduce_lesions(
        features, patients, by=way, size=size, total=plan.total, count=count, title=title
    )
    if way in ("mean", "weighted"):
        reserved = mean_rows(reserved, patients, title=title)
        provenance = provenance.iloc[first_rows(patients)]
    else:
        rows = first_rows(patients) if size is None else largest_rows(patients, size)
        reserved, provenance = reserved.iloc[rows], provenance.iloc[rows]
    return [frame.set_axis(index, axis=0) for frame in (reduced, reserved, provenance)]


def _row_findings(notes: ViewNotes, *, name: str) -> list[Finding]:
    return row_findings(
        n_rows=notes.n_rows,
        n_without_id=notes.n_without_id,
        n_merged=notes.n_merged,
        table=name,
    )
