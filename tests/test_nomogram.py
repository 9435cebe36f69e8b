"""The nomogram: worked by hand, axis by axis as in rms, and on UCSF-PDGM."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.cox import CoxModel
from models.design import Design
from models.logistic import LogisticModel
from models.nomogram import Nomogram, nomogram
from models.ticks import AxisTicks
from omics.errors import ExtrapolationWarning, FitError
from omics.outcome import survival_outcome
from tests.realdata import DATA, ROOT, needs_data

REFERENCE = json.loads((ROOT / "tests" / "reference" / "nomogram.json").read_text())
DATA_R = pd.DataFrame(REFERENCE["patients"]).assign(
    Grade=lambda d: pd.Categorical(d["Grade"], categories=["2", "3", "4"])
)
SURVIVAL_R = survival_outcome(DATA_R["time"], DATA_R["event"])
JOURNAL = [0.01, 0.05, *np.arange(1, 10) / 10, 0.95, 0.99]


def axis(chart: Nomogram, name: str) -> pd.DataFrame:
    return chart.table[chart.table["axis"] == name].reset_index(drop=True)


def fixed_logistic(
    columns: list[str], coefficients: list[float], intercept: float
) -> LogisticModel:
    """Return a model with stated coefficients, so that a nomogram can be worked by hand."""
    model = LogisticModel()
    model.coef_ = np.array(coefficients, dtype=float)
    model.intercept_ = intercept
    model.feature_names_in_ = np.array(columns, dtype=object)
    model.n_features_in_ = len(columns)
    model.n_patients_, model.n_events_ = 4, 2
    return model


def by_hand() -> tuple[Design, LogisticModel, pd.DataFrame]:
    X = pd.DataFrame(
        {
            "clinical:KPS": [60.0, 70.0, 80.0, 100.0],
            "clinical:Grade": pd.Categorical(["2", "3", "4", "4"]),
        }
    )
    design = Design(["clinical:*"]).fit(X)
    columns = ["clinical:KPS", "clinical:Grade=3", "clinical:Grade=4"]
    return design, fixed_logistic(columns, [-0.05, 0.0, 1.5], 3.0), X


# --- by hand -----------------------------------------------------------------------------------


def test_points_by_hand() -> None:
    # KPS: -3 at 60 to -5 at 100, so 2 wide: 100 points are 2 units. Grade: 0, 0, 1.5.
    design, model, X = by_hand()
    chart = nomogram(design, model)
    assert chart.points_per_unit == 50
    assert chart.intercept == pytest.approx(3 - 5 + 0)
    kps, grade = axis(chart, "clinical:KPS"), axis(chart, "clinical:Grade")
    assert kps["value"].tolist() == [60, 70, 80, 100]
    np.testing.assert_allclose(kps["points"], [100, 75, 50, 0], atol=1e-10)
    np.testing.assert_allclose(grade["points"], [0, 0, 75], atol=1e-10)
    assert grade["label"].tolist() == ["", "2–3", "4"]
    assert grade["value"].isna().all()
    np.testing.assert_allclose(chart.points(design.transform(X)), [100, 75, 125, 75])
    # All that can be reached: 175 points, a linear predictor of -2 + 3.5.
    assert axis(chart, "Total points")["value"].tolist() == list(range(0, 181, 20))
    np.testing.assert_allclose(chart.total_to_risk([100, 150]), [0.5, 1 / (1 + np.exp(-1))])


def test_risk_ticks_stand_at_the_logit() -> None:
    design, model, _ = by_hand()
    risk = axis(nomogram(design, model), "Risk")
    assert risk["value"].tolist() == [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    logit = np.log(risk["value"] / (1 - risk["value"]))
    # Interpolated on 1000 linear predictors, as rms does: 1e-6 per unit, 50 points per unit.
    np.testing.assert_allclose(risk["points"], 50 * (logit + 2), atol=1e-4)
    chosen = axis(nomogram(design, model, ticks=AxisTicks(risk_at=[0.75, 0.15, 0.99])), "Risk")
    assert chosen["label"].tolist() == ["0.15", "0.75"]


def test_round_risks_where_no_usual_one_is_reached() -> None:
    design, _, _ = by_hand()
    columns = design.get_feature_names_out().tolist()
    chart = nomogram(design, fixed_logistic(columns, [-0.001, 0, 0.02], -3))
    risk = axis(chart, "Risk")["value"]
    assert risk.between(0.043, 0.047).all()
    assert len(risk) > 2


def test_flat_end_of_an_axis_is_open() -> None:
    X = pd.DataFrame({"a:x": np.linspace(0, 100, 41)})
    design = Design(["a:x"], splines={"a:x": [10, 20, 30]}).fit(X)
    # The second column is straight beyond the last knot: its coefficient undoes the slope of 1.
    curve = np.diff(design.transform(X)["a:x'"])[-1] / 2.5
    model = fixed_logistic(["a:x", "a:x'"], [1.0, -1 / curve], 0.0)
    rows = axis(nomogram(design, model), "a:x")
    assert rows["label"].tolist() == ["0", "10", "20", "", "", "", "", "", "", "", "30+"]
    assert rows["points"].iloc[-8:].to_numpy() == pytest.approx([100] * 8)


def test_ticks_beyond_the_patients_are_marked() -> None:
    X = pd.DataFrame({"a:x": np.linspace(17, 94, 30)})
    design = Design(["a:x"]).fit(X)
    rows = axis(nomogram(design, fixed_logistic(["a:x"], [0.1], 0.0)), "a:x")
    assert rows["value"].tolist() == list(range(10, 101, 10))
    assert rows.loc[rows["extrapolated"], "value"].tolist() == [10, 100]


def test_repr_is_one_line() -> None:
    design, model, _ = by_hand()
    assert repr(nomogram(design, model)) == (
        "Nomogram(2 predictors, total 0-180 points, 50 per unit of linear predictor)"
    )


# --- as in rms ----------------------------------------------------------------------------------


def fitted(kind: str) -> tuple[Design, Any]:
    predictors, splines = ["Age", "KPS", "Volume", "Grade"], {"Volume": 4}
    if kind == "alone":
        predictors, splines = ["Age"], {"Age": [35, 55, 70]}
    design = Design(predictors, splines=splines).fit(DATA_R)
    matrix = design.transform(DATA_R)
    if kind.startswith("logistic"):
        return design, LogisticModel().fit(matrix, DATA_R["relapse"].to_numpy())
    return design, CoxModel().fit(matrix, SURVIVAL_R)


CASES = {
    "cox": {
        "horizons": (12, 36),
        "names": {
            "risk12": "Risk by 12 months",
            "risk36": "Risk by 36 months",
            "median": "Median survival (months)",
        },
    },
    "logistic": {"horizons": (), "names": {"risk": "Risk"}},
    "alone": {"horizons": (24,), "names": {"risk24": "Risk by 24 months"}},
}


def compared(kind: str) -> tuple[Nomogram, dict[str, Any]]:
    reference = REFERENCE[kind]
    design, model = fitted(kind)
    chart = nomogram(
        design,
        model,
        horizons=CASES[kind]["horizons"],
        unit="months",
        span=tuple(reference["linear_predictor_range"]),
        ticks=AxisTicks(risk_at=JOURNAL),
    )
    return chart, reference


@pytest.mark.parametrize("kind", CASES)
def test_scale_equals_rms(kind: str) -> None:
    chart, reference = compared(kind)
    expected = reference["coefficients"][1 if kind == "logistic" else 0 :]
    np.testing.assert_allclose(chart.coefficients, expected, rtol=1e-5)
    assert chart.points_per_unit == pytest.approx(reference["points_per_unit"], rel=1e-6)
    assert chart.intercept == pytest.approx(reference["intercept"], rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in CASES for name in REFERENCE[kind]["axes"]]
)
def test_every_axis_equals_rms(kind: str, name: str) -> None:
    chart, reference = compared(kind)
    ours = {"total.points": "Total points", "lp": "Linear predictor", **CASES[kind]["names"]}
    rows, expected = axis(chart, ours.get(name, name)), reference["axes"][name]
    if name == "Grade":
        assert rows["label"].tolist() == expected["value"]
    else:
        np.testing.assert_allclose(rows["value"], expected["value"], rtol=1e-6, atol=1e-10)
    # The median is a step function: a value may fall on the other side of a step of the grid.
    grid_step = np.ptp(reference["linear_predictor_range"]) / 999 * chart.points_per_unit
    tolerance = 2 * grid_step if name == "median" else 1e-5
    np.testing.assert_allclose(rows["points"], expected["points"], atol=tolerance)
    if expected["effect"]:
        np.testing.assert_allclose(rows["linear_predictor"], expected["effect"], atol=1e-6)


def test_other_risk_ticks_equal_rms_own() -> None:
    expected = REFERENCE["logistic_default"]["axes"]["risk"]
    design, model = fitted("logistic")
    span = tuple(REFERENCE["logistic"]["linear_predictor_range"])
    rows = axis(
        nomogram(design, model, span=span, ticks=AxisTicks(risk_at=expected["value"])), "Risk"
    )
    np.testing.assert_allclose(rows["points"], expected["points"], atol=1e-5)


# --- for any model ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CASES)
def test_points_give_back_the_model(kind: str) -> None:
    design, model = fitted(kind)
    matrix = design.transform(DATA_R)
    chart = nomogram(design, model, horizons=CASES[kind]["horizons"])
    total = chart.points(matrix)
    lp = model.linear_predictor(matrix)
    np.testing.assert_allclose(chart.intercept + total / chart.points_per_unit, lp, atol=1e-9)
    np.testing.assert_allclose(chart.points(matrix.to_numpy()), total)
    for horizon in chart.horizons or (None,):
        risk = chart.total_to_risk(total, horizon=horizon)
        np.testing.assert_allclose(risk, model.risk(matrix, horizon=horizon), atol=1e-9)
        assert np.corrcoef(total, risk)[0, 1] > 0.8


def test_median_axis_agrees_with_the_model() -> None:
    design, model = fitted("cox")
    chart = nomogram(design, model)
    matrix = design.transform(DATA_R)
    ticks = axis(chart, "Median survival")
    read = np.interp(-chart.points(matrix), -ticks["points"], ticks["value"])
    inside = np.abs(chart.points(matrix) - 130) < 20
    np.testing.assert_allclose(read[inside], model.median(matrix)[inside], atol=4)


@given(shift=st.floats(-50, 50), scale=st.sampled_from([0.5, 10.0]), seed=st.integers(0, 5))
def test_unit_of_a_predictor_does_not_matter(shift: float, scale: float, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=8)
    other = pd.DataFrame({"a:x": x, "a:y": np.arange(8.0)})
    moved = other.assign(**{"a:x": x * scale + shift})
    charts, totals = [], []
    for X, slope in ((other, 1.0), (moved, 1.0 / scale)):
        design = Design(["a:*"]).fit(X)
        chart = nomogram(design, fixed_logistic(["a:x", "a:y"], [slope, 0.3], 0.0))
        charts.append(chart)
        totals.append(chart.points(design.transform(X)))
    np.testing.assert_allclose(totals[0], totals[1], atol=1e-6)
    assert charts[0].points_per_unit == pytest.approx(charts[1].points_per_unit)


def test_reversed_effects_reverse_the_points() -> None:
    design, model, X = by_hand()
    model.coef_ = -model.coef_
    chart = nomogram(design, model)
    assert axis(chart, "clinical:KPS")["points"].to_numpy() == pytest.approx([0, 25, 50, 100])
    assert chart.points(design.transform(X)).tolist() == pytest.approx([75, 100, 50, 100])


def test_ridge_and_factors() -> None:
    rng = np.random.default_rng(4)
    X = pd.DataFrame(rng.normal(size=(80, 3)), columns=["factors:F1", "factors:F2", "factors:F3"])
    y = survival_outcome(rng.exponential(np.exp(-X["factors:F1"])) + 0.01, np.ones(80, bool))
    design = Design(["factors:*"]).fit(X)
    matrix = design.transform(X)
    model = CoxModel(ridge=5.0).fit(matrix, y)
    chart = nomogram(design, model, horizons=[1.0])
    f1 = axis(chart, "factors:F1")
    assert (f1["points"].min(), f1["points"].max()) == (0, 100)
    lp = chart.total_to_linear_predictor(chart.points(matrix))
    np.testing.assert_allclose(lp, model.linear_predictor(matrix), atol=1e-9)


# --- horizons and refusals ----------------------------------------------------------------------


def test_a_median_that_nobody_reaches_has_no_axis() -> None:
    X = pd.DataFrame({"a:x": np.arange(20.0) % 7})
    design = Design(["a:x"]).fit(X)
    y = survival_outcome(np.arange(1, 21), np.isin(np.arange(20), (3, 6)))
    model = CoxModel(ridge=10.0).fit(design.transform(X), y)
    chart = nomogram(design, model, horizons=[10])
    assert chart.table["kind"].unique().tolist() == [
        "predictor",
        "total",
        "linear_predictor",
        "risk",
    ]


@pytest.mark.parametrize(
    ("horizon", "why"),
    [(1000, "risk by 1000: follow-up ended at"), (1e-4, "no patient had the event by then")],
)
def test_unreachable_horizon_has_no_axis_and_a_warning(horizon: float, why: str) -> None:
    design, model = fitted("alone")
    with pytest.warns(ExtrapolationWarning, match=why):
        chart = nomogram(design, model, horizons=[24, horizon])
    assert chart.horizons == (24,)
    assert chart.table.loc[chart.table["kind"] == "risk", "horizon"].unique().tolist() == [24]


def test_risk_of_an_unknown_horizon_is_refused() -> None:
    design, model = fitted("alone")
    chart = nomogram(design, model, horizons=[24])
    with pytest.raises(ValueError, match=r"horizon must be one of \[24.0\].*but 12 came"):
        chart.total_to_risk([10], horizon=12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"horizons": [12]}, "must be left out for a binary outcome"),
        ({"ticks": AxisTicks(risk_at=[0.5, 1.0])}, "above 0 and below 1"),
        ({"ticks": AxisTicks(risk_at=[0.5, 1.2])}, "risk_at must be a probability"),
        ({"span": (2, 1)}, r"smallest and the largest linear predictor, but \(2, 1\) came"),
    ],
)
def test_wrong_request_is_named(arguments: dict[str, Any], message: str) -> None:
    design, model, _ = by_hand()
    with pytest.raises(ValueError, match=message):
        nomogram(design, model, **arguments)


def test_horizon_must_be_a_time() -> None:
    design, model = fitted("alone")
    with pytest.raises(ValueError, match="times above zero, but -1 came"):
        nomogram(design, model, horizons=[-1])


def test_model_of_another_design_is_refused() -> None:
    design, _, _ = by_hand()
    with pytest.raises(ValueError, match=r"the design's 3 columns, but its own are 1 .*KPS"):
        nomogram(design, fixed_logistic(["a:x"], [1.0], 0.0))


def test_no_effect_is_refused() -> None:
    design, _, _ = by_hand()
    columns = design.get_feature_names_out().tolist()
    with pytest.raises(FitError, match="none of 2 has one"):
        nomogram(design, fixed_logistic(columns, [0, 0, 0], 0.0))


def test_matrix_of_other_columns_is_refused() -> None:
    design, model, X = by_hand()
    chart = nomogram(design, model)
    with pytest.raises(ValueError, match=r"2 are absent .first: 'clinical:Grade=3'"):
        chart.points(X)
    with pytest.raises(ValueError, match=r"shape \(n_patients, 3\), but \(4, 1\) came"):
        chart.points(np.zeros((4, 1)))


# --- real patients ------------------------------------------------------------------------------


@needs_data("ucsf_pdgm")
def test_ucsf_pdgm() -> None:
    table = pd.read_csv(DATA / "ucsf_pdgm" / "UCSF-PDGM-metadata_v2.csv").dropna(subset="OS")
    mutant = np.where(table["IDH"] == "wildtype", "wildtype", "mutant")
    X = pd.DataFrame(
        {
            "clinical:Age": table["Age at MRI"].astype(float),
            "clinical:IDH": pd.Categorical(mutant, ["wildtype", "mutant"]),
            "clinical:Grade": pd.Categorical(table["WHO CNS Grade"], [2, 3, 4]),
            "clinical:GTR": pd.Categorical(
                np.where(table["EOR"] == "GTR", "yes", "no"), ["no", "yes"]
            ),
        }
    )
    design = Design(["clinical:*"]).fit(X)
    matrix = design.transform(X)
    y = survival_outcome(table["OS"], table["1-dead 0-alive"] == 1)
    assert (len(y), y["event"].sum()) == (500, 250)
    model = CoxModel().fit(matrix, y)
    chart = nomogram(design, model, horizons=[365, 730], unit="days")

    # METHODS: rms' loose fit gives 33.64499, the converged one 33.6442.
    assert chart.points_per_unit == pytest.approx(33.6442, abs=1e-4)
    np.testing.assert_allclose(
        chart.coefficients, [0.033025, -1.503961, 0.147380, 1.084866, -0.727243], atol=1e-4
    )
    age = axis(chart, "clinical:Age")
    assert (age["value"].iloc[0], age["value"].iloc[-1]) == (10, 100)
    assert (age["points"].iloc[0], age["points"].iloc[-1]) == (0, pytest.approx(100))
    assert age["extrapolated"].iloc[[0, -1]].all()
    points = chart.table.set_index(["axis", "label"])["points"].round()
    assert points["clinical:IDH", "wildtype"] == 51
    assert [points["clinical:Grade", g] for g in "234"] == [0, 5, 36]
    assert points["clinical:GTR", "no"] == 24
    total = chart.points(matrix)
    np.testing.assert_allclose(
        chart.total_to_risk(total, horizon=365), model.risk(matrix, horizon=365), atol=1e-9
    )


# --- ticks of one's own -------------------------------------------------------------------------


def test_settings_beyond_the_data_are_marked_and_scale_the_points() -> None:
    design, model, X = by_hand()
    asked = AxisTicks(settings={"clinical:KPS": [100, 40, 80]})
    chart = nomogram(design, model, ticks=asked)
    rows = axis(chart, "clinical:KPS")
    assert rows["value"].tolist() == [40, 80, 100]
    assert rows["extrapolated"].tolist() == [True, False, False]
    assert chart.points_per_unit == pytest.approx(100 / 3)
    total = chart.points(design.transform(X))
    np.testing.assert_allclose(
        chart.total_to_linear_predictor(total), model.linear_predictor(design.transform(X))
    )


def test_axes_of_the_total_take_ticks() -> None:
    design, model = fitted("cox")
    asked = AxisTicks(
        median_at=[12, 24, 36], total_points_at=[50, 100, 150], linear_predictor_at=[-1, 0, 1]
    )
    chart = nomogram(design, model, horizons=[6, 12, 24, 36], ticks=asked)
    assert axis(chart, "Total points")["value"].tolist() == [50, 100, 150]
    assert set(axis(chart, "Median survival")["value"]) <= {12, 24, 36}
    assert set(axis(chart, "Linear predictor")["value"]) <= {-1, 0, 1}
    functions = chart.table[chart.table["kind"] != "predictor"]
    assert functions["points"].between(50 - 1e-9, 150 + 1e-9).all()
    assert chart.table.loc[chart.table["kind"] == "risk", "horizon"].nunique() == 4


@pytest.mark.parametrize("name", ["clinical:Grade", "clinical:KPSS"])
def test_settings_of_what_is_no_number_are_refused(name: str) -> None:
    design, model, _ = by_hand()
    with pytest.raises(ValueError, match=rf"numbers of the model, but '{name}' is none of 1"):
        nomogram(design, model, ticks=AxisTicks(settings={name: [1, 2]}))


def test_settings_of_a_constant_are_not_missed() -> None:
    _, _, X = by_hand()
    X["clinical:Age"] = 50.0
    design = Design(["clinical:*"]).fit(X)
    columns = design.get_feature_names_out().tolist()
    model = fixed_logistic(columns, [-0.05, 0.0, 1.5], 3.0)
    chart = nomogram(design, model, ticks=AxisTicks(settings={"clinical:Age": [1, 2]}))
    assert "clinical:Age" not in set(chart.table["axis"])
