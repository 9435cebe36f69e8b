"""Folds inside the patients of one fit: by patient, with as equal counts of events as possible."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.errors import FitError


def patient_numbers(X: Any, n_rows: int) -> NDArray[np.intp]:
    """Return each row's patient number: rows with one index label are one patient.

    Examples
    --------
    >>> patient_numbers(pd.DataFrame({"a": [1, 2, 3]}, index=["P2", "P1", "P2"]), 3).tolist()
    [1, 0, 1]
    """
    if not isinstance(X, pd.DataFrame):
        return np.arange(n_rows)
    return np.asarray(pd.factorize(X.index.astype(str), sort=True)[0], dtype=np.intp)


def deal_folds(
    patient: NDArray[np.intp],
    event: NDArray[np.bool_],
    *,
    folds: int,
    seed: int,
    binary: bool,
    name: str,
) -> NDArray[np.intp]:
    """Deal patients with and without the event round the folds; copies follow their patient.

    Parameters
    ----------
    patient : ndarray of int, shape (n_rows,)
        As `patient_numbers` gives them; the order of rows plays no part.
    event : ndarray of bool, shape (n_rows,)
    folds, seed : int
    binary : bool
        True if every fold needs a patient without the event too.
    name : str
        Of the argument that asked for so many folds.

    Returns
    -------
    ndarray of int, shape (n_rows,)
        Fold of each row, from 0.

    Raises
    ------
    FitError
        If a fold would be left without an event, or (binary) without a patient free of it.

    Examples
    --------
    >>> event = np.array([True, False, True, False])
    >>> fold = deal_folds(np.arange(4), event, folds=2, seed=0, binary=True, name="folds")
    >>> sorted(fold[event].tolist()), sorted(fold[~event].tolist())
    ([0, 1], [0, 1])
    """
    _, first, member = np.unique(patient, return_index=True, return_inverse=True)
    rng = np.random.default_rng(seed)
    fold = np.empty(len(first), dtype=np.intp)
    dealt = 0
    for observed, words in ((True, "with the event"), (False, "without the event")):
        those = np.flatnonzero(event[first] == observed)
        if len(those) < folds and (observed or binary):
            raise FitError(
                f"{name} must not exceed the patients {words}, but {folds} folds were asked for "
                f"and {len(those)} of {len(first)} patients are {words}. Ask for fewer "
                f"{name.replace('_', ' ')}, or fit a regression with few terms."
            )
        fold[rng.permutation(those)] = (dealt + np.arange(len(those))) % folds
        dealt += len(those)
    return fold[member]
