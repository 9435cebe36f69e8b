"""What is said of factors: who uses which, what does not come back, what views tell of patients."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.cox import CoxModel
from models.factor_quality import (
    n_factors_findings,
    stability_findings,
    transductive_findings,
    users_of,
)
from models.information import information_by_cohort, information_by_views, observed_views
from models.pipeline import risk_pipeline
from models.transductive import COLUMNS, TransductiveOptimism
from omics.errors import StudyError
from omics.mofa import FactorModel
from omics.n_factors import FAILURES, HeldOutError
from omics.stability import TABLE, FactorStability
from reports.study import about_of
from reports.study_file import parse_study
from tests.made_cohorts import made_cohort
from tests.small_study import small_study

COHORT = made_cohort(80, external=20)


def factor_model() -> FactorModel:
    return FactorModel(views=["mri", "rna"], n_factors=2)


# findings -------------------------------------------------------------------------------------


def stability(**failures: Any) -> FactorStability:
    rows = [
        ("F1", "bootstrap", 0.99, 0.98, 1.0, 1.0, 0.9, 50, 0.3, "stable"),
        ("F1", "start", 1.0, 1.0, 1.0, 1.0, 1.0, 10, 0.3, "stable"),
        ("F2", "bootstrap", 0.6, 0.5, 0.7, 0.4, 0.5, 50, 0.1, "unstable"),
        ("F2", "start", 0.9, 0.9, 1.0, 0.9, 0.9, 10, 0.1, "unstable"),
        ("F3", "bootstrap", 0.0, 0.0, 0.0, 0.0, 0.0, 50, 0.0, "inactive"),
        ("F3", "start", 0.0, 0.0, 0.0, 0.0, 0.0, 10, 0.0, "inactive"),
    ]
    lost = pd.DataFrame(
        [("bootstrap", 50, 0, 0, ""), ("start", 10, 0, 0, "")],
        columns=["kind", "refits", "failed", "not_converged", "reason"],
    )
    for column, value in failures.items():
        lost.loc[0, column] = value
    return FactorStability(
        table=pd.DataFrame(rows, columns=TABLE),
        refits=pd.DataFrame(),
        failures=lost,
        limit=0.8,
        least_share=0.8,
        n_patients=100,
        seed=1,
    )


def test_an_unstable_factor_is_named_with_the_models_that_use_it() -> None:
    (used,) = stability_findings(stability(), {"F1": ["A"], "F2": ["A", "B"]})
    assert (used.code, used.severity, used.where) == ("unstable_factor", "caution", "factors:F2")
    assert (
        "comes back (|r| >= 0.8) in 40 % of 50 bootstrap samples and 90 % of 10 disturbed starts"
        in used.message
    )
    assert "It is used by A, B." in used.message
    (unused,) = stability_findings(stability(), {"F1": ["A"]})
    assert unused.severity == "note"
    assert "No model uses it." in unused.message


def test_failed_refits_are_findings() -> None:
    found = stability_findings(stability(failed=3, not_converged=2, reason="too few"), {})
    assert [one.code for one in found[1:]] == ["failed_refits", "refits_not_converged"]
    assert "3 of 50 bootstrap samples could not be fitted" in found[1].message
    assert found[1].message.endswith("The first reason: too few")
    assert "2 of 50 bootstrap samples stopped at the last sweep" in found[2].message


def error(best: int, one_se: int) -> HeldOutError:
    table = pd.DataFrame(
        {"n_factors": [0, 1, 2, 4], "view": "all", "error": [1, 0.9, 0.62, 0.61]}
    ).assign(standard_error=0.02, n_values=10)
    return HeldOutError(
        table=table,
        folds=pd.DataFrame(),
        failures=pd.DataFrame(columns=FAILURES),
        best=best,
        one_se=one_se,
        not_converged=0,
        n_folds=5,
        n_patients=100,
        seed=1,
    )


def test_another_number_of_factors_is_noted_and_nothing_else_is_changed() -> None:
    (found,) = n_factors_findings(error(4, 2), declared=4)
    assert (found.code, found.severity) == ("number_of_factors", "note")
    assert "best with 4 factors, and within one standard error of that with 2" in found.message
    assert "the study asks for 4, which stays" in found.message
    assert n_factors_findings(error(4, 2), declared=2) == ()
    (nothing,) = n_factors_findings(error(1, 0), declared=2)
    assert (nothing.code, nothing.severity) == ("factors_predict_nothing", "caution")
    assert "least error 0.90 of the mean's" in nothing.message


def test_numbers_that_could_not_be_fitted_are_a_finding() -> None:
    lost = pd.DataFrame([(9, 1, "too many"), (9, 2, "too many")], columns=FAILURES)
    found = n_factors_findings(replace(error(2, 2), failures=lost), declared=2)
    assert found[0].message == (
        "9 factors could not be fitted in every fold and are left out of the comparison. "
        "The first reason: too many"
    )


def test_optimism_is_a_caution_only_where_the_interval_leaves_zero() -> None:
    rows = [
        ("A", "development", "cross_validated", "c_index", np.nan, 0.65, 0.70, 0.05, 0.01, 0.09),
        ("A", "Elsewhere", "external", "c_index", np.nan, 0.64, 0.65, 0.01, -0.02, 0.04),
    ]
    optimism = TransductiveOptimism(
        table=pd.DataFrame([(*row, 0.95, 100, 40, 0, "") for row in rows], columns=COLUMNS),
        failures=pd.DataFrame(
            [("A", "cross_validated", 2, 10, "no")],
            columns=["model", "validation", "failed", "resamples", "reason"],
        ),
        warnings=("ConvergenceWarning: slow",),
        seed=1,
    )
    found = transductive_findings(optimism)
    assert [one.severity for one in found] == ["caution", "note", "caution", "caution"]
    assert (
        "the C-index in cross-validation is 0.700 instead of 0.650 (difference +0.050, +0.010 to "
        "+0.090). The headline is inductive" in found[0].message
    )
    assert "in Elsewhere is 0.650" in found[1].message
    assert "2 of 10 resamples could not be fitted with transductive factors" in found[2].message
    assert found[3].message == "ConvergenceWarning: slow"


def test_users_are_those_whose_design_holds_the_factor() -> None:
    X, y = COHORT.development.X, COHORT.development.y
    pipelines = {
        "both": risk_pipeline(["factors:*"], CoxModel(), factors=factor_model()),
        "one": risk_pipeline(["factors:F2"], CoxModel(), factors=factor_model()),
        "other": risk_pipeline(["factors:*"], CoxModel(), factors=FactorModel(n_factors=1)),
        "none": risk_pipeline(["clinical:Age"], CoxModel()),
    }
    pipelines["other"].steps[0][1].step.set_params(views=["mri"])
    fitted = {name: pipeline.fit(X, y) for name, pipeline in pipelines.items()}
    model = factor_model().fit(X)
    assert users_of(fitted, model) == {"F1": ["both"], "F2": ["both", "one"]}


# information ----------------------------------------------------------------------------------


def with_gaps() -> tuple[FactorModel, Any]:
    """The first ten development patients lack rna, the first two external ones have no view."""
    X = COHORT.X.copy()
    rna = [c for c in X.columns if c.startswith("rna:")]
    views = [c for c in X.columns if c.startswith(("mri:", "rna:"))]
    X.loc[X.index[:10], rna] = np.nan
    X.loc[X.index[60:62], views] = np.nan
    cohort = replace(COHORT, X=X)
    return factor_model().fit(cohort.development.X), cohort


def test_views_of_each_patient_are_those_with_a_value() -> None:
    model, cohort = with_gaps()
    had = observed_views(cohort.X, model)
    assert had.tolist() == ["mri"] * 10 + ["mri + rna"] * 50 + ["none"] * 2 + ["mri + rna"] * 18


def test_information_is_averaged_by_cohort_and_by_views() -> None:
    model, cohort = with_gaps()
    information = model.information(cohort.X)
    by_views = information_by_views(information, cohort, model)
    keys = by_views.drop_duplicates(["cohort", "views"])[["cohort", "views", "n_patients"]]
    assert keys.to_numpy().tolist() == [
        ["development", "mri + rna", 50],
        ["development", "mri", 10],
        ["elsewhere", "mri + rna", 18],
        ["elsewhere", "none", 2],
    ]
    f1 = by_views.query("factor == 'F1'").set_index(["cohort", "views"])["mean"]
    values = information["factors:F1"].to_numpy()
    assert f1["development", "mri"] == pytest.approx(values[:10].mean())
    assert f1["elsewhere", "none"] == 0
    by_cohort = information_by_cohort(information, cohort, least=0.2)
    row = by_cohort.query("cohort == 'elsewhere' and factor == 'F1'").iloc[0]
    assert (row["n_patients"], row["lowest"], row["n_low"]) == (20, 0.0, 2)
    assert row["median"] == pytest.approx(np.median(values[60:]))
    assert row["mean"] == pytest.approx(values[60:].mean())


# the study file -------------------------------------------------------------------------------


def parsed(**factors: Any) -> Any:
    content = small_study(Path()).content
    content["factors"] = {"views": ["radiomics"], **factors}
    content["models"][0]["predictors"] = ["factors:*"]
    return parse_study(content, folder=Path(), source="study.toml")


def test_nothing_is_tried_unless_declared() -> None:
    checks = about_of(parsed()).factor_checks
    assert (checks.bootstraps, checks.starts, checks.grid) == (0, 0, ())
    assert checks.transductive is False


def test_what_is_declared_is_tried() -> None:
    study = parsed(
        stability={"bootstraps": 7, "limit": 0.9},
        choose={"grid": [3, 1], "folds": 4},
        transductive=True,
    )
    checks = about_of(study).factor_checks
    assert (checks.bootstraps, checks.starts, checks.limit, checks.least_share) == (7, 10, 0.9, 0.8)
    assert (checks.grid, checks.folds, checks.transductive) == ((3, 1), 4, True)


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"stability": {"bootstraps": 0, "starts": 0}}, "both are 0: take stability away"),
        ({"stability": {"bootstrap": 5}}, "unknown key 'bootstrap'. Did you mean 'bootstraps'?"),
        ({"stability": {"limit": 1.5}}, "limit"),
        ({"choose": {"grid": [0, 2]}}, "grid must hold numbers of at least 1, but 0 came"),
        ({"choose": {"grid": []}}, "grid"),
        ({"choose": {"grid": [1], "folds": 1}}, "folds"),
        ({"transductive": "perhaps"}, "transductive"),
    ],
)
def test_what_cannot_be_tried_is_named(factors: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message.replace("?", r"\?")):
        parsed(**factors)
