"""`nomomics score`: what a new table must hold, what is shown and refused, what is written."""

import shutil
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest

from models.passport import Passport, read_passport
from omics.errors import StudyError
from tests.small_study import SmallStudy, command, small_study

N_NEW = 20
Spoil = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SmallStudy:
    """A study with recodes, codes for unknown, an external cohort, factors and trees, run once."""
    study = small_study(tmp_path_factory.mktemp("scoring"))
    clinical, followup = study.tables["clinical"], study.tables["followup"]
    radiomics = study.tables["radiomics"]
    rng = np.random.default_rng(1)  # without anything shared, every factor is switched off
    factor = rng.normal(size=(len(clinical), 2)) @ rng.normal(size=(2, radiomics.shape[1] - 1))
    radiomics[radiomics.columns[1:]] += factor.round(4)
    clinical["IDH"] = np.where(np.arange(len(clinical)) % 3 == 0, "wildtype", "R132H")
    clinical["KPS"] = [[60, 70, 80, 90, -99][i % 5] for i in range(len(clinical))]
    clinical.loc[:3, "Age"] = 50.5
    followup["Cohort"] = ["ours"] * (len(clinical) - N_NEW) + ["theirs"] * N_NEW
    declared = study.content["tables"]["clinical"]
    declared["unknown"] = [-99]
    declared["rename"] = {"KPS": "Karnofsky"}
    declared["recode"] = {"IDH": {"wildtype": "wt", "*": "mutant"}}
    study.content["cohorts"] = {
        "column": "followup:Cohort",
        "development": "ours",
        "external": ["theirs"],
    }
    study.content["factors"] = {"views": ["radiomics"], "n_factors": 2}
    study.content["models"] += [
        {
            "name": "Recoded",
            "kind": "cox",
            "predictors": ["clinical:IDH", "clinical:Karnofsky"],
            "missing": "median",
            "nomogram": True,
        },
        {"name": "Factors", "kind": "cox", "predictors": ["factors:*"], "ridge": 1.0},
        {"name": "Trees", "kind": "xgboost", "predictors": ["clinical:Age"], "rounds": 5},
    ]
    assert study.run().exit_code == 0
    return study


def new_patients(study: SmallStudy) -> pd.DataFrame:
    """The external patients' rows as the study's files hold them, in one table."""
    wide = study.tables["clinical"].merge(study.tables["radiomics"], on="ID")
    return wide.tail(N_NEW).reset_index(drop=True)


def scored(
    study: SmallStudy, tmp_path: Path, table: pd.DataFrame, *options: object
) -> tuple[int, str, Path]:
    path, out = tmp_path / "new.csv", tmp_path / "scored.csv"
    table.to_csv(path, index=False)
    result = command("score", study.out, path, "--out", out, *options)
    return result.exit_code, result.stderr, out


def test_external_patients_get_the_risks_of_the_study(study: SmallStudy, tmp_path: Path) -> None:
    code, said, out = scored(study, tmp_path, new_patients(study))
    assert code == 0, said
    mine = pd.read_csv(out).set_index(["model", "patient"])
    theirs = pd.read_csv(study.out / "private/predictions.csv")
    theirs = theirs[theirs["cohort"] == "theirs"].set_index(["model", "patient"])
    assert len(mine) == len(theirs) == 4 * N_NEW
    theirs = theirs.loc[mine.index]
    for column in ("linear_predictor", "risk_12", "risk_24", "group"):
        np.testing.assert_allclose(mine[column], theirs[column], rtol=0, atol=1e-12)
    for column in ("F1", "F2", "F1_information"):
        own = mine.loc["Factors", column]
        np.testing.assert_allclose(own, theirs.loc["Factors", column], rtol=0, atol=1e-12)
        assert mine.loc["Clinical", column].isna().all()
    assert f"Scores: {out}" in said
    assert "note: Trees: boosted trees have no analytical interval." in said
    assert mine.loc["Trees", "risk_12_lower"].isna().all()
    assert (mine.loc["Factors", "risk_12_lower"] < mine.loc["Factors", "risk_12"]).all()
    assert mine.loc["Clinical", "points"].notna().all()
    assert mine.loc["Factors", "points"].notna().all() or not mine.loc["Trees", "points"].any()
    filled = mine.loc["Recoded", "filled"] == "clinical:Karnofsky"
    assert filled.sum() == N_NEW / 5


def test_files_of_other_kinds_and_full_names_agree(study: SmallStudy, tmp_path: Path) -> None:
    table = new_patients(study)
    _, _, out = scored(study, tmp_path, table)
    expected = out.read_text()
    full = {name: f"clinical:{name}" for name in ("Age", "Sex", "IDH")}
    table = table.rename(columns={**full, "KPS": "Karnofsky"})[
        table.columns[::-1].map(lambda name: full.get(name, "Karnofsky" if name == "KPS" else name))
    ]
    for ending, write in (
        ("xlsx", lambda path: table.to_excel(path, index=False)),
        ("parquet", lambda path: table.to_parquet(path, index=False)),
        ("tsv", lambda path: table.to_csv(path, index=False, sep="\t")),
    ):
        path = tmp_path / f"new.{ending}"
        write(path)
        passport = study.out / "passport.zip"
        result = command("score", passport, path, "--out", out, "--id", "ID")
        assert result.exit_code == 0, result.stderr
        pd.testing.assert_frame_equal(
            pd.read_csv(out), pd.read_csv(tmp_path / "scored.csv"), rtol=1e-12
        )
        assert out.read_text().splitlines()[0] == expected.splitlines()[0]


def test_one_by_one_equals_bulk(study: SmallStudy, tmp_path: Path) -> None:
    _, _, out = scored(study, tmp_path, new_patients(study))
    bulk = pd.read_csv(out)
    for row in (0, 7):
        _, _, out = scored(study, tmp_path, new_patients(study).iloc[[row]])
        alone = pd.read_csv(out)
        whole = bulk[bulk["patient"] == alone["patient"].iloc[0]].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, whole, rtol=0, atol=1e-12, check_dtype=False)


def test_in_python_the_same(study: SmallStudy, tmp_path: Path) -> None:
    _, _, out = scored(study, tmp_path, new_patients(study))
    scores = read_passport(study.out).score(new_patients(study).set_index("ID"))
    pd.testing.assert_frame_equal(
        scores.table.mask(scores.table == "", np.nan),
        pd.read_csv(out),
        check_dtype=False,
        rtol=1e-12,
    )
    assert repr(scores).startswith("Scores(20 patients, 4 models, ")


# ---- what is refused ----------------------------------------------------------------------------


def set_value(column: str, row: int, value: object) -> Spoil:
    def spoil(table: pd.DataFrame) -> pd.DataFrame:
        table[column] = table[column].astype(object)
        table.loc[row, column] = value
        return table

    return spoil


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda t: t.rename(columns={"Age": "age_years", "original_glcm_Idmn": "Idmn"}),
            ["missing column: clinical:Age", "missing column: radiomics:original_glcm_Idmn"],
        ),
        (lambda t: t.rename(columns={"Age": "AGE"}), ["renamed? the file has 'AGE'"]),
        (lambda t: t.drop(columns="Sex"), ["missing column: clinical:Sex"]),
        (
            set_value("Sex", 3, "diverse"),
            ["unseen category: clinical:Sex: 1 of 20", "'diverse' (1) (first in row 5)"],
        ),
        (set_value("Age", 2, ""), ["missing value: clinical:Age: in row 4"]),
        (set_value("Age", 2, -99), ["in row 4, of which 1 by a code for unknown"]),
        (set_value("Age", 2, "old"), ["unreadable value: clinical:Age", "'old' in row 4"]),
        (set_value("ID", 2, ""), ["every row must have an id", "first: row 4"]),
        (lambda t: t.assign(ID="A"), ["every patient must have one row, but 20 rows share"]),
    ],
)
def test_what_is_refused_is_named_and_nothing_is_written(
    study: SmallStudy, tmp_path: Path, spoil: Spoil, words: list[str]
) -> None:
    code, said, out = scored(study, tmp_path, spoil(new_patients(study)))
    assert code == 2
    for text in words:
        assert text in said
    assert not out.exists()
    assert "PAT-QX-" not in said  # rows, not ids


def test_all_that_is_wrong_is_told_at_once(study: SmallStudy, tmp_path: Path) -> None:
    table = set_value("Sex", 3, "diverse")(new_patients(study)).drop(columns="IDH")
    table = set_value("original_glcm_Idmn", 1, "high")(table)
    _, said, _ = scored(study, tmp_path, table)
    assert "but 3 differences stand against it" in said
    for text in ("clinical:Sex", "clinical:IDH", "radiomics:original_glcm_Idmn"):
        assert text in said


def differences(study: SmallStudy, table: pd.DataFrame) -> pd.DataFrame:
    passport = read_passport(study.out)
    return passport.differences(passport.read(table.set_index("ID")))


def test_other_units_are_shown_not_converted(study: SmallStudy, tmp_path: Path) -> None:
    table = new_patients(study)
    table["Age"] *= 10
    found = differences(study, table).set_index("column").loc["clinical:Age"]
    assert found["difference"] == "other unit?"
    assert found["severity"] == "caution"
    assert "about 10 times the development median" in found["detail"]
    code, said, out = scored(study, tmp_path, table)
    assert code == 0
    assert "nothing was converted" in said
    assert (pd.read_csv(out).query("model == 'Clinical'")["outside"] == "clinical:Age").all()


def test_a_view_on_another_scale_is_told_as_a_whole(study: SmallStudy, tmp_path: Path) -> None:
    table = new_patients(study)
    features = [name for name in study.tables["radiomics"].columns if name != "ID"]
    assert "radiomics:*" not in set(differences(study, table)["column"])
    table[features] = table[features] * 7 + 30
    found = differences(study, table).set_index("column").loc["radiomics:*"]
    assert (found["severity"], found["difference"]) == ("caution", "another scale")
    assert found["count"] == len(features)
    assert "standard deviations away" in found["detail"]
    code, said, _ = scored(study, tmp_path, table)
    assert code == 0
    assert "another scale" in said


def test_values_outside_the_range_are_counted(study: SmallStudy) -> None:
    table = new_patients(study)
    table["Age"] = 55.0
    table.loc[[2, 5], "Age"] = [130.0, 131.0]
    found = differences(study, table)
    row = found[(found["column"] == "clinical:Age")].iloc[0]
    assert (row["difference"], row["count"]) == ("outside the range", 2)
    assert "first 130 in row 3" in row["detail"]
    extra = found[found["difference"] == "extra columns"].iloc[0]
    assert extra["severity"] == "note"
    assert extra["detail"] == "not looked at: 'Grade'"


def test_a_missing_view_is_allowed_and_its_information_shown(
    study: SmallStudy, tmp_path: Path
) -> None:
    table = new_patients(study)[["ID", "Age", "Sex", "IDH", "KPS"]]
    code, said, out = scored(study, tmp_path, table)
    assert code == 0, said
    assert "missing table" in said
    rows = pd.read_csv(out).query("model == 'Factors'")
    assert (rows["F1_information"] == 0).all()
    assert (rows["F1"] == 0).all()
    assert rows["low_information"].all()
    assert "caution: Factors: 20 of 20 patients carry little information" in said
    code, _, _ = scored(study, tmp_path, new_patients(study).drop(columns="original_glcm_Idmn"))
    assert code == 2  # a part of a view is a mistake


def test_ids_stay_data(study: SmallStudy, tmp_path: Path) -> None:
    table = set_value("ID", 0, "=1+1")(new_patients(study))
    _, _, out = scored(study, tmp_path, table)
    assert out.read_text().splitlines()[1].startswith("'=1+1,Clinical,")


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("scored.txt", "must be a .csv file"),
        ("no/scored.csv", "does not exist"),
        ("new.csv", "read"),
    ],
)
def test_a_wrong_out_is_refused_first(
    study: SmallStudy, tmp_path: Path, out: str, words: str
) -> None:
    new_patients(study).to_csv(tmp_path / "new.csv", index=False)
    result = command("score", study.out, tmp_path / "new.csv", "--out", tmp_path / out)
    assert result.exit_code == 2
    assert words in result.stderr


def test_mistakes_end_with_status_2(study: SmallStudy, tmp_path: Path) -> None:
    out = tmp_path / "scored.csv"
    result = command("score", tmp_path, tmp_path / "new.csv", "--out", out)
    assert result.exit_code == 2
    assert "passport.zip was not found" in result.stderr
    result = command("score", study.out, tmp_path / "new.csv", "--out", out)
    assert result.exit_code == 2
    assert "there is no file 'new.csv'" in result.stderr
    new_patients(study).to_csv(tmp_path / "new.csv", index=False)
    for options in (["--sheet", "A"], ["--separator", ";;"]):
        result = command("score", study.out, tmp_path / "new.csv", "--out", out, *options)
        assert result.exit_code == 2
    assert not out.exists()


def test_the_tables_of_the_study_are_scored_as_they_are(study: SmallStudy, tmp_path: Path) -> None:
    code, said, out = scored(study, tmp_path, new_patients(study))
    assert code == 0, said
    expected = pd.read_csv(out).set_index(["patient", "model"])
    options: list[object] = []
    for name in ("radiomics", "clinical"):  # each in an order of its own
        table = study.tables[name].tail(N_NEW).sample(frac=1, random_state=len(name))
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        options += ["--table", f"{name}={tmp_path / f'{name}.csv'}"]
    result = command("score", study.out, "--out", out, *options)
    assert result.exit_code == 0, result.stderr
    found = pd.read_csv(out).set_index(["patient", "model"])
    pd.testing.assert_frame_equal(found.loc[expected.index], expected, rtol=1e-12)
    # models of factors do without a table of theirs, and it is told
    result = command("score", study.out, "--out", out, *options[2:])
    assert result.exit_code == 0, result.stderr
    assert "missing table" in result.stderr
    assert pd.read_csv(out).query("model == 'Factors'")["low_information"].all()


def test_the_passport_alone_is_enough(study: SmallStudy, tmp_path: Path) -> None:
    shutil.copy(study.out / "passport.zip", tmp_path / "carried.zip")
    passport = read_passport(tmp_path / "carried.zip")
    assert isinstance(passport, Passport)
    with ZipFile(tmp_path / "carried.zip") as file:
        assert not [name for name in file.namelist() if b"PAT-QX-" in file.read(name)]
    with pytest.raises(StudyError, match="must hold what the models need"):
        passport.score(pd.DataFrame({"Age": [50.0]}, index=["A"]))
