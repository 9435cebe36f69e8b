r"""How much worse will a prespecified Cox regression predict in new patients: rms::validate.

The model is fitted again to each bootstrap resample, and each index is taken there and in the
original patients; their mean difference is the optimism. With :math:`\eta` the linear predictor of
a frozen model in the evaluated patients, :math:`L = -2 \log` partial likelihood, :math:`L_0` of no
predictor and :math:`L(\gamma)` of :math:`\gamma\eta`, :math:`\hat\gamma` its maximum:

.. math::

    \mathrm{LR} = L_0 - L(\hat\gamma), \quad
    R^2 = \frac{1 - e^{-\mathrm{LR}/n}}{1 - e^{-L_0/n}}, \quad
    D = \frac{\mathrm{LR} - 1}{L_0}, \quad
    U = \frac{L(1) - L(\hat\gamma)}{L_0}, \quad Q = D - U

Dxy is 2 (C - 1/2), the slope :math:`\hat\gamma` (1 where the model was fitted, and there
:math:`U = -2 / L_0`), g Gini's mean difference of :math:`\hat\gamma\eta`. All resamples advance
together (`models.many_cox`).

It is valid for regressions on few columns named in advance, and far too kind to anything that
selects or memorises (see `models.pipeline.RiskPipeline.bootstrap_is_valid`). Backward selection,
which rms can repeat in each resample, is not offered at all.

References
----------
Harrell FE. Regression Modeling Strategies, 2nd ed. Springer 2015, section 20.10.
Efron B, Gong G. A leisurely look at the bootstrap, the jackknife, and cross-validation. The
American Statistician 1983;37:36-48. doi:10.1080/00031305.1983.10483087
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from models.checks import check_level
from models.concordance import concordance_many
from models.cox_fit import cox_fit
from models.many_cox import ManyLikelihood, fit_many_cox
from models.regression import read_design
from models.scores import optimism_interval
from omics.checks import check_event, check_same_length, check_time
from omics.errors import FitError

Floats = NDArray[np.float64]
INDEXES = ("dxy", "r_squared", "slope", "d", "u", "q", "g")


class Stopping(NamedTuple):
    """When a refit stops: at its maximum, or as `coxph` does at a relative change."""

    relative_tolerance: float | None
    max_iterations: int


CONVERGED = Stopping(None, 50)
RMS = Stopping(1e-4, 10)


@dataclass(frozen=True, eq=False, kw_only=True)
class Optimism:
    """Indexes of a Cox regression, corrected for having been seen by their own patients.

    Attributes
    ----------
    table : DataFrame, one row per index
        Columns `index` (`dxy`, `r_squared`, `slope`, `d`, `u`, `q`, `g`), `apparent`, `training`
        and `test` (means over resamples), `optimism`, `corrected`, `lower`, `upper` (interval of
        rms since 8.1: spreads above and below) and `n_resamples` that count.
    n_resamples, n_failed : int
        Resamples drawn, and those without a finite fit.
    n_patients, n_events : int
    level : float
    """

    table: pd.DataFrame
    n_resamples: int
    n_failed: int
    n_patients: int
    n_events: int
    level: float

    def __repr__(self) -> str:
        row = self.table.iloc[0]
        return (
            f"Optimism({self.n_patients} patients, {self.n_events} events, {self.n_resamples} "
            f"resamples, {self.n_failed} failed; Dxy {row['apparent']:.3f}, corrected "
            f"{row['corrected']:.3f})"
        )


def bootstrap_counts(n_patients: int, *, resamples: int, seed: int) -> NDArray[np.int64]:
    """Draw resamples with replacement: how often each patient is in each, (resamples, n_patients).

    Examples
    --------
    >>> bootstrap_counts(4, resamples=3, seed=1).sum(axis=1).tolist()
    [4, 4, 4]
    """
    if resamples < 2:
        raise ValueError(f"resamples must be at least 2, but {resamples} came. Use 200 or more.")
    rng = np.random.default_rng(seed)
    draws = rng.integers(n_patients, size=(resamples, n_patients))
    draws += n_patients * np.arange(resamples)[:, np.newaxis]
    counts = np.bincount(draws.ravel(), minlength=resamples * n_patients)
    return np.asarray(counts.reshape(resamples, n_patients), dtype=np.int64)


def cox_optimism(
    x: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    counts: ArrayLike,
    *,
    level: float = 0.95,
    stopping: Stopping = CONVERGED,
) -> Optimism:
    """Correct the indexes of a Cox regression on `x` for optimism.

    Parameters
    ----------
    x : array-like of shape (n_patients, p)
        The design matrix, fixed in advance.
    time : array-like of shape (n_patients,)
        Follow-up, above zero.
    event : array-like of shape (n_patients,)
        True where the event was observed.
    counts : array-like of int, shape (n_resamples, n_patients)
        How often each resample holds each patient: `bootstrap_counts`.
    level : float in (0, 1)
    stopping : Stopping
        `CONVERGED`, or `RMS`, which stops refits where rms does, up to 2e-3 off in an index.

    Returns
    -------
    Optimism

    Raises
    ------
    ValueError
        If an argument has the wrong shape or range.
    FitError
        If the regression cannot be fitted to all patients, or to fewer than two resamples.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=(100, 3))
    >>> found = cox_optimism(x, rng.exponential(size=100) * np.exp(-x[:, 0]), np.ones(100),
    ...                      bootstrap_counts(100, resamples=50, seed=2))
    >>> row = found.table.set_index("index").loc["dxy"]
    >>> bool(row["corrected"] < row["apparent"])
    True
    """
    columns, _ = read_design(x)
    times, events = check_time(time, "time"), check_event(event, "event")
    check_same_length(x=columns, time=times, event=events)
    check_level(level)
    start = cox_fit(columns, times, events).coef
    drawn = np.asarray(counts, dtype=np.float64)
    everybody = np.ones((1, len(times)))
    own = _fitted(columns, times, events, everybody, start, stopping)
    fits = _fitted(columns, times, events, drawn, start, stopping)
    kept = np.flatnonzero(~np.isnan(fits.linear_predictor[:, 0]))
    if len(kept) < 2:
        raise FitError(
            f"at least two resamples must have a finite fit, but {len(kept)} of {len(drawn)} have. "
            "Leave columns out, or merge levels with few events."
        )
    test = _frozen(fits.linear_predictor[kept], times, events, stopping)
    rows = []
    for name in INDEXES:
        train_values, test_values = fits.indexes[name][kept], test[name]
        apparent = float(own.indexes[name][0])
        both = ~(np.isnan(train_values) | np.isnan(test_values))
        corrected = optimism_interval(train_values, test_values, apparent, level=level)
        training, tested = train_values[both].mean(), test_values[both].mean()
        rows.append(
            (name, apparent, training, tested, training - tested, *corrected, int(both.sum()))
        )
    names = ["index", "apparent", "training", "test", "optimism", "corrected", "lower", "upper"]
    return Optimism(
        table=pd.DataFrame(rows, columns=[*names, "n_resamples"]),
        n_resamples=len(drawn),
        n_failed=len(drawn) - len(kept),
        n_patients=len(times),
        n_events=int(events.sum()),
        level=level,
    )


class _Fits(NamedTuple):
    linear_predictor: Floats  # of all patients by each fit, (B, n); NaN without a fit
    indexes: dict[str, Floats]  # where it was fitted, (B,) each


def _fitted(
    x: Floats,
    time: Floats,
    event: NDArray[np.bool_],
    counts: Floats,
    start: Floats,
    stopping: Stopping,
) -> _Fits:
    """Fit each resample, and take the indexes in it."""
    centred = x - x.mean(axis=0)
    many = fit_many_cox(
        centred,
        time,
        event,
        counts,
        start=start if stopping.relative_tolerance is None else None,
        relative_tolerance=stopping.relative_tolerance,
        max_iterations=stopping.max_iterations,
    )
    eta = many.coef @ centred.T
    n, known = counts.sum(axis=1), many.converged
    null, value = -2 * np.where(known, many.log_likelihood.T, np.nan)
    d = (null - value - 1) / null
    u = -2 / null
    indexes = {
        "dxy": 2 * concordance_many(time, event, eta, counts) - 1,
        "r_squared": -np.expm1((value - null) / n) / -np.expm1(-null / n),
        "slope": np.where(known, 1.0, np.nan),
        "d": d,
        "u": u,
        "q": d - u,
        "g": _gini(eta, counts),
    }
    return _Fits(eta, indexes)


def _frozen(
    eta: Floats, time: Floats, event: NDArray[np.bool_], stopping: Stopping
) -> dict[str, Floats]:
    """Take the indexes of frozen linear predictors (B, n) in the original patients; (B,) each."""
    ones = np.ones(eta.shape)
    slopes = fit_many_cox(
        eta[:, :, np.newaxis],
        time,
        event,
        ones,
        start=[1.0] if stopping.relative_tolerance is None else None,
        relative_tolerance=stopping.relative_tolerance,
        max_iterations=stopping.max_iterations,
    )
    likelihood = ManyLikelihood(time, event)
    as_is = -2 * likelihood.log_likelihood(eta[:, likelihood.order], likelihood.drawn(ones))
    null, value = -2 * slopes.log_likelihood.T
    slope = slopes.coef[:, 0]
    d, u = (null - value - 1) / null, (as_is - value) / null
    n = len(time)
    return {
        "dxy": 2 * concordance_many(time, event, eta) - 1,
        "r_squared": -np.expm1((value - null) / n) / -np.expm1(-null / n),
        "slope": slope,
        "d": d,
        "u": u,
        "q": d - u,
        "g": _gini(slope[:, np.newaxis] * eta, ones),
    }


def _gini(values: Floats, counts: Floats) -> Floats:
    """Give Gini's mean difference of each row, each value as often as drawn; (B,)."""
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    drawn = np.take_along_axis(counts, order, axis=1)
    n = drawn.sum(axis=1)
    before = np.cumsum(drawn, axis=1) - drawn
    place = drawn * (2 * before + drawn - n[:, np.newaxis])
    return np.asarray(2 * (place * ordered).sum(axis=1) / (n * (n - 1)))
