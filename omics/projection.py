r"""Where a new patient lies on factors that were learnt from others: the exact posterior.

For fixed weights and noise, MOFA's factors of patient `n` of group `g` are Gaussian given what was
observed:

.. math::

    A_n = \mathrm{diag}(\alpha_g) + \sum_{d\ \mathrm{observed}} \omega_d \tau_{nd}
          \left( E[w_d] E[w_d]^\top + \mathrm{diag}(\mathrm{Var}\, w_d) \right), \qquad
    b_n = \sum_{d\ \mathrm{observed}} \omega_d \tau_{nd}\, E[w_d]\, \tilde y_{nd}, \qquad
    z_n = A_n^{-1} b_n .

A gaussian feature has :math:`\tilde y = (y - \mu_{gd}) / s_{gd}` and its own `tau`. Bernoulli and
poisson features enter as pseudo-data (`omics.mofa_likelihoods`) whose bound depends on the factors:
both are iterated to their fixed point, patient by patient.

The fixed point of the training patients is the factors the engine trained. Each patient's solution
depends on that patient alone.

References
----------
Jaakkola TS, Jordan MI. Bayesian parameter estimation via variational methods. Statistics and
Computing 2000;10:25-37. doi:10.1023/A:1008932416310
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from omics.errors import ConvergenceWarning
from omics.mofa_likelihoods import bernoulli_pseudo_data, jaakkola, poisson_pseudo_data

Matrix = NDArray[np.float64]
Index = NDArray[np.intp]

_MAX_SWEEPS = 500
_TOLERANCE = 1e-11  # of a factor value, whose prior standard deviation is 1
_VALUES_AT_ONCE = 2**22


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


@dataclass(frozen=True, eq=False)
class _Solved:
    """Some patients, solved: `rows` of the table, A, the pull of each value, and z."""

    rows: slice
    precision: Matrix  # (n, K, K)
    pull: Matrix  # omega tau y~ of each value, 0 where missing: (n, D)
    mean: Matrix  # (n, K)


@dataclass(frozen=True, eq=False, kw_only=True)
class Projection:
    """All that is needed to place a patient: the features of all views, one below the other.

    A profile is what depends on a patient's group; there is one for each group of the training
    patients, and a last one for everybody else. Without groups there is one.

    Attributes
    ----------
    weight, weight_square : ndarray of shape (n_features, n_factors)
        E[w] and E[w^2].
    prior_precision : ndarray of shape (n_profiles, n_factors)
        alpha.
    noise_precision : ndarray of shape (n_profiles, n_features)
        tau of gaussian, kappa of poisson features; NaN for bernoulli features.
    centre, scale : ndarray of shape (n_profiles, n_features)
        mu and s of a gaussian feature; c_d and 1 of the others.
    lowest, highest : ndarray of shape (n_features,)
        Where values of a gaussian feature are held, centred and scaled; infinite: nowhere.
    spread : ndarray of shape (n_features,)
        Standard deviation of the training patients' values, centred and scaled.
    bernoulli, poisson : bool ndarray of shape (n_features,)
    importance : ndarray of shape (n_features,)
        omega of the feature's view; 1 unless views were weighted.
    """

    weight: Matrix
    weight_square: Matrix
    prior_precision: Matrix
    noise_precision: Matrix
    centre: Matrix
    scale: Matrix
    lowest: Matrix
    highest: Matrix
    spread: Matrix
    bernoulli: NDArray[np.bool_]
    poisson: NDArray[np.bool_]
    importance: Matrix

    def __repr__(self) -> str:
        n_features, n_factors = self.weight.shape
        return f"Projection({n_features} features, {n_factors} factors)"

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return every array by name, as saved in a file."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def gaussian(self) -> NDArray[np.bool_]:
        """Which features are gaussian, (n_features,)."""
        return np.asarray(~(self.bernoulli | self.poisson))

    def posterior(self, values: Matrix, profiles: Index | None = None) -> Posterior:
        """Place patients on the factors.

        Parameters
        ----------
        values : ndarray of shape (n_patients, n_features)
            In the units of the table; bernoulli features 0/1, poisson features counts; NaN is
            missing.
        profiles : ndarray of int of shape (n_patients,), optional
            The profile of each patient. None: the last one.

        Returns
        -------
        Posterior

        Warns
        -----
        ConvergenceWarning
            If the fixed point of a patient is not reached in 500 sweeps.

        Examples
        --------
        One factor, one feature, ``w = 2``, ``tau = 1``: ``z = 2 y / (1 + 4)``.

        >>> one, no = np.ones((1, 1)), np.array([False])
        >>> projection = Projection(
        ...     weight=2 * one, weight_square=4 * one, prior_precision=one, noise_precision=one,
        ...     centre=0 * one, scale=one, lowest=-9 * one[0], highest=9 * one[0], spread=one[0],
        ...     bernoulli=no, poisson=no, importance=one[0],
        ... )
        >>> posterior = projection.posterior(np.array([[5.0], [np.nan]]))
        >>> posterior.mean.ravel().tolist()
        [2.0, 0.0]
        >>> posterior.information.ravel().round(3).tolist()
        [0.8, 0.0]
        """
        shape = (len(values), self.weight.shape[1])
        mean, information = np.zeros(shape), np.zeros(shape)
        profiles = self._profiles(values, profiles)
        for solved in self._solve(values, profiles):
            variance = np.diagonal(np.linalg.inv(solved.precision), axis1=1, axis2=2)
            alpha = self.prior_precision[profiles[solved.rows]]
            mean[solved.rows] = solved.mean
            information[solved.rows] = np.clip(1 - alpha * variance, 0, 1)
        return Posterior(mean=mean, information=information)

    def covariance(self, values: Matrix, profiles: Index | None = None) -> Matrix:
        """Return the posterior covariance A^-1 of each patient, (n_patients, n_factors, n_factors).

        Parameters as in `posterior`.
        """
        n_factors = self.weight.shape[1]
        found = np.empty((len(values), n_factors, n_factors))
        for solved in self._solve(values, self._profiles(values, profiles)):
            found[solved.rows] = np.linalg.inv(solved.precision)
        return found

    def contributions(self, values: Matrix, profiles: Index | None = None) -> Matrix:
        """Return what each value adds to each factor; they sum to the posterior mean.

        ``A^-1 omega tau E[w_d] y~_d``; 0 for a missing value. Parameters as in `posterior`.

        Returns
        -------
        ndarray of shape (n_patients, n_factors, n_features)
        """
        found = np.empty((len(values), self.weight.shape[1], len(self.weight)))
        for solved in self._solve(values, self._profiles(values, profiles)):
            spread = np.linalg.inv(solved.precision) @ self.weight.T  # (n, K, D)
            found[solved.rows] = spread * solved.pull[:, None, :]
        return found

    def beyond(self, values: Matrix, profiles: Index | None = None) -> NDArray[np.bool_]:
        """Tell which values are held since they lie too far out, (n_patients, n_features)."""
        scaled = self.scaled(values, profiles)
        out: NDArray[np.bool_] = (scaled < self.lowest) | (scaled > self.highest)
        return out & self.gaussian

    def scaled(self, values: Matrix, profiles: Index | None = None) -> Matrix:
        """Return the values centred and scaled as in training, (n_patients, n_features)."""
        profiles = self._profiles(values, profiles)
        return np.asarray((values - self.centre[profiles]) / self.scale[profiles])

    def _profiles(self, values: Matrix, profiles: Index | None) -> Index:
        if profiles is None:
            return np.full(len(values), len(self.prior_precision) - 1, dtype=np.intp)
        return profiles

    def _solve(self, values: Matrix, profiles: Index) -> Iterator[_Solved]:
        """Solve the patients, some at once."""
        n_features, n_factors = self.weight.shape
        size = max(1, _VALUES_AT_ONCE // max(n_features + n_factors**2, 1))
        unsettled = 0
        for start in range(0, len(values), size):
            rows = slice(start, min(start + size, len(values)))
            solved, n_left = self._solve_some(rows, values[rows], profiles[rows])
            unsettled += n_left
            yield solved
        if unsettled:
            warnings.warn(
                f"the factors of {unsettled} of {len(values)} patients did not converge in "
                f"{_MAX_SWEEPS} sweeps; their values are approximate.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _solve_some(self, rows: slice, values: Matrix, profiles: Index) -> tuple[_Solved, int]:
        fixed = ~self.bernoulli  # features whose precision does not depend on the factors
        observed = ~np.isnan(values)
        precision = self._fixed_precision(observed, fixed, profiles)
        gaussian = self.gaussian
        data = np.zeros_like(values)
        held = np.clip(self.scaled(values, profiles), self.lowest, self.highest)
        np.copyto(data, held, where=observed & gaussian)
        pull = np.where(gaussian, self.importance * self.noise_precision[profiles] * data, 0.0)
        mean = _solved(precision, pull @ self.weight)
        n_left = 0
        if not gaussian.all():
            n_left = self._fixed_point(values, profiles, mean, precision, pull)
        return _Solved(rows, precision, pull, mean), n_left

    def _fixed_precision(
        self, observed: NDArray[np.bool_], fixed: NDArray[np.bool_], profiles: Index
    ) -> Matrix:
        """Sum of omega tau E[w w^T] over gaussian and poisson features, and alpha.

        Patients of one profile who share their gaps share the matrix: it is formed once.
        """
        kinds: dict[bytes, int] = {}
        marks = np.packbits(observed[:, fixed], axis=1)
        place = np.array(
            [
                kinds.setdefault(mark.tobytes() + int(profile).to_bytes(4), len(kinds))
                for mark, profile in zip(marks, profiles, strict=True)
            ]
        )
        _, first = np.unique(place, return_index=True)
        tau = (self.importance * self.noise_precision[profiles[first]])[:, fixed]
        tau = np.where(observed[first][:, fixed], tau, 0.0)
        precision = self._precision(tau, fixed)
        precision += self.prior_precision[profiles[first]][:, None, :] * np.eye(precision.shape[1])
        return np.asarray(precision[place])

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
        self, values: Matrix, profiles: Index, mean: Matrix, precision: Matrix, pull: Matrix
    ) -> int:
        """Iterate pseudo-data and z in place; who has converged is left alone.

        Returns the number of patients who have not converged.
        """
        base = precision.copy()
        active = np.arange(len(values))
        for _ in range(_MAX_SWEEPS):
            some = values[active]
            if self.bernoulli.any():
                tau, data = self._bernoulli(some, mean[active], precision[active])
                precision[active] = base[active] + self._precision(tau, self.bernoulli)
                pull[np.ix_(active, self.bernoulli)] = tau * data
            if self.poisson.any():
                pull[np.ix_(active, self.poisson)] = self._poisson(some, mean[active])
            new = _solved(precision[active], pull[active] @ self.weight)
            moved = np.abs(new - mean[active]).max(axis=1, initial=0.0) >= _TOLERANCE
            mean[active] = new
            active = active[moved]
            if not len(active):
                return 0
        return len(active)

    def _bernoulli(self, values: Matrix, mean: Matrix, precision: Matrix) -> tuple[Matrix, Matrix]:
        """Return omega tau (0 where missing) and the centred pseudo-data of bernoulli features."""
        chosen = self.bernoulli
        weight, square = self.weight[chosen], self.weight_square[chosen]
        labels = values[:, chosen]
        # the engine's factors are mean-field: Var z_k = 1 / A_kk, not (A^-1)_kk
        variance = 1.0 / np.diagonal(precision, axis1=1, axis2=2)
        linear = mean @ weight.T
        xi = np.sqrt(linear**2 - mean**2 @ (weight**2).T + (mean**2 + variance) @ square.T)
        tau = np.where(np.isnan(labels), 0.0, 2 * jaakkola(xi) * self.importance[chosen])
        # c_d is the same in every profile
        data = bernoulli_pseudo_data(np.nan_to_num(labels), xi) - self.centre[-1, chosen]
        return tau, data

    def _poisson(self, values: Matrix, mean: Matrix) -> Matrix:
        """Return omega kappa times the centred pseudo-data of poisson features, 0 if missing."""
        chosen = self.poisson
        kappa = self.noise_precision[-1, chosen]  # the same in every profile, as is c_d
        counts = values[:, chosen]
        zeta = mean @ self.weight[chosen].T
        data = poisson_pseudo_data(np.nan_to_num(counts), zeta, kappa) - self.centre[-1, chosen]
        return np.where(np.isnan(counts), 0.0, self.importance[chosen] * kappa * data)


def _solved(precision: Matrix, target: Matrix) -> Matrix:
    """Solve A z = b patient by patient."""
    solution = np.linalg.solve(precision, target[..., np.newaxis])[..., 0]
    return solution.astype(np.float64, copy=False)
