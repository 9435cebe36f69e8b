"""New patients are read as the study's own tables are: the same cells, the same values."""

from pathlib import Path

import pandas as pd
import pytest

from omics.errors import StudyError
from omics.new_patients import raw_table, read_new_patients, reading_rules
from omics.table_spec import TableSpec
from omics.tables import read_table

CLINICAL = """ID;Age;Sex;IDH;KPS
A;61,5;male;wildtype;90
B;40,25;female;R132H;-99
C;;male;R132S;70
"""
MOLECULAR = "ID,EGFR,PTEN,Age\nA,0,3,1\nB,7.5,15,2\nC,NA,1,3\n"
PATHOLOGY = "ID,Ki-67\nA,10-20 %\nB,<5%\nC,not done\n"


@pytest.fixture
def specs(tmp_path: Path) -> dict[str, TableSpec]:
    texts = {"clinical": CLINICAL, "rna": MOLECULAR, "pathology": PATHOLOGY}
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_text(text)
    return {
        "clinical": TableSpec(
            path=tmp_path / "clinical.csv",
            kind="clinical",
            separator=";",
            decimal=",",
            unknown=[-99],
            rename={"KPS": "Karnofsky"},
            recode={"IDH": {"wildtype": "wt", "*": "mutant"}},
            categories={"Sex": "female"},
        ),
        "rna": TableSpec(path=tmp_path / "rna.csv", kind="expression", transform={"*": "log2p1"}),
        "pathology": TableSpec(
            path=tmp_path / "pathology.csv",
            kind="pathology",
            unit={"Ki-67": "percent"},
            unknown=["not done"],
        ),
    }


def wide(specs: dict[str, TableSpec]) -> pd.DataFrame:
    """The cells of all tables beside each other, `Age` of both under its full name."""
    parts = []
    for name, spec in specs.items():
        cells = pd.read_csv(spec.path, sep=spec.separator or ",", dtype=str, keep_default_na=False)
        cells = cells.set_index("ID").rename(columns={"Age": f"{name}:Age"})
        parts.append(cells)
    return pd.concat(parts, axis=1)


def test_new_patients_are_read_as_the_study_was(specs: dict[str, TableSpec]) -> None:
    tables = {name: read_table(spec, name=name).table for name, spec in specs.items()}
    rules = {name: reading_rules(spec, tables[name]) for name, spec in specs.items()}
    expected = pd.concat([table.add_prefix(f"{name}:") for name, table in tables.items()], axis=1)
    columns = list(expected.columns)[::-1]
    found = read_new_patients(raw_table(wide(specs)), rules, columns, title="new")
    assert found.ids == ("A", "B", "C")
    assert not found.wrong
    assert (found.missing, found.absent, found.extra) == ((), (), ())
    assert found.unknown == {"clinical:Karnofsky": 1, "pathology:Ki-67": 1}
    pd.testing.assert_frame_equal(
        found.X.reset_index(drop=True), expected[columns].reset_index(drop=True)
    )
    assert found.X["rna:EGFR"].tolist()[0] == 0.0
    assert found.X["rna:PTEN"].tolist() == [2.0, 4.0, 1.0]  # log2(x + 1)
    assert found.X["pathology:Ki-67"].tolist()[:2] == [15.0, 2.5]
    # one patient alone, of whom no other tells which levels there are
    one = read_new_patients(raw_table(wide(specs).iloc[[0]]), rules, columns, title="new")
    assert one.X["clinical:Sex"].cat.categories.tolist() == ["female", "male"]
    assert one.X.iloc[0].equals(found.X.iloc[0])


def test_a_short_name_of_two_tables_stands_for_neither(specs: dict[str, TableSpec]) -> None:
    tables = {name: read_table(spec, name=name).table for name, spec in specs.items()}
    rules = {name: reading_rules(spec, tables[name]) for name, spec in specs.items()}
    cells = wide(specs).rename(columns={"clinical:Age": "Age"})
    found = read_new_patients(raw_table(cells), rules, ["clinical:Age", "rna:Age"], title="new")
    assert found.missing == ("clinical:Age",)
    assert "Age" in found.extra


def test_a_table_in_memory_needs_distinct_columns() -> None:
    with pytest.raises(StudyError, match="'a' comes twice"):
        raw_table(pd.DataFrame([[1, 2]], columns=["a", "a"]))
