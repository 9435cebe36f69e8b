r"""How much does each column change the hazard of the event: Cox regression on arrays.

The partial likelihood stands in `models.partial_likelihood`. With U the score residuals
(`models.residuals`), c the case weights and V the inverse information, the robust variance is

.. math::

    V_r = V \Big( \sum_g u_g u_g^\top \Big) V, \qquad u_g = \sum_{i \in g} c_i U_i

over clusters g (patients, if none are given): it holds where patients of a cluster, such as a
centre, resemble each other, and where the hazards are not proportional.

References
----------
Cox DR. Regression models and life-tables. JRSS B 1972;34:187-220.
doi:10.1111/j.2517-6161.1972.tb00899.x
Lin DY, Wei LJ. The robust inference for the Cox proportional hazards model. JASA 1989;84:1074-1078.
doi:10.1080/01621459.1989.10478874
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.baseline import check_weights
from models.partial_likelihood import PartialLikelihood, Ties
from models.regression import (
    Newton,
    RegressionFit,
    Standardised,
    fit_ridge,
    read_design,
    standardise,
)
from models.residuals import cox_residuals
from omics.checks import check_event, check_numbers, check_same_length, check_time
from omics.errors import FitError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class CoxFit:
    """A Cox regression on arrays.

    Attributes
    ----------
    coef : ndarray of shape (p,)
        Log hazard ratio per unit of each column.
    covariance : ndarray of shape (p, p)
        Inverse information.
    robust_covariance : ndarray of shape (p, p) or None
        Of the sandwich, where it was asked for.
    log_likelihood : tuple of float
        Log partial likelihood at 0 (with the offset) and at `coef`.
    n_iterations, n_patients, n_events : int
        Patients and events with a weight above 0.
    """

    coef: Floats
    covariance: Floats
    robust_covariance: Floats | None
    log_likelihood: tuple[float, float]
    n_iterations: int
    n_patients: int
    n_events: int

    def __repr__(self) -> str:
        return (
            f"CoxFit({self.n_patients} patients, {self.n_events} events, {len(self.coef)} "
            f"coefficients, likelihood ratio {self.likelihood_ratio:.4g})"
        )

    @property
    def likelihood_ratio(self) -> float:
        """Likelihood-ratio chi-squared against the offset alone."""
        return 2 * (self.log_likelihood[1] - self.log_likelihood[0])


@dataclass(frozen=True, eq=False, kw_only=True)
class CoxData:
    """What a Cox regression is fitted to, checked, patients of weight 0 left out.

    Attributes
    ----------
    x : ndarray of shape (n_patients, p)
    names : tuple of str
    time, event : ndarray of shape (n_patients,)
    strata, cluster : ndarray of shape (n_patients,) or None
    offset, weights : ndarray of shape (n_patients,) or None
    ties : {"efron", "breslow"}
    """

    x: Floats
    names: tuple[str, ...]
    time: Floats
    event: Flags
    strata: NDArray[Any] | None = None
    cluster: NDArray[Any] | None = None
    offset: Floats | None = None
    weights: Floats | None = None
    ties: Ties = "efron"

    def __repr__(self) -> str:
        return f"CoxData({len(self.time)} patients, {len(self.names)} columns)"

    @classmethod
    def of(
        cls,
        x: Floats,
        names: tuple[str, ...],
        time: ArrayLike,
        event: ArrayLike,
        *,
        ties: Ties = "efron",
        **per_patient: ArrayLike | None,
    ) -> "CoxData":
        """Check arrays; `per_patient` holds strata, cluster, offset and weights, each or None."""
        times, events = check_time(time, "time"), check_event(event, "event")
        if ties not in ("efron", "breslow"):
            raise ValueError(f"ties must be 'efron' or 'breslow', but {ties!r} came.")
        given: dict[str, NDArray[Any]] = {
            name: _CHECKS[name](values)
            for name, values in per_patient.items()
            if values is not None
        }
        check_same_length(x=x, time=times, event=events, **given)
        counted = given["weights"] > 0 if "weights" in given else np.ones(len(times), dtype=bool)
        kept = {name: values[counted] for name, values in given.items()}
        data = cls(
            x=x[counted],
            names=names,
            time=times[counted],
            event=events[counted],
            ties=ties,
            **kept,
        )
        if not data.event.any():
            raise FitError(
                f"a Cox regression needs events, but none of {len(data.event)} patients had one. "
                "Check the declared event value, or leave the model out."
            )
        return data

    def standardised(self) -> tuple[Standardised, PartialLikelihood]:
        """Standardise the columns and lay out the risk sets."""
        design = standardise(self.x, self.names)
        likelihood = PartialLikelihood.of(
            design.z,
            self.time,
            self.event,
            strata=self.strata,
            offset=self.offset,
            weights=self.weights,
            ties=self.ties,
        )
        return design, likelihood

    def robust_covariance(self, coef: Floats, covariance: Floats) -> Floats:
        """Give the sandwich variance of `coef`, whose inverse information is `covariance`."""
        score = cox_residuals(
            self.x,
            self.time,
            self.event,
            coef,
            strata=self.strata,
            offset=self.offset,
            weights=self.weights,
            ties=self.ties,
        ).score
        moves = (
            score if self.weights is None else self.weights[:, np.newaxis] * score
        ) @ covariance
        if self.cluster is not None:
            _, code = np.unique(self.cluster, return_inverse=True)
            order = np.argsort(code, kind="stable")
            moves = np.add.reduceat(moves[order], np.flatnonzero(np.diff(code[order], prepend=-1)))
        return np.asarray(moves.T @ moves)


def _labels(values: ArrayLike) -> NDArray[Any]:
    return np.asarray(values)


def _offset(values: ArrayLike) -> NDArray[Any]:
    return check_numbers(values, "offset")


_CHECKS = {"strata": _labels, "cluster": _labels, "offset": _offset, "weights": check_weights}


def cox_fit(
    x: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    ties: Ties = "efron",
    robust: bool = False,
    cluster: ArrayLike | None = None,
    initial: ArrayLike | None = None,
) -> CoxFit:
    """Fit a Cox regression to arrays, to convergence.

    Parameters
    ----------
    x : array-like of shape (n_patients, p)
        Columns; p may be 0, which gives the likelihood of the offset alone.
    time : array-like of shape (n_patients,)
        Follow-up, above zero.
    event : array-like of shape (n_patients,)
        True where the event was observed.
    strata : array-like of shape (n_patients,), optional
        Labels of groups that have a baseline hazard of their own.
    offset : array-like of shape (n_patients,), optional
        Added to the linear predictor with coefficient 1.
    weights : array-like of shape (n_patients,), optional
        Case weights, 0 or above, as in R's `coxph`: a patient of weight 0 is left out, and tied
        events count with their mean weight. Copies of a patient are tied events, which weights
        are not.
    ties : {"efron", "breslow"}, default "efron"
    robust : bool, default False
        Whether to give the sandwich variance, too.
    cluster : array-like of shape (n_patients,), optional
        Labels of groups of patients who may resemble each other; asks for the sandwich over them.
    initial : array-like of shape (p,), optional
        Where to start; the result does not depend on it.

    Returns
    -------
    CoxFit

    Raises
    ------
    ValueError
        If an argument has the wrong shape or range.
    FitError
        If there is no event, a column is constant or collinear, or a coefficient is infinite.

    Examples
    --------
    Three pairs of patients; a pair tells only whose event came first.

    >>> fit = cox_fit([[1.0], [0.0], [1.0], [0.0], [1.0], [0.0]], [1, 2, 1, 2, 2, 1],
    ...               [1, 1, 1, 1, 1, 1], strata=["a", "a", "b", "b", "c", "c"])
    >>> fit
    CoxFit(6 patients, 6 events, 1 coefficients, likelihood ratio 0.3398)
    >>> round(float(np.exp(fit.coef[0])), 6)  # the exposed one, in two of three
    2.0
    """
    columns, names = read_design(x)
    per_patient = {"strata": strata, "cluster": cluster, "offset": offset, "weights": weights}
    data = CoxData.of(columns, names, time, event, ties=ties, **per_patient)
    start = np.zeros(len(names)) if initial is None else check_numbers(initial, "initial")
    if len(start) != len(names):
        raise ValueError(
            f"initial must have one value per column ({len(names)}), but {len(start)} came."
        )
    design, likelihood = data.standardised()
    fit = fit_ridge(
        likelihood,
        names=names,
        ridge=0.0,
        unit=1.0,
        start=start * design.scales,
        newton=Newton(),
    )
    coef, covariance = unscaled(design, fit)
    return CoxFit(
        coef=coef,
        covariance=covariance,
        robust_covariance=(
            data.robust_covariance(coef, covariance) if robust or cluster is not None else None
        ),
        log_likelihood=(likelihood.value(0 * start), fit.log_likelihood),
        n_iterations=fit.n_iterations,
        n_patients=len(data.time),
        n_events=int(data.event.sum()),
    )


def unscaled(design: Standardised, fit: RegressionFit) -> tuple[Floats, Floats]:
    """Give coefficients and covariance in the columns' own units."""
    return fit.coef / design.scales, fit.covariance / np.outer(design.scales, design.scales)
