"""Some rows of a table alone: one reader, one timepoint, one sequence of those a file holds."""

from dataclasses import replace

import numpy as np

from omics.errors import Finding, StudyError
from omics.messages import counted, nearest
from omics.reading import RawTable
from omics.table_spec import TableSpec
from omics.values import written


def choose_rows(raw: RawTable, spec: TableSpec, *, name: str, title: str) -> RawTable:
    """Keep the rows that `only` asks for; the columns that told them apart go.

    Parameters
    ----------
    raw : RawTable
    spec : TableSpec
    name, title : str
        The table's name in the study, and how messages name it.

    Returns
    -------
    RawTable
        With a finding that counts the rows left out.

    Raises
    ------
    StudyError
        If a column is not there, or no row holds a value that is asked for.
    """
    kept = np.ones(len(raw.ids), dtype=np.bool_)
    columns = [str(column) for column in raw.cells.columns]
    for column, wanted in spec.only.items():
        if column not in columns:
            raise StudyError(
                f"{title}: only names column {column!r}, but the table has none of that name among "
                f"its {len(columns)} columns. {nearest(column, columns)}"
            )
        values = raw.cells[column].map(written)
        for value in map(written, wanted):
            if value not in set(values):
                raise StudyError(
                    f"{title}: only asks for {value!r} in column {column!r}, but no row holds it. "
                    f"The column holds {counted(values)}."
                )
        kept &= values.isin([written(value) for value in wanted]).to_numpy()
    if not kept.any():
        raise StudyError(
            f"{title}: only leaves none of {len(kept)} rows: no row holds what is asked for in "
            f"all of {list(spec.only)}. Ask for less."
        )
    finding = Finding(
        code="rows_left_out",
        severity="note",
        where=name,
        message=f"{int((~kept).sum())} of {len(kept)} rows of table {name!r} were left out, as "
        "only declares.",
    )
    return replace(
        raw,
        cells=raw.cells.loc[kept].drop(columns=list(spec.only)),
        ids=raw.ids[kept],
        dropped=(*raw.dropped, *spec.only),
        findings=(*raw.findings, *([] if kept.all() else [finding])),
    )
