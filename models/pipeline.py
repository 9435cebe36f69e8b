"""What is learned from patients, as one object: factors, design matrix, model.

A `RiskPipeline` is a scikit-learn pipeline whose last step is a model that answers
`linear_predictor(X)` and `risk(X, horizon=...)`. Validation refits it whole in every resample, and
a new patient passes through the frozen one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import FeatureUnion, Pipeline

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.design import Design, Missing
from models.logistic import LogisticModel
from omics.mofa import FactorModel
from omics.outcome import is_survival

Model = CoxModel | LogisticModel | BoostedModel

LEAST_EVENTS_PER_COLUMN = 5


def rarer_class(y: NDArray[Any]) -> int:
    """Count events of a survival outcome, patients of the rarer class of a binary one.

    Examples
    --------
    >>> rarer_class(np.array([True, True, True, False]))
    1
    """
    return int(y["event"].sum() if is_survival(y) else min(y.sum(), (~y).sum()))


class RiskPipeline(Pipeline):  # type: ignore[misc]
    """A scikit-learn pipeline that ends in a risk model.

    Build it with `risk_pipeline`. Higher `linear_predictor` and `risk` are worse. Under the policy
    `complete_case` the model learns from the patients whose predictors are all known (factors from
    all), and the others get NaN.
    """

    steps: list[tuple[str, Any]]

    def fit(self, X: pd.DataFrame, y: NDArray[Any] | None = None, **params: Any) -> Self:
        """Learn every step in turn; see scikit-learn's `Pipeline.fit`."""
        if self.design.missing != "complete_case":
            return super().fit(X, y, **params)  # type: ignore[no-any-return]
        before = Pipeline(self.steps[:-1], memory=self.memory)
        matrix = before.fit_transform(X, y)
        self.steps = [*before.steps, self.steps[-1]]
        known = self.complete(X)
        self.model.fit(matrix.loc[known], np.asarray(y)[known])
        return self

    def complete(self, X: pd.DataFrame) -> NDArray[np.bool_]:
        """Tell who can be predicted, shape (n_patients,): everyone but for `complete_case`."""
        if self.design.missing != "complete_case":
            return np.ones(len(X), dtype=np.bool_)
        return self.design.complete(self.before_design(X))

    @property
    def model(self) -> Model:
        """The last step."""
        return self.steps[-1][1]  # type: ignore[no-any-return]

    @property
    def design(self) -> Design:
        """The step that turns the wide table into the design matrix."""
        return self.named_steps["design"]  # type: ignore[no-any-return]

    @property
    def factor_model(self) -> FactorModel | None:
        """The step that learns factors, if the pipeline has one."""
        union = self.named_steps.get("factors")
        return None if union is None else dict(union.transformer_list)["factors"]

    @property
    def prespecified(self) -> bool:
        """True if nothing is selected and nothing learned but coefficients.

        Holds for Cox and logistic models, plain or ridge, on columns named in advance; not where
        factors are learned and not for boosted trees.
        """
        return self.factor_model is None and not isinstance(self.model, BoostedModel)

    def bootstrap_is_valid(self, y: NDArray[Any]) -> bool:
        """Tell, of a fitted pipeline, whether the optimism bootstrap may be trusted.

        It must be prespecified and have at least 5 events (patients of the rarer class) for each
        column of its design matrix. With more columns even a prespecified regression memorises: on
        noise, with 52 events, the optimism-corrected C was .54 for 10 columns, .56 for 30, and .83
        for 300 under a ridge. A ridge's effective parameters are no guide: in a bootstrap sample,
        where copies count twice, AIC takes a far weaker penalty.

        Parameters
        ----------
        y : ndarray of shape (n_patients,)
            Outcome of the patients of the fit.
        """
        if not self.prespecified:
            return False
        return rarer_class(y) >= LEAST_EVENTS_PER_COLUMN * len(self.model.feature_names_in_)

    def before_design(self, X: pd.DataFrame) -> pd.DataFrame:
        """Take the wide table through the steps before the design matrix: what these add joins."""
        table = X
        for _, step in self.steps[:-2]:
            table = step.transform(table)
        return table

    def design_matrix(self, X: pd.DataFrame) -> pd.DataFrame:
        """Take the wide table through every step but the model."""
        return self.design.transform(self.before_design(X))

    def linear_predictor(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Give the linear predictor of each patient, shape (n_patients,); higher is worse."""
        return self.predict_all(X, horizons=())[0]

    def risk(self, X: pd.DataFrame, *, horizon: float | None = None) -> NDArray[np.float64]:
        """Give P(event by `horizon`), or P(event) of a binary outcome; shape (n_patients,).

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
            The wide table, columns `view:feature`.
        horizon : float, optional
            Time of a survival risk, in the outcome's unit; left out for a binary outcome.
        """
        return self.predict_all(X, horizons=[horizon])[1][:, 0]

    def predict_all(
        self, X: pd.DataFrame, *, horizons: Sequence[float | None]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give linear predictor (n_patients,) and risks (n_patients, n_horizons), all at once.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
        horizons : sequence of float or None
            As for `risk`.
        """
        table = self.before_design(X)
        matrix, known = self.design.transform(table), self.design.complete(table)
        linear_predictor = np.full(len(X), np.nan)
        risk = np.full((len(X), len(horizons)), np.nan)
        if known.any():
            matrix = matrix.loc[known]
            linear_predictor[known] = self.model.linear_predictor(matrix)
            for j, horizon in enumerate(horizons):
                risk[known, j] = self.model.risk(matrix, horizon=horizon)
        return linear_predictor, risk


def risk_pipeline(
    predictors: Sequence[str],
    model: Model,
    *,
    factors: FactorModel | None = None,
    splines: Mapping[str, Any] | None = None,
    missing: Missing = "refuse",
) -> RiskPipeline:
    """Assemble factors, design matrix and model into one estimator.

    Parameters
    ----------
    predictors : sequence of str
        Columns (`clinical:Age`) or whole views (`clinical:*`, `factors:*`).
    model : CoxModel, LogisticModel or BoostedModel
    factors : FactorModel, optional
        Needed where a predictor starts with `factors:`.
    splines : mapping of column to number of knots or list of knots, optional
    missing : {"refuse", "complete_case", "median", "chained", "indicator", "keep"}
        What to do where a predictor is missing, as in `models.design.Design`; `keep` is for
        BoostedModel alone.

    Returns
    -------
    RiskPipeline

    Raises
    ------
    ValueError
        If factors are asked for without a factor model, or a factor model goes unused.
    """
    asks = any(name.startswith("factors:") for name in predictors)
    if asks and factors is None:
        raise ValueError(
            "predictors must not name factors without a factor model, but they name "
            f"{[name for name in predictors if name.startswith('factors:')]}. "
            "Pass factors=FactorModel(...), or declare [factors] in the study."
        )
    if factors is not None and not asks:
        raise ValueError(
            "factors must be used by a predictor, but none starts with 'factors:'. "
            "Add 'factors:*' to predictors, or leave the factor model out."
        )
    if missing == "keep" and not isinstance(model, BoostedModel):
        raise ValueError(
            "missing must not be 'keep' for a regression, but it is. State 'complete_case', "
            "'median', 'chained' or 'indicator', or 'refuse' where nothing is missing. "
            "Only boosted trees take missing values as they are."
        )
    steps: list[tuple[str, Any]] = []
    if factors is not None:
        union = FeatureUnion(
            [("table", "passthrough"), ("factors", factors)], verbose_feature_names_out=False
        )
        steps.append(("factors", union.set_output(transform="pandas")))
    steps.append(("design", Design(list(predictors), splines=splines, missing=missing)))
    steps.append(("model", model))
    return RiskPipeline(steps)
