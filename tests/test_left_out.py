"""The .632+ of pipelines: rms and arrays as witnesses, memorisers, copies, failures."""

import numpy as np
import pandas as pd
import pytest

from models.accuracy import brier_at
from models.boosting import BoostedModel
from models.censoring import censoring_weights
from models.cox import CoxModel
from models.left_out import (
    LeftOut,
    left_out_scores,
    left_out_task,
    left_out_weights,
    no_information,
    point_632_plus_scores,
)
from models.logistic import LogisticModel
from models.one_resample import predictions_of
from models.optimism import cox_optimism, logistic_optimism, point_632_plus
from models.performance import performance
from models.pipeline import risk_pipeline
from models.resampling import Resample, bootstrap, left_out_bootstrap
from models.scores import Key, Predictions, ranking_scores
from models.signature import Signature
from models.validation import Plan, validate
from omics.cohort import Cohort
from omics.outcome import survival_outcome
from tests.made_cohorts import made_cohort, with_outcome, with_table
from tests.test_validation import cohort_with_a_lonely_level, reference_cohort
from tests.validation_reference import CLASS, COUNTS, EVENT, OLD, TIME, X

QUICK = {"n_rounds": 40, "learning_rate": 0.3, "inner_folds": 3}
NAN = np.nan  # one object: a key finds itself by it


def r_parts() -> list[Resample]:
    everyone = np.arange(len(TIME))
    return [
        Resample(
            name=str(b), repeat=b, fold=0, train=np.array(rows),
            held_out=np.setdiff1d(everyone, rows),
        )
        for b, rows in enumerate(OLD["rows"])
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["survival", "binary"])
def test_left_out_figures_are_those_of_the_arrays(kind: str) -> None:
    # models.optimism is tested against rms::validate(method = ".632") with these draws
    cohort = reference_cohort(kind)
    model = CoxModel() if kind == "survival" else LogisticModel()
    pipelines = {"model": risk_pipeline(["clinical:*"], model)}
    parts, horizons = r_parts(), cohort.outcome.horizons
    fitted = pipelines["model"].fit(cohort.X, cohort.y)
    apparent = predictions_of(fitted, cohort.X, cohort.y, horizons)
    data = (cohort.X, cohort.y, horizons, {"model": apparent})
    found = [left_out_task(pipelines, *data, part) for part in parts]
    one = left_out_scores(0, apparent, left_out_weights(parts, len(cohort.y)), found)
    theirs = (
        cox_optimism(X, TIME, EVENT, COUNTS, method=".632+")
        if kind == "survival"
        else logistic_optimism(X, CLASS, COUNTS, method=".632+")
    ).table.set_index("index")
    ranking = Key("c_index" if kind == "survival" else "auc", NAN)
    assert 2 * one.mean(ranking) - 1 == pytest.approx(theirs.loc["dxy", "test"], abs=1e-6)
    plus = point_632_plus_scores(apparent, one)
    assert 2 * plus[ranking] - 1 == pytest.approx(theirs.loc["dxy", "corrected"], abs=1e-6)
    if kind == "binary":
        brier = Key("brier", NAN)
        assert one.mean(brier) == pytest.approx(theirs.loc["brier", "test"], abs=1e-6)
        assert plus[brier] == pytest.approx(theirs.loc["brier", "corrected"], abs=1e-6)


def test_brier_without_information_is_the_mean_over_all_pairs() -> None:
    rng = np.random.default_rng(3)
    cohort = made_cohort(60)
    y, risk = cohort.y, rng.random(60)
    p = Predictions(y=y, linear_predictor=risk, risk=risk[:, np.newaxis], horizons=(6.0,))
    pairs = [brier_at(y["time"], y["event"], np.full(60, r), horizon=6.0) for r in risk]
    found = no_information(p)
    assert found[Key("brier", 6.0)] == pytest.approx(np.mean(pairs), abs=1e-12)
    assert found[Key("c_index_uno", 6.0)] == found[Key("auc", 6.0)] == 0.5
    late = no_information(Predictions(y=y, linear_predictor=risk, risk=risk[:, None] * NAN,
                                      horizons=(500.0,)))  # fmt: skip
    assert np.isnan(late[Key("brier", 500.0)])
    weights = censoring_weights(y["time"], y["event"], horizon=6.0)
    assert weights.mean() == pytest.approx(1, abs=0.2)


def test_ipa_follows_from_the_brier_score() -> None:
    y = np.array([True, False, True, False])
    risk = np.array([0.9, 0.2, 0.6, 0.4])
    p = Predictions(y=y, linear_predictor=risk, risk=risk[:, np.newaxis], horizons=())
    out = {Key("auc", NAN): 0.75, Key("brier", NAN): 0.2, Key("ipa", NAN): 0.2}
    found = point_632_plus_scores(p, LeftOut(scores=[out], weights=np.ones(1), n_resamples=1))
    own = (0.01 + 0.04 + 0.16 + 0.16) / 4
    chance = 0.5 - 2 * 0.5 * risk.mean() + (risk**2).mean()
    brier = point_632_plus(own, 0.2, chance)
    assert found[Key("brier", NAN)] == pytest.approx(brier)
    assert found[Key("ipa", NAN)] == pytest.approx(1 - brier / 0.25)  # .5 (1 - .5)
    assert found[Key("auc", NAN)] == pytest.approx(point_632_plus(1.0, 0.75, 0.5))
    assert list(found) == list(ranking_scores(p))


def test_memorisers_of_noise_are_worth_nothing() -> None:
    rng = np.random.default_rng(5)
    cohort = made_cohort(120)
    noise = with_outcome(cohort, cohort.y[rng.permutation(120)])
    pipelines = {
        "trees": risk_pipeline(["mri:*", "rna:*"], BoostedModel(**QUICK)),
        "selected": risk_pipeline(
            ["signature:S"], CoxModel(),
            signatures=[Signature(["mri:*", "rna:*"], name="S", folds=3)],
        ),
    }  # fmt: skip
    plan = Plan(folds=2, repeats=1, bootstrap=20, bootstrap_632=50, draws=20, n_jobs=2)
    found = validate(pipelines, noise, plan=plan)
    assert found.optimism == {}
    figures = performance(found, thresholds=[0.5])
    for name in pipelines:
        plus = figures.estimate(name, "c_index", validation="bootstrap_632_plus")
        apparent = figures.estimate(name, "c_index", validation="apparent")
        assert abs(plus.estimate - 0.5) < 0.12  # one sample of 120 spreads by .05
        assert np.isnan(plus.lower)
        assert apparent.estimate >= plus.estimate
    assert figures.estimate("trees", "c_index", validation="apparent").estimate > 0.8


def test_failed_samples_are_counted() -> None:
    pipelines = {"grade": risk_pipeline(["clinical:*"], CoxModel(ridge=1.0))}
    plan = Plan(folds=4, repeats=1, bootstrap=0, bootstrap_632=50, seed=6)
    found = validate(pipelines, cohort_with_a_lonely_level(), plan=plan)
    without = sum(11 not in part.train for part in left_out_bootstrap(80, resamples=50, seed=8))
    row = found.failures.query("validation == 'bootstrap_632_plus'").iloc[0]
    assert (row["failed"], row["resamples"]) == (without, 50)
    assert repr(found.left_out["grade"]) == f"LeftOut({50 - without} of 50 resamples)"
    assert found.complete_case is None


def test_patients_in_every_sample_are_refused() -> None:
    parts = [
        Resample(name="a", repeat=0, fold=0, train=np.array([0, 0, 1]), held_out=np.array([2])),
        Resample(name="b", repeat=1, fold=0, train=np.array([0, 2, 2]), held_out=np.array([1])),
    ]
    with pytest.raises(ValueError, match=r"1 of 3 patients never are .*Draw more resamples"):
        left_out_weights(parts, 3)


def test_nothing_left_out_depends_on_the_jobs() -> None:
    cohort = made_cohort(80)
    pipelines = {"cox": risk_pipeline(["clinical:*"], CoxModel())}
    one, two = (
        validate(
            pipelines, cohort,
            plan=Plan(folds=2, repeats=1, bootstrap=0, bootstrap_632=50, n_jobs=n),
        ).left_out["cox"]
        for n in (1, 2)
    )  # fmt: skip
    assert one.scores == two.scores
    np.testing.assert_array_equal(one.weights, two.weights)
    assert one.weights.sum() == pytest.approx(1)


def with_a_thin_stratum() -> Cohort:
    """Stratum b alone is followed to the horizon 12, by one of its 20 patients."""
    cohort = made_cohort(120)
    thin = np.arange(120) < 20
    time = np.where(thin, np.minimum(cohort.y["time"], 11), cohort.y["time"])
    time[0] = 13.0
    X = cohort.X.assign(**{"clinical:Site": pd.Categorical(np.where(thin, "b", "a"))})
    return with_outcome(with_table(cohort, X), survival_outcome(time, cohort.y["event"]))


def test_samples_that_cannot_predict_the_same_patients_have_failed() -> None:
    cohort = with_a_thin_stratum()
    pipelines = {"m": risk_pipeline(["clinical:Age"], CoxModel(), strata="clinical:Site")}
    plan = Plan(folds=2, repeats=1, bootstrap=40, bootstrap_632=50, draws=20, seed=2)
    found = validate(pipelines, cohort, plan=plan)
    lacking = sum(0 not in part.train for part in bootstrap(120, resamples=40, seed=3))
    table = found.failures.set_index("validation")
    assert table.loc["optimism_corrected", "failed"] >= lacking > 0
    assert "nobody of their stratum is in the sample" in table.loc["optimism_corrected", "reason"]
    assert table.loc["bootstrap_632_plus", "failed"] > 0
    optimism = performance(found, thresholds=[0.5]).optimism
    assert (optimism["n_failed"] >= lacking).all()
    assert len(found.left_out["m"].scores) == 50 - table.loc["bootstrap_632_plus", "failed"]
