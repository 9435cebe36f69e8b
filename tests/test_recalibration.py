"""Slope and level from unseen margins: by hand, against R, and where no finite slope is best."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.baseline import breslow_baseline
from models.recalibration import STEEPEST_SLOPE, cox_slope, logistic_intercept, logistic_slope

REFERENCE = json.loads(
    (Path(__file__).parent / "reference" / "recalibration.json").read_text(encoding="utf-8")
)
DATA = {name: np.array(values, dtype=float) for name, values in REFERENCE["data"].items()}
FOLD = DATA["fold"].astype(np.intp)
EVENT, CLASS = DATA["event"] == 1, DATA["class"] == 1
ONE_FOLD = np.zeros(4, dtype=np.intp)


def test_survival_equals_r() -> None:
    slope = cox_slope(DATA["margin"], DATA["time"], EVENT, FOLD)
    assert slope == pytest.approx(REFERENCE["cox_slope"], abs=1e-10)
    times, hazard = breslow_baseline(slope * DATA["margin"], DATA["time"], EVENT)
    np.testing.assert_array_equal(times, REFERENCE["baseline_time"])
    np.testing.assert_allclose(hazard, REFERENCE["baseline_hazard"], rtol=1e-10)


def test_binary_equals_r() -> None:
    slope = logistic_slope(DATA["margin"], CLASS, FOLD)
    assert slope == pytest.approx(REFERENCE["logistic_slope"], abs=1e-10)
    level = logistic_intercept(slope * DATA["margin"], CLASS)
    assert level == pytest.approx(REFERENCE["logistic_intercept"], abs=1e-10)


def test_logistic_slope_by_hand() -> None:
    # Odds 1/2 at margin 0 and 2/1 at margin 1: the slope is the log odds ratio, log 4.
    margin = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    event = np.array([True, False, False, True, True, False])
    fold = np.zeros(6, dtype=np.intp)
    assert logistic_slope(margin, event, fold) == pytest.approx(np.log(4), abs=1e-10)


def test_cox_slope_by_hand() -> None:
    # Three patients 0, 1, 0 dying in that order: U(b) = -w/(2 + w) + 1 - w/(1 + w), w = e^b,
    # zero where 2 + w = w (1 + w), so w = sqrt 2.
    margin, time = np.array([0.0, 1.0, 0.0]), np.array([1.0, 2.0, 3.0])
    slope = cox_slope(margin, time, np.ones(3, dtype=bool), np.zeros(3, dtype=np.intp))
    assert slope == pytest.approx(np.log(2) / 2, abs=1e-10)


@given(shift=st.lists(st.floats(-3, 3), min_size=5, max_size=5))
def test_levels_of_folds_do_not_matter(shift: list[float]) -> None:
    margin = DATA["margin"] + np.array(shift)[FOLD]
    expected = REFERENCE["cox_slope"], REFERENCE["logistic_slope"]
    slopes = cox_slope(margin, DATA["time"], EVENT, FOLD), logistic_slope(margin, CLASS, FOLD)
    assert slopes == pytest.approx(expected, abs=1e-6)


def test_reversed_margins_give_no_slope() -> None:
    assert cox_slope(-DATA["margin"], DATA["time"], EVENT, FOLD) == 0
    assert logistic_slope(-DATA["margin"], CLASS, FOLD) == 0


def test_constant_margins_give_no_slope() -> None:
    same = np.full(len(FOLD), 0.7)
    assert cox_slope(same, DATA["time"], EVENT, FOLD) == 0
    assert logistic_slope(same, CLASS, FOLD) == 0
    assert logistic_intercept(same, CLASS) == pytest.approx(
        np.log(CLASS.sum() / (~CLASS).sum()) - 0.7
    )


def test_complete_separation_stops_at_the_steepest_slope() -> None:
    margin = np.array([0.0, 1.0, 2.0, 3.0])
    event = np.array([False, False, True, True])
    dying = np.array([4.0, 3.0, 2.0, 1.0])
    assert logistic_slope(margin, event, ONE_FOLD) == STEEPEST_SLOPE
    assert cox_slope(margin, dying, np.ones(4, dtype=bool), ONE_FOLD) == STEEPEST_SLOPE
    # margins of any size keep exp() a number
    assert 0 < logistic_slope(1e4 * margin, event, ONE_FOLD) <= 500 / 3e4
    assert 0 < cox_slope(1e4 * margin, dying, np.ones(4, dtype=bool), ONE_FOLD) <= 500 / 3e4
