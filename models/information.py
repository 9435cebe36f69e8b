"""How much the values of each group of patients say about the factors, and which views they have.

The information of a patient on a factor is the share of the factor's prior variance that the
patient's values removed (`omics.projection`): 0 where nothing was observed, and then the factor is
the average. Here it is set out by cohort, and by the views that patients have.
"""

import numpy as np
import pandas as pd

from omics.cohort import DEVELOPMENT, Cohort
from omics.mofa import FactorModel
from omics.mofa_views import view_name

BY_COHORT = [
    *("cohort", "factor", "n_patients", "lowest", "lower_quartile", "median", "upper_quartile"),
    *("highest", "mean", "n_low"),
]
BY_VIEWS = ["cohort", "views", "factor", "n_patients", "mean"]
NO_VIEW = "none"


def information_by_cohort(
    information: pd.DataFrame, cohort: Cohort, *, least: float
) -> pd.DataFrame:
    """Summarise the information on each factor in each cohort.

    Parameters
    ----------
    information : DataFrame of shape (n_patients, n_factors)
        Of every patient, in [0, 1]; columns ``factors:F1``, ...
    cohort : Cohort
    least : float
        `n_low` counts patients below it.

    Returns
    -------
    DataFrame, one row per cohort and factor
        Columns as in `BY_COHORT`.
    """
    rows = []
    for label, part in {DEVELOPMENT: cohort.development, **cohort.external}.items():
        for column, values in information.loc[part.X.index].items():
            numbers = values.to_numpy(dtype=np.float64)
            five = np.quantile(numbers, [0, 0.25, 0.5, 0.75, 1]).tolist()
            low = int((numbers < least).sum())
            factor = str(column).partition(":")[2]
            rows.append((label, factor, len(numbers), *five, float(numbers.mean()), low))
    return pd.DataFrame(rows, columns=BY_COHORT)


def information_by_views(
    information: pd.DataFrame, cohort: Cohort, model: FactorModel
) -> pd.DataFrame:
    """Average the information on each factor over the patients who have the same views.

    Parameters
    ----------
    information : DataFrame of shape (n_patients, n_factors)
    cohort : Cohort
    model : FactorModel, fitted

    Returns
    -------
    DataFrame, one row per cohort, set of views and factor
        Columns as in `BY_VIEWS`: `views` such as ``radiomics + expression``, or ``none``; the most
        frequent sets first.
    """
    had = observed_views(cohort.X, model)
    rows = []
    for label, part in {DEVELOPMENT: cohort.development, **cohort.external}.items():
        patients = part.X.index
        groups = had.loc[patients]
        for views in groups.value_counts(sort=True).index:
            chosen = information.loc[patients[(groups == views).to_numpy()]]
            rows += [
                (label, str(views), str(column).partition(":")[2], len(chosen), float(mean))
                for column, mean in chosen.mean().items()
            ]
    return pd.DataFrame(rows, columns=BY_VIEWS)


def observed_views(X: pd.DataFrame, model: FactorModel) -> "pd.Series[str]":
    """Say which of the model's views each patient has a value of.

    Parameters
    ----------
    X : DataFrame of shape (n_patients, n_columns)
    model : FactorModel, fitted

    Returns
    -------
    Series of str, shape (n_patients,)
        Views joined by `` + ``, in the order of the model; ``none`` without any.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(9, 4)), columns=["mri:a", "mri:b", "rna:c", "rna:d"])
    >>> model = FactorModel(n_factors=1).fit(X)
    >>> X.iloc[0, 2:], X.iloc[1] = np.nan, np.nan
    >>> observed_views(X, model).tolist()[:3]
    ['mri', 'none', 'mri + rna']
    """
    columns: dict[str, list[str]] = {}
    for name in model.features_:
        columns.setdefault(view_name(name), []).append(name)
    has = [X[names].notna().any(axis=1).tolist() for names in columns.values()]
    joined = [
        " + ".join(view for view, there in zip(columns, row, strict=True) if there) or NO_VIEW
        for row in zip(*has, strict=True)
    ]
    return pd.Series(joined, index=X.index, dtype=object)
