r"""MOFA fitted fast: the updates of mofapy2 in the order of mofapy2, written in small matrices.

A sweep updates, in this order, each from the newest of all others:

1. pseudo-data of bernoulli and poisson views (`omics.mofa_likelihoods`);
2. weights, factor after factor, spike and slab (Titsias and Lazaro-Gredilla, section 3):
   with :math:`u = \sum_n \tau E[z_k^2] + \alpha_k` and
   :math:`v = \sum_n \tau z_k (y - \sum_{l \ne k} z_l E[w_l])`,
   :math:`E[w \mid s = 1] = v / u`, :math:`\mathrm{Var}(w \mid s = 1) = 1 / u`,
   :math:`\mathrm{logit}\, E[s] = E[\mathrm{logit}\, \theta_k] + \frac12 \log \alpha_k
   - \frac12 \log u + v^2 / (2 u)`
   (mofapy2: `W_nodes.SW_Node._updateParameters`; without spike `W_nodes.W_Node`);
3. ARD of the weights, gamma with a = a_0 + D / 2 and b = b_0 + sum E[w^2] / 2 (`AlphaW_Node`);
4. from sweep 50 on, the share of active weights, beta (`ThetaW_Node`);
5. factors, :math:`z_k = (b_k - \sum_{l \ne k} A_{kl} z_l) / (\alpha_k + \sum_d \tau E[w_k^2])`,
   with A and b as in `omics.projection` (`Z_nodes.Z_Node._updateParameters`): one forward
   substitution for all patients that share their gaps;
6. ARD of the factors, by group (`AlphaZ_Node`);
7. noise, gamma with a = a_0 + n / 2 and b = b_0 + sum E[(y - z w)^2] / 2 (`TauD_Node`).

References
----------
Argelaguet R, Velten B, Arnol D, et al. Multi-Omics Factor Analysis. Molecular Systems Biology
2018;14:e8124, appendix. doi:10.15252/msb.20178124
Titsias M, Lazaro-Gredilla M. Spike and slab variational inference for multi-task and multiple
kernel learning. Advances in Neural Information Processing Systems 2011;24:2339-2347.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import digamma

from omics.mofa_blocks import Block, OwnNoise, SharedNoise, expected_square, factor_pairs
from omics.mofa_likelihoods import bernoulli_pseudo_data, jaakkola, poisson_pseudo_data
from omics.mofa_state import Gamma, State, View, Weights

Matrix = NDArray[np.float64]
Index = NDArray[np.intp]

PRIOR_NOISE = 1e-3  # a and b of the gamma prior of the noise (init_model.initTau)
PRIOR_ARD = 1e-14  # a and b of the gamma prior of both ARDs (initAlphaW, initAlphaZ)
PRIOR_SHARE = 1.0  # a and b of the beta prior of the share of active weights (initThetaW)
START_OF_SPARSITY = 50  # the sweep from which on that share is learnt (set_train_options)


def prepare(state: State) -> None:
    """Form the sums and the pseudo-data that the first sweep begins with."""
    state.look_at_factors()
    for view in state.views:
        update_pseudo_data(view, state)


def sweep(state: State, *, learn_share: bool) -> None:
    """Update every node once."""
    for view in state.views:
        update_pseudo_data(view, state)
    for view in state.views:
        update_weights(view, state.n_factors)
    for view in state.views:
        update_ard(view)
        if learn_share:
            update_share(view)
    update_factors(state)
    update_factor_ard(state)
    state.look_at_factors()
    for view in state.views:
        update_noise(view)


def update_pseudo_data(view: View, state: State) -> None:
    """Set pseudo-data and their bound's parameter from factors and weights (step 1)."""
    if view.likelihood == "gaussian":
        return
    second = state.second
    for i, (block, weights) in enumerate(zip(view.blocks, view.weights, strict=True)):
        values = view.observed_values[i]
        if view.likelihood == "bernoulli":
            view.xi[i] = np.sqrt(expected_square(state.mean, second, weights.mean, weights.second))
            pseudo = bernoulli_pseudo_data(values, view.xi[i])
        else:
            rows = state.mean if isinstance(block, OwnNoise) else block.of(state.mean)
            view.xi[i] = rows @ weights.mean
            pseudo = poisson_pseudo_data(values, view.xi[i], block.tau[0])
            if isinstance(block, OwnNoise):
                pseudo[~block.observed] = 0.0
        # the mean is over all patients; what is missing counts as a 0, as mofapy2 has it
        view.centres[i] = pseudo.sum(axis=0) / len(state.mean)
        pseudo -= view.centres[i]
        block.data = pseudo
        if isinstance(block, SharedNoise):
            block.look_at_factors(state.mean, second)


def update_weights(view: View, n_factors: int) -> None:
    """Set the weights from factors, noise, ARD and share (step 2)."""
    alpha = view.ard(n_factors)
    odds = None
    if view.share is not None:
        odds = np.exp(digamma(view.share[1]) - digamma(view.share[0]))  # against activity
    with np.errstate(over="ignore"):  # of a weight that is surely off
        for block, weights in zip(view.blocks, view.weights, strict=True):
            _update_block(block, weights, alpha, odds)


def _update_block(block: Block, weights: Weights, alpha: Matrix, odds: Matrix | None) -> None:
    pull = block.pull(weights.mean)
    change = weights.mean.copy()  # becomes the new weights less these
    precision = block.precision()
    precision += alpha[:, None]
    variance = 1.0 / precision
    if odds is not None:  # exp(-logit) = against * exp(-v^2 / (2 u))
        against = np.sqrt(precision, out=precision)
        against *= (odds / np.sqrt(alpha))[:, None]
    for k in range(len(alpha)):
        v, slab, second = pull[k], weights.mean[k], weights.second[k]
        if k:
            v -= block.moved(k, change)
        np.multiply(v, variance[k], out=slab)
        np.multiply(slab, slab, out=second)
        second += variance[k]
        if odds is not None:
            active = weights.active[k]
            v *= slab
            v *= -0.5
            np.exp(v, out=v)
            v *= against[k]
            v += 1.0
            np.reciprocal(v, out=active)
            slab *= active
            second *= active
        np.subtract(slab, change[k], out=change[k])
    n_off = weights.active.shape[1] - weights.active.sum(axis=1)
    weights.variance = variance
    weights.slab_square = weights.second.sum(axis=1) + n_off / alpha


def update_ard(view: View) -> None:
    """Set the precision of the weights of each factor (step 3)."""
    if view.alpha is None:
        return
    total = sum(weights.slab_square for weights in view.weights)
    shape = np.full(len(view.alpha.a), PRIOR_ARD + 0.5 * view.n_features)
    view.alpha = Gamma(shape, PRIOR_ARD + 0.5 * np.asarray(total))


def update_share(view: View) -> None:
    """Set the share of active weights of each factor (step 4)."""
    if view.share is None:
        return
    active = np.asarray(sum(weights.active.sum(axis=1) for weights in view.weights))
    view.share = (PRIOR_SHARE + active, PRIOR_SHARE + view.n_features - active)


def update_factors(state: State) -> None:
    """Set the factors from weights and noise (step 5)."""
    n_patients, n_factors = state.mean.shape
    pairs, place = factor_pairs(n_factors)
    pull = np.zeros_like(state.mean)  # b_n
    diagonal = state.prior_precision()[state.groups]  # alpha_k + sum tau E[w_k^2]
    shared: dict[tuple[int, int], Matrix] = {}  # part of A_n by set of patients and group
    own: Matrix | None = None  # part of A_n by patient, pairs of factors
    for view in state.views:
        for block, weights in zip(view.blocks, view.weights, strict=True):
            if isinstance(block, SharedNoise):
                _add_shared(block, weights, view.importance, pull, diagonal, shared)
            else:
                own = np.zeros((n_patients, len(pairs[0]))) if own is None else own
                _add_own(block, weights, view.importance, pull, diagonal, own)
    for members in state.classes:
        matrix = np.zeros((n_factors, n_factors))
        for rows in members.row_sets:
            matrix += shared[rows, members.group]
        if own is None:
            _substitute(state, members.patients, matrix, pull, diagonal)
        else:
            own[members.patients] += matrix[pairs]
    if own is not None:
        _substitute_own(state.mean, own, place, pull, diagonal)
    state.variance = 1.0 / diagonal


def _add_shared(
    block: SharedNoise,
    weights: Weights,
    importance: float,
    pull: Matrix,
    diagonal: Matrix,
    shared: dict[tuple[int, int], Matrix],
) -> None:
    for g, part in enumerate(block.parts):
        tau = importance * block.tau[g]
        weighted = weights.mean * tau
        rows = part if block.rows is None else block.rows[part]
        pull[rows] += block.data[part] @ weighted.T
        diagonal[rows] += weights.second @ tau
        key = (id(block.rows), g)
        shared[key] = shared.get(key, 0.0) + weighted @ weights.mean.T


def _add_own(
    block: OwnNoise,
    weights: Weights,
    importance: float,
    pull: Matrix,
    diagonal: Matrix,
    own: Matrix,
) -> None:
    first, second = factor_pairs(len(weights.mean))[0]
    noise = block.noise()
    noise *= importance
    diagonal += noise @ weights.second.T
    own += noise @ (weights.mean[first] * weights.mean[second]).T
    noise *= block.data
    pull += noise @ weights.mean.T


def _substitute(
    state: State, patients: Index, matrix: Matrix, pull: Matrix, diagonal: Matrix
) -> None:
    """Update factor after factor, all at once: (L + D) z = b - U z_old, A = L + U off-diagonal."""
    lower = np.tril(matrix, -1) + np.diag(diagonal[patients[0]])
    right = pull[patients] - state.mean[patients] @ np.tril(matrix, -1)
    state.mean[patients] = solve_triangular(
        lower, right.T, lower=True, check_finite=False, overwrite_b=True
    ).T


def _substitute_own(
    mean: Matrix, matrices: Matrix, place: Index, pull: Matrix, diagonal: Matrix
) -> None:
    """Update factor after factor where A differs from patient to patient."""
    for k in range(mean.shape[1]):
        row = matrices[:, place[k]]
        row[:, k] = 0.0
        mean[:, k] = (pull[:, k] - np.einsum("nk,nk->n", row, mean)) / diagonal[:, k]


def update_factor_ard(state: State) -> None:
    """Set the precision of the factors by group (step 6)."""
    if state.alpha is None:
        return
    second = state.second
    n_groups = len(state.alpha.a)
    sizes = np.bincount(state.groups, minlength=n_groups).astype(np.float64)
    total = np.stack([second[state.groups == g].sum(axis=0) for g in range(n_groups)])
    shape = np.repeat(PRIOR_ARD + 0.5 * sizes[:, None], state.n_factors, axis=1)
    state.alpha = Gamma(shape, PRIOR_ARD + 0.5 * total)


def update_noise(view: View) -> None:
    """Set the noise of a gaussian view, or the bernoulli precision 2 lambda(xi) (step 7)."""
    if view.likelihood == "bernoulli":
        for block, xi in zip(view.blocks, view.xi, strict=True):
            block.tau = 2 * jaakkola(xi)
    for i in range(len(view.noise)):
        block, weights = view.blocks[i], view.weights[i]
        view.noise[i] = Gamma(
            PRIOR_NOISE + 0.5 * block.counts(),
            PRIOR_NOISE + 0.5 * block.residuals(weights.mean, weights.second),
        )
        block.tau = view.noise[i].mean


def drop_factor(state: State, factor: int) -> None:
    """Forget one factor."""
    state.mean = np.delete(state.mean, factor, axis=1)
    state.variance = np.delete(state.variance, factor, axis=1)
    if state.alpha is not None:
        state.alpha = Gamma(*(np.delete(x, factor, axis=1) for x in (state.alpha.a, state.alpha.b)))
    for view in state.views:
        view.weights = [weights.without(factor) for weights in view.weights]
        if view.alpha is not None:
            view.alpha = Gamma(*(np.delete(x, factor) for x in (view.alpha.a, view.alpha.b)))
        if view.share is not None:
            view.share = (np.delete(view.share[0], factor), np.delete(view.share[1], factor))
    state.look_at_factors()
