"""Differences of decision curves: identities with the curves themselves, harm, prevalence."""

import numpy as np
import pandas as pd
import pytest

from models.comparison import compare
from models.cox import CoxModel
from models.decision import Setting, decision_curve
from models.decision_differences import COLUMNS, decision_differences
from models.logistic import LogisticModel
from models.performance import performance
from models.pipeline import risk_pipeline
from models.validation import Plan, validate
from tests.made_cohorts import made_cohort

PLAN = Plan(folds=3, repeats=2, bootstrap=0, draws=30, seed=5)
LEVELS = [0.1, 0.2, 0.3, 0.5]
COHORT = made_cohort(150, external=50, seed=3)
FOUND = validate(
    {
        "age": risk_pipeline(["clinical:Age"], CoxModel()),
        "again": risk_pipeline(["clinical:Age"], CoxModel()),
        "image": risk_pipeline(["mri:f0", "mri:f1"], CoxModel()),
    },
    COHORT,
    plan=PLAN,
)
CURVES = decision_differences(FOUND, reference="age", thresholds=LEVELS)
TWO = made_cohort(140, external=50, seed=4, kind="binary")
BINARY_FOUND = validate(
    {
        "age": risk_pipeline(["clinical:Age"], LogisticModel()),
        "image": risk_pipeline(["mri:f0", "mri:f1"], LogisticModel()),
    },
    TWO,
    plan=PLAN,
)
KEYS = ["cohort", "validation", "horizon", "threshold"]


def test_differences_are_those_of_the_curves() -> None:
    assert list(CURVES.table.columns) == COLUMNS
    curves = performance(FOUND, thresholds=LEVELS).decision
    by_model = {name: part.set_index(KEYS)["net_benefit"] for name, part in curves.groupby("model")}
    rows = CURVES.table[CURVES.table["model"] == "image"].set_index(KEYS)
    assert len(rows) == 2 * 2 * len(LEVELS)
    expected = (by_model["image"] - by_model["age"]).loc[rows.index]
    np.testing.assert_allclose(rows["difference"], expected, atol=1e-12)
    assert (rows["lower"] <= rows["upper"]).all()
    assert repr(CURVES) == "DecisionDifferences(2 models less 'age', 4 thresholds)"


def test_a_model_differs_from_itself_by_nothing_in_every_draw() -> None:
    rows = CURVES.table[CURVES.table["model"] == "again"]
    np.testing.assert_allclose(rows[["difference", "lower", "upper"]].dropna(), 0, atol=1e-12)


def test_paired_intervals_are_those_of_the_comparison() -> None:
    compared = compare(FOUND, COHORT, reference="age", thresholds=LEVELS).table
    compared = compared[compared["metric"] == "net_benefit"].set_index(["model", *KEYS])
    rows = CURVES.table.set_index(["model", *KEYS])
    for column in ("difference", "lower", "upper"):
        np.testing.assert_allclose(rows[column], compared.loc[rows.index, column], atol=1e-12)


def test_order_of_models_turns_the_sign() -> None:
    other = decision_differences(FOUND, reference="image", thresholds=LEVELS).table
    turned = other[other["model"] == "age"].set_index(KEYS)
    rows = CURVES.table[CURVES.table["model"] == "image"].set_index(KEYS).loc[turned.index]
    np.testing.assert_allclose(turned["difference"], -rows["difference"], atol=1e-12)
    np.testing.assert_allclose(turned["lower"], -rows["upper"], atol=1e-12)


def test_harm_is_taken_from_its_model() -> None:
    setting = Setting(harm={"image": 0.02})
    harmed = decision_differences(FOUND, reference="age", thresholds=LEVELS, setting=setting).table
    shift = harmed["difference"] - CURVES.table["difference"]
    expected = np.where(CURVES.table["model"] == "image", -0.02, 0.0)
    np.testing.assert_allclose(shift, np.where(shift.isna(), np.nan, expected), atol=1e-12)
    both = Setting(harm=0.05)
    same = decision_differences(FOUND, reference="age", thresholds=LEVELS, setting=both).table
    np.testing.assert_allclose(same["difference"], CURVES.table["difference"], atol=1e-12)


def test_prevalence_reaches_every_curve_of_a_binary_outcome() -> None:
    setting = Setting(prevalence=0.1, harm={"image": 0.01})
    p = BINARY_FOUND.external["elsewhere"]
    curves = performance(BINARY_FOUND, thresholds=LEVELS, setting=setting)
    assert curves.setting == setting
    by_hand = {
        name: decision_curve(
            p[name].risk[:, 0], p[name].y, thresholds=LEVELS, prevalence=0.1, harm=harm
        ).table
        for name, harm in (("age", 0.0), ("image", 0.01))
    }
    for name, table in by_hand.items():
        rows = curves.decision[
            (curves.decision["model"] == name) & (curves.decision["validation"] == "external")
        ]
        for column in ("net_benefit", "interventions_avoided", "standardised_net_benefit"):
            np.testing.assert_allclose(rows[column], table[column], atol=1e-12)
        for column in ("treat_all", "standardised_treat_all"):
            np.testing.assert_allclose(rows[column], table[column], atol=1e-12)
    found = decision_differences(
        BINARY_FOUND, reference="age", thresholds=LEVELS, setting=setting
    ).table.query("validation == 'external'")
    expected = by_hand["image"]["net_benefit"] - by_hand["age"]["net_benefit"]
    np.testing.assert_allclose(found["difference"], expected, atol=1e-12)


def test_intervals_of_what_is_avoided_hold_the_estimates() -> None:
    curves = performance(FOUND, thresholds=LEVELS).decision.query("validation == 'external'")
    for value, low, high in (
        ("net_benefit", "lower", "upper"),
        ("interventions_avoided", "avoided_lower", "avoided_upper"),
        ("standardised_net_benefit", "standardised_lower", "standardised_upper"),
    ):
        known = curves.dropna(subset=[value, low])
        assert len(known) > 10
        assert (known[low] <= known[high]).all()
        inside = (known[low] - 1e-9 <= known[value]) & (known[value] <= known[high] + 1e-9)
        assert inside.mean() > 0.9  # a percentile interval of 30 draws need not hold all


def test_no_other_model_gives_an_empty_table_and_a_wrong_reference_is_named() -> None:
    only = validate({"age": risk_pipeline(["clinical:Age"], CoxModel())}, COHORT, plan=PLAN)
    found = decision_differences(only, reference="age", thresholds=LEVELS)
    pd.testing.assert_index_equal(found.table.columns, pd.Index(COLUMNS))
    assert found.table.empty
    with pytest.raises(ValueError, match="reference must be a model, but 'ages' is none of 3"):
        decision_differences(FOUND, reference="ages", thresholds=LEVELS)
