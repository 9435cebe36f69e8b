"""Riley's criteria: published examples, the formula in R, the limits they promise."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sample_size import (
    binary_sample_size,
    largest_r_squared_binary,
    largest_r_squared_survival,
    r_squared_of_c_statistic,
    r_squared_of_share,
    survival_sample_size,
)
from tests.assumptions_reference import REFERENCE

R = REFERENCE["sample_size"]

# Expected results in the tests of the R package pmsampsize 1.1.3 (its authors are Riley's):
# r_squared, parameters, prevalence; patients by criterion; events per parameter by criterion.
BINARY = [
    ((0.288, 24, 0.174), [623, 662, 221], [4.52, 4.80, 1.60]),
    ((0.55, 24, 0.174), [255, 532, 221], [1.85, 3.86, 1.60]),
    ((0.288, 36, 0.174), [934, 992, 221], [4.51, 4.79, 1.07]),
    ((0.288, 24, 0.25), [623, 590, 289], [6.49, 6.15, 3.01]),
]
# r_squared, parameters, rate, horizon, mean follow-up; patients by the first two criteria
SURVIVAL = [
    ((0.051, 25, 0.065, 2, 2.07), [4286, 866]),
    ((0.065, 25, 0.065, 2, 2.07), [3335, 859]),
    ((0.051, 50, 0.065, 2, 2.07), [8572, 1731]),
    ((0.051, 25, 0.1, 2, 2.07), [4286, 731]),
    ((0.051, 25, 0.065, 2, 4.0), [4286, 679]),
    ((0.06, 40, 0.08, 3, 5.0), [5798, 969]),
    ((0.03, 10, 0.09, 3, 3.0), [2950, 272]),
    ((0.3, 80, 0.03, 1, 5.0), [1974, 2272]),
]


@pytest.mark.parametrize(("given_", "n_patients", "per_parameter"), BINARY)
def test_binary_examples_of_the_authors(
    given_: Any, n_patients: list[int], per_parameter: list[float]
) -> None:
    r_squared, parameters, prevalence = given_
    needed = binary_sample_size(parameters=parameters, prevalence=prevalence, r_squared=r_squared)
    assert needed.table["n_patients"].tolist() == n_patients
    assert needed.n_patients == max(n_patients)
    assert needed.table["events_per_parameter"].round(2).tolist() == per_parameter
    assert needed.n_events == np.ceil(max(n_patients) * prevalence)


@pytest.mark.parametrize(("given_", "n_patients"), SURVIVAL)
def test_survival_examples_of_the_authors(given_: Any, n_patients: list[int]) -> None:
    r_squared, parameters, rate, horizon, follow_up = given_
    needed = survival_sample_size(
        parameters=parameters,
        rate=rate,
        mean_follow_up=follow_up,
        horizon=horizon,
        r_squared=r_squared,
    )
    first, second, _ = needed.table["n_patients"]
    assert first == n_patients[0]
    # pmsampsize takes the largest R squared of 10 000 patients with their events rounded up, we
    # that of the rate itself: one patient more in two of the examples.
    assert 0 <= second - n_patients[1] <= 1
    assert needed.n_patients == max(n_patients)


@pytest.mark.parametrize("kind", ["binary", "survival"])
def test_matches_the_formula_in_r(kind: str) -> None:
    compute: Any = binary_sample_size if kind == "binary" else survival_sample_size
    for example in R[kind]:
        assert compute(**example["at"]).table["n_patients"].tolist() == example["n"]


def test_c_statistic_matches_four_million_patients() -> None:
    for example in R["c_statistic"]:
        value = r_squared_of_c_statistic(example["c"], prevalence=example["prevalence"])
        assert value == pytest.approx(example["r_squared"], abs=1e-3)  # the error of simulation


def test_largest_r_squared_by_hand() -> None:
    # -2 log likelihood of a fair coin is 2 log 2 a patient: 1 - 1/4
    assert largest_r_squared_binary(0.5) == pytest.approx(0.75, abs=1e-12)
    # one event a patient: l0 = 0 - 1
    assert largest_r_squared_survival(0.5, 2) == pytest.approx(1 - np.exp(-2), abs=1e-12)
    assert r_squared_of_share(0.5, share=0.4) == pytest.approx(0.2)


def test_the_second_shrinkage_is_where_the_optimism_is_five_points() -> None:
    needed = binary_sample_size(parameters=24, prevalence=0.174, r_squared=0.288)
    shrinkage = needed.table["shrinkage"][1]
    # apparent R squared is the adjusted one over the shrinkage
    optimism = (0.288 / shrinkage - 0.288) / needed.largest_r_squared
    assert optimism == pytest.approx(0.05, abs=1e-10)


@given(
    parameters=st.integers(1, 60),
    rate=st.floats(0.01, 0.1),
    follow_up=st.floats(0.5, 10),
    share=st.floats(0.05, 0.9),
)
def test_the_unit_of_time_does_not_matter_and_more_signal_needs_fewer(
    parameters: int, rate: float, follow_up: float, share: float
) -> None:
    r_squared = 0.95 * r_squared_of_share(largest_r_squared_survival(rate, follow_up), share=share)
    years = survival_sample_size(
        parameters=parameters, rate=rate, mean_follow_up=follow_up, horizon=2, r_squared=r_squared
    )
    days = survival_sample_size(
        parameters=parameters,
        rate=rate / 365.25,
        mean_follow_up=follow_up * 365.25,
        horizon=2 * 365.25,
        r_squared=r_squared,
    )
    assert np.abs(years.table["n_patients"] - days.table["n_patients"]).max() <= 1
    weaker = survival_sample_size(
        parameters=parameters,
        rate=rate,
        mean_follow_up=follow_up,
        horizon=2,
        r_squared=r_squared / 2,
    )
    assert weaker.table["n_patients"][0] > years.table["n_patients"][0]


@given(c=st.floats(0.55, 0.95), prevalence=st.floats(0.05, 0.95))
def test_a_better_c_statistic_explains_more_and_classes_can_be_exchanged(
    c: float, prevalence: float
) -> None:
    value = r_squared_of_c_statistic(c, prevalence=prevalence)
    assert 0 < value < largest_r_squared_binary(prevalence)
    assert value == pytest.approx(r_squared_of_c_statistic(c, prevalence=1 - prevalence), abs=1e-9)
    assert r_squared_of_c_statistic(c + 0.02, prevalence=prevalence) > value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parameters": 0}, "parameters must be 1 or more, but 0 came"),
        ({"prevalence": 1.0}, "prevalence must lie strictly between 0 and 1, but 1 came"),
        ({"r_squared": 0.0}, r"r_squared must lie above 0 and below 0\.75"),
        ({"r_squared": 0.8}, r"but 0\.8 came.*Nagelkerke"),
    ],
)
def test_wrong_input_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        binary_sample_size(**{"parameters": 5, "prevalence": 0.5, "r_squared": 0.2} | change)


def test_wrong_times_and_shares_are_named() -> None:
    good = {
        "parameters": 5,
        "rate": 0.1,
        "mean_follow_up": 2.0,
        "horizon": 2.0,
        "r_squared": 0.1,
    }
    for name in ("rate", "mean_follow_up", "horizon"):
        with pytest.raises(ValueError, match=f"{name} must be above zero and finite, but 0 came"):
            survival_sample_size(**good | {name: 0.0})  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match=r"rate must allow a patient one event at most.*gives 1\.2"
    ):
        survival_sample_size(**good | {"rate": 0.6})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"c_statistic must lie above \.5 and below 1, but 0\.5"):
        r_squared_of_c_statistic(0.5, prevalence=0.3)
    with pytest.raises(ValueError, match="share must lie strictly between 0 and 1, but 1 came"):
        r_squared_of_share(0.5, share=1.0)
