r"""Why these points? A patient's factor points, traced back to the features that were measured.

A factor value is a sum over the patient's features, :math:`z_k = \sum_d c_{kd}`, each term being
what one measured value added to it (`FactorModel.contributions`). A factor enters a Cox or
logistic model linearly, so that

.. math::

    \beta_k z_k = \sum_d \beta_k c_{kd}, \qquad
    \mathrm{points}_k = \underbrace{-c R_{k1}}_{\text{points at } z_k = 0}
      + \sum_d c\,\beta_k c_{kd}

with :math:`c` the points per unit of linear predictor and :math:`R_{k1}` the contribution at the
lower end of the factor's axis. Points at :math:`z_k = 0`, where a patient of whom nothing is known
stands, belong to no feature and have a row of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.axes import AxisGroup
from models.nomogram import Nomogram
from omics.messages import quoted

FACTORS = "factors:"
AT_ZERO = "(factor at zero)"
WHOLE = "(whole predictor)"
NEEDED = ["patient", "factor", "view", "feature", "contribution"]
COLUMNS = ["patient", "predictor", "view", "feature", "contribution", "linear_predictor", "points"]
NUMBERS = COLUMNS[4:]
SAME = 1e-6  # of a factor value, whose prior standard deviation is 1


@dataclass(frozen=True, eq=False, kw_only=True)
class PointTrace:
    """Points of some patients, feature by feature.

    Attributes
    ----------
    table : DataFrame, one row per patient, predictor and feature
        `patient`; `predictor`; `view` and `feature` (of a factor the features that make it, and
        ``(factor at zero)``; of any other predictor ``(whole predictor)``); `contribution` to the
        factor value (NaN but for features of factors); `linear_predictor`, its share of the
        predictor's effect (coefficient times value); `points`. Points of a patient sum to the
        nomogram's total, those of a patient and predictor to the predictor's points.
    points_per_unit : float
        Points per unit of linear predictor.
    n_patients : int
    """

    table: pd.DataFrame
    points_per_unit: float
    n_patients: int

    def __repr__(self) -> str:
        n_factors = self.table.loc[self.table["feature"] == AT_ZERO, "predictor"].nunique()
        return (
            f"PointTrace({self.n_patients} patients, {n_factors} factors traced, "
            f"{self.points_per_unit:.4g} points per unit of linear predictor)"
        )

    def of_patient(self, patient: object, *, n_features: int) -> pd.DataFrame:
        """Return the rows of one patient, the largest points first, the small ones together.

        Parameters
        ----------
        patient : object
        n_features : int
            Features shown of each factor, by size of their points; the others of the factor share
            one row, ``(n others)``, with an empty view.

        Returns
        -------
        DataFrame
            Columns of `table`; its points sum to the patient's total.

        Raises
        ------
        ValueError
            If the patient is not there or `n_features` is below 1.
        """
        if n_features < 1:
            raise ValueError(f"n_features must be at least 1, but is {n_features}.")
        rows = self.table[self.table["patient"] == patient]
        if rows.empty:
            raise ValueError(
                f"the patient must be one of the {self.n_patients} traced, but {patient!r} is not. "
                "Trace this patient too."
            )
        parts = [_shown(part, n_features) for _, part in rows.groupby("predictor", sort=False)]
        return _stacked(parts)


def trace_points(
    nomogram: Nomogram, matrix: pd.DataFrame, contributions: pd.DataFrame
) -> PointTrace:
    """Trace the points of patients to the features of their factors.

    Parameters
    ----------
    nomogram : Nomogram
        Of a Cox or logistic model with factors among its predictors.
    matrix : DataFrame of shape (n_patients, n_design_columns)
        The design matrix of the patients, such as ``pipeline.design.transform(...)`` gives; its
        index names them.
    contributions : DataFrame
        Columns `patient`, `factor` (``F1`` or ``factors:F1``), `view`, `feature`, `contribution`:
        what each measured value adds to the factor value of a patient. Rows of other patients are
        not looked at, nor are factors that are no predictor.

    Returns
    -------
    PointTrace

    Raises
    ------
    ValueError
        If no factor is a predictor, a factor enters as a spline or interacts, a column is absent,
        a patient repeats, or contributions do not add up to a factor value of the design matrix.

    Examples
    --------
    >>> from models.design import Design
    >>> from models.logistic import LogisticModel
    >>> from models.nomogram import nomogram
    >>> X = pd.DataFrame({"factors:F1": [0.0, 1.0, 2.0, 3.0]}, index=list("abcd"))
    >>> design = Design(["factors:F1"]).fit(X)
    >>> matrix = design.transform(X)
    >>> chart = nomogram(design, LogisticModel().fit(matrix, np.array([0, 1, 0, 1], dtype=bool)))
    >>> parts = pd.DataFrame({"patient": "c", "factor": "F1", "view": "rna",
    ...                       "feature": ["TP53", "EGFR"], "contribution": [2.5, -0.5]})
    >>> trace_points(chart, matrix.loc[["c"]], parts).table["points"].round(1).tolist()
    [0.0, 83.3, -16.7]
    """
    matrix = _checked_matrix(matrix)
    parts = _checked_contributions(contributions)
    points = nomogram.predictor_points(matrix)
    traced, found = [], 0
    for group in nomogram.groups:
        if not any(name.startswith(FACTORS) for name in group.predictors):
            effect = points[group.name] / nomogram.points_per_unit + group.lowest
            traced.append(_whole(group.name, points[group.name], effect))
            continue
        _refuse_curved(group)
        found += 1
        mine = parts[parts["factor"] == group.name]
        _check_sums(group.name, mine, matrix[group.columns[0]])
        slope = float(nomogram.coefficients[group.columns[0]])
        traced += [
            _at_zero(group.name, matrix.index, 0.0 - group.lowest * nomogram.points_per_unit),
            _features(group.name, mine, matrix.index, slope, nomogram.points_per_unit),
        ]
    if not found:
        names = [term.name for term in nomogram.terms]
        raise ValueError(
            f"a predictor must be a factor to be traced, but none of {quoted(names)} is. Trace a "
            "model with factors:... among its predictors."
        )
    table = _stacked(traced)
    place = {patient: i for i, patient in enumerate(matrix.index)}
    order = table["patient"].map(place).sort_values(kind="stable").index
    return PointTrace(
        table=table.loc[order].reset_index(drop=True),
        points_per_unit=nomogram.points_per_unit,
        n_patients=len(matrix),
    )


def _refuse_curved(group: AxisGroup) -> None:
    if len(group.columns) > 1:
        how = "a spline" if len(group.predictors) == 1 else "part of an interaction"
        raise ValueError(
            f"a factor must enter the model linearly to be traced, but {group.name!r} is {how}: no "
            f"feature has a share of its own. Take {how.removeprefix('part of ')} away."
        )


def _checked_matrix(matrix: pd.DataFrame) -> pd.DataFrame:
    repeated = matrix.index[matrix.index.duplicated()]
    if len(repeated):
        raise ValueError(
            f"matrix must hold each patient once, but {len(repeated)} rows repeat one. Trace each "
            "patient once."
        )
    return matrix


def _checked_contributions(contributions: pd.DataFrame) -> pd.DataFrame:
    absent = [name for name in NEEDED if name not in contributions.columns]
    if absent:
        raise ValueError(
            f"contributions must have the columns {NEEDED}, but {absent} are absent. Pass "
            "FactorModel.contributions(X)."
        )
    names = contributions["factor"].astype(str)
    full = names.where(names.str.startswith(FACTORS), FACTORS + names)
    return contributions[NEEDED].assign(factor=full)


def _check_sums(factor: str, parts: pd.DataFrame, values: "pd.Series[float]") -> None:
    """Raise unless the contributions of each patient are those of the factor value."""
    sums = parts.groupby("patient")["contribution"].sum().reindex(values.index).fillna(0.0)
    wrong = ~((sums - values).abs() <= SAME)
    if wrong.any():
        first = wrong.idxmax()
        raise ValueError(
            f"contributions must add up to the factor values of the design matrix, but those of "
            f"{factor!r} do not for {int(wrong.sum())} of {len(values)} patients (first: "
            f"{sums[first]:.4g} and {values[first]:.4g}). Pass the contributions of the same "
            "patients, by the factor model of the same pipeline."
        )


def _at_zero(predictor: str, patients: pd.Index, points: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient": patients,
            "predictor": predictor,
            "view": "",
            "feature": AT_ZERO,
            "contribution": np.nan,
            "linear_predictor": 0.0,
            "points": points,
        },
        columns=COLUMNS,
    )


def _features(
    predictor: str, parts: pd.DataFrame, patients: pd.Index, slope: float, points_per_unit: float
) -> pd.DataFrame:
    mine = parts[parts["patient"].isin(patients)].rename(columns={"factor": "predictor"})
    part = slope * mine["contribution"]
    return mine.assign(predictor=predictor, linear_predictor=part, points=part * points_per_unit)[
        COLUMNS
    ]


def _whole(predictor: str, points: "pd.Series[float]", effect: "pd.Series[float]") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient": points.index,
            "predictor": predictor,
            "view": predictor.partition(":")[0],
            "feature": WHOLE,
            "contribution": np.nan,
            "linear_predictor": effect.to_numpy(),
            "points": points.to_numpy(),
        },
        columns=COLUMNS,
    )


def _shown(part: pd.DataFrame, n_features: int) -> pd.DataFrame:
    """Keep the largest features of one predictor, and add up the others."""
    constant = part[part["contribution"].isna()]
    features = part[part["contribution"].notna()]
    order = features["points"].abs().sort_values(ascending=False, kind="stable").index
    kept, rest = features.loc[order[:n_features]], features.loc[order[n_features:]]
    if rest.empty:
        return _stacked([constant, kept])
    others = rest.iloc[[0]].assign(view="", feature=f"({len(rest)} others)")
    for name in NUMBERS:
        others[name] = rest[name].sum()
    return _stacked([constant, kept, others])


def _stacked(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Stack tables of `COLUMNS`; pandas' own way is unsure of columns that are all NaN."""
    return pd.DataFrame(
        {
            name: np.concatenate(
                [part[name].to_numpy(dtype=float if name in NUMBERS else object) for part in parts]
            )
            for name in COLUMNS
        }
    )
