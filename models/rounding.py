"""How far does a risk read off paper lie from the model's? The error of rounding points.

A reader takes each predictor's points from a ruler to the nearest whole (or half) point and adds
them up. The risk that their sum stands for is compared with the model's, patient by patient.

References
----------
Iasonos A, Schrag D, Raj GV, Panageas KS. How to build and interpret a nomogram for cancer
prognosis. Journal of Clinical Oncology 2008;26:1364-1370. doi:10.1200/JCO.2007.12.9791
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class RoundingError:
    """Distance between the risk read with rounded points and the model's.

    Attributes
    ----------
    table : DataFrame, one row per horizon
        `horizon` (NaN for a binary outcome); `mean`, `percentile_95` and `largest` absolute
        difference of the two risks over patients who have them (NaN if none has), in [0, 1].
    step : float
        Points are read to the nearest multiple of it.
    n_patients : int
        With points for every predictor; the others are left out.
    """

    table: pd.DataFrame
    step: float
    n_patients: int

    def __repr__(self) -> str:
        return (
            f"RoundingError({self.n_patients} patients, points to {self.step:g}, risk off by at "
            f"most {self.table['largest'].max():.2g})"
        )


def rounding_error(
    points: ArrayLike, risks: Mapping[float, Callable[[Floats], Floats]], *, step: float = 1.0
) -> RoundingError:
    """Compare risks from rounded points with those from exact points.

    Parameters
    ----------
    points : array-like of shape (n_patients, n_predictors)
        Exact points. A patient with NaN is left out.
    risks : mapping of horizon to callable
        From total points of the patients, shape (n_patients,), to their risk; NaN = no horizon.
    step : float
        Points are read to the nearest multiple, halves upwards; above zero.

    Returns
    -------
    RoundingError
        Of no patient at all NaN.

    Raises
    ------
    ValueError
        If `step` is not above zero or `points` is no table.

    Examples
    --------
    >>> found = rounding_error([[10.4, 20.2], [50.0, 3.0]], {12.0: lambda total: total / 100})
    >>> found.table.loc[0, ["mean", "largest"]].round(6).tolist()
    [0.003, 0.006]
    """
    exact = np.asarray(points, dtype=np.float64)
    if exact.ndim != 2:
        raise ValueError(
            f"points must have shape (n_patients, n_predictors), but {exact.shape} came. Pass "
            "predictor_points(matrix)."
        )
    if not (np.isfinite(step) and step > 0):
        raise ValueError(f"step must be above zero, but {step} came. Pass 1 for whole points.")
    read = np.floor(exact / step + 0.5) * step
    known = ~np.isnan(exact).any(axis=1)
    rows = []
    for horizon, risk in risks.items():
        error = np.abs(risk(read.sum(axis=1)) - risk(exact.sum(axis=1)))[known]
        rows.append((horizon, *_summary(error)))
    columns = ["horizon", "mean", "percentile_95", "largest"]
    return RoundingError(
        table=pd.DataFrame(rows, columns=columns, dtype=np.float64),
        step=float(step),
        n_patients=int(known.sum()),
    )


def _summary(error: Floats) -> tuple[float, float, float]:
    error = error[~np.isnan(error)]  # of a stratum that was not followed to the horizon
    if not len(error):
        return np.nan, np.nan, np.nan
    return float(error.mean()), float(np.quantile(error, 0.95)), float(error.max())
