"""Validation refits everything, sees no held-out patient, and agrees with R on each resample."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import models.validation
from models.boosting import BoostedModel
from models.cox import CoxModel
from models.design import Design
from models.logistic import LogisticModel
from models.performance import performance
from models.pipeline import RiskPipeline, risk_pipeline
from models.resampling import Resample, bootstrap, repeated_k_fold
from models.scores import Key, Scores, optimism_interval
from models.validation import Plan, Validation, validate
from omics.cohort import DEVELOPMENT, Cohort
from omics.errors import ConvergenceWarning, FitError
from omics.mofa import FactorModel
from omics.outcome import survival_outcome
from tests.made_cohorts import (
    BINARY,
    SURVIVAL,
    Counter,
    learned_states,
    made_cohort,
    with_outcome,
    with_table,
)

Pipelines = dict[str, RiskPipeline]
R = json.loads((Path(__file__).parent / "reference" / "validation.json").read_text())
QUICK = {"n_rounds": 10, "learning_rate": 0.2, "inner_folds": 3}


def factor_model() -> FactorModel:
    return FactorModel(views=["mri", "rna"], n_factors=2)


# how often is what fitted ---------------------------------------------------------------------


def test_every_step_is_fitted_once_a_resample(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(folds=4, repeats=2, bootstrap=9)
    steps = [Counter(monkeypatch, owner) for owner in (CoxModel, Design)]
    validate({"cox": risk_pipeline(["clinical:*"], CoxModel())}, made_cohort(80), plan=plan)
    assert [step.calls for step in steps] == [1 + 4 * 2 + 9] * 2


def test_optimism_bootstrap_fits_every_step_once_a_resample_and_once_on_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cohort = made_cohort(80)
    pipelines = {"cox": risk_pipeline(["clinical:*"], CoxModel(ridge=1.0))}
    calls = []
    for resamples in (0, 13):
        with monkeypatch.context() as patch:
            steps = [Counter(patch, owner) for owner in (CoxModel, Design)]
            validate(pipelines, cohort, plan=Plan(folds=2, repeats=1, bootstrap=resamples))
            calls.append([step.calls for step in steps])
    assert calls == [[2 + 1, 2 + 1], [2 + 13 + 1, 2 + 13 + 1]]


def test_models_share_the_fits_of_one_factor_model(monkeypatch: pytest.MonkeyPatch) -> None:
    models = {
        "ridge": risk_pipeline(["factors:*"], CoxModel(ridge=1.0), factors=factor_model()),
        "aic": risk_pipeline(
            ["clinical:*", "factors:*"], CoxModel(ridge="aic"), factors=factor_model()
        ),
        "trees": risk_pipeline(["factors:*"], BoostedModel(**QUICK), factors=factor_model()),
    }
    counted = [Counter(monkeypatch, owner) for owner in (FactorModel, CoxModel, BoostedModel)]
    validate(models, made_cohort(80), plan=Plan(folds=3, repeats=2, bootstrap=5))
    assert [step.calls for step in counted] == [7, 14, 7]  # 3 x 2 folds, and once on all


def test_pipelines_given_stay_unfitted() -> None:
    given = {"cox": risk_pipeline(["clinical:*"], CoxModel())}
    found = validate(given, made_cohort(60), plan=Plan(folds=2, repeats=1, bootstrap=0))
    assert not hasattr(given["cox"].model, "coef_")
    assert given["cox"].memory is None
    assert found.fitted["cox"].pipeline.memory is None


# no fold sees its held-out patients -----------------------------------------------------------

LEAK_PLAN = Plan(folds=4, repeats=2, bootstrap=0)


def honest(cohort: Cohort) -> tuple[Pipelines, Cohort]:
    return {
        "factors": risk_pipeline(
            ["clinical:*", "factors:*"],
            CoxModel(ridge=1.0),
            factors=factor_model(),
            missing="median",
        ),
        "aic": risk_pipeline(
            ["factors:*", "mri:*"], CoxModel(ridge="aic"), factors=factor_model(), missing="median"
        ),
        "trees": risk_pipeline(["mri:*"], BoostedModel(**QUICK), missing="keep"),
        **{
            policy: risk_pipeline(["clinical:*", "mri:*"], CoxModel(ridge=1.0), missing=policy)
            for policy in ("complete_case", "chained", "multiple", "indicator")
        },
    }, cohort


def selecting_on_everyone(cohort: Cohort) -> tuple[Pipelines, Cohort]:
    """Leak: the three features that go best with the time, chosen before any fold is cut."""
    numbers = cohort.X.filter(regex="^mri|^rna").fillna(0.0)
    order = numbers.corrwith(pd.Series(cohort.y["time"], numbers.index)).abs().sort_values()
    best = list(order.index[-3:])
    return {"cox": risk_pipeline(best, CoxModel(), missing="median")}, cohort


def scaling_on_everyone(cohort: Cohort) -> tuple[Pipelines, Cohort]:
    """Leak: gaps filled and features scaled before any fold is cut."""
    X = cohort.X.copy()
    numbers = X.columns[X.dtypes == np.float64]
    X[numbers] = X[numbers].fillna(X[numbers].median())
    X[numbers] = (X[numbers] - X[numbers].mean()) / X[numbers].std()
    return {"cox": risk_pipeline(["clinical:Age", "mri:f0"], CoxModel())}, with_table(cohort, X)


def factors_of_everyone(cohort: Cohort) -> tuple[Pipelines, Cohort]:
    """Leak: factors learned once on all patients, without the outcome."""
    factors = factor_model().fit(cohort.X).transform(cohort.X)
    X = cohort.X.join(factors.rename(columns=lambda name: name.replace("factors", "learned")))
    return {"cox": risk_pipeline(["learned:*"], CoxModel())}, with_table(cohort, X)


Build = Callable[[Cohort], tuple[Pipelines, Cohort]]


def disturbed(cohort: Cohort, rows: NDArray[np.intp]) -> Cohort:
    """Change all that is known of the patients in `rows` but whether they had the event."""
    rng = np.random.default_rng(99)
    X, y = cohort.X.copy(), cohort.y.copy()
    for column in X.columns:
        place = X.columns.get_loc(column)
        if X[column].dtype == "category":
            X.iloc[rows, place] = "4"
        else:
            wild = 60 * rng.standard_normal(len(rows))
            X.iloc[rows, place] = np.where(rng.random(len(rows)) < 0.2, np.nan, wild)
    y["time"][rows] = rng.uniform(1, 30, len(rows))
    return with_table(cohort, X, y)


def leaking_folds(
    monkeypatch: pytest.MonkeyPatch, build: Build, cohort: Cohort, rows: NDArray[np.intp]
) -> tuple[set[str], set[str], set[str]]:
    """Folds that hold `rows` out; those of them whose fits changed; other folds that stayed."""
    states, parts, _ = learned_states(monkeypatch, *build(cohort), LEAK_PLAN)
    again, same_parts, _ = learned_states(monkeypatch, *build(disturbed(cohort, rows)), LEAK_PLAN)
    for part, same in zip(parts, same_parts, strict=True):
        np.testing.assert_array_equal(part.train, same.train)
    blind = {part.name for part in parts if np.isin(rows, part.held_out).all()}
    seeing = {part.name for part in parts if np.isin(rows, part.train).any()}
    changed = {name for name in states if states[name] != again[name]}
    return blind, blind & changed, seeing - changed


def rows_of_fold(cohort: Cohort, fold: int) -> NDArray[np.intp]:
    parts = repeated_k_fold(cohort.y["event"], folds=4, repeats=2, seed=LEAK_PLAN.seed)
    return parts[fold].held_out


LEAK_COHORT = made_cohort(100, missing=0.03)


@pytest.mark.parametrize("fold", [0, 3])
def test_held_out_patients_leave_no_trace(monkeypatch: pytest.MonkeyPatch, fold: int) -> None:
    rows = rows_of_fold(LEAK_COHORT, fold)
    blind, leaking, unmoved = leaking_folds(monkeypatch, honest, LEAK_COHORT, rows)
    assert blind == {f"repeat 1, fold {fold + 1}"}
    assert leaking == set()
    assert unmoved == set()  # or the hash would not see what is learned


def test_one_held_out_patient_leaves_no_trace_in_either_repeat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    blind, leaking, unmoved = leaking_folds(monkeypatch, honest, LEAK_COHORT, np.array([17]))
    assert len(blind) == 2
    assert (leaking, unmoved) == (set(), set())


@pytest.mark.parametrize("build", [selecting_on_everyone, scaling_on_everyone, factors_of_everyone])
def test_a_leaking_pipeline_is_found_out(monkeypatch: pytest.MonkeyPatch, build: Build) -> None:
    rows = rows_of_fold(LEAK_COHORT, 0)
    blind, leaking, _ = leaking_folds(monkeypatch, build, LEAK_COHORT, rows)
    assert leaking == blind == {"repeat 1, fold 1"}


def test_external_patients_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = made_cohort(120, external=40, missing=0.03)
    rows = np.arange(80, 120)
    pipelines, _ = honest(cohort)
    plan = Plan(folds=2, repeats=1, bootstrap=0)
    states, _, found = learned_states(monkeypatch, pipelines, cohort, plan)
    again, _, other = learned_states(monkeypatch, pipelines, disturbed(cohort, rows), plan)
    assert states == again
    X = cohort.development.X
    for name, fitted in found.fitted.items():
        moved = other.fitted[name]
        np.testing.assert_array_equal(fitted.cut_points, moved.cut_points)
        np.testing.assert_array_equal(
            fitted.pipeline.linear_predictor(X), moved.pipeline.linear_predictor(X)
        )
        theirs = [v.external["elsewhere"][name].linear_predictor for v in (found, other)]
        assert not np.allclose(*theirs)


# noise predicts nothing -----------------------------------------------------------------------

N_PERMUTATIONS = 20
CHANCE = 0.02  # how far the mean over permutations may lie from 0.5


def shuffled_figures(build: Build, cohort: Cohort) -> dict[str, NDArray[Any]]:
    """Cross-validated C and AUC of one pipeline over permutations of the outcome."""
    rng = np.random.default_rng(2024)
    plan = Plan(folds=3, repeats=1, bootstrap=0, draws=2)
    rows = []
    for _ in range(N_PERMUTATIONS):
        order = rng.permutation(cohort.n_patients)
        pipelines, prepared = build(with_outcome(cohort, cohort.y[order]))
        table = performance(validate(pipelines, prepared, plan=plan), thresholds=[0.5]).table
        rows.append(table[table["validation"] == "cross_validated"])
    ranking = pd.concat(rows).query("metric in ['c_index', 'c_index_uno', 'auc']")
    named = ranking.assign(at=ranking["horizon"].map("{:g}".format))
    return {
        f"{metric} at {at}": group["estimate"].to_numpy()
        for (metric, at), group in named.groupby(["metric", "at"])
    }


def averages_to_chance(figures: NDArray[Any]) -> bool:
    standard_error = figures.std(ddof=1) / np.sqrt(len(figures))
    assert standard_error < CHANCE / 2, "too few patients for the bound to mean anything"
    return bool(abs(figures.mean() - 0.5) < CHANCE)


def regression(kind: str) -> Any:
    return CoxModel(ridge=1.0) if kind == "survival" else LogisticModel(ridge=1.0)


def factor_pipeline(kind: str) -> Build:
    return lambda cohort: (
        {
            "whole": risk_pipeline(
                ["clinical:*", "factors:*"],
                regression(kind),
                factors=factor_model(),
                missing="median",
            )
        },
        cohort,
    )


def boosted_pipeline(_: str) -> Build:
    model = BoostedModel(n_rounds=30, learning_rate=0.1)
    return lambda cohort: ({"whole": risk_pipeline(["mri:*"], model, missing="keep")}, cohort)


def leaking_pipeline(kind: str) -> Build:
    """Five of 300 features chosen by the outcome of all patients, then cross-validated."""

    def build(cohort: Cohort) -> tuple[Pipelines, Cohort]:
        outcome = -cohort.y["time"] if kind == "survival" else cohort.y.astype(float)
        features = cohort.X.filter(regex="^mri|^rna")
        r = features.corrwith(pd.Series(outcome, features.index), method="spearman").abs()
        best = list(r.sort_values().index[-5:])
        return {"leak": risk_pipeline(best, regression(kind))}, cohort

    return build


NAMES = {
    "survival": {
        "c_index at nan",
        "auc at 6",
        "auc at 12",
        "c_index_uno at 6",
        "c_index_uno at 12",
    },
    "binary": {"auc at nan"},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["survival", "binary"])
@pytest.mark.parametrize("pipeline", [factor_pipeline, boosted_pipeline])
def test_shuffled_outcome_cannot_be_predicted(pipeline: Callable[[str], Build], kind: str) -> None:
    found = shuffled_figures(pipeline(kind), made_cohort(500, kind=kind, missing=0.01))
    assert set(found) == NAMES[kind]
    for name, figures in found.items():
        assert len(figures) == N_PERMUTATIONS
        assert averages_to_chance(figures), f"{name}: mean {figures.mean():.3f}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["survival", "binary"])
def test_a_leaking_pipeline_predicts_a_shuffled_outcome(kind: str) -> None:
    found = shuffled_figures(leaking_pipeline(kind), made_cohort(500, kind=kind, p=150))
    assert set(found) == NAMES[kind]
    for figures in found.values():
        assert not averages_to_chance(figures)
        assert figures.mean() > 0.5 + 2 * CHANCE


# the optimism bootstrap of R ------------------------------------------------------------------

TIGHT, LOOSE = 1e-6, 2.5e-3  # rms' Cox refits stop at a relative change of 1e-4


def reference_cohort(kind: str) -> Cohort:
    d = R["data"]
    X = pd.DataFrame(
        {
            "clinical:age": np.array(d["age"], dtype=float),
            "clinical:marker": np.array(d["marker"], dtype=float),
            "clinical:grade": pd.Categorical(d["grade"], categories=["2", "3", "4"]),
        }
    )
    X.index = pd.Index([f"P{i:03d}" for i in range(len(X))], name="patient")
    y = survival_outcome(d["time"], d["event"]) if kind == "survival" else np.array(d["class"]) == 1
    return Cohort(
        X=X,
        y=y,
        outcome=SURVIVAL if kind == "survival" else BINARY,
        group=pd.Series(DEVELOPMENT, index=X.index, name="group", dtype=object),
        kinds={"clinical": "clinical"},
    )


def r_resamples(n_patients: int, *, resamples: int, seed: int) -> list[Resample]:
    """The very resamples that R drew, in place of ours."""
    return [
        Resample(
            name=f"bootstrap {b + 1}",
            repeat=b,
            fold=0,
            train=np.array(rows),
            held_out=np.arange(n_patients),
        )
        for b, rows in enumerate(R["rows"])
    ]


@pytest.fixture
def as_r_drew(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Validation]:
    monkeypatch.setattr(models.validation, "bootstrap", r_resamples)

    def run(kind: str) -> Validation:
        model = CoxModel() if kind == "survival" else LogisticModel()
        return validate(
            {"model": risk_pipeline(["clinical:*"], model)},
            reference_cohort(kind),
            plan=Plan(folds=3, repeats=1, bootstrap=len(R["rows"]), draws=20),
        )

    return run


def sides(found: Validation, name: str) -> tuple[list[Scores], list[Scores]]:
    """Figures in each resample, and in the original patients by the same fits."""
    return found.optimism[name].train, found.optimism[name].test


FIGURES = [
    ("survival", "cox", {"c_index": "c_index", "calibration_slope": "slope"}),
    (
        "binary",
        "logistic",
        {
            "auc": "auc",
            "brier": "brier",
            "calibration_slope": "slope",
            "calibration_intercept": "intercept",
        },
    ),
]


@pytest.mark.parametrize(("kind", "theirs", "names"), FIGURES)
def test_optimism_is_rs_resample_by_resample(
    as_r_drew: Callable[[str], Validation], kind: str, theirs: str, names: Mapping[str, str]
) -> None:
    found = as_r_drew(kind)
    reference = R["by_hand"][theirs]
    table = performance(found, thresholds=[0.5])
    for ours, name in names.items():
        key = Key(ours, np.nan)
        train, test = ([scores[key] for scores in side] for side in sides(found, "model"))
        np.testing.assert_allclose(train, reference["train"][name], atol=TIGHT)
        np.testing.assert_allclose(test, reference["test"][name], atol=TIGHT)
        for validation in ("apparent", "corrected"):
            label = {"corrected": "optimism_corrected"}.get(validation, validation)
            estimate = table.estimate("model", ours, validation=label).estimate
            assert estimate == pytest.approx(reference[validation][name], abs=TIGHT)


@pytest.mark.parametrize(("kind", "theirs", "metric"), [
    ("survival", "cox", "c_index"), ("binary", "logistic", "auc"),
])  # fmt: skip
def test_corrected_figures_are_those_of_rms_validate(
    as_r_drew: Callable[[str], Validation], kind: str, theirs: str, metric: str
) -> None:
    found, rms = as_r_drew(kind), R["rms"][theirs]
    table = performance(found, thresholds=[0.5])

    def corrected(metric: str, validation: str) -> float:
        return table.estimate("model", metric, validation=validation).estimate

    for column, validation in (
        ("index.orig", "apparent"),
        ("index.corrected", "optimism_corrected"),
    ):
        dxy, slope = rms["Dxy"][column], rms["Slope"][column]
        assert 2 * (corrected(metric, validation) - 0.5) == pytest.approx(dxy, abs=LOOSE)
        assert corrected("calibration_slope", validation) == pytest.approx(slope, abs=LOOSE)
        if kind == "binary":
            assert corrected("brier", validation) == pytest.approx(rms["B"][column], abs=TIGHT)
    assert len(found.optimism["model"].train) == rms["Dxy"]["n"]


def test_optimism_only_for_what_is_prespecified() -> None:
    pipelines = {
        "cox": risk_pipeline(["clinical:*"], CoxModel()),
        "ridge": risk_pipeline(["clinical:*", "mri:f1"], CoxModel(ridge="aic")),
        "factors": risk_pipeline(["factors:*"], CoxModel(), factors=factor_model()),
        "trees": risk_pipeline(["clinical:*"], BoostedModel(**QUICK)),
    }
    plan = Plan(folds=2, repeats=1, bootstrap=4, draws=20)
    found = validate(pipelines, made_cohort(80), plan=plan)
    assert list(found.optimism) == ["cox", "ridge"]
    table = performance(found, thresholds=[0.5]).table
    corrected = table[table["validation"] == "optimism_corrected"]
    assert set(corrected["model"]) == {"cox", "ridge"}
    counted = found.failures.query("validation == 'optimism_corrected'")
    assert counted["model"].tolist() == ["cox", "ridge"]
    without = validate(pipelines, made_cohort(80), plan=Plan(folds=2, repeats=1, bootstrap=0))
    assert without.optimism == {}


# what a fold gives ----------------------------------------------------------------------------


def test_out_of_fold_predictions_are_those_of_the_fold_by_hand() -> None:
    cohort = made_cohort(90, external=10)
    plan = Plan(folds=3, repeats=2, bootstrap=0, quantiles=(0.25, 0.75), seed=4)
    found = validate({"cox": risk_pipeline(["clinical:*"], CoxModel())}, cohort, plan=plan)
    X, y, held_out = cohort.development.X, cohort.development.y, found.out_of_fold["cox"]
    assert held_out.risk.shape == (2, 80, 2)
    for part in repeated_k_fold(y["event"], folds=3, repeats=2, seed=4):
        design = Design(["clinical:*"]).fit(X.iloc[part.train])
        train, seen = (design.transform(X.iloc[rows]) for rows in (part.train, part.held_out))
        model = CoxModel().fit(train, y[part.train])
        where = (part.repeat, part.held_out)
        eta = model.linear_predictor(seen)
        np.testing.assert_allclose(held_out.linear_predictor[where], eta, rtol=1e-12)
        for j, horizon in enumerate((6.0, 12.0)):
            np.testing.assert_allclose(
                held_out.risk[where][:, j], model.risk(seen, horizon=horizon), rtol=1e-12
            )
        low, high = np.quantile(model.linear_predictor(train), [0.25, 0.75])
        expected = np.where(eta <= low, 0, np.where(eta <= high, 1, 2))
        np.testing.assert_array_equal(held_out.group[where], expected)
        assert (held_out.fold[where] == part.fold).all()


def test_cut_points_of_trees_are_those_of_unseen_margins() -> None:
    cohort = made_cohort(100, effect=3.0)
    plan = Plan(folds=2, repeats=1, bootstrap=0)
    trees = {"trees": risk_pipeline(["mri:*"], BoostedModel(inner_folds=3))}
    fitted = validate(trees, cohort, plan=plan).fitted["trees"]
    model = fitted.pipeline.model
    assert isinstance(model, BoostedModel)
    assert fitted.cut_points.item() == np.median(model.slope_ * model.unseen_margin_)
    assert fitted.cut_points.item() != np.median(fitted.pipeline.linear_predictor(cohort.X))


@pytest.mark.parametrize("kind", ["survival", "binary"])
def test_external_and_apparent_predictions_come_from_the_frozen_pipeline(kind: str) -> None:
    cohort = made_cohort(120, kind=kind, external=40)
    model = CoxModel() if kind == "survival" else LogisticModel()
    plan = Plan(folds=2, repeats=1, bootstrap=0)
    found = validate({"m": risk_pipeline(["clinical:*"], model)}, cohort, plan=plan)
    pipeline = risk_pipeline(["clinical:*"], model).fit(cohort.development.X, cohort.development.y)
    pairs = [
        (found.apparent["m"], cohort.development),
        (found.external["elsewhere"]["m"], cohort.external["elsewhere"]),
    ]
    for predictions, part in pairs:
        np.testing.assert_array_equal(predictions.y, part.y)
        np.testing.assert_allclose(
            predictions.linear_predictor, pipeline.linear_predictor(part.X), rtol=1e-12
        )
        for j, horizon in enumerate(cohort.outcome.horizons or (None,)):
            np.testing.assert_allclose(
                predictions.risk[:, j], pipeline.risk(part.X, horizon=horizon), rtol=1e-12
            )
    assert (found.n_patients, found.n_events) == (80, cohort.development.n_events)
    size = f"80 patients, {found.n_events} events"
    assert repr(found) == f"Validation(1 models, {size}, 1 x 2-fold, 1 external cohorts)"


# what fails is counted ------------------------------------------------------------------------


def cohort_with_a_lonely_level() -> Cohort:
    """One patient alone has grade 4: a resample without that patient cannot be fitted."""
    cohort = made_cohort(80)
    X = cohort.X.copy()
    grade = np.where(np.arange(80) == 11, "4", np.where(np.arange(80) % 2 == 0, "2", "3"))
    X["clinical:Grade"] = pd.Categorical(grade, categories=["2", "3", "4"])
    return with_table(cohort, X)


def test_failed_resamples_are_counted_with_their_reason() -> None:
    cohort = cohort_with_a_lonely_level()
    plan = Plan(folds=4, repeats=3, bootstrap=30, seed=6)
    pipelines = {
        "grade": risk_pipeline(["clinical:*"], CoxModel(ridge=1.0)),
        "age": risk_pipeline(["clinical:Age"], CoxModel()),
    }
    found = validate(pipelines, cohort, plan=plan)
    without = sum(11 not in part.train for part in bootstrap(80, resamples=30, seed=7))
    assert 0 < without < 30
    table = found.failures.set_index(["model", "validation"])
    assert table.loc["grade", "failed"].to_dict() == {
        "cross_validated": 3,
        "optimism_corrected": without,
    }
    assert table.loc["age", "failed"].tolist() == [0, 0]
    assert table["resamples"].tolist() == [12, 12, 30, 30]
    assert table.loc["grade", "reason"].str.contains("'4'").all()
    assert (table.loc["age", "reason"] == "").all()

    held_out = found.out_of_fold["grade"]
    for repeat in range(3):
        lost = held_out.fold[repeat] == held_out.fold[repeat, 11]
        np.testing.assert_array_equal(np.isnan(held_out.linear_predictor[repeat]), lost)
        np.testing.assert_array_equal(held_out.group[repeat] == -1, lost)
    assert len(found.optimism["grade"].train) == 30 - without

    figures = performance(found, thresholds=[0.5])
    for name in ("grade", "age"):
        interval = figures.estimate(name, "c_index", validation="cross_validated")
        assert interval.lower < interval.estimate < interval.upper
    train, test = ([s[Key("c_index", np.nan)] for s in side] for side in sides(found, "grade"))
    expected = optimism_interval(
        np.array(train),
        np.array(test),
        figures.estimate("grade", "c_index", validation="apparent").estimate,
        level=0.95,
    )
    assert figures.estimate("grade", "c_index", validation="optimism_corrected") == expected


def test_a_model_that_cannot_be_fitted_at_all_is_named() -> None:
    cohort = made_cohort(60)
    X = cohort.X.assign(**{"clinical:Years": cohort.X["clinical:Age"]})
    with pytest.raises(FitError, match="model 'twice' cannot be fitted on the development"):
        validate(
            {"twice": risk_pipeline(["clinical:Age", "clinical:Years"], CoxModel())},
            with_table(cohort, X),
            plan=Plan(folds=2, repeats=1, bootstrap=0),
        )


def test_warnings_of_every_kind_of_resample_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = made_cohort(60)
    impatient = {"m": risk_pipeline(["clinical:*"], CoxModel(max_iterations=1))}
    found = validate(impatient, cohort, plan=Plan(folds=2, repeats=1, bootstrap=0))
    assert any(text.startswith("ConvergenceWarning") for text in found.warnings)
    assert len(set(found.warnings)) == len(found.warnings)

    # a warning of the bootstrap alone
    optimism_task = models.validation.optimism_task

    def complaining(*args: Any) -> Any:
        arrays = optimism_task(*args)
        return arrays | {"warnings": np.array([f"{ConvergenceWarning.__name__}: of a resample"])}

    monkeypatch.setattr(models.validation, "optimism_task", complaining)
    calm = {"m": risk_pipeline(["clinical:*"], CoxModel())}
    found = validate(calm, cohort, plan=Plan(folds=2, repeats=1, bootstrap=2))
    assert found.warnings == ("ConvergenceWarning: of a resample",)


def test_horizon_beyond_follow_up_is_empty_not_guessed() -> None:
    cohort = made_cohort(80, external=20, horizons=(6.0, 500.0))
    plan = Plan(folds=2, repeats=1, bootstrap=2, draws=20)
    found = validate({"m": risk_pipeline(["clinical:*"], CoxModel())}, cohort, plan=plan)
    for risk in (
        found.apparent["m"].risk,
        found.external["elsewhere"]["m"].risk,
        found.out_of_fold["m"].risk[0],
    ):
        assert not np.isnan(risk[:, 0]).any()
        assert np.isnan(risk[:, 1]).all()
    table = performance(found, thresholds=[0.2, 0.5])
    late = table.table[table.table["horizon"] == 500]
    assert set(late["validation"]) == {
        "apparent", "optimism_corrected", "cross_validated", "external"
    }  # fmt: skip
    assert late[["estimate", "lower", "upper"]].isna().all(axis=None)
    assert table.table.query("horizon == 6 and metric == 'brier'")["estimate"].notna().all()
    assert table.decision.query("horizon == 500")["net_benefit"].isna().all()
