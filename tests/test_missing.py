"""Missing predictors: each policy worked by hand, and against scikit-learn's own imputer."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.linear_model import BayesianRidge

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.design import Design, Missing
from models.findings import model_findings
from models.gaps import ANY, predictor_gaps
from models.imputation import ROUNDS, TOLERANCE, fit_chain
from models.performance import HEADLINE, Performance, performance
from models.pipeline import RiskPipeline, risk_pipeline
from models.validation import Plan, Validation, validate
from omics.errors import FitError
from omics.mofa import FactorModel
from tests.made_cohorts import made_cohort, with_table

NAN = np.nan
TABLE = pd.DataFrame(
    {
        "c:Age": [40.0, NAN, 60.0, 80.0, NAN],
        "c:Ki67": [NAN, 5.0, 10.0, 30.0, 10.0],
        "c:CD34": [1.0, NAN, 2.0, 4.0, NAN],
        "c:Grade": pd.Categorical(["2", "4", "4", None, "2"], categories=["2", "4"]),
    }
)


def test_median_by_hand() -> None:
    matrix = Design(["c:*"], missing="median").fit_transform(TABLE)
    assert matrix["c:Age"].tolist() == [40, 60, 60, 80, 60]
    assert matrix["c:Ki67"].tolist() == [10, 5, 10, 30, 10]
    assert matrix["c:CD34"].tolist() == [1, 2, 2, 4, 2]


def test_indicator_by_hand() -> None:
    design = Design(["c:*"], missing="indicator").fit(TABLE)
    matrix = design.transform(TABLE)
    assert list(matrix.columns) == [
        "c:Age", "c:Age (missing)", "c:Ki67", "c:Ki67 (missing)", "c:CD34", "c:Grade=4",
        "c:Grade=missing",
    ]  # fmt: skip
    assert matrix["c:Age"].tolist() == [40, 60, 60, 80, 60]
    assert matrix["c:Age (missing)"].tolist() == [0, 1, 0, 0, 1]
    assert matrix["c:Ki67 (missing)"].tolist() == [1, 0, 0, 0, 0]
    assert matrix["c:Grade=4"].tolist() == [0, 1, 1, 0, 0]
    assert matrix["c:Grade=missing"].tolist() == [0, 0, 0, 1, 0]
    assert design.dropped_.to_dict("records") == [
        {
            "column": "c:CD34 (missing)",
            "reason": "missing in the same patients as c:Age (missing)",
        }
    ]
    whole = TABLE.iloc[[2]]
    assert Design(["c:Age"], missing="indicator").fit(TABLE.iloc[[2, 3]]).transform(
        TABLE.iloc[[0, 1]]
    ).to_numpy().tolist() == [[40.0], [70.0]]  # no gap in training: the median, unmarked
    assert design.transform(whole)["c:Age (missing)"].tolist() == [0]


def test_complete_cases_by_hand() -> None:
    design = Design(["c:Age", "c:Ki67"], missing="complete_case").fit(TABLE)
    assert design.complete(TABLE).tolist() == [False, False, True, True, False]
    assert design.terms_[0].minimum == 60  # learnt from the two complete patients
    expected = [[NAN, NAN], [NAN, NAN], [60, 10], [80, 30], [NAN, NAN]]
    np.testing.assert_array_equal(design.transform(TABLE), expected)
    nobody = pd.DataFrame({"a": [1.0, 2.0, NAN, NAN], "b": [NAN, NAN, 1.0, 2.0]})
    with pytest.raises(FitError, match=r"none of 4 has all 2 \(most missing: 'a', in 2\)"):
        Design(["a", "b"], missing="complete_case").fit(nobody)


def gappy(n: int = 60, p: int = 5, *, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 2)) @ rng.normal(size=(2, p)) + 0.4 * rng.normal(size=(n, p))
    values = values * np.array([1, 100, 0.01, 5, 1])[:p] + np.arange(p)
    return np.where(rng.random((n, p)) < 0.15, NAN, values)


@pytest.mark.filterwarnings("ignore:.*Early stopping criterion not reached")
def test_chained_equations_are_those_of_scikit_learn() -> None:
    values, new = gappy(), gappy(20, seed=8)
    mean, scale = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    z = (values - mean) / scale
    imputer = IterativeImputer(
        initial_strategy="median", max_iter=ROUNDS, tol=TOLERANCE, imputation_order="ascending",
        min_value=np.nanmin(z, axis=0), max_value=np.nanmax(z, axis=0),
    ).fit(z)  # fmt: skip
    chain = fit_chain(values, groups=range(5))
    for table in (values, new):
        theirs = imputer.transform((table - mean) / scale) * scale + mean
        np.testing.assert_allclose(chain.fill(table), theirs, rtol=1e-6, atol=1e-8)
    known = ~np.isnan(new)
    np.testing.assert_array_equal(chain.fill(new)[known], new[known])


def test_chained_equations_by_hand() -> None:
    values = gappy(40, 2)
    values[:, 0] = np.where(np.isnan(values[:, 0]), 1.0, values[:, 0])  # gaps in the second only
    known = ~np.isnan(values[:, 1])
    z = (values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0)
    line = BayesianRidge().fit(z[known][:, [0]], z[known, 1])
    fill = np.clip(line.predict(z[~known][:, [0]]), np.nanmin(z[:, 1]), np.nanmax(z[:, 1]))
    expected = fill * np.nanstd(values[:, 1]) + np.nanmean(values[:, 1])
    filled = fit_chain(values, groups=[0, 1]).fill(values)
    np.testing.assert_allclose(filled[~known, 1], expected, rtol=1e-10)


def test_a_category_takes_its_likeliest_level() -> None:
    x = np.arange(30.0)
    grade = pd.Series(np.where(x < 10, "2", np.where(x < 20, "3", "4")), dtype=object)
    grade[[2, 15, 27]] = None
    table = pd.DataFrame({"x": x, "x2": (x - 14.5) ** 2, "g": pd.Categorical(grade)})
    design = Design(["*"], missing="chained").fit(table)
    filled = design.transform(table).loc[[2, 15, 27], ["g=3", "g=4"]]
    assert filled.to_numpy().tolist() == [[0, 0], [1, 0], [0, 1]]


COHORT = made_cohort(160, external=40, missing=0.06, p=3)
POLICIES: tuple[Missing, ...] = ("median", "chained", "indicator", "complete_case")
FACTORS = FactorModel(views=["mri", "rna"], n_factors=2)


def pipeline_of(policy: Missing) -> RiskPipeline:
    return risk_pipeline(["clinical:*", "mri:*"], CoxModel(ridge=1.0), missing=policy)


@pytest.mark.parametrize("policy", POLICIES)
def test_new_patients_one_by_one_are_as_the_batch(policy: Missing) -> None:
    development, new = COHORT.development, COHORT.external["elsewhere"].X
    pipeline = pipeline_of(policy).fit(development.X, development.y)
    together = pipeline.risk(new, horizon=6.0)
    alone = [pipeline.risk(new.iloc[[i]], horizon=6.0)[0] for i in range(len(new))]
    np.testing.assert_allclose(alone, together, rtol=1e-10)
    gaps = new.filter(regex="^mri").isna().any(axis=1).to_numpy()
    assert gaps.any()
    np.testing.assert_array_equal(np.isnan(together), gaps & (policy == "complete_case"))


@pytest.mark.parametrize("policy", POLICIES)
def test_the_outcome_fills_nothing(policy: Missing) -> None:
    development = COHORT.development
    one = pipeline_of(policy).fit(development.X, development.y)
    other = pipeline_of(policy).fit(development.X, development.y[::-1].copy())
    pd.testing.assert_frame_equal(
        one.design_matrix(development.X), other.design_matrix(development.X)
    )


def test_complete_cases_are_the_fit_on_the_subset() -> None:
    X, y = COHORT.development.X, COHORT.development.y
    known = X.filter(regex="^mri").notna().all(axis=1).to_numpy()
    for predictors in (["clinical:*", "mri:*"], ["mri:*", "factors:*"]):
        factors = FACTORS if "factors:*" in predictors else None
        model = risk_pipeline(
            predictors, CoxModel(ridge=1.0), factors=factors, missing="complete_case"
        ).fit(X, y)
        table = X if factors is None else X.join(FACTORS.fit(X).transform(X))  # of all patients
        design = Design(predictors).fit(table[known])
        by_hand = CoxModel(ridge=1.0).fit(design.transform(table[known]), y[known])
        np.testing.assert_allclose(model.model.coef_, by_hand.coef_, rtol=1e-10)
        assert np.isfinite(model.linear_predictor(X)).tolist() == known.tolist()


@given(order=st.permutations(range(12)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_patients_changes_no_fill(order: list[int]) -> None:
    values = gappy(12, 3)
    filled = fit_chain(values, groups=[0, 1, 2]).fill(values)
    shuffled = fit_chain(values[order], groups=[0, 1, 2]).fill(values[order])
    np.testing.assert_allclose(shuffled, filled[order], rtol=1e-6, atol=1e-9)


PLAN = Plan(folds=3, repeats=2, bootstrap=4, draws=20, seed=2)


@pytest.fixture(scope="module")
def validated() -> tuple[Validation, Performance]:
    pipelines = {
        "Median": risk_pipeline(["clinical:*", "mri:*"], CoxModel(), missing="median"),
        "Complete": risk_pipeline(["clinical:*", "mri:*"], CoxModel(), missing="complete_case"),
        "Whole": risk_pipeline(["clinical:*"], CoxModel(), missing="median"),
    }
    found = validate(pipelines, COHORT, plan=PLAN)
    return found, performance(found, thresholds=[0.3])


def test_every_figure_counts_the_patients_it_is_of(
    validated: tuple[Validation, Performance],
) -> None:
    found, figures = validated
    sizes = figures.table.groupby(["model", "cohort"])[["n_patients", "n_events"]].agg(set)
    for cohort, part in {"development": COHORT.development, **COHORT.external}.items():
        known = part.X.filter(regex="^mri").notna().all(axis=1).to_numpy()
        assert 0 < known.sum() < part.n_patients
        for model, who in (("Median", known | True), ("Complete", known)):
            counted = sizes.loc[(model, cohort)]
            assert counted["n_patients"] == {int(who.sum())}
            assert counted["n_events"] == {int(part.y["event"][who].sum())}
    held_out = found.out_of_fold["Complete"]
    lost = np.isnan(held_out.linear_predictor)
    assert (held_out.group[lost] == -1).all()
    assert (held_out.group[~lost] >= 0).all()
    at = figures.at_risk.query("cohort == 'elsewhere' and time == 0")
    totals = at.groupby("model")["n_at_risk"].sum()
    assert totals["Complete"] == sizes.loc[("Complete", "elsewhere"), "n_patients"].pop()
    kinds = set(figures.table.query("model == 'Complete'")["validation"])
    assert kinds == {"apparent", "cross_validated", "optimism_corrected", "external"}


def test_the_complete_case_beside_is_the_declared_one(
    validated: tuple[Validation, Performance],
) -> None:
    found, figures = validated
    assert found.complete_case is not None
    assert list(found.complete_case.fitted) == ["Median"]  # "Whole" has no gap
    beside = figures.complete_case
    assert set(beside["metric"]) == set(HEADLINE)
    key = ["cohort", "validation", "metric", "horizon"]
    declared = figures.table.query("model == 'Complete'").merge(beside[key], on=key)
    assert len(declared) == len(beside) > 10
    columns = [*key, "estimate", "lower", "upper", "n_patients", "n_events"]
    pd.testing.assert_frame_equal(
        declared[columns].sort_values(key, ignore_index=True),
        beside[columns].sort_values(key, ignore_index=True),
    )


def test_gaps_are_counted_and_lost_patients_found(
    validated: tuple[Validation, Performance],
) -> None:
    found, figures = validated
    pipelines = {name: fitted.pipeline for name, fitted in found.fitted.items()}
    gaps = predictor_gaps(pipelines, COHORT)
    assert set(gaps["model"]) == {"Median", "Complete"}
    counts = gaps[gaps["model"] == "Median"].set_index(["predictor", "cohort"])["n_missing"]
    for cohort, part in {"development": COHORT.development, **COHORT.external}.items():
        mri = part.X.filter(regex="^mri").isna()
        assert counts["mri:f0", cohort] == mri["mri:f0"].sum()
        assert counts[ANY, cohort] == mri.any(axis=1).sum()
    messages = {
        (f.where, f.message.partition(",")[0]): f.message
        for f in model_findings(found, figures, COHORT)
        if f.code == "not_predicted"
    }
    n = counts[ANY, "development"]
    assert messages.keys() == {("Complete", "In development"), ("Complete", "In elsewhere")}
    assert f"{n} of 120 patients" in messages["Complete", "In development"]


def test_complete_cases_that_cannot_be_fitted_are_a_finding() -> None:
    X = COHORT.X.copy()
    X["mri:f0"] = np.where(np.arange(len(X)) % 2, X["mri:f0"], NAN)
    X["mri:f1"] = np.where(np.arange(len(X)) % 2, NAN, X["mri:f1"])
    cohort = with_table(COHORT, X)
    found = validate({"Median": pipeline_of("median")}, cohort, plan=PLAN)
    figures = performance(found, thresholds=[0.3])
    assert figures.complete_case.empty
    finding = next(
        f for f in model_findings(found, figures, cohort) if f.code == "no_complete_case"
    )
    assert "cannot be given. The reason: model 'Median' cannot be fitted" in finding.message
    assert "none of 120 has all 5" in finding.message


def test_an_external_cohort_without_complete_cases_has_no_figure() -> None:
    X = COHORT.X.copy()
    X.loc[COHORT.group == "elsewhere", "mri:f0"] = NAN
    cohort = with_table(COHORT, X)
    found = validate({"Complete": pipeline_of("complete_case")}, cohort, plan=PLAN)
    figures = performance(found, thresholds=[0.3])
    assert set(figures.table["cohort"]) == {"development"}
    codes = [f.severity for f in model_findings(found, figures, cohort) if "40 of 40" in f.message]
    assert codes == ["serious"]


def test_trees_take_every_policy() -> None:
    X, y = COHORT.development.X, COHORT.development.y
    for policy in POLICIES:
        model = risk_pipeline(["mri:*"], BoostedModel(n_rounds=3), missing=policy).fit(X, y)
        lost = np.isnan(model.risk(X, horizon=6.0)).sum()
        assert lost == (X.filter(regex="^mri").isna().any(axis=1).sum() * (policy == POLICIES[3]))
