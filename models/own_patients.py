r"""What a fitted Cox model looks like from the patients it was fitted to: their likelihood again.

What examines a model (drift, scaled residuals, influence) needs the risk sets, the ties and the
information of its own fit. Other patients are refused: a step of Newton's from the coefficients
would then gain more log likelihood than rounding,

.. math:: \tfrac12\, U^\top (I + P)^{-1} U > 10^{-4},

with U the penalised score, I the information and P the ridge.

References
----------
Cox DR, Hinkley DV. Theoretical Statistics. Chapman and Hall 1974, chapter 9.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from models.cox import CoxModel, read_survival
from models.cox_fit import CoxData
from models.partial_likelihood import PartialLikelihood
from models.regression import check_rows
from models.residuals import CoxResiduals, cox_residuals

Floats = NDArray[np.float64]
# A score left at the coefficients worth more than this (in log likelihood) means other patients.
LEFT_OVER = 1e-4


@dataclass(frozen=True, eq=False, kw_only=True)
class OwnPatients:
    """A Cox model's own patients, laid out as its fit saw them.

    Attributes
    ----------
    columns : ndarray of shape (n_patients, p)
        In their own units.
    time, event : ndarray of shape (n_patients,)
    likelihood : PartialLikelihood
        Of the columns at mean 0 and standard deviation 1.
    coef : ndarray of shape (p,)
        Of these.
    penalty : ndarray of shape (p,)
        Ridge of each.
    covariance : ndarray of shape (p, p)
        Inverse of information and penalty, in the columns' own units; never the sandwich.
    residuals : CoxResiduals
        In the columns' own units.
    """

    columns: Floats
    time: Floats
    event: NDArray[np.bool_]
    likelihood: PartialLikelihood
    coef: Floats
    penalty: Floats
    covariance: Floats
    residuals: CoxResiduals

    def __repr__(self) -> str:
        return f"OwnPatients({len(self.time)} patients, {len(self.coef)} columns)"


def own_patients(
    model: CoxModel, X: Any, y: NDArray[Any], *, sample_weight: ArrayLike | None = None
) -> OwnPatients:
    """Lay out the patients of a fit again.

    Parameters
    ----------
    model : CoxModel
        Fitted.
    X : DataFrame or array-like of shape (n_patients, p)
        The design matrix of its fit, with the column of its strata.
    y : structured array of shape (n_patients,)
        The outcome of its fit.
    sample_weight : array-like of shape (n_patients,), optional
        The case weights of its fit; a patient of weight 0 is left out. Residuals are not weighted.

    Returns
    -------
    OwnPatients

    Raises
    ------
    ValueError
        If X, y and the weights are not those of the fit.

    Examples
    --------
    >>> import pandas as pd
    >>> from omics.outcome import survival_outcome
    >>> y = survival_outcome([1, 2, 3, 4], [1, 1, 1, 1])
    >>> X = pd.DataFrame({"a": [1.0, 0, 1, 0]})
    >>> model = CoxModel().fit(X, y)
    >>> bool(abs(own_patients(model, X, y).covariance - model.covariance_).max() < 1e-6)
    True
    """
    check_is_fitted(model, "coef_")
    columns = model.columns_of(X)
    time, event = read_survival(y)
    check_rows(columns, len(time))
    data = CoxData.of(
        columns,
        tuple(model.feature_names_in_),
        time,
        event,
        ties=model.ties,
        strata=None if model.strata is None else model.strata_of(X),
        weights=sample_weight,
    )
    scales = data.x.std(axis=0, ddof=1)
    of_fit = {"strata": data.strata, "weights": data.weights}
    likelihood = PartialLikelihood.of(
        (data.x - model.means_) / scales, data.time, data.event, ties=data.ties, **of_fit
    )
    coef, penalty = model.coef_ * scales, np.full(len(scales), model.ridge_)
    here = likelihood(coef)
    inverse = np.asarray(np.linalg.inv(here.information + np.diag(penalty)), dtype=np.float64)
    refuse_other_patients(here.gradient - penalty * coef, inverse)
    return OwnPatients(
        columns=data.x,
        time=data.time,
        event=data.event,
        likelihood=likelihood,
        coef=coef,
        penalty=penalty,
        covariance=inverse / np.outer(scales, scales),
        residuals=cox_residuals(
            data.x - model.means_, data.time, data.event, model.coef_, ties=data.ties, **of_fit
        ),
    )


def refuse_other_patients(slope: Floats, covariance: Floats) -> None:
    """Raise if coefficients of this covariance, with this score left, are no maximum here."""
    gain = float(slope @ covariance @ slope) / 2
    if gain > LEFT_OVER:
        raise ValueError(
            "X and y must be those the model was fitted to, but a refit would raise the log "
            f"likelihood by {gain:.3g}. Pass the development patients, with the case weights of "
            "the fit, or fit to convergence."
        )
