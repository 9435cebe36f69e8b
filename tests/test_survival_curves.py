"""Kaplan-Meier, quantiles, numbers at risk: hand-worked, R's figures, then what holds always."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter

from models.curve_limits import Interval
from models.survival_curves import (
    event_time_quantiles,
    kaplan_meier,
    numbers_at_risk,
    survival_at,
    survival_error_at,
    survival_estimates,
)
from tests import description_reference as description
from tests.metrics_reference import EVENT, REFERENCE, TIME, R, Sample, samples
from tests.realdata import DATA, needs_data

GROUP = np.array(R["data"]["group"])
COLUMNS = ["time", "n_at_risk", "n_events", "n_censored", "survival", "lower", "upper"]


# ---- hand-worked


def test_curve_by_hand() -> None:
    table = kaplan_meier([1, 2, 2, 3], [True, True, False, False]).table
    assert table["survival"].tolist() == [1, 0.75, 0.5, 0.5]
    assert table["n_at_risk"].tolist() == [4, 4, 3, 1]
    assert table["n_events"].tolist() == [0, 1, 1, 0]
    assert table["n_censored"].tolist() == [0, 0, 1, 1]
    # Greenwood at 1: 1 / (4 * 3)
    expected = 0.75 * np.exp(-1.959963984540054 * np.sqrt(1 / 12))
    assert table["lower"][1] == pytest.approx(expected, abs=1e-12)
    assert table["upper"][1] == 1  # held at 1


def test_curve_that_reaches_zero_stays_there() -> None:
    curve = kaplan_meier([1, 2], [True, True])
    assert curve.table["survival"].tolist() == [1, 0.5, 0]
    assert np.isnan(curve.table["lower"].iloc[-1])
    assert survival_at([1, 2], [True, True], [2, 9]).tolist() == [0, 0]


def test_beyond_follow_up_nothing_is_known() -> None:
    found = survival_at([1, 2], [True, False], [1, 2, 2.5])
    np.testing.assert_array_equal(found, [0.5, 0.5, np.nan])
    assert float(survival_at([1, 2], [True, False], 1.5)) == 0.5


def test_numbers_at_risk_by_hand() -> None:
    table = numbers_at_risk([1, 2, 2, 3], [1, 1, 0, 0], at=[0, 2, 3, 4])
    assert table["n_at_risk"].tolist() == [4, 3, 1, 0]
    assert table["n_events"].tolist() == [0, 1, 2, 2]
    assert table["n_censored"].tolist() == [0, 0, 1, 2]


# ---- R


def test_r_survfit() -> None:
    table = kaplan_meier(TIME, EVENT).table
    expected = pd.DataFrame(R["curve"])[COLUMNS].astype(float)
    np.testing.assert_allclose(table[COLUMNS], expected, atol=1e-12)


def test_r_survfit_by_group() -> None:
    curve = kaplan_meier(TIME, EVENT, group=GROUP)
    expected = pd.DataFrame(R["curve_grouped"])
    assert curve.table["group"].tolist() == expected["group"].tolist()
    np.testing.assert_allclose(curve.table[COLUMNS], expected[COLUMNS].astype(float), atol=1e-12)


@pytest.mark.parametrize(("group", "name"), [(None, "medians"), (GROUP, "medians_grouped")])
def test_r_medians(group: np.ndarray | None, name: str) -> None:
    found = kaplan_meier(TIME, EVENT, group=group).medians
    for column in ("median", "lower", "upper"):
        expected = np.atleast_1d(np.array(R[name][column], dtype=float))
        np.testing.assert_array_equal(found[column], expected)


def test_r_median_of_a_curve_that_lies_flat_on_one_half() -> None:
    found = kaplan_meier([1, 2, 3, 4], [1, 1, 1, 0]).medians["median"].item()
    assert found == R["median_flat"]["median"] == 2.5


INTERVALS = [("log", "log", 0.95), ("log-log", "loglog", 0.95), ("plain", "plain", 0.95)]
INTERVALS += [("log-log", "wide", 0.9)]
QUANTILES = [("estimate", "quantile"), ("lower", "quantile_lower"), ("upper", "quantile_upper")]


@pytest.mark.parametrize(("interval", "name", "level"), INTERVALS)
def test_r_intervals(interval: Interval, name: str, level: float) -> None:
    expected = description.R[name]
    curve = kaplan_meier(
        description.TIME,
        description.EVENT,
        group=description.GROUP,
        level=level,
        interval=interval,
    )
    table = curve.table[curve.table["time"] > 0]
    for column in ("lower", "upper"):
        found, wanted = table[column], description.numbers(expected[column])
        np.testing.assert_allclose(found, wanted, atol=1e-12)
        medians = description.numbers(expected[f"median_{column}"])
        np.testing.assert_array_equal(curve.medians[column], medians)
    np.testing.assert_array_equal(curve.medians["median"], description.numbers(expected["median"]))


@pytest.mark.parametrize(("interval", "name", "level"), INTERVALS)
def test_r_quantiles_and_survival_at_times(interval: Interval, name: str, level: float) -> None:
    data, expected = description.R["data"], description.R[name]
    curve = kaplan_meier(
        description.TIME,
        description.EVENT,
        group=description.GROUP,
        level=level,
        interval=interval,
    )
    found = event_time_quantiles(curve, data["probs"])
    assert found["probability"].tolist() == data["probs"] * 3
    for column, wanted in QUANTILES:
        wide = found[column].to_numpy().reshape(3, -1)
        np.testing.assert_array_equal(wide, description.numbers(expected[wanted]))
    at = survival_estimates(curve, data["at"]).dropna(subset="estimate")  # R leaves them out
    assert at["n_at_risk"].tolist() == expected["at"]["n"]
    for column in ("estimate", "lower", "upper"):
        np.testing.assert_allclose(at[column], expected["at"][column], atol=1e-12)


# ---- lifelines and properties


@given(samples())
def test_lifelines_curve(s: Sample) -> None:
    fitted = KaplanMeierFitter().fit(s.time, s.event)
    at = np.arange(0, s.time.max() + 0.5, 0.5)
    expected = fitted.survival_function_at_times(at).to_numpy()
    np.testing.assert_allclose(survival_at(s.time, s.event, at), expected, atol=1e-10)


@given(s=samples(), unit=st.sampled_from([12.0, 365.25]), seed=st.integers(0, 99))
def test_order_of_patients_and_unit_do_not_matter(s: Sample, unit: float, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(len(s.time))
    curve = kaplan_meier(s.time, s.event).table
    other = kaplan_meier(unit * s.time[shuffled], s.event[shuffled]).table
    np.testing.assert_allclose(other["survival"], curve["survival"])
    np.testing.assert_allclose(other["time"], unit * curve["time"])


@given(s=samples(), interval=st.sampled_from(["log", "log-log", "plain"]))
def test_interval_holds_the_curve_which_never_rises(s: Sample, interval: Interval) -> None:
    table = kaplan_meier(s.time, s.event, interval=interval).table
    assert (table["survival"].diff().dropna() <= 0).all()
    inside = table.dropna()
    assert (inside["lower"] <= inside["survival"]).all()
    assert (inside["survival"] <= inside["upper"]).all()
    assert inside[["lower", "upper"]].stack().between(0, 1).all()
    wider = kaplan_meier(s.time, s.event, interval=interval, level=0.99).table.dropna()
    assert (wider["lower"] <= inside["lower"]).all()


@given(samples())
def test_the_estimates_at_times_are_those_of_the_reader(s: Sample) -> None:
    at = [0.0, 0.5, 1, 3, 8, 9]
    found = survival_estimates(kaplan_meier(s.time, s.event), at)
    np.testing.assert_allclose(found["estimate"], survival_at(s.time, s.event, at), atol=1e-12)
    assert found["n_at_risk"].tolist() == [(s.time >= t).sum() for t in at]


@given(s=samples(), p=st.sampled_from([0.1, 0.25, 0.5, 0.8]))
def test_by_its_quantile_that_share_has_had_the_event(s: Sample, p: float) -> None:
    found = event_time_quantiles(kaplan_meier(s.time, s.event), [p])["estimate"].item()
    at = s.time.max() if np.isnan(found) else found
    had = 1 - survival_at(s.time, s.event, at)
    assert had < p if np.isnan(found) else had >= p - 1e-7


@given(s=samples(), at=st.lists(st.integers(0, 10), min_size=1, max_size=5))
def test_the_three_counts_add_up(s: Sample, at: list[int]) -> None:
    table = numbers_at_risk(s.time, s.event, at=at, group=s.score)
    total = table[["n_at_risk", "n_events", "n_censored"]].sum(axis=1)
    size = table["group"].map(pd.Series(s.score).value_counts())
    assert (total == size).all()
    counted = [(s.time >= t).sum() for t in at]
    assert table.groupby("time")["n_at_risk"].sum().tolist() == [
        n * at.count(t) for t, n in sorted(set(zip(at, counted, strict=True)))
    ]


def test_a_categorical_keeps_its_order_and_loses_empty_groups() -> None:
    group = pd.Categorical(["low", "high", "low"], categories=["low", "middle", "high"])
    time, event = [1, 2, 3], [1, 1, 0]
    assert kaplan_meier(time, event, group=group).medians["group"].tolist() == ["low", "high"]


def test_worse_survival_shows() -> None:
    time = np.arange(1.0, 41)
    group = np.where(np.arange(40) < 20, "early", "late")
    medians = kaplan_meier(time, np.ones(40), group=group).medians.set_index("group")["median"]
    assert medians["early"] < medians["late"]


def test_one_line_says_it() -> None:
    assert repr(kaplan_meier([1, 2, 3, 4], [1, 1, 1, 0])) == (
        "KaplanMeier(4 patients, 3 events, median 2.5, 95% interval 1-nan)"
    )
    grouped = kaplan_meier([1, 2], [1, 0], group=["a", "b"])
    assert repr(grouped) == "KaplanMeier(2 groups, 2 patients, 1 events)"


def test_where_a_curve_ends_flat_on_a_half_the_time_it_got_there_counts() -> None:
    # R's quantile.survfit says 3, the middle up to the last censoring; its print says 2.
    curve = kaplan_meier([1, 2, 3, 4], [1, 1, 0, 0])
    assert event_time_quantiles(curve, [0.5])["estimate"].item() == 2
    assert curve.medians["median"].item() == 2


def test_five_patients_one_event() -> None:
    curve = kaplan_meier([1, 2, 3, 4, 5], [0, 0, 1, 0, 0], interval="log-log")
    assert curve.table["survival"].tolist() == pytest.approx([1, 1, 1, 2 / 3, 2 / 3, 2 / 3])
    assert curve.table["lower"][1:3].isna().all()  # before the event log-log has no value
    power = np.exp(1.959963984540054 * np.sqrt(1 / 6) / np.log(2 / 3))
    assert curve.table["upper"].iloc[-1] == pytest.approx((2 / 3) ** power, abs=1e-12)
    assert np.isnan(curve.medians["median"].item())


# ---- where there is no answer


def test_no_event_no_median() -> None:
    assert np.isnan(kaplan_meier([1, 2], [0, 0]).medians["median"].item())


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (["a", None], "group must be known for every patient, but 1 of 2.*position 1"),
        (["a"], "one value per patient"),
    ],
)
def test_wrong_group_is_named(group: list[str | None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kaplan_meier([1, 2], [1, 0], group=group)


def test_wrong_level_is_named() -> None:
    with pytest.raises(ValueError, match=r"level must lie between 0 and 1, but 95 came"):
        kaplan_meier([1, 2], [1, 0], level=95)


def test_wrong_interval_and_quantile_are_named() -> None:
    with pytest.raises(ValueError, match=r"interval must be 'log'.*but 'loglog' came"):
        kaplan_meier([1, 2], [1, 0], interval="loglog")  # type: ignore[arg-type]
    curve = kaplan_meier([1, 2], [1, 0])
    with pytest.raises(ValueError, match="probabilities must lie between 0 and 1, but 0 or 1"):
        event_time_quantiles(curve, [0.5, 1])
    with pytest.raises(ValueError, match="probabilities must be a probability"):
        event_time_quantiles(curve, [50])


# ---- real patients


@needs_data("ucsf_pdgm")
def test_idh_in_ucsf_pdgm() -> None:
    expected = REFERENCE["real"]["ucsf"]
    table = pd.read_csv(DATA / "ucsf_pdgm" / "UCSF-PDGM-metadata_v2.csv").dropna(subset=["OS"])
    time, event = table["OS"], table["1-dead 0-alive"]
    idh = np.where(table["IDH"] == "wildtype", "wildtype", "mutant")
    medians = kaplan_meier(time, event, group=idh).medians
    assert medians["median"].iloc[1] == 539  # days
    for column in ("median", "lower", "upper"):
        np.testing.assert_array_equal(medians[column], np.array(expected["medians"][column], float))


@given(samples(), st.floats(0.5, 8))
def test_error_at_a_time_is_the_curves_own(sample: Sample, at: float) -> None:
    curve = kaplan_meier(sample.time, sample.event, interval="plain")
    rows = curve.table[curve.table["time"] <= at]
    last, n = rows.iloc[-1], rows["n_at_risk"].to_numpy()
    died = rows["n_events"].to_numpy()
    found = survival_error_at(sample.time, sample.event, at)
    if last["survival"] == 0 or at > sample.time.max():
        assert np.isnan(found)
        return
    greenwood = last["survival"] * np.sqrt((died / (n * (n - died))).sum())
    assert found == pytest.approx(greenwood, rel=1e-10)
