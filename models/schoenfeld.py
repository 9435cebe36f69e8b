r"""How does an effect change over follow-up: scaled Schoenfeld residuals and their smooth curve.

At each event the residual r is the patient's columns minus the risk set's mean
(`models.residuals`). With d events, inverse information C and, of a term of
several columns, the weights of its fitted effect in T,

.. math::

    r^*_k = \hat\beta + d\, C\, r_k, \qquad
    r^*_k = 1 + \big[(T^\top C^{-1} T / d)^{-1} T^\top r_k\big]_J \text{ (several columns)}

estimates :math:`\beta(t_k)`; of several columns it is the multiple of the fitted effect. The curve
is a natural cubic spline in transformed time with 4 degrees of freedom, as `plot.cox.zph` draws it.

References
----------
Grambsch PM, Therneau TM. Proportional hazards tests and diagnostics based on weighted residuals.
Biometrika 1994;81:515-526. doi:10.1093/biomet/81.3.515
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.utils.validation import check_is_fitted

from models.cox import CoxModel
from models.own_patients import own_patients
from models.proportional_hazards import Transform, event_clock, term_positions
from models.regression import LEVEL
from models.splines import restricted_cubic_spline

Floats = NDArray[np.float64]
POINTS = 40
CURVE_DF = 4


@dataclass(frozen=True, eq=False, kw_only=True)
class SchoenfeldCurves:
    """How each term's effect moves over time.

    Attributes
    ----------
    residuals : DataFrame, one row per term and event
        `term`, `time`, `transformed` (time on the scale of the curve) and `residual` (scaled; a
        coefficient per unit of the column, or a multiple of the fitted effect).
    curves : DataFrame, one row per term and point of its curve
        `term`, `time`, `transformed`, `estimate`, `standard_error`, `lower`, `upper`. A term has
        none where fewer than 4 distinct event times carry it.
    fitted : dict of term to float
        The effect of the model: the coefficient, or 1 for a term of several columns.
    transform : {"km", "identity", "rank", "log"}
    level : float
        Of the band.
    n_patients : int
    n_events : int
    """

    residuals: pd.DataFrame
    curves: pd.DataFrame
    fitted: dict[str, float]
    transform: Transform
    level: float
    n_patients: int
    n_events: int

    def __repr__(self) -> str:
        return (
            f"SchoenfeldCurves({len(self.fitted)} terms, {self.n_events} events, "
            f"{self.transform} time)"
        )


def schoenfeld_curves(
    model: CoxModel,
    X: Any,
    y: NDArray[Any],
    *,
    terms: Mapping[str, Sequence[str]],
    transform: Transform = "km",
) -> SchoenfeldCurves:
    """Scale the Schoenfeld residuals and smooth them over time, term by term.

    Parameters
    ----------
    model : CoxModel
        Fitted. C is that of the penalised fit under a ridge, and never the sandwich.
    X : DataFrame or array-like of shape (n_patients, p)
        The design matrix the model was fitted to.
    y : structured array of shape (n_patients,)
        The outcome the model was fitted to.
    terms : mapping of term to its columns
        Each column stands in one term.
    transform : {"km", "identity", "rank", "log"}, default "km"
        As in `models.proportional_hazards.proportional_hazards_test`.

    Returns
    -------
    SchoenfeldCurves

    Raises
    ------
    ValueError
        If `terms` do not cover the model's columns once, or X and y do not fit the model.

    Notes
    -----
    The band is 95 % (1.96 standard errors); `plot.cox.zph` draws 2 standard errors.

    Examples
    --------
    The mean scaled residual is the coefficient: unscaled ones add up to nothing.

    >>> from omics.outcome import survival_outcome
    >>> y = survival_outcome([1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 1, 1])
    >>> X = pd.DataFrame({"a": [1.0, 1, 0, 1, 0, 0]})
    >>> model = CoxModel().fit(X, y)
    >>> result = schoenfeld_curves(model, X, y, terms={"a": ["a"]})
    >>> float(abs(result.residuals["residual"].mean() - model.coef_[0])) < 1e-6
    True
    """
    check_is_fitted(model, "coef_")
    positions = term_positions(terms, tuple(model.feature_names_in_))
    own = own_patients(model, X, y)
    times = own.time[own.residuals.event_rows]
    scaled, variance = _scale(model, own.residuals.schoenfeld, own.covariance, positions)
    at = event_clock(own.time, own.event, transform, centred=False)[own.residuals.event_rows]
    residuals = pd.DataFrame(
        {
            "term": np.repeat(list(positions), len(times)),
            "time": np.tile(times, len(positions)),
            "transformed": np.tile(at, len(positions)),
            "residual": scaled.T.ravel(),
        }
    )
    curves = [
        _curve(name, times, at, scaled[:, j], variance[j]) for j, name in enumerate(positions)
    ]
    return SchoenfeldCurves(
        residuals=residuals,
        curves=pd.concat(curves, ignore_index=True),
        fitted={
            name: float(model.coef_[chosen[0]]) if len(chosen) == 1 else 1.0
            for name, chosen in positions.items()
        },
        transform=transform,
        level=LEVEL,
        n_patients=len(own.time),
        n_events=int(own.event.sum()),
    )


def _scale(
    model: CoxModel,
    plain: Floats,
    covariance: Floats,
    positions: Mapping[str, NDArray[np.intp]],
) -> tuple[Floats, Floats]:
    """Give scaled residuals (n_events, n_terms) and the variance (n_terms,) of one of them."""
    weights = np.zeros((plain.shape[1], len(positions)))
    fitted = np.ones(len(positions))
    for j, own in enumerate(positions.values()):
        weights[own, j] = 1.0 if len(own) == 1 else model.coef_[own]
        if len(own) == 1:
            fitted[j] = model.coef_[own[0]]
    information = np.linalg.inv(covariance) / len(plain)
    variance = np.linalg.inv(weights.T @ information @ weights)
    return plain @ weights @ variance + fitted, np.diag(variance).copy()


def _curve(name: str, times: Floats, at: Floats, residual: Floats, variance: float) -> pd.DataFrame:
    """Fit the natural spline to one term; no row where it has too few distinct times."""
    grid = np.linspace(at.min(), at.max(), POINTS)
    inner = np.quantile(np.concatenate([grid, at]), [1 / 3, 2 / 3])  # as splines::ns places them
    knots = np.array([at.min(), *inner, at.max()])
    columns = ["term", "time", "transformed", "estimate", "standard_error", "lower", "upper"]
    if len(np.unique(at)) < CURVE_DF or (np.diff(knots) <= 0).any():
        return pd.DataFrame({name: pd.Series(dtype=float) for name in columns})
    basis, drawn = _basis(at, knots), _basis(grid, knots)
    inverse = np.linalg.pinv(basis.T @ basis)
    estimate = drawn @ (inverse @ (basis.T @ residual))
    error = np.sqrt(variance * np.einsum("ij,jk,ik->i", drawn, inverse, drawn))
    half = norm.ppf((1 + LEVEL) / 2) * error
    values = [np.interp(grid, at, times), grid, estimate, error, estimate - half, estimate + half]
    return pd.DataFrame(dict(zip(columns, [name, *values], strict=True)))


def _basis(at: Floats, knots: Floats) -> Floats:
    """Span the natural cubic splines with these knots; time moved to [0, 1] for the rounding."""
    span = knots[-1] - knots[0]
    unit = (np.asarray(at) - knots[0]) / span
    spline = restricted_cubic_spline(unit, (knots - knots[0]) / span)
    return np.column_stack([np.ones(len(unit)), spline])
