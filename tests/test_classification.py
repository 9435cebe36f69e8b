"""Sensitivity, specificity, PPV and NPV: by hand, R's, Wilson's coverage, edges."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.classification import METRICS, classification, classification_at, shares, sizes
from models.standard_errors import State, states_at
from models.survival_curves import survival_at
from tests.discrimination_reference import COMPETING, EVENT, HORIZONS, RISK, TIME, R
from tests.metrics_reference import Sample, samples

REFERENCE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "reference" / "classification.json").read_text()
)
THRESHOLDS: list[float] = REFERENCE["thresholds"]
BY_WEIGHT = METRICS[:4]


def figures(found: pd.DataFrame, threshold: float) -> pd.DataFrame:
    return found[found["threshold"] == threshold].set_index("metric")


def as_risk(s: Sample) -> Any:
    return (s.score + 3) / 6


# ---- by hand


def test_two_by_two_by_hand() -> None:
    # 10 with the event, 8 of them at or above .3; 20 without, 5 of them above.
    event = np.repeat([1, 0], [10, 20])
    risk = np.concatenate([np.full(8, 0.3), np.full(2, 0.29), np.full(5, 0.9), np.zeros(15)])
    found = classification(event, risk, thresholds=[0.3])
    table = figures(found.table, 0.3)
    expected = {"sensitivity": (8, 10), "specificity": (15, 20), "ppv": (8, 13), "npv": (15, 17)}
    for metric, (part, whole) in (expected | {"share_above": (13, 30)}).items():
        row, p = table.loc[metric], part / whole
        assert row["estimate"] == pytest.approx(p, abs=1e-15)
        assert row["standard_error"] == pytest.approx(np.sqrt(p * (1 - p) / whole), abs=1e-15)
    assert (table["n_above"] == 13).all()
    assert repr(found) == "Classification(30 patients, 10 events, at 0.3)"


def test_wilson_ends_solve_the_score_equation() -> None:
    row = classification(np.ones(9), np.repeat([0.9, 0.1], [7, 2]), thresholds=[0.5]).table.iloc[0]
    for end in row[["lower", "upper"]]:
        assert abs(7 / 9 - end) == pytest.approx(1.959963984540054 * np.sqrt(end * (1 - end) / 9))


def test_all_above_makes_the_ppv_one_minus_kaplan_meier() -> None:
    found = figures(
        classification_at(TIME, EVENT, RISK[1], horizon=12, thresholds=[0.0]).table, 0.0
    )
    ppv = 1 - float(survival_at(TIME, EVENT, 12.0))
    assert found.loc["ppv", "estimate"] == pytest.approx(ppv, abs=1e-13)
    assert found.loc[["sensitivity", "specificity"], "estimate"].tolist() == [1, 0]
    assert np.isnan(found.loc["npv", "estimate"])


# ---- R


@pytest.mark.parametrize("kind", ["survival", "competing"])
def test_published_formulas_of_time_roc(kind: str) -> None:
    competing = COMPETING if kind == "competing" else None
    for j, horizon in enumerate(HORIZONS):
        found = classification_at(
            TIME, EVENT, RISK[j], horizon=horizon, thresholds=THRESHOLDS, competing=competing
        ).table.set_index(["threshold", "metric"])
        for row in (one for one in REFERENCE[kind] if one["horizon"] == horizon):
            ours = found.loc[(row["threshold"], row["metric"])]
            for name, theirs in (("estimate", "estimate"), ("standard_error", "se")):
                known = np.nan if row[theirs] is None else row[theirs]  # an NPV with nobody below
                assert ours[name] == pytest.approx(known, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("kind", ["survival", "competing"])
def test_risk_regression_of_the_marker_above(kind: str) -> None:
    for row in REFERENCE[f"{kind}_score"]:
        j = HORIZONS.index(row["horizon"])
        found = figures(
            classification_at(
                TIME, EVENT, RISK[j], horizon=row["horizon"], thresholds=THRESHOLDS,
                competing=COMPETING if kind == "competing" else None,
            ).table, row["threshold"],
        )["estimate"]  # fmt: skip
        area = (found["sensitivity"] + found["specificity"]) / 2
        assert area == pytest.approx(row["auc"], abs=1e-12)
        if kind == "survival":
            cases = 1 - float(survival_at(TIME, EVENT, row["horizon"]))
            right = found["sensitivity"] * cases + found["specificity"] * (1 - cases)
            assert 1 - right == pytest.approx(row["brier"], abs=1e-12)


def test_proc_and_binconf() -> None:
    found = classification(
        R["binary"]["y"], R["binary"]["p"], thresholds=THRESHOLDS
    ).table.set_index(["threshold", "metric"])
    for row in REFERENCE["binary"]:
        ours = found.loc[(row["threshold"], row["metric"])]
        for name in ("estimate", "lower", "upper"):
            assert ours[name] == pytest.approx(row[name], abs=1e-12)


# ---- intervals


def test_without_censoring_a_horizon_is_a_binary_outcome() -> None:
    rng = np.random.default_rng(3)
    time, risk = rng.exponential(5, 40), rng.uniform(size=40)
    by_time = classification_at(time, np.ones(40), risk, horizon=4, thresholds=THRESHOLDS).table
    plain = classification(time <= 4, risk, thresholds=THRESHOLDS).table
    same = ["threshold", "metric", "estimate", "lower", "upper", "n_above"]
    pd.testing.assert_frame_equal(by_time[same], plain[same], rtol=1e-12)
    ratio = by_time["standard_error"] / plain["standard_error"]
    np.testing.assert_allclose(ratio, np.sqrt(40 / 39))  # R's sd(influence) has n - 1


def test_wilson_holds_what_it_says_under_censoring() -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(size=400_000)
    case = rng.exponential(6 * np.exp(-1.2 * x)) <= 3
    above = -np.expm1(-0.5 * np.exp(1.2 * x)) >= 0.5
    truth = np.array(
        [above[case].mean(), (~above[~case]).mean(), case[above].mean(), (~case[~above]).mean()]
    )
    held = []
    for _ in range(250):
        x = rng.normal(size=60)
        death, lost = rng.exponential(6 * np.exp(-1.2 * x)), rng.uniform(1, 10, 60)
        found = classification_at(
            np.minimum(death, lost), death <= lost, -np.expm1(-0.5 * np.exp(1.2 * x)),
            horizon=3, thresholds=[0.5],
        ).table.iloc[:4]  # fmt: skip
        held.append((found["lower"] <= truth) & (truth <= found["upper"]))
    # 250 samples know 95 % to 1.4: twice that
    assert (np.abs(np.mean(held, axis=0) - 0.95) < 0.028).all()


def test_a_level_widens() -> None:
    narrow, wide = (
        classification([1, 1, 0, 0], [0.9, 0.2, 0.6, 0.1], thresholds=[0.5], level=level).table
        for level in (0.8, 0.99)
    )
    assert (wide["lower"] < narrow["lower"]).all()
    assert (wide["upper"] > narrow["upper"]).all()


# ---- properties


@given(s=samples(min_size=3), seed=st.integers(0, 99), unit=st.sampled_from([30.4375, 1 / 12]))
def test_order_and_unit_do_not_matter(s: Sample, seed: int, unit: float) -> None:
    shuffled, risk = np.random.default_rng(seed).permutation(len(s.time)), as_risk(s)
    plain = classification_at(s.time, s.event, risk, horizon=4, thresholds=THRESHOLDS)
    again = classification_at(
        unit * s.time[shuffled], s.event[shuffled], risk[shuffled], horizon=4 * unit,
        thresholds=THRESHOLDS,
    )  # fmt: skip
    pd.testing.assert_frame_equal(plain.table, again.table, atol=1e-9)


@given(s=samples(min_size=3), threshold=st.floats(0.01, 1))
def test_bounds_and_bayes(s: Sample, threshold: float) -> None:
    table = classification_at(s.time, s.event, as_risk(s), horizon=4, thresholds=[threshold]).table
    found, known = table.set_index("metric"), table.dropna(subset="estimate")
    assert (known["lower"] <= known["estimate"] + 1e-12).all()
    assert (known["estimate"] <= known["upper"] + 1e-12).all()
    assert ((known["lower"] >= 0) & (known["upper"] <= 1)).all()
    se, sp, ppv = found.loc[["sensitivity", "specificity", "ppv"], "estimate"]
    prevalence = 1 - float(survival_at(s.time, s.event, 4.0))
    if not np.isnan([se, sp, ppv]).any():
        true, false = se * prevalence, (1 - sp) * (1 - prevalence)
        assert ppv == pytest.approx(true / (true + false), abs=1e-12)


@given(s=samples(min_size=3))
def test_swapping_outcome_and_risk_swaps_the_figures(s: Sample) -> None:
    event, risk = s.event, as_risk(s)
    forward = classification(event, risk, thresholds=[0.45]).table.set_index("metric")["estimate"]
    backward = classification(~event, 1 - risk, thresholds=[0.55]).table.set_index("metric")
    turned = backward.loc[["specificity", "sensitivity", "npv", "ppv"], "estimate"]
    np.testing.assert_allclose(forward[list(BY_WEIGHT)], turned, atol=1e-12)


@given(s=samples(min_size=3))
def test_the_shares_alone_are_those_of_the_table(s: Sample) -> None:
    risk = as_risk(s)
    table = classification_at(s.time, s.event, risk, horizon=4, thresholds=THRESHOLDS).table
    found = shares(states_at(s.time, s.event, horizon=4), risk, np.array(THRESHOLDS))
    stacked = np.array([found[metric] for metric in METRICS]).T.ravel()
    np.testing.assert_array_equal(stacked, table["estimate"])


def test_reversed_risk_is_worse() -> None:
    right = classification_at(TIME, EVENT, RISK[1], horizon=12, thresholds=[0.5]).table
    wrong = classification_at(TIME, EVENT, 1 - RISK[1], horizon=12, thresholds=[0.5]).table
    assert (right["estimate"][:4] > wrong["estimate"][:4]).all()


# ---- edges


def test_tied_risks_lie_above_their_own_threshold() -> None:
    table = classification([1, 0, 0, 1, 0], np.full(5, 0.2), thresholds=[0.2, 0.21]).table
    assert table["n_above"].tolist() == [5] * 5 + [0] * 5
    assert table["estimate"].tolist()[:3] == [1, 0, 0.4]
    assert np.isnan(table["estimate"][3])  # nobody below: no NPV
    assert np.isnan(table[["estimate", "standard_error", "lower", "upper"]].iloc[7]).all()  # no PPV


def test_all_censored_and_one_event() -> None:
    risk = [0.1, 0.2, 0.3, 0.4, 0.5]
    nobody = figures(
        classification_at(
            [1, 2, 5, 6, 7], np.zeros(5), risk, horizon=4, thresholds=[0.35]
        ).table, 0.35,
    )["estimate"]  # fmt: skip
    assert np.isnan(nobody["sensitivity"])
    assert nobody[["specificity", "ppv", "npv", "share_above"]].tolist() == pytest.approx(
        [1 / 3, 0, 1, 0.4]
    )
    once = classification_at([1, 2, 5, 6, 7], [1, 0, 0, 0, 0], risk, horizon=4, thresholds=[0.35])
    found = figures(once.table, 0.35).loc["sensitivity"]
    assert found["estimate"] == 0
    assert (found["standard_error"], found["lower"]) == (0, 0)
    assert found["upper"] == pytest.approx(1.96**2 / (1 + 1.96**2), abs=1e-4)  # Wilson, 0 of 1


def test_follow_up_that_ends_at_the_horizon_tells_the_share_above_alone() -> None:
    table = classification_at([1, 2, 4], [1, 1, 0], [0.9, 0.1, 0.1], horizon=4, thresholds=[0.5])
    assert table.table["estimate"].isna().tolist() == [True] * 4 + [False]


def test_a_weight_of_zero_does_not_count() -> None:
    time, event, risk = [1, 2, 3, 5, 6], [1, 0, 1, 0, 0], [0.9, 0.9, 0.1, 0.1, 0.8]
    other = [0.9, 0.0, 0.1, 0.1, 0.8]  # of patient 2, lost before the horizon
    ours, theirs = (
        classification_at(time, event, r, horizon=4, thresholds=[0.5]).table["estimate"][:4]
        for r in (risk, other)
    )
    np.testing.assert_array_equal(ours, theirs)


def test_a_missing_risk_gives_nan() -> None:
    table = classification([1, 0, 1], [0.2, np.nan, 0.7], thresholds=[0.5]).table
    assert table["estimate"].isna().all()


def test_one_patient_has_an_estimate_but_no_standard_error_at_a_horizon() -> None:
    table = classification_at([5], [0], [0.1], horizon=4, thresholds=[0.5]).table
    row = figures(table, 0.5).loc["specificity"]
    assert row["estimate"] == 1
    assert np.isnan(row["standard_error"])
    assert row["lower"] == pytest.approx(1 / (1 + 1.96**2), abs=1e-4)


def test_shares_of_a_binary_state() -> None:
    event = np.array([True, False])
    state = State(event, ~event, np.ones(2), beyond=True)
    found = shares(state, np.array([0.8, 0.6]), np.array([0.5]))
    assert {name: values.item() for name, values in found.items() if name != "npv"} == {
        "sensitivity": 1, "specificity": 0, "ppv": 0.5, "share_above": 1,
    }  # fmt: skip


def test_sizes_are_counts_without_weights_and_less_with_them() -> None:
    event, risk = np.array([True, True, False, False, False]), np.array([0.9, 0.1, 0.9, 0.2, 0.3])
    found = sizes(State(event, ~event, np.ones(5), beyond=True), risk, np.array([0.5, 0.95]))
    counts = {"sensitivity": 2, "specificity": 3, "ppv": 2, "npv": 3, "share_above": 5}
    assert {metric: values[0] for metric, values in found.items()} == counts
    assert np.isnan(found["ppv"][1])  # nobody above
    weighted = State(event, ~event, np.array([1.0, 2.0, 1.0, 1.0, 1.0]), beyond=True)
    assert sizes(weighted, risk, np.array([0.5]))["sensitivity"] == pytest.approx(9 / 5)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"thresholds must be a probability.*1 of 1.*1\.5"):
        classification([1, 0], [0.1, 0.2], thresholds=[1.5])
    with pytest.raises(ValueError, match=r"risk must be a probability.*3 at position 0"):
        classification_at([1, 2], [1, 0], [3, 0.2], horizon=1, thresholds=[0.5])
    with pytest.raises(ValueError, match="one value per patient"):
        classification([1, 0, 1], [0.1, 0.2], thresholds=[0.5])
    with pytest.raises(ValueError, match="level must lie between"):
        classification([1, 0], [0.1, 0.2], thresholds=[0.5], level=95)
    with pytest.raises(ValueError, match="horizon must be a time above zero"):
        classification_at([1, 2], [1, 0], [0.1, 0.2], horizon=-1, thresholds=[0.5])
    with pytest.raises(ValueError, match="competing must be False where event is True"):
        classification_at([1, 2], [1, 0], [0.1, 0.2], horizon=1, thresholds=[0.5], competing=[1, 0])
    with pytest.raises(ValueError, match="thresholds must have one dimension"):
        classification([1, 0], [0.1, 0.2], thresholds=0.5)
