"""The section `[repeatability.<table>]`: a second reader's files, and the filter they decide."""

from pathlib import Path
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from omics.intraclass import SHROUT_FLEISS, Form
from omics.reliability import LEAST_PATIENTS
from omics.table_spec import Scalar
from reports.spec import Spec


class ReaderSpec(Spec):
    """Where a further reader's rows stand: another file, or other rows of the table's own."""

    path: Path | None = Field(default=None, description="by default the table's own file")
    only: dict[str, list[Scalar]] | None = Field(
        default=None, description="as in the table's section, and in its place"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: Any) -> Any:
        """Take the path alone as well."""
        return {"path": value} if isinstance(value, str | Path) else value

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if self.path is None and not self.only:
            raise ValueError('a reader needs a path, or rows: { only = { reader = ["B"] } }')
        return self


class RepeatabilitySpec(Spec):
    """Repeats of one table: features that repeat badly are dropped before any model.

    Each reader is read as `[tables.<table>]` says; only the path, or the rows, are others.

    Examples
    --------
    >>> spec = RepeatabilitySpec(readers=["reader2.csv"], form="ICC(A,1)", least=0.75)
    >>> spec.readers[0].path.name
    'reader2.csv'
    >>> other_rows = {"only": {"reader": ["B"]}}
    >>> RepeatabilitySpec(readers=[other_rows], form="ICC(A,1)", least=0.75).readers[0].only
    {'reader': ['B']}
    """

    readers: list[ReaderSpec] = Field(
        min_length=1, description="files, or rows, of the further readers, segmentations or scans"
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

    @field_validator("form", mode="before")
    @classmethod
    def _not_by_its_other_name(cls, value: Any) -> Any:
        """Say what a form is called here."""
        known = SHROUT_FLEISS.get(value) if isinstance(value, str) else None
        if known is not None:
            raise ValueError(f"must be written {known!r}, but {value!r} came, its older name")
        return value
