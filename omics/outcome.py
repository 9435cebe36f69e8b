"""What is predicted: a survival time with its event, or a class; declared, never guessed.

The arrays that models pass on (`survival_outcome`), what the study file declares (`SurvivalSpec`,
`BinarySpec`) and what a reader of the report must know of it (`Outcome`).
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    field_validator,
    model_validator,
)

from omics.checks import check_event, check_same_length, check_time
from omics.cutting import Cut
from omics.table_spec import Unit

SURVIVAL_DTYPE = np.dtype([("time", np.float64), ("event", np.bool_)])

Value = StrictBool | StrictInt | StrictFloat | StrictStr


def survival_outcome(time: ArrayLike, event: ArrayLike) -> NDArray[Any]:
    """Build the structured outcome of a survival study.

    Parameters
    ----------
    time : array-like of shape (n_patients,)
        Follow-up, above zero, in one unit.
    event : array-like of shape (n_patients,)
        True where the event was observed, False where follow-up was censored.

    Returns
    -------
    ndarray of shape (n_patients,) with fields `time` and `event`

    Raises
    ------
    ValueError
        If a time is not above zero, an event is not True/False, or lengths differ.

    Examples
    --------
    >>> survival_outcome([5.0, 8.0], [True, False])["time"].tolist()
    [5.0, 8.0]
    """
    time = check_time(time, "time")
    event = check_event(event, "event")
    check_same_length(time=time, event=event)
    y = np.empty(len(time), dtype=SURVIVAL_DTYPE)
    y["time"], y["event"] = time, event
    return y


def is_survival(y: NDArray[Any]) -> bool:
    """Tell whether `y` is a survival outcome (fields `time` and `event`)."""
    return y.dtype.names is not None and {"time", "event"} <= set(y.dtype.names)


def rarer_class(y: NDArray[Any]) -> int:
    """Count events of a survival outcome, patients of the rarer class of a binary one.

    Examples
    --------
    >>> rarer_class(np.array([True, True, True, False]))
    1
    """
    return int(y["event"].sum() if is_survival(y) else min(y.sum(), (~y).sum()))


def _as_values(value: object) -> object:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _check_address(address: str) -> str:
    table, colon, column = address.partition(":")
    if not (table and colon and column):
        raise ValueError(
            f"a column is named with its table, as 'table:column', but {address!r} is not. "
            "Write for example 'followup:OS'"
        )
    return address


ColumnAddress = Annotated[str, AfterValidator(_check_address)]
"""A column and the table it stands in: `table:column`; the column may hold further colons."""

Values = Annotated[tuple[Value, ...], BeforeValidator(_as_values), Field(min_length=1)]
"""One value or a list of them, as the table writes them; `true`, `1`, `"1"` and `"True"` agree."""


class _Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SurvivalSpec(_Declared):
    """A survival outcome as a study declares it.

    Attributes
    ----------
    time : str
        Column of the follow-up time, `table:column`; above zero.
    event : str
        Column of the event, `table:column`.
    event_value : value or list of values
        What the event column holds where the event was observed.
    censored_value : value or list of values, optional
        What it holds where follow-up was censored. Needed when the column holds more than two
        distinct values; a patient with any other value is then lost, and counted.
    competing_value : value or list of values, optional
        What it holds where another event came first, such as death without relapse. It is described
        (cumulative incidence); models take these patients as censored at that time.
    unit : {"days", "weeks", "months", "years"}
        Of `time` and of `horizons`.
    horizons : list of float
        Times at which a risk is asked; kept in ascending order.
    label : str, optional
        Name of the outcome in the report; by default the name of the time column.

    Examples
    --------
    >>> spec = SurvivalSpec(
    ...     time="followup:OS", event="followup:dead", event_value=1, unit="days", horizons=[365]
    ... )
    >>> spec.event_value, spec.horizons
    ((1,), (365.0,))
    """

    kind: Literal["survival"] = "survival"
    time: ColumnAddress
    event: ColumnAddress
    event_value: Values
    censored_value: Values | None = None
    competing_value: Values | None = None
    unit: Literal["days", "weeks", "months", "years"]
    horizons: Annotated[tuple[float, ...], Field(min_length=1)]
    label: str | None = None

    @field_validator("horizons")
    @classmethod
    def _sorted_horizons(cls, horizons: tuple[float, ...]) -> tuple[float, ...]:
        wrong = [horizon for horizon in horizons if not 0 < horizon < np.inf]
        if wrong or len(set(horizons)) < len(horizons):
            raise ValueError(
                f"horizons must be distinct times above zero, but {list(horizons)} are not"
            )
        return tuple(sorted(horizons))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it reads, each `table:column`."""
        return (self.time, self.event)

    def describe(self) -> "Outcome":
        """Say what is predicted, for a report."""
        return Outcome(
            kind="survival",
            label=self.label or column_name(self.time),
            event_label=" or ".join(str(value) for value in self.event_value),
            competing_label=" or ".join(str(value) for value in self.competing_value or ()),
            unit=self.unit,
            horizons=self.horizons,
        )


class BinarySpec(_Declared):
    """A binary outcome as a study declares it: by its classes, or by a cut of a marker.

    Attributes
    ----------
    column : str
        Column of the class or the marker, `table:column`.
    positive : value or list of values
        What the column holds in the positive class.
    negative : value or list of values, optional
        What it holds in the negative class; a patient with any other value is then lost, and
        counted. By default every other value that is not missing.
    cut : str
        Where a marker is positive, such as `>= 3 %`; in place of `positive`. Cells are read as
        pathologists write them (`<1%`, `5-10%`); a range on both sides of the cut is unknown.
    unit : {"percent", "fraction", "number"}, optional
        Of bare numbers, in the cells and in the cut.
    label : str, optional
        Name of the outcome in the report; by default the name of the column.

    Examples
    --------
    >>> BinarySpec(column="clinical:IDH", positive="mutant").describe()
    Outcome(IDH = mutant)
    >>> BinarySpec(column="pathology:Ki-67", cut=">=3%").describe()
    Outcome(Ki-67 >= 3 %)
    """

    kind: Literal["binary"] = "binary"
    column: ColumnAddress
    positive: Values | None = None
    negative: Values | None = None
    cut: str | None = None
    unit: Unit | None = None
    label: str | None = None

    @model_validator(mode="after")
    def _classes_or_cut(self) -> Self:
        if (self.positive is None) == (self.cut is None):
            raise ValueError(
                "state either positive (what the column holds in the positive class) or cut (such "
                f"as '>= 3 %'), but {'neither' if self.cut is None else 'both'} came"
            )
        if self.cut is not None and self.negative is not None:
            raise ValueError("negative goes with positive, but a cut came: what misses it is so")
        if self.cut is None and self.unit is not None:
            raise ValueError("unit goes with cut, but positive came: take it away")
        self.marker_cut  # noqa: B018 - refuses a cut that cannot be read
        return self

    @property
    def marker_cut(self) -> Cut | None:
        """The cut, read; None where the classes are declared by `positive`."""
        return None if self.cut is None else Cut.read(self.cut, unit=self.unit)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it reads, each `table:column`."""
        return (self.column,)

    def describe(self) -> "Outcome":
        """Say what is predicted, for a report."""
        label = self.label or column_name(self.column)
        if self.marker_cut is not None:
            return Outcome(
                kind="binary", label=f"{label} {self.marker_cut}", event_label="yes", by_cut=True
            )
        positive = " or ".join(str(value) for value in self.positive or ())
        return Outcome(kind="binary", label=label, event_label=positive)


OutcomeSpec = Annotated[SurvivalSpec | BinarySpec, Field(discriminator="kind")]


@dataclass(frozen=True, kw_only=True, repr=False)
class Outcome:
    """What is predicted.

    Attributes
    ----------
    kind : {"survival", "binary"}
    label : str
        Name of the outcome, for titles and axes.
    event_label : str
        The value or values that count as the event, or as the positive class.
    unit : str or None
        Unit of time; None for a class.
    horizons : tuple of float
        Times at which a risk is asked, ascending; empty for a class.
    competing_label : str
        The value or values that mean that another event came first; empty where none is declared.
    by_cut : bool
        True where the class is a marker's side of a cut, which `label` then states.
    """

    kind: Literal["survival", "binary"]
    label: str
    event_label: str
    unit: str | None = None
    horizons: tuple[float, ...] = ()
    competing_label: str = ""
    by_cut: bool = False

    @property
    def statement(self) -> str:
        """What the event or the positive class is: `IDH = mutant`, `Ki-67 >= 3 %`."""
        return self.label if self.by_cut else f"{self.label} = {self.event_label}"

    @property
    def positive(self) -> str | None:
        """The positive class of a binary outcome; None for survival."""
        return self.event_label if self.kind == "binary" else None

    def __repr__(self) -> str:
        if self.kind == "binary":
            return f"Outcome({self.statement})"
        at = ", ".join(f"{horizon:g}" for horizon in self.horizons)
        return f"Outcome({self.label}, risk at {at} {self.unit})"


def column_name(address: str) -> str:
    """Return the column of an address `table:column`."""
    return address.partition(":")[2]


def table_name(address: str) -> str:
    """Return the table of an address `table:column`."""
    return address.partition(":")[0]
