"""Factors that are there come back; those of noise do not; the matching is the best there is."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

import omics.stability
from omics.errors import FitError
from omics.mofa import FactorModel
from omics.stability import correlations, factor_stability, matched


def planted(n: int = 90, *, seed: int = 3, noise: float = 0.5) -> pd.DataFrame:
    """Two factors in two views, of unequal strength."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n, 2))
    blocks = {
        view: factor @ (rng.normal(size=(2, 12)) * [[2.0], [1.0]])
        + noise * rng.normal(size=(n, 12))
        for view in ("mri", "rna")
    }
    return pd.DataFrame({f"{v}:f{j}": b[:, j] for v, b in blocks.items() for j in range(12)})


def pure_noise(n: int = 90, *, seed: int = 4) -> pd.DataFrame:
    table = np.random.default_rng(seed).normal(size=(n, 24))
    return pd.DataFrame(table, columns=[f"{'mri' if j < 12 else 'rna'}:f{j}" for j in range(24)])


X = planted()
MODEL = FactorModel(n_factors=2).fit(X)


# the matching ---------------------------------------------------------------------------------


@given(rows=st.integers(1, 4), columns=st.integers(1, 4), seed=st.integers(0, 10_000))
def test_matching_is_the_best_of_all_assignments(rows: int, columns: int, seed: int) -> None:
    r = np.random.default_rng(seed).uniform(-1, 1, (rows, columns))
    partner = matched(r)
    found = sum(abs(r[i, j]) for i, j in enumerate(partner) if j >= 0)
    small, large = min(rows, columns), max(rows, columns)
    size = np.abs(r if rows <= columns else r.T)
    best = max(size[range(small), order].sum() for order in permutations(range(large), small))
    assert found == pytest.approx(best, abs=1e-12)
    assert len(set(partner[partner >= 0])) == (partner >= 0).sum() == small


def test_correlations_are_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 3)), rng.normal(size=(30, 4))
    expected = np.corrcoef(a, b, rowvar=False)[:3, 3:]
    np.testing.assert_allclose(correlations(a, b), expected, atol=1e-12)


# what comes back ------------------------------------------------------------------------------


def test_planted_factors_come_back() -> None:
    found = factor_stability(MODEL, X, bootstraps=8, starts=4, seed=1)
    assert found.verdicts == {"F1": "stable", "F2": "stable"}
    assert found.table["median"].min() > 0.95
    assert found.table["median_loading"].min() > 0.95
    assert found.table["share"].tolist() == [1.0] * 4
    assert found.failures[["kind", "refits", "failed"]].values.tolist() == [
        ["bootstrap", 8, 0],
        ["start", 4, 0],
    ]


def test_one_refit_is_the_one_by_hand() -> None:
    """An independent bootstrap: rows drawn, refitted, correlated by numpy."""
    found = factor_stability(MODEL, X, bootstraps=2, starts=0, seed=5)
    second = np.random.SeedSequence([5, 0]).spawn(2)[1]
    rows = np.random.default_rng(second).integers(len(X), size=len(X))
    refit = clone(MODEL).fit(X.iloc[rows])
    ours, theirs = MODEL.transform(X).to_numpy(), refit.transform(X).to_numpy()
    r = np.corrcoef(ours, theirs, rowvar=False)[:2, 2:]
    size = np.abs(r)
    straight = size[0, 0] + size[1, 1] >= size[0, 1] + size[1, 0]
    expected = [r[0, 0], r[1, 1]] if straight else [r[0, 1], r[1, 0]]
    got = found.refits.query("refit == 2")
    np.testing.assert_allclose(got["r"], expected, atol=1e-10)
    assert got["partner"].tolist() == (["F1", "F2"] if straight else ["F2", "F1"])


def test_quartiles_and_share_are_those_of_the_refits() -> None:
    found = factor_stability(MODEL, X, bootstraps=5, starts=3, seed=2, limit=0.99)
    for row in found.table.itertuples():
        size = found.refits.query("factor == @row.factor and kind == @row.kind")["r"].abs()
        expected = size.quantile([0.25, 0.5, 0.75]).tolist()
        assert [row.lower_quartile, row.median, row.upper_quartile] == pytest.approx(expected)
        assert row.share == (size >= 0.99).sum() / len(size)
        assert row.refits == len(size) == (5 if row.kind == "bootstrap" else 3)


def test_factors_of_noise_are_unstable_or_inactive() -> None:
    noise = pure_noise()
    model = FactorModel(n_factors=4).fit(noise)
    found = factor_stability(model, noise, bootstraps=10, starts=2, seed=1)
    assert "stable" not in found.verdicts.values()


def test_a_third_factor_asked_of_two_is_not_stable() -> None:
    model = FactorModel(n_factors=3).fit(X)
    found = factor_stability(model, X, bootstraps=6, starts=2, seed=1)
    verdicts = [found.verdicts[name] for name in ("F1", "F2", "F3")]
    assert verdicts[:2] == ["stable", "stable"]
    assert verdicts[2] != "stable"


def test_the_sign_of_a_refit_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refit whose factors are turned round: r changes its sign, loadings agree all the same."""
    straight = factor_stability(MODEL, X, bootstraps=0, starts=2, seed=1)
    transform = FactorModel.transform

    def turned(self: FactorModel, table: pd.DataFrame) -> pd.DataFrame:
        return (1 if self is MODEL else -1) * transform(self, table)

    monkeypatch.setattr(FactorModel, "transform", turned)
    found = factor_stability(MODEL, X, bootstraps=0, starts=2, seed=1)
    np.testing.assert_allclose(found.refits["r"], -straight.refits["r"], atol=1e-12)
    np.testing.assert_allclose(found.refits["loading_r"], -straight.refits["loading_r"], atol=1e-12)
    assert found.table["median"].tolist() == straight.table["median"].tolist()


def test_the_seed_alone_changes_nothing_but_a_disturbed_start_does() -> None:
    first, other = (FactorModel(n_factors=2, seed=s).fit(X).factors_ for s in (0, 99))
    np.testing.assert_allclose(first, other, atol=1e-12)
    noise = np.random.default_rng(0).normal(size=(len(X), 2))
    moved = FactorModel(n_factors=2).fit_disturbed(X, disturbance=noise).factors_
    assert np.abs(moved - first).max().max() > 1e-9
    still = FactorModel(n_factors=2).fit_disturbed(X, disturbance=0 * noise).factors_
    np.testing.assert_allclose(still, first, atol=1e-12)


def test_patients_who_say_too_little_are_left_out_of_the_correlations() -> None:
    table = planted()
    table.iloc[:5] = np.nan
    settings = {"n_factors": 2, "least_information": 0.3}
    missing = FactorModel(**settings, low_information="missing").fit(table)
    assert missing.transform(table).isna().all(axis=1).sum() == 5
    found = factor_stability(missing, table, bootstraps=2, starts=1, seed=1)
    assert found.verdicts == {"F1": "stable", "F2": "stable"}
    assert found.refits["r"].notna().all()


# how it is run --------------------------------------------------------------------------------


def test_numbers_do_not_depend_on_the_processes_and_progress_counts() -> None:
    told: list[tuple[str, int, int]] = []
    one = factor_stability(MODEL, X, bootstraps=2, starts=2, seed=7)
    two = factor_stability(
        MODEL, X, bootstraps=2, starts=2, seed=7, n_jobs=2, progress=lambda *t: told.append(t)
    )
    pd.testing.assert_frame_equal(one.table, two.table, rtol=1e-9)
    assert told == [("stability of factors", done, 4) for done in (0, 1, 2, 3, 4)]


def test_more_refits_begin_with_the_same() -> None:
    few = factor_stability(MODEL, X, bootstraps=2, starts=1, seed=7).refits
    many = factor_stability(MODEL, X, bootstraps=4, starts=1, seed=7).refits
    keys = ["kind", "refit", "factor"]
    both = few.merge(many, on=keys)
    assert len(both) == len(few)
    np.testing.assert_array_equal(both["r_x"], both["r_y"])


def test_failed_refits_are_counted_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    fit, calls = FactorModel.fit, []

    def failing(self: FactorModel, table: pd.DataFrame, y: object = None) -> FactorModel:
        calls.append(1)
        if len(calls) % 2:
            raise FitError("view 'mri' must have a value in some patient")
        return fit(self, table, y)

    monkeypatch.setattr(FactorModel, "fit", failing)
    found = factor_stability(MODEL, X, bootstraps=4, starts=1, seed=1)
    assert found.failures.query("kind == 'bootstrap'")["failed"].item() == 2
    assert "view 'mri'" in found.failures["reason"].iloc[0]
    assert found.table.query("kind == 'bootstrap'")["refits"].tolist() == [2, 2]
    calls.clear()
    with pytest.raises(FitError, match=r"all 1 refits \(bootstrap\) failed.*view 'mri'"):
        factor_stability(MODEL, X, bootstraps=1, starts=0, seed=1)


def test_refits_that_did_not_converge_are_counted() -> None:
    short = clone(MODEL).set_params(max_iterations=2)
    with pytest.warns(match="did not converge"):
        short.fit(X)
    found = factor_stability(short, X, bootstraps=2, starts=1, seed=1)
    assert found.failures["not_converged"].tolist() == [2, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bootstraps": -1}, "bootstraps must be at least 0, but is -1"),
        ({"starts": -2}, "starts must be at least 0, but is -2"),
        ({"bootstraps": 0, "starts": 0}, "there is nothing to refit"),
        ({"limit": 1.5}, "limit must be above 0 and at most 1, but is 1.5"),
        ({"least_share": 0.0}, "least_share must be above 0"),
    ],
)
def test_arguments_out_of_range_are_named(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        factor_stability(MODEL, X, seed=1, **arguments)  # type: ignore[arg-type]


def test_limits_are_those_the_docstring_states() -> None:
    assert (omics.stability.LIMIT, omics.stability.LEAST_SHARE) == (0.8, 0.8)
