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
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, get_args, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from omics.errors import ConvergenceWarning, FitError
from omics.mofa_engine import fit_engine
from omics.mofa_file import read_model, write_model
from omics.mofa_fit import (
    Convergence,
    EngineFit,
    Likelihood,
    MofaOptions,
    variance_explained,
)
from omics.mofa_loop import fit_nomomics, principal_start
from omics.mofa_views import (
    PreparedView,
    Scale,
    check_binary,
    check_columns,
    feature_name,
    is_count,
    numbers,
    prepare_views,
    stacked,
    view_name,
)
from omics.projection import Posterior, Projection

Matrix = NDArray[np.float64]


class FactorModel(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """MOFA factors of the wide table, learnt from some patients and exact on any others.

    Parameters
    ----------
    views : sequence of str, optional
        Views to use; other columns are ignored. None: all, and then all must be numbers.
    likelihoods : dict, optional
        View to ``"gaussian"`` (the default) or ``"bernoulli"`` (0/1).
    n_factors : int
        At most the number of patients and of features.
    max_features : int or dict of view to int, optional
        Keep this many features of each view, by variance in the units of the table.
    scale : {"feature", "view", "none"} or dict of view to these
        Gaussian views are centred, then divided by each feature's standard deviation, by that of
        the whole view, or not at all.
    max_iterations : int
        Most sweeps; reaching it gives a ConvergenceWarning.
    tolerance : float, optional
        Sweep on after mofapy2 has stopped, until no factor value changes by `tolerance` or more.
        None: stop where mofapy2 does.
    convergence : {"fast", "medium", "slow"}
        mofapy2's criterion: the lower bound changes by less than 5e-6, 5e-7 or 5e-8 of its first
        value, three times running.
    reach : float, optional
        A gaussian value of a new patient is held at the ends of the training patients' range,
        widened on either side by `reach` times its width: a feature that was all but constant in
        training would otherwise throw a patient off by any distance. `beyond` counts such values.
        None: hold nothing.
    seed : int

    Attributes
    ----------
    factors_ : DataFrame of shape (n_patients, n_factors)
        Factor values of the patients of `fit` as mofapy2 leaves them. A model that follows trains
        on ``transform(X)`` instead, so that training and new patients get the same treatment.
        Not saved in a file: it holds patients.
    loadings_ : DataFrame
        Columns `view`, `feature`, `factor`, `loading` (E[w]; per unit of the scaled feature).
    variance_explained_ : DataFrame
        Columns `view`, `factor`, `r2`; the factor ``all`` is all of them together. At most 1; of
        the pseudo-data in a bernoulli view. Observed values only.
    features_ : tuple of str
        Columns used, in the order of the model.
    dropped_ : DataFrame
        Columns `view`, `feature`, `reason`: ``all missing``, ``constant`` or ``low variance``.
    n_patients_ : int
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
    first). A factor that automatic relevance determination has switched off stays as a column
    of zeros, with loadings of 0 (in `factors_` its values are below 1e-6).

    mofapy2 counts a missing 0/1 value as 0 when it learns the base rate c_d of a bernoulli feature,
    so that rate is too low for features that many patients lack.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> factor = rng.normal(size=40)
    >>> X = pd.DataFrame(
    ...     np.outer(factor, [1, 2, -1, 3]) + rng.normal(size=(40, 4)) / 10,
    ...     columns=["rna:A", "rna:B", "mri:C", "mri:D"],
    ... )
    >>> model = FactorModel(n_factors=1).fit(X)
    >>> abs(np.corrcoef(model.transform(X)["factors:F1"], factor)[0, 1]).round(2).item()
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
        max_iterations: int = 1000,
        tolerance: float | None = None,
        convergence: Convergence = "fast",
        reach: float | None = 1.0,
        seed: int = 0,
    ) -> None:
        self.views = views
        self.likelihoods = likelihoods
        self.n_factors = n_factors
        self.max_features = max_features
        self.scale = scale
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.convergence = convergence
        self.reach = reach
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
            If an argument is out of range, a view is unknown, or a value is no number, infinite, or
            neither 0 nor 1 in a bernoulli view.
        FitError
            If there are fewer patients or features than factors, a view has no value or no feature
            that varies, or mofapy2 gives up.
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
        self._check_parameters()
        table = self._table(X)
        prepared = prepare_views(
            table,
            views=self.views,
            likelihoods=self.likelihoods,
            max_features=self.max_features,
            scale=self.scale,
        )
        self._check_size(len(table), sum(len(view.columns) for view in prepared))
        fit = self._engine_fit(prepared, disturbance)
        if not fit.converged:
            warnings.warn(
                f"MOFA did not converge in {fit.n_iterations} sweeps; its factors are those of the "
                "last sweep. Raise max_iterations, or loosen convergence or tolerance.",
                ConvergenceWarning,
                stacklevel=2,
            )
        self._keep(prepared, fit, table)
        return self

    @overload
    def transform(self, X: pd.DataFrame) -> pd.DataFrame: ...
    @overload
    def transform(self, X: ArrayLike) -> Matrix: ...
    def transform(self, X: pd.DataFrame | ArrayLike) -> pd.DataFrame | Matrix:
        """Place patients on the factors; each patient's values depend on that patient alone.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_columns)
            A table must have every column of `features_`, in any order; others are ignored.
            A patient's missing values are left out; of a patient without any, all factors are 0.

        Returns
        -------
        DataFrame or ndarray of shape (n_patients, n_factors)
            Posterior means, columns ``factors:F1``, ...; an array if X is one.

        Raises
        ------
        ValueError
            If a column the factors need is absent, or a value is no number, infinite, or neither 0
            nor 1 in a bernoulli view.
        """
        return self._like(X, self._posterior(X).mean)

    @overload
    def information(self, X: pd.DataFrame) -> pd.DataFrame: ...
    @overload
    def information(self, X: ArrayLike) -> Matrix: ...
    def information(self, X: pd.DataFrame | ArrayLike) -> pd.DataFrame | Matrix:
        """Tell how much each patient's values say about each factor.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_columns)
            As in `transform`.

        Returns
        -------
        DataFrame or ndarray of shape (n_patients, n_factors)
            Share of the factor's prior variance that the patient's values removed, in [0, 1]:
            ``1 - alpha_k (A^-1)_kk``; 0 where nothing was observed.
        """
        return self._like(X, self._posterior(X).information)

    def beyond(self, X: pd.DataFrame | ArrayLike) -> pd.DataFrame:
        """Count the values that `transform` holds because they lie too far out (see `reach`).

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_columns)
            As in `transform`.

        Returns
        -------
        DataFrame, one row per feature with such values
            `feature` (its column) and `n_values`.
        """
        check_is_fitted(self)
        counts = self.projection_.beyond(self._values(X)).sum(axis=0)
        found = [(name, int(n)) for name, n in zip(self.features_, counts, strict=True) if n]
        return pd.DataFrame(found, columns=["feature", "n_values"])

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return ``factors:F1``, ``factors:F2``, ...; `input_features` plays no part."""
        check_is_fitted(self)
        return np.array([f"factors:{name}" for name in self._factor_names()], dtype=object)

    def save(self, folder: str | Path) -> None:
        """Write `factors.json` and `factors.npz` into `folder`: plain data, no patients."""
        write_model(Path(folder), *self.plain())

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote; no code runs. `factors_` is not there: it holds patients.

        Raises
        ------
        ValueError
            If the files are of another version, incomplete, or do not belong together.
        """
        return cls.from_plain(*read_model(Path(folder)))

    def plain(self) -> tuple[dict[str, Any], dict[str, NDArray[np.generic]]]:
        """Return all that places a patient: a document and arrays, without any patient."""
        check_is_fitted(self)
        return self._document(), self.projection_.arrays()

    @classmethod
    def from_plain(cls, document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Build the model that `plain` described."""
        model = cls()
        model.set_params(**document["parameters"])
        model.projection_ = Projection(**arrays)
        model.features_ = tuple(document["features"])
        model._positions = np.array(document["positions"], dtype=np.intp)
        model.n_features_in_ = document["n_features_in"]
        if document["feature_names_in"] is not None:
            model.feature_names_in_ = np.array(document["feature_names_in"], dtype=object)
        model.variance_explained_ = pd.DataFrame(document["variance_explained"])
        model.dropped_ = _dropped_table(tuple(row) for row in document["dropped"])
        model.n_patients_ = document["n_patients"]
        model.n_iterations_, model.converged_ = document["n_iterations"], document["converged"]
        model.elbo_ = document["elbo"]
        model.loadings_ = model._loadings()
        return model

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

    def _values(self, X: pd.DataFrame | ArrayLike) -> Matrix:
        """Take the columns the model needs, in the order of `features_`."""
        if isinstance(X, pd.DataFrame) and ":" in self.features_[0]:
            check_columns(X.columns, self.features_)
            return numbers(X[list(self.features_)])
        values = validate_data(
            self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False
        )
        return np.asarray(values)[:, self._positions]

    def _posterior(self, X: pd.DataFrame | ArrayLike) -> Posterior:
        check_is_fitted(self)
        values = self._values(X)
        binary = self.projection_.bernoulli
        check_binary(
            values[:, binary], [f for f, b in zip(self.features_, binary, strict=True) if b]
        )
        return self.projection_.posterior(values)

    def _like(self, X: pd.DataFrame | ArrayLike, result: Matrix) -> pd.DataFrame | Matrix:
        if not isinstance(X, pd.DataFrame):
            return result
        return pd.DataFrame(result, index=X.index, columns=self.get_feature_names_out())

    def _check_parameters(self) -> None:
        for name in ("n_factors", "max_iterations"):
            value = getattr(self, name)
            if not is_count(value):
                raise ValueError(f"{name} must be a whole number of at least 1, but is {value!r}.")
        if self.reach is not None and not self.reach >= 0:
            raise ValueError(f"reach must be at least 0 or None, but is {self.reach!r}.")
        if self.tolerance is not None and not self.tolerance > 0:
            raise ValueError(f"tolerance must be above 0 or None, but is {self.tolerance!r}.")
        if self.convergence not in get_args(Convergence):
            raise ValueError(
                f"convergence must be one of {', '.join(map(repr, get_args(Convergence)))}, "
                f"but is {self.convergence!r}."
            )

    def _check_size(self, n_patients: int, n_features: int) -> None:
        for what, n in (("patients", n_patients), ("usable features", n_features)):
            if n < self.n_factors:
                raise FitError(
                    f"n_factors must be at most the number of {what}, but {self.n_factors} factors "
                    f"were asked of {n} {what}. Ask for fewer factors."
                )

    def _engine_fit(
        self, prepared: Sequence[PreparedView], disturbance: Matrix | None
    ) -> EngineFit:
        """Fit from the usual start, or from one that is disturbed."""
        views = [view.data for view in prepared]
        likelihoods = [view.likelihood for view in prepared]
        if disturbance is None:
            return fit_engine(
                views,
                likelihoods=likelihoods,
                n_factors=self.n_factors,
                max_iterations=self.max_iterations,
                tolerance=self.tolerance,
                convergence=self.convergence,
                seed=self.seed,
            )
        start = principal_start(views, self.n_factors, np.random.RandomState(self.seed))
        return fit_nomomics(
            views,
            likelihoods=likelihoods,
            groups=np.zeros(len(start), dtype=np.intp),
            options=MofaOptions(
                n_factors=self.n_factors,
                max_iterations=self.max_iterations,
                tolerance=self.tolerance,
                convergence=self.convergence,
                seed=self.seed,
            ),
            start=start + disturbance * start.std(axis=0),
        )

    def _keep(self, prepared: Sequence[PreparedView], fit: EngineFit, table: pd.DataFrame) -> None:
        """Store what was learnt."""
        self.projection_ = stacked(prepared, fit, reach=self.reach)
        self.features_ = tuple(name for view in prepared for name in view.columns)
        place = {str(name): i for i, name in enumerate(table.columns)}
        self._positions = np.array([place[name] for name in self.features_], dtype=np.intp)
        self.factors_ = pd.DataFrame(
            fit.factors, index=table.index, columns=self.get_feature_names_out()
        )
        self.n_iterations_, self.converged_, self.elbo_ = fit.n_iterations, fit.converged, fit.elbo
        self.n_patients_ = len(table)
        self.loadings_ = self._loadings()
        factors = [*self._factor_names(), "all"]
        self.variance_explained_ = pd.DataFrame(
            [
                (view.name, factor, r2)
                for view, fitted in zip(prepared, fit.views, strict=True)
                for factor, r2 in zip(factors, variance_explained(fit.factors, fitted), strict=True)
            ],
            columns=["view", "factor", "r2"],
        )
        self.dropped_ = _dropped_table(
            (view.name, feature_name(column), reason)
            for view in prepared
            for column, reason in view.dropped
        )

    def _factor_names(self) -> list[str]:
        return [f"F{k + 1}" for k in range(self.projection_.weight.shape[1])]

    def _loadings(self) -> pd.DataFrame:
        """One row per feature and factor, factor by factor."""
        wide = pd.DataFrame(self.projection_.weight, columns=self._factor_names())
        wide.insert(0, "view", list(map(view_name, self.features_)))
        wide.insert(1, "feature", list(map(feature_name, self.features_)))
        return wide.melt(id_vars=["view", "feature"], var_name="factor", value_name="loading")

    def _document(self) -> dict[str, Any]:
        """Say what the model knows, in words; patients are left out."""
        names = getattr(self, "feature_names_in_", None)
        likelihoods = np.where(self.projection_.bernoulli, "bernoulli", "gaussian").tolist()
        return {
            "parameters": self.get_params(deep=False),
            "features": list(self.features_),
            "likelihoods": dict(zip(map(view_name, self.features_), likelihoods, strict=True)),
            "positions": self._positions.tolist(),
            "n_features_in": self.n_features_in_,
            "feature_names_in": None if names is None else [str(name) for name in names],
            "variance_explained": self.variance_explained_.to_dict(orient="list"),
            "dropped": self.dropped_.to_numpy().tolist(),
            "n_iterations": self.n_iterations_,
            "converged": self.converged_,
            "elbo": self.elbo_,
            "n_patients": self.n_patients_,
        }

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "projection_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []  # always float64
        return tags


def _dropped_table(rows: Iterable[tuple[str, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["view", "feature", "reason"], dtype=object)
