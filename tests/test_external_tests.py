"""Paired tests of frozen models: R's on R's patients, identities, who is left out."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from models.comparison import compare
from models.cox import CoxModel
from models.external_tests import (
    FIGURES,
    TESTS,
    external_figures,
    external_tests,
    measured_figures,
)
from models.logistic import LogisticModel
from models.pipeline import risk_pipeline
from models.scores import Predictions, ranking_scores
from models.validation import Plan, Validation, validate
from omics.outcome import survival_outcome
from tests.discrimination_reference import (
    EVENT,
    HORIZONS,
    OTHER_RISK,
    OTHER_SCORE,
    RISK,
    SCORE,
    TIME,
    R,
    row,
)
from tests.made_cohorts import made_cohort

PLAN = Plan(folds=3, repeats=1, bootstrap=0, draws=100, seed=5)
COHORT = made_cohort(150, external=50, seed=3)
FOUND = validate(
    {
        "age": risk_pipeline(["clinical:Age"], CoxModel()),
        "image": risk_pipeline(["mri:f0", "mri:f1"], CoxModel()),
        "again": risk_pipeline(["clinical:Age"], CoxModel()),
    },
    COHORT,
    plan=PLAN,
)
KEYS = ["metric", "horizon"]


def with_external(validation: Validation, a: Predictions, b: Predictions) -> Validation:
    """Put two sets of predictions in the place of the external ones."""
    return replace(
        validation,
        external={"R": {"a": a, "b": b}},
        fitted=dict(zip("ab", validation.fitted.values(), strict=False)),
        apparent=dict(zip("ab", validation.apparent.values(), strict=False)),
        out_of_fold=dict(zip("ab", validation.out_of_fold.values(), strict=False)),
    )


def of_r(score: NDArray[np.float64], risk: NDArray[np.float64]) -> Predictions:
    return Predictions(
        y=survival_outcome(TIME, EVENT),
        linear_predictor=score,
        risk=risk.T,
        horizons=tuple(HORIZONS),
    )


# ---- R


def test_figures_and_tests_by_a_horizon_are_those_of_r() -> None:
    a, b = of_r(SCORE, RISK), of_r(OTHER_SCORE, OTHER_RISK)
    made = with_external(FOUND, a, b)
    figures = external_figures(made).table.set_index(["model", *KEYS])
    tests = external_tests(made, reference="a").table.set_index(KEYS)
    for horizon in HORIZONS:
        for metric, name in (("auc", "AUC"), ("brier", "Brier")):
            expected = row(R["survival"][metric], model="a", times=horizon)
            ours = figures.loc[("a", metric, horizon)]
            for column, theirs in (
                ("estimate", name), ("standard_error", "se"), ("lower", "lower"), ("upper", "upper")
            ):  # fmt: skip
                assert ours[column] == pytest.approx(expected[theirs], abs=1e-12)
            test = row(
                R["survival"][f"{metric}_difference"], model="b", reference="a", times=horizon
            )
            found = tests.loc[(metric, horizon)]
            assert found["difference"] == pytest.approx(test[f"delta.{name}"], abs=1e-12)
            for column, theirs in (("standard_error", "se"), ("lower", "lower"), ("p_value", "p")):
                assert found[column] == pytest.approx(test[theirs], abs=1e-12)
    concordance = R["concordance"]["n"]
    (harrell,) = tests.loc["c_index"].to_dict("records")
    # R's higher scores live longer
    difference = concordance["a"]["c"] - concordance["b"]["c"]
    assert harrell["difference"] == pytest.approx(difference, abs=1e-12)
    assert harrell["standard_error"] == pytest.approx(concordance["se_difference"], abs=1e-12)


def test_a_binary_outcome_has_delongs_test_of_proc() -> None:
    expected = R["binary"]
    y = np.array(expected["y"]) == 1
    p, q = np.array(expected["p"]), np.array(expected["q"])
    a, b = (Predictions(y=y, linear_predictor=r, risk=r[:, None], horizons=()) for r in (p, q))
    cohort = made_cohort(140, external=50, seed=4, kind="binary")
    pipelines = {name: risk_pipeline(["clinical:Age"], LogisticModel()) for name in "ab"}
    made = with_external(validate(pipelines, cohort, plan=PLAN), a, b)
    test = external_tests(made, reference="b").table.set_index("metric").loc["auc"]
    assert test["difference"] == pytest.approx(expected["auc"] - expected["auc_second"], abs=1e-12)
    assert test["z"] == pytest.approx(expected["z"], abs=1e-10)
    assert test["p_value"] == pytest.approx(expected["p_value"], abs=1e-10)
    assert [test["lower"], test["upper"]] == pytest.approx(expected["difference_ci"], abs=1e-10)
    figures = external_figures(made).table.query("model == 'a'").set_index("metric")
    assert figures.loc["auc", "standard_error"] ** 2 == pytest.approx(expected["var"], abs=1e-12)
    assert figures["horizon"].isna().all()


# ---- beside the bootstrap


def test_differences_are_those_of_the_comparison_and_as_wide() -> None:
    found = external_tests(FOUND, reference="age").table
    drawn = compare(FOUND, COHORT, reference="age", thresholds=[0.5]).table
    drawn = drawn[(drawn["validation"] == "external") & (drawn["metric"] != "net_benefit")]
    both = found.merge(drawn, on=["model", "reference", "cohort", *KEYS], suffixes=("", "_drawn"))
    assert len(both) == len(found) == len(drawn)
    np.testing.assert_allclose(both["difference"], both["difference_drawn"], atol=1e-12)
    image = both[both["model"] == "image"]
    width = (image["upper"] - image["lower"]) / (image["upper_drawn"] - image["lower_drawn"])
    # 100 draws know a width to about 12 %
    np.testing.assert_allclose(width, 1, atol=0.35)


def test_a_model_cannot_be_told_from_itself() -> None:
    rows = external_tests(FOUND, reference="age").table.query("model == 'again'")
    np.testing.assert_allclose(rows[["difference", "standard_error"]], 0, atol=1e-15)
    assert rows["p_value"].isna().all()


def test_order_of_models_turns_the_sign_and_keeps_p() -> None:
    one = external_tests(FOUND, reference="age").table.query("model == 'image'")
    other = external_tests(FOUND, reference="image").table.query("model == 'age'")
    np.testing.assert_allclose(one["difference"], -other["difference"].to_numpy())
    np.testing.assert_allclose(one["p_value"], other["p_value"].to_numpy())


def test_figures_are_those_of_the_predictions() -> None:
    found = external_figures(FOUND)
    assert list(found.table.columns) == FIGURES
    assert repr(found) == f"ExternalFigures(3 models, {len(found.table)} figures)"
    ((cohort, models),) = FOUND.external.items()
    for model, p in models.items():
        rows = found.table[(found.table["model"] == model) & (found.table["cohort"] == cohort)]
        expected = ranking_scores(p)
        assert list(zip(rows["metric"], rows["horizon"].fillna(-1), strict=True)) == [
            (key.metric, -1 if np.isnan(key.horizon) else key.horizon) for key in expected
        ]
        np.testing.assert_allclose(rows["estimate"], list(expected.values()), atol=1e-12)
        inside = (rows["lower"] <= rows["estimate"]) & (rows["estimate"] <= rows["upper"])
        assert inside.all()


def test_a_stratified_model_is_ranked_by_its_risks_as_everywhere_else() -> None:
    cohort = made_cohort(80)
    rng = np.random.default_rng(4)
    risk = rng.random((80, 2))
    p = Predictions(
        y=cohort.y, linear_predictor=rng.normal(size=80), risk=np.sort(risk, axis=1),
        horizons=(6.0, 12.0), stratum=np.arange(80) % 2,
    )  # fmt: skip
    measured, scores = measured_figures(p, level=0.95), ranking_scores(p)
    assert list(measured) == list(scores)
    for key, one in measured.items():
        assert one.estimate == pytest.approx(scores[key], abs=1e-12), key


def test_whom_only_one_predicts_is_left_out_and_counted() -> None:
    (models,) = FOUND.external.values()
    gap = replace(models["image"], linear_predictor=models["image"].linear_predictor.copy())
    gap.linear_predictor[:7] = np.nan
    made = with_external(FOUND, models["age"], gap)
    tests = external_tests(made, reference="a").table
    assert set(tests["n_left_out"]) == {7}
    assert set(tests["n_patients"]) == {43}
    kept = np.arange(7, 50)
    expected = external_tests(
        with_external(FOUND, models["age"].take(kept), models["image"].take(kept)), reference="a"
    ).table
    pd.testing.assert_series_equal(tests["p_value"], expected["p_value"])
    sizes = external_figures(made).table.groupby("model")["n_patients"].first()
    assert sizes.to_dict() == {"a": 50, "b": 43}


def test_without_an_external_cohort_there_is_nothing() -> None:
    alone = replace(FOUND, external={})
    assert list(external_tests(alone, reference="age").table.columns) == TESTS
    assert not len(external_tests(alone, reference="age").table)
    assert not len(external_figures(alone).table)
    (models,) = FOUND.external.values()
    assert measured_figures(models["age"].take(np.arange(0)), level=0.95) == {}


def test_text_and_wrong_input() -> None:
    assert repr(external_tests(FOUND, reference="age")) == "ExternalTests(2 models against 'age')"
    with pytest.raises(ValueError, match="reference must be a model, but 'Age' is none of 3"):
        external_tests(FOUND, reference="Age")
