"""How far features go with volume, as a reader sees it: what the result says, and nothing else."""

import numpy as np
import pandas as pd
import pytest

from models.volume_surrogates import VolumeSurrogates, volume_surrogates
from reports.blocks import Figure, Page, Section, Table, Text
from reports.figures import volume_surrogates as figures
from reports.figures.volume_surrogates import draw_volume_surrogates
from reports.html import render
from reports.tables import TableRows
from reports.volume_section import volume_blocks
from tests.made_up_tables import HOSTILE


def made(n: int = 40) -> VolumeSurrogates:
    rng = np.random.default_rng(8)
    volume = rng.exponential(size=n)
    features = {"mri:core|original_shape_MeshVolume": volume}
    for j in range(12):
        noise = rng.normal(size=n)
        features[f"mri:core|original_{'glcm' if j % 2 else 'glszm'}_F{j}"] = j * volume / 4 + noise
    features["mri:core|original_firstorder_Constant"] = np.ones(n)
    return volume_surrogates(pd.DataFrame(features))


def test_every_feature_is_a_point_and_every_class_a_row() -> None:
    found = made()
    figure = draw_volume_surrogates(found.table, found.by_class, threshold=found.threshold)
    with_volume, below = (
        next(trace for trace in figure.data if trace.name == name)
        for name in ("Goes with volume", "Below")
    )
    assert len(with_volume.x) == found.n_surrogates > 0
    assert len(with_volume.x) + len(below.x) == found.n_features == 12  # a constant has no point
    assert min(with_volume.x) >= 0.7 > max(below.x)
    counts = found.by_class.set_index("feature_class")["n_surrogates"]
    assert figure.layout.yaxis.ticktext == (
        f"glszm<br>{counts['glszm']} of 6",
        f"glcm<br>{counts['glcm']} of 6",
    )
    rows = np.round([*with_volume.y, *below.y])
    assert sorted(rows) == [0] * 6 + [1] * 6  # no point strays into another row
    assert figure.layout.shapes[0].x0 == 0.7
    medians = figure.data[-1]
    np.testing.assert_allclose(medians.x, found.by_class["median"])


def test_with_very_many_features_only_the_classes_are_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = made()
    monkeypatch.setattr(figures, "MOST_POINTS", 5)
    figure = draw_volume_surrogates(found.table, found.by_class, threshold=0.7)
    assert [trace.mode for trace in figure.data] == ["lines", "markers"]


def test_numbers_and_words_are_those_of_the_result() -> None:
    found = made()
    text, figure, table = volume_blocks(found, file="tables/x.csv")
    assert isinstance(text, Text)
    assert text.text.startswith(f"{found.n_surrogates} of 12 features (")
    assert "core · original_shape_MeshVolume" in text.text
    assert "in up to 40 patients" in text.text
    assert isinstance(figure, Figure)
    assert isinstance(table, Table)
    assert isinstance(table.table, TableRows)
    order = found.table.dropna().sort_values("correlation", key=np.abs, ascending=False)
    assert [row[0].rpartition("_")[2] for row in table.table.rows] == [
        name.rpartition("_")[2] for name in order["feature"]
    ]
    assert table.table.header == ("Feature", "Class", "ρ (95% CI)", "Patients")
    assert "tables/x.csv" not in table.caption  # all of them are shown


def test_few_patients_are_told_and_none_is_no_figure() -> None:
    (text, *_) = volume_blocks(made(7))
    assert isinstance(text, Text)
    assert "With fewer than 10 patients" in text.text
    features = pd.DataFrame(
        {"original_shape_MeshVolume": [1.0, 2.0], "original_glcm_Contrast": [1.0, 2.0]}
    )
    (alone,) = volume_blocks(volume_surrogates(features))
    assert isinstance(alone, Text)
    assert alone.text.startswith("No feature has a correlation with volume")


def test_volumes_of_several_regions_are_named() -> None:
    rng = np.random.default_rng(1)
    features = {}
    for region in ("core", "edema"):
        features[f"{region}|original_shape_MeshVolume"] = rng.exponential(size=20)
        features[f"{region}|original_glcm_Contrast"] = rng.normal(size=20)
    text, _, table = volume_blocks(volume_surrogates(pd.DataFrame(features)))
    assert isinstance(text, Text)
    assert "(each has its own, 2 in all)" in text.text
    assert isinstance(table, Table)
    assert isinstance(table.table, TableRows)
    assert table.table.header[2] == "Compared with"
    for row in table.table.rows:
        assert row[0].partition(" · ")[0] == row[2].partition(" · ")[0]


def test_a_hostile_name_stays_text() -> None:
    features = pd.DataFrame(
        {"original_shape_MeshVolume": np.arange(9.0), f"a{HOSTILE}": np.arange(9.0) ** 2}
    )
    section = Section(id="v", title="V", blocks=volume_blocks(volume_surrogates(features)))
    page = render(Page(title="P", sections=[section]))
    assert HOSTILE not in page
    assert "<a href=" not in page.partition("<main>")[2].partition("</main>")[0]
