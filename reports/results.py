"""Everything a report shows, as it was computed."""

from dataclasses import dataclass, field

import pandas as pd

from models.assumptions import Assumptions
from models.classified import ClassifiedModels
from models.competing_description import CompetingDescription
from models.description import TableOne
from models.external_tests import ExternalFigures
from models.grouped_calibration import GroupedCalibration
from models.harmonisation import Harmonisation
from models.hosmer_lemeshow import HosmerLemeshowTests
from models.nomogram import Nomogram
from models.performance import Performance
from models.regression_tables import RegressionTable
from models.repeatability import Repeatability
from models.roc_curves import RocCurves
from models.signature_summary import SignatureSummary
from models.subgroups import Subgroups
from models.survival_description import StudySurvival
from models.updating import Updating
from models.validation import Validation
from models.volume_surrogates import VolumeSurrogates
from omics.cohort import Cohort
from omics.errors import Finding
from reports.about import About
from reports.added_value import AddedValueResults
from reports.factor_quality import FactorQuality
from reports.factor_results import FactorResults


@dataclass(frozen=True, eq=False, kw_only=True)
class Results:
    """Everything a report shows.

    Attributes
    ----------
    about : About
    cohort : Cohort
    validation : Validation
    performance : Performance
    coefficients : dict of model to DataFrame
        Coefficients of a regression, importances of boosted trees.
    nomograms : dict of model to Nomogram
    factors : FactorResults or None
    factor_quality : FactorQuality or None
        None without factors.
    signatures : dict of name to SignatureSummary
    table_one : TableOne
    missing : DataFrame
    added_value : AddedValueResults or None
    classified : ClassifiedModels or None
        None without thresholds to classify at.
    external : ExternalFigures or None
        Figures with standard errors in external cohorts; None without one.
    roc : RocCurves or None
        Of external cohorts, and apparent.
    updating : dict of model to Updating
        Of the models asked for; a model that cannot be updated stands in the findings.
    subgroups : Subgroups or None
        None without a centre and without a declared subgroup.
    survival : StudySurvival or None
        None for a binary outcome.
    predictor_gaps : DataFrame
        Predictors that are missing, by model and cohort; see `models.gaps`.
    assumptions : dict of model to Assumptions
        Of Cox and logistic models with a coefficient; empty if not asked for.
    findings : list of Finding
        The serious first.
    versions : dict of package to version
    competing : CompetingDescription, optional
        Of a study that declares a competing event.
    regressions : dict of model to RegressionTable
        Each predictor of a regression alone and beside the others.
    grouped_calibration : GroupedCalibration or None
        None where no groups are asked for.
    hosmer_lemeshow : HosmerLemeshowTests or None
        None where it is not asked for.
    harmonisation : dict of table to Harmonisation
        Empty where no model harmonises.
    repeatability : dict of table to Repeatability
        Of the tables whose features a filter judges by their repeats.
    volume_surrogates : VolumeSurrogates or None
        None where no radiomics table has a volume.
    study : dict
        The study file as understood; empty where the analysis was called by hand.
    inputs : DataFrame
        `table`, `cohort`, `file` (its name), `sha256`; empty likewise.
    """

    about: About
    cohort: Cohort
    validation: Validation
    performance: Performance
    coefficients: dict[str, pd.DataFrame]
    nomograms: dict[str, Nomogram]
    factors: FactorResults | None
    signatures: dict[str, SignatureSummary]
    table_one: TableOne
    missing: pd.DataFrame
    predictor_gaps: pd.DataFrame
    findings: list[Finding]
    versions: dict[str, str]
    added_value: AddedValueResults | None = None
    classified: ClassifiedModels | None = None
    external: ExternalFigures | None = None
    roc: RocCurves | None = None
    updating: dict[str, Updating] = field(default_factory=dict)
    subgroups: Subgroups | None = None
    survival: StudySurvival | None = None
    competing: CompetingDescription | None = None
    factor_quality: FactorQuality | None = None
    assumptions: dict[str, Assumptions] = field(default_factory=dict)
    regressions: dict[str, RegressionTable] = field(default_factory=dict)
    grouped_calibration: GroupedCalibration | None = None
    hosmer_lemeshow: HosmerLemeshowTests | None = None
    repeatability: dict[str, Repeatability] = field(default_factory=dict)
    harmonisation: dict[str, Harmonisation] = field(default_factory=dict)
    volume_surrogates: VolumeSurrogates | None = None
    study: dict[str, object] = field(default_factory=dict)
    inputs: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __repr__(self) -> str:
        return f"Results({self.about.title!r}, {self.cohort!r}, {len(self.findings)} findings)"
