"""What ComBat asks of its parameters and of the wide table, and the words for what is wrong."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.checks import check_one_of, check_whole
from omics.errors import FitError
from omics.messages import nearest, quoted

NewCentre = Literal["refuse", "pass_through", "estimate"]
POLICIES: tuple[NewCentre, ...] = ("refuse", "pass_through", "estimate")


def check_policy(new_centre: str, least_patients: int | None) -> None:
    """Refuse a policy for new centres that is none, or not whole.

    Examples
    --------
    >>> check_policy("estimate", None)
    Traceback (most recent call last):
    ValueError: least_patients must be given for new_centre 'estimate' ...
    """
    check_one_of(new_centre, "new_centre", POLICIES)
    if (least_patients is None) == (new_centre == "estimate"):
        raise ValueError(
            "least_patients must be given for new_centre 'estimate' and for no other, but "
            f"{least_patients} came with {new_centre!r}. State how many patients of a new centre "
            "are enough, or leave it out."
        )
    if least_patients is not None:
        check_whole(least_patients, "least_patients", least=2)


def check_columns(X: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse a table without one of the columns."""
    absent = [name for name in names if name not in X.columns]
    if absent:
        raise ValueError(
            f"X must hold the columns {quoted(names)}, but lacks {absent[0]!r}. "
            f"{nearest(absent[0], map(str, X.columns))}"
        )


def harmonised_numbers(
    X: pd.DataFrame, tables: Sequence[str], *, beside: Sequence[str]
) -> list[str]:
    """Name the numbers of some tables, those read beside them aside.

    Parameters
    ----------
    X : DataFrame of shape (n_patients, n_columns)
        Columns `table:feature`.
    tables : sequence of str
    beside : sequence of str
        The centre and the covariates, which must be there and in none of the tables.

    Raises
    ------
    FitError
        If no number of a table is there, as where a filter kept none.
    ValueError
        If a column is absent, or a number is infinite.
    """
    check_columns(X, beside)
    inside = [name for name in beside if name.partition(":")[0] in tables]
    if inside:
        raise ValueError(
            f"covariates must not stand in a table that is harmonised, but {inside[0]!r} does. "
            "Take it out of covariates, or its table out of tables."
        )
    numbers = X.select_dtypes("number").columns
    found = [str(name) for name in numbers if str(name).partition(":")[0] in tables]
    for table in tables:
        if not any(name.startswith(f"{table}:") for name in found):
            views = dict.fromkeys(str(name).partition(":")[0] for name in X.columns)
            raise FitError(
                f"tables must name tables of numbers, but X has no number of {table!r}. "
                f"{nearest(table, views)}"
            )
    check_finite_numbers(X, found)
    return found


def check_finite_numbers(X: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse text and infinite values in columns that are harmonised; NaN may stand there."""
    text = [name for name in names if not pd.api.types.is_numeric_dtype(X[name])]
    if text:
        raise ValueError(
            f"X must hold numbers, but {len(text)} of {len(names)} columns do not (first: "
            f"{text[0]!r})."
        )
    infinite = np.isinf(X[list(names)].to_numpy(dtype=np.float64)).any(axis=0)
    if infinite.any():
        raise ValueError(
            f"X must hold finite numbers, but {infinite.sum()} of {len(names)} columns hold "
            f"infinite ones (first: {names[int(infinite.argmax())]!r}). Correct them, or make them "
            "missing."
        )


def known_centres(centre: pd.Series) -> NDArray[np.object_]:
    """Write each training patient's centre; it must be known."""
    unknown = int(centre.isna().sum())
    if unknown:
        raise ValueError(
            f"the centre must be known of every patient with values, but {unknown} of "
            f"{len(centre)} have none in {str(centre.name)!r}. Fill it in, or leave them out."
        )
    return np.array([str(name) for name in centre], dtype=object)
