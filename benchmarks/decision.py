"""Decision curves beside R: one Kaplan-Meier fit per threshold, as dcurves does it.

python -m benchmarks.decision
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from benchmarks.beside_r import table, time_here, time_in_r, versions
from models.decision import decision_curve, decision_curve_at, decision_curve_competing

SETUP = """
levels <- seq(.01, 1, by = .01) - .005
benefit <- function(fit) sapply(levels, function(p) {
  rows <- d$risk >= p
  if (!any(rows)) return(0)
  f <- fit(rows)
  mean(rows) * (f - (1 - f) * p / (1 - p))
})
km <- function(rows) 1 - summary(survfit(Surv(time, cause == 1) ~ 1, d[rows, ]), times = 12,
                                 extend = TRUE)$surv
aj <- function(rows) summary(survfit(Surv(time, factor(cause, 0:2)) ~ 1, d[rows, ]), times = 12,
                             extend = TRUE)$pstate[1, 2]
"""
R_CALLS = {"survival, 100 thresholds, n = 500": "benefit(km)"}
R_CALLS |= {"competing risks, 100 thresholds, n = 500": "benefit(aj)"}


def patients(n: int) -> pd.DataFrame:
    """Draw patients with two causes of events, and a risk that says something about the first."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=n)
    first, other = rng.exponential(25 * np.exp(-0.8 * x)), rng.exponential(50, n)
    follow = rng.uniform(3, 50, n)
    time = np.minimum(np.minimum(first, other), follow)
    cause = np.where(time == first, 1, np.where(time == other, 2, 0))
    return pd.DataFrame({"time": time, "cause": cause, "risk": -np.expm1(-0.4 * np.exp(0.8 * x))})


def main() -> None:
    """Print seconds of ours and of R."""
    d = patients(500)
    risk, time, cause = d["risk"], d["time"], d["cause"]
    given = {"horizon": 12.0, "thresholds": np.arange(0.005, 1, 0.01)}
    here = {
        "survival, 100 thresholds, n = 500": time_here(
            lambda: decision_curve_at(risk, time, cause == 1, **given)
        ),
        "competing risks, 100 thresholds, n = 500": time_here(
            lambda: decision_curve_competing(risk, time, cause, **given)
        ),
        "binary, 100 thresholds, n = 500": time_here(
            lambda: decision_curve(risk, cause == 1, thresholds=given["thresholds"])
        ),
    }
    print(versions(["survival"]))
    found = time_in_r({"d": d}, SETUP, R_CALLS, packages=["survival"], repeats=3)
    print(table(here, found).to_string(index=False))


if __name__ == "__main__":
    main()
