"""Figures of one sample are the metrics called directly; intervals are worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from models import accuracy, calibration, calibration_curves, discrimination
from models.evaluation import Sample, figures_of
from models.scores import (
    Interval,
    Key,
    Predictions,
    Scores,
    all_scores,
    calibration_scores,
    fold_interval,
    optimism_interval,
    percentile_intervals,
    ranking_scores,
)
from models.validation import Plan
from omics.outcome import survival_outcome
from tests.metrics_reference import EVENT, HORIZONS, POSITIVE, PROBABILITY, RISK, SCORE, TIME

NONE = np.nan  # the one object: keys hold it, and NaN equals only itself
C = Key("c_index", NONE)


def survival_predictions() -> Predictions:
    return Predictions(
        y=survival_outcome(TIME, EVENT),
        linear_predictor=SCORE,
        risk=RISK.T,
        horizons=tuple(HORIZONS),
    )


def binary_predictions() -> Predictions:
    return Predictions(
        y=POSITIVE,
        linear_predictor=np.log(PROBABILITY / (1 - PROBABILITY)),
        risk=PROBABILITY[:, np.newaxis],
        horizons=(),
    )


# figures of a sample --------------------------------------------------------------------------


def test_survival_figures_are_the_metrics_called_directly() -> None:
    found = {f"{k.metric}@{k.horizon:g}": v for k, v in all_scores(survival_predictions()).items()}
    expected = {
        "c_index@nan": discrimination.c_index(TIME, EVENT, SCORE),
        "calibration_slope@nan": calibration.calibration_slope_survival(TIME, EVENT, SCORE),
    }
    for horizon, risk in zip(HORIZONS, RISK, strict=True):
        at, sample = {"horizon": horizon}, (TIME, EVENT, risk)
        curve = calibration_curves.calibration_curve_at(*sample, **at)
        expected |= {
            f"c_index_uno@{horizon:g}": discrimination.c_index_uno(TIME, EVENT, SCORE, tau=horizon),
            f"auc@{horizon:g}": discrimination.auc_at(TIME, EVENT, SCORE, **at),
            f"brier@{horizon:g}": accuracy.brier_at(*sample, **at),
            f"ipa@{horizon:g}": accuracy.ipa_at(*sample, **at),
            f"observed_expected@{horizon:g}": calibration.observed_expected_at(*sample, **at),
            f"calibration_intercept@{horizon:g}": calibration.calibration_intercept_at(
                *sample, **at
            ),
            f"ici@{horizon:g}": curve.ici,
            f"e50@{horizon:g}": curve.e50,
            f"e90@{horizon:g}": curve.e90,
            f"emax@{horizon:g}": curve.emax,
        }
    assert found == expected


def test_binary_figures_are_the_metrics_called_directly() -> None:
    p = binary_predictions()
    curve = calibration_curves.calibration_curve(POSITIVE, PROBABILITY)
    assert {key.metric: value for key, value in all_scores(p).items()} == {
        "auc": discrimination.roc_auc(POSITIVE, p.linear_predictor),
        "brier": accuracy.brier(POSITIVE, PROBABILITY),
        "ipa": accuracy.ipa(POSITIVE, PROBABILITY),
        "calibration_slope": calibration.calibration_slope(POSITIVE, p.linear_predictor),
        "calibration_intercept": calibration.calibration_intercept(POSITIVE, PROBABILITY),
        "observed_expected": calibration.observed_expected(POSITIVE, PROBABILITY),
        "ici": curve.ici,
        "e50": curve.e50,
        "e90": curve.e90,
        "emax": curve.emax,
    }


@pytest.mark.parametrize("make", [survival_predictions, binary_predictions])
def test_survival_passed_as_risk_is_worse(make: object) -> None:
    p: Predictions = make()  # type: ignore[operator]
    turned = Predictions(
        y=p.y, linear_predictor=-p.linear_predictor, risk=1 - p.risk, horizons=p.horizons
    )
    right, wrong = all_scores(p), all_scores(turned)
    for key, value in right.items():
        if key.metric in {"c_index", "c_index_uno", "auc"}:
            assert wrong[key] == pytest.approx(1 - value, abs=1e-10)
        if key.metric in {"ipa", "calibration_slope"}:
            assert wrong[key] < value
        if key.metric == "brier":
            assert wrong[key] > value


def test_slope_within_folds_ignores_their_levels() -> None:
    p = survival_predictions()
    fold = np.arange(len(TIME)) % 3
    shifted = Predictions(
        y=p.y, linear_predictor=SCORE + 10.0 * fold, risk=p.risk, horizons=p.horizons
    )
    slope = Key("calibration_slope", NONE)
    within = [calibration_scores(one, strata=fold)[0][slope] for one in (p, shifted)]
    assert within[1] == pytest.approx(within[0], abs=1e-6)
    assert calibration_scores(shifted)[0][slope] != pytest.approx(within[0], abs=0.05)


def test_curves_are_given_on_the_grids_asked() -> None:
    p = survival_predictions()
    grids = [np.linspace(0.1 + j / 20, 0.5, 7) for j in range(3)]
    _, curves = calibration_scores(p, grids=grids)
    for j, horizon in enumerate(HORIZONS):
        direct = calibration_curves.calibration_curve_at(
            TIME, EVENT, RISK[j], horizon=horizon, grid=grids[j]
        )
        np.testing.assert_array_equal(curves[j], direct.table["observed"])


def test_take_repeats_patients() -> None:
    p = survival_predictions()
    rows = np.array([5, 5, 2])
    taken = p.take(rows)
    np.testing.assert_array_equal(taken.y, p.y[rows])
    np.testing.assert_array_equal(taken.linear_predictor, SCORE[rows])
    np.testing.assert_array_equal(taken.risk, RISK[:, rows].T)
    assert taken.horizons == p.horizons


# intervals ------------------------------------------------------------------------------------


def test_fold_interval_by_hand() -> None:
    # .6 .7 .8 .7 of 2 x 2 folds: mean .7, s² = .02/3; (1/4 + 1/1) s² = 1/120; t(3, .975) = 3.18245
    found = fold_interval(np.array([0.6, 0.7, 0.8, 0.7]), folds=2, level=0.95)
    assert found.estimate == pytest.approx(0.7, abs=1e-10)
    assert found.upper - 0.7 == pytest.approx(3.182446305284263 / np.sqrt(120), abs=1e-10)
    assert 0.7 - found.lower == pytest.approx(found.upper - 0.7, abs=1e-10)


def test_fold_interval_of_five_folds() -> None:
    values = np.array([0.5, 0.6, 0.7, 0.8, 0.9] * 2)  # mean .7, s² = .2/9; (1/10 + 1/4) s²
    found = fold_interval(values, folds=5, level=0.9)
    half = stats.t.ppf(0.95, 9) * np.sqrt(0.35 * 0.2 / 9)
    np.testing.assert_allclose(found, (0.7, 0.7 - half, 0.7 + half), atol=1e-10)


def test_fold_interval_leaves_out_undefined_folds() -> None:
    with_gaps = fold_interval(np.array([NONE, 0.6, 0.8, NONE]), folds=2, level=0.95)
    assert with_gaps == fold_interval(np.array([0.6, 0.8]), folds=2, level=0.95)
    assert fold_interval(np.array([NONE, 0.6]), folds=2, level=0.95)[0] == 0.6
    assert np.isnan(fold_interval(np.array([NONE, 0.6]), folds=2, level=0.95)[1:]).all()
    assert np.isnan(fold_interval(np.array([NONE]), folds=2, level=0.95)).all()


def test_more_repeats_narrow_the_interval_only_so_far() -> None:
    # the training parts overlap: no number of repeats takes the variance below s² / (folds - 1)
    wide, narrow = (
        fold_interval(np.tile([0.6, 0.7, 0.8, 0.7, 0.7], k), folds=5, level=0.95) for k in (1, 400)
    )
    spread = np.std([0.6, 0.7, 0.8, 0.7, 0.7])
    assert narrow.upper - narrow.estimate == pytest.approx(1.96 * spread / 2, rel=0.01)
    assert wide.upper > narrow.upper


def draws_of(*values: float) -> list[Scores]:
    return [{C: value} for value in values]


def test_percentile_interval_by_hand() -> None:
    # of 39 draws 1, 2, ..., 39 the first and the last are the 1/40 and 39/40 quantiles
    draws = draws_of(*np.random.default_rng(0).permutation(39) + 1.0)
    for level, lower, upper in ((0.95, 1.0, 39.0), (0.5, 10.0, 30.0)):
        found = percentile_intervals(draws, {C: 17.0}, level=level)[C]
        assert isinstance(found, Interval)
        np.testing.assert_allclose(found, (17.0, lower, upper), atol=1e-10)


def test_percentile_interval_of_a_figure_often_undefined() -> None:
    most = draws_of(*range(1, 10), *[NONE] * 8)
    found = percentile_intervals(most, {C: 5.0}, level=0.8)[C]
    np.testing.assert_allclose(found, (5.0, 1.0, 9.0), atol=1e-10)
    half = draws_of(*range(1, 10), *[NONE] * 9)
    estimate, lower, upper = percentile_intervals(half, {C: 5.0}, level=0.8)[C]
    assert estimate == 5.0
    assert np.isnan([lower, upper]).all()


def test_optimism_interval_by_hand() -> None:
    # optimism (.1 + 0 + .2) / 3 = .1; D = train - 1.25 test = -.075, -.175, .025 about -.075
    found = optimism_interval(
        np.array([0.8, 0.7, 0.9]), np.array([0.7, 0.7, 0.7]), 0.75, level=0.95
    )
    z = 1.959963984540054
    np.testing.assert_allclose(found, (0.65, 0.65 - 0.1 * z, 0.65 + 0.1 * z), atol=1e-10)


def test_optimism_interval_is_wider_below_where_optimism_is_skewed_above() -> None:
    # D - mean = .3, -.1, -.1, -.1: spread .3 above, sqrt(.03 / 2) below
    train, test = np.array([0.9, 0.5, 0.5, 0.5]), np.zeros(4)
    found = optimism_interval(train, test, 1.0, level=0.8)
    z = stats.norm.ppf(0.9)
    np.testing.assert_allclose(found, (0.4, 0.4 - 0.3 * z, 0.4 + np.sqrt(0.015) * z), atol=1e-10)


def test_optimism_interval_weighs_the_original_sample_more() -> None:
    # train the same throughout, test .5, .6, .7: D = -1.25 test spreads 1.25 times as far
    found = optimism_interval(np.full(3, 0.8), np.array([0.5, 0.6, 0.7]), 0.8, level=0.95)
    half = 1.25 * 0.1 * stats.norm.ppf(0.975)
    np.testing.assert_allclose(found, (0.6, 0.6 - half, 0.6 + half), atol=1e-10)


def test_optimism_drops_resamples_where_either_is_undefined() -> None:
    train, test = np.array([0.8, NONE, 0.7, 0.9]), np.array([0.7, 0.7, 0.7, NONE])
    found = optimism_interval(train, test, 0.75, level=0.95)
    kept = optimism_interval(train[[0, 2]], test[[0, 2]], 0.75, level=0.95)
    assert found == kept
    assert found.estimate == pytest.approx(0.7, abs=1e-10)
    assert np.isnan(optimism_interval(train[:2], test[:2], 0.75, level=0.95)).all()
    assert np.isnan(optimism_interval(np.array([]), np.array([]), 0.75, level=0.95)).all()


@given(
    values=st.lists(st.floats(0, 1), min_size=3, max_size=12),
    shift=st.floats(-1, 1),
    level=st.floats(0.5, 0.99),
)
def test_intervals_move_with_the_values(values: list[float], shift: float, level: float) -> None:
    some = np.array(values)
    here, there = (fold_interval(v, folds=3, level=level) for v in (some, some + shift))
    np.testing.assert_allclose(there, np.array(here) + shift, atol=1e-9)
    zero = np.zeros(len(some))
    here, there = (
        optimism_interval(some, zero, apparent, level=level) for apparent in (0.0, shift)
    )
    np.testing.assert_allclose(there, np.array(here) + shift, atol=1e-9)


# coverage -------------------------------------------------------------------------------------

SIMULATIONS, N_PATIENTS, HORIZON = 150, 250, 12.0
CHECKED = ("c_index", "brier", "observed_expected", "calibration_slope")


def new_patients(n: int, rng: np.random.Generator) -> Predictions:
    """Patients of an exponential survival model, given risks that are somewhat too extreme."""
    eta = 0.8 * rng.standard_normal(n)
    death, censored = rng.exponential(15 * np.exp(-eta)), rng.uniform(4, 40, n)
    return Predictions(
        y=survival_outcome(np.minimum(death, censored), death <= censored),
        linear_predictor=1.2 * eta,
        risk=-np.expm1(-HORIZON / 15 * np.exp(1.2 * eta))[:, np.newaxis],
        horizons=(HORIZON,),
    )


def checked_scores(p: Predictions) -> Scores:
    time, event = p.y["time"], p.y["event"]
    sample = (time, event, p.risk[:, 0])
    return {
        C: discrimination.c_index(time, event, p.linear_predictor),
        Key("brier", HORIZON): accuracy.brier_at(*sample, horizon=HORIZON),
        Key("observed_expected", HORIZON): calibration.observed_expected_at(
            *sample, horizon=HORIZON
        ),
        Key("calibration_slope", NONE): calibration.calibration_slope_survival(
            time, event, p.linear_predictor
        ),
    }


@pytest.mark.slow
def test_external_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Simulated coverage of 92-97 %; 150 cohorts know one of 95 % to a standard error of 1.8.

    `benchmarks/coverage.py` simulates more, and all the figures.
    """

    truth = checked_scores(new_patients(200_000, np.random.default_rng(0)))
    holds = dict.fromkeys(CHECKED, 0)
    for seed in range(1, SIMULATIONS + 1):
        sample = Sample(
            model="m",
            cohort="new",
            validation="external",
            predictions=new_patients(N_PATIENTS, np.random.default_rng(seed)),
            out_of_fold=None,
            group=None,
            positions=np.arange(N_PATIENTS),
        )
        plan = Plan(draws=200, seed=seed + 10_000)
        table = figures_of(sample, plan, lambda view: checked_scores(view[0]))
        for row, value in zip(table.itertuples(), truth.values(), strict=True):
            holds[str(row.metric)] += row.lower <= value <= row.upper
    coverage = {metric: count / SIMULATIONS for metric, count in holds.items()}
    assert all(0.92 <= share <= 0.97 for share in coverage.values()), coverage


def test_ranking_scores_need_no_risks_of_other_horizons() -> None:
    p = survival_predictions()
    gaps = p.risk.copy()
    gaps[:, 2] = np.nan  # a horizon beyond the fit's follow-up
    partly = ranking_scores(
        Predictions(y=p.y, linear_predictor=SCORE, risk=gaps, horizons=p.horizons)
    )
    whole = ranking_scores(p)
    for key, value in partly.items():
        if key.metric in {"brier", "ipa"} and key.horizon == HORIZONS[2]:
            assert np.isnan(value)
        else:
            assert value == whole[key]
