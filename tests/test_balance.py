"""Standardised differences: by hand, against the published formula in R, then what always holds."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.balance import standardised_differences
from tests.baseline_reference import CATEGORIES, PATIENTS, R

ARMS = pd.Categorical(["a"] * 4 + ["b"] * 4)


def difference(values: object, group: pd.Categorical = ARMS) -> float:
    found = standardised_differences(pd.DataFrame({"x": values}), group)
    return float(found.table["difference"].item())


def test_every_column_and_pair_is_that_of_the_formula_in_r() -> None:
    found = standardised_differences(PATIENTS.drop(columns="group"), PATIENTS["group"])
    pairs = found.table[["reference", "group"]].head(3).to_numpy().tolist()
    assert pairs == R["pairs"]
    for column in ("age", "ki67", *CATEGORIES):
        ours = found.table.query("column == @column")["difference"]
        np.testing.assert_allclose(ours, R["differences"][column], rtol=1e-10)
    assert found.n_patients == 150
    largest = max(max(one) for one in R["differences"].values())
    assert repr(found) == f"Balance(6 columns, 150 patients, largest {largest:.3f})"


def test_summary_is_the_mean_and_the_largest_of_the_pairs() -> None:
    found = standardised_differences(PATIENTS[["age", "grade"]], PATIENTS["group"]).summary
    assert found["column"].tolist() == ["age", "grade"]
    assert found["n_pairs"].tolist() == [3, 3]
    for row in found.itertuples():
        values = R["differences"][str(row.column)]
        assert (row.mean, row.largest) == pytest.approx((np.mean(values), max(values)), rel=1e-10)


def test_two_levels_by_hand() -> None:
    shares = [0.25, 0.75]
    flags = pd.Categorical(["n", "n", "n", "y", "n", "y", "y", "y"])
    spread = np.sqrt(np.mean([p * (1 - p) for p in shares]))
    assert difference(flags) == pytest.approx(0.5 / spread, rel=1e-12)


def test_a_level_that_nobody_has_changes_nothing() -> None:
    few = ["n", "n", "n", "y", "n", "y", "y", "y"]
    for levels in (["n", "y", "none"], ["none", "n", "y"]):
        empty = difference(pd.Categorical(few, categories=levels))
        assert empty == pytest.approx(difference(pd.Categorical(few)), rel=1e-10)


def test_where_nobody_varies_a_difference_is_nothing_or_infinite() -> None:
    assert difference([0.1] * 8) == 0
    assert difference([0.1] * 4 + [0.2] * 4) == np.inf
    assert difference(pd.Categorical(["x"] * 8)) == 0
    assert difference(pd.Categorical(["x"] * 4 + ["y"] * 4)) == np.inf
    both = pd.Categorical(["x", "y", "x", "y", "z", "z", "z", "z"])  # z is told from the others
    assert difference(both) == np.inf


def test_what_is_missing_is_left_out() -> None:
    values = np.array([1.0, 2, 3, np.nan, 2, 3, 4, 9])
    group = ARMS.set_categories(["a", "b"])
    without_last = pd.Categorical(["a"] * 4 + ["b"] * 3 + [None])
    found = standardised_differences(pd.DataFrame({"x": values}), without_last)
    assert found.table[["n_patients", "difference"]].to_numpy().tolist() == [[6, 1.0]]
    assert found.n_patients == 7
    assert np.isnan(difference([1.0, np.nan, np.nan, np.nan, 2, 3, 4, 9], group))
    assert np.isnan(difference(pd.Categorical([None] * 4 + ["x", "y"] * 2)))


def test_one_group_has_no_pair() -> None:
    found = standardised_differences(PATIENTS[["age"]], pd.Categorical(["a"] * 150))
    assert found.table.empty


@given(
    values=st.lists(st.integers(-50, 50), min_size=8, max_size=8),
    scale=st.sampled_from([0.01, 1.0, 365.25]),
    order=st.permutations(range(8)),
)
def test_order_unit_and_names_of_groups_change_nothing(
    values: list[int], scale: float, order: list[int]
) -> None:
    x = np.array(values, dtype=float)
    expected = difference(x)
    assert difference(scale * x + 7) == pytest.approx(expected, rel=1e-6)
    assert difference(x[order], ARMS[order]) == pytest.approx(expected, rel=1e-9)
    assert difference(x, ARMS.rename_categories(["z", "y"])) == pytest.approx(expected, rel=1e-9)
    assert difference(x, ARMS.reorder_categories(["b", "a"])) == pytest.approx(expected, rel=1e-9)


def test_moving_a_group_away_makes_the_difference_grow() -> None:
    x = np.array([1.0, 2, 3, 4, 1, 2, 3, 4])
    found = [difference(x + shift * (ARMS.codes == 1)) for shift in (0, 1, 2)]
    assert found == pytest.approx([0, 1 / np.sqrt(5 / 3), 2 / np.sqrt(5 / 3)])


def test_wrong_groups_are_named() -> None:
    X = pd.DataFrame({"x": [1.0, 2]})
    with pytest.raises(ValueError, match="group must be a category, but Series of another kind"):
        standardised_differences(X, pd.Series([1, 2]))
    with pytest.raises(ValueError, match="group must have one value for each of 2 patients, but"):
        standardised_differences(X, pd.Categorical(["a"]))
