"""Log-rank tests, stratified, weighted and for trend: hand-worked, R's figures, then properties."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines.statistics import multivariate_logrank_test

from models.log_rank import LogRank, log_rank, log_rank_trend
from tests.description_reference import CENTRE, EVENT, GROUP, LABELS, TIME, UNTIED, R
from tests.metrics_reference import REFERENCE, Sample, samples
from tests.metrics_reference import R as METRICS
from tests.realdata import DATA, needs_data

# ---- hand-worked


def test_log_rank_by_hand() -> None:
    # Expected in a: 2/4 + 1/3. Variance: 1/4 + 2/9.
    test = log_rank([1, 2, 3, 4], [True] * 4, ["a", "a", "b", "b"])
    assert test.table["expected"].tolist() == pytest.approx([5 / 6, 4 - 5 / 6])
    assert test.chi2 == pytest.approx((2 - 5 / 6) ** 2 / (1 / 4 + 2 / 9))
    assert test.df == 1


def test_strata_by_hand() -> None:
    # Two pairs, the exposed first in both: expected 1/2 and variance 1/4 in each.
    test = log_rank([1, 2, 30, 40], [1, 1, 1, 1], [1, 0, 1, 0], strata=["x", "x", "y", "y"])
    assert test.chi2 == pytest.approx((2 - 1) ** 2 / (1 / 4 + 1 / 4))
    assert test.table["expected"].tolist() == [3, 1]  # the last of a pair is sure


def test_weights_by_hand() -> None:
    # Pooled survival before the events: 1, 3/4, 1/2, 1/4.
    test = log_rank([1, 2, 3, 4], [True] * 4, ["a", "a", "b", "b"], rho=1)
    assert test.table["observed"].tolist() == [1.75, 0.75]
    assert test.table["expected"].tolist() == pytest.approx([1 / 2 + 1 / 4, 2.5 - 3 / 4])
    assert test.chi2 == pytest.approx(1 / (1 / 4 + 9 / 16 * 2 / 9))


def test_trend_by_hand() -> None:
    # One patient a score: U's are 1-1/3, 1-1/2-1/3, 1-1-1/2-1/3.
    test = log_rank_trend([1, 2, 3], [1, 1, 1], ["a", "b", "c"], scores=[2, 1, 0])
    drift = 2 * (1 - 1 / 3) + (1 - 1 / 3 - 1 / 2)
    assert test.chi2 == pytest.approx(drift**2 / (2 / 3 + 1 / 4))  # variances of 2 1 0 and 1 0
    assert test.table["score"].tolist() == [2, 1, 0]


# ---- R


@pytest.mark.parametrize(
    ("name", "test"),
    [
        ("log_rank", log_rank(TIME, EVENT, GROUP)),
        ("log_rank_strata", log_rank(TIME, EVENT, GROUP, strata=CENTRE)),
        ("peto", log_rank(TIME, EVENT, GROUP, rho=1)),
        ("peto_strata", log_rank(TIME, EVENT, GROUP, strata=CENTRE, rho=0.5)),
    ],
)
def test_r_survdiff(name: str, test: LogRank) -> None:
    expected = R[name]
    assert test.table["group"].tolist() == LABELS
    assert test.chi2 == pytest.approx(expected["chi2"], abs=1e-9)
    np.testing.assert_allclose(test.table["observed"], expected["observed"], atol=1e-10)
    np.testing.assert_allclose(test.table["expected"], expected["expected"], atol=1e-10)


def test_r_survdiff_on_the_patients_of_the_metrics() -> None:
    time, event = METRICS["data"]["time"], METRICS["data"]["event"]
    test, expected = log_rank(time, event, METRICS["data"]["group"]), METRICS["log_rank"]
    assert test.chi2 == pytest.approx(expected["chi2"], abs=1e-10)
    assert test.p_value == pytest.approx(expected["p"], abs=1e-10)
    np.testing.assert_allclose(test.table["expected"], expected["expected"], atol=1e-10)


def test_r_trend() -> None:
    plain = log_rank_trend(TIME, EVENT, GROUP)
    assert plain.chi2 == pytest.approx(R["trend"], abs=1e-9)
    assert plain.df == 1
    scored = log_rank_trend(TIME, EVENT, GROUP, scores=[1, 2, 10])
    assert scored.chi2 == pytest.approx(R["trend_scores"], abs=1e-9)
    within = log_rank_trend(TIME, EVENT, GROUP, strata=CENTRE)
    assert within.chi2 == pytest.approx(R["trend_strata"], abs=1e-9)


def test_r_score_test_of_a_cox_model_where_no_times_are_tied() -> None:
    found = log_rank_trend(UNTIED, EVENT, GROUP)
    assert found.chi2 == pytest.approx(R["score_test"], abs=1e-8)
    within = log_rank_trend(UNTIED, EVENT, GROUP, strata=CENTRE)
    assert within.chi2 == pytest.approx(R["score_test_strata"], abs=1e-8)


@needs_data("ucsf_pdgm")
def test_idh_in_ucsf_pdgm() -> None:
    expected = REFERENCE["real"]["ucsf"]
    table = pd.read_csv(DATA / "ucsf_pdgm" / "UCSF-PDGM-metadata_v2.csv").dropna(subset=["OS"])
    idh = np.where(table["IDH"] == "wildtype", "wildtype", "mutant")
    test = log_rank(table["OS"], table["1-dead 0-alive"], idh)
    assert test.chi2 == pytest.approx(98.09, abs=0.005)
    assert test.chi2 == pytest.approx(expected["chi2"], abs=1e-8)
    np.testing.assert_allclose(test.table["expected"], expected["expected"], atol=1e-8)


@needs_data("survival")
def test_stage_in_pbc() -> None:
    pbc = pd.read_csv(DATA / "survival" / "pbc.csv").dropna(subset=["trt"])
    years, dead = pbc["time"] / 365.25, pbc["status"] == 2
    trend = log_rank_trend(years, dead, pbc["stage"])
    assert trend.chi2 == pytest.approx(R["pbc"]["trend"], abs=1e-8)
    within = log_rank(years, dead, pbc["trt"], strata=pbc["stage"])
    assert within.chi2 == pytest.approx(R["pbc"]["stratified"], abs=1e-9)


# ---- lifelines and properties


@given(samples(min_size=6))
def test_lifelines_log_rank(s: Sample) -> None:
    groups = np.where(s.score > 0, "high", "low")
    test = log_rank(s.time, s.event, groups)
    if not np.isnan(test.chi2):
        expected = multivariate_logrank_test(s.time, groups, s.event).test_statistic
        assert test.chi2 == pytest.approx(expected, abs=1e-8)
    assert test.table["expected"].sum() == pytest.approx(s.event.sum())


@given(
    s=samples(min_size=4),
    unit=st.sampled_from([12.0, 365.25]),
    rho=st.sampled_from([0.0, 1.0]),
    seed=st.integers(0, 99),
)
def test_order_of_patients_and_unit_do_not_matter(
    s: Sample, unit: float, rho: float, seed: int
) -> None:
    shuffled = np.random.default_rng(seed).permutation(len(s.time))
    time, event, score = unit * s.time[shuffled], s.event[shuffled], s.score[shuffled]
    test, again = log_rank(s.time, s.event, s.score, rho=rho), log_rank(time, event, score, rho=rho)
    assert again.chi2 == pytest.approx(test.chi2, nan_ok=True, abs=1e-8)
    trend, other = log_rank_trend(s.time, s.event, s.score), log_rank_trend(time, event, score)
    assert other.chi2 == pytest.approx(trend.chi2, nan_ok=True, abs=1e-8)


@given(samples(min_size=4))
def test_what_scores_measure_in_does_not_matter(s: Sample) -> None:
    group = np.sign(s.score)
    scores = np.arange(len(np.unique(group)))
    found = log_rank_trend(s.time, s.event, group)
    moved = log_rank_trend(s.time, s.event, group, scores=7 - 3 * scores)
    assert moved.chi2 == pytest.approx(found.chi2, nan_ok=True, abs=1e-8)
    whole = log_rank(s.time, s.event, group)
    if not np.isnan(whole.chi2) and not np.isnan(found.chi2):
        assert found.chi2 <= whole.chi2 + 1e-8  # one direction of all that are tested


@given(samples(min_size=4))
def test_two_groups_leave_one_direction(s: Sample) -> None:
    group = s.score > 0
    trend, whole = log_rank_trend(s.time, s.event, group), log_rank(s.time, s.event, group)
    assert trend.chi2 == pytest.approx(whole.chi2, nan_ok=True, abs=1e-8)


@given(samples(min_size=4))
def test_one_stratum_is_none(s: Sample) -> None:
    group = np.sign(s.score)
    plain = log_rank(s.time, s.event, group)
    within = log_rank(s.time, s.event, group, strata=np.full(len(group), "one"))
    assert within.chi2 == pytest.approx(plain.chi2, nan_ok=True, abs=1e-10)


def test_worse_survival_shows() -> None:
    time = np.arange(1.0, 41)
    group = np.where(np.arange(40) < 20, "early", "late")
    table = log_rank(time, np.ones(40), group).table.set_index("group")
    assert table.loc["early", "observed"] > table.loc["early", "expected"]


def test_a_categorical_keeps_its_order_and_loses_empty_groups() -> None:
    group = pd.Categorical(["low", "high", "low"], categories=["low", "middle", "high"])
    found = log_rank_trend([1, 2, 3], [1, 1, 0], pd.Series(group), scores=[0, 5])
    assert found.table["group"].tolist() == ["low", "high"]
    assert found.table["score"].tolist() == [0, 5]


# ---- where there is no answer


def test_two_groups_at_risk_are_needed() -> None:
    alone = log_rank([1, 2], [1, 1], ["a", "a"])
    assert np.isnan(alone.chi2)
    assert np.isnan(alone.p_value)
    assert alone.df == 0
    # b left before the first event, and does not count
    gone = log_rank([1, 2, 3, 4], [0, 1, 1, 0], ["b", "a", "a", "c"])
    assert gone.df == 1
    assert np.isnan(log_rank([1, 2], [0, 0], ["a", "b"]).chi2)


def test_no_trend_without_two_scores_at_risk() -> None:
    for found in (
        log_rank_trend([1, 2], [1, 1], ["a", "a"]),
        log_rank_trend([1, 2], [0, 0], ["a", "b"]),
        log_rank_trend([1, 2, 3], [1, 1, 1], ["a", "b", "c"], scores=[1, 1, 1]),
        log_rank_trend([1, 2, 3, 4], [1, 1, 1, 1], [0, 0, 1, 1], strata=[0, 0, 1, 1]),
    ):
        assert np.isnan(found.chi2)
        assert np.isnan(found.p_value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group": ["a", None]}, "group must be known for every patient, but 1 of 2.*position 1"),
        ({"group": ["a"]}, "one value per patient"),
        ({"strata": ["a", None]}, "strata must be known for every patient"),
        ({"rho": -1}, "rho must be 0 or above, but -1 came"),
        ({"rho": np.nan}, "rho must be 0 or above, but nan came"),
    ],
)
def test_wrong_input_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        log_rank(**{"time": [1, 2], "event": [1, 0], "group": ["a", "b"], **options})


def test_wrong_scores_are_named() -> None:
    with pytest.raises(ValueError, match=r"scores must have one number per group \(2"):
        log_rank_trend([1, 2], [1, 0], ["a", "b"], scores=[1])
    with pytest.raises(ValueError, match="scores must be finite"):
        log_rank_trend([1, 2], [1, 0], ["a", "b"], scores=[1, np.nan])
