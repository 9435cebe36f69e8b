"""What each kind of table adds: every model against one of them, and against tumour volume."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from models.comparison import Comparison, compare
from models.decision import Setting
from models.decision_differences import DecisionDifferences, decision_differences
from models.external_tests import ExternalTests, external_tests
from models.lost_views import lost_views
from models.pipeline import RiskPipeline
from models.reclassification import Reclassifications, reclassifications
from models.validation import Validation
from models.volume import CORRELATIONS, VOLUME_MODEL, volume_correlations, volume_pipeline
from omics.cohort import Cohort
from omics.parallel import Progress


@dataclass(frozen=True, kw_only=True)
class AddedValue:
    """What the models of a study are compared with.

    Attributes
    ----------
    reference : str
        A model.
    thresholds : sequence of float, optional
        Threshold probabilities at which net benefit is compared; by default each tenth within the
        range of the decision curves.
    reclassification : bool
        Whether to give NRI and IDI, with their warning.
    categories : sequence of float
        Thresholds between categories of risk; without them there is no category NRI.
    """

    reference: str
    thresholds: Sequence[float] | None = None
    reclassification: bool = False
    categories: Sequence[float] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class AddedValueResults:
    """What each model adds to one of them.

    Attributes
    ----------
    comparison : Comparison
    tests : ExternalTests
        Paired tests in external cohorts.
    decision : DecisionDifferences
        Of the decision curves, over all their thresholds.
    thresholds : tuple of float
        At which net benefit is compared.
    lost : DataFrame
        Patients who lack a table that a model uses; see `models.lost_views`.
    volume : str or None
        The column that is tumour volume.
    correlations : DataFrame
        Of models, signatures and factors with it; see `models.volume`. Empty without a volume.
    reclassification : Reclassifications or None
        None where it is not asked for.
    """

    comparison: Comparison
    tests: ExternalTests
    decision: DecisionDifferences
    thresholds: tuple[float, ...]
    lost: pd.DataFrame
    volume: str | None
    correlations: pd.DataFrame
    reclassification: Reclassifications | None = None

    def __repr__(self) -> str:
        return f"AddedValueResults({self.comparison!r}, volume {self.volume})"


def with_volume(
    pipelines: Mapping[str, RiskPipeline], cohort: Cohort, volume: str | None
) -> Mapping[str, RiskPipeline]:
    """Add the model that knows tumour volume alone, unless one of its name is there."""
    if volume is None or VOLUME_MODEL in pipelines:
        return pipelines
    return {**pipelines, VOLUME_MODEL: volume_pipeline(cohort, volume)}


def added_value(
    validation: Validation,
    cohort: Cohort,
    *,
    asked: AddedValue,
    curve: Sequence[float],
    setting: Setting,
    volume: str | None,
    progress: Progress | None = None,
) -> AddedValueResults:
    """Compare every model with the reference, and with tumour volume.

    Parameters
    ----------
    validation : Validation
    cohort : Cohort
        The one that was validated on.
    asked : AddedValue
    curve : sequence of float
        Threshold probabilities of the decision curves.
    setting : Setting
        Prevalence and harm, for net benefit.
    volume : str or None
        The column that is tumour volume.
    progress : callable(what, done, total), optional

    Returns
    -------
    AddedValueResults
    """
    thresholds = asked.thresholds or tenths(curve[0], curve[-1])
    compared = partial(
        compare, validation, cohort, reference=asked.reference, thresholds=thresholds
    )
    differences = partial(
        decision_differences, validation, reference=asked.reference, thresholds=curve
    )
    return AddedValueResults(
        comparison=compared(setting=setting, progress=progress),
        tests=external_tests(validation, reference=asked.reference),
        decision=differences(setting=setting, progress=progress),
        thresholds=tuple(thresholds),
        lost=lost_views(validation, cohort),
        volume=volume,
        correlations=pd.DataFrame(columns=CORRELATIONS)
        if volume is None
        else volume_correlations(validation, cohort, volume),
        reclassification=reclassifications(
            validation,
            reference=asked.reference,
            categories=asked.categories,
            progress=progress,
        )
        if asked.reclassification
        else None,
    )


def tenths(low: float, high: float) -> list[float]:
    """Each tenth from `low` to `high`; the two themselves where there is none between.

    Examples
    --------
    >>> tenths(0.05, 0.35), tenths(0.01, 0.05)
    ([0.1, 0.2, 0.3], [0.01, 0.05])
    """
    found = [tenth / 10 for tenth in range(1, 10) if low <= tenth / 10 <= high]
    return found or [low, high]
