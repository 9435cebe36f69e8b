"""Joining is exact, nobody is lost uncounted, and the outcome stays out of the features."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from omics.cohort import Cohort, CohortsSpec, reserved_columns
from omics.errors import StudyError
from omics.identifiers import find_id_rule
from omics.leaks import same_but_for_coding, same_but_for_unit
from omics.outcome import BinarySpec, SurvivalSpec
from omics.table_spec import TableSpec
from omics.tables import View, read_table
from tests.made_views import ids, made_view
from tests.realdata import DATA, needs_data

SURVIVAL = SurvivalSpec(
    time="followup:OS", event="followup:dead", event_value=1, unit="months", horizons=[12]
)
N_PATIENTS = 12


def followup(patients: Sequence[str], **columns: list[object]) -> View:
    n_patients = len(patients)
    reserved: dict[str, object] = {
        "OS": [3.0 + 2 * i for i in range(n_patients)],
        "dead": [i % 2 for i in range(1, n_patients + 1)],
    }
    return made_view("followup", patients, features={}, reserved=reserved | columns)


def join(*views: View, **options: object) -> Cohort:
    return Cohort.join(views, **({"outcome": SURVIVAL} | options))  # type: ignore[arg-type]


# --- the wide table ---------------------------------------------------------------------------


def test_joined_by_id_never_by_position() -> None:
    patients = ids(N_PATIENTS)
    backwards = made_view("mri", patients[::-1])
    cohort = join(followup(patients), backwards)
    assert cohort.X.index.tolist() == patients
    assert cohort.X.index.name == "patient"
    assert cohort.X["mri:number"].tolist() == list(range(N_PATIENTS - 1, -1, -1))
    assert cohort.y["time"].tolist() == [3.0 + 2 * i for i in range(N_PATIENTS)]


def test_missing_view_is_a_block_of_nan_and_the_patient_stays() -> None:
    patients = ids(N_PATIENTS)
    rna = made_view(
        "rna",
        patients[:8],
        features={
            "CD8A": np.ones(8),
            "subtype": pd.Categorical(["A", "B"] * 4, categories=["B", "A"]),
        },
    )
    cohort = join(followup(patients), made_view("mri", patients), rna)
    assert cohort.n_patients == N_PATIENTS
    assert cohort.X["rna:CD8A"].isna().tolist() == [False] * 8 + [True] * 4
    assert cohort.X["rna:subtype"].cat.categories.tolist() == ["B", "A"]
    assert cohort.X["rna:subtype"].isna().sum() == 4
    assert cohort.X["rna:CD8A"].dtype == np.float64
    assert cohort.kinds == {"mri": "features", "rna": "features"}
    assert cohort.flow.table.set_index("table")["absent"].to_dict() == {
        "followup": 0,
        "mri": 0,
        "rna": 4,
        "cohort": 0,
    }


def test_order_of_rows_changes_nothing() -> None:
    patients = ids(N_PATIENTS)
    order = np.random.default_rng(1).permutation(N_PATIENTS)
    first = followup(patients)
    shuffled = made_view(
        "followup",
        [patients[i] for i in order],
        features={},
        reserved={name: first.reserved[name].to_numpy()[order] for name in first.reserved},
    )
    one, other = join(first, made_view("mri", patients)), join(shuffled, made_view("mri", patients))
    pd.testing.assert_frame_equal(one.X, other.X)
    np.testing.assert_array_equal(one.y, other.y)


def test_arguments_are_left_alone() -> None:
    view = made_view("mri", ids(N_PATIENTS))
    before = view.table.copy()
    join(followup(ids(N_PATIENTS)), view)
    pd.testing.assert_frame_equal(view.table, before)


# --- who is lost ------------------------------------------------------------------------------


def test_every_loss_has_its_reason() -> None:
    patients = ["A", "B", "C", "D", "E", "F"]
    outcome = made_view(
        "followup",
        patients[:5],
        features={},
        reserved={
            "OS": [5, None, 7, 8, 9],
            "dead": [1, 1, 0, None, 0],
            "site": ["X", "X", "X", "X", "Y"],
        },
    )
    mri = made_view("mri", ["A", "B", "D", "E", "F"])
    cohort = join(outcome, mri, cohorts=CohortsSpec(column="followup:site", development="X"))
    assert cohort.X.index.tolist() == ["A"]
    lost = cohort.flow.lost.query("table == 'cohort'").set_index("patient")["reason"].to_dict()
    assert lost == {
        "B": "time unknown",
        "C": "in no table with features",
        "D": "event unknown",
        "E": "cohort is 'Y', not declared",
        "F": "no row in followup",
    }
    flow = cohort.flow.table.set_index("table")
    assert flow.loc["followup", ["rows", "patients", "matched", "lost"]].tolist() == [5, 5, 1, 4]
    assert flow.loc["mri", ["rows", "patients", "matched", "lost"]].tolist() == [5, 5, 1, 4]
    assert flow.loc["cohort", ["patients", "matched", "lost"]].tolist() == [6, 1, 5]
    assert "1 no row in followup" in flow.loc["mri", "reasons"]
    assert repr(cohort.flow) == "Flow(2 tables, 6 patients: 1 in the cohort, 5 lost)"


@settings(max_examples=40, deadline=None)
@given(
    members=st.lists(st.sets(st.integers(0, 19), min_size=6), min_size=2, max_size=4),
    unknown=st.sets(st.integers(0, 19), max_size=5),
)
def test_flow_adds_up(members: list[set[int]], unknown: set[int]) -> None:
    known = [f"P{i}" for i in sorted(members[0])]
    times = [None if int(name[1:]) in unknown else 5.0 for name in known]
    outcome = made_view(
        "followup", known, features={}, reserved={"OS": times, "dead": [1] * len(known)}
    )
    views = [
        made_view(f"view{i}", [f"P{j}" for j in sorted(some)]) for i, some in enumerate(members[1:])
    ]
    featured = set().union(*members[1:])
    expected = {f"P{i}" for i in (members[0] & featured) - unknown}
    disjoint = any(not members[0] & some for some in members[1:])
    if disjoint or not expected:
        with pytest.raises(StudyError, match=r"must share patients|no patient is left"):
            join(outcome, *views)
        return
    cohort = join(outcome, *views)
    flow = cohort.flow.table
    assert set(cohort.X.index) == expected
    assert (flow["matched"] + flow["lost"] == flow["patients"]).all()
    assert (flow["matched"] + flow["absent"] == cohort.n_patients).all()
    assert flow["lost"].tolist() == [
        int((cohort.flow.lost["table"] == name).sum()) for name in flow["table"]
    ]
    ids_of_table = [len(known), *(len(some) for some in members[1:])]
    assert flow["patients"].tolist()[:-1] == ids_of_table
    assert flow["patients"].tolist()[-1] == len(set().union(*members))


def test_flow_and_findings_hold_no_id() -> None:
    patients = ids(N_PATIENTS, "SECRET")
    mri = made_view("mri", [*patients[:6], *(name.lower() for name in patients[6:])])
    cohort = join(followup(patients, OS=[None, *range(1, N_PATIENTS)]), mri)
    texts = [cohort.flow.table.to_csv(), *(item.message for item in cohort.findings)]
    assert cohort.findings
    assert not any("SECRET0" in text.upper() for text in texts)


def test_nobody_left_is_named() -> None:
    view = followup(ids(2), OS=[None, None])
    with pytest.raises(StudyError, match=r"no patient is left: of 2 .* 2 time unknown"):
        join(view, made_view("mri", ids(2)))


# --- ids --------------------------------------------------------------------------------------


def test_no_overlap_shows_three_ids_of_each_side() -> None:
    left = followup(["A1", "A2", "A3", "A4"])
    with pytest.raises(StudyError) as caught:
        join(left, made_view("mri", ["X7", "X8", "X9", "X10"]))
    message = str(caught.value)
    assert "tables 'followup' and 'mri' must share patients" in message
    assert "'A1', 'A2', 'A3'" in message
    assert "'X7', 'X8', 'X9'" in message
    assert "No simple rule" in message


@pytest.mark.parametrize(
    ("left", "right", "declared"),
    [
        (ids(9), [name.lower() for name in ids(9)], "id_rules = ['casefold']"),
        (ids(9), [f" {name}" for name in ids(9)], "id_rules = ['strip']"),
        (
            [f"TCGA-02-{i:04d}" for i in range(9)],
            [f"TCGA-02-{i:04d}-01{'AB'[i % 2]}" for i in range(9)],
            "id_rules = [{ first = 12 }]",
        ),
        (ids(9), [f"{name}_T1" for name in ids(9)], "id_rules = [{ regex = '^(.+?)(?:_T1)?$' }]"),
        (
            ids(9),
            [f"{name}.nii.gz" for name in ids(9)],
            "id_rules = [{ regex = '^(.+?)(?:\\.nii\\.gz)?$' }]",
        ),
        (
            ids(9),
            [f"{name}_2020010{i}" for i, name in enumerate(ids(9))],
            "id_rules = [{ regex = '^([^_]+)' }]",
        ),
        (ids(9), [f"sub-{name}" for name in ids(9)], "id_rules = [{ regex = '^(?:sub-)?(.+)$' }]"),
        (
            [f"UCSF-PDGM-{i:03d}" for i in range(9)],
            [f"UCSF-PDGM-{i:04d}" for i in range(9)],
            "id_rules = [{ regex = '^UCSF-PDGM-0*(\\d+)$' }]",
        ),
        ([f"{i}" for i in range(9)], [f"{i:03d}" for i in range(9)], "^0*("),
        (["A1", "A2"], ["A1x5", "A2x7"], "id_rules = [{ first = 2 }]"),
    ],
)
def test_the_rule_to_declare_is_named(left: list[str], right: list[str], declared: str) -> None:
    with pytest.raises(StudyError) as caught:
        join(followup(left), made_view("mri", right))
    assert declared in str(caught.value)
    assert f"{len(left)} would match" in str(caught.value)
    mirrored = find_id_rule(right, left)
    assert mirrored is not None
    assert declared in mirrored.declaration


@pytest.mark.parametrize(
    ("written", "rules"),
    [
        ([name.lower() for name in ids(9)], ["casefold"]),
        ([f"{name}_T1" for name in ids(9)], [{"regex": "^(.+?)(?:_T1)?$"}]),
    ],
)
def test_declared_as_proposed_the_ids_match(
    written: list[str], rules: list[object], tmp_path: Path
) -> None:
    path = tmp_path / "mri.csv"
    path.write_text("ID,volume\n" + "".join(f"{name},1\n" for name in written))
    spec = TableSpec.model_validate({"path": path, "kind": "features", "id_rules": rules})
    found = set(read_table(spec, name="mri").table.index)
    expected = {name.casefold() for name in ids(9)} if rules == ["casefold"] else set(ids(9))
    assert found == expected


def test_partial_overlap_that_a_rule_would_mend_is_a_serious_finding() -> None:
    patients = ids(20)
    mixed = [*patients[:15], *(name.lower() for name in patients[15:])]
    cohort = join(followup(patients), made_view("mri", mixed))
    (finding,) = cohort.findings
    assert (finding.code, finding.severity, finding.where) == (
        "ids_match_by_rule",
        "serious",
        "mri",
    )
    assert "15 of 20 patients" in finding.message
    assert "20 would match after case-folding" in finding.message


def test_partial_overlap_without_a_rule_is_no_finding() -> None:
    assert join(followup(ids(20)), made_view("mri", ids(15))).findings == ()


@given(st.sets(st.text("abcXY01_- .", min_size=1, max_size=6), min_size=1, max_size=12))
def test_equal_ids_need_no_rule(names: set[str]) -> None:
    assert find_id_rule(names, names) is None


@given(st.sets(st.from_regex(r"[A-Z]{1,3}[0-9]{3}", fullmatch=True), min_size=2, max_size=12))
def test_a_rule_never_counts_more_patients_than_there_are(names: set[str]) -> None:
    rule = find_id_rule(names, {f"{name.lower()}" for name in names})
    assert rule is not None
    assert rule.n_exact == 0
    assert rule.n_matched == len(names)


# --- cohorts and centres ----------------------------------------------------------------------


def test_labels_split_the_cohort() -> None:
    view = followup(ids(N_PATIENTS), label=[1, 2, 3, 1, 2, 3] * 2, site=["a", None] * 6)
    cohort = join(
        view,
        made_view("mri", ids(N_PATIENTS)),
        cohorts=CohortsSpec(column="followup:label", development=["1", 2.0], external=[3]),
        centre="followup:site",
    )
    assert cohort.group.value_counts().to_dict() == {"development": 8, "3": 4}
    assert cohort.development.n_patients == 8
    assert set(cohort.external) == {"3"}
    assert cohort.external["3"].X.index.tolist() == ["P002", "P005", "P008", "P011"]
    assert cohort.centre is not None
    assert cohort.centre.isna().sum() == 6
    assert repr(cohort) == "Cohort(12 patients (external: 3 4), 6 events, 1 features in 1 view)"


def test_absent_label_is_named() -> None:
    view = followup(ids(4), label=["Discovery", "Discovery", "Replicate", "Replicate"])
    spec = CohortsSpec(column="followup:label", development="discovery", external=["Replicate"])
    with pytest.raises(StudyError, match=r"'discovery' does not.*Did you mean 'Discovery'"):
        join(view, made_view("mri", ids(4)), cohorts=spec)


@pytest.mark.parametrize(
    ("external", "message"),
    [(["X"], "belongs to one cohort"), (["development"], "cannot be labelled 'development'")],
)
def test_wrong_labels_are_named(external: list[str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CohortsSpec(column="followup:label", development="X", external=external)


def test_development_must_be_known() -> None:
    view = followup(ids(4), OS=[None, None, 14, 15], label=["D", "D", "R", "R"])
    spec = CohortsSpec(column="followup:label", development="D", external=["R"])
    with pytest.raises(StudyError, match="at least one development patient"):
        join(view, made_view("mri", ids(4)), cohorts=spec)


def test_take_keeps_the_parts_aligned() -> None:
    cohort = join(followup(ids(N_PATIENTS)), made_view("mri", ids(N_PATIENTS)))
    part = cohort.take([5, 2])
    assert part.X.index.tolist() == ["P005", "P002"]
    assert part.y["time"].tolist() == [13.0, 7.0]
    assert part.group.index.tolist() == ["P005", "P002"]
    assert part.flow is cohort.flow
    mask = np.arange(N_PATIENTS) == 3
    assert cohort.take(mask).X.index.tolist() == ["P003"]


def test_cohort_parts_must_have_one_length() -> None:
    cohort = join(followup(ids(N_PATIENTS)), made_view("mri", ids(N_PATIENTS)))
    with pytest.raises(ValueError, match="one row per patient is needed in each of"):
        Cohort(X=cohort.X, y=cohort.y[:3], outcome=cohort.outcome, group=cohort.group)


def test_copies_of_a_patient_share_their_id() -> None:
    cohort = join(followup(ids(N_PATIENTS)), made_view("mri", ids(N_PATIENTS)))
    sample = cohort.take([0, 1, 0])
    assert sample.X.index.tolist() == ["P000", "P001", "P000"]
    assert sample.y["time"].tolist() == [3.0, 5.0, 3.0]


def test_what_reading_found_is_carried_on(tmp_path: Path) -> None:
    path = tmp_path / "labs.csv"
    rows = [f"{name},{-99 if number < 2 else number}" for number, name in enumerate(ids(12))]
    path.write_text("\n".join(["ID,LDH", *rows, ",7"]))
    spec = TableSpec.model_validate({"path": path, "kind": "features", "unknown": [-99]})
    cohort = join(followup(ids(12)), read_table(spec, name="labs"))
    found = {finding.code: finding for finding in cohort.findings}
    assert set(found) == {"rows_without_id", "codes_unknown"}
    assert found["codes_unknown"].message.endswith("as unknown: 2, in 'LDH'.")
    labs = cohort.flow.table.set_index("table").loc["labs"]
    assert labs[["rows", "patients", "matched", "lost"]].tolist() == [13, 12, 12, 0]
    assert labs["reasons"] == "1 row without id"


def test_columns_to_reserve_by_table() -> None:
    columns = reserved_columns(
        outcome=SURVIVAL,
        cohorts=CohortsSpec(column="followup:OS", development="x"),
        centre="mri:scanner: model",
    )
    assert columns == {"followup": ("OS", "dead"), "mri": ("scanner: model",)}


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ([followup(ids(3)), made_view("mri", ids(3)), made_view("mri", ids(3))], "'mri' repeats"),
        ([followup(ids(3)), made_view("m:ri", ids(3))], "no colon, but 'm:ri'"),
        ([followup(ids(3))], "at least one table must hold features"),
    ],
)
def test_wrong_views_are_named(views: list[View], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        join(*views)


# --- the outcome among the features -----------------------------------------------------------


def leaking(**features: object) -> Cohort:
    return join(
        followup(ids(N_PATIENTS)),
        made_view("clinical", ids(N_PATIENTS), features={"age": np.arange(12.0), **features}),
    )


TIME = np.array([3.0 + 2 * i for i in range(N_PATIENTS)])
DEAD = np.array([float(i % 2) for i in range(1, N_PATIENTS + 1)])


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            {"os": np.ones(12)},
            r"'clinical:os' bears the name .*drop = \['os'\] in table",
        ),
        ({"survival": TIME}, "'clinical:survival' equals the time"),
        ({"days": TIME * 30.4375}, "'clinical:days' equals the time"),
        ({"vital": DEAD}, "'clinical:vital' equals the event"),
        ({"alive": 1 - DEAD}, "'clinical:alive' equals the event"),
        ({"status": DEAD + 1}, "'clinical:status' equals the event"),
        (
            {"state": pd.Categorical(np.where(DEAD == 1, "dead", "alive"))},
            "'clinical:state' equals the event",
        ),
        ({"follow up": np.where(np.arange(12) < 2, np.nan, TIME)}, "equals the time"),
    ],
)
def test_outcome_among_features_is_refused(features: dict[str, object], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        leaking(**features)


def test_likeness_short_of_identity_is_no_error() -> None:
    nearly = TIME.copy()
    nearly[3] += 1
    flipped = DEAD.copy()
    flipped[3] = 1 - flipped[3]
    nine_values = np.where(np.arange(12) < 3, np.nan, TIME)
    assert leaking(a=nearly, b=flipped, c=nine_values).n_patients == N_PATIENTS


def test_binary_outcome_among_features_is_refused() -> None:
    view = made_view(
        "clinical",
        ids(12),
        features={"age": np.arange(12.0), "copy": np.repeat([0.0, 1.0], 6)},
        reserved={"IDH": ["wt"] * 6 + ["mut"] * 6},
    )
    with pytest.raises(StudyError, match="'clinical:copy' equals the class"):
        Cohort.join([view], outcome=BinarySpec(column="clinical:IDH", positive="mut"))


@given(factor=st.floats(0.01, 100), seed=st.integers(0, 100))
def test_a_time_is_known_in_any_unit(factor: float, seed: int) -> None:
    times = np.random.default_rng(seed).exponential(size=15) + 0.1
    other = np.random.default_rng(seed + 1000).exponential(size=15)
    found = same_but_for_unit(np.column_stack([other, times * factor]), times)
    assert found.tolist() == [1]


@given(low=st.floats(-9, 9), high=st.floats(-9, 9))
def test_a_class_is_known_in_any_coding(low: float, high: float) -> None:
    event = np.repeat([True, False], 6)
    found = same_but_for_coding(np.where(event, high, low).reshape(-1, 1), event)
    assert found.tolist() == ([0] if low != high else [])


# --- real studies, and size -------------------------------------------------------------------


def read_real(folder: str, tables: dict[str, dict[str, object]], **options: object) -> Cohort:
    reserve = reserved_columns(**options)  # type: ignore[arg-type]
    views = [
        read_table(
            TableSpec.model_validate(entry | {"path": DATA / folder / str(entry["path"])}),
            name=name,
            reserve=reserve.get(name, ()),
        )
        for name, entry in tables.items()
    ]
    return Cohort.join(views, **options)  # type: ignore[arg-type]


@needs_data("plgg")
def test_plgg_joins_201_children() -> None:
    cohort = read_real(
        "plgg",
        {
            "radiomics": {"path": "radiomics.csv", "kind": "features", "drop": ["Cohort"]},
            "xcell": {"path": "xcell_fractions.csv", "kind": "features"},
            "tis": {"path": "tis18_expression.csv", "kind": "expression"},
            "flags": {"path": "genomic_flags.csv", "kind": "mutations"},
            "clinical": {
                "path": "clinical_scaled.csv",
                "kind": "clinical",
                "columns": ["Sex", "Age at Diagnosis", "Extent of Tumor Resection"],
            },
            "followup": {"path": "outcome_pfs.csv", "kind": "clinical"},
        },
        outcome=SurvivalSpec(
            time="followup:Progression Free Survival",
            event="followup:Censorship",
            event_value=True,
            unit="months",
            horizons=[12, 24, 60],
        ),
        cohorts=CohortsSpec(
            column="followup:Cohort", development="Discovery", external=["Replicate"]
        ),
    )
    replicate = cohort.external["Replicate"]
    assert (cohort.n_patients, cohort.n_events) == (201, 61)
    assert (cohort.development.n_patients, cohort.development.n_events) == (160, 47)
    assert (replicate.n_patients, replicate.n_events) == (41, 14)
    assert (cohort.flow.table["lost"] == 0).all()
    flow = cohort.flow.table.set_index("table")
    assert flow.loc[["xcell", "tis", "flags"], "absent"].tolist() == [51, 51, 51]
    without_rna = cohort.X.filter(regex="^(xcell|tis):").isna().all(axis=1)
    assert without_rna.sum() == 51
    assert cohort.findings == ()
    # outcome_pfs.csv is in another order than radiomics.csv: the join must not care
    path = DATA / "plgg" / "outcome_pfs.csv"
    raw = pd.read_csv(path, index_col="SubjectID", float_precision="round_trip")
    raw = raw.loc[cohort.X.index]
    np.testing.assert_array_equal(cohort.y["time"], raw["Progression Free Survival"])
    np.testing.assert_array_equal(cohort.y["event"], raw["Censorship"])


@needs_data("ucsf_pdgm")
def test_ucsf_loses_the_patient_without_survival() -> None:
    options = {
        "metadata": {
            "path": "UCSF-PDGM-metadata_v2.csv",
            "kind": "clinical",
            "columns": ["Age at MRI"],
        },
        "mri": {"path": "radiomic_features_T1gad_bias.csv", "kind": "radiomics"},
    }
    cohort = read_real(
        "ucsf_pdgm",
        options,
        outcome=SurvivalSpec(
            time="metadata:OS",
            event="metadata:1-dead 0-alive",
            event_value=1,
            unit="days",
            horizons=[365, 730],
        ),
    )
    assert (cohort.n_patients, cohort.n_events) == (500, 250)
    assert cohort.flow.table["lost"].tolist() == [1, 1, 1]
    assert cohort.flow.table["reasons"].tolist()[-1] == "1 time unknown"


def test_five_wide_tables_join() -> None:
    rng = np.random.default_rng(0)
    patients = [f"P{i:04d}" for i in rng.permutation(500)]
    views = [
        made_view(
            f"view{i}",
            patients[i:],
            features={f"f{j}": column for j, column in enumerate(rng.normal(size=(5000, 500 - i)))},
        )
        for i in range(5)
    ]
    cohort = join(followup(patients), *views)
    assert cohort.X.shape == (500, 25_000)
    assert all(one <= other for one, other in pairwise(cohort.X.index))
    assert cohort.flow.table["absent"].tolist() == [0, 0, 1, 2, 3, 4, 0]
