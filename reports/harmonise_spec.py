"""The section `[harmonise]`: the centre's mark is taken out of tables, and how."""

from typing import Self

from pydantic import Field, model_validator

from omics.harmonise import ComBat
from omics.harmonise_checks import NewCentre, check_policy
from omics.outcome import ColumnAddress
from reports.spec import Spec


class HarmoniseSpec(Spec):
    """ComBat, learned anew in every resample, between the filters and everything else."""

    tables: list[str] = Field(min_length=1, description="tables whose numbers are harmonised")
    new_centre: NewCentre = Field(
        description="patients of a centre that no development patient is of: 'refuse' them, "
        "'pass_through' their values, or 'estimate' the centre's shift and scale from them"
    )
    least_patients: int | None = Field(
        default=None, description="of a new centre, fewest that 'estimate' takes"
    )
    covariates: list[ColumnAddress] = Field(
        default=[], description="columns whose effect is preserved; never the outcome"
    )
    parametric: bool = Field(
        default=True, description="false shrinks under the features' own distribution"
    )
    mean_only: bool = Field(default=False, description="take out shifts, and leave scales")
    reference: str | None = Field(
        default=None, description="a centre that stays as it is; the others come to be like it"
    )

    @model_validator(mode="after")
    def _policy_is_whole(self) -> Self:
        check_policy(self.new_centre, self.least_patients)
        return self

    @model_validator(mode="after")
    def _covariates_stay_as_they_are(self) -> Self:
        for name in self.covariates:
            if name.partition(":")[0] in self.tables:
                raise ValueError(
                    f"covariates must not stand in a table that is harmonised, but {name!r} does: "
                    "take it out of covariates, or its table out of tables"
                )
        return self

    def combat_of(self, table: str) -> ComBat:
        """Give the transformer of one of the tables, not fitted.

        Considered and rejected: one transformer of all tables, because features would be shrunken
        towards those of another modality, and a model would need tables that it does not read.
        """
        return ComBat(**self.model_dump() | {"tables": [table]})
