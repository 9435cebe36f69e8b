"""How the factors are learnt: the one door, behind which either of two engines works.

``"nomomics"`` is ours (`omics.mofa_loop`), ``"mofapy2"`` the reference (`omics.reference_engine`).
Both make the same updates in the same order from the same start, and stop by the same rule: their
bounds agree sweep by sweep to rounding. Each fit runs on one BLAS thread, since several fits side
by side fight over them; parallelise over folds, starts or resamples instead.

References
----------
Argelaguet R, Velten B, Arnol D, et al. Multi-Omics Factor Analysis: a framework for unsupervised
integration of multi-omics data sets. Molecular Systems Biology 2018;14:e8124.
doi:10.15252/msb.20178124
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from omics.mofa_fit import Engine, EngineFit, Likelihood, Matrix, MofaOptions
from omics.mofa_loop import fit_nomomics
from omics.reference_engine import fit_mofapy2


def fit_engine(
    views: Sequence[Matrix],
    *,
    likelihoods: Sequence[Likelihood],
    groups: NDArray[np.intp],
    options: MofaOptions,
    engine: Engine,
    start: Matrix | None = None,
) -> EngineFit:
    """Fit MOFA to checked matrices.

    Parameters
    ----------
    views : sequence of ndarray of shape (n_patients, n_features)
        Gaussian views centred (by group) and scaled, bernoulli views 0/1, poisson views counts; NaN
        is missing. Not modified.
    likelihoods : sequence of {"gaussian", "bernoulli", "poisson"}
        One per view.
    groups : ndarray of int of shape (n_patients,)
        0, 1, ...; each has patients.
    options : MofaOptions
    engine : {"nomomics", "mofapy2"}
    start : ndarray of shape (n_patients, n_factors), optional
        First means of the factors. None: the principal components of all views side by side, each
        stretched to [-1, 1].

    Returns
    -------
    EngineFit
        Factors stand by variance explained, summed over the views; the loading largest in size of
        each is positive (of equals, the first).

    Raises
    ------
    FitError
        If the numbers are not finite, or mofapy2 gives up.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> factor = rng.normal(size=40)
    >>> view = np.outer(factor, rng.normal(size=30)) + rng.normal(size=(40, 30)) / 2
    >>> fit = fit_engine(
    ...     [view - view.mean(axis=0)], likelihoods=["gaussian"], groups=np.zeros(40, dtype=int),
    ...     options=MofaOptions(n_factors=2), engine="nomomics",
    ... )
    >>> abs(np.corrcoef(fit.factors[:, 0], factor)[0, 1]).round(2).item()
    1.0
    """
    fit = fit_nomomics if engine == "nomomics" else fit_mofapy2
    return fit(views, likelihoods=likelihoods, groups=groups, options=options, start=start)
