"""Some rows of a table alone: what is kept, counted and refused."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from omics.errors import StudyError
from omics.table_spec import TableSpec
from omics.tables import read_table

ROWS = pd.DataFrame(
    {
        "ID": ["P1", "P1", "P2", "P2", "P3"],
        "reader": ["A", "B", "A", "B", "A"],
        "time": [1, 1, 1, 1, 2],
        "Mean": [1.0, 10.0, 2.0, 20.0, 3.0],
    }
)


def spec_of(folder: Path, **options: Any) -> TableSpec:
    ROWS.to_csv(folder / "radiomics.csv", index=False)
    return TableSpec(path=folder / "radiomics.csv", kind="features", **options)


def test_rows_of_one_reader(tmp_path: Path) -> None:
    view = read_table(spec_of(tmp_path, only={"reader": ["A"]}, drop=["time"]), name="mri")
    assert view.table["Mean"].to_dict() == {"P1": 1.0, "P2": 2.0, "P3": 3.0}
    assert list(view.table.columns) == ["Mean"]
    (finding,) = view.findings
    assert finding.code == "rows_left_out"
    assert finding.message.startswith("2 of 5 rows of table 'mri' were left out")


def test_numbers_and_several_columns(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, only={"time": [1], "reader": ["B"]})
    assert read_table(spec, name="mri").table["Mean"].to_dict() == {"P1": 10.0, "P2": 20.0}
    everything = spec_of(tmp_path, only={"reader": ["A", "B"]}, spread=["time"], reduce=None)
    with pytest.raises(StudyError):
        read_table(everything, name="mri")  # two rows of one patient and time


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ({"Reader": ["A"]}, "only names column 'Reader'.*Did you mean 'reader'"),
        ({"reader": ["C"]}, r"asks for 'C' in column 'reader', but no row.* 'A' \(3\), 'B' \(2\)"),
        ({"reader": ["B"], "time": [2]}, "leaves none of 5 rows"),
    ],
)
def test_what_is_not_there_is_named(only: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=message):
        read_table(spec_of(tmp_path, only=only), name="mri")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": {"reader": []}}, "only must list values"),
        ({"only": {"reader": ["A"]}, "patients": "columns"}, "a row per patient"),
    ],
)
def test_options_that_do_not_go_together(options: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=message):
        spec_of(tmp_path, **options)
