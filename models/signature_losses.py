r"""What a signature must make small: minus the log likelihood of a linear predictor, on arrays.

With :math:`\eta_i` the linear predictor of patient i,

.. math::

    l(\eta) = \sum_{i: \delta_i = 1} \eta_i - \sum_k d_k \log \sum_{j: T_j \ge t_k} e^{\eta_j}
    \quad \text{(Cox, Breslow's ties)}, \qquad
    l(\eta) = \sum_i y_i \eta_i - \log(1 + e^{\eta_i}) \quad \text{(logistic)}

The deviance is twice what the saturated model gains over :math:`l`. Breslow's ties, since that is
what glmnet takes: a signature can be checked against it to the last digit. The model that a
signature enters keeps Efron's.

References
----------
Simon N, Friedman J, Hastie T, Tibshirani R. Regularization paths for Cox's proportional hazards
model via coordinate descent. Journal of Statistical Software 2011;39(5). doi:10.18637/jss.v039.i05
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from models.cox import read_survival
from omics.checks import check_event
from omics.errors import FitError
from omics.outcome import is_survival

Floats = NDArray[np.float64]
Events = NDArray[np.bool_]

LEAST_RISK = 1e-5  # of a patient in the deviance of held-out folds, as in cv.glmnet


class Slopes(NamedTuple):
    """Derivatives of the log likelihood in each patient's linear predictor.

    `gradient` is the first one, `curvature` minus the second (0 or above), both shape (n,).
    """

    gradient: Floats
    curvature: Floats


class Loss(Protocol):
    """A likelihood of n patients as a function of their linear predictors."""

    @property
    def has_intercept(self) -> bool:
        """True if the linear predictor has a level of its own."""
        ...

    @property
    def n_patients(self) -> int:
        """Patients it sums over."""
        ...

    @property
    def level(self) -> float:
        """The intercept of the model without columns; 0 where there is none."""
        ...

    def slopes(self, eta: Floats) -> Slopes:
        """Give the derivatives at `eta`, shape (n,)."""
        ...

    def information(self, rows: Floats, eta: Floats) -> Floats:
        """Give minus the second derivatives in the coefficients of `rows` (n, p), shape (p, p)."""
        ...

    def deviance(self, eta: Floats) -> float:
        """Give the deviance at `eta`, shape (n,); lower is better."""
        ...

    def value(self, eta: Floats) -> float:
        """Give minus the log likelihood at `eta`, up to a constant."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class LogisticLoss:
    """The likelihood of a binary outcome.

    Attributes
    ----------
    event : ndarray of bool, shape (n_patients,)
    """

    event: Events
    has_intercept: bool = True

    @property
    def n_patients(self) -> int:
        """Patients it sums over."""
        return len(self.event)

    @property
    def level(self) -> float:
        """Log odds of the event."""
        return float(logit(self.event.mean()))

    def slopes(self, eta: Floats) -> Slopes:
        """Give `y - p` and `p (1 - p)`."""
        return Slopes(self.event - expit(eta), expit(eta) * expit(-eta))

    def information(self, rows: Floats, eta: Floats) -> Floats:
        """Give minus the second derivatives in the coefficients of `rows`."""
        return np.asarray((rows.T * (expit(eta) * expit(-eta))) @ rows)

    def deviance(self, eta: Floats) -> float:
        """Give the deviance; a risk counts as at least 1e-5 from 0 and from 1.

        Examples
        --------
        >>> loss = LogisticLoss(event=np.array([True, False]))
        >>> round(loss.deviance(np.zeros(2)), 6)  # 4 log 2
        2.772589
        """
        risk = np.clip(expit(eta), LEAST_RISK, 1 - LEAST_RISK)
        return float(-2 * np.log(np.where(self.event, risk, 1 - risk)).sum())

    def value(self, eta: Floats) -> float:
        """Give minus the log likelihood, no risk held away from 0 and 1."""
        return float(np.logaddexp(0, eta).sum() - eta[self.event].sum())


@dataclass(frozen=True, eq=False, kw_only=True)
class CoxLoss:
    """The partial likelihood of a survival outcome, Breslow's ties.

    Attributes
    ----------
    event : ndarray of bool, shape (n_patients,)
    order : ndarray of int, shape (n_patients,)
        Patients by falling time, so that a risk set is everything down to a row.
    last : ndarray of int, shape (n_times,)
        Row that completes the risk set of each event time, the latest time first.
    tied : ndarray of int, shape (n_times,)
        Events at each time.
    first_time : ndarray of int, shape (n_patients,)
        Latest event time that each row of `order` is at risk for.
    """

    event: Events
    order: NDArray[np.intp]
    last: NDArray[np.intp]
    tied: NDArray[np.intp]
    first_time: NDArray[np.intp]
    has_intercept: bool = False
    level: float = 0.0

    @classmethod
    def of(cls, time: Floats, event: Events) -> "CoxLoss":
        """Lay out the risk sets."""
        order = np.argsort(-time, kind="stable")
        rising, counts = np.unique(time[event], return_counts=True)
        falling = rising[::-1]
        return cls(
            event=event,
            order=order,
            last=np.searchsorted(-time[order], -falling, side="right") - 1,
            tied=counts[::-1],
            first_time=np.searchsorted(-falling, -time[order], side="left"),
        )

    @property
    def n_patients(self) -> int:
        """Patients it sums over."""
        return len(self.event)

    def _hazards(self, eta: Floats) -> tuple[Floats, Floats]:
        """Give exp(eta) by falling time, and the size of each risk set; eta's largest is 0."""
        relative = np.exp(eta[self.order] - eta.max())
        return relative, np.cumsum(relative)[self.last]

    def _exposure(self, per_time: Floats) -> Floats:
        """Sum over the event times each row is at risk for."""
        return np.append(np.cumsum(per_time[::-1])[::-1], 0.0)[self.first_time]

    def slopes(self, eta: Floats) -> Slopes:
        """Give `event - w H` and the diagonal of the information."""
        relative, size = self._hazards(eta)
        expected = relative * self._exposure(self.tied / size)
        squared = relative**2 * self._exposure(self.tied / size**2)
        gradient, curvature = np.empty(len(eta)), np.empty(len(eta))
        gradient[self.order] = self.event[self.order] - expected
        curvature[self.order] = np.maximum(expected - squared, 0.0)
        return Slopes(gradient, curvature)

    def information(self, rows: Floats, eta: Floats) -> Floats:
        """Give minus the second derivatives in the coefficients of `rows`."""
        relative, size = self._hazards(eta)
        x = rows[self.order]
        weighted = relative[:, np.newaxis] * x
        means = np.cumsum(weighted, axis=0)[self.last] / size[:, np.newaxis]
        exposure = self._exposure(self.tied / size)
        return np.asarray((weighted.T * exposure) @ x - (means.T * self.tied) @ means)

    def deviance(self, eta: Floats) -> float:
        """Give the deviance, as glmnet's `coxnet.deviance`.

        Examples
        --------
        >>> loss = CoxLoss.of(np.array([1.0, 2.0]), np.array([True, True]))
        >>> round(loss.deviance(np.zeros(2)), 6)  # 2 log 2
        1.386294
        """
        return float(2 * (self.value(eta) - self.tied @ np.log(self.tied)))

    def value(self, eta: Floats) -> float:
        """Give minus the log partial likelihood; wild linear predictors do not overflow."""
        log_size = np.logaddexp.accumulate(eta[self.order])[self.last]
        return float(self.tied @ log_size - eta[self.event].sum())


def loss_of(y: NDArray[np.generic]) -> LogisticLoss | CoxLoss:
    """Choose the likelihood by the kind of outcome.

    Raises
    ------
    FitError
        If there is no event, or (binary) nothing else.
    """
    if is_survival(y):
        time, event = read_survival(y)
        if not event.any():
            raise FitError(f"a signature needs events, but none of {len(event)} patients had one.")
        return CoxLoss.of(time, event)
    event = check_event(y, "y")
    if event.all() or not event.any():
        raise FitError(
            f"a signature needs both classes, but {event.sum()} of {len(event)} patients had the "
            "event."
        )
    return LogisticLoss(event=event)
