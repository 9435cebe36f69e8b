"""The outcome among what MOFA learns from: copies, complements, proxies; innocents go free."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.stats.contingency import association
from sklearn.metrics import roc_auc_score

from omics.mudata import read_mudata
from omics.outcome import survival_outcome
from omics.outcome_in_views import outcome_in_views, outcome_likenesses
from omics.table_spec import TableSpec
from tests.realdata import DATA, needs_data

N = 120


def made_view(n: int = N, n_features: int = 30, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.4
    flags = pd.DataFrame(
        (rng.random((n, n_features)) < 0.3).astype(float),
        columns=[f"flags:G{i}" for i in range(n_features)],
    )
    return flags.assign(**{"rna:A": rng.normal(size=n), "rna:B": rng.normal(size=n)}), y


def test_innocent_columns_go_free() -> None:
    X, y = made_view()
    X["rna:marker"] = y + np.random.default_rng(1).normal(size=N)  # a good marker, AUC about .76
    assert outcome_likenesses(X, y).empty
    assert outcome_in_views(X, y, label="IGHV") == ()


@pytest.mark.parametrize("turn", [False, True], ids=["copy", "complement"])
def test_a_copy_and_a_complement_are_found(turn: bool) -> None:
    X, y = made_view()
    X["flags:IGHV_status"] = (y != turn).astype(float)
    table = outcome_likenesses(X, y)
    assert table[["column", "what", "measure", "agreement"]].to_numpy().tolist() == [
        ["flags:IGHV_status", "class", "Cramér's V", 1.0]
    ]


def test_a_noisy_proxy_is_found_with_its_cramers_v() -> None:
    X, y = made_view()
    proxy = y.copy()
    proxy[[3, 50]] = ~proxy[[3, 50]]
    values = proxy.astype(float)
    values[[7, 8, 9]] = np.nan
    X["flags:IGHV_old"] = values
    row = outcome_likenesses(X, y).iloc[0]
    known = ~np.isnan(values)
    square = pd.crosstab(values[known], y[known]).to_numpy()
    assert row["agreement"] == pytest.approx(association(square, method="cramer"), abs=1e-12)
    assert (row["n_patients"], row["limit"]) == (N - 3, 0.9)


def test_a_proxy_just_below_the_limit_is_not_accused() -> None:
    X, y = made_view()
    proxy = y.copy()
    proxy[:12] = ~proxy[:12]
    X["flags:near"] = proxy.astype(float)
    square = pd.crosstab(proxy, y).to_numpy()
    assert 0.75 < association(square, method="cramer") < 0.9
    assert outcome_likenesses(X, y).empty


@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_that_all_but_decides_the_class_is_found_by_its_auc(sign: int) -> None:
    X, y = made_view()
    X["rna:ZAP70"] = sign * (3.0 * y + np.random.default_rng(2).normal(size=N))
    row = outcome_likenesses(X, y).iloc[0]
    expected = roc_auc_score(y, sign * X["rna:ZAP70"])
    assert (row["column"], row["measure"]) == ("rna:ZAP70", "AUC")
    assert row["agreement"] == pytest.approx(expected, abs=1e-12)


def test_time_and_event_of_survival_are_looked_for() -> None:
    X, event = made_view()
    rng = np.random.default_rng(3)
    time = rng.exponential(30, N) + 0.1
    X["flags:last_seen"] = -np.log(time) + rng.normal(size=N) / 10
    X["flags:died"] = event.astype(float)
    table = outcome_likenesses(X, survival_outcome(time, event)).set_index("column")
    assert table["what"].to_dict() == {"flags:died": "event", "flags:last_seen": "time"}
    rho = abs(stats.spearmanr(X["flags:last_seen"], time).statistic)
    assert table.loc["flags:last_seen", "agreement"] == pytest.approx(rho, abs=1e-12)
    assert table.loc["flags:last_seen", "measure"] == "|rho|"


@given(seed=st.integers(0, 20))
def test_the_time_is_looked_for_among_the_values_that_are_there(seed: int) -> None:
    rng = np.random.default_rng(seed)
    time = rng.exponential(30, 60).round() + 1  # with ties
    X = pd.DataFrame(
        time[:, np.newaxis] * np.exp(rng.normal(size=(60, 8)) * np.linspace(0, 0.6, 8)),
        columns=[f"rna:G{i}" for i in range(8)],
    ).mask(rng.random((60, 8)) < 0.3)
    found = outcome_likenesses(X, survival_outcome(time, rng.random(60) < 0.5))
    expected = {name: stats.spearmanr(X[name], time, nan_policy="omit").statistic for name in X}
    near = {name: rho for name, rho in expected.items() if rho >= 0.9}
    assert near
    assert set(found["column"]) == set(near)
    for row in found.itertuples():
        assert row.agreement == pytest.approx(near[row.column], abs=1e-10)


def test_two_known_values_say_nothing_of_the_time() -> None:
    X, event = made_view()
    X["rna:rare"] = [1.0, 2.0, *[np.nan] * (N - 2)]
    time = np.arange(N) + 1.0
    assert outcome_likenesses(X, survival_outcome(time, event)).empty


def test_the_outcomes_own_column_is_found_by_name_whatever_its_values() -> None:
    X, y = made_view()
    X["flags:Ighv "] = np.nan
    table = outcome_likenesses(X, y, columns=["clinical:IGHV"])
    assert table[["column", "what", "measure", "n_patients"]].to_numpy().tolist() == [
        ["flags:Ighv ", "name", "", 0]
    ]
    (finding,) = outcome_in_views(X, y, label="IGHV", columns=["clinical:IGHV"])
    assert "bears the name of a column that it was read from" in finding.message


def test_the_finding_names_column_view_agreement_and_cure() -> None:
    X, y = made_view()
    X["flags:IGHV_status"] = y.astype(float)
    X["flags:unmutated"] = (~y).astype(float)
    X["rna:ZAP70"] = 4.0 * y + np.random.default_rng(2).normal(size=N)
    flags, rna = outcome_in_views(X, y, label="IGHV")
    assert (flags.code, flags.severity, flags.where) == ("outcome_in_view", "serious", "flags")
    assert "holds the outcome IGHV: 'flags:IGHV_status' agrees with its class" in flags.message
    assert "(Cramér's V 1.00 in 120 patients; the limit is 0.9). So does 1 more" in flags.message
    assert "drop = [...] in table 'flags': 'IGHV_status', 'unmutated')." in flags.message
    assert rna.where == "rna"
    assert "(AUC 1.00 in 120 patients; the limit is 0.95)" in rna.message


def test_a_strong_marker_is_a_caution_and_may_be_meant() -> None:
    X, y = made_view()
    X["rna:LPL"] = 2.6 * y + np.random.default_rng(4).normal(size=N)
    (finding,) = outcome_in_views(X, y, label="IGHV")
    assert finding.severity == "caution"
    assert "holds what all but decides the outcome IGHV: 'rna:LPL' agrees" in finding.message
    assert finding.message.endswith("known before the outcome and are meant to predict it.")


def test_few_patients_and_many_columns_accuse_no_innocent() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([True, False], 6)
    X = pd.DataFrame(
        (rng.random((12, 3000)) < 0.5).astype(float), columns=[f"flags:G{i}" for i in range(3000)]
    )
    X["flags:chance"] = y.astype(float)  # 2 of 924 splits of 12: expected in 3000 columns
    assert outcome_likenesses(X, y).empty
    assert len(outcome_likenesses(X[["flags:chance"]], y)) == 1


def test_columns_without_values_and_constant_ones_are_passed_over() -> None:
    X, y = made_view()
    X["flags:none"], X["flags:same"] = np.nan, 1.0
    time = np.arange(N) + 1.0
    assert outcome_likenesses(X, y).empty
    assert outcome_likenesses(X, survival_outcome(time, y)).empty


@given(seed=st.integers(0, 20))
def test_the_coding_of_the_outcome_plays_no_part(seed: int) -> None:
    X, y = made_view(seed=seed)
    X["flags:copy"] = np.where(y, 2.0, 5.0)
    one, two = outcome_likenesses(X, y), outcome_likenesses(X, ~y)
    pd.testing.assert_frame_equal(one, two)


@needs_data("cll")
def test_ighv_among_the_mutations_of_cll_is_found_and_its_methylation_is_a_caution() -> None:
    views = [_cll(name) for name in ("Mutations", "Methylation")]
    X = pd.concat(views, axis=1)
    known = X["Mutations:IGHV"].notna()
    X = X[known]
    mutations, methylation = outcome_in_views(X, X["Mutations:IGHV"].to_numpy() == 1, label="IGHV")
    assert "holds the outcome IGHV: 'Mutations:IGHV' agrees with its class" in mutations.message
    assert (mutations.severity, methylation.severity) == ("serious", "caution")
    assert "(AUC 0.96 in 184 patients" in methylation.message


def _cll(modality: str) -> pd.DataFrame:
    spec = TableSpec(path=DATA / "cll" / "cll.h5mu", kind="features", modality=modality)
    grid = read_mudata(spec, title=modality)
    names = [f"{modality}:{name}" for name in grid.iloc[0, 1:]]
    return pd.DataFrame(
        grid.iloc[1:, 1:].to_numpy(dtype=np.float64), index=grid.iloc[1:, 0], columns=names
    )
