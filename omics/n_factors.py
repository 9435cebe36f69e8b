r"""How many factors a study needs: by variance explained, and by values the fit had not seen.

Observed values are divided into folds, each fold is hidden in turn, MOFA learns from the rest, and
the hidden values are predicted from the factors of their patients:

.. math:: \hat y = \mu + s\, z w^\top \ \text{(gaussian)}, \quad
          \hat p = \mathrm{expit}(z w^\top + c) \ \text{(bernoulli)}, \quad
          \hat y = \log(1 + e^{z w^\top + c}) \ \text{(poisson)}.

The error is that of the prediction as a share of the error of the mean: 1 is no better than no
factor at all. Gaussian values count by their squared error in scaled units, 0/1 values by the Brier
score, counts by their squared error over their feature's mean.

The one-standard-error rule takes the fewest factors whose error lies within one standard
error of the least: MOFA switches off what it does not need, so the curve is flat beyond the truth.

References
----------
Owen AB, Perry PO. Bi-cross-validation of the SVD and the nonnegative matrix factorization. Annals
of Applied Statistics 2009;3:564-594. doi:10.1214/08-AOAS227
Wold S. Cross-validatory estimation of the number of components in factor and principal components
models. Technometrics 1978;20:397-405. doi:10.1080/00401706.1978.10489693
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import clone

from omics.errors import FitError, NomomicsWarning
from omics.mofa import FactorModel
from omics.mofa_parameters import known_groups
from omics.mofa_scaling import group_means
from omics.mofa_views import chosen_views, is_count, view_name
from omics.parallel import Arrays, Progress, Store, in_parallel_kept
from omics.projection import Projection

Matrix = NDArray[np.float64]

ALL = "all"
TABLE = ["n_factors", "view", "error", "standard_error", "n_values"]
FOLDS = ["n_factors", "fold", "view", "error", "mean_error", "n_values"]
FAILURES = ["n_factors", "fold", "reason"]


@dataclass(frozen=True, eq=False, kw_only=True)
class HeldOutError:
    """How well hidden values are predicted, by the number of factors.

    Attributes
    ----------
    table : DataFrame, one row per number of factors and view
        `n_factors` (0 is the mean alone); `view` (``all``: the mean over views, each counted
        once); `error`, a share of the mean's error averaged over folds (1 is no better than the
        mean); `standard_error` over folds; `n_values` hidden in all folds together. A number of
        factors that failed in any fold has no row.
    folds : DataFrame, one row per number of factors, fold and view
        `n_factors`, `fold` (from 1), `view`, `error` and `mean_error` (mean squared error in scaled
        units, or Brier score, of the factors and of the mean), `n_values`.
    failures : DataFrame
        `n_factors`, `fold`, `reason`.
    best : int
        Number of factors with the least error over all views.
    one_se : int
        The fewest factors with an error within one standard error of the least.
    not_converged : int
        Fits that stopped at the last sweep allowed; they count all the same.
    n_folds, n_patients, seed : int
    """

    table: pd.DataFrame
    folds: pd.DataFrame
    failures: pd.DataFrame
    best: int
    one_se: int
    not_converged: int
    n_folds: int
    n_patients: int
    seed: int

    def __repr__(self) -> str:
        total = self.table[self.table["view"] == ALL].set_index("n_factors")["error"]
        return (
            f"HeldOutError(least {total[self.best]:.3f} with {self.best} factors, "
            f"one-SE rule {self.one_se}; {self.n_folds} folds, {self.n_patients} patients)"
        )


class _Task(NamedTuple):
    """What one fit brought: error and the mean's error by view, or why it failed."""

    rows: list[tuple[str, float, float, int]]
    reason: str = ""
    converged: bool = True

    def arrays(self) -> Arrays:
        """Return all of it as arrays, to be kept."""
        return {
            "view": np.array([row[0] for row in self.rows], dtype=str),
            "errors": np.array([row[1:] for row in self.rows], dtype=np.float64).reshape(-1, 3),
            "reason": np.asarray(self.reason),
            "converged": np.asarray(self.converged),
        }

    @classmethod
    def of(cls, kept: Arrays) -> "_Task":
        """Read what `arrays` wrote."""
        rows = [
            (str(view), float(ours), float(theirs), int(n))
            for view, (ours, theirs, n) in zip(kept["view"], kept["errors"], strict=True)
        ]
        return cls(rows, str(kept["reason"]), bool(kept["converged"]))


def factors_explaining(model: FactorModel, share: float) -> int:
    """Count the factors that explain at least `share` of the variance of some view.

    Parameters
    ----------
    model : FactorModel, fitted
    share : float in (0, 1)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> view = np.outer(rng.normal(size=60), [1, 2, -1, 3]) + rng.normal(size=(60, 4)) / 9
    >>> X = pd.DataFrame(view, columns=[f"rna:{gene}" for gene in "ABCD"])
    >>> factors_explaining(FactorModel(n_factors=2).fit(X), 0.05)
    1
    """
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, but is {share:g}.")
    table = model.variance_explained_
    best = table[table["factor"] != ALL].groupby("factor")["r2"].max()
    return int((best >= share).sum())


def reconstruction(
    projection: Projection, factors: Matrix, profiles: NDArray[np.intp] | None = None
) -> Matrix:
    """Predict every value of some patients from their factors.

    Parameters
    ----------
    projection : Projection
        Of K factors and D features.
    factors : ndarray of shape (n_patients, n_factors)
    profiles : ndarray of int of shape (n_patients,), optional
        See `Projection.posterior`.

    Returns
    -------
    ndarray of shape (n_patients, n_features)
        In the units of the table: ``mu + s z w`` of a gaussian feature, the probability
        ``expit(z w + c)`` of a bernoulli, the rate ``log(1 + exp(z w + c))`` of a poisson one.

    Examples
    --------
    >>> one = np.ones(2)
    >>> projection = Projection(
    ...     weight=np.array([[2.0], [1.0]]), weight_square=np.array([[4.0], [1.0]]),
    ...     prior_precision=np.ones((1, 1)), noise_precision=one[None],
    ...     centre=np.array([[5.0, 0.0]]), scale=np.array([[10.0, 1.0]]), lowest=-9 * one,
    ...     highest=9 * one, spread=one, bernoulli=np.array([False, True]),
    ...     poisson=np.array([False, False]), importance=one,
    ... )
    >>> reconstruction(projection, np.array([[0.5], [0.0]])).round(3).tolist()
    [[15.0, 0.622], [5.0, 0.5]]
    """
    if profiles is None:
        profiles = np.full(len(factors), len(projection.centre) - 1, dtype=np.intp)
    linear = projection.scale[profiles] * (factors @ projection.weight.T)
    linear += projection.centre[profiles]
    chosen = [projection.bernoulli, projection.poisson]
    return np.select(chosen, [expit(linear), np.logaddexp(0.0, linear)], linear)


def held_out_error(
    model: FactorModel,
    X: pd.DataFrame,
    *,
    grid: Sequence[int],
    folds: int = 5,
    seed: int,
    n_jobs: int = 1,
    store: Store | None = None,
    progress: Progress | None = None,
) -> HeldOutError:
    """Cross-validate the number of factors over the observed values.

    Parameters
    ----------
    model : FactorModel
        Its `n_factors` is replaced by each of `grid`; left as it is.
    X : DataFrame of shape (n_patients, n_columns)
        Training patients only: no other may have a say.
    grid : sequence of int
        Numbers of factors, at least 1; 0, the mean alone, is always compared.
    folds : int
        At least 2. No fold hides all values of a patient or of a feature; in a feature of two
        values each fold hides as many of either as can be.
    seed : int
        Of the folds. The numbers do not depend on `n_jobs`.
    n_jobs : int
        Processes; -1 takes every core.
    store : Store, optional
        Keeps finished fits, for a run that is interrupted and called again.
    progress : callable(what, done, total), optional

    Returns
    -------
    HeldOutError

    Raises
    ------
    ValueError
        If `grid` or `folds` is out of range.
    FitError
        If no number of factors can be fitted in every fold.

    Notes
    -----
    The intercept of a 0/1 feature is refitted to the values that were not hidden, so that the mean
    predicted probability is the observed rate: MOFA's own is a mean pseudo-datum, no log odds (for
    a rate of .1 it gives .17), and would cost every number of factors more than no factor.
    A feature that does not vary among the values left, or that `max_features` leaves out, is not
    counted in that fold, whatever the number of factors.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> view = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 8)) + rng.normal(size=(50, 8)) / 4
    >>> X = pd.DataFrame(view, columns=[f"rna:{gene}" for gene in "ABCDEFGH"])
    >>> held_out_error(FactorModel(), X, grid=[1, 2, 3], seed=1).one_se
    2
    """
    numbers = _checked(grid, folds)
    views = chosen_views(map(str, X.columns), model.views)
    columns = [column for names in views.values() for column in names]
    groups = [] if model.groups is None else [model.groups]
    table = X[[*columns, *groups]]
    hidden = entry_folds(
        X[columns].to_numpy(dtype=np.float64, na_value=np.nan), folds=folds, seed=seed
    )
    everybody = {"low_information": "flag"}  # places patients who say little, too
    settings = list(product(numbers, range(folds)))
    tasks: dict[str, Callable[[], Arrays]] = {
        f"{k} factors of {folds} folds, {fold}": partial(
            _fold, clone(model).set_params(n_factors=k, **everybody), table, hidden == fold
        )
        for k, fold in settings
    }
    done = in_parallel_kept(
        tasks, what="number of factors", n_jobs=n_jobs, store=store, progress=progress
    )
    found = [_Task.of(arrays) for arrays in done]
    pairs = list(zip(settings, found, strict=True))
    failures = [(k, fold + 1, task.reason) for (k, fold), task in pairs if task.reason]
    by_fold = pd.DataFrame(
        [(k, fold + 1, *row) for (k, fold), task in pairs for row in task.rows], columns=FOLDS
    )
    summary = _summary(by_fold[~by_fold["n_factors"].isin([k for k, _, _ in failures])])
    if not len(summary):
        raise FitError(
            f"the number of factors cannot be chosen: none of {numbers} could be fitted in every "
            f"fold. The first reason: {failures[0][2]}"
        )
    best, one_se = _chosen(summary[summary["view"] == ALL])
    return HeldOutError(
        table=summary,
        folds=by_fold,
        failures=pd.DataFrame(failures, columns=FAILURES),
        best=best,
        one_se=one_se,
        not_converged=sum(not task.converged for task in found),
        n_folds=folds,
        n_patients=len(X),
        seed=seed,
    )


def entry_folds(values: Matrix, *, folds: int, seed: int) -> NDArray[np.intp]:
    """Divide the observed values into folds, so that no fold holds all of a patient or a feature.

    Parameters
    ----------
    values : ndarray of shape (n_patients, n_features)
        NaN is missing.
    folds, seed : int

    Returns
    -------
    ndarray of int, shape (n_patients, n_features)
        Fold from 0; -1 where nothing was observed, or the value must stay.

    Examples
    --------
    >>> folds = entry_folds(np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]]), folds=2, seed=0)
    >>> folds[1].tolist()  # the only value of a patient stays
    [-1, -1]
    """
    rng = np.random.default_rng(seed)
    fold = np.full(values.shape, -1, dtype=np.intp)
    for j, column in enumerate(values.T):
        seen = np.flatnonzero(~np.isnan(column))
        if len(seen) < 2:
            continue
        mixed = rng.permutation(seen)
        if len(np.unique(column[seen])) == 2:  # as many of either value in every fold as can be
            mixed = mixed[np.argsort(column[mixed], kind="stable")]
        fold[mixed, j] = (np.arange(len(mixed)) + rng.integers(folds)) % folds
    for row, seen in zip(fold, ~np.isnan(values), strict=True):
        if seen.any() and row[seen].min() == row[seen].max():
            row[rng.choice(np.flatnonzero(seen))] = -1
    return fold


def _checked(grid: Sequence[int], folds: int) -> list[int]:
    wrong = [k for k in grid if not is_count(k)]
    if not len(grid) or wrong:
        raise ValueError(
            "grid must hold whole numbers of factors, at least 1, but "
            + (f"{wrong[0]!r} came." if wrong else "is empty.")
            + " 0 factors, the mean alone, is always compared."
        )
    if not is_count(folds) or folds < 2:
        raise ValueError(f"folds must be at least 2, but is {folds!r}.")
    return sorted({int(k) for k in grid})


def _fold(model: FactorModel, table: pd.DataFrame, hidden: NDArray[np.bool_]) -> Arrays:
    """Hide, fit, predict what was hidden."""
    columns = table.columns[: hidden.shape[1]]  # the last may be the patients' group
    left = table.copy()
    left[columns] = table[columns].mask(hidden)
    try:
        with warnings.catch_warnings():  # convergence is counted; small views are small every time
            warnings.simplefilter("ignore", NomomicsWarning)
            model.fit(left)
            factors = model.transform(left).to_numpy()
    except FitError as error:
        return _Task([], str(error)).arrays()
    used = columns.get_indexer(pd.Index(model.features_))
    values, known = (
        one[columns].to_numpy(dtype=np.float64, na_value=np.nan)[:, used] for one in (table, left)
    )
    groups = np.zeros(len(table), dtype=np.intp)
    if model.groups_:
        groups = known_groups(table[model.groups], model.groups_)
    asked, projection = hidden[:, used], _with_intercepts(model.projection_, factors, known)
    mean = group_means(known, groups)
    unit = np.where(projection.bernoulli, 1.0, projection.scale[groups])
    counted = np.where(projection.poisson, np.nanmean(known, axis=0), 1.0)
    unit = np.where(projection.poisson, np.sqrt(counted), unit)
    ours, theirs = (
        np.square((values - predicted) / unit)
        for predicted in (reconstruction(projection, factors, groups), mean[groups])
    )
    views = np.array([view_name(name) for name in model.features_])
    rows = []
    for view in dict.fromkeys(views):
        chosen = asked & (views == view)
        n = int(chosen.sum())
        if n:
            rows.append((str(view), float(ours[chosen].mean()), float(theirs[chosen].mean()), n))
    return _Task(rows, converged=model.converged_).arrays()


def _with_intercepts(projection: Projection, factors: Matrix, known: Matrix) -> Projection:
    """Move the centre of each 0/1 or count feature to where its mean prediction is its mean."""
    centre = projection.centre.copy()
    for chosen, mean_of in ((projection.bernoulli, expit), (projection.poisson, _rate)):
        if not chosen.any():
            continue
        linear = factors @ projection.weight[chosen].T
        observed = ~np.isnan(known[:, chosen])
        target = np.nanmean(known[:, chosen], axis=0)
        reach = 50.0 + np.abs(linear).max() + target
        low, high = -reach, reach
        for _ in range(80):  # halves to below rounding; the mean prediction rises with the centre
            middle = (low + high) / 2
            mean = np.where(observed, mean_of(linear + middle), 0.0).sum(axis=0)
            short = mean / observed.sum(axis=0) < target
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        centre[:, chosen] = (low + high) / 2
    return replace(projection, centre=centre)


def _rate(linear: Matrix) -> Matrix:
    return np.asarray(np.logaddexp(0.0, linear))


def _summary(by_fold: pd.DataFrame) -> pd.DataFrame:
    """Average shares of the mean's error over folds, by view and over views."""
    share = by_fold.assign(share=by_fold["error"] / by_fold["mean_error"])
    total = share.groupby(["n_factors", "fold"], as_index=False).agg(
        share=("share", "mean"), n_values=("n_values", "sum")
    )
    rows: list[tuple[int, str, float, float, int]] = []
    for view, part in pd.concat([total.assign(view=ALL), share]).groupby("view", sort=False):
        n_values = int(part[part["n_factors"] == part["n_factors"].min()]["n_values"].sum())
        rows.append((0, str(view), 1.0, 0.0, n_values))
        for k, one in part.groupby("n_factors"):
            spread = float(one["share"].std(ddof=1) / np.sqrt(len(one)))
            rows.append((int(str(k)), str(view), float(one["share"].mean()), spread, n_values))
    return pd.DataFrame(rows, columns=TABLE)


def _chosen(total: pd.DataFrame) -> tuple[int, int]:
    """Give the number of factors of the least error, and that of the one-standard-error rule."""
    numbers, error = total["n_factors"].to_numpy(), total["error"].to_numpy()
    least = int(error.argmin())
    within = error <= error[least] + total["standard_error"].to_numpy()[least]
    return int(numbers[least]), int(numbers[within].min())
