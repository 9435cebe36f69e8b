r"""One model out of M: regressions on imputed copies of the patients, pooled by Rubin's rules.

Coefficients and covariance are Rubin's. Predictions are averaged on the scale on which the model is
linear, the log odds or the log cumulative hazard,

.. math::

    \log \hat H(t \mid x) = \tfrac1M \sum_m \big( \log \hat H_{0m}(t) + (x - \bar x_m)^\top
    \hat\beta_m \big) = \log \hat H_0(t) + (x - \bar x)^\top \bar\beta ,

so that the average of the M predictions *is* one Cox (logistic) model, with the pooled coefficients
and a geometric mean of the baselines: what the coefficient table, the nomogram and the score of a
patient without gaps say is the same thing.

M fits maximise no common likelihood: tests are pooled Wald tests (D1), and the likelihood-ratio
statistic is NaN. With one copy (nothing missing) everything is the plain model's.

Considered and rejected: averaging the M risks of a patient without gaps, because no formula and no
nomogram gives that number; it differs in the third decimal (see the tests).

References
----------
Wood AM, Royston P, White IR. The estimation and use of predictions for the assessment of model
performance using large datasets with multiply imputed data. Biometrical Journal 2015;57:614-632.
doi:10.1002/bimj.201400004
Marshall A, Altman DG, Holder RL, Royston P. Combining estimates of interest in prognostic modelling
studies after multiple imputation. BMC Med Res Methodol 2009;9:57. doi:10.1186/1471-2288-9-57
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from models.cox import CoxModel
from models.logistic import LogisticModel
from models.rubin import Pooled, pooled_wald, rubin

TESTS = ["term", "f", "df", "residual_df", "p_value"]


class PooledCox(CoxModel):
    """A Cox model pooled over imputed copies of its patients.

    Parameters
    ----------
    ridge, max_iterations, tolerance
        As of `CoxModel`; a ridge of "aic" is chosen on the first copy and kept for the others.

    Attributes
    ----------
    pooled_ : Pooled
        The coefficients, with within and between variance.
    coef_, covariance_ : ndarray
        Pooled; the covariance is Rubin's total.
    means_, baseline_time_, baseline_hazard_, baseline_stratum_ : ndarray
        Mean of the copies' means; event times; geometric mean of the baselines there.
    log_likelihood_ : tuple of float
        NaN unless there was one copy.

    Examples
    --------
    >>> from omics.outcome import survival_outcome
    >>> y = survival_outcome([5, 8, 9, 12, 15, 20], [1, 1, 0, 1, 1, 0])
    >>> copies = [pd.DataFrame({"Age": [a, 40.0, 48, 66, 35, 44]}) for a in (55.0, 61.0, 70.0)]
    >>> model = PooledCox().fit_copies(copies, y)
    >>> each = [CoxModel().fit(copy, y).coef_[0] for copy in copies]
    >>> round(float(model.coef_[0] - np.mean(each)), 12)
    0.0
    """

    pooled_: Pooled

    def fit(
        self,
        X: Any,
        y: NDArray[Any],
        sample_weight: ArrayLike | None = None,
        cluster: ArrayLike | None = None,
    ) -> Self:
        """Fit on patients without gaps: the plain Cox model."""
        return self.fit_copies([X], y, sample_weight, cluster)

    def fit_copies(
        self,
        copies: Sequence[Any],
        y: NDArray[Any],
        sample_weight: ArrayLike | None = None,
        cluster: ArrayLike | None = None,
    ) -> Self:
        """Fit on each copy and pool.

        Parameters
        ----------
        copies : sequence of DataFrame of shape (n_patients, p)
            Design matrices of the same patients, without gaps.
        y : structured array of shape (n_patients,)
        sample_weight, cluster : array-like of shape (n_patients,), optional
            As of `CoxModel.fit`.

        Returns
        -------
        PooledCox
        """
        per_patient = {"sample_weight": sample_weight, "cluster": cluster}
        fits: list[Any] = _fit_each(CoxModel, self.get_params(), copies, y, **per_patient)
        _share(self, fits)
        df = self.n_events_ - self.effective_parameters_
        self.pooled_ = _pooled(fits, [fit.coef_ for fit in fits], df)
        self.coef_, self.covariance_ = self.pooled_.estimate, self.pooled_.total
        self.baseline_time_, self.baseline_stratum_ = (
            fits[0].baseline_time_,
            fits[0].baseline_stratum_,
        )
        self.strata_, self.last_times_ = fits[0].strata_, fits[0].last_times_
        self.max_time_ = fits[0].max_time_
        shifts = [(self.means_ - fit.means_) @ fit.coef_ for fit in fits]
        logs = [
            np.log(fit.baseline_hazard_) + shift for fit, shift in zip(fits, shifts, strict=True)
        ]
        self.baseline_hazard_ = np.exp(np.mean(logs, axis=0))
        return self

    @property
    def coefficients(self) -> pd.DataFrame:
        """Table of pooled coefficients, one row per column.

        Columns `term`, `coefficient`, `standard_error`, `hazard_ratio`, `lower` and `upper` (95 %
        t interval of the hazard ratio), `t`, `df`, `p_value`, `fmi` (fraction of missing
        information) and `relative_efficiency`.
        """
        check_is_fitted(self, "pooled_")
        return _coefficients(self.pooled_, tuple(self.feature_names_in_), "hazard_ratio")

    def wald_tests(self, terms: Mapping[str, Sequence[str]]) -> pd.DataFrame:
        """Test each term, and all together: see `_wald_tests`."""
        return _wald_tests(self.pooled_, list(self.feature_names_in_), terms)


class PooledLogistic(LogisticModel):
    """A logistic model pooled over imputed copies of its patients.

    Parameters
    ----------
    ridge, max_iterations, tolerance
        As of `LogisticModel`; a ridge of "aic" is chosen on the first copy and kept for the others.

    Attributes
    ----------
    pooled_ : Pooled
        The intercept and the coefficients, with within and between variance.
    intercept_, coef_, covariance_
        Pooled; the covariance is Rubin's total.
    log_likelihood_ : tuple of float
        NaN unless there was one copy.
    """

    pooled_: Pooled

    def fit(self, X: Any, y: ArrayLike) -> Self:
        """Fit on patients without gaps: the plain logistic model."""
        return self.fit_copies([X], y)

    def fit_copies(self, copies: Sequence[Any], y: ArrayLike) -> Self:
        """Fit on each copy and pool.

        Parameters
        ----------
        copies : sequence of DataFrame of shape (n_patients, p)
            Design matrices of the same patients, without gaps.
        y : array-like of shape (n_patients,)

        Returns
        -------
        PooledLogistic
        """
        fits: list[Any] = _fit_each(LogisticModel, self.get_params(), copies, y)
        _share(self, fits)
        df = self.n_patients_ - 1 - self.effective_parameters_
        stacked = [np.concatenate([[fit.intercept_], fit.coef_]) for fit in fits]
        self.pooled_ = _pooled(fits, stacked, df)
        self.intercept_, self.coef_ = float(self.pooled_.estimate[0]), self.pooled_.estimate[1:]
        self.covariance_ = self.pooled_.total
        return self

    @property
    def coefficients(self) -> pd.DataFrame:
        """Table of pooled coefficients, the intercept first; columns as of `PooledCox`."""
        check_is_fitted(self, "pooled_")
        names = ("Intercept", *self.feature_names_in_)
        table = _coefficients(self.pooled_, names, "odds_ratio")
        table.loc[0, ["odds_ratio", "lower", "upper"]] = np.nan
        return table

    def wald_tests(self, terms: Mapping[str, Sequence[str]]) -> pd.DataFrame:
        """Test each term, and all together: see `_wald_tests`."""
        return _wald_tests(self.pooled_, ["Intercept", *self.feature_names_in_], terms)


PooledModel = PooledCox | PooledLogistic


def pooled_model(model: CoxModel | LogisticModel) -> PooledModel:
    """Give the pooled model of the same settings, not fitted."""
    kind = PooledCox if isinstance(model, CoxModel) else PooledLogistic
    return kind(**model.get_params())


def unpooled(
    model: CoxModel | LogisticModel, X: pd.DataFrame, y: NDArray[Any]
) -> CoxModel | LogisticModel:
    """Give a model that is the maximum of one likelihood: that of the mean of the draws, if pooled.

    What looks at a likelihood's curvature (drift, bends, influence) holds at a maximum only, and
    pooled coefficients are none.
    """
    if isinstance(model, PooledCox) and model.pooled_.n_imputations > 1:
        return CoxModel(**(model.get_params() | {"ridge": model.ridge_})).fit(X, y)
    if isinstance(model, PooledLogistic) and model.pooled_.n_imputations > 1:
        return LogisticModel(**(model.get_params() | {"ridge": model.ridge_})).fit(X, y)
    return model


def _fit_each(
    kind: type[Any],
    settings: dict[str, Any],
    copies: Sequence[Any],
    y: ArrayLike,
    **per_patient: ArrayLike | None,
) -> list[Any]:
    first = kind(**settings).fit(copies[0], y, **per_patient)
    kept = settings | {"ridge": first.ridge_}
    return [first, *(kind(**kept).fit(copy, y, **per_patient) for copy in copies[1:])]


def _share(model: Any, fits: Sequence[Any]) -> None:
    """Keep what the fits have in common, or on average."""
    first = fits[0]
    model.feature_names_in_, model.n_features_in_ = first.feature_names_in_, first.n_features_in_
    model.n_patients_, model.n_events_ = first.n_patients_, first.n_events_
    model.ridge_ = first.ridge_
    model.means_ = np.mean([fit.means_ for fit in fits], axis=0)
    model.effective_parameters_ = float(np.mean([fit.effective_parameters_ for fit in fits]))
    model.n_iterations_ = max(fit.n_iterations_ for fit in fits)
    unknown = (float("nan"), float("nan"))
    model.log_likelihood_ = first.log_likelihood_ if len(fits) == 1 else unknown


def _pooled(fits: Sequence[Any], estimates: Sequence[NDArray[np.float64]], df: float) -> Pooled:
    return rubin(
        np.stack(estimates),
        np.stack([fit.covariance_ for fit in fits]),
        complete_df=max(df, 1.0),
    )


def _coefficients(pooled: Pooled, names: Sequence[str], ratio: str) -> pd.DataFrame:
    table = pooled.table(names)
    with np.errstate(over="ignore"):
        ratios, lower, upper = (np.exp(table[c]) for c in ("estimate", "lower", "upper"))
    return pd.DataFrame(
        {
            "term": table["term"],
            "coefficient": table["estimate"],
            "standard_error": table["standard_error"],
            ratio: ratios,
            "lower": lower,
            "upper": upper,
            **{name: table[name] for name in ("t", "df", "p_value", "fmi", "relative_efficiency")},
        }
    )


def _wald_tests(
    pooled: Pooled, names: Sequence[str], terms: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Test by D1 whether a term's coefficients, and those of all terms, are zero.

    Parameters
    ----------
    pooled : Pooled
    names : sequence of str
        Of its coefficients.
    terms : mapping of term to its columns

    Returns
    -------
    DataFrame, one row per term, then `ALL`
        `term`, `f`, `df`, `residual_df` (infinite where nothing was missing), `p_value`.
    """
    sets = {name: list(columns) for name, columns in terms.items() if len(columns)}
    if sets:
        sets["ALL"] = [column for columns in sets.values() for column in columns]
    rows = []
    for term, columns in sets.items():
        test = pooled_wald(pooled, [names.index(column) for column in columns])
        rows.append((term, test.f, test.df, test.residual_df, test.p_value))
    return pd.DataFrame(rows, columns=TESTS)
