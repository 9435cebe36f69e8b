"""Does one predictor act differently depending on another? Products of their columns in the design.

The interaction of two predictors is every column of the one times every column of the other, named
and ordered as R's rms does for `a * b`: a spline and a category give one product per spline column
and level (`clinical:Age' * clinical:Sex=male`), two splines the full product of their columns (not
the restricted product `%ia%`).

References
----------
Harrell FE. Regression Modeling Strategies, 2nd ed. Springer 2015, sections 2.3 and 2.7.
doi:10.1007/978-3-319-19425-7
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.terms import Term
from omics.errors import FitError
from omics.messages import nearest

Floats = NDArray[np.float64]
Pair = tuple[str, str]

TIMES = " * "


@dataclass(frozen=True, kw_only=True)
class Interaction:
    """Two predictors that interact, as the design matrix holds them.

    Attributes
    ----------
    name : str
        `<first> * <second>`.
    predictors : pair of str
    columns : tuple of str
        Its columns in the design matrix.
    factors : tuple of pair of str
        Of each column, the two columns of the design matrix that it is the product of.
    ranges : tuple of pair of float
        Of a number and a category: smallest and largest number seen in each level, in the order of
        the levels (NaN where none is known); otherwise empty.
    typical : pair of tuple of float
        Of each predictor that is a number with more than 10 distinct values its 10th, 50th and 90th
        centile, rounded to two digits of their distance; otherwise empty.
    """

    name: str
    predictors: Pair
    columns: tuple[str, ...]
    factors: tuple[Pair, ...]
    ranges: tuple[tuple[float, float], ...] = ()
    typical: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())

    def expand(self, columns: Mapping[str, Floats]) -> Floats:
        """Multiply out.

        Parameters
        ----------
        columns : mapping of design column to ndarray of shape (n_patients,)

        Returns
        -------
        ndarray of shape (n_patients, n_columns)
            NaN where one of the two is.
        """
        return np.column_stack([columns[one] * columns[other] for one, other in self.factors])


def check_interactions(pairs: Iterable[Sequence[str]], names: Sequence[str]) -> list[Pair]:
    """Return `pairs` as pairs of two different names out of `names`, none of them twice.

    Examples
    --------
    >>> check_interactions([["clinical:Age", "clinical:Sex"]], ["clinical:Age", "clinical:Sex"])
    [('clinical:Age', 'clinical:Sex')]
    """
    if isinstance(pairs, str):
        raise ValueError(f"interactions must be a list of pairs, but the text {pairs!r} came.")
    checked: list[Pair] = []
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2 or pair[0] == pair[1]:
            raise ValueError(
                f"interactions must be pairs of two different predictors, but {pair!r} came. "
                "Of three predictors that interact, name each pair."
            )
        for name in pair:
            if name not in names:
                cure = "Name each column itself." if "*" in name else nearest(name, names)
                raise ValueError(
                    f"interactions must name predictors of the model, but {name!r} is none of "
                    f"{len(names)}. {cure} Add it to predictors, or take the interaction away."
                )
        if any(set(pair) == set(other) for other in checked):
            raise ValueError(
                f"interactions must name a pair once, but {TIMES.join(pair)!r} comes again. "
                "Remove one."
            )
        checked.append((pair[0], pair[1]))
    return checked


def learn_interaction(one: Term, other: Term, values: Floats) -> Interaction:
    """Learn an interaction.

    Parameters
    ----------
    one, other : Term
        As learnt before gaps are marked: a level `missing` takes no part in an interaction.
    values : ndarray of shape (n_patients, 2)
        Number, or position of the level, of each; NaN where missing.

    Returns
    -------
    Interaction

    Raises
    ------
    FitError
        If a combination of levels has no patient, or the products follow from the predictors
        alone: their coefficients could not be estimated.

    Examples
    --------
    >>> import pandas as pd
    >>> from models.terms import learn_category, learn_number
    >>> age = learn_number("Age", np.array([40.0, 50.0, 60.0]))
    >>> sex = learn_category("Sex", pd.Series(pd.Categorical(["f", "m", "m"])))
    >>> learn_interaction(age, sex, np.array([[40, 0], [45, 0], [50, 1.0], [60, 1]])).columns
    ('Age * Sex=m',)
    """
    known = values[~np.isnan(values).any(axis=1)]
    factors = tuple((left, right) for right in other.columns for left in one.columns)
    name = f"{one.name}{TIMES}{other.name}"
    _refuse_empty_cells(name, one, other, known)
    interaction = Interaction(
        name=name,
        predictors=(one.name, other.name),
        columns=tuple(TIMES.join(pair) for pair in factors),
        factors=factors,
        ranges=_ranges(one, other, known),
        typical=(_typical(one, known[:, 0]), _typical(other, known[:, 1])),
    )
    _refuse_dependent(interaction, one, other, known)
    return interaction


def _refuse_empty_cells(name: str, one: Term, other: Term, known: Floats) -> None:
    if one.kind != "category" or other.kind != "category":
        return
    cells = np.zeros((len(one.levels), len(other.levels)), dtype=np.int64)
    np.add.at(cells, tuple(known.astype(np.int64).T), 1)
    if (cells == 0).any():
        row, column = np.argwhere(cells == 0)[0]
        raise FitError(
            f"{name} must have a patient in each of its {cells.size} combinations, but "
            f"{(cells == 0).sum()} have none (first: {one.levels[row]!r} with "
            f"{other.levels[column]!r}). Join levels (recode), or take the interaction away."
        )


def _refuse_dependent(interaction: Interaction, one: Term, other: Term, known: Floats) -> None:
    blocks = [one.expand(known[:, 0]), other.expand(known[:, 1])]
    main = np.hstack(blocks)
    by_name = dict(zip((*one.columns, *other.columns), main.T, strict=True))
    matrix = np.hstack([main, interaction.expand(by_name)])
    centred = matrix - matrix.mean(axis=0) if len(matrix) else matrix
    length = np.linalg.norm(centred, axis=0)
    scaled = centred / np.where(length > 0, length, 1.0)
    if not len(matrix) or np.linalg.matrix_rank(scaled) < matrix.shape[1]:
        raise FitError(
            f"{interaction.name} must tell more than its two predictors, but among {len(known)} "
            "patients who have both it follows from them. Take the interaction away, or give its "
            "splines fewer knots."
        )


def _ranges(one: Term, other: Term, known: Floats) -> tuple[tuple[float, float], ...]:
    categories = [term.kind == "category" for term in (one, other)]
    if sum(categories) != 1:
        return ()
    levels, numbers = known[:, categories.index(True)], known[:, categories.index(False)]
    term = (one, other)[categories.index(True)]
    found = [numbers[levels == level] for level in range(len(term.levels))]
    return tuple(
        (float(part.min()), float(part.max())) if len(part) else (np.nan, np.nan) for part in found
    )


def _typical(term: Term, known: Floats) -> tuple[float, ...]:
    if term.kind == "category" or term.values is not None or not len(known):
        return ()
    low, middle, high = np.quantile(known, [0.1, 0.5, 0.9])
    if low == high:
        return (term.minimum, term.maximum)
    decimals = 1 - int(np.floor(np.log10(high - low)))
    return tuple(np.unique(np.round([low, middle, high], decimals)).tolist())
