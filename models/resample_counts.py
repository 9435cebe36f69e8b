"""Who trains and who is tested on in each of many resamples, as counts.

A count says how often a patient was drawn, so that a fit to drawn rows becomes a fit with counts
(`models.many_cox`, `models.many_logistic`) and nothing is copied. The method says who is tested on:
everybody for the optimism bootstrap ("boot"), those not drawn for ".632", ".632+" and
"crossvalidation".

Considered and rejected: drawing within strata of the outcome, because it fixes the number of
events, which varies from sample to sample; and drawing with R's generator, because no figure should
depend on it: a test hands over R's own draws instead.

References
----------
Efron B, Tibshirani R. Improvements on cross-validation: the .632+ bootstrap method. JASA
1997;92:548-560. doi:10.1080/01621459.1997.10474007
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.many_newton import check_count_table

Floats = NDArray[np.float64]
Method = Literal["boot", ".632", ".632+", "crossvalidation"]


def bootstrap_counts(n_patients: int, *, resamples: int, seed: int) -> NDArray[np.int64]:
    """Draw resamples with replacement: how often each patient is in each, (resamples, n_patients).

    Examples
    --------
    >>> bootstrap_counts(4, resamples=3, seed=1).sum(axis=1).tolist()
    [4, 4, 4]
    """
    if resamples < 2:
        raise ValueError(f"resamples must be at least 2, but {resamples} came. Use 200 or more.")
    rng = np.random.default_rng(seed)
    draws = rng.integers(n_patients, size=(resamples, n_patients))
    draws += n_patients * np.arange(resamples)[:, np.newaxis]
    counts = np.bincount(draws.ravel(), minlength=resamples * n_patients)
    return np.asarray(counts.reshape(resamples, n_patients), dtype=np.int64)


def fold_counts(n_patients: int, *, folds: int, repeats: int, seed: int) -> NDArray[np.int64]:
    """Divide patients into folds: 1 where a patient trains, 0 where held out.

    Parameters
    ----------
    n_patients, folds, repeats : int
    seed : int

    Returns
    -------
    ndarray of int, shape (repeats * folds, n_patients)
        Each patient is held out once a repeat.

    Raises
    ------
    ValueError
        If a fold would hold fewer than two patients.

    Examples
    --------
    >>> counts = fold_counts(6, folds=3, repeats=2, seed=1)
    >>> (counts == 0).sum(axis=0).tolist(), (counts == 0).sum(axis=1).tolist()
    ([2, 2, 2, 2, 2, 2], [2, 2, 2, 2, 2, 2])
    """
    if folds < 2 or repeats < 1 or 2 * folds > n_patients:
        raise ValueError(
            f"folds must be at least 2 and leave 2 patients in each, but {folds} folds of "
            f"{n_patients} patients, {repeats} times, came. Ask for fewer folds."
        )
    rng = np.random.default_rng(seed)
    dealt = np.arange(n_patients) % folds
    number = np.arange(folds)[:, np.newaxis]
    return np.concatenate(
        [(rng.permutation(dealt) != number).astype(np.int64) for _ in range(repeats)]
    )


def evaluated_counts(counts: Floats, method: Method) -> Floats:
    """Give the counts of the patients tested on in each resample.

    Examples
    --------
    >>> evaluated_counts(np.array([[2.0, 0, 1]]), "boot").tolist()
    [[1.0, 1.0, 1.0]]
    >>> evaluated_counts(np.array([[2.0, 0, 1]]), ".632").tolist()
    [[0.0, 1.0, 0.0]]
    """
    if method == "boot":
        return np.ones_like(counts)
    return np.asarray(counts == 0, dtype=np.float64)


def resample_weights(counts: Floats, method: Method) -> Floats:
    """Give the weight of each resample's test figure, shape (n_resamples,); they sum to 1.

    With .632 each patient counts alike: a resample weighs the patients it leaves out, each divided
    by the number of resamples that leave that patient out (as rms does).

    Examples
    --------
    The last two patients are left out by one resample each, the first by both:

    >>> resample_weights(np.array([[0, 0, 3], [0, 3, 0]]), ".632").tolist()
    [0.5, 0.5]
    """
    if method in ("boot", "crossvalidation"):
        return np.full(len(counts), 1 / len(counts))
    out = counts == 0
    return np.asarray((out / out.sum(axis=0)).sum(axis=1) / out.shape[1])


def check_counts(counts: ArrayLike, method: Method, n_patients: int) -> Floats:
    """Return counts of so many patients that suit the method."""
    if method not in get_args(Method):
        raise ValueError(
            f"method must be one of {', '.join(get_args(Method))}, but {method!r} came. "
            "Use 'boot' for the optimism bootstrap."
        )
    drawn = np.asarray(counts, dtype=np.float64)
    check_count_table(drawn, n_patients)
    left_out = (drawn == 0).sum(axis=0)
    if method != "boot" and (left_out == 0).any():
        raise ValueError(
            f"counts must leave every patient out of some resample for {method}, but "
            f"{(left_out == 0).sum()} of {n_patients} patients never are (first: position "
            f"{left_out.argmin()}). Draw more resamples."
        )
    if method == "crossvalidation" and (drawn.max() > 1 or np.ptp(left_out) > 0):
        raise ValueError(
            "counts must be 0 or 1 and hold each patient out equally often for crossvalidation, "
            f"but the largest is {drawn.max():g} and patients are held out {left_out.min()} to "
            f"{left_out.max()} times. Make them with fold_counts."
        )
    return drawn
