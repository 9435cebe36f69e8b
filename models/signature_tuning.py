r"""Which penalty a signature takes: cross-validated deviance within the patients it is fitted on.

Patients are dealt to folds by id, so that copies of one patient (a bootstrap's) stay together. In
fold k the path is fitted without the fold; what its patients tell of it is the binomial deviance of
the fold, or (Cox) the deviance of everyone less that of everyone but the fold (van Houwelingen).
As in cv.glmnet the mean over folds is weighted by patients (Cox: by events), and with K folds of
deviance :math:`D_k` and weight :math:`w_k`

.. math::

    \bar D = \frac{\sum_k w_k D_k}{\sum_k w_k}, \qquad
    \mathrm{se} = \sqrt{\frac{\sum_k w_k (D_k - \bar D)^2}{(K - 1) \sum_k w_k}}

The rule `min` takes the largest penalty of least mean deviance, `1se` the largest whose mean is
within one standard error of that.

References
----------
van Houwelingen HC, et al. Cross-validated Cox regression on microarray gene expression data.
Statistics in Medicine 2006;25:3201-3216. doi:10.1002/sim.2353
Breiman L, Friedman JH, Olshen RA, Stone CJ. Classification and Regression Trees. 1984 (1-se rule).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.inner_folds import deal_folds
from models.signature_columns import Columns, learn_columns
from models.signature_losses import LogisticLoss, Loss, loss_of
from models.signature_path import PenalisedPath
from omics.outcome import is_survival

Floats = NDArray[np.float64]

SMALLEST_WIDE, SMALLEST = 0.01, 1e-4  # last penalty of the path over the first, as in glmnet
LEAST_PENALTIES = 10  # are looked at before the path may end early


@dataclass(frozen=True, eq=False, kw_only=True)
class Tuning:
    """The path on all patients, and the deviance of the patients left out of it.

    Attributes
    ----------
    penalty, mean, standard_error : ndarray of shape (n_penalties,)
        Penalties, falling, and the deviance of held-out patients at each.
    coef : ndarray of shape (n_penalties, p)
        Coefficients per unit of each column.
    level : ndarray of shape (n_penalties,)
        Linear predictor of the patient at the means.
    columns : Columns
        Means, medians and spread of the columns.
    """

    penalty: Floats
    mean: Floats
    standard_error: Floats
    coef: Floats
    level: Floats
    columns: Columns

    def __repr__(self) -> str:
        return f"Tuning({len(self.penalty)} penalties, {self.coef.shape[1]} columns)"

    @property
    def at_min(self) -> int:
        """Position of the largest penalty of least mean deviance."""
        return int(np.argmin(self.mean))

    @property
    def at_1se(self) -> int:
        """Position of the largest penalty within one standard error of the least."""
        best = self.at_min
        return int(np.argmax(self.mean <= self.mean[best] + self.standard_error[best]))

    def chosen(self, rule: str) -> int:
        """Position of the penalty that the rule takes."""
        return self.at_1se if rule == "1se" else self.at_min


def tune(
    table: pd.DataFrame,
    y: NDArray[Any],
    patient: NDArray[np.intp],
    *,
    mix: float,
    folds: int,
    n_lambda: int,
    seed: int,
) -> Tuning:
    """Fit the path on all patients and on all folds but one, penalty by penalty.

    Considered and rejected: the whole path to its end, as glmnet goes it, because nearly all of the
    time is spent on its last third, where features outnumber events. It ends once the mean deviance
    lies more than one standard error above its least: what is chosen would be chosen on the whole
    path too, unless its deviance fell again beyond.

    Parameters
    ----------
    table : DataFrame of shape (n_patients, p)
        Numbers, NaN where missing.
    y : ndarray of shape (n_patients,)
    patient : ndarray of int, shape (n_patients,)
        Rows with one number are one patient.
    mix : float in (0, 1]
    folds, n_lambda, seed : int

    Returns
    -------
    Tuning

    Raises
    ------
    FitError
        If a fold would be left without an event, or (binary) without a patient free of it.
    """
    event = np.asarray(y["event"] if is_survival(y) else y, dtype=np.bool_)
    fold = deal_folds(
        patient, event, folds=folds, seed=seed, binary=not is_survival(y), name="folds"
    )
    return tune_in_folds(table, y, fold, mix=mix, n_lambda=n_lambda)


def tune_in_folds(
    table: pd.DataFrame, y: NDArray[Any], fold: NDArray[np.intp], *, mix: float, n_lambda: int
) -> Tuning:
    """Tune with the folds given, numbered from 0; see `tune`."""
    columns = learn_columns(table)
    path = PenalisedPath(columns.filled(table), loss_of(y), mix=mix)
    parts = [_Part(table, y, fold == k, mix) for k in range(fold.max() + 1)]
    weight = np.array([part.weight for part in parts])
    found: list[tuple[float, float, float, Floats, float]] = []
    for penalty in _penalties(path, n_lambda):
        path.move_to(penalty)
        held_out = np.array([part.deviance(penalty) for part in parts])
        mean = float(np.average(held_out, weights=weight))
        variance = float(np.average((held_out - mean) ** 2, weights=weight)) / (len(parts) - 1)
        found.append((penalty, mean, np.sqrt(variance), path.coef, path.level))
        if _is_past(found):
            break
    penalties, means, errors, coef, level = zip(*found, strict=True)
    return Tuning(
        penalty=np.array(penalties),
        mean=np.array(means),
        standard_error=np.array(errors),
        coef=np.array(coef),
        level=np.array(level),
        columns=columns,
    )


def _penalties(path: PenalisedPath, n_lambda: int) -> Floats:
    """Penalties from the one that leaves nothing, falling by a constant factor; as in glmnet."""
    wide = path.loss.n_patients < len(path.beta)
    ratio = SMALLEST_WIDE if wide else SMALLEST
    if path.largest == 0:  # no column varies, or none goes with the outcome at all
        return np.zeros(1)
    return np.asarray(path.largest * np.geomspace(1, ratio, n_lambda))


def _is_past(found: Sequence[tuple[float, float, float, Floats, float]]) -> bool:
    """Tell whether the deviance has risen by more than a standard error since its least."""
    means = [row[1] for row in found]
    best = int(np.argmin(means))
    return len(found) >= LEAST_PENALTIES and means[-1] > means[best] + found[best][2]


class _Part:
    """The path without one fold, and what that fold's patients make of it."""

    def __init__(
        self, table: pd.DataFrame, y: NDArray[Any], held_out: NDArray[np.bool_], mix: float
    ) -> None:
        train = table[~held_out]
        columns = learn_columns(train)
        self._survival = is_survival(y)
        self._loss: Loss = loss_of(y[~held_out])
        self._path = PenalisedPath(columns.filled(train), self._loss, mix=mix)
        self._train = ~held_out
        everyone = columns.filled(table)
        self._x = everyone if self._survival else everyone[held_out]
        self._judge = loss_of(y) if self._survival else LogisticLoss(event=y[held_out])
        self.weight = int(y["event"][held_out].sum() if self._survival else held_out.sum())

    def deviance(self, penalty: float) -> float:
        """Give the deviance of the fold's patients, per patient (Cox: per event)."""
        self._path.move_to(penalty)
        eta = self._path.linear_predictor(self._x)
        total = self._judge.deviance(eta)
        if self._survival:
            total -= self._loss.deviance(eta[self._train])
        return total / self.weight
