"""Associations of factors against scipy, R, hand-worked figures; the correction: statsmodels."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from models.associations import associations
from omics.outcome import survival_outcome

R = json.loads((Path(__file__).parent / "reference" / "meaning.json").read_text())


def made_columns(n: int = 60, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    factors = pd.DataFrame(rng.normal(size=(n, 2)), columns=["factors:F1", "factors:F2"])
    columns = pd.DataFrame(
        {
            "clinical:Age": (factors["factors:F1"] + rng.normal(size=n)).round(1),
            "clinical:KPS": rng.choice([70.0, 80.0, 90.0], n),
            "clinical:Grade": pd.Categorical(
                np.digitize(factors["factors:F2"] + rng.normal(size=n), [-0.5, 0.5]).astype(str),
                categories=["0", "1", "2", "3"],  # nobody has 3
            ),
        }
    )
    columns.iloc[:4, 0] = np.nan
    columns.iloc[2:7, 2] = np.nan
    return factors, columns


def test_associations_are_those_of_scipy_and_statsmodels() -> None:
    factors, columns = made_columns()
    table = associations(factors, columns)
    assert table[["factor", "column"]].to_numpy().tolist() == [
        [factor, column] for factor in factors for column in columns
    ]
    for row in table.itertuples():
        x, values = factors[row.factor], columns[row.column]
        known = values.notna()
        assert row.n_patients == known.sum()
        if row.test == "Spearman":
            expected = stats.spearmanr(x[known], values[known])
            assert (row.measure, row.effect) == ("rho", pytest.approx(expected.statistic))
        else:
            assert row.column == "clinical:Grade"
            expected = stats.kruskal(*[x[values == level] for level in ("0", "1", "2")])
            # eta squared: sum of squares between the levels over the total, of the ranks
            ranks = x[known].rank()
            between = ranks.groupby(values[known], observed=True).transform("mean")
            assert row.effect == pytest.approx(between.var() / ranks.var(), abs=1e-12)
        assert row.p_value == pytest.approx(expected.pvalue, rel=1e-10)
    adjusted = multipletests(table["p_value"], method="fdr_bh")[1]
    np.testing.assert_allclose(table["p_adjusted"], adjusted, rtol=1e-12)
    assert (table["p_adjusted"] >= table["p_value"]).all()


def test_untestable_columns_are_left_out_of_the_correction() -> None:
    factors, columns = made_columns()
    columns["clinical:constant"] = 1.0
    columns["clinical:few"] = [1.0, 2.0, 3.0, *[np.nan] * 57]
    columns["clinical:one level"] = pd.Categorical(["a"] * 60, categories=["a", "b"])
    table = associations(factors, columns)
    untested = table["p_value"].isna()
    assert set(table.loc[untested, "column"]) == {
        "clinical:constant", "clinical:few", "clinical:one level"
    }  # fmt: skip
    assert table.loc[untested, ["effect", "p_adjusted"]].isna().all(axis=None)
    without = associations(factors, columns[columns.columns[:3]])
    np.testing.assert_array_equal(table.loc[~untested, "p_adjusted"], without["p_adjusted"])


def test_a_factor_switched_off_has_no_association() -> None:
    factors, columns = made_columns()
    table = associations(factors.assign(**{"factors:F2": 0.0}), columns)
    off = table["factor"] == "factors:F2"
    assert table.loc[off, "effect"].isna().all()
    assert table.loc[~off, "effect"].notna().all()


@given(seed=st.integers(0, 50))
def test_order_of_patients_and_units_do_not_matter(seed: int) -> None:
    factors, columns = made_columns(n=30, seed=seed)
    order = np.random.default_rng(seed).permutation(30)
    other = columns.iloc[order].assign(**{"clinical:Age": columns["clinical:Age"] * 365.25})
    one, two = associations(factors, columns), associations(factors.iloc[order], other)
    for column in ("effect", "p_adjusted"):
        np.testing.assert_allclose(one[column], two[column], atol=1e-10)


def test_reversing_a_factor_turns_the_sign_of_rho_alone() -> None:
    factors, columns = made_columns()
    one, two = associations(factors, columns), associations(-factors, columns)
    ranked = one["test"] == "Spearman"
    np.testing.assert_allclose(two.loc[ranked, "effect"], -one.loc[ranked, "effect"], atol=1e-12)
    np.testing.assert_allclose(two.loc[~ranked, "effect"], one.loc[~ranked, "effect"], atol=1e-12)


def test_other_patients_are_refused() -> None:
    factors, columns = made_columns()
    with pytest.raises(ValueError, match="same patients in the same order"):
        associations(factors, columns.iloc[::-1])


# by the type of the column --------------------------------------------------------------------


def r_patients() -> tuple[pd.DataFrame, pd.DataFrame, Any]:
    data = R["data"]
    factor = pd.DataFrame({"factors:F1": data["factor"]})
    columns = pd.DataFrame(
        {
            "clinical:number": data["number"],
            "flags:binary": np.array(data["binary"], dtype=np.float64),
            "clinical:ordered": pd.Categorical(
                data["ordered"], categories=["low", "mid", "high"], ordered=True
            ),
            "clinical:nominal": pd.Categorical(data["nominal"]),
        }
    )
    return factor, columns, survival_outcome(data["time"], np.array(data["event"], dtype=bool))


@pytest.mark.parametrize(
    ("column", "test", "measure"),
    [
        ("clinical:number", "Spearman", "rho"),
        ("flags:binary", "Mann-Whitney", "2 AUC - 1"),
        ("clinical:ordered", "Kendall", "tau-b"),
        ("clinical:nominal", "Kruskal-Wallis", "eta squared"),
        ("outcome:OS", "Cox", "2 C - 1"),
    ],
)
def test_each_type_of_column_is_tested_as_r_does(column: str, test: str, measure: str) -> None:
    factor, columns, y = r_patients()
    table = associations(factor, columns, outcome=y, outcome_name="OS").set_index("column")
    expected = R["associations"][column.partition(":")[2]]
    row = table.loc[column]
    assert (row["test"], row["measure"], row["n_patients"]) == (test, measure, 45)
    assert row["effect"] == pytest.approx(expected["effect"], abs=1e-10)
    assert row["p_value"] == pytest.approx(expected["p_value"], rel=1e-8)
    assert table.loc[column, "p_adjusted"] == pytest.approx(
        R["associations"]["adjusted"][column.partition(":")[2]], rel=1e-8
    )


def test_effects_by_hand() -> None:
    factor = pd.DataFrame({"factors:F1": [1.0, 2.0, 3.0, 4.0, 5.0]})
    columns = pd.DataFrame(
        {
            "flags:up": [0.0, 1.0, 0.0, 1.0, 1.0],  # 5 of 6 pairs: AUC 5/6
            "flags:down": pd.Categorical(list("mwmww"), categories=["w", "m"]),
            "clinical:grade": pd.Categorical(
                ["2", "2", "3", "4", "3"], categories=["2", "3", "4"], ordered=True
            ),
        }
    )
    y = survival_outcome([5.0, 4.0, 3.0, 2.0, 1.0], [True] * 5)  # the higher, the earlier
    table = associations(factor, columns, outcome=y).set_index("column")
    assert table.loc["flags:up", "effect"] == pytest.approx(2 / 3)
    assert table.loc["flags:down", "effect"] == pytest.approx(-2 / 3)
    # 7 concordant pairs, 1 discordant, 2 tied: tau-b = 6 / sqrt(10 * 8)
    assert table.loc["clinical:grade", "effect"] == pytest.approx(6 / np.sqrt(80))
    assert table.loc["outcome:outcome", "effect"] == 1.0


def test_where_the_factor_is_higher_by_hand() -> None:
    factor = pd.DataFrame({"factors:F1": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]})
    columns = pd.DataFrame(
        {
            "clinical:Age": [60.0, 50.0, 55.0, 40.0, 30.0, 20.0],
            "flags:IDH": [0.0, 0.0, 1.0, np.nan, 1.0, 1.0],
            "clinical:Sex": pd.Categorical(["m", "m", "f", "m", "f", "f"], categories=["f", "m"]),
            "clinical:even": [1.0, 0.0, 0.0, 0.0, 0.0, 1.0],
            "clinical:grade": pd.Categorical(list("432322"), list("234"), ordered=True),
            "clinical:site": pd.Categorical(list("acabbc")),  # mean ranks 2, 4.5, 4
            "clinical:same": pd.Categorical(list("abccba")),
        }
    )
    y = survival_outcome([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [True, True, False, True, True, True])
    for sign, expected in (
        (1, ["smaller values", "1", "f", "", "earlier levels", "b", "", "later events, or none"]),
        (-1, ["larger values", "0", "m", "", "later levels", "a", "", "earlier events"]),
    ):
        table = associations(sign * factor, columns, outcome=y)
        assert table["higher_in"].tolist() == expected
    off = associations(0 * factor, columns, outcome=y)
    assert set(off["higher_in"]) == {""}


@given(seed=st.integers(0, 30))
def test_of_two_levels_the_higher_has_the_larger_mean_rank(seed: int) -> None:
    factors, columns = made_columns(seed=seed)
    columns = columns.assign(**{"clinical:Sex": columns["clinical:KPS"] > 75})
    for row in (
        associations(factors, columns)
        .query("test in ['Mann-Whitney', 'Kruskal-Wallis']")
        .itertuples()
    ):
        values = columns[row.column].dropna()
        ranks = factors.loc[values.index, row.factor].rank().groupby(values, observed=True).mean()
        shown = {f"{key:g}" if isinstance(key, bool) else str(key): v for key, v in ranks.items()}
        assert row.higher_in == max(shown, key=lambda level: shown[level])


def test_a_binary_outcome_is_tested_as_a_binary_column() -> None:
    factor, columns, _ = r_patients()
    flag = columns["flags:binary"].to_numpy() == 1
    table = associations(factor, columns, outcome=flag, outcome_name="IDH").set_index("column")
    shown = ["test", "effect", "p_value", "n_patients"]
    assert table.loc["outcome:IDH", shown].tolist() == table.loc["flags:binary", shown].tolist()


def test_columns_that_made_the_factors_are_marked() -> None:
    factor, columns, y = r_patients()
    table = associations(factor, columns, outcome=y, learned_from={"flags:binary", "rna:A"})
    assert table.loc[table["learned_from"], "column"].tolist() == ["flags:binary"]
    assert table["p_adjusted"].notna().all()


def test_an_outcome_that_cannot_be_tested_is_empty() -> None:
    factor, columns, _ = r_patients()
    late = survival_outcome(np.arange(45) + 1.0, np.arange(45) >= 44)
    one_event = associations(factor, columns, outcome=late).set_index("column")
    assert one_event.loc["outcome:outcome", ["effect", "p_value"]].isna().all()
    alone = survival_outcome(np.arange(45) + 1.0, np.arange(45) >= 43)
    same = factor.assign(**{"factors:F1": np.r_[np.arange(43.0), 7.0, 7.0]})
    table = associations(same, columns, outcome=alone).set_index("column")
    assert np.isnan(table.loc["outcome:outcome", "p_value"])
    # the two events are the last, at one time: the score test says p = 1 of nothing
    tied = survival_outcome(np.r_[np.arange(43.0) + 1, 99.0, 99.0], np.arange(45) >= 43)
    table = associations(factor, columns, outcome=tied).set_index("column")
    assert table.loc["outcome:outcome", ["effect", "p_value", "p_adjusted"]].isna().all()


def test_an_outcome_of_other_patients_is_refused() -> None:
    factor, columns, y = r_patients()
    with pytest.raises(ValueError, match=r"one value for each of 45 patients, but has 44"):
        associations(factor, columns, outcome=y[:-1])
