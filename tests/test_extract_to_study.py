"""From images to a study: what was extracted is joined, modelled, and refused where it differs."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.cox import CoxModel
from omics.errors import StudyError
from omics.table_spec import TableSpec
from omics.tables import read_table
from reports.study import load_cohort
from reports.study_file import read_study
from tests.small_extraction import FEATURES, SETTINGS, small_extraction
from tests.small_study import SmallStudy, command, small_study

TABLE = {
    "path": "images/out/radiomics.parquet",
    "kind": "radiomics",
    "id": "patient",
    "spread": ["sequence", "region"],
}
MEAN = "radiomics:T1c|1+2|original_firstorder_Mean"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SmallStudy:
    """Extract two sequences of thirty patients, and put the table into their study."""
    folder = tmp_path_factory.mktemp("study")
    study = small_study(folder)
    study.tables = {name: table.iloc[:30] for name, table in study.tables.items()}
    patients = study.tables.pop("radiomics")["ID"].tolist()
    phantoms = small_extraction(folder / "images", patients=patients, sequences=("T1c", "FLAIR"))
    result = phantoms.run()
    assert result.exit_code == 0, result.stderr
    study.content["tables"]["radiomics"] = dict(TABLE)
    study.content["models"] = [{"name": "Radiomics", "kind": "cox", "predictors": [MEAN]}]
    return study


def test_the_table_spreads_over_sequence_and_region(study: SmallStudy) -> None:
    cohort = load_cohort(read_study(study.write()))
    features = [name for name in cohort.X if name.startswith("radiomics:")]
    assert features == [
        f"radiomics:{sequence}|{region}|{feature}"
        for sequence in ("T1c", "FLAIR")
        for region in ("1", "1+2")
        for feature in FEATURES
    ]
    long = pd.read_parquet(study.folder / TABLE["path"])
    chosen = long[(long["sequence"] == "FLAIR") & (long["region"] == "1")].set_index("patient")
    np.testing.assert_array_equal(
        cohort.X["radiomics:FLAIR|1|original_glcm_Contrast"],
        chosen["original_glcm_Contrast"].reindex(cohort.X.index),
    )
    aside = cohort.provenance["radiomics"]
    assert aside.shape == (30, 4 * 6)
    assert {"radiomics_settings", "radiomics_names"}.isdisjoint(f.code for f in cohort.findings)


def test_the_model_of_the_study_is_that_of_the_table(study: SmallStudy) -> None:
    result = study.run()
    assert result.exit_code == 0, result.stderr
    found = pd.read_csv(study.out / "tables/coefficients_Radiomics.csv")
    long = pd.read_parquet(study.folder / TABLE["path"])
    chosen = long[(long["sequence"] == "T1c") & (long["region"] == "1+2")].set_index("patient")
    followup = study.tables["followup"].set_index("ID").loc[chosen.index]
    y = np.array(
        list(zip(followup["Months"], followup["Status"] == "dead", strict=True)),
        dtype=[("time", float), ("event", bool)],
    )
    fitted = CoxModel().fit(chosen[["original_firstorder_Mean"]], y)
    expected = fitted.coef_[0]
    assert found["coefficient"].iloc[0] == pytest.approx(expected, rel=1e-6)
    report = (study.out / "report.html").read_text(encoding="utf-8")
    assert "PAT-QX-" not in report


def test_patients_are_scored_from_the_table_of_their_extraction(
    study: SmallStudy, tmp_path: Path
) -> None:
    """Models that read one table alone need not be told whose file it is."""
    assert study.out.exists() or study.run().exit_code == 0
    theirs = small_extraction(
        tmp_path / "images", patients=["N2", "N1", "N3"], sequences=("T1c", "FLAIR")
    )
    assert theirs.run().exit_code == 0
    result = command("score", study.out, theirs.out, "--out", tmp_path / "scored.csv")
    assert result.exit_code == 0, result.stderr
    found = pd.read_csv(tmp_path / "scored.csv").set_index("patient")
    assert found.index.tolist() == ["N2", "N1", "N3"]
    long = theirs.table()
    chosen = long[(long["sequence"] == "T1c") & (long["region"] == "1+2")].set_index("patient")
    coefficient = pd.read_csv(study.out / "tables/coefficients_Radiomics.csv")["coefficient"].item()
    mean = chosen.loc[found.index, "original_firstorder_Mean"]
    np.testing.assert_allclose(
        found["linear_predictor"].diff()[1:], coefficient * mean.diff()[1:], rtol=1e-10
    )


def test_a_second_extraction_with_other_settings_is_refused(
    study: SmallStudy, tmp_path: Path
) -> None:
    other = small_study(tmp_path, prefix="OTHER-")
    patients = other.tables.pop("radiomics")["ID"].tolist()[:12]
    phantoms = small_extraction(tmp_path / "images", patients=patients, sequences=("T1c", "FLAIR"))
    phantoms.settings = SETTINGS.replace("binWidth: 25", "binWidth: 10")
    assert phantoms.run().exit_code == 0
    other.write()
    study.content["external"] = {
        "Elsewhere": {
            "tables": {
                "radiomics": str(phantoms.out),
                **{name: str(tmp_path / f"{name}.csv") for name in ("clinical", "followup")},
            }
        }
    }
    try:
        result = study.check()
        assert result.exit_code == 2
        assert "48 rows of table 'radiomics' (Elsewhere) have others than 120 rows of table" in (
            result.stderr
        )
        assert "(binWidth: 10 here, 25 there)" in result.stderr
        study.content["tables"]["radiomics"]["different_settings"] = True
        told = study.check()
        assert told.exit_code == 0
        assert "were extracted with different settings, as declared" in told.stderr
    finally:
        del study.content["external"]
        study.content["tables"]["radiomics"] = dict(TABLE)


def test_the_rows_say_which_versions_made_them(study: SmallStudy) -> None:
    long = pd.read_parquet(study.folder / TABLE["path"])
    (versions,) = long["diagnostics_Versions"].unique()
    assert {"nomomics", "SimpleITK", "numpy"} <= set(json.loads(versions))


def test_a_second_reader_or_a_later_scan_is_no_further_feature(
    study: SmallStudy, tmp_path: Path
) -> None:
    long = pd.read_parquet(study.folder / TABLE["path"])
    path = tmp_path / "radiomics.csv"
    spec = TableSpec.model_validate({**TABLE, "path": str(path)})
    cures = {
        "reader": r"differ in 'reader': take some by only = \{ reader = \[\"one\"\] \}; the other "
        r"reader belongs to readers of \[repeatability",
        "timepoint": r"only = \{ timepoint = \[\"one\"\] \}; a change between two "
        "timepoints is delta",
        "rater": "Correct the file, or add the column that tells them apart to spread",
    }
    for column, cure in cures.items():
        both = pd.concat([long.assign(**{column: "one"}), long.assign(**{column: "two"})])
        both.to_csv(path, index=False)
        with pytest.raises(StudyError, match=f"but 120 have several .*{cure}"):
            read_table(spec, name="radiomics")


@pytest.mark.parametrize("spread", [True, False])
def test_where_a_row_is_from_is_no_feature(study: SmallStudy, tmp_path: Path, spread: bool) -> None:
    long = pd.read_parquet(study.folder / TABLE["path"])
    if not spread:
        long = long[(long["sequence"] == "T1c") & (long["region"] == "1")]
    long.insert(1, "centre", np.where(long["patient"].rank(method="dense") % 2, "Graz", "Essen"))
    long.insert(2, "reader", "A")
    path = tmp_path / "radiomics.parquet"
    long.to_parquet(path, index=False)
    table = {**TABLE, "path": str(path)} if spread else {**TABLE, "path": str(path), "spread": []}
    spec = TableSpec.model_validate(table)
    view = read_table(spec, name="radiomics")
    assert view.table.shape[1] == len(FEATURES) * (4 if spread else 1)
    place = "FLAIR|1+2|" if spread else ""
    assert {f"{place}reader", f"{place}centre"} <= set(view.provenance)
    reserved = read_table(spec, name="radiomics", reserve=["centre"]).reserved["centre"]
    assert reserved.value_counts().to_dict() == {"Graz": 15, "Essen": 15}
    long.drop(columns="diagnostics_Region_Volume").to_parquet(path)
    with pytest.raises(StudyError, match=r"'(T1c.1.)?centre' must hold numbers, but 30 of its 30"):
        read_table(spec, name="radiomics")
