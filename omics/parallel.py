"""Many fits side by side: one process each, one BLAS thread each, in order, kept when done."""

import hashlib
import os
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import joblib
import numpy as np
from joblib.parallel import get_active_backend
from numpy.typing import NDArray

T = TypeVar("T")
Arrays = dict[str, NDArray[Any]]
Progress = Callable[[str, int, int], None]  # what, done, of how many


def in_parallel(
    tasks: Iterable[Callable[[], T]], *, n_jobs: int, in_order: bool = True
) -> Iterator[T]:
    """Run every task, in `n_jobs` processes of one BLAS thread each.

    Inside `joblib.parallel_config(backend="dask")`, or any other backend but joblib's own
    processes, the tasks run there.

    Parameters
    ----------
    tasks : iterable of callable without arguments
    n_jobs : int
        Processes; -1 takes every core.
    in_order : bool
        Whether results come in the order of the tasks, or as each is done.

    Examples
    --------
    >>> from functools import partial
    >>> list(in_parallel([partial(pow, 2, 3), partial(pow, 3, 2)], n_jobs=1))
    [8, 9]
    """
    with _workers():
        results = joblib.Parallel(
            n_jobs=n_jobs, return_as="generator" if in_order else "generator_unordered"
        )(joblib.delayed(task)() for task in tasks)
    try:
        # `yield from` would close `results` outside the silence
        for result in results:  # noqa: UP028
            yield result
    finally:
        with warnings.catch_warnings():  # whoever interrupts the work knows that tasks are lost
            warnings.filterwarnings("ignore", message=".*limit unnecessary computation time")
            results.close()


def _workers() -> AbstractContextManager[Any]:
    """Choose processes of one BLAS thread each, or the cluster that the caller has chosen."""
    if get_active_backend()[0].__class__.__name__ != "LokyBackend":
        return nullcontext()
    # a terminal sends Ctrl-C to every process: whoever asked for the work stops it, in one place
    deaf = {"initializer": signal.signal, "initargs": (signal.SIGINT, signal.SIG_IGN)}
    return joblib.parallel_config(  # type: ignore[no-any-return]
        backend="loky", inner_max_num_threads=1, **deaf
    )


class Store(Protocol):
    """Where finished tasks are kept between runs."""

    def get(self, key: str) -> Arrays | None:
        """Return what was kept under `key`, or None."""

    def put(self, key: str, arrays: Arrays) -> None:
        """Keep `arrays` under `key`."""


class FolderStore:
    """Keeps arrays as npz files (no pickle) in a folder of one study's fingerprint.

    Parameters
    ----------
    folder : Path
        Made when first written to.
    fingerprint : str
        Of everything a result depends on: study, data, versions.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.folder = folder
        self.fingerprint = fingerprint

    def _path(self, key: str) -> Path:
        digest = hashlib.sha256(f"{self.fingerprint}|{key}".encode()).hexdigest()
        return self.folder / f"{digest[:32]}.npz"

    def get(self, key: str) -> Arrays | None:
        """Return what was kept under `key`, or None."""
        path = self._path(key)
        if not path.exists():
            return None
        # opened here: of a file cut short numpy would leave it open
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
            return {name: kept[name] for name in kept.files}

    def put(self, key: str, arrays: Arrays) -> None:
        """Keep `arrays` under `key`: written beside, then moved, so that no half file is found."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(key)
        beside = path.with_suffix(f".{os.getpid()}.partial")
        try:
            with beside.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


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
    named = (partial(_named, name, tasks[name]) for name in missing)
    for name, arrays in in_parallel(named, n_jobs=n_jobs, in_order=False):
        results[name] = arrays
        if store is not None:
            store.put(f"{what}|{name}", arrays)
        if progress is not None:
            progress(what, len(results), len(tasks))
    return [results[name] for name in tasks]


def _named(name: str, task: Callable[[], Arrays]) -> tuple[str, Arrays]:
    return name, task()
