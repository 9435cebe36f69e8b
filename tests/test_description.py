"""Table one against pandas."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.balance import standardised_differences
from models.description import table_one
from models.group_tests import group_tests
from omics.cohort import DEVELOPMENT, Cohort
from tests.made_cohorts import made_cohort, with_table

COLUMNS = ["clinical:Age", "clinical:Grade"]


def test_table_one_is_pandas_own() -> None:
    cohort = made_cohort(90, external=30)
    X = cohort.X.copy()
    X.iloc[[3, 5, 70], 0] = np.nan
    X.iloc[[3, 80, 81], 1] = np.nan
    table = table_one(with_table(cohort, X), COLUMNS).table
    for label in (DEVELOPMENT, "elsewhere"):
        part = X[cohort.group == label]
        age = table.query("column == 'clinical:Age' and group == @label").iloc[0]
        described = part["clinical:Age"].describe()
        ours = age[["n_known", "mean", "sd", "minimum", "q1", "median", "q3", "maximum"]]
        np.testing.assert_allclose(ours.astype(float), described, rtol=1e-12)
        assert age["n_missing"] == part["clinical:Age"].isna().sum()
        assert age[["level", "count", "share"]].isna().all()
        grade = table.query("column == 'clinical:Grade' and group == @label").set_index("level")
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
    table = table_one(with_table(cohort, X), COLUMNS).table
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
    table = table_one(with_table(cohort, X), [*COLUMNS, "mri:f0"]).table.set_index("column")
    assert table.loc["clinical:Age", "mean"] == 50.0
    assert np.isnan(table.loc["clinical:Age", "sd"])
    assert table.loc["mri:f0", ["n_known", "n_missing"]].tolist() == [0, 5]
    assert np.isnan(table.loc["mri:f0", "mean"])
    assert table.loc["clinical:Grade", "share"].isna().all()


def by_treatment(n_unknown: int = 2) -> Cohort:
    """A cohort of which some external; development patients were treated, not, or who knows."""
    cohort = made_cohort(90, external=30)
    treated = pd.Categorical(np.where(np.arange(90) % 3, "yes", "no"), categories=["no", "yes"])
    X = cohort.X.assign(**{"clinical:treated": treated})
    X.iloc[:n_unknown, -1] = np.nan
    return with_table(cohort, X)


def test_cohorts_are_compared_and_not_tested_by_default() -> None:
    cohort = made_cohort(90, external=30)
    found = table_one(cohort, COLUMNS)
    labels = pd.Categorical(cohort.group, categories=[DEVELOPMENT, "elsewhere"])
    assert found.balance is not None
    expected = standardised_differences(cohort.X[COLUMNS], labels).table
    pd.testing.assert_frame_equal(found.balance.table, expected)
    assert found.tests is None
    assert (found.by, found.n_patients, found.n_unknown) == ("cohort", 90, 0)
    assert repr(found) == "TableOne(2 columns, 2 groups, 90 patients)"


def test_a_column_divides_the_development_patients() -> None:
    cohort = by_treatment()
    columns = [*COLUMNS, "clinical:treated"]
    found = table_one(cohort, columns, by="clinical:treated", tests="welch")
    here = cohort.X.iloc[2:60]
    assert list(dict.fromkeys(found.table["group"])) == ["no", "yes"]
    assert set(found.table["column"]) == set(COLUMNS)
    for level in ("no", "yes"):
        row = found.table.query("column == 'clinical:Age' and group == @level").iloc[0]
        ages = here.loc[here["clinical:treated"] == level, "clinical:Age"]
        assert (row["n_known"], row["mean"]) == (len(ages), pytest.approx(ages.mean()))
    assert (found.n_patients, found.n_unknown) == (58, 2)
    tested = group_tests(here[COLUMNS], here["clinical:treated"], numbers="welch")
    assert found.tests is not None
    pd.testing.assert_frame_equal(found.tests, tested)


def test_differences_can_be_left_out_and_need_two_groups() -> None:
    assert table_one(made_cohort(90, external=30), COLUMNS, differences=False).balance is None
    alone = table_one(made_cohort(40), COLUMNS, tests="rank")
    assert (alone.balance, alone.tests) == (None, None)


def test_centres_are_groups() -> None:
    cohort = made_cohort(40)
    centre = pd.Series(np.where(np.arange(40) % 2, "east", "west"), cohort.X.index, dtype=object)
    centre.iloc[0] = np.nan
    found = table_one(replace(cohort, centre=centre), COLUMNS, by="centre")
    assert list(dict.fromkeys(found.table["group"])) == ["east", "west"]
    assert found.n_unknown == 1


def test_groups_that_do_not_exist_are_named() -> None:
    cohort = by_treatment()
    with pytest.raises(ValueError, match=r"by must be 'cohort'.*'clinical:treatd' came. Did you"):
        table_one(cohort, COLUMNS, by="clinical:treatd")
    with pytest.raises(ValueError, match=r"by must be 'cohort'.*'centre' came"):
        table_one(cohort, COLUMNS, by="centre")
    with pytest.raises(ValueError, match="by must be a category, but 'clinical:Age' is a number"):
        table_one(cohort, COLUMNS, by="clinical:Age")
