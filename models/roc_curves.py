"""ROC curves of the models of a validation, each area with its interval.

Curves are drawn of predictions that one fit made: the frozen models' in external cohorts, with
DeLong's interval of the area (by a horizon that of `models.standard_errors`), and the apparent ones
of the development patients, which flatter and whose interval does not count the fitting. Considered
and rejected: curves of out-of-fold predictions. Scores of different folds share no scale, so that
one curve over all of them is no model's; the cross-validated area is the mean within folds.

References
----------
DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated receiver
operating characteristic curves. Biometrics 1988;44:837-845. doi:10.2307/2531595
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from models.evaluation import samples
from models.roc import RocCurve, roc_curve, roc_curve_at
from models.scores import Predictions
from models.validation import Validation
from omics.outcome import Outcome, is_survival


class Sampled(NamedTuple):
    """Whose curve it is: a cohort, seen in one way, at a horizon (None for a binary outcome)."""

    cohort: str
    validation: str
    horizon: float | None


@dataclass(frozen=True, eq=False, kw_only=True)
class RocCurves:
    """ROC curves by sample of patients, then by model.

    Attributes
    ----------
    curves : mapping of Sampled to dict of model to RocCurve
        External samples first. A curve whose area is NaN is left out, and a sample without one.
    outcome : Outcome
    """

    curves: Mapping[Sampled, Mapping[str, RocCurve]]
    outcome: Outcome

    def __repr__(self) -> str:
        n_curves = sum(map(len, self.curves.values()))
        return f"RocCurves({n_curves} curves, {len(self.curves)} samples)"


def roc_curves(validation: Validation) -> RocCurves:
    """Trace the ROC curve of every model, external and apparent, at every horizon.

    Parameters
    ----------
    validation : Validation

    Returns
    -------
    RocCurves
    """
    found: dict[Sampled, dict[str, RocCurve]] = {}
    level = validation.plan.level
    frozen = [sample for sample in samples(validation) if sample.out_of_fold is None]
    for sample in sorted(frozen, key=lambda one: one.validation == "apparent"):
        for horizon, curve in _curves(sample.predictions, level):
            if not np.isnan(curve.auc.estimate):
                place = Sampled(sample.cohort, sample.validation, horizon)
                found.setdefault(place, {})[sample.model] = curve
    return RocCurves(curves=found, outcome=validation.outcome)


def _curves(p: Predictions, level: float) -> list[tuple[float | None, RocCurve]]:
    if not is_survival(p.y):
        return [(None, roc_curve(p.y, p.linear_predictor, level=level))]
    time, event = p.y["time"], p.y["event"]
    return [
        (horizon, roc_curve_at(time, event, p.ranking(j), horizon=horizon, level=level))
        for j, horizon in enumerate(p.horizons)
    ]
