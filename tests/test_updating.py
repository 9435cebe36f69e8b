"""Updating a frozen model in another cohort: R's refits, identities, refusals, plain data."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import chi2 as chi_squared
from sklearn.base import clone

from models.boosting import BoostedModel
from models.closed_testing import closed_tests, level_statistic
from models.cox import CoxModel
from models.logistic import LogisticModel
from models.one_resample import predictions_of
from models.pipeline import RiskPipeline, risk_pipeline
from models.plain import Writer, read_plain
from models.updated_model import METHODS, UpdatedModel, recalibrate
from models.updating import PERFORMANCE, Updating, updating
from models.validation import Plan
from omics.errors import FitError
from omics.outcome import survival_outcome

R = json.loads((Path(__file__).parent / "reference" / "updating.json").read_text())
PREDICTORS = ["clinical:a", "clinical:b", "clinical:k"]
PLAN = Plan(folds=2, repeats=1, bootstrap=40, draws=20, seed=3)
HORIZONS = tuple(float(h) for h in R["horizons"])


def table(part: str) -> pd.DataFrame:
    return pd.DataFrame({f"clinical:{name}": R[part][name] for name in "abk"}, dtype=float)


def survival(part: str) -> NDArray[Any]:
    return survival_outcome(R[part]["time"], np.array(R[part]["event"], dtype=bool))


def binary(part: str) -> NDArray[np.bool_]:
    return np.array(R[part]["y"], dtype=bool)


X = table("external")
COX = risk_pipeline(PREDICTORS, CoxModel()).fit(table("development"), survival("development"))
LOGIT = risk_pipeline(PREDICTORS, LogisticModel()).fit(table("development"), binary("development"))
ASKED: dict[str, Any] = {"thresholds": [0.2, 0.4], "plan": PLAN}
FOUND = updating(COX, X, survival("external"), horizons=HORIZONS, **ASKED)
BINARY = updating(LOGIT, X, binary("external"), horizons=(), **ASKED)


def updated(pipeline: RiskPipeline, y: NDArray[Any], method: Any) -> UpdatedModel:
    return UpdatedModel(pipeline, method=method).fit(X, y)


def figure(found: Updating, method: str, metric: str, column: str = "apparent") -> float:
    rows = found.table.query("method == @method and metric == @metric")
    return float(rows[column].iloc[-1])


# ---- R


def test_cox_baseline_and_slope_equal_coxph() -> None:
    y, own = survival("external"), R["cox"]
    np.testing.assert_allclose(COX.linear_predictor(X), own["lp"], atol=1e-8)
    for method, expected in (
        ("baseline", own["baseline_risk"]),
        ("recalibration", own["recalibrated_risk"]),
    ):
        model = updated(COX, y, method)
        _, risk = model.predict_all(X, horizons=HORIZONS)
        np.testing.assert_allclose(risk[:5], expected, atol=1e-7)
    slope = updated(COX, y, "recalibration").recalibration_
    assert slope is not None
    assert slope.slope == pytest.approx(own["slope"], abs=1e-7)
    coef = updated(COX, y, "refit").model_.coef_
    np.testing.assert_allclose(coef, own["refit"], atol=1e-7)


def test_logistic_intercept_and_slope_equal_glm() -> None:
    y, own = binary("external"), R["logistic"]
    np.testing.assert_allclose(LOGIT.linear_predictor(X), own["eta"], atol=1e-8)
    level = updated(LOGIT, y, "baseline").recalibration_
    both = updated(LOGIT, y, "recalibration").recalibration_
    assert level is not None
    assert both is not None
    assert level.intercept == pytest.approx(own["baseline"], abs=1e-8)
    assert [both.intercept, both.slope] == pytest.approx(own["recalibration"], abs=1e-8)
    model = updated(LOGIT, y, "refit").model_
    np.testing.assert_allclose([model.intercept_, *model.coef_], own["refit"], atol=1e-7)


def test_likelihood_ratios_of_cox_equal_those_of_coxph() -> None:
    null, slope, refit = R["cox"]["log_likelihood"]
    tests = FOUND.tests.set_index("method")
    expected = {
        "original": 2 * (refit - null) + R["cox"]["level"],
        "baseline": 2 * (refit - null),
        "recalibration": 2 * (refit - slope),
    }
    for (method, chi2), df in zip(expected.items(), (4, 3, 2), strict=True):
        assert tests.loc[method, "chi2"] == pytest.approx(chi2, abs=1e-6)
        assert tests.loc[method, "df"] == df
        p_value = chi_squared.sf(chi2, df)
        assert tests.loc[method, "p_value"] == pytest.approx(p_value, abs=1e-7)
    assert (tests["against"] == "refit").all()


def test_likelihood_ratios_of_logistic_equal_those_of_glm() -> None:
    values = R["logistic"]["log_likelihood"]
    expected = [2 * (values[3] - value) for value in values[:3]]
    np.testing.assert_allclose(BINARY.tests["chi2"], expected, atol=1e-6)
    assert BINARY.tests["df"].tolist() == [4, 3, 2]
    assert (FOUND.suggested, BINARY.suggested) == ("refit", "recalibration")


# ---- identities


def test_an_updated_level_expects_what_is_observed() -> None:
    # Logistic: the mean risk is the share of events. Cox: all patients' hazards add up to events.
    y = binary("external")
    for method in METHODS[1:]:
        assert updated(LOGIT, y, method).risk(X).mean() == pytest.approx(y.mean(), abs=1e-8)
        assert figure(BINARY, method, "observed_expected") == pytest.approx(1, abs=1e-8)
    # At a horizon the slope matters, too: nearer to 1 with each thing that is learnt.
    gaps = [abs(figure(FOUND, method, "observed_expected") - 1) for method in METHODS]
    assert gaps == sorted(gaps, reverse=True)
    survived = survival("external")
    model = updated(COX, survived, "baseline").recalibration_
    assert model is not None
    eta = COX.linear_predictor(X)
    hazard = -np.log1p(-np.array([
        model.risk(eta[i : i + 1], horizon=t)[0] for i, t in enumerate(survived["time"])
    ]))  # fmt: skip
    assert hazard.sum() == pytest.approx(survived["event"].sum())


def test_a_recalibrated_slope_is_one_in_its_own_patients() -> None:
    for found in (FOUND, BINARY):
        for method in ("recalibration", "refit"):
            assert figure(found, method, "calibration_slope") == pytest.approx(1, abs=1e-6)
        # a refit is overfitted; of one direction, without a choice, nothing shrinks
        assert figure(found, "refit", "calibration_slope", "estimate") < 1
        # what keeps the order of patients keeps the rank statistic
        rank = "c_index" if found is FOUND else "auc"
        assert figure(found, "recalibration", rank) == figure(found, "original", rank)


def test_the_original_is_not_touched() -> None:
    y = survival("external")
    model = updated(COX, y, "original")
    np.testing.assert_array_equal(model.linear_predictor(X), COX.linear_predictor(X))
    np.testing.assert_array_equal(model.risk(X, horizon=6), COX.risk(X, horizon=6))
    rows = FOUND.table.query("method == 'original'")
    np.testing.assert_array_equal(rows["apparent"], rows["estimate"])
    assert (rows["optimism"] == 0).all()
    assert (rows["lower"] <= rows["estimate"]).all()


def test_updating_in_the_patients_of_the_fit_changes_nothing() -> None:
    own, y = table("development"), survival("development")
    found = updating(
        COX, own, y, horizons=HORIZONS, thresholds=[0.3], plan=replace(PLAN, bootstrap=0)
    )
    assert found.suggested == "original"
    np.testing.assert_allclose(found.tests["chi2"], 0, atol=1e-6)
    for method in METHODS[1:]:
        np.testing.assert_allclose(
            UpdatedModel(COX, method=method).fit(own, y).risk(own, horizon=6),
            COX.risk(own, horizon=6),
            atol=1e-6,
        )
    assert found.table[["lower", "upper"]].isna().all(axis=None)


def test_the_level_is_a_poisson_likelihood_ratio_by_hand() -> None:
    # Two patients at hazard 1 each by the end, both with the event twice as fast as expected.
    y = survival_outcome([1.0, 2, 2, 3], [True, True, True, False])
    frozen = risk_pipeline(["clinical:a"], CoxModel()).fit(
        pd.DataFrame({"clinical:a": [0.0, 1, 0, 1]}), y
    )
    p = predictions_of(frozen, pd.DataFrame({"clinical:a": [0.0, 1, 0, 1]}), y, (2.0,))
    # In its own patients as many events are expected as observed.
    assert level_statistic(p, frozen.model) == pytest.approx(0, abs=1e-12)
    shift = replace(p, linear_predictor=p.linear_predictor - np.log(2))  # expects half of three
    assert level_statistic(shift, frozen.model) == pytest.approx(2 * (3 * np.log(2) - 1.5))


def test_coefficients_side_by_side() -> None:
    terms = FOUND.coefficients.set_index("term")
    slope = terms.loc["Slope", "recalibration"]
    assert slope == pytest.approx(R["cox"]["slope"], abs=1e-7)
    np.testing.assert_allclose(
        terms.loc[PREDICTORS, "recalibration"], slope * terms.loc[PREDICTORS, "original"]
    )
    assert terms.loc["Slope", ["original", "baseline"]].tolist() == [1, 1]
    # the development patients' mean, by every method
    mean = pd.DataFrame([COX.model.means_], columns=PREDICTORS)
    for method in METHODS:
        model = updated(COX, survival("external"), method)
        for h in HORIZONS:
            expected = model.risk(mean, horizon=h)[0]
            assert terms.loc[f"Risk by {h:g}", method] == pytest.approx(expected)
    binary_terms = BINARY.coefficients.set_index("term")
    nobody = pd.DataFrame([[0.0, 0, 0]], columns=PREDICTORS)
    for method in METHODS:
        model = updated(LOGIT, binary("external"), method)
        assert binary_terms.loc["Intercept", method] == pytest.approx(
            model.linear_predictor(nobody)[0]
        )


def test_tables_and_words_of_the_result() -> None:
    assert list(FOUND.table.columns) == PERFORMANCE
    counts = FOUND.table.groupby("method").size()
    assert set(counts.index) == set(METHODS)
    assert set(counts) == {2 + 2 * (3 + 2)}
    assert FOUND.curves.groupby(["method", "horizon"]).ngroups == 8
    events = int(survival("external")["event"].sum())
    assert repr(FOUND) == (
        f"Updating(4 methods, 110 patients, {events} events, suggested: {FOUND.suggested})"
    )
    assert (FOUND.n_left_out, FOUND.refused, FOUND.warnings) == (0, {}, ())


def test_optimism_repeats_the_update_in_each_resample() -> None:
    # a refit of three coefficients to 110 patients flatters more than a new slope does
    for found, rank in ((FOUND, "c_index"), (BINARY, "auc")):
        assert figure(found, "refit", rank, "optimism") > 0.002
        assert figure(found, "baseline", rank, "optimism") == pytest.approx(0, abs=0.01)
        assert figure(found, "refit", "brier", "optimism") < 0


def test_same_seed_same_figures() -> None:
    again = updating(COX, X, survival("external"), horizons=HORIZONS, **ASKED)
    pd.testing.assert_frame_equal(again.table, FOUND.table)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), unit=st.sampled_from([30.4375, 1 / 12]))
def test_order_of_patients_and_unit_of_time_do_not_matter(seed: int, unit: float) -> None:
    y, eta = survival("external"), COX.linear_predictor(X)
    rows = np.random.default_rng(seed).permutation(len(y))
    slower = survival_outcome(y["time"] * unit, y["event"])
    for method in ("baseline", "recalibration"):
        one = recalibrate(eta, y, method=method)  # type: ignore[arg-type]
        other = recalibrate(eta[rows], slower[rows], method=method)  # type: ignore[arg-type]
        np.testing.assert_allclose(
            one.risk(eta, horizon=6), other.risk(eta, horizon=6 * unit), rtol=1e-6
        )


# ---- what is refused, few events, other models


def test_trees_are_recalibrated_and_not_refitted() -> None:
    trees = risk_pipeline(PREDICTORS, BoostedModel(n_rounds=5, inner_folds=3), missing="keep")
    trees.fit(table("development"), survival("development"))
    plan = replace(PLAN, bootstrap=2)
    found = updating(trees, X, survival("external"), horizons=HORIZONS, thresholds=[0.3], plan=plan)
    assert found.refused == {"refit": "boosted trees have no coefficients"}
    assert set(found.table["method"]) == {"original", "baseline", "recalibration"}
    assert found.tests["against"].unique().tolist() == ["recalibration"]
    assert found.tests["df"].tolist() == [2, 1]
    with pytest.raises(ValueError, match=r"method must not be 'refit'.*no coefficients"):
        UpdatedModel(trees, method="refit").fit(X, survival("external"))


def test_a_ridge_is_not_tested_by_its_likelihood() -> None:
    ridge = risk_pipeline(PREDICTORS, CoxModel(ridge=5.0))
    ridge.fit(table("development"), survival("development"))
    found = updating(
        ridge, X, survival("external"), horizons=HORIZONS, thresholds=[0.3],
        plan=replace(PLAN, bootstrap=0),
    )  # fmt: skip
    assert "refit" in set(found.table["method"])
    assert found.tests["against"].unique().tolist() == ["recalibration"]


def test_a_column_that_does_not_vary_there_is_named() -> None:
    flat = X.assign(**{"clinical:b": 1.0})
    found = updating(
        COX, flat, survival("external"), horizons=HORIZONS, thresholds=[0.3],
        plan=replace(PLAN, bootstrap=0),
    )  # fmt: skip
    assert "clinical:b" in found.refused["refit"]
    assert found.tests["against"].unique().tolist() == ["recalibration"]


def test_few_events_are_said() -> None:
    y = survival("external")
    few = y.copy()
    few["event"] &= np.cumsum(y["event"]) <= 25
    found = updating(
        COX, X, few, horizons=HORIZONS, thresholds=[0.3], plan=replace(PLAN, bootstrap=0)
    )
    assert found.warnings == ("refit learns 4 parameters from 25 events, fewer than 10 for each",)


def test_who_has_no_prediction_is_left_out_and_counted() -> None:
    frozen = risk_pipeline(PREDICTORS, CoxModel(), missing="complete_case")
    frozen.fit(table("development"), survival("development"))
    gap = X.copy()
    gap.loc[[0, 5], "clinical:a"] = np.nan
    y = survival("external")
    found = updating(
        frozen, gap, y, horizons=HORIZONS, thresholds=[0.3], plan=replace(PLAN, bootstrap=0)
    )
    assert (found.n_patients, found.n_left_out) == (108, 2)
    rest = gap.drop(index=[0, 5]), np.delete(y, [0, 5])
    for method in METHODS:
        model = UpdatedModel(frozen, method=method).fit(gap, y)
        assert model.n_left_out_ == 2
        assert np.isnan(model.risk(gap, horizon=6)[[0, 5]]).all()
        alone = UpdatedModel(frozen, method=method).fit(*rest)
        np.testing.assert_allclose(
            model.risk(rest[0], horizon=6), alone.risk(rest[0], horizon=6), atol=1e-12
        )


def test_nobody_predicted_and_no_event_are_errors() -> None:
    frozen = risk_pipeline(PREDICTORS, CoxModel(), missing="complete_case")
    frozen.fit(table("development"), survival("development"))
    y = survival("external")
    empty = X.assign(**{"clinical:a": np.nan})
    with pytest.raises(FitError, match="nobody of 110 patients has a prediction to update"):
        UpdatedModel(frozen, method="baseline").fit(empty, y)
    with pytest.raises(FitError, match="nobody of 110"):
        updating(frozen, empty, y, horizons=HORIZONS, **ASKED)
    none = survival_outcome(y["time"], np.zeros(len(y), dtype=bool))
    with pytest.raises(FitError, match="a new baseline needs events, but none of 110"):
        updating(COX, X, none, horizons=HORIZONS, **ASKED)
    with pytest.raises(FitError, match="needs both classes"):
        updating(LOGIT, X, np.zeros(110, dtype=bool), horizons=(), **ASKED)


def test_a_wrong_method_and_a_missing_horizon_are_named() -> None:
    y = survival("external")
    with pytest.raises(ValueError, match=r"method must be one of.*'all' came"):
        UpdatedModel(COX, method="all").fit(X, y)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="horizon must be stated"):
        updated(COX, y, "baseline").risk(X)


def test_a_horizon_beyond_the_new_follow_up_is_nan() -> None:
    model = updated(COX, survival("external"), "baseline")
    assert np.isnan(model.risk(X, horizon=1000)).all()


def test_one_column_is_its_own_slope() -> None:
    frozen = risk_pipeline(["clinical:a"], CoxModel())
    frozen.fit(table("development"), survival("development"))
    found = updating(
        frozen, X, survival("external"), horizons=HORIZONS, thresholds=[0.3],
        plan=replace(PLAN, bootstrap=0),
    )  # fmt: skip
    row = found.tests.set_index("method").loc["recalibration"]
    assert (row["df"], row["p_value"]) == (0, 1)
    assert row["chi2"] == pytest.approx(0, abs=1e-9)


# ---- kept


@pytest.mark.parametrize("method", METHODS)
def test_an_updated_model_is_plain_data(method: Any) -> None:
    model = updated(COX, survival("external"), method)
    writer = Writer()
    text = json.dumps(writer.write(model, "model"))
    back = read_plain(json.loads(text), writer.arrays)
    np.testing.assert_array_equal(back.risk(X, horizon=6), model.risk(X, horizon=6))
    np.testing.assert_array_equal(back.linear_predictor(X), model.linear_predictor(X))


def test_a_clone_keeps_the_frozen_pipeline() -> None:
    model = updated(COX, survival("external"), "recalibration")
    fresh = clone(model)
    assert fresh.pipeline is COX
    assert not hasattr(fresh, "recalibration_")


def test_closed_tests_follow_what_could_be_learnt() -> None:
    p = predictions_of(COX, X, survival("external"), HORIZONS)
    tests = closed_tests(p, COX.design_matrix(X).to_numpy(), COX.model, learnt=["baseline"])
    assert tests["method"].tolist() == ["original"]
    assert tests["chi2"].item() == pytest.approx(level_statistic(p, COX.model))
