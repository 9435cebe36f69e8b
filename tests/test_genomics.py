"""Molecular scales: hand-worked values, scipy as second witness, and what each refuses."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit

from omics.errors import StudyError
from omics.genomics import BETA_CLIP, beta_to_m, check_mutations, count_clipped, log2p1


def column(*values: float) -> pd.DataFrame:
    rows = [f"row {number + 2}" for number in range(len(values))]
    return pd.DataFrame({"g": list(values)}, index=rows, dtype=np.float64)


def test_log2p1_by_hand() -> None:
    assert log2p1(column(0, 1, 3, 1023))["g"].tolist() == [0.0, 1.0, 2.0, 10.0]
    assert log2p1(column(np.nan))["g"].isna().all()


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=5))
def test_log2p1_agrees_with_numpy_and_keeps_order(values: list[float]) -> None:
    result = log2p1(column(*values))["g"].to_numpy()
    np.testing.assert_allclose(result, np.log1p(values) / np.log(2), rtol=1e-10, atol=1e-10)
    assert (np.diff(result[np.argsort(values)]) >= 0).all()


def test_beta_to_m_by_hand() -> None:
    result = beta_to_m(column(0.5, 0.8, 0.2, np.nan))["g"]
    np.testing.assert_allclose(result, [0, 2, -2, np.nan], atol=1e-12)


def test_beta_to_m_clips_both_ends_alike_and_counts_them() -> None:
    table = column(0, 0.0005, 0.001, 0.999, 1, np.nan)
    limit = np.log2(999)  # 0.999 / 0.001
    expected = [-limit, -limit, -limit, limit, limit, np.nan]
    np.testing.assert_allclose(beta_to_m(table)["g"], expected, rtol=1e-12)
    assert count_clipped(table) == (3, 5)


@given(st.floats(BETA_CLIP, 1 - BETA_CLIP))
def test_beta_to_m_agrees_with_scipy_and_is_antisymmetric(beta: float) -> None:
    result = beta_to_m(column(beta, 1 - beta))["g"]
    np.testing.assert_allclose(result.iloc[0], logit(beta) / np.log(2), atol=1e-10)
    np.testing.assert_allclose(result.sum(), 0, atol=1e-10)


def test_arguments_are_not_modified() -> None:
    table = column(0.0, 1.0)
    log2p1(table)
    beta_to_m(table)
    assert table["g"].tolist() == [0.0, 1.0]


def test_mutations() -> None:
    check_mutations(column(0, 1, np.nan))
    with pytest.raises(
        StudyError, match=r"mine: .*'g' must be 0 .* but 2 of 3 .*first: 2 in row 3"
    ):
        check_mutations(column(0, 2, 0.5), title="mine")


@pytest.mark.parametrize(
    ("function", "value", "message"),
    [
        (log2p1, -0.5, r"'g' must be 0 or more.* but 1 of 2 is not \(first: -0\.5 in row 3\)"),
        (beta_to_m, 1.5, r"beta value in \[0, 1\].* 1 of 2 is not \(first: 1\.5 in row 3\)"),
        (beta_to_m, -0.1, r"first: -0\.1 in row 3"),
    ],
)
def test_wrong_scale_is_named(function: object, value: float, message: str) -> None:
    assert callable(function)
    with pytest.raises(StudyError, match=message):
        function(column(0.5, value))
