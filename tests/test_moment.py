"""When a predictor is known: what comes after the moment of prediction is refused."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from models.cox import CoxModel
from models.moment import check_moment, columns_read, moment_findings
from models.pipeline import risk_pipeline
from models.signature import Signature
from omics.errors import StudyError
from omics.harmonise import ComBat
from omics.mofa import FactorModel
from omics.moment import MOMENTS, is_later
from omics.table_spec import TableSpec
from omics.tables import read_table
from reports.study import load_cohort
from reports.study_file import parse_study
from tests.made_cohorts import made_cohort
from tests.realdata import ROOT, needs_data
from tests.small_study import SmallStudy, small_study


def test_moments_are_ordered() -> None:
    later = [(a, b) for a in MOMENTS for b in MOMENTS if is_later(a, b)]
    assert later == [
        ("surgery", "baseline"), ("pathology", "baseline"), ("pathology", "surgery"),
        ("follow_up", "baseline"), ("follow_up", "surgery"), ("follow_up", "pathology"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (None, {}),
        ("surgery", {"Age": "surgery", "EOR": "surgery", "Chemo": "surgery"}),
        ({"Chemo": "follow_up"}, {"Chemo": "follow_up"}),
        (
            {"chemo": "follow_up", "*": "baseline"},  # by its name in the file
            {"Age": "baseline", "EOR": "baseline", "Chemo": "follow_up"},
        ),
    ],
)
def test_a_table_states_when_columns_are_known(
    tmp_path: Path, known: Any, expected: dict[str, str]
) -> None:
    path = tmp_path / "c.csv"
    path.write_text("ID,Age,EOR,chemo,Dead\nP1,50,1,0,1\nP2,60,0,1,0\n")
    spec = TableSpec(path=path, kind="clinical", known=known, rename={"chemo": "Chemo"})
    assert read_table(spec, name="c", reserve=["Dead"]).known == expected


def test_a_wrong_moment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="'baseline', 'surgery', 'pathology' or 'follow_up'"):
        TableSpec(path=Path("c.csv"), kind="clinical", known="later")  # type: ignore[arg-type]
    path = tmp_path / "c.csv"
    path.write_text("ID,Age\nP1,50\n")
    spec = TableSpec(path=path, kind="clinical", known={"Agee": "baseline"})
    with pytest.raises(StudyError, match=r"known names column 'Agee'.*Did you mean 'Age'"):
        read_table(spec, name="c")


def test_signatures_are_known_when_their_features_are() -> None:
    cohort = made_cohort(40, p=2)
    cohort.known.update({"rna:f1": "follow_up", "clinical:Age": "baseline"})
    pipeline = risk_pipeline(
        ["signature:S"], CoxModel(), signatures=[Signature(["rna:*"], name="S")]
    )
    assert columns_read(pipeline, cohort.X.columns) == ["rna:f0", "rna:f1"]
    with pytest.raises(StudyError, match=r"'rna:f1' \(follow-up\)"):
        check_moment({"Radscore": pipeline}, cohort, "surgery")


def test_covariates_of_harmonisation_must_be_known_too() -> None:
    cohort = made_cohort(40, p=2)
    cohort.known.update({"clinical:Grade": "follow_up", "clinical:Age": "baseline"})
    combat = ComBat(["mri"], new_centre="refuse", covariates=["clinical:Grade"])
    pipeline = risk_pipeline(["mri:f0"], CoxModel(), cleaning=[combat])
    columns = cohort.X.columns.append(pd.Index(["meta:centre"]))
    assert columns_read(pipeline, columns) == ["mri:f0", "clinical:Grade"]
    with pytest.raises(StudyError, match=r"'clinical:Grade' \(follow-up\)"):
        check_moment({"Harmonised": pipeline}, cohort, "surgery")


def test_factors_are_known_when_their_views_are() -> None:
    cohort = made_cohort(40, p=2)
    cohort.known.update({"rna:f1": "pathology", "clinical:Age": "baseline"})
    factors = FactorModel(views=["mri", "rna"], n_factors=2)
    pipelines = {
        "Plain": risk_pipeline(["clinical:*", "mri:f0"], CoxModel()),
        "Factors": risk_pipeline(["factors:*"], CoxModel(), factors=factors),
    }
    assert columns_read(pipelines["Factors"], cohort.X.columns) == [
        "mri:f0", "mri:f1", "rna:f0", "rna:f1"
    ]  # fmt: skip
    with pytest.raises(
        StudyError,
        match=r"model 'Factors' must predict at surgery .* but 1 of its columns is known later: "
        r"'rna:f1' \(pathology\)\. Leave them out .*, or state a later moment in \[prediction\]",
    ):
        check_moment(pipelines, cohort, "surgery")
    check_moment(pipelines, cohort, "pathology")
    found = {f.where: f.message for f in moment_findings(pipelines, cohort, "pathology")}
    assert list(found) == ["clinical", "mri", "rna"]
    assert "1 predictors of clinical are known: 'Grade'. State known" in found["clinical"]


def timed_study(folder: Path, moment: str | None) -> SmallStudy:
    study = small_study(folder)
    study.content["tables"]["clinical"]["known"] = {"Sex": "baseline", "Age": "surgery"}
    if moment is not None:
        study.content["prediction"] = {"moment": moment}
    return study


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_later_predictor_ends_with_a_message(tmp_path: Path, command: str) -> None:
    study = timed_study(tmp_path, "baseline")
    result = study.run() if command == "run" else study.check()
    assert result.exit_code == 2
    words = " ".join(result.output.split())
    assert "model 'Clinical' must predict at baseline" in words
    assert "known later: 'clinical:Age' (surgery)" in words
    assert not study.out.exists() or not any(study.out.glob("report.html"))


def rows_of(page: str, heading: str) -> list[list[str]]:
    """Cells of the table one of whose headings this is."""
    table = next(part for part in re.findall(r"<table.*?</table>", page, re.S) if heading in part)
    rows = re.findall(r"<tr.*?</tr>", table, re.S)
    cell = r"<t[hd][^>]*>(.*?)</t[hd]>"
    return [[re.sub("<.*?>", "", c).strip() for c in re.findall(cell, r, re.S)] for r in rows]


def test_the_report_says_when(tmp_path: Path) -> None:
    study = timed_study(tmp_path, "surgery")
    study.tables["clinical"].loc[[1, 4], "Age"] = float("nan")
    study.content["missing"] = {"policy": "chained"}
    assert study.run().exit_code == 0
    page = (study.out / "report.html").read_text()
    assert "Predictions are made at surgery, from predictors known by then." in page
    assert rows_of(page, "Characteristic")[1][:2] == ["Age, median (quartiles)", "surgery"]
    sex = next(row for row in rows_of(page, "Characteristic") if row[0] == "female")
    assert sex[1] == "baseline"
    assert rows_of(page, "What was done")[1:] == [
        ["Clinical", "Age", "Chained equations", "2 of 60"],
        ["Clinical", "any predictor", "Chained equations", "2 of 60"],
    ]
    beside = pd.read_csv(study.out / "tables" / "complete_case.csv")
    performance = pd.read_csv(study.out / "tables" / "performance.csv")
    assert set(beside["n_patients"]) == {58}
    shown = [row[:4] for row in rows_of(page, "Patients (events)")[1:]]
    assert shown == [
        ["Clinical", "Development", "Chained equations", f"60 ({performance['n_events'][0]})"],
        ["Clinical", "Development", "Complete cases", f"58 ({beside['n_events'][0]})"],
    ]


@needs_data("plgg")
@pytest.mark.slow
def test_plgg_at_baseline_refuses_what_came_after() -> None:
    import tomllib

    folder = ROOT / "tests" / "studies"
    content = tomllib.loads((folder / "plgg.toml").read_text())
    content["prediction"] = {"moment": "baseline"}
    with pytest.raises(StudyError) as error:
        load_cohort(parse_study(content, folder=folder, source="plgg.toml"))
    assert "model 'Clinical, all columns' must predict at baseline" in str(error.value)
    for column in ("'clinical:Chemotherapy' (follow-up)", "'clinical:Radiation' (follow-up)"):
        assert column in str(error.value)
    content["prediction"] = {"moment": "surgery"}
    content["models"] = content["models"][1:]  # those without chemotherapy and radiation
    assert load_cohort(parse_study(content, folder=folder, source="plgg.toml")).n_patients == 201
