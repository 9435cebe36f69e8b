"""Cumulative incidence: hand-worked, R's figures, then what holds for any patients."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines import AalenJohansenFitter

from models.competing_risks import cumulative_incidence, incidence_at, incidence_estimates
from models.survival_curves import kaplan_meier, survival_at
from tests.competing_reference import AT, CAUSE, GROUP, TIME, Competing, R, competing
from tests.realdata import DATA, needs_data

# ---- hand-worked


def test_incidence_by_hand() -> None:
    # Tied: of 4 at risk at 1, one of each cause; then 2 at risk, cause 1 leaves; the last stays.
    found = cumulative_incidence([1, 1, 2, 3], [1, 2, 1, 0]).table
    first = found[found["cause"] == 1]
    assert first["incidence"].tolist() == [0, 1 / 4, 1 / 2, 1 / 2]
    assert found.loc[found["cause"] == 2, "incidence"].tolist() == [0, 1 / 4, 1 / 4, 1 / 4]
    assert first["n_at_risk"].tolist() == [4, 4, 2, 1]
    assert first["n_events"].tolist() == [0, 1, 1, 0]
    # Without censoring before then it is a proportion: p (1 - p) / n.
    np.testing.assert_allclose(first["std_error"][1:3], np.sqrt([3 / 64, 1 / 16]), atol=1e-15)


def test_without_censoring_it_is_a_proportion() -> None:
    cause = np.where(CAUSE == 0, 2, CAUSE)
    table = cumulative_incidence(TIME, cause).table.query("cause == 1")
    share = np.array([np.mean((t >= TIME) & (cause == 1)) for t in table["time"]])
    np.testing.assert_allclose(table["incidence"], share, atol=1e-12)
    error = np.sqrt(share * (1 - share) / len(TIME))
    np.testing.assert_allclose(table["std_error"], error, atol=1e-9)


def test_one_cause_is_kaplan_meier() -> None:
    event = CAUSE == 1
    table = cumulative_incidence(TIME, event.astype(int), interval="plain").table
    curve = kaplan_meier(TIME, event).table
    np.testing.assert_allclose(table["incidence"], 1 - curve["survival"], atol=1e-12)
    n, d = curve["n_at_risk"].to_numpy(), curve["n_events"].to_numpy()
    greenwood = curve["survival"] * np.sqrt(np.cumsum(d / (n * (n - d))))
    np.testing.assert_allclose(table["std_error"], greenwood, atol=1e-9)


def test_everybody_had_an_event_so_the_curve_goes_on() -> None:
    assert incidence_at([1, 2], [1, 2], [2, 9]).tolist() == [0.5, 0.5]
    assert cumulative_incidence([1, 2], [1, 2]).table["incidence"].tolist() == [
        *[0, 0.5, 0.5],
        *[0, 0, 0.5],
    ]


def test_estimates_at_times_are_those_of_r() -> None:
    found = incidence_estimates(cumulative_incidence(TIME, CAUSE, group=GROUP), AT)
    np.testing.assert_allclose(
        found["estimate"].to_numpy().reshape(6, -1), R["cuminc_grouped"], rtol=1e-10
    )
    curves = pd.DataFrame(R["log"])
    for row in found.query("cause == 1").itertuples():
        own = curves[(curves["group"] == row.group) & (curves["time"] <= row.time)].iloc[-1]
        expected = own[["lower", "upper"]].astype(float).tolist()
        assert [row.lower, row.upper] == pytest.approx(expected, rel=1e-10)
        assert row.n_at_risk == ((row.group == GROUP) & (row.time <= TIME)).sum()


def test_estimates_beyond_the_last_follow_up() -> None:
    nobody_left = incidence_estimates(cumulative_incidence([1, 2], [1, 2]), [9])
    assert nobody_left["estimate"].tolist() == [0.5, 0.5]
    groups = cumulative_incidence([1, 2, 1, 2], [1, 1, 1, 0], group=["a", "a", "b", "b"])
    found = incidence_estimates(groups, [9])["estimate"]
    assert found[0] == 1
    assert np.isnan(found[1])


def test_nobody_had_one() -> None:
    found = cumulative_incidence([1, 2, 3], [0, 0, 0])
    assert found.n_events == {1: 0}
    assert found.table["incidence"].tolist() == [0, 0, 0, 0]
    assert found.table["std_error"].tolist() == [0, 0, 0, 0]
    assert np.isnan(found.table["lower"][1:]).all()
    np.testing.assert_array_equal(incidence_at([1, 2, 3], [0, 0, 0], [3, 4]), [0, np.nan])


def test_a_cause_that_never_came_and_gaps_between_numbers() -> None:
    assert incidence_at([1, 2, 3], [1, 7, 0], [3], of=4).tolist() == [0]
    found = cumulative_incidence([1, 2, 3], [1, 7, 0])
    assert found.n_events == {1: 1, 7: 1}
    assert found.table.query("cause == 7")["incidence"].tolist() == [
        0,
        0,
        pytest.approx(1 / 3),
        pytest.approx(1 / 3),
    ]


def test_one_line_says_it() -> None:
    grouped = cumulative_incidence([1, 2], [1, 2], group=["a", "b"])
    assert repr(grouped) == (
        "CumulativeIncidence(2 groups, 2 patients, events: 1 of cause 1, 1 of cause 2)"
    )


# ---- R


@pytest.mark.parametrize(("interval", "name"), [("log", "log"), ("log-log", "loglog")])
def test_r_survfit_of_several_states(interval: str, name: str) -> None:
    found = cumulative_incidence(TIME, CAUSE, group=GROUP, interval=interval).table
    found = found[found["time"] > 0]
    expected = pd.DataFrame(R[name]).astype({"lower": float, "upper": float})
    first, second = found[found["cause"] == 1], found[found["cause"] == 2]
    assert first["group"].tolist() == expected["group"].tolist()
    np.testing.assert_array_equal(first["n_at_risk"], expected["n"])
    np.testing.assert_allclose(first["incidence"], expected["first"], atol=1e-12)
    np.testing.assert_allclose(second["incidence"], expected["second"], atol=1e-12)
    np.testing.assert_allclose(first["std_error"], expected["se_first"], atol=1e-8)
    np.testing.assert_allclose(second["std_error"], expected["se_second"], atol=1e-8)
    np.testing.assert_allclose(first["lower"], expected["lower"], atol=1e-8)
    np.testing.assert_allclose(first["upper"], expected["upper"], atol=1e-8)


def test_r_plain_interval() -> None:
    found = cumulative_incidence(TIME, CAUSE, group=GROUP, interval="plain").table
    found = found[(found["time"] > 0) & (found["cause"] == 1)]
    for column in ("lower", "upper"):
        np.testing.assert_allclose(found[column], R["plain"][column], atol=1e-8)


def test_r_cmprsk() -> None:
    for cause, expected in enumerate(R["cuminc"], start=1):
        np.testing.assert_allclose(
            incidence_at(TIME, CAUSE, AT, of=cause), np.array(expected, float), atol=1e-12
        )
    pairs = [(cause, group) for cause in (1, 2) for group in ("high", "low", "mid")]
    for (cause, group), expected in zip(pairs, R["cuminc_grouped"], strict=True):
        own = group == GROUP
        np.testing.assert_allclose(
            incidence_at(TIME[own], CAUSE[own], AT, of=cause), np.array(expected, float), atol=1e-12
        )


def test_r_prodlim() -> None:
    found = cumulative_incidence(TIME, CAUSE).table.query("cause == 1 and time > 0")
    np.testing.assert_array_equal(found["time"], R["prodlim"]["time"])
    np.testing.assert_allclose(found["incidence"], R["prodlim"]["first"], atol=1e-12)
    np.testing.assert_allclose(found["std_error"], R["prodlim"]["se"], atol=1e-8)


@needs_data("survival")
def test_death_in_pbc_where_a_transplant_competes() -> None:
    pbc = pd.read_csv(DATA / "survival" / "pbc.csv").dropna(subset=["trt"])
    years, cause = pbc["time"] / 365.25, pbc["status"].map({0: 0, 1: 2, 2: 1})
    table = cumulative_incidence(years, cause, group=pbc["trt"]).table
    found = [
        table[(table["group"] == arm) & (table["cause"] == 1) & (table["time"] <= t)].iloc[-1]
        for arm in (1, 2)
        for t in (5, 10)
    ]
    for column, name in [("incidence", "death"), ("std_error", "se"), ("lower", "lower")]:
        np.testing.assert_allclose(
            [row[column] for row in found], R["pbc"][name], atol=1e-9, err_msg=column
        )
    arm = pbc["trt"] == 2
    np.testing.assert_allclose(
        incidence_at(years[arm], cause[arm], [5, 10], of=2), R["pbc"]["transplant"][2:], atol=1e-12
    )


# ---- lifelines and properties


def test_lifelines_where_no_times_are_tied() -> None:
    # It moves tied times apart at random: only untied ones can be compared.
    time = TIME + np.arange(len(TIME)) / 1e4
    fitted = AalenJohansenFitter(calculate_variance=False).fit(time, CAUSE, event_of_interest=1)
    expected = fitted.cumulative_density_.iloc[:, 0]
    table = cumulative_incidence(time, CAUSE).table.query("cause == 1").set_index("time")
    np.testing.assert_allclose(table["incidence"], expected.loc[table.index], atol=1e-10)


@given(competing())
def test_the_causes_and_survival_add_up_to_one(s: Competing) -> None:
    at = np.unique(s.time)
    total = incidence_at(s.time, s.cause, at) + incidence_at(s.time, s.cause, at, of=2)
    np.testing.assert_allclose(total + survival_at(s.time, s.cause > 0, at), 1, atol=1e-12)


@given(competing())
def test_the_reader_reads_the_table(s: Competing) -> None:
    table = cumulative_incidence(s.time, s.cause).table
    for cause, curve in table.groupby("cause"):
        np.testing.assert_allclose(
            incidence_at(s.time, s.cause, curve["time"], of=int(str(cause))),
            curve["incidence"],
            atol=1e-12,
        )


@given(competing())
def test_the_standard_error_is_the_infinitesimal_jackknife(s: Competing) -> None:
    # Leave out a grain of each patient: the estimate's derivative to each patient's weight.
    h, t = 1e-6, float(s.time.max())
    plain = _weighted_incidence(s, np.ones(len(s.time)), t)
    slopes = [
        (_weighted_incidence(s, 1 + h * (np.arange(len(s.time)) == i), t) - plain) / h
        for i in range(len(s.time))
    ]
    table = cumulative_incidence(s.time, s.cause).table.query("cause == 1")
    expected = np.sqrt(np.sum(np.square(slopes)))  # a difference quotient: 1e-4
    assert table["std_error"].iloc[-1] == pytest.approx(expected, abs=1e-4)


def _weighted_incidence(s: Competing, weight: np.ndarray, t: float) -> float:
    total, survival = 0.0, 1.0
    for tick in np.unique(s.time[s.time <= t]):
        at_risk = weight[s.time >= tick].sum()
        here = weight * (s.time == tick)
        total += survival * here[s.cause == 1].sum() / at_risk
        survival *= 1 - here[s.cause > 0].sum() / at_risk
    return total


@given(s=competing(), unit=st.sampled_from([12.0, 365.25]), seed=st.integers(0, 99))
def test_order_of_patients_unit_and_names_of_causes_do_not_matter(
    s: Competing, unit: float, seed: int
) -> None:
    shuffled = np.random.default_rng(seed).permutation(len(s.time))
    swapped = np.array([0, 2, 1])[s.cause]
    at = np.unique(s.time)
    found = incidence_at(s.time, s.cause, at)
    again = incidence_at(unit * s.time[shuffled], swapped[shuffled], unit * at, of=2)
    np.testing.assert_allclose(again, found, atol=1e-12)


@given(competing())
def test_below_what_one_minus_kaplan_meier_says_and_never_falling(s: Competing) -> None:
    at = np.unique(s.time)
    found = incidence_at(s.time, s.cause, at)
    assert (np.diff(found) >= 0).all()
    without = survival_at(s.time, s.cause == 1, at)
    assert (found <= 1 - without + 1e-12).all()


@given(competing())
def test_the_interval_holds_the_curve(s: Competing) -> None:
    for interval in ("log", "log-log", "plain"):
        table = cumulative_incidence(s.time, s.cause, interval=interval).table.dropna()
        assert (table["lower"] <= table["incidence"] + 1e-12).all()
        assert (table["incidence"] <= table["upper"] + 1e-12).all()
        assert table[["lower", "upper"]].stack().between(0, 1).all()


def test_more_events_of_the_cause_show() -> None:
    worse = np.where(CAUSE == 2, 1, CAUSE)
    assert (incidence_at(TIME, worse, AT) > incidence_at(TIME, CAUSE, AT)).all()


# ---- where there is no answer


@pytest.mark.parametrize(
    ("time", "cause", "message"),
    [
        ([1, 2], [1, -1], r"cause must be a whole number.*1 of 2.*first: -1 at position 1"),
        ([1, 2], [0.5, 1], r"cause must be a whole number.*first: 0.5 at position 0"),
        ([1, 2], [1, np.nan], r"cause must be finite"),
        ([0, 2], [1, 1], r"time must be above zero"),
        ([1, 2], [1], "one value per patient"),
        ([], [], "at least one patient"),
    ],
)
def test_wrong_input_is_named(time: list[float], cause: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cumulative_incidence(time, cause)
    with pytest.raises(ValueError, match=message):
        incidence_at(time, cause, [1])


def test_wrong_options_are_named() -> None:
    with pytest.raises(ValueError, match=r"interval must be 'log'.*but 'logit' came"):
        cumulative_incidence([1, 2], [1, 0], interval="logit")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"of must be a cause, 1 or above, but 0 came"):
        incidence_at([1, 2], [1, 0], [1], of=0)
    with pytest.raises(ValueError, match=r"group must be known for every patient"):
        cumulative_incidence([1, 2], [1, 0], group=["a", None])
