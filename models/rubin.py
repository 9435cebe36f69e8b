r"""How sure is a coefficient when part of its data was imputed: Rubin's rules.

With M estimates :math:`q_m` and their covariances :math:`U_m`,

.. math::

    \bar q = \tfrac1M \sum_m q_m, \quad \bar U = \tfrac1M \sum_m U_m, \quad
    B = \tfrac{1}{M-1} \sum_m (q_m - \bar q)(q_m - \bar q)^\top, \quad
    T = \bar U + (1 + \tfrac1M) B .

Of one coefficient :math:`\lambda = (1 + 1/M) B / T` is the share of its variance that is due to
what is missing, :math:`r = (1 + 1/M) B / \bar U` the increase; its t distribution has Barnard and
Rubin's degrees of freedom; the fraction of missing information is
:math:`(r + 2 / (\mathrm{df} + 3)) / (r + 1)` and the efficiency of M imputations relative to
infinitely many :math:`1 / (1 + \mathrm{fmi} / M)`. Several coefficients are tested together by the
pooled Wald test D1 of Li, Raghunathan and Rubin, which takes one r for all of them.

References
----------
Rubin DB. Multiple Imputation for Nonresponse in Surveys. Wiley 1987. doi:10.1002/9780470316696
Barnard J, Rubin DB. Small-sample degrees of freedom with multiple imputation. Biometrika
1999;86:948-955. doi:10.1093/biomet/86.4.948
Li KH, Raghunathan TE, Rubin DB. Large-sample significance levels from multiply imputed data using
moment-based statistics and an F reference distribution. JASA 1991;86:1065-1073.
doi:10.1080/01621459.1991.10475152
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2 as chi_squared
from scipy.stats import f as f_distribution
from scipy.stats import t as t_distribution

from models.checks import check_level

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pooled:
    """Estimates of M imputed data sets, pooled.

    Attributes
    ----------
    estimate : ndarray of shape (p,)
    within, between : ndarray of shape (p, p)
        Mean of the covariances, and covariance of the estimates.
    n_imputations : int
    complete_df : float
        Degrees of freedom, were nothing missing; infinite for the normal distribution.
    """

    estimate: Floats
    within: Floats
    between: Floats
    n_imputations: int
    complete_df: float

    def __repr__(self) -> str:
        most = np.nanmax(self.fmi, initial=0.0) if len(self.estimate) else 0.0
        return (
            f"Pooled({len(self.estimate)} coefficients, {self.n_imputations} imputations, "
            f"at most {100 * most:.0f} % missing information)"
        )

    @property
    def total(self) -> Floats:
        """Covariance of the pooled estimates, shape (p, p)."""
        return self.within + self._inflated

    @property
    def _inflated(self) -> Floats:
        return (1 + 1 / self.n_imputations) * self.between

    @property
    def share(self) -> Floats:
        """Share of each variance that is due to what is missing (lambda), shape (p,)."""
        return np.diag(self._inflated) / np.diag(self.total)

    @property
    def df(self) -> Floats:
        """Barnard and Rubin's degrees of freedom, shape (p,)."""
        share, complete = self.share, self.complete_df
        of_imputations = np.full(len(share), np.inf)
        np.divide(self.n_imputations - 1, share**2, out=of_imputations, where=share > 0)
        if np.isinf(complete):
            return of_imputations
        observed = (complete + 1) / (complete + 3) * complete * (1 - share)
        return np.asarray(1 / (1 / of_imputations + 1 / observed))

    @property
    def fmi(self) -> Floats:
        """Fraction of information on each coefficient that is missing, shape (p,)."""
        increase = np.diag(self._inflated) / np.diag(self.within)
        fraction = (increase + 2 / (self.df + 3)) / (increase + 1)
        return np.where(increase > 0, fraction, 0.0)

    @property
    def relative_efficiency(self) -> Floats:
        """Efficiency of M imputations relative to infinitely many, shape (p,)."""
        return 1 / (1 + self.fmi / self.n_imputations)

    def table(self, names: Sequence[str], *, level: float = 0.95) -> pd.DataFrame:
        """Set out the pooled estimates.

        Parameters
        ----------
        names : sequence of str of length p
        level : float
            Of the intervals.

        Returns
        -------
        DataFrame, one row per coefficient
            `term`, `estimate`, `lower`, `upper`, `standard_error`, `within` and `between`
            (variances), `t`, `df`, `p_value` (two-sided), `fmi`, `relative_efficiency`.
        """
        error, df = np.sqrt(np.diag(self.total)), self.df
        half = t_distribution.ppf((1 + check_level(level)) / 2, df) * error
        t = self.estimate / error
        return pd.DataFrame(
            {
                "term": list(names),
                "estimate": self.estimate,
                "lower": self.estimate - half,
                "upper": self.estimate + half,
                "standard_error": error,
                "within": np.diag(self.within),
                "between": np.diag(self.between),
                "t": t,
                "df": df,
                "p_value": 2 * t_distribution.sf(np.abs(t), df),
                "fmi": self.fmi,
                "relative_efficiency": self.relative_efficiency,
            }
        )


@dataclass(frozen=True, kw_only=True)
class WaldTest:
    """A pooled Wald test of several coefficients.

    Attributes
    ----------
    f : float
        The statistic D1.
    df : int
        Number of coefficients.
    residual_df : float
        Degrees of freedom of the denominator; infinite for a chi-squared test.
    p_value : float
    """

    f: float
    df: int
    residual_df: float
    p_value: float


def rubin(estimates: ArrayLike, covariances: ArrayLike, *, complete_df: float = np.inf) -> Pooled:
    """Pool the estimates of M imputed data sets.

    Parameters
    ----------
    estimates : array-like of shape (M, p)
    covariances : array-like of shape (M, p, p)
    complete_df : float
        Degrees of freedom, were nothing missing (patients, for Cox events, less coefficients).

    Returns
    -------
    Pooled

    Raises
    ------
    ValueError
        If the shapes do not go together, a value is not finite, or `complete_df` is not above 0.

    Examples
    --------
    Three estimates 1, 2, 3, each with variance 1: B = 1 and T = 1 + 4/3.

    >>> pooled = rubin([[1.0], [2.0], [3.0]], [[[1.0]], [[1.0]], [[1.0]]])
    >>> pooled.estimate.tolist(), pooled.total.round(4).tolist()
    ([2.0], [[2.3333]])
    >>> pooled.df.round(3).tolist()  # (M - 1) / (4/7)**2
    [6.125]
    """
    q = np.asarray(estimates, dtype=np.float64)
    u = np.asarray(covariances, dtype=np.float64)
    if q.ndim != 2 or not len(q) or u.shape != (*q.shape, q.shape[1]):
        raise ValueError(
            "covariances must hold one square matrix per imputation, (M, p, p), but estimates of "
            f"shape {q.shape} and covariances of shape {u.shape} came. Pass both as M stacks."
        )
    if not (np.isfinite(q).all() and np.isfinite(u).all()):
        raise ValueError(
            f"estimates must be finite, but {np.isnan(q).any(axis=1).sum()} of {len(q)} "
            "imputations have a missing one. Leave out fits that failed, and say so."
        )
    if not complete_df > 0:
        raise ValueError(
            f"complete_df must be above zero, but {complete_df} came. Use fewer coefficients."
        )
    centred = q - q.mean(axis=0)
    return Pooled(
        estimate=q.mean(axis=0),
        within=u.mean(axis=0),
        between=centred.T @ centred / max(len(q) - 1, 1),
        n_imputations=len(q),
        complete_df=float(complete_df),
    )


def pooled_wald(pooled: Pooled, chosen: Sequence[int]) -> WaldTest:
    """Test whether the chosen coefficients are all zero: D1.

    Parameters
    ----------
    pooled : Pooled
    chosen : sequence of int
        Positions of the coefficients.

    Returns
    -------
    WaldTest
        Without missing information, the chi-squared test divided by its degrees of freedom.

    Raises
    ------
    ValueError
        If no coefficient is chosen.

    Examples
    --------
    One coefficient: D1 is the square of its t.

    >>> pooled = rubin([[1.0], [2.0], [3.0]], [[[1.0]], [[1.0]], [[1.0]]])
    >>> test = pooled_wald(pooled, [0])
    >>> round(test.f, 4), test.df, round(test.residual_df, 3)  # 2**2 / (1 + 4/3); (7/4)**2 + ...
    (1.7143, 1, 6.125)
    """
    index = np.asarray(chosen, dtype=np.intp)
    k = len(index)
    if k == 0:
        raise ValueError("chosen must hold a coefficient, but none came. Leave the test out.")
    estimate = pooled.estimate[index]
    within, between = (m[np.ix_(index, index)] for m in (pooled.within, pooled.between))
    m = pooled.n_imputations
    increase = (1 + 1 / m) * float(np.trace(np.linalg.solve(within, between))) / k
    statistic = float(estimate @ np.linalg.solve(within, estimate)) / (k * (1 + increase))
    residual = _residual_df(k, m, increase)
    return WaldTest(
        f=statistic,
        df=k,
        residual_df=residual,
        p_value=_tail(statistic, k, residual),
    )


def _residual_df(k: int, m: int, increase: float) -> float:
    """Give the denominator's degrees of freedom (equation 1.18 of Li and colleagues)."""
    freedom = k * (m - 1)
    if increase <= 0 or freedom == 0:
        return float("inf")
    if freedom > 4:
        return 4 + (freedom - 4) * (1 + (1 - 2 / freedom) / increase) ** 2
    return freedom * (1 + 1 / k) * (1 + 1 / increase) ** 2 / 2


def _tail(statistic: float, k: int, residual: float) -> float:
    if np.isinf(residual):
        return float(chi_squared.sf(statistic * k, k))
    return float(f_distribution.sf(statistic, k, residual))
