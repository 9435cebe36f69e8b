r"""How likely is the outcome, given a patient's predictors: logistic regression.

.. math::

    \mathrm{risk} = \frac{1}{1 + e^{-\eta}}, \qquad \eta = \beta_0 + x^\top \beta

References
----------
Cox DR. The regression analysis of binary sequences. JRSS B 1958;20:215-242.
doi:10.1111/j.2517-6161.1958.tb00292.x
Le Cessie S, van Houwelingen JC. Ridge estimators in logistic regression. Applied Statistics
1992;41:191-201. doi:10.2307/2347628
"""

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from models.newton import Derivatives
from models.regression import (
    Newton,
    RegressionFit,
    Standardised,
    check_ridge,
    check_rows,
    coefficient_table,
    fit_regression,
    fit_ridge,
    read_design,
    read_same_design,
    standardise,
)
from omics.checks import check_event, check_numbers, check_same_length
from omics.errors import FitError

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class BernoulliLikelihood:
    """The log likelihood of a logistic model, as a function of intercept and coefficients.

    Attributes
    ----------
    rows : ndarray of shape (n_patients, 1 + p)
        A column of ones, then the design.
    event : ndarray of shape (n_patients,)
    offset : ndarray of shape (n_patients,)
    """

    rows: Floats
    event: NDArray[np.bool_]
    offset: Floats

    def __repr__(self) -> str:
        return f"BernoulliLikelihood({len(self.event)} patients, {self.event.sum()} events)"

    def __call__(self, coef: Floats) -> Derivatives:
        """Evaluate the log likelihood and its derivatives at `coef`, shape (1 + p,)."""
        eta = self.rows @ coef + self.offset
        risk = expit(eta)
        spread = risk * expit(-eta)
        return Derivatives(
            float(eta[self.event].sum() - np.logaddexp(0, eta).sum()),
            self.rows.T @ (self.event - risk),
            (self.rows.T * spread) @ self.rows,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class LogisticFit:
    """A logistic regression on arrays.

    Attributes
    ----------
    intercept : float
    coef : ndarray of shape (p,)
        Log odds ratio per unit of each column.
    covariance : ndarray of shape (1 + p, 1 + p)
        The intercept comes first.
    log_likelihood : tuple of float
        With the intercept (and the offset) alone, and with the columns.
    n_iterations : int
    n_patients : int
    n_events : int
    """

    intercept: float
    coef: Floats
    covariance: Floats
    log_likelihood: tuple[float, float]
    n_iterations: int
    n_patients: int
    n_events: int

    def __repr__(self) -> str:
        return (
            f"LogisticFit({self.n_patients} patients, {self.n_events} events, {len(self.coef)} "
            f"coefficients, likelihood ratio {self.likelihood_ratio:.4g})"
        )

    @property
    def likelihood_ratio(self) -> float:
        """Likelihood-ratio chi-squared against the intercept and offset alone."""
        return 2 * (self.log_likelihood[1] - self.log_likelihood[0])


def logistic_fit(x: ArrayLike, event: ArrayLike, *, offset: ArrayLike | None = None) -> LogisticFit:
    """Fit a logistic regression with an intercept to arrays, to convergence.

    Parameters
    ----------
    x : array-like of shape (n_patients, p)
        Columns; p may be 0, which gives the intercept alone.
    event : array-like of shape (n_patients,)
        True where the event was observed.
    offset : array-like of shape (n_patients,), optional
        Added to the linear predictor with coefficient 1.

    Returns
    -------
    LogisticFit

    Raises
    ------
    ValueError
        If an argument has the wrong shape or range.
    FitError
        If one class is absent, a column is constant or collinear, or a coefficient is infinite.

    Examples
    --------
    Of four exposed three fell ill, of four others one: the odds ratio is 9.

    >>> fit = logistic_fit([[1.0]] * 4 + [[0.0]] * 4, [1, 1, 1, 0, 1, 0, 0, 0])
    >>> round(float(np.exp(fit.coef[0])), 6), round(float(np.exp(fit.intercept)), 6)
    (9.0, 0.333333)
    """
    columns, names = read_design(x)
    event = check_event(event, "event")
    shift = np.zeros(len(event)) if offset is None else check_numbers(offset, "offset")
    check_same_length(x=columns, event=event, offset=shift)
    design, likelihood, null = _prepare(columns, names, event, shift)
    fit = fit_ridge(
        likelihood, names=names, ridge=0.0, unit=1.0, start=_start(null, names), newton=Newton()
    )
    coef, covariance = _unscale(design, fit)
    return LogisticFit(
        intercept=float(coef[0]),
        coef=coef[1:],
        covariance=covariance,
        log_likelihood=(null.log_likelihood, fit.log_likelihood),
        n_iterations=fit.n_iterations,
        n_patients=len(event),
        n_events=int(event.sum()),
    )


def _prepare(
    columns: Floats, names: tuple[str, ...], event: NDArray[np.bool_], offset: Floats
) -> tuple[Standardised, BernoulliLikelihood, RegressionFit]:
    """Standardise the columns and fit the intercept alone."""
    if event.all() or not event.any():
        raise FitError(
            f"a logistic regression needs both classes, but {event.sum()} of {len(event)} patients "
            "had the event. Check the declared positive value, or leave the model out."
        )
    design = standardise(columns, names)
    ones = np.ones((len(event), 1))
    null = fit_regression(
        BernoulliLikelihood(rows=ones, event=event, offset=offset),
        names=(),
        ridge=0.0,
        start=np.array([logit(event.mean()) - offset.mean()]),
        newton=Newton(),
    )
    rows = np.concatenate([ones, design.z], axis=1)
    return design, BernoulliLikelihood(rows=rows, event=event, offset=offset), null


def _start(null: RegressionFit, names: tuple[str, ...]) -> Floats:
    return np.concatenate([null.coef, np.zeros(len(names))])


def _unscale(design: Standardised, fit: RegressionFit) -> tuple[Floats, Floats]:
    """Give intercept and coefficients, and their covariance, in the columns' own units."""
    back = np.diag(np.concatenate([[1.0], 1 / design.scales]))
    back[0, 1:] = -design.means / design.scales
    return back @ fit.coef, back @ fit.covariance @ back.T


class LogisticModel(BaseEstimator):  # type: ignore[misc]
    """Logistic regression, plain or ridge.

    Parameters
    ----------
    ridge : float or "aic", default 0
        Penalty on the squared coefficients of columns scaled to unit standard deviation, the
        intercept left free; "aic" takes the one of a fixed grid with the largest AIC (see
        `models.regression`).
    max_iterations : int, default 50
        Newton steps at most; a `ConvergenceWarning` if they run out.
    tolerance : float, default 1e-9
        Gain in log likelihood below which a step is the last.

    Attributes
    ----------
    intercept_ : float
        Linear predictor where every column is 0.
    coef_ : ndarray of shape (p,)
        Log odds ratio per unit of each column.
    covariance_ : ndarray of shape (1 + p, 1 + p)
        Inverse of information plus penalty, the intercept first.
    means_ : ndarray of shape (p,)
        Means of the columns.
    log_likelihood_ : tuple of float
        With the intercept alone and with the columns; the penalty is not counted.
    ridge_ : float
        Penalty used.
    effective_parameters_ : float
        Degrees of freedom without the intercept; p without a ridge.
    n_iterations_, n_patients_, n_events_ : int
    feature_names_in_ : ndarray of shape (p,)

    Examples
    --------
    >>> X = pd.DataFrame({"exposed": [1.0, 1, 1, 1, 0, 0, 0, 0]})
    >>> model = LogisticModel().fit(X, np.array([1, 1, 1, 0, 1, 0, 0, 0], dtype=bool))
    >>> model.risk(X.iloc[[0, 4]]).round(6).tolist()
    [0.75, 0.25]
    >>> model.coefficients[["term", "odds_ratio"]].round(6).values.tolist()
    [['Intercept', nan], ['exposed', 9.0]]
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

    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Learn intercept and coefficients.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, p)
            A numeric design matrix without missing values; p may be 0.
        y : array-like of shape (n_patients,)
            True where the event was observed.

        Returns
        -------
        LogisticModel

        Raises
        ------
        ValueError
            If X or y has the wrong shape or content.
        FitError
            If one class is absent, a column is constant, or (without a ridge) columns are
            collinear or a coefficient has no finite estimate.
        """
        columns, names = read_design(X)
        event = check_event(y, "y")
        check_rows(columns, len(event))
        design, likelihood, null = _prepare(columns, names, event, np.zeros(len(event)))
        fit = fit_ridge(
            likelihood,
            names=names,
            ridge=check_ridge(self.ridge),
            unit=float(len(event) * event.mean() * (1 - event.mean())),
            start=_start(null, names),
            newton=Newton(max_iterations=self.max_iterations, tolerance=self.tolerance),
        )
        self.feature_names_in_ = np.array(names, dtype=object)
        self.n_features_in_ = len(names)
        self.means_ = design.means
        coef, self.covariance_ = _unscale(design, fit)
        self.intercept_, self.coef_ = float(coef[0]), coef[1:]
        self.log_likelihood_ = (null.log_likelihood, fit.log_likelihood)
        self.ridge_ = fit.ridge
        self.effective_parameters_ = fit.effective_parameters
        self.n_iterations_ = fit.n_iterations
        self.n_patients_, self.n_events_ = len(event), int(event.sum())
        return self

    def linear_predictor(self, X: Any) -> Floats:
        """Give intercept + X @ coef, the log odds, shape (n_patients,); higher is worse."""
        check_is_fitted(self, "coef_")
        columns = read_same_design(X, tuple(self.feature_names_in_))
        return np.asarray(self.intercept_ + columns @ self.coef_)

    def risk(self, X: Any, *, horizon: float | None = None) -> Floats:
        """Give P(event), in [0, 1], shape (n_patients,); higher is worse.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, p)
            The columns of the fit.
        horizon : None
            A binary outcome has no time: anything else is refused.
        """
        if horizon is not None:
            raise ValueError(
                f"horizon must be left out for a binary outcome, but {horizon} came. "
                "Use CoxModel for a risk at a time."
            )
        return np.asarray(expit(self.linear_predictor(X)))

    @property
    def coefficients(self) -> pd.DataFrame:
        """Table of coefficients, the intercept first.

        Columns `term`, `coefficient`, `standard_error`, `odds_ratio`, `lower` and `upper` (95 %
        Wald interval of the odds ratio; NaN for the intercept), `z`, `p_value`. With a ridge the
        errors are those of the penalised fit: they do not count the bias of shrinkage.
        """
        check_is_fitted(self, "coef_")
        table = coefficient_table(
            ("Intercept", *self.feature_names_in_),
            np.concatenate([[self.intercept_], self.coef_]),
            self.covariance_,
            ratio="odds_ratio",
        )
        table.loc[0, ["odds_ratio", "lower", "upper"]] = np.nan
        return table
