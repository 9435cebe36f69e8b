r"""How one model moves patients' risks against another, for those who are asked for NRI and IDI.

With :math:`U` and :math:`D` the patients whose risk the model moves up and down (to another
category, or at all), the net reclassification improvement has two parts, of events and of others:

.. math::

    P(U \mid \text{event}) - P(D \mid \text{event}), \qquad
    P(D \mid \text{none}) - P(U \mid \text{none})

and the integrated discrimination improvement is how much higher the mean risk is in events, and how
much lower in others. By a horizon t, with :math:`\hat F_G = 1 - \hat S_G(t)` by Kaplan-Meier in
group G of :math:`n_G` patients, the parts of NRI are (Pencina 2011)

.. math::

    \frac{n_U \hat F_U - n_D \hat F_D}{n \hat F}, \qquad
    \frac{n_D \hat S_D - n_U \hat S_U}{n \hat S}

and the means of IDI are weighted by the inverse probability of censoring (Uno 2013). Weighting NRI
likewise would give other numbers: R's nricens offers both. Risks are compared in the same patients,
none of whom the fits had seen.

References
----------
Pencina MJ, D'Agostino RB, Steyerberg EW. Extensions of net reclassification improvement
calculations. Statistics in Medicine 2011;30:11-21. doi:10.1002/sim.4085
Uno H, Tian L, Cai T, Kohane IS, Wei LJ. A unified inference procedure for a class of measures to
assess improvement in risk prediction systems. Statistics in Medicine 2013;32:2430-2442.
doi:10.1002/sim.5647
Pepe MS, Fan J, Feng Z, Gerds T, Hilden J. The net reclassification index (NRI): a misleading
measure of prediction improvement even with independent test data sets. Statistics in Biosciences
2015;7:282-295. doi:10.1007/s12561-014-9118-0
Hilden J, Gerds TA. A note on the evaluation of novel biomarkers: do not rely on integrated
discrimination improvement and net reclassification index. Statistics in Medicine 2014;33:3405-3414.
doi:10.1002/sim.5804
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from models.censoring import censoring_weights
from models.checks import (
    Flags,
    Floats,
    check_binary_risks,
    check_horizon,
    check_risk,
    check_survival_risks,
)
from models.comparison import Pair, check_reference, pairs_of
from models.evaluation import count_events, mean_known, rows_drawn
from models.scores import Predictions, percentile_intervals
from models.survival_curves import survival_at
from models.validation import Plan, Validation
from omics.checks import check_probability, check_same_length
from omics.outcome import Outcome, is_survival
from omics.parallel import in_parallel

WARNING = (
    "NRI and IDI can be well above 0 for a marker that tells nothing, in independent patients too, "
    "when the model that holds it is poorly calibrated; category-free NRI counts moves of no "
    "consequence, and a sum of both parts weighs events and others alike however rare events are. "
    "They are no evidence that a marker helps: judge by the likelihood-ratio test and by net "
    "benefit (Pepe 2015, doi:10.1007/s12561-014-9118-0; Hilden and Gerds 2014, "
    "doi:10.1002/sim.5804)."
)
METRICS = ("nri", "nri_category_free", "idi")
PARTS = ("events", "non-events", "sum")
COLUMNS = [
    *("model", "reference", "cohort", "validation", "horizon", "metric", "part"),
    *("estimate", "lower", "upper", "level", "n_patients", "n_events", "n_left_out", "method"),
]
_METHOD = "paired percentile bootstrap of the evaluated patients, {draws} draws, models fixed"
_POOLED = (
    "out-of-fold predictions of each of {repeats} repeats, averaged; paired percentile bootstrap "
    "of patients, {draws} draws, fits fixed, coverage approximate"
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Reclassification:
    """NRI and IDI of one pair of predictions.

    Attributes
    ----------
    table : DataFrame, one row per metric and part
        Columns `metric` (`nri` between categories, if there are some, `nri_category_free`, `idi`),
        `part` (`events`, `non-events`, `sum`) and `estimate`, above 0 where the model is said to be
        better. NaN where nobody or everybody had the event, where those moved were not followed to
        the horizon, and where a risk is NaN.
    categories : ndarray
        Thresholds between the categories of risk.
    n_patients, n_events : int
    horizon : float or None
    warning : str
        What the literature asks to be said beside the numbers.
    """

    table: pd.DataFrame
    categories: Floats
    n_patients: int
    n_events: int
    horizon: float | None
    warning: str = WARNING

    def __repr__(self) -> str:
        return (
            f"Reclassification({self.n_patients} patients, {self.n_events} events, "
            f"{len(self.categories) + 1} categories; see warning)"
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Reclassifications:
    """NRI and IDI of every model of a study against one of them, in patients no fit had seen.

    Attributes
    ----------
    table : DataFrame, one row per model, cohort, horizon, metric and part
        Columns as in `COLUMNS`; metric, part and estimate as in `Reclassification`, the counts as
        in `models.comparison`.
    reference : str
    categories : ndarray
    outcome : Outcome
    seed : int
    warning : str
    """

    table: pd.DataFrame
    reference: str
    categories: Floats
    outcome: Outcome
    seed: int
    warning: str = WARNING

    def __repr__(self) -> str:
        n_models = self.table["model"].nunique()
        return f"Reclassifications({n_models} models against {self.reference!r}; see warning)"


def reclassification(
    event: ArrayLike, risk: ArrayLike, reference_risk: ArrayLike, *, categories: ArrayLike = ()
) -> Reclassification:
    """Give NRI and IDI of a binary outcome.

    Parameters
    ----------
    event : array-like of shape (n_patients,)
        True for the positive class.
    risk, reference_risk : array-like of shape (n_patients,)
        Predicted by the model and by the one it is compared with, in [0, 1].
    categories : array-like of shape (n_thresholds,)
        Rising thresholds in (0, 1) between categories of risk; a risk at one is above it. Without
        them there is no category NRI.

    Returns
    -------
    Reclassification

    Raises
    ------
    ValueError
        If an argument has the wrong shape or range.

    Examples
    --------
    One of two events goes up, one of two others goes down; mean risks move by .1 and .05:

    >>> found = reclassification([1, 1, 0, 0], [0.6, 0.5, 0.1, 0.3], [0.4, 0.5, 0.2, 0.3],
    ...                          categories=[0.5])
    >>> found.table["estimate"].round(3).tolist()
    [0.5, 0.0, 0.5, 0.5, 0.5, 1.0, 0.1, 0.05, 0.15]
    """
    events, p = check_binary_risks(event, risk)
    q, cuts = _check_reference_risk(reference_risk, p), check_categories(categories)
    figures = _binary_figures(events, p, q, cuts)
    return _result(figures, cuts, len(p), int(events.sum()), None)


def reclassification_at(
    time: ArrayLike,
    event: ArrayLike,
    risk: ArrayLike,
    reference_risk: ArrayLike,
    *,
    horizon: float,
    categories: ArrayLike = (),
) -> Reclassification:
    """Give NRI and IDI of a survival outcome by `horizon`.

    Parameters
    ----------
    time, event : array-like of shape (n_patients,)
        As for `models.accuracy.brier_at`.
    risk, reference_risk : array-like of shape (n_patients,)
        Of the event by `horizon`, by the model and by the one it is compared with, in [0, 1].
    horizon : float
    categories : array-like of shape (n_thresholds,)
        As for `reclassification`.

    Returns
    -------
    Reclassification
        `n_events` are those by the horizon.

    Raises
    ------
    ValueError
        If an argument has the wrong shape or range.

    Examples
    --------
    Without censoring before the horizon it is that of the binary outcome:

    >>> found = reclassification_at([1, 2, 5, 6], [1, 1, 0, 1], [0.6, 0.5, 0.1, 0.3],
    ...                             [0.4, 0.5, 0.2, 0.3], horizon=4, categories=[0.5])
    >>> found.table["estimate"].round(3).tolist()
    [0.5, 0.0, 0.5, 0.5, 0.5, 1.0, 0.1, 0.05, 0.15]
    """
    times, events, p = check_survival_risks(time, event, risk)
    q, cuts = _check_reference_risk(reference_risk, p), check_categories(categories)
    by = check_horizon(horizon)
    figures = _survival_figures(times, events, p, q, horizon=by, cuts=cuts)
    return _result(figures, cuts, len(p), int((events & (times <= by)).sum()), by)


def reclassifications(
    validation: Validation,
    *,
    reference: str,
    categories: ArrayLike = (),
    progress: Callable[[str, int, int], None] | None = None,
) -> Reclassifications:
    """Give NRI and IDI of every model against one of them, with paired bootstrap intervals.

    Parameters
    ----------
    validation : Validation
    reference : str
        Name of the model that the others are compared with.
    categories : array-like of shape (n_thresholds,)
        As for `reclassification`.
    progress : callable(what, done, total), optional

    Returns
    -------
    Reclassifications
        Of development patients out of fold, and of each external cohort; never apparent.

    Raises
    ------
    ValueError
        If no model has the name `reference`, or `categories` do not rise between 0 and 1.
    """
    check_reference(validation.fitted, reference)
    cuts = check_categories(categories)
    others = [name for name in validation.fitted if name != reference]
    pairs = [pair for name in others for pair in pairs_of(validation, name, reference)]
    tasks = [partial(_rows, pair, validation.plan, cuts) for pair in pairs]
    rows: list[dict[str, object]] = []
    for done, found in enumerate(in_parallel(tasks, n_jobs=validation.plan.n_jobs), start=1):
        rows += found
        if progress is not None:
            progress("reclassification", done, len(tasks))
    return Reclassifications(
        table=pd.DataFrame(rows, columns=COLUMNS),
        reference=reference,
        categories=cuts,
        outcome=validation.outcome,
        seed=validation.plan.seed,
    )


def check_categories(values: ArrayLike) -> Floats:
    """Return thresholds that rise strictly between 0 and 1; there may be none."""
    cuts = check_probability(values, "categories")
    if len(cuts) and (cuts[0] <= 0 or cuts[-1] >= 1 or (np.diff(cuts) <= 0).any()):
        raise ValueError(
            f"categories must rise between 0 and 1, but {cuts.tolist()} came. Give the risks at "
            "which one would act otherwise, such as [0.2, 0.5]."
        )
    return cuts


class _Key(NamedTuple):
    horizon: float
    metric: str
    part: str


_Figures = list[tuple[str, float, float]]  # metric, of events, of others


def _binary_figures(event: Flags, p: Floats, q: Floats, cuts: Floats) -> _Figures:
    if event.all() or not event.any() or np.isnan(p).any() or np.isnan(q).any():
        return _unknown(cuts)
    moves = _moves(p, q, cuts)
    return [
        (metric, float(move[event].mean()), 0.0 - float(move[~event].mean()))
        for metric, move in {**moves, "idi": p - q}.items()
    ]


def _survival_figures(
    time: Floats, event: Flags, p: Floats, q: Floats, *, horizon: float, cuts: Floats
) -> _Figures:
    survival = float(survival_at(time, event, horizon))
    if not 0 < survival < 1 or np.isnan(p).any() or np.isnan(q).any():
        return _unknown(cuts)
    figures = [
        (metric, *_moved_risk(move, time, event, horizon, survival))
        for metric, move in _moves(p, q, cuts).items()
    ]
    weights = censoring_weights(time, event, horizon=horizon)
    had, gain = time <= horizon, weights * (p - q)
    return [*figures, ("idi", _ratio(gain, weights, had), 0.0 - _ratio(gain, weights, ~had))]


def _moves(p: Floats, q: Floats, cuts: Floats) -> dict[str, Floats]:
    """Tell of each patient whether the risk moved up (1), down (-1) or not (0)."""
    steps = np.searchsorted(cuts, p, side="right") - np.searchsorted(cuts, q, side="right")
    between = {"nri": np.sign(steps).astype(np.float64)} if len(cuts) else {}
    return {**between, "nri_category_free": np.sign(p - q)}


def _moved_risk(
    move: Floats, time: Floats, event: Flags, horizon: float, survival: float
) -> tuple[float, float]:
    """Give Pencina's two parts; NaN where those moved were not followed to the horizon."""
    had = stayed = 0.0
    for direction in (1, -1):
        own = move == direction
        if own.any():
            free = float(survival_at(time[own], event[own], horizon))
            had += direction * own.sum() * (1 - free)
            stayed -= direction * own.sum() * free
    return had / (len(time) * (1 - survival)), stayed / (len(time) * survival)


def _ratio(gain: Floats, weights: Floats, own: Flags) -> float:
    """Average the gain of some patients; NaN where none of them was followed long enough."""
    total = float(weights[own].sum())
    return float(gain[own].sum()) / total if total else float("nan")


def _unknown(cuts: Floats) -> _Figures:
    return [(metric, np.nan, np.nan) for metric in METRICS[0 if len(cuts) else 1 :]]


def _check_reference_risk(values: ArrayLike, risk: Floats) -> Floats:
    q = check_risk(values, "reference_risk")
    check_same_length(risk=risk, reference_risk=q)
    return q


def _in_parts(figures: _Figures) -> Iterable[tuple[str, str, float]]:
    for metric, of_events, of_others in figures:
        for part, value in zip(PARTS, (of_events, of_others, of_events + of_others), strict=True):
            yield metric, part, value


def _result(
    figures: _Figures, cuts: Floats, n_patients: int, n_events: int, horizon: float | None
) -> Reclassification:
    return Reclassification(
        table=pd.DataFrame(_in_parts(figures), columns=["metric", "part", "estimate"]),
        categories=cuts,
        n_patients=n_patients,
        n_events=n_events,
        horizon=horizon,
    )


def _look(p: Predictions, q: Predictions, cuts: Floats) -> dict[_Key, float]:
    """Give the figures of two models in the same patients, at every horizon."""
    found = {}
    for j, horizon in enumerate(p.horizons or (np.nan,)):
        ours, theirs = p.risk[:, j], q.risk[:, j]
        figures = (
            _survival_figures(p.y["time"], p.y["event"], ours, theirs, horizon=horizon, cuts=cuts)
            if is_survival(p.y)
            else _binary_figures(p.y, ours, theirs, cuts)
        )
        for metric, part, value in _in_parts(figures):
            found[_Key(horizon, metric, part)] = value
    return found


def _rows(pair: Pair, plan: Plan, cuts: Floats) -> Sequence[dict[str, object]]:
    """Set out the figures of one pair, with their intervals."""
    whole = [_look(p, q, cuts) for p, q, _ in pair.views]
    draws = []
    for view, rows in rows_drawn([len(p.y) for p, _, _ in pair.views], plan):
        p, q, _ = pair.views[view]
        draws.append(_look(p.take(rows), q.take(rows), cuts))
    estimates = {key: mean_known(one[key] for one in whole) for key in whole[0]}
    method = _METHOD if pair.views[0][2] is None else _POOLED
    return [
        {
            **pair.labels,
            **key._asdict(),
            **interval._asdict(),
            "level": plan.level,
            "n_patients": len(pair.y),
            "n_events": count_events(pair.y),
            "n_left_out": pair.n_left_out,
            "method": method.format(repeats=plan.repeats, draws=plan.draws),
        }
        for key, interval in percentile_intervals(draws, estimates, level=plan.level).items()
    ]
