"""What a signature does where a value is missing: learnt from its training patients and frozen.

A single missing value takes the median of the training patients. A patient without any value of a
view takes that view's means, so that the view moves the score of that patient in no direction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Columns:
    """How to fill the columns of a table.

    Attributes
    ----------
    names : tuple of str
        Columns, `view:feature`.
    medians, means : ndarray of shape (p,)
        Of the training patients; the means count a filled value as it was filled. 0 for a column
        without any value.
    """

    names: tuple[str, ...]
    medians: Floats
    means: Floats

    def __repr__(self) -> str:
        return f"Columns({len(self.names)} columns of {len(set(views_of(self.names)))} views)"

    def filled(self, table: pd.DataFrame) -> Floats:
        """Give the values of `names` without a gap, shape (n_patients, p)."""
        values = table.loc[:, list(self.names)].to_numpy(dtype=np.float64, na_value=np.nan)
        gaps = np.isnan(values)
        if not gaps.any():
            return values
        whole = without_view(gaps, self.names)
        return np.where(gaps, np.where(whole, self.means, self.medians), values)

    def take(self, chosen: Sequence[int] | NDArray[np.intp]) -> Self:
        """Give the same for some of the columns."""
        return type(self)(
            names=tuple(self.names[j] for j in chosen),
            medians=self.medians[chosen],
            means=self.means[chosen],
        )


def learn_columns(table: pd.DataFrame) -> Columns:
    """Learn medians and means of every column.

    Examples
    --------
    >>> table = pd.DataFrame({"mri:a": [1.0, 2.0, 9.0, np.nan], "mri:b": [0.0, 0.0, 3.0, np.nan]})
    >>> learn_columns(table).filled(table)[3].tolist()
    [4.0, 1.0]
    >>> learn_columns(table).filled(table.assign(**{"mri:b": 1.0}))[3].tolist()
    [2.0, 1.0]
    """
    names = tuple(map(str, table.columns))
    values = table.to_numpy(dtype=np.float64, na_value=np.nan)
    gaps = np.isnan(values)
    if not gaps.any():
        return Columns(names=names, medians=np.median(values, axis=0), means=values.mean(axis=0))
    known = ~gaps.all(axis=0)
    medians = np.zeros(len(names))
    medians[known] = np.nanmedian(values[:, known], axis=0)
    there = ~without_view(gaps, names)
    filled = np.where(gaps, medians, values)
    means = np.divide(
        np.where(there, filled, 0.0).sum(axis=0),
        there.sum(axis=0),
        out=np.zeros(len(names)),
        where=known,
    )
    return Columns(names=names, medians=medians, means=means)


def views_of(names: Sequence[str]) -> list[str]:
    """Give the view of each column.

    Examples
    --------
    >>> views_of(["mri:a", "x0"])
    ['mri', 'x0']
    """
    return [name.partition(":")[0] if ":" in name else name for name in names]


def without_view(gaps: NDArray[np.bool_], names: Sequence[str]) -> NDArray[np.bool_]:
    """Tell, of each value, whether the patient lacks the whole view; both of shape (n, p)."""
    view = pd.factorize(np.array(views_of(names), dtype=object))[0]
    whole = np.ones((len(gaps), view.max(initial=-1) + 1), dtype=np.bool_)
    for number in range(whole.shape[1]):
        whole[:, number] = gaps[:, view == number].all(axis=1)
    return whole[:, view]
