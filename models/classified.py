"""How often each model of a validation is right at thresholds that were fixed beforehand.

The figures are those of `models.classification`. In an external cohort the frozen predictions have
its analytic intervals. Out of fold they are computed on the predictions of each repeat together, as
calibration is (a fold holds too few events), and averaged over the repeats; the bootstrap of the
evaluated patients gives the variance, and Wilson's interval goes with it. Considered and rejected:
the percentile interval, of length 0 where every case is found. Apparent figures are not given: a
reader would take them for the model's.

A threshold is stated before the data are seen. Considered and rejected: one that the evaluated
patients choose, such as Youden's. Its sensitivity and specificity flatter, because the choice
follows their chance.

References
----------
Leeflang MMG, Moons KGM, Reitsma JB, Zwinderman AH. Bias in sensitivity and specificity caused by
data-driven selection of optimal cutoff values. Clinical Chemistry 2008;54:729-737.
doi:10.1373/clinchem.2007.096032
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd

from models.checks import Floats
from models.classification import (
    METRICS,
    Classification,
    classification,
    classification_at,
    shares,
    sizes,
    wilson,
)
from models.evaluation import (
    Sample,
    View,
    drawn_from,
    mean_known,
    rows_drawn,
    samples,
    views,
)
from models.scores import Predictions
from models.standard_errors import State, states_at
from models.validation import Plan, Validation
from omics.checks import check_probability
from omics.outcome import Outcome, is_survival
from omics.parallel import in_parallel

COLUMNS = [
    *("model", "cohort", "validation", "horizon", "threshold", "metric"),
    *("estimate", "lower", "upper", "level", "n_patients", "n_events", "method"),
]
_AVERAGED = (
    "out-of-fold predictions of each of {repeats} repeats, averaged; Wilson's interval for the "
    "effective number of patients, from {draws} bootstrap draws, fits fixed, coverage approximate"
)
_WILSON = "frozen predictions; Wilson's interval"
_WEIGHTED = (
    "frozen predictions, weighted for censoring; Wilson's interval for the effective number of "
    "patients, that of the weights' own error counted"
)


@dataclass(frozen=True, eq=False, kw_only=True)
class ClassifiedModels:
    """Sensitivity, specificity, PPV and NPV of every model at frozen thresholds.

    Attributes
    ----------
    table : DataFrame, one row per model, cohort, horizon, threshold and metric
        Columns as in `COLUMNS`; `metric` is one of `models.classification.METRICS`, `n_events`
        counts those by the horizon, `horizon` is NaN for a binary outcome. Development patients are
        predicted out of fold.
    thresholds : tuple of float
    outcome : Outcome
    seed : int
    """

    table: pd.DataFrame
    thresholds: tuple[float, ...]
    outcome: Outcome
    seed: int

    def __repr__(self) -> str:
        at = ", ".join(f"{threshold:g}" for threshold in self.thresholds)
        return f"ClassifiedModels({self.table['model'].nunique()} models, at {at})"


def classified_models(
    validation: Validation,
    *,
    thresholds: Iterable[float],
    progress: Callable[[str, int, int], None] | None = None,
) -> ClassifiedModels:
    """Classify the patients of a validation by frozen thresholds of risk.

    Parameters
    ----------
    validation : Validation
    thresholds : iterable of float in [0, 1]
        A risk at or above one is positive.
    progress : callable(what, done, total), optional

    Returns
    -------
    ClassifiedModels

    Raises
    ------
    ValueError
        If a threshold is no probability.
    """
    levels, plan = check_probability(list(thresholds), "thresholds"), validation.plan
    tasks = [
        partial(_rows, sample, plan, levels)
        for sample in samples(validation)
        if sample.validation != "apparent"
    ]
    tables = []
    for done, table in enumerate(in_parallel(tasks, n_jobs=plan.n_jobs), start=1):
        tables.append(table)
        if progress is not None:
            progress("classification", done, len(tasks))
    return ClassifiedModels(
        table=pd.concat(tables, ignore_index=True)[COLUMNS],
        thresholds=tuple(levels.tolist()),
        outcome=validation.outcome,
        seed=plan.seed,
    )


class _Figure(NamedTuple):
    horizon: float
    threshold: float
    metric: str


def _rows(sample: Sample, plan: Plan, thresholds: Floats) -> pd.DataFrame:
    p = sample.predictions
    table = (
        _analytic(p, plan, thresholds)
        if sample.out_of_fold is None
        else _out_of_fold(sample, plan, thresholds)
    )
    events = [int(state.case.sum()) for state in _states(p)]
    return table.assign(
        **sample.labels,
        level=plan.level,
        n_patients=len(p.y),
        n_events=np.repeat(events, len(thresholds) * len(METRICS)),  # horizon after horizon
    )


def _analytic(p: Predictions, plan: Plan, thresholds: Floats) -> pd.DataFrame:
    """Give the figures of frozen predictions, at every horizon."""
    found: list[Classification] = []
    if is_survival(p.y):
        found = [
            classification_at(
                p.y["time"], p.y["event"], p.risk[:, j],
                horizon=horizon, thresholds=thresholds, level=plan.level,
            )
            for j, horizon in enumerate(p.horizons)
        ]  # fmt: skip
    else:
        found = [classification(p.y, p.risk[:, 0], thresholds=thresholds, level=plan.level)]
    return pd.concat(
        [one.table.assign(horizon=one.horizon) for one in found], ignore_index=True
    ).assign(method=_WEIGHTED if is_survival(p.y) else _WILSON)


def _out_of_fold(sample: Sample, plan: Plan, thresholds: Floats) -> pd.DataFrame:
    """Average over the repeats, with the bootstrap of patients."""
    looked_at = views(sample)
    whole = [_look(view, thresholds, shares) for view in looked_at]
    counts = [_look(view, thresholds, sizes) for view in looked_at]
    n_patients = [len(p.y) for p, _ in looked_at]
    draws = [
        _look(drawn_from(looked_at[view], rows), thresholds, shares)
        for view, rows in rows_drawn(n_patients, plan)
    ]
    rows = []
    for key in whole[0]:
        estimate = mean_known(one[key] for one in whole)
        size = mean_known(one[key] for one in counts)
        drawn = np.array([draw[key] for draw in draws])
        lower, upper = _ends(estimate, drawn, size, level=plan.level)
        rows.append({**key._asdict(), "estimate": estimate, "lower": lower, "upper": upper})
    method = _AVERAGED.format(repeats=plan.repeats, draws=plan.draws)
    return pd.DataFrame(rows).assign(method=method)


def _ends(estimate: float, drawn: Floats, size: float, *, level: float) -> tuple[float, float]:
    """Give Wilson's interval for the size that the draws' variance means, or else for `size`."""
    known = drawn[~np.isnan(drawn)]
    if np.isnan(estimate) or 2 * len(known) <= len(drawn):
        return float("nan"), float("nan")
    variance = float(known.var(ddof=1))
    if variance > 0 and 0 < estimate < 1:
        size = estimate * (1 - estimate) / variance
    return wilson(estimate, size, level=level)


def _look(
    view: View, thresholds: Floats, what: Callable[[State, Floats, Floats], dict[str, Floats]]
) -> dict[_Figure, float]:
    """Name the shares, or the sizes, of one view by horizon, threshold and metric."""
    p, _ = view
    found = {}
    for j, (horizon, state) in enumerate(zip(p.horizons or (np.nan,), _states(p), strict=True)):
        by_metric = what(state, p.risk[:, j], thresholds)
        for position, threshold in enumerate(thresholds):
            for metric, values in by_metric.items():
                found[_Figure(horizon, float(threshold), metric)] = float(values[position])
    return found


def _states(p: Predictions) -> list[State]:
    """Say who is a case and who a control at each horizon."""
    if is_survival(p.y):
        return [states_at(p.y["time"], p.y["event"], horizon=horizon) for horizon in p.horizons]
    return [State(p.y, ~p.y, np.ones(len(p.y)), beyond=True)]
