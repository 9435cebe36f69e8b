"""How fast MOFA is fitted: our engine beside mofapy2, and cost by size.

    python benchmarks/mofa.py engines --data ../shared/data/cll/cll.h5mu
    python benchmarks/mofa.py sizes --plot sizes.html
    python benchmarks/mofa.py parallel

One BLAS thread each. Both engines make the same sweeps, so that they end at the same bound; it is
printed. Without ``--data``, drawn views of the same sizes as the CLL study stand in.
"""

import argparse
import os
import time
import tracemalloc

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from joblib import Parallel, delayed

from omics.mofa_engine import fit_engine
from omics.mofa_fit import MofaOptions

CLL_SIZES = {"Drugs": 310, "Methylation": 4248, "mRNA": 5000, "Mutations": 69}


def drawn_views(n_patients, sizes, seed=0):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n_patients, 5))
    views = []
    for n_features in sizes:
        view = factors @ rng.normal(size=(5, n_features)) * (rng.random(n_features) < 0.5)
        view += rng.normal(size=view.shape)
        views.append(view - view.mean(axis=0))
    return views


def cll_like():
    views = drawn_views(200, CLL_SIZES.values())
    views[3] = (views[3] > 0).astype(float)
    for m, n_missing in enumerate((16, 4, 64, 0)):
        views[m][:n_missing] = np.nan
    return views


def cll(path):
    import h5py

    views = []
    with h5py.File(path) as file:
        patients = {patient: i for i, patient in enumerate(file["obs/_index"].asstr()[:])}
        for name in CLL_SIZES:
            part = file["mod"][name]
            view = np.full((len(patients), part["X"].shape[1]), np.nan)
            view[[patients[patient] for patient in part["obs/dim_1"].asstr()[:]]] = part["X"][:]
            views.append(view if name == "Mutations" else view - np.nanmean(view, axis=0))
    return views


def fit(views, engine, n_factors, likelihoods=None, **options):
    return fit_engine(
        views,
        likelihoods=likelihoods or ["gaussian"] * len(views),
        groups=np.zeros(len(views[0]), dtype=np.intp),
        options=MofaOptions(n_factors=n_factors, **options),
        engine=engine,
    )


def engines(path, repeats, numbers):
    views = cll(path) if path else cll_like()
    likelihoods = ["gaussian"] * 3 + ["bernoulli"]
    size = sum(view.nbytes for view in views)
    fit(views, "mofapy2", 2, likelihoods, max_iterations=1)  # its import takes seconds
    for n_factors in numbers:
        ratios = []
        for _ in range(repeats):
            seconds, bounds, sweeps = {}, {}, {}
            for engine in ("nomomics", "mofapy2"):
                start = time.perf_counter()
                found = fit(views, engine, n_factors, likelihoods)
                seconds[engine] = time.perf_counter() - start
                bounds[engine], sweeps[engine] = found.elbo, found.n_iterations
            ratios.append(seconds["mofapy2"] / seconds["nomomics"])
            print(
                f"{n_factors} factors:",
                *(
                    f"{e} {s:.2f} s, {sweeps[e]} sweeps, bound {bounds[e]:.4f};"
                    for e, s in seconds.items()
                ),
                f"ratio {ratios[-1]:.1f}",
                flush=True,
            )
        tracemalloc.start()
        fit(views, "nomomics", n_factors, likelihoods, max_iterations=60)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(
            f"{n_factors} factors: median ratio {np.median(ratios):.1f}; peak memory beside the "
            f"data {peak / size:.2f} times the data ({size / 2**20:.0f} MiB)"
        )


def seconds_a_sweep(n_patients, n_features, n_factors=10):
    """The sweeps that a longer fit makes beyond a short one: the start is left out."""
    views = drawn_views(n_patients, [n_features])
    more = max(10, 20_000_000 // (n_patients * n_features))
    best = {}
    for n_sweeps in (2, 2 + more):
        for _ in range(3):
            start = time.perf_counter()
            fit(views, "nomomics", n_factors, max_iterations=n_sweeps, tolerance=1e-300)
            seconds = time.perf_counter() - start
            best[n_sweeps] = min(best.get(n_sweeps, seconds), seconds)
    return (best[2 + more] - best[2]) / more


def sizes(plot):
    import plotly.graph_objects as go

    lines = {
        "features (200 patients)": [(200, d) for d in (1_000, 3_000, 10_000, 30_000, 100_000)],
        "patients (1,000 features)": [(n, 1_000) for n in (200, 600, 2_000, 6_000, 20_000)],
    }
    figure = go.Figure()
    for m, (name, cells) in enumerate(lines.items()):
        count = [cell[1 - m] for cell in cells]
        cost = [seconds_a_sweep(*cell) for cell in cells]
        slope = np.polyfit(np.log(count), np.log(cost), 1)[0]
        for n, s in zip(count, cost, strict=True):
            print(f"{name}: {n:>7,} {s * 1000:8.2f} ms a sweep", flush=True)
        print(f"{name}: slope {slope:.2f} on log scales (1 is linear)")
        figure.add_scatter(x=count, y=cost, name=f"{name}, slope {slope:.2f}")
    figure.update_xaxes(type="log", title="number")
    figure.update_yaxes(type="log", title="seconds a sweep, 10 factors")
    if plot:
        figure.write_html(plot)


def parallel():
    views = drawn_views(200, [2_000, 2_000])
    for n_jobs in (1, 2):
        pool = Parallel(n_jobs=n_jobs)
        pool(delayed(fit)(views, "nomomics", 10, max_iterations=1) for _ in range(4))  # imports
        start = time.perf_counter()
        pool(
            delayed(fit)(views, "nomomics", 10, max_iterations=150, tolerance=1e-300)
            for _ in range(12)
        )
        print(f"12 fits, {n_jobs} at a time: {time.perf_counter() - start:.2f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["engines", "sizes", "parallel"])
    parser.add_argument("--data", help="cll.h5mu")
    parser.add_argument("--factors", type=int, nargs="+", default=[10, 25])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--plot", help="an html file to write")
    given = parser.parse_args()
    if given.what == "engines":
        engines(given.data, given.repeats, given.factors)
    elif given.what == "sizes":
        sizes(given.plot)
    else:
        parallel()
