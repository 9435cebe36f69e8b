r"""Several lesions in one patient: one mask split into them, and their rows made one row.

A lesion is a connected component of the mask. Of its features, one row per patient is made from the
first or the largest lesion, the mean, or the mean weighted by size,

.. math::

    \bar x = \sum_i w_i x_i \big/ \sum_i w_i

over the lesions in which the feature is known. What adds up over lesions (volume) has its own
total. The choice changes what a model learns from patients with many lesions: state it.

References
----------
Chang E, et al. Comparison of radiomic feature aggregation methods for patients with multiple
tumors. Scientific Reports 2021;11:9758. doi:10.1038/s41598-021-89114-6
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import generate_binary_structure, label

from omics.checks import check_amount, check_frame, check_names, check_one_of, check_whole
from omics.errors import CaseError, StudyError
from omics.image_checks import region_of
from omics.messages import nearest, number_of
from omics.patients import first_rows, largest_rows, mean_rows
from omics.radiomics import total_name

if TYPE_CHECKING:
    import SimpleITK as sitk

Way = Literal["first", "largest", "mean", "weighted"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Lesions:
    """The lesions of one mask, the largest first.

    Attributes
    ----------
    labels : SimpleITK.Image
        uint32, on the grid of the mask: 1 in the largest lesion, 2 in the next; 0 elsewhere.
    table : DataFrame, one row per lesion
        Columns `lesion` (1, 2, ...), `voxels` and `volume` (mm³).
    n_small : int
        Components below the smallest volume; they are left out.
    volume_small : float
        Their volume together, in mm³.
    """

    labels: "sitk.Image"
    table: pd.DataFrame
    n_small: int
    volume_small: float

    def __repr__(self) -> str:
        return (
            f"Lesions({number_of(len(self.table), 'lesion')}, {self.table['volume'].sum():g} mm³, "
            f"{self.n_small} too small)"
        )

    def mask(self, lesion: int) -> "sitk.Image":
        """Return the mask of one lesion, uint8 0/1, on the grid of the whole mask."""
        import SimpleITK as sitk

        check_whole(lesion, "lesion", least=1, most=len(self.table))
        return sitk.Equal(self.labels, lesion)


def lesions(
    mask: "sitk.Image",
    *,
    smallest: float = 0.0,
    touching: Literal["faces", "corners"] = "corners",
) -> Lesions:
    """Split a mask into its connected components.

    Parameters
    ----------
    mask : SimpleITK.Image
        Nonzero inside the lesions.
    smallest : float
        In mm³: smaller components are left out, and counted.
    touching : {"corners", "faces"}
        Whether voxels that touch at an edge or a corner are of one lesion, or only those with a
        face in common.

    Returns
    -------
    Lesions
        By falling volume; of equals, the one whose first voxel comes first in the file.

    Raises
    ------
    ValueError
        If `smallest` is negative or `touching` none of the two.
    CaseError
        If the mask is empty or every component is smaller than `smallest`.
    """
    import SimpleITK as sitk

    check_amount(smallest, "smallest", "mm³")
    check_one_of(touching, "touching", ("corners", "faces"))
    region = region_of(mask)
    reach = region.ndim if touching == "corners" else 1
    components, n_components = label(
        region, structure=generate_binary_structure(region.ndim, reach)
    )
    if n_components == 0:
        raise CaseError("mask must hold a lesion, but no voxel of it is set. Correct the mask.")
    voxels = np.bincount(components.ravel())[1:]
    volumes = voxels * float(np.prod(mask.GetSpacing()))
    large = volumes >= smallest
    if not large.any():
        raise CaseError(
            f"mask must hold a lesion of {smallest:g} mm³ or more, but the largest of its "
            f"{number_of(n_components, 'component')} has {volumes.max():g} mm³. Lower smallest, or "
            "leave the case out."
        )
    order = np.argsort(-voxels, kind="stable")[: int(large.sum())]
    numbers = np.zeros(n_components + 1, dtype=np.uint32)
    numbers[order + 1] = np.arange(1, len(order) + 1)
    image = sitk.GetImageFromArray(numbers[components])
    image.CopyInformation(mask)
    return Lesions(
        labels=image,
        table=pd.DataFrame(
            {
                "lesion": np.arange(1, len(order) + 1),
                "voxels": voxels[order],
                "volume": volumes[order],
            }
        ),
        n_small=int((~large).sum()),
        volume_small=float(volumes[~large].sum()),
    )


def reduce_lesions(
    table: pd.DataFrame,
    patients: "pd.Series[str]",
    *,
    by: Way,
    size: "pd.Series[float] | None" = None,
    total: Sequence[str] = (),
    count: str | None = None,
    title: str = "table",
) -> pd.DataFrame:
    """Make one row per patient of the rows of several lesions.

    Parameters
    ----------
    table : DataFrame of shape (n_lesions, n_features)
        Float columns are numbers, NaN where missing; others must agree within a patient where
        they cannot be picked.
    patients : Series of str, of shape (n_lesions,)
        Whose each lesion is.
    by : {"first", "largest", "mean", "weighted"}
        The row that comes first, the one of the largest `size` (of equals the first; a missing
        size counts as the smallest), the mean, or the mean weighted by `size`, each feature's
        missing values aside.
    size : Series of float, of shape (n_lesions,), optional
        For "largest" and "weighted", such as the volume; as a weight 0 or above.
    total : sequence of str
        Columns whose sum over all lesions is added as ``total|column``; missing where the value of
        any lesion is.
    count : str, optional
        The name of a column to add: the number of lesions.
    title : str
        How messages name the table.

    Returns
    -------
    DataFrame of shape (n_patients, n_features + added)
        Indexed by patient, in the order of each patient's first row.

    Raises
    ------
    ValueError
        If `size` is absent where it is needed or given where it is not.
    StudyError
        If a weight is missing or negative, or all of a patient's are 0; if rows to be averaged
        differ in what is no number, or what is to be added up is none.

    Examples
    --------
    >>> table = pd.DataFrame({"Mean": [10.0, 40.0, 7.0], "Volume": [3.0, 1.0, 5.0]})
    >>> patients = pd.Series(["P1", "P1", "P2"])
    >>> row = reduce_lesions(table, patients, by="weighted", size=table["Volume"],
    ...                      total=["Volume"], count="lesions")
    >>> row["Mean"].tolist()  # (3 x 10 + 1 x 40) / 4
    [17.5, 7.0]
    >>> row["total|Volume"].tolist(), row["lesions"].tolist()
    ([4.0, 5.0], [2.0, 1.0])
    """
    _check_rows(table, patients, size)
    check_one_of(by, "by", get_args(Way))
    if (size is None) == (by in ("largest", "weighted")):
        raise ValueError(
            f"size must be given for by = 'largest' and 'weighted' and for no other, but by is "
            f"{by!r} and size is {'absent' if size is None else 'given'}."
        )
    check_names(total, "total")
    for column in total:
        if column not in table:
            raise StudyError(
                f"{title}: total must name columns, but none is called {column!r}. "
                f"{nearest(column, map(str, table.columns))}"
            )
        if not pd.api.types.is_float_dtype(table[column]):
            raise StudyError(
                f"{title}: reduce adds up columns of numbers, but {column!r} is none. Take it out "
                "of total."
            )
    if by == "weighted" and size is not None:
        reduced = _weighted_rows(table, patients, size, title=title)
    elif by == "mean":
        reduced = mean_rows(table, patients, title=title)
    else:
        rows = first_rows(patients) if size is None else largest_rows(patients, size)
        reduced = table.iloc[rows].set_axis(pd.Index(patients.unique()), axis=0)
    added = _added(table, patients, total=total, count=count)
    taken = [name for name in added if name in reduced]
    if taken:
        raise StudyError(
            f"{title}: reduce must add new columns, but {taken[0]!r} is one already. Give it "
            "another name."
        )
    return pd.concat([reduced, added], axis=1) if added.shape[1] else reduced


def _check_rows(
    table: pd.DataFrame, patients: "pd.Series[str]", size: "pd.Series[float] | None"
) -> None:
    """Refuse what is no table with one patient, and one size, for each row."""
    check_frame(table, "table")
    for name, column in (("patients", patients), ("size", size)):
        if column is None:
            continue
        if not isinstance(column, pd.Series) or len(column) != len(table):
            raise ValueError(
                f"{name} must be a Series with one value for each of {len(table)} rows, but "
                f"{len(column) if isinstance(column, pd.Series) else 'no Series'} came."
            )
    unknown = int(patients.isna().sum())
    if unknown:
        raise ValueError(
            f"patients must be known of every row, but {unknown} of {len(table)} are missing. "
            "Leave those rows out."
        )
    if size is not None and not pd.api.types.is_numeric_dtype(size):
        raise ValueError(f"size must hold numbers, but {str(size.name)!r} holds {size.dtype}.")


def _weighted_rows(
    table: pd.DataFrame, patients: "pd.Series[str]", weight: "pd.Series[float]", *, title: str
) -> pd.DataFrame:
    weights = np.asarray(weight, dtype=np.float64)
    codes, names = pd.factorize(patients)
    several = np.bincount(codes)[codes] > 1
    _check_weights(weights, codes, several, weight, title=title)
    weights = np.where(several, weights, 1.0)  # one lesion alone is that lesion, whatever its size
    numbers = [column for column in table if pd.api.types.is_float_dtype(table[column])]
    values = table[numbers].to_numpy()
    known = ~np.isnan(values)
    sums = _sums(np.where(known, values, 0.0) * weights[:, None], codes, len(names))
    divisors = _sums(known * weights[:, None], codes, len(names))
    means = np.full_like(sums, np.nan)
    np.divide(sums, divisors, out=means, where=divisors > 0)
    rest = mean_rows(table.drop(columns=numbers), patients, title=title)
    mean = pd.DataFrame(means, index=rest.index, columns=numbers)
    return pd.concat([mean, rest], axis=1)[list(table.columns)]


def _check_weights(
    weights: NDArray[np.float64],
    codes: NDArray[np.intp],
    several: NDArray[np.bool_],
    weight: "pd.Series[float]",
    *,
    title: str,
) -> None:
    wrong = several & ~(weights >= 0)
    if wrong.any():
        first = int(wrong.argmax())
        raise StudyError(
            f"{title}: reduce weights rows by {weight.name!r}, which must be 0 or above and known, "
            f"but {int(wrong.sum())} of {len(weights)} are not (first: "
            f"{weight.index[first]}, {weights[first]:g}). Fill it in, or name another column."
        )
    nothing = np.bincount(codes, weights=np.where(several, weights, 1.0)) == 0
    if nothing.any():
        raise StudyError(
            f"{title}: reduce weights rows by {weight.name!r}, but all rows of "
            f"{number_of(int(nothing.sum()), 'patient')} have the weight 0. Name another column."
        )


def _sums(
    values: NDArray[np.float64], codes: NDArray[np.intp], n_patients: int
) -> NDArray[np.float64]:
    """Add up the rows of each patient."""
    sums = np.zeros((n_patients, values.shape[1]))
    np.add.at(sums, codes, values)
    return sums


def _added(
    table: pd.DataFrame, patients: "pd.Series[str]", *, total: Sequence[str], count: str | None
) -> pd.DataFrame:
    grouped = table.groupby(patients.to_numpy(), sort=False)
    columns = {
        total_name(column): grouped[column].sum().where(grouped[column].count() == grouped.size())
        for column in total
    }
    if count is not None:
        columns[count] = grouped.size().astype(np.float64)
    return pd.DataFrame(columns, index=pd.Index(patients.unique()))
