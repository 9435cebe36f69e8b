"""One predictor of a regression: what `fit` learns of it, and the columns it becomes.

A number is linear or a restricted cubic spline; a category is one column of zeros and ones per
level but the first. Columns are named as R's rms names them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from models.splines import default_knots, restricted_cubic_spline
from omics.errors import FitError

MISSING = "missing"
MOST_DISTINCT_VALUES = 10  # up to so many, a nomogram shows the values themselves (rms)


@dataclass(frozen=True, kw_only=True)
class Term:
    """One predictor as the design matrix holds it, learnt from the patients of `fit`.

    Attributes
    ----------
    name : str
        Column of the wide table; of an indicator, `<column> (missing)`.
    kind : {"linear", "spline", "category", "indicator"}
    columns : tuple of str
        Its columns in the design matrix.
    levels : tuple of str
        Of a category, the reference first; otherwise empty.
    knots : tuple of float
        Of a spline, in the predictor's unit; otherwise empty.
    minimum, maximum : float
        Range among the patients of `fit`; NaN for a category.
    values : tuple of float or None
        The distinct values, increasing, if there are at most 10; otherwise None.
    fill : float or str
        Median, or most frequent level, of the patients of `fit`; what a gap takes.
    marks : str
        Of an indicator, the column whose gaps it marks by 1; otherwise empty.
    """

    name: str
    kind: Literal["linear", "spline", "category", "indicator"]
    columns: tuple[str, ...]
    levels: tuple[str, ...] = ()
    knots: tuple[float, ...] = ()
    minimum: float = float("nan")
    maximum: float = float("nan")
    values: tuple[float, ...] | None = None
    fill: float | str
    marks: str = ""

    @property
    def column(self) -> str:
        """The column of the wide table that it reads."""
        return self.marks or self.name

    @property
    def fill_number(self) -> float:
        """`fill` as `expand` takes it: a number, or the position of a level."""
        is_level = isinstance(self.fill, str)
        return float(self.levels.index(str(self.fill)) if is_level else self.fill)

    def expand(self, values: ArrayLike) -> NDArray[np.float64]:
        """Compute the columns of this predictor.

        Parameters
        ----------
        values : array-like of shape (n_patients,)
            Numbers; for a category the position of the level (0 = reference). NaN = missing.

        Returns
        -------
        ndarray of shape (n_patients, n_columns)
            A missing value gives a row of NaN.
        """
        numbers = np.asarray(values, dtype=np.float64)
        if self.kind == "spline":
            return restricted_cubic_spline(numbers, self.knots)
        if self.kind in ("linear", "indicator"):
            return numbers[:, np.newaxis]
        columns = np.equal.outer(numbers, np.arange(1, len(self.levels))).astype(np.float64)
        columns[np.isnan(numbers)] = np.nan
        return columns


def is_category(column: pd.Series) -> bool:
    """Tell whether a column of the wide table is a category."""
    return isinstance(column.dtype, pd.CategoricalDtype)


def learn_number(
    name: str, ordered: NDArray[np.float64], *, spline: int | Sequence[float] | None = None
) -> Term | str:
    """Learn a numeric predictor.

    Parameters
    ----------
    name : str
    ordered : ndarray of shape (n_known,)
        Its known values, sorted.
    spline : int or sequence of float, optional
        Number of knots, or the knots.

    Returns
    -------
    Term, or the reason (str) why the predictor cannot be used

    Raises
    ------
    FitError
        If there are too few distinct values for the knots.

    Examples
    --------
    >>> learn_number("flags:BRAF", np.array([1.0, 1.0]))
    'the same value (1) in every patient'
    """
    if len(ordered) == 0:
        return "no value in any patient"
    if ordered[0] == ordered[-1]:
        return f"the same value ({ordered[0]:g}) in every patient"
    jumps = np.flatnonzero(np.diff(ordered)) + 1  # where a new value begins
    knots = () if spline is None else _learn_knots(name, ordered, spline, len(jumps) + 1)
    few = len(jumps) < MOST_DISTINCT_VALUES
    return Term(
        name=name,
        kind="spline" if knots else "linear",
        columns=tuple(name + "'" * j for j in range(max(len(knots) - 1, 1))),
        knots=knots,
        minimum=float(ordered[0]),
        maximum=float(ordered[-1]),
        values=(float(ordered[0]), *ordered[jumps].tolist()) if few else None,
        fill=float(ordered[len(ordered) // 2] + ordered[(len(ordered) - 1) // 2]) / 2,
    )


def _learn_knots(
    name: str, ordered: NDArray[np.float64], spline: int | Sequence[float], n_distinct: int
) -> tuple[float, ...]:
    if isinstance(spline, int):
        return tuple(default_knots(ordered, spline, name=name).tolist())
    if n_distinct < len(spline):
        raise FitError(
            f"{name} must have at least as many distinct values as knots, but it has {n_distinct} "
            f"and {len(spline)} knots came. Give fewer knots, or let it be linear."
        )
    return tuple(map(float, spline))


def learn_category(name: str, column: pd.Series) -> Term | str:
    """Learn a category.

    Parameters
    ----------
    name : str
    column : Series of shape (n_patients,), Categorical
        Its declared categories are the levels, the reference first.

    Returns
    -------
    Term, or the reason (str) why the predictor cannot be used

    Raises
    ------
    FitError
        If a declared level has no patient: its coefficient could not be estimated.

    Examples
    --------
    >>> learn_category("clinical:IDH", pd.Series(pd.Categorical(["wt", "mut", "wt"]))).columns
    ('clinical:IDH=wt',)
    """
    codes = column.cat.codes.to_numpy()
    levels = tuple(map(str, column.cat.categories))
    counts = np.bincount(codes[codes >= 0], minlength=len(levels))
    if not counts.any():
        return "no value in any patient"
    if len(levels) == 1:
        return f"the same level ({levels[0]}) in every patient"
    empty = [level for level, count in zip(levels, counts, strict=True) if count == 0]
    if empty:
        raise FitError(
            f"{name} must have a patient in each of its {len(levels)} levels, but {len(empty)} "
            f"have none (first: {empty[0]!r}). Join it with another level (recode), or remove it "
            "from the declared levels."
        )
    return Term(
        name=name,
        kind="category",
        columns=tuple(f"{name}={level}" for level in levels[1:]),
        levels=levels,
        fill=levels[int(counts.argmax())],
    )


def with_indicators(
    terms: Sequence[Term], table: pd.DataFrame
) -> tuple[list[Term], list[tuple[str, str]]]:
    """Mark the gaps that `fit` met: a column of zeros and ones, or a level `missing`.

    A number with gaps is followed by `<column> (missing)`; a category gets the level `missing`, as
    clinical papers show it. Columns missing in the same patients share the first one's mark, since
    copies of one column cannot be told apart.

    Parameters
    ----------
    terms : sequence of Term
    table : DataFrame
        Of the patients of `fit`.

    Returns
    -------
    terms : list of Term
    shared : list of (str, str)
        Marks that are left out, and why.
    """
    marked: list[Term] = []
    shared: list[tuple[str, str]] = []
    met: dict[bytes, str] = {}
    for term in terms:
        gaps = table[term.name].isna().to_numpy()
        if not gaps.any():
            marked.append(term)
            continue
        name = f"{term.name}={MISSING}" if term.kind == "category" else f"{term.name} ({MISSING})"
        first = met.setdefault(gaps.tobytes(), name)
        if first != name:
            shared.append((name, f"missing in the same patients as {first}"))
            marked.append(term)
        elif term.kind == "category":
            marked.append(_with_level(term))
        else:
            marked += [term, _indicator(term, name)]
    return marked, shared


def _with_level(term: Term) -> Term:
    if MISSING in term.levels:
        return replace(term, fill=MISSING)
    return replace(
        term,
        levels=(*term.levels, MISSING),
        columns=(*term.columns, f"{term.name}={MISSING}"),
        fill=MISSING,
    )


def _indicator(term: Term, name: str) -> Term:
    return Term(
        name=name, kind="indicator", columns=(name,), minimum=0.0, maximum=1.0, values=(0.0, 1.0),
        fill=0.0, marks=term.name,
    )  # fmt: skip


def level_positions(column: pd.Series, term: Term) -> NDArray[np.float64]:
    """Find each patient's level among those of `fit`.

    Parameters
    ----------
    column : Series of shape (n_patients,)
        Categorical, or the levels as text.
    term : Term
        A category.

    Returns
    -------
    ndarray of shape (n_patients,)
        Position in `term.levels`; NaN where missing.

    Raises
    ------
    ValueError
        If a patient has a level that `fit` has not seen.
    """
    category = column.cat if is_category(column) else pd.Series(pd.Categorical(column)).cat
    codes = category.codes.to_numpy()
    position = {level: float(j) for j, level in enumerate(term.levels)}
    found = np.array([position.get(str(level), -1.0) for level in category.categories] + [np.nan])
    positions = found[codes]  # code -1, missing, takes the last: NaN
    unseen = positions == -1
    if unseen.any():
        raise ValueError(
            f"{term.name} must hold the levels {', '.join(term.levels)}, but {unseen.sum()} of "
            f"{len(column)} patients have another (first: "
            f"{str(category.categories[codes[unseen.argmax()]])!r}). Recode it, or fit on patients "
            "who have it."
        )
    return positions
