"""As many factors as there are: by hidden values against a tiny fit by hand, none in noise."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.base import clone

from omics.errors import FitError
from omics.mofa import FactorModel
from omics.n_factors import (
    _with_intercepts,
    entry_folds,
    factors_explaining,
    held_out_error,
    reconstruction,
)
from omics.projection import Projection


def rank_two(n: int = 70, *, seed: int = 2, flags: bool = False) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n, 2))
    mri = factor @ rng.normal(size=(2, 10)) + rng.normal(size=(n, 10)) / 2
    rna = factor @ rng.normal(size=(2, 8)) + rng.normal(size=(n, 8)) / 2
    X = pd.DataFrame(np.hstack([mri, rna]))
    X.columns = [f"mri:f{j}" for j in range(10)] + [f"rna:f{j}" for j in range(8)]
    if flags:
        chance = expit(2 * factor @ rng.normal(size=(2, 6)) - 1)
        for j in range(6):
            X[f"flags:f{j}"] = (rng.random(n) < chance[:, j]).astype(float)
    return X


def noise(n: int = 70) -> pd.DataFrame:
    table = np.random.default_rng(9).normal(size=(n, 16))
    return pd.DataFrame(table, columns=[f"{'mri' if j < 8 else 'rna'}:f{j}" for j in range(16)])


# how many -------------------------------------------------------------------------------------


def test_two_planted_factors_are_chosen() -> None:
    found = held_out_error(FactorModel(), rank_two(), grid=[1, 2, 3], folds=3, seed=1)
    assert found.one_se == 2
    assert found.best in (2, 3)
    total = found.table.query("view == 'all'").set_index("n_factors")["error"]
    assert total[0] == 1.0
    assert total[2] < 0.6 < total[1] < 1


def test_noise_needs_no_factor() -> None:
    found = held_out_error(FactorModel(), noise(), grid=[1, 2, 4], folds=3, seed=1)
    assert found.one_se == 0
    total = found.table.query("view == 'all' and n_factors > 0")["error"]
    assert total.min() > 0.95


def test_factors_explaining_counts_by_the_best_view() -> None:
    model = FactorModel(n_factors=2)
    model.variance_explained_ = pd.DataFrame(
        {
            "view": ["mri", "rna"] * 3,
            "factor": ["F1", "F1", "F2", "F2", "all", "all"],
            "r2": [0.02, 0.40, 0.09, 0.01, 0.11, 0.41],
        }
    )
    assert [factors_explaining(model, share) for share in (0.05, 0.09, 0.1, 0.5)] == [2, 2, 1, 0]
    with pytest.raises(ValueError, match="share must lie between 0 and 1, but is 1"):
        factors_explaining(model, 1)


# each figure against one by hand --------------------------------------------------------------


def test_one_fold_is_the_one_by_hand() -> None:
    """Hide, fit, project and predict again, feature by feature."""
    X = rank_two(flags=True)
    model = FactorModel(likelihoods={"flags": "bernoulli"})
    found = held_out_error(model, X, grid=[2], folds=2, seed=4)
    hidden = entry_folds(X.to_numpy(), folds=2, seed=4) == 1
    left = X.mask(hidden)
    fitted = clone(model).set_params(n_factors=2).fit(left)
    z = fitted.transform(left).to_numpy()
    errors: dict[str, list[float]] = {}
    means: dict[str, list[float]] = {}
    loadings = fitted.loadings_.set_index(["view", "feature", "factor"])["loading"]
    for j, name in enumerate(X.columns):
        view, feature = name.split(":")
        linear = z @ [loadings[view, feature, factor] for factor in ("F1", "F2")]
        known, asked = left[name].dropna(), X.loc[hidden[:, j], name]
        if view == "flags":
            seen = left[name].notna().to_numpy()
            a = brentq(lambda a, x=linear[seen], k=known: expit(x + a).mean() - k.mean(), -9, 9)
            predicted, unit = expit(linear + a), 1.0
        else:
            predicted, unit = known.mean() + known.std(ddof=0) * linear, known.std(ddof=0)
        errors.setdefault(view, []).extend(((asked - predicted[hidden[:, j]]) / unit) ** 2)
        means.setdefault(view, []).extend(((asked - known.mean()) / unit) ** 2)
    got = found.folds.query("fold == 2").set_index("view")
    for view, values in errors.items():
        assert got.loc[view, "error"] == pytest.approx(np.mean(values), abs=1e-9)
        assert got.loc[view, "mean_error"] == pytest.approx(np.mean(means[view]), abs=1e-9)
        assert got.loc[view, "n_values"] == len(values)


def test_summary_is_the_mean_and_standard_error_over_folds() -> None:
    found = held_out_error(FactorModel(), rank_two(), grid=[1], folds=3, seed=1)
    share = (found.folds["error"] / found.folds["mean_error"]).to_numpy().reshape(3, 2)
    rows = found.table.query("n_factors == 1").set_index("view")
    for view, values in {"all": share.mean(axis=1), "mri": share[:, 0], "rna": share[:, 1]}.items():
        assert rows.loc[view, "error"] == pytest.approx(values.mean())
        assert rows.loc[view, "standard_error"] == pytest.approx(values.std(ddof=1) / 3**0.5)
    assert rows.loc["all", "n_values"] == rank_two().size  # every value is hidden once


def test_full_rank_reconstruction_gives_the_data_back() -> None:
    """Without noise, z w is the table: an identity, not a fit."""
    rng = np.random.default_rng(0)
    z, w = rng.normal(size=(20, 2)), rng.normal(size=(5, 2))
    mu, s = rng.normal(size=5), rng.uniform(1, 3, 5)
    one = np.ones(5)
    projection = Projection(
        weight=w,
        weight_square=w**2,
        prior_precision=np.ones((1, 2)),
        noise_precision=one[None],
        centre=mu[None],
        scale=s[None],
        lowest=-one,
        highest=one,
        spread=one,
        bernoulli=np.zeros(5, dtype=bool),
        poisson=np.zeros(5, dtype=bool),
        importance=one,
    )
    table = mu + s * (z @ w.T)
    np.testing.assert_allclose(reconstruction(projection, z), table, atol=1e-12)


def test_intercepts_give_each_flag_its_rate() -> None:
    X = rank_two(200, flags=True).filter(regex="flags")
    model = FactorModel(likelihoods={"flags": "bernoulli"}, n_factors=1).fit(X)
    z = model.transform(X).to_numpy()
    fitted = _with_intercepts(model.projection_, z, X.to_numpy())
    np.testing.assert_allclose(reconstruction(fitted, z).mean(axis=0), X.mean(), atol=1e-10)
    flat = _with_intercepts(model.projection_, 0 * z, X.to_numpy())
    np.testing.assert_allclose(flat.centre[0], logit(X.mean()), atol=1e-10)


# who is hidden --------------------------------------------------------------------------------


@given(
    n=st.integers(2, 12),
    p=st.integers(1, 6),
    folds=st.integers(2, 5),
    gaps=st.floats(0, 0.8),
    seed=st.integers(0, 1000),
)
def test_no_fold_empties_a_patient_or_a_feature(
    n: int, p: int, folds: int, gaps: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((n, p)) < gaps, np.nan, rng.normal(size=(n, p)))
    fold = entry_folds(values, folds=folds, seed=seed)
    observed = ~np.isnan(values)
    assert (fold[~observed] == -1).all()
    assert fold.max() < folds
    for hidden in range(folds):
        left = observed & (fold != hidden)
        assert left.any(axis=1)[observed.any(axis=1)].all()
        assert left.any(axis=0)[observed.any(axis=0)].all()


def test_folds_are_even_and_flags_keep_their_rate() -> None:
    numbers = np.random.default_rng(0).normal(size=(60, 12))
    X = np.column_stack([numbers, np.arange(60) < 6])
    fold = entry_folds(X, folds=3, seed=1)
    assert np.bincount(fold[:, 0]).tolist() == [20, 20, 20]
    assert np.bincount(fold[X[:, -1] == 1, -1]).tolist() == [2, 2, 2]


def test_whole_view_gaps_are_no_values() -> None:
    X = rank_two()
    X.iloc[:20, 10:] = np.nan
    found = held_out_error(FactorModel(), X, grid=[2], folds=2, seed=1)
    n = found.table.query("n_factors == 2").set_index("view")["n_values"]
    assert (n["mri"], n["rna"]) == (700, 400)


# how it is run --------------------------------------------------------------------------------


def test_numbers_do_not_depend_on_the_processes_and_progress_counts() -> None:
    told: list[tuple[str, int, int]] = []
    X = rank_two(40)
    one = held_out_error(FactorModel(), X, grid=[1], folds=2, seed=1)
    two = held_out_error(
        FactorModel(), X, grid=[1], folds=2, seed=1, n_jobs=2, progress=lambda *t: told.append(t)
    )
    pd.testing.assert_frame_equal(one.table, two.table, rtol=1e-9)
    assert told == [("number of factors", done, 2) for done in (0, 1, 2)]


def test_numbers_of_factors_that_fail_are_left_out_and_named() -> None:
    X = rank_two(12).iloc[:, :4]
    found = held_out_error(FactorModel(), X, grid=[1, 9], folds=2, seed=1)
    assert set(found.table["n_factors"]) == {0, 1}
    assert found.failures["n_factors"].tolist() == [9, 9]
    assert "9 factors were asked of 4 usable features" in found.failures["reason"].iloc[0]
    with pytest.raises(FitError, match=r"none of \[9\] could be fitted in every fold"):
        held_out_error(FactorModel(), X, grid=[9], folds=2, seed=1)


def test_fits_that_did_not_converge_are_counted() -> None:
    found = held_out_error(FactorModel(max_iterations=2), rank_two(), grid=[2], folds=2, seed=1)
    assert found.not_converged == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"grid": []}, "grid must hold whole numbers of factors.*is empty"),
        ({"grid": [0, 1]}, "grid must hold.*0 came.*always compared"),
        ({"grid": [1.5]}, "grid must hold.*1.5 came"),
        ({"grid": [1], "folds": 1}, "folds must be at least 2, but is 1"),
    ],
)
def test_arguments_out_of_range_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        held_out_error(FactorModel(), noise(), seed=1, **arguments)  # type: ignore[arg-type]


def test_counts_are_reconstructed_by_their_rate():
    one = np.ones(1)
    projection = Projection(
        weight=np.array([[2.0]]),
        weight_square=np.array([[4.0]]),
        prior_precision=one[None],
        noise_precision=one[None],
        centre=np.array([[0.5]]),
        scale=one[None],
        lowest=-one,
        highest=one,
        spread=one,
        bernoulli=np.array([False]),
        poisson=np.array([True]),
        importance=one,
    )
    factors = np.array([[0.0], [1.0], [-2.0]])
    expected = np.log(1 + np.exp(np.array([[0.5], [2.5], [-3.5]])))
    np.testing.assert_allclose(reconstruction(projection, factors), expected)
    known = np.array([[4.0], [7.0], [np.nan]])
    moved = _with_intercepts(projection, factors, known)
    predicted = reconstruction(moved, factors)
    assert predicted[:2].mean() == pytest.approx(5.5)


def test_groups_and_counts_can_be_asked_too():
    rng = np.random.default_rng(4)
    factor = rng.normal(size=(60, 1))
    counts = rng.poisson(np.logaddexp(0, 1 + factor @ rng.normal(size=(1, 20)) * 1.5))
    mri = factor @ rng.normal(size=(1, 20)) + rng.normal(size=(60, 20))
    X = pd.DataFrame(
        np.hstack([counts, mri]).astype(float),
        columns=[f"{view}:{i}" for view in ("n", "mri") for i in range(20)],
    ).assign(**{"clinical:centre": np.tile(["A", "B"], 30)})
    model = FactorModel(views=["n", "mri"], likelihoods={"n": "poisson"}, groups="clinical:centre")
    found = held_out_error(model, X, grid=[1, 2], folds=3, seed=0)
    error = found.table.set_index(["n_factors", "view"])["error"]
    assert error[1, "n"] < 0.9
    assert error[1, "mri"] < 0.9


def test_groups_are_no_factor() -> None:
    """Two centres far apart: the mean of the centre is the prediction that factors must beat."""
    X = noise(80)
    X["clinical:Centre"] = ["A", "B"] * 40
    X.loc[X["clinical:Centre"] == "B", [c for c in X if c.startswith("mri")]] += 20
    model = FactorModel(views=["mri", "rna"], groups="clinical:Centre")
    assert held_out_error(model, X, grid=[1], folds=3, seed=1).one_se == 0
    without = FactorModel(views=["mri", "rna"])
    assert held_out_error(without, X, grid=[1], folds=3, seed=1).one_se == 1


def test_patients_who_say_too_little_are_predicted_too() -> None:
    X = rank_two()
    X.iloc[:9, 1:] = np.nan
    settings = {"least_information": 0.9, "low_information": "missing"}
    found, plain = (
        held_out_error(FactorModel(**some), X, grid=[2], folds=2, seed=1) for some in (settings, {})
    )
    pd.testing.assert_frame_equal(found.table, plain.table)
