r"""One score out of many features: a LASSO or elastic-net signature, the radscore of the field.

.. math::

    \mathrm{score}(x) = b_0 + \sum_j b_j x_j

with the coefficients of `models.signature_path` (Cox with Breslow's ties, or logistic) at a penalty
that `models.signature_tuning` chooses. The score is a linear predictor: log odds of a binary
outcome; of a survival outcome the log relative hazard, 0 for the patient at the means of the
training patients. Higher is worse.

A score fitted on the very patients whose outcomes the next model then sees has told it those
outcomes: the next model believes it far too much. So `fit_transform`, which a scikit-learn pipeline
calls on its training patients, gives each of them the score of a signature that was tuned and
fitted without them; `transform` gives new patients the frozen signature of all training patients.

References
----------
Tibshirani R. The lasso method for variable selection in the Cox model. Statistics in Medicine
1997;16:385-395. doi:10.1002/(SICI)1097-0258(19970228)16:4<385::AID-SIM380>3.0.CO;2-3
Zou H, Hastie T. Regularization and variable selection via the elastic net. JRSS B 2005;67:301-320.
doi:10.1111/j.1467-9868.2005.00503.x
"""

import warnings
from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from models.inner_folds import deal_folds, patient_numbers
from models.predictors import select_columns
from models.signature_columns import Columns, views_of, without_view
from models.signature_tuning import Tuning, tune
from omics.errors import NothingSelectedWarning
from omics.outcome import is_survival

Floats = NDArray[np.float64]

PREFIX = "signature:"
CROSS_FITTING_FOLDS = 5
RULES = ("1se", "min")
_WHOLE_NUMBERS = {"folds": 2, "n_lambda": 2, "seed": 0}  # and the least


class Signature(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A penalised linear score of some columns of the wide table.

    Parameters
    ----------
    predictors : sequence of str
        Columns (`radiomics:original_glcm_Contrast`) or patterns (`radiomics:*`) that may enter;
        numbers only.
    name : str, default="Radscore"
        Its column is `signature:<name>`.
    mix : float, default=1.0
        Above 0, at most 1: 1 is the LASSO, less lets correlated features in together (elastic net;
        glmnet's alpha).
    rule : {"1se", "min"}, default="1se"
        Which penalty is taken; see `models.signature_tuning`. `1se` keeps fewer features.
    folds : int, default=10
        Of the inner cross-validation that chooses the penalty. Rows of `X` that share an index
        label are one patient (a bootstrap's copies) and stay together.
    n_lambda : int, default=50
        Penalties from the one that leaves no feature down to a hundredth (with at least as many
        patients as features a ten-thousandth) of it.
    seed : int, default=0
        Of the folds.

    Attributes
    ----------
    kind_ : {"survival", "binary"}
    coef_ : DataFrame, one row per selected feature, the strongest first
        `feature` (its column), `coefficient` per unit of the feature, `standardised` (per standard
        deviation, with n), `mean` and `median` of the training patients.
    intercept_ : float
        Score where every feature is 0.
    level_ : float
        Score of the patient at the means: log odds of a binary outcome, 0 for survival. Without
        any feature everyone has it.
    lambda_, lambda_min_, lambda_1se_ : float
        Penalty taken, and those of either rule; in glmnet's scale.
    path_ : DataFrame, one row per penalty and feature that is selected anywhere on the path
        `lambda`, `feature`, `coefficient`, `standardised`.
    deviance_ : DataFrame, one row per penalty
        `lambda`; `mean` and `standard_error` of the deviance of held-out patients, per patient
        (survival: per event); `n_selected`.
    dropped_ : DataFrame
        `column` and `reason`: no value at all, or the same in every patient.
    missing_ : DataFrame, one row per view with a gap
        `view`; `n_without`, training patients without any value of it; `n_values` that are missing
        in the others.
    cross_fitted_ : DataFrame of shape (n_patients, 1)
        Score of each training patient from a signature that has not seen the patient; its index
        holds patient ids, nothing else here does. After `fit_transform` only.
    n_patients_, n_events_ : int

    Notes
    -----
    Cross-fitting takes 5 folds; in each the penalty is chosen anew by an inner cross-validation
    of its own, so that nothing in the fit behind a patient's score has seen that patient. Every
    fold's score is centred at its training patients' means and put on the level of the frozen
    signature: the folds' own levels would betray how many events each holds.

    Considered and rejected: one penalty for all folds, because it was chosen with the outcomes of
    the patients held out.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(120, 4)), columns=[f"mri:f{j}" for j in range(4)])
    >>> y = X["mri:f2"].to_numpy() + rng.normal(size=120) > 0
    >>> signature = Signature(["mri:*"], folds=5).fit(X, y)
    >>> signature.coef_["feature"].tolist()
    ['mri:f2']
    >>> signature.formula
    'Radscore = -0.127 + 1.12 × f2'
    """

    def __init__(
        self,
        predictors: Sequence[str],
        *,
        name: str = "Radscore",
        mix: float = 1.0,
        rule: Literal["1se", "min"] = "1se",
        folds: int = 10,
        n_lambda: int = 50,
        seed: int = 0,
    ) -> None:
        self.predictors = predictors
        self.name = name
        self.mix = mix
        self.rule = rule
        self.folds = folds
        self.n_lambda = n_lambda
        self.seed = seed

    @property
    def column(self) -> str:
        """Name of the column it gives."""
        return f"{PREFIX}{self.name}"

    def fit(self, X: pd.DataFrame, y: NDArray[Any]) -> Self:
        """Choose the penalty and learn the coefficients from all patients of `X`.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
            The wide table; NaN where missing.
        y : ndarray of shape (n_patients,)
            Survival (fields `time`, `event`) or binary (True/False).

        Returns
        -------
        Signature

        Raises
        ------
        ValueError
            If a setting is wrong, or a predictor matches no column, is no number or is infinite.
        FitError
            If an inner fold would be left without an event, or (binary) with nothing else.
        """
        self._fit(X, y)
        if hasattr(self, "cross_fitted_"):
            del self.cross_fitted_  # of other patients
        return self

    def fit_transform(self, X: pd.DataFrame, y: NDArray[Any]) -> pd.DataFrame:
        """Fit, and give each patient of `X` the score of a signature that has not seen the patient.

        This is not `fit(X, y).transform(X)`, which would hand the outcomes on to the next model.
        Where the frozen signature keeps no feature, everyone gets its one score.

        Returns
        -------
        DataFrame of shape (n_patients, 1)
            Column `signature:<name>`, indexed as `X`.
        """
        table, outcome, patient = self._fit(X, y)
        scores = np.full(len(table), self.level_)
        if len(self.coef_):
            scores += self._cross_fit(table, outcome, patient)
        self.cross_fitted_ = pd.DataFrame({self.column: scores}, index=table.index)
        return self.cross_fitted_.copy()

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Give patients the score of the frozen signature.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
            Must hold the features in `coef_`; other columns are not looked at. A missing value
            takes the training median; of a patient without any selected feature of a view, the
            view moves the score in no direction.

        Returns
        -------
        DataFrame of shape (n_patients, 1)
            Column `signature:<name>`, indexed as `X`.
        """
        check_is_fitted(self, "coef_")
        names = self.coef_["feature"].tolist()
        table = _numbers(_as_table(X), names)
        columns = Columns(
            names=tuple(names),
            medians=self.coef_["median"].to_numpy(),
            means=self.coef_["mean"].to_numpy(),
        )
        deviation = columns.filled(table) - columns.means
        scores = self.level_ + deviation @ self.coef_["coefficient"].to_numpy()
        return pd.DataFrame({self.column: scores}, index=table.index)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Give the one column; `input_features` is scikit-learn's, not used."""
        return np.array([self.column], dtype=object)

    @property
    def formula(self) -> str:
        """The score written out, three significant digits; `coef_` holds them all."""
        check_is_fitted(self, "coef_")
        names = self.coef_["feature"].tolist()
        if len(set(views_of(names))) == 1:
            names = [name.partition(":")[2] or name for name in names]
        text = f"{self.name} = {self.intercept_:.3g}"
        for name, value in zip(names, self.coef_["coefficient"], strict=True):
            text += f" {'-' if value < 0 else '+'} {abs(value):.3g} × {name}"
        return text

    def _fit(
        self, X: pd.DataFrame, y: NDArray[Any]
    ) -> tuple[pd.DataFrame, NDArray[Any], NDArray[np.intp]]:
        """Learn all but the cross-fitted scores; give table, outcome and patient of each row."""
        self._check_settings()
        whole = _as_table(X)
        validate_data(self, X if isinstance(X, pd.DataFrame) else whole, skip_check_array=True)
        outcome = np.asarray(y)
        if len(outcome) != len(whole):
            raise ValueError(
                f"X and y must have one row per patient each, but X has {len(whole)} and y "
                f"{len(outcome)}."
            )
        outcome = outcome if is_survival(outcome) else outcome.astype(np.bool_)
        table = _numbers(whole, select_columns(whole.columns, self.predictors))
        table, self.dropped_ = _without_constant(table)
        patient = patient_numbers(X, len(table))
        self.kind_ = "survival" if is_survival(outcome) else "binary"
        self.n_patients_ = len(outcome)
        event = outcome["event"] if is_survival(outcome) else outcome
        self.n_events_ = int(event.sum())
        self.missing_ = _count_missing(table)
        self._keep(self._tune(table, outcome, patient), table)
        if len(self.coef_) == 0:
            warnings.warn(
                f"signature {self.name!r} selected no feature: it gives every patient the same "
                "score, and a model that takes it does without it.",
                NothingSelectedWarning,
                stacklevel=3,
            )
        return table, outcome, patient

    def _tune(self, table: pd.DataFrame, y: NDArray[Any], patient: NDArray[np.intp]) -> Tuning:
        return tune(
            table,
            y,
            patient,
            mix=self.mix,
            folds=self.folds,
            n_lambda=self.n_lambda,
            seed=self.seed,
        )

    def _keep(self, tuned: Tuning, table: pd.DataFrame) -> None:
        """Store what was learnt as plain tables and numbers."""
        spread = tuned.columns.filled(table).std(axis=0)
        position = tuned.chosen(self.rule)
        coef, names = tuned.coef[position], np.array(tuned.columns.names, dtype=object)
        order = np.argsort(-np.abs(coef * spread), kind="stable")
        chosen = order[: np.count_nonzero(coef)]
        self.coef_ = pd.DataFrame(
            {
                "feature": names[chosen],
                "coefficient": coef[chosen],
                "standardised": (coef * spread)[chosen],
                "mean": tuned.columns.means[chosen],
                "median": tuned.columns.medians[chosen],
            }
        )
        self.level_ = float(tuned.level[position])
        self.intercept_ = self.level_ - float(tuned.columns.means[chosen] @ coef[chosen])
        self.lambda_ = float(tuned.penalty[position])
        self.lambda_min_ = float(tuned.penalty[tuned.at_min])
        self.lambda_1se_ = float(tuned.penalty[tuned.at_1se])
        self.deviance_ = pd.DataFrame(
            {
                "lambda": tuned.penalty,
                "mean": tuned.mean,
                "standard_error": tuned.standard_error,
                "n_selected": np.count_nonzero(tuned.coef, axis=1),
            }
        )
        ever = np.flatnonzero(tuned.coef.any(axis=0))
        self.path_ = pd.DataFrame(
            {
                "lambda": np.repeat(tuned.penalty, len(ever)),
                "feature": np.tile(names[ever], len(tuned.penalty)),
                "coefficient": tuned.coef[:, ever].ravel(),
                "standardised": (tuned.coef * spread)[:, ever].ravel(),
            }
        )

    def _cross_fit(self, table: pd.DataFrame, y: NDArray[Any], patient: NDArray[np.intp]) -> Floats:
        """Give how far each patient's score lies from the level, by a fit without the patient."""
        fold = deal_folds(
            patient,
            np.asarray(y["event"] if is_survival(y) else y, dtype=np.bool_),
            folds=CROSS_FITTING_FOLDS,
            seed=self.seed + 1,
            binary=not is_survival(y),
            name="folds",
        )
        found = np.empty(len(table))
        for k in range(CROSS_FITTING_FOLDS):
            held_out = fold == k
            tuned = self._tune(table[~held_out], y[~held_out], patient[~held_out])
            coef = tuned.coef[tuned.chosen(self.rule)]
            chosen = np.flatnonzero(coef)
            columns = tuned.columns.take(chosen)
            found[held_out] = (columns.filled(table[held_out]) - columns.means) @ coef[chosen]
        return found

    def _check_settings(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or set(self.name) & set(":*"):
            raise ValueError(
                f"name must be a text without ':' and '*', but {self.name!r} came. "
                "Its column will be signature:<name>."
            )
        if not 0 < self.mix <= 1:
            raise ValueError(
                f"mix must be above 0 and at most 1, but {self.mix!r} came. 1 is the LASSO; 0 "
                "would be a ridge, which selects nothing."
            )
        if self.rule not in RULES:
            raise ValueError(f"rule must be one of {RULES}, but {self.rule!r} came.")
        for name, least in _WHOLE_NUMBERS.items():
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < least:
                raise ValueError(
                    f"{name} must be a whole number of at least {least}, but {value!r} came."
                )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _as_table(X: Any) -> pd.DataFrame:
    """Return X as a table; an array gets the columns x0, x1, ..."""
    if isinstance(X, pd.DataFrame):
        return X
    array = np.asarray(X, dtype=np.float64)
    return pd.DataFrame(array, columns=[f"x{j}" for j in range(array.shape[1])])


def _numbers(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Take columns as float64, refusing what is absent, no number, or infinite."""
    absent = [name for name in names if name not in table.columns]
    if absent:
        raise ValueError(
            f"X must hold the {len(names)} features of the signature, but {len(absent)} are absent "
            f"(first: {absent[0]!r})."
        )
    block = table[names]
    for name, kind in block.dtypes.items():
        if not pd.api.types.is_numeric_dtype(kind):
            raise ValueError(
                f"predictors of a signature must be numbers, but {name!r} is not. Name the columns "
                "that are, or let the category enter the model beside the signature."
            )
    block = block.astype(np.float64)
    infinite = np.isinf(block.to_numpy())
    if infinite.any():
        column = int(infinite.any(axis=0).argmax())
        raise ValueError(
            f"{names[column]} must be finite, but {infinite[:, column].sum()} of {len(block)} "
            "patients have an infinite value. Correct them, or mark them as unknown."
        )
    return block


def _without_constant(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out columns that tell nothing, and say why."""
    values = table.to_numpy()
    empty = np.isnan(values).all(axis=0)
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    constant = ~empty & (low == high)
    dropped = pd.DataFrame(
        [
            (name, "no value in any patient" if none else f"the same value ({value:g}) everywhere")
            for name, none, value, out in zip(
                table.columns, empty, low, empty | constant, strict=True
            )
            if out
        ],
        columns=["column", "reason"],
        dtype=object,
    )
    return table.loc[:, ~(empty | constant)], dropped


def _count_missing(table: pd.DataFrame) -> pd.DataFrame:
    gaps = table.isna().to_numpy()
    views = np.array(views_of(list(table.columns)), dtype=object)
    whole = without_view(gaps, list(table.columns))
    rows = [
        (view, int(whole[:, here].any(axis=1).sum()), int((gaps & ~whole)[:, here].sum()))
        for view in dict.fromkeys(views)
        for here in [views == view]
        if gaps[:, here].any()
    ]
    return pd.DataFrame(rows, columns=["view", "n_without", "n_values"])
