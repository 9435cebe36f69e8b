"""A stratified Cox model from the pipeline to the passport: predictions, ranking, tables, words.

Witnesses: survival, Hmisc and riskRegression (`reference/strata.R`), and identities by hand.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.boosting import BoostedModel
from models.bootstrap_refits import index_scores
from models.calibration import calibration_slope_survival
from models.comparison import compare
from models.cox import CoxModel
from models.cox_curves import cox_curves
from models.discrimination import c_index
from models.intervals import StrataSpread, hazard_spread, risk_interval
from models.linearity import linearity_test
from models.logistic import LogisticModel
from models.moment import check_moment, columns_read
from models.nomogram import nomogram
from models.one_resample import cut_points, predictions_of
from models.passport import read_passport, write_passport
from models.passport_making import make_passport
from models.pipeline import RiskPipeline, risk_pipeline
from models.proportional_hazards import proportional_hazards_test
from models.regression_tables import regression_table
from models.scores import Key, Predictions, all_scores, ranking_scores, slope_scores
from models.strata_findings import strata_findings
from models.stratified_indexes import stratified_cox_indexes
from models.updated_model import UpdatedModel
from models.updating import updating
from models.validation import Plan, Validation, validate
from omics.cohort import DEVELOPMENT, Cohort
from omics.errors import ExtrapolationWarning, StudyError
from omics.outcome import Outcome, survival_outcome

R: dict[str, Any] = json.loads((Path(__file__).parent / "reference" / "strata.json").read_text())
HORIZONS = (12.0, 24.0)
PREDICTORS = ["clinical:Age", "clinical:Mutant"]


def table_of(data: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "clinical:Age": np.asarray(data["age"], dtype=np.float64),
            "clinical:Mutant": np.asarray(data["mutant"], dtype=np.float64),
            "clinical:Centre": pd.Categorical(data["centre"], ["A", "B", "C"]),
        }
    )


X = table_of(R["data"])
Y = survival_outcome(R["data"]["time"], R["data"]["event"])
WORDS: dict[str, Any] = {"strata": "clinical:Centre"}


def stratified(**options: Any) -> RiskPipeline:
    return risk_pipeline(PREDICTORS, CoxModel(**options), strata="clinical:Centre")


def fitted(**options: Any) -> RiskPipeline:
    return stratified(**options).fit(X, Y)


# ---- against R


def test_coefficients_and_risks_are_those_of_survival() -> None:
    pipeline = fitted()
    np.testing.assert_allclose(pipeline.model.coef_, R["coef"], rtol=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(pipeline.model.covariance_)), R["error"], rtol=1e-6)
    _, risk = pipeline.predict_all(X, horizons=HORIZONS)
    np.testing.assert_allclose(risk, R["risk"], atol=1e-8)


def test_intervals_are_those_of_survfit() -> None:
    pipeline = fitted()
    matrix = pipeline.design_matrix(X)
    spread = hazard_spread(pipeline.model, matrix, Y, horizons=HORIZONS)
    assert isinstance(spread, StrataSpread)
    assert spread.strata == ("A", "B", "C")
    for j, horizon in enumerate(HORIZONS):
        lower, upper = risk_interval(
            pipeline.model, matrix, horizon=horizon, level=0.95, spread=spread
        )
        np.testing.assert_allclose(lower, np.array(R["lower"])[:, j], atol=1e-7)
        np.testing.assert_allclose(upper, np.array(R["upper"])[:, j], atol=1e-7)


def test_patients_of_all_strata_are_ranked_by_risk_as_risk_regression_ranks_them() -> None:
    scores = all_scores(predictions_of(fitted(), X, Y, HORIZONS))
    by_name = {(key.metric, key.horizon): value for key, value in scores.items()}
    c_of_all = next(value for (metric, _), value in by_name.items() if metric == "c_index")
    assert c_of_all == pytest.approx(R["c_of_risk"], abs=1e-10)
    # survival::concordance of the fit compares within strata alone: another question
    assert abs(c_of_all - R["c_within"]) > 0.02
    auc = [by_name["auc", horizon] for horizon in HORIZONS]
    np.testing.assert_allclose(auc, R["auc_of_risk"], atol=1e-8)
    breslow = all_scores(predictions_of(fitted(ties="breslow"), X, Y, HORIZONS))
    auc = [value for key, value in breslow.items() if key.metric == "auc"]
    np.testing.assert_allclose(auc, R["auc_of_fit"], atol=1e-8)


def test_c_within_strata_is_that_of_survival() -> None:
    """The linear predictor, compared within strata, gives survival's figure: the same fit."""
    eta, pairs, agreeing = fitted().linear_predictor(X), 0.0, 0.0
    for level in "ABC":
        own = (X["clinical:Centre"] == level).to_numpy()
        time, event, score = Y["time"][own], Y["event"][own], eta[own]
        earlier = (time[:, None] < time) & event[:, None]
        earlier |= (time[:, None] == time) & event[:, None] & ~event
        better = np.where(score[:, None] > score, 1.0, 0.5 * (score[:, None] == score))
        pairs, agreeing = pairs + earlier.sum(), agreeing + better[earlier].sum()
    assert agreeing / pairs == pytest.approx(R["c_within"], abs=1e-10)


def test_the_slope_is_that_within_strata() -> None:
    half, other = np.arange(0, len(X), 2), np.arange(1, len(X), 2)
    pipeline = stratified().fit(X.iloc[half], Y[half])
    p = predictions_of(pipeline, X.iloc[other], Y[other], HORIZONS)
    (slope,) = slope_scores(p).values()
    assert slope == pytest.approx(R["slope"], rel=1e-6)
    without = calibration_slope_survival(Y["time"][other], Y["event"][other], p.linear_predictor)
    assert abs(slope - without) > 0.01


def test_indexes_of_the_fit_are_those_of_rms_validate() -> None:
    p = predictions_of(fitted(), X, Y, HORIZONS)
    found = {key.metric: value for key, value in index_scores(p, of_the_fit=True).items()}
    names = {"dxy": "Dxy", "r_squared": "R2", "d": "D", "u": "U", "q": "Q", "g": "g"}
    for ours, theirs in names.items():  # rms stops its fit at a relative change of 1e-4
        assert found[ours] == pytest.approx(R["validated"][theirs], rel=2e-4), ours
    again = index_scores(p, of_the_fit=False)
    assert again[Key("u", np.nan)] == pytest.approx(0, abs=1e-9)


def test_indexes_of_other_patients_are_rms_formulas() -> None:
    half, other = np.arange(0, len(X), 2), np.arange(1, len(X), 2)
    pipeline = stratified().fit(X.iloc[half], Y[half])
    p = predictions_of(pipeline, X.iloc[other], Y[other], HORIZONS)
    found = stratified_cox_indexes(
        p.linear_predictor,
        p.ranking(),
        p.y["time"],
        p.y["event"],
        strata=X["clinical:Centre"].iloc[other],
        of_the_fit=True,  # it is not: the slope is far from 1, and U is that of the refit
    )
    for name, value in R["there"].items():
        assert found[name] == pytest.approx(value, rel=1e-6), name
    assert found["q"] == found["d"] - found["u"]


def test_indexes_without_a_finite_refit_are_unknown() -> None:
    apart = stratified_cox_indexes(
        [4, 3, 2, 1], [4, 3, 2, 1], [1, 2, 3, 4], [1] * 4, strata=[0] * 4
    )
    assert np.isnan(list(apart.values())).all()


def test_tables_and_tests_are_within_strata() -> None:
    pipeline = fitted()
    table = regression_table(pipeline, X, Y).table
    for name, alone in zip(PREDICTORS, R["alone"], strict=True):
        row = table[(table["term"] == name) & (table["analysis"] == "univariable")].iloc[0]
        assert np.log(row["estimate"]) == pytest.approx(alone["coef"], rel=1e-6)
        width = np.log(row["upper"] / row["lower"]) / 2 / 1.959963984540054
        assert width == pytest.approx(alone["error"], rel=1e-6)
    matrix = pipeline.design_matrix(X)
    terms = [term for term in pipeline.design.terms_ if term.name == "clinical:Age"]
    bend = linearity_test(pipeline.model, matrix, Y, terms=terms).table
    assert bend["chi2"].item() == pytest.approx(R["bend"], rel=1e-5)
    columns = pipeline.design.columns_of_terms()
    drift = proportional_hazards_test(pipeline.model, matrix, Y, terms=columns).table
    np.testing.assert_allclose(drift["chi2"], R["zph"], rtol=1e-5)


def test_a_robust_model_has_the_sandwich_in_every_column_of_the_table() -> None:
    pipeline = fitted(robust=True)
    errors = np.sqrt(np.diag(pipeline.model.covariance_))
    np.testing.assert_allclose(errors, R["robust_error"], rtol=1e-6)
    table = regression_table(pipeline, X, Y).table
    row = table[(table["term"] == PREDICTORS[0]) & (table["analysis"] == "univariable")].iloc[0]
    width = np.log(row["upper"] / row["lower"]) / 2 / 1.959963984540054
    assert width == pytest.approx(R["robust_alone"], rel=1e-6)


# ---- identities


def test_one_stratum_is_no_stratum() -> None:
    same = X.assign(**{"clinical:Centre": pd.Categorical(["A"] * len(X))})
    one, plain = stratified().fit(same, Y), risk_pipeline(PREDICTORS, CoxModel()).fit(X, Y)
    p, q = predictions_of(one, same, Y, HORIZONS), predictions_of(plain, X, Y, HORIZONS)
    np.testing.assert_allclose(p.risk, q.risk, atol=1e-12)
    ours, theirs = all_scores(p), all_scores(q)
    for key, value in theirs.items():
        assert ours[key] == pytest.approx(value, abs=1e-10), key


@settings(max_examples=10, deadline=None)
@given(st.permutations(["A", "B", "C"]), st.randoms(use_true_random=False), st.floats(0.1, 30))
def test_labels_order_and_unit_of_time_change_nothing(
    labels: list[str], random: Any, unit: float
) -> None:
    order = list(range(len(X)))
    random.shuffle(order)
    renamed = dict(zip("ABC", labels, strict=True))
    moved = X.assign(**{"clinical:Centre": X["clinical:Centre"].map(renamed).astype("category")})
    y = survival_outcome(Y["time"] * unit, Y["event"])
    other = stratified().fit(moved.iloc[order], y[order])
    p = predictions_of(other, moved.iloc[order], y[order], tuple(h * unit for h in HORIZONS))
    np.testing.assert_allclose(p.risk, np.array(R["risk"])[order], atol=1e-7)
    scores = list(ranking_scores(p).values())
    expected = list(ranking_scores(predictions_of(fitted(), X, Y, HORIZONS)).values())
    np.testing.assert_allclose(scores, expected, atol=1e-7)


def test_a_reversed_risk_ranks_worse() -> None:
    p = predictions_of(fitted(), X, Y, HORIZONS)
    turned = Predictions(
        y=p.y,
        linear_predictor=-p.linear_predictor,
        risk=1 - p.risk,
        horizons=p.horizons,
        stratum=p.stratum,
    )
    ours, reverse = (next(iter(ranking_scores(one).values())) for one in (p, turned))
    assert reverse == pytest.approx(1 - ours, abs=1e-10)
    assert reverse < ours


def test_ranking_by_hand_of_two_strata() -> None:
    """Two strata whose hazards cross: by time 1 the first is worse, by time 3 the second."""
    y = survival_outcome([1.0, 3.0, 3.0, 5.0], [1, 1, 1, 0])
    risk = np.array([[0.5, 0.6], [0.4, 0.5], [0.2, 0.9], [0.1, 0.4]])
    p = Predictions(
        y=y,
        linear_predictor=np.array([1.0, 0.0, 1.0, 0.0]),
        risk=risk,
        horizons=(1.0, 3.0),
        stratum=np.array([0, 0, 1, 1]),
    )
    assert p.ranking(0).tolist() == risk[:, 0].tolist()
    assert p.ranking().tolist() == risk[:, 1].tolist()
    assert c_index(y["time"], y["event"], p.ranking()) == pytest.approx(4 / 5)
    folds = np.array([0, 1, 0, 1])
    assert len(np.unique(p.within(folds))) == 4
    assert p.within(None) is p.stratum
    assert p.take(np.array([2])).stratum.tolist() == [1]  # type: ignore[union-attr]


def test_risk_groups_are_cut_at_the_risk_by_the_last_horizon_that_was_followed() -> None:
    pipeline = fitted()
    risk = pipeline.risk(X, horizon=24)
    assert pipeline.ranking_horizon((12.0, 24.0, 900.0)) == 24
    assert pipeline.ranking_horizon((900.0,)) == 900
    cuts = cut_points(pipeline, X, (0.5,), (12.0, 24.0, 900.0))
    assert cuts.tolist() == [np.median(risk)]
    assert np.isnan(cut_points(pipeline, X, (0.5,), (900.0,))).all()
    assert risk_pipeline(PREDICTORS, CoxModel()).ranking_horizon(HORIZONS) is None


# ---- patients without a baseline hazard


def test_a_stratum_absent_from_the_fit_has_no_prediction_and_others_keep_theirs() -> None:
    train = np.flatnonzero(X["clinical:Centre"] != "C")
    pipeline = stratified().fit(X.iloc[train], Y[train])
    absent = (X["clinical:Centre"] == "C").to_numpy()
    eta, risk = pipeline.predict_all(X, horizons=HORIZONS)
    assert np.isnan(eta[absent]).all()
    assert np.isnan(risk[absent]).all()
    alone = pipeline.predict_all(X.iloc[train], horizons=HORIZONS)[1]
    np.testing.assert_array_equal(risk[~absent], alone)
    np.testing.assert_array_equal(pipeline.complete(X), ~absent)


def test_a_stratum_not_followed_to_a_horizon_is_left_out_of_every_figure() -> None:
    short = (X["clinical:Centre"] == "B").to_numpy()
    y = Y.copy()
    y["event"][short & (Y["time"] > 18)] = False
    y["time"][short] = np.minimum(Y["time"][short], 18)
    pipeline = stratified().fit(X, y)
    assert not np.isnan(pipeline.risk(X, horizon=12)).any()
    p = predictions_of(pipeline, X, y, HORIZONS)
    assert np.isnan(p.linear_predictor[short]).all()
    assert np.isnan(p.risk[short]).all()
    assert not np.isnan(p.risk[~short]).any()
    only = all_scores(p.known())
    assert not np.isnan(list(only.values())).any()


def test_the_nomogram_of_a_stratum_not_followed_has_no_axis_and_others_their_rounding() -> None:
    short = (X["clinical:Centre"] == "B").to_numpy()
    y = Y.copy()
    y["event"][short & (Y["time"] > 18)] = False
    y["time"][short] = np.minimum(Y["time"][short], 18)
    pipeline = stratified().fit(X, y)
    matrix = pipeline.design_matrix(X)
    with pytest.warns(ExtrapolationWarning, match="risk by 24 of clinical:Centre=B"):
        chart = nomogram(pipeline.design, pipeline.model, horizons=HORIZONS)
    axes = chart.table.loc[chart.table["kind"] == "risk", "axis"].unique()
    assert "Risk by 12 (clinical:Centre=B)" in axes
    assert "Risk by 24 (clinical:Centre=B)" not in axes
    ours = chart.rounding_error(matrix).table.set_index("horizon")
    others = chart.rounding_error(matrix[~short]).table.set_index("horizon")
    assert ours.loc[24, "largest"] == others.loc[24, "largest"] > 0


def test_a_stratum_without_events_has_risk_zero_as_in_survival_and_every_figure() -> None:
    rows = [3, 8, 20, 40]
    centre = X["clinical:Centre"].astype(str).to_numpy().copy()
    centre[rows] = "D"
    table = X.assign(**{"clinical:Centre": pd.Categorical(centre)})
    y = Y.copy()
    y["time"][rows], y["event"][rows] = 30.0, False
    pipeline = stratified().fit(table, y)
    p = predictions_of(pipeline, table, y, HORIZONS)
    assert (p.risk[rows] == 0).all()
    assert not np.isnan(list((all_scores(p) | index_scores(p, of_the_fit=True)).values())).any()
    spread = hazard_spread(pipeline.model, pipeline.design_matrix(table), y, horizons=HORIZONS)
    matrix = pipeline.design_matrix(table)
    ends = risk_interval(pipeline.model, matrix, horizon=12, level=0.95, spread=spread)
    assert np.isnan([end[rows] for end in ends]).all()


def cohort_of(table: pd.DataFrame, y: Any, external: Any = None) -> Cohort:
    """Give a cohort of these patients; `external` marks those of a cohort called Elsewhere."""
    apart = np.zeros(len(table), dtype=bool) if external is None else external
    patients = pd.Index([f"P{i}" for i in range(len(table))])
    return Cohort(
        X=table.set_axis(patients),
        y=y,
        outcome=Outcome(
            kind="survival", label="Survival", event_label="death", unit="months",
            horizons=HORIZONS,
        ),
        group=pd.Series(np.where(apart, "Elsewhere", DEVELOPMENT), index=patients),
        kinds={"clinical": "clinical"},
    )  # fmt: skip


PLAN = Plan(folds=4, repeats=2, bootstrap=4, draws=20, seed=0)


@pytest.fixture(scope="module")
def with_a_rare_centre() -> tuple[Cohort, Validation]:
    """Centre D has two development patients and some of Elsewhere's; E is Elsewhere's alone."""
    centre = X["clinical:Centre"].astype(str).to_numpy().copy()
    centre[[3, 8]] = "D"
    centre[150:160], centre[160:165] = "D", "E"
    table = X.assign(**{"clinical:Centre": pd.Categorical(centre, list("ABCDE"))})
    y = Y.copy()
    y["time"][[3, 8]], y["event"][[3, 8]] = 30.0, [True, False]
    cohort = cohort_of(table, y, np.arange(len(X)) >= 150)
    pipelines = {
        "Strata": stratified(),
        "Smaller": risk_pipeline(PREDICTORS[:1], CoxModel(), strata="clinical:Centre"),
        "Plain": risk_pipeline(PREDICTORS, CoxModel()),
        "Breslow": risk_pipeline(
            PREDICTORS[:1], CoxModel(ties="breslow"), strata="clinical:Centre"
        ),
        "Trees": risk_pipeline(PREDICTORS, BoostedModel(n_rounds=5)),
    }
    return cohort, validate(pipelines, cohort, plan=PLAN)


def test_lost_patients_are_counted(with_a_rare_centre: tuple[Cohort, Validation]) -> None:
    cohort, validation = with_a_rare_centre
    held_out = validation.out_of_fold["Strata"]
    lost = np.isnan(held_out.linear_predictor)
    for repeat in range(2):  # where the two patients of D share a fold, D has no baseline there
        alone = held_out.fold[repeat, 3] == held_out.fold[repeat, 8]
        assert lost[repeat].sum() == (2 if alone else 0)
    assert lost.sum() == 2
    assert not np.isnan(validation.out_of_fold["Plain"].linear_predictor).any()
    external = validation.external["Elsewhere"]["Strata"]
    np.testing.assert_array_equal(
        np.isnan(external.linear_predictor),
        cohort.external["Elsewhere"].X["clinical:Centre"] == "E",
    )
    found = {one.code: one for one in strata_findings("Strata", validation, cohort)}
    assert "D (1)" in found["few_events_in_stratum"].message
    message = found["stratum_not_predicted"].message
    assert "In Elsewhere, 5 of 50 patients" in message
    assert "E, which the development patients lack" in message
    assert f"{lost.sum()} of 300 predictions" in found["stratum_not_in_training"].message
    assert list(strata_findings("Plain", validation, cohort)) == []


def test_the_likelihood_ratio_asks_for_the_same_strata_and_ties(
    with_a_rare_centre: tuple[Cohort, Validation],
) -> None:
    cohort, validation = with_a_rare_centre
    found = compare(validation, cohort, reference="Strata", thresholds=[0.3])
    tests = found.likelihood_ratio.set_index("model")
    small, large = (validation.fitted[name].pipeline.model for name in ("Smaller", "Strata"))
    expected = 2 * (large.log_likelihood_[1] - small.log_likelihood_[1])
    assert tests.loc["Smaller", "chi2"] == pytest.approx(expected, abs=1e-10)
    assert tests.loc["Smaller", "df"] == 1
    assert "different strata" in tests.loc["Plain", "reason"]
    assert "ties in different ways" in tests.loc["Breslow", "reason"]
    assert "no likelihood" in tests.loc["Trees", "reason"]
    pair = found.table[
        (found.table["model"] == "Plain") & (found.table["validation"] == "external")
    ]
    assert set(pair["n_left_out"]) == {5}
    c = pair.loc[pair["metric"] == "c_index", "difference"].item()
    p, q = (validation.external["Elsewhere"][name] for name in ("Plain", "Strata"))
    rows = np.flatnonzero(~np.isnan(q.linear_predictor))
    ours, theirs = (c_index(p.y["time"][rows], p.y["event"][rows], one) for one in
                    (p.linear_predictor[rows], q.risk[rows, 1]))  # fmt: skip
    assert c == pytest.approx(ours - theirs, abs=1e-12)


def test_the_likelihood_ratio_is_that_of_survival() -> None:
    pipelines = {
        "Both": stratified(),
        "Age": risk_pipeline(PREDICTORS[:1], CoxModel(), strata="clinical:Centre"),
    }
    cohort = cohort_of(X, Y)
    validation = validate(pipelines, cohort, plan=Plan(folds=2, repeats=1, bootstrap=0, draws=20))
    (test,) = compare(validation, cohort, reference="Age", thresholds=[]).likelihood_ratio.to_dict(
        "records"
    )
    assert test["chi2"] == pytest.approx(R["added"], rel=1e-6)


def test_the_optimism_bootstrap_counts_strata_among_what_is_learned() -> None:
    events = int(Y["event"].sum())
    assert fitted().bootstrap_is_valid(Y)
    few = Y.copy()
    few["event"] &= np.cumsum(few["event"]) <= 19  # 19 events for 2 columns and 2 baselines more
    assert few["event"].sum() == 19 < events
    assert not fitted().bootstrap_is_valid(few)
    assert "19 events for 2 columns in 3 strata are fewer" in fitted().why_no_bootstrap(few)
    assert risk_pipeline(PREDICTORS, CoxModel()).fit(X, Y).bootstrap_is_valid(few)


# ---- the passport


def test_the_passport_scores_as_the_pipeline_predicts(tmp_path: Path) -> None:
    cohort = cohort_of(X, Y)
    plan = Plan(folds=2, repeats=1, bootstrap=0, draws=20)
    validation = validate({"Strata": stratified()}, cohort, plan=plan)
    write_passport(make_passport(cohort, validation, title="Strata"), tmp_path / "passport.zip")
    passport = read_passport(tmp_path)
    pipeline = validation.fitted["Strata"].pipeline
    scored = passport.score(cohort.X).table
    np.testing.assert_array_equal(scored["linear_predictor"], pipeline.linear_predictor(X))
    curves = cox_curves(pipeline.model, pipeline.design_matrix(X), Y, pipeline.design_matrix(X))
    for horizon in HORIZONS:
        name = f"risk_{horizon:g}"
        np.testing.assert_array_equal(scored[name], pipeline.risk(X, horizon=horizon))
        last = curves.table[curves.table["time"] <= horizon].groupby("patient").last()
        for ours, theirs in (("lower", "upper"), ("upper", "lower")):
            np.testing.assert_allclose(scored[f"{name}_{ours}"], 1 - last[theirs], atol=1e-9)
    expected = np.where(pipeline.risk(X, horizon=24) > validation.fitted["Strata"].cut_points, 2, 1)
    assert scored["group"].tolist() == expected.tolist()
    one = passport.score(cohort.X.iloc[[7]]).table
    pd.testing.assert_frame_equal(one, scored.iloc[[7]].reset_index(drop=True))


def test_a_new_patient_of_another_or_unknown_stratum_is_refused(
    with_a_rare_centre: tuple[Cohort, Validation],
) -> None:
    cohort, validation = with_a_rare_centre
    passport = make_passport(cohort, validation, title="Strata")
    new = cohort.X.iloc[:2].astype({"clinical:Centre": object})
    with pytest.raises(StudyError, match="unseen category: clinical:Centre"):
        passport.score(new.assign(**{"clinical:Centre": "Z"}))
    with pytest.raises(StudyError, match="unseen category: clinical:Centre"):
        passport.score(new.assign(**{"clinical:Centre": ["A", "E"]}))  # Elsewhere's alone
    with pytest.raises(StudyError, match=r"missing value: clinical:Centre.* no patient without it"):
        passport.score(new.assign(**{"clinical:Centre": ["A", None]}))
    with pytest.raises(StudyError, match="missing column: clinical:Centre"):
        passport.score(new.drop(columns="clinical:Centre"))


# ---- gaps


def test_complete_cases_leave_out_who_has_no_stratum() -> None:
    unknown = X.assign(**{"clinical:Centre": X["clinical:Centre"].where(X.index > 4)})
    pipeline = risk_pipeline(
        PREDICTORS, CoxModel(), strata="clinical:Centre", missing="complete_case"
    ).fit(unknown, Y)
    expected = stratified().fit(X.iloc[5:], Y[5:])
    np.testing.assert_array_equal(pipeline.model.coef_, expected.model.coef_)
    assert pipeline.design.needed_ == (*PREDICTORS, "clinical:Centre")
    risk = pipeline.risk(unknown, horizon=12)
    assert np.isnan(risk[:5]).all()
    np.testing.assert_array_equal(risk[5:], expected.risk(X.iloc[5:], horizon=12))
    table = regression_table(pipeline, unknown, Y).table
    assert set(table["n_patients"]) == {len(X) - 5}
    with pytest.raises(ValueError, match=r"missing in 5 of 200 patients.*complete_case"):
        risk_pipeline(PREDICTORS, CoxModel(), strata="clinical:Centre", missing="median").fit(
            unknown, Y
        )


def test_the_strata_count_among_the_columns_that_a_model_reads() -> None:
    assert columns_read(stratified(), X.columns) == [*PREDICTORS, "clinical:Centre"]
    late = replace(cohort_of(X, Y), known={"clinical:Centre": "follow_up"})
    with pytest.raises(StudyError, match="'clinical:Centre'"):
        check_moment({"Strata": stratified()}, late, "baseline")


# ---- refusals


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (LogisticModel(), {}, "strata must be left out for a LogisticModel"),
        (BoostedModel(), {}, "strata must be left out for a BoostedModel"),
        (CoxModel(strata="clinical:Sex"), {}, "strata must be those of the model"),
        (CoxModel(), {"missing": "multiple"}, "missing must not be 'multiple' with strata"),
    ],
)
def test_models_that_cannot_take_strata_are_refused(
    model: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        risk_pipeline(PREDICTORS, model, **WORDS, **options)


@pytest.mark.parametrize("predictors", [["clinical:Centre"], ["clinical:*"]])
def test_a_stratum_is_no_predictor(predictors: list[str]) -> None:
    with pytest.raises(ValueError, match="strata must be no predictor, but 'clinical:Centre' is"):
        risk_pipeline(predictors, CoxModel(), **WORDS)


def test_a_stratified_model_is_not_updated() -> None:
    with pytest.raises(ValueError, match="must have one baseline hazard to be updated"):
        UpdatedModel(fitted(), method="baseline").fit(X, Y)
    with pytest.raises(ValueError, match="one for each level of 'clinical:Centre'"):
        updating(fitted(), X, Y, horizons=HORIZONS, thresholds=[0.3], plan=PLAN)


def test_a_spread_of_other_strata_is_refused() -> None:
    pipeline, plain = fitted(), risk_pipeline(PREDICTORS, CoxModel()).fit(X, Y)
    spread = hazard_spread(plain.model, plain.design_matrix(X), Y, horizons=HORIZONS)
    with pytest.raises(ValueError, match="spread must hold the 3 strata of the model"):
        risk_interval(
            pipeline.model, pipeline.design_matrix(X), horizon=12, level=0.95, spread=spread
        )


def test_repr_counts_strata() -> None:
    pipeline = fitted()
    spread = hazard_spread(pipeline.model, pipeline.design_matrix(X), Y, horizons=HORIZONS)
    assert repr(spread) == "StrataSpread(3 strata, each HazardSpread(2 columns, by 12, 24))"
