"""What a study file may ask about its factors, beyond what every report tells."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from omics.stability import LEAST_SHARE, LIMIT


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StabilitySpec(_Part):
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


class ChooseSpec(_Part):
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
