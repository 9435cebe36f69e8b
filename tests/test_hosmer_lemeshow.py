"""Hosmer and Lemeshow's test and its survival sister: by hand, R's formulas, edges, directions."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.hosmer_lemeshow import (
    SURVIVAL_WARNING,
    WARNING,
    hosmer_lemeshow,
    hosmer_lemeshow_at,
    hosmer_lemeshow_tests,
)
from models.logistic import LogisticModel
from models.pipeline import risk_pipeline
from models.validation import Plan, validate
from omics.cohort import DEVELOPMENT
from reports.blocks import Table, Text
from reports.calibration_sections import hosmer_lemeshow_blocks
from reports.html import render
from reports.jupyter import drawn
from reports.methods import methods_text
from reports.output import write_output
from reports.sections import page_of
from reports.study import compute, load_cohort
from reports.study_file import read_study
from reports.tables import TableRows, format_number
from tests.made_cohorts import made_cohort
from tests.small_study import binary_study, small_study
from tests.validation_reference import CLASS
from tests.validation_reference import R as RMS

R: dict[str, Any] = json.loads(
    (Path(__file__).parent / "reference" / "hosmer_lemeshow.json").read_text()
)
POSITIVE = np.array(R["y"], dtype=bool)
TIME, EVENT = np.array(R["time"], dtype=float), np.array(R["status"], dtype=bool)
RISK, HORIZON = np.array(R["risk"]), float(R["horizon"])


# ---- R


@pytest.mark.parametrize(
    ("risk", "expected", "fitted_here", "df"), [("fit", "own", True, 8), ("p", "other", False, 10)]
)
def test_binary_statistic_is_that_of_r(
    risk: str, expected: str, fitted_here: bool, df: int
) -> None:
    found = hosmer_lemeshow(POSITIVE, R[risk], fitted_here=fitted_here)
    assert found.chi2 == pytest.approx(R[expected]["chi2"], rel=1e-10)
    assert found.df == df
    assert found.table["n_events"].tolist() == R[expected]["observed"]
    np.testing.assert_allclose(
        found.table["predicted"] * found.table["n_patients"], R[expected]["expected"], rtol=1e-10
    )
    if fitted_here:  # hoslem.test takes groups - 2 everywhere
        assert found.p_value == pytest.approx(R["own"]["p_value"], rel=1e-10)
    else:
        assert found.p_value == pytest.approx(stats.chi2.sf(found.chi2, 10), rel=1e-10)


def test_statistic_of_the_other_reference_patients() -> None:
    found = hosmer_lemeshow(CLASS, RMS["risk"], fitted_here=True)
    assert found.chi2 == pytest.approx(RMS["hosmer_lemeshow"]["chi2"], rel=1e-10)
    assert len(found.table) == RMS["hosmer_lemeshow"]["groups"]


def test_survival_statistic_is_that_of_r() -> None:
    found = hosmer_lemeshow_at(TIME, EVENT, RISK, horizon=HORIZON, fitted_here=True, groups=4)
    r = R["gnd"]
    assert found.chi2 == pytest.approx(r["chi2"], rel=1e-10)
    assert (found.df, found.p_value) == (3, pytest.approx(r["p_demler"], rel=1e-10))
    np.testing.assert_allclose(found.table["observed"], r["observed"], rtol=1e-10)
    np.testing.assert_allclose(found.table["predicted"], r["predicted"], rtol=1e-10)
    assert found.table["n_events"].tolist() == r["events"]
    elsewhere = hosmer_lemeshow_at(TIME, EVENT, RISK, horizon=HORIZON, fitted_here=False, groups=4)
    assert (elsewhere.chi2, elsewhere.df) == (found.chi2, 4)
    assert elsewhere.p_value > found.p_value


# ---- by hand and by reason


def test_few_events_join_groups() -> None:
    time = np.arange(1.0, 31.0)
    event = np.array([1] * 7 + [0] * 8 + [1] * 4 + [0] * 11, dtype=bool)
    risk = np.repeat([0.1, 0.2, 0.3], 10)  # 7, 4 and 0 events: the last two join the first
    found = hosmer_lemeshow_at(time, event, risk, horizon=30, fitted_here=False, groups=3)
    assert len(found.table) == 1
    assert found.table["n_events"].tolist() == [11]
    assert found.table[["lowest", "highest"]].iloc[0].tolist() == [0.1, 0.3]
    few = hosmer_lemeshow_at(time, event & (time < 4), risk, horizon=30, fitted_here=False)
    assert (len(few.table), few.df) == (0, 0)
    assert np.isnan(few.chi2)
    assert np.isnan(few.p_value)


def test_a_certain_risk_that_was_wrong_is_refuted_and_one_that_was_right_is_not() -> None:
    event = [0, 0, 0, 1, 1, 1]
    right = hosmer_lemeshow(event, [0, 0, 0.5, 0.5, 1, 1], fitted_here=False, groups=3)
    assert right.chi2 == 0
    wrong = hosmer_lemeshow(event, [1, 1, 0.5, 0.5, 0, 0], fitted_here=False, groups=3)
    assert np.isinf(wrong.chi2)
    assert wrong.p_value == 0


def test_unknown_risks_and_short_follow_up_have_no_figure() -> None:
    unknown = hosmer_lemeshow([0, 1, 0], [0.1, np.nan, 0.2], fitted_here=False)
    assert np.isnan(unknown.chi2)
    assert unknown.n_patients == 3
    short = hosmer_lemeshow_at(TIME, EVENT, RISK, horizon=99, fitted_here=False)
    assert np.isnan(short.chi2)
    tied = hosmer_lemeshow([0, 1, 0, 1, 1], [0.4] * 5, fitted_here=True)
    assert (len(tied.table), tied.df) == (1, 0)
    assert np.isnan(tied.p_value)


def test_reversed_or_distorted_risks_fit_worse() -> None:
    own = hosmer_lemeshow(POSITIVE, R["fit"], fitted_here=False)
    reversed_ = hosmer_lemeshow(POSITIVE, 1 - np.array(R["fit"]), fitted_here=False)
    assert reversed_.chi2 > 10 * own.chi2
    honest, halved = (
        hosmer_lemeshow_at(TIME, EVENT, r, horizon=HORIZON, fitted_here=False)
        for r in (RISK, RISK / 2)
    )
    assert halved.p_value < honest.p_value


@settings(max_examples=30)
@given(order=st.permutations(range(60)), months=st.floats(0.1, 40))
def test_order_of_patients_and_unit_of_time_do_not_matter(order: list[int], months: float) -> None:
    time, event, risk = TIME[:60], EVENT[:60], RISK[:60]
    one = hosmer_lemeshow_at(time, event, risk, horizon=HORIZON, fitted_here=False, groups=4)
    other = hosmer_lemeshow_at(
        time[order] * months, event[order], risk[order],
        horizon=HORIZON * months, fitted_here=False, groups=4,
    )  # fmt: skip
    assert other.chi2 == pytest.approx(one.chi2, rel=1e-9)
    assert other.df == one.df
    y, p = POSITIVE[:60], np.array(R["p"][:60])
    assert hosmer_lemeshow(y[order], p[order], fitted_here=True).chi2 == pytest.approx(
        hosmer_lemeshow(y, p, fitted_here=True).chi2, rel=1e-9
    )
    # events for non-events, their risks for the risks: groups in mirror image, if no risk is tied
    mirrored = hosmer_lemeshow(~POSITIVE, 1 - np.array(R["fit"]), fitted_here=True, groups=4)
    assert mirrored.n_events == len(POSITIVE) - POSITIVE.sum()


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="groups must be at least 3, but 2 came"):
        hosmer_lemeshow(POSITIVE, R["p"], fitted_here=False, groups=2)
    with pytest.raises(ValueError, match=r"risk must be a probability in \[0, 1\]"):
        hosmer_lemeshow(POSITIVE, 2 * np.array(R["p"]), fitted_here=False)
    with pytest.raises(ValueError, match="horizon must be a time above zero"):
        hosmer_lemeshow_at(TIME, EVENT, RISK, horizon=0, fitted_here=False)


# ---- of a study


PLAN = Plan(folds=3, repeats=1, bootstrap=0, draws=20, seed=5)


def test_every_model_is_tested_where_it_can_be() -> None:
    validation = validate(
        {
            "cox": risk_pipeline(["clinical:*"], CoxModel()),
            "ridge": risk_pipeline(["clinical:*"], CoxModel(ridge=3.0)),
            "trees": risk_pipeline(
                ["mri:*"], BoostedModel(n_rounds=5, inner_folds=3), missing="keep"
            ),
        },
        made_cohort(200, external=80, seed=3),
        plan=PLAN,
    )
    found = hosmer_lemeshow_tests(validation, groups=5)
    assert found.warning == SURVIVAL_WARNING
    assert "A p above .05 does not show good calibration" in WARNING
    table = found.table.set_index(["model", "cohort", "horizon"])
    assert len(table) == 12
    p = validation.apparent["cox"]
    direct = hosmer_lemeshow_at(
        p.y["time"], p.y["event"], p.risk[:, 1], horizon=12.0, fitted_here=True, groups=5
    )
    row = table.loc[("cox", DEVELOPMENT, 12.0)]
    assert (row["chi2"], row["df"], row["p_value"]) == (direct.chi2, 4, direct.p_value)
    assert table.loc[("ridge", DEVELOPMENT, 6.0), "reason"] == "ridge has a ridge penalty"
    assert "boosted trees" in table.loc[("trees", DEVELOPMENT, 12.0), "reason"]
    assert np.isnan(table.loc[("trees", DEVELOPMENT, 12.0), "chi2"])
    assert (
        table.loc[("trees", "elsewhere", 12.0), "df"]
        == table.loc[("trees", "elsewhere", 12.0), "n_groups"]
    )


def test_a_binary_study_has_one_test_per_cohort() -> None:
    validation = validate(
        {"logistic": risk_pipeline(["clinical:*"], LogisticModel())},
        made_cohort(160, kind="binary", external=60, seed=3),
        plan=PLAN,
    )
    table = hosmer_lemeshow_tests(validation).table
    assert table["validation"].tolist() == ["apparent", "external"]
    assert table["df"].tolist() == [8, 10]
    p = validation.external["elsewhere"]["logistic"]
    direct = hosmer_lemeshow(p.y, p.risk[:, 0], fitted_here=False)
    assert table["chi2"].iloc[1] == direct.chi2


# ---- in a report


@pytest.mark.parametrize("make", [small_study, binary_study])
def test_the_report_gives_it_on_request_with_its_warning(make: Any, tmp_path: Path) -> None:
    spec = make(tmp_path)
    spec.content["report"] = {"thresholds": [0.3, 0.4], "assumptions": False}
    cohort = load_cohort(read_study(spec.write()))
    if make is binary_study:
        silent = compute(read_study(spec.write()), cohort, n_jobs=1)
        assert silent.hosmer_lemeshow is None
        assert "Lemeshow" not in methods_text(silent) + render(page_of(silent))
    spec.content["report"]["hosmer_lemeshow"] = True
    results = compute(read_study(spec.write()), cohort, n_jobs=1)
    found = results.hosmer_lemeshow
    assert found is not None
    name = "Hosmer-Lemeshow" if make is binary_study else "Greenwood-Nam-D'Agostino"
    (block,) = hosmer_lemeshow_blocks(found, ["Clinical"])
    assert isinstance(block, Table)
    warning = WARNING if make is binary_study else SURVIVAL_WARNING
    assert (block.title, block.caption) == (f"{name} test.", warning)
    assert isinstance(block.table, TableRows)
    assert ("Horizon" in block.table.header) == (make is small_study)
    chi2 = block.table.header.index("χ²")
    assert [row[chi2] for row in block.table.rows] == [
        format_number(value, digits=2) for value in found.table["chi2"]
    ]
    assert name in methods_text(results)
    page = render(page_of(results))
    assert page.count("A p above .05 does not show good calibration") == 2
    write_output(results, spec.out, render=lambda _: page)
    written = pd.read_csv(spec.out / "tables/hosmer_lemeshow.csv")
    np.testing.assert_allclose(written["chi2"], found.table["chi2"])


def test_a_notebook_shows_the_warning_too() -> None:
    own = hosmer_lemeshow(POSITIVE, R["fit"], fitted_here=True)
    text = drawn(own).blocks[0]
    assert isinstance(text, Text)
    assert WARNING in text.text
    assert "df 8, p 0.91" in text.text
