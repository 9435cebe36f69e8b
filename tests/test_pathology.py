"""Ki-67 as it is written: each convention worked by hand, each doubt refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omics.errors import StudyError
from omics.pathology import read_percentages
from omics.table_spec import TableSpec
from omics.tables import read_table


def cells(*values: object) -> pd.Series:
    rows = [f"row {number + 2}" for number in range(len(values))]
    return pd.Series(list(values), index=rows, name="Ki-67", dtype=object)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30 %", 30.0),
        ("30%", 30.0),
        ("<1%", 0.5),
        ("< 1 %", 0.5),
        ("<=1%", 0.5),
        ("≤ 1%", 0.5),
        (">50%", 75.0),
        ("≥ 90 %", 95.0),
        ("5-10%", 7.5),
        ("5% - 10%", 7.5),
        ("5–10 %", 7.5),
        ("5 to 10%", 7.5),
        ("~30%", 30.0),
        ("ca. 30 %", 30.0),
        ("0%", 0.0),
        ("100 %", 100.0),
        (".5%", 0.5),
    ],
)
@pytest.mark.parametrize("unit", ["percent", "fraction", None])
def test_a_per_cent_sign_is_per_cent_whatever_is_declared(
    text: str, expected: float, unit: None
) -> None:
    assert read_percentages(cells(text), unit=unit).values.tolist() == [expected]


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("0.3", "fraction", 30.0),
        ("0.3", "percent", 0.3),
        (0.25, "fraction", 25.0),
        (12, "percent", 12.0),
        ("<0.01", "fraction", 0.5),
        ("0.05-0.10", "fraction", 7.5),
        (">0.5", "fraction", 75.0),
        (5e-05, "fraction", 0.005),
    ],
)
def test_a_bare_number_is_what_is_declared(value: object, unit: None, expected: float) -> None:
    assert read_percentages(cells(value), unit=unit).values.item() == pytest.approx(expected)


def test_missing_and_counts() -> None:
    result = read_percentages(cells("<1%", None, "", "NA", "5-10%", 3, np.nan), unit="percent")
    np.testing.assert_array_equal(result.values, [0.5, *[np.nan] * 3, 7.5, 3.0, np.nan])
    assert (result.n_ranges, result.n_bounds, result.n_bare) == (1, 1, 1)
    assert repr(result) == "Percentages(3 of 7 known, 1 ranges, 1 bounds)"


def test_decimal_comma_is_read_when_declared_only() -> None:
    assert read_percentages(cells("0,5%"), unit=None, decimal=",").values.item() == 0.5
    with pytest.raises(StudyError, match="state decimal"):
        read_percentages(cells("0,5%"), unit=None)
    with pytest.raises(StudyError, match="state decimal"):
        read_percentages(cells("0.5%"), unit=None, decimal=",")


@given(low=st.integers(0, 100), width=st.integers(0, 100))
def test_range_lies_between_its_ends_and_unit_does_not_matter(low: int, width: int) -> None:
    high = min(low + width, 100)
    per_cent = read_percentages(cells(f"{low}-{high}%"), unit=None).values.item()
    fraction = read_percentages(cells(f"{low / 100}-{high / 100}"), unit="fraction").values.item()
    assert low <= per_cent <= high
    assert per_cent == (low + high) / 2
    assert fraction == pytest.approx(per_cent)


@pytest.mark.parametrize(
    ("values", "unit", "message"),
    [
        (
            ["low", "5%", "high", "+++", "n/a"],
            "percent",
            r"'Ki-67' must be written like .* 4 of 5 values are not \(first: 'low' in row 2, "
            r"'high' in row 4, '\+\+\+' in row 5\)",
        ),
        (["<5-10%"], "percent", "must be written like"),
        (["-5%"], "percent", "must be written like"),
        (["0.3", "5%"], None, r"1 of 2 values are bare numbers \(first: '0\.3' in row 2\)"),
        (["0.3"], None, r"unit = { \"Ki-67\" = \"percent\" }"),
        (["30"], "fraction", "must lie between 0 and 100 %"),
        (["101%"], "percent", r"'101%' in row 2"),
        (["10-5%"], "percent", "ranges from low to high"),
    ],
)
def test_doubt_is_refused(values: list[object], unit: None, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        read_percentages(cells(*values), unit=unit)


def test_pathology_table(tmp_path: Path) -> None:
    path = tmp_path / "pathology.csv"
    path.write_text("ID,Ki-67,p53,mitoses,MGMT\nP1,0.3,<1%,4,yes\nP2,not done,5-10%,,no\n")
    spec = TableSpec(
        path=path,
        kind="pathology",
        unit={"Ki-67": "fraction", "mitoses": "number"},
        categories={"MGMT": "no"},
        unknown=["not done"],
    )
    view = read_table(spec, name="pathology")
    np.testing.assert_array_equal(view.table["Ki-67"], [30.0, np.nan])
    np.testing.assert_array_equal(view.table["p53"], [0.5, 7.5])
    np.testing.assert_array_equal(view.table["mitoses"], [4.0, np.nan])
    assert view.table["MGMT"].tolist() == ["yes", "no"]
    assert [finding.code for finding in view.findings] == ["percent_convention"]
    assert view.notes.unknown.to_dict("records") == [{"column": "Ki-67", "count": 1}]


def test_bare_numbers_of_a_pathology_table_need_a_unit(tmp_path: Path) -> None:
    path = tmp_path / "pathology.csv"
    path.write_text("ID,Ki-67\nP1,0.3\nP2,12\n")
    with pytest.raises(StudyError, match=r"2 of 2 values are bare numbers.*'0\.3' in row 2"):
        read_table(TableSpec(path=path, kind="pathology"), name="pathology")


def test_fractions_declared_as_per_cent_are_a_finding(tmp_path: Path) -> None:
    path = tmp_path / "pathology.csv"
    path.write_text("ID,Ki-67\nP1,0.3\nP2,0.05\n")
    spec = TableSpec(path=path, kind="pathology", unit={"Ki-67": "percent"})
    assert [f.code for f in read_table(spec, name="p").findings] == ["percent_or_fraction"]
