"""Decision curves beyond the plain one: competing causes, prevalence, harm, standard errors."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.competing_risks import incidence_at
from models.decision import decision_curve, decision_curve_at, decision_curve_competing

R = json.loads((Path(__file__).parent / "reference" / "decision.json").read_text())
TIME, CAUSE = np.array(R["time"], dtype=float), np.array(R["cause"])
RISK, Y, P = np.array(R["risk"]), np.array(R["y"], dtype=bool), np.array(R["p"])
LEVELS = np.array(R["thresholds"])
COLUMNS = [
    *("net_benefit", "std_error", "treat_all", "interventions_avoided"),
    "standardised_net_benefit",
]


def expected(name: str) -> np.ndarray:
    return np.array([[float(x) if x != "NaN" else np.nan for x in row] for row in R[name]])


def test_competing_causes_equal_survfit() -> None:
    curve = decision_curve_competing(
        RISK, TIME, CAUSE, horizon=R["horizon"], thresholds=LEVELS, harm=R["harm"]
    )
    found = curve.table[COLUMNS].to_numpy()
    known = LEVELS > 0  # interventions avoided are infinite in R at threshold 0, NaN here
    np.testing.assert_allclose(found[known], expected("competing")[known], rtol=1e-8)
    assert curve.n_events == ((CAUSE == 1) & (R["horizon"] >= TIME)).sum()


def test_survival_equals_survfit_with_its_standard_error() -> None:
    curve = decision_curve_at(
        RISK, TIME, CAUSE == 1, horizon=R["horizon"], thresholds=LEVELS, harm=R["harm"]
    )
    found, known = curve.table[COLUMNS].to_numpy(), LEVELS > 0
    np.testing.assert_allclose(found[known], expected("survival_curve")[known], rtol=1e-8)


def test_cases_and_controls_sampled_apart() -> None:
    curve = decision_curve(P, Y, thresholds=LEVELS, prevalence=R["prevalence"], harm=R["harm"])
    columns = ["net_benefit", "sensitivity", "specificity", "treat_all"]
    found = curve.table[[*columns, "standardised_net_benefit"]].to_numpy()
    np.testing.assert_allclose(found, expected("apart"), rtol=1e-10, atol=1e-12)


def test_the_own_prevalence_changes_nothing() -> None:
    own = decision_curve(P, Y, thresholds=LEVELS, prevalence=float(Y.mean())).table
    plain = decision_curve(P, Y, thresholds=LEVELS).table
    np.testing.assert_allclose(own["net_benefit"], plain["net_benefit"], atol=1e-12)


def test_standard_error_is_that_of_a_mean() -> None:
    # Without censoring net benefit is the mean of one number per patient.
    w = LEVELS / (1 - LEVELS)
    each = np.where(LEVELS[:, np.newaxis] <= P, np.where(Y, 1.0, -w[:, np.newaxis]), 0.0)
    table = decision_curve(P, Y, thresholds=LEVELS).table
    np.testing.assert_allclose(table["std_error"], each.std(axis=1) / np.sqrt(len(Y)), rtol=1e-10)
    np.testing.assert_allclose(table["net_benefit"], each.mean(axis=1), atol=1e-12)


def test_harm_is_taken_from_every_threshold() -> None:
    plain = decision_curve(P, Y, thresholds=LEVELS).table
    harmed = decision_curve(P, Y, thresholds=LEVELS, harm=0.05).table
    np.testing.assert_allclose(plain["net_benefit"] - harmed["net_benefit"], 0.05, atol=1e-12)
    np.testing.assert_allclose(plain["treat_all"], harmed["treat_all"], atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), unit=st.sampled_from([30.4375, 1 / 12]))
def test_competing_is_incidence_among_the_treated_in_any_order_and_unit(
    seed: int, unit: float
) -> None:
    rng = np.random.default_rng(seed)
    n = 40
    time, cause = rng.integers(1, 12, n).astype(float), rng.integers(0, 3, n)
    risk = rng.integers(0, 11, n) / 10
    curve = decision_curve_competing(risk, time, cause, horizon=6, thresholds=[0.2, 0.55])
    order = rng.permutation(n)
    other = decision_curve_competing(
        risk[order], time[order] * unit, cause[order], horizon=6 * unit, thresholds=[0.2, 0.55]
    )
    for row, again, level in zip(
        curve.table.itertuples(), other.table.itertuples(), (0.2, 0.55), strict=True
    ):
        treated = risk >= level
        share, w = treated.mean(), level / (1 - level)
        f = float(incidence_at(time[treated], cause[treated], 6)) if treated.any() else 0.0
        by_hand = share * (f - (1 - f) * w)
        np.testing.assert_allclose(row.net_benefit, by_hand, atol=1e-10)
        np.testing.assert_allclose(again.net_benefit, by_hand, atol=1e-10)


def test_one_cause_is_the_survival_curve() -> None:
    one = np.minimum(CAUSE, 1)
    competing = decision_curve_competing(RISK, TIME, one, horizon=12, thresholds=LEVELS).table
    plain = decision_curve_at(RISK, TIME, one == 1, horizon=12, thresholds=LEVELS).table
    np.testing.assert_allclose(competing[COLUMNS], plain[COLUMNS], atol=1e-12)


def test_a_death_of_something_else_is_no_event() -> None:
    # censored instead, it would count on: net benefits are then too high
    competing = decision_curve_competing(RISK, TIME, CAUSE, horizon=12, thresholds=[0.2]).table
    censored = decision_curve_at(RISK, TIME, CAUSE == 1, horizon=12, thresholds=[0.2]).table
    assert competing["net_benefit"].item() < censored["net_benefit"].item()


def test_reversed_risk_is_worth_less() -> None:
    given = {"horizon": 12.0, "thresholds": [0.3]}
    right = decision_curve_competing(RISK, TIME, CAUSE, **given).table["net_benefit"].item()  # type: ignore[arg-type]
    wrong = decision_curve_competing(1 - RISK, TIME, CAUSE, **given).table["net_benefit"].item()  # type: ignore[arg-type]
    assert wrong < right


def test_all_censored_and_a_horizon_beyond_follow_up() -> None:
    none = decision_curve_competing(RISK, TIME, 0 * CAUSE, horizon=2, thresholds=[0.2]).table
    q = (RISK >= 0.2).mean()
    assert none["net_benefit"].item() == pytest.approx(-q * 0.25)
    late = decision_curve_competing(
        RISK, TIME, CAUSE, horizon=float(TIME.max()) + 1, thresholds=[0.2]
    ).table
    assert np.isnan(late["net_benefit"]).all()
    assert late["note"].str.contains("follow-up").all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"harm": 1.5}, r"harm must be a net benefit lost per patient, in \[0, 1\], but 1.5"),
        ({"harm": -0.1}, r"harm must be.*-0.1 came"),
        ({"prevalence": 0.0}, r"prevalence must lie between 0 and 1, but 0.0 came"),
        ({"prevalence": 1.0}, r"prevalence must lie between 0 and 1, but 1.0 came"),
    ],
)
def test_wrong_input_is_named(given: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decision_curve(P, Y, thresholds=[0.2], **given)


def test_wrong_causes_are_named() -> None:
    with pytest.raises(ValueError, match="cause"):
        decision_curve_competing(RISK, TIME, CAUSE - 1, horizon=12, thresholds=[0.2])
