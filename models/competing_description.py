"""How many had the event, and how many another one before it: in cohorts and in risk groups.

Models of a study take a competing event as censoring; their risks are cause-specific, and one minus
Kaplan-Meier is higher than the share of patients whom the event reaches. What happened is described
here, by the Aalen-Johansen estimate, and risk groups are compared by Gray's test: of the event
itself, and of the competing one, that a group which dies early of something else is not taken for
one of low risk.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.checks import Floats
from models.competing_risks import CumulativeIncidence, cumulative_incidence, incidence_estimates
from models.evaluation import Sample, samples
from models.gray import gray_test
from models.ticks import pretty
from models.validation import Validation
from omics.cohort import DEVELOPMENT, Cohort
from omics.outcome import is_survival

LABELS = ["model", "cohort", "validation"]
EVENT, COMPETING = 1, 2


@dataclass(frozen=True, eq=False, kw_only=True)
class CompetingDescription:
    """Cumulative incidence in the cohorts of a study, and in the risk groups of its models.

    Attributes
    ----------
    cohorts : CumulativeIncidence
        Of cause 1, the event, and 2, the competing one; its groups are the cohorts.
    cohort_estimates : DataFrame
        As `incidence_estimates`, at the study's horizons.
    curves : DataFrame
        `model`, `cohort`, `validation`, then as `CumulativeIncidence.table`; `group` from 0, the
        lowest risk.
    estimates : DataFrame
        `model`, `cohort`, `validation`, then as `incidence_estimates`, at the horizons.
    tests : DataFrame
        `model`, `cohort`, `validation`, `cause`, `chi2`, `df`, `p_value` of Gray's test between
        risk groups, where there are two or more.
    names : dict of int to str
        What the causes are.
    unit : str
    """

    cohorts: CumulativeIncidence
    cohort_estimates: pd.DataFrame
    curves: pd.DataFrame
    estimates: pd.DataFrame
    tests: pd.DataFrame
    names: dict[int, str]
    unit: str

    def __repr__(self) -> str:
        return f"CompetingDescription({self.cohorts!r}, {self.curves['model'].nunique()} models)"


def competing_description(validation: Validation, cohort: Cohort) -> CompetingDescription | None:
    """Describe the event and the one that competes with it.

    Parameters
    ----------
    validation : Validation
    cohort : Cohort
        The one validated.

    Returns
    -------
    CompetingDescription or None
        None where the study declares no competing event. Intervals on the log scale.
    """
    if cohort.cause is None or not is_survival(cohort.y):
        return None
    horizons, level = list(cohort.outcome.horizons), validation.plan.level
    names = [DEVELOPMENT, *cohort.external]
    found = cumulative_incidence(
        cohort.y["time"],
        cohort.cause.to_numpy(),
        group=pd.Categorical(cohort.group.to_numpy(), categories=names),
        level=level,
    )
    causes = {name: part.cause for name, part in cohort.external.items()}
    causes[DEVELOPMENT] = cohort.development.cause
    curves, estimates = [], []
    tests: list[dict[str, Any]] = []
    for sample in samples(validation):
        cause, group = causes[sample.cohort], sample.group
        if cause is None or group is None or not (group >= 0).any():
            continue
        known = group >= 0
        codes, group = cause.to_numpy()[sample.positions][known], group[known]
        time = sample.predictions.y["time"][known]
        own = cumulative_incidence(time, codes, group=group, level=level)
        curves.append(_labelled(own.table, sample))
        estimates.append(_labelled(incidence_estimates(own, horizons), sample))
        tests += _tests(time, codes, group, sample)
    return CompetingDescription(
        cohorts=found,
        cohort_estimates=incidence_estimates(found, horizons),
        curves=_stack(curves, found.table),
        estimates=_stack(estimates, incidence_estimates(found, horizons)),
        tests=pd.DataFrame(tests, columns=[*LABELS, "cause", "chi2", "df", "p_value"]),
        names={EVENT: cohort.outcome.event_label, COMPETING: cohort.outcome.competing_label},
        unit=str(cohort.outcome.unit),
    )


def round_times(table: pd.DataFrame) -> Floats:
    """Give ticks up to the last time of curves: where numbers at risk are read."""
    last = float(table["time"].to_numpy().max())
    ticks = pretty(0.0, last, n=6)
    return np.asarray(ticks[ticks <= last], dtype=np.float64)


def _tests(
    time: Floats, cause: NDArray[Any], group: NDArray[np.intp], sample: Sample
) -> Iterable[dict[str, Any]]:
    if len(np.unique(group)) < 2:
        return
    for of in (EVENT, COMPETING):
        test = gray_test(time, cause, group, of=of)
        yield {
            **sample.labels,
            "cause": of,
            "chi2": test.chi2,
            "df": test.df,
            "p_value": test.p_value,
        }


def _labelled(table: pd.DataFrame, sample: Sample) -> pd.DataFrame:
    return table.assign(**sample.labels)[[*LABELS, *table.columns]]


def _stack(tables: Sequence[pd.DataFrame], like: pd.DataFrame) -> pd.DataFrame:
    if not tables:
        return pd.DataFrame(columns=[*LABELS, *like.columns])
    return pd.concat(tables, ignore_index=True)
