"""One modality of a MuData file (.h5mu) as a grid of cells: its measurements, or its `obs`.

MuData keeps each modality as AnnData does: `mod/<name>/X` dense or sparse, the patients' names in
`obs`, the features' in `var`. Columns of `obs` are arrays, categories or arrays with a mask.

References
----------
Bredikhin D, et al. MUON: multimodal omics analysis framework. Genome Biology 2022;23:42.
doi:10.1186/s13059-021-02577-8
Virshup I, et al. anndata: access and store annotated data matrices. Journal of Open Source Software
2024;9(101):4371. doi:10.21105/joss.04371
"""

from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix

from omics.errors import StudyError
from omics.messages import nearest, quoted
from omics.table_spec import TableSpec


def read_mudata(spec: TableSpec, *, title: str) -> pd.DataFrame:
    """Read a modality as a grid whose first row is the header and first column the ids.

    Parameters
    ----------
    spec : TableSpec
        With `modality`, unless the file has one alone; with `obs` for what is said of the patients,
        by default what the whole file says of them.
    title : str
        How messages name the table.

    Returns
    -------
    DataFrame of shape (n_patients + 1, n_features + 1)

    Raises
    ------
    StudyError
        If the file is no MuData, lacks the modality, or keeps it in a way not understood.
    """
    try:
        with h5py.File(spec.path) as file:
            if not isinstance(file.get("mod"), h5py.Group):
                raise StudyError(
                    f"{title}: the file is HDF5, but no MuData: it has no group 'mod'. "
                    f"It holds: {quoted(file)}. Write it with MuData.write."
                )
            return _read(file, spec, title=title)
    except (OSError, KeyError, RuntimeError) as error:
        raise StudyError(
            f"{title}: the file cannot be read as MuData, an HDF5 file ({error}). Write it again."
        ) from error


def _read(file: h5py.File, spec: TableSpec, *, title: str) -> pd.DataFrame:
    if spec.obs and spec.modality is None:
        return _grid(*_obs(file["obs"], title=title))
    part = _modality(file["mod"], spec.modality, title=title)
    if spec.obs:
        return _grid(*_obs(part["obs"], title=title))
    name, ids = frame_index(part["obs"])
    _, features = frame_index(part["var"])
    values = _matrix(part, title=title)
    if values.shape != (len(ids), len(features)):
        raise StudyError(
            f"{title}: X must have a row for each of {len(ids)} obs and a column for each of "
            f"{len(features)} var, but has shape {values.shape}. Write the file again."
        )
    return _grid(name, ids, [str(f) for f in features], values.astype(np.float64).astype(object))


def _modality(modalities: h5py.Group, name: str | None, *, title: str) -> h5py.Group:
    there = [str(key) for key in modalities]
    if name is None and len(there) == 1:
        return modalities[there[0]]
    if name is None:
        raise StudyError(
            f"{title}: the file has {len(there)} modalities ({quoted(there, limit=20)}). Name one: "
            f'modality = "{there[0] if there else ""}"; or state obs = true for what the file says '
            "of each patient."
        )
    if name not in there:
        raise StudyError(
            f"{title}: the file has no modality {name!r}. Its modalities are: "
            f"{quoted(there, limit=20)}. {nearest(name, there)}"
        )
    return modalities[name]


def _grid(name: str, ids: Any, columns: list[str], values: NDArray[np.object_]) -> pd.DataFrame:
    header = np.array([[name, *columns]], dtype=object)
    body = np.column_stack([np.asarray(ids, dtype=object), values])
    # the first patient is row 1: the header has no row of its own
    return pd.DataFrame(np.vstack([header, body]), index=range(-1, len(body)), dtype=object)


def frame_index(frame: h5py.Group) -> tuple[str, NDArray[np.object_]]:
    """Return the name of a frame's index, and its values."""
    name = str(frame.attrs.get("_index", "_index"))
    return name, text_array(frame[name])


def _obs(frame: h5py.Group, *, title: str) -> tuple[str, Any, list[str], NDArray[np.object_]]:
    name, ids = frame_index(frame)
    order = [str(column) for column in frame.attrs.get("column-order", ())]
    columns = [column for column in order if column in frame and column != name]
    values = [frame_column(frame, column, title=title) for column in columns]
    stacked = np.column_stack(values) if values else np.empty((len(ids), 0), dtype=object)
    return name, ids, columns, stacked


def text_array(data: h5py.Dataset) -> NDArray[np.object_]:
    """Return a dataset as objects, texts decoded."""
    return np.asarray(data.asstr()[:] if h5py.check_string_dtype(data.dtype) else data[:]).astype(
        object
    )


def frame_column(frame: h5py.Group, name: str, *, title: str) -> NDArray[np.object_]:
    """Return one column of a frame; None where it is missing."""
    item = frame[name]
    if isinstance(item, h5py.Dataset):
        values = text_array(item)
        older = item.attrs.get("categories")  # categories beside the columns: anndata before 0.8
        return values if older is None else _of_categories(item[:], text_array(frame[older]))
    if {"codes", "categories"} <= set(item):
        return _of_categories(item["codes"][:], text_array(item["categories"]))
    if {"values", "mask"} <= set(item):
        values = text_array(item["values"])
        values[item["mask"][:].astype(bool)] = None
        return values
    raise StudyError(
        f"{title}: column {name!r} of obs is kept as "
        f"{item.attrs.get('encoding-type', 'a group')!r}, which is not read here. Take it out "
        "of the file."
    )


def _of_categories(
    codes: NDArray[np.integer[Any]], categories: NDArray[np.object_]
) -> NDArray[np.object_]:
    values = np.full(len(codes), None, dtype=object)
    known = codes >= 0  # -1 is missing
    values[known] = categories[codes[known]]
    return values


def _matrix(part: h5py.Group, *, title: str) -> NDArray[Any]:
    """Read X, dense or sparse; what a sparse matrix does not hold is 0."""
    if "X" not in part or (isinstance(part["X"], h5py.Dataset) and part["X"].shape is None):
        layers = quoted(part["layers"]) if "layers" in part else "none"
        raise StudyError(
            f"{title}: the modality has no X (layers: {layers}). Write the values to X."
        )
    X = part["X"]
    if isinstance(X, h5py.Dataset):
        return np.asarray(X[:])
    kind = str(X.attrs.get("encoding-type", X.attrs.get("h5sparse_format", "")))
    makers = {"csr": csr_matrix, "csc": csc_matrix}
    if kind[:3] not in makers:
        raise StudyError(
            f"{title}: X is kept as {kind!r}, which is not read here. Write it dense, csr or csc."
        )
    shape = X.attrs["shape"] if "shape" in X.attrs else X.attrs["h5sparse_shape"]
    entries = (X["data"][:], X["indices"][:], X["indptr"][:])
    return np.asarray(makers[kind[:3]](entries, shape=tuple(shape)).toarray())
