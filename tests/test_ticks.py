"""Ticks: worked by hand, and value for value as R's pretty()."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.ticks import AxisTicks, pretty
from tests.realdata import ROOT

REFERENCE = json.loads((ROOT / "tests" / "reference" / "nomogram.json").read_text())


@pytest.mark.parametrize(
    ("lowest", "highest", "n", "ticks"),
    [
        (17, 94, 10, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
        (0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (5, 5, 1, [5]),
        (-1, 0, 2, [-1, -0.5, 0]),
    ],
)
def test_by_hand(lowest: float, highest: float, n: int, ticks: list[float]) -> None:
    assert pretty(lowest, highest, n=n).tolist() == ticks


@pytest.mark.parametrize("case", REFERENCE["pretty"])
def test_equals_r(case: dict[str, float | list[float]]) -> None:
    found = pretty(case["lowest"], case["highest"], n=case["n"])
    np.testing.assert_allclose(found, case["ticks"], rtol=1e-10, atol=1e-13)


@given(
    ends=st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)).map(sorted),
    n=st.integers(3, 20),
)
def test_equal_round_steps_cover_the_range(ends: list[float], n: int) -> None:
    ticks = pretty(*ends, n=n)
    step = np.diff(ticks)
    slack = 1e-9 * step.max()
    assert ticks[0] <= ends[0] + slack
    assert ticks[-1] >= ends[1] - slack
    np.testing.assert_allclose(step, step[0], rtol=1e-6)
    # Multiples of 1, 2 or 5 times a power of ten.
    leading = float(f"{step[0]:.3e}".split("e")[0])
    assert leading in (1, 2, 5)
    mirrored = pretty(-ends[1], -ends[0], n=n)
    np.testing.assert_allclose(np.diff(mirrored)[0], step[0])


@pytest.mark.parametrize(
    ("lowest", "highest", "n", "message"),
    [
        (2, 1, 5, "in this order, but 2 and 1 came"),
        (0, np.inf, 5, "must be finite"),
        (0, 1, 0, "at least 1 step, but 0 came"),
    ],
)
def test_wrong_input_is_named(lowest: float, highest: float, n: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pretty(lowest, highest, n=n)


# --- ticks of one's own -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"settings": {"a:x": [3]}}, r"settings of 'a:x' must hold 2 or more different values"),
        ({"settings": {"a:x": [3, np.nan]}}, "settings of 'a:x'"),
        ({"risk_at": []}, "above 0 and below 1"),
        ({"total_points_at": [-10, 50]}, "total_points_at must be 0 or more, but -10 came"),
        ({"linear_predictor_at": [1, 1]}, "linear_predictor_at must hold 2 or more"),
        ({"median_at": []}, "median_at"),
    ],
)
def test_impossible_ticks_are_named(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AxisTicks(**asked).checked()


def test_ticks_are_put_in_order_and_given_once() -> None:
    checked = AxisTicks(settings={"a": [5, 1, 5]}, median_at=[60, 12]).checked()
    assert checked.settings["a"].tolist() == [1, 5]
    assert checked.median_at is not None
    assert checked.median_at.tolist() == [12, 60]
    assert checked.risk_at is None
