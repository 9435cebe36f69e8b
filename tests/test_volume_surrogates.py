"""Features that are tumour volume in other words: by hand, by scipy, by R, and what must hold."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import spearmanr

from models.volume_surrogates import (
    cohort_surrogates,
    extraction_surrogates,
    own_volumes,
    spearman_interval,
    surrogate_findings,
    volume_surrogates,
)
from omics.cohort import Cohort
from omics.errors import Finding
from tests.made_cohorts import made_cohort, with_table
from tests.made_extraction import FEATURES, made_extraction
from tests.realdata import DATA, needs_data

REFERENCE = json.loads(
    (Path(__file__).parent / "reference" / "volume_surrogates.json").read_text(encoding="utf-8")
)
VOLUME = "original_shape_VoxelVolume"
FEATURE = "original_glcm_Contrast"


def one(feature: list[float], volume: list[float], **options: float) -> "pd.Series[float]":
    table = volume_surrogates(pd.DataFrame({VOLUME: volume, FEATURE: feature}), **options).table
    return table.iloc[0]


def made(n: int, p: int, *, seed: int, gaps: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    volume = rng.exponential(size=n).round(2)
    values = rng.normal(size=(n, p)) + np.linspace(-2, 2, p) * volume[:, np.newaxis]
    values[rng.random(values.shape) < gaps] = np.nan
    table = pd.DataFrame(values, columns=[f"original_glcm_F{j}" for j in range(p)])
    table.insert(0, VOLUME, volume)
    return table


# numbers ----------------------------------------------------------------------------------------


def test_by_hand() -> None:
    # ranks of the feature 2 1 4 3 5 against 1 2 3 4 5: squared differences 1 1 1 1 0,
    # rho = 1 - 6 * 4 / (5 * 24) = 0.8; its standard error sqrt((1 + .32) / 2)
    row = one([5, 1, 8, 7, 9], [10, 20, 30, 40, 50])
    assert row["correlation"] == pytest.approx(0.8, abs=1e-12)
    reach = 1.959963984540054 * np.sqrt(0.66)
    assert row["lower"] == pytest.approx(np.tanh(np.arctanh(0.8) - reach), abs=1e-12)
    assert row["upper"] == pytest.approx(np.tanh(np.arctanh(0.8) + reach), abs=1e-12)
    assert row["surrogate"]


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_equals_r_with_ties_and_gaps(level: float) -> None:
    features = pd.DataFrame(REFERENCE["features"], dtype=np.float64)
    features[VOLUME] = np.array(REFERENCE["volume"], dtype=np.float64)
    found = volume_surrogates(features, level=level).table.set_index("feature")
    for name, theirs in REFERENCE["found"].items():
        ours = found.loc[name]
        assert ours["n_patients"] == theirs["n"]
        limits = theirs[f"at_{100 * level:.0f}"]
        np.testing.assert_allclose(
            [ours["correlation"], ours["lower"], ours["upper"]],
            [theirs["correlation"], *limits],
            atol=1e-12,
        )


@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_equals_scipy(gaps: float) -> None:
    features = made(60, 25, seed=4, gaps=gaps)
    found = volume_surrogates(features).table
    for row in found.itertuples():
        theirs = spearmanr(features[row.feature], features[VOLUME], nan_policy="omit").statistic
        assert row.correlation == pytest.approx(theirs, abs=1e-12)


@needs_data("ucsf_pdgm")
def test_real_tumours_have_as_many_surrogates_as_r_counts() -> None:
    theirs = REFERENCE["ucsf"]
    folder = DATA / "ucsf_pdgm"
    found = volume_surrogates(pd.read_csv(folder / "radiomic_features_T1gad_bias.csv"))
    assert found.volumes == ("original_shape_MeshVolume",)
    assert (found.n_patients, found.n_features) == (theirs["n"], theirs["n_features"])
    assert found.n_surrogates == theirs["n_surrogates"]
    by_class = found.by_class.set_index("feature_class")
    assert by_class["n_surrogates"].to_dict() == theirs["by_class"]
    assert by_class["median"].to_dict() == pytest.approx(theirs["median"], abs=1e-12)


def test_the_interval_holds_what_it_says() -> None:
    # bivariate normal, rho_s = 6 / pi * asin(rho / 2); 4000 simulations: standard error .0034
    rng, n, rho = np.random.default_rng(11), 40, 0.7
    x = rng.normal(size=(n, 4000))
    y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=x.shape)
    ranks = [z.argsort(axis=0).argsort(axis=0) for z in (x, y)]
    r = 1 - 6 * ((ranks[0] - ranks[1]) ** 2).sum(axis=0) / (n * (n**2 - 1))
    lower, upper = spearman_interval(r, np.full(4000, n), level=0.95)
    true = 6 / np.pi * np.arcsin(rho / 2)
    assert 0.935 < np.mean((lower <= true) & (true <= upper)) < 0.965


# what always holds ------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(-9, 9)), min_size=5, max_size=20),
    st.integers(0, 99),
)
@settings(max_examples=40)
def test_order_and_unit_do_not_matter(pairs: list[tuple[int, int]], seed: int) -> None:
    volume, feature = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))
    if np.ptp(volume) == 0:
        return
    first = one(feature.tolist(), volume.tolist())
    order = np.random.default_rng(seed).permutation(len(pairs))
    again = one(np.exp(feature[order]).tolist(), (1000 * volume[order]).tolist())
    columns = ["correlation", "lower", "upper"]
    np.testing.assert_allclose(first[columns].astype(float), again[columns].astype(float), 1e-9)
    reversed_ = one((-feature).tolist(), volume.tolist())
    np.testing.assert_allclose(reversed_["correlation"], -first["correlation"], atol=1e-12)
    np.testing.assert_allclose(reversed_["lower"], -first["upper"], atol=1e-12)


def test_a_feature_known_by_fewer_patients_has_a_wider_interval() -> None:
    features = made(60, 1, seed=2)
    whole = volume_surrogates(features).table.iloc[0]
    half = volume_surrogates(features.iloc[:30]).table.iloc[0]
    assert whole["upper"] - whole["lower"] < half["upper"] - half["lower"]


def test_a_feature_of_the_volume_is_a_surrogate_and_noise_is_none() -> None:
    rng = np.random.default_rng(1)
    volume = rng.exponential(size=80)
    features = pd.DataFrame(
        {
            VOLUME: volume,
            "original_shape_MeshVolume": volume,
            "original_glszm_ZoneEntropy": np.log(volume),
            "original_glszm_LowGrayLevelZoneEmphasis": -volume,
            "original_firstorder_Skewness": rng.normal(size=80),
        }
    )
    found = volume_surrogates(features)
    assert (found.n_surrogates, found.n_features, found.n_patients) == (2, 3, 80)
    assert found.volumes == (VOLUME,)
    by_class = found.by_class.set_index("feature_class")
    assert by_class.loc["glszm", ["n_features", "n_surrogates"]].tolist() == [2, 2]
    assert by_class.loc["glszm", "lowest"] == 1
    assert by_class.loc["firstorder", "n_surrogates"] == 0
    assert "2 of 3 features with |rho| >= 0.7, 80 patients" in repr(found)
    assert volume_surrogates(features, threshold=1.0).n_surrogates == 2


# what cannot be known ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "feature",
    [
        [3.0, 3.0, 3.0, 3.0, 3.0],  # constant
        [1.0, np.nan, np.nan, 2.0, np.nan],  # two patients
        [np.nan] * 5,
        [np.inf, -np.inf, np.inf, 1.0, 2.0],
    ],
)
def test_no_correlation(feature: list[float]) -> None:
    row = one(feature, [1, 2, 3, 4, 5])
    assert np.isnan([row["correlation"], row["lower"], row["upper"]]).all()
    assert not row["surrogate"]
    found = volume_surrogates(pd.DataFrame({VOLUME: [1.0, 2, 3, 4, 5], FEATURE: feature}))
    assert (found.n_features, len(found.by_class)) == (0, 0)


def test_no_interval_of_three_patients_or_a_perfect_correlation() -> None:
    three = one([1.0, 3.0, 2.0, np.nan], [1, 2, 3, 4])
    assert (three["correlation"], three["n_patients"]) == (pytest.approx(0.5), 3)
    assert np.isnan(three["lower"])
    perfect = one([1.0, 2, 3, 4, 5], [1, 2, 3, 4, 5])
    assert perfect["correlation"] == 1
    assert np.isnan([perfect["lower"], perfect["upper"]]).all()


def test_what_is_no_number_or_no_feature_is_left_out() -> None:
    features = pd.DataFrame(
        {
            VOLUME: [1.0, 2, 3, 5],
            "diagnostics_Region_Voxels": [1, 2, 3, 4],
            "centre": list("abab"),
            FEATURE: [1, 3, 2, 4],
            "Own": [4, 3, 2, 1],
        }
    )
    before = features.copy()
    table = volume_surrogates(features).table
    assert table["feature"].tolist() == [FEATURE, "Own"]
    assert table["feature_class"].tolist() == ["glcm", "other"]
    pd.testing.assert_frame_equal(features, before)


# whose volume -----------------------------------------------------------------------------------


def test_a_region_is_compared_with_its_own_volume() -> None:
    rng = np.random.default_rng(3)
    core, edema = rng.exponential(size=(2, 50))
    features = pd.DataFrame(
        {
            "mri:T1c|core|original_shape_MeshVolume": core,
            "mri:T1c|core|original_glcm_Contrast": core,
            "mri:T1c|edema|original_shape_MeshVolume": edema,
            "mri:T1c|edema|original_glcm_Contrast": edema,
            "mri:T2|edema|original_glcm_Contrast": core,  # has no volume of its own
            "pet:original_glcm_Contrast": core,
        }
    )
    found = volume_surrogates(features).table
    assert found["correlation"].tolist() == [1, 1, 1, 1]
    assert found["volume"].str.contains("edema").tolist() == [False, True, False, False]


def test_a_volume_that_does_not_vary_is_passed_over() -> None:
    features = pd.DataFrame(
        {VOLUME: [1.0] * 4, "original_shape_MeshVolume": [1.0, 2, 3, 5], FEATURE: [1.0, 2, 4, 3]}
    )
    assert volume_surrogates(features).volumes == ("original_shape_MeshVolume",)
    assert own_volumes(features[[FEATURE]]) == {}


def test_a_named_volume_is_taken() -> None:
    features = pd.DataFrame({"diagnostics_Region_Volume": [1.0, 2, 3, 5], FEATURE: [4.0, 3, 2, 1]})
    found = volume_surrogates(features, volumes={FEATURE: "diagnostics_Region_Volume"})
    assert found.table["correlation"].tolist() == [-1]


# bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ([FEATURE], {}, "features must hold a volume that varies, but none of 1 columns"),
        ([VOLUME, FEATURE], {"threshold": 0}, "threshold must lie above 0 and not above 1"),
        ([VOLUME, FEATURE], {"threshold": 1.2}, "but 1.2 came"),
        ([VOLUME, FEATURE], {"level": 95}, "level must lie between 0 and 1"),
        ([VOLUME, FEATURE], {"volumes": {FEATURE: "size"}}, "'size' is none of 2"),
    ],
)
def test_wrong_input_is_named(columns: list[str], options: dict[str, object], message: str) -> None:
    features = pd.DataFrame({column: [1.0, 2, 3, 4] for column in columns})
    with pytest.raises(ValueError, match=message):
        volume_surrogates(features, **options)  # type: ignore[arg-type]


# of a study -------------------------------------------------------------------------------------


def of_volume(n_features: int, *, seed: int = 3) -> Cohort:
    """A cohort whose first `n_features` of 11 image features are its volume and noise."""
    cohort = made_cohort(80, external=20, seed=seed)
    X = cohort.X.rename(columns={"mri:f0": f"mri:{VOLUME}"})
    for j in range(1, 12):
        noise = np.random.default_rng(j).normal(size=len(X))
        X[f"mri:f{j}"] = X[f"mri:{VOLUME}"] + 0.1 * noise if j <= n_features else noise
    return with_table(cohort, X)


def test_a_study_is_told_of_its_development_patients() -> None:
    cohort = of_volume(5)
    found = cohort_surrogates(cohort)
    assert found is not None
    assert (found.n_patients, found.n_surrogates, found.n_features) == (60, 5, 11)
    assert found.table["feature"].str.startswith("mri:").all()
    other = cohort.X.copy()
    other.iloc[60:] = np.nan  # patients of the external cohort
    again = cohort_surrogates(with_table(cohort, other))
    assert again is not None
    pd.testing.assert_frame_equal(found.table, again.table)


def test_without_a_volume_there_is_nothing() -> None:
    assert cohort_surrogates(made_cohort(30)) is None
    cohort = of_volume(1)
    assert cohort_surrogates(with_table(cohort, cohort.X[[f"mri:{VOLUME}"]])) is None
    assert list(surrogate_findings(None)) == []


@pytest.mark.parametrize(("n_features", "told"), [(0, False), (3, False), (4, True), (11, True)])
def test_a_third_is_many(n_features: int, told: bool) -> None:
    findings: list[Finding] = list(surrogate_findings(cohort_surrogates(of_volume(n_features))))
    assert [finding.code for finding in findings] == ["volume_surrogates"] * told
    if told:
        assert f"{n_features} of 11 radiomics features" in findings[0].message
        assert findings[0].severity == "caution"


def test_many_patterns_of_gaps_cost_no_number() -> None:
    features = made(31, 40, seed=9, gaps=0.3)
    features.loc[3, VOLUME] = np.nan
    table = volume_surrogates(features).table
    known: NDArray[np.bool_] = features.notna().to_numpy()
    assert table["n_patients"].tolist() == (known[:, 1:] & known[:, :1]).sum(axis=0).tolist()


# of an extraction -------------------------------------------------------------------------------


def test_an_extraction_is_told_of_one_row_per_patient() -> None:
    once = extraction_surrogates(made_extraction(20, n_failed=0, sequences=("T1c", "T2")))
    twice = extraction_surrogates(
        made_extraction(20, n_failed=0, sequences=("T1c", "T2"), readers=("A",))
    )
    assert once is not None
    assert twice is not None
    assert once.n_patients == 20
    assert set(once.table["n_patients"]) == {20}
    assert len(once.table) == 2 * 2 * (len(FEATURES) - 1)
    pd.testing.assert_frame_equal(once.table, twice.table)
    row = once.table.iloc[-1]
    assert row["feature"] == f"T2|edema|{FEATURES[-1]}"
    assert row["volume"] == "T2|edema|original_shape_MeshVolume"


def test_a_second_reader_adds_no_patient() -> None:
    both = made_extraction(20, n_failed=0, readers=("A", "B"), regions=("core",))
    first = replace(both, table=both.table.query("reader == 'A'"))
    found, alone = extraction_surrogates(both), extraction_surrogates(first)
    assert found is not None
    assert alone is not None
    pd.testing.assert_frame_equal(found.table, alone.table)


def test_without_shape_the_voxels_are_the_volume() -> None:
    made_ = made_extraction(20, n_failed=0, regions=("core",), features=FEATURES[1:])
    found = extraction_surrogates(made_)
    assert found is not None
    assert found.volumes == ("core|diagnostics_Region_Volume",)
    energy = found.table.set_index("feature").loc["core|original_firstorder_Energy"]
    wanted = spearmanr(
        made_.table["original_firstorder_Energy"], made_.table["diagnostics_Region_Volume"]
    ).statistic
    assert energy["correlation"] == pytest.approx(wanted, abs=1e-12)
    assert energy["feature_class"] == "firstorder"


def test_nothing_extracted_has_no_surrogates() -> None:
    made_ = made_extraction(3, n_failed=0)
    assert extraction_surrogates(replace(made_, table=made_.table.iloc[:0])) is None
    only = made_extraction(3, n_failed=0, features=FEATURES[:1])
    assert extraction_surrogates(only) is None
