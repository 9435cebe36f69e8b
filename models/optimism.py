r"""How much of a regression's performance is its own patients' luck, and what is left without it.

A Cox or logistic regression with the columns of a design matrix, named in advance, is fitted again
in every resample. With :math:`\theta` the apparent index, and in resample b the index of its fit in
its own patients (train) and in those tested on (test):

.. math::

    \text{boot: } \theta - \overline{train - test}, \qquad
    .632\text{: } .368\,\theta + .632\,\overline{out}, \qquad
    .632+\text{: } (1 - w)\,\theta + w\,\overline{out}, \quad w = \frac{.632}{1 - .368 R}

where `out` is the index in the patients left out, each patient weighing alike, and R, between 0 and
1, the relative overfitting: how far `out` has fallen from :math:`\theta` towards the value without
any information (`models.validation_indexes.NO_INFORMATION`; of the Brier score the mean over all
pairs of patients; `u`, `q` and `intercept` have none, and no .632+). Cross-validation tests on each
fold in turn. The indexes are those of rms's validate (`models.validation_indexes`); all resamples
advance together.

Of a model that predicts nothing the bootstrap leaves a slope of about one half (a resample's
coefficients still hold those of all patients), rms's as ours. On noise
(6 columns, some 150 events, the mean of 60 samples) it took the slope from 1 to .49, Dxy from .11
to .03 and R² from .03 to -.01. Cross-validation belongs beside it.

Nothing is selected here, so nothing can be selected anew in a resample (backward selection, which
rms can repeat there, is not offered at all): a model that selects must go through
`models.validation.validate`, which repeats every step of its pipeline. The bootstrap ("boot") holds
for models of few columns; where there are fewer than 5 events (patients of the rarer class) to a
column it is too kind, and is refused.

References
----------
Harrell FE, Lee KL, Mark DB. Multivariable prognostic models. Statistics in Medicine
1996;15:361-387. doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4
Efron B, Gong G. A leisurely look at the bootstrap, the jackknife, and cross-validation. The
American Statistician 1983;37:36-48. doi:10.1080/00031305.1983.10483087
Efron B, Tibshirani R. Improvements on cross-validation: the .632+ bootstrap method. JASA
1997;92:548-560. doi:10.1080/01621459.1997.10474007
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from models.checks import check_followup, check_level
from models.cox_fit import cox_fit
from models.logistic import logistic_fit
from models.many_cox import fit_many_cox
from models.many_logistic import fit_many_logistic
from models.regression import read_design
from models.resample_counts import (
    Method,
    check_counts,
    evaluated_counts,
    resample_weights,
)
from models.residuals import cox_residuals
from models.scores import Interval, fold_interval, optimism_interval
from models.validation_indexes import (
    CONVERGED,
    NO_INFORMATION,
    REFIT_TOLERANCE,
    Indexes,
    Stopping,
    cox_indexes,
    cox_indexes_in_and_out,
    emax,
    logistic_indexes,
    no_information_brier,
)
from omics.checks import check_event, check_same_length
from omics.errors import FitError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEAST_EVENTS_PER_COLUMN = 5
COLUMNS = ["index", "apparent", "training", "test", "optimism", "corrected", "lower", "upper"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Optimism:
    """Indexes of a regression, apparent and corrected.

    Attributes
    ----------
    table : DataFrame, one row per index
        Columns `index`, `apparent`, `training` and `test` (means over resamples), `optimism`,
        `corrected` (apparent - optimism), `lower`, `upper` and `n_resamples` that count. The
        interval of the bootstrap is that of rms since 8.1 (spreads above and below), that of
        cross-validation the corrected resampled t interval; .632 and .632+ have none (NaN).
    method : {"boot", ".632", ".632+", "crossvalidation"}
    n_resamples, n_failed : int
        Resamples drawn, and those without a finite fit or a figure, which are left out.
    n_patients, n_events : int
    level : float
    """

    table: pd.DataFrame
    method: Method
    n_resamples: int
    n_failed: int
    n_patients: int
    n_events: int
    level: float

    def __repr__(self) -> str:
        row = self.table.iloc[0]
        return (
            f"Optimism({self.n_patients} patients, {self.n_events} events, {self.method}, "
            f"{self.n_resamples} resamples, {self.n_failed} failed; Dxy {row['apparent']:.3f}, "
            f"corrected {row['corrected']:.3f})"
        )


def cox_optimism(
    x: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    counts: ArrayLike,
    *,
    method: Method = "boot",
    level: float = 0.95,
    stopping: Stopping = CONVERGED,
) -> Optimism:
    """Correct the indexes of a Cox regression on `x` for optimism, as rms's `validate.cph` does.

    Parameters
    ----------
    x : array-like of shape (n_patients, p)
        The design matrix, fixed in advance; p at least 1.
    time : array-like of shape (n_patients,)
        Follow-up, above zero.
    event : array-like of shape (n_patients,)
        True where the event was observed.
    counts : array-like of int, shape (n_resamples, n_patients)
        How often each patient trains in each resample: `bootstrap_counts` or `fold_counts` of
        `models.resample_counts`.
    method : {"boot", ".632", ".632+", "crossvalidation"}
    level : float in (0, 1)
    stopping : Stopping
        `CONVERGED`, or `RMS`, which stops refits where rms does, up to 2e-3 off in an index.

    Returns
    -------
    Optimism

    Raises
    ------
    ValueError
        If an argument has the wrong shape or range, or "boot" is asked for with fewer than 5 events
        to a column.
    FitError
        If the regression cannot be fitted to all patients, or to fewer than two resamples.

    Examples
    --------
    >>> from models.resample_counts import bootstrap_counts
    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=(100, 3))
    >>> found = cox_optimism(x, rng.exponential(size=100) * np.exp(-x[:, 0]), np.ones(100),
    ...                      bootstrap_counts(100, resamples=50, seed=2))
    >>> row = found.table.set_index("index").loc["dxy"]
    >>> bool(row["corrected"] < row["apparent"])
    True
    """
    columns, _ = read_design(x)
    times, events = check_followup(time, event)
    check_same_length(x=columns, time=times, event=events)
    drawn = check_counts(counts, method, len(times))
    fit = cox_fit(columns, times, events)
    check_events_per_column(columns, int(events.sum()), method)
    centred = columns - columns.mean(axis=0)

    moves = cox_residuals(columns, times, events, fit.coef).score @ fit.covariance

    def fitted(chosen: Floats) -> tuple[Floats, Floats]:
        """Fit each resample; give linear predictors of all patients, and log likelihoods."""
        # to first order, where the fit of all moves to if each counts as often as drawn
        begin = fit.coef + (chosen - 1) @ moves
        many = fit_many_cox(
            centred,
            times,
            events,
            chosen,
            start=begin if stopping.relative_tolerance is None else None,
            tolerance=REFIT_TOLERANCE,
            relative_tolerance=stopping.relative_tolerance,
            max_iterations=stopping.max_iterations,
        )
        return many.coef @ centred.T, many.log_likelihood

    everybody = np.ones((1, len(times)))
    whole, reached = fitted(everybody)
    apparent = cox_indexes(whole, times, events, everybody, log_likelihood=reached)
    score, reached = fitted(drawn)
    both = (drawn, evaluated_counts(drawn, method))
    train, test = cox_indexes_in_and_out(
        score, times, events, both, log_likelihood=reached, stopping=stopping
    )
    return _optimism((apparent, train, test), drawn, method, level, events, NO_INFORMATION)


def logistic_optimism(
    x: ArrayLike,
    event: ArrayLike,
    counts: ArrayLike,
    *,
    method: Method = "boot",
    level: float = 0.95,
) -> Optimism:
    """Correct the indexes of a logistic regression, as rms's `validate.lrm` does.

    `emax` follows from the corrected intercept and slope: the largest distance of a risk from the
    recalibrated one (rms prints its optimism with the other sign).

    Parameters
    ----------
    x : array-like of shape (n_patients, p)
        Design matrix without the intercept, p at least 1.
    event : array-like of shape (n_patients,)
        True where the event was observed.
    counts, method, level
        As for `cox_optimism`.

    Returns
    -------
    Optimism

    Raises
    ------
    ValueError
        As `cox_optimism`, the rarer class in place of the events.
    FitError
        If the regression cannot be fitted to all patients, or to fewer than two resamples.

    Examples
    --------
    >>> from models.resample_counts import bootstrap_counts
    >>> x = [[0], [1], [2], [0], [1], [2], [0], [1], [2], [1]] * 2
    >>> event = [0, 0, 1, 1, 1, 1, 0, 0, 0, 1] * 2
    >>> found = logistic_optimism(x, event, bootstrap_counts(20, resamples=30, seed=1))
    >>> found.table["index"].tolist()
    ['dxy', 'r_squared', 'intercept', 'slope', 'emax', 'd', 'u', 'q', 'brier', 'g', 'gp']
    """
    columns, _ = read_design(x)
    events = check_event(event, "event")
    check_same_length(x=columns, event=events)
    drawn = check_counts(counts, method, len(events))
    logistic_fit(columns, events)  # says what is wrong where there is no finite fit
    check_events_per_column(columns, int(min(events.sum(), (~events).sum())), method)
    rows = np.column_stack([np.ones(len(events)), columns])

    def fitted(chosen: Floats) -> tuple[Floats, Indexes]:
        """Fit each resample; give log odds of all patients, and the indexes in it."""
        many = fit_many_logistic(columns, events, chosen)
        score = many.coef @ rows.T
        own = logistic_indexes(score, events, chosen, log_likelihood=many.log_likelihood)
        return score, own

    whole, apparent = fitted(np.ones((1, len(events))))
    score, train = fitted(drawn)
    test = logistic_indexes(score, events, evaluated_counts(drawn, method))
    chance = NO_INFORMATION | {"brier": no_information_brier(expit(whole[0]), events)}
    found = _optimism((apparent, train, test), drawn, method, level, events, chance)
    return replace(found, table=_with_emax(found.table))


def point_632_plus(apparent: float, left_out: float, no_information: float) -> float:
    """Put a figure of the fitted and of left-out patients together by the .632+ rule.

    Parameters
    ----------
    apparent, left_out : float
        The figure in the patients of the fit, and in those left out of resamples.
    no_information : float
        Where it would be if the outcome had nothing to do with the predictors; NaN if unknown.

    Returns
    -------
    float

    Examples
    --------
    Half of the way to chance is gone, so R = 1/2 and w = .632 / .816; then all of it, R = w = 1:

    >>> round(point_632_plus(0.9, 0.7, 0.5), 4), point_632_plus(0.9, 0.45, 0.5)
    (0.7451, 0.5)
    """
    span = apparent - no_information
    fallen = (apparent - left_out) / span if span != 0 else 0.0
    fallen = min(max(fallen, 0.0), 1.0) if not np.isnan(fallen) else fallen
    weight = 0.632 / (1 - 0.368 * fallen)
    beyond = (left_out - no_information) * span < 0  # worse than chance counts as chance
    bounded = no_information if beyond else left_out
    return float((1 - weight) * apparent + weight * bounded)


def _optimism(
    indexes: tuple[Indexes, Indexes, Indexes],
    counts: Floats,
    method: Method,
    level: float,
    events: Flags,
    no_information: Mapping[str, float],
) -> Optimism:
    """Set out every index, apparent, in training and in test."""
    check_level(level)
    apparent, train, test = indexes
    kept = np.isfinite(train["dxy"]) & np.isfinite(test["dxy"])
    if kept.sum() < 2:
        raise FitError(
            f"at least two resamples must have a finite fit, but {kept.sum()} of {len(kept)} have. "
            "Leave columns out, or merge levels with few events."
        )
    weights = resample_weights(counts, method)[kept]
    folds = round(len(counts) / (counts == 0).sum(axis=0)[0]) if method == "crossvalidation" else 0
    rows = []
    for name in apparent:
        inside, outside = train[name][kept], test[name][kept]
        own, tested = float(apparent[name][0]), float(weights @ outside / weights.sum())
        found = Interval(np.nan, np.nan, np.nan)
        if method == "boot":
            found = optimism_interval(inside, outside, own, level=level)
        elif method == "crossvalidation":
            found = fold_interval(own - inside + outside, folds=folds, level=level)
        elif method == ".632":
            found = found._replace(estimate=0.368 * own + 0.632 * tested)
        else:
            chance = no_information.get(name, np.nan)
            found = found._replace(estimate=point_632_plus(own, tested, chance))
        own_row = (name, own, float(inside.mean()), tested, own - found.estimate, *found)
        rows.append((*own_row, int(kept.sum())))
    return Optimism(
        table=pd.DataFrame(rows, columns=[*COLUMNS, "n_resamples"]),
        method=method,
        n_resamples=len(kept),
        n_failed=int((~kept).sum()),
        n_patients=len(events),
        n_events=int(events.sum()),
        level=level,
    )


def _with_emax(table: pd.DataFrame) -> pd.DataFrame:
    """Add emax behind the slope, from the corrected intercept and slope."""
    at = table.set_index("index")["corrected"]
    largest = emax(float(at["intercept"]), float(at["slope"]))
    place = int(np.flatnonzero(table["index"] == "slope")[0]) + 1
    count = table["n_resamples"].iloc[0]
    row = ("emax", 0.0, 0.0, largest, -largest, largest, np.nan, np.nan, count)
    parts = [table.iloc[:place], pd.DataFrame([row], columns=table.columns), table.iloc[place:]]
    return pd.concat(parts, ignore_index=True)


def check_events_per_column(columns: Floats, n_events: int, method: Method) -> None:
    """Refuse an optimism bootstrap that would be too kind."""
    p = columns.shape[1]
    if p == 0:
        raise ValueError("x must have at least one column, but it has none. Name a predictor.")
    if method == "boot" and n_events < LEAST_EVENTS_PER_COLUMN * p:
        raise ValueError(
            f"method must not be 'boot' for {p} columns and {n_events} events (or patients of the "
            f"rarer class): with fewer than {LEAST_EVENTS_PER_COLUMN} to a column the bootstrap "
            "sees too little optimism. Use method='.632+' or 'crossvalidation'."
        )
