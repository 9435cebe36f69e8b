"""NRI and IDI: by hand, Hmisc and published formulas in R, and why nobody should trust them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from models.accuracy import brier
from models.cox import CoxModel
from models.decision import decision_curve
from models.discrimination import roc_auc
from models.logistic import LogisticModel
from models.pipeline import risk_pipeline
from models.reclassification import (
    COLUMNS,
    WARNING,
    Reclassification,
    reclassification,
    reclassification_at,
    reclassifications,
)
from models.validation import Plan, validate
from omics.cohort import DEVELOPMENT
from reports.blocks import Table
from reports.html import render
from reports.jupyter import drawn
from reports.methods import methods_text
from reports.output import write_output
from reports.reclassification_sections import reclassification_blocks
from reports.sections import page_of
from reports.study import compute, load_cohort
from reports.study_file import read_study
from reports.tables import TableRows, format_estimate
from tests.made_cohorts import made_cohort
from tests.small_study import binary_study, small_study

R: dict[str, Any] = json.loads(
    (Path(__file__).parent / "reference" / "reclassification.json").read_text()
)
POSITIVE, OLD, NEW = np.array(R["y"], dtype=bool), np.array(R["old"]), np.array(R["new"])
TIME, EVENT = np.array(R["time"], dtype=float), np.array(R["status"], dtype=bool)
OLD_U, NEW_U, HORIZON = np.array(R["old_u"]), np.array(R["new_u"]), float(R["horizon"])
CUTS = R["cuts"]


def figures(found: Reclassification) -> dict[tuple[str, str], float]:
    return found.table.set_index(["metric", "part"])["estimate"].to_dict()


def at_horizon(
    new: np.ndarray, old: np.ndarray, categories: list[float]
) -> dict[tuple[str, str], float]:
    return figures(
        reclassification_at(TIME, EVENT, new, old, horizon=HORIZON, categories=categories)
    )


# ---- R


def test_binary_figures_are_those_of_r() -> None:
    found = figures(reclassification(POSITIVE, NEW, OLD, categories=CUTS))
    hmisc = R["improve_prob"]
    expected = {
        ("nri", "events"): R["category"]["events"],
        ("nri", "non-events"): R["category"]["nonevents"],
        ("nri_category_free", "events"): hmisc["nri.ev"],
        ("nri_category_free", "non-events"): hmisc["nri.ne"],
        ("nri_category_free", "sum"): hmisc["nri"],
        ("idi", "events"): hmisc["improveSens"],
        ("idi", "non-events"): hmisc["improveSpec"],
        ("idi", "sum"): hmisc["idi"],
    }
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-10), key


def test_survival_figures_are_those_of_r() -> None:
    found = at_horizon(NEW_U, OLD_U, CUTS)
    for metric, name in (("nri", "category_u"), ("nri_category_free", "free_u"), ("idi", "idi_u")):
        for part, key in (("events", "events"), ("non-events", "nonevents")):
            assert found[metric, part] == pytest.approx(R[name][key], abs=1e-10), (metric, part)
        assert found[metric, "sum"] == pytest.approx(
            found[metric, "events"] + found[metric, "non-events"], abs=1e-12
        )


# ---- by hand and by reason


def test_survival_by_hand() -> None:
    # 1 and 2 move up, 3 and 4 down; S = 3/4 · 1/2 after a censoring at 2, S_U = 1/2, S_D = 1/2
    found = figures(
        reclassification_at(
            [1, 2, 3, 5], [1, 0, 1, 0], [0.5, 0.5, 0.2, 0.2], [0.4, 0.4, 0.3, 0.3], horizon=4
        )
    )
    # survival of the group up ends at 2, before the horizon
    assert np.isnan(found["nri_category_free", "events"])
    longer = figures(
        reclassification_at(
            [1, 6, 3, 5], [1, 0, 1, 0], [0.5, 0.5, 0.2, 0.2], [0.4, 0.4, 0.3, 0.3], horizon=4
        )
    )
    assert longer["nri_category_free", "events"] == pytest.approx((2 * 0.5 - 2 * 0.5) / (4 * 0.5))
    assert longer["idi", "events"] == pytest.approx((0.1 - 0.1) / 2)


def test_without_censoring_survival_is_binary() -> None:
    time = np.where(POSITIVE, 1.0, 3.0)
    event = np.ones(len(time), dtype=bool)
    found = figures(reclassification_at(time, event, NEW, OLD, horizon=2, categories=CUTS))
    direct = figures(reclassification(POSITIVE, NEW, OLD, categories=CUTS))
    assert found == pytest.approx(direct, abs=1e-12)


def test_a_risk_at_a_threshold_is_above_it() -> None:
    found = figures(reclassification([1, 0], [0.5, 0.5], [0.49, 0.5], categories=[0.5]))
    assert found["nri", "events"] == 1
    assert found["nri", "non-events"] == 0


def test_without_categories_there_is_no_category_nri() -> None:
    found = reclassification(POSITIVE, NEW, OLD)
    assert set(found.table["metric"]) == {"nri_category_free", "idi"}
    assert repr(found) == "Reclassification(250 patients, 100 events, 1 categories; see warning)"


@pytest.mark.parametrize(
    ("time", "event", "risk"),
    [
        ([1, 2, 3], [0, 0, 0], [0.1, 0.2, 0.3]),  # no event
        ([1, 2, 2], [1, 1, 1], [0.1, 0.2, 0.3]),  # all of them
        ([1, 4, 5], [1, 0, 1], [0.1, np.nan, 0.3]),
        ([1, 1.5, 2], [1, 0, 0], [0.1, 0.2, 0.3]),  # nobody followed to the horizon
    ],
)
def test_what_the_data_cannot_tell_is_unknown(time: Any, event: Any, risk: Any) -> None:
    found = reclassification_at(time, event, risk, [0.2, 0.2, 0.2], horizon=3, categories=[0.25])
    assert len(found.table) == 9
    assert found.table["estimate"].isna().all()
    same = reclassification([1, 1], [0.2, 0.3], [0.1, 0.4])
    assert same.table["estimate"].isna().all()


def test_nobody_beyond_the_horizon_leaves_idi_unknown() -> None:
    found = figures(reclassification_at([1, 3], [1, 0], [0.6, 0.2], [0.5, 0.3], horizon=3))
    assert found["nri_category_free", "sum"] == pytest.approx(2)
    assert np.isnan(found["idi", "non-events"])


def test_the_other_way_round_every_figure_changes_its_sign() -> None:
    forth, back = at_horizon(NEW_U, OLD_U, CUTS), at_horizon(OLD_U, NEW_U, CUTS)
    assert forth == pytest.approx({key: -value for key, value in back.items()}, abs=1e-12)
    assert set(at_horizon(OLD_U, OLD_U, CUTS).values()) == {0.0}
    reversed_ = figures(reclassification(POSITIVE, 1 - NEW, OLD, categories=CUTS))
    assert reversed_["idi", "sum"] < 0 < figures(reclassification(POSITIVE, NEW, OLD))["idi", "sum"]


@settings(max_examples=30)
@given(order=st.permutations(range(50)), months=st.floats(0.1, 40))
def test_order_of_patients_and_unit_of_time_do_not_matter(order: list[int], months: float) -> None:
    own = np.array(order)
    one = reclassification_at(
        TIME[:50], EVENT[:50], NEW_U[:50], OLD_U[:50], horizon=HORIZON, categories=CUTS
    )
    other = reclassification_at(
        TIME[own] * months, EVENT[own], NEW_U[own], OLD_U[own],
        horizon=HORIZON * months, categories=CUTS,
    )  # fmt: skip
    assert figures(other) == pytest.approx(figures(one), abs=1e-9)


def test_the_warning_is_true() -> None:
    """Risks made too extreme rank alike and are worse, and yet both figures praise them."""
    rng = np.random.default_rng(3)
    honest = expit(rng.normal(-1, 1.2, 4000))
    event = rng.random(4000) < honest
    extreme = expit(2 * logit(honest) + 0.6)
    found = figures(reclassification(event, extreme, honest))
    assert found["idi", "sum"] > 0.09
    assert found["nri_category_free", "events"] > 0.3
    assert roc_auc(event, extreme) == pytest.approx(roc_auc(event, honest))
    assert brier(event, extreme) > brier(event, honest)
    benefits = [
        decision_curve(risk, event, thresholds=[0.7]).table["net_benefit"].item()
        for risk in (extreme, honest)
    ]
    assert benefits[0] < benefits[1]
    for words in ("poorly calibrated", "net benefit", "10.1007/s12561-014-9118-0"):
        assert words in WARNING


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match=r"categories must rise between 0 and 1.*\[0.5, 0.2\]"):
        reclassification(POSITIVE, NEW, OLD, categories=[0.5, 0.2])
    with pytest.raises(ValueError, match="categories must rise between 0 and 1"):
        reclassification(POSITIVE, NEW, OLD, categories=[0.0, 0.2])
    with pytest.raises(ValueError, match="reference_risk must be a probability"):
        reclassification(POSITIVE, NEW, 3 * OLD)
    with pytest.raises(ValueError, match="one value per patient"):
        reclassification(POSITIVE, NEW, OLD[1:])
    with pytest.raises(ValueError, match="horizon must be a time above zero"):
        reclassification_at(TIME, EVENT, NEW_U, OLD_U, horizon=-1)


# ---- of a study

PLAN = Plan(folds=3, repeats=2, bootstrap=0, draws=21, seed=5)


def test_models_are_compared_where_no_fit_had_seen_the_patients() -> None:
    validation = validate(
        {
            "age": risk_pipeline(["clinical:Age"], CoxModel()),
            "both": risk_pipeline(["clinical:*", "mri:f0"], CoxModel()),
        },
        made_cohort(150, external=60, seed=3),
        plan=PLAN,
    )
    found = reclassifications(validation, reference="age", categories=[0.3, 0.6])
    table = found.table
    assert list(table) == COLUMNS
    assert set(zip(table["cohort"], table["validation"], strict=True)) == {
        (DEVELOPMENT, "cross_validated"),
        ("elsewhere", "external"),
    }
    assert set(table["model"]) == {"both"}
    p, q = (validation.external["elsewhere"][name] for name in ("both", "age"))
    direct = reclassification_at(
        p.y["time"], p.y["event"], p.risk[:, 1], q.risk[:, 1], horizon=12, categories=[0.3, 0.6]
    ).table
    rows = table.query("validation == 'external' and horizon == 12")
    np.testing.assert_allclose(rows["estimate"], direct["estimate"], rtol=1e-12)
    known = table.dropna(subset=["lower", "upper"])
    assert len(known) > len(table) / 2
    assert (known["lower"] <= known["upper"]).all()
    each = [
        reclassification_at(
            validation.y["time"], validation.y["event"], new, old,
            horizon=6, categories=[0.3, 0.6],
        ).table["estimate"]
        for new, old in zip(
            validation.out_of_fold["both"].risk[:, :, 0],
            validation.out_of_fold["age"].risk[:, :, 0],
            strict=True,
        )
    ]  # fmt: skip
    rows = table.query("validation == 'cross_validated' and horizon == 6")
    np.testing.assert_allclose(rows["estimate"], pd.concat(each, axis=1).mean(axis=1), rtol=1e-10)
    pd.testing.assert_frame_equal(
        table, reclassifications(validation, reference="age", categories=[0.3, 0.6]).table
    )
    with pytest.raises(ValueError, match="reference must be a model, but 'Age' is none of 2"):
        reclassifications(validation, reference="Age")


def test_a_binary_study_has_no_horizon() -> None:
    validation = validate(
        {
            "age": risk_pipeline(["clinical:Age"], LogisticModel()),
            "both": risk_pipeline(["clinical:*"], LogisticModel()),
        },
        made_cohort(120, kind="binary", external=40, seed=3),
        plan=PLAN,
    )
    table = reclassifications(validation, reference="both").table
    assert table["horizon"].isna().all()
    assert set(table["metric"]) == {"nri_category_free", "idi"}
    p, q = (validation.external["elsewhere"][name] for name in ("age", "both"))
    direct = reclassification(p.y, p.risk[:, 0], q.risk[:, 0]).table["estimate"]
    np.testing.assert_allclose(table.query("validation == 'external'")["estimate"], direct)


# ---- in a report


@pytest.mark.parametrize("make", [small_study, binary_study])
def test_the_report_gives_it_on_request_with_its_warning(make: Any, tmp_path: Path) -> None:
    spec = make(tmp_path)
    spec.content["added_value"] = {
        "clinical": ["clinical:Age"],
        "radiomics": ["radiomics:original_firstorder_Mean"],
    }
    del spec.content["models"]
    spec.content["report"] = {"thresholds": [0.3, 0.4], "assumptions": False}
    cohort = load_cohort(read_study(spec.write()))
    if make is binary_study:
        silent = compute(read_study(spec.write()), cohort, n_jobs=1)
        assert silent.added_value is not None
        assert silent.added_value.reclassification is None
        page = render(page_of(silent)) + methods_text(silent)
        assert "NRI" not in page
        assert "eclassif" not in page
    spec.content["added_value"] |= {"reclassification": True, "categories": [0.3, 0.6]}
    results = compute(read_study(spec.write()), cohort, n_jobs=1)
    assert results.added_value is not None
    found = results.added_value.reclassification
    assert found is not None
    (block,) = reclassification_blocks(found)
    assert isinstance(block, Table)
    assert block.caption.startswith(WARNING)
    assert "Categories part at 30.0%, 60.0%." in block.caption
    assert isinstance(block.table, TableRows)
    row = next(r for r in block.table.rows if r[:2] == ("  Radiomics", "IDI"))
    horizon = "" if make is binary_study else "and horizon == 24"
    of_file = found.table.query(f"model == 'Radiomics' and metric == 'idi' {horizon}")
    assert row[2:] == tuple(
        format_estimate(*ends) for ends in of_file[["estimate", "lower", "upper"]].to_numpy()
    )
    assert WARNING in methods_text(results)
    page = render(page_of(results))
    assert page.count("They are no evidence that a marker helps") == 2
    write_output(results, spec.out, render=lambda _: page)
    written = pd.read_csv(spec.out / "tables/reclassification.csv")
    np.testing.assert_allclose(written["estimate"], found.table["estimate"])


def test_a_notebook_shows_the_warning_too() -> None:
    (block,) = drawn(reclassification(POSITIVE, NEW, OLD, categories=CUTS)).blocks
    assert isinstance(block, Table)
    assert block.caption == WARNING
