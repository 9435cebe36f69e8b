r"""How fast does the event come, given a patient's predictors: Cox regression.

.. math::

    h(t \mid x) = h_0(t)\, e^{\eta}, \qquad \eta = (x - \bar x)^\top \beta, \qquad
    \mathrm{risk}(t) = 1 - \exp(-\hat H_0(t)\, e^{\eta}), \qquad
    \hat H_0(t) = \sum_{t_k \le t} \frac{d_k}{\sum_{j \in R_k} e^{\eta_j}}

Ties are Efron's; the baseline is Breslow's, of a patient at the mean of every column.

References
----------
Cox DR. Regression models and life-tables. JRSS B 1972;34:187-220.
doi:10.1111/j.2517-6161.1972.tb00899.x
Breslow N. Covariance analysis of censored survival data. Biometrics 1974;30:89-99.
doi:10.2307/2529620
"""

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from models.partial_likelihood import PartialLikelihood
from models.regression import (
    Newton,
    RegressionFit,
    Standardised,
    check_ridge,
    check_rows,
    coefficient_table,
    fit_ridge,
    read_design,
    read_same_design,
    standardise,
)
from omics.checks import check_event, check_numbers, check_same_length, check_time
from omics.errors import FitError
from omics.outcome import is_survival

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class CoxFit:
    """A Cox regression on arrays.

    Attributes
    ----------
    coef : ndarray of shape (p,)
        Log hazard ratio per unit of each column.
    covariance : ndarray of shape (p, p)
    log_likelihood : tuple of float
        Log partial likelihood at 0 (with the offset) and at `coef`.
    n_iterations, n_patients, n_events : int
    """

    coef: Floats
    covariance: Floats
    log_likelihood: tuple[float, float]
    n_iterations: int
    n_patients: int
    n_events: int

    def __repr__(self) -> str:
        return (
            f"CoxFit({self.n_patients} patients, {self.n_events} events, {len(self.coef)} "
            f"coefficients, likelihood ratio {self.likelihood_ratio:.4g})"
        )

    @property
    def likelihood_ratio(self) -> float:
        """Likelihood-ratio chi-squared against the offset alone."""
        return 2 * (self.log_likelihood[1] - self.log_likelihood[0])


def cox_fit(
    x: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    initial: ArrayLike | None = None,
) -> CoxFit:
    """Fit a Cox regression to arrays, Efron's ties, to convergence.

    Parameters
    ----------
    x : array-like of shape (n_patients, p)
        Columns; p may be 0, which gives the likelihood of the offset alone.
    time : array-like of shape (n_patients,)
        Follow-up, above zero.
    event : array-like of shape (n_patients,)
        True where the event was observed.
    strata : array-like of shape (n_patients,), optional
        Labels of groups that have a baseline hazard of their own.
    offset : array-like of shape (n_patients,), optional
        Added to the linear predictor with coefficient 1.
    initial : array-like of shape (p,), optional
        Where to start; the result does not depend on it.

    Returns
    -------
    CoxFit

    Raises
    ------
    ValueError
        If an argument has the wrong shape or range.
    FitError
        If there is no event, a column is constant or collinear, or a coefficient is infinite.

    Examples
    --------
    Three pairs of patients; a pair tells only whose event came first.

    >>> fit = cox_fit([[1.0], [0.0], [1.0], [0.0], [1.0], [0.0]], [1, 2, 1, 2, 2, 1],
    ...               [1, 1, 1, 1, 1, 1], strata=["a", "a", "b", "b", "c", "c"])
    >>> fit
    CoxFit(6 patients, 6 events, 1 coefficients, likelihood ratio 0.3398)
    >>> round(float(np.exp(fit.coef[0])), 6)  # the exposed one, in two of three
    2.0
    """
    columns, names = read_design(x)
    time, event = check_time(time, "time"), check_event(event, "event")
    groups = None if strata is None else np.asarray(strata)
    shift = np.zeros(len(time)) if offset is None else check_numbers(offset, "offset")
    check_same_length(
        x=columns, time=time, event=event, offset=shift, strata=time if groups is None else groups
    )
    design, likelihood = _prepare(columns, names, time, event, groups, shift)
    start = np.zeros(len(names)) if initial is None else check_numbers(initial, "initial")
    if len(start) != len(names):
        raise ValueError(
            f"initial must have one value per column ({len(names)}), but {len(start)} came."
        )
    start = start * design.scales
    fit = fit_ridge(likelihood, names=names, ridge=0.0, unit=1.0, start=start, newton=Newton())
    return CoxFit(
        coef=fit.coef / design.scales,
        covariance=fit.covariance / np.outer(design.scales, design.scales),
        log_likelihood=(likelihood(0 * start).log_likelihood, fit.log_likelihood),
        n_iterations=fit.n_iterations,
        n_patients=len(time),
        n_events=int(event.sum()),
    )


def _prepare(
    columns: Floats,
    names: tuple[str, ...],
    time: Floats,
    event: NDArray[np.bool_],
    strata: NDArray[Any] | None,
    offset: Floats | None,
) -> tuple[Standardised, PartialLikelihood]:
    """Standardise the columns and lay out the risk sets."""
    if not event.any():
        raise FitError(
            f"a Cox regression needs events, but none of {len(event)} patients had one. "
            "Check the declared event value, or leave the model out."
        )
    design = standardise(columns, names)
    return design, PartialLikelihood.of(design.z, time, event, strata=strata, offset=offset)


def breslow_baseline(
    linear_predictor: ArrayLike, time: ArrayLike, event: ArrayLike
) -> tuple[Floats, Floats]:
    """Estimate the cumulative baseline hazard at linear predictor 0.

    Parameters
    ----------
    linear_predictor : array-like of shape (n_patients,)
        Higher is worse.
    time : array-like of shape (n_patients,)
    event : array-like of shape (n_patients,)

    Returns
    -------
    times : ndarray of shape (n_times,)
        Distinct event times, rising.
    hazard : ndarray of shape (n_times,)
        Cumulative hazard just after each of them.

    Examples
    --------
    >>> times, hazard = breslow_baseline([0, 0, 0], [1, 2, 3], [1, 0, 1])
    >>> times.tolist(), hazard.round(4).tolist()
    ([1.0, 3.0], [0.3333, 1.3333])
    """
    eta = check_numbers(linear_predictor, "linear_predictor")
    time, event = check_time(time, "time"), check_event(event, "event")
    check_same_length(linear_predictor=eta, time=time, event=event)
    times, deaths = np.unique(time[event], return_counts=True)
    order = np.argsort(time, kind="stable")
    top = eta.max(initial=0.0)
    remaining = np.cumsum(np.exp(eta[order] - top)[::-1])[::-1]
    at_risk = remaining[np.searchsorted(time[order], times, side="left")]
    return times, np.cumsum(deaths / at_risk) * np.exp(-top)


class CoxModel(BaseEstimator):  # type: ignore[misc]
    """Cox regression, plain or ridge, with a baseline that turns it into risks.

    Parameters
    ----------
    ridge : float or "aic", default 0
        Penalty on the squared coefficients of columns scaled to unit standard deviation; "aic"
        takes the one of a fixed grid with the largest AIC (see `models.regression`).
    max_iterations : int, default 50
        Newton steps at most; a `ConvergenceWarning` if they run out.
    tolerance : float, default 1e-9
        Gain in log likelihood below which a step is the last.

    Attributes
    ----------
    coef_ : ndarray of shape (p,)
        Log hazard ratio per unit of each column.
    covariance_ : ndarray of shape (p, p)
        Inverse of information plus penalty.
    means_ : ndarray of shape (p,)
        Means of the columns: the patient whose linear predictor is 0.
    baseline_time_ : ndarray of shape (n_times,)
        Distinct event times.
    baseline_hazard_ : ndarray of shape (n_times,)
        Cumulative Breslow hazard at linear predictor 0.
    max_time_ : float
        Longest follow-up, of an event or a censoring.
    log_likelihood_ : tuple of float
        Log partial likelihood without and with the columns; the penalty is not counted.
    ridge_ : float
        Penalty used.
    effective_parameters_ : float
        Degrees of freedom; p without a ridge.
    n_iterations_, n_patients_, n_events_ : int
    feature_names_in_ : ndarray of shape (p,)

    Notes
    -----
    Considered and rejected: Efron's baseline (R's `basehaz` after Efron's ties; `ctype = 1` gives
    ours), because margins of other learners get Breslow's, and models are to be compared.

    Examples
    --------
    >>> from omics.outcome import survival_outcome
    >>> y = survival_outcome([5, 8, 9, 12, 15, 20], [1, 1, 0, 1, 1, 0])
    >>> X = pd.DataFrame({"Age": [61.0, 40.0, 48.0, 66.0, 35.0, 44.0]})
    >>> model = CoxModel().fit(X, y)
    >>> model.coef_.round(4).tolist()
    [0.0409]
    >>> model.risk(X, horizon=10).round(2).tolist()
    [0.43, 0.21, 0.28, 0.5, 0.18, 0.25]
    >>> model.risk(X, horizon=21).tolist()
    [nan, nan, nan, nan, nan, nan]
    """

    def __init__(
        self,
        *,
        ridge: float | Literal["aic"] = 0.0,
        max_iterations: int = 50,
        tolerance: float = 1e-9,
    ) -> None:
        self.ridge = ridge
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    def fit(self, X: Any, y: NDArray[Any]) -> Self:
        """Learn coefficients and baseline.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, p)
            A numeric design matrix without missing values; p may be 0.
        y : structured array of shape (n_patients,)
            Fields `time` and `event`, from `omics.outcome.survival_outcome`.

        Returns
        -------
        CoxModel

        Raises
        ------
        ValueError
            If X or y has the wrong shape or content.
        FitError
            If there is no event, a column is constant, or (without a ridge) columns are collinear
            or a coefficient is infinite.
        """
        columns, names = read_design(X)
        time, event = read_survival(y)
        check_rows(columns, len(time))
        design, likelihood = _prepare(columns, names, time, event, None, None)
        fit = fit_ridge(
            likelihood,
            names=names,
            ridge=check_ridge(self.ridge),
            unit=float(event.sum()),
            start=np.zeros(len(names)),
            newton=Newton(max_iterations=self.max_iterations, tolerance=self.tolerance),
        )
        self._learn(design, fit)
        null = likelihood(np.zeros(len(names)))
        self.log_likelihood_ = (null.log_likelihood, fit.log_likelihood)
        baseline = breslow_baseline(design.z @ fit.coef, time, event)
        self.baseline_time_, self.baseline_hazard_ = baseline
        self.max_time_ = float(time.max())
        self.n_patients_, self.n_events_ = len(time), int(event.sum())
        return self

    def _learn(self, design: Standardised, fit: RegressionFit) -> None:
        """Keep the coefficients in the columns' own units."""
        self.feature_names_in_ = np.array(design.names, dtype=object)
        self.n_features_in_ = len(design.names)
        self.means_ = design.means
        self.coef_ = fit.coef / design.scales
        self.covariance_ = fit.covariance / np.outer(design.scales, design.scales)
        self.ridge_ = fit.ridge
        self.effective_parameters_ = fit.effective_parameters
        self.n_iterations_ = fit.n_iterations

    def linear_predictor(self, X: Any) -> Floats:
        """Give (X - means) @ coef, shape (n_patients,); higher is worse, 0 is the mean patient."""
        check_is_fitted(self, "coef_")
        columns = read_same_design(X, tuple(self.feature_names_in_))
        return np.asarray((columns - self.means_) @ self.coef_)

    def risk(self, X: Any, *, horizon: float | None) -> Floats:
        """Give P(event by `horizon`), in [0, 1]; higher is worse.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, p)
            The columns of the fit.
        horizon : float
            Time above zero, in the unit of the fit; must be stated.

        Returns
        -------
        ndarray of shape (n_patients,)
            NaN where `horizon` lies beyond `max_time_`: nobody was followed that long.
        """
        check_is_fitted(self, "coef_")
        if horizon is None:
            raise ValueError(
                "horizon must be stated, but None came. A survival risk has a time: "
                f"risk(X, horizon=t), t up to {self.max_time_:g}."
            )
        if not 0 < horizon < np.inf:
            raise ValueError(f"horizon must be above zero and finite, but {horizon} came.")
        eta = self.linear_predictor(X)
        if horizon > self.max_time_:
            return np.full(len(eta), np.nan)
        passed = np.searchsorted(self.baseline_time_, horizon, side="right")
        if passed == 0:
            return np.zeros(len(eta))
        with np.errstate(over="ignore"):  # an infinite hazard is a risk of 1
            return np.asarray(-np.expm1(-np.exp(np.log(self.baseline_hazard_[passed - 1]) + eta)))

    def median(self, X: Any) -> Floats:
        """Give the first time at which survival is .5 or less, shape (n_patients,).

        NaN where survival stays above .5 to the last event; higher is better.
        """
        eta = self.linear_predictor(X)
        with np.errstate(over="ignore", under="ignore"):
            needed = np.log(2) * np.exp(-eta)
        reached = np.searchsorted(self.baseline_hazard_, needed, side="left")
        return np.asarray(np.append(self.baseline_time_, np.nan)[reached])

    @property
    def coefficients(self) -> pd.DataFrame:
        """Table of coefficients, one row per column.

        Columns `term`, `coefficient`, `standard_error`, `hazard_ratio`, `lower` and `upper` (95 %
        Wald interval of the hazard ratio), `z`, `p_value`. With a ridge the errors are those of
        the penalised fit: they do not count the bias of shrinkage.
        """
        check_is_fitted(self, "coef_")
        return coefficient_table(
            tuple(self.feature_names_in_), self.coef_, self.covariance_, ratio="hazard_ratio"
        )


def read_survival(y: Any) -> tuple[Floats, NDArray[np.bool_]]:
    """Return time and event of a survival outcome, checked."""
    if not is_survival(np.asarray(y)):
        raise ValueError(
            "y must be a survival outcome with fields 'time' and 'event', but an array of dtype "
            f"{np.asarray(y).dtype} came. Build it with omics.outcome.survival_outcome."
        )
    return check_time(y["time"], "time"), check_event(y["event"], "event")
