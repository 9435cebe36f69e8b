"""An extraction made by hand: blobs for images, drawn numbers for features; no image library."""

import json

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.extraction import Extraction
from omics.extraction_settings import ExtractionSettings, read_settings
from omics.preview import Preview
from omics.radiomics import feature_table

FEATURES = (
    "original_shape_MeshVolume",
    "original_shape_Sphericity",
    "original_firstorder_Energy",
    "original_firstorder_Entropy",
    "original_firstorder_Skewness",
    "original_glcm_Contrast",
    "original_glcm_Idmn",
    "original_glszm_ZoneEntropy",
    "original_ngtdm_Busyness",
    "wavelet-LLH_glrlm_RunEntropy",
)
WHERE = "/data/hospital"
VERSIONS = {"nomomics": "0.1.0", "pyradiomics-cuda": "1.0.4", "SimpleITK": "2.5.7"}


def made_preview(seed: int, *, regions: tuple[str, ...] = ("core", "edema")) -> Preview:
    """Draw a head with a lesion of rings, one region inside the other."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:176j, -1:1:144j]
    tissue = 110 + 60 * np.sin(7 * x + seed) * np.cos(5 * y) + 12 * rng.normal(size=x.shape)
    grey: NDArray[np.float64] = np.where(x**2 / 0.8 + y**2 / 0.9 < 1, tissue, 6)
    centre = 0.35 * rng.uniform(-1, 1, 2)
    far = np.hypot(x - centre[0], 0.8 * (y - centre[1])) + 0.03 * np.sin(9 * np.arctan2(y, x))
    mask = np.zeros(x.shape, dtype=np.uint8)
    for number in range(len(regions), 0, -1):
        mask[far < 0.16 * number] = number
    grey[mask > 0] += 40
    return Preview(
        grey=np.clip(grey, 0, 255).astype(np.uint8), mask=mask, regions=regions, slice=60 + seed
    )


def made_extraction(
    n_cases: int = 30,
    *,
    n_failed: int = 3,
    sequences: tuple[str, ...] = (),
    readers: tuple[str, ...] = (),
    regions: tuple[str, ...] = ("core", "edema"),
    spacings: tuple[str, ...] = ("1 x 1 x 3 mm", "0.5 x 0.5 x 3 mm"),
    features: tuple[str, ...] = FEATURES,
    settings: ExtractionSettings | None = None,
) -> Extraction:
    """Measure `n_cases - n_failed` patients in every sequence, region and reader."""
    settings = settings or read_settings("mri")
    rng = np.random.default_rng(7)
    n = n_cases - n_failed
    volume = np.exp(rng.normal(9, 1, n))
    rows = []
    for sequence in sequences or ("",):
        for region in regions:
            for reader in readers or ("",):
                values = rng.normal(size=(n, len(features)))
                values[:, [j for j, f in enumerate(features) if "Energy" in f]] += np.log(
                    volume[:, np.newaxis]
                )
                part = pd.DataFrame(values, columns=list(features))
                if features[0] == "original_shape_MeshVolume":
                    part[features[0]] = volume
                voxels = (volume / 3).round().astype(int)
                origin = pd.DataFrame(
                    {
                        "patient": [f"SECRET-{i:03d}" for i in range(n)],
                        **({"reader": reader} if readers else {}),
                        **({"sequence": sequence} if sequences else {}),
                        "region": region,
                        "diagnostics_Configuration_Hash": settings.digest,
                        "diagnostics_Configuration_Settings": settings.text,
                        "diagnostics_Versions": json.dumps(VERSIONS),
                        "diagnostics_Image_Spacing": [
                            spacings[i % len(spacings)] for i in range(n)
                        ],
                        "diagnostics_Region_Voxels": voxels,
                        "diagnostics_Region_Volume": 3.0 * voxels,
                    }
                )
                rows.append(pd.concat([origin, part], axis=1))
    return Extraction(
        table=pd.concat(rows, ignore_index=True),
        columns=feature_table(features)[["name", "image_type", "feature_class", "feature"]].assign(
            ibsi=None
        ),
        failed=made_failures(n, n_cases),
        settings=settings,
        n_cases=n_cases,
        previews={row: made_preview(row, regions=regions) for row in range(1, n + 1)},
    )


def made_failures(first: int, last: int) -> pd.DataFrame:
    """Fail the cases from row `first + 1` to row `last`, the last one for a reason of its own."""
    reasons = [
        f"mask must lie on the grid of its image, but the image has spacing {0.9 + i / 10:.1f} mm."
        for i in range(first, last)
    ]
    if reasons:
        reasons[-1] = (
            f"image {WHERE}/SECRET-{last - 1:03d}/t1.nii.gz cannot be read: it is cut short."
        )
    rows = [
        [row, f"SECRET-{row - 1:03d}", "", "", "", f"{WHERE}/SECRET-{row - 1:03d}/t1.nii.gz"]
        for row in range(first + 1, last + 1)
    ]
    failed = pd.DataFrame(
        rows, columns=["row", "patient", "timepoint", "reader", "sequence", "image"]
    )
    return failed.assign(mask=f"{WHERE}/mask.nii.gz", region="", reason=reasons)
