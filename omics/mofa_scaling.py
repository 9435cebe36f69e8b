"""From the wide table to the matrices MOFA learns from, and back: filtered, centred, scaled."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.errors import FitError
from omics.mofa_fit import EngineFit, FittedView, Likelihood
from omics.mofa_views import (
    check_choice,
    check_values,
    chosen_views,
    is_count,
    numbers,
    option_by_view,
)
from omics.projection import Projection

Scale = Literal["feature", "view", "none"]
Matrix = NDArray[np.float64]
Index = NDArray[np.intp]

_FLAT = 1e-12  # a range below this share of the largest value is rounding, not variation

SWITCHED_OFF = 1e-6  # spread of a factor's values among the patients of the fit; the prior one is 1


@dataclass(frozen=True, eq=False, kw_only=True)
class PreparedView:
    """One view, ready for MOFA.

    Attributes
    ----------
    name : str
    likelihood : {"gaussian", "bernoulli"}
    columns : tuple of str
        Columns of the wide table that are used, in its order.
    centre, scale : ndarray of shape (n_groups, n_features)
        What was subtracted and divided by in each group; 0 and 1 unless the view is gaussian.
    pooled_centre, pooled_scale : ndarray of shape (n_features,)
        The same for a patient of no group: the mean of all patients, and the scale pooled over
        groups.
    counts : ndarray of shape (n_groups, n_features)
        Observed values.
    data : ndarray of shape (n_patients, n_features)
        NaN is missing.
    dropped : tuple of (column, reason)
    """

    name: str
    likelihood: Likelihood
    columns: tuple[str, ...]
    centre: Matrix
    scale: Matrix
    pooled_centre: Matrix
    pooled_scale: Matrix
    counts: Matrix
    data: Matrix
    dropped: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """How views are chosen and scaled; see `FactorModel` for each."""

    views: Sequence[str] | None
    likelihoods: Mapping[str, Likelihood] | None
    max_features: int | Mapping[str, int] | None
    scale: Scale | Mapping[str, Scale]
    scale_groups: bool


def prepare_views(table: pd.DataFrame, groups: Index, options: ViewOptions) -> list[PreparedView]:
    """Prepare every chosen view of the wide table.

    Parameters
    ----------
    table : DataFrame of shape (n_patients, n_columns)
    groups : ndarray of int of shape (n_patients,)
    options : ViewOptions

    Raises
    ------
    ValueError, FitError
        See `prepare_view`.
    """
    columns = chosen_views([str(name) for name in table.columns], options.views)
    likelihood: dict[str, Likelihood] = option_by_view(
        options.likelihoods, columns, default="gaussian", argument="likelihoods"
    )
    divide: dict[str, Scale] = option_by_view(
        options.scale, columns, default="feature", argument="scale"
    )
    keep: dict[str, int | None] = option_by_view(
        options.max_features, columns, default=None, argument="max_features"
    )
    check_choice(likelihood, Likelihood, "likelihoods")
    check_choice(divide, Scale, "scale")
    for view, n in keep.items():
        if n is not None and not is_count(n):
            raise ValueError(f"max_features must be at least 1, but is {n!r} for view {view!r}.")
    return [
        prepare_view(
            view,
            table[names],
            groups,
            likelihood=likelihood[view],
            max_features=keep[view],
            scale=divide[view],
            scale_groups=options.scale_groups,
        )
        for view, names in columns.items()
    ]


def prepare_view(
    name: str,
    table: pd.DataFrame,
    groups: Index,
    *,
    likelihood: Likelihood,
    max_features: int | None,
    scale: Scale,
    scale_groups: bool,
) -> PreparedView:
    """Drop what cannot be used, keep the most variable features, centre and scale.

    Parameters
    ----------
    name : str
    table : DataFrame of shape (n_patients, n_features)
        Numbers; NaN is missing.
    groups : ndarray of int of shape (n_patients,)
    likelihood : {"gaussian", "bernoulli", "poisson"}
        Only gaussian views are centred and scaled, each group around its own mean.
    max_features : int or None
        How many features to keep, by variance within groups in the units of the table; of equals
        the first.
    scale : {"feature", "view", "none"}
        Divide by each feature's standard deviation within groups, by that of the whole centred
        view, or not. Standard deviations are over observed values, with denominator n.
    scale_groups : bool
        Then divide each group by its own standard deviation over the whole view.

    Returns
    -------
    PreparedView

    Raises
    ------
    ValueError
        If a value is not a number, infinite, or none that the likelihood knows.
    FitError
        If the view has no value, or no feature that varies.
    """
    values, columns = numbers(table), [str(column) for column in table]
    if np.isnan(values).all():
        raise FitError(
            f"view {name!r} must have a value in some patient, but all {len(values)} patients miss "
            "it. Leave it out of `views`, or look at the join."
        )
    check_values(values, columns, likelihood)
    reasons = _reasons(values, max_features, groups)
    kept = np.array([reason == "" for reason in reasons])
    dropped = tuple((c, r) for c, r in zip(columns, reasons, strict=True) if r)
    if not kept.any():
        counts = Counter(reason for _, reason in dropped)
        raise FitError(
            f"view {name!r} must have a feature that varies, but of {len(columns)} "
            f"{' and '.join(f'{n} are {why}' for why, n in counts.items())}. "
            "Leave it out of `views`."
        )
    scaling = _scaling(values[:, kept], groups, likelihood, scale, scale_groups=scale_groups)
    return PreparedView(
        name=name,
        likelihood=likelihood,
        columns=tuple(np.array(columns, dtype=object)[kept]),
        dropped=dropped,
        **scaling,
    )


def _reasons(values: Matrix, max_features: int | None, groups: Index) -> list[str]:
    """Why each feature is left out; empty where it is kept."""
    observed = ~np.isnan(values)
    some = observed.any(axis=0)
    reasons = np.where(some, "", "all missing").astype(object)
    data = values[:, some]
    largest = np.nanmax(np.abs(data), axis=0)
    data = data - group_means(data, groups)[groups]
    spread = np.nanmax(data, axis=0) - np.nanmin(data, axis=0)
    reasons[np.flatnonzero(some)[spread <= _FLAT * largest]] = "constant"
    usable = np.flatnonzero(reasons == "")
    if max_features is not None and len(usable) > max_features:
        variance = np.full(values.shape[1], -np.inf)
        variance[some] = np.nanmean(data**2, axis=0)
        weakest = np.argsort(-variance[usable], kind="stable")[max_features:]
        reasons[usable[weakest]] = "low variance"
    return [str(reason) for reason in reasons]


def group_means(data: Matrix, groups: Index) -> Matrix:
    """Return the mean of each feature in each group, (n_groups, n_features).

    Where a group lacks a feature, its mean is that of all patients.

    Examples
    --------
    >>> group_means(np.array([[1.0], [3.0], [7.0]]), np.array([0, 0, 1])).tolist()
    [[2.0], [7.0]]
    """
    observed, filled = ~np.isnan(data), np.nan_to_num(data)
    n_groups = int(groups.max()) + 1
    total = np.stack([filled[groups == g].sum(axis=0) for g in range(n_groups)])
    counts = np.stack([observed[groups == g].sum(axis=0) for g in range(n_groups)])
    pooled = total.sum(axis=0) / counts.sum(axis=0)
    means = np.where(counts > 0, total / np.maximum(counts, 1), pooled)
    # once more from the centred values: exact where values are large beside their spread
    centred = np.where(observed, data - means[groups], 0.0)
    again = np.stack([centred[groups == g].sum(axis=0) for g in range(n_groups)])
    return np.asarray(means + again / np.maximum(counts, 1))


def _scaling(
    data: Matrix, groups: Index, likelihood: Likelihood, scale: Scale, *, scale_groups: bool
) -> dict[str, Matrix]:
    """Centre and scale; the data and what was subtracted and divided by, as `PreparedView` has."""
    n_groups, n_features = int(groups.max()) + 1, data.shape[1]
    observed = ~np.isnan(data)
    counts = np.stack(
        [observed[groups == g].sum(axis=0, dtype=np.float64) for g in range(n_groups)]
    )
    if likelihood != "gaussian":
        zero, one = np.zeros((n_groups, n_features)), np.ones((n_groups, n_features))
        return {
            **{"centre": zero, "scale": one, "pooled_centre": zero[0], "pooled_scale": one[0]},
            **{"counts": counts, "data": data},
        }
    centre = group_means(data, groups)
    centred = data - centre[groups]
    divisor = np.ones(n_features)
    if scale == "feature":
        divisor = np.nanstd(centred, axis=0)
    elif scale == "view":
        divisor = np.full(n_features, np.nanstd(centred))
    each = np.repeat(divisor[None], n_groups, axis=0)
    scaled = centred / divisor
    if scale_groups:
        own = np.array([[np.nanstd(scaled[groups == g])] for g in range(n_groups)])
        own = np.where(own > 0, own, 1.0)
        each = each * own
        scaled = scaled / own[groups]
    share = counts / counts.sum(axis=0)
    return {
        "centre": centre,
        "scale": each,
        "pooled_centre": (share * centre).sum(axis=0),
        "pooled_scale": np.sqrt((share * each**2).sum(axis=0)),
        "counts": counts,
        "data": scaled,
    }


def stacked(
    prepared: Sequence[PreparedView],
    fit: EngineFit,
    *,
    group_sizes: Matrix,
    reach: float | None,
    new_group: int | None,
) -> Projection:
    """Stack the features of all views into the frozen projection.

    The weights of a factor that MOFA has switched off become exactly 0, and with them its values:
    left at 1e-80, a model that follows would see a column that varies.

    Where there are several groups, a last profile is added for patients of none: that of the group
    `new_group`, or else a pooled one: the mean of all patients; as noise, the mean variance within
    groups plus the variance between their means (a group not seen has its own mean, which nobody
    knows), both by observed values; the mean of the factors' prior variances, by patients.
    """
    pairs = list(zip(prepared, fit.views, strict=True))
    lowest = np.concatenate([np.nanmin(view.data, axis=0) for view in prepared])
    highest = np.concatenate([np.nanmax(view.data, axis=0) for view in prepared])
    beyond = np.full(len(lowest), np.inf) if reach is None else reach * (highest - lowest)
    on = fit.factors.std(axis=0) > SWITCHED_OFF
    profiles = [_profiles(view, fitted, new_group) for view, fitted in pairs]
    return Projection(
        weight=np.where(on, np.concatenate([fitted.weight for _, fitted in pairs]), 0.0),
        weight_square=np.where(
            on, np.concatenate([fitted.weight_square for _, fitted in pairs]), 0.0
        ),
        prior_precision=_with_new(
            fit.prior_precision, new_group, 1.0 / (group_sizes @ (1.0 / fit.prior_precision))
        ),
        centre=np.concatenate([one[0] for one in profiles], axis=1),
        scale=np.concatenate([one[1] for one in profiles], axis=1),
        noise_precision=np.concatenate([one[2] for one in profiles], axis=1),
        lowest=lowest - beyond,
        highest=highest + beyond,
        spread=np.concatenate([np.nanstd(view.data, axis=0) for view in prepared]),
        bernoulli=_whose(prepared, "bernoulli"),
        poisson=_whose(prepared, "poisson"),
        importance=np.concatenate(
            [np.full(len(view.columns), fitted.importance) for view, fitted in pairs]
        ),
    )


def _whose(prepared: Sequence[PreparedView], likelihood: Likelihood) -> NDArray[np.bool_]:
    return np.concatenate(
        [np.full(len(view.columns), view.likelihood == likelihood) for view in prepared]
    )


def _profiles(
    view: PreparedView, fitted: FittedView, new_group: int | None
) -> tuple[Matrix, Matrix, Matrix]:
    """Centre, scale and noise by profile, (n_profiles, n_features) each."""
    share = view.counts / view.counts.sum(axis=0)
    within = (share / fitted.noise_precision).sum(axis=0)
    between = (share * ((view.centre - view.pooled_centre) / view.pooled_scale) ** 2).sum(axis=0)
    noise = 1.0 / (within + between)
    return (
        # a view has one of the two: mu where it is gaussian, c_d where it is not
        _with_new(view.centre, new_group, view.pooled_centre) + fitted.centre,
        _with_new(view.scale, new_group, view.pooled_scale),
        _with_new(fitted.noise_precision, new_group, noise),
    )


def _with_new(by_group: Matrix, new_group: int | None, pooled: Matrix) -> Matrix:
    """Add the row of patients of no group, where there are several groups."""
    if len(by_group) == 1:
        return by_group
    return np.vstack([by_group, pooled if new_group is None else by_group[new_group]])
