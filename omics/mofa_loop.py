"""From a start to a finished fit: our own MOFA engine, which stops where mofapy2 stops.

The start is mofapy2's (a whitened PCA of all views side by side, each factor stretched to
[-1, 1]), the sweeps are `omics.mofa_updates`, the criterion is `BayesNet.assess_convergence`, and
dropped factors are chosen by the same draws, so that both engines end at the same numbers.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from omics.errors import FitError
from omics.mofa_blocks import OwnNoise
from omics.mofa_bound import evidence_lower_bound
from omics.mofa_fit import NOT_FINITE, EngineFit, FittedView, Likelihood, MofaOptions, in_order
from omics.mofa_state import State, View, initial_state
from omics.mofa_updates import START_OF_SPARSITY, drop_factor, prepare, sweep

Matrix = NDArray[np.float64]
Index = NDArray[np.intp]

_LARGE = 1_000_000  # values
_COLUMNS_AT_ONCE = 1024
_SWEEPS_PER_BOUND = 5  # freqELBO; the first bound after sweep 1
_CHANGE = {"fast": 5e-6, "medium": 5e-7, "slow": 5e-8}  # of the first bound, twice running


def fit_nomomics(
    views: Sequence[Matrix],
    *,
    likelihoods: Sequence[Likelihood],
    groups: Index,
    options: MofaOptions,
    start: Matrix | None = None,
    sweeps_per_bound: int = _SWEEPS_PER_BOUND,
) -> EngineFit:
    """Fit MOFA with our own engine; arguments and result as in `omics.mofa_engine.fit_engine`.

    Parameters
    ----------
    sweeps_per_bound : int
        How often the lower bound is computed, and convergence looked at.
    """
    random = np.random.RandomState(options.seed)  # mofapy2's generator
    with threadpool_limits(1), np.errstate(over="ignore"):
        if start is None:
            start = principal_start(views, options.n_factors, random)
        state = initial_state(
            views, likelihoods=likelihoods, groups=groups, options=options, start=start
        )
        prepare(state)
        path = [(0, evidence_lower_bound(state, at_start=True))]
        n_iterations, converged = _run(state, path, random, sweeps_per_bound)
        if options.tolerance is not None and state.n_factors:
            n_iterations, converged = _sweep_on(state, n_iterations, options.tolerance)
        if n_iterations != path[-1][0] and state.n_factors:
            path.append((n_iterations, evidence_lower_bound(state)))
        return _frozen(views, state, path, n_iterations=n_iterations, converged=converged)


def principal_start(
    views: Sequence[Matrix], n_factors: int, random: np.random.RandomState
) -> Matrix:
    """Return the principal components of all views, each stretched to [-1, 1].

    Missing values are set to their feature's mean (init_model.initZ).
    """
    table = np.concatenate(views, axis=1)
    for start in range(0, table.shape[1], _COLUMNS_AT_ONCE):
        part = table[:, start : start + _COLUMNS_AT_ONCE]
        missing = np.isnan(part)
        if missing.any():
            np.copyto(part, np.nanmean(part, axis=0), where=missing)
    scores = _principal_components(table, n_factors, random)
    return np.asarray(2.0 * (scores - scores.min(axis=0)) / np.ptp(scores, axis=0) - 1)


def _principal_components(
    table: Matrix, n_components: int, random: np.random.RandomState
) -> Matrix:
    """Return whitened principal components; the table is used up.

    scikit-learn's PCA, whose variances take as much memory as the table again: of large tables, for
    which it takes the randomised decomposition, that is called without it.
    """
    n_patients, n_features = table.shape
    tall = n_features <= 1000 and n_patients >= 10 * n_features
    if table.size < _LARGE or tall or n_components >= 0.8 * min(table.shape):
        whitened = PCA(n_components=n_components, whiten=True, copy=False, random_state=random)
        return np.asarray(whitened.fit_transform(table))
    table -= table.mean(axis=0)
    left, _, right = randomized_svd(
        table, n_components, n_iter="auto", flip_sign=False, random_state=random
    )
    largest = right[np.arange(n_components), np.abs(right).argmax(axis=1)]
    return np.asarray(left * np.sign(largest) * np.sqrt(n_patients - 1))


def _run(
    state: State,
    path: list[tuple[int, float]],
    random: np.random.RandomState,
    sweeps_per_bound: int,
) -> tuple[int, bool]:
    """Sweep until mofapy2's criterion is met; return the number of sweeps and whether it was."""
    options, running = state.options, 0
    for i in range(1, options.max_iterations + 1):
        if options.least_r2 is not None:
            _drop_one(state, options.least_r2, random)
            if not state.n_factors:
                return i, True
        sweep(state, learn_share=i >= START_OF_SPARSITY)
        if (i - 1) % sweeps_per_bound:
            continue
        path.append((i, evidence_lower_bound(state)))
        if i == 1:
            continue
        change = abs((path[-1][1] - path[-2][1]) / path[0][1])
        running = running + 1 if change < _CHANGE[options.convergence] else 0
        if running == 2:
            return i, True
    return options.max_iterations, False


def _sweep_on(state: State, n_iterations: int, tolerance: float) -> tuple[int, bool]:
    """Sweep until no factor value moves by `tolerance`."""
    while n_iterations < state.options.max_iterations:
        before = state.mean.copy()
        n_iterations += 1
        sweep(state, learn_share=n_iterations >= START_OF_SPARSITY)
        if np.abs(state.mean - before).max() < tolerance:
            return n_iterations, True
    return n_iterations, False


def _drop_one(state: State, least_r2: float, random: np.random.RandomState) -> None:
    """Drop a factor that explains too little of every view in every group, if there is one."""
    n_groups = int(state.groups.max()) + 1
    weak = [
        np.where((_shares(state, state.groups == g) > least_r2).sum(axis=0) == 0)[0]
        for g in range(n_groups)
    ]
    # the very expression of BayesNet.removeInactiveFactors: the draw depends on the set's order
    both = list(set.intersection(*map(set, weak)))
    if both:
        drop_factor(state, int(random.choice(both)))


def _shares(state: State, patients: NDArray[np.bool_]) -> Matrix:
    """Return the share of variance by view and factor among some patients, as mofapy2 counts it.

    In views that are not gaussian, mofapy2 counts the pseudo-data of missing values as data that
    no factor explains.
    """
    shares = np.empty((len(state.views), state.n_factors))
    for m, view in enumerate(state.views):
        total, explained = 0.0, np.zeros(state.n_factors)
        for block, weights in zip(view.blocks, view.weights, strict=True):
            inside = (
                patients
                if isinstance(block, OwnNoise) or block.rows is None
                else patients[block.rows]
            )
            mean = state.mean[patients]
            data, square = block.data[inside], weights.mean**2
            if isinstance(block, OwnNoise):
                seen = block.observed[inside]
                total += float(np.square(data).sum())
                cross = (np.where(seen, data, 0.0).T @ mean).T
                explained += (2 * cross * weights.mean).sum(axis=1)
                explained -= ((mean**2).T @ seen * square).sum(axis=1)
            else:
                mean = block.of(state.mean)[inside]
                total += float(np.square(data).sum())
                if view.likelihood == "poisson":  # minus the mean, where nothing was observed
                    n_missing = int(patients.sum()) - len(data)
                    total += n_missing * float(np.square(view.centres[_at(view, block)]).sum())
                explained += (2 * (mean.T @ data) * weights.mean).sum(axis=1)
                explained -= np.square(mean).sum(axis=0) * square.sum(axis=1)
        shares[m] = explained / total
    return shares


def _at(view: View, block: object) -> int:
    return next(i for i, one in enumerate(view.blocks) if one is block)


def _frozen(
    views: Sequence[Matrix],
    state: State,
    path: list[tuple[int, float]],
    *,
    n_iterations: int,
    converged: bool,
) -> EngineFit:
    if not np.isfinite(state.mean).all():
        raise FitError(NOT_FINITE)
    fit = EngineFit(
        factors=state.mean,
        views=tuple(
            _fitted_view(values, view, state)
            for values, view in zip(views, state.views, strict=True)
        ),
        prior_precision=state.prior_precision(),
        n_iterations=n_iterations,
        converged=converged,
        elbo=path[-1][1],
        elbo_path=np.array(path, dtype=np.float64),
    )
    return in_order(fit)


def _fitted_view(values: Matrix, view: View, state: State) -> FittedView:
    n_features, n_factors = view.n_features, state.n_factors
    weight, second = np.empty((n_features, n_factors)), np.empty((n_features, n_factors))
    n_groups = int(state.groups.max()) + 1
    noise, centre = np.full((n_groups, n_features), np.nan), np.zeros(n_features)
    gaussian = view.likelihood == "gaussian"
    pseudo_data = values if gaussian else np.full(values.shape, np.nan)
    for i, (block, weights) in enumerate(zip(view.blocks, view.weights, strict=True)):
        weight[block.columns], second[block.columns] = weights.mean.T, weights.second.T
        if view.likelihood != "bernoulli":
            noise[:, block.columns] = block.tau
        if gaussian:
            continue
        centre[block.columns] = view.centres[i]
        if isinstance(block, OwnNoise):
            pseudo_data[:, block.columns] = np.where(block.observed, block.data, np.nan)
        else:
            rows = np.arange(len(values)) if block.rows is None else block.rows
            pseudo_data[np.ix_(rows, block.columns)] = block.data
    return FittedView(
        weight=weight,
        weight_square=second,
        noise_precision=noise,
        centre=centre,
        pseudo_data=pseudo_data,
        importance=view.importance,
    )
