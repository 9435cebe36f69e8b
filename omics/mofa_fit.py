"""What is asked of a MOFA fit, and what comes back, whichever engine does the work.

References
----------
Argelaguet R, Velten B, Arnol D, et al. Multi-Omics Factor Analysis: a framework for unsupervised
integration of multi-omics data sets. Molecular Systems Biology 2018;14:e8124.
doi:10.15252/msb.20178124
Argelaguet R, Arnol D, Bredikhin D, et al. MOFA+: a statistical framework for comprehensive
integration of multi-modal single-cell data. Genome Biology 2020;21:111.
doi:10.1186/s13059-020-02015-1
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Likelihood = Literal["gaussian", "bernoulli", "poisson"]
Convergence = Literal["fast", "medium", "slow"]
Engine = Literal["nomomics", "mofapy2"]
Matrix = NDArray[np.float64]

_VALUES_AT_ONCE = 2**19

NOT_FINITE = (
    "MOFA's factors are not finite: the data are too few for the factors asked for. "
    "Ask for fewer factors."
)


@dataclass(frozen=True, kw_only=True)
class MofaOptions:
    """How MOFA is fitted; the defaults are mofapy2's.

    Attributes
    ----------
    n_factors : int
        At most the number of patients and the number of features.
    spike_slab : bool
        A spike-and-slab prior on the weights, which switches single weights off.
    ard_weights : bool
        Automatic relevance determination per view and factor.
    ard_factors : bool
        Automatic relevance determination per group and factor.
    weight_views : bool
        Count each view by the inverse of its number of features.
    least_r2 : float or None
        Drop, one a sweep, a factor that explains at most this share of every view in every group.
    max_iterations : int
        Most sweeps.
    tolerance : float or None
        None: stop where mofapy2 does. Otherwise sweep on until no factor value changes by
        `tolerance` or more.
    convergence : {"fast", "medium", "slow"}
        The lower bound changes, over five sweeps, by less than 5e-6, 5e-7 or 5e-8 of its first
        value, twice running.
    seed : int
        For the randomised PCA that starts the factors.
    """

    n_factors: int
    spike_slab: bool = True
    ard_weights: bool = True
    ard_factors: bool = False
    weight_views: bool = False
    least_r2: float | None = None
    max_iterations: int = 1000
    tolerance: float | None = None
    convergence: Convergence = "fast"
    seed: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedView:
    """What was learnt about one view.

    Attributes
    ----------
    weight, weight_square : ndarray of shape (n_features, n_factors)
        E[w] and E[w^2].
    noise_precision : ndarray of shape (n_groups, n_features)
        tau of a gaussian view; kappa of a poisson view, the same in every group; NaN for a
        bernoulli view, where it depends on the patient.
    centre : ndarray of shape (n_features,)
        Mean pseudo-datum c_d of a bernoulli or poisson view; 0 for a gaussian view.
    pseudo_data : ndarray of shape (n_patients, n_features)
        What the factors explain: the data of a gaussian view, the centred pseudo-data of the
        others; NaN where nothing was observed.
    importance : float
        omega, by which the view counts; 1 unless `weight_views`.
    """

    weight: Matrix
    weight_square: Matrix
    noise_precision: Matrix
    centre: Matrix
    pseudo_data: Matrix
    importance: float = 1.0


@dataclass(frozen=True, eq=False, kw_only=True)
class EngineFit:
    """A finished fit.

    Attributes
    ----------
    factors : ndarray of shape (n_patients, n_factors)
        n_factors is 0 where every factor was dropped.
    views : tuple of FittedView
    prior_precision : ndarray of shape (n_groups, n_factors)
        alpha, the precision of the factors' prior; 1 unless `ard_factors`.
    n_iterations : int
        Sweeps over all nodes.
    converged : bool
        Whether the criterion asked for was met within `max_iterations`.
    elbo : float
        Evidence lower bound at the end, in nats; higher is better.
    elbo_path : ndarray of shape (n_checks, 2)
        Sweep (0 is the start) and lower bound wherever it was computed.
    """

    factors: Matrix
    views: tuple[FittedView, ...]
    prior_precision: Matrix
    n_iterations: int
    converged: bool
    elbo: float
    elbo_path: Matrix


def view_importances(n_features: Sequence[int], *, weight_views: bool) -> Matrix:
    """Return omega per view: ``sum D / (M D_m)``, rescaled to sum to M; or ones.

    Examples
    --------
    >>> view_importances([10, 30], weight_views=True).tolist()
    [1.5, 0.5]
    """
    sizes = np.asarray(n_features, dtype=np.float64)
    if not weight_views or len(sizes) < 2:
        return np.ones(len(sizes))
    raw = sizes.sum() / (len(sizes) * sizes)
    return np.asarray(raw / raw.sum() * len(sizes))


def in_order(fit: EngineFit) -> EngineFit:
    """Sort factors by variance explained and turn each so that its largest loading is positive.

    The variance explained is summed over the views, all patients together. Of equal loadings the
    first decides.
    """
    if fit.factors.shape[1] == 0:
        return fit
    total = np.sum([variance_explained(fit.factors, view)[:-1] for view in fit.views], axis=0)
    order = np.argsort(-total, kind="stable")
    loadings = np.concatenate([view.weight for view in fit.views])
    largest = loadings[np.abs(loadings).argmax(axis=0), np.arange(loadings.shape[1])]
    sign = np.where(largest < 0, -1.0, 1.0)
    views = tuple(
        replace(
            view,
            weight=(view.weight * sign)[:, order],
            weight_square=view.weight_square[:, order],
        )
        for view in fit.views
    )
    return replace(
        fit,
        factors=(fit.factors * sign)[:, order],
        views=views,
        prior_precision=fit.prior_precision[:, order],
    )


def variance_explained(factors: Matrix, view: FittedView) -> Matrix:
    """Compute the share of a view's variance that each factor, and all together, explain.

    Parameters
    ----------
    factors : ndarray of shape (n_patients, n_factors)
    view : FittedView
        Of the same patients.

    Returns
    -------
    ndarray of shape (n_factors + 1,)
        ``1 - sum (y - z w)^2 / sum y^2`` over observed values, at most 1; the last is of all
        factors. It is below 0 where a factor makes the view worse.

    Notes
    -----
    mofapy2's own figure is the same, except that in a bernoulli view it counts missing values,
    whose pseudo-data it does not clear; ours leaves them out.

    Examples
    --------
    >>> view = FittedView(
    ...     weight=np.array([[1.0]]), weight_square=np.array([[1.0]]),
    ...     noise_precision=np.ones((1, 1)), centre=np.zeros(1),
    ...     pseudo_data=np.array([[1.0], [-1.0], [np.nan]]),
    ... )
    >>> variance_explained(np.array([[0.5], [-0.5], [9.0]]), view).tolist()
    [0.75, 0.75]
    """
    n_factors = factors.shape[1]
    explained, total, left = np.zeros(n_factors), 0.0, 0.0
    size = max(_VALUES_AT_ONCE // max(len(factors), 1), 1)
    for start in range(0, len(view.weight), size):  # in parts, so that no copy of the data is made
        part = slice(start, start + size)
        weight = view.weight[part]
        observed = ~np.isnan(view.pseudo_data[:, part])
        data = np.where(observed, view.pseudo_data[:, part], 0.0)
        total += float(np.square(data).sum())
        # sum (y - z w)^2 = sum y^2 - 2 z'y w + z^2 w^2, for all factors at once
        explained += 2 * (factors * (data @ weight)).sum(axis=0)
        explained -= (factors**2 * (observed @ weight**2)).sum(axis=0)
        left += float(np.square(data - np.where(observed, factors @ weight.T, 0.0)).sum())
    return np.append(explained, total - left) / total
