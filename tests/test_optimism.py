"""Optimism of a Cox regression: rms::validate to its digits, and converged; noise; failures."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from models.cox_fit import cox_fit
from models.discrimination import c_index
from models.logistic import logistic_fit
from models.optimism import cox_optimism, logistic_optimism, point_632_plus
from models.resample_counts import bootstrap_counts, fold_counts
from models.scores import optimism_interval
from models.validation_indexes import CONVERGED, COX_INDEXES, RMS
from omics.errors import FitError
from tests import validation_reference as v

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


RMS_COLUMNS = {
    "index.orig": "apparent", "training": "training", "test": "test",
    "index.corrected": "corrected",
}  # fmt: skip


def compared(
    found: pd.DataFrame, theirs: dict[str, dict[str, float]], columns: dict[str, str], atol: float
) -> None:
    table = found.set_index("index")
    for name, row in theirs.items():
        for column, ours in columns.items():
            expected = row[column]
            assert table.loc[v.NAMES[name], ours] == pytest.approx(expected, abs=atol), (name, ours)


@pytest.mark.parametrize("method", ["boot", ".632"])
def test_cox_figures_are_those_of_rms(method: str) -> None:
    # .632 in rms takes no mean of the test figures but their weighted sum: the same thing
    found = cox_optimism(v.X, v.TIME, v.EVENT, v.COUNTS, method=method, stopping=RMS)
    theirs = v.R["rms"]["cox"][method]
    columns = {"test": "test", "index.corrected": "corrected"} if method == ".632" else RMS_COLUMNS
    compared(found.table, theirs, columns, 2e-6)  # the fit to all patients there was tight
    assert found.n_failed == 40 - theirs["Dxy"]["n"]


@pytest.mark.parametrize("method", ["boot", ".632"])
def test_logistic_figures_are_those_of_rms(method: str) -> None:
    found = logistic_optimism(v.X, v.CLASS, v.COUNTS, method=method)
    theirs = v.R["rms"]["logistic"][method]
    columns = {"test": "test", "index.corrected": "corrected"} if method == ".632" else RMS_COLUMNS
    # lrm stops once -2 log likelihood changes by less than .025
    compared(found.table, {k: row for k, row in theirs.items() if k != "Emax"}, columns, 2.5e-3)
    row = found.table.set_index("index").loc["emax"]
    assert row["corrected"] == pytest.approx(theirs["Emax"]["index.corrected"], abs=2.5e-3)
    assert row["corrected"] == row["apparent"] - row["optimism"]


def test_cross_validated_figures_are_those_of_rms() -> None:
    counts = np.ones((10, 150), dtype=int)
    for fold in range(10):
        counts[fold, np.array(v.R["folds"])[15 * fold : 15 * (fold + 1)]] = 0
    cox = cox_optimism(v.X, v.TIME, v.EVENT, counts, method="crossvalidation", stopping=RMS)
    compared(cox.table, v.R["rms"]["cox"]["crossvalidation"], RMS_COLUMNS, 2e-6)
    logistic = logistic_optimism(v.X, v.CLASS, counts, method="crossvalidation")
    theirs = v.R["rms"]["logistic"]["crossvalidation"]
    compared(
        logistic.table, {k: row for k, row in theirs.items() if k != "Emax"}, RMS_COLUMNS, 2.5e-3
    )
    assert cox.table[["lower", "upper"]].notna().all(axis=None)


def test_plus_lies_beyond_the_plain_rule_and_not_beyond_chance() -> None:
    def figures(method: str) -> pd.Series:
        found = logistic_optimism(v.X, v.CLASS, v.COUNTS, method=method)
        return found.table.set_index("index")["corrected"]

    fit = logistic_fit(v.X, v.CLASS)
    coef = np.array([fit.intercept, *fit.coef])
    plain, plus, boot = figures(".632"), figures(".632+"), figures("boot")
    assert 0 < plus["dxy"] < plain["dxy"] < 1
    # out-of-bag Brier scores are worse than those of shuffled risks here: these bound it
    risk = expit(np.insert(v.X, 0, 1, axis=1) @ coef)
    assert plus["brier"] == pytest.approx(((v.CLASS[:, np.newaxis] - risk) ** 2).mean())
    assert plus[["u", "q", "intercept", "emax"]].isna().all()
    assert abs(plus["dxy"] - boot["dxy"]) < 0.1  # five columns, 70 of the rarer class


def test_plus_rule_by_hand() -> None:
    # apparent error .1, left out .3, without information .5: R = .5, weight .632 / .816
    weight = 0.632 / (1 - 0.368 * 0.5)
    assert point_632_plus(0.1, 0.3, 0.5) == pytest.approx(0.1 * (1 - weight) + 0.3 * weight)
    assert point_632_plus(0.1, 0.6, 0.5) == pytest.approx(0.5)  # worse than chance: chance
    assert point_632_plus(0.1, 0.05, 0.5) == pytest.approx(0.368 * 0.1 + 0.632 * 0.05)
    assert np.isnan(point_632_plus(0.1, 0.3, np.nan))


def test_noise_is_worth_nothing_by_plus_and_folds_with_many_columns() -> None:
    # 40 columns, some 84 events: the plain bootstrap is refused
    rng = np.random.default_rng(5)
    found = {"apparent": [], ".632+": [], "crossvalidation": []}
    for seed in range(5):
        x, event = rng.normal(size=(120, 40)), rng.random(120) < 0.7
        time = rng.exponential(size=120)
        drawn = {
            ".632+": bootstrap_counts(120, resamples=40, seed=seed),
            "crossvalidation": fold_counts(120, folds=5, repeats=4, seed=seed),
        }
        for method, counts in drawn.items():
            row = cox_optimism(x, time, event, counts, method=method).table.iloc[0]
            found[method].append(row["corrected"])
        found["apparent"].append(row["apparent"])
        with pytest.raises(ValueError, match=r"method must not be 'boot' for 40 columns"):
            cox_optimism(x, time, event, drawn[".632+"])
    assert np.mean(found["apparent"]) > 0.38
    assert abs(np.mean(found["crossvalidation"])) < 0.15
    assert np.mean(found[".632+"]) < 0.2  # R is near 1, not at it: some of the apparent stays


def test_wrong_methods_and_counts_are_named() -> None:
    with pytest.raises(ValueError, match="method must be one of boot"):
        cox_optimism(X, TIME, EVENT, COUNTS, method="jackknife")
    with pytest.raises(ValueError, match="counts must leave every patient out"):
        cox_optimism(X, TIME, EVENT, COUNTS[:2], method=".632")
    with pytest.raises(ValueError, match="counts must be 0 or 1 and hold"):
        cox_optimism(X, TIME, EVENT, COUNTS, method="crossvalidation")
    with pytest.raises(ValueError, match=r"counts must have one row per resample.*\(25, 149\)"):
        cox_optimism(X, TIME, EVENT, COUNTS[:, 1:])
    with pytest.raises(ValueError, match="folds must be at least 2"):
        fold_counts(5, folds=3, repeats=1, seed=0)
