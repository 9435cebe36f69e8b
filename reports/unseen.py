"""What predictions of patients that a model has not seen are called, cohort by cohort."""

from collections.abc import Iterator

import pandas as pd

from omics.cohort import DEVELOPMENT
from reports.tables import label

UNSEEN = {"cross_validated": "out of fold", "external": "external"}


def by_cohort(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give the rows of each cohort with its name and kind, development first.

    Examples
    --------
    >>> table = pd.DataFrame({"validation": ["external", "apparent", "cross_validated"],
    ...     "cohort": ["Oslo", "development", "development"], "estimate": [0.7, 0.9, 0.8]})
    >>> [(title, part["estimate"].tolist()) for title, part in by_cohort(table)]
    [('Development (out of fold)', [0.8]), ('Oslo (external)', [0.7])]
    """
    for validation, words in UNSEEN.items():
        there = table[table["validation"] == validation]
        for cohort, part in there.groupby("cohort", sort=False):
            name = label(cohort) if cohort == DEVELOPMENT else str(cohort)
            yield f"{name} ({words})", part
