"""Gray's test: its sums by hand and by identity, R's figures, then what holds always."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.gray import GrayTest, gray_test
from models.log_rank import log_rank
from tests.competing_reference import CAUSE, CENTRE, GROUP, TIME, UNTIED, Competing, R, competing
from tests.realdata import DATA, needs_data

# ---- hand-worked and identities


def test_sums_by_hand() -> None:
    # a: cause 1 at 1, other at 3; b: cause 1 at 2, censored at 4. At 1: 2 of 4 in a. At 2 one is
    # left in a, of incidence 1/2 and survival 1/2: it counts 1; b counts 2.
    found = gray_test([1, 3, 2, 4], [1, 2, 1, 0], list("aabb"))
    assert found.table["observed"].tolist() == [1, 1]
    assert found.table["expected"].tolist() == pytest.approx([1 / 2 + 1 / 3, 1 / 2 + 2 / 3])
    # Had a's first event been another cause, a would count 1 / (1/2) = 2 at 2: it stays at risk.
    kept = gray_test([1, 3, 2, 4], [2, 2, 1, 0], list("aabb"))
    assert kept.table["expected"].tolist() == pytest.approx([1 / 2, 1 / 2])


def test_without_competing_events_the_sums_are_those_of_the_log_rank_test() -> None:
    cause = (CAUSE == 1).astype(int)
    found, expected = gray_test(TIME, cause, GROUP).table, log_rank(TIME, cause, GROUP).table
    np.testing.assert_allclose(found["observed"], expected["observed"], atol=1e-10)
    np.testing.assert_allclose(found["expected"], expected["expected"], atol=1e-10)


def test_without_censoring_those_with_a_competing_event_stay_at_risk() -> None:
    cause = np.where(CAUSE == 0, 2, CAUSE)
    found = gray_test(TIME, cause, GROUP).table
    forever = np.where(cause == 2, TIME.max() + 1, TIME)
    expected = log_rank(forever, cause == 1, GROUP).table
    np.testing.assert_allclose(found["expected"], expected["expected"], atol=1e-10)


def test_the_variance_holds_its_level() -> None:
    # 600 pure-noise studies with ties: 5 % of 600 is 30, its standard deviation 5.3.
    rng = np.random.default_rng(5)
    false = 0
    for _ in range(600):
        first, second, follow = (
            rng.exponential(10, 80),
            rng.exponential(15, 80),
            20 * rng.random(80),
        )
        time = np.ceil(np.minimum(np.minimum(first, second), follow))
        cause = np.where(follow < np.minimum(first, second), 0, np.where(first < second, 1, 2))
        false += gray_test(time, cause, rng.integers(0, 2, 80)).p_value < 0.05
    assert 15 <= false <= 45


# ---- R


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("gray", {"group": GROUP}),
        ("gray_strata", {"group": GROUP, "strata": CENTRE}),
        ("gray_rho", {"group": GROUP, "rho": 1}),
        ("gray_two", {"group": CENTRE}),
        ("gray_both", {"group": GROUP, "strata": CENTRE, "rho": 0.5}),
    ],
)
def test_r_cmprsk(name: str, options: dict[str, object]) -> None:
    for of in (1, 2):
        found: GrayTest = gray_test(TIME, CAUSE, of=of, **options)  # type: ignore[arg-type]
        assert found.chi2 == pytest.approx(R[name]["chi2"][of - 1], abs=1e-9)
        assert found.p_value == pytest.approx(R[name]["p"][of - 1], abs=1e-9)
        assert found.df == R[name]["df"][of - 1]


def test_r_cmprsk_where_no_times_are_tied() -> None:
    for of, expected in enumerate(R["gray_untied"], start=1):
        assert gray_test(UNTIED, CAUSE, GROUP, of=of).chi2 == pytest.approx(expected, abs=1e-9)


@needs_data("survival")
def test_death_and_transplant_in_pbc() -> None:
    pbc = pd.read_csv(DATA / "survival" / "pbc.csv").dropna(subset=["trt"])
    cause = pbc["status"].map({0: 0, 1: 2, 2: 1})
    for of, expected in enumerate(R["pbc"]["gray"], start=1):
        found = gray_test(pbc["time"] / 365.25, cause, pbc["trt"], of=of)
        assert found.chi2 == pytest.approx(expected, abs=1e-9)


# ---- properties


@given(
    s=competing(min_size=4),
    unit=st.sampled_from([12.0, 365.25]),
    rho=st.sampled_from([0.0, 0.5]),
    seed=st.integers(0, 99),
)
def test_order_unit_and_names_do_not_matter(
    s: Competing, unit: float, rho: float, seed: int
) -> None:
    shuffled = np.random.default_rng(seed).permutation(len(s.time))
    found = gray_test(s.time, s.cause, s.group, rho=rho)
    again = gray_test(
        unit * s.time[shuffled],
        np.array([0, 2, 1])[s.cause][shuffled],
        (2 - s.group)[shuffled],
        of=2,
        rho=rho,
    )
    assert again.df == found.df
    assert again.chi2 == pytest.approx(found.chi2, nan_ok=True, rel=1e-6, abs=1e-8)


@given(competing(min_size=4))
def test_observed_and_expected_add_up_to_the_same(s: Competing) -> None:
    table = gray_test(s.time, s.cause, s.group).table
    assert table["observed"].sum() == (s.cause == 1).sum()
    assert table["expected"].sum() == pytest.approx((s.cause == 1).sum())


def test_more_events_of_the_cause_show() -> None:
    group = np.where(CAUSE == 1, "more", CENTRE)
    found = gray_test(TIME, CAUSE, group == "more").table
    assert found["observed"][1] > found["expected"][1]
    assert gray_test(TIME, CAUSE, group == "more").p_value < 1e-6


def test_one_line_says_it() -> None:
    found = gray_test([1, 2, 3, 4, 5, 6], [1, 1, 2, 1, 2, 0], list("aababb"), of=1)
    assert repr(found) == "GrayTest(cause 1, chi2 4.72, df 1, p 0.03)"


# ---- where there is no answer


def test_two_groups_at_risk_are_needed() -> None:
    for found in (
        gray_test([1, 2], [1, 2], ["a", "a"]),
        gray_test([1, 2, 3], [0, 0, 0], ["a", "b", "a"]),
        gray_test([1, 2, 3], [2, 2, 0], ["a", "b", "a"]),
    ):
        assert np.isnan(found.chi2)
        assert np.isnan(found.p_value)
    # c left before the first event, and does not count (cmprsk gives up, -1)
    gone = gray_test([0.5, *range(1, 7)], [0, 1, 1, 2, 1, 2, 0], list("caababb"))
    assert gone.df == 1
    assert gone.chi2 == pytest.approx(
        gray_test(range(1, 7), [1, 1, 2, 1, 2, 0], list("aababb")).chi2
    )


def test_after_a_group_has_gone_nothing_is_compared() -> None:
    # The pooled incidence reaches 1 before the last event. cmprsk: 2.815081
    found = gray_test([1, 2, 3, 4], [1, 1, 1, 1], list("aabb"))
    assert found.table["expected"].tolist() == pytest.approx([5 / 6, 4 - 5 / 6])
    assert found.chi2 == pytest.approx(2.815081, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cause": [1, -1]}, "cause must be a whole number"),
        ({"of": 0}, "of must be a cause, 1 or above, but 0 came"),
        ({"rho": -1}, "rho must be 0 or above, but -1 came"),
        ({"group": ["a", None]}, "group must be known for every patient"),
        ({"strata": ["a", None]}, "strata must be known for every patient"),
    ],
)
def test_wrong_input_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gray_test(**{"time": [1, 2], "cause": [1, 0], "group": ["a", "b"], **options})
