"""How numbers are written: hand-worked cells, neutral csv, whole files."""

import csv
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.files import write_text
from reports.tables import (
    format_estimate,
    format_number,
    format_p_value,
    label,
    performance_rows,
    table_rows,
    write_csv,
)
from tests.made_up_tables import HOSTILE, coefficients_table, performance_table


@pytest.mark.parametrize(
    ("p_value", "text"),
    [
        (0.0, "<0.001"),
        (0.00099, "<0.001"),
        (0.001, "0.001"),
        (0.0123, "0.01"),
        (0.0496, "0.050"),  # two digits would read .05
        (0.2, "0.20"),
        (0.995, ">0.99"),
        (np.nan, "–"),
    ],
)
def test_p_values(p_value: float, text: str) -> None:
    assert format_p_value(p_value) == text


@given(value=st.floats(-1e5, 1e5), digits=st.integers(0, 4))
def test_a_printed_number_is_within_half_a_digit(value: float, digits: int) -> None:
    printed = float(format_number(value, digits=digits).replace("−", "-"))
    assert abs(printed - value) <= 0.5 * 10**-digits + 1e-9


def test_negative_bounds_are_not_joined_by_a_dash() -> None:
    assert format_estimate(0.1, -0.2, 0.3, digits=1) == "0.1 (−0.2 to 0.3)"


def test_interval_joins_its_estimate_and_level_moves_to_the_header() -> None:
    ready = table_rows(coefficients_table().assign(level=0.9))
    assert ready.header == ("Term", "Coefficient", "Hazard ratio (90% CI)", "p")
    assert ready.rows[2] == ("clinical:Grade=4", "1.085", "2.96 (1.60–5.40)", "<0.001")
    assert ready.numeric == (False, True, True, True)


def test_digits_follow_the_metric_of_the_row() -> None:
    ready = table_rows(performance_table().iloc[:2].assign(metric=["calibration_slope", "brier"]))
    column = ready.header.index("Estimate (95% CI)")
    assert [row[column] for row in ready.rows] == ["0.77 (0.71–0.82)", "0.780 (0.710–0.820)"]


def test_whole_numbers_missing_values_and_flags() -> None:
    table = pd.DataFrame(
        {"horizon": [12.0, np.nan], "n_patients": [1500, 2], "is_on": [True, False]}
    )
    assert table_rows(table).rows == (("12", "1,500", "yes"), ("–", "2", "no"))


def test_models_side_by_side_are_the_rows_of_the_table() -> None:
    performance = performance_table()
    wide = performance_rows(performance[performance["validation"] == "cross_validated"])
    assert list(wide.columns) == ["metric", "horizon", "Clinical", "Clinical + factors", "XGBoost"]
    assert wide.loc[0, "Clinical + factors"] == "0.760 (0.700–0.810)"
    assert wide["metric"].tolist() == [label("c_index"), "AUC"]


def test_two_rows_for_one_cell_are_refused() -> None:
    with pytest.raises(ValueError, match=r"12 rows come twice.*Choose one cohort"):
        performance_rows(performance_table())


@pytest.mark.parametrize("text", ["=1+1", "+a", "-a", "@SUM(A1)", "\tx", "\rx", "＝1", HOSTILE])
def test_formula_text_is_neutral_and_everything_else_comes_back(text: str, tmp_path: Path) -> None:
    table = pd.DataFrame({text: [text, "plain"], "number": [-1.5, 1e-17], "text": ["-5", "+2.5e3"]})
    write_csv(table, tmp_path / "table.csv")
    written = (tmp_path / "table.csv").read_bytes().decode()
    header, first, second = csv.reader(io.StringIO(written, newline=""))
    expected = text if text == HOSTILE else f"'{text}".replace("\r", "\n")
    assert header[0] == first[0] == expected
    assert [*first[1:], *second[1:]] == ["-1.5", "-5", "1e-17", "+2.5e3"]


def test_a_line_end_within_a_cell_starts_no_row(tmp_path: Path) -> None:
    # pandas left a lone carriage return unquoted: "=1+1" became the first cell of a row.
    write_csv(pd.DataFrame({"a": ["x\r=1+1", "y\r\n=2"]}), tmp_path / "t.csv")
    written = (tmp_path / "t.csv").read_bytes().decode()
    assert list(csv.reader(io.StringIO(written, newline=""))) == [["a"], ["x\n=1+1"], ["y\n=2"]]


def test_categories_are_neutral_too_and_the_table_is_untouched(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": pd.Categorical(["=x", "y"])})
    before = table.copy()
    write_csv(table, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "a\n'=x\ny\n"
    pd.testing.assert_frame_equal(table, before)


def test_an_empty_table_keeps_its_header(tmp_path: Path) -> None:
    write_csv(pd.DataFrame(columns=["a", "=b"]), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "a,'=b\n"


def test_a_file_that_fails_leaves_the_old_one_and_no_part(tmp_path: Path) -> None:
    place = tmp_path / "page.html"
    write_text("old", place)
    with pytest.raises(UnicodeEncodeError):
        write_text("new \ud800", place)
    assert place.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
