"""The page beside an extracted table: its numbers, its words, and whom it does not name."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from omics.extraction import Extraction
from omics.extraction_settings import ExtractionSettings, read_settings
from omics.image_steps import ImageSteps
from reports.blocks import Page, Pictures, Table, Text
from reports.extraction_page import write_extraction_page
from reports.extraction_section import extraction_page, settings_block
from reports.html import render
from reports.tables import TableRows, table_rows
from tests.browser import needs_browser, printed, visit
from tests.made_extraction import FEATURES, WHERE, made_extraction
from tests.made_up_tables import HOSTILE


def tables(page: Page) -> dict[str, TableRows]:
    return {
        block.title.rstrip("."): block.table
        if isinstance(block.table, TableRows)
        else table_rows(block.table)
        for section in page.sections
        for block in section.blocks
        if isinstance(block, Table)
    }


def words(page: Page) -> str:
    return "\n".join(
        block.text for part in page.sections for block in part.blocks if isinstance(block, Text)
    )


@pytest.fixture(scope="module")
def made() -> Extraction:
    return made_extraction(30, n_failed=3, sequences=("T1c", "FLAIR"))


@pytest.fixture(scope="module")
def file(made: Extraction, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "radiomics.html"
    write_extraction_page(made, path)
    return path


# what it says -------------------------------------------------------------------------------------


def test_sections_and_facts(made: Extraction) -> None:
    page = extraction_page(made)
    assert [part.id for part in page.sections] == [
        *("findings", "extraction", "overlays", "volume", "settings"),
    ]
    assert dict(page.facts) == {
        "Cases": "30",
        "With failures": "3",
        "Patients measured": "27",
        "Regions measured": "108",
        "Features": "10",
    }


def test_regions_spacings_and_failures_are_those_of_the_table(made: Extraction) -> None:
    found = tables(extraction_page(made))
    core = made.table.query("sequence == 'FLAIR' and region == 'core'")
    voxels, ml = core["diagnostics_Region_Voxels"], core["diagnostics_Region_Volume"] / 1000
    assert found["Regions"].rows[2] == (
        *("FLAIR", "core", "27"),
        f"{voxels.median():,.0f} ({voxels.min():,}–{voxels.max():,})",
        f"{ml.median():.1f} ({ml.min():.1f}–{ml.max():.1f})",
    )
    assert found["Voxel spacings"].rows[0] == ("FLAIR", "1 × 1 × 3 mm", "28")
    assert [row[1:] for row in found["Failures"].rows] == [("2", "28, 29"), ("1", "30")]


def test_every_setting_that_changes_a_number_is_shown(made: Extraction) -> None:
    rows = dict(tables(extraction_page(made))["Settings mri"].rows)
    setting = json.loads(made.settings.text)["setting"]
    headings = ("Before pyradiomics", "Images", "Features", "Settings of pyradiomics")
    assert [name for name in rows if not name.startswith("  ")] == list(headings)
    of_pyradiomics = list(rows)[list(rows).index("Settings of pyradiomics") + 1 :]
    assert len(of_pyradiomics) == len(setting)
    assert rows["  Bin width"] == f"{setting['binWidth']:g}"
    for image_type in made.settings.image_types:
        assert f"  {image_type}" in rows
    for name, chosen in made.settings.feature_classes.items():
        assert rows[f"  {name}"] == f"{len(chosen)} features"


def test_steps_before_are_told() -> None:
    settings = read_settings("mri")
    steps = ImageSteps(n4=True, z_score="brain", rings=((0, 5), (5, 10)))
    table = settings_block(replace(settings, steps=steps)).table
    assert isinstance(table, TableRows)
    rows = dict(table.rows)
    assert rows["  Bias correction (N4)"] == "yes"
    assert rows["  Z-scores"] == "in the brain mask"
    assert rows["  Rings around each region"] == "0 to 5 mm, 5 to 10 mm"
    assert rows["  Masks of another geometry"] == "refused"


def test_values_are_written_for_the_eye() -> None:
    settings = ExtractionSettings(
        name="own.yaml",
        steps=ImageSteps(),
        image_types={"Original": {}, "LoG": {"sigma": [1.0, 3.0], "binWidth": 10.0}},
        feature_classes={"shape": ["Sphericity"]},
        setting={"normalize": True, "resegmentRange": None, "unheardOf": "word"},
    )
    table = settings_block(settings).table
    assert isinstance(table, TableRows)
    rows = dict(table.rows)
    assert rows["  Original"] == "as they are"
    assert rows["  LoG"] == "sigma (mm) 1, 3; Bin width 10"
    assert rows["  shape"] == "1 feature"
    assert (rows["  Normalised"], rows["  Voxels kept by grey level"]) == ("yes", "–")
    assert rows["  unheardOf"] == "word"


def test_two_readers_are_compared() -> None:
    made = made_extraction(12, n_failed=0, readers=("A", "B"))
    page = extraction_page(made)
    assert [part.id for part in page.sections][2:5] == ["overlays", "repeatability", "volume"]
    caption = next(
        block.caption
        for part in page.sections
        if part.id == "repeatability"
        for block in part.blocks
        if isinstance(block, Table)
    )
    assert caption.startswith("ICC(A,1), 12 patients, 2 readers: ")
    render(page)


# what may be missing ------------------------------------------------------------------------------


def test_a_run_without_a_failure_says_so() -> None:
    page = extraction_page(made_extraction(12, n_failed=0, spacings=("1 x 1 x 1 mm",)))
    assert "Every region of every case was measured." in words(page)
    assert "Failures" not in tables(page)
    assert "Sequence" not in tables(page)["Regions"].header


def test_nothing_measured_and_nothing_drawn() -> None:
    made = made_extraction(3, n_failed=2)
    page = extraction_page(replace(made, table=made.table.iloc[:0], previews={}))
    assert "No region could be measured" in words(page)
    assert "No case could be drawn." in words(page)
    assert "volume" not in [part.id for part in page.sections]
    render(page)


def test_gaps_of_features_are_counted() -> None:
    made = made_extraction(12, n_failed=0)
    table = made.table.copy()
    table.loc[:3, FEATURES[4]] = np.nan
    rows = tables(extraction_page(replace(made, table=table)))["Features without a value"].rows
    assert rows == ((FEATURES[4], "4"),)


def test_two_patients_have_no_volume_section() -> None:
    sections = extraction_page(made_extraction(2, n_failed=0)).sections
    assert "volume" not in [part.id for part in sections]


# whom it does not name, and how large it is -------------------------------------------------------


def test_no_patient_and_no_place_is_named(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "SECRET" not in text
    assert WHERE not in text
    assert "cut short" in text


def test_a_hostile_manifest_stays_text(made: Extraction) -> None:
    table = made.table.assign(region=HOSTILE, sequence=HOSTILE)
    failed = made.failed.assign(reason=HOSTILE)
    page = render(extraction_page(replace(made, table=table, failed=failed)))
    assert HOSTILE not in page


def test_three_hundred_cases_are_a_small_page(tmp_path: Path) -> None:
    one = made_extraction(1, n_failed=0)
    pages = {}
    for n in (1, 51):
        previews = dict.fromkeys(range(1, n + 1), one.previews[1])
        write_extraction_page(replace(one, previews=previews), tmp_path / f"{n}.html")
        pages[n] = (tmp_path / f"{n}.html").stat().st_size
    assert (pages[51] - pages[1]) / 50 < 20_000  # 300 cases: under 6 MB beside plotly's own 5


def test_the_overlays_are_those_of_the_previews(made: Extraction) -> None:
    overlays = next(part for part in extraction_page(made).sections if part.id == "overlays")
    (pictures,) = overlays.blocks
    assert isinstance(pictures, Pictures)
    assert len(pictures.pictures) == 27
    assert dict(pictures.legend).keys() == {"core", "edema"}


def test_equal_extractions_give_equal_pages(made: Extraction) -> None:
    assert render(extraction_page(made)) == render(extraction_page(made))


@needs_browser
def test_a_browser_draws_it_and_asks_the_network_nothing(file: Path) -> None:
    seen = visit(file)
    assert seen.console == []
    assert [url for url in seen.requests if not url.startswith("data:")] == []
    assert seen.dom.count('data-drawn="') == 1
    assert len(re.findall(r"/MediaBox", printed(file).decode("latin-1"))) >= 2
