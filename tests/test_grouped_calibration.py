"""Points of a calibration: those of each repeat averaged, by cut points that stay as they are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.boosting import BoostedModel
from models.calibration_groups import calibration_groups, calibration_groups_at, cut_by_size
from models.cox import CoxModel
from models.grouped_calibration import COLUMNS, grouped_calibration
from models.logistic import LogisticModel
from models.pipeline import risk_pipeline
from models.validation import Plan, validate
from omics.cohort import DEVELOPMENT
from omics.errors import StudyError
from reports.analysis import analyse
from reports.blocks import FigureGrid
from reports.curve_sections import calibration_blocks
from reports.methods import methods_text
from reports.study import build_pipelines, compute, load_cohort
from reports.study_file import read_study
from tests.made_cohorts import made_cohort
from tests.small_study import small_study

PLAN = Plan(folds=3, repeats=3, bootstrap=0, draws=20, seed=5, level=0.9)
COHORT = made_cohort(150, external=50, seed=3)
VALIDATION = validate(
    {
        "cox": risk_pipeline(["clinical:*"], CoxModel()),
        "trees": risk_pipeline(["mri:*"], BoostedModel(n_rounds=10, inner_folds=3), missing="keep"),
    },
    COHORT,
    plan=PLAN,
)
FOUND = grouped_calibration(VALIDATION, groups=4)
BINARY_VALIDATION = validate(
    {"logistic": risk_pipeline(["clinical:*"], LogisticModel())},
    made_cohort(120, kind="binary", external=40, seed=3),
    plan=PLAN,
)


def cuts_of(model: str, position: int) -> np.ndarray:
    return cut_by_size(VALIDATION.out_of_fold[model].risk[:, :, position].ravel(), groups=4)


def test_every_honest_sample_has_its_points_and_no_other() -> None:
    assert list(FOUND.table.columns) == COLUMNS
    keys = FOUND.table.groupby(["model", "cohort", "validation", "horizon"])["group"].apply(list)
    assert set(keys.index) == {
        (model, cohort, kind, horizon)
        for model in ("cox", "trees")
        for cohort, kind in ((DEVELOPMENT, "cross_validated"), ("elsewhere", "external"))
        for horizon in (6.0, 12.0)
    }
    assert all(groups == [1, 2, 3, 4] for groups in keys)
    assert repr(FOUND) == "GroupedCalibration(2 models, 4 groups)"


@pytest.mark.parametrize("model", ["cox", "trees"])
def test_external_points_are_the_function_by_development_cuts(model: str) -> None:
    p = VALIDATION.external["elsewhere"][model]
    direct = calibration_groups_at(
        p.y["time"],
        p.y["event"],
        p.risk[:, 1],
        horizon=12.0,
        cut_points=cuts_of(model, 1),
        level=0.9,
    ).table
    rows = FOUND.table.query("model == @model and validation == 'external' and horizon == 12")
    same = ["lowest", "highest", "predicted", "observed", "lower", "upper", "n_patients"]
    np.testing.assert_allclose(rows[same], direct[same], rtol=1e-12)
    assert rows["n_patients"].sum() == 50


def test_out_of_fold_points_are_means_over_repeats() -> None:
    held_out, y = VALIDATION.out_of_fold["cox"], VALIDATION.y
    each = [
        calibration_groups_at(
            y["time"], y["event"], risk, horizon=6.0, cut_points=cuts_of("cox", 0), level=0.9
        ).table
        for risk in held_out.risk[:, :, 0]
    ]
    rows = FOUND.table.query("model == 'cox' and validation == 'cross_validated' and horizon == 6")
    for name in ("predicted", "observed", "lower", "upper", "n_patients", "n_events"):
        np.testing.assert_allclose(rows[name], np.mean([one[name] for one in each], axis=0))
    assert rows["n_patients"].sum() == pytest.approx(100)
    # cut at quantiles of the same predictions: groups of like size, in the order of risk
    np.testing.assert_allclose(rows["n_patients"], 25, atol=1)
    assert rows["predicted"].is_monotonic_increasing


def test_binary_points_have_no_horizon() -> None:
    found = grouped_calibration(BINARY_VALIDATION, groups=3).table
    assert found["horizon"].isna().all()
    p = BINARY_VALIDATION.external["elsewhere"]["logistic"]
    cuts = cut_by_size(BINARY_VALIDATION.out_of_fold["logistic"].risk.ravel(), groups=3)
    direct = calibration_groups(p.y, p.risk[:, 0], cut_points=cuts, level=0.9).table
    rows = found[found["validation"] == "external"]
    pd.testing.assert_series_equal(
        rows["observed"].reset_index(drop=True), direct["observed"], check_exact=False
    )


def test_one_group_is_refused() -> None:
    with pytest.raises(ValueError, match="groups must be at least 2, but 1 came"):
        grouped_calibration(VALIDATION, groups=1)


def test_a_study_without_groups_draws_none(tmp_path: Path) -> None:
    spec = small_study(tmp_path)
    spec.content["report"] = {"calibration_groups": 0}
    study = read_study(spec.write())
    cohort = load_cohort(study)
    results = compute(study, cohort, n_jobs=1)
    assert results.grouped_calibration is None
    assert "Calibration by groups" not in methods_text(results)
    (only,) = [
        block
        for block in calibration_blocks(results, "Clinical")
        if block.title.startswith("Calibration")
    ]
    assert isinstance(only, FigureGrid)
    assert not [t for panel in only.panels for t in panel.figure.data if t.name == "Groups"]
    assert "Points" not in only.caption
    about = replace(results.about, calibration_groups=1)
    with pytest.raises(StudyError, match="calibration_groups must be 0 or at least 2, but 1 came"):
        analyse(build_pipelines(study), cohort, plan=results.validation.plan, about=about)
