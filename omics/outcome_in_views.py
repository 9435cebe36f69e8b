"""Do the factors already hold the answer? The outcome, or its like, among what MOFA learns from.

A factor model never sees the outcome, but it sees its views: where one of them holds the outcome
under another name, or a measurement that all but decides it, the factors carry it, and every figure
of a model on these factors flatters. `omics.leaks` refuses exact copies when tables are joined;
here near copies are found too, and named. A column is a near copy when, with its type's measure,

- it bears the name of a column that the outcome was read from;
- two values: Cramér's V with the class or event is at least .9;
- numbers: the AUC for the class or event is at least .95, or at most .05;
- with the time of a survival outcome: Spearman's rank correlation is at least .9 in size;

and the agreement is beyond chance (p below .01 after Bonferroni over the columns), so that few
patients and many columns accuse no innocent.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from omics.columns import column_auc
from omics.errors import Finding
from omics.messages import quoted
from omics.outcome import is_survival

LEAST_V = 0.9
LEAST_AUC = 0.95
LEAST_RHO = 0.9
CHANCE = 0.01  # after Bonferroni
LEAST_TIMES = 5
COPY = 0.99  # agreement above which a column is the outcome, not a strong marker of it
COLUMNS = ["column", "what", "measure", "agreement", "limit", "n_patients"]


def outcome_likenesses(
    X: pd.DataFrame, y: NDArray[Any], *, columns: Sequence[str] = ()
) -> pd.DataFrame:
    """List the columns that are the outcome or nearly so.

    Parameters
    ----------
    X : DataFrame of shape (n_patients, n_features)
        Numbers, columns `view:feature`: what MOFA learns from, such as
        ``X[list(model.features_)]``. NaN is left out, column by column.
    y : ndarray of shape (n_patients,)
        Bool, or structured (`time`, `event`).
    columns : sequence of str
        Names of the columns that the outcome was read from, with or without their table.

    Returns
    -------
    DataFrame, one row per such column, the closest first
        `column`; `what` it agrees with (`class`, `event`, `time`, or `name`); `measure` (``Cramér's
        V``, ``AUC``, ``|rho|``; empty for a name alone); `agreement`, in [0, 1] whichever its
        direction; `limit`; `n_patients` with a value.

    Examples
    --------
    >>> y = np.repeat([True, False], 15)
    >>> X = pd.DataFrame({"flags:IGHV": 1.0 - y, "flags:age": np.arange(30) % 7.0})
    >>> outcome_likenesses(X, y)[["column", "measure", "agreement"]].values.tolist()
    [['flags:IGHV', "Cramér's V", 1.0]]
    """
    rows = list(_same_name(X, columns))
    event = y["event"] if is_survival(y) else y
    rows += _like_classes(X, event, "event" if is_survival(y) else "class")
    if is_survival(y):
        rows += _like_time(X, y["time"])
    table = pd.DataFrame(rows, columns=COLUMNS)
    closest = table.sort_values("agreement", ascending=False, kind="stable", na_position="last")
    return closest.drop_duplicates("column").reset_index(drop=True)


def outcome_in_views(
    X: pd.DataFrame, y: NDArray[Any], *, label: str, columns: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Say, view by view, where MOFA would learn from the outcome; see `outcome_likenesses`.

    Parameters
    ----------
    X : DataFrame of shape (n_patients, n_features)
    y : ndarray of shape (n_patients,)
    label : str
        Name of the outcome, for the message.
    columns : sequence of str

    Returns
    -------
    tuple of Finding
        One per view with such a column, naming the closest.
    """
    table = outcome_likenesses(X, y, columns=columns)
    view = table["column"].str.partition(":")[0] if len(table) else table["column"]
    return tuple(_finding(str(name), part, label) for name, part in table.groupby(view, sort=False))


def _finding(view: str, table: pd.DataFrame, label: str) -> Finding:
    first = table.iloc[0]
    features = [str(column).partition(":")[2] for column in table["column"]]
    copy = not first["measure"] or first["agreement"] >= COPY
    how = "bears the name of a column that it was read from"
    if first["measure"]:
        how = (
            f"agrees with its {first['what']} ({first['measure']} {first['agreement']:.2f} in "
            f"{first['n_patients']} patients; the limit is {first['limit']:g})"
        )
    more = len(features) - 1
    others = f" So do{'es' if more == 1 else ''} {more} more of this view." if more else ""
    holds = f"the outcome {label}" if copy else f"what all but decides the outcome {label}"
    unless = (
        "" if copy else ", unless they are known before the outcome and are meant to predict it"
    )
    return Finding(
        code="outcome_in_view",
        severity="serious" if copy else "caution",
        where=view,
        message=f"The view {view}, which MOFA learns from, holds {holds}: {first['column']!r} "
        f"{how}.{others} The factors then carry the answer, and models on them look better than "
        f"they are. Drop them from the view (drop = [...] in table {view!r}: {quoted(features)})"
        f"{unless}.",
    )


def _same_name(X: pd.DataFrame, columns: Sequence[str]) -> Iterator[dict[str, object]]:
    wanted = {column.rpartition(":")[2].strip().casefold() for column in columns}
    for name in map(str, X.columns):
        if name.partition(":")[2].strip().casefold() in wanted:
            yield {
                **dict.fromkeys(COLUMNS, np.nan),
                "column": name,
                "what": "name",
                "measure": "",
                "n_patients": int(X[name].notna().sum()),
            }


def _like_classes(
    X: pd.DataFrame, event: NDArray[np.bool_], what: str
) -> Iterator[dict[str, object]]:
    values = X.to_numpy(dtype=np.float64)
    auc = column_auc(values, event)
    # of two values V^2 = (2 AUC - 1) x markedness, which is at most 1: AUC >= (1 + V^2) / 2
    for position in np.flatnonzero(auc >= min(LEAST_AUC, (1 + LEAST_V**2) / 2)):
        known = ~np.isnan(values[:, position])
        x, y = values[known, position], event[known]
        found = _likeness(x, y)
        if found is None or found[1] < found[2]:
            continue
        p_value = stats.mannwhitneyu(x[y], x[~y], method="asymptotic").pvalue
        if p_value * values.shape[1] < CHANCE:
            yield _row(str(X.columns[int(position)]), what, *found, n_patients=len(x))


def _likeness(x: NDArray[np.float64], y: NDArray[np.bool_]) -> tuple[str, float, float] | None:
    """Return measure, agreement and limit; None where nothing varies."""
    distinct = np.unique(x)
    if len(distinct) < 2 or y.all() or not y.any():
        return None
    if len(distinct) == 2:
        return "Cramér's V", abs(float(np.corrcoef(x == distinct[1], y)[0, 1])), LEAST_V
    return "AUC", float(column_auc(x[:, np.newaxis], y)[0]), LEAST_AUC


def _like_time(X: pd.DataFrame, time: NDArray[np.float64]) -> Iterator[dict[str, object]]:
    values = X.to_numpy(dtype=np.float64)
    agreement = np.abs(_rank_correlations(values, time))
    enough = (~np.isnan(values)).sum(axis=0) >= LEAST_TIMES
    for position in np.flatnonzero(enough & (agreement >= LEAST_RHO)):
        known = ~np.isnan(values[:, position])
        p_value = float(stats.spearmanr(values[known, position], time[known]).pvalue)
        if p_value * X.shape[1] < CHANCE:
            column, rho = str(X.columns[int(position)]), float(agreement[position])
            yield _row(column, "time", "|rho|", rho, LEAST_RHO, n_patients=int(known.sum()))


def _rank_correlations(
    values: NDArray[np.float64], time: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Spearman's correlation of every column with `time`, over those known; 0 where none varies."""
    known = ~np.isnan(values)
    middle = (known.sum(axis=0) + 1) / 2  # the mean of n ranks, ties or not
    x, t = (
        np.where(known, pd.DataFrame(part).rank().to_numpy() - middle, 0.0)
        for part in (values, np.where(known, time[:, np.newaxis], np.nan))
    )
    size = np.sqrt(np.square(x).sum(axis=0) * np.square(t).sum(axis=0))
    nothing = np.zeros(values.shape[1])
    return np.asarray(np.divide((x * t).sum(axis=0), size, out=nothing, where=size > 0))


def _row(
    column: str, what: str, measure: str, agreement: float, limit: float, *, n_patients: int
) -> dict[str, object]:
    values = (column, what, measure, min(agreement, 1.0), limit, n_patients)
    return dict(zip(COLUMNS, values, strict=True))
