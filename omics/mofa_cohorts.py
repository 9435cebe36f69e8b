"""Whether another cohort's views are the ones the factors were learnt from: columns and scale."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.mofa_views import feature_name, view_name
from omics.projection import Projection

Matrix = NDArray[np.float64]
Index = NDArray[np.intp]

FEWEST_VALUES = 5  # of a feature, for its spread to be told
LARGEST_SHIFT = 2.0  # standard deviations of the patients of the fit
LARGEST_RATIO = 3.0  # of spreads, either way
_QUARTILES_APART = 1.3489795  # standard deviations between the quartiles of a normal


def lacking_features(needed: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Tell what a table lacks of the columns the factors need.

    Parameters
    ----------
    needed, columns : sequence of str
        Named ``view:feature``.

    Returns
    -------
    DataFrame, one row per view
        `view`, `n_features` that the factors need, `n_lacking`, and `lacking`, their names.

    Examples
    --------
    >>> lacking_features(["rna:A", "rna:B", "mri:C"], ["rna:A", "mri:C"]).values.tolist()
    [['rna', 2, 1, 'B'], ['mri', 1, 0, '']]
    """
    present = set(columns)
    rows = []
    for view in dict.fromkeys(map(view_name, needed)):
        mine = [name for name in needed if view_name(name) == view]
        absent = [feature_name(name) for name in mine if name not in present]
        rows.append((view, len(mine), len(absent), ", ".join(absent)))
    return pd.DataFrame(rows, columns=["view", "n_features", "n_lacking", "lacking"])


def scale_shifts(
    projection: Projection, features: Sequence[str], values: Matrix, profiles: Index | None
) -> pd.DataFrame:
    """Compare centre and spread of each gaussian view with the patients of the fit.

    Each feature is centred and scaled as in training. Its shift is the distance of its median from
    the training mean, its ratio the distance between its quartiles over that of a normal variable
    of the training standard deviation, both robust against a few odd patients; a view has the
    medians of its features' figures.

    Parameters
    ----------
    projection : Projection
    features : sequence of str
        Named ``view:feature``, in the order of the projection.
    values : ndarray of shape (n_patients, n_features)
        In the units of the table; NaN is missing.
    profiles : ndarray of int of shape (n_patients,), or None

    Returns
    -------
    DataFrame, one row per gaussian view
        `view`; `n_features` with at least 5 values; `shift`, at least 0, in training standard
        deviations; `ratio` of spreads, above 0; `flagged` where the shift exceeds 2, or the ratio 3
        or a third. Missing, and not flagged, where no feature has 5 values.
    """
    scaled = projection.scaled(values, profiles) / projection.spread
    enough = (~np.isnan(scaled)).sum(axis=0) >= FEWEST_VALUES
    gaussian = projection.gaussian
    names = np.array(list(map(view_name, features)))
    rows = []
    for view in dict.fromkeys(names[gaussian]):
        chosen = scaled[:, (names == view) & gaussian & enough]
        if not chosen.shape[1]:
            rows.append((view, 0, np.nan, np.nan, False))
            continue
        low, middle, high = np.nanquantile(chosen, [0.25, 0.5, 0.75], axis=0)
        shift = float(np.median(np.abs(middle)))
        ratio = float(np.median(high - low) / _QUARTILES_APART)
        flagged = shift > LARGEST_SHIFT or not 1 / LARGEST_RATIO <= ratio <= LARGEST_RATIO
        rows.append((view, chosen.shape[1], shift, ratio, flagged))
    return pd.DataFrame(rows, columns=["view", "n_features", "shift", "ratio", "flagged"])
