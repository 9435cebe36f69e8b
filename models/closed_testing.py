r"""Which update of a frozen model do the patients of another cohort ask for: closed testing.

Each method is tested against the largest one, from the smallest on, and the first that is not
rejected at 5 % is suggested (Vergouwe 2017): the smaller the cohort, the less is changed. A
statistic is twice the gain in log likelihood; the development patients' estimates count as known.
A Cox model's partial likelihood does not see the level, so whether the original may keep its
baseline is asked of the events observed, O, and expected by its cumulative hazards, E,

.. math:: \chi^2_1 = 2\,[O \log(O / E) - (O - E)]

the likelihood ratio of a Poisson regression with the log cumulative hazards as offset (Crowson
2016). It is uncorrelated with the partial score, so the two statistics are added.

References
----------
Vergouwe Y, Nieboer D, Oostenbrink R, et al. A closed testing procedure to select an appropriate
method for updating prediction models. Statistics in Medicine 2017;36:4529-4539.
doi:10.1002/sim.7179
Crowson CS, Atkinson EJ, Therneau TM. Assessing calibration of prognostic risk scores. Statistical
Methods in Medical Research 2016;25:1692-1706. doi:10.1177/0962280213497434
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import xlogy
from scipy.stats import chi2 as chi_squared

from models.checks import Floats
from models.cox_fit import cox_fit
from models.logistic import logistic_fit
from models.pipeline_parts import Model
from models.scores import Predictions
from models.updated_model import METHODS, Method, hazard_at
from omics.outcome import is_survival

SIGNIFICANT = 0.05
TESTS = ["method", "against", "chi2", "df", "p_value"]


def n_learnt(method: Method, n_columns: int) -> int:
    """Count what a method learns, a baseline or intercept as one.

    Examples
    --------
    >>> [n_learnt(method, 5) for method in METHODS]
    [0, 1, 2, 6]
    """
    return {"original": 0, "baseline": 1, "recalibration": 2, "refit": 1 + n_columns}[method]


def closed_tests(
    original: Predictions, matrix: Floats, model: Model, *, learnt: Sequence[Method]
) -> pd.DataFrame:
    """Test every method against the largest whose likelihood is a maximum.

    Parameters
    ----------
    original : Predictions
        Of the frozen model, for the patients of the cohort.
    matrix : ndarray of shape (n_patients, p)
        Their design matrix.
    model : CoxModel, LogisticModel or BoostedModel
        The frozen one. A refit under a ridge maximises no likelihood and is not tested.
    learnt : sequence of str
        The methods, beside the original, that could be used.

    Returns
    -------
    DataFrame, one row per method that was tested
        `method`, `against`, `chi2`, `df`, `p_value` (1 where the largest has no more parameters: of
        one column the slope is the coefficient).
    """
    penalised = getattr(model, "ridge_", 0.0) != 0
    ladder = [m for m in METHODS[1:] if m in learnt and not (m == "refit" and penalised)]
    largest = ladder[-1]
    reached = _log_likelihoods(original, matrix, ladder)
    level = level_statistic(original, model) if is_survival(original.y) else 0.0
    rows = []
    for method in ("original", *ladder[:-1]):
        df = n_learnt(largest, matrix.shape[1]) - n_learnt(method, matrix.shape[1])
        chi2 = 2 * (reached[largest] - reached[method]) + (level if method == "original" else 0.0)
        p_value = float(chi_squared.sf(chi2, df)) if df else 1.0
        rows.append((method, largest, chi2, df, p_value))
    return pd.DataFrame(rows, columns=TESTS)


def suggested_by(tests: pd.DataFrame) -> Method:
    """Give the first method that is not rejected; the largest if all are.

    Examples
    --------
    >>> rows = [("original", "refit", 30.0, 4, 0.001), ("baseline", "refit", 2.0, 3, 0.57)]
    >>> suggested_by(pd.DataFrame(rows, columns=TESTS))
    'baseline'
    """
    kept = tests.loc[tests["p_value"] > SIGNIFICANT, "method"]
    name = kept.iloc[0] if len(kept) else tests["against"].iloc[0]
    return next(method for method in METHODS if method == name)


def _log_likelihoods(
    original: Predictions, matrix: Floats, ladder: Sequence[Method]
) -> dict[Method, float]:
    """Give the log likelihood of each method, partial for survival."""
    eta, y = original.linear_predictor, original.y
    column = eta[:, np.newaxis]
    larger = {"recalibration": column, "refit": matrix}
    found: dict[Method, float] = {}
    if is_survival(y):
        time, event = y["time"], y["event"]
        found["original"] = cox_fit(column[:, :0], time, event, offset=eta).log_likelihood[1]
        found["baseline"] = found["original"]
        for method in ladder:
            if method in larger:
                found[method] = cox_fit(larger[method], time, event).log_likelihood[1]
        return found
    found["original"] = float(eta[y].sum() - np.logaddexp(0, eta).sum())
    found["baseline"] = logistic_fit(column[:, :0], y, offset=eta).log_likelihood[1]
    for method in ladder:
        if method in larger:
            found[method] = logistic_fit(larger[method], y).log_likelihood[1]
    return found


def level_statistic(original: Predictions, model: Model) -> float:
    """Likelihood ratio, of 1 degree of freedom, of the level of the frozen cumulative hazards.

    Follow-up beyond that of the development patients, where no hazard is known, is cut.

    Parameters
    ----------
    original : Predictions
        Of a survival outcome.
    model : CoxModel or BoostedModel
    """
    y, last = original.y, model.max_time_
    observed = float((y["event"] & (y["time"] <= last)).sum())
    times = np.minimum(y["time"], last)
    hazard = hazard_at(model.baseline_time_, model.baseline_hazard_, times)
    expected = float((hazard * np.exp(original.linear_predictor)).sum())
    if expected == 0:
        return float("inf") if observed else 0.0
    return float(2 * (xlogy(observed, observed / expected) - (observed - expected)))
