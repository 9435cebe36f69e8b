"""From predictions to the figures of a report: every metric, curve and risk group, with intervals.

The four kinds of validation keep their names: `apparent` (the fitted patients, flattering),
`optimism_corrected` (bootstrap, prespecified models only), `cross_validated` (held-out folds) and
`external`. Censoring weights always come from the evaluated patients.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.decision import DecisionCurve, decision_curve, decision_curve_at
from models.resampling import in_parallel
from models.scores import (
    Interval,
    Key,
    Predictions,
    Scores,
    all_scores,
    calibration_scores,
    fold_interval,
    optimism_interval,
    percentile_intervals,
    ranking_scores,
)
from models.survival_curves import kaplan_meier, log_rank, numbers_at_risk
from models.ticks import pretty
from models.validation import OutOfFold, Plan, Validation, risk_groups
from omics.cohort import DEVELOPMENT
from omics.errors import FitError
from omics.outcome import Outcome, is_survival

COLUMNS = [
    "model",
    "cohort",
    "validation",
    "metric",
    "horizon",
    "estimate",
    "lower",
    "upper",
    "level",
    "n_patients",
    "n_events",
    "method",
]
HEADLINE = ("c_index", "auc", "brier", "ipa", "calibration_slope")
_LABELS = ["model", "cohort", "validation", "horizon"]
CALIBRATION = [*_LABELS, "predicted", "observed", "lower", "upper"]
DECISION = [*_LABELS, "threshold", "net_benefit", "lower", "upper", "treat_all", "treat_none"]
_BOOTSTRAP = (
    "percentile bootstrap of the evaluated patients, {draws} draws, model fixed (too narrow for "
    "ICI, E50, E90 and Emax, which no sample brings to zero)"
)
_FOLDS = (
    "mean of {repeats} x {folds} held-out folds; corrected resampled t interval, approximate "
    "coverage"
)
_POOLED = (
    "out-of-fold predictions of each of {repeats} repeats, averaged; percentile bootstrap of "
    "patients, {draws} draws, fits fixed, coverage approximate"
)
_OPTIMISM = "optimism bootstrap, {bootstrap} resamples; interval of rms::validate (dual SD)"


@dataclass(frozen=True, eq=False, kw_only=True)
class Performance:
    """How well each model predicts, as tables.

    Attributes
    ----------
    table : DataFrame, one row per model, cohort, validation, metric and horizon
        Columns as in `COLUMNS`; `horizon` is NaN where a metric has none.
    calibration : DataFrame
        `model`, `cohort`, `validation`, `horizon`, `predicted`, `observed`, `lower`, `upper`.
    decision : DataFrame
        `model`, `cohort`, `validation`, `horizon`, `threshold`, `net_benefit`, `lower`, `upper`,
        `treat_all`, `treat_none`.
    survival_curves : DataFrame
        Kaplan-Meier by risk group: `model`, `cohort`, `validation`, `group`, `time`, `n_at_risk`,
        `n_events`, `n_censored`, `survival`, `lower`, `upper`. Empty for a binary outcome.
    at_risk : DataFrame
        Numbers at risk at round times: `model`, `cohort`, `validation`, `group`, `time`,
        `n_at_risk`. Empty for a binary outcome.
    log_rank : DataFrame
        `model`, `cohort`, `validation`, `chi2`, `df`, `p_value`. Empty for a binary outcome.
    outcome : Outcome
    complete_case : DataFrame
        As `table`, the headline metrics of the same models on complete cases, beside those that
        fill gaps; empty where none does.
    """

    table: pd.DataFrame
    calibration: pd.DataFrame
    decision: pd.DataFrame
    survival_curves: pd.DataFrame
    at_risk: pd.DataFrame
    log_rank: pd.DataFrame
    outcome: Outcome
    complete_case: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COLUMNS))

    def __repr__(self) -> str:
        return f"Performance({self.table['model'].nunique()} models, {len(self.table)} figures)"

    def estimate(
        self,
        model: str,
        metric: str,
        *,
        validation: str,
        horizon: float = np.nan,
        cohort: str = DEVELOPMENT,
    ) -> Interval:
        """Look one figure up."""
        t = self.table
        same = t["horizon"].isna() if np.isnan(horizon) else t["horizon"] == horizon
        row = t[
            (t["model"] == model)
            & (t["metric"] == metric)
            & (t["validation"] == validation)
            & (t["cohort"] == cohort)
            & same
        ]
        if len(row) != 1:
            raise KeyError(f"no figure {metric!r} of {model!r} ({validation}, {cohort}, {horizon})")
        return Interval(*row[["estimate", "lower", "upper"]].iloc[0])


@dataclass(frozen=True, eq=False, kw_only=True)
class _Sample:
    """One model evaluated on one cohort in one way."""

    model: str
    cohort: str
    validation: str
    predictions: Predictions
    out_of_fold: OutOfFold | None  # of cross-validation
    group: NDArray[np.intp] | None

    @property
    def predicted_y(self) -> NDArray[Any]:
        """Outcome of the patients whom any repeat predicted."""
        if self.out_of_fold is None:
            return self.predictions.known().y
        predicted = ~np.isnan(self.out_of_fold.linear_predictor)
        return self.predictions.y[predicted.any(axis=0)]

    @property
    def labels(self) -> dict[str, str]:
        return {"model": self.model, "cohort": self.cohort, "validation": self.validation}


def performance(
    validation: Validation,
    *,
    thresholds: Iterable[float],
    progress: Callable[..., None] | None = None,
) -> Performance:
    """Compute every figure that a report shows.

    Parameters
    ----------
    validation : Validation
    thresholds : iterable of float in (0, 1)
        Threshold probabilities of the decision curves.
    progress : callable(what, done, total), optional

    Returns
    -------
    Performance
    """
    samples = list(_samples(validation))
    plan, levels = validation.plan, np.asarray(list(thresholds), dtype=np.float64)
    tasks = [partial(_evaluate, sample, plan, levels) for sample in samples]
    rows: list[pd.DataFrame] = []
    curves: list[pd.DataFrame] = []
    decisions: list[pd.DataFrame] = []
    results = in_parallel(tasks, n_jobs=plan.n_jobs)
    for done, (table, calibration, decision) in enumerate(results, start=1):
        rows.append(table)
        curves.append(calibration)
        decisions.append(decision)
        if progress is not None:
            progress("intervals", done, len(tasks))
    rows += [_optimism_rows(name, validation) for name in validation.optimism]
    survival, at_risk, tests = _risk_group_tables(samples)
    return Performance(
        table=pd.concat(rows, ignore_index=True)[COLUMNS],
        calibration=pd.concat(curves, ignore_index=True),
        decision=pd.concat(decisions, ignore_index=True),
        survival_curves=survival,
        at_risk=at_risk,
        log_rank=tests,
        outcome=validation.outcome,
        complete_case=_complete_case(validation),
    )


def _complete_case(validation: Validation) -> pd.DataFrame:
    """Headline figures of the models on complete cases."""
    beside = validation.complete_case
    if beside is None or not beside.fitted:
        return pd.DataFrame(columns=COLUMNS)
    table = performance(beside, thresholds=[0.5]).table
    honest = table["validation"].isin(["cross_validated", "external"])
    return table[honest & table["metric"].isin(HEADLINE)].reset_index(drop=True)


def _samples(validation: Validation) -> Iterable[_Sample]:
    for name, fitted in validation.fitted.items():
        apparent = validation.apparent[name]
        held_out = validation.out_of_fold[name]
        yield _Sample(
            model=name, cohort=DEVELOPMENT, validation="cross_validated",
            predictions=_of_repeat(held_out, apparent, 0), out_of_fold=held_out,
            group=held_out.group[0],
        )  # fmt: skip
        yield _Sample(
            model=name, cohort=DEVELOPMENT, validation="apparent",
            predictions=apparent, out_of_fold=None, group=None,
        )  # fmt: skip
        for label, models in validation.external.items():
            if not len(models[name].known().y):
                continue  # nobody there has every predictor: a finding says so
            group = risk_groups(models[name].linear_predictor, fitted.cut_points)
            yield _Sample(
                model=name, cohort=label, validation="external",
                predictions=models[name], out_of_fold=None, group=group,
            )  # fmt: skip


def _of_repeat(held_out: OutOfFold, apparent: Predictions, repeat: int) -> Predictions:
    return Predictions(
        y=apparent.y,
        linear_predictor=held_out.linear_predictor[repeat],
        risk=held_out.risk[repeat],
        horizons=apparent.horizons,
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Draw:
    """What one look at a sample (whole, or resampled) gives."""

    scores: Scores
    observed: list[NDArray[np.float64]]  # calibration on each horizon's grid
    net_benefit: list[NDArray[np.float64]]  # on the thresholds, at each horizon


def _evaluate(
    sample: _Sample, plan: Plan, thresholds: NDArray[np.float64]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Figures, calibration curves and decision curves of one sample, with intervals."""
    views = _views(sample)
    grids = _grids(views[0][0])
    look = partial(_look, grids=grids, thresholds=thresholds, ranking=sample.out_of_fold is None)
    whole = [look(p, strata) for p, strata in views]
    draws = []
    for b, rows in enumerate(_rows_drawn(views, plan)):
        p, strata = views[b % len(views)]
        draws.append(look(p.take(rows), None if strata is None else strata[rows]))
    estimates = {key: _mean([one.scores[key] for one in whole]) for key in whole[0].scores}
    intervals = percentile_intervals([one.scores for one in draws], estimates, level=plan.level)
    by_method = {_method(sample, plan): intervals}
    if sample.out_of_fold is not None:
        by_method = _fold_intervals(sample.predictions, sample.out_of_fold, plan) | by_method
    table = _rows(by_method, sample.labels, sample.predicted_y, plan.level)
    horizons = sample.predictions.horizons or (np.nan,)
    calibration, decision = [], []
    for j, horizon in enumerate(horizons):
        labels: dict[str, str | float] = {"horizon": horizon, **sample.labels}
        bands = partial(_band, level=plan.level)
        observed = bands([one.observed[j] for one in whole], [one.observed[j] for one in draws])
        benefit = bands(
            [one.net_benefit[j] for one in whole], [one.net_benefit[j] for one in draws]
        )
        calibration.append(
            pd.DataFrame(dict(zip(("observed", "lower", "upper"), observed, strict=True)))
            .assign(predicted=grids[j], **labels)
        )  # fmt: skip
        references = _decision(views[0][0], j, thresholds).table[["treat_all", "treat_none"]]
        decision.append(
            pd.DataFrame(dict(zip(("net_benefit", "lower", "upper"), benefit, strict=True)))
            .assign(threshold=thresholds, **labels)
            .join(references)
        )  # fmt: skip
    return table, pd.concat(calibration)[CALIBRATION], pd.concat(decision)[DECISION]


def _look(
    p: Predictions,
    strata: NDArray[np.intp] | None,
    *,
    grids: list[NDArray[np.float64]],
    thresholds: NDArray[np.float64],
    ranking: bool,
) -> _Draw:
    scores, observed = calibration_scores(p, strata=strata, grids=grids)
    if ranking:
        scores = ranking_scores(p) | scores
    net_benefit = [
        _decision(p, j, thresholds).table["net_benefit"].to_numpy() for j in range(p.risk.shape[1])
    ]
    return _Draw(scores=scores, observed=observed, net_benefit=net_benefit)


def _decision(p: Predictions, j: int, thresholds: NDArray[np.float64]) -> DecisionCurve:
    risk = p.risk[:, j]
    if not is_survival(p.y):
        return decision_curve(risk, p.y, thresholds=thresholds)
    return decision_curve_at(
        risk, p.y["time"], p.y["event"], horizon=p.horizons[j], thresholds=thresholds
    )


def _views(sample: _Sample) -> list[tuple[Predictions, NDArray[np.intp] | None]]:
    """Give the sample itself, or each repeat's out-of-fold predictions with each patient's fold."""
    held_out = sample.out_of_fold
    if held_out is None:
        return [(sample.predictions.known(), None)]
    found = []
    for repeat, fold in enumerate(held_out.fold):
        known = np.flatnonzero(~np.isnan(held_out.linear_predictor[repeat]))
        if len(known):
            predictions = _of_repeat(held_out, sample.predictions, repeat)
            found.append((predictions.take(known), fold[known]))
    if not found:
        raise FitError(f"model {sample.model!r} could not be fitted in any fold of any repeat.")
    return found


def _rows_drawn(
    views: list[tuple[Predictions, NDArray[np.intp] | None]], plan: Plan
) -> Iterator[NDArray[np.intp]]:
    """Bootstrap rows of view 0, 1, ... in turn; not stratified by event (METHODS d18)."""
    rng = np.random.default_rng(plan.seed)
    for b in range(plan.draws):
        n_patients = len(views[b % len(views)][0].y)
        yield rng.integers(n_patients, size=n_patients)


def _method(sample: _Sample, plan: Plan) -> str:
    if sample.out_of_fold is None:
        return _BOOTSTRAP.format(draws=plan.draws)
    return _POOLED.format(repeats=plan.repeats, draws=plan.draws)


def _fold_intervals(
    p: Predictions, held_out: OutOfFold, plan: Plan
) -> dict[str, dict[Key, Interval]]:
    """Ranking and accuracy, averaged within folds."""
    per_fold = [
        ranking_scores(_of_repeat(held_out, p, repeat).take(rows))
        for repeat in range(len(held_out.fold))
        for rows in _fold_rows(held_out, repeat)
    ]
    found = {
        key: fold_interval(
            np.array([scores[key] for scores in per_fold]), folds=plan.folds, level=plan.level
        )
        for key in per_fold[0]
    }
    return {_FOLDS.format(repeats=plan.repeats, folds=plan.folds): found}


def _mean(values: list[float]) -> float:
    kept = [value for value in values if not np.isnan(value)]
    return float(np.mean(kept)) if kept else float("nan")


def _fold_rows(held_out: OutOfFold, repeat: int) -> list[NDArray[np.intp]]:
    """Rows of each fold that was predicted (a failed fit leaves NaN)."""
    fold, known = held_out.fold[repeat], ~np.isnan(held_out.linear_predictor[repeat])
    return [np.flatnonzero((fold == f) & known) for f in np.unique(fold[known])]


def _rows(
    intervals: Mapping[str, Mapping[Key, Interval]],
    labels: Mapping[str, str],
    y: NDArray[Any],
    level: float,
) -> pd.DataFrame:
    event = y["event"] if is_survival(y) else y
    return pd.DataFrame(
        [
            {
                **labels,
                **key._asdict(),
                **interval.within(key.metric)._asdict(),
                "level": level,
                "n_patients": len(y),
                "n_events": int(event.sum()),
                "method": method,
            }
            for method, found in intervals.items()
            for key, interval in found.items()
        ]
    )


def _optimism_rows(name: str, validation: Validation) -> pd.DataFrame:
    train, test = validation.optimism[name]
    plan = validation.plan
    predictions = validation.apparent[name].known()
    found = {
        key: optimism_interval(
            np.array([scores[key] for scores in train]),
            np.array([scores[key] for scores in test]),
            value,
            level=plan.level,
        )
        for key, value in all_scores(predictions).items()
    }
    labels = {"model": name, "cohort": DEVELOPMENT, "validation": "optimism_corrected"}
    return _rows({_OPTIMISM.format(bootstrap=len(train)): found}, labels, predictions.y, plan.level)


def _grids(p: Predictions) -> list[NDArray[np.float64]]:
    """Fifty risks per horizon, between the fifth smallest and the fifth largest prediction."""
    grids = []
    for risk in p.risk.T:
        known = np.sort(risk[~np.isnan(risk)])
        grids.append(np.linspace(known[4], known[-5], 50) if len(known) > 9 else np.empty(0))
    return grids


def _band(
    whole: list[NDArray[np.float64]], draws: list[NDArray[np.float64]], *, level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Average a curve over views, and give the ends of its band."""
    return (_nan_mean(np.array(whole)), *_nan_quantiles(np.array(draws), level))


def _nan_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over rows without NaN; NaN where a column holds nothing else."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _nan_quantiles(
    values: NDArray[np.float64], level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Percentile band over rows; NaN where fewer than half of the draws have a value."""
    enough = 2 * (~np.isnan(values)).sum(axis=0) > len(values)
    lower, upper = np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
    if enough.any():
        tails = [(1 - level) / 2, (1 + level) / 2]
        lower[enough], upper[enough] = np.nanquantile(
            values[:, enough], tails, axis=0, method="weibull"
        )
    return lower, upper


def _risk_group_tables(
    samples: list[_Sample],
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Kaplan-Meier, numbers at risk and log-rank by risk group, as cut by other patients."""
    curves, counts, tests = [], [], []
    for sample in samples:
        if sample.group is None or not is_survival(sample.predictions.y):
            continue
        known = sample.group >= 0
        y, group = sample.predictions.y[known], sample.group[known]
        if not len(y):
            continue
        curve = kaplan_meier(y["time"], y["event"], group=group)
        curves.append(curve.table.assign(**sample.labels))
        ticks = pretty(0.0, float(y["time"].max()), n=6)
        at = ticks[ticks <= y["time"].max()]
        risk = numbers_at_risk(y["time"], y["event"], at=at, group=group)
        counts.append(risk.assign(**sample.labels))
        if len(np.unique(group)) > 1:
            test = log_rank(y["time"], y["event"], group=group)
            tests.append(
                {**sample.labels, "chi2": test.chi2, "df": test.df, "p_value": test.p_value}
            )
    tests_columns = ["model", "cohort", "validation", "chi2", "df", "p_value"]
    return (
        pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(),
        pd.concat(counts, ignore_index=True) if counts else pd.DataFrame(),
        pd.DataFrame(tests, columns=tests_columns),
    )
