"""Each finding appears where its fault is, says how much of it there is, and nowhere else."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from omics.cohort import Cohort, CohortsSpec
from omics.columns import column_auc, far_out, repeated_columns
from omics.errors import Finding
from omics.outcome import BinarySpec, SurvivalSpec
from omics.quality import findings, missing_table
from omics.table_spec import TableSpec
from omics.tables import View, read_table
from tests.made_views import ids, made_view
from tests.realdata import DATA, needs_data

N_PATIENTS = 40
CLASS = np.repeat([False, True], N_PATIENTS // 2)


def sound(n_features: int = 15, seed: int = 0) -> dict[str, object]:
    # uniform values: nothing far out, nothing repeated
    values = np.random.default_rng(seed).uniform(size=(n_features, N_PATIENTS))
    return {f"sound{number}": column for number, column in enumerate(values)}


def binary(*views: View) -> Cohort:
    clinical = made_view(
        "clinical",
        ids(N_PATIENTS),
        features={"age": np.random.default_rng(9).uniform(size=N_PATIENTS)},
        reserved={"IDH": CLASS.astype(int).tolist()},
        kind="clinical",
    )
    return Cohort.join([clinical, *views], outcome=BinarySpec(column="clinical:IDH", positive=1))


def only(found: tuple[Finding, ...]) -> Finding:
    (finding,) = found
    return finding


def with_column(values: object) -> tuple[Finding, ...]:
    features = sound() | {"odd": values}
    return findings(binary(made_view("mri", ids(N_PATIENTS), features=features)))


RNG = np.random.default_rng(3)
UNIFORM = RNG.uniform(size=N_PATIENTS)


def test_sound_data_have_no_finding() -> None:
    assert with_column(UNIFORM) == ()


@pytest.mark.parametrize(
    ("values", "code", "severity", "says"),
    [
        (np.full(N_PATIENTS, 3.0), "constant", "caution", "that hold one value only .*: 1 of 16"),
        (np.full(N_PATIENTS, np.nan), "all_missing", "caution", "that hold no value"),
        (np.where(np.arange(N_PATIENTS) < 21, np.nan, UNIFORM), "mostly_missing", "caution",
         "that are missing in more than half"),
        (np.r_[np.zeros(N_PATIENTS - 1), 1], "mostly_one_value", "note", "more than 95 %"),
        (sound()["sound4"], "duplicated", "caution", "that repeat another column"),
        (np.r_[UNIFORM[1:], 9.0], "outlying", "note", "1 of 640 values .* 1 of 16 features"),
        (CLASS + UNIFORM / 2, "near_perfect_predictor", "serious", r"'mri:odd': AUC 1\.000"),
        (-UNIFORM / 2 - CLASS, "near_perfect_predictor", "serious", r"'mri:odd': AUC 1\.000"),
        (pd.Categorical(["a"] * N_PATIENTS, categories=["a", "b"]), "constant", "caution", "'odd'"),
    ],
)  # fmt: skip
def test_fault_of_a_column_is_found(values: object, code: str, severity: str, says: str) -> None:
    finding = only(with_column(values))
    assert (finding.code, finding.severity, finding.where) == (code, severity, "mri")
    assert pd.Series([finding.message]).str.contains(says).all()


@pytest.mark.parametrize(
    "values",
    [
        np.where(np.arange(N_PATIENTS) < 20, np.nan, np.roll(UNIFORM, 1)),  # just half missing
        np.r_[np.zeros(38), 1, 1],  # 95 %, not more
        np.where(CLASS, UNIFORM + 0.5, UNIFORM),  # AUC well below .98
    ],
)
def test_just_short_of_a_fault_is_no_finding(values: object) -> None:
    assert with_column(values) == ()


def test_columns_are_judged_on_patients_who_have_the_view() -> None:
    # 25 of 40 patients lack the view: of its features nothing is missing
    features = {name: np.asarray(column)[:15] for name, column in sound().items()}
    cohort = binary(made_view("mri", ids(N_PATIENTS)[:15], features=features))
    found = {finding.code: finding.message for finding in findings(cohort)}
    assert set(found) == {"view_mostly_missing", "one_view_only"}
    assert found["view_mostly_missing"].startswith("25 of 40 development patients have no mri")
    assert found["one_view_only"].startswith("25 of 40 patients")


def test_small_view_is_noted_unless_clinical() -> None:
    cohort = binary(made_view("rna", ids(N_PATIENTS), features=sound(14)))
    finding = only(findings(cohort))
    assert (finding.code, finding.where) == ("few_features", "rna")
    assert "14 features, fewer than 15" in finding.message


def test_views_without_a_common_patient_are_serious() -> None:
    patients = ids(N_PATIENTS)
    first = {name: np.asarray(column)[:20] for name, column in sound().items()}
    cohort = binary(
        made_view("mri", patients[:20], features=first),
        made_view("rna", patients[20:], features=first),
    )
    finding = only(tuple(item for item in findings(cohort) if item.severity == "serious"))
    assert (finding.code, finding.where) == ("views_never_together", "mri, rna")


def test_columns_are_judged_on_development_patients() -> None:
    patients = ids(N_PATIENTS)
    label = ["D"] * 30 + ["R"] * 10
    varied = np.r_[np.zeros(30), np.arange(10.0)]  # varies in the external patients only
    view = made_view(
        "mri",
        patients,
        features=sound() | {"scanner": varied},
        reserved={"IDH": [0, 1] * 20, "label": label},
    )
    cohort = Cohort.join(
        [view],
        outcome=BinarySpec(column="mri:IDH", positive=1),
        cohorts=CohortsSpec(column="mri:label", development="D", external=["R"]),
    )
    assert only(findings(cohort)).code == "constant"


def test_external_cohort_of_one_class_is_serious() -> None:
    view = made_view(
        "mri",
        ids(N_PATIENTS),
        features=sound(),
        reserved={"IDH": [0, 1] * 15 + [1] * 10, "label": ["D"] * 30 + ["R"] * 10},
    )
    cohort = Cohort.join(
        [view],
        outcome=BinarySpec(column="mri:IDH", positive=1),
        cohorts=CohortsSpec(column="mri:label", development="D", external=["R"]),
    )
    finding = only(findings(cohort))
    assert (finding.code, finding.where) == ("one_class", "R")
    assert "All 10 patients of R are positive for IDH" in finding.message


def test_horizons_are_judged_in_each_cohort() -> None:
    view = made_view(
        "mri",
        ids(N_PATIENTS),
        features=sound(),
        reserved={
            "OS": list(range(1, 31)) + list(range(13, 23)),
            "dead": [1, 0] * 20,
            "label": ["D"] * 30 + ["R"] * 10,
        },
    )
    cohort = Cohort.join(
        [view],
        outcome=SurvivalSpec(
            time="mri:OS",
            event="mri:dead",
            event_value=1,
            unit="months",
            horizons=[12, 24, 36],
        ),
        cohorts=CohortsSpec(column="mri:label", development="D", external=["R"]),
    )
    found = [(item.code, item.where, item.message.split(" months")[0]) for item in findings(cohort)]
    assert found == [
        ("horizon_beyond_follow_up", "development", "The horizon of 36"),
        ("no_event_by_horizon", "R", "The horizon of 12"),
        ("horizon_beyond_follow_up", "R", "The horizon of 24"),
        ("horizon_beyond_follow_up", "R", "The horizon of 36"),
    ]


def test_no_finding_holds_an_id() -> None:
    values = np.where(np.arange(N_PATIENTS) < 30, np.nan, 9.0)
    cohort = binary(made_view("mri", ids(30), features={"odd": values[:30], "even": values[10:]}))
    found = findings(cohort)
    assert len(found) >= 3
    assert not any(name in item.message for item in found for name in ids(N_PATIENTS))


# --- the numbers ------------------------------------------------------------------------------


def test_auc_by_hand_with_ties_and_missing_values() -> None:
    event = np.repeat([False, True], 5)
    column = np.array([1, 2, 3, 4, 5, 3, 6, 7, 8, 9.0])
    # 25 pairs: the positive 3 wins two, ties one; the others win all five
    assert column_auc(column.reshape(-1, 1), event).tolist() == [22.5 / 25]
    gap = np.r_[column, np.nan].reshape(-1, 1)
    assert column_auc(gap, np.r_[event, True]).tolist() == [22.5 / 25]
    assert np.isnan(column_auc(column[:9].reshape(-1, 1), event[:9])).all()


@given(st.lists(st.integers(-3, 3), min_size=14, max_size=14))
def test_auc_is_that_of_scikit_learn(values: list[int]) -> None:
    event = np.array([True, False] * 7)
    reference = roc_auc_score(event, values)
    found = column_auc(np.array(values, dtype=np.float64).reshape(-1, 1), event).item()
    assert found == pytest.approx(max(reference, 1 - reference), abs=1e-12)


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=8, max_size=8),
    st.sampled_from([0.25, 2.0, 8.0]),
)
def test_far_out_keeps_its_verdict_in_another_unit(values: list[float], factor: float) -> None:
    column = np.array(values).reshape(-1, 1)
    np.testing.assert_array_equal(far_out(column), far_out(-column * factor))


def test_far_out_by_hand() -> None:
    # quartiles 2 and 4: the fences stand at -4 and 10
    column = np.array([1, 2, 3, 4, 10, np.nan])
    beyond = np.array([1, 2, 3, 4, 10.1, np.nan])
    flat = np.array([1, 1, 1, 1, 7, np.nan])
    found = far_out(np.column_stack([column, beyond, flat]))
    assert found.sum(axis=0).tolist() == [0, 1, 0]
    assert found[4, 1]


def test_repeated_columns_know_minus_zero_and_missing() -> None:
    values = np.array([[0.0, -0.0, 0.0], [np.nan, np.nan, 1.0]])
    assert repeated_columns(values).tolist() == [False, True, False]


# --- missing data -----------------------------------------------------------------------------


def test_missing_values_are_counted_by_column_and_cohort() -> None:
    patients = ids(8)
    age = np.array([50.0, np.nan, 52, 53, 54, 55, np.nan, 57])
    wide = np.ones((8, 50))
    wide[0, :] = np.nan
    wide[6:, 3] = np.nan
    clinical = made_view(
        "clinical",
        patients,
        features={"age": age},
        reserved={"IDH": [0, 1] * 4, "label": ["D"] * 6 + ["R"] * 2},
    )
    rna = made_view("rna", patients[:8], features={f"g{i}": wide[:, i] for i in range(50)})
    cohort = Cohort.join(
        [clinical, rna],
        outcome=BinarySpec(column="clinical:IDH", positive=1),
        cohorts=CohortsSpec(column="clinical:label", development="D", external=["R"]),
    )
    assert missing_table(cohort).to_dict("split")["data"] == [
        ["clinical", "age", 1, 2, 1 / 6, 0.5],
        ["rna", "all features missing", 50, 1, 1 / 6, 0.0],
        ["rna", "some features missing", 50, 2, 0.0, 1.0],
    ]


def test_without_external_patients_their_share_is_unknown() -> None:
    table = missing_table(binary())
    assert table["development"].tolist() == [0.0]
    assert table["external"].isna().all()


@needs_data("ucsf_pdgm")
def test_ucsf_metadata_tell_of_idh_in_the_diagnosis() -> None:
    # the final diagnosis names the IDH status: as a predictor of IDH it is the answer
    path = DATA / "ucsf_pdgm" / "UCSF-PDGM-metadata_v2.csv"
    spec = TableSpec.model_validate(
        {
            "path": path,
            "kind": "clinical",
            "columns": ["Age at MRI", "MGMT index"],
            "recode": {"IDH": {"wildtype": "wt", "*": "mutant"}},
        }
    )
    view = read_table(spec, name="metadata", reserve=["IDH"])
    cohort = Cohort.join(
        [view], outcome=BinarySpec(column="metadata:IDH", positive="mutant", negative="wt")
    )
    assert (cohort.n_patients, cohort.n_events) == (501, 103)
    table = missing_table(cohort).set_index("feature")
    raw = pd.read_csv(path)
    assert table.loc["MGMT index", "n_missing"] == raw["MGMT index"].isna().sum()
    assert table.loc["Age at MRI", "n_missing"] == 0
