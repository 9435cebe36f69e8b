"""The synthetic cohort: its truth is in its tables, and it reads like a user's study."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sksurv.metrics import concordance_index_censored

from models.cox_fit import cox_fit
from omics.cohort import Cohort
from omics.mofa import FactorModel
from omics.radiomics import parse_feature_name
from omics.synthetic import FACTORS, synthetic_cohort
from omics.synthetic_study import FILES, SyntheticStudy
from omics.tables import read_table
from reports.study_file import Study, read_study
from tests.realdata import DATA, needs_data

STUDY = synthetic_cohort(seed=7)
TRUTH = STUDY.truth
BANDS = ("LLL", "LLH", "LHL", "HLH", "HHL", "HHH")


def of(study: SyntheticStudy, name: str) -> pd.DataFrame:
    return study.tables[name].set_index("patient")


def radiomics_features(study: SyntheticStudy) -> pd.DataFrame:
    table = of(study, "radiomics")
    return table[[c for c in table if c.startswith(("original_", "wavelet-"))]]


def join(study: Study) -> Cohort:
    reserve = [study.outcome.time, study.outcome.event, "followup:Centre"]
    views = [
        read_table(
            spec,
            name=name,
            reserve=tuple(a.partition(":")[2] for a in reserve if a.startswith(f"{name}:")),
        )
        for name, spec in study.tables.items()
    ]
    return Cohort.join(views, outcome=study.outcome, cohorts=study.cohorts, centre=study.centre)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return STUDY.write(tmp_path_factory.mktemp("synthetic")).parent


@pytest.fixture(scope="module")
def cohort(folder: Path) -> Cohort:
    return join(read_study(folder / "study.toml"))


# seeds ----------------------------------------------------------------------------------


def test_same_seed_same_study_and_no_global_state() -> None:
    np.random.seed(0)  # noqa: NPY002  the global generator must be left alone
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    again = synthetic_cohort(seed=7)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    for name, table in STUDY.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], table)
    assert again.study_toml == STUDY.study_toml
    other = synthetic_cohort(seed=8)
    assert not other.tables["followup"].equals(STUDY.tables["followup"])


def test_too_few_patients_are_refused() -> None:
    with pytest.raises(ValueError, match="n_patients must be at least 30, but 29 came"):
        synthetic_cohort(29, seed=1)


# survival -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_true_c_lies_between_70_and_75(seed: int) -> None:
    study = synthetic_cohort(seed=seed)
    assert 0.70 < study.truth.c_index < 0.75
    followup = of(study, "followup").dropna()
    dead = (followup["Status"] == "dead").to_numpy()
    assert 0.45 < dead.mean() < 0.65
    days = followup["OS days"].to_numpy(dtype=float)
    assert (days >= 1).all()
    assert (dead & (days <= 365)).sum() > 50  # the first horizon has events
    assert days.max() > 1095  # and follow-up reaches beyond the last
    oracle = concordance_index_censored(
        dead, days, study.truth.linear_predictor[followup.index].to_numpy()
    )[0]
    assert oracle == pytest.approx(study.truth.c_index, abs=0.06)  # its standard error is .02


def test_c_index_is_the_chance_of_dying_first() -> None:
    # Witness: uncensored Weibull times drawn anew from the true linear predictor.
    lp = TRUTH.linear_predictor.to_numpy()
    rng = np.random.default_rng(0)
    drawn = [
        concordance_index_censored(
            np.ones(len(lp), dtype=bool), rng.exponential(np.exp(-lp)) ** 0.8, lp
        )[0]
        for _ in range(20)
    ]
    assert np.mean(drawn) == pytest.approx(TRUTH.c_index, abs=0.01)


def test_linear_predictor_is_made_of_the_coefficients() -> None:
    large = synthetic_cohort(3000, seed=5)
    truth, clinical = large.truth, of(large, "clinical").loc[large.truth.factors.index]
    known = clinical["KPS"].notna()  # what was lost from the table still counted
    design = truth.factors.assign(
        **{
            "years above 40": np.maximum(clinical["Age"] - 40, 0),
            "KPS": clinical["KPS"],
            "Resection=STR": (clinical["Resection"] == "STR").astype(float),
            "Resection=biopsy": (clinical["Resection"] == "biopsy").astype(float),
        }
    )[truth.coefficients.index]
    difference = truth.linear_predictor - design @ truth.coefficients
    assert np.ptp(difference[known]) == pytest.approx(0, abs=1e-10)

    followup = of(large, "followup").loc[design.index]
    rows = (known & followup["OS days"].notna()).to_numpy()
    fit = cox_fit(
        design[rows].to_numpy(),
        followup["OS days"][rows].to_numpy(dtype=float),
        (followup["Status"] == "dead")[rows].to_numpy(),
    )
    error = (fit.coef - truth.coefficients.to_numpy()) / np.sqrt(np.diag(fit.covariance))
    assert np.abs(error).max() < 3
    assert truth.coefficients[["volume", "immunity", "texture"]].eq(0).all()


# tables ---------------------------------------------------------------------------------


def test_size_of_the_tables() -> None:
    assert 95 <= radiomics_features(STUDY).shape[1] <= 105
    assert of(STUDY, "expression").shape[1] == 150
    assert of(STUDY, "mutations").shape[1] == 14
    assert of(STUDY, "proteomics").shape[1] == 40
    assert set(of(STUDY, "followup")["Centre"]) == {"Centre A", "Centre B", "Centre C"}
    for name, table in STUDY.tables.items():
        assert table["patient"].is_unique, name
        assert not table["patient"].is_monotonic_increasing, name
        assert table.columns.is_unique, name


@needs_data("images")
def test_radiomics_features_are_among_those_pyradiomics_computes() -> None:
    baseline = sorted((DATA / "images" / "baseline").glob("baseline_*.csv"))
    computed = {
        name.removeprefix("original_")
        for path in baseline
        for name in pd.read_csv(path, usecols=["featureName"])["featureName"]
    }
    named = {name.partition("_")[2] for name in radiomics_features(STUDY)}
    assert named <= computed, sorted(named - computed)


def test_radiomics_names_are_read_as_pyradiomics_own() -> None:
    families = {"firstorder", "shape", "glcm", "glrlm", "glszm", "gldm", "ngtdm"}
    for name in radiomics_features(STUDY):
        feature = parse_feature_name(name)
        assert feature.feature_class in families
        assert feature.image_type in {"original", *(f"wavelet-{b}" for b in BANDS)}


def test_volume_block_is_volume_and_nothing_else() -> None:
    features = radiomics_features(STUDY)
    volume = TRUTH.factors.loc[features.index, "volume"]
    block = list(TRUTH.volume_features)
    ranks = features.corrwith(volume, method="spearman").abs()
    assert ranks[block].min() > 0.9
    assert ranks.drop(block).max() < 0.3
    loadings = TRUTH.loadings["radiomics"]
    assert (loadings.loc[block].drop(columns="volume") == 0).all(axis=None)
    assert (loadings.drop(index=block)["volume"] == 0).all()
    names = set(block)
    assert {"original_shape_MeshVolume", "original_glrlm_RunLengthNonUniformity"} <= names
    assert {"original_firstorder_Energy", "original_firstorder_TotalEnergy"} <= names


@pytest.mark.parametrize("view", ["radiomics", "expression"])
def test_features_correlate_with_their_factor_as_loaded(view: str) -> None:
    study = synthetic_cohort(2000, seed=3)
    table = radiomics_features(study) if view == "radiomics" else of(study, view)
    loadings = study.truth.loadings[view]
    assert set(loadings.index) == set(table.columns)
    factors = study.truth.factors.loc[table.index]
    found = pd.DataFrame(
        {name: table.corrwith(factors[name], method="spearman") for name in FACTORS}
    )
    difference = (found - loadings.loc[table.columns]).abs()
    # rank correlation is a little below the loading, and scanners add noise: .1; chance: .07
    assert difference.max(axis=None) < 0.17
    assert difference.mean(axis=None) < 0.03


def test_noise_view_is_noise() -> None:
    noise = of(STUDY, TRUTH.noise_view)
    assert TRUTH.loadings[TRUTH.noise_view].eq(0).all(axis=None)
    against = TRUTH.factors.assign(lp=TRUTH.linear_predictor).loc[noise.index]
    chance = np.abs(np.corrcoef(noise.T, against.T)[:40, 40:])
    assert chance.mean() < 1.2 * np.sqrt(2 / np.pi / len(noise))
    assert chance.max() < 4.5 / np.sqrt(len(noise))


def test_alterations_occur_together_as_in_gliomas() -> None:
    genes = of(synthetic_cohort(2000, seed=4), "mutations")
    assert set(genes.stack().unique()) == {0, 1}
    codeleted, idh = genes["1p/19q codeletion"] == 1, genes["IDH"] == 1
    assert not (codeleted & (genes["IDH"] == 0)).any()
    wildtype = genes["IDH"] == 0
    astro = idh & (genes["1p/19q codeletion"] == 0)
    assert genes.loc[codeleted, "TERT"].mean() > 0.9
    assert genes.loc[astro, "TERT"].mean() < 0.1
    assert genes.loc[wildtype, "TERT"].mean() > 0.65
    assert genes.loc[astro, "ATRX"].mean() > 0.65
    assert genes.loc[astro, "TP53"].mean() > 0.8
    assert genes.loc[wildtype, "EGFR"].mean() > 10 * genes.loc[idh, "EGFR"].mean()


def test_idh_follows_its_stated_log_odds() -> None:
    study = synthetic_cohort(4000, seed=6)
    idh = of(study, "mutations")["IDH"].dropna().astype(float)
    severity = study.truth.factors.loc[idh.index, "aggressiveness"]
    for low in (-0.8, -0.2, 0.4):
        within = severity.between(low, low + 0.2)
        expected = expit(-0.5 + study.truth.loadings["mutations"].loc["IDH", "aggressiveness"]
                         * severity[within]).mean()  # fmt: skip
        error = np.sqrt(expected * (1 - expected) / within.sum())
        assert idh[within].mean() == pytest.approx(expected, abs=3.5 * error)


def test_patients_without_a_view_are_those_named() -> None:
    for name, table in STUDY.tables.items():
        absent = TRUTH.absent.index[TRUTH.absent[name]]
        assert set(table["patient"]) == set(TRUTH.factors.index) - set(absent)
    shares = TRUTH.absent.mean()
    assert 0.10 < shares["expression"] < 0.20
    assert 0.03 < shares["mutations"] < 0.11
    assert shares["clinical"] == shares["followup"] == 0


def test_some_single_values_are_missing() -> None:
    assert 0 < radiomics_features(STUDY).isna().mean(axis=None) < 0.01
    assert 0 < of(STUDY, "expression").isna().mean(axis=None) < 0.01
    assert 0 < of(STUDY, "clinical")["KPS"].isna().mean() < 0.06
    assert (of(STUDY, "pathology")["Ki-67"] == "not done").any()


def test_ki67_is_written_as_people_do() -> None:
    text = of(STUDY, "pathology")["Ki-67"]
    for pattern in (r"<1%", r"\d+-\d+%", r"\d+ %", r"\d+%", r"\d+"):
        assert text.str.fullmatch(pattern).any(), pattern
    assert text.str.fullmatch(r"<1%|\d+-\d+%|\d+ ?%?|not done").all()


# on disk --------------------------------------------------------------------------------


def test_says_that_it_is_synthetic(folder: Path) -> None:
    content = tomllib.loads((folder / "study.toml").read_text(encoding="utf-8"))
    assert "synthetic" in content["study"]["title"]
    assert content["study"]["synthetic"] is True
    assert "synthetic" in repr(STUDY)
    assert "synthetic" in repr(TRUTH)
    assert all(patient.startswith("SYN-") for patient in TRUTH.factors.index)


def test_files_of_every_kind_are_written(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {*FILES.values(), "study.toml"}
    assert {Path(name).suffix for name in FILES.values()} == {".csv", ".tsv", ".xlsx", ".parquet"}


def test_study_reads_and_joins(cohort: Cohort) -> None:
    followup = of(STUDY, "followup").dropna()
    assert cohort.n_patients == len(followup)
    assert cohort.n_events == (followup["Status"] == "dead").sum()
    assert set(cohort.external) == {"Centre C"}
    assert set(cohort.development.group) == {"development"}
    assert cohort.centre is not None
    assert set(cohort.centre) == {"Centre A", "Centre B", "Centre C"}
    np.testing.assert_array_equal(
        cohort.y["time"], followup.loc[cohort.X.index, "OS days"].to_numpy(dtype=float)
    )
    genes = of(STUDY, "mutations").reindex(cohort.X.index)
    np.testing.assert_array_equal(cohort.X["mutations:IDH"], genes["IDH"].astype(float).to_numpy())
    assert list(cohort.X["clinical:Resection"].cat.categories) == ["GTR", "STR", "biopsy"]
    assert not any("diagnostics" in column for column in cohort.X)
    written = of(STUDY, "pathology")["Ki-67"].reindex(cohort.X.index)
    assert (cohort.X.loc[written == "<1%", "pathology:Ki-67"] == 0.5).all()
    known = cohort.X["expression:EGFR"].dropna().index
    np.testing.assert_allclose(
        cohort.X.loc[known, "expression:EGFR"], of(STUDY, "expression").loc[known, "EGFR"]
    )


def test_factor_model_finds_the_truth(cohort: Cohort) -> None:
    X = cohort.development.X
    model = FactorModel(
        views=["radiomics", "expression", "mutations", "proteomics"],
        likelihoods={"mutations": "bernoulli"},
        n_factors=6,
        convergence="fast",
    ).fit(X)
    scores = model.transform(X)
    scores = scores.loc[:, scores.std() > 0]  # a factor that MOFA switched off is zero
    truth, k = TRUTH.factors.loc[X.index], scores.shape[1]
    found = pd.DataFrame(
        np.abs(np.corrcoef(scores.T, truth.T)[:k, k:]), scores.columns, truth.columns
    )
    assert (found.max() > 0.85).all()
    explained = model.variance_explained_
    total = explained[explained["factor"] == "all"].set_index("view")["r2"]
    assert total["proteomics"] < 0.02 < total.drop("proteomics").min()
