"""One row per patient: ids made comparable, several rows of one patient refused or reduced."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.errors import StudyError
from omics.messages import quoted
from omics.table_spec import IdRules
from omics.values import is_blank, whole, written


def read_ids(cells: NDArray[np.object_], rules: IdRules, *, title: str) -> NDArray[np.object_]:
    """Make the ids of a table comparable.

    Parameters
    ----------
    cells : ndarray of object, of shape (n_rows,)
        The id column as written; 12.0, number or text, becomes `12`.
    rules : IdRules
    title : str
        How messages name the table.

    Returns
    -------
    ndarray of object, of shape (n_rows,)
        Text, or None where the row has no id.

    Raises
    ------
    StudyError
        If the regular expression of the rules does not match an id, or no row has an id.
    """
    blank = is_blank(cells)
    ids = np.full(len(cells), None, dtype=object)
    for row in np.flatnonzero(~blank):
        value = cells[row]
        ids[row] = rules.apply(whole(value) if isinstance(value, str) else written(value))
    unmatched = ~blank & (ids == None)  # noqa: E711 - element by element
    if unmatched.any():
        raise StudyError(
            f"{title}: every id must match the regex of id_rules, but {unmatched.sum()} of "
            f"{(~blank).sum()} do not ({quoted(cells[unmatched], limit=3)}). Correct the regex "
            f"{rules.regex!r}."
        )
    ids[[identifier is not None and not identifier.strip() for identifier in ids]] = None
    if all(identifier is None for identifier in ids):
        raise StudyError(f"{title}: no row has an id. Name the column of ids: id.")
    return ids


def refuse_duplicates(ids: "pd.Series[str]", *, title: str, id_name: str) -> None:
    """Raise unless every patient has one row.

    Parameters
    ----------
    ids : Series of str
        The index says where each row stands.
    title, id_name : str
        How messages name the table and its id column.

    Raises
    ------
    StudyError
        With the first ids, how many there are, and the rows of the first.
    """
    several = ids[ids.duplicated(keep=False)]
    if several.empty:
        return
    repeated = several.unique()
    rows = several.index[several == repeated[0]]
    raise StudyError(
        f"{title}: every patient must have one row, but {len(repeated)} "
        f"{'has' if len(repeated) == 1 else 'have'} several in column {id_name!r} "
        f"({len(several)} rows; {quoted(repeated)}; {repeated[0]!r} stands in "
        f"{', '.join(rows[:5])}). Correct the file, or state how to reduce them: "
        'reduce = "first", "mean" or { largest = "column" }.'
    )


def first_rows(ids: "pd.Series[str]") -> NDArray[np.intp]:
    """Return the position of each patient's first row."""
    return np.flatnonzero(~ids.duplicated().to_numpy())


def largest_rows(ids: "pd.Series[str]", size: "pd.Series[float]") -> NDArray[np.intp]:
    """Return the position of each patient's row with the largest `size`; at ties the first.

    A missing size counts as the smallest.
    """
    order = np.argsort(-size.fillna(-np.inf).to_numpy(), kind="stable")
    best = order[~ids.iloc[order].duplicated().to_numpy()]
    seen = {identifier: place for place, identifier in enumerate(ids.unique())}
    return best[np.argsort([seen[identifier] for identifier in ids.iloc[best]], kind="stable")]


def mean_rows(table: pd.DataFrame, ids: "pd.Series[str]", *, title: str) -> pd.DataFrame:
    """Average each patient's rows, missing values aside; categories and text must agree.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
    ids : Series of str, of shape (n_rows,)
    title : str
        How messages name the table.

    Returns
    -------
    DataFrame of shape (n_patients, n_columns)
        Indexed by id, in the order of each patient's first row.

    Raises
    ------
    StudyError
        If the rows of one patient hold different categories or texts.
    """
    patients = pd.Index(ids.unique())
    numbers = [column for column in table if pd.api.types.is_float_dtype(table[column])]
    grouped = table.groupby(ids.to_numpy(), sort=False)
    parts = [grouped[numbers].mean()] if numbers else []
    for column in table.columns.difference(numbers, sort=False):
        differ = grouped[column].nunique() > 1
        if differ.any():
            raise StudyError(
                f"{title}: reduce by a mean needs rows of one patient that agree where they are "
                f"not numbers, but in column {column!r} {differ.sum()} patients have different "
                f"values ({quoted(differ.index[differ], limit=3)}). Use reduce = "
                '"first" or { largest = "column" }.'
            )
        parts.append(grouped[column].first().to_frame())
    if not parts:
        return pd.DataFrame(index=patients)
    return pd.concat(parts, axis=1).reindex(index=patients, columns=table.columns)
