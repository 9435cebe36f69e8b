r"""Second fits of the outcome on a prediction: how calibration asks whether risks need correcting.

Each returns NaN where the data cannot answer: a prediction that does not vary, one that parts the
outcomes completely, no event. They run in thousands of resamples, where that is no error.

References
----------
Andersen PK, Pohar Perme M. Pseudo-observations in survival analysis. Statistical Methods in Medical
Research 2010;19:71-99. doi:10.1177/0962280209105020
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.newton import Derivatives, maximise
from models.partial_likelihood import PartialLikelihood

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ITERATIONS, TOLERANCE = 50, 1e-9
SMALLEST = 1e-8  # share of a column's size that must be variation, or it counts as constant


@dataclass(frozen=True, eq=False)
class BinaryLikelihood:
    """The log likelihood of a logistic regression with columns `rows` and an offset."""

    rows: Floats
    event: Flags
    offset: Floats

    def __call__(self, coef: Floats) -> Derivatives:
        """Evaluate the log likelihood and its derivatives at `coef`, shape (p,)."""
        eta = self.rows @ coef + self.offset
        risk = expit(eta)
        return Derivatives(
            float(eta[self.event].sum() - np.logaddexp(0, eta).sum()),
            self.rows.T @ (self.event - risk),
            (self.rows.T * (risk * (1 - risk))) @ self.rows,
        )


def logistic_refit(x: Floats, event: Flags, *, offset: Floats) -> Floats:
    """Fit a logistic regression on the columns of `x`; give (p,), NaN if not finite."""
    return _coefficients(BinaryLikelihood(x, event, offset))


def logistic_slope(x: Floats, event: Flags, strata: NDArray[Any]) -> float:
    """Give the logistic coefficient of `x`, with an intercept for each stratum.

    A stratum of one class tells nothing of the slope (its intercept is infinite) and is left out.
    """
    codes = np.unique(strata, return_inverse=True)[1]
    size, events = np.bincount(codes), np.bincount(codes, weights=event)
    kept = ((events > 0) & (events < size))[codes]
    if not kept.any():
        return float("nan")
    codes = np.unique(codes[kept], return_inverse=True)[1]
    means = np.bincount(codes, weights=x[kept]) / np.bincount(codes)
    inner = x[kept] - means[codes]  # the slope does not see the strata's levels
    if _constant(inner, x):
        return float("nan")
    columns = np.column_stack([inner, np.eye(codes.max() + 1)[codes]])
    return float(logistic_refit(columns, event[kept], offset=np.zeros(len(inner)))[0])


def cox_slope(x: Floats, time: Floats, event: Flags, strata: NDArray[Any]) -> float:
    """Give the Cox coefficient of `x`, with a baseline hazard for each stratum."""
    if not event.any():
        return float("nan")
    likelihood = PartialLikelihood.of(x[:, np.newaxis], time, event, strata=strata)
    if _constant(likelihood.rows, x):
        return float("nan")
    return float(_coefficients(likelihood)[0])


def cox_risk(x: Floats, time: Floats, event: Flags, *, horizon: float, at: Floats) -> Floats:
    """Read the risk by `horizon` at the rows `at` off a Cox regression on the columns of `x`.

    Efron's ties, in the coefficients and in the baseline (R's survfit of a coxph; Breslow's
    baseline would fall short in bootstrap samples, where every event is tied with its copies).

    Parameters
    ----------
    x : ndarray of shape (n_patients, p)
    time, event : ndarray of shape (n_patients,)
    horizon : float
    at : ndarray of shape (n_points, p)

    Returns
    -------
    ndarray of shape (n_points,)
        NaN if there is no event by `horizon` or no finite fit.
    """
    unknown = np.full(len(at), np.nan)
    if not (event & (time <= horizon)).any():
        return unknown
    centre = x.mean(axis=0)
    likelihood = PartialLikelihood.of(x - centre, time, event)
    if np.linalg.matrix_rank(likelihood.rows, tol=SMALLEST * np.abs(x).max()) < x.shape[1]:
        return unknown
    coef = _coefficients(likelihood)
    if np.isnan(coef).any():
        return unknown
    block = likelihood.strata[0]
    top = float((block.x @ coef).max())  # `weights` are relative to the largest
    sizes = block.sizes(block.weights(coef)[1])
    hazard = (1 / sizes[likelihood.event_times <= horizon]).sum()
    with np.errstate(over="ignore"):
        risk: Floats = -np.expm1(-hazard * np.exp((at - centre) @ coef - top))
    return risk


def _coefficients(likelihood: BinaryLikelihood | PartialLikelihood) -> Floats:
    start = np.zeros(likelihood.rows.shape[1])
    fit = maximise(
        likelihood,
        start=start,
        penalty=start,
        max_iterations=ITERATIONS,
        tolerance=TOLERANCE,
    )
    return fit.coef if fit.converged else np.full(len(start), np.nan)


def _constant(inner: Floats, x: Floats) -> bool:
    return bool(np.ptp(inner) <= SMALLEST * np.abs(x).max())


def pseudo_observations(time: Floats, event: Flags, *, horizon: float) -> Floats:
    r"""Stand-ins for "had the event by `horizon`" that censored patients have too.

    .. math:: \theta_i = n \hat F(t) - (n - 1) \hat F_{(-i)}(t)

    with F the Kaplan-Meier risk, without patient i in its second place. Without censoring before
    the horizon they are the outcomes 0 and 1.

    Parameters
    ----------
    time, event : ndarray of shape (n_patients,)
    horizon : float
        Within follow-up.

    Returns
    -------
    ndarray of shape (n_patients,)

    Examples
    --------
    >>> pseudo_observations(np.array([1.0, 2, 3]), np.array([True, True, False]), horizon=2)
    array([1., 1., 0.])
    """
    n = len(time)
    order = np.lexsort((~event, time))  # events leave first at ties
    at_risk = np.arange(n, 0, -1)
    counts = (event & (time <= horizon))[order]
    with_all = np.where(counts, 1 - 1 / at_risk, 1.0)
    with_one_less = np.where(counts, 1 - 1 / np.maximum(at_risk - 1, 1), 1.0)
    # Without patient i: one fewer at risk until i's place, all as before after it. Nobody else is
    # at risk before the last place, whose own factor is never asked for.
    until = np.append(1.0, np.cumprod(with_one_less)[:-1])
    after = np.append(np.cumprod(with_all[::-1])[::-1][1:], 1.0)
    risk = 1 - with_all.prod()
    values = np.empty(n)
    values[order] = n * risk - (n - 1) * (1 - until * after)
    return values


def log_hazard(risk: Floats, *, edge: float) -> Floats:
    """Complementary log-log of a risk: its log cumulative hazard; `edge` keeps it finite."""
    return np.asarray(np.log(-np.log1p(-np.clip(risk, edge, 1 - edge))))


def cloglog_intercept(outcome: Floats, offset: Floats) -> float:
    r"""Find a such that ``1 - exp(-exp(a + offset))`` comes closest to `outcome`.

    The independence estimating equation with a complementary log-log link and constant variance,
    :math:`\sum_i \mu_i' (\theta_i - \mu_i) = 0`, by Gauss-Newton steps.
    """
    level = 0.0
    for _ in range(ITERATIONS):
        hazard = np.exp(np.minimum(level + offset, 30.0))
        steep = hazard * np.exp(-hazard)
        curvature = float(steep @ steep)
        if curvature < SMALLEST**2:
            return float("nan")
        step = float(steep @ (outcome + np.expm1(-hazard))) / curvature
        level += float(np.clip(step, -1, 1))
        if abs(step) < TOLERANCE:
            return level
    return float("nan")
