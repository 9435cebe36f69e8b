"""One row per patient out of an extraction, and how far its readers agree.

An extracted table has a row per region, sequence, timepoint and reader; what is said of patients
needs one row of each.
"""

import pandas as pd

from omics.extraction import Extraction
from omics.reliability import Reliability, table_reliability

FEWEST = 3  # patients whom every reader measured


def patient_rows(table: pd.DataFrame, features: list[str]) -> dict[str, pd.DataFrame]:
    """Return the features of each sequence and region, one row per patient.

    Parameters
    ----------
    table : DataFrame
        As `Extraction.table`.
    features : list of str
        Columns of it.

    Returns
    -------
    dict of `sequence|region|` to DataFrame, indexed by patient
        Columns have the key in front. Where a patient has several rows (readers, timepoints), the
        first is taken: the others are no further patients.

    Examples
    --------
    >>> table = pd.DataFrame({"patient": ["a", "a", "b"], "region": ["1", "1", "1"],
    ...                       "reader": ["A", "B", "A"], "Mean": [1.0, 5.0, 2.0]})
    >>> patient_rows(table, ["Mean"])["1|"]
             1|Mean
    patient
    a           1.0
    b           2.0
    """
    keys = [key for key in ("sequence", "region") if key in table]
    parts = {}
    for key, part in table.groupby(keys, sort=False):
        prefix = "".join(f"{text}|" for text in key if text)
        rows = part.drop_duplicates("patient").set_index("patient")
        parts[prefix] = rows[features].add_prefix(prefix)
    return parts


def extraction_reliability(extraction: Extraction, *, level: float = 0.95) -> Reliability | None:
    """Compute intraclass correlations of every feature between the readers of an extraction.

    Without a second reader the readings are those of the masks as drawn and of their changed
    copies, if there are any.

    Parameters
    ----------
    extraction : Extraction
    level : float
        Of the intervals.

    Returns
    -------
    Reliability or None
        Of the patients' first timepoint; features are named `sequence|region|feature`. Between
        readers ICC(A,1); among copies, which have no reader in common, ICC(1). Readers who measured
        the fewest patients are left out until the others share three. None where no two do.
    """
    features = extraction.columns["name"].tolist()
    several = _n_readers(extraction) > 1
    if not features or not (several or extraction.perturbed):
        return None
    readings = [
        pd.concat(patient_rows(part, features).values(), axis=1)
        for part in (_readers(extraction) if several else _copies(extraction))
        if len(part)
    ]
    while len(readings) > 2 and _n_together(readings) < FEWEST:
        readings.pop(min(range(len(readings)), key=lambda at: len(readings[at])))
    if len(readings) < 2 or _n_together(readings) < FEWEST:
        return None
    columns = list(dict.fromkeys(column for one in readings for column in one.columns))
    aligned = [one.reindex(columns=columns) for one in readings]
    return table_reliability(aligned, form="ICC(A,1)" if several else "ICC(1)", level=level)


def _n_readers(extraction: Extraction) -> int:
    return extraction.table["reader"].nunique() if "reader" in extraction.table else 1


def _readers(extraction: Extraction) -> list[pd.DataFrame]:
    table = _first_timepoint(extraction.table)
    return [part for _, part in table.groupby("reader", sort=False)]


def _copies(extraction: Extraction) -> list[pd.DataFrame]:
    return [_first_timepoint(table) for table in (extraction.table, *extraction.perturbed)]


def _first_timepoint(table: pd.DataFrame) -> pd.DataFrame:
    if "timepoint" not in table:
        return table
    first = table.groupby("patient", sort=False)["timepoint"].transform("first")
    return table[table["timepoint"] == first]


def _n_together(readings: list[pd.DataFrame]) -> int:
    return len(set.intersection(*(set(one.index) for one in readings)))
