"""How fast survival curves and tests are, beside R, and how they grow with the patients.

    python -m benchmarks.curves                     # 50,000 patients
    python -m benchmarks.curves --ties              # times on whole days
    python -m benchmarks.curves --plot curves.html  # 1,000 to 100,000 patients

Simulated patients with two competing causes. One BLAS thread; R's multi-state `survfit`, whose
infinitesimal jackknife takes minutes beyond that, up to 3,000 patients only.
"""

import argparse
import os
from collections.abc import Callable

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from benchmarks.beside_r import table, time_here, time_in_r, versions
from models.competing_risks import cumulative_incidence, incidence_at
from models.follow_up import follow_up
from models.gray import gray_test
from models.log_rank import log_rank
from models.restricted_mean import restricted_mean
from models.survival_curves import kaplan_meier, survival_at

PACKAGES = ["survival", "cmprsk", "prodlim"]
SIZES = [1_000, 3_000, 10_000, 30_000, 100_000]
STATES, MOST_STATES = "cumulative incidence, interval", 3_000
R_CALLS = {
    "Kaplan-Meier": "survfit(Surv(time, event) ~ 1, d)",
    "Kaplan-Meier, 4 groups": "survfit(Surv(time, event) ~ group, d)",
    "median follow-up": "summary(survfit(Surv(time, 1 - event) ~ 1, d))$table",
    "log-rank, 4 groups": "survdiff(Surv(time, event) ~ group, d)",
    "log-rank, 4 groups, 5 strata": "survdiff(Surv(time, event) ~ group + strata(centre), d)",
    "restricted mean, 4 groups": "summary(survfit(Surv(time, event) ~ group, d), rmean = 300)",
    STATES: "survfit(Surv(time, factor(cause)) ~ 1, d)",
    "cumulative incidence": "prodlim(Hist(time, cause) ~ 1, d)",
    "Gray's test, 4 groups": "cuminc(d$time, d$cause, d$group)$Tests",
}


def patients(n: int, *, ties: bool, seed: int = 5) -> pd.DataFrame:
    """Simulate follow-up in days."""
    rng = np.random.default_rng(seed)
    first, second, follow = (rng.exponential(mean, n) for mean in (700, 1200, 900))
    time = np.minimum(np.minimum(first, second), follow)
    cause = np.where(follow == time, 0, np.where(first == time, 1, 2))
    return pd.DataFrame(
        {
            "time": np.ceil(time) if ties else time,
            "cause": cause,
            "event": (cause > 0).astype(int),
            "group": rng.integers(0, 4, n),
            "centre": rng.integers(0, 5, n),
        }
    )


def calls(d: pd.DataFrame) -> dict[str, Callable[[], object]]:
    """Give what is timed, under the names of R's calls."""
    time, event, cause = d["time"].to_numpy(), d["event"].to_numpy(bool), d["cause"].to_numpy()
    group, centre = d["group"].to_numpy(), d["centre"].to_numpy()
    return {
        "Kaplan-Meier": lambda: kaplan_meier(time, event),
        "Kaplan-Meier, 4 groups": lambda: kaplan_meier(time, event, group=group),
        "median follow-up": lambda: follow_up(time, event),
        "log-rank, 4 groups": lambda: log_rank(time, event, group),
        "log-rank, 4 groups, 5 strata": lambda: log_rank(time, event, group, strata=centre),
        "restricted mean, 4 groups": lambda: restricted_mean(time, event, horizon=300, group=group),
        STATES: lambda: cumulative_incidence(time, cause),
        "cumulative incidence": lambda: incidence_at(time, cause, [300]),
        "Gray's test, 4 groups": lambda: gray_test(time, cause, group),
        "survival at one time": lambda: survival_at(time, event, [300]),
    }


def measured(n: int, *, ties: bool, repeats: int = 5) -> pd.DataFrame:
    """Time everything at one number of patients."""
    d = patients(n, ties=ties)
    here = {what: time_here(call, repeats) for what, call in calls(d).items()}
    asked = {what: call for what, call in R_CALLS.items() if n <= MOST_STATES or what != STATES}
    r = time_in_r({"d": d}, "", asked, packages=PACKAGES, repeats=repeats)
    return table(here, r).assign(patients=n)


def drawn(found: pd.DataFrame) -> go.Figure:
    """Draw seconds against patients, ours solid and R's dotted."""
    figure = go.Figure()
    for what, rows in found.groupby("what", sort=False):
        for column, dash in (("ours", "solid"), ("R", "dot")):
            figure.add_scatter(
                x=rows["patients"],
                y=rows[column],
                name=f"{what}, {column}",
                legendgroup=str(what),
                line={"dash": dash},
            )
    figure.update_xaxes(type="log", title="Patients")
    figure.update_yaxes(type="log", title="Seconds")
    return figure


def main() -> None:
    """Print the times, and the versions they were measured with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=50_000)
    parser.add_argument("--ties", action="store_true", help="times on whole days")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--plot", metavar="FILE", help="several sizes, and a figure of them")
    asked = parser.parse_args()
    sizes = SIZES if asked.plot else [asked.patients]
    found = pd.concat(
        [measured(size, ties=asked.ties, repeats=asked.repeats) for size in sizes],
        ignore_index=True,
    )
    print(found.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    if asked.plot:
        drawn(found).write_html(asked.plot, include_plotlyjs=True)
        for what, rows in found.groupby("what", sort=False):
            logs = np.log(rows[["patients", "ours"]].to_numpy()[1:])
            print(f"{what}: grows as patients^{np.polyfit(*logs.T, 1)[0]:.2f}")
    print(versions(PACKAGES))


if __name__ == "__main__":
    main()
