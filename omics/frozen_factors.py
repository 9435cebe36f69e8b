"""Factors as learnt: where any patient lies on them, how surely, and why; and as a file."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from omics.mofa_cohorts import lacking_features, scale_shifts
from omics.mofa_file import read_model, write_model
from omics.mofa_parameters import (
    Absent,
    LowInformation,
    known_groups,
)
from omics.mofa_views import check_columns, check_values, feature_name, numbers, view_name
from omics.projection import Posterior, Projection

Matrix = NDArray[np.float64]
Index = NDArray[np.intp]

MOST_CONTRIBUTIONS = 20_000_000


class FrozenFactors(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is untyped
    """What a fitted `FactorModel` tells of any patients; see there for every attribute."""

    projection_: Projection
    features_: tuple[str, ...]
    groups_: tuple[str, ...]
    active_: tuple[str, ...]
    information_: pd.DataFrame
    variance_explained_: pd.DataFrame
    group_variance_explained_: pd.DataFrame
    dropped_: pd.DataFrame
    n_patients_: int
    n_without_values_: int
    n_iterations_: int
    converged_: bool
    elbo_: float
    n_features_in_: int
    _positions: Index

    groups: str | None
    absent: Absent
    least_information: float | None
    low_information: LowInformation

    @overload
    def transform(self, X: pd.DataFrame) -> pd.DataFrame: ...
    @overload
    def transform(self, X: ArrayLike) -> Matrix: ...
    def transform(self, X: pd.DataFrame | ArrayLike) -> pd.DataFrame | Matrix:
        """Place patients on the factors; each patient's values depend on that patient alone.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_columns)
            A table must have every column of `features_` (but see `absent`), in any order; others
            are ignored. A patient's missing values are left out; of a patient without any, all
            factors are 0. With `groups`, a patient whose group is one of `groups_` is placed as one
            of it; any other, and any in a table without that column, as `new_group` says.

        Returns
        -------
        DataFrame or ndarray of shape (n_patients, n_factors)
            Posterior means, columns ``factors:F1``, ...; an array if X is one. Missing where
            `low_information` is ``"missing"`` and the patient says too little.

        Raises
        ------
        ValueError
            If a column the factors need is absent, or a value is no number, infinite, or none that
            its likelihood knows.
        """
        posterior = self._posterior(X)
        mean = posterior.mean
        if self.low_information == "missing":
            mean = np.where(self._uninformed(posterior)[:, None], np.nan, mean)
        return self._like(X, mean)

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

    def uninformed(self, X: pd.DataFrame | ArrayLike) -> NDArray[np.bool_]:
        """Tell who says too little about every active factor (see `least_information`).

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_columns)
            As in `transform`.

        Returns
        -------
        bool ndarray of shape (n_patients,)
            Nobody, where no threshold was declared.
        """
        return self._uninformed(self._posterior(X))

    def covariance(self, X: pd.DataFrame | ArrayLike) -> Matrix:
        """Return the posterior covariance of each patient's factors.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_columns)
            As in `transform`.

        Returns
        -------
        ndarray of shape (n_patients, n_factors, n_factors)
        """
        values = self._checked(X)
        return self.projection_.covariance(values, self._profiles(X))

    def contributions(self, X: pd.DataFrame | ArrayLike) -> pd.DataFrame:
        """Take the factors of some patients apart into what each value adds.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_columns)
            As in `transform`; a few patients.

        Returns
        -------
        DataFrame, one row per patient, factor and feature
            `patient` (index of X, or position), `factor`, `view`, `feature`, `value` (as in X) and
            `contribution`; over the features they sum to the posterior mean, to rounding. 0 for a
            missing value.

        Raises
        ------
        ValueError
            If the table would have more than 20 million rows.
        """
        values = self._checked(X)
        n_features, n_factors = self.projection_.weight.shape
        if len(values) * n_features * n_factors > MOST_CONTRIBUTIONS:
            most = MOST_CONTRIBUTIONS // (n_features * n_factors)
            raise ValueError(
                f"contributions must be asked of at most {most} patients at once with "
                f"{n_features} features and {n_factors} factors, but {len(values)} came. "
                "Ask for some of them: contributions(X.iloc[:10])."
            )
        found = self.projection_.contributions(values, self._profiles(X))
        index = X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(len(values))
        each, inner = n_features * n_factors, n_features
        return pd.DataFrame(
            {
                "patient": np.repeat(index.to_numpy(), each),
                "factor": np.tile(np.repeat(self._factor_names(), inner), len(values)),
                "view": np.tile(list(map(view_name, self.features_)), len(values) * n_factors),
                "feature": np.tile(
                    list(map(feature_name, self.features_)), len(values) * n_factors
                ),
                "value": np.repeat(values, n_factors, axis=0).ravel(),
                "contribution": found.ravel(),
            }
        )

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
        counts = self.projection_.beyond(self._values(X), self._profiles(X)).sum(axis=0)
        found = [(name, int(n)) for name, n in zip(self.features_, counts, strict=True) if n]
        return pd.DataFrame(found, columns=["feature", "n_values"])

    def shifts(self, X: pd.DataFrame | ArrayLike) -> pd.DataFrame:
        """Compare the scale of each gaussian view with that of the patients of `fit`.

        See `omics.mofa_cohorts.scale_shifts`, which describes the table. Other units, another
        scanner or an untransformed table show here before any number is computed from them.
        """
        check_is_fitted(self)
        return scale_shifts(self.projection_, self.features_, self._values(X), self._profiles(X))

    def lacking(self, X: pd.DataFrame) -> pd.DataFrame:
        """Tell which features of each view a table lacks; see `omics.mofa_cohorts`."""
        check_is_fitted(self)
        return lacking_features(self.features_, [str(name) for name in X.columns])

    def information_lost(self, X: pd.DataFrame | ArrayLike) -> pd.DataFrame:
        """Compare the mean information of some patients with that of the patients of `fit`.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_patients, n_columns)
            As in `transform`; where columns may be absent, say so with `absent`.

        Returns
        -------
        DataFrame, one row per factor
            `factor`, `training`, `here` (mean information, in [0, 1]) and `lost`, their difference.
        """
        here = self._posterior(X).information.mean(axis=0)
        training = self.information_["information"].to_numpy()
        return pd.DataFrame(
            {
                "factor": self._factor_names(),
                "training": training,
                "here": here,
                "lost": training - here,
            }
        )

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
        model.group_variance_explained_ = pd.DataFrame(document["group_variance_explained"])
        model.information_ = pd.DataFrame(document["information"])
        model.groups_ = tuple(document["groups"])
        model.active_ = tuple(document["active"])
        model.n_without_values_ = document["n_without_values"]
        model.dropped_ = dropped_table(tuple(row) for row in document["dropped"])
        model.n_patients_ = document["n_patients"]
        model.n_iterations_, model.converged_ = document["n_iterations"], document["converged"]
        model.elbo_ = document["elbo"]
        model.loadings_ = model._loadings()
        return model

    def _values(self, X: pd.DataFrame | ArrayLike) -> Matrix:
        """Take the columns the model needs, in the order of `features_`."""
        if isinstance(X, pd.DataFrame) and ":" in self.features_[0]:
            if self.absent == "missing":
                X = X.reindex(columns=list(self.features_))
            check_columns(X.columns, self.features_)
            return numbers(X[list(self.features_)])
        values = validate_data(
            self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False
        )
        return np.asarray(values)[:, self._positions]

    def _checked(self, X: pd.DataFrame | ArrayLike) -> Matrix:
        check_is_fitted(self)
        values = self._values(X)
        for likelihood in ("bernoulli", "poisson"):
            chosen = getattr(self.projection_, likelihood)
            names = [name for name, yes in zip(self.features_, chosen, strict=True) if yes]
            check_values(values[:, chosen], names, likelihood)
        return values

    def _profiles(self, X: pd.DataFrame | ArrayLike) -> Index | None:
        """Return the profile of each patient; None: the last, of patients of no group."""
        if not self.groups_ or not isinstance(X, pd.DataFrame) or self.groups not in X:
            return None
        return known_groups(X[self.groups], self.groups_)

    def _posterior(self, X: pd.DataFrame | ArrayLike) -> Posterior:
        return self.projection_.posterior(self._checked(X), self._profiles(X))

    def _uninformed(self, posterior: Posterior) -> NDArray[np.bool_]:
        if self.least_information is None:
            return np.zeros(len(posterior.mean), dtype=np.bool_)
        active = [name in self.active_ for name in self._factor_names()]
        best = posterior.information[:, active].max(axis=1, initial=0.0)
        return np.asarray(best < self.least_information)

    def _like(self, X: pd.DataFrame | ArrayLike, result: Matrix) -> pd.DataFrame | Matrix:
        if not isinstance(X, pd.DataFrame):
            return result
        return pd.DataFrame(result, index=X.index, columns=self.get_feature_names_out())

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
        likelihoods = np.select(
            [self.projection_.bernoulli, self.projection_.poisson],
            ["bernoulli", "poisson"],
            "gaussian",
        ).tolist()
        return {
            "parameters": self.get_params(deep=False),
            "features": list(self.features_),
            "likelihoods": dict(zip(map(view_name, self.features_), likelihoods, strict=True)),
            "positions": self._positions.tolist(),
            "n_features_in": self.n_features_in_,
            "feature_names_in": None if names is None else [str(name) for name in names],
            "variance_explained": self.variance_explained_.to_dict(orient="list"),
            "group_variance_explained": self.group_variance_explained_.to_dict(orient="list"),
            "information": self.information_.to_dict(orient="list"),
            "groups": list(self.groups_),
            "active": list(self.active_),
            "n_without_values": self.n_without_values_,
            "dropped": self.dropped_.to_numpy().tolist(),
            "n_iterations": self.n_iterations_,
            "converged": self.converged_,
            "elbo": self.elbo_,
            "n_patients": self.n_patients_,
        }

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "projection_")


def dropped_table(rows: Iterable[tuple[str, str, str]]) -> pd.DataFrame:
    """Return the features left out, as `FactorModel.dropped_`."""
    return pd.DataFrame(rows, columns=["view", "feature", "reason"], dtype=object)
