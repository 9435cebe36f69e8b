"""Checks every public function runs on its arguments; each names the argument and the cure."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


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
