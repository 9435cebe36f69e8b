r"""Do groups of patients differ in how long they stay free of the event: log-rank tests.

With :math:`n_{gk}` at risk in group g, :math:`d_{gk}` events at :math:`t_k`, sums over groups
without g, and weights :math:`w_k = \hat S(t_k-)^\rho` of the pooled Kaplan-Meier curve,

.. math::

    U_g = \sum_k w_k \Big(d_{gk} - d_k \frac{n_{gk}}{n_k}\Big), \qquad
    V_{gh} = \sum_k w_k^2\, d_k \frac{n_k - d_k}{n_k - 1}
      \frac{n_{gk}}{n_k} \Big(1_{g=h} - \frac{n_{hk}}{n_k}\Big)

The test of any difference is :math:`U^\top V^{-} U` on one less degree of freedom than there are
groups, the test for trend with scores s :math:`(s^\top U)^2 / s^\top V s` on one. With strata, U
and V are sums over them: groups are compared within, never across. Where no times are tied the
tests are the score tests of a Cox model on the groups, or on the score.

References
----------
Mantel N. Evaluation of survival data and two new rank order statistics arising in its
consideration. Cancer Chemotherapy Reports 1966;50:163-170.
Tarone RE. Tests for trend in life table analysis. Biometrika 1975;62:679-682.
doi:10.1093/biomet/62.3.679
Harrington DP, Fleming TR. A class of rank test procedures for censored survival data. Biometrika
1982;69:553-566. doi:10.1093/biomet/69.3.553
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from models.checks import Flags, Floats, check_followup
from models.event_counts import Groups, group_codes, stratum_rows
from omics.checks import check_numbers


@dataclass(frozen=True, eq=False, kw_only=True)
class LogRank:
    """Log-rank test of equal survival.

    Attributes
    ----------
    table : DataFrame, one row per group
        Columns `group`, `n_patients`, `observed` and `expected` events (weighted, if they were);
        of a test for trend, `score`, too.
    chi2 : float
    df : int
    p_value : float
        NaN, like `chi2`, where fewer than two groups are ever at risk at an event.
    """

    table: pd.DataFrame
    chi2: float
    df: int
    p_value: float

    def __repr__(self) -> str:
        return f"LogRank(chi2 {self.chi2:.2f}, df {self.df}, p {self.p_value:.2g})"


@dataclass(frozen=True, eq=False, kw_only=True)
class _Sums:
    """Observed and expected events, (n_groups,), and their covariance, over all strata."""

    labels: list[Any]
    n_patients: NDArray[np.intp]
    observed: Floats
    expected: Floats
    covariance: Floats

    @property
    def table(self) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "group": self.labels,
                "n_patients": self.n_patients,
                "observed": self.observed,
                "expected": self.expected,
            }
        )


def log_rank(
    time: ArrayLike,
    event: ArrayLike,
    group: Groups,
    *,
    strata: Groups | None = None,
    rho: float = 0.0,
) -> LogRank:
    """Test whether the groups share one survival curve.

    Parameters
    ----------
    time : array-like of shape (n_patients,)
        Follow-up, above zero.
    event : array-like of shape (n_patients,)
        True where the event was observed.
    group : array-like or Categorical of shape (n_patients,)
    strata : array-like or Categorical of shape (n_patients,), optional
        Patients are compared within these only.
    rho : float, 0 or above
        0 weighs all events alike (Mantel); 1 weighs early ones more (Peto and Peto).

    Returns
    -------
    LogRank
        The test of R's `survdiff`. Groups never at risk at an event do not count in `df`; with
        fewer than two that do, `chi2` and `p_value` are NaN.

    Raises
    ------
    ValueError
        If follow-up, group or strata are wrong or missing, or rho is below 0.

    Examples
    --------
    >>> log_rank([1, 2, 3, 4], [True, True, True, True], ["a", "a", "b", "b"])
    LogRank(chi2 2.88, df 1, p 0.09)
    """
    sums = _sums(time, event, group, strata=strata, rho=check_rho(rho))
    chi2, df, p_value = rank_test(sums.observed - sums.expected, sums.expected, sums.covariance)
    return LogRank(table=sums.table, chi2=chi2, df=df, p_value=p_value)


def log_rank_trend(
    time: ArrayLike,
    event: ArrayLike,
    group: Groups,
    *,
    scores: ArrayLike | None = None,
    strata: Groups | None = None,
) -> LogRank:
    """Test whether survival rises or falls from group to group.

    Parameters
    ----------
    time : array-like of shape (n_patients,)
    event : array-like of shape (n_patients,)
    group : array-like or Categorical of shape (n_patients,)
        Ordered groups: a Categorical in the order of its categories, other labels sorted.
    scores : array-like of shape (n_groups,), optional
        A number per group that holds a patient, in their order; 0, 1, 2, ... unless given.
    strata : array-like or Categorical of shape (n_patients,), optional

    Returns
    -------
    LogRank
        On one degree of freedom, its table with the column `score`. NaN where groups with
        different scores are never at risk together at an event.

    Raises
    ------
    ValueError
        If follow-up, group, strata or scores are wrong or missing.

    Examples
    --------
    Two groups leave one direction only: the log-rank test itself.

    >>> log_rank_trend([1, 2, 3, 4], [True, True, True, True], ["a", "a", "b", "b"])
    LogRank(chi2 2.88, df 1, p 0.09)
    """
    sums = _sums(time, event, group, strata=strata, rho=0.0)
    s = _check_scores(scores, sums.labels)
    spread = float(s @ sums.covariance @ s)
    # Of one score in all, what is left of s'Vs is rounding error.
    known = spread > 1e-12 * float(s**2 @ np.diag(sums.covariance))
    trend = float(s @ (sums.observed - sums.expected))
    chi2 = trend**2 / spread if known else float("nan")
    table = sums.table.assign(score=s)
    return LogRank(table=table, chi2=chi2, df=1, p_value=float(stats.chi2.sf(chi2, 1)))


def _check_scores(scores: ArrayLike | None, labels: list[Any]) -> Floats:
    """Return a score per group."""
    found = check_numbers(np.arange(len(labels)) if scores is None else scores, "scores")
    if len(found) != len(labels):
        raise ValueError(
            f"scores must have one number per group ({len(labels)}: {labels[:5]}), but "
            f"{len(found)} came. Groups without patients have none."
        )
    return found


def _sums(
    time: ArrayLike, event: ArrayLike, group: Groups, *, strata: Groups | None, rho: float
) -> _Sums:
    """Add observed, expected and covariance up over the strata."""
    times, events = check_followup(time, event)
    codes, labels = group_codes(group, len(times))
    n_groups = len(labels)
    observed, expected = np.zeros(n_groups), np.zeros(n_groups)
    covariance = np.zeros((n_groups, n_groups))
    for rows in stratum_rows(strata, len(times)):
        own = _stratum(times[rows], events[rows], codes[rows], n_groups, rho)
        observed, expected = observed + own[0], expected + own[1]
        covariance = covariance + own[2]
    return _Sums(
        labels=labels,
        n_patients=np.bincount(codes, minlength=n_groups),
        observed=observed,
        expected=expected,
        covariance=covariance,
    )


def _stratum(
    time: Floats, event: Flags, codes: NDArray[np.intp], n_groups: int, rho: float
) -> tuple[Floats, Floats, Floats]:
    """Give observed, expected and covariance of one stratum."""
    ticks = np.unique(time[event])
    at_risk = np.empty((n_groups, len(ticks)))
    died = np.empty((n_groups, len(ticks)))
    for k in range(n_groups):
        own = codes == k
        ordered = np.sort(time[own])
        at_risk[k] = len(ordered) - np.searchsorted(ordered, ticks, side="left")
        died[k] = np.bincount(np.searchsorted(ticks, time[own & event]), minlength=len(ticks))
    total, deaths = at_risk.sum(axis=0), died.sum(axis=0)
    weight = np.append(1.0, np.cumprod(1 - deaths / total))[:-1] ** rho
    share = at_risk / total
    spread = weight**2 * deaths * (total - deaths) / np.maximum(total - 1, 1)
    covariance = np.diag((share * spread).sum(axis=1)) - (share * spread) @ share.T
    return died @ weight, share @ (deaths * weight), covariance


def rank_test(excess: Floats, expected: Floats, covariance: Floats) -> tuple[float, int, float]:
    """Test whether all of `excess`, observed minus expected events, is chance.

    Parameters
    ----------
    excess, expected : ndarray of shape (n_groups,)
        The excess adds up to 0; groups of which nothing is expected do not count.
    covariance : ndarray of shape (n_groups, n_groups)

    Returns
    -------
    chi2, df, p_value
        NaN for the first and the last where fewer than two groups count, or groups that count are
        never compared.
    """
    counts = np.flatnonzero(expected > 0)
    rows, df = counts[:-1], max(len(counts) - 1, 0)
    block = covariance[np.ix_(rows, rows)]
    if df == 0 or np.linalg.matrix_rank(block) < df:
        return float("nan"), df, float("nan")
    chi2 = float(excess[rows] @ np.linalg.solve(block, excess[rows]))
    return chi2, df, float(stats.chi2.sf(chi2, df))


def check_rho(value: float) -> float:
    """Return the power of a weight function, 0 or above."""
    if not 0 <= value < np.inf:
        raise ValueError(f"rho must be 0 or above, but {value} came. 0 weighs all events alike.")
    return float(value)
