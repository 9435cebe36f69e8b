"""Habitats: known parts found again, R's k-means, and patients who must not change the rules."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omics.errors import CaseError
from omics.habitat_clusters import habitat_numbers, robust_scale
from omics.habitat_voxels import Scan, pooled_voxels, voxels_of
from omics.habitats import Habitats

sitk = pytest.importorskip("SimpleITK", reason="images need the extra: nomomics[extract]")
REFERENCE = json.loads(
    Path(__file__).with_name("reference").joinpath("habitats.json").read_text(encoding="utf-8")
)
SHAPE = (4, 6, 10)


def image_of(array: Any, spacing: tuple[float, ...] = (1.0, 1.0, 2.0)) -> Any:
    image = sitk.GetImageFromArray(np.asarray(array))
    image.SetSpacing(spacing)
    image.SetDirection((0, -1, 0, 1, 0, 0, 0, 0, 1))
    return image


def truth(seed: int) -> np.ndarray:
    """Return which of three parts each voxel of the region is of; 0 is outside."""
    rng = np.random.default_rng(seed)
    parts = rng.choice([1, 2, 3], size=SHAPE, p=[0.5, 0.3, 0.2])
    parts[0] = 0
    return parts


CENTRES = {"T1c": (0.0, -2.0, 1.0, 4.0), "ADC": (9e9, 30.0, 90.0, 40.0)}


def scan_of(seed: int, shift: float = 0.0, noise: float = 0.2) -> Scan:
    parts = truth(seed)
    rng = np.random.default_rng(1000 + seed)
    images = {
        name: image_of(
            np.array(centres)[parts]
            + rng.normal(0, noise * (10 if name == "ADC" else 1), SHAPE)
            + shift
        )
        for name, centres in CENTRES.items()
    }
    return Scan(images=images, mask=image_of((parts > 0).astype(np.uint8)))


def cohort(n: int = 4, **options: float) -> dict[str, Scan]:
    return {f"P{seed}": scan_of(seed, **options) for seed in range(n)}


def small(**options: Any) -> Habitats:
    return Habitats(
        **{"n_habitats": 3, "voxels_per_patient": 60, "n_starts": 5, "seed": 3, **options}
    )


def fitted(**options: Any) -> Habitats:
    return small(**options).fit(cohort().items())


def array(image: Any) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


# ---- numbers ------------------------------------------------------------------------------------


def test_known_parts_come_back_in_order() -> None:
    model = fitted()
    new = scan_of(77)
    labels = model.label(new)
    np.testing.assert_array_equal(array(labels), truth(77))
    assert labels.GetPixelID() == sitk.sitkUInt8
    assert labels.GetSpacing() == new.mask.GetSpacing()
    assert labels.GetDirection() == new.mask.GetDirection()
    np.testing.assert_allclose(model.table_["T1c"], [-2, 1, 4], atol=0.1)
    np.testing.assert_allclose(model.table_["ADC"], [30, 90, 40], atol=1)
    assert model.table_["share"].sum() == pytest.approx(1)


def test_sizes_are_counted() -> None:
    sizes = fitted().sizes([("A", scan_of(77)), ("B", scan_of(78))])
    counts = np.bincount(truth(77).ravel())[1:]
    one = sizes.table[sizes.table["patient"] == "A"]
    assert one["voxels"].tolist() == counts.tolist()
    np.testing.assert_allclose(one["volume"], counts * 2.0)  # mm³ a voxel
    np.testing.assert_allclose(one["fraction"], counts / counts.sum())
    assert sizes.wide.index.tolist() == ["A", "B"]
    np.testing.assert_allclose(sizes.wide.filter(like="fraction").sum(axis=1), 1)
    assert sizes.wide.loc["A", "habitat|2|volume"] == counts[1] * 2.0
    assert repr(sizes) == "HabitatSizes(2 patients, 3 habitats)"


def reference_scans() -> Iterator[tuple[str, Scan]]:
    voxels = pd.DataFrame(REFERENCE["voxels"])
    for patient, rows in voxels.groupby("patient"):
        images = {name: image_of(rows[[name]].to_numpy()[None].astype(float)) for name in CENTRES}
        mask = image_of(np.ones((1, len(rows), 1), dtype=np.uint8))
        yield str(patient), Scan(images=images, mask=mask)


@pytest.mark.parametrize("place", range(3))
def test_centres_are_those_of_r(place: int) -> None:
    wanted = REFERENCE["fits"][place]
    model = Habitats(n_habitats=wanted["k"], voxels_per_patient=120, n_starts=30, seed=1)
    model.fit(reference_scans())
    np.testing.assert_allclose(model.centre_, REFERENCE["median"], rtol=1e-12)
    np.testing.assert_allclose(model.scale_, REFERENCE["scale"], rtol=1e-12)
    # R moves single voxels as well (Hartigan-Wong), so that it may end a little lower
    assert model.within_ == pytest.approx(wanted["within"], rel=1e-3)
    assert model.within_ >= wanted["within"] * (1 - 1e-12)
    np.testing.assert_allclose(model.centres_, wanted["centres"], atol=0.02)


def test_what_speaks_for_a_number_is_that_of_r() -> None:
    table = habitat_numbers(
        reference_scans(), numbers=[2, 3, 4], seed=1, voxels_per_patient=120, n_starts=30
    )
    fits = REFERENCE["fits"]
    np.testing.assert_allclose(
        table["calinski_harabasz"], [fit["calinski_harabasz"] for fit in fits], rtol=2e-3
    )
    np.testing.assert_allclose(table["within"], [fit["share_within"] for fit in fits], rtol=2e-3)
    assert table["calinski_harabasz"].idxmax() == 1  # three parts were drawn
    assert table["n_habitats"].tolist() == [2, 3, 4]


def test_halves_of_the_patients_agree_on_the_true_number() -> None:
    table = habitat_numbers(
        cohort().items(), numbers=[3, 6], seed=2, voxels_per_patient=60, n_starts=5
    )
    assert table["agreement"][0] == 1.0
    assert table["agreement"][1] < 0.9
    alone = habitat_numbers(cohort(1).items(), numbers=[3], seed=2, voxels_per_patient=60)
    assert np.isnan(alone["agreement"].item())


def test_robust_scale_by_hand() -> None:
    values = np.array([[0.0], [1.0], [2.0], [3.0], [1000.0]])
    centre, scale = robust_scale(values, ["x"])
    assert centre.item() == 2
    assert scale.item() == pytest.approx(2 / 1.3489795003921634)


def test_every_patient_gives_as_many_voxels() -> None:
    big, tiny = scan_of(1), scan_of(2)
    few = (np.arange(np.prod(SHAPE)).reshape(SHAPE) < 4).astype(np.uint8)
    tiny = Scan(images=tiny.images, mask=image_of(few))
    voxels, patient = pooled_voxels(
        [("b", big), ("a", tiny)], sequences=["T1c", "ADC"], per_patient=10, seed=0
    )
    assert np.bincount(patient).tolist() == [10, 10]
    _, times = np.unique(voxels[patient == 0], axis=0, return_counts=True)
    assert sorted(times) == [2, 2, 3, 3]  # 10 of 4, as evenly as can be
    assert len(np.unique(voxels[patient == 1], axis=0)) == 10


# ---- whose data decides -------------------------------------------------------------------------


def test_a_label_depends_on_that_patient_alone() -> None:
    model = fitted()
    alone = array(model.label(scan_of(5)))
    model.sizes(cohort(3, shift=50.0).items())
    np.testing.assert_array_equal(array(model.label(scan_of(5))), alone)
    together = model.sizes([("X", scan_of(9, shift=9.0)), ("Y", scan_of(5))]).table
    one = model.sizes([("Y", scan_of(5))]).table
    pd.testing.assert_frame_equal(together[3:].reset_index(drop=True), one)
    # voxel by voxel, whatever is labelled beside it
    voxels = voxels_of(scan_of(5), model.sequences_)
    np.testing.assert_array_equal(model.nearest(voxels)[7:9], model.nearest(voxels[7:9]))


def test_held_out_patients_cannot_change_the_fit() -> None:
    patients = cohort(6)
    development = {name: patients[name] for name in ("P0", "P1", "P2", "P3")}
    before = small().fit(development.items()).plain()
    patients["P4"] = scan_of(4, shift=1e6)
    patients["P5"] = scan_of(5, noise=100.0)
    development = {name: patients[name] for name in ("P0", "P1", "P2", "P3")}
    assert json.dumps(small().fit(development.items()).plain()) == json.dumps(before)


@settings(max_examples=8, deadline=None)
@given(order=st.permutations(range(4)), scale=st.floats(0.01, 100), shift=st.floats(-50, 50))
def test_order_and_units_change_nothing(order: list[int], scale: float, shift: float) -> None:
    scans = list(cohort().items())
    model = small().fit([scans[place] for place in order])
    reference = fitted()
    assert model.plain() == reference.plain()
    other = {
        name: Scan(
            images={"T1c": scan.images["T1c"], "ADC": scan.images["ADC"] * scale + shift},
            mask=scan.mask,
        )
        for name, scan in cohort().items()
    }
    rescaled = small().fit(other.items())
    np.testing.assert_allclose(rescaled.centres_, reference.centres_, rtol=1e-6, atol=1e-6)


def test_first_sequence_numbers_the_habitats() -> None:
    turned = {
        name: Scan(images=dict(reversed(scan.images.items())), mask=scan.mask)
        for name, scan in cohort().items()
    }
    model = small().fit(turned.items())
    assert model.sequences_ == ("ADC", "T1c")
    assert model.table_["ADC"].is_monotonic_increasing
    new_number = np.array([0, 1, 3, 2])  # ADC rises 30, 40, 90: parts 1, 3, 2
    np.testing.assert_array_equal(array(model.label(scan_of(7))), new_number[truth(7)])


def test_only_the_region_counts() -> None:
    model = fitted()
    inside = truth(8) > 0
    scan = scan_of(8)
    outside = {
        name: image_of(np.where(inside, array(image), np.nan))
        for name, image in scan.images.items()
    }
    found = model.label(Scan(images=outside, mask=scan.mask))
    np.testing.assert_array_equal(array(found), truth(8))


# ---- files --------------------------------------------------------------------------------------


def test_saved_and_loaded_is_the_same(tmp_path: Path) -> None:
    model = fitted()
    model.save(tmp_path / "habitats.json")
    again = Habitats.load(tmp_path / "habitats.json")
    assert again.plain() == model.plain()
    pd.testing.assert_frame_equal(again.table_, model.table_)
    np.testing.assert_array_equal(array(again.label(scan_of(5))), array(model.label(scan_of(5))))
    assert [path.name for path in tmp_path.iterdir()] == ["habitats.json"]
    assert "P0" not in (tmp_path / "habitats.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda document: "{", "must be a JSON file"),
        (lambda document: [], "says it is something else"),
        (lambda document: {**document, "version": 9}, "is of version 9. Fit the habitats again"),
        (lambda document: {**document, "n_habitats": 4}, r"centres of shape \(4, 2\)"),
        (
            lambda document: {k: v for k, v in document.items() if k not in ("scale", "seed")},
            "lacks 'scale', 'seed'",
        ),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, change: Any, text: str) -> None:
    content = change(fitted().plain())
    path = tmp_path / "habitats.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=text):
        Habitats.load(path)


# ---- wrong input --------------------------------------------------------------------------------


def test_scans_that_cannot_be_used_are_named() -> None:
    scan = scan_of(1)
    other = image_of(array(scan.images["ADC"]), (1.0, 1.0, 3.0))
    moved = Scan(images={**scan.images, "ADC": other}, mask=scan.mask)
    with pytest.raises(CaseError, match=r"patient 'B': sequence 'ADC' must lie on.*1 x 1 x 3"):
        small().fit([("A", scan), ("B", moved)])
    with pytest.raises(CaseError, match="lacks 'ADC' and has none beside"):
        fitted().label(Scan(images={"T1c": scan.images["T1c"]}, mask=scan.mask))
    with pytest.raises(CaseError, match="lacks none and has 'T2' beside"):
        fitted().label(Scan(images={**scan.images, "T2": other}, mask=scan.mask))
    with pytest.raises(CaseError, match="no voxel of it is set"):
        fitted().label(Scan(images=scan.images, mask=scan.mask * 0))
    holes = array(scan.images["ADC"])
    holes[2, 2, :3] = np.nan
    broken = Scan(images={**scan.images, "ADC": image_of(holes)}, mask=scan.mask)
    with pytest.raises(CaseError, match="finite inside the region, but 3 of 180 voxels are not"):
        fitted().label(broken)


def test_wrong_arguments_are_named() -> None:
    flat = Scan(
        images={"T1c": scan_of(1).images["T1c"], "ADC": image_of(np.ones(SHAPE))},
        mask=scan_of(1).mask,
    )
    with pytest.raises(ValueError, match=r"one value in 'ADC'\. Take it out"):
        small().fit([("A", flat)])
    with pytest.raises(
        ValueError, match="n_habitats must be a whole number from 2 to 255, but is 1"
    ):
        small(n_habitats=1).fit(cohort().items())
    with pytest.raises(
        ValueError, match="voxels_per_patient must be a whole number of 1 or more, but is 0"
    ):
        small(voxels_per_patient=0).fit(cohort().items())
    with pytest.raises(ValueError, match="10 different voxels for 12"):
        small(n_habitats=12, voxels_per_patient=10).fit([("A", scan_of(1))])
    with pytest.raises(ValueError, match="'A' comes twice"):
        small().fit([("A", scan_of(1)), ("A", scan_of(2))])
    with pytest.raises(ValueError, match="must hold a patient"):
        small().fit([])
    with pytest.raises(ValueError, match="must hold a patient"):
        fitted().sizes([])
    with pytest.raises(ValueError, match="the first has none"):
        small().fit([("A", Scan(images={}, mask=scan_of(1).mask))])
