"""From predictions to the figures of a report: every metric, curve and risk group, with intervals.

The kinds of validation keep their names: `apparent` (the fitted patients, flattering),
`optimism_corrected` (bootstrap, prespecified models only), `bootstrap_632_plus` (patients left out
of bootstrap samples, if asked for), `cross_validated` (held-out folds) and `external`. Censoring
weights always come from the evaluated patients.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.bootstrap_refits import (
    INDEXES,
    OPTIMISM,
    corrected_curves,
    curve_grids,
    optimism_table,
)
from models.corrected_calibration import CorrectedCalibration
from models.decision import DecisionCurve, Setting
from models.evaluation import (
    Sample,
    View,
    decision_at,
    drawn_from,
    figure_rows,
    figure_table,
    figures_of,
    rows_drawn,
    samples,
    views,
)
from models.left_out import point_632_plus_scores
from models.log_rank import log_rank
from models.scores import (
    Interval,
    Key,
    Predictions,
    Scores,
    calibration_scores,
    ranking_scores,
    slope_scores,
)
from models.survival_curves import kaplan_meier, numbers_at_risk
from models.ticks import pretty
from models.validation import Plan, Validation
from omics.cohort import DEVELOPMENT
from omics.outcome import Outcome, is_survival
from omics.parallel import in_parallel

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
DECISION = [
    *(*_LABELS, "threshold", "net_benefit", "lower", "upper", "treat_all", "treat_none"),
    *("interventions_avoided", "avoided_lower", "avoided_upper"),
    *("standardised_net_benefit", "standardised_lower", "standardised_upper"),
    "standardised_treat_all",
]
_BENEFITS = ("net_benefit", "interventions_avoided", "standardised_net_benefit")
_BENEFIT_COLUMNS = (DECISION[5:8], DECISION[10:13], DECISION[13:16])  # estimate, lower, upper
_OPTIMISM = "optimism bootstrap, {bootstrap} resamples; interval of rms::validate (dual SD)"
_LEFT_OUT = ".632+ of {bootstrap} bootstrap samples and the patients each left out; no interval"


@dataclass(frozen=True, eq=False, kw_only=True)
class Performance:
    """How well each model predicts, as tables.

    Attributes
    ----------
    table : DataFrame, one row per model, cohort, validation, metric and horizon
        Columns as in `COLUMNS`; `horizon` is NaN where a metric has none.
    calibration : DataFrame
        `model`, `cohort`, `validation`, `horizon`, `predicted`, `observed`, `lower`, `upper`.
    optimism : DataFrame
        Apparent, training, test and corrected figures of the optimism bootstrap, the indexes of
        rms's validate among them; columns as in `models.bootstrap_refits.OPTIMISM`.
    corrected_calibration : dict of model to dict of horizon to CorrectedCalibration
        Of the same models; a horizon whose curve two resamples do not have is left out.
    decision : DataFrame
        `model`, `cohort`, `validation`, `horizon`, `threshold`, `net_benefit`, `lower`, `upper`,
        `treat_all`, `treat_none`; `interventions_avoided` per 100 patients and
        `standardised_net_benefit`, each with its interval, and `standardised_treat_all` (see
        `models.decision`).
    survival_curves : DataFrame
        Kaplan-Meier by risk group: `model`, `cohort`, `validation`, `group`, `time`, `n_at_risk`,
        `n_events`, `n_censored`, `survival`, `lower`, `upper`. Empty for a binary outcome.
    at_risk : DataFrame
        Numbers at risk at round times: `model`, `cohort`, `validation`, `group`, `time`,
        `n_at_risk`. Empty for a binary outcome.
    log_rank : DataFrame
        `model`, `cohort`, `validation`, `chi2`, `df`, `p_value`. Empty for a binary outcome.
    outcome : Outcome
    setting : Setting
        What the decision curves were told of the place where models would be used.
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
    optimism: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=OPTIMISM))
    corrected_calibration: dict[str, dict[float, CorrectedCalibration]] = field(
        default_factory=dict
    )
    setting: Setting = field(default_factory=Setting)
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


def performance(
    validation: Validation,
    *,
    thresholds: Iterable[float],
    setting: Setting | None = None,
    progress: Callable[..., None] | None = None,
) -> Performance:
    """Compute every figure that a report shows.

    Parameters
    ----------
    validation : Validation
    thresholds : iterable of float in (0, 1)
        Threshold probabilities of the decision curves.
    setting : Setting, optional
        Prevalence and harm, where the decision curves are to know them.
    progress : callable(what, done, total), optional

    Returns
    -------
    Performance
    """
    found = list(samples(validation))
    plan, levels = validation.plan, np.asarray(list(thresholds), dtype=np.float64)
    place = Setting() if setting is None else setting
    tasks = [
        partial(_evaluate, sample, plan, partial(_benefit, levels, place, sample.model))
        for sample in found
    ]
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
    corrected = _optimism(validation)
    corrected_calibration = {
        name: corrected_curves(one, validation.apparent[name], level=plan.level)
        for name, one in validation.optimism.items()
    }
    rows += [_optimism_rows(name, validation, corrected) for name in validation.optimism]
    rows += [_left_out_rows(name, validation) for name in validation.left_out]
    curves += [
        _corrected_rows(name, horizon, one)
        for name, by_horizon in corrected_calibration.items()
        for horizon, one in by_horizon.items()
    ]
    survival, at_risk, tests = _risk_group_tables(found)
    return Performance(
        table=pd.concat(rows, ignore_index=True)[COLUMNS],
        calibration=pd.concat(curves, ignore_index=True),
        decision=pd.concat(decisions, ignore_index=True),
        survival_curves=survival,
        at_risk=at_risk,
        log_rank=tests,
        outcome=validation.outcome,
        optimism=corrected,
        corrected_calibration=corrected_calibration,
        setting=place,
        complete_case=_complete_case(validation, progress),
    )


def _complete_case(validation: Validation, progress: Callable[..., None] | None) -> pd.DataFrame:
    """Headline figures of the models on complete cases, in patients whom the fit had not seen."""
    beside, plan = validation.complete_case, validation.plan
    if beside is None or not beside.fitted:
        return pd.DataFrame(columns=COLUMNS)
    tasks = [
        partial(figures_of, sample, plan, partial(_headline, ranking=sample.out_of_fold is None))
        for sample in samples(beside)
        if sample.validation != "apparent"
    ]
    tables = []
    for done, table in enumerate(in_parallel(tasks, n_jobs=plan.n_jobs), start=1):
        tables.append(table[table["metric"].isin(HEADLINE)])
        if progress is not None:
            progress("complete cases", done, len(tasks))
    return pd.concat(tables, ignore_index=True)[COLUMNS]


def _headline(view: View, *, ranking: bool) -> Scores:
    p, fold = view
    slope = slope_scores(p, strata=fold)
    return ranking_scores(p) | slope if ranking else slope


@dataclass(frozen=True, eq=False, kw_only=True)
class _Draw:
    """What one look at a sample (whole, or resampled) gives."""

    scores: Scores
    observed: list[NDArray[np.float64]]  # calibration on each horizon's grid
    benefit: list[NDArray[np.float64]]  # `_BENEFITS` on the thresholds, at each horizon


def _benefit(
    thresholds: NDArray[np.float64], setting: Setting, model: str, p: Predictions, j: int
) -> DecisionCurve:
    """Give the decision curve of one look at a model."""
    harm, prevalence = setting.harm_of(model), setting.prevalence
    return decision_at(p, j, thresholds, harm=harm, prevalence=prevalence)


def _evaluate(
    sample: Sample, plan: Plan, benefit: Callable[[Predictions, int], DecisionCurve]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Figures, calibration curves and decision curves of one sample, with intervals."""
    looked_at = views(sample)
    grids = curve_grids(looked_at[0][0])
    look = partial(_look, grids=grids, benefit=benefit, ranking=sample.out_of_fold is None)
    whole = [look(view) for view in looked_at]
    sizes = [len(p.y) for p, _ in looked_at]
    draws = [look(drawn_from(looked_at[v], rows)) for v, rows in rows_drawn(sizes, plan)]
    table = figure_table(
        sample, plan, whole=[one.scores for one in whole], draws=[one.scores for one in draws]
    )
    horizons = sample.predictions.horizons or (np.nan,)
    calibration, decision = [], []
    for j, horizon in enumerate(horizons):
        labels: dict[str, str | float] = {"horizon": horizon, **sample.labels}
        bands = partial(band, level=plan.level)
        observed = bands([one.observed[j] for one in whole], [one.observed[j] for one in draws])
        benefits = bands([one.benefit[j] for one in whole], [one.benefit[j] for one in draws])
        calibration.append(
            pd.DataFrame(dict(zip(("observed", "lower", "upper"), observed, strict=True)))
            .assign(predicted=grids[j], **labels)
        )  # fmt: skip
        references = ["threshold", "treat_all", "treat_none", "standardised_treat_all"]
        curve = benefit(looked_at[0][0], j).table[references].assign(**labels)
        for position, names in enumerate(_BENEFIT_COLUMNS):
            for name, ends in zip(names, benefits, strict=True):
                curve[name] = np.split(ends, len(_BENEFITS))[position]
        decision.append(curve)
    return table, pd.concat(calibration)[CALIBRATION], pd.concat(decision)[DECISION]


def _look(
    view: View,
    *,
    grids: Sequence[NDArray[np.float64]],
    benefit: Callable[[Predictions, int], DecisionCurve],
    ranking: bool,
) -> _Draw:
    p, strata = view
    scores, observed = calibration_scores(p, strata=strata, grids=grids)
    if ranking:
        scores = ranking_scores(p) | scores
    benefits = []
    for j in range(p.risk.shape[1]):
        columns = benefit(p, j).columns
        benefits.append(np.concatenate([columns[name] for name in _BENEFITS]))
    return _Draw(scores=scores, observed=observed, benefit=benefits)


def _optimism(validation: Validation) -> pd.DataFrame:
    level = validation.plan.level
    tables = [optimism_table(name, one, level=level) for name, one in validation.optimism.items()]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=OPTIMISM)


def _optimism_rows(name: str, validation: Validation, corrected: pd.DataFrame) -> pd.DataFrame:
    """Set the corrected figures out beside those of the other validations."""
    own = corrected[(corrected["model"] == name) & ~corrected["metric"].isin(INDEXES)]
    found = {
        Key(row["metric"], row["horizon"]): Interval(row["corrected"], row["lower"], row["upper"])
        for row in own.to_dict("records")
    }
    method = _OPTIMISM.format(bootstrap=len(validation.optimism[name].train))
    return _development_rows(name, "optimism_corrected", {method: found}, validation)


def _left_out_rows(name: str, validation: Validation) -> pd.DataFrame:
    one = validation.left_out[name]
    found = {
        key: Interval(value, np.nan, np.nan)
        for key, value in point_632_plus_scores(validation.apparent[name], one).items()
    }
    method = _LEFT_OUT.format(bootstrap=len(one.scores))
    return _development_rows(name, "bootstrap_632_plus", {method: found}, validation)


def _development_rows(
    name: str, kind: str, found: dict[str, dict[Key, Interval]], validation: Validation
) -> pd.DataFrame:
    labels = {"model": name, "cohort": DEVELOPMENT, "validation": kind}
    return figure_rows(found, labels, validation.apparent[name].known().y, validation.plan.level)


def _corrected_rows(name: str, horizon: float, one: CorrectedCalibration) -> pd.DataFrame:
    """Set a corrected calibration curve out beside the others."""
    labels = {"model": name, "cohort": DEVELOPMENT, "validation": "optimism_corrected"}
    return one.table.assign(horizon=horizon, **labels)[CALIBRATION]


def band(
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
    evaluated: list[Sample],
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Kaplan-Meier, numbers at risk and log-rank by risk group, as cut by other patients."""
    curves, counts, tests = [], [], []
    for sample in evaluated:
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
