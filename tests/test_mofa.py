"""MOFA factors: mofapy2's own numbers and closed forms, then what must hold for any data."""

import builtins
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator

from omics.errors import ConvergenceWarning, FitError
from omics.mofa import FactorModel
from omics.mofa_engine import fit_engine
from omics.mofa_fit import Engine, MofaOptions
from omics.projection import Projection
from tests.realdata import DATA, needs_data

LIKELIHOODS = {"flags": "bernoulli"}


def cohort(seed: int = 0, n_patients: int = 60) -> tuple[pd.DataFrame, np.ndarray]:
    """Two views share two factors, a 0/1 view the first; the truth comes along."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n_patients, 2))
    mri = truth @ rng.normal(size=(2, 12)) + 0.5 * rng.normal(size=(n_patients, 12))
    rna = truth @ rng.normal(size=(2, 9)) + 0.5 * rng.normal(size=(n_patients, 9))
    logit = np.outer(truth[:, 0], 2 * rng.choice([-1, 1], size=6))
    flags = (rng.random((n_patients, 6)) < 1 / (1 + np.exp(-logit))).astype(float)
    X = pd.concat(
        [
            pd.DataFrame(100 + 10 * mri, columns=[f"mri:M{i}" for i in range(12)]),
            pd.DataFrame(rna, columns=[f"rna:R{i}" for i in range(9)]),
            pd.DataFrame(flags, columns=[f"flags:G{i}" for i in range(6)]),
        ],
        axis=1,
    )
    return X.set_axis([f"P{i:03d}" for i in range(n_patients)]), truth


def with_gaps(X: pd.DataFrame, *, seed: int = 1) -> pd.DataFrame:
    """A tenth of the values missing, and a whole view of some patients."""
    rng = np.random.default_rng(seed)
    X = X.mask(rng.random(X.shape) < 0.1)
    X.loc[X.index[:9], X.columns.str.startswith("rna:")] = np.nan
    return X


@pytest.fixture(scope="module")
def fitted() -> tuple[FactorModel, pd.DataFrame]:
    X = with_gaps(cohort()[0])
    return FactorModel(n_factors=3, likelihoods=LIKELIHOODS).fit(X), X


# Witness one: mofapy2 itself -------------------------------------------------------------------


def mofapy2_by_hand(X: pd.DataFrame, views: list[str], n_factors: int) -> Any:
    """The plain way to call mofapy2, scaling left to us; returns its trained network."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mofapy2.run.entry_point import entry_point

        data = []
        for view in views:
            part = X[[c for c in X if c.startswith(view + ":")]].to_numpy()
            gaussian = view not in LIKELIHOODS
            data.append(
                [
                    (part - np.nanmean(part, axis=0)) / np.nanstd(part, axis=0)
                    if gaussian
                    else part.copy()
                ]
            )
        entry = entry_point()
        entry.set_data_options(scale_views=False)
        entry.set_data_matrix(data, likelihoods=[LIKELIHOODS.get(v, "gaussian") for v in views])
        entry.set_model_options(factors=n_factors)
        entry.set_train_options(seed=0, quiet=True, convergence_mode="fast")
        entry.build()
        entry.run()
        return entry.model


def test_factors_are_those_of_mofapy2_by_variance_and_sign() -> None:
    X = with_gaps(cohort()[0])
    views = ["mri", "rna", "flags"]
    state = np.random.get_state()  # noqa: NPY002
    try:
        network = mofapy2_by_hand(X, views, 3)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    model = FactorModel(n_factors=3, likelihoods=LIKELIHOODS).fit(X)

    theirs = network.nodes["Z"].getExpectation()
    r2 = network.calculate_variance_explained()[0]  # (views, factors)
    theirs = theirs[:, np.argsort(r2.sum(axis=0))[::-1]]
    ours = model.factors_.to_numpy()
    sign = np.sign((ours * theirs).sum(axis=0))
    np.testing.assert_allclose(ours, sign * theirs, atol=1e-10)

    order = np.argsort(r2.sum(axis=0))[::-1]
    table = model.variance_explained_.pivot(index="view", columns="factor", values="r2")
    total = network.calculate_variance_explained(total=True)[0]
    for m, view in enumerate(views[:2]):
        np.testing.assert_allclose(table.loc[view, ["F1", "F2", "F3"]], r2[m, order], atol=1e-10)
        assert table.loc[view, "all"] == pytest.approx(total[m], abs=1e-10)


def test_variance_explained_of_complete_flags_is_that_of_mofapy2() -> None:
    # With missing flags the two differ: mofapy2 counts the pseudo-data of values never observed.
    X = cohort()[0].filter(like="flags:").assign(**{"mri:A": cohort()[1][:, 0]})
    state = np.random.get_state()  # noqa: NPY002
    try:
        network = mofapy2_by_hand(X, ["flags", "mri"], 2)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    model = FactorModel(n_factors=2, likelihoods=LIKELIHOODS).fit(X)
    ours = model.variance_explained_.query("view == 'flags' and factor == 'all'")["r2"].item()
    assert ours == pytest.approx(network.calculate_variance_explained(total=True)[0][0], abs=1e-10)


# Witness two: closed forms ---------------------------------------------------------------------


def by_hand(projection: Projection, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The gaussian posterior of one patient, feature by feature as written in the formula."""
    A = np.diag(projection.prior_precision[0])
    b = np.zeros(len(A))
    for d in np.flatnonzero(~np.isnan(values)):
        w, tau = projection.weight[d], projection.noise_precision[0, d]
        variance = projection.weight_square[d] - w**2
        A = A + tau * (np.outer(w, w) + np.diag(variance))
        b = b + tau * w * (values[d] - projection.centre[0, d]) / projection.scale[0, d]
    return np.linalg.solve(A, b), 1 - projection.prior_precision[0] * np.diag(np.linalg.inv(A))


def test_gaussian_posterior_is_the_closed_form() -> None:
    X = with_gaps(cohort()[0])
    model = FactorModel(views=["mri", "rna"], n_factors=3).fit(X)
    new = with_gaps(cohort(seed=5, n_patients=8)[0], seed=6)
    for patient in range(len(new)):
        values = new[list(model.features_)].iloc[patient].to_numpy()
        z, information = by_hand(model.projection_, values)
        np.testing.assert_allclose(model.transform(new).iloc[patient], z, atol=1e-10)
        np.testing.assert_allclose(model.information(new).iloc[patient], information, atol=1e-10)


def test_one_factor_by_hand() -> None:
    # w = (1, 2), Var w = (0, 1), tau = (4, 2), mu = (1, 0), s = (2, 1); y = (3, 1)
    # A = 1 + 4*1 + 2*(4 + 1) = 15; b = 4*1*(3 - 1)/2 + 2*2*1 = 8
    projection = Projection(
        weight=np.array([[1.0], [2.0]]),
        weight_square=np.array([[1.0], [5.0]]),
        prior_precision=np.ones((1, 1)),
        noise_precision=np.array([[4.0, 2.0]]),
        centre=np.array([[1.0, 0.0]]),
        scale=np.array([[2.0, 1.0]]),
        lowest=np.array([-9.0, -9.0]),
        highest=np.array([9.0, 9.0]),
        spread=np.ones(2),
        bernoulli=np.array([False, False]),
        poisson=np.array([False, False]),
        importance=np.ones(2),
    )
    posterior = projection.posterior(np.array([[3.0, 1.0], [3.0, np.nan], [np.nan, np.nan]]))
    np.testing.assert_allclose(posterior.mean.ravel(), [8 / 15, 4 / 5, 0], rtol=1e-12)
    np.testing.assert_allclose(posterior.information.ravel(), [14 / 15, 4 / 5, 0], rtol=1e-12)


@pytest.mark.parametrize("y", [0.0, 1.0])
def test_bernoulli_fixed_point_by_hand(y: float) -> None:
    weight, second, centre = 1.5, 2.75, 0.4
    projection = Projection(
        weight=np.array([[weight]]),
        weight_square=np.array([[second]]),
        prior_precision=np.ones((1, 1)),
        noise_precision=np.array([[np.nan]]),
        centre=np.array([[centre]]),
        scale=np.ones((1, 1)),
        lowest=-np.ones(1),
        highest=np.ones(1),
        spread=np.ones(1),
        bernoulli=np.array([True]),
        poisson=np.array([False]),
        importance=np.ones(1),
    )
    z, a = 0.0, 1.0
    for _ in range(200):  # plain scalars, as in METHODS section 1
        xi = np.sqrt((z * weight) ** 2 - z**2 * weight**2 + (z**2 + 1 / a) * second)
        lam = np.tanh(xi / 2) / (4 * xi)
        a = 1 + 2 * lam * second
        z = 2 * lam * weight * ((2 * y - 1) / (4 * lam) - centre) / a
    posterior = projection.posterior(np.array([[y]]))
    assert posterior.mean.item() == pytest.approx(z, abs=1e-9)
    assert posterior.information.item() == pytest.approx(1 - 1 / a, abs=1e-9)
    assert np.sign(z) == (1 if y else -1)


def test_variance_explained_is_the_direct_computation(
    fitted: tuple[FactorModel, pd.DataFrame],
) -> None:
    model, X = fitted
    data = X[[c for c in X if c.startswith("mri:")]].to_numpy()
    data = (data - np.nanmean(data, axis=0)) / np.nanstd(data, axis=0)
    loadings = model.loadings_.query("view == 'mri'").pivot(
        index="feature", columns="factor", values="loading"
    )
    loadings = loadings.loc[[f"M{i}" for i in range(12)]].to_numpy()
    z = model.factors_.to_numpy()
    table = model.variance_explained_.query("view == 'mri'").set_index("factor")["r2"]
    for k in range(3):
        left = np.nansum((data - np.outer(z[:, k], loadings[:, k])) ** 2)
        assert table[f"F{k + 1}"] == pytest.approx(1 - left / np.nansum(data**2), abs=1e-10)
    left = np.nansum((data - z @ loadings.T) ** 2)
    assert table["all"] == pytest.approx(1 - left / np.nansum(data**2), abs=1e-10)


# Projection of the training patients -----------------------------------------------------------


@pytest.mark.parametrize("views", [["mri", "rna"], ["mri", "flags"]])
def test_training_patients_come_back_to_their_factors(views: list[str]) -> None:
    X = with_gaps(cohort()[0])
    likelihoods = {view: LIKELIHOODS[view] for view in views if view in LIKELIHOODS}
    model = FactorModel(
        views=views,
        likelihoods=likelihoods,
        n_factors=3,
        tolerance=1e-8,
        max_iterations=20_000,
    ).fit(X)
    assert model.converged_
    np.testing.assert_allclose(model.transform(X), model.factors_, atol=1e-6)


def test_tolerance_goes_on_from_mofapy2() -> None:
    X = cohort()[0]
    plain = FactorModel(views=["mri", "rna"], n_factors=2).fit(X)
    further = FactorModel(
        views=["mri", "rna"], n_factors=2, tolerance=1e-4, max_iterations=5000
    ).fit(X)
    assert further.n_iterations_ > plain.n_iterations_
    assert further.elbo_ >= plain.elbo_


# What is found ---------------------------------------------------------------------------------


def test_simulated_factors_are_found() -> None:
    X, truth = cohort(n_patients=150)
    model = FactorModel(n_factors=4, likelihoods=LIKELIHOODS).fit(X)
    z = model.transform(X).to_numpy()
    for factor in truth.T:  # any rotation of two shared factors explains the data
        design = np.column_stack([np.ones(len(z)), z])
        predicted = design @ np.linalg.lstsq(design, factor, rcond=None)[0]
        assert np.corrcoef(predicted, factor)[0, 1] > 0.95


def test_factors_of_single_views_are_found_each() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(size=(100, 3))
    X = pd.DataFrame(
        np.hstack(
            [
                np.outer(truth[:, k], rng.choice([-1, 1], size=10) * (2 - k / 4))
                + 0.7 * rng.normal(size=(100, 10))
                for k in range(3)
            ]
        ),
        columns=[f"v{k}:{i}" for k in range(3) for i in range(10)],
    )
    model = FactorModel(n_factors=5, max_iterations=3000).fit(X)
    z = model.transform(X).to_numpy()
    r = np.abs(np.corrcoef(truth.T, z[:, :3].T)[:3, 3:])
    assert (r.max(axis=1) > 0.95).all()
    assert len(set(r.argmax(axis=1))) == 3
    # what automatic relevance determination switches off stays as a column and explains nothing
    switched_off = model.variance_explained_.query("factor in ['F4', 'F5']")["r2"]
    np.testing.assert_allclose(switched_off, 0, atol=1e-6)
    np.testing.assert_allclose(z[:, 3:], 0, atol=1e-3)


@needs_data("cll")
class TestCLL:
    """Chronic lymphocytic leukaemia: Drugs, Methylation, mRNA and Mutations of 200 patients."""

    @staticmethod
    def read() -> tuple[pd.DataFrame, pd.DataFrame]:
        import h5py

        with h5py.File(DATA / "cll" / "cll.h5mu") as file:
            patients = file["obs/_index"].asstr()[:]
            tables = []
            for view in ("Drugs", "Methylation", "mRNA", "Mutations"):
                part = file["mod"][view]
                names = [f"{view}:{name}" for name in part["var/dim_0"].asstr()[:]]
                ids = part["obs/dim_1"].asstr()[:]
                tables.append(pd.DataFrame(part["X"][:], index=ids, columns=names))
            markers = pd.DataFrame(
                {name: file[f"obs/{name}"][:] for name in ("IGHV", "trisomy12")}, index=patients
            )
        return pd.concat(tables, axis=1).reindex(patients), markers

    @staticmethod
    def correlations(model: FactorModel, marker: pd.Series) -> np.ndarray:
        return model.factors_.apply(lambda factor: factor.corr(marker)).abs().to_numpy()

    def test_300_most_variable_features(self) -> None:
        X, markers = self.read()
        model = FactorModel(
            n_factors=10, likelihoods={"Mutations": "bernoulli"}, scale="none", max_features=300
        ).fit(X)
        kept = model.loadings_.query("factor == 'F1'")["view"].value_counts()
        assert kept.to_dict() == {"Drugs": 300, "Methylation": 300, "mRNA": 300, "Mutations": 69}
        ighv = self.correlations(model, markers["IGHV"])
        assert ighv.argmax() == 0
        assert ighv[0] == pytest.approx(0.871, abs=0.02)  # BLAS may change the path a little
        # Cut to 300 genes, Drugs outweigh the genes of chromosome 12: the trisomy is spread over
        # several factors. On all 5,000 genes it is one factor (next test).
        trisomy = self.correlations(model, markers["trisomy12"])
        assert trisomy.max() == pytest.approx(0.44, abs=0.06)
        known = markers["trisomy12"].notna()
        design = np.column_stack([np.ones(known.sum()), model.factors_[known]])
        target = markers.loc[known, "trisomy12"].to_numpy()
        predicted = design @ np.linalg.lstsq(design, target, rcond=None)[0]
        assert np.corrcoef(predicted, target)[0, 1] == pytest.approx(0.665, abs=0.04)

    @pytest.mark.slow
    def test_published_figures_on_all_features(self) -> None:
        X, markers = self.read()
        model = FactorModel(n_factors=10, likelihoods={"Mutations": "bernoulli"}, scale="none").fit(
            X
        )
        r2 = model.variance_explained_.query("factor == 'all'").set_index("view")["r2"]
        # METHODS section 5, to a percentage point or so
        expected = {"Drugs": 0.37, "Methylation": 0.25, "mRNA": 0.37, "Mutations": 0.29}
        for view, value in expected.items():
            assert r2[view] == pytest.approx(value, abs=0.015)
        assert self.correlations(model, markers["IGHV"])[0] == pytest.approx(0.86, abs=0.02)
        # 0.79 there, 0.763 here (0.846 among patients with all four views)
        assert self.correlations(model, markers["trisomy12"])[1] == pytest.approx(0.79, abs=0.04)


# What must hold for any data -------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(12)), single=st.integers(0, 11))
def test_a_patient_does_not_depend_on_the_batch(
    fitted: tuple[FactorModel, pd.DataFrame], order: list[int], single: int
) -> None:
    model, _ = fitted
    new = with_gaps(cohort(seed=7, n_patients=12)[0], seed=8)
    batch = model.transform(new)
    np.testing.assert_allclose(
        model.transform(new.iloc[order]), batch.iloc[order], rtol=0, atol=1e-12
    )
    alone = new.iloc[[single]]
    np.testing.assert_allclose(model.transform(alone), batch.iloc[[single]], rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        model.information(alone), model.information(new).iloc[[single]], rtol=0, atol=1e-12
    )


def test_unit_of_a_feature_changes_nothing_when_scaled() -> None:
    X = cohort()[0].filter(regex="mri|rna")
    other = X.assign(**{"mri:M0": X["mri:M0"] * 1000 + 7})
    one, two = FactorModel(n_factors=2).fit(X), FactorModel(n_factors=2).fit(other)
    np.testing.assert_allclose(one.transform(X), two.transform(other), atol=1e-8)


def test_information_falls_with_what_is_missing(fitted: tuple[FactorModel, pd.DataFrame]) -> None:
    model, _ = fitted
    full = cohort(seed=9, n_patients=6)[0]
    without_rna = full.copy()
    without_rna.loc[:, without_rna.columns.str.startswith("rna:")] = np.nan
    nothing = full * np.nan
    on = model.factors_.columns[model.factors_.std() > 1e-6]  # the third is switched off
    assert len(on) == 2
    much, less = model.information(full)[on], model.information(without_rna)[on]
    assert ((much > 0) & (much < 1)).all().all()
    assert (less.mean() < much.mean()).all()
    assert (model.information(nothing) == 0).all().all()
    assert (model.transform(nothing) == 0).all().all()


def test_sign_rule_and_order(fitted: tuple[FactorModel, pd.DataFrame]) -> None:
    model, _ = fitted
    for _, rows in model.loadings_.groupby("factor"):
        assert rows["loading"].iloc[rows["loading"].abs().argmax()] >= 0
    by_factor = model.variance_explained_.query("factor != 'all'").groupby("factor")["r2"].sum()
    assert by_factor.is_monotonic_decreasing


def test_max_features_keeps_the_most_variable() -> None:
    X = cohort()[0]
    model = FactorModel(views=["mri", "rna"], n_factors=2, max_features={"mri": 4}).fit(X)
    best = X.filter(like="mri:").var().nlargest(4).index
    assert {f for f in model.features_ if f.startswith("mri:")} == set(best)
    assert model.dropped_["reason"].tolist() == ["low variance"] * 8
    assert sum(f.startswith("rna:") for f in model.features_) == 9


def test_scales_divide_by_what_they_say() -> None:
    X = cohort()[0].filter(regex="mri|rna")
    model = FactorModel(n_factors=2, scale={"mri": "view", "rna": "none"}).fit(X)
    mri = X.filter(like="mri:")
    scale = dict(zip(model.features_, model.projection_.scale[0], strict=True))
    assert (
        scale["mri:M0"] == scale["mri:M5"] == pytest.approx(np.std((mri - mri.mean()).to_numpy()))
    )
    assert scale["rna:R0"] == 1
    by_feature = FactorModel(n_factors=2).fit(X)
    np.testing.assert_allclose(by_feature.projection_.scale[0], X.std(ddof=0), rtol=1e-12)


def test_useless_features_are_dropped_and_listed() -> None:
    X = cohort()[0].assign(**{"mri:flat": 0.1, "rna:void": np.nan, "clinical:Sex": "female"})
    model = FactorModel(views=["mri", "rna"], n_factors=2).fit(X)
    assert model.dropped_.to_numpy().tolist() == [
        ["mri", "flat", "constant"],
        ["rna", "void", "all missing"],
    ]
    assert "mri:flat" not in model.features_
    plain = FactorModel(views=["mri", "rna"], n_factors=2).fit(cohort()[0])
    np.testing.assert_allclose(model.transform(X), plain.transform(X), atol=1e-12)


def test_other_columns_and_their_order_do_not_matter(
    fitted: tuple[FactorModel, pd.DataFrame],
) -> None:
    model, X = fitted
    shuffled = X[X.columns[::-1]].assign(**{"clinical:Sex": "male", "new": 1})
    pd.testing.assert_frame_equal(model.transform(shuffled), model.transform(X))
    assert list(model.transform(X).columns) == ["factors:F1", "factors:F2", "factors:F3"]
    assert model.transform(X).index.equals(X.index)


def test_array_in_array_out() -> None:
    values = cohort()[0].filter(like="mri:").to_numpy()
    model = FactorModel(n_factors=2).fit(values)
    out = model.transform(values)
    assert isinstance(out, np.ndarray)
    assert isinstance(model.information(values), np.ndarray)
    frame = FactorModel(n_factors=2).fit(cohort()[0].filter(like="mri:"))
    np.testing.assert_allclose(out, frame.factors_, atol=0.05)  # 'fast' stops a little early
    assert set(model.loadings_["view"]) == {"X"}


# Manners ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["nomomics", "mofapy2"])
def test_nothing_leaks(capfd: pytest.CaptureFixture[str], engine: Engine) -> None:
    X = with_gaps(cohort()[0])
    before, filters = X.copy(), list(warnings.filters)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    model = FactorModel(n_factors=2, likelihoods=LIKELIHOODS, engine=engine)
    parameters = dict(model.get_params())
    model.fit(X).transform(X)
    assert capfd.readouterr() == ("", "")
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert warnings.filters == filters
    pd.testing.assert_frame_equal(X, before)
    assert model.get_params() == parameters


def test_same_seed_same_numbers() -> None:
    X = cohort()[0]
    fits = [FactorModel(n_factors=2, likelihoods=LIKELIHOODS, seed=4).fit(X) for _ in range(2)]
    pd.testing.assert_frame_equal(fits[0].factors_, fits[1].factors_)


def test_exit_of_mofapy2_becomes_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import omics.reference_engine as engine

    monkeypatch.setattr(engine, "_built", lambda *_: builtins.exit(1))
    with pytest.raises(FitError, match=r"mofapy2 gave up on this fit \(exit code 1\)"):
        FactorModel(n_factors=1, engine="mofapy2").fit(cohort()[0].filter(like="mri:"))


def test_interrupt_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    from mofapy2.core.BayesNet import BayesNet

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(BayesNet, "calculateELBO", interrupted)
    with pytest.raises(KeyboardInterrupt):
        FactorModel(n_factors=1, engine="mofapy2").fit(cohort()[0].filter(like="mri:"))


@pytest.mark.parametrize("engine", ["nomomics", "mofapy2"])
def test_views_given_to_the_engine_are_not_changed(engine: Engine) -> None:
    view = with_gaps(cohort()[0]).filter(like="mri:").to_numpy()
    view = view - np.nanmean(view, axis=0)
    before = view.copy()
    fit_engine(
        [view],
        likelihoods=["gaussian"],
        groups=np.zeros(len(view), dtype=np.intp),
        options=MofaOptions(n_factors=1, max_iterations=5),
        engine=engine,
    )
    np.testing.assert_array_equal(view, before)


# Files -----------------------------------------------------------------------------------------


def test_saved_model_gives_the_same_numbers(
    fitted: tuple[FactorModel, pd.DataFrame], tmp_path: Path
) -> None:
    model, X = fitted
    model.save(tmp_path / "model")
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == ["factors.json", "factors.npz"]
    back = FactorModel.load(tmp_path / "model")
    pd.testing.assert_frame_equal(back.transform(X), model.transform(X), check_exact=True)
    pd.testing.assert_frame_equal(back.information(X), model.information(X), check_exact=True)
    pd.testing.assert_frame_equal(back.loadings_, model.loadings_, check_exact=True)
    pd.testing.assert_frame_equal(back.dropped_, model.dropped_)
    pd.testing.assert_frame_equal(
        back.variance_explained_, model.variance_explained_, check_exact=True
    )
    assert back.get_params() == model.get_params()
    assert (back.elbo_, back.n_iterations_) == (model.elbo_, model.n_iterations_)
    text = (tmp_path / "model" / "factors.json").read_text()
    assert not any(patient in text for patient in X.index)


def test_saved_model_of_an_array(tmp_path: Path) -> None:
    values = cohort()[0].filter(like="mri:").to_numpy()
    model = FactorModel(n_factors=2, max_features=5).fit(values)
    model.save(tmp_path)
    np.testing.assert_array_equal(
        FactorModel.load(tmp_path).transform(values), model.transform(values)
    )


def _edited(folder: Path, **changes: object) -> None:
    path = folder / "factors.json"
    document = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in document.items() if v is not None}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 1}, r"factors\.json must be of version 2, but is of version 1"),
        ({"format": "other"}, "must be a nomomics factor model"),
        ({"features": None, "elbo": None}, r"2 are missing \(elbo, features\)"),
        ({"sha256": "0"}, "its sha256 differs"),
        ({"features": ["a"]}, "must hold centre of shape|must hold .* of shape"),
        ({"parameters": {"colour": "red"}}, "Invalid parameter 'colour'"),
    ],
)
def test_wrong_file_is_refused(
    fitted: tuple[FactorModel, pd.DataFrame],
    tmp_path: Path,
    changes: dict[str, object],
    message: str,
) -> None:
    fitted[0].save(tmp_path)
    _edited(tmp_path, **changes)
    with pytest.raises(ValueError, match=message):
        FactorModel.load(tmp_path)


def test_damaged_files_are_refused(
    fitted: tuple[FactorModel, pd.DataFrame], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"the folder must hold factors\.json"):
        FactorModel.load(tmp_path)
    fitted[0].save(tmp_path)
    (tmp_path / "factors.npz").unlink()
    with pytest.raises(ValueError, match=r"the folder must hold factors\.npz"):
        FactorModel.load(tmp_path)
    (tmp_path / "factors.json").write_text("{")
    with pytest.raises(ValueError, match=r"factors\.json must be JSON"):
        FactorModel.load(tmp_path)


# Wrong input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"views": ["mrii"]}, r"views must name views of X.*'mrii'.*Did you mean 'mri'\?"),
        ({"views": ["mri", "mri"]}, "'mri' is named twice"),
        ({"likelihoods": {"flag": "bernoulli"}}, r"likelihoods must name.*Did you mean 'flags'\?"),
        ({"likelihoods": {"flags": "binomial"}}, "likelihoods must be one of.*'binomial'"),
        ({"likelihoods": {"rna": "bernoulli"}}, "must hold only 0, 1 or missing, but 540 values"),
        ({"scale": "robust"}, "scale must be one of 'feature', 'view', 'none'"),
        ({"max_features": 0}, "max_features must be at least 1, but is 0"),
        ({"n_factors": 2.5}, r"n_factors must be a whole number of at least 1, but is 2\.5"),
        ({"max_iterations": 0}, "max_iterations must be a whole number"),
        ({"tolerance": 0}, "tolerance must be above 0 or None"),
        ({"convergence": "quick"}, "convergence must be one of 'fast', 'medium', 'slow'"),
        ({"n_factors": 61}, "number of patients, but 61 factors were asked of 60 patients"),
        ({"n_factors": 10, "views": ["rna"]}, "but 10 factors were asked of 9 usable features"),
    ],
)
def test_wrong_parameters_are_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FactorModel(**parameters).fit(cohort()[0])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"rna:R0": "high"}, r"must hold numbers, but 1 do not \(first: 'rna:R0', object\)"),
        ({"rna:R0": np.inf}, r"60 values are infinite \(first in column 'rna:R0'\)"),
        ({"void:A": np.nan}, "view 'void' must have a value.*all 60 patients miss it"),
        (
            {"flat:A": 1.0, "flat:B": np.nan},
            "view 'flat' must have a feature that varies, but of 2 1 are constant and 1 are all",
        ),
        ({"Age": 60.0}, r"but 1 name no view \(first: 'Age'\)"),
    ],
)
def test_wrong_tables_are_named(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FactorModel(n_factors=2).fit(cohort()[0].assign(**columns))


def test_repeated_columns_are_named() -> None:
    X = cohort()[0]
    with pytest.raises(ValueError, match=r"1 are repeated \(first: 'mri:M0'\)"):
        FactorModel(n_factors=2).fit(pd.concat([X, X[["mri:M0"]]], axis=1))


def test_new_patients_lacking_columns_are_refused(
    fitted: tuple[FactorModel, pd.DataFrame],
) -> None:
    model, X = fitted
    message = (
        r"27 columns.*but 2 are missing \(mri: 1 of 12, flags: 1 of 6\): 'mri:M3', 'flags:G0'\. "
        "For patients without these values, add the columns with missing values"
    )
    with pytest.raises(ValueError, match=message):
        model.transform(X.drop(columns=["mri:M3", "flags:G0"]))
    with pytest.raises(ValueError, match="must hold only 0, 1 or missing, but 60 values"):
        model.transform(X.assign(**{"flags:G1": 0.5}))


def test_too_few_sweeps_warn() -> None:
    with pytest.warns(ConvergenceWarning, match="did not converge in 3 sweeps"):
        model = FactorModel(n_factors=2, max_iterations=3).fit(cohort()[0].filter(like="mri:"))
    assert (model.n_iterations_, model.converged_) == (3, False)


# scikit-learn's own checks ---------------------------------------------------------------------

# check name -> why it cannot pass; every other one passes
CANNOT_PASS = {"check_array_api_input": "runs only where SCIPY_ARRAY_API is set, and MOFA is NumPy"}


def test_scikit_learn_conventions() -> None:
    results = check_estimator(FactorModel(n_factors=1), on_fail=None, on_skip=None)
    not_passed = {r["check_name"]: r["exception"] for r in results if r["status"] != "passed"}
    assert set(not_passed) == set(CANNOT_PASS), not_passed
    assert len(results) > 40


def test_clone_keeps_the_parameters() -> None:
    model = FactorModel(views=["mri"], likelihoods={"mri": "gaussian"}, max_features={"mri": 3})
    assert clone(model).get_params() == model.get_params()


def test_a_feature_that_hardly_varied_in_training_throws_nobody_off() -> None:
    # xCell fractions of 1e-18 in every training patient, and 0.02 in a new one
    rng = np.random.default_rng(3)
    factor = rng.normal(size=60)
    X = pd.DataFrame(
        np.outer(factor, np.ones(6)) + rng.normal(size=(60, 6)) / 2,
        columns=[f"cells:{name}" for name in "abcdef"],
    )
    X["cells:rare"] = rng.uniform(1e-19, 2e-18, size=60)
    new = X.iloc[:1].assign(**{"cells:rare": 0.02})
    held = FactorModel(n_factors=1).fit(X)
    free = FactorModel(n_factors=1, reach=None).fit(X)
    before = held.transform(X.iloc[:1]).to_numpy().item()
    assert held.transform(new).to_numpy().item() == pytest.approx(before, abs=0.5)
    assert abs(free.transform(new).to_numpy().item()) > 1e6
    assert held.beyond(new).to_numpy().tolist() == [["cells:rare", 1]]
    assert held.beyond(X).empty
    # within the widened range nothing is touched
    pd.testing.assert_frame_equal(held.transform(X), free.transform(X))


def test_reach_is_checked() -> None:
    with pytest.raises(ValueError, match="reach must be at least 0 or None, but is -1"):
        FactorModel(reach=-1).fit(np.eye(4))


def test_a_factor_that_is_switched_off_is_exactly_zero() -> None:
    # Left at 1e-81 it looked like a column that varies, and a Cox model gave it -1e80 per unit.
    rng = np.random.default_rng(5)
    signal = np.outer(rng.normal(size=80), rng.normal(size=12))
    X = pd.DataFrame(
        signal + rng.normal(size=(80, 12)) / 3, columns=[f"mri:x{i}" for i in range(12)]
    )
    model = FactorModel(n_factors=4, convergence="slow").fit(X)
    spread = model.transform(X).std()
    off = spread.index[model.factors_.std() < 1e-6]
    assert len(off) >= 1
    assert (spread[off] == 0).all()
    assert (spread.drop(off) > 0.1).all()
    assert (model.information(X)[off] == 0).all().all()
