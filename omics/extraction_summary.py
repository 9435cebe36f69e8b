"""What became of a manifest: how many cases were measured, why others were not, what differs.

Texture depends on the size of a voxel, and says little of a region of few voxels: both are told
before a model reads the table. Nothing here names a patient or a file.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.case import PLACE
from omics.errors import Finding
from omics.extraction import Extraction
from omics.messages import number_of, some_of
from omics.radiomics_names import REGION_VOLUME

SIDE_RATIO = 1.5  # of the longest to the shortest side of a voxel along one axis, between images
FEW_VOXELS = 64  # as in the examples of pyradiomics (minimumROISize)
SPACING = "diagnostics_Image_Spacing"
VOXELS = "diagnostics_Region_Voxels"
_MM3_PER_ML = 1000
_UID = re.compile(r"\b\d+(?:\.\d+){4,}")
_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?(?:[\w.~-]*[/\\]){2,}[\w.-]*\w")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")


@dataclass(frozen=True, eq=False, kw_only=True)
class ExtractionSummary:
    """What became of a manifest.

    Attributes
    ----------
    reasons : DataFrame, one row per kind of failure, the commonest first
        Columns `reason` (the first one of its kind, without patients and files), `n_cases` and
        `rows` (of the manifest, the first few).
    regions : DataFrame, one row per sequence and region
        Columns `sequence` (empty where there is none), `region`, `n_regions`, and of voxels and
        of volume in ml the lowest, median and highest: `voxels_lowest`, `voxels_median`,
        `voxels_highest`, `ml_lowest`, `ml_median`, `ml_highest`.
    spacings : DataFrame, one row per sequence and voxel spacing, the commonest first
        Columns `sequence`, `spacing` and `n_regions`.
    gaps : DataFrame, one row per feature without a value somewhere
        Columns `feature` and `n_missing` (regions).
    findings : tuple of Finding
        What a reader must know of the table.
    versions : dict of program to version
    n_cases, n_failed, n_patients, n_regions, n_features : int
        `n_failed` cases have a region, or all, that could not be used.
    """

    reasons: pd.DataFrame
    regions: pd.DataFrame
    spacings: pd.DataFrame
    gaps: pd.DataFrame
    findings: tuple[Finding, ...]
    versions: dict[str, str]
    n_cases: int
    n_failed: int
    n_patients: int
    n_regions: int
    n_features: int

    def __repr__(self) -> str:
        return (
            f"ExtractionSummary({number_of(self.n_cases, 'case')}, {self.n_failed} with failures, "
            f"{number_of(len(self.findings), 'finding')})"
        )


def extraction_summary(extraction: Extraction) -> ExtractionSummary:
    """Count cases, failures, regions and spacings.

    Parameters
    ----------
    extraction : Extraction

    Returns
    -------
    ExtractionSummary
    """
    table = extraction.table
    features = extraction.columns["name"].tolist()
    missing = table[features].isna().sum()
    return ExtractionSummary(
        reasons=failure_reasons(extraction.failed),
        regions=_regions(table),
        spacings=_spacings(table),
        gaps=pd.DataFrame({"feature": missing.index, "n_missing": missing.to_numpy()})
        .query("n_missing > 0")
        .reset_index(drop=True),
        findings=tuple(_findings(extraction)),
        versions=json.loads(table["diagnostics_Versions"].iloc[0]) if len(table) else {},
        n_cases=extraction.n_cases,
        n_failed=int(extraction.failed["row"].nunique()),
        n_patients=int(table["patient"].nunique()),
        n_regions=len(table),
        n_features=len(features),
    )


def failure_reasons(failed: pd.DataFrame) -> pd.DataFrame:
    """Count failures of one kind, whatever the numbers in their messages.

    Parameters
    ----------
    failed : DataFrame
        Of an `Extraction`.

    Returns
    -------
    DataFrame
        As `reasons` of `ExtractionSummary`.
    """
    plain = [
        _anonymous(str(row["reason"]), str(row["patient"]), [str(row["image"]), str(row["mask"])])
        for row in failed.to_dict("records")
    ]
    kinds = pd.DataFrame(
        {
            "reason": plain,
            "kind": [_NUMBER.sub("#", text) for text in plain],
            "row": failed["row"].to_numpy(),
        }
    )
    rows = []
    for _, part in kinds.groupby("kind", sort=False):
        numbers = part["row"].unique()
        listed = some_of((str(number) for number in sorted(numbers)), limit=10)
        rows.append([part["reason"].iloc[0], len(numbers), listed])
    found = pd.DataFrame(rows, columns=["reason", "n_cases", "rows"])
    return found.sort_values("n_cases", ascending=False, kind="stable", ignore_index=True)


def _anonymous(reason: str, patient: str, paths: list[str]) -> str:
    """Leave out the names of the case's patient and files, any other path and DICOM's UIDs.

    Examples
    --------
    >>> _anonymous("image /data/P1/t1.nii is cut short (P1).", "P1", ["/data/P1/t1.nii"])
    'image … is cut short (…).'
    >>> _anonymous("first: 1.2.826.0.1.3680043.8.498.7 of 2.", "P1", [])
    'first: … of 2.'
    """
    names = [re.split(r"[/\\]", path)[-1] for path in paths]
    for word in paths:
        reason = _without(reason, word)
    reason = _UID.sub("…", _PATH.sub("…", reason))
    for word in sorted({*names, patient}, key=len, reverse=True):
        reason = _without(reason, word)
    return reason


def _without(text: str, word: str) -> str:
    return re.sub(rf"(?<![\w.]){re.escape(word)}(?!\w|\.\d)", "…", text) if word else text


def _sequence(table: pd.DataFrame) -> "pd.Series[str]":
    return table["sequence"] if "sequence" in table else pd.Series("", table.index, dtype=object)


def _regions(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    keyed = table.assign(sequence=_sequence(table))
    for (sequence, region), part in keyed.groupby(["sequence", "region"], sort=False):
        rows.append(
            [
                sequence,
                region,
                len(part),
                *_span(part[VOXELS]),
                *_span(part[REGION_VOLUME] / _MM3_PER_ML),
            ]
        )
    spans = [
        f"{what}_{end}" for what in ("voxels", "ml") for end in ("lowest", "median", "highest")
    ]
    return pd.DataFrame(rows, columns=["sequence", "region", "n_regions", *spans])


def _span(values: "pd.Series[float]") -> tuple[float, float, float]:
    return float(values.min()), float(values.median()), float(values.max())


def _spacings(table: pd.DataFrame) -> pd.DataFrame:
    keyed = pd.DataFrame({"sequence": _sequence(table), "spacing": table[SPACING]})
    counts = keyed.value_counts(sort=True).rename("n_regions").reset_index()
    return counts.sort_values(["n_regions", "sequence", "spacing"], ascending=[False, True, True])


def _findings(extraction: Extraction) -> Iterator[Finding]:
    table = extraction.table
    n_failed = int(extraction.failed["row"].nunique())
    if n_failed:
        yield Finding(
            code="cases_failed",
            severity="caution" if n_failed * 10 < extraction.n_cases else "serious",
            where="manifest",
            message=f"{n_failed} of {number_of(extraction.n_cases, 'case')} could not be used, or "
            "not wholly. If what kept them out goes with the outcome, the table is biased.",
        )
    yield from label_findings(extraction)
    yield from _region_findings(extraction)
    yield from _spacing_findings(extraction)
    small = table[table[VOXELS] < FEW_VOXELS]
    if len(small):
        yield Finding(
            code="small_regions",
            severity="caution",
            where="regions",
            message=f"{len(small)} of {number_of(len(table), 'region')} have fewer than "
            f"{FEW_VOXELS} voxels as drawn (the smallest {small[VOXELS].min()}): their texture "
            "features are mostly chance.",
        )
    features = extraction.columns["name"]
    empty = int(table[features].isna().all().sum()) if len(table) else 0
    if empty:
        yield Finding(
            code="features_without_values",
            severity="caution",
            where="features",
            message=f"{number_of(empty, 'feature')} of {len(features)} could not be computed in "
            "any region.",
        )


def label_findings(extraction: Extraction) -> Iterator[Finding]:
    """Tell where labels may mean something else than was thought, as `nomomics extract` does."""
    yield from _unlabelled_findings(extraction.unlabelled)
    yield from _union_findings(extraction)


def _unlabelled_findings(met: pd.DataFrame) -> Iterator[Finding]:
    """Tell that one region has several names: 0 and 1 in some masks, 0 and 255 in others."""
    if len(met) < 2:
        return
    each = some_of((f"{row.label} in {row.cases}" for row in met.itertuples()), limit=6)
    yield Finding(
        code="labels_differ",
        severity="serious",
        where="regions",
        message=f"Where label is blank, the masks have different labels ({each}): each became a "
        "region of its own. If they mean the same, name it in the column region of the manifest.",
    )


def _union_findings(extraction: Extraction) -> Iterator[Finding]:
    """Tell which labels of unions some masks lack, and which no mask has: those may be misnumbered.

    A union is made of the labels that are there, since a tumour need not have every part.
    """
    unions = extraction.unions
    never = unions[unions["absent"] == unions["cases"]]
    for label, cases in zip(never["label"], never["cases"], strict=True):
        yield Finding(
            code="label_in_no_mask",
            severity="serious",
            where="regions",
            message=f"Label {label}, part of a union, is in none of {number_of(cases, 'mask')}: do "
            "they number it otherwise? (BraTS calls enhancing tumour 4 until 2021, 3 later.)",
        )
    some = unions[(unions["absent"] > 0) & (unions["absent"] < unions["cases"])]
    if len(some):
        lacking = some_of(
            (f"{row.label} in {row.absent} of {row.cases}" for row in some.itertuples()), limit=6
        )
        yield Finding(
            code="union_incomplete",
            severity="note",
            where="regions",
            message=f"Unions were made of the labels that are there; absent are {lacking}.",
        )


def _region_findings(extraction: Extraction) -> Iterator[Finding]:
    """Tell which regions only some cases have: a label that is blank may be met by several."""
    table = extraction.table
    place = [column for column in PLACE if column in table]
    counts = table.groupby("region", sort=False)[place].size()
    n_cases = len(table[place].drop_duplicates())
    rare = counts[counts < n_cases]
    if len(rare):
        each = some_of(
            (f"{name!r} in {count} of {n_cases}" for name, count in rare.items()), limit=6
        )
        yield Finding(
            code="regions_differ",
            severity="caution",
            where="regions",
            message=f"Not every case has every region: {each}. Each is a gap once the table is "
            "spread over regions; where labels were left blank, state them, or name the regions.",
        )


def _spacing_findings(extraction: Extraction) -> Iterator[Finding]:
    table = extraction.table
    resampled = any(extraction.settings.setting.get("resampledPixelSpacing") or ())
    for sequence, part in table.groupby(_sequence(table), sort=False):
        sides = _sides(part[SPACING].unique())
        ratio = float((sides.max(axis=0) / sides.min(axis=0)).max())
        if ratio < SIDE_RATIO:
            continue
        done = (
            "They were resampled to one spacing, but what is interpolated from coarser voxels "
            "stays smoother."
            if resampled
            else "Texture depends on it: resample (resampledPixelSpacing), or harmonise."
        )
        yield Finding(
            code="spacings_differ",
            severity="note" if resampled else "caution",
            where=str(sequence) or "images",
            message=f"The sides of the voxels differ up to {ratio:.1f} times between images "
            f"({len(sides)} spacings, from {_text(sides.min(axis=0))} to "
            f"{_text(sides.max(axis=0))} mm). {done}",
        )


def _sides(spacings: NDArray[np.object_]) -> NDArray[np.float64]:
    """Read `1 x 1 x 3 mm`, one row per spacing."""
    texts = (str(text).removesuffix(" mm").split(" x ") for text in spacings)
    return np.array([[float(side) for side in sides] for sides in texts])


def _text(sides: NDArray[np.float64]) -> str:
    return " x ".join(f"{side:.3g}" for side in sides)
