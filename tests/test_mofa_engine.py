"""Our engine against mofapy2, sweep by sweep; and against algebra."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from omics.mofa_blocks import OwnNoise, SharedNoise, factor_pairs, gaussian_blocks
from omics.mofa_fit import MofaOptions
from omics.mofa_likelihoods import (
    bernoulli_bound,
    bernoulli_pseudo_data,
    jaakkola,
    poisson_bound,
    poisson_pseudo_data,
    poisson_rate,
)
from omics.mofa_loop import fit_nomomics, principal_start
from tests.mofapy2_witness import run_mofapy2
from tests.realdata import cll_matrices, needs_data

N = 60
ONE_GROUP = np.zeros(N, dtype=np.intp)
TWO_GROUPS = np.repeat(np.array([0, 1], dtype=np.intp), [25, 35])


def made_views():
    rng = np.random.default_rng(1)
    factors = rng.normal(size=(N, 3))

    def linear(n_features):
        return factors @ rng.normal(size=(3, n_features)) * (rng.random(n_features) < 0.6)

    def gaussian(n_features):
        view = linear(n_features) + 0.7 * rng.normal(size=(N, n_features))
        return view - view.mean(axis=0)

    def gaps(view, share=0.05, rows=0):
        view = view.copy()
        view[rng.random(view.shape) < share] = np.nan
        view[:rows] = np.nan
        return view

    a, b, wide = gaussian(50), gaussian(40), gaussian(120)
    flags = (rng.random((N, 20)) < expit(linear(20))).astype(float)
    counts = rng.poisson(np.logaddexp(0, linear(25))).astype(float)
    wide[3:9, :50] = np.nan
    wide[40:, 60:110] = np.nan
    wide[5, 115] = np.nan
    return {
        "gaussian": [(a, "gaussian"), (b, "gaussian")],
        "view gap": [(a, "gaussian"), (gaps(b, 0, rows=12), "gaussian")],
        "single gaps": [(a, "gaussian"), (gaps(b, rows=12), "gaussian")],
        "patterns of gaps": [(a, "gaussian"), (wide, "gaussian")],
        "bernoulli": [(a, "gaussian"), (flags, "bernoulli")],
        "bernoulli with gaps": [(a, "gaussian"), (gaps(flags, rows=7), "bernoulli")],
        "poisson": [(a, "gaussian"), (counts, "poisson")],
        "poisson, view gap": [(a, "gaussian"), (gaps(counts, 0, rows=7), "poisson")],
        "poisson with gaps": [(a, "gaussian"), (gaps(counts, rows=7), "poisson")],
        "all kinds": [
            (gaps(b, rows=12), "gaussian"),
            (gaps(flags, rows=7), "bernoulli"),
            (gaps(counts, rows=4), "poisson"),
            (wide, "gaussian"),
        ],
    }


VIEWS = made_views()
OPTIONS = {
    "default": {},
    "ARD on factors": {"ard_factors": True},
    "no spike and slab": {"spike_slab": False},
    "no ARD on weights": {"ard_weights": False},
    "neither": {"spike_slab": False, "ard_weights": False},
    "weighted views": {"weight_views": True},
    "dropping": {"least_r2": 0.03, "n_factors": 7},
}


def assert_same_fit(views, likelihoods, groups, options, *, n_sweeps):
    witness = run_mofapy2(views, likelihoods, groups, options, n_sweeps=n_sweeps)
    fit = fit_nomomics(
        views,
        likelihoods=likelihoods,
        groups=groups,
        options=replace(options, max_iterations=n_sweeps, tolerance=1e-300),
        sweeps_per_bound=1,
    )
    assert fit.n_iterations == n_sweeps
    sweeps = fit.elbo_path[:, 0].astype(int)  # every one, until the bound hardly moves
    assert len(sweeps) > 20
    np.testing.assert_allclose(fit.elbo_path[:, 1], witness.elbo[sweeps], rtol=1e-8)
    assert fit.factors.shape == witness.factors.shape
    overlap = witness.factors.T @ fit.factors
    match = np.abs(overlap / np.linalg.norm(fit.factors, axis=0)).argmax(axis=1)
    sign = np.sign(overlap[np.arange(len(match)), match])
    assert sorted(match) == list(range(len(match)))
    np.testing.assert_allclose(fit.factors[:, match] * sign, witness.factors, atol=1e-6)
    for weight, view in zip(witness.weights, fit.views, strict=True):
        np.testing.assert_allclose(view.weight[:, match] * sign, weight, atol=1e-6)


CASES = [(kind, "default") for kind in VIEWS] + [
    (kind, options)
    for kind in ("gaussian", "all kinds")
    for options in OPTIONS
    if options != "default"
]


@pytest.mark.parametrize("groups", [ONE_GROUP, TWO_GROUPS], ids=["one group", "two groups"])
@pytest.mark.parametrize(("kind", "options"), CASES, ids=str)
def test_every_sweep_gives_the_bound_of_mofapy2(kind, options, groups):
    views, likelihoods = map(list, zip(*VIEWS[kind], strict=True))
    given = MofaOptions(**{"n_factors": 5, **OPTIONS[options]})
    assert_same_fit(views, likelihoods, groups, given, n_sweeps=60)


@pytest.mark.slow
@needs_data("cll")
@pytest.mark.parametrize("n_factors", [10, 25])
def test_every_sweep_on_cll_gives_the_bound_of_mofapy2(n_factors):
    views, likelihoods = cll_matrices()
    groups = np.zeros(len(views[0]), dtype=np.intp)
    options = MofaOptions(n_factors=n_factors)
    assert_same_fit(views, likelihoods, groups, options, n_sweeps=54)


def test_the_fit_stops_where_mofapy2_stops():
    views, likelihoods = map(list, zip(*VIEWS["all kinds"], strict=True))
    options = MofaOptions(n_factors=3)
    fit = fit_nomomics(views, likelihoods=likelihoods, groups=ONE_GROUP, options=options)
    witness = run_mofapy2(views, likelihoods, ONE_GROUP, options, n_sweeps=fit.n_iterations)
    change = np.abs(np.diff(witness.elbo[1::5])) / np.abs(witness.elbo[0])
    below = change < 5e-6
    assert fit.converged
    assert below[-1]
    assert below[-2]
    assert not (below[:-2] & below[1:-1]).any()


def test_the_bound_never_falls():
    # with spikes it may, a little: their update takes log E[alpha] where the bound has E[log alpha]
    views, likelihoods = map(list, zip(*VIEWS["gaussian"], strict=True))
    fit = fit_nomomics(
        views,
        likelihoods=likelihoods,
        groups=TWO_GROUPS,
        options=MofaOptions(n_factors=5, ard_factors=True, spike_slab=False, convergence="slow"),
        sweeps_per_bound=1,
    )
    assert np.diff(fit.elbo_path[:, 1]).min() > -1e-9 * abs(fit.elbo)


def test_inputs_are_not_modified_and_seeds_reproduce():
    views, likelihoods = map(list, zip(*VIEWS["all kinds"], strict=True))
    before = [view.copy() for view in views]
    fits = [
        fit_nomomics(
            views, likelihoods=likelihoods, groups=ONE_GROUP, options=MofaOptions(n_factors=3)
        )
        for _ in range(2)
    ]
    for view, kept in zip(views, before, strict=True):
        np.testing.assert_array_equal(view, kept)
    np.testing.assert_array_equal(fits[0].factors, fits[1].factors)


def test_a_given_start_is_used():
    views, likelihoods = map(list, zip(*VIEWS["gaussian"], strict=True))
    options = MofaOptions(n_factors=3)
    own = principal_start(views, 3, np.random.RandomState(0))
    alike = fit_nomomics(views, likelihoods=likelihoods, groups=ONE_GROUP, options=options)
    same = fit_nomomics(
        views, likelihoods=likelihoods, groups=ONE_GROUP, options=options, start=own
    )
    other = fit_nomomics(
        views, likelihoods=likelihoods, groups=ONE_GROUP, options=options, start=own[::-1]
    )
    np.testing.assert_array_equal(same.factors, alike.factors)
    assert other.elbo != alike.elbo


def test_all_factors_dropped_is_a_result():
    noise = np.random.default_rng(0).normal(size=(N, 40))
    fit = fit_nomomics(
        [noise - noise.mean(axis=0)],
        likelihoods=["gaussian"],
        groups=ONE_GROUP,
        options=MofaOptions(n_factors=4, least_r2=0.9),
    )
    assert fit.factors.shape == (N, 0)
    assert fit.views[0].weight.shape == (40, 0)
    assert fit.converged


def test_blocks_hold_every_value_once():
    wide = VIEWS["patterns of gaps"][1][0]
    blocks = gaussian_blocks(wide, TWO_GROUPS, 5, np.ones((2, wide.shape[1])))
    kinds = {type(block) for block in blocks}
    assert kinds == {SharedNoise, OwnNoise}
    assert sorted(np.concatenate([b.columns for b in blocks])) == list(range(wide.shape[1]))
    counted = sum(b.counts().sum() for b in blocks)
    assert counted == (~np.isnan(wide)).sum()


def test_both_kinds_of_block_give_the_sums_written_out():
    rng = np.random.default_rng(3)
    values, tau = rng.normal(size=(N, 4)), rng.gamma(1, size=(2, 4))
    z, variance, w = rng.normal(size=(N, 3)), rng.random((N, 3)), rng.normal(size=(3, 4))
    second, z2 = w**2 + rng.random((3, 4)), z**2 + variance
    noise = tau[TWO_GROUPS]
    shared = gaussian_blocks(values, TWO_GROUPS, 3, tau)[0]
    own = OwnNoise(np.arange(4), TWO_GROUPS, values, np.ones((N, 4), bool), tau, by_group=True)
    for block in (shared, own):
        block.look_at_factors(z, z2)
        written = np.stack(
            [
                sum(
                    values[n] ** 2
                    - 2 * values[n] * (z[n] @ w)
                    + (z[n] @ w) ** 2
                    - (z[n] ** 2) @ w**2
                    + z2[n] @ second
                    for n in np.flatnonzero(g == TWO_GROUPS)
                )
                for g in (0, 1)
            ]
        )
        np.testing.assert_allclose(block.residuals(w, second), written, rtol=1e-12)
        np.testing.assert_allclose(block.precision(), z2.T @ noise, rtol=1e-12)
        pull, new = block.pull(w), w + rng.normal(size=w.shape)
        for k in range(3):
            others = z @ w - np.outer(z[:, k], w[k])
            np.testing.assert_allclose(pull[k], z[:, k] @ (noise * (values - others)), rtol=1e-9)
            moved = z[:, k] @ (noise * (z[:, :k] @ (new - w)[:k]))
            np.testing.assert_allclose(block.moved(k, new - w), moved, rtol=1e-9, atol=1e-9)


def test_pairs_of_factors_have_one_place():
    (first, second), place = factor_pairs(4)
    assert (place == place.T).all()
    assert all(place[a, b] == i for i, (a, b) in enumerate(zip(first, second, strict=True)))


def test_bernoulli_bound_touches_the_likelihood_at_xi():
    linear = np.linspace(-6, 6, 41)
    for value in (0.0, 1.0):
        exact = np.log(expit((2 * value - 1) * linear))
        touching = bernoulli_bound(np.full(41, value), np.abs(linear), linear, linear**2)
        np.testing.assert_allclose(touching, exact, atol=1e-12)
        elsewhere = bernoulli_bound(np.full(41, value), np.full(41, 1.3), linear, linear**2)
        assert (elsewhere <= exact + 1e-12).all()


def test_bernoulli_pseudo_data_are_where_the_bound_peaks():
    xi = np.array([0.7])
    pseudo = bernoulli_pseudo_data(np.ones(1), xi)
    grid = pseudo + np.array([-1e-3, 0.0, 1e-3])
    bound = bernoulli_bound(np.ones(3), np.full(3, 0.7), grid, grid**2)
    assert bound.argmax() == 1
    assert jaakkola(xi) == pytest.approx(np.tanh(0.35) / 2.8)


def test_poisson_bound_touches_the_likelihood_and_peaks_at_the_pseudo_data():
    zeta, kappa = np.array([[0.4]]), np.array([0.25 + 0.17 * 5])
    rate = poisson_rate(zeta)
    exact = 3 * np.log(rate) - rate
    np.testing.assert_allclose(poisson_bound(np.array([[3.0]]), zeta, kappa, zeta, zeta**2), exact)
    pseudo = poisson_pseudo_data(np.array([[3.0]]), zeta, kappa)
    around = pseudo + np.array([[-1e-3, 0.0, 1e-3]])
    assert poisson_bound(np.full((1, 3), 3.0), zeta, kappa, around, around**2).argmax() == 1
