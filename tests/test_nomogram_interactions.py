"""Nomograms of predictors that interact: by hand, axis by axis as rms draws them, for any model."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cox import CoxModel
from models.design import Design
from models.logistic import LogisticModel
from models.nomogram import Nomogram, nomogram
from models.plain import Writer, read_plain
from models.ticks import AxisTicks
from omics.outcome import survival_outcome
from tests.test_interactions import BINARY, MODELS, PATIENTS, REFERENCE, fitted
from tests.test_nomogram import JOURNAL, axis, fixed_logistic

VOLUMES = {"Volume": [10.0, 20.0, 40.0]}  # in R: interact=


def compared(name: str) -> tuple[Nomogram, dict[str, Any]]:
    reference = REFERENCE["models"][name]
    design, model = fitted(name)
    several = name in ("number_number", "spline_spline")
    chart = nomogram(
        design,
        model,
        horizons=() if name in BINARY else (24,),
        span=tuple(reference["linear_predictor_range"]),
        ticks=AxisTicks(settings=VOLUMES if several else None, risk_at=JOURNAL),
    )
    return chart, reference


def drawn(chart: Nomogram, axis_in_r: dict[str, Any]) -> pd.DataFrame:
    """Return the ticks of an axis of rms; ours end where total points do."""
    ticks = pd.DataFrame({name: values for name, values in axis_in_r.items() if values})
    most = chart.table.loc[chart.table["kind"] == "total", "value"].max()
    return ticks[ticks["points"].between(-1e-9, most + 1e-9) | ("effect" in ticks)]


# --- by hand ------------------------------------------------------------------------------------


def by_hand() -> tuple[Design, LogisticModel, pd.DataFrame]:
    X = pd.DataFrame(
        {
            "a:KPS": [60.0, 70.0, 80.0, 100.0, 60.0, 70.0],
            "a:Sex": pd.Categorical(list("ffffmm"), ["f", "m"]),
        }
    )
    design = Design(["a:*"], interactions=[("a:KPS", "a:Sex")]).fit(X)
    columns = ["a:KPS", "a:Sex=m", "a:KPS * a:Sex=m"]
    return design, fixed_logistic(columns, [-0.05, 4.0, 0.025], 3.0), X


def test_points_by_hand() -> None:
    # f: -.05 KPS, -3 to -5; m: 4 - .025 KPS, 2.5 to 1.5. From -5 to 2.5: 100 points are 7.5 units.
    design, model, X = by_hand()
    chart = nomogram(design, model)
    assert chart.points_per_unit == pytest.approx(100 / 7.5)
    assert chart.intercept == pytest.approx(3 - 5)
    women, men = axis(chart, "a:KPS (a:Sex=f)"), axis(chart, "a:KPS (a:Sex=m)")
    assert women["value"].tolist() == men["value"].tolist() == [60, 70, 80, 100]
    np.testing.assert_allclose(women["points"], np.array([2, 1.5, 1, 0]) / 7.5 * 100, atol=1e-10)
    np.testing.assert_allclose(men["points"], np.array([7.5, 7.25, 7, 6.5]) / 7.5 * 100)
    assert women["where"].unique().tolist() == ["a:Sex=f"]
    assert women["predictor"].unique().tolist() == ["a:KPS"]
    # no man of the fit had a performance status above 70
    assert women["extrapolated"].tolist() == [False] * 4
    assert men["extrapolated"].tolist() == [False, False, True, True]
    table = chart.predictor_points(design.transform(X))
    assert table.columns.tolist() == ["a:KPS * a:Sex"]
    assert table.iloc[5, 0] == pytest.approx(725 / 7.5)
    assert repr(chart).startswith("Nomogram(2 predictors, total 0-100 points, 13.33 per unit")


def test_other_predictors_keep_their_axis() -> None:
    design, model = fitted("number_number")
    chart = nomogram(design, model, horizons=[24])
    names = chart.table.loc[chart.table["kind"] == "predictor", "axis"].unique().tolist()
    # the 10th, 50th and 90th centile, rounded, where no values are asked for
    assert PATIENTS["Volume"].quantile([0.1, 0.5, 0.9]).round().tolist() == [9, 20, 48]
    assert names == ["Age (Volume=9)", "Age (Volume=20)", "Age (Volume=48)", "Sex"]
    assert [group.name for group in chart.groups] == ["Age * Volume", "Sex"]


def test_a_value_beyond_the_data_pales_the_whole_axis() -> None:
    design, model = fitted("number_number")
    chart = nomogram(design, model, ticks=AxisTicks(settings={"Volume": [20, 500]}))
    assert axis(chart, "Age (Volume=500)")["extrapolated"].all()
    assert not axis(chart, "Age (Volume=20)")["extrapolated"].all()


# --- as in rms ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_scale_equals_rms(name: str) -> None:
    chart, reference = compared(name)
    assert chart.points_per_unit == pytest.approx(reference["points_per_unit"], rel=1e-6)
    assert chart.intercept == pytest.approx(reference["intercept"], rel=1e-6)


@pytest.mark.parametrize(
    ("name", "title"),
    [(name, title) for name in MODELS for title in REFERENCE["models"][name]["axes"]],
)
def test_every_axis_equals_rms(name: str, title: str) -> None:
    chart, reference = compared(name)
    risk = "Risk" if name in BINARY else "Risk by 24"
    ours = {"total.points": "Total points", "lp": "Linear predictor", "risk": risk}
    expected = drawn(chart, reference["axes"][title])
    rows = axis(chart, ours.get(title, title.replace(" Grade=", " & Grade=")))
    if title.startswith(("Sex", "Grade")):
        assert rows["label"].tolist() == expected["value"].tolist()
    else:
        np.testing.assert_allclose(rows["value"], expected["value"], rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(rows["points"], expected["points"], atol=1e-6)
    if "effect" in expected:
        np.testing.assert_allclose(rows["linear_predictor"], expected["effect"], atol=1e-6)


@pytest.mark.parametrize("title", REFERENCE["own_ticks"]["axes"])
def test_ticks_of_ones_own_equal_rms(title: str) -> None:
    design, model = fitted("number_category")
    asked = AxisTicks(
        settings={"Age": [20, 40, 60, 90]},
        risk_at=[0.15, 0.25, 0.5],
        linear_predictor_at=np.arange(-2, 2.1, 0.5),
    )
    chart = nomogram(design, model, horizons=[24], ticks=asked)
    ours = {"total.points": "Total points", "lp": "Linear predictor", "risk": "Risk by 24"}
    rows = axis(chart, ours.get(title, title))
    expected = drawn(chart, REFERENCE["own_ticks"]["axes"][title])
    np.testing.assert_allclose(rows["value"], expected["value"], atol=1e-10)
    np.testing.assert_allclose(rows["points"], expected["points"], atol=1e-6)


# --- for any model ------------------------------------------------------------------------------

COLUMNS = ["Age", "Volume", "Nodes", "Sex", "Grade"]
PAIRS = [(one, other) for i, one in enumerate(COLUMNS) for other in COLUMNS[i + 1 :]]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    pairs=st.lists(st.sampled_from(PAIRS), max_size=3, unique=True),
    splines=st.sets(st.sampled_from(["Age", "Volume"])),
    binary=st.booleans(),
)
def test_total_points_are_the_linear_predictor(
    seed: int, pairs: list[tuple[str, str]], splines: set[str], binary: bool
) -> None:
    rng = np.random.default_rng(seed)
    X = PATIENTS[COLUMNS]
    design = Design(COLUMNS, splines=dict.fromkeys(sorted(splines), 4), interactions=pairs).fit(X)
    matrix = design.transform(X)
    model: CoxModel | LogisticModel
    if binary:
        model = LogisticModel(ridge=5.0).fit(matrix, rng.random(len(X)) < 0.4)
    else:
        y = survival_outcome(rng.exponential(size=len(X)) + 0.01, rng.random(len(X)) < 0.6)
        model = CoxModel(ridge=5.0).fit(matrix, y)
    chart = nomogram(design, model, horizons=[] if binary else [0.5, 1.0])
    total = chart.points(matrix)
    lp = model.linear_predictor(matrix)
    np.testing.assert_allclose(chart.intercept + total / chart.points_per_unit, lp, atol=1e-9)
    for horizon in chart.horizons or (None,):
        risk = chart.total_to_risk(total, horizon=horizon)
        np.testing.assert_allclose(risk, model.risk(matrix, horizon=horizon), atol=1e-9)
    ticks = chart.table[chart.table["kind"] == "predictor"]
    assert ticks["points"].max() == pytest.approx(100)
    lowest = ticks.groupby("axis", sort=False)["points"].min()
    assert (lowest >= -1e-9).all()
    # every family of axes has a tick without points
    assert np.isclose(lowest, 0, atol=1e-9).sum() >= len(chart.groups)


def test_reversed_effects_reverse_the_points() -> None:
    design, model, X = by_hand()
    before = nomogram(design, model).points(design.transform(X))
    model.coef_ = -model.coef_
    after = nomogram(design, model).points(design.transform(X))
    np.testing.assert_allclose(after, 100 - before, atol=1e-10)


def test_a_nomogram_survives_as_plain_data() -> None:
    design, model = fitted("chain")
    matrix = design.transform(PATIENTS)
    chart = nomogram(design, model).with_rounding(matrix)
    writer = Writer()
    again = read_plain(writer.write(chart, "chart"), writer.arrays)
    np.testing.assert_array_equal(again.points(matrix), chart.points(matrix))
    assert again.rounding.table.equals(chart.rounding.table)
    frozen = read_plain(writer.write(design, "design"), writer.arrays)
    pd.testing.assert_frame_equal(frozen.transform(PATIENTS), matrix)
