"""Restricted mean survival time: hand-worked, the published figures, R's, then properties."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from models.restricted_mean import CONTRASTS, restricted_mean
from models.survival_curves import survival_at
from tests.description_reference import EVENT, GROUP, LABELS, TIME, R
from tests.metrics_reference import Sample, samples
from tests.realdata import DATA, needs_data

Z = 1.959963984540054

# ---- hand-worked


def test_area_and_error_by_hand() -> None:
    # Curve 1, 2/3 from 1, 1/3 from 2, 0 from 3: 1 + 2/3 + 1/3. A is 1, 1/3, 0 at the events.
    found = restricted_mean([1, 2, 3], [1, 1, 1], horizon=3).table.iloc[0]
    assert found["estimate"] == pytest.approx(2, abs=1e-12)
    # Greenwood's steps: 1/(3*2), 1/(2*1)
    assert found["std_error"] == pytest.approx(np.sqrt(1 / 6 + 1 / 9 / 2), abs=1e-12)
    assert found["upper"] == pytest.approx(2 + Z * np.sqrt(2 / 9), abs=1e-12)


def test_without_censoring_it_is_the_mean_of_what_is_lived_by_then() -> None:
    lived = np.minimum(TIME, 20)
    found = restricted_mean(TIME, np.ones(len(TIME)), horizon=20).table.iloc[0]
    assert found["estimate"] == pytest.approx(lived.mean(), abs=1e-10)
    assert found["std_error"] == pytest.approx(lived.std() / np.sqrt(len(lived)), abs=1e-10)


def test_contrasts_by_hand() -> None:
    time, event = [1.0, 2, 3, 2, 4, 6], [1] * 6
    found = restricted_mean(time, event, horizon=6, group=["a"] * 3 + ["b"] * 3)
    assert list(found.contrasts.columns) == CONTRASTS
    difference, ratio = found.contrasts.iloc[0], found.contrasts.iloc[1]
    first, second = np.sqrt(2 / 9), 2 * np.sqrt(2 / 9)  # b lives twice as long
    error = np.hypot(first, second)
    assert difference["estimate"] == pytest.approx(2, abs=1e-12)
    assert difference["lower"] == pytest.approx(2 - Z * error, abs=1e-12)
    assert difference["p_value"] == pytest.approx(2 * stats.norm.sf(2 / error), abs=1e-12)
    relative = np.hypot(first / 2, second / 4)
    assert ratio["estimate"] == pytest.approx(2, abs=1e-12)
    assert ratio["upper"] == pytest.approx(2 * np.exp(Z * relative), abs=1e-12)
    assert ratio["p_value"] == pytest.approx(2 * stats.norm.sf(np.log(2) / relative), abs=1e-12)
    assert difference[["group", "reference"]].tolist() == ["b", "a"]


# ---- R and published figures


def test_r_print_of_survfit() -> None:
    for horizon, expected in zip(R["data"]["tau"], R["rmst"], strict=True):
        table = restricted_mean(TIME, EVENT, horizon=horizon, group=GROUP).table
        assert table["group"].tolist() == LABELS
        known = table["estimate"].notna().to_numpy()
        assert known.sum() >= 2
        for column, name in [("estimate", "mean"), ("std_error", "se")]:
            wanted = np.array(expected[name])[known]
            np.testing.assert_allclose(table[column][known], wanted, atol=1e-10)


@needs_data("survival")
def test_ten_years_in_pbc() -> None:
    # Published with survRM2: 7.146 (.283) v 7.283 (.295), -.137 [-.939, .665], .981 [.878, 1.096].
    pbc = pd.read_csv(DATA / "survival" / "pbc.csv").dropna(subset=["trt"])
    arm = pd.Categorical(pbc["trt"], categories=[2, 1])  # placebo is the reference
    found = restricted_mean(pbc["time"] / 365.25, pbc["status"] == 2, horizon=10, group=arm)
    table = found.table.set_index("group")
    np.testing.assert_allclose(table.loc[[1, 2], "estimate"], [7.146, 7.283], atol=5e-4)
    np.testing.assert_allclose(table.loc[[1, 2], "std_error"], [0.283, 0.295], atol=5e-4)
    for column, name in [("estimate", "mean"), ("std_error", "se")]:
        np.testing.assert_allclose(table.loc[[1, 2], column], R["pbc"]["rmst"][name], atol=1e-10)
    contrasts = found.contrasts[["estimate", "lower", "upper"]]
    np.testing.assert_allclose(
        contrasts, [[-0.137, -0.939, 0.665], [0.981, 0.878, 1.096]], atol=6e-4
    )


# ---- properties


@given(s=samples(), horizon=st.sampled_from([0.5, 1.0, 2.5, 4.0, 8.0]))
def test_it_is_the_area_under_the_curve(s: Sample, horizon: float) -> None:
    found = restricted_mean(s.time, s.event, horizon=horizon).table["estimate"].item()
    left = np.arange(0, horizon, 0.5)  # times are whole: the curve is flat over half units
    area = 0.5 * survival_at(s.time, s.event, left).sum()
    if np.isnan(survival_at(s.time, s.event, horizon)):
        assert np.isnan(found)
    else:
        assert found == pytest.approx(area, abs=1e-10)
        assert 0 < found <= horizon


@given(s=samples(), unit=st.sampled_from([12.0, 365.25]), seed=st.integers(0, 99))
def test_order_of_patients_does_not_matter_and_the_unit_scales(
    s: Sample, unit: float, seed: int
) -> None:
    shuffled = np.random.default_rng(seed).permutation(len(s.time))
    group = s.score > 0
    found = restricted_mean(s.time, s.event, horizon=3, group=group)
    again = restricted_mean(
        unit * s.time[shuffled], s.event[shuffled], horizon=3 * unit, group=group[shuffled]
    )
    for column in ("estimate", "std_error", "lower", "upper"):
        np.testing.assert_allclose(again.table[column], unit * found.table[column], atol=1e-9)
    ratios = [t.contrasts.query("measure == 'ratio'") for t in (found, again)]
    for column in ("estimate", "lower", "upper", "p_value"):
        np.testing.assert_allclose(ratios[1][column], ratios[0][column], rtol=1e-7)


@given(samples(min_size=4))
def test_exchanging_the_groups_turns_the_contrast_round(s: Sample) -> None:
    group = s.score > 0
    found = restricted_mean(s.time, s.event, horizon=3, group=group).contrasts
    turned = restricted_mean(s.time, s.event, horizon=3, group=~group).contrasts
    if len(found):
        assert turned["estimate"].iloc[0] == pytest.approx(-found["estimate"].iloc[0], nan_ok=True)
        assert turned["lower"].iloc[0] == pytest.approx(-found["upper"].iloc[0], nan_ok=True)
        assert turned["lower"].iloc[1] == pytest.approx(1 / found["upper"].iloc[1], nan_ok=True)
        assert turned["p_value"].tolist() == pytest.approx(found["p_value"].tolist(), nan_ok=True)


def test_worse_survival_shows() -> None:
    time = np.arange(1.0, 41)
    group = np.where(np.arange(40) < 20, "early", "late")
    found = restricted_mean(time, np.ones(40), horizon=30, group=group).contrasts
    assert found["estimate"].iloc[0] > 0  # late minus early
    assert found["estimate"].iloc[1] > 1


# ---- where there is no answer


def test_beyond_a_groups_follow_up_its_mean_is_not_known() -> None:
    found = restricted_mean([1, 2, 3, 4, 1, 2], [1, 1, 0, 1, 1, 0], horizon=3, group=list("aaaabb"))
    assert found.table["estimate"].isna().tolist() == [False, True]  # b is followed to 2
    assert found.contrasts[["estimate", "lower", "upper", "p_value"]].isna().all(axis=None)
    # Where the curve has reached 0 nothing is missing: a's area does not grow beyond 4.
    long = restricted_mean([1, 2, 3, 4], [1, 1, 0, 1], horizon=9).table["estimate"].item()
    short = restricted_mean([1, 2, 3, 4], [1, 1, 0, 1], horizon=4).table["estimate"].item()
    assert long == short == pytest.approx(1 + 3 / 4 + 2 * 1 / 2)


def test_all_censored_and_one_event() -> None:
    none = restricted_mean([2, 3, 4, 5, 6], [0] * 5, horizon=6, group=list("aaabb"))
    assert np.isnan(none.table["estimate"].iloc[0])
    assert none.table.iloc[1][["estimate", "std_error"]].tolist() == [6, 0]
    flat = restricted_mean([2, 3, 4, 5], [0] * 4, horizon=3, group=list("abab"))
    assert flat.contrasts["estimate"].tolist() == [0, 1]
    assert flat.contrasts["p_value"].isna().all()  # nothing varies
    one = restricted_mean([2, 3, 4, 5, 6], [0, 1, 0, 0, 0], horizon=5).table.iloc[0]
    assert one["estimate"] == pytest.approx(3 + 2 * 3 / 4)
    assert one["std_error"] == pytest.approx(np.sqrt((2 * 3 / 4) ** 2 / 12))
    assert one["n_events"] == 1


def test_one_line_says_it() -> None:
    found = restricted_mean([1, 2, 3, 4], [1, 1, 1, 1], horizon=2, group=list("aabb"))
    assert repr(found) == "RestrictedMean(2 groups, 4 patients, 2 events, to 2: 1.5, 2)"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"horizon": 0}, "horizon must be a time above zero, but 0 came"),
        ({"level": 95}, "level must lie between 0 and 1, but 95 came"),
        ({"group": ["a", None]}, "group must be known for every patient"),
        ({"time": [0, 1]}, "time must be above zero"),
        ({"event": [2, 1]}, "event must hold only True/False"),
    ],
)
def test_wrong_input_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        restricted_mean(**{"time": [1, 2], "event": [1, 0], "horizon": 1, **options})
