"""How the cost of five computations grows with the patients, 1,000 to 100,000.

python -m benchmarks.growth [--plot growth.html]

n log n is n^1.11 over this range. What a call costs however few the patients bends a line at its
left end, so the exponent is taken from 10,000 on, too.
"""

import argparse
import os
from collections.abc import Callable

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from benchmarks.beside_r import time_here
from models.cox_fit import cox_fit
from models.decision import decision_curve_at
from models.standard_errors import measured_auc_at, measured_brier_at, measured_c_index
from models.survival_curves import kaplan_meier

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
LARGE = 10_000
HORIZON = 12.0
THRESHOLDS = np.arange(0.005, 1, 0.01)


def calls(n: int) -> dict[str, Callable[[], object]]:
    """Simulate n patients with 8 covariates; give what is timed."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 8))
    score = x @ np.full(8, 0.3)
    death, follow = rng.exponential(25 * np.exp(-score)), rng.uniform(3, 50, n)
    time, event = np.minimum(death, follow), death <= follow
    risk = -np.expm1(-HORIZON / 25 * np.exp(score))
    return {
        "Cox fit, 8 covariates": lambda: cox_fit(x, time, event),
        "C with SE": lambda: measured_c_index(time, event, score).standard_error,
        "Kaplan-Meier": lambda: kaplan_meier(time, event),
        "AUC(t) and Brier(t) with SE": lambda: [
            measure(time, event, risk, horizon=HORIZON).standard_error
            for measure in (measured_auc_at, measured_brier_at)
        ],
        "decision curve, 100 thresholds": lambda: decision_curve_at(
            risk, time, event, horizon=HORIZON, thresholds=THRESHOLDS
        ),
    }


def exponent(seconds: pd.Series) -> float:
    """Give the power of n that seconds (by n) grow with."""
    return float(np.polyfit(np.log(seconds.index.to_numpy(float)), np.log(seconds), 1)[0])


def draw(found: pd.DataFrame, path: str) -> None:
    """Draw seconds by patients, and the slope of n log n, as one file of HTML."""
    import plotly.graph_objects as go

    sizes = found.index.to_numpy(float)
    figure = go.Figure()
    for what in found.columns:
        figure.add_scatter(x=sizes, y=found[what], name=what, mode="lines+markers")
    reference = found.iloc[-1].min() / 2 * sizes * np.log(sizes)
    reference /= sizes[-1] * np.log(sizes[-1])
    figure.add_scatter(x=sizes, y=reference, name="n log n", line={"dash": "dot", "color": "grey"})
    figure.update_xaxes(type="log", title="Patients").update_yaxes(type="log", title="Seconds")
    figure.write_html(path)


def main() -> None:
    """Print seconds at each size, and how they grow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", metavar="FILE", help="draw the seconds, as HTML")
    asked = parser.parse_args()
    rows = [{what: time_here(call, repeats=3) for what, call in calls(n).items()} for n in SIZES]
    found = pd.DataFrame(rows, index=pd.Index(SIZES, name="patients"))
    print((1000 * found).T.round(1).to_string(), "  (ms)", sep="")
    for what in found.columns:
        whole, large = exponent(found[what]), exponent(found.loc[LARGE:, what])
        print(f"{what}: grows as n^{whole:.2f}, from {LARGE:,} patients as n^{large:.2f}")
    if asked.plot is not None:
        draw(found, asked.plot)


if __name__ == "__main__":
    main()
