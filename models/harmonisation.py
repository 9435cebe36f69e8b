r"""What harmonisation did in a study, to whom, and what a reader must know of it.

The frozen transform of all development patients is described: to which patients of which centre it
applied, and how the features and the centre went together before and after it. Centre and outcome
are set side by side, since a mark of the centre and a difference of its patients look alike:

.. math::

    V = \sqrt{\chi^2 / (n \, \min(r - 1, c - 1))}

References
----------
Cramer H. Mathematical Methods of Statistics. Princeton University Press 1946, p. 282 (`V`, here of
the centre and the event, observed or not).

Orlhac F, Eertink JJ, Cottereau AS, et al. A guide to ComBat harmonization of imaging biomarkers in
multicenter studies. Journal of Nuclear Medicine 2022;63:172-179. doi:10.2967/jnumed.121.262464
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2_contingency
from sklearn.base import clone

from models.centre_differences import SIGNIFICANT, centre_differences
from models.centre_prediction import STAGES, CentrePrediction, centre_prediction
from models.log_rank import log_rank
from models.validation import Validation
from omics.centres import check_harmonised
from omics.cohort import DEVELOPMENT, Cohort
from omics.errors import Finding, FitError
from omics.harmonise import ComBat
from omics.messages import number_of, quoted
from omics.outcome import is_survival

FEW_PATIENTS = 20  # of a centre: below, Orlhac's guide holds its shift and scale for ill known
HARMONISED, REFERENCE = "harmonised", "the reference, left as it is"
ESTIMATED, LEFT = "estimated from these patients together", "left as they are"


@dataclass(frozen=True, eq=False, kw_only=True)
class Harmonisation:
    """What harmonisation did in a study.

    Attributes
    ----------
    combat : ComBat
        Fitted to all development patients.
    centres : DataFrame, one row per cohort and centre
        `cohort`, `centre`, `n_patients` (with values), `n_events`, `what` was done with them.
    differences : DataFrame, one row per feature and stage
        `stage` ("before", "after") and the columns of `models.centre_differences`. After, in the
        very patients the transform was fitted to.
    components : DataFrame, one row per development patient and stage
        `stage`, `centre`, `first`, `second`: principal components of the features in standard
        deviations; axes of the stage before. Holds no id.
    prediction : CentrePrediction or None
    why_no_prediction : str
        Why there is none; "" if there is one.
    association : dict
        `cramers_v` of centre and event, and `p_value` (log-rank test of a survival outcome,
        chi-squared test of a binary one), of the development patients.
    n_patients : int
        Development patients with values.
    held_out : DataFrame
        Who was refused in cross-validation, as `refused_in_folds` counts them, for all tables
        together: stands with the first of a study, the others have no rows.
    """

    combat: ComBat
    centres: pd.DataFrame
    differences: pd.DataFrame
    components: pd.DataFrame
    prediction: CentrePrediction | None
    why_no_prediction: str
    association: dict[str, float]
    n_patients: int
    held_out: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["model", "repeat", "n_centre", "n_level"])
    )

    @property
    def differing(self) -> pd.DataFrame:
        """Features that differ between centres, by stage: `level`, `spread`, `n_features`."""
        rows = []
        for stage in STAGES:
            mine = self.differences[self.differences["stage"] == stage]
            counts = [int((mine[f"{what}_q"] < SIGNIFICANT).sum()) for what in ("level", "spread")]
            rows.append((stage, *counts, len(mine)))
        return pd.DataFrame(rows, columns=["stage", "level", "spread", "n_features"])

    def __repr__(self) -> str:
        before, after = self.differing["level"]
        return (
            f"Harmonisation({len(self.combat.features_)} features of {self.n_patients} patients at "
            f"{len(self.combat.n_patients_)} centres, {before} differ in level before, {after} "
            "after)"
        )


def study_harmonisation(validation: Validation, cohort: Cohort) -> dict[str, Harmonisation]:
    """Describe the harmonisation of each table, in the first model that has any of it.

    On the features that the filters of this model leave; by table, empty if none is harmonised.
    """
    found: dict[str, Harmonisation] = {}
    plan = validation.plan
    lost = refused_in_folds(validation, cohort)
    for fitted in validation.fitted.values():
        table = cohort.X
        for step in fitted.pipeline.cleaning:
            if not isinstance(step, ComBat):
                table = step.transform(table)
            elif (name := ", ".join(step.tables)) not in found:
                seen = replace(cohort, X=table)
                one = harmonisation(seen, step, seed=plan.seed, draws=plan.draws, level=plan.level)
                found[name] = one if found else replace(one, held_out=lost)
    return found


def harmonisation(
    cohort: Cohort, combat: ComBat, *, seed: int = 0, draws: int = 200, level: float = 0.95
) -> Harmonisation:
    """Harmonise the development patients, and look at what that did.

    Parameters
    ----------
    cohort : Cohort
        With the centre in its wide table, as `omics.centres.with_centre` gives it.
    combat : ComBat
        Not fitted.
    seed, draws, level
        Of the prediction of the centre.

    Returns
    -------
    Harmonisation

    Raises
    ------
    StudyError
        As `omics.centres.check_harmonised`.
    """
    check_harmonised(cohort, combat)
    development = cohort.development
    fitted = clone(combat).fit(development.X)
    with_values = development.X[fitted.features_].notna().any(axis=1).to_numpy()
    X, y = development.X.loc[with_values], development.y[with_values]
    after = fitted.transform(X)
    centre = X[combat.centre].astype(str).to_numpy()
    tests = [
        centre_differences(table[fitted.features_], centre).assign(stage=stage)
        for stage, table in zip(STAGES, (X, after), strict=True)
    ]
    prediction, why = None, ""
    try:
        prediction = centre_prediction(X, fitted, draws=draws, seed=seed, level=level)
    except FitError as error:
        why = str(error)
    return Harmonisation(
        combat=fitted,
        centres=_centres(cohort, fitted),
        differences=pd.concat(tests, ignore_index=True),
        components=_components(X[fitted.features_], after[fitted.features_], centre),
        prediction=prediction,
        why_no_prediction=why,
        association=centre_and_outcome(centre, y),
        n_patients=len(X),
    )


def _centres(cohort: Cohort, fitted: ComBat) -> pd.DataFrame:
    """Say what was done with whom."""
    rows = []
    for name, part in {DEVELOPMENT: cohort.development, **cohort.external}.items():
        event = part.y["event"] if is_survival(part.y) else part.y
        there = part.X[fitted.features_].notna().any(axis=1).to_numpy()
        new = fitted.new_centres(part.X).set_index("centre")["what"].to_dict()
        centres = part.X[fitted.centre].astype(object).fillna("").map(str).to_numpy()
        for centre in sorted(set(centres[there])):
            mine = there & (centres == centre)
            known = REFERENCE if centre == fitted.reference else HARMONISED
            what = new.get(centre, known)
            rows.append((name, centre, int(mine.sum()), int(event[mine].sum()), what))
    return pd.DataFrame(rows, columns=["cohort", "centre", "n_patients", "n_events", "what"])


def _components(before: pd.DataFrame, after: pd.DataFrame, centre: NDArray[Any]) -> pd.DataFrame:
    """Place every patient, before and after, in the plane in which features vary most before."""
    median = before.median()
    tables = [table.fillna(median).to_numpy(dtype=np.float64) for table in (before, after)]
    mean, spread = tables[0].mean(axis=0), tables[0].std(axis=0)
    z = [(table - mean) / np.where(spread > 0, spread, 1) for table in tables]
    axes = np.linalg.svd(z[0], full_matrices=False)[2][:2]
    axes *= np.sign(axes.sum(axis=1, keepdims=True))  # a sign of its own, on every machine
    parts = []
    for stage, values in zip(STAGES, z, strict=True):
        places = values @ axes.T
        part = {"stage": stage, "centre": centre, "first": places[:, 0], "second": places[:, 1]}
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)


def centre_and_outcome(centre: NDArray[Any], y: NDArray[Any]) -> dict[str, float]:
    """Give Cramer's V of centre and event, and the p value of their association.

    Examples
    --------
    >>> event = np.array([True, True, True, False, False, False])
    >>> centre_and_outcome(np.array(["A", "A", "A", "B", "B", "B"]), event)["cramers_v"]
    1.0
    """
    event = y["event"] if is_survival(y) else y
    counts = pd.crosstab(centre, event).to_numpy()
    if min(counts.shape) < 2:
        return {"cramers_v": float("nan"), "p_value": float("nan")}
    test = chi2_contingency(counts, correction=False)
    v = float(np.sqrt(test.statistic / (counts.sum() * (min(counts.shape) - 1))))
    p = log_rank(y["time"], event, centre).p_value if is_survival(y) else test.pvalue
    return {"cramers_v": v, "p_value": float(p)}


def harmonisation_findings(
    found: Mapping[str, Harmonisation], cohort: Cohort, validation: Validation | None = None
) -> Iterator[Finding]:
    """Say what a reader must know of the harmonisation of a study, and of its validation."""
    if found and validation is not None:
        yield from _refused_in_folds(refused_in_folds(validation, cohort), validation)
    for table, one in found.items():
        yield from _confounded(one, cohort, table)
        yield from _small(one, table)
        yield from _new_centres(one)
        yield from _left(one, table)


def _confounded(found: Harmonisation, cohort: Cohort, table: str) -> Iterator[Finding]:
    p, v = found.association["p_value"], found.association["cramers_v"]
    if p < SIGNIFICANT:
        preserved = found.combat.covariates
        kept = (
            f"The effect of {quoted(preserved)} was preserved."
            if len(preserved)
            else ("No covariate was preserved.")
        )
        yield Finding(
            code="centre_and_outcome",
            severity="caution",
            where=table,
            message=f"Centre and {cohort.outcome.label} go together (Cramer's V {v:.2f}, P = "
            f"{p:.2g}): what harmonisation takes for the mark of a centre may be a difference of "
            f"its patients that tells their outcome. {kept} The outcome must never be.",
        )


def _small(found: Harmonisation, table: str) -> Iterator[Finding]:
    small = {name: n for name, n in found.combat.n_patients_.items() if n < FEW_PATIENTS}
    if small:
        named = ", ".join(f"{name}: {n}" for name, n in small.items())
        yield Finding(
            code="small_centres",
            severity="caution",
            where=table,
            message=f"{number_of(len(small), 'centre')} of {len(found.combat.n_patients_)} have "
            f"fewer than {FEW_PATIENTS} development patients ({named}): their shift and scale are "
            "drawn towards what features have in common, and rest on little; where a resample is "
            "left with one of them alone, it takes out shifts and leaves the scales of all.",
        )


def _refused_in_folds(held_out: pd.DataFrame, validation: Validation) -> Iterator[Finding]:
    """Tell those whose whole centre was held out with them, and their level of a covariate."""
    for name, rows in held_out.groupby("model", sort=False):
        steps = validation.fitted[str(name)].pipeline.harmonised
        levels = dict.fromkeys(name for step in steps for name in step.coding_.levels)
        for what, code, whom in (
            ("centre", "centre_held_out", "of their centre"),
            ("level", "level_held_out", f"of their level of {quoted(levels)}"),
        ):
            lost = rows[f"n_{what}"]
            if lost.any():
                yield Finding(
                    code=code,
                    severity="note",
                    where=str(name),
                    message=f"In {int((lost > 0).sum())} of {len(lost)} repeats of the "
                    f"cross-validation, up to {number_of(int(lost.max()), 'patient')} have no "
                    f"prediction: everybody {whom} was held out with them, and what is new is "
                    "refused.",
                )


def refused_in_folds(validation: Validation, cohort: Cohort) -> pd.DataFrame:
    """Count the patients whom harmonisation refused in cross-validation, by what was new of them.

    Returns
    -------
    DataFrame, one row per harmonised model and repeat
        `model`, `repeat` (from 1), `n_centre` (everybody of their centre, or all but too few, was
        held out with them) and `n_level` (everybody of their level of a covariate was); who lost
        both counts for the centre.
    """
    rows = []
    for name, fitted in validation.fitted.items():
        steps = fitted.pipeline.harmonised
        if not steps or name not in validation.out_of_fold:
            continue
        held_out = validation.out_of_fold[name]
        lost = np.isnan(held_out.linear_predictor)
        lost &= ~np.isnan(validation.apparent[name].linear_predictor)
        for repeat, fold in enumerate(held_out.fold):
            counts = [0, 0]
            for number in np.unique(fold[lost[repeat]]):
                mine = fold == number
                if lost[repeat, mine].all():  # a fold that failed is counted as such
                    continue
                known = _of_known_centre(steps, cohort.development.X, ~mine)
                counts[0] += int((lost[repeat] & mine & ~known).sum())
                counts[1] += int((lost[repeat] & mine & known).sum())
            rows.append((name, repeat + 1, *counts))
    return pd.DataFrame(rows, columns=["model", "repeat", "n_centre", "n_level"])


def _of_known_centre(
    steps: Sequence[ComBat], X: pd.DataFrame, training: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Tell who is let in for the centre, were a fold's training patients all that is known."""
    known = np.ones(len(X), dtype=np.bool_)
    for step in steps:
        there = [name for name in step.features_ if name in X]
        with_values = X[there].notna().any(axis=1).to_numpy()
        centre = X[step.centre].astype(str).to_numpy()
        here = np.isin(centre, centre[training & with_values])
        if step.new_centre == "pass_through":
            continue
        if step.new_centre == "estimate":
            names, n = np.unique(centre[~training & with_values], return_counts=True)
            here |= np.isin(centre, names[n >= (step.least_patients or 2)])
        known &= here | ~with_values
    return known


def _new_centres(found: Harmonisation) -> Iterator[Finding]:
    for what, code, meaning in (
        (
            ESTIMATED,
            "harmonised_transductively",
            "their shift and scale were estimated from these very patients together. Figures "
            "there are transductive: they hold for a centre whose patients come in such a number, "
            "not for a single patient",
        ),
        (
            LEFT,
            "not_harmonised",
            "their values were left as they are, which is right only if the centre measures as "
            "the harmonised ones do",
        ),
    ):
        mine = found.centres[found.centres["what"] == what]
        for cohort, rows in mine.groupby("cohort", sort=False):
            yield Finding(
                code=code,
                severity="caution",
                where=str(cohort),
                message=f"{rows['n_patients'].sum()} patients of {cohort} with values of "
                f"{quoted(found.combat.tables)} are of "
                f"{number_of(len(rows), 'centre')} that no development patient is of "
                f"({quoted(rows['centre'], limit=3)}): {meaning}.",
            )


def _left(found: Harmonisation, table: str) -> Iterator[Finding]:
    left = found.combat.unadjusted_
    if left:
        yield Finding(
            code="features_not_harmonised",
            severity="note",
            where=table,
            message=f"{len(left)} of {len(left) + len(found.combat.features_)} features were left "
            f"as they are ({quoted(left, limit=3)}): at a centre they hold one value only, or too "
            "few.",
        )
