"""Cox regression beside R's coxph.

python -m benchmarks.cox
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from benchmarks.beside_r import table, time_here, time_in_r, versions
from models.cox_fit import cox_fit

SIZES = {"Cox fit, n = 500, p = 8": (500, 8), "Cox fit, n = 5,000, p = 20": (5000, 20)}


def patients(n: int, p: int) -> pd.DataFrame:
    """Draw patients with censoring and a few tied times."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, p))
    latent = rng.exponential(size=n) * np.exp(-x @ np.full(p, 0.2))
    follow = rng.uniform(0.2, 4, n)
    table = pd.DataFrame(x, columns=[f"x{j}" for j in range(p)])
    time = np.round(np.minimum(latent, follow), 4) + 1e-4
    return table.assign(time=time, event=(latent <= follow).astype(int))


def seconds(data: pd.DataFrame) -> float:
    """Time one fit."""
    x = data.drop(columns=["time", "event"]).to_numpy()
    time, event = data["time"].to_numpy(), data["event"].to_numpy()
    return time_here(lambda: cox_fit(x, time, event))


def main() -> None:
    """Print seconds of ours and of coxph."""
    cohorts = {what: patients(*size) for what, size in SIZES.items()}
    here = {what: seconds(data) for what, data in cohorts.items()}
    names = {what: f"d{k}" for k, what in enumerate(cohorts)}
    calls = {what: f"coxph(Surv(time, event) ~ ., {name})" for what, name in names.items()}
    data = {names[what]: cohort for what, cohort in cohorts.items()}
    r = time_in_r(data, "", calls, packages=["survival"])
    print(versions(["survival"]))
    print(table(here, r).to_string(index=False))


if __name__ == "__main__":
    main()
