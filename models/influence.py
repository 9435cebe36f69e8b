r"""Does a finding hang on one patient: what each coefficient would be without him.

With C the inverse information (of the penalised fit, if there is a ridge), to first order

.. math::

    \mathrm{dfbeta}_i = \hat\beta - \hat\beta_{(-i)} \approx C\,U_i \text{ (Cox)}, \qquad
    C\,x_i\,\frac{y_i - p_i}{1 - h_i} \text{ (logistic)}

:math:`U_i` the score residual (`models.residuals`), :math:`h_i` the leverage. dfbetas is dfbeta in
standard errors of C. The patients who move most are left out in turn and the model refitted.

References
----------
Cain KC, Lange NT. Approximate case influence for the proportional hazards regression model with
censored data. Biometrics 1984;40:493-499. doi:10.2307/2531402
Pregibon D. Logistic regression diagnostics. Annals of Statistics 1981;9:705-724.
doi:10.1214/aos/1176345513
Belsley DA, Kuh E, Welsch RE. Regression Diagnostics. Wiley 1980 (the limit 2 / sqrt(n)).
doi:10.1002/0471725153
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from models.cox import CoxModel
from models.logistic import LogisticModel
from models.own_patients import own_patients, refuse_other_patients
from models.regression import check_rows, read_same_design
from omics.checks import check_event
from omics.errors import FitError

Floats = NDArray[np.float64]
Regression = CoxModel | LogisticModel
MOST_REFITS = 3


@dataclass(frozen=True, eq=False, kw_only=True)
class Influence:
    """How far each patient moves the coefficients.

    Attributes
    ----------
    table : DataFrame, one row per column of the design
        `column`, `coefficient`, `n_large` (patients beyond `limit`), `largest` (dfbetas farthest
        from 0) and `patient` (whose that is: row of X, from 0).
    dfbeta, dfbetas : DataFrame of shape (n_patients, p)
        Fitted minus left-out coefficient, in units of the coefficient and in standard errors; of a
        logistic model with the column `Intercept` before the others.
    refits : DataFrame, one row per patient left out and column
        `patient` (row of X), `column`, `coefficient`, `without` (refitted without the patient; NaN
        where no fit exists then) and `change` (`coefficient` minus `without`, in standard errors).
    limit : float
        2 / sqrt(n_patients), beyond which a dfbetas is called large.
    n_patients : int
    n_events : int
    """

    table: pd.DataFrame
    dfbeta: pd.DataFrame
    dfbetas: pd.DataFrame
    refits: pd.DataFrame
    limit: float
    n_patients: int
    n_events: int

    def __repr__(self) -> str:
        return (
            f"Influence({self.n_patients} patients, {len(self.table)} columns, largest |dfbetas| "
            f"{self.table['largest'].abs().max():.2f}, limit {self.limit:.2f})"
        )


def influence(
    model: Regression, X: Any, y: NDArray[Any], *, n_refits: int = MOST_REFITS
) -> Influence:
    """Compute what each patient does to the coefficients.

    Parameters
    ----------
    model : CoxModel or LogisticModel
        Fitted.
    X : DataFrame or array-like of shape (n_patients, p)
        The design matrix it was fitted to.
    y : ndarray of shape (n_patients,)
        The outcome it was fitted to.
    n_refits : int, default 3
        How many of the most influential patients to leave out in turn; the ridge stays as it is.

    Returns
    -------
    Influence

    Raises
    ------
    ValueError
        If the model has no column, or X and y are not those of the fit.

    Notes
    -----
    Cox: R's `residuals(fit, type = "dfbeta")` and `"dfbetas"`. Logistic: Pregibon's one step, as
    `rms::residuals.lrm`. Considered and rejected: R's `stats::dfbetas` of a glm, which takes
    deviance residuals for Pearson's and a residual deviation that a binary outcome does not have.

    Examples
    --------
    One of four exposed stays well: without him their log odds rise by 4/3 (in one step), in
    standard errors 4/3 / sqrt(7/3).

    >>> X = pd.DataFrame({"exposed": [1.0, 1, 1, 1, 0, 0, 0, 0]})
    >>> y = np.array([1, 1, 1, 0, 1, 1, 0, 0], dtype=bool)
    >>> result = influence(LogisticModel().fit(X, y), X, y)
    >>> int(result.table["patient"].item()), round(float(result.table["largest"].item()), 3)
    (3, -0.873)
    """
    check_is_fitted(model, "coef_")
    names = list(map(str, model.feature_names_in_))
    if not names:
        raise ValueError("a model without columns has no coefficient to move. Leave this out.")
    table = X if isinstance(X, pd.DataFrame) else pd.DataFrame(np.asarray(X), columns=names)
    cox = isinstance(model, CoxModel)
    change, covariance = _cox_change(model, X, y) if cox else _logistic_change(model, X, y)
    labels = names if cox else ["Intercept", *names]
    dfbeta = pd.DataFrame(change, columns=labels)
    dfbetas = dfbeta.div(np.sqrt(np.diag(covariance)), axis=1)
    limit = 2 / np.sqrt(len(table))
    own = dfbetas[names].to_numpy()
    farthest = np.abs(own).argmax(axis=0)
    by_column = pd.DataFrame(
        {
            "column": names,
            "coefficient": model.coef_,
            "n_large": (np.abs(own) > limit).sum(axis=0),
            "largest": own[farthest, np.arange(len(names))],
            "patient": farthest,
        }
    )
    worst = np.argsort(-np.abs(own).max(axis=1), kind="stable")[:n_refits]
    return Influence(
        table=by_column,
        dfbeta=dfbeta,
        dfbetas=dfbetas,
        refits=_refits(model, table, y, worst),
        limit=float(limit),
        n_patients=len(table),
        n_events=model.n_events_,
    )


def _cox_change(model: CoxModel, X: Any, y: NDArray[Any]) -> tuple[Floats, Floats]:
    """Give dfbeta (n_patients, p) and the inverse information."""
    own = own_patients(model, X, y)
    return own.residuals.score @ own.covariance, own.covariance


def _logistic_change(model: LogisticModel, X: Any, y: NDArray[Any]) -> tuple[Floats, Floats]:
    """Give dfbeta (n_patients, 1 + p) and the inverse information."""
    columns = read_same_design(X, tuple(model.feature_names_in_))
    check_rows(columns, len(y))
    event = check_event(y, "y")
    rows = np.column_stack([np.ones(len(columns)), columns])
    risk = expit(model.linear_predictor(columns))
    score = rows * (event - risk)[:, np.newaxis]
    penalty = model.ridge_ * columns.var(axis=0, ddof=1) * model.coef_
    slope = score.sum(axis=0) - np.concatenate([[0.0], penalty])
    refuse_other_patients(slope, model.covariance_)
    stepped = rows @ model.covariance_
    leverage = risk * (1 - risk) * np.einsum("ij,ij->i", stepped, rows)
    return stepped * ((event - risk) / (1 - leverage))[:, np.newaxis], model.covariance_


def _refits(
    model: Regression, X: pd.DataFrame, y: NDArray[Any], patients: NDArray[np.intp]
) -> pd.DataFrame:
    """Refit without each of the patients in turn."""
    lead = len(model.covariance_) - len(model.coef_)
    errors = np.sqrt(np.diag(model.covariance_))[lead:]
    parts = []
    for patient in patients:
        others = np.arange(len(X)) != patient
        without = clone(model).set_params(ridge=model.ridge_)
        try:
            coef = without.fit(X[others], y[others]).coef_
        except FitError:  # without this patient a group has no event, or a column no variation
            coef = np.full(len(errors), np.nan)
        parts.append(
            pd.DataFrame(
                {
                    "patient": int(patient),
                    "column": list(model.feature_names_in_),
                    "coefficient": model.coef_,
                    "without": coef,
                    "change": (model.coef_ - coef) / errors,
                }
            )
        )
    blank = pd.DataFrame(columns=["patient", "column", "coefficient", "without", "change"])
    return pd.concat(parts, ignore_index=True) if parts else blank
