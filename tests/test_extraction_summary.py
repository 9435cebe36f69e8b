"""What became of a manifest: counted by hand; nothing of it names a patient or a file."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from omics.extraction import Extraction
from omics.extraction_settings import read_settings
from omics.extraction_summary import ExtractionSummary, extraction_summary
from omics.image_steps import ImageSteps
from tests.made_extraction import FEATURES, VERSIONS, WHERE, made_extraction


def codes(found: ExtractionSummary) -> list[str]:
    return [finding.code for finding in found.findings]


def as_drawn(extraction: Extraction) -> Extraction:
    """The same settings, but nothing resampled."""
    setting = {**extraction.settings.setting, "resampledPixelSpacing": None}
    return replace(extraction, settings=replace(extraction.settings, setting=setting))


def test_counts() -> None:
    found = extraction_summary(made_extraction(30, n_failed=3, sequences=("T1c", "FLAIR")))
    assert (found.n_cases, found.n_failed, found.n_patients) == (30, 3, 27)
    assert (found.n_regions, found.n_features) == (27 * 2 * 2, len(FEATURES))
    assert found.versions == VERSIONS
    assert repr(found) == "ExtractionSummary(30 cases, 3 with failures, 3 findings)"


def test_reasons_that_differ_in_numbers_are_one() -> None:
    reasons = extraction_summary(made_extraction(30, n_failed=3)).reasons
    assert reasons["n_cases"].tolist() == [2, 1]
    assert reasons["rows"].tolist() == ["28, 29", "30"]
    assert reasons["reason"].tolist() == [
        "mask must lie on the grid of its image, but the image has spacing 3.6 mm.",
        "image … cannot be read: it is cut short.",
    ]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("image t1.nii.gz is cut short.", "image … is cut short."),
        (r"image C:\scans\SECRET-001\t1.nii is absent.", "image … is absent."),
        ("SECRET-001 has two heads.", "… has two heads."),
        ("[Errno 2] no file: '/other/place/of/SECRET-001.nii'", "[Errno 2] no file: '…'"),
        ("mask has 256 x 256 x 25 voxels of 1/2 mm", "mask has 256 x 256 x 25 voxels of 1/2 mm"),
        ("label 14 is absent; there are 1, 2.", "label 14 is absent; there are 1, 2."),
    ],
)
def test_no_patient_and_no_file_is_named(reason: str, expected: str) -> None:
    made = made_extraction(3, n_failed=1)
    failed = made.failed.assign(
        patient="SECRET-001", image=f"{WHERE}/t1.nii.gz", mask="4", reason=reason
    )
    found = extraction_summary(replace(made, failed=failed))
    assert found.reasons["reason"].tolist() == [expected]


def test_a_short_patient_number_does_not_eat_other_numbers() -> None:
    made = made_extraction(3, n_failed=1)
    failed = made.failed.assign(patient="25", reason="mask has 256 slices, not 25.5, of 25")
    found = extraction_summary(replace(made, failed=failed))
    assert found.reasons["reason"].tolist() == ["mask has 256 slices, not 25.5, of …"]


def test_a_case_with_two_failed_regions_is_one_case() -> None:
    made = made_extraction(20, n_failed=1)
    twice = pd.concat([made.failed.assign(region=r) for r in ("1", "2")], ignore_index=True)
    found = extraction_summary(replace(made, failed=twice))
    assert (found.n_failed, found.reasons["n_cases"].tolist()) == (1, [1])


def test_regions_and_spacings_by_hand() -> None:
    made = made_extraction(3, n_failed=0, regions=("core",), sequences=("T1c",))
    table = made.table.assign(
        diagnostics_Region_Voxels=[100, 300, 1000], diagnostics_Region_Volume=[300.0, 900.0, 3000.0]
    )
    found = extraction_summary(replace(made, table=table))
    assert found.regions.iloc[0].tolist() == [
        *("T1c", "core", 3),
        *(100, 300, 1000),
        *(0.3, 0.9, 3.0),
    ]
    assert found.spacings.to_numpy().tolist() == [
        ["T1c", "1 x 1 x 3 mm", 2],
        ["T1c", "0.5 x 0.5 x 3 mm", 1],
    ]


def test_spacings_that_differ_are_told() -> None:
    made = made_extraction(20, n_failed=0)
    (resampled,) = extraction_summary(made).findings
    assert (resampled.code, resampled.severity) == ("spacings_differ", "note")
    assert "up to 2.0 times" in resampled.message
    (raw,) = extraction_summary(as_drawn(made)).findings
    assert raw.severity == "caution"
    assert "from 0.5 x 0.5 x 3 to 1 x 1 x 3 mm" in raw.message
    alike = made_extraction(20, n_failed=0, spacings=("1 x 1 x 3 mm", "1 x 1.2 x 2.5 mm"))
    assert codes(extraction_summary(alike)) == []


def test_spacings_of_different_sequences_may_differ() -> None:
    made = made_extraction(6, n_failed=0, sequences=("T1c", "T2"), spacings=("1 x 1 x 1 mm",))
    table = made.table.copy()
    table.loc[table["sequence"] == "T2", "diagnostics_Image_Spacing"] = "0.4 x 0.4 x 6 mm"
    assert codes(extraction_summary(replace(made, table=table))) == []


def test_small_regions_are_counted() -> None:
    made = made_extraction(6, n_failed=0, regions=("core",), spacings=("1 x 1 x 1 mm",))
    table = made.table.assign(diagnostics_Region_Voxels=[64, 63, 12, 900, 900, 900])
    (small,) = extraction_summary(replace(made, table=table)).findings
    assert small.code == "small_regions"
    assert "2 of 6 regions have fewer than 64 voxels as drawn (the smallest 12)" in small.message


def test_features_without_values_are_named() -> None:
    made = made_extraction(6, n_failed=0, regions=("core",), spacings=("1 x 1 x 1 mm",))
    table = made.table.copy()
    table[FEATURES[5]] = np.nan
    table.loc[0, FEATURES[6]] = np.nan
    found = extraction_summary(replace(made, table=table))
    assert codes(found) == ["features_without_values"]
    assert found.findings[0].message.startswith("1 feature of 10")
    assert found.gaps.to_numpy().tolist() == [[FEATURES[5], 6], [FEATURES[6], 1]]


@pytest.mark.parametrize(("n_cases", "severity"), [(10, "serious"), (11, "caution")])
def test_failures_of_a_tenth_are_serious(n_cases: int, severity: str) -> None:
    made = made_extraction(n_cases, n_failed=1, spacings=("1 x 1 x 1 mm",))
    (finding,) = extraction_summary(made).findings
    assert (finding.code, finding.severity) == ("cases_failed", severity)
    assert f"1 of {n_cases} cases" in finding.message


def test_nothing_extracted_is_no_error() -> None:
    made = made_extraction(2, n_failed=1)
    found = extraction_summary(replace(made, table=made.table.iloc[:0]))
    assert (found.n_regions, found.n_patients, len(found.regions), found.versions) == (0, 0, 0, {})


def test_settings_change_nothing_here() -> None:
    settings = replace(read_settings("ct"), steps=ImageSteps(n4=True))
    made = made_extraction(5, n_failed=0, settings=settings)
    assert extraction_summary(made).n_regions == 10


def test_regions_that_only_some_cases_have_are_told() -> None:
    made = made_extraction(30, n_failed=0)
    assert "regions_differ" not in codes(extraction_summary(made))
    region = made.table["region"].iloc[0]
    mine = made.table.index[made.table["region"] == region][:2]
    table = made.table.assign(region=made.table["region"].mask(made.table.index.isin(mine), "255"))
    found = extraction_summary(replace(made, table=table)).findings
    (finding,) = [one for one in found if one.code == "regions_differ"]
    n_cases = len(made.table) // made.table["region"].nunique()
    assert f"{region!r} in {n_cases - 2} of {n_cases}" in finding.message
    assert f"'255' in 2 of {n_cases}" in finding.message
