"""From images of another hospital to risks: the table of `nomomics extract` is scored as it is."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import Result

from models.passport import read_passport, write_passport
from omics.errors import StudyError
from tests.small_extraction import SETTINGS, SmallExtraction, small_extraction
from tests.small_study import SmallStudy, command, small_study

N, N_NEW = 24, 6
MEAN = "radiomics:T1c|1+2|original_firstorder_Mean"
CONTRAST = "radiomics:FLAIR|1|original_glcm_Contrast"


@dataclass
class Hospital:
    """New patients: their images, their clinical table, and where scores go."""

    study: SmallStudy
    images: SmallExtraction
    clinical: Path
    out: Path

    def score(self, *arguments: object) -> Result:
        return command("score", self.study.out, *arguments, "--out", self.out)

    def scores(self) -> pd.DataFrame:
        return pd.read_csv(self.out)

    def wide(self) -> pd.DataFrame:
        """Widen the table of the extraction by hand, with the clinical columns beside it."""
        long = self.images.table()
        features = [name for name in long if name.startswith("original_")]
        wide = long.pivot(index="patient", columns=["sequence", "region"], values=features)
        wide.columns = [f"{s}|{r}|{name}" for name, s, r in wide.columns]
        wide["centre"] = long.groupby("patient")["centre"].first()
        return wide.join(pd.read_csv(self.clinical).set_index("ID"))


def extraction(folder: Path, patients: list[str]) -> SmallExtraction:
    images = small_extraction(folder, patients=patients, sequences=("T1c", "FLAIR"))
    number = images.manifest["patient"].map({name: at for at, name in enumerate(patients)})
    images.manifest["centre"] = np.where(number % 2, "North", "South")
    return images


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    """Run a study of extracted features, harmonised over two centres; extract new patients."""
    folder = tmp_path_factory.mktemp("hospital")
    study = small_study(folder)
    study.tables = {name: table.iloc[:N] for name, table in study.tables.items()}
    ours = extraction(folder / "images", study.tables.pop("radiomics")["ID"].tolist())
    assert ours.run().exit_code == 0
    study.content["tables"]["radiomics"] = {
        "path": "images/out/radiomics.parquet",
        "kind": "radiomics",
        "id": "patient",
        "spread": ["sequence", "region"],
    }
    study.content["centre"] = "radiomics:centre"
    study.content["harmonise"] = {"tables": ["radiomics"], "new_centre": "refuse"}
    study.content["models"] = [
        {"name": "Both", "kind": "cox", "predictors": ["clinical:Age", MEAN, CONTRAST]},
    ]
    result = study.run()
    assert result.exit_code == 0, result.stderr
    patients = [f"NEW-{number}" for number in range(1, N_NEW + 1)]
    theirs = extraction(folder / "theirs", patients)
    theirs.settings = (ours.out.parent / "radiomics_settings.yaml").read_text()
    assert theirs.run().exit_code == 0
    clinical = folder / "theirs.csv"
    age = 50.0 + np.arange(N_NEW)[::-1]
    pd.DataFrame({"ID": patients[::-1], "Age": age, "Sex": "male"}).to_csv(clinical, index=False)
    return Hospital(study, theirs, clinical, folder / "scored.csv")


def test_the_table_of_an_extraction_is_scored_as_the_wide_one(
    hospital: Hospital, tmp_path: Path
) -> None:
    hospital.wide().to_csv(tmp_path / "wide.csv")
    told = hospital.score(tmp_path / "wide.csv")
    assert told.exit_code == 0, told.stderr
    expected = hospital.scores().set_index("patient")
    assert expected.index.tolist() == [f"NEW-{number}" for number in range(1, N_NEW + 1)]
    assert expected["risk_12"].nunique() == N_NEW
    radiomics = f"radiomics={hospital.images.out}"
    for arguments in (
        ("--table", radiomics, "--table", f"clinical={hospital.clinical}"),
        (hospital.clinical, "--table", radiomics),
        (hospital.clinical, "--table", f"radiomics={tmp_path / 'wide.csv'}", "--id", None),
    ):
        if arguments[-1] is None:  # a wide file under the name of its table, ids as the study's
            wide = hospital.wide().drop(columns=["Age", "Sex"])
            wide.to_csv(tmp_path / "wide.csv")
            arguments = arguments[:-2]
        told = hospital.score(*arguments)
        assert told.exit_code == 0, told.stderr
        found = hospital.scores().set_index("patient")
        pd.testing.assert_frame_equal(found.loc[expected.index], expected, rtol=1e-12)
        assert f"Scores: {hospital.out} (Scores({N_NEW} patients, 1 models" in told.stderr
    # harmonised, then by the coefficients: the formula of the passport
    passport = read_passport(hospital.study.out)
    tables = {"radiomics": hospital.images.table(), "clinical": pd.read_csv(hospital.clinical)}
    scores = passport.score(tables=tables)
    by_patient = scores.table.set_index("patient")["risk_24"]
    np.testing.assert_allclose(by_patient[expected.index], expected["risk_24"], rtol=1e-12)
    assert set(passport.layouts) == {"radiomics", "clinical"}


def test_what_is_lacking_is_named_in_its_own_words(hospital: Hospital, tmp_path: Path) -> None:
    clinical = ("--table", f"clinical={hospital.clinical}")
    told = hospital.score(hospital.images.out)
    assert told.exit_code == 2
    assert f"give it as --table radiomics={hospital.images.out}" in told.stderr.replace("\n", "")
    told = hospital.score("--table", f"radiomics={hospital.images.out}")
    assert told.exit_code == 2
    assert "missing table: clinical:*: the table was not given" in told.stderr
    long = hospital.images.table()
    long[long["sequence"] == "T1c"].to_parquet(tmp_path / "new.parquet")
    told = hospital.score("--table", f"radiomics={tmp_path / 'new.parquet'}", *clinical)
    assert told.exit_code == 2
    assert (
        "missing rows: radiomics:FLAIR|1|*: no row of the table is of 'FLAIR|1'; there are rows of "
        "'T1c|1', 'T1c|1+2'"
    ) in told.stderr
    long.assign(centre="West").to_parquet(tmp_path / "new.parquet")
    told = hospital.score("--table", f"radiomics={tmp_path / 'new.parquet'}", *clinical)
    assert told.exit_code == 2
    assert "new centre: radiomics:centre: 6 patients of 'West'" in told.stderr
    for wrong, message in (
        ("radiomics", "--table must be name=file"),
        (f"imaging={hospital.images.out}", "'imaging' is none. There are: 'clinical', 'radiomics'"),
        (f"radiomics={hospital.out}", "would replace what is read"),
    ):
        told = hospital.score("--table", wrong)
        assert told.exit_code == 2
        assert message in told.stderr
    assert hospital.score().exit_code == 2


def test_other_settings_are_refused(hospital: Hospital, tmp_path: Path) -> None:
    other = extraction(tmp_path, ["NEW-1", "NEW-2"])
    other.settings = SETTINGS.replace("binWidth: 25", "binWidth: 10")
    assert other.run().exit_code == 0
    told = hospital.score(hospital.clinical, "--table", f"radiomics={other.out}")
    assert told.exit_code == 2
    assert "'binWidth: 10 here, 25 there'" in told.stderr


def test_a_passport_without_layouts_takes_wide_tables(hospital: Hospital, tmp_path: Path) -> None:
    """Passports of earlier versions do not say how rows become patients."""
    passport = read_passport(hospital.study.out)
    passport.layouts.clear()
    write_passport(passport, tmp_path / "passport.zip")
    older = read_passport(tmp_path)
    assert older.layouts == {}
    wide = hospital.wide()
    expected = read_passport(hospital.study.out).score(wide).table
    pd.testing.assert_frame_equal(older.score(wide).table, expected)
    with pytest.raises(StudyError, match="does not say how rows of table 'radiomics' become"):
        older.score(tables={"radiomics": hospital.images.table().set_index("patient")})


def test_the_readme_of_a_passport_says_how_to_give_it(hospital: Hospital, tmp_path: Path) -> None:
    shutil.unpack_archive(hospital.study.out / "passport.zip", tmp_path)
    text = (tmp_path / "README.txt").read_text(encoding="utf-8")
    assert "several rows of a patient (told apart by sequence, region)" in text
    assert "--table radiomics=its.csv" in text
    assert "--table clinical" not in text
    for name in ("README.txt", "passport.json"):
        said = (tmp_path / name).read_text(encoding="utf-8")
        assert "PAT-QX" not in said
        assert str(hospital.study.folder) not in said
