"""What the report says of the factors' views and of cohorts placed on the factors."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.cox import CoxModel
from models.factor_findings import factor_cohort_findings
from models.pipeline import risk_pipeline
from models.validation import Plan, validate
from omics.cohort import Cohort
from omics.errors import Finding
from omics.mofa import FactorModel
from reports.factor_specs import FactorsSpec
from tests.made_cohorts import made_cohort


def findings(cohort: Cohort, **options: object) -> dict[str, Finding]:
    given = {"views": ["mri", "rna"], "n_factors": 2, **options}
    model = FactorModel(**given).fit(cohort.development.X)  # type: ignore[arg-type]
    return {one.code: one for one in factor_cohort_findings(model, cohort)}


def cohort(p: int = 20) -> Cohort:
    return made_cohort(160, external=50, seed=3, p=p)


def changed(whole: Cohort, rows: slice, columns: str, value: object) -> Cohort:
    X = whole.X.copy()
    chosen = [name for name in X if name.startswith(columns)]
    part = X.iloc[rows][chosen]
    X.iloc[rows, X.columns.get_indexer(pd.Index(chosen))] = (
        value(part) if callable(value) else value  # type: ignore[assignment]
    )
    return replace(whole, X=X)


def test_nothing_amiss_nothing_found() -> None:
    assert findings(cohort()) == {}


def test_another_unit_of_a_view_is_serious() -> None:
    other = changed(cohort(), slice(110, 160), "rna:", lambda part: part * 10)
    found = findings(other)["other_units"]
    assert found.severity == "serious"
    assert found.where == "rna"
    assert "In elsewhere, the view rna is on another scale" in found.message


def test_features_that_a_cohort_lacks_are_counted_with_the_information_lost() -> None:
    other = changed(cohort(), slice(110, 160), "rna:f1", np.nan)
    found = findings(other)["lacking_features"]
    assert "elsewhere lacks 11 features of the factors altogether (rna: 11 of 20)" in found.message
    assert "% of their information" in found.message


def test_patients_without_any_view_are_counted() -> None:
    other = changed(cohort(), slice(0, 3), "", np.nan)
    found = findings(other)["no_values"]
    assert found.where == "development"
    assert "3 of 110 patients have no value in any of the factors' views" in found.message


@pytest.mark.parametrize(
    ("policy", "words"), [("flag", "drawn to the average"), ("missing", "taken as missing")]
)
def test_a_declared_threshold_counts_who_lies_below(policy: str, words: str) -> None:
    other = changed(cohort(), slice(0, 4), "", np.nan)
    found = findings(other, least_information=0.3, low_information=policy)["uninformed"]
    assert "4 of 110 patients have less than the declared information of 0.3" in found.message
    assert words in found.message


def test_a_small_view_is_a_finding_with_the_cure() -> None:
    found = findings(cohort(p=12))["small_view"]
    assert "12 features, fewer than 15" in found.message


def test_no_structure_is_said_plainly_and_the_study_goes_on() -> None:
    rng = np.random.default_rng(0)
    whole = cohort()
    X = whole.X.copy()
    views = [name for name in X if name.startswith(("mri:", "rna:"))]
    X[views] = rng.normal(size=X[views].shape)
    noise = replace(whole, X=X)
    factors = FactorModel(views=["mri", "rna"], n_factors=3, least_r2=0.3)
    found = {
        one.code: one for one in factor_cohort_findings(factors.fit(noise.development.X), noise)
    }
    assert found["no_structure"].severity == "serious"
    assert "MOFA switched off all 3 factors" in found["no_structure"].message
    pipeline = risk_pipeline(["clinical:Age", "factors:*"], CoxModel(ridge=1.0), factors=factors)
    validation = validate(
        {"model": pipeline}, noise, plan=Plan(folds=3, repeats=1, bootstrap=0, draws=10)
    )
    assert validation.failures["failed"].eq(0).all()


def test_missing_factors_meet_the_policy_of_the_model() -> None:
    other = changed(cohort(), slice(0, 4), "", np.nan)
    other = replace(other, X=other.X.assign(**{"clinical:Age": cohort().X["clinical:Age"]}))
    factors = FactorModel(
        views=["mri", "rna"], n_factors=2, least_information=0.3, low_information="missing"
    )
    columns = ["clinical:Age", "factors:*"]
    filled = risk_pipeline(columns, CoxModel(ridge=1.0), factors=factors, missing="median")
    part = other.development
    filled.fit(part.X, part.y)
    assert filled.factor_model is not None
    given = filled.factor_model.transform(part.X)
    gone = given.isna().all(axis=1).to_numpy()
    assert gone.sum() == 4
    used = filled.design_matrix(part.X)[list(given.columns)]
    np.testing.assert_allclose(used[gone], np.tile(given.median(), (4, 1)))  # of those informed
    np.testing.assert_allclose(used[~gone], given[~gone])
    refusing = risk_pipeline(columns, CoxModel(ridge=1.0), factors=factors)
    with pytest.raises(ValueError, match="missing"):
        refusing.fit(part.X, part.y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"new_group": "A"}, "are for groups, but no groups came"),
        ({"scale_groups": True}, "are for groups, but no groups came"),
        ({"low_information": "missing"}, "least_information must be given"),
        ({"least_r2": 2}, "less than or equal to 1"),
        ({"likelihoods": {"rna": "binomial"}}, "'gaussian', 'bernoulli' or 'poisson'"),
        ({"engine": "R"}, "'nomomics' or 'mofapy2'"),
    ],
)
def test_mistakes_of_the_study_file_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FactorsSpec.model_validate({"views": ["rna"], **options})
