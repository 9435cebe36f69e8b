"""What reading whole points costs: by hand, and of a nomogram's own patients."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.nomogram import nomogram
from models.rounding import rounding_error
from tests.test_interactions import PATIENTS, fitted
from tests.test_nomogram import by_hand


def share(total: np.ndarray) -> np.ndarray:
    return np.asarray(total / 100)


def test_error_by_hand() -> None:
    # 10.4 + 20.3 = 30.7 is read as 30; 2.5 is read as 3; the third patient has no points
    points = [[10.4, 20.3], [2.5, 7.0], [np.nan, 1.0]]
    found = rounding_error(points, {12.0: share})
    assert found.table.to_numpy()[0] == pytest.approx([12, 0.006, 0.0069, 0.007], abs=1e-10)
    assert found.n_patients == 2
    assert repr(found) == "RoundingError(2 patients, points to 1, risk off by at most 0.007)"
    half = rounding_error(points, {12.0: share}, step=0.5)
    # 10.5 + 20.5 is .3 too many; 2.5 is exact
    assert half.table["largest"].item() == pytest.approx(0.003, abs=1e-10)


def test_a_nomogram_of_whole_points_has_no_error_of_them() -> None:
    # KPS: 100, 75, 50, 0 points; grade: 0 and 75
    design, model, X = by_hand()
    found = nomogram(design, model).rounding_error(design.transform(X))
    assert found.table["horizon"].isna().all()
    assert found.table["largest"].item() == pytest.approx(0, abs=1e-12)


def test_error_of_a_nomogram_is_that_of_its_reader() -> None:
    design, model = fitted("spline_category")
    matrix = design.transform(PATIENTS)
    chart = nomogram(design, model, horizons=[12, 36]).with_rounding(matrix)
    assert chart.rounding is not None
    assert chart.rounding.table["horizon"].tolist() == [12, 36]
    read = np.floor(chart.predictor_points(matrix) + 0.5).sum(axis=1)
    for row in chart.rounding.table.itertuples():
        error = np.abs(
            chart.total_to_risk(read, horizon=row.horizon) - model.risk(matrix, horizon=row.horizon)
        )
        assert row.mean == pytest.approx(error.mean(), abs=1e-9)
        assert row.largest == pytest.approx(error.max(), abs=1e-9)
        # half a point each of 2 groups, and a risk moves by at most 1/e per unit of log hazard
        assert row.largest <= 1.0 / chart.points_per_unit * np.exp(-1) + 1e-9


@given(st.permutations(range(6)), st.integers(0, 50))
def test_order_does_not_matter_and_finer_points_cannot_be_worse_than_their_step(
    order: list[int], seed: int
) -> None:
    points = np.random.default_rng(seed).uniform(0, 100, (6, 3))
    one = rounding_error(points, {np.nan: share})
    other = rounding_error(points[order], {np.nan: share})
    np.testing.assert_allclose(one.table, other.table, rtol=1e-10)
    for step in (1.0, 0.5, 0.1):
        largest = rounding_error(points, {1.0: share}, step=step).table["largest"].item()
        assert largest <= 3 * step / 2 / 100 + 1e-12


def test_nobody_has_no_error() -> None:
    found = rounding_error(np.full((2, 1), np.nan), {1.0: share})
    assert found.n_patients == 0
    assert found.table[["mean", "percentile_95", "largest"]].isna().all(axis=None)


@pytest.mark.parametrize("step", [0.0, -1.0, np.inf])
def test_step_must_be_above_zero(step: float) -> None:
    with pytest.raises(ValueError, match="step must be above zero"):
        rounding_error([[1.0]], {1.0: share}, step=step)


def test_points_must_be_a_table() -> None:
    with pytest.raises(ValueError, match=r"points must have shape .* but \(2,\) came"):
        rounding_error(pd.Series([1.0, 2.0]), {1.0: share})
