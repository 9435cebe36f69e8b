"""Assumptions of a Cox model whose ties are Breslow's, or whose variance is the sandwich."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.assumptions import assumptions
from models.cox import CoxModel
from models.influence import influence
from models.pipeline import risk_pipeline
from models.proportional_hazards import proportional_hazards_test
from models.schoenfeld import schoenfeld_curves
from omics.outcome import survival_outcome
from tests import assumptions_reference as of_strata
from tests.made_cohorts import made_cohort

FOLDER = Path(__file__).parent / "reference"
REFERENCE = json.loads((FOLDER / "cox_ties.json").read_text())
TABLE = pd.DataFrame(json.loads((FOLDER / "cox_core.json").read_text())["data"])
X = TABLE[["age", "mutant"]].astype(float)
Y = survival_outcome(TABLE["time"], TABLE["event"])
TERMS = {"age": ["age"], "mutant": ["mutant"]}
MODELS = {"breslow": CoxModel(ties="breslow"), "robust": CoxModel(robust=True)}


@pytest.mark.parametrize("kind", list(MODELS))
def test_drift_equals_cox_zph(kind: str) -> None:
    table = proportional_hazards_test(MODELS[kind].fit(X, Y), X, Y, terms=TERMS).table
    expected = np.array(REFERENCE[kind]["zph"])
    np.testing.assert_allclose(table["chi2"], expected[:, 0], rtol=1e-6)
    np.testing.assert_allclose(table["p_value"], expected[:, 2], rtol=1e-6)


@pytest.mark.parametrize("kind", list(MODELS))
def test_dfbeta_equals_survival(kind: str) -> None:
    found = influence(MODELS[kind].fit(X, Y), X, Y, n_refits=0).dfbeta
    np.testing.assert_allclose(found, REFERENCE[kind]["dfbeta"], atol=1e-8)


@pytest.mark.parametrize("kind", list(MODELS))
def test_scaled_residuals_equal_cox_zph(kind: str) -> None:
    table = schoenfeld_curves(MODELS[kind].fit(X, Y), X, Y, terms=TERMS).residuals
    for j, term in enumerate(TERMS):
        ours = np.sort(table.loc[table["term"] == term, "residual"])
        np.testing.assert_allclose(
            ours, np.sort(np.array(REFERENCE[kind]["residuals"])[:, j]), rtol=1e-6
        )


@pytest.mark.parametrize("kind", list(MODELS))
def test_a_report_examines_such_models(kind: str) -> None:
    cohort = made_cohort()
    pipeline = risk_pipeline(["clinical:*"], MODELS[kind])
    pipeline.fit(cohort.development.X, cohort.development.y)
    found = assumptions(pipeline, cohort)
    assert found is not None
    if kind == "robust":  # what predictors share does not depend on the kind of variance
        other = risk_pipeline(["clinical:*"], CoxModel())
        plain = assumptions(other.fit(cohort.development.X, cohort.development.y), cohort)
        assert plain is not None
        inflation = [one.inflation.table["inflation"] for one in (found, plain)]
        np.testing.assert_allclose(*inflation, rtol=1e-6)
    assert found.hazards is not None
    assert found.hazards.table["chi2"].gt(0).all()


def test_strata_are_kept_apart_as_in_cox_zph() -> None:
    columns = ["age", "volume", "mutant"]
    table = of_strata.X[columns].assign(centre=of_strata.TABLE["centre"])
    model = CoxModel(strata="centre").fit(table, of_strata.Y)
    terms = {name: [name] for name in columns}
    expected = of_strata.REFERENCE["zph"]["strata"]
    np.testing.assert_allclose(model.coef_, expected["coef"], rtol=1e-7)
    found = proportional_hazards_test(model, table, of_strata.Y, terms=terms).table
    np.testing.assert_allclose(found[["chi2", "df"]], expected["table"], rtol=1e-6)
    curves = schoenfeld_curves(model, table, of_strata.Y, terms=terms).residuals
    for j, term in enumerate(columns):
        ours = np.sort(curves.loc[curves["term"] == term, "residual"])
        np.testing.assert_allclose(ours, np.sort(np.array(expected["residuals"])[:, j]), rtol=1e-6)
    moved = influence(model, table, of_strata.Y, n_refits=1).refits
    assert set(moved["column"]) == set(columns)
    assert moved["without"].notna().all()


def test_other_patients_are_refused() -> None:
    model = CoxModel(ties="breslow").fit(X, Y)
    for examine in (proportional_hazards_test, schoenfeld_curves):
        with pytest.raises(ValueError, match="X and y must be those the model was fitted to"):
            examine(model, X.iloc[:-5], Y[:-5], terms=TERMS)
    with pytest.raises(ValueError, match="X and y must be those the model was fitted to"):
        influence(model, X.iloc[:-5], Y[:-5])


WEIGHTED = json.loads((FOLDER / "zph_weights.json").read_text())
WEIGHT = TABLE["weight"].to_numpy()


@pytest.mark.parametrize("case", [name for name in WEIGHTED if "." in name])
def test_drift_of_a_weighted_fit_equals_cox_zph(case: str) -> None:
    ties, strata, transform = case.split(".")
    within = strata == "strata"
    table = X.assign(centre=TABLE["centre"]) if within else X
    model: Any = CoxModel(ties=ties, strata="centre" if within else None)  # type: ignore[arg-type]
    model.fit(table, Y, sample_weight=WEIGHT)
    found = proportional_hazards_test(
        model, table, Y, terms=TERMS, transform=transform, sample_weight=WEIGHT  # type: ignore[arg-type]
    ).table  # fmt: skip
    np.testing.assert_allclose(found["chi2"], WEIGHTED[case], rtol=1e-6)


def test_drift_grows_with_the_weights_and_forgets_patients_of_weight_zero() -> None:
    rows = np.arange(5, len(X))
    some = WEIGHT.copy()
    some[:5] = 0.0
    zph = proportional_hazards_test
    part = zph(
        CoxModel().fit(X.iloc[rows], Y[rows], sample_weight=WEIGHT[rows]),
        X.iloc[rows],
        Y[rows],
        terms=TERMS,
        sample_weight=WEIGHT[rows],
    )
    zero = zph(CoxModel().fit(X, Y, sample_weight=some), X, Y, terms=TERMS, sample_weight=some)
    np.testing.assert_allclose(zero.table["chi2"], part.table["chi2"], rtol=1e-8)
    assert zero.n_patients == len(rows)
    twice = zph(
        CoxModel().fit(X, Y, sample_weight=2 * WEIGHT), X, Y, terms=TERMS, sample_weight=2 * WEIGHT
    )
    once = zph(CoxModel().fit(X, Y, sample_weight=WEIGHT), X, Y, terms=TERMS, sample_weight=WEIGHT)
    np.testing.assert_allclose(twice.table["chi2"], 2 * once.table["chi2"], rtol=1e-6)


def test_other_weights_than_those_of_the_fit_are_refused() -> None:
    model = CoxModel().fit(X, Y, sample_weight=WEIGHT)
    with pytest.raises(ValueError, match="with the case weights of the fit"):
        proportional_hazards_test(model, X, Y, terms=TERMS)
    with pytest.raises(ValueError, match="weights must be 0 or above"):
        proportional_hazards_test(model, X, Y, terms=TERMS, sample_weight=-WEIGHT)
    with pytest.raises(ValueError, match="weights"):
        proportional_hazards_test(model, X, Y, terms=TERMS, sample_weight=WEIGHT[:-1])
