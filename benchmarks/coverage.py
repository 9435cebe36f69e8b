"""How often a 95 % interval of an external validation holds the truth, by simulation.

A frozen model whose risks are too extreme (true slope 1 / 1.2) is validated on many samples of new
patients, some 30 % of whom have the event (by the horizon). `bootstrap` takes the intervals of a
report, percentiles of 200 draws of the evaluated patients; `curves` the same with ICI, E50, E90 and
Emax, at ten times the cost; `formula` those of standard errors: the influence functions of C, AUC,
AUC(t) and Brier scores, net benefit, O/E, and Wald's of the slope. The truth is the same figure in
200 000 patients.

    python -m benchmarks.coverage HOW survival|binary [simulations] [patients] [jobs]
"""

import os
import sys
from functools import partial

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import joblib
import numpy as np
import pandas as pd

from models.calibration import (
    calibration_intercept,
    calibration_intercept_at,
    observed_expected,
    observed_expected_at,
    observed_expected_interval_at,
)
from models.cox_fit import cox_fit
from models.decision import decision_curve, decision_curve_at
from models.evaluation import Sample, decision_at, figures_of
from models.logistic import logistic_fit
from models.roc import measured_brier, measured_roc_auc
from models.scores import Key, Predictions, Scores, all_scores, ranking_scores, slope_scores
from models.standard_errors import (
    measured_auc_at,
    measured_brier_at,
    measured_c_index,
    measured_c_index_uno,
)
from models.validation import Plan
from omics.outcome import survival_outcome

HORIZON, MEAN, STEEP, DRAWS = 12.0, 30.0, 1.2, 200
LOG_ODDS = -1.0
THRESHOLDS = np.array([0.1, 0.2, 0.3, 0.5])
NORMAL = 1.959963984540054
MANY = 200_000


def new_patients(outcome: str, n: int, rng: np.random.Generator) -> Predictions:
    """Draw patients, and the risks of a model too sure of itself."""
    eta = 0.8 * rng.standard_normal(n)
    score = STEEP * eta
    if outcome == "binary":
        y = rng.random(n) < 1 / (1 + np.exp(-LOG_ODDS - eta))
        score = LOG_ODDS + score
        risk = 1 / (1 + np.exp(-score))
        return Predictions(y=y, linear_predictor=score, risk=risk[:, np.newaxis], horizons=())
    death, censored = rng.exponential(MEAN * np.exp(-eta)), rng.uniform(4, 40, n)
    risk = -np.expm1(-HORIZON / MEAN * np.exp(score))
    return Predictions(
        y=survival_outcome(np.minimum(death, censored), death <= censored),
        linear_predictor=score,
        risk=risk[:, np.newaxis],
        horizons=(HORIZON,),
    )


def by_bootstrap(p: Predictions, seed: int, *, curves: bool = False) -> pd.DataFrame:
    """Give the intervals of a report, with those of smooth curves if asked."""
    sample = Sample(
        model="m",
        cohort="new",
        validation="external",
        predictions=p,
        out_of_fold=None,
        group=None,
        positions=np.arange(len(p.y)),
    )
    # another seed than the patients': the draws must not depend on them
    plan = Plan(draws=DRAWS, seed=seed + MANY)
    look = all_scores if curves else figures
    found = figures_of(sample, plan, lambda view: look(view[0]))
    return found[["metric", "estimate", "lower", "upper"]]


def figures(p: Predictions) -> Scores:
    """Give the figures of a report that need no smooth curve."""
    at, risk = p.horizons[0] if p.horizons else np.nan, p.risk[:, 0]
    if p.horizons:
        given = (p.y["time"], p.y["event"], risk)
        large = calibration_intercept_at(*given, horizon=at)
        ratio = observed_expected_at(*given, horizon=at)
    else:
        large, ratio = calibration_intercept(p.y, risk), observed_expected(p.y, risk)
    scores = ranking_scores(p) | slope_scores(p)
    scores |= {Key("calibration_intercept", at): large, Key("observed_expected", at): ratio}
    columns = decision_at(p, 0, THRESHOLDS).columns
    for threshold, benefit in zip(THRESHOLDS, columns["net_benefit"], strict=True):
        scores[Key(f"net_benefit at {threshold:g}", at)] = float(benefit)
    return scores


def by_formula(p: Predictions, seed: int = 0) -> pd.DataFrame:
    """Give the intervals that standard errors make."""
    found = _survival(p) if p.horizons else _binary(p)
    return pd.DataFrame(found, columns=["metric", "estimate", "lower", "upper"])


def _survival(p: Predictions) -> list[tuple]:
    time, event, risk, score = p.y["time"], p.y["event"], p.risk[:, 0], p.linear_predictor
    measured = (
        measured_c_index(time, event, score),
        measured_c_index_uno(time, event, score, tau=HORIZON),
        measured_auc_at(time, event, score, horizon=HORIZON),
        measured_brier_at(time, event, risk, horizon=HORIZON),
    )
    curve = decision_curve_at(risk, time, event, horizon=HORIZON, thresholds=THRESHOLDS)
    fit = cox_fit(score[:, np.newaxis], time, event)
    ratio = observed_expected_at(time, event, risk, horizon=HORIZON)
    ends = observed_expected_interval_at(time, event, risk, horizon=HORIZON)
    return [
        *((m.metric, m.estimate, m.lower, m.upper) for m in measured),
        ("observed_expected", ratio, *ends),
        _wald("calibration_slope", fit.coef[0], fit.covariance[0, 0]),
        *_net_benefits(curve),
    ]


def _binary(p: Predictions) -> list[tuple]:
    measured = measured_roc_auc(p.y, p.linear_predictor), measured_brier(p.y, p.risk[:, 0])
    fit = logistic_fit(p.linear_predictor[:, np.newaxis], p.y)
    return [
        *((m.metric, m.estimate, m.lower, m.upper) for m in measured),
        _wald("calibration_slope", fit.coef[-1], fit.covariance[-1, -1]),
        *_net_benefits(decision_curve(p.risk[:, 0], p.y, thresholds=THRESHOLDS)),
    ]


def _wald(metric: str, estimate: float, variance: float) -> tuple:
    half = NORMAL * np.sqrt(variance)
    return metric, estimate, estimate - half, estimate + half


def _net_benefits(curve) -> list[tuple]:
    rows = curve.table[["threshold", "net_benefit", "lower", "upper"]].to_numpy()
    return [(f"net_benefit at {at:g}", *row) for at, *row in rows]


HOW = {
    "bootstrap": by_bootstrap,
    "curves": partial(by_bootstrap, curves=True),
    "formula": by_formula,
}


def intervals(how: str, outcome: str, n: int, seed: int) -> pd.DataFrame:
    """Give the intervals of one simulated external cohort."""
    return HOW[how](new_patients(outcome, n, np.random.default_rng(seed)), seed)


def truth(how: str, outcome: str) -> dict[str, float]:
    """Give the figures in very many patients."""
    many = new_patients(outcome, MANY, np.random.default_rng(0))
    if how == "formula":
        return dict(by_formula(many)[["metric", "estimate"]].to_numpy())
    look = all_scores if how == "curves" else figures
    return {key.metric: value for key, value in look(many).items()}


def main(how: str, outcome: str, *sizes: str) -> None:
    """Print coverage, with its standard error, and misses on either side."""
    simulations, n_patients, n_jobs = (
        *(int(size) for size in sizes),
        *(1000, 300, 1)[len(sizes) :],
    )
    found = pd.concat(
        joblib.Parallel(n_jobs=n_jobs)(
            joblib.delayed(intervals)(how, outcome, n_patients, seed)
            for seed in range(1, simulations + 1)
        )
    )
    found["truth"] = found["metric"].map(truth(how, outcome))
    found["below"] = found["upper"] < found["truth"]
    found["above"] = found["lower"] > found["truth"]
    found["width"] = found["upper"] - found["lower"]
    columns = ["truth", "estimate", "width", "below", "above"]
    table = found.groupby("metric", sort=False)[columns].mean()
    table["coverage"] = 1 - table["below"] - table["above"]
    table["standard_error"] = np.sqrt(table["coverage"] * (1 - table["coverage"]) / simulations)
    draws = "" if how == "formula" else f", {DRAWS} draws"
    print(f"{how}, {outcome}: {simulations} simulations, {n_patients} patients{draws}")
    print(table.round(4).to_string())


if __name__ == "__main__":
    main(*sys.argv[1:])
