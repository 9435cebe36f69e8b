r"""Which factors would be found again in other patients, and from another start.

The factor model is refitted to bootstrap samples of the patients, and to the same patients from
disturbed starts. Each refit places the original patients on its own factors, and these are matched
with the reference's one to one, so that the sum of :math:`|r|` over the pairs is largest; `r` is
Pearson's correlation of the scores over the original patients. A factor is stable where at least
a declared share of the refits of either kind bring it back with :math:`|r|` at or above a limit.

A bootstrap sample holds copies of patients. To MOFA they are patients like any others: its factors
have a prior of their own for each row, and no row is held out here for a copy to give away.

Changing the seed is no disturbance: MOFA starts from principal components, which for up to 500
patients and 500 features are computed without a random draw.

References
----------
Kuhn HW. The Hungarian method for the assignment problem. Naval Research Logistics Quarterly
1955;2:83-97. doi:10.1002/nav.3800020109
Argelaguet R, Velten B, Arnol D, et al. Multi-Omics Factor Analysis. Molecular Systems Biology
2018;14:e8124 (appendix: robustness of factors). doi:10.15252/msb.20178124
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone

from omics.errors import FitError, NomomicsWarning
from omics.mofa import FactorModel
from omics.parallel import Arrays, Progress, Store, in_parallel_kept

Matrix = NDArray[np.float64]


LIMIT = 0.8  # of |r| between a factor and its partner in a refit
LEAST_SHARE = 0.8  # of the refits that must bring a stable factor back
LEAST_VARIANCE = 0.01  # of some view: a factor that explains less is inactive

REFITS = ["kind", "refit", "factor", "partner", "r", "loading_r"]
TABLE = [
    *("factor", "kind", "median", "lower_quartile", "upper_quartile", "share"),
    *("median_loading", "refits", "r2", "verdict"),
]


@dataclass(frozen=True, eq=False, kw_only=True)
class FactorStability:
    """How well each factor comes back.

    Attributes
    ----------
    table : DataFrame, one row per factor and kind of refit
        `factor`; `kind`: ``bootstrap`` (of patients) or ``start`` (disturbed); `median`,
        `lower_quartile` and `upper_quartile` of |r| over the refits, in [0, 1]; `share` of them
        with |r| at or above `limit`; `median_loading`, of the correlation of the loadings, turned
        as the scores are; `refits`; `r2`, the most that the factor explains of a view; `verdict`:
        ``stable`` where `share` is at least `least_share` in every kind of refit, ``unstable``
        where not, ``inactive`` where `r2` is below .01 or the factor is switched off.
    refits : DataFrame, one row per refit and factor
        `kind`, `refit` (from 1), `factor`, `partner` (the factor of the refit; empty where it has
        too few), `r` (signed; 0 without a partner), `loading_r` (NaN where loadings do not vary).
    failures : DataFrame, one row per kind of refit
        `kind`, `refits` asked for, `failed` (left out everywhere), `not_converged` (kept), and the
        first `reason` of a failure.
    limit, least_share : float
    n_patients, seed : int
    """

    table: pd.DataFrame
    refits: pd.DataFrame
    failures: pd.DataFrame
    limit: float
    least_share: float
    n_patients: int
    seed: int

    @property
    def verdicts(self) -> dict[str, str]:
        """Verdict by factor, such as ``{"F1": "stable"}``."""
        return dict(zip(self.table["factor"], self.table["verdict"], strict=True))

    def __repr__(self) -> str:
        verdicts = list(self.verdicts.values())
        counts = ", ".join(
            f"{verdicts.count(word)} {word}" for word in ("stable", "unstable", "inactive")
        )
        return f"FactorStability({counts}; |r| >= {self.limit:g}, {self.n_patients} patients)"


class _Refit(NamedTuple):
    """What one refit brought: partner, r and r of the loadings of each factor; or why it failed."""

    partner: list[str]
    r: Matrix
    loading_r: Matrix
    converged: bool
    reason: str = ""

    def arrays(self) -> Arrays:
        """Return all of it as arrays, to be kept."""
        return {name: np.asarray(value) for name, value in self._asdict().items()}

    @classmethod
    def of(cls, kept: Arrays) -> "_Refit":
        """Read what `arrays` wrote."""
        return cls(
            [str(name) for name in kept["partner"]],
            kept["r"],
            kept["loading_r"],
            bool(kept["converged"]),
            str(kept["reason"]),
        )


def factor_stability(
    model: FactorModel,
    X: pd.DataFrame,
    *,
    bootstraps: int = 50,
    starts: int = 10,
    seed: int,
    limit: float = LIMIT,
    least_share: float = LEAST_SHARE,
    n_jobs: int = 1,
    store: Store | None = None,
    progress: Progress | None = None,
) -> FactorStability:
    """Refit a factor model to resampled patients and from disturbed starts; compare the factors.

    Parameters
    ----------
    model : FactorModel, fitted
        The reference; left as it is.
    X : DataFrame of shape (n_patients, n_columns)
        The table it was fitted to.
    bootstraps : int
        Samples of the patients, drawn with replacement; 0 leaves them out.
    starts : int
        Starts disturbed by normal noise of the start's own standard deviation; 0 leaves them out.
    seed : int
        The numbers depend on it, not on `n_jobs`; the first refits of either kind are the same
        however many are asked for.
    limit, least_share : float in (0, 1]
        A stable factor comes back with |r| >= `limit` in at least `least_share` of the refits.
    n_jobs : int
        Processes; -1 takes every core.
    store : Store, optional
        Keeps finished fits, for a run that is interrupted and called again.
    progress : callable(what, done, total), optional

    Returns
    -------
    FactorStability

    Raises
    ------
    ValueError
        If an argument is out of range.
    FitError
        If no refit of a kind can be fitted.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> factor = rng.normal(size=60)
    >>> view = np.outer(factor, [1, 2, -1, 3, 1]) + rng.normal(size=(60, 5)) / 4
    >>> X = pd.DataFrame(view, columns=[f"rna:{gene}" for gene in "ABCDE"])
    >>> found = factor_stability(FactorModel(n_factors=1).fit(X), X, bootstraps=4, starts=2, seed=1)
    >>> found
    FactorStability(1 stable, 0 unstable, 0 inactive; |r| >= 0.8, 60 patients)
    """
    _check(bootstraps, starts, limit, least_share)
    kinds: list[str] = [*repeat("bootstrap", bootstraps), *repeat("start", starts)]
    tasks: dict[str, Callable[[], Arrays]] = {
        **{
            f"bootstrap {i}": partial(_bootstrap, model, X, rng)
            for i, rng in enumerate(_generators(seed, 0, bootstraps))
        },
        **{
            f"start {i}": partial(_disturbed, model, X, rng)
            for i, rng in enumerate(_generators(seed, 1, starts))
        },
    }
    done = in_parallel_kept(
        tasks, what="stability of factors", n_jobs=n_jobs, store=store, progress=progress
    )
    found = [_Refit.of(arrays) for arrays in done]
    factors = [str(name).partition(":")[2] for name in model.get_feature_names_out()]
    failures = _failures(kinds, found)
    refits = pd.DataFrame(_rows(kinds, found, factors), columns=REFITS)
    return FactorStability(
        table=_table(refits, factors, _most_explained(model, X), limit, least_share),
        refits=refits,
        failures=failures,
        limit=limit,
        least_share=least_share,
        n_patients=len(X),
        seed=seed,
    )


def matched(r: Matrix) -> NDArray[np.intp]:
    """Pair each row with a column so that the sum of |r| is largest; -1 where columns run out.

    Parameters
    ----------
    r : ndarray of shape (n_factors, n_other_factors)
        Correlations.

    Returns
    -------
    ndarray of int, shape (n_factors,)

    Examples
    --------
    The greedy choice, .9 for the first row, would leave .1 for the second.

    >>> matched(np.array([[0.9, -0.8], [0.85, 0.1]])).tolist()
    [1, 0]
    >>> matched(np.array([[0.2], [0.7]])).tolist()
    [-1, 0]
    """
    partner = np.full(r.shape[0], -1, dtype=np.intp)
    rows, columns = linear_sum_assignment(np.abs(r), maximize=True)
    partner[rows] = columns
    return partner


def correlations(a: Matrix, b: Matrix) -> Matrix:
    """Correlate every column of `a` with every column of `b`; 0 where one does not vary.

    Examples
    --------
    >>> scores = np.array([[0.0], [1.0], [2.0]])
    >>> correlations(scores, np.array([[1.0, 5.0], [0.0, 5.0], [-1.0, 5.0]])).round(3).tolist()
    [[-1.0, 0.0]]
    """
    unit = []
    for table in (a, b):
        centred = table - table.mean(axis=0)
        size = np.linalg.norm(centred, axis=0)
        varies = size > 1e-10 * np.maximum(np.abs(table).max(axis=0), 1.0)
        unit.append(np.where(varies, centred / np.where(varies, size, 1.0), 0.0))
    return np.asarray(np.clip(unit[0].T @ unit[1], -1.0, 1.0) + 0.0, dtype=np.float64)


def _check(bootstraps: int, starts: int, limit: float, least_share: float) -> None:
    for name, n in (("bootstraps", bootstraps), ("starts", starts)):
        if n < 0:
            raise ValueError(f"{name} must be at least 0, but is {n}.")
    if bootstraps + starts == 0:
        raise ValueError(
            "bootstraps or starts must be at least 1, but both are 0: there is nothing to refit."
        )
    for name, share in (("limit", limit), ("least_share", least_share)):
        if not 0 < share <= 1:
            raise ValueError(f"{name} must be above 0 and at most 1, but is {share:g}.")


def _generators(seed: int, kind: int, n: int) -> list[np.random.Generator]:
    """Give each refit a random generator of its own."""
    return [np.random.default_rng(one) for one in np.random.SeedSequence([seed, kind]).spawn(n)]


def _bootstrap(model: FactorModel, X: pd.DataFrame, rng: np.random.Generator) -> Arrays:
    rows = rng.integers(len(X), size=len(X))
    return _compared(model, X, lambda: _like(model).fit(X.iloc[rows])).arrays()


def _disturbed(model: FactorModel, X: pd.DataFrame, rng: np.random.Generator) -> Arrays:
    noise = rng.normal(size=(len(X), model.n_factors))
    return _compared(model, X, lambda: _like(model).fit_disturbed(X, disturbance=noise)).arrays()


def _like(model: FactorModel) -> FactorModel:
    """Give an unfitted model that places everybody, however little they say."""
    other: FactorModel = clone(model)
    other.set_params(low_information="flag")
    return other


def _compared(model: FactorModel, X: pd.DataFrame, fit: Callable[[], FactorModel]) -> _Refit:
    """Refit, and match its factors with those of the reference."""
    nothing = np.empty(0)
    with warnings.catch_warnings():  # convergence is counted; the rest the reference said already
        warnings.simplefilter("ignore", NomomicsWarning)
        try:
            refit = fit()
        except FitError as error:
            return _Refit([], nothing, nothing, converged=False, reason=str(error))
        ours = model.transform(X)
        said = ours.notna().all(axis=1).to_numpy()  # `low_information` may leave patients out
        r = correlations(ours[said].to_numpy(), refit.transform(X)[said].to_numpy())
    partner = matched(r)
    loading_r = _loading_correlations(model, refit)
    rows, has = np.arange(len(partner)), partner >= 0
    score = np.where(has, r[rows, partner], 0.0)
    turned = np.where(score < 0, -1.0, 1.0) * np.where(has, loading_r[rows, partner], np.nan)
    names = [f"F{k + 1}" if k >= 0 else "" for k in partner]
    return _Refit(names, score, turned, converged=refit.converged_)


def _loading_correlations(model: FactorModel, refit: FactorModel) -> Matrix:
    """Correlate loadings over the features that both models use."""
    wide = [
        pd.DataFrame(one.projection_.weight, index=list(one.features_)) for one in (model, refit)
    ]
    shared = [name for name in model.features_ if name in set(refit.features_)]
    return correlations(*(table.loc[shared].to_numpy() for table in wide))


def _failures(kinds: list[str], found: list[_Refit]) -> pd.DataFrame:
    """Count refits that failed; raise where a kind has none left."""
    rows = []
    for kind in dict.fromkeys(kinds):
        these = [refit for k, refit in zip(kinds, found, strict=True) if k == kind]
        reasons = [refit.reason for refit in these if refit.reason]
        if len(reasons) == len(these):
            raise FitError(
                f"the stability of factors cannot be told: all {len(these)} refits ({kind}) "
                f"failed. The first reason: {reasons[0]}"
            )
        slow = sum(not refit.converged and not refit.reason for refit in these)
        rows.append((kind, len(these), len(reasons), slow, reasons[0] if reasons else ""))
    return pd.DataFrame(rows, columns=["kind", "refits", "failed", "not_converged", "reason"])


def _rows(
    kinds: list[str], found: list[_Refit], factors: list[str]
) -> Iterator[tuple[str, int, str, str, float, float]]:
    number = dict.fromkeys(kinds, 0)
    for kind, refit in zip(kinds, found, strict=True):
        number[kind] += 1
        if refit.reason:
            continue
        columns = (factors, refit.partner, refit.r, refit.loading_r)
        for factor, partner, r, loading_r in zip(*columns, strict=True):
            yield kind, number[kind], factor, partner, float(r), float(loading_r)


def _most_explained(model: FactorModel, X: pd.DataFrame) -> dict[str, float]:
    """Most that each factor explains of a view; 0 of one that is switched off."""
    table = model.variance_explained_
    best = table[table["factor"] != "all"].groupby("factor")["r2"].max()
    spread = model.transform(X).std(ddof=0).to_numpy()
    names = [str(name).partition(":")[2] for name in model.get_feature_names_out()]
    return {
        name: float(max(best[name], 0.0)) if s > 0 else 0.0
        for name, s in zip(names, spread, strict=True)
    }


def _table(
    refits: pd.DataFrame,
    factors: list[str],
    explained: dict[str, float],
    limit: float,
    least_share: float,
) -> pd.DataFrame:
    rows: list[tuple[object, ...]] = []
    for factor in factors:
        of_factor = refits[refits["factor"] == factor]
        shares = {}
        for kind, part in of_factor.groupby("kind", sort=False):
            size = part["r"].abs().to_numpy()
            lower, median, upper = np.quantile(size, [0.25, 0.5, 0.75])
            shares[str(kind)] = float((size >= limit).mean())
            loading = float(part["loading_r"].median())
            rows.append((factor, kind, median, lower, upper, shares[str(kind)], loading, len(part)))
        verdict = "stable" if min(shares.values()) >= least_share else "unstable"
        if explained[factor] < LEAST_VARIANCE:
            verdict = "inactive"
        n = len(shares)
        rows[-n:] = [(*row, explained[factor], verdict) for row in rows[-n:]]
    return pd.DataFrame(rows, columns=TABLE)
