"""Interactions in the design: worked by hand, as rms has them, and under every policy for gaps."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from models.cox import CoxModel
from models.design import Design, Missing
from models.logistic import LogisticModel
from models.proportional_hazards import proportional_hazards_test
from omics.errors import FitError
from omics.outcome import survival_outcome
from tests.realdata import ROOT

REFERENCE = json.loads((ROOT / "tests" / "reference" / "nomogram_interactions.json").read_text())
PATIENTS = pd.DataFrame(REFERENCE["patients"]).assign(
    Sex=lambda d: pd.Categorical(d["Sex"], ["female", "male"]),
    Grade=lambda d: pd.Categorical(d["Grade"], ["2", "3", "4"]),
)
SURVIVAL = survival_outcome(PATIENTS["time"], PATIENTS["event"])
KNOTS = {"Age": [35, 55, 75], "Volume": [8, 20, 45]}
# predictors, splines and interactions of each model in R
MODELS: dict[str, tuple[list[str], list[str], list[tuple[str, str]]]] = {
    "number_category": (["Age", "Sex", "Volume"], [], [("Age", "Sex")]),
    "spline_category": (["Age", "Sex", "Grade"], ["Age"], [("Age", "Sex")]),
    "category_category": (["Sex", "Grade", "Age"], [], [("Sex", "Grade")]),
    "number_number": (["Age", "Volume", "Sex"], [], [("Age", "Volume")]),
    "spline_spline": (["Age", "Volume"], ["Age", "Volume"], [("Age", "Volume")]),
    "few_values": (["Age", "Nodes", "Grade"], [], [("Age", "Nodes")]),
    "chain": (["Age", "Sex", "Grade", "Volume"], [], [("Age", "Sex"), ("Sex", "Grade")]),
}
BINARY = ("spline_spline", "few_values", "chain")


def design_of(name: str) -> Design:
    predictors, splines, interactions = MODELS[name]
    knots = {column: KNOTS[column] for column in splines}
    return Design(predictors, splines=knots, interactions=interactions).fit(PATIENTS)


def fitted(name: str) -> tuple[Design, CoxModel | LogisticModel]:
    design = design_of(name)
    matrix = design.transform(PATIENTS)
    if name in BINARY:
        return design, LogisticModel().fit(matrix, PATIENTS["relapse"].to_numpy())
    return design, CoxModel().fit(matrix, SURVIVAL)


def small_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "a:x": [1.0, 2.0, 3.0, 4.0, 5.0, 7.0],
            "a:z": [2.0, 0.0, 1.0, 5.0, 1.0, 1.0],
            "a:c": pd.Categorical(list("uvwuvw")),
            "a:d": pd.Categorical(list("nyynyn")),
        }
    )


# --- by hand ------------------------------------------------------------------------------------


def test_products_by_hand() -> None:
    X = small_table()
    design = Design(["a:*"], interactions=[("a:x", "a:c"), ("a:x", "a:z")]).fit(X)
    matrix = design.transform(X)
    assert matrix.columns.tolist() == [
        "a:x", "a:z", "a:c=v", "a:c=w", "a:d=y",
        "a:x * a:c=v", "a:x * a:c=w", "a:x * a:z",
    ]  # fmt: skip
    assert matrix["a:x * a:c=v"].tolist() == [0, 2, 0, 0, 5, 0]
    assert matrix["a:x * a:c=w"].tolist() == [0, 0, 3, 0, 0, 7]
    assert matrix["a:x * a:z"].tolist() == [2, 0, 3, 20, 5, 7]
    first = design.interactions_[0]
    assert first.name == "a:x * a:c"
    assert first.ranges == ((1, 4), (2, 5), (3, 7))


def test_new_patients_are_scored_with_frozen_levels_and_knots() -> None:
    X = PATIENTS
    design = design_of("spline_category")
    one = X.iloc[[7]].assign(Age=81.5, Sex=pd.Categorical(["male"], ["male"]))
    row = design.transform(one).iloc[0]
    assert row["Age * Sex=male"] == 81.5
    assert row["Age' * Sex=male"] == row["Age'"] != 0
    woman = design.transform(one.assign(Sex="female")).iloc[0]
    assert woman["Age' * Sex=male"] == 0


# --- as in rms ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_columns_and_coefficients_equal_rms(name: str) -> None:
    expected = REFERENCE["models"][name]
    design, model = fitted(name)
    matrix = design.transform(PATIENTS)
    assert matrix.columns.tolist() == expected["design"]["columns"]
    rows = expected["design"]["rows"]
    np.testing.assert_allclose(matrix.iloc[: len(rows)], rows, rtol=1e-10, atol=1e-10)
    coefficients = expected["coefficients"][1 if name in BINARY else 0 :]
    np.testing.assert_allclose(model.coef_, coefficients, rtol=1e-6, atol=1e-9)


def test_the_interaction_is_a_term_of_its_own_in_the_test_of_proportional_hazards() -> None:
    design, model = fitted("number_category")
    terms = design.columns_of_terms()
    matrix = design.transform(PATIENTS)
    assert isinstance(model, CoxModel)
    test = proportional_hazards_test(model, matrix, SURVIVAL, terms=terms).table
    assert test["term"].tolist() == ["Age", "Sex", "Volume", "Age * Sex", "GLOBAL"]
    np.testing.assert_allclose(test["chi2"], REFERENCE["zph"]["chi2"], rtol=1e-6)
    np.testing.assert_allclose(test["p_value"], REFERENCE["zph"]["p_value"], rtol=1e-6)


# --- properties ---------------------------------------------------------------------------------


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([0.1, 12.0]))
def test_order_of_patients_and_units_do_not_matter(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    X = PATIENTS.sample(60, random_state=seed).reset_index(drop=True)
    order = rng.permutation(len(X))
    design = Design(["Age", "Sex"], splines={"Age": 3}, interactions=[("Age", "Sex")])
    plain = clone(design).fit(X).transform(X)
    moved = clone(design).fit(X.iloc[order]).transform(X)
    np.testing.assert_allclose(plain, moved, rtol=1e-12)
    other = X.assign(Age=X["Age"] * scale)
    scaled = clone(design).fit(other).transform(other)
    grown = [name for name in plain.columns if name.startswith("Age")]
    np.testing.assert_allclose(scaled[grown], plain[grown] * scale, rtol=1e-6, atol=1e-6)


def test_relabelling_a_category_renames_the_column_alone() -> None:
    renamed = PATIENTS.assign(Sex=PATIENTS["Sex"].cat.rename_categories(["f", "m"]))
    design = Design(["Age", "Sex"], interactions=[("Sex", "Age")])
    one, other = clone(design).fit(PATIENTS), clone(design).fit(renamed)
    assert other.get_feature_names_out().tolist() == ["Age", "Sex=m", "Sex=m * Age"]
    np.testing.assert_array_equal(one.transform(PATIENTS), other.transform(renamed))


# --- gaps ---------------------------------------------------------------------------------------


def with_gaps() -> pd.DataFrame:
    X = PATIENTS.copy()
    X.loc[[3, 50, 51], "Age"] = np.nan
    X.loc[[3, 80], "Sex"] = np.nan
    return X


@pytest.mark.parametrize("missing", ["median", "chained"])
def test_products_are_of_filled_values(missing: Missing) -> None:
    X = with_gaps()
    design = Design(["Age", "Sex", "Volume"], interactions=[("Age", "Sex")], missing=missing)
    matrix = design.fit(X).transform(X)
    assert matrix.notna().all(axis=None)
    np.testing.assert_array_equal(matrix["Age * Sex=male"], matrix["Age"] * matrix["Sex=male"])


def test_a_level_missing_takes_no_part() -> None:
    X = with_gaps()
    design = Design(["Age", "Sex"], interactions=[("Age", "Sex")], missing="indicator").fit(X)
    matrix = design.transform(X)
    assert matrix.columns.tolist() == [
        "Age", "Age (missing)", "Sex=male", "Sex=missing", "Age * Sex=male"
    ]  # fmt: skip
    assert matrix.loc[80, ["Sex=missing", "Age * Sex=male"]].tolist() == [1, 0]
    assert matrix.loc[50, "Age"] == X["Age"].median()
    new = design.transform(X.iloc[[80]])
    pd.testing.assert_frame_equal(new, matrix.iloc[[80]])


def test_a_row_without_prediction_stays_empty() -> None:
    X = with_gaps()
    design = Design(["Age", "Sex"], interactions=[("Age", "Sex")], missing="complete_case").fit(X)
    matrix = design.transform(X)
    assert matrix.index[matrix.isna().all(axis=1)].tolist() == [3, 50, 51, 80]
    assert matrix["Age * Sex=male"].notna().sum() == len(X) - 4


def test_an_interaction_goes_with_a_predictor_that_is_not_used() -> None:
    X = PATIENTS.assign(Nodes=1)
    design = Design(["Age", "Nodes"], interactions=[("Age", "Nodes")]).fit(X)
    assert design.interactions_ == ()
    assert design.dropped_.to_numpy().tolist()[1] == ["Age * Nodes", "Nodes is not used"]
    assert design.transform(X).columns.tolist() == ["Age"]


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interactions", "message"),
    [
        ([("a:x", "a:q")], r"'a:q' is none of 4\..*Add it to predictors, or take"),
        ([("a:x", "a:*")], r"'a:\*' is none of 4\. Name each column itself"),
        ([("a:x", "a:x")], "pairs of two different predictors"),
        ([("a:x", "a:z", "a:c")], "Of three predictors that interact, name each pair"),
        (["a:x"], "pairs of two different predictors, but 'a:x' came"),
        ("a:x", "a list of pairs, but the text 'a:x' came"),
        ([("a:x", "a:z"), ("a:z", "a:x")], r"name a pair once, but 'a:z \* a:x' comes again"),
    ],
)
def test_wrong_interaction_is_named(interactions: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Design(["a:*"], interactions=interactions).fit(small_table())


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (("a:c", "a:d"), r"in each of its 6 combinations, but 2 have none .first: 'u' with 'y'"),
        (("a:y", "a:d"), "must tell more than its two predictors, but among 6 patients"),
    ],
)
def test_an_interaction_that_cannot_be_estimated_is_refused(
    pair: Sequence[str], message: str
) -> None:
    # y is the same in every patient of level y
    X = small_table().assign(**{"a:y": [1.0, 4.0, 4.0, 2.0, 4.0, 3.0]})
    with pytest.raises(FitError, match=message):
        Design(["a:*"], interactions=[pair]).fit(X)


def test_five_patients_are_enough_for_a_product() -> None:
    X = small_table().iloc[:5].drop(columns=["a:c", "a:d"])
    assert Design(["a:*"], interactions=[("a:x", "a:z")]).fit(X).transform(X).shape == (5, 3)
