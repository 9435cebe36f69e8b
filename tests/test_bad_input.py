"""Everything a user can get wrong ends in words, with exit status 2, and leaves nothing behind."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.small_study import SmallStudy, binary_study, command, small_study

ROOT = Path(__file__).parents[1]

Spoil = Callable[[SmallStudy], None]


def refused(study: SmallStudy, message: str) -> str:
    """Check that the study is refused in these words, and that nothing was written."""
    result = study.run()
    assert result.exit_code == 2, result.output
    assert re.search(message, result.stderr), result.stderr
    assert result.stderr.startswith("nomomics: ") or "\nnomomics: " in result.stderr
    assert "Traceback" not in result.output
    assert not list(study.out.rglob("*"))
    return result.stderr


def mean_of(study: SmallStudy, table: str, column: str) -> None:
    study.tables[table][column] = study.tables[table][column].mean()


# ---- the study file -----------------------------------------------------------------------------


def test_missing_study_file_names_its_neighbours(tmp_path: Path) -> None:
    small_study(tmp_path).write()
    result = command("run", tmp_path / "studdy.toml", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert re.search(
        r"study file .*studdy\.toml was not found\. The folder holds study\.toml\.", result.stderr
    )
    assert not (tmp_path / "out").exists()


def test_missing_study_file_in_an_empty_folder_asks_for_one(tmp_path: Path) -> None:
    result = command("check", tmp_path / "study.toml")
    assert result.exit_code == 2
    assert "Give the path of a .toml file." in result.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1p/19q = 3\n", r'study\.toml cannot be read as TOML: .*line 1.*needs quotes, as in "1p/'),
        ('title = "open\n', r"study\.toml cannot be read as TOML: .*line 1"),
        ("a = 1\na = 2\n", r"cannot be read as TOML: Cannot overwrite a value .*line 2"),
    ],
)
def test_broken_toml_names_the_line(tmp_path: Path, line: str, message: str) -> None:
    path = small_study(tmp_path).write()
    path.write_text(line + path.read_text())
    result = command("run", path, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert re.search(message, result.stderr), result.stderr
    assert not (tmp_path / "out").exists()


def test_study_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes("title = 'é'".encode("latin-1"))
    result = command("check", path)
    assert result.exit_code == 2
    assert re.search(r"study\.toml cannot be read as TOML: .*utf-8", result.stderr)


def test_study_file_that_may_not_be_opened_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = small_study(tmp_path).write()

    def forbidden(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_text", forbidden)
    result = command("check", path)
    assert result.exit_code == 2
    assert re.search(r"study\.toml cannot be opened: Permission denied", result.stderr)


# ---- tables -------------------------------------------------------------------------------------


def _missing_file(study: SmallStudy) -> None:
    study.content["tables"]["radiomics"]["path"] = "radiomcs.csv"


def _missing_folder(study: SmallStudy) -> None:
    study.content["tables"]["radiomics"]["path"] = "elsewhere/radiomics.csv"


def _missing_sheet(study: SmallStudy) -> None:
    study.content["tables"]["clinical"] |= {"path": "clinical.xlsx", "sheet": "Tabelle1"}
    study.folder.mkdir(parents=True, exist_ok=True)
    with pd.ExcelWriter(study.folder / "clinical.xlsx") as book:
        study.tables["clinical"].to_excel(book, sheet_name="patients", index=False)
        study.tables["followup"].to_excel(book, sheet_name="follow-up", index=False)


def _no_workbook(study: SmallStudy) -> None:
    study.content["tables"]["clinical"]["path"] = "clinical.xlsx"
    study.folder.mkdir(parents=True, exist_ok=True)
    (study.folder / "clinical.xlsx").write_text("ID,Age\n")


def _id_absent(study: SmallStudy) -> None:
    study.content["tables"]["clinical"]["id"] = "Id"


def _duplicated_ids(study: SmallStudy) -> None:
    clinical = study.tables["clinical"]
    study.tables["clinical"] = pd.concat([clinical, clinical.iloc[[4, 9]]])


def _no_overlap(study: SmallStudy) -> None:
    study.tables["radiomics"]["ID"] = [f"scan {a}{b}" for a in "zyxwvu" for b in "abcdefghij"]


def _case_differs(study: SmallStudy) -> None:
    study.tables["radiomics"]["ID"] = study.tables["radiomics"]["ID"].str.lower()


def _suffix_differs(study: SmallStudy) -> None:
    study.tables["radiomics"]["ID"] += "_T1"


def _text_among_numbers(study: SmallStudy) -> None:
    ages = study.tables["clinical"]["Age"].astype(object)
    ages.iloc[[6, 11]] = ["about 50", "?"]
    study.tables["clinical"]["Age"] = ages


def _decimal_commas(study: SmallStudy) -> None:
    ages = study.tables["clinical"]["Age"]
    study.tables["clinical"]["Age"] = [f"{age:.1f}".replace(".", ",") for age in ages]


def _infinite(study: SmallStudy) -> None:
    study.tables["radiomics"].loc[[2, 5], "original_firstorder_Mean"] = np.inf


def _unmapped_recode(study: SmallStudy) -> None:
    study.content["tables"]["clinical"]["recode"] = {"Sex": {"female": "F"}}
    del study.content["tables"]["clinical"]["categories"]["Sex"]


def _undeclared_level(study: SmallStudy) -> None:
    study.tables["clinical"].loc[8, "Grade"] = 1


def _absent_column(study: SmallStudy) -> None:
    study.content["tables"]["clinical"]["columns"] = ["Age", "Sexx"]
    del study.content["tables"]["clinical"]["categories"]


def _outcome_in_a_view(study: SmallStudy) -> None:
    study.tables["radiomics"]["FU"] = study.tables["followup"]["Months"] * 30.4375


def _outcome_column_by_name(study: SmallStudy) -> None:
    study.tables["clinical"]["Months"] = np.arange(60.0)


TABLE_MISTAKES: list[tuple[Spoil, str]] = [
    (
        _missing_file,
        r"tables\.radiomics \(radiomcs\.csv\): there is no file 'radiomcs\.csv' in .*Did you mean "
        r"'radiomics\.csv'\?",
    ),
    (_missing_folder, r"tables\.radiomics .*the folder .*elsewhere does not exist"),
    (
        _missing_sheet,
        r"tables\.clinical \(clinical\.xlsx\): the workbook has no sheet 'Tabelle1'\. Its sheets "
        r"are: 'patients', 'follow-up'",
    ),
    (_no_workbook, r"tables\.clinical .*is not an Excel workbook .*Save it again as \.xlsx"),
    (
        _id_absent,
        r"tables\.clinical \(clinical\.csv\): there is no id column 'Id' among 4 columns\. Did you "
        r"mean 'ID'\?",
    ),
    (
        _duplicated_ids,
        r"tables\.clinical .*2 have several in column 'ID' \(4 rows; 'PAT-QX-005', 'PAT-QX-010'; "
        r"'PAT-QX-005' stands in row 6, row 62\)\..*reduce = \"first\", \"mean\" or",
    ),
    (
        _no_overlap,
        r"tables 'followup' and 'radiomics' must share patients, but no id of one occurs in the "
        r"other \(followup: 'PAT-QX-001', 'PAT-QX-002', 'PAT-QX-003'; radiomics: 'scan za', "
        r"'scan zb', 'scan zc'\)\..*check the id column of each table",
    ),
    (
        _case_differs,
        r"'PAT-QX-001'.*; radiomics: 'pat-qx-001'.*60 would match after case-folding: declare "
        r"id_rules = \['casefold'\] for tables 'followup' and 'radiomics'",
    ),
    (
        _suffix_differs,
        r"60 would match after dropping the suffix '_T1': declare id_rules = \[\{ regex = "
        r"'\^\(\.\+\?\)\(\?:_T1\)\?\$' \}\] for table 'radiomics'",
    ),
    (
        _text_among_numbers,
        r"tables\.clinical \(clinical\.csv\): column 'Age' must hold numbers, but 2 of its 60 "
        r"values are text \(first: 'about 50' in row 8\)\..*list codes under unknown",
    ),
    (
        _decimal_commas,
        r"tables\.clinical .*column 'Age' must hold numbers, but 60 of its 60 values are text .*in "
        r"row 2\)\. They look like decimal commas: state decimal = \",\"",
    ),
    (
        _infinite,
        r"tables\.radiomics .*column 'original_firstorder_Mean' must hold finite numbers, but 2 of "
        r"60 values are infinite \(first: row 4\)",
    ),
    (
        _unmapped_recode,
        r"tables\.clinical .*recode of 'Sex' must map every value, but \d+ of 60 values are not "
        r"mapped: 'male' \(\d+\)\. Map them, or map all others by \"\*\"",
    ),
    (
        _undeclared_level,
        r"tables\.clinical .*column 'Grade' must hold its declared levels \('2', '3', '4'\), but 1 "
        r"of 60 values do not: '1' \(1\) \(first in row 10\)",
    ),
    (_absent_column, r"columns names column 'Sexx', .*Did you mean 'Sex'\?"),
    (
        _outcome_in_a_view,
        r"'radiomics:FU' equals the time of every patient who has it\..*drop = \['FU'\] in table "
        r"'radiomics'",
    ),
    (
        _outcome_column_by_name,
        r"'clinical:Months' bears the name of an outcome column\..*drop = \['Months'\] in table "
        r"'clinical'",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "message"), TABLE_MISTAKES, ids=lambda x: getattr(x, "__name__", "")
)
def test_mistake_in_a_table(tmp_path: Path, spoil: Spoil, message: str) -> None:
    study = small_study(tmp_path)
    spoil(study)
    refused(study, message)
    check = study.check()
    assert check.exit_code == 2
    assert re.search(message, check.stderr)


# ---- a rule that the message proposes is one the study file takes -------------------------------


@pytest.mark.parametrize("spoil", [_case_differs, _suffix_differs])
def test_the_proposed_id_rule_is_the_cure(tmp_path: Path, spoil: Spoil) -> None:
    study = small_study(tmp_path)
    spoil(study)
    words = refused(study, "declare id_rules = ")
    rule, tables = re.search(r"declare (id_rules = .*\]) for tables? (.*)\.", words).groups()
    path = study.write()
    text = path.read_text()
    named = study.tables if "every other table" in tables else re.findall(r"'(\w+)'", tables)
    for table in named:
        text = text.replace(f'[tables."{table}"]\n', f'[tables."{table}"]\n{rule}\n')
    path.write_text(text)
    result = command("check", path)
    assert result.exit_code == 0, result.stderr
    assert "Cohort(60 patients" in result.stderr


# ---- the outcome --------------------------------------------------------------------------------


def _unknown_event(study: SmallStudy) -> None:
    study.content["outcome"]["event_value"] = "died"


def _three_events(study: SmallStudy) -> None:
    study.tables["followup"].loc[[3, 4], "Status"] = "lost"


def _negative_time(study: SmallStudy) -> None:
    study.tables["followup"].loc[[3, 7], "Months"] = [0.0, -2.0]


def _text_time(study: SmallStudy) -> None:
    times = study.tables["followup"]["Months"].astype(object)
    times.iloc[[1, 2]] = ["two years", "inf"]
    study.tables["followup"]["Months"] = times


def _comma_time(study: SmallStudy) -> None:
    times = study.tables["followup"]["Months"]
    study.tables["followup"]["Months"] = [f"{time:.2f}".replace(".", ",") for time in times]


def _no_events(study: SmallStudy) -> None:
    study.content["cohorts"] = {
        "column": "followup:Status",
        "development": "alive",
        "external": ["dead"],
    }
    study.tables["followup"]["Dead"] = (study.tables["followup"]["Status"] == "dead").astype(int)
    study.content["outcome"] |= {"event": "followup:Dead", "event_value": 1}


def _early_horizon(study: SmallStudy) -> None:
    study.content["outcome"]["horizons"] = [0.01, 12]


def _no_patients_known(study: SmallStudy) -> None:
    study.tables["followup"]["Months"] = ""


def _unknown_cohort(study: SmallStudy) -> None:
    study.tables["followup"]["Site"] = ["Berlin"] * 30 + ["Basel"] * 30
    study.content["cohorts"] = {"column": "followup:Site", "development": "Bern"}


def _absent_time_column(study: SmallStudy) -> None:
    study.content["outcome"]["time"] = "followup:Month"


OUTCOME_MISTAKES: list[tuple[Spoil, str]] = [
    (
        _unknown_event,
        r"event_value must occur in column 'Status' of table 'followup', but 'died' does not: it "
        r"holds 'dead' \(\d+\), 'alive' \(\d+\)\. State the value as the table writes it",
    ),
    (
        _three_events,
        r"column 'Status' of table 'followup' holds, beside event_value, .*'lost' \(\d\)\. Add for "
        r"example censored_value = 'alive'",
    ),
    (
        _negative_time,
        r"time must be above zero, but 2 of 60 values in column 'Months' of table 'followup' are "
        r"not \(first: 0 at .*\)\. Correct them, or leave the time empty",
    ),
    (
        _text_time,
        r"time must be a number, but 2 of 60 values in column 'Months' of table 'followup' are not "
        r"\(first: 'two years' at .*\)\. Correct them, or declare them as codes for unknown",
    ),
    (
        _comma_time,
        r"60 of 60 values in column 'Months' of table 'followup' are not .*decimal commas: declare "
        r"decimal = ','",
    ),
    (
        _no_events,
        r"at least one event is needed, but none of \d+ development patients has 1 in column "
        r"'Dead' of table 'followup'\. Check event_value and the development cohort",
    ),
    (
        _early_horizon,
        r"at horizon 0\.01 months none of the \d+ development events has happened \(first: 0\.\d+ "
        r"months\)\. Choose a later horizon, or check the unit",
    ),
    (_no_patients_known, r"no patient is left: of 60 patients in 3 tables, 60 time unknown\."),
    (
        _unknown_cohort,
        r"every declared cohort must occur in column 'Site' of table 'followup', but 'Bern' does "
        r"not: it holds 'Berlin' \(30\), 'Basel' \(30\)",
    ),
    (_absent_time_column, r"column 'Month', but the table has none .*Did you mean 'Months'\?"),
]


@pytest.mark.parametrize(
    ("spoil", "message"), OUTCOME_MISTAKES, ids=lambda x: getattr(x, "__name__", "")
)
def test_mistake_in_the_outcome(tmp_path: Path, spoil: Spoil, message: str) -> None:
    study = small_study(tmp_path)
    spoil(study)
    refused(study, message)


@pytest.mark.parametrize(("status", "which"), [("dead", "positive"), ("alive", "negative")])
def test_one_class_is_refused(tmp_path: Path, status: str, which: str) -> None:
    study = binary_study(tmp_path)
    followup = study.tables["followup"]
    followup["Site"] = np.where(followup["Status"] == status, "A", "B")
    study.content["cohorts"] = {"column": "followup:Site", "development": "A", "external": ["B"]}
    refused(
        study,
        rf"both classes are needed, but all \d+ development patients are {which} in column "
        r"'Status' of table 'followup'\. Check positive, negative",
    )


def test_rarer_class_smaller_than_the_folds_is_refused(tmp_path: Path) -> None:
    study = binary_study(tmp_path)
    study.tables["followup"]["Status"] = ["dead"] * 2 + ["alive"] * 58
    study.content["models"][0] |= {"ridge": 5.0, "predictors": ["clinical:Age"]}
    refused(study, r"3 folds were asked for and only 2 of 60 patients .*Ask for fewer folds")


def test_declared_decimal_comma_is_read_in_the_outcome_too(tmp_path: Path) -> None:
    plain, comma = small_study(tmp_path / "plain"), small_study(tmp_path / "comma")
    for name in ("clinical", "radiomics", "followup"):
        table = comma.tables[name]
        for column in table.select_dtypes("float"):
            table[column] = [str(value).replace(".", ",") for value in table[column]]
        comma.content["tables"][name]["decimal"] = ","
    for study in (plain, comma):
        assert study.run().exit_code == 0
    assert (plain.out / "tables/performance.csv").read_bytes() == (
        comma.out / "tables/performance.csv"
    ).read_bytes()


def test_points_beside_declared_decimal_commas_are_refused(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    times = [str(time).replace(".", ",") for time in study.tables["followup"]["Months"]]
    study.tables["followup"]["Months"] = [*times[:8], "1.234", *times[9:]]
    study.content["tables"]["followup"]["decimal"] = ","
    refused(
        study,
        r"tables\.followup .*column 'Months' must hold numbers with a decimal comma, as declared, "
        r"but 1 of its 60 values has a point \(first: '1\.234' in row 10\)",
    )


# ---- the models ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"predictors": ["clinical:Agee"]},
            r"\[\[models\]\] Clinical: .*'clinical:Agee' matches none of 13\. Did you mean "
            r"'clinical:Age'\?",
        ),
        (
            {"predictors": ["clinical:*", "clinical:Age"]},
            r"\[\[models\]\] Clinical: .*'clinical:Age' is named by 'clinical:\*' and "
            r"'clinical:Age'",
        ),
        (
            {"splines": {"clinical:Grade": 3}},
            r"\[\[models\]\] Clinical: splines name 'clinical:Grade', which is none of the model's "
            r"predictors",
        ),
        (
            {"splines": {"clinical:Sex": 3}},
            r"'clinical:Sex' is a category\. Remove it from splines",
        ),
        ({"splines": {"clinical:Age": 2}}, r"3.*7"),
        (
            {"predictors": ["factors:*"]},
            r"model 'Clinical' takes factors, but the study has no section \[factors\]",
        ),
        (
            {"predictors": ["clinic:*"]},
            r"no section \[tables\.clinic\]\. Did you mean 'clinical'\?",
        ),
        (
            {"kind": "logistic"},
            r"model 'Clinical' is of kind 'logistic', but the outcome is survival: use "
            r"\['cox', 'xgboost'\]",
        ),
        ({"missing": "keep"}, r"\[\[models\]\] Clinical: missing must not be 'keep'"),
        ({"rounds": 5}, r"\[\[models\]\] Clinical: \['rounds'\] are for kind 'xgboost'"),
    ],
)
def test_mistake_in_a_model(tmp_path: Path, change: dict[str, object], message: str) -> None:
    study = small_study(tmp_path)
    study.content["models"][0] |= change
    refused(study, message)


def test_cox_for_a_binary_outcome_is_refused(tmp_path: Path) -> None:
    study = binary_study(tmp_path)
    study.content["models"][0]["kind"] = "cox"
    refused(
        study, r"model 'Clinical' is of kind 'cox', but the outcome is binary: use \['logistic'"
    )


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    study.content["models"] *= 2
    refused(study, "models must have different names, but 'Clinical' comes twice")


def test_missing_predictor_is_refused_with_the_cure(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    study.tables["clinical"].loc[[1, 2], "Age"] = np.nan
    refused(study, r"'clinical:Age' is missing in 2 of 60 patients .*missing='median'")


def test_table_one_of_an_absent_column_is_refused_before_anything_is_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study(tmp_path)
    study.content["report"] = {"table_one": ["clinical:KPS"]}
    monkeypatch.setattr("models.cox.CoxModel.fit", _never)
    refused(study, r"\[report\] table_one: .*'clinical:KPS' matches none of 13")


def test_table_one_by_what_is_no_group_is_refused_likewise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study(tmp_path)
    study.content["report"] = {"table_one": {"by": "clinical:Age"}}
    monkeypatch.setattr("models.cox.CoxModel.fit", _never)
    refused(study, r"\[report\] table_one: by must be a category, but 'clinical:Age' is a number")


def _never(*_: object, **__: object) -> None:
    raise AssertionError("nothing may be fitted")


def test_factors_of_a_table_without_features_are_refused(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    study.content["factors"] = {"views": ["followup"]}
    study.content["models"][0]["predictors"] = ["factors:*"]
    refused(study, r"\[factors\] views: table 'followup' holds no features")


def test_factors_that_no_model_takes_are_refused(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    study.content["factors"] = {"views": ["radiomics"]}
    refused(study, r"\[factors\] is declared, but no model takes factors: add 'factors:\*'")


def test_factor_model_that_cannot_be_fitted_is_refused_in_words(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    study.content["factors"] = {
        "views": ["radiomics"],
        "likelihoods": {"radiomics": "bernoulli"},
        "n_factors": 2,
    }
    study.content["models"][0]["predictors"] = ["factors:*"]
    refused(study, r"model 'Clinical' cannot be fitted on the development patients: .*radiomics")


# ---- the output folder --------------------------------------------------------------------------


def test_out_is_a_file(tmp_path: Path) -> None:
    study = small_study(tmp_path / "study")
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    result = command("run", study.write(), "--out", file)
    assert result.exit_code == 2
    assert re.search(r"--out .*notes\.txt must be a folder, but a file of that name", result.stderr)
    assert file.read_text() == "mine"


def test_out_below_a_file(tmp_path: Path) -> None:
    study = small_study(tmp_path / "study")
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    result = command("run", study.write(), "--out", file / "out")
    assert result.exit_code == 2
    assert re.search(
        r"--out .*notes\.txt.out cannot be written to: Not a directory\. Choose another folder",
        result.stderr,
    )


@pytest.mark.parametrize("place", ["run", "demo"])
def test_out_may_not_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    path = small_study(tmp_path).write()

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", forbidden)
    monkeypatch.setattr("models.cox.CoxModel.fit", _never)
    out = tmp_path / "out"
    result = command(*(["run", path] if place == "run" else ["demo"]), "--out", out)
    assert result.exit_code == 2
    assert re.search(r"--out .*out cannot be written to: Permission denied", result.stderr)
    assert not out.exists()


def test_full_disk_at_the_end_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small_study(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reports.output.write_csv", full)
    result = study.run()
    assert result.exit_code == 2
    assert re.search(r"--out .* cannot be written to: No space left on device", result.stderr)
    assert [path.name for path in study.out.iterdir()] == [".work"]


def test_a_folder_that_no_run_wrote_is_never_replaced(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    path = study.write()
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/mine.csv").write_text("do not lose me")
    result = command("run", path, "--out", tmp_path)
    assert result.exit_code == 2
    assert re.search(r"holds 'tables', which no run of nomomics wrote", result.stderr)
    assert (tmp_path / "tables/mine.csv").read_text() == "do not lose me"


def test_tables_of_the_study_are_never_replaced(tmp_path: Path) -> None:
    study = small_study(tmp_path / "project/tables")
    path = study.write()
    (tmp_path / "project/study.json").write_text("{}")
    result = command("run", path, "--out", tmp_path / "project")
    assert result.exit_code == 2
    assert re.search(r"would replace .*clinical\.csv, a table of the study", result.stderr)
    assert path.exists()


def test_demo_does_not_replace_a_users_data(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/study.toml").write_text("# mine")
    result = command("demo", "--out", tmp_path)
    assert result.exit_code == 2
    assert re.search(r"holds 'data', which no demo wrote", result.stderr)
    assert [item.name for item in (tmp_path / "data").iterdir()] == ["study.toml"]


# ---- a second cohort in files of its own --------------------------------------------------------


def _with_external(study: SmallStudy, **tables: str) -> SmallStudy:
    other = small_study(study.folder, prefix="EXT-", seed=9)
    study.tables |= {f"{name}_b": table for name, table in other.tables.items()}
    names = tables or {name: f"{name}_b.csv" for name in other.tables}
    study.content["external"] = {"Hospital B": {"tables": names}}
    return study


def test_mistake_in_an_external_table_names_the_cohort(tmp_path: Path) -> None:
    study = _with_external(small_study(tmp_path))
    study.tables["clinical_b"]["Age"] = "old"
    refused(
        study,
        r"\[external\.Hospital B\] tables\.clinical \(clinical_b\.csv\): column 'Age' must hold "
        r"numbers, but 60 of its 60 values are text \(first: 'old' in row 2\)",
    )


def test_external_cohort_that_lacks_a_table_is_refused(tmp_path: Path) -> None:
    study = _with_external(
        small_study(tmp_path), clinical="clinical_b.csv", followup="followup_b.csv"
    )
    refused(study, r"\[external\.Hospital B\] .*10 of 13 are absent \(first: 'radiomics:original_")


def test_patient_in_both_cohorts_is_refused(tmp_path: Path) -> None:
    study = _with_external(small_study(tmp_path))
    for name in ("clinical", "radiomics", "followup"):
        study.tables[f"{name}_b"].loc[0, "ID"] = "PAT-QX-017"
    refused(study, r"\[external\.Hospital B\] .*1 of 60 ids .* in the study already .*'PAT-QX-017'")


# ---- through real processes ---------------------------------------------------------------------

AS_SCRIPT = "from reports.cli import main; main()"


def process(*arguments: str, folder: Path, path: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("start", [["-m", "reports.cli"], ["-c", AS_SCRIPT]])
def test_a_users_models_py_that_hides_ours_is_named(tmp_path: Path, start: list[str]) -> None:
    (tmp_path / "models.py").write_text("raise RuntimeError('not to be run')\n")
    out = tmp_path / "out"
    done = process(*start, "demo", "--out", str(out), folder=tmp_path, path=tmp_path)
    assert done.returncode == 2
    assert f"'models' is hidden by {tmp_path / 'models.py'}" in done.stderr
    assert "Rename that file, or start nomomics from another folder." in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_a_users_omics_package_that_hides_ours_is_named(tmp_path: Path) -> None:
    (tmp_path / "omics").mkdir()
    (tmp_path / "omics/__init__.py").write_text("")
    done = process("-m", "reports.cli", "demo", folder=tmp_path, path=tmp_path)
    assert done.returncode == 2
    assert f"'omics' is hidden by {tmp_path / 'omics/__init__.py'}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_users_folder_of_models_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/weights.txt").write_text("of a user")
    done = process("-m", "reports.cli", "check", "study.toml", folder=tmp_path, path=tmp_path)
    assert done.returncode == 2
    assert "study file study.toml was not found" in done.stderr


def test_a_mistake_reaches_the_log_in_one_piece(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    _no_overlap(study)
    study.write()
    done = process("-m", "reports.cli", "run", "study.toml", "--out", "out", folder=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    told = [line for line in done.stderr.splitlines() if not line.startswith("tables ")]
    assert len(told) == 1
    assert told[0].endswith("check the id column of each table.")
    assert not (tmp_path / "out").exists()


def test_the_unspoilt_study_runs(tmp_path: Path) -> None:
    # the witness that every refusal above is owed to what was spoilt
    study = small_study(tmp_path)
    assert replace(study).run().exit_code == 0
    assert (study.out / "report.html").exists()
