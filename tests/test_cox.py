"""Cox regression: hand-worked likelihoods, R's numbers, then what must hold for any data."""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from statsmodels.duration.hazard_regression import PHReg

from models.baseline import breslow_baseline
from models.cox import CoxModel
from models.cox_fit import cox_fit
from models.partial_likelihood import PartialLikelihood
from models.regression import RIDGE_GRID
from omics.errors import ConvergenceWarning, FitError
from omics.outcome import survival_outcome
from tests.manners import check_manners
from tests.realdata import DATA, needs_data
from tests.rotterdam import rotterdam

REFERENCE = json.loads((Path(__file__).parent / "reference" / "cox.json").read_text())
TABLE = pd.DataFrame(REFERENCE["data"])
COLUMNS = ["age", "volume", "mutant", "g3", "g4"]
X = TABLE[COLUMNS].astype(float)
Y = survival_outcome(TABLE["time"], TABLE["event"])
Floats = NDArray[np.float64]


def simulated(seed: int, n: int = 60, p: int = 3) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    time = np.ceil(10 * rng.exponential(size=n) * np.exp(-0.7 * x[:, 0]))  # ties
    return x, time, rng.random(n) < 0.7


def efron(coef: Floats, x: Floats, time: Floats, event: NDArray[np.bool_], offset: Floats) -> float:
    """Efron's log partial likelihood as the definition writes it."""
    eta = x @ coef + offset
    value = 0.0
    for t in np.unique(time[event]):
        dying = event & (time == t)
        value += eta[dying].sum()
        for r in range(dying.sum()):
            share = r / dying.sum()
            total = np.exp(eta[time >= t]).sum() - share * np.exp(eta[dying]).sum()
            value -= np.log(total)
    return float(value)


# ---- hand-worked


def test_three_patients_by_hand() -> None:
    # x = 1, 0, 1 die in turn: L = u/(2u+1) * 1/(1+u), largest at u = 1/sqrt(2)
    fit = cox_fit([[1.0], [0.0], [1.0]], [1, 2, 3], [1, 1, 1])
    u = 1 / np.sqrt(2)
    assert np.exp(fit.coef[0]) == pytest.approx(u, abs=1e-10)
    likelihoods = [np.log(1 / 6), np.log(u / ((2 * u + 1) * (1 + u)))]
    np.testing.assert_allclose(fit.log_likelihood, likelihoods, atol=1e-10)
    information = 2 * u / (2 * u + 1) ** 2 + u / (1 + u) ** 2
    assert fit.covariance.item() == pytest.approx(1 / information, rel=1e-9)


def test_tied_events_by_hand() -> None:
    # x = 1 and 0 die together, then x = 0: L = 2u / ((u+2)(u+3)), largest at u = sqrt(6)
    fit = cox_fit([[1.0], [0.0], [0.0]], [1, 1, 2], [1, 1, 1])
    assert np.exp(fit.coef[0]) == pytest.approx(np.sqrt(6), abs=1e-9)


def test_baseline_without_columns_is_nelson_aalen() -> None:
    model = CoxModel().fit(np.empty((5, 0)), survival_outcome([1, 2, 2, 3, 4], [1, 1, 1, 0, 1]))
    np.testing.assert_array_equal(model.baseline_time_, [1, 2, 4])
    np.testing.assert_allclose(model.baseline_hazard_, np.cumsum([1 / 5, 2 / 4, 1 / 1]))
    np.testing.assert_allclose(model.risk(np.empty((1, 0)), horizon=2), 1 - np.exp(-0.7))
    assert model.median(np.empty((1, 0))).tolist() == [2.0]  # exp(-.7) is the first below .5
    assert model.log_likelihood_[0] == model.log_likelihood_[1]
    assert len(model.coefficients) == 0


def test_baseline_by_hand() -> None:
    times, hazard = breslow_baseline(np.log([2.0, 1.0, 3.0]), [1, 2, 3], [1, 1, 0])
    assert times.tolist() == [1, 2]
    np.testing.assert_allclose(hazard, [1 / 6, 1 / 6 + 1 / 4])


@pytest.mark.parametrize("seed", [1, 2])
def test_likelihood_and_derivatives_follow_from_the_definition(seed: int) -> None:
    x, time, event = simulated(seed)
    rng = np.random.default_rng(seed)
    coef, offset, strata = rng.normal(size=3), rng.normal(size=60), rng.integers(0, 3, 60)
    likelihood = PartialLikelihood.of(x, time, event, strata=strata, offset=offset)

    def by_definition(at: Floats) -> float:
        return sum(
            efron(at, x[s], time[s], event[s], offset[s]) for s in (strata == k for k in range(3))
        )

    here = likelihood(coef)
    steps = 1e-4 * np.eye(3)
    slope = [(by_definition(coef + h) - by_definition(coef - h)) / 2e-4 for h in steps]
    curvature = [
        -(likelihood(coef + h).gradient - likelihood(coef - h).gradient) / 2e-4 for h in steps
    ]
    assert here.log_likelihood == pytest.approx(by_definition(coef), abs=1e-10)
    np.testing.assert_allclose(here.gradient, slope, atol=1e-6)
    np.testing.assert_allclose(here.information, curvature, atol=1e-5)


# ---- reference software


def test_matches_r_coxph() -> None:
    frozen = REFERENCE["plain"]
    model = CoxModel().fit(X, Y)
    np.testing.assert_allclose(model.coef_, frozen["coef"], atol=1e-10)
    np.testing.assert_allclose(model.covariance_, frozen["covariance"], atol=1e-10)
    np.testing.assert_allclose(model.log_likelihood_, frozen["log_likelihood"], atol=1e-9)
    table = model.coefficients[["hazard_ratio", "lower", "upper", "z", "p_value"]]
    np.testing.assert_allclose(table, frozen["table"], rtol=1e-8)
    assert model.coefficients["term"].tolist() == COLUMNS
    # R's linear predictor at x = 0, ours at the mean
    ours = model.linear_predictor(X) + model.means_ @ model.coef_
    np.testing.assert_allclose(ours, frozen["linear_predictor"], atol=1e-10)


def test_baseline_risk_and_median_match_r_survfit() -> None:
    frozen = REFERENCE["plain"]
    model = CoxModel().fit(X, Y)
    np.testing.assert_array_equal(model.baseline_time_, frozen["baseline_time"])
    np.testing.assert_allclose(model.baseline_hazard_, frozen["baseline_hazard"], atol=1e-10)
    risk = np.transpose([model.risk(X, horizon=h) for h in frozen["horizons"]])
    np.testing.assert_allclose(risk, frozen["risk"], atol=1e-10)
    np.testing.assert_array_equal(model.median(X), np.array(frozen["median"], dtype=float).ravel())


def test_strata_and_offset_match_r_coxph() -> None:
    frozen = REFERENCE["strata"]
    data: dict[str, Any] = {"strata": TABLE["centre"], "offset": TABLE["offset"]}
    fit = cox_fit(X[["age", "mutant"]], TABLE["time"], TABLE["event"], **data)
    np.testing.assert_allclose(fit.coef, frozen["coef"], atol=1e-10)
    np.testing.assert_allclose(fit.covariance, frozen["covariance"], atol=1e-10)
    np.testing.assert_allclose(fit.log_likelihood, frozen["log_likelihood"], atol=1e-9)
    started = cox_fit(
        X[["age", "mutant"]], TABLE["time"], TABLE["event"], **data, initial=[0.1, -2]
    )
    np.testing.assert_allclose(started.coef, fit.coef, atol=1e-8)


def test_offset_alone_gives_the_likelihood_of_the_offset() -> None:
    fit = cox_fit(np.empty((80, 0)), TABLE["time"], TABLE["event"], offset=TABLE["offset"])
    assert fit.log_likelihood[0] == pytest.approx(REFERENCE["null_log_likelihood"], abs=1e-9)
    assert fit.likelihood_ratio == 0


def test_ridge_matches_r_coxph() -> None:
    frozen = REFERENCE["ridge"]
    model = CoxModel(ridge=frozen["theta"]).fit(X, Y)
    np.testing.assert_allclose(model.coef_, frozen["coef"], atol=1e-10)
    np.testing.assert_allclose(model.covariance_, frozen["covariance"], atol=1e-10)
    np.testing.assert_allclose(model.log_likelihood_, frozen["log_likelihood"], atol=1e-9)
    assert model.effective_parameters_ == pytest.approx(frozen["df"], abs=1e-9)


def test_ridge_by_aic_matches_r_coxph() -> None:
    frozen = REFERENCE["aic"]
    np.testing.assert_allclose(RIDGE_GRID * Y["event"].sum(), frozen["ridge"])
    model = CoxModel(ridge="aic").fit(X, Y)
    best = np.argmax(frozen["aic"])
    assert model.ridge_ == pytest.approx(frozen["ridge"][best])
    null, fitted = model.log_likelihood_
    aic = 2 * (fitted - null) - 2 * model.effective_parameters_
    assert aic == pytest.approx(frozen["aic"][best], abs=1e-6)


def test_matches_statsmodels() -> None:
    fit = PHReg(Y["time"], X.to_numpy(), status=Y["event"], ties="efron").fit()
    np.testing.assert_allclose(CoxModel().fit(X, Y).coef_, fit.params, atol=1e-6)


@needs_data("survival")
def test_rotterdam_reproduces_the_published_model() -> None:
    design, y = rotterdam(censor_at=5)
    model = CoxModel().fit(design, y)
    # R's coxph on the same columns gives -0.8111669, printed as -.8111 in the publication
    np.testing.assert_allclose(model.coef_, [0.3418, 0.5736, 0.3040, -0.8112, 0.3617], atol=5e-5)
    null, fitted = model.log_likelihood_
    assert 2 * (fitted - null) == pytest.approx(531.00, abs=5e-3)
    assert (model.n_patients_, model.n_events_) == (2982, 1275)


@needs_data("ucsf_pdgm")
def test_ucsf_reproduces_the_published_model() -> None:
    table = pd.read_csv(DATA / "ucsf_pdgm" / "UCSF-PDGM-metadata_v2.csv").dropna(subset=["OS"])
    design = pd.DataFrame(
        {
            "age": table["Age at MRI"].astype(float),
            "mutant": (table["IDH"] != "wildtype").astype(float),
            "g3": (table["WHO CNS Grade"] == 3).astype(float),
            "g4": (table["WHO CNS Grade"] == 4).astype(float),
            "gtr": (table["EOR"] == "GTR").astype(float),
        }
    )
    model = CoxModel().fit(design, survival_outcome(table["OS"], table["1-dead 0-alive"] == 1))
    assert (model.n_patients_, model.n_events_) == (500, 250)
    published = [0.033025, -1.503961, 0.147380, 1.084866, -0.727243]
    np.testing.assert_allclose(model.coef_, published, atol=1e-6)


# ---- properties


@given(seed=st.integers(0, 10**6), factor=st.sampled_from([1 / 365.25, 1 / 30.4375, 0.1, 7.0]))
@settings(max_examples=20, deadline=None)
def test_order_and_unit_of_time_do_not_matter(seed: int, factor: float) -> None:
    x, time, event = simulated(seed, n=40)
    first = CoxModel(ridge=1.0).fit(x, survival_outcome(time, event))
    order = np.random.default_rng(seed).permutation(40)
    again = CoxModel(ridge=1.0).fit(x[order], survival_outcome(time[order] * factor, event[order]))
    np.testing.assert_allclose(again.coef_, first.coef_, atol=1e-8)
    np.testing.assert_allclose(again.baseline_hazard_, first.baseline_hazard_, rtol=1e-8)
    horizon = float(np.median(time))
    np.testing.assert_allclose(
        again.risk(x, horizon=horizon * factor), first.risk(x, horizon=horizon), atol=1e-8
    )
    np.testing.assert_allclose(again.median(x), first.median(x) * factor)


@given(seed=st.integers(0, 10**6), ridge=st.sampled_from([0.0, 3.0, "aic"]))
@settings(max_examples=20, deadline=None)
def test_unit_and_sign_of_a_column_do_not_matter(seed: int, ridge: Any) -> None:
    x, time, event = simulated(seed)
    y = survival_outcome(time, event)
    scale, shift = np.array([1e-3, -1.0, 1e4]), np.array([5.0, 0.0, -3e5])
    first, again = CoxModel(ridge=ridge).fit(x, y), CoxModel(ridge=ridge).fit(x * scale + shift, y)
    np.testing.assert_allclose(again.coef_ * scale, first.coef_, atol=1e-7)
    np.testing.assert_allclose(
        again.linear_predictor(x * scale + shift), first.linear_predictor(x), atol=1e-7
    )


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_risk_rises_with_time_and_with_the_linear_predictor(seed: int) -> None:
    x, time, event = simulated(seed)
    model = CoxModel().fit(x, survival_outcome(time, event))
    horizons = np.unique(time)
    risk = np.array([model.risk(x, horizon=float(h)) for h in horizons])
    assert (np.diff(risk, axis=0) >= 0).all()
    order = np.argsort(model.linear_predictor(x))
    assert (np.diff(risk[:, order], axis=1) >= -1e-12).all()
    # the median is the first time whose risk is a half or more
    halfway = np.where((risk >= 0.5).any(axis=0), horizons[(risk >= 0.5).argmax(axis=0)], np.nan)
    np.testing.assert_array_equal(model.median(x), halfway)


def test_a_stratum_for_everybody_changes_nothing() -> None:
    x, time, event = simulated(3)
    np.testing.assert_allclose(
        cox_fit(x, time, event, strata=np.ones(60)).coef, cox_fit(x, time, event).coef, atol=1e-12
    )


def test_an_offset_of_the_solution_leaves_nothing_to_learn() -> None:
    x, time, event = simulated(4)
    fit = cox_fit(x, time, event)
    again = cox_fit(x, time, event, offset=x @ fit.coef)
    np.testing.assert_allclose(again.coef, 0, atol=1e-9)


def test_wide_range_of_offset_does_not_overflow() -> None:
    x, time, event = simulated(5)
    offset = np.where(np.arange(60) < 30, 0.0, 300.0)
    strata = np.arange(60) < 30
    fit = cox_fit(x, time, event, strata=strata, offset=offset)  # constant within strata
    np.testing.assert_allclose(fit.coef, cox_fit(x, time, event, strata=strata).coef, atol=1e-9)


# ---- ridge


def test_larger_ridge_shrinks_more() -> None:
    fits = [CoxModel(ridge=ridge).fit(X, Y) for ridge in (0, 1, 10, 100, 1e6)]
    norms = [float(np.sum((fit.coef_ * X.std()) ** 2)) for fit in fits]
    freedom = [fit.effective_parameters_ for fit in fits]
    assert norms == sorted(norms, reverse=True)
    assert freedom == sorted(freedom, reverse=True)
    assert freedom[0] == 5
    assert norms[-1] < 1e-8


def test_ridge_satisfies_its_own_score_equation() -> None:
    model = CoxModel(ridge=4.0).fit(X, Y)
    likelihood = PartialLikelihood.of(X.to_numpy(), Y["time"], Y["event"])
    expected = 4.0 * X.var().to_numpy() * model.coef_
    np.testing.assert_allclose(likelihood(model.coef_).gradient, expected, atol=1e-6)


def test_ridge_by_aic_is_the_best_of_its_grid() -> None:
    x, time, event = simulated(6)
    y = survival_outcome(time, event)
    aic = []
    for ridge in RIDGE_GRID * event.sum():
        fit = CoxModel(ridge=ridge).fit(x, y)
        aic.append(2 * fit.log_likelihood_[1] - 2 * fit.effective_parameters_)
    best = RIDGE_GRID[np.argmax(aic)] * event.sum()
    assert CoxModel(ridge="aic").fit(x, y).ridge_ == pytest.approx(best)


def test_ridge_takes_more_columns_than_patients() -> None:
    x, time, event = simulated(7, n=20, p=50)
    y = survival_outcome(time, event)
    for ridge in (5.0, "aic"):
        model = CoxModel(ridge=ridge).fit(x, y)
        assert 0 < model.effective_parameters_ < 20
    with pytest.raises(FitError, match=r"'x19' is determined by 19 of them"):
        CoxModel().fit(x, y)


def test_ridge_by_aic_passes_over_a_separated_fit() -> None:
    x = np.array([[1.0], [1], [1], [0], [0], [0]])
    y = survival_outcome([1, 2, 3, 4, 5, 6], np.ones(6))
    assert CoxModel(ridge="aic").fit(x, y).ridge_ > 0


def test_without_columns_aic_has_nothing_to_choose() -> None:
    assert CoxModel(ridge="aic").fit(np.empty((80, 0)), Y).ridge_ == 0


# ---- what a user can get wrong


def test_separation_names_the_columns() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"clinical:Age": rng.normal(60, 10, 50), "clinical:Grade=2": 0.0})
    table.loc[:7, "clinical:Grade=2"] = 1.0
    event = rng.random(50) < 0.6
    event[:8] = False  # nobody with grade 2 dies
    y = survival_outcome(rng.exponential(10, 50) + 1, event)
    with pytest.raises(FitError, match=r"1 of 2 run away to infinity: 'clinical:Grade=2'"):
        CoxModel().fit(table, y)
    with pytest.raises(FitError, match=r"1 of 1 run away to infinity: 'x0'"):
        cox_fit(np.arange(20.0)[:, np.newaxis], 21 - np.arange(20.0), np.ones(20))
    normal = np.sort(rng.normal(size=(200, 1)), axis=0)  # its likelihood overflows on the way
    with pytest.raises(FitError, match="run away"):
        cox_fit(normal, 201 - np.arange(200), np.ones(200))
    weak, strong = (CoxModel(ridge=ridge).fit(table, y).coef_ for ridge in (1.0, 10.0))
    assert np.linalg.norm(strong) < np.linalg.norm(weak) < 10


def test_a_large_effect_is_not_taken_for_separation() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 2))
    x[:, 1] = 0
    x[:3, 1] = 1  # a rare group, all of it dying soon, but not soonest
    time = rng.exponential(np.exp(-8 * x[:, 0])) + 1e-12
    time[:3] = np.sort(time)[[100, 150, 200]]
    fit = cox_fit(x, time, np.ones(300))
    assert fit.coef[0] == pytest.approx(8, rel=0.2)


def test_collinear_columns_are_named() -> None:
    table = X.assign(total=X["g3"] + X["g4"])
    with pytest.raises(FitError, match=r"'total' is determined by 2 of them \('g3', 'g4'\)"):
        CoxModel().fit(table, Y)
    assert CoxModel(ridge=1.0).fit(table, Y).effective_parameters_ < 5


def test_constant_columns_are_named() -> None:
    with pytest.raises(FitError, match=r"1 of 6 are: 'centre'\. Leave them out"):
        CoxModel().fit(X.assign(centre=0.1), Y)


def test_a_column_that_varies_only_before_the_first_event_is_named() -> None:
    x = np.array([[1.0, 0], [2, 0], [4, 0], [3, 1]])
    with pytest.raises(FitError, match=r"vary among the patients at risk.*'x1'"):
        cox_fit(x, [5, 6, 7, 1], [1, 1, 1, 0])


def test_no_events_is_refused() -> None:
    with pytest.raises(FitError, match="none of 3 patients had one"):
        cox_fit(np.empty((3, 0)), [1, 2, 3], [0, 0, 0])


def test_iterations_that_run_out_are_told() -> None:
    with pytest.warns(ConvergenceWarning, match="did not converge in 2 iterations"):
        model = CoxModel(max_iterations=2).fit(X, Y)
    np.testing.assert_allclose(model.coef_, REFERENCE["plain"]["coef"], atol=0.05)


def test_five_patients_are_enough_where_an_estimate_exists() -> None:
    fit = cox_fit([[1.0], [3], [2], [5], [4]], [1, 2, 3, 4, 5], [1, 1, 0, 1, 1])
    coef = minimum(lambda b: -efron(np.array([b]), *five()))
    assert fit.coef[0] == pytest.approx(coef, abs=1e-6)


def five() -> tuple[Floats, Floats, NDArray[np.bool_], Floats]:
    x = np.array([[1.0], [3], [2], [5], [4]])
    return x, np.arange(1.0, 6), np.array([1, 1, 0, 1, 1], dtype=bool), np.zeros(5)


def minimum(function: Any) -> float:
    """Golden-section search on [-5, 5]."""
    low, high, ratio = -5.0, 5.0, (np.sqrt(5) - 1) / 2
    while high - low > 1e-9:
        a, b = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, b) if function(a) < function(b) else (a, high)
    return (low + high) / 2


def test_all_events_at_one_time() -> None:
    fit = cox_fit([[0.0], [1], [2], [3]], [2, 2, 2, 2], [1, 1, 0, 1])
    assert fit.coef[0] == pytest.approx(
        minimum(
            lambda b: (
                -efron(
                    np.array([b]),
                    np.arange(4.0)[:, np.newaxis],
                    np.full(4, 2.0),
                    np.array([1, 1, 0, 1], dtype=bool),
                    np.zeros(4),
                )
            )
        ),
        abs=1e-6,
    )


def test_risk_beyond_follow_up_is_nan() -> None:
    model = CoxModel().fit(X, Y)
    last = Y["time"].max()
    assert model.max_time_ == last
    hazard = model.baseline_hazard_[-1] * np.exp(model.linear_predictor(X))
    np.testing.assert_allclose(model.risk(X, horizon=last), -np.expm1(-hazard), rtol=1e-12)
    assert np.isnan(model.risk(X, horizon=np.nextafter(last, np.inf))).all()
    assert (model.risk(X, horizon=Y["time"][Y["event"]].min() / 2) == 0).all()


def test_extreme_patients_have_a_risk_of_one_and_nought() -> None:
    model = CoxModel().fit(X, Y)
    far = X.iloc[:2].copy()
    far["age"] = [1e6, -1e6]
    assert model.risk(far, horizon=12).tolist() == [1.0, 0.0]
    median = model.median(far)
    assert median[0] == model.baseline_time_[0]
    assert np.isnan(median[1])


@pytest.mark.parametrize(
    ("horizon", "message"),
    [
        (None, "horizon must be stated, but None came"),
        (0, "horizon must be a time above zero"),
        (np.inf, "a time above zero, but inf"),
        (np.nan, "a time above zero, but nan"),
    ],
)
def test_wrong_horizons_are_refused(horizon: float | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CoxModel().fit(X, Y).risk(X, horizon=horizon)


@pytest.mark.parametrize(
    ("table", "y", "message"),
    [
        (X.assign(age=np.nan), Y, r"80 of 80 values of 'age' are missing.*first at row 0"),
        (X.assign(age="old"), Y, r"1 of 5 columns are not \(first: 'age'\)"),
        (X.set_axis(["a", "a", "b", "c", "d"], axis=1), Y, "'a' comes twice"),
        (X, Y["time"], r"fields 'time' and 'event', but an array of dtype float64"),
        (X.iloc[:5], Y, "X has 5 and y 80"),
        (X["age"].to_numpy(), Y, r"two dimensions .* but shape \(80,\) came"),
    ],
)
def test_wrong_data_is_named(table: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CoxModel().fit(table, y)


@pytest.mark.parametrize("ridge", [-1.0, np.nan, np.inf, "bic", True, None])
def test_wrong_ridge_is_refused(ridge: Any) -> None:
    with pytest.raises(ValueError, match="ridge must be a number of 0 or above, or 'aic'"):
        CoxModel(ridge=ridge).fit(X, Y)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (X.drop(columns="age"), r"it has 4 \(absent: \['age'\], not known: \[\]\)"),
        (X[COLUMNS[::-1]], "they come in another order"),
        (X.to_numpy()[:, :3], "but it has 3"),
    ],
)
def test_other_columns_than_the_fit_are_refused(table: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CoxModel().fit(X, Y).linear_predictor(table)


def test_initial_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"one value per column \(5\), but 1"):
        cox_fit(X, TABLE["time"], TABLE["event"], initial=[0.0])


# ---- scikit-learn's manners


def test_estimator_manners() -> None:
    # Checks that call fit draw their own y, which is no survival outcome: they are left out.
    check_manners(CoxModel())
    model = CoxModel(ridge=2.0)
    with pytest.raises(NotFittedError):
        model.linear_predictor(X)
    with pytest.raises(NotFittedError):
        _ = model.coefficients
    assert model.fit(X, Y) is model
    assert not [name for name in vars(clone(model)) if name.endswith("_")]
    assert model.feature_names_in_.tolist() == COLUMNS


def test_fit_changes_no_argument_and_can_be_repeated() -> None:
    table, y = X.copy(), Y.copy()
    model = CoxModel().fit(table, y)
    before = model.coef_
    CoxModel().fit(table, y)
    pd.testing.assert_frame_equal(table, X)
    np.testing.assert_array_equal(y, Y)
    np.testing.assert_array_equal(model.fit(X.to_numpy(), Y).coef_, before)
    assert model.feature_names_in_.tolist() == [f"x{k}" for k in range(5)]


def test_reversing_time_reverses_the_sign() -> None:
    # Without censoring and ties, and with little effect, early and late change places.
    x, _, _ = simulated(8, n=200, p=1)
    time = 1 + np.argsort(np.argsort(-x[:, 0] + 3 * np.random.default_rng(9).normal(size=200)))
    forward = cox_fit(x, time, np.ones(200)).coef[0]
    backward = cox_fit(x, 201 - time, np.ones(200)).coef[0]
    assert forward > 0 > backward
    assert cox_fit(-x, time, np.ones(200)).coef[0] == pytest.approx(-forward, abs=1e-10)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_only_a_monotone_order_of_deaths_is_separated(order: tuple[int, ...]) -> None:
    x = np.array(order, dtype=float)[:, np.newaxis]
    if monotone(order):
        with pytest.raises(FitError, match="run away"):
            cox_fit(x, [1, 2, 3, 4], [1, 1, 1, 1])
    else:
        assert abs(cox_fit(x, [1, 2, 3, 4], [1, 1, 1, 1]).coef[0]) < 10


def monotone(order: tuple[int, ...]) -> bool:
    """Tell whether each patient in turn has the largest, or the smallest, x of those left."""
    left = [order[k:] for k in range(4)]
    return all(o[0] == max(o) for o in left) or all(o[0] == min(o) for o in left)
