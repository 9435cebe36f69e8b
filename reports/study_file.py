"""The study file: what `nomomics run study.toml` reads, and the words for what is wrong in it."""

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from models.design import Missing
from models.predictors import matching
from omics.centres import META
from omics.cohort import CohortsSpec
from omics.errors import StudyError
from omics.messages import nearest
from omics.outcome import ColumnAddress, OutcomeSpec, SurvivalSpec
from omics.table_spec import TableSpec
from reports.added_value_spec import AddedValueSpec
from reports.factor_specs import FactorsSpec
from reports.harmonise_spec import HarmoniseSpec
from reports.model_specs import LEARNED, MissingSpec, ModelSpec, SignatureSpec
from reports.repeatability_spec import RepeatabilitySpec
from reports.report_spec import ReportSpec
from reports.spec import Spec
from reports.study_words import mistakes
from reports.validation_specs import PredictionSpec, UpdatingSpec, ValidationSpec


class AboutSpec(Spec):
    """The section `[study]`: title, seed and what to say about the study."""

    title: str = Field(min_length=1)
    seed: int = Field(default=0, ge=0, description="every random draw follows from it")
    description: str = ""
    synthetic: bool = Field(default=False, description="True marks every page as made-up data")


class ExternalSpec(Spec):
    """The section `[external.<name>]`: a second cohort that lies in files of its own.

    `tables` gives the path (and sheet) of each table; how it is read is what `[tables]` says.
    """

    tables: dict[str, Path]


class Study(Spec):
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
    external: dict[str, ExternalSpec] = Field(default={})
    centre: ColumnAddress | None = None
    repeatability: dict[str, RepeatabilitySpec] = Field(default={})
    harmonise: HarmoniseSpec | None = None
    factors: FactorsSpec | None = None
    signatures: list[SignatureSpec] = Field(default=[])
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
        name: spec.model_copy(
            update={
                "readers": [
                    one if one.path is None else one.model_copy(update={"path": folder / one.path})
                    for one in spec.readers
                ]
            }
        )
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
