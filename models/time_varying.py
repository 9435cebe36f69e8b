r"""What a value that changes during follow-up (a second scan, a treatment) does to the hazard.

Cox regression on intervals: a patient stands in one row for each stretch of time over which the
columns keep their values, with

.. math:: h(t \mid x) = h_0(t) \exp\big(x(t)^\top \beta\big)

and the risk set at t holds the rows with start < t <= stop. lifelines fits, with Efron's ties. A
value must be known at the start of its interval; one that is filled in from later (a response
assessed at the end) makes survivors of those who lived to have it (immortal time).

There are no risks by a horizon: they would need the values a patient will have. For prediction from
a value at a landmark, take the patients still at risk there and `models.cox.CoxModel`.

References
----------
Therneau TM, Grambsch PM. Modeling Survival Data: Extending the Cox Model. Springer 2000, section
3.7. doi:10.1007/978-1-4757-3294-8
Suissa S. Immortal time bias in pharmacoepidemiology. American Journal of Epidemiology
2008;167:492-499. doi:10.1093/aje/kwm324
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from lifelines import CoxTimeVaryingFitter
from lifelines.exceptions import ConvergenceError
from numpy.typing import ArrayLike, NDArray

from models.regression import coefficient_table, read_design, refuse_collinear, standardise
from omics.checks import check_event, check_numbers, check_same_length
from omics.errors import FitError

Floats = NDArray[np.float64]

FAR = 30.0  # a column that moves the log hazard so far from end to end is on its way to infinity
TIGHT = {"precision": 1e-10, "max_steps": 100}


@dataclass(frozen=True, eq=False, kw_only=True)
class TimeVaryingCox:
    """A Cox regression on intervals.

    Attributes
    ----------
    table : DataFrame, one row per column
        Columns `term`, `coefficient`, `standard_error`, `hazard_ratio`, `lower`, `upper` (95 %),
        `z`, `p_value` (Wald); a ratio above 1: the event comes sooner while the value is higher.
    covariance : ndarray of shape (p, p)
    log_likelihood : float
    n_patients, n_intervals, n_events : int
    """

    table: pd.DataFrame
    covariance: Floats
    log_likelihood: float
    n_patients: int
    n_intervals: int
    n_events: int

    def __repr__(self) -> str:
        return (
            f"TimeVaryingCox({self.n_patients} patients, {self.n_intervals} intervals, "
            f"{self.n_events} events, {len(self.table)} columns)"
        )


def time_varying_cox(
    x: pd.DataFrame | ArrayLike,
    start: ArrayLike,
    stop: ArrayLike,
    event: ArrayLike,
    *,
    patient: ArrayLike,
) -> TimeVaryingCox:
    """Fit a Cox regression whose columns change over time.

    Parameters
    ----------
    x : DataFrame or array-like of shape (n_intervals, p)
        Values over each interval, known at its start.
    start, stop : array-like of shape (n_intervals,)
        Ends of each interval, 0 <= start < stop; intervals of a patient may leave gaps (not
        observed) but not overlap.
    event : array-like of shape (n_intervals,)
        True where the event ended the interval: at most one of a patient, in the last interval.
    patient : array-like of shape (n_intervals,)
        Whose interval it is.

    Returns
    -------
    TimeVaryingCox

    Raises
    ------
    ValueError
        If an argument has the wrong shape or range, intervals of a patient overlap, or an event is
        not the end of its patient's follow-up.
    FitError
        If nobody had the event, a column is constant or follows from others, or there is no finite
        estimate.

    Examples
    --------
    Two patients begin treatment at 2, the others never. With r the ratio, the likelihood is
    1/(2r + 3) 1/(2r + 2) r/(r + 1), largest where 4r² + 3r = 3:

    >>> start, stop = [0, 2, 0, 2, 0, 0, 0], [2, 6, 2, 5, 3, 4, 7]
    >>> found = time_varying_cox(
    ...     [[0], [1], [0], [1], [0], [0], [0]], start, stop, [0, 1, 0, 0, 1, 1, 1],
    ...     patient=["A", "A", "B", "B", "C", "D", "E"])
    >>> found
    TimeVaryingCox(5 patients, 7 intervals, 4 events, 1 columns)
    >>> bool(abs(found.table["hazard_ratio"][0] - (np.sqrt(57) - 3) / 8) < 1e-9)
    True
    """
    columns, names = read_design(x)
    starts, stops = check_numbers(start, "start"), check_numbers(stop, "stop")
    ended = check_event(event, "event")
    own = np.asarray(pd.factorize(np.asarray(patient, dtype=object))[0])
    if (own < 0).any():
        raise ValueError(
            f"patient must be known of every interval, but {(own < 0).sum()} of {len(own)} have "
            f"none (first: row {int((own < 0).argmax())}). Fill the ids in."
        )
    check_same_length(x=columns, start=starts, stop=stops, event=ended, patient=own)
    _check_intervals(starts, stops, ended, own)
    if not ended.any():
        raise FitError(
            f"a Cox regression needs events, but none of {own.max() + 1} patients had one. Check "
            "the declared event value."
        )
    design = standardise(columns, names)
    refuse_collinear(design.z, names)
    coef, covariance, log_likelihood = _fit(design.z, (starts, stops, ended), own, names)
    scaled = covariance / np.outer(design.scales, design.scales)
    return TimeVaryingCox(
        table=coefficient_table(names, coef / design.scales, scaled, ratio="hazard_ratio"),
        covariance=scaled,
        log_likelihood=log_likelihood,
        n_patients=int(own.max()) + 1,
        n_intervals=len(own),
        n_events=int(ended.sum()),
    )


def _check_intervals(
    start: Floats, stop: Floats, event: NDArray[np.bool_], patient: NDArray[np.intp]
) -> None:
    """Refuse intervals that are empty, overlap, or go on after the event."""
    wrong = ~((start >= 0) & (start < stop) & np.isfinite(stop))
    if wrong.any():
        first = int(wrong.argmax())
        raise ValueError(
            f"start must be 0 or more and lie before stop, but {wrong.sum()} of {len(start)} "
            f"intervals do not (first: row {first}, {start[first]:g} to {stop[first]:g}). Leave "
            "out intervals of no length, and count times from the patient's own beginning."
        )
    order = np.lexsort((start, patient))
    same = patient[order][1:] == patient[order][:-1]
    overlap = same & (start[order][1:] < stop[order][:-1])
    if overlap.any():
        raise ValueError(
            f"intervals of a patient must not overlap, but {overlap.sum()} begin before the one "
            f"before has ended (first: row {order[1:][overlap][0]}). End each where the next "
            "begins."
        )
    after = same & event[order][:-1]
    if after.any():
        raise ValueError(
            f"event must be the end of a patient's follow-up, but {after.sum()} intervals come "
            f"after it (first: row {order[1:][after][0]}). Mark the last interval of a patient "
            "alone."
        )


def _fit(
    z: Floats,
    outcome: tuple[Floats, Floats, NDArray[np.bool_]],
    patient: NDArray[np.intp],
    names: Sequence[str],
) -> tuple[Floats, Floats, float]:
    """Give coefficients, their covariance and the log partial likelihood, of standardised rows."""
    start, stop, event = outcome
    columns = [f"x{j}" for j in range(len(names))]
    table = pd.DataFrame(z, columns=columns)
    table = table.assign(patient=patient, start=start, stop=stop, event=event)
    fitter = CoxTimeVaryingFitter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is checked below
        try:
            fitter.fit(
                table, "event", start_col="start", stop_col="stop", id_col="patient",
                fit_options=TIGHT,
            )  # fmt: skip
        except (ConvergenceError, np.linalg.LinAlgError) as error:
            raise FitError(_no_fit(names)) from error
    coef = fitter.params_.loc[columns].to_numpy(dtype=np.float64)
    covariance = fitter.variance_matrix_.to_numpy(dtype=np.float64)
    errors = np.sqrt(np.maximum(np.diag(covariance), 0))
    reach = np.maximum(np.abs(coef), errors) * np.ptp(z, axis=0)
    wrong = ~(reach < FAR) | (errors == 0)
    if wrong.any():
        raise FitError(_no_fit([name for name, far in zip(names, wrong, strict=True) if far]))
    return coef, covariance, float(fitter.log_likelihood_)


def _no_fit(names: Sequence[str]) -> str:
    return (
        "every coefficient must have a finite estimate, but none was found for "
        f"{', '.join(map(repr, names[:5]))}. A group without events, or with nothing else, has no "
        "finite coefficient: merge levels, or leave the column out."
    )
