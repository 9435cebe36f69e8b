"""Which patients train and which are held out, and the runner that fits on each resample once.

Repeated k-fold cross-validation is stratified by event; the bootstrap draws patients with
replacement. One resample is one task: all pipelines are fitted on it in turn, so that a step they
share (the same parameters on the same rows) is learned once. Tasks go through joblib with one BLAS
thread each, and a store keeps what is done, so that an interrupted run goes on where it stopped.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from omics.errors import NomomicsWarning, SmallViewWarning
from omics.parallel import Arrays, Progress, Store, in_parallel_kept


@dataclass(frozen=True, eq=False, kw_only=True)
class Resample:
    """One division of the development patients.

    Attributes
    ----------
    name : str
        Such as `repeat 3, fold 2` or `bootstrap 17`.
    repeat, fold : int
        From 0; for a bootstrap the repeat is its number and the fold 0.
    train, held_out : ndarray of int
        Positions of patients; `train` of a bootstrap holds some more than once. Its `held_out` is
        everyone, since optimism compares the resample with the original sample; that of
        `left_out_bootstrap` is whom it left out.
    """

    name: str
    repeat: int
    fold: int
    train: NDArray[np.intp]
    held_out: NDArray[np.intp]


def repeated_k_fold(
    event: NDArray[np.bool_], *, folds: int, repeats: int, seed: int
) -> list[Resample]:
    """Divide patients into `folds` parts, `repeats` times, with as equal event counts as possible.

    Parameters
    ----------
    event : ndarray of shape (n_patients,)
        True where the event was observed (or the positive class).
    folds, repeats : int
        At least 2, and at least 1.
    seed : int

    Returns
    -------
    list of Resample, `repeats * folds` long

    Raises
    ------
    ValueError
        If a class has fewer patients than folds.

    Examples
    --------
    >>> event = np.array([True, False] * 5)
    >>> parts = repeated_k_fold(event, folds=5, repeats=2, seed=1)
    >>> len(parts), sorted(np.concatenate([p.held_out for p in parts[:5]]).tolist())
    (10, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    rarer = int(min(event.sum(), (~event).sum()))
    if folds < 2 or repeats < 1:
        raise ValueError(
            f"folds must be at least 2 and repeats at least 1, but {folds} and {repeats} came."
        )
    if rarer < folds:
        raise ValueError(
            f"folds must not exceed the patients of the rarer class, but {folds} folds were asked "
            f"for and only {rarer} of {len(event)} patients are in it. Ask for fewer folds."
        )
    seeds = np.random.SeedSequence(seed).generate_state(repeats)
    parts = []
    for repeat, state in enumerate(seeds):
        splitter = StratifiedKFold(folds, shuffle=True, random_state=int(state))
        for fold, (train, held_out) in enumerate(splitter.split(event, event)):
            parts.append(
                Resample(
                    name=f"repeat {repeat + 1}, fold {fold + 1}",
                    repeat=repeat,
                    fold=fold,
                    train=train,
                    held_out=held_out,
                )
            )
    return parts


def bootstrap(n_patients: int, *, resamples: int, seed: int) -> list[Resample]:
    """Draw `n_patients` with replacement, `resamples` times.

    Examples
    --------
    >>> [len(part.train) for part in bootstrap(4, resamples=2, seed=0)]
    [4, 4]
    """
    if resamples < 2:
        raise ValueError(f"resamples must be at least 2, but {resamples} came.")
    everyone = np.arange(n_patients)
    draws = np.random.default_rng(seed).integers(n_patients, size=(resamples, n_patients))
    return [
        Resample(name=f"bootstrap {b + 1}", repeat=b, fold=0, train=draw, held_out=everyone)
        for b, draw in enumerate(draws)
    ]


def left_out_bootstrap(n_patients: int, *, resamples: int, seed: int) -> list[Resample]:
    """Draw as `bootstrap` does, and hold out the patients that each sample left out.

    Examples
    --------
    >>> part = left_out_bootstrap(6, resamples=2, seed=0)[0]
    >>> sorted(set(part.train.tolist()) | set(part.held_out.tolist()))
    [0, 1, 2, 3, 4, 5]
    >>> set(part.train.tolist()) & set(part.held_out.tolist())
    set()
    """
    return [
        replace(part, held_out=np.setdiff1d(part.held_out, part.train))
        for part in bootstrap(n_patients, resamples=resamples, seed=seed)
    ]


class StepMemory:
    """Remember what a pipeline step learned from one table, for the next one that asks the same.

    scikit-learn's `Pipeline(memory=...)` calls `cache`; the key is the step's class, its parameters
    and the very table it is fitted on. It lives as long as one resample.

    Considered and rejected: `joblib.Memory`, because it writes patients' data to disk and pickles.
    """

    location = "one resample"

    def __init__(self) -> None:
        self._kept: dict[tuple[str, int], tuple[Any, Any]] = {}

    def cache(self, function: Callable[..., Any], ignore: Sequence[str] = ()) -> Callable[..., Any]:
        """Wrap scikit-learn's fit-and-transform of a step; `ignore` names what is no part of it."""

        def remembered(transformer: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
            key = (joblib.hash((type(transformer), transformer.get_params())), id(X))
            if key not in self._kept:  # X is kept too: its id stays taken while we compare by it
                self._kept[key] = (X, function(transformer, X, *args, **kwargs))
            return self._kept[key][1]

        return remembered


@contextmanager
def collected_warnings(into: list[str]) -> Iterator[None]:
    """Gather our own warnings as text, once each; others go on as they are."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if issubclass(warning.category, SmallViewWarning):
            continue  # a finding tells it, once (`models.factor_findings`)
        if issubclass(warning.category, NomomicsWarning):
            text = f"{warning.category.__name__}: {warning.message}"
            if text not in into:
                into.append(text)
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )


def run_resamples(
    task: Callable[[Resample], Arrays],
    resamples: Sequence[Resample],
    *,
    what: str,
    n_jobs: int = 1,
    store: Store | None = None,
    progress: Progress | None = None,
) -> list[Arrays]:
    """Run `task` on every resample, in parallel, keeping what is done.

    Parameters
    ----------
    task : callable of Resample to a mapping of arrays
    resamples : sequence of Resample
    what : str
        Shown beside the progress bar, and the beginning of the store's keys.
    n_jobs : int
        Processes; each runs with one BLAS thread.
    store : Store, optional
    progress : callable(what, done, total), optional

    Returns
    -------
    list of mappings, in the order of `resamples`
    """
    tasks = {part.name: partial(task, part) for part in resamples}
    return in_parallel_kept(tasks, what=what, n_jobs=n_jobs, store=store, progress=progress)
