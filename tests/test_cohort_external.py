"""An external cohort in files of its own: the same columns, other patients."""

from pathlib import Path

import pandas as pd
import pytest

from omics.cohort import Cohort
from omics.errors import StudyError
from omics.outcome import BinarySpec
from omics.table_spec import TableSpec
from omics.tables import read_table

SPEC = BinarySpec(column="clinical:IDH", positive=("mutant",))


def cohort(
    tmp_path: Path, name: str, patients: list[str], columns: tuple[str, ...] = ("Age", "KPS")
) -> Cohort:
    n = len(patients)
    table = pd.DataFrame({"id": patients, "IDH": (["mutant", "wildtype"] * n)[:n]})
    for position, column in enumerate(columns):
        table[column] = [40 + 7 * i**1.5 + position for i in range(n)]
    path = tmp_path / f"{name}.csv"
    table.to_csv(path, index=False)
    view = read_table(
        TableSpec(path=path, kind="clinical", id="id"), name="clinical", reserve=("IDH",)
    )
    return Cohort.join([view], outcome=SPEC)


def test_external_patients_follow_and_nobody_is_lost(tmp_path: Path) -> None:
    study = cohort(tmp_path, "a", ["p1", "p2", "p3", "p4"])
    both = study.with_external("Hospital B", cohort(tmp_path, "b", ["q1", "q2"]))
    assert both.n_patients == 6
    assert both.development.n_patients == 4
    assert list(both.external) == ["Hospital B"]
    assert both.external["Hospital B"].X.index.tolist() == ["q1", "q2"]
    last = both.flow.table.iloc[-1]
    assert (last["table"], last["patients"], last["matched"], last["lost"]) == ("cohort", 6, 6, 0)
    assert both.flow.table["table"].tolist() == ["clinical", "clinical (Hospital B)", "cohort"]


def test_the_same_patient_in_both_is_refused(tmp_path: Path) -> None:
    study = cohort(tmp_path, "a", ["p1", "p2"])
    with pytest.raises(StudyError, match=r"other patients, but 1 of 2 ids of 'Hospital B'.*'p2'"):
        study.with_external("Hospital B", cohort(tmp_path, "b", ["p2", "q1"]))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    study = cohort(tmp_path, "a", ["p1", "p2"])
    other = cohort(tmp_path, "b", ["q1", "q2"], columns=("Age",))
    with pytest.raises(StudyError, match=r"1 of 2 are absent \(first: 'clinical:KPS'\)"):
        study.with_external("Hospital B", other)


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    study = cohort(tmp_path, "a", ["p1", "p2"])
    with pytest.raises(StudyError, match="'development' needs a name that is not taken"):
        study.with_external("development", cohort(tmp_path, "b", ["q1", "q2"]))
