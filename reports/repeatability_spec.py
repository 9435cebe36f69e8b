"""The section `[repeatability.<table>]`: a second reader's files, and the filter they decide."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from omics.intraclass import Form
from omics.reliability import LEAST_PATIENTS


class RepeatabilitySpec(BaseModel):
    """Repeats of one table: features that repeat badly are dropped before any model.

    Each file is read as `[tables.<table>]` says; only its path is another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    readers: list[Path] = Field(
        min_length=1, description="files of the further readers, segmentations or scans"
    )
    form: Form = Field(description="of the intraclass correlation")
    least: float = Field(
        ge=0, le=1, description="lower confidence bound from which a feature is kept"
    )
    level: float = Field(default=0.95, gt=0, lt=1, description="of the interval")
    least_patients: int = Field(
        default=LEAST_PATIENTS, ge=2, description="fewest patients with all readings, in each fold"
    )
    independent: bool = Field(
        default=False,
        description="true if the files are two or more readings of patients not in the study",
    )
