"""The tables of a report hold the metrics called directly, on the right patients."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sksurv.metrics import brier_score
from sksurv.util import Surv

from models import accuracy, calibration, discrimination
from models.boosting import BoostedModel
from models.calibration_curves import calibration_curve_at
from models.cox import CoxModel
from models.decision import decision_curve, decision_curve_at
from models.log_rank import log_rank
from models.logistic import LogisticModel
from models.performance import CALIBRATION, COLUMNS, DECISION, Performance, performance
from models.pipeline import risk_pipeline
from models.scores import Interval, Predictions, fold_interval
from models.survival_curves import kaplan_meier, numbers_at_risk
from models.validation import Plan, Validation, validate
from omics.cohort import DEVELOPMENT, Cohort
from tests.made_cohorts import made_cohort, with_outcome

PLAN = Plan(folds=3, repeats=2, bootstrap=6, draws=21, quantiles=(1 / 3, 2 / 3), seed=5)
LEVELS = [0.1, 0.3, 0.5]
COLUMN_NAMES = (
    "model cohort validation metric horizon estimate lower upper level n_patients n_events method"
)
SURVIVAL_FIGURES = {
    *(("c_index", "nan"), ("calibration_slope", "nan")),
    *(
        (metric, at)
        for at in ("6", "12")
        for metric in (
            *("c_index_uno", "auc", "brier", "ipa", "calibration_intercept"),
            *("observed_expected", "ici", "e50", "e90", "emax"),
        )
    ),
}
BINARY_FIGURES = {
    (metric, "nan")
    for metric in (
        *("auc", "brier", "ipa", "calibration_slope", "calibration_intercept"),
        *("observed_expected", "ici", "e50", "e90", "emax"),
    )
}

COHORT = made_cohort(150, external=50, seed=3)
VALIDATION = validate(
    {
        "cox": risk_pipeline(["clinical:*"], CoxModel()),
        "trees": risk_pipeline(["mri:*"], BoostedModel(n_rounds=10, inner_folds=3), missing="keep"),
    },
    COHORT,
    plan=PLAN,
)
FOUND = performance(VALIDATION, thresholds=LEVELS)
EXTERNAL = VALIDATION.external["elsewhere"]["cox"]
BINARY_COHORT = made_cohort(120, kind="binary", external=40, seed=3)
BINARY_VALIDATION = validate(
    {"logistic": risk_pipeline(["clinical:*"], LogisticModel())}, BINARY_COHORT, plan=PLAN
)
BINARY_FOUND = performance(BINARY_VALIDATION, thresholds=LEVELS)


def figures_of(table: pd.DataFrame) -> set[tuple[str, str]]:
    return set(zip(table["metric"], table["horizon"].map("{:g}".format), strict=True))


# what the table holds -------------------------------------------------------------------------


def test_columns_are_those_of_the_study_report() -> None:
    assert COLUMN_NAMES.split() == COLUMNS
    for found in (FOUND, BINARY_FOUND):
        assert list(found.table.columns) == COLUMNS
        assert list(found.calibration.columns) == CALIBRATION
        assert list(found.decision.columns) == DECISION


def test_every_validation_of_every_model_has_every_figure_once() -> None:
    kinds = {
        "cox": {
            ("apparent", DEVELOPMENT),
            ("cross_validated", DEVELOPMENT),
            ("optimism_corrected", DEVELOPMENT),
            ("external", "elsewhere"),
        },
        "trees": {
            ("apparent", DEVELOPMENT),
            ("cross_validated", DEVELOPMENT),
            ("external", "elsewhere"),
        },
    }
    for model, expected in kinds.items():
        rows = FOUND.table[FOUND.table["model"] == model]
        groups = dict(list(rows.groupby(["validation", "cohort"])))
        assert set(groups) == expected
        for table in groups.values():
            assert figures_of(table) == SURVIVAL_FIGURES
            assert len(table) == len(SURVIVAL_FIGURES)
    for _, table in BINARY_FOUND.table.groupby("validation"):
        assert figures_of(table) == BINARY_FIGURES
    assert len(BINARY_FOUND.table) == 4 * len(BINARY_FIGURES)


def test_sizes_levels_and_methods_are_told() -> None:
    for label, part in (
        ("external", COHORT.external["elsewhere"]),
        ("apparent", COHORT.development),
    ):
        rows = FOUND.table[FOUND.table["validation"] == label]
        assert set(rows["n_patients"]) == {part.n_patients}
        assert set(rows["n_events"]) == {part.n_events}
    assert set(FOUND.table["level"]) == {0.95}
    methods = FOUND.table.groupby(["validation", "metric"])["method"].first()
    assert methods["external", "brier"].startswith("percentile bootstrap of the evaluated patients")
    assert "too narrow for ICI" in methods["external", "ici"]
    assert "2 x 3 held-out folds" in methods["cross_validated", "c_index"]
    assert "approximate" in methods["cross_validated", "c_index"]
    assert "out-of-fold predictions of each of 2 repeats" in methods["cross_validated", "ici"]
    assert "6 resamples" in methods["optimism_corrected", "c_index"]


def test_intervals_hold_their_estimates() -> None:
    ranked = FOUND.table.query("metric in ['c_index', 'auc', 'brier', 'calibration_slope']")
    assert (ranked["lower"] < ranked["upper"]).all()
    averaged = ranked.query("validation == 'cross_validated' and metric != 'calibration_slope'")
    np.testing.assert_allclose(
        averaged["estimate"], (averaged["lower"] + averaged["upper"]) / 2, atol=1e-12
    )


# external: direct calls on the external patients ----------------------------------------------


def external(metric: str, horizon: float = np.nan) -> float:
    return FOUND.estimate(
        "cox", metric, validation="external", horizon=horizon, cohort="elsewhere"
    ).estimate


def test_external_figures_are_the_metrics_of_the_frozen_pipelines_risks() -> None:
    patients = COHORT.external["elsewhere"]
    pipeline = VALIDATION.fitted["cox"].pipeline
    time, event = patients.y["time"], patients.y["event"]
    score = pipeline.linear_predictor(patients.X)
    assert external("c_index") == discrimination.c_index(time, event, score)
    slope = calibration.calibration_slope_survival(time, event, score)
    assert external("calibration_slope") == pytest.approx(slope, rel=1e-12)
    for horizon in (6.0, 12.0):
        at = {"horizon": horizon}
        sample = (time, event, pipeline.risk(patients.X, **at))
        assert external("auc", horizon) == discrimination.auc_at(time, event, score, **at)
        assert external("brier", horizon) == accuracy.brier_at(*sample, **at)
        ratio = calibration.observed_expected_at(*sample, **at)
        assert external("observed_expected", horizon) == ratio
        curve = calibration_curve_at(*sample, **at)
        assert external("ici", horizon) == pytest.approx(curve.ici, rel=1e-12)


def test_censoring_weights_come_from_the_evaluated_patients() -> None:
    ours, theirs = (
        Surv.from_arrays(part.y["event"], part.y["time"])
        for part in (COHORT.external["elsewhere"], COHORT.development)
    )
    survival = 1 - EXTERNAL.risk[:, 1]
    _, of_evaluated = brier_score(ours, ours, survival, 12.0)
    _, of_development = brier_score(theirs, ours, survival, 12.0)
    assert external("brier", 12.0) == pytest.approx(of_evaluated[0], abs=1e-10)
    assert external("brier", 12.0) != pytest.approx(of_development[0], abs=1e-4)


def rows_drawn(n: int) -> list[Any]:
    rng = np.random.default_rng(PLAN.seed)
    return [rng.integers(n, size=n) for _ in range(PLAN.draws)]


@pytest.mark.parametrize("model", ["cox", "trees"])  # the same draws: contrasts are paired
def test_external_intervals_are_the_percentiles_of_unstratified_draws(model: str) -> None:
    p = VALIDATION.external["elsewhere"][model]
    time, event = p.y["time"], p.y["event"]
    draws = rows_drawn(len(time))
    assert len({int(event[rows].sum()) for rows in draws}) > 1  # the event fraction varies
    ranked = [discrimination.c_index(time[r], event[r], p.linear_predictor[r]) for r in draws]
    scored = [accuracy.brier_at(time[r], event[r], p.risk[r, 1], horizon=12.0) for r in draws]
    for values, metric, horizon in ((ranked, "c_index", np.nan), (scored, "brier", 12.0)):
        found = FOUND.estimate(
            model, metric, validation="external", horizon=horizon, cohort="elsewhere"
        )
        np.testing.assert_allclose(
            (found.lower, found.upper),
            np.quantile(values, [0.025, 0.975], method="weibull"),
            rtol=1e-12,
        )


# cross-validated ------------------------------------------------------------------------------


def out_of_fold(repeat: int, model: str = "cox") -> Predictions:
    held_out = VALIDATION.out_of_fold[model]
    return Predictions(
        y=VALIDATION.y,
        linear_predictor=held_out.linear_predictor[repeat],
        risk=held_out.risk[repeat],
        horizons=(6.0, 12.0),
    )


def test_ranking_is_averaged_within_folds() -> None:
    per_fold = []
    for repeat in range(2):
        p, fold = out_of_fold(repeat), VALIDATION.out_of_fold["cox"].fold[repeat]
        for number in range(3):
            rows = fold == number
            per_fold.append(
                discrimination.c_index(
                    p.y["time"][rows], p.y["event"][rows], p.linear_predictor[rows]
                )
            )
    found = FOUND.estimate("cox", "c_index", validation="cross_validated")
    np.testing.assert_allclose(
        found, fold_interval(np.array(per_fold), folds=3, level=0.95), rtol=1e-12
    )


def test_calibration_is_of_each_repeats_pooled_predictions() -> None:
    ratios, slopes = [], []
    for repeat in range(2):
        p, fold = out_of_fold(repeat), VALIDATION.out_of_fold["cox"].fold[repeat]
        time, event = p.y["time"], p.y["event"]
        ratios.append(calibration.observed_expected_at(time, event, p.risk[:, 0], horizon=6.0))
        slopes.append(
            calibration.calibration_slope_survival(time, event, p.linear_predictor, strata=fold)
        )
    found = FOUND.estimate("cox", "observed_expected", validation="cross_validated", horizon=6.0)
    assert found.estimate == pytest.approx(np.mean(ratios), rel=1e-12)
    found = FOUND.estimate("cox", "calibration_slope", validation="cross_validated")
    assert found.estimate == pytest.approx(np.mean(slopes), rel=1e-9)


def test_no_curve_of_development_patients_is_apparent_alone() -> None:
    for table in (FOUND.calibration, FOUND.decision):
        kinds = table.groupby("model")["validation"].agg(set)
        assert (kinds >= {"apparent", "cross_validated", "external"}).all()
    corrected = FOUND.calibration.query("validation == 'optimism_corrected'")
    assert set(corrected["model"]) == {"cox"}
    groups = FOUND.survival_curves.groupby("model")["validation"].agg(set)
    assert (groups == {"cross_validated", "external"}).all()  # never the fitted patients


# risk groups ----------------------------------------------------------------------------------


def test_external_risk_groups_are_cut_where_development_patients_are() -> None:
    fitted = VALIDATION.fitted["cox"]
    score = fitted.pipeline.linear_predictor(COHORT.development.X)
    np.testing.assert_allclose(fitted.cut_points, np.quantile(score, [1 / 3, 2 / 3]))
    y = EXTERNAL.y
    group = (EXTERNAL.linear_predictor[:, np.newaxis] > fitted.cut_points).sum(axis=1)
    assert set(group) == {0, 1, 2}
    assert (np.bincount(group) != len(group) / 3).any()  # not thirds of the external patients
    mine = {"model": "cox", "validation": "external"}

    def of_mine(table: pd.DataFrame) -> pd.DataFrame:
        return table[(table[list(mine)] == pd.Series(mine)).all(axis=1)].reset_index(drop=True)

    curve = kaplan_meier(y["time"], y["event"], group=group).table
    found = of_mine(FOUND.survival_curves)
    pd.testing.assert_frame_equal(found[list(curve.columns)], curve.reset_index(drop=True))
    test = log_rank(y["time"], y["event"], group=group)
    row = of_mine(FOUND.log_rank)
    assert row[["chi2", "df", "p_value"]].iloc[0].tolist() == [test.chi2, test.df, test.p_value]
    counted = of_mine(FOUND.at_risk)
    at = np.unique(counted["time"])
    assert at[0] == 0
    expected = numbers_at_risk(y["time"], y["event"], at=at, group=group)
    pd.testing.assert_frame_equal(counted[list(expected.columns)], expected.reset_index(drop=True))


def test_cross_validated_risk_groups_are_cut_by_the_training_folds() -> None:
    group = VALIDATION.out_of_fold["cox"].group[0]
    curve = kaplan_meier(VALIDATION.y["time"], VALIDATION.y["event"], group=group).table
    rows = FOUND.survival_curves.query("model == 'cox' and validation == 'cross_validated'")
    np.testing.assert_array_equal(rows["survival"], curve["survival"])
    assert set(rows["cohort"]) == {DEVELOPMENT}


# curves ---------------------------------------------------------------------------------------


def test_calibration_curve_spans_the_fifth_smallest_to_the_fifth_largest_risk() -> None:
    rows = FOUND.calibration.query("model == 'cox' and validation == 'external' and horizon == 12")
    risk = np.sort(EXTERNAL.risk[:, 1])
    np.testing.assert_allclose(rows["predicted"], np.linspace(risk[4], risk[-5], 50))
    time, event = EXTERNAL.y["time"], EXTERNAL.y["event"]
    direct = calibration_curve_at(
        time, event, EXTERNAL.risk[:, 1], horizon=12.0, grid=rows["predicted"]
    )
    np.testing.assert_allclose(rows["observed"], direct.table["observed"], rtol=1e-9)
    draws = [
        calibration_curve_at(
            time[r], event[r], EXTERNAL.risk[r, 1], horizon=12.0, grid=rows["predicted"]
        ).table["observed"]
        for r in rows_drawn(len(time))
    ]
    lower, upper = np.nanquantile(draws, [0.025, 0.975], axis=0, method="weibull")
    np.testing.assert_allclose(rows["lower"], lower, rtol=1e-9)
    np.testing.assert_allclose(rows["upper"], upper, rtol=1e-9)


def test_decision_curves_of_external_patients() -> None:
    rows = FOUND.decision.query("model == 'cox' and validation == 'external' and horizon == 6")
    curve = decision_curve_at(
        EXTERNAL.risk[:, 0], EXTERNAL.y["time"], EXTERNAL.y["event"],
        horizon=6.0, thresholds=LEVELS,
    ).table  # fmt: skip
    for column in ("threshold", "net_benefit", "treat_all", "treat_none"):
        np.testing.assert_array_equal(rows[column], curve[column])


def test_cross_validated_decision_curve_averages_repeats() -> None:
    benefits = [
        decision_curve_at(
            out_of_fold(r).risk[:, 1], VALIDATION.y["time"], VALIDATION.y["event"],
            horizon=12.0, thresholds=LEVELS,
        ).table["net_benefit"]
        for r in range(2)
    ]  # fmt: skip
    rows = FOUND.decision.query(
        "model == 'cox' and validation == 'cross_validated' and horizon == 12"
    )
    np.testing.assert_allclose(rows["net_benefit"], np.mean(benefits, axis=0), rtol=1e-12)


# binary outcome -------------------------------------------------------------------------------


def test_binary_figures_of_external_patients() -> None:
    p = BINARY_VALIDATION.external["elsewhere"]["logistic"]

    def figure(metric: str) -> float:
        return BINARY_FOUND.estimate(
            "logistic", metric, validation="external", cohort="elsewhere"
        ).estimate

    assert figure("auc") == discrimination.roc_auc(p.y, p.linear_predictor)
    assert figure("brier") == accuracy.brier(p.y, p.risk[:, 0])
    slope = calibration.calibration_slope(p.y, p.linear_predictor)
    assert figure("calibration_slope") == pytest.approx(slope, rel=1e-12)
    rows = BINARY_FOUND.decision.query("validation == 'external'")
    curve = decision_curve(p.risk[:, 0], p.y, thresholds=LEVELS).table
    np.testing.assert_array_equal(rows["net_benefit"], curve["net_benefit"])
    assert rows["horizon"].isna().all()
    assert len(BINARY_FOUND.survival_curves) == len(BINARY_FOUND.log_rank) == 0


# looking figures up, telling progress ---------------------------------------------------------


def test_estimate_looks_one_figure_up() -> None:
    found = FOUND.estimate("cox", "brier", validation="apparent", horizon=6.0)
    assert isinstance(found, Interval)
    row = FOUND.table.query(
        "model == 'cox' and metric == 'brier' and validation == 'apparent' and horizon == 6"
    )
    assert found.estimate == row["estimate"].item()
    with pytest.raises(KeyError, match=r"no figure 'brier' of 'cox' \(apparent, development, 7"):
        FOUND.estimate("cox", "brier", validation="apparent", horizon=7.0)
    assert repr(FOUND) == f"Performance(2 models, {len(FOUND.table)} figures)"


def test_processes_change_nothing_and_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    two = Validation(**{**vars(BINARY_VALIDATION), "plan": Plan(**{**vars(PLAN), "n_jobs": 2})})
    again = performance(two, thresholds=LEVELS, progress=lambda *state: told.append(state))
    pd.testing.assert_frame_equal(again.table, BINARY_FOUND.table, rtol=1e-9)
    pd.testing.assert_frame_equal(again.decision, BINARY_FOUND.decision, rtol=1e-9)
    assert told[-1][1] == told[-1][2] == 3


# cohorts too small to say much ----------------------------------------------------------------


def small_external(kind: str, n: int, n_events: int) -> tuple[Validation, Performance]:
    cohort = made_cohort(80 + n, kind=kind, external=n)
    y = cohort.y.copy()
    few = np.arange(n) < n_events
    if kind == "survival":
        y["event"][80:] = few
    else:
        y[80:] = few
    model: Any = CoxModel() if kind == "survival" else LogisticModel()
    plan = Plan(folds=2, repeats=1, bootstrap=0, draws=20)
    small: Cohort = with_outcome(cohort, y)
    found = validate({"m": risk_pipeline(["clinical:*"], model)}, small, plan=plan)
    return found, performance(found, thresholds=LEVELS)


@pytest.mark.parametrize("kind", ["survival", "binary"])
@pytest.mark.parametrize(("n", "n_events"), [(6, 3), (30, 1), (30, 0)])
def test_an_external_cohort_of_few_events_leaves_gaps_not_errors(
    kind: str, n: int, n_events: int
) -> None:
    _, found = small_external(kind, n, n_events)
    rows = found.table.query("validation == 'external'")
    expected = SURVIVAL_FIGURES if kind == "survival" else BINARY_FIGURES
    assert figures_of(rows) == expected
    metric = "c_index" if kind == "survival" else "auc"
    c = found.estimate("m", metric, validation="external", cohort="elsewhere").estimate
    assert np.isnan(c) == (n_events == 0)
    if n < 10:  # no grid between the fifth smallest and the fifth largest
        assert found.calibration.query("validation == 'external'").empty
