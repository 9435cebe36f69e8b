"""The doors of the metrics: follow-up, predictions and horizons, checked once and alike.

A model answers NaN where it cannot know: a risk at a horizon beyond its own last follow-up. That is
no mistake of the caller, so a prediction may be NaN, and then the figure is NaN: no metric leaves a
patient out in silence. Anything else that is no number, no probability or no time is refused.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omics.checks import (
    check_event,
    check_numbers,
    check_probability,
    check_same_length,
    check_time,
)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def check_followup(time: ArrayLike, event: ArrayLike) -> tuple[Floats, Flags]:
    """Return `time` (above zero) and `event` (True where observed), of one length, not empty."""
    times, events = check_time(time, "time"), check_event(event, "event")
    check_same_length(time=times, event=events)
    check_some_patients(times, "time")
    return times, events


def check_causes(time: ArrayLike, cause: ArrayLike) -> tuple[Floats, NDArray[np.int64]]:
    """Return `time` (above zero) and `cause` (0 censored, else 1, 2, ...), of one length."""
    times, causes = check_time(time, "time"), check_numbers(cause, "cause")
    wrong = (causes < 0) | (causes != np.floor(causes))
    if wrong.any():
        raise ValueError(
            "cause must be a whole number, 0 where censored and 1, 2, ... where an event was "
            f"observed, but {wrong.sum()} of {causes.size} values are not (first: "
            f"{causes[wrong][0]:g} at position {wrong.argmax()}). Number the causes."
        )
    check_same_length(time=times, cause=causes)
    check_some_patients(times, "time")
    return times, causes.astype(np.int64)


def check_survival_risks(
    time: ArrayLike, event: ArrayLike, risk: ArrayLike
) -> tuple[Floats, Flags, Floats]:
    """Return follow-up and a risk per patient, of one length."""
    times, events = check_followup(time, event)
    risks = check_risk(risk)
    check_same_length(time=times, event=events, risk=risks)
    return times, events, risks


def check_binary_risks(event: ArrayLike, risk: ArrayLike) -> tuple[Flags, Floats]:
    """Return a binary outcome and a risk per patient, of one length, not empty."""
    events, risks = check_event(event, "event"), check_risk(risk)
    check_same_length(event=events, risk=risks)
    check_some_patients(events, "event")
    return events, risks


def check_some_patients(array: NDArray[Any], name: str) -> None:
    """Raise if `array` holds no patient."""
    if len(array) == 0:
        raise ValueError(f"{name} must hold at least one patient, but it is empty.")


def check_risk(values: ArrayLike, name: str = "risk") -> Floats:
    """Return a probability per patient; NaN passes."""
    return _check_known(values, name, check_probability)


def check_score(values: ArrayLike, name: str = "linear_predictor") -> Floats:
    """Return a finite number per patient; NaN passes."""
    return _check_known(values, name, check_numbers)


def _check_known(values: ArrayLike, name: str, check: Callable[[ArrayLike, str], Floats]) -> Floats:
    """Run `check`; where it might stumble over NaN, show it zeros in their place."""
    array = np.asarray(values, dtype=np.float64)
    missing = np.isnan(array)
    if missing.any():
        check(np.where(missing, 0.0, array), name)
        return array
    return check(array, name)


def check_horizon(value: float, name: str = "horizon") -> float:
    """Return a time above zero."""
    number = float(value)
    if not 0 < number < np.inf:
        raise ValueError(
            f"{name} must be a time above zero, but {value} came. "
            "Give it in the unit of the follow-up times."
        )
    return number


def check_asked_horizon(value: float | None, last: float) -> float:
    """Return the horizon at which a survival risk is asked; `last` is the last follow-up."""
    if value is None:
        raise ValueError(
            "horizon must be stated, but None came. A survival risk has a time: "
            f"risk(X, horizon=t), t up to {last:g}."
        )
    return check_horizon(value)


def check_level(value: float) -> float:
    """Return the level of an interval, strictly between 0 and 1."""
    number = float(value)
    if not 0 < number < 1:
        raise ValueError(f"level must lie between 0 and 1, but {value} came. Use 0.95 for 95 %.")
    return number
