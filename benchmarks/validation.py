"""Optimism and corrected calibration beside rms::validate and calibrate: gbsg, B = 1000.

python -m benchmarks.validation [path of gbsg.csv]
"""

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from benchmarks.beside_r import table, time_here, time_in_r, versions
from models.corrected_calibration import (
    cox_calibration,
    cox_group_calibration,
    logistic_calibration,
)
from models.many_cox import fit_many_cox
from models.optimism import cox_optimism, logistic_optimism
from models.resample_counts import bootstrap_counts
from models.validation_indexes import RMS

COLUMNS = ["age", "meno", "size", "grade", "nodes", "pgr", "er", "hormon"]
SETUP = """
S <- with(d, Surv(rfstime, status))
fit <- cph(S ~ age + meno + size + grade + nodes + pgr + er + hormon, d, x = TRUE, y = TRUE)
"""


def main() -> None:
    """Print seconds of ours and of rms."""
    path = sys.argv[1] if len(sys.argv) > 1 else "../shared/data/survival/gbsg.csv"
    d = pd.read_csv(path)
    x, time, event = d[COLUMNS].to_numpy(float), d["rfstime"], d["status"] == 1
    counts = bootstrap_counts(len(d), resamples=1000, seed=1)
    converged = "validate, B = 1000, refits to convergence"
    as_rms = "validate, B = 1000, refits stopped as rms does"
    here = {
        converged: time_here(lambda: cox_optimism(x, time, event, counts), repeats=3),
        as_rms: time_here(lambda: cox_optimism(x, time, event, counts, stopping=RMS), repeats=3),
        "the 1000 fits of it": time_here(lambda: fit_many_cox(x, time, event, counts), repeats=3),
    }
    call = "rms::validate(fit, B = 1000)"
    r = time_in_r({"d": d}, SETUP, {as_rms: call}, packages=["rms"], repeats=1)
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
