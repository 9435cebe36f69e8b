"""What the frozen models say of new patients: risks with intervals, groups, points and factors.

Each patient's row depends on that patient alone: one by one and in bulk the numbers are the same.
The one exception is declared: patients of a new centre whose scale is estimated from them together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.design import IMPUTING, Design
from models.factor_findings import LEAST_INFORMATION, active_factors
from models.intervals import (
    COX,
    DRAWN,
    LOGISTIC,
    NO_INTERVAL,
    HazardSpread,
    StrataSpread,
    drawn_risk_interval,
    risk_interval,
)
from models.nomogram import Nomogram
from models.one_resample import risk_groups
from models.pipeline import RiskPipeline
from models.pipeline_parts import mean_risk
from models.schema import Column, outside_range
from omics.messages import quoted
from omics.new_patients import NewPatients
from omics.outcome import Outcome


@dataclass(frozen=True, eq=False, kw_only=True)
class FrozenModel:
    """A fitted pipeline with what scoring needs beside it.

    Attributes
    ----------
    pipeline : RiskPipeline
    columns : tuple of str
        Columns of the wide table it needs, in the order in which it takes them.
    cut_points : ndarray of shape (n_groups - 1,)
        Of the linear predictor, rising; at or below the first is group 1, the lowest risk. Of a
        stratified model they are of the risk by the last horizon.
    nomogram : Nomogram or None
    spread : HazardSpread, StrataSpread or None
        Of a Cox model.
    """

    pipeline: RiskPipeline
    columns: tuple[str, ...]
    cut_points: NDArray[np.float64]
    nomogram: Nomogram | None
    spread: HazardSpread | StrataSpread | None

    def __repr__(self) -> str:
        return f"FrozenModel({type(self.pipeline.model).__name__}, {len(self.columns)} columns)"


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores:
    """New patients, scored.

    Attributes
    ----------
    table : DataFrame, one row per patient and model
        `patient`, `model`, `linear_predictor`, `points` (total points of the nomogram, if there is
        one), per horizon `risk_<horizon>`, `risk_<horizon>_lower`, `risk_<horizon>_upper` (of a
        binary outcome `risk`, ...), `interval` (its kind, or why there is none), `group` (from 1,
        the lowest risk), `filled` (columns that were missing and filled in), `outside` (columns
        beyond the development range), `low_information` (True where factors rest on little), then
        each factor `F1`, ... and `F1_information`, ..., in [0, 1].
    differences : DataFrame
        From `models.schema.differences`.
    level : float
        Of the intervals.
    """

    table: pd.DataFrame
    differences: pd.DataFrame
    level: float

    def __repr__(self) -> str:
        return (
            f"Scores({self.table['patient'].nunique()} patients, "
            f"{self.table['model'].nunique()} models, {len(self.differences)} differences)"
        )


@dataclass(frozen=True, kw_only=True)
class Needed:
    """Columns of the wide table that a fitted pipeline needs.

    Attributes
    ----------
    predictors : frozenset of str
        Of its design, its strata included.
    features : frozenset of str
        Of its signatures: a value may be missing, the column may not.
    through_factors : frozenset of str
        Whole tables of them may be missing.
    harmonising : frozenset of str
        The centre and the covariates of harmonisation, which no patient may lack.
    harmonised : frozenset of str
        Where a new centre is estimated, all that is harmonised: features tell of each other.
    """

    predictors: frozenset[str]
    features: frozenset[str]
    through_factors: frozenset[str]
    harmonising: frozenset[str] = frozenset()
    harmonised: frozenset[str] = frozenset()

    @property
    def every(self) -> frozenset[str]:
        """All of them."""
        seen = self.predictors | self.features | self.through_factors
        return seen | self.harmonising | self.harmonised


def needed_columns(pipeline: RiskPipeline, known: Sequence[str]) -> Needed:
    """Name the columns of the wide table that a fitted pipeline needs."""
    design, factors = pipeline.design, pipeline.factor_model
    predictors = {term.name for term in design.terms_} | {*design.needed_}
    predictors |= set() if design.strata is None else {design.strata}
    return Needed(
        predictors=frozenset(predictors & set(known)),
        features=frozenset(
            str(name) for one in pipeline.signatures for name in one.coef_["feature"]
        ),
        through_factors=frozenset(() if factors is None else factors.features_),
        harmonising=frozenset(name for step in pipeline.harmonised for name in step.reads),
        harmonised=frozenset(
            name
            for step in pipeline.harmonised
            if step.new_centre == "estimate"
            for name in step.features_
        ),
    )


def takes_missing(design: Design) -> bool:
    """Tell whether the others can be scored where a patient lacks a predictor."""
    return design.missing != "refuse"


def score_patients(
    models: Mapping[str, FrozenModel],
    columns: Sequence[Column],
    patients: NewPatients,
    *,
    outcome: Outcome,
    level: float,
    differences: pd.DataFrame,
) -> Scores:
    """Score patients who may be scored.

    Parameters
    ----------
    models : mapping of name to FrozenModel
    columns : sequence of Column
    patients : NewPatients
        Nothing in `differences` of theirs is refused.
    outcome : Outcome
    level : float
        Of the intervals.
    differences : DataFrame

    Returns
    -------
    Scores
    """
    by_name = {column.name: column for column in columns}
    parts = [
        _score_by(name, model, by_name, patients, outcome=outcome, level=level)
        for name, model in models.items()
    ]
    table = pd.concat(parts, ignore_index=True)
    last = [name for name in table.columns if name not in _FIRST and not name.startswith("risk")]
    risks = [name for name in table.columns if name.startswith("risk")]
    order = [*_FIRST[:4], *risks, *_FIRST[4:], *last]
    return Scores(table=table[order], differences=differences, level=level)


_FIRST = (
    *("patient", "model", "linear_predictor", "points"),
    *("interval", "group", "filled", "not_predicted", "outside", "low_information"),
)


def _score_by(
    name: str,
    frozen: FrozenModel,
    columns: Mapping[str, Column],
    patients: NewPatients,
    *,
    outcome: Outcome,
    level: float,
) -> pd.DataFrame:
    """Score every patient by one model."""
    X = patients.X[list(frozen.columns)]
    pipeline, model = frozen.pipeline, frozen.pipeline.model
    numbers = _numbers_of(frozen, X, outcome=outcome, level=level)
    table = pd.DataFrame({"patient": patients.ids, "model": name}, dtype=object)
    table = table.join(numbers)
    table["interval"] = _kind_of_interval(model)
    if pipeline.design.missing == "multiple":
        gaps = X[sorted(needed_columns(pipeline, list(X.columns)).predictors)].isna().any(axis=1)
        table.loc[gaps.to_numpy(), "interval"] += DRAWN
    horizon = pipeline.ranking_horizon(outcome.horizons)
    ranked = table["linear_predictor" if horizon is None else f"risk_{horizon:g}"]
    group = risk_groups(ranked.to_numpy(), frozen.cut_points)
    table["group"] = pd.array(np.where(group < 0, np.nan, group + 1), dtype="Int64")
    table["filled"] = _filled(pipeline, X)
    needed = list(pipeline.design.needed_)
    table["not_predicted"] = _names(X[needed].isna().to_numpy(), needed)
    table["outside"] = _outside(X, columns)
    return _with_learned(table, pipeline, pipeline.cleaned(X))


def _numbers_of(
    frozen: FrozenModel, X: pd.DataFrame, *, outcome: Outcome, level: float
) -> pd.DataFrame:
    """Give linear predictor, points and risks; NaN for who lacks a predictor it cannot do without.

    Its rows are numbered from 0.
    """
    known, model = frozen.pipeline.complete(X), frozen.pipeline.model
    matrix, rows, drawn = frozen.pipeline.design_matrix_with_draws(X)
    matrix = matrix.loc[known]
    found = pd.DataFrame(index=np.flatnonzero(known))
    found["linear_predictor"] = model.linear_predictor(matrix) if len(matrix) else np.nan
    found["points"] = np.nan if frozen.nomogram is None else frozen.nomogram.points(matrix)
    for horizon in outcome.horizons or (None,):
        column = "risk" if horizon is None else f"risk_{horizon:g}"
        if not len(matrix):
            found[[column, f"{column}_lower", f"{column}_upper"]] = np.nan
            continue
        risk = model.risk(matrix, horizon=horizon)
        ends = risk_interval(model, matrix, horizon=horizon, level=level, spread=frozen.spread)
        if len(rows) and not isinstance(model, BoostedModel):
            risk[rows] = mean_risk(model, drawn, horizon)
            for end, drawn_end in zip(
                ends,
                drawn_risk_interval(
                    model, drawn, horizon=horizon, level=level, spread=frozen.spread
                ),
                strict=True,
            ):
                end[rows] = drawn_end
        found[column] = risk
        found[f"{column}_lower"], found[f"{column}_upper"] = ends
    return found.reindex(range(len(X)))


def _kind_of_interval(model: object) -> str:
    if isinstance(model, BoostedModel):
        return NO_INTERVAL
    return COX if isinstance(model, CoxModel) else LOGISTIC


def _filled(pipeline: RiskPipeline, X: pd.DataFrame) -> list[str]:
    """Name each patient's columns that were missing and got a value."""
    needed = needed_columns(pipeline, list(X.columns))
    filled = needed.features | (needed.predictors if pipeline.design.missing in IMPUTING else set())
    columns = [name for name in X.columns if name in filled]
    return _names(X[columns].isna().to_numpy(), columns)


def _outside(X: pd.DataFrame, columns: Mapping[str, Column]) -> list[str]:
    numbers = [name for name in X.columns if columns[name].kind == "number"]
    out = [outside_range(columns[name], X[name]).to_numpy() for name in numbers]
    return _names(np.column_stack(out) if out else np.zeros((len(X), 0), dtype=np.bool_), numbers)


def _names(chosen: NDArray[np.bool_], names: Sequence[str]) -> list[str]:
    """Join the chosen names of each row; the first five, the others counted."""
    texts = []
    for row in chosen:
        found = [name for name, is_chosen in zip(names, row, strict=True) if is_chosen]
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        texts.append("; ".join(found[:5]) + more)
    return texts


def _with_learned(table: pd.DataFrame, pipeline: RiskPipeline, X: pd.DataFrame) -> pd.DataFrame:
    """Add signatures, factors, and where these rest on little."""
    for one in pipeline.signatures:
        table[one.column] = one.transform(X)[one.column].to_numpy()
    factors = pipeline.factor_model
    if factors is None:
        return table.assign(low_information=False)
    scores, information = factors.transform(X), factors.information(X)
    active = active_factors(factors)
    mean = information[active].mean(axis=1).to_numpy()
    table["low_information"] = bool(active) & (mean < LEAST_INFORMATION)
    for column in scores.columns:
        short = column.partition(":")[2]
        table[short] = scores[column].to_numpy()
    for column in scores.columns:
        table[f"{column.partition(':')[2]}_information"] = information[column].to_numpy()
    return table


def refusal(differences: pd.DataFrame, *, title: str) -> str:
    """Say why patients cannot be scored; empty if they can.

    Examples
    --------
    >>> refusal(pd.DataFrame({"severity": ["note"], "column": ["a:b"]}), title="new.csv")
    ''
    """
    refused = differences[differences["severity"] == "refused"]
    if refused.empty:
        return ""
    lines = [
        f"  - {row.difference}: {row.column}: {row.detail}"
        for row in refused.itertuples(index=False)
    ]
    columns = list(dict.fromkeys(refused["column"]))
    counted = "1 difference stands" if len(refused) == 1 else f"{len(refused)} differences stand"
    return (
        f"{title} must hold what the models need, but {counted} against it "
        f"({quoted(columns)}):\n" + "\n".join(lines) + "\nCorrect the file: nothing was scored."
    )
