r"""What calibration a regression will have in new patients: its curve, corrected for optimism.

A regression with columns named in advance is fitted again in every resample. On a grid of predicted
risks that stays the same, the gap between observed and predicted is taken in the resample (train)
and in all patients (test):

.. math::

    \text{corrected}(p) = \text{apparent}(p)
      - \overline{\text{gap}_{train}(p) - \text{gap}_{test}(p)}

as rms's `calibrate` does. Observed is a smooth curve: for a survival outcome a Cox regression on a
spline of the complementary log-log risk (`models.calibration_curves`), for a binary one lowess
without robustness iterations; or Kaplan-Meier's risk between fixed cut points. The band is the
dual-SD interval of rms since 8.1 at each point; it does not hold for the curve as a whole. Where a
model is weak the correction falls short, rms's as ours: of risks that mean nothing, whose honest
curve is flat, about half of the slope stays. Cross-validation has no such floor.

Considered and rejected: hazard regression (hare), rms's default smoother for survival, because no
Python package has it. Austin et al. offer both smoothers; where the tests set the two corrected
curves side by side, they differ by far less than the width of the band.

References
----------
Harrell FE. Regression Modeling Strategies, 2nd ed. Springer 2015, sections 5.3.5 and 20.11.
doi:10.1007/978-3-319-19425-7
Austin PC, Harrell FE, van Klaveren D. Graphical calibration curves and the integrated calibration
index (ICI) for survival models. Statistics in Medicine 2020;39:2714-2742. doi:10.1002/sim.8570
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from models.checks import check_followup, check_horizon, check_level
from models.cox_fit import cox_fit
from models.logistic import logistic_fit
from models.lowess import lowess
from models.many_calibrations import many_cox_risks, many_group_risks, many_smooth_curves
from models.many_cox import fit_many_cox
from models.many_logistic import fit_many_logistic
from models.optimism import check_events_per_column
from models.regression import read_design
from models.resample_counts import check_counts
from models.scores import optimism_interval
from omics.checks import check_event, check_probability, check_same_length
from omics.errors import FitError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

N_POINTS = 50
SPLINE, LOWESS = "Cox regression, spline of cloglog risk, 3 knots", "lowess"
COLUMNS = ["predicted", "apparent", "optimism", "observed", "lower", "upper", "n_resamples"]


@dataclass(frozen=True, eq=False, kw_only=True)
class CorrectedCalibration:
    """Calibration of a regression, apparent and corrected for optimism.

    Attributes
    ----------
    table : DataFrame, one row per point of the grid, or per group
        Columns `predicted` (of a group the mean), `apparent` (observed risk in the patients of the
        fit), `optimism` (of the gap between observed and predicted), `observed` (corrected, 0 to
        1), `lower`, `upper` and `n_resamples` that count at this point.
    mean_error, e90, max_error : float
        Mean, .9 quantile and maximum over patients of the distance of the corrected curve from the
        diagonal at their predicted risk (read between points; patients beyond the grid are left
        out); of groups over groups, each weighing alike.
    n_resamples, n_failed : int
        Resamples drawn, and those without a finite fit or curve.
    n_patients, n_events : int
    horizon : float or None
    level : float
    method : str
        How observed risks were found.
    """

    table: pd.DataFrame
    mean_error: float
    e90: float
    max_error: float
    n_resamples: int
    n_failed: int
    n_patients: int
    n_events: int
    horizon: float | None
    level: float
    method: str

    def __repr__(self) -> str:
        by = "" if self.horizon is None else f" by {self.horizon:g}"
        return (
            f"CorrectedCalibration({self.n_patients} patients, {self.n_events} events{by}, "
            f"{self.n_resamples} resamples, {self.n_failed} failed, mean error "
            f"{self.mean_error:.4f})"
        )


def cox_calibration(
    x: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    counts: ArrayLike,
    *,
    horizon: float,
    grid: ArrayLike | None = None,
    level: float = 0.95,
) -> CorrectedCalibration:
    """Correct the smooth calibration curve of a Cox regression.

    Parameters
    ----------
    x : array-like of shape (n_patients, p)
        The design matrix, fixed in advance.
    time : array-like of shape (n_patients,)
        Follow-up, above zero.
    event : array-like of shape (n_patients,)
        True where the event was observed.
    counts : array-like of int, shape (n_resamples, n_patients)
        How often each resample holds each patient: `models.resample_counts.bootstrap_counts`.
    horizon : float
    grid : array-like of shape (n_points,), optional
        Risks at which to give the curve; 50 from the 5th smallest to the 5th largest prediction.
    level : float in (0, 1)

    Returns
    -------
    CorrectedCalibration

    Raises
    ------
    ValueError
        If an argument has the wrong shape or range, or there are fewer than 5 events to a column.
    FitError
        If the regression cannot be fitted to all patients, or fewer than two resamples give a
        curve.

    Examples
    --------
    >>> from models.resample_counts import bootstrap_counts
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=(150, 3))
    >>> found = cox_calibration(x, rng.exponential(size=150) * np.exp(-x[:, 0]), np.ones(150),
    ...                         bootstrap_counts(150, resamples=30, seed=2), horizon=0.5)
    >>> len(found.table), found.n_failed
    (50, 0)
    """
    risk, (time, event, drawn) = _cox_risks(x, time, event, counts, horizon)
    points = _grid(risk[0], grid)
    everybody = np.ones_like(drawn)

    def curves(some: Floats, among: Floats) -> Floats:
        return many_smooth_curves(some, time, event, among, horizon=horizon, grid=points)

    apparent = curves(risk[:1], everybody[:1])[0]
    train, test = curves(risk[1:], drawn), curves(risk[1:], everybody)
    return corrected_curve(
        points,
        (apparent, train, test),
        risk[0],
        n_events=int((event & (time <= horizon)).sum()),
        horizon=horizon,
        level=level,
    )


def cox_group_calibration(
    x: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    counts: ArrayLike,
    *,
    horizon: float,
    cut_points: ArrayLike,
    level: float = 0.95,
) -> CorrectedCalibration:
    """Correct Kaplan-Meier's risk of groups of like predicted risk, as rms's `cmethod="KM"`.

    Parameters
    ----------
    x, time, event, counts, horizon, level
        As for `cox_calibration`.
    cut_points : array-like of shape (n_groups + 1,)
        Of the predicted risk, from 0 to 1 (`models.calibration_groups.cut_by_size`), the same in
        every resample. A group is closed below; in rms, which cuts survival, it is closed above.

    Returns
    -------
    CorrectedCalibration
        Of a group that nobody (or one patient) is in, or whose follow-up ends early, in a resample,
        that resample is left out.

    Examples
    --------
    >>> from models.resample_counts import bootstrap_counts
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=(150, 3))
    >>> found = cox_group_calibration(
    ...     x, rng.exponential(size=150) * np.exp(-x[:, 0]), np.ones(150),
    ...     bootstrap_counts(150, resamples=30, seed=2), horizon=0.5, cut_points=[0, 0.3, 0.6, 1])
    >>> len(found.table)
    3
    """
    risk, (time, event, drawn) = _cox_risks(x, time, event, counts, horizon)
    cuts = check_probability(cut_points, "cut_points")
    everybody = np.ones_like(drawn)

    def gaps(some: Floats, among: Floats) -> tuple[Floats, Floats]:
        predicted, observed = many_group_risks(some, time, event, among, horizon=horizon, cuts=cuts)
        return predicted, observed - predicted

    predicted, apparent = gaps(risk[:1], everybody[:1])
    train, test = gaps(risk[1:], drawn)[1], gaps(risk[1:], everybody)[1]
    table, n_failed = _corrected(predicted[0], predicted[0] + apparent[0], train, test, level)
    return _calibration(
        table,
        np.abs(table["observed"].to_numpy() - table["predicted"].to_numpy()),
        n_failed,
        outcome=(len(time), int((event & (time <= horizon)).sum()), len(drawn)),
        horizon=horizon,
        level=level,
        method="Kaplan-Meier by group",
    )


def logistic_calibration(
    x: ArrayLike,
    event: ArrayLike,
    counts: ArrayLike,
    *,
    grid: ArrayLike | None = None,
    level: float = 0.95,
) -> CorrectedCalibration:
    """Correct the calibration curve of a logistic regression, as rms's `calibrate.lrm` does.

    Parameters
    ----------
    x : array-like of shape (n_patients, p)
        Design matrix without the intercept.
    event : array-like of shape (n_patients,)
        True where the event was observed.
    counts, grid, level
        As for `cox_calibration`.

    Returns
    -------
    CorrectedCalibration
        A resample whose risks do not reach a point of the grid is left out there.

    Examples
    --------
    >>> from models.resample_counts import bootstrap_counts
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=(150, 3))
    >>> event = rng.random(150) < 1 / (1 + np.exp(-x[:, 0]))
    >>> found = logistic_calibration(x, event, bootstrap_counts(150, resamples=20, seed=2))
    >>> len(found.table), found.method
    (50, 'lowess')
    """
    columns, _ = read_design(x)
    events = check_event(event, "event")
    check_same_length(x=columns, event=events)
    drawn = check_counts(counts, "boot", len(events))
    logistic_fit(columns, events)  # says what is wrong where there is no finite fit
    check_events_per_column(columns, int(min(events.sum(), (~events).sum())), "boot")
    everybody = np.ones((1, len(events)))
    many = fit_many_logistic(columns, events, np.concatenate([everybody, drawn]))
    risk = expit(many.coef @ np.column_stack([np.ones(len(events)), columns]).T)
    points, y = _grid(risk[0], grid), events.astype(np.float64)
    apparent = _smoothed(risk[0], y, everybody[0], points)
    train = np.array([_smoothed(p, y, own, points) for p, own in zip(risk[1:], drawn, strict=True)])
    test = np.array([_smoothed(p, y, everybody[0], points) for p in risk[1:]])
    return corrected_curve(
        points,
        (apparent, train, test),
        risk[0],
        n_events=int(events.sum()),
        horizon=None,
        level=level,
    )


def corrected_curve(
    grid: Floats,
    curves: tuple[Floats, Floats, Floats],
    risk: Floats,
    *,
    n_events: int,
    horizon: float | None,
    level: float,
) -> CorrectedCalibration:
    """Correct a calibration curve by those of refits of any pipeline, all read on one grid.

    Parameters
    ----------
    grid : ndarray of shape (n_points,)
        Predicted risks.
    curves : tuple of ndarray
        Observed risks on the grid: apparent (n_points,), and of each refit in its own patients and
        in the original ones, both (n_resamples, n_points); NaN where there is no curve.
    risk : ndarray of shape (n_patients,)
        Predicted in the patients of the fit.
    n_events : int
        Of these patients, by the horizon.
    horizon : float or None
    level : float in (0, 1)

    Returns
    -------
    CorrectedCalibration

    Raises
    ------
    FitError
        If fewer than two resamples have a curve.

    Examples
    --------
    >>> own, train = np.array([0.3, 0.5]), np.array([[0.2, 0.6], [0.3, 0.5]])
    >>> test = np.array([[0.3, 0.5], [0.3, 0.5]])
    >>> found = corrected_curve(np.array([0.2, 0.6]), (own, train, test), np.array([0.2, 0.4, 0.6]),
    ...                         n_events=1, horizon=None, level=0.95)
    >>> found.table["observed"].round(3).tolist(), round(found.max_error, 3)
    ([0.35, 0.45], 0.15)
    """
    apparent, train, test = curves
    table, n_failed = _corrected(grid, apparent, train - grid, test - grid, level)
    return _calibration(
        table,
        _read_off(table, risk),
        n_failed,
        outcome=(len(risk), n_events, len(train)),
        horizon=horizon,
        level=level,
        method=LOWESS if horizon is None else SPLINE,
    )


def _cox_risks(
    x: ArrayLike, time: ArrayLike, event: ArrayLike, counts: ArrayLike, horizon: float
) -> tuple[Floats, tuple[Floats, Flags, Floats]]:
    """Fit all patients and each resample; give their risks, all patients' fit in the first row."""
    columns, _ = read_design(x)
    times, events = check_followup(time, event)
    check_same_length(x=columns, time=times, event=events)
    by, drawn = check_horizon(horizon), check_counts(counts, "boot", len(times))
    start = cox_fit(columns, times, events).coef
    check_events_per_column(columns, int(events.sum()), "boot")
    centred = columns - columns.mean(axis=0)
    all_counts = np.concatenate([np.ones((1, len(times))), drawn])
    many = fit_many_cox(centred, times, events, all_counts, start=start)
    score = many.coef @ centred.T
    risk = many_cox_risks(score, times, events, all_counts, horizon=by)
    if by > times.max():
        raise ValueError(
            f"horizon must lie within follow-up, but {by:g} came and the last patient was followed "
            f"to {times.max():g}. Ask for an earlier horizon."
        )
    return risk, (times, events, drawn)


def _smoothed(risk: Floats, y: Floats, count: Floats, points: Floats) -> Floats:
    """Read the lowess of the drawn patients on the grid."""
    if np.isnan(risk).any():
        return np.full(len(points), np.nan)
    rows = np.repeat(np.arange(len(y)), count.astype(np.intp))
    return lowess(risk[rows], y[rows], at=points)


def _grid(risk: Floats, grid: ArrayLike | None) -> Floats:
    if grid is not None:
        return check_probability(grid, "grid")
    if len(risk) < 11:
        raise ValueError(
            f"grid must be given for fewer than 11 patients, but {len(risk)} came: there is no 5th "
            "largest risk above the 5th smallest. Give the risks at which to read the curve."
        )
    ordered = np.sort(risk)
    return np.linspace(ordered[4], ordered[-5], N_POINTS)


def _corrected(
    points: Floats, apparent: Floats, train: Floats, test: Floats, level: float
) -> tuple[pd.DataFrame, int]:
    """Correct the gap at each point; count the resamples that have a gap nowhere."""
    check_level(level)
    lost = np.isnan(train + test)
    if (~lost.all(axis=1)).sum() < 2:
        raise FitError(
            f"at least two resamples must have a calibration curve, but {(~lost.all(axis=1)).sum()}"
            f" of {len(lost)} have. Leave columns out, or ask for an earlier horizon."
        )
    rows = []
    for j, (p, own) in enumerate(zip(points, apparent, strict=True)):
        found = optimism_interval(train[:, j], test[:, j], float(own - p), level=level)
        ends = np.clip(p + np.array(found), 0, 1)
        rows.append((p, own, own - p - found.estimate, *ends, int((~lost[:, j]).sum())))
    return pd.DataFrame(rows, columns=COLUMNS), int(lost.all(axis=1).sum())


def _read_off(table: pd.DataFrame, risk: Floats) -> Floats:
    """Give each patient's distance of the corrected curve from the diagonal; NaN off the grid."""
    known = table.dropna(subset=["observed"])
    read = np.interp(risk, known["predicted"], known["observed"], left=np.nan, right=np.nan)
    return np.asarray(np.abs(read - risk))


def _calibration(
    table: pd.DataFrame,
    error: Floats,
    n_failed: int,
    *,
    outcome: tuple[int, int, int],
    horizon: float | None,
    level: float,
    method: str,
) -> CorrectedCalibration:
    known = error[~np.isnan(error)]
    figures = (known.mean(), np.quantile(known, 0.9), known.max()) if len(known) else (np.nan,) * 3
    n_patients, n_events, n_resamples = outcome
    return CorrectedCalibration(
        table=table,
        mean_error=float(figures[0]),
        e90=float(figures[1]),
        max_error=float(figures[2]),
        n_resamples=n_resamples,
        n_failed=n_failed,
        n_patients=n_patients,
        n_events=n_events,
        horizon=horizon,
        level=level,
        method=method,
    )
