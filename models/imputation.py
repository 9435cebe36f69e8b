"""What would a missing predictor have been? Chained equations, learnt from the patients of the fit.

Each column is regressed on the others (Bayesian ridge regression), the fewest gaps first; its gaps
take the predicted mean, and the round is repeated until it changes little. The regressions are
kept, so that a new patient is filled by them alone. The outcome is never looked at. Columns are
standardised, and no fill leaves the range of the known values. The columns of one category do not
predict each other: they are missing together.

One mean fill, not several random ones: it serves prediction, whose error validation measures with
the filling inside; it gives no honest standard error of a coefficient.

References
----------
van Buuren S, Groothuis-Oudshoorn K. mice: multivariate imputation by chained equations in R. J Stat
Softw 2011;45(3). doi:10.18637/jss.v045.i03
MacKay DJC. Bayesian interpolation. Neural Computation 1992;4:415-447.
doi:10.1162/neco.1992.4.3.415
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import BayesianRidge

Floats = NDArray[np.float64]

ROUNDS = 10
TOLERANCE = 1e-3  # a patient's changes, of the largest known value (IterativeImputer's rule)
MOST_NEIGHBOURS = 50  # columns that predict another, the most correlated


@dataclass(frozen=True, eq=False, kw_only=True)
class Equation:
    """The regression of one column on others, all standardised.

    Attributes
    ----------
    column : int
    neighbours : ndarray of int
        The columns it is predicted from.
    coefficients : ndarray, one per neighbour
    intercept : float
    """

    column: int
    neighbours: NDArray[np.intp]
    coefficients: Floats
    intercept: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Chain:
    """Chained equations as learnt.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_columns,)
        What columns are standardised by.
    start, lowest, highest : ndarray of shape (n_columns,)
        Median and range of the known values, standardised.
    equations : tuple of Equation
        In the order in which they are applied, round by round.
    """

    mean: Floats
    scale: Floats
    start: Floats
    lowest: Floats
    highest: Floats
    equations: tuple[Equation, ...]

    def __repr__(self) -> str:
        return f"Chain({len(self.mean)} columns, {len(self.equations)} equations)"

    def fill(self, values: Floats) -> Floats:
        """Fill the gaps of each patient, from that patient's own values alone.

        Parameters
        ----------
        values : ndarray of shape (n_patients, n_columns)
            NaN where missing.

        Returns
        -------
        ndarray of the same shape
            Known values as they came.
        """
        gaps = np.isnan(values)
        filled = np.where(gaps, self.start, (values - self.mean) / self.scale)
        for equation in self.equations:
            rows = gaps[:, equation.column]
            if rows.any():
                filled[rows, equation.column] = self._predict(equation, filled[rows])
        return np.where(gaps, filled * self.scale + self.mean, values)

    def _predict(self, equation: Equation, rows: Floats) -> Floats:
        column = equation.column
        mean = (rows[:, equation.neighbours] * equation.coefficients).sum(axis=1)
        held: Floats = np.clip(mean + equation.intercept, self.lowest[column], self.highest[column])
        return held


def fit_chain(values: Floats, *, groups: Sequence[int]) -> Chain:
    """Learn chained equations.

    Parameters
    ----------
    values : ndarray of shape (n_patients, n_columns)
        NaN where missing; every column has a known value.
    groups : sequence of int, one per column
        Columns of one group (the levels of a category) do not predict each other.

    Returns
    -------
    Chain

    Examples
    --------
    >>> values = np.column_stack([np.arange(8.0), 2 * np.arange(8.0)])
    >>> values[5, 1] = np.nan
    >>> fit_chain(values, groups=[0, 1]).fill(values)[5].round(3).tolist()
    [5.0, 10.0]
    """
    gaps = np.isnan(values)
    mean, scale = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    z = (values - mean) / scale
    start = np.nanmedian(z, axis=0)
    filled = np.where(gaps, start, z)
    neighbours = _neighbours(filled, np.asarray(groups))
    chain = Chain(
        mean=mean, scale=scale, start=start, lowest=np.nanmin(z, axis=0),
        highest=np.nanmax(z, axis=0), equations=(),
    )  # fmt: skip
    equations: list[Equation] = []
    order = [j for j in np.argsort(gaps.sum(axis=0), kind="stable") if len(neighbours[j])]
    for _ in range(ROUNDS):
        before = filled.copy()
        for column in order:
            known = ~gaps[:, column]
            equation = _learn(int(column), neighbours[column], filled[known], z[known, column])
            equations.append(equation)
            if not known.all():
                filled[~known, column] = chain._predict(equation, filled[~known])
        if np.abs(filled - before).sum(axis=1).max() <= TOLERANCE * np.nanmax(np.abs(z)):
            break
    return Chain(
        mean=mean, scale=scale, start=start, lowest=chain.lowest, highest=chain.highest,
        equations=tuple(equations),
    )  # fmt: skip


def _learn(column: int, neighbours: NDArray[np.intp], rows: Floats, target: Floats) -> Equation:
    if len(target) < 2:
        none = np.zeros(len(neighbours))
        return Equation(
            column=column, neighbours=neighbours, coefficients=none, intercept=float(target[0])
        )
    model = BayesianRidge().fit(rows[:, neighbours], target)
    return Equation(
        column=column,
        neighbours=neighbours,
        coefficients=np.asarray(model.coef_, dtype=np.float64),
        intercept=float(model.intercept_),
    )


def _neighbours(filled: Floats, groups: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Give the columns that predict each column: of another group, the most correlated."""
    centred = filled - filled.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=0))
    unit = centred / np.where(size > 0, size, 1.0)
    found = []
    for column in range(filled.shape[1]):
        others = np.flatnonzero(groups != groups[column])
        if len(others) > MOST_NEIGHBOURS:
            correlation = np.abs(unit[:, column] @ unit[:, others])
            nearest = np.argsort(-correlation, kind="stable")[:MOST_NEIGHBOURS]
            others = np.sort(others[nearest])
        found.append(others)
    return found
