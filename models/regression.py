r"""What Cox and logistic regression share: the door of the design, the ridge, the table.

Columns are centred and scaled to unit standard deviation (n - 1) before the fit, and the
coefficients are given back in the columns' own units. A ridge :math:`\lambda` takes
:math:`\tfrac{\lambda}{2}\sum_j (s_j\beta_j)^2` from the log likelihood, :math:`s_j` the standard
deviation of column j. With information :math:`I` and penalty matrix :math:`P`, both at the
maximum,

.. math::

    \mathrm{cov}(\hat\beta) = (I + P)^{-1}, \qquad
    \mathrm{df} = \mathrm{tr}\big(I (I + P)^{-1}\big), \qquad
    \mathrm{AIC} = 2\,l(\hat\beta) - 2\,\mathrm{df}

The covariance is the one R's `coxph` calls `var` and rms calls "simple"; it does not count the
bias of shrinkage. The AIC is to be large (Gray; rms `pentrace`), among the penalties that leave
three events (logistic: n p (1 - p) of them) for each effective parameter.

References
----------
Gray RJ. Flexible methods for analyzing survival data using splines. JASA 1992;87:942-951.
doi:10.1080/01621459.1992.10476248
"""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from models.newton import LogLikelihood, Maximum, maximise
from omics.errors import ConvergenceWarning, FitError

Floats = NDArray[np.float64]

# Penalties tried by ridge="aic", in units of what one standardised column informs about when no
# column matters: from no shrinkage over a thousandth of it to a hundred times it.
RIDGE_GRID = np.concatenate([[0.0], np.geomspace(1e-3, 1e2, 21)])
# For each effective parameter under ridge="aic": with more columns than events AIC runs to the
# saturated model (70 events, 300 columns of noise: 107 effective parameters).
LEAST_EVENTS = 3
LEVEL = 0.95
# A column with less than this share of its variance left, given the others, is collinear.
COLLINEAR = 1e-10


def read_design(X: Any) -> tuple[Floats, tuple[str, ...]]:
    """Return a design matrix as a finite float array (n, p), with the names of its columns.

    A DataFrame brings its names, an array gets `x0`, `x1`, ...

    Raises
    ------
    ValueError
        If X has not two dimensions, holds text, missing or infinite values, or a name twice.
    """
    if isinstance(X, pd.DataFrame):
        names = tuple(str(name) for name in X.columns)
        _refuse_text(X)
        array = X.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        array = np.asarray(X, dtype=np.float64)
        if array.ndim != 2:
            raise ValueError(
                f"X must have two dimensions (n_patients, n_columns), but shape {array.shape} "
                "came. For one column use x[:, np.newaxis]."
            )
        names = tuple(f"x{position}" for position in range(array.shape[1]))
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"X must name each column once, but {twice!r} comes twice. Rename one.")
    wrong = ~np.isfinite(array)
    if wrong.any():
        column = int(wrong.any(axis=0).argmax())
        raise ValueError(
            f"X must be finite, but {wrong[:, column].sum()} of {len(array)} values of "
            f"{names[column]!r} are missing or infinite (first at row "
            f"{wrong[:, column].argmax()}). Impute them, or use Design(missing='median')."
        )
    return array, names


def _refuse_text(X: pd.DataFrame) -> None:
    text = [name for name, kind in X.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
    if text:
        raise ValueError(
            f"X must be numeric, but {len(text)} of {X.shape[1]} columns are not (first: "
            f"{text[0]!r}). Build the design matrix with models.design.Design."
        )


def read_same_design(X: Any, names: Sequence[str]) -> Floats:
    """Return X as `read_design` does, refusing columns other than those of the fit."""
    array, found = read_design(X)
    if isinstance(X, pd.DataFrame) and found != tuple(names):
        absent = [name for name in names if name not in found]
        surplus = [name for name in found if name not in names]
        detail = f"absent: {absent[:3]}, not known: {surplus[:3]}"
        if not absent and not surplus:
            detail = "they come in another order"
        raise ValueError(
            f"X must have the {len(names)} columns of the fit, but it has {len(found)} ({detail}). "
            "Pass X[model.feature_names_in_]."
        )
    if array.shape[1] != len(names):
        raise ValueError(
            f"X must have the {len(names)} columns of the fit, but it has {array.shape[1]}."
        )
    return array


@dataclass(frozen=True, eq=False, kw_only=True)
class Standardised:
    """A design matrix with columns of mean 0 and standard deviation 1.

    Attributes
    ----------
    z : ndarray of shape (n_patients, p)
    means : ndarray of shape (p,)
    scales : ndarray of shape (p,)
        Standard deviations, with n - 1.
    names : tuple of str
    """

    z: Floats
    means: Floats
    scales: Floats
    names: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Standardised({len(self.z)} patients, {len(self.names)} columns)"


def standardise(x: Floats, names: Sequence[str]) -> Standardised:
    """Centre and scale columns.

    Raises
    ------
    FitError
        If a column is constant; it is named.
    """
    means = x.mean(axis=0)
    z = x - means
    scales = np.sqrt(np.einsum("ij,ij->j", z, z) / max(len(x) - 1, 1))
    constant = scales <= 1e-13 * np.abs(x).max(axis=0, initial=0)
    if constant.any():
        raise FitError(
            f"no column may be constant, but {constant.sum()} of {len(names)} are: "
            f"{_listed(names, constant)}. Leave them out."
        )
    z /= scales
    return Standardised(z=z, means=means, scales=scales, names=tuple(names))


def refuse_collinear(rows: Floats, names: Sequence[str]) -> None:
    """Raise a FitError naming the first column that others determine in `rows` (centred)."""
    norms = np.linalg.norm(rows, axis=0)
    flat = norms <= 1e-8 * np.sqrt(len(rows))
    if flat.any():
        raise FitError(
            f"every column must vary among the patients at risk when events happen, but "
            f"{flat.sum()} of {len(names)} do not: {_listed(names, flat)}. Leave them out."
        )
    unit = rows / norms
    try:
        left = np.diag(np.linalg.cholesky(unit.T @ unit)) ** 2
    except np.linalg.LinAlgError:
        left = np.zeros(len(names))
    if (left < COLLINEAR).any():
        raise FitError(_describe_collinear(unit, names))


def _describe_collinear(unit: Floats, names: Sequence[str]) -> str:
    """Say which column follows from which earlier ones."""
    residual = np.abs(np.diag(np.linalg.qr(unit, mode="r")))
    dependent = int(np.argmax(residual <= max(1e-4, residual.min())))
    weights = np.linalg.lstsq(unit[:, :dependent], unit[:, dependent], rcond=None)[0]
    involved = [name for name, weight in zip(names, weights, strict=False) if abs(weight) > 1e-4]
    return (
        f"no column may follow from others, but {names[dependent]!r} is determined by "
        f"{len(involved)} of them ({', '.join(map(repr, involved[:5]))}). Leave it out, or use "
        "a ridge above 0."
    )


def _listed(names: Sequence[str], chosen: Iterable[bool | np.bool_]) -> str:
    """Name up to five of the chosen columns."""
    found = [name for name, is_chosen in zip(names, chosen, strict=True) if is_chosen]
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    return ", ".join(map(repr, found[:5])) + more


@dataclass(frozen=True, eq=False, kw_only=True)
class RegressionFit:
    """A maximum and the ridge it was found under, on standardised columns.

    Attributes
    ----------
    coef : ndarray of shape (p,)
    covariance : ndarray of shape (p, p)
        Inverse of information plus penalty.
    log_likelihood : float
        Without the penalty.
    ridge : float
    effective_parameters : float
        Penalised parameters count for less than one; an intercept is not counted.
    n_iterations : int
    converged : bool
    """

    coef: Floats
    covariance: Floats
    log_likelihood: float
    ridge: float
    effective_parameters: float
    n_iterations: int
    converged: bool

    def __repr__(self) -> str:
        return (
            f"RegressionFit({len(self.coef)} coefficients, ridge {self.ridge:g}, "
            f"log likelihood {self.log_likelihood:.6g})"
        )


@dataclass(frozen=True, kw_only=True)
class Newton:
    """How long to iterate: Newton steps at most, and the gain at which to stop."""

    max_iterations: int = 50
    tolerance: float = 1e-9


def fit_regression(
    log_likelihood: LogLikelihood,
    *,
    names: Sequence[str],
    ridge: float,
    start: Floats,
    newton: Newton,
) -> RegressionFit:
    """Fit under one ridge; coefficients beyond the last `len(names)` (an intercept) go unpenalised.

    Raises
    ------
    FitError
        If a coefficient has no finite estimate; the columns are named.
    """
    penalty = np.zeros(len(start))
    penalty[len(start) - len(names) :] = ridge
    maximum = maximise(
        log_likelihood,
        start=start,
        penalty=penalty,
        max_iterations=newton.max_iterations,
        tolerance=newton.tolerance,
    )
    if maximum.runaway.any():
        raise FitError(_describe_runaway(maximum, names))
    covariance = np.linalg.inv(maximum.information + np.diag(penalty))
    return RegressionFit(
        coef=maximum.coef,
        covariance=(covariance + covariance.T) / 2,
        log_likelihood=maximum.log_likelihood,
        ridge=ridge,
        effective_parameters=float(len(names) - penalty @ np.diag(covariance)),
        n_iterations=maximum.n_iterations,
        converged=maximum.converged,
    )


def _describe_runaway(maximum: Maximum, names: Sequence[str]) -> str:
    pace = maximum.runaway[len(maximum.runaway) - len(names) :]
    guilty = pace >= 0.1 * pace.max()
    return (
        f"every coefficient must have a finite estimate, but {guilty.sum()} of {len(names)} run "
        f"away to infinity: {_listed(names, guilty)}. The outcome is separated (a group without "
        "events, or with nothing else): merge levels, leave the column out, or use a ridge above 0."
    )


def fit_ridge(
    log_likelihood: LogLikelihood,
    *,
    names: Sequence[str],
    ridge: float | Literal["aic"],
    unit: float,
    start: Floats,
    newton: Newton,
) -> RegressionFit:
    """Fit under the given ridge, or under the one of `RIDGE_GRID` times `unit` with the best AIC.

    Each fit starts from the one before, the largest penalty first. A penalty whose fit fails
    (no ridge, with collinear columns or separation) is passed over, and so is one that leaves fewer
    than `LEAST_EVENTS` of `unit` for each effective parameter, unless all do.
    """
    if ridge == "aic" and names:
        return _fit_best(log_likelihood, names=names, unit=unit, start=start, newton=newton)
    value = 0.0 if ridge == "aic" else ridge
    if value == 0:
        refuse_collinear(log_likelihood.rows[:, len(start) - len(names) :], names)
    fit = fit_regression(log_likelihood, names=names, ridge=value, start=start, newton=newton)
    if not fit.converged:
        warnings.warn(
            f"the fit did not converge in {fit.n_iterations} iterations. "
            "Raise max_iterations, or look for columns that nearly determine each other.",
            ConvergenceWarning,
            stacklevel=4,
        )
    return fit


def _fit_best(
    log_likelihood: LogLikelihood,
    *,
    names: Sequence[str],
    unit: float,
    start: Floats,
    newton: Newton,
) -> RegressionFit:
    best: RegressionFit | None = None
    best_aic = -np.inf
    for ridge in RIDGE_GRID[::-1] * unit:
        try:
            if ridge == 0:
                refuse_collinear(log_likelihood.rows[:, len(start) - len(names) :], names)
            fit = fit_regression(
                log_likelihood, names=names, ridge=float(ridge), start=start, newton=newton
            )
        except FitError:
            continue
        start = fit.coef
        aic = 2 * fit.log_likelihood - 2 * fit.effective_parameters
        affordable = best is None or LEAST_EVENTS * fit.effective_parameters <= unit
        if fit.converged and affordable and aic > best_aic:
            best, best_aic = fit, aic
    if best is None:
        raise FitError(
            f"a ridge must be found by AIC, but none of {len(RIDGE_GRID)} fits converged in "
            f"{newton.max_iterations} iterations. Raise max_iterations, or state the ridge."
        )
    return best


def check_ridge(ridge: object) -> float | Literal["aic"]:
    """Return `ridge` if it is "aic" or a number of 0 or above."""
    if isinstance(ridge, str) and ridge == "aic":
        return "aic"
    number = isinstance(ridge, int | float | np.number) and not isinstance(ridge, bool)
    if not number or not 0 <= float(ridge) < np.inf:  # type: ignore[arg-type]
        raise ValueError(
            f"ridge must be a number of 0 or above, or 'aic', but {ridge!r} came. "
            "Use 0 for a plain fit."
        )
    return float(ridge)  # type: ignore[arg-type]


def coefficient_table(
    terms: Sequence[str], coef: Floats, covariance: Floats, *, ratio: str
) -> pd.DataFrame:
    """Set out coefficients with Wald intervals (95 %) of their ratio.

    Parameters
    ----------
    terms : sequence of str of length p
    coef : ndarray of shape (p,)
    covariance : ndarray of shape (p, p)
    ratio : str
        Name of exp(coefficient), such as `hazard_ratio`.

    Returns
    -------
    DataFrame, one row per term
        Columns `term`, `coefficient`, `standard_error`, `ratio`, `lower` and `upper` (of the
        ratio), `z` and `p_value` (two-sided).
    """
    error = np.sqrt(np.diag(covariance))
    z = coef / error
    half = norm.ppf((1 + LEVEL) / 2) * error
    with np.errstate(over="ignore"):
        ratios, lower, upper = np.exp(coef), np.exp(coef - half), np.exp(coef + half)
    return pd.DataFrame(
        {
            "term": list(terms),
            "coefficient": coef,
            "standard_error": error,
            ratio: ratios,
            "lower": lower,
            "upper": upper,
            "z": z,
            "p_value": 2 * norm.sf(np.abs(z)),
        }
    )


def check_rows(X: ArrayLike, n_outcomes: int) -> None:
    """Raise unless the design and the outcome have the same number of patients."""
    n_patients = len(np.asarray(X))
    if n_patients != n_outcomes:
        raise ValueError(
            f"X and y must have one row per patient, but X has {n_patients} and y {n_outcomes}."
        )
