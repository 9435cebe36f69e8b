r"""How much of a feature's variance lies between patients: intraclass correlation, all six forms.

With mean squares of patients :math:`R`, readers :math:`C`, residual :math:`E` and within patients
:math:`W`, of :math:`n` patients measured by :math:`k` readers, the single-measurement forms are

.. math::

    \mathrm{ICC}(1) = \frac{R - W}{R + (k-1) W}, \quad
    \mathrm{ICC}(C,1) = \frac{R - E}{R + (k-1) E}, \quad
    \mathrm{ICC}(A,1) = \frac{R - E}{R + (k-1) E + \frac{k}{n} (C - E)}

and those of the mean of :math:`k` readers are their Spearman-Brown transforms
:math:`k\rho / (1 + (k-1)\rho)`. Intervals are those of the F distribution; of ICC(A,1) with
Satterthwaite's degrees of freedom.

References
----------
McGraw KO, Wong SP. Forming inferences about some intraclass correlation coefficients. Psychological
Methods 1996;1:30-46. doi:10.1037/1082-989X.1.1.30
Shrout PE, Fleiss JL. Intraclass correlations: uses in assessing rater reliability. Psychological
Bulletin 1979;86:420-428. doi:10.1037/0033-2909.86.2.420
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtri

Floats: TypeAlias = NDArray[np.float64]
Form: TypeAlias = Literal["ICC(1)", "ICC(A,1)", "ICC(C,1)", "ICC(k)", "ICC(A,k)", "ICC(C,k)"]
FORMS: tuple[Form, ...] = get_args(Form)
SHROUT_FLEISS: dict[str, Form] = {
    "ICC(1,1)": "ICC(1)",
    "ICC(2,1)": "ICC(A,1)",
    "ICC(3,1)": "ICC(C,1)",
    "ICC(1,k)": "ICC(k)",
    "ICC(2,k)": "ICC(A,k)",
    "ICC(3,k)": "ICC(C,k)",
}
ROUNDING = 16 * np.finfo(np.float64).eps  # of the largest reading: below it a difference is none


@dataclass(frozen=True, eq=False, kw_only=True)
class MeanSquares:
    """Two-way analysis of variance of every feature, from the patients whom all readers measured.

    Attributes
    ----------
    patients, readers, residual, within : ndarray of shape (n_features,)
        Mean squares; NaN of a feature with fewer than two patients.
    n : ndarray of shape (n_features,)
        Patients whom all readers measured.
    k : int
        Readers.
    varies : ndarray of bool, of shape (n_features,)
        False where all readings are the same.
    """

    patients: Floats
    readers: Floats
    residual: Floats
    within: Floats
    n: Floats
    k: int
    varies: NDArray[np.bool_]


def mean_squares(readings: Floats) -> MeanSquares:
    """Analyse the variance of readings of shape (n_patients, n_readers, n_features); NaN missing.

    Squares that are nothing but rounding of the readings count as 0.
    """
    k = readings.shape[1]
    everyone = np.asarray(np.isfinite(readings).all(axis=1))  # (n_patients, n_features)
    whole = everyone[:, np.newaxis]
    n = everyone.sum(axis=0).astype(np.float64)
    counted = np.where(n > 0, n, 1.0)
    values = np.where(whole, readings, 0.0)
    rounding = (ROUNDING * np.abs(values).max(axis=(0, 1), initial=0.0)) ** 2
    centred = np.where(whole, values - values.sum(axis=(0, 1)) / (counted * k), 0.0)
    of_patient = centred.mean(axis=1)
    of_reader = centred.sum(axis=0) / counted
    inside = centred - of_patient[:, np.newaxis]
    residual = np.where(whole, inside - of_reader, 0.0)
    sums = (
        k * (of_patient**2).sum(axis=0),
        n * (of_reader**2).sum(axis=0),
        (residual**2).sum(axis=(0, 1)),
        (inside**2).sum(axis=(0, 1)),
    )
    freedom = (n - 1, np.full_like(n, k - 1), (n - 1) * (k - 1), n * (k - 1))
    known = n >= 2
    squares = [
        np.where(known, np.where(total <= rounding * n * k, 0.0, total) / np.maximum(df, 1), np.nan)
        for total, df in zip(sums, freedom, strict=True)
    ]
    return MeanSquares(
        patients=squares[0],
        readers=squares[1],
        residual=squares[2],
        within=squares[3],
        n=n,
        k=k,
        varies=known & ((squares[0] > 0) | (squares[3] > 0)),
    )


def coefficients(
    squares: MeanSquares, form: Form, *, level: float
) -> tuple[Floats, Floats, Floats]:
    """Give estimate, lower and upper bound of every feature; NaN where it does not vary."""
    single = _of_one_reader(squares, form, level)
    if form.endswith("1)"):
        return single
    k = squares.k
    with np.errstate(divide="ignore"):  # the mean of k readers has no lower end: -inf at -1/(k-1)
        averaged = [k * value / (1 + (k - 1) * value) for value in single]
    return averaged[0], averaged[1], averaged[2]


def _of_one_reader(s: MeanSquares, form: Form, level: float) -> tuple[Floats, Floats, Floats]:
    if "(A" in form:
        return _absolute(s, level)
    error, df = (s.residual, (s.n - 1) * (s.k - 1)) if "(C" in form else (s.within, s.n * (s.k - 1))
    estimate = _ratio(s.patients - error, s.patients + (s.k - 1) * error, s.varies)
    tail = 1 - (1 - level) / 2
    low, high = _quantile(s.n - 1, df, tail), _quantile(df, s.n - 1, tail)
    lower = _ratio(s.patients / low - error, s.patients / low + (s.k - 1) * error, s.varies)
    upper = _ratio(s.patients - error / high, s.patients + (s.k - 1) * error / high, s.varies)
    return estimate, lower, upper


def _absolute(s: MeanSquares, level: float) -> tuple[Floats, Floats, Floats]:
    """ICC(A,1): the readers' own variance counts as error."""
    n, k = s.n, s.k
    spread = k * s.readers + (k * n - k - n) * s.residual
    estimate = _ratio(s.patients - s.residual, s.patients + spread / n, s.varies)
    of_readers = k * estimate * s.readers
    of_error = (n * (1 + (k - 1) * estimate) - k * estimate) * s.residual
    squared = of_readers**2 / (k - 1) + of_error**2 / np.maximum((n - 1) * (k - 1), 1)
    freedom = _ratio((of_readers + of_error) ** 2, squared, s.varies)
    tail = 1 - (1 - level) / 2
    low, high = _quantile(n - 1, freedom, tail), _quantile(freedom, n - 1, tail)
    lower = _ratio(n * (s.patients / low - s.residual), spread + n * s.patients / low, s.varies)
    upper = _ratio(n * (s.patients - s.residual / high), spread / high + n * s.patients, s.varies)
    exact = estimate == 1  # no reader differs anywhere: no degrees of freedom to speak of
    return estimate, np.where(exact, 1.0, lower), np.where(exact, 1.0, upper)


def _ratio(above: Floats, below: Floats, known: NDArray[np.bool_]) -> Floats:
    result = np.full(len(above), np.nan)
    np.divide(above, below, out=result, where=known & (below != 0))
    return result


def _quantile(above: Floats, below: Floats, probability: float) -> Floats:
    """Quantile of the F distribution; NaN where a degree of freedom is none."""
    right = (above > 0) & (below > 0)
    found = fdtri(np.where(right, above, 1.0), np.where(right, below, 1.0), probability)
    return np.where(right, found, np.nan)
