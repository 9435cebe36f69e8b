r"""Which radiomics features are tumour volume in other words.

Each feature is compared with the volume of its own region by Spearman's rank correlation ρ, in the
patients in whom both are known. The interval is Fisher's, with the variance of Bonett and Wright,

.. math::

    \tanh\Big(\operatorname{atanh} \hat\rho \pm z_{1 - \alpha / 2}
    \sqrt{\tfrac{1 + \hat\rho^2 / 2}{n - 3}}\Big),

which is good for 10 patients or more and |ρ| below .95. A feature with |ρ| at the threshold or
above is called a surrogate: what it predicts, volume alone may predict.

References
----------
Bonett DG, Wright TA. Sample size requirements for estimating Pearson, Kendall and Spearman
correlations. Psychometrika 2000;65:23-28. doi:10.1007/BF02294183
Welch ML, et al. Vulnerabilities of radiomic signature development: the need for safeguards.
Radiotherapy and Oncology 2019;130:2-9. doi:10.1016/j.radonc.2018.10.027
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from models.checks import check_level
from models.volume import VOLUME_CORRELATION
from omics.cohort import Cohort
from omics.errors import Finding
from omics.extraction import Extraction
from omics.extraction_repeats import patient_rows
from omics.radiomics import FeatureName, is_provenance, is_volume, parse_feature_name
from omics.radiomics_names import REGION_VOLUME

Floats = NDArray[np.float64]

MANY = 1 / 3  # share of features that are surrogates, from which on a reader is warned
FEWEST = 10  # patients: with fewer the interval is no longer good
OTHER = "other"  # the class of a feature whose name is not understood


@dataclass(frozen=True, eq=False, kw_only=True)
class VolumeSurrogates:
    """Each radiomics feature's correlation with the volume of its region.

    Attributes
    ----------
    table : DataFrame, one row per feature that is no volume itself
        Columns `feature`, `feature_class`, `volume` (the column it is compared with),
        `correlation`, `lower`, `upper`, `level`, `n_patients` (in whom both are known),
        `surrogate` (True where |correlation| is at least the threshold).
    by_class : DataFrame, one row per class of features, as they come in the table
        Columns `feature_class`, `n_features` (with a correlation), `n_surrogates`, and of
        |correlation| `lowest`, `lower_quartile`, `median`, `upper_quartile`, `highest`.
    volumes : tuple of str
        The columns compared with.
    threshold : float
        |correlation| from which on a feature counts as a surrogate.
    level : float
        Of the intervals.
    n_patients : int
        Rows of the table that came.
    """

    table: pd.DataFrame
    by_class: pd.DataFrame
    volumes: tuple[str, ...]
    threshold: float
    level: float
    n_patients: int

    @property
    def n_features(self) -> int:
        """Features that have a correlation."""
        return int(self.table["correlation"].notna().sum())

    @property
    def n_surrogates(self) -> int:
        """Features at the threshold or above."""
        return int(self.table["surrogate"].sum())

    def __repr__(self) -> str:
        return (
            f"VolumeSurrogates({self.n_surrogates} of {self.n_features} features with |rho| >= "
            f"{self.threshold:g}, {self.n_patients} patients)"
        )


def volume_surrogates(
    features: pd.DataFrame,
    *,
    volumes: Mapping[str, str] | None = None,
    threshold: float = VOLUME_CORRELATION,
    level: float = 0.95,
) -> VolumeSurrogates:
    """Correlate each feature with the volume of its region.

    Parameters
    ----------
    features : DataFrame of shape (n_patients, n_columns)
        Features by name, perhaps behind `view:`. Only columns of numbers are taken; volumes and
        what says how the features were made are no features. A missing value leaves out the
        patient for that feature alone. A feature that is constant, or known together with its
        volume in fewer than three patients, has no correlation (NaN); with fewer than four, or a
        correlation of 1 or -1, no interval. Infinite values count as missing. Ties share the mean
        of their ranks.
    volumes : mapping of str to str, optional
        Feature -> the column that is its volume; left out: as `own_volumes` finds it.
    threshold : float
        |correlation| from which on a feature counts as a surrogate, in (0, 1].
    level : float
        Of the intervals, in (0, 1).

    Returns
    -------
    VolumeSurrogates

    Raises
    ------
    ValueError
        If no column is a volume, a named volume is no column of numbers, or `threshold` or `level`
        is out of range.

    Examples
    --------
    >>> features = pd.DataFrame({
    ...     "original_shape_VoxelVolume": [1.0, 2.0, 4.0, 8.0, 9.0],
    ...     "original_firstorder_Energy": [2.0, 5.0, 9.0, 30.0, 20.0],
    ...     "original_glcm_Contrast": [3.0, 1.0, 4.0, 1.0, 5.0]})
    >>> found = volume_surrogates(features)
    >>> found
    VolumeSurrogates(1 of 2 features with |rho| >= 0.7, 5 patients)
    >>> found.table["correlation"].round(3).tolist()
    [0.9, 0.41]
    """
    level = check_level(level)
    if not 0 < threshold <= 1:
        raise ValueError(
            f"threshold must lie above 0 and not above 1, but {threshold} came. Give the absolute "
            f"correlation from which on a feature is called volume, such as {VOLUME_CORRELATION}."
        )
    numbers = features.select_dtypes("number").astype(np.float64)
    numbers = numbers.mask(np.isinf(numbers))
    parsed = {str(column): parse_feature_name(_own(str(column))) for column in numbers.columns}
    chosen = _own_volumes(numbers, parsed) if volumes is None else dict(volumes)
    _check_volumes(chosen, numbers)
    compared = [name for name, its in parsed.items() if name in chosen and _is_feature(its)]
    table = pd.DataFrame(
        {
            "feature": compared,
            "feature_class": [parsed[name].feature_class or OTHER for name in compared],
            "volume": [chosen[c] for c in compared],
        },
        dtype=object,
    )
    correlation, known = _correlations(numbers, table)
    lower, upper = spearman_interval(correlation, known, level=level)
    table = table.assign(
        correlation=correlation,
        lower=lower,
        upper=upper,
        level=level,
        n_patients=known,
        surrogate=np.abs(correlation) >= threshold,
    )
    return VolumeSurrogates(
        table=table,
        by_class=_by_class(table),
        volumes=tuple(dict.fromkeys(table["volume"])),
        threshold=float(threshold),
        level=level,
        n_patients=len(features),
    )


def own_volumes(features: pd.DataFrame) -> dict[str, str]:
    """Find the volume of each feature's region: what stands before the two names is the same.

    Parameters
    ----------
    features : DataFrame of shape (n_patients, n_columns)
        Columns of numbers, perhaps behind `view:`.

    Returns
    -------
    dict of feature to column
        The first volume that varies among those of the feature's own sequence and region; where
        there is none, of its view; else of the table. Empty where no volume varies.

    Examples
    --------
    >>> own_volumes(pd.DataFrame({"core|original_shape_MeshVolume": [1.0, 2.0],
    ...     "edema|original_shape_MeshVolume": [3.0, 2.0], "edema|original_ngtdm_Busyness": 1.0}))
    {'core|original_shape_MeshVolume': 'core|original_shape_MeshVolume',
     'edema|original_shape_MeshVolume': 'edema|original_shape_MeshVolume',
     'edema|original_ngtdm_Busyness': 'edema|original_shape_MeshVolume'}
    """
    names = [str(column) for column in features.columns]
    return _own_volumes(features, {name: parse_feature_name(_own(name)) for name in names})


def _own_volumes(features: pd.DataFrame, parsed: Mapping[str, FeatureName]) -> dict[str, str]:
    places = {name: (_view(name), its.prefix or "") for name, its in parsed.items()}
    first: dict[tuple[str, ...], str] = {}
    for name, its in parsed.items():
        if _is_volume(its) and features[name].nunique() > 1:
            view, prefix = places[name]
            for place in ((view, prefix), (view,), ()):
                first.setdefault(place, name)
    if not first:
        return {}
    return {
        name: first.get((view, prefix)) or first.get((view,)) or first[()]
        for name, (view, prefix) in places.items()
    }


def spearman_interval(
    correlation: Floats, n_patients: NDArray[np.int64], *, level: float
) -> tuple[Floats, Floats]:
    """Return the limits of each rank correlation; NaN at 1 and -1, and with fewer than 4 patients.

    Parameters
    ----------
    correlation : ndarray of shape (n_features,)
        In [-1, 1]; NaN passes.
    n_patients : ndarray of shape (n_features,)
    level : float

    Returns
    -------
    lower, upper : ndarray of shape (n_features,)
    """
    bounded = (np.abs(correlation) < 1) & (n_patients > 3)
    r = np.where(bounded, correlation, np.nan)
    error = np.sqrt((1 + r**2 / 2) / np.where(bounded, n_patients - 3, 1))
    reach = norm.ppf((1 + level) / 2) * error
    return np.tanh(np.arctanh(r) - reach), np.tanh(np.arctanh(r) + reach)


def cohort_surrogates(cohort: Cohort, *, level: float = 0.95) -> VolumeSurrogates | None:
    """Correlate the features of the radiomics tables with volume, in the development patients.

    Parameters
    ----------
    cohort : Cohort
    level : float

    Returns
    -------
    VolumeSurrogates or None
        None where no radiomics table has a volume that varies, or nothing but volumes.
    """
    X = cohort.development.X
    radiomics = {view for view, kind in cohort.kinds.items() if kind == "radiomics"}
    features = X[[column for column in X.columns if _view(str(column)) in radiomics]]
    numbers = features.select_dtypes("number")
    measured = [parse_feature_name(_own(str(column))) for column in numbers]
    if not own_volumes(numbers) or not any(map(_is_feature, measured)):
        return None
    return volume_surrogates(features, level=level)


def extraction_surrogates(
    extraction: Extraction, *, level: float = 0.95
) -> VolumeSurrogates | None:
    """Correlate extracted features with the volume of their region, one row per patient.

    Parameters
    ----------
    extraction : Extraction
        Where a patient has several rows of one sequence and region (readers, timepoints), the
        first is taken: the others would make the intervals too narrow.
    level : float

    Returns
    -------
    VolumeSurrogates or None
        Columns are named `sequence|region|feature`. The volume is the first volume feature or,
        without shape features, the voxels of the region times their volume. None without a row
        or without a feature but volumes.
    """
    names = extraction.columns["name"].tolist()
    measured = [name for name in names if not is_volume(name)]
    if not len(extraction.table) or not measured:
        return None
    volume = next((name for name in names if is_volume(name)), REGION_VOLUME)
    parts = patient_rows(extraction.table, [*measured, volume])
    volumes = {f"{prefix}{name}": f"{prefix}{volume}" for prefix in parts for name in measured}
    wide = pd.concat(parts.values(), axis=1)
    return volume_surrogates(wide, volumes=volumes, level=level)


def surrogate_findings(found: VolumeSurrogates | None) -> Iterator[Finding]:
    """Warn where a third of the features or more is volume in other words.

    Parameters
    ----------
    found : VolumeSurrogates or None
    """
    if found is None or found.n_surrogates < max(1, MANY * found.n_features):
        return
    yield Finding(
        code="volume_surrogates",
        severity="caution",
        where="radiomics",
        message=f"{found.n_surrogates} of {found.n_features} radiomics features go with the "
        f"volume of their region (|Spearman| >= {found.threshold:g}, a third of them or more): "
        "read what a model of them adds beside what volume alone predicts.",
    )


def _view(column: str) -> str:
    return column.partition(":")[0] if ":" in column else ""


def _own(column: str) -> str:
    return column.partition(":")[2] or column


def _is_volume(parsed: FeatureName) -> bool:
    return parsed.feature_class == "shape" and is_volume(parsed.name)


def _is_feature(parsed: FeatureName) -> bool:
    """Tell a feature from a volume, and from what says how the features were made."""
    if parsed.program is None:
        return not is_provenance(parsed.name)
    return not _is_volume(parsed)


def _check_volumes(chosen: Mapping[str, str], numbers: pd.DataFrame) -> None:
    if not chosen:
        raise ValueError(
            f"features must hold a volume that varies, but none of {numbers.shape[1]} columns of "
            "numbers is one. Add the shape features, or name the column by volumes."
        )
    wrong = sorted(set(chosen.values()) - set(numbers.columns))
    if wrong:
        raise ValueError(
            f"volumes must name columns of numbers, but {wrong[0]!r} is none of "
            f"{numbers.shape[1]}. Correct the name."
        )


def _correlations(numbers: pd.DataFrame, table: pd.DataFrame) -> tuple[Floats, NDArray[np.int64]]:
    """Correlate features and volumes; features that are known in the same patients go together."""
    correlation = np.full(len(table), np.nan)
    known = np.zeros(len(table), dtype=np.int64)
    for volume, positions in table.groupby("volume", sort=False).indices.items():
        rows = np.asarray(positions)
        of_volume = numbers[str(volume)].to_numpy()
        values = numbers[table["feature"].iloc[rows]].to_numpy()
        both = ~np.isnan(values) & ~np.isnan(of_volume)[:, np.newaxis]
        for patients, columns in _same_patients(both):
            at = rows[columns]
            known[at] = len(patients)
            correlation[at] = _spearman(values[np.ix_(patients, columns)], of_volume[patients])
    return correlation, known


def _same_patients(
    both: NDArray[np.bool_],
) -> Iterable[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield patients and the columns that are known in just these."""
    patterns, members = np.unique(np.packbits(both, axis=0), axis=1, return_inverse=True)
    for pattern in range(patterns.shape[1]):
        columns = np.flatnonzero(members == pattern)
        yield np.flatnonzero(both[:, columns[0]]), columns


def _spearman(values: Floats, volume: Floats) -> Floats:
    """Correlate each column with `volume`; NaN with fewer than three patients or a constant."""
    if len(volume) < 3:
        return np.full(values.shape[1], np.nan)
    ranks, of_volume = rankdata(values, axis=0), rankdata(volume)
    ranks -= ranks.mean(axis=0)
    of_volume -= of_volume.mean()
    spread = np.sqrt((ranks**2).sum(axis=0) * (of_volume**2).sum())
    r: Floats = of_volume @ ranks / np.where(spread > 0, spread, np.nan)
    return np.clip(r, -1, 1)


def _by_class(table: pd.DataFrame) -> pd.DataFrame:
    known = table.dropna(subset="correlation")
    groups: Sequence[str] = list(dict.fromkeys(known["feature_class"]))
    rows = []
    for name in groups:
        part = known[known["feature_class"] == name]
        spread = np.quantile(part["correlation"].abs(), [0, 0.25, 0.5, 0.75, 1])
        rows.append([name, len(part), int(part["surrogate"].sum()), *spread])
    quantiles = ["lowest", "lower_quartile", "median", "upper_quartile", "highest"]
    return pd.DataFrame(rows, columns=["feature_class", "n_features", "n_surrogates", *quantiles])
