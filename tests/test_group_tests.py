"""Tests of table one: R's own figures, hand-worked tables, and where there is no test."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.group_tests import DRAWS, Numbers, fisher_exact, group_tests
from tests.baseline_reference import CATEGORIES, PATIENTS, R

TWO = PATIENTS[PATIENTS["group"] != "c"]


def in_rows(patients: pd.DataFrame, numbers: Numbers = "rank") -> dict[str, dict[str, Any]]:
    columns = patients.drop(columns="group")
    table = group_tests(columns, patients["group"].array, numbers=numbers)
    return {str(row["column"]): row for row in table.to_dict("records")}


@pytest.mark.parametrize(("patients", "groups"), [(TWO, "two"), (PATIENTS, "three")])
def test_every_test_is_r_s(patients: pd.DataFrame, groups: str) -> None:
    found, expected = in_rows(patients), R["tests"][groups]
    for column in ("age", "ki67", "sex", "grade"):
        ours = [found[column]["statistic"], found[column]["p_value"]]
        theirs = [expected[column]["statistic"], expected[column]["p_value"]]
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    for column in ("site", "rare"):
        assert found[column]["test"] == "Fisher's exact"
        # fisher.test itself stops at about 1e-7
        assert found[column]["p_value"] == pytest.approx(expected[column], rel=1e-6)
    welch = in_rows(patients, "welch")["age"]
    assert [welch["statistic"], welch["p_value"]] == pytest.approx(
        [expected["welch"]["statistic"], expected["welch"]["p_value"]], rel=1e-9
    )


def test_names_of_the_tests() -> None:
    two, three = in_rows(TWO), in_rows(PATIENTS)
    assert [two[c]["test"] for c in ("age", "sex")] == ["Wilcoxon", "chi-square"]
    assert [three[c]["test"] for c in ("age", "grade")] == ["Kruskal-Wallis", "chi-square"]
    assert in_rows(TWO, "welch")["age"]["test"] == "Welch's t"
    assert in_rows(PATIENTS, "welch")["age"]["test"] == "Welch's F"
    assert two["age"]["n_patients"] == TWO["age"].notna().sum()


def test_few_patients_without_ties_are_tested_exactly() -> None:
    found = in_rows(TWO.head(60))["age"]
    assert found["test"] == "exact Wilcoxon"
    expected = R["tests"]["two"]["exact"]
    assert [found["statistic"], found["p_value"]] == pytest.approx(
        [expected["statistic"], expected["p_value"]], rel=1e-10
    )


def test_fisher_s_tea_by_hand() -> None:
    assert fisher_exact(np.array([[4, 0], [0, 4]])) == pytest.approx(2 / 70, rel=1e-12)
    assert fisher_exact(np.array([[3, 1], [1, 3]])) == pytest.approx(34 / 70, rel=1e-12)


@settings(max_examples=40)
@given(cells=st.lists(st.integers(0, 9), min_size=4, max_size=4))
def test_fisher_of_four_cells_is_scipy_s(cells: list[int]) -> None:
    counts = np.array(cells).reshape(2, 2)
    expected = stats.fisher_exact(counts).pvalue
    assert fisher_exact(counts) == pytest.approx(expected, rel=1e-9)
    assert fisher_exact(counts.T[::-1]) == pytest.approx(expected, rel=1e-9)


def test_a_table_too_large_to_lay_out_is_compared_with_drawn_ones() -> None:
    counts = np.array(R["large"])
    assert np.isnan(fisher_exact(counts))
    level, group = (
        np.repeat(codes, counts.ravel()) for codes in np.indices(counts.shape).reshape(2, -1)
    )
    X = pd.DataFrame({"site": pd.Categorical(level)})
    found = group_tests(X, pd.Categorical(group), numbers="rank").iloc[0]
    assert found["test"] == "simulated chi-square"
    p = R["simulated"]  # of a million tables; ours of fewer, four standard errors
    assert found["p_value"] == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / DRAWS))
    again = group_tests(X, pd.Categorical(group), numbers="rank", seed=0).iloc[0]
    assert again["p_value"] == found["p_value"]


@pytest.mark.parametrize("numbers", ["rank", "welch"])
def test_order_of_patients_and_unit_change_nothing(numbers: Numbers) -> None:
    rows = np.random.default_rng(3).permutation(len(PATIENTS))
    mixed = PATIENTS.iloc[rows].assign(age=lambda t: 12 * t["age"])
    before, after = in_rows(PATIENTS, numbers), in_rows(mixed, numbers)
    for column in ("age", *CATEGORIES):
        assert after[column]["p_value"] == pytest.approx(before[column]["p_value"], rel=1e-9)


def test_groups_further_apart_have_a_smaller_p() -> None:
    apart = TWO.assign(age=TWO["age"] + 5.0 * (TWO["group"] == "b"))
    for numbers in ("rank", "welch"):
        assert in_rows(apart, numbers)["age"]["p_value"] < in_rows(TWO, numbers)["age"]["p_value"]


@pytest.mark.parametrize("numbers", ["rank", "welch"])
@pytest.mark.parametrize(
    "values",
    [
        [np.nan] * 5,
        [2.0] * 5,  # nothing varies
        [1.0, 2.0, 3.0, np.nan, np.nan],  # one group is known
        pd.Categorical([None] * 5),
        pd.Categorical(["x"] * 5),
        pd.Categorical(["x", "y", "x", None, None]),
    ],
)
def test_where_there_is_no_test_there_is_no_p(values: Any, numbers: Numbers) -> None:
    group = pd.Categorical(["a", "a", "a", "b", "b"])
    found = group_tests(pd.DataFrame({"x": values}), group, numbers=numbers).iloc[0]
    assert np.isnan(found["p_value"])
    assert np.isnan(found["statistic"])
    assert found["n_patients"] == pd.Series(values).notna().sum()


def test_welch_needs_two_patients_who_differ_in_each_group() -> None:
    group = pd.Categorical(["a", "a", "a", "b"])
    X = pd.DataFrame({"x": [1.0, 2, 3, 4]})
    assert np.isnan(group_tests(X, group, numbers="welch")["p_value"].item())
    assert group_tests(X, group, numbers="rank")["p_value"].item() == pytest.approx(0.5)


def test_wrong_input_is_named() -> None:
    X = pd.DataFrame({"x": [1.0, 2]})
    with pytest.raises(ValueError, match=r"numbers must be one of \('rank', 'welch'\), but 't'"):
        group_tests(X, pd.Categorical(["a", "b"]), numbers="t")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="group must be a category"):
        group_tests(X, pd.Series(["a", "b"]), numbers="rank")
