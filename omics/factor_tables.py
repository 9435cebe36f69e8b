"""What a factor is made of, and whom it describes: top loadings, variance explained by group."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from omics.mofa_fit import FittedView, Matrix, variance_explained


def top_loadings(loadings: pd.DataFrame, *, n_features: int) -> pd.DataFrame:
    """Return the largest loadings of every factor in every view, with their sign.

    Parameters
    ----------
    loadings : DataFrame
        Columns `view`, `feature`, `factor`, `loading`, such as `FactorModel.loadings_`.
    n_features : int
        At most so many of each view and factor, by size; loadings of exactly 0 are left out.

    Returns
    -------
    DataFrame, one row per factor, view and feature, the largest first
        `factor`, `view`, `feature`, `loading` (signed) and `rank`, from 1; of equals the first
        feature of the view comes first.

    Raises
    ------
    ValueError
        If a column is absent or `n_features` is below 1.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "view": "rna", "feature": ["TP53", "EGFR", "MYC"], "factor": "F1",
    ...     "loading": [0.5, -2.0, 0.0],
    ... })
    >>> top_loadings(table, n_features=5)[["feature", "loading", "rank"]].values.tolist()
    [['EGFR', -2.0, 1], ['TP53', 0.5, 2]]
    """
    needed = ["factor", "view", "feature", "loading"]
    absent = [name for name in needed if name not in loadings.columns]
    if absent:
        raise ValueError(
            f"loadings must have the columns {needed}, but {absent} are absent. "
            "Pass FactorModel.loadings_."
        )
    if n_features < 1:
        raise ValueError(f"n_features must be at least 1, but is {n_features}.")
    table = loadings.loc[loadings["loading"] != 0, needed]
    place = {
        name: table[name].map({value: i for i, value in enumerate(loadings[name].unique())})
        for name in ("factor", "view")
    }
    table = table.assign(size=-table["loading"].abs(), **{f"{n}_": p for n, p in place.items()})
    table = table.sort_values(["factor_", "view_", "size"], kind="stable")
    table["rank"] = table.groupby(["factor", "view"], sort=False).cumcount() + 1
    return table.loc[table["rank"] <= n_features, [*needed, "rank"]].reset_index(drop=True)


def variance_explained_by_group(
    factors: Matrix, view: FittedView, groups: ArrayLike
) -> dict[str, Matrix]:
    """Compute the share of a view's variance that each factor explains in each group of patients.

    Parameters
    ----------
    factors : ndarray of shape (n_patients, n_factors)
    view : FittedView
        Of the same patients; its data centred as MOFA took them, group by group where groups
        were declared.
    groups : array-like of shape (n_patients,)
        Group of each patient.

    Returns
    -------
    dict of group to ndarray of shape (n_factors + 1,)
        In the order of first appearance; the last is of all factors together. NaN where no patient
        of the group has a value that varies in this view. See `variance_explained`.

    Raises
    ------
    ValueError
        If there is not one group per patient, or a group is missing.

    Examples
    --------
    >>> view = FittedView(
    ...     weight=np.array([[1.0]]), weight_square=np.array([[1.0]]),
    ...     noise_precision=np.ones((2, 1)), centre=np.zeros(1),
    ...     pseudo_data=np.array([[1.0], [-1.0], [2.0], [-2.0]]),
    ... )
    >>> by_group = variance_explained_by_group(
    ...     np.array([[1.0], [-1.0], [1.0], [-1.0]]), view, ["north", "north", "south", "south"]
    ... )
    >>> {group: share.tolist() for group, share in by_group.items()}
    {'north': [1.0, 1.0], 'south': [0.75, 0.75]}
    """
    labels = pd.Series(np.asarray(groups, dtype=object))
    if len(labels) != len(factors) or labels.isna().any():
        raise ValueError(
            f"groups must hold the group of each of {len(factors)} patients, but {len(labels)} came"
            f", {int(labels.isna().sum())} of them missing. Give every patient a group."
        )
    shares = {}
    for group in labels.unique():
        rows = (labels == group).to_numpy()
        part = replace(view, pseudo_data=view.pseudo_data[rows])
        varies = np.nansum(np.square(part.pseudo_data)) > 0
        nothing = np.full(factors.shape[1] + 1, np.nan)
        shares[str(group)] = variance_explained(factors[rows], part) if varies else nothing
    return shares


def loading_map(
    loadings: pd.DataFrame, *, n_features: int, factors: Sequence[str] | None = None
) -> pd.DataFrame:
    """Arrange the top features of every factor and view for a heat map of all factors.

    Parameters
    ----------
    loadings : DataFrame
        As for `top_loadings`.
    n_features : int
        The features shown are the largest `n_features` of each view and factor.
    factors : sequence of str, optional
        Factors shown, in this order; left out: all.

    Returns
    -------
    DataFrame, one row per shown feature and factor
        `view`, `feature`, `factor`, `loading` and `scaled`, the loading as a share of its view's
        largest among these factors, in [-1, 1]. Features stand view by view, those of one factor
        together, by falling size of their largest loading.

    Raises
    ------
    ValueError
        If a factor is unknown, or see `top_loadings`.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "view": "rna", "feature": ["A", "B"] * 2, "factor": ["F1", "F1", "F2", "F2"],
    ...     "loading": [0.2, -4.0, 1.0, 0.0],
    ... })
    >>> loading_map(table, n_features=1)[["feature", "factor", "scaled"]].values.tolist()
    [['B', 'F1', -1.0], ['B', 'F2', 0.0], ['A', 'F1', 0.05], ['A', 'F2', 0.25]]
    """
    known = list(dict.fromkeys(loadings["factor"])) if "factor" in loadings.columns else []
    shown = known if factors is None else list(factors)
    unknown = [factor for factor in shown if factor not in known]
    if unknown:
        raise ValueError(f"factors must be among {known}, but {unknown[0]!r} is not.")
    part = loadings[loadings["factor"].isin(shown)] if known else loadings
    top = top_loadings(part, n_features=n_features)
    key = pd.MultiIndex.from_frame(top[["view", "feature"]]).unique()
    wide = part.pivot(index=["view", "feature"], columns="factor", values="loading")
    largest = wide.abs().groupby(level="view").max().max(axis=1)
    wide = wide.loc[key, shown]
    scaled = wide.div(largest, level="view", axis=0)
    size = scaled.abs()
    views = {view: place for place, view in enumerate(dict.fromkeys(loadings["view"]))}
    order = np.lexsort(
        (
            -size.max(axis=1).to_numpy(),
            size.to_numpy().argmax(axis=1),
            wide.index.get_level_values("view").map(views).to_numpy(),
        )
    )
    rows = [
        (view, feature, factor, wide.iloc[i, k], scaled.iloc[i, k])
        for i in order
        for view, feature in [wide.index[i]]
        for k, factor in enumerate(shown)
    ]
    return pd.DataFrame(rows, columns=["view", "feature", "factor", "loading", "scaled"])
