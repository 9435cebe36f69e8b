r"""What one model predicts better than another, in the same patients.

Every difference is paired: both models meet the same patients, the same folds and the same
bootstrap draws. Ranking and accuracy out of fold are subtracted within each held-out fold; net
benefit, and everything external, within each bootstrap draw. A patient for whom one of the two has
no prediction is left out of the pair, and counted.

Where the models are regressions without penalty, one nested in the other, the likelihood-ratio test
says whether the larger fits the development patients better:

.. math:: \chi^2 = 2 (\ell_\mathrm{large} - \ell_\mathrm{small})

with as many degrees of freedom as it has more columns, and of Cox models with the same strata. It
says nothing of new patients.

References
----------
Nadeau C, Bengio Y. Inference for the generalization error. Machine Learning 2003;52:239-281.
doi:10.1023/A:1024068626366
Vickers AJ, Cronin AM, Begg CB. One statistical test is sufficient for assessing new predictive
markers. BMC Med Res Methodol 2011;11:13. doi:10.1186/1471-2288-11-13
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.decision import Setting
from models.evaluation import (
    count_events,
    decision_at,
    fold_rows,
    mean_known,
    of_repeat,
    rows_drawn,
)
from models.likelihood_ratio import LIKELIHOOD_RATIO, likelihood_ratio
from models.scores import (
    Interval,
    Predictions,
    fold_interval,
    percentile_intervals,
    ranking_scores,
)
from models.validation import Plan, Validation
from omics.cohort import DEVELOPMENT, Cohort
from omics.messages import nearest
from omics.outcome import Outcome
from omics.parallel import in_parallel

DIFFERENCES = [
    *("model", "reference", "cohort", "validation", "metric", "horizon", "threshold"),
    *("difference", "lower", "upper", "level", "n_patients", "n_events", "n_left_out", "method"),
]
_FOLDS = (
    "mean of the differences in {repeats} x {folds} held-out folds; corrected resampled t "
    "interval, approximate coverage"
)
_POOLED = (
    "differences in the out-of-fold predictions of each of {repeats} repeats, averaged; paired "
    "percentile bootstrap of patients, {draws} draws, fits fixed, coverage approximate"
)
_EXTERNAL = "paired percentile bootstrap of the evaluated patients, {draws} draws, models fixed"


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """How far each model lies from one of them.

    Attributes
    ----------
    table : DataFrame, one row per model, cohort, metric, horizon and threshold
        Columns as in `DIFFERENCES`: `difference` is the model's figure less the reference's, with
        the ends of its interval; `n_patients` and `n_events` count the patients that both predict,
        `n_left_out` those that only one of them, or none, predicts. `horizon` is NaN where a metric
        has none, `threshold` where it is not `net_benefit`.
    likelihood_ratio : DataFrame, one row per model
        Columns as in `LIKELIHOOD_RATIO`: `larger` is the model that holds the other; where the test
        cannot be given, its figures are NaN and `reason` says why.
    reference : str
    outcome : Outcome
    seed : int
    """

    table: pd.DataFrame
    likelihood_ratio: pd.DataFrame
    reference: str
    outcome: Outcome
    seed: int

    def __repr__(self) -> str:
        n_models = len(self.likelihood_ratio)
        return f"Comparison({n_models} models against {self.reference!r}, {len(self.table)} rows)"


class _Figure(NamedTuple):
    metric: str
    horizon: float
    threshold: float


_Figures = dict[_Figure, float]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pair:
    """Two models' predictions for the patients of one cohort that both predict.

    Attributes
    ----------
    labels : mapping
        `model`, `reference`, `cohort` and `validation`.
    views : tuple
        Of each repeat the model's predictions, the reference's, and each patient's fold (out of
        fold only).
    y : ndarray of shape (n_patients,)
    n_left_out : int
        Patients whom not both predict.
    """

    labels: Mapping[str, str]
    views: tuple[tuple[Predictions, Predictions, NDArray[np.intp] | None], ...]
    y: NDArray[Any]
    n_left_out: int


def compare(
    validation: Validation,
    cohort: Cohort,
    *,
    reference: str,
    thresholds: Iterable[float],
    setting: Setting | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Comparison:
    """Compare every model of a validation with one of them.

    Parameters
    ----------
    validation : Validation
    cohort : Cohort
        The one that was validated on.
    reference : str
        Name of the model that the others are compared with.
    thresholds : iterable of float in (0, 1)
        Threshold probabilities at which net benefit is compared.
    setting : Setting, optional
        Prevalence and harm, where net benefit is to know them.
    progress : callable(what, done, total), optional

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If no model has the name `reference`.
    """
    check_reference(validation.fitted, reference)
    others = [name for name in validation.fitted if name != reference]
    levels = np.asarray(list(thresholds), dtype=np.float64)
    pairs = [pair for name in others for pair in pairs_of(validation, name, reference)]
    place = Setting() if setting is None else setting
    tasks = [
        partial(
            _differences, pair, validation.plan, levels, partial(net_benefits, levels, place, pair)
        )
        for pair in pairs
    ]
    tables = []
    for done, table in enumerate(in_parallel(tasks, n_jobs=validation.plan.n_jobs), start=1):
        tables.append(table)
        if progress is not None:
            progress("paired differences", done, len(tasks))
    tests = [likelihood_ratio(validation, cohort, name, reference) for name in others]
    return Comparison(
        table=pd.concat(tables, ignore_index=True)[DIFFERENCES]
        if tables
        else pd.DataFrame(columns=DIFFERENCES),
        likelihood_ratio=pd.DataFrame(tests, columns=LIKELIHOOD_RATIO),
        reference=reference,
        outcome=validation.outcome,
        seed=validation.plan.seed,
    )


def check_reference(known: Iterable[str], reference: str) -> None:
    """Raise unless a model has the name `reference`."""
    names = list(known)
    if reference not in names:
        raise ValueError(
            f"reference must be a model, but {reference!r} is none of {len(names)}. "
            f"{nearest(reference, names)}"
        )


def pairs_of(validation: Validation, model: str, reference: str) -> Iterator[Pair]:
    """Give the pair out of fold, then in each external cohort; one without patients is left out."""
    ours, theirs = validation.out_of_fold[model], validation.out_of_fold[reference]
    known = ~(np.isnan(ours.linear_predictor) | np.isnan(theirs.linear_predictor))
    apparent, other = validation.apparent[model], validation.apparent[reference]
    labels = {"model": model, "reference": reference}
    if known.any():
        yield Pair(
            labels={**labels, "cohort": DEVELOPMENT, "validation": "cross_validated"},
            views=tuple(
                (
                    of_repeat(ours, apparent, repeat).take(rows),
                    of_repeat(theirs, other, repeat).take(rows),
                    ours.fold[repeat][rows],
                )
                for repeat, rows in enumerate(map(np.flatnonzero, known))
                if len(rows)
            ),
            y=apparent.y[known.any(axis=0)],
            n_left_out=int((~known.any(axis=0)).sum()),
        )
    for label, models in validation.external.items():
        p, q = models[model], models[reference]
        both = ~(np.isnan(p.linear_predictor) | np.isnan(q.linear_predictor))
        rows = np.flatnonzero(both)
        if len(rows):
            yield Pair(
                labels={**labels, "cohort": label, "validation": "external"},
                views=((p.take(rows), q.take(rows), None),),
                y=p.y[rows],
                n_left_out=int((~both).sum()),
            )


def net_benefits(
    thresholds: NDArray[np.float64], setting: Setting, pair: Pair, p: Predictions, q: Predictions
) -> list[NDArray[np.float64]]:
    """Subtract net benefits of the reference from the model's, at each horizon."""
    found = []
    for j in range(p.risk.shape[1]):
        ours, theirs = (
            decision_at(
                one,
                j,
                thresholds,
                harm=setting.harm_of(pair.labels[role]),
                prevalence=setting.prevalence,
            ).columns["net_benefit"]
            for one, role in ((p, "model"), (q, "reference"))
        )
        found.append(ours - theirs)
    return found


_Benefits = Callable[[Predictions, Predictions], list[NDArray[np.float64]]]


def _differences(
    pair: Pair, plan: Plan, thresholds: NDArray[np.float64], benefits: _Benefits
) -> pd.DataFrame:
    """Set out the differences of one pair, with their intervals."""
    out_of_fold = pair.views[0][2] is not None
    look = partial(_look, thresholds=thresholds, benefits=benefits, ranking=not out_of_fold)
    whole = [look(p, q) for p, q, _ in pair.views]
    draws = []
    for view, rows in rows_drawn([len(p.y) for p, _, _ in pair.views], plan):
        p, q, _ = pair.views[view]
        draws.append(look(p.take(rows), q.take(rows)))
    estimates = {key: mean_known(one[key] for one in whole) for key in whole[0]}
    drawn = percentile_intervals(draws, estimates, level=plan.level)
    sizes = {"repeats": plan.repeats, "folds": plan.folds, "draws": plan.draws}
    by_method = {(_POOLED if out_of_fold else _EXTERNAL).format(**sizes): drawn}
    if out_of_fold:
        by_method = {_FOLDS.format(**sizes): _fold_differences(pair, plan)} | by_method
    return pd.DataFrame(
        [
            {
                **pair.labels,
                **key._asdict(),
                **dict(zip(("difference", "lower", "upper"), interval, strict=True)),
                "level": plan.level,
                "n_patients": len(pair.y),
                "n_events": count_events(pair.y),
                "n_left_out": pair.n_left_out,
                "method": method,
            }
            for method, found in by_method.items()
            for key, interval in found.items()
        ]
    )


def _look(
    p: Predictions,
    q: Predictions,
    *,
    thresholds: NDArray[np.float64],
    benefits: _Benefits,
    ranking: bool,
) -> _Figures:
    """Subtract the figures of q from those of p."""
    figures = _ranking(p, q) if ranking else {}
    for horizon, differences in zip(p.horizons or (np.nan,), benefits(p, q), strict=True):
        for threshold, benefit in zip(thresholds, differences, strict=True):
            figures[_Figure("net_benefit", horizon, float(threshold))] = float(benefit)
    return figures


def _ranking(p: Predictions, q: Predictions) -> _Figures:
    ours, theirs = ranking_scores(p), ranking_scores(q)
    return {_Figure(*key, np.nan): value - theirs[key] for key, value in ours.items()}


def _fold_differences(pair: Pair, plan: Plan) -> dict[_Figure, Interval]:
    """Ranking and accuracy: subtracted within folds, then averaged."""
    per_fold = [
        _ranking(p.take(rows), q.take(rows))
        for p, q, fold in pair.views
        if fold is not None
        for rows in fold_rows(fold, np.ones(len(fold), dtype=np.bool_))
    ]
    return {
        key: fold_interval(
            np.array([one[key] for one in per_fold]), folds=plan.folds, level=plan.level
        )
        for key in per_fold[0]
    }
