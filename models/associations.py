r"""What the factors go with: clinical and molecular columns, and the outcome itself.

The test follows the type of the column, and each effect has a direction and lies in [-1, 1]:

- a number: Spearman's rank correlation;
- two values or levels: Mann-Whitney, with the rank-biserial correlation ``2 AUC - 1``, above 0
  where the larger value, or the later level, has the higher factor;
- ordered levels: Kendall's tau-b;
- other levels: Kruskal-Wallis, with the share of rank variance they explain (eta squared, which has
  no direction);
- survival: the score test of a Cox model of the factor alone (Efron's ties), with ``2 C - 1`` of
  Harrell's C, above 0 where a higher factor goes with earlier events.

References
----------
Kerby DS. The simple difference formula: an approach to teaching nonparametric correlation.
Comprehensive Psychology 2014;3:11.IT.3.1. doi:10.2466/11.IT.3.1
Kendall MG. The treatment of ties in ranking problems. Biometrika 1945;33:239-251.
doi:10.1093/biomet/33.3.239
Benjamini Y, Hochberg Y. Controlling the false discovery rate. JRSS B 1995;57:289-300.
doi:10.1111/j.2517-6161.1995.tb02031.x
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from models.discrimination import c_index
from models.partial_likelihood import PartialLikelihood
from omics.outcome import is_survival

OUTCOME = "outcome"  # view of the outcome's own row
LEAST_PATIENTS = 4
LEAST_EVENTS = 2
COLUMNS = [
    *("factor", "column", "test", "effect", "measure", "higher_in", "n_patients", "p_value"),
    "learned_from",
]
SIDES = {
    "Spearman": ("larger values", "smaller values"),
    "Kendall": ("later levels", "earlier levels"),
    "Cox": ("earlier events", "later events, or none"),
}


@dataclass(frozen=True, kw_only=True)
class _Tested:
    """One test; NaN where it cannot be made."""

    test: str
    measure: str
    n_patients: int
    effect: float = float("nan")
    higher_in: str = ""
    p_value: float = float("nan")


def associations(
    factors: pd.DataFrame,
    columns: pd.DataFrame,
    *,
    outcome: NDArray[Any] | None = None,
    outcome_name: str = "outcome",
    learned_from: Collection[str] = (),
) -> pd.DataFrame:
    """Test each factor against each column, corrected for the number of tests.

    Parameters
    ----------
    factors : DataFrame of shape (n_patients, n_factors)
    columns : DataFrame of shape (n_patients, n_columns)
        Same patients, in the same order; numbers or Categorical, of which an ordered one is tested
        as such. Missing values are left out, column by column.
    outcome : ndarray of shape (n_patients,), optional
        Bool, or structured (`time`, `event`): tested too, as the column ``outcome:<name>``.
    outcome_name : str
    learned_from : collection of str
        Columns that the factors were learnt from: they are marked, since a factor goes with its own
        features as a matter of course.

    Returns
    -------
    DataFrame, one row per factor and column
        `factor`, `column`, `test`, `effect` (in [-1, 1]; eta squared in [0, 1]), `measure` (what
        the effect is), `higher_in` (where the factor is higher: a level, of several the one of the
        highest mean rank, or `larger values`, `earlier events` and the like; empty where nowhere),
        `n_patients`, `p_value`, `learned_from`, `p_adjusted` (Benjamini-Hochberg over all rows that
        could be tested).

    Raises
    ------
    ValueError
        If the patients are not the same.

    Examples
    --------
    >>> factor = pd.DataFrame({"factors:F1": [1.0, 2.0, 3.0, 4.0]})
    >>> columns = pd.DataFrame({"clinical:Age": [30.0, 41, 52, 63], "flags:IDH": [1.0, 1, 0, 0]})
    >>> associations(factor, columns)[["test", "effect", "higher_in"]].values.tolist()
    [['Spearman', 1.0, 'larger values'], ['Mann-Whitney', -1.0, '0']]
    """
    if not factors.index.equals(columns.index):
        raise ValueError("factors and columns must hold the same patients in the same order")
    if outcome is not None and len(outcome) != len(factors):
        raise ValueError(
            f"outcome must have one value for each of {len(factors)} patients, but has "
            f"{len(outcome)}. Pass the outcome of the same patients."
        )
    rows = []
    for factor in factors:
        scores = factors[factor].to_numpy(dtype=np.float64)
        for column in columns:
            found = _association(scores, columns[column])
            inside = column in learned_from
            rows.append({"factor": factor, "column": column, **vars(found), "learned_from": inside})
        if outcome is not None:
            found = _with_outcome(scores, outcome)
            name = f"{OUTCOME}:{outcome_name}"
            rows.append({"factor": factor, "column": name, **vars(found), "learned_from": False})
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["p_adjusted"] = np.nan
    tested = table["p_value"].notna()
    if tested.any():
        table.loc[tested, "p_adjusted"] = stats.false_discovery_control(
            table.loc[tested, "p_value"].to_numpy()
        )
    return table


def _association(scores: NDArray[np.float64], values: pd.Series) -> _Tested:
    """Choose the test by the column's type and the values that there are."""
    known = values.notna().to_numpy() & ~np.isnan(scores)
    x, values = scores[known], values[known]
    category = isinstance(values.dtype, pd.CategoricalDtype)
    other = np.asarray(values.cat.codes if category else values, dtype=np.float64)
    distinct = np.unique(other)
    names = [str(values.cat.categories[int(v)]) if category else f"{v:g}" for v in distinct]
    if len(distinct) == 2:
        return _mann_whitney(x, other, names)
    if not category:
        return _ranked("Spearman", "rho", x, other)
    if values.cat.ordered:
        return _ranked("Kendall", "tau-b", x, other)
    return _kruskal(x, other, names)


def _side(effect: float, above: str, below: str) -> str:
    """Say where the factor is higher: `above` where the effect is above 0."""
    return "" if effect == 0 else above if effect > 0 else below


def _ranked(test: str, measure: str, x: NDArray[np.float64], other: NDArray[np.float64]) -> _Tested:
    if len(x) < LEAST_PATIENTS or np.ptp(x) == 0 or np.ptp(other) == 0:
        return _Tested(test=test, measure=measure, n_patients=len(x))
    result = stats.spearmanr(x, other) if test == "Spearman" else stats.kendalltau(x, other)
    return _Tested(
        test=test,
        measure=measure,
        n_patients=len(x),
        effect=float(result.statistic),
        higher_in=_side(float(result.statistic), *SIDES[test]),
        p_value=float(result.pvalue),
    )


def _mann_whitney(
    x: NDArray[np.float64], other: NDArray[np.float64], names: Sequence[str]
) -> _Tested:
    """Test by the normal approximation, corrected for ties and continuity (R's wilcox.test)."""
    high = other == other.max()
    if len(x) < LEAST_PATIENTS or np.ptp(x) == 0:
        return _Tested(test="Mann-Whitney", measure="2 AUC - 1", n_patients=len(x))
    result = stats.mannwhitneyu(x[high], x[~high], method="asymptotic")
    pairs = int(high.sum()) * int((~high).sum())
    effect = 2 * float(result.statistic) / pairs - 1
    return _Tested(
        test="Mann-Whitney",
        measure="2 AUC - 1",
        n_patients=len(x),
        effect=effect,
        higher_in=_side(effect, names[1], names[0]),
        p_value=float(result.pvalue),
    )


def _kruskal(x: NDArray[np.float64], codes: NDArray[np.float64], names: Sequence[str]) -> _Tested:
    groups = [x[codes == code] for code in np.unique(codes)]
    if len(groups) < 2 or len(x) <= len(groups) or np.ptp(x) == 0:
        return _Tested(test="Kruskal-Wallis", measure="eta squared", n_patients=len(x))
    result = stats.kruskal(*groups)
    ranks = stats.rankdata(x)
    mean_ranks = [ranks[codes == code].mean() for code in np.unique(codes)]
    return _Tested(
        test="Kruskal-Wallis",
        measure="eta squared",
        n_patients=len(x),
        effect=float(result.statistic) / (len(x) - 1),
        higher_in=names[int(np.argmax(mean_ranks))] if np.ptp(mean_ranks) > 0 else "",
        p_value=float(result.pvalue),
    )


def _with_outcome(scores: NDArray[np.float64], outcome: NDArray[Any]) -> _Tested:
    if not is_survival(outcome):
        return _association(scores, pd.Series(outcome.astype(np.float64)))
    known = ~np.isnan(scores)
    x, time, event = scores[known], outcome["time"][known], outcome["event"][known]
    nothing = _Tested(test="Cox", measure="2 C - 1", n_patients=len(x))
    if event.sum() < LEAST_EVENTS or np.ptp(x) == 0:
        return nothing
    column = ((x - x.mean()) / x.std())[:, np.newaxis]
    at_zero = PartialLikelihood.of(column, time, event)(np.zeros(1))
    if not at_zero.information.item() > 0:  # no event has two patients who differ at risk
        return nothing
    score = at_zero.gradient.item() ** 2 / at_zero.information.item()
    effect = 2 * c_index(time, event, x) - 1
    if np.isnan(effect):  # tied events alone: no pair has an order
        return nothing
    return _Tested(
        test="Cox",
        measure="2 C - 1",
        n_patients=len(x),
        effect=effect,
        higher_in=_side(effect, *SIDES["Cox"]),
        p_value=float(stats.chi2.sf(score, 1)),
    )
