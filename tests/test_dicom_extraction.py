"""One scan by three roads (NIfTI, segmentation, structure set): the same table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from omics.extraction import extract
from omics.extraction_settings import read_settings
from omics.manifest import read_manifest
from tests.made_images import in_mm, noise, oblique, sitk, volume, write_series, write_structures
from tests.test_dicom_masks import write_segments

pytest.importorskip("radiomics", reason="the extra extract is not installed")
SETTINGS = """
imageType: {Original: {}}
featureClass: {shape: [], firstorder: [], glcm: []}
setting: {binWidth: 25}
"""


def test_the_road_has_no_say(tmp_path: Path) -> None:
    scan = volume(noise(), direction=oblique())
    box = np.zeros((8, 12, 14, 3), np.uint8)
    box[2:6, 4:9, 3:7, 0] = 1
    corners = np.array([[2.5, 3.5], [6.5, 3.5], [6.5, 8.5], [2.5, 8.5]])
    write_segments(tmp_path / "seg.dcm", write_series(tmp_path / "scan", scan), box)
    write_structures(tmp_path / "rt.dcm", {"core": [in_mm(scan, corners, k) for k in range(2, 6)]})
    sitk.WriteImage(scan, str(tmp_path / "scan.nrrd"))
    mask = volume(box[..., 0], direction=oblique())
    sitk.WriteImage(mask, str(tmp_path / "mask.nii.gz"))
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    (tmp_path / "manifest.csv").write_text(
        "patient,reader,image,mask,label\n"
        "7,A,scan.nrrd,mask.nii.gz,1\n"
        "7,B,scan,seg.dcm,core\n"
        "7,C,scan,rt.dcm,core\n"
    )
    found = extract(
        read_manifest(tmp_path / "manifest.csv"), read_settings(tmp_path / "settings.yaml")
    )
    assert found.failed.empty
    assert found.table["region"].tolist() == ["1", "core", "core"]
    values = found.table[found.columns["name"].tolist()].astype(np.float64)
    assert values.shape[1] > 50
    np.testing.assert_allclose(values["original_shape_VoxelVolume"], 80 * 0.8 * 1.2 * 3, rtol=1e-6)
    # text of DICOM keeps eight decimals of a place
    pd.testing.assert_frame_equal(
        values.iloc[[1, 2]], values.iloc[[0, 0]].set_axis([1, 2]), rtol=1e-6
    )
