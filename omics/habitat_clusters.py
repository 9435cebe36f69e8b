"""How many habitats there are: k-means of pooled voxels, and what speaks for each number of them.

References
----------
Caliński T, Harabasz J. A dendrite method for cluster analysis. Communications in Statistics
1974;3:1-27. doi:10.1080/03610927408827101
Hubert L, Arabie P. Comparing partitions. Journal of Classification 1985;2:193-218.
doi:10.1007/BF01908075
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from omics.checks import check_whole
from omics.habitat_voxels import Scans, pooled_scans
from omics.messages import number_of, quoted

Matrix = NDArray[np.float64]

IQR_OF_NORMAL = 1.3489795003921634  # the interquartile range of a standard normal distribution
MOST_HABITATS = 255  # label maps are uint8


def habitat_numbers(
    scans: Scans,
    *,
    numbers: Sequence[int],
    seed: int,
    voxels_per_patient: int = 2000,
    n_starts: int = 10,
) -> pd.DataFrame:
    """Show what speaks for each number of habitats; choosing is left to the reader.

    Parameters
    ----------
    scans : mapping of patient to Scan, or iterable of (patient, Scan)
        Development patients.
    numbers : sequence of int
        From 2 up.
    seed : int
    voxels_per_patient, n_starts : int
        As in `Habitats`.

    Returns
    -------
    DataFrame, one row per number
        `n_habitats`; `calinski_harabasz`: spread between over spread within, each by its degrees of
        freedom, higher is better; `within`: share of the sum of squares that is left, in [0, 1],
        which falls with every habitat; `agreement`: adjusted Rand index between the habitats learnt
        from either half of the patients, on all voxels, 1 is the same; NaN of one patient.

    Raises
    ------
    ValueError, CaseError
        As `Habitats.fit`.
    """
    if isinstance(numbers, str) or not isinstance(numbers, Iterable) or not len(numbers):
        raise ValueError(f"numbers must be a list such as [2, 3, 4], but is {numbers!r}.")
    for number in numbers:
        check_whole(number, "each of numbers", least=2, most=MOST_HABITATS)
    check_sampling(voxels_per_patient=voxels_per_patient, n_starts=n_starts, seed=seed)
    sequences, voxels, patient = pooled_scans(scans, per_patient=voxels_per_patient, seed=seed)
    centre, scale = robust_scale(voxels, sequences)
    scaled = (voxels - centre) / scale
    total = float(((scaled - scaled.mean(axis=0)) ** 2).sum())
    half = np.random.default_rng(seed).permutation(int(patient.max()) + 1)[patient] % 2
    rows = []
    for number in numbers:
        _, _, within = cluster(scaled, number, n_starts=n_starts, seed=seed)
        freedom = (len(scaled) - number) / (number - 1)
        agreement = np.nan
        if half.any():
            two = [
                cluster(scaled[half == side], number, n_starts=n_starts, seed=seed)[0]
                for side in (0, 1)
            ]
            agreement = float(
                adjusted_rand_score(*(nearest_centre(scaled, centres) for centres in two))
            )
        ratio = (total - within) / within * freedom if within > 0 else np.inf
        rows.append((number, ratio, within / total, agreement))
    return pd.DataFrame(rows, columns=["n_habitats", "calinski_harabasz", "within", "agreement"])


def robust_scale(voxels: Matrix, sequences: Sequence[str]) -> tuple[Matrix, Matrix]:
    """Return what is taken off each sequence, and what it is divided by."""
    lower, centre, upper = np.quantile(voxels, [0.25, 0.5, 0.75], axis=0)
    scale = (upper - lower) / IQR_OF_NORMAL
    flat = [name for name, width in zip(sequences, scale, strict=True) if not width > 0]
    if flat:
        raise ValueError(
            f"every sequence must vary within the regions, but half of the voxels or more have one "
            f"value in {quoted(flat)}. Take it out."
        )
    return centre, scale


def cluster(
    scaled: Matrix, n_habitats: int, *, n_starts: int, seed: int
) -> tuple[Matrix, NDArray[np.intp], float]:
    """Return centres by rising first sequence, the voxels' habitats from 0, and what is left."""
    n_different = len(np.unique(scaled, axis=0))
    if n_different < n_habitats:
        raise ValueError(
            f"there must be as many different voxels as habitats, but there are "
            f"{number_of(n_different, 'different voxel')} for {n_habitats}. Ask for fewer habitats."
        )
    rows = scaled[np.lexsort(scaled.T[::-1])]  # k-means starts must not see the patients' order
    with threadpool_limits(1):  # threads add up in an order of their own: the last digits differ
        means = KMeans(
            n_clusters=n_habitats, n_init=n_starts, random_state=seed, tol=0.0, max_iter=1000
        ).fit(rows)
    found = np.asarray(means.cluster_centers_, dtype=np.float64)
    centres = found[np.lexsort(found.T[::-1])]
    labels = nearest_centre(scaled, centres)
    within = float(((scaled - centres[labels]) ** 2).sum())
    return centres, labels.astype(np.intp), within


def nearest_centre(scaled: Matrix, centres: Matrix) -> NDArray[np.uint8]:
    """Return the nearest centre; one centre at a time, so that no voxel's sum sees another's."""
    distances = np.stack([((scaled - centre) ** 2).sum(axis=1) for centre in centres])
    found: NDArray[np.uint8] = distances.argmin(axis=0).astype(np.uint8)
    return found


def check_sampling(*, voxels_per_patient: object, n_starts: object, seed: object) -> None:
    """Refuse what is no number of voxels or starts, or no seed."""
    check_whole(voxels_per_patient, "voxels_per_patient", least=1)
    check_whole(n_starts, "n_starts", least=1)
    check_whole(seed, "seed")
