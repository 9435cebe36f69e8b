"""Factors learnt from everybody: what each validation sees, and by how much they differ."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.discrimination import c_index, roc_auc
from models.logistic import LogisticModel
from models.pipeline import RiskPipeline, risk_pipeline
from models.resampling import repeated_k_fold
from models.transductive import _with_factors, transductive_optimism, without_factors
from models.validation import Plan, validate
from omics.cohort import Cohort
from omics.mofa import FactorModel
from omics.parallel import FolderStore
from tests.made_cohorts import Counter, learned_states, made_cohort, with_table

PLAN = Plan(folds=3, repeats=1, bootstrap=0, draws=20)
COHORT = made_cohort(90, external=20, missing=0.02)


def factor_model(n: int = 2) -> FactorModel:
    return FactorModel(views=["mri", "rna"], n_factors=n)


def cox(n: int = 2) -> RiskPipeline:
    return risk_pipeline(
        ["clinical:Age", "factors:*"], CoxModel(ridge=1.0), factors=factor_model(n)
    )


PIPELINES = {"Clinical": risk_pipeline(["clinical:Age"], CoxModel()), "Factors": cox()}


def disturbed(cohort: Cohort, rows: NDArray[np.intp]) -> Cohort:
    """Change the molecular values of some patients."""
    X, rng = cohort.X.copy(), np.random.default_rng(5)
    columns = [j for j, name in enumerate(X.columns) if name.startswith(("mri:", "rna:"))]
    X.iloc[rows, columns] = 10 * rng.standard_normal((len(rows), len(columns)))
    return with_table(cohort, X)


# what each validation has seen ----------------------------------------------------------------


def test_held_out_patients_move_transductive_fits_and_never_inductive_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cohort = COHORT.development
    part = repeated_k_fold(cohort.y["event"], folds=3, repeats=1, seed=PLAN.seed)[1]
    before, after = cohort, disturbed(cohort, part.held_out)
    states = {}
    for kind, pipeline, prepare in (
        ("inductive", cox(), lambda c: c),
        ("transductive", without_factors(cox()), lambda c: _with_factors(c, factor_model())),
    ):
        one, *_ = learned_states(monkeypatch, {"m": pipeline}, prepare(before), PLAN)
        two, *_ = learned_states(monkeypatch, {"m": pipeline}, prepare(after), PLAN)
        states[kind] = one[part.name] != two[part.name]
    assert states == {"inductive": False, "transductive": True}


def test_external_patients_shape_transductive_factors_and_never_the_frozen_ones() -> None:
    rows = np.flatnonzero(COHORT.group == "elsewhere")
    moved = disturbed(COHORT, rows[:10])  # the other ten stay as they are
    pairs = []
    for cohort in (COHORT, moved):
        validation = validate(PIPELINES, cohort, plan=PLAN)
        found = transductive_optimism(PIPELINES, validation, cohort)
        fitted = validation.fitted["Factors"].pipeline
        frozen = fitted.linear_predictor(cohort.external["elsewhere"].X.iloc[10:])
        development = found.table.query("validation == 'cross_validated'")
        pairs.append((frozen, development))
    np.testing.assert_array_equal(pairs[0][0], pairs[1][0])
    pd.testing.assert_frame_equal(pairs[0][1], pairs[1][1])  # factors of development alone


# each figure by hand --------------------------------------------------------------------------


def test_both_figures_are_those_by_hand() -> None:
    validation = validate(PIPELINES, COHORT, plan=PLAN)
    found = transductive_optimism(PIPELINES, validation, COHORT)
    assert set(found.table["model"]) == {"Factors"}
    development, external = COHORT.development, COHORT.external["elsewhere"]
    y = development.y
    learnt = factor_model().fit(development.X).transform(development.X)
    table = pd.concat([development.X, learnt], axis=1)
    plain = risk_pipeline(["clinical:Age", "mri:f0"], CoxModel(ridge=1.0))
    plain.set_params(design__predictors=["clinical:Age", "factors:*"])
    c = {"inductive": [], "transductive": []}
    for part in repeated_k_fold(y["event"], folds=3, repeats=1, seed=PLAN.seed):
        for kind, pipeline, X in (
            ("inductive", cox(), development.X),
            ("transductive", plain, table),
        ):
            lp = pipeline.fit(X.iloc[part.train], y[part.train]).linear_predictor(
                X.iloc[part.held_out]
            )
            held_out = y[part.held_out]
            c[kind].append(c_index(held_out["time"], held_out["event"], lp))
    row = found.table.query("metric == 'c_index' and validation == 'cross_validated'").iloc[0]
    assert row["inductive"] == pytest.approx(np.mean(c["inductive"]), abs=1e-10)
    assert row["transductive"] == pytest.approx(np.mean(c["transductive"]), abs=1e-10)
    assert row["difference"] == pytest.approx(row["transductive"] - row["inductive"], abs=1e-10)
    assert row["lower"] < row["difference"] < row["upper"]

    both = factor_model().fit(COHORT.X).transform(COHORT.X)
    whole = pd.concat([COHORT.X, both], axis=1)
    lp = plain.fit(whole.loc[development.X.index], y).linear_predictor(whole.loc[external.X.index])
    row = found.table.query("metric == 'c_index' and validation == 'external'").iloc[0]
    z = external.y
    assert row["transductive"] == pytest.approx(c_index(z["time"], z["event"], lp), abs=1e-10)
    frozen = validation.external["elsewhere"]["Factors"].linear_predictor
    assert row["inductive"] == pytest.approx(c_index(z["time"], z["event"], frozen), abs=1e-10)


def test_binary_outcomes_are_compared_by_auc() -> None:
    cohort = made_cohort(80, kind="binary")
    pipelines = {
        "m": risk_pipeline(["factors:*"], LogisticModel(ridge=1.0), factors=factor_model())
    }
    validation = validate(pipelines, cohort, plan=PLAN)
    found = transductive_optimism(pipelines, validation, cohort)
    assert found.headline["metric"].tolist() == ["auc"]
    assert "auc at most" in repr(found)
    held_out = validation.out_of_fold["m"]
    folds = [held_out.fold[0] == f for f in range(3)]
    expected = np.mean([roc_auc(cohort.y[f], held_out.linear_predictor[0][f]) for f in folds])
    assert found.headline["inductive"].item() == pytest.approx(expected)


def test_the_validation_given_is_left_as_it_is() -> None:
    validation = validate(PIPELINES, COHORT, plan=PLAN)
    before = validation.out_of_fold["Factors"].linear_predictor.copy()
    transductive_optimism(PIPELINES, validation, COHORT)
    assert list(validation.fitted) == ["Clinical", "Factors"]
    np.testing.assert_array_equal(validation.out_of_fold["Factors"].linear_predictor, before)
    assert PIPELINES["Factors"].factor_model is not None


# how it is run --------------------------------------------------------------------------------


def test_factors_are_learnt_once_for_models_that_share_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipelines = {
        "a": cox(),
        "trees": risk_pipeline(
            ["factors:*"], BoostedModel(n_rounds=5, inner_folds=3), factors=factor_model()
        ),
        "three": cox(3),
    }
    validation = validate(pipelines, COHORT, plan=PLAN)
    learnt = Counter(monkeypatch, FactorModel)
    found = transductive_optimism(pipelines, validation, COHORT)
    assert learnt.calls == 4  # two factor models, of development and with the external cohort
    assert list(dict.fromkeys(found.table["model"])) == ["a", "trees", "three"]


def test_resamples_are_kept_apart_from_the_inductive_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderStore(tmp_path, "study")
    told: list[str] = []
    validation = validate(PIPELINES, COHORT, plan=PLAN, store=store)
    first = transductive_optimism(
        PIPELINES, validation, COHORT, store=store, progress=lambda what, *_: told.append(what)
    )
    assert "transductive factors: cross-validation" in told
    assert len(list(tmp_path.iterdir())) == 6
    fits = Counter(monkeypatch, CoxModel)
    again = transductive_optimism(PIPELINES, validation, COHORT, store=store)
    assert fits.calls == 2  # on all development patients, and for the external cohort
    pd.testing.assert_frame_equal(first.table, again.table)


def test_models_without_factors_are_refused() -> None:
    clinical = {"Clinical": PIPELINES["Clinical"]}
    validation = validate(clinical, COHORT, plan=PLAN)
    with pytest.raises(ValueError, match="must hold a model with factors, but none of 1 has any"):
        transductive_optimism(clinical, validation, COHORT)
