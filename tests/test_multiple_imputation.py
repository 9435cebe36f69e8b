"""Multiple imputation: by hand, against the libraries, and where the truth is simulated."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from statsmodels.imputation.mice import MICEData

from models.boosting import BoostedModel
from models.comparison import compare
from models.cox import CoxModel
from models.design import Design
from models.draws import Variable, impute, learn_draws, outcome_columns
from models.logistic import LogisticModel
from models.passport import read_passport, write_passport
from models.passport_making import make_passport
from models.pipeline import RiskPipeline, risk_pipeline
from models.pooled import PooledCox, PooledLogistic
from models.rubin import rubin
from models.validation import Plan, validate
from tests.made_cohorts import made_cohort
from tests.small_study import small_study

NAN = np.nan


def numbers(p: int) -> list[Variable]:
    return [Variable(columns=np.array([j]), is_category=False) for j in range(p)]


def linear_pair(n: int, *, seed: int, lost: float = 0.4) -> tuple[NDArray[Any], NDArray[Any]]:
    """x, and y = 2 + 3 x + noise of standard deviation 2, lost more often where x is large."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    whole = np.column_stack([x, 2 + 3 * x + 2 * rng.normal(size=n)])
    gone = rng.random(n) < expit(2 * x) * 2 * lost
    values = whole.copy()
    values[gone, 1] = NAN
    return values, whole


def test_imputed_values_are_other_patients_and_follow_the_regression() -> None:
    values, _ = linear_pair(2000, seed=1)
    gone = np.isnan(values[:, 1])
    drawn = impute(
        values, variables=numbers(2), outcome=np.zeros((2000, 0)), n_imputations=10, seed=3
    )
    others = np.sort(values[~gone, 1])
    nearest = others[np.searchsorted(others, drawn[:, gone, 1] - 1e-9)]
    np.testing.assert_allclose(drawn[:, gone, 1], nearest, atol=1e-12)
    np.testing.assert_array_equal(
        drawn[:, ~gone], np.broadcast_to(values[~gone], (10, *values[~gone].shape))
    )
    middle = gone & (np.abs(values[:, 0]) < 1.5)
    residual = drawn[:, middle, 1] - (2 + 3 * values[middle, 0])
    assert abs(residual.mean()) < 0.15  # 10 draws of some 700 patients, one regression: se .05
    assert residual.std() == pytest.approx(2, rel=0.05)
    again = impute(
        values, variables=numbers(2), outcome=np.zeros((2000, 0)), n_imputations=10, seed=3
    )
    np.testing.assert_array_equal(again, drawn)


def test_new_patients_are_drawn_from_the_regression() -> None:
    values, _ = linear_pair(2000, seed=2)
    chain = learn_draws(values, variables=numbers(2), n_draws=20, seed=3)
    new = np.array([[-1.0, NAN], [0.0, NAN], [1.0, NAN], [NAN, 5.0]])
    drawn = chain.draw(new)
    # The residual's quantiles are stratified: the mean has no noise but that of the coefficients.
    np.testing.assert_allclose(drawn[:, :3, 1].mean(axis=0), [-1, 2, 5], atol=0.25)
    np.testing.assert_allclose(drawn[:, :3, 1].std(axis=0), 2, rtol=0.1)
    slope = 3 / (9 + 4)  # of x on y: cov / var
    assert drawn[:, 3, 0].mean() == pytest.approx(slope * 3, abs=0.15)
    np.testing.assert_array_equal(drawn[:, 3, 1], 5.0)


def test_categories_take_their_levels_in_the_right_shares() -> None:
    rng = np.random.default_rng(5)
    n = 3000
    x = rng.integers(0, 2, n).astype(float)
    shares = np.where(x[:, None] == 1, [0.1, 0.3, 0.6], [0.5, 0.4, 0.1])
    level = (rng.random(n)[:, None] > shares.cumsum(axis=1)).sum(axis=1)
    wide = np.column_stack([x, level == 1, level == 2]).astype(float)
    gone = rng.random(n) < np.where(x == 1, 0.5, 0.2)
    wide[np.ix_(gone, [1, 2])] = NAN
    variables = [numbers(1)[0], Variable(columns=np.array([1, 2]), is_category=True)]
    drawn = impute(wide, variables=variables, outcome=np.zeros((n, 0)), n_imputations=20, seed=1)
    new = learn_draws(wide, variables=variables, n_draws=20, seed=1).draw(
        np.array([[0.0, NAN, NAN], [1.0, NAN, NAN]])
    )
    for value, expected in ((0, [0.5, 0.4, 0.1]), (1, [0.1, 0.3, 0.6])):
        known = wide[(x == value) & ~gone][:, 1:].mean(axis=0)  # what the equation can learn
        found = drawn[:, gone & (x == value), 1:].mean(axis=(0, 1))
        np.testing.assert_allclose(found, known, atol=0.02)
        np.testing.assert_allclose(known, expected[1:], atol=0.05)
        np.testing.assert_allclose(new[:, value, 1:].mean(axis=0), known, atol=0.075)  # of 20 draws
    assert set(np.unique(drawn[:, :, 1:])) == {0, 1}


def test_imputation_is_that_of_the_libraries() -> None:
    values, _ = linear_pair(600, seed=8)
    gone = np.isnan(values[:, 1])
    ours = impute(
        values, variables=numbers(2), outcome=np.zeros((600, 0)), n_imputations=20, seed=3
    )[:, gone, 1]
    data = MICEData(pd.DataFrame(values, columns=["x", "y"]))
    np.random.seed(4)  # noqa: NPY002 (statsmodels draws from the global generator)
    theirs = []
    for _ in range(20):
        data.update_all()
        theirs.append(data.data["y"].to_numpy()[gone])
    bayes = [
        IterativeImputer(
            sample_posterior=True, random_state=seed, max_iter=2, tol=1e3
        ).fit_transform(values)[gone, 1]
        for seed in range(20)
    ]
    for other in (np.array(theirs), np.array(bayes)):
        # Monte Carlo errors of 20 regressions on 350 patients each
        assert ours.mean() == pytest.approx(other.mean(), abs=0.3)
        assert ours.std() == pytest.approx(other.std(), rel=0.1)


def logistic_mar(n: int, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """Truth -0.5 + 1 x - 1 z; x is lost where z is high and, more often, where the event came."""
    z = rng.normal(size=n)
    x = 0.5 * z + rng.normal(size=n)
    y = rng.random(n) < expit(-0.5 + x - z)
    gone = rng.random(n) < expit(-1.6 + 1.2 * y + z)
    return np.column_stack([np.where(gone, NAN, x), z]), y


def test_pooled_coefficients_are_unbiased_and_their_intervals_cover() -> None:
    rng = np.random.default_rng(11)
    truth, runs = np.array([-0.5, 1.0, -1.0]), 250
    covered, estimates, complete = np.zeros(3), [], []
    for run in range(runs):
        values, y = logistic_mar(250, rng)
        copies = impute(
            values, variables=numbers(2), outcome=outcome_columns(y), n_imputations=10, seed=run
        )
        fits = [LogisticModel().fit(copy, y) for copy in copies]
        stacked = [np.concatenate([[fit.intercept_], fit.coef_]) for fit in fits]
        table = rubin(stacked, [fit.covariance_ for fit in fits], complete_df=247).table(
            ["1", "x", "z"]
        )
        covered += (table["lower"] <= truth) & (truth <= table["upper"])
        estimates.append(table["estimate"])
        known = ~np.isnan(values[:, 0])
        complete.append(LogisticModel().fit(values[known], y[known]).intercept_)
    # Over 800 runs: .951, .931, .935 (normal draws in place of matching: .955, .953, .953). The
    # Monte Carlo error over 250 is .016, so this holds .92 less it.
    assert (covered / runs > 0.904).all()
    assert (covered / runs < 0.97 + 0.016).all()
    error = np.std(estimates, axis=0) / np.sqrt(runs)
    bias = np.mean(estimates, axis=0) - truth
    assert (np.abs(bias) < 0.05 + 2 * error).all()  # a logistic fit to 250 has a bias of its own
    assert np.mean(complete) - truth[0] < -0.3  # who is complete is not like all


def cohort_with_gaps(n: int = 160, **options: Any) -> Any:
    return made_cohort(n, external=40, missing=0.08, p=2, **options)


COHORT = cohort_with_gaps()
DEVELOPMENT, NEW = COHORT.development, COHORT.external["elsewhere"].X


def fitted(**options: Any) -> RiskPipeline:
    model = options.pop("model", None) or CoxModel()
    made = risk_pipeline(["clinical:*", "mri:*"], model, missing="multiple", **options)
    return made.set_params(design__imputations=6, design__seed=4).fit(DEVELOPMENT.X, DEVELOPMENT.y)


def test_the_model_is_the_pool_of_its_copies_by_hand() -> None:
    pipeline = fitted(splines={"mri:f0": 3})
    copies = pipeline.design.copies(DEVELOPMENT.X, DEVELOPMENT.y)
    fits = [CoxModel().fit(copy, DEVELOPMENT.y) for copy in copies]
    by_hand = rubin(
        [fit.coef_ for fit in fits],
        [fit.covariance_ for fit in fits],
        complete_df=DEVELOPMENT.n_events - len(fits[0].coef_),
    )
    model = pipeline.model
    np.testing.assert_allclose(model.coef_, by_hand.estimate, rtol=1e-10)
    np.testing.assert_allclose(model.covariance_, by_hand.total, rtol=1e-10)
    table = model.coefficients
    np.testing.assert_allclose(np.log(table["upper"]), by_hand.table(table["term"])["upper"])
    assert table.loc[table["term"].str.startswith("mri"), "fmi"].gt(0).all()
    whole = NEW[NEW.filter(regex="^mri").notna().all(axis=1)]
    log_hazards = [
        np.log(-np.log1p(-fit.risk(pipeline.design_matrix(whole), horizon=6.0))) for fit in fits
    ]
    ours = pipeline.risk(whole, horizon=6.0)
    np.testing.assert_allclose(np.log(-np.log1p(-ours)), np.mean(log_hazards, axis=0), rtol=1e-10)
    risks = [fit.risk(pipeline.design_matrix(whole), horizon=6.0) for fit in fits]
    np.testing.assert_allclose(ours, np.mean(risks, axis=0), atol=3e-3)


def test_a_patient_with_a_gap_has_the_mean_of_the_draws() -> None:
    pipeline = fitted()
    gaps = NEW.filter(regex="^mri").isna().any(axis=1).to_numpy()
    matrix, rows, drawn = pipeline.design_matrix_with_draws(NEW)
    assert rows.tolist() == np.flatnonzero(gaps).tolist()
    np.testing.assert_allclose(matrix.iloc[rows], drawn.mean(axis=0), rtol=1e-12)
    names = list(matrix.columns)
    each = [pipeline.model.risk(pd.DataFrame(d, columns=names), horizon=6.0) for d in drawn]
    linear_predictor, risk = pipeline.predict_all(NEW, horizons=[6.0])
    np.testing.assert_allclose(risk[rows, 0], np.mean(each, axis=0), rtol=1e-12)
    np.testing.assert_allclose(
        linear_predictor, pipeline.model.linear_predictor(matrix), rtol=1e-12
    )
    known = NEW.iloc[rows].notna().to_numpy()[:, :4]
    assert drawn[:, :, :3].std(axis=0).max() < 1e-12  # age and grade are known: every draw has them
    assert (drawn.std(axis=0)[:, 3:] > 1e-9).tolist() == (~known[:, 2:]).tolist()


@given(order=st.permutations(range(12)))
@settings(max_examples=10, deadline=None)
def test_a_patient_is_drawn_alone(order: list[int]) -> None:
    together = PIPELINE.risk(NEW, horizon=6.0)
    shuffled = PIPELINE.risk(NEW.iloc[order], horizon=6.0)
    np.testing.assert_allclose(shuffled, together[order], rtol=1e-10)
    alone = PIPELINE.risk(NEW.iloc[[order[0]]], horizon=6.0)
    np.testing.assert_allclose(alone, together[[order[0]]], rtol=1e-10)


PIPELINE = fitted()


def test_the_outcome_informs_the_fit_and_never_the_score() -> None:
    design = Design(["clinical:*", "mri:*"], missing="multiple", imputations=6, seed=4)
    reversed_y = DEVELOPMENT.y[::-1].copy()
    one = design.fit(DEVELOPMENT.X, DEVELOPMENT.y)
    draws = one.transform(DEVELOPMENT.X)
    copies = one.copies(DEVELOPMENT.X, DEVELOPMENT.y)
    pd.testing.assert_frame_equal(
        design.fit(DEVELOPMENT.X, reversed_y).transform(DEVELOPMENT.X), draws
    )
    other = one.copies(DEVELOPMENT.X, reversed_y)
    assert not np.array_equal(copies[0], other[0])


def test_without_gaps_it_is_the_plain_model() -> None:
    X = DEVELOPMENT.X.copy()
    X[list(X.filter(regex="^mri|^rna"))] = X.filter(regex="^mri|^rna").fillna(0.0)
    for y, model in ((DEVELOPMENT.y, CoxModel()), (DEVELOPMENT.y["event"], LogisticModel())):
        plain = risk_pipeline(["clinical:*", "mri:*"], model).fit(X, y)
        pooled = risk_pipeline(["clinical:*", "mri:*"], model, missing="multiple").fit(X, y)
        assert isinstance(pooled.model, PooledCox | PooledLogistic)
        np.testing.assert_array_equal(pooled.model.coef_, plain.model.coef_)
        np.testing.assert_array_equal(pooled.model.log_likelihood_, plain.model.log_likelihood_)
        horizon = 6.0 if isinstance(model, CoxModel) else None
        np.testing.assert_allclose(
            pooled.risk(X, horizon=horizon), plain.risk(X, horizon=horizon), rtol=1e-12
        )
        table = pooled.model.coefficients
        assert (table["fmi"] == 0).all()
        assert (table["relative_efficiency"] == 1).all()


def test_a_binary_model_pools_too() -> None:
    cohort = cohort_with_gaps(kind="binary")
    development = cohort.development
    pipeline = risk_pipeline(["clinical:*", "mri:*"], LogisticModel(), missing="multiple")
    pipeline = pipeline.fit(development.X, development.y)
    fits = [
        LogisticModel().fit(copy, development.y)
        for copy in pipeline.design.copies(development.X, development.y)
    ]
    assert len(fits) == 20
    model = pipeline.model
    assert model.intercept_ == pytest.approx(np.mean([fit.intercept_ for fit in fits]), rel=1e-10)
    tests = model.wald_tests({t.name: t.columns for t in pipeline.design.terms_})
    assert tests["term"].tolist() == ["clinical:Age", "clinical:Grade", "mri:f0", "mri:f1", "ALL"]
    assert tests["df"].tolist() == [1, 2, 1, 1, 5]
    coefficients = model.coefficients.set_index("term")
    assert tests["f"].iloc[2] == pytest.approx(coefficients.loc["mri:f0", "t"] ** 2, rel=1e-10)
    # risks sort the patients as the pooled linear predictor does, gaps or not
    elsewhere = cohort.external["elsewhere"].X
    complete = elsewhere[elsewhere.notna().all(axis=1)]
    eta = pipeline.linear_predictor(complete)
    np.testing.assert_allclose(pipeline.risk(complete), 1 / (1 + np.exp(-eta)), rtol=1e-10)
    assert pipeline.risk(elsewhere).shape == (len(elsewhere),)
    assert not np.isnan(pipeline.risk(elsewhere)).any()


def test_a_ridge_is_chosen_once() -> None:
    pipeline = fitted(model=CoxModel(ridge="aic"))
    copies = pipeline.design.copies(DEVELOPMENT.X, DEVELOPMENT.y)
    assert pipeline.model.ridge_ == CoxModel(ridge="aic").fit(copies[0], DEVELOPMENT.y).ridge_


PLAN = Plan(folds=3, repeats=1, bootstrap=2, draws=20, seed=2)


def test_validated_frozen_read_and_scored(tmp_path: Any) -> None:
    pipelines = {
        "Multiple": risk_pipeline(["clinical:*", "mri:*"], CoxModel(), missing="multiple"),
        "Small": risk_pipeline(["clinical:*"], CoxModel()),
    }
    pipelines["Multiple"].set_params(design__imputations=5, design__seed=1)
    found = validate(pipelines, COHORT, plan=PLAN)
    assert found.complete_case is not None
    assert list(found.complete_case.fitted) == ["Multiple"]
    assert found.failures["failed"].sum() == 0
    passport = make_passport(COHORT, found, title="made up")
    write_passport(passport, tmp_path / "passport.zip")
    again = read_passport(tmp_path / "passport.zip")
    one, other = passport.score(NEW).table, again.score(NEW).table
    pd.testing.assert_frame_equal(one, other)
    mine = one[one["model"] == "Multiple"]
    risk = found.fitted["Multiple"].pipeline.risk(NEW, horizon=6.0)
    np.testing.assert_allclose(mine["risk_6"], risk, rtol=1e-10)
    np.testing.assert_allclose(mine["risk_6"], found.external["elsewhere"]["Multiple"].risk[:, 0])
    gaps = NEW.filter(regex="^mri").isna().any(axis=1).to_numpy()
    assert mine["interval"].str.endswith("what filled the gaps").tolist() == gaps.tolist()
    assert (mine["filled"] != "").tolist() == gaps.tolist()
    assert mine["risk_6"].between(mine["risk_6_lower"], mine["risk_6_upper"]).all()
    assert mine["risk_6_lower"].lt(mine["risk_6_upper"]).all()
    alone = passport.score(NEW.iloc[[int(np.flatnonzero(gaps)[0])]]).table
    first = mine[gaps].iloc[0]
    assert alone.iloc[0]["risk_12_upper"] == pytest.approx(first["risk_12_upper"], rel=1e-10)


def test_no_likelihood_ratio_across_imputations() -> None:
    pipelines = {
        "Multiple": risk_pipeline(["clinical:*", "mri:*"], CoxModel(), missing="multiple"),
        "Small": risk_pipeline(["clinical:*"], CoxModel()),
    }
    plan = Plan(folds=2, repeats=1, bootstrap=0, draws=20, seed=2)
    found = compare(
        validate(pipelines, COHORT, plan=plan), COHORT, reference="Small", thresholds=[0.3]
    )
    row = found.likelihood_ratio.iloc[0]
    assert np.isnan(row["p_value"])
    assert row["reason"] == (
        "Multiple is pooled over imputations, which maximise no common likelihood"
    )


def test_wrong_use_is_named() -> None:
    with pytest.raises(ValueError, match=r"missing must not be 'multiple' for boosted trees"):
        risk_pipeline(["clinical:*"], BoostedModel(), missing="multiple")
    with pytest.raises(ValueError, match=r"n_draws must be a whole number of 2 or more, but 1"):
        Design(["mri:*"], missing="multiple", imputations=1).fit(DEVELOPMENT.X)
    plain = risk_pipeline(["mri:*"], CoxModel()).set_params(design__missing="multiple")
    with pytest.raises(ValueError, match=r"model must be pooled .* but it is a CoxModel"):
        plain.fit(DEVELOPMENT.X, DEVELOPMENT.y)


def test_few_patients_and_many_columns() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(12, 30))
    values[rng.random(values.shape) < 0.3] = NAN
    values[0] = 1.0
    drawn = impute(
        values, variables=numbers(30), outcome=np.zeros((12, 2)), n_imputations=3, seed=1
    )
    known = ~np.isnan(values)
    for one in drawn:  # what was known stays, what was not is a value that somebody has
        np.testing.assert_array_equal(one[known], values[known])
        for j in range(30):
            away = np.abs(one[:, [j]] - values[known[:, j], j]).min(axis=1)
            np.testing.assert_allclose(away, 0, atol=1e-12)
    new = learn_draws(values, variables=numbers(30), n_draws=3, seed=1).draw(np.full((2, 30), NAN))
    low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    assert ((new >= low - 1e-12) & (new <= high + 1e-12)).all()
    np.testing.assert_array_equal(new[:, 0], new[:, 1])  # two patients of whom nothing is known


def test_a_study_reports_pools_and_scores(tmp_path: Any) -> None:
    study = small_study(tmp_path)
    clinical = study.tables["clinical"]
    number = clinical.select_dtypes("number").columns[0]
    clinical[number] = clinical[number].astype(float).mask(np.arange(len(clinical)) % 6 == 0)
    study.content["missing"] = {"policy": "multiple", "imputations": 4}
    result = study.run()
    assert result.exit_code == 0, result.output
    page = (study.out / "report.html").read_text(encoding="utf-8")
    for words in (
        "Pooled Wald tests",
        "Missing information",
        "Multiple imputation",
        "Each predictor alone",
    ):
        assert words in page
    assert (study.out / "tables" / "regression_Clinical.csv").is_file()
    study.content["missing"] = {"policy": "median", "imputations": 4}
    assert "no model's policy is 'multiple'" in study.run().output.replace("\n", " ")
