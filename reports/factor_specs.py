"""What a study file may ask about its factors, beyond what every report tells."""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from omics.mofa_fit import Convergence, Engine, Likelihood
from omics.mofa_parameters import LowInformation
from omics.mofa_scaling import Scale
from omics.stability import LEAST_SHARE, LIMIT
from reports.spec import Spec


class StabilitySpec(Spec):
    """Refits that tell which factors are stable."""

    bootstraps: int = Field(default=50, ge=0, description="samples of patients; 0 leaves them out")
    starts: int = Field(default=10, ge=0, description="disturbed starts; 0 leaves them out")
    limit: float = Field(default=LIMIT, gt=0, le=1, description="|r| of a factor found again")
    least_share: float = Field(
        default=LEAST_SHARE, gt=0, le=1, description="of refits of a stable factor"
    )

    @model_validator(mode="after")
    def _something_to_refit(self) -> Self:
        if self.bootstraps + self.starts == 0:
            raise ValueError(
                "bootstraps or starts must be at least 1, but both are 0: take stability away "
                "instead"
            )
        return self


class ChooseSpec(Spec):
    """Numbers of factors to compare by hidden values; the report shows them, nothing is changed."""

    grid: list[int] = Field(min_length=1, description="numbers of factors")
    folds: int = Field(default=5, ge=2)

    @model_validator(mode="after")
    def _whole_numbers(self) -> Self:
        if min(self.grid) < 1:
            raise ValueError(
                f"grid must hold numbers of at least 1, but {min(self.grid)} came: no factor at "
                "all is always compared"
            )
        return self


class FactorsSpec(Spec):
    """The section `[factors]`: how MOFA factorizes the views."""

    views: list[str] = Field(min_length=1)
    likelihoods: dict[str, Likelihood] = Field(default={})
    n_factors: int = Field(default=10, ge=1)
    max_features: int | dict[str, int] | None = None
    scale: Scale | dict[str, Scale] = "feature"
    groups: str | None = Field(
        default=None, description="a column whose levels have means and noise of their own"
    )
    scale_groups: bool = Field(default=False, description="divide each group by its own spread")
    new_group: str | None = Field(
        default=None, description="the group whose values new patients take; by default pooled ones"
    )
    spike_slab: bool = Field(default=True, description="single weights can be switched off")
    ard_weights: bool = Field(default=True, description="factors can be switched off by view")
    ard_factors: bool = Field(default=False, description="factors vary by group")
    weight_views: bool = Field(default=False, description="count views alike, whatever their size")
    least_r2: float | None = Field(
        default=None, ge=0, le=1, description="drop factors that explain less of every view"
    )
    convergence: Convergence = "fast"
    tolerance: float | None = Field(
        default=None, gt=0, description="sweep on until no factor value changes by so much"
    )
    max_iterations: int = Field(default=1000, ge=1)
    least_information: float | None = Field(
        default=None, ge=0, le=1, description="on its best factor, for a patient to count"
    )
    low_information: LowInformation = Field(
        default="flag", description="below it: flag the patient, or take the factors as missing"
    )
    engine: Engine = "nomomics"
    stability: StabilitySpec | None = Field(
        default=None, description="bootstraps and disturbed starts; by default none"
    )
    choose: ChooseSpec | None = Field(
        default=None, description="numbers of factors to compare; by default none"
    )
    transductive: bool = Field(
        default=False,
        description="True shows beside each model what it looks like with factors of all patients",
    )

    associations: list[str] = Field(
        default=[],
        description="columns that factors are tested against, beside the clinical and pathology "
        "ones and the outcome",
    )
    ordered: list[str] = Field(
        default=[],
        description="those of them whose declared levels rise from the first to the last: they "
        "are tested as ordered",
    )
    gene_sets: Path | None = Field(default=None, description="a .gmt file of gene sets")
    gene_sets_view: str | None = Field(default=None, description="the view that holds genes")
    gene_sets_top: int = Field(default=50, ge=1, description="top genes of each factor and sign")
    gene_sets_sizes: tuple[int, int] = Field(
        default=(5, 500), description="smallest and largest set tested, in genes of the view"
    )

    @model_validator(mode="after")
    def _options_go_together(self) -> Self:
        if self.groups is None and (self.new_group is not None or self.scale_groups):
            raise ValueError(
                "new_group and scale_groups are for groups, but no groups came: name their column, "
                "groups = 'table:column'"
            )
        if self.low_information == "missing" and self.least_information is None:
            raise ValueError(
                "least_information must be given where low_information is 'missing', but none "
                "came: say from which information on a patient counts, such as 0.2"
            )
        return self

    @model_validator(mode="after")
    def _gene_sets_have_a_view(self) -> Self:
        asked = ("gene_sets_view", "gene_sets_top", "gene_sets_sizes")
        fields = type(self).model_fields
        given = [name for name in asked if getattr(self, name) != fields[name].default]
        if self.gene_sets is None and given:
            raise ValueError(f"{given[0]} is for gene sets, but gene_sets names no file")
        if self.gene_sets is not None and self.gene_sets_view not in self.views:
            raise ValueError(
                f"gene_sets_view must name the view that holds genes, one of {self.views}, but is "
                f"{self.gene_sets_view!r}"
            )
        low, high = self.gene_sets_sizes
        if not 1 <= low <= high:
            raise ValueError(f"gene_sets_sizes must rise from 1, but {low} and {high} came")
        return self
