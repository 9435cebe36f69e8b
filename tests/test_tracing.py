"""Points traced to features: by hand, and of a whole pipeline whose factors are taken apart."""

import numpy as np
import pandas as pd
import pytest

from models.cox import CoxModel
from models.design import Design
from models.logistic import LogisticModel
from models.nomogram import Nomogram, nomogram
from models.pipeline import RiskPipeline, risk_pipeline
from models.tracing import AT_ZERO, WHOLE, trace_points
from omics.cohort import Cohort
from omics.mofa import FactorModel
from tests.made_cohorts import made_cohort


def made_chart(splines: dict[str, int] | None = None) -> tuple[Nomogram, pd.DataFrame]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"clinical:Age": rng.normal(60, 9, 80).round(), "factors:F1": rng.normal(size=80)},
        index=[f"P{i}" for i in range(80)],
    )
    y = rng.random(80) < 1 / (1 + np.exp(-X["factors:F1"]))
    design = Design(list(X.columns), splines=splines).fit(X)
    matrix = design.transform(X)
    return nomogram(design, LogisticModel().fit(matrix, y.to_numpy())), matrix


def made_contributions(matrix: pd.DataFrame) -> pd.DataFrame:
    """Split each factor value into three features."""
    shares = {"A": 1.5, "B": -0.7, "C": 0.2}
    return pd.DataFrame(
        [
            (patient, "F1", "rna", feature, share * z)
            for patient, z in matrix["factors:F1"].items()
            for feature, share in shares.items()
        ],
        columns=["patient", "factor", "view", "feature", "contribution"],
    )


def test_points_by_hand() -> None:
    chart, matrix = made_chart()
    trace = trace_points(chart, matrix.loc[["P3"]], made_contributions(matrix))
    rows = trace.table.set_index(["predictor", "feature"])
    slope, unit = chart.coefficients["factors:F1"], chart.points_per_unit
    z = matrix.loc["P3", "factors:F1"]
    assert rows.index.tolist() == [
        ("clinical:Age", WHOLE), ("factors:F1", AT_ZERO),
        ("factors:F1", "A"), ("factors:F1", "B"), ("factors:F1", "C"),
    ]  # fmt: skip
    assert rows.loc[("factors:F1", "A"), "points"] == pytest.approx(1.5 * z * slope * unit)
    assert rows.loc[("factors:F1", "B"), "linear_predictor"] == pytest.approx(-0.7 * z * slope)
    at_zero = -chart.groups[1].lowest * unit
    assert rows.loc[("factors:F1", AT_ZERO), "points"] == pytest.approx(at_zero)
    age = chart.coefficients["clinical:Age"] * matrix.loc["P3", "clinical:Age"]
    assert rows.loc[("clinical:Age", WHOLE), "linear_predictor"] == pytest.approx(age)
    assert repr(trace).startswith("PointTrace(1 patients, 1 factors traced, ")


def test_sums_are_those_of_the_nomogram() -> None:
    chart, matrix = made_chart()
    table = trace_points(chart, matrix, made_contributions(matrix)).table
    by_predictor = table.pivot_table(index="patient", columns="predictor", values="points",
                                     aggfunc="sum").loc[matrix.index]  # fmt: skip
    expected = chart.predictor_points(matrix)
    np.testing.assert_allclose(by_predictor[expected.columns], expected, atol=1e-9)
    assert table["patient"].drop_duplicates().tolist() == matrix.index.tolist()
    shown = table.groupby("patient")["linear_predictor"].sum().loc[matrix.index]
    np.testing.assert_allclose(shown, matrix @ chart.coefficients, atol=1e-9)


@pytest.mark.parametrize("kind", ["survival", "binary"])
def test_a_fitted_pipeline_is_traced_to_what_was_measured(kind: str) -> None:
    cohort = made_cohort(90, kind=kind, missing=0.05)
    predictors = ["clinical:Age", "clinical:Grade", "factors:F1", "factors:F2"]
    pipeline = risk_pipeline(
        predictors,
        CoxModel() if kind == "survival" else LogisticModel(),
        factors=FactorModel(views=["mri", "rna"], n_factors=2, seed=1),
    ).fit(cohort.X, cohort.y)
    chart = nomogram(pipeline.design, pipeline.model, horizons=cohort.outcome.horizons)
    some = cohort.X.iloc[:12]
    matrix = pipeline.design_matrix(some)
    assert pipeline.factor_model is not None
    trace = trace_points(chart, matrix, FactorModel.contributions(pipeline.factor_model, some))
    total = trace.table.groupby("patient")["points"].sum().loc[some.index]
    np.testing.assert_allclose(total, chart.points(matrix), atol=1e-9)
    # and from points back to the model's own linear predictor
    read_off = chart.total_to_linear_predictor(total)
    np.testing.assert_allclose(read_off, pipeline.linear_predictor(some), atol=1e-9)
    # a value that is missing contributes nothing
    missing = some.isna().stack()
    patient, column = missing[missing].index[0]
    view, _, feature = column.partition(":")
    key = trace.table[["patient", "view", "feature"]]
    gap = trace.table[(key == [patient, view, feature]).all(axis=1)]
    assert (gap["points"] == 0).all()
    assert len(gap) == 2


def fitted_pipeline(cohort: Cohort) -> RiskPipeline:
    factors = FactorModel(views=["mri", "rna"], n_factors=2, seed=1)
    predictors = ["clinical:Age", "factors:F1", "factors:F2"]
    return risk_pipeline(predictors, CoxModel(), factors=factors).fit(cohort.X, cohort.y)


def test_the_trace_is_that_of_the_projections_own_arrays() -> None:
    cohort = made_cohort(90, missing=0.05)
    pipeline = fitted_pipeline(cohort)
    model = pipeline.factor_model
    assert model is not None
    p, features = model.projection_, list(model.features_)
    patient = cohort.X[features].isna().sum(axis=1).idxmax()
    y = cohort.X.loc[patient, features].to_numpy(dtype=float)
    seen = ~np.isnan(y)
    data = np.clip((y - p.centre[0]) / p.scale[0], p.lowest, p.highest)
    tau, w = np.where(seen, p.noise_precision[0], 0.0), p.weight
    variance = np.diag(tau @ (p.weight_square - w**2))
    precision = np.diag(p.prior_precision[0]) + (w.T * tau) @ w + variance
    share = np.linalg.inv(precision) @ (w * (tau * np.where(seen, data, 0.0))[:, None]).T
    chart = nomogram(pipeline.design, pipeline.model, horizons=[12.0])
    one = cohort.X.loc[[patient]]
    trace = trace_points(chart, pipeline.design_matrix(one), model.contributions(one)).table
    for k, factor in enumerate(("factors:F1", "factors:F2")):
        rows = trace[(trace["predictor"] == factor) & (trace["feature"] != AT_ZERO)]
        points = rows.set_index(rows["view"] + ":" + rows["feature"])["points"].loc[features]
        expected = chart.points_per_unit * chart.coefficients[factor] * share[k]
        np.testing.assert_allclose(points, expected, atol=1e-9)
        assert np.abs(expected).max() > 1  # points, of a hundred


def test_another_value_of_one_feature_changes_its_own_points_alone() -> None:
    cohort = made_cohort(90)
    pipeline = fitted_pipeline(cohort)
    model = pipeline.factor_model
    assert model is not None
    chart = nomogram(pipeline.design, pipeline.model, horizons=[12.0])
    one, other = cohort.X.iloc[[4]], cohort.X.iloc[[4]].copy()
    largest = model.loadings_.loc[model.loadings_["loading"].abs().idxmax()]
    view, feature = largest["view"], largest["feature"]
    other[f"{view}:{feature}"] += 0.3
    before, after = (
        trace_points(chart, pipeline.design_matrix(X), model.contributions(X)).table.set_index(
            ["predictor", "view", "feature"]
        )["points"]
        for X in (one, other)
    )
    change = (after.loc[before.index] - before).groupby(level=["view", "feature"]).sum()
    total = chart.points(pipeline.design_matrix(other)) - chart.points(pipeline.design_matrix(one))
    assert abs(total[0]) > 0.1
    assert change[(view, feature)] == pytest.approx(total[0], abs=1e-9)
    assert change.drop((view, feature)).abs().max() < 1e-9


def test_patients_of_mixed_views_are_traced_exactly() -> None:
    cohort = made_cohort(90)
    rng = np.random.default_rng(5)
    flags = {f"flags:G{i}": (cohort.X["rna:f0"] + rng.normal(size=90) > 0) * 1.0 for i in range(6)}
    X = cohort.X.assign(**flags)
    X.iloc[3:9, -6:] = np.nan
    model = FactorModel(
        views=["mri", "flags"], likelihoods={"flags": "bernoulli"}, n_factors=2, seed=1
    )
    pipeline = risk_pipeline(["factors:*"], CoxModel(), factors=model).fit(X, cohort.y)
    chart = nomogram(pipeline.design, pipeline.model, horizons=[12.0])
    matrix = pipeline.design_matrix(X)
    assert pipeline.factor_model is not None
    trace = trace_points(chart, matrix, pipeline.factor_model.contributions(X))
    total = trace.table.groupby("patient")["points"].sum().loc[X.index]
    np.testing.assert_allclose(total, chart.points(matrix), atol=1e-9)


def test_one_patient_is_shown_with_the_small_features_together() -> None:
    chart, matrix = made_chart()
    trace = trace_points(chart, matrix, made_contributions(matrix))
    shown = trace.of_patient("P5", n_features=1)
    assert shown["feature"].tolist() == [WHOLE, AT_ZERO, "A", "(2 others)"]
    assert shown["points"].sum() == pytest.approx(chart.points(matrix.loc[["P5"]])[0], abs=1e-9)
    assert shown.iloc[-1]["contribution"] == pytest.approx(-0.5 * matrix.loc["P5", "factors:F1"])
    assert len(trace.of_patient("P5", n_features=9)) == 5
    with pytest.raises(ValueError, match="one of the 80 traced, but 'Q' is not"):
        trace.of_patient("Q", n_features=3)
    with pytest.raises(ValueError, match="n_features must be at least 1, but is 0"):
        trace.of_patient("P5", n_features=0)


def test_contributions_of_other_patients_or_models_are_refused() -> None:
    chart, matrix = made_chart()
    parts = made_contributions(matrix)
    with pytest.raises(ValueError, match=r"'factors:F1' do not for 80 of 80 patients"):
        trace_points(chart, matrix, parts.assign(contribution=parts["contribution"] + 0.1))
    with pytest.raises(ValueError, match=r"do not for 1 of 80 patients \(first: 0 and "):
        trace_points(chart, matrix, parts[parts["patient"] != "P7"])
    with pytest.raises(ValueError, match=r"\['view'\] are absent"):
        trace_points(chart, matrix, parts.drop(columns="view"))
    with pytest.raises(ValueError, match="each patient once, but 1 rows repeat one"):
        trace_points(chart, matrix.iloc[[0, 0]], parts)


def test_only_factors_that_enter_linearly_are_traced() -> None:
    chart, matrix = made_chart(splines={"factors:F1": 3})
    with pytest.raises(ValueError, match="'factors:F1' is a spline: no feature has a share"):
        trace_points(chart, matrix, made_contributions(matrix))
    pair = [("clinical:Age", "factors:F1")]
    both = Design(["clinical:Age", "factors:F1"], interactions=pair).fit(matrix)
    design_matrix = both.transform(matrix)
    joint = nomogram(both, LogisticModel().fit(design_matrix, np.arange(80) % 3 == 0))
    words = r"'clinical:Age \* factors:F1' is part of an interaction: .* Take an interaction away"
    with pytest.raises(ValueError, match=words):
        trace_points(joint, design_matrix, made_contributions(matrix))
    X = matrix[["clinical:Age"]]
    design = Design(["clinical:Age"]).fit(X)
    alone = nomogram(design, LogisticModel().fit(design.transform(X), np.arange(80) % 3 == 0))
    with pytest.raises(ValueError, match="none of 'clinical:Age' is"):
        trace_points(alone, X, made_contributions(matrix))
