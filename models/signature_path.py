r"""Coefficients of a LASSO or elastic net, along a falling penalty.

Of columns :math:`z_j` with mean 0 and standard deviation 1 (divided by n), at penalty
:math:`\lambda` and mix :math:`\alpha` in (0, 1] (1 is the LASSO),

.. math::

    \min_{\beta_0, \beta}\; -\tfrac1n\, l(\beta_0 + z\beta)
      + \lambda \Big( \alpha \lVert\beta\rVert_1 + \tfrac{1-\alpha}{2} \lVert\beta\rVert_2^2 \Big)

which is glmnet's problem, in its scale. The likelihood is replaced by its quadratic approximation
at the coefficients so far and solved by scikit-learn's coordinate descent, on the columns that may
enter (the strong rule); Newton steps on the columns found then take it to the last digit. The
solution stands when the Karush-Kuhn-Tucker conditions hold in every column:
:math:`|g_j| \le \lambda\alpha` where :math:`\beta_j = 0`, and
:math:`g_j = \lambda(\alpha\,\mathrm{sign}\beta_j + (1-\alpha)\beta_j)` elsewhere, with
:math:`g = \partial l / \partial\beta / n`.

References
----------
Friedman J, Hastie T, Tibshirani R. Regularization paths for generalized linear models via
coordinate descent. Journal of Statistical Software 2010;33(1). doi:10.18637/jss.v033.i01
Tibshirani R, et al. Strong rules for discarding predictors in lasso-type problems. JRSS B
2012;74:245-266. doi:10.1111/j.1467-9868.2011.01004.x
"""

import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning as DescentWarning
from sklearn.linear_model import enet_path

from models.signature_losses import Loss
from omics.errors import ConvergenceWarning

Floats = NDArray[np.float64]

MOST_ROUNDS = 25  # of approximation and descent, at one penalty
EXACT = 1e-9  # by which the conditions may be missed, in units of a standardised column's gradient
FINE = 1e-7  # of the descent's duality gap; Newton steps do the rest
SWEEPS = 2000
NEWTON_STEPS = 30
DAMPING = 1e-9  # of Newton's steps, for columns that determine each other
MOST_HALVINGS = 30
ROUNDING = 1e-13  # share of the objective
FAR = 200.0  # between two linear predictors: a hazard ratio of e^200
UNINFORMED = 1e-9  # share of the most informed patient's weight, below which one is passed over
HAIR = 1e-12
CONSTANT = 1e-10  # share of its size by which a column must vary


class PenalisedPath:
    """The solution at one penalty after the other, each starting from the one before.

    Parameters
    ----------
    x : ndarray of shape (n_patients, p)
        Finite columns.
    loss : Loss
    mix : float in (0, 1]

    Attributes
    ----------
    means, scales : ndarray of shape (p,)
        Scales are standard deviations with n; infinite for a column that does not vary, which
        keeps the coefficient 0.
    beta : ndarray of shape (p,)
        Of the standardised columns, at the last penalty.
    level : float
        Linear predictor of the patient at the means.
    largest : float
        The smallest penalty at which every coefficient is 0.
    """

    def __init__(self, x: Floats, loss: Loss, *, mix: float) -> None:
        self.loss, self.mix = loss, mix
        self.means = x.mean(axis=0)
        z = x - self.means
        scales = np.sqrt((z**2).mean(axis=0))
        flat = scales <= CONSTANT * np.abs(x).max(axis=0, initial=0.0)
        self.scales = np.where(flat, np.inf, scales)
        self._z = np.asfortranarray(z / self.scales)
        self.beta = np.zeros(x.shape[1])
        self.level = loss.level
        self._gradient = self._slope_at(self._eta())
        self._before = self.largest = float(np.abs(self._gradient).max(initial=0.0)) / mix

    def __repr__(self) -> str:
        return f"PenalisedPath({self._z.shape[0]} patients, {len(self.beta)} columns)"

    @property
    def coef(self) -> Floats:
        """Coefficients per unit of each column, shape (p,)."""
        return np.asarray(self.beta / self.scales)

    def linear_predictor(self, x: Floats) -> Floats:
        """Give level + (x - means) @ coef, shape (n_patients,)."""
        chosen = np.flatnonzero(self.beta)
        return np.asarray(self.level + (x[:, chosen] - self.means[chosen]) @ self.coef[chosen])

    def move_to(self, penalty: float) -> None:
        """Solve at `penalty`, which must not be above the one before."""
        entering = np.abs(self._gradient) >= self.mix * (2 * penalty - self._before)
        candidates = np.flatnonzero(entering | (self.beta != 0))
        self._before = penalty
        for _ in range(MOST_ROUNDS):
            eta = self._eta()
            self._gradient = self._slope_at(eta)
            wrong = self._misses(penalty) > EXACT
            if not wrong.any():
                return
            candidates = np.union1d(candidates, np.flatnonzero(wrong))
            entering = wrong & (self.beta == 0)  # by a hair: descent might leave out what is small
            self.beta[entering] = HAIR * np.sign(self._gradient[entering])
            self._descend(candidates, eta, penalty)
            self._polish(penalty)
        warnings.warn(
            f"a signature did not converge in {MOST_ROUNDS} rounds at one penalty. "
            "Look for columns that nearly determine each other, or take a smaller mix.",
            ConvergenceWarning,
            stacklevel=2,
        )

    def _eta(self) -> Floats:
        chosen = np.flatnonzero(self.beta)
        return np.asarray(self.level + self._z[:, chosen] @ self.beta[chosen])

    def _slope_at(self, eta: Floats) -> Floats:
        return np.asarray(self._z.T @ self.loss.slopes(eta).gradient / len(eta))

    def _misses(self, penalty: float) -> Floats:
        """By how much each column misses its condition."""
        pull = self._gradient - penalty * (1 - self.mix) * self.beta
        free = np.maximum(np.abs(pull) - penalty * self.mix, 0.0)
        held = np.abs(pull - penalty * self.mix * np.sign(self.beta))
        return np.asarray(np.where(self.beta == 0, free, held))

    def _descend(self, candidates: NDArray[np.intp], eta: Floats, penalty: float) -> None:
        """Minimise the quadratic approximation at the coefficients so far."""
        gradient, curvature = self.loss.slopes(eta)
        informed = curvature > UNINFORMED * curvature.max()  # who leaves before the first event
        weight = curvature[informed]
        x = self._z[np.ix_(informed, candidates)]
        working = x @ self.beta[candidates] + gradient[informed] / weight
        root = np.sqrt(weight)
        x_mean, working_mean = (
            np.average(x, axis=0, weights=weight),
            np.average(working, weights=weight),
        )
        with warnings.catch_warnings(), config_context(skip_parameter_validation=True):
            # whether this suffices, the conditions tell
            warnings.simplefilter("ignore", DescentWarning)
            _, found, _ = enet_path(
                np.asfortranarray((x - x_mean) * root[:, np.newaxis]),
                (working - working_mean) * root,
                l1_ratio=self.mix,
                alphas=[penalty * len(eta) / len(x)],  # its loss is divided by the rows it sees
                coef_init=self.beta[candidates],
                precompute=False,
                check_input=False,
                tol=FINE,
                max_iter=SWEEPS,
            )
        beta = self.beta.copy()
        beta[candidates] = found[:, 0]
        level = float(working_mean - x_mean @ found[:, 0]) if self.loss.has_intercept else 0.0
        self._step_to(beta, self.level + level, penalty)

    def _polish(self, penalty: float) -> None:
        """Take Newton steps on the columns found; one whose sign would change goes to 0 and out."""
        n, free = len(self._z), int(self.loss.has_intercept)
        for _ in range(NEWTON_STEPS):
            chosen = np.flatnonzero(self.beta)
            if len(chosen) + free == 0:
                return
            beta, eta = self.beta[chosen], self._eta()
            signs = np.sign(beta)
            rows = np.concatenate([np.ones((n, free)), self._z[:, chosen]], axis=1)
            slope = rows.T @ self.loss.slopes(eta).gradient / n
            slope[free:] -= penalty * (self.mix * signs + (1 - self.mix) * beta)
            if np.abs(slope).max() <= EXACT / 10:
                return
            held = np.concatenate([np.zeros(free), np.full(len(chosen), penalty * (1 - self.mix))])
            try:
                factor = cho_factor(self.loss.information(rows, eta) / n + np.diag(held + DAMPING))
            except LinAlgError:  # descent goes on alone
                return
            step = cho_solve(factor, slope)
            new = beta + step[free:]
            crossing = np.sign(new) != signs
            reach = beta[crossing] / (beta[crossing] - new[crossing])
            length = float(reach.min(initial=1.0))
            new = beta + length * step[free:]
            if crossing.any():
                new[np.flatnonzero(crossing)[reach.argmin()]] = 0.0
            moved = self.beta.copy()
            moved[chosen] = new
            if not self._step_to(moved, self.level + length * float(step[:free].sum()), penalty):
                return

    def _step_to(self, beta: Floats, level: float, penalty: float) -> bool:
        """Go to new coefficients, or part of the way, so that what is minimised does not rise."""
        old, old_level, before = self.beta, self.level, self._objective(penalty)
        for halving in range(MOST_HALVINGS):
            self.beta = old + (beta - old) / 2**halving
            self.level = old_level + (level - old_level) / 2**halving
            if self._objective(penalty) <= before + ROUNDING * (1 + abs(before)):
                return True
        self.beta, self.level = old, old_level
        return False

    def _objective(self, penalty: float) -> float:
        """Give the penalised loss; infinite for hazards or odds that no patient has."""
        eta = self._eta()
        if np.ptp(eta) > FAR:
            return np.inf
        ridge = (1 - self.mix) / 2 * self.beta @ self.beta
        size = self.mix * np.abs(self.beta).sum() + ridge
        return float(self.loss.value(eta) / len(eta) + penalty * size)
