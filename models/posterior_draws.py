"""Regressions of many completed copies at once, their coefficients drawn from the posterior.

Arrays begin with M, the number of copies. A number's regression is linear, its gaps take the value
of a patient with a near predicted mean; a category's is multinomial logistic, under a weak normal
prior. `models.draws` calls them in turn.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Positions = NDArray[np.intp]


DONORS = 5
RIDGE = 1e-5  # of the diagonal, as in mice: duplicated columns do no harm
PRIOR = 1 / 2.5**2  # precision of a category's coefficients per standard deviation


def draw_linear(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Fit Bayesian linear regressions; give estimates and draws, both (M, q)."""
    m, n, q = x.shape
    gram = x.transpose(0, 2, 1) @ x
    gram[:, np.arange(q), np.arange(q)] *= 1 + RIDGE
    gram[:, np.arange(q), np.arange(q)] += RIDGE
    beta = np.linalg.solve(gram, x.transpose(0, 2, 1) @ y[:, np.newaxis])[:, :, 0]
    left = ((y - (x @ beta[:, :, np.newaxis])[:, :, 0]) ** 2).sum(axis=1)
    sigma = np.sqrt(left / rng.chisquare(max(n - q, 1), size=m))
    drawn: Floats = beta + sigma[:, np.newaxis] * _normal(gram, rng)
    return np.asarray(beta), drawn


def matched_values(
    predicted: Floats, target: Floats, y: Floats, rng: np.random.Generator
) -> Floats:
    """Give each gap the value of one of the patients whose predicted mean is nearest, (M, n)."""
    n, donors = len(y), min(DONORS, len(y))
    width = min(2 * donors, n)
    order = np.argsort(predicted, axis=1)
    ranked = np.take_along_axis(predicted, order, axis=1)
    place = np.array([np.searchsorted(r, t) for r, t in zip(ranked, target, strict=True)])
    first = np.clip(place - donors, 0, n - width)
    window = (first[:, :, np.newaxis] + np.arange(width)).reshape(len(target), -1)
    distance = np.take_along_axis(ranked, window, axis=1).reshape(*target.shape, width)
    distance = np.abs(distance - target[:, :, np.newaxis])
    nearest = np.argpartition(distance, donors - 1, axis=2)[:, :, :donors]
    chosen = rng.integers(donors, size=(*target.shape, 1))
    taken = first + np.take_along_axis(nearest, chosen, axis=2)[:, :, 0]
    return y[np.take_along_axis(order, taken, axis=1)]


def draw_categorical(x: Floats, indicators: Floats, rng: np.random.Generator) -> Floats:
    """Draw coefficients of multinomial logistic regressions from their posterior, (M, d, q)."""
    m, _, q = x.shape
    d = indicators.shape[1]
    prior = np.tile(np.concatenate([[1e-6], np.full(q - 1, PRIOR)]), d)
    beta = np.zeros((m, d * q))
    for _ in range(25):
        share = _shares(x @ beta.reshape(m, d, q).transpose(0, 2, 1))
        gradient = ((indicators - share).transpose(0, 2, 1) @ x).reshape(m, d * q) - prior * beta
        precision = _information(x, share) + np.diag(prior)
        step = np.linalg.solve(precision, gradient[:, :, np.newaxis])[:, :, 0]
        longest = np.abs(step).max(axis=1, keepdims=True)
        beta += step * np.minimum(1, 2 / np.maximum(longest, 1e-300))  # far steps overshoot
        if longest.max() < 1e-5:
            break
    return (beta + _normal(precision, rng)).reshape(m, d, q)


def drawn_levels(eta: Floats, quantile: Floats) -> Positions:
    """Give the level at which the cumulative probability passes `quantile`; 0 is the first."""
    beyond = np.cumsum(_shares(eta)[:, :, ::-1], axis=2)[:, :, ::-1]  # P(this level or a later one)
    return np.asarray((beyond > 1 - quantile[:, :, np.newaxis]).sum(axis=2))


def level_indicators(level: Positions, d: int) -> Floats:
    """Give one column of zeros and ones per level but the first."""
    return np.asarray(level[:, :, np.newaxis] == np.arange(1, d + 1), dtype=np.float64)


def _normal(precision: Floats, rng: np.random.Generator) -> Floats:
    """Draw from the normal distribution of mean 0 and given precision matrices, (M, q)."""
    root = np.linalg.cholesky(precision).transpose(0, 2, 1)
    z = rng.standard_normal((*precision.shape[:2], 1))
    return np.asarray(np.linalg.solve(root, z)[:, :, 0])


def _information(x: Floats, share: Floats) -> Floats:
    m, _, q = x.shape
    d = share.shape[2]
    found = np.empty((m, d, q, d, q))
    for a in range(d):
        for b in range(a + 1):
            weight = share[:, :, a] * (float(a == b) - share[:, :, b])
            found[:, a, :, b] = x.transpose(0, 2, 1) @ (weight[:, :, np.newaxis] * x)
            found[:, b, :, a] = found[:, a, :, b]
    return found.reshape(m, d * q, d * q)


def _shares(eta: Floats) -> Floats:
    """Give the probability of each level but the first, from log odds against it."""
    top = np.maximum(eta.max(axis=2, keepdims=True), 0)
    size = np.exp(eta - top)
    return np.asarray(size / (np.exp(-top) + size.sum(axis=2, keepdims=True)))
