"""What share of patients had the event where each model promised which risk, in a few groups.

The points beside a calibration curve, for patients whom the fit had not seen. Groups are cut once,
at the quantiles of the development patients' out-of-fold risks, and stay as they are everywhere: an
external cohort with higher risks fills the upper groups. Apparent risks would not do, because of a
model that memorises they are too extreme, and new patients would all meet in the middle.

Out of fold each repeat gives points of its own, and `predicted`, `observed` and the ends of its
interval are averaged over repeats. The patients are the same in every repeat, so that averaging
makes the interval no narrower; it takes the fits as given.

Considered and rejected: the percentile bootstrap of the curve's band, because where nobody of a
group had the event no draw has one, and the interval would be a point.

References
----------
Harrell FE. Regression Modeling Strategies, 2nd ed. Springer 2015, section 20.11.
doi:10.1007/978-3-319-19425-7
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.calibration_groups import (
    CalibrationGroups,
    calibration_groups,
    calibration_groups_at,
    cut_by_size,
)
from models.checks import Floats
from models.evaluation import Sample, samples, views
from models.scores import Predictions
from models.validation import Validation
from omics.outcome import Outcome, is_survival

COLUMNS = [
    *("model", "cohort", "validation", "horizon", "group", "lowest", "highest", "predicted"),
    *("observed", "lower", "upper", "n_patients", "n_events"),
]
_AVERAGED = ["predicted", "observed", "lower", "upper"]


@dataclass(frozen=True, eq=False, kw_only=True)
class GroupedCalibration:
    """Observed against predicted risk by group, of every model, out of fold and in each cohort.

    Attributes
    ----------
    table : DataFrame, one row per model, cohort, horizon and group
        Columns as in `COLUMNS`: `group` from 1, the lowest risk; `lowest` and `highest` its cut
        points; `predicted` the mean risk; `observed` with its interval as in
        `models.calibration_groups`; `n_patients` and `n_events` (by the horizon, if there is one)
        are means over repeats out of fold. Out of fold a figure that fewer than half of the repeats
        know is NaN.
    groups : int
        Asked for; ties can make fewer.
    level : float
    outcome : Outcome
    """

    table: pd.DataFrame
    groups: int
    level: float
    outcome: Outcome

    def __repr__(self) -> str:
        n_models = self.table["model"].nunique()
        return f"GroupedCalibration({n_models} models, {self.groups} groups)"


def grouped_calibration(validation: Validation, *, groups: int) -> GroupedCalibration:
    """Compare the risk observed in a few groups of patients with the mean risk predicted.

    Parameters
    ----------
    validation : Validation
    groups : int
        At least 2; 5 leave enough events in each of most cohorts.

    Returns
    -------
    GroupedCalibration

    Raises
    ------
    ValueError
        If `groups` is below 2.
    """
    tables = []
    for sample in samples(validation):
        if sample.validation != "apparent":
            cuts = _frozen_cuts(validation, sample.model, groups)
            tables += _sample_tables(sample, cuts, validation.plan.level)
    return GroupedCalibration(
        table=pd.concat(tables, ignore_index=True)[COLUMNS]
        if tables
        else pd.DataFrame(columns=COLUMNS),
        groups=groups,
        level=validation.plan.level,
        outcome=validation.outcome,
    )


def _frozen_cuts(validation: Validation, model: str, groups: int) -> list[Floats | None]:
    """Cut out-of-fold risks at each horizon; None where there are none."""
    risks = validation.out_of_fold[model].risk
    known = [risk[~np.isnan(risk)] for risk in np.moveaxis(risks, 2, 0)]
    return [cut_by_size(risk, groups=groups) if len(risk) else None for risk in known]


def _sample_tables(
    sample: Sample, cuts: Sequence[Floats | None], level: float
) -> list[pd.DataFrame]:
    """Give the points of one model in one cohort, a table per horizon."""
    looked_at = [p for p, _ in views(sample)]
    tables = []
    for j, horizon in enumerate(sample.predictions.horizons or (np.nan,)):
        own = cuts[j]
        if own is None:
            continue
        found = [_groups_at(p, j, own, level).table for p in looked_at]
        table = found[0][["lowest", "highest"]].assign(
            **sample.labels, horizon=horizon, group=np.arange(1, len(own))
        )
        for name in _AVERAGED:
            table[name] = _mean_of_repeats(np.array([one[name] for one in found]))
        for name in ("n_patients", "n_events"):
            table[name] = np.mean([one[name] for one in found], axis=0)
        tables.append(table)
    return tables


def _groups_at(p: Predictions, j: int, cuts: Floats, level: float) -> CalibrationGroups:
    """Give the points of one look at a model, at the horizon in position j."""
    risk = p.risk[:, j]
    if not is_survival(p.y):
        return calibration_groups(p.y, risk, cut_points=cuts, level=level)
    return calibration_groups_at(
        p.y["time"], p.y["event"], risk, horizon=p.horizons[j], cut_points=cuts, level=level
    )


def _mean_of_repeats(values: Floats) -> Floats:
    """Average each group over the repeats that know it; NaN where fewer than half do."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(2 * count >= len(values), total / np.maximum(count, 1), np.nan)
