r"""Where a new patient lies on factors that were learnt from others: the exact posterior.

For fixed weights and noise, MOFA's factors of patient `n` are Gaussian given what was observed:

.. math::

    A_n = \mathrm{diag}(\alpha) + \sum_{d\ \mathrm{observed}} \tau_{nd}
          \left( E[w_d] E[w_d]^\top + \mathrm{diag}(\mathrm{Var}\, w_d) \right), \qquad
    b_n = \sum_{d\ \mathrm{observed}} \tau_{nd}\, E[w_d]\, \tilde y_{nd}, \qquad
    z_n = A_n^{-1} b_n .

A gaussian feature has :math:`\tilde y = (y - \mu_d) / s_d` and its own `tau`. A bernoulli feature
(Jaakkola's bound) has :math:`\lambda = \tanh(\xi / 2) / (4 \xi)`, :math:`\tau = 2 \lambda` and
:math:`\tilde y = (2 y - 1) / (4 \lambda) - c_d`, where :math:`\xi^2` is the expected square of the
factors' prediction; `xi` and `z` are iterated to their fixed point, patient by patient.

The fixed point of the training patients is the factors mofapy2 trained. Each patient's solution
depends on that patient alone.

References
----------
Jaakkola TS, Jordan MI. Bayesian parameter estimation via variational methods. Statistics and
Computing 2000;10:25-37. doi:10.1023/A:1008932416310
"""

import warnings
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from omics.errors import ConvergenceWarning

Matrix = NDArray[np.float64]

_MAX_SWEEPS = 500
_TOLERANCE = 1e-11  # of a factor value, whose prior standard deviation is 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Posterior:
    """Factors of some patients.

    Attributes
    ----------
    mean : ndarray of shape (n_patients, n_factors)
        Posterior mean; 0 where nothing was observed.
    information : ndarray of shape (n_patients, n_factors)
        ``1 - alpha_k (A^-1)_kk``, in [0, 1]: the share of the prior variance that the patient's
        values removed; 0 where nothing was observed.
    """

    mean: Matrix
    information: Matrix


@dataclass(frozen=True, eq=False, kw_only=True)
class Projection:
    """All that is needed to place a patient: the features of all views, one below the other.

    Attributes
    ----------
    weight, weight_square : ndarray of shape (n_features, n_factors)
        E[w] and E[w^2].
    prior_precision : ndarray of shape (n_factors,)
        alpha.
    noise_precision : ndarray of shape (n_features,)
        tau; NaN for bernoulli features.
    centre, scale : ndarray of shape (n_features,)
        mu and s of a gaussian feature; c_d and 1 of a bernoulli feature.
    lowest, highest : ndarray of shape (n_features,)
        Where values of a gaussian feature are held, centred and scaled; infinite: nowhere.
    bernoulli : bool ndarray of shape (n_features,)
    """

    weight: Matrix
    weight_square: Matrix
    prior_precision: Matrix
    noise_precision: Matrix
    centre: Matrix
    scale: Matrix
    lowest: Matrix
    highest: Matrix
    bernoulli: NDArray[np.bool_]

    def __repr__(self) -> str:
        n_features, n_factors = self.weight.shape
        return f"Projection({n_features} features, {n_factors} factors)"

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return every array by name, as saved in a file."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def posterior(self, values: Matrix) -> Posterior:
        """Place patients on the factors.

        Parameters
        ----------
        values : ndarray of shape (n_patients, n_features)
            In the units of the table; bernoulli features 0/1; NaN is missing.

        Returns
        -------
        Posterior

        Warns
        -----
        ConvergenceWarning
            If the bernoulli fixed point of a patient is not reached in 500 sweeps.

        Examples
        --------
        One factor, one feature, ``w = 2``, ``tau = 1``: ``z = 2 y / (1 + 4)``.

        >>> one = np.ones(1)
        >>> projection = Projection(
        ...     weight=np.array([[2.0]]), weight_square=np.array([[4.0]]), prior_precision=one,
        ...     noise_precision=one, centre=0 * one, scale=one, lowest=-9 * one, highest=9 * one,
        ...     bernoulli=np.array([False]),
        ... )
        >>> posterior = projection.posterior(np.array([[5.0], [np.nan]]))
        >>> posterior.mean.ravel().tolist()
        [2.0, 0.0]
        >>> posterior.information.ravel().round(3).tolist()
        [0.8, 0.0]
        """
        precision, target = self._gaussian_terms(values)
        mean = _solved(precision, target)
        if self.bernoulli.any():
            mean, precision = self._fixed_point(values, mean, precision, target)
        variance = np.diagonal(np.linalg.inv(precision), axis1=1, axis2=2)
        information = np.clip(1 - self.prior_precision * variance, 0, 1).astype(np.float64)
        return Posterior(mean=mean, information=information)

    def beyond(self, values: Matrix) -> NDArray[np.bool_]:
        """Tell which values are held since they lie too far out, (n_patients, n_features)."""
        scaled = (values - self.centre) / self.scale
        out: NDArray[np.bool_] = (scaled < self.lowest) | (scaled > self.highest)
        return out & ~self.bernoulli

    def _gaussian_terms(self, values: Matrix) -> tuple[Matrix, Matrix]:
        """Return `A` and `b` of prior and gaussian features: (n, K, K) and (n, K)."""
        gaussian = ~self.bernoulli
        scaled = (values[:, gaussian] - self.centre[gaussian]) / self.scale[gaussian]
        data = np.clip(scaled, self.lowest[gaussian], self.highest[gaussian])
        tau = np.where(np.isnan(data), 0.0, self.noise_precision[gaussian])
        precision = self._precision(tau, gaussian) + np.diag(self.prior_precision)
        return precision, (tau * np.nan_to_num(data)) @ self.weight[gaussian]

    def _precision(self, tau: Matrix, chosen: NDArray[np.bool_]) -> Matrix:
        """Sum of tau E[w w^T] over the chosen features: (n_patients, n_factors, n_factors)."""
        weight, square = self.weight[chosen], self.weight_square[chosen]
        n_factors = weight.shape[1]
        precision = np.empty((len(tau), n_factors, n_factors))
        for k in range(n_factors):
            precision[:, k] = tau @ (weight[:, [k]] * weight)
            precision[:, k, k] = tau @ square[:, k]  # E[w]^2 + Var w
        return precision

    def _fixed_point(
        self, values: Matrix, start: Matrix, precision: Matrix, target: Matrix
    ) -> tuple[Matrix, Matrix]:
        """Iterate xi and z; who has converged is left alone, whoever else is in the batch."""
        mean, total = start.copy(), precision.copy()
        labels = 2.0 * values[:, self.bernoulli] - 1.0
        active = np.arange(len(values))
        for _ in range(_MAX_SWEEPS):
            tau, pseudo = self._pseudo_data(labels[active], mean[active], total[active])
            total[active] = precision[active] + self._precision(tau, self.bernoulli)
            pull = target[active] + (tau * pseudo) @ self.weight[self.bernoulli]
            new = _solved(total[active], pull)
            moved = np.abs(new - mean[active]).max(axis=1) >= _TOLERANCE
            mean[active] = new
            active = active[moved]
            if not len(active):
                return mean, total
        warnings.warn(
            f"the factors of {len(active)} of {len(values)} patients did not converge in "
            f"{_MAX_SWEEPS} sweeps; their values are approximate.",
            ConvergenceWarning,
            stacklevel=3,
        )
        return mean, total

    def _pseudo_data(
        self, labels: Matrix, mean: Matrix, precision: Matrix
    ) -> tuple[Matrix, Matrix]:
        """`tau` (0 where missing) and centred pseudo-data of the bernoulli features."""
        weight, square = self.weight[self.bernoulli], self.weight_square[self.bernoulli]
        # mofapy2's factors are mean-field: Var z_k = 1 / A_kk, not (A^-1)_kk
        variance = 1.0 / np.diagonal(precision, axis1=1, axis2=2)
        linear = mean @ weight.T
        xi = np.sqrt(linear**2 - mean**2 @ (weight**2).T + (mean**2 + variance) @ square.T)
        tau = np.where(np.isnan(labels), 0.0, 2 * _jaakkola(xi))
        pseudo = np.nan_to_num(labels) / (4 * _jaakkola(xi)) - self.centre[self.bernoulli]
        return tau, pseudo


def _solved(precision: Matrix, target: Matrix) -> Matrix:
    """Solve A z = b patient by patient."""
    solution = np.linalg.solve(precision, target[..., np.newaxis])[..., 0]
    return solution.astype(np.float64, copy=False)


def _jaakkola(xi: Matrix) -> Matrix:
    """lambda(xi) = tanh(xi / 2) / (4 xi), which is 1/8 at 0."""
    safe = np.maximum(xi, 1e-8)
    return np.asarray(np.tanh(safe / 2) / (4 * safe), dtype=np.float64)
