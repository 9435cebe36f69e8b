"""Calibration corrected for optimism: R's curves resample by resample, rms's calibrate, noise."""

import numpy as np
import pandas as pd
import pytest

from models.calibration_curves import calibration_curve_at
from models.calibration_groups import calibration_groups_at
from models.corrected_calibration import (
    COLUMNS,
    cox_calibration,
    cox_group_calibration,
    logistic_calibration,
)
from models.many_calibrations import (
    drawn_quantiles,
    many_cox_risks,
    many_group_risks,
    many_smooth_curves,
)
from models.many_cox import fit_many_cox
from models.resample_counts import bootstrap_counts
from models.scores import optimism_interval
from omics.errors import FitError
from tests.validation_reference import CLASS, COUNTS, EVENT, TIME, R, X

HORIZON = float(R["horizon"])
CUTS = 1 - np.array(R["groups"]["cuts"])[::-1]  # R cuts survival
GRID = 1 - np.array(R["smooth"]["grid"])  # falling
ONES = np.ones(COUNTS.shape)


@pytest.fixture(scope="module")
def risks() -> np.ndarray:
    many = fit_many_cox(X, TIME, EVENT, COUNTS)
    return many_cox_risks(many.coef @ X.T, TIME, EVENT, COUNTS.astype(float), horizon=HORIZON)


def test_risks_of_all_patients_are_rs() -> None:
    many = fit_many_cox(X, TIME, EVENT, ONES[:1])
    found = many_cox_risks(many.coef @ X.T, TIME, EVENT, ONES[:1], horizon=HORIZON)
    np.testing.assert_allclose(1 - found[0], R["groups"]["exact_survival"], atol=1e-8)
    # rms's cph is fitted to a tight eps here, but keeps few digits of the baseline's times
    np.testing.assert_allclose(1 - found[0], R["groups"]["predicted"], atol=1e-5)


@pytest.mark.parametrize("part", ["train", "test"])
def test_groups_are_rs_resample_by_resample(risks: np.ndarray, part: str) -> None:
    counts = COUNTS.astype(float) if part == "train" else ONES
    predicted, observed = many_group_risks(risks, TIME, EVENT, counts, horizon=HORIZON, cuts=CUTS)
    theirs = -np.array(R["groups"][part], dtype=float)[:, ::-1]
    np.testing.assert_allclose(observed - predicted, theirs, atol=1e-6)


@pytest.mark.parametrize("part", ["train", "test"])
def test_smooth_curves_are_rs_resample_by_resample(risks: np.ndarray, part: str) -> None:
    counts = COUNTS.astype(float) if part == "train" else ONES
    found = many_smooth_curves(risks, TIME, EVENT, counts, horizon=HORIZON, grid=GRID)
    np.testing.assert_allclose(1 - found, R["smooth"][part], atol=1e-5)


def test_smooth_curves_are_those_of_the_drawn_patients_alone(risks: np.ndarray) -> None:
    found = many_smooth_curves(
        risks[:5], TIME, EVENT, COUNTS[:5].astype(float), horizon=HORIZON, grid=GRID
    )
    for b in range(5):
        rows = np.repeat(np.arange(len(TIME)), COUNTS[b])
        curve = calibration_curve_at(
            TIME[rows], EVENT[rows], risks[b, rows], horizon=HORIZON, grid=GRID
        )
        np.testing.assert_allclose(found[b], curve.table["observed"], atol=1e-7)


def test_groups_are_those_of_the_drawn_patients_alone(risks: np.ndarray) -> None:
    predicted, observed = many_group_risks(
        risks[:3], TIME, EVENT, COUNTS[:3].astype(float), horizon=HORIZON, cuts=CUTS
    )
    for b in range(3):
        rows = np.repeat(np.arange(len(TIME)), COUNTS[b])
        table = calibration_groups_at(
            TIME[rows], EVENT[rows], risks[b, rows], horizon=HORIZON, cut_points=CUTS
        ).table
        np.testing.assert_allclose(predicted[b], table["predicted"], atol=1e-12)
        np.testing.assert_allclose(observed[b], table["observed"], atol=1e-12)


def test_corrected_curve_is_the_apparent_less_the_mean_optimism() -> None:
    found = cox_calibration(X, TIME, EVENT, COUNTS, horizon=HORIZON, grid=GRID)
    smooth = {key: 1 - np.array(R["smooth"][key]) for key in ("apparent", "train", "test")}
    np.testing.assert_allclose(found.table["apparent"], smooth["apparent"], atol=1e-5)
    optimism = (smooth["train"] - smooth["test"]).mean(axis=0)
    np.testing.assert_allclose(found.table["optimism"], optimism, atol=1e-5)
    np.testing.assert_allclose(found.table["observed"], smooth["apparent"] - optimism, atol=1e-5)
    j = 7
    train, test = smooth["train"][:, j] - GRID[j], smooth["test"][:, j] - GRID[j]
    expected = optimism_interval(train, test, smooth["apparent"][j] - GRID[j], level=0.95)
    row = found.table.iloc[j]
    np.testing.assert_allclose(
        row[["lower", "upper"]].astype(float), GRID[j] + np.array(expected[1:]), atol=1e-4
    )
    assert list(found.table.columns) == COLUMNS
    assert (found.n_resamples, found.n_failed) == (40, 0)


def test_corrected_groups_are_those_of_rms() -> None:
    found = cox_group_calibration(X, TIME, EVENT, COUNTS, horizon=HORIZON, cut_points=CUTS)
    rms = pd.DataFrame(R["groups"]["rms"]).iloc[::-1].reset_index(drop=True)
    # rms's refits are loose (METHODS: eps 1e-4)
    np.testing.assert_allclose(found.table["predicted"], 1 - rms["mean.predicted"], atol=1e-5)
    np.testing.assert_allclose(found.table["apparent"], 1 - rms["KM"], atol=1e-9)
    np.testing.assert_allclose(found.table["optimism"], -rms["mean.optimism"], atol=2.5e-3)
    np.testing.assert_allclose(found.table["observed"], 1 - rms["KM.corrected"], atol=2.5e-3)
    assert found.table["n_resamples"].tolist() == rms["n"].tolist()


def test_smooth_curve_lies_near_that_of_hare() -> None:
    hare = pd.DataFrame(R["hare"])
    at = np.linspace(*np.quantile(1 - hare["pred"], [0.1, 0.9]), 15)
    found = cox_calibration(X, TIME, EVENT, COUNTS, horizon=HORIZON, grid=at).table
    theirs = np.interp(at, (1 - hare["pred"])[::-1], (1 - hare["calibrated.corrected"])[::-1])
    # another smoother: within .06 while the band is .2 wide
    assert np.abs(found["observed"] - theirs).max() < 0.06
    assert (found["upper"] - found["lower"]).mean() > 0.12


def test_corrected_lowess_is_rs() -> None:
    found = logistic_calibration(X, CLASS, COUNTS)
    theirs = R["lowess"]
    np.testing.assert_allclose(found.table["predicted"], theirs["grid"], atol=1e-7)
    np.testing.assert_allclose(found.table["apparent"], theirs["apparent"], atol=1e-6)
    train, test = (np.array(theirs[key], dtype=float) for key in ("train", "test"))
    np.testing.assert_allclose(found.table["optimism"], np.nanmean(train - test, axis=0), atol=1e-6)
    rms = pd.DataFrame(theirs["rms"])
    # lrm is loose, and approx() joins tied risks in another way
    np.testing.assert_allclose(found.table["observed"], rms["calibrated.corrected"], atol=5e-3)


def test_errors_are_those_of_patients_read_off_the_curve() -> None:
    found = logistic_calibration(X, CLASS, COUNTS)
    p = np.array(R["risk"])
    inside = (p >= found.table["predicted"].min()) & (p <= found.table["predicted"].max())
    read = np.interp(p[inside], found.table["predicted"], found.table["observed"])
    error = np.abs(read - p[inside])
    assert found.mean_error == pytest.approx(error.mean(), abs=1e-3)
    assert found.e90 == pytest.approx(np.quantile(error, 0.9), abs=1e-3)
    assert found.max_error == pytest.approx(error.max(), abs=1e-3)


def test_drawn_quantiles_are_those_of_the_copies() -> None:
    rng = np.random.default_rng(2)
    values, counts = rng.integers(0, 6, (20, 15)) * 1.0, rng.integers(0, 4, (20, 15)) * 1.0
    found = drawn_quantiles(values, counts, (0.0, 0.1, 0.5, 0.9, 1.0))
    for row, own, count in zip(found, values, counts, strict=True):
        copies = np.repeat(own, count.astype(int))
        np.testing.assert_allclose(row, np.quantile(copies, [0.0, 0.1, 0.5, 0.9, 1.0]))


def test_noise_loses_half_of_its_slope_and_no_more() -> None:
    slopes = {"apparent": [], "observed": []}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x, time = rng.normal(size=(150, 6)), rng.exponential(size=150)
        counts = bootstrap_counts(150, resamples=40, seed=seed)
        table = cox_calibration(x, time, np.ones(150), counts, horizon=0.7).table
        for name, found in slopes.items():
            found.append(np.polyfit(table["predicted"], table[name], 1)[0])
    # Risks that mean nothing: an honest curve is flat. A resample's coefficients are b + e with
    # b'b = e'e on average, so that their slope in all patients is b'b / (b'b + e'e) = 1/2, and
    # the correction stops there, in rms, too. The docstring says so.
    assert np.mean(slopes["apparent"]) > 0.85
    assert np.mean(slopes["observed"]) == pytest.approx(0.55, abs=0.12)


def test_order_and_unit_change_nothing() -> None:
    order = np.random.default_rng(0).permutation(len(TIME))
    one = cox_calibration(X, TIME, EVENT, COUNTS, horizon=HORIZON)
    other = cox_calibration(
        X[order], TIME[order] * 30.4375, EVENT[order], COUNTS[:, order], horizon=HORIZON * 30.4375
    )
    np.testing.assert_allclose(other.table, one.table, atol=1e-6)


def test_few_categories_are_drawn_as_a_straight_line() -> None:
    x = (X[:, :1] > 55) * 1.0
    found = cox_calibration(x, TIME, EVENT, COUNTS, horizon=HORIZON, grid=[0.3, 0.5])
    assert found.table["observed"].notna().all()


def test_failed_resamples_are_counted_and_left_out() -> None:
    counts = COUNTS.copy()
    counts[3] = np.where(EVENT, 0, 1)
    counts[8] = (TIME < HORIZON) * 1  # nobody is followed to the horizon
    found = cox_calibration(X, TIME, EVENT, counts, horizon=HORIZON)
    assert (found.n_resamples, found.n_failed) == (40, 2)
    assert (found.table["n_resamples"] == 38).all()
    assert "40 resamples, 2 failed" in repr(found)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="horizon must lie within follow-up, but 500 came"):
        cox_calibration(X, TIME, EVENT, COUNTS, horizon=500)
    with pytest.raises(ValueError, match="grid must be given for fewer than 11 patients"):
        logistic_calibration(np.arange(10.0)[:, np.newaxis], [0, 1] * 5, np.ones((2, 10)))
    wide = np.random.default_rng(0).normal(size=(len(TIME), 20))
    with pytest.raises(ValueError, match=r"method must not be 'boot' for 20 columns"):
        cox_calibration(wide, TIME, EVENT, COUNTS, horizon=HORIZON)
    nobody = np.tile(np.where(EVENT, 0, 1), (2, 1))
    with pytest.raises(FitError, match="at least two resamples must have a calibration curve"):
        cox_calibration(X, TIME, EVENT, nobody, horizon=HORIZON)
