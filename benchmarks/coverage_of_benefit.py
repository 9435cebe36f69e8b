"""How many patients must be treated for the interval of a net benefit to hold the truth.

The binary patients of `benchmarks.coverage`; percentiles of 200 bootstrap draws, as a report has
them, and the standard error's interval, by threshold and number of patients.

    python -m benchmarks.coverage_of_benefit [simulations]
"""

import sys

import numpy as np
import pandas as pd

from benchmarks.coverage import DRAWS, NORMAL, new_patients

THRESHOLDS = np.array([0.3, 0.5, 0.6, 0.7])
SIZES = (100, 300, 500, 1000)
MANY = 2_000_000


def benefits(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Give each new patient's part of the net benefit, (n, n_thresholds), and who is treated."""
    p = new_patients("binary", n, rng)
    treated, event = p.risk >= THRESHOLDS, p.y[:, np.newaxis]
    return treated * (event - ~event * THRESHOLDS / (1 - THRESHOLDS)), treated


def coverage(n: int, simulations: int, truth: np.ndarray) -> pd.DataFrame:
    """Simulate one number of patients."""
    found = np.zeros((3, len(THRESHOLDS)))
    for seed in range(1, simulations + 1):
        rng = np.random.default_rng(seed)
        parts, treated = benefits(n, rng)
        drawn = rng.multinomial(n, np.full(n, 1 / n), DRAWS) @ parts / n
        lower, upper = np.quantile(drawn, [0.025, 0.975], axis=0, method="weibull")
        half = NORMAL * parts.std(axis=0) / np.sqrt(n)
        found[0] += treated.sum(axis=0)
        found[1] += (lower <= truth) & (truth <= upper)
        found[2] += np.abs(parts.mean(axis=0) - truth) <= half
    columns = dict(zip(("treated", "bootstrap", "formula"), found / simulations, strict=True))
    return pd.DataFrame({"n_patients": n, "threshold": THRESHOLDS} | columns)


def main(simulations: int = 1500) -> None:
    """Print coverage beside the mean number of patients treated."""
    truth = benefits(MANY, np.random.default_rng(0))[0].mean(axis=0)
    found = pd.concat([coverage(n, simulations, truth) for n in SIZES])
    print(found.sort_values("treated").round(3).to_string(index=False))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
