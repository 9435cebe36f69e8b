"""The outcome is what the study declares: nothing is guessed, and nobody disappears uncounted."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from omics.canonical import canonical, match_values
from omics.errors import StudyError
from omics.outcome import BinarySpec, SurvivalSpec, is_survival, survival_outcome
from omics.outcome_columns import outcome_arrays, read_outcome
from tests.made_views import ids, made_view


def survival_spec(**changes: object) -> SurvivalSpec:
    declared = {
        "time": "followup:OS",
        "event": "followup:dead",
        "event_value": 1,
        "unit": "months",
        "horizons": [12],
    }
    return SurvivalSpec.model_validate(declared | changes)


def read(time: list[object], dead: list[object], **changes: object) -> pd.DataFrame:
    view = made_view("followup", ids(len(time)), features={}, reserved={"OS": time, "dead": dead})
    return read_outcome(survival_spec(**changes), [view])


def arrays(time: list[object], dead: list[object], **changes: object) -> np.ndarray:
    known = read(time, dead, **changes)
    group = pd.Series("development", index=known.index)
    return outcome_arrays(survival_spec(**changes), known, group=group)


def test_survival_arrays() -> None:
    y = survival_outcome([5, 8], [1, 0])
    assert is_survival(y)
    assert y["time"].tolist() == [5.0, 8.0]
    assert y["event"].tolist() == [True, False]
    assert not is_survival(np.array([True, False]))


@pytest.mark.parametrize(
    ("time", "event", "message"),
    [
        ([0.0, 1.0], [1, 0], "time must be above zero, but 1 of 2"),
        ([1.0, 2.0], [1, 2], "event must hold only True/False"),
        ([1.0, 2.0, 3.0], [1, 0], "one value per patient"),
    ],
)
def test_wrong_arrays_are_named(time: list[float], event: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        survival_outcome(time, event)


@pytest.mark.parametrize(
    "column", [[1, 0, 1], [1.0, 0.0, 1.0], ["1", "0", "1"], ["1.0", " 0", "1"]]
)
@pytest.mark.parametrize("value", [1, 1.0, "1", "1.0", True, "True", "true"], ids=repr)
def test_one_is_one_however_it_is_written(column: list[object], value: object) -> None:
    assert read([5, 6, 7], column, event_value=value)["event"].tolist() == [True, False, True]


@pytest.mark.parametrize("column", [[True, False], ["True", "False"], ["TRUE", "FALSE"]])
@pytest.mark.parametrize("value", [1, "1", True, "True"], ids=repr)
def test_true_is_true_however_it_is_written(column: list[object], value: object) -> None:
    assert read([5, 6], column, event_value=value)["event"].tolist() == [True, False]


def test_true_is_not_guessed_in_a_column_of_one_and_two() -> None:
    # R's lung codes death as 2: `true` would silently take the censored for the dead
    with pytest.raises(StudyError, match=r"event_value must occur .* True does not.*'1' \(2\)"):
        read([5, 6, 7], [1, 2, 1], event_value=True)


def test_text_is_compared_exactly() -> None:
    with pytest.raises(StudyError, match="'dead' does not: it holds 'Dead' "):
        read([5, 6], ["Dead", "Alive"], event_value="dead")


def test_zero_is_the_event_where_the_study_says_so() -> None:
    assert read([5, 6], ["1", "0"], event_value=0)["event"].tolist() == [False, True]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float64("nan"), None),
        (pd.NA, None),
        (" ", None),
        ("NA", None),
        (np.int64(3), "3"),
        (np.True_, "true"),
        ("1e3", "1000"),
        ("1_000", "1_000"),
        ("inf", "inf"),
        ("IDH1 p.R132H", "IDH1 p.R132H"),
    ],
)
def test_values_are_written_in_one_way(value: object, expected: str | None) -> None:
    assert canonical(value) == expected


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_number_and_its_text_agree(number: float) -> None:
    assert canonical(number) == canonical(repr(number))


def test_several_event_values() -> None:
    column = ["relapse", "death", "none", "none"]
    frame = read([1, 2, 3, 4], column, event_value=["relapse", "death"])
    assert frame["event"].tolist() == [True, True, False, False]


def test_third_value_needs_the_censored_one() -> None:
    column = ["dead", "alive", "lost", "alive"]
    with pytest.raises(
        StudyError, match=r"censored_value must be stated .*'dead'.*'alive' \(2\), 'lost' \(1\)"
    ):
        read([1, 2, 3, 4], column, event_value="dead")


def test_undeclared_event_is_lost_with_reason() -> None:
    column = ["dead", "alive", "lost", None]
    frame = read([1, 2, 3, 4], column, event_value="dead", censored_value="alive")
    assert frame["reason"].tolist() == ["", "", "event is 'lost', not declared", "event unknown"]


def test_event_and_censored_must_differ() -> None:
    with pytest.raises(StudyError, match="event_value and censored_value must differ"):
        read([1, 2], [1, 0], event_value=1, censored_value=["1", 0])


def test_unknown_outcomes_have_a_reason() -> None:
    frame = read([1, "", None, 4], [1, 0, None, None])
    assert frame["reason"].tolist() == [
        "",
        "time unknown",
        "time and event unknown",
        "event unknown",
    ]


def test_time_and_event_from_two_tables() -> None:
    times = made_view("a", ["P1", "P2", "P3"], reserved={"OS": [1, 2, 3]})
    events = made_view("b", ["P3", "P2", "P4"], reserved={"dead": [1, 0, 1]})
    spec = survival_spec(time="a:OS", event="b:dead")
    frame = read_outcome(spec, [times, events])
    assert frame["reason"].to_dict() == {
        "P1": "no row in b",
        "P2": "",
        "P3": "",
        "P4": "no row in a",
    }
    assert frame.loc["P3", "event"]
    assert not frame.loc["P2", "event"]


@pytest.mark.parametrize(
    ("time", "message"),
    [
        ([5, "6 months", 7], r"time must be a number, but 1 of 3 .*'OS' of table 'followup'.*"
         r"'6 months' at patient row 2"),
        (["5,5", "6,1", 7], r"2 of 3 .*decimal commas: declare decimal = ','"),
        ([5, "inf", 7], r"1 of 3 .*'inf'"),
        ([5, -6, 0], r"above zero, but 2 of 3 .*first: -6 at patient row 2.*leave the time empty"),
    ],
)  # fmt: skip
def test_wrong_times_are_named(time: list[object], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        arrays(time, [1, 0, 1])


def test_no_event_by_a_horizon_is_named() -> None:
    with pytest.raises(StudyError, match=r"at horizon 12 months none of the 2 .*first: 14 months"):
        arrays([14, 20, 30], [1, 1, 0], horizons=[12, 24])


def test_event_at_the_horizon_counts() -> None:
    assert arrays([12, 20], [1, 0])["event"].tolist() == [True, False]


def test_no_development_event_is_named() -> None:
    known = read([14, 20], [1, 0])
    group = pd.Series(["Replicate", "development"], index=known.index)
    with pytest.raises(StudyError, match="at least one event is needed, but none of 1 development"):
        outcome_arrays(survival_spec(), known, group=group)


def test_all_events_need_no_censored_value() -> None:
    assert arrays([5, 6], [1, 1])["event"].all()


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("followup:os", "there is no 'os'. Did you mean 'OS'"),
        ("folowup:OS", "names table 'folowup'. Did you mean 'followup'"),
        ("followup:age", r"'age' was read as a feature. .*reserve=\['age'\]"),
    ],
)
def test_absent_column_is_named(address: str, message: str) -> None:
    view = made_view("followup", ["P1"], features={"age": [3.0]}, reserved={"OS": [1], "dead": [1]})
    with pytest.raises(StudyError, match=message):
        read_outcome(survival_spec(time=address), [view])


def classes(column: list[object], **declared: object) -> pd.DataFrame:
    view = made_view("clinical", ids(len(column)), reserved={"IDH": column})
    return read_outcome(BinarySpec.model_validate({"column": "clinical:IDH"} | declared), [view])


def test_other_values_are_negative_by_default() -> None:
    frame = classes(["mut", "wt", "nos", None], positive="mut")
    assert frame["event"].tolist()[:3] == [True, False, False]
    assert frame["reason"].tolist() == ["", "", "", "class unknown"]


def test_stated_negative_loses_the_others() -> None:
    frame = classes(["mut", "wt", "indeterminate"], positive="mut", negative="wt")
    assert frame["reason"].tolist()[2] == "class is 'indeterminate', not declared"


def test_positive_must_occur() -> None:
    with pytest.raises(StudyError, match=r"positive must occur in column 'IDH'.*'mutant' does not"):
        classes(["mut", "wt"], positive="mutant")


@pytest.mark.parametrize(("kept", "which"), [([0, 1], "positive"), ([2], "negative")])
def test_one_class_is_named(kept: list[int], which: str) -> None:
    known = classes(["mut", "mut", "wt"], positive="mut").iloc[kept]
    group = pd.Series("development", index=known.index)
    spec = BinarySpec(column="clinical:IDH", positive="mut")
    with pytest.raises(StudyError, match=f"classes are needed, but all {len(kept)} .* {which}"):
        outcome_arrays(spec, known, group=group)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time": "OS"}, "named with its table"),
        ({"horizons": []}, "at least 1 item"),
        ({"horizons": [12, 0]}, "distinct times above zero"),
        ({"horizons": [12, 12]}, "distinct times above zero"),
        ({"unit": "parsecs"}, "'days', 'weeks', 'months' or 'years'"),
        ({"event_value": []}, "at least 1 item"),
        ({"event_values": 1}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_declaration_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        survival_spec(**changes)


def test_nothing_that_decides_has_a_default() -> None:
    required = {name for name, entry in SurvivalSpec.model_fields.items() if entry.is_required()}
    assert required == {"time", "event", "event_value", "unit", "horizons"}
    for declared in ({}, {"positive": "mut", "cut": ">= 3 %"}):
        with pytest.raises(ValidationError, match="state either positive"):
            BinarySpec.model_validate({"column": "clinical:IDH"} | declared)


def test_outcome_says_what_is_predicted() -> None:
    outcome = survival_spec(horizons=[24, 12]).describe()
    assert repr(outcome) == "Outcome(OS, risk at 12, 24 months)"
    assert outcome.horizons == (12.0, 24.0)
    assert outcome.positive is None
    assert BinarySpec(column="clinical:IDH", positive=["a", "b"]).describe().positive == "a or b"


@given(
    codes=st.lists(st.sampled_from(["1", "0", "2", None]), min_size=1, max_size=30),
    value=st.sampled_from([1, "1", 1.0]),
)
def test_matches_are_counted_as_they_are_written(codes: list[str | None], value: object) -> None:
    column = pd.Series(codes, dtype=object)
    if "1" in codes:
        found = match_values(column, [value], role="event_value", where="x")
        assert found.tolist() == [code == "1" for code in codes]
    else:
        with pytest.raises(StudyError, match="must occur"):
            match_values(column, [value], role="event_value", where="x")
