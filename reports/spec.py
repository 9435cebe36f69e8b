"""What every section of a study file has in common: unknown keys are mistakes."""

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A section of a study file, checked as it is read and never changed after."""

    model_config = ConfigDict(frozen=True, extra="forbid")
