"""How well each model predicts in each centre and in each subgroup that the study declares.

Every figure is that of the report's performance table, with the same folds, views and bootstrap
draws, for the patients of one subgroup; a subgroup that is everybody has the figures of the whole.
Where a subgroup has too few events the counts stand alone. Intervals are of one subgroup each:
they are not adjusted for their number, and the least favourable of many is often chance.

References
----------
Debray TPA, et al. A new framework to enhance the interpretation of external validation studies of
clinical prediction models. J Clin Epidemiol 2015;68:279-289. doi:10.1016/j.jclinepi.2014.06.018
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd

from models.evaluation import (
    Sample,
    View,
    figure_rows,
    figures_of,
    samples,
)
from models.performance import COLUMNS
from models.scores import Interval, Key, Scores, all_scores, calibration_scores, ranking_scores
from models.terms import is_category
from models.validation import Plan, Validation
from omics.cohort import DEVELOPMENT, Cohort
from omics.messages import nearest
from omics.outcome import Outcome, is_survival, rarer_class
from omics.parallel import in_parallel

SUBGROUPS = [*COLUMNS, "subgroup", "subgroup_level"]
CENTRE = "centre"
UNKNOWN = "unknown"
LEAST_EVENTS = 10  # with fewer no figure is given
MOST_LEVELS = 10

Split = Literal["levels"] | Sequence[float]
Splits = Mapping[str, Split]
Keys = Sequence[Key]


@dataclass(frozen=True, eq=False, kw_only=True)
class Subgroups:
    """Every figure of every model by centre and subgroup.

    Attributes
    ----------
    table : DataFrame, one row per model, cohort, subgroup, level, metric and horizon
        Columns as in `SUBGROUPS`: those of `Performance.table`, then `subgroup` (a column, or
        `centre`) and `subgroup_level`. Development patients are predicted out of fold, external
        ones by the frozen pipeline. Figures of a level with fewer than `LEAST_EVENTS` events (or
        patients of the rarer class) are NaN, and `method` says so.
    outcome : Outcome
    """

    table: pd.DataFrame
    outcome: Outcome

    def __repr__(self) -> str:
        groups = self.table[["subgroup", "subgroup_level"]].drop_duplicates()
        return f"Subgroups({groups['subgroup'].nunique()} subgroups, {len(groups)} levels)"


def subgroups(
    validation: Validation,
    cohort: Cohort,
    *,
    splits: Splits,
    models: Sequence[str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Subgroups:
    """Compute every figure by centre, where the cohort has centres, and by declared subgroup.

    Parameters
    ----------
    validation : Validation
    cohort : Cohort
        The one that was validated on.
    splits : mapping of column to "levels" or rising numbers
        `levels` takes each level of a category, or each value of a number that has few; numbers cut
        there, a value at a cut belonging to the upper part.
    models : sequence of str, optional
        By default all.
    progress : callable(what, done, total), optional

    Returns
    -------
    Subgroups

    Raises
    ------
    ValueError
        If a column does not exist or cannot be split so, or a model does not exist.
    """
    wanted = check_models(validation.fitted, models)
    levels = subgroup_levels(cohort, splits)
    parts = {DEVELOPMENT: cohort.development, **cohort.external}
    keys = list(all_scores(next(iter(validation.apparent.values()))))
    tasks = []
    for sample in samples(validation):
        if sample.validation == "apparent" or sample.model not in wanted:
            continue
        patients = parts[sample.cohort].X.index[sample.positions]
        for column, of_patient in levels.items():
            found = of_patient.loc[patients]
            for name in found.cat.categories:
                rows = np.flatnonzero(found == name)
                if len(rows):
                    labels = {"subgroup": column, "subgroup_level": str(name)}
                    task = partial(_figures, sample.take(rows), validation.plan, keys)
                    tasks.append((labels, task))
    tables = []
    results = in_parallel((task for _, task in tasks), n_jobs=validation.plan.n_jobs)
    for done, table in enumerate(results, start=1):
        tables.append(table.assign(**tasks[done - 1][0]))
        if progress is not None:
            progress("subgroups", done, len(tasks))
    empty = pd.DataFrame(columns=SUBGROUPS)
    return Subgroups(
        table=pd.concat(tables, ignore_index=True)[SUBGROUPS] if tables else empty,
        outcome=validation.outcome,
    )


def check_models(known: Iterable[str], named: Sequence[str] | None) -> list[str]:
    """Return the models that are named, or all."""
    names = list(known)
    wrong = [name for name in named or () if name not in names]
    if wrong:
        raise ValueError(
            f"models must name models of the study, but {wrong[0]!r} is none of {len(names)}. "
            f"{nearest(wrong[0], names)}"
        )
    return names if named is None else list(named)


def _figures(sample: Sample, plan: Plan, keys: Keys) -> pd.DataFrame:
    """Every figure of some patients; of too few events, the counts alone."""
    y = sample.predictions.y
    if rarer_class(y) < LEAST_EVENTS:
        what = "events" if is_survival(y) else "patients of the rarer class"
        reason = f"fewer than {LEAST_EVENTS} {what}: no figure is given"
        nothing = dict.fromkeys(keys, Interval(np.nan, np.nan, np.nan))
        return figure_rows({reason: nothing}, sample.labels, y, plan.level)
    return figures_of(sample, plan, partial(_look, ranking=sample.out_of_fold is None))


def _look(view: View, *, ranking: bool) -> Scores:
    p, fold = view
    calibration, _ = calibration_scores(p, strata=fold)
    return ranking_scores(p) | calibration if ranking else calibration


def subgroup_levels(cohort: Cohort, splits: Splits) -> dict[str, pd.Series]:
    """Say to which level of each subgroup every patient belongs.

    Parameters
    ----------
    cohort : Cohort
    splits : mapping of column to "levels" or rising numbers

    Returns
    -------
    dict of subgroup to Series of shape (n_patients,), Categorical
        `centre` first, where the cohort has any; patients whose value is missing are `unknown`.

    Raises
    ------
    ValueError
        If a column does not exist, or cannot be split so.
    """
    levels = {}
    if cohort.centre is not None:
        levels[CENTRE] = _with_unknown(cohort.centre.astype("category"))
    for column, split in splits.items():
        if column not in cohort.X.columns:
            raise ValueError(
                f"subgroups must name columns of the cohort, but {column!r} is none of "
                f"{cohort.n_features}. {nearest(column, map(str, cohort.X.columns))}"
            )
        values = cohort.X[column]
        if isinstance(split, str):
            levels[column] = _with_unknown(_each_level(column, values, split))
        else:
            levels[column] = _with_unknown(_cut(column, values, split))
    return levels


def _each_level(column: str, values: pd.Series, split: str) -> pd.Series:
    if split != "levels":
        raise ValueError(
            f"the subgroups of {column!r} must be 'levels' or a list of cuts, but {split!r} came."
        )
    if is_category(values):
        return values.cat.remove_unused_categories()
    n_values = values.nunique()
    if n_values > MOST_LEVELS:
        raise ValueError(
            f"{column!r} must have at most {MOST_LEVELS} values to be split by 'levels', but it "
            f"has {n_values}. Give cuts, such as [40, 65]."
        )
    return values.map("{:g}".format, na_action="ignore").astype(
        pd.CategoricalDtype([f"{value:g}" for value in sorted(values.dropna().unique())])
    )


def _cut(column: str, values: pd.Series, split: Sequence[float]) -> pd.Series:
    if is_category(values):
        raise ValueError(
            f"{column!r} is a category and has no cuts, but {list(split)} came. Write 'levels'."
        )
    cuts = [float(cut) for cut in split]
    if not cuts or not np.isfinite(cuts).all() or sorted(set(cuts)) != cuts:
        raise ValueError(f"the cuts of {column!r} must be rising numbers, but {cuts} came.")
    names = [f"below {cuts[0]:g}"]
    names += [f"{low:g} to below {high:g}" for low, high in pairwise(cuts)]
    names.append(f"{cuts[-1]:g} and above")
    numbers = values.to_numpy(dtype=np.float64)
    codes = np.where(np.isnan(numbers), -1, np.searchsorted(cuts, numbers, side="right"))
    found = pd.Categorical.from_codes(codes.tolist(), pd.Index(names))
    return pd.Series(found, index=values.index)


def _with_unknown(levels: pd.Series) -> pd.Series:
    """Make the patients without a level a level of their own, the last."""
    names = [str(name) for name in levels.cat.categories]
    levels = levels.cat.rename_categories(names)
    if not levels.isna().any():
        return levels
    if UNKNOWN not in names:
        levels = levels.cat.add_categories(UNKNOWN)
    return levels.fillna(UNKNOWN)
