"""The section `[report]`: what the page shows of a study, and where its curves begin and end."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from models.description import BY_COHORT, TableOneAsked
from omics.outcome import ColumnAddress
from reports.spec import Spec


class TableOneSpec(Spec):
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


class ReportSpec(Spec):
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
