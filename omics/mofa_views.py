"""From the wide table to the matrices MOFA learns from: chosen, filtered, centred, scaled."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal, TypeVar, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.errors import FitError
from omics.mofa_fit import EngineFit, Likelihood
from omics.projection import Projection

Scale = Literal["feature", "view", "none"]
Matrix = NDArray[np.float64]
Option = TypeVar("Option")

BARE_VIEW = "X"  # the name of the one view of a table whose columns name none
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
    centre, scale : ndarray of shape (n_features,)
        What was subtracted and divided by; 0 and 1 for a bernoulli view.
    data : ndarray of shape (n_patients, n_features)
        NaN is missing.
    dropped : tuple of (column, reason)
    """

    name: str
    likelihood: Likelihood
    columns: tuple[str, ...]
    centre: Matrix
    scale: Matrix
    data: Matrix
    dropped: tuple[tuple[str, str], ...]


def chosen_views(columns: Iterable[str], views: Sequence[str] | None) -> dict[str, list[str]]:
    """Return the columns of each chosen view.

    Parameters
    ----------
    columns : iterable of str
        Named ``view:feature``; if no column holds a colon, the table is one view named ``X``.
    views : sequence of str or None
        None: every view, in the order of the table.

    Returns
    -------
    dict
        View to its columns.

    Raises
    ------
    ValueError
        If a view is unknown or named twice, or, where all are taken, a column names no view.

    Examples
    --------
    >>> chosen_views(["rna:TP53", "clinical:Age", "rna:EGFR"], ["rna"])
    {'rna': ['rna:TP53', 'rna:EGFR']}
    """
    names = list(columns)
    if not any(":" in name for name in names):
        found = {BARE_VIEW: names}
    else:
        found = {}
        for name in names:
            found.setdefault(name.partition(":")[0] if ":" in name else "", []).append(name)
    if views is None:
        _check_all_named(found)
        return found
    _check_known(views, found, "views")
    repeated = [view for view, times in Counter(views).items() if times > 1]
    if repeated:
        raise ValueError(f"views must name each view once, but {repeated[0]!r} is named twice.")
    return {view: found[view] for view in views}


def _check_all_named(found: Mapping[str, list[str]]) -> None:
    if "" in found:
        raise ValueError(
            f"X must have columns named 'view:feature', but {len(found[''])} name no view (first: "
            f"{found[''][0]!r}). Name the views to use: FactorModel(views=[...])."
        )


def _check_known(names: Iterable[str], known: Iterable[str], argument: str) -> None:
    known = [name for name in known if name]
    unknown = [name for name in names if name not in known]
    if unknown:
        near = get_close_matches(str(unknown[0]), known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"{argument} must name views of X, but {len(unknown)} are not there (first: "
            f"{unknown[0]!r}). X has {', '.join(map(repr, known))}.{hint}"
        )


def option_by_view(
    option: Option | Mapping[str, Option] | None,
    views: Iterable[str],
    *,
    default: Option,
    argument: str,
) -> dict[str, Option]:
    """Return one value per view of an option given once, per view, or not at all.

    Raises
    ------
    ValueError
        If the option is given for a view that is not used.

    Examples
    --------
    >>> option_by_view({"flags": "bernoulli"}, ["rna", "flags"],
    ...                default="gaussian", argument="likelihoods")
    {'rna': 'gaussian', 'flags': 'bernoulli'}
    """
    views = list(views)
    if isinstance(option, Mapping):
        _check_known(option, views, argument)
        return {view: option.get(view, default) for view in views}
    return dict.fromkeys(views, default if option is None else option)


def _check_choice(values: Mapping[str, str], choices: object, argument: str) -> None:
    allowed = get_args(choices)
    for view, value in values.items():
        if value not in allowed:
            raise ValueError(
                f"{argument} must be one of {', '.join(map(repr, allowed))}, "
                f"but is {value!r} for view {view!r}."
            )


def is_count(value: object) -> bool:
    """Tell whether `value` is a whole number of at least 1.

    Examples
    --------
    >>> is_count(3), is_count(True), is_count(0)
    (True, False, False)
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        return False
    return int(value) >= 1


def view_name(column: str) -> str:
    """Return the view of a ``view:feature`` column, or that of a bare table.

    Examples
    --------
    >>> view_name("rna:TP53"), view_name("x0")
    ('rna', 'X')
    """
    return column.partition(":")[0] if ":" in column else BARE_VIEW


def feature_name(column: str) -> str:
    """Return the feature of a ``view:feature`` column.

    Examples
    --------
    >>> feature_name("rna:HLA:A")
    'HLA:A'
    """
    return column.partition(":")[2] if ":" in column else column


def check_columns(columns: Iterable[str], needed: Sequence[str]) -> None:
    """Raise unless every needed column is there, naming those that are not."""
    present = set(columns)
    absent = [name for name in needed if name not in present]
    if not absent:
        return
    total, lacking = Counter(map(view_name, needed)), Counter(map(view_name, absent))
    counts = ", ".join(f"{view}: {n} of {total[view]}" for view, n in lacking.items())
    names = ", ".join(map(repr, absent[:5])) + (", ..." if len(absent) > 5 else "")
    raise ValueError(
        f"X must have the {len(needed)} columns the factors were learnt from, but {len(absent)} "
        f"are missing ({counts}): {names}. For patients without these values, add the columns with "
        "missing values."
    )


def numbers(table: pd.DataFrame) -> Matrix:
    """Return the table as floats, NaN where missing.

    Raises
    ------
    ValueError
        If a column does not hold numbers, or a value is infinite.
    """
    wrong = [
        (name, kind)
        for name, kind in table.dtypes.items()
        if not pd.api.types.is_numeric_dtype(kind)
    ]
    if wrong:
        raise ValueError(
            f"the columns of MOFA's views must hold numbers, but {len(wrong)} do not (first: "
            f"{wrong[0][0]!r}, {wrong[0][1]}). Leave its view out with "
            "FactorModel(views=[...])."
        )
    values = table.to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = np.isinf(values)
    if infinite.any():
        first = table.columns[infinite.any(axis=0)][0]
        raise ValueError(
            f"X must be finite or missing, but {infinite.sum()} values are infinite "
            f"(first in column {first!r})."
        )
    return values


def check_binary(values: Matrix, columns: Sequence[str]) -> None:
    """Raise unless every value is 0, 1 or missing."""
    wrong = ~((values == 0) | (values == 1) | np.isnan(values))
    if wrong.any():
        column = int(wrong.any(axis=0).argmax())
        value = values[wrong[:, column], column][0]
        raise ValueError(
            f"a bernoulli view must hold only 0, 1 or missing, but {wrong.sum()} values are not "
            f"(first: {value:g} in column {columns[column]!r}). Use likelihood 'gaussian' for it."
        )


def prepare_views(
    table: pd.DataFrame,
    *,
    views: Sequence[str] | None,
    likelihoods: Mapping[str, Likelihood] | None,
    max_features: int | Mapping[str, int] | None,
    scale: Scale | Mapping[str, Scale],
) -> list[PreparedView]:
    """Prepare every chosen view of the wide table; see `FactorModel` for the arguments."""
    columns = chosen_views([str(name) for name in table.columns], views)
    likelihood: dict[str, Likelihood] = option_by_view(
        likelihoods, columns, default="gaussian", argument="likelihoods"
    )
    divide: dict[str, Scale] = option_by_view(scale, columns, default="feature", argument="scale")
    keep: dict[str, int | None] = option_by_view(
        max_features, columns, default=None, argument="max_features"
    )
    _check_choice(likelihood, Likelihood, "likelihoods")
    _check_choice(divide, Scale, "scale")
    for view, n in keep.items():
        if n is not None and not is_count(n):
            raise ValueError(f"max_features must be at least 1, but is {n!r} for view {view!r}.")
    return [
        prepare_view(
            view,
            table[names],
            likelihood=likelihood[view],
            max_features=keep[view],
            scale=divide[view],
        )
        for view, names in columns.items()
    ]


def prepare_view(
    name: str,
    table: pd.DataFrame,
    *,
    likelihood: Likelihood,
    max_features: int | None,
    scale: Scale,
) -> PreparedView:
    """Drop what cannot be used, keep the most variable features, centre and scale.

    Parameters
    ----------
    name : str
    table : DataFrame of shape (n_patients, n_features)
        Numbers; NaN is missing.
    likelihood : {"gaussian", "bernoulli"}
        Bernoulli views are neither centred nor scaled.
    max_features : int or None
        How many features to keep, by variance in the units of the table; of equals the first.
    scale : {"feature", "view", "none"}
        Divide by each feature's standard deviation, by that of the whole centred view, or not.
        Standard deviations are over observed values, with denominator n.

    Returns
    -------
    PreparedView

    Raises
    ------
    ValueError
        If a value is not a number, infinite, or in a bernoulli view neither 0 nor 1.
    FitError
        If the view has no value, or no feature that varies.
    """
    values, columns = numbers(table), [str(column) for column in table]
    if np.isnan(values).all():
        raise FitError(
            f"view {name!r} must have a value in some patient, but all {len(values)} patients miss "
            "it. Leave it out of `views`, or look at the join."
        )
    if likelihood == "bernoulli":
        check_binary(values, columns)
    reasons = _reasons(values, max_features)
    kept = np.array([reason == "" for reason in reasons])
    dropped = tuple((c, r) for c, r in zip(columns, reasons, strict=True) if r)
    if not kept.any():
        counts = Counter(reason for _, reason in dropped)
        raise FitError(
            f"view {name!r} must have a feature that varies, but of {len(columns)} "
            f"{' and '.join(f'{n} are {why}' for why, n in counts.items())}. "
            "Leave it out of `views`."
        )
    data = values[:, kept]
    centre, divisor = _centre_and_scale(data, likelihood, scale)
    return PreparedView(
        name=name,
        likelihood=likelihood,
        columns=tuple(np.array(columns, dtype=object)[kept]),
        centre=centre,
        scale=divisor,
        data=(data - centre) / divisor,
        dropped=dropped,
    )


def _reasons(values: Matrix, max_features: int | None) -> list[str]:
    """Why each feature is left out; empty where it is kept."""
    observed = ~np.isnan(values)
    some = observed.any(axis=0)
    reasons = np.where(some, "", "all missing").astype(object)
    data = values[:, some]
    spread = np.nanmax(data, axis=0) - np.nanmin(data, axis=0)
    flat = spread <= _FLAT * np.nanmax(np.abs(data), axis=0)
    reasons[np.flatnonzero(some)[flat]] = "constant"
    usable = np.flatnonzero(reasons == "")
    if max_features is not None and len(usable) > max_features:
        variance = np.nanvar(values[:, usable], axis=0)
        weakest = np.argsort(-variance, kind="stable")[max_features:]
        reasons[usable[weakest]] = "low variance"
    return [str(reason) for reason in reasons]


def _centre_and_scale(data: Matrix, likelihood: Likelihood, scale: Scale) -> tuple[Matrix, Matrix]:
    n_features = data.shape[1]
    if likelihood == "bernoulli":
        return np.zeros(n_features), np.ones(n_features)
    centre = np.nanmean(data, axis=0)
    if scale == "feature":
        return centre, np.nanstd(data, axis=0)
    if scale == "view":
        return centre, np.full(n_features, np.nanstd(data - centre))
    return centre, np.ones(n_features)


def stacked(prepared: Sequence[PreparedView], fit: EngineFit, *, reach: float | None) -> Projection:
    """Stack the features of all views into the frozen projection.

    The weights of a factor that MOFA has switched off become exactly 0, and with them its values:
    left at 1e-80, a model that follows would see a column that varies.
    """
    pairs = list(zip(prepared, fit.views, strict=True))
    lowest = np.concatenate([np.nanmin(view.data, axis=0) for view in prepared])
    highest = np.concatenate([np.nanmax(view.data, axis=0) for view in prepared])
    beyond = np.full(len(lowest), np.inf) if reach is None else reach * (highest - lowest)
    on = fit.factors.std(axis=0) > SWITCHED_OFF
    return Projection(
        weight=np.where(on, np.concatenate([fitted.weight for _, fitted in pairs]), 0.0),
        weight_square=np.where(
            on, np.concatenate([fitted.weight_square for _, fitted in pairs]), 0.0
        ),
        prior_precision=fit.prior_precision[0],
        noise_precision=np.concatenate([fitted.noise_precision[0] for _, fitted in pairs]),
        # a view has one of the two: mu where it is gaussian, c_d where it is bernoulli
        centre=np.concatenate([view.centre + fitted.centre for view, fitted in pairs]),
        scale=np.concatenate([view.scale for view in prepared]),
        lowest=lowest - beyond,
        highest=highest + beyond,
        bernoulli=np.concatenate(
            [np.full(len(view.columns), view.likelihood == "bernoulli") for view in prepared]
        ),
    )
