"""Who the patients are: the description of each cohort, or of each group, that opens a report.

A column is described, its differences between the groups are measured (`models.balance`), and
tested only where asked (`models.group_tests`): a p value in table one describes no patient.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from models.balance import Balance, standardised_differences
from models.group_tests import group_tests
from omics.cohort import DEVELOPMENT, Cohort
from omics.messages import nearest

BY_COHORT = "cohort"
BY_CENTRE = "centre"
Tests = Literal[False, "rank", "welch"]


@dataclass(frozen=True, eq=False, kw_only=True)
class TableOne:
    """Patients described by group.

    Attributes
    ----------
    table : DataFrame, one row per column, level and group
        `column`, `level` (NaN for a number), `group`, `n_known`, `n_missing`, then for numbers
        `mean`, `sd`, `median`, `q1`, `q3`, `minimum`, `maximum`, and for levels `count` and `share`
        (of the known, in [0, 1]).
    by : str
        `cohort`, `centre` or the column that tells the groups apart.
    balance : Balance or None
        Standardised differences between the groups; None if not asked for, or of one group.
    tests : DataFrame or None
        As `group_tests`; None likewise.
    n_patients : int
        Described.
    n_unknown : int
        Patients left out, since their group is not known.
    """

    table: pd.DataFrame
    by: str
    balance: Balance | None
    tests: pd.DataFrame | None
    n_patients: int
    n_unknown: int

    def __repr__(self) -> str:
        size, groups = self.table["column"].nunique(), self.table["group"].nunique()
        return f"TableOne({size} columns, {groups} groups, {self.n_patients} patients)"


@dataclass(frozen=True, kw_only=True)
class TableOneAsked:
    """What a study asks of its table one.

    Attributes
    ----------
    columns : sequence of str, optional
        By default the clinical and pathology ones.
    by : str
        As in `table_one`.
    differences : bool
    tests : False, "rank" or "welch"
    """

    columns: Sequence[str] | None = None
    by: str = BY_COHORT
    differences: bool = True
    tests: Tests = False


def table_one(
    cohort: Cohort,
    columns: Sequence[str],
    *,
    by: str = BY_COHORT,
    differences: bool = True,
    tests: Tests = False,
) -> TableOne:
    """Describe each column in every group of patients.

    Parameters
    ----------
    cohort : Cohort
    columns : sequence of str
        Columns of the wide table, such as `clinical:Age`; `by` itself is not described.
    by : str
        `cohort`: the development and every external cohort. `centre`, or a category of the wide
        table such as `clinical:treatment`: the development patients by centre or level.
    differences : bool
        Whether to give standardised differences between the groups.
    tests : False, "rank" or "welch"
        Whether to test them, and how numbers are (`models.group_tests`).

    Returns
    -------
    TableOne

    Raises
    ------
    ValueError
        If `by` is no category of the cohort.
    """
    group = description_groups(cohort, by)
    X = cohort.X.loc[group.index, [column for column in columns if column != by]]
    rows = []
    for column in X.columns:
        for label in group.cat.categories:
            values = X.loc[(group == label).to_numpy(), column]
            common = {
                "column": column,
                "group": label,
                "n_known": int(values.notna().sum()),
                "n_missing": int(values.isna().sum()),
            }
            summary = _levels(values) if values.dtype == "category" else [_number(values)]
            rows += [common | part for part in summary]
    several = len(group.cat.categories) > 1
    return TableOne(
        table=pd.DataFrame(rows, columns=_TABLE_ONE),
        by=by,
        balance=standardised_differences(X, group) if differences and several else None,
        tests=group_tests(X, group, numbers=tests) if tests and several else None,
        n_patients=int(group.notna().sum()),
        n_unknown=int(group.isna().sum()),
    )


_TABLE_ONE = [
    *("column", "level", "group", "n_known", "n_missing"),
    *("mean", "sd", "median", "q1", "q3", "minimum", "maximum", "count", "share"),
]


def description_groups(cohort: Cohort, by: str) -> "pd.Series[str]":
    """Say to which group of table one each patient belongs; see `table_one`.

    Returns
    -------
    Series of shape (n_patients,), Categorical
        Its categories are the groups that have patients; missing where a patient's is unknown.
    """
    if by == BY_COHORT:
        names = [DEVELOPMENT, *cohort.external]
        return pd.Series(pd.Categorical(cohort.group, categories=names), cohort.group.index)
    here = cohort.group == DEVELOPMENT
    if by == BY_CENTRE and cohort.centre is not None:
        return cohort.centre[here].astype("category").cat.remove_unused_categories()
    if by not in cohort.X.columns:
        known = [BY_COHORT, *([BY_CENTRE] if cohort.centre is not None else [])]
        known += [str(column) for column in cohort.X.columns]
        raise ValueError(
            f"by must be 'cohort', 'centre' where the study has one, or a column, but {by!r} came. "
            f"{nearest(by, known)}"
        )
    if not isinstance(cohort.X[by].dtype, pd.CategoricalDtype):
        raise ValueError(
            f"by must be a category, but {by!r} is a number. Declare its levels in its table."
        )
    return cohort.X.loc[here, by].cat.remove_unused_categories()


def _number(values: pd.Series) -> dict[str, float]:
    known = values.dropna().to_numpy(dtype=np.float64)
    if not len(known):
        return {}
    q1, median, q3 = np.quantile(known, [0.25, 0.5, 0.75])
    return {
        "mean": float(known.mean()),
        "sd": float(known.std(ddof=1)) if len(known) > 1 else np.nan,
        "median": float(median),
        "q1": float(q1),
        "q3": float(q3),
        "minimum": float(known.min()),
        "maximum": float(known.max()),
    }


def _levels(values: pd.Series) -> list[dict[str, float | str]]:
    known = int(values.notna().sum())
    counts = values.value_counts(sort=False)
    return [
        {
            "level": str(level),
            "count": int(counts[level]),
            "share": counts[level] / known if known else np.nan,
        }
        for level in values.cat.categories
    ]
