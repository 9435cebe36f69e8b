"""Reading tables: what a study declares is read, and every mistake is named with its cure."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from omics.errors import StudyError
from omics.table_spec import IdRules, TableSpec
from omics.tables import View, read_table
from omics.values import written
from tests.realdata import DATA, needs_data

CLINICAL = """ID,Age,Sex,Grade,Centre,Event
P1,61,M,4,A,1
P2,47.5,F,2,B,0
P3,,F,3,A,1
"""


def read(
    folder: Path,
    text: str,
    *,
    file: str = "table.csv",
    reserve: tuple[str, ...] = (),
    **options: Any,
) -> View:
    (folder / file).write_text(text, encoding="utf-8")
    options.setdefault("kind", "features")
    return read_table(
        TableSpec(path=folder / file, **options), name=options["kind"], reserve=reserve
    )


def codes(view: View) -> list[str]:
    return [finding.code for finding in view.findings]


# ---- what is read -------------------------------------------------------------------------------


def test_clinical_table_becomes_numbers_and_categories(tmp_path: Path) -> None:
    view = read(
        tmp_path,
        CLINICAL,
        kind="clinical",
        id="ID",
        categories={"Sex": "M", "Grade": [2, 3, 4]},
        reserve=("Centre", "Event"),
    )
    assert view.table.index.tolist() == ["P1", "P2", "P3"]
    assert view.table.index.name == "patient"
    assert list(view.table) == ["Age", "Sex", "Grade"]
    np.testing.assert_array_equal(view.table["Age"], [61.0, 47.5, np.nan])
    assert view.table["Sex"].cat.categories.tolist() == ["M", "F"]
    assert view.table["Grade"].cat.codes.tolist() == [2, 0, 1]
    assert view.reserved["Event"].tolist() == ["1", "0", "1"]
    assert view.notes.n_rows == 3
    assert repr(view) == "View(clinical: clinical, 3 patients, 3 features)"


def test_reserved_column_is_no_feature_even_if_columns_lists_it(tmp_path: Path) -> None:
    view = read(tmp_path, CLINICAL, kind="clinical", columns=["Age", "Event"], reserve=("Event",))
    assert list(view.table) == ["Age"]
    assert list(view.reserved) == ["Event"]
    outside = read(tmp_path, CLINICAL, kind="clinical", columns=["Age"], reserve=("Centre",))
    assert outside.reserved["Centre"].tolist() == ["A", "B", "A"]


def test_reserved_column_is_recoded_and_its_unknown_is_missing(tmp_path: Path) -> None:
    view = read(
        tmp_path,
        "ID,IDH,Event\nP1,wildtype,dead\nP2,R132H,lost\nP3,,alive\n",
        kind="clinical",
        recode={"IDH": {"wildtype": "wt", "*": "mutant"}},
        unknown=["lost"],
        reserve=("IDH", "Event"),
    )
    assert view.reserved["IDH"].tolist() == ["wt", "mutant", None]
    assert view.reserved["Event"].tolist() == ["dead", None, "alive"]
    assert view.notes.unknown.to_dict("records") == [{"column": "Event", "count": 1}]


@pytest.mark.parametrize("file", ["t.csv", "t.tsv", "t.txt", "t.csv.gz", "t.xlsx", "t.parquet"])
def test_every_format_reads_the_same(tmp_path: Path, file: str) -> None:
    frame = pd.DataFrame(
        {"ID": [12.0, 7.0], "x": [0.1, np.nan], "n": [3, 4], "g": ["a", "b"], "G": [2.0, 3.0]}
    )
    path = tmp_path / file
    if file.endswith(".xlsx"):
        with pd.ExcelWriter(path) as writer:
            frame.to_excel(writer, sheet_name="data", index=False)
            frame.to_excel(writer, sheet_name="notes", index=False)
    elif file.endswith(".parquet"):
        frame.to_parquet(path)
    elif file.endswith(".gz"):
        path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    else:
        frame.to_csv(path, index=False, sep="," if file.endswith("csv") else "\t")
    spec = TableSpec(
        path=path,
        kind="clinical",
        sheet="data" if file.endswith(".xlsx") else None,
        categories={"g": "a", "G": [2, 3]},
    )
    view = read_table(spec, name="clinical")
    assert view.table.index.tolist() == ["12", "7"]
    np.testing.assert_array_equal(view.table["x"], [0.1, np.nan])
    np.testing.assert_array_equal(view.table["n"], [3.0, 4.0])
    assert view.table["g"].tolist() == ["a", "b"]
    assert view.table["G"].tolist() == ["2", "3"]


def test_parquet_index_is_the_id(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1.0, 2.0]}, index=["P1", "P2"]).to_parquet(tmp_path / "t.parquet")
    view = read_table(TableSpec(path=tmp_path / "t.parquet", kind="features"), name="f")
    assert view.table.index.tolist() == ["P1", "P2"]
    assert list(view.table) == ["x"]


def test_workbook_cells_are_read_as_they_stand(tmp_path: Path) -> None:
    rows = [[None, None, None], ["ID", "x", "g"], ["P1", 1, "None"], [None] * 3, ["P2", "NA", "b"]]
    pd.DataFrame(rows).to_excel(tmp_path / "t.xlsx", header=False, index=False)
    spec = TableSpec(path=tmp_path / "t.xlsx", kind="clinical", categories={"g": ["None", "b"]})
    view = read_table(spec, name="clinical")
    np.testing.assert_array_equal(view.table["x"], [1.0, np.nan])
    assert view.table["g"].tolist() == ["None", "b"]
    assert view.notes.n_rows == 2
    with pytest.raises(StudyError, match=r"'b' \(1\) \(first in row 5\)"):
        read_table(spec.model_copy(update={"categories": {"g": ["None"]}}), name="clinical")


def test_patients_in_columns(tmp_path: Path) -> None:
    view = read(
        tmp_path,
        "Hugo_Symbol,Entrez_Gene_Id,P1,P2\nEGFR,1956,3,0\nTP53,7157,1,7\n",
        kind="expression",
        patients="columns",
        id="Hugo_Symbol",
        drop=["Entrez_Gene_Id"],
        transform={"*": "log2p1"},
    )
    assert view.table.to_dict("index") == {
        "P1": {"EGFR": 2.0, "TP53": 1.0},
        "P2": {"EGFR": 0.0, "TP53": 3.0},
    }


def test_rename_and_options_by_old_or_new_name(tmp_path: Path) -> None:
    for grade in ("Grade", "WHO"):
        view = read(
            tmp_path,
            CLINICAL,
            kind="clinical",
            columns=["Age", grade],
            rename={"Grade": "WHO"},
            categories={grade: "2"},
        )
        assert list(view.table) == ["Age", "WHO"]


def test_blank_rows_and_nameless_blank_columns_are_nothing(tmp_path: Path) -> None:
    view = read(tmp_path, "\ufeffID, x ,\n\nP1,1,\n,,\nP2,2\n")
    assert view.table["x"].tolist() == [1.0, 2.0]
    assert view.notes.n_rows == 2


def test_unknown_codes_match_as_text_and_as_numbers_and_are_counted(tmp_path: Path) -> None:
    view = read(
        tmp_path,
        "ID,x,y,z\nP1,-99,n.d.,1\nP2,-99.0,NA,\nP3,5,3,NaN\n",
        unknown=[-99, "n.d."],
    )
    np.testing.assert_array_equal(view.table["x"], [np.nan, np.nan, 5.0])
    np.testing.assert_array_equal(view.table["y"], [np.nan, np.nan, 3.0])
    assert view.notes.unknown.to_dict("records") == [
        {"column": "x", "count": 2},
        {"column": "y", "count": 1},
    ]


def test_constant_and_missing_columns_stay(tmp_path: Path) -> None:
    view = read(tmp_path, "ID,a,b\nP1,1,\nP2,1,NA\n")
    assert view.table.dtypes.tolist() == [np.float64, np.float64]
    assert view.table["b"].isna().all()


def test_decimal_commas_when_declared(tmp_path: Path) -> None:
    view = read(tmp_path, "ID;x\nP1;1,5\nP2;2\n", separator=";", decimal=",")
    assert view.table["x"].tolist() == [1.5, 2.0]
    with pytest.raises(StudyError, match=r"'1\.500' in row 2"):
        read(tmp_path, "ID;x\nP1;1.500\nP2;2,0\n", separator=";", decimal=",")


def test_numbers_are_correctly_rounded(tmp_path: Path) -> None:
    # pandas' own fast parser is off by one unit in the last place on such numbers
    values = np.random.default_rng(7).normal(size=500)
    text = "ID,x\n" + "".join(f"P{i},{value!r}\n" for i, value in enumerate(values.tolist()))
    np.testing.assert_array_equal(read(tmp_path, text).table["x"], values)


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_written_form_is_one_form(value: float) -> None:
    assert written(written(value)) == written(value)
    assert float(written(value)) == value


@pytest.mark.parametrize("hole", ["", "NA", "-99"])
def test_wide_table_of_numbers_takes_the_quick_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hole: str
) -> None:
    # cell by cell, 500 patients x 5000 genes would take ten times as long
    monkeypatch.setattr("omics.values._parse_each", None)
    values = np.random.default_rng(7).normal(size=(20, 50)).round(6)
    values[3, 4] = np.nan
    frame = pd.DataFrame(values, index=[f"P{i}" for i in range(20)]).add_prefix("g")
    frame.to_csv(tmp_path / "wide.csv", na_rep=hole)
    spec = TableSpec(path=tmp_path / "wide.csv", kind="expression", unknown=[-99])
    np.testing.assert_array_equal(read_table(spec, name="e").table, values)


# ---- recode and categories ----------------------------------------------------------------------


def test_recode_star_and_blank(tmp_path: Path) -> None:
    view = read(
        tmp_path,
        "ID,IDH,EOR\nP1,R132H,GTR\nP2,wildtype,\nP3,NOS,STR\n",
        kind="clinical",
        recode={
            "IDH": {"wildtype": "wt", "*": "mutant"},
            "EOR": {"GTR": "total", "": "not stated", "*": "less"},
        },
    )
    assert view.table["IDH"].tolist() == ["mutant", "wt", "mutant"]
    assert view.table["IDH"].cat.categories.tolist() == ["wt", "mutant"]
    assert view.table["EOR"].tolist() == ["total", "not stated", "less"]
    assert view.findings == ()


def test_recode_to_numbers_is_numbers_and_serves_mutations(tmp_path: Path) -> None:
    view = read(
        tmp_path,
        "ID,IDH1,TERT\nP1,R132H,0\nP2,WT,1\nP3,,1\n",
        kind="mutations",
        recode={"IDH1": {"WT": 0, "*": 1}},
    )
    np.testing.assert_array_equal(view.table["IDH1"], [1.0, 0.0, np.nan])
    assert list(view.table) == ["IDH1", "TERT"]


def test_recode_blank_new_value_is_missing(tmp_path: Path) -> None:
    view = read(
        tmp_path,
        "ID,MGMT\nP1,pos\nP2,indeterminate\n",
        kind="clinical",
        recode={"MGMT": {"pos": "methylated", "indeterminate": ""}},
    )
    assert view.table["MGMT"].isna().tolist() == [False, True]
    assert view.table["MGMT"].cat.categories.tolist() == ["methylated"]


def test_misspelt_recode_and_empty_level_are_findings(tmp_path: Path) -> None:
    view = read(
        tmp_path,
        "ID,IDH\nP1,R132H\nP2,wildtype\n",
        kind="clinical",
        recode={"IDH": {"wildtyp": "wt", "*": "mutant"}},
    )
    assert codes(view) == ["recode_unused", "level_without_patients"]
    assert view.findings[0].severity == "serious"
    assert view.findings[0].where == "clinical:IDH"


# ---- ids and several rows -----------------------------------------------------------------------


def test_id_rules_as_list_or_table(tmp_path: Path) -> None:
    text = "ID,x\n TCGA-02-0001-01A ,1\nTCGA-02-0002-01B,2\n"
    rules = ["strip", {"first": 12}, "casefold"]
    assert read(tmp_path, text, id_rules=rules).table.index.tolist() == [
        "tcga-02-0001",
        "tcga-02-0002",
    ]
    assert TableSpec(path=Path("a.csv"), kind="clinical", id_rules={"first": 3}).id_rules == (
        IdRules(first=3)
    )


def test_rows_without_id_are_counted_and_left_out(tmp_path: Path) -> None:
    view = read(tmp_path, "ID,x\nP1,1\n,2\nNA,3\n")
    assert view.table.index.tolist() == ["P1"]
    assert (view.notes.n_rows, view.notes.n_without_id) == (3, 2)
    assert codes(view) == ["rows_without_id"]


REPEATED = "ID,x,volume,g\nP2,1,5,a\nP1,4,7,b\nP2,3,9,a\nP2,,9,a\n"


@pytest.mark.parametrize(
    ("reduce", "x"),
    [("first", [1.0, 4.0]), ("mean", [2.0, 4.0]), ({"largest": "volume"}, [3.0, 4.0])],
)
def test_reduce(tmp_path: Path, reduce: Any, x: list[float]) -> None:
    view = read(tmp_path, REPEATED, kind="clinical", reduce=reduce, categories={"g": ["a", "b"]})
    assert view.table.index.tolist() == ["P2", "P1"]
    assert view.table["x"].tolist() == x
    assert view.table["g"].tolist() == ["a", "b"]
    assert view.table["g"].cat.categories.tolist() == ["a", "b"]
    assert view.notes.n_merged == 2
    assert codes(view) == ["rows_reduced"]


def test_largest_may_be_a_column_that_is_dropped(tmp_path: Path) -> None:
    view = read(tmp_path, REPEATED, drop=["volume", "g"], reduce={"largest": "volume"})
    assert view.table["x"].tolist() == [3.0, 4.0]
    assert list(view.table) == ["x"]


def test_mean_refuses_rows_that_disagree(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"column 'g' 1 patients have different values \('P1'\)"):
        read(
            tmp_path,
            "ID,x,g\nP1,1,a\nP1,2,b\n",
            kind="clinical",
            reduce="mean",
            categories={"g": ["a", "b"]},
        )
    with pytest.raises(StudyError, match="column 'Event' 1 patients"):
        read(tmp_path, "ID,x,Event\nP1,1,0\nP1,2,1\n", reduce="mean", reserve=("Event",))


# ---- mistakes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, r"tables\.features \(table\.csv\): the file is empty"),
        ("ID,x\n", {}, "no row of values"),
        ("ID,x,x\nP1,1,2\n", {}, r"1 name stands over several \('x'\)"),
        ("ID,x\nP1,1\n", {"id": "Id"}, r"no id column 'Id' among 2 columns\. Did you mean 'ID'"),
        ("ID;x\nP1;1\n", {}, "state separator = ';'"),
        ("ID;x\nP1;1,5\n", {}, "state separator = ';'"),
        ("ID,x\nP1,1,5\n", {}, r"more cells than the header \(2\), but row 2 has 3"),
        ('ID,x\nP1,"1\n', {}, "cannot be read as a table"),
        ("ID,x\n,1\n", {}, "no row has an id"),
        (
            "ID,x\nP1,1\nP2,high\nP3,low\n",
            {},
            r"column 'x' must hold numbers, but 2 of its 3 values are text "
            r"\(first: 'high' in row 3\).*drop = \[\"x\"\]",
        ),
        ("ID,x,y\nP1,a,b\n", {}, "The same holds for 'y'"),
        ("ID,x\nP1,12_3\n", {}, "'12_3' in row 2"),
        ('ID,x\nP1,"1,5"\nP2,"-,5"\n', {}, 'decimal commas: state decimal = ","'),
        ("ID,x\nP1,1\nP2,inf\n", {}, r"'x' must hold finite numbers, but 1 of 2.*row 3"),
        ("ID,x\nP1,True\nP2,False\n", {}, r"recode = { \"x\" = { False = 0, True = 1 } }"),
        (
            "ID,s\nP1,M\nP2,F\n",
            {"kind": "clinical"},
            r"reference first: categories = { \"s\" = \[\"F\", \"M\"\] }",
        ),
        ("ID,x\nP1,1\n", {"columns": ["KPS"]}, r"columns names column 'KPS'.*There are: 'x'"),
        ("ID,Age\nP1,1\n", {"drop": ["age"]}, "drop names column 'age'.*mean 'Age'"),
        ("ID,x\nP1,1\n", {"rename": {"y": "z"}}, "rename names column 'y'"),
        ("ID,x,y\nP1,1,2\n", {"rename": {"y": "x"}}, "rename must leave every column a name"),
        ("ID,x\nP1,1\n", {"recode": {"y": {"a": 1}}}, "recode names column 'y'"),
        ("ID,x\nP1,1\n", {"transform": {"y": "log2p1"}}, "transform names column 'y'"),
        ("ID,x\nP1,1\n", {"drop": ["ID"]}, "'ID', which is the id column"),
        ("ID,x\nP1,1\n", {"drop": ["x"]}, "no column to take"),
        ("ID,x\nP1,1\n", {"reduce": {"largest": "v"}}, "reduce names column 'v'"),
        (
            "ID,x,y\nP1,1,2\n",
            {"columns": ["x"], "transform": {"y": "log2p1"}},
            "'y', which is no feature here",
        ),
        (
            "ID,x\nP1,1\n",
            {"kind": "clinical", "categories": {"y": "a"}},
            "categories names column 'y'",
        ),
        ("ID,x\nP1,1\n", {"kind": "pathology", "unit": {"y": "percent"}}, "unit names column 'y'"),
        (
            "ID,IDH\nP1,wt\nP2,R132H\nP3,R132H\nP4,NOS\n",
            {"kind": "clinical", "recode": {"IDH": {"wt": "wt"}}},
            r"3 of 4 values are not mapped: 'R132H' \(2\), 'NOS' \(1\)",
        ),
        (
            "ID,g\nP1,a\nP2,c\n",
            {"kind": "clinical", "categories": {"g": ["a", "b"]}},
            r"declared levels \('a', 'b'\), but 1 of 2 values do not: 'c' \(1\) \(first in row 3\)",
        ),
        (
            "ID,g\nP1,male\n",
            {"kind": "clinical", "categories": {"g": "Male"}},
            "reference level of 'g'.*mean 'male'",
        ),
        (
            "ID,g\nP1,a\n",
            {"kind": "clinical", "categories": {"g": ["a", "a"]}},
            "levels of 'g' must differ",
        ),
        (
            "ID,g\nP1,a\n",
            {"kind": "expression", "recode": {"g": {"a": "b"}}},
            "takes numbers only, but recode makes 'g' text",
        ),
        (
            "ID,x\nP1,1\nP2,2\nP1,3\n",
            {},
            r"1 has several in column 'ID' \(2 rows; 'P1'; 'P1' stands in row 2, row 4\).*reduce",
        ),
        (
            "ID,x\nsub-1,1\nP2,2\n",
            {"id_rules": {"regex": "sub-(.+)"}},
            r"match the regex of id_rules, but 1 of 2 do not \('P2'\)",
        ),
        ("ID,m\nP1,2\n", {"kind": "mutations"}, "'m' must be 0 .* or 1"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, text: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        read(tmp_path, text, **options)


def test_reserved_column_must_exist_and_not_be_dropped(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"the study names column 'event'.*mean 'Event'"):
        read(tmp_path, CLINICAL, kind="clinical", reserve=("event",))
    with pytest.raises(StudyError, match="drop must not name 'Event'"):
        read(tmp_path, CLINICAL, kind="clinical", drop=["Event"], reserve=("Event",))


def test_row_number_counts_records_as_a_spreadsheet_does(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="'bad' in row 4"):
        read(tmp_path, 'ID,x,note\n"P1",1,"two\nlines"\n\nP2,bad,\n', drop=["note"])


def test_missing_file_folder_and_sheet(tmp_path: Path) -> None:
    (tmp_path / "radiomics.csv").write_text("ID,x\nP1,1\n")
    missing = TableSpec(path=tmp_path / "radiomic.csv", kind="radiomics")
    with pytest.raises(StudyError, match=r"no file 'radiomic\.csv'.*mean 'radiomics\.csv'"):
        read_table(missing, name="r")
    nowhere = TableSpec(path=tmp_path / "no" / "a.csv", kind="radiomics")
    with pytest.raises(StudyError, match=r"the folder .*no does not exist"):
        read_table(nowhere, name="r")
    strange = TableSpec(path=tmp_path / "a.sav", kind="radiomics")
    with pytest.raises(StudyError, match=r"path must end in one of \.csv"):
        read_table(strange, name="r")

    with pd.ExcelWriter(tmp_path / "book.xlsx") as writer:
        for sheet in ("clinical", "notes"):
            pd.DataFrame({"ID": ["P1"], "x": [1]}).to_excel(writer, sheet_name=sheet, index=False)
    with pytest.raises(StudyError, match=r"no sheet 'Clin'.*'clinical', 'notes'"):
        read_table(TableSpec(path=tmp_path / "book.xlsx", sheet="Clin", kind="clinical"), name="c")
    with pytest.raises(StudyError, match=r"2 sheets \('clinical', 'notes'\)\. Name one"):
        read_table(TableSpec(path=tmp_path / "book.xlsx", kind="clinical"), name="c")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("t.csv", "ID,Größe\nP1,1\n".encode("latin-1"), "not UTF-8 text"),
        ("t.xlsx", b"no workbook", "not an Excel workbook"),
        ("t.parquet", b"no parquet", "not a parquet table"),
        ("t.csv.gz", b"no gzip", "cannot be read"),
    ],
)
def test_broken_files(tmp_path: Path, file: str, content: bytes, message: str) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(StudyError, match=message):
        read_table(TableSpec(path=tmp_path / file, kind="features"), name="f")


def test_colon_in_a_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("ID,x\nP1,1\n")
    with pytest.raises(StudyError, match="must not hold a colon"):
        read_table(TableSpec(path=tmp_path / "t.csv", kind="features"), name="a:b")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sheet": "a"}, "sheet is for"),
        ({"path": "a.xlsx", "separator": ";"}, "separator is for text"),
        ({"kind": "radiomics", "categories": {"a": "b"}}, "categories is for"),
        ({"kind": "mutations", "reduce": "mean"}, "would make fractions"),
        ({"columns": ["a"], "drop": ["a"]}, "both name 'a'"),
        ({"id_rules": {"regex": "a"}}, "exactly one group"),
        ({"id_rules": {"regex": "("}}, "cannot be read"),
        ({"recode": {"a": {"b": 1}}, "unit": {"a": "percent"}}, "keep one of them"),
        ({"categories": {"a": "b"}, "transform": {"a": "log2p1"}}, "keep one of them"),
        ({"reduce": {}}, "must state one way.*states none"),
        ({"colums": []}, "colums"),
    ],
)
def test_contradictions_in_the_study_file(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TableSpec(**({"path": "a.csv", "kind": "clinical"} | options))


# ---- real tables --------------------------------------------------------------------------------


@needs_data("plgg")
@pytest.mark.parametrize(
    ("file", "kind", "n_patients", "n_features"),
    [
        ("radiomics", "radiomics", 201, 438),
        ("xcell_fractions", "features", 150, 36),
        ("tis18_expression", "expression", 150, 18),
        ("genomic_flags", "mutations", 150, 8),
        ("clinical_scaled", "clinical", 201, 7),
    ],
)
def test_plgg_shapes(file: str, kind: Any, n_patients: int, n_features: int) -> None:
    path = DATA / "plgg" / f"{file}.csv"
    scored = file in ("radiomics", "clinical_scaled")
    spec = TableSpec(path=path, kind=kind, id="SubjectID", drop=["Cohort"] if scored else [])
    view = read_table(spec, name=file)
    assert view.table.shape == (n_patients, n_features)
    theirs = pd.read_csv(path, index_col="SubjectID", float_precision="round_trip")
    np.testing.assert_array_equal(view.table, theirs[list(view.table)])


@needs_data("plgg")
def test_plgg_text_column_among_features_is_refused_and_outcome_is_reserved() -> None:
    spec = TableSpec(path=DATA / "plgg" / "radiomics.csv", kind="radiomics", id="SubjectID")
    with pytest.raises(StudyError, match=r"'Cohort' must hold numbers, but 201 of its 201"):
        read_table(spec, name="radiomics")
    outcome = TableSpec(path=DATA / "plgg" / "outcome_pfs.csv", kind="clinical", id="SubjectID")
    columns = ("Progression Free Survival", "Censorship", "Cohort")
    view = read_table(outcome, name="followup", reserve=columns)
    assert view.table.shape == (201, 0)
    events = view.reserved["Cohort"][view.reserved["Censorship"] == "True"]
    assert events.value_counts().to_dict() == {"Discovery": 47, "Replicate": 14}


@needs_data("ucsf_pdgm")
def test_ucsf_clinical_table() -> None:
    spec = TableSpec(
        path=DATA / "ucsf_pdgm" / "UCSF-PDGM-metadata_v2.csv",
        kind="clinical",
        id="ID",
        columns=["Age at MRI", "IDH", "WHO CNS Grade", "EOR", "MGMT status", "1p/19q"],
        rename={"Age at MRI": "Age", "WHO CNS Grade": "Grade"},
        unknown=["indeterminate"],
        recode={
            "IDH": {"wildtype": "wt", "*": "mutant"},
            "EOR": {"GTR": "total", "*": "less", "": "less"},
            "1p/19q": {"intact": "intact", "*": "co-deleted"},
        },
        categories={"Grade": [2, 3, 4], "MGMT status": ["negative", "positive"]},
    )
    view = read_table(spec, name="clinical", reserve=("OS", "1-dead 0-alive"))
    counts = {
        column: view.table[column].value_counts(dropna=False, sort=False).to_dict()
        for column in ("IDH", "Grade", "EOR")
    }
    assert counts == {
        "IDH": {"wt": 398, "mutant": 103},
        "Grade": {"2": 56, "3": 43, "4": 402},
        "EOR": {"total": 248, "less": 253},
    }
    assert view.table["MGMT status"].isna().sum() == 85  # 80 blank, 5 indeterminate
    assert view.table["1p/19q"].value_counts().to_dict() == {"intact": 395, "co-deleted": 15}
    assert view.notes.unknown.to_dict("records") == [{"column": "MGMT status", "count": 5}]
    assert view.reserved["OS"].isna().sum() == 1
    assert (view.reserved["1-dead 0-alive"] == "1").sum() == 251
    assert view.findings == ()


@needs_data("ucsf_pdgm")
def test_ucsf_unmapped_idh_is_refused_with_counts() -> None:
    spec = TableSpec(
        path=DATA / "ucsf_pdgm" / "UCSF-PDGM-metadata_v2.csv",
        kind="clinical",
        columns=["IDH"],
        recode={"IDH": {"wildtype": "wt"}},
    )
    with pytest.raises(StudyError, match=r"103 of 501 .* 'IDH1 p\.R132H' \(54\).* and 3 more"):
        read_table(spec, name="clinical")


@needs_data("ucsf_pdgm")
def test_ucsf_radiomics_sets_provenance_aside() -> None:
    path = DATA / "ucsf_pdgm" / "radiomic_features_T1gad_bias.csv"
    view = read_table(TableSpec(path=path, kind="radiomics", id="ID"), name="radiomics")
    assert view.table.shape == (501, 100)
    assert view.provenance.shape == (501, 24)
    assert {"Image", "Mask"} <= set(view.provenance)
    assert view.findings == ()


@needs_data("images")
def test_pyradiomics_baseline_has_patients_in_columns() -> None:
    path = DATA / "images" / "baseline" / "baseline_shape.csv"
    spec = TableSpec(path=path, kind="radiomics", patients="columns")
    with pytest.raises(StudyError, match=r"same settings to be joined.*binWidth: "):
        read_table(spec, name="shape")  # baselines of several parameter files
    spec = spec.model_copy(update={"different_settings": True})
    view = read_table(spec, name="shape")
    assert view.table.shape[0] == 10
    assert view.table.columns.str.startswith("original_shape_").all()
    assert view.provenance.columns.str.startswith("diagnostics_").all()
