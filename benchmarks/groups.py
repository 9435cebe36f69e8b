"""Calibration by groups, its test, and NRI with IDI beside R, on simulated patients.

python -m benchmarks.groups [number of patients, 500]
"""

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from benchmarks.beside_r import table, time_here, time_in_r, versions
from models.calibration_groups import calibration_groups_at, cut_by_size
from models.hosmer_lemeshow import hosmer_lemeshow_at
from models.reclassification import reclassification, reclassification_at

HORIZON = 5.0
SETUP = """
S <- Surv(d$time, d$event)
gnd <- function(p, g) {
  group <- cut(p, unique(quantile(p, seq(0, 1, 1 / g))), include.lowest = TRUE)
  parts <- t(sapply(levels(group), function(k) {
    s <- summary(survfit(S[group == k] ~ 1), times = 5)
    c(s$surv, s$std.err, mean(p[group == k]))
  }))
  sum((1 - parts[, 1] - parts[, 3])^2 / parts[, 2]^2)
}
km <- function(i) summary(survfit(S[i] ~ 1), times = 5)$surv
nri <- function(p, q) {
  up <- p > q; down <- p < q; n <- length(p); s <- km(rep(TRUE, n)); su <- km(up); sd <- km(down)
  c((sum(up) * (1 - su) - sum(down) * (1 - sd)) / (n * (1 - s)),
    (sum(down) * sd - sum(up) * su) / (n * s))
}
"""
CALLS = {
    "calibration in 5 groups by a horizon": "groupkm(1 - d$new, S, g = 5, u = 5)",
    "Greenwood-Nam-D'Agostino, 10 groups": "gnd(d$new, 10)",
    "NRI and IDI, binary": "improveProb(d$old, d$new, d$y)",
    "NRI by a horizon": "nri(d$new, d$old)",
}


def simulated(n: int) -> pd.DataFrame:
    """Draw follow-up, a class, and risks by a smaller and a larger model."""
    rng = np.random.default_rng(4)
    x, z = rng.normal(size=(2, n))
    hazard = 0.1 * np.exp(x + 0.5 * z)
    death, censored = rng.exponential(1 / hazard), rng.uniform(3, 14, n)
    return pd.DataFrame(
        {
            "time": np.minimum(death, censored),
            "event": (death <= censored).astype(int),
            "y": (death <= HORIZON).astype(int),
            "old": -np.expm1(-0.11 * np.exp(x) * HORIZON),
            "new": -np.expm1(-hazard * HORIZON),
        }
    )


def main() -> None:
    """Print seconds of ours and of R."""
    d = simulated(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
    followed = [d[name].to_numpy() for name in ("time", "event", "new")]
    y, new, old = (d[name].to_numpy() for name in ("y", "new", "old"))
    calls = [
        lambda: calibration_groups_at(
            *followed, horizon=HORIZON, cut_points=cut_by_size(new, groups=5)
        ),
        lambda: hosmer_lemeshow_at(*followed, horizon=HORIZON, fitted_here=False),
        lambda: reclassification(y, new, old),
        lambda: reclassification_at(*followed, old, horizon=HORIZON),
    ]
    here = {name: time_here(call) for name, call in zip(CALLS, calls, strict=True)}
    packages = ["survival", "rms", "Hmisc"]
    print(versions(packages))
    print(table(here, time_in_r({"d": d}, SETUP, CALLS, packages=packages)).to_string(index=False))


if __name__ == "__main__":
    main()
