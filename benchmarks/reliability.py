"""Intraclass correlations with intervals beside R's psych, on simulated readings.

python -m benchmarks.reliability [features, 2000] [patients, 40] [readers, 2]

psych::ICC takes one feature a call; R's time is that of its own loop over the first 200 features
(or fewer), and stands for the same number here.
"""

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from benchmarks.beside_r import table, time_here, time_in_r, versions
from omics.bland_altman import bland_altman
from omics.intraclass import FORMS, coefficients, mean_squares
from omics.reliability import icc

IN_R = 200
SETUP = """
x <- as.matrix(d)
n <- nrow(x) / readers$k
of <- function(j) ICC(matrix(x[, j], n), missing = FALSE, lmer = FALSE)$results
"""


def main() -> None:
    """Print seconds of ours and of R."""
    features, patients, readers = (
        int(given) for given in (*sys.argv[1:], *("2000", "40", "2")[len(sys.argv) - 1 :])
    )
    rng = np.random.default_rng(0)
    readings = rng.normal(size=(patients, 1, features)) + 0.4 * rng.normal(
        size=(patients, readers, features)
    )
    some = min(features, IN_R)

    def every_form(array: np.ndarray) -> None:
        squares = mean_squares(array)
        for form in FORMS:
            coefficients(squares, form, level=0.95)

    what = f"all six forms, {some} features"
    here = {
        f"ICC(A,1), its table and summary, {features} features": time_here(
            lambda: icc(readings, form="ICC(A,1)")
        ),
        f"all six forms, {features} features": time_here(lambda: every_form(readings)),
        what: time_here(lambda: every_form(readings[:, :, :some])),
        f"Bland-Altman, {features} features": time_here(
            lambda: bland_altman(readings[:, 0], readings[:, 1])
        ),
    }
    long = pd.DataFrame(readings[:, :, :some].transpose(1, 0, 2).reshape(-1, some))
    data = {"d": long, "readers": pd.DataFrame({"k": [readers]})}
    call = f"for (j in seq_len({some})) of(j)"
    found = time_in_r(data, SETUP, {what: call}, packages=["psych"], repeats=1)
    print(f"{patients} patients, {readers} readers; {versions(['psych'])}")
    print(table(here, found).to_string(index=False))


if __name__ == "__main__":
    main()
