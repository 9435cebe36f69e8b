"""What was extracted from how many images, by which settings, and what failed. No statistic."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from models.volume_surrogates import (
    VolumeSurrogates,
    extraction_surrogates,
    surrogate_findings,
)
from omics.extraction import Extraction
from omics.extraction_repeats import extraction_reliability
from omics.extraction_settings import ExtractionSettings
from omics.extraction_summary import ExtractionSummary, extraction_summary
from omics.image_steps import ImageSteps
from omics.messages import number_of
from omics.reliability import Reliability
from reports.blocks import Block, Findings, Page, Section, Table, Text
from reports.overlays import overlays
from reports.perturb_flags import perturbing_words
from reports.repeatability_sections import reliability_blocks
from reports.tables import DASH, TableRows, table_rows
from reports.volume_section import volume_blocks

MOST_ROWS = 20
SETTINGS = {
    "binWidth": "Bin width",
    "binCount": "Bins",
    "normalize": "Normalised",
    "normalizeScale": "Scale of the normalisation",
    "removeOutliers": "Outliers cut at (standard deviations)",
    "resampledPixelSpacing": "Resampled to (mm; 0 leaves an axis as it is)",
    "interpolator": "Interpolation",
    "force2D": "Slice by slice",
    "force2Ddimension": "Axis of the slices",
    "label": "Label",
    "distances": "Distances of neighbours (voxels)",
    "symmetricalGLCM": "Symmetrical GLCM",
    "voxelArrayShift": "Added to grey levels (energy, RMS)",
    "padDistance": "Margin kept around the region (voxels)",
    "resegmentRange": "Voxels kept by grey level",
    "minimumROIDimensions": "Dimensions a region must have",
    "minimumROISize": "Voxels a region must have",
    "preCrop": "Cropped before filtering",
    "correctMask": "Mask laid on the image's grid",
    "geometryTolerance": "Tolerance of the geometry",
    "weightingNorm": "Weights of neighbours",
    "gldm_a": "GLDM cut-off",
    "sigma": "sigma (mm)",
}
"""Settings of pyradiomics in words; others go by their own name."""


def extraction_page(extraction: Extraction) -> Page:
    """Arrange an extraction as one page."""
    summary = extraction_summary(extraction)
    surrogates = extraction_surrogates(extraction)
    findings = (*summary.findings, *surrogate_findings(surrogates))
    sections = [
        Section(
            id="findings",
            title="Findings",
            blocks=[Findings(findings=findings)],
        ),
        Section(
            id="extraction",
            title="Extraction",
            blocks=[*count_blocks(summary), *failure_blocks(summary)],
        ),
        Section(id="overlays", title="Overlays", blocks=overlay_blocks(extraction)),
        *repeatability_sections(extraction),
        *volume_sections(surrogates),
        Section(
            id="settings",
            title="Settings",
            blocks=[settings_block(extraction.settings), versions_block(summary.versions)],
        ),
    ]
    return Page(
        title="Radiomics extraction",
        subtitle=_subtitle(summary),
        sections=sections,
        facts=[
            ("Cases", f"{summary.n_cases:,}"),
            ("With failures", f"{summary.n_failed:,}"),
            ("Patients measured", f"{summary.n_patients:,}"),
            ("Regions measured", f"{summary.n_regions:,}"),
            ("Features", f"{summary.n_features:,}"),
        ],
        footer=f"{_made_by(summary.versions)}Settings {extraction.settings.digest}. The page names "
        "no patient: cases go by their row in the manifest.",
    )


def _subtitle(summary: ExtractionSummary) -> str:
    return (
        f"{number_of(summary.n_features, 'feature')} of {number_of(summary.n_regions, 'region')} "
        f"in {number_of(summary.n_cases, 'case')}."
    )


def _made_by(versions: Mapping[str, str]) -> str:
    return f"nomomics {versions['nomomics']}. " if "nomomics" in versions else ""


def count_blocks(summary: ExtractionSummary) -> list[Block]:
    """Show how large the regions and the voxels are, by sequence."""
    if not summary.n_regions:
        return [Text(text="No region could be measured: the table is empty.")]
    regions = summary.regions
    spacings = summary.spacings.assign(
        spacing=summary.spacings["spacing"].str.replace(" x ", " \N{MULTIPLICATION SIGN} ")
    )
    shown = pd.DataFrame(
        {
            "sequence": regions["sequence"],
            "region": regions["region"],
            "n_regions": regions["n_regions"],
            "voxels": [
                _span(*row, digits=0)
                for row in regions.filter(like="voxels_").itertuples(index=False)
            ],
            "ml": [
                _span(*row, digits=1) for row in regions.filter(like="ml_").itertuples(index=False)
            ],
        }
    )
    labels = {
        "n_regions": "Measured",
        "voxels": "Voxels, median (range)",
        "ml": "Volume in ml, median (range)",
    }
    blocks: list[Block] = [
        Table(
            table=table_rows(_without_sequence(shown), labels=labels),
            title="Regions.",
            caption="As drawn, before any resampling.",
        ),
        Table(
            table=table_rows(
                _without_sequence(spacings.head(MOST_ROWS)), labels={"n_regions": "Regions"}
            ),
            title="Voxel spacings.",
            caption="Of the images as they came." + _more(len(spacings)),
        ),
    ]
    if len(summary.gaps):
        blocks.append(
            Table(
                table=table_rows(
                    summary.gaps.head(MOST_ROWS), labels={"n_missing": "Regions without a value"}
                ),
                title="Features without a value.",
                caption=f"They could not be computed everywhere.{_more(len(summary.gaps))}",
            )
        )
    return blocks


def _span(lowest: float, median: float, highest: float, *, digits: int) -> str:
    """Write a median with its range; the median alone where all are alike."""
    middle, low, high = (f"{value:,.{digits}f}" for value in (median, lowest, highest))
    return middle if low == high else f"{middle} ({low}–{high})"


def _more(n: int) -> str:
    return f" {n - MOST_ROWS} more are not listed." if n > MOST_ROWS else ""


def _without_sequence(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out the column of sequences where no case has one."""
    return table if (table["sequence"] != "").any() else table.drop(columns="sequence")


def failure_blocks(summary: ExtractionSummary) -> list[Block]:
    """Show why cases could not be used, the commonest reason first."""
    if not len(summary.reasons):
        return [Text(text="Every region of every case was measured.", heading="Failures")]
    labels = {"n_cases": "Cases", "rows": "Rows of the manifest"}
    return [
        Table(
            table=table_rows(summary.reasons, labels=labels),
            title="Failures.",
            caption="What differs in numbers alone is counted as one reason, told by its first "
            "case. Every failure stands in failed.csv.",
        )
    ]


def overlay_blocks(extraction: Extraction) -> list[Block]:
    """Show a slice of each case with the outline of its regions."""
    if not extraction.previews:
        return [Text(text="No case could be drawn.")]
    return [overlays(extraction.previews)]


def repeatability_sections(extraction: Extraction) -> list[Section]:
    """Show how far readers agree, or changed copies of the masks, where there are several."""
    table = extraction.table
    readers = table["reader"].nunique() if "reader" in table else 1
    if readers < 2 and not extraction.perturbed:
        return []
    found = extraction_reliability(extraction)
    if found is None:
        told = "Fewer than three patients were measured twice: too few for coefficients."
        return [Section(id="repeatability", title="Repeatability", blocks=[Text(text=told)])]
    blocks: list[Block] = [Text(text=_compared(found, readers, extraction))]
    if len(extraction.lost_copies) and readers < 2:
        blocks.append(Text(text=lost_copies_text(extraction)))
    blocks += reliability_blocks(found, copies=readers < 2)
    return [Section(id="repeatability", title="Repeatability", blocks=blocks)]


def lost_copies_text(extraction: Extraction) -> str:
    """Say how many changed copies could not be measured, and what that means."""
    lost = extraction.lost_copies
    return (
        f"{number_of(len(lost), 'copy', 'copies')} of regions in "
        f"{number_of(lost['row'].nunique(), 'case')} could not be measured, mostly because a small "
        "region shrank away; patients who lack a copy do not count in the coefficients, which "
        "flatters small lesions."
    )


def _compared(found: Reliability, readers: int, extraction: Extraction) -> str:
    """Say whose readings are compared."""
    first = "Each patient's first timepoint counts."
    if readers < 2:
        n_copies = number_of(len(extraction.perturbed), "copy", "copies")
        how = extraction.perturbing
        amounts = "" if how is None else f" ({perturbing_words(how)})"
        return (
            f"The readings are those of the masks as drawn and of {n_copies} of each, changed at "
            f"random{amounts}: they stand in for a second reader, and are none. {first}"
        )
    if found.n_readers < readers:
        return (
            f"{found.n_readers} of {readers} readers are compared: the others measured too few of "
            f"the same patients. {first}"
        )
    return f"{number_of(readers, 'reader')} are compared. {first}"


def volume_sections(surrogates: VolumeSurrogates | None) -> list[Section]:
    """Show how far the features go with volume, where there are patients enough to tell."""
    if surrogates is None or surrogates.n_patients < 3:  # no rank correlation of two
        return []
    return [Section(id="volume", title="Volume", blocks=volume_blocks(surrogates))]


def settings_block(settings: ExtractionSettings) -> Table:
    """Show everything that changes a number."""
    recorded: dict[str, Any] = json.loads(settings.text)
    parts: dict[str, list[tuple[str, str]]] = {
        "Before pyradiomics": _steps(settings.steps),
        "Images": [
            (name, _options(own) or "as they are") for name, own in settings.image_types.items()
        ],
        "Features": [
            (name, number_of(len(chosen), "feature"))
            for name, chosen in settings.feature_classes.items()
        ],
        "Settings of pyradiomics": [
            (SETTINGS.get(name, name), _value(value)) for name, value in recorded["setting"].items()
        ],
    }
    rows: list[tuple[str, str]] = []
    groups = []
    for heading, lines in parts.items():
        groups.append(len(rows))
        rows += [(heading, ""), *((f"  {name}", value) for name, value in lines)]
    return Table(
        table=TableRows(
            header=("Setting", "Value"),
            rows=tuple(rows),
            numeric=(False, False),
            groups=tuple(groups),
        ),
        title=f"Settings {settings.name}",
        caption=f"Tables are joined only where these agree; their digest is {settings.digest}.",
    )


def _steps(steps: ImageSteps) -> list[tuple[str, str]]:
    z_score = {"none": "no", "brain": "in the brain mask", "image": "of the whole image"}
    rings = ", ".join(f"{inner:g} to {outer:g} mm" for inner, outer in steps.rings)
    return [
        ("Bias correction (N4)", "yes" if steps.n4 else "no"),
        ("Z-scores", z_score[steps.z_score]),
        ("Masks of another geometry", "resampled" if steps.resample_mask else "refused"),
        ("Rings around each region", rings or "none"),
    ]


def _options(own: Mapping[str, Any]) -> str:
    return "; ".join(f"{SETTINGS.get(name, name)} {_value(value)}" for name, value in own.items())


def _value(value: Any) -> str:
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_value(one) for one in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def versions_block(versions: Mapping[str, str]) -> Table:
    """Show what computed the numbers."""
    table = pd.DataFrame(versions.items(), columns=["program", "version"])
    return Table(table=table, title="Versions.")
