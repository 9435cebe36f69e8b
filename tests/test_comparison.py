"""Paired differences and likelihood-ratio tests: identities, hand-worked patients, R."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.boosting import BoostedModel
from models.comparison import DIFFERENCES, Comparison, compare
from models.cox import CoxModel
from models.likelihood_ratio import LIKELIHOOD_RATIO
from models.logistic import LogisticModel
from models.performance import performance
from models.pipeline import risk_pipeline
from models.scores import Predictions, fold_interval, ranking_scores
from models.validation import OutOfFold, Plan, Validation, validate
from omics.cohort import DEVELOPMENT, Cohort
from omics.mofa import FactorModel
from omics.outcome import survival_outcome
from tests.made_cohorts import BINARY, SURVIVAL, made_cohort

REFERENCE = json.loads(
    (Path(__file__).parent / "reference" / "comparison.json").read_text(encoding="utf-8")
)
PLAN = Plan(folds=3, repeats=2, bootstrap=0, draws=40, seed=5)
THRESHOLDS = [0.2, 0.5]
COHORT = made_cohort(150, external=50, seed=3)
VALIDATION = validate(
    {
        "age": risk_pipeline(["clinical:Age"], CoxModel()),
        "again": risk_pipeline(["clinical:Age"], CoxModel()),
        "clinical": risk_pipeline(["clinical:*"], CoxModel()),
        "trees": risk_pipeline(["mri:*"], BoostedModel(n_rounds=5, inner_folds=3), missing="keep"),
        "ridge": risk_pipeline(["clinical:*"], CoxModel(ridge="aic")),
        "spline": risk_pipeline(["clinical:Age"], CoxModel(), splines={"clinical:Age": 3}),
        "image": risk_pipeline(["mri:f0", "mri:f1"], CoxModel()),
    },
    COHORT,
    plan=PLAN,
)
FOUND = compare(VALIDATION, COHORT, reference="age", thresholds=THRESHOLDS)


def only(*names: str) -> Validation:
    """Give the validation of some of the models."""
    parts = {
        field: {name: getattr(VALIDATION, field)[name] for name in names}
        for field in ("fitted", "out_of_fold", "apparent")
    }
    external = {
        label: {name: models[name] for name in names}
        for label, models in VALIDATION.external.items()
    }
    return Validation(**{**vars(VALIDATION), **parts, "external": external, "optimism": {}})


def one(found: Comparison, model: str, metric: str, **where: Any) -> pd.Series:
    table = found.table[(found.table["model"] == model) & (found.table["metric"] == metric)]
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


# what the tables hold -------------------------------------------------------------------------


def test_every_model_is_compared_in_every_cohort_by_every_figure() -> None:
    assert list(FOUND.table.columns) == DIFFERENCES
    assert list(FOUND.likelihood_ratio.columns) == LIKELIHOOD_RATIO
    groups = FOUND.table.groupby(["model", "validation", "cohort"])
    assert len(groups) == 6 * 2
    for _, rows in groups:
        counts = rows.groupby("metric").size().to_dict()
        assert counts == {
            **{"c_index": 1, "c_index_uno": 2, "auc": 2, "brier": 2, "ipa": 2, "net_benefit": 4}
        }
    assert set(FOUND.table["reference"]) == {"age"}
    assert FOUND.table.loc[FOUND.table["metric"] != "net_benefit", "threshold"].isna().all()
    assert repr(FOUND) == f"Comparison(6 models against 'age', {len(FOUND.table)} rows)"
    external = FOUND.table[FOUND.table["validation"] == "external"]
    assert set(external["n_patients"]) == {50}
    assert set(FOUND.table["n_left_out"]) == {0}


def test_methods_are_told() -> None:
    methods = FOUND.table.groupby(["validation", "metric"])["method"].agg(set)
    assert methods["external", "brier"] == {
        "paired percentile bootstrap of the evaluated patients, 40 draws, models fixed"
    }
    assert "mean of the differences in 2 x 3 held-out folds" in str(
        methods["cross_validated", "auc"]
    )
    assert "approximate coverage" in str(methods["cross_validated", "auc"])
    assert "paired percentile bootstrap" in str(methods["cross_validated", "net_benefit"])


# identities -----------------------------------------------------------------------------------


def test_a_model_differs_from_itself_by_nothing() -> None:
    rows = FOUND.table[FOUND.table["model"] == "again"]
    assert (rows[["difference", "lower", "upper"]] == 0).all(axis=None)


def test_swapping_the_two_models_turns_the_sign() -> None:
    swapped = compare(only("trees", "age"), COHORT, reference="trees", thresholds=THRESHOLDS)
    there = FOUND.table[FOUND.table["model"] == "trees"]
    back = swapped.table[swapped.table["model"] == "age"]
    np.testing.assert_allclose(there["difference"], -back["difference"], atol=1e-12)
    np.testing.assert_allclose(there["lower"], -back["upper"], atol=1e-12)
    np.testing.assert_allclose(there["upper"], -back["lower"], atol=1e-12)


def test_differences_are_those_of_the_performance_table() -> None:
    figures = performance(only("trees", "age"), thresholds=THRESHOLDS)
    keys = ["cohort", "validation", "metric", "horizon"]
    merged = {
        model: figures.table[figures.table["model"] == model].set_index(keys)["estimate"]
        for model in ("trees", "age")
    }
    rows = FOUND.table[(FOUND.table["model"] == "trees") & FOUND.table["threshold"].isna()]
    expected = (merged["trees"] - merged["age"]).loc[list(rows.set_index(keys).index)]
    np.testing.assert_allclose(rows["difference"], expected, atol=1e-12)
    keys = ["cohort", "validation", "horizon", "threshold"]
    curves = {
        model: figures.decision[figures.decision["model"] == model].set_index(keys)["net_benefit"]
        for model in ("trees", "age")
    }
    rows = FOUND.table[(FOUND.table["model"] == "trees") & FOUND.table["threshold"].notna()]
    expected = (curves["trees"] - curves["age"]).loc[list(rows.set_index(keys).index)]
    np.testing.assert_allclose(rows["difference"], expected, atol=1e-12)


def test_out_of_fold_ranking_is_subtracted_within_folds() -> None:
    per_fold = []
    for repeat in range(2):
        values = []
        for model in ("trees", "age"):
            held_out = VALIDATION.out_of_fold[model]
            p = Predictions(
                y=VALIDATION.y,
                linear_predictor=held_out.linear_predictor[repeat],
                risk=held_out.risk[repeat],
                horizons=(6.0, 12.0),
            )
            rows = [np.flatnonzero(held_out.fold[repeat] == f) for f in range(3)]
            values.append([ranking_scores(p.take(r))["brier", 12.0] for r in rows])
        per_fold += [a - b for a, b in zip(*values, strict=True)]
    row = one(FOUND, "trees", "brier", validation="cross_validated", horizon=12.0)
    expected = fold_interval(np.array(per_fold), folds=3, level=0.95)
    np.testing.assert_allclose(row[["difference", "lower", "upper"]].astype(float), expected)


def test_external_draws_are_paired() -> None:
    p, q = (VALIDATION.external["elsewhere"][model] for model in ("trees", "age"))
    rng = np.random.default_rng(PLAN.seed)
    draws = []
    for _ in range(PLAN.draws):
        rows = rng.integers(50, size=50)
        scores = [ranking_scores(each.take(rows))["auc", 12.0] for each in (p, q)]
        draws.append(scores[0] - scores[1])
    row = one(FOUND, "trees", "auc", validation="external", horizon=12.0)
    np.testing.assert_allclose(
        row[["lower", "upper"]].astype(float),
        np.quantile(draws, [0.025, 0.975], method="weibull"),
        atol=1e-12,
    )


# hand-worked ----------------------------------------------------------------------------------

BINARY_COHORT = made_cohort(60, kind="binary", external=20, seed=1)
BINARY_VALIDATION = validate(
    {name: risk_pipeline(["clinical:Age"], LogisticModel()) for name in ("a", "b")},
    BINARY_COHORT,
    plan=Plan(folds=2, repeats=1, bootstrap=0, draws=20),
)


def predictions(risk: list[float], y: list[int]) -> Predictions:
    p = np.array(risk)
    score = np.log(p / (1 - p))
    return Predictions(
        y=np.array(y, dtype=bool), linear_predictor=score, risk=p[:, None], horizons=()
    )


def by_hand(a: list[float], b: list[float], y: list[int]) -> Comparison:
    external = {"new": {"a": predictions(a, y), "b": predictions(b, y)}}
    made = Validation(**{**vars(BINARY_VALIDATION), "external": external})
    return compare(made, BINARY_COHORT, reference="b", thresholds=[0.5])


A, B, Y = [0.1, 0.2, 0.8, 0.9], [0.1, 0.8, 0.2, 0.9], [0, 0, 1, 1]


def check_hand_worked(found: Comparison) -> None:
    # AUC 1 less 3/4; Brier .025 less .325; net benefit at 1/2: 2/4 less (1/4 - 1/4)
    for metric, expected in (("auc", 0.25), ("brier", -0.3), ("net_benefit", 0.5)):
        row = one(found, "a", metric, validation="external")
        assert row["difference"] == pytest.approx(expected, abs=1e-12)
        assert row["n_events"] == 2


def test_four_patients_by_hand() -> None:
    found = by_hand(A, B, Y)
    check_hand_worked(found)
    assert one(found, "a", "auc", validation="external")["n_patients"] == 4


def test_a_patient_whom_one_of_the_two_does_not_predict_is_left_out_and_counted() -> None:
    found = by_hand([*A, np.nan], [*B, 0.5], [*Y, 1])
    check_hand_worked(found)
    row = one(found, "a", "auc", validation="external")
    assert (row["n_patients"], row["n_left_out"]) == (4, 1)


def test_a_fold_that_one_model_failed_in_is_left_out_for_both() -> None:
    held_out = VALIDATION.out_of_fold["trees"]
    score = held_out.linear_predictor.copy()
    failed = held_out.fold == 1
    score[failed] = np.nan
    score[:, :2] = np.nan  # two patients in no repeat at all
    part = OutOfFold(**{**vars(held_out), "linear_predictor": score})
    some = only("trees", "age")
    made = Validation(**{**vars(some), "out_of_fold": {**some.out_of_fold, "trees": part}})
    found = compare(made, COHORT, reference="age", thresholds=[0.5])
    row = one(found, "trees", "c_index", validation="cross_validated")
    never = int(np.isnan(score).all(axis=0).sum())
    assert never > 2
    assert (row["n_patients"], row["n_left_out"]) == (100 - never, never)
    assert np.isfinite(row["difference"])


@settings(max_examples=10)
@given(order=st.permutations(range(4)))
def test_the_order_of_patients_changes_no_difference(order: list[int]) -> None:
    check_hand_worked(
        by_hand(*([part[i] for i in order] for part in (A, B)), [Y[i] for i in order])
    )


# R --------------------------------------------------------------------------------------------


def reference_cohort(kind: str) -> Cohort:
    data = pd.DataFrame(REFERENCE["data"])
    X = data[["age", "marker", "volume"]].astype(float).add_prefix("t:")
    X["t:grade"] = pd.Categorical(data["grade"].astype(str), categories=["2", "3", "4"])
    X.index = pd.Index([f"P{i:03d}" for i in range(len(X))], name="patient")
    survival = kind == "survival"
    return Cohort(
        X=X,
        y=survival_outcome(data["time"], data["event"]) if survival else data["class"] == 1,
        outcome=SURVIVAL if survival else BINARY,
        group=pd.Series(np.where(data["new"] == 1, "new", DEVELOPMENT), X.index, dtype=object),
        kinds={"t": "clinical"},
    )


def compared(kind: str, small: list[str]) -> Comparison:
    cohort = reference_cohort(kind)
    if kind == "binary":
        cohort = Cohort(**{**vars(cohort), "y": np.asarray(cohort.y)})
    new = CoxModel if kind == "survival" else LogisticModel
    pipelines = {
        "small": risk_pipeline(small, new()),
        "large": risk_pipeline(["t:age", "t:grade", "t:marker"], new()),
    }
    plan = Plan(folds=2, repeats=1, bootstrap=0, draws=300, seed=1)
    found = validate(pipelines, cohort, plan=plan)
    return compare(found, cohort, reference="small", thresholds=[0.5])


@pytest.mark.parametrize(
    ("kind", "small", "expected"),
    [("survival", ["t:age", "t:grade"], "cox"), ("binary", ["t:age"], "logistic")],
)
def test_likelihood_ratio_is_that_of_r(kind: str, small: list[str], expected: str) -> None:
    found = compared(kind, small)
    row = found.likelihood_ratio.iloc[0]
    wanted = REFERENCE[expected]
    assert row["larger"] == "large"
    assert row["reason"] == ""
    assert row["chi2"] == pytest.approx(wanted["chi2"], rel=1e-6)
    assert row["df"] == wanted["df"]
    assert row["p_value"] == pytest.approx(wanted["p_value"], rel=1e-5)
    if kind == "survival":
        c = one(found, "large", "c_index", validation="external")["difference"]
        assert c == pytest.approx(REFERENCE["new"]["c_index"], abs=1e-10)
        return
    auc = one(found, "large", "auc", validation="external")
    assert auc["difference"] == pytest.approx(REFERENCE["new"]["auc"], abs=1e-10)
    brier = one(found, "large", "brier", validation="external")["difference"]
    assert brier == pytest.approx(REFERENCE["new"]["brier"], abs=1e-6)
    # DeLong's interval is another estimate of the same spread: near, not equal
    interval = auc[["lower", "upper"]].astype(float)
    np.testing.assert_allclose(interval, REFERENCE["new"]["auc_delong"], atol=0.03)


# likelihood-ratio tests that cannot be given --------------------------------------------------


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("again", "the two have the same columns"),
        ("trees", "trees is boosted trees, which maximise no likelihood"),
        ("ridge", "ridge has a ridge penalty"),
        ("image", "neither model holds the other's columns"),
    ],
)
def test_the_reason_stands_where_the_test_cannot(model: str, reason: str) -> None:
    row = FOUND.likelihood_ratio.set_index("model").loc[model]
    assert row["reason"] == reason
    assert np.isnan(row["chi2"])


def test_a_spline_holds_the_line() -> None:
    row = FOUND.likelihood_ratio.set_index("model").loc["spline"]
    assert (row["larger"], row["df"]) == ("spline", 1)
    assert row["chi2"] > 0
    some = only("spline", "age", "clinical")
    back = compare(some, COHORT, reference="spline", thresholds=[0.5]).likelihood_ratio
    back = back.set_index("model")
    assert back.loc["age", "larger"] == "spline"
    assert back.loc["age", "chi2"] == row["chi2"]
    # 'clinical' has age as a line: its columns do not hold the spline, nor the spline grade
    assert back.loc["clinical", "reason"] == "neither model holds the other's columns"


def test_factors_learned_from_the_patients_have_no_likelihood_ratio() -> None:
    cohort = made_cohort(60, seed=2)
    factors = FactorModel(views=["mri", "rna"], n_factors=2)
    found = compare(
        validate(
            {
                "age": risk_pipeline(["clinical:Age"], CoxModel()),
                "more": risk_pipeline(
                    ["clinical:Age", "factors:*"], CoxModel(), factors=factors
                ),
            },
            cohort,
            plan=Plan(folds=2, repeats=1, bootstrap=0, draws=20),
        ),
        cohort,
        reference="age",
        thresholds=[0.5],
    )  # fmt: skip
    reason = found.likelihood_ratio["reason"].item()
    assert reason == "more takes factors learned from the same patients"


# bad input, progress --------------------------------------------------------------------------


def test_an_unknown_reference_is_named_with_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"'Age' is none of 7. Did you mean 'age'"):
        compare(VALIDATION, COHORT, reference="Age", thresholds=[0.5])


def test_one_model_alone_has_nothing_to_be_compared_with() -> None:
    cohort = made_cohort(60, seed=2)
    plan = Plan(folds=2, repeats=1, bootstrap=0, draws=20)
    found = validate({"age": risk_pipeline(["clinical:Age"], CoxModel())}, cohort, plan=plan)
    alone = compare(found, cohort, reference="age", thresholds=[0.5])
    assert len(alone.table) == len(alone.likelihood_ratio) == 0
    assert list(alone.table.columns) == DIFFERENCES


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    compare(
        VALIDATION,
        COHORT,
        reference="age",
        thresholds=[0.5],
        progress=lambda *now: told.append(now),
    )
    assert told[-1] == ("paired differences", 12, 12)
