"""A long table, one row per patient, sequence and region, becomes one row per patient.

The values of the declared columns come to stand before the name of each feature, in the order of
the declaration: `T1c|core|original_firstorder_Mean`.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.errors import Finding, StudyError
from omics.messages import nearest, quoted
from omics.patients import read_ids
from omics.radiomics_names import REGION_VOLUME
from omics.reading import RawTable
from omics.table_spec import TableSpec
from omics.values import Unknown, read_texts, recode_texts

BAR = "|"


def spread_rows(
    raw: RawTable, spec: TableSpec, *, reserve: Iterable[str], name: str, title: str
) -> tuple[RawTable, TableSpec]:
    """Spread the rows of each patient to columns.

    Parameters
    ----------
    raw : RawTable
    spec : TableSpec
        With `spread`. Its options may name a feature as the file does, which means that feature of
        every sequence and region, or as it is called here.
    reserve : iterable of str
        Outcome, cohort and centre columns: kept as one value per patient, which its rows share.
    name, title : str
        The table's name in the study, and how messages name it.

    Returns
    -------
    raw : RawTable
        One row per patient, and one for each row without an id.
    spec : TableSpec
        The options under the new names.

    Raises
    ------
    StudyError
        If a column to spread by is not there or empty in some row, a patient has several rows of
        one combination, or rows of one patient differ in a reserved column.
    """
    columns = [str(column) for column in raw.cells.columns]
    for column in spec.spread:
        if column not in columns:
            raise StudyError(
                f"{title}: spread names column {column!r}, but the table has none of that name "
                f"among its {len(columns)} columns. {nearest(column, columns)}"
            )
    kept = [column for column in dict.fromkeys(reserve) if column in columns]
    features = [c for c in columns if c not in {*spec.spread, *spec.drop, *kept}]
    ids = read_ids(raw.ids, spec.id_rules, title=title)
    known = np.array([identifier is not None for identifier in ids], dtype=np.bool_)
    prefixes = _prefixes(raw.cells, spec, title=title)
    _refuse_repeated(ids[known], prefixes[known], raw.cells.loc[known], spec, title=title)

    ids = np.array(
        [f"\0{row}" if identifier is None else identifier for row, identifier in enumerate(ids)],
        dtype=object,
    )
    patient, patients = pd.factorize(ids)
    place, combinations = pd.factorize(prefixes)
    cells = np.full((len(patients), len(combinations), len(features)), None, dtype=object)
    cells[patient, place] = raw.cells[features].to_numpy(dtype=object)
    wide = pd.DataFrame(
        cells.reshape(len(patients), -1),
        index=places_of(raw.cells.index, patient),
        columns=[f"{combination}{BAR}{f}" for combination in combinations for f in features],
    )
    for column in kept:
        wide[column] = shared_values(raw.cells[column], patient, title=title)
    first = np.unique(patient, return_index=True)[1]
    findings = _findings(prefixes[known], len(np.unique(patient[known])), name=name)
    spread = RawTable(
        cells=wide,
        ids=raw.ids[first],
        id_name=raw.id_name,
        findings=(*raw.findings, *findings),
    )
    left = [column for column in spec.drop if column not in columns]
    rewritten = _renamed(spec, [str(c) for c in combinations], features)
    return spread, rewritten.model_copy(update={"drop": left})


def _prefixes(cells: pd.DataFrame, spec: TableSpec, *, title: str) -> NDArray[np.object_]:
    """Return what stands before the features of each row."""
    parts = []
    for column in spec.spread:
        texts, _ = read_texts(cells[column], unknown=Unknown.of(spec.unknown))
        if column in spec.recode:
            texts, _ = recode_texts(texts, spec.recode[column], title=title)
        absent = texts.isna()
        if absent.any():
            raise StudyError(
                f"{title}: every row must say its {column!r}, a column of spread, but "
                f"{absent.sum()} of {len(texts)} do not "
                f"(first: {texts.index[int(absent.argmax())]}). "
                "Fill it in, or remove the rows."
            )
        parts.append([str(text) for text in texts])
    rows = list(zip(*parts, strict=True))
    names: dict[str, tuple[str, ...]] = {}
    for row in rows:
        if names.setdefault(BAR.join(row), row) != row:
            raise StudyError(
                f"{title}: the values of {quoted(spec.spread)} must tell rows apart, but two "
                f"combinations are both called {BAR.join(row)!r}. Take the bars out of them."
            )
    return np.array([BAR.join(row) for row in rows], dtype=object)


def _refuse_repeated(
    ids: NDArray[np.object_],
    prefixes: NDArray[np.object_],
    cells: pd.DataFrame,
    spec: TableSpec,
    *,
    title: str,
) -> None:
    keys = pd.DataFrame({"id": ids, "prefix": prefixes})
    several = keys[keys.duplicated(keep=False)]
    if several.empty:
        return
    first = several.iloc[0]
    same = [str(cells.index[place]) for place in several.index[(several == first).all(axis=1)]]
    raise StudyError(
        f"{title}: every patient must have one row for each combination of "
        f"{quoted(spec.spread)}, but {len(several.drop_duplicates())} have several "
        f"({len(several)} rows of {several['id'].nunique()} patients; first: {first['id']!r}, "
        f"{first['prefix']!r} in {', '.join(same[:5])}). "
        f"{_what_tells_apart(cells.iloc[several.index], several, spec)}"
    )


def _what_tells_apart(cells: pd.DataFrame, keys: pd.DataFrame, spec: TableSpec) -> str:
    """Name the cure: rows of a second reader or of a later scan are no further features."""
    groups = [keys["id"].to_numpy(), keys["prefix"].to_numpy()]
    differ = [
        column
        for column in ("reader", "timepoint")
        if column in cells and (cells[column].groupby(groups).nunique() > 1).all()
    ]
    if REGION_VOLUME not in cells or not differ:
        return "Correct the file, or add the column that tells them apart to spread."
    values = {column: str(cells[column].iloc[0]) for column in differ}
    only = ", ".join(f'{column} = ["{value}"]' for column, value in values.items())
    cure = f"They differ in {quoted(differ)}: take some by only = {{ {only} }}"
    if "reader" in differ:
        cure += "; the other reader belongs to readers of [repeatability.<table>], by only too"
    if "timepoint" in differ:
        cure += "; a change between two timepoints is delta"
    return f"{cure}."


def places_of(rows: pd.Index, patient: NDArray[np.intp]) -> list[str]:
    """Say where the rows of each patient stand; `patient` counts them from 0."""
    grouped = pd.Series(rows.astype(str)).groupby(patient)
    return [
        place[0] if len(place) == 1 else f"one of {place[0]} to {place[-1]}"
        for place in grouped.agg(list)
    ]


def shared_values(cells: pd.Series, patient: NDArray[np.intp], *, title: str) -> list[Any]:
    """Return the one value of each patient.

    Parameters
    ----------
    cells : Series of shape (n_rows,)
    patient : ndarray of int, of shape (n_rows,)
        Number of each row's patient, from 0.
    title : str
        How messages name the table.

    Raises
    ------
    StudyError
        If rows of one patient differ.
    """
    texts, _ = read_texts(cells, unknown=Unknown.of(()))
    values = texts.groupby(patient)
    differ = values.nunique() > 1
    if differ.any():
        found = sorted(set(texts[patient == differ.idxmax()].dropna()))
        raise StudyError(
            f"{title}: rows of one patient must agree in column {cells.name!r}, which the study "
            f"uses as outcome, cohort or centre, but those of {differ.sum()} patients do not "
            f"(first: {quoted(found)}). Correct the file."
        )
    return list(values.first())


def _findings(prefixes: NDArray[np.object_], n_patients: int, *, name: str) -> tuple[Finding, ...]:
    """Say how many patients have each combination, and which seem to be one under two spellings."""
    counts = pd.Series(prefixes).value_counts(sort=False)
    listed = ", ".join(f"{prefix} ({count})" for prefix, count in counts.items())
    found = [
        Finding(
            code="rows_spread",
            severity="note",
            where=name,
            message=f"{len(prefixes)} rows of table {name!r} were spread to one row for each of "
            f"{n_patients} patients; patients with each combination: {listed}.",
        )
    ]
    alike = pd.Series(counts.index, dtype=object).groupby(counts.index.str.casefold()).agg(list)
    found += [
        Finding(
            code="spread_spelling",
            severity="serious",
            where=name,
            message=f"{quoted(spellings)} of table {name!r} differ in upper and lower case only: "
            "are they one? Recode the column, or their features stay apart.",
        )
        for spellings in alike[alike.str.len() > 1]
    ]
    return tuple(found)


def _renamed(spec: TableSpec, prefixes: list[str], features: list[str]) -> TableSpec:
    """Put the options under the names of the spread features."""
    known = {*features, *(spec.rename[c] for c in features if c in spec.rename)}

    def wide(column: str) -> list[str]:
        return [f"{p}{BAR}{column}" for p in prefixes] if column in known else [column]

    def entries(options: dict[str, Any]) -> dict[str, Any]:
        taken = {c: option for c, option in options.items() if c not in spec.spread}
        return {new: option for c, option in taken.items() for new in wide(c)}

    columns = spec.columns
    return spec.model_copy(
        update={
            "spread": [],
            "columns": None if columns is None else [new for c in columns for new in wide(c)],
            "rename": {
                old: f"{old.removesuffix(c)}{name}" if c in known else name
                for c, name in spec.rename.items()
                for old in wide(c)
            },
            "recode": entries(spec.recode),
            "categories": entries(spec.categories),
            "transform": entries(spec.transform),
            "unit": entries(spec.unit),
        }
    )
