"""Each predictor alone and together: R's coxph, and what must agree with the models themselves."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.logistic import LogisticModel
from models.pipeline import risk_pipeline
from models.regression_tables import regression_table
from omics.outcome import survival_outcome
from tests.made_cohorts import made_cohort
from tests.realdata import ROOT

R: dict[str, Any] = json.loads(
    (ROOT / "tests/reference/regression_tables.json").read_text(encoding="utf-8")
)
DATA = pd.DataFrame(R["data"])
X = pd.DataFrame(
    {"c:age": pd.to_numeric(DATA["age"], errors="coerce"), "c:grade": pd.Categorical(DATA["grade"])}
)
Y = survival_outcome(DATA["time"], DATA["event"])


def same_as_r(table: pd.DataFrame, expected: dict[str, Any]) -> None:
    """Compare every row of numbers and levels, and the whole of grade, with R's fits."""
    rows = table[table["kind"].isin(["number", "level"])]
    alone = rows[rows["analysis"] == "univariable"]
    together = rows[rows["analysis"] == "multivariable"]
    for name in ("estimate", "lower", "upper", "p_value"):
        apart = np.concatenate([np.atleast_1d(expected["age"][name]), expected["grade"][name]])
        np.testing.assert_allclose(alone[name], apart, rtol=1e-6)
        np.testing.assert_allclose(together[name], expected["both"][name], rtol=1e-6)
    counts = alone.iloc[0][["n_patients", "n_events"]].tolist()
    assert counts == [expected["age"]["n"], expected["age"]["events"]]
    whole = table[table["kind"] == "whole"].set_index("analysis")["p_value"]
    assert whole["univariable"] == pytest.approx(expected["grade"]["whole"], rel=1e-6)
    assert whole["multivariable"] == pytest.approx(expected["both"]["whole"], rel=1e-6)


def test_as_coxph() -> None:
    pipeline = risk_pipeline(["c:*"], CoxModel(), missing="complete_case").fit(X, Y)
    found = regression_table(pipeline, X, Y)
    assert (
        repr(found)
        == f"RegressionTable(2 predictors, {R['both']['n']} patients, {R['both']['events']} events)"
    )
    same_as_r(found.table, R)
    levels = found.table.query("term == 'c:grade' and level != '' and analysis == 'univariable'")
    assert levels["n_patients"].sum() == len(X)
    assert levels["level"].tolist() == ["2", "3", "4"]
    assert levels["kind"].tolist() == ["reference", "level", "level"]


def test_as_glm() -> None:
    y = DATA["class"].to_numpy(dtype=bool)
    pipeline = risk_pipeline(["c:*"], LogisticModel(), missing="complete_case").fit(X, y)
    found = regression_table(pipeline, X, y)
    same_as_r(found.table, R["logistic"])
    assert (found.n_patients, found.n_events) == tuple(
        R["logistic"]["both"][k] for k in ("n", "events")
    )


def test_pooled_and_binary_models_say_what_their_coefficients_say() -> None:
    cohort = made_cohort(150, kind="binary", missing=0.08, p=2)
    for missing in ("multiple", "median"):
        pipeline = risk_pipeline(
            ["clinical:*", "mri:*"], LogisticModel(), missing=missing, splines={"mri:f0": 3}
        ).fit(cohort.X, cohort.y)
        found = regression_table(pipeline, cohort.X, cohort.y)
        table = found.table.query("analysis == 'multivariable' and kind in ('number', 'level')")
        expected = pipeline.model.coefficients.set_index("term")
        own = expected.loc[["clinical:Age", "clinical:Grade=3", "clinical:Grade=4", "mri:f1"]]
        np.testing.assert_allclose(table["estimate"], own["odds_ratio"], rtol=1e-10)
        np.testing.assert_allclose(table["upper"], own["upper"], rtol=1e-10)
        np.testing.assert_allclose(table["p_value"], own["p_value"], rtol=1e-8)
        spline = found.table.query("term == 'mri:f0'")
        assert spline["kind"].tolist() == ["whole", "whole"]
        assert spline["df"].tolist() == [2, 2]
        known = int(cohort.X["mri:f0"].notna().sum())
        assert spline["n_patients"].tolist() == [known, 150]


def test_a_predictor_that_cannot_be_fitted_alone_says_why() -> None:
    y = survival_outcome([1.0, 2, 3, 4, 5, 6, 7, 8], [1, 1, 1, 1, 0, 0, 0, 0])
    table = pd.DataFrame({"c:x": [1.0, 1, 1, 1, 0, 0, 0, 0]})
    pipeline = risk_pipeline(["c:x"], CoxModel(ridge=1.0)).fit(table, y)
    row = regression_table(pipeline, table, y).table.iloc[0]
    assert np.isnan(row["estimate"])
    assert "run away to infinity" in row["reason"]


def test_trees_are_refused() -> None:
    cohort = made_cohort(80, p=2)
    pipeline = risk_pipeline(["mri:*"], BoostedModel(n_rounds=2), missing="keep")
    with pytest.raises(ValueError, match=r"pipeline must end in a regression"):
        regression_table(pipeline.fit(cohort.X, cohort.y), cohort.X, cohort.y)


def test_an_interaction_has_a_row_of_its_own() -> None:
    rng = np.random.default_rng(3)
    n = 200
    X = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)})
    y = rng.random(n) < 1 / (1 + np.exp(-X["a"] * X["b"]))
    pipeline = risk_pipeline(["a", "b"], LogisticModel(), interactions=[("a", "b")])
    found = regression_table(pipeline.fit(X, y), X, np.asarray(y)).table
    row = found[found["term"] == "a * b"].iloc[0]
    model = pipeline.model
    assert row["analysis"] == "multivariable"
    assert row["estimate"] == pytest.approx(np.exp(model.coef_[2]), rel=1e-10)
    z = model.coef_[2] / np.sqrt(model.covariance_[3, 3])
    assert row["p_value"] == pytest.approx(2 * norm.sf(abs(z)), rel=1e-8)  # Wald, squared
