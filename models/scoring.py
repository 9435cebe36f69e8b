"""What the frozen models say of new patients: risks with intervals, groups, points and factors.

Each patient's row depends on that patient alone: one by one and in bulk the numbers are the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.design import Design
from models.findings import LEAST_INFORMATION, active_factors
from models.intervals import COX, LOGISTIC, NO_INTERVAL, HazardSpread, risk_interval
from models.nomogram import Nomogram
from models.pipeline import RiskPipeline
from models.schema import Column, outside_range
from omics.messages import quoted
from omics.new_patients import NewPatients
from omics.outcome import Outcome

TAKE_MISSING = ("median", "chained", "indicator", "keep")


@dataclass(frozen=True, eq=False, kw_only=True)
class FrozenModel:
    """A fitted pipeline with what scoring needs beside it.

    Attributes
    ----------
    pipeline : RiskPipeline
    columns : tuple of str
        Columns of the wide table it needs, in the order in which it takes them.
    cut_points : ndarray of shape (n_groups - 1,)
        Of the linear predictor, rising; at or below the first is group 1, the lowest risk.
    nomogram : Nomogram or None
    spread : HazardSpread or None
        Of a Cox model.
    """

    pipeline: RiskPipeline
    columns: tuple[str, ...]
    cut_points: NDArray[np.float64]
    nomogram: Nomogram | None
    spread: HazardSpread | None

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


def needed_columns(pipeline: RiskPipeline, known: Sequence[str]) -> tuple[set[str], set[str]]:
    """Name the columns of the wide table that a fitted pipeline needs.

    Returns
    -------
    direct : set of str
        Predictors of its design.
    through_factors : set of str
        Columns its factors need.
    """
    direct = {term.name for term in pipeline.design.terms_} & set(known)
    factors = pipeline.factor_model
    return direct, set() if factors is None else set(factors.features_)


def takes_missing(design: Design) -> bool:
    """Tell whether a patient without a predictor can be scored."""
    return design.missing in TAKE_MISSING


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
    *("interval", "group", "filled", "outside", "low_information"),
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
    matrix = frozen.pipeline.design_matrix(X)
    model = frozen.pipeline.model
    linear_predictor = model.linear_predictor(matrix)
    table = pd.DataFrame({"patient": patients.ids, "model": name}, dtype=object)
    table["linear_predictor"] = linear_predictor
    table["points"] = np.nan if frozen.nomogram is None else frozen.nomogram.points(matrix)
    for horizon in outcome.horizons or (None,):
        column = "risk" if horizon is None else f"risk_{horizon:g}"
        table[column] = model.risk(matrix, horizon=horizon)
        ends = risk_interval(model, matrix, horizon=horizon, level=level, spread=frozen.spread)
        table[f"{column}_lower"], table[f"{column}_upper"] = ends
    table["interval"] = _kind_of_interval(model)
    table["group"] = frozen.cut_points.searchsorted(linear_predictor) + 1
    direct, _ = needed_columns(frozen.pipeline, frozen.columns)
    table["filled"] = _filled(frozen.pipeline.design, X[[c for c in X.columns if c in direct]])
    table["outside"] = _outside(X, columns)
    return _with_factors(table, frozen.pipeline, X)


def _kind_of_interval(model: object) -> str:
    if isinstance(model, BoostedModel):
        return NO_INTERVAL
    return COX if isinstance(model, CoxModel) else LOGISTIC


def _filled(design: Design, X: pd.DataFrame) -> list[str]:
    """Name each patient's predictors that were missing and got a value."""
    if design.missing == "keep":
        return [""] * len(X)
    return _names(X.isna().to_numpy(), list(X.columns))


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


def _with_factors(table: pd.DataFrame, pipeline: RiskPipeline, X: pd.DataFrame) -> pd.DataFrame:
    """Add the factors, and where they rest on little."""
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
    return (
        f"{title} must hold what the models need, but {len(refused)} differences stand against it "
        f"({quoted(columns)}):\n" + "\n".join(lines) + "\nCorrect the file: nothing was scored."
    )
