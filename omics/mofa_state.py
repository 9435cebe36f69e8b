"""All that MOFA learns, while it is being learnt, and how it stands before the first sweep.

Weights stand as (n_factors, n_features), factors as (n_patients, n_factors).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

from omics.mofa_blocks import Block, SharedNoise, gaussian_blocks, own_noise_blocks
from omics.mofa_fit import Likelihood, MofaOptions, view_importances
from omics.mofa_likelihoods import poisson_precision

Matrix = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(eq=False)
class Gamma:
    """Gamma variables: shape a, rate b."""

    a: Matrix
    b: Matrix

    @property
    def mean(self) -> Matrix:
        """E[x]."""
        return self.a / self.b

    @property
    def log_mean(self) -> Matrix:
        """E[log x]."""
        return np.asarray(digamma(self.a) - np.log(self.b))


@dataclass(eq=False)
class Weights:
    """The weights of one block, (n_factors, n_features) each.

    `mean` E[w], `second` E[w^2], `active` P(s = 1), `variance` Var(w | s = 1); and, summed over
    features, the squared slab variable that ARD learns from, (n_factors,).
    """

    mean: Matrix
    second: Matrix
    active: Matrix
    variance: Matrix
    slab_square: Matrix

    @classmethod
    def at_start(cls, n_factors: int, n_features: int) -> "Weights":
        """Return mean 0, variance 1, all active (init_model.initSW)."""
        one = np.ones((n_factors, n_features))
        return cls(np.zeros_like(one), one, one.copy(), one.copy(), one.sum(axis=1))

    def without(self, factor: int) -> "Weights":
        """Return the weights of the other factors."""
        kept = (self.mean, self.second, self.active, self.variance, self.slab_square)
        return Weights(*(np.delete(one, factor, axis=0) for one in kept))


@dataclass(eq=False)
class View:
    """One view while it is fitted."""

    likelihood: Likelihood
    n_features: int
    importance: float
    blocks: list[Block]
    weights: list[Weights]
    alpha: Gamma | None  # (K,)
    share: tuple[Matrix, Matrix] | None  # a and b of the beta, (K,) each
    noise: list[Gamma]  # by block, of a gaussian view
    observed_values: list[Matrix] = field(default_factory=list)  # by block, 0/1 or counts
    xi: list[Matrix] = field(default_factory=list)  # by block: xi or zeta
    centres: list[Matrix] = field(default_factory=list)  # by block: mean pseudo-datum

    def ard(self, n_factors: int) -> Matrix:
        """E[alpha], (K,)."""
        return np.ones(n_factors) if self.alpha is None else self.alpha.mean


@dataclass(frozen=True, eq=False)
class PatientClass:
    """Patients of one group who belong to the same shared-noise blocks: their A_n are equal."""

    patients: Index
    group: int
    row_sets: frozenset[int]  # identities of the blocks' `rows`


@dataclass(eq=False)
class State:
    """All that is being learnt."""

    options: MofaOptions
    groups: Index
    mean: Matrix  # E[z], (N, K)
    variance: Matrix  # (N, K)
    views: list[View]
    alpha: Gamma | None  # of the factors, (G, K)
    classes: list["PatientClass"]

    @property
    def n_factors(self) -> int:
        """K."""
        return int(self.mean.shape[1])

    @property
    def second(self) -> Matrix:
        """E[z^2], (N, K)."""
        return self.mean**2 + self.variance

    def prior_precision(self) -> Matrix:
        """E[alpha] of the factors, (G, K)."""
        if self.alpha is None:
            return np.ones((int(self.groups.max()) + 1, self.n_factors))
        return self.alpha.mean

    def look_at_factors(self) -> None:
        """Form the sums over patients that weights and noise need."""
        second = self.second
        for view in self.views:
            for block in view.blocks:
                block.look_at_factors(self.mean, second)


def initial_state(
    views: Sequence[Matrix],
    *,
    likelihoods: Sequence[Likelihood],
    groups: Index,
    options: MofaOptions,
    start: Matrix,
) -> State:
    """Return mofapy2's first state, with `start` as the factors' means, (N, K)."""
    n_factors, n_groups = start.shape[1], int(groups.max()) + 1
    importances = view_importances([v.shape[1] for v in views], weight_views=options.weight_views)
    made = [
        _view(values, likelihood, float(importance), groups, n_factors, options)
        for values, likelihood, importance in zip(views, likelihoods, importances, strict=True)
    ]
    ones = np.ones((n_groups, n_factors))
    return State(
        options=options,
        groups=groups,
        mean=start.copy(),
        variance=np.ones_like(start),
        views=made,
        alpha=Gamma(ones, ones.copy()) if options.ard_factors else None,
        classes=_classes(made, groups),
    )


def _view(
    values: Matrix,
    likelihood: Likelihood,
    importance: float,
    groups: Index,
    n_factors: int,
    options: MofaOptions,
) -> View:
    n_features, n_groups = values.shape[1], int(groups.max()) + 1
    blocks: list[Block]
    if likelihood == "bernoulli":
        blocks = list(
            own_noise_blocks(
                values,
                groups,
                n_factors,
                np.ones(values.shape),
                columns=np.arange(n_features),
                by_group=False,
            )
        )
    else:
        tau = np.ones((n_groups, n_features))
        if likelihood == "poisson":
            tau *= poisson_precision(values)
        blocks = gaussian_blocks(values, groups, n_factors, tau)
    one = np.ones(n_factors)
    view = View(
        likelihood=likelihood,
        n_features=n_features,
        importance=importance,
        blocks=blocks,
        weights=[Weights.at_start(n_factors, len(block.columns)) for block in blocks],
        alpha=Gamma(one, one.copy()) if options.ard_weights else None,
        share=(one.copy(), one.copy()) if options.spike_slab else None,
        noise=[],
    )
    if likelihood == "gaussian":
        view.noise = [Gamma(np.ones_like(b.tau), np.ones_like(b.tau)) for b in blocks]
    else:
        view.observed_values = [block.data for block in blocks]
        view.xi = [np.zeros(0)] * len(blocks)
        view.centres = [np.zeros(0)] * len(blocks)
    return view


def _classes(views: Sequence[View], groups: Index) -> list[PatientClass]:
    """Part the patients by group and by the shared-noise blocks they belong to."""
    row_sets = {
        id(block.rows): block.rows
        for view in views
        for block in view.blocks
        if isinstance(block, SharedNoise)
    }
    member = np.zeros((len(groups), len(row_sets)), dtype=np.intp)
    for column, rows in enumerate(row_sets.values()):
        member[slice(None) if rows is None else rows, column] = 1
    kinds, place = np.unique(np.column_stack([groups, member]), axis=0, return_inverse=True)
    names = np.array(list(row_sets), dtype=object)
    return [
        PatientClass(
            patients=np.flatnonzero(place == c),
            group=int(kind[0]),
            row_sets=frozenset(names[kind[1:] == 1]),
        )
        for c, kind in enumerate(kinds)
    ]
