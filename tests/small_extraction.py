"""A few phantoms in a folder: images of noise, masks of a core in an oedema, and their manifest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import Result

from tests.small_study import command

pytest.importorskip("SimpleITK", reason="the extra extract is not installed")
pytest.importorskip("radiomics", reason="the extra extract is not installed")

SHAPE = (10, 14, 12)  # z, y, x
SPACING = (1.0, 1.0, 3.0)  # x, y, z in mm
# first order and one texture, without resampling: fast, and enough to see what happens to a case
SETTINGS = """\
imageType: {Original: {}}
featureClass:
  shape: [VoxelVolume, Sphericity]
  firstorder: [Mean, Energy, Entropy]
  glcm: [Contrast]
setting: {binWidth: 25}
"""
FEATURES = (
    "original_shape_Sphericity",
    "original_shape_VoxelVolume",
    "original_firstorder_Energy",
    "original_firstorder_Entropy",
    "original_firstorder_Mean",
    "original_glcm_Contrast",
)


@dataclass
class SmallExtraction:
    """A manifest that a test may spoil before it is written."""

    folder: Path
    manifest: pd.DataFrame
    out: Path
    settings: str = SETTINGS

    @property
    def work(self) -> Path:
        return self.out.with_name(".radiomics.work")

    def write(self) -> Path:
        path = self.folder / "manifest.csv"
        self.manifest.to_csv(path, index=False)
        (self.folder / "settings.yaml").write_text(self.settings, encoding="utf-8")
        return path

    def arguments(self, *options: object) -> list[object]:
        return [
            *("extract", self.write(), "--out", self.out),
            *("--settings", self.folder / "settings.yaml", "--jobs", 1, *options),
        ]

    def run(self, *options: object) -> Result:
        """Write the manifest and `nomomics extract` it, in this process."""
        return command(*self.arguments(*options))

    def table(self) -> pd.DataFrame:
        return pd.read_parquet(self.out)


def small_extraction(
    folder: Path, *, patients: int | Sequence[str] = 3, sequences: Sequence[str] = ("T1c",)
) -> SmallExtraction:
    """Write phantoms of every patient and sequence; labels 1 (core) and 2 (oedema around it)."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(4)
    rows = []
    ids = [f"P{n}" for n in range(1, patients + 1)] if isinstance(patients, int) else patients
    for number, patient in enumerate(ids, start=1):
        mask = np.zeros(SHAPE, dtype=np.uint8)
        mask[2:8, 3:11, 3:10] = 2
        mask[3:6, 4 : 7 + number % 3, 4:8] = 1
        write_image(mask, folder / f"{patient}_mask.nii.gz")
        for sequence in sequences:
            grey = 500 + 60 * rng.normal()
            image = rng.normal(grey, 60, SHAPE).astype(np.float32)
            write_image(image, folder / f"{patient}_{sequence}.nii.gz")
            rows.append(
                {
                    "patient": patient,
                    "sequence": sequence,
                    "image": f"{patient}_{sequence}.nii.gz",
                    "mask": f"{patient}_mask.nii.gz",
                    "label": "1;1+2",
                }
            )
    out = folder / "out" / "radiomics.parquet"
    return SmallExtraction(folder=folder, manifest=pd.DataFrame(rows), out=out)


def write_image(voxels: np.ndarray, path: Path) -> None:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(SPACING)
    sitk.WriteImage(image, str(path))
