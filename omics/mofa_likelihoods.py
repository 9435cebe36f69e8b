r"""How 0/1 values and counts enter MOFA: as gaussian pseudo-data that bound their likelihood.

Bernoulli (Jaakkola and Jordan): with :math:`\xi^2 = E[(z w)^2]` and
:math:`\lambda(\xi) = \tanh(\xi / 2) / (4 \xi)`, the pseudo-datum is
:math:`(2 y - 1) / (4 \lambda)` with precision :math:`2 \lambda`.

Poisson (Seeger and Bouchard), rate :math:`r(\zeta) = \log(1 + e^\zeta)`: with
:math:`\zeta = E[z] E[w]` and :math:`\kappa_d = 1/4 + 0.17 \max_n y_{nd}`, it is
:math:`\zeta - \sigma(\zeta) (1 - y / r(\zeta)) / \kappa_d` with precision :math:`\kappa_d`.

From both, mofapy2 then takes the mean over all patients, here too.

References
----------
Jaakkola TS, Jordan MI. Bayesian parameter estimation via variational methods. Statistics and
Computing 2000;10:25-37. doi:10.1023/A:1008932416310
Seeger M, Bouchard G. Fast variational Bayesian inference for non-conjugate matrix factorization
models. AISTATS 2012; PMLR 22:1012-1018.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Matrix = NDArray[np.float64]

_RATE_FLOOR = 1e-4  # mofapy2's, added to the rate (nongaussian_nodes.Poisson_PseudoY.ratefn)


def jaakkola(xi: Matrix) -> Matrix:
    """Return lambda(xi) = tanh(xi / 2) / (4 xi), which is 1/8 at 0.

    Examples
    --------
    >>> jaakkola(np.array([0.0, 2.0])).round(6).tolist()
    [0.125, 0.095199]
    """
    safe = np.maximum(np.abs(xi), 1e-8)
    return np.asarray(np.tanh(safe / 2) / (4 * safe), dtype=np.float64)


def bernoulli_pseudo_data(values: Matrix, xi: Matrix) -> Matrix:
    """Return the pseudo-data of 0/1 values, not yet centred."""
    return np.asarray((2 * values - 1) / (4 * jaakkola(xi)))


def bernoulli_bound(values: Matrix, xi: Matrix, linear: Matrix, square: Matrix) -> Matrix:
    """Return the lower bound of each value's log likelihood.

    Parameters
    ----------
    values : ndarray of shape (n_patients, n_features)
        0 or 1.
    xi : ndarray, same shape
    linear, square : ndarray, same shape
        E[z w] and E[(z w)^2].

    Returns
    -------
    ndarray, same shape

    Examples
    --------
    At xi^2 = (z w)^2 the bound touches: log sigma(2) for a 1.

    >>> one = np.ones(1)
    >>> bernoulli_bound(one, 2 * one, 2 * one, 4 * one).round(6).item()
    -0.126928
    """
    first = 0.5 * ((2 * values - 1) * linear - xi)
    return np.asarray(first - np.log1p(np.exp(-xi)) - jaakkola(xi) * (square - xi**2))


def poisson_precision(values: Matrix) -> Matrix:
    """Return kappa of each feature from its largest observed count, (n_features,)."""
    return np.asarray(0.25 + 0.17 * np.nanmax(values, axis=0))


def poisson_rate(zeta: Matrix) -> Matrix:
    """Return the expected count log(1 + exp(zeta)) + 1e-4."""
    return np.asarray(np.logaddexp(0.0, zeta) + _RATE_FLOOR)


def poisson_pseudo_data(values: Matrix, zeta: Matrix, kappa: Matrix) -> Matrix:
    """Return the pseudo-data of counts, not yet centred.

    Examples
    --------
    A count at its rate pulls nowhere: the pseudo-datum is zeta itself.

    >>> zeta = np.array([[1.5]])
    >>> poisson_pseudo_data(poisson_rate(zeta), zeta, np.array([0.6])).item()
    1.5
    """
    return np.asarray(zeta - expit(zeta) * (1 - values / poisson_rate(zeta)) / kappa)


def poisson_bound(
    values: Matrix, zeta: Matrix, kappa: Matrix, linear: Matrix, square: Matrix
) -> Matrix:
    """Return the lower bound of each count's log likelihood, without ``-log y!``.

    Parameters
    ----------
    values : ndarray of shape (n_patients, n_features)
        Counts.
    zeta : ndarray, same shape
    kappa : ndarray of shape (n_features,)
    linear, square : ndarray of shape (n_patients, n_features)
        E[z w] and E[(z w)^2].

    Returns
    -------
    ndarray of shape (n_patients, n_features)
    """
    rate = poisson_rate(zeta)
    curvature = 0.5 * kappa * (square - 2 * linear * zeta + zeta**2)
    slope = (linear - zeta) * expit(zeta) * (1 - values / rate)
    return np.asarray(-(curvature + slope + rate - values * np.log(rate)))
