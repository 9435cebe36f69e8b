"""Times of concordance, AUC and Brier score with standard errors, beside R in one run.

python -m benchmarks.metrics
"""

import numpy as np
import pandas as pd

from benchmarks.beside_r import table, time_here, time_in_r, versions
from models.concordance import concordance_many
from models.measured import paired_difference
from models.roc import measured_roc_auc
from models.standard_errors import measured_auc_at, measured_brier_at, measured_c_index

PACKAGES = ("survival", "riskRegression", "pROC")
HORIZONS = (6.0, 12.0, 20.0)
SETUP = """
d <- small[, c("time", "event")]
a <- as.matrix(small[, c("a6", "a12", "a20")]); b <- as.matrix(small[, c("b6", "b12", "b20")])
"""


def patients(n: int, seed: int) -> pd.DataFrame:
    """Draw patients with exponential survival, and the risks of two models."""
    rng = np.random.default_rng(seed)
    score, other = rng.normal(size=(2, n))
    death, lost = rng.exponential(15 * np.exp(-score)), rng.uniform(2, 40, n)
    found = {"time": np.minimum(death, lost), "event": (death <= lost) * 1, "score": score}
    for horizon in HORIZONS:
        for name, shown in (("a", score), ("b", (score + other) / 2)):
            found[f"{name}{horizon:g}"] = -np.expm1(-horizon / 15 * np.exp(shown))
    return pd.DataFrame(found)


def both_models(d: pd.DataFrame) -> list[float]:
    """AUC and Brier score of two models at three horizons, and the tests between the two."""
    found = []
    for measure in (measured_auc_at, measured_brier_at):
        for horizon in HORIZONS:
            one, other = (
                measure(d["time"], d["event"], d[f"{name}{horizon:g}"], horizon=horizon)
                for name in "ab"
            )
            found.append(paired_difference(one, other).p_value)
    return found


def main() -> None:
    """Print seconds of ours and of R."""
    large, small = patients(50_000, 1), patients(350, 2)
    rng = np.random.default_rng(3)
    cohort = patients(700, 4)
    scores = rng.normal(size=(1000, 700))
    drawn = rng.multinomial(700, np.full(700, 1 / 700), 1000)
    both = np.stack([drawn, np.ones_like(drawn)])
    c_large, auc_and_brier, many, delong = (
        "C with SE, n = 50,000",
        "AUC(t), Brier(t) with SE and tests, 2 models, 3 horizons, n = 350",
        "C of 1000 resamples, in the resample and in all, n = 700",
        "AUC with DeLong's SE, n = 50,000",
    )
    here = {
        c_large: time_here(
            lambda: measured_c_index(large["time"], large["event"], large["score"]).standard_error
        ),
        auc_and_brier: time_here(lambda: both_models(small)),
        many: time_here(
            lambda: concordance_many(cohort["time"], cohort["event"], scores, both),
            repeats=3,
        ),
        delong: time_here(lambda: measured_roc_auc(large["event"], large["score"]).standard_error),
    }
    r = time_in_r(
        {"large": large, "small": small},
        SETUP,
        {
            c_large: "concordance(Surv(time, event) ~ score, large, reverse = TRUE)",
            auc_and_brier: (
                "Score(list(a = a, b = b), Surv(time, event) ~ 1, data = d, "
                "times = c(6, 12, 20), metrics = c('auc', 'brier'), se.fit = TRUE, "
                "conservative = FALSE, cens.model = 'km', null.model = FALSE)"
            ),
            delong: (
                "var(roc(large$event, large$score, quiet = TRUE, direction = '<', algorithm = 2))"
            ),
        },
        packages=PACKAGES,
        repeats=3,
    )
    print(versions(PACKAGES))
    print(table(here, r).to_string(index=False))


if __name__ == "__main__":
    main()
