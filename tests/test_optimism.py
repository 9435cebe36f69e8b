"""Optimism of a Cox regression: rms::validate to its digits, and converged; noise; failures."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.cox_fit import cox_fit
from models.discrimination import c_index
from models.optimism import cox_optimism
from models.resample_counts import bootstrap_counts
from models.scores import optimism_interval
from models.validation_indexes import CONVERGED, COX_INDEXES, RMS
from omics.errors import FitError

R = json.loads((Path(__file__).parent / "reference" / "optimism.json").read_text())
TABLE = pd.DataFrame(R["data"])
X = TABLE[["a", "b", "c", "e"]].to_numpy(dtype=float)
TIME, EVENT = TABLE["time"].to_numpy(dtype=float), TABLE["event"].to_numpy(dtype=bool)
COUNTS = np.array([np.bincount(rows, minlength=len(TIME)) for rows in R["draws"]])
MEANS = ["apparent", "training", "test", "optimism", "corrected"]


def test_stopped_as_rms_it_gives_its_digits() -> None:
    assert R["names"] == ["Dxy", "R2", "Slope", "D", "U", "Q", "g"]
    found = cox_optimism(X, TIME, EVENT, COUNTS, stopping=RMS).table
    np.testing.assert_allclose(found[MEANS], R["validate"], atol=1e-9)


def test_converged_refits_equal_coxph() -> None:
    table = cox_optimism(X, TIME, EVENT, COUNTS, stopping=CONVERGED).table
    train, test = np.array(R["train"]), np.array(R["test"])
    np.testing.assert_allclose(table["apparent"], R["apparent"], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(table["training"], train.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(table["test"], test.mean(axis=0), rtol=1e-6)
    for j, row in enumerate(table.itertuples()):
        interval = optimism_interval(train[:, j], test[:, j], R["apparent"][j], level=0.95)
        np.testing.assert_allclose(
            [row.corrected, row.lower, row.upper], interval, rtol=1e-5, atol=1e-8
        )
    # METHODS: rms as it is differs from the converged figures by a few thousandths
    np.testing.assert_allclose(table["corrected"], np.array(R["validate"])[:, 4], atol=5e-3)


def test_dxy_and_g_of_one_resample_written_out() -> None:
    counts = COUNTS[:2]
    table = cox_optimism(X, TIME, EVENT, counts).table.set_index("index")

    dxy, g = [], []
    for c in counts:
        rows = np.repeat(np.arange(len(TIME)), c)
        lp = X @ cox_fit(X[rows], TIME[rows], EVENT[rows]).coef
        dxy.append(2 * c_index(TIME[rows], EVENT[rows], lp[rows]) - 1)
        own = lp[rows]
        g.append(np.abs(own[:, np.newaxis] - own).sum() / (len(own) * (len(own) - 1)))
    assert table.loc["dxy", "training"] == pytest.approx(np.mean(dxy), abs=1e-9)
    assert table.loc["g", "training"] == pytest.approx(np.mean(g), rel=1e-8)


def test_noise_is_worth_nothing_once_corrected() -> None:
    apparent, corrected = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x, time = rng.normal(size=(120, 5)), rng.exponential(size=120)
        counts = bootstrap_counts(120, resamples=60, seed=seed)
        table = cox_optimism(x, time, rng.random(120) < 0.7, counts).table.set_index("index")
        apparent.append(table.loc["dxy", "apparent"])
        corrected.append(table.loc["dxy", "corrected"])
    # one figure spreads by .085 over samples, their mean by .013
    assert np.mean(apparent) > 0.11
    assert abs(np.mean(corrected)) < 0.05


def test_order_and_unit_change_nothing() -> None:
    order = np.random.default_rng(0).permutation(len(TIME))
    one = cox_optimism(X, TIME, EVENT, COUNTS).table
    other = cox_optimism(X[order] * 10, TIME[order] * 30.4375, EVENT[order], COUNTS[:, order]).table
    np.testing.assert_allclose(other[MEANS], one[MEANS], rtol=1e-6, atol=1e-9)


def test_failed_resamples_are_counted() -> None:
    counts = COUNTS.copy()
    counts[3] = np.where(TABLE["b"] == 0, 1, 0)  # b is constant there
    counts[7] = np.where(EVENT, 0, 1)  # nobody has the event
    found = cox_optimism(X, TIME, EVENT, counts)
    assert (found.n_resamples, found.n_failed) == (25, 2)
    assert (found.table["n_resamples"] == 23).all()
    assert list(found.table["index"]) == list(COX_INDEXES)
    assert "25 resamples, 2 failed" in repr(found)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ValueError, match="resamples must be at least 2, but 1 came"):
        bootstrap_counts(10, resamples=1, seed=0)
    with pytest.raises(FitError, match=r"at least two resamples.*0 of 2"):
        cox_optimism(X, TIME, EVENT, np.tile(np.where(EVENT, 0, 1), (2, 1)))
    with pytest.raises(ValueError, match="counts must be whole numbers"):
        cox_optimism(X, TIME, EVENT, COUNTS / 2)
    with pytest.raises(FitError, match="needs events"):
        cox_optimism(X, TIME, np.zeros_like(EVENT), COUNTS)
