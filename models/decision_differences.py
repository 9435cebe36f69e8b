"""Where along the thresholds one model is worth more than another, in the same patients.

The difference of two decision curves is paired: both models meet the same patients, folds and
bootstrap draws, and what treating all or none is worth cancels. Intervals are pointwise: one that
leaves out 0 at one threshold is no test of the whole curve. Considered and rejected: a band
for all thresholds at once, because a decision is made at one.

References
----------
Vickers AJ, Cronin AM, Elkin EB, Gonen M. Extensions to decision curve analysis. BMC Medical
Informatics and Decision Making 2008;8:53. doi:10.1186/1472-6947-8-53
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.comparison import Pair, check_reference, net_benefits, pairs_of
from models.decision import Setting
from models.evaluation import rows_drawn
from models.performance import band
from models.validation import Plan, Validation
from omics.outcome import Outcome
from omics.parallel import in_parallel

COLUMNS = [
    *("model", "reference", "cohort", "validation", "horizon", "threshold"),
    *("difference", "lower", "upper", "n_patients"),
]


@dataclass(frozen=True, eq=False, kw_only=True)
class DecisionDifferences:
    """Net benefit of each model less that of one of them, over the thresholds.

    Attributes
    ----------
    table : DataFrame, one row per model, cohort, horizon and threshold
        Columns as in `COLUMNS`: `difference` in true positives per patient, with the ends of its
        pointwise percentile interval; `n_patients` are those that both models predict.
    reference : str
    outcome : Outcome
    level : float
    n_draws : int
    seed : int
    """

    table: pd.DataFrame
    reference: str
    outcome: Outcome
    level: float
    n_draws: int
    seed: int

    def __repr__(self) -> str:
        n_models = self.table["model"].nunique()
        n_thresholds = self.table["threshold"].nunique()
        models = f"{n_models} model{'s' if n_models != 1 else ''}"
        return f"DecisionDifferences({models} less {self.reference!r}, {n_thresholds} thresholds)"


def decision_differences(
    validation: Validation,
    *,
    reference: str,
    thresholds: Iterable[float],
    setting: Setting | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> DecisionDifferences:
    """Subtract the decision curve of one model from those of the others.

    Parameters
    ----------
    validation : Validation
    reference : str
        Name of the model that is subtracted.
    thresholds : iterable of float in (0, 1)
    setting : Setting, optional
        Prevalence and harm, where net benefit is to know them.
    progress : callable(what, done, total), optional

    Returns
    -------
    DecisionDifferences
        Of development patients out of fold, and of each external cohort.

    Raises
    ------
    ValueError
        If no model has the name `reference`.
    """
    check_reference(validation.fitted, reference)
    plan, levels = validation.plan, np.asarray(list(thresholds), dtype=np.float64)
    place = Setting() if setting is None else setting
    others = [name for name in validation.fitted if name != reference]
    pairs = [pair for name in others for pair in pairs_of(validation, name, reference)]
    tasks = [partial(_curves, pair, plan, levels, place) for pair in pairs]
    tables = [pd.DataFrame(columns=COLUMNS)][: not tasks]
    for done, table in enumerate(in_parallel(tasks, n_jobs=plan.n_jobs), start=1):
        tables.append(table)
        if progress is not None:
            progress("differences of decision curves", done, len(tasks))
    return DecisionDifferences(
        table=pd.concat(tables, ignore_index=True)[COLUMNS],
        reference=reference,
        outcome=validation.outcome,
        level=plan.level,
        n_draws=plan.draws,
        seed=plan.seed,
    )


def _curves(pair: Pair, plan: Plan, levels: NDArray[np.float64], setting: Setting) -> pd.DataFrame:
    """Give the difference of one pair at every horizon, with its interval."""
    look = partial(net_benefits, levels, setting, pair)
    whole = [look(p, q) for p, q, _ in pair.views]
    draws = []
    for view, rows in rows_drawn([len(p.y) for p, _, _ in pair.views], plan):
        p, q, _ = pair.views[view]
        draws.append(look(p.take(rows), q.take(rows)))
    tables = []
    for j, horizon in enumerate(pair.views[0][0].horizons or (np.nan,)):
        found = band([one[j] for one in whole], [one[j] for one in draws], level=plan.level)
        ends = dict(zip(("difference", "lower", "upper"), found, strict=True))
        tables.append(
            pd.DataFrame({"threshold": levels, **ends}).assign(
                horizon=horizon, n_patients=len(pair.y), **pair.labels
            )
        )
    return pd.concat(tables, ignore_index=True)
