r"""The nomogram: a regression model that can be read off with a ruler.

Each predictor's contribution :math:`f_j(x)` to the linear predictor is turned into points;
predictors that interact contribute together. Over the ticks of its axes the contribution runs from
:math:`R_{j1}` to :math:`R_{j2}`; the widest has 100 points:

.. math::

    c = \frac{100}{\max_j (R_{j2} - R_{j1})}, \qquad
    \mathrm{points}_j(x) = c \, (f_j(x) - R_{j1}), \qquad
    \mathrm{lp} = I^* + \frac{\mathrm{total}}{c}, \qquad I^* = I + \sum_j R_{j1}

with :math:`I` the intercept (of a Cox model: minus the linear predictor of the mean patient). A Cox
model's risk by a horizon :math:`h` is :math:`1 - \exp(-H_0(h) e^{\mathrm{lp}})`.

The algorithm is that of R's rms (`nomogram`, version 6.5), ticks included. Three things differ: an
axis ends where that of total points does; ticks beyond the data are marked; and the ticks of a risk
are those a journal prints.

References
----------
Harrell FE. Regression Modeling Strategies, 2nd ed. Springer 2015, section 5.4.
doi:10.1007/978-3-319-19425-7
Iasonos A, Schrag D, Raj GV, Panageas KS. How to build and interpret a nomogram for cancer
prognosis. Journal of Clinical Oncology 2008;26:1364-1370. doi:10.1200/JCO.2007.12.9791
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from models.axes import AxisFamily, AxisGroup, axis_families
from models.cox import CoxModel
from models.design import Design
from models.logistic import LogisticModel
from models.outcome_axes import (
    baseline_hazards,
    event_probability,
    event_risk,
    median_curves,
    risk_curves,
)
from models.rounding import RoundingError, rounding_error
from models.scales import Scale
from models.terms import Term
from models.ticks import AxisTicks
from omics.errors import FitError
from omics.messages import nearest, quoted

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Nomogram:
    """Points of every predictor, and what their sum says.

    Attributes
    ----------
    table : DataFrame, one row per tick
        Columns `axis` (name of the axis); `kind` (`predictor`, `total`, `linear_predictor`, `risk`
        or `survival_median`); `predictor` (that runs along the axis; otherwise empty); `where`
        (what the axis holds for: `<predictor>=<value>` of those that interact with it, joined by
        ` & `; otherwise empty); `label` (empty where a later tick at the
        same place speaks for this one); `value` (NaN for a level of a category); `points`, on the
        predictor's axis or on that of total points; `linear_predictor` (of a predictor its
        contribution, of those that interact their joint one); `horizon` (NaN but for risks);
        `extrapolated` (True where no patient of the fit had so small or so large a value; on an
        axis of one level of an interacting category, no patient of that level).
    points_per_unit : float
        Points per unit of linear predictor.
    intercept : float
        Linear predictor at zero points.
    kind : {"survival", "binary"}
    horizons : tuple of float
        Times of the risk axes, in `unit`; empty for a binary outcome.
    cumulative_hazard : tuple of tuple of float
        Baseline, at each horizon, of each stratum; NaN where a stratum has no axis.
    stratified_by : str or None
        Column of the strata, which have axes of risk and median survival of their own.
    strata : tuple of str
        Their labels; one empty label where there are none.
    unit : str or None
        Unit of time.
    terms : tuple of Term
    coefficients : Series of shape (n_design_columns,)
    groups : tuple of AxisGroup
        Predictors whose points are read together, and their contribution at zero points.
    n_patients, n_events : int
        Of the fit.
    rounding : RoundingError or None
        Of the development patients, where these were given to `with_rounding`.
    """

    table: pd.DataFrame
    points_per_unit: float
    intercept: float
    kind: Literal["survival", "binary"]
    horizons: tuple[float, ...]
    cumulative_hazard: tuple[tuple[float, ...], ...]
    stratified_by: str | None
    strata: tuple[str, ...]
    unit: str | None
    terms: tuple[Term, ...]
    coefficients: pd.Series
    groups: tuple[AxisGroup, ...]
    n_patients: int
    n_events: int
    rounding: RoundingError | None = None

    def __repr__(self) -> str:
        total = self.table.loc[self.table["kind"] == "total", "value"]
        times = ", ".join(f"{horizon:g}" for horizon in self.horizons)
        unit = f" {self.unit}" if self.unit else ""
        risks = f", risk by {times}{unit}" if times else ""
        return (
            f"Nomogram({len(self.terms)} predictors, total 0-{total.max():g} points, "
            f"{self.points_per_unit:.4g} per unit of linear predictor{risks})"
        )

    def predictor_points(self, matrix: pd.DataFrame | ArrayLike) -> pd.DataFrame:
        """Give each patient's points, predictor by predictor.

        Parameters
        ----------
        matrix : DataFrame or array-like of shape (n_patients, n_design_columns)
            What `Design.transform` gives; of a DataFrame other columns are not looked at.

        Returns
        -------
        DataFrame of shape (n_patients, n_groups)
            Mostly in [0, 100]; outside where a value lies beyond the axis, or a spline turns
            between two ticks. More points, more risk. Predictors that interact share a column,
            named by all of them.
        """
        index = matrix.index if isinstance(matrix, pd.DataFrame) else None
        values, columns = self._design_values(matrix), self.coefficients.index
        points = {}
        for group in self.groups:
            part = columns.get_indexer(pd.Index(group.columns))
            effect = values[:, part] @ self.coefficients.to_numpy()[part]
            points[group.name] = (effect - group.lowest) * self.points_per_unit
        return pd.DataFrame(points, index=index)

    def points(self, matrix: pd.DataFrame | ArrayLike) -> Floats:
        """Give each patient's total points, shape (n_patients,); see `predictor_points`."""
        return self.predictor_points(matrix).sum(axis=1, skipna=False).to_numpy()

    def total_to_linear_predictor(self, total: ArrayLike) -> Floats:
        """Read the linear predictor off total points; exact, not interpolated."""
        return self.intercept + np.asarray(total, dtype=np.float64) / self.points_per_unit

    def total_to_risk(
        self,
        total: ArrayLike,
        *,
        horizon: float | None = None,
        stratum: str | Sequence[str] | None = None,
    ) -> Floats:
        """Read the risk off total points; exact, not interpolated.

        Parameters
        ----------
        total : array-like of shape (n_patients,)
            Total points.
        horizon : float, optional
            One of `horizons`; left out for a binary outcome.
        stratum : str or sequence of str of shape (n_patients,), optional
            Of a stratified model, whose patients they are.

        Returns
        -------
        ndarray of shape (n_patients,)
            P(event by `horizon`), in [0, 1]; NaN where the stratum has no axis.

        Raises
        ------
        ValueError
            If `horizon` has no axis, or the stratum is unknown, absent or one too many.
        """
        lp = self.total_to_linear_predictor(total)
        if self.kind == "binary" and horizon is None:
            return event_probability(lp)
        if self.kind == "binary" or horizon not in self.horizons:
            raise ValueError(
                f"horizon must be one of {list(self.horizons)} (None for a binary outcome), but "
                f"{horizon} came. Build the nomogram with horizons=[{horizon}]."
            )
        hazards = np.array(self.cumulative_hazard[self.horizons.index(horizon)])
        return event_risk(lp, hazards[self._positions(stratum)])

    def _positions(self, stratum: str | Sequence[str] | None) -> NDArray[np.intp] | int:
        """Find strata among those of the model."""
        if self.stratified_by is None and stratum is None:
            return 0
        labels = [stratum] if stratum is None or isinstance(stratum, str) else list(stratum)
        known = {label: place for place, label in enumerate(self.strata)}
        wrong = [label for label in labels if self.stratified_by is None or label not in known]
        if wrong:
            raise ValueError(
                f"stratum must be one of {quoted(self.strata)} of {self.stratified_by!r}, but "
                f"{wrong[0]!r} came."
                if self.stratified_by is not None
                else f"stratum must be left out, but {wrong[0]!r} came. The model has no strata."
            )
        places = np.array([known[str(label)] for label in labels], dtype=np.intp)
        return int(places[0]) if stratum is None or isinstance(stratum, str) else places

    def rounding_error(
        self, matrix: pd.DataFrame | ArrayLike, *, step: float = 1.0
    ) -> RoundingError:
        """Say how far the risk of a reader, who rounds points, lies from the model's.

        Parameters
        ----------
        matrix : DataFrame or array-like of shape (n_patients, n_design_columns)
            What `Design.transform` gives; of a stratified model a DataFrame.
        step : float
            Each predictor's points are read to the nearest multiple of it.

        Returns
        -------
        RoundingError
        """
        horizons = self.horizons if self.kind == "survival" else (float("nan"),)
        risks = {
            horizon: partial(
                self.total_to_risk,
                horizon=horizon if self.kind == "survival" else None,
                stratum=self._strata_of(matrix),
            )
            for horizon in horizons
        }
        return rounding_error(self.predictor_points(matrix), risks, step=step)

    def _strata_of(self, matrix: pd.DataFrame | ArrayLike) -> list[str] | None:
        """Read the strata of patients, if the model has any."""
        if self.stratified_by is None:
            return None
        if not isinstance(matrix, pd.DataFrame) or self.stratified_by not in matrix.columns:
            raise ValueError(
                f"matrix must be a DataFrame with the strata {self.stratified_by!r}, but it is "
                "not. Pass design.transform(X)."
            )
        return [str(label) for label in matrix[self.stratified_by]]

    def with_rounding(self, matrix: pd.DataFrame | ArrayLike) -> "Nomogram":
        """Return the nomogram with the rounding error of whole points among these patients."""
        return replace(self, rounding=self.rounding_error(matrix))

    def _design_values(self, matrix: pd.DataFrame | ArrayLike) -> Floats:
        columns = self.coefficients.index
        if isinstance(matrix, pd.DataFrame):
            absent = columns.difference(matrix.columns, sort=False)
            if len(absent):
                raise ValueError(
                    f"matrix must hold the {len(columns)} columns of the design, but {len(absent)} "
                    f"are absent (first: {absent[0]!r}). Pass design.transform(X)."
                )
            matrix = matrix[columns]
        values = np.asarray(matrix, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(columns):
            raise ValueError(
                f"matrix must have shape (n_patients, {len(columns)}), but {values.shape} came. "
                "Pass design.transform(X)."
            )
        return values


def nomogram(
    design: Design,
    model: CoxModel | LogisticModel,
    *,
    horizons: Sequence[float] = (),
    unit: str | None = None,
    span: tuple[float, float] | None = None,
    ticks: AxisTicks | None = None,
) -> Nomogram:
    """Turn a fitted Cox or logistic model into a nomogram.

    A predictor with at most 10 distinct values has these as ticks, a category its levels, any other
    R's `pretty` of its range with 10 steps, which may go beyond the data. Where neighbouring ticks
    coincide, the last carries the label of all (`2–3`, `80+`). Predictors that interact have one
    axis per combination of their values (`models.axes`). A Cox model also gets an axis of median
    survival, where a median is reached.

    Parameters
    ----------
    design : Design
        Fitted.
    model : CoxModel or LogisticModel
        Fitted on `design.transform(X)`; plain or ridge.
    horizons : sequence of float
        Times above zero at which a Cox model's risk is read, in `unit`. One after the last
        follow-up, or before the first event, gets no axis and a warning.
    unit : str, optional
        Unit of time, for the names of the axes.
    span : pair of float, optional
        Smallest and largest linear predictor of the development patients, which the axis of total
        points covers (rms); left out: all that the predictors' axes can add up to.
    ticks : AxisTicks, optional
        Values to show on any axis in place of the usual ones.

    Returns
    -------
    Nomogram

    Raises
    ------
    ValueError
        If the model was fitted on other columns, a horizon, span or tick is impossible, or
        settings name what is no number of the model.
    FitError
        If there is no predictor, or none has an effect.

    Examples
    --------
    >>> X = pd.DataFrame({"clinical:KPS": [60.0, 70.0, 80.0, 90.0]})
    >>> design = Design(["clinical:KPS"]).fit(X)
    >>> model = LogisticModel().fit(design.transform(X), np.array([True, False, True, False]))
    >>> chart = nomogram(design, model, ticks=AxisTicks(risk_at=[0.4, 0.6]))
    >>> chart.table.loc[chart.table["kind"] == "predictor", "points"].round(1).tolist()
    [100.0, 66.7, 33.3, 0.0]
    """
    columns = _same_columns(design, model)
    coefficients = pd.Series(
        np.asarray(model.coef_, dtype=np.float64), index=columns, name="coefficient"
    )
    asked = (ticks or AxisTicks()).checked()
    families = _families(design, coefficients, asked.settings)
    scale = Scale.over(
        families,
        constant=_constant(model, columns),
        span=_check_span(span),
        lp_ticks=asked.linear_predictor_at,
        total_ticks=asked.total_points_at,
    )
    hazards = baseline_hazards(model, horizons)
    rows = [rows for family in families for rows in family.rows(scale.points_per_unit)]
    rows.append(scale.rows())
    rows += [scale.curve_rows(curve, asked.risk_at) for curve in risk_curves(model, hazards, unit)]
    rows += [scale.curve_rows(curve, asked.median_at) for curve in median_curves(model, unit)]
    return Nomogram(
        table=pd.concat(rows, ignore_index=True),
        points_per_unit=scale.points_per_unit,
        intercept=scale.intercept,
        kind="survival" if isinstance(model, CoxModel) else "binary",
        horizons=tuple(hazards),
        cumulative_hazard=tuple(hazards.values()),
        stratified_by=design.strata,
        strata=tuple(map(str, model.strata_)) if isinstance(model, CoxModel) else ("",),
        unit=unit,
        terms=design.terms_,
        coefficients=coefficients,
        groups=tuple(family.group for family in families),
        n_patients=model.n_patients_,
        n_events=model.n_events_,
    )


def _same_columns(design: Design, model: CoxModel | LogisticModel) -> list[str]:
    """Return the columns of the design, which must be those of the model."""
    columns = [name for names in design.columns_of_terms().values() for name in names]
    strata = model.strata if isinstance(model, CoxModel) else None
    if strata != design.strata:
        raise ValueError(
            f"model must have the design's strata {design.strata!r}, but its own are {strata!r}. "
            "State the same column in Design(strata=...) and CoxModel(strata=...)."
        )
    fitted = [str(name) for name in getattr(model, "feature_names_in_", columns)]
    if columns != fitted or len(columns) != len(model.coef_):
        other = [name for name in columns if name not in fitted] or columns
        raise ValueError(
            f"model must be fitted on the design's {len(columns)} columns, but its own are "
            f"{len(model.coef_)} (first that differs: {other[:1]}). "
            "Fit it on design.transform(X)."
        )
    return columns


def _constant(model: CoxModel | LogisticModel, columns: list[str]) -> float:
    """Give the linear predictor where every column is zero."""
    at_zero = pd.DataFrame(np.zeros((1, len(columns))), columns=columns)
    return float(model.linear_predictor(at_zero)[0])


def _families(
    design: Design, coefficients: "pd.Series[float]", settings: dict[str, Floats]
) -> list[AxisFamily]:
    numbers = [term.name for term in design.terms_ if term.kind in ("linear", "spline")]
    unused = set(design.dropped_["column"])  # in some patients a number is a constant
    for name in settings:
        if name not in numbers and name not in unused:
            raise ValueError(
                f"settings must name numbers of the model, but {name!r} is none of {len(numbers)} "
                f"(a category shows all its levels). {nearest(name, numbers)}"
            )
    by_column = {str(column): float(value) for column, value in coefficients.items()}
    families = axis_families(design.terms_, design.interactions_, by_column, settings=settings)
    if not any(family.width > 0 for family in families):
        raise FitError(
            f"a nomogram needs a predictor with an effect, but none of {len(design.terms_)} has "
            "one. See design.dropped_, or lower the ridge."
        )
    return families


def _check_span(span: tuple[float, float] | None) -> tuple[float, float] | None:
    if span is not None and not (np.isfinite(span).all() and span[0] <= span[1]):
        raise ValueError(
            f"span must be the smallest and the largest linear predictor, but {span} came. "
            "Pass (lp.min(), lp.max())."
        )
    return span
