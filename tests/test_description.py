"""Table one against pandas, associations against scipy, the correction against statsmodels."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from models.description import associations, table_one
from omics.cohort import DEVELOPMENT
from tests.made_cohorts import made_cohort, with_table

COLUMNS = ["clinical:Age", "clinical:Grade"]

# table one ------------------------------------------------------------------------------------


def test_table_one_is_pandas_own() -> None:
    cohort = made_cohort(90, external=30)
    X = cohort.X.copy()
    X.iloc[[3, 5, 70], 0] = np.nan
    X.iloc[[3, 80, 81], 1] = np.nan
    table = table_one(with_table(cohort, X), COLUMNS)
    for label in (DEVELOPMENT, "elsewhere"):
        part = X[cohort.group == label]
        age = table.query("column == 'clinical:Age' and cohort == @label").iloc[0]
        described = part["clinical:Age"].describe()
        ours = age[["n_known", "mean", "sd", "minimum", "q1", "median", "q3", "maximum"]]
        np.testing.assert_allclose(ours.astype(float), described, rtol=1e-12)
        assert age["n_missing"] == part["clinical:Age"].isna().sum()
        assert age[["level", "count", "share"]].isna().all()
        grade = table.query("column == 'clinical:Grade' and cohort == @label").set_index("level")
        counts = part["clinical:Grade"].value_counts(sort=False)
        assert grade["count"].to_dict() == counts.to_dict()
        shares = part["clinical:Grade"].value_counts(sort=False, normalize=True)
        np.testing.assert_allclose(grade["share"], shares, rtol=1e-12)
        assert set(grade["n_missing"]) == {part["clinical:Grade"].isna().sum()}
        assert grade[["mean", "sd", "median"]].isna().all(axis=None)


def test_table_one_by_hand() -> None:
    cohort = made_cohort(4, p=1)
    X = cohort.X.copy()
    X["clinical:Age"] = [40.0, 50.0, np.nan, 60.0]
    X["clinical:Grade"] = pd.Categorical(["3", "3", "2", np.nan], categories=["2", "3", "4"])
    table = table_one(with_table(cohort, X), COLUMNS)
    age, *grades = table.to_dict("records")
    assert (age["n_known"], age["n_missing"], age["mean"], age["sd"]) == (3, 1, 50.0, 10.0)
    assert (age["q1"], age["median"], age["q3"]) == (45.0, 50.0, 55.0)
    assert [(g["level"], g["count"]) for g in grades] == [("2", 1), ("3", 2), ("4", 0)]
    assert [g["share"] for g in grades] == pytest.approx([1 / 3, 2 / 3, 0.0])


def test_table_one_of_one_known_value_and_of_none() -> None:
    cohort = made_cohort(5, p=1)
    X = cohort.X.copy()
    X["clinical:Age"] = [50.0, *[np.nan] * 4]
    X["mri:f0"] = np.nan
    X["clinical:Grade"] = pd.Categorical([np.nan] * 5, categories=["2", "3"])
    table = table_one(with_table(cohort, X), [*COLUMNS, "mri:f0"]).set_index("column")
    assert table.loc["clinical:Age", "mean"] == 50.0
    assert np.isnan(table.loc["clinical:Age", "sd"])
    assert table.loc["mri:f0", ["n_known", "n_missing"]].tolist() == [0, 5]
    assert np.isnan(table.loc["mri:f0", "mean"])
    assert table.loc["clinical:Grade", "share"].isna().all()


# associations ---------------------------------------------------------------------------------


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
            assert row.effect == pytest.approx(expected.statistic, abs=1e-12)
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
