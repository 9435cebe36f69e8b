r"""Molecular tables: what their values must be, and on which scale they enter a model.

.. math::

    \mathrm{log2p1}(x) = \log_2(x + 1), \qquad
    M(\beta) = \log_2 \frac{\beta}{1 - \beta}

References
----------
Du P, et al. Comparison of Beta-value and M-value methods for quantifying methylation levels by
microarray analysis. BMC Bioinformatics 2010;11:587. doi:10.1186/1471-2105-11-587
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omics.errors import StudyError
from omics.messages import also, first_offender

BETA_CLIP = 0.001
"""Beta values are clipped to [BETA_CLIP, 1 - BETA_CLIP], so that M stays within about +-9.96."""


def check_mutations(table: pd.DataFrame, *, title: str = "mutations") -> None:
    """Raise unless every value is 0, 1 or missing.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_genes)
        The index says where each row stands.
    title : str
        How messages name the table.

    Raises
    ------
    StudyError
        On the first gene with another value.

    Examples
    --------
    >>> check_mutations(pd.DataFrame({"IDH1": [0, 1, np.nan]}))
    """
    values = table.to_numpy(dtype=np.float64)
    _refuse(
        table,
        ~(np.isnan(values) | np.isin(values, (0.0, 1.0))),
        title=title,
        requirement="0 (absent) or 1 (present)",
        cure='Recode counts and classes, as in recode = { GENE = { 0 = 0, "*" = 1 } }.',
    )


def log2p1(table: pd.DataFrame, *, title: str = "table") -> pd.DataFrame:
    """Take log2(x + 1) of counts, TPM or other amounts.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_features)
        Amounts, 0 or more; NaN where missing.
    title : str
        How messages name the table.

    Returns
    -------
    DataFrame of the same shape

    Raises
    ------
    StudyError
        If a value is negative: such a table is most likely on a log scale already.

    Examples
    --------
    >>> log2p1(pd.DataFrame({"EGFR": [0.0, 3.0]}))["EGFR"].tolist()
    [0.0, 2.0]
    """
    values = table.to_numpy(dtype=np.float64)
    _refuse(
        table,
        values < 0,
        title=title,
        requirement="0 or more for transform log2p1",
        cure="Negative values suggest a log or z scale already: take the transform out.",
    )
    return pd.DataFrame(np.log2(values + 1), index=table.index, columns=table.columns)


def beta_to_m(table: pd.DataFrame, *, title: str = "table") -> pd.DataFrame:
    """Turn methylation beta values into M values.

    Parameters
    ----------
    table : DataFrame of shape (n_rows, n_probes)
        Beta values in [0, 1], higher is more methylated; NaN where missing. They are clipped to
        [0.001, 0.999] first, since 0 and 1 have no finite M.
    title : str
        How messages name the table.

    Returns
    -------
    DataFrame of the same shape
        M values, within about +-9.96.

    Raises
    ------
    StudyError
        If a value lies outside [0, 1].

    Examples
    --------
    >>> beta_to_m(pd.DataFrame({"cg1": [0.5, 0.8, 0.2]}))["cg1"].round(12).tolist()
    [0.0, 2.0, -2.0]
    """
    values = table.to_numpy(dtype=np.float64)
    _refuse(
        table,
        (values < 0) | (values > 1),
        title=title,
        requirement="a beta value in [0, 1] for transform beta_to_m",
        cure="Values outside suggest M values already: take the transform out; divide per cent by "
        "100.",
    )
    clipped = np.clip(values, BETA_CLIP, 1 - BETA_CLIP)
    return pd.DataFrame(np.log2(clipped / (1 - clipped)), index=table.index, columns=table.columns)


def count_clipped(table: pd.DataFrame) -> tuple[int, int]:
    """Count the beta values that `beta_to_m` clips, and all that are not missing."""
    values = table.to_numpy(dtype=np.float64)
    clipped = (values < BETA_CLIP) | (values > 1 - BETA_CLIP)
    return int(clipped.sum()), int(np.isfinite(values).sum())


def _refuse(
    table: pd.DataFrame,
    wrong: NDArray[np.bool_],
    *,
    title: str,
    requirement: str,
    cure: str,
) -> None:
    if not wrong.any():
        return
    column, count, value, place, others = first_offender(table, wrong)
    raise StudyError(
        f"{title}: every value of column {column!r} must be {requirement}, but {count} of "
        f"{len(table)} {'is' if count == 1 else 'are'} not (first: {value:g} in {place})."
        f"{also(others)} {cure}"
    )
