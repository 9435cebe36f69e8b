"""Masks of habitats and lesions: from a manifest to the table, for patients old and new."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omics.errors import CaseError, StudyError
from omics.habitats import Habitats
from omics.image_steps import ImageSteps
from omics.manifest import read_manifest
from omics.region_masks import manifest_scans, write_habitats, write_lesions
from omics.tables import TableSpec, read_table
from reports.study import load_cohort
from reports.study_file import read_study
from tests.small_extraction import SHAPE, SmallExtraction, small_extraction, write_image
from tests.small_study import command, small_study
from tests.test_readme import block

sitk = pytest.importorskip("SimpleITK", reason="the extra extract is not installed")

STEPS = ImageSteps(z_score="brain")


def hospital(folder: Path, patients: list[str], *, name: str) -> SmallExtraction:
    """Two sequences of each patient, one mask of one region, and a brain mask."""
    found = small_extraction(folder, patients=patients, sequences=("T1c", "FLAIR"))
    brain = np.ones(SHAPE, dtype=np.uint8)
    brain[:, 0] = 0
    write_image(brain, folder / "brain.nii.gz")
    for patient in patients:
        write_image(brain, folder / f"{patient}_brain.nii.gz")
    found.manifest["label"] = "1+2"
    found.manifest["brain_mask"] = [f"{p}_brain.nii.gz" for p in found.manifest["patient"]]
    found.manifest["centre"] = name
    found.manifest.to_csv(folder / f"{name}.csv", index=False)
    return found


def array(path: str | Path) -> Any:
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path)))


def test_the_way_of_the_readme_ends_in_a_table_of_habitats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = small_study(tmp_path / "study").tables["radiomics"]["ID"].tolist()[:8]
    hospital(tmp_path, ids[:6], name="development")
    phantoms = hospital(tmp_path, ids[6:], name="elsewhere")
    monkeypatch.chdir(tmp_path)
    scope: dict[str, Any] = {}
    exec(compile(block("python", "write_habitats"), "README", "exec"), scope)

    by_hand = Habitats(3, seed=1).fit(
        manifest_scans(read_manifest(tmp_path / "development.csv"), steps=STEPS)
    )
    assert by_hand.sequences_ == ("T1c", "FLAIR")
    assert by_hand.plain() == Habitats.load(tmp_path / "habitats.json").plain()
    for folder, patients in (("habitats", ids[:6]), ("elsewhere", ids[6:])):
        manifest = tmp_path / folder / "habitats.csv"
        cases = read_manifest(manifest)
        assert [case.patient for case in cases] == [p for p in patients for _ in range(2)]
        assert {case.regions for case in cases} == {("habitat 1", "habitat 2", "habitat 3")}
        for case in cases:
            drawn = array(tmp_path / f"{case.patient}_mask.nii.gz") > 0
            np.testing.assert_array_equal(array(case.mask) > 0, drawn)
        out = tmp_path / f"{folder}_radiomics.parquet"
        (tmp_path / "settings.yaml").write_text(phantoms.settings)
        arguments = ["--out", out, "--settings", tmp_path / "settings.yaml", "--jobs", 1]
        result = command("extract", manifest, *arguments)
        assert result.exit_code == 0, result.stderr
        table = pd.read_parquet(out)
        assert len(table) == len(patients) * 2 * 3
        # voxels of each habitat: as labelled, and as the frozen habitats say of the scans
        sizes = by_hand.sizes(
            manifest_scans(read_manifest(tmp_path / f"{_source(folder)}.csv"), steps=STEPS)
        )
        ours = table[table["sequence"] == "T1c"].set_index(["patient", "region"])
        for row in sizes.table.itertuples():
            voxels = ours.loc[(row.patient, f"habitat {row.habitat}"), "diagnostics_Region_Voxels"]
            assert voxels == row.voxels


def _source(folder: str) -> str:
    return "development" if folder == "habitats" else folder


def test_a_study_takes_the_table_of_habitats(tmp_path: Path) -> None:
    study = small_study(tmp_path)
    study.tables = {name: table.iloc[:20] for name, table in study.tables.items()}
    ids = study.tables.pop("radiomics")["ID"].tolist()
    hospital(tmp_path, ids, name="development")
    cases = read_manifest(tmp_path / "development.csv")
    model = Habitats(2, seed=0, n_starts=1, voxels_per_patient=200)
    model.fit(manifest_scans(cases, steps=STEPS))
    written = write_habitats(model, cases, tmp_path / "habitats", steps=STEPS)
    assert repr(written) == "RegionMasks(20 masks of 40 cases)"
    (tmp_path / "settings.yaml").write_text("featureClass: {firstorder: [Mean]}\n")
    out, yaml = tmp_path / "habitats.parquet", tmp_path / "settings.yaml"
    done = command("extract", written.manifest, "--out", out, "--settings", yaml, "--jobs", 1)
    assert done.exit_code == 0, done.stderr
    study.content["tables"]["radiomics"] = {
        "path": "habitats.parquet",
        "kind": "radiomics",
        "id": "patient",
        "spread": ["sequence", "region"],
        "drop": ["centre"],
    }
    feature = "radiomics:T1c|habitat 1|original_firstorder_Mean"
    study.content["models"] = [{"name": "R", "kind": "cox", "predictors": [feature]}]
    cohort = load_cohort(read_study(study.write()))
    assert cohort.X[feature].notna().all()
    low, high = (cohort.X[f"radiomics:T1c|habitat {k}|original_firstorder_Mean"] for k in (1, 2))
    assert (low < high).all()  # habitats are numbered by the first sequence


def test_lesions_get_labels_of_their_own(tmp_path: Path) -> None:
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[2:4, 2:4, 2:4], mask[6:9, 8:12, 6:10], mask[9, 1, 1] = 2, 1, 1
    for patient in ("P1", "P2"):
        write_image(mask * (patient == "P1"), tmp_path / f"{patient}_mask.nii.gz")
        for sequence in ("T1c", "FLAIR"):
            grey = np.random.default_rng(1).normal(size=SHAPE)
            write_image(grey, tmp_path / f"{patient}_{sequence}.nii.gz")
    rows = [
        f"{p},pre,{s},{p}_{s}.nii.gz,{p}_mask.nii.gz,1+2"
        for p in ("P1", "P2")
        for s in ("T1c", "FLAIR")
    ]
    manifest = tmp_path / "cases.csv"
    manifest.write_text("\n".join(["patient,timepoint,sequence,image,mask,label", *rows]))
    found = write_lesions(read_manifest(manifest), tmp_path / "new", smallest=4)
    assert repr(found) == "RegionMasks(1 mask of 2 cases, 1 failed)"
    assert found.failed.iloc[0].tolist()[:3] == ["P2", "pre", ""]
    assert "the mask is empty" in found.failed["reason"].iloc[0]
    cases = read_manifest(found.manifest)
    assert [case.sequence for case in cases] == ["T1c", "FLAIR"]
    assert cases[0].regions == ("lesion 1", "lesion 2")
    labels = array(cases[0].mask)
    np.testing.assert_array_equal(labels[6:9, 8:12, 6:10], 1)
    assert [(labels == k).sum() for k in (1, 2, 3)] == [48, 8, 0]  # one voxel has 3 mm³

    out, yaml = tmp_path / "radiomics.parquet", tmp_path / "settings.yaml"
    yaml.write_text("featureClass: {shape: [VoxelVolume], firstorder: [Mean]}\n")
    done = command("extract", found.manifest, "--out", out, "--settings", yaml, "--jobs", 1)
    assert done.exit_code == 0, done.stderr
    volume = "original_shape_VoxelVolume"
    spec = TableSpec(
        path=out,
        kind="radiomics",
        id="patient",
        only={"sequence": ["T1c"]},
        drop=["region", "timepoint"],
        reduce={"weighted": volume, "total": [volume], "count": "lesions"},
    )
    patient = read_table(spec, name="radiomics").table.loc["P1"]
    assert patient[f"total|{volume}"] == 56 * 3
    assert patient["lesions"] == 2
    grey = array(tmp_path / "P1_T1c.nii.gz")
    wanted = (48 * grey[labels == 1].mean() + 8 * grey[labels == 2].mean()) / 56
    np.testing.assert_allclose(patient["original_firstorder_Mean"], wanted, rtol=1e-6)


def test_what_cannot_become_habitats_is_told(tmp_path: Path) -> None:
    phantoms = hospital(tmp_path, ["P1", "P2"], name="development")

    def cases(**changed: Any) -> Any:
        phantoms.manifest.assign(**changed).to_csv(tmp_path / "other.csv", index=False)
        return read_manifest(tmp_path / "other.csv")

    with pytest.raises(StudyError, match=r"row 1 .* asks for '1', '1\+2'. Choose one"):
        list(manifest_scans(cases(label="1;1+2")))
    with pytest.raises(StudyError, match="one mask and region in common, but rows 1, 2"):
        list(manifest_scans(cases(label=["1", "1+2", "1", "1"])))
    with pytest.raises(StudyError, match="there is none"):
        list(manifest_scans([]))
    one = cases()
    with pytest.raises(StudyError, match="names of their own, but rows 1, 2"):
        list(manifest_scans(replace(case, sequence="") for case in one))
    with pytest.raises(CaseError, match="row 1 of the manifest: label must stand in the mask"):
        list(manifest_scans(cases(label="9")))
    model = Habitats(2, n_starts=1).fit(manifest_scans(one))
    with pytest.raises(StudyError, match=re.escape("folder must be new or empty, but")):
        write_habitats(model, one, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match="cannot be made: File exists"):
        write_habitats(model, one, tmp_path / "file")
    with pytest.raises(StudyError, match="no mask could be used of 2"):
        write_habitats(model, cases(label="9"), tmp_path / "none")
