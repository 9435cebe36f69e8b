"""What is learned from patients, as one object: factors, signatures, design matrix, model.

A `RiskPipeline` is a scikit-learn pipeline whose last step is a model that answers
`linear_predictor(X)` and `risk(X, horizon=...)`. Validation refits it whole in every resample, and
a new patient passes through the frozen one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.design import Design, Missing
from models.named_columns import NamedColumns
from models.pipeline_checks import (
    check_factors,
    check_model,
    check_policy,
    check_signatures,
    with_strata,
)
from models.pipeline_parts import Cleaning, Model, WithLearned, mean_risk
from models.pooled import PooledCox, PooledLogistic, pooled_model
from models.signature import PREFIX, Signature
from models.terms import Term
from omics.harmonise import ComBat
from omics.mofa import FactorModel
from omics.outcome import is_survival, rarer_class

LEAST_EVENTS_PER_COLUMN = 5
CLEANING = "cleaning "  # begins the name of each step that cleans columns


class RiskPipeline(Pipeline):  # type: ignore[misc]
    """A scikit-learn pipeline that ends in a risk model.

    Build it with `risk_pipeline`. Higher `linear_predictor` and `risk` are worse. Under the policy
    `complete_case` the model learns from the patients whose predictors are all known (factors from
    all), and the others get NaN, as do patients of a centre that harmonisation refuses. Under
    `multiple` it is pooled over imputed copies of the patients (`models.pooled`); a patient with a
    gap gets the mean linear predictor and the mean risk of the draws, which do not know the
    outcome.
    """

    steps: list[tuple[str, Any]]

    def fit(self, X: pd.DataFrame, y: NDArray[Any] | None = None, **params: Any) -> Self:
        """Learn every step in turn; see scikit-learn's `Pipeline.fit`."""
        if self.design.missing == "multiple":
            return self._fit_copies(X, y)
        if self.design.missing != "complete_case":
            return super().fit(X, y, **params)  # type: ignore[no-any-return]
        before = Pipeline(self.steps[:-1], memory=self.memory)
        matrix = before.fit_transform(X, y)
        self.steps = [*before.steps, self.steps[-1]]
        known = self.design.complete(self.before_design(X))
        self.model.fit(matrix.loc[known], np.asarray(y)[known])
        return self

    def _fit_copies(self, X: pd.DataFrame, y: NDArray[Any] | None) -> Self:
        """Learn the model from imputed copies of the patients, pooled."""
        table = X
        if len(self.steps) > 2:
            before = Pipeline(self.steps[:-2], memory=self.memory)
            table = before.fit_transform(X, y)
            self.steps = [*before.steps, *self.steps[-2:]]
        outcome = np.asarray(y)
        copies = self.design.fit(table, outcome).copies(table, outcome)
        if not isinstance(self.model, PooledCox | PooledLogistic):
            raise ValueError(
                "model must be pooled for missing='multiple', but it is a "
                f"{type(self.model).__name__}. Build the pipeline by risk_pipeline."
            )
        self.model.fit_copies(copies, outcome)
        return self

    def complete(self, X: pd.DataFrame) -> NDArray[np.bool_]:
        """Tell, of a fitted pipeline, who can be predicted, shape (n_patients,).

        Everyone, but under `complete_case` those without a predictor, those of a stratum that the
        fit did not see, and those whom harmonisation refuses.
        """
        known = self.accepted(X)
        if known.any() and (self.design.missing == "complete_case" or self.strata is not None):
            known[known] = self._predictable(self.before_design(X.loc[known]))
        return known

    def accepted(self, X: pd.DataFrame) -> NDArray[np.bool_]:
        """Tell, of a fitted pipeline, whom no harmonisation refuses, shape (n_patients,)."""
        accepted = np.ones(len(X), dtype=np.bool_)
        for step in self.harmonised:
            accepted &= ~step.refused(X)
        return accepted

    def _predictable(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        known = self.design.complete(table)
        if isinstance(self.model, CoxModel) and self.strata is not None:
            known &= self.design.labels(table).isin(self.model.strata_).to_numpy()
        return known

    @property
    def strata(self) -> str | None:
        """The column whose levels have a baseline hazard each, if any."""
        return self.design.strata

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
        return dict(self.learned_steps).get("factors")

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """The steps that learn signatures, in their order."""
        return tuple(step for _, step in self.learned_steps if isinstance(step, Signature))

    @property
    def learned_steps(self) -> list[tuple[str, Any]]:
        """What adds columns of its own to the wide table, by name."""
        return [(name, step.learned) for name, step in self.steps if isinstance(step, WithLearned)]

    @property
    def cleaning(self) -> tuple[Any, ...]:
        """The steps that clean columns before anything is learned from them, in their order."""
        return tuple(step for name, step in self.steps if name.startswith(CLEANING))

    @property
    def harmonised(self) -> tuple[ComBat, ...]:
        """Those of the cleaning steps that take out the mark of the centre."""
        return tuple(step for step in self.cleaning if isinstance(step, ComBat))

    @property
    def prespecified(self) -> bool:
        """True if nothing is selected and nothing learned but coefficients.

        Holds for Cox and logistic models, plain or ridge, on columns named in advance; not where
        factors or signatures are learned, where a filter drops columns and not for boosted trees.
        """
        plain = not self.learned_steps and not any(step.drops_columns for step in self.cleaning)
        return plain and not isinstance(self.model, BoostedModel)

    def bootstrap_is_valid(self, y: NDArray[Any]) -> bool:
        """Tell, of a fitted pipeline, whether the optimism bootstrap may be trusted."""
        return not self.why_no_bootstrap(y)

    def why_no_bootstrap(self, y: NDArray[Any]) -> str:
        """Say, of a fitted pipeline, why the optimism bootstrap must not be trusted; "" if it may.

        It must be prespecified and have at least 5 events (patients of the rarer class) for each
        column of its design matrix, and for each stratum but one. With more columns even a
        prespecified regression memorises: on noise, with 52 events, the optimism-corrected C was
        .54 for 10 columns, .56 for 30, and .83 for 300 under a ridge. A ridge's effective
        parameters are no guide: in a bootstrap sample, where copies count twice, AIC takes a far
        weaker penalty.

        Parameters
        ----------
        y : ndarray of shape (n_patients,)
            Outcome of the patients of the fit.

        Returns
        -------
        str
            Such as `boosted trees memorise their patients`.
        """
        if isinstance(self.model, BoostedModel):
            return "boosted trees memorise their patients"
        if self.signatures:
            return "a signature selects features"
        if self.learned_steps:
            return "factors are learned"
        if not self.prespecified:
            return "a filter drops columns"
        events, n_learned = rarer_class(y), len(self.model.feature_names_in_)
        learned = f"{n_learned} columns"
        if self.strata is not None and isinstance(self.model, CoxModel):
            n_learned += len(self.model.strata_) - 1
            learned += f" in {len(self.model.strata_)} strata"
        if events < LEAST_EVENTS_PER_COLUMN * n_learned:
            what = "events" if is_survival(y) else "patients of the rarer class"
            return f"{events} {what} for {learned} are fewer than {LEAST_EVENTS_PER_COLUMN} each"
        return ""

    def cleaned(self, X: pd.DataFrame) -> pd.DataFrame:
        """Take the wide table through the steps that clean its columns: what is learned sees it."""
        table = X
        for step in self.cleaning:
            table = step.transform(table)
        return table

    def before_design(self, X: pd.DataFrame) -> pd.DataFrame:
        """Take the wide table through the steps before the design matrix: what these add joins."""
        table = X
        for _, step in self.steps[:-2]:
            table = step.transform(table)
        return table

    def design_matrix(self, X: pd.DataFrame) -> pd.DataFrame:
        """Take the wide table through every step but the model."""
        return self.design.transform(self.before_design(X))

    def design_matrix_with_draws(
        self, X: pd.DataFrame
    ) -> tuple[pd.DataFrame, NDArray[np.intp], NDArray[np.float64]]:
        """Give `design_matrix`, and the draws behind it; see `Design.transform_with_draws`."""
        return self.design.transform_with_draws(self.before_design(X))

    def linear_predictor(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Give the linear predictor of each patient, shape (n_patients,); higher is worse.

        Of a stratified model patients are comparable by it within a stratum only; risks always are.
        """
        return self.predict_all(X, horizons=())[0]

    def unseen_design_matrix(self, X: pd.DataFrame) -> pd.DataFrame:
        """Give the design matrix the model was fitted on: signatures by their cross-fitted scores.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
            The table of `fit`, its patients in the same order.
        """
        return self.design.transform(self._unseen_table(X))

    def _unseen_table(self, X: pd.DataFrame) -> pd.DataFrame:
        unseen = {one.column: one.cross_fitted_.to_numpy()[:, 0] for one in self.signatures}
        return self.before_design(X).assign(**unseen)

    def unseen_term_values(self, X: pd.DataFrame) -> tuple[tuple[Term, ...], NDArray[np.float64]]:
        """Give each term of the fit, and its number or position of level in each patient.

        Shape (n_patients, n_terms), NaN where missing; signatures by their cross-fitted scores.
        """
        return self.design.terms_, self.design.term_values(self._unseen_table(X))

    def unseen_linear_predictor(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Give each training patient a linear predictor that trees and signatures did not memorise.

        Boosted trees answer with the margins of their inner folds, other models with that of
        `unseen_design_matrix`; shape (n_patients,), or, of trees on complete cases, their number.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
            The table of `fit`, its patients in the same order.
        """
        model = self.model
        if isinstance(model, BoostedModel):  # its margins already come from cross-fitted scores
            return model.intercept_ + model.slope_ * model.unseen_margin_
        return self._predict(self._unseen_table(X), horizons=())[0]

    def ranking_horizon(self, horizons: Sequence[float]) -> float | None:
        """Give the horizon by whose risk patients are ranked and grouped: None of most models.

        Of a stratified model it is the last one that a stratum was followed to (the last of all,
        if none was): its linear predictors are not comparable.
        """
        if not isinstance(self.model, CoxModel) or self.strata is None:
            return None
        followed = [horizon for horizon in horizons if horizon <= self.model.max_time_]
        return (followed or list(horizons))[-1]

    def unseen_ranking(self, X: pd.DataFrame, *, horizons: Sequence[float]) -> NDArray[np.float64]:
        """Give what training patients are grouped by: risk or unseen linear predictor.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
            The table of `fit`, its patients in the same order.
        horizons : sequence of float
            Of the study; see `ranking_horizon`.
        """
        horizon = self.ranking_horizon(horizons)
        if horizon is None:
            return self.unseen_linear_predictor(X)
        return self._predict(self._unseen_table(X), horizons=[horizon])[1][:, 0]

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

        Those whom harmonisation refuses have NaN.

        Parameters
        ----------
        X : DataFrame of shape (n_patients, n_columns)
        horizons : sequence of float or None
            As for `risk`.
        """
        accepted = self.accepted(X)
        if accepted.all():
            return self._predict(self.before_design(X), horizons=horizons)
        linear_predictor = np.full(len(X), np.nan)
        risk = np.full((len(X), len(horizons)), np.nan)
        if accepted.any():
            table = self.before_design(X.loc[accepted])
            linear_predictor[accepted], risk[accepted] = self._predict(table, horizons=horizons)
        return linear_predictor, risk

    def _predict(
        self, table: pd.DataFrame, *, horizons: Sequence[float | None]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        matrix, rows, drawn = self.design.transform_with_draws(table)
        known = self._predictable(table)
        linear_predictor = np.full(len(table), np.nan)
        risk = np.full((len(table), len(horizons)), np.nan)
        if known.any():
            matrix = matrix.loc[known]
            linear_predictor[known] = self.model.linear_predictor(matrix)
            for j, horizon in enumerate(horizons):
                risk[known, j] = self.model.risk(matrix, horizon=horizon)
                if len(rows):
                    risk[rows, j] = mean_risk(self.model, drawn, horizon)
        return linear_predictor, risk


def risk_pipeline(
    predictors: Sequence[str],
    model: Model,
    *,
    cleaning: Sequence[Cleaning] = (),
    factors: FactorModel | None = None,
    signatures: Sequence[Signature] = (),
    splines: Mapping[str, Any] | None = None,
    interactions: Sequence[Sequence[str]] | None = None,
    missing: Missing = "refuse",
    strata: str | None = None,
) -> RiskPipeline:
    """Assemble cleaning, factors, signatures, design matrix and model into one estimator.

    Parameters
    ----------
    predictors : sequence of str
        Columns (`clinical:Age`, `signature:Radscore`) or whole views (`clinical:*`, `factors:*`).
    model : CoxModel, LogisticModel or BoostedModel
    cleaning : sequence of Cleaning
        Such as a filter of features that repeat badly; each takes what the one before it gives.
    factors : FactorModel, optional
        Needed where a predictor starts with `factors:`.
    signatures : sequence of Signature
        Needed where a predictor starts with `signature:`. The model is fitted to their cross-fitted
        scores and predicts from the frozen ones.
    splines : mapping of column to number of knots or list of knots, optional
    interactions : sequence of pair of str, optional
        Pairs of predictors that interact, as in `models.design.Design`; not for BoostedModel, whose
        trees find them.
    missing : {"refuse", "complete_case", "median", "chained", "multiple", "indicator", "keep"}
        What to do where a predictor is missing, as in `models.design.Design`; `keep` is for
        BoostedModel alone, `multiple` for regressions (20 imputations, seed 0; others by
        `set_params(design__imputations=..., design__seed=...)`).
    strata : str, optional
        Column, a category and no predictor, whose levels have a baseline hazard each; for CoxModel
        alone, and not under `multiple`. A patient of a level that the training patients lack has no
        prediction (NaN).

    Returns
    -------
    RiskPipeline

    Raises
    ------
    ValueError
        If factors or a signature are asked for but not given, or given but not used, or the model
        cannot take the strata, the interactions or the policy for gaps.

    Notes
    -----
    Considered and rejected: failing the whole resample where a level is absent from its training
    patients, because the other held-out patients have sound predictions.
    """
    check_factors(predictors, factors)
    check_signatures(predictors, signatures)
    check_policy(model, missing)
    if missing == "multiple" and not isinstance(model, BoostedModel):
        model = pooled_model(model)
    check_model(model, interactions)
    model = with_strata(model, strata, predictors, missing)
    learned: list[tuple[str, Any]] = [] if factors is None else [("factors", factors)]
    learned += [(f"signature {number}", one) for number, one in enumerate(signatures, start=1)]
    steps = _cleaning_steps(cleaning, NamedColumns(_read(predictors, factors, signatures)))
    steps += [(name, WithLearned(step)) for name, step in learned]
    design = Design(
        list(predictors),
        splines=splines,
        interactions=interactions,
        strata=strata,
        missing=missing,
    )
    steps.append(("design", design))
    steps.append(("model", model))
    return RiskPipeline(steps)


def _cleaning_steps(cleaning: Sequence[Cleaning], named: NamedColumns) -> list[tuple[str, Any]]:
    """Name the steps that clean; after the last that drops columns, look for those named."""
    steps: list[tuple[str, Any]] = []
    last = max((n for n, step in enumerate(cleaning, start=1) if step.drops_columns), default=0)
    for number, step in enumerate(cleaning, start=1):
        steps.append((f"{CLEANING}{number}", step))
        if number == last:
            steps.append(("named columns", named))
    return steps


def _read(
    predictors: Sequence[str], factors: FactorModel | None, signatures: Sequence[Signature]
) -> list[str]:
    """List what a pipeline reads of the wide table, as columns and patterns."""
    learned = (PREFIX, "factors:")
    read = [name for name in predictors if not name.startswith(learned)]
    read += [f"{view}:*" for view in (factors.views if factors is not None else None) or ()]
    return list(dict.fromkeys([*read, *(name for one in signatures for name in one.predictors)]))
