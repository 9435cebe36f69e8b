"""The sections `[[signatures]]`, `[[models]]` and `[missing]`: what predicts, and from what."""

from typing import Literal, Self

from pydantic import Field, model_validator

from models.design import IMPUTATIONS, Missing
from models.interactions import check_interactions
from models.predictors import matching
from models.ticks import AxisTicks
from omics.messages import nearest
from omics.outcome import ColumnAddress
from reports.spec import Spec

Policy = Literal["refuse", "complete_case", "median", "chained", "multiple", "indicator"]
LEARNED = ("factors:", "signature:")  # predictors that no table holds
# keys of a model's nomogram beside its predictors: ticks of `models.ticks.AxisTicks`
NOMOGRAM_AXES = ("risk_at", "median_at", "total_points_at", "linear_predictor_at")


class SignatureSpec(Spec):
    """One `[[signatures]]`: a LASSO or elastic-net score of the columns named."""

    name: str = Field(min_length=1)
    predictors: list[str] = Field(min_length=1)
    mix: float = Field(default=1.0, gt=0, le=1, description="1 is the LASSO, less the elastic net")
    rule: Literal["1se", "min"] = "1se"
    folds: int = Field(default=10, ge=2, description="of the inner cross-validation")

    @model_validator(mode="after")
    def _is_built_on_columns(self) -> Self:
        if set(self.name) & set(":*"):
            raise ValueError(f"name must not hold ':' or '*', but {self.name!r} came")
        for predictor in self.predictors:
            if predictor.startswith(("factors:", "signature:")):
                raise ValueError(
                    f"predictors of a signature must be columns of the tables, but {predictor!r} "
                    "came"
                )
        return self


class ModelSpec(Spec):
    """One `[[models]]`: what predicts, from which columns."""

    name: str = Field(min_length=1)
    kind: Literal["cox", "logistic", "xgboost"]
    predictors: list[str] = Field(min_length=1)
    ridge: float | Literal["aic"] | None = Field(
        default=None, description="penalty; by default 'aic' where factors enter, else 0"
    )
    splines: dict[str, int | list[float]] = Field(default={})
    interactions: list[list[str]] = Field(
        default=[], description="pairs of predictors, each named as its column"
    )
    strata: ColumnAddress | None = Field(
        default=None,
        description="column of a cox model whose levels have a baseline hazard each",
    )
    ties: Literal["efron", "breslow"] = Field(
        default="efron", description="how a cox model counts events at the same time"
    )
    robust: bool = Field(
        default=False, description="sandwich variance of a cox model's coefficients"
    )
    nomogram: bool | dict[str, list[float]] = Field(
        default=False,
        description="true, or ticks of its axes: { column = [...], risk_at = [...], "
        "median_at = [...], total_points_at = [...], linear_predictor_at = [...] }",
    )
    missing: Missing | None = Field(
        default=None,
        description="by default the policy of [missing], else 'keep' for xgboost and "
        "'refuse' for regressions",
    )
    rounds: int = Field(default=100, ge=1, description="of boosting, for xgboost")
    learning_rate: float = Field(default=0.05, gt=0, le=1)
    max_depth: int = Field(default=3, ge=1)

    @model_validator(mode="after")
    def _options_fit_the_kind(self) -> Self:
        given = self.model_fields_set
        if self.kind != "xgboost" and self.missing == "keep":
            raise ValueError(
                f"missing must not be 'keep' for a regression, but it came for kind {self.kind!r}: "
                "only boosted trees take missing values as they are"
            )
        if self.kind == "xgboost" and self.missing == "multiple":
            raise ValueError(
                "missing must not be 'multiple' for boosted trees, but it came: they have no "
                "coefficients to pool"
            )
        boosting = {"rounds", "learning_rate", "max_depth"} & given
        regression = {"ridge", "splines", "interactions", "nomogram"} & given
        if self.kind != "xgboost" and boosting:
            raise ValueError(
                f"{sorted(boosting)} are for kind 'xgboost', but kind is {self.kind!r}"
            )
        if self.kind == "xgboost" and any(getattr(self, name) for name in regression):
            raise ValueError(
                f"{sorted(regression)} are for regressions, but kind is 'xgboost': boosted trees "
                "have no nomogram, no splines, no interactions and no ridge of ours"
            )
        if isinstance(self.ridge, float) and self.ridge < 0:
            raise ValueError(f"ridge must not be negative, but {self.ridge:g} came")
        return self

    @model_validator(mode="after")
    def _cox_options_are_of_a_cox_model(self) -> Self:
        cox = sorted({"strata", "ties", "robust"} & self.model_fields_set)
        if cox and self.kind != "cox":
            raise ValueError(
                f"{cox} are for kind 'cox', but kind is {self.kind!r}: only a Cox model has "
                "baseline hazards and tied events"
            )
        if self.strata is not None and self._is_predictor(self.strata):
            raise ValueError(
                f"strata must be no predictor, but predictors name {self.strata!r} too: a stratum "
                "has a baseline hazard in place of a coefficient"
            )
        if self.robust and (self.ridge or (self.ridge is None and self.uses_factors)):
            raise ValueError(
                "robust must come without a ridge, but it is true and the ridge is "
                f"{'aic' if self.ridge is None else self.ridge!r}: write ridge = 0"
            )
        return self

    @model_validator(mode="after")
    def _interactions_are_of_predictors(self) -> Self:
        named = [name for pair in self.interactions for name in pair]
        named = [name for name in dict.fromkeys(named) if self._is_predictor(name)]
        exact = [name for name in self.predictors if "*" not in name]
        check_interactions(self.interactions, list(dict.fromkeys([*named, *exact])))
        return self

    @model_validator(mode="after")
    def _nomogram_has_ticks_of_its_axes(self) -> Self:
        ticks = self.nomogram if isinstance(self.nomogram, dict) else {}
        for name in ticks:
            if name not in NOMOGRAM_AXES and not self._is_predictor(name):
                known = [*NOMOGRAM_AXES, *self.predictors]
                raise ValueError(
                    f"nomogram must name predictors of the model or {list(NOMOGRAM_AXES)}, but "
                    f"{name!r} came. {nearest(name, known)}"
                )
        if ticks:
            self.nomogram_ticks.checked()
        return self

    def _is_predictor(self, name: str) -> bool:
        return "*" not in name and any(matching(other, [name]) for other in self.predictors)

    @property
    def nomogram_ticks(self) -> AxisTicks:
        """The ticks asked for on the axes of its nomogram."""
        ticks = self.nomogram if isinstance(self.nomogram, dict) else {}
        return AxisTicks(
            settings={name: at for name, at in ticks.items() if name not in NOMOGRAM_AXES},
            **{name: at for name, at in ticks.items() if name in NOMOGRAM_AXES},
        )

    @property
    def uses_factors(self) -> bool:
        """True if a predictor is a factor."""
        return any(name.startswith("factors:") for name in self.predictors)

    @property
    def plain_predictors(self) -> list[str]:
        """The predictors that are columns of the tables, neither factors nor signatures."""
        return [name for name in self.predictors if not name.startswith(LEARNED)]

    def uses_signature(self, name: str) -> bool:
        """Tell whether a predictor names the signature."""
        return any(matching(predictor, [f"signature:{name}"]) for predictor in self.predictors)


class MissingSpec(Spec):
    """The section `[missing]`: what every model does about missing predictors, if it says nothing.

    It holds for boosted trees too; `missing = "keep"` in their own section leaves gaps to them.
    """

    policy: Policy
    imputations: int = Field(
        default=IMPUTATIONS, ge=2, description="copies, and draws, of every 'multiple'"
    )
