"""How far a feature comes back when another reader or scan measures the same patient.

Each feature's intraclass correlation with its interval (`omics.intraclass`), the summary by class
of features, and a filter that keeps the features whose *lower* bound is high enough: a high
estimate from few patients is no evidence.

References
----------
Koo TK, Li MY. A guideline of selecting and reporting intraclass correlation coefficients for
reliability research. Journal of Chiropractic Medicine 2016;15:155-163.
doi:10.1016/j.jcm.2016.02.012
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from omics.checks import (
    as_floats,
    check_frame,
    check_share,
    check_whole,
    feature_labels,
    is_number,
)
from omics.errors import FitError
from omics.intraclass import FORMS, SHROUT_FLEISS, Form, coefficients, mean_squares
from omics.messages import nearest, quoted
from omics.radiomics import parse_feature_name
from omics.reliability_summary import GOOD, bands, by_class, spread

LEAST_PATIENTS = 10
OTHER = "other"  # class of a feature whose name is not understood


@dataclass(frozen=True, eq=False, kw_only=True)
class Reliability:
    """How well each feature is repeated.

    Attributes
    ----------
    table : DataFrame, one row per feature
        `feature`, `feature_class`, `form`, `estimate`, `lower`, `upper`, `n_patients` (whom all
        readers measured), `n_readers`, `band` (Koo and Li's word for the lower bound) and `reason`
        (why there is no coefficient; "" where there is one).
    by_class : DataFrame, one row per class of features, then all of them
        `feature_class`, `n_features`, `n_unknown` (without a coefficient), of the others the
        `median` estimate and `median_lower` bound, and of all features the shares `share_good` and
        `share_excellent` whose lower bound is at least .75 and .9; then the number in each band.
    spread : DataFrame, one row per class of features and end
        `feature_class`, `what` (`estimate` or `lower bound`), `lowest`, `lower_quartile`, `median`,
        `upper_quartile`, `highest` and `n`, of the features with a coefficient.
    form : str
    level : float
        Of the intervals.
    n_patients, n_readers : int
        `n_patients` is the number with a reading of any feature by every reader.
    """

    table: pd.DataFrame
    by_class: pd.DataFrame
    spread: pd.DataFrame
    form: Form
    level: float
    n_patients: int
    n_readers: int

    def __repr__(self) -> str:
        good = int((self.table["lower"] >= GOOD).sum())
        return (
            f"Reliability({self.form}, {len(self.table)} features, {self.n_patients} patients, "
            f"{self.n_readers} readers, lower bound >= {GOOD:g} in {good})"
        )


def icc(
    readings: ArrayLike, *, form: Form, names: Sequence[str] | None = None, level: float = 0.95
) -> Reliability:
    """Compute the intraclass correlation of every feature, with its interval.

    Parameters
    ----------
    readings : array-like of shape (n_patients, n_readers, n_features) or (n_patients, n_readers)
        NaN where a reader did not measure: a patient counts for a feature only if all readers
        measured it.
    form : {"ICC(1)", "ICC(A,1)", "ICC(C,1)", "ICC(k)", "ICC(A,k)", "ICC(C,k)"}
        ICC(1): each patient has readers of its own. A: absolute agreement, with readers a sample of
        all readers; C: consistency, a constant difference between readers forgiven; k: of the mean
        of the k readers. Shrout and Fleiss call A,1 (2,1) and C,1 (3,1).
    names : sequence of str, optional
        Of the features, `view:feature` or as the program writes them; by default x0, x1, ...
    level : float
        Of the intervals, in (0, 1).

    Returns
    -------
    Reliability
        NaN for a feature with the same value in every reading, or fewer than two patients; where
        all readers agree to the last digit the coefficient and its bounds are 1.

    Raises
    ------
    ValueError
        If the array has another shape, an infinite value or a single reader, or the form or level
        is none.

    Examples
    --------
    The six patients and four readers of Shrout and Fleiss:

    >>> scores = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9],
    ...           [6, 2, 4, 7]]
    >>> icc(scores, form="ICC(A,1)").table[["estimate", "lower", "upper"]].round(3)
       estimate  lower  upper
    0      0.29  0.019  0.761
    """
    array = _checked(readings)
    _check_settings(form, level)
    labels = feature_labels(names, array.shape[2])
    squares = mean_squares(array)
    measured = np.asarray(np.isfinite(array).any(axis=2))
    estimate, lower, upper = coefficients(squares, form, level=level)
    table = pd.DataFrame(
        {
            "feature": labels,
            "feature_class": _classes(labels),
            "form": form,
            "estimate": estimate,
            "lower": lower,
            "upper": upper,
            "n_patients": squares.n.astype(np.int64),
            "n_readers": array.shape[1],
            "band": bands(lower),
            "reason": _reasons(squares.n, squares.varies),
        }
    )
    return Reliability(
        table=table,
        by_class=by_class(table),
        spread=spread(table),
        form=form,
        level=level,
        n_patients=int(measured.all(axis=1).sum()),
        n_readers=array.shape[1],
    )


def table_reliability(
    tables: Sequence[pd.DataFrame], *, form: Form, level: float = 0.95
) -> Reliability:
    """Compute `icc` from one table per reader.

    Parameters
    ----------
    tables : sequence of DataFrame of shape (n_patients, n_features)
        One per reader, indexed by patient, each id once; columns are those of the first table. Only
        patients of every table count.
    form, level
        As for `icc`.

    Returns
    -------
    Reliability

    Raises
    ------
    ValueError
        If a table lacks columns of the first, holds an id twice or a column that is no number.

    Examples
    --------
    >>> first = pd.DataFrame({"mri:Mean": [1.0, 2.0, 4.0]}, index=["a", "b", "c"])
    >>> table_reliability([first, first.loc[["c", "a"]]], form="ICC(A,1)")
    Reliability(ICC(A,1), 1 features, 2 patients, 2 readers, lower bound >= 0.75 in 1)
    """
    if isinstance(tables, pd.DataFrame) or not isinstance(tables, Sequence):
        raise TypeError(
            "tables must be a list of DataFrames, one per reader, but is of type "
            f"{type(tables).__name__}."
        )
    if len(tables) < 2:
        raise ValueError(f"tables must be those of two readers or more, but {len(tables)} came.")
    check_frame(tables[0], "table 1")
    columns = list(tables[0].columns)
    for number, table in enumerate(tables, start=1):
        _check_table(table, columns, f"table {number}")
    patients = tables[0].index
    for table in tables[1:]:
        patients = patients[patients.isin(table.index)]
    stacked = [_numbers(table.loc[patients, columns]) for table in tables]
    return icc(np.stack(stacked, axis=1), form=form, names=columns, level=level)


class ReliabilityFilter(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Keep the columns whose intraclass correlation has a high enough lower confidence bound.

    A transformer of the wide table, for `risk_pipeline(cleaning=[...])`; put it before a
    harmonisation, for the repeats are as the readers measured them. In a resample it learns from
    the repeats of the training patients alone (a copy in a bootstrap sample counts once), unless
    the repeats are of other patients (`independent`). Scoring new patients needs no repeats.

    Parameters
    ----------
    repeats : sequence of DataFrame of shape (n_patients, n_columns)
        The other readers' tables, indexed by patient id, columns as in the wide table
        (`view:feature`). Columns of other views pass. A passport keeps none of them.
    form : str
        As for `icc`.
    least : float
        Lower bound from which a column is kept, in [0, 1]. A column without a coefficient goes.
    level : float
        Of the interval.
    least_patients : int
        Fewest patients with all readings that may decide, of the table and of each column: a
        column of fewer goes.
    independent : bool
        True if the repeats are two or more readings of patients who are not those of the study.
    copies : bool
        True if the repeats were measured on changed copies of one reader's masks: a report then
        speaks of no further readers.

    Attributes
    ----------
    reliability_ : Reliability
    dropped_ : tuple of str
        Columns that go.

    Notes
    -----
    Considered and rejected: keeping columns that no reader repeated, because nothing would then
    tell them from columns that were found repeatable.

    Examples
    --------
    >>> one = pd.DataFrame({"mri:a": [1.0, 2.0, 3.0], "mri:b": [1.0, 2.0, 3.0]}, index=list("xyz"))
    >>> two = one.assign(**{"mri:b": [3.0, 1.0, 2.0]})
    >>> kept = ReliabilityFilter([two], form="ICC(A,1)", least=0.75, least_patients=3).fit(one)
    >>> kept.transform(one).columns.tolist()
    ['mri:a']
    """

    reliability_: Reliability
    dropped_: tuple[str, ...]

    def __init__(
        self,
        repeats: Sequence[pd.DataFrame],
        *,
        form: Form,
        least: float,
        level: float = 0.95,
        least_patients: int = LEAST_PATIENTS,
        independent: bool = False,
        copies: bool = False,
    ) -> None:
        self.repeats = repeats
        self.form = form
        self.least = least
        self.level = level
        self.least_patients = least_patients
        self.independent = independent
        self.copies = copies

    @property
    def drops_columns(self) -> bool:
        """It takes columns away."""
        return True

    @property
    def views(self) -> list[str]:
        """The views it looks at."""
        check_frame(self.repeats[0], "repeats 1")
        return list(dict.fromkeys(_view(name) for name in self.repeats[0].columns))

    def fit(self, X: pd.DataFrame, y: NDArray[Any] | None = None) -> Self:
        """Learn which columns to keep.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
            The wide table, indexed by patient id.
        y : object
            Not used; here for scikit-learn.

        Raises
        ------
        ValueError
            If a setting is wrong, or the repeats lack a column of the views they repeat.
        FitError
            If fewer than `least_patients` patients of `X` have repeats.
        """
        self._check()
        check_frame(X, "X")
        tables = self.readings(X)
        found = table_reliability(tables, form=self.form, level=self.level)
        if found.n_patients < self.least_patients:
            raise FitError(
                f"the reliability filter must have at least {self.least_patients} patients with "
                f"all readings, but {found.n_patients} of {X.index.nunique()} patients have them. "
                "Have more patients measured twice, ask for fewer folds, or state a smaller "
                "least_patients (the intervals will be wide)."
            )
        few = found.table["n_patients"] < self.least_patients
        said = f"fewer than {self.least_patients} patients with all readings"
        reason = found.table["reason"].mask(few & (found.table["reason"] == ""), said)
        self.reliability_ = replace(found, table=found.table.assign(reason=reason))
        unreliable = few | ~(found.table["lower"] >= self.least)
        self.dropped_ = tuple(found.table.loc[unreliable, "feature"])
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Take the columns away that repeat badly; a new table need not hold them."""
        check_is_fitted(self, "dropped_")
        check_frame(X, "X")
        gone = set(self.dropped_)
        return X.loc[:, [name not in gone for name in X.columns]]

    def _check(self) -> None:
        _check_settings(self.form, self.level)
        if not is_number(self.least) or not 0 <= self.least <= 1:
            raise ValueError(f"least must be a correlation in [0, 1], but {self.least!r} came.")
        check_whole(self.least_patients, "least_patients", least=2)
        if isinstance(self.repeats, pd.DataFrame) or not isinstance(self.repeats, Sequence):
            raise TypeError(
                "repeats must be a list of DataFrames, one per further reader, but is of type "
                f"{type(self.repeats).__name__}."
            )
        needed = 2 if self.independent else 1
        if len(self.repeats) < needed:
            raise ValueError(
                f"repeats must hold {needed} table{'s' * (needed > 1)} or more"
                f"{' of readings of the other patients' if self.independent else ''}, but "
                f"{len(self.repeats)} came."
            )

    def readings(self, X: pd.DataFrame) -> list[pd.DataFrame]:
        """Give one table per reader of the columns it judges, each with its own patients.

        The first is that of `X`, unless the repeats are independent.

        Raises
        ------
        ValueError
            If the repeats lack a column, hold a patient twice or a column that is no number.
        """
        views = set(self.views)
        columns = [name for name in X.columns if _view(name) in views]
        if not columns:
            raise ValueError(
                f"repeats must be of columns of the table, but none of {len(X.columns)} is of "
                f"{quoted(sorted(views))}. {nearest(sorted(views)[0], map(_view, X.columns))}"
            )
        for number, table in enumerate(self.repeats, start=1):
            _check_table(table, columns, f"repeats {number}")
        if self.independent:
            return [table[columns] for table in self.repeats]
        own = X.loc[~X.index.duplicated(), columns]  # copies in a bootstrap sample are one patient
        _check_table(own, columns, "the table")
        return [own, *(table[columns] for table in self.repeats)]


def _view(name: object) -> str:
    return str(name).partition(":")[0]


def _check_settings(form: str, level: float) -> None:
    if form not in FORMS:
        known = SHROUT_FLEISS.get(str(form))
        cure = f"That is {known!r}." if known else nearest(str(form), FORMS)
        raise ValueError(f"form must be one of {list(FORMS)}, but {form!r} came. {cure}")
    check_share(level, "level")


def _checked(readings: ArrayLike) -> NDArray[np.float64]:
    array = as_floats(readings, "readings")
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    if array.ndim != 3 or array.shape[1] < 2:
        raise ValueError(
            "readings must have the shape (n_patients, n_readers, n_features) with two readers or "
            f"more, but {np.shape(readings)} came."
        )
    wrong = np.isinf(array)
    if wrong.any():
        first = np.argwhere(wrong)[0]
        raise ValueError(
            f"readings must be finite or NaN (not measured), but {wrong.sum()} are infinite (first:"
            f" patient {first[0]}, reader {first[1]}, feature {first[2]})."
        )
    return array


def _check_table(table: pd.DataFrame, columns: Sequence[str], title: str) -> None:
    """Refuse a reader's table without all columns, with a patient twice or with text."""
    check_frame(table, title)
    lacking = [name for name in columns if name not in table.columns]
    if lacking:
        raise ValueError(
            f"{title} must hold every column of the tables it repeats, but {len(lacking)} of "
            f"{len(columns)} are absent (first: {quoted(lacking, limit=3)}). Extract them there, "
            "too, or drop them."
        )
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()]
        raise ValueError(
            f"{title} must hold each patient once, but {twice.nunique()} of "
            f"{table.index.nunique()} stand there several times. Reduce their rows to one."
        )
    text = [name for name in columns if not pd.api.types.is_numeric_dtype(table[name].dtype)]
    if text:
        raise ValueError(
            f"{title} must hold numbers, but {len(text)} of {len(columns)} columns do not (first: "
            f"{text[0]!r}). Only numbers have an intraclass correlation."
        )


def _numbers(table: pd.DataFrame) -> NDArray[np.float64]:
    return table.to_numpy(dtype=np.float64, na_value=np.nan)


def _classes(names: Sequence[str]) -> list[str]:
    own = [name.partition(":")[2] or name for name in names]
    return [parse_feature_name(name).feature_class or OTHER for name in own]


def _reasons(n: NDArray[np.float64], varies: NDArray[np.bool_]) -> NDArray[np.object_]:
    constant = np.where(varies, "", "the same value in every reading")
    return np.where(n < 2, "fewer than two patients with all readings", constant).astype(object)
