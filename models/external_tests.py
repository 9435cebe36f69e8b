"""How sure the figures of frozen models in another cohort are, and their differences, by formula.

Each figure has the standard error of `models.standard_errors`, `models.roc` and
`models.relative_accuracy`; two models in the same patients are compared by
`models.measured.paired_difference`. For a binary outcome that is DeLong's test of two AUCs; by a
horizon it is the test of riskRegression's ``Score(contrasts = TRUE)``, for C that of R's
``survival::concordance``.

These tests take the models as fixed. So they hold in external cohorts and nowhere else: out of
fold, models of different folds are fitted to overlapping patients and vary with them, which the
formulas do not count (Bengio and Grandvalet). In the development patients themselves DeLong's test
of nested models is not even valid without that (Demler et al.); frozen models whose coefficients
came from others have no such trouble.

P values are not adjusted for the number of models and figures.

References
----------
DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas under two or more correlated receiver
operating characteristic curves. Biometrics 1988;44:837-845. doi:10.2307/2531595
Demler OV, Pencina MJ, D'Agostino RB. Misuse of DeLong test to compare AUCs for nested models.
Statistics in Medicine 2012;31:2577-2587. doi:10.1002/sim.5328
Bengio Y, Grandvalet Y. No unbiased estimator of the variance of K-fold cross-validation. Journal of
Machine Learning Research 2004;5:1089-1105.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.comparison import check_reference, pairs_of
from models.measured import Measured, paired_difference
from models.relative_accuracy import measured_ipa, measured_ipa_at
from models.roc import measured_brier, measured_roc_auc
from models.scores import Key, Predictions
from models.standard_errors import (
    measured_auc_at,
    measured_brier_at,
    measured_c_index,
    measured_c_index_uno,
)
from models.validation import Validation
from omics.outcome import Outcome, is_survival

FIGURES = [
    *("model", "cohort", "metric", "horizon", "estimate", "standard_error"),
    *("lower", "upper", "level", "n_patients", "n_events"),
]
TESTS = [
    *("model", "reference", "cohort", "metric", "horizon", "difference", "standard_error"),
    *("lower", "upper", "level", "z", "p_value", "n_patients", "n_events", "n_left_out"),
]


@dataclass(frozen=True, eq=False, kw_only=True)
class ExternalFigures:
    """Figures of frozen models in external cohorts, with standard errors.

    Attributes
    ----------
    table : DataFrame, one row per model, cohort, metric and horizon
        Columns as in `FIGURES`; `lower` and `upper` are Wald's; `n_events` counts those by the
        horizon, all where a metric has none. Empty without an external cohort.
    outcome : Outcome
    """

    table: pd.DataFrame
    outcome: Outcome

    def __repr__(self) -> str:
        return f"ExternalFigures({_models(self.table)}, {len(self.table)} figures)"


@dataclass(frozen=True, eq=False, kw_only=True)
class ExternalTests:
    """Paired tests of frozen models against one of them in external cohorts.

    Attributes
    ----------
    table : DataFrame, one row per model, cohort, metric and horizon
        Columns as in `TESTS`: `difference` is the model's figure less the reference's, in the
        patients that both predict; `n_left_out` counts the others. `z` and `p_value` are NaN where
        the two cannot be told apart. Empty without an external cohort.
    reference : str
    outcome : Outcome
    """

    table: pd.DataFrame
    reference: str
    outcome: Outcome

    def __repr__(self) -> str:
        return f"ExternalTests({_models(self.table)} against {self.reference!r})"


def external_figures(validation: Validation) -> ExternalFigures:
    """Measure every model in every external cohort.

    Parameters
    ----------
    validation : Validation

    Returns
    -------
    ExternalFigures
        Of the patients whom each model predicts.
    """
    level = validation.plan.level
    rows = [
        {"model": model, "cohort": cohort, **one.table.iloc[0], **_sizes(one)}
        for cohort, models in validation.external.items()
        for model, found in models.items()
        for one in measured_figures(found.known(), level=level).values()
    ]
    table = pd.DataFrame(rows, columns=FIGURES)
    return ExternalFigures(table=table, outcome=validation.outcome)


def external_tests(validation: Validation, *, reference: str) -> ExternalTests:
    """Test every model against one of them in every external cohort.

    Parameters
    ----------
    validation : Validation
    reference : str
        Name of the model that the others are compared with.

    Returns
    -------
    ExternalTests

    Raises
    ------
    ValueError
        If no model has the name `reference`.
    """
    check_reference(validation.fitted, reference)
    level, rows = validation.plan.level, []
    for model in validation.fitted:
        if model == reference:
            continue
        for pair in pairs_of(validation, model, reference):
            if pair.labels["validation"] != "external":
                continue
            ((p, q, _),) = pair.views
            theirs = measured_figures(q, level=level)
            for key, ours in measured_figures(p, level=level).items():
                test = vars(paired_difference(ours, theirs[key]))
                rows.append({**pair.labels, **test, "n_left_out": pair.n_left_out})
    table = pd.DataFrame(rows, columns=TESTS)
    return ExternalTests(table=table, reference=reference, outcome=validation.outcome)


def measured_figures(p: Predictions, *, level: float) -> dict[Key, Measured]:
    """Measure discrimination and accuracy of one set of predictions.

    Parameters
    ----------
    p : Predictions
        Of frozen models; empty ones have no figures.
    level : float
        Of the intervals.

    Returns
    -------
    dict of Key to Measured
        The figures of `models.scores.ranking_scores`, in its order.
    """
    if not len(p.y):
        return {}
    if not is_survival(p.y):
        found = [
            measured_roc_auc(p.y, p.linear_predictor, level=level),
            measured_brier(p.y, p.risk[:, 0], level=level),
            measured_ipa(p.y, p.risk[:, 0], level=level),
        ]
        return {Key(one.metric, np.nan): one for one in found}
    time, event = p.y["time"], p.y["event"]
    found = [measured_c_index(time, event, p.ranking(), level=level)]
    for j, horizon in enumerate(p.horizons):
        risk, score = p.risk[:, j], p.ranking(j)
        found += [
            measured_c_index_uno(time, event, score, tau=horizon, level=level),
            measured_auc_at(time, event, score, horizon=horizon, level=level),
            measured_brier_at(time, event, risk, horizon=horizon, level=level),
            measured_ipa_at(time, event, risk, horizon=horizon, level=level),
        ]
    return {Key(one.metric, one.horizon): one for one in found}


def _sizes(one: Measured) -> dict[str, int]:
    return {"n_patients": one.n_patients, "n_events": one.n_events}


def _models(table: pd.DataFrame) -> str:
    number = table["model"].nunique()
    return f"{number} model{'s' if number != 1 else ''}"
