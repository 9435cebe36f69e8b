"""One row per patient out of an extraction, and how far its readers agree.

An extracted table has a row per region, sequence, timepoint and reader; what is said of patients
needs one row of each.
"""

import pandas as pd

from omics.extraction import Extraction
from omics.intraclass import Form
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


def extraction_reliability(
    extraction: Extraction, *, form: Form = "ICC(A,1)", level: float = 0.95
) -> Reliability | None:
    """Compute intraclass correlations of every feature between the readers of an extraction.

    Parameters
    ----------
    extraction : Extraction
    form : str
        As for `omics.reliability.icc`; by default absolute agreement of single readings.
    level : float
        Of the intervals.

    Returns
    -------
    Reliability or None
        Of the patients' first timepoint; features are named `sequence|region|feature`. None with
        one reader, or fewer than three patients whom every reader measured.
    """
    table, features = extraction.table, extraction.columns["name"].tolist()
    if not features or "reader" not in table or table["reader"].nunique() < 2:
        return None
    if "timepoint" in table:
        first = table.groupby("patient", sort=False)["timepoint"].transform("first")
        table = table[table["timepoint"] == first]
    readings = [
        pd.concat(patient_rows(part, features).values(), axis=1)
        for _, part in table.groupby("reader", sort=False)
    ]
    columns = list(dict.fromkeys(column for one in readings for column in one.columns))
    together = set.intersection(*(set(one.index) for one in readings))
    if len(readings) < 2 or len(together) < FEWEST:
        return None
    aligned = [one.reindex(columns=columns) for one in readings]
    return table_reliability(aligned, form=form, level=level)
