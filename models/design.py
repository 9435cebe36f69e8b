"""How each patient's predictors become the numbers a regression multiplies by its coefficients.

A number enters as it is (`clinical:Age`), as a restricted cubic spline (`clinical:Age`,
`clinical:Age'`, ...) or, for a category, as one column of zeros and ones per level but the first
(`clinical:Grade=3`): the names are those of R's rms. Interactions follow as products of columns
(`models.interactions`). Levels, knots and fill values are learnt from the patients of `fit` and
frozen.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from models.design_terms import (
    check_present,
    check_splines,
    check_strata,
    complete_cases,
    learn_interactions,
    learn_terms,
    refuse_missing,
    term_values,
    varying,
)
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
from models.interactions import Interaction, check_interactions
from models.predictors import select_columns, suggestion
from models.terms import Term, with_indicators

Missing = Literal["refuse", "complete_case", "median", "chained", "multiple", "indicator", "keep"]
POLICIES = get_args(Missing)
IMPUTING = ("median", "chained", "multiple", "indicator")
IMPUTATIONS = 20


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
        splines = check_splines(self.splines or {}, names, table)
        pairs = check_interactions(self.interactions or (), names)
        if self.strata is not None:
            check_strata(self.strata, names, table)
            self.labels(table)
        self.needed_ = ()
        if self.missing == "complete_case":
            self.needed_ = (
                *varying(table, names),
                *([] if self.strata is None else [self.strata]),
            )
        table = complete_cases(table, self.needed_)
        terms, dropped = learn_terms(table, names, splines)
        interactions, without = learn_interactions(table, terms, pairs)
        dropped += without
        if self.missing == "indicator":
            terms, shared = with_indicators(terms, table)
            dropped += shared
        self.terms_, self.interactions_ = tuple(terms), tuple(interactions)
        self._learn_fill(table)
        self.dropped_ = pd.DataFrame(dropped, columns=["column", "reason"], dtype=object)
        if self.missing == "refuse":
            refuse_missing(table, self.terms_)
        return self

    def _learn_fill(self, table: pd.DataFrame) -> None:
        """Learn the equations that fill or draw gaps, of the patients of `fit`."""
        self.chain_, self.draws_ = None, None
        if not self.terms_ or self.missing not in ("chained", "multiple"):
            return
        values = term_values(table, self.terms_)
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
        values = term_values(table, self.terms_)
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
        check_present(table.columns, self.terms_)
        if self.missing == "refuse":
            refuse_missing(table, self.terms_)
        values = term_values(table, self.terms_)
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
            near = suggestion(str(self.strata), X.columns)
            raise ValueError(f"X must hold the strata {self.strata!r}, but it does not. {near}")
        known = X[self.strata].notna()
        if not known.all() and self.missing != "complete_case":
            raise ValueError(
                f"{self.strata} must be known, but it is missing in {(~known).sum()} of {len(X)} "
                "patients. Leave them out, or use missing='complete_case': without a stratum "
                "there is no baseline hazard."
            )
        category = X[self.strata].astype("category").cat
        names = np.array([*map(str, category.categories), np.nan], dtype=object)
        return pd.Series(names[category.codes], index=X.index, name=self.strata)  # code -1: NaN

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
        return term_values(self._table(X, reset=False), self.terms_)

    def complete(self, X: pd.DataFrame) -> NDArray[np.bool_]:
        """Tell who can be predicted: everyone, but under `complete_case`; shape (n_patients,)."""
        check_is_fitted(self, "terms_")
        if not self.needed_:
            return np.ones(len(X), dtype=np.bool_)
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
