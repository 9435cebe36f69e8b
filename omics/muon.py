"""Factors to and from muon: one .h5mu file, under the names that muon's own MOFA uses.

`obsm["X_mofa"]` holds the factor values, `varm["LFs"]` the loadings, `uns["mofa"]["variance"]` the
variance explained in per cent, per view (and group, where there are several), and
`uns["mofa"]["params"]` the options, among them the likelihoods, view by view, and the column of
`obs` that tells the groups apart. Each view is a modality; patients without any value of it are
absent from it, as muon has it.

References
----------
Bredikhin D, et al. MUON: multimodal omics analysis framework. Genome Biology 2022;23:42.
doi:10.1186/s13059-021-02577-8
"""

import os
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.errors import StudyError
from omics.messages import quoted
from omics.mofa import FactorModel
from omics.mofa_parameters import group_labels
from omics.mofa_views import feature_name, view_name
from omics.mudata import frame_column, frame_index, text_array
from omics.saved_factors import (
    ALL,
    SavedFactors,
    check_length,
    factor_names,
    stack_loadings,
    tidy_loadings,
)

FACTORS, LOADINGS = "X_mofa", "LFs"
ONE_GROUP = "group1"  # as MOFA2 names the only group


def write_muon(model: FactorModel, X: pd.DataFrame, path: str | Path) -> None:
    """Write patients, what was measured of them, and their factors, for muon and scanpy.

    Parameters
    ----------
    model : FactorModel, fitted
    X : DataFrame of shape (n_patients, n_columns)
        Columns ``view:feature``, those of `model.features_` among them; the index names the
        patients, who stand in the file by these names. New patients are placed as `transform` does.
    path : str or Path
        Ending in ``.h5mu``.

    Raises
    ------
    ImportError
        If the package mudata is not installed.
    ValueError
        If a column is absent, patients repeat, or one has no value in any view.

    Notes
    -----
    A feature is named without its view, unless two views have a feature of one name: then all are
    named ``view:feature``, as muon makes names unique. Where factors were learnt in groups and X
    tells them, `obs` does too. The file appears whole or not at all.
    """
    path = Path(path)
    if path.suffix != ".h5mu":
        raise ValueError(f"path must end in .h5mu, but is {path.name!r}. Name the file so.")
    anndata, mudata = _packages()
    _check_patients(model, X)
    scores = model.transform(X)
    columns = list(model.features_)
    bare = [feature_name(column) for column in columns]
    names = bare if len(set(bare)) == len(bare) else columns
    index = pd.Index(X.index.astype(str))
    modalities = {}
    for view in _views(model):
        chosen = [i for i, column in enumerate(columns) if view_name(column) == view]
        table = X[[columns[i] for i in chosen]].to_numpy(dtype=np.float64)
        there = ~np.isnan(table).all(axis=1)
        var = pd.DataFrame(index=pd.Index([names[i] for i in chosen]))
        obs = pd.DataFrame(index=index[there])
        modalities[view] = anndata.AnnData(X=table[there], obs=obs, var=var)
    # mudata 0.3 copies columns into the whole, and warns that 0.4 will not; we have none to copy
    with mudata.set_options(pull_on_update=False):
        data = mudata.MuData(modalities)
        order = index.get_indexer(data.obs_names)
        data.obsm[FACTORS] = scores.to_numpy()[order]
        data.varm[LOADINGS] = model.projection_.weight[pd.Index(names).get_indexer(data.var_names)]
        label = _groups_label(model, X)
        if label is not None:
            data.obs[label] = pd.Categorical(group_labels(X[model.groups]).to_numpy()[order])
        data.uns["mofa"] = {"params": _params(model, label), "variance": _variance(model)}
        part = path.with_name(f".{path.stem}.part.h5mu")
        data.write(part)
    os.replace(part, path)


def _views(model: FactorModel) -> list[str]:
    return list(dict.fromkeys(map(view_name, model.features_)))


def _groups_label(model: FactorModel, X: pd.DataFrame) -> str | None:
    """Name the column of the groups in `obs`; None where there are none, or X does not say."""
    return feature_name(model.groups) if model.groups is not None and model.groups in X else None


def _packages() -> tuple[Any, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of their own imports
            import anndata
            import mudata
    except ImportError as error:
        raise ImportError(
            "writing a .h5mu file takes the package mudata, which is not installed. Install it: "
            "pip install 'nomomics[mudata]'"
        ) from error
    return anndata, mudata


def _check_patients(model: FactorModel, X: pd.DataFrame) -> None:
    absent = [column for column in model.features_ if column not in X.columns]
    if absent:
        raise ValueError(
            f"X must have the {len(model.features_)} columns the factors were learnt from, but "
            f"{quoted(absent, limit=3)} are absent. Pass the wide table of the cohort."
        )
    repeated = int(X.index.astype(str).duplicated().sum())
    if repeated:
        raise ValueError(
            f"X must hold each patient once, but {repeated} rows repeat a name. Give each patient "
            "one row."
        )
    silent = int(X[list(model.features_)].isna().all(axis=1).sum())
    if silent:
        raise ValueError(
            f"each patient must have a value in some view to stand in a .h5mu file, but {silent} "
            f"of {len(X)} have none. Leave them out: their factors are 0."
        )


def _params(model: FactorModel, label: str | None) -> dict[str, Any]:
    """Return the options under muon's names; it keeps the likelihoods in the order of the views."""
    likelihoods = model.plain()[0]["likelihoods"]
    data = {
        "likelihoods": np.array([likelihoods[view] for view in _views(model)], dtype=object),
        "scale_groups": model.scale_groups,
        "center_groups": True,
    }
    if label is not None:
        data["groups_label"] = label
    return {
        "data": data,
        "model": {
            "ard_factors": model.ard_factors,
            "ard_weights": model.ard_weights,
            "spikeslab_weights": model.spike_slab,
            "spikeslab_factors": False,
            "n_factors": model.n_factors,
        },
        "training": {
            "n_iterations": model.max_iterations,
            "convergence_mode": model.convergence,
            "seed": model.seed,
        },
    }


def _variance(model: FactorModel) -> dict[str, Any]:
    """Return the variance explained in per cent: by view, and by group where there are groups."""
    if len(model.groups_) < 2:
        table = model.variance_explained_.query(f"factor != '{ALL}'")
        return {
            str(view): 100 * rows["r2"].to_numpy(dtype=np.float64)
            for view, rows in table.groupby("view", sort=False)
        }
    table = model.group_variance_explained_.query(f"factor != '{ALL}'")
    variance: dict[str, Any] = {view: {} for view in _views(model)}
    for (view, group), rows in table.groupby(["view", "group"], sort=False):
        variance[str(view)][str(group)] = 100 * rows["r2"].to_numpy(dtype=np.float64)
    return variance


def read_muon(path: str | Path) -> SavedFactors:
    """Read the factors of a .h5mu file that muon or `write_muon` wrote; needs no package.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    SavedFactors
        Its `groups` are missing where MOFA had several and the file does not say who was in which.

    Raises
    ------
    StudyError
        If the file is no MuData, holds no factors, or its parts do not fit together.
    """
    path = Path(path)
    try:
        with h5py.File(path) as file:
            absent = [
                part
                for part in ("mod", f"obsm/{FACTORS}", f"varm/{LOADINGS}", "varmap")
                if part not in file
            ]
            if absent:
                raise StudyError(
                    f"{path.name} must be a MuData file with MOFA factors, but {quoted(absent)} "
                    f"{'is' if len(absent) == 1 else 'are'} not in it. Run muon.tl.mofa, or "
                    "write_muon, and write the file again."
                )
            return _read(file, path.name)
    except (OSError, KeyError, RuntimeError) as error:
        raise StudyError(
            f"{path.name} cannot be read as MuData, an HDF5 file ({error}). Write it again."
        ) from error


def _read(file: h5py.File, source: str) -> SavedFactors:
    patients = [str(name) for name in frame_index(file["obs"])[1]]
    z, w = (_matrix(file[part], source) for part in (f"obsm/{FACTORS}", f"varm/{LOADINGS}"))
    names = [str(name) for name in frame_index(file["var"])[1]]
    check_length(z, patients, f"obsm/{FACTORS}", "patients", source)
    check_length(w, names, f"varm/{LOADINGS}", "features", source)
    if z.shape[1] != w.shape[1]:
        raise StudyError(
            f"{source}: {FACTORS} has {z.shape[1]} factors, but {LOADINGS} has {w.shape[1]}. They "
            "are of two models: run MOFA again."
        )
    views = [str(name) for name in file["mod"].attrs.get("mod-order", list(file["mod"]))]
    loadings = []
    for view in views:
        rows = np.flatnonzero(np.asarray(file[f"varmap/{view}"][:]).ravel() > 0)
        features = [names[row].removeprefix(f"{view}:") for row in rows]
        loadings.append(tidy_loadings(view, features, w[rows]))
    factors = pd.DataFrame(z, index=patients, columns=factor_names(z.shape[1]))
    variance = _read_variance(file, views, z.shape[1], source)
    return SavedFactors(
        factors=factors.rename_axis("patient"),
        groups=pd.Series(
            _read_groups(file, variance, source), index=factors.index, name="group", dtype=object
        ).rename_axis("patient"),
        loadings=stack_loadings(loadings),
        variance_explained=variance,
        likelihoods=_read_likelihoods(file, views, source),
        source=source,
    )


def _matrix(data: Any, source: str) -> NDArray[np.float64]:
    if not isinstance(data, h5py.Dataset) or data.ndim != 2:
        raise StudyError(
            f"{source}: {data.name} must be a plain matrix, but is none. Write it as an array."
        )
    return np.asarray(data[:], dtype=np.float64)


def _read_groups(
    file: h5py.File, variance: pd.DataFrame, source: str
) -> NDArray[np.object_] | str | None:
    """Return the group of each patient, the name of the only one, or None."""
    stored = file.get("uns/mofa/params/data/groups_label")
    label = None if stored is None or stored.shape is None else str(stored.asstr()[()])
    if label is not None and label in file["obs"]:
        groups = frame_column(file["obs"], label, title=source)
        known = pd.notna(groups)
        groups[known] = groups[known].astype(str)
        return groups
    return ONE_GROUP if label is None and variance["group"].nunique() <= 1 else None


def _read_likelihoods(file: h5py.File, views: list[str], source: str) -> dict[str, str]:
    stored = file.get("uns/mofa/params/data/likelihoods")
    if stored is None or stored.shape is None:
        return {}
    kinds = [str(kind) for kind in text_array(stored)]
    if len(kinds) != len(views):
        raise StudyError(
            f"{source}: uns/mofa must hold a likelihood for each of {len(views)} modalities, but "
            f"has {len(kinds)}. Modalities were added or taken out since: run MOFA again."
        )
    return dict(zip(views, kinds, strict=True))


def _read_variance(file: h5py.File, views: list[str], n_factors: int, source: str) -> pd.DataFrame:
    rows = []
    for view in views:
        stored = file.get(f"uns/mofa/variance/{view}")
        if stored is None:
            continue
        by_group = {ONE_GROUP: stored} if isinstance(stored, h5py.Dataset) else dict(stored.items())
        for group, data in by_group.items():
            share = np.asarray(data[:], dtype=np.float64) / 100
            if share.shape != (n_factors,):
                raise StudyError(
                    f"{source}: {data.name} must have one value for each of {n_factors} factors, "
                    f"but has shape {share.shape}. It is of another model: run MOFA again."
                )
            names = factor_names(n_factors)
            rows += [(view, name, group, r2) for name, r2 in zip(names, share, strict=True)]
    return pd.DataFrame(rows, columns=["view", "factor", "group", "r2"])
