"""What does each predictor tell alone, and what beside the others: the usual regression table.

Univariable fits are plain Cox or logistic regressions of one predictor, on the patients for whom it
is known (its own number of patients and events is given), with the strata, ties and kind of
variance of the fitted model; the multivariable column is that model as it is, with its policy for
gaps and its ridge. A predictor of several columns (levels of a
category, a spline) is also tested as a whole by Wald's test, as rms' `anova` does, or by the pooled
D1 where the model is pooled over imputations. An interaction stands in the multivariable column
alone; the coefficients of its two predictors are then those where the other is 0 or its reference.

Considered and rejected: choosing the predictors of the multivariable model by these univariable p
values, which this table invites: it biases coefficients and drops what matters only beside others.

References
----------
Sun GW, Shook TL, Kay GL. Inappropriate use of bivariable analysis to screen risk factors for use in
multivariable analysis. J Clin Epidemiol 1996;49:907-916. doi:10.1016/0895-4356(96)00025-X
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2, norm

from models.boosting import BoostedModel
from models.checks import check_level
from models.cox import CoxModel
from models.cox_fit import cox_fit
from models.logistic import LogisticModel, logistic_fit
from models.pipeline import RiskPipeline
from models.pooled import PooledCox, PooledLogistic
from models.terms import Term
from omics.errors import FitError
from omics.outcome import is_survival

Floats = NDArray[np.float64]
COLUMNS = [
    *("term", "level", "kind", "analysis", "n_patients", "n_events"),
    *("estimate", "lower", "upper", "p_value", "df", "reason"),
]


@dataclass(frozen=True, eq=False, kw_only=True)
class RegressionTable:
    """Each predictor of a model alone and beside the others.

    Attributes
    ----------
    table : DataFrame, one row per predictor (level, test) and analysis
        `term`, `level` (of a category, else empty), `kind` ("number", "reference", "level", or
        "whole": the test of all columns of a predictor), `analysis` ("univariable" or
        "multivariable"), `n_patients`, `n_events` (of the fit; of a level, those who have it),
        `estimate` (ratio) with `lower` and `upper`, `p_value`, `df`, `reason` (why there is none).
    ratio : {"hazard_ratio", "odds_ratio"}
    level : float
        Of the intervals.
    n_patients, n_events : int
        Of the multivariable fit.
    strata : str or None
        Column of the strata within which both analyses are.
    """

    table: pd.DataFrame
    ratio: str
    level: float
    n_patients: int
    n_events: int
    strata: str | None = None

    def __repr__(self) -> str:
        return (
            f"RegressionTable({self.table['term'].nunique()} predictors, {self.n_patients} "
            f"patients, {self.n_events} events)"
        )


def regression_table(
    pipeline: RiskPipeline, X: pd.DataFrame, y: NDArray[Any], *, level: float = 0.95
) -> RegressionTable:
    """Set each predictor of a fitted regression alone beside all of them together.

    Parameters
    ----------
    pipeline : RiskPipeline
        Fitted on `X` and `y`; ends in a Cox or logistic regression.
    X : DataFrame of shape (n_patients, n_columns)
    y : ndarray of shape (n_patients,)
        Outcome: booleans, or fields `time` and `event`.
    level : float
        Of the intervals.

    Returns
    -------
    RegressionTable

    Raises
    ------
    ValueError
        If the model is boosted trees.
    """
    check_level(level)
    model = pipeline.model
    if isinstance(model, BoostedModel):
        raise ValueError(
            "pipeline must end in a regression, but it ends in boosted trees. Trees have no "
            "coefficients to set side by side."
        )
    terms, values = pipeline.unseen_term_values(X)
    event = np.asarray(y["event"] if is_survival(y) else y, dtype=np.bool_)
    fitted = pipeline.complete(X)
    labels = None if pipeline.strata is None else pipeline.design.labels(X)
    covariance = model.covariance_[-len(model.coef_) :, -len(model.coef_) :]
    names = list(model.feature_names_in_)
    rows: list[dict[str, object]] = []
    for j, term in enumerate(terms):
        known = ~np.isnan(values[:, j])
        if labels is not None:
            known &= labels.notna().to_numpy()
        strata = None if labels is None else labels[known].to_numpy()
        alone = _univariable(model, term.expand(values[known, j]), y[known], strata)
        rows += _rows(term, "univariable", values[known, j], event[known], alone, level)
        at = [names.index(column) for column in term.columns]
        both = (model.coef_[at], covariance[np.ix_(at, at)], "")
        part = _rows(term, "multivariable", values[fitted, j], event[fitted], both, level)
        if isinstance(model, PooledCox | PooledLogistic):
            test = model.wald_tests({term.name: term.columns}).iloc[0]
            shown = ["Intercept"] * isinstance(model, PooledLogistic) + names
            pooled = model.pooled_.table(shown, level=level).set_index("term")
            _as_pooled(part, pooled, term, float(test["p_value"]))
        rows += part
    rows += [
        _interaction_row(model, name, columns, event[fitted], level)
        for name, columns in pipeline.design.columns_of_terms().items()
        if name not in {term.name for term in terms}
    ]
    return RegressionTable(
        table=pd.DataFrame(rows, columns=COLUMNS),
        ratio="hazard_ratio" if isinstance(model, CoxModel) else "odds_ratio",
        level=level,
        n_patients=model.n_patients_,
        n_events=model.n_events_,
        strata=pipeline.strata,
    )


_Fit = tuple[Floats, Floats, str]  # coefficients, covariance, why there are none


def _univariable(
    model: CoxModel | LogisticModel, columns: Floats, y: NDArray[Any], strata: NDArray[Any] | None
) -> _Fit:
    p = columns.shape[1]
    try:
        if isinstance(model, CoxModel):
            cox = cox_fit(
                columns,
                y["time"],
                y["event"],
                strata=strata,
                ties=model.ties,
                robust=model.robust,
            )
            sandwich = cox.robust_covariance
            return cox.coef, cox.covariance if sandwich is None else sandwich, ""
        logistic = logistic_fit(columns, y)
        return logistic.coef, logistic.covariance[1:, 1:], ""
    except FitError as error:
        return np.full(p, np.nan), np.full((p, p), np.nan), str(error)


def _rows(
    term: Term, analysis: str, values: Floats, event: NDArray[np.bool_], fit: _Fit, level: float
) -> list[dict[str, object]]:
    coef, covariance, reason = fit
    error = np.sqrt(np.diag(covariance))
    half = norm.ppf((1 + level) / 2) * error
    with np.errstate(over="ignore"):
        ends = np.exp(np.column_stack([coef, coef - half, coef + half]))
    p_values = 2 * norm.sf(np.abs(coef / error))
    common: dict[str, object] = {
        "term": term.name,
        "level": "",
        "analysis": analysis,
        "reason": reason,
    }
    common |= {"n_patients": len(event), "n_events": int(event.sum())}
    common |= dict.fromkeys(("estimate", "lower", "upper", "p_value"), np.nan) | {"df": 1}
    ratios: list[dict[str, object]] = [
        dict(zip(("estimate", "lower", "upper", "p_value"), (*e, p), strict=True))
        for e, p in zip(ends, p_values, strict=True)
    ]
    rows: list[dict[str, object]] = []
    if len(coef) > 1:
        whole = float(coef @ np.linalg.solve(covariance, coef)) if not reason else np.nan
        test = {"kind": "whole", "p_value": float(chi2.sf(whole, len(coef))), "df": len(coef)}
        rows.append(common | test)
    if term.kind == "category":
        for position, name in enumerate(term.levels):
            who = values == position
            counts = {"n_patients": int(who.sum()), "n_events": int(event[who].sum())}
            own: dict[str, object] = (
                ratios[position - 1] if position else {"estimate": 1.0, "df": 0}
            )
            kind = {"kind": "level" if position else "reference", "level": name}
            rows.append(common | kind | counts | own)
    elif term.kind != "spline":
        rows.append(common | {"kind": "number"} | ratios[0])
    return rows


def _interaction_row(
    model: CoxModel | LogisticModel,
    name: str,
    columns: Sequence[str],
    event: NDArray[np.bool_],
    level: float,
) -> dict[str, object]:
    """Test whether two predictors interact; one product alone has a ratio, too."""
    at = [list(model.feature_names_in_).index(column) for column in columns]
    first = len(model.covariance_) - len(model.coef_)  # an intercept's row
    coef = model.coef_[at]
    covariance = model.covariance_[np.ix_([first + j for j in at], [first + j for j in at])]
    row: dict[str, object] = {
        "term": name,
        "level": "",
        "analysis": "multivariable",
        "kind": "whole" if len(at) > 1 else "number",
        "reason": "",
        "n_patients": len(event),
        "n_events": int(event.sum()),
        "df": len(at),
    }
    if isinstance(model, PooledCox | PooledLogistic):
        p_value = float(model.wald_tests({name: columns}).iloc[0]["p_value"])
    else:
        p_value = float(chi2.sf(coef @ np.linalg.solve(covariance, coef), len(at)))
    half = norm.ppf((1 + level) / 2) * np.sqrt(np.diag(covariance))
    ends = [coef[0], coef[0] - half[0], coef[0] + half[0]] if len(at) == 1 else [np.nan] * 3
    with np.errstate(over="ignore"):
        estimate, lower, upper = np.exp(ends)
    return row | {"estimate": estimate, "lower": lower, "upper": upper, "p_value": p_value}


def _as_pooled(
    rows: list[dict[str, object]], coefficients: pd.DataFrame, term: Term, whole: float
) -> None:
    """Put in the t intervals and the D1 test of a pooled model."""
    shown = [row for row in rows if row["kind"] in ("number", "level")]
    for row, column in zip(shown, term.columns, strict=False):
        found = coefficients.loc[column]
        row |= {name: float(np.exp(found[name])) for name in ("estimate", "lower", "upper")}
        row["p_value"] = found["p_value"]
    for row in rows:
        if row["kind"] == "whole":
            row["p_value"] = whole
