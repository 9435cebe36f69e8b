r"""How fast does the event come, given a patient's predictors: Cox regression.

.. math::

    h(t \mid x) = h_0(t)\, e^{\eta}, \qquad \eta = (x - \bar x)^\top \beta, \qquad
    \mathrm{risk}(t) = 1 - \exp(-\hat H_0(t)\, e^{\eta})

Ties are Efron's or Breslow's; the baseline is Breslow's (`models.baseline`), of a patient at the
mean of every column. Strata, such as centres, have a baseline each and share the coefficients.

References
----------
Cox DR. Regression models and life-tables. JRSS B 1972;34:187-220.
doi:10.1111/j.2517-6161.1972.tb00899.x
"""

from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from models.baseline import breslow_baseline
from models.checks import check_asked_horizon
from models.cox_fit import CoxData, unscaled
from models.partial_likelihood import Ties
from models.regression import (
    Newton,
    check_ridge,
    check_rows,
    coefficient_table,
    fit_ridge,
    read_design,
    read_same_design,
)
from omics.checks import check_event, check_time
from omics.outcome import is_survival

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]


class CoxModel(BaseEstimator):  # type: ignore[misc]
    """Cox regression, plain or ridge, with a baseline that turns it into risks.

    Parameters
    ----------
    ridge : float or "aic", default 0
        Penalty on the squared coefficients of columns scaled to unit standard deviation; "aic"
        takes the one of a fixed grid with the largest AIC (see `models.regression`).
    ties : {"efron", "breslow"}, default "efron"
        How events at the same time are counted.
    strata : str, optional
        Name of a column of X that holds labels: each has a baseline hazard of its own, and the
        column has no coefficient.
    robust : bool, default False
        Whether `covariance_` is the sandwich (over the clusters, if `fit` gets them), which holds
        where patients resemble each other or hazards are not proportional. Not with a ridge.
    max_iterations : int, default 50
        Newton steps at most; a `ConvergenceWarning` if they run out.
    tolerance : float, default 1e-9
        Gain in log likelihood below which a step is the last.

    Attributes
    ----------
    coef_ : ndarray of shape (p,)
        Log hazard ratio per unit of each column.
    covariance_ : ndarray of shape (p, p)
        Inverse of information plus penalty; the sandwich if `robust`.
    means_ : ndarray of shape (p,)
        Means of the columns: the patient whose linear predictor is 0.
    strata_ : ndarray of shape (n_strata,)
        Labels of the strata, sorted; one empty label without `strata`.
    baseline_time_ : ndarray of shape (n_times,)
        Distinct event times, of one stratum after the other.
    baseline_hazard_ : ndarray of shape (n_times,)
        Cumulative Breslow hazard at linear predictor 0.
    baseline_stratum_ : ndarray of shape (n_times,)
        Position in `strata_` of each.
    last_times_ : ndarray of shape (n_strata,)
        Longest follow-up of each stratum, of an event or a censoring: a risk beyond it is NaN.
    max_time_ : float
        The largest of them.
    log_likelihood_ : tuple of float
        Log partial likelihood without and with the columns; the penalty is not counted.
    ridge_ : float
        Penalty used.
    effective_parameters_ : float
        Degrees of freedom; p without a ridge.
    n_iterations_, n_patients_, n_events_ : int
        Patients of weight 0 are not counted.
    feature_names_in_ : ndarray of shape (p,)
        The columns with a coefficient.

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
        ties: Ties = "efron",
        strata: str | None = None,
        robust: bool = False,
        max_iterations: int = 50,
        tolerance: float = 1e-9,
    ) -> None:
        self.ridge = ridge
        self.ties = ties
        self.strata = strata
        self.robust = robust
        self.max_iterations = max_iterations
        self.tolerance = tolerance

    def fit(
        self,
        X: Any,
        y: NDArray[Any],
        sample_weight: ArrayLike | None = None,
        cluster: ArrayLike | None = None,
    ) -> Self:
        """Learn coefficients and baseline.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, p)
            A numeric design matrix without missing values; p may be 0. A DataFrame with the column
            of the strata, if there are any.
        y : structured array of shape (n_patients,)
            Fields `time` and `event`, from `omics.outcome.survival_outcome`.
        sample_weight : array-like of shape (n_patients,), optional
            Case weights, 0 or above (see `models.cox_fit`).
        cluster : array-like of shape (n_patients,), optional
            Labels of groups of patients who may resemble each other; needs `robust`.

        Returns
        -------
        CoxModel

        Raises
        ------
        ValueError
            If X, y or a parameter has the wrong shape or content.
        FitError
            If there is no event, a column is constant, or (without a ridge) columns are collinear
            or a coefficient is infinite.
        """
        ridge = self._check_variance(cluster)
        labels = self._labels(X)
        columns, names = read_design(self._without_strata(X))
        time, event = read_survival(y)
        check_rows(columns, len(time))
        per_patient = {"strata": labels, "cluster": cluster, "weights": sample_weight}
        data = CoxData.of(columns, names, time, event, ties=self.ties, **per_patient)
        design, likelihood = data.standardised()
        fit = fit_ridge(
            likelihood,
            names=names,
            ridge=ridge,
            unit=float(data.event.sum()),
            start=np.zeros(len(names)),
            newton=Newton(max_iterations=self.max_iterations, tolerance=self.tolerance),
        )
        self.feature_names_in_ = np.array(names, dtype=object)
        self.n_features_in_ = len(names)
        self.means_ = design.means
        self.coef_, self.covariance_ = unscaled(design, fit)
        if self.robust:
            self.covariance_ = data.robust_covariance(self.coef_, self.covariance_)
        self.ridge_ = fit.ridge
        self.effective_parameters_ = fit.effective_parameters
        self.n_iterations_ = fit.n_iterations
        self.log_likelihood_ = (likelihood.value(np.zeros(len(names))), fit.log_likelihood)
        self.n_patients_, self.n_events_ = len(data.time), int(data.event.sum())
        self._learn_baseline(data, design.z @ fit.coef)
        return self

    def _check_variance(self, cluster: ArrayLike | None) -> float | Literal["aic"]:
        """Return the ridge, refusing what has no sandwich."""
        ridge = check_ridge(self.ridge)
        if self.robust and ridge != 0:
            raise ValueError(
                f"robust must be False with a ridge, but the ridge is {ridge!r}: a sandwich of "
                "penalised scores does not count the bias of shrinkage. Use ridge=0."
            )
        if cluster is not None and not self.robust:
            raise ValueError(
                "cluster must come with robust=True, but robust is False: only the sandwich "
                "variance uses clusters. Use CoxModel(robust=True)."
            )
        return ridge

    def _labels(self, X: Any) -> NDArray[Any] | None:
        """Return the strata of patients, if the model has any."""
        if self.strata is None:
            return None
        if not isinstance(X, pd.DataFrame) or self.strata not in X.columns:
            raise ValueError(
                f"X must be a DataFrame with the column of strata {self.strata!r}, but it is not. "
                "Add the column, or fit without strata."
            )
        column = X[self.strata]
        if column.isna().any():
            raise ValueError(
                f"the stratum must be known, but {column.isna().sum()} of {len(X)} values of "
                f"{self.strata!r} are missing (first at row {column.isna().argmax()}). Leave these "
                "patients out."
            )
        return column.to_numpy()

    def _without_strata(self, X: Any) -> Any:
        if self.strata is None or not isinstance(X, pd.DataFrame):
            return X
        return X.drop(columns=[self.strata], errors="ignore")

    def _learn_baseline(self, data: CoxData, eta: Floats) -> None:
        """Estimate a baseline hazard for each stratum."""
        labels = np.zeros(len(eta), dtype=np.intp) if data.strata is None else data.strata
        found, code = np.unique(labels, return_inverse=True)
        self.strata_ = np.array([""], dtype=object) if data.strata is None else found
        times, hazards, strata = [], [], []
        for position in range(len(found)):
            own = code == position
            weights = None if data.weights is None else data.weights[own]
            time, hazard = breslow_baseline(
                eta[own], data.time[own], data.event[own], weights=weights
            )
            times.append(time)
            hazards.append(hazard)
            strata.append(np.full(len(time), position, dtype=np.intp))
        self.baseline_time_ = np.concatenate(times)
        self.baseline_hazard_ = np.concatenate(hazards)
        self.baseline_stratum_ = np.concatenate(strata)
        last = [float(data.time[code == position].max()) for position in range(len(found))]
        self.last_times_ = np.array(last)
        self.max_time_ = max(last)

    def baseline(self, stratum: object = None) -> tuple[Floats, Floats]:
        """Give event times and cumulative hazard at linear predictor 0, of one stratum."""
        check_is_fitted(self, "coef_")
        if self.strata is None:
            return self.baseline_time_, self.baseline_hazard_
        own = self.baseline_stratum_ == self._positions(np.array([stratum], dtype=object))[0]
        return self.baseline_time_[own], self.baseline_hazard_[own]

    def _positions(self, labels: NDArray[Any]) -> Positions:
        """Find the strata among those of the fit."""
        known = {label: position for position, label in enumerate(self.strata_.tolist())}
        found = [known.get(label, -1) for label in labels.tolist()]
        unknown = [label for label, place in zip(labels.tolist(), found, strict=True) if place < 0]
        if unknown:
            raise ValueError(
                f"the stratum must be one of the fit's {len(known)}, but {len(unknown)} of "
                f"{len(labels)} patients are of another (first: {unknown[0]!r} of "
                f"{self.strata!r}). Strata of the fit: {', '.join(map(str, list(known)[:5]))}. "
                "A new stratum has no baseline hazard: leave these patients out."
            )
        return np.array(found, dtype=np.intp)

    def strata_of(self, X: Any) -> Positions:
        """Give the position in `strata_` of each patient, shape (n_patients,)."""
        check_is_fitted(self, "coef_")
        labels = self._labels(X)
        return np.zeros(len(X), dtype=np.intp) if labels is None else self._positions(labels)

    def columns_of(self, X: Any) -> Floats:
        """Give the columns with a coefficient, shape (n_patients, p)."""
        check_is_fitted(self, "coef_")
        return read_same_design(self._without_strata(X), tuple(self.feature_names_in_))

    def linear_predictor(self, X: Any) -> Floats:
        """Give (X - means) @ coef, shape (n_patients,); higher is worse, 0 is the mean patient.

        Patients are comparable by it within a stratum only.
        """
        return np.asarray((self.columns_of(X) - self.means_) @ self.coef_)

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
            NaN where `horizon` lies beyond the last follow-up (of the patient's stratum): nobody
            was followed that long.
        """
        check_is_fitted(self, "coef_")
        asked = check_asked_horizon(horizon, self.max_time_)
        eta, stratum = self.linear_predictor(X), self.strata_of(X)
        hazards = np.array([self._hazard_by(asked, k) for k in range(len(self.strata_))])
        with np.errstate(over="ignore", divide="ignore"):  # an infinite hazard is a risk of 1
            return np.asarray(-np.expm1(-np.exp(np.log(hazards[stratum]) + eta)))

    def _hazard_by(self, horizon: float, position: int) -> float:
        """Give a stratum's cumulative hazard by `horizon`; NaN beyond its last follow-up."""
        if horizon > self.last_times_[position]:
            return float("nan")
        own = (self.baseline_stratum_ == position) & (self.baseline_time_ <= horizon)
        return float(self.baseline_hazard_[own].max(initial=0.0))

    def median(self, X: Any) -> Floats:
        """Give the first time at which survival is .5 or less, shape (n_patients,).

        NaN where survival stays above .5 to the last event; higher is better.
        """
        eta, stratum = self.linear_predictor(X), self.strata_of(X)
        with np.errstate(over="ignore", under="ignore"):
            needed = np.log(2) * np.exp(-eta)
        medians = np.full(len(eta), np.nan)
        for position in range(len(self.strata_)):
            own, steps = stratum == position, self.baseline_stratum_ == position
            reached = np.searchsorted(self.baseline_hazard_[steps], needed[own], side="left")
            medians[own] = np.append(self.baseline_time_[steps], np.nan)[reached]
        return medians

    @property
    def coefficients(self) -> pd.DataFrame:
        """Table of coefficients, one row per column.

        Columns `term`, `coefficient`, `standard_error`, `hazard_ratio`, `lower` and `upper` (95 %
        Wald interval of the hazard ratio), `z`, `p_value`. With a ridge the errors are those of
        the penalised fit: they do not count the bias of shrinkage. They are the sandwich's if
        the model is `robust`.
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
