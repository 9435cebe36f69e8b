"""Several lesions: a mask split into them, and their rows made one."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from omics.errors import CaseError, StudyError
from omics.lesions import lesions, reduce_lesions
from omics.row_specs import ReduceSpec
from omics.table_spec import TableSpec
from omics.tables import View, read_table

REFERENCE = json.loads(
    Path(__file__).with_name("reference").joinpath("lesions.json").read_text(encoding="utf-8")
)
VOLUME, MEAN = "original_shape_MeshVolume", "original_firstorder_Mean"
ROWS = pd.DataFrame(
    {
        "ID": ["P1", "P2", "P1", "P3", "P3", "P1"],
        VOLUME: [3.0, 5.0, 1.0, 2.0, 2.0, 4.0],
        MEAN: [10.0, 7.0, 40.0, np.nan, 6.0, 20.0],
        "site": ["A", "B", "A", "A", "A", "A"],
    }
)


def read(folder: Path, table: pd.DataFrame = ROWS, **options: Any) -> View:
    table.to_csv(folder / "lesions.csv", index=False)
    reserve = options.pop("reserve", ())
    described = {"kind": "radiomics", "id": "ID", "drop": ["site"], **options}
    return read_table(
        TableSpec(path=folder / "lesions.csv", **described), name="lesions", reserve=reserve
    )


# ---- rows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "mean", "volume"),
    [
        ("first", [10, 7, np.nan], [3, 5, 2]),
        ("largest", [20, 7, np.nan], [4, 5, 2]),  # of equals the first
        ("mean", [70 / 3, 7, 6], [8 / 3, 5, 2]),
        ("weighted", [(30 + 40 + 80) / 8, 7, 6], [(9 + 1 + 16) / 8, 5, 2]),
    ],
)
def test_by_hand(by: Any, mean: list[float], volume: list[float]) -> None:
    size = ROWS[VOLUME] if by in ("largest", "weighted") else None
    found = reduce_lesions(
        ROWS[[VOLUME, MEAN]], ROWS["ID"], by=by, size=size, total=[VOLUME, MEAN], count="n"
    )
    assert found.index.tolist() == ["P1", "P2", "P3"]
    np.testing.assert_allclose(found[MEAN], mean, rtol=1e-14)
    np.testing.assert_allclose(found[VOLUME], volume, rtol=1e-14)
    assert found[f"total|{VOLUME}"].tolist() == [8, 5, 4]
    # the total of P3 is unknown: one of its lesions has no mean
    np.testing.assert_array_equal(found[f"total|{MEAN}"], [70, 7, np.nan])
    assert found["n"].tolist() == [3, 1, 2]


def test_weighted_mean_as_r() -> None:
    rows = pd.DataFrame(REFERENCE["rows"]).astype({"x": float, "y": float, "volume": float})
    found = reduce_lesions(rows[["x", "y"]], rows["patient"], by="weighted", size=rows["volume"])
    wanted = pd.DataFrame(REFERENCE["means"]).set_index("patient").astype(float)
    pd.testing.assert_frame_equal(found.loc[wanted.index], wanted, rtol=1e-12, check_names=False)


@settings(max_examples=25)
@given(
    x=st.lists(st.floats(-1e3, 1e3), min_size=6, max_size=6),
    weights=st.lists(st.floats(0.1, 10), min_size=6, max_size=6),
    scale=st.floats(0.01, 100),
    order=st.permutations(range(6)),
)
def test_weighted_mean_properties(
    x: list[float], weights: list[float], scale: float, order: list[int]
) -> None:
    table = pd.DataFrame({"x": x})
    patients = pd.Series(["a", "a", "a", "b", "b", "c"])
    size = pd.Series(weights, name="size")
    mean = reduce_lesions(table, patients, by="weighted", size=size)["x"]
    grouped = table.groupby(patients)["x"]
    assert (mean >= grouped.min() - 1e-9).all()
    assert (mean <= grouped.max() + 1e-9).all()
    other_unit = reduce_lesions(table, patients, by="weighted", size=size * scale)["x"]
    np.testing.assert_allclose(other_unit, mean, rtol=1e-9, atol=1e-9)
    shuffled = reduce_lesions(
        table.iloc[order], patients.iloc[order], by="weighted", size=size.iloc[order]
    )["x"]
    np.testing.assert_allclose(shuffled[mean.index], mean, rtol=1e-9, atol=1e-9)
    equal = reduce_lesions(table, patients, by="weighted", size=size * 0 + 2)["x"]
    np.testing.assert_allclose(equal, grouped.mean(), rtol=1e-9, atol=1e-9)


def test_a_weight_of_zero_leaves_a_lesion_out() -> None:
    table = pd.DataFrame({"x": [1.0, 5.0, 2.0]})
    patients = pd.Series(["a", "a", "b"])
    size = pd.Series([0.0, 2.0, 0.0], name="size")
    found = reduce_lesions(table, patients, by="weighted", size=size)
    assert found["x"].tolist() == [5.0, 2.0]  # b has one lesion alone
    lacking = pd.DataFrame({"x": [1.0, np.nan, 2.0]})
    found = reduce_lesions(lacking, patients, by="weighted", size=size)
    np.testing.assert_array_equal(found["x"], [np.nan, 2.0])


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="by is 'mean' and size is given"):
        reduce_lesions(ROWS[[MEAN]], ROWS["ID"], by="mean", size=ROWS[VOLUME])
    with pytest.raises(ValueError, match="by is 'weighted' and size is absent"):
        reduce_lesions(ROWS[[MEAN]], ROWS["ID"], by="weighted")
    with pytest.raises(StudyError, match="adds up columns of numbers, but 'site' is none"):
        reduce_lesions(ROWS[["site"]], ROWS["ID"], by="first", total=["site"])


# ---- in a study ---------------------------------------------------------------------------------


def test_lesions_of_a_study(tmp_path: Path) -> None:
    view = read(
        tmp_path,
        reduce={"weighted": VOLUME, "total": [VOLUME], "count": "lesions"},
        reserve=("site",),
        drop=[],
        known="baseline",
    )
    assert view.table[MEAN].tolist() == [18.75, 7.0, 6.0]
    assert view.table[f"total|{VOLUME}"].tolist() == [8.0, 5.0, 4.0]
    assert view.table["lesions"].tolist() == [3.0, 1.0, 2.0]
    assert view.reserved["site"].tolist() == ["A", "B", "A"]
    assert view.known == dict.fromkeys(view.table, "baseline")
    assert view.notes.n_merged == 3


def test_totals_go_with_every_way(tmp_path: Path) -> None:
    for way in ({"by": "first"}, {"by": "mean"}, {"largest": VOLUME}):
        view = read(tmp_path, reduce={**way, "total": [VOLUME]})
        assert view.table[f"total|{VOLUME}"].tolist() == [8.0, 5.0, 4.0]
        assert "lesions" not in view.table


def test_the_weight_may_be_a_column_that_is_dropped(tmp_path: Path) -> None:
    view = read(tmp_path, drop=["site", VOLUME], reduce={"weighted": VOLUME})
    assert view.table.columns.tolist() == [MEAN]


@pytest.mark.parametrize(
    ("table", "options", "text"),
    [
        (
            ROWS.assign(**{VOLUME: [3, 5, None, 2, 2, -4]}),
            {"reduce": {"weighted": VOLUME}},
            r"0 or above and known, but 2 of 6 are not \(first: row 4, nan\)\. Fill it in",
        ),
        (
            ROWS.assign(**{VOLUME: [3, 5, 1, 0, 0, 4]}),
            {"reduce": {"weighted": VOLUME}},
            "all rows of 1 patient have the weight 0",
        ),
        (
            ROWS,
            {"reduce": {"weighted": "original_shape_MeshVolum"}},
            "reduce names column.*Did you mean 'original_shape_MeshVolume'",
        ),
        (ROWS, {"reduce": {"by": "mean", "total": ["site"]}}, "reduce names column 'site'"),
        (ROWS, {"reduce": {"by": "mean", "count": MEAN}}, "is one already. Give count another"),
        (
            ROWS.assign(site=list("ABCDEF")),
            {"reduce": {"weighted": VOLUME}, "reserve": ("site",), "drop": []},
            "agree where they are not numbers, but in column 'site' 2 patients",
        ),
    ],
)
def test_mistakes_of_a_study_are_named(
    tmp_path: Path, table: pd.DataFrame, options: dict[str, Any], text: str
) -> None:
    with pytest.raises(StudyError, match=text):
        read(tmp_path, table, **options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"reduce": {"largest": "a", "weighted": "b"}}, "states largest and weighted"),
        ({"reduce": {"total": ["a"]}}, "states none"),
        ({"reduce": "median"}, "'first' or 'mean'"),
        ({"reduce": {"count": ""}}, "at least 1 character"),
        ({"kind": "mutations", "reduce": {"weighted": "a"}}, "by the weighted would make frac"),
        (
            {"reduce": {"by": "mean", "count": "n"}, "transform": {"*": "log2p1"}},
            "values as they stand: take out transform",
        ),
    ],
)
def test_options_that_do_not_go_together(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        TableSpec(path=Path("a.csv"), **{"kind": "features", **options})


def test_words_stand_for_their_long_form() -> None:
    spec = TableSpec(path=Path("a.csv"), kind="features", reduce="first")
    assert spec.reduce == ReduceSpec(by="first")


# ---- masks --------------------------------------------------------------------------------------

needs_images = pytest.mark.skipif(
    find_spec("SimpleITK") is None, reason="images need the extra: nomomics[extract]"
)


def mask_of(array: Any, spacing: tuple[float, ...] = (1.0, 1.0, 1.0)) -> Any:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.asarray(array, dtype=np.uint8))
    image.SetSpacing(spacing)
    image.SetOrigin((5.0, -2.0, 1.0))
    return image


def three() -> np.ndarray:
    """Two voxels, seven voxels, and one that touches the two at a corner."""
    array = np.zeros((8, 8, 8))
    array[0, 0, :2] = 1
    array[1, 1, 2] = 4
    array[4:6, 4:6, 4:6] = 1
    array[5, 5, 5] = 0
    return array


@needs_images
def test_lesions_by_falling_volume() -> None:
    import SimpleITK as sitk

    found = lesions(mask_of(three(), (1.0, 1.0, 2.0)))
    assert found.table.to_dict("list") == {"lesion": [1, 2], "voxels": [7, 3], "volume": [14, 6]}
    labels = sitk.GetArrayFromImage(found.labels)
    np.testing.assert_array_equal(labels > 0, three() > 0)
    assert labels[4, 4, 4] == 1
    mask = found.mask(2)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), (labels == 2).astype(np.uint8))
    assert mask.GetSpacing() == (1.0, 1.0, 2.0)
    assert mask.GetOrigin() == (5.0, -2.0, 1.0)
    assert mask.GetPixelID() == sitk.sitkUInt8
    assert repr(found) == "Lesions(2 lesions, 20 mm³, 0 too small)"


@needs_images
def test_touching_at_a_corner_is_a_choice() -> None:
    assert lesions(mask_of(three()), touching="faces").table["voxels"].tolist() == [7, 2, 1]


@needs_images
def test_small_components_are_left_out_and_counted() -> None:
    found = lesions(mask_of(three()), smallest=2.0, touching="faces")
    assert found.table["voxels"].tolist() == [7, 2]
    assert (found.n_small, found.volume_small) == (1, 1.0)


@needs_images
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), faces=st.booleans())
def test_components_are_those_of_itk(seed: int, faces: bool) -> None:
    array = np.random.default_rng(seed).random((6, 7, 8)) > 0.8
    image = mask_of(array)
    import SimpleITK as sitk

    itk = sitk.GetArrayFromImage(sitk.ConnectedComponent(image, not faces))
    found = lesions(image, touching="faces" if faces else "corners")
    ours = sitk.GetArrayFromImage(found.labels)
    pairs = {*zip(itk.ravel().tolist(), ours.ravel().tolist(), strict=True)}
    assert len(pairs) == itk.max() + 1 == ours.max() + 1  # the same components, renumbered
    assert found.table["voxels"].is_monotonic_decreasing


@needs_images
def test_masks_without_a_lesion_say_so() -> None:
    with pytest.raises(CaseError, match="no voxel of it is set"):
        lesions(mask_of(np.zeros((3, 3, 3))))
    with pytest.raises(
        CaseError, match=r"9 mm³ or more, but the largest of its 2 components has 7"
    ):
        lesions(mask_of(three()), smallest=9)
    with pytest.raises(ValueError, match="smallest must be a number of mm³"):
        lesions(mask_of(three()), smallest=-1)
    with pytest.raises(ValueError, match="one of corners, faces, but is 'edges'"):
        lesions(mask_of(three()), touching="edges")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a whole number from 1 to 2, but is 3"):
        lesions(mask_of(three())).mask(3)
