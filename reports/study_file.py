"""The study file: what `nomomics run study.toml` reads, and the words for what is wrong in it."""

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.design import Missing
from omics.cohort import CohortsSpec
from omics.errors import StudyError
from omics.messages import nearest
from omics.moment import Moment
from omics.outcome import ColumnAddress, OutcomeSpec, SurvivalSpec
from omics.table_spec import TableSpec
from reports.study_words import mistakes


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


class FactorsSpec(_Section):
    """The section `[factors]`: how MOFA factorizes the views."""

    views: list[str] = Field(min_length=1)
    likelihoods: dict[str, Literal["gaussian", "bernoulli"]] = {}
    n_factors: int = Field(default=10, ge=1)
    max_features: int | dict[str, int] | None = None
    scale: Literal["feature", "view", "none"] = "feature"
    convergence: Literal["fast", "medium", "slow"] = "fast"
    max_iterations: int = Field(default=1000, ge=1)


class ModelSpec(_Section):
    """One `[[models]]`: what predicts, from which columns."""

    name: str = Field(min_length=1)
    kind: Literal["cox", "logistic", "xgboost"]
    predictors: list[str] = Field(min_length=1)
    ridge: float | Literal["aic"] | None = Field(
        default=None, description="penalty; by default 'aic' where factors enter, else 0"
    )
    splines: dict[str, int | list[float]] = {}
    nomogram: bool = False
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
        boosting = {"rounds", "learning_rate", "max_depth"} & given
        regression = {"ridge", "splines", "nomogram"} & given
        if self.kind != "xgboost" and boosting:
            raise ValueError(
                f"{sorted(boosting)} are for kind 'xgboost', but kind is {self.kind!r}"
            )
        if self.kind == "xgboost" and regression and (self.nomogram or self.splines or self.ridge):
            raise ValueError(
                f"{sorted(regression)} are for regressions, but kind is 'xgboost': boosted trees "
                "have no nomogram, no splines and no ridge of ours"
            )
        if isinstance(self.ridge, float) and self.ridge < 0:
            raise ValueError(f"ridge must not be negative, but {self.ridge:g} came")
        return self

    @property
    def uses_factors(self) -> bool:
        """True if a predictor is a factor."""
        return any(name.startswith("factors:") for name in self.predictors)


class MissingSpec(_Section):
    """The section `[missing]`: what every model does about missing predictors, if it says nothing.

    It holds for boosted trees too; `missing = "keep"` in their own section leaves gaps to them.
    """

    policy: Literal["refuse", "complete_case", "median", "chained", "indicator"]


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
    draws: int = Field(default=200, ge=20, description="bootstrap draws behind each interval")
    level: float = Field(default=0.95, gt=0, lt=1)

    @model_validator(mode="after")
    def _enough_resamples(self) -> Self:
        if self.bootstrap == 1:
            raise ValueError("bootstrap must be 0 or at least 2, but 1 came")
        return self


class ReportSpec(_Section):
    """The section `[report]`."""

    thresholds: tuple[float, float] = Field(
        default=(0.05, 0.6), description="of the decision curves, from and to"
    )
    risk_groups: list[float] = Field(
        default=[0.5], description="quantiles at which the development patients' risk is cut"
    )
    table_one: list[str] | None = Field(
        default=None, description="columns of table one; by default clinical and pathology"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = self.thresholds
        if not 0 < low < high < 1:
            raise ValueError(f"thresholds must rise between 0 and 1, but {low:g} and {high:g} came")
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
    factors: FactorsSpec | None = None
    missing: MissingSpec | None = None
    prediction: PredictionSpec | None = None
    models: list[ModelSpec] = Field(min_length=1)
    validation: ValidationSpec = ValidationSpec()
    report: ReportSpec = ReportSpec()

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        names = [model.name for model in self.models]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"models must have different names, but {twice[0]!r} comes twice")
        kinds = {"cox"} if isinstance(self.outcome, SurvivalSpec) else {"logistic"}
        for model in self.models:
            if model.kind not in kinds | {"xgboost"}:
                raise ValueError(
                    f"model {model.name!r} is of kind {model.kind!r}, but the outcome is "
                    f"{self.outcome.kind}: use {sorted(kinds | {'xgboost'})}"
                )
            if model.uses_factors and self.factors is None:
                raise ValueError(
                    f"model {model.name!r} takes factors, but the study has no section [factors]"
                )
        if self.factors is not None and not any(model.uses_factors for model in self.models):
            raise ValueError(
                "[factors] is declared, but no model takes factors: add 'factors:*' to the "
                "predictors of a model, or take the section away"
            )
        for name in self._tables_named():
            table = name.partition(":")[0]
            if table not in self.tables:
                raise ValueError(
                    f"{name!r} names a table, but there is no section [tables.{table}]. "
                    f"{nearest(table, self.tables)}"
                )
        return self

    def policy_of(self, model: ModelSpec) -> Missing:
        """Say what a model does about missing predictors."""
        if model.missing is not None:
            return model.missing
        if self.missing is not None:
            return self.missing.policy
        return "keep" if model.kind == "xgboost" else "refuse"

    def _tables_named(self) -> list[str]:
        """List every table and every `table:column` that the study names."""
        named = [*self.outcome.columns]
        if self.cohorts is not None:
            named.append(self.cohorts.column)
        if self.centre is not None:
            named.append(self.centre)
        if self.factors is not None:
            named += self.factors.views
        named += [
            predictor
            for model in self.models
            for predictor in (*model.predictors, *model.splines)
            if not predictor.startswith("factors:")
        ]
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
    return study.model_copy(update={"tables": tables, "external": external})
