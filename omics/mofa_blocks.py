r"""Sums over the observed values of a view, in which every update of MOFA is written.

mofapy2 forms a product of patients x features for each factor. Where the noise of a feature is
shared by the patients of a group, :math:`\tau_{nd} = \tau_{gd}`, and a set of features is observed
in the same patients, the same sums follow from small matrices: for :math:`Z` of those patients,

.. math::

    \sum_n \tau_{gd} z_{nk} \sum_{l \ne k} z_{nl} w_{dl} = \tau_{gd} \sum_{l \ne k}
    (Z^\top Z)_{kl} w_{dl}, \qquad
    \sum_n \tau_{gd} z_{nk} y_{nd} = \tau_{gd} (Z^\top Y)_{kd},

so that a sweep costs two products of patients x features x factors and nothing else of that size
(`SharedNoise`). Where gaps are irregular, or the noise depends on the patient (bernoulli), the
matrices :math:`\sum_n \tau_{nd} z_{nk} z_{nl}` of all features are one product of the noise with
the pairs :math:`z_{nk} z_{nl}` (`OwnNoise`).

Weights stand as (n_factors, n_features), factors as (n_patients, n_factors).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Index = NDArray[np.intp]

_SMALLEST_PATTERN = 32  # features; rarer patterns of gaps are taken together as irregular
_CACHED = 2**17  # weights of a block, so that they stay near the processor
_TEMPORARY = 2**19  # values of a block's temporaries


@dataclass(eq=False)
class SharedNoise:
    """Features that are observed in the same patients, with one noise per group.

    Attributes
    ----------
    columns : ndarray of int
        Where the features stand in the view.
    rows : ndarray of int or None
        The patients, group by group; None: all, in their order (only with one group).
    parts : list of slice
        The patients of each group within `rows`.
    data : ndarray of shape (n_rows, n_features)
    tau : ndarray of shape (n_groups, n_features)
        E[tau].
    """

    columns: Index
    rows: Index | None
    parts: list[slice]
    data: Matrix
    tau: Matrix
    product: Matrix = field(init=False)  # Z'Y by group, later less what others explain: (G, K, D)
    others_out: bool = field(init=False, default=False)  # whether that was taken off
    gram: Matrix = field(init=False)  # Z'Z by group: (G, K, K)
    hollow: Matrix = field(init=False)  # gram without its diagonal
    spread: Matrix = field(init=False)  # sum of E[z^2] by group: (G, K)
    square: Matrix = field(init=False)  # sum of y^2 by group: (G, D)

    def __post_init__(self) -> None:
        self.remember_squares()

    def remember_squares(self) -> None:
        """Sum y^2 by group, anew where the data are pseudo-data."""
        self.square = np.stack(
            [np.einsum("nd,nd->d", self.data[part], self.data[part]) for part in self.parts]
        )

    def of(self, table: Matrix) -> Matrix:
        """Return the rows of a table of all patients that belong to the block."""
        return table if self.rows is None else table[self.rows]

    def look_at_factors(self, mean: Matrix, second: Matrix) -> None:
        """Form the sums over patients, from E[z] and E[z^2]."""
        z, z2 = self.of(mean), self.of(second)
        self.product = np.stack([z[part].T @ self.data[part] for part in self.parts])
        self.others_out = False
        self.gram = np.stack([z[part].T @ z[part] for part in self.parts])
        self.hollow = self.gram * (1.0 - np.eye(z.shape[1]))
        self.spread = np.stack([z2[part].sum(axis=0) for part in self.parts])

    def pull(self, weight: Matrix) -> Matrix:
        """Return sum_n tau z_k (y - sum_{l != k} z_l w_l), (K, D), for the caller to change.

        Once per look at the factors.
        """
        self._take_others_off(weight)
        if len(self.parts) == 1:
            self.product *= self.tau
            return np.asarray(self.product[0])
        return np.asarray(np.einsum("gd,gkd->kd", self.tau, self.product), dtype=np.float64)

    def _take_others_off(self, weight: Matrix) -> None:
        if not self.others_out:
            self.product -= self.hollow @ weight
            self.others_out = True

    def precision(self) -> Matrix:
        """Return sum_n tau E[z^2], (K, D)."""
        return self.spread.T @ self.tau

    def moved(self, k: int, change: Matrix) -> Matrix:
        """Return sum_n tau z_k sum_{l < k} z_l change_l, (D,): what `pull` of k has lost since."""
        found = self.tau * (self.hollow[:, k, :k] @ change[:k])
        return np.asarray(found[0] if len(found) == 1 else found.sum(axis=0))

    def residuals(self, weight: Matrix, second: Matrix) -> Matrix:
        """Return the expected sum_n (y - z w)^2 by group, (G, D); once per look at the factors."""
        # sum z^2 w^2 cancels in (z w)^2 - z^2 w^2: hollow is Z'Z without its diagonal
        found = self.square + self.spread @ second
        for g in range(len(self.parts)):
            inner = self.hollow[g] @ weight
            self.product[g] -= inner
            found[g] -= np.einsum("kd,kd->d", weight, inner)
            found[g] -= 2 * np.einsum("kd,kd->d", weight, self.product[g])
        self.others_out = True
        return found

    def counts(self) -> Matrix:
        """Return the number of observed values by group and feature, (G, D)."""
        n = np.array([[part.stop - part.start] for part in self.parts], dtype=np.float64)
        return np.repeat(n, self.data.shape[1], axis=1)


@dataclass(eq=False)
class OwnNoise:
    """Features whose gaps are irregular, or whose noise depends on the patient.

    Attributes
    ----------
    columns : ndarray of int
    groups : ndarray of int of shape (n_patients,)
    data, observed : ndarray of shape (n_patients, n_features)
        Data; whether they were observed. Unobserved data play no part.
    tau : ndarray of shape (n_groups, n_features) or (n_patients, n_features)
    by_group : bool
        Which of the two shapes.
    """

    columns: Index
    groups: Index
    data: Matrix
    observed: NDArray[np.bool_]
    tau: Matrix
    by_group: bool
    mean: Matrix = field(init=False)
    second: Matrix = field(init=False)
    gram: Matrix = field(init=False)  # of pairs of factors: (K (K + 1) / 2, D)
    place: Index = field(init=False)  # where a pair of factors stands in it

    def noise(self) -> Matrix:
        """Return tau of each value, 0 where nothing was observed."""
        tau = self.tau[self.groups] if self.by_group else self.tau
        return np.where(self.observed, tau, 0.0)

    def look_at_factors(self, mean: Matrix, second: Matrix) -> None:
        """Keep E[z] and E[z^2]."""
        self.mean, self.second = mean, second

    def pull(self, weight: Matrix) -> Matrix:
        """Return sum_n tau z_k (y - sum_{l != k} z_l w_l), (K, D), for the caller to change."""
        noise = self.noise()
        (first, last), self.place = factor_pairs(self.mean.shape[1])
        self.gram = (self.mean[:, first] * self.mean[:, last]).T @ noise
        found = self.mean.T @ (noise * (self.data - self.mean @ weight))
        found += self.gram[np.diagonal(self.place)] * weight
        return np.asarray(found)

    def precision(self) -> Matrix:
        """Return sum_n tau E[z^2], (K, D)."""
        return self.second.T @ self.noise()

    def moved(self, k: int, change: Matrix) -> Matrix:
        """Return sum_n tau z_k sum_{l < k} z_l change_l, (D,): what `pull` of k has lost since."""
        found = np.einsum("kd,kd->d", self.gram[self.place[k, :k]], change[:k])
        return np.asarray(found, dtype=np.float64)

    def residuals(self, weight: Matrix, second: Matrix) -> Matrix:
        """Return the expected sum_n (y - z w)^2 by group, (G, D)."""
        each = expected_square(self.mean, self.second, weight, second)
        each += self.data * (self.data - 2 * (self.mean @ weight))
        return self._by_group(np.where(self.observed, each, 0.0))

    def counts(self) -> Matrix:
        """Return the number of observed values by group and feature, (G, D)."""
        return self._by_group(self.observed.astype(np.float64))

    def _by_group(self, values: Matrix) -> Matrix:
        return np.stack(
            [values[self.groups == g].sum(axis=0) for g in range(int(self.groups.max()) + 1)]
        )


Block = SharedNoise | OwnNoise


@lru_cache(maxsize=8)
def factor_pairs(n_factors: int) -> tuple[tuple[Index, Index], Index]:
    """Return the pairs (k, l <= k), and the place of each (k, l) among them, (K, K)."""
    pairs = np.tril_indices(n_factors)
    place = np.empty((n_factors, n_factors), dtype=np.intp)
    place[pairs] = place[pairs[1], pairs[0]] = np.arange(len(pairs[0]))
    return pairs, place


def expected_square(mean: Matrix, second: Matrix, weight: Matrix, weight_second: Matrix) -> Matrix:
    """Return E[(z w)^2] of each value under independent factors and weights.

    ``(E[z] E[w])^2 - E[z]^2 E[w]^2 + E[z^2] E[w^2]``, summed over factors within each term.

    Parameters
    ----------
    mean, second : ndarray of shape (n_patients, n_factors)
        E[z] and E[z^2].
    weight, weight_second : ndarray of shape (n_factors, n_features)
        E[w] and E[w^2].

    Returns
    -------
    ndarray of shape (n_patients, n_features)

    Examples
    --------
    z = 1 or 3 with equal chances, w = 2: E[(z w)^2] = (4 + 36) / 2.

    >>> expected_square(*map(np.atleast_2d, ([2.0], [5.0], [2.0], [4.0]))).item()
    20.0
    """
    expected: Matrix = np.square(mean @ weight)
    expected -= np.square(mean) @ np.square(weight)
    expected += second @ weight_second
    return expected


def gaussian_blocks(values: Matrix, groups: Index, n_factors: int, tau: Matrix) -> list[Block]:
    """Cut a view whose noise is by group and feature into blocks.

    Parameters
    ----------
    values : ndarray of shape (n_patients, n_features)
        NaN is missing. Not modified; a view without gaps is not copied where there is one group.
    groups : ndarray of int of shape (n_patients,)
    n_factors : int
    tau : ndarray of shape (n_groups, n_features)

    Returns
    -------
    list of block
        Every feature stands in one.
    """
    missing = np.isnan(values)
    blocks: list[Block] = []
    irregular: list[Index] = []
    for columns in _patterns(missing):
        if len(columns) < _SMALLEST_PATTERN and len(columns) < values.shape[1]:
            irregular.append(columns)
            continue
        rows = np.flatnonzero(~missing[:, columns[0]])
        rows = rows[np.argsort(groups[rows], kind="stable")]
        blocks += _shared(values, rows, columns, groups, n_factors, tau)
    if irregular:
        columns = np.sort(np.concatenate(irregular))
        blocks += own_noise_blocks(values, groups, n_factors, tau, columns=columns, by_group=True)
    return blocks


def _patterns(missing: NDArray[np.bool_]) -> Iterator[Index]:
    """Yield the features of each pattern of gaps."""
    if not missing.any():
        yield np.arange(missing.shape[1])
        return
    found: dict[bytes, list[int]] = {}
    for column, pattern in enumerate(np.packbits(missing, axis=0).T):
        found.setdefault(pattern.tobytes(), []).append(column)
    for columns in found.values():
        yield np.array(columns, dtype=np.intp)


def _shared(
    values: Matrix, rows: Index, columns: Index, groups: Index, n_factors: int, tau: Matrix
) -> Iterator[SharedNoise]:
    ends = np.searchsorted(groups[rows], np.arange(len(tau) + 1))
    parts = [slice(int(a), int(b)) for a, b in pairwise(ends)]
    whole = len(rows) == len(values) and len(tau) == 1
    data = values if whole else values[rows]
    for chosen in _cut(columns, max(_CACHED // n_factors, 256)):
        slab = slice(int(chosen[0]), int(chosen[-1]) + 1)
        contiguous = slab.stop - slab.start == len(chosen)
        yield SharedNoise(
            columns=chosen,
            rows=None if whole else rows,
            parts=parts,
            data=data[:, slab] if contiguous else data[:, chosen],
            tau=tau[:, chosen],
        )


def own_noise_blocks(
    values: Matrix,
    groups: Index,
    n_factors: int,
    tau: Matrix,
    *,
    columns: Index,
    by_group: bool,
) -> Iterator[OwnNoise]:
    """Yield the features `columns` of a view as blocks with the noise of each value."""
    n_pairs = n_factors * (n_factors + 1) // 2
    size = max(min(_CACHED // n_factors, _TEMPORARY // (len(values) + n_pairs)), 16)
    for chosen in _cut(columns, size):
        data = values[:, chosen]
        observed = ~np.isnan(data)
        yield OwnNoise(
            columns=chosen,
            groups=groups,
            data=np.where(observed, data, 0.0),
            observed=observed,
            tau=tau[:, chosen],
            by_group=by_group,
        )


def _cut(columns: Index, size: int) -> Iterator[Index]:
    for start in range(0, len(columns), size):
        yield columns[start : start + size]
