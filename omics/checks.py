"""Checks every public function runs on its arguments; each names the argument and the cure."""

from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from omics.messages import nearest, quoted


def check_same_length(**arrays: NDArray[Any]) -> None:
    """Raise unless all arrays have the same number of patients."""
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"one value per patient is needed in each of {lengths}")


def check_numbers(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return `values` as a float array of shape (n,) with every value finite."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension (n_patients,), got shape {array.shape}")
    wrong = ~np.isfinite(array)
    if wrong.any():
        raise ValueError(
            f"{name} must be finite, but {wrong.sum()} of {array.size} values are missing or "
            f"infinite (first: {array[wrong][0]} at position {wrong.argmax()})."
        )
    return array


def check_probability(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return `values` as a float array of shape (n,) with every value in [0, 1]."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension (n_patients,), got shape {array.shape}")
    wrong = ~((array >= 0) & (array <= 1))
    if wrong.any():
        raise ValueError(
            f"{name} must be a probability in [0, 1], but {wrong.sum()} of {array.size} values "
            f"are not (first: {array[wrong][0]:g} at position {wrong.argmax()}). "
            "A Cox linear predictor is not a probability: use model.risk(X, horizon=...)."
        )
    return array


def check_event(values: ArrayLike, name: str) -> NDArray[np.bool_]:
    """Return `values` as a boolean array of shape (n,); only True/False or 1/0 are taken."""
    array = np.asarray(values)
    if array.dtype == np.bool_ and array.ndim == 1:
        return array
    if array.ndim != 1 or not np.isin(array, (0, 1)).all():
        raise ValueError(
            f"{name} must hold only True/False or 1/0 in one dimension, got shape {array.shape}, "
            f"values {np.unique(array)[:5]}"
        )
    return array.astype(np.bool_)


def check_both_classes(values: ArrayLike, name: str) -> NDArray[np.bool_]:
    """Return `values` as a boolean array holding at least one True and one False."""
    array = check_event(values, name)
    if array.all() or not array.any():
        raise ValueError(f"{name} holds one class only; both events and non-events are needed")
    return array


def check_time(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return `values` as a float array of shape (n,) with every time above zero."""
    array = check_numbers(values, name)
    wrong = array <= 0
    if wrong.any():
        raise ValueError(
            f"{name} must be above zero, but {wrong.sum()} of {array.size} values are not "
            f"(first: {array[wrong][0]:g} at position {wrong.argmax()})."
        )
    return array


def check_whole(value: object, name: str, *, least: int = 0, most: int | None = None) -> None:
    """Refuse what is no whole number in a range.

    Examples
    --------
    >>> check_whole(3.5, "n_habitats", least=2, most=255)
    Traceback (most recent call last):
    ValueError: n_habitats must be a whole number from 2 to 255, but is 3.5.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):  # type: ignore[operator]
        span = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be a whole number {span}, but is {value!r}.")


def check_amount(value: object, name: str, unit: str) -> None:
    """Refuse what is no finite number of 0 or more.

    Examples
    --------
    >>> check_amount("1", "shift", "mm")
    Traceback (most recent call last):
    ValueError: shift must be a number of mm, 0 or more, but is '1'.
    """
    if not is_number(value) or not 0 <= value < np.inf:  # type: ignore[operator]
        raise ValueError(f"{name} must be a number of {unit}, 0 or more, but is {value!r}.")


def is_number(value: object) -> bool:
    """Tell whether something is a real number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def check_names(names: object, what: str) -> None:
    """Refuse one text, or anything but texts, where several names are needed.

    Examples
    --------
    >>> check_names("mri", "tables")
    Traceback (most recent call last):
    TypeError: tables must be a list of names, but 'mri' came. Write ['mri'].
    """
    if isinstance(names, str):
        raise TypeError(f"{what} must be a list of names, but {names!r} came. Write [{names!r}].")
    if not isinstance(names, Sequence | np.ndarray) or not all(isinstance(n, str) for n in names):
        raise TypeError(f"{what} must be a list of names, but {names!r} came.")


def check_name(name: object, what: str) -> None:
    """Refuse what is no text where one name is needed."""
    if not isinstance(name, str):
        raise TypeError(f"{what} must be a name, but is {name!r}.")


def check_flag(value: object, name: str) -> None:
    """Refuse what is neither True nor False: "no" would count as True."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, but is {value!r}.")


def check_share(value: object, name: str) -> None:
    """Refuse what is no number between 0 and 1, such as a level of intervals.

    Examples
    --------
    >>> check_share(95, "level")
    Traceback (most recent call last):
    ValueError: level must lie between 0 and 1, but 95 came. Use 0.95 for 95 %.
    """
    if not is_number(value) or not 0 < value < 1:  # type: ignore[operator]
        raise ValueError(f"{name} must lie between 0 and 1, but {value!r} came. Use 0.95 for 95 %.")


def check_one_of(value: object, name: str, known: Sequence[str]) -> None:
    """Refuse what is none of the options.

    Examples
    --------
    >>> check_one_of("meen", "by", ("first", "mean"))
    Traceback (most recent call last):
    ValueError: by must be one of first, mean, but is 'meen'. Did you mean 'mean'?
    """
    if not isinstance(value, str) or value not in known:
        raise ValueError(
            f"{name} must be one of {', '.join(known)}, but is {value!r}. "
            f"{nearest(str(value), known)}"
        )


def check_frame(table: object, name: str) -> None:
    """Refuse what is no DataFrame, or has two columns of one name."""
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"{name} must be a DataFrame, but is of type {type(table).__name__}.")
    if table.columns.has_duplicates:
        several = table.columns[table.columns.duplicated()].unique()
        raise ValueError(
            f"{name} must have one column of each name, but has several of "
            f"{quoted(several, limit=3)}. Rename them, or take them out."
        )


def as_floats(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return an array of floats, NaN where missing.

    Raises
    ------
    ValueError
        If there is text, a complex number, or rows of different lengths.

    Examples
    --------
    >>> as_floats([[1, 2], [3]], "first")
    Traceback (most recent call last):
    ValueError: first must be an array of numbers, but is none: rows differ in length, or a value
    is no number.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind == "c":
            raise ValueError("complex")
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be an array of numbers, but is none: rows differ in length, or a value "
            "is no number."
        ) from error


def feature_labels(names: Sequence[object] | None, n_features: int) -> list[str]:
    """Return the names of features as text; x0, x1, ... where none are given."""
    if names is None:
        return [f"x{number}" for number in range(n_features)]
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise TypeError(f"names must be a list of names, but {names!r} came.")
    labels = list(map(str, names))
    if len(labels) != n_features:
        raise ValueError(f"names must name each of {n_features} features, but {len(labels)} came.")
    return labels
