"""The study file: what `nomomics run study.toml` reads, and the words for what is wrong in it."""

import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    model_validator,
)

from models.description import BY_COHORT, TableOneAsked
from models.design import IMPUTATIONS, Missing, matching
from models.interactions import check_interactions
from models.ticks import AxisTicks
from omics.centres import META
from omics.cohort import CohortsSpec
from omics.errors import StudyError
from omics.messages import nearest
from omics.moment import Moment
from omics.outcome import ColumnAddress, OutcomeSpec, SurvivalSpec
from omics.table_spec import TableSpec
from reports.factor_specs import FactorsSpec
from reports.harmonise_spec import HarmoniseSpec
from reports.repeatability_spec import RepeatabilitySpec
from reports.study_words import mistakes

Policy = Literal["refuse", "complete_case", "median", "chained", "multiple", "indicator"]
LEARNED = ("factors:", "signature:")  # predictors that no table holds
FEWEST_LEFT_OUT = 50  # resamples of .632+
# keys of a model's nomogram beside its predictors: ticks of `models.ticks.AxisTicks`
NOMOGRAM_AXES = ("risk_at", "median_at", "total_points_at", "linear_predictor_at")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AboutSpec(_Section):
    """The section `[study]`: title, seed and what to say about the study."""

    title: str = Field(min_length=1)
    seed: int = Field(default=0, ge=0, description="every random draw follows from it")
    description: str = ""
    synthetic: bool = Field(default=False, description="True marks every page as made-up data")


class ExternalSpec(_Section):
    """The section `[external.<name>]`: a second cohort that lies in files of its own.

    `tables` gives the path (and sheet) of each table; how it is read is what `[tables]` says.
    """

    tables: dict[str, Path]


class SignatureSpec(_Section):
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


class ModelSpec(_Section):
    """One `[[models]]`: what predicts, from which columns."""

    name: str = Field(min_length=1)
    kind: Literal["cox", "logistic", "xgboost"]
    predictors: list[str] = Field(min_length=1)
    ridge: float | Literal["aic"] | None = Field(
        default=None, description="penalty; by default 'aic' where factors enter, else 0"
    )
    splines: dict[str, int | list[float]] = {}
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


class AddedValueSpec(_Section):
    """The section `[added_value]`: what each kind of table adds, model against model.

    `clinical`, `radiomics` and `molecular` each add a regression on these predictors alone, named
    `Clinical`, `Radiomics` and `Molecular`; two or more of them also `Combined`, on all of theirs.
    Every model of the study, and tumour volume alone, is then compared with `reference`.
    """

    clinical: list[str] = []
    radiomics: list[str] = []
    molecular: list[str] = []
    ridge: float | Literal["aic"] | dict[str, float | Literal["aic"]] | None = Field(
        default=None, description="of the added models, or of each by its name; as for [[models]]"
    )
    missing: Policy | None = Field(
        default=None, description="of the added models; as for [[models]]"
    )
    splines: dict[str, int | list[float]] = Field(
        default={}, description="of each added model that has the column"
    )
    nomograms: list[str] = Field(default=[], description="added models to draw a nomogram of")
    reference: str | None = Field(
        default=None, description="by default 'Clinical' where it is added, else the first model"
    )
    thresholds: list[float] | None = Field(
        default=None, description="of net benefit; by default each tenth within [report] thresholds"
    )
    reclassification: bool = Field(
        default=False, description="give NRI and IDI too, with their warning"
    )
    categories: list[float] = Field(
        default=[], description="risks at which categories part, for a category NRI"
    )

    @model_validator(mode="after")
    def _thresholds_rise(self) -> Self:
        levels = self.thresholds
        if levels is not None and not (
            levels and sorted(set(levels)) == levels and levels[0] > 0 and levels[-1] < 1
        ):
            raise ValueError(f"thresholds must rise between 0 and 1, but {levels} came")
        parts = self.categories
        if sorted(set(parts)) != parts or not all(0 < part < 1 for part in parts):
            raise ValueError(f"categories must rise between 0 and 1, but {parts} came")
        if parts and not self.reclassification:
            raise ValueError("categories are given, but reclassification = true is not: add it")
        return self

    @model_validator(mode="after")
    def _names_are_of_added_models(self) -> Self:
        names = list(self.blocks)
        by_name = self.ridge if isinstance(self.ridge, dict) else {}
        for key, given in (("nomograms", self.nomograms), ("ridge", list(by_name))):
            for name in given:
                if name not in names:
                    raise ValueError(
                        f"{key} must name models that this section adds, but {name!r} is none of "
                        f"{names}"
                    )
        ridges = by_name.values() if by_name else [self.ridge]
        if any(isinstance(ridge, int | float) and ridge < 0 for ridge in ridges):
            raise ValueError(f"ridge must not be negative, but {self.ridge} came")
        return self

    @property
    def blocks(self) -> dict[str, list[str]]:
        """Predictors of each model that the section adds, by its name."""
        kinds = ("clinical", "radiomics", "molecular")
        given = {kind.capitalize(): getattr(self, kind) for kind in kinds if getattr(self, kind)}
        if len(given) > 1:
            given["Combined"] = [name for predictors in given.values() for name in predictors]
        return given

    def models(self, kind: Literal["cox", "logistic"]) -> list[ModelSpec]:
        """Write the added models out, as `[[models]]` would."""
        return [
            ModelSpec(
                name=name,
                kind=kind,
                predictors=predictors,
                ridge=self.ridge.get(name) if isinstance(self.ridge, dict) else self.ridge,
                missing=self.missing,
                nomogram=name in self.nomograms,
                splines={
                    column: knots
                    for column, knots in self.splines.items()
                    if any(matching(predictor, [column]) for predictor in predictors)
                },
            )
            for name, predictors in self.blocks.items()
        ]


class MissingSpec(_Section):
    """The section `[missing]`: what every model does about missing predictors, if it says nothing.

    It holds for boosted trees too; `missing = "keep"` in their own section leaves gaps to them.
    """

    policy: Policy
    imputations: int = Field(
        default=IMPUTATIONS, ge=2, description="copies, and draws, of every 'multiple'"
    )


class PredictionSpec(_Section):
    """The section `[prediction]`: when predictions are made."""

    moment: Moment


class FoldsSpec(_Section):
    """Folds and repeats of the cross-validation."""

    folds: int = Field(default=5, ge=2)
    repeats: int = Field(default=20, ge=1)


class ValidationSpec(_Section):
    """The section `[validation]`."""

    cross_validation: FoldsSpec = FoldsSpec()
    bootstrap: int = Field(
        default=200, ge=0, description="resamples of the optimism bootstrap; 0 leaves it out"
    )
    bootstrap_632: int = Field(
        default=0, ge=0, description="resamples of .632+, for every model; 0 leaves it out"
    )
    draws: int = Field(default=200, ge=20, description="bootstrap draws behind each interval")
    level: float = Field(default=0.95, gt=0, lt=1)

    @model_validator(mode="after")
    def _enough_resamples(self) -> Self:
        if self.bootstrap == 1:
            raise ValueError("bootstrap must be 0 or at least 2, but 1 came")
        if 0 < self.bootstrap_632 < FEWEST_LEFT_OUT:
            raise ValueError(
                f"bootstrap_632 must be 0 or at least {FEWEST_LEFT_OUT}, but {self.bootstrap_632} "
                "came: every patient has to be left out of some resamples"
            )
        return self


class UpdatingSpec(_Section):
    """The section `[updating]`: models to fit to an external cohort again, as far as it asks."""

    cohort: str
    models: list[str] = Field(min_length=1)


class TableOneSpec(_Section):
    """Table one: `[report] table_one`, a list of columns or a section of these keys."""

    columns: list[str] | None = Field(
        default=None, description="by default those of clinical and pathology tables"
    )
    by: str = Field(
        default=BY_COHORT, description="'cohort', 'centre' or a category, as 'clinical:treatment'"
    )
    smd: bool = Field(default=True, description="standardised differences between the groups")
    tests: StrictBool | Literal["rank", "welch"] = Field(
        default=False, description="p values; true is 'rank': Wilcoxon or Kruskal-Wallis"
    )

    @property
    def asked(self) -> TableOneAsked:
        """The same, as an analysis takes it."""
        tests = "rank" if self.tests is True else self.tests
        return TableOneAsked(columns=self.columns, by=self.by, differences=self.smd, tests=tests)


def _columns_alone(value: object) -> object:
    """Read a list of columns as the section it abbreviates."""
    return {"columns": value} if isinstance(value, list) else value


class ReportSpec(_Section):
    """The section `[report]`."""

    thresholds: tuple[float, float] = Field(
        default=(0.05, 0.6), description="of the decision curves, from and to"
    )
    harm: float | dict[str, float] = Field(
        default=0.0,
        description="net benefit that obtaining the prediction costs each patient, or by model",
    )
    prevalence: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="of a binary outcome, where cases and controls were sampled apart",
    )
    standardised_net_benefit: bool = Field(
        default=False, description="also draw net benefit as a share of the largest there can be"
    )
    interventions_avoided: bool = Field(
        default=False, description="also draw net interventions avoided over the thresholds"
    )
    classify_at: list[float] = Field(
        default=[],
        description="risks at which patients are classified: sensitivity, specificity, PPV, NPV",
    )
    risk_groups: list[float] = Field(
        default=[0.5], description="quantiles at which the development patients' risk is cut"
    )
    table_one: Annotated[TableOneSpec, BeforeValidator(_columns_alone)] = TableOneSpec()
    subgroups: dict[ColumnAddress, Literal["levels"] | list[float]] = Field(
        default={}, description="column -> 'levels', or the numbers at which it is cut"
    )
    subgroup_models: list[str] | None = Field(
        default=None, description="models to show by centre and subgroup; by default all"
    )
    assumptions: bool = Field(
        default=True, description="examine the assumptions of Cox and logistic models"
    )
    calibration_groups: int = Field(
        default=5, ge=0, description="points beside calibration curves; 0 leaves them out"
    )
    hosmer_lemeshow: bool = Field(
        default=False, description="give this test of calibration, with its warning"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        harms = self.harm.values() if isinstance(self.harm, dict) else [self.harm]
        if not all(0 <= harm <= 1 for harm in harms):
            raise ValueError(f"harm must be a net benefit, from 0 to 1, but {self.harm} came")
        if self.calibration_groups == 1:
            raise ValueError("calibration_groups must be 0 or at least 2, but 1 came")
        low, high = self.thresholds
        if not 0 < low < high < 1:
            raise ValueError(f"thresholds must rise between 0 and 1, but {low:g} and {high:g} came")
        if any(not low < high < 1 for low, high in pairwise([0.0, *self.classify_at])):
            raise ValueError(
                f"classify_at must be rising risks between 0 and 1, but {self.classify_at} came"
            )
        groups = self.risk_groups
        if not groups or sorted(set(groups)) != groups or not all(0 < q < 1 for q in groups):
            raise ValueError(f"risk_groups must be rising quantiles between 0 and 1, got {groups}")
        return self


class Study(_Section):
    """A whole study file.

    Examples
    --------
    >>> read_study("nowhere.toml")
    Traceback (most recent call last):
    omics.errors.StudyError: study file nowhere.toml was not found. ...
    """

    study: AboutSpec
    tables: dict[str, TableSpec] = Field(min_length=1)
    outcome: OutcomeSpec
    cohorts: CohortsSpec | None = None
    external: dict[str, ExternalSpec] = {}
    centre: ColumnAddress | None = None
    repeatability: dict[str, RepeatabilitySpec] = {}
    harmonise: HarmoniseSpec | None = None
    factors: FactorsSpec | None = None
    signatures: list[SignatureSpec] = []
    models: list[ModelSpec] = Field(default=[], min_length=1)
    added_value: AddedValueSpec | None = None
    missing: MissingSpec | None = None
    prediction: PredictionSpec | None = None
    validation: ValidationSpec = ValidationSpec()
    updating: UpdatingSpec | None = None
    report: ReportSpec = ReportSpec()

    @model_validator(mode="after")
    def _models_have_names(self) -> Self:
        if not self.every_model:
            raise ValueError(
                "no model is declared: write a section [[models]], or [added_value] with "
                "clinical = [...]"
            )
        names = [model.name for model in self.every_model]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice and self.added_value is not None and twice[0] in self.added_value.blocks:
            raise ValueError(
                f"[added_value] adds a model {twice[0]!r}, but [[models]] declares one of that "
                "name too: rename it, or take its predictors out of [added_value]"
            )
        if twice:
            raise ValueError(f"models must have different names, but {twice[0]!r} comes twice")
        reference = self.added_value.reference if self.added_value is not None else None
        if reference is not None and reference not in names:
            raise ValueError(
                f"[added_value] reference must name a model, but {reference!r} is none of "
                f"{len(names)}. {nearest(reference, names)}"
            )
        return self

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        kinds = {"cox"} if isinstance(self.outcome, SurvivalSpec) else {"logistic"}
        for model in self.every_model:
            if model.kind not in kinds | {"xgboost"}:
                raise ValueError(
                    f"model {model.name!r} is of kind {model.kind!r}, but the outcome is "
                    f"{self.outcome.kind}: use {sorted(kinds | {'xgboost'})}"
                )
            if model.uses_factors and self.factors is None:
                raise ValueError(
                    f"model {model.name!r} takes factors, but the study has no section [factors]"
                )
        if self.factors is not None and not any(model.uses_factors for model in self.every_model):
            raise ValueError(
                "[factors] is declared, but no model takes factors: add 'factors:*' to the "
                "predictors of a model, or take the section away"
            )
        self._check_signatures()
        for name in self._tables_named():
            table = name.partition(":")[0]
            if table not in self.tables:
                raise ValueError(
                    f"{name!r} names a table, but there is no section [tables.{table}]. "
                    f"{nearest(table, self.tables)}"
                )
        return self

    @model_validator(mode="after")
    def _repeats_are_of_tables_that_are_read(self) -> Self:
        for table, spec in self.repeatability.items():
            if not any(self.reads(model, table) for model in self.every_model):
                raise ValueError(
                    f"[repeatability.{table}] is declared, but no model reads {table!r}: name its "
                    "columns in a model, or take the section away"
                )
            if spec.independent and len(spec.readers) < 2:
                raise ValueError(
                    f"[repeatability.{table}] readers must be two or more files with independent = "
                    "true, but 1 came: the patients are not those of the study"
                )
        return self

    @model_validator(mode="after")
    def _harmonisation_knows_centres_and_no_outcome(self) -> Self:
        spec = self.harmonise
        if spec is None:
            return self
        if self.centre is None:
            raise ValueError(
                "[harmonise] is declared, but no centre is: write centre = 'table:column' above "
                "the first section"
            )
        apart = dict.fromkeys(self.outcome.columns, "the outcome") | {self.centre: "the centre"}
        for name in spec.covariates:
            if name in apart:
                raise ValueError(
                    f"[harmonise] covariates must not name {apart[name]}, but {name!r} is: take it "
                    "out. What predicts the outcome must not be made to"
                )
        for table in spec.tables:
            if not any(self.reads(model, table) for model in self.every_model):
                raise ValueError(
                    f"[harmonise] tables names {table!r}, which no model reads: name its columns "
                    "in a model, or take it out"
                )
        return self

    @model_validator(mode="after")
    def _decision_curves_are_of_these_models(self) -> Self:
        if self.report.prevalence is not None and self.outcome.kind == "survival":
            raise ValueError(
                "[report] prevalence is for a binary outcome, whose cases and controls were "
                "sampled apart, but the outcome is survival: take it away"
            )
        harm = self.report.harm if isinstance(self.report.harm, dict) else {}
        updated = [] if self.updating is None else self.updating.models
        for model in self.every_model:
            if model.strata is not None and model.name in updated:
                raise ValueError(
                    f"[updating] models must have one baseline hazard, but {model.name!r} has one "
                    f"for each level of {model.strata!r}: take it out of [updating]"
                )
        names = [model.name for model in self.every_model]
        for key, given in (("[report] harm", list(harm)), ("[updating] models", updated)):
            for name in given:
                if name not in names:
                    raise ValueError(
                        f"{key} must name models, but {name!r} is none of {len(names)}. "
                        f"{nearest(name, names)}"
                    )
        return self

    @model_validator(mode="after")
    def _imputations_are_used(self) -> Self:
        policies = [self.policy_of(model) for model in self.every_model]
        given = self.missing is not None and "imputations" in self.missing.model_fields_set
        if given and "multiple" not in policies:
            raise ValueError(
                "[missing] imputations is given, but no model's policy is 'multiple': take it away"
            )
        for model, policy in zip(self.every_model, policies, strict=True):
            if policy == "multiple" and model.strata is not None:
                raise ValueError(
                    f"missing must not be 'multiple' with strata, but it is for model "
                    f"{model.name!r}: the draws of a patient do not know the stratum. State its "
                    "own missing = 'chained', 'median' or 'complete_case'"
                )
            if policy == "multiple" and model.kind == "xgboost":
                raise ValueError(
                    f"[missing] policy 'multiple' is for regressions, but model {model.name!r} is "
                    "of kind 'xgboost': state its own missing = 'keep'"
                )
        return self

    @property
    def every_model(self) -> list[ModelSpec]:
        """The models that `[added_value]` adds, then those of `[[models]]`."""
        if self.added_value is None:
            return self.models
        kind: Literal["cox", "logistic"] = "cox" if self.outcome.kind == "survival" else "logistic"
        return [*self.added_value.models(kind), *self.models]

    def _check_signatures(self) -> None:
        """Refuse signatures that are declared twice, not used, or used and not declared."""
        names = [one.name for one in self.signatures]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"signatures must have different names, but {twice[0]!r} comes twice")
        columns = [f"signature:{name}" for name in names]
        for model in self.every_model:
            for predictor in model.predictors:
                if predictor.startswith("signature:") and not matching(predictor, columns):
                    raise ValueError(
                        f"model {model.name!r} takes {predictor!r}, which no [[signatures]] "
                        f"declares. {nearest(predictor, columns)}"
                    )
        for name in names:
            if not any(model.uses_signature(name) for model in self.every_model):
                raise ValueError(
                    f"[[signatures]] {name!r} is declared, but no model takes it: add "
                    f"'signature:{name}' to the predictors of a model, or take the section away"
                )
        for name in ("factors", "signature", META):
            if name in self.tables:
                raise ValueError(
                    f"[tables.{name}] must have another name: {name}: stands for what is learned, "
                    "or for the centre"
                )

    def policy_of(self, model: ModelSpec) -> Missing:
        """Say what a model does about missing predictors."""
        if model.missing is not None:
            return model.missing
        if self.missing is not None:
            return self.missing.policy
        return "keep" if model.kind == "xgboost" else "refuse"

    def reads(self, model: ModelSpec, table: str) -> bool:
        """Tell whether a model reads a table, itself or through factors or a signature."""
        read = [*model.plain_predictors]
        if model.uses_factors and self.factors is not None:
            read += self.factors.views
        read += [
            name
            for one in self.signatures
            if model.uses_signature(one.name)
            for name in one.predictors
        ]
        return any(matching(name.partition(":")[0], [table]) for name in read)

    def _tables_named(self) -> list[str]:
        """List every table and every `table:column` that the study names."""
        named = [*self.outcome.columns, *self.repeatability]
        if self.cohorts is not None:
            named.append(self.cohorts.column)
        if self.centre is not None:
            named.append(self.centre)
        if self.harmonise is not None:
            named += [*self.harmonise.tables, *self.harmonise.covariates]
        if self.factors is not None:
            named += self.factors.views
        named += [
            predictor
            for model in self.every_model
            for predictor in (*model.predictors, *model.splines)
            if not predictor.startswith(LEARNED)
        ]
        named += [model.strata for model in self.every_model if model.strata is not None]
        named += self.report.subgroups
        if self.added_value is not None:
            named += [name for name in self.added_value.splines if not name.startswith(LEARNED)]
        named += [predictor for one in self.signatures for predictor in one.predictors]
        return named + [table for other in self.external.values() for table in other.tables]


def read_study(path: str | Path) -> Study:
    """Read and check a study file; paths in it are taken from the file's own folder.

    Raises
    ------
    StudyError
        If the file is missing, is no TOML, or holds a key or value that is not understood; the
        message lists every mistake, with the nearest name that would be.
    """
    path = Path(path)
    if not path.is_file():
        near = sorted(p.name for p in path.parent.glob("*.toml")) if path.parent.is_dir() else []
        raise StudyError(
            f"study file {path} was not found. "
            + (f"The folder holds {', '.join(near)}." if near else "Give the path of a .toml file.")
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise StudyError(f"study file {path} cannot be opened: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StudyError(
            f"study file {path.name} cannot be read as TOML: {error}. "
            'A name with blanks or a slash needs quotes, as in "1p/19q" = ...'
        ) from error
    return parse_study(content, folder=path.parent, source=path.name)


def parse_study(content: dict[str, Any], *, folder: Path, source: str) -> Study:
    """Check the content of a study file; see `read_study`."""
    try:
        study = Study.model_validate(content)
    except ValidationError as error:
        raise StudyError(f"{source}:\n{mistakes(error, content, Study)}") from error
    tables = {
        name: spec.model_copy(update={"path": folder / spec.path})
        for name, spec in study.tables.items()
    }
    external = {
        name: other.model_copy(
            update={"tables": {table: folder / p for table, p in other.tables.items()}}
        )
        for name, other in study.external.items()
    }
    repeats = {
        name: spec.model_copy(update={"readers": [folder / path for path in spec.readers]})
        for name, spec in study.repeatability.items()
    }
    factors = study.factors
    if factors is not None and factors.gene_sets is not None:
        factors = factors.model_copy(update={"gene_sets": folder / factors.gene_sets})
    placed = {
        "tables": tables,
        "external": external,
        "repeatability": repeats,
        "factors": factors,
    }
    return study.model_copy(update=placed)
