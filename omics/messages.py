"""The small phrases of every message: values quoted and counted, the nearest known name."""

from collections.abc import Hashable, Iterable
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MAY_NOT_BE_READ = (
    "may not be read: the right to read it, or to open its folder, is lacking. Ask for it."
)


def quoted(values: Iterable[object], *, limit: int = 5) -> str:
    """Quote the first few values and count the rest.

    Examples
    --------
    >>> quoted(["a", "b", "c"], limit=2)
    "'a', 'b' and 1 more"
    """
    return some_of((repr(str(value)) for value in values), limit=limit)


def some_of(items: Iterable[str], *, limit: int = 5) -> str:
    """Name the first few and count the rest.

    Examples
    --------
    >>> some_of(["Age (P = 0.01)", "KPS (P = 0.02)", "Sex (P = 0.04)"], limit=2)
    'Age (P = 0.01), KPS (P = 0.02) and 1 more'
    """
    known = list(items)
    rest = f" and {len(known) - limit} more" if len(known) > limit else ""
    return ", ".join(known[:limit]) + rest


def number_of(n: int, noun: str, plural: str | None = None) -> str:
    """Write a number with its noun; the plural has an s where it is not given.

    Examples
    --------
    >>> number_of(1, "parameter"), number_of(3, "parameter")
    ('1 parameter', '3 parameters')
    """
    return f"{n} {noun}" if n == 1 else f"{n} {plural or f'{noun}s'}"


def counted(values: Iterable[Hashable], *, limit: int = 5) -> str:
    """Quote the commonest values, each with its count.

    Examples
    --------
    >>> counted(["wt", "mutant", "wt"])
    "'wt' (2), 'mutant' (1)"
    """
    counts = pd.Series(list(values), dtype=object).value_counts()
    return some_of((f"{str(value)!r} ({count})" for value, count in counts.items()), limit=limit)


def nearest(name: str, known: Iterable[str]) -> str:
    """Name what the author probably meant, or what there is.

    Parameters
    ----------
    name : str
        What was asked for.
    known : iterable of str
        What exists.

    Returns
    -------
    str
        A full sentence.

    Examples
    --------
    >>> nearest("age", ["Age", "Sex"])
    "Did you mean 'Age'?"
    >>> nearest("KPS", ["Age", "Sex"])
    "There are: 'Age', 'Sex'."
    """
    names = [str(item) for item in known]
    folded: dict[str, str] = {}
    for item in names:
        folded.setdefault(item.strip().casefold(), item)
    close = get_close_matches(str(name).strip().casefold(), list(folded), n=3, cutoff=0.6)
    if close:
        return "Did you mean " + " or ".join(repr(folded[item]) for item in close) + "?"
    return f"There are: {quoted(names, limit=10)}." if names else "There are none."


def first_offender(
    table: pd.DataFrame, wrong: NDArray[np.bool_]
) -> tuple[str, int, Any, str, list[str]]:
    """Find the first column with a wrong value, and the first wrong value in it.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_columns)
        Its index says where each row stands, such as `row 7`.
    wrong : ndarray of bool, of the same shape
        True where the value is refused.

    Returns
    -------
    column : str
    count : int
        Wrong values in that column.
    value : object
        The first of them.
    place : str
        Where it stands.
    others : list of str
        Further columns with wrong values.
    """
    columns = np.flatnonzero(wrong.any(axis=0))
    first = int(columns[0])
    row = int(wrong[:, first].argmax())
    others = [str(table.columns[position]) for position in columns[1:]]
    return (
        str(table.columns[first]),
        int(wrong[:, first].sum()),
        table.iloc[row, first],
        str(table.index[row]),
        others,
    )


def also(others: list[str]) -> str:
    """Add the further columns with the same fault, or nothing."""
    if not others:
        return ""
    return f" The same holds for {quoted(others)}."
