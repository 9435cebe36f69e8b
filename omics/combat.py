r"""How far each centre's values lie from the others', shrunk over features: ComBat on arrays.

Values of feature `f` in patient `i` of centre `b`, with covariates `c`, are taken for

.. math::

    x_{if} = \alpha_f + c_i \beta_f + \gamma_{bf} + \delta_{bf} \epsilon_{if},

and the shift `gamma` and the scale `delta` of a centre are shrunk to what its other features show,
under a normal and an inverse gamma prior (parametric) or under the distribution of the features
themselves. Conventions are those of R's `sva::ComBat`: the pooled variance divides by the number of
patients (by one less where any value is missing), and the parametric loop stops when no estimate
rises or falls by more than 1e-4 of what it was, shifts below zero not counting.

References
----------
Johnson WE, Li C, Rabinovic A. Adjusting batch effects in microarray expression data using empirical
Bayes methods. Biostatistics 2007;8:118-127. doi:10.1093/biostatistics/kxj037
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omics.errors import FitError

STOP = 1e-4  # sva's: converging further gives other numbers from the sixth digit on
MOST_SWEEPS = 10_000
CHUNK = 4_000_000  # likelihoods held at once, 32 MB
NO_SPREAD = 1e-10  # of the spread of a feature: what covariates leave is then rounding

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Standard:
    """What is common to the centres: how values are standardised.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_features,)
        Of a patient whose covariates are zero; of the reference centre, if there is one.
    coef : ndarray of shape (n_covariates, n_features)
    """

    mean: Floats
    scale: Floats
    coef: Floats

    def expected(self, covariates: Floats) -> Floats:
        """Give what each patient would have without their centre, (n_patients, n_features)."""
        return self.mean + covariates @ self.coef

    def standardised(self, values: Floats, covariates: Floats) -> Floats:
        """Give values in standard deviations from what is expected."""
        return (values - self.expected(covariates)) / self.scale


def standard(
    values: Floats, covariates: Floats, centre: NDArray[np.intp], *, reference: int | None
) -> Standard:
    """Fit centre means and covariates to each feature, by least squares on its known values.

    Parameters
    ----------
    values : ndarray of shape (n_patients, n_features)
        NaN where missing; each feature is `estimable`.
    covariates : ndarray of shape (n_patients, n_covariates)
    centre : ndarray of int, of shape (n_patients,)
        From 0.
    reference : int or None
        The centre whose mean and variance are taken, not those of all.
    """
    n_patients, n_centres = len(centre), int(centre.max()) + 1
    design = _design(covariates, centre)
    known = ~np.isnan(values)
    coef = _least_squares(design, values, known)
    mean = coef[:n_centres].T @ (np.bincount(centre) / n_patients)
    rows = np.ones(n_patients, dtype=np.bool_)
    if reference is not None:
        mean, rows = coef[reference], centre == reference
    residuals = (values - design @ coef)[rows]
    squares = np.nansum(residuals**2, axis=0)
    lost = 0 if known.all() else 1  # as sva has it, of every feature
    scale = np.sqrt(squares / np.maximum(known[rows].sum(axis=0) - lost, 1))
    return Standard(mean=mean, scale=scale, coef=coef[n_centres:])


def estimable(values: Floats, covariates: Floats, centre: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Tell the features whose known values show every centre and covariate apart.

    Examples
    --------
    >>> values = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [5.0, np.nan]])
    >>> estimable(values, np.array([[0.0], [0.0], [0.0], [1.0]]), np.array([0, 0, 1, 1])).tolist()
    [True, False]
    """
    known = ~np.isnan(values)
    gaps = ~known.all(axis=0)
    result = np.ones(values.shape[1], dtype=np.bool_)
    if gaps.any():
        design = _design(covariates, centre)
        gram = _gram(design, known[:, gaps])
        result[gaps] = np.linalg.matrix_rank(gram, hermitian=True) == design.shape[1]
    return result


def _design(covariates: Floats, centre: NDArray[np.intp]) -> Floats:
    return np.column_stack([np.eye(int(centre.max()) + 1)[centre], covariates])


def _gram(design: Floats, known: NDArray[np.bool_]) -> Floats:
    """Return the design's cross-product over each feature's known values, one p by p each."""
    p = design.shape[1]
    products = (design[:, :, np.newaxis] * design[:, np.newaxis, :]).reshape(len(design), p * p)
    return np.asarray((known.T.astype(np.float64) @ products).reshape(-1, p, p))


def _least_squares(design: Floats, values: Floats, known: NDArray[np.bool_]) -> Floats:
    """Regress each feature on the design, over its own known values: (n_columns, n_features)."""
    if known.all():
        return np.asarray(np.linalg.lstsq(design, values)[0])
    gram = _gram(design, known)
    right = np.where(known, values, 0.0).T @ design
    return np.asarray(np.linalg.solve(gram, right[:, :, np.newaxis])[:, :, 0].T)


@dataclass(frozen=True, eq=False, kw_only=True)
class Moments:
    """Standardised values of one centre, summed up; each of shape (n_features,).

    Attributes
    ----------
    n, mean, squares, variance : ndarray
        Known values, their mean, the sum of squares around it, and that over n - 1.
    """

    n: Floats
    mean: Floats
    squares: Floats
    variance: Floats

    @classmethod
    def of(cls, standardised: Floats) -> "Moments":
        """Sum up the patients of one centre; each feature is known in one of them at least."""
        n = (~np.isnan(standardised)).sum(axis=0).astype(np.float64)
        mean = np.nansum(standardised, axis=0) / n
        squares = np.nansum((standardised - mean) ** 2, axis=0)
        return cls(n=n, mean=mean, squares=squares, variance=squares / np.maximum(n - 1, 1))


def shrunken(moments: Moments, *, parametric: bool, mean_only: bool) -> tuple[Floats, Floats]:
    """Shrink the shift and the variance of each feature at one centre.

    Parameters
    ----------
    moments : Moments
        Of two features or more, and without `mean_only` of two values or more of each.
    parametric, mean_only : bool

    Returns
    -------
    gamma, delta : ndarray of shape (n_features,)
        Shift in standard deviations, and variance relative to that of all.

    Examples
    --------
    >>> two = Moments.of(np.array([[1.0, 3.0], [1.0, 3.0]]))
    >>> gamma, delta = shrunken(two, parametric=True, mean_only=True)
    >>> gamma.tolist(), delta.tolist()  # weight 2 / 3 on the feature, 1 / 3 on their mean
    ([1.3333333333333333, 2.6666666666666665], [1.0, 1.0])
    """
    ones = np.ones_like(moments.mean)
    if not parametric:
        return _under_the_features(moments, ones if mean_only else moments.variance)
    centre, spread = moments.mean.mean(), moments.mean.var(ddof=1)
    if mean_only:
        return (spread * moments.mean + centre) / (spread + 1), ones
    return _under_priors(moments, centre, spread)


def _under_priors(moments: Moments, centre: float, spread: float) -> tuple[Floats, Floats]:
    """Alternate between shift and variance, under a normal and an inverse gamma prior."""
    m, s2, n = moments.variance.mean(), moments.variance.var(ddof=1), moments.n
    gamma, delta = moments.mean, moments.variance
    for _ in range(MOST_SWEEPS):
        new_gamma = (spread * n * moments.mean + delta * centre) / (spread * n + delta)
        squares = moments.squares + n * (moments.mean - new_gamma) ** 2
        # (squares / 2 + b) / (n / 2 + a - 1), both times s2, which may be zero
        new_delta = (s2 * squares / 2 + m * (s2 + m**2)) / (s2 * (n / 2 + 1) + m**2)
        with np.errstate(invalid="ignore", divide="ignore"):
            changes = np.abs(new_gamma - gamma) / gamma, np.abs(new_delta - delta) / delta
        gamma, delta = new_gamma, new_delta
        if not any((change > STOP).any() for change in changes):
            return gamma, delta
    raise FitError(
        f"ComBat's estimates must settle, but after {MOST_SWEEPS} sweeps they still change. State "
        "parametric = false, or mean_only = true."
    )


def _under_the_features(moments: Moments, variance: Floats) -> tuple[Floats, Floats]:
    """Weight the estimates of the other features by how likely they make this one's values.

    The log likelihood of feature i's values under feature j's estimates is a product of three
    columns of sums and three rows of estimates. Considered and rejected: likelihoods themselves, as
    in sva, because they are all zero from a few hundred patients on.
    """
    g, d = moments.mean, variance
    sums = np.column_stack([moments.n, moments.squares + moments.n * g**2, moments.n * g])
    rows = np.vstack([-(np.log(2 * np.pi * d) + g**2 / d) / 2, -1 / (2 * d), g / d])
    gamma, delta = np.empty_like(g), np.empty_like(g)
    step = max(CHUNK // len(g), 1)
    for start in range(0, len(g), step):
        here = np.arange(start, min(start + step, len(g)))
        weights = sums[here] @ rows
        weights[np.arange(len(here)), here] = -np.inf
        np.exp(weights - weights.max(axis=1, keepdims=True), out=weights)
        total = weights.sum(axis=1)
        gamma[here], delta[here] = weights @ g / total, weights @ d / total
    return gamma, delta
