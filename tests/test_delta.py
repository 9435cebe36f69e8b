"""Delta features: by hand, as base R takes them, and as a study declares them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from omics.delta import NO_DAYS, NO_END, NO_PAIR, NO_START, delta_features, long_delta
from omics.errors import StudyError
from omics.new_patients import reading_rules
from omics.radiomics import feature_table, is_volume
from omics.row_specs import DeltaSpec
from omics.table_spec import TableSpec
from omics.tables import View, read_table
from tests.small_study import FEATURES, command, small_study

REFERENCE = json.loads(Path(__file__).with_name("reference").joinpath("delta.json").read_text())
MEAN, VOLUME = "original_firstorder_Mean", "original_shape_MeshVolume"

WIDE, FINE = (f'{{"setting": {{"binWidth": {width}}}}}' for width in (25, 5))

LONG = pd.DataFrame(
    {
        "ID": ["P1", "P1", "P2", "P2", "P3", "P4", "P5", "P1"],
        "when": ["pre", "post", "post", "pre", "pre", "post", "later", "later"],
        "day": [0, 30, 70, 20, 0, 9, 90, 90],
        "centre": ["A", "A", "B", "B", "A", "B", "A", "A"],
        "diagnostics_Versions": ["1"] * 8,
        MEAN: [-4.0, -3.0, 6.0, 0.0, 1.0, 2.0, 7.0, 8.0],
        VOLUME: [100.0, 40.0, 90.0, 60.0, 5.0, 6.0, 7.0, 8.0],
    }
)


def read(folder: Path, table: pd.DataFrame = LONG, **options: Any) -> View:
    table.to_csv(folder / "long.csv", index=False)
    delta = {"column": "when", "from": "pre", "to": "post", "kind": "absolute"}
    delta |= options.pop("delta", {})
    reserve = options.pop("reserve", ())
    described = {"kind": "radiomics", "id": "ID", "drop": ["centre", "day"], **options}
    spec = TableSpec(path=folder / "long.csv", delta=delta, **described)
    return read_table(spec, name="scans", reserve=reserve)


def message(view: View, code: str) -> str:
    return next(finding.message for finding in view.findings if finding.code == code)


# ---- numbers ------------------------------------------------------------------------------------


def test_by_hand() -> None:
    start = pd.DataFrame({"x": [-4.0, 0.0, 5.0], "y": [2.0, np.nan, 1.0]}, index=["a", "b", "c"])
    end = pd.DataFrame({"y": [3.0, 1.0, 1.0], "x": [-3.0, 6.0, 5.0]}, index=["a", "b", "c"])
    days = pd.Series({"a": 2.0, "b": 3.0, "c": 10.0})
    absolute = delta_features(start, end, kind="absolute").table
    assert absolute.columns.tolist() == ["delta|x", "delta|y"]
    np.testing.assert_array_equal(absolute, [[1, 1], [6, np.nan], [0, 0]])
    relative = delta_features(start, end, kind="relative")
    np.testing.assert_array_equal(relative.table, [[0.25, 0.5], [np.nan, np.nan], [0, 0]])
    assert relative.zero_start.to_dict("list") == {"feature": ["x"], "n_patients": [1]}
    per_day = delta_features(start, end, kind="per_day", days=days).table
    np.testing.assert_array_equal(per_day, [[0.5, 0.5], [2, np.nan], [0, 0]])


@pytest.mark.parametrize("kind", ["absolute", "relative", "per_day"])
def test_as_base_r(kind: Any) -> None:
    long = pd.DataFrame(REFERENCE["long"]).astype({"x": float, "y": float})
    delta = long_delta(
        long,
        between=("pre", "post"),
        kind=kind,
        within=["region"],
        days="day" if kind == "per_day" else None,
    )
    wanted = pd.DataFrame(REFERENCE["changes"])
    column = "delta|" + wanted["region"] + "|" + wanted["feature"]
    wide = wanted.assign(column=column).pivot(index="patient", columns="column", values=kind)
    wide = wide.astype(float).dropna(how="all")
    found = delta.table[wide.columns].sort_index()
    pd.testing.assert_frame_equal(found, wide, rtol=1e-12, check_names=False)
    assert delta.left_out.to_dict("list") == {"patient": ["P03"], "reason": [NO_END]}


def test_nobody_is_lost_in_silence() -> None:
    start = pd.DataFrame({"x": [1.0, 2, np.nan, 4, 5], "y": [1.0, 2, np.nan, 4, np.nan]})
    start.index = pd.Index(list("abcde"))
    end = pd.DataFrame({"x": [1.0, 2, np.nan, 3], "y": [1.0, 1, 1, 2]}, index=["a", "c", "e", "f"])
    days = pd.Series({"a": np.nan, "b": 1.0, "c": 1.0, "e": 1.0})
    delta = delta_features(start, end, kind="per_day", days=days)
    assert dict(zip(delta.left_out["patient"], delta.left_out["reason"], strict=True)) == {
        "a": NO_DAYS,
        "b": NO_END,
        "c": NO_START,
        "d": NO_END,
        "e": NO_PAIR,
        "f": NO_START,
    }
    assert delta.n_patients == 0
    assert repr(delta) == "DeltaFeatures(per_day, 0 patients, 2 features, 6 left out)"


values = st.lists(st.floats(-1e6, 1e6), min_size=5, max_size=5)


@settings(max_examples=25)
@given(a=values, b=values, scale=st.floats(0.01, 100), order=st.permutations(range(5)))
def test_properties(a: list[float], b: list[float], scale: float, order: list[int]) -> None:
    start, end = pd.DataFrame({"x": a}), pd.DataFrame({"x": b})
    forward = delta_features(start, end, kind="absolute").table
    backward = delta_features(end, start, kind="absolute").table
    np.testing.assert_array_equal(forward, -backward)  # the other way round is the reverse
    shuffled = delta_features(start.iloc[order], end, kind="absolute").table
    pd.testing.assert_frame_equal(shuffled.sort_index(), forward)
    one = delta_features(start, end, kind="relative").table
    other = delta_features(start * scale, end * scale, kind="relative").table
    small = np.abs(start.to_numpy()) < 1e-3  # scaling may round a subnormal value to 0
    np.testing.assert_allclose(one.mask(small), other.mask(small), rtol=1e-9, atol=1e-9)
    days = pd.Series(30.0, index=start.index)
    monthly = delta_features(start, end, kind="per_day", days=days / 30).table
    daily = delta_features(start, end, kind="per_day", days=days).table
    np.testing.assert_allclose(monthly, daily * 30, rtol=1e-12, atol=1e-300)
    known = one.notna().to_numpy()
    assert (np.sign(one.to_numpy()[known]) == np.sign(forward.to_numpy()[known])).all()


def test_a_quotient_that_overflows_counts_as_from_zero() -> None:
    delta = delta_features(
        pd.DataFrame({"x": [1e-310, 1.0]}), pd.DataFrame({"x": [5.0, 2.0]}), kind="relative"
    )
    np.testing.assert_array_equal(delta.table["delta|x"], [np.nan, 1.0])
    assert delta.zero_start["n_patients"].tolist() == [1]


def test_names_are_understood() -> None:
    names = feature_table([f"delta|{MEAN}", f"delta|T1c|core|{VOLUME}"])
    assert names["prefix"].tolist() == ["delta", "delta|T1c|core"]
    assert names["feature_class"].tolist() == ["firstorder", "shape"]
    assert is_volume(f"core|{VOLUME}")
    assert not is_volume(f"delta|core|{VOLUME}")  # a change in volume is no volume


def test_keys_of_a_long_table_are_no_features() -> None:
    table = LONG.rename(columns={"ID": "patient"}).assign(reader=1, region="1")
    delta = long_delta(table, between=("pre", "post"), kind="absolute", column="when", days=None)
    assert delta.table.columns.tolist() == ["delta|day", f"delta|{MEAN}", f"delta|{VOLUME}"]


# ---- wrong input --------------------------------------------------------------------------------

GOOD = pd.DataFrame({"x": [1.0, 2.0]}, index=["a", "b"])


@pytest.mark.parametrize(
    ("start", "end", "options", "text"),
    [
        (GOOD, GOOD, {"kind": "relativ"}, "kind must be one of absolute, relative, per_day"),
        (GOOD, GOOD, {"kind": "per_day"}, "days are absent. Give the days between"),
        (
            GOOD,
            GOOD,
            {"kind": "absolute", "days": pd.Series({"a": 1.0})},
            "kind is 'absolute' and days are given. Take them out",
        ),
        (GOOD.iloc[[0, 0]], GOOD, {"kind": "absolute"}, "start must hold one row per patient"),
        (GOOD, GOOD.assign(y=1.0), {"kind": "absolute"}, r"1 stand in one of them only \('y'\)"),
        (GOOD, GOOD.assign(x=["1", "2"]), {"kind": "absolute"}, "end must hold numbers"),
        (GOOD, GOOD * np.inf, {"kind": "absolute"}, "end must hold finite numbers"),
        (
            GOOD,
            GOOD,
            {"kind": "per_day", "days": pd.Series({"a": 3.0, "b": -2.0})},
            r"above 0.*1 of 2 are not \(first: -2 at patient row 2\)\. Exchange",
        ),
        (
            GOOD,
            GOOD,
            {"kind": "per_day", "days": pd.Series([1.0, 2.0], index=["a", "a"])},
            "days must hold one value per patient",
        ),
    ],
)
def test_wrong_tables_are_named(
    start: pd.DataFrame, end: pd.DataFrame, options: dict[str, Any], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        delta_features(start, end, **options)


@pytest.mark.parametrize(
    ("change", "options", "text"),
    [
        ({}, {"column": "timepoint"}, "must hold the column 'timepoint'"),
        ({}, {"between": ("pre", "pre")}, "names 'pre' twice"),
        ({}, {"between": ("pre", "Post")}, "no row is of 'Post'. Did you mean 'post'?"),
        ({"when": "pre"}, {"between": ("pre", "post")}, "no row is of 'post'"),
        ({"patient": "P1"}, {}, r"4 rows share theirs|rows share theirs \(first: 'P1', 'pre'\)"),
        (
            {"diagnostics_Configuration_Settings": [WIDE, FINE, *[WIDE] * 6]},
            {},
            r"must be extracted with the same settings.*\(binWidth: 5 here, 25 there\)",
        ),
        (
            {"day": list("abcdefgh")},
            {"days": "day", "kind": "per_day"},
            "of numbers or of dates",
        ),
    ],
)
def test_wrong_long_tables_are_named(
    change: dict[str, Any], options: dict[str, Any], text: str
) -> None:
    table = LONG.rename(columns={"ID": "patient"}).assign(**change)
    with pytest.raises(ValueError, match=text):
        long_delta(
            table, **{"between": ("pre", "post"), "kind": "absolute", "column": "when", **options}
        )


def test_days_must_agree_within_a_timepoint() -> None:
    table = pd.DataFrame(
        {
            "patient": "P1",
            "timepoint": ["pre", "pre", "post", "post"],
            "region": ["1", "2", "1", "2"],
            "day": [0, 1, 9, 9],
            "x": 1.0,
        }
    )
    with pytest.raises(ValueError, match=r"those of 1 patient do not \(first: row 1 and row 2\)"):
        long_delta(table, between=("pre", "post"), kind="per_day", within=["region"], days="day")


# ---- in a study ---------------------------------------------------------------------------------


def test_a_table_of_changes(tmp_path: Path) -> None:
    view = read(tmp_path)
    assert view.table.index.tolist() == ["P1", "P2"]
    assert view.table[f"delta|{MEAN}"].tolist() == [1.0, 6.0]
    assert view.table[f"delta|{VOLUME}"].tolist() == [-60.0, 30.0]
    assert view.provenance.columns.tolist() == [
        "pre|diagnostics_Versions",
        "post|diagnostics_Versions",
    ]
    assert "of 2 patients; 2 of 8 rows are of other timepoints" in message(view, "delta_features")
    lost = message(view, "delta_incomplete")
    assert "no values at 'pre' (1)" in lost
    assert "no values at 'post' (1)" in lost
    assert "other timepoints only (1)" in lost
    assert "P3" not in " ".join(finding.message for finding in view.findings)


def test_relative_changes_from_zero_are_counted(tmp_path: Path) -> None:
    view = read(tmp_path, delta={"kind": "relative"})
    np.testing.assert_array_equal(view.table[f"delta|{MEAN}"], [0.25, np.nan])
    assert "1 relative changes" in message(view, "delta_from_zero")


def test_changes_per_day(tmp_path: Path) -> None:
    view = read(tmp_path, delta={"kind": "per_day", "days": "day"})
    assert view.table[f"delta|{VOLUME}"].tolist() == [-2.0, 0.6]
    assert not any("day" in column for column in view.table)
    without = read(
        tmp_path,
        LONG.assign(day=[0, None, 70, 20, 0, 9, 90, 90]),
        delta={"kind": "per_day", "days": "day"},
        drop=["centre"],
    )
    assert without.table.index.tolist() == ["P2"]
    assert "days between the two unknown (1)" in message(without, "delta_incomplete")


def test_dates_count_days(tmp_path: Path) -> None:
    dates = ["2024-01-31", "2024-03-01", "2024-12-31", "2024-11-11", None, None, None, None]
    options = {"delta": {"kind": "per_day", "days": "day"}, "drop": ["centre"]}
    view = read(tmp_path, LONG.assign(day=dates), **options)
    # 2024 is a leap year: 30 days to 1 March; 50 from 11 November to the last of December
    assert view.table[f"delta|{VOLUME}"].tolist() == [-2.0, 0.6]
    table = LONG.rename(columns={"ID": "patient"}).drop(columns="centre")
    for day in (dates, pd.to_datetime(pd.Series(dates))):
        found = long_delta(
            table.assign(day=day),
            between=("pre", "post"),
            kind="per_day",
            column="when",
            days="day",
        )
        assert found.table[f"delta|{VOLUME}"].tolist() == [-2.0, 0.6]


@pytest.mark.parametrize("wrong", ["2024-02-30", "12", "31.12.2024"])
def test_a_date_that_is_none_is_told_with_its_row(tmp_path: Path, wrong: str) -> None:
    dates = ["2024-01-31", "2024-03-01", wrong, "2024-11-11", "long ago", *[None] * 3]
    table = LONG.assign(day=dates, when=[*LONG["when"][:4], "other", *LONG["when"][5:]])
    told = rf"'day' must hold dates YYYY-MM-DD.*1 of 5 are none \(first: '{wrong}' in row"
    with pytest.raises(StudyError, match=rf"{told} 4\)"):  # of the file, as elsewhere
        read(tmp_path, table, delta={"kind": "per_day", "days": "day"}, drop=["centre"])
    long = table.rename(columns={"ID": "patient"})
    with pytest.raises(StudyError, match=rf"{told} 3\)"):
        long_delta(long, between=("pre", "post"), kind="per_day", column="when", days="day")


def test_days_that_do_not_rise_are_told_with_their_rows(tmp_path: Path) -> None:
    options = {"kind": "per_day", "days": "day"}
    told = "from 'pre' to 'post' by 'day', but those of 1 of 4 patients are not"
    table = LONG.assign(day=[30, 0, 70, 20, 0, 9, 90, 90])
    with pytest.raises(StudyError, match=rf"{told} \(first: -30, from row 2 to row 3\)"):
        read(tmp_path, table, delta=options)
    table["day"] = [0, np.inf, 70, 20, 0, 9, 90, 90]
    with pytest.raises(StudyError, match=r"1 of 6 are infinite \(first: row 2\)"):
        long_delta(
            table.rename(columns={"ID": "patient"}),
            **{"between": ("pre", "post"), "column": "when", **options},
        )


def test_timepoints_of_different_settings_are_refused(tmp_path: Path) -> None:
    mixed = LONG.assign(
        diagnostics_Configuration_Settings=[WIDE, FINE, FINE, WIDE, WIDE, FINE, WIDE, WIDE]
    )
    with pytest.raises(StudyError, match=r"binWidth: 5 here, 25 there"):
        read(tmp_path, mixed)
    declared = read(tmp_path, mixed, different_settings=True)
    assert declared.table.index.tolist() == ["P1", "P2"]
    # a timepoint that is not compared may have been extracted in any way
    later = LONG.assign(diagnostics_Configuration_Settings=[*[WIDE] * 6, FINE, FINE])
    assert read(tmp_path, later).table.index.tolist() == ["P1", "P2"]


def test_regions_stay_apart_and_reserved_columns_stay(tmp_path: Path) -> None:
    both = pd.concat([LONG.assign(roi="core"), LONG.assign(roi="edema", **{VOLUME: 1.0})])
    both = both[~((both["roi"] == "edema") & (both["when"] == "post"))]
    view = read(
        tmp_path, both, spread=["roi"], drop=["day"], reserve=("centre",), known="follow_up"
    )
    assert view.table.columns.tolist() == [f"delta|core|{MEAN}", f"delta|core|{VOLUME}"]
    assert view.known == dict.fromkeys(view.table.columns, "follow_up")
    assert view.reserved["centre"].to_dict() == {"P1": "A", "P2": "B", "P3": "A", "P4": "B"}
    assert "2 features" in message(view, "delta_one_sided")


def test_options_take_names_as_the_file_has_them(tmp_path: Path) -> None:
    view = read(
        tmp_path,
        LONG.replace("pre", "T0"),
        drop=[],
        columns=[MEAN],
        rename={MEAN: "mean"},
        recode={"when": {"T0": "first", "post": "second", "*": "other"}},
        delta={"from": "first", "to": "second"},
    )
    assert view.table["delta|mean"].tolist() == [1.0, 6.0]
    rules = reading_rules(
        TableSpec(
            path=Path("a.csv"),
            kind="radiomics",
            unknown=[-99],
            delta={"column": "when", "from": "a", "to": "b", "kind": "absolute"},
        ),
        view.table,
    )
    assert rules.unknown == []  # a change of -99 is a value


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"delta": {"column": "wen"}}, "delta names column 'wen'.*Did you mean 'when'"),
        ({"delta": {"from": "Pre"}}, "compares 'Pre' with 'post'.*no row is of 'Pre'"),
        (
            {"delta": {"from": "post", "to": "pre", "kind": "per_day", "days": "day"}},
            r"days must be above 0, from 'post' to 'pre' by 'day'.*2 of 4 patients",
        ),
        (
            {"delta": {"kind": "per_day", "days": "centre"}, "drop": []},
            "delta counts days in 'centre': write all of them as numbers",
        ),
    ],
)
def test_mistakes_of_a_study_are_named(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    with pytest.raises(StudyError, match=text):
        read(tmp_path, **options)


def test_mistakes_of_rows_are_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"every row must say its 'when'.*1 of 8 do not"):
        read(tmp_path, LONG.assign(when=[None, *LONG["when"][1:]]))
    with pytest.raises(StudyError, match=r"one row for each combination of 'when'.*'P1', 'pre'"):
        read(tmp_path, pd.concat([LONG, LONG[:1]]))
    with pytest.raises(StudyError, match=r"those of 1 patient do not \(first: row 2 and row 10\)"):
        read(
            tmp_path,
            pd.concat([LONG.assign(roi="a"), LONG[:1].assign(roi="b", day=5)]),
            spread=["roi"],
            delta={"kind": "per_day", "days": "day"},
        )
    with pytest.raises(StudyError, match="none of them in common"):
        read(
            tmp_path,
            LONG.assign(roi=["a", "b", "b", "a", "a", "b", "a", "a"]),
            spread=["roi"],
        )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"delta": {"from": "post"}}, "two timepoints, but both are 'post'"),
        ({"delta": {"from": "a|b"}}, "must hold no bar"),
        ({"delta": {"kind": "per_day"}}, 'days is needed where kind = "per_day"'),
        ({"delta": {"days": "day"}}, 'days is needed where kind = "per_day"'),
        ({"delta": {"kind": "per_day", "days": "when"}}, "days must be another column"),
        ({"spread": ["when"]}, "spread and delta both name 'when'"),
        ({"reduce": "mean", "spread": ["roi"]}, "spread and reduce both make one row"),
        ({"patients": "columns"}, "delta makes one row per patient of several"),
        ({"transform": {"*": "log2p1"}}, "delta is of numbers as they stand: take out transform"),
    ],
)
def test_options_that_do_not_go_together(
    tmp_path: Path, options: dict[str, Any], text: str
) -> None:
    with pytest.raises(ValidationError, match=text):
        read(tmp_path, **options)


def test_numbers_name_timepoints_too(tmp_path: Path) -> None:
    spec = DeltaSpec.model_validate({"column": "visit", "from": 1, "to": 2.0, "kind": "absolute"})
    assert (spec.start, spec.end) == ("1", "2.0")
    visits = LONG.assign(when=LONG["when"].map({"pre": 1, "post": 2, "later": 3}))
    assert len(read(tmp_path, visits, delta={"from": 1, "to": 2.0}).table) == 2


def test_a_study_runs_on_a_long_table(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    rng = np.random.default_rng(3)
    before = study.tables["radiomics"]
    after = before.assign(**{c: before[c] + rng.normal(size=len(before)) for c in FEATURES})
    study.tables["radiomics"] = pd.concat(
        [before.assign(scan="pre"), after.iloc[:-2].assign(scan="post")]
    )
    table = study.content["tables"]["radiomics"]
    table["delta"] = {"column": "scan", "from": "pre", "to": "post", "kind": "absolute"}
    result = study.run()
    assert result.exit_code == 0, result.output
    report = (study.out / "report.html").read_text(encoding="utf-8")
    assert "changes from &#39;pre&#39; to &#39;post&#39;" in report

    # the frozen model takes a new patient's changes under the same names
    before = before.set_index("ID")[list(FEATURES)]
    after = after.set_index("ID")[list(FEATURES)]
    new = delta_features(before[:3], after[:3], kind="absolute").table.add_prefix("radiomics:")
    clinical = study.tables["clinical"].set_index("ID").add_prefix("clinical:")
    new.join(clinical).rename_axis("ID").to_csv(tmp_path / "new.csv")
    scored = command("score", study.out, tmp_path / "new.csv", "--out", tmp_path / "scored.csv")
    assert scored.exit_code == 0, scored.output
    assert len(pd.read_csv(tmp_path / "scored.csv")) == 3


# ---- several lesions at each timepoint ----------------------------------------------------------

LESIONS = pd.DataFrame(
    # P1 loses a lesion, P2 gains one, P3 keeps two, P4 has none left, P5 was seen at neither
    [
        ("P1", "pre", "1", "2024-01-01", "A", 3.0, 10.0),
        ("P1", "pre", "2", "2024-01-01", "A", 1.0, 30.0),
        ("P2", "post", "1", "2024-03-01", "B", 2.0, 8.0),
        ("P1", "post", "1", "2024-01-11", "A", 2.0, 12.0),
        ("P2", "pre", "1", "2024-02-28", "B", 6.0, 5.0),
        ("P2", "post", "2", "2024-03-01", "B", 6.0, 4.0),
        ("P3", "pre", "1", "2024-01-01", "A", 1.0, 1.0),
        ("P3", "pre", "2", "2024-01-01", "A", 3.0, 5.0),
        ("P3", "post", "1", "2024-01-03", "A", 3.0, np.nan),
        ("P3", "post", "2", "2024-01-03", "A", 1.0, 9.0),
        ("P4", "pre", "1", "2024-01-01", "A", 4.0, 4.0),
        ("P5", "later", "1", "2024-09-01", "B", 4.0, 4.0),
    ],
    columns=["ID", "when", "region", "day", "centre", VOLUME, MEAN],
).assign(diagnostics_Versions="1")
WAYS = [{"by": "first"}, {"by": "mean"}, {"largest": VOLUME}, {"weighted": VOLUME}]


def read_lesions(folder: Path, table: pd.DataFrame = LESIONS, **options: Any) -> View:
    drop = options.pop("drop", ["region", "centre", "day"])
    return read(folder, table, **{"reduce": {"weighted": VOLUME}, "drop": drop, **options})


def test_lesions_are_reduced_at_each_timepoint_first(tmp_path: Path) -> None:
    view = read_lesions(
        tmp_path,
        reduce={"weighted": VOLUME, "total": [VOLUME], "count": "lesions"},
        known="baseline",
        reserve=("centre",),
        drop=["region", "day"],
    )
    assert view.table.index.tolist() == ["P1", "P2", "P3"]
    # P1: (3 x 10 + 1 x 30) / 4 = 15, then 12; P2: 5, then (2 x 8 + 6 x 4) / 8 = 5; P3: 4, then 9
    assert view.table[f"delta|{MEAN}"].tolist() == [-3.0, 0.0, 5.0]
    assert view.table[f"delta|total|{VOLUME}"].tolist() == [-2.0, 2.0, 0.0]
    assert view.table["delta|lesions"].tolist() == [-1.0, 1.0, 0.0]
    assert view.known == dict.fromkeys(view.table, "baseline")
    assert view.reserved["centre"].to_dict() == {"P1": "A", "P2": "B", "P3": "A", "P4": "A"}
    assert view.provenance.columns.tolist() == [
        "pre|diagnostics_Versions",
        "post|diagnostics_Versions",
    ]
    assert view.notes.n_merged == 4
    told = message(view, "delta_lesions")
    assert "2 of 3 patients have another number of them at 'post' (fewer: 1, more: 1)" in told
    assert "no values at 'post' (1); other timepoints only (1)" in message(view, "delta_incomplete")


@pytest.mark.parametrize("way", WAYS, ids=range(len(WAYS)))
@pytest.mark.parametrize("kind", ["absolute", "relative", "per_day"])
def test_lesions_over_time_as_pandas_has_them(
    tmp_path: Path, way: dict[str, Any], kind: str
) -> None:
    rng = np.random.default_rng(3)
    rows = [
        (f"P{p}", when, f"{lesion}", 7 * late + p, *rng.gamma(2.0, size=2))
        for p in range(12)
        for late, when in enumerate(("pre", "post"))
        for lesion in range(rng.integers(1, 5))
    ]
    table = pd.DataFrame(rows, columns=["ID", "when", "region", "day", VOLUME, MEAN])
    table = table.sample(frac=1, random_state=1)
    options = {"kind": kind} | ({"days": "day"} if kind == "per_day" else {})
    drop = ["region"] if kind == "per_day" else ["region", "day"]
    view = read_lesions(tmp_path, table, reduce=way, delta=options, drop=drop)

    def reduced(rows: pd.DataFrame) -> pd.Series:
        if way == {"by": "first"}:
            return rows[[VOLUME, MEAN]].iloc[0]
        if way == {"by": "mean"}:
            return rows[[VOLUME, MEAN]].mean()
        if "largest" in way:
            return rows.loc[rows[VOLUME].idxmax(), [VOLUME, MEAN]].astype(float)
        weights = rows[VOLUME] / rows[VOLUME].sum()
        return rows[[VOLUME, MEAN]].mul(weights, axis=0).sum()

    scans = pd.DataFrame(
        {key: reduced(part) for key, part in table.groupby(["ID", "when"])}
    ).T.unstack()
    for feature in (VOLUME, MEAN):
        before, after = scans[feature]["pre"], scans[feature]["post"]
        divisor = {"absolute": 1.0, "relative": before.abs(), "per_day": 7.0}[kind]
        wanted = ((after - before) / divisor).loc[view.table.index]
        np.testing.assert_allclose(view.table[f"delta|{feature}"], wanted, rtol=1e-12)


def test_one_row_a_timepoint_is_as_without_reduce(tmp_path: Path) -> None:
    plain, reduced = read(tmp_path), read(tmp_path, reduce={"by": "mean"})
    pd.testing.assert_frame_equal(plain.table, reduced.table)
    pd.testing.assert_frame_equal(plain.provenance, reduced.provenance, check_names=False)
    assert not any(finding.code == "delta_lesions" for finding in reduced.findings)


def test_what_is_left_of_nothing_is_stated_by_a_row_of_volume_zero(tmp_path: Path) -> None:
    gone = pd.DataFrame([("P4", "post", "1", "2024-02-01", "A", 0.0, np.nan, "1")])
    table = pd.concat([LESIONS, gone.set_axis(LESIONS.columns, axis=1)])
    view = read_lesions(tmp_path, table, reduce={"weighted": VOLUME, "total": [VOLUME]})
    assert view.table.loc["P4", f"delta|total|{VOLUME}"] == -4.0
    assert np.isnan(view.table.loc["P4", f"delta|{MEAN}"])


def test_mistakes_of_lesions_over_time_are_named(tmp_path: Path) -> None:
    per_day = {"delta": {"kind": "per_day", "days": "day"}, "drop": ["region", "centre"]}
    view = read_lesions(tmp_path, **per_day)
    np.testing.assert_allclose(view.table[f"delta|{MEAN}"], [-0.3, 0.0, 2.5], rtol=1e-14)
    days = LESIONS["day"].mask(LESIONS.index == 1, "2024-01-02")
    with pytest.raises(StudyError, match=r"must agree on 'day'.*\(first: row 2 and row 3\)"):
        read_lesions(tmp_path, LESIONS.assign(day=days), **per_day)
    centres = LESIONS["centre"].mask(LESIONS.index == 3, "B")
    with pytest.raises(StudyError, match="rows of one patient must agree in column 'centre'"):
        read_lesions(
            tmp_path, LESIONS.assign(centre=centres), reserve=("centre",), drop=["region", "day"]
        )
    volumes = LESIONS[VOLUME].mask(LESIONS.index == 1, -1.0)
    with pytest.raises(StudyError, match=r"1 of 11 are not \(first: row 3, -1\)"):
        read_lesions(tmp_path, LESIONS.assign(**{VOLUME: volumes}))
