"""Correlations of many features with tumour volume, and their intervals, beside R.

python -m benchmarks.volume [number of patients, 300] [number of features, 2000]
"""

import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from benchmarks.beside_r import table, time_here, time_in_r, versions
from models.volume_surrogates import volume_surrogates

SETUP = """
intervals <- function(d) {
  volume <- d[, 1]; features <- d[, -1]
  r <- cor(features, volume, method = "spearman", use = "pairwise.complete.obs")[, 1]
  n <- colSums(!is.na(features) & !is.na(volume))
  reach <- qnorm(0.975) * sqrt((1 + r^2 / 2) / (n - 3))
  data.frame(r, lower = tanh(atanh(r) - reach), upper = tanh(atanh(r) + reach))
}
"""
CALLS = {
    "volume surrogates, no gap": "intervals(whole)",
    "volume surrogates, a patient without each feature": "intervals(gaps)",
}


def simulated(n: int, p: int, *, gaps: bool) -> pd.DataFrame:
    """Draw a volume and features; with gaps, each feature lacks one patient."""
    rng = np.random.default_rng(5)
    volume = rng.exponential(size=n)
    values = rng.normal(size=(n, p)) + volume[:, np.newaxis] * np.linspace(-1, 1, p)
    if gaps:
        values[rng.integers(0, n, p), np.arange(p)] = np.nan
    found = pd.DataFrame(values, columns=[f"original_glcm_F{j}" for j in range(p)])
    found.insert(0, "original_shape_MeshVolume", volume)
    return found


def main() -> None:
    """Print seconds of ours and of R."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    p = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    data = {name: simulated(n, p, gaps=name == "gaps") for name in ("whole", "gaps")}
    here = {
        what: time_here(lambda d=one: volume_surrogates(d))
        for what, one in zip(CALLS, data.values(), strict=True)
    }
    packages = ["stats"]
    print(versions(packages))
    print(table(here, time_in_r(data, SETUP, CALLS, packages=packages)).to_string(index=False))


if __name__ == "__main__":
    main()
