"""What a linear predictor means for the patient: risk by a horizon, and median survival.

A stratified Cox model has one such function, and so one axis, per stratum.

References
----------
Harrell FE. Regression Modeling Strategies, 2nd ed. Springer 2015, section 5.4.
doi:10.1007/978-3-319-19425-7
"""

import warnings
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from models.cox import CoxModel
from models.logistic import LogisticModel
from models.scales import Curve
from omics.errors import ExtrapolationWarning

Floats = NDArray[np.float64]
Hazards = dict[float, tuple[float, ...]]  # horizon -> cumulative baseline hazard of each stratum


def event_risk(lp: Floats, cumulative_hazard: float | Floats) -> Floats:
    """Give 1 - S0 ** exp(lp), without loss of digits where it is small."""
    return np.asarray(-np.expm1(-cumulative_hazard * np.exp(lp)))


def event_probability(lp: Floats) -> Floats:
    """Give the probability at log odds `lp`."""
    return np.asarray(expit(lp))


def baseline_hazards(model: CoxModel | LogisticModel, horizons: Sequence[float]) -> Hazards:
    """Give the cumulative baseline hazard by each horizon that can have an axis; warn of others.

    Of a stratum that can have none at a horizon it is NaN; such a horizon is left out only where
    this holds for all.
    """
    if not isinstance(model, CoxModel):
        if len(horizons):
            raise ValueError(
                f"horizons must be left out for a binary outcome, but {list(horizons)} came. "
                "A logistic model has no time."
            )
        return {}
    hazards = {}
    for horizon in horizons:
        if not (np.isfinite(horizon) and horizon > 0):
            raise ValueError(f"horizons must be times above zero, but {horizon} came.")
        found = tuple(_hazard(model, float(horizon), place) for place in range(len(model.strata_)))
        if not np.isnan(found).all():
            hazards[float(horizon)] = found
    return hazards


def _hazard(model: CoxModel, horizon: float, place: int) -> float:
    """Give one stratum's hazard; NaN, and a warning, where it can have no axis."""
    time, hazard = model.baseline(model.strata_[place])
    n_times = int(np.searchsorted(time, horizon, side="right"))
    by_horizon = float(hazard[n_times - 1]) if n_times else 0.0
    why = _why_no_axis(horizon, by_horizon, float(model.last_times_[place]))
    if not why:
        return by_horizon
    who = "" if model.strata is None else f" of {_stratum(model, place)}"
    warnings.warn(
        f"the nomogram has no axis for the risk by {horizon:g}{who}: {why}.",
        ExtrapolationWarning,
        stacklevel=4,
    )
    return float("nan")


def _why_no_axis(horizon: float, hazard: float, last: float) -> str:
    if horizon > last:
        return f"follow-up ended at {last:g}"
    return "" if hazard > 0 else "no patient had the event by then"


def risk_curves(model: CoxModel | LogisticModel, hazards: Hazards, unit: str | None) -> list[Curve]:
    """Give a function of the linear predictor for each risk, stratum by stratum."""
    if not isinstance(model, CoxModel):
        return [Curve(axis="Risk", kind="risk", function=event_probability)]
    spaced = f" {unit}" if unit else ""
    return [
        Curve(
            axis=_named(f"Risk by {horizon:g}{spaced}", model, place),
            kind="risk",
            function=partial(event_risk, cumulative_hazard=hazard),
            horizon=horizon,
            where=_stratum(model, place),
        )
        for horizon, by_stratum in hazards.items()
        for place, hazard in enumerate(by_stratum)
        if not np.isnan(hazard)
    ]


def median_curves(model: CoxModel | LogisticModel, unit: str | None) -> list[Curve]:
    """Give the median survival as a function of the linear predictor, stratum by stratum."""
    if not isinstance(model, CoxModel):
        return []
    name = f"Median survival ({unit})" if unit else "Median survival"
    return [
        Curve(
            axis=_named(name, model, place),
            kind="survival_median",
            function=_median_of(*model.baseline(label)),
            where=_stratum(model, place),
        )
        for place, label in enumerate(model.strata_)
    ]


def _median_of(time: Floats, hazard: Floats) -> Callable[[Floats], Floats]:
    times = np.append(time, np.nan)  # NaN: never

    def median(lp: Floats) -> Floats:
        return np.asarray(times[np.searchsorted(hazard, np.log(2) * np.exp(-lp))])

    return median


def _stratum(model: CoxModel, place: int) -> str:
    return "" if model.strata is None else f"{model.strata}={model.strata_[place]}"


def _named(axis: str, model: CoxModel, place: int) -> str:
    stratum = _stratum(model, place)
    return f"{axis} ({stratum})" if stratum else axis
