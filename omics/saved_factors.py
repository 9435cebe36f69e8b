"""Factors that another program learnt: what MOFA2 (R), mofapy2 and muon leave in a file.

MOFA2 and mofapy2 write HDF5 with the expectations of factors and weights, and the variance
explained. What places a new patient is not in it: neither the noise precision tau nor E[w^2]
(mofapy2's `save_parameters` ends the process). Such factors can be described and drawn, but not
carried to other patients.

References
----------
Argelaguet R, Arnol D, Bredikhin D, et al. MOFA+: a statistical framework for comprehensive
integration of multi-modal single-cell data. Genome Biology 2020;21:111.
doi:10.1186/s13059-020-02015-1
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.errors import StudyError
from omics.messages import quoted
from omics.mudata import text_array

ALL = "all"
_PARTS = ("expectations/Z", "expectations/W", "features", "samples", "groups", "views")


@dataclass(frozen=True, eq=False, kw_only=True)
class SavedFactors:
    """Factors as a file holds them.

    Attributes
    ----------
    factors : DataFrame of shape (n_patients, n_factors)
        Columns `F1`, `F2`, ...; patients group by group, in the order of the file.
    groups : Series of shape (n_patients,)
        Group of each patient.
    loadings : DataFrame
        Columns `view`, `feature`, `factor`, `loading`, as `FactorModel.loadings_` has them.
    variance_explained : DataFrame
        Columns `view`, `factor` (`all`: all together, where the file says so), `group`, `r2` (at
        most 1); without rows where the file is silent.
    likelihoods : dict of view to str
        Empty where the file is silent.
    source : str
        Name of the file, without its folder.
    """

    factors: pd.DataFrame
    groups: pd.Series
    loadings: pd.DataFrame
    variance_explained: pd.DataFrame
    likelihoods: dict[str, str]
    source: str

    def __repr__(self) -> str:
        n_views = self.loadings["view"].nunique()
        return (
            f"SavedFactors({self.source!r}, {self.factors.shape[0]} patients in "
            f"{self.groups.nunique()} groups, {self.factors.shape[1]} factors of {n_views} views)"
        )

    def transform(self, X: object) -> NoReturn:
        """Refuse to place patients: no file of MOFA2 or muon holds what that takes.

        Raises
        ------
        StudyError
            Always.
        """
        raise StudyError(
            f"the factors of {self.source} cannot be computed for new patients: the file holds "
            "neither the noise of each feature (tau) nor the uncertainty of its weights (E[w^2]). "
            "Fit FactorModel on the tables the factors were learnt from; its own save keeps both."
        )


def read_mofa(path: str | Path) -> SavedFactors:
    """Read the HDF5 file of a trained model that MOFA2 or mofapy2 wrote.

    Parameters
    ----------
    path : str or Path
        Of `save` in mofapy2, or of `run_mofa(outfile=)` in MOFA2; with or without the data.

    Returns
    -------
    SavedFactors

    Raises
    ------
    StudyError
        If the file is no HDF5, lacks a part of a trained model, or its parts do not fit together.
    """
    path = Path(path)
    try:
        with h5py.File(path) as file:
            absent = [part for part in _PARTS if part not in file]
            if absent:
                raise StudyError(
                    f"{path.name} must hold a trained MOFA model, but {quoted(absent)} "
                    f"{'is' if len(absent) == 1 else 'are'} not in it (it holds: {quoted(file)}). "
                    "Save the model after training."
                )
            return _read(file, path.name)
    except (OSError, KeyError, RuntimeError) as error:
        raise StudyError(
            f"{path.name} cannot be read as a MOFA model, an HDF5 file ({error}). Save it again."
        ) from error


def _read(file: h5py.File, source: str) -> SavedFactors:
    groups, views = _texts(file["groups/groups"]), _texts(file["views/views"])
    values, labels = [], []
    for group in groups:
        patients = _texts(file[f"samples/{group}"])
        # (n_factors, n_patients) in the file
        z = np.asarray(file[f"expectations/Z/{group}"][:], dtype=np.float64).T
        check_length(z, patients, f"expectations/Z/{group}", "samples", source)
        values.append(pd.DataFrame(z, index=patients, columns=factor_names(z.shape[1])))
        labels.append(pd.Series(group, index=patients, dtype=object))
    factors = pd.concat(values).rename_axis("patient")
    repeated = factors.index[factors.index.duplicated()]
    if len(repeated):
        raise StudyError(
            f"{source} must name each patient once, but {len(repeated)} names stand twice. Give "
            "samples names of their own, across the groups too."
        )
    loadings = []
    for view in views:
        features = _texts(file[f"features/{view}"])
        w = np.asarray(file[f"expectations/W/{view}"][:], dtype=np.float64).T
        check_length(w, features, f"expectations/W/{view}", "features", source)
        loadings.append(tidy_loadings(view, features, w))
    return SavedFactors(
        factors=factors,
        groups=pd.concat(labels).rename("group").rename_axis("patient"),
        loadings=stack_loadings(loadings),
        variance_explained=_variance(file, groups, views, factors.shape[1], source),
        likelihoods=_likelihoods(file, views),
        source=source,
    )


def _texts(data: h5py.Dataset) -> list[str]:
    return [str(value) for value in text_array(data)]


def factor_names(n_factors: int) -> list[str]:
    """Return F1, F2, ..."""
    return [f"F{k + 1}" for k in range(n_factors)]


def check_length(
    values: NDArray[np.float64], names: Sequence[str], part: str, of: str, source: str
) -> None:
    """Raise unless a matrix has a row for each name."""
    if len(values) != len(names):
        raise StudyError(
            f"{source}: {part} must have one value for each of {len(names)} {of}, but has "
            f"{len(values)}. The file is damaged: save the model again."
        )


def tidy_loadings(view: str, features: Sequence[str], weight: NDArray[np.float64]) -> pd.DataFrame:
    """Return the loadings of one view, (n_features, n_factors), feature by feature."""
    wide = pd.DataFrame(weight, columns=factor_names(weight.shape[1]))
    wide.insert(0, "view", view)
    wide.insert(1, "feature", list(features))
    return wide


def stack_loadings(wide: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Make one tidy table of the views' loadings, factor by factor."""
    return pd.concat(wide, ignore_index=True).melt(
        id_vars=["view", "feature"], var_name="factor", value_name="loading"
    )


def _variance(
    file: h5py.File, groups: list[str], views: list[str], n_factors: int, source: str
) -> pd.DataFrame:
    """Variance explained, of per cent in the file."""
    rows = []
    per_factor = file.get("variance_explained/r2_per_factor")
    total = file.get("variance_explained/r2_total")
    for group in groups if per_factor is not None else ():
        share = np.asarray(per_factor[group][:], dtype=np.float64) / 100
        if share.shape != (len(views), n_factors):
            raise StudyError(
                f"{source}: {per_factor[group].name} must have a row for each of {len(views)} views"
                f" and a column for each of {n_factors} factors, but has shape {share.shape}. The "
                "file is damaged: save the model again."
            )
        whole = None if total is None else np.asarray(total[group][:], dtype=np.float64) / 100
        for m, view in enumerate(views):
            names = factor_names(share.shape[1])
            rows += [(view, name, group, r2) for name, r2 in zip(names, share[m], strict=True)]
            if whole is not None:
                rows.append((view, ALL, group, float(whole[m])))
    return pd.DataFrame(rows, columns=["view", "factor", "group", "r2"])


def _likelihoods(file: h5py.File, views: list[str]) -> dict[str, str]:
    kinds = file.get("model_options/likelihoods")
    if kinds is None:
        return {}
    names = [value.decode() if isinstance(value, bytes) else str(value) for value in kinds[:]]
    return dict(zip(views, names, strict=True))
