"""Figures by centre and subgroup: everybody is the whole, counts add up, mistakes are named."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from models import discrimination
from models.calibration import observed_expected_at
from models.cox import CoxModel
from models.logistic import LogisticModel
from models.performance import COLUMNS, performance
from models.pipeline import risk_pipeline
from models.subgroups import SUBGROUPS, Subgroups, subgroup_levels, subgroups
from models.validation import Plan, Validation, validate
from omics.cohort import Cohort
from tests.made_cohorts import made_cohort

PLAN = Plan(folds=3, repeats=2, bootstrap=0, draws=21, seed=5)


def with_centres(kind: str = "survival") -> Cohort:
    """Give three centres of which one is small, and grades of which some are unknown."""
    cohort = made_cohort(150, kind=kind, external=50, seed=3)
    centre = pd.Series("A", index=cohort.X.index, dtype=object)
    centre.iloc[60:90] = "B"
    centre.iloc[90:95] = "C"
    centre.iloc[95:100] = np.nan
    centre.iloc[100:] = "D"
    X = cohort.X.copy()
    X.iloc[:6, X.columns.get_loc("clinical:Grade")] = np.nan
    return Cohort(**{**vars(cohort), "X": X, "centre": centre})


COHORT = with_centres()
VALIDATION = validate(
    {"cox": risk_pipeline(["clinical:*"], CoxModel(), missing="median")}, COHORT, plan=PLAN
)
SPLITS: dict[str, Any] = {
    "clinical:Grade": "levels",
    "clinical:Age": [50, 60],
    "rna:f0": [-1000],
}
FOUND = subgroups(VALIDATION, COHORT, splits=SPLITS)


def rows(subgroup: str, level: str, cohort: str = "development") -> pd.DataFrame:
    table = FOUND.table
    return table[
        (table["subgroup"] == subgroup)
        & (table["subgroup_level"] == level)
        & (table["cohort"] == cohort)
    ]


def figure(part: pd.DataFrame, metric: str, horizon: float = np.nan) -> pd.Series:
    same = part["horizon"].isna() if np.isnan(horizon) else part["horizon"] == horizon
    found = part[(part["metric"] == metric) & same]
    assert len(found) == 1
    return found.iloc[0]


def test_a_subgroup_of_everybody_has_the_figures_of_the_whole() -> None:
    whole = performance(VALIDATION, thresholds=[0.5]).table
    for cohort, kind in (("development", "cross_validated"), ("elsewhere", "external")):
        expected = whole[(whole["cohort"] == cohort) & (whole["validation"] == kind)]
        found = rows("rna:f0", "-1000 and above", cohort)[COLUMNS]
        pd.testing.assert_frame_equal(
            found.reset_index(drop=True), expected.reset_index(drop=True), check_exact=True
        )


def test_counts_add_up_and_the_unknown_are_a_level_of_their_own() -> None:
    assert list(FOUND.table.columns) == SUBGROUPS
    counts = FOUND.table.drop_duplicates(["cohort", "subgroup", "subgroup_level"])
    totals = counts.groupby(["subgroup", "cohort"])[["n_patients", "n_events"]].sum()
    assert set(totals.index.get_level_values(0)) == {"centre", *SPLITS}
    event = COHORT.development.y["event"].sum()
    assert (totals.xs("development", level="cohort") == [100, event]).all(axis=None)
    assert (totals.xs("elsewhere", level="cohort")["n_patients"] == 50).all()
    assert rows("clinical:Grade", "unknown")["n_patients"].unique().tolist() == [6]
    assert rows("centre", "unknown")["n_patients"].unique().tolist() == [5]
    assert list(dict.fromkeys(FOUND.table["subgroup"])) == ["centre", *SPLITS]
    assert repr(FOUND) == "Subgroups(4 subgroups, 13 levels)"


def test_external_figures_are_the_metrics_of_the_subgroups_patients() -> None:
    patients = COHORT.external["elsewhere"]
    old = np.flatnonzero(patients.X["clinical:Age"] >= 60)
    p = VALIDATION.external["elsewhere"]["cox"].take(old)
    time, event = p.y["time"], p.y["event"]
    part = rows("clinical:Age", "60 and above", "elsewhere")
    c = discrimination.c_index(time, event, p.linear_predictor)
    assert figure(part, "c_index")["estimate"] == c
    ratio = observed_expected_at(time, event, p.risk[:, 1], horizon=12.0)
    assert figure(part, "observed_expected", 12.0)["estimate"] == ratio
    rng = np.random.default_rng(PLAN.seed)
    drawn = [rng.integers(len(old), size=len(old)) for _ in range(PLAN.draws)]
    draws = [discrimination.c_index(time[r], event[r], p.linear_predictor[r]) for r in drawn]
    np.testing.assert_allclose(
        figure(part, "c_index")[["lower", "upper"]].astype(float),
        np.quantile(draws, [0.025, 0.975], method="weibull"),
        rtol=1e-12,
    )


def test_out_of_fold_figures_keep_the_patients_folds() -> None:
    held_out, mine = VALIDATION.out_of_fold["cox"], (COHORT.development.centre == "A").to_numpy()
    time, event = VALIDATION.y["time"], VALIDATION.y["event"]
    per_fold = [
        discrimination.c_index(time[r], event[r], held_out.linear_predictor[repeat][r])
        for repeat in range(2)
        for r in (np.flatnonzero(mine & (held_out.fold[repeat] == f)) for f in range(3))
    ]
    found = figure(rows("centre", "A"), "c_index")
    assert found["estimate"] == pytest.approx(np.mean(per_fold), abs=1e-12)
    assert found["n_patients"] == 60


def test_too_few_events_leave_the_counts_and_the_reason() -> None:
    part = rows("centre", "C")
    assert part["n_patients"].unique().tolist() == [5]
    assert part[["estimate", "lower", "upper"]].isna().all(axis=None)
    assert set(part["method"]) == {"fewer than 10 events: no figure is given"}
    assert len(part) == len(rows("centre", "A"))


def test_a_binary_outcome_counts_the_rarer_class() -> None:
    cohort = with_centres("binary")
    pipelines = {
        name: risk_pipeline(["clinical:Age"], LogisticModel()) for name in ("one", "other")
    }
    found = validate(pipelines, cohort, plan=PLAN)
    told: list[tuple[str, int, int]] = []
    table = subgroups(
        found, cohort, splits={}, models=["one"], progress=lambda *now: told.append(now)
    ).table
    assert set(table["model"]) == {"one"}
    assert set(table["subgroup"]) == {"centre"}
    assert told[-1] == ("subgroups", 5, 5)
    small = table[table["subgroup_level"] == "C"]
    assert set(small["method"]) == {"fewer than 10 patients of the rarer class: no figure is given"}
    assert table.query("subgroup_level == 'A' and metric == 'auc'")["estimate"].notna().all()


def test_patients_without_a_prediction_are_in_no_level() -> None:
    p = VALIDATION.external["elsewhere"]["cox"]
    score = np.where(np.arange(50) < 4, np.nan, p.linear_predictor)
    unknown = type(p)(**{**vars(p), "linear_predictor": score})
    made = Validation(**{**vars(VALIDATION), "external": {"elsewhere": {"cox": unknown}}})
    table = subgroups(made, COHORT, splits={}).table
    part = table[table["subgroup_level"] == "D"]
    assert part["n_patients"].unique().tolist() == [46]
    c = discrimination.c_index(p.y["time"][4:], p.y["event"][4:], p.linear_predictor[4:])
    assert figure(part, "c_index")["estimate"] == c


# levels ---------------------------------------------------------------------------------------


def test_a_value_at_a_cut_belongs_to_the_upper_part() -> None:
    X = COHORT.X.iloc[:5].assign(**{"clinical:Age": [49.9, 50, 60, np.nan, 10]})
    few = Cohort(**{**vars(COHORT.take(range(5))), "X": X})
    found = subgroup_levels(few, {"clinical:Age": [50, 60]})["clinical:Age"]
    assert found.tolist() == [
        *("below 50", "50 to below 60", "60 and above", "unknown", "below 50")
    ]


def test_a_number_of_few_values_is_split_by_each() -> None:
    flags = COHORT.X.assign(**{"rna:f0": [0.0, 1.0, np.nan] * 50})
    cohort = Cohort(**{**vars(COHORT), "X": flags})
    found = subgroup_levels(cohort, {"rna:f0": "levels"})["rna:f0"]
    assert found.value_counts().to_dict() == {"0": 50, "1": 50, "unknown": 50}
    assert list(found.cat.categories) == ["0", "1", "unknown"]


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"clinical:age": [50]}, r"'clinical:age' is none of 26. Did you mean 'clinical:Age'"),
        ({"clinical:Age": [60, 50]}, r"cuts of 'clinical:Age' must be rising.*\[60.0, 50.0\] came"),
        ({"clinical:Age": [50, 50]}, "must be rising numbers"),
        ({"clinical:Age": []}, "must be rising numbers"),
        ({"clinical:Age": [np.nan]}, "must be rising numbers"),
        ({"clinical:Age": "levels"}, r"at most 10 values.*it has \d+. Give cuts"),
        ({"clinical:Age": "halves"}, "must be 'levels' or a list of cuts, but 'halves' came"),
        ({"clinical:Grade": [2, 3]}, r"is a category and has no cuts, but \[2, 3\] came"),
    ],
)
def test_what_cannot_be_split_is_named(splits: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        subgroup_levels(COHORT, splits)


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(ValueError, match=r"'Cox' is none of 1. Did you mean 'cox'\?"):
        subgroups(VALIDATION, COHORT, splits={}, models=["Cox"])


def test_nothing_to_split_gives_an_empty_table() -> None:
    cohort = Cohort(**{**vars(COHORT), "centre": None})
    found = subgroups(VALIDATION, cohort, splits={})
    assert isinstance(found, Subgroups)
    assert list(found.table.columns) == SUBGROUPS
    assert len(found.table) == 0
