"""How often a 95 % interval of an external validation holds the truth, by simulation.

A frozen model whose risks are too extreme (true slope 1 / 1.2) is validated on many samples of new
patients, as `performance` does it: percentile bootstrap of the evaluated patients. The truth is the
same figure in 200 000 patients.

    python benchmarks/coverage.py [simulations] [patients] [jobs]
"""

import sys

import joblib
import numpy as np
import pandas as pd

from models.evaluation import Sample
from models.performance import _evaluate
from models.scores import Predictions, all_scores
from models.validation import Plan
from omics.outcome import survival_outcome

HORIZON, STEEP, DRAWS = 12.0, 1.2, 200
MANY = 200_000


def new_patients(n: int, rng: np.random.Generator) -> Predictions:
    """Draw patients with exponential survival, and the risks of a model too sure of itself."""
    eta = 0.8 * rng.standard_normal(n)
    death, censored = rng.exponential(15 * np.exp(-eta)), rng.uniform(4, 40, n)
    score = STEEP * eta
    risk = -np.expm1(-HORIZON / 15 * np.exp(score))
    return Predictions(
        y=survival_outcome(np.minimum(death, censored), death <= censored),
        linear_predictor=score,
        risk=risk[:, np.newaxis],
        horizons=(HORIZON,),
    )


def intervals(n: int, seed: int) -> pd.DataFrame:
    """Give the intervals of one simulated external cohort."""
    sample = Sample(
        model="m",
        cohort="new",
        validation="external",
        predictions=new_patients(n, np.random.default_rng(seed)),
        out_of_fold=None,
        group=None,
        positions=np.arange(n),
    )
    # another seed than the patients': the draws must not depend on them
    return _evaluate(sample, Plan(draws=DRAWS, seed=seed + MANY), np.array([0.2]))[0]


def main(simulations: int = 500, n_patients: int = 250, n_jobs: int = 2) -> None:
    """Print coverage, with its standard error, and misses on either side."""
    truth = all_scores(new_patients(MANY, np.random.default_rng(0)))
    true_value = {key.metric: value for key, value in truth.items()}
    found = pd.concat(
        joblib.Parallel(n_jobs=n_jobs)(
            joblib.delayed(intervals)(n_patients, seed) for seed in range(1, simulations + 1)
        )
    )
    found["truth"] = found["metric"].map(true_value)
    found["below"] = found["upper"] < found["truth"]
    found["above"] = found["lower"] > found["truth"]
    table = found.groupby("metric", sort=False)[["truth", "estimate", "below", "above"]].mean()
    table["coverage"] = 1 - table["below"] - table["above"]
    table["standard_error"] = np.sqrt(table["coverage"] * (1 - table["coverage"]) / simulations)
    print(f"{simulations} simulations, {n_patients} patients, {DRAWS} draws")
    print(table.round(4).to_string())


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
