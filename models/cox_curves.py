r"""How does survival run for patients like this one, and how sure is that: curves of a Cox model.

.. math::

    \hat S(t \mid x) = e^{-\hat\Lambda(t \mid x)}, \qquad
    \mathrm{var}\,\hat\Lambda(t \mid x) = e^{2\eta} \Big( \sum_{t_k \le t} \frac{d_k}{S_0(t_k)^2}
      + D^\top V D \Big)

with the sums of `models.intervals`, of the patient's own stratum: the first part is the baseline's
uncertainty, the second the coefficients'. A median's limits are where the limits of the curve fall
to one half. These are R's `survfit.coxph` with ``stype = 2, ctype = 1``.

References
----------
Tsiatis AA. A large sample study of Cox's regression model. Annals of Statistics 1981;9:93-108.
doi:10.1214/aos/1176345329
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from models.baseline import check_weights
from models.checks import check_level, check_some_patients
from models.cox import CoxModel, read_survival
from models.curve_limits import Interval, check_interval, curve_limits
from models.intervals import spread_of
from models.regression import check_rows
from models.survival_curves import falls_to
from omics.checks import check_same_length

Floats = NDArray[np.float64]

# Share by which the baseline of the patients given may differ from the model's: rounding, no more.
SAME = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True)
class CoxCurves:
    """Predicted survival of patients.

    Attributes
    ----------
    table : DataFrame, one row per patient and event time of the stratum
        Columns `patient` (position from 0), `time`, `survival`, `std_error` (of the survival),
        `lower`, `upper`. Each patient starts with a row at time 0.
    medians : DataFrame, one row per patient
        Columns `patient`, `median`, `lower`, `upper`; NaN where not reached.
    level : float
        Level of the intervals, pointwise.
    interval : {"log", "log-log", "plain"}
    n_patients : int
    """

    table: pd.DataFrame
    medians: pd.DataFrame
    level: float
    interval: Interval
    n_patients: int

    def __repr__(self) -> str:
        reached = int(self.medians["median"].notna().sum())
        return f"CoxCurves({self.n_patients} patients, {reached} medians reached)"


def cox_curves(
    model: CoxModel,
    X: pd.DataFrame,
    y: NDArray[Any],
    new: pd.DataFrame,
    *,
    level: float = 0.95,
    interval: Interval = "log-log",
    sample_weight: ArrayLike | None = None,
) -> CoxCurves:
    """Predict survival curves and medians, with intervals.

    Parameters
    ----------
    model : CoxModel
        Fitted.
    X : DataFrame of shape (n_development, p)
        What it was fitted to, the column of strata included.
    y : structured array of shape (n_development,)
        The outcome it was fitted to.
    new : DataFrame of shape (n_patients, p)
        Patients to predict, columns as X.
    level : float in (0, 1)
    interval : {"log", "log-log", "plain"}, default "log-log"
        Scale of the intervals; R's `survfit` takes "log" unless told otherwise.
    sample_weight : array-like of shape (n_development,), optional
        The case weights of the fit.

    Returns
    -------
    CoxCurves

    Raises
    ------
    ValueError
        If columns are not those of the fit, a stratum is none of the fit's, `X`, `y` and
        `sample_weight` give another baseline hazard than the model's, or `new` is empty.

    Examples
    --------
    >>> from omics.outcome import survival_outcome
    >>> y = survival_outcome([5, 8, 9, 12, 15, 20], [1, 1, 0, 1, 1, 0])
    >>> X = pd.DataFrame({"Age": [61.0, 40.0, 48.0, 66.0, 35.0, 44.0]})
    >>> curves = cox_curves(CoxModel().fit(X, y), X, y, X.iloc[:2])
    >>> curves
    CoxCurves(2 patients, 2 medians reached)
    >>> curves.medians["median"].tolist()
    [12.0, 15.0]
    """
    check_level(level)
    check_interval(interval)
    time, event = read_survival(y)
    columns, strata = model.columns_of(X), model.strata_of(X)
    check_rows(columns, len(time))
    case = np.ones(len(time)) if sample_weight is None else check_weights(sample_weight)
    check_same_length(y=time, sample_weight=case)
    eta, asked, of = model.linear_predictor(new), model.columns_of(new), model.strata_of(new)
    check_some_patients(asked, "new")
    parts: list[pd.DataFrame] = []
    for position in range(len(model.strata_)):
        patients = np.flatnonzero(of == position)
        if not len(patients):
            continue
        own = strata == position
        times = np.unique(time[own & event & (case > 0)])
        spread = spread_of(
            columns[own],
            (columns[own] - model.means_) @ model.coef_,
            time[own],
            event[own],
            horizons=times,
            weights=case[own],
        )
        _refuse_other_patients(model, position, times, spread.hazard)
        hazard = np.exp(eta[patients])[:, np.newaxis] * spread.hazard
        pull = asked[patients][:, np.newaxis] * spread.hazard[:, np.newaxis] - spread.pull
        through = np.einsum("itj,jk,itk->it", pull, model.covariance_, pull)
        error = np.exp(eta[patients])[:, np.newaxis] * np.sqrt(spread.variance + through)
        parts.append(_rows(patients, times, hazard, error))
    table = pd.concat(parts, ignore_index=True).sort_values(["patient", "time"], ignore_index=True)
    limits = curve_limits(
        table["survival"].to_numpy(),
        table["std_error"].to_numpy(),
        level=level,
        interval=interval,
    )
    start = table["time"] == 0
    table["lower"], table["upper"] = (np.where(start, 1.0, limit) for limit in limits)
    return CoxCurves(
        table=table,
        medians=pd.DataFrame([_median(own) for _, own in table.groupby("patient")]),
        level=level,
        interval=interval,
        n_patients=len(new),
    )


def _refuse_other_patients(model: CoxModel, position: int, times: Floats, hazard: Floats) -> None:
    """Raise unless the patients give the baseline that the model learnt."""
    own = model.baseline_stratum_ == position
    learnt = model.baseline_hazard_[own]
    same_times = np.array_equal(model.baseline_time_[own], times)
    if not same_times or not np.allclose(learnt, hazard, rtol=SAME, atol=0):
        raise ValueError(
            "X, y and sample_weight must be those the model was fitted to, but their baseline "
            f"hazard is not its own ({len(times)} event times, and {len(learnt)} of the fit). Pass "
            "the development patients, with the case weights of the fit."
        )


def _rows(patients: NDArray[np.intp], times: Floats, hazard: Floats, error: Floats) -> pd.DataFrame:
    """Give a row per patient and time, from time 0; the error of the survival is S times dH."""
    survival = np.exp(-np.column_stack([np.zeros(len(patients)), hazard]))
    spread = survival * np.column_stack([np.zeros(len(patients)), error])
    return pd.DataFrame(
        {
            "patient": np.repeat(patients, len(times) + 1),
            "time": np.tile(np.append(0.0, times), len(patients)),
            "survival": survival.ravel(),
            "std_error": spread.ravel(),
        }
    )


def _median(own: pd.DataFrame) -> dict[str, float]:
    time = own["time"].to_numpy()
    median, lower, upper = (
        falls_to(0.5, time, own[name].to_numpy()) for name in ("survival", "lower", "upper")
    )
    return {"patient": own["patient"].iloc[0], "median": median, "lower": lower, "upper": upper}
