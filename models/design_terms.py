"""How terms are learned from the wide table, and how their values are read from it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.interactions import TIMES, Interaction, Pair, learn_interaction
from models.predictors import suggestion
from models.splines import check_knots
from models.terms import Term, is_category, learn_category, learn_number, level_positions
from omics.errors import FitError

_TYPES = {"object": "text", "string": "text", "category": "a category here and a number in fit"}


def learn_terms(
    table: pd.DataFrame, names: list[str], splines: Mapping[str, int | Sequence[float]]
) -> tuple[list[Term], list[tuple[str, str]]]:
    """Learn the term of each predictor, and why some are not used."""
    numeric = [name for name in names if not is_category(table[name])]
    ordered = np.sort(_numbers(table, numeric), axis=0)  # (n_patients, n_numeric), NaN last
    learnt: dict[str, Term | str] = {}
    for name, column, n_known in zip(
        numeric, ordered.T, np.count_nonzero(~np.isnan(ordered), axis=0), strict=True
    ):
        learnt[name] = learn_number(name, column[:n_known], spline=splines.get(name))
    for name in names:
        if name not in learnt:
            learnt[name] = learn_category(name, table[name])
    terms = [term for name in names if isinstance(term := learnt[name], Term)]
    return terms, [(n, reason) for n in names if isinstance(reason := learnt[n], str)]


def learn_interactions(
    table: pd.DataFrame, terms: Sequence[Term], pairs: Sequence[Pair]
) -> tuple[list[Interaction], list[tuple[str, str]]]:
    """Learn each interaction, and why some are not used."""
    by_name = {term.name: term for term in terms}
    learnt, dropped = [], []
    for pair in pairs:
        absent = [name for name in pair if name not in by_name]
        if absent:
            dropped.append((TIMES.join(pair), f"{absent[0]} is not used"))
            continue
        one, other = by_name[pair[0]], by_name[pair[1]]
        learnt.append(learn_interaction(one, other, term_values(table, [one, other])))
    return learnt, dropped


def term_values(table: pd.DataFrame, terms: Sequence[Term]) -> NDArray[np.float64]:
    """Read each term's number, or the position of its level; NaN where missing."""
    values = np.empty((len(table), len(terms)))
    numeric = [j for j, term in enumerate(terms) if term.kind in ("linear", "spline")]
    values[:, numeric] = _numbers(table, [terms[j].name for j in numeric])
    for j, term in enumerate(terms):
        if term.kind == "category":
            values[:, j] = level_positions(table[term.name], term)
        elif term.kind == "indicator":
            values[:, j] = table[term.marks].isna()
    return values


def _numbers(table: pd.DataFrame, names: list[str]) -> NDArray[np.float64]:
    """Give numeric columns as one float array of shape (n_patients, n_names)."""
    block = table[names]
    for name, kind in block.dtypes.items():
        if not (pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind)):
            raise ValueError(
                f"{name} must be numbers or a category, but it is "
                f"{_TYPES.get(str(kind), str(kind))} "
                f"(first value: {block[name].iloc[0]!r}). Declare it a category with its reference "
                "level first, or drop it."
            )
    values = block.to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = np.isinf(values)
    if infinite.any():
        j = int(infinite.any(axis=0).argmax())
        raise ValueError(
            f"{names[j]} must be finite, but {infinite[:, j].sum()} of {len(values)} patients have "
            "an infinite value. Correct them, or mark them as unknown."
        )
    return values


def check_splines(
    splines: Mapping[str, int | Sequence[float]], names: list[str], table: pd.DataFrame
) -> dict[str, int | Sequence[float]]:
    """Refuse splines of what is no number among the predictors; give knots as plain numbers."""
    checked: dict[str, int | Sequence[float]] = {}
    for name, knots in splines.items():
        if name not in names:
            raise ValueError(
                f"splines must name predictors, but {name!r} is none of {len(names)}. "
                f"{suggestion(name, names)}"
            )
        if is_category(table[name]):
            raise ValueError(
                f"splines must name numbers, but {name!r} is a category. Remove it from splines."
            )
        number = isinstance(knots, int)
        checked[name] = knots if number else check_knots(knots, name=f"knots of {name!r}").tolist()
    return checked


def check_strata(strata: str, names: list[str], table: pd.DataFrame) -> None:
    """Refuse strata by a predictor, or by what is no category of the table."""
    if strata in names:
        raise ValueError(
            f"strata must be no predictor, but {strata!r} is one. Take it out of predictors: a "
            "stratum has a baseline hazard in place of a coefficient."
        )
    if strata not in table.columns or not is_category(table[strata]):
        what = "is a number" if strata in table.columns else "is none of the table's columns"
        raise ValueError(
            f"strata must name a category, but {strata!r} {what}. Declare it a category, or check "
            "the spelling."
        )


def check_present(columns: pd.Index, terms: tuple[Term, ...]) -> None:
    """Refuse a table that lacks a predictor of the fit."""
    absent = [term.column for term in terms if term.column not in columns]
    if absent:
        raise ValueError(
            f"X must hold the {len(terms)} predictors of fit, but {len(absent)} are absent "
            f"(first: {absent[0]!r}). {suggestion(absent[0], columns)}"
        )


def refuse_missing(table: pd.DataFrame, terms: tuple[Term, ...]) -> None:
    """Refuse patients who lack a predictor."""
    missing = table[[term.column for term in terms]].isna().sum()
    missing = missing[missing > 0]
    if len(missing):
        raise ValueError(
            f"X must have no missing predictor, but {missing.index[0]!r} is missing in "
            f"{missing.iloc[0]} of {len(table)} patients ({len(missing)} of {len(terms)} "
            "predictors have gaps). Use missing='median', 'chained', 'multiple', 'indicator' or "
            "'complete_case'."
        )


def varying(table: pd.DataFrame, names: list[str]) -> tuple[str, ...]:
    """Name the predictors with more than one known value: only these can be missed."""
    return tuple(name for name in names if table[name].nunique() > 1)


def complete_cases(table: pd.DataFrame, needed: tuple[str, ...]) -> pd.DataFrame:
    """Keep the patients who have all that is needed; refuse a table of none."""
    known = table[list(needed)].notna().all(axis=1)
    if known.all():
        return table
    if not known.any():
        gaps = table[list(needed)].isna().sum()
        raise FitError(
            f"X must have patients with every predictor for complete cases, but none of "
            f"{len(table)} has all {len(needed)} (most missing: {gaps.idxmax()!r}, in "
            f"{gaps.max()}). Use missing='median', 'chained' or 'indicator', or fewer predictors."
        )
    return table.loc[known.to_numpy()]
