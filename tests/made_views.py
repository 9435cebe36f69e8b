"""Views made by hand, as `read_table` would give them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from omics.errors import Finding
from omics.table_spec import Kind
from omics.tables import View, ViewNotes


def made_view(
    name: str,
    patients: Sequence[str],
    *,
    features: dict[str, object] | None = None,
    reserved: dict[str, object] | None = None,
    kind: Kind = "features",
    findings: tuple[Finding, ...] = (),
) -> View:
    """Return a view of the given patients; by default with one feature, their number."""
    index = pd.Index(patients, name="patient", dtype=object)
    if features is None:
        features = {"number": np.arange(len(patients), dtype=np.float64)}
    raw = {
        column: pd.Series(values, index=index, dtype=object)
        for column, values in (reserved or {}).items()
    }
    return View(
        name=name,
        kind=kind,
        table=pd.DataFrame(features, index=index),
        reserved=pd.DataFrame(raw, index=index),
        provenance=pd.DataFrame(index=index),
        notes=ViewNotes(
            n_rows=len(patients),
            n_without_id=0,
            n_merged=0,
            unknown=pd.DataFrame({"column": [], "count": []}),
        ),
        findings=findings,
    )


def ids(n_patients: int, start: str = "P") -> list[str]:
    """Return ids P000, P001, ..."""
    return [f"{start}{number:03d}" for number in range(n_patients)]
