r"""How many patients does a new model need for coefficients one can trust: Riley's criteria.

With `p` candidate parameters, an anticipated Cox-Snell :math:`R^2` and its largest possible value
:math:`R^2_{\max}` for the outcome,

.. math::

    n(S) = \frac{p}{(S - 1)\,\ln(1 - R^2 / S)}, \qquad
    S_1 = 0.9, \qquad S_2 = \frac{R^2}{R^2 + 0.05\,R^2_{\max}}

The first criterion, :math:`n(S_1)`, keeps the shrinkage of the effects within 10 %; the second,
:math:`n(S_2)`, keeps apparent and adjusted Nagelkerke's :math:`R^2` within .05 of each other; the
third estimates the overall risk within .05 (95 % interval). The largest decides.

.. math::

    R^2_{\max} = 1 - e^{2 l_0}, \qquad
    l_0 = \phi \ln \phi + (1 - \phi) \ln(1 - \phi) \text{ (binary)}, \qquad
    l_0 = e \ln e - e \text{ (survival)}

per patient, :math:`\phi` the share with the event, :math:`e` the events per patient (rate times
mean follow-up).

References
----------
Riley RD, et al. Minimum sample size for developing a multivariable prediction model: Part II,
binary and time-to-event outcomes. Statistics in Medicine 2019;38:1276-1296. doi:10.1002/sim.7992
Riley RD, et al. Calculating the sample size required for developing a clinical prediction model.
BMJ 2020;368:m441. doi:10.1136/bmj.m441
Riley RD, Van Calster B, Collins GS. A note on estimating the Cox-Snell R2 from a reported C
statistic. Statistics in Medicine 2021;40:859-864. doi:10.1002/sim.8806
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import expit, logit, ndtri

SHRINKAGE = 0.9
MARGIN = 0.05
Z = 1.96  # as the papers have it; their examples come out to the patient
NAGELKERKE_SHARE = 0.15
_NODES = 200


@dataclass(frozen=True, eq=False, kw_only=True)
class SampleSize:
    """What a development cohort needs.

    Attributes
    ----------
    table : DataFrame, one row per criterion
        `criterion` (`shrinkage`, `optimism`, `overall_risk`), `n_patients`, `n_events`,
        `events_per_parameter` and `shrinkage` (what is expected there; NaN for the third).
    n_patients : int
        The largest of them.
    n_events : int
        Expected among them, rounded up.
    parameters : int
        Candidate parameters: of a spline and of a category more than one.
    r_squared, largest_r_squared : float
        Anticipated Cox-Snell R squared, and the largest that the outcome allows.
    """

    table: pd.DataFrame
    n_patients: int
    n_events: int
    parameters: int
    r_squared: float
    largest_r_squared: float

    def __repr__(self) -> str:
        return (
            f"SampleSize({self.n_patients} patients with {self.n_events} events for "
            f"{self.parameters} parameters, R squared {self.r_squared:.3g})"
        )


def binary_sample_size(*, parameters: int, prevalence: float, r_squared: float) -> SampleSize:
    """Compute the least number of patients for a logistic model.

    Parameters
    ----------
    parameters : int
        Candidate parameters, 1 or more.
    prevalence : float
        Share of patients with the event, strictly between 0 and 1.
    r_squared : float
        Anticipated Cox-Snell R squared of new patients, above 0 and below the largest possible;
        see `r_squared_of_share` and `r_squared_of_c_statistic`.

    Returns
    -------
    SampleSize

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    The worked example of Riley 2019.

    >>> needed = binary_sample_size(parameters=24, prevalence=0.174, r_squared=0.288)
    >>> needed
    SampleSize(662 patients with 116 events for 24 parameters, R squared 0.288)
    >>> needed.table["n_patients"].tolist()
    [623, 662, 221]
    """
    largest = largest_r_squared_binary(prevalence)
    third = _ceil((Z / MARGIN) ** 2 * prevalence * (1 - prevalence))
    return _sample_size(parameters, r_squared, largest, third, prevalence)


def survival_sample_size(
    *,
    parameters: int,
    rate: float,
    mean_follow_up: float,
    horizon: float,
    r_squared: float,
) -> SampleSize:
    r"""Compute the least number of patients for a survival model.

    Parameters
    ----------
    parameters : int
        Candidate parameters, 1 or more.
    rate : float
        Events per unit of follow-up time, above 0.
    mean_follow_up : float
        Of a patient, above 0, in that unit; times `rate` at most 1, as each has one event at most.
    horizon : float
        Time at which the risk is to be known, above 0, in that unit.
    r_squared : float
        Anticipated Cox-Snell R squared of new patients, above 0 and below the largest possible.

    Returns
    -------
    SampleSize

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    The third criterion is solved for the number of patients: both limits of the risk by `horizon`
    under a constant rate, :math:`1 - \exp(-(\lambda \pm 1.96\sqrt{\lambda / T})\,t)`, lie
    within .05 of it, :math:`T` the follow-up of all. Considered and rejected: reporting the
    interval at the number the other two ask for, as the R package pmsampsize does, since it never
    asks for more patients.

    Examples
    --------
    The worked example of Riley 2020 (BMJ), in years.

    >>> needed = survival_sample_size(
    ...     parameters=30, rate=0.065, mean_follow_up=2.07, horizon=2, r_squared=0.051
    ... )
    >>> needed
    SampleSize(5143 patients with 692 events for 30 parameters, R squared 0.051)
    """
    _above_zero(horizon=horizon)
    largest = largest_r_squared_survival(rate, mean_follow_up)
    apart = math.log1p(MARGIN * math.exp(rate * horizon)) / horizon  # the lower limit is farther
    third = _ceil((Z / apart) ** 2 * rate / mean_follow_up)
    return _sample_size(parameters, r_squared, largest, third, rate * mean_follow_up)


def _sample_size(
    parameters: int, r_squared: float, largest: float, third: int, events: float
) -> SampleSize:
    """Put the criteria side by side; `events` is the expected number per patient."""
    if parameters < 1:
        raise ValueError(
            f"parameters must be 1 or more, but {parameters} came. Count every coefficient that "
            "was considered."
        )
    if not 0 < r_squared < min(largest, SHRINKAGE):
        raise ValueError(
            f"r_squared must lie above 0 and below {min(largest, SHRINKAGE):.4g}, the largest "
            f"Cox-Snell value for this outcome, but {r_squared:g} came. Nagelkerke's R squared "
            "times the largest value gives Cox and Snell's."
        )
    second = r_squared / (r_squared + MARGIN * largest)
    n_patients = [
        _ceil(parameters / ((s - 1) * math.log1p(-r_squared / s))) for s in (SHRINKAGE, second)
    ]
    n_patients.append(third)
    table = pd.DataFrame(
        {
            "criterion": ["shrinkage", "optimism", "overall_risk"],
            "n_patients": n_patients,
            "n_events": [_ceil(n * events) for n in n_patients],
            "events_per_parameter": [n * events / parameters for n in n_patients],
            "shrinkage": [SHRINKAGE, second, np.nan],
        }
    )
    return SampleSize(
        table=table,
        n_patients=max(n_patients),
        n_events=_ceil(max(n_patients) * events),
        parameters=parameters,
        r_squared=r_squared,
        largest_r_squared=largest,
    )


def _ceil(value: float) -> int:
    """Round up, but for what is whole but for rounding."""
    return math.ceil(value - 1e-9 * abs(value))


def largest_r_squared_binary(prevalence: float) -> float:
    """Give the largest Cox-Snell R squared of a binary outcome.

    Parameters
    ----------
    prevalence : float
        Strictly between 0 and 1.

    Examples
    --------
    >>> largest_r_squared_binary(0.5)
    0.75
    """
    if not 0 < prevalence < 1:
        raise ValueError(
            f"prevalence must lie strictly between 0 and 1, but {prevalence:g} came. Without both "
            "outcomes there is nothing to predict."
        )
    null = prevalence * math.log(prevalence) + (1 - prevalence) * math.log1p(-prevalence)
    return -math.expm1(2 * null)


def largest_r_squared_survival(rate: float, mean_follow_up: float) -> float:
    """Give the largest Cox-Snell R squared of a survival outcome, as for an exponential model.

    Parameters
    ----------
    rate : float
        Events per unit of follow-up time, above 0.
    mean_follow_up : float
        Above 0, in that unit: the result does not depend on the unit. Times `rate` at most 1.

    Examples
    --------
    >>> round(largest_r_squared_survival(0.065, 2.07), 3)
    0.555
    """
    _above_zero(rate=rate, mean_follow_up=mean_follow_up)
    events = rate * mean_follow_up
    if events > 1:
        raise ValueError(
            f"rate must allow a patient one event at most, but {rate:g} over a mean follow-up of "
            f"{mean_follow_up:g} gives {events:.3g}. Divide the events by all follow-up time, in "
            "one unit."
        )
    return -math.expm1(2 * (events * math.log(events) - events))


def r_squared_of_share(largest: float, *, share: float = NAGELKERKE_SHARE) -> float:
    """Anticipate a Cox-Snell R squared where nothing is known: 15 % of the largest (Riley 2020).

    Parameters
    ----------
    largest : float
        From `largest_r_squared_binary` or `largest_r_squared_survival`.
    share : float, default .15
        Anticipated R squared of Nagelkerke, strictly between 0 and 1.

    Examples
    --------
    >>> round(r_squared_of_share(0.75), 4)
    0.1125
    """
    if not 0 < share < 1:
        raise ValueError(
            f"share must lie strictly between 0 and 1, but {share:g} came. It is Nagelkerke's R "
            "squared; .15 where nothing is known."
        )
    return share * largest


def r_squared_of_c_statistic(c_statistic: float, *, prevalence: float) -> float:
    r"""Give the Cox-Snell R squared that goes with a C statistic, of a binary outcome.

    Linear predictors of patients with and without the event are taken as normal with one variance,
    :math:`\sqrt{2}\,\Phi^{-1}(C)` standard deviations apart (Riley 2021). Riley draws a million
    patients; here the expectation is integrated (Gauss-Hermite), so that no seed matters.

    Parameters
    ----------
    c_statistic : float
        Above .5 and below 1, of new patients.
    prevalence : float
        Strictly between 0 and 1.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> round(r_squared_of_c_statistic(0.89, prevalence=0.174), 3)
    0.291
    """
    if not 0.5 < c_statistic < 1:
        raise ValueError(
            f"c_statistic must lie above .5 and below 1, but {c_statistic:g} came. A model no "
            "better than chance explains nothing."
        )
    null = math.log1p(-largest_r_squared_binary(prevalence)) / 2
    apart = math.sqrt(2) * float(ndtri(c_statistic))
    nodes, weights = hermegauss(_NODES)
    weights = weights / weights.sum()
    # log odds of the event at score x: the two normal densities' ratio, and the prevalence
    start = float(logit(prevalence)) - apart**2 / 2
    with_event = weights @ np.log(expit(start + apart * (nodes + apart)))
    without = weights @ np.log(expit(-(start + apart * nodes)))
    model = prevalence * with_event + (1 - prevalence) * without
    return -math.expm1(2 * (null - float(model)))


def _above_zero(**numbers: float) -> None:
    for name, value in numbers.items():
        if not 0 < value < math.inf:
            raise ValueError(
                f"{name} must be above zero and finite, but {value:g} came. Give times in one unit."
            )
