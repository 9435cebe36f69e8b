"""Net benefit: hand-worked values, R's figures, then what must hold for any data."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM

from models.decision import decision_curve, decision_curve_at
from models.survival_curves import survival_at
from tests.metrics_reference import (
    EVENT,
    HORIZONS,
    POSITIVE,
    PROBABILITY,
    REFERENCE,
    RISK,
    SCORE,
    TIME,
    R,
    Sample,
    rotterdam_to_gbsg,
    samples,
)
from tests.realdata import DATA, needs_data

FOUR = np.array([0, 0, 1, 1])
THRESHOLDS = R["data"]["thresholds"]


# ---- hand-worked


def test_perfect_model_gives_prevalence() -> None:
    table = decision_curve(FOUR.astype(float), FOUR, thresholds=[0.1, 0.5, 0.9]).table
    np.testing.assert_allclose(table["net_benefit"], 0.5)
    assert table["n_treated"].tolist() == [2, 2, 2]
    np.testing.assert_allclose(table["treat_all"], [0.5 - 0.5 / 9, 0, 0.5 - 0.5 * 9])
    assert (table["treat_none"] == 0).all()


def test_reversed_risk_is_worse_than_treating_no_one() -> None:
    # A survival probability passed as a risk must be visible in the result.
    curve = decision_curve(1.0 - FOUR, FOUR, thresholds=[0.5])
    assert curve.table["net_benefit"].item() < 0
    curve = decision_curve_at(1.0 - FOUR, [9, 9, 1, 2], FOUR, horizon=3, thresholds=[0.5])
    assert curve.table["net_benefit"].item() < 0


def test_kaplan_meier_among_the_treated_by_hand() -> None:
    # Treated at 0.5: patients 2-4. Event at 1 of three, one censored at 2: F = 1/3 at 2.5.
    curve = decision_curve_at(
        [0.1, 0.5, 0.6, 0.9], [1, 3, 2, 1], [1, 0, 0, 1], horizon=2.5, thresholds=[0.5]
    )
    row = curve.table.iloc[0]
    assert row["net_benefit"] == pytest.approx(3 / 4 * (1 / 3 - 2 / 3))
    assert row["treat_all"] == pytest.approx(1 / 2 - 1 / 2)  # two of four died at 1
    assert row["interventions_avoided"] == pytest.approx(100 * (-1 / 4 - 0) / 1)
    assert row["n_treated"] == 3
    assert repr(curve) == "DecisionCurve(4 patients, 2 events by 2.5, thresholds 0.5-0.5)"


def test_risk_at_the_threshold_is_treated_and_nobody_treated_is_worth_nothing() -> None:
    table = decision_curve([0.3, 0.3], [1, 0], thresholds=[0.3, 0.31]).table
    assert table["n_treated"].tolist() == [2, 0]
    assert table["net_benefit"].iloc[1] == 0


def test_follow_up_of_the_treated_that_ends_too_early_is_noted() -> None:
    # Treated from 0.5: followed to 2 and 3 only, one of them without event.
    data = [0.1, 0.5, 0.9], [9, 3, 2], [0, 0, 1]
    table = decision_curve_at(*data, horizon=4, thresholds=[0.05, 0.5, 0.9, 0.95]).table
    assert np.isnan(table["net_benefit"]).tolist() == [False, True, True, False]
    ended = "follow-up of the treated ends before the horizon"
    assert table["note"].tolist() == ["", ended, ended, ""]
    assert table["treat_all"].notna().all()


# ---- R


@pytest.mark.parametrize("j", range(3))
def test_r_survfit_among_the_treated(j: int) -> None:
    curve = decision_curve_at(RISK[j], TIME, EVENT, horizon=HORIZONS[j], thresholds=THRESHOLDS)
    expected = np.array(R["at"][j]["net_benefit"], dtype=float)
    np.testing.assert_allclose(curve.table["net_benefit"], expected, atol=1e-12)


@needs_data("dcurves")
@pytest.mark.parametrize(
    ("name", "results"),
    [
        ("famhistory", "r_case1_results.csv"),
        ("famhistory", "r_dca_famhistory.csv"),
        ("age", "r_simple_binary_dca_result_df.csv"),
        ("marker", "r_case3_results.csv"),
    ],
)
def test_dcurves_binary(name: str, results: str) -> None:
    table, expected = dcurves_tables("df_binary.csv", results)
    risk = table[name].astype(float)
    if name != "famhistory":  # dcurves' as_probability: a logistic regression on the marker
        x, known = risk.to_numpy()[:, np.newaxis], risk.notna()
        table, x = table[known], x[known]
        fit = GLM(table["cancer"].astype(float), np.hstack([np.ones_like(x), x]), Binomial()).fit()
        risk = fit.predict()
    thresholds = expected.loc["all", "threshold"]
    curve = decision_curve(risk, table["cancer"], thresholds=thresholds)
    check_against_dcurves(curve.table, expected, name)


@needs_data("dcurves")
@pytest.mark.parametrize(
    ("name", "horizon", "results"),
    [
        ("famhistory", 1.5, "r_simple_surv_dca_result_df.csv"),
        ("cancerpredmarker", 1.0, "r_case2_results.csv"),
    ],
)
def test_dcurves_survival(name: str, horizon: float, results: str) -> None:
    table, expected = dcurves_tables("df_surv.csv", results)
    curve = decision_curve_at(
        table[name], table["ttcancer"], table["cancer"], horizon=horizon,
        thresholds=expected.loc["all", "threshold"],
    )  # fmt: skip
    check_against_dcurves(curve.table, expected, name)


def dcurves_tables(patients: str, results: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    folder = DATA / "dcurves"
    return pd.read_csv(folder / patients), pd.read_csv(folder / results).set_index("variable")


def check_against_dcurves(table: pd.DataFrame, expected: pd.DataFrame, name: str) -> None:
    assert len(table) >= 36
    for column, row in (("net_benefit", name), ("treat_all", "all"), ("treat_none", "none")):
        reference = (expected.loc[row, "net_benefit"] + expected.loc[row, "harm"]).to_numpy()
        # At threshold 0 these tables leave patients of risk 0 untreated; "at least the threshold"
        # treats them: so says the definition, and net benefit at 0 is then the prevalence.
        first = 1 if name == "famhistory" else 0
        np.testing.assert_allclose(table[column][first:], reference[first:], atol=1e-9)


@needs_data("dcurves")
def test_published_figures_of_dcurves() -> None:
    folder = DATA / "dcurves"
    table = pd.read_csv(folder / "df_binary.csv")
    found = decision_curve(table["cancerpredmarker"], table["cancer"], thresholds=[0.1]).table
    assert found["net_benefit"].item() == pytest.approx(0.087407, abs=5e-7)
    assert found["treat_all"].item() == pytest.approx(0.044444, abs=5e-7)
    table = pd.read_csv(folder / "df_surv.csv")
    data = table["famhistory"], table["ttcancer"], table["cancer"]
    found = decision_curve_at(*data, horizon=1.5, thresholds=[0, 0.1]).table
    assert found["treat_all"].tolist() == pytest.approx([0.2201127547, 0.1334586], abs=5e-8)
    assert found["net_benefit"][1] == pytest.approx(0.0420456, abs=5e-8)


# ---- properties


@example(risk=[0.0] * 4, p=1e-308)  # interventions avoided have no end as the threshold goes to 0
@given(risk=st.lists(st.floats(0, 1), min_size=4, max_size=4), p=st.floats(0, 0.99))
def test_bounded_by_prevalence_and_invariant_to_order(risk: list[float], p: float) -> None:
    forward = decision_curve(risk, FOUR, thresholds=[p]).table["net_benefit"].item()
    backward = decision_curve(risk[::-1], FOUR[::-1], thresholds=[p]).table["net_benefit"].item()
    assert forward == pytest.approx(backward)
    assert forward <= 0.5


@given(s=samples(), p=st.floats(0.001, 0.99))
def test_without_censoring_it_is_the_binary_curve(s: Sample, p: float) -> None:
    risk, time = np.append((s.score + 3) / 6, 1), np.append(s.time, 9)  # one is followed on
    found = decision_curve_at(risk, time, np.ones(len(time)), horizon=4, thresholds=[p]).table
    expected = decision_curve(risk, time <= 4, thresholds=[p]).table
    columns = ["n_treated", "net_benefit", "treat_all", "treat_none", "interventions_avoided"]
    np.testing.assert_allclose(found[columns], expected[columns], atol=1e-9)


@given(s=samples(), p=st.floats(0, 0.9), unit=st.sampled_from([12.0, 365.25]))
def test_treating_everybody_is_treat_all_in_any_unit(s: Sample, p: float, unit: float) -> None:
    certain, horizon = np.ones(len(s.time)), s.time.max()
    table = decision_curve_at(
        certain, unit * s.time, s.event, horizon=unit * horizon, thresholds=[p]
    ).table
    assert table["net_benefit"].item() == pytest.approx(table["treat_all"].item())
    died = 1 - float(survival_at(s.time, s.event, horizon))
    assert table["treat_all"].item() == pytest.approx(died - (1 - died) * p / (1 - p))


@given(s=samples(), seed=st.integers(0, 99))
def test_order_of_patients_does_not_matter(s: Sample, seed: int) -> None:
    rows = np.random.default_rng(seed).permutation(len(s.time))
    risk, levels = (s.score + 3) / 6, [0.1, 0.5, 0.8]
    first = decision_curve_at(risk, s.time, s.event, horizon=4, thresholds=levels).table
    other = decision_curve_at(
        risk[rows], s.time[rows], s.event[rows], horizon=4, thresholds=levels
    ).table
    pd.testing.assert_frame_equal(first, other)


def test_many_patients_and_thresholds_in_blocks() -> None:
    rng = np.random.default_rng(5)
    n = 20_000
    risk, time = rng.random(n), np.ceil(rng.exponential(20, size=n))
    event, levels = rng.random(n) < 0.6, np.linspace(0, 0.99, 100)
    table = decision_curve_at(risk, time, event, horizon=15, thresholds=levels).table
    for k in (0, 50, 99):
        treated = risk >= levels[k]
        died = 1 - float(survival_at(time[treated], event[treated], 15))
        expected = treated.mean() * (died - (1 - died) * levels[k] / (1 - levels[k]))
        assert table["net_benefit"][k] == pytest.approx(expected, abs=1e-9)


# ---- where there is no answer, and wrong input


def test_a_missing_risk_gives_nan_and_says_so() -> None:
    table = decision_curve([np.nan, 0.5], [0, 1], thresholds=[0.1]).table
    assert np.isnan(table["net_benefit"].item())
    assert table["note"].item() == "a risk is missing"
    table = decision_curve_at([np.nan] * 2, [1, 2], [0, 1], horizon=1, thresholds=[0.1]).table
    assert np.isnan(table["net_benefit"].item())
    assert table["treat_all"].item() == pytest.approx(0 - 0.1 / 0.9)


def test_one_class_and_no_threshold_are_no_error() -> None:
    table = decision_curve([0.2, 0.4], [0, 0], thresholds=[0.3]).table
    assert table["net_benefit"].item() == pytest.approx(-0.5 * 0.3 / 0.7)
    assert decision_curve([0.2, 0.4], [0, 1], thresholds=[]).table.empty
    assert decision_curve_at([0.2], [2], [1], horizon=1, thresholds=[]).table.empty


@pytest.mark.parametrize(
    ("risk", "event", "thresholds", "message"),
    [
        ([0.1, 1.2, 0.3, 0.4], [0, 0, 1, 1], [0.5], r"risk must be a probability.*1\.2 at pos"),
        ([0.1, 0.2, 0.3], [0, 1], [0.5], "one value per patient"),
        ([0.1, 0.2], [0, 2], [0.5], "event must hold only True/False"),
        ([0.1, 0.2], [0, 1], [1.5], "thresholds must be a probability"),
        ([0.1, 0.2], [0, 1], [0.5, 1], "thresholds must be below 1, but 1 of 2.*position 1"),
    ],
)
def test_wrong_input_is_named(
    risk: list[float], event: list[int], thresholds: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        decision_curve(risk, event, thresholds=thresholds)
    time = np.ones(len(event))
    with pytest.raises(ValueError, match=message):
        decision_curve_at(risk, time, event, horizon=1, thresholds=thresholds)


def test_linear_predictor_is_refused() -> None:
    with pytest.raises(ValueError, match=r"use model\.risk"):
        decision_curve_at(SCORE, TIME, EVENT, horizon=12, thresholds=[0.5])


def test_risks_that_inform_beat_treating_all_somewhere() -> None:
    table = decision_curve(PROBABILITY, POSITIVE, thresholds=[0.3, 0.4]).table
    assert (table["net_benefit"] > table["treat_all"]).any()
    assert (table["interventions_avoided"] > 0).any()


# ---- a published validation


@needs_data("survival")
def test_rotterdam_model_in_gbsg() -> None:
    published, v = REFERENCE["real"]["gbsg"], rotterdam_to_gbsg(horizon=4.99)
    curve = decision_curve_at(
        v.risk, v.time, v.event, horizon=4.99, thresholds=published["thresholds"]
    )
    assert curve.table["net_benefit"].iloc[0] == pytest.approx(0.3615, abs=5e-5)  # at .23
    np.testing.assert_allclose(curve.table["net_benefit"], published["net_benefit"], atol=1e-9)


def test_what_is_avoided_is_unknown_next_to_threshold_zero_and_known_above() -> None:
    table = decision_curve([0.0] * 4, FOUR, thresholds=[0.0, 1e-308, 0.1]).table
    assert table["interventions_avoided"].isna().tolist() == [True, True, False]
    # nobody is treated: of treating all, (0 - (0.5 - 0.5 / 9)) / (1 / 9) per patient
    assert table["interventions_avoided"].iloc[2] == pytest.approx(-400, abs=1e-10)
    assert table["net_benefit"].tolist() == [0.5, 0.0, 0.0]  # at 0 everybody is treated
