r"""The few latent factors that the modalities of these patients share, and a new patient's place.

MOFA explains every view `m` by the same factors, :math:`Y^m = Z W^{m\top} + noise`; the noise of
each feature and the reach of each factor into each view are learnt. Patients may lack single values
or a whole view. New patients are placed on the frozen factors by the exact posterior
(`omics.projection`), which for the training patients is the fit's own solution.

References
----------
Argelaguet R, Velten B, Arnol D, et al. Multi-Omics Factor Analysis: a framework for unsupervised
integration of multi-omics data sets. Molecular Systems Biology 2018;14:e8124.
doi:10.15252/msb.20178124
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import validate_data

from omics.errors import ConvergenceWarning
from omics.frozen_factors import FrozenFactors, dropped_table
from omics.mofa_engine import fit_engine
from omics.mofa_fit import Convergence, Engine, EngineFit, Likelihood, MofaOptions
from omics.mofa_loop import principal_start
from omics.mofa_parameters import (
    Absent,
    LowInformation,
    check_parameters,
    check_size,
    explained_by_group,
    explained_table,
    group_index,
    padded,
    warn_of_small_views,
)
from omics.mofa_scaling import PreparedView, Scale, ViewOptions, prepare_views, stacked
from omics.mofa_views import feature_name, numbers

Matrix = NDArray[np.float64]
Index = NDArray[np.intp]

MOST_CONTRIBUTIONS = 20_000_000


class FactorModel(FrozenFactors):
    """MOFA factors of the wide table, learnt from some patients and exact on any others.

    Parameters
    ----------
    views : sequence of str, optional
        Views to use; other columns are ignored. None: all, and then all must be numbers.
    likelihoods : dict, optional
        View to ``"gaussian"`` (the default), ``"bernoulli"`` (0/1) or ``"poisson"`` (counts).
    n_factors : int
        At most the number of patients and of features.
    max_features : int or dict of view to int, optional
        Keep this many features of each view, by variance in the units of the table.
    scale : {"feature", "view", "none"} or dict of view to these
        Gaussian views are centred, then divided by each feature's standard deviation, by that of
        the whole view, or not at all.
    groups : str, optional
        A column of the table whose levels are groups of patients (centres, cohorts): each group has
        its own means and noise, and with `ard_factors` its own variance of each factor. None: one
        group.
    scale_groups : bool
        Divide gaussian views of each group by the group's standard deviation, too.
    new_group : str, optional
        The group whose means, noise and factor variances apply to patients of none. None: pooled
        ones (mean of all patients; noise within groups plus the spread of the groups' means; mean
        factor variance).
    spike_slab, ard_weights, ard_factors, weight_views, least_r2
        See `omics.mofa_fit.MofaOptions`.
    max_iterations : int
        Most sweeps; reaching it gives a ConvergenceWarning.
    tolerance : float, optional
        Sweep on after mofapy2's criterion is met, until no factor value changes by `tolerance` or
        more. None: stop there.
    convergence : {"fast", "medium", "slow"}
        mofapy2's criterion: the lower bound changes by less than 5e-6, 5e-7 or 5e-8 of its first
        value, twice running.
    reach : float, optional
        A gaussian value of a new patient is held at the ends of the training patients' range,
        widened on either side by `reach` times its width: a feature that was all but constant in
        training would otherwise throw a patient off by any distance. `beyond` counts such values.
        None: hold nothing.
    least_information : float, optional
        A patient whose best information over the active factors lies below this, in [0, 1], says
        too little; `uninformed` names them.
    low_information : {"flag", "missing"}
        What `transform` does with them: keep their values, which are drawn to 0; or give missing
        ones, with which a model does what it does with missing predictors.
    absent : {"refuse", "missing"}
        Whether `transform` takes a table that lacks columns; ``"missing"`` takes their values as
        missing. `lacking` and `information_lost` say what that costs.
    engine : {"nomomics", "mofapy2"}
        Who fits; both give the same numbers.
    seed : int

    Attributes
    ----------
    factors_ : DataFrame of shape (n_patients, n_factors)
        Factor values of the patients of `fit` as the engine leaves them. A model that follows
        trains on ``transform(X)`` instead, so that training and new patients get the same
        treatment. Not saved in a file: it holds patients.
    loadings_ : DataFrame
        Columns `view`, `feature`, `factor`, `loading` (E[w]; per unit of the scaled feature).
    variance_explained_ : DataFrame
        Columns `view`, `factor`, `r2`; the factor ``all`` is all of them together. At most 1; of
        the pseudo-data in views that are not gaussian. Observed values only.
    group_variance_explained_ : DataFrame
        The same with a column `group`; empty without groups.
    information_ : DataFrame
        Columns `factor`, `information`: the mean over the patients of `fit`.
    features_ : tuple of str
        Columns used, in the order of the model.
    dropped_ : DataFrame
        Columns `view`, `feature`, `reason`: ``all missing``, ``constant`` or ``low variance``.
    groups_ : tuple of str
        The levels of `groups`; empty without groups.
    active_ : tuple of str
        The factors that are not switched off, such as ``F1``. Empty: no structure was found.
    n_patients_, n_without_values_ : int
        Patients of `fit`; those among them without a value in any view.
    n_iterations_ : int
    converged_ : bool
    elbo_ : float
        Evidence lower bound at the end, in nats; higher is better.
    projection_ : Projection
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where X had column names.

    Notes
    -----
    Factors are ordered as mofapy2 orders them, by variance explained summed over the views. The
    sign of a factor is arbitrary: here its loading largest in size is positive (of equals, the
    first). A factor that automatic relevance determination has switched off, or that `least_r2` has
    dropped, stays as a column of zeros, with loadings of 0.

    mofapy2 counts a missing 0/1 value as 0 when it learns the base rate c_d of a bernoulli feature,
    so that rate is too low for features that many patients lack; so does our engine.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> factor = rng.normal(size=40)
    >>> X = pd.DataFrame(
    ...     np.outer(factor, rng.normal(size=40)) + rng.normal(size=(40, 40)),
    ...     columns=[f"{'rna' if i < 20 else 'mri'}:{i}" for i in range(40)],
    ... )
    >>> model = FactorModel(n_factors=1).fit(X)
    >>> abs(np.corrcoef(model.transform(X)["factors:F1"], factor)[0, 1]).round(1).item()
    1.0
    """

    def __init__(
        self,
        *,
        views: Sequence[str] | None = None,
        likelihoods: Mapping[str, Likelihood] | None = None,
        n_factors: int = 10,
        max_features: int | Mapping[str, int] | None = None,
        scale: Scale | Mapping[str, Scale] = "feature",
        groups: str | None = None,
        scale_groups: bool = False,
        new_group: str | None = None,
        spike_slab: bool = True,
        ard_weights: bool = True,
        ard_factors: bool = False,
        weight_views: bool = False,
        least_r2: float | None = None,
        max_iterations: int = 1000,
        tolerance: float | None = None,
        convergence: Convergence = "fast",
        reach: float | None = 1.0,
        least_information: float | None = None,
        low_information: LowInformation = "flag",
        absent: Absent = "refuse",
        engine: Engine = "nomomics",
        seed: int = 0,
    ) -> None:
        self.views = views
        self.likelihoods = likelihoods
        self.n_factors = n_factors
        self.max_features = max_features
        self.scale = scale
        self.groups = groups
        self.scale_groups = scale_groups
        self.new_group = new_group
        self.spike_slab = spike_slab
        self.ard_weights = ard_weights
        self.ard_factors = ard_factors
        self.weight_views = weight_views
        self.least_r2 = least_r2
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.convergence = convergence
        self.reach = reach
        self.least_information = least_information
        self.low_information = low_information
        self.absent = absent
        self.engine = engine
        self.seed = seed

    def fit(self, X: pd.DataFrame | ArrayLike, y: object = None) -> Self:
        """Learn the factors.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_columns)
            Columns ``view:feature``; NaN is missing. A bare array, or a table without such names,
            is one view named ``X``.
        y : None
            Not used: factors are learnt without the outcome.

        Returns
        -------
        FactorModel

        Raises
        ------
        ValueError
            If an argument is out of range, a view or the column of groups is unknown, a patient has
            no group, or a value is no number, infinite, or none that its likelihood knows.
        FitError
            If there are fewer patients or features than factors, a view has no value or no feature
            that varies, or the numbers of the fit are not finite.

        Warns
        -----
        SmallViewWarning
            If a view has fewer than 15 features that vary.
        ConvergenceWarning
            If `max_iterations` were not enough.
        """
        return self._fit(X, disturbance=None)

    def fit_disturbed(self, X: pd.DataFrame | ArrayLike, *, disturbance: Matrix) -> Self:
        """Learn the factors from another start than `fit` does, to see whether they are the same.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_columns)
            As in `fit`.
        disturbance : ndarray of shape (n_patients, n_factors)
            Is added to the principal components that `fit` starts from, in units of the standard
            deviation of each.

        Returns
        -------
        FactorModel
        """
        return self._fit(X, disturbance=disturbance)

    def _fit(self, X: pd.DataFrame | ArrayLike, *, disturbance: Matrix | None) -> Self:
        check_parameters(self)
        table = self._table(X)
        levels, groups = group_index(table, self.groups, new_group=self.new_group)
        options = ViewOptions(
            views=self.views,
            likelihoods=self.likelihoods,
            max_features=self.max_features,
            scale=self.scale,
            scale_groups=self.scale_groups,
        )
        prepared = prepare_views(table, groups, options)
        check_size(self.n_factors, len(table), sum(len(view.columns) for view in prepared))
        warn_of_small_views({view.name: len(view.columns) for view in prepared})
        fit = self._engine_fit(prepared, groups, disturbance)
        if not fit.converged:
            warnings.warn(
                f"MOFA did not converge in {fit.n_iterations} sweeps; its factors are those of the "
                "last sweep. Raise max_iterations, or loosen convergence or tolerance.",
                ConvergenceWarning,
                stacklevel=3,
            )
        self._keep(prepared, padded(fit, self.n_factors), table, levels, groups)
        return self

    def _engine_fit(
        self, prepared: Sequence[PreparedView], groups: Index, disturbance: Matrix | None
    ) -> EngineFit:
        """Fit from the usual start, or from one that is disturbed."""
        names = [field.name for field in fields(MofaOptions)]
        options = MofaOptions(**{name: getattr(self, name) for name in names})
        views = [view.data for view in prepared]
        start = None
        if disturbance is not None:
            start = principal_start(views, self.n_factors, np.random.RandomState(self.seed))
            start = start + disturbance * start.std(axis=0)
        return fit_engine(
            views,
            likelihoods=[view.likelihood for view in prepared],
            groups=groups,
            options=options,
            engine=self.engine,
            start=start,
        )

    def _table(self, X: pd.DataFrame | ArrayLike) -> pd.DataFrame:
        """Take X at fit, as a table of unique text columns."""
        if isinstance(X, pd.DataFrame) and any(":" in str(name) for name in X.columns):
            repeated = X.columns[X.columns.duplicated()]
            if len(repeated):
                raise ValueError(
                    f"X must have unique columns, but {len(repeated)} are repeated "
                    f"(first: {repeated[0]!r})."
                )
            validate_data(self, X, skip_check_array=True)
            return X
        values = validate_data(
            self, X, dtype=np.float64, ensure_all_finite="allow-nan", ensure_min_samples=2
        )
        names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(values.shape[1])])
        index = X.index if isinstance(X, pd.DataFrame) else None
        return pd.DataFrame(values, columns=list(names), index=index)

    def _keep(
        self,
        prepared: Sequence[PreparedView],
        fit: EngineFit,
        table: pd.DataFrame,
        levels: tuple[str, ...],
        groups: Index,
    ) -> None:
        """Store what was learnt."""
        self.groups_ = levels
        self.projection_ = stacked(
            prepared,
            fit,
            group_sizes=np.bincount(groups) / len(groups),
            reach=self.reach,
            new_group=None if self.new_group is None else levels.index(self.new_group),
        )
        self.features_ = tuple(name for view in prepared for name in view.columns)
        place = {str(name): i for i, name in enumerate(table.columns)}
        self._positions = np.array([place[name] for name in self.features_], dtype=np.intp)
        names = self._factor_names()
        on = np.atleast_1d(self.projection_.weight.any(axis=0))
        self.active_ = tuple(name for name, yes in zip(names, on, strict=True) if yes)
        self.factors_ = pd.DataFrame(
            fit.factors, index=table.index, columns=self.get_feature_names_out()
        )
        self.n_iterations_, self.converged_, self.elbo_ = fit.n_iterations, fit.converged, fit.elbo
        self.n_patients_ = len(table)
        values = numbers(table[list(self.features_)])
        self.n_without_values_ = int(np.isnan(values).all(axis=1).sum())
        information = self.projection_.posterior(values, groups).information.mean(axis=0)
        self.information_ = pd.DataFrame({"factor": names, "information": information})
        self.loadings_ = self._loadings()
        views = [view.name for view in prepared]
        self.variance_explained_ = explained_table(views, names, fit)
        self.group_variance_explained_ = explained_by_group(views, names, fit, levels, groups)
        self.dropped_ = dropped_table(
            (view.name, feature_name(column), reason)
            for view in prepared
            for column, reason in view.dropped
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []  # always float64
        return tags
