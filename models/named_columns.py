"""Whether every column that a model names is there after a filter has taken columns away.

A filter is learned anew in every resample, and may drop a column in one that it keeps in another: a
model that names this column has then no fit there. It says so in words, and the resample counts as
failed.
"""

from collections.abc import Sequence
from typing import Any, Self

import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from models.predictors import matching
from omics.errors import FitError
from omics.messages import quoted


class NamedColumns(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Pass the wide table on as it is, if it holds what a model reads.

    Parameters
    ----------
    predictors : sequence of str
        Columns or patterns, each of which must match a column.

    Examples
    --------
    >>> NamedColumns(["mri:Mean"]).fit(pd.DataFrame({"mri:Max": [1.0]}))
    Traceback (most recent call last):
    omics.errors.FitError: a filter left no column that the model reads as 'mri:Mean'. ...
    """

    def __init__(self, predictors: Sequence[str]) -> None:
        self.predictors = predictors

    def fit(self, X: pd.DataFrame, y: NDArray[Any] | None = None) -> Self:
        """Look for each predictor among the columns of `X`.

        Raises
        ------
        FitError
            If a predictor matches none.
        """
        gone = [name for name in self.predictors if not matching(name, X.columns)]
        if gone:
            raise FitError(
                f"a filter left no column that the model reads as {quoted(gone, limit=3)}. Take "
                f"{'it' if len(gone) == 1 else 'them'} out of the model, name more columns by a "
                "pattern with *, or let the filter keep more."
            )
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Give the table itself."""
        return X
