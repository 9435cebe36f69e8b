"""The axes of a nomogram: where the ticks stand, and the points at each, by the rules of rms.

Every function gives rows of `Nomogram.table`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.terms import Term
from models.ticks import pretty

Floats = NDArray[np.float64]

RISK_TICKS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
MOST_POINTS = 100.0
_STEPS = 10  # wished for on every axis (rms: nint)
_GRID = 1000  # linear predictors on which a curve is inverted (rms)
_NEAR = 1e-9  # points: closer ticks coincide


@dataclass(frozen=True, eq=False, kw_only=True)
class PredictorAxis:
    """Ticks of one predictor and its contribution to the linear predictor at each.

    Attributes
    ----------
    term : Term
    ticks : ndarray of shape (n_ticks,)
        Values; of a category the positions of its levels.
    effects : ndarray of shape (n_ticks,)
    """

    term: Term
    ticks: Floats
    effects: Floats

    @classmethod
    def of(cls, term: Term, coefficients: Floats) -> Self:
        """Place the ticks of `term`, whose columns have these coefficients."""
        if term.kind == "category":
            ticks = np.arange(len(term.levels), dtype=np.float64)
        elif term.values is not None:
            ticks = np.array(term.values)
        else:
            ticks = pretty(term.minimum, term.maximum, n=_STEPS)
        return cls(term=term, ticks=ticks, effects=term.expand(ticks) @ coefficients)

    @property
    def lowest(self) -> float:
        """Smallest contribution: zero points."""
        return float(self.effects.min())

    @property
    def width(self) -> float:
        """Range of the contributions."""
        return float(np.ptp(self.effects))

    def rows(self, points_per_unit: float) -> pd.DataFrame:
        """Give one row per tick."""
        term, is_category = self.term, self.term.kind == "category"
        points = (self.effects - self.lowest) * points_per_unit
        labels = list(term.levels) if is_category else [f"{tick:.7g}" for tick in self.ticks]
        is_discrete = is_category or term.values is not None
        return _rows(
            axis=term.name,
            kind="predictor",
            label=_merged(labels, points, is_discrete=is_discrete),
            value=np.full(len(labels), np.nan) if is_category else self.ticks,
            points=points,
            linear_predictor=self.effects,
            extrapolated=(self.ticks < term.minimum) | (self.ticks > term.maximum),
        )


def _merged(labels: list[str], points: Floats, *, is_discrete: bool) -> list[str]:
    """Let the last of several ticks at one place speak for all of them."""
    breaks = np.flatnonzero(np.abs(np.diff(points)) > _NEAR) + 1
    merged: list[str] = []
    for run in np.split(np.arange(len(labels)), breaks):
        first, last = labels[run[0]], labels[run[-1]]
        open_ended = not is_discrete and run[-1] == len(labels) - 1
        joint = f"{first}+" if open_ended else f"{first}–{last}"
        merged += [""] * (len(run) - 1) + [joint if len(run) > 1 else last]
    return merged


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
        axes: Sequence[PredictorAxis],
        *,
        constant: float,
        span: tuple[float, float] | None,
    ) -> Self:
        """Build the scale of these axes.

        Parameters
        ----------
        axes : sequence of PredictorAxis
        constant : float
            The model's linear predictor where every column is zero.
        span : pair of float or None
            Linear predictors to cover; None: all that the axes can add up to.
        """
        widths = np.array([axis.width for axis in axes])
        points_per_unit = MOST_POINTS / float(widths.max())
        intercept = constant + sum(axis.lowest for axis in axes)
        reach = float(widths.sum())
        lp_ticks = pretty(*(span or (intercept, intercept + reach)), n=_STEPS)
        most = points_per_unit * (reach if span is None else float(lp_ticks[-1]) - intercept)
        if len(axes) == 1:
            most = MOST_POINTS
        return cls(
            intercept=intercept,
            points_per_unit=points_per_unit,
            lp_ticks=lp_ticks,
            total_ticks=pretty(0, max(most, MOST_POINTS), n=_STEPS),
        )

    def points(self, linear_predictor: Floats) -> Floats:
        """Translate linear predictors into total points."""
        return (linear_predictor - self.intercept) * self.points_per_unit

    def rows(self) -> pd.DataFrame:
        """Give the ticks of total points, then those of the linear predictor."""
        total = _rows(
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
    ) -> pd.DataFrame:
        """Give ticks at linear predictors `lp`, as far as the axis of total points goes."""
        points = self.points(lp)
        kept = (points >= -_NEAR) & (points <= self.total_ticks[-1] + _NEAR)
        value = lp[kept] if value is None else value[kept]
        return _rows(
            axis=axis,
            kind=kind,
            label=[f"{tick:.7g}" for tick in value],
            value=value,
            points=points[kept],
            linear_predictor=lp[kept],
            horizon=horizon,
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
            curve.axis, curve.kind, lp[reached], value=ticks[reached], horizon=curve.horizon
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
    """

    axis: str
    kind: Literal["risk", "survival_median"]
    function: Callable[[Floats], Floats]
    horizon: float = np.nan

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
        return pretty(lowest, highest, n=_STEPS)


def _invert(grid: Floats, values: Floats, at: Floats) -> Floats:
    """Find where on `grid` a monotone curve meets `at`; NaN where it does not (R's `approx`)."""
    known = ~np.isnan(values)
    distinct, position = np.unique(values[known], return_inverse=True)
    if len(distinct) < 2:
        return np.full(len(at), np.nan)
    mean_place = np.bincount(position, grid[known]) / np.bincount(position)
    return np.interp(at, distinct, mean_place, left=np.nan, right=np.nan)


def _rows(
    *,
    axis: str,
    kind: str,
    label: list[str],
    value: Floats,
    points: Floats,
    linear_predictor: Floats,
    horizon: float = np.nan,
    extrapolated: NDArray[np.bool_] | bool = False,
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "axis": axis,
            "kind": kind,
            "label": label,
            "value": value,
            "points": points,
            "linear_predictor": linear_predictor,
            "horizon": horizon,
            "extrapolated": extrapolated,
        },
        index=range(len(label)),
    )
