"""A signature scores new patients by its formula, and its training patients as if they were new."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.base import clone

import models.signature
import models.signature_tuning
from models.boosting import BoostedModel
from models.calibration import calibration_slope
from models.cox import CoxModel
from models.design import Design
from models.discrimination import roc_auc
from models.findings import model_findings
from models.inner_folds import deal_folds
from models.logistic import LogisticModel
from models.performance import performance
from models.pipeline import RiskPipeline, risk_pipeline
from models.resampling import repeated_k_fold
from models.signature import CROSS_FITTING_FOLDS, Signature
from models.signature_summary import score_by_outcome, signature_summaries, waterfall
from models.signature_tuning import Tuning, tune
from models.validation import Plan, validate
from omics.cohort import Cohort
from omics.errors import FitError, NothingSelectedWarning
from omics.outcome import survival_outcome
from tests.made_cohorts import Counter, learned_states, made_cohort, with_table

COHORT = made_cohort(120, effect=2.0, missing=0.02)
BINARY = made_cohort(120, effect=2.0, kind="binary")
NEW = made_cohort(30, seed=9, missing=0.02).X
PLAN = Plan(folds=3, repeats=2, bootstrap=0, draws=20)


def signature(**settings: Any) -> Signature:
    given = {"rule": "min", "folds": 4, "n_lambda": 25, **settings}
    return Signature(given.pop("predictors", ["mri:*", "rna:*"]), **given)


def combined(model: Any = None, **settings: Any) -> RiskPipeline:
    return risk_pipeline(
        ["signature:*", "clinical:Age"],
        model if model is not None else CoxModel(),
        signatures=[signature(**settings)],
    )


FITTED = signature()
SCORES = FITTED.fit_transform(COHORT.X, COHORT.y)


# what it learns -------------------------------------------------------------------------------


def test_new_patients_are_scored_by_the_formula() -> None:
    table = FITTED.coef_
    assert len(table) > 2
    assert (np.diff(table["standardised"].abs()) <= 0).all()
    values = NEW[table["feature"]].to_numpy()
    filled = np.where(np.isnan(values), table["median"], values)
    expected = FITTED.intercept_ + filled @ table["coefficient"].to_numpy()
    found = FITTED.transform(NEW)
    assert list(found.columns) == ["signature:Radscore"]
    assert found.index.equals(NEW.index)
    np.testing.assert_allclose(found.to_numpy()[:, 0], expected, rtol=1e-10)
    alone = [FITTED.transform(NEW.iloc[[i]]).iloc[0, 0] for i in range(len(NEW))]
    np.testing.assert_allclose(alone, expected, rtol=1e-10)


def test_survival_scores_are_0_at_the_means_and_binary_ones_the_log_odds() -> None:
    table = FITTED.coef_.set_index("feature")
    assert FITTED.level_ == 0
    mean_patient = pd.DataFrame([table["mean"]])
    assert FITTED.transform(mean_patient).iloc[0, 0] == pytest.approx(0, abs=1e-12)
    binary = signature().fit(BINARY.X, BINARY.y)
    risk = 1 / (1 + np.exp(-binary.transform(BINARY.X).to_numpy()[:, 0]))
    assert risk.mean() == pytest.approx(BINARY.y.mean(), abs=1e-7)  # the intercept is not shrunk


def test_a_patient_without_a_view_is_moved_by_it_in_no_direction() -> None:
    views = FITTED.coef_["feature"].str.partition(":")[0]
    assert set(views) == {"mri", "rna"}
    patient = NEW.filter(regex="^mri|^rna").iloc[[0]].fillna(0.0)
    without = patient.copy()
    without.loc[:, without.columns.str.startswith("rna:")] = np.nan
    gone = FITTED.coef_[(views == "rna").to_numpy()]
    shift = (patient[gone["feature"]].to_numpy()[0] - gone["mean"]) @ gone["coefficient"]
    found = FITTED.transform(patient).iloc[0, 0] - FITTED.transform(without).iloc[0, 0]
    assert found == pytest.approx(shift, rel=1e-9)
    nothing = patient.copy()
    nothing.loc[:, :] = np.nan
    assert FITTED.transform(nothing).iloc[0, 0] == FITTED.level_


def test_tables_of_the_path_agree_with_the_signature() -> None:
    deviance, path = FITTED.deviance_, FITTED.path_
    assert list(deviance.columns) == ["lambda", "mean", "standard_error", "n_selected"]
    least = deviance["mean"].idxmin()
    assert FITTED.lambda_ == FITTED.lambda_min_ == deviance.loc[least, "lambda"]
    bound = deviance.loc[least, ["mean", "standard_error"]].sum()
    first = deviance.loc[deviance["mean"] <= bound, "lambda"].max()
    assert FITTED.lambda_1se_ == first >= FITTED.lambda_min_
    here = path[(path["lambda"] == FITTED.lambda_) & (path["coefficient"] != 0)]
    expected = FITTED.coef_.set_index("feature")["coefficient"]
    pd.testing.assert_series_equal(
        here.set_index("feature")["coefficient"].sort_index(), expected.sort_index()
    )
    counted = path[path["coefficient"] != 0].groupby("lambda").size()
    table = deviance.set_index("lambda")["n_selected"]
    assert counted.to_dict() == table[table > 0].to_dict()
    assert len(signature(rule="1se").fit(COHORT.X, COHORT.y).coef_) <= len(FITTED.coef_)


def test_formula_names_every_feature() -> None:
    text = FITTED.formula
    assert text.startswith(f"Radscore = {FITTED.intercept_:.3g} ")
    for feature, value in zip(FITTED.coef_["feature"], FITTED.coef_["coefficient"], strict=True):
        assert f"{'-' if value < 0 else '+'} {abs(value):.3g} × {feature}" in text


def test_what_is_missing_or_constant_is_counted() -> None:
    X = COHORT.X.assign(**{"mri:f3": 2.0, "rna:f5": np.nan})
    rna = X.columns.str.startswith("rna:")
    X.iloc[:7, rna] = np.nan
    fitted = signature().fit(X, COHORT.y)
    assert fitted.dropped_.to_numpy().tolist() == [
        ["mri:f3", "the same value (2) everywhere"],
        ["rna:f5", "no value in any patient"],
    ]
    usable = X.drop(columns=["mri:f3", "rna:f5"])
    gaps = {view: usable.filter(like=f"{view}:").isna() for view in ("mri", "rna")}
    assert fitted.missing_.to_numpy().tolist() == [
        ["mri", 0, gaps["mri"].to_numpy().sum()],
        ["rna", 7, gaps["rna"].iloc[7:].to_numpy().sum()],
    ]


def test_all_that_is_learned_is_plain_data_and_ids_stand_in_one_place() -> None:
    learned = {name: value for name, value in vars(FITTED).items() if name.endswith("_")}
    ids = set(COHORT.X.index)
    for name, value in learned.items():
        assert isinstance(value, (str, int, float, pd.DataFrame, np.ndarray)), name
        if isinstance(value, pd.DataFrame) and name != "cross_fitted_":
            assert not ids & set(value.index), name
            assert not ids & set(value.select_dtypes(object).to_numpy().ravel()), name
    assert learned["cross_fitted_"].index.equals(COHORT.X.index)


# properties -----------------------------------------------------------------------------------


def test_order_of_patients_plays_no_part() -> None:
    order = np.random.default_rng(3).permutation(len(COHORT.X))
    shuffled = signature()
    scores = shuffled.fit_transform(COHORT.X.iloc[order], COHORT.y[order])
    pd.testing.assert_frame_equal(
        shuffled.coef_.drop(columns="feature"), FITTED.coef_.drop(columns="feature"), rtol=1e-5
    )
    assert shuffled.coef_["feature"].tolist() == FITTED.coef_["feature"].tolist()
    np.testing.assert_allclose(scores, SCORES.iloc[order], atol=1e-6)


def test_unit_of_a_feature_plays_no_part() -> None:
    name = FITTED.coef_["feature"].iloc[0]
    X = COHORT.X.assign(**{name: 1000 * COHORT.X[name] - 7})
    other = signature()
    np.testing.assert_allclose(other.fit_transform(X, COHORT.y), SCORES, atol=1e-5)
    assert other.coef_["coefficient"].iloc[0] == pytest.approx(
        FITTED.coef_["coefficient"].iloc[0] / 1000, rel=1e-4
    )


def test_a_reversed_outcome_reverses_the_score() -> None:
    forward, backward = (signature().fit(BINARY.X, y) for y in (BINARY.y, ~BINARY.y))
    np.testing.assert_allclose(
        forward.transform(BINARY.X), -backward.transform(BINARY.X), atol=1e-6
    )
    assert roc_auc(BINARY.y, forward.transform(BINARY.X).to_numpy()[:, 0]) > 0.7


# never double-dipped --------------------------------------------------------------------------


def cross_fitting_fold(cohort: Cohort) -> NDArray[np.intp]:
    event = cohort.y["event"]
    number = pd.factorize(cohort.X.index, sort=True)[0].astype(np.intp)
    return deal_folds(number, event, folds=CROSS_FITTING_FOLDS, seed=1, binary=False, name="folds")


def test_scores_of_training_patients_come_from_fits_without_them() -> None:
    fold = cross_fitting_fold(COHORT)
    held_out = fold == 2
    table = COHORT.X.filter(regex="^mri|^rna")
    number = np.arange(len(table))
    tuned = tune(
        table[~held_out], COHORT.y[~held_out], number[~held_out],
        mix=1.0, folds=4, n_lambda=25, seed=0,
    )  # fmt: skip
    coef, columns = tuned.coef[tuned.at_min], tuned.columns
    values = table[held_out].to_numpy()
    filled = np.where(np.isnan(values), columns.medians, values)
    np.testing.assert_allclose(
        SCORES.to_numpy()[held_out, 0], (filled - columns.means) @ coef, atol=1e-9
    )
    assert np.abs(SCORES - FITTED.transform(COHORT.X)).to_numpy().max() > 0.05


def test_no_score_depends_on_the_outcome_of_its_own_fold() -> None:
    fold = cross_fitting_fold(COHORT)
    y = COHORT.y.copy()
    y["time"][fold == 1] = np.random.default_rng(5).uniform(1, 40, (fold == 1).sum())
    again = signature().fit_transform(COHORT.X, y)
    np.testing.assert_array_equal(again[fold == 1], SCORES[fold == 1])
    assert np.abs(again - SCORES).to_numpy()[fold != 1].max() > 0.01


def test_copies_of_a_patient_never_straddle_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    rows = rng.integers(0, len(BINARY.X), len(BINARY.X))
    X, y = BINARY.X.iloc[rows], BINARY.y[rows]
    seen: list[tuple[list[str], NDArray[np.intp]]] = []
    original = models.signature_tuning.tune_in_folds

    def spy(table: pd.DataFrame, outcome: Any, fold: NDArray[np.intp], **settings: Any) -> Tuning:
        seen.append((table.index.tolist(), fold))
        return original(table, outcome, fold, **settings)

    monkeypatch.setattr(models.signature_tuning, "tune_in_folds", spy)
    signature().fit_transform(X, y)
    assert len(seen) == 1 + CROSS_FITTING_FOLDS
    for patients, fold in seen:
        assert pd.Series(fold).groupby(patients).nunique().max() == 1
    left_out = [set(seen[0][0]) - set(patients) for patients, _ in seen[1:]]
    assert sum(map(len, left_out)) == len(set(X.index))  # each patient is left out once


def draw_null(rng: np.random.Generator, n: int) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Age decides; 200 features are noise."""
    X = pd.DataFrame(rng.normal(size=(n, 200)), columns=[f"mri:f{j}" for j in range(200)])
    X.insert(0, "clinical:Age", rng.normal(size=n))
    X.index = pd.Index([f"P{i}" for i in range(n)])
    return X, rng.random(n) < 1 / (1 + np.exp(0.3 - 1.2 * X["clinical:Age"].to_numpy()))


@pytest.mark.parametrize("greedy", [False, True])
def test_null_radiomics_leave_the_combined_model_unharmed(
    monkeypatch: pytest.MonkeyPatch, greedy: bool
) -> None:
    """METHODS: naive .567 with slope .06, out-of-fold scores .729 and .90; age alone about .78.

    A LASSO's own penalty mostly keeps nothing of noise. `greedy` takes the end of the path instead,
    some fifty features: the scores that a signature without tuning gives.
    """
    if greedy:
        monkeypatch.setattr(Tuning, "chosen", lambda self, rule: len(self.penalty) - 1)
    predictors = ["signature:Radscore", "clinical:Age"]
    found = []
    for seed in (3, 4, 6):
        rng = np.random.default_rng(seed)
        (X, y), (new, event) = draw_null(rng, 150), draw_null(rng, 2000)
        learned = Signature(["mri:*"], rule="min", folds=5, n_lambda=30)
        honest = risk_pipeline(predictors, LogisticModel(), signatures=[learned])
        with warnings.catch_warnings():  # of some samples the LASSO keeps nothing
            warnings.simplefilter("ignore", NothingSelectedWarning)
            honest.fit(X, y)
        frozen = honest.signatures[0]
        design = Design(predictors).fit(X.join(frozen.transform(X)))
        naive = LogisticModel().fit(design.transform(X.join(frozen.transform(X))), y)
        age = risk_pipeline(["clinical:Age"], LogisticModel()).fit(X, y)
        predicted = (
            age.linear_predictor(new),
            honest.linear_predictor(new),
            naive.linear_predictor(design.transform(new.join(frozen.transform(new)))),
        )
        found.append(
            [roc_auc(event, eta) for eta in predicted]
            + [calibration_slope(event, eta) for eta in predicted]
        )
    auc_age, auc_honest, auc_naive, slope_age, slope_honest, slope_naive = np.mean(found, axis=0)
    assert auc_honest > auc_age - 0.015
    assert slope_honest > slope_age - 0.08
    if greedy:
        assert auc_naive < auc_age - 0.15
        assert slope_naive < 0.2
    else:
        assert auc_naive < auc_honest


# nothing selected -----------------------------------------------------------------------------


def null_cohort(kind: str) -> Cohort:
    cohort = made_cohort(120, effect=2.0, kind=kind, external=20)
    noise = np.random.default_rng(9).normal(size=(len(cohort.X), 12))
    names = [f"mri:f{j}" for j in range(12)]
    return with_table(cohort, cohort.X.assign(**dict(zip(names, noise.T, strict=True))))


@pytest.mark.parametrize("kind", ["survival", "binary"])
def test_a_signature_of_nothing_is_said_and_survived(kind: str) -> None:
    cohort = null_cohort(kind)
    development = cohort.development
    settings = {"predictors": ["mri:*"], "rule": "1se"}
    alone = signature(**settings)
    with pytest.warns(NothingSelectedWarning, match="'Radscore' selected no feature"):
        scores = alone.fit_transform(development.X, development.y)
    assert alone.coef_.empty
    assert alone.formula == f"Radscore = {alone.level_:.3g}"
    assert (scores.to_numpy() == alone.level_).all()
    assert (alone.transform(NEW).to_numpy() == alone.level_).all()
    share = development.y.mean() if kind == "binary" else 0.5
    assert alone.level_ == pytest.approx(np.log(share / (1 - share)))

    model = CoxModel if kind == "survival" else LogisticModel
    pipelines = {
        "both": combined(model(), **settings),
        "alone": risk_pipeline(["signature:Radscore"], model(), signatures=[signature(**settings)]),
        "age": risk_pipeline(["clinical:Age"], model()),
    }
    found = validate(pipelines, cohort, plan=PLAN)
    both, age = (found.fitted[name].pipeline for name in ("both", "age"))
    np.testing.assert_array_equal(both.risk(NEW, horizon=_horizon(kind)),
                                  age.risk(NEW, horizon=_horizon(kind)))  # fmt: skip
    assert "signature:Radscore" in both.design.dropped_["column"].tolist()
    assert (
        len(set(found.out_of_fold["alone"].risk[0, found.out_of_fold["alone"].fold[0] == 0, 0]))
        == 1
    )
    table = performance(found, thresholds=[0.5])
    metric = "c_index" if kind == "survival" else "auc"
    assert (
        table.estimate("alone", metric, validation="external", cohort="elsewhere").estimate == 0.5
    )
    codes = {f.code: f for f in model_findings(found, table, cohort)}
    assert codes["nothing_selected"].severity == "serious"
    assert codes["nothing_selected"].where == "Radscore"


def _horizon(kind: str) -> float | None:
    return 6.0 if kind == "survival" else None


def test_trees_without_any_column_say_so() -> None:
    cohort = null_cohort("binary").development
    trees = risk_pipeline(
        ["signature:*"], BoostedModel(), signatures=[signature(predictors=["mri:*"], rule="1se")]
    )
    with (
        pytest.warns(NothingSelectedWarning),
        pytest.raises(FitError, match="a signature that selected nothing"),
    ):
        trees.fit(cohort.X, cohort.y)


def test_no_usable_feature_is_a_signature_of_nothing() -> None:
    X = COHORT.X.assign(**{"mri:f0": np.nan, "mri:f1": 3.0})
    empty = signature(predictors=["mri:f0", "mri:f1"])
    with pytest.warns(NothingSelectedWarning):
        scores = empty.fit_transform(X, COHORT.y)
    assert len(empty.dropped_) == 2
    assert (scores == 0).all(axis=None)


# in a pipeline --------------------------------------------------------------------------------


def test_pipeline_is_its_steps_by_hand() -> None:
    pipeline = combined().fit(COHORT.X, COHORT.y)
    design = Design(["signature:*", "clinical:Age"])
    model = CoxModel().fit(design.fit_transform(COHORT.X.join(SCORES)), COHORT.y)
    new = design.transform(NEW.join(FITTED.transform(NEW)))
    np.testing.assert_allclose(
        pipeline.linear_predictor(NEW), model.linear_predictor(new), rtol=1e-9
    )
    unseen = model.linear_predictor(design.transform(COHORT.X.join(SCORES)))
    np.testing.assert_allclose(pipeline.unseen_linear_predictor(COHORT.X), unseen, rtol=1e-9)
    assert not pipeline.prespecified
    assert not pipeline.bootstrap_is_valid(COHORT.y)
    assert [one.name for one in pipeline.signatures] == ["Radscore"]
    assert pipeline.factor_model is None
    assert not hasattr(clone(pipeline).signatures[0], "coef_")


def test_several_signatures_and_trees_live_in_one_pipeline() -> None:
    pipeline = risk_pipeline(
        ["signature:MRI", "signature:RNA", "clinical:Age"],
        BoostedModel(n_rounds=5, inner_folds=3),
        signatures=[
            signature(name="MRI", predictors=["mri:*"]),
            signature(name="RNA", predictors=["rna:*"], mix=0.5),
        ],
        missing="keep",
    ).fit(COHORT.X, COHORT.y)
    assert list(pipeline.unseen_design_matrix(COHORT.X).columns) == [
        "signature:MRI", "signature:RNA", "clinical:Age",
    ]  # fmt: skip
    assert len(pipeline.unseen_linear_predictor(COHORT.X)) == len(COHORT.X)


def test_validation_refits_cuts_unseen_and_counts_selection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fits = Counter(monkeypatch, Signature, "_fit")
    pipelines = {
        "both": combined(),
        "alone": risk_pipeline(["signature:*"], CoxModel(), signatures=[signature()]),
    }
    found = validate(pipelines, COHORT, plan=PLAN)
    assert fits.calls == 1 + 3 * 2  # two models share one fit
    assert found.optimism == {}
    fitted = found.fitted["both"]
    unseen = fitted.pipeline.unseen_linear_predictor(COHORT.X)
    assert fitted.cut_points.item() == np.median(unseen)
    table = found.selection
    assert set(table["model"]) == {"both", "alone"}
    both, alone = (table[table["model"] == name].drop(columns="model") for name in pipelines)
    assert both.to_numpy().tolist() == alone.to_numpy().tolist()
    assert (table["resamples"] == 6).all()
    assert both["selected"].between(1, 6).all()
    assert both["share"].is_monotonic_decreasing
    np.testing.assert_allclose(both["share"], both["selected"] / 6)
    summary = signature_summaries(found, COHORT)["Radscore"]
    pd.testing.assert_series_equal(summary.scores, SCORES.iloc[:, 0], rtol=1e-9)
    codes = {f.code for f in model_findings(found, performance(found, thresholds=[0.5]), COHORT)}
    assert "nothing_selected" not in codes


def test_no_fold_sees_its_held_out_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(folds=2, repeats=1, bootstrap=0)
    part, other = repeated_k_fold(COHORT.y["event"], folds=2, repeats=1, seed=plan.seed)
    X, y = COHORT.X.copy(), COHORT.y.copy()
    numbers = X.columns.str.match("mri|rna")
    X.iloc[part.held_out, numbers] = 3 - 2 * X.iloc[part.held_out, numbers]
    y["time"][part.held_out] = y["time"][part.held_out][::-1]
    pipelines = {"both": combined()}
    before, _, _ = learned_states(monkeypatch, pipelines, COHORT, plan)
    after, _, _ = learned_states(monkeypatch, pipelines, with_table(COHORT, X, y), plan)
    assert after[part.name] == before[part.name]
    assert after[other.name] != before[other.name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"predictors": ["signature:Radscor"]}, "'signature:Radscor' is none of 1.*Did you mean"),
        ({"predictors": ["clinical:Age"]}, "none names 'signature:Radscore'"),
        ({"signatures": []}, "'signature:Radscore' is none of 0"),
        ({"signatures": [signature(), signature(mix=0.5)]}, "'signature:Radscore' comes twice"),
        ({"signatures": [signature(predictors=["factors:*"])]}, "names 'factors:\\*'"),
    ],
)
def test_what_does_not_fit_together_is_refused(arguments: dict[str, Any], message: str) -> None:
    given = {"predictors": ["signature:Radscore"], "signatures": [signature()], **arguments}
    with pytest.raises(ValueError, match=message):
        risk_pipeline(model=CoxModel(), **given)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mix": 0.0}, "mix must be above 0 and at most 1, but 0.0"),
        ({"rule": "best"}, "rule must be one of .*'best'"),
        ({"folds": 1}, "folds must be a whole number of at least 2, but 1"),
        ({"name": "a:b"}, "name must be a text without ':'"),
        ({"predictors": ["mir:*"]}, "Did you mean 'mri:\\*'"),
        ({"predictors": ["clinical:*"]}, "must be numbers, but 'clinical:Grade'"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        signature(**settings).fit(COHORT.X, COHORT.y)


def test_wrong_tables_are_named() -> None:
    with pytest.raises(ValueError, match="1 are absent"):
        FITTED.transform(NEW.drop(columns=FITTED.coef_["feature"].iloc[0]))
    endless = COHORT.X.assign(**{"mri:f0": np.inf})
    with pytest.raises(ValueError, match="mri:f0 must be finite, but 120"):
        signature().fit(endless, COHORT.y)
    with pytest.raises(ValueError, match="X has 120 and y 100"):
        signature().fit(COHORT.X, COHORT.y[:100])
    few = survival_outcome(np.arange(1.0, 121), np.arange(120) < 3)
    with pytest.raises(FitError, match=r"4 folds were asked for and 3 of 120 patients"):
        signature().fit(COHORT.X, few)


# what a report shows --------------------------------------------------------------------------


def test_scores_by_outcome_leave_out_the_unknown() -> None:
    y = survival_outcome([2.0, 4.0, 6.0, 8.0, 3.0], [True, False, True, True, True])
    table = score_by_outcome(np.array([5.0, 9.0, 1.0, 3.0, 7.0]), y, horizons=(5.0, 7.0))
    assert table[["horizon", "event", "n_patients", "median", "n_unknown"]].to_numpy().tolist() == [
        [5.0, False, 2, 2.0, 1],
        [5.0, True, 2, 6.0, 1],
        [7.0, False, 1, 3.0, 1],
        [7.0, True, 3, 5.0, 1],
    ]
    binary = score_by_outcome(np.arange(5.0), np.array([0, 0, 1, 1, 1], dtype=bool), horizons=())
    assert binary[["minimum", "q1", "median", "q3", "maximum"]].to_numpy().tolist() == [
        [0, 0.25, 0.5, 0.75, 1],
        [2, 2.5, 3, 3.5, 4],
    ]


def test_waterfall_holds_no_id() -> None:
    table = waterfall(SCORES.to_numpy()[:, 0], COHORT.y)
    assert table.index.tolist() == list(range(len(COHORT.X)))
    assert table["deviation"].median() == pytest.approx(0, abs=1e-12)
    assert table["event"].sum() == COHORT.n_events
    assert table["score"].is_monotonic_increasing
