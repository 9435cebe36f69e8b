"""What must stay in the values when the centre's mark is taken out: covariates, as numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.errors import FitError
from omics.messages import quoted


@dataclass(frozen=True, kw_only=True)
class Covariates:
    """How covariates become columns of numbers, learnt from training patients.

    Attributes
    ----------
    numbers : dict of column to tuple of float
        Mean and standard deviation, which are taken out; the spread of a constant is 1.
    levels : dict of column to tuple of str
        Of a category: those that training patients have; the first is the reference.
    """

    numbers: Mapping[str, tuple[float, float]]
    levels: Mapping[str, tuple[str, ...]]

    def code(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Give numbers in standard deviations, then 0/1 for each level but the first.

        Examples
        --------
        >>> coding = Covariates(numbers={"age": (60.0, 10.0)}, levels={"sex": ("f", "m")})
        >>> coding.code(pd.DataFrame({"age": [70.0, 60.0], "sex": ["f", "m"]})).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        """
        blocks = [
            (X[name].to_numpy(dtype=np.float64) - mean) / spread
            for name, (mean, spread) in self.numbers.items()
        ]
        for name, levels in self.levels.items():
            values = X[name].astype(str).to_numpy()
            blocks += [(values == level).astype(np.float64) for level in levels[1:]]
        return np.column_stack(blocks) if blocks else np.zeros((len(X), 0))

    def known(self, X: pd.DataFrame) -> NDArray[np.bool_]:
        """Tell whose covariates are there, and of a level that training patients had."""
        found = np.ones(len(X), dtype=np.bool_)
        for name in self.numbers:
            found &= X[name].notna().to_numpy()
        for name, levels in self.levels.items():
            found &= X[name].notna().to_numpy() & X[name].astype(str).isin(levels).to_numpy()
        return found

    def why_unknown(self, X: pd.DataFrame, *, n_patients: int) -> str:
        """Say which covariate patients lack."""
        for name in (*self.numbers, *self.levels):
            missing = int(X[name].isna().sum())
            if missing:
                return (
                    f"covariates must be known of every patient, but {name!r} is missing in "
                    f"{missing} of {n_patients}. Fill it in, leave them out, or take it out of "
                    "covariates."
                )
        for name, levels in self.levels.items():
            other = X[name].astype(str)[~X[name].astype(str).isin(levels)]
            if len(other):
                return (
                    f"covariates must be of the levels that training patients had "
                    f"({quoted(levels)}), but {name!r} is not in {len(other)} of {n_patients} "
                    f"(first: {other.iloc[0]!r}). Join rare levels, or take it out of covariates."
                )
        return ""

    @property
    def columns(self) -> list[str]:
        """Name the covariate of each column that `code` gives."""
        coded = [name for name, levels in self.levels.items() for _ in levels[1:]]
        return [*self.numbers, *coded]


def fit_covariates(X: pd.DataFrame, names: Sequence[str]) -> Covariates:
    """Learn how covariates become numbers.

    Raises
    ------
    ValueError
        If one is missing in a patient, or infinite.
    """
    numbers: dict[str, tuple[float, float]] = {}
    levels: dict[str, tuple[str, ...]] = {}
    for name in dict.fromkeys(names):
        values = X[name]
        if values.isna().any():
            empty = Covariates(numbers={name: (0.0, 1.0)}, levels={})
            raise ValueError(empty.why_unknown(X, n_patients=len(X)))
        if pd.api.types.is_numeric_dtype(values.dtype):
            if np.isinf(values.to_numpy(dtype=np.float64)).any():
                raise ValueError(f"covariates must be finite, but {name!r} has infinite values.")
            spread = float(values.std(ddof=0))
            numbers[name] = float(values.mean()), spread or 1.0
        else:
            there = values.astype("category").cat.remove_unused_categories()
            levels[name] = tuple(str(level) for level in there.cat.categories)
    return Covariates(numbers=numbers, levels=levels)


def check_covariates(
    coding: Covariates, coded: NDArray[np.float64], centre: NDArray[np.intp]
) -> None:
    """Refuse covariates whose effect cannot be told from the centres', or from each other's.

    Parameters
    ----------
    coding : Covariates
    coded : ndarray of shape (n_patients, n_columns)
        What `coding.code` gives.
    centre : ndarray of int, of shape (n_patients,)
        From 0.

    Raises
    ------
    FitError
    """
    centres = np.eye(int(centre.max()) + 1)[centre]
    names = np.array(coding.columns, dtype=object)
    whole = np.column_stack([centres, coded])
    if np.linalg.matrix_rank(whole) == whole.shape[1]:
        return
    for name in dict.fromkeys(coding.columns):
        alone = np.column_stack([centres, coded[:, names == name]])
        if np.linalg.matrix_rank(alone) < alone.shape[1]:
            raise FitError(
                f"covariates must vary within centres, but {name!r} follows from the centre: what "
                "is the centre's and what is the covariate's cannot be told apart. Take it out of "
                "covariates, or harmonise centres in which it varies."
            )
    raise FitError(
        f"covariates must not follow from one another and the centre, but {quoted(names)} together "
        "do. Take one of them out."
    )
