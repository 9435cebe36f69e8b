"""What do the total points say? The axes of total, linear predictor, risks and median survival.

References
----------
Harrell FE. Regression Modeling Strategies, 2nd ed. Springer 2015, section 5.4.
doi:10.1007/978-3-319-19425-7
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.axes import NEAR, STEPS, AxisFamily, axis_rows
from models.ticks import pretty

Floats = NDArray[np.float64]

RISK_TICKS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
MOST_POINTS = 100.0
_GRID = 1000  # linear predictors on which a curve is inverted (rms)


@dataclass(frozen=True, eq=False, kw_only=True)
class Scale:
    """How linear predictor and total points translate, and where both have ticks.

    Attributes
    ----------
    intercept : float
        Linear predictor at zero points.
    points_per_unit : float
    lp_ticks : ndarray
    total_ticks : ndarray
    """

    intercept: float
    points_per_unit: float
    lp_ticks: Floats
    total_ticks: Floats

    @classmethod
    def over(
        cls,
        families: Sequence[AxisFamily],
        *,
        constant: float,
        span: tuple[float, float] | None,
        lp_ticks: Floats | None,
        total_ticks: Floats | None,
    ) -> Self:
        """Build the scale of these axes.

        Parameters
        ----------
        families : sequence of AxisFamily
        constant : float
            The model's linear predictor where every column is zero.
        span : pair of float or None
            Linear predictors to cover; None: all that the axes can add up to.
        lp_ticks, total_ticks : ndarray of shape (n_ticks,) or None
            Ticks to show instead of round ones; functions of the linear predictor go as far.
        """
        widths = np.array([family.width for family in families])
        points_per_unit = MOST_POINTS / float(widths.max())
        intercept = constant + sum(family.group.lowest for family in families)
        reach = float(widths.sum())
        if lp_ticks is None:
            lp_ticks = pretty(*(span or (intercept, intercept + reach)), n=STEPS)
        else:
            span = (float(lp_ticks[0]), float(lp_ticks[-1]))
        most = points_per_unit * (reach if span is None else float(lp_ticks[-1]) - intercept)
        if len(families) == 1:
            most = MOST_POINTS
        if total_ticks is None:
            total_ticks = pretty(0, max(most, MOST_POINTS), n=STEPS)
        return cls(
            intercept=intercept,
            points_per_unit=points_per_unit,
            lp_ticks=lp_ticks,
            total_ticks=total_ticks,
        )

    def points(self, linear_predictor: Floats) -> Floats:
        """Translate linear predictors into total points."""
        return (linear_predictor - self.intercept) * self.points_per_unit

    def rows(self) -> pd.DataFrame:
        """Give the ticks of total points, then those of the linear predictor."""
        total = axis_rows(
            axis="Total points",
            kind="total",
            label=[f"{tick:.7g}" for tick in self.total_ticks],
            value=self.total_ticks,
            points=self.total_ticks,
            linear_predictor=self.intercept + self.total_ticks / self.points_per_unit,
        )
        return pd.concat(
            [total, self._along("Linear predictor", "linear_predictor", self.lp_ticks)]
        )

    def _along(
        self,
        axis: str,
        kind: str,
        lp: Floats,
        *,
        value: Floats | None = None,
        horizon: float = np.nan,
        where: str = "",
    ) -> pd.DataFrame:
        """Give ticks at linear predictors `lp`, as far as the axis of total points goes."""
        points = self.points(lp)
        first, last = self.total_ticks[0], self.total_ticks[-1]
        kept = (points >= first - NEAR) & (points <= last + NEAR)
        value = lp[kept] if value is None else value[kept]
        return axis_rows(
            axis=axis,
            kind=kind,
            label=[f"{tick:.7g}" for tick in value],
            value=value,
            points=points[kept],
            linear_predictor=lp[kept],
            horizon=horizon,
            where=where,
        )

    def curve_rows(self, curve: "Curve", at: Floats | None) -> pd.DataFrame:
        """Give the ticks of a curve, at the values `at` or at its own choice.

        A tick stands where linear interpolation between 1000 equidistant linear predictors meets
        its value; of equal values on the grid the mean linear predictor counts.
        """
        grid = np.linspace(self.lp_ticks[0], self.lp_ticks[-1], _GRID)
        values = curve.function(grid)
        ticks = curve.ticks(values) if at is None else at
        lp = _invert(grid, values, ticks)
        reached = ~np.isnan(lp)
        return self._along(
            curve.axis,
            curve.kind,
            lp[reached],
            value=ticks[reached],
            horizon=curve.horizon,
            where=curve.where,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve:
    """What the linear predictor means: a risk or a median survival.

    Attributes
    ----------
    axis : str
    kind : {"risk", "survival_median"}
    function : callable
        From linear predictors, shape (n,), to values, shape (n,); monotone, NaN where undefined.
    horizon : float
        Of a survival risk; otherwise NaN.
    where : str
        Stratum it holds for, as `<column>=<label>`; empty if it holds for everyone.
    """

    axis: str
    kind: Literal["risk", "survival_median"]
    function: Callable[[Floats], Floats]
    horizon: float = np.nan
    where: str = ""

    def ticks(self, values: Floats) -> Floats:
        """Choose ticks within `values`: for a risk those of a journal, or round ones."""
        known = values[~np.isnan(values)]
        if len(known) == 0:
            return known
        lowest, highest = float(known.min()), float(known.max())
        if self.kind == "risk":
            inside = [risk for risk in RISK_TICKS if lowest <= risk <= highest]
            if len(inside) > 1:
                return np.array(inside)
        return pretty(lowest, highest, n=STEPS)


def _invert(grid: Floats, values: Floats, at: Floats) -> Floats:
    """Find where on `grid` a monotone curve meets `at`; NaN where it does not (R's `approx`)."""
    known = ~np.isnan(values)
    distinct, position = np.unique(values[known], return_inverse=True)
    if len(distinct) < 2:
        return np.full(len(at), np.nan)
    mean_place = np.bincount(position, grid[known]) / np.bincount(position)
    return np.interp(at, distinct, mean_place, left=np.nan, right=np.nan)
