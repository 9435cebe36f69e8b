"""What a factor model may be asked, and what it is told of its patients' groups."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.errors import FitError, SmallViewWarning
from omics.factor_tables import variance_explained_by_group
from omics.mofa_fit import Convergence, Engine, EngineFit, variance_explained
from omics.mofa_views import is_count

LowInformation = Literal["flag", "missing"]
Absent = Literal["refuse", "missing"]
Index = NDArray[np.intp]

FEW_FEATURES = 15  # below it, mofapy2 warns too


def check_parameters(model: Any) -> None:
    """Raise unless every argument of a `FactorModel` that is no view's is in range."""
    for name in ("n_factors", "max_iterations"):
        value = getattr(model, name)
        if not is_count(value):
            raise ValueError(f"{name} must be a whole number of at least 1, but is {value!r}.")
    if model.reach is not None and not model.reach >= 0:
        raise ValueError(f"reach must be at least 0 or None, but is {model.reach!r}.")
    if model.tolerance is not None and not model.tolerance > 0:
        raise ValueError(f"tolerance must be above 0 or None, but is {model.tolerance!r}.")
    for name in ("least_r2", "least_information"):
        value = getattr(model, name)
        if value is not None and not 0 <= value <= 1:
            raise ValueError(f"{name} must lie in [0, 1] or be None, but is {value!r}.")
    for name, choices in (
        ("convergence", Convergence),
        ("engine", Engine),
        ("low_information", LowInformation),
        ("absent", Absent),
    ):
        value = getattr(model, name)
        if value not in get_args(choices):
            raise ValueError(
                f"{name} must be one of {', '.join(map(repr, get_args(choices)))}, but is "
                f"{value!r}."
            )
    if model.low_information == "missing" and model.least_information is None:
        raise ValueError(
            "least_information must be a number in [0, 1] where low_information is 'missing', but "
            "is None: say from which information on a patient counts."
        )


def check_size(n_factors: int, n_patients: int, n_features: int) -> None:
    """Raise unless there are as many patients, and features, as factors."""
    for what, n in (("patients", n_patients), ("usable features", n_features)):
        if n < n_factors:
            raise FitError(
                f"n_factors must be at most the number of {what}, but {n_factors} factors "
                f"were asked of {n} {what}. Ask for fewer factors."
            )


def small_view(view: str, n_features: int) -> str:
    """Say what a view of few features means for MOFA; empty where it has enough.

    Examples
    --------
    >>> small_view("rna", 400)
    ''
    """
    if n_features == 1:
        return (
            f"view {view!r} has one feature: no factor can be told from its noise. Make it a "
            "predictor of the models (a covariate), and leave it out of the factors' views."
        )
    if n_features < FEW_FEATURES:
        return (
            f"view {view!r} has {n_features} features, fewer than {FEW_FEATURES}: MOFA weighs "
            "views by their features, so that few of its factors will be about this one. Consider "
            "its features as predictors beside the factors."
        )
    return ""


def warn_of_small_views(n_features: Mapping[str, int]) -> None:
    """Warn of every view with too few features."""
    for view, n in n_features.items():
        if message := small_view(view, n):
            warnings.warn(message, SmallViewWarning, stacklevel=4)


def group_index(
    table: pd.DataFrame, column: str | None, *, new_group: str | None
) -> tuple[tuple[str, ...], Index]:
    """Return the levels of the groups, sorted, and the group of each patient.

    Raises
    ------
    ValueError
        If the column is not there, a patient has no group, or `new_group` is none of them.

    Examples
    --------
    >>> table = pd.DataFrame({"clinical:site": ["B", "A", "B"]})
    >>> levels, groups = group_index(table, "clinical:site", new_group=None)
    >>> levels, groups.tolist()
    (('A', 'B'), [1, 0, 1])
    """
    if column is None:
        if new_group is not None:
            raise ValueError(
                f"new_group must be left out where there are no groups, but is {new_group!r}. "
                "Name the column of the groups: FactorModel(groups=...)."
            )
        return (), np.zeros(len(table), dtype=np.intp)
    if column not in table:
        raise ValueError(
            f"groups must name a column of X, but {column!r} is not there. X has "
            f"{len(table.columns)} columns (first: {str(table.columns[0])!r})."
        )
    labels = group_labels(table[column])
    missing = int(labels.isna().sum())
    if missing:
        raise ValueError(
            f"every patient must have a group, but {missing} of {len(table)} miss {column!r}. "
            "Complete the column, or leave those patients out."
        )
    levels = tuple(sorted(map(str, labels.unique())))
    if new_group is not None and new_group not in levels:
        raise ValueError(
            f"new_group must be one of the groups ({', '.join(levels)}), but is {new_group!r}."
        )
    place = {level: g for g, level in enumerate(levels)}
    return levels, np.array(labels.map(place), dtype=np.intp)


def known_groups(column: pd.Series, levels: Sequence[str]) -> Index:
    """Return the group of each patient; ``len(levels)``, the last profile, for any other."""
    place = {level: g for g, level in enumerate(levels)}
    last = len(levels) if len(levels) > 1 else 0
    labels = group_labels(column).map(place)
    return np.array(labels.fillna(last), dtype=np.intp)


def group_labels(column: pd.Series) -> pd.Series:
    """Return the values of the column of groups as text; 3 and 3.0 alike."""
    if pd.api.types.is_numeric_dtype(column):
        return column.map(lambda value: f"{value:g}", na_action="ignore").astype("object")
    return column.astype("object").map(str, na_action="ignore")


def padded(fit: EngineFit, n_factors: int) -> EngineFit:
    """Put columns of zeros where factors were dropped, so that there are `n_factors`."""
    lacking = n_factors - fit.factors.shape[1]

    def wider(values: Any, fill: float = 0.0) -> Any:
        return np.pad(values, ((0, 0), (0, lacking)), constant_values=fill)

    return replace(
        fit,
        factors=wider(fit.factors),
        views=tuple(
            replace(view, weight=wider(view.weight), weight_square=wider(view.weight_square))
            for view in fit.views
        ),
        prior_precision=wider(fit.prior_precision, 1.0),
    )


def explained_table(views: Sequence[str], factors: Sequence[str], fit: EngineFit) -> pd.DataFrame:
    """Return the variance explained by view and factor: `view`, `factor`, `r2`."""
    return pd.DataFrame(
        [
            (name, factor, r2)
            for name, fitted in zip(views, fit.views, strict=True)
            for factor, r2 in zip(
                [*factors, "all"], variance_explained(fit.factors, fitted), strict=True
            )
        ],
        columns=["view", "factor", "r2"],
    )


def explained_by_group(
    views: Sequence[str],
    factors: Sequence[str],
    fit: EngineFit,
    levels: Sequence[str],
    groups: Index,
) -> pd.DataFrame:
    """Return the variance explained in each group: `group`, `view`, `factor`, `r2`.

    Without a view that a group lacks altogether; empty without groups.
    """
    labels = [levels[g] for g in groups] if levels else []
    rows = [
        (level, name, factor, r2)
        for name, fitted in zip(views, fit.views, strict=True)
        if levels
        for level, found in variance_explained_by_group(fit.factors, fitted, labels).items()
        for factor, r2 in zip([*factors, "all"], found, strict=True)
    ]
    table = pd.DataFrame(rows, columns=["group", "view", "factor", "r2"]).dropna(subset=["r2"])
    return table.sort_values("group", kind="stable", ignore_index=True)
