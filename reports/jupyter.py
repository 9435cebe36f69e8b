"""How a notebook shows a section: as the page would, in a frame of its own.

A frame keeps the report's style and scripts from meeting the notebook's, so a section looks the
same in both. Considered and rejected: bare HTML in the cell, because its style sheet would reach
the notebook, and the two would share one plotly.
"""

from collections.abc import Callable, Iterable
from html import escape
from typing import Any

from models.assumptions import Assumptions
from models.calibration_curves import Calibration
from models.calibration_groups import CalibrationGroups
from models.centre_prediction import CentrePrediction
from models.classification import Classification
from models.classified import ClassifiedModels
from models.comparison import Comparison
from models.competing_description import CompetingDescription
from models.competing_risks import CumulativeIncidence
from models.corrected_calibration import CorrectedCalibration
from models.decision import DecisionCurve
from models.decision_differences import DecisionDifferences
from models.description import TableOne
from models.external_tests import ExternalTests
from models.follow_up import FollowUp
from models.gray import GrayTest
from models.grouped_calibration import GroupedCalibration
from models.harmonisation import Harmonisation
from models.hosmer_lemeshow import HosmerLemeshow, HosmerLemeshowTests
from models.log_rank import LogRank
from models.nomogram import Nomogram
from models.optimism import Optimism
from models.performance import Performance
from models.reclassification import Reclassification, Reclassifications
from models.regression_tables import RegressionTable
from models.repeatability import Repeatability
from models.restricted_mean import RestrictedMean
from models.roc import RocCurve
from models.roc_curves import RocCurves
from models.signature import Signature
from models.subgroups import Subgroups
from models.survival_curves import KaplanMeier
from models.survival_description import StudySurvival, SurvivalSummary
from models.transductive import TransductiveOptimism
from models.updating import Updating
from models.volume_surrogates import VolumeSurrogates
from omics.bland_altman import BlandAltman
from omics.cohort import Cohort
from omics.extraction import Extraction
from omics.mask_agreement import MaskAgreement
from omics.mofa import FactorModel
from omics.n_factors import HeldOutError
from omics.reliability import Reliability
from omics.saved_factors import SavedFactors
from omics.stability import FactorStability
from reports.added_value_sections import comparison_blocks
from reports.assumption_sections import assumption_blocks
from reports.blocks import Block, Figure, Page, Section
from reports.calibration_sections import (
    group_blocks,
    grouped_blocks,
    hosmer_lemeshow_blocks,
    own_test_blocks,
)
from reports.classification_section import classified_blocks, one_classification
from reports.competing_section import competing_blocks
from reports.decision_sections import difference_blocks
from reports.external_sections import paired_test_block
from reports.extraction_section import extraction_page
from reports.factor_quality_sections import (
    n_factors_blocks,
    stability_blocks,
    transductive_blocks,
)
from reports.factor_sections import saved_factors_blocks
from reports.figures.calibration import draw_calibration
from reports.figures.decision_curve import draw_decision_curve
from reports.figures.roc import draw_roc
from reports.harmonisation_sections import centre_prediction_blocks, harmonisation_blocks
from reports.html import render
from reports.model_sections import comparison_section, nomogram_blocks
from reports.optimism_sections import array_optimism_blocks, corrected_calibration_blocks
from reports.reclassification_sections import (
    own_reclassification_blocks,
    reclassification_blocks,
)
from reports.regression_section import regression_block
from reports.repeatability_sections import (
    bland_altman_blocks,
    mask_agreement_blocks,
    reliability_blocks,
    repeatability_blocks,
)
from reports.results import Results
from reports.roc_section import roc_blocks
from reports.sections import factor_model_blocks, flow_section, page_of
from reports.signature_sections import signature_blocks
from reports.subgroup_sections import subgroups_section
from reports.survival_blocks import (
    follow_up_blocks,
    incidence_blocks,
    kaplan_meier_blocks,
    rank_test_blocks,
    restricted_mean_blocks,
    summary_blocks,
)
from reports.survival_section import survival_section
from reports.table_one import table_one_blocks
from reports.tables import format_number
from reports.updating_sections import updating_blocks
from reports.volume_section import volume_blocks


def notebook_html(part: Section | Page) -> str:
    """Return a section or a page as HTML for the output of a notebook's cell.

    Parameters
    ----------
    part : Section or Page

    Returns
    -------
    str
        One iframe; plotly stands in it once.
    """
    page = part if isinstance(part, Page) else Page(title="", sections=(part,))
    document = escape(render(page, framed=True), quote=True)
    return (
        '<iframe style="width:100%;height:640px;border:0;background:#fff" '
        f'title="{escape(page.title or page.sections[0].title, quote=True)}" '
        f'srcdoc="{document}"></iframe>'
    )


def drawn(result: Any) -> Section | Page:
    """Arrange one result as the report would.

    Parameters
    ----------
    result : one of those in `DRAWN`

    Returns
    -------
    Section or Page
    """
    for kind, draw in DRAWN.items():
        if isinstance(result, kind):
            return draw(result)
    raise TypeError(f"result must be one of {NAMES}, but is a {type(result).__name__}.")


def _calibration_section(result: Calibration) -> Section:
    figure = draw_calibration(result.table, label="observed", horizon=result.horizon)
    block = Figure(figure=figure, title=f"Calibration, ICI {format_number(result.ici)}.")
    return Section(id="calibration", title="Calibration", blocks=[block])


def _decision_section(result: DecisionCurve) -> Section:
    figure = draw_decision_curve({"Model": result.table}, horizon=result.horizon)
    block = Figure(figure=figure, title="Decision curve.")
    return Section(id="decision", title="Decision curve", blocks=[block])


def _roc_section(result: RocCurve) -> Section:
    auc = result.auc
    figure = draw_roc(
        {"Model": result.table}, areas={"Model": (auc.estimate, auc.lower, auc.upper)}
    )
    return Section(id="roc", title="ROC curve", blocks=[Figure(figure=figure, title="ROC curve.")])


def _of_blocks(
    title: str, blocks: Callable[[Any], Iterable[Block]]
) -> Callable[[Any], Section | Page]:
    return lambda result: Section(
        id=title.casefold().replace(" ", "-"), title=title, blocks=list(blocks(result))
    )


DRAWN: dict[type, Callable[[Any], Section | Page]] = {
    Results: page_of,
    Cohort: flow_section,
    Extraction: extraction_page,
    TableOne: _of_blocks("Patients", table_one_blocks),
    KaplanMeier: _of_blocks("Survival", kaplan_meier_blocks),
    CumulativeIncidence: _of_blocks("Cumulative incidence", incidence_blocks),
    SurvivalSummary: _of_blocks("Follow-up and survival", summary_blocks),
    StudySurvival: survival_section,
    CompetingDescription: _of_blocks("Cumulative incidence", competing_blocks),
    FollowUp: _of_blocks("Follow-up", follow_up_blocks),
    RestrictedMean: _of_blocks("Restricted mean", restricted_mean_blocks),
    LogRank: _of_blocks("Log-rank test", rank_test_blocks),
    GrayTest: _of_blocks("Test of cumulative incidence", rank_test_blocks),
    Performance: comparison_section,
    Comparison: _of_blocks("Added value", comparison_blocks),
    Subgroups: subgroups_section,
    FactorModel: _of_blocks("Factors", factor_model_blocks),
    FactorStability: _of_blocks("Stability of factors", stability_blocks),
    HeldOutError: _of_blocks("Number of factors", n_factors_blocks),
    TransductiveOptimism: _of_blocks("Transductive factors", transductive_blocks),
    SavedFactors: _of_blocks("Factors", saved_factors_blocks),
    Reliability: _of_blocks("Repeatability", reliability_blocks),
    Repeatability: _of_blocks("Repeatability", repeatability_blocks),
    MaskAgreement: _of_blocks("Agreement of masks", mask_agreement_blocks),
    BlandAltman: _of_blocks("Bland-Altman", bland_altman_blocks),
    Harmonisation: _of_blocks("Harmonisation", harmonisation_blocks),
    CentrePrediction: _of_blocks("Prediction of the centre", centre_prediction_blocks),
    Signature: _of_blocks("Signature", signature_blocks),
    Assumptions: _of_blocks("Assumptions", assumption_blocks),
    RegressionTable: _of_blocks("Regression table", lambda found: [regression_block(found)]),
    Nomogram: _of_blocks("Nomogram", nomogram_blocks),
    Calibration: _calibration_section,
    CorrectedCalibration: _of_blocks("Calibration", corrected_calibration_blocks),
    Optimism: _of_blocks("Optimism", array_optimism_blocks),
    CalibrationGroups: _of_blocks("Calibration by groups", group_blocks),
    GroupedCalibration: _of_blocks("Calibration of every model", grouped_blocks),
    HosmerLemeshow: _of_blocks("Hosmer-Lemeshow test", own_test_blocks),
    HosmerLemeshowTests: _of_blocks("Hosmer-Lemeshow tests", hosmer_lemeshow_blocks),
    DecisionCurve: _decision_section,
    Reclassification: _of_blocks("Reclassification", own_reclassification_blocks),
    Reclassifications: _of_blocks("Reclassification", reclassification_blocks),
    DecisionDifferences: _of_blocks("Differences of decision curves", difference_blocks),
    Updating: _of_blocks("Updating", updating_blocks),
    VolumeSurrogates: _of_blocks("Volume", volume_blocks),
    ExternalTests: _of_blocks("Paired tests", paired_test_block),
    RocCurves: _of_blocks("ROC curves", roc_blocks),
    RocCurve: _roc_section,
    Classification: _of_blocks("Classification", one_classification),
    ClassifiedModels: _of_blocks("Classification", classified_blocks),
}
NAMES = ", ".join(kind.__name__ for kind in DRAWN)


def register(shell: Any) -> None:
    """Teach a notebook to draw results, sections and pages as HTML.

    Parameters
    ----------
    shell : InteractiveShell
        What `%load_ext reports` hands to the loader.
    """
    formatter = shell.display_formatter.formatters["text/html"]
    formatter.for_type(Section, notebook_html)
    formatter.for_type(Page, notebook_html)
    for kind in DRAWN:
        formatter.for_type(kind, _result_html)


def _result_html(result: Any) -> str | None:
    """Draw a result; what is not fitted yet has nothing to show."""
    if isinstance(result, FactorModel) and not hasattr(result, "loadings_"):
        return None
    if isinstance(result, Signature) and not hasattr(result, "coef_"):
        return None
    return notebook_html(drawn(result))
