"""Optimism of a Cox regression beside rms: all indexes, and the calibration curve.

gbsg, 8 covariates, B = 1000; `validate`, and `calibrate` with its default smoother (hare; ours is a
Cox regression on a spline of the risk, see `models.corrected_calibration`).

python -m benchmarks.validation [path of gbsg.csv]
"""

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from benchmarks.beside_r import table, time_here, time_in_r, versions
from models.corrected_calibration import cox_calibration
from models.many_cox import fit_many_cox
from models.optimism import cox_optimism
from models.resample_counts import bootstrap_counts
from models.validation_indexes import RMS

COLUMNS = ["age", "meno", "size", "grade", "nodes", "pgr", "er", "hormon"]
SETUP = """
S <- with(d, Surv(rfstime, status))
fit <- cph(S ~ age + meno + size + grade + nodes + pgr + er + hormon, d, x = TRUE, y = TRUE,
           surv = TRUE, time.inc = 1095)
"""
HORIZON = 1095.0  # three years
VALIDATE = "rms::validate(fit, B = 1000)"
CALIBRATE = "rms::calibrate(fit, u = 1095, B = 1000)"


def main() -> None:
    """Print seconds of ours and of rms."""
    path = sys.argv[1] if len(sys.argv) > 1 else "../shared/data/survival/gbsg.csv"
    d = pd.read_csv(path)
    x, time, event = d[COLUMNS].to_numpy(float), d["rfstime"], d["status"] == 1
    counts = bootstrap_counts(len(d), resamples=1000, seed=1)
    converged = "validate, B = 1000, refits to convergence"
    as_rms = "validate, B = 1000, refits stopped as rms does"
    curve = "calibrate, B = 1000, one horizon"
    here = {
        converged: time_here(lambda: cox_optimism(x, time, event, counts), repeats=3),
        as_rms: time_here(lambda: cox_optimism(x, time, event, counts, stopping=RMS), repeats=3),
        curve: time_here(
            lambda: cox_calibration(x, time, event, counts, horizon=HORIZON), repeats=3
        ),
        "the 1000 fits of it": time_here(lambda: fit_many_cox(x, time, event, counts), repeats=3),
    }
    calls = {as_rms: VALIDATE, curve: CALIBRATE}
    r = time_in_r({"d": d}, SETUP, calls, packages=["rms"], repeats=1)
    if r:
        r[converged] = r[as_rms]
    print(versions(["rms", "survival"]))
    print(table(here, r).to_string(index=False))
    found = cox_optimism(x, time, event, counts)
    print(found.table.round(4).to_string(index=False))
    print(f"largest difference to the loose refits: {_difference(found, x, time, event, counts)}")


def _difference(found, x, time, event, counts):
    loose = cox_optimism(x, time, event, counts, stopping=RMS)
    return np.abs(found.table["corrected"] - loose.table["corrected"]).max().round(5)


if __name__ == "__main__":
    main()
