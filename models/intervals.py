r"""How sure is the risk of one new patient: intervals of Cox and logistic regressions.

Of a Cox model with Breslow's baseline, the cumulative hazard of a patient with columns x has

.. math::

    \mathrm{var}\,\log \hat\Lambda(t \mid x) = \frac{1}{\hat H_0(t)^2} \Big( \sum_{t_k \le t}
    \frac{d_k}{S_0(t_k)^2} + D^\top V D \Big), \qquad
    D = \sum_{t_k \le t} (x - \bar x_k) \frac{d_k}{S_0(t_k)},

with :math:`S_0(t_k) = \sum_{j \in R_k} e^{\eta_j}`, :math:`\bar x_k` the mean of the columns over
the risk set, weighted by :math:`e^{\eta}`, and V the covariance of the coefficients: the standard
error of R's `survfit.coxph` (``ctype = 1, stype = 2``), and its ``conf.type = "log-log"``. Of a
logistic model the linear predictor has variance :math:`(1, x) V (1, x)^\top`.

Under a ridge V is the penalised covariance, which does not count the bias of shrinkage. Factors,
signatures and filled-in values are taken as known; where a gap is drawn several times, the variance
between the draws is added by Rubin's rules. Boosted trees have no such formula: no interval.

References
----------
Tsiatis AA. A large sample study of Cox's regression model. Annals of Statistics 1981;9:93-108.
doi:10.1214/aos/1176345329
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from models.boosting import BoostedModel
from models.checks import check_level
from models.cox import CoxModel, read_survival
from models.logistic import LogisticModel
from models.regression import check_rows, read_same_design

Floats = NDArray[np.float64]

COX = "log-log, of coefficients and baseline"
LOGISTIC = "Wald on the log odds"
DRAWN = ", and of what filled the gaps"
NO_INTERVAL = "none: boosted trees have no analytical interval"


@dataclass(frozen=True, eq=False, kw_only=True)
class HazardSpread:
    """What a Cox model's interval needs of its development patients: sums, no patient.

    Attributes
    ----------
    horizons : ndarray of shape (n_horizons,)
        Rising, in the unit of the fit.
    hazard : ndarray of shape (n_horizons,)
        Cumulative Breslow hazard by each, at linear predictor 0.
    variance : ndarray of shape (n_horizons,)
        Sum of ``d_k / S_0(t_k)^2`` up to each.
    pull : ndarray of shape (n_horizons, p)
        Sum of the risk sets' mean columns times their hazard, up to each.
    """

    horizons: Floats
    hazard: Floats
    variance: Floats
    pull: Floats

    def __repr__(self) -> str:
        times = ", ".join(f"{horizon:g}" for horizon in self.horizons)
        return f"HazardSpread({self.pull.shape[1]} columns, by {times})"


@dataclass(frozen=True, eq=False, kw_only=True)
class StrataSpread:
    """What the intervals of a stratified Cox model need: the sums of each stratum.

    Attributes
    ----------
    strata : tuple of str
        Labels, as in `CoxModel.strata_`.
    spreads : tuple of HazardSpread
        Of each.
    """

    strata: tuple[str, ...]
    spreads: tuple[HazardSpread, ...]

    def __repr__(self) -> str:
        return f"StrataSpread({len(self.strata)} strata, each {self.spreads[0]!r})"


def hazard_spread(
    model: CoxModel, X: pd.DataFrame, y: NDArray[Any], *, horizons: tuple[float, ...]
) -> HazardSpread | StrataSpread:
    """Sum up what the interval of a risk by each horizon needs.

    Parameters
    ----------
    model : CoxModel
        Fitted.
    X : DataFrame of shape (n_patients, p)
        The design matrix of its fit, with the column of its strata.
    y : structured array of shape (n_patients,)
        The outcome of its fit.
    horizons : tuple of float
        Times above zero, in the unit of `y`.

    Returns
    -------
    HazardSpread, or StrataSpread of a stratified model
    """
    columns, stratum = model.columns_of(X), model.strata_of(X)
    time, event = read_survival(y)
    check_rows(columns, len(time))
    eta, asked = model.linear_predictor(X), np.asarray(horizons, np.float64)
    spreads = []
    for place in range(len(model.strata_)):
        own = stratum == place
        spreads.append(spread_of(columns[own], eta[own], time[own], event[own], horizons=asked))
    if model.strata is None:
        return spreads[0]
    return StrataSpread(strata=tuple(map(str, model.strata_)), spreads=tuple(spreads))


def spread_of(
    columns: Floats,
    linear_predictor: Floats,
    time: Floats,
    event: NDArray[np.bool_],
    *,
    horizons: Floats,
    weights: Floats | None = None,
) -> HazardSpread:
    """Sum up, on arrays, what `hazard_spread` does; `weights` are the fit's case weights."""
    case = np.ones(len(time)) if weights is None else weights
    counted = event & (case > 0)
    times, position = np.unique(time[counted], return_inverse=True)
    deaths = np.bincount(position, case[counted], len(times))
    order = np.argsort(time, kind="stable")
    start = np.searchsorted(time[order], times, side="left")
    weight = (case * np.exp(linear_predictor))[order]
    total = np.cumsum(weight[::-1])[::-1][start]
    weighted = np.cumsum((weight[:, np.newaxis] * columns[order])[::-1], axis=0)[::-1][start]
    step = deaths / total
    passed = np.searchsorted(times, horizons, side="right")
    return HazardSpread(
        horizons=horizons,
        hazard=_by(passed, step),
        variance=_by(passed, step / total),
        pull=_by(passed, (step / total)[:, np.newaxis] * weighted),
    )


def anchored(spread: HazardSpread, model: CoxModel) -> HazardSpread:
    """Scale a spread to the baseline of a model that was pooled over imputed copies.

    Its baseline is a mean over copies made with the outcome known; the sums of `hazard_spread` are
    of one design matrix. Hazard, variance and pull are scaled so that the hazards are the model's.
    """
    passed = np.searchsorted(model.baseline_time_, spread.horizons, side="right")
    own = np.concatenate([[0.0], model.baseline_hazard_])[passed]
    ratio = np.ones(len(own))
    np.divide(own, spread.hazard, out=ratio, where=spread.hazard > 0)
    return HazardSpread(
        horizons=spread.horizons,
        hazard=own,
        variance=spread.variance * ratio**2,
        pull=spread.pull * ratio[:, np.newaxis],
    )


def _by(passed: NDArray[np.intp], steps: Floats) -> Floats:
    """Sum the first `passed` of the steps."""
    sums = np.concatenate([np.zeros((1, *steps.shape[1:])), np.cumsum(steps, axis=0)])
    return np.asarray(sums[passed], dtype=np.float64)


def risk_interval(
    model: CoxModel | LogisticModel | BoostedModel,
    X: pd.DataFrame,
    *,
    horizon: float | None,
    level: float,
    spread: HazardSpread | StrataSpread | None = None,
) -> tuple[Floats, Floats]:
    """Give lower and upper end of each patient's risk.

    Parameters
    ----------
    model : CoxModel, LogisticModel or BoostedModel
        Fitted.
    X : DataFrame of shape (n_patients, p)
        Design matrix of any patients, with the column of the model's strata.
    horizon : float or None
        One of `spread.horizons`; None for a binary outcome.
    level : float
        Such as .95.
    spread : HazardSpread or StrataSpread, optional
        Needed for a CoxModel.

    Returns
    -------
    lower, upper : ndarray of shape (n_patients,)
        In [0, 1]. NaN where there is no interval: of boosted trees, by a horizon before the first
        event, beyond the last follow-up, or where a column is missing.

    Raises
    ------
    ValueError
        If a Cox model comes without a spread, or the spread does not hold the horizon.

    Examples
    --------
    Of four patients with x = 1 three fell ill: the interval of that share on the log-odds scale.

    >>> X = pd.DataFrame({"exposed": [1.0] * 4 + [0.0] * 4})
    >>> model = LogisticModel().fit(X, np.array([1, 1, 1, 0, 1, 0, 0, 0], dtype=bool))
    >>> lower, upper = risk_interval(model, X.iloc[:1], horizon=None, level=0.95)
    >>> lower.round(3).tolist(), upper.round(3).tolist()
    ([0.238], [0.966])
    """
    z = float(norm.ppf((1 + check_level(level)) / 2))
    if isinstance(model, BoostedModel):
        return np.full(len(X), np.nan), np.full(len(X), np.nan)
    if isinstance(model, LogisticModel):
        columns = read_same_design(X, tuple(model.feature_names_in_))
        rows = np.column_stack([np.ones(len(columns)), columns])
        half = z * np.sqrt(np.einsum("ij,jk,ik->i", rows, model.covariance_, rows))
        eta = model.linear_predictor(X)
        return np.asarray(expit(eta - half)), np.asarray(expit(eta + half))
    spreads = spread.spreads if isinstance(spread, StrataSpread) else (spread,)
    if len(spreads) != len(model.strata_):
        raise ValueError(
            f"spread must hold the {len(model.strata_)} strata of the model, but it holds "
            f"{len(spreads)}. Use models.intervals.hazard_spread on the development patients."
        )
    columns, stratum = model.columns_of(X), model.strata_of(X)
    half = np.full(len(X), np.nan)
    for place, one in enumerate(spreads):
        own = stratum == place
        half[own] = z * _error_of_log_hazard(model, columns[own], one, horizon)
    with np.errstate(over="ignore", divide="ignore"):  # an infinite hazard is a risk of 1
        log_hazard = np.log(-np.log1p(-model.risk(X, horizon=horizon)))
        lower, upper = (-np.expm1(-np.exp(log_hazard + sign * half)) for sign in (-1, 1))
    return np.asarray(lower), np.asarray(upper)


def _error_of_log_hazard(
    model: CoxModel, columns: Floats, spread: HazardSpread | None, horizon: float | None
) -> Floats:
    """Give the standard error of each patient's log cumulative hazard; NaN before any event."""
    if spread is None or horizon not in spread.horizons:
        raise ValueError(
            f"spread must hold the horizon of a Cox model's risk, but {horizon} is none of "
            f"{[] if spread is None else spread.horizons.tolist()}. Use models.intervals."
            "hazard_spread on the development patients."
        )
    place = spread.horizons.tolist().index(horizon)
    hazard = spread.hazard[place]
    if hazard == 0:
        return np.full(len(columns), np.nan)
    pull = columns * hazard - spread.pull[place]
    through = np.einsum("ij,jk,ik->i", pull, model.covariance_, pull)
    return np.asarray(np.sqrt(spread.variance[place] + through) / hazard)


def drawn_risk_interval(
    model: CoxModel | LogisticModel,
    drawn: Floats,
    *,
    horizon: float | None,
    level: float,
    spread: HazardSpread | StrataSpread | None = None,
) -> tuple[Floats, Floats]:
    """Give lower and upper end of the risk of patients whose gaps were drawn.

    Rubin's rules on the scale of the model (log hazard or log odds), round the mean risk: variance
    within the draws plus (1 + 1 / n_draws) times that between them.

    Parameters
    ----------
    model : CoxModel or LogisticModel
        Fitted.
    drawn : ndarray of shape (n_draws, n_patients, p)
        Design rows, from `Design.transform_with_draws`.
    horizon, level, spread
        As `risk_interval` takes them.

    Returns
    -------
    lower, upper : ndarray of shape (n_patients,)
        NaN where `risk_interval` gives NaN.
    """
    n_draws, n_patients, p = drawn.shape
    flat = pd.DataFrame(drawn.reshape(-1, p), columns=list(model.feature_names_in_))
    ends = risk_interval(model, flat, horizon=horizon, level=level, spread=spread)
    risk = model.risk(flat, horizon=horizon)
    z = float(norm.ppf((1 + check_level(level)) / 2))
    scale, back = (_log_hazard, _risk) if isinstance(model, CoxModel) else (logit, expit)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # risks of 0 and 1
        lower, upper, each = (scale(part).reshape(n_draws, n_patients) for part in (*ends, risk))
        within = ((upper - lower) / (2 * z)) ** 2
        between = each.var(axis=0, ddof=1)
        half = z * np.sqrt(within.mean(axis=0) + (1 + 1 / n_draws) * between)
        centre = scale(risk.reshape(n_draws, n_patients).mean(axis=0))
        return np.asarray(back(centre - half)), np.asarray(back(centre + half))


def _log_hazard(risk: Floats) -> Floats:
    return np.asarray(np.log(-np.log1p(-risk)))


def _risk(log_hazard: Floats) -> Floats:
    return np.asarray(-np.expm1(-np.exp(log_hazard)))
