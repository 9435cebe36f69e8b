r"""When does the event come, if survival times follow a known law: accelerated failure time models.

.. math::

    \log T = \alpha + x^\top \gamma + \sigma W, \qquad
    \eta = -(x - \bar x)^\top \gamma / \sigma, \qquad
    \mathrm{risk}(t) = F\!\left(\frac{\log t - \alpha - \bar x^\top \gamma}{\sigma} + \eta\right)

W follows the law of the smallest extreme value (Weibull, :math:`F(u) = 1 - e^{-e^u}`), the standard
normal (log-normal) or the logistic (log-logistic). So :math:`\eta` is a log hazard ratio (Weibull),
a shift in standard deviations (log-normal) or a log odds ratio (log-logistic) against the patient
at the mean of every column; higher is worse. lifelines fits; risks are read off the closed form.

References
----------
Wei LJ. The accelerated failure time model: a useful alternative to the Cox regression model in
survival analysis. Statistics in Medicine 1992;11:1871-1879. doi:10.1002/sim.4780111409
"""

import warnings
from collections.abc import Sequence
from typing import Any, Literal, Self, get_args

import numpy as np
import pandas as pd
from lifelines import LogLogisticAFTFitter, LogNormalAFTFitter, WeibullAFTFitter
from lifelines.exceptions import ConvergenceError
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from models.checks import check_asked_horizon
from models.cox import read_survival
from models.regression import (
    check_rows,
    coefficient_table,
    read_design,
    read_same_design,
    refuse_collinear,
    standardise,
)
from omics.errors import FitError

Floats = NDArray[np.float64]
Distribution = Literal["weibull", "lognormal", "loglogistic"]

# lifelines' fitter, its names of location and scale, and whether log(scale) is -log(sigma).
_FITTERS: dict[str, tuple[type[Any], str, str, float]] = {
    "weibull": (WeibullAFTFitter, "lambda_", "rho_", -1.0),
    "lognormal": (LogNormalAFTFitter, "mu_", "sigma_", 1.0),
    "loglogistic": (LogLogisticAFTFitter, "alpha_", "beta_", -1.0),
}
# A column whose effect, or whose effect's standard error, moves log time by this many sigmas from
# its smallest to its largest value is on its way to infinity.
FAR = 30.0
TIGHT = {"ftol": 1e-13, "maxiter": 500}


class ParametricModel(BaseEstimator):  # type: ignore[misc]
    """Accelerated failure time regression: Weibull, log-normal or log-logistic.

    Parameters
    ----------
    distribution : {"weibull", "lognormal", "loglogistic"}, default "weibull"
        Law of the survival times.

    Attributes
    ----------
    coef_ : ndarray of shape (p,)
        Change of log time per unit of each column; above 0 the event comes later.
    covariance_ : ndarray of shape (p, p)
    intercept_ : float
        Log time at the mean patient where W is 0.
    scale_ : float
        Sigma, above 0.
    means_ : ndarray of shape (p,)
        Means of the columns: the patient whose linear predictor is 0.
    max_time_ : float
        Longest follow-up; a risk beyond it is NaN.
    log_likelihood_ : tuple of float
        Log likelihood of the times without and with the columns (R's `survreg`).
    n_patients_, n_events_ : int
    feature_names_in_ : ndarray of shape (p,)

    Notes
    -----
    Considered and rejected: a fit of our own, because lifelines' equals R's `survreg` to 1e-4
    standard errors, and the law is not what this project exists for.

    Examples
    --------
    >>> from omics.outcome import survival_outcome
    >>> y = survival_outcome([5, 8, 9, 12, 15, 20], [1, 1, 0, 1, 1, 0])
    >>> X = pd.DataFrame({"Age": [61.0, 40.0, 48.0, 66.0, 35.0, 44.0]})
    >>> model = ParametricModel(distribution="weibull").fit(X, y)
    >>> bool(model.coef_[0] < 0)  # the older, the sooner
    True
    >>> model.risk(X, horizon=10).round(2).tolist()
    [0.49, 0.23, 0.32, 0.57, 0.19, 0.27]
    """

    def __init__(self, *, distribution: Distribution = "weibull") -> None:
        self.distribution = distribution

    def fit(self, X: Any, y: NDArray[Any]) -> Self:
        """Learn coefficients, intercept and scale.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, p)
            A numeric design matrix without missing values; p may be 0.
        y : structured array of shape (n_patients,)
            Fields `time` and `event`, from `omics.outcome.survival_outcome`.

        Returns
        -------
        ParametricModel

        Raises
        ------
        ValueError
            If X, y or the distribution is not as described.
        FitError
            If there is no event, a column is constant or collinear, or no finite fit exists.
        """
        if self.distribution not in get_args(Distribution):
            raise ValueError(
                f"distribution must be one of {list(get_args(Distribution))}, but "
                f"{self.distribution!r} came."
            )
        columns, names = read_design(X)
        time, event = read_survival(y)
        check_rows(columns, len(time))
        if not event.any():
            raise FitError(
                f"a survival regression needs events, but none of {len(event)} patients had one. "
                "Check the declared event value, or leave the model out."
            )
        design = standardise(columns, names)
        refuse_collinear(design.z, names)
        center = float(np.log(time).mean())
        coef, covariance, intercept, self.scale_, shift = _fit(
            design.z, time / np.exp(center), event, self.distribution, names
        )
        self.feature_names_in_ = np.array(names, dtype=object)
        self.n_features_in_ = len(names)
        self.means_ = design.means
        self.coef_ = coef / design.scales
        self.covariance_ = covariance / np.outer(design.scales, design.scales)
        self.intercept_ = intercept + center
        per_time = -center * event.sum()  # the density is per unit of time
        self.log_likelihood_ = (shift[0] + per_time, shift[1] + per_time)
        self.max_time_ = float(time.max())
        self.n_patients_, self.n_events_ = len(time), int(event.sum())
        return self

    def linear_predictor(self, X: Any) -> Floats:
        """Give -(X - means) @ coef / scale, shape (n_patients,); higher is worse."""
        check_is_fitted(self, "coef_")
        columns = read_same_design(X, tuple(self.feature_names_in_))
        return np.asarray(-((columns - self.means_) @ self.coef_) / self.scale_)

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
            NaN where `horizon` lies beyond `max_time_`: the law may not hold so far.
        """
        eta = self.linear_predictor(X)
        asked = check_asked_horizon(horizon, self.max_time_)
        if asked > self.max_time_:
            return np.full(len(eta), np.nan)
        return _distribution(
            self.distribution, (np.log(asked) - self.intercept_) / self.scale_ + eta
        )

    def median(self, X: Any) -> Floats:
        """Give the time by which half of such patients have the event; higher is better."""
        middle = {"weibull": np.log(np.log(2)), "lognormal": 0.0, "loglogistic": 0.0}
        at = self.intercept_ + self.scale_ * (middle[self.distribution] - self.linear_predictor(X))
        return np.asarray(np.exp(at))

    @property
    def coefficients(self) -> pd.DataFrame:
        """Table of coefficients, one row per column.

        Columns `term`, `coefficient` (of log time), `standard_error`, `time_ratio`, `lower` and
        `upper` (95 % Wald interval of the time ratio; above 1: later), `z`, `p_value`.
        """
        check_is_fitted(self, "coef_")
        return coefficient_table(
            tuple(self.feature_names_in_), self.coef_, self.covariance_, ratio="time_ratio"
        )


def _distribution(law: str, at: Floats) -> Floats:
    """Give P(W <= at)."""
    match law:
        case "weibull":
            with np.errstate(over="ignore"):
                return np.asarray(-np.expm1(-np.exp(at)))
        case "lognormal":
            return np.asarray(norm.cdf(at))
        case _:
            return np.asarray(expit(at))


def _fit(
    z: Floats, time: Floats, event: NDArray[np.bool_], law: str, names: tuple[str, ...]
) -> tuple[Floats, Floats, float, float, tuple[float, float]]:
    """Give coefficients, their covariance, intercept, sigma and both log likelihoods."""
    kind, location, scale, sign = _FITTERS[law]
    columns = [f"x{j}" for j in range(len(names))]
    table = pd.DataFrame(z, columns=columns).assign(time=time, event=event)
    fits = []
    for kept in ([], columns):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they say is checked below
            try:
                fits.append(
                    kind().fit(table[[*kept, "time", "event"]], "time", "event", fit_options=TIGHT)
                )
            except (ConvergenceError, np.linalg.LinAlgError) as error:
                raise FitError(_no_fit(law, names)) from error
    null, fit = fits
    coef = fit.params_[location].reindex(columns).to_numpy(dtype=np.float64)
    covariance = (
        fit.variance_matrix_.loc[location, location]
        .loc[columns, columns]
        .to_numpy(dtype=np.float64)
    )
    sigma = float(np.exp(sign * fit.params_[scale]["Intercept"]))
    errors = np.sqrt(np.maximum(np.diag(covariance), 0))
    reach = np.maximum(np.abs(coef), errors) * np.ptp(z, axis=0) / sigma
    wrong = ~(reach < FAR) | (errors == 0)
    if wrong.any():
        raise FitError(_no_fit(law, [name for name, far in zip(names, wrong, strict=True) if far]))
    intercept = float(fit.params_[location]["Intercept"])
    return (
        coef,
        covariance,
        intercept,
        sigma,
        (float(null.log_likelihood_), float(fit.log_likelihood_)),
    )


def _no_fit(law: str, names: Sequence[str]) -> str:
    return (
        f"a {law} regression must have a finite fit, but none was found for "
        f"{', '.join(map(repr, names[:5]))}. A group without events, or with nothing else, has no "
        "finite coefficient: merge levels, or leave the column out."
    )
