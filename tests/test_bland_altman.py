"""Limits of agreement: R's quantiles, by hand, coverage, properties, the figure."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from omics.bland_altman import BlandAltman, bland_altman
from reports.figures.bland_altman import draw_bland_altman
from reports.jupyter import drawn as shown

R = json.loads(
    (Path(__file__).parent / "reference" / "bland_altman.json").read_text(encoding="utf-8")
)


def ends(found: BlandAltman) -> Any:
    return found.table[["estimate", "lower", "upper"]].to_numpy()


@pytest.mark.parametrize("number", range(3))
def test_r_agrees(number: int) -> None:
    table = R["tables"][number]
    found = bland_altman(
        table["first"], table["second"], coverage=table["coverage"], level=table["level"]
    )
    expected = np.column_stack([table[name] for name in ("estimate", "lower", "upper")])
    # R's noncentral quantile stops at 1e-11 of the probability.
    np.testing.assert_allclose(ends(found), expected, rtol=1e-6, atol=1e-6)
    assert found.table["standard_deviation"][0] == pytest.approx(table["standard_deviation"])


def test_by_hand() -> None:
    found = bland_altman([1.0, 2.0, 3.0], [2.0, 2.0, 5.0], names=["mri:Mean"])
    # Differences 1, 0, 2: mean 1, standard deviation 1.
    z = 1.959963984540054
    assert ends(found)[:, 0] == pytest.approx([1, 1 - z, 1 + z], abs=1e-10)
    half = t.ppf(0.975, 2) / np.sqrt(3)
    assert ends(found)[0, 1:] == pytest.approx([1 - half, 1 + half], abs=1e-10)
    coefficient = found.table["repeatability_coefficient"][0]
    assert coefficient == pytest.approx(z * np.sqrt(5 / 3), abs=1e-10)
    assert repr(found) == "BlandAltman(1 features, 3 patients, limits of 95 %)"


def test_bland_and_altmans_approximation_is_near_in_large_samples() -> None:
    rng = np.random.default_rng(0)
    first = rng.normal(size=2000)
    found = ends(bland_altman(first, first + rng.normal(size=2000)))
    sd = (found[2, 0] - found[1, 0]) / 2 / 1.959963984540054
    half = 1.96 * sd * np.sqrt(1 / 2000 + 1.96**2 / 2 / 1999)
    np.testing.assert_allclose(found[2, 1:] - found[2, 0], [-half, half], atol=0.005)


def test_each_limits_interval_covers_the_true_limit() -> None:
    rng = np.random.default_rng(2)
    differences = 0.5 + 2 * rng.normal(size=(10, 4000))
    found = ends(bland_altman(np.zeros_like(differences), differences)).reshape(-1, 3, 3)
    truth = 0.5 + 2 * 1.959963984540054 * np.array([0.0, -1.0, 1.0])
    covered = ((found[:, :, 1] <= truth) & (truth <= found[:, :, 2])).mean(axis=0)
    np.testing.assert_allclose(covered, 0.95, atol=0.012)  # binomial error .0034


@settings(max_examples=25)
@given(
    scale=st.floats(0.1, 100),
    move=st.floats(-100, 100),
    order=st.permutations(range(6)),
    seed=st.integers(0, 20),
)
def test_units_order_and_direction(scale: float, move: float, order: list[int], seed: int) -> None:
    first, second = np.random.default_rng(seed).normal(size=(2, 6))
    found = ends(bland_altman(first, second))
    same = ends(bland_altman(move + scale * first[order], move + scale * second[order]))
    np.testing.assert_allclose(same, scale * found, rtol=1e-7, atol=1e-7 * scale)
    turned = ends(bland_altman(second, first))
    np.testing.assert_allclose(turned[0], -found[0, [0, 2, 1]], atol=1e-10)
    np.testing.assert_allclose(turned[1], -found[2, [0, 2, 1]], atol=1e-10)


def test_only_patients_with_both_readings_count() -> None:
    first = np.array([[1.0, 1.0], [2.0, np.nan], [4.0, 3.0], [3.0, np.nan]])
    second = first + np.array([[1.0, 1.0], [0.0, 1.0], [2.0, np.nan], [np.nan, 0.0]])
    found = bland_altman(first, second)
    assert found.table["n_patients"].tolist() == [3, 3, 3, 1, 1, 1]
    np.testing.assert_allclose(ends(found)[:3], ends(bland_altman([1, 2, 4], [2, 2, 6])))
    assert np.isnan(ends(found)[3:]).all()


def test_readings_that_agree_have_limits_of_zero() -> None:
    np.testing.assert_array_equal(ends(bland_altman([1.0, 5.0, 2.0], [1.0, 5.0, 2.0])), 0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bland_altman([1.0], [1.0, 2.0]), r"same patients .*\(1, 1\) and \(2, 1\)"),
        (lambda: bland_altman([1.0, np.inf], [1.0, 2.0]), "first must be finite .*1 infinite"),
        (lambda: bland_altman([1.0], [1.0], coverage=95), "coverage must lie between 0 and 1"),
        (lambda: bland_altman([1.0], [1.0], level=0), "level must lie between 0 and 1"),
        (lambda: bland_altman([1.0], [1.0], names=["a", "b"]), "each of 1 features, but 2"),
    ],
)
def test_wrong_input_is_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_figure_draws_differences_bias_and_limits() -> None:
    first, second = np.random.default_rng(1).normal(size=(2, 12, 2))
    found = bland_altman(first, second, names=["mri:a", "mri:<b>"])
    figure = draw_bland_altman(found, "mri:<b>")
    points = figure.data[0]
    np.testing.assert_allclose(points.x, (first[:, 1] + second[:, 1]) / 2)
    np.testing.assert_allclose(points.y, second[:, 1] - first[:, 1])
    lines = [shape for shape in figure.layout.shapes if shape.type == "line"]
    np.testing.assert_allclose([line.y0 for line in lines], ends(found)[3:, 0])
    bands = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    np.testing.assert_allclose([band.y0 for band in bands], ends(found)[3:, 1])
    assert figure.layout.xaxis.title.text == "Mean of &lt;b&gt;"
    assert figure.layout.annotations[0].text.startswith("Bias<br>")
    with pytest.raises(ValueError, match=r"feature must be one of 2.*Did you mean 'mri:a'"):
        draw_bland_altman(found, "mri:aa")
    assert shown(found).title == "Bland-Altman"
