"""R's figures of the metrics (metrics.R), its simulated patients, and the rotterdam-gbsg sample."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.cox_fit import cox_fit
from models.splines import restricted_cubic_spline
from tests.realdata import DATA

REFERENCE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "reference" / "metrics.json").read_text()
)
R = REFERENCE["simulated"]
TIME = np.array(R["data"]["time"], dtype=float)
EVENT = np.array(R["data"]["event"], dtype=bool)
SCORE = np.array(R["data"]["lp"])
RISK = np.array(R["data"]["risk"])  # (3 horizons, 90 patients)
HORIZONS: list[float] = R["data"]["horizons"]
POSITIVE = np.array(R["data"]["y"], dtype=bool)
PROBABILITY = np.array(R["data"]["p"])
Floats = NDArray[np.float64]


class Sample(NamedTuple):
    time: Floats
    event: NDArray[np.bool_]
    score: Floats


@st.composite
def samples(draw: st.DrawFn, *, min_size: int = 2, max_size: int = 25) -> Sample:
    """Draw patients with many tied times and scores, one of them with the event."""
    n = draw(st.integers(min_size, max_size))
    times = draw(st.lists(st.integers(1, 8), min_size=n, max_size=n))
    events = draw(st.lists(st.booleans(), min_size=n - 1, max_size=n - 1))
    scores = draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n))
    return Sample(np.array(times, float), np.array([True, *events]), np.array(scores, float))


class Validation(NamedTuple):
    time: Floats
    event: NDArray[np.bool_]
    linear_predictor: Floats
    risk: Floats
    coef: Floats
    development: Sample


def rotterdam_to_gbsg(*, horizon: float) -> Validation:
    """Fit the published model in rotterdam and predict gbsg; follow-up cut at 5 years."""
    r = pd.read_csv(DATA / "survival" / "rotterdam.csv")
    late = (r["recur"] == 0) & (r["death"] == 1) & (r["rtime"] < r["dtime"])
    time, event = _cut(np.where(late, r["dtime"], r["rtime"]), r[["recur", "death"]].max(axis=1))
    sizes = pd.Categorical(r["size"], categories=["<=20", "20-50", ">50"]).codes
    x = _design(r, np.asarray(sizes))
    fit = cox_fit(x, time, event)

    g = pd.read_csv(DATA / "survival" / "gbsg.csv")
    g_time, g_event = _cut(g["rfstime"], g["status"])
    g_x = _design(g, np.digitize(g["size"], [20, 50], right=True))
    hazard = _efron_baseline(x @ fit.coef, time, event, horizon)
    score = g_x @ fit.coef
    return Validation(
        time=g_time,
        event=g_event,
        linear_predictor=score,
        risk=-np.expm1(-hazard * np.exp(score)),
        coef=fit.coef,
        development=Sample(time, event, x @ fit.coef),
    )


def _cut(days: Any, event: Any) -> tuple[Floats, NDArray[np.bool_]]:
    years = np.asarray(days, float) / 365.25
    return np.minimum(years, 5), np.where(years > 5, 0, np.asarray(event)).astype(bool)


def _design(table: pd.DataFrame, size: NDArray[Any]) -> Floats:
    nodes = restricted_cubic_spline(np.minimum(table["nodes"], 19), [0, 1, 9])
    return np.column_stack([size == 1, size == 2, nodes, table["grade"] == 3]).astype(float)


def _efron_baseline(score: Floats, time: Floats, event: NDArray[np.bool_], horizon: float) -> float:
    """R's basehaz of a coxph with Efron's ties, at linear predictor 0."""
    total = 0.0
    for t in np.unique(time[event & (time <= horizon)]):
        at_risk = np.exp(score[time >= t]).sum()
        dying = np.exp(score[event & (time == t)])
        total += sum(1 / (at_risk - r / len(dying) * dying.sum()) for r in range(len(dying)))
    return total
