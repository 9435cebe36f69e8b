"""What a pipeline of ours is made of: steps that clean, steps that learn columns, a model."""

from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.logistic import LogisticModel

Model = CoxModel | LogisticModel | BoostedModel


class Cleaning(Protocol):
    """A transformer from wide table to wide table that cleans columns before any model."""

    @property
    def drops_columns(self) -> bool:
        """True if it takes columns away, as a filter does."""

    def fit(self, X: pd.DataFrame, y: NDArray[Any] | None = None) -> Self:
        """Learn from the training patients."""

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Clean the columns of any patients."""


class WithLearned(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Add the columns that a step learns to the wide table, which stays as it is.

    Considered and rejected: scikit-learn's `FeatureUnion`, which names the columns that pass
    through by their place in `fit`: a new table in another order was read wrongly, without a word.

    Parameters
    ----------
    step : FactorModel or Signature

    Attributes
    ----------
    step_ : FactorModel or Signature, fitted
    """

    step_: Any

    def __init__(self, step: Any) -> None:
        self.step = step

    @property
    def learned(self) -> Any:
        """The fitted step; before `fit`, the step as it was given."""
        return getattr(self, "step_", self.step)

    def fit(self, X: pd.DataFrame, y: NDArray[Any] | None = None) -> Self:
        """Learn the step."""
        self.step_ = clone(self.step).fit(X, y)
        return self

    def fit_transform(self, X: pd.DataFrame, y: NDArray[Any] | None = None) -> pd.DataFrame:
        """Learn the step, and add what it gives the patients it learned from."""
        self.step_ = clone(self.step)
        return pd.concat([X, self.step_.fit_transform(X, y)], axis=1)

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Add what the learned step gives any patients."""
        check_is_fitted(self, "step_")
        return pd.concat([X, self.step_.transform(X)], axis=1)


def mean_risk(
    model: Model, drawn: NDArray[np.float64], horizon: float | None
) -> NDArray[np.float64]:
    """Average the risk over the draws of each patient: what is known of it without the gaps.

    Parameters
    ----------
    model : CoxModel, LogisticModel or BoostedModel
    drawn : ndarray of shape (n_draws, n_patients, p)
    horizon : float or None

    Returns
    -------
    ndarray of shape (n_patients,)
    """
    flat = pd.DataFrame(drawn.reshape(-1, drawn.shape[2]), columns=list(model.feature_names_in_))
    return np.asarray(model.risk(flat, horizon=horizon).reshape(drawn.shape[:2]).mean(axis=0))
