r"""A frozen model fitted to other patients again, by as little as needed: its level, slope or all.

With :math:`\eta` the linear predictor of the frozen model, a patient of the other cohort gets

============== ==================================== =======================================
method         Cox, boosted trees (survival)        logistic, boosted trees (binary)
============== ==================================== =======================================
original       nothing is learnt                    nothing is learnt
baseline       Breslow's :math:`H_0` beside the     :math:`\alpha + \eta`
               offset :math:`\eta`
recalibration  :math:`b\,\eta` by Cox regression,   :math:`\alpha + b\,\eta`
               then its :math:`H_0`
refit          every coefficient and :math:`H_0`,   every coefficient and the intercept, of
               of the same columns (knots,          the same columns
               imputation, signatures and factors
               stay frozen)
============== ==================================== =======================================

References
----------
Steyerberg EW, Borsboom GJJM, van Houwelingen HC, Eijkemans MJC, Habbema JDF. Validation and
updating of predictive logistic regression models. Statistics in Medicine 2004;23:2567-2586.
doi:10.1002/sim.1844
van Houwelingen HC. Validation, calibration, revision and combination of prognostic survival models.
Statistics in Medicine 2000;19:3401-3415.
doi:10.1002/1097-0258(20001230)19:24<3401::AID-SIM554>3.0.CO;2-2
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from models.baseline import breslow_baseline
from models.boosting import BoostedModel
from models.checks import Floats, check_asked_horizon
from models.cox import CoxModel
from models.cox_fit import cox_fit
from models.logistic import LogisticModel, logistic_fit
from models.pipeline import RiskPipeline
from models.pipeline_parts import Model
from models.pooled import PooledCox, PooledLogistic
from omics.errors import FitError
from omics.outcome import is_survival

Method = Literal["original", "baseline", "recalibration", "refit"]
METHODS: tuple[Method, ...] = ("original", "baseline", "recalibration", "refit")


@dataclass(frozen=True, eq=False, kw_only=True)
class Recalibration:
    """Slope and level that turn a frozen linear predictor into risks of another cohort.

    Attributes
    ----------
    slope : float
    intercept : float
        Log odds at linear predictor 0; 0 for survival, whose level lies in the baseline.
    baseline_time, baseline_hazard : ndarray of shape (n_times,)
        Event times, and the cumulative hazard at linear predictor 0; empty for a binary outcome.
    max_time : float or None
        Longest follow-up; None for a binary outcome.
    """

    slope: float
    intercept: float
    baseline_time: Floats
    baseline_hazard: Floats
    max_time: float | None

    def __repr__(self) -> str:
        level = f"intercept {self.intercept:.4g}" if self.max_time is None else "a new baseline"
        return f"Recalibration(slope {self.slope:.4g}, {level})"

    def linear_predictor(self, linear_predictor: Floats) -> Floats:
        """Give intercept + slope times the frozen linear predictor, shape (n_patients,)."""
        return np.asarray(self.intercept + self.slope * linear_predictor)

    def risk(self, linear_predictor: Floats, *, horizon: float | None) -> Floats:
        """Give the risk by `horizon` (None for a binary outcome); NaN beyond the last follow-up."""
        eta = self.linear_predictor(linear_predictor)
        if self.max_time is None:
            return np.asarray(expit(eta))
        asked = check_asked_horizon(horizon, self.max_time)
        if asked > self.max_time:
            return np.full(len(eta), np.nan)
        hazard = hazard_at(self.baseline_time, self.baseline_hazard, np.array([asked]))
        with np.errstate(over="ignore"):  # an infinite hazard is a risk of 1
            return np.asarray(-np.expm1(-hazard * np.exp(eta)))


def hazard_at(times: Floats, hazard: Floats, at: Floats) -> Floats:
    """Read a cumulative hazard, 0 before its first step.

    Examples
    --------
    >>> hazard_at(np.array([1.0, 3]), np.array([0.2, 0.5]), np.array([0.5, 1, 4])).tolist()
    [0.0, 0.2, 0.5]
    """
    return np.append(0.0, hazard)[np.searchsorted(times, at, side="right")]


def recalibrate(
    linear_predictor: Floats, y: NDArray[Any], *, method: Literal["baseline", "recalibration"]
) -> Recalibration:
    """Learn the level, or level and slope, of a frozen linear predictor in other patients.

    Parameters
    ----------
    linear_predictor : ndarray of shape (n_patients,)
        Of the frozen model; higher is worse.
    y : ndarray of shape (n_patients,)
        Structured (`time`, `event`) or boolean.
    method : {"baseline", "recalibration"}

    Returns
    -------
    Recalibration

    Raises
    ------
    FitError
        If there is no event (no other class), or the slope is infinite or the linear predictor
        constant where a slope is asked for.

    Examples
    --------
    Half of the patients fall ill; without the 1 that is taken off, risks of 1/3 and 2/3 say so.

    >>> eta = np.log([0.5, 2, 0.5, 2]) - 1
    >>> recalibrate(eta, np.array([False, False, True, True]), method="baseline")
    Recalibration(slope 1, intercept 1)
    """
    eta = np.asarray(linear_predictor, dtype=np.float64)
    columns = eta[:, np.newaxis]
    if not is_survival(y):
        if method == "baseline":
            level, slope = logistic_fit(columns[:, :0], y, offset=eta).intercept, 1.0
        else:
            fit = logistic_fit(columns, y)
            level, slope = fit.intercept, float(fit.coef[0])
        nothing = np.empty(0)
        return Recalibration(
            slope=slope,
            intercept=level,
            baseline_time=nothing,
            baseline_hazard=nothing,
            max_time=None,
        )
    time, event = y["time"], y["event"]
    if not event.any():
        raise FitError(f"a new baseline needs events, but none of {len(y)} patients had one.")
    slope = 1.0 if method == "baseline" else float(cox_fit(columns, time, event).coef[0])
    times, hazard = breslow_baseline(slope * eta, time, event)
    return Recalibration(
        slope=slope,
        intercept=0.0,
        baseline_time=times,
        baseline_hazard=hazard,
        max_time=float(time.max()),
    )


def not_refitted(model: Model) -> str:
    """Say why a model's coefficients cannot be estimated again; nothing where they can."""
    if isinstance(model, BoostedModel):
        return "boosted trees have no coefficients"
    if isinstance(model, PooledCox | PooledLogistic):
        return "the coefficients are pooled over imputed copies of the development patients"
    return ""


class UpdatedModel(BaseEstimator):  # type: ignore[misc]
    """A frozen pipeline whose risks were updated in another cohort.

    Considered and rejected: updating the linear predictor of each centre or learner by trees or
    splines, because a cohort large enough for that is large enough for a model of its own.

    Parameters
    ----------
    pipeline : RiskPipeline
        Fitted; it stays as it is, also in clones.
    method : {"original", "baseline", "recalibration", "refit"}

    Attributes
    ----------
    recalibration_ : Recalibration or None
        None for "original" and "refit".
    model_ : CoxModel, LogisticModel or None
        The model of the same columns fitted again; None but for "refit".
    n_patients_, n_events_ : int
        That it learnt from.
    n_left_out_ : int
        Patients without a prediction of the frozen pipeline.

    Examples
    --------
    >>> from models.pipeline import risk_pipeline
    >>> from omics.outcome import survival_outcome
    >>> X = pd.DataFrame({"clinical:Age": [61.0, 40.0, 48.0, 66.0, 35.0, 44.0]})
    >>> y = survival_outcome([5, 8, 9, 12, 15, 20], [1, 1, 0, 1, 1, 0])
    >>> frozen = risk_pipeline(["clinical:Age"], CoxModel()).fit(X, y)
    >>> later = survival_outcome([10, 16, 18, 24, 30, 40], [1, 1, 0, 1, 1, 0])
    >>> updated = UpdatedModel(frozen, method="baseline").fit(X, later)
    >>> updated.risk(X, horizon=20).round(2).tolist()  # all at half the pace
    [0.43, 0.21, 0.28, 0.5, 0.18, 0.25]
    """

    recalibration_: Recalibration | None
    model_: Any

    def __init__(self, pipeline: RiskPipeline, *, method: Method) -> None:
        self.pipeline = pipeline
        self.method = method

    def __sklearn_clone__(self) -> "UpdatedModel":
        return UpdatedModel(self.pipeline, method=self.method)

    def fit(self, X: pd.DataFrame, y: NDArray[Any]) -> Self:
        """Learn what the method learns.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
            The wide table of the other cohort.
        y : ndarray of shape (n_patients,)
            Structured (`time`, `event`) or boolean.

        Raises
        ------
        ValueError
            If the method is unknown, or the model is stratified or cannot be refitted.
        FitError
            If nobody has a prediction, or the patients do not tell what is to be learnt.
        """
        check_method(self.method)
        refuse_strata(self.pipeline)
        eta = self.pipeline.linear_predictor(X)
        known = ~np.isnan(eta)
        if not known.any():
            raise FitError(f"nobody of {len(X)} patients has a prediction to update.")
        outcome = np.asarray(y)[known]
        self.recalibration_, self.model_ = None, None
        if self.method == "refit":
            self.model_ = refitted(
                self.pipeline.model, self.pipeline.design_matrix(X)[known], outcome
            )
        elif self.method != "original":
            self.recalibration_ = recalibrate(eta[known], outcome, method=self.method)
        self.n_patients_, self.n_left_out_ = int(known.sum()), int((~known).sum())
        self.n_events_ = int((outcome["event"] if is_survival(outcome) else outcome).sum())
        return self

    def linear_predictor(self, X: pd.DataFrame) -> Floats:
        """Give the updated linear predictor, shape (n_patients,); higher is worse."""
        return self.predict_all(X, horizons=())[0]

    def risk(self, X: pd.DataFrame, *, horizon: float | None = None) -> Floats:
        """Give P(event by `horizon`), or P(event) of a binary outcome; shape (n_patients,).

        NaN beyond the last follow-up of the patients it was updated in.
        """
        return self.predict_all(X, horizons=[horizon])[1][:, 0]

    def predict_all(
        self, X: pd.DataFrame, *, horizons: Sequence[float | None]
    ) -> tuple[Floats, Floats]:
        """Give linear predictor (n_patients,) and risks (n_patients, n_horizons), all at once."""
        check_is_fitted(self, "n_patients_")
        if self.method == "original":
            return self.pipeline.predict_all(X, horizons=horizons)
        eta = self.pipeline.linear_predictor(X)
        known = ~np.isnan(eta)
        updated, risk = np.full(len(eta), np.nan), np.full((len(eta), len(horizons)), np.nan)
        if not known.any():
            return updated, risk
        learnt: Any = self.recalibration_
        given: Any = eta[known]
        if learnt is None:
            learnt, given = self.model_, self.pipeline.design_matrix(X)[known]
        updated[known] = learnt.linear_predictor(given)
        for j, horizon in enumerate(horizons):
            risk[known, j] = learnt.risk(given, horizon=horizon)
        return updated, risk


def refuse_strata(pipeline: RiskPipeline) -> None:
    """Refuse a stratified model: an update learns one baseline hazard."""
    if pipeline.strata is not None:
        raise ValueError(
            f"pipeline must have one baseline hazard to be updated, but it has one for each level "
            f"of {pipeline.strata!r}, and an update learns one. Update a model that has the column "
            "among its predictors."
        )


def check_method(method: str) -> None:
    """Refuse a method that is none."""
    if method not in METHODS:
        raise ValueError(f"method must be one of {list(METHODS)}, but {method!r} came.")


def refitted(model: Model, matrix: pd.DataFrame, y: NDArray[Any]) -> CoxModel | LogisticModel:
    """Fit a regression to the same columns of other patients."""
    reason = not_refitted(model)
    if reason:
        raise ValueError(
            f"method must not be 'refit' for this model, but it is: {reason}. Use 'recalibration'."
        )
    fresh: CoxModel | LogisticModel = clone(model)
    return fresh.fit(matrix, y)
