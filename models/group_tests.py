r"""Could chance alone have made groups so unlike? Tests of table one, for those who must have them.

A test of baseline answers no question of a prediction study: between cohorts it grows with their
size, between arms of a trial its hypothesis is known to hold. `models.balance` tells how large a
difference is. Where a journal insists, the test follows the column:

- number, `rank`: Wilcoxon's rank-sum test for two groups (exact below 50 patients in each without
  ties, else the normal approximation corrected for ties and continuity: R's `wilcox.test`),
  Kruskal-Wallis for more;
- number, `welch`: Welch's t test, and his analysis of variance for more groups (R's `oneway.test`);
- category: Pearson's chi-square test; Fisher's exact test where an expected count of a 2 x 2 table
  is below 5, or, in a larger table, one is below 1 or more than a fifth below 5 (Cochran's rule);
  of a table too large for that, the chi-square statistic against drawn tables of its margins.

Considered and rejected: Yates' continuity correction, R's default for 2 x 2 tables, because it
makes the test too conservative; the t test of equal variances, because nothing is gained by it.

References
----------
Welch BL. On the comparison of several mean values: an alternative approach. Biometrika
1951;38:330-336. doi:10.1093/biomet/38.3-4.330
Cochran WG. Some methods for strengthening the common chi-square tests. Biometrics 1954;10:417-451.
doi:10.2307/3001616
Campbell I. Chi-squared and Fisher-Irwin tests of two-by-two tables with small sample
recommendations. Statistics in Medicine 2007;26:3661-3675. doi:10.1002/sim.2832
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.special import gammaln

from models.balance import check_groups, column_values
from models.checks import Floats

Numbers = Literal["rank", "welch"]
Counts = NDArray[np.int64]
COLUMNS = ["column", "test", "n_patients", "statistic", "p_value"]
EXACT_BELOW = 50  # patients of each group, as in R
MOST_TABLES = 2_000_000  # that Fisher's test lays out one by one
DRAWS = 20_000  # of larger ones; the standard error of a P of 0.05 is 0.0015
_TIE = 1e-7  # relative: tables as likely as the observed one, but for rounding


def group_tests(
    X: pd.DataFrame,
    group: pd.Categorical | pd.Series,
    *,
    numbers: Numbers,
    seed: int = 0,
) -> pd.DataFrame:
    """Test every column between the groups.

    Parameters
    ----------
    X : DataFrame of shape (n_patients, n_columns)
        Numbers or categories; missing values are left out, column by column.
    group : Categorical of shape (n_patients,)
        Patients without a group are left out, and groups without a known value.
    numbers : {"rank", "welch"}
        How numbers are tested.
    seed : int
        Of tables drawn where they are too many to lay out.

    Returns
    -------
    DataFrame, one row per column
        `column`, `test`, `n_patients` (known), `statistic` (of Wilcoxon's test the pairs in which
        the first group has the larger value; NaN for Fisher's), `p_value`. Not adjusted for the
        number of columns. NaN where fewer than two groups are known, nothing varies, or Welch's
        test meets a group of one patient or one value.

    Raises
    ------
    ValueError
        If `numbers` is no test, `group` is no category, or not of these patients.

    Examples
    --------
    >>> X = pd.DataFrame({"age": [1.0, 2, 3, 4, 5, 6]})
    >>> group = pd.Categorical(["a", "a", "a", "b", "b", "b"])
    >>> group_tests(X, group, numbers="rank")[["test", "statistic", "p_value"]].values.tolist()
    [['exact Wilcoxon', 0.0, 0.1]]
    """
    if numbers not in get_args(Numbers):
        raise ValueError(f"numbers must be one of {get_args(Numbers)}, but {numbers!r} came.")
    group = check_groups(group, len(X))
    rows = []
    for column in X.columns:
        values, n_levels, known = column_values(X[column])
        kept = known & (group.codes >= 0)
        x, codes = values[kept], group.codes[kept]
        if n_levels:
            found = _of_counts(_counted(x.astype(np.intp), codes.astype(np.intp), n_levels), seed)
        else:
            parts = [x[codes == code] for code in np.unique(codes)]
            found = _of_ranks(parts) if numbers == "rank" else _of_means(parts)
        rows.append((str(column), found[0], len(x), *found[1:]))
    return pd.DataFrame(rows, columns=COLUMNS)


def _counted(levels: NDArray[np.intp], groups: NDArray[np.intp], n_levels: int) -> Counts:
    """Count patients by level and group, leaving out what nobody has."""
    n_groups = int(groups.max(initial=-1)) + 1
    flat = np.bincount(levels * n_groups + groups, minlength=n_levels * n_groups)
    counts = flat.reshape(n_levels, n_groups)
    return counts[counts.any(axis=1)][:, counts.any(axis=0)]


def _of_ranks(parts: Sequence[Floats]) -> tuple[str, float, float]:
    together = np.concatenate(parts) if parts else np.empty(0)
    name = "Kruskal-Wallis" if len(parts) > 2 else "Wilcoxon"
    if len(parts) < 2 or np.ptp(together) == 0:
        return name, np.nan, np.nan
    if len(parts) > 2:
        ranked = stats.kruskal(*parts)
        return name, float(ranked.statistic), float(ranked.pvalue)
    exact = max(map(len, parts)) < EXACT_BELOW and len(np.unique(together)) == len(together)
    found = stats.mannwhitneyu(parts[0], parts[1], method="exact" if exact else "asymptotic")
    name = f"exact {name}" if exact else name
    return name, float(found.statistic), float(found.pvalue)


def _of_means(parts: Sequence[Floats]) -> tuple[str, float, float]:
    name = "Welch's t" if len(parts) <= 2 else "Welch's F"
    if len(parts) < 2 or min(map(len, parts)) < 2 or min(map(np.ptp, parts)) == 0:
        return name, np.nan, np.nan
    if len(parts) == 2:
        found = stats.ttest_ind(parts[0], parts[1], equal_var=False)
        return name, float(found.statistic), float(found.pvalue)
    weight = np.array([len(part) / part.var(ddof=1) for part in parts])
    mean = np.array([part.mean() for part in parts])
    k, middle = len(parts), np.average(mean, weights=weight)
    share = 1 - weight / weight.sum()
    loss = np.sum(share**2 / np.array([len(part) - 1 for part in parts])) / (k**2 - 1)
    f = np.sum(weight * (mean - middle) ** 2) / (k - 1) / (1 + 2 * (k - 2) * loss)
    return name, float(f), float(stats.f.sf(f, k - 1, 1 / (3 * loss)))


def _of_counts(counts: Counts, seed: int) -> tuple[str, float, float]:
    """Test a table of levels by groups, without empty rows or columns."""
    if min(counts.shape, default=0) < 2:
        return "chi-square", np.nan, np.nan
    expected = stats.contingency.expected_freq(counts)
    small = (expected < 5).mean()
    chi2 = float(np.sum((counts - expected) ** 2 / expected))
    if small == 0 or (counts.size > 4 and small <= 0.2 and expected.min() >= 1):
        freedom = (counts.shape[0] - 1) * (counts.shape[1] - 1)
        return "chi-square", chi2, float(stats.chi2.sf(chi2, freedom))
    exact = fisher_exact(counts)
    if not np.isnan(exact):
        return "Fisher's exact", np.nan, exact
    tables = stats.random_table(counts.sum(axis=1), counts.sum(axis=0), seed=seed)
    drawn = np.sum((tables.rvs(DRAWS) - expected) ** 2 / expected, axis=(1, 2))
    as_far = int((drawn >= chi2 * (1 - _TIE)).sum())
    return "simulated chi-square", chi2, (1 + as_far) / (1 + DRAWS)


def fisher_exact(counts: Counts) -> float:
    """Fisher's exact test of independence, for a table of any size (Freeman and Halton).

    Parameters
    ----------
    counts : ndarray of shape (n_levels, n_groups)
        Patients, whole numbers.

    Returns
    -------
    float
        P of all tables with these margins that are no likelier than this one; NaN where there are
        more than `MOST_TABLES`.

    Examples
    --------
    >>> round(fisher_exact(np.array([[3, 1], [1, 3]])), 6)  # Fisher's lady tasting tea, two-sided
    0.485714
    """
    rows = counts[np.argsort(counts.sum(axis=1))]  # the largest last: it has no choice left
    rows = rows[:, np.argsort(rows.sum(axis=0))]
    left = rows.sum(axis=0)[np.newaxis]  # (n_tables, n_groups): of each group, not yet placed
    logs = np.zeros(1)
    for total in rows.sum(axis=1):
        rest = np.full(len(left), total)  # of this level, not yet placed
        for j in range(left.shape[1]):
            after = left[:, j + 1 :].sum(axis=1)
            low, high = np.maximum(rest - after, 0), np.minimum(rest, left[:, j])
            choices = high - low + 1
            if choices.sum() > MOST_TABLES:
                return np.nan
            table = np.repeat(np.arange(len(left)), choices)
            first = np.repeat(np.cumsum(choices) - choices, choices)
            placed = low[table] + np.arange(len(table)) - first
            left, rest = left[table], rest[table] - placed
            left[:, j] -= placed
            logs = logs[table] - gammaln(placed + 1.0)
    seen = -gammaln(rows + 1.0).sum()
    margins = gammaln(rows.sum(axis=0) + 1.0).sum() + gammaln(rows.sum(axis=1) + 1.0).sum()
    constant = margins - gammaln(rows.sum() + 1.0)
    return min(float(np.exp(logs[logs <= seen + _TIE] + constant).sum()), 1.0)
