"""Boosted trees: XGBoost's own margins, risks that hold for new patients, and what is refused."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_array_api_input, estimator_checks_generator
from sksurv.linear_model.coxph import BreslowEstimator

from models.boosting import MAX_BIN, BoostedModel
from models.cox import CoxModel
from models.cox_fit import cox_fit
from models.logistic import LogisticModel
from models.recalibration import STEEPEST_SLOPE
from omics.errors import FitError
from omics.outcome import survival_outcome

HORIZON = 0.5
QUICK = {"n_rounds": 20, "learning_rate": 0.2}


def simulate(n: int, *, seed: int, effect: float = 1.0, p: int = 30) -> tuple[Any, Any, Any]:
    """Draw features, a survival outcome with random censoring, and a binary outcome."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, p))
    eta = effect * (0.8 * values[:, 0] + 0.6 * values[:, 1] + 0.5 * (values[:, 2] > 0))
    death, censored = rng.exponential(np.exp(-eta)), rng.exponential(1.5, size=n)
    X = pd.DataFrame(values, columns=[f"radiomics:f{i}" for i in range(p)])
    X.index = pd.Index([f"P{i:04d}" for i in range(n)], name="patient")
    survival = survival_outcome(np.minimum(death, censored), death <= censored)
    return X, survival, rng.random(n) < expit(1.5 * eta - 1)


X, SURVIVAL, BINARY = simulate(240, seed=1)
SURVIVING, CLASSED = BoostedModel(seed=3).fit(X, SURVIVAL), BoostedModel(seed=3).fit(X, BINARY)


def observed_by(y: NDArray[Any], horizon: float) -> float:
    """1 - Kaplan-Meier at `horizon`, written out."""
    time, event = y["time"], y["event"]
    steps = [1 - 1 / (time >= t).sum() for t in np.sort(time[event & (time <= horizon)])]
    return 1 - float(np.prod(steps))


# what the trees are ---------------------------------------------------------------------------


def test_survival_margin_is_xgboosts_own() -> None:
    theirs = xgb.XGBRegressor(
        objective="survival:cox", n_estimators=100, learning_rate=0.05, max_depth=3, subsample=0.8,
        colsample_bytree=0.5, reg_lambda=1.0, min_child_weight=3.0, max_bin=MAX_BIN, base_score=1.0,
        tree_method="hist", random_state=3, n_jobs=1,
    )  # fmt: skip
    label = np.where(SURVIVAL["event"], SURVIVAL["time"], -SURVIVAL["time"])
    theirs.fit(X.to_numpy(), label)
    margin = theirs.predict(X.to_numpy(), output_margin=True)
    expected = SURVIVING.slope_ * margin.astype(float)
    np.testing.assert_allclose(SURVIVING.linear_predictor(X), expected, atol=1e-6)


def test_binary_margin_is_xgboosts_own() -> None:
    theirs = xgb.XGBClassifier(
        n_estimators=100, learning_rate=0.05, max_depth=3, subsample=0.8, colsample_bytree=0.5,
        reg_lambda=1.0, min_child_weight=3.0, max_bin=MAX_BIN, base_score=BINARY.mean(),
        tree_method="hist", random_state=3, n_jobs=1,
    )  # fmt: skip
    theirs.fit(X.to_numpy(), BINARY)
    margin = theirs.predict(X.to_numpy(), output_margin=True).astype(float)
    expected = CLASSED.intercept_ + CLASSED.slope_ * margin
    np.testing.assert_allclose(CLASSED.linear_predictor(X), expected, atol=1e-6)


def test_gain_is_xgboosts_own() -> None:
    table = SURVIVING.importances
    theirs = SURVIVING.booster_.get_score(importance_type="total_gain")
    assert table["gain"].sum() == pytest.approx(sum(theirs.values()))
    assert table["share"].sum() == pytest.approx(1)
    by_term = table.set_index("term")["gain"]
    assert by_term["radiomics:f1"] == pytest.approx(theirs["f1"])
    assert sorted(table["term"]) == sorted(X.columns)
    assert set(table["term"][:2]) == {"radiomics:f0", "radiomics:f1"}  # the true ones


# what turns margins into risks ------------------------------------------------------------------


def test_unseen_margins_come_from_trees_without_the_fold() -> None:
    # Another outcome in one fold changes the trees of the other folds, not that fold's own.
    fold = SURVIVING.inner_fold_ == 0
    changed = SURVIVAL.copy()
    changed["time"][fold] = changed["time"][fold][::-1]
    changed["event"][fold] = changed["event"][fold][::-1]
    again = BoostedModel(seed=3)
    again._divide = lambda patient, event: SURVIVING.inner_fold_  # type: ignore[method-assign]
    again.fit(X, changed)
    np.testing.assert_array_equal(again.unseen_margin_[fold], SURVIVING.unseen_margin_[fold])
    assert not np.array_equal(again.unseen_margin_[~fold], SURVIVING.unseen_margin_[~fold])


def test_survival_slope_and_baseline_equal_cox_on_unseen_margins() -> None:
    margin, fold = SURVIVING.unseen_margin_, SURVIVING.inner_fold_
    cox = cox_fit(margin[:, np.newaxis], SURVIVAL["time"], SURVIVAL["event"], strata=fold)
    assert SURVIVING.slope_ == pytest.approx(cox.coef[0], abs=1e-6)
    theirs = BreslowEstimator().fit(SURVIVING.slope_ * margin, SURVIVAL["event"], SURVIVAL["time"])
    eta = SURVIVING.linear_predictor(X)
    expected = [1 - curve(HORIZON) for curve in theirs.get_survival_function(eta)]
    np.testing.assert_allclose(SURVIVING.risk(X, horizon=HORIZON), expected, atol=1e-10)


def test_survival_baseline_spends_as_many_events_as_were_seen() -> None:
    # Breslow: the cumulative hazards of all patients at their own times sum to the events.
    times, hazard = SURVIVING.baseline_time_, SURVIVING.baseline_hazard_
    at = np.searchsorted(times, SURVIVAL["time"], side="right")
    own = np.append(0.0, hazard)[at] * np.exp(SURVIVING.slope_ * SURVIVING.unseen_margin_)
    assert own.sum() == pytest.approx(SURVIVAL["event"].sum())
    assert SURVIVING.n_events_ == SURVIVAL["event"].sum()


def test_binary_level_is_the_share_of_events() -> None:
    unseen = expit(CLASSED.intercept_ + CLASSED.slope_ * CLASSED.unseen_margin_)
    assert unseen.mean() == pytest.approx(BINARY.mean(), abs=1e-10)


def test_survival_risks_hold_for_new_patients() -> None:
    # METHODS d7: on training margins the same trees are far too extreme.
    slopes, raw, ratios = [], [], []
    for seed in range(11, 19):
        patients, y, _ = simulate(300, seed=seed)
        new, y_new, _ = simulate(3000, seed=100 + seed)
        model = BoostedModel(seed=seed).fit(patients, y)
        eta = model.linear_predictor(new)[:, np.newaxis]
        seen = model.linear_predictor(patients)[:, np.newaxis]
        slopes.append(cox_fit(eta, y_new["time"], y_new["event"]).coef[0])
        raw.append(slopes[-1] / cox_fit(seen, y["time"], y["event"]).coef[0])
        ratios.append(observed_by(y_new, HORIZON) / model.risk(new, horizon=HORIZON).mean())
    # one sample of 300 leaves the slope an error of about .25: eight average to about .1
    assert np.mean(slopes) == pytest.approx(1, abs=0.25)
    assert np.mean(raw) < 0.45
    assert np.mean(ratios) == pytest.approx(1, abs=0.06)


def test_binary_risks_hold_for_new_patients() -> None:
    slopes, raw, ratios = [], [], []
    for seed in range(21, 29):
        patients, _, y = simulate(300, seed=seed)
        new, _, y_new = simulate(3000, seed=100 + seed)
        model = BoostedModel(seed=seed).fit(patients, y)
        eta = model.linear_predictor(new)[:, np.newaxis]
        seen = model.linear_predictor(patients)[:, np.newaxis]
        slopes.append(LogisticModel().fit(eta, y_new).coef_[0])
        raw.append(slopes[-1] / LogisticModel().fit(seen, y).coef_[0])
        ratios.append(y_new.mean() / model.risk(new).mean())
    assert np.mean(slopes) == pytest.approx(1, abs=0.25)
    assert np.mean(raw) < 0.45
    assert np.mean(ratios) == pytest.approx(1, abs=0.06)


def test_noise_shrinks_risks_to_the_prevalence() -> None:
    spread, memorised = [], []
    for seed in range(6):
        patients, _, y = simulate(150, seed=200 + seed, effect=0.0)
        new, _, _ = simulate(500, seed=300 + seed)
        model = BoostedModel(**QUICK, seed=seed).fit(patients, y)
        spread.append(np.abs(model.risk(new) - y.mean()).mean())
        memorised.append(model.booster_.inplace_predict(new.to_numpy()).std())
        if model.slope_ == 0:
            np.testing.assert_allclose(model.risk(new), y.mean(), atol=1e-10)
    assert np.mean(spread) < 0.05
    assert np.mean(memorised) > 2 * np.mean(spread)


def test_constant_features_give_everyone_the_same_risk() -> None:
    flat = pd.DataFrame({"a": np.ones(len(X)), "b": np.full(len(X), np.nan)}, index=X.index)
    binary, survival = BoostedModel().fit(flat, BINARY), BoostedModel().fit(flat, SURVIVAL)
    np.testing.assert_allclose(binary.risk(flat), BINARY.mean(), atol=1e-10)
    nelson_aalen = sum(
        1 / (SURVIVAL["time"] >= t).sum()
        for t in SURVIVAL["time"][SURVIVAL["event"] & (SURVIVAL["time"] <= HORIZON)]
    )
    np.testing.assert_allclose(
        survival.risk(flat, horizon=HORIZON), 1 - np.exp(-nelson_aalen), atol=1e-10
    )
    assert binary.slope_ == survival.slope_ == 0
    assert (binary.importances["gain"] == 0).all()
    assert (binary.importances["share"] == 0).all()


def test_separable_classes_stay_finite() -> None:
    x = np.repeat([0.0, 1.0], 40)[:, np.newaxis]
    model = BoostedModel(column_sample=1.0).fit(x, x[:, 0] == 1)
    assert model.slope_ == STEEPEST_SLOPE
    assert model.risk([[0.0], [1.0]]) == pytest.approx([0, 1], abs=1e-6)


# direction, order, copies -----------------------------------------------------------------------


def test_higher_is_worse() -> None:
    eta, risk = SURVIVING.linear_predictor(X), SURVIVING.risk(X, horizon=HORIZON)
    assert cox_fit(eta[:, np.newaxis], SURVIVAL["time"], SURVIVAL["event"]).coef[0] > 0
    np.testing.assert_array_equal(np.argsort(eta), np.argsort(risk))
    assert CLASSED.risk(X)[BINARY].mean() > CLASSED.risk(X)[~BINARY].mean()


def test_reversed_classes_reverse_the_risk() -> None:
    settings = {"subsample": 1.0, "column_sample": 1.0, **QUICK}
    forward = BoostedModel(**settings).fit(X, BINARY)
    reverse = BoostedModel(**settings)
    reverse._divide = lambda patient, event: forward.inner_fold_  # type: ignore[method-assign]
    reverse.fit(X, ~BINARY)
    np.testing.assert_allclose(forward.risk(X), 1 - reverse.risk(X), atol=1e-4)


def test_risk_rises_with_the_horizon_and_ends_with_follow_up() -> None:
    times = np.sort(SURVIVAL["time"])
    risks = np.array([SURVIVING.risk(X, horizon=t) for t in times[::20]])
    assert (np.diff(risks, axis=0) >= 0).all()
    before = SURVIVING.baseline_time_[0] / 2
    assert (SURVIVING.risk(X, horizon=before) == 0).all()
    assert SURVIVING.max_time_ == times[-1]
    assert not np.isnan(SURVIVING.risk(X, horizon=times[-1])).any()
    assert np.isnan(SURVIVING.risk(X, horizon=times[-1] * 1.001)).all()


@pytest.mark.parametrize("y", [SURVIVAL, BINARY], ids=["survival", "binary"])
def test_order_of_rows_does_not_matter_without_subsampling(y: NDArray[Any]) -> None:
    order = np.random.default_rng(0).permutation(len(X))
    model = BoostedModel(subsample=1.0, column_sample=1.0, **QUICK)
    forward, shuffled = clone(model).fit(X, y), clone(model).fit(X.iloc[order], y[order])
    np.testing.assert_array_equal(shuffled.inner_fold_, forward.inner_fold_[order])
    np.testing.assert_allclose(  # float32 sums in another order
        shuffled.linear_predictor(X), forward.linear_predictor(X), atol=1e-3
    )


def test_unit_of_time_does_not_matter() -> None:
    days = survival_outcome(365.25 * SURVIVAL["time"], SURVIVAL["event"])
    model = BoostedModel(seed=3).fit(X, days)
    np.testing.assert_allclose(
        model.risk(X, horizon=365.25 * HORIZON), SURVIVING.risk(X, horizon=HORIZON), atol=1e-6
    )


def test_copies_of_a_patient_share_an_inner_fold() -> None:
    draw = np.random.default_rng(5).integers(len(X), size=len(X))
    model = BoostedModel(**QUICK).fit(X.iloc[draw], SURVIVAL[draw])
    folds = pd.Series(model.inner_fold_).groupby(draw).nunique()
    assert (folds == 1).all()
    assert (pd.Series(draw).value_counts() > 1).any()
    # without the labels copies are strangers, and what is unseen looks better than it is
    strangers = BoostedModel(**QUICK).fit(X.iloc[draw].to_numpy(), SURVIVAL[draw])
    assert strangers.slope_ > model.slope_


def test_inner_folds_hold_equal_events() -> None:
    for model, event in ((SURVIVING, SURVIVAL["event"]), (CLASSED, BINARY)):
        events, sizes = np.bincount(model.inner_fold_[event]), np.bincount(model.inner_fold_)
        assert np.ptp(events) <= 1
        assert np.ptp(sizes) <= 1


def test_fit_is_the_same_twice_and_changes_nothing() -> None:
    before, outcome = X.copy(), SURVIVAL.copy()
    np.random.seed(1)  # noqa: NPY002  the global generator must be left alone
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    again = BoostedModel(seed=3).fit(X, SURVIVAL)
    np.testing.assert_array_equal(again.linear_predictor(X), SURVIVING.linear_predictor(X))
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    pd.testing.assert_frame_equal(X, before)
    np.testing.assert_array_equal(SURVIVAL, outcome)
    other = BoostedModel(seed=4).fit(X, SURVIVAL)
    assert not np.array_equal(other.linear_predictor(X), SURVIVING.linear_predictor(X))


# the door -----------------------------------------------------------------------------------------


def test_hostile_names_pass_and_come_back() -> None:
    hostile = X.iloc[:, :4].copy()
    hostile.columns = ["a[0]", "b<1", "clinical:Grade=3]", "<script>"]
    plain = BoostedModel(**QUICK).fit(hostile.to_numpy(), BINARY)
    named = BoostedModel(**QUICK)
    named._divide = lambda patient, event: plain.inner_fold_  # type: ignore[method-assign]
    named.fit(hostile, BINARY)
    np.testing.assert_array_equal(named.risk(hostile), plain.risk(hostile.to_numpy()))
    assert set(named.importances["term"]) == set(hostile.columns)
    assert named.importances["term"][0] == "a[0]"
    np.testing.assert_array_equal(named.importances["gain"], plain.importances["gain"])


def test_missing_values_are_taken_as_they_are() -> None:
    # Who has no value of f0 is known to be at risk: the trees must find that.
    holes = X.mask(pd.DataFrame({"radiomics:f0": BINARY}, index=X.index).reindex(columns=X.columns)
                   .eq(True))  # fmt: skip
    model = BoostedModel(column_sample=1.0).fit(holes, BINARY)
    assert model.risk(holes)[BINARY].min() > model.risk(holes)[~BINARY].max()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_rounds": 0}, "n_rounds must be a whole number of at least 1, but 0 came"),
        ({"max_depth": 2.5}, "max_depth must be a whole number of at least 1, but 2.5"),
        ({"inner_folds": 1}, "inner_folds must be a whole number of at least 2"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"ridge": -0.1}, "ridge must be a number of at least 0, but -0.1"),
        ({"min_child_weight": None}, "min_child_weight must be a number of at least 0, but None"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0 and at most 1"),
        ({"subsample": 1.5}, "subsample must be above 0 and at most 1, but 1.5"),
        ({"column_sample": "all"}, "column_sample must be above 0 and at most 1, but 'all'"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BoostedModel(**settings).fit(X, BINARY)


def test_wrong_columns_are_named() -> None:
    text = X.assign(**{"clinical:Sex": "male"})
    with pytest.raises(ValueError, match=r"1 of 31 columns do not \(first: 'clinical:Sex'\)"):
        BoostedModel().fit(text, BINARY)
    infinite = X.copy()
    infinite.iloc[7, 2] = np.inf
    with pytest.raises(ValueError, match=r"1 values are inf.*column 'radiomics:f2', row 7"):
        BoostedModel().fit(infinite, BINARY)
    with pytest.raises(ValueError, match="feature names"):
        CLASSED.risk(X.rename(columns={"radiomics:f0": "radiomics:g0"}))
    bare = BoostedModel(**QUICK).fit(X.to_numpy(), BINARY)
    with pytest.raises(ValueError, match="3 features"):
        bare.risk(X.iloc[:, :3].to_numpy())


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        (np.ones(240), ValueError, "y holds one class only"),
        (np.arange(240), ValueError, "y must hold only True/False or 1/0"),
        (BINARY[:-1], ValueError, "X has 240 and y 239"),
        (np.arange(240) < 4, FitError, "5 folds were asked for and 4 of 240 patients are with the"),
        (np.arange(240) > 3, FitError, "4 of 240 patients are without the event"),
        (
            survival_outcome(np.ones(240), np.arange(240) < 3),
            FitError,
            "3 of 240 patients are with the event. Ask for fewer inner folds",
        ),
    ],
)
def test_wrong_outcomes_are_named(y: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        BoostedModel().fit(X, y)


def test_survival_without_censoring_is_fitted() -> None:
    everyone = survival_outcome(SURVIVAL["time"], np.ones(240, dtype=bool))
    assert BoostedModel(**QUICK).fit(X, everyone).slope_ > 0


@pytest.mark.parametrize("horizon", [None, 0, -1, np.nan, np.inf])
def test_a_survival_risk_needs_a_horizon(horizon: float | None) -> None:
    with pytest.raises(ValueError, match="horizon must be a time above zero"):
        SURVIVING.risk(X, horizon=horizon)


def test_a_binary_risk_has_no_horizon() -> None:
    with pytest.raises(ValueError, match="horizon must be left out for a binary outcome"):
        CLASSED.risk(X, horizon=365)


def test_same_verbs_as_the_cox_model() -> None:
    cox = CoxModel().fit(X.iloc[:, :3], SURVIVAL)
    together = np.corrcoef(cox.linear_predictor(X.iloc[:, :3]), SURVIVING.linear_predictor(X))
    assert together[0, 1] > 0.7


# scikit-learn's own checks ------------------------------------------------------------------------


class Classed(BoostedModel):
    """scikit-learn's checks pass numbers as outcome: the upper half is the event."""

    def fit(self, X: Any, y: Any) -> BoostedModel:
        if y is not None and np.isrealobj(y) and len(y):
            middle = np.median(np.asarray(y, dtype=float))
            y = y > middle if (y > middle).any() else y >= middle
        return super().fit(X, y)


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(check, id="-".join([check.func.__name__, *check.keywords]))
        for _, check in estimator_checks_generator(Classed(n_rounds=3, inner_folds=2))
        if check.func is not check_array_api_input  # it only skips itself
    ],
)
def test_scikit_learn_checks(check: Any) -> None:
    check(Classed(n_rounds=3, inner_folds=2))
