"""What tumour volume alone would have told: a baseline model, and what goes with volume.

The baseline takes one column, the first volume feature of the first radiomics table that has one,
as a restricted cubic spline with three knots, which takes up any smooth scale the table may use
(mm³, ml, z scores). What a signature, a factor or a model adds must be read beside it.

References
----------
Welch ML, et al. Vulnerabilities of radiomic signature development: the need for safeguards.
Radiotherapy and Oncology 2019;130:2-9. doi:10.1016/j.radonc.2018.10.027
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from models.cox import CoxModel
from models.evaluation import Sample, fold_rows, of_repeat, rows_drawn, samples
from models.logistic import LogisticModel
from models.pipeline import RiskPipeline, risk_pipeline
from models.scores import Interval, fold_interval, percentile_intervals
from models.validation import Plan, Validation
from omics.cohort import DEVELOPMENT, Cohort
from omics.errors import Finding
from omics.outcome import is_survival
from omics.radiomics import is_volume

VOLUME_MODEL = "Tumour volume"
VOLUME_CORRELATION = 0.7
LEAST_FOR_SPLINE = 20  # distinct values; with fewer the volume enters as it is
CORRELATIONS = [
    *("name", "model", "cohort", "validation", "correlation", "lower", "upper", "level"),
    *("n_patients", "method"),
]
_LEARNED = ("signature:", "factors:")
_FOLDS = (
    "mean of Spearman's correlation in {repeats} x {folds} held-out folds; corrected resampled t "
    "interval, approximate coverage"
)
_DRAWS = "Spearman's correlation; percentile bootstrap of patients, {draws} draws, values fixed"


def volume_feature(cohort: Cohort) -> str | None:
    """Find the column that is tumour volume: the first of the radiomics tables that varies.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    str or None
        `table:feature`; None if no radiomics table has a volume feature.
    """
    X = cohort.development.X
    radiomics = [view for view, kind in cohort.kinds.items() if kind == "radiomics"]
    for column in map(str, X.columns):
        view, _, feature = column.partition(":")
        if view in radiomics and is_volume(feature) and X[column].nunique() > 1:
            return column
    return None


def volume_pipeline(cohort: Cohort, column: str) -> RiskPipeline:
    """Build the baseline that knows tumour volume alone, not fitted.

    Parameters
    ----------
    cohort : Cohort
    column : str
        As `volume_feature` gives it. Where it is missing it is set to the median.

    Returns
    -------
    RiskPipeline
    """
    many = cohort.development.X[column].nunique() >= LEAST_FOR_SPLINE
    return risk_pipeline(
        [column],
        CoxModel() if is_survival(cohort.y) else LogisticModel(),
        splines={column: 3} if many else None,
        missing="median",
    )


def volume_correlations(validation: Validation, cohort: Cohort, column: str) -> pd.DataFrame:
    """Correlate every model but the baseline, every signature and factor with tumour volume.

    A model is its linear predictor (risk, of a stratified one), out of fold or in an external
    cohort; a signature or factor is the column that the frozen pipeline of all development patients
    makes of it. The sign of a factor is arbitrary. Patients without a volume, or without a
    prediction, are left out.

    Parameters
    ----------
    validation : Validation
    cohort : Cohort
        The one that was validated on.
    column : str
        The volume, as `volume_feature` gives it.

    Returns
    -------
    DataFrame, one row per model, signature or factor, and cohort
        Columns as in `CORRELATIONS`; `name` is the model, or the signature's or factor's column,
        and `model` the one that uses it.
    """
    parts = {DEVELOPMENT: cohort.development, **cohort.external}
    volumes = {label: part.X[column].to_numpy(dtype=np.float64) for label, part in parts.items()}
    plan = validation.plan
    rows = [
        _model_row(sample, volumes[sample.cohort], plan)
        for sample in samples(validation)
        if sample.validation != "apparent" and sample.model != VOLUME_MODEL
    ]
    return pd.DataFrame([*rows, *_learned_rows(validation, parts, volumes)], columns=CORRELATIONS)


def _model_row(sample: Sample, volume: NDArray[np.float64], plan: Plan) -> dict[str, object]:
    volume = volume[sample.positions]
    row = {"name": sample.model, **sample.labels, "level": plan.level}
    held_out = sample.out_of_fold
    if held_out is None:
        return row | _correlated(sample.predictions.ranking(), volume, plan)
    predicted = ~np.isnan(held_out.linear_predictor) & ~np.isnan(volume)
    found = np.array(
        [
            spearman(of_repeat(held_out, sample.predictions, repeat).ranking()[rows], volume[rows])
            for repeat, (fold, known) in enumerate(zip(held_out.fold, predicted, strict=True))
            for rows in fold_rows(fold, known)
        ]
    )
    interval = fold_interval(found, folds=plan.folds, level=plan.level)
    method = _FOLDS.format(repeats=plan.repeats, folds=plan.folds)
    return row | _cells(interval, int(predicted.any(axis=0).sum()), method)


def _learned_rows(
    validation: Validation,
    parts: dict[str, Cohort],
    volumes: dict[str, NDArray[np.float64]],
) -> Iterator[dict[str, object]]:
    """Take each signature and factor once, though several models may share it."""
    seen = set()
    for model, fitted in validation.fitted.items():
        for label, part in parts.items():
            table = fitted.pipeline.before_design(part.X)
            for name in (name for name in table.columns if str(name).startswith(_LEARNED)):
                values = table[name].to_numpy(dtype=np.float64)
                key = (name, label, values.tobytes())
                if key in seen:
                    continue
                seen.add(key)
                yield {
                    **{"name": name, "model": model, "cohort": label},
                    "validation": "apparent" if label == DEVELOPMENT else "external",
                    "level": validation.plan.level,
                    **_correlated(values, volumes[label], validation.plan),
                }


def _correlated(
    values: NDArray[np.float64], volume: NDArray[np.float64], plan: Plan
) -> dict[str, object]:
    """Correlate two columns where both are known, with a bootstrap interval."""
    known = np.flatnonzero(~(np.isnan(values) | np.isnan(volume)))
    values, volume = values[known], volume[known]
    draws = [{0: spearman(values[r], volume[r])} for _, r in rows_drawn([len(known)], plan)]
    estimate = spearman(values, volume)
    interval = percentile_intervals(draws, {0: estimate}, level=plan.level)[0]
    return _cells(interval, len(known), _DRAWS.format(draws=plan.draws))


def _cells(interval: Interval, n_patients: int, method: str) -> dict[str, object]:
    estimate, lower, upper = np.clip(interval, -1, 1)
    return {
        **{"correlation": estimate, "lower": lower, "upper": upper},
        **{"n_patients": n_patients, "method": method},
    }


def volume_findings(correlations: pd.DataFrame, column: str) -> Iterator[Finding]:
    """Say which model or signature is tumour volume in other words, in the development patients.

    Parameters
    ----------
    correlations : DataFrame
        As `volume_correlations` gives them.
    column : str
        The volume.
    """
    rows = correlations[
        (correlations["cohort"] == DEVELOPMENT)
        & ~correlations["name"].str.startswith("factors:")  # models.findings tells these
        & (correlations["correlation"].abs() >= VOLUME_CORRELATION)
    ]
    for row in rows.itertuples():
        yield Finding(
            code="volume_model",
            severity="caution",
            where=str(row.name),
            message=f"{str(row.name).removeprefix('signature:')} is mostly tumour volume: its rank "
            f"correlation with {column} is {row.correlation:.2f}. Read what it adds beside what "
            "volume alone predicts.",
        )


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's rank correlation; NaN with fewer than three patients or a constant column.

    Examples
    --------
    >>> spearman(np.array([1.0, 2.0, 4.0]), np.array([9.0, 8.0, 1.0]))
    -1.0
    """
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.clip(np.corrcoef(rankdata(a), rankdata(b))[0, 1], -1, 1))
