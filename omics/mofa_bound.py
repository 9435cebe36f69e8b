"""The evidence lower bound of MOFA, term by term as mofapy2 has it (`calculateELBO` of each node).

References
----------
Argelaguet R, Velten B, Arnol D, et al. Multi-Omics Factor Analysis. Molecular Systems Biology
2018;14:e8124, appendix. doi:10.15252/msb.20178124
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, digamma, gammaln

from omics.mofa_blocks import Block, OwnNoise, SharedNoise, expected_square
from omics.mofa_likelihoods import bernoulli_bound, poisson_bound
from omics.mofa_state import Gamma, State, View, Weights
from omics.mofa_updates import PRIOR_ARD, PRIOR_NOISE, PRIOR_SHARE

Matrix = NDArray[np.float64]


def evidence_lower_bound(state: State, *, at_start: bool = False) -> float:
    """Compute the bound in nats; higher is better.

    Parameters
    ----------
    state : State
    at_start : bool
        Before the first sweep the noise was not yet learnt from the residuals, which are then
        formed anew.
    """
    bound = _factors(state)
    for view in state.views:
        parts = _weights(view, state.n_factors) + _ard(view) + _share(view) + _noise(view)
        bound += view.importance * (parts + _data(view, state, at_start=at_start))
    return bound


def _factors(state: State) -> float:
    """Z and its ARD (Z_Node, AlphaZ_Node)."""
    second, groups = state.second, state.groups
    bound = -0.5 * float((second * state.prior_precision()[groups]).sum())
    bound += 0.5 * float(np.log(state.variance).sum() + state.mean.size)
    if state.alpha is not None:
        bound += 0.5 * float(state.alpha.log_mean[groups].sum())
        bound += _gamma(state.alpha, PRIOR_ARD)
    return bound


def _gamma(q: Gamma, prior: float) -> float:
    """E[log p] - E[log q] of gamma variables with prior shape and rate `prior`."""
    mean, log_mean = q.mean, q.log_mean
    p = q.a.size * (prior * np.log(prior) - gammaln(prior))
    p += ((prior - 1) * log_mean - prior * mean).sum()
    own = (q.a * np.log(q.b) - gammaln(q.a) + (q.a - 1) * log_mean - q.b * mean).sum()
    return float(p - own)


def _weights(view: View, n_factors: int) -> float:
    """W and its spike (SW_Node, W_Node)."""
    alpha = view.ard(n_factors)
    log_alpha = np.zeros(n_factors) if view.alpha is None else view.alpha.log_mean
    bound = 0.5 * view.n_features * (float(log_alpha.sum()) + n_factors)
    for weights in view.weights:
        bound -= 0.5 * float(alpha @ weights.slab_square)
        bound += 0.5 * float(np.vdot(weights.active, np.log(weights.variance)))
        if view.share is not None:
            bound -= 0.5 * float((1 - weights.active).sum(axis=1) @ np.log(alpha))
            bound += _spike(weights, view.share)
    return bound


def _spike(weights: Weights, share: tuple[Matrix, Matrix]) -> float:
    a, b = share
    active = weights.active
    on, off = digamma(a) - digamma(a + b), digamma(b) - digamma(a + b)
    n_on = active.sum(axis=1)
    bound = float(n_on @ on + (active.shape[1] - n_on) @ off)
    return bound - _negative_entropy(active) - _negative_entropy(1 - active)


def _negative_entropy(p: Matrix) -> float:
    """Sum of p log p, 0 where p is 0."""
    return float(np.vdot(p, np.log(np.where(p > 0, p, 1.0))))


def _ard(view: View) -> float:
    """AlphaW_Node."""
    return 0.0 if view.alpha is None else _gamma(view.alpha, PRIOR_ARD)


def _share(view: View) -> float:
    """ThetaW_Node."""
    if view.share is None:
        return 0.0
    a, b = view.share
    on, off = digamma(a) - digamma(a + b), digamma(b) - digamma(a + b)
    p = (PRIOR_SHARE - 1) * (on + off) - betaln(PRIOR_SHARE, PRIOR_SHARE)
    return float((p - ((a - 1) * on + (b - 1) * off - betaln(a, b))).sum())


def _noise(view: View) -> float:
    """TauD_Node."""
    return sum(_gamma(noise, PRIOR_NOISE) for noise in view.noise)


def _data(view: View, state: State, *, at_start: bool) -> float:
    """Y (Y_Node, Bernoulli_PseudoY_Jaakkola, Poisson_PseudoY)."""
    if view.likelihood != "gaussian":
        return sum(
            _pseudo(view, state, i, block, weights)
            for i, (block, weights) in enumerate(zip(view.blocks, view.weights, strict=True))
        )
    bound = 0.0
    for block, weights, noise in zip(view.blocks, view.weights, view.noise, strict=True):
        counts = block.counts()
        half = noise.b - PRIOR_NOISE
        if at_start:
            half = 0.5 * block.residuals(weights.mean, weights.second)
        bound += float((0.5 * counts * (noise.log_mean - np.log(2 * np.pi))).sum())
        bound -= float((noise.mean * half).sum())
    return bound


def _pseudo(view: View, state: State, i: int, block: Block, weights: Weights) -> float:
    mean, second = state.mean, state.second
    if isinstance(block, SharedNoise):
        mean, second = block.of(mean), block.of(second)
    linear = mean @ weights.mean
    square = expected_square(mean, second, weights.mean, weights.second)
    values = view.observed_values[i]
    if view.likelihood == "bernoulli":
        each = bernoulli_bound(values, view.xi[i], linear, square)
    else:
        each = poisson_bound(values, view.xi[i], block.tau[0], linear, square)
    if isinstance(block, OwnNoise):
        each = each[block.observed]
    return float(each.sum())
