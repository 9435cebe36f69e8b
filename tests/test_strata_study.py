"""A study stratified by a category, from its file to the report and a scored patient."""

from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest

from models.passport import read_passport
from omics.errors import StudyError
from reports.study import build_pipelines, load_cohort
from reports.study_file import parse_study, read_study
from tests.small_study import SmallStudy, small_study

MODEL: dict[str, Any] = {
    "name": "Stratified",
    "kind": "cox",
    "predictors": ["clinical:Age", "clinical:Grade"],
    "strata": "clinical:Sex",
    "ties": "breslow",
    "robust": True,
    "nomogram": True,
}


def stratified(folder: Path, **changes: Any) -> SmallStudy:
    """Make a study with a stratified model, another cohort, comparisons, subgroups, an update."""
    study = small_study(folder)
    sex = study.tables["clinical"]["Sex"].to_numpy().copy()
    sex[55:] = "diverse"  # in the other cohort alone
    study.tables["clinical"]["Sex"] = sex
    study.tables["clinical"]["Site"] = np.where(np.arange(60) < 45, "here", "there")
    study.content["tables"]["clinical"]["categories"]["Sex"] = ["female", "male", "diverse"]
    study.content |= {
        "cohorts": {"column": "clinical:Site", "development": "here", "external": ["there"]},
        "models": [MODEL | changes],
        "added_value": {"clinical": ["clinical:Age"]},
        "updating": {"cohort": "there", "models": ["Clinical"]},
        "report": {"subgroups": {"clinical:Sex": "levels"}, "subgroup_models": ["Stratified"]},
    }
    study.content["validation"] |= {"bootstrap": 2, "cross_validation": {"folds": 2, "repeats": 1}}
    return study


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> SmallStudy:
    study = stratified(tmp_path_factory.mktemp("strata"))
    result = study.run()
    assert result.exit_code == 0, result.output
    return study


def findings(study: SmallStudy) -> dict[tuple[str, str], str]:
    (path,) = study.out.rglob("findings.csv")
    table = pd.read_csv(path)
    return {(row.code, row.where): row.message for row in table.itertuples()}


def test_what_strata_cost_is_a_finding_and_no_error(ran: SmallStudy) -> None:
    found = findings(ran)
    lost = found["stratum_not_predicted", "Stratified"]
    assert "In there, 5 of 15 patients" in lost
    assert "diverse, which the development patients lack" in lost
    assert ("not_updated", "Clinical") not in found
    assert ("stratum_not_predicted", "Clinical") not in found


def test_the_nomogram_has_axes_of_outcome_for_each_stratum(ran: SmallStudy) -> None:
    (path,) = ran.out.rglob("nomogram_Stratified.csv")
    table = pd.read_csv(path)
    risks = table.loc[table["kind"] == "risk", "axis"].unique().tolist()
    assert risks == [
        f"Risk by {horizon} months (clinical:Sex={sex})"
        for horizon in (12, 24)
        for sex in ("female", "male")
    ]


def test_the_report_says_how_strata_are_ranked_and_tabulated(ran: SmallStudy) -> None:
    page = (ran.out / "report.html").read_text()
    for words in (
        "Cox regression (Breslow's ties, Breslow's baseline, sandwich variance), stratified by "
        "Sex: each of its 2 levels has a baseline hazard of its own, without penalty, on Age, "
        "Grade.",
        "Linear predictors of different strata are not comparable: Stratified ranked patients by "
        "the risk at the horizon",
        "Each Sex has its own axes below the total: read the patient's.",
        "Both within the strata of Sex, which has no ratio.",
        "Within the strata of Sex, which has no ratio.",
        "the two have different strata, and so different risk sets",
    ):
        assert words in page.replace("&#39;", "'"), words


def test_a_scored_patient_has_the_risk_of_the_stratum(ran: SmallStudy) -> None:
    passport = read_passport(ran.out)
    new = ran.tables["clinical"].set_index("ID").iloc[[0, 0]].set_axis(["f", "m"])
    new["Sex"] = ["female", "male"]
    new["original_shape_VoxelVolume"] = 0.0
    scored = passport.score(new).table
    scored = scored[scored["model"] == "Stratified"]
    assert scored["linear_predictor"].nunique() == scored["points"].nunique() == 1
    pipeline = passport.models["Stratified"].pipeline
    eta = scored["linear_predictor"].iloc[0]
    for horizon in (12, 24):
        for sex, risk in zip(("female", "male"), scored[f"risk_{horizon}"], strict=True):
            time, hazard = pipeline.model.baseline(sex)
            by = hazard[time <= horizon].max()
            assert risk == pytest.approx(1 - np.exp(-by * np.exp(eta)), abs=1e-12)
    with pytest.raises(StudyError, match="unseen category: clinical:Sex"):
        passport.score(new.assign(Sex="diverse"))
    with ZipFile(ran.out / "passport.zip") as file:
        readme = file.read("README.txt").decode()
    assert "H0 is that of the patient's stratum, by clinical:Sex:" in readme
    assert "risk groups: cut at a risk by 24 months of" in readme


def test_predictions_and_groups_of_the_folder_are_by_risk(ran: SmallStudy) -> None:
    (path,) = ran.out.rglob("predictions.csv")
    table = pd.read_csv(path).query("model == 'Stratified' and cohort == 'there'")
    cut = read_passport(ran.out).models["Stratified"].cut_points.item()
    known = table["risk_24"].notna()
    assert known.sum() == 10
    expected = np.where(table.loc[known, "risk_24"] > cut, 2, 1)
    assert table.loc[known, "group"].tolist() == expected.tolist()
    assert table.loc[~known, ["linear_predictor", "group"]].isna().all(axis=None)


def test_the_options_reach_the_model(tmp_path: Path) -> None:
    pipelines = build_pipelines(read_study(stratified(tmp_path).write()))
    settings = pipelines["Stratified"].model.get_params()
    expected = {"strata": "clinical:Sex", "ties": "breslow", "robust": True}
    assert expected.items() <= settings.items()
    assert pipelines["Stratified"].strata == "clinical:Sex"
    assert pipelines["Clinical"].strata is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "xgboost", "nomogram": False, "ties": "efron", "robust": False},
         r"\['robust', 'strata', 'ties'\] are for kind 'cox', but kind is 'xgboost'"),
        ({"predictors": ["clinical:Sex", "clinical:Age"]}, "predictors name 'clinical:Sex' too"),
        ({"predictors": ["clinical:*"]}, "predictors name 'clinical:Sex' too"),
        ({"strata": "Sex"}, "strata"),
        ({"strata": "clinic:Sex"}, "there is no section .tables.clinic."),
        ({"ties": "exact"}, "ties"),
        ({"ridge": 0.5}, "robust must come without a ridge, but it is true and the ridge is 0.5"),
        ({"missing": "multiple"}, "missing must not be 'multiple' with strata"),
    ],
)  # fmt: skip
def test_wrong_entry_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    study = stratified(tmp_path, **changes)
    with pytest.raises(StudyError, match=message):
        parse_study(study.content, folder=tmp_path, source="study.toml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strata": "clinical:Sx"}, "strata name 'clinical:Sx'.*Did you mean 'clinical:Sex'"),
        ({"strata": "radiomics:original_firstorder_Mean"}, "which is a number. Declare it"),
        ({}, "'clinical:Sex' is missing in 3 of 45 development patients"),
    ],
)
def test_what_only_the_table_shows_is_named_before_anything_is_fitted(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    study = stratified(tmp_path, **changes)
    study.tables["clinical"].loc[:2, "Sex"] = None
    with pytest.raises(StudyError, match=message):
        load_cohort(read_study(study.write()))


def test_the_centre_of_the_study_is_no_stratum(tmp_path: Path) -> None:
    study = stratified(tmp_path, strata="clinical:Grade", predictors=["clinical:Age"])
    study.content["centre"] = "clinical:Grade"
    with pytest.raises(StudyError, match="declares as its centre and no model reads"):
        load_cohort(read_study(study.write()))
