r"""Where a penalised log likelihood has its maximum, and whether it has one.

Newton's method with step halving for :math:`l(\beta) - \tfrac12 \sum_j P_j \beta_j^2`. A concave
log likelihood has one maximum, or rises for ever along a direction (separation): then Newton's
steps move the linear predictor by about one unit each while the gain in log likelihood dies away.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv

# A step that still moves a linear predictor by this much has not arrived, however small its gain:
# it belongs to a coefficient on its way to infinity once the gain is below SPENT.
MOVING = 0.05
SPENT = 1e-11
# Linear predictors this far apart (hazards e^200) are on their way too, where no penalty holds.
FAR = 200.0
MAX_HALVINGS = 30


class Derivatives(NamedTuple):
    """A log likelihood at one point: its value, gradient (p,) and information (p, p)."""

    log_likelihood: float
    gradient: NDArray[np.float64]
    information: NDArray[np.float64]


class LogLikelihood(Protocol):
    """A concave log likelihood; `rows` (n, p) are the design rows that inform it."""

    @property
    def rows(self) -> NDArray[np.float64]:
        """Design rows of the patients that inform the likelihood, shape (n, p)."""
        ...

    def __call__(self, coef: NDArray[np.float64]) -> Derivatives:
        """Evaluate the log likelihood and its derivatives at `coef`, shape (p,)."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class Maximum:
    """Where Newton's method stopped.

    Attributes
    ----------
    coef : ndarray of shape (p,)
    log_likelihood : float
        At `coef`, without the penalty.
    information : ndarray of shape (p, p)
        Minus the second derivatives of the log likelihood at `coef`, without the penalty.
    n_iterations : int
    converged : bool
        False if the iterations ran out.
    runaway : ndarray of shape (p,)
        Largest change of a linear predictor that each coefficient's last step made; zeros unless
        the maximum lies at infinity.
    """

    coef: NDArray[np.float64]
    log_likelihood: float
    information: NDArray[np.float64]
    n_iterations: int
    converged: bool
    runaway: NDArray[np.float64]

    def __repr__(self) -> str:
        state = "converged" if self.converged else "not converged"
        return (
            f"Maximum({len(self.coef)} coefficients, log likelihood {self.log_likelihood:.6g}, "
            f"{state} after {self.n_iterations} iterations)"
        )


def maximise(
    log_likelihood: LogLikelihood,
    *,
    start: NDArray[np.float64],
    penalty: NDArray[np.float64],
    max_iterations: int,
    tolerance: float,
) -> Maximum:
    """Maximise a penalised log likelihood.

    Parameters
    ----------
    log_likelihood : LogLikelihood
    start : ndarray of shape (p,)
        Where to begin.
    penalty : ndarray of shape (p,)
        Ridge penalty of each coefficient, 0 or above.
    max_iterations : int
        Newton steps at most.
    tolerance : float
        Stop once a step is expected to gain less penalised log likelihood than this. The step is
        still taken, so the error left in a coefficient is far below `sqrt(2 * tolerance)`
        standard errors.

    Returns
    -------
    Maximum
    """
    coef, here = start, log_likelihood(start)
    still = np.zeros_like(start)
    if start.size == 0:
        return _maximum(coef, here, 0, converged=True, runaway=still)
    rows, step = log_likelihood.rows, np.ones_like(start)
    for iteration in range(1, max_iterations + 1):
        slope = here.gradient - penalty * coef
        _, proposed, failed = dposv(here.information + np.diag(penalty), slope)
        if failed:  # the rows have full rank: curvature was left behind on a long walk
            runaway = np.abs(step) * np.ptp(rows, axis=0)
            return _maximum(coef, here, iteration, converged=False, runaway=runaway)
        step = proposed
        gain = float(slope @ step) / 2
        moves = np.ptp(rows @ step) > MOVING
        coef, here = _climb(log_likelihood, coef, here, step, penalty)
        if gain < tolerance and not moves:
            return _maximum(coef, here, iteration, converged=True, runaway=still)
        if gain < SPENT or (not penalty.any() and np.ptp(rows @ coef) > FAR):
            runaway = np.abs(step) * np.ptp(rows, axis=0)
            return _maximum(coef, here, iteration, converged=False, runaway=runaway)
    return _maximum(coef, here, max_iterations, converged=False, runaway=still)


def _maximum(
    coef: NDArray[np.float64],
    here: Derivatives,
    n_iterations: int,
    *,
    converged: bool,
    runaway: NDArray[np.float64],
) -> Maximum:
    return Maximum(
        coef=coef,
        log_likelihood=here.log_likelihood,
        information=here.information,
        n_iterations=n_iterations,
        converged=converged,
        runaway=runaway,
    )


def _climb(
    log_likelihood: LogLikelihood,
    coef: NDArray[np.float64],
    here: Derivatives,
    step: NDArray[np.float64],
    penalty: NDArray[np.float64],
) -> tuple[NDArray[np.float64], Derivatives]:
    """Take the step, halved until the penalised log likelihood does not fall."""

    def penalised(at: NDArray[np.float64], value: Derivatives) -> float:
        return float(value.log_likelihood - penalty @ at**2 / 2)

    floor = penalised(coef, here)
    floor -= 1e-10 * (1 + abs(floor))  # rounding is no fall
    for halving in range(MAX_HALVINGS):
        new = coef + step / 2**halving
        there = log_likelihood(new)
        if penalised(new, there) >= floor and np.isfinite(there.gradient).all():
            return new, there
    return coef, here
