"""A passport holds the models whole and no patient; what was changed or is foreign is refused."""

import json
import os
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.logistic import LogisticModel
from models.passport import Passport, read_passport, write_passport
from models.passport_file import ARRAYS, DOCUMENT, README, pack, unpack
from models.passport_making import make_passport
from models.pipeline import RiskPipeline, risk_pipeline
from models.plain import Writer, read_plain
from models.signature import Signature
from models.validation import Plan, Validation, validate
from omics.cohort import Cohort
from omics.errors import StudyError
from omics.mofa import FactorModel
from tests.made_cohorts import made_cohort

PLAN = Plan(folds=2, repeats=1, bootstrap=0)
PREFIX = "P0"  # of every made-up id


def factors() -> FactorModel:
    return FactorModel(views=["mri", "rna"], n_factors=2)


def regressions(model: Any) -> dict[str, RiskPipeline]:
    splines = {"clinical:Age": 3}
    return {
        "Plain": risk_pipeline(["clinical:*"], model(), splines=splines),
        "Few": risk_pipeline(["mri:f1", "clinical:Age"], model(ridge=2.0), missing="median"),
        "Factors": risk_pipeline(["clinical:Grade", "factors:*"], model(), factors=factors()),
        "Chained": risk_pipeline(["clinical:*", "mri:f0", "rna:f1"], model(), missing="chained"),
        "Drawn": risk_pipeline(["clinical:*", "mri:f0", "rna:f1"], model(), missing="multiple"),
        "Marked": risk_pipeline(["mri:f0", "clinical:Grade"], model(), missing="indicator"),
        "Radscore": risk_pipeline(
            ["signature:Radscore", "clinical:Age"],
            model(),
            signatures=[Signature(["mri:*", "rna:*"], rule="min", folds=5)],
        ),
        "Trees": risk_pipeline(
            ["rna:*", "clinical:Grade"], BoostedModel(n_rounds=8), missing="keep"
        ),
        "Trees of factors": risk_pipeline(
            ["factors:*"], BoostedModel(n_rounds=5), factors=factors(), missing="keep"
        ),
    }


def made(kind: str) -> tuple[Cohort, Validation, Passport]:
    cohort = made_cohort(130, kind=kind, external=30, missing=0.02)
    pipelines = regressions(CoxModel if kind == "survival" else LogisticModel)
    validation = validate(pipelines, cohort, plan=PLAN)
    passport = make_passport(cohort, validation, title="Made up <&>", synthetic=True)
    return cohort, validation, passport


@pytest.fixture(scope="module", params=["survival", "binary"])
def pair(request: pytest.FixtureRequest) -> tuple[Cohort, Validation, Passport]:
    return made(request.param)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("passport") / "passport.zip"
    write_passport(made("survival")[2], path)
    return path


def rewritten(path: Path, new: Path, changes: dict[str, bytes]) -> Path:
    """Copy the zip with other content under some names."""
    with ZipFile(path) as old, ZipFile(new, "w") as file:
        for name in {**dict.fromkeys(old.namelist()), **changes}:
            file.writestr(name, changes[name] if name in changes else old.read(name))
    return new


# ---- round trip ---------------------------------------------------------------------------------


def test_reloaded_pipelines_give_the_same_risks(
    pair: tuple[Cohort, Validation, Passport], tmp_path: Path
) -> None:
    cohort, validation, passport = pair
    write_passport(passport, tmp_path / "passport.zip")
    again = read_passport(tmp_path)
    assert list(again.models) == list(passport.models)
    new = made_cohort(40, seed=9, missing=0.02).X
    for name, frozen in again.models.items():
        X = new.dropna(subset=[c for c in new if c.startswith("clinical")])
        for horizon in cohort.outcome.horizons or (None,):
            theirs = validation.fitted[name].pipeline.risk(X, horizon=horizon)
            mine = frozen.pipeline.risk(X[list(frozen.columns)], horizon=horizon)
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-12)
            assert np.ptp(mine) > 0.01
        np.testing.assert_array_equal(frozen.cut_points, validation.fitted[name].cut_points)
    assert repr(again.columns) == repr(passport.columns)
    assert again.tables == passport.tables
    assert again.outcome == passport.outcome
    pd.testing.assert_frame_equal(again.figures, passport.figures, check_dtype=False)


def test_who_lacks_a_predictor_of_complete_cases_is_named_not_scored() -> None:
    cohort = made_cohort(130, external=30, missing=0.05)
    pipelines = {
        "Complete": risk_pipeline(["clinical:Age", "mri:*"], CoxModel(), missing="complete_case")
    }
    validation = validate(pipelines, cohort, plan=PLAN)
    passport = make_passport(cohort, validation, title="Made up", synthetic=True)
    X = cohort.external["elsewhere"].X
    table = passport.score(X).table.set_index("patient").loc[X.index]
    known = validation.fitted["Complete"].pipeline.complete(X)
    assert 0 < known.sum() < len(X)
    expected = validation.external["elsewhere"]["Complete"]
    np.testing.assert_allclose(
        table["linear_predictor"], expected.linear_predictor, rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(table["risk_12"], expected.risk[:, 1], rtol=0, atol=1e-12)
    assert (table.loc[known, "not_predicted"] == "").all()
    lacking = X[[c for c in X if c.startswith("mri:")]].isna()
    first = table.index[~known][0]
    assert table.loc[first, "not_predicted"] == "; ".join(lacking.columns[lacking.loc[first]])
    assert table.loc[~known, ["risk_12_lower", "risk_12_upper", "group"]].isna().all(axis=None)
    assert table.loc[known, ["risk_12_lower", "risk_12_upper", "group"]].notna().all(axis=None)


def test_one_by_one_equals_bulk_in_any_order_of_columns(
    pair: tuple[Cohort, Validation, Passport],
) -> None:
    cohort, _, passport = pair
    X = cohort.external["elsewhere"].X
    X = X.astype({"clinical:Grade": object})
    whole = passport.score(X).table
    alone = pd.concat([passport.score(X.iloc[[row]]).table for row in range(8)])
    alone = alone.sort_values(["model", "patient"], ignore_index=True)
    first = whole[whole["patient"].isin(X.index[:8])]
    first = first.sort_values(["model", "patient"], ignore_index=True)
    pd.testing.assert_frame_equal(alone, first, rtol=0, atol=1e-12, check_dtype=False)
    turned = passport.score(X[X.columns[::-1]]).table
    pd.testing.assert_frame_equal(turned, whole)


def test_scores_are_those_of_the_study(pair: tuple[Cohort, Validation, Passport]) -> None:
    cohort, validation, passport = pair
    X = cohort.external["elsewhere"].X.copy()
    X.loc[X.index[3], "mri:f1"] = np.nan
    table = passport.score(X.astype({"clinical:Grade": object})).table
    for name, fitted in validation.fitted.items():
        rows = table[table["model"] == name].set_index("patient").loc[X.index]
        np.testing.assert_allclose(
            rows["linear_predictor"].to_numpy(float),
            fitted.pipeline.linear_predictor(X),
            rtol=0,
            atol=1e-12,
        )
        risk = [column for column in table if column.startswith("risk") and column[-1] not in "r"]
        assert len(risk) == max(len(cohort.outcome.horizons), 1)
        for column in risk:
            between = rows[f"{column}_lower"].to_numpy(), rows[f"{column}_upper"].to_numpy()
            if "Trees" in name:
                assert np.isnan(between).all()
                assert rows["interval"].str.startswith("none: boosted trees").all()
            else:
                assert (between[0] < rows[column]).all()
                assert (rows[column] < between[1]).all()
    held = table[table["model"] == "Factors"].set_index("patient").loc[X.index]
    model = validation.fitted["Factors"].pipeline.factor_model
    assert model is not None
    np.testing.assert_allclose(held["F1"], model.transform(X)["factors:F1"])
    np.testing.assert_allclose(held["F2_information"], model.information(X)["factors:F2"])
    filled = table.set_index(["model", "patient"])["filled"]
    gaps = X["mri:f1"].isna()
    assert gaps.any()
    assert (filled["Few"].loc[gaps.index[gaps]] == "mri:f1").all()
    assert (filled["Few"].loc[gaps.index[~gaps]] == "").all()


# ---- what it holds ------------------------------------------------------------------------------


def test_no_patient_stands_in_it(written: Path) -> None:
    with ZipFile(written) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    assert set(parts) == {README, DOCUMENT, ARRAYS}
    ids = list(made_cohort(130, external=30).X.index)
    assert ids[5].startswith(PREFIX)
    for content in (*parts.values(), written.read_bytes()):
        assert not [identifier for identifier in ids if identifier.encode() in content]
    n = read_passport(written).n_patients
    _, arrays, _ = unpack(written)
    document = json.loads(parts[DOCUMENT])
    assert "unseen_margin_" not in parts[DOCUMENT].decode()
    assert not [name for name, array in arrays.items() if n in array.shape]
    assert document["development"]["n_patients"] == n == 100


def test_the_text_gives_the_formula(written: Path) -> None:
    passport = read_passport(written)
    _, _, text = unpack(written)
    model = passport.models["Few"].pipeline.model
    assert isinstance(model, CoxModel)
    assert "PASSPORT OF THE MODELS OF: Made up <&>" in text
    assert "MADE-UP DATA" in text
    assert "clinical:Grade: category, 2 (reference), 3, 4; must not be missing" in text
    part = text.partition("MODEL: Few")[2].partition("MODEL:")[0]
    found = {}
    for line in part.splitlines():
        coefficient, times, name = line.strip().partition(" x [")
        if times:
            found[name.rstrip("]")] = float(coefficient)
    constant = float(part.partition("LP = ")[2].split()[0])
    hazard = float(part.partition("H0(12 months) = ")[2].split()[0])
    X = pd.DataFrame({"clinical:Age": [61.0], "mri:f1": [0.3]})
    by_hand = constant + 61.0 * found["clinical:Age"] + 0.3 * found["mri:f1"]
    risk = passport.models["Few"].pipeline.risk(X, horizon=12.0)
    np.testing.assert_allclose(1 - np.exp(-hazard * np.exp(by_hand)), risk, rtol=1e-7)


def test_the_same_passport_has_the_same_bytes(tmp_path: Path, written: Path) -> None:
    write_passport(read_passport(written), tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == written.read_bytes()


def test_a_foreign_object_is_refused_when_written() -> None:
    class Own(CoxModel):
        pass

    for value in (Own(), object(), {"a": {1, 2}}, np.array(["a"]), lambda x: x):
        with pytest.raises(ValueError, match="model"):
            Writer().write(value, "model")
    with pytest.raises(ValueError, match="row labels"):
        Writer().write(pd.DataFrame({"a": [1.0]}, index=["P1"]), "model")


@pytest.mark.parametrize(
    "value",
    [
        {"type": "estimator", "class": "Popen", "parameters": {}, "state": {}},
        {"type": "record", "class": "Path", "fields": {}},
        {"type": "code", "text": "print(1)"},
        {"type": "estimator", "class": "CoxModel", "parameters": {}, "state": {"risk": 1}},
    ],
)
def test_only_known_classes_are_built(value: dict[str, Any]) -> None:
    with pytest.raises((KeyError, ValueError)):
        read_plain(value, {})


# ---- what is refused ----------------------------------------------------------------------------


def document_of(path: Path) -> dict[str, Any]:
    with ZipFile(path) as file:
        return json.loads(file.read(DOCUMENT))


def test_an_edited_number_is_named(written: Path, tmp_path: Path) -> None:
    document = document_of(written)
    document["models"]["Few"]["cut_points"]["values"][0] += 0.1
    new = rewritten(written, tmp_path / "p.zip", {DOCUMENT: json.dumps(document).encode()})
    with pytest.raises(StudyError, match=r"passport\.json was changed afterwards \(edited by hand"):
        read_passport(new)


def test_another_layout_of_the_same_words_is_no_edit(written: Path, tmp_path: Path) -> None:
    document = json.dumps(document_of(written), indent=7).encode()
    again = read_passport(rewritten(written, tmp_path / "p.zip", {DOCUMENT: document}))
    assert again.n_patients == 100


@pytest.mark.parametrize("name", [ARRAYS, README])
def test_edited_members_are_named(written: Path, tmp_path: Path, name: str) -> None:
    with ZipFile(written) as file:
        content = file.read(name)
    new = rewritten(written, tmp_path / "p.zip", {name: content.replace(b"1", b"2", 1)})
    with pytest.raises(StudyError, match=f"{name} was changed afterwards"):
        read_passport(new)


def test_another_version_is_refused_with_the_cure(written: Path, tmp_path: Path) -> None:
    document = {**document_of(written), "version": 1}
    new = rewritten(written, tmp_path / "p.zip", {DOCUMENT: json.dumps(document).encode()})
    with pytest.raises(StudyError, match=r"version 4, but is of version 1\. Run the study again"):
        read_passport(new)


def test_damaged_foreign_and_absent_files(written: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.zip"
    cut.write_bytes(written.read_bytes()[:-400])
    with pytest.raises(StudyError, match="cut off or damaged"):
        read_passport(cut)
    middle = bytearray(written.read_bytes())
    middle[len(middle) // 2] ^= 255
    cut.write_bytes(bytes(middle))
    with pytest.raises(StudyError, match=r"damaged|changed"):
        read_passport(cut)
    with ZipFile(tmp_path / "foreign.zip", "w") as file:
        file.writestr("hello.txt", "hello")
    with pytest.raises(StudyError, match="no passport of nomomics"):
        read_passport(tmp_path / "foreign.zip")
    with pytest.raises(StudyError, match=r"was not found\. Give the folder of a run"):
        read_passport(tmp_path / "nowhere.zip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError, match="was not found"):
        read_passport(tmp_path / "empty")


def test_odd_members_are_not_looked_at(written: Path, tmp_path: Path) -> None:
    odd = {"../../evil.py": b"raise SystemExit", "/etc/x": b"x", "a.pkl": b"cos\nsystem\n"}
    before = sorted(os.listdir(tmp_path))
    read_passport(rewritten(written, tmp_path / "p.zip", odd))
    assert sorted(os.listdir(tmp_path)) == sorted([*before, "p.zip"])


def test_a_bomb_is_refused(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.passport_file.LARGEST", 1 << 22)
    bomb = BytesIO()
    np.savez_compressed(bomb, array_0=np.zeros(1 << 20))
    new = rewritten(written, tmp_path / "p.zip", {README: b"0" * (1 << 23)})
    with pytest.raises(StudyError, match=r"README\.txt must unpack to at most 4 MB, but says 8 MB"):
        read_passport(new)
    document = {key: v for key, v in document_of(written).items() if key != "sha256"}
    content = pack(document, {"array_0": np.zeros(4)}, readme="x")
    (tmp_path / "q.zip").write_bytes(content)
    with pytest.raises(StudyError, match="must hold what a passport holds"):
        read_passport(tmp_path / "q.zip")


def test_an_array_that_claims_more_than_it_holds(tmp_path: Path, written: Path) -> None:
    from models.passport_file import _arrays

    liar = BytesIO()
    np.save(liar, np.zeros(3))
    content = liar.getvalue().replace(b"(3,), }", b"(9999999999,), }")
    packed = BytesIO()
    with ZipFile(packed, "w") as file:
        file.writestr("array_0.npy", content)
    with pytest.raises(StudyError, match="larger than the file says"):
        _arrays(packed.getvalue(), written)
    objects = BytesIO()
    np.savez(objects, a=np.array([{}], dtype=object))
    with pytest.raises(StudyError, match="cannot be read"):
        _arrays(objects.getvalue(), written)
