"""Which columns of the wide table are views of MOFA, and whether their values are fit for it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TypeVar, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.harmonise import CENTRE
from omics.mofa_fit import Likelihood

Matrix = NDArray[np.float64]
Option = TypeVar("Option")

BARE_VIEW = "X"  # the name of the one view of a table whose columns name none


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
    names = [name for name in columns if name != CENTRE]
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


def check_choice(values: Mapping[str, str], choices: object, argument: str) -> None:
    """Raise unless the option of every view is one of the choices."""
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


def check_values(values: Matrix, columns: Sequence[str], likelihood: Likelihood) -> None:
    """Raise unless every value is one the likelihood knows, or missing."""
    if likelihood == "bernoulli":
        allowed = (values == 0) | (values == 1)
        what = "0, 1 or missing"
    elif likelihood == "poisson":
        allowed = (values >= 0) & (values == np.floor(values))
        what = "counts (whole numbers from 0) or missing"
    else:
        return
    wrong = ~(allowed | np.isnan(values))
    if wrong.any():
        column = int(wrong.any(axis=0).argmax())
        value = values[wrong[:, column], column][0]
        raise ValueError(
            f"a {likelihood} view must hold only {what}, but {wrong.sum()} values are not "
            f"(first: {value:g} in column {columns[column]!r}). Use likelihood 'gaussian' for it."
        )
