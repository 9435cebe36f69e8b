r"""What is one patient's risk of the event, where another can come first: a Cox model per cause.

Each cause has a Cox regression of its own, in which events of the others are censorings. Together
they give the risk: with the hazards' steps :math:`\Delta_j = e^{\eta_j} \Delta \hat H_{0j}` of the
causes and their sum :math:`\Delta` at the event times of any cause,

.. math::

    F_1(t \mid x) = \sum_{t_k \le t} S(t_k-) \big(1 - e^{-\Delta(t_k)}\big)
      \frac{\Delta_1(t_k)}{\Delta(t_k)}, \qquad
    S(t) = \exp\Big(-\sum_{t_k \le t} \Delta(t_k)\Big)

as in R's `survfit` of a multi-state `coxph`: the risks of the causes and S add up to 1, and with
one cause this is the risk of `CoxModel`. The form "product_limit", riskRegression's default, has
:math:`S(t) = \prod (1 - \Delta(t_k))` and :math:`F_1(t) = \sum S(t_k-) \Delta_1(t_k)`; without
predictors it is Aalen-Johansen's estimate. A hazard's step above 1, late and at high risk, has no
such product: the risk is then NaN. Ties are Efron's and the baselines Breslow's, as in `CoxModel`;
R takes Efron's baseline where times are tied, and is equal where they are not.

Considered and rejected: S of the first form in the sum of the second (riskRegression with
`product.limit = FALSE`); its parts add up to more than 1.

References
----------
Prentice RL, et al. The analysis of failure times in the presence of competing risks. Biometrics
1978;34:541-554. doi:10.2307/2530374
Ozenne B, et al. riskRegression: predicting the risk of an event using Cox regression models. The R
Journal 2017;9:440-460. doi:10.32614/RJ-2017-062
"""

from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from models.checks import Floats, check_causes, check_horizon
from models.cox import CoxModel
from omics.outcome import survival_outcome

Form = Literal["exponential", "product_limit"]
CELLS = 2_000_000  # patients times event times held at once


class CauseSpecificCox(BaseEstimator):  # type: ignore[misc]
    """Cox regressions of all causes, which give the risk of each.

    Parameters
    ----------
    ridge : float or "aic", default 0
        Penalty of every regression, as in `CoxModel`.
    form : {"exponential", "product_limit"}, default "exponential"
        How hazards become risks.

    Attributes
    ----------
    models_ : dict of int to CoxModel
        The regression of each cause.
    max_time_ : float
        Longest follow-up.
    n_patients_ : int
    n_events_ : dict of int to int

    Examples
    --------
    >>> X = pd.DataFrame({"Age": [61.0, 40.0, 48.0, 66.0, 35.0, 44.0]})
    >>> model = CauseSpecificCox().fit(X, time=[5, 8, 9, 12, 15, 20], cause=[1, 2, 0, 1, 1, 2])
    >>> model.risk(X, horizon=13).round(2).tolist()
    [0.55, 0.11, 0.22, 0.72, 0.06, 0.15]
    """

    def __init__(self, *, ridge: float | Literal["aic"] = 0.0, form: Form = "exponential") -> None:
        self.ridge = ridge
        self.form = form

    def fit(self, X: Any, time: ArrayLike, cause: ArrayLike) -> Self:
        """Learn one regression per cause.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, p)
            A numeric design matrix without missing values; p may be 0.
        time : array-like of shape (n_patients,)
            Follow-up, above zero.
        cause : array-like of int, shape (n_patients,)
            0 where follow-up was censored, else the cause of the event: 1, 2, ...

        Returns
        -------
        CauseSpecificCox

        Raises
        ------
        ValueError
            If an argument has the wrong shape or content, or there is no event.
        FitError
            As `CoxModel`, for the cause that has too few events for its columns.
        """
        times, causes = check_causes(time, cause)
        if self.form not in ("exponential", "product_limit"):
            raise ValueError(
                f"form must be 'exponential' or 'product_limit', but {self.form!r} came. "
                "riskRegression's default is 'product_limit'."
            )
        kinds = np.unique(causes[causes > 0]).tolist()
        if not kinds:
            raise ValueError(
                f"cause must hold an event, but all {len(causes)} patients are censored (0). "
                "Check how causes are coded."
            )
        self.models_ = {
            kind: CoxModel(ridge=self.ridge).fit(X, survival_outcome(times, causes == kind))
            for kind in kinds
        }
        self.max_time_ = float(times.max())
        self.n_patients_ = len(times)
        self.n_events_ = {kind: int((causes == kind).sum()) for kind in kinds}
        return self

    def linear_predictors(self, X: Any) -> pd.DataFrame:
        """Give the linear predictor of each cause, one column per cause; higher is worse."""
        check_is_fitted(self, "models_")
        return pd.DataFrame(
            {cause: model.linear_predictor(X) for cause, model in self.models_.items()}
        )

    def risk(self, X: Any, *, horizon: float, of: int = 1) -> Floats:
        """Give P(event of a cause by `horizon`), in [0, 1]; higher is worse.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, p)
            The columns of the fit.
        horizon : float
            Time above zero, in the unit of the fit.
        of : int
            The cause asked for.

        Returns
        -------
        ndarray of shape (n_patients,)
            NaN where `horizon` lies beyond `max_time_`: nobody was followed that long.

        Raises
        ------
        ValueError
            If `of` is no cause of the fit, or X or horizon is wrong.
        """
        check_is_fitted(self, "models_")
        causes = list(self.models_)
        if of not in causes:
            raise ValueError(f"of must be a cause of the fit ({causes}), but {of!r} came.")
        # Held where neither overflows nor vanishes; shape (n_patients, n_causes).
        ratios = np.exp(np.clip(self.linear_predictors(X).to_numpy(), -500, 500))
        if check_horizon(horizon) > self.max_time_:
            return np.full(len(ratios), np.nan)
        steps = self._hazard_steps(horizon)
        size = max(CELLS // max(steps.shape[1], 1), 1)
        incidence = _exponential if self.form == "exponential" else _product_limit
        blocks = [
            incidence(ratios[start : start + size], steps, causes.index(of))
            for start in range(0, len(ratios), size)
        ]
        return np.concatenate([np.empty(0), *blocks])

    def _hazard_steps(self, horizon: float) -> Floats:
        """Give the baseline hazards' steps at all event times by `horizon`, (n_causes, n_times)."""
        models = list(self.models_.values())
        times = np.unique(np.concatenate([model.baseline_time_ for model in models]))
        times = times[times <= horizon]
        steps = np.zeros((len(models), len(times)))
        for row, model in zip(steps, models, strict=True):
            known = model.baseline_time_ <= horizon
            own = np.diff(model.baseline_hazard_[known], prepend=0.0)
            row[np.searchsorted(times, model.baseline_time_[known])] = own
        return steps

    @property
    def coefficients(self) -> pd.DataFrame:
        """Table of coefficients, one row per cause and column: `cause`, then as in `CoxModel`."""
        check_is_fitted(self, "models_")
        tables = [model.coefficients for model in self.models_.values()]
        for cause, table in zip(self.models_, tables, strict=True):
            table.insert(0, "cause", cause)
        return pd.concat(tables, ignore_index=True)


def _exponential(ratios: Floats, steps: Floats, own: int) -> Floats:
    """Incidence of cause `own`, shape (n,), where survival is the exponential of the hazard."""
    total = ratios @ steps  # (n, n_times), above zero: at each time one cause has an event
    before = np.zeros_like(total)
    np.cumsum(total[:, :-1], axis=1, out=before[:, 1:])
    leaving = np.exp(-before) * -np.expm1(-total)
    share = ratios[:, own, np.newaxis] * steps[own] / total
    return np.asarray((leaving * share).sum(axis=1))


def _product_limit(ratios: Floats, steps: Floats, own: int) -> Floats:
    """Incidence of cause `own`, shape (n,), where survival is the product of 1 - hazard."""
    total = ratios @ steps
    before = np.ones_like(total)
    np.cumprod(1 - total[:, :-1], axis=1, out=before[:, 1:])
    found = ratios[:, own] * (before @ steps[own])
    return np.where((total > 1 + 1e-12).any(axis=1), np.nan, found)
