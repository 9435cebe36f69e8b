"""Table one against pandas."""

import numpy as np
import pandas as pd
import pytest

from models.description import table_one
from omics.cohort import DEVELOPMENT
from tests.made_cohorts import made_cohort, with_table

COLUMNS = ["clinical:Age", "clinical:Grade"]


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
