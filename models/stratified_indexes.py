r"""How well a stratified Cox model sorts and fits some patients: the indexes of rms's validate.

As in `models.validation_indexes`, with the partial likelihoods within strata; only :math:`D_{xy}`
compares patients of different strata, by their risk (rms: by survival at a time u), because their
linear predictors share no origin.

References
----------
Harrell FE. Regression Modeling Strategies, 2nd ed. Springer 2015, sections 5.3, 20.10.
doi:10.1007/978-3-319-19425-7
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.checks import check_followup
from models.cox_fit import cox_fit
from models.discrimination import c_index
from models.partial_likelihood import PartialLikelihood
from models.validation_indexes import COX_INDEXES, gini_mean_difference
from omics.errors import FitError

Floats = NDArray[np.float64]
OWN = 1e-6  # how near a refit's slope must come to 1 to be called the fit itself


def stratified_cox_indexes(
    linear_predictor: ArrayLike,
    risk: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    *,
    strata: ArrayLike,
    of_the_fit: bool = False,
) -> dict[str, float]:
    """Compute the indexes of one linear predictor of a stratified Cox model.

    Parameters
    ----------
    linear_predictor : array-like of shape (n_patients,)
        Log relative hazard within the stratum; higher is worse.
    risk : array-like of shape (n_patients,)
        By which patients are ranked; higher is worse.
    time, event : array-like of shape (n_patients,)
        Follow-up, above zero, and True where the event was observed.
    strata : array-like of shape (n_patients,)
        Labels.
    of_the_fit : bool
        True where these are the patients of the fit: if the linear predictor is then its own refit
        (Efron's ties), U is -2 / N as rms has it.

    Returns
    -------
    dict of name to float
        In the order of `validation_indexes.COX_INDEXES`; NaN where there is no finite refit.

    Examples
    --------
    One stratum is none.

    >>> from models.validation_indexes import cox_indexes
    >>> score, time, event = [2, 0, 2, 0], [1, 2, 3, 4], [1, 1, 1, 0]
    >>> plain = cox_indexes([score], time, event, [[1, 1, 1, 1]])
    >>> found = stratified_cox_indexes(score, score, time, event, strata=["a"] * 4)
    >>> all(abs(found[name] - plain[name][0]) < 1e-8 for name in found)
    True
    """
    times, events = check_followup(time, event)
    score, labels = np.asarray(linear_predictor, dtype=np.float64), np.asarray(strata)
    try:
        refit = cox_fit(score[:, np.newaxis], times, events, strata=labels)
    except FitError:
        return dict.fromkeys(COX_INDEXES, np.nan)
    (null, full), slope = refit.log_likelihood, float(refit.coef[0])
    frozen = PartialLikelihood.of(score[:, np.newaxis], times, events, strata=labels)
    misfit = -2 * (frozen.value(np.ones(1)) - full)
    if of_the_fit and abs(slope - 1) < OWN:
        slope, misfit = 1.0, -2.0
    ratio, nothing, n = 2 * (full - null), -2 * null, len(score)
    d, u = (ratio - 1) / nothing, misfit / nothing
    everybody = np.ones((1, n))
    return {
        "dxy": 2 * c_index(times, events, np.asarray(risk, dtype=np.float64)) - 1,
        "r_squared": float(np.expm1(-ratio / n) / np.expm1(-nothing / n)),
        "slope": slope,
        "d": d,
        "u": u,
        "q": d - u,
        "g": abs(slope) * float(gini_mean_difference(score[np.newaxis], everybody)[0]),
    }
