"""What a reader wants to see of a signature: scores by outcome, stability, what to beware of.

Development patients stand with the scores of fits that had not seen them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.signature import Signature
from models.validation import Validation
from omics.cohort import Cohort
from omics.errors import Finding
from omics.outcome import is_survival

STABLE = 0.5  # share of resamples in which a feature should be selected


@dataclass(frozen=True, eq=False, kw_only=True)
class SignatureSummary:
    """One signature of a study.

    Attributes
    ----------
    signature : Signature
        Fitted on all development patients.
    scores : Series
        Of every patient, by id: cross-fitted for development patients, frozen for others.
    waterfall : DataFrame, one row per development patient
        `rank` from 1, the lowest score; `score`, cross-fitted; `deviation` from the median of all;
        `event`, True where it was observed. Holds no id.
    by_outcome : DataFrame, one row per horizon and group
        `horizon` (NaN for a binary outcome), `event` (observed by the horizon), `n_patients`, and
        `minimum`, `q1`, `median`, `q3`, `maximum` of the cross-fitted score; `n_unknown`, patients
        censored before the horizon, who are left out.
    selection : DataFrame
        As in `models.validation.Validation`.
    """

    signature: Signature
    scores: pd.Series
    waterfall: pd.DataFrame
    by_outcome: pd.DataFrame
    selection: pd.DataFrame

    def __repr__(self) -> str:
        return (
            f"SignatureSummary({self.signature.name!r}, {len(self.signature.coef_)} features, "
            f"{self.signature.n_patients_} patients)"
        )


def signature_summaries(validation: Validation, cohort: Cohort) -> dict[str, SignatureSummary]:
    """Summarise each signature, by name; models that share one share its summary.

    Parameters
    ----------
    validation : Validation
    cohort : Cohort
        The one that was validated on.

    Returns
    -------
    dict of name to SignatureSummary
    """
    found: dict[str, SignatureSummary] = {}
    for model, fitted in validation.fitted.items():
        for signature in fitted.pipeline.signatures:
            if signature.name in found:
                continue
            rows = validation.selection
            mine = (rows["model"] == model) & (rows["signature"] == signature.name)
            scores = signature.cross_fitted_.iloc[:, 0]
            others = [
                signature.transform(fitted.pipeline.cleaned(part.X)).iloc[:, 0]
                for part in cohort.external.values()
            ]
            values = scores.to_numpy()
            found[signature.name] = SignatureSummary(
                signature=signature,
                scores=pd.concat([scores, *others]),
                waterfall=waterfall(values, validation.y),
                by_outcome=score_by_outcome(
                    values, validation.y, horizons=validation.outcome.horizons
                ),
                selection=rows[mine].reset_index(drop=True),
            )
    return found


def waterfall(score: NDArray[np.float64], y: NDArray[Any]) -> pd.DataFrame:
    """Sort patients by score.

    Examples
    --------
    >>> waterfall(np.array([2.0, 0.0, 5.0]), np.array([True, False, True])).values.tolist()
    [[1, 0.0, -2.0, False], [2, 2.0, 0.0, True], [3, 5.0, 3.0, True]]
    """
    event = y["event"] if is_survival(y) else y
    order = np.argsort(score, kind="stable")
    return pd.DataFrame(
        {
            "rank": np.arange(1, len(score) + 1),
            "score": score[order],
            "deviation": score[order] - np.median(score),
            "event": event[order],
        }
    )


def score_by_outcome(
    score: NDArray[np.float64], y: NDArray[Any], *, horizons: tuple[float, ...]
) -> pd.DataFrame:
    """Give range and quartiles of the score with and without the event.

    Parameters
    ----------
    score : ndarray of shape (n_patients,)
    y : ndarray of shape (n_patients,)
    horizons : tuple of float
        Of a survival outcome; empty for a binary one.

    Returns
    -------
    DataFrame
        As in `SignatureSummary.by_outcome`; a group without patients is left out.

    Examples
    --------
    >>> from omics.outcome import survival_outcome
    >>> y = survival_outcome([3.0, 8.0, 2.0], [True, True, False])
    >>> table = score_by_outcome(np.array([1.0, 0.5, 9.0]), y, horizons=(5.0,))
    >>> table[["event", "n_patients", "median", "n_unknown"]].values.tolist()
    [[False, 1, 0.5, 1], [True, 1, 1.0, 1]]
    """
    rows = []
    for horizon in horizons or (np.nan,):
        if is_survival(y):
            event = y["event"] & (y["time"] <= horizon)
            known = event | (y["time"] > horizon)
        else:
            event, known = y.astype(np.bool_), np.ones(len(y), dtype=np.bool_)
        for observed in (False, True):
            values = score[known & (event == observed)]
            if len(values):
                quartiles = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
                rows.append((horizon, observed, len(values), *quartiles, int((~known).sum())))
    return pd.DataFrame(
        rows,
        columns=[
            *("horizon", "event", "n_patients"),
            *("minimum", "q1", "median", "q3", "maximum", "n_unknown"),
        ],
    )


def signature_findings(validation: Validation) -> list[Finding]:
    """Tell of signatures that select nothing, or something else in every resample."""
    found = []
    for model, fitted in validation.fitted.items():
        for signature in fitted.pipeline.signatures:
            rows = validation.selection
            mine = rows[(rows["model"] == model) & (rows["signature"] == signature.name)]
            found += _selection_findings(signature, mine)
    return found


def _selection_findings(signature: Signature, selection: pd.DataFrame) -> list[Finding]:
    features = signature.coef_["feature"]
    if not len(features):
        return [
            Finding(
                code="nothing_selected",
                severity="serious",
                where=signature.name,
                message=f"The signature selected none of the features offered (rule "
                f"{signature.rule}): no penalty was better than none of them by more than chance. "
                "It gives every patient the same score, and a model that takes it does without it.",
            )
        ]
    share = selection.set_index("feature")["share"].reindex(features, fill_value=0.0)
    seldom = int((share < STABLE).sum())
    empty = int(selection["empty"].max()) if len(selection) else 0
    resamples = int(selection["resamples"].max()) if len(selection) else 0
    found = []
    if empty:
        found.append(
            Finding(
                code="nothing_selected_in_resamples",
                severity="caution",
                where=signature.name,
                message=f"In {empty} of {resamples} resamples the signature selected no feature: "
                "that it finds any hangs on which patients are in.",
            )
        )
    if seldom:
        found.append(
            Finding(
                code="unstable_signature",
                severity="caution",
                where=signature.name,
                message=f"{seldom} of {len(features)} selected features were selected in fewer "
                f"than half of {resamples} resamples: other patients would have given another "
                "formula. Read the score as a whole, not its features one by one.",
            )
        )
    return found
