"""ComBat beside R's sva: 1,000 features of 300 patients at five centres, in one run.

Run as `python -m benchmarks.harmonise` (`nonparametric` also times that prior, slow in R).
"""

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from benchmarks.beside_r import table, time_here, time_in_r, versions
from omics.harmonise import ComBat

N_PATIENTS, N_FEATURES, N_CENTRES = 300, 1000, 5
SETUP = """
dat <- t(as.matrix(values)); mod <- model.matrix(~ age, covariates)
batch <- covariates$centre
quiet <- function(call) invisible(capture.output(suppressMessages(call)))
"""
CALLS = {
    "parametric": "quiet(ComBat(dat, batch))",
    "parametric, a covariate": "quiet(ComBat(dat, batch, mod))",
    "parametric, gaps": "quiet(ComBat(gaps, batch))",
    "means alone": "quiet(ComBat(dat, batch, mean.only = TRUE))",
}
SLOW = {"non-parametric": "quiet(ComBat(dat, batch, par.prior = FALSE))"}


def made(seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Features with a shift and a scale by centre, and the table of centre and age."""
    rng = np.random.default_rng(seed)
    centre = np.sort(rng.integers(N_CENTRES, size=N_PATIENTS))
    shift, scale = rng.normal(size=(2, N_CENTRES, N_FEATURES))
    values = rng.normal(size=(N_PATIENTS, N_FEATURES)) * np.exp(0.3 * scale[centre])
    values = pd.DataFrame(values + shift[centre], columns=[f"f{j}" for j in range(N_FEATURES)])
    age = rng.normal(60, 10, N_PATIENTS)
    return values, pd.DataFrame({"centre": [f"C{k}" for k in centre], "age": age})


def main() -> None:
    values, covariates = made()
    X = values.add_prefix("mri:").assign(
        **{"meta:centre": pd.Categorical(covariates["centre"]), "clinical:age": covariates["age"]}
    )
    gaps = X.copy()
    gaps.iloc[::7, ::11] = np.nan
    setup = SETUP + "gaps <- dat; gaps[seq(1, 1000, 11), seq(1, 300, 7)] <- NA\n"
    combat = partial(ComBat, ["mri"], new_centre="refuse")
    here: dict[str, Callable[[], object]] = {
        "parametric": lambda: combat().fit(X).transform(X),
        "parametric, a covariate": lambda: combat(covariates=["clinical:age"]).fit(X).transform(X),
        "parametric, gaps": lambda: combat().fit(gaps).transform(gaps),
        "means alone": lambda: combat(mean_only=True).fit(X).transform(X),
    }
    calls = dict(CALLS)
    if "nonparametric" in sys.argv[1:]:
        here["non-parametric"] = lambda: combat(parametric=False).fit(X).transform(X)
        calls |= SLOW
    times = {what: time_here(call) for what, call in here.items()}
    data = {"values": values, "covariates": covariates}
    in_r = time_in_r(data, setup, calls, packages=["sva"], repeats=1)
    print(table(times, in_r).round(4).to_string(index=False))
    print(versions(["sva"]))


if __name__ == "__main__":
    main()
