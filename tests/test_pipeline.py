"""One estimator from the wide table to a risk; what does not fit together is refused."""

from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone

from models.boosting import BoostedModel
from models.cox import CoxModel
from models.design import Design
from models.logistic import LogisticModel
from models.parametric import ParametricModel
from models.pipeline import risk_pipeline
from models.signature import Signature
from omics.mofa import FactorModel
from tests.made_cohorts import made_cohort

COHORT = made_cohort(80, missing=0.02)
NEW = made_cohort(20, seed=9, missing=0.02).X


def factor_model() -> FactorModel:
    return FactorModel(views=["mri", "rna"], n_factors=2)


def test_pipeline_is_its_steps_by_hand() -> None:
    X, y = COHORT.X, COHORT.y
    predictors = ["clinical:*", "factors:*"]
    pipeline = risk_pipeline(predictors, CoxModel(ridge=1.0), factors=factor_model()).fit(X, y)

    factors = factor_model().fit(X)
    wide, new = (table.join(factors.transform(table)) for table in (X, NEW))
    design = Design(predictors).fit(wide)
    model = CoxModel(ridge=1.0).fit(design.transform(wide), y)

    pd.testing.assert_frame_equal(pipeline.design_matrix(NEW), design.transform(new))
    np.testing.assert_array_equal(
        pipeline.linear_predictor(NEW), model.linear_predictor(design.transform(new))
    )
    np.testing.assert_array_equal(
        pipeline.risk(NEW, horizon=12.0), model.risk(design.transform(new), horizon=12.0)
    )
    assert list(pipeline.design_matrix(NEW).columns) == [
        "clinical:Age",
        "clinical:Grade=3",
        "clinical:Grade=4",
        "factors:F1",
        "factors:F2",
    ]
    assert pipeline.factor_model is not None
    pd.testing.assert_frame_equal(pipeline.factor_model.loadings_, factors.loadings_)


class Doubled(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Doubles a column; drops another where it is told to."""

    def __init__(self, column: str, drops: str | None = None) -> None:
        self.column, self.drops = column, drops

    @property
    def drops_columns(self) -> bool:
        return self.drops is not None

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        return X.assign(**{self.column: 2 * X[self.column]}).drop(columns=self.drops or [])


def test_cleaning_comes_before_the_design_matrix() -> None:
    X, y = COHORT.X, COHORT.y
    steps = [Doubled("clinical:Age"), Doubled("mri:f1", drops="mri:f2")]
    pipeline = risk_pipeline(
        ["clinical:Age", "mri:*"], CoxModel(ridge=1.0), cleaning=steps, missing="median"
    )
    pipeline.fit(X, y)
    matrix = pipeline.design_matrix(NEW)
    np.testing.assert_array_equal(matrix["clinical:Age"], 2 * NEW["clinical:Age"])
    np.testing.assert_array_equal(matrix["mri:f1"], 2 * NEW["mri:f1"])
    assert "mri:f2" not in matrix
    assert pipeline.cleaning == tuple(step for _, step in pipeline.steps[:2])
    assert pipeline.why_no_bootstrap(y) == "a filter drops columns"
    assert not pipeline.prespecified
    harmless = risk_pipeline(["clinical:Age"], CoxModel(), cleaning=steps[:1]).fit(X, y)
    assert harmless.prespecified
    assert harmless.bootstrap_is_valid(y)


def test_the_order_of_a_new_tables_columns_changes_nothing() -> None:
    signature = Signature(["rna:*"], rule="min", folds=5)
    pipeline = risk_pipeline(
        ["clinical:Age", "mri:f1", "factors:*", "signature:*"],
        CoxModel(ridge=1.0),
        factors=factor_model(),
        signatures=[signature],
        missing="median",
    ).fit(COHORT.X, COHORT.y)
    turned = NEW[NEW.columns[::-1]]
    np.testing.assert_array_equal(pipeline.linear_predictor(turned), pipeline.linear_predictor(NEW))
    surplus = NEW.assign(**{"clinical:Other": 1.0})
    np.testing.assert_array_equal(
        pipeline.linear_predictor(surplus), pipeline.linear_predictor(NEW)
    )


def test_model_trains_on_projected_factors_not_on_the_fits_own() -> None:
    pipeline = risk_pipeline(["factors:*"], CoxModel(), factors=factor_model())
    pipeline.fit(COHORT.X, COHORT.y)
    learned = pipeline.factor_model
    assert learned is not None
    pd.testing.assert_frame_equal(
        pipeline.design_matrix(COHORT.X), learned.transform(COHORT.X), check_freq=False
    )


def test_a_patient_is_scored_alone_as_among_others() -> None:
    pipeline = risk_pipeline(
        ["clinical:*", "factors:*", "mri:f0"],
        CoxModel(ridge=1.0),
        factors=factor_model(),
        missing="median",
    ).fit(COHORT.X, COHORT.y)
    together = pipeline.risk(NEW, horizon=6.0)
    alone = [pipeline.risk(NEW.iloc[[i]], horizon=6.0)[0] for i in range(len(NEW))]
    np.testing.assert_allclose(alone, together, rtol=1e-10)


def test_a_binary_risk_needs_no_horizon() -> None:
    cohort = made_cohort(80, kind="binary")
    for model in (LogisticModel(), BoostedModel(n_rounds=5)):
        pipeline = risk_pipeline(["clinical:*"], model).fit(cohort.X, cohort.y)
        expected = 1 / (1 + np.exp(-pipeline.linear_predictor(cohort.X)))
        np.testing.assert_allclose(pipeline.risk(cohort.X), expected, rtol=1e-10)
    cox = risk_pipeline(["clinical:*"], CoxModel()).fit(COHORT.X, COHORT.y)
    with pytest.raises(ValueError, match="horizon must be stated"):
        cox.risk(COHORT.X)


def test_splines_reach_the_design() -> None:
    pipeline = risk_pipeline(["clinical:Age"], CoxModel(), splines={"clinical:Age": 3})
    matrix = pipeline.fit(COHORT.X, COHORT.y).design_matrix(COHORT.X)
    assert list(matrix.columns) == ["clinical:Age", "clinical:Age'"]


@pytest.mark.parametrize(
    ("model", "factors", "expected"),
    [
        (CoxModel(), False, True),
        (CoxModel(ridge="aic"), False, True),
        (LogisticModel(), False, True),
        (BoostedModel(), False, False),
        (CoxModel(), True, False),
        (BoostedModel(), True, False),
    ],
)
def test_what_is_prespecified(model: Any, factors: bool, expected: bool) -> None:
    pipeline = risk_pipeline(
        ["factors:*"] if factors else ["clinical:*"],
        model,
        factors=factor_model() if factors else None,
    )
    assert pipeline.prespecified == expected
    assert clone(pipeline).prespecified == expected


def test_clone_shares_nothing_learned() -> None:
    pipeline = risk_pipeline(["factors:*"], CoxModel(), factors=factor_model())
    fitted = clone(pipeline).fit(COHORT.X, COHORT.y)
    assert not hasattr(pipeline.model, "coef_")
    assert not hasattr(pipeline.factor_model, "projection_")
    assert not hasattr(clone(fitted).model, "coef_")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"predictors": ["factors:F1"]}, r"name factors without a factor model.*factors:F1"),
        ({"predictors": ["clinical:*"], "factors": FactorModel()}, "none starts with 'factors:'"),
        ({"predictors": ["clinical:*"], "missing": "keep"}, "Only boosted trees"),
    ],
)
def test_what_does_not_fit_together_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        risk_pipeline(**{"model": CoxModel(), **arguments})


def test_a_model_that_no_report_knows_is_refused_before_anything_is_fitted() -> None:
    with pytest.raises(
        ValueError, match=r"CoxModel, LogisticModel or BoostedModel.*ParametricModel came"
    ):
        risk_pipeline(["clinical:*"], ParametricModel())  # type: ignore[arg-type]
