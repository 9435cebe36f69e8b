"""The sections `[prediction]`, `[validation]` and `[updating]`: how and where models are judged."""

from typing import Self

from pydantic import Field, model_validator

from omics.moment import Moment
from reports.spec import Spec

FEWEST_LEFT_OUT = 50  # resamples of .632+


class PredictionSpec(Spec):
    """The section `[prediction]`: when predictions are made."""

    moment: Moment


class FoldsSpec(Spec):
    """Folds and repeats of the cross-validation."""

    folds: int = Field(default=5, ge=2)
    repeats: int = Field(default=20, ge=1)


class ValidationSpec(Spec):
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


class UpdatingSpec(Spec):
    """The section `[updating]`: models to fit to an external cohort again, as far as it asks."""

    cohort: str
    models: list[str] = Field(min_length=1)
