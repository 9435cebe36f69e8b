"""Kaplan-Meier, log-rank, numbers at risk: hand-worked, R's figures, then what holds always."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test

from models.survival_curves import kaplan_meier, log_rank, numbers_at_risk, survival_at
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


def test_log_rank_by_hand() -> None:
    # Expected in a: 2/4 + 1/3. Variance: 1/4 + 2/9.
    test = log_rank([1, 2, 3, 4], [True] * 4, ["a", "a", "b", "b"])
    assert test.table["expected"].tolist() == pytest.approx([5 / 6, 4 - 5 / 6])
    assert test.chi2 == pytest.approx((2 - 5 / 6) ** 2 / (1 / 4 + 2 / 9))
    assert test.df == 1


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


def test_r_survdiff() -> None:
    test, expected = log_rank(TIME, EVENT, GROUP), R["log_rank"]
    assert test.chi2 == pytest.approx(expected["chi2"], abs=1e-10)
    assert test.p_value == pytest.approx(expected["p"], abs=1e-10)
    assert test.table["group"].tolist() == expected["group"]
    assert test.table["observed"].tolist() == expected["observed"]
    np.testing.assert_allclose(test.table["expected"], expected["expected"], atol=1e-10)


# ---- lifelines and properties


@given(samples())
def test_lifelines_curve(s: Sample) -> None:
    fitted = KaplanMeierFitter().fit(s.time, s.event)
    at = np.arange(0, s.time.max() + 0.5, 0.5)
    expected = fitted.survival_function_at_times(at).to_numpy()
    np.testing.assert_allclose(survival_at(s.time, s.event, at), expected, atol=1e-10)


@given(samples(min_size=6))
def test_lifelines_log_rank(s: Sample) -> None:
    groups = np.where(s.score > 0, "high", "low")
    test = log_rank(s.time, s.event, groups)
    if not np.isnan(test.chi2):
        expected = multivariate_logrank_test(s.time, groups, s.event).test_statistic
        assert test.chi2 == pytest.approx(expected, abs=1e-8)
    assert test.table["expected"].sum() == pytest.approx(s.event.sum())


@given(s=samples(), unit=st.sampled_from([12.0, 365.25]), seed=st.integers(0, 99))
def test_order_of_patients_and_unit_do_not_matter(s: Sample, unit: float, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(len(s.time))
    curve = kaplan_meier(s.time, s.event).table
    other = kaplan_meier(unit * s.time[shuffled], s.event[shuffled]).table
    np.testing.assert_allclose(other["survival"], curve["survival"])
    np.testing.assert_allclose(other["time"], unit * curve["time"])
    test = log_rank(s.time, s.event, s.score)
    again = log_rank(unit * s.time[shuffled], s.event[shuffled], s.score[shuffled])
    assert again.chi2 == pytest.approx(test.chi2, nan_ok=True, abs=1e-8)


@given(samples())
def test_interval_holds_the_curve_which_never_rises(s: Sample) -> None:
    table = kaplan_meier(s.time, s.event).table
    assert (table["survival"].diff().dropna() <= 0).all()
    inside = table.dropna()
    assert (inside["lower"] <= inside["survival"]).all()
    assert (inside["survival"] <= inside["upper"]).all()


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
    assert log_rank(time, event, pd.Series(group)).table["group"].tolist() == ["low", "high"]


def test_worse_survival_shows() -> None:
    time = np.arange(1.0, 41)
    group = np.where(np.arange(40) < 20, "early", "late")
    medians = kaplan_meier(time, np.ones(40), group=group).medians.set_index("group")["median"]
    assert medians["early"] < medians["late"]
    table = log_rank(time, np.ones(40), group).table.set_index("group")
    assert table.loc["early", "observed"] > table.loc["early", "expected"]


def test_one_line_says_it() -> None:
    assert repr(kaplan_meier([1, 2, 3, 4], [1, 1, 1, 0])) == (
        "KaplanMeier(4 patients, 3 events, median 2.5, 95% interval 1-nan)"
    )
    grouped = kaplan_meier([1, 2], [1, 0], group=["a", "b"])
    assert repr(grouped) == "KaplanMeier(2 groups, 2 patients, 1 events)"


# ---- where there is no answer


def test_log_rank_needs_two_groups_at_risk() -> None:
    alone = log_rank([1, 2], [1, 1], ["a", "a"])
    assert np.isnan(alone.chi2)
    assert np.isnan(alone.p_value)
    assert alone.df == 0
    # b left before the first event, and does not count
    gone = log_rank([1, 2, 3, 4], [0, 1, 1, 0], ["b", "a", "a", "c"])
    assert gone.df == 1
    assert np.isnan(log_rank([1, 2], [0, 0], ["a", "b"]).chi2)


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
    with pytest.raises(ValueError, match=message):
        log_rank([1, 2], [1, 0], group)


def test_wrong_level_is_named() -> None:
    with pytest.raises(ValueError, match=r"level must lie between 0 and 1, but 95 came"):
        kaplan_meier([1, 2], [1, 0], level=95)


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
    test = log_rank(time, event, idh)
    assert test.chi2 == pytest.approx(98.09, abs=0.005)
    assert test.chi2 == pytest.approx(expected["chi2"], abs=1e-8)
    np.testing.assert_allclose(test.table["expected"], expected["expected"], atol=1e-8)
