"""Factors to and from other programs: mofapy2's own file, and muon's .h5mu read by mudata."""

import builtins
import json
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest

from omics.errors import StudyError
from omics.mofa import FactorModel
from omics.muon import read_muon, write_muon
from omics.saved_factors import read_mofa
from omics.table_spec import TableSpec
from omics.tables import read_table
from tests.made_cohorts import made_cohort

REFERENCE = Path(__file__).parent / "reference"
GROUPS = {"north": 18, "south": 12}

# mofapy2's file -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A real model of two groups, a gaussian and a bernoulli view, as `entry_point.save` has it."""
    path = tmp_path_factory.mktemp("mofa") / "model.hdf5"
    rng = np.random.default_rng(0)
    z = rng.normal(size=(30, 2))
    rna = z @ rng.normal(size=(2, 8)) + rng.normal(size=(30, 8)) * 0.3
    flags = (rng.random((30, 5)) < 0.5).astype(float)
    state = np.random.get_state()  # noqa: NPY002
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        from mofapy2.run.entry_point import entry_point

        entry = entry_point()
        entry.set_data_options(scale_views=False)
        entry.set_data_matrix(
            [[view[:18], view[18:]] for view in (rna, flags)],
            likelihoods=["gaussian", "bernoulli"],
            views_names=["rna", "flags"],
            groups_names=list(GROUPS),
            samples_names=[[f"P{i}" for i in range(18)], [f"P{i}" for i in range(18, 30)]],
            features_names=[[f"G{i}" for i in range(8)], [f"M{i}" for i in range(5)]],
        )
        entry.set_model_options(factors=3)
        entry.set_train_options(iter=40, seed=1, quiet=True)
        entry.build()
        entry.run()
        entry.save(str(path), save_data=True)
    np.random.set_state(state)  # noqa: NPY002
    return path, entry.model


def test_a_model_saved_by_mofapy2_is_read_back_equal(trained: tuple[Path, Any]) -> None:
    path, model = trained
    saved = read_mofa(path)
    np.testing.assert_allclose(saved.factors, model.nodes["Z"].getExpectation(), atol=1e-12)
    assert saved.factors.columns.tolist() == ["F1", "F2", "F3"]
    assert saved.factors.index.tolist() == [f"P{i}" for i in range(30)]
    assert saved.groups.value_counts().to_dict() == GROUPS
    assert saved.groups["P17"] == "north" != saved.groups["P18"]
    for m, (view, features) in enumerate({"rna": 8, "flags": 5}.items()):
        wide = saved.loadings[saved.loadings["view"] == view].pivot(
            index="feature", columns="factor", values="loading"
        )
        assert wide.shape == (features, 3)
        weights = model.nodes["W"].nodes[m].getExpectations()["E"]
        np.testing.assert_allclose(wide, weights, atol=1e-12)
    assert saved.likelihoods == {"rna": "gaussian", "flags": "bernoulli"}
    shares, totals = model.calculate_variance_explained(), model.calculate_variance_explained(True)
    table = saved.variance_explained.set_index(["group", "view", "factor"])["r2"].sort_index()
    for g, group in enumerate(GROUPS):
        for m, view in enumerate(("rna", "flags")):
            names = ["F1", "F2", "F3", "all"]
            expected = [*shares[g][m], totals[g][m]]
            np.testing.assert_allclose(table.loc[group, view][names], expected, atol=1e-10)
    assert repr(saved).endswith("30 patients in 2 groups, 3 factors of 2 views)")


def test_saved_factors_cannot_place_new_patients(trained: tuple[Path, Any]) -> None:
    with pytest.raises(
        StudyError,
        match=r"factors of model.hdf5 cannot be computed for new patients: .*tau.*"
        r"Fit FactorModel on the tables",
    ):
        read_mofa(trained[0]).transform(pd.DataFrame())


def copy_without(path: Path, folder: Path, *, drop: str = "", **replaced: Any) -> Path:
    """Copy a file, take a part out, or put other values in its place (`__` for a slash)."""
    new = folder / "changed.hdf5"
    new.write_bytes(path.read_bytes())
    with h5py.File(new, "a") as file:
        if drop:
            del file[drop]
        for name, values in replaced.items():
            place = name.replace("__", "/")
            del file[place]
            file[place] = values
    return new


def test_files_without_variance_or_likelihoods_are_read(
    trained: tuple[Path, Any], tmp_path: Path
) -> None:
    silent = read_mofa(copy_without(trained[0], tmp_path, drop="variance_explained"))
    assert silent.variance_explained.empty
    assert read_mofa(copy_without(trained[0], tmp_path, drop="model_options")).likelihoods == {}


def test_damaged_files_are_refused(trained: tuple[Path, Any], tmp_path: Path) -> None:
    path = trained[0]
    with pytest.raises(StudyError, match=r"'expectations/W' is not in it \(it holds: 'data', "):
        read_mofa(copy_without(path, tmp_path, drop="expectations/W"))
    short = copy_without(path, tmp_path, samples__north=np.array(["a", "b"], dtype="S"))
    with pytest.raises(StudyError, match="Z/north must have one value for each of 2 samples, but"):
        read_mofa(short)
    twice = copy_without(
        path, tmp_path, samples__south=np.array([f"P{i}" for i in range(12)], dtype="S")
    )
    with pytest.raises(StudyError, match="each patient once, but 12 names stand twice"):
        read_mofa(twice)
    turned = {"variance_explained__r2_per_factor__north": np.zeros((3, 2))}
    with pytest.raises(StudyError, match=r"a row for each of 2 views and .* 3 factors, but has"):
        read_mofa(copy_without(path, tmp_path, **turned))
    text = tmp_path / "notes.hdf5"
    text.write_text("no HDF5")
    with pytest.raises(StudyError, match=r"notes.hdf5 cannot be read as a MOFA model"):
        read_mofa(text)


# muon's file ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted() -> tuple[FactorModel, pd.DataFrame]:
    X = made_cohort(60, missing=0.05).X
    X.loc[X.index[:9], [c for c in X if c.startswith("rna:")]] = np.nan  # nine without rna
    model = FactorModel(views=["mri", "rna"], n_factors=2, seed=1)
    # both views have f0 ...: one gets names of its own
    X = X.rename(columns={f"rna:f{j}": f"rna:G{j}" for j in range(12)})
    return model.fit(X), X


@pytest.fixture
def mudata() -> Iterator[Any]:
    package = pytest.importorskip("mudata", reason="the extra 'mudata' is not installed")
    with package.set_options(pull_on_update=False):
        yield package


def test_mudata_reads_what_we_write(
    fitted: tuple[FactorModel, pd.DataFrame], tmp_path: Path, mudata: Any
) -> None:
    model, X = fitted
    path = tmp_path / "factors.h5mu"
    write_muon(model, X, path)
    data = mudata.read_h5mu(path)
    assert list(data.mod) == ["mri", "rna"]
    assert data.shape == (60, 24)
    assert (data["mri"].n_obs, data["rna"].n_obs) == (60, 51)
    scores = pd.DataFrame(data.obsm["X_mofa"], index=data.obs_names).loc[X.index]
    np.testing.assert_allclose(scores, model.transform(X), atol=1e-12)
    loadings = pd.DataFrame(data.varm["LFs"], index=data.var_names)
    expected = model.loadings_.pivot(index="feature", columns="factor", values="loading")
    np.testing.assert_allclose(loadings.loc[expected.index], expected, atol=1e-12)
    rna = data["rna"].to_df()
    rna.columns = [f"rna:{name}" for name in rna.columns]
    pd.testing.assert_frame_equal(rna, X.loc[rna.index, rna.columns], check_names=False)
    share = model.variance_explained_.query("view == 'rna' and factor != 'all'")["r2"]
    np.testing.assert_allclose(data.uns["mofa"]["variance"]["rna"], 100 * share, atol=1e-10)
    params = data.uns["mofa"]["params"]
    assert list(params["data"]["likelihoods"]) == ["gaussian", "gaussian"]
    assert (params["model"]["n_factors"], params["training"]["seed"]) == (2, 1)
    assert [file.name for file in tmp_path.iterdir()] == ["factors.h5mu"]


def test_what_we_write_we_read_back(
    fitted: tuple[FactorModel, pd.DataFrame], tmp_path: Path, mudata: Any
) -> None:
    model, X = fitted
    write_muon(model, X, tmp_path / "factors.h5mu")
    saved = read_muon(tmp_path / "factors.h5mu")
    ours = model.transform(X).rename(columns=lambda name: name.partition(":")[2])
    pd.testing.assert_frame_equal(saved.factors.loc[X.index], ours, check_names=False)
    pd.testing.assert_frame_equal(saved.loadings, model.loadings_)
    expected = model.variance_explained_.query("factor != 'all'").reset_index(drop=True)
    pd.testing.assert_frame_equal(
        saved.variance_explained.drop(columns="group"), expected[["view", "factor", "r2"]]
    )
    assert set(saved.groups) == {"group1"}
    assert saved.likelihoods == {"mri": "gaussian", "rna": "gaussian"}
    # and the values, by the study's own reader of tables
    spec = TableSpec(path=tmp_path / "factors.h5mu", kind="expression", modality="rna")
    view = read_table(spec, name="rna")
    back = view.table.loc[X.index[9:]]
    back.columns = [f"rna:{name}" for name in back.columns]
    np.testing.assert_allclose(back, X.loc[back.index, back.columns], atol=1e-12)


def test_features_of_one_name_in_two_views_are_told_apart(tmp_path: Path, mudata: Any) -> None:
    X = made_cohort(40).X
    model = FactorModel(views=["mri", "rna"], n_factors=1, seed=1).fit(X)
    write_muon(model, X, tmp_path / "factors.h5mu")
    data = mudata.read_h5mu(tmp_path / "factors.h5mu")
    assert {"mri:f0", "rna:f0"} <= set(data.var_names)
    pd.testing.assert_frame_equal(read_muon(tmp_path / "factors.h5mu").loadings, model.loadings_)


@pytest.fixture(scope="module")
def in_groups() -> tuple[FactorModel, pd.DataFrame]:
    X = made_cohort(60).X
    X["clinical:Centre"] = [1.0, 2.0, 2.0] * 20
    X.loc[X["clinical:Centre"] == 2, [c for c in X if c.startswith("rna:")]] = np.nan
    model = FactorModel(
        views=["mri", "rna"], n_factors=2, groups="clinical:Centre", ard_factors=True, seed=1
    )
    return model.fit(X), X


def test_groups_and_their_variance_come_back(
    in_groups: tuple[FactorModel, pd.DataFrame], tmp_path: Path, mudata: Any
) -> None:
    model, X = in_groups
    path = tmp_path / "factors.h5mu"
    write_muon(model, X, path)
    saved = read_muon(path)
    centre = saved.groups.loc[X.index]
    assert centre.tolist() == ["1", "2", "2"] * 20  # whole numbers, as model.groups_ has them
    key = ["group", "view", "factor"]
    expected = model.group_variance_explained_.query("factor != 'all'").set_index(key)["r2"]
    ours = saved.variance_explained.set_index(key)["r2"].sort_index()
    pd.testing.assert_series_equal(ours, expected.sort_index())
    assert set(ours["1"].index.get_level_values("view")) == {"mri", "rna"}
    assert set(ours["2"].index.get_level_values("view")) == {"mri"}  # none of them has rna
    data = mudata.read_h5mu(path)
    assert data.uns["mofa"]["params"]["data"]["groups_label"] == "Centre"
    assert data.obs["Centre"].loc[X.index].tolist() == centre.tolist()
    north = model.group_variance_explained_.query("group == '1' and view == 'rna'")["r2"]
    np.testing.assert_allclose(data.uns["mofa"]["variance"]["rna"]["1"], 100 * north[:2])


def test_patients_of_unsaid_groups_have_none(
    in_groups: tuple[FactorModel, pd.DataFrame], tmp_path: Path, mudata: Any
) -> None:
    model, X = in_groups
    write_muon(model, X.drop(columns="clinical:Centre"), tmp_path / "factors.h5mu")
    saved = read_muon(tmp_path / "factors.h5mu")
    assert saved.groups.isna().all()  # the file does not say who was in which
    assert set(saved.variance_explained["group"]) == {"1", "2"}


def test_what_muon_itself_wrote_is_read() -> None:
    """`tests/reference/muon_files.py` says how the file was made, and what mofapy2 says of it."""
    saved = read_muon(REFERENCE / "muon.h5mu")
    truth = json.loads((REFERENCE / "muon_expected.json").read_text(encoding="utf-8"))
    assert saved.likelihoods == truth["likelihoods"] == {"rna": "gaussian", "flags": "bernoulli"}
    assert len(saved.factors) == 24
    for group, patients in truth["factors"].items():
        assert set(saved.groups.index[saved.groups == group]) == set(patients)
        for patient, values in patients.items():
            np.testing.assert_allclose(saved.factors.loc[patient], values, atol=1e-12)
    loadings = saved.loadings.set_index(["view", "feature", "factor"])["loading"].sort_index()
    assert len(loadings) == 8 * 2
    for view, features in truth["loadings"].items():
        for feature, values in features.items():
            np.testing.assert_allclose(loadings[view, feature], values, atol=1e-12)
    share = saved.variance_explained.set_index(["group", "view", "factor"])["r2"].sort_index()
    for group, views in truth["variance_explained"].items():
        for view, percent in views.items():
            np.testing.assert_allclose(100 * share[group, view], percent, atol=1e-10)


def test_patients_and_columns_that_do_not_fit_are_refused(
    fitted: tuple[FactorModel, pd.DataFrame], tmp_path: Path, mudata: Any
) -> None:
    model, X = fitted
    path = tmp_path / "factors.h5mu"
    with pytest.raises(ValueError, match=r"must end in .h5mu, but is 'factors.h5ad'"):
        write_muon(model, X, tmp_path / "factors.h5ad")
    with pytest.raises(ValueError, match=r"24 columns .*but 'rna:G3' are absent"):
        write_muon(model, X.drop(columns="rna:G3"), path)
    with pytest.raises(ValueError, match="each patient once, but 1 rows repeat"):
        write_muon(model, X.iloc[[0, 0, 1]], path)
    empty = X.copy()
    empty.loc[X.index[4], list(model.features_)] = np.nan
    with pytest.raises(ValueError, match=r"but 1 of 60 have none. Leave them out"):
        write_muon(model, empty, path)
    assert not path.exists()


def test_without_the_package_the_cure_is_named(
    fitted: tuple[FactorModel, pd.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def absent(name: str, *args: Any, **kwargs: Any) -> Any:
        if name in ("mudata", "anndata"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ImportError, match=r"pip install 'nomomics\[mudata\]'"):
        write_muon(*fitted, tmp_path / "factors.h5mu")


def test_files_without_factors_or_of_two_models_are_refused(
    fitted: tuple[FactorModel, pd.DataFrame], tmp_path: Path, mudata: Any
) -> None:
    path = tmp_path / "factors.h5mu"
    write_muon(*fitted, path)
    with pytest.raises(StudyError, match=r"with MOFA factors, but 'obsm/X_mofa' is not in it"):
        read_muon(copy_without(path, tmp_path, drop="obsm/X_mofa"))
    with pytest.raises(StudyError, match="X_mofa has 2 factors, but LFs has 3"):
        read_muon(copy_without(path, tmp_path, varm__LFs=np.zeros((24, 3))))
    with pytest.raises(StudyError, match="one value for each of 24 features, but has 5"):
        read_muon(copy_without(path, tmp_path, varm__LFs=np.zeros((5, 2))))
    three = {"uns__mofa__variance__rna": np.zeros(3)}
    with pytest.raises(StudyError, match=r"/uns/mofa/variance/rna must have .* 2 factors, but"):
        read_muon(copy_without(path, tmp_path, **three))
    kinds = {"uns__mofa__params__data__likelihoods": np.array(["gaussian"], dtype="S")}
    with pytest.raises(StudyError, match="a likelihood for each of 2 modalities, but has 1"):
        read_muon(copy_without(path, tmp_path, **kinds))
    silent = read_muon(copy_without(path, tmp_path, drop="uns/mofa"))
    assert (silent.likelihoods, len(silent.variance_explained)) == ({}, 0)
    with pytest.raises(StudyError, match="/obsm/X_mofa must be a plain matrix"):
        read_muon(copy_without(path, tmp_path, obsm__X_mofa=np.zeros(60)))
    text = tmp_path / "notes.h5mu"
    text.write_text("no HDF5")
    with pytest.raises(StudyError, match=r"notes.h5mu cannot be read as MuData"):
        read_muon(text)
