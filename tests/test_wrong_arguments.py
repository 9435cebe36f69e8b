"""Arguments of another type, shape or range are told in words by every function on images."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omics.bland_altman import bland_altman
from omics.delta import delta_features, long_delta
from omics.errors import CaseError
from omics.extraction_settings import read_settings
from omics.feature_maps import feature_map
from omics.habitat_clusters import habitat_numbers
from omics.habitat_voxels import Scan
from omics.habitats import Habitats
from omics.harmonise import ComBat
from omics.lesions import lesions, reduce_lesions
from omics.mask_agreement import agreement_of_images, mask_agreement
from omics.perturbation import PerturbationSettings, noise_of, perturbations, perturbed_masks
from omics.perturbing import Perturbing
from omics.reliability import ReliabilityFilter, icc, table_reliability
from omics.rings import ring, ring_of

sitk = pytest.importorskip("SimpleITK", reason="the extra extract is not installed")

CUBE = np.zeros((5, 6, 7), dtype=np.uint8)
CUBE[1:4, 2:5, 2:5] = 1
NOISE = np.random.default_rng(0).normal(size=CUBE.shape)
MASK, IMAGE = (sitk.GetImageFromArray(array) for array in (CUBE, NOISE))
NAN = sitk.GetImageFromArray(np.full(CUBE.shape, np.nan))
VECTOR = sitk.Image([7, 6, 5], sitk.sitkVectorUInt8, 3)
SCAN = Scan(images={"T1": IMAGE}, mask=MASK)
PAIRS = [("P1", SCAN), ("P2", SCAN)]
BOTH = pd.DataFrame({"x": [1.0, 2.0], "y": [2.0, 3.0]}, index=["a", "b"])
LONG = pd.DataFrame(
    {"patient": list("aabb"), "timepoint": ["pre", "post"] * 2, "day": [0, 9] * 2, "x": 1.0}
)
READINGS = np.random.default_rng(1).normal(size=(6, 2, 3))
WIDE = pd.DataFrame(
    {"mri:a": NOISE.ravel()[:12], "mri:b": NOISE.ravel()[12:24]}, index=list("abcdefghijkl")
)
SITES = WIDE.assign(**{"meta:centre": list("AB") * 6, "clinical:age": np.arange(12.0)})
SHIFT = PerturbationSettings(shift=1.0)
TWICE = pd.Series(["P", "P"])
DAYS = pd.Series([3.0, 4.0], index=["a", "b"])


def fitted() -> Habitats:
    return Habitats(2).fit(PAIRS)


def changed(**what: Any) -> Habitats:
    return Habitats.from_plain(fitted().plain() | what)


def long(table: Any = LONG, **options: Any) -> Any:
    return long_delta(table, **{"between": ("pre", "post"), "kind": "absolute"} | options)


def rows(table: Any = BOTH, patients: Any = TWICE, **options: Any) -> Any:
    return reduce_lesions(table, patients, **{"by": "mean"} | options)


def copies(mask: Any = CUBE > 0, **options: Any) -> Any:
    return perturbed_masks(
        mask, **{"spacing": (1, 1, 1), "n": 1, "seed": 0, "settings": SHIFT} | options
    )


def combat(X: Any = SITES, **options: Any) -> ComBat:
    return ComBat(**{"tables": ["mri"], "new_centre": "refuse"} | options).fit(X)


def judged(X: Any = WIDE, **options: Any) -> ReliabilityFilter:
    return ReliabilityFilter(**{"repeats": [WIDE], "form": "ICC(1)", "least": 0.5} | options).fit(X)


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: Habitats(3.5).fit(PAIRS), "n_habitats must be a whole number from 2 .* is 3.5"),
    (lambda: Habitats("3").fit(PAIRS), "n_habitats must be a whole number from 2 .* is '3'"),
    (lambda: Habitats(0).fit(PAIRS), "n_habitats must be a whole number from 2 .* is 0"),
    (lambda: Habitats(True).fit(PAIRS), "n_habitats must be a whole number from 2 .* is True"),
    (lambda: Habitats(n_starts=0).fit(PAIRS), "n_starts must be a whole number of 1"),
    (lambda: Habitats(seed=None).fit(PAIRS), "seed must be a whole number of 0 or more, but is No"),
    (lambda: Habitats(voxels_per_patient=9.5).fit(PAIRS), "voxels_per_patient must be a whole"),
    (lambda: Habitats(2).fit([]), "scans must hold a patient, but there are none"),
    (lambda: Habitats(2).fit({}), "scans must hold a patient, but there are none"),
    (lambda: Habitats(2).fit(None), "scans must map patients to Scans.*of type NoneType"),
    (lambda: Habitats(2).fit([SCAN]), "pairs of patient .* item 1 is Scan. Give a dict"),
    (lambda: Habitats(2).fit([*PAIRS, (3, SCAN)]), r"item 3 is \(int, Scan\)"),
    (lambda: Habitats(2).fit({"P": IMAGE}), r"item 1 is \(str, Image\)"),
    (lambda: Scan(images=[IMAGE], mask=MASK), "images must map names .* of type list"),
    (lambda: Scan(images={"T1": IMAGE}, mask=CUBE), "mask must be a SimpleITK image.* ndarray"),
    (lambda: fitted().sizes([*PAIRS, *PAIRS]), "'P1' comes twice"),
    (lambda: fitted().label(IMAGE), "scan must be a Scan, but is of type Image"),
    (lambda: fitted().label(Scan(images={"T1": CUBE}, mask=MASK)), "sequence 'T1' must be a Simp"),
    (lambda: fitted().nearest(np.zeros((2, 3))), r"shape \(n_voxels, 1\).* it is \(2, 3\)"),
    (lambda: fitted().nearest([[np.nan]]), "voxels must be finite, but 1 of 1"),
    (lambda: fitted().nearest([["high"]]), "voxels must be numbers"),
    (lambda: fitted().save("/no/such/folder/habitats.json"), "cannot be written: No such file"),
    (lambda: Habitats.load("/no/such/habitats.json"), "cannot be read: No such file"),
    (lambda: changed(n_habitats=2.5), "n_habitats of the file must be a whole number"),
    (lambda: changed(scale=[0.0]), r"must hold scale of shape \(1,\), finite numbers above 0"),
    (lambda: changed(centres=[[1], [2, 3]]), r"must hold centres of shape \(2, 1\)"),
    (lambda: changed(sequences="T1"), r"sequences of the file must be a list .* Write \['T1'\]"),
    (lambda: habitat_numbers(PAIRS, numbers=3, seed=0), r"numbers must be a list such as \[2"),
    (lambda: habitat_numbers(PAIRS, numbers=["2"], seed=0), "each of numbers must be a whole"),
    (lambda: ring(CUBE, inner=0, outer=2), "mask must be a SimpleITK image"),
    (lambda: ring(NAN, inner=0, outer=2), "mask must be 0 outside .* 210 of 210 voxels are not f"),
    (lambda: ring(VECTOR, inner=0, outer=2), "mask must hold one value per voxel, but holds 3"),
    (lambda: ring(MASK, inner="0", outer=2), "it goes from '0' to 2"),
    (lambda: ring(MASK, inner=0, outer=None), "it goes from 0 to None"),
    (lambda: ring(MASK, inner=0, outer=1, brain_mask=CUBE), "the brain mask must be a SimpleITK"),
    (lambda: ring_of(CUBE > 9, spacing=(1, 1, 1), inner=0, outer=1), "True somewhere, .* empty"),
    (lambda: ring_of(CUBE > 0, spacing=(1, 1), inner=0, outer=1), "spacing must give a size"),
    (lambda: lesions(CUBE), "mask must be a SimpleITK image"),
    (
        lambda: lesions(MASK, smallest="1"),
        "smallest must be a number of mm³, 0 or more, but is '1'",
    ),
    (lambda: lesions(MASK, touching=None), "touching must be one of corners, faces, but is None"),
    (lambda: lesions(MASK).mask("1"), "lesion must be a whole number from 1 to 1, but is '1'"),
    (lambda: rows(None), "table must be a DataFrame, but is of type NoneType"),
    (lambda: rows(by="meen"), "by must be one of .* Did you mean 'mean'"),
    (lambda: rows(patients=["P", "P"]), "patients must be a Series .* but no Series came"),
    (lambda: rows(patients=pd.Series(["P", None])), "patients must be known .* 1 of 2 are missing"),
    (lambda: rows(by="largest", size=pd.Series(["1", "2"])), "size must hold numbers"),
    (lambda: rows(total=["z"]), "total must name columns, but none is called 'z'"),
    (lambda: rows(total="x"), r"total must be a list of names, but 'x' came. Write \['x'\]"),
    (lambda: rows(count="x"), "reduce must add new columns, but 'x' is one already"),
    (lambda: delta_features(None, BOTH, kind="absolute"), "start must be a DataFrame"),
    (lambda: delta_features(BOTH, BOTH["x"], kind="absolute"), "end must be a DataFrame.*Series"),
    (lambda: delta_features(BOTH, BOTH, kind=None), "kind must be one of absolute.*is None"),
    (lambda: delta_features(BOTH.set_axis(["a", None]), BOTH, kind="absolute"), "1 of 2 rows have"),
    (lambda: delta_features(BOTH * 1j, BOTH * 1j, kind="absolute"), "start must hold numbers"),
    (lambda: delta_features(BOTH, BOTH, kind="per_day", days=[1, 2]), "days must be a Series of n"),
    (
        lambda: delta_features(BOTH, BOTH, kind="per_day", days=DAYS * np.inf),
        r"and finite, but 2 of 2 are not \(first: inf at patient row 1\)",
    ),
    (lambda: long(None), "table must be a DataFrame"),
    (lambda: long(between="pre"), "between must name two timepoints, such as"),
    (lambda: long(between=("pre", 3)), "no row is of 3. There are: 'pre', 'post'"),
    (
        lambda: long(LONG.assign(timepoint=[0, 1] * 2), between=("0", "1")),
        "no row is of '0'. Write 0, as the column holds it",
    ),
    (lambda: long(column=["timepoint"]), "column must be a name, but is"),
    (lambda: long(within="day"), r"within must be a list of names, but 'day' came"),
    (lambda: long(within=["patient"]), "within must name columns beside .* names 'patient'"),
    (lambda: long(LONG.assign(patient=[None, *"abb"])), r"1 of 4 do not \(first: row 1\)"),
    (lambda: icc("high", form="ICC(1)"), "readings must be an array of numbers, but is none"),
    (lambda: icc([[1, 2], [3]], form="ICC(1)"), "readings must be an array of numbers"),
    (lambda: icc(READINGS * 1j, form="ICC(1)"), "readings must be an array of numbers"),
    (lambda: icc(READINGS, form=None), "form must be one of"),
    (lambda: icc(READINGS, form="ICC(1)", level="0.9"), "level must lie between 0 and 1, but '0"),
    (lambda: icc(READINGS, form="ICC(1)", names="abc"), "names must be a list of names, but 'abc'"),
    (lambda: table_reliability(BOTH, form="ICC(1)"), "tables must be a list .* of type DataFrame"),
    (lambda: table_reliability([BOTH, None], form="ICC(1)"), "table 2 must be a DataFrame"),
    (lambda: judged(repeats=WIDE), "repeats must be a list of DataFrames.*of type DataFrame"),
    (lambda: judged(repeats=[None]), "repeats 1 must be a DataFrame"),
    (lambda: judged(least="0.5"), r"least must be a correlation in \[0, 1\], but '0.5' came"),
    (lambda: judged(least_patients=2.5), "least_patients must be a whole number of 2"),
    (lambda: judged(WIDE.to_numpy()), "X must be a DataFrame, but is of type ndarray"),
    (lambda: judged().transform(None), "X must be a DataFrame"),
    (lambda: mask_agreement([[1], [1, 0]], [[1], [1, 0]], spacing=(1, 1)), "one must be an array"),
    (lambda: mask_agreement(CUBE, CUBE, spacing=None), "spacing must give a size .* None came"),
    (lambda: agreement_of_images(MASK, CUBE), "other must be a SimpleITK image"),
    (lambda: bland_altman([1, 2], "high"), "second must be an array of numbers"),
    (lambda: bland_altman([1, 2], [1, 2], coverage=95), "coverage must lie between 0 and 1"),
    (lambda: bland_altman([1, 2], [1, 2], names="x"), "names must be a list"),
    (lambda: PerturbationSettings(shift="1"), "shift must be a number of mm.* is '1'"),
    (lambda: PerturbationSettings(grow=1), "grow must be two numbers of mm"),
    (lambda: PerturbationSettings(grow=(1, 0)), "grow must rise"),
    (lambda: Perturbing(n=1, settings=PerturbationSettings()), "the copies would be the masks"),
    (lambda: Perturbing(n=1, settings=None), "settings must be PerturbationSettings"),
    (lambda: copies(CUBE), "mask must be an array of bool, but is of uint8"),
    (lambda: copies(n="1"), "n must be a whole number"),
    (lambda: copies(seed=None), "seed must be a whole number"),
    (lambda: copies(spacing=(1, 0, 1)), "spacing must give a size above zero"),
    (
        lambda: perturbations(MASK, IMAGE[:3], n=1, seed=0, settings=SHIFT),
        "image must lie on the grid of the mask",
    ),
    (
        lambda: perturbations(MASK, NAN, n=1, seed=0, settings=PerturbationSettings(noise=1)),
        "image must be finite to be given noise, but 210 of 210",
    ),
    (lambda: noise_of(NOISE[0], CUBE > 0), "image and mask must lie on one grid"),
    (lambda: combat(tables="mri"), r"tables must be a list .* Write \['mri'\]"),
    (lambda: combat(covariates=None), "covariates must be a list of names, but None came"),
    (lambda: combat(parametric="no"), "parametric must be True or False, but is 'no'"),
    (lambda: combat(reference=3), "reference must be a name, but is 3"),
    (lambda: combat(new_centre="estimate", least_patients="3"), "least_patients must be a whole"),
    (lambda: combat(None), "X must be a DataFrame"),
    (lambda: combat(pd.concat([SITES, WIDE], axis=1)), "several of 'mri:a', 'mri:b'"),
    (lambda: combat(SITES.iloc[:0]), "patients with values of the tables, but there are none"),
    (
        lambda: combat(SITES.assign(**{"clinical:age": np.inf}), covariates=["clinical:age"]),
        "covariates must be finite, but 'clinical:age'",
    ),
    (lambda: combat().transform(SITES.assign(**{"mri:a": "1"})), r"numbers, .*first: 'mri:a'"),
    (lambda: combat().transform(SITES.assign(**{"mri:a": np.inf})), "finite.*first: 'mri:a'"),
    (
        lambda: combat(covariates=["clinical:age"]).transform(
            SITES.assign(**{"clinical:age": "old"})
        ),
        r"X must hold numbers, .*first: 'clinical:age'",
    ),
]


@pytest.mark.parametrize(("call", "told"), WRONG, ids=range(len(WRONG)))
def test_wrong_arguments_are_told(call: Callable[[], object], told: str) -> None:
    with pytest.raises((ValueError, TypeError), match=told):
        call()


def test_a_dict_of_scans_is_as_good_as_pairs() -> None:
    one, other = Habitats(2).fit(PAIRS), Habitats(2).fit(dict(PAIRS))
    np.testing.assert_array_equal(one.centres_, other.centres_)
    pd.testing.assert_frame_equal(one.sizes(PAIRS).table, other.sizes(dict(PAIRS)).table)


def test_whole_numbers_of_numpy_are_whole_numbers() -> None:
    model = Habitats(np.int64(2)).fit(PAIRS)
    assert type(model.plain()["n_habitats"]) is int
    assert Habitats.from_plain(model.plain()).n_habitats == 2


def test_maps_name_what_is_wrong() -> None:
    pytest.importorskip("radiomics", reason="the extra extract is not installed")
    mean, settings = "original_firstorder_Mean", read_settings("ct")
    with pytest.raises(TypeError, match="image must be a SimpleITK image"):
        feature_map(CUBE, MASK, settings, feature=mean)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"must be ExtractionSettings, but 'ct' came\. Read them"):
        feature_map(IMAGE, MASK, "ct", feature=mean)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="radius must be a whole number of 1 or more, but is '1'"):
        feature_map(IMAGE, MASK, settings, feature=mean, radius="1")  # type: ignore[arg-type]
    with pytest.raises(CaseError, match="finite inside the region, but 27 of 27 voxels are not"):
        feature_map(NAN, MASK, settings, feature=mean)
