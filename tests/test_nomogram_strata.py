"""Strata: passed through the design, and with axes of their own in the nomogram, as in rms."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cox import CoxModel
from models.design import Design
from models.nomogram import Nomogram, nomogram
from models.pipeline import risk_pipeline
from models.plain import Writer, read_plain
from models.ticks import AxisTicks
from omics.errors import ExtrapolationWarning
from omics.outcome import survival_outcome
from reports.figures.nomogram import draw_nomogram
from tests.test_interactions import PATIENTS, REFERENCE, SURVIVAL
from tests.test_nomogram import JOURNAL, axis
from tests.test_nomogram_interactions import drawn

STRATA = REFERENCE["strata"]
X = PATIENTS.assign(Centre=pd.Categorical(PATIENTS["Centre"]))


def fitted() -> tuple[Design, CoxModel]:
    design = Design(["Age", "Sex", "Volume"], interactions=[("Age", "Sex")], strata="Centre").fit(X)
    return design, CoxModel(strata="Centre").fit(design.transform(X), SURVIVAL)


def made() -> Nomogram:
    design, model = fitted()
    return nomogram(
        design,
        model,
        horizons=[24],
        unit="months",
        span=tuple(STRATA["linear_predictor_range"]),
        ticks=AxisTicks(risk_at=JOURNAL, median_at=[5, 10, 20, 40]),
    )


# --- by hand ------------------------------------------------------------------------------------


def by_hand() -> tuple[Design, CoxModel, pd.DataFrame]:
    """Return a model with stated coefficient and baselines: one event in a, two in b."""
    table = pd.DataFrame({"a:x": [0.0, 1.0, 2.0, 4.0], "a:c": pd.Categorical(["a", "a", "b", "b"])})
    design = Design(["a:x"], strata="a:c").fit(table)
    matrix = design.transform(table)
    model = CoxModel(strata="a:c", ridge=1.0)
    model.fit(matrix, survival_outcome([5, 9, 4, 8], [1, 0, 1, 1]))
    model.coef_, model.means_ = np.array([0.5]), np.array([0.0])
    model.baseline_hazard_ = np.array([0.1, 0.2, 0.6])
    return design, model, table


def test_risk_by_hand() -> None:
    design, model, table = by_hand()
    chart = nomogram(design, model, horizons=[6])
    # x: 0 to 4, lp 0 to 2, so 50 points per unit; H by 6 is .1 in a and .2 in b
    assert chart.points_per_unit == 50
    assert chart.cumulative_hazard == ((0.1, 0.2),)
    risk = chart.total_to_risk([0, 100], horizon=6, stratum=["a", "b"])
    np.testing.assert_allclose(risk, 1 - np.exp([-0.1, -0.2 * np.exp(2)]), atol=1e-10)
    one = chart.total_to_risk([0, 100], horizon=6, stratum="a")
    np.testing.assert_allclose(one, 1 - np.exp([-0.1, -0.1 * np.exp(2)]), atol=1e-10)
    names = chart.table.loc[chart.table["kind"] == "risk", "axis"].unique().tolist()
    assert names == ["Risk by 6 (a:c=a)", "Risk by 6 (a:c=b)"]
    assert set(chart.table.loc[chart.table["kind"] == "risk", "where"]) == {"a:c=a", "a:c=b"}
    assert design.transform(table)["a:c"].tolist() == ["a", "a", "b", "b"]


def test_a_stratum_without_follow_up_has_no_axis_and_a_warning() -> None:
    design, model, _ = by_hand()
    with pytest.warns(ExtrapolationWarning, match="by 9 of a:c=b: follow-up ended at 8"):
        chart = nomogram(design, model, horizons=[9])
    assert chart.horizons == (9,)
    risk = chart.total_to_risk([10, 10], horizon=9, stratum=["a", "b"])
    assert np.isnan(risk).tolist() == [False, True]


# --- as in rms ----------------------------------------------------------------------------------


def test_coefficients_and_scale_equal_rms() -> None:
    chart = made()
    np.testing.assert_allclose(chart.coefficients, STRATA["coefficients"], rtol=1e-6)
    assert chart.points_per_unit == pytest.approx(STRATA["points_per_unit"], rel=1e-6)
    assert chart.intercept == pytest.approx(STRATA["intercept"], rel=1e-6)


@pytest.mark.parametrize("title", STRATA["axes"])
def test_every_axis_equals_rms(title: str) -> None:
    chart = made()
    kind, _, centre = title.partition(" ")
    ours = {
        "total.points": "Total points",
        "lp": "Linear predictor",
        "risk": f"Risk by 24 months (Centre={centre})",
        "median": f"Median survival (months) (Centre={centre})",
    }
    rows, expected = axis(chart, ours.get(kind, title)), drawn(chart, STRATA["axes"][title])
    np.testing.assert_allclose(rows["value"], expected["value"], rtol=1e-6, atol=1e-10)
    # The median is a step function: a value may fall on the other side of a step of the grid.
    step = np.ptp(chart.table.query("kind == 'linear_predictor'")["linear_predictor"]) / 999
    tolerance = 2 * step * chart.points_per_unit if kind == "median" else 1e-5
    np.testing.assert_allclose(rows["points"], expected["points"], atol=tolerance)


# --- for any model ------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), horizon=st.sampled_from([0.5, 1.0]))
def test_points_give_back_risks_stratum_by_stratum(seed: int, horizon: float) -> None:
    rng = np.random.default_rng(seed)
    y = survival_outcome(rng.exponential(size=len(X)) + 0.01, rng.random(len(X)) < 0.7)
    design, _ = fitted()
    matrix = design.transform(X)
    model = CoxModel(strata="Centre").fit(matrix, y)
    chart = nomogram(design, model, horizons=[horizon])
    total, labels = chart.points(matrix), matrix["Centre"].tolist()
    lp = chart.total_to_linear_predictor(total)
    np.testing.assert_allclose(lp, model.linear_predictor(matrix), atol=1e-9)
    risk = chart.total_to_risk(total, horizon=horizon, stratum=labels)
    np.testing.assert_allclose(risk, model.risk(matrix, horizon=horizon), atol=1e-9)
    order = rng.permutation(len(X))
    again = chart.total_to_risk(total[order], horizon=horizon, stratum=np.array(labels)[order])
    np.testing.assert_array_equal(again, risk[order])


def test_rounding_reads_each_patient_on_the_axis_of_the_stratum() -> None:
    design, model = fitted()
    matrix = design.transform(X)
    found = made().rounding_error(matrix)
    read = np.floor(made().predictor_points(matrix) + 0.5).sum(axis=1)
    risk = made().total_to_risk(read, horizon=24, stratum=matrix["Centre"])
    expected = np.abs(risk - model.risk(matrix, horizon=24)).max()
    assert found.table["largest"].item() == pytest.approx(expected, abs=1e-9)
    with pytest.raises(ValueError, match="matrix must be a DataFrame with the strata 'Centre'"):
        made().rounding_error(matrix.drop(columns="Centre"))


def test_it_survives_as_plain_data() -> None:
    design, model = fitted()
    matrix, chart = design.transform(X), made()
    writer = Writer()
    again, frozen, cox = (
        read_plain(writer.write(one, "it"), writer.arrays) for one in (chart, design, model)
    )
    pd.testing.assert_frame_equal(frozen.transform(X), matrix)
    np.testing.assert_array_equal(cox.risk(matrix, horizon=24), model.risk(matrix, horizon=24))
    np.testing.assert_array_equal(
        again.total_to_risk([50.0], horizon=24, stratum="west"),
        chart.total_to_risk([50.0], horizon=24, stratum="west"),
    )


def test_axes_of_strata_are_labelled() -> None:
    shown = [note.text for note in draw_nomogram(made().table).layout.annotations]
    for centre in ("east", "north", "west"):
        assert f"<b>Risk by 24 months</b><br>Centre={centre}" in shown
        assert f"<b>Median survival (months)</b><br>Centre={centre}" in shown


# --- refusals -----------------------------------------------------------------------------------


def test_an_unseen_stratum_is_refused_by_name() -> None:
    design, model = fitted()
    new = design.transform(X.iloc[:2].assign(Centre=pd.Categorical(["east", "south"])))
    assert new["Centre"].tolist() == ["east", "south"]
    with pytest.raises(ValueError, match="'south' of 'Centre'"):
        model.risk(new, horizon=12)
    with pytest.raises(ValueError, match=r"stratum must be one of 'east', .* but 'south' came"):
        made().total_to_risk([1.0], horizon=24, stratum="south")
    with pytest.raises(ValueError, match="but None came"):
        made().total_to_risk([1.0], horizon=24)


def test_a_stratum_of_a_model_without_strata_is_refused() -> None:
    design = Design(["Age"]).fit(X)
    chart = nomogram(design, CoxModel().fit(design.transform(X), SURVIVAL), horizons=[24])
    with pytest.raises(ValueError, match="stratum must be left out, but 'east' came"):
        chart.total_to_risk([1.0], horizon=24, stratum="east")


@pytest.mark.parametrize(
    ("strata", "table", "message"),
    [
        ("Sex", X, "strata must be no predictor, but 'Sex' is one"),
        ("Nodes", X, "strata must name a category, but 'Nodes' is a number"),
        ("Center", X, "strata must name a category, but 'Center' is none of the table's"),
        ("Centre", X.assign(Centre=X["Centre"].where(X.index > 1)), "missing in 2 of 300 patients"),
    ],
)
def test_impossible_strata_are_named(strata: str, table: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Design(["Age", "Sex"], strata=strata).fit(table)


def test_strata_must_be_there_for_new_patients_too() -> None:
    design, _ = fitted()
    with pytest.raises(ValueError, match="X must hold the strata 'Centre', but it does not"):
        design.transform(X.drop(columns="Centre"))


def test_design_and_model_must_have_the_same_strata() -> None:
    design, _ = fitted()
    plain = Design(["Age"]).fit(X)
    model = CoxModel().fit(plain.transform(X), SURVIVAL)
    with pytest.raises(ValueError, match="the design's strata 'Centre', but its own are None"):
        nomogram(design, model)


def test_a_pipeline_takes_no_strata() -> None:
    with pytest.raises(ValueError, match="strata must be those of the model, but None came"):
        risk_pipeline(["Age"], CoxModel(strata="Centre"))
