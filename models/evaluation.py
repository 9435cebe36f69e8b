"""One look at one model's predictions for one sample of patients, and how such looks are repeated.

A sample is a model's predictions for a cohort: of the frozen pipeline, or out of fold, in which
case each repeat of the cross-validation is one view of it. Figures that are averaged within folds
take `fold_rows`; all others are averaged over views, with bootstrap rows drawn in turn from each.
The rows follow from the plan's seed and the number of patients alone, so that two models, or two
figures, of the same patients meet the same draws.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.decision import DecisionCurve, decision_curve, decision_curve_at
from models.one_resample import risk_groups
from models.scores import (
    Interval,
    Key,
    Predictions,
    Scores,
    fold_interval,
    percentile_intervals,
    ranking_scores,
)
from models.validation import OutOfFold, Plan, Validation
from omics.cohort import DEVELOPMENT
from omics.errors import FitError
from omics.outcome import is_survival

View = tuple[Predictions, NDArray[np.intp] | None]  # with each patient's fold, out of fold

_BOOTSTRAP = (
    "percentile bootstrap of the evaluated patients, {draws} draws, model fixed (too narrow for "
    "ICI, E50, E90 and Emax, and too high, up to above the estimate: no sample brings them to zero)"
)
_FOLDS = (
    "mean of {repeats} x {folds} held-out folds; corrected resampled t interval, approximate "
    "coverage"
)
_POOLED = (
    "out-of-fold predictions of each of {repeats} repeats, averaged; percentile bootstrap of "
    "patients, {draws} draws, fits fixed, coverage approximate"
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """One model evaluated on one cohort in one way; patients without a prediction are not in it.

    Attributes
    ----------
    model, cohort, validation : str
    predictions : Predictions
        Of the first repeat, where they are out of fold.
    out_of_fold : OutOfFold or None
        Of cross-validation.
    group : ndarray of int, shape (n_patients,), or None
        Risk group, from 0.
    positions : ndarray of int, shape (n_patients,)
        Where its patients stand in the cohort.
    """

    model: str
    cohort: str
    validation: str
    predictions: Predictions
    out_of_fold: OutOfFold | None
    group: NDArray[np.intp] | None
    positions: NDArray[np.intp]

    @property
    def labels(self) -> dict[str, str]:
        """What tells its rows apart in a table."""
        return {"model": self.model, "cohort": self.cohort, "validation": self.validation}

    def take(self, rows: NDArray[np.intp]) -> "Sample":
        """Give the same for some of its patients."""
        held_out = self.out_of_fold
        return replace(
            self,
            predictions=self.predictions.take(rows),
            out_of_fold=None if held_out is None else held_out.take(rows),
            group=None if self.group is None else self.group[rows],
            positions=self.positions[rows],
        )


def samples(validation: Validation) -> Iterator[Sample]:
    """Give every sample of a validation but those of the optimism bootstrap."""
    for name, fitted in validation.fitted.items():
        apparent, held_out = validation.apparent[name], validation.out_of_fold[name]
        yield _predicted(
            Sample(
                model=name, cohort=DEVELOPMENT, validation="cross_validated",
                predictions=of_repeat(held_out, apparent, 0), out_of_fold=held_out,
                group=held_out.group[0], positions=np.arange(len(apparent.y)),
            ),
            (~np.isnan(held_out.linear_predictor)).any(axis=0),
        )  # fmt: skip
        yield _sample(name, DEVELOPMENT, "apparent", apparent, None)
        for label, models in validation.external.items():
            if np.isnan(models[name].linear_predictor).all():
                continue  # nobody there has every predictor: a finding says so
            group = risk_groups(models[name].ranking(), fitted.cut_points)
            yield _sample(name, label, "external", models[name], group)


def _sample(
    model: str, cohort: str, validation: str, p: Predictions, group: NDArray[np.intp] | None
) -> Sample:
    sample = Sample(
        model=model, cohort=cohort, validation=validation,
        predictions=p, out_of_fold=None, group=group, positions=np.arange(len(p.y)),
    )  # fmt: skip
    return _predicted(sample, ~np.isnan(p.linear_predictor))


def _predicted(sample: Sample, known: Any) -> Sample:
    """Leave out patients without a prediction; all stay where nobody has one."""
    return sample.take(np.flatnonzero(known)) if known.any() and not known.all() else sample


def of_repeat(held_out: OutOfFold, apparent: Predictions, repeat: int) -> Predictions:
    """Give the out-of-fold predictions of one repeat, for the patients of `apparent`."""
    return Predictions(
        y=apparent.y,
        linear_predictor=held_out.linear_predictor[repeat],
        risk=held_out.risk[repeat],
        horizons=apparent.horizons,
        stratum=apparent.stratum,
    )


def views(sample: Sample) -> list[View]:
    """Give the sample itself, or each repeat's out-of-fold predictions with each patient's fold.

    Raises
    ------
    FitError
        If no repeat holds a prediction.
    """
    held_out = sample.out_of_fold
    if held_out is None:
        return [(sample.predictions, None)]
    found: list[View] = []
    for repeat, fold in enumerate(held_out.fold):
        known = np.flatnonzero(~np.isnan(held_out.linear_predictor[repeat]))
        if len(known):
            predictions = of_repeat(held_out, sample.predictions, repeat)
            found.append((predictions.take(known), fold[known]))
    if not found:
        raise FitError(f"model {sample.model!r} could not be fitted in any fold of any repeat.")
    return found


def rows_drawn(sizes: Sequence[int], plan: Plan) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Give bootstrap rows of view 0, 1, ... in turn; not stratified by event.

    Parameters
    ----------
    sizes : sequence of int
        Patients of each view.
    plan : Plan

    Yields
    ------
    view : int
    rows : ndarray of int
    """
    rng = np.random.default_rng(plan.seed)
    for b in range(plan.draws):
        view = b % len(sizes)
        yield view, rng.integers(sizes[view], size=sizes[view])


def drawn_from(view: View, rows: NDArray[np.intp]) -> View:
    """Give the patients at `rows` of a view, each with the fold."""
    p, fold = view
    return p.take(rows), None if fold is None else fold[rows]


def fold_rows(fold: NDArray[np.intp], known: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Rows of each fold that was predicted (a failed fit leaves NaN)."""
    return [np.flatnonzero((fold == f) & known) for f in np.unique(fold[known])]


def decision_at(
    p: Predictions,
    j: int,
    thresholds: NDArray[np.float64],
    *,
    harm: float = 0.0,
    prevalence: float | None = None,
) -> DecisionCurve:
    """Net benefit at the horizon in position j (0 for a binary outcome, with its prevalence)."""
    risk = p.risk[:, j]
    if not is_survival(p.y):
        return decision_curve(risk, p.y, thresholds=thresholds, prevalence=prevalence, harm=harm)
    return decision_curve_at(
        risk,
        p.y["time"],
        p.y["event"],
        horizon=p.horizons[j],
        thresholds=thresholds,
        harm=harm,
    )


def drawn_method(plan: Plan, *, out_of_fold: bool) -> str:
    """Say how a figure that is averaged over views came about, and its interval."""
    text = _POOLED if out_of_fold else _BOOTSTRAP
    return text.format(repeats=plan.repeats, draws=plan.draws)


def folds_method(plan: Plan) -> str:
    """Say the same of a figure that is averaged within folds."""
    return _FOLDS.format(repeats=plan.repeats, folds=plan.folds)


def figures_of(sample: Sample, plan: Plan, look: Callable[[View], Scores]) -> pd.DataFrame:
    """Look at one sample whole and at its bootstrap draws; see `figure_table`."""
    looked_at = views(sample)
    sizes = [len(p.y) for p, _ in looked_at]
    draws = [look(drawn_from(looked_at[v], rows)) for v, rows in rows_drawn(sizes, plan)]
    return figure_table(sample, plan, whole=[look(view) for view in looked_at], draws=draws)


def figure_table(
    sample: Sample, plan: Plan, *, whole: Sequence[Scores], draws: Sequence[Scores]
) -> pd.DataFrame:
    """Set out the figures of one sample with their intervals.

    Parameters
    ----------
    sample : Sample
    plan : Plan
    whole, draws : sequence of Scores
        Of each view, and of each bootstrap draw. Out of fold they hold no ranking scores: these are
        averaged within folds.

    Returns
    -------
    DataFrame, one row per metric and horizon
    """
    estimates = {key: mean_known([one[key] for one in whole]) for key in whole[0]}
    intervals = percentile_intervals(draws, estimates, level=plan.level)
    by_method = {drawn_method(plan, out_of_fold=sample.out_of_fold is not None): intervals}
    if sample.out_of_fold is not None:
        by_method = {folds_method(plan): _fold_intervals(sample, plan)} | by_method
    return figure_rows(by_method, sample.labels, sample.predictions.y, plan.level)


def _fold_intervals(sample: Sample, plan: Plan) -> dict[Key, Interval]:
    """Ranking and accuracy, averaged within folds."""
    per_fold = [
        ranking_scores(p.take(rows))
        for p, fold in views(sample)
        if fold is not None
        for rows in fold_rows(fold, np.ones(len(fold), dtype=np.bool_))
    ]
    return {
        key: fold_interval(
            np.array([scores[key] for scores in per_fold]), folds=plan.folds, level=plan.level
        )
        for key in per_fold[0]
    }


def figure_rows(
    intervals: Mapping[str, Mapping[Key, Interval]],
    labels: Mapping[str, str],
    y: NDArray[Any],
    level: float,
) -> pd.DataFrame:
    """Set out figures, by the method that gave them; an interval ends where its metric ends."""
    return pd.DataFrame(
        [
            {
                **labels,
                **key._asdict(),
                **interval.within(key.metric)._asdict(),
                "level": level,
                "n_patients": len(y),
                "n_events": count_events(y),
                "method": method,
            }
            for method, found in intervals.items()
            for key, interval in found.items()
        ]
    )


def count_events(y: NDArray[Any]) -> int:
    """Count observed events, or patients of the positive class."""
    return int((y["event"] if is_survival(y) else y).sum())


def mean_known(values: Iterable[float]) -> float:
    """Mean of the values that are not NaN; NaN where all are.

    Examples
    --------
    >>> mean_known([0.5, float("nan"), 1.0])
    0.75
    """
    kept = [value for value in values if not np.isnan(value)]
    return float(np.mean(kept)) if kept else float("nan")
