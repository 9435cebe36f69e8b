"""mofapy2 as an engine, with its manners hidden: the witness of our own.

mofapy2 prints even when told to be quiet, leaves the process on some errors, seeds NumPy's global
generator, silences every warning of the process on import, and may change the list it is given.
None of it leaks from here.

References
----------
Argelaguet R, Arnol D, Bredikhin D, et al. MOFA+: a statistical framework for comprehensive
integration of multi-modal single-cell data. Genome Biology 2020;21:111.
doi:10.1186/s13059-020-02015-1
"""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from omics.errors import FitError
from omics.mofa_fit import (
    NOT_FINITE,
    EngineFit,
    FittedView,
    Likelihood,
    Matrix,
    MofaOptions,
    in_order,
    view_importances,
)

Index = NDArray[np.intp]


def fit_mofapy2(
    views: Sequence[Matrix],
    *,
    likelihoods: Sequence[Likelihood],
    groups: Index,
    options: MofaOptions,
    start: Matrix | None = None,
) -> EngineFit:
    """Fit MOFA with mofapy2; arguments and result as in `omics.mofa_engine.fit_engine`.

    Raises
    ------
    FitError
        If mofapy2 gives up or its numbers are not finite.
    """
    order = np.argsort(groups, kind="stable")  # mofapy2 takes one table per group
    with _manners():
        model = _built([view[order] for view in views], likelihoods, groups[order], options)
        if start is not None:
            _set_start(model.nodes["Z"], start[order])
        n_iterations, converged, elbo_path = _own_run(model, options)
        if options.tolerance is not None and model.dim["K"]:
            n_iterations, converged = _sweep_on(model, n_iterations, options)
        back = np.argsort(order, kind="stable")
        fit = _frozen(model, likelihoods, back, n_iterations=n_iterations, converged=converged)
    path = (
        elbo_path
        if elbo_path[-1, 0] == n_iterations
        else np.vstack([elbo_path, [n_iterations, fit.elbo]])
    )
    return replace(fit, elbo_path=path)


@contextmanager
def _manners() -> Iterator[None]:
    """No prints, exits or warnings out; the global random state as it was; one BLAS thread."""
    state = np.random.get_state()  # noqa: NPY002 - mofapy2 seeds the global generator: put it back
    try:
        with (
            open(os.devnull, "w", encoding="utf-8") as sink,
            redirect_stdout(sink),
            warnings.catch_warnings(),
            threadpool_limits(1),
        ):
            warnings.simplefilter("ignore")  # 0 log 0 in its lower bound, which it repairs itself
            yield
    except SystemExit as stop:
        raise FitError(f"mofapy2 gave up on this fit (exit code {stop.code})") from stop
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _built(
    views: Sequence[Matrix],
    likelihoods: Sequence[Likelihood],
    groups: Index,
    options: MofaOptions,
) -> Any:
    """mofapy2's Bayesian network, ready to be iterated."""
    # Imported here: it takes seconds, and importing it silences every warning of the process.
    from mofapy2.run.entry_point import entry_point

    entry = entry_point()
    entry.set_data_options(scale_views=False, scale_groups=False, center_groups=False)
    entry.set_data_matrix(
        [[view[groups == g].copy() for g in range(int(groups.max()) + 1)] for view in views],
        likelihoods=list(likelihoods),
    )
    entry.set_model_options(
        factors=options.n_factors,
        spikeslab_weights=options.spike_slab,
        ard_weights=options.ard_weights,
        ard_factors=options.ard_factors,
    )
    entry.set_train_options(
        iter=options.max_iterations + 1,  # mofapy2 counts from 1 to iter - 1
        convergence_mode=options.convergence,
        seed=options.seed,
        dropR2=options.least_r2,
        weight_views=options.weight_views,
        quiet=True,
    )
    entry.build()
    entry.model.setTrainOptions(entry.train_opts)
    return entry.model


def _set_start(factors: Any, start: Matrix) -> None:
    """Put the factors' first means in the place of mofapy2's own."""
    factors.Q.params["mean"] = start.copy()
    factors.Q.updateExpectations()


def _own_run(model: Any, options: MofaOptions) -> tuple[int, bool, Matrix]:
    """Let mofapy2 iterate; return the number of sweeps, whether it converged, and its bounds."""
    # Not entry_point.run: it turns a TypeError into the end of the process.
    try:
        model.iterate()
    except SystemExit:
        if model.dim["K"]:
            raise
        model.trained = True  # it leaves the process once every factor is dropped
    if not model.trained:  # it swallows the interrupt
        raise KeyboardInterrupt
    elbo = np.asarray(model.train_stats["elbo"], dtype=np.float64)
    seen = np.flatnonzero(~np.isnan(elbo))
    path = np.column_stack([seen, elbo[seen]])
    if not model.dim["K"]:
        return int(seen[-1]) + 1, True, path
    n_iterations = len(elbo)  # cut at the sweep that converged
    if n_iterations <= options.max_iterations:
        return n_iterations, True, path
    return options.max_iterations, False, path


def _sweep_on(model: Any, n_iterations: int, options: MofaOptions) -> tuple[int, bool]:
    """Repeat mofapy2's own updates until no factor value moves by `tolerance`."""
    tolerance = options.tolerance or 0.0
    before = model.nodes["Z"].getExpectation().copy()
    while n_iterations < options.max_iterations:
        n_iterations += 1
        for node in model.options["schedule"]:
            if node != "ThetaW" or n_iterations >= model.options["start_sparsity"]:
                model.nodes[node].update()
        after = model.nodes["Z"].getExpectation()
        if np.abs(after - before).max() < tolerance:
            return n_iterations, True
        before = after.copy()
    return n_iterations, False


def _frozen(
    model: Any,
    likelihoods: Sequence[Likelihood],
    back: Index,
    *,
    n_iterations: int,
    converged: bool,
) -> EngineFit:
    nodes = model.nodes
    factors = np.array(nodes["Z"].getExpectation())[back]
    if not np.isfinite(factors).all():
        raise FitError(NOT_FINITE)
    importances = view_importances(
        [node.dim[1] for node in nodes["Y"].nodes], weight_views=model.options["weight_views"]
    )
    views = tuple(
        _fitted_view(nodes, m, likelihood, back, float(importance))
        for m, (likelihood, importance) in enumerate(zip(likelihoods, importances, strict=True))
    )
    elbo = float(model.calculateELBO()["total"]) if model.dim["K"] else np.nan
    fit = EngineFit(
        factors=factors,
        views=views,
        prior_precision=_prior_precision(nodes, views[0].noise_precision.shape[0]),
        n_iterations=n_iterations,
        converged=converged,
        elbo=elbo,
        elbo_path=np.zeros((0, 2)),
    )
    return in_order(fit)


def _prior_precision(nodes: dict[str, Any], n_groups: int) -> Matrix:
    if "AlphaZ" in nodes:
        return np.array(nodes["AlphaZ"].getExpectation(), dtype=np.float64)
    variance = np.asarray(nodes["Z"].P.params["var"], dtype=np.float64)
    return np.repeat(1.0 / variance[:1], n_groups, axis=0)


def _fitted_view(
    nodes: dict[str, Any], m: int, likelihood: Likelihood, back: Index, importance: float
) -> FittedView:
    weights = nodes["W"].nodes[m].getExpectations()
    data = nodes["Y"].nodes[m]
    pseudo_data = np.array(data.getExpectation(), dtype=np.float64)
    pseudo_data[data.getMask()] = np.nan
    n_groups, n_features = data.groups.max() + 1, pseudo_data.shape[1]
    if likelihood == "gaussian":
        tau = np.array(nodes["Tau"].nodes[m].getExpectations(expand=False)["E"])
    elif likelihood == "poisson":
        # 0 where missing: it is cleared in place
        tau = np.repeat(nodes["Tau"].nodes[m].getValue().max(axis=0)[None], n_groups, axis=0)
    else:
        tau = np.full((n_groups, n_features), np.nan)
    gaussian = likelihood == "gaussian"
    return FittedView(
        weight=np.array(weights["E"]),
        weight_square=np.array(weights["E2"]),
        noise_precision=tau,
        centre=np.zeros(n_features) if gaussian else np.array(data.means, dtype=np.float64),
        pseudo_data=pseudo_data[back],
        importance=importance,
    )
