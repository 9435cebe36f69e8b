r"""What each patient does to a Cox regression: martingale, score and Schoenfeld residuals.

With Efron's steps r at each event time (Breslow's are all alike), :math:`h_{kr}` the hazard of a
step, :math:`\bar x_{kr}` the risk set's mean of x at it, :math:`f_{kr}` the share of the tied
events that have left, and :math:`g_{ikr} = 1 - f_{kr}` if patient i has the event at :math:`t_k`,
else 1,

.. math::

    M_i = \delta_i - e^{\eta_i} \sum_{k: t_k \le T_i} \sum_r g_{ikr} h_{kr}, \qquad
    s_i = x_i - \tfrac{1}{d_k}\sum_r \bar x_{kr}, \qquad
    U_i = \delta_i s_i
      - e^{\eta_i} \sum_{k: t_k \le T_i} \sum_r g_{ikr} h_{kr} (x_i - \bar x_{kr})

M is the excess of events over the model's expectation, s (of patients with the event) what a drift
of the coefficients over time would show in, and U the patient's part of the score; times the
coefficients' covariance it tells by how much they would move without the patient (`dfbeta`). They
are R's `residuals.coxph`, not multiplied by case weights.

References
----------
Therneau TM, Grambsch PM, Fleming TR. Martingale-based residuals for survival models. Biometrika
1990;77:147-160. doi:10.1093/biomet/77.1.147
Lin DY, Wei LJ. The robust inference for the Cox proportional hazards model. JASA 1989;84:1074-1078.
doi:10.1080/01621459.1989.10478874
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.partial_likelihood import PartialLikelihood, Stratum, Ties
from models.regression import read_design
from omics.checks import check_event, check_numbers, check_same_length, check_time

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class CoxResiduals:
    """Residuals of a Cox regression, in the order of the patients.

    Attributes
    ----------
    martingale : ndarray of shape (n_patients,)
        In (-inf, 1]; above 0 the event came though little was expected.
    score : ndarray of shape (n_patients, p)
        Sums to 0 at the maximum (with case weights, their weighted sum does).
    schoenfeld : ndarray of shape (n_events, p)
        Of the patients with the event, by rising time.
    event_rows : ndarray of shape (n_events,)
        Which patients these are.
    """

    martingale: Floats
    score: Floats
    schoenfeld: Floats
    event_rows: NDArray[np.intp]

    def __repr__(self) -> str:
        n_patients, p = self.score.shape
        return f"CoxResiduals({n_patients} patients, {len(self.schoenfeld)} events, {p} columns)"


def cox_residuals(
    x: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    coef: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    ties: Ties = "efron",
) -> CoxResiduals:
    """Compute the residuals of a Cox regression at its coefficients.

    Parameters
    ----------
    x, time, event, strata, offset, weights, ties
        What the regression was fitted to; see `models.cox.cox_fit`.
    coef : array-like of shape (p,)
        Its coefficients.

    Returns
    -------
    CoxResiduals
        Of a patient with weight 0, or in no risk set, martingale and score residual are 0.

    Raises
    ------
    ValueError
        If an argument has the wrong shape or range.

    Examples
    --------
    At coefficient 0 three patients share the hazard 1/3, then 1/2, then 1.

    >>> found = cox_residuals([[1.0], [0.0], [1.0]], [1, 2, 3], [1, 1, 1], [0.0])
    >>> found.martingale.round(4).tolist()
    [0.6667, 0.1667, -0.8333]
    >>> found.schoenfeld.round(4).ravel().tolist()  # 1 - 2/3, 0 - 1/2, 1 - 1
    [0.3333, -0.5, 0.0]
    """
    columns, _ = read_design(x)
    times, events = check_time(time, "time"), check_event(event, "event")
    check_same_length(x=columns, time=times, event=events)
    likelihood = PartialLikelihood.of(
        columns,
        times,
        events,
        strata=None if strata is None else np.asarray(strata),
        offset=None if offset is None else check_numbers(offset, "offset"),
        weights=None if weights is None else check_numbers(weights, "weights"),
        ties=ties,
    )
    at = check_numbers(coef, "coef")
    if len(at) != columns.shape[1]:
        raise ValueError(
            f"coef must have one value per column ({columns.shape[1]}), but {len(at)} came."
        )
    martingale, score = np.zeros(len(times)), np.zeros(columns.shape)
    schoenfeld, rows = [np.empty((0, columns.shape[1]))], [np.empty(0, dtype=np.intp)]
    for block in likelihood.strata:
        martingale[block.rows], score[block.rows], own = _of_stratum(block, at)
        schoenfeld.append(own)
        rows.append(block.rows[block.event])
    event_rows = np.concatenate(rows)
    order = np.argsort(times[event_rows], kind="stable")
    return CoxResiduals(
        martingale=martingale,
        score=score,
        schoenfeld=np.concatenate(schoenfeld)[order],
        event_rows=event_rows[order],
    )


def _of_stratum(block: Stratum, coef: Floats) -> tuple[Floats, Floats, Floats]:
    """Give martingale (n,) and score (n, p) residuals, and Schoenfeld's (n_events, p)."""
    _, w = block.weights(coef)
    ratio = w / block.case
    sizes = block.sizes(w)
    means = block.means(w, sizes)
    hazard = block.step / sizes
    met = _met(block, hazard[:, np.newaxis])[:, 0]
    pulled = _met(block, hazard[:, np.newaxis] * means)
    n_tied = np.bincount(block.group)
    centre = np.add.reduceat(means, block.starts, axis=0) / n_tied[:, np.newaxis]
    schoenfeld = block.x[block.event] - centre[block.group]
    score = -ratio[:, np.newaxis] * (block.x * met[:, np.newaxis] - pulled)
    score[block.event] += schoenfeld
    return block.event - ratio * met, score, schoenfeld


def _met(block: Stratum, steps: Floats) -> Floats:
    """Sum the steps (n_events, m) each patient was at risk for, shape (n, m).

    Of the steps at their own time, patients with the event were at risk for 1 - share.
    """
    totals = np.add.reduceat(steps, block.starts, axis=0)
    so_far = np.cumsum(totals[::-1], axis=0)[::-1]
    met = so_far[block.first_group]
    tied = np.add.reduceat(steps * block.share[:, np.newaxis], block.starts, axis=0)
    met[block.event] -= tied[block.group]
    return np.asarray(met)
