"""Factor models under every option: the training patients come back, new ones are told apart."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from omics.errors import FitError, SmallViewWarning
from omics.mofa import FactorModel
from omics.mofa_cohorts import lacking_features

N = 80
EXACT = {"tolerance": 1e-8, "max_iterations": 20_000}


def cohort(seed=0, n_patients=N):
    """Two centres that differ in means and noise; gaussian, 0/1 and count views; gaps."""
    rng = np.random.default_rng(seed)
    structure = np.random.default_rng(99)
    centre = np.where(np.arange(n_patients) % 5 < 2, "A", "B")
    truth = rng.normal(size=(n_patients, 2))

    def linear(n):
        return truth @ structure.normal(size=(2, n))

    shift = np.where(centre == "A", 0.0, 3.0)[:, None]
    noise = np.where(centre == "A", 0.5, 1.0)[:, None]
    mri = linear(20) + shift + noise * rng.normal(size=(n_patients, 20))
    rna = 50 + 7 * (linear(16) + rng.normal(size=(n_patients, 16)))
    flags = (rng.random((n_patients, 8)) < expit(2 * linear(8))).astype(float)
    counts = rng.poisson(np.logaddexp(0, 1 + linear(8))).astype(float)
    parts = {"mri": mri, "rna": rna, "flags": flags, "counts": counts}
    X = pd.concat(
        [
            pd.DataFrame(values, columns=[f"{view}:{i}" for i in range(values.shape[1])])
            for view, values in parts.items()
        ],
        axis=1,
    ).set_axis([f"P{i:03d}" for i in range(n_patients)])
    X = X.mask(rng.random(X.shape) < 0.05)
    X.loc[X.index[:6], X.columns.str.startswith("rna:")] = np.nan
    return X.assign(**{"clinical:centre": centre}), truth


OPTIONS = {
    "groups": {"groups": "clinical:centre"},
    "groups, ARD on factors": {"groups": "clinical:centre", "ard_factors": True},
    "groups scaled": {"groups": "clinical:centre", "scale_groups": True, "scale": "view"},
    "weighted views": {"weight_views": True},
    "no spike and slab": {"spike_slab": False},
    "no ARD on weights": {"ard_weights": False},
    "unscaled": {"scale": {"mri": "none", "rna": "view"}},
    "dropped factors": {"least_r2": 0.02, "n_factors": 5},
}
VIEWS = {
    "gaussian": (["mri", "rna"], {}),
    "bernoulli": (["mri", "flags"], {"flags": "bernoulli"}),
    "poisson": (["mri", "counts"], {"counts": "poisson"}),
}
CASES = [("gaussian", option) for option in OPTIONS] + [
    (kind, option) for kind in ("bernoulli", "poisson") for option in list(OPTIONS)[1:3]
]


@pytest.mark.parametrize(("kind", "option"), CASES)
def test_training_patients_come_back_to_their_factors(kind, option):
    X = cohort()[0]
    views, likelihoods = VIEWS[kind]
    given = {"n_factors": 2, "views": views, "likelihoods": likelihoods, **OPTIONS[option], **EXACT}
    model = FactorModel(**given).fit(X)
    assert model.converged_
    active = [f"factors:{name}" for name in model.active_]
    assert active
    np.testing.assert_allclose(model.transform(X)[active], model.factors_[active], atol=1e-6)


@pytest.mark.parametrize("kind", VIEWS)
def test_one_patient_at_a_time_and_in_any_order(kind):
    X = cohort()[0]
    views, likelihoods = VIEWS[kind]
    model = FactorModel(
        n_factors=3, views=views, likelihoods=likelihoods, groups="clinical:centre"
    ).fit(X)
    new = cohort(seed=5, n_patients=30)[0]
    at_once = model.transform(new)
    for i in range(len(new)):
        np.testing.assert_allclose(model.transform(new.iloc[[i]]), at_once.iloc[[i]], atol=1e-12)
    backwards = model.transform(new.iloc[::-1]).iloc[::-1]
    np.testing.assert_allclose(backwards, at_once, atol=1e-12)


def by_hand(model, values, profile):
    """A and b written out, feature by feature; gaussian views."""
    p = model.projection_
    A, b = np.diag(p.prior_precision[profile]), np.zeros(p.weight.shape[1])
    for d in np.flatnonzero(~np.isnan(values)):
        w, tau = p.weight[d], p.importance[d] * p.noise_precision[profile, d]
        A = A + tau * (np.outer(w, w) + np.diag(p.weight_square[d] - w**2))
        b = b + tau * w * (values[d] - p.centre[profile, d]) / p.scale[profile, d]
    return A, b


def test_groups_weights_and_covariance_are_the_closed_form():
    X = cohort()[0]
    model = FactorModel(
        n_factors=3,
        views=["mri", "rna"],
        groups="clinical:centre",
        ard_factors=True,
        weight_views=True,
    ).fit(X)
    new = cohort(seed=3, n_patients=6)[0]
    new.loc[new.index[0], "clinical:centre"] = "elsewhere"
    covariance, factors = model.covariance(new), model.transform(new)
    for i, centre in enumerate(new["clinical:centre"]):
        profile = {"A": 0, "B": 1}.get(centre, 2)
        values = new[list(model.features_)].to_numpy(dtype=float)[i]
        A, b = by_hand(model, values, profile)
        np.testing.assert_allclose(factors.iloc[i], np.linalg.solve(A, b), atol=1e-10)
        np.testing.assert_allclose(covariance[i], np.linalg.inv(A), atol=1e-10)


def test_a_new_centre_takes_pooled_values_or_those_of_a_named_group():
    X = cohort()[0]
    options = {"n_factors": 2, "views": ["mri", "rna"], "groups": "clinical:centre"}
    pooled = FactorModel(**options, ard_factors=True).fit(X)
    named = FactorModel(**options, ard_factors=True, new_group="B").fit(X)
    p = pooled.projection_
    raw = X[list(pooled.features_)].to_numpy(dtype=float)
    is_a = (X["clinical:centre"] == "A").to_numpy()
    np.testing.assert_allclose(p.centre[0], np.nanmean(raw[is_a], axis=0))
    np.testing.assert_allclose(p.centre[2], np.nanmean(raw, axis=0))
    n = np.stack([(~np.isnan(raw[rows])).sum(axis=0) for rows in (is_a, ~is_a)])
    variance = (n / p.noise_precision[:2]).sum(axis=0) / n.sum(axis=0)
    apart = ((p.centre[:2] - p.centre[2]) / p.scale[2]) ** 2  # a new centre has a mean of its own
    variance += (n * apart).sum(axis=0) / n.sum(axis=0)
    np.testing.assert_allclose(p.noise_precision[2], 1 / variance)
    share = np.array([is_a.mean(), 1 - is_a.mean()])
    np.testing.assert_allclose(p.prior_precision[2], 1 / (share @ (1 / p.prior_precision[:2])))
    assert pooled.groups_ == ("A", "B")
    new = cohort(seed=4, n_patients=9)[0]
    elsewhere = new.assign(**{"clinical:centre": "elsewhere"})
    as_b = new.assign(**{"clinical:centre": "B"})
    pd.testing.assert_frame_equal(named.transform(elsewhere), named.transform(as_b))
    assert not pooled.transform(elsewhere).equals(pooled.transform(as_b))
    without = new.drop(columns="clinical:centre")
    pd.testing.assert_frame_equal(pooled.transform(without), pooled.transform(elsewhere))


def test_numbered_centres_are_known_as_whole_and_as_decimal_numbers():
    X = cohort()[0]
    numbered = X["clinical:centre"].map({"A": 1, "B": 2})
    model = FactorModel(n_factors=2, views=["mri"], groups="clinical:centre").fit(
        X.assign(**{"clinical:centre": numbered})
    )
    assert model.groups_ == ("1", "2")
    whole, decimal = (X.assign(**{"clinical:centre": numbered.astype(t)}) for t in (int, float))
    pd.testing.assert_frame_equal(model.transform(whole), model.transform(decimal))


@pytest.mark.parametrize("kind", VIEWS)
def test_contributions_sum_to_the_factors(kind):
    X = cohort()[0]
    views, likelihoods = VIEWS[kind]
    model = FactorModel(
        n_factors=3, views=views, likelihoods=likelihoods, groups="clinical:centre"
    ).fit(X)
    new = cohort(seed=6, n_patients=5)[0]
    table = model.contributions(new)
    assert len(table) == 5 * 3 * len(model.features_)
    sums = table.groupby(["patient", "factor"])["contribution"].sum().unstack()
    np.testing.assert_allclose(sums, model.transform(new), atol=1e-10)
    assert (table.loc[table["value"].isna(), "contribution"] == 0).all()
    one = table.query("patient == 'P001' and factor == 'F2' and view == 'mri' and feature == '3'")
    assert one["value"].item() == pytest.approx(new.loc["P001", "mri:3"], nan_ok=True)


def test_a_gaussian_contribution_by_hand():
    X = cohort()[0]
    model = FactorModel(n_factors=2, views=["mri", "rna"]).fit(X)
    values = X[list(model.features_)].to_numpy(dtype=float)[[20]]
    A, _ = by_hand(model, values[0], 0)
    p, d = model.projection_, int(np.flatnonzero(~np.isnan(values[0]))[4])
    scaled = (values[0, d] - p.centre[0, d]) / p.scale[0, d]
    expected = np.linalg.solve(A, p.noise_precision[0, d] * p.weight[d] * scaled)
    found = p.contributions(values)[0, :, d]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_contributions_of_too_many_patients_are_refused(monkeypatch):
    X = cohort()[0]
    model = FactorModel(n_factors=2, views=["mri"]).fit(X)
    monkeypatch.setattr("omics.frozen_factors.MOST_CONTRIBUTIONS", 100)
    with pytest.raises(ValueError, match=r"at most 2 patients at once .* but 80 came"):
        model.contributions(X)


def test_who_says_too_little_is_flagged_or_missing():
    X = cohort()[0]
    X.loc[X.index[10], X.columns[:-1]] = np.nan
    kept = [f"mri:{i}" for i in range(18)]
    options = {"n_factors": 2, "views": ["mri", "rna"], "least_information": 0.5}
    flagged = FactorModel(**options).fit(X)
    X.loc[X.index[11], [c for c in X if c.startswith("rna:")] + kept] = np.nan
    assert flagged.n_without_values_ == 1
    low = flagged.uninformed(X)
    best = flagged.information(X).max(axis=1)
    np.testing.assert_array_equal(low, best < 0.5)
    assert low[10]
    assert not low.all()
    assert flagged.transform(X).notna().all(axis=None)
    assert (flagged.transform(X).iloc[10] == 0).all()
    missing = FactorModel(**options, low_information="missing").fit(X)
    gone = missing.uninformed(X)
    assert missing.transform(X)[gone].isna().all(axis=None)
    assert missing.transform(X)[~gone].notna().all(axis=None)


def test_a_cohort_that_lacks_features_is_told_so_and_placed_on_consent():
    X = cohort()[0]
    short = X.drop(columns=[f"rna:{i}" for i in range(12)])
    model = FactorModel(n_factors=2, views=["mri", "rna"]).fit(X)
    with pytest.raises(ValueError, match=r"12 are missing \(rna: 12 of 16\)"):
        model.transform(short)
    table = model.lacking(short).set_index("view")
    assert table["n_lacking"].to_dict() == {"mri": 0, "rna": 12}
    consenting = FactorModel(n_factors=2, views=["mri", "rna"], absent="missing").fit(X)
    blank = X.copy()
    blank[[f"rna:{i}" for i in range(12)]] = np.nan
    pd.testing.assert_frame_equal(consenting.transform(short), model.transform(blank))
    lost = consenting.information_lost(short)
    assert (lost["lost"] > 0).all()
    np.testing.assert_allclose(lost["training"], model.information(X).mean())
    np.testing.assert_allclose(lost["here"], model.information(blank).mean())
    np.testing.assert_allclose(consenting.information_lost(X)["lost"], 0, atol=1e-12)


def test_nothing_lacking_is_told_too():
    assert lacking_features(["mri:A"], ["mri:A", "rna:B"])["n_lacking"].tolist() == [0]


def test_other_units_show_before_any_number_is_computed():
    X = cohort(n_patients=120)[0]
    model = FactorModel(n_factors=2, views=["mri", "rna"]).fit(X)
    new = cohort(seed=8, n_patients=60)[0]
    assert not model.shifts(new)["flagged"].any()
    tenfold = new.copy()
    rna = [c for c in new if c.startswith("rna:")]
    tenfold[rna] *= 10
    table = model.shifts(tenfold).set_index("view")
    assert table["flagged"].to_dict() == {"mri": False, "rna": True}
    assert table.loc["rna", "ratio"] == pytest.approx(10, rel=0.35)
    shifted = new.copy()
    shifted[rna] += 50
    table = model.shifts(shifted).set_index("view")
    assert table.loc["rna", "flagged"]
    plain = model.shifts(new).set_index("view")
    assert table.loc["rna", "ratio"] == pytest.approx(plain.loc["rna", "ratio"])
    few = model.shifts(tenfold.iloc[:4])
    assert few["n_features"].eq(0).all()
    assert not few["flagged"].any()


@pytest.mark.parametrize("seed", range(3))
def test_no_factor_survives_on_noise(seed):
    noise = np.random.default_rng(seed).normal(size=(150, 120))
    X = pd.DataFrame(noise, columns=[f"{'ab'[i % 2]}:{i}" for i in range(120)])
    model = FactorModel(n_factors=5).fit(X)
    assert model.active_ == ()
    assert (model.transform(X) == 0).all(axis=None)


@pytest.mark.parametrize("noise", [1.0, 1.5])
def test_planted_factors_are_recovered_at_the_stated_noise(noise):
    """Factors of size 2, 1.4 and 1, each on a third of the features of two views."""
    rng = np.random.default_rng(7)
    truth = rng.normal(size=(150, 3))
    weights = np.kron(np.diag([2.0, 1.4, 1.0]), np.ones((1, 20))) * rng.normal(1, 0.3, size=60)
    parts = [truth @ weights + noise * rng.normal(size=(150, 60)) for _ in range(2)]
    X = pd.DataFrame(np.hstack(parts), columns=[f"{v}:{i}" for v in "ab" for i in range(60)])
    model = FactorModel(n_factors=5, max_iterations=3000).fit(X)
    found = model.transform(X)[[f"factors:{name}" for name in model.active_]].to_numpy()
    r = np.abs(np.corrcoef(truth.T, found.T)[:3, 3:])
    assert found.shape[1] == 3
    assert (r.max(axis=1) > 0.95).all()


def test_dropped_factors_are_no_structure_and_say_so():
    noise = np.random.default_rng(1).normal(size=(60, 40))
    X = pd.DataFrame(noise, columns=[f"mri:{i}" for i in range(40)])
    model = FactorModel(n_factors=4, least_r2=0.2).fit(X)
    assert model.active_ == ()
    assert model.transform(X).shape == (60, 4)
    assert (model.transform(X) == 0).all(axis=None)
    assert (model.information(X) == 0).all(axis=None)
    assert (model.loadings_["loading"] == 0).all()


@pytest.mark.parametrize(
    ("n_features", "message"),
    [(1, "has one feature.*Make it a predictor"), (14, "has 14 features, fewer than 15")],
)
def test_small_views_are_warned_of(n_features, message):
    X = cohort()[0]
    few = [f"rna:{i}" for i in range(n_features)]
    with pytest.warns(SmallViewWarning, match=message):
        FactorModel(n_factors=1).fit(X[[f"mri:{i}" for i in range(20)] + few])


def test_variance_explained_by_group_is_the_direct_computation():
    X = cohort()[0]
    model = FactorModel(n_factors=2, views=["mri", "rna"], groups="clinical:centre").fit(X)
    in_a = (X["clinical:centre"] == "A").to_numpy()
    data = X[[f"mri:{i}" for i in range(20)]].to_numpy()[in_a]
    p = model.projection_
    data = (data - p.centre[0, :20]) / p.scale[0, :20]
    predicted = model.factors_.to_numpy()[in_a] @ p.weight[:20].T
    r2 = 1 - np.nansum((data - predicted) ** 2) / np.nansum(data**2)
    table = model.group_variance_explained_.set_index(["group", "view", "factor"])["r2"]
    assert table["A", "mri", "all"] == pytest.approx(r2, abs=1e-9)
    assert len(table) == 2 * 2 * 3


def test_saved_with_every_option(tmp_path):
    X = cohort()[0]
    model = FactorModel(
        n_factors=3,
        views=["mri", "flags", "counts"],
        likelihoods={"flags": "bernoulli", "counts": "poisson"},
        groups="clinical:centre",
        ard_factors=True,
        new_group="A",
        least_information=0.1,
    ).fit(X)
    model.save(tmp_path)
    back = FactorModel.load(tmp_path)
    new = cohort(seed=2, n_patients=7)[0]
    pd.testing.assert_frame_equal(back.transform(new), model.transform(new), check_exact=True)
    assert (back.groups_, back.active_) == (model.groups_, model.active_)
    pd.testing.assert_frame_equal(back.group_variance_explained_, model.group_variance_explained_)
    pd.testing.assert_frame_equal(back.information_lost(new), model.information_lost(new))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"groups": "clinical:site"}, ValueError, "groups must name a column of X"),
        ({"groups": "clinical:gap"}, ValueError, "3 of 80 miss 'clinical:gap'"),
        ({"new_group": "A"}, ValueError, "new_group must be left out"),
        (
            {"groups": "clinical:centre", "new_group": "C"},
            FitError,
            r"one of the groups \(A, B\), but is 'C'",
        ),
        ({"least_r2": 2}, ValueError, r"least_r2 must lie in \[0, 1\]"),
        ({"least_information": -1}, ValueError, "least_information must lie in"),
        ({"low_information": "missing"}, ValueError, "say from which information on"),
        ({"low_information": "drop"}, ValueError, "low_information must be one of"),
        ({"absent": "ignore"}, ValueError, "absent must be one of"),
        ({"engine": "MOFA2"}, ValueError, "engine must be one of"),
        ({"likelihoods": {"rna": "poisson"}}, ValueError, r"only counts .*first: \d+.* in column"),
        ({"likelihoods": {"mri": "bernoulli"}}, ValueError, "only 0, 1 or missing"),
        ({"n_factors": 81}, FitError, "81 factors were asked of 80 patients"),
    ],
)
def test_mistakes_are_named(options, error, message):
    X = cohort()[0]
    gap = X["clinical:centre"].where(np.arange(len(X)) > 2)
    with pytest.raises(error, match=message):
        FactorModel(**{"n_factors": 2, "views": ["mri", "rna"], **options}).fit(
            X.assign(**{"clinical:gap": gap})
        )


def test_new_counts_must_be_counts():
    X = cohort()[0]
    model = FactorModel(
        n_factors=2, views=["mri", "counts"], likelihoods={"counts": "poisson"}
    ).fit(X)
    with pytest.raises(ValueError, match=r"1 values are not \(first: -2 in column"):
        model.transform(X.assign(**{"counts:0": [-2.0] + [1.0] * 79}))
