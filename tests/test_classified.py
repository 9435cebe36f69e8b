"""Every model of a validation at frozen thresholds: averages over repeats, frozen predictions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.classification import METRICS, classification, classification_at, wilson
from models.classified import COLUMNS, ClassifiedModels, _ends, classified_models
from models.cox import CoxModel
from models.evaluation import decision_at
from models.logistic import LogisticModel
from models.pipeline import risk_pipeline
from models.validation import Plan, Validation, validate
from tests.made_cohorts import made_cohort

PLAN = Plan(folds=3, repeats=2, bootstrap=0, draws=40, seed=5)
AT = [0.2, 0.5]
KEYS = ["threshold", "metric"]


@pytest.fixture(scope="module")
def survival() -> Validation:
    pipelines = {
        "age": risk_pipeline(["clinical:Age"], CoxModel()),
        "image": risk_pipeline(["mri:f0", "mri:f1"], CoxModel()),
    }
    return validate(pipelines, made_cohort(150, external=50, seed=3), plan=PLAN)


@pytest.fixture(scope="module")
def found(survival: Validation) -> ClassifiedModels:
    return classified_models(survival, thresholds=AT)


def test_one_row_each(survival: Validation, found: ClassifiedModels) -> None:
    assert list(found.table.columns) == COLUMNS
    horizons = survival.outcome.horizons
    assert len(found.table) == 2 * 2 * len(horizons) * len(AT) * len(METRICS)
    assert set(found.table["validation"]) == {"cross_validated", "external"}
    assert not found.table.duplicated(COLUMNS[:6]).any()
    assert repr(found) == "ClassifiedModels(2 models, at 0.2, 0.5)"


def test_external_figures_are_those_of_the_frozen_predictions(
    survival: Validation, found: ClassifiedModels
) -> None:
    (models,) = survival.external.values()
    p = models["image"]
    for j, horizon in enumerate(p.horizons):
        expected = classification_at(
            p.y["time"], p.y["event"], p.risk[:, j], horizon=horizon, thresholds=AT
        )
        rows = found.table.query(
            "model == 'image' and validation == 'external' and horizon == @horizon"
        )
        columns = ["estimate", "lower", "upper"]
        pd.testing.assert_frame_equal(
            rows.set_index(KEYS)[columns], expected.table.set_index(KEYS)[columns]
        )
        assert set(rows["n_events"]) == {expected.n_events}


def test_out_of_fold_is_the_mean_over_repeats(
    survival: Validation, found: ClassifiedModels
) -> None:
    y, held_out = survival.y, survival.out_of_fold["age"]
    horizon = survival.outcome.horizons[0]
    repeats = [
        classification_at(y["time"], y["event"], risk[:, 0], horizon=horizon, thresholds=AT)
        for risk in held_out.risk
    ]
    expected = np.mean([one.table["estimate"] for one in repeats], axis=0)
    rows = found.table.query(
        "model == 'age' and validation == 'cross_validated' and horizon == @horizon"
    )
    np.testing.assert_allclose(rows["estimate"], expected, atol=1e-12)
    assert (rows["lower"] <= rows["estimate"]).all()
    assert (rows["estimate"] <= rows["upper"]).all()
    assert rows["method"].str.contains("2 repeats, averaged; Wilson's interval").all()


def test_of_one_repeat_the_bootstrap_is_about_as_wide_as_the_analytic_interval() -> None:
    validation = validate(
        {"age": risk_pipeline(["clinical:Age"], CoxModel())},
        made_cohort(150, external=50, seed=3),
        plan=replace(PLAN, repeats=1, draws=200),
    )
    y, risk = validation.y, validation.out_of_fold["age"].risk[0, :, 0]
    horizon = validation.outcome.horizons[0]
    analytic = classification_at(y["time"], y["event"], risk, horizon=horizon, thresholds=AT).table
    found = classified_models(validation, thresholds=AT).table
    found = found[(found["validation"] == "cross_validated") & (found["horizon"] == horizon)]
    ours, theirs = ((one["upper"] - one["lower"]).to_numpy() for one in (found, analytic))
    inner = analytic["estimate"].between(0.1, 0.9).to_numpy()
    assert inner.sum() >= 4
    np.testing.assert_allclose(ours[inner] / theirs[inner], 1, atol=0.2)  # 200 draws


def test_a_binary_outcome_has_no_horizon() -> None:
    validation = validate(
        {"age": risk_pipeline(["clinical:Age"], LogisticModel())},
        made_cohort(140, external=50, seed=4, kind="binary"),
        plan=PLAN,
    )
    found = classified_models(validation, thresholds=AT).table
    assert found["horizon"].isna().all()
    ((cohort, models),) = validation.external.items()
    expected = classification(models["age"].y, models["age"].risk[:, 0], thresholds=AT)
    rows = found[found["cohort"] == cohort]
    np.testing.assert_allclose(rows["lower"], expected.table["lower"])
    assert set(rows["n_events"]) == {expected.n_events}
    assert set(found.loc[found["cohort"] != cohort, "n_events"]) == {int(validation.y.sum())}


def test_sensitivity_and_decision_curve_count_the_same_patients(survival: Validation) -> None:
    found = classified_models(survival, thresholds=[0.3]).table
    shares = found.query("model == 'age' and validation == 'external'")
    shares = shares.set_index(["horizon", "metric"])["estimate"]
    (models,) = survival.external.values()
    p = models["age"]
    for j, horizon in enumerate(p.horizons):
        curve = decision_at(p, j, np.array([0.3])).table.iloc[0]
        assert curve["n_treated"] == round(50 * shares[horizon, "share_above"])
        ppv = shares[horizon, "ppv"]
        # the curve weighs by the censoring of those above alone: near, not the same
        benefit = shares[horizon, "share_above"] * (ppv - (1 - ppv) * 0.3 / 0.7)
        assert benefit == pytest.approx(curve["net_benefit"], abs=0.03)


def test_progress_is_told_and_wrong_thresholds_are_named(survival: Validation) -> None:
    told: list[tuple[str, int, int]] = []
    classified_models(survival, thresholds=[0.5], progress=lambda *one: told.append(one))
    assert told[-1] == ("classification", 4, 4)
    with pytest.raises(ValueError, match=r"thresholds must be a probability.*20 at position 0"):
        classified_models(survival, thresholds=[20])


def test_an_interval_has_length_where_every_case_is_found() -> None:
    validation = validate(
        {"age": risk_pipeline(["clinical:Age"], CoxModel())},
        made_cohort(90, external=30, seed=3),
        plan=PLAN,
    )
    found = classified_models(validation, thresholds=[0.01]).table
    rows = found[(found["validation"] == "cross_validated") & (found["metric"] == "sensitivity")]
    assert (rows["estimate"] == 1).all()
    # nobody's weight differs much from another's: nearly Wilson's lower end of n of n
    expected = rows["n_events"] / (rows["n_events"] + 1.96**2)
    np.testing.assert_allclose(rows["lower"], expected, atol=0.02)
    assert (rows["upper"] == 1).all()
    unknown = found[(found["validation"] == "cross_validated") & (found["metric"] == "npv")]
    assert unknown["lower"].isna().all()  # nobody lies below


def test_ends_by_hand() -> None:
    away = 0.1 / np.sqrt(2)  # variance .01 at .5: 25 patients
    drawn = np.array([0.5 - away, 0.5 + away, np.nan])
    assert np.nanvar(drawn, ddof=1) == pytest.approx(0.01)
    assert _ends(0.5, drawn, 7, level=0.95) == pytest.approx(wilson(0.5, 25, level=0.95))
    assert _ends(1.0, np.ones(3), 7, level=0.95) == wilson(1.0, 7, level=0.95)
    assert np.isnan(_ends(0.5, np.array([0.5, np.nan]), 7, level=0.95)).all()
