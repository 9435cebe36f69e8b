"""Many fits side by side: one process each, one BLAS thread each, results in order."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import joblib

T = TypeVar("T")
Progress = Callable[[str, int, int], None]  # what, done, of how many


def in_parallel(tasks: Iterable[Callable[[], T]], *, n_jobs: int) -> Iterator[T]:
    """Run every task, in `n_jobs` processes of one BLAS thread each; give the results in order.

    Examples
    --------
    >>> from functools import partial
    >>> list(in_parallel([partial(pow, 2, 3), partial(pow, 3, 2)], n_jobs=1))
    [8, 9]
    """
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
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
