"""ROC curves of a validation, and how a report draws them."""

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest

from models.cox import CoxModel
from models.logistic import LogisticModel
from models.pipeline import risk_pipeline
from models.roc import roc_curve, roc_curve_at
from models.roc_curves import RocCurves, Sampled, roc_curves
from models.validation import Plan, Validation, validate
from omics.cohort import DEVELOPMENT
from reports.blocks import Figure, FigureGrid, Section
from reports.figures.roc import draw_roc
from reports.jupyter import drawn
from reports.roc_section import roc_blocks
from reports.tables import format_estimate
from tests.made_cohorts import made_cohort

PLAN = Plan(folds=2, repeats=1, bootstrap=0, draws=20, seed=5)
BINARY: Validation = validate(
    {
        "age": risk_pipeline(["clinical:Age"], LogisticModel()),
        "image <b>": risk_pipeline(["mri:f0", "mri:f1"], LogisticModel()),
    },
    made_cohort(140, external=50, seed=4, kind="binary"),
    plan=PLAN,
)
SURVIVAL: Validation = validate(
    {"age": risk_pipeline(["clinical:Age"], CoxModel())},
    made_cohort(150, external=50, seed=3),
    plan=PLAN,
)


@pytest.fixture(scope="module")
def found() -> RocCurves:
    return roc_curves(BINARY)


def only(found: RocCurves) -> Figure | FigureGrid:
    (block,) = roc_blocks(found)
    return block


def test_curves_are_those_of_one_fit_with_delongs_interval(found: RocCurves) -> None:
    ((cohort, models),) = BINARY.external.items()
    assert list(found.curves) == [
        Sampled(cohort, "external", None), Sampled(DEVELOPMENT, "apparent", None)
    ]  # fmt: skip
    p = models["age"]
    expected = roc_curve(p.y, p.linear_predictor)
    ours = found.curves[Sampled(cohort, "external", None)]["age"]
    assert (ours.auc.lower, ours.auc.upper) == (expected.auc.lower, expected.auc.upper)
    np.testing.assert_array_equal(ours.table, expected.table)
    assert repr(found) == "RocCurves(4 curves, 2 samples)"


def test_by_a_horizon() -> None:
    found = roc_curves(SURVIVAL)
    ((cohort, models),) = SURVIVAL.external.items()
    p = models["age"]
    for horizon in SURVIVAL.outcome.horizons:
        expected = roc_curve_at(p.y["time"], p.y["event"], p.linear_predictor, horizon=horizon)
        ours = found.curves[Sampled(cohort, "external", horizon)]["age"]
        assert ours.auc.lower == expected.auc.lower
    block = only(found)
    assert isinstance(block, FigureGrid)
    horizons = SURVIVAL.outcome.horizons
    middle = horizons[len(horizons) // 2]
    assert block.panels[0].title == f"{cohort} (external), by {middle:g} months"
    assert "influence functions" in block.caption


def test_a_sample_without_a_class_has_no_curve() -> None:
    ((cohort, models),) = BINARY.external.items()
    none = {name: p.take(np.flatnonzero(~p.y)) for name, p in models.items()}
    found = roc_curves(replace(BINARY, external={cohort: none}))
    assert [place.validation for place in found.curves] == ["apparent"]
    block = only(found)
    assert isinstance(block, Figure)
    assert block.title == "ROC curves, Development (apparent)."
    assert "External" not in block.caption
    assert block.caption.startswith("AUC in the legend with its 95% interval by DeLong.")
    assert list(roc_blocks(RocCurves(curves={}, outcome=BINARY.outcome))) == []


def test_the_caption_of_several_samples_holds_the_intervals(found: RocCurves) -> None:
    block = only(found)
    assert isinstance(block, FigureGrid)
    assert [panel.title for panel in block.panels] == [
        "elsewhere (external)", "Development (apparent)"
    ]  # fmt: skip
    auc = found.curves[Sampled("elsewhere", "external", None)]["age"].auc
    interval = format_estimate(auc.estimate, auc.lower, auc.upper, digits=2)
    assert block.caption.startswith(
        f"AUC with its 95% interval by DeLong. elsewhere (external): age {interval}, image <b> 0."
    )
    assert "; Development (apparent): age 0." in block.caption
    assert "it flatters" in block.caption


def test_the_legend_of_one_sample_holds_the_intervals(found: RocCurves) -> None:
    place = Sampled("elsewhere", "external", None)
    block = only(replace(found, curves={place: found.curves[place]}))
    assert isinstance(block, Figure)
    assert isinstance(block.figure, go.Figure)
    auc = found.curves[place]["age"].auc
    interval = format_estimate(auc.estimate, auc.lower, auc.upper, digits=2)
    names = [trace.name for trace in block.figure.data]
    assert names[1] == f"age, AUC {interval}"
    assert names[2].startswith("image &lt;b&gt;, AUC 0.")


def test_without_areas_a_legend_names_the_model_alone(found: RocCurves) -> None:
    table = found.curves[Sampled("elsewhere", "external", None)]["age"].table
    assert [trace.name for trace in draw_roc({"age": table}).data] == ["Chance", "age"]


def test_report_and_notebook_draw_them(found: RocCurves) -> None:
    section = drawn(found)
    assert isinstance(section, Section)
    assert [block.title for block in section.blocks] == ["ROC curves."]  # type: ignore[union-attr]
    one = drawn(roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]))
    assert isinstance(one, Section)
    (figure,) = one.blocks
    assert isinstance(figure, Figure)
    assert isinstance(figure.figure, go.Figure)
    assert figure.figure.data[1].name == "Model, AUC 0.75 (0.06–1.00)"
