"""How a study makes one row of several: the options `reduce` (lesions) and `delta` (timepoints)."""

from typing import Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

Change: TypeAlias = Literal["absolute", "relative", "per_day"]


class ReduceSpec(BaseModel):
    """How several rows of one patient, such as those of lesions, become one: the option `reduce`.

    Examples
    --------
    >>> spec = ReduceSpec(weighted="Volume", total=["Volume"], count="lesions")
    >>> spec.way, spec.size
    ('weighted', 'Volume')
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    largest: str | None = Field(
        default=None, description="take the row with the largest value of this column"
    )
    weighted: str | None = Field(
        default=None, description="take the mean of all rows, weighted by this column"
    )
    by: Literal["first", "mean"] | None = Field(
        default=None, description="take the first row or the mean, where total or count is wanted"
    )
    total: list[str] = Field(
        default=[],
        description="columns, such as the volume, whose sum over the rows is added: total|column",
    )
    count: str | None = Field(
        default=None, min_length=1, description="the name of a column to add: the number of rows"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        stated = [way for way in ("largest", "weighted", "by") if getattr(self, way) is not None]
        if len(stated) != 1:
            raise ValueError(
                'reduce must state one way, such as { largest = "column" }, { weighted = "column" '
                f'}} or {{ by = "mean" }}, but states {" and ".join(stated) or "none"}'
            )
        return self

    @property
    def way(self) -> Literal["first", "largest", "mean", "weighted"]:
        """What becomes of several rows."""
        if self.by is not None:
            return self.by
        return "largest" if self.largest is not None else "weighted"

    @property
    def size(self) -> str | None:
        """The column that picks or weights rows."""
        return self.largest if self.largest is not None else self.weighted


class DeltaSpec(BaseModel):
    """What changed between two timepoints: the option `delta` of a table.

    Examples
    --------
    >>> DeltaSpec.model_validate({"column": "timepoint", "from": "pre", "to": "post",
    ...                           "kind": "relative"}).end
    'post'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    column: str = Field(description="the column that tells the timepoints of one patient apart")
    start: str = Field(
        alias="from",
        coerce_numbers_to_str=True,
        description="the first timepoint, as the column writes it",
    )
    end: str = Field(alias="to", coerce_numbers_to_str=True, description="the second timepoint")
    kind: Change = Field(
        description="absolute: second less first; relative: that over the size of the first; "
        "per_day: that over the days between them"
    )
    days: str | None = Field(
        default=None,
        description="for per_day: the column with the day of each image (not the interval): dates "
        "YYYY-MM-DD, or numbers counted from a day that is the same for all images of a patient",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.start == self.end:
            raise ValueError(f"from and to must be two timepoints, but both are {self.start!r}")
        if "|" in self.start + self.end:
            raise ValueError("from and to must hold no bar: recode the column of timepoints")
        if (self.kind == "per_day") != (self.days is not None):
            raise ValueError(
                'days is needed where kind = "per_day", and nowhere else: the column with the day '
                "of each image"
            )
        if self.days == self.column:
            raise ValueError("days must be another column than that of timepoints")
        return self
