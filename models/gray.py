r"""Do groups differ in how many have the event, where another event can come first: Gray's test.

A log-rank test of a cause censors the others and compares hazards; this one compares the cumulative
incidences themselves. Patients who had a competing event stay in the risk set, as far as they would
still be followed. In group g with :math:`n_g` at risk, survival :math:`S_g` of any event and
incidence :math:`F_g` of the cause, all just before t, and :math:`d_g` events of the cause at t,

.. math::

    R_g = n_g \frac{1 - F_g}{S_g}, \qquad
    U_g = \sum_t (1 - F)^\rho \Big(d_g - d \frac{R_g}{\sum_k R_k}\Big)

F is the incidence if all groups shared one: its steps are :math:`d / h`, with
:math:`h_g = n_g / S_g` and :math:`h = \sum_g h_g`. With

.. math::

    a_{gk} = (1 - F)^\rho h_g \Big(1_{g=k} - \frac{h_k}{h}\Big), \qquad
    c_{gk}(t) = \sum_{u > t} a_{gk}(u) \frac{d(u)}{h(u) (1 - F(u))}, \qquad
    q_k = \frac{1 - F(t+)}{S_k(t+)}

an event of the cause in group k at t moves :math:`U_g` by :math:`a_{gk} + (1 - q_k) c_{gk}`, any
other event by :math:`-q_k c_{gk}`; V sums the squares, each times the variance of the number of
such events. The test is :math:`U^\top V^{-1} U` without one group, on one less degree of freedom
than there are groups. With strata, U and V are sums over them.

References
----------
Gray RJ. A class of K-sample tests for comparing the cumulative incidence of a competing risk.
Annals of Statistics 1988;16:1141-1154. doi:10.1214/aos/1176350951
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from models.checks import Floats, check_causes
from models.competing_risks import check_of
from models.event_counts import Groups, group_codes, stratum_rows
from models.log_rank import check_rho, rank_test


@dataclass(frozen=True, eq=False, kw_only=True)
class GrayTest:
    """Gray's test of equal cumulative incidence of one cause.

    Attributes
    ----------
    table : DataFrame, one row per group
        Columns `group`, `n_patients`, `observed` and `expected` events of the cause (weighted, if
        they were).
    of : int
        The cause.
    chi2 : float
    df : int
    p_value : float
        NaN, like `chi2`, where fewer than two groups are ever at risk at an event of the cause.
    """

    table: pd.DataFrame
    of: int
    chi2: float
    df: int
    p_value: float

    def __repr__(self) -> str:
        return (
            f"GrayTest(cause {self.of}, chi2 {self.chi2:.2f}, df {self.df}, p {self.p_value:.2g})"
        )


def gray_test(
    time: ArrayLike,
    cause: ArrayLike,
    group: Groups,
    *,
    of: int = 1,
    strata: Groups | None = None,
    rho: float = 0.0,
) -> GrayTest:
    """Test whether the groups share one cumulative incidence of a cause.

    Parameters
    ----------
    time : array-like of shape (n_patients,)
        Follow-up, above zero.
    cause : array-like of int, shape (n_patients,)
        0 where follow-up was censored, else the cause of the event: 1, 2, ...
    group : array-like or Categorical of shape (n_patients,)
    of : int
        The cause that is compared; all others compete.
    strata : array-like or Categorical of shape (n_patients,), optional
        Patients are compared within these only.
    rho : float, 0 or above
        0 weighs all events alike; above it early ones weigh more.

    Returns
    -------
    GrayTest
        The test of `cmprsk::cuminc`. Groups never at risk at an event of the cause do not count in
        `df`; with fewer than two that do, `chi2` and `p_value` are NaN.

    Raises
    ------
    ValueError
        If follow-up, causes, group or strata are wrong or missing, or rho is below 0.

    Examples
    --------
    >>> gray_test([1, 2, 3, 4, 5, 6], [1, 1, 2, 1, 2, 0], list("aababb"))
    GrayTest(cause 1, chi2 4.72, df 1, p 0.03)
    """
    times, causes = check_causes(time, cause)
    check_rho(rho)
    codes, labels = group_codes(group, len(times))
    kind = np.where(causes == check_of(of), 1, np.where(causes > 0, 2, 0))
    n_groups = len(labels)
    observed, expected = np.zeros(n_groups), np.zeros(n_groups)
    covariance = np.zeros((n_groups, n_groups))
    for rows in stratum_rows(strata, len(times)):
        if (kind[rows] == 1).any():
            own = _Stratum.of(times[rows], kind[rows], codes[rows], n_groups)
            found = own.sums(rho)
            observed, expected = observed + found[0], expected + found[1]
            covariance = covariance + own.covariance(rho)
    chi2, df, p_value = rank_test(observed - expected, expected, covariance)
    table = pd.DataFrame(
        {
            "group": labels,
            "n_patients": np.bincount(codes, minlength=n_groups),
            "observed": observed,
            "expected": expected,
        }
    )
    return GrayTest(table=table, of=int(of), chi2=chi2, df=df, p_value=p_value)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Stratum:
    """Counts and curves at the times of events of any cause, each of shape (n_groups, n_times).

    `survival` and `incidence` are those just before a time, `survival_after` just after; `pooled`
    is the common incidence, of shape (n_times + 1,): before each time, and at the end.
    """

    at_risk: Floats
    died: Floats
    other: Floats
    survival: Floats
    survival_after: Floats
    incidence: Floats
    exposure: Floats
    pooled: Floats

    @classmethod
    def of(
        cls, time: Floats, kind: NDArray[np.intp], codes: NDArray[np.intp], n_groups: int
    ) -> "_Stratum":
        ticks = np.unique(time[kind > 0])
        at_risk, died, other = (np.zeros((n_groups, len(ticks))) for _ in range(3))
        for k in range(n_groups):
            own = codes == k
            ordered = np.sort(time[own])
            at_risk[k] = len(ordered) - np.searchsorted(ordered, ticks, side="left")
            for which, counts in ((1, died), (2, other)):
                place = np.searchsorted(ticks, time[own & (kind == which)])
                counts[k] = np.bincount(place, minlength=len(ticks))
        size = np.maximum(at_risk, 1)  # where nobody is at risk nobody leaves
        after: Floats = np.cumprod(1 - (died + other) / size, axis=1, dtype=np.float64)
        before = _shifted(after, 1.0)
        exposure = np.divide(at_risk, before, out=np.zeros_like(before), where=at_risk > 0)
        return cls(
            at_risk=at_risk,
            died=died,
            other=other,
            survival=before,
            survival_after=after,
            incidence=_shifted(np.cumsum(before * died / size, axis=1), 0.0),
            exposure=exposure,
            pooled=np.append(0.0, np.cumsum(died.sum(axis=0) / exposure.sum(axis=0))),
        )

    def _weight(self, rho: float) -> Floats:
        # Once a group is gone, the steps of the others count whole and may add up to more than 1.
        return np.asarray(np.maximum(1 - self.pooled[:-1], 0) ** rho)

    def sums(self, rho: float) -> tuple[Floats, Floats]:
        """Give observed and expected events of the cause, weighted."""
        weight = self._weight(rho)
        at_risk = self.exposure * (1 - self.incidence)
        share = at_risk / at_risk.sum(axis=0)
        return self.died @ weight, share @ (self.died.sum(axis=0) * weight)

    def covariance(self, rho: float) -> Floats:
        """Give the covariance of observed minus expected, shape (n_groups, n_groups)."""
        n_groups = len(self.died)
        deaths, total = self.died.sum(axis=0), self.exposure.sum(axis=0)
        free = 1 - self.pooled[:-1]
        direct = -self.exposure[:, np.newaxis] * self.exposure / total  # a, (g, k, time)
        direct[np.arange(n_groups), np.arange(n_groups)] += self.exposure
        direct *= self._weight(rho)
        rate = np.full(len(free), np.nan)
        np.divide(deaths, total * free, out=rate, where=free != 0)
        steps = np.where(direct == 0, 0.0, direct * rate)
        later = steps.sum(axis=2, keepdims=True) - np.cumsum(steps, axis=2)  # c
        known = self.survival_after > 0
        q = np.zeros_like(self.survival_after)
        np.divide(1 - self.pooled[1:], self.survival_after, out=q, where=known)
        cause = direct + (1 - q) * later
        other = q * later
        return _products(cause, self._cause_variance()) + _products(other, self._other_variance())

    def _cause_variance(self) -> Floats:
        """Variance of a group's events of the cause over those at risk, as if groups were alike."""
        deaths, total = self.died.sum(axis=0), self.exposure.sum(axis=0)
        alike = total * self.survival  # those at risk, were all groups like this one
        tied = np.where(deaths > 1, (deaths - 1) / np.where(deaths > 1, alike - 1, 1.0), 0.0)
        size = np.maximum(self.at_risk, 1)
        spread = (1 - tied) * self.survival * deaths / (total * size)
        return np.where(self.at_risk > 0, spread, 0.0)

    def _other_variance(self) -> Floats:
        """Variance of a group's other events over those at risk."""
        tied = np.maximum(self.other - 1, 0) / np.maximum(self.at_risk - 1, 1)
        share = self.survival / np.maximum(self.at_risk, 1)
        return np.asarray((1 - tied) * share**2 * self.other)


def _shifted(curves: Floats, first: float) -> Floats:
    """Give the values just before each time."""
    return np.column_stack([np.full(len(curves), first), curves[:, :-1]])


def _products(moves: Floats, variance: Floats) -> Floats:
    """Sum moves of g times moves of h, over groups k and times; moves has shape (g, k, time)."""
    flat = moves.reshape(len(moves), -1)
    return np.asarray((flat * variance.ravel()) @ flat.T)
