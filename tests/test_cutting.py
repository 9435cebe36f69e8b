"""A marker's cut: each cell worked by hand, ranges on both sides lost and counted."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from omics.cohort import Cohort, reserved_columns
from omics.cutting import Cut
from omics.errors import StudyError
from omics.outcome import BinarySpec
from omics.pathology import read_ranges
from omics.table_spec import TableSpec
from omics.tables import View, read_table
from reports.study import load_cohort
from reports.study_file import read_study
from tests.small_study import SmallStudy, small_study

# What each cell leaves open, and the answer to >= 3, > 3, <= 3, < 3: yes, no or unknown (None)
TRUTH: dict[str, tuple[bool | None, ...]] = {
    "2%": (False, False, True, True),
    "3%": (True, False, True, False),
    "4%": (True, True, False, False),
    "~3%": (True, False, True, False),
    "<3%": (False, False, True, True),
    "<=3%": (None, False, True, None),
    ">3%": (True, True, False, False),
    ">=3%": (True, None, None, False),
    "1-3%": (None, False, True, None),
    "3-5%": (True, None, None, False),
    "1-5%": (None, None, None, None),
    "5-10%": (True, True, False, False),
    "<1%": (False, False, True, True),
    "<5%": (None, None, None, None),
    ">1%": (None, None, None, None),
    "0%": (False, False, True, True),
    "100 %": (True, True, False, False),
}
SIGNS = (">=", ">", "<=", "<")


def answer(text: object, cut: Cut) -> bool | None:
    positive, straddles = cut.classes(read_ranges(pd.Series([text]), unit=cut.unit))
    assert not (positive & straddles).any()
    return None if straddles.item() else bool(positive.item())


@pytest.mark.parametrize(("text", "position"), list(product(TRUTH, range(4))))
def test_truth_table(text: str, position: int) -> None:
    expected = TRUTH[text][position]
    assert answer(text, Cut.read(f"{SIGNS[position]} 3 %", unit=None)) is expected


NUMBERS = st.integers(0, 100)


@given(low=NUMBERS, width=NUMBERS, cuts=st.tuples(st.integers(1, 99), st.integers(1, 99)))
def test_a_higher_cut_makes_nobody_positive(low: int, width: int, cuts: tuple[int, int]) -> None:
    text = f"{low}-{min(low + width, 100)}%"
    for sign in (">=", ">"):
        one, other = (Cut.read(f"{sign} {c} %", unit=None) for c in sorted(cuts))
        order = {False: 0, None: 1, True: 2}
        assert order[answer(text, other)] <= order[answer(text, one)]


@given(low=NUMBERS, width=NUMBERS, value=st.integers(1, 99), where=st.floats(0, 1))
def test_a_range_answers_for_every_number_in_it(
    low: int, width: int, value: int, where: float
) -> None:
    high = min(low + width, 100)
    number = round(low + where * (high - low), 3)
    for sign in SIGNS:
        cut = Cut.read(f"{sign} {value} %", unit=None)
        of_range, of_number = answer(f"{low}-{high}%", cut), answer(f"{number}%", cut)
        plain = {">=": number >= value, ">": number > value}
        expected = plain.get(sign, number <= value if sign == "<=" else number < value)
        assert of_number is expected
        assert of_range in (None, of_number)


def test_fractions_meet_the_cut_they_write() -> None:
    assert 0.29 * 100 < 29  # the trap
    for hundredth in range(1, 100):
        cut = Cut.read(f">= {hundredth} %", unit="fraction")
        assert answer(f"0.{hundredth:02d}", cut) is True
        assert answer(hundredth / 100, cut) is True
        assert str(Cut.read(f">= 0.{hundredth:02d}", unit="fraction")) == f">= {hundredth} %"


def test_numbers_have_no_upper_end() -> None:
    cut = Cut.read(">= 4", unit="number")
    assert str(cut) == ">= 4"
    found = {text: answer(text, cut) for text in ("3", "4", "150", ">2", ">10", "<4", "2-6")}
    assert found == {
        "3": False, "4": True, "150": True, ">2": None, ">10": True, "<4": False, "2-6": None
    }  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"cut": "3 %"}, "must be a sign and a number"),
        ({"cut": ">= 3"}, "must have a unit"),
        ({"cut": ">= 3 %", "unit": "number"}, "has no per cent"),
        ({"cut": ">= 0 %"}, "values on both sides"),
        ({"cut": "> 100 %"}, "values on both sides"),
        ({"cut": ">= 3 %", "negative": "low"}, "negative goes with positive"),
        ({"positive": "high", "unit": "percent"}, "unit goes with cut"),
        ({}, "but neither came"),
        ({"positive": "high", "cut": ">= 3 %"}, "but both came"),
    ],
)
def test_a_wrong_declaration_is_refused(declared: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        BinarySpec.model_validate({"column": "pathology:Ki-67"} | declared)


def read_view(folder: Path, cells: list[str], **spec: str) -> View:
    rows = "".join(f'P{i:02d},{i},"{cell}"\n' for i, cell in enumerate(cells))
    path = folder / "pathology.csv"
    path.write_text("ID,mitoses,Ki-67\n" + rows)
    declared = {"path": path, "kind": "pathology", "unit": {"mitoses": "number"}} | spec
    table = TableSpec.model_validate(declared)
    return read_table(table, name="pathology", reserve=["Ki-67"])


OUTCOME = BinarySpec(column="pathology:Ki-67", cut=">= 3 %")


def test_straddling_ranges_are_lost_and_counted(tmp_path: Path) -> None:
    cells = ["<1%", "1-5%", "30%", "", "5-10%", "<5%", "1-5%", "2%"]
    view = read_view(tmp_path, cells)
    assert reserved_columns(outcome=OUTCOME) == {"pathology": ("Ki-67",)}
    cohort = Cohort.join([view], outcome=OUTCOME)
    assert dict(zip(cohort.X.index, cohort.y, strict=True)) == {
        "P00": False, "P02": True, "P04": True, "P07": False
    }  # fmt: skip
    assert cohort.outcome.label == "Ki-67 >= 3 %"
    assert repr(cohort.outcome) == "Outcome(Ki-67 >= 3 %)"
    flow = cohort.flow.table.iloc[-1]
    assert flow["reasons"] == "3 Ki-67 straddles the cut >= 3 %; 1 class unknown"
    finding = next(f for f in cohort.findings if f.code == "straddles_cut")
    assert finding.message.startswith(
        "3 of 7 values of 'Ki-67' are ranges on both sides of the cut >= 3 %: '1-5%' (2), "
        "'<5%' (1). They count as unknown"
    )
    assert (finding.severity, finding.where) == ("caution", "pathology:Ki-67")


def test_decimal_comma_of_the_table_holds_for_the_cut(tmp_path: Path) -> None:
    cells = ["2,9", "3,1%", "<2,5%", "2,5-3,5%", "4"]
    outcome = BinarySpec(column="pathology:Ki-67", cut=">= 3 %", unit="percent")
    with pytest.raises(StudyError, match="state decimal"):
        Cohort.join([read_view(tmp_path, cells)], outcome=outcome)
    cohort = Cohort.join([read_view(tmp_path, cells, decimal=",")], outcome=outcome)
    assert cohort.y.tolist() == [False, True, False, True]
    assert cohort.flow.table.iloc[-1]["lost"] == 1


def test_text_that_cannot_be_read_is_shown(tmp_path: Path) -> None:
    view = read_view(tmp_path, ["low", "5%", "high", "+++", "n/a"])
    with pytest.raises(
        StudyError,
        match=r"outcome in table 'pathology': column 'Ki-67' must be written like .* but 4 of 5 "
        r"values are not \(first: 'low' in patient row 1, 'high' in patient row 3, '\+\+\+' in "
        r"patient row 4\)",
    ):
        Cohort.join([view], outcome=OUTCOME)
    with pytest.raises(StudyError, match=r'State it: unit = "percent" in \[outcome\]'):
        Cohort.join([read_view(tmp_path, ["5", "1%"])], outcome=OUTCOME)
    number = BinarySpec(column="pathology:Ki-67", cut=">= 4", unit="number")
    with pytest.raises(StudyError, match=r"written like 4, <5, >=10 or 5-10, but 1 of 2"):
        Cohort.join([read_view(tmp_path, ["5", "1%"])], outcome=number)
    with pytest.raises(StudyError, match="both classes are needed"):
        Cohort.join([read_view(tmp_path, ["1%", "2%"])], outcome=OUTCOME)


def marker_study(folder: Path) -> SmallStudy:
    """The small study with Ki-67 as outcome, and a second hospital in files of its own."""
    study = small_study(folder)
    rng = np.random.default_rng(4)
    age = study.tables["clinical"]["Age"].to_numpy()
    written = np.where(age + rng.normal(0, 8, len(age)) > 55, "5-10%", "<1%")
    written[:4] = ["1-5%", "~30 %", "<5%", ""]
    study.tables["followup"] = study.tables["followup"][["ID"]].assign(**{"Ki-67": written})
    study.content["outcome"] = {"kind": "binary", "column": "followup:Ki-67", "cut": ">= 3 %"}
    study.content["models"][0]["kind"] = "logistic"
    for name in ("clinical", "radiomics", "followup"):
        theirs = study.tables[name].copy()
        theirs["ID"] = theirs["ID"].str.replace("PAT", "EXT")
        study.tables[f"{name}_b"] = theirs
    study.content["external"] = {
        "B": {"tables": {name: f"{name}_b.csv" for name in ("clinical", "radiomics", "followup")}}
    }
    return study


def test_a_study_with_a_cut_runs_through(tmp_path: Path) -> None:
    study = marker_study(tmp_path)
    result = study.run()
    assert result.exit_code == 0, result.output
    page = (study.out / "report.html").read_text()
    assert "Outcome: Ki-67 &gt;= 3 %." in page
    findings = pd.read_csv(study.out / "tables" / "findings.csv")
    straddles = findings[findings["code"] == "straddles_cut"]
    assert straddles["where"].tolist() == ["followup:Ki-67", "followup:Ki-67 (B)"]
    assert straddles["message"].str.startswith("2 of 59 values of 'Ki-67' are ranges").all()
    cohort = load_cohort(read_study(study.write()))
    assert (cohort.development.n_patients, cohort.external["B"].n_patients) == (57, 57)


def test_a_bad_cell_ends_with_a_message(tmp_path: Path) -> None:
    study = marker_study(tmp_path)
    study.tables["followup"].loc[5, "Ki-67"] = "high"
    result = study.run()
    assert result.exit_code == 2
    assert "1 of 60 values are not (first: 'high' in patient row 6)" in " ".join(
        result.output.split()
    )
    assert not (study.out / "report.html").exists()
