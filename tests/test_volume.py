"""Tumour volume alone, what goes with it, and who lacks a table: by hand, by identity, by R."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.base import BaseEstimator, TransformerMixin

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.design import Design
from models.logistic import LogisticModel
from models.lost_views import ANY, LOST, lost_views
from models.pipeline import RiskPipeline, risk_pipeline
from models.pipeline_parts import WithLearned
from models.validation import Plan, Validation, validate
from models.volume import (
    CORRELATIONS,
    VOLUME_MODEL,
    spearman,
    volume_correlations,
    volume_feature,
    volume_pipeline,
)
from omics.cohort import Cohort
from omics.mofa import FactorModel
from tests.made_cohorts import made_cohort, with_table

REFERENCE = json.loads(
    (Path(__file__).parent / "reference" / "comparison.json").read_text(encoding="utf-8")
)
PLAN = Plan(folds=3, repeats=2, bootstrap=0, draws=40, seed=5)
VOLUME = "mri:original_shape_VoxelVolume"


def with_volume(*, external: int = 40) -> Cohort:
    """Name a feature volume; the last 15 development patients have no image, four no volume."""
    cohort = made_cohort(140, external=external, seed=3)
    X = cohort.X.rename(columns={"mri:f0": VOLUME, "mri:f1": "mri:original_shape_MeshVolume"})
    mri = [column for column in X.columns if column.startswith("mri:")]
    X.iloc[85:100, X.columns.get_indexer(mri)] = np.nan
    X.iloc[:4, X.columns.get_loc(VOLUME)] = np.nan
    return with_table(cohort, X)


COHORT = with_volume()
FACTORS = FactorModel(views=["mri", "rna"], n_factors=2)
VALIDATION = validate(
    {
        "clinical": risk_pipeline(["clinical:*"], CoxModel()),
        "image": risk_pipeline(["mri:*"], CoxModel(ridge="aic"), missing="median"),
        "factors": risk_pipeline(
            ["clinical:Age", "mri:f3", "factors:*"], CoxModel(ridge="aic"),
            factors=FACTORS, missing="median",
        ),
        "trees": risk_pipeline(["mri:*"], BoostedModel(n_rounds=5, inner_folds=3), missing="keep"),
        VOLUME_MODEL: volume_pipeline(COHORT, VOLUME),
    },
    COHORT,
    plan=PLAN,
)  # fmt: skip
FOUND = volume_correlations(VALIDATION, COHORT, VOLUME)


# the baseline ---------------------------------------------------------------------------------


def test_the_first_volume_of_a_radiomics_table_is_taken() -> None:
    assert volume_feature(COHORT) == VOLUME
    constant = COHORT.X.assign(**{VOLUME: 1.0})
    assert volume_feature(with_table(COHORT, constant)) == "mri:original_shape_MeshVolume"
    assert volume_feature(made_cohort(30)) is None
    elsewhere = Cohort(**{**vars(COHORT), "kinds": {"mri": "features"}})
    assert volume_feature(elsewhere) is None


def test_the_baseline_knows_volume_alone() -> None:
    pipeline = VALIDATION.fitted[VOLUME_MODEL].pipeline
    assert list(pipeline.model.feature_names_in_) == [VOLUME, f"{VOLUME}'"]
    assert isinstance(pipeline.model, CoxModel)
    assert pipeline.model.ridge == 0
    binary = made_cohort(60, kind="binary").X.rename(columns={"mri:f0": VOLUME})
    cohort = with_table(made_cohort(60, kind="binary"), binary)
    assert isinstance(volume_pipeline(cohort, VOLUME).model, LogisticModel)


def test_a_volume_of_few_values_enters_as_it_is() -> None:
    few = with_table(COHORT, COHORT.X.assign(**{VOLUME: COHORT.X[VOLUME].round()}))
    assert volume_pipeline(few, VOLUME).design.splines is None


# correlations ---------------------------------------------------------------------------------


def row(name: str, cohort: str) -> pd.Series:
    rows = FOUND[(FOUND["name"] == name) & (FOUND["cohort"] == cohort)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_spearman_is_that_of_r() -> None:
    data = pd.DataFrame(REFERENCE["data"])
    old, new = data[data["new"] == 0], data[data["new"] == 1]
    design = [
        pd.DataFrame(
            {"age": part["age"], "g3": part["g3"], "g4": part["g4"], "marker": part["marker"]}
        )
        for part in (old, new)
    ]
    model = LogisticModel().fit(design[0], old["class"].to_numpy() == 1)
    found = spearman(model.linear_predictor(design[1]), new["volume"].to_numpy())
    assert found == pytest.approx(REFERENCE["spearman"], abs=1e-10)


def test_a_constant_or_two_patients_have_no_correlation() -> None:
    assert np.isnan(spearman(np.ones(5), np.arange(5.0)))
    assert np.isnan(spearman(np.arange(2.0), np.arange(2.0)))


def test_external_models_are_correlated_where_volume_is_known() -> None:
    assert list(FOUND.columns) == CORRELATIONS
    score = VALIDATION.external["elsewhere"]["clinical"].linear_predictor
    volume = COHORT.external["elsewhere"].X[VOLUME].to_numpy()
    found = row("clinical", "elsewhere")
    assert found["correlation"] == pytest.approx(spearmanr(score, volume).statistic, abs=1e-12)
    assert found["n_patients"] == 40
    rng = np.random.default_rng(PLAN.seed)
    rows = [rng.integers(40, size=40) for _ in range(PLAN.draws)]
    draws = [spearmanr(score[r], volume[r]).statistic for r in rows]
    expected = np.quantile(draws, [0.025, 0.975], method="weibull")
    np.testing.assert_allclose(found[["lower", "upper"]].astype(float), expected, atol=1e-12)


def test_out_of_fold_models_are_correlated_within_folds() -> None:
    held_out = VALIDATION.out_of_fold["clinical"]
    volume = COHORT.development.X[VOLUME].to_numpy()
    known = ~np.isnan(volume)
    per_fold = [
        spearmanr(score[known & (fold == f)], volume[known & (fold == f)]).statistic
        for score, fold in zip(held_out.linear_predictor, held_out.fold, strict=True)
        for f in range(3)
    ]
    found = row("clinical", "development")
    assert found["correlation"] == pytest.approx(np.mean(per_fold), abs=1e-12)
    assert found["n_patients"] == 100 - 15 - 4
    assert "2 x 3 held-out folds" in found["method"]


def test_every_factor_is_correlated_once() -> None:
    model = VALIDATION.fitted["factors"].pipeline.factor_model
    assert model is not None
    for label, part in {"development": COHORT.development, **COHORT.external}.items():
        scores, volume = model.transform(part.X), part.X[VOLUME]
        for name in scores.columns:
            expected = scores[name].corr(volume, method="spearman")
            assert row(name, label)["correlation"] == pytest.approx(expected, abs=1e-12)
            assert row(name, label)["model"] == "factors"


# who lacks a table ----------------------------------------------------------------------------


def lost(model: str, cohort: str = "development") -> pd.DataFrame:
    table = lost_views(VALIDATION, COHORT)
    assert list(table.columns) == LOST
    return table[(table["model"] == model) & (table["cohort"] == cohort)].set_index("view")


def test_patients_without_a_table_are_counted_with_what_is_done_for_them() -> None:
    assert lost("clinical").loc["clinical", ["n_without", "n_patients"]].tolist() == [0, 100]
    image = lost("image").loc["mri"]
    assert image["n_without"] == 15  # the four without volume alone have the table
    assert image["handling"] == "set to the median or the most frequent level"
    assert (image["n_features"], image["n_predicted"]) == (12, 100)
    assert lost("trees").loc["mri", "handling"] == "taken as missing by the trees"
    assert lost(VOLUME_MODEL).loc["mri", "n_without"] == 19
    assert lost("image", "elsewhere").loc["mri", "n_without"] == 0


def test_a_table_that_enters_by_factors_too_is_counted_whole() -> None:
    table = lost("factors")
    assert set(table.index) == {"clinical", "mri", "rna", ANY}
    assert table.loc["rna", "handling"] == "no information from it on the factors"
    assert table.loc["mri", "handling"] == (
        "set to the median or the most frequent level; no information from it on the factors"
    )
    assert table["n_features"].to_dict() == {"clinical": 1, "mri": 12, "rna": 12, ANY: 25}
    assert table.loc[ANY, "n_without"] == 15


def test_patients_without_a_prediction_are_counted() -> None:
    p = VALIDATION.external["elsewhere"]["image"]
    score = np.where(np.arange(40) < 3, np.nan, p.linear_predictor)
    unknown = type(p)(**{**vars(p), "linear_predictor": score})
    external = {"elsewhere": {**VALIDATION.external["elsewhere"], "image": unknown}}
    made = Validation(**{**vars(VALIDATION), "external": external})
    table = lost_views(made, COHORT).query("model == 'image' and cohort == 'elsewhere'")
    assert table["n_predicted"].tolist() == [37]


class Score(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Stands for a signature: a score of named predictors."""

    def __init__(self, predictors: list[str]) -> None:
        self.predictors = predictors

    def fit(self, X: pd.DataFrame, y: object = None) -> "Score":
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        return X[self.predictors].fillna(0).sum(axis=1).to_frame("signature:Sum")

    def get_feature_names_out(self, input_features: object = None) -> list[str]:
        return ["signature:Sum"]


def test_a_signature_is_correlated_and_its_tables_are_counted() -> None:
    score = Score([VOLUME, "rna:f0"])
    design = Design(["signature:Sum", "clinical:Age"])
    steps = [("signature", WithLearned(score)), ("design", design), ("model", CoxModel())]
    pipeline = RiskPipeline(steps)
    found = validate({"score": pipeline}, COHORT, plan=PLAN)
    table = volume_correlations(found, COHORT, VOLUME).set_index(["name", "cohort"])
    for label, part in {"development": COHORT.development, **COHORT.external}.items():
        expected = score.transform(part.X)["signature:Sum"].corr(part.X[VOLUME], method="spearman")
        row = table.loc["signature:Sum", label]
        assert row["correlation"] == pytest.approx(expected, abs=1e-12)
    lost = lost_views(found, COHORT).query("cohort == 'development'").set_index("view")
    assert lost["n_without"].to_dict() == {"clinical": 0, "mri": 19, "rna": 0, ANY: 19}
    assert lost.loc["mri", "handling"] == "by the rule of the signature"
