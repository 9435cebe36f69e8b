"""What a study's filter of features that repeat badly has kept, and how firm that is.

The filter is learned anew in every fold, from the training patients with repeats alone; here it is
learned on all development patients, and on each fold again to tell how often it keeps a feature.

References
----------
Koo TK, Li MY. A guideline of selecting and reporting intraclass correlation coefficients for
reliability research. Journal of Chiropractic Medicine 2016;15:155-163.
doi:10.1016/j.jcm.2016.02.012
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import clone

from models.pipeline import RiskPipeline
from models.resampling import repeated_k_fold
from models.validation import Plan
from omics.bland_altman import BlandAltman, bland_altman
from omics.cohort import Cohort
from omics.errors import Finding, FitError
from omics.outcome import is_survival
from omics.reliability import Reliability, ReliabilityFilter

FEW_PATIENTS = 30  # Koo and Li ask for at least 30 subjects
WIDE = 0.3  # width of the median interval, the distance of "moderate" from "good" and more


@dataclass(frozen=True, eq=False, kw_only=True)
class Repeatability:
    """The repeats of one table, and what the filter makes of them.

    Attributes
    ----------
    table : DataFrame, one row per feature
        Those of `omics.reliability.Reliability.table`, then `kept` by the filter on all development
        patients, `folds_kept` and `folds` (those in which the filter could be learned); of
        independent repeats the folds are 0, since every fold keeps the same.
    reliability : Reliability
    least : float
        Lower bound from which a feature is kept.
    independent : bool
        True if the repeats are of other patients.
    copies : bool
        True if the repeats are changed copies of one reader's masks, and no further readers.
    n_kept : int
    n_unused : int
        Patients with repeats who are no development patients; 0 of independent repeats.
    agreement : BlandAltman
        Of the first two readers.
    typical : tuple of str
        Of each class of features the one whose lower bound is the middle one.
    """

    table: pd.DataFrame
    reliability: Reliability
    least: float
    independent: bool
    copies: bool
    n_kept: int
    n_unused: int
    agreement: BlandAltman
    typical: tuple[str, ...]

    def __repr__(self) -> str:
        found = self.reliability
        return (
            f"Repeatability({self.n_kept} of {len(self.table)} features kept, {found.form} lower "
            f"bound >= {self.least:g}, {found.n_patients} patients, {found.n_readers} readers)"
        )


def study_repeatability(
    pipelines: Mapping[str, RiskPipeline], cohort: Cohort, *, plan: Plan
) -> dict[str, Repeatability]:
    """Describe each filter of a study, by the table it is of.

    Parameters
    ----------
    pipelines : mapping of name to RiskPipeline
        Not fitted; models of a study share their filters.
    cohort : Cohort
    plan : Plan
        Its folds are those of the cross-validation.

    Returns
    -------
    dict of table to Repeatability
        Empty without filters.

    Raises
    ------
    FitError
        If too few development patients have repeats.
    """
    filters: dict[str, ReliabilityFilter] = {}
    for pipeline in pipelines.values():
        for step in pipeline.cleaning:
            if isinstance(step, ReliabilityFilter):
                filters.setdefault(", ".join(step.views), step)
    return {view: repeatability(step, cohort, plan=plan) for view, step in filters.items()}


def repeatability(step: ReliabilityFilter, cohort: Cohort, *, plan: Plan) -> Repeatability:
    """Learn a filter on all development patients and on each fold.

    Parameters
    ----------
    step : ReliabilityFilter
        Not fitted, and left as it is.
    cohort : Cohort
    plan : Plan

    Returns
    -------
    Repeatability

    Raises
    ------
    FitError
        If too few development patients have repeats.
    """
    development = cohort.development
    fitted = clone(step).fit(development.X)
    found = fitted.reliability_
    names = found.table["feature"]
    folds = [] if step.independent else list(_kept_in_folds(step, development, plan))
    times = np.sum(folds, axis=0) if folds else np.zeros(len(names))
    kept = ~names.isin(fitted.dropped_)
    return Repeatability(
        table=found.table.assign(kept=kept, folds_kept=times.astype(np.int64), folds=len(folds)),
        reliability=found,
        least=step.least,
        independent=step.independent,
        copies=step.copies,
        n_kept=int(kept.sum()),
        n_unused=0 if step.independent else _unused(step, development),
        agreement=_agreement(step.readings(development.X), step.level),
        typical=_typical(found.table),
    )


def _unused(step: ReliabilityFilter, development: Cohort) -> int:
    repeated = step.repeats[0].index
    for table in step.repeats[1:]:
        repeated = repeated.union(table.index)
    return len(repeated.difference(development.X.index))


def _agreement(readings: Sequence[pd.DataFrame], level: float) -> BlandAltman:
    first, second = readings[:2]
    both = first.index[first.index.isin(second.index)]
    names = list(first.columns)
    pair = [one.loc[both, names].to_numpy(dtype=np.float64) for one in (first, second)]
    return bland_altman(pair[0], pair[1], names=names, level=level)


def _typical(table: pd.DataFrame) -> tuple[str, ...]:
    known = table[table["lower"].notna()].sort_values("lower", kind="stable")
    parts = known.groupby("feature_class", sort=False)["feature"]
    found = {str(name): str(part.iloc[(len(part) - 1) // 2]) for name, part in parts}
    classes = table["feature_class"].drop_duplicates()
    return tuple(found[name] for name in classes if name in found)


def _kept_in_folds(
    step: ReliabilityFilter, development: Cohort, plan: Plan
) -> Iterator["pd.Series[bool]"]:
    y = development.y
    event = y["event"] if is_survival(y) else y
    for part in repeated_k_fold(event, folds=plan.folds, repeats=plan.repeats, seed=plan.seed):
        try:
            fitted = clone(step).fit(development.X.iloc[part.train])
        except FitError:  # the models of this fold failed, too, and are counted there
            continue
        yield ~fitted.reliability_.table["feature"].isin(fitted.dropped_)


def repeatability_findings(found: Mapping[str, Repeatability]) -> list[Finding]:
    """Say where the repeats are few, their intervals wide, or the choice is not firm."""
    return [finding for view, one in found.items() for finding in _findings(view, one)]


def _findings(view: str, found: Repeatability) -> Iterator[Finding]:
    yield from _of_repeats(view, found)
    yield from _of_intervals(view, found.table)
    yield Finding(
        code="features_filtered",
        severity="note" if found.n_kept else "serious",
        where=view,
        message=f"{found.n_kept} of {len(found.table)} features are kept: their "
        f"{found.reliability.form} has a lower bound of at least {found.least:g}.",
    )
    yield from _of_folds(view, found.table)


def _of_repeats(view: str, found: Repeatability) -> Iterator[Finding]:
    """Say where there are few repeats, or none that tell anything."""
    n, known = found.reliability.n_patients, found.table["lower"].dropna()
    if n < FEW_PATIENTS:
        yield Finding(
            code="few_repeats",
            severity="caution",
            where=view,
            message=f"{n} patients have readings by all {found.reliability.n_readers} readers "
            f"(fewer than {FEW_PATIENTS}): intervals of the intraclass correlations are wide, and "
            "sound features may have been dropped.",
        )
    if len(known) and (known == 1).all():
        yield Finding(
            code="same_readings",
            severity="serious",
            where=view,
            message="All readers gave the same numbers for every feature: this may be one reading "
            "copied, and then it is no evidence of repeatability. See whether the files are right.",
        )
    if found.n_unused:
        yield Finding(
            code="repeats_unused",
            severity="note",
            where=view,
            message=f"{found.n_unused} patients with repeats are no development patients of this "
            "study: their readings were not used.",
        )


def _of_intervals(view: str, table: pd.DataFrame) -> Iterator[Finding]:
    width = float((table["upper"] - table["lower"]).median())
    if width > WIDE:
        yield Finding(
            code="wide_reliability",
            severity="caution",
            where=view,
            message=f"The median interval of the intraclass correlations is {width:.2f} wide "
            f"(more than {WIDE:g}): which features repeat well is hardly known.",
        )


def _of_folds(view: str, table: pd.DataFrame) -> Iterator[Finding]:
    folds = int(table["folds"].max()) if len(table) else 0
    unsteady = table["folds_kept"].between(1, folds - 1).sum()
    if folds and unsteady:
        yield Finding(
            code="filter_unsteady",
            severity="note",
            where=view,
            message=f"{unsteady} of {len(table)} features are kept in some of the {folds} folds "
            "and dropped in others.",
        )
