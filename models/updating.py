"""How much of a frozen model must be learnt again before it fits another cohort.

Closed testing (`models.closed_testing`) suggests how much to update, so that few patients keep the
original and many may change it.

The figures of an updated model in the patients that it learnt from flatter it. Each is given as it
is (`apparent`) and corrected by its optimism: the update is repeated in bootstrap samples of the
cohort, and compared with itself in the cohort. The original learnt nothing here and has none.

References
----------
Steyerberg EW, Borsboom GJJM, van Houwelingen HC, Eijkemans MJC, Habbema JDF. Validation and
updating of predictive logistic regression models. Statistics in Medicine 2004;23:2567-2586.
doi:10.1002/sim.1844
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.calibration_curves import calibration_curve, calibration_curve_at
from models.closed_testing import closed_tests, n_learnt, suggested_by
from models.logistic import LogisticModel
from models.one_resample import predictions_of
from models.pipeline import RiskPipeline
from models.pipeline_parts import Model
from models.resampling import bootstrap, collected_warnings
from models.scores import (
    Interval,
    Predictions,
    optimism_interval,
    percentile_intervals,
)
from models.updated_model import (
    METHODS,
    Method,
    Recalibration,
    hazard_at,
    not_refitted,
    recalibrate,
    refitted,
    refuse_strata,
)
from models.updating_figures import FigureKey, Figures, figures_with_benefit
from models.validation import Plan
from omics.errors import FitError
from omics.outcome import is_survival, rarer_class

LEAST_EVENTS = 10  # for each parameter that an update learns
PERFORMANCE = [
    *("method", "metric", "horizon", "threshold"),
    *("apparent", "optimism", "estimate", "lower", "upper"),
]


@dataclass(frozen=True, eq=False, kw_only=True)
class Updating:
    """The original model and its updates in one cohort, side by side.

    Attributes
    ----------
    table : DataFrame, one row per method, metric, horizon and threshold
        `method` (see `models.updated_model`), `metric`, `horizon` and `threshold` (NaN where a
        metric has none), `apparent` figure in the cohort, its `optimism`, and the `estimate`
        without it, with its interval `lower`, `upper`: of the original a percentile bootstrap, of
        the updates rms::validate's (dual SD).
    coefficients : DataFrame, one row per term
        `term` and a column per method. `Slope` is what the original linear predictor is multiplied
        by; of a survival model `Risk by t` is that of the development patients' mean.
    tests : DataFrame, one row per method that was tested
        `method`, the larger one that it was tested `against`, `chi2`, `df`, `p_value`.
    curves : DataFrame
        Calibration in the cohort, apparent: `method`, `horizon`, `predicted`, `observed`.
    suggested : str
        The method that closed testing stops at.
    refused : dict of method to str
        Methods that could not be used, and why.
    warnings : tuple of str
        Methods for which the cohort has few events.
    n_patients, n_events, n_left_out : int
        Of the cohort; left out are those without a prediction.
    n_resamples : int
    n_failed : dict of method to int
        Resamples that did not tell the update (no event, a coefficient infinite): left out for it.
    level : float
    seed : int
    """

    table: pd.DataFrame
    coefficients: pd.DataFrame
    tests: pd.DataFrame
    curves: pd.DataFrame
    suggested: Method
    refused: dict[str, str]
    warnings: tuple[str, ...]
    n_patients: int
    n_events: int
    n_left_out: int
    n_resamples: int
    n_failed: dict[str, int]
    level: float
    seed: int

    def __repr__(self) -> str:
        n_methods = self.table["method"].nunique()
        return (
            f"Updating({n_methods} methods, {self.n_patients} patients, {self.n_events} events, "
            f"suggested: {self.suggested})"
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class _Cohort:
    """What the frozen pipeline gives the patients that it can predict."""

    original: Predictions
    matrix: pd.DataFrame
    model: Model
    thresholds: tuple[float, ...]

    @property
    def y(self) -> NDArray[Any]:
        return self.original.y

    def update(self, method: Method, rows: NDArray[np.intp]) -> Predictions:
        """Learn an update from some rows, and predict all patients by it."""
        if method == "original":
            return self.original
        learnt = self.learn(method, rows)
        frozen = self.original.linear_predictor
        given: Any = frozen if isinstance(learnt, Recalibration) else self.matrix
        horizons: Sequence[float | None] = self.original.horizons or (None,)
        return Predictions(
            y=self.y,
            linear_predictor=learnt.linear_predictor(given),
            risk=np.column_stack([learnt.risk(given, horizon=h) for h in horizons]),
            horizons=self.original.horizons,
        )

    def learn(self, method: Method, rows: NDArray[np.intp]) -> Any:
        if method == "refit":
            return refitted(self.model, self.matrix.iloc[rows], self.y[rows])
        if method == "original":
            raise ValueError("method must learn something, but 'original' does not.")
        return recalibrate(self.original.linear_predictor[rows], self.y[rows], method=method)


def updating(
    pipeline: RiskPipeline,
    X: pd.DataFrame,
    y: NDArray[Any],
    *,
    horizons: tuple[float, ...],
    thresholds: Iterable[float],
    plan: Plan,
    harm: float = 0.0,
    prevalence: float | None = None,
) -> Updating:
    """Update a frozen pipeline in another cohort by every method, and compare them there.

    Parameters
    ----------
    pipeline : RiskPipeline
        Fitted in the development patients.
    X : DataFrame of shape (n_patients, n_columns)
        The wide table of the other cohort.
    y : ndarray of shape (n_patients,)
        Structured (`time`, `event`) or boolean.
    horizons : tuple of float
        Empty for a binary outcome.
    thresholds : iterable of float in (0, 1)
        Threshold probabilities of net benefit.
    harm, prevalence : float
        What net benefit is to know of the place, as for `models.decision.decision_curve`.
    plan : Plan
        Its `bootstrap` (0 leaves optimism and intervals out), `level` and `seed`.

    Returns
    -------
    Updating
        A method that cannot be used stands in `refused` alone.

    Raises
    ------
    FitError
        If nobody has a prediction, or not even the level can be learnt: no event, one class.
    ValueError
        If the model is stratified.
    """
    refuse_strata(pipeline)
    everybody = predictions_of(pipeline, X, y, horizons)
    known = np.flatnonzero(~np.isnan(everybody.linear_predictor))
    if not len(known):
        raise FitError(f"nobody of {len(X)} patients has a prediction to update.")
    cohort = _Cohort(
        original=everybody.take(known),
        matrix=pipeline.design_matrix(X).iloc[known],
        model=pipeline.model,
        thresholds=tuple(thresholds),
    )
    learnt, refused = _learn_all(cohort)
    methods: list[Method] = ["original", *learnt]
    whole = {method: cohort.update(method, np.arange(len(known))) for method in methods}
    tests = closed_tests(
        cohort.original, cohort.matrix.to_numpy(), cohort.model, learnt=list(learnt)
    )
    look = partial(
        figures_with_benefit,
        thresholds=np.array(cohort.thresholds),
        harm=harm,
        prevalence=prevalence,
    )
    draws = _draws(cohort, methods, look, plan)
    return Updating(
        table=_performance({m: look(p) for m, p in whole.items()}, draws, plan.level),
        coefficients=_coefficients(cohort, learnt),
        tests=tests,
        curves=_curves(whole),
        suggested=suggested_by(tests),
        refused=refused,
        warnings=tuple(_few_events(cohort, learnt)),
        n_patients=len(known),
        n_events=_n_events(cohort.y),
        n_left_out=len(X) - len(known),
        n_resamples=plan.bootstrap,
        n_failed={method: plan.bootstrap - len(draws[method]) for method in methods},
        level=plan.level,
        seed=plan.seed,
    )


def _n_events(y: NDArray[Any]) -> int:
    return int((y["event"] if is_survival(y) else y).sum())


def _learn_all(cohort: _Cohort) -> tuple[dict[Method, Any], dict[str, str]]:
    """Learn every update from all patients; say which could not be, and why."""
    learnt: dict[Method, Any] = {}
    refused: dict[str, str] = {}
    rows = np.arange(len(cohort.y))
    for method in METHODS[1:]:
        reason = not_refitted(cohort.model) if method == "refit" else ""
        if reason:
            refused[method] = reason
            continue
        try:
            learnt[method] = cohort.learn(method, rows)
        except FitError as error:
            if method == "baseline":
                raise
            refused[method] = str(error)
    return learnt, refused


# ---- figures


def _performance(
    apparent: dict[Method, Figures],
    draws: dict[Method, list[tuple[Figures, Figures]]],
    level: float,
) -> pd.DataFrame:
    """Figures of every method: apparent, and without optimism."""
    rows = []
    for method, figures in apparent.items():
        found = _intervals(figures, draws[method], method, level)
        for key, interval in found.items():
            row = {"method": method, **key._asdict(), "apparent": figures[key]}
            optimism = figures[key] - interval.estimate
            rows.append({**row, "optimism": optimism, **interval._asdict()})
    return pd.DataFrame(rows)[PERFORMANCE]


def _intervals(
    figures: Figures,
    draws: list[tuple[Figures, Figures]],
    method: Method,
    level: float,
) -> dict[FigureKey, Interval]:
    if not draws:
        return {key: Interval(value, np.nan, np.nan) for key, value in figures.items()}
    train, test = ([one[side] for one in draws] for side in (0, 1))
    if method == "original":
        return percentile_intervals(train, figures, level=level)
    return {
        key: optimism_interval(
            np.array([one[key] for one in train]),
            np.array([one[key] for one in test]),
            value,
            level=level,
        )
        for key, value in figures.items()
    }


def _draws(
    cohort: _Cohort,
    methods: list[Method],
    look: Callable[[Predictions], Figures],
    plan: Plan,
) -> dict[Method, list[tuple[Figures, Figures]]]:
    """Repeat every update in bootstrap samples: figures there, and in the cohort.

    A sample that tells no update (no event, a coefficient infinite) is left out for it.
    """
    found: dict[Method, list[tuple[Figures, Figures]]] = {method: [] for method in methods}
    if not plan.bootstrap:
        return found
    parts = bootstrap(len(cohort.y), resamples=plan.bootstrap, seed=plan.seed + 2)
    with collected_warnings([]):
        for part in parts:
            for method in methods:
                try:
                    p = cohort.update(method, part.train)
                except FitError:
                    continue
                found[method].append((look(p.take(part.train)), look(p)))
    return found


def _curves(whole: dict[Method, Predictions]) -> pd.DataFrame:
    """Calibration of every method in the cohort it was updated in."""
    tables = []
    for method, p in whole.items():
        for j, horizon in enumerate(p.horizons or (np.nan,)):
            curve = (
                calibration_curve_at(p.y["time"], p.y["event"], p.risk[:, j], horizon=horizon)
                if is_survival(p.y)
                else calibration_curve(p.y, p.risk[:, j])
            ).table[["predicted", "observed"]]
            curve.insert(0, "method", method)
            curve.insert(1, "horizon", horizon)
            tables.append(curve)
    return pd.concat(tables, ignore_index=True)


# ---- what was learnt


def _coefficients(cohort: _Cohort, learnt: dict[Method, Any]) -> pd.DataFrame:
    """Set out what each method multiplies and adds."""
    model = cohort.model
    columns = {"original": _terms(model, None, cohort)}
    columns |= {method: _terms(model, one, cohort) for method, one in learnt.items()}
    table = pd.DataFrame(columns)
    return table.rename_axis("term").reset_index()


def _terms(model: Model, learnt: Any, cohort: _Cohort) -> dict[str, float]:
    """Give the terms of the original (`learnt` None), or of an update of it."""
    recalibrated = isinstance(learnt, Recalibration)
    slope = learnt.slope if recalibrated else 1.0
    now = model if learnt is None or recalibrated else learnt
    terms: dict[str, float] = {}
    if isinstance(model, LogisticModel):
        added = learnt.intercept if recalibrated else 0.0
        terms["Intercept"] = added + slope * float(now.intercept_)
    if hasattr(model, "coef_"):
        names = [str(name) for name in model.feature_names_in_]
        terms |= dict(zip(names, (slope * now.coef_).tolist(), strict=True))
    terms["Slope"] = slope if learnt is None or recalibrated else np.nan
    for horizon in cohort.original.horizons:
        terms[f"Risk by {horizon:g}"] = _risk_at_mean(model, learnt, horizon)
    return terms


def _risk_at_mean(model: Model, learnt: Any, horizon: float) -> float:
    """Risk of a patient whose frozen linear predictor is 0: the development patients' mean."""
    if isinstance(learnt, Recalibration):
        return float(learnt.risk(np.zeros(1), horizon=horizon)[0])
    now = model if learnt is None else learnt
    if horizon > now.max_time_:
        return float("nan")
    moved = 0.0 if learnt is None else float((model.means_ - now.means_) @ now.coef_)
    hazard = hazard_at(now.baseline_time_, now.baseline_hazard_, np.array([horizon]))[0]
    return float(-np.expm1(-hazard * np.exp(moved)))


def _few_events(cohort: _Cohort, learnt: dict[Method, Any]) -> Iterable[str]:
    events = rarer_class(cohort.y)
    for method in learnt:
        n = n_learnt(method, cohort.matrix.shape[1])
        if events < LEAST_EVENTS * n:
            yield (
                f"{method} learns {n} parameter{'s' if n > 1 else ''} from {events} "
                f"{'events' if is_survival(cohort.y) else 'patients of the rarer class'}, fewer "
                f"than {LEAST_EVENTS} for each"
            )
