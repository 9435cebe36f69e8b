"""What regressions of many resamples share: the door of designs and counts, and Newton's step."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.regression import COLLINEAR

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Numbers worked on at a time: 2 MB of them, so that they stay in the processor's cache.
BLOCK = 250_000


def check_resamples(x: ArrayLike, counts: ArrayLike, n_patients: int) -> tuple[Floats, Floats]:
    """Return designs and counts of so many patients as numbers.

    Raises
    ------
    ValueError
        If shapes differ, a value of x is missing or infinite, or a count is no whole number.
    """
    columns, drawn = np.asarray(x, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    if columns.ndim not in (2, 3) or columns.shape[-2] != n_patients:
        raise ValueError(
            f"x must have one row for each of {n_patients} patients, as (n_patients, p) or "
            f"(n_resamples, n_patients, p), but shape {columns.shape} came."
        )
    if not np.isfinite(columns).all():
        raise ValueError(
            f"x must be finite, but {(~np.isfinite(columns)).sum()} of {columns.size} values are "
            "not. Fill gaps before resampling."
        )
    check_count_table(drawn, n_patients)
    if columns.ndim == 3 and len(columns) != len(drawn):
        raise ValueError(
            f"x must have one design for each of {len(drawn)} resamples, but {len(columns)} came. "
            "Give one design of shape (n_patients, p) for all."
        )
    return columns, drawn


def check_count_table(counts: Floats, n_patients: int) -> None:
    """Raise unless counts are whole numbers, one row to a resample, one column to a patient."""
    if counts.ndim != 2 or counts.shape[1] != n_patients:
        raise ValueError(
            f"counts must have one row per resample and a column for each of {n_patients} "
            f"patients, but shape {counts.shape} came. Put one resample into a row."
        )
    wrong = ~((counts >= 0) & (counts == np.floor(counts)))
    if wrong.any():
        raise ValueError(
            f"counts must be whole numbers of 0 or above, but {wrong.sum()} of {counts.size} are "
            "not. Count how often each patient was drawn."
        )


def weighted_squares(x: Floats, weight: Floats) -> Floats:
    """Give sum_i w_bi x_i x_i', shape (B, p, p); one design as a product of pairs of columns."""
    if x.ndim == 3:
        return np.asarray(np.matmul((x * weight[:, :, np.newaxis]).swapaxes(1, 2), x))
    p = x.shape[1]
    rows, columns = np.triu_indices(p)
    full = np.empty((len(weight), p, p))
    pairs = weight @ (x[:, rows] * x[:, columns])
    full[:, rows, columns] = full[:, columns, rows] = pairs
    return full


def weighted_sums(x: Floats, weight: Floats) -> Floats:
    """Give sum_i w_bi x_i, shape (B, p)."""
    return np.asarray(weight @ x if x.ndim == 2 else np.matmul(weight[:, np.newaxis], x)[:, 0])


def linear_predictors(x: Floats, coef: Floats) -> Floats:
    """Give x @ coef of each resample, shape (B, n_patients)."""
    if x.ndim == 2:
        return np.asarray(coef @ x.T)
    return np.asarray(np.matmul(x, coef[:, :, np.newaxis])[..., 0])


def newton_steps(information: Floats, gradient: Floats) -> tuple[Floats, Floats, Flags]:
    """Give each resample's Newton step (B, p), the gain it promises, and where there is one.

    There is none where a column says nothing or follows from others.

    Examples
    --------
    >>> step, gain, sound = newton_steps(np.array([[[2.0]], [[0.0]]]), np.array([[4.0], [1.0]]))
    >>> step.ravel().tolist(), gain.tolist(), sound.tolist()
    ([2.0, 0.0], [4.0, 0.0], [True, False])
    """
    size = np.sqrt(np.maximum(np.einsum("bjj->bj", information), 0))
    informed = (size > 0).all(axis=1)
    safe = np.where(size > 0, size, 1.0)
    unit = information / (safe[:, :, np.newaxis] * safe[:, np.newaxis, :])
    unit[~informed] = np.eye(unit.shape[1])
    sound = informed & (np.linalg.eigvalsh(unit)[:, 0] > COLLINEAR)
    unit[~sound] = np.eye(unit.shape[1])
    step = np.linalg.solve(unit, (gradient / safe)[:, :, np.newaxis])[..., 0] / safe
    step[~sound] = 0.0
    return step, (step * gradient).sum(axis=1) / 2, sound
