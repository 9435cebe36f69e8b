"""Many fits side by side: one process each, one BLAS thread each, in order, kept when done."""

import signal
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

import joblib
from numpy.typing import NDArray

T = TypeVar("T")
Arrays = dict[str, NDArray[Any]]
Progress = Callable[[str, int, int], None]  # what, done, of how many


def in_parallel(tasks: Iterable[Callable[[], T]], *, n_jobs: int) -> Iterator[T]:
    """Run every task, in `n_jobs` processes of one BLAS thread each; give the results in order.

    Examples
    --------
    >>> from functools import partial
    >>> list(in_parallel([partial(pow, 2, 3), partial(pow, 3, 2)], n_jobs=1))
    [8, 9]
    """
    # a terminal sends Ctrl-C to every process: whoever asked for the work stops it, in one place
    deaf = {"initializer": signal.signal, "initargs": (signal.SIGINT, signal.SIG_IGN)}
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1, **deaf):
        results = joblib.Parallel(n_jobs=n_jobs, return_as="generator")(
            joblib.delayed(task)() for task in tasks
        )
    try:
        # `yield from` would close `results` outside the silence
        for result in results:  # noqa: UP028
            yield result
    finally:
        with warnings.catch_warnings():  # whoever interrupts the work knows that tasks are lost
            warnings.filterwarnings("ignore", message=".*limit unnecessary computation time")
            results.close()


class Store(Protocol):
    """Where finished tasks are kept between runs."""

    def get(self, key: str) -> Arrays | None:
        """Return what was kept under `key`, or None."""

    def put(self, key: str, arrays: Arrays) -> None:
        """Keep `arrays` under `key`."""


def in_parallel_kept(
    tasks: Mapping[str, Callable[[], Arrays]],
    *,
    what: str,
    n_jobs: int = 1,
    store: Store | None = None,
    progress: Progress | None = None,
) -> list[Arrays]:
    """Run every task that is not yet kept, in parallel, and keep what is done.

    Parameters
    ----------
    tasks : mapping of name to callable without arguments
        Gives arrays.
    what : str
        Shown beside the progress bar, and the beginning of the store's keys.
    n_jobs : int
        Processes; each runs with one BLAS thread.
    store : Store, optional
    progress : callable(what, done, total), optional

    Returns
    -------
    list of mappings, in the order of `tasks`

    Examples
    --------
    >>> from functools import partial
    >>> import numpy as np
    >>> tasks = {str(k): partial(dict, square=np.array(k * k)) for k in (2, 3)}
    >>> [found["square"].item() for found in in_parallel_kept(tasks, what="squares")]
    [4, 9]
    """
    results: dict[str, Arrays] = {}
    if store is not None:
        kept = {name: store.get(f"{what}|{name}") for name in tasks}
        results = {name: arrays for name, arrays in kept.items() if arrays is not None}
    missing = [name for name in tasks if name not in results]
    if progress is not None:
        progress(what, len(results), len(tasks))
    done = in_parallel((tasks[name] for name in missing), n_jobs=n_jobs)
    for name, arrays in zip(missing, done, strict=True):
        results[name] = arrays
        if store is not None:
            store.put(f"{what}|{name}", arrays)
        if progress is not None:
            progress(what, len(results), len(tasks))
    return [results[name] for name in tasks]
