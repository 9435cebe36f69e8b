"""How the patients of each cohort fared, and how their risk groups did: what a report opens with.

Everything is read from the curves of this package: follow-up (reverse Kaplan-Meier), median
survival, survival at the study's horizons, restricted mean up to the last of them. Cohorts are
described and not tested: whether an external cohort fares as the development patients did is no
question of chance, and the figures of validation ask what matters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from models.checks import check_horizon
from models.evaluation import Sample, samples
from models.event_counts import Groups
from models.follow_up import follow_up
from models.log_rank import log_rank_trend
from models.restricted_mean import restricted_mean
from models.survival_curves import kaplan_meier, numbers_at_risk, survival_estimates
from models.ticks import pretty
from models.validation import Validation
from omics.cohort import DEVELOPMENT, Cohort
from omics.outcome import is_survival

COLUMNS = ["group", "n_patients", "n_events", "measure", "horizon", "estimate", "lower", "upper"]
LABELS = ["model", "cohort", "validation"]


@dataclass(frozen=True, eq=False, kw_only=True)
class SurvivalSummary:
    """How long one or several groups were followed and stayed free of the event.

    Attributes
    ----------
    table : DataFrame, one row per group, measure and horizon
        Columns as in `COLUMNS`. Measures: `person_time` (no interval), `follow_up` (median, reverse
        Kaplan-Meier), `median` (of survival), `survival` (at each horizon), `restricted_mean` (to
        the last). NaN where follow-up does not tell.
    curves : DataFrame
        As `KaplanMeier.table`.
    at_risk : DataFrame
        As `numbers_at_risk`, at round times up to each group's last.
    level : float
    n_patients, n_events : int
    """

    table: pd.DataFrame
    curves: pd.DataFrame
    at_risk: pd.DataFrame
    level: float
    n_patients: int
    n_events: int

    def __repr__(self) -> str:
        groups = self.table["group"].nunique()
        return (
            f"SurvivalSummary({groups} group{'' if groups == 1 else 's'}, "
            f"{self.n_patients} patients, {self.n_events} events)"
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class StudySurvival:
    """Survival in the cohorts of a study, and in the risk groups of its models.

    Attributes
    ----------
    cohorts : SurvivalSummary
        Its groups are the cohorts, development first.
    risk_groups : DataFrame
        `model`, `cohort`, `validation`, then as `SurvivalSummary.table`; `group` from 0, the lowest
        risk.
    contrasts : DataFrame
        `model`, `cohort`, `validation`, then as `RestrictedMean.contrasts`: every group against the
        lowest risk.
    trends : DataFrame
        `model`, `cohort`, `validation`, `chi2`, `p_value` of the log-rank test for trend, where
        there are three groups or more.
    unit : str
    """

    cohorts: SurvivalSummary
    risk_groups: pd.DataFrame
    contrasts: pd.DataFrame
    trends: pd.DataFrame
    unit: str

    def __repr__(self) -> str:
        return f"StudySurvival({self.cohorts!r}, {self.risk_groups['model'].nunique()} models)"


def survival_summary(
    time: ArrayLike,
    event: ArrayLike,
    *,
    horizons: Sequence[float],
    group: Groups | None = None,
    level: float = 0.95,
) -> SurvivalSummary:
    """Describe follow-up and survival, by group.

    Parameters
    ----------
    time : array-like of shape (n_patients,)
        Follow-up, above zero, in one unit.
    event : array-like of shape (n_patients,)
        True where the event was observed.
    horizons : sequence of float
        Times at which survival is read; the restricted mean goes to the last.
    group : array-like or Categorical of shape (n_patients,), optional
    level : float in (0, 1)

    Returns
    -------
    SurvivalSummary
        Intervals on the log scale, R's default.

    Raises
    ------
    ValueError
        If follow-up, horizons or group are wrong or missing.

    Examples
    --------
    >>> found = survival_summary([1, 2, 2, 3], [True, True, False, False], horizons=[2])
    >>> found.table[["measure", "estimate"]].values.tolist()[2:]
    [['median', 2.0], ['survival', 0.5], ['restricted_mean', 1.75]]
    """
    asked = sorted({check_horizon(horizon, "horizons") for horizon in horizons})
    if not asked:
        raise ValueError("horizons must hold a time above zero, but none came.")
    curve = kaplan_meier(time, event, group=group, level=level)
    followed = follow_up(time, event, group=group, level=level).table
    mean = restricted_mean(time, event, horizon=asked[-1], group=group, level=level).table
    none = dict.fromkeys(("lower", "upper"), np.nan)
    parts = [
        followed.assign(measure="person_time", estimate=followed["person_time"], **none),
        followed.rename(columns={"median": "estimate"}).assign(measure="follow_up"),
        curve.medians.rename(columns={"median": "estimate"}).assign(measure="median"),
        survival_estimates(curve, asked)
        .rename(columns={"time": "horizon"})
        .assign(measure="survival"),
        mean.assign(measure="restricted_mean", horizon=asked[-1]),
    ]
    rows = pd.concat([part.reindex(columns=COLUMNS) for part in parts], ignore_index=True)
    rows = _one_group_after_another(rows, curve.medians)
    longest = followed.set_index("group")["longest"]
    ticks = pretty(0.0, float(longest.max()), n=6)
    at_risk = numbers_at_risk(time, event, at=ticks, group=group)
    return SurvivalSummary(
        table=rows,
        curves=curve.table,
        at_risk=at_risk[at_risk["time"] <= at_risk["group"].map(longest)].reset_index(drop=True),
        level=level,
        n_patients=curve.n_patients,
        n_events=curve.n_events,
    )


def _one_group_after_another(rows: pd.DataFrame, sizes: pd.DataFrame) -> pd.DataFrame:
    """Sort by group, keeping the order of measures; every row with the whole group's counts."""
    place = {label: position for position, label in enumerate(sizes["group"])}
    position = rows["group"].map(place).to_numpy()
    rows = rows.assign(
        n_patients=sizes["n_patients"].to_numpy()[position],
        n_events=sizes["n_events"].to_numpy()[position],
    )
    return rows.iloc[np.argsort(position, kind="stable")].reset_index(drop=True)


def study_survival(validation: Validation, cohort: Cohort) -> StudySurvival | None:
    """Describe survival in a study's cohorts and in the risk groups of its models.

    Parameters
    ----------
    validation : Validation
    cohort : Cohort
        The one validated.

    Returns
    -------
    StudySurvival or None
        None for a binary outcome.
    """
    if not is_survival(cohort.y):
        return None
    horizons, level = cohort.outcome.horizons, validation.plan.level
    names = [DEVELOPMENT, *cohort.external]
    group = pd.Categorical(cohort.group.to_numpy(), categories=names)
    summaries, contrasts, trends = [], [], []
    for sample in samples(validation):
        if sample.group is None or not (sample.group >= 0).any():
            continue
        found = _risk_groups(sample, sample.group, horizons, level)
        summaries.append(found[0])
        contrasts.append(found[1])
        trends += found[2]
    return StudySurvival(
        cohorts=survival_summary(
            cohort.y["time"], cohort.y["event"], horizons=horizons, group=group, level=level
        ),
        risk_groups=pd.concat(summaries, ignore_index=True),
        contrasts=pd.concat(contrasts, ignore_index=True),
        trends=pd.DataFrame(trends, columns=[*LABELS, "chi2", "p_value"]),
        unit=str(cohort.outcome.unit),
    )


def _risk_groups(
    sample: Sample, group: NDArray[np.intp], horizons: Sequence[float], level: float
) -> tuple[pd.DataFrame, pd.DataFrame, list[dict[str, Any]]]:
    """Describe the risk groups of one model in one cohort, as cut by other patients."""
    known = group >= 0
    time, event = (sample.predictions.y[known][name] for name in ("time", "event"))
    group = group[known]
    summary = survival_summary(time, event, horizons=horizons, group=group, level=level)
    mean = restricted_mean(time, event, horizon=max(horizons), group=group, level=level)
    trends = []
    if len(np.unique(group)) > 2:
        test = log_rank_trend(time, event, group, scores=np.unique(group))
        trends.append({**sample.labels, "chi2": test.chi2, "p_value": test.p_value})
    return _labelled(summary.table, sample), _labelled(mean.contrasts, sample), trends


def _labelled(table: pd.DataFrame, sample: Sample) -> pd.DataFrame:
    """Put the sample's labels before the columns."""
    return table.assign(**sample.labels)[[*LABELS, *table.columns]]
