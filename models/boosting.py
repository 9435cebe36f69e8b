r"""Boosted trees that answer with a risk: XGBoost, calibrated on patients its trees have not seen.

Trees memorise the patients they grew on, so a risk read off training margins is far too extreme.
Here :math:`m_i` is patient i's margin from trees grown without the inner fold that holds i. On
these, one slope is estimated within folds, and then the level:

.. math::

    \eta_i &= \hat\beta\, m_i, \qquad
    \hat H_0(t) = \sum_{t_k \le t} \frac{d_k}{\sum_{j: T_j \ge t_k} e^{\eta_j}}, \qquad
    \mathrm{risk}_i(t) = 1 - e^{-\hat H_0(t)\, e^{\eta_i}} \quad \text{(survival)} \\
    \eta_i &= \hat\alpha + \hat\beta\, m_i, \qquad
    \mathrm{risk}_i = 1 / (1 + e^{-\eta_i}) \quad \text{(binary)}

New patients get their margin from trees grown on everyone. The slope is kept at or above zero:
where unseen margins tell nothing, every patient gets the same risk.

References
----------
Chen T, Guestrin C. XGBoost: a scalable tree boosting system. KDD 2016:785-794.
doi:10.1145/2939672.2939785
"""

from typing import Any, Self

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from models.baseline import breslow_baseline
from models.inner_folds import deal_folds, patient_numbers
from models.recalibration import cox_slope, logistic_intercept, logistic_slope
from omics.checks import check_both_classes
from omics.errors import FitError
from omics.outcome import is_survival, survival_outcome

Floats = NDArray[np.float64]

MAX_BIN = 64  # cuts per feature: finer ones than a few hundred patients resolve cost time only

_REAL = (int, float, np.integer, np.floating)
_WHOLE_NUMBERS = {"n_rounds": 1, "max_depth": 1, "inner_folds": 2, "seed": 0}  # and the least


class BoostedModel(BaseEstimator):  # type: ignore[misc]
    """Gradient-boosted trees for a survival or a binary outcome.

    Parameters
    ----------
    n_rounds : int, default=100
        Trees; fixed in advance, never chosen by looking at an outcome.
    learning_rate : float, default=0.05
        Share of each tree that is kept, in (0, 1].
    max_depth : int, default=3
        Questions asked in a row by one tree.
    subsample, column_sample : float, default=0.8 and 0.5
        Share of patients and of features that each tree sees, in (0, 1].
    ridge : float, default=1.0
        Penalty on the square of leaf values (XGBoost's `lambda`).
    min_child_weight : float, default=3.0
        Smallest sum of second derivatives in a leaf: about so many events (survival), or at
        least four times so many patients (binary).
    inner_folds : int, default=5
        Parts into which patients are divided to learn slope and level. Rows of `X` that share
        an index label are one patient (a bootstrap's copies) and stay together.
    seed : int, default=0

    Attributes
    ----------
    kind_ : {"survival", "binary"}
    slope_ : float
        Of the unseen margins, in [0, 20]; below 1 the trees were overconfident, 0 means that
        they told nothing.
    intercept_ : float
        Binary outcomes: log odds at margin 0. Survival: 0, the level lies in the baseline.
    baseline_time_, baseline_hazard_ : ndarray of shape (n_event_times,)
        Survival: event times and the cumulative hazard at linear predictor 0.
    max_time_ : float
        Survival: the last follow-up; a risk beyond it is NaN.
    inner_fold_ : ndarray of shape (n_rows,)
        The inner fold of each training row, from 0.
    unseen_margin_ : ndarray of shape (n_rows,)
        Margin of each training row from trees grown without its fold; higher is worse.
    n_patients_, n_events_ : int
        Rows fitted on, and events among them.

    Notes
    -----
    Missing values go where XGBoost's trees send them. Ties: Breslow inside XGBoost and in the
    baseline, Efron for the slope. The fit does not depend on the order of rows where
    `subsample` is 1; below it, which rows each tree sees depends on their position.

    Examples
    --------
    >>> X = np.linspace(0, 1, 200)[:, np.newaxis]
    >>> y = np.arange(200) % 10 < 10 * X[:, 0]  # the higher x, the more events
    >>> model = BoostedModel(n_rounds=20, seed=1).fit(X, y)
    >>> low, high = model.risk([[0.1], [0.9]])
    >>> bool(low < 0.3), bool(high > 0.7)
    (True, True)
    """

    def __init__(
        self,
        *,
        n_rounds: int = 100,
        learning_rate: float = 0.05,
        max_depth: int = 3,
        subsample: float = 0.8,
        column_sample: float = 0.5,
        ridge: float = 1.0,
        min_child_weight: float = 3.0,
        inner_folds: int = 5,
        seed: int = 0,
    ) -> None:
        self.n_rounds = n_rounds
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.subsample = subsample
        self.column_sample = column_sample
        self.ridge = ridge
        self.min_child_weight = min_child_weight
        self.inner_folds = inner_folds
        self.seed = seed

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        return tags

    def fit(self, X: pd.DataFrame | ArrayLike, y: ArrayLike) -> Self:
        """Grow the trees, and learn slope and level from inner folds.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
            Numbers; NaN where missing. A DataFrame's index says which rows are one patient.
        y : ndarray of shape (n_patients,)
            Survival (fields `time`, `event`) or binary (True/False or 1/0).

        Returns
        -------
        BoostedModel

        Raises
        ------
        ValueError
            If a setting, a column or the outcome is not what the model takes.
        FitError
            If an inner fold would be left without an event, or without a patient free of it.
        """
        self._check_settings()
        if isinstance(X, pd.DataFrame) and X.shape[1] == 0:
            raise FitError(
                "boosted trees need a column, but every predictor is constant, without any value, "
                "or a signature that selected nothing. Add predictors, or leave the model out."
            )
        values, outcome = self._check_data(X, y)
        time, event = outcome["time"], outcome["event"]
        self.kind_ = "survival" if is_survival(np.asarray(y)) else "binary"
        self.n_patients_, self.n_events_ = len(event), int(event.sum())
        self.inner_fold_ = self._divide(patient_numbers(X, len(values)), event)

        # XGBoost's Cox label: censored times below zero
        label = np.where(event, time, -time) if self.kind_ == "survival" else event.astype(float)
        # every fold starts from one level, or the margin would tell who was held out
        level = 1.0 if self.kind_ == "survival" else float(event.mean())
        self.unseen_margin_ = np.empty(len(values))
        for fold in range(self.inner_folds):
            held_out = self.inner_fold_ == fold
            booster = self._grow(values[~held_out], label[~held_out], level=level)
            self.unseen_margin_[held_out] = _margin(booster, values[held_out])
        self.booster_ = self._grow(values, label, level=level)
        self._calibrate(time, event)
        return self

    def linear_predictor(self, X: pd.DataFrame | ArrayLike) -> Floats:
        """Give the calibrated margin of each patient.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
            The columns of the fit, in its order.

        Returns
        -------
        ndarray of shape (n_patients,)
            Log relative hazard (survival) or log odds (binary); higher is worse. The same for
            everyone where `slope_` is 0.
        """
        check_is_fitted(self)
        values = self._check_columns(X, reset=False)
        return self.intercept_ + self.slope_ * _margin(self.booster_, values)

    def risk(self, X: pd.DataFrame | ArrayLike, *, horizon: float | None = None) -> Floats:
        """Give the probability of the event.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_features)
        horizon : float, optional
            Time above zero, in the unit of `y`; needed for survival, refused for a binary outcome.

        Returns
        -------
        ndarray of shape (n_patients,)
            In [0, 1], higher is worse; NaN for a horizon beyond the last follow-up of the fit.

        Raises
        ------
        ValueError
            If a horizon is missing, not above zero, or given for a binary outcome.
        """
        linear_predictor = self.linear_predictor(X)
        if self.kind_ == "binary":
            if horizon is not None:
                raise ValueError(
                    f"horizon must be left out for a binary outcome, but {horizon:g} came. "
                    "Fit on (time, event) to ask for a risk by a horizon."
                )
            return np.asarray(expit(linear_predictor), dtype=np.float64)
        if horizon is None or not 0 < horizon < np.inf:
            raise ValueError(
                f"horizon must be a time above zero for a survival outcome, but {horizon} came. "
                f"Say by when: risk(X, horizon=t), t up to {self.max_time_:g}."
            )
        if horizon > self.max_time_:
            return np.full(len(linear_predictor), np.nan)
        passed = np.searchsorted(self.baseline_time_, horizon, side="right")
        hazard = self.baseline_hazard_[passed - 1] if passed else 0.0
        with np.errstate(over="ignore"):  # an infinite hazard is a risk of 1
            return np.asarray(-np.expm1(-hazard * np.exp(linear_predictor)), dtype=np.float64)

    @property
    def importances(self) -> pd.DataFrame:
        """What each feature gained the trees.

        Returns
        -------
        DataFrame, one row per feature, largest first
            `term`; `gain`, the training loss that its splits saved, summed over trees; `share` of
            all gain, in [0, 1] (0 for all where no tree found a split). Of the training patients:
            it says what the trees used, not what helps a new patient.
        """
        check_is_fitted(self)
        found = self.booster_.get_score(importance_type="total_gain")
        terms = getattr(self, "feature_names_in_", np.arange(self.n_features_in_).astype(str))
        gain = np.array([found.get(f"f{i}", 0.0) for i in range(self.n_features_in_)])
        share = gain / gain.sum() if gain.any() else gain
        table = pd.DataFrame({"term": terms.astype(str), "gain": gain, "share": share})
        return table.sort_values("gain", ascending=False, kind="stable", ignore_index=True)

    def _check_settings(self) -> None:
        for name, least in _WHOLE_NUMBERS.items():
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < least:
                raise ValueError(
                    f"{name} must be a whole number of at least {least}, but {value!r} came."
                )
        for name in ("ridge", "min_child_weight"):
            value = getattr(self, name)
            if not isinstance(value, _REAL) or not 0 <= value < np.inf:
                raise ValueError(f"{name} must be a number of at least 0, but {value!r} came.")
        for name in ("learning_rate", "subsample", "column_sample"):
            value = getattr(self, name)
            if not isinstance(value, _REAL) or not 0 < value <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1, but {value!r} came.")

    def _check_columns(self, X: pd.DataFrame | ArrayLike, *, reset: bool) -> Floats:
        """Return the features as float64 (n, p), NaN kept; names go no further than here."""
        if isinstance(X, pd.DataFrame):
            text = [
                str(name) for name in X.columns if not pd.api.types.is_numeric_dtype(X[name].dtype)
            ]
            if text:
                raise ValueError(
                    f"X must hold numbers, but {len(text)} of {X.shape[1]} columns do not "
                    f"(first: {text[0]!r}). Encode categories first, as Design does."
                )
            infinite = np.isinf(X.to_numpy(dtype=np.float64, na_value=np.nan))
            if infinite.any():
                row, column = np.argwhere(infinite)[0]
                raise ValueError(
                    f"X must be finite or missing, but {infinite.sum()} values are infinity "
                    f"(first: column {str(X.columns[column])!r}, row {row}). "
                    "Set them to NaN, or repair the table they come from."
                )
        return np.asarray(
            validate_data(
                self,
                X,
                reset=reset,
                dtype=np.float64,
                ensure_all_finite="allow-nan",
                ensure_min_samples=2 if reset else 1,
            ),
            dtype=np.float64,
        )

    def _check_data(self, X: pd.DataFrame | ArrayLike, y: ArrayLike) -> tuple[Floats, NDArray[Any]]:
        """Return features and outcome; a binary outcome comes with time 1 throughout."""
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None.")
        values = self._check_columns(X, reset=True)
        y = np.asarray(y)
        if is_survival(y):
            outcome = survival_outcome(y["time"], y["event"])
        else:
            event = check_both_classes(y, "y")
            outcome = survival_outcome(np.ones(len(event)), event)
        if len(outcome) != len(values):
            raise ValueError(
                f"X and y must have one row per patient each, but X has {len(values)} and y "
                f"{len(outcome)}."
            )
        return values, outcome

    def _divide(self, patient: NDArray[np.intp], event: NDArray[np.bool_]) -> NDArray[np.intp]:
        return deal_folds(
            patient,
            event,
            folds=self.inner_folds,
            seed=self.seed,
            binary=self.kind_ == "binary",
            name="inner_folds",
        )

    def _grow(self, values: Floats, label: Floats, *, level: float) -> xgb.Booster:
        settings = {
            "objective": "survival:cox" if self.kind_ == "survival" else "binary:logistic",
            "base_score": level,
            "eta": self.learning_rate,
            "max_depth": self.max_depth,
            "subsample": self.subsample,
            "colsample_bytree": self.column_sample,
            "lambda": self.ridge,
            "min_child_weight": self.min_child_weight,
            "max_bin": MAX_BIN,
            "tree_method": "hist",
            "seed": int(self.seed),
            "nthread": 1,
            "verbosity": 0,
        }
        patients = xgb.DMatrix(values, label=label, nthread=1)  # no names: it refuses [, ] and <
        return xgb.train(settings, patients, num_boost_round=int(self.n_rounds))

    def _calibrate(self, time: Floats, event: NDArray[np.bool_]) -> None:
        margin, fold = self.unseen_margin_, self.inner_fold_
        if self.kind_ == "binary":
            self.slope_ = logistic_slope(margin, event, fold)
            self.intercept_ = logistic_intercept(self.slope_ * margin, event)
            return
        self.slope_ = cox_slope(margin, time, event, fold)
        self.intercept_ = 0.0
        self.max_time_ = float(time.max())
        baseline = breslow_baseline(self.slope_ * margin, time, event)
        self.baseline_time_, self.baseline_hazard_ = baseline


def _margin(booster: xgb.Booster, values: Floats) -> Floats:
    margin = booster.predict(xgb.DMatrix(values, nthread=1), output_margin=True)
    return np.asarray(margin, dtype=np.float64)
