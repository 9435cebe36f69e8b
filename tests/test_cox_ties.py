"""Assumptions of a Cox model whose ties are Breslow's, or whose variance is the sandwich."""

import json
from pathlib import Path

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
