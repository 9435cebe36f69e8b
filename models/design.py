"""How each patient's predictors become the numbers a regression multiplies by its coefficients.

A number enters as it is (`clinical:Age`), as a restricted cubic spline (`clinical:Age`,
`clinical:Age'`, ...) or, for a category, as one column of zeros and ones per level but the first
(`clinical:Grade=3`): the names are those of R's rms. Interactions follow as products of columns
(`models.interactions`). Levels, knots and fill values are learnt from the patients of `fit` and
frozen.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from models.draws import DrawChain, impute, learn_draws, outcome_columns
from models.filling import (
    drawn_designs,
    expand_copies,
    expand_terms,
    fill_gaps,
    learn_chain,
    level_columns,
    variables_of,
)
from models.imputation import Chain
from models.interactions import TIMES, Interaction, Pair, check_interactions, learn_interaction
from models.splines import check_knots
from models.terms import (
    Term,
    is_category,
    learn_category,
    learn_number,
    level_positions,
    with_indicators,
)
from omics.errors import FitError

Missing = Literal["refuse", "complete_case", "median", "chained", "multiple", "indicator", "keep"]
POLICIES = get_args(Missing)
IMPUTING = ("median", "chained", "multiple", "indicator")
IMPUTATIONS = 20
_TYPES = {"object": "text", "string": "text", "category": "a category here and a number in fit"}


class Design(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turn the wide table into the design matrix of a model.

    Parameters
    ----------
    predictors : sequence of str
        Columns (`clinical:Age`) or patterns (`clinical:*`), in the order of the design matrix. Only
        `*` is special. A predictor that is a Categorical in the table is a category; its first
        category is the reference level.
    splines : mapping of str to int or sequence of float, optional
        Column -> number of knots (3 to 7, placed by `models.splines.default_knots`) or the knots.
    interactions : sequence of pair of str, optional
        Pairs of predictors, each named as its column; see `models.interactions`. Products are of
        filled or drawn values where gaps are filled; a level `missing` takes no part in them.
    strata : str, optional
        Column, a category and no predictor, that `transform` passes on as it is, the last one, for
        `CoxModel(strata=...)`. Its values must be known, but under `complete_case`: nothing fills
        in a stratum.
    missing : {"refuse", "complete_case", "median", "chained", "multiple", "indicator", "keep"}
        What to do where a predictor is missing: raise; learn from the patients who have them all,
        and leave NaN for the others (`RiskPipeline` then gives no prediction); fill with the median
        (most frequent level) of the patients of `fit`; fill by chained equations
        (`models.imputation`) among the predictors, a category with its likeliest level; draw each
        gap several times (`models.draws`), of which `transform` gives the mean design row; fill
        with the median and mark the gaps (`models.terms.with_indicators`); or leave NaN for a model
        that takes it.
    imputations : int
        Copies of the patients of `fit`, and draws of a new patient, under `multiple`.
    seed : int
        Of the draws under `multiple`.

    Attributes
    ----------
    terms_ : tuple of Term
        One per predictor that is used.
    interactions_ : tuple of Interaction
        One per interaction that is used.
    dropped_ : DataFrame, one row per predictor that is not used
        Columns `column` and `reason`: no value at all, or the same value in every patient; a mark
        of gaps that another one stands for; an interaction of which a predictor is not used.
    needed_ : tuple of str
        Predictors without which `complete_case` gives no prediction; empty otherwise.
    chain_ : Chain or None
        The equations of `chained`; None otherwise, and where no predictor is used.
    draws_ : DrawChain or None
        The equations and random numbers of `multiple`; likewise.

    Examples
    --------
    >>> X = pd.DataFrame(
    ...     {"clinical:Age": [31.0, 50.0, 62.0], "clinical:Grade": pd.Categorical(["2", "4", "3"])}
    ... )
    >>> Design(["clinical:*"]).fit(X).transform(X).loc[1]
    clinical:Age        50.0
    clinical:Grade=3     0.0
    clinical:Grade=4     1.0
    Name: 1, dtype: float64
    """

    terms_: tuple[Term, ...]
    interactions_: tuple[Interaction, ...]
    dropped_: pd.DataFrame
    needed_: tuple[str, ...]
    chain_: Chain | None
    draws_: DrawChain | None
    n_features_in_: int

    def __init__(
        self,
        predictors: Sequence[str],
        *,
        splines: Mapping[str, int | Sequence[float]] | None = None,
        interactions: Sequence[Sequence[str]] | None = None,
        strata: str | None = None,
        missing: Missing = "refuse",
        imputations: int = IMPUTATIONS,
        seed: int = 0,
    ) -> None:
        self.predictors = predictors
        self.splines = splines
        self.interactions = interactions
        self.strata = strata
        self.missing = missing
        self.imputations = imputations
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        """Learn levels, knots, ranges and fill values.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
            The wide table: numbers, and Categorical columns. A bare array has columns x0, x1, ...
        y : object
            Not used; here for scikit-learn.

        Returns
        -------
        Design

        Raises
        ------
        ValueError
            If a predictor matches no column or stands twice, a spline is asked of a category or of
            a column that is no predictor, an interaction is no pair of predictors or stands twice,
            a column is text or infinite, or a value is missing and `missing` is "refuse".
        FitError
            If a declared level, or a combination of levels that interact, has no patient, a spline
            too few distinct values, or no patient has every predictor under "complete_case".
        """
        table = self._table(X, reset=True)
        if self.missing not in POLICIES:
            raise ValueError(f"missing must be one of {POLICIES}, but {self.missing!r} came.")
        names = select_columns(table.columns, self.predictors)
        splines = _check_splines(self.splines or {}, names, table)
        pairs = check_interactions(self.interactions or (), names)
        if self.strata is not None:
            _check_strata(self.strata, names, table)
            self.labels(table)
        self.needed_ = ()
        if self.missing == "complete_case":
            self.needed_ = (
                *_varying(table, names),
                *([] if self.strata is None else [self.strata]),
            )
        table = _complete_cases(table, self.needed_)
        terms, dropped = _learn(table, names, splines)
        interactions, without = _learn_interactions(table, terms, pairs)
        dropped += without
        if self.missing == "indicator":
            terms, shared = with_indicators(terms, table)
            dropped += shared
        self.terms_, self.interactions_ = tuple(terms), tuple(interactions)
        self._learn_fill(table)
        self.dropped_ = pd.DataFrame(dropped, columns=["column", "reason"], dtype=object)
        if self.missing == "refuse":
            _refuse_missing(table, self.terms_)
        return self

    def _learn_fill(self, table: pd.DataFrame) -> None:
        """Learn the equations that fill or draw gaps, of the patients of `fit`."""
        self.chain_, self.draws_ = None, None
        if not self.terms_ or self.missing not in ("chained", "multiple"):
            return
        values = _values(table, self.terms_)
        if self.missing == "chained":
            self.chain_ = learn_chain(values, self.terms_)
            return
        self.draws_ = learn_draws(
            level_columns(values, self.terms_)[0],
            variables=variables_of(self.terms_),
            n_draws=self.imputations,
            seed=self.seed,
        )

    def copies(self, X: pd.DataFrame, y: NDArray[Any]) -> list[pd.DataFrame]:
        """Complete the patients of a fit, several times, their outcome known.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
            The table of `fit`.
        y : ndarray of shape (n_patients,)
            Their outcome: booleans, or fields `time` and `event`.

        Returns
        -------
        list of DataFrame of shape (n_patients, n_design_columns)
            `imputations` of them, or one where nothing is missing.
        """
        check_is_fitted(self, "terms_")
        table = self._table(X, reset=False)
        values = _values(table, self.terms_)
        if not np.isnan(values).any():
            return [self._matrix(expand_terms(values, self.terms_, self.interactions_), table)]
        wide = impute(
            level_columns(values, self.terms_)[0],
            variables=variables_of(self.terms_),
            outcome=outcome_columns(y),
            n_imputations=self.imputations,
            seed=self.seed,
        )
        return [
            self._matrix(one, table) for one in expand_copies(wide, self.terms_, self.interactions_)
        ]

    def transform_with_draws(
        self, X: pd.DataFrame
    ) -> tuple[pd.DataFrame, NDArray[np.intp], NDArray[np.float64]]:
        """Compute the design matrix as `transform` does, and the draws behind it.

        Returns
        -------
        matrix : DataFrame of shape (n_patients, n_design_columns)
        rows : ndarray of int
            Positions of the patients whose gaps were drawn; nobody but under `multiple`.
        drawn : ndarray of shape (n_draws, n_rows, n_design_columns)
            Their design rows, whose mean is in `matrix`.
        """
        check_is_fitted(self, "terms_")
        table = self._table(X, reset=False)
        _check_present(table.columns, self.terms_)
        if self.missing == "refuse":
            _refuse_missing(table, self.terms_)
        values = _values(table, self.terms_)
        rows, drawn = np.empty(0, dtype=np.intp), np.empty((0, 0, 0))
        if self.missing == "multiple":
            rows = np.flatnonzero(np.isnan(values).any(axis=1))
        elif self.missing in IMPUTING:
            values = fill_gaps(values, self.terms_, self.chain_)
        matrix = expand_terms(values, self.terms_, self.interactions_)
        if len(rows) and self.draws_ is not None:
            drawn = drawn_designs(values[rows], self.terms_, self.interactions_, self.draws_)
            matrix[rows] = drawn.mean(axis=0)
        matrix[~self.complete(table)] = np.nan
        return self._matrix(matrix, table), rows, drawn

    def _matrix(self, columns: NDArray[np.float64], table: pd.DataFrame) -> pd.DataFrame:
        names = [name for own in self.columns_of_terms().values() for name in own]
        matrix = pd.DataFrame(columns, index=table.index, columns=names)
        return matrix if self.strata is None else matrix.assign(**{self.strata: self.labels(table)})

    def labels(self, X: pd.DataFrame) -> "pd.Series[Any]":
        """Give the stratum of each patient as text; NaN where unknown, under `complete_case` only.

        Raises
        ------
        ValueError
            If the column of the strata is absent, or a stratum is unknown.
        """
        if self.strata not in X.columns:
            near = _suggestion(str(self.strata), X.columns)
            raise ValueError(f"X must hold the strata {self.strata!r}, but it does not. {near}")
        known = X[self.strata].notna()
        if not known.all() and self.missing != "complete_case":
            raise ValueError(
                f"{self.strata} must be known, but it is missing in {(~known).sum()} of {len(X)} "
                "patients. Leave them out, or use missing='complete_case': without a stratum "
                "there is no baseline hazard."
            )
        return X[self.strata].astype(str).astype(object).where(known)

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Compute the design matrix of new patients.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
            Must hold the predictors in `terms_`, in any order; other columns are not looked at.

        Returns
        -------
        DataFrame of shape (n_patients, n_design_columns)
            float64, indexed as `X`; a level that only `fit` saw is a column of zeros. Under
            `complete_case` a patient without a needed predictor is a row of NaN; under `multiple`
            a patient with a gap is the mean of the rows drawn, levels and splines included.

        Raises
        ------
        ValueError
            If a predictor is absent, text or infinite, a level was not seen by `fit`, or a value is
            missing and `missing` is "refuse".
        """
        return self.transform_with_draws(X)[0]

    def term_values(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Give each term's number, or position of its level; (n_patients, n_terms), NaN missing."""
        check_is_fitted(self, "terms_")
        return _values(self._table(X, reset=False), self.terms_)

    def complete(self, X: pd.DataFrame) -> NDArray[np.bool_]:
        """Tell who can be predicted: everyone, but under `complete_case`; shape (n_patients,)."""
        check_is_fitted(self, "terms_")
        return np.asarray(X[list(self.needed_)].notna().all(axis=1), dtype=np.bool_)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Give the columns of the design matrix; `input_features` is scikit-learn's, not used."""
        every = [name for columns in self.columns_of_terms().values() for name in columns]
        every += [] if self.strata is None else [self.strata]
        return np.array(every, dtype=object)

    def columns_of_terms(self) -> dict[str, tuple[str, ...]]:
        """Give the columns of each term, then of each interaction, by its name."""
        check_is_fitted(self, "terms_")
        columns = {term.name: term.columns for term in self.terms_}
        return columns | {one.name: one.columns for one in self.interactions_}

    def _table(self, X: pd.DataFrame, *, reset: bool) -> pd.DataFrame:
        """Return X as a table of distinct columns; an array gets the columns x0, x1, ..."""
        if not isinstance(X, pd.DataFrame):
            array = validate_data(
                self, X, reset=reset, dtype=np.float64, ensure_all_finite="allow-nan"
            )
            return pd.DataFrame(array, columns=[f"x{j}" for j in range(array.shape[1])])
        if X.columns.has_duplicates:
            twice = X.columns[X.columns.duplicated()]
            raise ValueError(
                f"X must have each column once, but {len(twice)} come again (first: {twice[0]!r}). "
                "Rename or drop them."
            )
        if reset:
            validate_data(self, X, skip_check_array=True)
            if len(X) == 0:
                raise ValueError("X must have a patient, but it has none. Check the cohort.")
        return X

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        tags.input_tags.allow_nan = self.missing != "refuse"
        tags.input_tags.categorical = True
        return tags


def select_columns(columns: Iterable[str], predictors: Sequence[str]) -> list[str]:
    """Resolve predictors, of which `*` stands for any text, to the columns they name.

    Parameters
    ----------
    columns : iterable of str
    predictors : sequence of str

    Returns
    -------
    list of str
        In the order of `predictors`, and within a pattern in the order of `columns`.

    Raises
    ------
    ValueError
        If a predictor matches no column, or a column is named twice.

    Examples
    --------
    >>> select_columns(["clinical:Age", "flags:BRAF", "clinical:Sex"], ["flags:BRAF", "clinical:*"])
    ['flags:BRAF', 'clinical:Age', 'clinical:Sex']
    """
    if isinstance(predictors, str):
        raise ValueError(f"predictors must be a list of names, but the text {predictors!r} came.")
    known = dict.fromkeys(columns)
    named_by: dict[str, str] = {}
    for predictor in predictors:
        found = matching(predictor, known)
        if not found:
            raise ValueError(
                f"predictors must name columns of the table, but {predictor!r} matches none of "
                f"{len(known)}. {_suggestion(predictor, known)}"
            )
        for name in found:
            if name in named_by:
                raise ValueError(
                    f"predictors must name a column once, but {name!r} is named by "
                    f"{named_by[name]!r} and {predictor!r}. Remove one."
                )
            named_by[name] = predictor
    return list(named_by)


def matching(predictor: str, known: Iterable[str]) -> list[str]:
    """Give the columns that a predictor names; `*` stands for any text.

    Examples
    --------
    >>> matching("mri:*_Mean", ["mri:t1_Mean", "mri:t1_Max", "rna:t1_Mean"])
    ['mri:t1_Mean']
    """
    if "*" not in predictor:
        return [predictor] if predictor in known else []
    pattern = re.compile(".*".join(map(re.escape, predictor.split("*"))), re.DOTALL)
    return [name for name in known if pattern.fullmatch(name)]


def _suggestion(name: str, known: Iterable[str]) -> str:
    views = sorted({column.partition(":")[0] for column in known if ":" in column})
    choices = [f"{view}:*" for view in views] if name.endswith(":*") else known
    by_lower_case = {choice.casefold(): choice for choice in choices}
    near = difflib.get_close_matches(name.casefold(), by_lower_case, n=1)
    if near:
        return f"Did you mean {by_lower_case[near[0]]!r}?"
    return f"The table has the views {', '.join(views)}." if views else "Check the spelling."


def _check_splines(
    splines: Mapping[str, int | Sequence[float]], names: list[str], table: pd.DataFrame
) -> dict[str, int | Sequence[float]]:
    checked: dict[str, int | Sequence[float]] = {}
    for name, knots in splines.items():
        if name not in names:
            raise ValueError(
                f"splines must name predictors, but {name!r} is none of {len(names)}. "
                f"{_suggestion(name, names)}"
            )
        if is_category(table[name]):
            raise ValueError(
                f"splines must name numbers, but {name!r} is a category. Remove it from splines."
            )
        number = isinstance(knots, int)
        checked[name] = knots if number else check_knots(knots, name=f"knots of {name!r}").tolist()
    return checked


def _learn(
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


def _check_strata(strata: str, names: list[str], table: pd.DataFrame) -> None:
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


def _learn_interactions(
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
        learnt.append(learn_interaction(one, other, _values(table, [one, other])))
    return learnt, dropped


def _varying(table: pd.DataFrame, names: list[str]) -> tuple[str, ...]:
    """Name the predictors with more than one known value: only these can be missed."""
    return tuple(name for name in names if table[name].nunique() > 1)


def _complete_cases(table: pd.DataFrame, needed: tuple[str, ...]) -> pd.DataFrame:
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


def _check_present(columns: pd.Index, terms: tuple[Term, ...]) -> None:
    absent = [term.column for term in terms if term.column not in columns]
    if absent:
        raise ValueError(
            f"X must hold the {len(terms)} predictors of fit, but {len(absent)} are absent "
            f"(first: {absent[0]!r}). {_suggestion(absent[0], columns)}"
        )


def _refuse_missing(table: pd.DataFrame, terms: tuple[Term, ...]) -> None:
    missing = table[[term.column for term in terms]].isna().sum()
    missing = missing[missing > 0]
    if len(missing):
        raise ValueError(
            f"X must have no missing predictor, but {missing.index[0]!r} is missing in "
            f"{missing.iloc[0]} of {len(table)} patients ({len(missing)} of {len(terms)} "
            "predictors have gaps). Use missing='median', 'chained', 'multiple', 'indicator' or "
            "'complete_case'."
        )


def _values(table: pd.DataFrame, terms: Sequence[Term]) -> NDArray[np.float64]:
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
